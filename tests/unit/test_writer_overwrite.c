/* Overwrite on a real server: replacing a table that is ours alone, and changing one in place that others attached things to.
 * What is attached stays as it was, rows that have not changed are not touched, readers see the old rows or the new ones, and a
 * process that dies in between leaves the old ones. */
#include "writer_fixture.h"

/* --- helpers -------------------------------------------------------------------------------------------------------------- */

/* The orders without a key. */
static struct schema *keyless_schema(void)
{
    struct schema *schema = schema_new("orders");
    schema_add(schema, STR("id"), TYPE_INTEGER, true);
    schema_add(schema, STR("name"), TYPE_STRING, true);
    schema_add(schema, STR("amount"), TYPE_DECIMAL, true);
    schema_add(schema, STR("version"), TYPE_INTEGER, true);
    return schema;
}

struct how {
    bool is_keyless, in_place;
    double shrink_limit; /* 0: 0.5 */
};

static int overwrite_try(struct flow *flow, struct target *target, struct how how, struct err *err)
{
    *flow = (struct flow){.schema = how.is_keyless ? keyless_schema() : orders_schema()};
    flow->table = (struct table_spec){.stream = "orders",
                                      .name = "orders",
                                      .mode = WRITE_OVERWRITE,
                                      .schema = flow->schema,
                                      .cursor = "version",
                                      .in_place = how.in_place,
                                      .shrink_limit = how.shrink_limit > 0 ? how.shrink_limit : 0.5};
    flow->spec = (struct flow_spec){
        .pipeline = target->pipeline, .flow = "orders", .connector = "shop 1.0.0", .tables = &flow->table, .table_count = 1};
    return PG->flow_open(target->destination, &flow->spec, &flow->writer, err);
}

/* A whole sync: these rows and no others. */
static int sync_try(struct target *target, struct how how, const struct order *orders, size_t count, struct load_counts *counts,
                    struct err *err)
{
    struct flow flow;
    int rc = overwrite_try(&flow, target, how, err);
    if (rc == 0) rc = commit_orders(&flow, "all", SLICE_PUBLISH, NULL, true, orders, count, err);
    if (counts) *counts = flow.counts;
    flow_end(&flow);
    return rc;
}

static void sync_rows(struct target *target, struct how how, const struct order *orders, size_t count)
{
    struct err err = ERR_INIT;
    if (sync_try(target, how, orders, count, NULL, &err) != 0) fail_msg("%s (%s)", err.message, err.hint);
}

static void expect_refused(struct target *target, struct how how, const char *named, const struct order *orders, size_t count)
{
    struct err err = ERR_INIT;
    int rc = sync_try(target, how, orders, count, NULL, &err);
    if (rc != ERR_SCHEMA || !strstr(err.message, named)) fail_msg("'%s' is not in (%d): %s", named, rc, err.message);
    assert_true(err.hint[0] != '\0');
}

static void begin(struct target *target, const char *name)
{
    target_open(target, name);
    target_acquire(target);
}

#define ROWS(schema) rows_of("SELECT id, name FROM " schema ".orders ORDER BY id")

/* --- replacing ------------------------------------------------------------------------------------------------------------ */

static void test_overwrite_replaces_at_the_end_and_keeps_grants(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    sql("CREATE ROLE reader; CREATE ROLE other; CREATE SCHEMA over1; "
        "ALTER DEFAULT PRIVILEGES IN SCHEMA over1 GRANT SELECT ON TABLES TO other");
    target_open(&target, "over1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_OVERWRITE);
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    assert_string_equal(rows_of("SELECT has_table_privilege('other', 'over1.orders', 'SELECT')"), "true");
    sql("GRANT SELECT ON over1.orders TO reader WITH GRANT OPTION; REVOKE SELECT ON over1.orders FROM other");
    must_commit(&flow, "all", SLICE_HOLD, NULL, false, ORDERS({3, "c", "1", 1}));
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, false, ORDERS({4, "d", "1", 1}));
    assert_string_equal(rows_of("SELECT id FROM over1.orders ORDER BY id"), "1;2");
    must_commit(&flow, NULL, SLICE_PUBLISH, NULL, true, NULL, 0);
    assert_string_equal(rows_of("SELECT id FROM over1.orders ORDER BY id"), "3;4");
    assert_string_equal(rows_of("SELECT has_table_privilege('reader', 'over1.orders', 'SELECT WITH GRANT OPTION'), "
                                "has_table_privilege('other', 'over1.orders', 'SELECT')"),
                        "true|false");
    flow_end(&flow);
    target_close(&target);
}

static void test_overwrite_refuses_to_shrink_and_starts_again(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    (void)state;
    target_open(&target, "shrink1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_OVERWRITE);
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 1}));
    assert_int_equal(commit_orders(&flow, "all", SLICE_PUBLISH, "9", true, ORDERS({1, "x", "1", 1}), &err), ERR_SCHEMA);
    assert_non_null(strstr(err.hint, "shrink_limit"));
    assert_string_equal(rows_of("SELECT name FROM shrink1.orders ORDER BY id"), "a;b;c");
    assert_string_equal(stored_cursor(&flow), "-");
    assert_int_equal(commit_orders(&flow, NULL, SLICE_PUBLISH, NULL, true, NULL, 0, &err), ERR_SCHEMA); /* nor to nothing */
    assert_int_equal(number_of("SELECT count(*) FROM shrink1.orders"), 3);
    flow_end(&flow);
    /* A new run is not stuck with what was refused. */
    flow_begin(&flow, &target, WRITE_OVERWRITE);
    must_commit(&flow, "all", SLICE_PUBLISH, NULL, true, ORDERS({7, "x", "1", 1}, {8, "y", "1", 1}));
    assert_string_equal(rows_of("SELECT name FROM shrink1.orders ORDER BY id"), "x;y");
    flow_end(&flow);
    /* Told to, it shrinks. */
    struct schema *schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_OVERWRITE, schema, &err), 0);
    PG->flow_close(flow.writer);
    flow.table.shrink_limit = 1;
    assert_int_equal(PG->flow_open(target.destination, &flow.spec, &flow.writer, &err), 0);
    must_commit(&flow, NULL, SLICE_PUBLISH, NULL, true, NULL, 0);
    assert_int_equal(number_of("SELECT count(*) FROM shrink1.orders"), 0);
    flow_end(&flow);
    target_close(&target);
}

