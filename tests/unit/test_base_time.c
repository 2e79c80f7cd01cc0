/* time: the calendar against counting day by day, and every spelling, good and bad. */
#include "unit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/time.h"

#define SECOND 1000000LL
#define DAY (86400 * SECOND)

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int days_in_month(int year, int month)
{
    if (month == 2) return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static void test_every_day_of_nine_thousand_years_is_counted_right(void **state)
{
    (void)state;
    int year = 1, month = 1, day = 1;
    for (int64_t days = -719162; year <= 9999; days++) {
        if (time_days(year, month, day) != days) fail_msg("%04d-%02d-%02d is not day %" PRId64, year, month, day, days);
        assert_true(time_date_is_valid(year, month, day));
        struct civil civil;
        time_to_civil(days * DAY + DAY - 1, &civil);
        if (civil.year != year || civil.month != month || civil.day != day) fail_msg("day %" PRId64 " is wrong", days);
        assert_true(civil.hour == 23 && civil.minute == 59 && civil.second == 59 && civil.microsecond == 999999);
        char text[TIME_TEXT_MAX];
        size_t size = time_write_date(days, text);
        int64_t back;
        if (!time_parse_date((struct str){text, size}, &back) || back != days) fail_msg("%s is not read back", text);
        if (day++ < days_in_month(year, month)) continue;
        assert_false(time_date_is_valid(year, month, day));
        day = 1;
        if (month++ < 12) continue;
        month = 1;
        year++;
    }
    assert_int_equal(time_days(1970, 1, 1), 0);
    assert_int_equal(time_days(9999, 12, 31), 2932896);
}

static const char *const EXACT_FORMATS[] = {
    "iso8601", "epoch_us",     "%Y-%m-%dT%H:%M:%S.%f%z",   "%d/%b/%Y %I:%M:%S.%f %p",
    "%s.%f",   "%Y%j%H%M%S%f", "%a, %e %b %Y %H:%M:%S.%f", "%%%Y%m%d%H%M%S%f",
};

static const char *const COARSE_FORMATS[] = {
    "epoch", "epoch_ms", "date",     "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%d%H",
    "%Y-%j", "%s",       "%e %b %Y",
};

static void test_random_instants_survive_every_format(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    const int64_t first = -719162 * DAY, span = (2932897LL + 719162) * 86400;
    for (int i = 0; i < 20000; i++) {
        int64_t instant =
            first + (int64_t)(next_random(&seed) % (uint64_t)span) * SECOND + (int64_t)(next_random(&seed) % SECOND);
        char text[64];
        int64_t back;
        for (size_t k = 0; k < ARRAY_SIZE(EXACT_FORMATS); k++) {
            size_t size = time_write_format(instant, EXACT_FORMATS[k], text, sizeof text);
            if (!time_parse_format((struct str){text, size}, EXACT_FORMATS[k], &back) || back != instant)
                fail_msg("%" PRId64 " as %s is '%s'", instant, EXACT_FORMATS[k], text);
        }
        for (size_t k = 0; k < ARRAY_SIZE(COARSE_FORMATS); k++) {
            int64_t step = time_format_step_us(COARSE_FORMATS[k]);
            int64_t down = instant - ((instant % step) + step) % step;
            size_t size = time_write_format(instant, COARSE_FORMATS[k], text, sizeof text);
            if (!time_parse_format((struct str){text, size}, COARSE_FORMATS[k], &back) || back != down)
                fail_msg("%" PRId64 " as %s is '%s'", instant, COARSE_FORMATS[k], text);
        }
        struct civil civil;
        time_to_civil(instant, &civil);
        assert_true(time_from_civil(&civil) == instant);
    }
}

/* The spellings of cursors that APIs and connectors for them use: Salesforce, HubSpot, Zendesk, Jira, GA4, Stripe, NetSuite,
 * Notion, Slack, Klaviyo, Facebook, Google Ads, ServiceNow, Zoho and others. */
static const char *const SPELLINGS_IN_USE[] = {
    "iso8601",
    "date",
    "epoch",
    "epoch_ms",
    "epoch_us",
    "%s",
    "%s.%f",

    "%Y-%m-%d",
    "%Y%m%d",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%Y-%m",
    "%Y%m",
    "%Y",
    "%Y-%j",
    "%Y%m%d%H",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%SZ",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%MZ",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M:%S.%3fZ",
    "%Y-%m-%dT%H:%M:%S.%3f%z",
    "%Y-%m-%dT%H:%M:%S.%3f+0000",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S.%f+00:00",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %H:%M",
    "%b %e, %Y %I:%M %p",
};

static void test_spellings_in_use_are_read_as_they_were_written(void **state)
{
    (void)state;
    uint64_t seed = 0x853c49e6748fea9b;
    const int64_t first = 0, span = 4102444800; /* 1970 to 2100 */
    assert_true(ARRAY_SIZE(SPELLINGS_IN_USE) >= 43);
    for (size_t k = 0; k < ARRAY_SIZE(SPELLINGS_IN_USE); k++) {
        const char *format = SPELLINGS_IN_USE[k];
        assert_true(time_format_is_valid(format));
        int64_t step = time_format_step_us(format);
        for (int i = 0; i < 300; i++) {
            int64_t instant =
                first + (int64_t)(next_random(&seed) % (uint64_t)span) * SECOND + (int64_t)(next_random(&seed) % SECOND);
            char text[64], again[64];
            int64_t back, same;
            size_t size = time_write_format(instant, format, text, sizeof text);
            if (!time_parse_format((struct str){text, size}, format, &back)) fail_msg("'%s' as %s", text, format);
            assert_true(back <= instant && instant - back < (step >= 365 * DAY  ? 366 * DAY
                                                             : step >= 28 * DAY ? 31 * DAY
                                                                                : step));
            assert_true(time_write_format(back, format, again, sizeof again) == size && memcmp(text, again, size) == 0);
            assert_true(time_parse_format((struct str){again, size}, format, &same) && same == back);
        }
    }
}

static void test_iso_spellings_that_are_in_use(void **state)
{
    (void)state;
    const int64_t ten = 1705312800 * SECOND; /* 2024-01-15T10:00:00Z */
    static const struct {
        const char *text;
        int64_t from_ten_us;
        enum time_zone_mark mark;
    } CASES[] = {
        {"2024-01-15T10:00:00Z", 0, TIME_ZONE_OFFSET},
        {"2024-01-15t10:00:00z", 0, TIME_ZONE_OFFSET},
        {"2024-01-15 10:00:00", 0, TIME_ZONE_NONE},
        {"2024-01-15T10:00Z", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00", 0, TIME_ZONE_NONE},
        {"2024-01-15", -36000 * SECOND, TIME_ZONE_NONE},
        {"2024-01-15T12:00:00+02:00", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T12:00:00+0200", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T12:00:00+02", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T04:30:00-05:30", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00:00-00:00", 0, TIME_ZONE_OFFSET},
        {"2024-01-16T09:59:00+23:59", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00+00:00", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00:00.5Z", 500000, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00:00,25", 250000, TIME_ZONE_NONE},
        {"2024-01-15T10:00:00.123456Z", 123456, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00:00.1234564999999999999999Z", 123456, TIME_ZONE_OFFSET},
        {"2024-01-15T10:00:00.1234565Z", 123457, TIME_ZONE_OFFSET},
        {"2024-01-15T09:59:59.9999995Z", 0, TIME_ZONE_OFFSET},
        {"2024-01-14T24:00:00Z", -36000 * SECOND, TIME_ZONE_OFFSET},
        {"2024-01-14T24:00", -36000 * SECOND, TIME_ZONE_NONE},
        {"2024-01-14T24:00:00.000Z", -36000 * SECOND, TIME_ZONE_OFFSET},
        {"2024-01-15T09:59:60Z", 0, TIME_ZONE_OFFSET},
        {"2024-01-15T09:59:60.999Z", 0, TIME_ZONE_OFFSET},
        {"2024-01-14T23:59:60Z", -36000 * SECOND, TIME_ZONE_OFFSET},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t instant;
        enum time_zone_mark mark;
        if (!time_parse_iso(str_from(CASES[i].text), &instant, &mark)) fail_msg("'%s' was refused", CASES[i].text);
        if (instant != ten + CASES[i].from_ten_us || mark != CASES[i].mark) fail_msg("'%s' was misread", CASES[i].text);
    }
}

static void test_iso_refuses_everything_else(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "2024",
        "2024-01",
        "2024-1-15",
        "24-01-15",
        "2024-13-01",
        "2024-00-10",
        "2024-01-00",
        "2024-01-32",
        "2023-02-29",
        "1900-02-29",
        "2024-04-31",
        "0000-01-01",
        "0000-12-31T23:59:59Z",
        "10000-01-01",
        "-2024-01-15",
        "+2024-01-15",
        " 2024-01-15",
        "2024-01-15 ",
        "2024-01-15T",
        "2024-01-15T10",
        "2024-01-15T10:0",
        "2024-01-15T10:00:0",
        "2024-01-15T10:00:",
        "2024-01-15T10:00:00.",
        "2024-01-15T10:00:00.Z",
        "2024-01-15T25:00:00Z",
        "2024-01-15T24:00:01Z",
        "2024-01-15T24:01Z",
        "2024-01-15T24:00:00.000001Z",
        "2024-01-15T24:00:60Z",
        "2024-01-15T10:60:00Z",
        "2024-01-15T10:00:61Z",
        "2024-01-15T10:00:00+",
        "2024-01-15T10:00:00+2",
        "2024-01-15T10:00:00+24:00",
        "2024-01-15T10:00:00+02:60",
        "2024-01-15T10:00:00+02:",
        "2024-01-15T10:00:00+02:0",
        "2024-01-15T10:00:00+020",
        "2024-01-15T10:00:00+02:00:00",
        "2024-01-15T10:00:00ZZ",
        "2024-01-15T10:00:00 Z",
        "2024-01-15T10:00:00 UTC",
        "2024-01-15_10:00:00",
        "2024-01-15  10:00",
        "20240115T100000Z",
        "2024/01/15",
        "2024-01-15Z",
        "2024-01-15T1O:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T24:00:00Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59.9999995Z",
        "now",
    };
    int64_t instant;
    enum time_zone_mark mark;
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        if (time_parse_iso(str_from(BAD[i]), &instant, &mark)) fail_msg("'%s' was accepted", BAD[i]);
    assert_false(time_parse_iso(STR("2024-01-15\0"), &instant, &mark));
    assert_false(time_parse_iso((struct str){0}, &instant, &mark));
    assert_true(time_parse_iso(STR("0001-01-01T00:00:00Z"), &instant, &mark));
    assert_true(time_parse_iso(STR("9999-12-31T23:59:59.9999994Z"), &instant, &mark));
}

static void test_a_text_cut_short_is_judged_by_what_is_there(void **state)
{
    (void)state;
    static const char TEXT[] = "2024-01-15T10:00:00.123456+02:00";
    static const size_t COMPLETE[] = {10, 16, 19, 21, 22, 23, 24, 25, 26, 29, 32};
    size_t next = 0;
    for (size_t size = 0; size <= sizeof TEXT; size++) {
        char *view = memcpy(malloc(size ? size : 1), TEXT, size); /* exactly: a sanitizer sees a read past it */
        int64_t instant;
        enum time_zone_mark mark;
        bool is_complete = next < ARRAY_SIZE(COMPLETE) && COMPLETE[next] == size;
        if (time_parse_iso((struct str){view, size}, &instant, &mark) != is_complete) fail_msg("cut to %zu bytes", size);
        next += is_complete;
        assert_int_equal(time_parse_format((struct str){view, size}, "%Y-%m-%dT%H:%M:%S.%f%z", &instant),
                         size == 29 || size == 32);
        assert_false(time_parse_format((struct str){view, size}, "%Y-%j %a %I %p", &instant));
        free(view);
    }
    assert_int_equal(next, ARRAY_SIZE(COMPLETE));
}

static void test_the_date_part_is_as_written(void **state)
{
    (void)state;
    int64_t days;
    assert_true(time_parse_date(STR("2024-01-15"), &days) && days == 19737);
    assert_true(time_parse_date(STR("2024-01-15T23:30:00-05:00"), &days) && days == 19737);
    assert_true(time_parse_date(STR("2024-01-15T00:30:00+05:00"), &days) && days == 19737);
    assert_true(time_parse_date(STR("2024-01-15T24:00:00Z"), &days) && days == 19737);
    assert_false(time_parse_date(STR("2024-01-15junk"), &days));
    assert_false(time_parse_date(STR("2024-02-30"), &days));
    assert_false(time_parse_date(STR(""), &days));
}

static void test_http_dates_in_three_spellings(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994", "sun, 06 nov 1994 08:49:37 GMT",
                                       "Mon, 06 Nov 1994 08:49:37 GMT"};
    int64_t seconds;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        if (!time_parse_http_date(str_from(GOOD[i]), &seconds)) fail_msg("'%s' was refused", GOOD[i]);
        assert_int_equal(seconds, 784111777);
    }
    assert_true(time_parse_http_date(STR("Sun Nov 16 08:49:37 1994"), &seconds));
    assert_int_equal(seconds, 784111777 + 10 * 86400);
    assert_true(time_parse_http_date(STR("Friday, 01-Jan-69 00:00:00 GMT"), &seconds) && seconds == 3124224000);
    assert_true(time_parse_http_date(STR("Friday, 01-Jan-70 00:00:00 GMT"), &seconds) && seconds == 0);
    assert_true(time_parse_http_date(STR("Fri, 30 Jun 2015 23:59:60 GMT"), &seconds) && seconds == 1435708800);
    static const char *const BAD[] = {"",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 +0100",
                                      "06 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 06 Foo 1994 08:49:37 GMT",
                                      "120",
                                      "1994-11-06T08:49:37Z",
                                      "Sun, 06 Nov 1994 08:49:37 GMT "};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        if (time_parse_http_date(str_from(BAD[i]), &seconds)) fail_msg("'%s' was accepted", BAD[i]);
}

static void test_formats_are_checked(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"iso8601",
                                       "epoch",
                                       "epoch_ms",
                                       "epoch_us",
                                       "date",
                                       "%Y",
                                       "%Y-%m",
                                       "%Y-%m-%d",
                                       "%y%m%d",
                                       "%Y-%j",
                                       "%m/%d/%Y %I:%M %p",
                                       "%s",
                                       "%s.%f",
                                       "%Y-%m-%dT%H:%M:%S.%3fZ",
                                       "%d %b %Y",
                                       "%%%Y",
                                       "%a, %e %b %Y %H:%M:%S %z"};
    static const char *const BAD[] = {"",
                                      "iso",
                                      "EPOCH",
                                      "today",
                                      "%",
                                      "%Y%",
                                      "%Q",
                                      "%Y-%q",
                                      "%m-%d",
                                      "%H:%M",
                                      "%Y-%d",
                                      "%Y %H",
                                      "%Y-%m-%d %M",
                                      "%Y-%m-%d %S",
                                      "%Y-%m-%d %I",
                                      "%Y-%m-%d %p",
                                      "%Y-%m-%d %H %p",
                                      "%Y-%m-%d %H:%M.%f",
                                      "%Y-%y",
                                      "%Y-%m-%b",
                                      "%d%e%m%Y",
                                      "%Y-%j-%m",
                                      "%s %Y",
                                      "%s%z",
                                      "%Y %z",
                                      "%3Y",
                                      "%3",
                                      "%Y-%m-%d%a%a"};
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++)
        if (!time_format_is_valid(GOOD[i])) fail_msg("'%s' was refused", GOOD[i]);
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        if (time_format_is_valid(BAD[i])) fail_msg("'%s' was accepted", BAD[i]);
        int64_t instant;
        char text[64];
        assert_false(time_parse_format(STR("2024-01-15"), BAD[i], &instant));
        assert_int_equal(time_write_format(0, BAD[i], text, sizeof text), 0);
    }
}

