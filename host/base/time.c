/* time: see time.h. The calendar is counted in eras of 400 years that begin on the first of March, so that the leap day is
 * the last of its year (Howard Hinnant, "chrono-compatible low-level date algorithms"). Every reader takes its text apart from
 * left to right and refuses what is left over. */
#include "base/time.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/time_scan.h"

enum { DAYS_PER_ERA = 146097, EPOCH_FROM_ERA = 719468 };

#define FIRST_INSTANT (-719162 * DAY_US)    /* 0001-01-01T00:00:00Z */
#define LAST_INSTANT (2932897 * DAY_US - 1) /* 9999-12-31T23:59:59.999999Z */

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

bool time_date_is_valid(int year, int month, int day)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= DAYS[month - 1] + (leap && month == 2);
}

int64_t time_days(int year, int month, int day)
{
    int64_t from_march = year - (month <= 2);
    int64_t era = floor_divide(from_march, 400);
    int64_t year_of_era = from_march - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - EPOCH_FROM_ERA;
}

static void date_from_days(int64_t days, struct civil *civil)
{
    days += EPOCH_FROM_ERA;
    int64_t era = floor_divide(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    civil->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    civil->month = (int)(month_from_march + (month_from_march < 10 ? 3 : -9));
    civil->year = (int)(year_of_era + era * 400 + (civil->month <= 2));
}

int64_t time_from_civil(const struct civil *civil)
{
    int64_t days = time_days(civil->year, civil->month, civil->day);
    return days * DAY_US + civil->hour * HOUR_US + civil->minute * MINUTE_US + civil->second * SECOND_US + civil->microsecond;
}

void time_to_civil(int64_t instant_us, struct civil *civil)
{
    int64_t days = floor_divide(instant_us, DAY_US);
    int64_t rest = instant_us % DAY_US;
    if (rest < 0) rest += DAY_US;
    date_from_days(days, civil);
    civil->hour = (int)(rest / HOUR_US);
    civil->minute = (int)(rest % HOUR_US / MINUTE_US);
    civil->second = (int)(rest % MINUTE_US / SECOND_US);
    civil->microsecond = (int)(rest % SECOND_US);
}

bool time_in_range(int64_t instant_us)
{
    return instant_us >= FIRST_INSTANT && instant_us <= LAST_INSTANT;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip(struct str *text, size_t size)
{
    *text = (struct str){text->data + size, text->size - size};
}

bool scan_digits(struct str *text, size_t min, size_t max, int *value)
{
    size_t size = 0;
    int sum = 0;
    while (size < max && size < text->size && is_digit(text->data[size])) sum = sum * 10 + (text->data[size++] - '0');
    if (size < min) return false;
    skip(text, size);
    *value = sum;
    return true;
}

bool scan_char(struct str *text, char wanted)
{
    if (text->size == 0 || text->data[0] != wanted) return false;
    skip(text, 1);
    return true;
}

bool scan_fraction(struct str *text, size_t max, int *microseconds)
{
    int sum = 0;
    size_t size = 0;
    for (; size < max && size < text->size && is_digit(text->data[size]); size++) {
        int digit = text->data[size] - '0';
        if (size < 6)
            sum = sum * 10 + digit;
        else if (size == 6 && digit >= 5)
            sum++;
    }
    if (size == 0) return false;
    for (size_t place = size; place < 6; place++) sum *= 10;
    skip(text, size);
    *microseconds = sum;
    return true;
}

static bool scan_date(struct str *text, struct civil *civil)
{
    return scan_digits(text, 4, 4, &civil->year) && scan_char(text, '-') && scan_digits(text, 2, 2, &civil->month) &&
           scan_char(text, '-') && scan_digits(text, 2, 2, &civil->day) &&
           time_date_is_valid(civil->year, civil->month, civil->day);
}

static bool scan_clock(struct str *text, struct civil *civil)
{
    if (!scan_digits(text, 2, 2, &civil->hour) || !scan_char(text, ':') || !scan_digits(text, 2, 2, &civil->minute))
        return false;
    if (scan_char(text, ':')) {
        if (!scan_digits(text, 2, 2, &civil->second)) return false;
        if ((scan_char(text, '.') || scan_char(text, ',')) && !scan_fraction(text, SIZE_MAX, &civil->microsecond)) return false;
    }
    if (civil->second == 60) civil->microsecond = 0;
    if (civil->hour == 24) return civil->minute == 0 && civil->second == 0 && civil->microsecond == 0;
    return civil->hour < 24 && civil->minute < 60 && civil->second <= 60;
}

bool time_parse_offset(struct str text, int *seconds)
{
    if (text.size == 1 && (text.data[0] == 'Z' || text.data[0] == 'z')) {
        *seconds = 0;
        return true;
    }
    bool west = scan_char(&text, '-');
    int hours, minutes = 0;
    if (!west && !scan_char(&text, '+')) return false;
    if (!scan_digits(&text, 2, 2, &hours)) return false;
    if (text.size) {
        scan_char(&text, ':');
        if (!scan_digits(&text, 2, 2, &minutes)) return false;
    }
    if (text.size || hours > 23 || minutes > 59) return false;
    *seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool time_parse_iso(struct str text, int64_t *instant_us, enum time_zone_mark *mark)
{
    struct civil civil = {0};
    int offset = 0;
    enum time_zone_mark zone = TIME_ZONE_NONE;
    if (!scan_date(&text, &civil)) return false;
    if (text.size) {
        if (!scan_char(&text, 'T') && !scan_char(&text, 't') && !scan_char(&text, ' ')) return false;
        if (!scan_clock(&text, &civil)) return false;
        if (text.size) {
            if (!time_parse_offset(text, &offset)) return false;
            zone = TIME_ZONE_OFFSET;
        }
    }
    int64_t instant = time_from_civil(&civil) - offset * SECOND_US;
    if (!time_in_range(instant)) return false;
    *instant_us = instant;
    *mark = zone;
    return true;
}

bool time_parse_date(struct str text, int64_t *days)
{
    struct str rest = text;
    struct civil civil = {0};
    int64_t instant;
    enum time_zone_mark mark;
    if (!scan_date(&rest, &civil)) return false;
    if (rest.size && !time_parse_iso(text, &instant, &mark)) return false;
    *days = time_days(civil.year, civil.month, civil.day);
    return true;
}

size_t time_write_iso(int64_t instant_us, char out[TIME_TEXT_MAX])
{
    out[0] = '\0';
    if (!time_in_range(instant_us)) return 0;
    struct civil civil;
    time_to_civil(instant_us, &civil);
    int size = snprintf(out, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", civil.year, civil.month, civil.day, civil.hour,
                        civil.minute, civil.second);
    if (civil.microsecond % 1000)
        size += snprintf(out + size, TIME_TEXT_MAX - (size_t)size, ".%06d", civil.microsecond);
    else if (civil.microsecond)
        size += snprintf(out + size, TIME_TEXT_MAX - (size_t)size, ".%03d", civil.microsecond / 1000);
    return (size_t)size + (size_t)snprintf(out + size, TIME_TEXT_MAX - (size_t)size, "Z");
}

size_t time_write_date(int64_t days, char out[TIME_TEXT_MAX])
{
    out[0] = '\0';
    if (days < FIRST_INSTANT / DAY_US || days > LAST_INSTANT / DAY_US) return 0;
    struct civil civil;
    date_from_days(days, &civil);
    return (size_t)snprintf(out, TIME_TEXT_MAX, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

size_t time_write_span(int64_t milliseconds, char out[TIME_TEXT_MAX])
{
    static const struct {
        int64_t size_ms;
        const char *name;
    } UNITS[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    const char *sign = milliseconds < 0 ? "-" : "";
    uint64_t left = milliseconds < 0 ? 0 - (uint64_t)milliseconds : (uint64_t)milliseconds;
    size_t at = 0;
    while (at + 1 < ARRAY_SIZE(UNITS) && left < (uint64_t)UNITS[at].size_ms) at++;
    uint64_t unit = (uint64_t)UNITS[at].size_ms;
    int size = snprintf(out, TIME_TEXT_MAX, "%s%llu %s", sign, (unsigned long long)(left / unit), UNITS[at].name);
    if (at + 2 < ARRAY_SIZE(UNITS)) { /* seconds need no milliseconds behind them */
        uint64_t second = left % unit / (uint64_t)UNITS[at + 1].size_ms;
        if (second)
            size +=
                snprintf(out + size, TIME_TEXT_MAX - (size_t)size, " %llu %s", (unsigned long long)second, UNITS[at + 1].name);
    }
    return (size_t)size;
}
