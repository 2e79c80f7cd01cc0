/* json: strict parsing, lookups that chain, and printing that is the same each time. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonscan.h"

static struct cJSON *parse(const char *text)
{
    struct err err = ERR_INIT;
    struct cJSON *json = NULL;
    if (json_parse(str_from(text), 1 << 20, &json, &err) != 0) fail_msg("%s: %s", text, err.message);
    return json;
}

static void assert_refused(struct str text)
{
    struct err err = ERR_INIT;
    struct cJSON *json = NULL;
    int rc = json_parse(text, 1 << 20, &json, &err);
    if (rc == 0) {
        json_free(json);
        fail_msg("'" STR_FMT "' was accepted", STR_ARG(text));
    }
    assert_int_equal(rc, ERR_DATA);
    assert_null(json);
    assert_non_null(strstr(err.message, " at byte "));
}

static void test_refuses_what_the_rfc_refuses(void **state)
{
    (void)state;
    static const struct str BAD[] = {
        {"", 0},
        {" ", 1},
        {"{", 1},
        {"[1,", 3},
        {"[1,]", 4},
        {"[,1]", 4},
        {"{\"a\":1,}", 8},
        {"{\"a\"}", 5},
        {"{a:1}", 5},
        {"{'a':1}", 7},
        {"1 2", 3},
        {"{} x", 4},
        {"[]]", 3},
        {"-", 1},
        {"01", 2},
        {"+1", 2},
        {".5", 2},
        {"5.", 2},
        {"1e", 2},
        {"0x10", 4},
        {"NaN", 3},
        {"Infinity", 8},
        {"-Infinity", 9},
        {"nul", 3},
        {"nulll", 5},
        {"True", 4},
        {"tru", 3},
        {"\"a", 2},
        {"\"\\x\"", 4},
        {"\"\\u12\"", 6},
        {"\"\\u12G4\"", 8},
        {"\"a\nb\"", 5},
        {"\"a\tb\"", 5},
        {"\"\x1f\"", 3},
        {"[1}", 3},
        {"{\"a\":1]", 7},
        {"[1 2]", 5},
        {"{\"a\" 1}", 7},
        {"{1:2}", 5},
        {"// c\n1", 6},
        {"/**/1", 5},
        {"\xa0"
         "1",
         2},
        {"[1]\0", 4},
        {"1\v", 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) assert_refused(BAD[i]);
}

static void test_refuses_text_that_a_c_string_cannot_hold(void **state)
{
    (void)state;
    assert_refused(STR("\"a\0b\""));
    assert_refused(STR("\"a\\u0000b\""));
    assert_refused(STR("{\"k\\u0000\":1}"));
    assert_refused(STR("\"\xff\""));
    assert_refused(STR("\"\xc0\xaf\""));
    assert_refused(STR("\"\xed\xa0\x80\""));
    assert_refused(STR("[1,\"\\ud800\"]"));
    assert_refused(STR("\"\\udc00\\ud800\""));
    assert_refused(STR("{\"\xff\":1}"));
}

static void test_refuses_numbers_past_a_double(void **state)
{
    (void)state;
    assert_refused(STR("1e400"));
    assert_refused(STR("[-1e99999999999999999999]"));
}

static void test_names_the_byte_of_the_mistake(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cJSON *json = NULL;
    assert_int_equal(json_parse(STR("{\"a\": 1, \"b\": 1e999}"), 1000, &json, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "at byte 14"));
    assert_int_equal(json_parse(STR("[1, 2, x]"), 1000, &json, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "at byte 7"));
}

static void test_refuses_more_bytes_than_allowed(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cJSON *json = NULL;
    assert_int_equal(json_parse(STR("[1,2]"), 4, &json, &err), ERR_DATA);
    assert_int_equal(json_parse(STR("[1,2]"), 5, &json, &err), 0);
    json_free(json);
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    char text[4 * JSONSCAN_MAX_DEPTH];
    for (size_t depth = JSONSCAN_MAX_DEPTH; depth <= JSONSCAN_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct err err = ERR_INIT;
        struct cJSON *json = NULL;
        int rc = json_parse((struct str){text, 2 * depth}, sizeof text, &json, &err);
        assert_int_equal(rc, depth > JSONSCAN_MAX_DEPTH ? ERR_DATA : 0);
        json_free(json);
    }
    memset(text, '[', sizeof text);
    assert_refused((struct str){text, sizeof text});
}

static void test_lookups_chain_through_what_is_not_there(void **state)
{
    (void)state;
    struct cJSON *json = parse("{\"error\":{\"details\":[{\"reason\":\"quota\"}],\"code\":429},\"Error\":1}");
    assert_string_equal(json_string(json_path(json, "error.details.0.reason")), "quota");
    assert_null(json_path(json, "error.details.1.reason"));
    assert_null(json_path(json, "error.details.-1"));
    assert_null(json_path(json, "error.details.x"));
    assert_null(json_path(json, "error.code.deeper"));
    assert_null(json_path(json, "ERROR"));
    assert_ptr_equal(json_path(json, ""), json);
    assert_ptr_equal(json_path(json, "$"), json);
    assert_null(json_get(NULL, "a"));
    assert_null(json_get(json_get(json, "no"), "no"));
    assert_null(json_path(NULL, "a.b"));
    assert_null(json_string(json_get(json, "error")));
    assert_null(json_string(NULL));
    assert_false(json_is_object(NULL));
    assert_false(json_is_array(NULL));
    assert_null(json_first(NULL));
    assert_null(json_first(json_path(json, "error.code")));
    assert_null(json_next(NULL));
    assert_null(json_key(NULL));
    json_free(json);
    json_free(NULL);
}

