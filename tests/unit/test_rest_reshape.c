/* The shape of records: each step, and the order of all of them. */
#include "rest_unit.h"

#include "data/block.h"
#include "rest/reshape.h"

static struct block *block_of(const char *text)
{
    struct block *block = block_new(NULL, strlen(text) + 1);
    memcpy(block->data, text, strlen(text));
    block->size = strlen(text);
    block_seal(block);
    return block;
}

/* What a page becomes by the keys of a stream. */
static int reshape(struct arena *arena, const char *keys, const char *page, const char *added, const char **out,
                   struct err *err)
{
    const struct config *config;
    const char *json = arena_printf(arena,
                                    "{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"http://a.test\"},"
                                    "\"streams\":{\"s\":{\"path\":\"/s\",%s}}}",
                                    keys);
    const struct stream_description *stream = description_of(arena, json, "{}", &config)->streams;
    struct block *body = block_of(page), *shaped = NULL;
    assert_non_null(stream->reshape);
    int rc = reshape_page(stream->reshape, body, stream->records_path, str_from(added), NULL, &shaped, err);
    if (rc == 0) *out = arena_text(arena, (struct str){shaped->data, shaped->size});
    block_release(shaped);
    block_release(body);
    return rc;
}

static void check(const char *keys, const char *page, const char *expected)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const char *text = NULL;
    if (reshape(&arena, keys, page, NULL, &text, &err) != 0) fail_msg("%s", err.message);
    assert_string_equal(text, expected);
    arena_release(&arena);
}

static void test_fields_go_and_get_other_names(void **state)
{
    (void)state;
    check("\"drop\":\"attributes\"", "[{\"attributes\":{\"x\":1},\"a\":1.10},{\"a\":\"\\u00e9\\\"\"}]",
          "[{\"a\":1.10},{\"a\":\"\\u00e9\\\"\"}]");
    check("\"drop\":[\"a\",\"b\"]", "[{\"a\":1,\"b\":2},{\"\\u0061\":3,\"c\":[4]}]", "[{},{\"c\":[4]}]");
    check("\"records\":\"d.*\",\"rename\":{\"a\":\"b\\\"\"}", "{\"d\":{\"x\":{\"a\":9007199254740993},\"y\":{\"c\":null}}}",
          "[{\"b\\\"\":9007199254740993},{\"c\":null}]");
}

static void test_filters_keep_what_holds(void **state)
{
    static const char PAGE[] = "[{\"s\":\"on\",\"n\":{\"k\":1}},{\"s\":\"off\"},{\"s\":null,\"n\":{\"k\":true}},\"text\"]";
    (void)state;
    check("\"filter\":{\"path\":\"s\",\"equals\":\"on\"}", PAGE, "[{\"s\":\"on\",\"n\":{\"k\":1}},\"text\"]");
    check("\"filter\":{\"path\":\"s\",\"not_equals\":[\"on\",\"x\"]}", PAGE,
          "[{\"s\":\"off\"},{\"s\":null,\"n\":{\"k\":true}},\"text\"]");
    check("\"filter\":{\"path\":\"n.k\",\"equals\":[1,true]}", PAGE,
          "[{\"s\":\"on\",\"n\":{\"k\":1}},{\"s\":null,\"n\":{\"k\":true}},\"text\"]");
    check("\"filter\":[{\"path\":\"s\",\"exists\":true},{\"path\":\"n\",\"exists\":false}]", PAGE,
          "[{\"s\":\"off\"},\"text\"]");
}

static void test_objects_become_fields(void **state)
{
    (void)state;
    check("\"flatten\":{}", "[{\"a\":{\"b\":1,\"c\":{\"d\":2}},\"e\":[{\"f\":3}]}]",
          "[{\"a_b\":1,\"a_c\":{\"d\":2},\"e\":[{\"f\":3}]}]");
    check("\"flatten\":{\"depth\":2,\"separator\":\".\"}", "[{\"a\":{\"b\":1,\"c\":{\"d\":2,\"g\":{}}}}]",
          "[{\"a.b\":1,\"a.c.d\":2,\"a.c.g\":{}}]");
    check("\"flatten\":{\"fields\":[\"properties\"],\"prefix\":false}",
          "[{\"id\":\"1\",\"properties\":{\"email\":null,\"x\":{}},\"owner\":{\"id\":2}},{\"properties\":null}]",
          "[{\"id\":\"1\",\"email\":null,\"x\":{},\"owner\":{\"id\":2}},{\"properties\":null}]");
    check("\"flatten\":[\"a\"],\"drop\":[\"a_b\"],\"rename\":{\"a_c\":\"c\"}", "[{\"a\":{\"b\":1,\"c\":2}}]", "[{\"c\":2}]");
}

