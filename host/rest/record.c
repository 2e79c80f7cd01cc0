/* record: see record.h.
 *
 * The walk over the fields only fills the row and notes what did not fit; what that means is decided when the record's end and
 * its cursor are known, because a record that was committed before, or belongs to another slice, must leave no trace. Notes are
 * rare, so their handling may cost something; the walk may not. */
#include "rest/record.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "rest/deleted.h"
#include "rest/reject.h"

enum {
    WIDEN_MAX_BYTES = 64 * 1024, /* of values: a batch up to this size is rebuilt for new columns, a larger one is closed */
    NUMBER_KEY_BYTES = 32,       /* of a key's text, when its value is not text */
};

struct note {
    struct field *field; /* NULL: a name beyond the table of fields, or a note taken back (then name.data is NULL) */
    struct str name;
    struct json_value json;
};

/* What the walk finds out beside the row. */
struct findings {
    uint64_t repaired;
    size_t fields;
    struct json_value cursor; /* raw.data NULL: not there */
    bool cursor_is_exact;     /* found under the cursor's whole name, which beats a path into another field */
    const struct field *cursor_field;
    struct json_value deleted; /* of the rule's path; raw.data NULL: not there */
    bool deleted_is_exact;
};

static void init_watches(struct record_reader *reader)
{
    const struct decode_spec *spec = reader->spec;
    size_t count = 0;
    for (size_t e = 0; e < spec->exploded_count; e++) count += 1 + spec->exploded[e].copy_count;
    if (count == 0) return;
    reader->watches = mem_zero(count, sizeof *reader->watches);
    for (size_t e = 0; e < spec->exploded_count; e++) {
        const struct explode_spec *exploded = &spec->exploded[e];
        reader->watches[reader->watch_count++].path = exploded->decode.records_path;
        for (size_t i = 0; i < exploded->copy_count; i++)
            reader->watches[reader->watch_count++].path = exploded->copies[i].from;
    }
}

static void init_version(struct record_reader *reader, const struct decode_bounds *bounds)
{
    const struct decode_spec *spec = reader->spec;
    const struct column *column = spec->version ? schema_find(spec->schema, str_from(spec->version)) : NULL;
    reader->version_column = column ? column->index : DECODE_NONE;
    reader->version = reader->shared_cursor = (struct value){.kind = VALUE_NULL, .i = 0};
    reader->first_wins = bounds && bounds->first_wins;
    if (column && bounds && bounds->version.size) CHECK(cursor_parse(bounds->version, column->type, &reader->version));
}

void record_reader_init(struct record_reader *reader, const struct decode_spec *spec, const struct decode_bounds *bounds)
{
    *reader = (struct record_reader){.spec = spec};
    fields_init(&reader->fields, spec);
    if (spec->cursor_field) {
        const struct column *column = schema_find(spec->schema, str_from(spec->cursor_field));
        struct column cursor = {.type = spec->cursor_type, .declared = true};
        if (column) cursor.zone = column->zone, cursor.format = column->format;
        reader->cursor_rule = coerce_rule_for(&cursor, spec->cursor_format ? spec->cursor_format : spec->timestamp_format);
    }
    cursor_track_init(&reader->track, spec->cursor_type, bounds);
    init_watches(reader);
    init_version(reader, bounds);
    uint32_t count = schema_count(spec->schema);
    reader->keys = mem_zero(count, sizeof *reader->keys);
    for (uint32_t i = 0; i < count; i++)
        if (schema_column(spec->schema, i)->key) reader->keys[reader->key_count++] = i;
}

void record_reader_release(struct record_reader *reader)
{
    fields_release(&reader->fields);
    cursor_track_release(&reader->track);
    arena_release(&reader->scratch);
    free(reader->keys);
    free(reader->notes);
    free(reader->watches);
    hash_set_release(&reader->sharing);
}

/* ---- the walk -------------------------------------------------------------------------------------------------------------
 */

