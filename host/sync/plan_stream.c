/* plan_stream: what a stream is to be: its write mode, key, cursor, columns and table, by the pipeline's word and the
 * connector's; first a root, then what is exploded from it. */
#include "sync/plan_parts.h"

/* The connector's word, else what fits (full_refresh overwrites, incremental merges by key or appends without one). */
static enum write_mode default_mode(const struct stream_description *stream, enum sync_mode usual, bool has_key)
{
    static const enum write_mode HINTED[] = {
        [HINT_APPEND] = WRITE_APPEND, [HINT_OVERWRITE] = WRITE_OVERWRITE, [HINT_APPEND_DEDUP] = WRITE_APPEND_DEDUP};
    if (stream->write_mode != HINT_NONE && !(usual == SYNC_INCREMENTAL && stream->write_mode == HINT_OVERWRITE))
        return HINTED[stream->write_mode];
    return usual == SYNC_FULL_REFRESH ? WRITE_OVERWRITE : has_key ? WRITE_APPEND_DEDUP : WRITE_APPEND;
}

static void check_sync_mode(const struct making *making, const struct stream_description *stream,
                            const struct stream_choice *choice)
{
    enum sync_mode mode = making->flow->sync_mode;
    if (mode == SYNC_INCREMENTAL && !stream->incremental) {
        problems_add(making->problems, choice->node, "stream '%s' cannot be synced incrementally: it has no cursor",
                     stream->name);
        problems_hint(making->problems, "use sync_mode full_refresh");
    }
    if (mode == SYNC_FULL_REFRESH && !stream->full_refresh) {
        problems_add(making->problems, choice->node, "stream '%s' can only be synced incrementally", stream->name);
        problems_hint(making->problems, "use sync_mode incremental; `sluice state reset` reads it from the beginning");
    }
    bool has_other =
        choice->cursor && stream->has_cursor && stream->cursor.field && strcmp(choice->cursor, stream->cursor.field) != 0;
    if (has_other && mode == SYNC_INCREMENTAL) {
        problems_add(making->problems, choice->node,
                     "stream '%s': the source filters by '%s', so incremental cannot go by '%s'", stream->name,
                     stream->cursor.field, choice->cursor);
        problems_hint(making->problems,
                      "leave `cursor` out, or use sync_mode full_refresh, where it orders versions of a record");
    }
}

static void check_modes(const struct making *making, const struct stream_description *stream,
                        const struct stream_choice *choice, const struct table_spec *table, const struct key_choice *key)
{
    const struct node *place = choice->node;
    if (making->flow->sync_mode == SYNC_INCREMENTAL && table->mode == WRITE_OVERWRITE) {
        problems_add(making->problems, place, "stream '%s': incremental cannot overwrite: each run would keep only what is new",
                     stream->name);
        problems_hint(making->problems, "use write_mode append_dedup, or sync_mode full_refresh");
    }
    if (table->mode == WRITE_APPEND_DEDUP && key->count == 0) {
        problems_add(making->problems, place, "stream '%s': append_dedup needs a primary key, and none is declared",
                     stream->name);
        problems_hint(making->problems, "set primary_key, or use write_mode append");
    }
}

/* The key and the cursor cannot be left out. */
static void check_blocked(const struct making *making, const struct stream_choice *choice, const struct table_spec *table,
                          const struct decode_spec *decode, const struct key_choice *key)
{
    for (size_t i = 0; i < decode->blocked_count; i++) {
        const char *column = decode->blocked[i];
        bool is_key = is_among(column, key->names, key->count);
        bool is_cursor = table->cursor && strcmp(column, table->cursor) == 0;
        if (is_key || is_cursor)
            problems_add(making->problems, choice->node, "stream '%s': column '%s' cannot be blocked, it is the %s",
                         table->stream, column, is_key ? "primary key" : "cursor");
    }
}

