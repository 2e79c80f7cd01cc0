/* session: see session.h. */
#include "wire/session.h"

#include "wire/codec.h"

enum { MAX_CPU_MS = 3600 * 1000, MAX_PORT = 65535, MAX_PROFILE = 3, MAX_LEVEL = 2, MAX_ERROR = 7, MAX_STATUS = 999 };

static bool take_flag(struct wire_cursor *cursor)
{
    return wire_take_within(cursor, 0, 1) != 0;
}

/* A text that may not be there. */
static void put_optional(struct buf *out, bool is_there, struct str text)
{
    wire_put_number(out, is_there);
    wire_put_bytes(out, is_there ? text : STR(""));
}

static struct str take_optional(struct wire_cursor *cursor, bool *is_there)
{
    *is_there = take_flag(cursor);
    struct str text = wire_take_bytes(cursor);
    if (!*is_there && text.size && !cursor->problem) cursor->problem = "a text in it is there and is not";
    return text;
}

static void put_settings(struct buf *out, const struct wire_setting *settings, size_t count)
{
    wire_put_number(out, count);
    for (size_t i = 0; i < count; i++) {
        wire_put_bytes(out, settings[i].name);
        wire_put_bytes(out, settings[i].value);
    }
}

static size_t take_settings(struct wire_cursor *cursor, struct wire_setting *settings, size_t room)
{
    size_t count = (size_t)wire_take_within(cursor, 0, room);
    for (size_t i = 0; i < count; i++) {
        settings[i].name = wire_take_bytes(cursor);
        settings[i].value = wire_take_bytes(cursor);
    }
    return count;
}

void wire_write_plugin(struct buf *out, uint32_t id, const struct wire_plugin *plugin)
{
    size_t mark = wire_begin(out, WIRE_PLUGIN, id);
    wire_put_number(out, plugin->profile);
    wire_put_number(out, plugin->inspects);
    wire_put_number(out, plugin->traces);
    wire_put_number(out, plugin->load_cpu_ms);
    wire_put_number(out, plugin->call_cpu_ms);
    wire_put_number(out, plugin->port_count);
    for (size_t i = 0; i < plugin->port_count; i++) wire_put_number(out, plugin->ports[i]);
    wire_put_number(out, plugin->path_count);
    for (size_t i = 0; i < plugin->path_count; i++) wire_put_bytes(out, plugin->paths[i]);
    wire_end(out, mark);
}

int wire_read_plugin(const struct wire_frame *frame, struct wire_plugin *plugin, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_PLUGIN);
    plugin->profile = wire_take_within(&cursor, 1, MAX_PROFILE);
    plugin->inspects = take_flag(&cursor);
    plugin->traces = take_flag(&cursor);
    plugin->load_cpu_ms = wire_take_within(&cursor, 1, MAX_CPU_MS);
    plugin->call_cpu_ms = wire_take_within(&cursor, 1, MAX_CPU_MS);
    plugin->port_count = (size_t)wire_take_within(&cursor, 0, WIRE_MAX_PORTS);
    for (size_t i = 0; i < plugin->port_count; i++) plugin->ports[i] = wire_take_within(&cursor, 1, MAX_PORT);
    plugin->path_count = (size_t)wire_take_within(&cursor, 0, WIRE_MAX_PATHS);
    for (size_t i = 0; i < plugin->path_count; i++) plugin->paths[i] = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_open(struct buf *out, enum wire_type type, uint32_t id, const struct wire_open *open)
{
    size_t mark = wire_begin(out, type, id);
    put_settings(out, open->config, open->config_count);
    wire_put_bytes(out, open->stream);
    put_optional(out, open->has_state, open->state);
    put_optional(out, open->has_from, open->from);
    put_optional(out, open->has_to, open->to);
    put_optional(out, open->has_values, open->values);
    wire_put_bytes(out, open->tables);
    wire_put_number(out, (uint64_t)open->now_us);
    wire_put_number(out, open->incremental);
    wire_put_number(out, open->continuous);
    wire_put_number(out, open->sample);
    wire_put_number(out, open->parses);
    wire_end(out, mark);
}

