/* The PostgreSQL writer on a real server: what rows and state look like after loads, in every write mode. */
#include "writer_fixture.h"

static void test_append_makes_the_table_and_adds_rows(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    target_open(&target, "append1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_string_equal(stored_cursor(&flow), "-");
    must_commit(&flow, "all", SLICE_PUBLISH, "5", false,
                ORDERS({1, "Ada \xF0\x9F\x98\x80", "9007199254740993.10", 3}, {2, NULL, NULL, 5}));
    assert_string_equal(rows_of("SELECT id, name, amount, version, _sluice_deleted FROM append1.orders ORDER BY id"),
                        "1|Ada \xF0\x9F\x98\x80|9007199254740993.10|3|false;2|-|-|5|false");
    assert_int_equal(flow.counts.written, 2);
    must_commit(&flow, "all", SLICE_PUBLISH, "7", true, ORDERS({1, "Ada", "1e2", 7}));
    assert_string_equal(rows_of("SELECT count(*), min(amount), count(DISTINCT _sluice_load_id) FROM append1.orders"),
                        "3|100|2");
    assert_string_equal(stored_cursor(&flow), "7");
    assert_string_equal(rows_of("SELECT pg_typeof(id), pg_typeof(name), pg_typeof(amount), pg_typeof(_sluice_synced_at) "
                                "FROM append1.orders LIMIT 1"),
                        "bigint|text|numeric|timestamp with time zone");
    /* Nothing of the building is left. */
    assert_int_equal(number_of("SELECT count(*) FROM _sluice.builds WHERE pipeline = 'append1'"), 0);
    assert_string_equal(rows_of("SELECT relname FROM pg_class WHERE relnamespace = 'append1'::regnamespace AND relkind = 'r'"),
                        "orders");
    assert_string_equal(rows_of("SELECT max(_sluice_synced_at) BETWEEN now() - interval '1 min' AND now() FROM append1.orders"),
                        "true");
    assert_string_equal(rows_of("SELECT sum(emitted), sum(written) FROM _sluice.loads WHERE pipeline = 'append1'"), "3|3");
    flow_end(&flow);
    target_close(&target);
}

static void test_every_type_arrives_as_it_is(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    struct schema *schema = schema_new("orders");
    struct arena arena = ARENA_INIT(0);
    static const enum type TYPES[] = {TYPE_STRING, TYPE_INTEGER,   TYPE_DECIMAL,       TYPE_FLOAT, TYPE_BOOLEAN,
                                      TYPE_DATE,   TYPE_TIMESTAMP, TYPE_TIMESTAMP_NTZ, TYPE_JSON,  TYPE_BINARY};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) schema_add(schema, str_from(type_name(TYPES[i])), TYPES[i], true);
    target_open(&target, "types1");
    target_acquire(&target);
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND, schema, &err), 0);
    struct batch *batch = batch_new(budget, schema, ARRAY_SIZE(TYPES));
    struct value *row = batch_add_row(batch, ROW_UPSERT);
    row[0] = (struct value){.kind = VALUE_STRING, .size = 3, .data = "a\"b"};
    row[1] = (struct value){.kind = VALUE_INTEGER, .i = INT64_MIN};
    row[2] = (struct value){.kind = VALUE_INTEGER, .i = -1200000};
    row[3] = (struct value){.kind = VALUE_FLOAT, .f = 0.1};
    row[4] = (struct value){.kind = VALUE_BOOLEAN, .i = 1};
    row[5] = (struct value){.kind = VALUE_DATE, .i = -1};
    row[6] = (struct value){.kind = VALUE_TIMESTAMP, .i = 1700000000123456};
    row[7] = (struct value){.kind = VALUE_TIMESTAMP, .i = -1};
    row[8] = (struct value){.kind = VALUE_JSON, .size = 25, .data = "{\"n\":9007199254740993.10}"};
    row[9] = (struct value){.kind = VALUE_BINARY, .size = 3, .data = "\0\xff\1"};
    batch_add_row(batch, ROW_UPSERT); /* all null */
    struct load_slice slice = {.id = "all", .outcome = SLICE_PUBLISH};
    struct load load = {
        .batches = &batch, .batch_count = 1, .slices = &slice, .slice_count = 1, .counts = &flow.counts, .complete = true};
    assert_int_equal(PG->commit(flow.writer, &load, &err), 0);
    sql("SET TimeZone = 'UTC'");
    assert_string_equal(
        rows_of("SELECT \"string\", \"integer\", \"decimal\", \"float\", \"boolean\", \"date\", "
                "\"timestamp\"::text AS t, \"timestamp_ntz\"::text AS n, \"json\"::text AS j, encode(\"binary\", 'hex') AS b "
                "FROM types1.orders WHERE \"string\" IS NOT NULL"),
        "a\"b|-9223372036854775808|-1200000|0.1|true|1969-12-31|2023-11-14 22:13:20.123456+00|"
        "1969-12-31 23:59:59.999999|{\"n\": 9007199254740993.10}|00ff01");
    assert_int_equal(
        number_of("SELECT count(*) FROM types1.orders WHERE num_nulls(\"string\", \"integer\", \"decimal\", \"float\", "
                  "\"boolean\", \"date\", \"timestamp\", \"timestamp_ntz\", \"json\", \"binary\") = 10"),
        1);
    batch_free(batch);
    arena_release(&arena);
    flow_end(&flow);
    target_close(&target);
}

