/* http_answer: takes in one answer, piece by piece, as libcurl hands it over, and decides what to believe of it.
 *
 *     answer_init(&answer, &limits, budget, arena, no_body_expected);
 *     answer_header(&answer, line, size);  ...  answer_body(&answer, data, size);     // false: end the transfer
 *     rc = answer_finish(&answer, transfer_rc, err);
 *     answer_release(&answer);
 *
 * Headers: all of one answer within a cap, informational answers (RFC 9110 15.2) counted, lines folded (RFC 9112 5.2) joined,
 * and the framing checked: two different lengths, or a length beside a transfer coding, are how one answer is passed off as
 * two. Body: one content coding at most, inflated here, counted here, into one block. Needs no network: it is fed by tests,
 * too. */
#ifndef SLUICE_NET_HTTP_ANSWER_H
#define SLUICE_NET_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

struct inflate;
struct spool;
struct unpack;

enum { ANSWER_INFORMATIONAL_MAX = 20, ANSWER_REFUSAL_BODY_BYTES = 64 * 1024 };

struct answer {
    const struct http_limits *limits;
    struct budget *budget;
    struct arena *arena;
    bool is_head;                /* to a HEAD request: headers only, whatever they announce */
    bool is_over_tls;            /* the caller's to say; false: HTTP/1 for sure */
    struct buf head;             /* status line and headers of the answer in hand */
    size_t head_bytes;           /* of all of them, informational ones and trailers included */
    int informational;           /* answers before the final one */
    int version;                 /* 10, 11, 20 ... */
    int status;                  /* 0 until the final status line */
    bool has_headers;            /* all of the final answer */
    struct http_header *headers; /* in the arena */
    size_t header_count;
    int64_t length; /* Content-Length; -1: none */
    bool is_chunked;
    struct inflate *inflate; /* NULL: the body comes plain */
    enum http_compression compression;
    struct unpack *unpack; /* behind `inflate`; NULL: the body is not packed */
    struct spool *spool;   /* where the body goes; NULL: into `body` */
    struct block *body;    /* NULL until its first byte */
    uint64_t wire_bytes;
    struct err failure; /* class 0: none */
};

void answer_init(struct answer *answer, const struct http_limits *limits, struct budget *budget, struct arena *arena,
                 bool is_head);
void answer_release(struct answer *answer);

/* One header line with its end, or the empty line behind the last. False when the transfer should end. */
bool answer_header(struct answer *answer, const char *line, size_t size);
bool answer_body(struct answer *answer, const char *data, size_t size);

/* The end. `transfer` is the transfer's own failure (class 0: it went well). Gives the response's status, headers, body and
 * ends_with_connection; 0, or the failure that counts. */
int answer_finish(struct answer *answer, const struct err *transfer, struct http_response *response, struct err *err) MUST_USE;

#endif
