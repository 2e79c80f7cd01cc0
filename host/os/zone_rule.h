/* zone_rule: the POSIX TZ string that a TZif file ends with, such as "CET-1CEST,M3.5.0,M10.5.0/3": which offset is in force
 * in every year that the file's list of changes does not reach.
 *
 * POSIX.1-2017 8.3, with what RFC 8536 3.3.1 allows beside it: times from -167 to 167 hours, and daylight saving time for all
 * of the year. A string with daylight saving time but without its rules is refused: no file has one, and POSIX leaves open
 * what it means. Private to zone.c. Instants are seconds since 1970 UTC, offsets seconds east of UTC. */
#ifndef SLUICE_OS_ZONE_RULE_H
#define SLUICE_OS_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum zone_date_kind {
    ZONE_DATE_JULIAN, /* Jn: day 1 to 365, 29 February is not counted */
    ZONE_DATE_DAY,    /* n: day 0 to 365, it is */
    ZONE_DATE_WEEK,   /* Mm.w.d: weekday d of week w of month m; week 5 is the last one */
};

struct zone_date {
    enum zone_date_kind kind;
    int day; /* JULIAN, DAY */
    int month, week, weekday;
    int time_s; /* of that day, by the clock that holds until then; may be negative or past the day */
};

struct zone_rule {
    int standard_s; /* offset */
    int daylight_s;
    bool has_daylight;
    struct zone_date begins, ends; /* of daylight saving time */
};

/* False when `text` is no such string, or an offset passes 24:59:59. */
bool zone_rule_parse(struct str text, struct zone_rule *out);

int zone_rule_offset(const struct zone_rule *rule, int64_t utc_s);

/* The first instant after `utc_s` at which the offset becomes another one; false when it never does. */
bool zone_rule_next(const struct zone_rule *rule, int64_t utc_s, int64_t *change_s);

#endif