static void test_new_fields_become_columns_and_keep_their_names(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    char long_name[101];
    memset(long_name, 'x', 100);
    long_name[100] = '\0';
    const char *const fields[] = {"Name", "xmin", "_sluice_deleted", "say \"hi\"", "\xF0\x9F\x98\x80", long_name};
    (void)state;
    target_open(&target, "evolve1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, false, ORDERS({1, "a", "1", 1}));
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        assert_non_null(schema_add(flow.schema, str_from(fields[i]), TYPE_STRING, false));
    struct batch *batch = batch_new(budget, flow.schema, 4 + ARRAY_SIZE(fields));
    struct value *row = batch_add_row(batch, ROW_UPSERT);
    row[0] = (struct value){.kind = VALUE_INTEGER, .i = 2};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) set_text(&row[4 + i], VALUE_STRING, "v");
    struct load_slice slice = {.id = "all", .outcome = SLICE_PUBLISH};
    struct load load = {.batches = &batch, .batch_count = 1, .slices = &slice, .slice_count = 1, .counts = &flow.counts};
    if (PG->commit(flow.writer, &load, &err) != 0) fail_msg("%s", err.message);
    batch_free(batch);
    assert_int_equal(number_of("SELECT count(*) FROM pg_attribute WHERE attrelid = 'evolve1.orders'::regclass AND attnum > 0 "
                               "AND NOT attisdropped"),
                     4 + 6 + 3);
    assert_int_equal(
        number_of("SELECT count(*) FROM evolve1.orders o, json_each_text(to_json(o)) e WHERE o.id = 2 AND e.value = 'v'"), 6);
    char before[4096];
    snprintf(before, sizeof(before), "%s",
             rows_of("SELECT field, column_name FROM _sluice.schema_changes WHERE pipeline = 'evolve1' ORDER BY id"));
    flow_end(&flow);
    /* Another run learns the columns from the map, and gives the same names. */
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_int_equal(schema_count(flow.schema), 4 + 6);
    assert_non_null(schema_find(flow.schema, str_from(long_name)));
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true, ORDERS({3, "c", "1", 1}));
    assert_string_equal(rows_of("SELECT field, column_name FROM _sluice.schema_changes WHERE pipeline = 'evolve1' ORDER BY id"),
                        before);
    assert_int_equal(number_of("SELECT count(*) FROM evolve1.orders"), 3);
    flow_end(&flow);
    target_close(&target);
}

static void test_table_names_of_any_shape(void **state)
{
    struct target target;
    struct err err = ERR_INIT;
    char long_name[91];
    memset(long_name, 'T', 90);
    long_name[90] = '\0';
    const char *const names[] = {"Orders", "orders", "or\"ders'", "\xF0\x9F\x98\x80 table", "pg_catalog", long_name};
    (void)state;
    target_open(&target, "names1");
    target_acquire(&target);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct flow flow = {.schema = orders_schema()};
        flow.table =
            (struct table_spec){.stream = names[i], .name = names[i], .mode = WRITE_APPEND_DEDUP, .schema = flow.schema};
        flow.spec = (struct flow_spec){
            .pipeline = "names1", .flow = names[i], .connector = "c", .tables = &flow.table, .table_count = 1};
        if (PG->flow_open(target.destination, &flow.spec, &flow.writer, &err) != 0) fail_msg("%s", err.message);
        must_commit(&flow, "all", SLICE_PUBLISH, "1", true, ORDERS({1, "a", "1", 1}));
        must_commit(&flow, "all", SLICE_PUBLISH, "2", true, ORDERS({1, "b", "1", 2}));
        flow_end(&flow);
    }
    assert_int_equal(number_of("SELECT count(*) FROM pg_class WHERE relnamespace = 'names1'::regnamespace AND relkind = 'r'"),
                     6);
    assert_int_equal(number_of("SELECT count(DISTINCT lower(relname)) FROM pg_class WHERE relnamespace = "
                               "'names1'::regnamespace AND relkind = 'r'"),
                     6);
    assert_int_equal(
        number_of("SELECT max(length(relname)) FROM pg_class WHERE relnamespace = 'names1'::regnamespace AND relkind = 'r'"),
        51);
    target_close(&target);
}

