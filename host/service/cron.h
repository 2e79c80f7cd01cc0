/* cron: the five fields of a crontab line, and the instants they name in a time zone.
 *
 * The fields are POSIX's and Vixie cron's (crontab(5)): minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day
 * of week 0-7 or SUN-SAT (0 and 7 are Sunday, and so is SUN at a range's end: FRI-SUN). Each is `*`, a number, a range a-b, a
 * range or `*` with a step (then /n), or a list of these. When both days are restricted (neither begins with `*`), one of them
 * is enough; else both must fit. In place of five fields: @hourly, @daily or @midnight, @weekly, @monthly, @yearly or
 * @annually.
 *
 * Where clocks are set, Vixie cron's rule (cron(8)), for changes of less than three hours: a line whose minute or hour begins
 * with `*` follows the clock, so what the gap skips does not happen, and the overlap happens twice. Any other line is of fixed
 * times: what the gap skips runs once, at its end, and in the overlap the first one counts. Larger changes (a skipped day) are
 * corrections: the clock counts.
 *
 * Pure: no clock, no allocation. */
#ifndef SLUICE_SERVICE_CRON_H
#define SLUICE_SERVICE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct zone;

struct cron {
    uint64_t minutes;    /* bits 0 to 59 */
    uint32_t hours;      /* bits 0 to 23 */
    uint32_t days;       /* bits 1 to 31 */
    uint32_t months;     /* bits 1 to 12 */
    uint32_t weekdays;   /* bits 0 (Sunday) to 6 */
    bool is_any_of_days; /* both days are restricted: one of them is enough */
    bool follows_clock;  /* minute or hour begins with `*` */
};

/* Reads a line. Errors: ERR_CONFIG with a hint: what is not cron's, and dates that never are (30 February). */
int cron_parse(struct str text, struct cron *out, struct err *err) MUST_USE;

/* Weekdays alone, by the rules of the fifth field: "MON-FRI", "SAT,SUN", "*". *weekdays as in struct cron. */
int cron_parse_weekdays(struct str text, uint32_t *weekdays, struct err *err) MUST_USE;

/* Could it be a line of cron: an @ in front, or fields between spaces? (A duration has neither.) */
bool cron_is_like(struct str text);

/* The first instant after `after_ms`; false when there is none in 41 years (29 February on one weekday may take 40), or past
 * the year 9000. */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_ms, int64_t *next_ms);
/* The last instant at or before `until_ms`; false when there is none within `days` days. */
bool cron_last(const struct cron *cron, const struct zone *zone, int64_t until_ms, int days, int64_t *last_ms);

#endif
