/* row: see row.h. The plain row costs a look at each value's kind; everything else (a misfit, a missing key) first makes a JSON
 * object of the row, which is what rejects are made of. */
#include "rest/row.h"

#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "rest/reject.h"

struct misfit {
    uint32_t column;
    struct json_value json; /* the value, as it is told of */
};

enum { MISFITS_MAX = 64 }; /* of one row; further ones are nulled and counted, and not told of */

struct row {
    struct record_reader *reader;
    const struct native_value *values;
    uint32_t count;
    struct str texts;
    struct batch *batch;
    struct decoded *out;
    struct misfit misfits[MISFITS_MAX];
    size_t misfit_count, misfits_in_all;
    uint64_t repaired;
    struct json_value record; /* of the row, once it was made */
};

static const struct column *column_at(const struct row *row, uint32_t index)
{
    return schema_column(row->reader->spec->schema, index);
}

/* --- one value ----------------------------------------------------------------------------------------------------------- */

/* The text with U+FFFD for what is not UTF-8, and for NUL. */
static struct str repair(struct row *row, struct str text)
{
    struct buf clean = BUF_INIT(3 * text.size + 4);
    while (text.size) {
        size_t length = utf8_length(text);
        bool is_fine = length > 0 && text.data[0] != '\0';
        if (!is_fine) length = 1;
        buf_append(&clean, is_fine ? text.data : UTF8_REPLACEMENT, is_fine ? length : sizeof UTF8_REPLACEMENT - 1);
        row->repaired += !is_fine;
        text = (struct str){text.data + length, text.size - length};
    }
    struct str copy = arena_copy(row->batch->arena, buf_str(&clean));
    buf_release(&clean);
    return copy;
}

/* A bare text as the JSON string that a source would have sent, with its quotes around `raw`. */
static struct json_value as_string(struct row *row, struct str text)
{
    struct buf quoted = BUF_INIT(6 * text.size + 3);
    buf_append_json_string(&quoted, text);
    struct str copy = jsonscan_padded(&row->reader->scratch, buf_str(&quoted));
    buf_release(&quoted);
    return (struct json_value){.kind = JSON_STRING, .flags = JSON_ESCAPED | JSON_DIRTY, .raw = {copy.data + 1, copy.size - 2}};
}

/* A value that is not of its column's own kind. */
static bool convert(struct row *row, const struct native_value *from, struct str text, uint32_t index, struct value *to)
{
    const struct column *column = column_at(row, index);
    struct coerce_rule rule = coerce_rule_for(column, row->reader->spec->timestamp_format);
    struct json_value json;
    bool is_json = native_json(from, text, column->type, row->batch->arena, &json);
    if (!is_json) json = (struct json_value){.kind = JSON_STRING, .raw = text.data ? text : json.raw};
    bool is_bare = json.kind == JSON_STRING && !(is_json && native_is_json_text(from, column->type));
    bool is_quoted = is_bare && column->type == TYPE_JSON;
    if (is_quoted) json = as_string(row, json.raw);
    if (is_json && coerce_value(&rule, &json, row->batch->arena, &row->repaired, to)) return true;
    *to = (struct value){.kind = VALUE_NULL, .i = 0};
    if (is_bare && !is_quoted && row->misfit_count < MISFITS_MAX) json = as_string(row, json.raw);
    if (row->misfit_count < MISFITS_MAX) row->misfits[row->misfit_count++] = (struct misfit){index, json};
    row->misfits_in_all++;
    return false;
}

static const uint8_t OWN_KIND[TYPE_COUNT] = {
    [TYPE_STRING] = VALUE_STRING,       [TYPE_INTEGER] = VALUE_INTEGER,
    [TYPE_DECIMAL] = VALUE_COUNT,       [TYPE_FLOAT] = VALUE_COUNT, /* looked at, whatever they come as */
    [TYPE_BOOLEAN] = VALUE_BOOLEAN,     [TYPE_DATE] = VALUE_DATE,
    [TYPE_TIMESTAMP] = VALUE_TIMESTAMP, [TYPE_TIMESTAMP_NTZ] = VALUE_TIMESTAMP,
    [TYPE_JSON] = VALUE_COUNT,          [TYPE_BINARY] = VALUE_BINARY,
};

static bool is_clean(struct str text)
{
    return utf8_valid_prefix(text) == text.size && (text.size == 0 || !memchr(text.data, 0, text.size));
}

/* False: the plugin broke its contract. */
static bool take(struct row *row, uint32_t index, struct value *to)
{
    const struct native_value *from = &row->values[index];
    struct str text;
    if (UNLIKELY(!native_text(from, row->texts, &text))) return false;
    *to = (struct value){.kind = from->kind, .i = from->i};
    if (from->kind <= VALUE_NULL) return true;
    if (text.data) *to = (struct value){.kind = from->kind, .size = from->size, .data = text.data};
    enum type type = column_at(row, index)->type;
    if (from->kind == VALUE_STRING && UNLIKELY(!is_clean(text))) {
        text = repair(row, text);
        *to = (struct value){.kind = VALUE_STRING, .size = (uint32_t)text.size, .data = text.data};
    }
    bool is_boolean = from->kind == VALUE_BOOLEAN && (from->i == 0 || from->i == 1);
    if (LIKELY(from->kind == OWN_KIND[type] && (from->kind != VALUE_BOOLEAN || is_boolean))) return true;
    convert(row, from, text, index, to);
    return true;
}