static void test_patterns_read_what_apis_send(void **state)
{
    (void)state;
    static const struct {
        const char *format, *text, *iso; /* iso NULL: refused */
    } CASES[] = {
        {"%m/%d/%Y", "1/5/2024", "2024-01-05T00:00:00Z"},
        {"%m/%d/%Y %I:%M %p", "01/15/2024 12:00 AM", "2024-01-15T00:00:00Z"},
        {"%m/%d/%Y %I:%M %p", "01/15/2024 12:30 pm", "2024-01-15T12:30:00Z"},
        {"%m/%d/%Y %I:%M %p", "01/15/2024 11:59 PM", "2024-01-15T23:59:00Z"},
        {"%m/%d/%Y %I:%M %p", "01/15/2024 13:00 PM", NULL},
        {"%m/%d/%Y %I:%M %p", "01/15/2024 00:30 AM", NULL},
        {"%d-%b-%y", "15-JAN-24", "2024-01-15T00:00:00Z"},
        {"%d-%b-%y", "15-jan-70", "1970-01-15T00:00:00Z"},
        {"%b %d, %Y", "January 15, 2024", "2024-01-15T00:00:00Z"},
        {"%b %d, %Y", "May 5, 2024", "2024-05-05T00:00:00Z"},
        {"%b %d, %Y", "Ma 5, 2024", NULL},
        {"%Y%m%d%H%M%S", "20240115100000", "2024-01-15T10:00:00Z"},
        {"%Y%m%d", "2024115", NULL},
        {"%Y%m%d", "20240115x", NULL},
        {"%Y%m%d", "2024 115", NULL},
        {"%Y-%m-%dT%H:%M:%S%z", "2024-01-15T10:00:00+0200", "2024-01-15T08:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S%z", "2024-01-15T10:00:00-08:00", "2024-01-15T18:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S%z", "2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S%z", "2024-01-15T10:00:00", NULL},
        {"%z %Y-%m-%d %H:%M", "+02 2024-01-15 10:00", "2024-01-15T08:00:00Z"},
        {"%Y-%m-%d %H:%M:%S.%f", "2024-01-15 10:00:00.1234565", "2024-01-15T10:00:00.123457Z"},
        {"%Y-%m-%d %H:%M:%S.%f", "2024-01-15 10:00:00.1234567891", NULL},
        {"%Y-%m-%d %H:%M:%S.%3f", "2024-01-15 10:00:00.123", "2024-01-15T10:00:00.123Z"},
        {"%Y-%m-%d %H:%M:%S.%3f", "2024-01-15 10:00:00.1234", NULL},
        {"%Y-%m-%d %H:%M:%S", "2024-01-15 23:59:60", "2024-01-16T00:00:00Z"},
        {"%Y-%m-%d %H:%M:%S", "2023-02-29 00:00:00", NULL},
        {"%Y-%j", "2024-366", "2024-12-31T00:00:00Z"},
        {"%Y-%j", "2023-366", NULL},
        {"%Y-%j", "2024-000", NULL},
        {"%Y-%m", "2024-07", "2024-07-01T00:00:00Z"},
        {"%Y", "0000", NULL},
        {"%Y", "9999", "9999-01-01T00:00:00Z"},
        {"%Y", "10000", NULL},
        {"%s", "1705312800", "2024-01-15T10:00:00Z"},
        {"%s", "-1", "1969-12-31T23:59:59Z"},
        {"%s", "1e9", NULL},
        {"%s", "9223372036854775807", NULL},
        {"%s", "99999999999999999999999", NULL},
        {"/Date(%s)/", "/Date(1705312800)/", "2024-01-15T10:00:00Z"},
        {"%e %b %Y", " 5 Jan 2024", "2024-01-05T00:00:00Z"},
        {"%Y%%%m", "2024%01", "2024-01-01T00:00:00Z"},
        {"epoch", "1705312800.5", "2024-01-15T10:00:00.500Z"},
        {"epoch", "1.7053128E9", "2024-01-15T10:00:00Z"},
        {"epoch", "-0.0000005", "1970-01-01T00:00:00Z"},
        {"epoch", "1705312800123456", NULL},
        {"epoch", "", NULL},
        {"epoch", "1e400", NULL},
        {"epoch_ms", "1705312800123", "2024-01-15T10:00:00.123Z"},
        {"epoch_ms", "1705312800123.4567", "2024-01-15T10:00:00.123457Z"},
        {"epoch_us", "1705312800123456", "2024-01-15T10:00:00.123456Z"},
        {"epoch_us", "253402300800000000", NULL},
        {"date", "2024-01-15", "2024-01-15T00:00:00Z"},
        {"iso8601", "2024-01-15T10:00:00+02:00", "2024-01-15T08:00:00Z"},
        {"iso8601", "1705312800", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t instant = 0;
        bool read = time_parse_format(str_from(CASES[i].text), CASES[i].format, &instant);
        if (read != (CASES[i].iso != NULL)) fail_msg("'%s' by '%s': read is %d", CASES[i].text, CASES[i].format, read);
        if (!read) continue;
        char text[TIME_TEXT_MAX];
        (void)time_write_iso(instant, text);
        if (strcmp(text, CASES[i].iso) != 0) fail_msg("'%s' by '%s' is %s", CASES[i].text, CASES[i].format, text);
    }
}

static void test_patterns_write_and_round_down(void **state)
{
    (void)state;
    const int64_t instant = 1705331096789012; /* Mon 2024-01-15T15:04:56.789012Z */
    static const struct {
        const char *format, *text;
    } CASES[] = {
        {"iso8601", "2024-01-15T15:04:56.789012Z"},
        {"epoch", "1705331096"},
        {"epoch_ms", "1705331096789"},
        {"epoch_us", "1705331096789012"},
        {"date", "2024-01-15"},
        {"%Y-%m-%dT%H:%M:%S.%3fZ", "2024-01-15T15:04:56.789Z"},
        {"%Y-%m-%dT%H:%M:%S%z", "2024-01-15T15:04:56+0000"},
        {"%m/%d/%Y %I:%M %p", "01/15/2024 03:04 PM"},
        {"%y%j", "24015"},
        {"%a %e %b", ""},
        {"%a, %e %b %Y", "Mon, 15 Jan 2024"},
        {"100%%, %Y", "100%, 2024"},
        {"%s.%f", "1705331096.789012"},
    };
    char text[64];
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        size_t size = time_write_format(instant, CASES[i].format, text, sizeof text);
        assert_int_equal(size, strlen(CASES[i].text));
        if (size) assert_string_equal(text, CASES[i].text);
    }
    assert_int_equal(time_write_format(-1, "epoch", text, sizeof text), 2);
    assert_string_equal(text, "-1");
    assert_int_equal(time_write_format(-1, "%a %Y-%m-%d", text, sizeof text), 14);
    assert_string_equal(text, "Wed 1969-12-31");
}