static void test_merge_touches_only_what_is_newer_and_different(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    target_open(&target, "merge1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    /* First build: duplicates in one load and over loads; ties go to the last to arrive. */
    must_commit(&flow, "all", SLICE_PUBLISH, "1", false,
                ORDERS({1, "old", "1", 1}, {1, "new", "2", 5}, {2, "b", "1", 5}, {3, "tie1", "1", 5}, {3, "tie2", "1", 5}));
    assert_int_equal(number_of("SELECT count(*) FROM pg_class WHERE oid = to_regclass('merge1.orders')"), 0);
    assert_non_null(PG->note(flow.writer));
    uint64_t written = flow.counts.written;
    must_commit(&flow, "all", SLICE_PUBLISH, "2", true, ORDERS({2, "stale", "9", 4}, {4, "d", "1", 5}));
    written += flow.counts.written;
    assert_int_equal(written, 4);
    assert_int_equal(flow.counts.deduplicated, 3);
    assert_null(PG->note(flow.writer));
    assert_string_equal(rows_of("SELECT id, name, amount, version FROM merge1.orders ORDER BY id"),
                        "1|new|2|5;2|b|1|5;3|tie2|1|5;4|d|1|5");
    assert_int_equal(
        number_of("SELECT count(*) FROM pg_constraint WHERE conrelid = 'merge1.orders'::regclass AND contype = 'p'"), 1);

    char before[256];
    snprintf(before, sizeof(before), "%s", rows_of("SELECT ctid, xmin FROM merge1.orders WHERE id IN (2, 4) ORDER BY id"));
    must_commit(&flow, "all", SLICE_PUBLISH, "3", true,
                ORDERS({1, "older", "7", 4}, {2, "b", "1", 5}, {3, "tie3", "1", 5}, {4, "d", "1.00", 5}, {5, "e", "1", 6},
                       {5, "e2", "1", 7}));
    assert_string_equal(rows_of("SELECT id, name, amount, version FROM merge1.orders ORDER BY id"),
                        "1|new|2|5;2|b|1|5;3|tie3|1|5;4|d|1|5;5|e2|1|7");
    assert_string_equal(rows_of("SELECT ctid, xmin FROM merge1.orders WHERE id IN (2, 4) ORDER BY id"), before);
    assert_int_equal(flow.counts.written, 2);
    assert_int_equal(flow.counts.unchanged, 2);
    assert_int_equal(flow.counts.deduplicated, 2); /* the older one, and one of the two e */
    assert_string_equal(rows_of("SELECT sum(emitted) = sum(written) + sum(unchanged) + sum(deduplicated), sum(written) "
                                "FROM _sluice.loads WHERE pipeline = 'merge1'"),
                        "true|6");
    flow_end(&flow);
    target_close(&target);
}

static void test_deletes_mark_and_missing_values_keep(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    target_open(&target, "partial1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    /* In a build: partial rows are completed from older versions of their key. */
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true,
                ORDERS({1, "a", "1", 1}, {1, "?", "2", 2}, {2, "b", "5", 1}, {3, "c", "1", 1}));
    assert_string_equal(rows_of("SELECT id, name, amount, version FROM partial1.orders ORDER BY id"),
                        "1|a|2|2;2|b|5|1;3|c|1|1");
    /* In a merge: from the load first, then from the target. A deletion may come with the key alone. */
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, false,
                ORDERS({1, "?", "3", 3}, {1, "new", "?", 4}, {2, NULL, "delete", 0}, {3, "?", NULL, 2}, {4, "?", "8", 1}));
    assert_string_equal(rows_of("SELECT id, name, amount, version, _sluice_deleted FROM partial1.orders ORDER BY id"),
                        "1|new|3|4|false;2|b|5|1|true;3|c|-|2|false;4|-|8|1|false");
    assert_int_equal(flow.counts.deleted, 1);
    assert_int_equal(flow.counts.deduplicated, 1);
    /* It comes back. */
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, false, ORDERS({2, "back", "6", 2}));
    assert_string_equal(rows_of("SELECT name, _sluice_deleted FROM partial1.orders WHERE id = 2"), "back|false");
    flow_end(&flow);
    target_close(&target);
}

