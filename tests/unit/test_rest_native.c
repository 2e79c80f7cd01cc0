/* Rows of a plugin become rows of batches: what fits is as it was, what does not is counted and told of, and a page that is not
 * whole ends the sync. */
#include "unit.h"

#include "base/json.h"
#include "rest/decode.h"
#include "rest/native.h"

struct fixture {
    struct schema *schema;
    struct decode_spec spec;
    struct decoder *decoder;
    struct decoded decoded;
    struct buf values, texts, operations, tables;
    struct err err;
};

static void set_up(struct fixture *f, const char *const *names, const enum type *types, size_t count)
{
    static const struct decode_bounds BOUNDS = {.rule = BOUNDS_AS_SENT};
    *f = (struct fixture){.schema = schema_new("s"),
                          .values = BUF_INIT(1 << 20),
                          .texts = BUF_INIT(1 << 20),
                          .operations = BUF_INIT(1 << 20),
                          .tables = BUF_INIT(1 << 20)};
    for (size_t i = 0; i < count; i++) (void)schema_add(f->schema, str_from(names[i]), types[i], true);
    schema_set_key(f->schema, 0);
    f->spec = (struct decode_spec){.stream = "s", .schema = f->schema, .records_path = "$"};
    f->decoder = decoder_new(&f->spec, 0, &BOUNDS);
}

static void tear_down(struct fixture *f)
{
    decoded_release(&f->decoded);
    decoder_free(f->decoder);
    schema_free(f->schema);
    buf_release(&f->values);
    buf_release(&f->texts);
    buf_release(&f->operations);
    buf_release(&f->tables);
}

static void add_number(struct fixture *f, enum value_kind kind, int64_t number)
{
    const struct native_value value = {.kind = (uint8_t)kind, .i = number};
    buf_append(&f->values, &value, sizeof value);
}

static void add_text(struct fixture *f, enum value_kind kind, struct str text)
{
    const struct native_value value = {.kind = (uint8_t)kind, .size = (uint32_t)text.size, .i = (int64_t)f->texts.size};
    buf_append(&f->values, &value, sizeof value);
    buf_append_str(&f->texts, text);
}

static void end_row(struct fixture *f, enum row_operation operation, unsigned table)
{
    buf_append_char(&f->operations, (char)operation);
    buf_append_char(&f->tables, (char)table);
    buf_append_char(&f->tables, 0);
}

static int decode(struct fixture *f)
{
    const struct buf *parts[] = {&f->values, &f->texts, &f->operations, &f->tables};
    struct native_page page = {0};
    struct str *views[] = {&page.values, &page.texts, &page.operations, &page.tables};
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) size += parts[i]->size;
    page.block = block_new(NULL, size);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i]->size) memcpy(page.block->data + page.block->size, parts[i]->data, parts[i]->size);
        page.block->size += parts[i]->size;
    }
    block_seal(page.block);
    const char *at = page.block->data;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        *views[i] = (struct str){at, parts[i]->size};
        at += parts[i]->size;
    }
    int rc = decoder_rows(f->decoder, &page, &f->decoded, &f->err);
    native_page_release(&page);
    return rc;
}

static const char *const TWO[] = {"id", "v"};

/* One row with the value for a column of this type, as JSON. */
static const char *decoded_as(enum type type, enum value_kind kind, struct str text, int64_t number, char out[256],
                              struct decode_counts *counts)
{
    struct fixture f;
    const enum type types[] = {TYPE_INTEGER, type};
    struct buf json = BUF_INIT(255);
    set_up(&f, TWO, types, 2);
    add_number(&f, VALUE_INTEGER, 1);
    if (text.data)
        add_text(&f, kind, text);
    else
        add_number(&f, kind, number);
    end_row(&f, ROW_UPSERT, 0);
    assert_int_equal(decode(&f), 0);
    *counts = f.decoded.counts;
    assert_int_equal(f.decoded.rows, 1);
    value_to_json(&batch_row(f.decoded.batches[0], 0)[1], type, &json);
    snprintf(out, 256, "%s", buf_text(&json));
    buf_release(&json);
    tear_down(&f);
    return out;
}

