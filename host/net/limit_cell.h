/* limit_cell: counting in one cell of shared memory (limit_file.h), without locks: many processes and threads at once.
 *
 *     struct limit_terms terms = {.requests = 190, .per_ms = 10000};
 *     wait_ms = cell_window_take(cell, &terms, 1, &time, &hold);       // 0: taken; else when to ask again
 *     cell_window_correct(cell, &hold, -1);                            // it was not used after all
 *
 * Times are pool time. Terms are the caller's own: processes that declare different `requests` for one cell count each
 * other's, and each keeps to its own number; `per_ms` is the same for all. A taker that dies between two steps leaves nothing
 * half done. Whatever stands in a cell, each function ends after a bounded number of steps, and no wait is longer than its
 * terms can make it. */
#ifndef SLUICE_NET_LIMIT_CELL_H
#define SLUICE_NET_LIMIT_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "net/limit_file.h"

struct limit_terms {
    int64_t requests; /* 1 to 100,000,000: in `per_ms`; concurrency: at once, at most LIMIT_CELL_SLOTS / 2 */
    int64_t per_ms;   /* 1 ms to 366 days */
    int64_t burst;    /* bucket: how much it holds */
};

/* What a take took. */
struct cell_hold {
    int64_t units;
    uint64_t slot; /* window: number of the slot; concurrency: its index and owner */
    uint64_t owner;
    int64_t taken_ms; /* bucket, window: the time it counts from */
};

/* Token bucket. `units` above `burst` count as a full bucket. */
int64_t cell_bucket_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, const struct limit_time *time,
                         struct cell_hold *hold);
/* More (or, below 0, less) was used than was taken. */
void cell_bucket_correct(struct limit_cell *cell, const struct limit_terms *terms, int64_t units,
                         const struct limit_time *time);
/* The source says that `left` are left: never more than that. */
void cell_bucket_report(struct limit_cell *cell, const struct limit_terms *terms, int64_t left, const struct limit_time *time);
int64_t cell_bucket_left(const struct limit_cell *cell, const struct limit_terms *terms, int64_t now_ms);

/* Sliding window: never more than `requests` in any span of `per_ms`, wherever it begins. `units` above `requests` never come
 * through: the caller refuses them. */
int64_t cell_window_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, const struct limit_time *time,
                         struct cell_hold *hold);
void cell_window_correct(struct limit_cell *cell, const struct cell_hold *hold, int64_t units);
int64_t cell_window_left(const struct limit_cell *cell, const struct limit_terms *terms, int64_t now_ms);

/* Requests in flight. A slot whose owner, a process, is dead is free; one of a process that cannot be looked at (in another
 * container) is after an hour. */
int64_t cell_flight_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t now_ms, struct cell_hold *hold);
void cell_flight_give_back(struct limit_cell *cell, const struct cell_hold *hold);
int64_t cell_flight_left(const struct limit_cell *cell, const struct limit_terms *terms);
/* How many slots there are up to the last one in use: those beyond a smaller `requests` go on until they end. */
int64_t cell_flight_reach(const struct limit_cell *cell, int64_t now_ms);

/* Calendar day: `requests` in each day (days since 1970, in whatever zone). False when they are used up. A day that is one
 * earlier than the newest counts as that one: the clock was set back. */
bool cell_day_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, int64_t day);
void cell_day_correct(struct limit_cell *cell, int64_t units, int64_t day);
int64_t cell_day_left(const struct limit_cell *cell, const struct limit_terms *terms, int64_t day);

/* Nobody takes anything before `until_ms`; never shortens. The wait that is left; 0: none. */
void cell_pause(struct limit_cell *cell, int64_t until_ms);
int64_t cell_paused_ms(const struct limit_cell *cell, int64_t now_ms);

/* Until `until_ms`, requests are at least `apart_ms` apart. */
void cell_pace(struct limit_cell *cell, int64_t apart_ms, int64_t until_ms);
int64_t cell_pace_take(struct limit_cell *cell, int64_t now_ms);

#endif
