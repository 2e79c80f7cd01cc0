/* schedule and cadence: what is read and refused, grids and jitters that are the same everywhere, blackouts over midnight and
 * over changes of clocks, and which streams are due. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/time.h"
#include "os/zone.h"
#include "service/cadence.h"
#include "service/schedule.h"
#include "sync/project.h"

#define MINUTE_MS 60000LL
#define HOUR_MS (60 * MINUTE_MS)

static struct arena arena;

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

static const struct node *yaml(const char *text)
{
    const struct node *node;
    struct err err = ERR_INIT;
    if (node_from_yaml(str_from(text), "sluice.yaml", &arena, &node, &err) != 0) fail_msg("%s", err.message);
    return node;
}

static struct schedule read_as(const char *pipeline, const char *text)
{
    struct problems problems = PROBLEMS_INIT(&arena);
    struct schedule schedule;
    schedule_read(yaml(text), "pipelines.shop.schedule", pipeline, NULL, &arena, &schedule, &problems);
    if (problems.count) fail_msg("%s: %s", text, problems.list[0].message);
    return schedule;
}

static struct schedule read(const char *text)
{
    return read_as("shop", text);
}

static int64_t next(const struct schedule *schedule, int64_t after_ms)
{
    int64_t next_ms;
    assert_true(schedule_next(schedule, after_ms, &next_ms));
    assert_true(next_ms > after_ms);
    return next_ms;
}

static uint64_t seed = 2463534242u;

static uint64_t below(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % limit;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum schedule_kind kind;
        const char *shown;
    } CASES[] = {
        {"15m", SCHEDULE_EVERY, "every 15m"},
        {"900", SCHEDULE_EVERY, "every 900"},
        {"1m", SCHEDULE_EVERY, "every 1m"},
        {"366d", SCHEDULE_EVERY, "every 366d"},
        {"continuous", SCHEDULE_CONTINUOUS, "continuous"},
        {"manual", SCHEDULE_MANUAL, "manual"},
        {"~", SCHEDULE_MANUAL, "manual"},
        {"'*/15 * * * *'", SCHEDULE_CRON, "cron */15 * * * *"},
        {"30 2 * * MON-FRI", SCHEDULE_CRON, "cron 30 2 * * MON-FRI"},
        {"'@daily'", SCHEDULE_CRON, "cron @daily"},
        {"{ every: 1h, jitter: 1m }", SCHEDULE_EVERY, "every 1h"},
        {"{ cron: '@daily', timezone: Europe/Oslo }", SCHEDULE_CRON, "cron @daily"},
        {"{ continuous: true, blackout: [{ from: 08:00, to: 17:30 }] }", SCHEDULE_CONTINUOUS, "continuous"},
        {"{ every: 1h, continuous: false, blackout: [] }", SCHEDULE_EVERY, "every 1h"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct schedule schedule = read(CASES[i].text);
        if (schedule.kind != CASES[i].kind) fail_msg("%s is of another kind: %d", CASES[i].text, schedule.kind);
        assert_string_equal(schedule.text, CASES[i].shown);
        assert_non_null(schedule.zone);
    }
    struct schedule schedule =
        read("{ cron: '@daily', timezone: Europe/Oslo, jitter: 30, blackout: [{ days: [SAT, SUN], from: '22:00', "
             "to: 6:30 }, { days: TUE, from: 12:00, to: 12:00 }, { days: MON, from: '0:00', to: '24:00' }] }");
    assert_string_equal(zone_name(schedule.zone), "Europe/Oslo");
    assert_int_equal(schedule.jitter_ms, 30000);
    assert_int_equal(schedule.blackout_count, 3);
    assert_int_equal(read("{ every: 1h, blackout: [{ from: 08:00, to: 17:30 }] }").blackouts[0].weekdays, 0x7f);
    assert_int_equal(schedule.blackouts[0].weekdays, 0x41);
    assert_int_equal(schedule.blackouts[0].from_minute, 22 * 60);
    assert_int_equal(schedule.blackouts[0].length_minutes, 8 * 60 + 30);
    assert_int_equal(schedule.blackouts[1].weekdays, 0x04);
    assert_int_equal(schedule.blackouts[1].length_minutes, 24 * 60);
    assert_int_equal(schedule.blackouts[2].length_minutes, 24 * 60);
}

