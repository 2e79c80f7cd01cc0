/* decode: pages to rows. Each test gives JSON and looks at the rows as text, the rejects and the counts. */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/jsonscan.h"
#include "os/secret.h"
#include "rest/boundary.h"
#include "rest/decode.h"

struct rig {
    struct budget *budget;
    struct decode_spec spec;
    struct decode_bounds bounds;
    struct decoder *decoder;
    struct decoded out;
    struct err err;
    struct buf rows; /* of the last page, one JSON object a line, nulls left out */
};

static void add_column(struct rig *rig, const char *name, enum type type)
{
    schema_add(rig->spec.schema, str_from(name), type, true);
}

static struct rig new_rig(void)
{
    struct rig rig = {.budget = budget_new(1 << 28), .rows = BUF_INIT(1 << 24), .err = ERR_INIT};
    rig.spec = (struct decode_spec){
        .stream = "orders",
        .stream_index = 7,
        .schema = schema_new("orders"),
        .records_path = "$",
        .infer = true,
        .cursor_type = TYPE_INTEGER,
        .budget = rig.budget,
    };
    return rig;
}

static void free_rig(struct rig *rig)
{
    decoded_release(&rig->out);
    decoder_free(rig->decoder);
    assert_int_equal(budget_used(rig->budget), 0);
    schema_free(rig->spec.schema);
    budget_free(rig->budget);
    buf_release(&rig->rows);
}

static void write_rows(struct rig *rig)
{
    buf_clear(&rig->rows);
    for (size_t b = 0; b < rig->out.batch_count; b++) {
        const struct batch *batch = rig->out.batches[b];
        assert_int_equal(batch->stream, 7);
        for (size_t r = 0; r < batch->rows; r++) {
            const struct value *row = batch_row(batch, r);
            bool first = true;
            buf_append_char(&rig->rows, '{');
            for (uint32_t c = 0; c < batch->columns; c++) {
                if (row[c].kind == VALUE_NULL) continue;
                const struct column *column = schema_column(batch->schema, c);
                buf_printf(&rig->rows, "%s\"%s\":", first ? "" : ",", column->name);
                value_to_json(&row[c], column->type, &rig->rows);
                first = false;
            }
            buf_append_text(&rig->rows, "}\n");
        }
    }
}

static int decode_bytes(struct rig *rig, const char *json, size_t size)
{
    if (!rig->decoder) rig->decoder = decoder_new(&rig->spec, 0, &rig->bounds);
    decoded_release(&rig->out);
    struct block *body = block_new(rig->budget, size);
    if (size) memcpy(body->data, json, size);
    body->size = size;
    block_seal(body);
    int rc = decoder_page(rig->decoder, body, (struct str){NULL, 0}, &rig->out, &rig->err);
    block_release(body); /* the batches hold it */
    write_rows(rig);
    return rc;
}

static void decode(struct rig *rig, const char *json)
{
    if (decode_bytes(rig, json, strlen(json)) != 0) fail_msg("%s", rig->err.message);
    const struct decode_counts *counts = &rig->out.counts;
    assert_int_equal(counts->emitted, rig->out.rows + counts->rejected + counts->discarded + counts->deduplicated);
    assert_int_equal(counts->emitted, rig->out.records);
    assert_int_equal(counts->bytes, strlen(json));
}

static void check_rows(struct rig *rig, const char *json, const char *rows)
{
    decode(rig, json);
    assert_string_equal(buf_text(&rig->rows), rows);
}

static void check_reject(const struct rig *rig, size_t index, const char *field, const char *reason, const char *record)
{
    assert_true(index < rig->out.reject_count);
    const struct decoded_reject *reject = &rig->out.rejects[index];
    assert_string_equal(reject->reason, reason);
    assert_true(str_equal(reject->field, str_from(field)));
    assert_true(str_equal(reject->record, str_from(record)));
    assert_non_null(reject->detail);
}

static void test_typed_rows(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_STRING);
    add_column(&rig, "n", TYPE_INTEGER);
    add_column(&rig, "at", TYPE_TIMESTAMP);
    rig.spec.infer = false;
    check_rows(&rig,
               "[{\"id\":\"a\\n\",\"n\":1,\"at\":\"2024-01-15T10:00:00Z\",\"other\":[1]},"
               " {\"at\":null, \"n\":\"2\", \"id\":3},{\"id\":\"c\"},{}]",
               "{\"id\":\"a\\n\",\"n\":1,\"at\":\"2024-01-15T10:00:00Z\"}\n{\"id\":\"3\",\"n\":2}\n{\"id\":\"c\"}\n{}\n");
    assert_int_equal(schema_count(rig.spec.schema), 3);
    assert_int_equal(rig.out.counts.overflowed, 0);
    free_rig(&rig);
}

static void test_undeclared_fields_become_columns(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    check_rows(
        &rig,
        "[{\"a\":null,\"b\":\"x\"},{\"a\":1.50,\"c\":true,\"d\":{\"e\":[]}},{\"b\":\"y\",\"\\u0062b\":\"z\",\"d\":\"s\"}]",
        "{\"b\":\"x\"}\n{\"a\":1.50,\"c\":true,\"d\":{\"e\":[]}}\n{\"b\":\"y\",\"d\":\"s\",\"bb\":\"z\"}\n");
    const struct column *a = schema_find(rig.spec.schema, STR("a"));
    assert_int_equal(a->type, TYPE_DECIMAL);
    assert_false(a->declared);
    assert_int_equal(schema_find(rig.spec.schema, STR("b"))->type, TYPE_STRING);
    assert_int_equal(schema_find(rig.spec.schema, STR("c"))->type, TYPE_BOOLEAN);
    assert_int_equal(schema_find(rig.spec.schema, STR("d"))->type, TYPE_JSON);
    assert_int_equal(rig.out.batch_count, 1);                                         /* a small batch is widened, not closed */
    check_rows(&rig, "[{\"bb\":\"1\",\"b\":\"2\"}]", "{\"b\":\"2\",\"bb\":\"1\"}\n"); /* another order than the last */
    free_rig(&rig);
}

