/* plugins/kafka: what is JSON, what is in it and what is text, which columns a schema gives, which topics are wanted, when a
 * sync starts, how far a partition has been read.
 */
#include "kafka/errors.h"
#include "kafka/json.h"
#include "kafka/names.h"
#include "kafka/offsets.h"
#include "kafka/schema.h"
#include "kafka/settings.h"
#include "kafka/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void json_that_is_right_has_no_flaw(void **state)
{
    static const char *const RIGHT[] = {
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0.5e+10",
        "1E5",
        "\"\"",
        "true",
        "null",
        "[1,2,[3]]",
        "{\"a\":{}}",
        "{\"a\" : [ {} , null ] , \"b\":\"\\u00e9\\n\"}",
        "\"caf\xc3\xa9\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\x7f\"",
        "[\r\n\t1]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(RIGHT); i++)
        if (json_flaw(RIGHT[i], strlen(RIGHT[i]))) fail_msg("%s: %s", RIGHT[i], json_flaw(RIGHT[i], strlen(RIGHT[i])));
}

static void json_that_is_wrong_has_one(void **state)
{
    static const char *const WRONG[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[}",
        "{]",
        "{}}",
        "[] []",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "0x1",
        "NaN",
        "tru",
        "trues",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "'a'",
        "\"a\"b",
        "\xef\xbb\xbf{}",
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
        "\xff",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(WRONG); i++)
        if (!json_flaw(WRONG[i], strlen(WRONG[i]))) fail_msg("taken for JSON: %s", WRONG[i]);
    assert_non_null(json_flaw("{}\0", 3));
    assert_non_null(json_flaw("\"a\0b\"", 5));
}

/* Every beginning of a text ends too soon: nothing is read behind its size. */
static void json_is_not_read_behind_its_end(void **state)
{
    static const char TEXT[] = "{\"a\":[1.5e+3,true,false,null,\"\\u00e9\\\\\xc3\xa9\"],\"b\":{}}";
    char copy[sizeof TEXT];
    (void)state;
    for (size_t size = 0; size < sizeof TEXT - 1; size++) {
        memset(copy, '}', sizeof copy);
        memcpy(copy, TEXT, size);
        if (!json_flaw(copy, size)) fail_msg("taken for JSON: %.*s", (int)size, TEXT);
    }
    assert_null(json_flaw(TEXT, sizeof TEXT - 1));
}

static void json_is_nested_so_deep_and_no_deeper(void **state)
{
    char text[2 * (JSON_MAX_DEPTH + 1)];
    (void)state;
    for (size_t depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(json_flaw(text, 2 * depth) == NULL, depth == JSON_MAX_DEPTH);
    }
}

static void members_are_found_in_an_object(void **state)
{
    static const char TEXT[] = " { \"a\" : {\"b\":[1,{}]} ,\"\\u0062\":\"x,}\" , \"\":-1e5,\"c\":null } ";
    static const struct {
        const char *name, *value;
    } MEMBERS[] = {{"a", "{\"b\":[1,{}]}"}, {"\\u0062", "\"x,}\""}, {"", "-1e5"}, {"c", "null"}};
    static const char *const NO_MEMBERS[] = {"{}", " { } ", "[]", "[{\"a\":1}]", "\"{\"", "1", "null"};
    struct json_member member;
    size_t at = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(MEMBERS); i++) {
        assert_true(json_next(TEXT, strlen(TEXT), &at, &member));
        assert_int_equal(member.name_size, strlen(MEMBERS[i].name));
        assert_memory_equal(member.name, MEMBERS[i].name, member.name_size);
        assert_int_equal(member.value_size, strlen(MEMBERS[i].value));
        assert_memory_equal(member.value, MEMBERS[i].value, member.value_size);
    }
    assert_false(json_next(TEXT, strlen(TEXT), &at, &member));
    for (size_t i = 0; i < COUNT(NO_MEMBERS); i++)
        if (at = 0, json_next(NO_MEMBERS[i], strlen(NO_MEMBERS[i]), &at, &member)) fail_msg("%s", NO_MEMBERS[i]);
}

static void strings_lose_their_escapes(void **state)
{
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"", ""},
        {"plain", "plain"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac"},
        {"\\ud83d\\ude00!", "\xf0\x9f\x98\x80!"},
        {"\\ud83d", "\xef\xbf\xbd"},
        {"\\ud83dx", "\xef\xbf\xbdx"},
        {"\\ude00\\ud83d\\u0041", "\xef\xbf\xbd\xef\xbf\xbd"
                                  "A"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        size_t size = json_unescape(CASES[i].in, strlen(CASES[i].in), out);
        assert_int_equal(size, strlen(CASES[i].out));
        assert_memory_equal(out, CASES[i].out, size);
    }
    assert_int_equal(json_unescape("\\u0000", 6, out), 1);
    assert_int_equal(out[0], 0);
}