static void test_held_rows_wait_in_the_stage(void **state)
{
    struct target target;
    struct flow flow;
    enum write_mode modes[] = {WRITE_APPEND, WRITE_APPEND_DEDUP};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        char pipeline[16], query[256];
        snprintf(pipeline, sizeof(pipeline), "hold%zu", i + 1);
        snprintf(query, sizeof(query), "SELECT id, name FROM %s.orders ORDER BY id, name", pipeline);
        target_open(&target, pipeline);
        target_acquire(&target);
        flow_begin(&flow, &target, modes[i]);
        must_commit(&flow, "s1", SLICE_PUBLISH, "1", true, ORDERS({1, "a", "1", 1}));
        must_commit(&flow, "s1", SLICE_HOLD, NULL, false, ORDERS({2, "b", "1", 2}));
        must_commit(&flow, "s2", SLICE_HOLD, NULL, false, ORDERS({3, "wrong", "1", 2}));
        assert_string_equal(rows_of(query), "1|a");
        /* What is held survives this writer. */
        flow_end(&flow);
        flow_begin(&flow, &target, modes[i]);
        must_commit(&flow, "s2", SLICE_RESTART, NULL, false, NULL, 0);
        must_commit(&flow, "s2", SLICE_HOLD, NULL, false, ORDERS({3, "right", "1", 2}));
        must_commit(&flow, "s1", SLICE_PUBLISH, "2", false, ORDERS({4, "d", "1", 2}));
        assert_string_equal(rows_of(query), "1|a;2|b;4|d");
        must_commit(&flow, "s2", SLICE_PUBLISH, "3", false, NULL, 0);
        assert_string_equal(rows_of(query), "1|a;2|b;3|right;4|d");
        char books[256];
        snprintf(books, sizeof(books),
                 "SELECT sum(emitted) = sum(written) + sum(unchanged) + sum(deduplicated) + sum(discarded), sum(written), "
                 "sum(discarded) FROM _sluice.loads WHERE pipeline = '%s'",
                 pipeline);
        assert_string_equal(rows_of(books), "true|4|1");
        assert_int_equal(number_of("SELECT count(*) FROM _sluice.held WHERE pipeline LIKE 'hold%'"), 0);
        flow_end(&flow);
        target_close(&target);
    }
}

