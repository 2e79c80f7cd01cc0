/* Plans: windows that share their edges, lookback, sync start, and the way through the state. */
#include "rest_unit.h"

#include "rest/window.h"

static struct window_plan plan_of(struct arena *arena, struct window_cursor cursor, const char *stored, const char *start,
                                  const char *now)
{
    struct window_plan plan;
    struct err err = ERR_INIT;
    int rc = window_plan(&cursor, str_from(stored), str_from(start), instant(now), arena, &plan, &err);
    if (rc != 0) fail_msg("%s", err.message);
    return plan;
}

static void assert_slice(const struct window_plan *plan, size_t index, const char *from, const char *to)
{
    assert_true(index < plan->slice_count);
    assert_string_equal(plan->slices[index].from, from);
    assert_string_equal(plan->slices[index].to, to);
}

static void test_one_slice_from_the_start_or_the_cursor(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .lookback = 300000000};
    struct window_plan plan = plan_of(&arena, cursor, "", "2024-01-01", "2024-03-01T00:00:00.9Z");
    assert_int_equal(plan.slice_count, 1);
    assert_string_equal(plan.slices[0].id, "all");
    assert_slice(&plan, 0, "2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z");
    plan = plan_of(&arena, cursor, "2024-02-01T00:00:00.123456Z", "2024-01-01", "2024-03-01T00:00:00Z");
    assert_slice(&plan, 0, "2024-01-31T23:55:00.123456Z", "2024-03-01T00:00:00Z");
    assert_string_equal(plan.stored, "2024-02-01T00:00:00.123456Z");
    plan = plan_of(&arena, cursor, "", "", "2024-03-01T00:00:00Z");
    assert_slice(&plan, 0, "", "2024-03-01T00:00:00Z");
    arena_release(&arena);
}

static void test_the_lookback_stops_at_the_start(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .lookback = INT64_C(86400000000)};
    struct window_plan plan = plan_of(&arena, cursor, "2024-01-01T05:00:00Z", "2024-01-01", "2024-03-01T00:00:00Z");
    assert_slice(&plan, 0, "2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z");
    /* a start that was moved past the cursor does not cut off what was not read yet */
    plan = plan_of(&arena, cursor, "2024-01-10T00:00:00Z", "2024-02-01", "2024-03-01T00:00:00Z");
    assert_slice(&plan, 0, "2024-01-09T00:00:00Z", "2024-03-01T00:00:00Z");
    arena_release(&arena);
}

static void test_nothing_reaches_past_the_start_of_the_sync(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP};
    struct window_plan plan = plan_of(&arena, cursor, "2025-01-01T00:00:00Z", "", "2024-03-01T00:00:00Z");
    assert_slice(&plan, 0, "2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z");
    cursor.step_us = 3600000000;
    plan = plan_of(&arena, cursor, "2025-01-01T00:00:00Z", "2024-01-01", "2024-03-01T00:00:00Z");
    assert_int_equal(plan.slice_count, 0);
    arena_release(&arena);
}

static void test_windows(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_DATE, .step_us = INT64_C(86400000000) * 10};
    struct window_plan plan = plan_of(&arena, cursor, "", "2024-02-20", "2024-03-05T15:00:00Z");
    assert_int_equal(plan.slice_count, 2);
    assert_slice(&plan, 0, "2024-02-20", "2024-03-01");
    assert_slice(&plan, 1, "2024-03-01", "2024-03-05");
    assert_string_equal(plan.slices[1].id, "2024-03-01");
    arena_release(&arena);
}

static void test_windows_of_months(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_DATE, .step_months = 1};
    struct window_plan plan = plan_of(&arena, cursor, "", "2023-12-31", "2024-04-15T15:00:00Z");
    assert_int_equal(plan.slice_count, 4);
    assert_slice(&plan, 0, "2023-12-31", "2024-01-31");
    assert_slice(&plan, 1, "2024-01-31", "2024-02-29"); /* the last day that it has */
    assert_slice(&plan, 2, "2024-02-29", "2024-03-31");
    assert_slice(&plan, 3, "2024-03-31", "2024-04-15");
    /* a format of months cannot say a day: edges are the first of months, whatever the step */
    cursor = (struct window_cursor){.type = TYPE_DATE, .format = "%Y-%m", .step_us = INT64_C(86400000000)};
    plan = plan_of(&arena, cursor, "", "2024-01-20", "2024-04-15T15:00:00Z");
    assert_int_equal(plan.slice_count, 3);
    assert_slice(&plan, 2, "2024-03-01", "2024-04-01");
    cursor.closed_above = true;
    plan = plan_of(&arena, cursor, "", "2024-01-20", "2024-04-15T15:00:00Z");
    assert_slice(&plan, 1, "2024-02-01", "2024-03-01"); /* April is not over, and March was the last whole month */
    assert_int_equal(plan.slice_count, 2);
    arena_release(&arena);
}

