/* cassette_internal: what cassette.c (replay, record) and cassette_text.c (the text) share, and nobody else. */
#ifndef SLUICE_NET_CASSETTE_INTERNAL_H
#define SLUICE_NET_CASSETTE_INTERNAL_H

#include <pthread.h>

#include "net/cassette.h"
#include "os/clock.h"

struct cassette {
    struct arena arena;
    const char *file;
    bool records;
    int64_t now_us;
    bool is_full; /* a recorder that gave up */
    size_t bytes;
    struct cassette_exchange *list;
    size_t count, capacity;
    struct clock_fake clock;
    int64_t answered_ms; /* of the clock; the last answer; -1: none yet */
    size_t requests;
    struct buf misses;
    pthread_mutex_t lock;
};

struct cassette_exchange *cassette_add(struct cassette *cassette);

/* How a request differs from an exchange: one text per difference, appended to `out` with "; " between. */
enum { CASSETTE_DIFFERENCE_BYTES = 4096 };
size_t cassette_compare(const struct cassette_exchange *exchange, const struct http_request *request, struct arena *arena,
                        struct buf *out);

/* Reads the text's lines into the cassette. */
void cassette_parse(struct cassette *cassette, struct str text, unsigned first_line, struct problems *problems);

#endif