static void add_note(struct record_reader *reader, struct field *field, struct str name, const struct json_value *json)
{
    if (reader->note_count == reader->note_capacity) {
        reader->note_capacity = reader->note_capacity ? reader->note_capacity * 2 : 16;
        reader->notes = mem_resize(reader->notes, reader->note_capacity * sizeof *reader->notes);
    }
    reader->notes[reader->note_count++] = (struct note){field, name, *json};
    if (field) field->note = reader->note_count;
}

/* A field's first or next value in this record: the last one wins, so what was noted of an earlier one is taken back. */
static void meet(struct record_reader *reader, struct field *field)
{
    if (LIKELY(field->seen_in != reader->number)) {
        field->seen_in = reader->number;
    } else if (field->note) {
        reader->notes[field->note - 1] = (struct note){0};
    }
    field->note = 0;
}

static void find_cursor(const struct record_reader *reader, const struct field *field, const struct json_value *json,
                        struct findings *findings)
{
    const char *path = reader->spec->cursor_field + field->name.size;
    if (*path == '\0') {
        findings->cursor = *json;
        findings->cursor_is_exact = true;
        findings->cursor_field = field;
    } else if (!findings->cursor_is_exact && (json->kind == JSON_OBJECT || json->kind == JSON_ARRAY)) {
        struct json_value inner;
        if (jsonscan_find(json->raw.data, json->raw.size, path + 1, &inner)) findings->cursor = inner;
    }
}

/* Keeps the value for the exploded streams that asked for it. A whole name beats a path into another field, and of a repeated
 * key the last one counts. */
static void keep_watched(struct record_reader *reader, const struct field *field, const struct json_value *json)
{
    for (size_t i = 0; i < reader->watch_count; i++) {
        struct record_watch *watch = &reader->watches[i];
        const char *rest = fields_path_behind(watch->path, field->name);
        if (!rest || (rest[0] && watch->seen_in == reader->number && !watch->rest[0])) continue;
        *watch = (struct record_watch){watch->path, reader->number, rest, *json};
    }
}

static void find_deleted(const struct record_reader *reader, const struct field *field, const struct json_value *json,
                         struct findings *findings)
{
    const char *rest = fields_path_behind(reader->spec->deleted->path, field->name);
    if (!rest || (rest[0] && findings->deleted_is_exact)) return;
    struct json_value found = *json;
    bool is_container = json->kind == JSON_OBJECT || json->kind == JSON_ARRAY;
    if (rest[0] && !(is_container && jsonscan_find(json->raw.data, json->raw.size, rest, &found))) return;
    findings->deleted = found;
    findings->deleted_is_exact = rest[0] == '\0';
}

static void keep(struct record_reader *reader, const struct field *field, const struct json_value *json,
                 struct findings *findings)
{
    if (field->is_cursor) find_cursor(reader, field, json, findings);
    if (reader->watch_count) keep_watched(reader, field, json);
    if (reader->spec->deleted) find_deleted(reader, field, json, findings);
}

static struct value *newest_row(struct batch *batch)
{
    return batch->values + (batch->rows - 1) * batch->columns;
}

/* Makes the batch wide enough for column `index`; false when it is too big for that. */
static bool reach(struct batch *batch, uint32_t index)
{
    if (LIKELY(index < batch->columns)) return true;
    if (batch->rows * batch->columns * sizeof(struct value) > WIDEN_MAX_BYTES) return false;
    batch_widen(batch, schema_count(batch->schema));
    return true;
}

/* An undeclared field's first non-null value: it becomes a column, or one more thing for the overflow. */
static void join_schema(struct record_reader *reader, struct field *field, const struct json_value *json)
{
    const struct column *column = schema_add(reader->spec->schema, field->name, coerce_infer(json), false);
    if (column)
        fields_bind(&reader->fields, field, column);
    else
        field->use = FIELD_OVERFLOW;
}