static void test_what_does_not_fit_an_inferred_column_overflows(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    check_rows(&rig, "[{\"a\":1,\"s\":\"x\"},{\"a\":\"one\",\"s\":{\"k\":\"\\u0000\"}},{\"a\":2}]",
               "{\"a\":1,\"s\":\"x\"}\n{\"_sluice_overflow\":{\"a\":\"one\",\"s\":{\"k\":\"\xef\xbf\xbd\"}}}\n{\"a\":2}\n");
    assert_int_equal(rig.out.counts.overflowed, 2);
    assert_int_equal(rig.out.counts.repaired, 1);
    assert_int_equal(rig.out.reject_count, 0);
    free_rig(&rig);
}

static void test_the_hosts_own_names_never_become_columns(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    check_rows(&rig, "[{\"_sluice_deleted\":true,\"\":5,\"_sluice_overflow\":{\"x\":1}}]",
               "{\"_sluice_overflow\":{\"_sluice_deleted\":true,\"\":5,\"_sluice_overflow\":{\"x\":1}}}\n");
    free_rig(&rig);
}

static void test_fields_past_the_columns_overflow(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    struct buf json = BUF_INIT(1 << 20);
    buf_append_text(&json, "[{");
    for (int i = 0; i < SCHEMA_MAX_COLUMNS + 2; i++) buf_printf(&json, "%s\"f%d\":%d", i ? "," : "", i, i);
    buf_append_text(&json, "},{\"f401\":\"later\"}]");
    decode(&rig, buf_text(&json));
    assert_int_equal(schema_count(rig.spec.schema), SCHEMA_MAX_COLUMNS + 1);
    assert_non_null(strstr(buf_text(&rig.rows), "\"_sluice_overflow\":{\"f400\":400,\"f401\":401}}"));
    assert_non_null(strstr(buf_text(&rig.rows), "{\"_sluice_overflow\":{\"f401\":\"later\"}}"));
    assert_int_equal(rig.out.counts.overflowed, 3);
    buf_release(&json);
    free_rig(&rig);
}

static void test_a_large_batch_is_closed_when_the_schema_grows(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    struct buf json = BUF_INIT(1 << 22), expected = BUF_INIT(1 << 22);
    buf_append_char(&json, '[');
    for (int i = 0; i < 20000; i++) {
        buf_printf(&json, "%s{\"id\":%d,\"t\":\"\\u0061%d\"%s}", i ? "," : "", i, i, i >= 15000 ? ",\"late\":true" : "");
        buf_printf(&expected, "{\"id\":%d,\"t\":\"a%d\"%s}\n", i, i, i >= 15000 ? ",\"late\":true" : "");
    }
    buf_append_char(&json, ']');
    decode(&rig, buf_text(&json));
    assert_string_equal(buf_text(&rig.rows), buf_text(&expected));
    assert_int_equal(rig.out.batch_count, 2);
    assert_int_equal(rig.out.batches[0]->rows, 15000);
    assert_int_equal(rig.out.batches[0]->columns, 2);
    assert_int_equal(rig.out.batches[1]->columns, 3);
    buf_release(&json);
    buf_release(&expected);
    free_rig(&rig);
}

static void test_batches_are_capped(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "c%d", i);
        add_column(&rig, name, TYPE_STRING);
    }
    struct buf json = BUF_INIT(1 << 20);
    buf_append_char(&json, '[');
    for (int i = 0; i < 2000; i++) buf_append_text(&json, i ? ",{\"c1\":\"v\"}" : "{}");
    buf_append_char(&json, ']');
    decode(&rig, buf_text(&json));
    assert_int_equal(rig.out.rows, 2000);
    assert_int_equal(rig.out.batch_count, 4);
    for (size_t i = 0; i < rig.out.batch_count; i++) {
        assert_true(rig.out.batches[i]->charged <= DECODE_BATCH_BYTES + DECODE_BATCH_BYTES / 2);
        assert_true(str_equal(value_str(&batch_row(rig.out.batches[i], 1)[1]), STR("v")));
    }
    buf_release(&json);
    free_rig(&rig);
}

static void test_a_page_that_explodes_is_refused(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    char name[16];
    for (int i = 0; i < 1600; i++) {
        snprintf(name, sizeof name, "c%d", i);
        add_column(&rig, name, TYPE_STRING);
    }
    struct buf json = BUF_INIT(1 << 20);
    buf_append_char(&json, '[');
    for (int i = 0; i < 6000; i++) buf_append_text(&json, i ? ",{}" : "{}");
    buf_append_char(&json, ']');
    assert_int_equal(decode_bytes(&rig, json.data, json.size), ERR_DATA);
    assert_non_null(strstr(rig.err.message, "128 MiB"));
    assert_int_equal(rig.out.batch_count, 0);
    buf_release(&json);
    free_rig(&rig);
}

static void test_mismatch_sets_null_and_keeps_the_original(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_INTEGER);
    add_column(&rig, "n", TYPE_INTEGER);
    check_rows(&rig, "[{\"id\":1,\"n\":\"many\"},{\"id\":2,\"n\":1e400000},{\"id\":3,\"n\":9223372036854775808}]",
               "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    assert_int_equal(rig.out.counts.nulled, 3);
    assert_int_equal(rig.out.counts.rejected, 0);
    check_reject(&rig, 0, "n", "type_mismatch", "{\"id\":1,\"n\":\"many\"}");
    assert_string_equal(rig.out.rejects[0].detail, "expected integer, got a string: \"many\"");
    assert_false(rig.out.rejects[0].row_was_dropped);
    check_reject(&rig, 1, "n", "type_mismatch", "{\"id\":2,\"n\":\"1e400000\"}");
    free_rig(&rig);
}

static void test_mismatch_can_reject_the_row(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_INTEGER);
    add_column(&rig, "n", TYPE_INTEGER);
    rig.spec.on_mismatch = MISMATCH_REJECT;
    check_rows(&rig, "[{\"id\":1,\"n\":[]},{\"id\":2,\"n\":2}]", "{\"id\":2,\"n\":2}\n");
    assert_int_equal(rig.out.counts.nulled, 0);
    assert_int_equal(rig.out.counts.rejected, 1);
    check_reject(&rig, 0, "n", "type_mismatch", "{\"id\":1,\"n\":[]}");
    assert_true(rig.out.rejects[0].row_was_dropped);
    free_rig(&rig);
}

