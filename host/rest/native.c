/* native: see native.h. */
#include "rest/native.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonscan.h"
#include "base/number.h"
#include "rest/description.h"

void native_page_release(struct native_page *page)
{
    block_release(page->block);
    free(page->checkpoint);
    *page = (struct native_page){0};
}

/* --- tables -------------------------------------------------------------------------------------------------------------- */

void native_tables_begin(struct json_writer *json)
{
    json_open(json, '[');
}

static void begin_table(struct json_writer *json, const char *name)
{
    json_open(json, '[');
    json_cstr(json, name);
    json_open(json, '[');
}

static void add_column(struct json_writer *json, const char *name, enum type type)
{
    json_open(json, '[');
    json_cstr(json, name);
    json_cstr(json, type_name(type));
    json_close(json, ']');
}

static void end_table(struct json_writer *json)
{
    json_close(json, ']');
    json_close(json, ']');
}

void native_tables_add(struct json_writer *json, const char *name, const struct schema *schema)
{
    begin_table(json, name);
    for (uint32_t i = 0; i < schema_count(schema); i++)
        add_column(json, schema_column(schema, i)->name, schema_column(schema, i)->type);
    end_table(json);
}

void native_tables_end(struct json_writer *json)
{
    json_close(json, ']');
}

void native_tables_of(const struct stream_description *stream, struct buf *out)
{
    struct json_writer json = JSON_WRITER(out);
    native_tables_begin(&json);
    begin_table(&json, stream->name);
    for (size_t i = 0; i < stream->field_count; i++) add_column(&json, stream->fields[i].name, stream->fields[i].type);
    end_table(&json);
    native_tables_end(&json);
}

/* --- values -------------------------------------------------------------------------------------------------------------- */

static bool has_data(uint8_t kind)
{
    return kind == VALUE_STRING || kind == VALUE_DECIMAL || kind == VALUE_JSON || kind == VALUE_BINARY;
}

bool native_text(const struct native_value *value, struct str texts, struct str *text)
{
    *text = (struct str){NULL, 0};
    if (value->kind >= VALUE_COUNT) return false;
    if (!has_data(value->kind)) return true;
    if (value->i < 0 || (uint64_t)value->i > texts.size || value->size > texts.size - (uint64_t)value->i) return false;
    *text = (struct str){texts.data + value->i, value->size};
    return true;
}

static struct str shown(const struct native_value *value, struct str text, struct arena *arena)
{
    struct buf out = BUF_INIT(2 * (size_t)value->size + 64);
    struct value plain = {.kind = value->kind, .size = value->size, .i = value->i};
    enum type type = value->kind == VALUE_DATE ? TYPE_DATE : value->kind == VALUE_BINARY ? TYPE_BINARY : TYPE_TIMESTAMP;
    if (value->kind == VALUE_BINARY) plain.data = text.data;
    value_to_text(&plain, type, &out);
    struct str copy = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return copy;
}

static struct str number_text(const struct native_value *value, struct arena *arena)
{
    char text[NUMBER_TEXT_MAX];
    double f;
    memcpy(&f, &value->i, sizeof f);
    if (value->kind == VALUE_INTEGER) return arena_copy(arena, (struct str){text, number_from_int64(value->i, text)});
    if (isfinite(f)) return arena_copy(arena, (struct str){text, number_from_double(f, text)});
    return isnan(f) ? STR("NaN") : f > 0 ? STR("Infinity") : STR("-Infinity"); /* no number, but what it was */
}

bool native_is_json_text(const struct native_value *value, enum type type)
{
    return value->kind == VALUE_JSON || (value->kind == VALUE_STRING && type == TYPE_JSON);
}