static void expect_problem(const char *text, const char *message, const char *hint)
{
    struct problems problems = PROBLEMS_INIT(&arena);
    struct schedule schedule;
    schedule_read(yaml(text), "pipelines.shop.schedule", "shop", NULL, &arena, &schedule, &problems);
    if (problems.count != 1) fail_msg("%s: %zu problems", text, problems.count);
    const struct problem *problem = &problems.list[0];
    if (!strstr(problem->message, message) || !strstr(problem->hint ? problem->hint : "", hint))
        fail_msg("%s: %s (%s)", text, problem->message, problem->hint ? problem->hint : "");
    assert_true(strncmp(problem->message, "pipelines.shop.schedule", 23) == 0 && problem->line > 0);
    assert_int_equal(schedule.kind, SCHEDULE_MANUAL);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    expect_problem("15", "at least 1m, got 15", "a bare number is seconds");
    expect_problem("59s", "at least 1m, got 59s", "continuous");
    expect_problem("367d", "at most 366d", "");
    expect_problem("90.5s", "whole seconds", "");
    expect_problem("hourly", "'hourly' is no schedule", "15m");
    expect_problem("[15m]", "expected a schedule, got a list", "");
    expect_problem("'* * * *'", "expected 5 fields, got 4", "minute, hour");
    expect_problem("'0 0 30 2 *'", "never happens", "");
    expect_problem("{}", "expected one of every, cron and continuous", "{ every: 15m }");
    expect_problem("{ every: 15m, cron: '@daily' }", "expected one of", "");
    expect_problem("{ cron: '@daily', continuous: true }", "expected one of", "");
    expect_problem("{ evry: 15m, every: 15m }", "evry", "every");
    expect_problem("{ every: 10s }", "schedule.every: an interval is at least 1m", "");
    expect_problem("{ cron: '@reboot' }", "schedule.cron: '@reboot'", "");
    expect_problem("{ every: 15m, timezone: Europe/Olso }", "schedule.timezone: unknown time zone 'Europe/Olso'", "tzdata");
    expect_problem("{ every: 15m, timezone: ../passwd }", "not the name of a time zone", "");
    expect_problem("{ every: 15m, jitter: 15m }", "schedule.jitter: it must be shorter", "");
    expect_problem("{ cron: '@daily', jitter: 13h }", "schedule.jitter: expected whole seconds, 12h at most", "");
    expect_problem("{ cron: '@daily', jitter: 10ms }", "whole seconds", "");
    expect_problem("{ continuous: true, jitter: 10s }", "a continuous schedule has none", "");
    expect_problem("{ every: 15m, blackout: 08:00 }", "blackout", "");
    expect_problem("{ every: 15m, blackout: [{ from: 08:00 }] }", "to", "");
    expect_problem("{ every: 15m, blackout: [{ from: 8, to: 09:00 }] }", "blackout[0].from: expected a time of day, got '8'",
                   "08:00");
    expect_problem("{ every: 15m, blackout: [{ from: 08:60, to: 09:00 }] }", "expected a time of day", "");
    expect_problem("{ every: 15m, blackout: [{ from: 08:00, to: 24:01 }] }", "expected a time of day", "");
    expect_problem("{ every: 15m, blackout: [{ days: MON-FIR, from: 08:00, to: 09:00 }] }",
                   "blackout[0].days: day of week 'FIR'", "");
    expect_problem("{ every: 15m, blackout: [{ from: 08:00, to: 08:00 }] }", "covers all of the week", "manual");
    expect_problem("{ every: 15m, blackout: [{ from: 08:00, to: 20:00 }, { from: 19:00, to: 09:00 }] }", "covers all", "");
}

static void test_every_mistake_is_told_with_its_line(void **state)
{
    (void)state;
    struct problems problems = PROBLEMS_INIT(&arena);
    struct schedule schedule;
    schedule_read(
        yaml("cron: 61 * * * *\ntimezone: Mars/Base\njitter: 20h\nblackout:\n  - days: FOO\n    from: 25:00\n    to: x\n"), "s",
        "shop", NULL, &arena, &schedule, &problems);
    assert_int_equal(problems.count, 6);
    static const unsigned LINES[] = {1, 2, 3, 5, 6, 7};
    for (size_t i = 0; i < ARRAY_SIZE(LINES); i++) assert_int_equal(problems.list[i].line, LINES[i]);
}

/* --- intervals and jitter ------------------------------------------------------------------------------------------------ */