static void test_overwrite_keeps_one_row_per_key(void **state)
{
    struct target target;
    struct load_counts counts;
    struct err err = ERR_INIT;
    (void)state;
    begin(&target, "once1");
    for (int i = 0; i < 2; i++) { /* new, then renamed */
        assert_int_equal(
            sync_try(&target, (struct how){0}, ORDERS({1, "new", "1", 5}, {2, "b", "1", 1}, {1, "old", "1", 4}), &counts, &err),
            0);
        assert_string_equal(ROWS("once1"), "1|new;2|b");
        assert_int_equal(counts.written, 2);
        assert_int_equal(counts.deduplicated, 1);
        assert_string_equal(rows_of("SELECT conname FROM pg_constraint WHERE conrelid = 'once1.orders'::regclass "
                                    "AND contype = 'p'"),
                            "orders_sluice_key");
    }
    target_close(&target);
}

/* --- in place ------------------------------------------------------------------------------------------------------------- */

/* What others attach to at1.orders; `survives` is a query whose rows must stay as they are. */
static const struct attachment {
    const char *make, *drop, *survives;
} ATTACHED[] = {
    {"CREATE VIEW at1.v AS SELECT id FROM at1.orders", "DROP VIEW at1.v",
     "SELECT (SELECT count(*) FROM at1.v) = (SELECT count(*) FROM at1.orders)"},
    {"CREATE MATERIALIZED VIEW at1.m AS SELECT id FROM at1.orders", "DROP MATERIALIZED VIEW at1.m",
     "SELECT count(*) FROM at1.m"},
    {"CREATE FUNCTION at1.f() RETURNS SETOF at1.orders LANGUAGE sql AS 'SELECT * FROM at1.orders'", "DROP FUNCTION at1.f()",
     "SELECT (SELECT count(*) FROM at1.f()) = (SELECT count(*) FROM at1.orders)"},
    {"CREATE INDEX mine ON at1.orders (name)", "DROP INDEX at1.mine",
     "SELECT indexdef FROM pg_indexes WHERE indexname = 'mine'"},
    {"CREATE STATISTICS at1.stat ON name, amount FROM at1.orders", "DROP STATISTICS at1.stat",
     "SELECT stxrelid::regclass FROM pg_statistic_ext WHERE stxname = 'stat'"},
    {"COMMENT ON TABLE at1.orders IS 'the orders'", "COMMENT ON TABLE at1.orders IS NULL",
     "SELECT obj_description('at1.orders'::regclass)"},
    {"COMMENT ON COLUMN at1.orders.name IS 'x'", "COMMENT ON COLUMN at1.orders.name IS NULL",
     "SELECT col_description('at1.orders'::regclass, 2)"},
    {"GRANT SELECT (id) ON at1.orders TO PUBLIC", "REVOKE SELECT (id) ON at1.orders FROM PUBLIC",
     "SELECT attacl::text FROM pg_attribute WHERE attrelid = 'at1.orders'::regclass AND attname = 'id'"},
    {"CREATE PUBLICATION p FOR TABLE at1.orders", "DROP PUBLICATION p", "SELECT tablename FROM pg_publication_tables"},
    {"CREATE PUBLICATION p FOR ALL TABLES", "DROP PUBLICATION p",
     "SELECT count(*) FROM pg_publication_tables WHERE tablename = 'orders' AND schemaname = 'at1'"},
    {"ALTER TABLE at1.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY pol ON at1.orders USING (id > 1)",
     "DROP POLICY pol ON at1.orders; ALTER TABLE at1.orders DISABLE ROW LEVEL SECURITY",
     "SELECT relrowsecurity, (SELECT polname FROM pg_policy WHERE polrelid = c.oid) FROM pg_class c WHERE oid = "
     "'at1.orders'::regclass"},
    {"CREATE TRIGGER trig BEFORE UPDATE ON at1.orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
     "DROP TRIGGER trig ON at1.orders", "SELECT tgname FROM pg_trigger WHERE tgrelid = 'at1.orders'::regclass"},
    {"CREATE TABLE at1.items (order_id bigint REFERENCES at1.orders); INSERT INTO at1.items VALUES (1)", "DROP TABLE at1.items",
     "SELECT conname, confrelid::regclass FROM pg_constraint WHERE conrelid = 'at1.items'::regclass"},
    {"CREATE TABLE at1.items (order_id bigint REFERENCES at1.orders ON DELETE CASCADE); INSERT INTO at1.items VALUES (1)",
     "DROP TABLE at1.items", "SELECT order_id FROM at1.items"},
    {"CREATE TABLE at1.names (name text PRIMARY KEY); INSERT INTO at1.names VALUES ('a'), ('b'), ('c'), ('d'), ('B'), ('e'); "
     "ALTER TABLE at1.orders ADD FOREIGN KEY (name) REFERENCES at1.names",
     "DROP TABLE at1.names CASCADE",
     "SELECT conname FROM pg_constraint WHERE conrelid = 'at1.orders'::regclass AND contype = 'f'"},
    {"ALTER TABLE at1.orders ADD CHECK (amount > 0)", "ALTER TABLE at1.orders DROP CONSTRAINT orders_amount_check",
     "SELECT conname FROM pg_constraint WHERE conrelid = 'at1.orders'::regclass AND contype = 'c'"},
    {"ALTER TABLE at1.orders ALTER name SET NOT NULL", "ALTER TABLE at1.orders ALTER name DROP NOT NULL",
     "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'at1.orders'::regclass AND attname = 'name'"},
    {"ALTER TABLE at1.orders ALTER name SET DEFAULT 'x'", "ALTER TABLE at1.orders ALTER name DROP DEFAULT",
     "SELECT column_default FROM information_schema.columns WHERE table_schema = 'at1' AND column_name = 'name'"},
    {"ALTER TABLE at1.orders ALTER name SET STATISTICS 7", "ALTER TABLE at1.orders ALTER name SET STATISTICS -1",
     "SELECT attstattarget FROM pg_attribute WHERE attrelid = 'at1.orders'::regclass AND attname = 'name'"},
    {"ALTER TABLE at1.orders ADD COLUMN mine int; UPDATE at1.orders SET mine = 7 WHERE id = 1",
     "ALTER TABLE at1.orders DROP COLUMN mine", "SELECT mine FROM at1.orders WHERE id = 1"},
    {"ALTER TABLE at1.orders ADD COLUMN twice numeric GENERATED ALWAYS AS (amount * 2) STORED",
     "ALTER TABLE at1.orders DROP COLUMN twice", "SELECT DISTINCT twice = amount * 2 FROM at1.orders"},
    {"ALTER TABLE at1.orders ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY",
     "ALTER TABLE at1.orders DROP COLUMN serial", "SELECT serial FROM at1.orders WHERE id = 1"},
    {"ALTER TABLE at1.orders REPLICA IDENTITY FULL", "ALTER TABLE at1.orders REPLICA IDENTITY DEFAULT",
     "SELECT relreplident FROM pg_class WHERE oid = 'at1.orders'::regclass"},
    {"ALTER TABLE at1.orders SET UNLOGGED", "ALTER TABLE at1.orders SET LOGGED",
     "SELECT relpersistence FROM pg_class WHERE oid = 'at1.orders'::regclass"},
    {"CREATE TABLE at1.parent (id bigint); ALTER TABLE at1.orders INHERIT at1.parent",
     "ALTER TABLE at1.orders NO INHERIT at1.parent; DROP TABLE at1.parent", "SELECT count(*) > 0 FROM at1.parent"},
    {"ALTER EXTENSION plpgsql ADD TABLE at1.orders", "ALTER EXTENSION plpgsql DROP TABLE at1.orders",
     "SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND objid = 'at1.orders'::regclass"},
};

