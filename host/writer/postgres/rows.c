/* How it works: one encoder per column type, picked once per value from a table. A row is written as a whole into the COPY's
 * buffer, so one that turns out bad is taken back before anything of it is sent. What is the same for all rows of a load (when,
 * which load) is encoded once. */
#include "writer/postgres/rows.h"

#include "base/number.h"
#include "os/secret.h"
#include "pg/copy.h"
#include "pg/numeric.h"

enum {
    PG_EPOCH_DAYS = 10957, /* 2000-01-01 */
    REJECT_MAX_BYTES = 64 * 1024,
    TEXT_OID = 25,
    JSONB_VERSION = 1,
    STAMP_BYTES = 12 + 5 + 12, /* _sluice_synced_at, _sluice_deleted, _sluice_load_id */
    STAMP_DELETED = 12 + 4,
};

#define PG_EPOCH_US (PG_EPOCH_DAYS * INT64_C(86400000000))

typedef bool encode_value(struct pg_copy *copy, const struct value *value);

static bool encode_bytes(struct pg_copy *copy, const struct value *value)
{
    pg_copy_bytes(copy, value->data, value->size);
    return true;
}

static bool encode_string(struct pg_copy *copy, const struct value *value)
{
    return value->kind == VALUE_STRING && encode_bytes(copy, value);
}

static bool encode_binary(struct pg_copy *copy, const struct value *value)
{
    return value->kind == VALUE_BINARY && encode_bytes(copy, value);
}

static bool encode_integer(struct pg_copy *copy, const struct value *value)
{
    if (value->kind != VALUE_INTEGER) return false;
    pg_copy_int64(copy, value->i);
    return true;
}

static bool encode_float(struct pg_copy *copy, const struct value *value)
{
    if (value->kind != VALUE_FLOAT && value->kind != VALUE_INTEGER) return false;
    pg_copy_double(copy, value->kind == VALUE_FLOAT ? value->f : (double)value->i);
    return true;
}

static bool encode_decimal(struct pg_copy *copy, const struct value *value)
{
    char text[NUMBER_TEXT_MAX];
    struct str number = {text, 0};
    if (value->kind == VALUE_DECIMAL)
        number = value_str(value);
    else if (value->kind == VALUE_FLOAT)
        number.size = number_from_double(value->f, text);
    else if (value->kind != VALUE_INTEGER)
        return false;
    char *out = pg_copy_room(copy, 4 + pg_numeric_bound(number.size) + PG_NUMERIC_INT64);
    size_t size =
        value->kind == VALUE_INTEGER ? pg_numeric_from_int64(value->i, out + 4) : pg_numeric_from_text(number, out + 4);
    pg_put32(out, (uint32_t)size);
    copy->size += 4 + size;
    return size > 0;
}

static bool encode_boolean(struct pg_copy *copy, const struct value *value)
{
    if (value->kind != VALUE_BOOLEAN) return false;
    pg_copy_boolean(copy, value->i != 0);
    return true;
}

static bool encode_date(struct pg_copy *copy, const struct value *value)
{
    if (value->kind != VALUE_DATE || value->i < INT32_MIN / 2 || value->i > INT32_MAX / 2) return false;
    pg_copy_int32(copy, (int32_t)(value->i - PG_EPOCH_DAYS));
    return true;
}

static bool encode_timestamp(struct pg_copy *copy, const struct value *value)
{
    if (value->kind != VALUE_TIMESTAMP || value->i < INT64_MIN + PG_EPOCH_US) return false;
    pg_copy_int64(copy, value->i - PG_EPOCH_US);
    return true;
}

static bool encode_json(struct pg_copy *copy, const struct value *value)
{
    if (value->kind != VALUE_JSON) return false;
    char *out = pg_copy_room(copy, 5 + (size_t)value->size);
    pg_put32(out, value->size + 1);
    out[4] = JSONB_VERSION;
    if (value->size) memcpy(out + 5, value->data, value->size);
    copy->size += 5 + (size_t)value->size;
    return true;
}

