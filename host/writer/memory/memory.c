/* How it works: a load's rows join their table's held ones; what a slice's outcome says is then done to those. Texts live as
 * long as the memory: a case is small. Several flows commit at once, so that all of it is under one lock. */
#include "writer/memory/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/time.h"

enum { ROW_MAX_BYTES = 64 * 1024 * 1024, REJECTS_MAX_BYTES = 1024 * 1024 };

struct memory_flow {
    const char *name;
    struct state state;
};

struct memory {
    struct arena arena;
    struct memory_table **tables;
    struct memory_flow **flows;
    size_t table_count, flow_count;
    struct buf rejects;
    pthread_mutex_t lock;
};

struct destination {
    struct memory *memory;
};

struct writer {
    struct memory *memory;
    struct memory_flow *flow;
    struct memory_table **tables; /* per table of the flow */
    const struct table_spec *specs;
    size_t table_count;
};

/* --- the memory ---------------------------------------------------------------------------------- */

struct memory *memory_new(void)
{
    struct memory *memory = mem_zero(1, sizeof *memory);
    memory->rejects = BUF_INIT(REJECTS_MAX_BYTES);
    CHECK(pthread_mutex_init(&memory->lock, NULL) == 0);
    return memory;
}

void memory_free(struct memory *memory)
{
    if (!memory) return;
    for (size_t i = 0; i < memory->table_count; i++) {
        free(memory->tables[i]->rows.list);
        free(memory->tables[i]->held.list);
    }
    free(memory->tables);
    free(memory->flows);
    buf_release(&memory->rejects);
    pthread_mutex_destroy(&memory->lock);
    arena_release(&memory->arena);
    free(memory);
}

size_t memory_table_count(const struct memory *memory)
{
    return memory->table_count;
}

const struct memory_table *memory_table(const struct memory *memory, size_t index)
{
    return memory->tables[index];
}

const struct state *memory_state(const struct memory *memory, size_t index)
{
    return index < memory->flow_count ? &memory->flows[index]->state : NULL;
}

const char *memory_rejects(const struct memory *memory)
{
    return buf_text(&memory->rejects);
}

void memory_clear_rejects(struct memory *memory)
{
    buf_clear(&memory->rejects);
}

static struct memory_table *find_table(struct memory *memory, const char *stream)
{
    for (size_t i = 0; i < memory->table_count; i++)
        if (strcmp(memory->tables[i]->stream, stream) == 0) return memory->tables[i];
    struct memory_table *table = arena_new(&memory->arena, struct memory_table);
    table->stream = arena_strdup(&memory->arena, stream);
    memory->tables = mem_resize(memory->tables, (memory->table_count + 1) * sizeof(struct memory_table *));
    return memory->tables[memory->table_count++] = table;
}

static struct memory_flow *find_flow(struct memory *memory, const char *name)
{
    for (size_t i = 0; i < memory->flow_count; i++)
        if (strcmp(memory->flows[i]->name, name) == 0) return memory->flows[i];
    struct memory_flow *flow = arena_new(&memory->arena, struct memory_flow);
    flow->name = arena_strdup(&memory->arena, name);
    flow->state = (struct state){.arena = &memory->arena};
    memory->flows = mem_resize(memory->flows, (memory->flow_count + 1) * sizeof(struct memory_flow *));
    return memory->flows[memory->flow_count++] = flow;
}

static void push(struct memory_rows *rows, const struct memory_row *row)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? rows->capacity * 2 : 64;
        rows->list = mem_resize(rows->list, rows->capacity * sizeof *rows->list);
    }
    rows->list[rows->count++] = *row;
}

/* --- a row --------------------------------------------------------------------------------------- */

static void append_field(const struct column *column, const struct value *value, struct buf *out)
{
    if (value->kind == VALUE_NULL || value->kind == VALUE_MISSING) return;
    buf_append_text(out, out->size > 1 ? ", " : "");
    buf_append_json_string(out, str_from(column->name));
    buf_append_text(out, ": ");
    value_to_json(value, column->type, out);
}

static const char *row_json(const struct batch *batch, const struct value *values, struct arena *arena)
{
    struct buf out = BUF_INIT(ROW_MAX_BYTES);
    buf_append_char(&out, '{');
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t c = 0; c < batch->columns; c++) {
            const struct column *column = schema_column(batch->schema, c);
            if (column->key == (pass == 0)) append_field(column, &values[c], &out);
        }
    buf_append_char(&out, '}');
    char *json = arena_text(arena, buf_str(&out));
    buf_release(&out);
    for (char *c = json; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' '; /* between tokens: a string has none */
    return json;
}

