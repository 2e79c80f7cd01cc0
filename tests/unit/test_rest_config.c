/* A pipeline's configuration against its connector's table. */
#include "rest_unit.h"

#include "os/secret.h"

static const char TABLE[] = "{\"base_url\":{\"required\":true,\"title\":\"API base URL\"},"
                            "\"api_key\":{\"secret\":true,\"required\":true},"
                            "\"start\":{\"type\":\"timestamp\",\"default\":\"2024-01-01\"},"
                            "\"day\":{\"type\":\"date\"},"
                            "\"size\":{\"type\":\"integer\",\"default\":100},"
                            "\"ratio\":{\"type\":\"number\"},"
                            "\"archived\":{\"type\":\"boolean\",\"default\":false},"
                            "\"mode\":{\"type\":\"enum\",\"values\":[\"fast\",\"slow\"],\"default\":\"fast\"}}";

/* The problems of `values` (YAML) against a table (JSON). */
static const struct config *resolve(struct arena *arena, const char *table_json, const char *values, struct secrets *secrets,
                                    struct problems *problems)
{
    struct config_table *table = arena_new(arena, struct config_table);
    const struct config *config = NULL;
    const struct node *given = NULL;
    struct err err = ERR_INIT;
    *problems = PROBLEMS_INIT(arena);
    config_table_read(json_node(arena, table_json), arena, table, problems);
    assert_int_equal(values ? node_from_yaml(str_from(values), "sluice.yaml", arena, &given, &err) : 0, 0);
    config_resolve(table, given, "pipelines.shop.config", secrets, arena, &config, problems);
    return config;
}

static void assert_text(const struct config *config, const char *name, const char *expected)
{
    const struct config_value *value = config_get(config, str_from(name));
    assert_non_null(value);
    assert_true(value->is_set);
    assert_string_equal(value->text.data, expected);
}

static void test_defaults_and_values_are_canonical(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    const struct config *config = resolve(
        &arena, TABLE, "base_url: https://x.test\napi_key: abcd1234\nsize: 9007199254740993\nday: 2024-02-29\nratio: \"1.50\"",
        NULL, &problems);
    assert_no_problem(&problems);
    assert_text(config, "start", "2024-01-01T00:00:00Z");
    assert_text(config, "size", "9007199254740993");
    assert_text(config, "archived", "false");
    assert_text(config, "day", "2024-02-29");
    assert_text(config, "ratio", "1.50");
    assert_text(config, "mode", "fast");
    assert_null(config_get(config, STR("nothing")));
    arena_release(&arena);
}

static void test_timestamps_with_an_offset_become_utc(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    const struct config *config =
        resolve(&arena, TABLE, "base_url: u\napi_key: k\nstart: \"2024-03-01T02:00:00+02:00\"", NULL, &problems);
    assert_no_problem(&problems);
    assert_text(config, "start", "2024-03-01T00:00:00Z");
    arena_release(&arena);
}

static void test_plain_yaml_numbers_are_strings_where_strings_are_due(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    const struct config *config = resolve(&arena, TABLE, "base_url: 1.10\napi_key: 12345678\nsize: \"7\"", NULL, &problems);
    assert_no_problem(&problems);
    assert_text(config, "base_url", "1.10");
    assert_text(config, "size", "7");
    arena_release(&arena);
}

static void test_every_mistake_at_once(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    const struct config *config =
        resolve(&arena, TABLE,
                "api_ky: x\nbase_url: [1]\nsize: 1.5\narchived: maybe\nmode: quick\nstart: yesterday\n"
                "day: 2024-02-30",
                NULL, &problems);
    assert_null(config);
    assert_problem(&problems, "unknown key 'api_ky' [did you mean 'api_key'?]");
    assert_problem(&problems, "'api_key' is missing");
    assert_problem(&problems, "base_url: expected a string, got a list");
    assert_problem(&problems, "size: expected an integer, got '1.5'");
    assert_problem(&problems, "archived: expected true or false");
    assert_problem(&problems, "mode: expected one of its values, got 'quick' [one of: fast, slow]");
    assert_problem(&problems, "start: expected a timestamp");
    assert_problem(&problems, "day: expected a date");
    assert_int_equal(problems.list[0].line, 1);
    arena_release(&arena);
}

static void test_an_empty_required_value_is_missing(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    resolve(&arena, TABLE, "base_url: \"\"\napi_key: k", NULL, &problems);
    assert_problem(&problems, "base_url: is empty");
    resolve(&arena, TABLE, "just text", NULL, &problems);
    assert_problem(&problems, "expected a map, got");
    resolve(&arena, TABLE, NULL, NULL, &problems);
    assert_problem(&problems, "'base_url' is missing [base_url: API base URL]");
    arena_release(&arena);
}