static encode_value *const ENCODERS[TYPE_COUNT] = {
    [TYPE_STRING] = encode_string,       [TYPE_INTEGER] = encode_integer,         [TYPE_DECIMAL] = encode_decimal,
    [TYPE_FLOAT] = encode_float,         [TYPE_BOOLEAN] = encode_boolean,         [TYPE_DATE] = encode_date,
    [TYPE_TIMESTAMP] = encode_timestamp, [TYPE_TIMESTAMP_NTZ] = encode_timestamp, [TYPE_JSON] = encode_json,
    [TYPE_BINARY] = encode_binary,
};

/* One COPY in the making. */
struct sink {
    struct writer *writer;
    struct transaction *tx;
    const struct table *table;
    const struct row_set *batches;
    const char *sql;
    bool is_side, has_missing, has_sets;
    int64_t set; /* arrival number of the first row of the set in hand */
    uint16_t fields;
    char stamp[STAMP_BYTES];
    struct reject_list *rejects;
    struct rows_copied copied;
};

/* --- rejects -------------------------------------------------------------------------------------------------------------- */

static void reject_row(struct sink *sink, const struct batch *batch, size_t row, const char *field, const char *reason,
                       const char *detail)
{
    struct reject_list *list = sink->rejects;
    struct arena *arena = sink->tx->arena;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct reject *items = arena_array(arena, struct reject, capacity);
        if (list->count) memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    struct buf plain = BUF_INIT(SIZE_MAX), record = BUF_INIT(SIZE_MAX);
    const struct value *values = batch_row(batch, row);
    for (uint32_t i = 0; i < batch->columns && plain.size < REJECT_MAX_BYTES; i++) {
        const struct column *column = schema_column(batch->schema, i);
        if (values[i].kind <= VALUE_NULL) continue;
        buf_append_char(&plain, plain.size ? ',' : '{');
        buf_append_json_string(&plain, str_from(column->name));
        buf_append_char(&plain, ':');
        value_to_json(&values[i], column->type, &plain);
    }
    buf_append_text(&plain, plain.size ? "}" : "{}");
    secrets_redact(sink->writer->settings.secrets, buf_str(&plain), &record);
    struct str text = buf_str(&record);
    if (text.size > REJECT_MAX_BYTES) text.size = REJECT_MAX_BYTES;
    list->items[list->count++] = (struct reject){.stream = sink->table->spec->stream,
                                                 .field = field,
                                                 .reason = reason,
                                                 .detail = arena_strdup(arena, detail),
                                                 .record = arena_copy(arena, text),
                                                 .row_was_dropped = true};
    buf_release(&plain);
    buf_release(&record);
}

/* --- encoding ------------------------------------------------------------------------------------------------------------- */

/* The names of the columns this row says nothing about, as a text[]; null when it says something about each. A deleted row says
 * nothing by its nulls: the last known values stay with the mark. */
static void encode_missing(struct pg_copy *copy, const struct table *table, const struct batch *batch,
                           const struct value *values, bool is_deleted)
{
    size_t start = copy->size;
    uint32_t count = 0;
    uint8_t limit = is_deleted ? VALUE_NULL : VALUE_MISSING;
    memset(pg_copy_room(copy, 24), 0, 24);
    copy->size += 24;
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool is_missing = i < batch->columns ? values[i].kind <= limit : is_deleted;
        if (!is_missing || table->columns[i].is_key) continue;
        pg_copy_bytes(copy, table->columns[i].name, strlen(table->columns[i].name));
        count++;
    }
    if (count == 0) {
        copy->size = start;
        pg_copy_null(copy);
        return;
    }
    char *head = copy->data + start; /* size, dimensions, has nulls, element type, length, lower bound */
    pg_put32(head, (uint32_t)(copy->size - start - 4));
    pg_put32(head + 4, 1);
    pg_put32(head + 12, TEXT_OID);
    pg_put32(head + 16, count);
    pg_put32(head + 20, 1);
}

