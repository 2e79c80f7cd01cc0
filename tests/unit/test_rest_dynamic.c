/* Declarations that are filled in with what a record says. */
#include "rest_unit.h"

#include "rest/dynamic.h"

static const char RECORD[] = "{\"name\":\"Account\",\"evil\":\"{{config.key}}\",\"double\":\"a\\\"b\",\"both\":\"'\\\"\",\"n\":"
                             "12,\"word\":\"$secret\",\"in\":{\"side\":\"x y\"}}";

static const char *filled(struct arena *arena, const char *stream)
{
    struct err err = ERR_INIT;
    struct buf json = BUF_INIT(1024 * 1024);
    const struct node *out;
    if (dynamic_fill(json_node(arena, stream), STR("Account"), json_node(arena, RECORD), arena, &out, &err) != 0)
        return arena_text(arena, str_from(err.message));
    assert_true(str_equal(out->key, STR("Account")));
    node_to_json(out, &json);
    const char *text = arena_text(arena, buf_str(&json));
    buf_release(&json);
    return text;
}

static void test_values_stand_where_they_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *expected;
    } CASES[] = {
        /* Where templates stand a value is a quoted text, elsewhere it is the text. */
        {"{\"path\":\"/a/{{record.name}}\",\"records\":\"{{record.name}}.list\"}",
         "{\"path\":\"/a/{{\\\"Account\\\"}}\",\"records\":\"Account.list\"}"},
        {"{\"params\":{\"q\":[\"{{ record.name | lower }} {{cursor.from}}\"]}}",
         "{\"params\":{\"q\":[\"{{\\\"Account\\\" | lower}} {{cursor.from}}\"]}}"},
        {"{\"path\":\"{{record.double}}{{record.evil}}{{record.n}}{{record.in.side}}\"}",
         "{\"path\":\"{{'a\\\"b'}}{{\\\"{{config.key}}\\\"}}{{\\\"12\\\"}}{{\\\"x y\\\"}}\"}"},
        {"{\"fields_from\":{\"path\":\"/{{record.name}}\",\"name\":\"{{record.name}}\"}}",
         "{\"fields_from\":{\"name\":\"Account\",\"path\":\"/{{\\\"Account\\\"}}\"}}"},
        {"{\"explode\":{\"{{record.name}}_x\":{\"path\":\"{{record.name}}\"}}}",
         "{\"explode\":{\"Account_x\":{\"path\":\"Account\"}}}"},
        {"{\"path\":\"{{config.record.name}}{{\\\"record.name\\\"}}\"}",
         "{\"path\":\"{{config.record.name}}{{\\\"record.name\\\"}}\"}"},
        {"{\"job\":{\"create\":{\"body\":{\"a\":\"{{record.name}}\"}}}}",
         "{\"job\":{\"create\":{\"body\":{\"a\":\"{{\\\"Account\\\"}}\"}}}}"},
        {"{\"params\":{\"{{record.word}}\":\"{{record.name}}\"}}", "the record makes a key that begins with $"},
        {"{\"path\":\"{{record.both}}\"}", "the record's 'both' has both kinds of quotes"},
        {"{\"records\":\"{{record.evil}}\"}", "the record's 'evil' holds {{, and no template can stand there"},
        {"{\"records\":\"{{record.name | lower}}\"}", "the record's 'name' stands where no filter can"},
        {"{\"path\":\"{{record.nothing}}\"}", "the record has no text, number or boolean at 'nothing'"},
        {"{\"path\":\"{{record.in}}\"}", "the record has no text, number or boolean at 'in'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        assert_string_equal(filled(&arena, CASES[i].stream), CASES[i].expected);
        arena_release(&arena);
    }
}

static void test_a_list_is_sorted_and_has_each_name_once(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct dynamic_description dynamic = {.name = "name"};
    static const char *const RECORDS[] = {"{\"name\":\"b\"}",
                                          "{\"name\":\"a\",\"n\":1}",
                                          "{\"name\":\"a\",\"n\":2}",
                                          "{\"name\":\"a b\"}",
                                          "{\"name\":7}",
                                          "{}",
                                          "7",
                                          "{\"name\":\"\"}",
                                          "{\"name\":\"a/b\"}",
                                          "{\"name\":\"..\"}"};
    struct dynamic_list list = {.records = arena_array(&arena, struct dynamic_record, ARRAY_SIZE(RECORDS))};
    for (size_t i = 0; i < ARRAY_SIZE(RECORDS); i++) dynamic_add(&list, &dynamic, str_from(RECORDS[i]), &arena);
    dynamic_sort(&list);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.unusable, 7);
    assert_true(str_equal(list.records[0].name, STR("a")) && str_equal(list.records[1].name, STR("b")));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_stand_where_they_are_named),
        cmocka_unit_test(test_a_list_is_sorted_and_has_each_name_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
