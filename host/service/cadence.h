/* cadence: the schedules of one pipeline, when some of its streams have their own, and which streams are due.
 *
 *     schedule: 1h
 *     streams:
 *       orders: { schedule: 5m }         # its own; timezone, jitter and blackout are the pipeline's unless it gives them
 *       reports: { schedule: manual }    # only when asked for
 *       customers: {}                    # the pipeline's
 *
 * A pipeline's first cadence is its own schedule, for the streams that have none, unless all have one; every stream with a
 * schedule is one more. The service keeps, for each cadence, when it was last started, and starts one sync of all streams that
 * are due: a pipeline has one sync at a time, so what becomes due while it runs waits for its end, and is then one run, however
 * often it was due.
 *
 *     struct cadences cadences;
 *     cadences_read(pipeline, arena, &cadences, problems);
 *     ... last_ms[i] from the store; for a cadence that never ran: when the service first saw it ...
 *     if (!cadences_next(&cadences, last_ms, now_ms, &at_ms)) return;            // nothing ever runs by itself
 *     ... at at_ms, or later: ...
 *     struct due due;
 *     cadences_due(&cadences, last_ms, now_ms, arena, &due);                     // sluice run NAME [--stream ..]
 *     ... last_ms[i] = now_ms for each i of due.cadences, when the sync is started ...
 *
 * For a continuous cadence last_ms is when its last run ended. Pure, but for the arena. */
#ifndef SLUICE_SERVICE_CADENCE_H
#define SLUICE_SERVICE_CADENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/problems.h"
#include "service/schedule.h"

struct pipeline;

struct cadence {
    const char *stream; /* NULL: the pipeline's own, of every stream without one */
    struct schedule schedule;
    const char *const *streams; /* that run by it; the first cadence of a pipeline that chooses no streams names none */
    size_t stream_count;
};

struct cadences {
    const struct cadence *list; /* the pipeline's own, then those of streams, in the file's order */
    size_t count;               /* at least 1 */
};

struct due {
    bool is_whole;              /* every stream of the pipeline: none needs to be named */
    const char *const *streams; /* when not: the streams to name, in the order of the cadences */
    size_t stream_count;        /* 0 and not whole: nothing is due */
    const size_t *cadences;     /* the indices of the cadences that are due */
    size_t cadence_count;
};

/* Reads `schedule` of a pipeline and of its streams; mistakes as schedule_read. */
void cadences_read(const struct pipeline *pipeline, struct arena *arena, struct cadences *out, struct problems *problems);

/* When the next of them is due, by when each was last started (`last_ms[count]`; a time to come counts as now): `now_ms`, or
 * later, and never within its blackout. False: never by itself. */
bool cadences_next(const struct cadences *cadences, const int64_t *last_ms, int64_t now_ms, int64_t *at_ms);

/* What is due at `now_ms`: each cadence whose next run after its last_ms is not later, and that is not in a blackout now. */
void cadences_due(const struct cadences *cadences, const int64_t *last_ms, int64_t now_ms, struct arena *arena,
                  struct due *out);

#endif
