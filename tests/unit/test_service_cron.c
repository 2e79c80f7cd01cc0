/* cron: lines that are taken and refused, instants by hand where clocks are set, and random lines against a cron that walks
 * from minute to minute as Vixie's does. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/time.h"
#include "os/zone.h"
#include "service/cron.h"

static struct arena arena;

static const struct zone *load(const char *name)
{
    const struct zone *zone = NULL;
    struct err err = ERR_INIT;
    if (zone_load(name, &arena, &zone, &err) != 0) fail_msg("%s: %s", name, err.message);
    return zone;
}

static struct cron line(const char *text)
{
    struct cron cron;
    struct err err = ERR_INIT;
    if (cron_parse(str_from(text), &cron, &err) != 0) fail_msg("%s: %s", text, err.message);
    return cron;
}

static int64_t utc_ms(const char *text)
{
    int64_t instant_us;
    enum time_zone_mark mark;
    assert_true(time_parse_iso(str_from(text), &instant_us, &mark));
    return instant_us / 1000;
}

static const char *text_of(int64_t instant_ms)
{
    char *text = arena_alloc(&arena, TIME_TEXT_MAX);
    time_write_iso(instant_ms * 1000, text);
    return text;
}

/* --- lines --------------------------------------------------------------------------------------------------------------- */

static void test_what_the_fields_mean(void **state)
{
    (void)state;
    struct cron cron = line("*/15 2-6 1,15 jan-Mar MON-FRI");
    assert_true(cron.minutes == (1ULL << 0 | 1ULL << 15 | 1ULL << 30 | 1ULL << 45) && cron.hours == 0x7c);
    assert_true(cron.days == (1u << 1 | 1u << 15) && cron.months == 0xe && cron.weekdays == 0x3e);
    assert_true(cron.is_any_of_days && cron.follows_clock);
    cron = line("  5-20/5,59\t0   *  *  7 ");
    assert_true(cron.minutes == (1ULL << 5 | 1ULL << 10 | 1ULL << 15 | 1ULL << 20 | 1ULL << 59) && cron.hours == 1);
    assert_true(cron.weekdays == 1 && !cron.is_any_of_days && !cron.follows_clock);
    assert_int_equal(line("0 0 * * 0-7").weekdays, 0x7f);
    assert_int_equal(line("0 0 * * 5-7").weekdays, 0x61);
    assert_int_equal(line("0 0 * * FRI-SUN").weekdays, 0x61);
    assert_int_equal(line("0 0 * * SUN-TUE").weekdays, 0x07);
    assert_int_equal(line("0 0 * * SUN-SUN").weekdays, 0x01);
    assert_int_equal(line("0 0 * * */2").weekdays, 0x55);
    assert_true(line("0 0 */2 * 1").is_any_of_days == false); /* `*` with a step is no restriction of the kind */
    assert_true(line("0-59 * * * *").follows_clock && line("*/5 2 * * *").follows_clock &&
                !line("0-59 0-23 * * *").follows_clock);
    assert_int_equal(line("00 08 01 01 01").hours, 1 << 8);
}

static void test_names_for_lines(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                                           {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
                                           {"@Annually", "0 0 1 1 *"}};
    for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
        struct cron a = line(PAIRS[i][0]), b = line(PAIRS[i][1]);
        assert_true(a.minutes == b.minutes && a.hours == b.hours && a.days == b.days && a.months == b.months);
        assert_true(a.weekdays == b.weekdays && a.is_any_of_days == b.is_any_of_days && a.follows_clock == b.follows_clock);
    }
}

