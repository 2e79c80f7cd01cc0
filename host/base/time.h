/* time: instants and dates as integers, and the spellings APIs use for them. Proleptic Gregorian, no leap seconds, no locale,
 * no environment (TZ is never looked at), no clock. Pure functions.
 *
 * An instant is microseconds since 1970-01-01T00:00:00Z; a date is days since 1970-01-01. Years 0001 to 9999.
 *
 *     if (time_parse_iso(STR("2024-01-15T10:00:00+02:00"), &instant, &mark)) ...
 *     size_t size = time_write_format(instant, "%d/%m/%Y", text, sizeof text);        // "15/01/2024"
 *
 * time.c has the calendar and ISO 8601, time_format.c the declared formats and HTTP's dates. */
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

bool time_date_is_valid(int year, int month, int day); /* is there such a day in the years 1..9999? */
int64_t time_days(int year, int month, int day);       /* days since 1970-01-01 of a valid date */
int64_t time_from_civil(const struct civil *civil);    /* fields past their range carry over: second 60 is the next minute */
void time_to_civil(int64_t instant_us, struct civil *civil); /* any instant, also outside the years 1..9999 */
bool time_in_range(int64_t instant_us);                      /* within the years 1..9999? */

/* What a spelling said about its zone. */
enum time_zone_mark { TIME_ZONE_NONE, TIME_ZONE_OFFSET };

/* Reads RFC 3339 and the ISO 8601 spellings in use: 'T', 't' or space between; seconds and fraction ('.' or ',', any number of
 * digits, rounded half up to microseconds) optional; zone 'Z', 'z', "+02:00", "+0200", "+02" or none; a date alone is midnight;
 * "24:00:00" is the next midnight; a leap second ":60" is the next second's start, whatever its fraction. With a zone the
 * result is the instant; without one the wall clock as if it were UTC, and *mark says so. False for anything else, out-of-range
 * fields and years outside 1..9999. */
bool time_parse_iso(struct str text, int64_t *instant_us, enum time_zone_mark *mark);
/* "2024-01-15"; also the date part, as written, of whatever time_parse_iso reads. */
bool time_parse_date(struct str text, int64_t *days);

/* "+02:00" "-0530" "+02" "Z" -> seconds east of UTC, less than a day. */
bool time_parse_offset(struct str text, int *seconds);

/* HTTP's three date spellings (RFC 9110 5.6.7) -> seconds since 1970. The two-digit years of the second are 1970 to 2069: the
 * RFC's rule needs a clock. The weekday is not compared with the date. */
bool time_parse_http_date(struct str text, int64_t *seconds);

/* Declared formats: "iso8601", "epoch" (seconds), "epoch_ms", "epoch_us", "date", or a pattern of literal characters and
 *   %Y 2024   %y 24 (1970 to 2069)   %m 01   %b Jan (also January when read)   %d 15   %e 15 (padded with a space)
 *   %j 015 (day of the year)   %H 10   %I 10 (with %p)   %p AM   %M 00   %S 00
 *   %f fraction (1 to 9 digits when read, 6 when written)   %3f fraction (3 digits)
 *   %z +0200, +02:00, +02 or Z when read, +0000 when written   %a Mon (also Monday; not compared)
 *   %s seconds since 1970   %% a percent sign
 * A pattern needs %Y, %y or %s; what it lacks behind the year is the first or 0 ("%Y-%m" is the month's start). Digits may be
 * fewer when read where no other % follows at once ("%m/%d/%Y" reads 1/5/2024). Names in any case. */
bool time_format_is_valid(const char *format); /* for load-time checks; the functions below fail on a format that is not */

/* Reads by a declared format. A result without a zone is UTC. The epochs read JSON number text, with a fraction or an exponent
 * if need be, rounded half up to microseconds. False when the text does not match as a whole. */
bool time_parse_format(struct str text, const char *format, int64_t *instant_us);

/* Writes by the same formats, UTC, rounding down to what the format can hold ("epoch" is whole seconds). Terminated; returns
 * the size, 0 when `size` is too small or the instant is outside the years 1..9999. */
size_t time_write_format(int64_t instant_us, const char *format, char *out, size_t size);
/* The smallest difference it can show: 1000000 for one that ends with seconds, 28 days for one that ends with the month. */
int64_t time_format_step_us(const char *format);

enum { TIME_TEXT_MAX = 40 };

/* "2024-01-15T10:00:00Z", with 3 or 6 digits of fraction only when there is one. Terminated. Returns the size; 0, and the empty
 * text, outside the years 1..9999. */
size_t time_write_iso(int64_t instant_us, char out[TIME_TEXT_MAX]);
size_t time_write_date(int64_t days, char out[TIME_TEXT_MAX]);
/* "250 ms", "4 s", "3 min 20 s", "2 h 5 min", "3 d 4 h": for people; the two largest units, rounded down. */
size_t time_write_span(int64_t milliseconds, char out[TIME_TEXT_MAX]);

#endif