static void test_an_unfinished_build_is_taken_up_by_the_next_run(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    target_open(&target, "resume1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "s1", SLICE_PUBLISH, "10", false, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    must_commit(&flow, "s2", SLICE_HOLD, NULL, false, ORDERS({7, "held", "1", 1}));
    flow_end(&flow);
    PG->release(target.destination);
    target_close(&target);

    target_open(&target, "resume1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    assert_string_equal(stored_cursor(&flow), "10"); /* pending, but ours */
    assert_int_equal(number_of("SELECT count(*) FROM _sluice.state WHERE pipeline = 'resume1' AND NOT pending"), 0);
    /* A restarted slice loses what was held of it, and nothing else. Arrival numbers go on where they were. */
    must_commit(&flow, "s2", SLICE_RESTART, NULL, false, NULL, 0);
    must_commit(&flow, "s1", SLICE_HOLD, NULL, false, ORDERS({2, "lost", "1", 1}));
    must_commit(&flow, "s1", SLICE_RESTART, NULL, false, NULL, 0);
    must_commit(&flow, "s1", SLICE_PUBLISH, "11", true, ORDERS({2, "tie goes to the later run", "1", 1}));
    assert_string_equal(rows_of("SELECT id, name FROM resume1.orders ORDER BY id"), "1|a;2|tie goes to the later run");
    assert_string_equal(rows_of("SELECT kind, value, pending, target FROM _sluice.state WHERE pipeline = 'resume1'"),
                        "cursor|11|false|resume1.orders");
    assert_string_equal(rows_of("SELECT sum(emitted) = sum(written) + sum(deduplicated) + sum(discarded), sum(written) "
                                "FROM _sluice.loads WHERE pipeline = 'resume1'"),
                        "true|2");
    flow_end(&flow);
    target_close(&target);
}

static void test_a_stream_without_rows_gets_its_table(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    target_open(&target, "empty1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, NULL, SLICE_PUBLISH, "1", true, NULL, 0);
    assert_int_equal(number_of("SELECT count(*) FROM empty1.orders"), 0);
    assert_string_equal(stored_cursor(&flow), "1");
    flow_end(&flow);
    target_close(&target);
}

static void test_rows_that_cannot_be_stored_become_rejects(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    (void)state;
    target_open(&target, "reject1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true, ORDERS({1, "a", "1", 1}));
    /* The server refuses what is not UTF-8; the numeric of 2 is past any range. */
    must_commit(
        &flow, "all", SLICE_PUBLISH, "2", false,
        ORDERS({2, "b", "1e999999", 2}, {3, "bad \xff\xfe", "1", 2}, {4, "d", "1", 2}, {5, "\xc3", "1", 2}, {6, "f", "1", 2}));
    assert_string_equal(rows_of("SELECT id FROM reject1.orders ORDER BY id"), "1;4;6");
    assert_int_equal(flow.counts.written, 2);
    assert_int_equal(flow.counts.rejected, 3);
    assert_string_equal(
        rows_of(
            "SELECT reason, coalesce(field, '-') AS f, dropped FROM _sluice.rejects WHERE pipeline = 'reject1' ORDER BY 1, 2"),
        "refused_by_database|-|true;refused_by_database|-|true;type_mismatch|amount|true");
    assert_string_equal(
        rows_of("SELECT convert_from(record, 'UTF8')::json->>'id' AS id FROM _sluice.rejects WHERE pipeline = 'reject1' "
                "AND reason = 'type_mismatch'"),
        "2");

    /* The caller's own rejects go with the load, or alone when it is given up. */
    struct reject rejects[] = {{.stream = "orders",
                                .field = "id",
                                .reason = "missing_primary_key",
                                .detail = "d",
                                .record = STR("{}"),
                                .row_was_dropped = true}};
    struct load_counts counts = {.emitted = 1, .rejected = 1};
    struct load load = {.rejects = rejects, .reject_count = 1, .counts = &counts};
    assert_int_equal(PG->commit(flow.writer, &load, &err), 0);
    assert_int_equal((PG->fail)(flow.writer, &load, "too many rejects", &err), 0);
    assert_int_equal(
        number_of("SELECT count(*) FROM _sluice.rejects WHERE pipeline = 'reject1' AND reason = 'missing_primary_key'"), 2);
    assert_string_equal(rows_of("SELECT kind, note, emitted FROM _sluice.loads WHERE pipeline = 'reject1' AND kind = 'failed'"),
                        "failed|too many rejects|0");
    flow_end(&flow);
    target_close(&target);
}

static void test_state_of_a_build_is_told_apart(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    struct arena arena = ARENA_INIT(0);
    struct flow_state *flows;
    size_t count;
    (void)state;
    target_open(&target, "state2");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "all", SLICE_HOLD, "5", false, ORDERS({1, "a", "1", 1}));
    assert_int_equal(PG->state_read(target.destination, &arena, &flows, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_true(flows[0].is_pending);
    must_commit(&flow, "all", SLICE_PUBLISH, "6", true, ORDERS({2, "b", "1", 1}));
    assert_int_equal(PG->state_read(target.destination, &arena, &flows, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_false(flows[0].is_pending);
    flow_end(&flow);
    arena_release(&arena);
    target_close(&target);
}

static void test_state_is_read_changed_and_reset(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    struct arena arena = ARENA_INIT(0);
    struct flow_state *flows;
    size_t count;
    (void)state;
    target_open(&target, "state1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    must_commit(&flow, "all", SLICE_PUBLISH, "a \"quoted\" \\ {cursor}, NULL", true, ORDERS({1, "a", "1", 1}));
    assert_string_equal(stored_cursor(&flow), "a \"quoted\" \\ {cursor}, NULL");
    must_commit(&flow, "all", SLICE_HOLD, NULL, false, ORDERS({2, "held", "1", 1}));
    /* A delta removes by tombstone. */
    struct state delta = STATE_INIT(&arena);
    state_set(&delta, "", "s1", "position", "{\"page\":2}");
    struct load load = {.state = &delta, .counts = &flow.counts};
    assert_int_equal(PG->commit(flow.writer, &load, &err), 0);
    assert_int_equal(PG->state_read(target.destination, &arena, &flows, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(flows[0].flow, "orders");
    assert_string_equal(flows[0].target, "state1.orders");
    assert_string_equal(state_get(&flows[0].state, "", "s1", "position"), "{\"page\":2}");
    state_set(&delta, "", "s1", "position", NULL);
    assert_int_equal(PG->commit(flow.writer, &load, &err), 0);
    assert_int_equal(number_of("SELECT count(*) FROM _sluice.state WHERE pipeline = 'state1'"), 1);
    flow_end(&flow);

    struct state_entry entry = {.stream = "orders", .slice = "", .kind = "cursor", .value = "12"};
    assert_int_equal(PG->state_write(target.destination, "orders", &entry, &err), 0);
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_string_equal(stored_cursor(&flow), "12");
    flow_end(&flow);
    entry.kind = NULL;
    assert_int_equal(PG->state_write(target.destination, "orders", &entry, &err), 0);
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_string_equal(stored_cursor(&flow), "-");
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true, NULL, 0);
    assert_string_equal(rows_of("SELECT name FROM state1.orders"), "a"); /* the held row is gone */
    flow_end(&flow);
    PG->release(target.destination);
    entry.kind = "cursor";
    assert_int_equal(PG->state_write(target.destination, "orders", &entry, &err), ERR_HELD);
    target_close(&target);
    arena_release(&arena);
}

static void test_a_target_that_is_gone_or_different_is_refused(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    struct schema *schema;
    (void)state;
    target_open(&target, "gone1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    must_commit(&flow, "all", SLICE_PUBLISH, "5", true, ORDERS({1, "a", "1", 1}));
    /* While the flow is open. */
    sql("ALTER TABLE gone1.orders RENAME TO moved");
    assert_int_equal(commit_orders(&flow, "all", SLICE_PUBLISH, "6", false, ORDERS({2, "b", "1", 1}), &err), ERR_SCHEMA);
    flow_end(&flow);
    /* Before it opens: never silent increments into a new table. */
    schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND, schema, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.hint, "sluice state reset gone1 --stream orders"));
    schema_free(schema);
    sql("ALTER TABLE gone1.moved RENAME TO orders; ALTER TABLE gone1.orders ALTER COLUMN amount TYPE numeric(10,2)");
    schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND, schema, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.message, "numeric(10,2)"));
    schema_free(schema);
    sql("ALTER TABLE gone1.orders ALTER COLUMN amount TYPE numeric; DROP TABLE gone1.orders; CREATE VIEW gone1.orders AS "
        "SELECT 1 AS id");
    schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND, schema, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.message, "not a table"));
    schema_free(schema);
    target_close(&target);
}

static void test_a_table_of_others_is_adopted(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    struct schema *schema;
    (void)state;
    sql("CREATE SCHEMA adopt1; CREATE TABLE adopt1.orders (id bigint NOT NULL, name varchar, mine text DEFAULT 'x')");
    target_open(&target, "adopt1");
    target_acquire(&target);
    schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND_DEDUP, schema, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.message, "unique index"));
    schema_free(schema);
    sql("CREATE UNIQUE INDEX ON adopt1.orders (id); INSERT INTO adopt1.orders VALUES (1, 'was here')");
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "all", SLICE_PUBLISH, "5", false, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    assert_string_equal(rows_of("SELECT id, name, mine, amount FROM adopt1.orders ORDER BY id"), "1|a|x|1;2|b|x|1");
    flow_end(&flow);
    sql("ALTER TABLE adopt1.orders ADD COLUMN must text NOT NULL DEFAULT ''; ALTER TABLE adopt1.orders ALTER COLUMN must DROP "
        "DEFAULT");
    schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND_DEDUP, schema, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.message, "\"must\""));
    schema_free(schema);
    target_close(&target);
}

