/* limit: how fast requests may go out. A limiter is a list of rules; a request waits until all that it matches let it through.
 *
 *     struct limiter_rule rules[] = {{.kind = LIMITER_WINDOW, .requests = 190, .per_ms = 10000}, {.name = "search", ...}};
 *     struct limiter_options options = {.rules = rules, .rule_count = 2, .file = file, .pool = "hubspot/api.hubapi.com/9f.."};
 *     if ((rc = limiter_new(&options, &limiter, err)) != 0) ...
 *     rc = limiter_acquire(limiter, &asked, clock, cancel, NULL, &ticket, err);    // waits for its turn
 *     ... send ...
 *     limiter_release(limiter, &ticket, clock);                                     // no longer in flight
 *     limiter_observe(limiter, &ticket, &response, clock);                          // what the source says it has left
 *
 * Kinds: a *bucket* refills by `requests` in each `per_ms` and holds `burst`, which may go at once after a pause, as sources
 * count that name both numbers. A *window* lets at most `requests` through in any span of `per_ms`, wherever it begins: right
 * for sources that name only how many in what time, whether they count in fixed windows, and from when, or in sliding ones. (A
 * bucket as large as `requests` would let twice as many through in its first `per_ms`.) *Concurrency* counts requests in
 * flight. *Cost* is a bucket of points: a request takes its weight, and what it really cost is settled when the answer says so.
 * A *quota* is an allowance for a day, rolling or by the calendar: when its share is used up, requests fail (RATE_LIMIT)
 * instead of waiting. On top of all: when the source says that nothing is left, or to come back later, everybody waits until
 * then; requests that match a rule with a `match` wait among themselves.
 *
 * What is counted lives in cells of a limit_file, so that all processes of a machine share it; of several machines that share a
 * service's store each has a part. Functions may be called from many threads; only limiter_acquire waits. */
#ifndef SLUICE_NET_LIMIT_H
#define SLUICE_NET_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/limit_cell.h"
#include "net/limit_learn.h"

struct cancel;
struct clock;
struct http_response;

enum limiter_kind { LIMITER_BUCKET, LIMITER_WINDOW, LIMITER_CONCURRENCY, LIMITER_COST, LIMITER_QUOTA };

/* Which requests a rule is for; what is not set matches all. */
struct limiter_match {
    const char *method;         /* "GET" */
    const char *path;           /* of the URL, whole; '*' stands for any characters */
    const char *const *streams; /* names; NULL: any request */
    size_t stream_count;
};

struct limiter_rule {
    enum limiter_kind kind;
    const char *name; /* rules of one name, kind, time and pool count together; NULL: those of one match */
    const char *pool; /* NULL: the options' */
    struct limiter_match match;
    int64_t weight;   /* units that a request takes; 0: 1 */
    int64_t requests; /* 1 to LIMITER_UNITS_MAX: units in `per_ms`, or at once; 0: a quota that only the source counts */
    int64_t per_ms;   /* 1 ms to 366 days; not of concurrency */
    int64_t burst;    /* bucket, cost: 1 to LIMITER_UNITS_MAX */
    bool by_calendar; /* quota: begins anew at midnight, `zone_s` east of UTC */
    int zone_s;       /* seconds */
    double stop_at;   /* quota: the share of it that may be used; 0: all */
    double slow_down; /* below this share of what the source allows, the rest is spread until its reset; 0: never */
    const struct limit_learn *learn; /* NULL: only the headers everybody knows */
};

enum { LIMITER_RULES_MAX = 16, LIMITER_UNITS_MAX = 100000000, LIMITER_CONCURRENCY_MAX = LIMIT_CELL_SLOTS / 2 };

struct limiter_options {
    const struct limiter_rule *rules; /* these and what they point to must live as long as the limiter */
    size_t rule_count;                /* 0: only listens to the source */
    struct limit_file *file;          /* taken over in any case; NULL: counts in this process alone */
    const char *pool;                 /* whose allowance it is; NULL with `file` NULL */
};

struct limiter;

/* CONFIG for numbers out of range. */
int limiter_new(const struct limiter_options *options, struct limiter **out, struct err *err) MUST_USE;
void limiter_free(struct limiter *limiter); /* NULL is fine */

/* What rules match on. */
struct limiter_request {
    const char *method, *path; /* NULL: neither matches anything */
    const char *stream;        /* NULL: none */
    int64_t weight;            /* in place of the rules' own; 0: theirs */
};

/* What a request took. Zeroed before; belongs to one request at a time. */
struct limiter_ticket {
    bool is_taken;
    unsigned matched; /* bit i: rule i */
    int64_t day;      /* of calendar quotas */
    struct cell_hold holds[LIMITER_RULES_MAX];
};

/* Told when a thread begins to wait (until when, monotonic ms; for what, a text of the limiter's) and when it goes on (0). */
struct limiter_watch {
    void (*waiting)(void *context, int64_t until_ms, const char *what);
    void *context;
};

/* Takes a turn: 0. When there is none: the milliseconds (> 0) after which to ask again, *rule (may be NULL) is what it waits
 * for, -1 for a pause of all. */
int64_t limiter_try(struct limiter *limiter, const struct limiter_request *asked, struct clock *clock,
                    struct limiter_ticket *ticket, int *rule);

/* Is the rule that limiter_try gave a quota? */
bool limiter_is_quota(const struct limiter *limiter, int rule);

/* Waits for a turn and takes it. CANCELLED when `cancel` fires (STOP or more) while waiting. RATE_LIMIT when a quota is used
 * up, or the wait would be over LIMITER_WAIT_MAX_MS; *resume_ms is then when it makes sense to come back (monotonic). */
int limiter_acquire(struct limiter *limiter, const struct limiter_request *asked, struct clock *clock, struct cancel *cancel,
                    const struct limiter_watch *watch, struct limiter_ticket *ticket, int64_t *resume_ms,
                    struct err *err) MUST_USE;
enum { LIMITER_WAIT_MAX_MS = 3600 * 1000 };

/* The request is no longer in flight, whatever became of it; other units stay used. */
void limiter_release(struct limiter *limiter, const struct limiter_ticket *ticket, struct clock *clock);
/* The request was never sent: everything goes back. */
void limiter_give_back(struct limiter *limiter, struct limiter_ticket *ticket, struct clock *clock);

/* Takes in what an answer says. Waits over LIMITER_WAIT_MAX_MS are left to the request that meets them (retry.h gives up there,
 * with a name), but for those of a quota. */
void limiter_observe(struct limiter *limiter, const struct limiter_ticket *ticket, const struct http_response *response,
                     struct clock *clock);

/* The same for a wait that was read elsewhere: everybody, or the class of the request that took `ticket`, waits for so long. */
void limiter_pause(struct limiter *limiter, const struct limiter_ticket *ticket, int64_t wait_ms, struct clock *clock);

/* What the requests without a match have left, by our count or the source's, whichever is less; what the source said holds
 * until its reset. For the display, and for whoever has several to choose from. -1: unknown. */
int64_t limiter_left(struct limiter *limiter, struct clock *clock);

#endif