static void test_a_grid_is_the_same_whenever_it_is_asked(void **state)
{
    (void)state;
    struct schedule schedule = read("15m");
    int64_t first = next(&schedule, utc_ms("2026-01-01T00:00:00Z"));
    for (int64_t after = utc_ms("2026-01-01T00:00:00Z"); after < first; after += 1000)
        assert_int_equal(next(&schedule, after), first);
    assert_int_equal(next(&schedule, first), first + 15 * MINUTE_MS);
    assert_int_equal(next(&schedule, first - 1), first);
    assert_int_equal((first - schedule.offset_ms) % (15 * MINUTE_MS), 0);
    assert_int_equal(next(&schedule, first + 1000 * 15 * MINUTE_MS), first + 1001 * 15 * MINUTE_MS); /* no backlog */
    assert_true(next(&schedule, -1) <= schedule.offset_ms);
    assert_true(next(&schedule, -HOUR_MS) <= -45 * MINUTE_MS);
}

/* These are what every node of a cluster, and the next version, must compute, too. */
static void test_instants_that_must_stay(void **state)
{
    (void)state;
    struct schedule every = read_as("shop", "15m"), jittered = read_as("shop", "{ cron: '0 2 * * *', jitter: 1h }");
    const int64_t after = utc_ms("2026-01-01T00:00:00Z");
    assert_string_equal(text_of(next(&every, after)), "2026-01-01T00:14:28Z");
    assert_string_equal(text_of(next(&jittered, after)), "2026-01-01T02:37:15Z");
    assert_string_equal(text_of(next(&jittered, after + 24 * HOUR_MS)), "2026-01-02T02:25:56Z");
}

static void test_pipelines_are_spread(void **state)
{
    (void)state;
    int per_minute[15] = {0};
    for (int i = 0; i < 1000; i++) {
        struct schedule schedule = read_as(arena_printf(&arena, "pipeline_%d", i), "15m");
        assert_int_equal(schedule.offset_ms % 1000, 0);
        per_minute[schedule.offset_ms / MINUTE_MS]++;
    }
    for (size_t i = 0; i < ARRAY_SIZE(per_minute); i++) assert_in_range(per_minute[i], 30, 110);
}

static void test_grids_that_divide_one_another_meet(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        const char *name = arena_printf(&arena, "pipeline_%d", i);
        struct schedule slow = read_as(name, "1h"), fast = read_as(name, "5m");
        int64_t at = next(&slow, utc_ms("2026-01-01T00:00:00Z"));
        assert_int_equal(next(&fast, at - 1), at);
    }
}

static void test_jitter_keeps_the_order_and_its_limit(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"{ every: 15m, jitter: 14m }", "{ cron: '*/5 * * * *', jitter: 12h }",
                                        "{ cron: '0 2 * * *', jitter: 4h, timezone: Europe/Oslo }"};
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
        struct schedule schedule = read(TEXTS[i]), plain = schedule;
        plain.jitter_ms = 0;
        int64_t at = next(&plain, utc_ms("2026-03-20T00:00:00Z")) - 1, point = at, largest = 0;
        for (int n = 0; n < 400; n++) {
            at = next(&schedule, at);
            point = next(&plain, point);
            assert_true(at >= point && at - point < schedule.jitter_ms && at < next(&plain, point));
            if (at - point > largest) largest = at - point;
            assert_int_equal((at - point) % 1000, 0);
            assert_int_equal(next(&schedule, point - 1), at);
            if (at > point) assert_int_equal(next(&schedule, at - 1), at);
        }
        assert_true(largest > 2 * MINUTE_MS);
    }
    struct schedule one = read_as("one", TEXTS[0]), other = read_as("other", TEXTS[0]);
    assert_int_not_equal(next(&one, 0), next(&other, 0));
}

static void test_words(void **state)
{
    (void)state;
    struct schedule manual = read("manual"), continuous = read("continuous");
    int64_t at;
    assert_false(schedule_next(&manual, 0, &at));
    assert_int_equal(next(&continuous, 123), 124);
    continuous = read("{ continuous: true, blackout: [{ from: 08:00, to: 17:30 }] }");
    assert_string_equal(text_of(next(&continuous, utc_ms("2026-01-01T07:59:00Z"))), "2026-01-01T07:59:00.001Z");
    assert_string_equal(text_of(next(&continuous, utc_ms("2026-01-01T08:00:00Z"))), "2026-01-01T17:30:00Z");
    struct schedule every = read("1h");
    assert_false(schedule_next(&every, INT64_MAX, &at) || schedule_next(&continuous, INT64_MAX, &at));
}

/* --- blackouts ----------------------------------------------------------------------------------------------------------- */

