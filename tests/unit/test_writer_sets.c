/* sets: rows exploded from one record are replaced as a whole, in merges and in builds, by the newest version only. */
#include "writer_fixture.h"

/* A flow of items: of an order (the set) its lines; version is the cursor. */
struct items {
    struct flow flow;
    struct target *target;
};

static void items_begin(struct items *items, struct target *target, enum write_mode mode, bool has_cursor)
{
    static const char *const SET[] = {"order"};
    struct err err = ERR_INIT;
    struct schema *schema = schema_new("items");
    schema_add(schema, STR("order"), TYPE_INTEGER, true);
    schema_add(schema, STR("line"), TYPE_INTEGER, true);
    schema_add(schema, STR("version"), TYPE_INTEGER, true);
    schema_add(schema, STR("sku"), TYPE_STRING, true);
    schema_set_key(schema, 0);
    schema_set_key(schema, 1);
    *items = (struct items){.flow = {.schema = schema}, .target = target};
    items->flow.table = (struct table_spec){.stream = "items",
                                            .name = "items",
                                            .mode = mode,
                                            .schema = schema,
                                            .cursor = has_cursor ? "version" : NULL,
                                            .set = SET,
                                            .set_count = 1,
                                            .shrink_limit = 1};
    items->flow.spec = (struct flow_spec){.pipeline = target->pipeline,
                                          .flow = "orders",
                                          .connector = "shop 1.0.0",
                                          .tables = &items->flow.table,
                                          .table_count = 1};
    if (PG->flow_open(target->destination, &items->flow.spec, &items->flow.writer, &err) != 0)
        fail_msg("flow_open: %s", err.message);
}

/* One load of the sets in `text`: "1@5:ab 2@5:" is order 1 in version 5 with the lines a and b, and order 2 with none; "!" for
 * a sku is a text that the server refuses. */
static void commit_items(struct items *items, const char *slice, enum slice_outcome outcome, bool complete, const char *text)
{
    static const char *const SKUS[] = {"a", "b", "c", "d", "e"};
    struct flow *flow = &items->flow;
    struct err err = ERR_INIT;
    struct state state = {0};
    struct batch *batch = batch_new(budget, flow->schema, 4);
    struct str rest = str_from(text), set;
    flow->counts = (struct load_counts){0};
    while (str_next(&rest, ' ', &set)) {
        int64_t order = set.data[0] - '0', version = set.data[2] - '0';
        for (size_t i = 4; i < set.size || i == 4; i++) {
            bool is_empty = set.size == 4;
            struct value *row = batch_add_row(batch, is_empty ? ROW_EMPTY : i == 4 ? ROW_FIRST : ROW_UPSERT);
            row[0] = (struct value){.kind = VALUE_INTEGER, .i = order};
            row[2] = (struct value){.kind = VALUE_INTEGER, .i = version};
            if (is_empty) break;
            row[1] = (struct value){.kind = VALUE_INTEGER, .i = (int64_t)i - 4};
            set_text(&row[3], VALUE_STRING, SKUS[set.data[i] - 'a']);
            flow->counts.emitted++;
        }
    }
    batch->first_sequence = flow->next;
    flow->next += batch->rows;
    struct load_slice slices = {.id = slice, .outcome = outcome};
    struct load load = {.batches = &batch,
                        .batch_count = batch->rows ? 1 : 0,
                        .slices = &slices,
                        .slice_count = 1,
                        .state = &state,
                        .counts = &flow->counts,
                        .complete = complete};
    if (PG->commit(flow->writer, &load, &err) != 0) fail_msg("commit: %s (%s)", err.message, err.hint);
    batch_free(batch);
}

static const char *live(const char *schema)
{
    char query[256];
    snprintf(query, sizeof(query),
             "SELECT \"order\" || '@' || version || ':' || string_agg(sku, '' ORDER BY line) FROM %s.items "
             "WHERE NOT _sluice_deleted GROUP BY \"order\", version ORDER BY 1",
             schema);
    return rows_of(query);
}

