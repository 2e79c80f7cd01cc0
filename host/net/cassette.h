/* cassette: HTTP exchanges as a text that people read, write and review; what a sync records, and is replayed from.
 *
 *     now: 2024-06-01T00:00:00Z                  # the time at the start; optional
 *
 *     > GET /orders?page=1&limit=2
 *     > Authorization: Bearer ***
 *     < 200
 *     < Content-Type: application/json
 *     <
 *     < {"orders": [{"id": "o1"}], "has_more": true}
 *
 *     after: 30s                                 # this request may not come sooner behind the answer before it
 *     > GET /orders?page=2&limit=2
 *     ! connection reset                         # no answer at all
 *
 * Lines with '>' are the request: its line, headers, an empty line and a body; lines with '<' are its answer. A line of body
 * that begins with "base64 " behind "<<" is bytes. `#` begins a comment line.
 *
 * Replay gives each exchange once, in order among those that fit. A request fits when its method and path are the same, its
 * parameters are in any order, and what else the exchange says of it (headers; a body, JSON and forms compared by content) is
 * so. "***" stands for any text. A URL without a host fits any. It has a clock of its own, on which waits take no time.
 *
 * What is recorded holds no secrets: registered values in any encoding, credentials in headers, tokens in the answers to token
 * calls, and cookies become "***". Thread-safe. */
#ifndef SLUICE_NET_CASSETTE_H
#define SLUICE_NET_CASSETTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/problems.h"
#include "net/http.h"

struct cassette;
struct secrets;

enum { CASSETTE_MAX_BYTES = 64 * 1024 * 1024 };

struct cassette_exchange {
    unsigned line; /* of the request, in its file */
    struct str method, url;
    struct http_header *headers;
    size_t header_count;
    struct str body;  /* empty: not said */
    int64_t after_ms; /* 0: not said */
    int status;       /* 0: no answer, see `broken` */
    struct str broken;
    struct http_header *answer_headers;
    size_t answer_header_count;
    struct str answer_body;
    bool is_used;
};

/* An empty one that records. */
struct cassette *cassette_new_recorder(int64_t now_us);
/* One to replay, of a text that stands in `file` from `first_line` on; mistakes go to `problems`, and *out is then NULL.
 * `wall_us`: the time when the text does not say. */
void cassette_read(struct str text, const char *file, unsigned first_line, int64_t wall_us, struct cassette **out,
                   struct problems *problems);
int cassette_load(const char *path, int64_t wall_us, struct cassette **out, struct problems *problems,
                  struct err *err) MUST_USE;
void cassette_free(struct cassette *cassette); /* NULL is fine */

bool cassette_is_recorder(const struct cassette *cassette);
int64_t cassette_now_us(const struct cassette *cassette); /* the time at the start, of a recording, too */
struct clock *cassette_clock(struct cassette *cassette);  /* of a replay; NULL for a recorder */

/* The answer to a request, as http_send gives it. SOURCE when there is none, with what the nearest exchange differs in. */
int cassette_answer(struct cassette *cassette, const struct http_options *options, const struct http_request *request,
                    struct arena *arena, struct http_response *response, bool *was_sent, struct err *err) MUST_USE;
/* Remembers what became of a request: `rc` and `failure` of http_send, or its answer. */
void cassette_record(struct cassette *cassette, const struct http_request *request, int rc,
                     const struct http_response *response, const struct err *failure);

/* The exchanges as text, scrubbed; with the `now:` line where `with_now`. */
void cassette_write(struct cassette *cassette, const struct secrets *secrets, bool with_now, struct buf *out);
int cassette_save(struct cassette *cassette, const struct secrets *secrets, const char *path, struct err *err) MUST_USE;

/* Does the text fit the pattern, in which "***" stands for any text? */
bool cassette_fits(struct str pattern, struct str text);

/* For tests of connectors: the exchanges, how many requests came that had none, and what is said of these. */
const struct cassette_exchange *cassette_exchanges(const struct cassette *cassette, size_t *count);
size_t cassette_requests(const struct cassette *cassette);    /* that came, answered or not */
const char *cassette_misses(const struct cassette *cassette); /* one line each; "" when every request had its answer */

#endif
