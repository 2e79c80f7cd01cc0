/* tally: what this node's syncs came to since it started, counted for Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Any thread. */
#ifndef SLUICE_SERVICE_TALLY_H
#define SLUICE_SERVICE_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct tally;

/* A sync that ended. */
struct tally_end {
    const char *pipeline, *status; /* succeeded | failed | cancelled | queued: it will be tried again */
    uint64_t records, written, rejected;
    int64_t took_ms;
};

struct tally *tally_new(void);
void tally_free(struct tally *tally); /* NULL is fine */
void tally_begins(struct tally *tally);
void tally_ends(struct tally *tally, const struct tally_end *end);

/* Appends the counters and the number of syncs that run. */
void tally_write(struct tally *tally, struct buf *out);

/* Appends "# HELP" and "# TYPE" of a measure. */
void measure_begin(struct buf *out, const char *name, const char *type, const char *help);
/* Appends NAME{pipeline="..",status=".."} without the value; NULL: without that label. */
void measure_name(struct buf *out, const char *name, const char *pipeline, const char *status);
/* The same of a stream: NAME{pipeline="..",stream=".."}. */
void measure_stream(struct buf *out, const char *name, const char *pipeline, const char *stream);

#endif