static void test_what_is_refused_and_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message, *hint;
    } CASES[] = {
        {"", "expected 5 fields, got 0", "minute, hour"},
        {"* * * *", "expected 5 fields, got 4", "minute, hour"},
        {"0 * * * * *", "expected 5 fields, got 6", "no seconds"},
        {"60 * * * *", "minute '60' is not 0 to 59", ""},
        {"* 24 * * *", "hour '24' is not 0 to 23", ""},
        {"* * 0 * *", "day of month '0' is not 1 to 31", ""},
        {"* * * 13 *", "month '13' is not 1 to 12", "JAN to DEC"},
        {"* * * * 8", "day of week '8' is not 0 to 7", "SUN to SAT"},
        {"* * * * MONDAY", "day of week 'MONDAY'", "three letters"},
        {"* * L * *", "day of month 'L'", "other schedulers"},
        {"* * ? * *", "day of month '?'", "other schedulers"},
        {"* * * * 5#2", "day of week '5#2'", ""},
        {"-1 * * * *", "minute ''", ""},
        {"1-2-3 * * * *", "minute '2-3'", ""},
        {"5/15 * * * *", "minute '5/15' has a step but no range", "write 5-59/15"},
        {"*/0 * * * *", "the step '0'", ""},
        {"*/ * * * *", "the step ''", ""},
        {"*/x * * * *", "the step 'x'", ""},
        {"*/2/3 * * * *", "the step '2/3'", ""},
        {"*/90 * * * *", "the step 90 of minute passes its values", "every: 90m"},
        {"30-10 * * * *", "ends before it begins", "two ranges"},
        {"* 22-2 * * *", "ends before it begins", "two ranges"},
        {"1,,2 * * * *", "minute ''", ""},
        {"1, * * * *", "a comma too many", ""},
        {"+5 * * * *", "minute '+5'", ""},
        {"@reboot", "not one of cron's names", "@hourly"},
        {"@every 15m", "not one of cron's names", "every: 15m"},
        {"0 0 30 2 *", "never happens", "first of the next"},
        {"0 0 31 4,6,9,11 *", "never happens", "first of the next"},
        {"0 0 31 4 */2", "never happens", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cron cron;
        struct err err = ERR_INIT;
        if (cron_parse(str_from(CASES[i].text), &cron, &err) != ERR_CONFIG) fail_msg("'%s' was taken", CASES[i].text);
        if (!strstr(err.message, CASES[i].message) || !strstr(err.hint, CASES[i].hint))
            fail_msg("'%s': %s (%s)", CASES[i].text, err.message, err.hint);
    }
    line("0 0 30 2 MON"); /* a Monday in February is enough */
    line("0 0 29 2 *");
}

static void test_no_weekdays_are_refused(void **state)
{
    static const char *const TEXTS[] = {"", " ", ",", "8", "MON-"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
        uint32_t weekdays;
        struct err err = ERR_INIT;
        if (cron_parse_weekdays(str_from(TEXTS[i]), &weekdays, &err) != ERR_CONFIG) fail_msg("'%s' was taken", TEXTS[i]);
    }
}

static void test_what_looks_like_a_line(void **state)
{
    (void)state;
    assert_true(cron_is_like(STR("* * * * *")) && cron_is_like(STR("@daily")) && cron_is_like(STR("0 0 *")));
    assert_false(cron_is_like(STR("15m")) || cron_is_like(STR("")) || cron_is_like(STR("15 m")) || cron_is_like(STR("manual")));
}

/* --- instants by hand ---------------------------------------------------------------------------------------------------- */