/* False: the row is a reject, or none that this table takes, and nothing of it was written. */
static bool encode_row(struct sink *sink, struct pg_copy *copy, size_t at, size_t row)
{
    const struct batch *batch = sink->batches->batches[at];
    const struct table *table = sink->table;
    const struct value *values = batch_row(batch, row);
    enum row_operation operation = (enum row_operation)batch->operations[row];
    bool is_deleted = operation == ROW_DELETE;
    int64_t seq = (int64_t)(sink->writer->seq_base + batch->first_sequence + row);
    if (operation == ROW_FIRST) sink->set = seq;
    if ((operation == ROW_EMPTY && !sink->has_sets) || (operation == ROW_TRUNCATE && !sink->has_missing)) return false;
    pg_copy_row(copy, sink->fields);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct table_column *column = &table->columns[i];
        if (i < batch->columns && values[i].kind > VALUE_NULL) {
            if (LIKELY(ENCODERS[column->type](copy, &values[i]))) continue;
            pg_copy_row_undo(copy);
            reject_row(sink, batch, row, column->name, "type_mismatch", "the value does not fit the column's type");
            return false;
        }
        if (column->is_key && table->spec->mode != WRITE_APPEND && !row_is_mark(operation)) {
            pg_copy_row_undo(copy);
            reject_row(sink, batch, row, column->name, "missing_primary_key", "the row has no value for its key");
            return false;
        }
        pg_copy_null(copy);
    }
    char *stamp = pg_copy_room(copy, STAMP_BYTES);
    memcpy(stamp, sink->stamp, STAMP_BYTES);
    stamp[STAMP_DELETED] = is_deleted ? 1 : 0;
    copy->size += STAMP_BYTES;
    if (sink->is_side) {
        pg_copy_bytes(copy, sink->batches->slices[at], strlen(sink->batches->slices[at]));
        pg_copy_int64(copy, seq);
    }
    if (sink->has_missing) encode_missing(copy, table, batch, values, is_deleted);
    if (sink->has_sets && row_is_mark(operation))
        pg_copy_null(copy);
    else if (sink->has_sets)
        pg_copy_int64(copy, sink->set);
    pg_copy_row_done(copy);
    return true;
}

/* Where the set of a row began: the newest row before it, in its slice, that begins one. */
static int64_t find_set(const struct sink *sink, size_t at, size_t row)
{
    const char *slice = sink->batches->slices[at];
    for (;;) {
        const struct batch *batch = sink->batches->batches[at];
        for (size_t i = row + 1; i-- > 0;)
            if (batch->operations[i] == ROW_FIRST) return (int64_t)(sink->writer->seq_base + batch->first_sequence + i);
        if (at == 0 || strcmp(sink->batches->slices[at - 1], slice) != 0) return 0;
        at--;
        row = sink->batches->batches[at]->rows - 1;
    }
}

/* COPYs the rows [from, to) of the set, counted through its batches. */
static int copy_range(struct sink *sink, size_t from, size_t to, struct err *err)
{
    struct pg_copy copy;
    uint64_t rows = 0, marks = 0;
    int rc;
    size_t base = 0;
    sink->set = 0;
    if ((rc = pg_copy_begin(&copy, sink->tx->pg, sink->sql, err)) != 0) return rc;
    for (size_t at = 0; at < sink->batches->count && base < to; at++) {
        size_t count = sink->batches->batches[at]->rows;
        size_t first = from > base ? from - base : 0;
        if (sink->has_sets && !sink->set && first < count) sink->set = find_set(sink, at, first);
        for (size_t row = first; row < count && base + row < to; row++) {
            bool is_in = encode_row(sink, &copy, at, row);
            marks += is_in && row_is_mark(sink->batches->batches[at]->operations[row]);
        }
        base += count;
    }
    rc = pg_copy_end(&copy, &rows, err);
    if (rc != 0) return rc;
    sink->copied.all += rows;
    sink->copied.rows += rows - marks;
    return 0;
}