static void test_partitions_are_whole_and_the_one_under_way_is_read(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const int64_t day = INT64_C(86400000000);
    struct window_cursor days = {.type = TYPE_DATE, .partitions = true, .step_us = day, .lookback = 2 * day};
    struct window_plan plan = plan_of(&arena, days, "", "2024-02-28", "2024-03-01T12:30:00Z");
    assert_int_equal(plan.slice_count, 3);
    assert_slice(&plan, 0, "2024-02-28", "2024-02-29");
    assert_slice(&plan, 2, "2024-03-01", "2024-03-02");
    plan = plan_of(&arena, days, plan.end, "2024-02-28", "2024-03-01T23:00:00Z"); /* again on the same day */
    assert_slice(&plan, 0, "2024-02-29", "2024-03-01");
    assert_int_equal(plan.slice_count, 2);
    plan = plan_of(&arena, days, "2024-03-02", "2024-02-28", "2024-03-10T00:00:00Z"); /* after a pause: nothing is left out */
    assert_slice(&plan, 0, "2024-02-29", "2024-03-01");
    assert_slice(&plan, 10, "2024-03-10", "2024-03-11");
    days.lookback = 0;
    plan = plan_of(&arena, days, "2024-03-02", "2024-02-28", "2024-03-01T23:00:00Z");
    assert_int_equal(plan.slice_count, 1);
    assert_slice(&plan, 0, "2024-03-01", "2024-03-02");
    struct window_cursor months = {.type = TYPE_TIMESTAMP, .partitions = true, .step_months = 1, .lookback = day};
    plan = plan_of(&arena, months, "", "2024-01-15", "2024-03-31T12:30:00Z");
    assert_int_equal(plan.slice_count, 3);
    assert_slice(&plan, 0, "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    assert_slice(&plan, 2, "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z");
    plan = plan_of(&arena, months, plan.end, "2024-01-15", "2024-04-01T00:00:00Z");
    assert_slice(&plan, 0, "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z");
    assert_int_equal(plan.slice_count, 2);
    arena_release(&arena);
}

static void test_values_coarser_than_the_format_shows(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .granularity_us = 60000000};
    struct window_plan plan = plan_of(&arena, cursor, "2024-01-01T10:00:31Z", "", "2024-01-01T12:00:59Z");
    assert_slice(&plan, 0, "2024-01-01T10:00:00Z", "2024-01-01T12:00:00Z");
    cursor.closed_above = true; /* what is stamped 12:00 may still come */
    plan = plan_of(&arena, cursor, "2024-01-01T10:00:31Z", "", "2024-01-01T12:00:59Z");
    assert_slice(&plan, 0, "2024-01-01T10:00:00Z", "2024-01-01T11:59:00Z");
    cursor = (struct window_cursor){.type = TYPE_TIMESTAMP, .format = "epoch", .delay_us = 60000000};
    plan = plan_of(&arena, cursor, "2024-01-01T10:00:31Z", "", "2024-01-01T12:00:59Z");
    assert_slice(&plan, 0, "2024-01-01T10:00:31Z", "2024-01-01T11:59:59Z");
    arena_release(&arena);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* For any step, format, start and now: edges are shared, rising, sayable in the format, cover exactly [first, last], and ids
 * differ. */
static void test_windows_neither_overlap_nor_leave_gaps(void **state)
{
    (void)state;
    static const char *const FORMATS[] = {NULL,       "epoch",          "epoch_ms", "epoch_us", "date", "%Y-%m-%dT%H:%M:%SZ",
                                          "%Y%m%d%H", "%Y-%m-%d %H:%M", "%Y-%m",    "%Y"};
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 3000; round++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct window_plan plan;
        char start[TIME_TEXT_MAX], edge[256], again[256];
        struct window_cursor cursor = {.type = round % 3 ? TYPE_TIMESTAMP : TYPE_DATE,
                                       .format = FORMATS[next_random(&seed) % ARRAY_SIZE(FORMATS)],
                                       .step_us = (int64_t)(next_random(&seed) % 40000000000000u) + 1,
                                       .lookback = (int64_t)(next_random(&seed) % 1000000000u),
                                       .granularity_us = round % 5 ? 0 : (int64_t)(next_random(&seed) % 4000) * 1000000,
                                       .delay_us = round % 7 ? 0 : (int64_t)(next_random(&seed) % 90000000),
                                       .closed_above = round % 2};
        if (round % 4 == 0) {
            cursor.step_months = (int)(next_random(&seed) % 14) + 1;
            cursor.step_us = INT64_C(2592000000000) * cursor.step_months;
        }
        int64_t begin = (int64_t)(next_random(&seed) % 4000000000000000u) - 2000000000000000;
        int64_t now = begin + (int64_t)(next_random(&seed) % 1000) * (cursor.step_us / 7 + 1);
        start[time_write_iso(begin, start)] = '\0';
        if (cursor.step_months) cursor.step_us = 0;
        int rc = window_plan(&cursor, STR(""), str_from(start), now, &arena, &plan, &err);
        if (rc != 0) fail_msg("%s", err.message);
        for (size_t i = 0; i < plan.slice_count; i++) {
            int64_t from = instant(plan.slices[i].from), to = instant(plan.slices[i].to), read;
            assert_true(from < to && to <= now);
            if (i > 0)
                assert_string_equal(plan.slices[i - 1].to, plan.slices[i].from);
            else
                assert_true(from <= begin);
            assert_string_equal(plan.slices[i].id, plan.slices[i].from);
            if (!cursor.format) continue;
            edge[time_write_format(to, cursor.format, edge, sizeof edge)] = '\0';
            assert_true(time_parse_format(str_from(edge), cursor.format, &read));
            assert_int_equal(read, to);
            again[time_write_format(from, cursor.format, again, sizeof again)] = '\0';
            assert_string_not_equal(edge, again);
        }
        arena_release(&arena);
    }
}

