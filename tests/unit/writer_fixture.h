/* writer_fixture: what the tests of the PostgreSQL writer share: destinations, flows, rows written by hand, and looking at the
 * result. */
#ifndef SLUICE_TESTS_WRITER_FIXTURE_H
#define SLUICE_TESTS_WRITER_FIXTURE_H

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/node.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/secret.h"
#include "pg/query.h"
#include "pg_server.h"
#include "writer/types.h"
#include "writer/writer.h"

static struct pg_server server;
static struct pg *admin; /* looks at results */
static struct log *root_log;
static struct budget *budget;
static const struct writer_type *const PG = &WRITER_POSTGRES;

static inline int fixture_setup(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    if (!pg_server_start(&server)) return -1;
    root_log = log_new(2, LOG_TEXT, LOG_ERROR, NULL);
    budget = budget_new(256u << 20);
    return pg_open(&(struct pg_settings){.url = server.url}, &admin, &err);
}

static inline int fixture_teardown(void **state)
{
    (void)state;
    pg_close(admin);
    budget_free(budget);
    log_free(root_log);
    pg_server_stop(&server);
    return 0;
}

static inline void sql(const char *statement)
{
    struct err err = ERR_INIT;
    if (pg_exec(admin, statement, &err) != 0) fail_msg("%s: %s", statement, err.message);
}

/* The rows of a query: cells parted by '|', rows by ';', null as '-'. */
static inline const char *rows_of(const char *query)
{
    static char text[65536];
    struct err err = ERR_INIT;
    struct pg_result *result;
    struct buf out = BUF_INIT(sizeof(text) - 1);
    struct buf whole = BUF_INIT(4096);
    buf_printf(&whole,
               "SELECT array_to_string(ARRAY(SELECT array_to_string(ARRAY(SELECT coalesce(value, '-') FROM "
               "json_each_text(to_json(q))), '|') FROM (%s) q), ';')",
               query);
    if (pg_query(admin, buf_text(&whole), PG_NONE, &result, &err) != 0) fail_msg("%s: %s", query, err.message);
    buf_append_text(&out, pg_cell(result, 0, 0));
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    pg_free(result);
    buf_release(&out);
    buf_release(&whole);
    return text;
}

static inline long number_of(const char *query)
{
    return strtol(rows_of(query), NULL, 10);
}

/* Every row that was emitted is somewhere. */
static inline void books_balance(const char *pipeline)
{
    char query[512];
    snprintf(query, sizeof(query),
             "SELECT sum(emitted) - sum(written + unchanged + deduplicated + rejected + discarded) FROM _sluice.loads "
             "WHERE pipeline = '%s'",
             pipeline);
    assert_int_equal(number_of(query), 0);
}

/* A destination of a pipeline and schema of its own. */
struct target {
    struct destination *destination;
    struct cancel *cancel;
    struct arena arena;
    char pipeline[64];
};

static inline void target_open_at(struct target *target, const char *pipeline, const char *url)
{
    struct err err = ERR_INIT;
    const struct node *config;
    *target = (struct target){.cancel = cancel_new(NULL), .arena = ARENA_INIT(0)};
    snprintf(target->pipeline, sizeof(target->pipeline), "%s", pipeline);
    char *yaml = arena_printf(&target->arena, "url: \"%s\"\nschema: %s\n", url, pipeline);
    assert_int_equal(node_from_yaml(str_from(yaml), "test", &target->arena, &config, &err), 0);
    struct destination_options options = {.name = "warehouse",
                                          .config = config,
                                          .pipeline = target->pipeline,
                                          .clock = clock_system(),
                                          .cancel = target->cancel,
                                          .log = root_log};
    if (PG->open(&options, &target->destination, &err) != 0) fail_msg("open: %s", err.message);
}

static inline void target_open(struct target *target, const char *pipeline)
{
    target_open_at(target, pipeline, server.url);
}

static inline void target_acquire(struct target *target)
{
    struct err err = ERR_INIT;
    if (PG->acquire(target->destination, &err) != 0) fail_msg("acquire: %s", err.message);
}

static inline void target_close(struct target *target)
{
    PG->close(target->destination);
    cancel_free(target->cancel);
    arena_release(&target->arena);
}