/* The values of some fields as one text, told apart by their lengths. */
static void append_part(const struct column *column, const struct value *value, struct buf *out)
{
    struct buf text = BUF_INIT(ROW_MAX_BYTES);
    value_to_text(value, column->type, &text);
    buf_printf(out, "%zu:", text.size);
    buf_append_str(out, buf_str(&text));
    buf_release(&text);
}

static bool names_set(const struct table_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->set_count; i++)
        if (strcmp(spec->set[i], name) == 0) return true;
    return false;
}

static struct memory_row read_row(const struct table_spec *spec, const struct batch *batch, size_t at, struct arena *arena)
{
    const struct value *values = batch_row(batch, at);
    struct buf key = BUF_INIT(ROW_MAX_BYTES), set = BUF_INIT(ROW_MAX_BYTES);
    struct memory_row row = {.operation = batch->operations[at], .cursor = {.kind = VALUE_NULL}};
    for (uint32_t c = 0; c < batch->columns; c++) {
        const struct column *column = schema_column(batch->schema, c);
        if (column->key) append_part(column, &values[c], &key);
        if (names_set(spec, column->name)) append_part(column, &values[c], &set);
        if (!spec->cursor || strcmp(spec->cursor, column->name) != 0) continue;
        row.cursor = values[c];
        if (values[c].kind == VALUE_STRING || values[c].kind == VALUE_DECIMAL || values[c].kind == VALUE_JSON ||
            values[c].kind == VALUE_BINARY)
            row.cursor.data = arena_copy(arena, value_str(&values[c])).data;
    }
    row.json = row_json(batch, values, arena);
    if (key.size) row.key = arena_text(arena, buf_str(&key));
    if (set.size) row.set = arena_text(arena, buf_str(&set));
    buf_release(&key);
    buf_release(&set);
    return row;
}

/* --- what becomes visible ------------------------------------------------------------------------ */

static bool is_older(const struct table_spec *spec, const struct memory_row *row, const struct memory_row *than)
{
    const struct column *cursor = spec->cursor ? schema_find(spec->schema, str_from(spec->cursor)) : NULL;
    return cursor && value_compare(&row->cursor, &than->cursor, cursor->type) < 0;
}

static void remove_row(struct memory_rows *rows, size_t at)
{
    memmove(&rows->list[at], &rows->list[at + 1], (rows->count - at - 1) * sizeof *rows->list);
    rows->count--;
}

/* Takes the place of the row of its key, where that is not newer. */
static void merge_row(const struct table_spec *spec, struct memory_rows *rows, const struct memory_row *row,
                      struct load_counts *counts)
{
    for (size_t i = 0; i < rows->count && row->key; i++) {
        if (strcmp(rows->list[i].key, row->key) != 0) continue;
        if ((spec->keeps_first && spec->mode == WRITE_APPEND_DEDUP) || is_older(spec, row, &rows->list[i])) {
            counts->deduplicated++;
            return;
        }
        if (row->operation == ROW_DELETE) {
            remove_row(rows, i);
            counts->deleted++;
            return;
        }
        bool is_same = strcmp(rows->list[i].json, row->json) == 0;
        rows->list[i] = *row;
        if (is_same)
            counts->unchanged++;
        else
            counts->written++;
        return;
    }
    counts->written++;
    if (row->operation != ROW_DELETE) push(rows, row);
}

/* Makes room for a set; false when the one that is there is newer. */
static bool replace_set(const struct table_spec *spec, struct memory_rows *rows, const struct memory_row *first)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->list[i].set, first->set) == 0 && is_older(spec, first, &rows->list[i])) return false;
    for (size_t i = rows->count; i-- > 0;)
        if (strcmp(rows->list[i].set, first->set) == 0) remove_row(rows, i);
    return true;
}

static void merge(const struct table_spec *spec, struct memory_rows *rows, const struct memory_row *list, size_t count,
                  struct load_counts *counts)
{
    bool takes_set = true;
    for (size_t i = 0; i < count; i++) {
        const struct memory_row *row = &list[i];
        bool begins = row->operation == ROW_FIRST || row->operation == ROW_EMPTY;
        if (begins && spec->set_count) takes_set = replace_set(spec, rows, row);
        if (row->operation == ROW_TRUNCATE) {
            counts->deleted += rows->count;
            rows->count = 0;
        }
        if (row_is_mark(row->operation)) continue;
        if (!takes_set)
            counts->deduplicated++;
        else if (row->key)
            merge_row(spec, rows, row, counts);
        else
            push(rows, row), counts->written++;
    }
}