bool native_json(const struct native_value *value, struct str text, enum type type, struct arena *arena,
                 struct json_value *json)
{
    *json = (struct json_value){.kind = JSON_STRING, .raw = text};
    if (native_is_json_text(value, type)) {
        struct jsonscan scan;
        jsonscan_init(&scan, text.data, text.size);
        return jsonscan_value(&scan, json) && jsonscan_finish(&scan);
    }
    switch (value->kind) {
    case VALUE_STRING:
        return true;
    case VALUE_DECIMAL:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
        json->kind = JSON_NUMBER;
        if (value->kind != VALUE_DECIMAL) json->raw = number_text(value, arena);
        return jsonscan_is_number(json->raw, &json->flags); /* what is not finite is none */
    case VALUE_BOOLEAN:
        json->kind = value->i ? JSON_TRUE : JSON_FALSE;
        json->raw = value->i ? STR("true") : STR("false");
        return true;
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
    case VALUE_BINARY:
        json->raw = shown(value, text, arena);
        return true;
    default:
        *json = (struct json_value){.kind = JSON_NULL, .raw = STR("null")};
        return true;
    }
}

void native_append_json(const struct native_value *value, struct str texts, enum type type, struct arena *arena,
                        struct buf *out)
{
    struct json_value json = {0};
    struct str text;
    bool is_json = native_text(value, texts, &text) && native_json(value, text, type, arena, &json);
    if (is_json && native_is_json_text(value, type))
        buf_append_str(out, text);
    else if (is_json && json.kind != JSON_STRING)
        buf_append_str(out, json.raw);
    else
        buf_append_json_string(out, is_json || !text.data ? json.raw : text);
}

/* `"name":` of each field. */
static const struct str *names_of(const struct stream_description *stream, struct arena *arena)
{
    struct str *names = arena_array(arena, struct str, stream->field_count + 1);
    struct buf name = BUF_INIT(NATIVE_MAX_LINES);
    for (size_t i = 0; i < stream->field_count; i++) {
        buf_clear(&name);
        buf_append_json_string(&name, str_from(stream->fields[i].name));
        buf_append_char(&name, ':');
        names[i] = arena_copy(arena, buf_str(&name));
    }
    buf_release(&name);
    return names;
}

/* White space of a JSON value: in a string it is escaped. */
static void join_lines(char *text, size_t size)
{
    for (char *at = text; (at = memchr(at, '\n', size - (size_t)(at - text))) != NULL;) *at = ' ';
}

int native_to_lines(const struct native_page *page, const struct stream_description *stream, struct arena *arena,
                    struct str *lines, struct err *err)
{
    struct buf out = BUF_INIT(NATIVE_MAX_LINES);
    const struct native_value *values = (const struct native_value *)(const void *)page->values.data;
    const struct str *names = names_of(stream, arena);
    size_t count = stream->field_count, rows = page->operations.size;
    bool fits = page->values.size == rows * count * sizeof *values;
    uint64_t named = 0; /* bytes of texts: each once, or a small page would become a large one */
    for (size_t row = 0; row < rows && fits; row++) {
        size_t start = out.size;
        buf_append_char(&out, '{');
        for (size_t i = 0; i < count && fits; i++) {
            const struct native_value *value = &values[row * count + i];
            struct str text;
            fits = native_text(value, page->texts, &text) && (named += text.size) <= page->texts.size;
            if (value->kind == VALUE_MISSING || !fits) continue;
            if (out.size > start + 1) buf_append_char(&out, ',');
            buf_append_str(&out, names[i]);
            native_append_json(value, page->texts, stream->fields[i].type, arena, &out);
        }
        if (out.size) join_lines(out.data + start, out.size - start);
        buf_append_text(&out, "}\n");
    }
    if (fits && !out.failed) *lines = jsonscan_padded(arena, buf_str(&out));
    bool is_large = out.failed;
    buf_release(&out);
    if (fits && !is_large) return 0;
    return err_set(err, ERR_CONNECTOR, "stream '%s': the plugin's page %s", stream->name,
                   is_large ? "is over 64 MiB as JSON" : "cannot be read");
}