static void test_writing_stays_within_its_room(void **state)
{
    (void)state;
    static const char *const FORMATS[] = {"iso8601", "date", "epoch", "%Y-%m-%d", "%a %d %b %Y %H:%M:%S.%f %z"};
    for (size_t i = 0; i < ARRAY_SIZE(FORMATS); i++) {
        char whole[64];
        size_t needed = time_write_format(1705312800 * SECOND, FORMATS[i], whole, sizeof whole) + 1;
        for (size_t size = 0; size <= needed; size++) {
            char *exact = malloc(size ? size : 1);
            assert_int_equal(time_write_format(1705312800 * SECOND, FORMATS[i], exact, size), size == needed ? needed - 1 : 0);
            if (size == needed) assert_string_equal(exact, whole);
            free(exact);
        }
    }
}

static void test_nothing_is_written_outside_the_years(void **state)
{
    (void)state;
    static const int64_t OUTSIDE[] = {INT64_MIN, -719162 * DAY - 1, 2932897 * DAY, INT64_MAX};
    char text[64];
    for (size_t i = 0; i < ARRAY_SIZE(OUTSIDE); i++) {
        struct civil civil;
        time_to_civil(OUTSIDE[i], &civil); /* is still a date */
        assert_true(civil.month >= 1 && civil.month <= 12 && civil.hour >= 0 && civil.microsecond >= 0);
        assert_false(time_in_range(OUTSIDE[i]));
        assert_int_equal(time_write_iso(OUTSIDE[i], text), 0);
        assert_string_equal(text, "");
        assert_int_equal(time_write_format(OUTSIDE[i], "epoch", text, sizeof text), 0);
        assert_int_equal(time_write_format(OUTSIDE[i], "%Y", text, sizeof text), 0);
    }
    assert_int_equal(time_write_date(INT64_MAX, text), 0);
    assert_int_equal(time_write_date(INT64_MIN, text), 0);
}