static void test_the_primary_key_must_be_there_and_fit(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_STRING);
    add_column(&rig, "part", TYPE_INTEGER);
    schema_set_key(rig.spec.schema, 0);
    schema_set_key(rig.spec.schema, 1);
    check_rows(&rig, "[{\"id\":\"a\",\"part\":1},{\"id\":\"b\"},{\"id\":null,\"part\":1},{\"id\":\"c\",\"part\":\"x\"}]",
               "{\"id\":\"a\",\"part\":1}\n");
    assert_int_equal(rig.out.counts.rejected, 3);
    assert_int_equal(rig.out.counts.nulled, 0);
    assert_int_equal(rig.out.reject_count, 3);
    check_reject(&rig, 0, "part", "missing_primary_key", "{\"id\":\"b\"}");
    check_reject(&rig, 1, "id", "missing_primary_key", "{\"id\":null,\"part\":1}");
    struct buf json = BUF_INIT(1 << 16);
    for (size_t size = DECODE_MAX_KEY_BYTES - 32 - 1; size <= DECODE_MAX_KEY_BYTES + 1; size++) {
        buf_clear(&json);
        buf_append_text(&json, "{\"part\":1,\"id\":\"");
        for (size_t i = 0; i < size; i++) buf_append_char(&json, 'k');
        buf_append_text(&json, "\"}");
        decode(&rig, buf_text(&json));
        if (size > DECODE_MAX_KEY_BYTES) assert_string_equal(rig.out.rejects[0].reason, "key_too_long");
    }
    assert_int_equal(rig.out.counts.rejected, 1);
    buf_release(&json);
    free_rig(&rig);
}

static void test_what_is_no_object_is_rejected(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    check_rows(&rig, "[1,{\"a\":1},[{\"a\":2}],\"s\",null,true]", "{\"a\":1}\n");
    assert_int_equal(rig.out.counts.rejected, 5);
    check_reject(&rig, 0, "", "not_an_object", "1");
    check_reject(&rig, 1, "", "not_an_object", "[{\"a\":2}]");
    check_reject(&rig, 2, "", "not_an_object", "\"s\"");
    assert_string_equal(rig.out.rejects[3].detail, "expected an object, got null");
    free_rig(&rig);
}

/* The source gave back what it was sent: as a value, a name, and as one too long to be shown whole. */
static void test_rejects_hold_no_secrets(void **state)
{
    (void)state;
    static const char LONG[] =
        "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrst";
    struct rig rig = new_rig();
    struct secrets *secrets = secrets_new();
    char page[512];
    secrets_add(secrets, "config.api_key", STR("Zq7pLm2x"));
    secrets_add(secrets, "config.long", str_from(LONG));
    add_column(&rig, "n", TYPE_INTEGER);
    rig.spec.on_mismatch = MISMATCH_REJECT;
    rig.spec.secrets = secrets;
    snprintf(page, sizeof page, "[{\"n\":\"Zq7pLm2x\"},{\"n\":\"x%s\"},\"Zq7pLm2x\",{\"n\":1}]", LONG);
    check_rows(&rig, page, "{\"n\":1}\n");
    check_reject(&rig, 0, "n", "type_mismatch", "{\"n\":\"***\"}");
    check_reject(&rig, 1, "n", "type_mismatch", "{\"n\":\"x***\"}");
    check_reject(&rig, 2, "", "not_an_object", "\"***\"");
    assert_string_equal(rig.out.rejects[0].detail, "expected integer, got a string: \"***\"");
    assert_string_equal(rig.out.rejects[1].detail, "expected integer, got a string: \"x***\"");
    free_rig(&rig);
    secrets_free(secrets);
}

static void test_blocked_and_unselected_fields_leave_no_trace(void **state)
{
    (void)state;
    static const char *const BLOCKED[] = {"ssn", "notes"}, *const SELECT[] = {"name"};
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_INTEGER);
    add_column(&rig, "notes", TYPE_STRING);
    schema_set_key(rig.spec.schema, 0);
    rig.spec.blocked = BLOCKED, rig.spec.blocked_count = 2;
    check_rows(
        &rig,
        "[{\"id\":1,\"ssn\":\"123\",\"\\u006eotes\":\"n\",\"name\":\"a\"},{\"ssn\":\"456\",\"notes\":\"m\",\"name\":\"b\"},"
        "[{\"ssn\":\"789\"}],{\"id\":2,\"name\":{\"x\":1},\"ssn\":\"1\",\"ssn\":\"2\"}]",
        "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"_sluice_overflow\":{\"name\":{\"x\":1}}}\n");
    check_reject(&rig, 0, "id", "missing_primary_key", "{\"name\":\"b\"}");
    check_reject(&rig, 1, "", "not_an_object", "null");
    assert_null(schema_find(rig.spec.schema, STR("ssn")));
    free_rig(&rig);

    rig = new_rig();
    add_column(&rig, "id", TYPE_INTEGER);
    schema_set_key(rig.spec.schema, 0);
    rig.spec.select = SELECT, rig.spec.select_count = 1;
    rig.spec.cursor_field = "v";
    check_rows(&rig, "[{\"id\":1,\"v\":5,\"name\":\"a\",\"secret\":\"s\"},{\"v\":6,\"secret\":\"s\"}]",
               "{\"id\":1,\"v\":5,\"name\":\"a\"}\n");
    check_reject(&rig, 0, "id", "missing_primary_key", "{\"v\":6}");
    free_rig(&rig);
}

static void test_the_last_of_repeated_keys_wins(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "n", TYPE_INTEGER);
    check_rows(
        &rig,
        "[{\"n\":1,\"n\":2},{\"n\":\"bad\",\"n\":3},{\"n\":4,\"n\":null},{\"a\":true,\"a\":false},{\"a\":\"x\",\"a\":true}]",
        "{\"n\":2}\n{\"n\":3}\n{}\n{\"a\":false}\n{\"a\":true}\n");
    assert_int_equal(rig.out.counts.nulled, 0);
    assert_int_equal(rig.out.counts.overflowed, 0);
    assert_int_equal(rig.out.reject_count, 0);
    free_rig(&rig);
}