static void schemas_give_columns(void **state)
{
    static const struct {
        const char *property, *type;
    } CASES[] = {
        {"{\"type\": \"integer\"}", "integer"},
        {"{\"type\": [\"null\", \"number\"]}", "decimal"},
        {"{\"type\": [\"string\", \"null\"], \"format\": \"date-time\"}", "timestamp"},
        {"{\"type\": \"string\", \"format\": \"date\"}", "date"},
        {"{\"type\": \"string\", \"format\": \"uuid\"}", "string"},
        {"{\"type\": \"string\", \"contentEncoding\": \"base64\"}", "binary"},
        {"{\"type\": \"boolean\"}", "boolean"},
        {"{\"type\": \"object\"}", "json"},
        {"{\"type\": [\"string\", \"integer\"]}", "json"},
        {"{\"type\": \"null\"}", "json"},
        {"{\"type\": 7}", "json"},
        {"{}", "json"},
        {"true", "json"},
        {"[]", "json"},
        {"{\"oneOf\": [{\"type\": \"null\"}, {\"$ref\": \"#/$defs/a~1b\"}]}", "integer"},
        {"{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"integer\"}]}", "json"},
        {"{\"oneOf\": [{\"oneOf\": [{\"type\": \"boolean\"}]}]}", "boolean"},
        {"{\"$ref\": \"#/$defs/again\"}", "json"},
        {"{\"$ref\": \"#/$defs/gone\"}", "json"},
        {"{\"$ref\": \"other.json\"}", "json"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[500];
        struct schema schema;
        snprintf(text, sizeof text,
                 "{\"$defs\": {\"a/b\": {\"type\": \"integer\"}, \"again\": {\"$ref\": \"#/$defs/again\"}}, \"properties\": "
                 "{\"p\": %s}}",
                 CASES[i].property);
        assert_null(schema_read(&schema, text));
        assert_int_equal(schema.count, 1);
        if (strcmp(schema.columns[0].type, CASES[i].type) != 0) fail_msg("%s: %s", CASES[i].property, schema.columns[0].type);
        schema_release(&schema);
    }
}

static void schemas_are_put_together_and_may_give_nothing(void **state)
{
    static const char *const WITHOUT[] = {
        "true", "{}", "{\"properties\": 1}", "{\"type\": \"string\"}", "{\"allOf\": [1, {}]}", "{\"properties\": {\"\": {}}}"};
    static const char *const WRONG[] = {"", "{", "1", "\"\"", "[]", "{\"$ref\": \"#/a\"}", "{\"$ref\": \"#\"}"};
    struct schema schema;
    (void)state;
    assert_null(schema_read(&schema,
                            "{\"$ref\": \"#/a\", \"a\": {\"allOf\": [{\"$ref\": \"#/b\"}, {\"properties\": {\"x\": {\"type\": "
                            "\"string\"}, \"z\": {}}}], \"properties\": {\"x\": {\"type\": \"integer\"}}}, \"b\": "
                            "{\"properties\": {\"y\": {}}}}"));
    assert_int_equal(schema.count, 3);
    assert_string_equal(schema.columns[0].name, "x");
    assert_string_equal(schema.columns[0].type, "integer");
    assert_string_equal(schema.columns[1].name, "y");
    assert_string_equal(schema.columns[2].name, "z");
    schema_release(&schema);
    for (size_t i = 0; i < COUNT(WITHOUT); i++) {
        assert_null(schema_read(&schema, WITHOUT[i]));
        assert_int_equal(schema.count, 0);
        schema_release(&schema);
    }
    for (size_t i = 0; i < COUNT(WRONG); i++) {
        if (!schema_read(&schema, WRONG[i])) fail_msg("%s", WRONG[i]);
        schema_release(&schema);
    }
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("plain text that is longer than eight bytes", 42));
    assert_true(utf8_is_valid("0123456\xc3\xa9", 9));
    assert_false(utf8_is_valid("0123456\xc3", 8));
    assert_false(utf8_is_valid("01234567\xe9", 9));
    assert_false(utf8_is_valid("\xe0\x80\x80", 3));
}