static void test_iso_fractions_are_as_long_as_needed(void **state)
{
    (void)state;
    char text[TIME_TEXT_MAX];
    assert_int_equal(time_write_iso(0, text), 20);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    assert_int_equal(time_write_iso(120000, text), 24);
    assert_string_equal(text, "1970-01-01T00:00:00.120Z");
    assert_int_equal(time_write_iso(1, text), 27);
    assert_string_equal(text, "1970-01-01T00:00:00.000001Z");
    assert_int_equal(time_write_iso(-719162 * DAY, text), 20);
    assert_string_equal(text, "0001-01-01T00:00:00Z");
}

static void test_the_step_is_the_smallest_unit_shown(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        int64_t step_us;
    } CASES[] = {{"iso8601", 1},
                 {"epoch", SECOND},
                 {"epoch_ms", 1000},
                 {"epoch_us", 1},
                 {"date", DAY},
                 {"%Y-%m-%d", DAY},
                 {"%Y-%m-%dT%H:%M:%S%z", SECOND},
                 {"%Y-%m-%d %H:%M", 60 * SECOND},
                 {"%Y%m%d%H", 3600 * SECOND},
                 {"%I:%M %p %d.%m.%Y", 60 * SECOND},
                 {"%s", SECOND},
                 {"%s.%f", 1},
                 {"%Y-%m-%d %H:%M:%S.%3f", 1000},
                 {"%Y-%m", 28 * DAY},
                 {"%Y", 365 * DAY},
                 {"%Y-%j", DAY}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        if (time_format_step_us(CASES[i].format) != CASES[i].step_us) fail_msg("step of '%s'", CASES[i].format);
}