/* A flow of orders and the items exploded from them. */
struct family {
    struct schema *orders, *items;
    struct table_spec tables[2];
    struct flow_spec spec;
    struct writer *writer;
    struct load_counts counts[2];
    uint64_t next;
};

static int family_try(struct family *family, struct target *target, enum write_mode mode, bool with_items, struct err *err)
{
    *family = (struct family){.orders = orders_schema(), .items = schema_new("items")};
    schema_add(family->items, STR("sku"), TYPE_STRING, true);
    schema_set_key(family->items, 0);
    family->tables[0] =
        (struct table_spec){.stream = "orders", .name = "orders", .mode = mode, .schema = family->orders, .cursor = "version"};
    family->tables[1] = (struct table_spec){.stream = "items", .name = "items", .mode = mode, .schema = family->items};
    family->spec = (struct flow_spec){.pipeline = target->pipeline,
                                      .flow = "orders",
                                      .connector = "c",
                                      .tables = family->tables,
                                      .table_count = with_items ? 2 : 1};
    return PG->flow_open(target->destination, &family->spec, &family->writer, err);
}

static void family_begin(struct family *family, struct target *target, enum write_mode mode, bool with_items)
{
    struct err err = ERR_INIT;
    if (family_try(family, target, mode, with_items, &err) != 0) fail_msg("%s", err.message);
}