static void test_too_many_windows(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct window_plan plan;
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .step_us = 1000000};
    assert_int_equal(window_plan(&cursor, STR(""), STR("2014-01-01"), instant("2024-01-01"), &arena, &plan, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "at most 50000 are possible"));
    err = ERR_INIT;
    assert_int_equal(window_plan(&cursor, STR(""), STR(""), instant("2024-01-01"), &arena, &plan, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "needs a start"));
    arena_release(&arena);
}

static void test_integers_decimals_and_strings(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_INTEGER, .lookback = 10};
    struct window_plan plan = plan_of(&arena, cursor, "9007199254740993", "5", "2024-01-01");
    assert_slice(&plan, 0, "9007199254740983", "");
    plan = plan_of(&arena, cursor, "", "5", "2024-01-01");
    assert_slice(&plan, 0, "5", "");
    cursor = (struct window_cursor){.type = TYPE_DECIMAL};
    plan = plan_of(&arena, cursor, "123456789012345678901234567890.5", "", "2024-01-01");
    assert_slice(&plan, 0, "123456789012345678901234567890.5", "");
    cursor = (struct window_cursor){.type = TYPE_STRING};
    plan = plan_of(&arena, cursor, " b ", "", "2024-01-01");
    assert_slice(&plan, 0, " b ", "");
    arena_release(&arena);
}

static void test_values_that_cannot_be_read(void **state)
{
    (void)state;
    static const struct {
        enum type type;
        const char *stored, *start;
        int class;
    } CASES[] = {
        {TYPE_TIMESTAMP, "", "soon", ERR_CONFIG}, {TYPE_TIMESTAMP, "soon", "", ERR_BUG}, {TYPE_INTEGER, "", "1.5", ERR_CONFIG},
        {TYPE_INTEGER, "x", "", ERR_BUG},         {TYPE_DECIMAL, "", "1,5", ERR_CONFIG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct window_plan plan;
        struct window_cursor cursor = {.type = CASES[i].type};
        int rc = window_plan(&cursor, str_from(CASES[i].stored), str_from(CASES[i].start), 0, &arena, &plan, &err);
        assert_int_equal(rc, CASES[i].class);
        arena_release(&arena);
    }
}

static void assert_survives(const struct window_plan *plan, struct arena *arena)
{
    struct buf json = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct window_plan again;
    window_to_json(plan, &json);
    assert_true(json.size < 400);
    if (window_from_json(buf_str(&json), arena, &again, &err) != 0) fail_msg("%s", err.message);
    assert_int_equal(again.slice_count, plan->slice_count);
    assert_int_equal(again.type, plan->type);
    assert_string_equal(again.stored, plan->stored);
    for (size_t i = 0; i < plan->slice_count; i++) {
        assert_slice(&again, i, plan->slices[i].from, plan->slices[i].to);
        assert_string_equal(again.slices[i].id, plan->slices[i].id);
    }
    buf_release(&json);
}

static void test_a_plan_survives_the_state(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .step_us = 7777777777, .lookback = 1234567, .format = "epoch_ms"};
    struct window_plan plan = plan_of(&arena, cursor, "2024-01-07T00:00:00Z", "2024-01-01", "2024-03-05T12:34:56Z");
    assert_true(plan.slice_count > 100);
    assert_survives(&plan, &arena);
    cursor.step_us = 0;
    plan = plan_of(&arena, cursor, "2024-01-07T00:00:00Z", "", "2024-03-05T12:34:56Z");
    assert_survives(&plan, &arena);
    cursor = (struct window_cursor){.type = TYPE_INTEGER};
    plan = plan_of(&arena, cursor, "9007199254740993", "", "2024-01-01");
    assert_survives(&plan, &arena);
    cursor = (struct window_cursor){.type = TYPE_DATE, .step_us = 1};
    plan = plan_of(&arena, cursor, "", "2024-01-05", "2024-01-05T10:00:00Z");
    assert_int_equal(plan.slice_count, 0);
    assert_survives(&plan, &arena);
    window_plan_whole(&arena, &plan);
    assert_survives(&plan, &arena);
    cursor = (struct window_cursor){.type = TYPE_TIMESTAMP, .step_months = 2};
    plan = plan_of(&arena, cursor, "", "2019-12-31T10:00:00Z", "2024-01-05T10:00:00Z");
    assert_int_equal(plan.slice_count, 25);
    assert_survives(&plan, &arena);
    arena_release(&arena);
}

