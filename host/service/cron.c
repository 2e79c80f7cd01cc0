/* cron: see cron.h. A line is five sets of bits. Its instants are made a day at a time: of each day on the wall that fits,
 * every hour and minute is turned into what it means in the time zone, which is a subtraction but for what a change of clocks
 * skips or repeats. That a day's instants ascend, and come after those of the day before, is what such a change breaks: so all
 * of a day are looked at, and the day before and the day after, too. */
#include "service/cron.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/number.h"
#include "base/time.h"
#include "os/zone.h"

enum { MINUTES_OF_DAY = 24 * 60, DAY_INSTANTS_MAX = 2 * MINUTES_OF_DAY };
enum { CORRECTION_S = 3 * 3600 }; /* a change of clocks from this on is none of daylight saving */
enum { SEARCH_DAYS = 41 * 366, TEXT_MAX = 256 };
#define DAY_MS 86400000LL
#define LAST_MS 221845392000000LL /* the year 9000 */

/* --- reading ------------------------------------------------------------------------------------------------------------- */

struct field {
    const char *name;
    int min, max;
    const char *const *names; /* of the values from min on; NULL: none */
    size_t name_count;
};

static const char *const MONTHS[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const WEEKDAYS[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };
static const struct field FIELDS[FIELD_COUNT] = {
    [MINUTE] = {"minute", 0, 59, NULL, 0},
    [HOUR] = {"hour", 0, 23, NULL, 0},
    [DAY] = {"day of month", 1, 31, NULL, 0},
    [MONTH] = {"month", 1, 12, MONTHS, ARRAY_SIZE(MONTHS)},
    [WEEKDAY] = {"day of week", 0, 7, WEEKDAYS, ARRAY_SIZE(WEEKDAYS)},
};

static const struct {
    const char *name, *line;
} NICKNAMES[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

static int refuse_value(const struct field *field, struct str text, struct err *err)
{
    err_set(err, ERR_CONFIG, "%s '" STR_FMT "' is not %d to %d", field->name, STR_ARG(text), field->min, field->max);
    if (text.size && strchr("?LW#", text.data[text.size - 1]))
        return err_hint(err, "?, L, W and # are not of cron, but of other schedulers");
    if (field->names)
        return err_hint(err, "names have three letters: %s to %s", field->names[0], field->names[field->name_count - 1]);
    return err->class;
}

/* A number or a name. */
static int read_value(const struct field *field, struct str text, int *value, struct err *err)
{
    for (size_t i = 0; i < field->name_count; i++) {
        if (!str_equal_nocase(text, str_from(field->names[i]))) continue;
        *value = field->min + (int)i;
        return 0;
    }
    int64_t number;
    bool is_number = text.size > 0 && text.size <= 2 && text.data[0] != '-' && number_to_int64(text, &number);
    if (!is_number || number < field->min || number > field->max) return refuse_value(field, text, err);
    *value = (int)number;
    return 0;
}

/* The n of "/n". A larger one than the field has values would fit its first alone: whoever writes it means something else. */
static int read_step(const struct field *field, struct str text, int *step, struct err *err)
{
    int64_t number;
    if (!number_to_int64(text, &number) || number < 1)
        return err_set(err, ERR_CONFIG, "the step '" STR_FMT "' of %s is not a number from 1", STR_ARG(text), field->name);
    if (number > field->max - field->min) {
        err_set(err, ERR_CONFIG, "the step " STR_FMT " of %s passes its values, %d to %d", STR_ARG(text), field->name,
                field->min, field->max);
        return err_hint(err, "steps begin anew with every field: for other intervals use `every`, such as `every: 90m`");
    }
    *step = (int)number;
    return 0;
}

/* "*", "5", "1-5", each but the number with "/2". */
static int read_part(const struct field *field, struct str part, uint64_t *bits, struct err *err)
{
    struct str range, first, step_text = {0};
    int low = field->min, high = field->max, step = 1, rc;
    struct str rest = part;
    bool has_step = memchr(part.data, '/', part.size) != NULL;
    str_next(&rest, '/', &range);
    step_text = rest;
    if (has_step && (rc = read_step(field, step_text, &step, err)) != 0) return rc;
    bool is_any = str_equal(range, STR("*")), is_range = range.size && memchr(range.data, '-', range.size) != NULL;
    if (is_any && field == &FIELDS[WEEKDAY]) high = 6;
    if (!is_any) {
        rest = range;
        str_next(&rest, '-', &first);
        if (!is_range) first = range;
        if ((rc = read_value(field, first, &low, err)) != 0) return rc;
        high = low;
        if (is_range && (rc = read_value(field, rest, &high, err)) != 0) return rc;
        if (high == 0 && low > 0 && field == &FIELDS[WEEKDAY]) high = 7; /* FRI-SUN */
    }
    if (has_step && !is_any && !is_range) {
        err_set(err, ERR_CONFIG, "%s '" STR_FMT "' has a step but no range", field->name, STR_ARG(part));
        return err_hint(err, "write " STR_FMT "-%d/%d", STR_ARG(range), field->max, step);
    }
    if (high < low) {
        err_set(err, ERR_CONFIG, "the range '" STR_FMT "' of %s ends before it begins", STR_ARG(range), field->name);
        return err_hint(err, "write two ranges with a comma between them");
    }
    for (int value = low; value <= high; value += step) *bits |= UINT64_C(1) << value;
    return 0;
}

static int read_field(const struct field *field, struct str text, uint64_t *bits, struct err *err)
{
    struct str rest = text, part;
    *bits = 0;
    if (text.size == 0) return refuse_value(field, text, err);
    if (str_starts(text, STR(",")) || str_ends(text, STR(",")))
        return err_set(err, ERR_CONFIG, "%s '" STR_FMT "' has a comma too many", field->name, STR_ARG(text));
    while (str_next(&rest, ',', &part)) {
        int rc = part.size ? read_part(field, part, bits, err) : refuse_value(field, part, err);
        if (rc) return rc;
    }
    if (field == &FIELDS[WEEKDAY]) *bits = (*bits | *bits >> 7) & 0x7f;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Fields between blanks; returns how many there are, `max` at most kept. */
static size_t split_fields(struct str text, struct str *fields, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size;) {
        size_t begin = i;
        while (i < text.size && !is_blank(text.data[i])) i++;
        if (i > begin && count++ < max) fields[count - 1] = (struct str){text.data + begin, i - begin};
        while (i < text.size && is_blank(text.data[i])) i++;
    }
    return count;
}

static int no_line(struct str text, size_t count, struct err *err)
{
    err_set(err, ERR_CONFIG, "'" STR_FMT "' is not cron: expected 5 fields, got %zu", STR_ARG(text), count);
    if (count == 6 || count == 7)
        return err_hint(err, "cron knows no seconds and no years: minute, hour, day of month, month, day of week");
    return err_hint(err, "minute, hour, day of month, month and day of week, such as \"30 2 * * MON-FRI\"");
}

static int no_nickname(struct str text, struct err *err)
{
    err_set(err, ERR_CONFIG, "'" STR_FMT "' is not one of cron's names for times", STR_ARG(text));
    if (str_starts(text, STR("@every"))) return err_hint(err, "write `every: 15m`");
    return err_hint(err, "@hourly, @daily, @weekly, @monthly or @yearly");
}

/* Is there a day of the month in one of the months? 29 February counts: it meets every weekday. */
static bool has_date(uint64_t days, uint64_t months)
{
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= 31; day++)
            if ((months >> month & 1) && (days >> day & 1) && time_date_is_valid(2000, month, day)) return true;
    return false;
}

int cron_parse(struct str text, struct cron *out, struct err *err)
{
    struct str fields[FIELD_COUNT];
    uint64_t bits[FIELD_COUNT];
    text = str_trim(text);
    if (text.size > TEXT_MAX) return err_set(err, ERR_CONFIG, "a line of cron has at most %d characters", TEXT_MAX);
    if (str_starts(text, STR("@"))) {
        size_t i = 0;
        while (i < ARRAY_SIZE(NICKNAMES) && !str_equal_nocase(text, str_from(NICKNAMES[i].name))) i++;
        if (i == ARRAY_SIZE(NICKNAMES)) return no_nickname(text, err);
        text = str_from(NICKNAMES[i].line);
    }
    size_t count = split_fields(text, fields, FIELD_COUNT);
    if (count != FIELD_COUNT) return no_line(text, count, err);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        int rc = read_field(&FIELDS[i], fields[i], &bits[i], err);
        if (rc) return rc;
    }
    bool any_day = fields[DAY].data[0] == '*', any_weekday = fields[WEEKDAY].data[0] == '*';
    bool is_any_of_days = !any_day && !any_weekday;
    if (!is_any_of_days && !has_date(bits[DAY], bits[MONTH])) {
        err_set(err, ERR_CONFIG, "'" STR_FMT "' never happens: none of its months has such a day", STR_ARG(text));
        return err_hint(err, "for a month's last day, run on the first of the next one, early");
    }
    *out = (struct cron){.minutes = bits[MINUTE],
                         .hours = (uint32_t)bits[HOUR],
                         .days = (uint32_t)bits[DAY],
                         .months = (uint32_t)bits[MONTH],
                         .weekdays = (uint32_t)bits[WEEKDAY],
                         .is_any_of_days = is_any_of_days,
                         .follows_clock = fields[MINUTE].data[0] == '*' || fields[HOUR].data[0] == '*'};
    return 0;
}