int wire_read_open(const struct wire_frame *frame, struct wire_open *open, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_OPEN || frame->type == WIRE_CHECK ||
                                                             frame->type == WIRE_SETUP || frame->type == WIRE_TEARDOWN);
    open->config_count = take_settings(&cursor, open->config, WIRE_MAX_CONFIG);
    open->stream = wire_take_bytes(&cursor);
    open->state = take_optional(&cursor, &open->has_state);
    open->from = take_optional(&cursor, &open->has_from);
    open->to = take_optional(&cursor, &open->has_to);
    open->values = take_optional(&cursor, &open->has_values);
    open->tables = wire_take_bytes(&cursor);
    open->now_us = (int64_t)wire_take_number(&cursor);
    open->incremental = take_flag(&cursor);
    open->continuous = take_flag(&cursor);
    open->sample = take_flag(&cursor);
    open->parses = take_flag(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_page(struct buf *out, uint32_t id, const struct wire_page *page)
{
    size_t mark = wire_begin(out, WIRE_PAGE, id);
    put_optional(out, page->has_committed, page->committed);
    wire_end(out, mark);
}

int wire_read_page(const struct wire_frame *frame, struct wire_page *page, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_PAGE);
    page->committed = take_optional(&cursor, &page->has_committed);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_rows(struct buf *out, uint32_t id, const struct wire_rows *rows)
{
    size_t mark = wire_begin(out, WIRE_ROWS, id);
    wire_put_number(out, rows->has_more);
    put_optional(out, rows->has_checkpoint, rows->checkpoint);
    wire_put_number(out, rows->is_bytes);
    wire_put_bytes(out, rows->operations);
    wire_put_bytes(out, rows->tables);
    wire_put_bytes(out, rows->values);
    wire_put_bytes(out, rows->texts);
    wire_end(out, mark);
}

int wire_read_rows(const struct wire_frame *frame, struct wire_rows *rows, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_ROWS);
    rows->has_more = take_flag(&cursor);
    rows->checkpoint = take_optional(&cursor, &rows->has_checkpoint);
    rows->is_bytes = take_flag(&cursor);
    rows->operations = wire_take_bytes(&cursor);
    rows->tables = wire_take_bytes(&cursor);
    rows->values = wire_take_bytes(&cursor);
    rows->texts = wire_take_bytes(&cursor);
    bool is_odd = rows->tables.size != 2 * rows->operations.size || rows->values.size % 16 != 0;
    if (!cursor.problem && is_odd) cursor.problem = "its parts do not fit together";
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_bare(struct buf *out, enum wire_type type, uint32_t id)
{
    wire_end(out, wire_begin(out, type, id));
}

void wire_write_note(struct buf *out, uint32_t id, const struct wire_note *note)
{
    size_t mark = wire_begin(out, WIRE_NOTE, id);
    wire_put_number(out, note->level);
    wire_put_bytes(out, note->text);
    wire_end(out, mark);
}

int wire_read_note(const struct wire_frame *frame, struct wire_note *note, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_NOTE);
    note->level = wire_take_within(&cursor, 0, MAX_LEVEL);
    note->text = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_resolve(struct buf *out, uint32_t id, const struct wire_resolve *resolve)
{
    size_t mark = wire_begin(out, WIRE_RESOLVE, id);
    wire_put_bytes(out, resolve->name);
    wire_put_number(out, resolve->port);
    wire_end(out, mark);
}

int wire_read_resolve(const struct wire_frame *frame, struct wire_resolve *resolve, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_RESOLVE);
    resolve->name = wire_take_bytes(&cursor);
    resolve->port = wire_take_within(&cursor, 0, MAX_PORT);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_resolved(struct buf *out, uint32_t id, const struct wire_resolved *resolved)
{
    size_t mark = wire_begin(out, WIRE_RESOLVED, id);
    wire_put_number(out, resolved->failed);
    wire_put_number(out, resolved->error);
    wire_put_bytes(out, resolved->message);
    wire_put_bytes(out, resolved->hint);
    wire_put_number(out, resolved->count);
    for (size_t i = 0; i < resolved->count; i++) wire_put_bytes(out, resolved->addresses[i]);
    wire_end(out, mark);
}

int wire_read_resolved(const struct wire_frame *frame, struct wire_resolved *resolved, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_RESOLVED);
    resolved->failed = take_flag(&cursor);
    resolved->error = wire_take_within(&cursor, 0, MAX_ERROR);
    resolved->message = wire_take_bytes(&cursor);
    resolved->hint = wire_take_bytes(&cursor);
    resolved->count = (size_t)wire_take_within(&cursor, 0, WIRE_MAX_ADDRESSES);
    for (size_t i = 0; i < resolved->count; i++) {
        resolved->addresses[i] = wire_take_bytes(&cursor);
        if (resolved->addresses[i].size >= WIRE_ADDRESS_BYTES && !cursor.problem)
            cursor.problem = "an address in it is too long";
    }
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_http(struct buf *out, uint32_t id, const struct wire_http *http)
{
    size_t mark = wire_begin(out, WIRE_HTTP, id);
    wire_put_bytes(out, http->method);
    wire_put_bytes(out, http->url);
    wire_put_bytes(out, http->body);
    wire_put_number(out, http->idempotent);
    put_settings(out, http->headers, http->header_count);
    wire_end(out, mark);
}

int wire_read_http(const struct wire_frame *frame, struct wire_http *http, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_HTTP);
    http->method = wire_take_bytes(&cursor);
    http->url = wire_take_bytes(&cursor);
    http->body = wire_take_bytes(&cursor);
    http->idempotent = take_flag(&cursor);
    http->header_count = take_settings(&cursor, http->headers, WIRE_MAX_HEADERS);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_answered(struct buf *out, uint32_t id, const struct wire_answered *answered)
{
    size_t mark = wire_begin(out, WIRE_ANSWERED, id);
    wire_put_number(out, answered->failed);
    wire_put_number(out, answered->error);
    wire_put_bytes(out, answered->message);
    wire_put_bytes(out, answered->hint);
    wire_put_number(out, answered->status);
    put_settings(out, answered->headers, answered->header_count);
    wire_put_bytes(out, answered->body);
    wire_end(out, mark);
}

int wire_read_answered(const struct wire_frame *frame, struct wire_answered *answered, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_ANSWERED);
    answered->failed = take_flag(&cursor);
    answered->error = wire_take_within(&cursor, 0, MAX_ERROR);
    answered->message = wire_take_bytes(&cursor);
    answered->hint = wire_take_bytes(&cursor);
    answered->status = wire_take_within(&cursor, 0, MAX_STATUS);
    answered->header_count = take_settings(&cursor, answered->headers, WIRE_MAX_HEADERS);
    answered->body = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}
