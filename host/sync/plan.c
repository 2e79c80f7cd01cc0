/* plan: see plan.h. */
#include "sync/plan.h"

#include <string.h>

static const struct stream_choice *choice_of(const struct pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (strcmp(pipeline->streams[i].name, name) == 0) return &pipeline->streams[i];
    return NULL;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static void unknown_stream(const struct description *description, const struct node *place, const char *name,
                           struct problems *problems)
{
    problems_add(problems, place, "connector '%s' has no stream '%s'", description->name, name);
    const char *nearest =
        str_nearest(str_from(name), &description->streams[0].name, description->stream_count, sizeof description->streams[0]);
    struct buf known = BUF_INIT(400);
    for (size_t i = 0; i < description->stream_count; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", description->streams[i].name);
    if (nearest)
        problems_hint(problems, "did you mean '%s'?", nearest);
    else
        problems_hint(problems, "it has: %s", buf_text(&known));
    buf_release(&known);
}

static void check_names(const struct description *description, const struct pipeline *pipeline,
                        const struct plan_request *request, struct problems *problems)
{
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (!description_stream(description, pipeline->streams[i].name))
            unknown_stream(description, pipeline->streams[i].node, pipeline->streams[i].name, problems);
    for (size_t i = 0; i < request->stream_count; i++) {
        if (!description_stream(description, request->streams[i])) {
            unknown_stream(description, NULL, request->streams[i], problems);
        } else if (pipeline->chooses_streams && !choice_of(pipeline, request->streams[i])) {
            problems_add(problems, pipeline->node, "stream '%s' is not among those of pipeline '%s'", request->streams[i],
                         pipeline->name);
            problems_hint(problems, "add it under `streams:`");
        }
    }
}

static const struct field_description *field_of(const struct stream_description *stream, const char *name)
{
    for (size_t i = 0; i < stream->field_count; i++)
        if (strcmp(stream->fields[i].name, name) == 0) return &stream->fields[i];
    return NULL;
}

/* The modes: the pipeline's word, else the connector's, else what fits (DESIGN: full_refresh overwrites, incremental merges by
 * key or appends without one). */
static void choose_modes(const struct stream_description *stream, const struct stream_choice *choice, bool full_refresh,
                         size_t key_count, struct flow_plan *flow)
{
    static const enum write_mode HINTED[] = {
        [HINT_APPEND] = WRITE_APPEND, [HINT_OVERWRITE] = WRITE_OVERWRITE, [HINT_APPEND_DEDUP] = WRITE_APPEND_DEDUP};
    enum sync_mode usual = choice->sync_mode != SYNC_DEFAULT ? choice->sync_mode
                           : stream->incremental             ? SYNC_INCREMENTAL
                                                             : SYNC_FULL_REFRESH;
    enum write_mode mode = usual == SYNC_FULL_REFRESH ? WRITE_OVERWRITE : key_count ? WRITE_APPEND_DEDUP : WRITE_APPEND;
    if (stream->write_mode != HINT_NONE && !(usual == SYNC_INCREMENTAL && stream->write_mode == HINT_OVERWRITE))
        mode = HINTED[stream->write_mode];
    if (choice->has_write_mode) mode = choice->write_mode;
    flow->sync_mode = full_refresh ? SYNC_FULL_REFRESH : usual;
    flow->keep_cursor = usual == SYNC_INCREMENTAL && stream->has_cursor;
    flow->table.mode = mode;
}

static void check_modes(const struct stream_description *stream, const struct stream_choice *choice, size_t key_count,
                        const struct flow_plan *flow, struct problems *problems)
{
    const struct node *place = choice->node;
    if (flow->sync_mode == SYNC_INCREMENTAL && !stream->incremental) {
        problems_add(problems, place, "stream '%s' cannot be synced incrementally: it has no cursor", stream->name);
        problems_hint(problems, "use sync_mode full_refresh");
    }
    if (flow->sync_mode == SYNC_FULL_REFRESH && !stream->full_refresh) {
        problems_add(problems, place, "stream '%s' can only be synced incrementally", stream->name);
        problems_hint(problems, "use sync_mode incremental; `sluice state reset` reads it from the beginning");
    }
    if (flow->sync_mode == SYNC_INCREMENTAL && flow->table.mode == WRITE_OVERWRITE) {
        problems_add(problems, place, "stream '%s': incremental cannot overwrite: each run would keep only what is new",
                     stream->name);
        problems_hint(problems, "use write_mode append_dedup, or sync_mode full_refresh");
    }
    if (flow->table.mode == WRITE_APPEND_DEDUP && key_count == 0) {
        problems_add(problems, place, "stream '%s': append_dedup needs a primary key, and none is declared", stream->name);
        problems_hint(problems, "set primary_key, or use write_mode append");
    }
    if (choice->cursor && flow->sync_mode == SYNC_INCREMENTAL && strcmp(choice->cursor, stream->cursor.field) != 0) {
        problems_add(problems, place, "stream '%s': the source filters by '%s', so incremental cannot go by '%s'", stream->name,
                     stream->cursor.field, choice->cursor);
        problems_hint(problems, "leave `cursor` out, or use sync_mode full_refresh, where it orders versions of a record");
    }
    for (size_t i = 0; i < choice->blocked_count; i++) {
        const char *column = choice->blocked[i];
        bool is_key = is_among(column, choice->primary_key ? choice->primary_key : stream->primary_key, key_count);
        bool is_cursor = flow->table.cursor && strcmp(column, flow->table.cursor) == 0;
        if (is_key || is_cursor)
            problems_add(problems, place, "stream '%s': column '%s' cannot be blocked, it is the %s", stream->name, column,
                         is_key ? "primary key" : "cursor");
    }
}

static bool is_kept(const struct flow_plan *flow, const char *const *key, size_t key_count, const char *name)
{
    const struct decode_spec *decode = &flow->decode;
    if (is_among(name, decode->blocked, decode->blocked_count)) return false;
    if (!decode->select || is_among(name, decode->select, decode->select_count) || is_among(name, key, key_count)) return true;
    return flow->table.cursor && strcmp(name, flow->table.cursor) == 0;
}

/* Declared fields in their order, then key fields that are not among them (as text: numbers keep their digits). */
static struct schema *make_schema(const struct stream_description *stream, const struct flow_plan *flow, const char *const *key,
                                  size_t key_count)
{
    struct schema *schema = schema_new(stream->name);
    for (size_t i = 0; i < stream->field_count; i++) {
        const struct field_description *field = &stream->fields[i];
        if (!is_kept(flow, key, key_count, field->name)) continue;
        const struct column *column = schema_add(schema, str_from(field->name), field->type, true);
        if (column) schema_set_format(schema, column->index, field->format, str_from(field->zone));
    }
    for (size_t i = 0; i < key_count; i++) {
        const struct column *column = schema_add(schema, str_from(key[i]), TYPE_STRING, true);
        if (column) schema_set_key(schema, column->index);
    }
    return schema;
}

static void make_flow(const struct stream_description *stream, const struct stream_choice *choice, bool full_refresh,
                      struct arena *arena, struct flow_plan *flow, struct problems *problems)
{
    const char *const *key = choice->primary_key ? choice->primary_key : stream->primary_key;
    size_t key_count = choice->primary_key ? choice->primary_key_count : stream->primary_key_count;
    *flow = (struct flow_plan){.stream = stream};
    choose_modes(stream, choice, full_refresh, key_count, flow);
    flow->table.stream = stream->name;
    flow->table.name = choice->table ? choice->table : stream->name;
    flow->table.in_place = choice->in_place;
    flow->table.shrink_limit = choice->shrink_limit;
    flow->table.cursor = choice->cursor ? choice->cursor : stream->has_cursor ? stream->cursor.field : NULL;
    bool own_cursor = stream->has_cursor && flow->table.cursor && strcmp(flow->table.cursor, stream->cursor.field) == 0;
    flow->ascending = own_cursor && stream->cursor.ascending;
    flow->keep_cursor = flow->keep_cursor && own_cursor;
    flow->mode = arena_printf(arena, "%s %s", sync_mode_name(flow->sync_mode), write_mode_name(flow->table.mode));

    struct decode_spec *decode = &flow->decode;
    decode->stream = stream->name;
    decode->records_path = stream->records_path;
    decode->select = choice->select;
    decode->select_count = choice->select_count;
    decode->blocked = choice->blocked;
    decode->blocked_count = choice->blocked_count;
    decode->infer = stream->infer;
    decode->on_mismatch = choice->on_mismatch;
    decode->cursor_field = flow->table.cursor;
    if (own_cursor) {
        decode->cursor_type = stream->cursor.window.type;
        decode->cursor_format = stream->cursor.window.format;
        decode->cursor_missing = stream->cursor.missing;
    } else if (flow->table.cursor) {
        const struct field_description *field = field_of(stream, flow->table.cursor);
        if (field) {
            decode->cursor_type = field->type;
            decode->cursor_format = field->format;
        } else {
            problems_add(problems, choice->node, "stream '%s': cursor '%s' is not a declared field", stream->name,
                         flow->table.cursor);
            problems_hint(problems, "only fields whose type is declared can order records");
        }
    }
    check_modes(stream, choice, key_count, flow, problems);
    flow->table.schema = decode->schema = make_schema(stream, flow, key, key_count);
}

static void check_tables(const struct sync_plan *plan, const struct pipeline *pipeline, struct problems *problems)
{
    for (size_t i = 0; i < plan->count; i++)
        for (size_t j = 0; j < i; j++)
            if (str_equal_nocase(str_from(plan->flows[i].table.name), str_from(plan->flows[j].table.name)))
                problems_add(problems, pipeline->node, "streams '%s' and '%s' are both written to table '%s'",
                             plan->flows[j].stream->name, plan->flows[i].stream->name, plan->flows[i].table.name);
}

void plan_make(const struct description *description, const struct pipeline *pipeline, const struct plan_request *request,
               struct arena *arena, struct sync_plan *plan, struct problems *problems)
{
    *plan = (struct sync_plan){.flows = arena_array(arena, struct flow_plan, description->stream_count + 1)};
    check_names(description, pipeline, request, problems);
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct stream_description *stream = &description->streams[i];
        const struct stream_choice *choice = choice_of(pipeline, stream->name);
        if (pipeline->chooses_streams && !choice) continue;
        if (request->stream_count && !is_among(stream->name, request->streams, request->stream_count)) continue;
        bool full_refresh = request->full_refresh && stream->full_refresh;
        make_flow(stream, choice ? choice : &pipeline->defaults, full_refresh, arena, &plan->flows[plan->count++], problems);
    }
    check_tables(plan, pipeline, problems);
    if (plan->count == 0 && problems->count == 0)
        problems_add(problems, pipeline->node, "pipeline '%s' has no streams to sync", pipeline->name);
}

void plan_release(struct sync_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) schema_free(plan->flows[i].table.schema);
    plan->count = 0;
}
