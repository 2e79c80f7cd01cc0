/* on_conflict: nothing: the first row of a key stays, in a build, in a merge and in the table. */
#include "writer_fixture.h"

static const char *all_rows(const char *schema)
{
    char query[256];
    snprintf(query, sizeof(query), "SELECT id, name FROM %s.orders ORDER BY 1", schema);
    return rows_of(query);
}

static void begin(struct flow *flow, struct target *target)
{
    struct err err = ERR_INIT;
    *flow = (struct flow){.schema = orders_schema()};
    flow->table = (struct table_spec){.stream = "orders",
                                      .name = "orders",
                                      .mode = WRITE_APPEND_DEDUP,
                                      .schema = flow->schema,
                                      .cursor = "version",
                                      .keeps_first = true,
                                      .shrink_limit = 1};
    flow->spec = (struct flow_spec){.pipeline = target->pipeline,
                                    .flow = "orders",
                                    .connector = "shop 1.0.0",
                                    .tables = &flow->table,
                                    .table_count = 1,
                                    .resumable = true};
    if (PG->flow_open(target->destination, &flow->spec, &flow->writer, &err) != 0) fail_msg("flow_open: %s", err.message);
}

static void test_the_first_row_of_a_key_stays(void **state)
{
    struct target target;
    struct flow flow;
    char before[512];
    (void)state;
    target_open(&target, "first1");
    target_acquire(&target);
    begin(&flow, &target);
    must_commit(&flow, "all", SLICE_HOLD, NULL, false, ORDERS({1, "first", "1", 5}, {1, "later", "1", 9}));
    must_commit(&flow, "all", SLICE_PUBLISH, "1", true, ORDERS({1, "latest", "1", 10}, {2, "first", "1", 1}));
    assert_string_equal(all_rows("first1"), "1|first;2|first");

    snprintf(before, sizeof(before), "%s", rows_of("SELECT id, xmin FROM first1.orders ORDER BY 1"));
    must_commit(&flow, "all", SLICE_PUBLISH, "2", false, ORDERS({1, "later", "2", 20}, {2, "first", "1", 1}));
    assert_int_equal(flow.counts.written, 0);
    assert_int_equal(flow.counts.deduplicated, 2);
    assert_string_equal(rows_of("SELECT id, xmin FROM first1.orders ORDER BY 1"), before);

    must_commit(&flow, "all", SLICE_PUBLISH, "3", false,
                ORDERS({3, "first", "2", 2}, {3, "later", "2", 3}, {1, "later", "delete", 30}));
    assert_string_equal(all_rows("first1"), "1|first;2|first;3|first");
    assert_int_equal(number_of("SELECT count(*) FROM first1.orders WHERE _sluice_deleted"), 0);

    must_commit(&flow, "all", SLICE_HOLD, NULL, false, ORDERS({4, "first", "2", 2}));
    must_commit(&flow, "all", SLICE_PUBLISH, "4", false, ORDERS({4, "later", "2", 3}));
    assert_string_equal(all_rows("first1"), "1|first;2|first;3|first;4|first");
    books_balance("first1");
    flow_end(&flow);
    target_close(&target);
}

FIXTURE_TESTS(cmocka_unit_test(test_the_first_row_of_a_key_stays))