/* Split again and again, at random: the windows are still the same line without gaps, and the state makes the same ones. */
static void test_split_windows_leave_no_gaps(void **state)
{
    (void)state;
    uint64_t seed = 0x2545f4914f6cdd1d;
    for (int round = 0; round < 50; round++) {
        struct arena arena = ARENA_INIT(0);
        struct window_cursor cursor = {.type = round % 2 ? TYPE_DATE : TYPE_TIMESTAMP, .step_us = INT64_C(86400000000) * 10};
        struct window_plan plan = plan_of(&arena, cursor, "", "2024-01-01", "2024-03-05T12:34:56Z"), again;
        struct buf json = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        for (int i = 0; i < 60; i++) {
            size_t index = next_random(&seed) % plan.slice_count;
            (void)window_split(&cursor, &plan, index, STR(""), 60000000, &arena);
        }
        assert_true(plan.split_count > 3);
        window_to_json(&plan, &json);
        if (window_from_json(buf_str(&json), &arena, &again, &err) != 0) fail_msg("%s", err.message);
        assert_int_equal(again.slice_count, plan.slice_count);
        assert_string_equal(again.end, plan.end);
        const char *at = "2024-01-01T00:00:00Z";
        if (round % 2) at = "2024-01-01";
        for (size_t steps = 0; steps < plan.slice_count; steps++) {
            const char *next = NULL;
            for (size_t i = 0; i < plan.slice_count; i++) {
                assert_slice(&again, i, plan.slices[i].from, plan.slices[i].to);
                assert_string_equal(again.slices[i].id, plan.slices[i].id);
                if (strcmp(plan.slices[i].from, at) == 0) next = plan.slices[i].to;
            }
            assert_non_null(next);
            at = next;
        }
        assert_string_equal(at, plan.end);
        buf_release(&json);
        arena_release(&arena);
    }
}

static void test_a_window_is_split_behind_what_was_read_and_not_for_ever(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .step_us = INT64_C(3600000000)};
    struct window_plan plan = plan_of(&arena, cursor, "", "2024-01-01", "2024-01-01T01:00:00Z");
    assert_true(window_split(&cursor, &plan, 0, STR("2024-01-01T00:40:00Z"), 60000000, &arena));
    assert_slice(&plan, 0, "2024-01-01T00:00:00Z", "2024-01-01T00:50:00Z");
    assert_slice(&plan, 1, "2024-01-01T00:50:00Z", "2024-01-01T01:00:00Z");
    assert_true(window_split(&cursor, &plan, 1, STR(""), 5 * 60000000, &arena));
    assert_false(window_split(&cursor, &plan, 1, STR(""), 5 * 60000000, &arena));
    cursor = (struct window_cursor){.type = TYPE_DATE, .step_us = INT64_C(86400000000)};
    plan = plan_of(&arena, cursor, "", "2024-01-01", "2024-01-02T10:00:00Z");
    assert_false(window_split(&cursor, &plan, 0, STR(""), 1, &arena)); /* half a day is no date */
    arena_release(&arena);
}