static bool is_kept(const struct table_spec *table, const struct decode_spec *decode, const struct key_choice *key,
                    const char *name)
{
    if (is_among(name, decode->blocked, decode->blocked_count)) return false;
    if (!decode->select || is_among(name, decode->select, decode->select_count) || is_among(name, key->names, key->count))
        return true;
    return table->cursor && strcmp(name, table->cursor) == 0;
}

/* Declared fields in their order, then key fields that are not among them (as text: numbers keep their digits). */
static struct schema *make_schema(const struct stream_description *stream, const struct table_spec *table,
                                  const struct decode_spec *decode, const struct key_choice *key)
{
    struct schema *schema = schema_new(stream->name);
    for (size_t i = 0; i < stream->field_count; i++) {
        const struct field_description *field = &stream->fields[i];
        if (!is_kept(table, decode, key, field->name)) continue;
        const struct column *column = schema_add(schema, str_from(field->name), field->type, true);
        if (column) schema_set_format(schema, column->index, field->format, str_from(field->zone));
    }
    for (size_t i = 0; i < key->count; i++) {
        const struct column *column = schema_add(schema, str_from(key->names[i]), TYPE_STRING, true);
        if (column) schema_set_key(schema, column->index);
    }
    return schema;
}

/* What requests may ask the source for: a name it does not list is none it knows. */
static struct str asked_names(const struct stream_description *stream, const struct table_spec *table,
                              const struct decode_spec *decode, const struct key_choice *key, struct arena *arena)
{
    struct buf names = BUF_INIT(4 * 1024 * 1024);
    for (size_t i = 0; i < stream->field_count; i++) {
        const struct field_description *field = &stream->fields[i];
        if (stream->fields_from && !field->is_listed) continue;
        if (is_kept(table, decode, key, field->name)) buf_printf(&names, "%s%s", names.size ? "," : "", field->name);
    }
    struct str text = arena_copy(arena, (struct str){buf_text(&names), names.size});
    buf_release(&names);
    return text;
}

/* What a stream's table and decoder have by its choice alone. */
static void apply_choice(const struct stream_description *stream, const struct stream_choice *choice, struct table_spec *table,
                         struct decode_spec *decode)
{
    *table = (struct table_spec){
        .stream = stream->name,
        .name = choice->table ? choice->table : stream->name,
        .mode = table->mode,
        .keeps_first = choice->keeps_first,
        .in_place = choice->in_place,
        .shrink_limit = choice->shrink_limit,
    };
    *decode = (struct decode_spec){
        .stream = stream->name,
        .records_path = stream->reshape ? "$" : stream->records_path,
        .select = choice->select,
        .select_count = choice->select_count,
        .blocked = choice->blocked,
        .blocked_count = choice->blocked_count,
        .drop_repeats = pages_overlap(&stream->pages),
        .texts_are_problems = stream->format.kind == FORMAT_CSV && !stream->map_function,
        .infer = stream->infer,
        .on_mismatch = choice->on_mismatch,
    };
}

/* --- the root ------------------------------------------------------------------------------------------------------------ */

static void read_cursor(const struct making *making, const char *field_name, bool is_own)
{
    const struct stream_description *stream = making->flow->stream;
    struct decode_spec *decode = &making->flow->decode;
    decode->cursor_field = field_name;
    if (is_own) {
        decode->cursor_type = stream->cursor.window.type;
        decode->cursor_format = stream->cursor.window.format;
        decode->cursor_missing = stream->cursor.missing;
    } else if (field_name) {
        const struct field_description *field = stream_field(stream, field_name);
        if (field) {
            decode->cursor_type = field->type;
            decode->cursor_format = field->format;
            return;
        }
        problems_add(making->problems, making->choice->node, "stream '%s': cursor '%s' is not a declared field", stream->name,
                     field_name);
        problems_hint(making->problems, "only fields whose type is declared can order records");
    }
}

