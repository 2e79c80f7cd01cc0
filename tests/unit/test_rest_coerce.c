/* coerce: what fits which type, what does not, and what becomes of it. */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "rest/coerce.h"

struct reading {
    bool fits;
    struct value value;
    uint64_t repaired;
    char text[512]; /* the value as text */
};

static struct reading read_with(struct coerce_rule rule, const char *json, size_t size)
{
    struct reading reading = {.fits = false};
    struct arena arena = ARENA_INIT(0);
    struct jsonscan scan;
    struct json_value value;
    char *text = mem_zero(size + JSONSCAN_PADDING, 1);
    memcpy(text, json, size);
    jsonscan_init(&scan, text, size);
    assert_true(jsonscan_value(&scan, &value) && jsonscan_finish(&scan));
    reading.fits = coerce_value(&rule, &value, &arena, &reading.repaired, &reading.value);
    if (!reading.fits) assert_int_equal(reading.value.kind, VALUE_NULL);
    struct buf out = BUF_INIT(sizeof reading.text - 1);
    value_to_text(&reading.value, rule.type, &out);
    memcpy(reading.text, buf_text(&out), out.size + 1);
    buf_release(&out);
    arena_release(&arena);
    free(text);
    return reading;
}

static struct coerce_rule declared(enum type type)
{
    return (struct coerce_rule){.type = type};
}

static struct coerce_rule inferred(enum type type)
{
    return (struct coerce_rule){.type = type, .strict = true};
}

static void fits(struct coerce_rule rule, const char *json, enum value_kind kind, const char *text)
{
    struct reading reading = read_with(rule, json, strlen(json));
    if (!reading.fits) fail_msg("%s does not fit %s", json, type_name(rule.type));
    assert_int_equal(reading.value.kind, kind);
    assert_string_equal(reading.text, text);
    assert_int_equal(reading.repaired, 0);
}

static void misfits(struct coerce_rule rule, const char *json)
{
    if (read_with(rule, json, strlen(json)).fits) fail_msg("%s fits %s", json, type_name(rule.type));
}

static void test_null_and_the_empty_string(void **state)
{
    (void)state;
    for (int type = 0; type < TYPE_COUNT; type++) {
        fits(declared((enum type)type), "null", VALUE_NULL, "");
        fits(inferred((enum type)type), "null", VALUE_NULL, "");
        if (type == TYPE_STRING)
            fits(declared((enum type)type), "\"\"", VALUE_STRING, "");
        else if (type == TYPE_JSON)
            fits(declared((enum type)type), "\"\"", VALUE_JSON, "\"\"");
        else
            fits(declared((enum type)type), "\"\"", VALUE_NULL, "");
    }
}

static void test_string_takes_anything(void **state)
{
    (void)state;
    fits(declared(TYPE_STRING), "\"a\\nb\"", VALUE_STRING, "a\nb");
    fits(declared(TYPE_STRING), "1.50", VALUE_STRING, "1.50");
    fits(declared(TYPE_STRING), "true", VALUE_STRING, "true");
    fits(declared(TYPE_STRING), "{\"a\": [1]}", VALUE_STRING, "{\"a\": [1]}");
    struct reading reading = read_with(declared(TYPE_STRING), "\"x\0\\ud800\"", 10);
    assert_true(reading.fits);
    assert_int_equal(reading.repaired, 2);
    assert_string_equal(reading.text, "x\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_integer(void **state)
{
    (void)state;
    struct coerce_rule rule = declared(TYPE_INTEGER);
    static const char *const GOOD[][2] = {{"0", "0"},
                                          {"-0", "0"},
                                          {"1.0", "1"},
                                          {"1e3", "1000"},
                                          {"\"42\"", "42"},
                                          {"\"-7\"", "-7"},
                                          {"9007199254740993", "9007199254740993"},
                                          {"9223372036854775807", "9223372036854775807"},
                                          {"-9223372036854775808", "-9223372036854775808"}};
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) fits(rule, GOOD[i][0], VALUE_INTEGER, GOOD[i][1]);
    static const char *const BAD[] = {"9223372036854775808",
                                      "-9223372036854775809",
                                      "1.5",
                                      "1e-1",
                                      "1e19",
                                      "true",
                                      "\"abc\"",
                                      "\"1x\"",
                                      "\" 1\"",
                                      "\"+1\"",
                                      "\"0x10\"",
                                      "[1]",
                                      "{}",
                                      "1e400000",
                                      "\"1.5\""};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) misfits(rule, BAD[i]);
}