static void test_a_plan_is_extended_without_gaps(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct window_cursor cursor = {.type = TYPE_TIMESTAMP, .step_us = INT64_C(86400000000)};
    struct window_plan plan = plan_of(&arena, cursor, "", "2024-01-01", "2024-01-03T12:00:00Z");
    assert_false(window_extend(&cursor, &plan, instant("2024-01-03T12:00:00.9Z"), &arena));
    assert_true(window_extend(&cursor, &plan, instant("2024-01-03T13:00:00Z"), &arena));
    assert_true(window_split(&cursor, &plan, 0, STR(""), 1, &arena));
    assert_true(window_extend(&cursor, &plan, instant("2024-01-05T00:00:00Z"), &arena));
    assert_int_equal(plan.slice_count, 7);
    assert_slice(&plan, 3, "2024-01-03T12:00:00Z", "2024-01-03T13:00:00Z");
    assert_slice(&plan, 5, "2024-01-03T13:00:00Z", "2024-01-04T13:00:00Z");
    assert_slice(&plan, 6, "2024-01-04T13:00:00Z", "2024-01-05T00:00:00Z");
    struct buf json = BUF_INIT(1 << 20);
    struct window_plan again;
    struct err err = ERR_INIT;
    window_to_json(&plan, &json);
    assert_int_equal(window_from_json(buf_str(&json), &arena, &again, &err), 0);
    assert_int_equal(again.slice_count, plan.slice_count);
    assert_string_equal(again.end, "2024-01-05T00:00:00Z");
    for (size_t i = 0; i < plan.slice_count; i++) { /* the same windows, in an order of their own */
        size_t at = 0;
        while (at < again.slice_count && strcmp(again.slices[at].id, plan.slices[i].id) != 0) at++;
        assert_slice(&again, at, plan.slices[i].from, plan.slices[i].to);
    }
    size_t runs = plan.extended;
    for (int hour = 1; window_extend(&cursor, &plan, instant("2024-01-05T00:00:00Z") + hour * INT64_C(3600000000), &arena);
         hour++)
        runs++;
    assert_int_equal(runs, WINDOW_MAX_EXTENSIONS);
    buf_release(&json);
    arena_release(&arena);
}

static void test_a_broken_plan_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "{",
        "[]",
        "{\"version\":2,\"type\":\"date\",\"step_us\":\"0\"}",
        "{\"version\":1,\"type\":\"dat\",\"step_us\":\"0\"}",
        "{\"version\":1,\"type\":\"date\"}",
        "{\"version\":1,\"type\":\"integer\",\"step_us\":\"5\",\"first\":\"1\",\"last\":\"9\"}",
        "{\"version\":1,\"type\":\"date\",\"step_months\":-1,\"step_us\":\"0\"}",
        "{\"version\":1,\"type\":\"date\",\"step_us\":\"-5\",\"first\":\"2024-01-01\",\"last\":\"2024-01-02\"}",
        "{\"version\":1,\"type\":\"date\",\"step_us\":\"86400000000\",\"first\":\"2024-01-01\",\"last\":\"2024-01-09\","
        "\"splits\":[\"2024-01-10\"]}",
        "{\"version\":1,\"type\":\"date\",\"step_us\":\"86400000000\",\"first\":\"x\",\"last\":\"2024-01-02\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct window_plan plan;
        assert_int_equal(window_from_json(str_from(CASES[i]), &arena, &plan, &err), ERR_BUG);
        arena_release(&arena);
    }
}

UNIT_TESTS(cmocka_unit_test(test_one_slice_from_the_start_or_the_cursor),
           cmocka_unit_test(test_the_lookback_stops_at_the_start),
           cmocka_unit_test(test_nothing_reaches_past_the_start_of_the_sync), cmocka_unit_test(test_windows),
           cmocka_unit_test(test_windows_of_months), cmocka_unit_test(test_partitions_are_whole_and_the_one_under_way_is_read),
           cmocka_unit_test(test_values_coarser_than_the_format_shows),
           cmocka_unit_test(test_windows_neither_overlap_nor_leave_gaps), cmocka_unit_test(test_too_many_windows),
           cmocka_unit_test(test_integers_decimals_and_strings), cmocka_unit_test(test_values_that_cannot_be_read),
           cmocka_unit_test(test_a_plan_survives_the_state), cmocka_unit_test(test_a_plan_is_extended_without_gaps),
           cmocka_unit_test(test_a_broken_plan_is_refused), cmocka_unit_test(test_split_windows_leave_no_gaps),
           cmocka_unit_test(test_a_window_is_split_behind_what_was_read_and_not_for_ever))