static void test_records_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *json;
        size_t rows; /* SIZE_MAX: an error of class DATA */
    } CASES[] = {
        {"$", "[{},{}]", 2},
        {"$", "{\"a\":1}", 1},
        {"", "[{}]", 1},
        {"$", "[]", 0},
        {"orders", "{\"x\":[{}],\"orders\":[{},{},{}]}", 3},
        {"orders", "{\"orders\":{\"a\":1}}", 1},
        {"orders", "{\"orders\":null}", 0},
        {"orders", "{\"others\":[{}]}", 0},
        {"orders", "{\"orders\":5}", SIZE_MAX},
        {"orders", "{\"orders\":\"none\"}", SIZE_MAX},
        {"orders", "[{\"orders\":[]}]", SIZE_MAX},
        {"data.items", "{\"data\":{\"items\":[{},{}]}}", 2},
        {"data.items", "{\"data\":null}", 0},
        {"data.items", "{\"data\":[]}", 0},
        {"data.items", "{\"data\":true}", SIZE_MAX},
        {"data.*.items", "{\"data\":[{\"items\":[{},{}]},{\"items\":[{}]},{},{\"items\":null}]}", 3},
        {"data.*.items", "{\"data\":{\"x\":{\"items\":[{}]},\"y\":{\"items\":{}}}}", 2},
        {"data.*", "{\"data\":{\"x\":{},\"y\":{},\"z\":null}}", 2},
        {"*", "[{},[{},{}]]", 3},
        {"data.1", "{\"data\":[{},[{},{}]]}", 2},
        {"@odata.value", "{\"@odata.value\":[{}]}", 1},
        {"$.value", "{\"v\\u0061lue\":[{}]}", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig rig = new_rig();
        rig.spec.records_path = CASES[i].path;
        if (CASES[i].rows == SIZE_MAX) {
            assert_int_equal(decode_bytes(&rig, CASES[i].json, strlen(CASES[i].json)), ERR_DATA);
            assert_non_null(strstr(rig.err.message, CASES[i].path));
            assert_int_equal(rig.out.batch_count, 0);
        } else {
            decode(&rig, CASES[i].json);
            assert_int_equal(rig.out.rows, CASES[i].rows);
        }
        free_rig(&rig);
    }
    struct rig rig = new_rig();
    rig.spec.records_path = "data.items";
    assert_int_equal(decode_bytes(&rig, "{\"data\":\"x\"}", 12), ERR_DATA);
    assert_string_equal(rig.err.message, "cannot take records from 'data.items': there is a string at 'data'");
    free_rig(&rig);
}

static void check_error(const char *body, size_t size, int class, const char *message)
{
    struct rig rig = new_rig();
    assert_int_equal(decode_bytes(&rig, body, size), class);
    if (!strstr(rig.err.message, message)) fail_msg("%s", rig.err.message);
    assert_int_equal(rig.out.batch_count, 0);
    free_rig(&rig);
}

static void test_what_is_not_json_is_told(void **state)
{
    (void)state;
    check_error("", 0, ERR_TRANSIENT, "the answer is not JSON: it is empty");
    check_error("<html>\n\xff", 8, ERR_TRANSIENT, "begins with '<html>\\x0a\\xff'");
    check_error("\"text\"", 6, ERR_TRANSIENT, "begins with '\"text\"'");
    check_error("[{\"a\":1},{\"b\":", 14, ERR_TRANSIENT, "unexpected end at byte 14");
    check_error("[{\"a\":01}]", 10, ERR_TRANSIENT, "at byte 7");
    check_error("[{}] tail", 9, ERR_TRANSIENT, "unexpected text behind the end");
    struct buf deep = BUF_INIT(1 << 16);
    buf_append_text(&deep, "[{\"a\":");
    for (int i = 0; i < 600; i++) buf_append_char(&deep, '[');
    check_error(deep.data, deep.size, ERR_DATA, "nested over 512 levels");
    buf_release(&deep);
    struct buf page = BUF_INIT(1 << 12);
    for (int i = 0; i < 1000; i++) buf_append_char(&page, '<');
    struct rig rig = new_rig();
    assert_int_equal(decode_bytes(&rig, page.data, page.size), ERR_TRANSIENT);
    assert_true(strlen(rig.err.message) < 150);
    free_rig(&rig);
    buf_release(&page);
}

static void test_every_truncation_is_an_error(void **state)
{
    (void)state;
    static const char PAGE[] =
        "{\"orders\":[{\"id\":\"a\",\"v\":1.5,\"n\":{\"x\":[1,\"\\u00e9\"]}},{\"id\":\"b\"}],\"more\":true}";
    struct rig rig = new_rig();
    rig.spec.records_path = "orders";
    for (size_t size = 0; size < sizeof PAGE - 1; size++) {
        assert_int_equal(decode_bytes(&rig, PAGE, size), ERR_TRANSIENT);
        assert_int_equal(budget_used(rig.budget), 0);
    }
    decode(&rig, PAGE);
    assert_int_equal(rig.out.rows, 2);
    free_rig(&rig);
}

static void test_records_of_functions_are_lines(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    rig.decoder = decoder_new(&rig.spec, 0, NULL);
    static const char LINES[] = "{\"a\":\"x\"}\n{\"a\":\"y\"}\n\n7\n";
    char *copy = mem_strdup(LINES);
    assert_int_equal(decoder_page(rig.decoder, NULL, str_from(copy), &rig.out, &rig.err), 0);
    free(copy); /* the rows have their own */
    write_rows(&rig);
    assert_string_equal(buf_text(&rig.rows), "{\"a\":\"x\"}\n{\"a\":\"y\"}\n");
    assert_int_equal(rig.out.counts.rejected, 1);
    decoded_release(&rig.out);
    assert_int_equal(decoder_page(rig.decoder, NULL, STR(""), &rig.out, &rig.err), 0); /* a map that kept nothing */
    assert_int_equal(rig.out.records, 0);
    decoded_release(&rig.out);
    assert_int_equal(decoder_page(rig.decoder, NULL, STR("{\"a\":1}\n{\"a\":"), &rig.out, &rig.err), ERR_CONNECTOR);
    assert_int_equal(decoder_page(rig.decoder, NULL, STR("{} ]"), &rig.out, &rig.err), ERR_CONNECTOR);
    free_rig(&rig);
}

static void check_cursor(struct rig *rig, bool ascending, size_t covered_rows, const char *covered, const char *max)
{
    assert_int_equal(rig->out.ascending, ascending);
    assert_int_equal(rig->out.covered_rows, covered_rows);
    if (!str_equal(rig->out.covered_cursor, str_from(covered))) fail_msg("covered " STR_FMT, STR_ARG(rig->out.covered_cursor));
    if (!str_equal(rig->out.max_cursor, str_from(max))) fail_msg("max " STR_FMT, STR_ARG(rig->out.max_cursor));
}

