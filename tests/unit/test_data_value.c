/* value: names, texts and order of typed values. */
#include "unit.h"

#include "base/buf.h"
#include "data/value.h"

static struct value text_value(enum value_kind kind, const char *text)
{
    return (struct value){.kind = (uint8_t)kind, .size = (uint32_t)strlen(text), .data = text};
}

static struct value int_value(enum value_kind kind, int64_t i)
{
    return (struct value){.kind = (uint8_t)kind, .i = i};
}

static struct value float_value(double f)
{
    return (struct value){.kind = VALUE_FLOAT, .f = f};
}

static void test_type_names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < TYPE_COUNT; i++) {
        enum type type = TYPE_COUNT;
        assert_true(type_from_name(str_from(type_name((enum type)i)), &type));
        assert_int_equal(type, i);
    }
    enum type type;
    assert_false(type_from_name(STR("varchar"), &type));
    assert_false(type_from_name(STR(""), &type));
    assert_string_equal(type_name(TYPE_TIMESTAMP_NTZ), "timestamp_ntz");
}

static void check(struct value value, enum type type, const char *text, const char *json)
{
    struct buf out = BUF_INIT(1024);
    value_to_text(&value, type, &out);
    assert_string_equal(buf_text(&out), text);
    buf_clear(&out);
    value_to_json(&value, type, &out);
    assert_string_equal(buf_text(&out), json);
    buf_release(&out);
}

static void test_writes_text_and_json(void **state)
{
    (void)state;
    check(int_value(VALUE_NULL, 0), TYPE_STRING, "", "null");
    check(int_value(VALUE_MISSING, 0), TYPE_STRING, "", "null");
    check(int_value(VALUE_BOOLEAN, 1), TYPE_BOOLEAN, "true", "true");
    check(int_value(VALUE_BOOLEAN, 0), TYPE_BOOLEAN, "false", "false");
    check(int_value(VALUE_INTEGER, INT64_MIN), TYPE_INTEGER, "-9223372036854775808", "-9223372036854775808");
    check(float_value(0.1), TYPE_FLOAT, "0.1", "0.1");
    check(text_value(VALUE_DECIMAL, "-12.50e3"), TYPE_DECIMAL, "-12.50e3", "-12.50e3");
    check(text_value(VALUE_STRING, "a\"b\n"), TYPE_STRING, "a\"b\n", "\"a\\\"b\\n\"");
    check(int_value(VALUE_DATE, 19737), TYPE_DATE, "2024-01-15", "\"2024-01-15\"");
    check(int_value(VALUE_TIMESTAMP, 1705312800000000), TYPE_TIMESTAMP, "2024-01-15T10:00:00Z", "\"2024-01-15T10:00:00Z\"");
    check(int_value(VALUE_TIMESTAMP, 1705312800500000), TYPE_TIMESTAMP_NTZ, "2024-01-15T10:00:00.500",
          "\"2024-01-15T10:00:00.500\"");
    check(text_value(VALUE_JSON, "{\"a\":1}"), TYPE_JSON, "{\"a\":1}", "{\"a\":1}");
    check(text_value(VALUE_BINARY, ""), TYPE_BINARY, "", "\"\"");
    check(text_value(VALUE_BINARY, "f"), TYPE_BINARY, "Zg==", "\"Zg==\"");
    check(text_value(VALUE_BINARY, "fo"), TYPE_BINARY, "Zm8=", "\"Zm8=\"");
    check(text_value(VALUE_BINARY, "foo"), TYPE_BINARY, "Zm9v", "\"Zm9v\"");
    check(text_value(VALUE_BINARY, "foobar"), TYPE_BINARY, "Zm9vYmFy", "\"Zm9vYmFy\"");
    check(text_value(VALUE_BINARY, "\xff\xfe\xfd"), TYPE_BINARY, "//79", "\"//79\"");
}

static void check_order(struct value low, struct value high, enum type type)
{
    assert_int_equal(value_compare(&low, &high, type), -1);
    assert_int_equal(value_compare(&high, &low, type), 1);
    assert_int_equal(value_compare(&low, &low, type), 0);
    assert_int_equal(value_compare(&high, &high, type), 0);
}

static void test_orders_values(void **state)
{
    (void)state;
    check_order(int_value(VALUE_INTEGER, INT64_MIN), int_value(VALUE_INTEGER, INT64_MAX), TYPE_INTEGER);
    check_order(int_value(VALUE_DATE, -1), int_value(VALUE_DATE, 1), TYPE_DATE);
    check_order(int_value(VALUE_TIMESTAMP, 1), int_value(VALUE_TIMESTAMP, 2), TYPE_TIMESTAMP);
    check_order(int_value(VALUE_BOOLEAN, 0), int_value(VALUE_BOOLEAN, 1), TYPE_BOOLEAN);
    check_order(float_value(-0.5), float_value(0.25), TYPE_FLOAT);
    check_order(text_value(VALUE_DECIMAL, "9007199254740992"), text_value(VALUE_DECIMAL, "9007199254740993"), TYPE_DECIMAL);
    check_order(text_value(VALUE_DECIMAL, "9"), text_value(VALUE_DECIMAL, "1e1"), TYPE_DECIMAL);
    check_order(text_value(VALUE_STRING, "a"), text_value(VALUE_STRING, "ab"), TYPE_STRING);
    check_order(text_value(VALUE_STRING, "z"), text_value(VALUE_STRING, "\xc3\xa5"), TYPE_STRING);
    check_order(int_value(VALUE_NULL, 0), int_value(VALUE_INTEGER, INT64_MIN), TYPE_INTEGER);
    check_order(int_value(VALUE_MISSING, 0), text_value(VALUE_STRING, ""), TYPE_STRING);
    struct value a = text_value(VALUE_DECIMAL, "1.5"), b = text_value(VALUE_DECIMAL, "1.50");
    assert_int_equal(value_compare(&a, &b, TYPE_DECIMAL), 0);
    a = int_value(VALUE_NULL, 0), b = int_value(VALUE_MISSING, 0);
    assert_int_equal(value_compare(&a, &b, TYPE_STRING), 0);
}

UNIT_TESTS(cmocka_unit_test(test_type_names_go_both_ways), cmocka_unit_test(test_writes_text_and_json),
           cmocka_unit_test(test_orders_values))
