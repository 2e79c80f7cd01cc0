/* decode: a page becomes rows that PostgreSQL takes: texts are UTF-8 without NUL, JSON is clean, instants are in range; every
 * record is a row or is counted elsewhere; and what a page gives does not depend on what came before it. Input: the page. */
#include "fuzz.h"

#include <math.h>

#include "base/buf.h"
#include "base/jsonscan.h"
#include "base/time.h"
#include "pg/numeric.h"
#include "rest/decode.h"

static const struct {
    const char *name, *format;
    enum type type;
} COLUMNS[] = {
    {"id", NULL, TYPE_STRING},    {"n", NULL, TYPE_INTEGER},          {"amount", NULL, TYPE_DECIMAL},
    {"f", NULL, TYPE_FLOAT},      {"ok", NULL, TYPE_BOOLEAN},         {"day", NULL, TYPE_DATE},
    {"at", NULL, TYPE_TIMESTAMP}, {"ms", "epoch_ms", TYPE_TIMESTAMP}, {"wall", NULL, TYPE_TIMESTAMP_NTZ},
    {"nested", NULL, TYPE_JSON},  {"bytes", NULL, TYPE_BINARY},
};

static void check_clean_json(struct str text)
{
    char *padded = fuzz_padded(text, JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, padded, text.size);
    CHECK(jsonscan_value(&scan, &value) && jsonscan_finish(&scan) && !(value.flags & JSON_DIRTY) && fuzz_is_utf8(text, true));
    free(padded);
}

static void check_value(const struct value *value, enum type type)
{
    static const enum value_kind KINDS[TYPE_COUNT] = {VALUE_STRING,  VALUE_INTEGER, VALUE_DECIMAL,   VALUE_FLOAT,
                                                      VALUE_BOOLEAN, VALUE_DATE,    VALUE_TIMESTAMP, VALUE_TIMESTAMP,
                                                      VALUE_JSON,    VALUE_BINARY};
    char *numeric;
    if (value->kind == VALUE_NULL) return;
    CHECK(value->kind == KINDS[type] || (type == TYPE_DECIMAL && value->kind == VALUE_INTEGER));
    switch ((enum value_kind)value->kind) {
    case VALUE_STRING:
        CHECK(fuzz_is_utf8(value_str(value), true));
        break;
    case VALUE_JSON:
        check_clean_json(value_str(value));
        break;
    case VALUE_DECIMAL:
        numeric = mem_alloc(pg_numeric_bound(value->size));
        CHECK(pg_numeric_from_text(value_str(value), numeric) > 0);
        free(numeric);
        break;
    case VALUE_FLOAT:
        CHECK(isfinite(value->f));
        break;
    case VALUE_TIMESTAMP:
        CHECK(time_in_range(value->i));
        break;
    case VALUE_DATE:
        CHECK(time_in_range(value->i * 86400000000));
        break;
    case VALUE_BOOLEAN:
        CHECK(value->i == 0 || value->i == 1);
        break;
    default:
        break;
    }
}

/* What is blocked is not among a rejected record's fields. */
static void check_reject(struct str record)
{
    char *padded = fuzz_padded(record, JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value key, value;
    jsonscan_init(&scan, padded, record.size);
    if (jsonscan_peek(&scan) == JSON_OBJECT && jsonscan_enter_object(&scan))
        while (jsonscan_next_key(&scan, &key)) {
            CHECK(!str_equal(key.raw, STR("blocked")));
            if (!jsonscan_value(&scan, &value)) break;
        }
    free(padded);
}

static void check_decoded(const struct decoded *out, struct buf *text)
{
    size_t rows = 0;
    for (size_t b = 0; b < out->batch_count; b++) {
        const struct batch *batch = out->batches[b];
        rows += batch->rows;
        for (size_t r = 0; r < batch->rows; r++) {
            const struct value *row = batch_row(batch, r);
            CHECK(row[0].kind == VALUE_STRING && row[0].size <= DECODE_MAX_KEY_BYTES);
            for (uint32_t c = 0; c < batch->columns; c++) {
                const struct column *column = schema_column(batch->schema, c);
                check_value(&row[c], column->type);
                if (c >= ARRAY_SIZE(COLUMNS) || row[c].kind == VALUE_NULL) continue; /* undeclared columns depend on the past */
                buf_printf(text, "%s=", column->name);
                value_to_json(&row[c], column->type, text);
                buf_append_char(text, ' ');
            }
            buf_append_char(text, '\n');
        }
    }
    const struct decode_counts *counts = &out->counts;
    CHECK(rows == out->rows && counts->emitted == rows + counts->rejected + counts->discarded + counts->deduplicated);
    CHECK(out->covered_rows <= out->rows && out->reject_count <= DECODE_MAX_REJECTS);
    for (size_t i = 0; i < out->reject_count; i++) {
        CHECK(out->rejects[i].reason && out->rejects[i].detail && out->rejects[i].record.size <= DECODE_MAX_REJECT_BYTES);
        check_reject(out->rejects[i].record);
    }
}

static int decode(struct decoder *decoder, struct budget *budget, struct str page, struct buf *text)
{
    struct decoded out;
    struct err err = ERR_INIT;
    struct block *body = block_new(budget, page.size);
    if (page.size) memcpy(body->data, page.data, page.size);
    body->size = page.size;
    block_seal(body);
    int rc = decoder_page(decoder, body, (struct str){NULL, 0}, &out, &err);
    CHECK(rc == 0 || ((rc == ERR_TRANSIENT || rc == ERR_DATA) && err.message[0]));
    block_release(body);
    buf_clear(text);
    if (rc == 0) check_decoded(&out, text);
    decoded_release(&out);
    return rc;
}

void fuzz(struct str input)
{
    static const char *const BLOCKED[] = {"blocked"};
    const struct decode_bounds bounds = {.rule = BOUNDS_AS_SENT};
    struct budget *budget = budget_new(1 << 28);
    struct decode_spec spec = {.stream = "orders",
                               .schema = schema_new("orders"),
                               .records_path = "orders",
                               .blocked = BLOCKED,
                               .blocked_count = 1,
                               .infer = true,
                               .cursor_field = "at",
                               .cursor_type = TYPE_TIMESTAMP,
                               .budget = budget};
    for (size_t i = 0; i < ARRAY_SIZE(COLUMNS); i++) {
        const struct column *column = schema_add(spec.schema, str_from(COLUMNS[i].name), COLUMNS[i].type, true);
        schema_set_format(spec.schema, column->index, COLUMNS[i].format, STR(""));
    }
    schema_set_key(spec.schema, 0);
    struct decoder *decoder = decoder_new(&spec, 0, &bounds);
    struct buf first = BUF_INIT(64 << 20), second = BUF_INIT(64 << 20);
    int rc = decode(decoder, budget, input, &first);
    CHECK(decode(decoder, budget, input, &second) == rc);
    CHECK(str_equal(buf_str(&first), buf_str(&second)));
    decoder_free(decoder);
    schema_free(spec.schema);
    CHECK(budget_used(budget) == 0);
    budget_free(budget);
    buf_release(&first);
    buf_release(&second);
}