/* One flow of one stream. */
struct flow {
    struct writer *writer;
    struct schema *schema;
    struct table_spec table;
    struct flow_spec spec;
    uint64_t next; /* arrival number */
    struct load_counts counts;
};

/* id (key), name, amount, version (the cursor). */
static inline struct schema *orders_schema(void)
{
    struct schema *schema = schema_new("orders");
    schema_add(schema, STR("id"), TYPE_INTEGER, true);
    schema_add(schema, STR("name"), TYPE_STRING, true);
    schema_add(schema, STR("amount"), TYPE_DECIMAL, true);
    schema_add(schema, STR("version"), TYPE_INTEGER, true);
    schema_set_key(schema, 0);
    return schema;
}

static inline int flow_try_as(struct flow *flow, struct target *target, enum write_mode mode, bool resumable,
                              struct schema *schema, struct err *err)
{
    *flow = (struct flow){.schema = schema};
    flow->table = (struct table_spec){
        .stream = "orders", .name = "orders", .mode = mode, .schema = schema, .cursor = "version", .shrink_limit = 0.5};
    flow->spec = (struct flow_spec){.pipeline = target->pipeline,
                                    .flow = "orders",
                                    .connector = "shop 1.0.0",
                                    .tables = &flow->table,
                                    .table_count = 1,
                                    .resumable = resumable};
    return PG->flow_open(target->destination, &flow->spec, &flow->writer, err);
}

static inline int flow_try(struct flow *flow, struct target *target, enum write_mode mode, struct schema *schema,
                           struct err *err)
{
    return flow_try_as(flow, target, mode, false, schema, err);
}

static inline void flow_begin_as(struct flow *flow, struct target *target, enum write_mode mode, bool resumable)
{
    struct err err = ERR_INIT;
    if (flow_try_as(flow, target, mode, resumable, orders_schema(), &err) != 0) fail_msg("flow_open: %s", err.message);
}

static inline void flow_begin(struct flow *flow, struct target *target, enum write_mode mode)
{
    flow_begin_as(flow, target, mode, false);
}

static inline void flow_end(struct flow *flow)
{
    PG->flow_close(flow->writer);
    schema_free(flow->schema);
}

struct order {
    int64_t id;
    const char *name;   /* NULL: null; "?": missing */
    const char *amount; /* the same; "delete": null, and the row is a deletion; "truncate": a mark, and no row */
    int64_t version;    /* 0: null; -1: missing */
};

static inline void set_text(struct value *value, enum value_kind kind, const char *text)
{
    if (!text) return;
    *value = strcmp(text, "?") == 0 ? (struct value){.kind = VALUE_MISSING}
                                    : (struct value){.kind = (uint8_t)kind, .size = (uint32_t)strlen(text), .data = text};
}

static inline struct batch *orders_batch(struct flow *flow, uint32_t slice, const struct order *orders, size_t count)
{
    struct batch *batch = batch_new(budget, flow->schema, 4);
    batch->slice = slice;
    batch->first_sequence = flow->next;
    flow->next += count;
    for (size_t i = 0; i < count; i++) {
        bool is_deletion = orders[i].amount && strcmp(orders[i].amount, "delete") == 0;
        bool is_mark = orders[i].amount && strcmp(orders[i].amount, "truncate") == 0;
        struct value *row = batch_add_row(batch, is_mark ? ROW_TRUNCATE : is_deletion ? ROW_DELETE : ROW_UPSERT);
        if (is_mark) continue;
        row[0] = (struct value){.kind = VALUE_INTEGER, .i = orders[i].id};
        set_text(&row[1], VALUE_STRING, orders[i].name);
        set_text(&row[2], VALUE_DECIMAL, is_deletion ? NULL : orders[i].amount);
        if (orders[i].version > 0) row[3] = (struct value){.kind = VALUE_INTEGER, .i = orders[i].version};
        if (orders[i].version < 0) row[3] = (struct value){.kind = VALUE_MISSING};
    }
    return batch;
}