static void test_covered_rows_lag_one_value_behind(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    rig.spec.cursor_field = "v";
    decode(&rig, "[{\"v\":1},{\"v\":1},{\"v\":2},{\"v\":3},{\"v\":3}]");
    check_cursor(&rig, true, 3, "2", "3");
    decode(&rig, "[{\"v\":3},{\"v\":3}]"); /* nothing new */
    check_cursor(&rig, true, 0, "2", "3");
    decode(&rig, "[{\"v\":3},{\"v\":4}]");
    check_cursor(&rig, true, 1, "3", "4");
    decode(&rig, "[{\"v\":5}]"); /* rises at the front: the earlier pages are covered, nothing of this one */
    check_cursor(&rig, true, 0, "4", "5");
    decode(&rig, "[]");
    check_cursor(&rig, true, 0, "4", "5");
    decode(&rig, "[{\"v\":6},{\"v\":5},{\"v\":9}]"); /* a step back ends it */
    check_cursor(&rig, false, 0, "", "9");
    decode(&rig, "[{\"v\":10},{\"v\":11}]");
    check_cursor(&rig, false, 0, "", "11");
    free_rig(&rig);
}

static void test_cursors_of_every_type(void **state)
{
    (void)state;
    static const struct {
        enum type type;
        const char *format;
        const char *json;
        const char *covered, *max;
    } CASES[] = {
        {TYPE_TIMESTAMP, NULL, "[{\"c\":\"2024-01-01T00:00:00+01:00\"},{\"c\":\"2024-01-01T00:00:00.5Z\"}]",
         "2023-12-31T23:00:00Z", "2024-01-01T00:00:00.500Z"},
        {TYPE_TIMESTAMP, "epoch", "[{\"c\":1705312800},{\"c\":1705312801}]", "2024-01-15T10:00:00Z", "2024-01-15T10:00:01Z"},
        {TYPE_TIMESTAMP_NTZ, NULL, "[{\"c\":\"2024-01-01 00:00:00\"},{\"c\":\"2024-01-01 00:00:01\"}]", "2024-01-01T00:00:00",
         "2024-01-01T00:00:01"},
        {TYPE_DATE, NULL, "[{\"c\":\"2024-01-01\"},{\"c\":\"2024-01-02\"}]", "2024-01-01", "2024-01-02"},
        {TYPE_INTEGER, NULL, "[{\"c\":9007199254740992},{\"c\":\"9007199254740993\"}]", "9007199254740992", "9007199254740993"},
        {TYPE_DECIMAL, NULL, "[{\"c\":9.5},{\"c\":10}]", "9.5", "10"},
        {TYPE_STRING, NULL, "[{\"c\":\"a\\u0062\"},{\"c\":\"b\"}]", "ab", "b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (int declare = 0; declare < 2; declare++) {
            struct rig rig = new_rig();
            rig.spec.cursor_field = "c";
            rig.spec.cursor_type = CASES[i].type;
            rig.spec.cursor_format = CASES[i].format;
            if (declare) add_column(&rig, "c", CASES[i].type);
            decode(&rig, CASES[i].json);
            assert_int_equal(rig.out.counts.nulled, 0);
            check_cursor(&rig, true, 1, CASES[i].covered, CASES[i].max);
            decode(&rig, "[]"); /* what is remembered outlives the page */
            check_cursor(&rig, true, 0, CASES[i].covered, CASES[i].max);
            assert_int_equal(cursor_compare(rig.out.covered_cursor, rig.out.max_cursor, CASES[i].type), -1);
            free_rig(&rig);
        }
    }
    assert_int_equal(cursor_compare(STR("9"), STR("10"), TYPE_INTEGER), -1);
    assert_int_equal(cursor_compare(STR("9"), STR("10"), TYPE_STRING), 1);
    assert_int_equal(cursor_compare(STR(""), STR("10"), TYPE_INTEGER), -1);
    assert_int_equal(cursor_compare(STR("2024-01-01T00:00:00Z"), STR("2024-01-01T00:00:00.000000Z"), TYPE_TIMESTAMP), 0);
}

static void test_a_cursor_is_read_leniently_and_only_so_long(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.spec.cursor_type = TYPE_STRING;
    decode(&rig, "[{\"v\":\"3\"},{\"v\":5}]"); /* the column takes texts only, the cursor takes both */
    check_cursor(&rig, true, 1, "3", "5");
    assert_int_equal(rig.out.counts.overflowed, 1);
    struct buf json = BUF_INIT(1 << 16);
    buf_append_text(&json, "[{\"v\":\"");
    for (int i = 0; i < DECODE_MAX_KEY_BYTES + 1; i++) buf_append_char(&json, 'z');
    buf_append_text(&json, "\"}]");
    decode(&rig, buf_text(&json));
    check_cursor(&rig, false, 0, "", "5");
    assert_int_equal(rig.out.rows, 1);
    buf_release(&json);
    free_rig(&rig);
}

static void test_columns_have_formats_of_their_own(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "ms", TYPE_TIMESTAMP);
    add_column(&rig, "s", TYPE_TIMESTAMP);
    add_column(&rig, "local", TYPE_TIMESTAMP);
    schema_set_format(rig.spec.schema, 0, "epoch_ms", STR(""));
    schema_set_format(rig.spec.schema, 2, NULL, STR("+02:00"));
    rig.spec.timestamp_format = "epoch";
    rig.spec.cursor_field = "ms";
    rig.spec.cursor_type = TYPE_TIMESTAMP;
    check_rows(&rig, "[{\"ms\":1705312800000,\"s\":1705312800,\"local\":\"2024-01-15T12:00:00\"},{\"ms\":1705312801000}]",
               "{\"ms\":\"2024-01-15T10:00:00Z\",\"s\":\"2024-01-15T10:00:00Z\",\"local\":\"2024-01-15T10:00:00Z\"}\n"
               "{\"ms\":\"2024-01-15T10:00:01Z\"}\n");
    check_cursor(&rig, true, 1, "2024-01-15T10:00:00Z", "2024-01-15T10:00:01Z");
    free_rig(&rig);
}