static void texts_become_json(void **state)
{
    struct text text = {0};
    (void)state;
    text_json(&text, "a\"\\\n\xff\xc3\xa9", 7);
    assert_string_equal(text.data, "\"a\\\"\\\\\\u000a\xef\xbf\xbd\xc3\xa9\"");
    text_clear(&text);
    text_base64(&text, "", 0);
    text_base64(&text, "f", 1);
    text_puts(&text, " ");
    text_base64(&text, "fo", 2);
    text_puts(&text, " ");
    text_base64(&text, "foobar", 6);
    assert_string_equal(text.data, "Zg== Zm8= Zm9vYmFy"); /* RFC 4648, section 10 */
    text_release(&text);
}

static bool is_wanted(const char *list, const char *topic)
{
    struct names names;
    const char *flaw = names_init(&names, list);
    bool matches = !flaw && names_match(&names, topic);
    names_release(&names);
    return matches;
}

static void topics_are_wanted_by_name_pattern_and_regex(void **state)
{
    (void)state;
    assert_true(is_wanted("*", "orders"));
    assert_true(is_wanted("returns, orders", "orders"));
    assert_false(is_wanted("order", "orders"));
    assert_true(is_wanted("*.eu*.v*", "orders.eu.x.v2"));
    assert_false(is_wanted("*.eu", "orders.eux"));
    assert_false(is_wanted("*, !orders", "orders"));
    assert_true(is_wanted("!returns", "orders"));
    assert_true(is_wanted("^ord(er|inal)s$", "ordinals"));
    assert_false(is_wanted("^ord(er|inal)s$", "orders2"));
    assert_false(is_wanted("*", "__consumer_offsets"));
    assert_false(is_wanted("^.*", "__consumer_offsets"));
    assert_false(is_wanted("!orders", "__consumer_offsets"));
    assert_true(is_wanted("__consumer_offsets", "__consumer_offsets"));
}

static void lists_of_topics_that_say_nothing_are_refused(void **state)
{
    static const char *const WRONG[] = {"", " , ", "!", "^(", "a,^["};
    (void)state;
    for (size_t i = 0; i < COUNT(WRONG); i++) {
        struct names names;
        assert_non_null(names_init(&names, WRONG[i]));
        names_release(&names);
    }
    assert_true(name_is_valid("Orders.v-2_x"));
    assert_false(name_is_valid("or\"ders"));
    assert_false(name_is_valid(""));
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t milliseconds;
    } TIMES[] = {
        {"1970-01-01", 0},
        {"2024-02-29", 1709164800000},
        {"2024-01-31T10:00:00Z", 1706695200000},
        {"2024-01-31 10:00", 1706695200000},
        {"2024-01-31T10:00:00.25+02:00", 1706688000250},
        {"2024-01-31T10:00:00.123456789-0130", 1706700600123},
    };
    static const char *const WRONG[] = {"",
                                        "yesterday",
                                        "2024",
                                        "2024-13-01",
                                        "2023-02-29",
                                        "2024-01-32",
                                        "2024-01-31T",
                                        "2024-01-31T24:00",
                                        "2024-01-31T10",
                                        "2024-01-31T10:60",
                                        "1969-12-31",
                                        "2024-01-31T10:00Zx",
                                        "2024-01-31T10:00+99",
                                        "2024-01-31T10:00:00+"};
    int64_t milliseconds;
    (void)state;
    for (size_t i = 0; i < COUNT(TIMES); i++) {
        assert_true(settings_time(TIMES[i].text, &milliseconds));
        assert_int_equal(milliseconds, TIMES[i].milliseconds);
    }
    for (size_t i = 0; i < COUNT(WRONG); i++)
        if (settings_time(WRONG[i], &milliseconds)) fail_msg("taken for a time: %s", WRONG[i]);
}

static void state_goes_out_as_it_came_in(void **state)
{
    static const char STATE[] = "{\"orders\":{\"0\":12,\"2\":9007199254740991}}";
    struct offsets offsets;
    struct text text = {0};
    (void)state;
    offsets_init(&offsets, "orders");
    assert_null(offsets_read(&offsets, STATE));
    assert_true(offsets_grow(&offsets, 4));
    assert_int_equal(offsets.partitions[1].next, OFFSET_UNKNOWN);
    assert_int_equal(offsets.partitions[2].next, 9007199254740991);
    assert_false(offsets_grow(&offsets, 3));
    offsets_write(&offsets, &text);
    assert_string_equal(text.data, STATE);
    text_release(&text);
    offsets_release(&offsets);
}

