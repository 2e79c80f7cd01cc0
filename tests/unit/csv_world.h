/* csv_world: a CSV destination in a temporary folder, a flow of one stream `orders` (id, note), and loads of it in one line:
 *
 *     world_open(&world, "compression: gzip\n"); flow_open(&flow, &world, WRITE_APPEND);
 *     COMMIT(&flow, .ids = "a,b", .outcome = SLICE_PUBLISH, .cursor = "1");
 *     assert_string_equal(published(&world), "a,b"); */
#ifndef SLUICE_TESTS_CSV_WORLD_H
#define SLUICE_TESTS_CSV_WORLD_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/log.h"
#include "writer/csv/csv.h"
#include "writer/types.h"

enum { START_S = 1704067200 }; /* 2024-01-01 */

/* --- a destination to play with --------------------------------------------------------------------------------------- */

struct world {
    struct arena arena;
    char *root;
    const char *options; /* YAML behind the path */
    bool is_volatile;    /* flows that cannot be gone on from: what they hold is spooled */
    struct clock_fake clock;
    struct log *log;
    struct budget *budget;
    struct err err;
};

static inline void world_open(struct world *world, const char *options)
{
    *world = (struct world){.options = options};
    assert_int_equal(fs_make_temp_folder(&world->arena, &world->root, &world->err), 0);
    clock_fake_init(&world->clock, (int64_t)START_S * 1000000);
    world->log = log_new(2, LOG_TEXT, LOG_ERROR, NULL);
    world->budget = budget_new(64 << 20);
}

static inline void world_close(struct world *world)
{
    char *parent = fs_folder_of(&world->arena, world->root);
    assert_int_equal(fs_remove_tree(parent, arena_text(&world->arena, fs_base_name(world->root)), &world->err), 0);
    log_free(world->log);
    budget_free(world->budget);
    arena_release(&world->arena);
}

static inline const char *path_of(struct world *world, const char *relative)
{
    return fs_join(&world->arena, world->root, relative);
}

static inline bool is_there(struct world *world, const char *relative)
{
    return fs_kind(path_of(world, relative)) != FS_MISSING;
}

