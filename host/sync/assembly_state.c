/* assembly_state: the entries of an assembly's state, written and read: positions of slices, the source's token, and at the end
 * the cursor with the keys of the records that have it. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "sync/assembly_parts.h"

/* Adds the keys as a member, if they are to be remembered. */
static void write_newest(const struct assembly *assembly, struct slice_rows *rows, struct json_writer *writer)
{
    if (!assembly->options.keep_boundary || !rows->newest_is_known) return;
    struct buf text = BUF_INIT(BOUNDARY_TEXT_MAX + 1);
    boundary_to_text(&rows->newest, &text);
    json_member(writer, "newest"), json_text(writer, buf_str(&text));
    buf_release(&text);
}

void assembly_note_position(struct assembly *assembly, struct slice_rows *rows, bool done, const char *cursor, const char *page)
{
    struct buf json = BUF_INIT(256 * 1024 + (assembly->options.keep_boundary ? BOUNDARY_TEXT_MAX : 0));
    struct json_writer writer = JSON_WRITER(&json);
    rows->has_position = true;
    json_open(&writer, '{');
    if (done) json_member(&writer, "done"), json_bool(&writer, true);
    if (cursor) json_member(&writer, "cursor"), json_cstr(&writer, cursor);
    if (rows->unordered && !done) json_member(&writer, "unordered"), json_bool(&writer, true);
    if (page) json_member(&writer, "page"), json_cstr(&writer, page);
    if (rows->max) json_member(&writer, "max"), json_cstr(&writer, rows->max), write_newest(assembly, rows, &writer);
    json_close(&writer, '}');
    if (!json.failed) state_set(&assembly->delta, assembly->options.stream, rows->id, "position", buf_text(&json));
    buf_release(&json);
}

void assembly_note_token(struct assembly *assembly, struct slice_rows *rows)
{
    assembly_note(assembly, assembly->options.stream, "", "token", rows->token);
    rows->token_is_new = false;
    replace_text(&rows->stored_token, str_from(rows->token));
}

/* The cursor to remember when the plan is done; NULL: as it was. */
static const char *final_cursor(const struct assembly *assembly)
{
    const struct assembly_options *options = &assembly->options;
    const char *cursor = options->cursor_end;
    for (size_t i = 0; !options->cursor_end && i < options->slice_count; i++) {
        const char *max = assembly->rows[i].max;
        if (max && (!cursor || cursor_compare(str_from(max), str_from(cursor), options->cursor_type) > 0)) cursor = max;
    }
    if (cursor && options->cursor_cap &&
        cursor_compare(str_from(cursor), str_from(options->cursor_cap), options->cursor_type) > 0)
        cursor = options->cursor_cap;
    if (cursor && options->cursor_floor &&
        cursor_compare(str_from(cursor), str_from(options->cursor_floor), options->cursor_type) <= 0)
        return NULL;
    return cursor;
}

/* The keys go with the cursor they belong to: one that is set by hand leaves them without a meaning. */
static void note_boundary(struct assembly *assembly, const char *cursor, struct boundary *keys)
{
    struct buf json = BUF_INIT(512 * 1024), text = BUF_INIT(BOUNDARY_TEXT_MAX + 1);
    struct json_writer writer = JSON_WRITER(&json);
    if (keys) boundary_to_text(keys, &text);
    json_open(&writer, '{');
    json_member(&writer, "cursor"), json_cstr(&writer, cursor);
    json_member(&writer, "keys"), json_text(&writer, buf_str(&text));
    json_close(&writer, '}');
    state_set(&assembly->delta, assembly->options.stream, "", "boundary", keys ? buf_text(&json) : NULL);
    buf_release(&text);
    buf_release(&json);
}

/* Stores the keys of the records that have the cursor: those of this sync, and when it did not move those known before. */
static void keep_boundary(struct assembly *assembly, const char *moved_to)
{
    const struct assembly_options *options = &assembly->options;
    const char *cursor = moved_to ? moved_to : options->cursor_floor;
    struct boundary all = {0};
    bool is_known = moved_to || options->boundary, is_new = moved_to != NULL;
    if (!cursor) return;
    if (!moved_to && options->boundary)
        boundary_add_all(&all, options->boundary->keys, options->boundary->count, options->boundary->too_many);
    for (size_t i = 0; i < options->slice_count; i++) {
        const struct slice_rows *rows = &assembly->rows[i];
        if (!rows->max || cursor_compare(str_from(rows->max), str_from(cursor), options->cursor_type) != 0) continue;
        is_known = is_known && rows->newest_is_known;
        is_new = is_new || rows->newest.count;
        boundary_add_all(&all, rows->newest.keys, rows->newest.count, rows->newest.too_many);
    }
    if (is_new) note_boundary(assembly, cursor, is_known ? &all : NULL);
    boundary_release(&all);
}

/* The newest cursor of a partition, not past its end; NULL: as it was. */
static const char *partition_cursor(const struct assembly *assembly, const struct slice_rows *rows)
{
    enum type type = assembly->options.cursor_type;
    const char *cursor = rows->max;
    if (cursor && rows->cap && cursor_compare(str_from(cursor), str_from(rows->cap), type) > 0) cursor = rows->cap;
    bool moves = cursor && (!rows->floor || cursor_compare(str_from(cursor), str_from(rows->floor), type) > 0);
    return moves ? cursor : NULL;
}