static void append(struct memory_rows *rows, const struct memory_row *row, struct load_counts *counts)
{
    if (row_is_mark(row->operation)) return;
    push(rows, row);
    counts->written++;
}

/* Moves a slice's held rows on. */
static void publish_slice(const struct table_spec *spec, struct memory_table *table, const char *slice,
                          struct load_counts *counts)
{
    struct memory_rows *held = &table->held;
    struct memory_rows moved = {0};
    size_t kept = 0;
    for (size_t i = 0; i < held->count; i++) {
        struct memory_row *row = &held->list[i];
        bool is_its = strcmp(row->slice, slice) == 0;
        if (is_its && spec->mode == WRITE_OVERWRITE) row->is_settled = true;
        if (is_its && spec->mode != WRITE_OVERWRITE)
            push(&moved, row);
        else
            held->list[kept++] = *row;
    }
    held->count = kept;
    if (spec->mode == WRITE_APPEND)
        for (size_t i = 0; i < moved.count; i++) append(&table->rows, &moved.list[i], counts);
    else
        merge(spec, &table->rows, moved.list, moved.count, counts);
    free(moved.list);
}

/* Of the units a value of the type has; only times are replaced by range. */
static int64_t edge_of(const char *text, enum type type)
{
    enum time_zone_mark mark;
    int64_t edge = 0;
    CHECK(type == TYPE_DATE ? time_parse_date(str_from(text), &edge) : time_parse_iso(str_from(text), &edge, &mark));
    return edge;
}

static void replace_range(const struct table_spec *spec, struct memory_table *table, const struct load_slice *slice)
{
    const struct column *cursor = spec->cursor ? schema_find(spec->schema, str_from(spec->cursor)) : NULL;
    if (!cursor || !load_slice_replaces(slice) || spec->mode == WRITE_OVERWRITE) return;
    int64_t from = edge_of(slice->replace_from, cursor->type), to = edge_of(slice->replace_to, cursor->type);
    for (size_t i = table->rows.count; i-- > 0;) {
        const struct value *value = &table->rows.list[i].cursor;
        if (value->kind != VALUE_NULL && value->i >= from && value->i < to) remove_row(&table->rows, i);
    }
}

static void drop_slice(struct memory_table *table, const char *slice, bool settled_too)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->held.count; i++) {
        const struct memory_row *row = &table->held.list[i];
        bool goes = strcmp(row->slice, slice) == 0 && (settled_too || !row->is_settled);
        if (!goes) table->held.list[kept++] = *row;
    }
    table->held.count = kept;
}

static void publish_build(const struct table_spec *spec, struct memory_table *table, struct load_counts *counts)
{
    table->rows.count = 0;
    merge(spec, &table->rows, table->held.list, table->held.count, counts);
    table->held.count = 0;
}

/* --- the writer ---------------------------------------------------------------------------------- */

static const struct load_slice *find_slice(const struct load *load, uint32_t slice)
{
    for (size_t i = 0; i < load->slice_count; i++)
        if (load->slices[i].slice == slice) return &load->slices[i];
    check_failed(__FILE__, __LINE__, "a batch of a slice that the load does not name");
}

static void take_batch(struct writer *writer, const struct load *load, const struct batch *batch)
{
    struct arena *arena = &writer->memory->arena;
    const char *slice = arena_strdup(arena, find_slice(load, batch->slice)->id);
    for (size_t r = 0; r < batch->rows; r++) {
        struct memory_row row = read_row(&writer->specs[batch->stream], batch, r, arena);
        row.slice = slice;
        push(&writer->tables[batch->stream]->held, &row);
    }
}

static void take_rejects(struct memory *memory, const struct load *load)
{
    for (size_t i = 0; i < load->reject_count; i++) {
        const struct reject *reject = &load->rejects[i];
        buf_printf(&memory->rejects, "%s: %s: %s%s%s\n", reject->stream, reject->reason, reject->field ? reject->field : "",
                   reject->field ? ": " : "", reject->detail ? reject->detail : "");
    }
}

static void sweep_state(struct writer *writer, const struct state_sweep *sweep)
{
    struct arena arena = ARENA_INIT(0);
    struct state gone = STATE_INIT(&arena);
    const struct state *state = &writer->flow->state;
    for (size_t i = 0; i < state->count; i++) {
        const struct state_entry *entry = &state->entries[i];
        bool is_meant = strcmp(entry->stream, sweep->stream) == 0 && strcmp(entry->kind, sweep->kind) == 0;
        bool stays = sweep->keep && strncmp(entry->value, sweep->keep, strlen(sweep->keep)) == 0;
        if (is_meant && !stays) state_set(&gone, entry->stream, entry->slice, entry->kind, NULL);
    }
    state_apply(&writer->flow->state, &gone);
    arena_release(&arena);
}