#define OID_OF "SELECT 'at1.orders'::regclass::oid"

static void test_what_others_attached_survives_overwrites(void **state)
{
    struct target target;
    (void)state;
    begin(&target, "at1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 1}));
    for (size_t i = 0; i < ARRAY_SIZE(ATTACHED); i++) {
        char before[512], place[128];
        sql(ATTACHED[i].make);
        snprintf(before, sizeof(before), "%s", rows_of(ATTACHED[i].survives));
        const long oid = number_of(OID_OF);
        snprintf(place, sizeof(place), "%s", rows_of("SELECT ctid, xmin FROM at1.orders WHERE id = 1"));
        sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "B", "1", 2}, {4, "d", "1", 1}));
        if (number_of(OID_OF) != oid) fail_msg("the table was replaced in spite of: %s", ATTACHED[i].make);
        assert_string_equal(ROWS("at1"), "1|a;2|B;4|d");
        sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "2", 1}, {5, "e", "1", 1}));
        assert_string_equal(rows_of("SELECT id, name, amount, version FROM at1.orders ORDER BY id"), "1|a|1|1;2|b|2|1;5|e|1|1");
        assert_string_equal(rows_of("SELECT ctid, xmin FROM at1.orders WHERE id = 1"), place);
        if (strcmp(rows_of(ATTACHED[i].survives), before) != 0)
            fail_msg("%s: '%s' became '%s'", ATTACHED[i].survives, before, rows_of(ATTACHED[i].survives));
        sql(ATTACHED[i].drop);
        sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 1}));
        if (number_of(OID_OF) == oid) fail_msg("the table is not replaced any more without: %s", ATTACHED[i].make);
    }
    assert_int_equal(number_of("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_sluice\\_build%'"), 0);
    target_close(&target);
}

#define EQUATION "SELECT sum(emitted) = sum(written + unchanged + deduplicated + rejected + discarded) FROM _sluice.loads "

static void test_in_place_touches_and_counts_only_what_differs(void **state)
{
    const struct how in_place = {.in_place = true};
    struct target target;
    struct load_counts counts;
    struct err err = ERR_INIT;
    char before[512];
    (void)state;
    begin(&target, "count1");
    sync_rows(&target, in_place, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 9}, {4, "d", "1", 1}));
    const char *unchanged = "SELECT id, ctid, xmin, xmax, _sluice_load_id FROM count1.orders WHERE id IN (1, 2) ORDER BY id";
    snprintf(before, sizeof(before), "%s", rows_of(unchanged));
    assert_int_equal(
        sync_try(&target, in_place,
                 ORDERS({1, "a", "1.0", 1}, {2, "b", "1", 1}, {3, "older", "1", 2}, {5, "e", "1", 1}, {5, "e", "1", 1}),
                 &counts, &err),
        0);
    assert_string_equal(ROWS("count1"), "1|a;2|b;3|older;5|e"); /* what the source says, also where it went back */
    assert_string_equal(rows_of(unchanged), before);
    assert_int_equal(counts.emitted, 5);
    assert_int_equal(counts.written, 2);
    assert_int_equal(counts.unchanged, 2);
    assert_int_equal(counts.deduplicated, 1);
    assert_int_equal(counts.deleted, 1);
    assert_string_equal(rows_of(EQUATION "WHERE pipeline = 'count1'"), "true");
    assert_string_equal(
        rows_of("SELECT sum(written), sum(unchanged), sum(deleted) FROM _sluice.loads WHERE pipeline = 'count1'"), "6|2|1");
    /* Nothing changed: nothing is written. */
    assert_int_equal(sync_try(&target, in_place,
                              ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "older", "1", 2}, {5, "e", "1", 1}), &counts,
                              &err),
                     0);
    assert_int_equal(counts.written + counts.deleted, 0);
    assert_int_equal(counts.unchanged, 4);
    target_close(&target);
}