static void test_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int seconds;
    } GOOD[] = {{"Z", 0}, {"z", 0}, {"+00:00", 0}, {"+02:00", 7200}, {"-0530", -19800}, {"+14", 50400}, {"-23:59", -86340}};
    static const char *const BAD[] = {"",          "+",      "2",     "+2",  "02:00",  "+02:0",
                                      "+02:00:00", "+24:00", "+0260", "UTC", "+ 2:00", "+02:00 "};
    int seconds;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        assert_true(time_parse_offset(str_from(GOOD[i].text), &seconds));
        assert_int_equal(seconds, GOOD[i].seconds);
    }
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        if (time_parse_offset(str_from(BAD[i]), &seconds)) fail_msg("'%s' was accepted", BAD[i]);
}

static void test_spans_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } CASES[] = {{0, "0 ms"},
                 {250, "250 ms"},
                 {999, "999 ms"},
                 {1000, "1 s"},
                 {4999, "4 s"},
                 {60000, "1 min"},
                 {200000, "3 min 20 s"},
                 {7500000, "2 h 5 min"},
                 {7200000, "2 h"},
                 {273600000, "3 d 4 h"},
                 {-200000, "-3 min 20 s"},
                 {INT64_MAX, "106751991167 d 7 h"},
                 {INT64_MIN, "-106751991167 d 7 h"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char text[TIME_TEXT_MAX];
        assert_int_equal(time_write_span(CASES[i].ms, text), strlen(CASES[i].text));
        assert_string_equal(text, CASES[i].text);
    }
}