/* Deletions are marked where rows are merged; anywhere else a record that is gone is one like others. */
static void read_deletions(const struct making *making)
{
    if (making->root_mode == WRITE_APPEND_DEDUP) making->flow->decode.deleted = making->flow->stream->deleted;
}

/* How records come out of events about them; and the version, which is in neither. */
static void read_feed(const struct making *making)
{
    struct flow_plan *flow = making->flow;
    const struct cursor_description *cursor = &flow->stream->cursor;
    if (!flow->stream->has_cursor || !cursor->events) return;
    struct event_spec *event = arena_new(making->arena, struct event_spec);
    const char **given = arena_array(making->arena, const char *, 1);
    given[0] = flow->decode.version = cursor->field;
    flow->decode.given = given;
    flow->decode.given_count = 1;
    *event = cursor->events->event;
    if (making->root_mode != WRITE_APPEND_DEDUP) event->deleted = NULL;
    flow->events = flow->decode;
    flow->events.records_path = cursor->events->stream->records_path;
    flow->events.drop_repeats = pages_overlap(&cursor->events->stream->pages);
    flow->events.cursor_missing = CURSOR_MISSING_REJECT;
    flow->events.event = event;
}

static void add_stream(struct flow_plan *flow, const struct stream_description *stream, const struct table_spec *table,
                       struct arena *arena)
{
    flow->streams[flow->stream_count] = (struct stream_plan){
        .stream = stream, .mode = arena_printf(arena, "%s %s", sync_mode_name(flow->sync_mode), write_mode_name(table->mode))};
    flow->tables[flow->stream_count++] = *table;
    flow->appends = flow->appends || table->mode == WRITE_APPEND;
}

void plan_root(struct making *making)
{
    struct flow_plan *flow = making->flow;
    const struct stream_description *stream = flow->stream;
    const struct stream_choice *choice = making->choice;
    struct table_spec table = {.mode = default_mode(stream, making->usual, making->key.count > 0)};
    if (choice->has_write_mode) table.mode = choice->write_mode;
    apply_choice(stream, choice, &table, &flow->decode);
    table.cursor = choice->cursor ? choice->cursor : stream->has_cursor ? stream->cursor.field : NULL;
    bool has_field = stream->has_cursor && stream->cursor.field;
    bool own_cursor = has_field && table.cursor && strcmp(table.cursor, stream->cursor.field) == 0;
    flow->ascending = own_cursor && stream->cursor.order == CURSOR_ASCENDING;
    flow->keep_cursor = making->usual == SYNC_INCREMENTAL && own_cursor;
    flow->keep_token = making->usual == SYNC_INCREMENTAL && stream->has_cursor && stream->cursor.kind == CURSOR_TOKEN;
    making->cursor = table.cursor;
    making->root_mode = table.mode;
    read_cursor(making, table.cursor, own_cursor);
    if (flow->loads_root) {
        check_modes(making, stream, choice, &table, &making->key);
        check_blocked(making, choice, &table, &flow->decode, &making->key);
    } else {
        flow->decode.infer = false;
        flow->decode.stream_index = DECODE_NONE;
    }
    check_sync_mode(making, stream, choice);
    if (stream->parent.changed && table.mode == WRITE_APPEND && !flow->keep_cursor && flow->sync_mode == SYNC_INCREMENTAL) {
        problems_add(making->problems, choice->node,
                     "stream '%s' is appended: the records of a parent that changed would be there twice", stream->name);
        problems_hint(making->problems, "use write_mode append_dedup, or sync_mode full_refresh");
    }
    table.schema = flow->decode.schema = make_schema(stream, &table, &flow->decode, &making->key);
    making->stream->asked = asked_names(stream, &table, &flow->decode, &making->key, making->arena);
    read_deletions(making);
    read_feed(making);
    if (flow->loads_root)
        add_stream(flow, stream, &table, making->arena);
    else
        flow->hidden = table.schema;
}