static void test_without_a_key_all_rows_are_written_again(void **state)
{
    const struct how keyless = {.is_keyless = true};
    struct target target;
    struct load_counts counts;
    struct err err = ERR_INIT;
    (void)state;
    begin(&target, "keyless1");
    sync_rows(&target, keyless, ORDERS({1, "a", "1", 1}, {1, "a", "1", 1}, {2, "b", "1", 1}));
    sql("CREATE VIEW keyless1.v AS SELECT id FROM keyless1.orders; "
        "ALTER TABLE keyless1.orders ADD COLUMN loaded timestamptz DEFAULT now(), ADD COLUMN no bigserial");
    const long oid = number_of("SELECT 'keyless1.orders'::regclass::oid");
    assert_int_equal(sync_try(&target, keyless, ORDERS({1, "a", "1", 1}, {1, "a", "1", 1}, {3, "c", "1", 1}), &counts, &err),
                     0);
    assert_string_equal(ROWS("keyless1"), "1|a;1|a;3|c");
    assert_int_equal(number_of("SELECT 'keyless1.orders'::regclass::oid"), oid);
    assert_int_equal(counts.written, 3);
    assert_int_equal(counts.deleted, 3);
    assert_string_equal(rows_of(EQUATION "WHERE pipeline = 'keyless1'"), "true");
    target_close(&target);
}

static void test_a_table_of_others_gets_our_columns_and_keeps_theirs(void **state)
{
    struct target target;
    (void)state;
    sql("CREATE SCHEMA own1; CREATE TABLE own1.orders (id bigint PRIMARY KEY, name varchar, mark text); "
        "INSERT INTO own1.orders VALUES (1, 'a', 'theirs'), (2, 'b', 'theirs')");
    begin(&target, "own1");
    for (int i = 0; i < 2; i++) sync_rows(&target, (struct how){0}, ORDERS({1, "A", "1.5", 1}, {3, "c", "1", 1}));
    assert_string_equal(rows_of("SELECT id, name, mark, amount, _sluice_deleted FROM own1.orders ORDER BY id"),
                        "1|A|theirs|1.5|false;3|c|-|1|false");
    target_close(&target);
}

static void test_a_partitioned_table_is_changed_through_its_parent(void **state)
{
    struct target target;
    (void)state;
    sql("CREATE SCHEMA part1; CREATE TABLE part1.orders (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); "
        "CREATE TABLE part1.low PARTITION OF part1.orders FOR VALUES FROM (0) TO (10); "
        "CREATE TABLE part1.high PARTITION OF part1.orders DEFAULT");
    begin(&target, "part1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {11, "c", "1", 1}));
    sync_rows(&target, (struct how){0}, ORDERS({1, "A", "1", 1}, {11, "c", "1", 1}, {12, "d", "1", 1}));
    assert_string_equal(rows_of("SELECT id, name FROM part1.low"), "1|A");
    assert_string_equal(rows_of("SELECT id, name FROM part1.high ORDER BY id"), "11|c;12|d");
    target_close(&target);
}

static void test_in_place_refuses_to_shrink(void **state)
{
    struct target target;
    (void)state;
    begin(&target, "shrink2");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 1}));
    sql("CREATE VIEW shrink2.v AS SELECT id FROM shrink2.orders");
    expect_refused(&target, (struct how){0}, "it has 3 rows and would have 1", ORDERS({1, "x", "1", 1}));
    expect_refused(&target, (struct how){0}, "it has 3 rows and would have 0", NULL, 0);
    assert_string_equal(ROWS("shrink2"), "1|a;2|b;3|c");
    sync_rows(&target, (struct how){.shrink_limit = 1}, ORDERS({1, "x", "1", 1}));
    assert_string_equal(rows_of("SELECT id FROM shrink2.v"), "1");
    target_close(&target);
}

/* --- what stands in the way ----------------------------------------------------------------------------------------------- */

static const struct obstacle {
    const char *make, *drop, *named;
    bool is_keyless; /* it is in the way only then: a keyed stream is not refused */
} OBSTACLES[] = {
    {"CREATE RULE r AS ON DELETE TO ob1.orders DO INSTEAD NOTHING", "DROP RULE r ON ob1.orders", "rule r ", false},
    {"CREATE TABLE ob1.child () INHERITS (ob1.orders)", "DROP TABLE ob1.child", "table ob1.child ", false},
    {"ALTER TABLE ob1.orders DROP COLUMN name, ADD COLUMN name text GENERATED ALWAYS AS ('x') STORED",
     "ALTER TABLE ob1.orders DROP COLUMN name, ADD COLUMN name text", "column name ", false},
    {"CREATE PUBLICATION p FOR TABLE ob1.orders; ALTER TABLE ob1.orders REPLICA IDENTITY NOTHING",
     "DROP PUBLICATION p; ALTER TABLE ob1.orders REPLICA IDENTITY DEFAULT", "publication p ", false},
    {"CREATE UNIQUE INDEX u ON ob1.orders (id); CREATE TABLE ob1.items (order_id bigint REFERENCES ob1.orders (id))",
     "DROP TABLE ob1.items; DROP INDEX ob1.u", "foreign key items_order_id_fkey of ob1.items ", true},
    {"CREATE PUBLICATION p FOR TABLE ob1.orders WITH (publish = 'insert')", "DROP PUBLICATION p", "publication p ", true},
    {"ALTER TABLE ob1.orders ADD COLUMN mine int", "ALTER TABLE ob1.orders DROP COLUMN mine", "column mine ", true},
};