/* Puts one value in its place. False when the batch must be changed for a wider one. */
static bool place(struct record_reader *reader, struct field *field, const struct json_value *json, struct batch *batch,
                  struct findings *findings)
{
    if (field->use == FIELD_NEW && json->kind != JSON_NULL) join_schema(reader, field, json);
    switch (field->use) {
    case FIELD_COLUMN:
        if (!reach(batch, field->column->index)) return false;
        if (!coerce_value(&field->rule, json, batch->arena, &findings->repaired, newest_row(batch) + field->column->index))
            add_note(reader, field, field->name, json);
        return true;
    case FIELD_OVERFLOW:
        if (json->kind != JSON_NULL) add_note(reader, field, field->name, json);
        return true;
    case FIELD_NEW:
    case FIELD_SKIP:
    case FIELD_GIVEN:
        return true;
    }
    return true;
}

/* A field whose name the table has no room for: it can only overflow. */
static void place_unknown(struct record_reader *reader, struct str name, const struct json_value *json)
{
    if (reader->spec->infer && json->kind != JSON_NULL && !fields_is_hidden(&reader->fields, name))
        add_note(reader, NULL, name, json);
}

static enum record_result walk(struct record_reader *reader, struct jsonscan *scan, struct batch *batch,
                               struct findings *findings)
{
    struct field *previous = NULL;
    struct json_value json;
    struct str unknown;
    if (!jsonscan_enter_object(scan)) return RECORD_BROKEN;
    for (;;) {
        struct field *field = fields_next(&reader->fields, scan, previous, &reader->scratch, &unknown);
        if (!field && !unknown.data) break;
        if (UNLIKELY(!jsonscan_value(scan, &json))) break;
        if (UNLIKELY(++findings->fields > DECODE_MAX_FIELDS)) continue; /* rejected, but must still be well formed */
        if (UNLIKELY(!field)) {
            place_unknown(reader, unknown, &json);
            continue;
        }
        previous = field;
        meet(reader, field);
        if (field->is_watched) keep(reader, field, &json, findings);
        if (UNLIKELY(!place(reader, field, &json, batch, findings))) return RECORD_GROWN;
    }
    return scan->error ? RECORD_BROKEN : RECORD_TAKEN;
}

/* ---- what it comes to -----------------------------------------------------------------------------------------------------
 */

struct verdict {
    struct decoded *out;
    const struct json_value *record;
    struct str text; /* of the record in the rejects, made once */
};

static struct str record_text(struct record_reader *reader, struct verdict *verdict)
{
    if (!verdict->text.data) verdict->text = reject_record(verdict->out, &reader->fields, verdict->record);
    return verdict->text;
}

enum record_result record_reject(struct record_reader *reader, struct decoded *out, const struct json_value *record,
                                 struct str field, const char *reason, const char *detail)
{
    reader->counts->rejected++;
    if (reject_has_room(out)) {
        const char *copy = arena_strdup(&out->arena, detail);
        reject_add(out, reader->spec, field, reason, copy, reject_record(out, &reader->fields, record), true);
    }
    return RECORD_DROPPED;
}

static enum record_result reject(struct record_reader *reader, struct verdict *verdict, struct str field, const char *reason,
                                 const char *detail)
{
    return record_reject(reader, verdict->out, verdict->record, field, reason, detail);
}

/* Does the note go to the overflow column? Else it is a value that missed its declared type. */
static bool overflows(const struct note *note)
{
    if (!note->field || (note->field->use != FIELD_COLUMN && note->field->use != FIELD_GIVEN)) return true;
    return !note->field->column->declared;
}

static bool is_live(const struct note *note)
{
    return note->name.data != NULL;
}

static bool has_overflow(const struct record_reader *reader)
{
    for (size_t i = 0; i < reader->note_count; i++)
        if (is_live(&reader->notes[i]) && overflows(&reader->notes[i])) return true;
    return false;
}

