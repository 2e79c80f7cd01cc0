/* time: instants and dates as integers, and the spellings APIs use for them. Proleptic Gregorian, no leap seconds, no locale, no
 * environment (TZ is never looked at). Pure functions.
 *
 * An instant is microseconds since 1970-01-01T00:00:00Z; a date is days since 1970-01-01. Years 0001 to 9999. */
#ifndef SLUICE_BASE_TIME_H
#define SLUICE_BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct civil {
    int year, month, day;     /* 1..9999, 1..12, 1..31 */
    int hour, minute, second; /* 0..23, 0..59, 0..59 */
    int microsecond;
};

int64_t time_days(int year, int month, int day); /* days since 1970-01-01 of a valid date */
int64_t time_from_civil(const struct civil *civil);
void time_to_civil(int64_t instant_us, struct civil *civil);

/* What a spelling said about its zone. */
enum time_zone_mark { TIME_ZONE_NONE, TIME_ZONE_OFFSET };

/* Reads RFC 3339 and the ISO 8601 spellings in use: 'T', 't' or space between; seconds and fraction optional (any number of digits,
 * rounded half up to microseconds); zone 'Z', 'z', "+02:00", "+0200", "+02" or none; a date alone is midnight; "24:00:00" is
 * the next midnight; a leap second ":60" is the next second's start. With a zone the result is the instant; without one the
 * wall clock as if it were UTC, and *mark says so. False for anything else, out-of-range fields and years outside 1..9999. */
bool time_parse_iso(struct str text, int64_t *instant_us, enum time_zone_mark *mark);
bool time_parse_date(struct str text, int64_t *days); /* "2024-01-15"; also the date part of an ISO timestamp */

/* "+02:00" "-0530" "Z" -> seconds east of UTC. */
bool time_parse_offset(struct str text, int *seconds);

/* HTTP's three date spellings (RFC 9110 5.6.7) -> seconds since 1970. */
bool time_parse_http_date(struct str text, int64_t *seconds);

/* Reads by a declared format: "iso8601", "epoch" (seconds, fraction allowed), "epoch_ms", "epoch_us", "date", or a pattern of
 * %Y %m %d %H %M %S %f (fraction, 1-9 digits) %z (offset or Z) %b %e %p %I %y %j %s %% and literal characters.
 * A result without a zone is UTC. False when the text does not match as a whole. */
bool time_parse_format(struct str text, const char *format, int64_t *instant_us);
bool time_format_is_valid(const char *format); /* for load-time checks */

/* Writes by the same formats, UTC, rounding down to what the format can hold. Returns the size, 0 when `size` is too small or
 * the instant is outside the years 1..9999. */
size_t time_write_format(int64_t instant_us, const char *format, char *out, size_t size);
int64_t time_format_step_us(const char *format); /* the smallest difference it can show: 1 s is 1000000 */

enum { TIME_TEXT_MAX = 40 };

/* "2024-01-15T10:00:00Z", with 3 or 6 digits of fraction only when there is one. Returns the size. */
size_t time_write_iso(int64_t instant_us, char out[TIME_TEXT_MAX]);
size_t time_write_date(int64_t days, char out[TIME_TEXT_MAX]);
/* "4 s", "3 min 20 s", "2 h 5 min": for people. */
size_t time_write_span(int64_t milliseconds, char out[TIME_TEXT_MAX]);

#endif