static inline const char *content_of(struct world *world, const char *relative)
{
    struct buf text = BUF_INIT(64 << 20);
    if (fs_read_file(path_of(world, relative), 64 << 20, &text, &world->err) != 0) fail_msg("%s", world->err.message);
    const char *copy = arena_text(&world->arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

static inline struct destination *destination_open(struct world *world)
{
    const struct node *config;
    struct destination *destination;
    char *yaml = arena_printf(&world->arena, "path: \"%s\"\ncompression: none\n%s", world->root, world->options);
    if (strstr(world->options, "compression:"))
        yaml = arena_printf(&world->arena, "path: \"%s\"\n%s", world->root, world->options);
    assert_int_equal(node_from_yaml(str_from(yaml), "test.yaml", &world->arena, &config, &world->err), 0);
    const struct destination_options options = {
        .name = "staging", .config = config, .pipeline = "shop", .clock = &world->clock.clock, .log = world->log};
    if (WRITER_CSV.open(&options, &destination, &world->err) != 0) fail_msg("%s", world->err.message);
    return destination;
}

static inline struct destination *destination_acquired(struct world *world)
{
    struct destination *destination = destination_open(world);
    if (WRITER_CSV.acquire(destination, &world->err) != 0) fail_msg("%s", world->err.message);
    return destination;
}

/* A flow of one stream `orders` (id, note). */
struct flow {
    struct world *world;
    struct destination *destination;
    struct schema *schema;
    struct table_spec table;
    struct flow_spec spec;
    struct writer *writer;
    struct load_counts counts;
};

static inline int flow_try(struct flow *flow, struct world *world, struct destination *destination, enum write_mode mode)
{
    *flow = (struct flow){.world = world, .destination = destination, .schema = schema_new("orders")};
    schema_add(flow->schema, STR("id"), TYPE_STRING, true);
    schema_set_key(flow->schema, 0);
    schema_add(flow->schema, STR("note"), TYPE_STRING, true);
    flow->table = (struct table_spec){.stream = "orders",
                                      .name = "orders",
                                      .mode = mode,
                                      .schema = flow->schema,
                                      .cursor = "updated_at",
                                      .shrink_limit = 0.5};
    flow->spec = (struct flow_spec){.pipeline = "shop",
                                    .flow = "orders",
                                    .connector = "shop 1.0",
                                    .tables = &flow->table,
                                    .table_count = 1,
                                    .resumable = !world->is_volatile};
    return WRITER_CSV.flow_open(destination, &flow->spec, &flow->writer, &world->err);
}

static inline void flow_open(struct flow *flow, struct world *world, enum write_mode mode)
{
    if (flow_try(flow, world, destination_acquired(world), mode) != 0) fail_msg("%s", world->err.message);
}

static inline void flow_close(struct flow *flow)
{
    WRITER_CSV.flow_close(flow->writer);
    WRITER_CSV.close(flow->destination);
    schema_free(flow->schema);
}

/* One batch of rows with the given ids in slice `slice`; a later comma starts the next id: "a,b,c". */
static inline struct batch *make_batch(struct flow *flow, uint32_t slice, const char *ids)
{
    struct batch *batch = batch_new(flow->world->budget, flow->schema, schema_count(flow->schema));
    struct str rest = str_from(ids), id;
    batch->slice = slice;
    while (str_next(&rest, ',', &id)) {
        struct value *row = batch_add_row(batch, ROW_UPSERT);
        row[0] = (struct value){.kind = VALUE_STRING, .size = (uint32_t)id.size, .data = id.data};
    }
    return batch;
}

struct step {
    const char *ids; /* NULL: no rows */
    enum slice_outcome outcome;
    bool complete;
    const char *cursor; /* NULL: no state */
    uint32_t slice;
};

static inline int flow_commit(struct flow *flow, const struct step *step)
{
    struct arena arena = ARENA_INIT(0);
    struct state delta = STATE_INIT(&arena);
    struct batch *batch = step->ids ? make_batch(flow, step->slice, step->ids) : NULL;
    const struct load_slice slice = {.slice = step->slice, .id = step->slice ? "s1" : "s0", .outcome = step->outcome};
    if (step->cursor) state_set(&delta, "orders", slice.id, "cursor", step->cursor);
    const struct load load = {.batches = &batch,
                              .batch_count = batch ? 1 : 0,
                              .slices = &slice,
                              .slice_count = 1,
                              .state = &delta,
                              .counts = &flow->counts,
                              .complete = step->complete};
    int rc = WRITER_CSV.commit(flow->writer, &load, &flow->world->err);
    batch_free(batch);
    arena_release(&arena);
    return rc;
}

#define COMMIT(flow, ...)                                                                                                      \
    do {                                                                                                                       \
        const struct step step_ = {__VA_ARGS__};                                                                               \
        if (flow_commit((flow), &step_) != 0) fail_msg("%s", (flow)->world->err.message);                                      \
    } while (0)

static inline const char *cursor_of(struct flow *flow, const char *slice)
{
    struct state state = STATE_INIT(&flow->world->arena);
    if (WRITER_CSV.load_state(flow->writer, &state, &flow->world->err) != 0) fail_msg("%s", flow->world->err.message);
    return state_get(&state, "orders", slice, "cursor");
}

/* The ids of all published rows, in order of load and row: "a,b,c". Hidden folders and foreign names are not read. */
static inline const char *published(struct world *world)
{
    struct fs_entry *loads = NULL, *files;
    size_t load_count = 0, file_count;
    struct buf ids = BUF_INIT(1 << 20);
    const char *folder = path_of(world, "shop/orders");
    if (fs_kind(folder) == FS_FOLDER)
        assert_int_equal(fs_list(folder, 10000, &world->arena, &loads, &load_count, &world->err), 0);
    for (size_t i = 0; i < load_count; i++) {
        if (loads[i].name[0] == '.') continue;
        const char *load = fs_join(&world->arena, folder, loads[i].name);
        assert_int_equal(fs_list(load, 10000, &world->arena, &files, &file_count, &world->err), 0);
        for (size_t k = 0; k < file_count; k++) {
            if (strncmp(files[k].name, "part-", 5) != 0) continue;
            struct buf text = BUF_INIT(64 << 20);
            assert_int_equal(fs_read_file(fs_join(&world->arena, load, files[k].name), 64 << 20, &text, &world->err), 0);
            struct str rest = buf_str(&text), line, id;
            assert_true(str_next(&rest, '\n', &line)); /* the header */
            while (str_next(&rest, '\n', &line) && line.size > 0) {
                assert_true(str_next(&line, ',', &id));
                if (ids.size) buf_append_char(&ids, ',');
                buf_append(&ids, id.data + 1, id.size - 2);
            }
            buf_release(&text);
        }
    }
    const char *result = arena_text(&world->arena, buf_str(&ids));
    buf_release(&ids);
    return result;
}

static inline void write_text(struct world *world, const char *relative, const char *text)
{
    const char *path = path_of(world, relative);
    assert_int_equal(fs_make_folders(fs_folder_of(&world->arena, path), 0755, &world->err), 0);
    assert_int_equal(fs_write_file(path, 0644, str_from(text), &world->err), 0);
}

#endif