static void state_of_something_else_is_refused(void **state)
{
    static const char *const WRONG[] = {"",
                                        "[]",
                                        "{\"returns\":{\"0\":1}}",
                                        "{\"orders\":[1]}",
                                        "{\"orders\":{\"x\":1}}",
                                        "{\"orders\":{\"\":1}}",
                                        "{\"orders\":{\"-1\":1}}",
                                        "{\"orders\":{\"99999999\":1}}",
                                        "{\"orders\":{\"0\":-1}}",
                                        "{\"orders\":{\"0\":\"1\"}}",
                                        "{\"orders\":{\"0\":1e30}}"};
    (void)state;
    for (size_t i = 0; i < COUNT(WRONG); i++) {
        struct offsets offsets;
        offsets_init(&offsets, "orders");
        assert_non_null(offsets_read(&offsets, WRONG[i]));
        offsets_release(&offsets);
    }
}

static void a_partition_begins_where_it_should(void **state)
{
    static const struct {
        enum start start;
        enum lost on_lost;
        bool is_new;
        int64_t next, at_time, begins, lost;
    } CASES[] = {
        {START_EARLIEST, LOST_FAIL, false, OFFSET_UNKNOWN, OFFSET_UNKNOWN, 100, 0},
        {START_LATEST, LOST_FAIL, false, OFFSET_UNKNOWN, OFFSET_UNKNOWN, 200, 0},
        {START_TIME, LOST_FAIL, false, OFFSET_UNKNOWN, 150, 150, 0},
        {START_TIME, LOST_FAIL, false, OFFSET_UNKNOWN, OFFSET_UNKNOWN, 200, 0}, /* nothing is that young */
        {START_LATEST, LOST_FAIL, true, OFFSET_UNKNOWN, OFFSET_UNKNOWN, 100,
         0}, /* what came after the first sync is all read */
        {START_LATEST, LOST_FAIL, false, 100, OFFSET_UNKNOWN, 100, 0},
        {START_LATEST, LOST_FAIL, false, 200, OFFSET_UNKNOWN, 200, 0},
        {START_EARLIEST, LOST_FAIL, false, 90, OFFSET_UNKNOWN, 90, 10},
        {START_EARLIEST, LOST_EARLIEST, false, 90, OFFSET_UNKNOWN, 100, 10},
        {START_EARLIEST, LOST_LATEST, false, 90, OFFSET_UNKNOWN, 200, 10},
        {START_EARLIEST, LOST_FAIL, false, 201, OFFSET_UNKNOWN, 201, -1},
        {START_EARLIEST, LOST_EARLIEST, false, 201, OFFSET_UNKNOWN, 100, -1},
        {START_EARLIEST, LOST_LATEST, false, 201, OFFSET_UNKNOWN, 200, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct settings settings = {.start = CASES[i].start, .on_lost_offsets = CASES[i].on_lost};
        struct partition partition = {.next = CASES[i].next, .low = 100, .high = 200, .at_time = CASES[i].at_time};
        assert_int_equal(offsets_begin(&partition, &settings, CASES[i].is_new), CASES[i].lost);
        assert_int_equal(partition.next, CASES[i].begins);
        assert_int_equal(partition.target, 200);
        assert_int_equal(partition.is_done, partition.next >= 200);
    }
}

static void codes_have_a_meaning(void **state)
{
    (void)state;
    assert_int_equal(error_meaning(RD_KAFKA_RESP_ERR__AUTHENTICATION)->error, SLUICE_ERROR_AUTH);
    assert_int_equal(error_meaning(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)->error, SLUICE_ERROR_PERMISSION);
    assert_false(error_meaning(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)->is_waited_out);
    assert_true(error_meaning(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)->is_waited_out);
    assert_int_equal(error_meaning(RD_KAFKA_RESP_ERR__TRANSPORT)->error, SLUICE_ERROR_TRANSIENT);
    assert_true(error_meaning(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)->is_waited_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_that_is_right_has_no_flaw),
        cmocka_unit_test(json_that_is_wrong_has_one),
        cmocka_unit_test(json_is_not_read_behind_its_end),
        cmocka_unit_test(json_is_nested_so_deep_and_no_deeper),
        cmocka_unit_test(members_are_found_in_an_object),
        cmocka_unit_test(strings_lose_their_escapes),
        cmocka_unit_test(schemas_give_columns),
        cmocka_unit_test(schemas_are_put_together_and_may_give_nothing),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(texts_become_json),
        cmocka_unit_test(topics_are_wanted_by_name_pattern_and_regex),
        cmocka_unit_test(lists_of_topics_that_say_nothing_are_refused),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(state_goes_out_as_it_came_in),
        cmocka_unit_test(state_of_something_else_is_refused),
        cmocka_unit_test(a_partition_begins_where_it_should),
        cmocka_unit_test(codes_have_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
