/* schedule: see schedule.h. A schedule has *points*, those of its interval or of cron; a run is a point that was delayed, by
 * blackouts and by jitter. Because a jitter never reaches the next point, runs come in the order of their points, and points
 * within one blackout become one run. So the next run is that of the last point at or before the instant asked about, if that
 * was delayed past it, else that of the next point. */
#include "service/schedule.h"

#include "base/check.h"
#include "base/map.h"
#include "base/time.h"
#include "os/zone.h"

enum { LOOK_BACK_DAYS = 30, BLACKOUT_STEPS_MAX = 2000 };
#define DAY_MS 86400000LL
#define LAST_MS 221845392000000LL /* the year 9000 */

/* --- points -------------------------------------------------------------------------------------------------------------- */

/* The grid's last point at or before an instant. */
static int64_t grid_last(const struct schedule *schedule, int64_t until_ms)
{
    int64_t since = until_ms - schedule->offset_ms, steps = since / schedule->every_ms - (since % schedule->every_ms < 0);
    return schedule->offset_ms + steps * schedule->every_ms;
}

static bool point_last(const struct schedule *schedule, int64_t until_ms, int64_t *point_ms)
{
    if (schedule->kind == SCHEDULE_CRON) return cron_last(&schedule->cron, schedule->zone, until_ms, LOOK_BACK_DAYS, point_ms);
    *point_ms = grid_last(schedule, until_ms);
    return true;
}

static bool point_next(const struct schedule *schedule, int64_t after_ms, int64_t *point_ms)
{
    if (schedule->kind == SCHEDULE_CRON) return cron_next(&schedule->cron, schedule->zone, after_ms, point_ms);
    *point_ms = grid_last(schedule, after_ms) + schedule->every_ms;
    return true;
}

/* --- delays -------------------------------------------------------------------------------------------------------------- */

/* The end of a blackout that began on that day on the wall, if the instant is within it; else the instant. */
static int64_t end_of_one(const struct blackout *blackout, const struct zone *zone, int64_t days, int64_t at_ms)
{
    struct civil local;
    int64_t weekday = ((days + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */
    if (!(blackout->weekdays >> weekday & 1)) return at_ms;
    time_to_civil(days * DAY_MS * 1000, &local);
    local.minute = blackout->from_minute;
    int64_t begin_ms = zone_local_to_utc(zone, &local).utc_ms[0];
    local.minute += blackout->length_minutes;
    struct zone_instants end = zone_local_to_utc(zone, &local);
    int64_t end_ms = end.utc_ms[end.count == 2];
    return at_ms >= begin_ms && at_ms < end_ms ? end_ms : at_ms;
}

bool schedule_in_blackout(const struct schedule *schedule, int64_t at_ms, int64_t *end_ms)
{
    int64_t end = at_ms;
    for (int step = 0; step < BLACKOUT_STEPS_MAX; step++) {
        struct civil local;
        int64_t before = end;
        zone_utc_to_local(schedule->zone, end, &local);
        int64_t today = time_days(local.year, local.month, local.day);
        for (size_t i = 0; i < schedule->blackout_count; i++)
            for (int64_t day = today - 1; day <= today + 1; day++)
                end = end_of_one(&schedule->blackouts[i], schedule->zone, day, end);
        if (end == before) break;
    }
    *end_ms = end;
    return end > at_ms;
}

/* By a hash of the name and the point, whole seconds, and never as far as the next point. */
static int64_t jitter_at(const struct schedule *schedule, int64_t at_ms)
{
    unsigned char bytes[16];
    int64_t limit_ms = schedule->jitter_ms, next_ms;
    if (limit_ms == 0) return 0;
    if (point_next(schedule, at_ms, &next_ms) && next_ms - at_ms < limit_ms) limit_ms = next_ms - at_ms;
    if (limit_ms < 1000) return 0;
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(schedule->seed >> (8 * i));
        bytes[8 + i] = (unsigned char)((uint64_t)at_ms >> (8 * i));
    }
    uint64_t hash = hash_stable((struct str){(const char *)bytes, sizeof bytes});
    return (int64_t)(hash % (uint64_t)(limit_ms / 1000)) * 1000;
}

/* When a point's run is: behind a blackout, then jittered, and again if that led into the next blackout. */
static int64_t run_of(const struct schedule *schedule, int64_t point_ms)
{
    int64_t begin_ms = point_ms, end_ms;
    for (int step = 0; step < BLACKOUT_STEPS_MAX; step++) {
        schedule_in_blackout(schedule, begin_ms, &begin_ms);
        int64_t run_ms = begin_ms + jitter_at(schedule, begin_ms);
        if (!schedule_in_blackout(schedule, run_ms, &end_ms)) return run_ms;
        begin_ms = run_ms;
    }
    return begin_ms;
}

bool schedule_next(const struct schedule *schedule, int64_t after_ms, int64_t *next_ms)
{
    int64_t point_ms;
    if (schedule->kind == SCHEDULE_MANUAL || after_ms >= LAST_MS) return false;
    if (schedule->kind == SCHEDULE_CONTINUOUS) {
        schedule_in_blackout(schedule, after_ms + 1, next_ms);
        return true;
    }
    if (point_last(schedule, after_ms, &point_ms)) {
        *next_ms = run_of(schedule, point_ms);
        if (*next_ms > after_ms) return true;
    }
    if (!point_next(schedule, after_ms, &point_ms)) return false;
    *next_ms = run_of(schedule, point_ms);
    return true;
}
