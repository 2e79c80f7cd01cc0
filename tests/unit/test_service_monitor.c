/* What monitors find, and what they do not. */
#include "unit.h"

#include <string.h>

#include "service/monitor.h"

static const int64_t HOUR_MS = 3600000, DAY_MS = 24 * 3600000;
static const struct monitor_settings DEFAULTS = {.freshness_ms = 25 * 3600000LL, .volume = 2, .rejects = -1, .schema = true};

static bool finds(enum monitor_kind kind, const struct monitor_settings *settings, const struct monitor_facts *facts)
{
    struct arena arena = ARENA_INIT(0);
    const char *found = monitor_look(kind, settings, facts, &arena);
    if (found) assert_true(strlen(found) > 20);
    arena_release(&arena);
    return found != NULL;
}

static struct monitor_facts steady(void)
{
    struct monitor_facts facts = {.now_ms = 20000 * DAY_MS + HOUR_MS, .runs_by_itself = true, .status = "succeeded"};
    facts.first_ms = facts.now_ms - 60 * DAY_MS;
    facts.succeeded_ms = facts.now_ms - HOUR_MS;
    for (size_t i = 0; i < MONITOR_DAYS; i++) facts.written[i] = 1000 + 10 * (i % 3);
    return facts;
}

static void test_all_is_well(void **state)
{
    (void)state;
    struct monitor_facts facts = steady(), nothing = {.now_ms = facts.now_ms, .runs_by_itself = true};
    for (int kind = 0; kind < MONITOR_KINDS; kind++) {
        assert_false(finds((enum monitor_kind)kind, &DEFAULTS, &facts));
        assert_false(finds((enum monitor_kind)kind, &DEFAULTS, &nothing));
    }
}

static void test_freshness(void **state)
{
    (void)state;
    struct monitor_facts facts = steady();
    struct monitor_settings off = DEFAULTS;
    facts.succeeded_ms = facts.now_ms - 25 * HOUR_MS;
    assert_false(finds(MONITOR_STALE, &DEFAULTS, &facts));
    facts.succeeded_ms--;
    assert_true(finds(MONITOR_STALE, &DEFAULTS, &facts));
    facts.is_paused = true;
    assert_false(finds(MONITOR_STALE, &DEFAULTS, &facts));
    facts.is_paused = false;
    facts.runs_by_itself = false;
    assert_false(finds(MONITOR_STALE, &DEFAULTS, &facts));
    facts.runs_by_itself = true;
    off.freshness_ms = 0;
    assert_false(finds(MONITOR_STALE, &off, &facts));
    facts.succeeded_ms = 0; /* never: since its first job */
    assert_true(finds(MONITOR_STALE, &DEFAULTS, &facts));
    facts.first_ms = facts.now_ms - HOUR_MS;
    assert_false(finds(MONITOR_STALE, &DEFAULTS, &facts));
}

/* A stream is stale when it is tried and fails, or past its own limit; not when nobody reads it any more. */
static void test_freshness_of_streams(void **state)
{
    (void)state;
    struct monitor_facts facts = steady();
    struct stream_record orders = {.stream = "orders", .changes = "", .seen_ms = facts.now_ms - HOUR_MS};
    const struct stream_freshness own = {"orders", 2 * HOUR_MS}, none = {"orders", 0};
    struct monitor_settings strict = DEFAULTS, off = DEFAULTS;
    strict.streams = &own;
    off.streams = &none;
    strict.stream_count = off.stream_count = 1;
    facts.streams = &orders;
    facts.stream_count = 1;
    orders.succeeded_ms = facts.now_ms - 25 * HOUR_MS;
    assert_false(finds(MONITOR_STALE, &DEFAULTS, &facts));
    assert_true(finds(MONITOR_STALE, &strict, &facts));
    orders.succeeded_ms--;
    assert_true(finds(MONITOR_STALE, &DEFAULTS, &facts));
    assert_false(finds(MONITOR_STALE, &off, &facts));
    orders.seen_ms = orders.succeeded_ms;
    assert_false(finds(MONITOR_STALE, &DEFAULTS, &facts));
    assert_true(finds(MONITOR_STALE, &strict, &facts));
    orders.seen_ms = facts.now_ms;
    orders.succeeded_ms = 0; /* never: since the pipeline's first job */
    assert_true(finds(MONITOR_STALE, &DEFAULTS, &facts));
    facts.is_endless = true; /* streams of a sync that goes on have not ended */
    assert_false(finds(MONITOR_STALE, &strict, &facts));
    facts.succeeded_ms = facts.now_ms - 26 * HOUR_MS;
    assert_true(finds(MONITOR_STALE, &strict, &facts));
}