void plan_check_range(const struct making *making)
{
    struct flow_plan *flow = making->flow;
    const struct stream_description *stream = flow->stream;
    const struct cursor_description *cursor = &stream->cursor;
    struct problems *problems = making->problems;
    bool has_range = stream->has_cursor && !stream_is_partitioned(stream) && cursor->kind != CURSOR_TOKEN &&
                     cursor->kind != CURSOR_EVENT_FEED && cursor->kind != CURSOR_REFETCH && flow->sync_mode == SYNC_INCREMENTAL;
    if (!has_range) {
        problems_add(problems, making->choice->node, "stream '%s' has no range to read: it goes by no cursor of its own values",
                     stream->name);
        problems_hint(problems, "--from and --to are for streams that are incremental by a field");
    }
    if (flow->appends) {
        problems_add(problems, making->choice->node, "stream '%s' is appended: what is there already would be there twice",
                     stream->name);
        problems_hint(problems, "--from and --to need write_mode append_dedup");
    }
    flow->from = making->request->from;
    flow->to = making->request->to;
    flow->keep_cursor = flow->keep_token = false;
}

/* --- what is exploded from it -------------------------------------------------------------------------------------------- */

static const char *copied_as(const struct stream_description *stream, const char *from)
{
    for (size_t i = 0; from && i < stream->copy_count; i++)
        if (strcmp(stream->copies[i].from, from) == 0) return stream->copies[i].name;
    return NULL;
}

/* The columns that say whose elements these are; false when they cannot be told. */
static bool find_set(const struct making *making, const struct stream_description *stream, const struct key_choice *key,
                     struct table_spec *table)
{
    const char **set = arena_array(making->arena, const char *, making->key.count + 1);
    bool is_known = making->key.count > 0 && (!making->cursor || copied_as(stream, making->cursor));
    for (size_t i = 0; i < making->key.count && is_known; i++) {
        set[i] = copied_as(stream, making->key.names[i]);
        is_known = set[i] && (key->count == 0 || is_among(set[i], key->names, key->count));
    }
    if (!is_known) return false;
    table->set = set;
    table->set_count = making->key.count;
    return true;
}

/* What the root's choice blocks does not come in by another way. */
static void block_copies(const struct making *making, const struct stream_description *stream, struct decode_spec *decode)
{
    const struct stream_choice *root = making->choice;
    const char **blocked = arena_array(making->arena, const char *, decode->blocked_count + stream->copy_count + 1);
    if (decode->blocked_count) memcpy(blocked, decode->blocked, decode->blocked_count * sizeof *blocked);
    for (size_t i = 0; i < stream->copy_count; i++)
        if (is_among(stream->copies[i].from, root->blocked, root->blocked_count))
            blocked[decode->blocked_count++] = stream->copies[i].name;
    decode->blocked = blocked;
}

static void make_explode_spec(const struct making *making, const struct stream_description *stream,
                              const struct table_spec *table, struct explode_spec *spec)
{
    struct explode_copy *copies = arena_array(making->arena, struct explode_copy, stream->copy_count + 1);
    const char **given = arena_array(making->arena, const char *, stream->copy_count + 2);
    for (size_t i = 0; i < stream->copy_count; i++) {
        const struct column *column = schema_find(table->schema, str_from(stream->copies[i].name));
        given[spec->decode.given_count++] = stream->copies[i].name;
        if (column) copies[spec->copy_count++] = (struct explode_copy){stream->copies[i].from, column->index};
    }
    const struct column *position = stream->position ? schema_find(table->schema, str_from(stream->position)) : NULL;
    if (stream->position) given[spec->decode.given_count++] = stream->position;
    spec->decode.given = given;
    spec->copies = copies;
    spec->position = position ? position->index : DECODE_NONE;
    spec->kept = stream->kept;
    spec->tells_empty = table->mode != WRITE_APPEND && table->set_count > 0;
}