/* One load of one slice. `cursor` sets state (NULL: none). */
static inline int commit_orders(struct flow *flow, const char *slice, enum slice_outcome outcome, const char *cursor,
                                bool complete, const struct order *orders, size_t count, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    struct batch *batch = orders_batch(flow, 0, orders, count);
    struct load_slice slices = {.slice = 0, .id = slice, .outcome = outcome};
    if (cursor) state_set(&state, "orders", "", "cursor", cursor);
    flow->counts = (struct load_counts){.emitted = count - batch->marks};
    struct load load = {.batches = &batch,
                        .batch_count = count ? 1 : 0,
                        .slices = &slices,
                        .slice_count = slice ? 1 : 0,
                        .state = &state,
                        .counts = &flow->counts,
                        .complete = complete};
    int rc = PG->commit(flow->writer, &load, err);
    batch_free(batch);
    arena_release(&arena);
    return rc;
}

#define ORDERS(...) (const struct order[]){__VA_ARGS__}, sizeof((const struct order[]){__VA_ARGS__}) / sizeof(struct order)

static inline void must_commit(struct flow *flow, const char *slice, enum slice_outcome outcome, const char *cursor,
                               bool complete, const struct order *orders, size_t count)
{
    struct err err = ERR_INIT;
    if (commit_orders(flow, slice, outcome, cursor, complete, orders, count, &err) != 0)
        fail_msg("commit: %s (%s)", err.message, err.hint);
}

static inline const char *stored_cursor(struct flow *flow)
{
    static char text[256];
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    struct err err = ERR_INIT;
    assert_int_equal(PG->load_state(flow->writer, &state, &err), 0);
    const char *value = state_get(&state, "orders", "", "cursor");
    snprintf(text, sizeof(text), "%s", value ? value : "-");
    arena_release(&arena);
    return text;
}

/* Rows `first` .. `first` + 9 and a cursor at the last one, in one load. */
static inline int commit_ten(struct flow *flow, int64_t first, struct err *err)
{
    struct order orders[10];
    char cursor[24];
    for (int i = 0; i < 10; i++) orders[i] = (struct order){first + i, "row", "1.5", first + i};
    snprintf(cursor, sizeof(cursor), "%lld", (long long)first + 9);
    return commit_orders(flow, "all", SLICE_PUBLISH, cursor, false, orders, 10, err);
}

static inline void expect_exactly(const char *schema, long rows)
{
    char query[256], expected[64];
    snprintf(query, sizeof(query), "SELECT count(*), count(DISTINCT id), coalesce(max(id), 0) FROM %s.orders", schema);
    snprintf(expected, sizeof(expected), "%ld|%ld|%ld", rows, rows, rows);
    assert_string_equal(rows_of(query), expected);
}

/* Until a condition of the server holds; the test's own time limit ends it. */
static inline void wait_until(const char *condition)
{
    while (strcmp(rows_of(condition), "true") != 0) usleep(2000);
}

struct committer {
    struct flow *flow;
    int64_t first;
    int rc;
    struct err err;
};

static inline void *commit_in_thread(void *context)
{
    struct committer *committer = context;
    committer->rc = commit_ten(committer->flow, committer->first, &committer->err);
    return NULL;
}

struct killer {
    const char *pipeline;
    _Atomic int stop;
    _Atomic long kills;
    _Atomic long loads; /* committed so far */
};

/* Ends the pipeline's connections again and again, wherever they are; between two times at least one load gets through. */
static inline void *kill_connections(void *context)
{
    struct killer *killer = context;
    struct pg *pg;
    struct err err = ERR_INIT;
    char name[80];
    snprintf(name, sizeof(name), "sluice:%s", killer->pipeline);
    if (pg_open(&(struct pg_settings){.url = server.url}, &pg, &err) != 0) return NULL;
    for (unsigned i = 1; !atomic_load(&killer->stop); i++) {
        struct pg_result *result;
        if (pg_query(pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", PG_PARAMS(name),
                     &result, &err) == 0)
            atomic_fetch_add(&killer->kills, (long)pg_rows(result));
        pg_free(result);
        usleep(2000 + i * 7919 % 22000);
    }
    pg_close(pg);
    return NULL;
}

#define FIXTURE_TESTS(...)                                                                                                     \
    int main(void)                                                                                                             \
    {                                                                                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                                       \
        return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);                                                 \
    }

#endif
