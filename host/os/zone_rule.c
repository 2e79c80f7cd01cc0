/* zone_rule: see zone_rule.h. A year has two changes; what holds at an instant is decided by the last change before it, looked
 * for in the year around it, the one before and the one after, since a time of a rule may lie days outside of its own day. */
#include "os/zone_rule.h"

#include "base/check.h"
#include "base/time.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, NAME_MIN = 3, DEFAULT_TIME_S = 2 * HOUR_S };
enum { OFFSET_HOURS_MAX = 24, TIME_HOURS_MAX = 167 };

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static bool take(struct str *rest, char c)
{
    if (rest->size == 0 || rest->data[0] != c) return false;
    rest->data++;
    rest->size--;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "CET", or anything of letters, digits and signs in "<+0330>". */
static bool take_name(struct str *rest)
{
    bool is_quoted = take(rest, '<');
    size_t size = 0;
    while (size < rest->size) {
        char c = rest->data[size];
        if (!is_letter(c) && !(is_quoted && (is_digit(c) || c == '+' || c == '-'))) break;
        size++;
    }
    rest->data += size;
    rest->size -= size;
    return size >= NAME_MIN && (!is_quoted || take(rest, '>'));
}

static bool take_number(struct str *rest, int min, int max, int *value)
{
    size_t size = 0;
    int number = 0;
    while (size < rest->size && is_digit(rest->data[size]) && number <= max) number = number * 10 + (rest->data[size++] - '0');
    if (size == 0 || number < min || number > max) return false;
    rest->data += size;
    rest->size -= size;
    *value = number;
    return true;
}

/* "[+-]hh[:mm[:ss]]" */
static bool take_time(struct str *rest, int max_hours, int *seconds)
{
    int hours, minutes = 0, rest_s = 0;
    bool is_negative = take(rest, '-');
    if (!is_negative) take(rest, '+');
    if (!take_number(rest, 0, max_hours, &hours)) return false;
    if (take(rest, ':') && !take_number(rest, 0, 59, &minutes)) return false;
    if (rest->size && rest->data[0] == ':' && (!take(rest, ':') || !take_number(rest, 0, 59, &rest_s))) return false;
    *seconds = hours * HOUR_S + minutes * MINUTE_S + rest_s;
    if (is_negative) *seconds = -*seconds;
    return true;
}

static bool take_date(struct str *rest, struct zone_date *date)
{
    date->time_s = DEFAULT_TIME_S;
    if (take(rest, 'M')) {
        date->kind = ZONE_DATE_WEEK;
        if (!take_number(rest, 1, 12, &date->month) || !take(rest, '.') || !take_number(rest, 1, 5, &date->week) ||
            !take(rest, '.') || !take_number(rest, 0, 6, &date->weekday))
            return false;
    } else if (take(rest, 'J')) {
        date->kind = ZONE_DATE_JULIAN;
        if (!take_number(rest, 1, 365, &date->day)) return false;
    } else {
        date->kind = ZONE_DATE_DAY;
        if (!take_number(rest, 0, 365, &date->day)) return false;
    }
    return !take(rest, '/') || take_time(rest, TIME_HOURS_MAX, &date->time_s);
}

bool zone_rule_parse(struct str text, struct zone_rule *out)
{
    struct zone_rule rule = {0};
    int west_s;
    if (!take_name(&text) || !take_time(&text, OFFSET_HOURS_MAX, &west_s)) return false;
    rule.standard_s = -west_s;
    if (text.size > 0) {
        rule.has_daylight = true;
        rule.daylight_s = rule.standard_s + HOUR_S;
        if (!take_name(&text)) return false;
        if (text.size && text.data[0] != ',') {
            if (!take_time(&text, OFFSET_HOURS_MAX, &west_s)) return false;
            rule.daylight_s = -west_s;
        }
        if (!take(&text, ',') || !take_date(&text, &rule.begins) || !take(&text, ',') || !take_date(&text, &rule.ends))
            return false;
    }
    if (text.size > 0) return false;
    *out = rule;
    return true;
}

/* --- the calendar -------------------------------------------------------------------------------------------------------- */

static bool is_leap_year(int year)
{
    return time_days(year + 1, 1, 1) - time_days(year, 1, 1) == 366;
}

/* Days since 1970 of a rule's day. */
static int64_t date_days(const struct zone_date *date, int year)
{
    int64_t first = time_days(year, 1, 1);
    if (date->kind == ZONE_DATE_DAY) return first + date->day;
    if (date->kind == ZONE_DATE_JULIAN) return first + date->day - 1 + (date->day > 59 && is_leap_year(year));
    int64_t month = time_days(year, date->month, 1);
    int64_t next = date->month == 12 ? time_days(year + 1, 1, 1) : time_days(year, date->month + 1, 1);
    int64_t weekday = (month % 7 + 7 + 4) % 7; /* 1970 began on a Thursday */
    int64_t day = month + (date->weekday - weekday + 7) % 7 + (int64_t)(date->week - 1) * 7;
    return day < next ? day : day - 7;
}

static int64_t begin_of(const struct zone_rule *rule, int year)
{
    return date_days(&rule->begins, year) * DAY_S + rule->begins.time_s - rule->standard_s;
}

static int64_t end_of(const struct zone_rule *rule, int year)
{
    return date_days(&rule->ends, year) * DAY_S + rule->ends.time_s - rule->daylight_s;
}

static int year_of(int64_t utc_s)
{
    struct civil civil;
    time_to_civil(utc_s * 1000000, &civil);
    return civil.year;
}

int zone_rule_offset(const struct zone_rule *rule, int64_t utc_s)
{
    if (!rule->has_daylight) return rule->standard_s;
    const int year = year_of(utc_s);
    int64_t last_begin = INT64_MIN, last_end = INT64_MIN;
    for (int y = year - 1; y <= year + 1; y++) {
        int64_t begin = begin_of(rule, y), end = end_of(rule, y);
        if (begin <= utc_s && begin > last_begin) last_begin = begin;
        if (end <= utc_s && end > last_end) last_end = end;
    }
    /* One that ends as the next begins: daylight saving time all of the year. */
    return last_begin >= last_end ? rule->daylight_s : rule->standard_s;
}

bool zone_rule_next(const struct zone_rule *rule, int64_t utc_s, int64_t *change_s)
{
    if (!rule->has_daylight || rule->daylight_s == rule->standard_s) return false;
    const int year = year_of(utc_s);
    int64_t nearest = INT64_MAX;
    for (int y = year - 1; y <= year + 2; y++) {
        const int64_t changes[] = {begin_of(rule, y), end_of(rule, y)};
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
            if (changes[i] <= utc_s || changes[i] >= nearest) continue;
            if (zone_rule_offset(rule, changes[i] - 1) != zone_rule_offset(rule, changes[i])) nearest = changes[i];
        }
    }
    *change_s = nearest;
    return nearest != INT64_MAX;
}