static void test_decimal_keeps_the_exact_text(void **state)
{
    (void)state;
    struct coerce_rule rule = declared(TYPE_DECIMAL);
    static const char *const GOOD[] = {"0",        "-0.0",    "19.90", "1e3", "123456789012345678901234567890.123456789",
                                       "1e131071", "1e-16383"};
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) fits(rule, GOOD[i], VALUE_DECIMAL, GOOD[i]);
    fits(rule, "\"19.90\"", VALUE_DECIMAL, "19.90");
    static const char *const BAD[] = {"1e400000", "1e131072", "1e-16384", "\"1e400000\"", "\"NaN\"",
                                      "\"1,50\"", "\"$5\"",   "true",     "[]",           "\".5\""};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) misfits(rule, BAD[i]);
}

static void test_float_and_boolean(void **state)
{
    (void)state;
    fits(declared(TYPE_FLOAT), "0.1", VALUE_FLOAT, "0.1");
    fits(declared(TYPE_FLOAT), "\"2.5\"", VALUE_FLOAT, "2.5");
    misfits(declared(TYPE_FLOAT), "1e400");
    misfits(declared(TYPE_FLOAT), "\"Infinity\"");
    misfits(declared(TYPE_FLOAT), "false");
    static const char *const TRUE[] = {"true", "\"true\"", "\"TRUE\"", "1", "1.0", "\"1\""};
    static const char *const FALSE[] = {"false", "\"false\"", "0", "-0", "\"0\""};
    for (size_t i = 0; i < ARRAY_SIZE(TRUE); i++) fits(declared(TYPE_BOOLEAN), TRUE[i], VALUE_BOOLEAN, "true");
    for (size_t i = 0; i < ARRAY_SIZE(FALSE); i++) fits(declared(TYPE_BOOLEAN), FALSE[i], VALUE_BOOLEAN, "false");
    static const char *const BAD[] = {"2", "\"yes\"", "\"t\"", "[]", "0.5"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) misfits(declared(TYPE_BOOLEAN), BAD[i]);
}

static void test_timestamps(void **state)
{
    (void)state;
    struct coerce_rule rule = declared(TYPE_TIMESTAMP);
    fits(rule, "\"2024-01-15T10:00:00Z\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00Z");
    fits(rule, "\"2024-01-15T10:00:00+02:00\"", VALUE_TIMESTAMP, "2024-01-15T08:00:00Z");
    fits(rule, "\"2024-01-15 10:00:00.25\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00.250Z");
    rule.zone_seconds = 3600;
    fits(rule, "\"2024-01-15T10:00:00\"", VALUE_TIMESTAMP, "2024-01-15T09:00:00Z");
    fits(rule, "\"2024-01-15T10:00:00Z\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00Z"); /* its own zone counts */
    static const char *const BAD[] = {"\"yesterday\"",
                                      "\"now\"",
                                      "\"infinity\"",
                                      "1705312800",
                                      "true",
                                      "\"2024-13-01T00:00:00Z\"",
                                      "\"0000-01-01T00:00:00Z\"",
                                      "{}"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) misfits(rule, BAD[i]);

    struct coerce_rule bare = declared(TYPE_TIMESTAMP_NTZ);
    fits(bare, "\"2024-01-15T10:00:00\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00");
    fits(bare, "\"2024-01-15T10:00:00Z\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00");
    fits(bare, "\"2024-01-15T10:00:00+02:00\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00");
    fits(bare, "\"2024-01-15T10:00:00-0530\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00");
}

static void test_formats(void **state)
{
    (void)state;
    struct coerce_rule rule = {.type = TYPE_TIMESTAMP, .format = "epoch_ms"};
    fits(rule, "1705312800500", VALUE_TIMESTAMP, "2024-01-15T10:00:00.500Z");
    fits(rule, "\"1705312800500\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00.500Z");
    fits(rule, "\"2024-01-15T10:00:00Z\"", VALUE_TIMESTAMP, "2024-01-15T10:00:00Z"); /* ISO is never mistaken for it */
    misfits(rule, "\"soon\"");
    misfits(rule, "true");
    rule.type = TYPE_DATE;
    fits(rule, "1705312800500", VALUE_DATE, "2024-01-15");
    fits(rule, "-1", VALUE_DATE, "1969-12-31");
    rule.format = NULL;
    fits(rule, "\"2024-01-15\"", VALUE_DATE, "2024-01-15");
    fits(rule, "\"2024-01-15T23:59:59Z\"", VALUE_DATE, "2024-01-15");
    misfits(rule, "\"2024-02-30\"");
    misfits(rule, "20240115");
}

