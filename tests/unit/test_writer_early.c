/* A first build that is published before its end: after a while, or when the source makes the sync wait. */
#include "writer_fixture.h"

#include <unistd.h>

#include "writer/postgres/internal.h"

enum { TEN_MINUTES_MS = 10 * 60 * 1000 };

static long sessions(void)
{
    return number_of("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice:%'");
}

/* A server process takes a moment to end; a test that hangs here fails by its time limit. */
static void wait_for_no_session(void)
{
    while (sessions() > 0) usleep(10000);
}

static bool is_published(const char *pipeline)
{
    char query[128];
    snprintf(query, sizeof(query), "SELECT count(*) FROM pg_tables WHERE schemaname = '%s' AND tablename = 'orders'", pipeline);
    return number_of(query) == 1;
}

static void test_a_checkpoint_after_ten_minutes_publishes(void **state)
{
    struct target target;
    struct flow flow;
    struct clock_fake fake;
    (void)state;
    target_open(&target, "early1");
    target_acquire(&target);
    clock_fake_init(&fake, 1800000000LL * 1000000);
    clock_fake_advance(&fake, 1000); /* 0 means that no build has begun */
    target.destination->clock = &fake.clock;
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "s1", SLICE_PUBLISH, "1", false, ORDERS({1, "a", "1", 1}));
    clock_fake_advance(&fake, TEN_MINUTES_MS - 1);
    must_commit(&flow, "s1", SLICE_PUBLISH, "2", false, ORDERS({2, "b", "1", 2}));
    assert_false(is_published("early1"));
    clock_fake_advance(&fake, 1);
    must_commit(&flow, "s1", SLICE_HOLD, NULL, false, ORDERS({3, "c", "1", 3}));
    assert_false(is_published("early1")); /* not at a checkpoint */
    must_commit(&flow, "s1", SLICE_PUBLISH, "3", false, NULL, 0);
    assert_true(is_published("early1"));
    assert_string_equal(rows_of("SELECT id, name FROM early1.orders ORDER BY id"), "1|a;2|b;3|c");
    must_commit(&flow, "s1", SLICE_PUBLISH, "4", true, ORDERS({2, "merged", "1", 4})); /* goes on by merge */
    assert_string_equal(rows_of("SELECT id, name FROM early1.orders ORDER BY id"), "1|a;2|merged;3|c");
    flow_end(&flow);
    target.destination->clock = clock_system();
    target_close(&target);
}

static void test_a_long_wait_publishes_what_ends_at_a_checkpoint(void **state)
{
    struct target target;
    struct flow flow;
    struct load_counts counts = {0};
    struct err err = ERR_INIT;
    (void)state;
    target_open(&target, "early2");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    assert_int_equal(PG->rest(flow.writer, 90000, &counts, &err), 0); /* nothing is there yet */
    assert_false(is_published("early2"));
    must_commit(&flow, "s1", SLICE_PUBLISH, "1", false, ORDERS({1, "a", "1", 1}, {1, "b", "1", 2}));
    assert_int_equal(PG->rest(flow.writer, 60000, &counts, &err), 0);
    assert_false(is_published("early2")); /* the wait is too short for it */
    must_commit(&flow, "s1", SLICE_HOLD, NULL, false, ORDERS({2, "c", "1", 3}));
    assert_int_equal(PG->rest(flow.writer, 90000, &counts, &err), 0);
    assert_false(is_published("early2")); /* not at a checkpoint */
    must_commit(&flow, "s1", SLICE_PUBLISH, "3", false, NULL, 0);
    assert_int_equal(PG->rest(flow.writer, 60001, &counts, &err), 0);
    assert_true(counts.written == (uint64_t)-1 && counts.deduplicated == 1); /* counted as written before */
    assert_string_equal(rows_of("SELECT id, name FROM early2.orders ORDER BY id"), "1|b;2|c");
    assert_string_equal(rows_of("SELECT kind, value, pending FROM _sluice.state WHERE pipeline = 'early2'"), "cursor|3|false");
    must_commit(&flow, "s1", SLICE_PUBLISH, "5", true, ORDERS({2, "merged", "1", 5}));
    assert_string_equal(rows_of("SELECT id, name FROM early2.orders ORDER BY id"), "1|b;2|merged");
    assert_string_equal(rows_of("SELECT sum(emitted) = sum(written) + sum(unchanged) + sum(deduplicated) FROM _sluice.loads "
                                "WHERE pipeline = 'early2'"),
                        "true");
    flow_end(&flow);
    target_close(&target);
}

static void test_overwrite_waits_for_its_end(void **state)
{
    struct target target;
    struct flow flow;
    struct load_counts counts = {0};
    struct err err = ERR_INIT;
    (void)state;
    target_open(&target, "early3");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_OVERWRITE);
    must_commit(&flow, "s1", SLICE_PUBLISH, "1", false, ORDERS({1, "a", "1", 1}));
    assert_int_equal(PG->rest(flow.writer, 3600000, &counts, &err), 0);
    assert_false(is_published("early3"));
    must_commit(&flow, "s2", SLICE_PUBLISH, "2", true, ORDERS({2, "b", "1", 1}));
    assert_string_equal(rows_of("SELECT id FROM early3.orders ORDER BY id"), "1;2");
    flow_end(&flow);
    target_close(&target);
}

static void test_nothing_is_connected_during_a_long_wait(void **state)
{
    struct target target;
    struct flow flow;
    struct load_counts counts = {0};
    struct err err = ERR_INIT;
    (void)state;
    wait_for_no_session(); /* of the tests before */
    target_open(&target, "early4");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    must_commit(&flow, "s1", SLICE_HOLD, NULL, false, ORDERS({1, "a", "1", 1}));
    assert_int_equal(PG->renew(target.destination, 0, &err), 0);
    while (sessions() > 1) usleep(10000); /* the flow's; none for the lease between two renewals */
    assert_int_equal(sessions(), 1);
    assert_int_equal(PG->rest(flow.writer, 40000, &counts, &err), 0);
    assert_int_equal(PG->renew(target.destination, 40000, &err), 0);
    wait_for_no_session();
    assert_int_equal(number_of("SELECT (until > clock_timestamp() + interval '95 s')::int FROM _sluice.leases "
                               "WHERE pipeline = 'early4'"),
                     1);
    must_commit(&flow, "s1", SLICE_PUBLISH, "2", true, ORDERS({2, "b", "1", 1}));
    assert_string_equal(rows_of("SELECT id FROM early4.orders ORDER BY id"), "1;2");
    flow_end(&flow);
    target_close(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_checkpoint_after_ten_minutes_publishes),
        cmocka_unit_test(test_a_long_wait_publishes_what_ends_at_a_checkpoint),
        cmocka_unit_test(test_overwrite_waits_for_its_end),
        cmocka_unit_test(test_nothing_is_connected_during_a_long_wait),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