static void test_what_cannot_be_handled_is_refused_by_name(void **state)
{
    struct target target;
    (void)state;
    begin(&target, "ob1");
    for (size_t i = 0; i < ARRAY_SIZE(OBSTACLES); i++) {
        const struct obstacle *obstacle = &OBSTACLES[i];
        const struct how how = {.is_keyless = obstacle->is_keyless};
        struct flow flow;
        struct err err = ERR_INIT;
        sync_rows(&target, how, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
        /* It appears while the build fills. */
        assert_int_equal(overwrite_try(&flow, &target, how, &err), 0);
        sql(obstacle->make);
        char before[256];
        snprintf(before, sizeof(before), "%s", ROWS("ob1"));
        int rc = commit_orders(&flow, "all", SLICE_PUBLISH, NULL, true, ORDERS({1, "A", "1", 1}, {3, "c", "1", 1}), &err);
        if (rc != ERR_SCHEMA || !strstr(err.message, obstacle->named)) fail_msg("%s: %s", obstacle->make, err.message);
        assert_true(err.hint[0] != '\0');
        assert_string_equal(ROWS("ob1"), before);
        flow_end(&flow);
        /* Another run is refused before it fetches anything; with the thing gone it publishes what is there. */
        rc = overwrite_try(&flow, &target, how, &err);
        if (rc != ERR_SCHEMA || !strstr(err.message, obstacle->named)) fail_msg("%s: %s", obstacle->make, err.message);
        flow_end(&flow);
        sql(obstacle->drop);
        assert_int_equal(overwrite_try(&flow, &target, how, &err), 0);
        assert_string_equal(ROWS("ob1"), "1|A;3|c");
        flow_end(&flow);
    }
    target_close(&target);
}

/* A role without special rights, that may use the ledger and make schemas. */
static void begin_as_plain(struct target *target, const char *name)
{
    char url[256];
    snprintf(url, sizeof(url), "host=%s user=plain dbname=postgres", server.folder);
    sql("DO $$ BEGIN IF to_regrole('plain') IS NULL THEN CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE postgres TO plain; "
        "GRANT ALL ON SCHEMA _sluice TO plain; GRANT ALL ON ALL TABLES IN SCHEMA _sluice TO plain; "
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA _sluice TO plain; END IF; END $$");
    target_open_at(target, name, url);
    target_acquire(target);
}

static void test_row_level_security_matters_when_it_applies_to_us(void **state)
{
    struct target target;
    (void)state;
    begin_as_plain(&target, "rls1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    sql("ALTER TABLE rls1.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY pol ON rls1.orders USING (id > 1)");
    sync_rows(&target, (struct how){0}, ORDERS({1, "A", "1", 1}, {2, "b", "1", 1}));
    assert_string_equal(ROWS("rls1"), "1|A;2|b");
    sql("ALTER TABLE rls1.orders FORCE ROW LEVEL SECURITY");
    expect_refused(&target, (struct how){0}, "row level security", ORDERS({1, "x", "1", 1}));
    assert_string_equal(ROWS("rls1"), "1|A;2|b");
    target_close(&target);
}

static void test_the_table_of_another_owner_is_changed_in_place(void **state)
{
    struct target target;
    (void)state;
    begin_as_plain(&target, "owner1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    sql("ALTER TABLE owner1.orders OWNER TO sluice; GRANT SELECT, INSERT, UPDATE, DELETE ON owner1.orders TO plain");
    const long oid = number_of("SELECT 'owner1.orders'::regclass::oid");
    sync_rows(&target, (struct how){0}, ORDERS({1, "A", "1", 1}, {3, "c", "1", 1}));
    assert_string_equal(ROWS("owner1"), "1|A;3|c");
    assert_int_equal(number_of("SELECT 'owner1.orders'::regclass::oid"), oid);
    target_close(&target);
}

/* How tables of others refer to fk1.orders, whose row 2 goes. */
static const struct reference {
    const char *make, *drop;
    const char *named; /* refused with this; NULL: not refused */
} REFERENCES[] = {
    {"CREATE TABLE fk1.items (no bigint REFERENCES fk1.orders ON DELETE CASCADE); INSERT INTO fk1.items VALUES (1), (2)",
     "DROP TABLE fk1.items", "foreign key items_no_fkey of fk1.items would delete"},
    {"CREATE TABLE fk1.items (no bigint REFERENCES fk1.orders ON DELETE SET NULL); INSERT INTO fk1.items VALUES (2)",
     "DROP TABLE fk1.items", "foreign key items_no_fkey of fk1.items would delete"},
    {"CREATE TABLE fk1.items (no bigint DEFAULT 1 REFERENCES fk1.orders ON DELETE SET DEFAULT); INSERT INTO fk1.items VALUES "
     "(2)",
     "DROP TABLE fk1.items", "foreign key items_no_fkey of fk1.items would delete"},
    {"CREATE TABLE fk1.items (no bigint REFERENCES fk1.orders); INSERT INTO fk1.items VALUES (2)", "DROP TABLE fk1.items",
     "items_no_fkey"},
    {"CREATE TABLE fk1.items (no bigint REFERENCES fk1.orders DEFERRABLE INITIALLY DEFERRED); INSERT INTO fk1.items VALUES (2)",
     "DROP TABLE fk1.items", "items_no_fkey"},
    {"CREATE TABLE fk1.items (no bigint REFERENCES fk1.orders ON DELETE CASCADE); INSERT INTO fk1.items VALUES (1), (NULL)",
     "DROP TABLE fk1.items", NULL},
    {"ALTER TABLE fk1.orders ADD FOREIGN KEY (version) REFERENCES fk1.orders ON DELETE CASCADE",
     "ALTER TABLE fk1.orders DROP CONSTRAINT orders_version_fkey",
     "foreign key orders_version_fkey of fk1.orders would delete"},
    {"ALTER TABLE fk1.orders ADD FOREIGN KEY (version) REFERENCES fk1.orders",
     "ALTER TABLE fk1.orders DROP CONSTRAINT orders_version_fkey", "orders_version_fkey"},
    {"ALTER TABLE fk1.orders ADD FOREIGN KEY (version) REFERENCES fk1.orders DEFERRABLE",
     "ALTER TABLE fk1.orders DROP CONSTRAINT orders_version_fkey", NULL},
    {"CREATE FUNCTION fk1.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not on mondays''; END'; "
     "CREATE TRIGGER t BEFORE DELETE ON fk1.orders FOR EACH ROW EXECUTE FUNCTION fk1.no()",
     "DROP FUNCTION fk1.no() CASCADE", "not on mondays"},
    {"ALTER TABLE fk1.orders ADD CONSTRAINT small CHECK (id < 4)", "ALTER TABLE fk1.orders DROP CONSTRAINT small", "small"},
};

static void test_rows_that_others_refer_to_are_not_deleted(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    (void)state;
    begin(&target, "fk1");
    for (size_t i = 0; i < ARRAY_SIZE(REFERENCES); i++) {
        const struct reference *reference = &REFERENCES[i];
        /* The version is an order's number here: 3 refers to 2, and to 1 afterwards. */
        sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 2}));
        sql(reference->make);
        if (!reference->named) {
            sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {3, "c", "1", 1}, {4, "d", "1", 1}));
        } else {
            expect_refused(&target, (struct how){0}, reference->named,
                           ORDERS({1, "a", "1", 1}, {3, "c", "1", 1}, {4, "d", "1", 1}));
            assert_string_equal(ROWS("fk1"), "1|a;2|b;3|c");
            if (strstr(reference->make, "fk1.items")) /* theirs is as it was */
                assert_string_equal(rows_of("SELECT count(*) FROM fk1.items WHERE no = 2"), "1");
            sql(reference->drop);
            assert_int_equal(overwrite_try(&flow, &target, (struct how){0}, &err), 0);
            flow_end(&flow);
        }
        assert_string_equal(ROWS("fk1"), "1|a;3|c;4|d");
        if (!reference->named) sql(reference->drop);
    }
    target_close(&target);
}