/* The keys of the records at `cursor`: those of this sync, and when it did not move those known before. */
static void write_keys(const struct assembly *assembly, struct slice_rows *rows, bool moved, const char *cursor,
                       struct buf *out)
{
    struct boundary all = {0};
    bool is_known = moved || rows->boundary_is_known;
    bool is_at = rows->max && cursor_compare(str_from(rows->max), str_from(cursor), assembly->options.cursor_type) == 0;
    if (!moved) boundary_add_all(&all, rows->known.keys, rows->known.count, rows->known.too_many);
    if (is_at) {
        is_known = is_known && rows->newest_is_known;
        boundary_add_all(&all, rows->newest.keys, rows->newest.count, rows->newest.too_many);
    }
    buf_append_char(out, is_known ? '=' : '-');
    if (is_known) boundary_to_text(&all, out);
    boundary_release(&all);
}

/* "PLAN", "PLAN - CURSOR" or "PLAN =KEYS CURSOR": there may be a million of them. Only a cursor can hold anything. */
void assembly_note_partition(struct assembly *assembly, struct slice_rows *rows)
{
    struct buf text = BUF_INIT(256 * 1024 + BOUNDARY_TEXT_MAX);
    const char *moved = assembly->options.keep_cursor ? partition_cursor(assembly, rows) : NULL;
    const char *cursor = moved ? moved : rows->floor;
    buf_append_text(&text, assembly->options.partition_mark);
    buf_append_char(&text, ' ');
    if (cursor && assembly->options.keep_cursor) {
        if (assembly->options.keep_boundary)
            write_keys(assembly, rows, moved != NULL, cursor, &text);
        else
            buf_append_char(&text, '-');
        buf_append_char(&text, ' ');
        buf_append_text(&text, cursor);
    }
    CHECK(!text.failed);
    for (size_t i = 0; i < rows->member_count; i++)
        state_set(&assembly->delta, assembly->options.stream, rows->members[i], STATE_PARTITION, buf_text(&text));
    if (rows->member_count == 0)
        state_set(&assembly->delta, assembly->options.stream, rows->id, STATE_PARTITION, buf_text(&text));
    if (rows->has_position) state_set(&assembly->delta, assembly->options.stream, rows->id, "position", NULL);
    buf_release(&text);
}

int partition_state_parse(const char *value, struct arena *arena, struct partition_state *state, struct err *err)
{
    struct str rest = str_from(value), part;
    *state = (struct partition_state){0};
    const char *space = strchr(value, ' ');
    if (!space || !str_next(&rest, ' ', &part) || part.size == 0)
        return err_set(err, ERR_BUG, "cannot read the state of a partition: %.200s", value);
    state->plan = arena_text(arena, part);
    if (rest.size == 0) return 0;
    if (!str_next(&rest, ' ', &part) || part.size == 0 || rest.size == 0)
        return err_set(err, ERR_BUG, "cannot read the state of a partition: %.200s", value);
    if (part.data[0] == '=') state->keys = arena_text(arena, (struct str){part.data + 1, part.size - 1});
    state->cursor = arena_text(arena, rest);
    return 0;
}

void assembly_note_end(struct assembly *assembly)
{
    const char *stream = assembly->options.stream;
    state_set(&assembly->delta, stream, "", "plan", NULL);
    state_set(&assembly->delta, stream, "", "plan_mode", NULL);
    if (assembly->options.keep_cursor && assembly->options.cursor_field)
        state_set(&assembly->delta, stream, "", "cursor_field", assembly->options.cursor_field);
    if (assembly->options.partition_mark) {
        if (assembly->options.parent_cursor)
            state_set(&assembly->delta, stream, "", "parent_cursor", assembly->options.parent_cursor);
        return;
    }
    for (size_t i = 0; i < assembly->options.slice_count; i++)
        state_set(&assembly->delta, stream, assembly->rows[i].id, "position", NULL);
    const char *cursor = assembly->options.keep_cursor ? final_cursor(assembly) : NULL;
    if (cursor) state_set(&assembly->delta, stream, "", "cursor", cursor);
    if (assembly->options.read_at) state_set(&assembly->delta, stream, "", "read_at", assembly->options.read_at);
    if (assembly->options.keep_boundary) keep_boundary(assembly, cursor);
}

bool boundary_parse(const char *value, const char *cursor, struct boundary *boundary)
{
    struct cJSON *json = NULL;
    struct err ignored = ERR_INIT;
    if (!value || !cursor || json_parse(str_from(value), 1024 * 1024, &json, &ignored) != 0) return false;
    const char *belongs_to = json_string(json_get(json, "cursor")), *keys = json_string(json_get(json, "keys"));
    bool ok = belongs_to && keys && strcmp(belongs_to, cursor) == 0 && boundary_from_text(boundary, str_from(keys));
    json_free(json);
    return ok;
}

int slice_position_parse(const char *value, struct arena *arena, struct slice_position *position, struct err *err)
{
    struct cJSON *json = NULL;
    *position = (struct slice_position){0};
    struct err cause = ERR_INIT;
    if (json_parse(str_from(value), 1024 * 1024, &json, &cause) != 0 || !json_is_object(json)) {
        json_free(json);
        return err_set(err, ERR_BUG, "cannot read the state of a slice: %.200s", value);
    }
    position->done = json_get(json, "done") != NULL;
    position->unordered = json_get(json, "unordered") != NULL;
    position->cursor = arena_strdup(arena, json_string(json_get(json, "cursor")));
    position->page = arena_strdup(arena, json_string(json_get(json, "page")));
    position->max = arena_strdup(arena, json_string(json_get(json, "max")));
    position->newest = arena_strdup(arena, json_string(json_get(json, "newest")));
    json_free(json);
    return 0;
}

const char *assembly_stored_token(const struct assembly *assembly, uint32_t slice)
{
    return assembly->rows[slice].stored_token;
}

bool assembly_lacks_token(const struct assembly *assembly, uint32_t slice)
{
    return assembly->options.keep_token && assembly->rows[slice].is_behind_token;
}