static void test_instants(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *line, *after, *next[4];
    } CASES[] = {
        {"UTC", "*/15 * * * *", "2026-01-01T00:00:00Z", {"2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"}},
        {"UTC", "*/15 * * * *", "2026-01-01T00:14:59.999Z", {"2026-01-01T00:15:00Z"}},
        {"UTC", "30 2 * * MON-FRI", "2026-01-02T03:00:00Z", {"2026-01-05T02:30:00Z", "2026-01-06T02:30:00Z"}},
        {"UTC",
         "0 0 13 * FRI",
         "2026-02-01T00:00:00Z",
         {"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"}},
        {"UTC", "0 0 */2 * FRI", "2026-02-01T00:00:00Z", {"2026-02-13T00:00:00Z", "2026-02-27T00:00:00Z"}},
        {"UTC", "0 0 31 * *", "2026-02-01T00:00:00Z", {"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
        {"UTC", "0 0 29 2 *", "2096-03-01T00:00:00Z", {"2104-02-29T00:00:00Z"}},
        {"UTC", "0 0 29 2 */7", "2088-02-28T00:00:00Z", {"2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"}},
        /* Oslo, the gap of 29 March 2026 and the overlap of 25 October */
        {"Europe/Oslo", "30 2 * * *", "2026-03-28T12:00:00Z", {"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
        {"Europe/Oslo", "0,30 2 * * *", "2026-03-28T12:00:00Z", {"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
        {"Europe/Oslo", "30 * * * *", "2026-03-29T00:00:00Z", {"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
        {"Europe/Oslo", "*/15 2 * * *", "2026-03-28T12:00:00Z", {"2026-03-30T00:00:00Z", "2026-03-30T00:15:00Z"}},
        {"Europe/Oslo", "30 2 * * *", "2026-10-24T12:00:00Z", {"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
        {"Europe/Oslo",
         "30 * * * *",
         "2026-10-25T00:00:00Z",
         {"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
        {"Europe/Oslo", "0 3 * * *", "2026-10-24T12:00:00Z", {"2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"}},
        {"Europe/Oslo", "30 2 * * *", "2060-03-27T12:00:00Z", {"2060-03-28T01:00:00Z", "2060-03-29T00:30:00Z"}},
        {"America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", {"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}},
        {"America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", {"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
        {"America/New_York", "30 1 * * *", "2049-11-06T12:00:00Z", {"2049-11-07T05:30:00Z", "2049-11-08T06:30:00Z"}},
        /* Lord Howe: half an hour, 02:00 to 02:30 and back */
        {"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z", {"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
        {"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z", {"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
        {"Australia/Lord_Howe",
         "45 * * * *",
         "2026-04-04T14:00:00Z",
         {"2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"}},
        {"Asia/Kathmandu", "0 0 * * *", "2026-01-01T00:00:00Z", {"2026-01-01T18:15:00Z", "2026-01-02T18:15:00Z"}},
        /* Casablanca sets its clocks back for Ramadan: 15 February to 22 March 2026 */
        {"Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00:00Z", {"2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"}},
        {"Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00:00Z", {"2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"}},
        /* Apia had no 30 December 2011: a correction, not a gap that is made up for */
        {"Pacific/Apia", "0 12 * * *", "2011-12-29T00:00:00Z", {"2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"}},
        {"Pacific/Apia", "0 0 30 12 *", "2011-12-01T00:00:00Z", {"2012-12-29T10:00:00Z"}},
        /* Nuuk: the gap is from 23:00 to midnight; the run is on the next day */
        {"America/Godthab", "30 23 * * *", "2024-03-30T12:00:00Z", {"2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"}},
        {"America/Godthab", "30 23 30 3 *", "2024-03-01T00:00:00Z", {"2024-03-31T01:00:00Z", "2025-03-31T00:30:00Z"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cron cron = line(CASES[i].line);
        const struct zone *zone = load(CASES[i].zone);
        int64_t at_ms = utc_ms(CASES[i].after), last_ms;
        for (size_t n = 0; n < 4 && CASES[i].next[n]; n++) {
            if (!cron_next(&cron, zone, at_ms, &at_ms)) fail_msg("%s %s: nothing", CASES[i].zone, CASES[i].line);
            if (at_ms != utc_ms(CASES[i].next[n]))
                fail_msg("%s %s: %s, not %s", CASES[i].zone, CASES[i].line, text_of(at_ms), CASES[i].next[n]);
            assert_true(cron_last(&cron, zone, at_ms, 40, &last_ms) && last_ms == at_ms);
            assert_true(cron_last(&cron, zone, at_ms + 1, 40, &last_ms) && last_ms == at_ms);
            if (n == 0) continue;
            bool has_last = cron_last(&cron, zone, at_ms - 1, 366, &last_ms);
            if (has_last && last_ms != utc_ms(CASES[i].next[n - 1]))
                fail_msg("%s %s: before %s is %s", CASES[i].zone, CASES[i].line, text_of(at_ms), text_of(last_ms));
        }
    }
}

static void test_there_is_an_end(void **state)
{
    (void)state;
    int64_t at_ms;
    struct cron rare = line("0 0 29 2 *"), often = line("* * * * *");
    assert_false(cron_last(&rare, zone_utc(), utc_ms("2026-01-01T00:00:00Z"), 40, &at_ms));
    assert_false(cron_next(&often, zone_utc(), INT64_MAX, &at_ms));
    assert_true(cron_next(&often, zone_utc(), utc_ms("1969-12-31T23:59:59.5Z"), &at_ms) && at_ms == 0);
}

/* --- against a cron that walks ------------------------------------------------------------------------------------------- */

static uint64_t seed = 2463534242u;

static uint64_t below(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % limit;
}

static bool fits(const struct cron *cron, int64_t local_minute)
{
    struct civil local;
    time_to_civil(local_minute * 60000000, &local);
    int64_t days = time_days(local.year, local.month, local.day);
    bool day = cron->days >> local.day & 1, weekday = cron->weekdays >> ((days + 4) % 7) & 1;
    return (cron->minutes >> local.minute & 1) && (cron->hours >> local.hour & 1) && (cron->months >> local.month & 1) &&
           (cron->is_any_of_days ? day || weekday : day && weekday);
}

/* Runs of the minutes from `utc_minute` on, as Vixie's main loop has them: a clock of its own that follows the wall's. */
struct walker {
    const struct cron *cron;
    const struct zone *zone;
    int64_t virtual_minute;
};

static bool walk(struct walker *walker, int64_t utc_minute)
{
    int64_t wall = utc_minute + zone_offset_at(walker->zone, utc_minute * 60000) / 60, ahead = wall - walker->virtual_minute;
    bool runs = false;
    if (walker->cron->follows_clock || ahead <= -180 || ahead >= 180) {
        walker->virtual_minute = wall;
        return fits(walker->cron, wall);
    }
    for (; walker->virtual_minute < wall; walker->virtual_minute++)
        runs = runs || fits(walker->cron, walker->virtual_minute + 1);
    return runs;
}

static const char *random_line(void)
{
    static const char *const MINUTES[] = {"*", "*/15", "0", "30", "0,30", "5-55/10", "59", "0-59/7", "1"};
    static const char *const HOURS[] = {"*", "*/2", "0", "1", "2", "3", "1-3", "2,23", "0-23/3", "23"};
    static const char *const DAYS[] = {"*", "*", "*", "1", "*/3", "25-31", "8,29"};
    static const char *const WEEKDAYS[] = {"*", "*", "SUN", "6,0", "MON-FRI"};
    return arena_printf(&arena, "%s %s %s * %s", MINUTES[below(ARRAY_SIZE(MINUTES))], HOURS[below(ARRAY_SIZE(HOURS))],
                        DAYS[below(ARRAY_SIZE(DAYS))], WEEKDAYS[below(ARRAY_SIZE(WEEKDAYS))]);
}

static void compare_with_walker(const char *zone_name_text, int64_t from_minute)
{
    enum { SPAN_MINUTES = 4 * 1440 };
    const char *text = random_line();
    struct cron cron = line(text);
    const struct zone *zone = load(zone_name_text);
    struct walker walker = {&cron, zone, from_minute + zone_offset_at(zone, from_minute * 60000) / 60};
    int64_t next_ms, last_ms = 0;
    bool has_next = cron_next(&cron, zone, from_minute * 60000, &next_ms);
    for (int64_t minute = from_minute + 1; minute <= from_minute + SPAN_MINUTES; minute++) {
        bool is_next = has_next && next_ms == minute * 60000;
        if (walk(&walker, minute) != is_next)
            fail_msg("%s '%s' from %s: at %s it %s", zone_name_text, text, text_of(from_minute * 60000),
                     text_of(minute * 60000), is_next ? "runs" : "does not run");
        if (!is_next) continue;
        assert_true(cron_last(&cron, zone, minute * 60000 + 59999, 2, &last_ms) && last_ms == minute * 60000);
        has_next = cron_next(&cron, zone, next_ms, &next_ms);
    }
}

static void test_random_lines_run_when_a_walking_cron_runs_them(void **state)
{
    (void)state;
    static const char *const ZONES[] = {"Europe/Oslo",       "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
                                        "America/Sao_Paulo", "Asia/Kathmandu",   "Pacific/Apia",        "America/Godthab",
                                        "Europe/Dublin",     "Asia/Beirut",      "Africa/Cairo",        "America/St_Johns"};
    for (int i = 0; i < 400; i++) {
        const char *name = ZONES[below(ARRAY_SIZE(ZONES))];
        int64_t from_ms = utc_ms("2000-01-01T00:00:00Z") + (int64_t)below(60 * 366) * 86400000, change_ms;
        if (zone_next_change(load(name), from_ms, &change_ms)) from_ms = change_ms - 2 * 86400000;
        compare_with_walker(name, from_ms / 60000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_fields_mean),    cmocka_unit_test(test_names_for_lines),
        cmocka_unit_test(test_what_is_refused_and_why), cmocka_unit_test(test_no_weekdays_are_refused),
        cmocka_unit_test(test_what_looks_like_a_line),  cmocka_unit_test(test_instants),
        cmocka_unit_test(test_there_is_an_end),         cmocka_unit_test(test_random_lines_run_when_a_walking_cron_runs_them),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
