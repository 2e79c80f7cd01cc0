/* bench_plugin: what the way from a plugin's process costs: rows to batches, with the plugin behind its walls, and with the
 * same plugin's page called in this process, its rows decoded by the same code.
 *
 *     bench_plugin PATH_TO_SLUICE_WORKER PATH_TO_BENCH_ROWS_SO [pages]
 *
 * As in a sync, one thread gets pages and another decodes them. Prints rows per second of both, and the ratio of the times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "connector/connector.h"
#include "os/channel.h"
#include "os/fs.h"
#include "os/thread.h"
#include "rest/decode.h"
#include "rest/native.h"
#include "worker/plugin/parts.h"

enum { BETWEEN = 3, ROUNDS = 5 };

static const char *const NAMES[] = {"id",         "customer_id", "status",   "total", "items",
                                    "created_at", "updated_at",  "shipping", "gift",  "note"};
static const enum type TYPES[] = {TYPE_STRING,    TYPE_STRING,    TYPE_STRING, TYPE_DECIMAL, TYPE_INTEGER,
                                  TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_JSON,   TYPE_BOOLEAN, TYPE_STRING};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- one way and the other ----------------------------------------------------------------------------------------------- */

struct fetching {
    struct functions functions; /* of a worker; context NULL: in this process */
    struct plugin inside;
    struct budget *budget;
    struct channel *pages;
    long count;
    struct err err;
};

static struct str put(struct block *block, const struct buf *bytes)
{
    char *place = block->data + block->size;
    if (bytes->size) memcpy(place, bytes->data, bytes->size);
    block->size += bytes->size;
    return (struct str){place, bytes->size};
}

/* The page as native_next has it, without a process. */
static int page_inside(struct fetching *fetching, struct native_page *out)
{
    struct plugin_page *page = &fetching->inside.page;
    plugin_page_clear(page);
    fetching->inside.stage = STAGE_PAGE;
    int rc = sluice_plugin_entry()->page(&fetching->inside.session, NULL);
    size_t size = page->values.size + page->texts.size + page->operations.size + page->tables.size;
    *out = (struct native_page){.block = block_new(fetching->budget, size), .has_more = rc > 0};
    out->values = put(out->block, &page->values);
    out->texts = put(out->block, &page->texts);
    out->operations = put(out->block, &page->operations);
    out->tables = put(out->block, &page->tables);
    return rc;
}

static void fetch(void *context)
{
    struct fetching *fetching = context;
    for (long i = 0; i < fetching->count && !fetching->err.class; i++) {
        struct native_page *page = mem_zero(1, sizeof *page);
        int rc = fetching->functions.context
                     ? fetching->functions.page(fetching->functions.context, NULL, NULL, fetching->budget, page, &fetching->err)
                     : page_inside(fetching, page);
        if (rc < 0 || !channel_send(fetching->pages, page, NULL)) free(page);
    }
    channel_close(fetching->pages);
}

/* Rows per second. */
static double run(struct fetching *fetching, const struct decode_spec *spec)
{
    const struct decode_bounds bounds = {.rule = BOUNDS_AS_SENT};
    struct decoder *decoder = decoder_new(spec, 0, &bounds);
    struct thread thread;
    struct err err = ERR_INIT;
    void *received;
    size_t rows = 0;
    double start = seconds();
    fetching->pages = channel_new(BETWEEN);
    CHECK(thread_start(&thread, "fetch", fetch, fetching, 0, &err) == 0);
    while (channel_receive(fetching->pages, NULL, -1, &received) == CHANNEL_ITEM) {
        struct native_page *page = received;
        struct decoded decoded;
        CHECK(decoder_rows(decoder, page, &decoded, &err) == 0);
        rows += decoded.rows;
        decoded_release(&decoded);
        native_page_release(page);
        free(page);
    }
    thread_join(&thread);
    channel_free(fetching->pages);
    decoder_free(decoder);
    return (double)rows / (seconds() - start);
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static struct schema *make_schema(void)
{
    struct schema *schema = schema_new("orders");
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) (void)schema_add(schema, str_from(NAMES[i]), TYPES[i], true);
    schema_set_key(schema, 0);
    return schema;
}

static int open_worker(struct fetching *fetching, const struct connector_sources *sources,
                       const struct connector_options *options, const struct schema *schema, struct err *err)
{
    struct buf tables = BUF_INIT(1 << 20);
    struct json_writer json = JSON_WRITER(&tables);
    native_tables_begin(&json);
    native_tables_add(&json, "orders", schema);
    native_tables_end(&json);
    connector_functions_new(sources, options, &fetching->functions);
    const struct native_slice slice = {.stream = "orders", .tables = buf_str(&tables)};
    int rc = fetching->functions.open(fetching->functions.context, &slice, err);
    buf_release(&tables);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 3) return fprintf(stderr, "usage: bench_plugin PATH_TO_SLUICE_WORKER PATH_TO_BENCH_ROWS_SO [pages]\n"), 2;
    long pages = argc > 3 ? strtol(argv[3], NULL, 10) : 300;
    struct buf object = BUF_INIT(CONNECTOR_MAX_OBJECT_BYTES);
    struct err err = ERR_INIT;
    if (fs_read_file(argv[2], CONNECTOR_MAX_OBJECT_BYTES, &object, &err) != 0) return fprintf(stderr, "%s\n", err.message), 1;
    const struct connector_file file = {STR("bench.so"), buf_str(&object)};
    const struct connector_sources sources = {.name = "bench", .files = &file, .count = 1, .is_native = true};
    const struct connector_grant grant = {.profile = "parse"};
    const struct connector_options options = {.worker_path = argv[1], .grant = &grant};
    struct budget *budget = budget_new(64 << 20);
    struct schema *schema = make_schema();
    const struct decode_spec spec = {.stream = "orders", .schema = schema, .records_path = "$", .budget = budget};
    struct sluice_column columns[ARRAY_SIZE(NAMES)];
    const struct sluice_table table = {.name = "orders", .columns = columns, .column_count = ARRAY_SIZE(columns)};
    struct fetching inside = {.budget = budget, .count = pages}, outside = {.budget = budget, .count = pages};
    inside.inside.session.host = &PLUGIN_HOST;
    inside.inside.slice = (struct sluice_slice){.table_count = 1, .tables = &table};
    plugin_page_init(&inside.inside.page);
    if (open_worker(&outside, &sources, &options, schema, &err) != 0) return fprintf(stderr, "%s\n", err.message), 1;
    double best[2] = {0, 0};
    for (int round = 0; round < ROUNDS; round++) {
        double rates[2] = {run(&inside, &spec), run(&outside, &spec)};
        for (size_t i = 0; i < 2; i++)
            if (rates[i] > best[i]) best[i] = rates[i];
    }
    printf("inside  %.0f rows/s\nworker  %.0f rows/s\nratio   %.2f\n", best[0], best[1], best[0] / best[1]);
    connector_functions_free(&outside.functions);
    schema_free(schema);
    budget_free(budget);
    buf_release(&object);
    return 0;
}