/* The overflow column's value: {"field": value, ...}. */
static void fill_overflow(struct record_reader *reader, struct batch *batch, uint32_t index)
{
    struct buf text = BUF_INIT(SIZE_MAX / 2); /* bounded by the record it is made of */
    uint64_t repaired = 0;
    buf_append_char(&text, '{');
    for (size_t i = 0; i < reader->note_count; i++) {
        const struct note *note = &reader->notes[i];
        if (!is_live(note) || !overflows(note)) continue;
        if (text.size > 1) buf_append_char(&text, ',');
        buf_append_json_string(&text, note->name);
        buf_append_char(&text, ':');
        buf_append_str(&text, jsonscan_clean(&note->json, &reader->scratch, &repaired));
        reader->counts->overflowed++;
    }
    buf_append_char(&text, '}');
    struct str copy = arena_copy(batch->arena, buf_str(&text));
    buf_release(&text);
    newest_row(batch)[index] = (struct value){.kind = VALUE_JSON, .size = (uint32_t)copy.size, .data = copy.data};
    reader->counts->repaired += repaired;
}

/* Declared columns' values that did not fit: nulls that are told of, or the end of the row. */
static enum record_result settle_mismatches(struct record_reader *reader, struct verdict *verdict)
{
    struct decoded *out = verdict->out;
    for (size_t i = 0; i < reader->note_count; i++) {
        const struct note *note = &reader->notes[i];
        if (!is_live(note) || overflows(note)) continue;
        const char *detail = NULL;
        if (reject_has_room(out)) detail = reject_mismatch(out, reader->spec->secrets, note->field->column->type, &note->json);
        if (reader->spec->on_mismatch == MISMATCH_REJECT) return reject(reader, verdict, note->name, "type_mismatch", detail);
        reader->counts->nulled++;
        if (detail) reject_add(out, reader->spec, note->name, "type_mismatch", detail, record_text(reader, verdict), false);
    }
    return RECORD_TAKEN;
}

static bool is_text(const struct value *value)
{
    return value->kind == VALUE_STRING || value->kind == VALUE_DECIMAL || value->kind == VALUE_JSON ||
           value->kind == VALUE_BINARY;
}

const char *record_key_problem(const struct record_reader *reader, const struct value *row, const char **field,
                               const char **detail)
{
    size_t bytes = 0;
    for (size_t i = 0; i < reader->key_count; i++) {
        const struct value *value = &row[reader->keys[i]];
        *field = schema_column(reader->spec->schema, reader->keys[i])->name;
        *detail = "the primary key has no value";
        if (value->kind == VALUE_NULL || value->kind == VALUE_MISSING) return "missing_primary_key";
        *detail = "the primary key is over 2000 bytes";
        bytes += is_text(value) ? value->size : NUMBER_KEY_BYTES;
        if (bytes > DECODE_MAX_KEY_BYTES && is_text(value)) return "key_too_long";
    }
    return NULL;
}

static enum record_result check_key(struct record_reader *reader, const struct value *row, struct verdict *verdict)
{
    const char *field, *detail, *problem = record_key_problem(reader, row, &field, &detail);
    return LIKELY(!problem) ? RECORD_TAKEN : reject(reader, verdict, str_from(field), problem, detail);
}

/* The record's cursor, VALUE_NULL when it has none that can be used. */
static struct value cursor_value(struct record_reader *reader, const struct value *row, uint32_t columns,
                                 const struct findings *findings)
{
    struct value cursor = {.kind = VALUE_NULL, .i = 0};
    const struct field *field = findings->cursor_field;
    if (reader->version_column != DECODE_NONE && strcmp(reader->spec->version, reader->spec->cursor_field) == 0)
        return reader->version;
    if (!findings->cursor.raw.data) return cursor;
    bool in_row = field && field->use == FIELD_COLUMN && field->column->index < columns && !field->rule.strict &&
                  field->rule.type == reader->cursor_rule.type;
    uint64_t repaired = 0;
    if (in_row)
        cursor = row[field->column->index]; /* read by the same rule already */
    else if (!coerce_value(&reader->cursor_rule, &findings->cursor, &reader->scratch, &repaired, &cursor))
        cursor.kind = VALUE_NULL;
    return cursor;
}