static void test_a_merge_replaces_sets(void **state)
{
    struct target target;
    struct items items;
    (void)state;
    target_open(&target, "sets1");
    target_acquire(&target);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@1:abc 2@1:ab 3@1: 4@1:a");
    assert_string_equal(live("sets1"), "1@1:abc;2@1:ab;4@1:a");
    assert_int_equal(items.flow.counts.written, 6);

    commit_items(&items, "all", SLICE_PUBLISH, true, "1@2:ab 2@2: 3@2:d 4@2:ab");
    assert_string_equal(live("sets1"), "1@2:ab;3@2:d;4@2:ab");
    assert_int_equal(items.flow.counts.written, 5);
    assert_int_equal(items.flow.counts.deleted, 3);

    commit_items(&items, "all", SLICE_PUBLISH, true, "2@3:e");
    assert_string_equal(live("sets1"), "1@2:ab;2@3:e;3@2:d;4@2:ab");
    books_balance("sets1");
    flow_end(&items.flow);
    target_close(&target);
}

static void test_what_has_not_changed_is_not_touched(void **state)
{
    struct target target;
    struct items items;
    static const char TOUCHED[] = "SELECT \"order\", line, xmin FROM sets2.items ORDER BY 1, 2";
    char before[512];
    (void)state;
    target_open(&target, "sets2");
    target_acquire(&target);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@1:abc 2@1:ab 3@1:a");
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@2:a 3@2:");
    snprintf(before, sizeof(before), "%s", rows_of(TOUCHED));
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@2:a 2@1:ab 3@2:");
    assert_string_equal(rows_of(TOUCHED), before);
    assert_int_equal(items.flow.counts.unchanged, 3);
    assert_int_equal(items.flow.counts.deleted, 0);
    books_balance("sets2");
    flow_end(&items.flow);
    target_close(&target);
}

static void test_only_the_newest_version_counts(void **state)
{
    struct target target;
    struct items items;
    (void)state;
    target_open(&target, "sets3");
    target_acquire(&target);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@5:a 2@5:abc 9@1:a");

    /* An older version adds nothing, also where the newer one has fewer rows. */
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@4:abc 2@4:");
    assert_string_equal(live("sets3"), "1@5:a;2@5:abc;9@1:a");
    assert_int_equal(items.flow.counts.deduplicated, 3);

    /* In one load: by version, whatever came first; ties by arrival. */
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@7:ab 1@6:cde 2@6:abc 2@7: 3@6:ab 3@6:c 4@6:a 4@6:");
    assert_string_equal(live("sets3"), "1@7:ab;3@6:c;9@1:a");
    assert_int_equal(items.flow.counts.deduplicated, 9);

    /* A set that was emptied is as new as the version that did it, and so is one emptied again. */
    commit_items(&items, "all", SLICE_PUBLISH, true, "2@6:abc");
    commit_items(&items, "all", SLICE_PUBLISH, true, "2@9:");
    commit_items(&items, "all", SLICE_PUBLISH, true, "2@8:abc");
    assert_string_equal(live("sets3"), "1@7:ab;3@6:c;9@1:a");
    books_balance("sets3");
    flow_end(&items.flow);
    target_close(&target);
}

static void test_without_a_cursor_the_last_to_come_counts(void **state)
{
    struct target target;
    struct items items;
    (void)state;
    target_open(&target, "sets4");
    target_acquire(&target);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, false);
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@5:ab 1@1:c 2@1:a");
    commit_items(&items, "all", SLICE_PUBLISH, true, "2@1:bb 2@1: 1@1:cd");
    assert_string_equal(live("sets4"), "1@1:cd");
    books_balance("sets4");
    flow_end(&items.flow);
    target_close(&target);
}