static void expect_runs(const char *text, const char *after, const char *const *runs, size_t count)
{
    struct schedule schedule = read(text);
    int64_t at = utc_ms(after);
    for (size_t i = 0; i < count; i++) {
        at = next(&schedule, at);
        if (at != utc_ms(runs[i])) fail_msg("%s: %s, not %s", text, text_of(at), runs[i]);
    }
}

#define EXPECT_RUNS(text, after, ...)                                                                                          \
    do {                                                                                                                       \
        static const char *const runs[] = {__VA_ARGS__};                                                                       \
        expect_runs(text, after, runs, ARRAY_SIZE(runs));                                                                      \
    } while (0)

static void test_blackouts_delay_to_their_end(void **state)
{
    (void)state;
    /* A Friday in winter: Oslo is an hour ahead. */
    EXPECT_RUNS("{ cron: '0 * * * *', timezone: Europe/Oslo, blackout: [{ days: MON-FRI, from: 08:00, to: 17:30 }] }",
                "2026-01-02T05:30:00Z", "2026-01-02T06:00:00Z", "2026-01-02T16:30:00Z", "2026-01-02T17:00:00Z");
    EXPECT_RUNS("{ cron: '0 * * * *', timezone: Europe/Oslo, blackout: [{ days: MON-FRI, from: 08:00, to: 17:30 }] }",
                "2026-01-03T07:30:00Z", "2026-01-03T08:00:00Z"); /* a Saturday */
    /* over midnight, from Friday into Saturday, and only then */
    EXPECT_RUNS("{ cron: '0 */2 * * *', blackout: [{ days: FRI, from: '22:00', to: 06:30 }] }", "2026-01-02T19:00:00Z",
                "2026-01-02T20:00:00Z", "2026-01-03T06:30:00Z", "2026-01-03T08:00:00Z");
    EXPECT_RUNS("{ cron: '0 */2 * * *', blackout: [{ days: FRI, from: '22:00', to: 06:30 }] }", "2026-01-03T21:00:00Z",
                "2026-01-03T22:00:00Z", "2026-01-04T00:00:00Z");
    /* the end itself is outside, the begin is inside; windows that follow at once are one */
    EXPECT_RUNS("{ cron: '0 * * * *', blackout: [{ from: 08:00, to: 09:00 }] }", "2026-01-02T07:30:00Z", "2026-01-02T09:00:00Z",
                "2026-01-02T10:00:00Z");
    EXPECT_RUNS("{ cron: '0 * * * *', blackout: [{ from: 09:00, to: 11:15 }, { from: 08:00, to: 09:00 }] }",
                "2026-01-02T07:30:00Z", "2026-01-02T11:15:00Z", "2026-01-02T12:00:00Z");
    /* the weekend as a whole */
    EXPECT_RUNS("{ cron: '0 12 * * *', blackout: [{ days: 'SAT,SUN', from: 00:00, to: '24:00' }] }", "2026-01-02T11:00:00Z",
                "2026-01-02T12:00:00Z", "2026-01-05T00:00:00Z", "2026-01-05T12:00:00Z");
}