/* What names the record in hand: its key's values, or all of it. */
struct record_name {
    const struct record_reader *reader;
    const struct value *row;
    const struct json_value *record;
};

uint64_t record_hash_value(uint64_t hash, const struct value *value)
{
    struct str bytes = is_text(value) ? value_str(value) : (struct str){(const char *)&value->i, sizeof value->i};
    uint64_t parts[2] = {hash, hash_stable(bytes)};
    return hash_stable((struct str){(const char *)parts, sizeof parts});
}

uint64_t record_hash_key(const struct record_reader *reader, const struct value *row)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < reader->key_count; i++) hash = record_hash_value(hash, &row[reader->keys[i]]);
    return hash;
}

static uint64_t hash_name(void *context)
{
    const struct record_name *name = context;
    if (name->reader->key_count == 0) { /* from its brace on: what stands between records is not of them */
        const char *brace = memchr(name->record->raw.data, '{', name->record->raw.size);
        return hash_stable((struct str){brace, name->record->raw.size - (size_t)(brace - name->record->raw.data)});
    }
    return record_hash_key(name->reader, name->row);
}

static enum record_result refuse_missing(const struct decode_spec *spec, const char *detail, struct err *err)
{
    err_set(err, ERR_DATA, "%s: '%s'", detail, spec->cursor_field);
    err_hint(err, "the connector says that none may lack it: cursor.missing = \"fail\"");
    return RECORD_REFUSED;
}

static enum record_result refuse_unknown(const struct decode_spec *spec, struct err *err)
{
    err_set(err, ERR_DATA,
            "over %d records share the newest cursor value of '%s', and the source sends some of them again: which were "
            "appended already is not known",
            BOUNDARY_MAX_KEYS, spec->cursor_field);
    err_hint(err, "use write_mode append_dedup");
    return RECORD_REFUSED;
}

enum record_result record_follow(struct record_reader *reader, struct value *cursor, uint64_t (*hash)(void *context),
                                 void *context, struct decoded *out, const char **missing, struct err *err)
{
    const struct decode_spec *spec = reader->spec;
    bool is_name = cursor->kind == VALUE_STRING || cursor->kind == VALUE_DECIMAL;
    if (is_name && (cursor->size == 0 || cursor->size > DECODE_MAX_KEY_BYTES)) cursor->kind = VALUE_NULL;
    if (cursor->kind == VALUE_NULL) {
        const char *detail = *missing ? *missing : "the cursor field holds no value of its type";
        *missing = NULL;
        if (spec->cursor_missing == CURSOR_MISSING_INCLUDE) {
            cursor_track_missing(&reader->track);
            return RECORD_TAKEN;
        }
        if (spec->cursor_missing == CURSOR_MISSING_FAIL) return refuse_missing(spec, detail, err);
        *missing = detail;
        return RECORD_DROPPED;
    }
    *missing = NULL;
    switch (cursor_track_record(&reader->track, cursor, out->rows, hash, context)) {
    case CURSOR_UNKNOWN:
        return refuse_unknown(spec, err);
    case CURSOR_COMMITTED:
        reader->counts->deduplicated++;
        return RECORD_DROPPED;
    case CURSOR_OUTSIDE:
        reader->counts->discarded++;
        return RECORD_DROPPED;
    case CURSOR_KEEP:
        break;
    }
    return RECORD_TAKEN;
}