static void test_secrets_are_registered_and_kept_out_of_the_context(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    struct secrets *secrets = secrets_new();
    const struct config *config = resolve(&arena, TABLE, "base_url: u\napi_key: s3cret-value", secrets, &problems);
    struct buf json = BUF_INIT(4096), names = BUF_INIT(4096);
    assert_no_problem(&problems);
    assert_true(str_equal(secrets_by_name(secrets, "config.api_key"), STR("s3cret-value")));
    config_to_json(config, &json);
    config_secrets_to_json(config, &names);
    assert_string_equal(buf_text(&json),
                        "{\"base_url\":\"u\",\"start\":\"2024-01-01T00:00:00Z\",\"size\":100,\"archived\":false,"
                        "\"mode\":\"fast\"}");
    assert_string_equal(buf_text(&names), "[\"api_key\"]");
    buf_release(&json);
    buf_release(&names);
    secrets_free(secrets);
    arena_release(&arena);
}

static void test_a_wrong_secret_is_not_repeated_in_the_message(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    resolve(&arena, "{\"key\":{\"secret\":true}}", "key: { hidden: value }", NULL, &problems);
    assert_problem(&problems, "key: expected a string, got a map");
    assert_null(strstr(problem_text(&problems, &arena), "hidden"));
    arena_release(&arena);
}

static void test_tables_that_contradict_themselves(void **state)
{
    (void)state;
    static const struct {
        const char *table, *problem;
    } CASES[] = {
        {"{\"a\":{\"type\":\"integer\",\"secret\":true}}", "a secret is of type string or list"},
        {"{\"a\":{\"type\":\"list\",\"default\":[\"x\",[]]}}", "config.a.default.1: expected a text, got a list"},
        {"{\"a\":{\"secret\":true,\"default\":\"x\"}}", "a secret has no default"},
        {"{\"a\":{\"required\":true,\"default\":\"x\"}}", "a required entry has no default"},
        {"{\"a\":{\"type\":\"integer\",\"default\":\"x\"}}", "config.a.default: expected an integer"},
        {"{\"a\":{\"type\":\"enum\"}}", "type enum needs 'values'"},
        {"{\"a\":{\"values\":[\"x\"]}}", "'values' belongs to type enum only"},
        {"{\"a b\":{}}", "letters, digits and '_'"},
        {"{\"1a\":{}}", "letters, digits and '_'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        struct config_table table;
        config_table_read(json_node(&arena, CASES[i].table), &arena, &table, &problems);
        assert_problem(&problems, CASES[i].problem);
        arena_release(&arena);
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const char LISTS[] = "{\"repos\":{\"type\":\"list\",\"default\":[\"a\",\"b\"]},"
                                "\"keys\":{\"type\":\"list\",\"secret\":true,\"required\":true}}";
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    struct secrets *secrets = secrets_new();
    struct buf json = BUF_INIT(4096), names = BUF_INIT(4096);
    const struct config *config = resolve(&arena, LISTS, "keys: [first-key, 12345678]", secrets, &problems);
    assert_no_problem(&problems);
    assert_text(config, "keys", "first-key,12345678");
    assert_text(config, "repos", "a,b");
    config_to_json(config, &json);
    config_secrets_to_json(config, &names);
    assert_string_equal(buf_text(&json), "{\"repos\":[\"a\",\"b\"]}");
    assert_string_equal(buf_text(&names), "[]");
    char text[] = "a first-key and 12345678";
    secrets_redact_text(secrets, text, sizeof text);
    assert_null(strstr(text, "first-key"));
    assert_null(strstr(text, "12345678"));
    /* A variable of the environment is one text. */
    assert_text(resolve(&arena, LISTS, "keys: \" one , two,,three \"", NULL, &problems), "keys", "one,two,three");
    assert_text(resolve(&arena, LISTS, "keys: one", NULL, &problems), "keys", "one");
    assert_false(config_get(resolve(&arena, LISTS, "keys: one\nrepos: []", NULL, &problems), STR("repos"))->is_set);
    resolve(&arena, LISTS, "keys: []", NULL, &problems);
    assert_problem(&problems, "keys: is empty");
    resolve(&arena, LISTS, "keys: [one, \"\", \"a,b\", {}]", NULL, &problems);
    assert_problem(&problems, "keys.1: is empty");
    assert_problem(&problems, "keys.2: holds a comma");
    assert_problem(&problems, "keys.3: expected a text, got a map");
    resolve(&arena, LISTS, "keys: {a: b}", NULL, &problems);
    assert_problem(&problems, "keys: expected a list of texts, got a map");
    buf_release(&json);
    buf_release(&names);
    secrets_free(secrets);
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_lists), cmocka_unit_test(test_defaults_and_values_are_canonical),
           cmocka_unit_test(test_timestamps_with_an_offset_become_utc),
           cmocka_unit_test(test_plain_yaml_numbers_are_strings_where_strings_are_due),
           cmocka_unit_test(test_every_mistake_at_once), cmocka_unit_test(test_an_empty_required_value_is_missing),
           cmocka_unit_test(test_secrets_are_registered_and_kept_out_of_the_context),
           cmocka_unit_test(test_a_wrong_secret_is_not_repeated_in_the_message),
           cmocka_unit_test(test_tables_that_contradict_themselves))