static void test_blackouts_where_clocks_are_set(void **state)
{
    (void)state;
    /* 02:30 to 04:00 of Oslo's gap begins with it, at 01:00 UTC; an overlap belongs to it twice */
    EXPECT_RUNS("{ cron: '*/30 * * * *', timezone: Europe/Oslo, blackout: [{ from: 02:30, to: 04:00 }] }",
                "2026-03-29T00:20:00Z", "2026-03-29T00:30:00Z", "2026-03-29T02:00:00Z", "2026-03-29T02:30:00Z");
    EXPECT_RUNS("{ cron: '*/30 * * * *', timezone: Europe/Oslo, blackout: [{ from: 02:30, to: 04:00 }] }",
                "2026-10-24T23:40:00Z", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z");
    EXPECT_RUNS("{ cron: '*/30 * * * *', timezone: Europe/Oslo, blackout: [{ from: 01:00, to: 02:30 }] }",
                "2026-10-24T22:40:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z");
    /* one that ends within a gap ends with it */
    EXPECT_RUNS("{ cron: '*/30 * * * *', timezone: Europe/Oslo, blackout: [{ from: 00:00, to: 02:30 }] }",
                "2026-03-28T22:40:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z");
    /* a day that was skipped, and one before it that leads into it */
    EXPECT_RUNS("{ cron: '0 */6 * * *', timezone: Pacific/Apia, blackout: [{ from: '18:00', to: 06:00 }] }",
                "2011-12-29T20:00:00Z", "2011-12-29T22:00:00Z", "2011-12-30T16:00:00Z", "2011-12-30T22:00:00Z");
}

static void test_a_jitter_is_behind_the_blackout_and_never_in_the_next(void **state)
{
    (void)state;
    struct schedule schedule =
        read("{ cron: '*/20 * * * *', jitter: 15m, blackout: [{ from: 08:00, to: 17:30 }, { from: 17:35, to: 18:00 }] }");
    bool is_spread = false;
    int64_t at = utc_ms("2026-01-01T00:00:00Z"), end;
    for (int n = 0; n < 3000; n++) {
        at = next(&schedule, at);
        assert_false(schedule_in_blackout(&schedule, at, &end));
        assert_int_equal(end, at);
        int64_t minute = at / MINUTE_MS % 1440;
        if (minute > 17 * 60 + 30 && minute < 17 * 60 + 35) is_spread = true;
    }
    assert_true(is_spread);
}

/* Whatever is asked: the next run is the first of all runs after it, outside of blackouts, and asking a little later changes
 * nothing. */
static void test_random_schedules_keep_their_promises(void **state)
{
    (void)state;
    static const char *const WHAT[] = {"every: 17m",           "every: 5h",         "cron: '*/7 * * * *'",
                                       "cron: '30 2,3 * * *'", "cron: '0 0 1 * *'", "every: 1m"};
    static const char *const ZONES[] = {"Europe/Oslo", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"};
    for (int i = 0; i < 300; i++) {
        const char *text =
            arena_printf(&arena, "{ %s, timezone: %s, jitter: %d, blackout: [{ days: %d-6, from: '%02d:15', to: '%02d:00' }] }",
                         WHAT[below(ARRAY_SIZE(WHAT))], ZONES[below(ARRAY_SIZE(ZONES))], (int)below(2) * (int)below(60),
                         (int)below(7), (int)below(24), (int)below(25));
        struct schedule schedule = read(text);
        int64_t at = utc_ms("2010-01-01T00:00:00Z") + (int64_t)below(60 * 366) * 24 * HOUR_MS, change, end;
        if (zone_next_change(schedule.zone, at, &change)) at = change - (int64_t)below(30) * HOUR_MS;
        for (int n = 0; n < 40; n++) {
            int64_t run = next(&schedule, at), between = at + (int64_t)below((uint64_t)(run - at));
            if (next(&schedule, between) != run) fail_msg("%s: at %s and at %s", text, text_of(at), text_of(between));
            assert_false(schedule_in_blackout(&schedule, run, &end));
            at = run;
        }
    }
}

/* --- cadences ------------------------------------------------------------------------------------------------------------ */

static struct cadences cadences_of(const char *pipeline, size_t expected_problems)
{
    struct problems problems = PROBLEMS_INIT(&arena);
    const struct project *project;
    struct cadences cadences;
    const char *text =
        arena_printf(&arena,
                     "destinations: { files: { type: csv, path: ./out } }\npipelines:\n  shop:\n    connector: shop\n"
                     "    destination: files\n%s",
                     pipeline);
    project_read(yaml(text), "sluice.yaml", NULL, false, NULL, &arena, &project, &problems);
    if (problems.count) fail_msg("%s", problems.list[0].message);
    cadences_read(&project->pipelines[0], &arena, &cadences, &problems);
    assert_int_equal(problems.count, expected_problems);
    return cadences;
}

static void test_cadences_of_a_pipeline(void **state)
{
    (void)state;
    struct cadences all = cadences_of("    schedule: 1h\n", 0);
    assert_int_equal(all.count, 1);
    assert_true(!all.list[0].stream && all.list[0].stream_count == 0 && all.list[0].schedule.kind == SCHEDULE_EVERY);
    all = cadences_of("", 0);
    assert_true(all.count == 1 && all.list[0].schedule.kind == SCHEDULE_MANUAL);
    all = cadences_of("    schedule: 1h\n    streams: [orders, customers]\n", 0);
    assert_true(all.count == 1 && all.list[0].stream_count == 2);
    assert_string_equal(all.list[0].streams[1], "customers");

    all = cadences_of("    schedule: { every: 1h, jitter: 1m, timezone: Europe/Oslo, blackout: [{ from: 08:00, to: 09:00 }] }\n"
                      "    streams:\n      customers:\n      orders: { schedule: 5m }\n      reports: { schedule: manual }\n"
                      "      stock: { schedule: { cron: '@daily', timezone: UTC, jitter: 0, blackout: [] } }\n",
                      0);
    assert_int_equal(all.count, 4);
    assert_true(!all.list[0].stream && all.list[0].stream_count == 1);
    assert_string_equal(all.list[0].streams[0], "customers");
    assert_string_equal(all.list[1].stream, "orders");
    assert_string_equal(zone_name(all.list[1].schedule.zone), "Europe/Oslo");
    assert_true(all.list[1].schedule.jitter_ms == MINUTE_MS && all.list[1].schedule.blackout_count == 1);
    assert_string_equal(zone_name(all.list[3].schedule.zone), "UTC");
    assert_true(all.list[3].schedule.jitter_ms == 0 && all.list[3].schedule.blackout_count == 0);

    all = cadences_of("    schedule: 1h\n    streams: { orders: { schedule: 5m } }\n", 0); /* nothing is left for its own */
    assert_true(all.count == 1 && all.list[0].stream);
    cadences_of("    schedule: 1x\n    streams: { orders: { schedule: 5x }, stock: { schedule: [] } }\n", 3);
}

static void test_what_is_due(void **state)
{
    (void)state;
    struct cadences all =
        cadences_of("    schedule: 1h\n    streams:\n      customers:\n      products:\n      orders: { schedule: 5m }\n", 0);
    int64_t hour = next(&all.list[0].schedule, utc_ms("2026-01-01T00:00:00Z")), last[2] = {hour, hour}, at;
    struct due due;
    assert_true(cadences_next(&all, last, hour + 1, &at) && at == hour + 5 * MINUTE_MS);
    cadences_due(&all, last, at - 1, &arena, &due);
    assert_true(!due.is_whole && due.stream_count == 0 && due.cadence_count == 0);
    cadences_due(&all, last, at, &arena, &due);
    assert_true(!due.is_whole && due.stream_count == 1 && due.cadence_count == 1 && due.cadences[0] == 1);
    assert_string_equal(due.streams[0], "orders");
    cadences_due(&all, last, hour + HOUR_MS, &arena, &due); /* long runs and outages: once, together */
    assert_true(due.is_whole && due.cadence_count == 2 && due.stream_count == 0);
    assert_true(cadences_next(&all, last, hour + 3 * HOUR_MS, &at) && at == hour + 3 * HOUR_MS);
    last[1] = hour + HOUR_MS;
    cadences_due(&all, last, hour + HOUR_MS, &arena, &due);
    assert_true(!due.is_whole && due.stream_count == 2 && due.cadences[0] == 0);
    assert_string_equal(due.streams[0], "customers");
    assert_string_equal(due.streams[1], "products");
    last[0] = last[1] = hour + 1000 * HOUR_MS; /* a clock that was set back */
    assert_true(cadences_next(&all, last, hour, &at) && at == hour + 5 * MINUTE_MS);
}

static void test_nothing_is_due_in_a_blackout(void **state)
{
    (void)state;
    struct cadences all = cadences_of("    schedule: { every: 1h, blackout: [{ from: 08:00, to: 17:30 }] }\n", 0);
    int64_t last = utc_ms("2026-01-01T02:00:00Z"), now = utc_ms("2026-01-01T12:00:00Z"), at; /* the service was away */
    struct due due;
    assert_true(cadences_next(&all, &last, now, &at));
    assert_string_equal(text_of(at), "2026-01-01T17:30:00Z");
    cadences_due(&all, &last, now, &arena, &due);
    assert_int_equal(due.cadence_count, 0);
    cadences_due(&all, &last, at, &arena, &due);
    assert_true(due.is_whole);
    all = cadences_of("    schedule: manual\n", 0);
    assert_false(cadences_next(&all, &last, now, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_every_mistake_is_told_with_its_line),
        cmocka_unit_test(test_a_grid_is_the_same_whenever_it_is_asked),
        cmocka_unit_test(test_instants_that_must_stay),
        cmocka_unit_test(test_pipelines_are_spread),
        cmocka_unit_test(test_grids_that_divide_one_another_meet),
        cmocka_unit_test(test_jitter_keeps_the_order_and_its_limit),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_blackouts_delay_to_their_end),
        cmocka_unit_test(test_blackouts_where_clocks_are_set),
        cmocka_unit_test(test_a_jitter_is_behind_the_blackout_and_never_in_the_next),
        cmocka_unit_test(test_random_schedules_keep_their_promises),
        cmocka_unit_test(test_cadences_of_a_pipeline),
        cmocka_unit_test(test_what_is_due),
        cmocka_unit_test(test_nothing_is_due_in_a_blackout),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