static void test_values_fit_or_are_read_as_their_text(void **state)
{
    (void)state;
    static const struct {
        enum type type;
        enum value_kind kind;
        const char *text;
        int64_t number;
        const char *json;
    } ROWS[] = {
        {TYPE_STRING, VALUE_STRING, "caf\xc3\xa9 \\n", 0, "\"caf\xc3\xa9 \\\\n\""},
        {TYPE_STRING, VALUE_INTEGER, NULL, -7, "\"-7\""},
        {TYPE_STRING, VALUE_DATE, NULL, 0, "\"1970-01-01\""},
        {TYPE_INTEGER, VALUE_INTEGER, NULL, INT64_MIN, "-9223372036854775808"},
        {TYPE_INTEGER, VALUE_STRING, "42", 0, "42"},
        {TYPE_INTEGER, VALUE_DECIMAL, "42.0", 0, "42"},
        {TYPE_DECIMAL, VALUE_INTEGER, NULL, INT64_MAX, "9223372036854775807"},
        {TYPE_DECIMAL, VALUE_DECIMAL, "-12.50e3", 0, "-12.50e3"},
        {TYPE_DECIMAL, VALUE_STRING, "12345678901234567890.123456789", 0, "12345678901234567890.123456789"},
        {TYPE_FLOAT, VALUE_INTEGER, NULL, 3, "3"},
        {TYPE_BOOLEAN, VALUE_BOOLEAN, NULL, 1, "true"},
        {TYPE_BOOLEAN, VALUE_STRING, "false", 0, "false"},
        {TYPE_TIMESTAMP, VALUE_STRING, "2024-01-01 00:00:00+02", 0, "\"2023-12-31T22:00:00Z\""},
        {TYPE_DATE, VALUE_STRING, "2024-02-29", 0, "\"2024-02-29\""},
        {TYPE_JSON, VALUE_JSON, "{\"a\": [1]}", 0, "{\"a\": [1]}"},
        {TYPE_JSON, VALUE_STRING, "[1, 2]", 0, "[1, 2]"},
        {TYPE_JSON, VALUE_BOOLEAN, NULL, 1, "true"},
        {TYPE_JSON, VALUE_DATE, NULL, 0, "\"1970-01-01\""},
        {TYPE_JSON, VALUE_BINARY, "ab", 0, "\"YWI=\""},
        {TYPE_DECIMAL, VALUE_FLOAT, NULL, 0x3fb999999999999a, "0.1"},
        {TYPE_BINARY, VALUE_BINARY, "ab", 0, "\"YWI=\""},
        {TYPE_BINARY, VALUE_STRING, "YWI=", 0, "\"YWI=\""},
        {TYPE_STRING, VALUE_NULL, NULL, 0, "null"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char json[256];
        struct decode_counts counts;
        struct str text = ROWS[i].text ? str_from(ROWS[i].text) : (struct str){NULL, 0};
        assert_string_equal(decoded_as(ROWS[i].type, ROWS[i].kind, text, ROWS[i].number, json, &counts), ROWS[i].json);
        assert_int_equal(counts.nulled, 0);
    }
}

static void test_what_does_not_fit_is_null_and_counted(void **state)
{
    (void)state;
    static const struct {
        enum type type;
        enum value_kind kind;
        const char *text;
        int64_t number;
    } ROWS[] = {
        {TYPE_INTEGER, VALUE_STRING, "many", 0},
        {TYPE_INTEGER, VALUE_DECIMAL, "1.5", 0},
        {TYPE_BOOLEAN, VALUE_STRING, "yes", 0},
        {TYPE_DECIMAL, VALUE_DECIMAL, "NaN", 0},
        {TYPE_JSON, VALUE_JSON, "{\"a\":", 0},
        {TYPE_JSON, VALUE_JSON, "", 0},
        {TYPE_TIMESTAMP, VALUE_STRING, "soon", 0},
        {TYPE_JSON, VALUE_STRING, "1 2", 0},
        {TYPE_FLOAT, VALUE_FLOAT, NULL, 0x7ff0000000000000}, /* infinity */
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char json[256];
        struct decode_counts counts;
        struct str text = ROWS[i].text ? str_from(ROWS[i].text) : (struct str){NULL, 0};
        assert_string_equal(decoded_as(ROWS[i].type, ROWS[i].kind, text, ROWS[i].number, json, &counts), "null");
        assert_int_equal(counts.nulled, 1);
    }
}

static void test_a_reject_shows_the_value_as_it_came(void **state)
{
    (void)state;
    static const struct {
        enum type type;
        enum value_kind kind;
        const char *text;
        int64_t number;
        const char *detail;
    } ROWS[] = {
        {TYPE_INTEGER, VALUE_STRING, "many", 0, "expected integer, got a string: \"many\""},
        {TYPE_INTEGER, VALUE_STRING, "a \"b\"", 0, "expected integer, got a string: \"a \\\"b\\\"\""},
        {TYPE_DECIMAL, VALUE_DECIMAL, "1,5", 0, "expected decimal, got a string: \"1,5\""},
        {TYPE_FLOAT, VALUE_FLOAT, NULL, 0x7ff0000000000000, "expected float, got a string: \"Infinity\""},
        {TYPE_JSON, VALUE_JSON, "[1", 0, "expected json, got a string: \"[1\""},
        {TYPE_INTEGER, VALUE_JSON, "\"x\"", 0, "expected integer, got a string: \"x\""},
        {TYPE_DATE, VALUE_BOOLEAN, NULL, 1, "expected date, got a boolean: true"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct fixture f;
        const enum type types[] = {TYPE_INTEGER, ROWS[i].type};
        set_up(&f, TWO, types, 2);
        add_number(&f, VALUE_INTEGER, 1);
        if (ROWS[i].text)
            add_text(&f, ROWS[i].kind, str_from(ROWS[i].text));
        else
            add_number(&f, ROWS[i].kind, ROWS[i].number);
        end_row(&f, ROW_UPSERT, 0);
        assert_int_equal(decode(&f), 0);
        assert_int_equal(f.decoded.reject_count, 1);
        assert_string_equal(f.decoded.rejects[0].detail, ROWS[i].detail);
        tear_down(&f);
    }
}

static void test_texts_are_repaired(void **state)
{
    (void)state;
    char json[256];
    struct decode_counts counts;
    decoded_as(TYPE_STRING, VALUE_STRING, (struct str){"a\xff\0b", 4}, 0, json, &counts);
    assert_string_equal(json, "\"a\xef\xbf\xbd\xef\xbf\xbd"
                              "b\"");
    assert_int_equal(counts.repaired, 2);
}

static void test_a_row_without_its_key_is_rejected(void **state)
{
    (void)state;
    struct fixture f;
    const enum type types[] = {TYPE_INTEGER, TYPE_STRING};
    set_up(&f, TWO, types, 2);
    add_number(&f, VALUE_NULL, 0);
    add_text(&f, VALUE_STRING, STR("who am I"));
    end_row(&f, ROW_UPSERT, 0);
    add_number(&f, VALUE_INTEGER, 2);
    add_number(&f, VALUE_MISSING, 0);
    end_row(&f, ROW_DELETE, 0);
    assert_int_equal(decode(&f), 0);
    assert_int_equal(f.decoded.counts.emitted, 2);
    assert_int_equal(f.decoded.counts.rejected, 1);
    assert_int_equal(f.decoded.reject_count, 1);
    assert_string_equal(f.decoded.rejects[0].reason, "missing_primary_key");
    assert_true(str_equal(f.decoded.rejects[0].record, STR("{\"id\":null,\"v\":\"who am I\"}")));
    assert_int_equal(f.decoded.batches[0]->operations[0], ROW_DELETE);
    assert_int_equal(batch_row(f.decoded.batches[0], 0)[1].kind, VALUE_MISSING);
    tear_down(&f);
}

static void test_pages_that_are_not_whole_end_the_sync(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 7; wrong++) {
        struct fixture f;
        const enum type types[] = {TYPE_INTEGER, TYPE_STRING};
        set_up(&f, TWO, types, 2);
        add_number(&f, wrong == 0 ? (enum value_kind)200 : VALUE_INTEGER, 1);
        add_text(&f, VALUE_STRING, STR("text"));
        struct native_value *last = (struct native_value *)(void *)(f.values.data + sizeof *last);
        if (wrong == 1) last->size = 5;
        if (wrong == 2) last->i = -1;
        if (wrong == 3) last->i = INT64_MAX;
        if (wrong == 4) f.values.size -= sizeof *last;
        if (wrong == 5) add_number(&f, VALUE_INTEGER, 1);
        end_row(&f, wrong == 6 ? (enum row_operation)9 : ROW_UPSERT, 0);
        assert_int_equal(decode(&f), ERR_CONNECTOR);
        tear_down(&f);
    }
    struct fixture f;
    const enum type types[] = {TYPE_INTEGER};
    set_up(&f, TWO, types, 1);
    add_number(&f, VALUE_INTEGER, 1);
    end_row(&f, ROW_UPSERT, 3);
    assert_int_equal(decode(&f), ERR_CONNECTOR);
    tear_down(&f);
}

UNIT_TESTS(cmocka_unit_test(test_values_fit_or_are_read_as_their_text),
           cmocka_unit_test(test_what_does_not_fit_is_null_and_counted),
           cmocka_unit_test(test_a_reject_shows_the_value_as_it_came), cmocka_unit_test(test_texts_are_repaired),
           cmocka_unit_test(test_a_row_without_its_key_is_rejected),
           cmocka_unit_test(test_pages_that_are_not_whole_end_the_sync))