static void test_the_cursor_may_be_inside_a_field(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    rig.spec.cursor_field = "meta.at";
    decode(&rig, "[{\"meta\":{\"at\":1}},{\"meta\":{\"at\":2}}]");
    check_cursor(&rig, true, 1, "1", "2");
    assert_int_equal(rig.out.rows, 2);
    decode(&rig, "[{\"meta.at\":3,\"meta\":{\"at\":1}}]"); /* the whole name beats the path */
    check_cursor(&rig, true, 0, "2", "3");
    decode(&rig, "[{\"meta\":\"none\"}]");
    check_cursor(&rig, false, 0, "", "3");
    free_rig(&rig);
}

static void test_a_missing_cursor_follows_the_policy(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    rig.spec.cursor_field = "v";
    decode(&rig, "[{\"v\":1},{\"x\":1},{\"v\":null},{\"v\":\"bad\"},{\"v\":2}]");
    assert_int_equal(rig.out.rows, 5);
    check_cursor(&rig, false, 0, "", "2"); /* what is kept without a cursor, no checkpoint can cover */
    free_rig(&rig);
    rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.spec.cursor_missing = CURSOR_MISSING_REJECT;
    decode(&rig, "[{\"v\":1},{\"x\":1},{\"v\":null},{\"v\":\"bad\"},{\"v\":2}]");
    assert_int_equal(rig.out.rows, 2);
    check_cursor(&rig, true, 1, "1", "2");
    assert_int_equal(rig.out.counts.rejected, 3);
    check_reject(&rig, 0, "v", "missing_cursor", "{\"x\":1}");
    free_rig(&rig);
}

static void test_committed_records_are_dropped_without_a_trace(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "n", TYPE_INTEGER);
    rig.spec.cursor_field = "v";
    rig.bounds.drop_up_to = STR("10");
    check_rows(&rig, "[{\"v\":9,\"n\":\"bad\"},{\"v\":10,\"n\":1},{\"v\":11,\"n\":2},{\"v\":12,\"n\":3}]",
               "{\"n\":2,\"v\":11}\n{\"n\":3,\"v\":12}\n");
    assert_int_equal(rig.out.counts.deduplicated, 2);
    assert_int_equal(rig.out.counts.nulled, 0);
    assert_int_equal(rig.out.reject_count, 0);
    check_cursor(&rig, true, 1, "11", "12");
    decode(&rig, "[{\"v\":3}]"); /* stepping back counts even among the dropped */
    assert_false(rig.out.ascending);
    free_rig(&rig);
    rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.bounds.drop_up_to = STR("10");
    decode(&rig, "[{\"v\":9},{\"v\":10}]");
    check_cursor(&rig, true, 0, "", ""); /* nothing that counts was seen */
    free_rig(&rig);
}

static uint64_t *keys_of(struct rig *rig)
{
    uint64_t *keys = mem_alloc((rig->out.newest_count + 1) * sizeof *keys);
    memcpy(keys, rig->out.newest, rig->out.newest_count * sizeof *keys);
    return keys;
}

static void test_keys_of_the_newest_records_are_told(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_STRING);
    schema_set_key(rig.spec.schema, schema_find(rig.spec.schema, STR("id"))->index);
    rig.spec.cursor_field = "v";
    rig.bounds.remember = true;
    decode(&rig, "[{\"id\":\"a\",\"v\":7},{\"id\":\"b\",\"v\":9},{\"id\":\"c\",\"v\":9},{\"id\":\"d\",\"v\":8}]");
    assert_int_equal(rig.out.newest_count, 2);
    uint64_t *first = keys_of(&rig);
    decode(&rig, "[{\"id\":\"e\",\"v\":5}]");
    assert_int_equal(rig.out.newest_count, 0);
    decode(&rig, "[{\"id\":\"b\",\"v\":9,\"x\":1}]"); /* by its key, not by what else is in it */
    assert_int_equal(rig.out.newest_count, 1);
    assert_true(rig.out.newest[0] == first[0]);
    free(first);
    free_rig(&rig);
}

static void test_of_those_at_the_cursor_only_the_unseen_are_taken(void **state)
{
    (void)state;
    static const char PAGE[] = "[{\"id\":1,\"v\":8},{\"id\":2,\"v\":9},{\"id\":3,\"v\":9},{\"id\":4,\"v\":10}]";
    struct boundary seen = {0};
    struct rig rig = new_rig();
    add_column(&rig, "id", TYPE_INTEGER);
    schema_set_key(rig.spec.schema, schema_find(rig.spec.schema, STR("id"))->index);
    rig.spec.cursor_field = "v";
    rig.bounds.remember = true;
    decode(&rig, "[{\"id\":2,\"v\":9}]");
    struct buf text = BUF_INIT(100);
    boundary_add(&seen, rig.out.newest[0]);
    boundary_to_text(&seen, &text); /* as the state would keep it */
    assert_true(boundary_from_text(&seen, buf_str(&text)));
    decoder_free(rig.decoder);
    rig.decoder = NULL;
    rig.bounds.drop_up_to = STR("9");
    rig.bounds.equal = EQUAL_UNSEEN;
    rig.bounds.seen = &seen;
    check_rows(&rig, PAGE, "{\"id\":3,\"v\":9}\n{\"id\":4,\"v\":10}\n");
    assert_int_equal(rig.out.counts.deduplicated, 2);
    decoder_free(rig.decoder);
    rig.decoder = NULL;
    seen.too_many = true;
    assert_int_equal(decode_bytes(&rig, PAGE, strlen(PAGE)), ERR_DATA);
    assert_non_null(strstr(rig.err.message, "which were appended already is not known"));
    decoder_free(rig.decoder);
    rig.decoder = NULL;
    rig.bounds.equal = EQUAL_KEEP;
    decode(&rig, PAGE);
    assert_int_equal(rig.out.rows, 3);
    buf_release(&text);
    boundary_release(&seen);
    free_rig(&rig);
}

