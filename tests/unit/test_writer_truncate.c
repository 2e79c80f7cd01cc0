/* truncate: what came before an emptied table's mark is gone, where it waits and where it is seen; and not before the rest is
 * there. */
#include "writer_fixture.h"

#define EMPTIED                                                                                                                \
    {                                                                                                                          \
        0, NULL, "truncate", 0                                                                                                 \
    }

static const char *live(const char *schema)
{
    char query[256];
    snprintf(query, sizeof(query), "SELECT id, name FROM %s.orders WHERE NOT _sluice_deleted ORDER BY 1", schema);
    return rows_of(query);
}

struct table_there {
    struct target target;
    struct flow flow;
};

/* A table with the orders 1, 2 and 3. */
static void begin(struct table_there *there, const char *pipeline)
{
    target_open(&there->target, pipeline);
    target_acquire(&there->target);
    flow_begin_as(&there->flow, &there->target, WRITE_APPEND_DEDUP, true);
    must_commit(&there->flow, "all", SLICE_PUBLISH, "1", true,
                ORDERS({1, "one", "1", 5}, {2, "two", "2", 5}, {3, "three", "3", 5}));
}

static void end(struct table_there *there, const char *pipeline)
{
    books_balance(pipeline);
    flow_end(&there->flow);
    target_close(&there->target);
}

static void test_what_was_there_is_marked_deleted(void **state)
{
    struct table_there there;
    (void)state;
    begin(&there, "empty1");
    /* Rows before the mark are void, rows behind it count, be they older by the cursor. */
    must_commit(&there.flow, "all", SLICE_PUBLISH, "2", false,
                ORDERS({4, "void", "4", 9}, {1, "void", "4", 9}, EMPTIED, {2, "again", "2", 1}, {5, "five", "5", 1}));
    assert_string_equal(live("empty1"), "2|again;5|five");
    assert_int_equal(there.flow.counts.written, 2);
    assert_int_equal(there.flow.counts.deduplicated, 2);
    assert_int_equal(there.flow.counts.deleted, 2);
    assert_string_equal(rows_of("SELECT id, name FROM empty1.orders WHERE _sluice_deleted ORDER BY 1"), "1|one;3|three");
    must_commit(&there.flow, "all", SLICE_PUBLISH, "3", false, ORDERS(EMPTIED));
    assert_string_equal(live("empty1"), "");
    assert_int_equal(there.flow.counts.deleted, 2);
    must_commit(
        &there.flow, "all", SLICE_PUBLISH, "4", false,
        ORDERS(EMPTIED, {1, "void", "1", 1}, EMPTIED, {3, "back", "3", 1}, {3, "deleted", "delete", 0}, {6, "six", "6", 1}));
    assert_string_equal(live("empty1"), "6|six");
    end(&there, "empty1");
}

static void test_a_mark_waits_with_its_slice(void **state)
{
    struct table_there there;
    (void)state;
    begin(&there, "empty2");
    must_commit(&there.flow, "all", SLICE_HOLD, NULL, false, ORDERS({4, "void", "4", 1}, EMPTIED, {5, "five", "5", 1}));
    must_commit(&there.flow, "all", SLICE_HOLD, NULL, false, ORDERS({6, "six", "6", 1}));
    assert_string_equal(live("empty2"), "1|one;2|two;3|three");
    assert_string_equal(rows_of("SELECT rows, empties FROM _sluice.builds WHERE pipeline = 'empty2'"), "4|1");
    /* Begun again, it is forgotten; */
    must_commit(&there.flow, "all", SLICE_RESTART, NULL, false, NULL, 0);
    assert_string_equal(rows_of("SELECT rows, empties FROM _sluice.builds WHERE pipeline = 'empty2'"), "0|0");
    must_commit(&there.flow, "all", SLICE_PUBLISH, "2", false, ORDERS({7, "seven", "7", 1}));
    assert_string_equal(live("empty2"), "1|one;2|two;3|three;7|seven");
    /* published, it takes effect, also by a run that finds it there. */
    must_commit(&there.flow, "all", SLICE_HOLD, NULL, false, ORDERS({4, "void", "4", 1}, EMPTIED, {2, "again", "2", 1}));
    flow_end(&there.flow);
    flow_begin_as(&there.flow, &there.target, WRITE_APPEND_DEDUP, true);
    must_commit(&there.flow, "all", SLICE_PUBLISH, "3", false, ORDERS({8, "eight", "8", 1}));
    assert_string_equal(live("empty2"), "2|again;8|eight");
    /* The stage as a whole is merged where it stands. */
    must_commit(&there.flow, "all", SLICE_HOLD, NULL, false, ORDERS(EMPTIED));
    must_commit(&there.flow, "all", SLICE_PUBLISH, "4", true, ORDERS({9, "nine", "9", 1}));
    assert_string_equal(live("empty2"), "9|nine");
    assert_string_equal(rows_of("SELECT rows, empties FROM _sluice.builds WHERE pipeline = 'empty2'"), "0|0");
    end(&there, "empty2");
}

static void test_a_build_is_emptied(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND_DEDUP, WRITE_OVERWRITE};
    static const char *const NAMES[] = {"empty3", "empty4"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(MODES); i++) {
        struct table_there there;
        target_open(&there.target, NAMES[i]);
        target_acquire(&there.target);
        flow_begin_as(&there.flow, &there.target, MODES[i], true);
        must_commit(&there.flow, "all", SLICE_HOLD, NULL, false, ORDERS({1, "void", "1", 1}, {2, "void", "1", 1}));
        must_commit(&there.flow, "all", SLICE_HOLD, NULL, false,
                    ORDERS({3, "void", "1", 1}, EMPTIED, {1, "void", "1", 1}, EMPTIED, {2, "two", "2", 1}));
        must_commit(&there.flow, "all", SLICE_PUBLISH, "1", true, ORDERS({4, "four", "4", 1}));
        assert_string_equal(live(NAMES[i]), "2|two;4|four");
        end(&there, NAMES[i]);
    }
}

static void test_appended_rows_stay(void **state)
{
    struct table_there there;
    (void)state;
    target_open(&there.target, "empty5");
    target_acquire(&there.target);
    flow_begin_as(&there.flow, &there.target, WRITE_APPEND, true);
    must_commit(&there.flow, "all", SLICE_PUBLISH, "1", true, ORDERS({1, "one", "1", 1}, EMPTIED));
    must_commit(&there.flow, "all", SLICE_PUBLISH, "2", false, ORDERS({2, "two", "1", 1}, EMPTIED, {3, "three", "1", 1}));
    assert_string_equal(live("empty5"), "1|one;2|two;3|three");
    end(&there, "empty5");
}

FIXTURE_TESTS(cmocka_unit_test(test_what_was_there_is_marked_deleted), cmocka_unit_test(test_a_mark_waits_with_its_slice),
              cmocka_unit_test(test_a_build_is_emptied), cmocka_unit_test(test_appended_rows_stay))