static void test_json_and_binary(void **state)
{
    (void)state;
    fits(declared(TYPE_JSON), "{\"a\":1}", VALUE_JSON, "{\"a\":1}");
    fits(declared(TYPE_JSON), "\"a\\n\"", VALUE_JSON, "\"a\\n\"");
    fits(declared(TYPE_JSON), "1.50", VALUE_JSON, "1.50");
    fits(declared(TYPE_JSON), "false", VALUE_JSON, "false");
    struct reading reading = read_with(declared(TYPE_JSON), "[\"\\u0000\",1e400000]", 19);
    assert_string_equal(reading.text, "[\"\xef\xbf\xbd\",\"1e400000\"]");
    assert_int_equal(reading.repaired, 2);
    fits(declared(TYPE_BINARY), "\"Zm9v\"", VALUE_BINARY, "Zm9v");
    fits(declared(TYPE_BINARY), "\"\\u005am8=\"", VALUE_BINARY, "Zm8=");
    misfits(declared(TYPE_BINARY), "\"Zm9\"");
    misfits(declared(TYPE_BINARY), "\"not base64!\"");
    misfits(declared(TYPE_BINARY), "12");
}

static void test_inferred_types_are_strict(void **state)
{
    (void)state;
    fits(inferred(TYPE_STRING), "\"a\"", VALUE_STRING, "a");
    misfits(inferred(TYPE_STRING), "1");
    misfits(inferred(TYPE_STRING), "[]");
    fits(inferred(TYPE_DECIMAL), "1.5", VALUE_DECIMAL, "1.5");
    fits(inferred(TYPE_DECIMAL), "\"\"", VALUE_NULL, "");
    misfits(inferred(TYPE_DECIMAL), "\"1.5\"");
    misfits(inferred(TYPE_DECIMAL), "true");
    fits(inferred(TYPE_BOOLEAN), "true", VALUE_BOOLEAN, "true");
    misfits(inferred(TYPE_BOOLEAN), "1");
    misfits(inferred(TYPE_BOOLEAN), "\"true\"");
    fits(inferred(TYPE_JSON), "\"text\"", VALUE_JSON, "\"text\"");
    fits(inferred(TYPE_TIMESTAMP), "\"2024-01-15T10:00:00Z\"", VALUE_TIMESTAMP,
         "2024-01-15T10:00:00Z"); /* remembered by the target */
}

static void test_infers_from_the_kind(void **state)
{
    (void)state;
    static const enum type EXPECTED[] = {[JSON_FALSE] = TYPE_BOOLEAN, [JSON_TRUE] = TYPE_BOOLEAN, [JSON_NUMBER] = TYPE_DECIMAL,
                                         [JSON_STRING] = TYPE_STRING, [JSON_ARRAY] = TYPE_JSON,   [JSON_OBJECT] = TYPE_JSON};
    for (uint8_t kind = JSON_FALSE; kind <= JSON_OBJECT; kind++) {
        struct json_value value = {.kind = kind};
        assert_int_equal(coerce_infer(&value), EXPECTED[kind]);
        assert_string_not_equal(json_kind_name(kind), "nothing");
    }
    assert_string_equal(json_kind_name(99), "nothing");
}

static void test_rule_follows_the_column(void **state)
{
    (void)state;
    struct column column = {.name = "t", .type = TYPE_TIMESTAMP, .declared = true, .zone = STR("-05:30")};
    struct coerce_rule rule = coerce_rule_for(&column, "epoch");
    assert_int_equal(rule.zone_seconds, -(5 * 3600 + 30 * 60));
    assert_string_equal(rule.format, "epoch");
    assert_false(rule.strict);
    column.format = "date"; /* its own comes first */
    assert_string_equal(coerce_rule_for(&column, "epoch").format, "date");
    column.format = NULL;
    column.declared = false;
    column.zone = STR("nonsense");
    rule = coerce_rule_for(&column, NULL);
    assert_true(rule.strict);
    assert_int_equal(rule.zone_seconds, 0);
}

UNIT_TESTS(cmocka_unit_test(test_null_and_the_empty_string), cmocka_unit_test(test_string_takes_anything),
           cmocka_unit_test(test_integer), cmocka_unit_test(test_decimal_keeps_the_exact_text),
           cmocka_unit_test(test_float_and_boolean), cmocka_unit_test(test_timestamps), cmocka_unit_test(test_formats),
           cmocka_unit_test(test_json_and_binary), cmocka_unit_test(test_inferred_types_are_strict),
           cmocka_unit_test(test_infers_from_the_kind), cmocka_unit_test(test_rule_follows_the_column))