static void test_the_boundary_is_bounded_and_says_so(void **state)
{
    (void)state;
    struct boundary boundary = {0};
    struct buf text = BUF_INIT(BOUNDARY_TEXT_MAX + 1);
    for (int round = 0; round < 2; round++) /* the same ones again take no room */
        for (uint64_t key = 0; key < BOUNDARY_MAX_KEYS; key++) boundary_add(&boundary, key * 0x9e3779b97f4a7c15);
    assert_false(boundary.too_many);
    boundary_to_text(&boundary, &text);
    assert_int_equal(text.size, BOUNDARY_TEXT_MAX);
    assert_true(boundary_from_text(&boundary, buf_str(&text)));
    assert_true(boundary_has(&boundary, 77 * 0x9e3779b97f4a7c15));
    assert_false(boundary_has(&boundary, 78));
    boundary_add(&boundary, 78);
    assert_true(boundary.too_many);
    buf_clear(&text);
    boundary_to_text(&boundary, &text);
    assert_string_equal(buf_text(&text), "*");
    boundary_clear(&boundary);
    assert_true(boundary_from_text(&boundary, STR("*")) && boundary.too_many);
    assert_true(boundary_from_text(&boundary, STR("")) && boundary.count == 0);
    static const char *const WRONG[] = {"1", "000000000000000g", "00000000000000001", "**"};
    for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) assert_false(boundary_from_text(&boundary, str_from(WRONG[i])));
    buf_release(&text);
    boundary_release(&boundary);
}

static void test_newest_first_tells_when_what_is_known_is_reached(void **state)
{
    (void)state;
    static const struct {
        const char *page;
        bool is_lost, reached;
    } CASES[] = {
        {"[{\"v\":12},{\"v\":11}]", false, false},
        {"[{\"v\":12},{\"v\":10}]", false, false}, /* more of this value may follow */
        {"[{\"v\":12},{\"v\":12},{\"v\":9}]", false, true},
        {"[{\"v\":11},{\"v\":12},{\"v\":9}]", true, false},
        {"[{\"v\":12},{\"w\":12},{\"v\":9}]", true, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig rig = new_rig();
        rig.spec.cursor_field = "v";
        rig.bounds = (struct decode_bounds){.drop_up_to = STR("10"), .newest_first = true};
        decode(&rig, CASES[i].page);
        assert_int_equal(rig.out.order_is_lost, CASES[i].is_lost);
        assert_int_equal(rig.out.reached_known, CASES[i].reached);
        free_rig(&rig);
    }
}

static void test_a_missing_cursor_may_end_the_sync(void **state)
{
    (void)state;
    static const char PAGE[] = "[{\"v\":1},{\"x\":1}]";
    struct rig rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.spec.cursor_missing = CURSOR_MISSING_FAIL;
    assert_int_equal(decode_bytes(&rig, PAGE, strlen(PAGE)), ERR_DATA);
    assert_non_null(strstr(rig.err.message, "the record has no cursor field: 'v'"));
    free_rig(&rig);
}

static void test_windows(void **state)
{
    (void)state;
    static const char PAGE[] = "[{\"v\":1},{\"v\":2},{\"v\":3},{\"v\":4},{\"w\":1}]";
    struct rig rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.bounds = (struct decode_bounds){.from = STR("2"), .to = STR("4"), .rule = BOUNDS_OPEN_CLOSED};
    check_rows(&rig, PAGE, "{\"v\":3}\n{\"v\":4}\n{\"w\":1}\n");
    assert_int_equal(rig.out.counts.discarded, 2);
    free_rig(&rig);
    rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.bounds = (struct decode_bounds){.from = STR("2"), .to = STR("4"), .rule = BOUNDS_CLOSED_OPEN};
    check_rows(&rig, PAGE, "{\"v\":2}\n{\"v\":3}\n{\"w\":1}\n");
    free_rig(&rig);
    rig = new_rig();
    rig.spec.cursor_field = "v";
    rig.bounds = (struct decode_bounds){.from = STR("2"), .to = STR("4"), .rule = BOUNDS_AS_SENT};
    decode(&rig, PAGE);
    assert_int_equal(rig.out.rows, 5);
    free_rig(&rig);
}

static void test_a_failed_page_leaves_the_cursor_as_it_was(void **state)
{
    (void)state;
    static const enum type TYPES[] = {TYPE_INTEGER, TYPE_DECIMAL};
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) {
        struct rig rig = new_rig();
        rig.spec.cursor_field = "v";
        rig.spec.cursor_type = TYPES[i];
        decode(&rig, "[{\"v\":1},{\"v\":2}]");
        assert_int_equal(decode_bytes(&rig, "[{\"v\":3},{\"v\":4},{\"v\":1},", 26), ERR_TRANSIENT);
        decode(&rig, "[{\"v\":3},{\"v\":4}]");
        check_cursor(&rig, true, 1, "3", "4");
        free_rig(&rig);
    }
}

static void test_rejects_are_limited_and_cut(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    struct buf json = BUF_INIT(1 << 22);
    buf_append_text(&json, "[[\"");
    for (int i = 0; i < 50000; i++) buf_append_text(&json, "\xc3\xa5"); /* an odd cut would leave half a character */
    buf_append_text(&json, "\"]");
    for (int i = 0; i < 300; i++) buf_append_text(&json, ",1");
    buf_append_char(&json, ']');
    decode(&rig, buf_text(&json));
    assert_int_equal(rig.out.counts.rejected, 301);
    assert_int_equal(rig.out.reject_count, DECODE_MAX_REJECTS);
    assert_int_equal(rig.out.rejects[0].record.size, DECODE_MAX_REJECT_BYTES);
    buf_clear(&json);
    buf_append_text(&json, "[[\"x");
    for (int i = 0; i < 50000; i++) buf_append_text(&json, "\xc3\xa5");
    buf_append_text(&json, "\"]]");
    decode(&rig, buf_text(&json));
    assert_int_equal(rig.out.rejects[0].record.size, DECODE_MAX_REJECT_BYTES - 1);
    buf_release(&json);
    free_rig(&rig);
}

static void test_too_many_fields_reject_the_record(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    rig.spec.infer = false;
    struct buf json = BUF_INIT(1 << 22);
    for (int over = 0; over < 2; over++) {
        buf_clear(&json);
        buf_append_text(&json, "[{");
        for (int i = 0; i < DECODE_MAX_FIELDS + over; i++) buf_printf(&json, "%s\"g%d_%d\":1", i ? "," : "", over, i);
        buf_append_text(&json, "},{}]");
        decode(&rig, buf_text(&json));
        assert_int_equal(rig.out.rows, over ? 1 : 2);
    }
    assert_string_equal(rig.out.rejects[0].reason, "too_many_fields");
    buf_release(&json);
    free_rig(&rig);
}