static void test_numbers_may_come_as_strings(void **state)
{
    (void)state;
    struct cJSON *json = parse("{\"a\":3600,\"b\":\"3600\",\"c\":\"1.5e3\",\"d\":\"soon\",\"e\":true,\"f\":\" 1\"}");
    double value = 0;
    assert_true(json_number(json_get(json, "a"), &value) && value == 3600);
    assert_true(json_number(json_get(json, "b"), &value) && value == 3600);
    assert_true(json_number(json_get(json, "c"), &value) && value == 1500);
    assert_false(json_number(json_get(json, "d"), &value));
    assert_false(json_number(json_get(json, "e"), &value));
    assert_false(json_number(json_get(json, "f"), &value));
    assert_false(json_number(NULL, &value));
    json_free(json);
}

static void test_strings_are_unescaped(void **state)
{
    (void)state;
    struct cJSON *json = parse("[\"\\u20ac \\ud83d\\ude00 \\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\"]");
    assert_string_equal(json_string(json_first(json)), "\xe2\x82\xac \xf0\x9f\x98\x80 \"\\/\b\f\n\r\t");
    assert_string_equal(json_string(json_next(json_first(json))), "");
    json_free(json);
}

static void test_iteration_keeps_the_order(void **state)
{
    (void)state;
    struct cJSON *json = parse("{\"z\":1,\"a\":2,\"m\":3}");
    char keys[8] = "";
    for (const struct cJSON *item = json_first(json); item; item = json_next(item)) strncat(keys, json_key(item), 1);
    assert_string_equal(keys, "zam");
    json_free(json);
}

static void assert_printed(const char *text, const char *expected)
{
    struct cJSON *json = parse(text);
    struct buf out = BUF_INIT(1 << 20);
    json_print(json, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
    json_free(json);
}

static void test_printing_sorts_keys_at_every_level(void **state)
{
    (void)state;
    assert_printed(" { \"b\" : [ { \"z\" : 1 , \"y\" : { \"d\":null, \"c\":true } } ] , \"a\" : \"x\\n\" , \"B\": false } ",
                   "{\"B\":false,\"a\":\"x\\n\",\"b\":[{\"y\":{\"c\":true,\"d\":null},\"z\":1}]}");
    assert_printed("[]", "[]");
    assert_printed("{}", "{}");
    assert_printed("\"\xe2\x82\xac\"", "\"\xe2\x82\xac\"");
    assert_printed("{\"\xc3\xa4\":1,\"z\":2,\"\":3}", "{\"\":3,\"z\":2,\"\xc3\xa4\":1}");
    assert_printed("[0, -0, 1.5, 100, 1e300, 0.1, 123456789]", "[0,-0,1.5,100,1e+300,0.1,123456789]");
}

static void test_of_a_repeated_key_the_last_one_counts(void **state)
{
    (void)state;
    struct cJSON *json = parse("{\"a\":1,\"b\":0,\"a\":2}");
    double value = 0;
    assert_true(json_number(json_get(json, "a"), &value) && value == 2);
    assert_true(json_number(json_path(json, "a"), &value) && value == 2);
    json_free(json);
    assert_printed("{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":2,\"b\":0}");
}

static void test_what_is_printed_is_read_back(void **state)
{
    (void)state;
    const char *text = "{\"a\":[1,2.5,\"x\\\"\\u007f\",[[]],{}],\"b\":{\"c\":null}}";
    assert_printed(text, text);
}

static void test_the_writer_puts_the_commas(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    struct json_writer w = JSON_WRITER(&out);
    json_open(&w, '{');
    json_member(&w, "rows");
    json_int(&w, INT64_MIN);
    json_member(&w, "a\"b");
    json_open(&w, '[');
    json_close(&w, ']');
    json_member(&w, "list");
    json_open(&w, '[');
    json_text(&w, STR("x\n"));
    json_cstr(&w, NULL);
    json_open(&w, '{');
    json_close(&w, '}');
    json_bool(&w, true);
    json_bool(&w, false);
    json_raw(&w, STR("1.50"));
    json_close(&w, ']');
    json_member(&w, "last");
    json_cstr(&w, "y");
    json_close(&w, '}');
    assert_string_equal(buf_text(&out), "{\"rows\":-9223372036854775808,\"a\\\"b\":[],"
                                        "\"list\":[\"x\\n\",null,{},true,false,1.50],\"last\":\"y\"}");
    buf_release(&out);
}

UNIT_TESTS(cmocka_unit_test(test_refuses_what_the_rfc_refuses), cmocka_unit_test(test_refuses_text_that_a_c_string_cannot_hold),
           cmocka_unit_test(test_refuses_numbers_past_a_double), cmocka_unit_test(test_names_the_byte_of_the_mistake),
           cmocka_unit_test(test_refuses_more_bytes_than_allowed), cmocka_unit_test(test_depth_is_limited),
           cmocka_unit_test(test_lookups_chain_through_what_is_not_there), cmocka_unit_test(test_numbers_may_come_as_strings),
           cmocka_unit_test(test_strings_are_unescaped), cmocka_unit_test(test_iteration_keeps_the_order),
           cmocka_unit_test(test_printing_sorts_keys_at_every_level),
           cmocka_unit_test(test_of_a_repeated_key_the_last_one_counts), cmocka_unit_test(test_what_is_printed_is_read_back),
           cmocka_unit_test(test_the_writer_puts_the_commas))