/* --- readers, crashes, races ---------------------------------------------------------------------------------------------- */

struct reader {
    struct pg *pg;
    const char *isolation;
    _Atomic int stop;
    _Atomic long reads;
    char strange[256]; /* what was neither all old nor all new */
};

/* Every version of the table has ids 1 to 3 and one name for all. */
static void *read_in_loop(void *context)
{
    struct reader *reader = context;
    while (!atomic_load(&reader->stop)) {
        struct pg_result *result;
        struct err err = ERR_INIT;
        int rc = pg_query(reader->pg,
                          "SELECT count(*) = 3 AND count(DISTINCT name) = 1, count(*), min(name), max(name) FROM read1.orders",
                          PG_NONE, &result, &err);
        if (rc != 0)
            snprintf(reader->strange, sizeof(reader->strange), "%.200s", err.message);
        else if (!pg_bool(result, 0, 0))
            snprintf(reader->strange, sizeof(reader->strange), "%s rows from %s to %s", pg_cell(result, 0, 1),
                     pg_cell(result, 0, 2), pg_cell(result, 0, 3));
        pg_free(result);
        atomic_fetch_add(&reader->reads, 1);
    }
    return NULL;
}

static void test_readers_see_all_old_or_all_new_rows(void **state)
{
    struct target target;
    struct reader reader = {0};
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    begin(&target, "read1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "v", "1", 1}, {2, "v", "1", 1}, {3, "v", "1", 1}));
    assert_int_equal(pg_open(&(struct pg_settings){.url = server.url}, &reader.pg, &err), 0);
    pthread_create(&thread, NULL, read_in_loop, &reader);
    for (int i = 0; i < 12; i++) {
        const struct how how = {.is_keyless = i % 4 == 3, .in_place = i % 2 == 1};
        const long reads = atomic_load(&reader.reads);
        char name[24];
        snprintf(name, sizeof(name), "version %d", i);
        sync_rows(&target, how, ORDERS({1, name, "1", 1}, {2, name, "1", 1}, {3, name, "1", 1}));
        while (atomic_load(&reader.reads) < reads + 3) usleep(500);
    }
    atomic_store(&reader.stop, 1);
    pthread_join(thread, NULL);
    pg_close(reader.pg);
    assert_string_equal(reader.strange, "");
    target_close(&target);
}

static void test_in_place_keeps_older_snapshots(void **state)
{
    struct target target;
    struct pg *pg;
    struct pg_result *result;
    struct err err = ERR_INIT;
    (void)state;
    begin(&target, "snap1");
    assert_int_equal(pg_open(&(struct pg_settings){.url = server.url}, &pg, &err), 0);
    for (int is_keyless = 0; is_keyless <= 1; is_keyless++) {
        const struct how how = {.is_keyless = is_keyless, .in_place = true};
        sync_rows(&target, how, ORDERS({1, "old", "1", 1}, {2, "old", "1", 1}));
        assert_int_equal(pg_exec(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class", &err), 0);
        sync_rows(&target, how, ORDERS({1, "new", "1", 1}, {3, "new", "1", 1}));
        assert_int_equal(
            pg_query(pg, "SELECT string_agg(id || name, ' ' ORDER BY id) FROM snap1.orders", PG_NONE, &result, &err), 0);
        assert_string_equal(pg_cell(result, 0, 0), "1old 2old");
        pg_free(result);
        assert_int_equal(pg_exec(pg, "COMMIT", &err), 0);
        assert_string_equal(ROWS("snap1"), "1|new;3|new");
    }
    pg_close(pg);
    target_close(&target);
}

#define SOMEONE_WAITS "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 98 AND NOT granted"

/* Changes of SCHEMA.orders wait in the middle while the test holds advisory lock 98. */
static void hold_up_changes(const char *schema)
{
    char statement[512];
    snprintf(statement, sizeof(statement),
             "CREATE FUNCTION %s.hold_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
             "pg_catalog.pg_advisory_xact_lock_shared(98); RETURN NULL; END'; CREATE TRIGGER hold_up AFTER INSERT OR DELETE ON "
             "%s.orders FOR EACH STATEMENT EXECUTE FUNCTION %s.hold_up(); SELECT pg_advisory_lock(98)",
             schema, schema, schema);
    sql(statement);
}

static void test_a_process_that_dies_in_the_middle_leaves_the_old_rows(void **state)
{
    struct target target;
    int status;
    (void)state;
    for (int is_keyless = 0; is_keyless <= 1; is_keyless++) {
        const struct how how = {.is_keyless = is_keyless};
        begin(&target, "dies1");
        sync_rows(&target, how, ORDERS({1, "old", "1", 1}, {2, "old", "1", 1}, {3, "old", "1", 1}));
        target_close(&target);
        hold_up_changes("dies1");
        pid_t pid = fork();
        if (pid == 0) {
            begin(&target, "dies1");
            sync_rows(&target, how, ORDERS({1, "new", "1", 1}, {2, "old", "1", 1}, {4, "new", "1", 1}));
            _exit(0);
        }
        wait_until(SOMEONE_WAITS);
        /* Rows are deleted and not yet written: nobody sees it, and nobody waits. */
        assert_string_equal(rows_of("SELECT count(*) FROM pg_locks WHERE relation = 'dies1.orders'::regclass "
                                    "AND mode = 'AccessExclusiveLock'"),
                            "0");
        assert_string_equal(ROWS("dies1"), "1|old;2|old;3|old");
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_string_equal(ROWS("dies1"), "1|old;2|old;3|old");
        sql("SELECT pg_advisory_unlock(98)");
        /* The next run finishes what was complete. */
        struct flow flow;
        struct err err = ERR_INIT;
        begin(&target, "dies1");
        if (overwrite_try(&flow, &target, how, &err) != 0) fail_msg("%s", err.message);
        flow_end(&flow);
        target_close(&target);
        assert_string_equal(ROWS("dies1"), "1|new;2|old;4|new");
        assert_string_equal(rows_of(EQUATION "WHERE pipeline = 'dies1'"), "true");
        sql("DROP FUNCTION dies1.hold_up() CASCADE");
    }
}

static void test_ended_connections_leave_the_old_rows_or_the_new(void **state)
{
    struct target target;
    pthread_t thread;
    char new[64];
    (void)state;
    begin(&target, "ended1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "v0", "1", 1}, {2, "v0", "1", 1}, {3, "v0", "1", 1}));
    sql("CREATE VIEW ended1.v AS SELECT id FROM ended1.orders");
    struct killer killer = {.pipeline = "ended1"};
    pthread_create(&thread, NULL, kill_connections, &killer);
    for (int i = 1; atomic_load(&killer.kills) < 30; i++) {
        struct err err = ERR_INIT;
        char name[24];
        snprintf(name, sizeof(name), "v%d", i);
        snprintf(new, sizeof(new), "1|%s;2|%s;3|%s", name, name, name);
        int rc = sync_try(&target, (struct how){.is_keyless = i % 2 == 1},
                          ORDERS({1, name, "1", 1}, {2, name, "1", 1}, {3, name, "1", 1}), NULL, &err);
        if (rc != 0 && rc != ERR_DESTINATION) fail_msg("%s", err.message);
        /* After a failure: those of an earlier run, as a whole; one that was complete may have been published only now. */
        if (rc == 0) assert_string_equal(ROWS("ended1"), new);
        assert_string_equal(rows_of("SELECT count(*), count(DISTINCT name) FROM ended1.orders"), "3|1");
        atomic_fetch_add(&killer.loads, 1);
    }
    atomic_store(&killer.stop, 1);
    pthread_join(thread, NULL);
    sync_rows(&target, (struct how){0}, ORDERS({1, "end", "1", 1}, {2, "end", "1", 1}, {3, "end", "1", 1}));
    assert_string_equal(ROWS("ended1"), "1|end;2|end;3|end");
    target_close(&target);
}

struct syncing {
    struct target *target;
    int rc;
    struct err err;
};

static void *sync_in_thread(void *context)
{
    struct syncing *syncing = context;
    syncing->rc = sync_try(syncing->target, (struct how){0}, ORDERS({1, "new", "1", 1}, {2, "b", "1", 1}), NULL, &syncing->err);
    return NULL;
}

static void test_what_is_attached_while_we_wait_for_the_table_is_seen(void **state)
{
    struct target target;
    struct pg *pg;
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    begin(&target, "race1");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    const long oid = number_of("SELECT 'race1.orders'::regclass::oid");
    assert_int_equal(pg_open(&(struct pg_settings){.url = server.url}, &pg, &err), 0);
    assert_int_equal(pg_exec(pg, "BEGIN; CREATE VIEW race1.v AS SELECT name FROM race1.orders", &err), 0);
    struct syncing syncing = {.target = &target};
    pthread_create(&thread, NULL, sync_in_thread, &syncing);
    wait_until("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'race1.orders'::regclass AND NOT granted");
    assert_int_equal(pg_exec(pg, "COMMIT", &err), 0);
    pthread_join(thread, NULL);
    if (syncing.rc != 0) fail_msg("%s", syncing.err.message);
    assert_string_equal(rows_of("SELECT name FROM race1.v ORDER BY name"), "b;new");
    assert_int_equal(number_of("SELECT 'race1.orders'::regclass::oid"), oid);
    pg_close(pg);
    target_close(&target);
}

static void test_a_row_that_is_being_referred_to_is_not_deleted(void **state)
{
    struct target target;
    struct pg *pg;
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    begin(&target, "race2");
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}, {3, "c", "1", 1}));
    sql("CREATE TABLE race2.items (no bigint REFERENCES race2.orders ON DELETE CASCADE)");
    assert_int_equal(pg_open(&(struct pg_settings){.url = server.url}, &pg, &err), 0);
    assert_int_equal(pg_exec(pg, "BEGIN; INSERT INTO race2.items VALUES (3)", &err), 0);
    struct syncing syncing = {.target = &target};
    pthread_create(&thread, NULL, sync_in_thread, &syncing);
    wait_until("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted");
    assert_int_equal(pg_exec(pg, "COMMIT", &err), 0);
    pthread_join(thread, NULL);
    assert_int_equal(syncing.rc, ERR_SCHEMA);
    assert_non_null(strstr(syncing.err.message, "foreign key items_no_fkey of race2.items"));
    assert_string_equal(ROWS("race2"), "1|a;2|b;3|c");
    assert_string_equal(rows_of("SELECT no FROM race2.items"), "3");
    pg_close(pg);
    target_close(&target);
}

/* --- the neighbours ------------------------------------------------------------------------------------------------------- */

static void test_a_publication_of_all_tables_does_not_stop_a_build(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    sql("CREATE PUBLICATION everything FOR ALL TABLES");
    begin(&target, "pub1");
    flow_begin_as(&flow, &target, WRITE_APPEND_DEDUP, true);
    must_commit(&flow, "all", SLICE_HOLD, NULL, false, ORDERS({1, "a", "1", 1}, {1, "b", "1", 2}));
    must_commit(&flow, "all", SLICE_RESTART, NULL, false, ORDERS({1, "a", "1", 1}, {1, "b", "1", 2}));
    must_commit(&flow, "all", SLICE_PUBLISH, "2", true, NULL, 0);
    must_commit(&flow, "one", SLICE_HOLD, NULL, false, ORDERS({1, "c", "1", 3}));
    must_commit(&flow, "two", SLICE_HOLD, NULL, false, ORDERS({2, "d", "1", 3}));
    must_commit(&flow, "one", SLICE_PUBLISH, NULL, false, NULL, 0);
    must_commit(&flow, NULL, SLICE_PUBLISH, "3", true, NULL, 0);
    assert_string_equal(ROWS("pub1"), "1|c;2|d");
    assert_string_equal(rows_of("SELECT relreplident FROM pg_class WHERE oid = 'pub1.orders'::regclass"), "d");
    flow_end(&flow);
    target_close(&target);
    sql("DROP PUBLICATION everything");
}

static void test_a_deferrable_key_is_none_to_merge_by(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    (void)state;
    sql("CREATE SCHEMA late1; CREATE TABLE late1.orders (id bigint PRIMARY KEY DEFERRABLE, name text)");
    begin(&target, "late1");
    struct schema *schema = orders_schema();
    assert_int_equal(flow_try(&flow, &target, WRITE_APPEND_DEDUP, schema, &err), ERR_SCHEMA);
    assert_non_null(strstr(err.message, "no unique index on its primary key"));
    schema_free(schema);
    /* Overwrite goes without one. */
    sync_rows(&target, (struct how){0}, ORDERS({1, "a", "1", 1}, {2, "b", "1", 1}));
    sync_rows(&target, (struct how){0}, ORDERS({1, "A", "1", 1}, {3, "c", "1", 1}));
    assert_string_equal(ROWS("late1"), "1|A;3|c");
    target_close(&target);
}

FIXTURE_TESTS(cmocka_unit_test(test_overwrite_replaces_at_the_end_and_keeps_grants),
              cmocka_unit_test(test_overwrite_refuses_to_shrink_and_starts_again),
              cmocka_unit_test(test_overwrite_keeps_one_row_per_key),
              cmocka_unit_test(test_what_others_attached_survives_overwrites),
              cmocka_unit_test(test_in_place_touches_and_counts_only_what_differs),
              cmocka_unit_test(test_without_a_key_all_rows_are_written_again),
              cmocka_unit_test(test_a_table_of_others_gets_our_columns_and_keeps_theirs),
              cmocka_unit_test(test_a_partitioned_table_is_changed_through_its_parent),
              cmocka_unit_test(test_in_place_refuses_to_shrink),
              cmocka_unit_test(test_what_cannot_be_handled_is_refused_by_name),
              cmocka_unit_test(test_row_level_security_matters_when_it_applies_to_us),
              cmocka_unit_test(test_the_table_of_another_owner_is_changed_in_place),
              cmocka_unit_test(test_rows_that_others_refer_to_are_not_deleted),
              cmocka_unit_test(test_readers_see_all_old_or_all_new_rows), cmocka_unit_test(test_in_place_keeps_older_snapshots),
              cmocka_unit_test(test_a_process_that_dies_in_the_middle_leaves_the_old_rows),
              cmocka_unit_test(test_ended_connections_leave_the_old_rows_or_the_new),
              cmocka_unit_test(test_what_is_attached_while_we_wait_for_the_table_is_seen),
              cmocka_unit_test(test_a_row_that_is_being_referred_to_is_not_deleted),
              cmocka_unit_test(test_a_publication_of_all_tables_does_not_stop_a_build),
              cmocka_unit_test(test_a_deferrable_key_is_none_to_merge_by))