static void test_the_environment_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "America/New_York", 1), 0);
    tzset();
    int64_t instant;
    enum time_zone_mark mark;
    assert_true(time_parse_iso(STR("2024-07-15 10:00:00"), &instant, &mark));
    assert_true(instant == 1721037600 * SECOND);
    char text[TIME_TEXT_MAX];
    (void)time_write_iso(instant, text);
    assert_string_equal(text, "2024-07-15T10:00:00Z");
    assert_int_equal(unsetenv("TZ"), 0);
}

UNIT_TESTS(cmocka_unit_test(test_every_day_of_nine_thousand_years_is_counted_right),
           cmocka_unit_test(test_random_instants_survive_every_format),
           cmocka_unit_test(test_spellings_in_use_are_read_as_they_were_written),
           cmocka_unit_test(test_iso_spellings_that_are_in_use), cmocka_unit_test(test_iso_refuses_everything_else),
           cmocka_unit_test(test_a_text_cut_short_is_judged_by_what_is_there),
           cmocka_unit_test(test_the_date_part_is_as_written), cmocka_unit_test(test_http_dates_in_three_spellings),
           cmocka_unit_test(test_formats_are_checked), cmocka_unit_test(test_patterns_read_what_apis_send),
           cmocka_unit_test(test_patterns_write_and_round_down), cmocka_unit_test(test_writing_stays_within_its_room),
           cmocka_unit_test(test_nothing_is_written_outside_the_years),
           cmocka_unit_test(test_iso_fractions_are_as_long_as_needed),
           cmocka_unit_test(test_the_step_is_the_smallest_unit_shown), cmocka_unit_test(test_offsets),
           cmocka_unit_test(test_spans_for_people), cmocka_unit_test(test_the_environment_does_not_matter))
