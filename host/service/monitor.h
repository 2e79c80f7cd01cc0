/* monitor: is a pipeline as it should be? Pure: from what the store knows of it to findings.
 *
 *     failed   its newest sync failed for good
 *     stale    it has a schedule, and no sync went well for longer than its limit; or one of its streams did not, which was
 *              tried within its limit, or has one of its own
 *     rejects  its newest sync rejected more records than its limit
 *     schema   within a day a sync met fields that are not declared, or values of another type than their column
 *     volume   yesterday (UTC) it wrote far more or fewer rows than on the six days before, or on the same weekday of six weeks
 */
#ifndef SLUICE_SERVICE_MONITOR_H
#define SLUICE_SERVICE_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "service/store.h"
#include "sync/monitor_settings.h"

enum monitor_kind { MONITOR_FAILED, MONITOR_STALE, MONITOR_REJECTS, MONITOR_VOLUME, MONITOR_SCHEMA, MONITOR_KINDS };
extern const char *const MONITOR_NAMES[MONITOR_KINDS]; /* "failed" .. */

enum { MONITOR_SAMPLES = 6, MONITOR_DAYS = 7 * MONITOR_SAMPLES + 1 };

struct monitor_facts {
    int64_t now_ms;
    bool runs_by_itself, is_paused;
    bool is_endless;                /* one sync that goes on; succeeded_ms is when it was last heard of */
    int64_t first_ms, succeeded_ms; /* when its first job was asked for, and the newest good one ended; 0: never */
    const char *status, *error;     /* of its newest job that has ended; NULL: none has */
    uint64_t rejected;              /* by it */
    const struct stream_record *streams;
    size_t stream_count;
    uint64_t written[MONITOR_DAYS]; /* by day, [0] is yesterday */
};

/* How far `value` is from the samples, in standard deviations of at least 5 % of their mean and one row, so that a table that
 * grows by the same number every day may differ by a little. */
double monitor_deviation(const uint64_t *samples, size_t count, uint64_t value, double *mean);

/* NULL: all is well with it; else what is not, for people, in the arena. */
const char *monitor_look(enum monitor_kind kind, const struct monitor_settings *settings, const struct monitor_facts *facts,
                         struct arena *arena);

#endif