static void family_end(struct family *family)
{
    PG->flow_close(family->writer);
    schema_free(family->orders);
    schema_free(family->items);
}

/* One order and, with a sku, one item of it. */
static void family_commit(struct family *family, enum slice_outcome outcome, const char *cursor, bool complete, int64_t id,
                          const char *sku)
{
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    struct err err = ERR_INIT;
    struct batch *batches[2];
    state_set(&state, "", "", "cursor", cursor);
    batches[0] = batch_new(budget, family->orders, 4);
    batch_add_row(batches[0], ROW_UPSERT)[0] = (struct value){.kind = VALUE_INTEGER, .i = id};
    batches[1] = batch_new(budget, family->items, 1);
    batches[1]->stream = 1;
    if (sku) set_text(&batch_add_row(batches[1], ROW_UPSERT)[0], VALUE_STRING, sku);
    batches[0]->first_sequence = family->next++;
    batches[1]->first_sequence = family->next++;
    struct load_slice slice = {.id = "all", .outcome = outcome};
    struct load load = {.batches = batches,
                        .batch_count = sku ? 2 : 1,
                        .slices = &slice,
                        .slice_count = 1,
                        .state = cursor ? &state : NULL,
                        .counts = family->counts,
                        .complete = complete};
    if (PG->commit(family->writer, &load, &err) != 0) fail_msg("%s", err.message);
    batch_free(batches[0]);
    batch_free(batches[1]);
    arena_release(&arena);
}

static void test_a_new_child_holds_its_parent_back_until_both_can_be_seen(void **state)
{
    struct target target;
    struct family family;
    (void)state;
    target_open(&target, "child1");
    target_acquire(&target);
    family_begin(&family, &target, WRITE_APPEND_DEDUP, false);
    family_commit(&family, SLICE_PUBLISH, "1", true, 1, NULL);
    family_end(&family);

    family_begin(&family, &target, WRITE_APPEND_DEDUP, true);
    family_commit(&family, SLICE_PUBLISH, "2", false, 2, "a");
    family_commit(&family, SLICE_PUBLISH, "3", false, 1, "a");
    assert_int_equal(number_of("SELECT count(*) FROM child1.orders"), 1);
    assert_string_equal(rows_of("SELECT value, pending FROM _sluice.state WHERE pipeline = 'child1' ORDER BY pending"),
                        "1|false;3|true");
    family_end(&family);

    /* Even a run without the child publishes what waits. The child's build goes: it is read anew when it is chosen again. */
    family_begin(&family, &target, WRITE_APPEND_DEDUP, false);
    family_commit(&family, SLICE_PUBLISH, "4", true, 4, NULL);
    assert_string_equal(rows_of("SELECT id FROM child1.orders ORDER BY id"), "1;2;4");
    assert_string_equal(rows_of("SELECT stream, kind FROM _sluice.builds WHERE pipeline = 'child1' ORDER BY 1"),
                        "orders|stage");
    family_end(&family);
    family_begin(&family, &target, WRITE_APPEND_DEDUP, true);
    family_commit(&family, SLICE_PUBLISH, "5", true, 5, "b");
    assert_string_equal(rows_of("SELECT sku FROM child1.items ORDER BY sku"), "b");
    assert_string_equal(rows_of("SELECT value, pending FROM _sluice.state WHERE pipeline = 'child1'"), "5|false");
    assert_string_equal(
        rows_of("SELECT stream, sum(written) FROM _sluice.loads WHERE pipeline = 'child1' GROUP BY 1 ORDER BY 1"),
        "items|1;orders|4");
    family_end(&family);
    target_close(&target);
}