/* --- finding the row the server refuses ------------------------------------------------------------------------------------
 */

/* A mark is no row that was read: it is told of and not counted. */
static void reject_refused(struct sink *sink, size_t index, const char *message)
{
    size_t at = 0;
    while (index >= sink->batches->batches[at]->rows) index -= sink->batches->batches[at++]->rows;
    const struct batch *batch = sink->batches->batches[at];
    reject_row(sink, batch, index, NULL, "refused_by_database", message);
    sink->rejects->items[sink->rejects->count - 1].row_was_dropped = !row_is_mark(batch->operations[index]);
}

static int copy_careful(struct sink *sink, size_t from, size_t to, struct err *err)
{
    int rc;
    size_t rejected = sink->rejects->count;
    struct err failure = ERR_INIT;
    if ((rc = pg_exec(sink->tx->pg, "SAVEPOINT rows", err)) != 0) return rc;
    rc = copy_range(sink, from, to, &failure);
    if (rc == 0) return pg_exec(sink->tx->pg, "RELEASE SAVEPOINT rows", err);
    if (rc != ERR_DESTINATION || pg_failure(sink->tx->pg) != PG_VALUE) return err_copy(err, &failure);
    if ((rc = pg_exec(sink->tx->pg, "ROLLBACK TO SAVEPOINT rows; RELEASE SAVEPOINT rows", err)) != 0) return rc;
    sink->rejects->count = rejected; /* those of the range are found again below */
    if (to - from == 1) {
        reject_refused(sink, from, failure.message);
        return 0;
    }
    size_t middle = from + (to - from) / 2;
    if ((rc = copy_careful(sink, from, middle, err)) != 0) return rc;
    return copy_careful(sink, middle, to, err);
}

int pgw_rows_copy(struct writer *writer, struct transaction *tx, const struct table *table, const char *relation, bool is_side,
                  const struct row_set *set, struct reject_list *rejects, struct rows_copied *copied, struct err *err)
{
    struct sink sink = {.writer = writer, .tx = tx, .table = table, .batches = set, .is_side = is_side, .rejects = rejects};
    struct buf sql = BUF_INIT(1024 * 1024);
    int rc;
    *copied = (struct rows_copied){0};
    if (set->rows == set->first) return 0;
    sink.has_missing = is_side && table->spec->mode == WRITE_APPEND_DEDUP;
    sink.has_sets = is_side && table->spec->set_count > 0;
    sink.fields =
        (uint16_t)(table->column_count + 3 + (is_side ? 2 : 0) + (sink.has_missing ? 1 : 0) + (sink.has_sets ? 1 : 0));
    pg_put32(sink.stamp, 8);
    pg_put64(sink.stamp + 4, (uint64_t)(tx->now_us - PG_EPOCH_US));
    pg_put32(sink.stamp + 12, 1);
    pg_put32(sink.stamp + 17, 8);
    pg_put64(sink.stamp + 21, (uint64_t)tx->load_id);

    buf_printf(&sql, "COPY %s (", relation);
    pgw_table_list(table, "", false, &sql);
    buf_printf(&sql, "%s" SYSTEM_COLUMNS "%s%s%s) FROM STDIN (FORMAT binary)", table->column_count ? ", " : "",
               is_side ? ", _sluice_slice, _sluice_seq" : "", sink.has_missing ? ", _sluice_missing" : "",
               sink.has_sets ? ", " SET_COLUMN : "");
    sink.sql = buf_text(&sql);
    rc = tx->is_careful ? copy_careful(&sink, set->first, set->rows, err) : copy_range(&sink, set->first, set->rows, err);
    *copied = sink.copied;
    buf_release(&sql);
    return rc;
}