static void test_pairs_become_objects(void **state)
{
    (void)state;
    check("\"pairs\":{\"custom_fields\":{}}",
          "[{\"custom_fields\":[{\"id\":36,\"value\":\"x\"},{\"id\":\"k\\\"\",\"value\":[1]},{\"id\":7},{\"value\":1},3]},"
          "{\"custom_fields\":[]},{\"custom_fields\":null}]",
          "[{\"custom_fields\":{\"36\":\"x\",\"k\\\"\":[1],\"7\":null}},{\"custom_fields\":{}},{\"custom_fields\":null}]");
    check("\"pairs\":{\"f\":{\"key\":\"name\",\"value\":\"v.x\"}},\"flatten\":[\"f\"]",
          "[{\"f\":[{\"name\":\"a\",\"v\":{\"x\":1}},{\"name\":\"b\"}]}]", "[{\"f_a\":1,\"f_b\":null}]");
}

static void test_positions_get_names(void **state)
{
    (void)state;
    check("\"records\":\"rows\",\"zip\":[{\"names\":\"dimensionHeaders\",\"name\":\"name\",\"from\":\"dimensionValues\","
          "\"value\":\"value\"},{\"names\":\"metricHeaders\",\"name\":\"name\",\"from\":\"metricValues\",\"value\":\"value\"}]",
          "{\"dimensionHeaders\":[{\"name\":\"date\"},{\"name\":\"city\"}],\"metricHeaders\":[{\"name\":\"users\",\"type\":"
          "\"TYPE_INTEGER\"}],\"rows\":[{\"dimensionValues\":[{\"value\":\"20240101\"},{\"value\":\"Oslo\"}],\"metricValues\":["
          "{\"value\":\"3\"}]}],\"rowCount\":1}",
          "[{\"date\":\"20240101\",\"city\":\"Oslo\",\"users\":\"3\"}]");
    check("\"records\":\"rows\",\"zip\":{\"names\":\"columns\"},\"rename\":{\"b\":\"c\"}", "{\"rows\":[],\"columns\":[\"a\"]}",
          "[]");
    check("\"records\":\"*.rows\",\"zip\":{\"names\":\"x.columns\"},\"rename\":{\"b\":\"c\"}",
          "{\"x\":{\"rows\":[[1,\"t\",9],[2]],\"columns\":[\"a\",\"b\"]}}", "[{\"a\":1,\"c\":\"t\"},{\"a\":2}]");
}

static void test_what_is_added_comes_last(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const char *text = NULL;
    assert_int_equal(reshape(&arena, "\"add\":{\"region\":\"eu\"}", "[{\"a\":1},{}]", "\"region\":\"eu\"", &text, &err), 0);
    assert_string_equal(text, "[{\"a\":1,\"region\":\"eu\"},{\"region\":\"eu\"}]");
    assert_int_equal(reshape(&arena, "\"drop\":\"a\"", "[{\"a\":1}", NULL, &text, &err), ERR_TRANSIENT);
    assert_int_equal(reshape(&arena, "\"records\":\"a\",\"drop\":\"b\"", "{\"a\":5}", NULL, &text, &err), ERR_DATA);
    arena_release(&arena);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *problem;
    } CASES[] = {
        {"\"filter\":{\"path\":\"a\"}", "expected one of equals"},
        {"\"filter\":{\"path\":\"a\",\"exists\":true,\"equals\":1}", "expected one of equals"},
        {"\"filter\":{\"paht\":\"a\"}", "path"},
        {"\"flatten\":5", "expected names of fields"},
        {"\"zip\":{\"names\":\"a\"},\"format\":\"csv\"", "comes in parts"},
        {"\"format\":\"cvs\"", "csv"},
        {"\"format\":{\"kind\":\"csv\",\"delimiter\":\"ab\"}", "one ASCII character"},
        {"\"format\":\"csv\",\"pages\":{\"kind\":\"cursor\",\"param\":\"c\",\"next\":\"n\"}", "no field beside them"},
        {"\"format\":\"xml\",\"records\":{\"$function\":\"streams.s.records\"}", "given the body as it is"},
        {"\"format\":{\"kind\":\"json\",\"stream\":true},\"records\":\"a.*\"", "stand in one list"},
        {"\"format\":{\"kind\":\"xml\",\"stream\":true}", "stream"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        description_check(
            json_node(&arena, arena_printf(&arena,
                                           "{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"http://a.test\"},"
                                           "\"streams\":{\"s\":{\"path\":\"/s\",%s}}}",
                                           CASES[i].keys)),
            &problems);
        assert_problem(&problems, CASES[i].problem);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_go_and_get_other_names),
        cmocka_unit_test(test_filters_keep_what_holds),
        cmocka_unit_test(test_objects_become_fields),
        cmocka_unit_test(test_pairs_become_objects),
        cmocka_unit_test(test_positions_get_names),
        cmocka_unit_test(test_what_is_added_comes_last),
        cmocka_unit_test(test_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