static void check_exploded(const struct making *making, const struct stream_description *stream,
                           const struct stream_choice *choice)
{
    const char *root = making->flow->stream->name;
    if (choice->sync_mode != SYNC_DEFAULT && choice->sync_mode != making->usual) {
        problems_add(making->problems, choice->node, "stream '%s' cannot be %s: it comes with '%s', which is %s", stream->name,
                     sync_mode_name(choice->sync_mode), root, sync_mode_name(making->usual));
        problems_hint(making->problems, "leave sync_mode out: it follows its root");
    }
    if (choice->name && node_get(choice->node, "cursor")) {
        problems_add(making->problems, choice->node, "stream '%s' has no cursor of its own: it comes with '%s'", stream->name,
                     root);
        problems_hint(making->problems, "leave `cursor` out");
    }
}

/* A route's rows come by themselves: they have their own key, and no record whose set they are. */
static void plan_route(struct making *making, const struct stream_description *stream, const struct stream_choice *choice,
                       struct explode_spec *spec)
{
    struct flow_plan *flow = making->flow;
    const struct key_choice key = key_of(stream, choice);
    /* Read anew, rows that went while nobody looked are known by their absence only. */
    struct table_spec table = {.mode = default_mode(stream, flow->sync_mode, key.count > 0)};
    if (choice->has_write_mode) table.mode = choice->write_mode;
    apply_choice(stream, choice, &table, &spec->decode);
    check_exploded(making, stream, choice);
    check_modes(making, stream, choice, &table, &key);
    check_blocked(making, choice, &table, &spec->decode, &key);
    spec->is_routed = true;
    spec->position = DECODE_NONE;
    spec->decode.stream_index = (uint32_t)flow->stream_count;
    table.schema = spec->decode.schema = make_schema(stream, &table, &spec->decode, &key);
    add_stream(flow, stream, &table, making->arena);
}

void plan_exploded(struct making *making, const struct stream_description *stream, const struct stream_choice *choice,
                   struct explode_spec *spec)
{
    struct flow_plan *flow = making->flow;
    const struct key_choice key = key_of(stream, choice);
    struct table_spec table = {0}, known = {0};
    if (stream->is_route) {
        plan_route(making, stream, choice, spec);
        return;
    }
    bool has_set = find_set(making, stream, &key, &known);
    table.mode = flow->loads_root && stream->write_mode == HINT_NONE ? making->root_mode
                                                                     : default_mode(stream, making->usual, key.count > 0);
    if (table.mode == WRITE_APPEND_DEDUP && (key.count == 0 || !has_set))
        table.mode = making->usual == SYNC_FULL_REFRESH ? WRITE_OVERWRITE : WRITE_APPEND;
    if (choice->has_write_mode) table.mode = choice->write_mode;
    apply_choice(stream, choice, &table, &spec->decode);
    table.set = known.set;
    table.set_count = known.set_count;
    table.keeps_first = table.keeps_first && !has_set; /* a set goes with its record's version */
    table.cursor = copied_as(stream, making->cursor);
    block_copies(making, stream, &spec->decode);
    check_exploded(making, stream, choice);
    check_modes(making, stream, choice, &table, &key);
    check_blocked(making, choice, &table, &spec->decode, &key);
    if (table.mode == WRITE_APPEND_DEDUP && key.count && !has_set) {
        problems_add(making->problems, choice->node,
                     "stream '%s': append_dedup needs the primary key of '%s', in its own key, and its cursor among what is "
                     "copied from it",
                     stream->name, flow->stream->name);
        problems_hint(making->problems, "use write_mode append or overwrite, or copy them in the connector");
    }
    spec->decode.stream_index = (uint32_t)flow->stream_count;
    table.schema = spec->decode.schema = make_schema(stream, &table, &spec->decode, &key);
    make_explode_spec(making, stream, &table, spec);
    add_stream(flow, stream, &table, making->arena);
}