static void test_an_unfinished_build_survives_a_change_of_mode(void **state)
{
    struct target target;
    struct family family;
    struct err err = ERR_INIT;
    (void)state;
    target_open(&target, "modes1");
    target_acquire(&target);
    family_begin(&family, &target, WRITE_APPEND, true);
    family_commit(&family, SLICE_HOLD, NULL, false, 1, "a");
    family_commit(&family, SLICE_HOLD, NULL, false, 1, "a");
    family_end(&family);
    family_begin(&family, &target, WRITE_APPEND_DEDUP, true);
    family_commit(&family, SLICE_PUBLISH, "1", true, 2, "b");
    assert_string_equal(rows_of("SELECT id FROM modes1.orders ORDER BY id"), "1;2");
    assert_string_equal(rows_of("SELECT sku FROM modes1.items ORDER BY sku"), "a;b");
    family_end(&family);
    /* But a build that would have to replace a table in place of which it may not is refused. */
    family_begin(&family, &target, WRITE_OVERWRITE, true);
    family_commit(&family, SLICE_HOLD, NULL, false, 9, "z");
    family_end(&family);
    assert_int_equal(family_try(&family, &target, WRITE_APPEND_DEDUP, true, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.hint, "sluice state reset modes1 --stream orders"));
    schema_free(family.orders);
    schema_free(family.items);
    struct state_entry everything = {.kind = NULL};
    assert_int_equal(PG->state_write(target.destination, "orders", &everything, &err), 0);
    family_begin(&family, &target, WRITE_APPEND_DEDUP, true);
    family_end(&family);
    target_close(&target);
}

static void report(void *context, const struct writer_finding *finding)
{
    struct buf *out = context;
    buf_printf(out, "%s%s;", finding->what, finding->ok ? "" : " FAILED");
}

static void test_check_reports_and_leaves_nothing(void **state)
{
    struct target target;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT(4096);
    (void)state;
    target_open(&target, "check1");
    assert_int_equal(PG->check(target.destination, report, &out, &err), 0);
    assert_string_equal(buf_text(&out), "connect;role;create schema;create table;temporary table;ledger;");
    assert_string_equal(rows_of("SELECT to_regnamespace('check1') IS NULL"), "true");
    target_close(&target);
    buf_release(&out);
}

static void test_a_bad_url_shows_no_password(void **state)
{
    static const char *const URLS[] = {"postgres://me:hunter22@/x?bad=1", "password=hunter22 nonsense",
                                       "host=/nowhere password=hunter22"};
    struct arena arena = ARENA_INIT(0);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(URLS); i++) {
        struct err err = ERR_INIT;
        const struct node *config;
        struct destination *destination;
        struct secrets *secrets = secrets_new();
        char *yaml = arena_printf(&arena, "url: \"%s\"\n", URLS[i]);
        assert_int_equal(node_from_yaml(str_from(yaml), "test", &arena, &config, &err), 0);
        struct destination_options options = {
            .name = "w", .config = config, .pipeline = "p", .clock = clock_system(), .secrets = secrets, .log = root_log};
        assert_int_equal(PG->open(&options, &destination, &err), i == 2 ? ERR_DESTINATION : ERR_CONFIG);
        assert_null(strstr(err.message, "hunter22"));
        assert_null(strstr(err.hint, "hunter22"));
        secrets_free(secrets);
    }
    arena_release(&arena);
}

FIXTURE_TESTS(cmocka_unit_test(test_append_makes_the_table_and_adds_rows), cmocka_unit_test(test_every_type_arrives_as_it_is),
              cmocka_unit_test(test_new_fields_become_columns_and_keep_their_names),
              cmocka_unit_test(test_table_names_of_any_shape),
              cmocka_unit_test(test_merge_touches_only_what_is_newer_and_different),
              cmocka_unit_test(test_deletes_mark_and_missing_values_keep), cmocka_unit_test(test_held_rows_wait_in_the_stage),
              cmocka_unit_test(test_an_unfinished_build_is_taken_up_by_the_next_run),
              cmocka_unit_test(test_a_stream_without_rows_gets_its_table),
              cmocka_unit_test(test_rows_that_cannot_be_stored_become_rejects),
              cmocka_unit_test(test_state_of_a_build_is_told_apart), cmocka_unit_test(test_state_is_read_changed_and_reset),
              cmocka_unit_test(test_a_target_that_is_gone_or_different_is_refused),
              cmocka_unit_test(test_a_table_of_others_is_adopted), cmocka_unit_test(test_check_reports_and_leaves_nothing),
              cmocka_unit_test(test_a_new_child_holds_its_parent_back_until_both_can_be_seen),
              cmocka_unit_test(test_an_unfinished_build_survives_a_change_of_mode),
              cmocka_unit_test(test_a_bad_url_shows_no_password))