static void test_schema_changes(void **state)
{
    (void)state;
    struct monitor_facts facts = steady();
    struct stream_record streams[] = {
        {.stream = "orders", .changes = "new columns: a, b", .changed_ms = facts.now_ms - DAY_MS, .succeeded_ms = facts.now_ms},
        {.stream = "lines", .changes = "", .succeeded_ms = facts.now_ms}};
    struct monitor_settings off = DEFAULTS;
    struct arena arena = ARENA_INIT(0);
    off.schema = false;
    facts.streams = streams;
    facts.stream_count = 2;
    assert_string_equal(monitor_look(MONITOR_SCHEMA, &DEFAULTS, &facts, &arena), "orders: new columns: a, b");
    assert_false(finds(MONITOR_SCHEMA, &off, &facts));
    streams[0].changed_ms--;
    assert_false(finds(MONITOR_SCHEMA, &DEFAULTS, &facts));
    arena_release(&arena);
}

static void test_failures_and_rejects(void **state)
{
    (void)state;
    struct monitor_facts facts = steady();
    struct monitor_settings settings = DEFAULTS;
    facts.status = "cancelled";
    assert_false(finds(MONITOR_FAILED, &DEFAULTS, &facts));
    facts.status = "failed";
    assert_true(finds(MONITOR_FAILED, &DEFAULTS, &facts));
    facts.rejected = 1;
    assert_false(finds(MONITOR_REJECTS, &DEFAULTS, &facts));
    settings.rejects = 1;
    assert_false(finds(MONITOR_REJECTS, &settings, &facts));
    settings.rejects = 0;
    assert_true(finds(MONITOR_REJECTS, &settings, &facts));
}

static void test_deviation(void **state)
{
    (void)state;
    const uint64_t days[] = {10, 12, 14, 16, 18, 20}, same[] = {1000, 1000, 1000, 1000, 1000, 1000}, none[6] = {0};
    double mean;
    assert_true(monitor_deviation(days, 6, 15, &mean) < 0.001 && mean > 14.999 && mean < 15.001);
    double z = monitor_deviation(days, 6, 22, &mean); /* (22 - 15) / 3.7417 */
    assert_true(z > 1.870 && z < 1.872);
    assert_true(monitor_deviation(same, 6, 1050, &mean) < 1.001); /* 5 % of the mean is one */
    assert_true(monitor_deviation(none, 6, 1, &mean) < 1.001);
    assert_true(monitor_deviation(none, 6, 100, &mean) > 99);
}

static void test_volume(void **state)
{
    (void)state;
    struct monitor_facts facts = steady();
    struct monitor_settings weekly = DEFAULTS, off = DEFAULTS;
    weekly.by_weekday = true;
    off.volume = 0;
    facts.written[0] = 0;
    assert_true(finds(MONITOR_VOLUME, &DEFAULTS, &facts));
    assert_true(finds(MONITOR_VOLUME, &weekly, &facts));
    assert_false(finds(MONITOR_VOLUME, &off, &facts));
    facts.first_ms = facts.now_ms - 5 * DAY_MS; /* too young to be judged */
    assert_false(finds(MONITOR_VOLUME, &DEFAULTS, &facts));
    facts.first_ms = facts.now_ms - 20 * DAY_MS;
    assert_true(finds(MONITOR_VOLUME, &DEFAULTS, &facts));
    assert_false(finds(MONITOR_VOLUME, &weekly, &facts));
    facts = steady(); /* quiet Sundays: odd among the days, and not among Sundays */
    for (size_t i = 0; i < MONITOR_DAYS; i += 7) facts.written[i] = 10;
    assert_true(finds(MONITOR_VOLUME, &DEFAULTS, &facts));
    assert_false(finds(MONITOR_VOLUME, &weekly, &facts));
}

UNIT_TESTS(cmocka_unit_test(test_all_is_well), cmocka_unit_test(test_freshness), cmocka_unit_test(test_freshness_of_streams),
           cmocka_unit_test(test_schema_changes), cmocka_unit_test(test_failures_and_rejects), cmocka_unit_test(test_deviation),
           cmocka_unit_test(test_volume))