static int memory_commit(struct writer *writer, const struct load *load, struct err *err)
{
    (void)err;
    struct memory *memory = writer->memory;
    pthread_mutex_lock(&memory->lock);
    for (size_t s = 0; s < load->slice_count; s++)
        for (size_t t = 0; t < writer->table_count; t++)
            if (load->slices[s].outcome == SLICE_RESTART || load->slices[s].outcome == SLICE_ABANDON)
                drop_slice(writer->tables[t], load->slices[s].id, load->slices[s].outcome == SLICE_ABANDON);
    for (size_t b = 0; b < load->batch_count; b++) take_batch(writer, load, load->batches[b]);
    take_rejects(memory, load);
    for (size_t t = 0; t < writer->table_count; t++) {
        for (size_t s = 0; s < load->slice_count; s++)
            if (load->slices[s].outcome == SLICE_PUBLISH) {
                replace_range(&writer->specs[t], writer->tables[t], &load->slices[s]);
                publish_slice(&writer->specs[t], writer->tables[t], load->slices[s].id, &load->counts[t]);
            }
        if (load->complete && writer->specs[t].mode == WRITE_OVERWRITE)
            publish_build(&writer->specs[t], writer->tables[t], &load->counts[t]);
    }
    state_apply(&writer->flow->state, load->state);
    if (load->sweep) sweep_state(writer, load->sweep);
    pthread_mutex_unlock(&memory->lock);
    return 0;
}

static int memory_fail(struct writer *writer, const struct load *load, const char *reason, struct err *err)
{
    (void)reason;
    (void)err;
    pthread_mutex_lock(&writer->memory->lock);
    take_rejects(writer->memory, load);
    pthread_mutex_unlock(&writer->memory->lock);
    return 0;
}

static int memory_load_state(struct writer *writer, struct state *state, struct err *err)
{
    (void)err;
    pthread_mutex_lock(&writer->memory->lock);
    state_apply(state, &writer->flow->state);
    pthread_mutex_unlock(&writer->memory->lock);
    return 0;
}

static int memory_flow_open(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err)
{
    (void)err;
    struct memory *memory = destination->memory;
    struct writer *writer = mem_zero(1, sizeof *writer);
    pthread_mutex_lock(&memory->lock);
    *writer = (struct writer){.memory = memory, .specs = spec->tables, .table_count = spec->table_count};
    writer->flow = find_flow(memory, spec->flow);
    writer->tables = mem_zero(spec->table_count, sizeof(struct memory_table *));
    for (size_t t = 0; t < spec->table_count; t++) writer->tables[t] = find_table(memory, spec->tables[t].stream);
    pthread_mutex_unlock(&memory->lock);
    *out = writer;
    return 0;
}

static void memory_flow_close(struct writer *writer)
{
    if (!writer) return;
    free(writer->tables);
    free(writer);
}

static int memory_open(const struct destination_options *options, struct destination **out, struct err *err)
{
    (void)err;
    *out = mem_zero(1, sizeof **out);
    (*out)->memory = options->memory;
    return 0;
}

/* Nobody else can reach it: there is nothing to lease. */
static int memory_acquire(struct destination *destination, struct err *err)
{
    (void)destination;
    (void)err;
    return 0;
}

static int memory_renew(struct destination *destination, int64_t wait_ms, struct err *err)
{
    (void)destination;
    (void)wait_ms;
    (void)err;
    return 0;
}

static void memory_release(struct destination *destination)
{
    (void)destination;
}

static void memory_close(struct destination *destination)
{
    free(destination);
}

static const struct option_table NO_OPTIONS = {"the memory of a case", NULL, 0};

/* `check`, `state_read` and `state_write` serve commands that need a sluice.yaml, where this type has no name. */
const struct writer_type WRITER_MEMORY = {
    .name = "memory",
    .title = "memory",
    .options = &NO_OPTIONS,
    .open = memory_open,
    .acquire = memory_acquire,
    .renew = memory_renew,
    .release = memory_release,
    .close = memory_close,
    .flow_open = memory_flow_open,
    .load_state = memory_load_state,
    .commit = memory_commit,
    .fail = memory_fail,
    .flow_close = memory_flow_close,
};