int cron_parse_weekdays(struct str text, uint32_t *weekdays, struct err *err)
{
    uint64_t bits;
    int rc = read_field(&FIELDS[WEEKDAY], str_trim(text), &bits, err);
    if (rc == 0) *weekdays = (uint32_t)bits;
    return rc;
}

bool cron_is_like(struct str text)
{
    struct str fields[1];
    text = str_trim(text);
    return str_starts(text, STR("@")) || split_fields(text, fields, 1) > 2;
}

/* --- the instants -------------------------------------------------------------------------------------------------------- */

static bool fits_day(const struct cron *cron, int64_t days, struct civil *date)
{
    time_to_civil(days * DAY_MS * 1000, date);
    int64_t weekday = ((days + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */
    bool is_day = cron->days >> date->day & 1, is_weekday = cron->weekdays >> weekday & 1;
    if (!(cron->months >> date->month & 1)) return false;
    return cron->is_any_of_days ? is_day || is_weekday : is_day && is_weekday;
}

/* What one minute on the wall means; returns how many instants. */
static size_t minute_instants(const struct cron *cron, const struct zone *zone, const struct civil *local, int64_t out[2])
{
    struct zone_instants found = zone_local_to_utc(zone, local);
    bool is_fixed = !cron->follows_clock && abs(found.shift_s) < CORRECTION_S;
    if (found.count == 0 && !is_fixed) return 0;
    out[0] = found.utc_ms[0];
    if (found.count < 2 || is_fixed) return 1;
    out[1] = found.utc_ms[1];
    return 2;
}

/* How a day's wall clock becomes instants: by one offset before `low_ms` (on the wall), by another one from `high_ms` on, and
 * between them minute by minute. */
struct day_offsets {
    int64_t low_ms, high_ms;
    int before_s, after_s;
};

static struct day_offsets offsets_of_day(const struct zone *zone, int64_t days)
{
    const int64_t begin_ms = days * DAY_MS - ZONE_OFFSET_MAX_S * 1000LL;
    const int64_t end_ms = days * DAY_MS + DAY_MS + ZONE_OFFSET_MAX_S * 1000LL;
    struct day_offsets found = {.low_ms = INT64_MAX, .high_ms = INT64_MAX};
    int64_t change_ms, second_ms;
    found.before_s = found.after_s = zone_offset_at(zone, begin_ms);
    if (!zone_next_change(zone, begin_ms, &change_ms) || change_ms > end_ms) return found;
    found.after_s = zone_offset_at(zone, change_ms);
    const int64_t before_ms = change_ms + found.before_s * 1000LL, after_ms = change_ms + found.after_s * 1000LL;
    found.low_ms = before_ms < after_ms ? before_ms : after_ms;
    found.high_ms = before_ms < after_ms ? after_ms : before_ms;
    if (zone_next_change(zone, change_ms, &second_ms) && second_ms <= end_ms)
        found.low_ms = INT64_MIN, found.high_ms = INT64_MAX;
    return found;
}

/* The instants of one day on the wall, in no order; several may be the same, the end of a gap. */
static size_t day_instants(const struct cron *cron, const struct zone *zone, int64_t days, int64_t out[DAY_INSTANTS_MAX])
{
    struct civil local;
    size_t count = 0;
    if (!fits_day(cron, days, &local)) return 0;
    const struct day_offsets offsets = offsets_of_day(zone, days);
    for (int minute = 0; minute < MINUTES_OF_DAY; minute++) {
        const int64_t wall_ms = days * DAY_MS + minute * 60000LL;
        local.hour = minute / 60;
        local.minute = minute % 60;
        if (!(cron->hours >> local.hour & 1) || !(cron->minutes >> local.minute & 1)) continue;
        if (wall_ms < offsets.low_ms)
            out[count++] = wall_ms - offsets.before_s * 1000LL;
        else if (wall_ms >= offsets.high_ms)
            out[count++] = wall_ms - offsets.after_s * 1000LL;
        else
            count += minute_instants(cron, zone, &local, out + count);
    }
    return count;
}

static int64_t day_of(const struct zone *zone, int64_t utc_ms)
{
    struct civil local;
    zone_utc_to_local(zone, utc_ms, &local);
    return time_days(local.year, local.month, local.day);
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_ms, int64_t *next_ms)
{
    int64_t instants[DAY_INSTANTS_MAX], nearest = INT64_MAX;
    if (after_ms > LAST_MS) return false;
    const int64_t today = day_of(zone, after_ms);
    for (int64_t day = today - 1, last = today + SEARCH_DAYS; day <= last; day++) {
        size_t count = day_instants(cron, zone, day, instants);
        for (size_t i = 0; i < count; i++) {
            if (instants[i] <= after_ms || instants[i] >= nearest) continue;
            nearest = instants[i];
            last = day + 1; /* where clocks were set back past midnight, the day after may have an earlier one */
        }
    }
    *next_ms = nearest;
    return nearest != INT64_MAX;
}

bool cron_last(const struct cron *cron, const struct zone *zone, int64_t until_ms, int days, int64_t *last_ms)
{
    int64_t instants[DAY_INSTANTS_MAX], nearest = INT64_MIN;
    const int64_t today = day_of(zone, until_ms);
    for (int64_t day = today + 1, first = today - days; day >= first; day--) {
        size_t count = day_instants(cron, zone, day, instants);
        for (size_t i = 0; i < count; i++) {
            if (instants[i] > until_ms || instants[i] <= nearest) continue;
            nearest = instants[i];
            first = day - 1;
        }
    }
    *last_ms = nearest;
    return nearest != INT64_MIN;
}
