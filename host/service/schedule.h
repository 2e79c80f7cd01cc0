/* schedule: when a pipeline runs by itself. Reads the key `schedule` of a pipeline or a stream, and computes the next run.
 *
 *     schedule: 15m                              # every 15 minutes; 1 minute to 366 days, whole seconds
 *     schedule: continuous                       # again as soon as a run has ended
 *     schedule: manual                           # never by itself; also what no schedule at all means
 *     schedule: "30 2 * * MON-FRI"               # cron, in UTC
 *     schedule: { every: 15m, jitter: 1m }       # every, cron or `continuous: true`
 *     schedule:
 *       cron: "0 2-6 * * MON-FRI"                # see cron.h
 *       timezone: Europe/Oslo                    # of cron and blackout; default: UTC
 *       jitter: 30s                              # 0 to 12 hours, whole seconds
 *       blackout: [{ days: MON-FRI, from: "08:00", to: "17:30" }]
 *
 * The same schedule gives the same instants in every process, on every machine, before and after a restart: a run's instant is
 * a function of the schedule and of the pipeline's name, of nothing else.
 *
 * - An interval's runs lie on a grid: the epoch, plus k intervals, plus an offset (whole seconds, less than the interval) by
 *   a hash of the pipeline's name. So a thousand pipelines of `15m` are spread over 15 minutes. The grid knows no time zone:
 *   `24h` is not "at the same time of day" across a change of clocks; cron is. Of two intervals of one pipeline, where one
 *   divides the other, the runs of the longer one are runs of the shorter one, too.
 * - Jitter delays a run by 0 to less than `jitter`, by a hash of the name and of the instant, and never as far as the next run.
 * - A blackout delays a run to its end (and then by the jitter again). It begins on `days` (default: every day) at `from` and
 *   lasts until the next `to`, which may be past midnight; from = to is a whole day. Where clocks are set back it lasts from
 *   the first `from` to the last `to`. Runs that are delayed to one end are one.
 * - Runs that were missed are not made up for: the next one is always after the instant asked about.
 *
 * A schedule is read-only and lives in the arena it was read into; any thread may use it. Nothing here reads a clock. */
#ifndef SLUICE_SERVICE_SCHEDULE_H
#define SLUICE_SERVICE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/node.h"
#include "data/option.h"
#include "data/problems.h"
#include "service/cron.h"

struct zone;

enum schedule_kind { SCHEDULE_MANUAL, SCHEDULE_CONTINUOUS, SCHEDULE_EVERY, SCHEDULE_CRON };

struct blackout {
    uint32_t weekdays;  /* on which it begins: bits 0 (Sunday) to 6 */
    int from_minute;    /* of the day, 0 to 1439 */
    int length_minutes; /* 1 to 1440, by the clock on the wall */
};

struct schedule {
    enum schedule_kind kind;
    const char *text;        /* "every 15m", "cron 30 2 * * MON-FRI", "continuous", "manual": for people */
    int64_t every_ms;        /* EVERY */
    int64_t offset_ms;       /* EVERY: of its grid, from the epoch */
    struct cron cron;        /* CRON */
    const struct zone *zone; /* of cron and blackouts; never NULL after reading */
    int64_t jitter_ms;       /* 0: none */
    uint64_t seed;           /* of the jitter: the hash of the pipeline's name */
    const struct blackout *blackouts;
    size_t blackout_count;
};

enum { SCHEDULE_BLACKOUTS_MAX = 32 };

extern const struct option_table SCHEDULE_OPTIONS; /* of the map, for `sluice help config` */

/* Reads `node` (NULL or null: manual). `path` names it in messages ("pipelines.shop.schedule"), `pipeline` gives offset and
 * jitter. What the node leaves out of timezone, jitter and blackout is taken from `parent` (NULL: the defaults). Every mistake
 * goes to `problems`, with its line and a hint; *out is then a manual schedule. */
void schedule_read(const struct node *node, const char *path, const char *pipeline, const struct schedule *parent,
                   struct arena *arena, struct schedule *out, struct problems *problems);

/* The first run after `after_ms` (milliseconds since 1970 UTC): for an interval and for cron the next one, whatever was missed;
 * for a continuous schedule at once, which is `after_ms` + 1, or the end of a blackout. False: never by itself (manual), or not
 * before the year 9000. */
bool schedule_next(const struct schedule *schedule, int64_t after_ms, int64_t *next_ms);

/* Is `at_ms` within a blackout? Then *end_ms is when the last of those that overlap or follow at once ends. For continuous
 * pipelines, which a blackout has to stop, and for runs by hand, which it may warn about. */
bool schedule_in_blackout(const struct schedule *schedule, int64_t at_ms, int64_t *end_ms);

#endif