static void test_a_build_keeps_the_newest_sets_over_loads_and_runs(void **state)
{
    struct target target;
    struct items items;
    (void)state;
    target_open(&target, "sets5");
    target_acquire(&target);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
    commit_items(&items, "one", SLICE_HOLD, false, "1@1:abc 2@1:ab 3@2: 5@1:a");
    commit_items(&items, "one", SLICE_RESTART, false, "");
    assert_string_equal(rows_of("SELECT sum(written), sum(discarded) FROM _sluice.loads WHERE pipeline = 'sets5'"), "0|6");
    commit_items(&items, "one", SLICE_PUBLISH, false, "1@1:abc 2@2: 3@2: 4@1:e");
    flow_end(&items.flow);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
    commit_items(&items, "two", SLICE_PUBLISH, true, "1@2:d 2@1:ab 3@1:abc 5@1:aab");
    assert_string_equal(live("sets5"), "1@2:d;4@1:e;5@1:aab");
    assert_string_equal(rows_of("SELECT count(*) FROM sets5.items"), "5");
    assert_string_equal(rows_of("SELECT column_name FROM information_schema.columns WHERE table_schema = 'sets5' AND "
                                "column_name IN ('_sluice_set', '_sluice_seq')"),
                        "");
    books_balance("sets5");
    flow_end(&items.flow);
    target_close(&target);
}

static void test_held_sets_wait_in_the_stage(void **state)
{
    struct target target;
    struct items items;
    (void)state;
    target_open(&target, "sets6");
    target_acquire(&target);
    items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
    commit_items(&items, "all", SLICE_PUBLISH, true, "1@1:abc 2@1:ab 3@1:a");
    commit_items(&items, "one", SLICE_HOLD, false, "1@2: 2@2:a");
    commit_items(&items, "two", SLICE_HOLD, false, "3@2:");
    assert_string_equal(live("sets6"), "1@1:abc;2@1:ab;3@1:a");
    assert_string_equal(rows_of("SELECT rows, empties FROM _sluice.builds WHERE pipeline = 'sets6'"), "3|2");
    commit_items(&items, "two", SLICE_RESTART, false, "");
    assert_string_equal(rows_of("SELECT rows, empties FROM _sluice.builds WHERE pipeline = 'sets6'"), "2|1");
    commit_items(&items, "one", SLICE_PUBLISH, false, "2@3:ab");
    assert_string_equal(live("sets6"), "2@3:ab;3@1:a");
    commit_items(&items, "two", SLICE_HOLD, false, "3@3:");
    commit_items(&items, "two", SLICE_PUBLISH, true, ""); /* nothing but a set that is empty */
    assert_string_equal(live("sets6"), "2@3:ab");
    assert_string_equal(rows_of("SELECT rows, empties FROM _sluice.builds WHERE pipeline = 'sets6'"), "0|0");
    books_balance("sets6");
    flow_end(&items.flow);
    target_close(&target);
}

static void test_append_takes_all_rows_and_overwrite_the_newest_sets(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND, WRITE_OVERWRITE};
    static const char *const NAMES[] = {"sets7", "sets8"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(MODES); i++) {
        struct target target;
        struct items items;
        target_open(&target, NAMES[i]);
        target_acquire(&target);
        items_begin(&items, &target, WRITE_APPEND_DEDUP, true);
        commit_items(&items, "one", SLICE_HOLD, false, "1@1:ab 2@1:"); /* left behind by another mode */
        flow_end(&items.flow);
        items_begin(&items, &target, MODES[i], true);
        commit_items(&items, "one", SLICE_PUBLISH, true, "3@1:c 4@1: 5@2: 5@1:d 6@1:ab 6@2:c");
        /* Appended is what came; what overwrites has one version of each. */
        bool appends = MODES[i] == WRITE_APPEND;
        assert_string_equal(live(NAMES[i]), appends ? "1@1:ab;3@1:c;5@1:d;6@1:ab;6@2:c" : "1@1:ab;3@1:c;6@2:c");
        books_balance(NAMES[i]);
        flow_end(&items.flow);
        target_close(&target);
    }
}

FIXTURE_TESTS(cmocka_unit_test(test_a_merge_replaces_sets), cmocka_unit_test(test_what_has_not_changed_is_not_touched),
              cmocka_unit_test(test_only_the_newest_version_counts),
              cmocka_unit_test(test_without_a_cursor_the_last_to_come_counts),
              cmocka_unit_test(test_a_build_keeps_the_newest_sets_over_loads_and_runs),
              cmocka_unit_test(test_held_sets_wait_in_the_stage),
              cmocka_unit_test(test_append_takes_all_rows_and_overwrite_the_newest_sets))