static void test_names_beyond_the_table_overflow(void **state)
{
    (void)state;
    static const char *const BLOCKED[] = {"zblocked"};
    struct rig rig = new_rig();
    rig.spec.blocked = BLOCKED, rig.spec.blocked_count = 1;
    struct buf json = BUF_INIT(1 << 22);
    buf_append_text(&json, "[{");
    for (int i = 0; i < DECODE_MAX_FIELDS; i++) buf_printf(&json, "%s\"f%d\":null", i ? "," : "", i);
    buf_append_text(&json, "},{\"z\\u0061\":1,\"zblocked\":2,\"zn\":null}]");
    decode(&rig, buf_text(&json));
    assert_non_null(strstr(buf_text(&rig.rows), "{\"_sluice_overflow\":{\"za\":1}}\n"));
    buf_release(&json);
    free_rig(&rig);
}

static void test_texts_are_repaired_and_counted(void **state)
{
    (void)state;
    struct rig rig = new_rig();
    static const char PAGE[] = "[{\"a\":\"x\0y\",\"b\":\"\\ud800\",\"\xff\":\"k\",\"c\":[\"\\u0000\"]}]";
    assert_int_equal(decode_bytes(&rig, PAGE, sizeof PAGE - 1), 0);
    assert_string_equal(buf_text(&rig.rows),
                        "{\"a\":\"x\xef\xbf\xbdy\",\"b\":\"\xef\xbf\xbd\",\"\xef\xbf\xbd\":\"k\",\"c\":[\"\xef\xbf\xbd\"]}\n");
    assert_int_equal(rig.out.counts.repaired, 3);
    free_rig(&rig);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_mutated_pages_keep_the_books(void **state)
{
    (void)state;
    static const char PAGE[] = "{\"d\":[{\"id\":\"a\",\"v\":1,\"n\":5,\"x\":{\"y\":[1,2]}},{\"id\":\"b\",\"v\":2,\"n\":6},"
                               "{\"id\":\"c\\u0041\",\"v\":3,\"n\":\"7\",\"z\":true,\"x\":{}}]}";
    static const char PIECES[] = "{}[]\",:\\u0e-.19tfn\xff\xc3";
    static const char *const BLOCKED[] = {"z"};
    uint64_t seed = 7;
    size_t good = 0;
    for (size_t round = 0; round < 3000; round++) {
        struct rig rig = new_rig();
        add_column(&rig, "id", TYPE_STRING);
        add_column(&rig, "n", TYPE_INTEGER);
        schema_set_key(rig.spec.schema, 0);
        rig.spec.records_path = "d";
        rig.spec.cursor_field = "v";
        rig.spec.blocked = BLOCKED, rig.spec.blocked_count = 1;
        char page[sizeof PAGE];
        memcpy(page, PAGE, sizeof PAGE);
        for (size_t i = 0; i < 1 + round % 4; i++)
            page[next_random(&seed) % (sizeof PAGE - 1)] = PIECES[next_random(&seed) % sizeof PIECES];
        int rc = decode_bytes(&rig, page, sizeof PAGE - 1);
        assert_true(rc == 0 || rc == ERR_TRANSIENT || rc == ERR_DATA);
        const struct decode_counts *counts = &rig.out.counts;
        assert_int_equal(counts->emitted, rig.out.rows + counts->rejected + counts->discarded + counts->deduplicated);
        good += rc == 0;
        free_rig(&rig);
    }
    assert_true(good > 100); /* the mutations must leave something to decode */
}

UNIT_TESTS(cmocka_unit_test(test_typed_rows), cmocka_unit_test(test_undeclared_fields_become_columns),
           cmocka_unit_test(test_what_does_not_fit_an_inferred_column_overflows),
           cmocka_unit_test(test_the_hosts_own_names_never_become_columns),
           cmocka_unit_test(test_fields_past_the_columns_overflow),
           cmocka_unit_test(test_a_large_batch_is_closed_when_the_schema_grows), cmocka_unit_test(test_batches_are_capped),
           cmocka_unit_test(test_a_page_that_explodes_is_refused),
           cmocka_unit_test(test_mismatch_sets_null_and_keeps_the_original), cmocka_unit_test(test_mismatch_can_reject_the_row),
           cmocka_unit_test(test_the_primary_key_must_be_there_and_fit), cmocka_unit_test(test_what_is_no_object_is_rejected),
           cmocka_unit_test(test_rejects_hold_no_secrets), cmocka_unit_test(test_blocked_and_unselected_fields_leave_no_trace),
           cmocka_unit_test(test_the_last_of_repeated_keys_wins), cmocka_unit_test(test_records_paths),
           cmocka_unit_test(test_what_is_not_json_is_told), cmocka_unit_test(test_every_truncation_is_an_error),
           cmocka_unit_test(test_records_of_functions_are_lines), cmocka_unit_test(test_covered_rows_lag_one_value_behind),
           cmocka_unit_test(test_cursors_of_every_type), cmocka_unit_test(test_a_cursor_is_read_leniently_and_only_so_long),
           cmocka_unit_test(test_columns_have_formats_of_their_own), cmocka_unit_test(test_the_cursor_may_be_inside_a_field),
           cmocka_unit_test(test_a_missing_cursor_follows_the_policy), cmocka_unit_test(test_a_missing_cursor_may_end_the_sync),
           cmocka_unit_test(test_keys_of_the_newest_records_are_told),
           cmocka_unit_test(test_of_those_at_the_cursor_only_the_unseen_are_taken),
           cmocka_unit_test(test_the_boundary_is_bounded_and_says_so),
           cmocka_unit_test(test_newest_first_tells_when_what_is_known_is_reached),
           cmocka_unit_test(test_committed_records_are_dropped_without_a_trace), cmocka_unit_test(test_windows),
           cmocka_unit_test(test_a_failed_page_leaves_the_cursor_as_it_was), cmocka_unit_test(test_rejects_are_limited_and_cut),
           cmocka_unit_test(test_too_many_fields_reject_the_record), cmocka_unit_test(test_names_beyond_the_table_overflow),
           cmocka_unit_test(test_texts_are_repaired_and_counted), cmocka_unit_test(test_mutated_pages_keep_the_books))
