/* limit: how fast requests may go out. One limiter is shared by all threads that spend the same allowance.
 *
 *     struct limiter_options options = {.kind = LIMITER_BUCKET, .requests = 10, .per_ms = 1000, .burst = 100};
 *     if ((rc = limiter_new(&options, &limiter, err)) != 0) ...
 *     rc = limiter_acquire(limiter, clock, cancel, NULL, err);     // waits for its turn
 *     ... send ...
 *     limiter_observe(limiter, status, &facts, clock);             // what the source says it has left, see limit_headers.h
 *
 * Two kinds of limits. A *bucket* refills by `requests` in each `per_ms` and holds `burst`, which may go at once after a pause:
 * as sources count that name both numbers. A *window* lets at most `requests` through in any span of `per_ms`, wherever it
 * begins: right for sources that name only how many in what time, whether they count in fixed windows, and from when, or in
 * sliding ones. (A bucket as large as `requests` would let twice as many through in its first `per_ms`: itself, and what
 * refills it.) On top of both: when the source says that nothing is left, or to come back later, everybody waits until then.
 * LIMITER_NONE only does that.
 *
 * A limiter is a small table of functions, so that one that shares its allowance with other processes can take the place of
 * the one made here. Its functions are called from many threads and do not block. */
#ifndef SLUICE_NET_LIMIT_H
#define SLUICE_NET_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/limit_headers.h"

struct cancel;
struct clock;

enum limiter_kind { LIMITER_NONE, LIMITER_BUCKET, LIMITER_WINDOW };

struct limiter_options {
    enum limiter_kind kind;
    int64_t requests; /* 1 to 1,000,000 */
    int64_t per_ms;   /* 1 ms to 366 days */
    int64_t burst;    /* bucket: 1 to 1,000,000; window: 0 */
};

struct limiter;

struct limiter_type {
    /* Takes one request out of the allowance: 0. When there is none: the milliseconds (> 0) after which to ask again. */
    int64_t (*take)(struct limiter *limiter, struct clock *clock);
    /* Nobody takes anything before `until_ms` (monotonic); never shortens. */
    void (*pause)(struct limiter *limiter, int64_t until_ms);
    /* The source's own count of what is left. */
    void (*report)(struct limiter *limiter, int64_t remaining);
    /* What is left, by our count or the source's, whichever is less; -1: unknown. */
    int64_t (*left)(struct limiter *limiter, struct clock *clock);
    void (*free)(struct limiter *limiter);
};

struct limiter {
    const struct limiter_type *type; /* what follows belongs to the type */
};

/* A limiter of this process. CONFIG for numbers out of range. */
int limiter_new(const struct limiter_options *options, struct limiter **out, struct err *err) MUST_USE;
void limiter_free(struct limiter *limiter); /* NULL is fine */

/* Told when a thread begins to wait (until when, monotonic ms) and when it goes on (0). */
struct limiter_watch {
    void (*waiting)(void *context, int64_t until_ms);
    void *context;
};

/* Waits for a turn and takes it. CANCELLED when `cancel` fires (STOP or more) while waiting. `watch` may be NULL. */
int limiter_acquire(struct limiter *limiter, struct clock *clock, struct cancel *cancel, const struct limiter_watch *watch,
                    struct err *err) MUST_USE;

enum { LIMITER_PAUSE_MAX_MS = 3600 * 1000 };

/* Takes in what an answer says. Everybody waits when nothing is left before a reset, and when a 429 or 503 says to come back
 * later; waits over LIMITER_PAUSE_MAX_MS are left to the request that meets them (retry.h gives up there, with a name). */
void limiter_observe(struct limiter *limiter, int status, const struct limit_facts *facts, struct clock *clock);

int64_t limiter_left(struct limiter *limiter, struct clock *clock); /* for the display; -1: unknown */

#endif