static enum record_result follow_cursor(struct record_reader *reader, const struct batch *batch,
                                        const struct findings *findings, struct verdict *verdict, struct err *err)
{
    const struct decode_spec *spec = reader->spec;
    if (!spec->cursor_field) return RECORD_TAKEN;
    const struct value *row = batch->values + (batch->rows - 1) * batch->columns;
    struct value cursor = cursor_value(reader, row, batch->columns, findings);
    struct record_name name = {reader, row, verdict->record};
    const char *missing = findings->cursor.raw.data ? NULL : "the record has no cursor field";
    enum record_result result = record_follow(reader, &cursor, hash_name, &name, verdict->out, &missing, err);
    return missing ? reject(reader, verdict, str_from(spec->cursor_field), "missing_cursor", missing) : result;
}

/* Did a version of the record with the same cursor come right before, or before others that have it, too? */
static bool comes_after_its_like(struct record_reader *reader, const struct value *row, const struct json_value *record)
{
    struct record_name name = {reader, row, record};
    struct value cursor = row[reader->version_column];
    if (value_compare(&cursor, &reader->shared_cursor, reader->spec->cursor_type) != 0) hash_set_clear(&reader->sharing);
    reader->shared_cursor = cursor;
    return !hash_set_add(&reader->sharing, hash_name(&name));
}

/* Everything about a record that is not the plain good one. */
static enum record_result settle(struct record_reader *reader, struct batch *batch, struct verdict *verdict)
{
    uint32_t overflow = UINT32_MAX;
    if (has_overflow(reader)) overflow = schema_add(reader->spec->schema, STR(SCHEMA_OVERFLOW), TYPE_JSON, false)->index;
    if (overflow != UINT32_MAX && !reach(batch, overflow)) return RECORD_GROWN;
    bool rejects = reader->spec->on_mismatch == MISMATCH_REJECT; /* then the mismatch is the better reason to give */
    enum record_result result = rejects ? settle_mismatches(reader, verdict) : RECORD_TAKEN;
    if (result == RECORD_TAKEN) result = check_key(reader, newest_row(batch), verdict);
    if (result == RECORD_TAKEN && !rejects) result = settle_mismatches(reader, verdict);
    if (result == RECORD_TAKEN && overflow != UINT32_MAX) fill_overflow(reader, batch, overflow);
    return result;
}

void record_begin(struct record_reader *reader)
{
    reader->number++;
    reader->note_count = 0;
}

void record_misfit(struct record_reader *reader, struct field *field, const struct json_value *json)
{
    add_note(reader, field, field->name, json);
}

enum record_result record_read(struct record_reader *reader, struct jsonscan *scan, struct batch *batch, struct decoded *out,
                               struct err *err)
{
    struct findings findings = {.fields = 0};
    const char *start = scan->at;
    if (UNLIKELY(reader->version_column != DECODE_NONE)) newest_row(batch)[reader->version_column] = reader->version;
    enum record_result result = walk(reader, scan, batch, &findings);
    if (result != RECORD_TAKEN) return result;
    struct json_value record = {JSON_OBJECT, JSON_ESCAPED | JSON_DIRTY, {start, (size_t)(scan->at - start)}};
    struct verdict verdict = {.out = out, .record = &record};

    if (findings.fields > DECODE_MAX_FIELDS)
        return reject(reader, &verdict, STR(""), "too_many_fields", "the record has over 16384 fields");
    result = follow_cursor(reader, batch, &findings, &verdict, err);
    if (result == RECORD_TAKEN)
        result = LIKELY(!reader->note_count) ? check_key(reader, newest_row(batch), &verdict) : settle(reader, batch, &verdict);
    if (result != RECORD_TAKEN) return result;
    if (UNLIKELY(reader->first_wins) && comes_after_its_like(reader, newest_row(batch), &record)) {
        reader->counts->deduplicated++;
        return RECORD_DROPPED;
    }
    reader->counts->repaired += findings.repaired;
    if (UNLIKELY(reader->spec->deleted != NULL)) {
        reader->is_deleted = deleted_fits(reader->spec->deleted, &findings.deleted);
        if (reader->is_deleted) batch->operations[batch->rows - 1] = ROW_DELETE;
    }
    return RECORD_TAKEN;
}