/* --- what it comes to ---------------------------------------------------------------------------------------------------- */

/* The row as the JSON object that rejects are made of. */
static const struct json_value *as_record(struct row *row)
{
    struct buf text = BUF_INIT(64 * 1024 * 1024);
    if (row->record.raw.data) return &row->record;
    buf_append_char(&text, '{');
    for (uint32_t i = 0; i < row->count; i++) {
        const struct native_value *value = &row->values[i];
        if (value->kind == VALUE_MISSING) continue;
        if (text.size > 1) buf_append_char(&text, ',');
        buf_append_json_string(&text, str_from(column_at(row, i)->name));
        buf_append_char(&text, ':');
        native_append_json(value, row->texts, column_at(row, i)->type, &row->reader->scratch, &text);
    }
    buf_append_char(&text, '}');
    row->record = (struct json_value){
        .kind = JSON_OBJECT, .flags = JSON_ESCAPED | JSON_DIRTY, .raw = jsonscan_padded(&row->reader->scratch, buf_str(&text))};
    buf_release(&text);
    return &row->record;
}

static enum record_result reject(struct row *row, const char *field, const char *reason, const char *detail)
{
    return record_reject(row->reader, row->out, as_record(row), str_from(field), reason, detail);
}

static enum record_result settle_misfits(struct row *row)
{
    struct record_reader *reader = row->reader;
    const struct decode_spec *spec = reader->spec;
    for (size_t i = 0; i < row->misfit_count; i++) {
        const struct column *column = column_at(row, row->misfits[i].column);
        const char *detail = "";
        if (reject_has_room(row->out)) detail = reject_mismatch(row->out, spec->secrets, column->type, &row->misfits[i].json);
        if (spec->on_mismatch == MISMATCH_REJECT) return reject(row, column->name, "type_mismatch", detail);
        if (!reject_has_room(row->out)) continue;
        struct str record = reject_record(row->out, &reader->fields, as_record(row));
        reject_add(row->out, spec, str_from(column->name), "type_mismatch", detail, record, false);
    }
    reader->counts->nulled += row->misfits_in_all;
    return RECORD_TAKEN;
}

/* What names the row: its key's values, or all of them. */
static uint64_t hash_row(void *context)
{
    const struct row *row = context;
    const struct value *values = row->batch->values + (row->batch->rows - 1) * row->batch->columns;
    if (row->reader->key_count) return record_hash_key(row->reader, values);
    uint64_t hash = 0;
    for (uint32_t i = 0; i < row->count; i++) hash = record_hash_value(hash, &values[i]);
    return hash;
}

static enum record_result follow_cursor(struct row *row, const struct value *values, struct err *err)
{
    const struct decode_spec *spec = row->reader->spec;
    const struct column *column = spec->cursor_field ? schema_find(spec->schema, str_from(spec->cursor_field)) : NULL;
    struct value cursor = {.kind = VALUE_NULL, .i = 0};
    if (!spec->cursor_field) return RECORD_TAKEN;
    if (column && column->index < row->count && column->type == spec->cursor_type) cursor = values[column->index];
    if (cursor.kind == VALUE_MISSING) cursor.kind = VALUE_NULL;
    const char *reason = NULL;
    enum record_result result = record_follow(row->reader, &cursor, hash_row, row, row->out, &reason, err);
    return reason ? reject(row, spec->cursor_field, "missing_cursor", reason) : result;
}

enum record_result row_read(struct record_reader *reader, const struct native_value *values, uint32_t count, struct str texts,
                            enum row_operation operation, struct batch *batch, struct decoded *out, struct err *err)
{
    struct row row = {.reader = reader, .values = values, .count = count, .texts = texts, .batch = batch, .out = out};
    struct value *to = batch->values + (batch->rows - 1) * batch->columns;
    for (uint32_t i = 0; i < count; i++) {
        if (LIKELY(take(&row, i, &to[i]))) continue;
        err_set(err, ERR_CONNECTOR, "the plugin emitted a value for '%s' that is none", column_at(&row, i)->name);
        return RECORD_REFUSED;
    }
    const char *field, *detail, *problem = record_key_problem(reader, to, &field, &detail);
    if (UNLIKELY(problem && row.misfits_in_all && reader->spec->on_mismatch == MISMATCH_REJECT)) return settle_misfits(&row);
    enum record_result result = operation == ROW_DELETE ? RECORD_TAKEN : follow_cursor(&row, to, err);
    if (result == RECORD_TAKEN && UNLIKELY(problem != NULL)) result = reject(&row, field, problem, detail);
    if (result == RECORD_TAKEN && UNLIKELY(row.misfits_in_all)) result = settle_misfits(&row);
    if (result == RECORD_TAKEN) reader->counts->repaired += row.repaired;
    return result;
}
