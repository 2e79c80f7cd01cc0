/* node: YAML and JSON become the same tree, with lines; what configuration has no use for is refused with the place and the
 * remedy. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/node.h"

static const struct node *yaml(struct arena *arena, const char *text)
{
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    if (node_from_yaml(str_from(text), "sluice.yaml", arena, &root, &err) != 0) fail_msg("%s", err.message);
    return root;
}

static const struct node *json(struct arena *arena, struct str text)
{
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    if (node_from_json(text, arena, &root, &err) != 0) fail_msg("%s", err.message);
    return root;
}

static void assert_yaml_refused(struct str text, const char *message, const char *hint)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    assert_int_equal(node_from_yaml(text, "sluice.yaml", &arena, &root, &err), ERR_CONFIG);
    assert_null(root);
    if (!strstr(err.message, message)) fail_msg("'%s' is not in: %s", message, err.message);
    if (!strstr(err.hint, hint)) fail_msg("'%s' is not in: %s", hint, err.hint);
    arena_release(&arena);
}

static void test_plain_scalars_have_the_kind_of_the_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum node_kind kind;
    } CASES[] = {
        {"~", NODE_NULL},          {"null", NODE_NULL},    {"NULL", NODE_NULL},     {"", NODE_NULL},
        {"nUll", NODE_STRING},     {"true", NODE_BOOLEAN}, {"False", NODE_BOOLEAN}, {"TRUE", NODE_BOOLEAN},
        {"yes", NODE_STRING},      {"no", NODE_STRING},    {"on", NODE_STRING},     {"Off", NODE_STRING},
        {"y", NODE_STRING},        {"1.10", NODE_NUMBER},  {"-12", NODE_NUMBER},    {"9007199254740993", NODE_NUMBER},
        {"1e3", NODE_NUMBER},      {"010", NODE_STRING},   {"0x1f", NODE_STRING},   {"1_000", NODE_STRING},
        {".5", NODE_STRING},       {".inf", NODE_STRING},  {"+1", NODE_STRING},     {"2024-01-15", NODE_STRING},
        {"12:30:45", NODE_STRING}, {"8MiB", NODE_STRING},  {"\"12\"", NODE_STRING}, {"'true'", NODE_STRING},
        {"\"\"", NODE_STRING},
    };
    struct arena arena = ARENA_INIT(0);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct node *value = node_get(yaml(&arena, arena_printf(&arena, "key: %s\n", CASES[i].text)), "key");
        if (value->kind != CASES[i].kind) fail_msg("'%s' is %s", CASES[i].text, node_kind_name(value->kind));
        bool quoted = CASES[i].text[0] == '"' || CASES[i].text[0] == '\'';
        assert_int_equal(value->plain, !quoted);
        if (!quoted) assert_string_equal(value->text.data, CASES[i].text); /* as written */
    }
    arena_release(&arena);
}

static const char PROJECT[] = "# a comment\n"
                              "destinations:\n"
                              "  warehouse: { type: postgres, url: \"${URL}\" }\n"
                              "\n"
                              "pipelines:\n"
                              "  shop:\n"
                              "    connector: shop\n"
                              "    streams: [orders, 'items']\n"
                              "    version: 1.10\n"
                              "    text: |\n"
                              "      two\n"
                              "      lines\n"
                              "  empty:\n";

static void test_every_node_knows_its_file_and_line(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct node *root = yaml(&arena, PROJECT);
    static const struct {
        const char *path;
        unsigned line;
    } CASES[] = {{"", 2},
                 {"destinations", 2},
                 {"destinations.warehouse.url", 3},
                 {"pipelines", 5},
                 {"pipelines.shop", 6},
                 {"pipelines.shop.connector", 7},
                 {"pipelines.shop.streams.1", 8},
                 {"pipelines.shop.text", 10},
                 {"pipelines.empty", 13}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct node *node = node_path(root, CASES[i].path);
        assert_non_null(node);
        assert_string_equal(node->file, "sluice.yaml");
        if (node->line != CASES[i].line) fail_msg("'%s' is on line %u", CASES[i].path, node->line);
    }
    arena_release(&arena);
}

static void test_lookups_give_texts_and_null_for_what_is_not_there(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct node *root = yaml(&arena, PROJECT);
    assert_string_equal(node_cstr(node_path(root, "pipelines.shop.version"), NULL), "1.10");
    assert_string_equal(node_cstr(node_path(root, "pipelines.shop.streams.1"), NULL), "items");
    assert_string_equal(node_cstr(node_path(root, "pipelines.shop.text"), NULL), "two\nlines\n");
    assert_string_equal(node_cstr(node_path(root, "pipelines.empty"), "nothing"), "nothing");
    assert_string_equal(node_cstr(node_path(root, "pipelines"), "a map"), "a map");
    assert_string_equal(node_path(root, "pipelines.shop")->key.data, "shop");
    assert_null(node_path(root, "pipelines.shop.streams.2"));
    assert_null(node_path(root, "pipelines.shop.streams.x"));
    assert_null(node_path(root, "pipelines.shop.connector.deeper"));
    assert_null(node_get(root, "Pipelines"));
    assert_null(node_get(NULL, "x"));
    assert_null(node_path(NULL, "x.y"));
    assert_int_equal(node_text(NULL).size, 0);
    assert_int_equal(node_text(root).size, 0);
    assert_false(node_is(NULL, NODE_NULL));
    assert_false(node_is_scalar(node_path(root, "pipelines.empty")));
    assert_true(node_is_scalar(node_path(root, "pipelines.shop.version")));
    arena_release(&arena);
}

static void test_an_empty_document_is_null(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
        struct arena arena = ARENA_INIT(0);
        assert_true(node_is(yaml(&arena, TEXTS[i]), NODE_NULL));
        arena_release(&arena);
    }
    struct arena arena = ARENA_INIT(0);
    const struct node *root = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(node_from_yaml((struct str){0}, "sluice.yaml", &arena, &root, &err), 0);
    assert_true(node_is(root, NODE_NULL));
    arena_release(&arena);
}

static void test_yaml_refuses_what_hides_a_value(void **state)
{
    (void)state;
    assert_yaml_refused(STR("a: &x 1\nb: *x\n"), "sluice.yaml:1: anchors (&x)", "write the value out");
    assert_yaml_refused(STR("a: 1\nb: *x\n"), "sluice.yaml:2: aliases (*x)", "begins with *");
    assert_yaml_refused(STR("a: 1\nb: &x {c: 1}\n"), "sluice.yaml:2: anchors", "");
    assert_yaml_refused(STR("a: 1\n&x b: 2\n"), "sluice.yaml:2: anchors", "");
    assert_yaml_refused(STR("a:\n  <<: {b: 1}\n"), "sluice.yaml:2: merge keys", "write the keys out");
    assert_yaml_refused(STR("a: !!str 12\n"), "sluice.yaml:1: tags (tag:yaml.org,2002:str)", "leave the tag out");
    assert_yaml_refused(STR("a: !secret x\n"), "tags (!secret)", "");
    assert_yaml_refused(STR("a: ! x\n"), "tags (!)", "");
    assert_yaml_refused(STR("a: !!map {}\n"), "tags", "");
    assert_yaml_refused(STR("a: !x [1]\n"), "tags", "");
    assert_yaml_refused(STR("a: 1\n---\nb: 2\n"), "sluice.yaml:2: only one document", "---");
    assert_yaml_refused(STR("? [a, b]\n: 1\n"), "sluice.yaml:1: a list cannot be a key", "");
    assert_yaml_refused(STR("a: 1\nurl: {{config.url}}\n"), "sluice.yaml:2: a map cannot be a key",
                        "quote values that begin with {");
    assert_yaml_refused(STR("a: \"x\\0y\"\n"), "sluice.yaml:1: a NUL", "remove");
    assert_yaml_refused(STR("\"x\\0y\": 1\n"), "a NUL", "");
}

static void test_a_quoted_merge_key_is_a_name(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    assert_string_equal(node_cstr(node_get(yaml(&arena, "'<<': x\n"), "<<"), NULL), "x");
    arena_release(&arena);
}

static void test_yaml_repeated_keys_name_both_lines(void **state)
{
    (void)state;
    assert_yaml_refused(STR("a: 1\nb: 2\na: 3\n"), "sluice.yaml:3: repeated key 'a'", "line 1");
    assert_yaml_refused(STR("x:\n  a: 1\n  \"a\": 2\n"), "sluice.yaml:3: repeated key 'a'", "line 2");
    assert_yaml_refused(STR("{a: 1, a: 1}"), "sluice.yaml:1: repeated key 'a'", "");
    struct buf many = BUF_INIT(1 << 20);
    for (int i = 0; i < 5000; i++) buf_printf(&many, "key%d: 1\n", i);
    buf_append_text(&many, "key17: 2\n");
    assert_yaml_refused(buf_str(&many), "sluice.yaml:5001: repeated key 'key17'", "line 18");
    buf_release(&many);
}

static void test_yaml_mistakes_have_a_line_and_a_hint(void **state)
{
    (void)state;
    assert_yaml_refused(STR("a: 1\n\tb: 2\n"), "sluice.yaml:2: cannot read YAML", "no tabs");
    assert_yaml_refused(STR("a: Shop: orders\n"), "sluice.yaml:1: cannot read YAML", "quote");
    assert_yaml_refused(STR("a: [1, 2\nb: 3\n"), "cannot read YAML", "");
    assert_yaml_refused(STR("a: \"open\n"), "cannot read YAML", "");
    assert_yaml_refused(STR("a: 1\nb: 2\n c: 3\n"), "sluice.yaml:3", "");
    assert_yaml_refused(STR("a: @x\n"), "sluice.yaml:1", "@");
    assert_yaml_refused(STR("a: 1\nb: \xff\n"), "sluice.yaml:2: cannot read YAML", "UTF-8");
    assert_yaml_refused(STR("a: 1\nb: \x01\n"), "sluice.yaml:2: cannot read YAML", "UTF-8");
    assert_yaml_refused(STR("a: 1\nb: \0\n"), "sluice.yaml:2: cannot read YAML", "UTF-8");
    assert_yaml_refused(STR("\xff\xfe"
                            "a\0:\0 \0"
                            "1\0"),
                        "sluice.yaml:1: cannot read YAML", "UTF-8"); /* UTF-16 */
}

static char *nested(struct arena *arena, const char *open, const char *close, size_t depth)
{
    struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < depth; i++) buf_append_text(&text, open);
    for (size_t i = 0; i < depth; i++) buf_append_text(&text, close);
    char *copy = arena_strdup(arena, buf_text(&text));
    buf_release(&text);
    return copy;
}

static void test_depth_is_limited_in_both(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    const char *deepest = nested(&arena, "[", "]", NODE_MAX_DEPTH), *deeper = nested(&arena, "[", "]", NODE_MAX_DEPTH + 1);
    assert_int_equal(node_from_json(str_from(deepest), &arena, &root, &err), 0);
    assert_int_equal(node_from_yaml(str_from(deepest), "f", &arena, &root, &err), 0);
    root = NULL;
    assert_int_equal(node_from_json(str_from(deeper), &arena, &root, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "over 64 levels deep"));
    assert_yaml_refused(str_from(deeper), "sluice.yaml:1: over 64 levels deep", "");
    assert_yaml_refused(str_from(nested(&arena, "{a: ", "}", 500)), "over 64 levels deep", "");
    assert_yaml_refused(str_from(nested(&arena, "- ", "", 100000)), "over 64 levels deep", "");
    assert_null(root);
    arena_release(&arena);
}

static void test_the_number_of_values_is_limited_in_both(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct buf text = BUF_INIT(NODE_MAX_BYTES);
    buf_append_char(&text, '[');
    for (int i = 0; i < NODE_MAX_NODES; i++) buf_append_text(&text, i ? ",1" : "1");
    buf_append_char(&text, ']');
    assert_false(text.failed);
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    assert_int_equal(node_from_json(buf_str(&text), &arena, &root, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "over 400000 values"));
    assert_yaml_refused(buf_str(&text), "over 400000 values", "");
    buf_release(&text);
    arena_release(&arena);
}

static void test_the_size_is_limited_in_both(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    size_t size = NODE_MAX_BYTES + 1;
    char *text = malloc(size);
    memset(text, ' ', size);
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    assert_int_equal(node_from_json((struct str){text, size}, &arena, &root, &err), ERR_DATA);
    assert_int_equal(node_from_yaml((struct str){text, size}, "f", &arena, &root, &err), ERR_CONFIG);
    free(text);
    arena_release(&arena);
}

static void test_a_full_arena_is_a_named_error_at_every_size(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"a\": [1, \"two\", {\"b\": null, \"c\": \"\\u20ac\"}], \"long\": \"0123456789012345678901234567890123456789\"}";
    bool fits = false;
    for (size_t cap = 1; cap < 4000 && !fits; cap += 16) {
        struct arena first = ARENA_INIT(cap), second = ARENA_INIT(cap);
        struct err err = ERR_INIT;
        const struct node *root = NULL;
        int rc = node_from_json(str_from(TEXT), &first, &root, &err);
        assert_true(rc == 0 || rc == ERR_NOMEM);
        assert_int_equal(node_from_yaml(str_from(TEXT), "f", &second, &root, &err), rc);
        fits = rc == 0;
        arena_release(&first);
        arena_release(&second);
    }
    assert_true(fits);
}

static void test_json_is_strict(void **state)
{
    (void)state;
    static const struct str BAD[] = {
        {"", 0},
        {"{", 1},
        {"[1,]", 4},
        {"{\"a\":1,}", 8},
        {"{a: 1}", 6},
        {"01", 2},
        {"[1] 2", 5},
        {"'a'", 3},
        {"NaN", 3},
        {"\"a\nb\"", 5},
        {"\"\xff\"", 3},
        {"\"\\u0000\"", 8},
        {"\"a\0\"", 4},
        {"\"\\ud800\"", 8},
        {"{\"\\u0000\":1}", 12},
        {"{\"a\":1,\"a\":2}", 13},
        {"{\"a\":1,\"\\u0061\":2}", 18},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        const struct node *root = NULL;
        if (node_from_json(BAD[i], &arena, &root, &err) != ERR_DATA) fail_msg("'" STR_FMT "' was accepted", STR_ARG(BAD[i]));
        assert_non_null(strstr(err.message, "at byte "));
        assert_null(root);
        arena_release(&arena);
    }
}

static void test_json_keeps_texts_and_order(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct node *root =
        json(&arena, STR("{\"z\": 9007199254740993, \"a\": \"x\\n\\u20ac\", \"t\": true, \"n\": null, \"e\": 1.50e400}"));
    assert_int_equal(root->count, 5);
    assert_string_equal(root->children[0].key.data, "z");
    assert_string_equal(node_cstr(node_get(root, "z"), NULL), "9007199254740993");
    assert_string_equal(node_cstr(node_get(root, "a"), NULL), "x\n\xe2\x82\xac");
    assert_string_equal(node_cstr(node_get(root, "t"), NULL), "true");
    assert_string_equal(node_cstr(node_get(root, "e"), NULL), "1.50e400");
    assert_true(node_is(node_get(root, "n"), NODE_NULL));
    assert_null(root->file);
    assert_int_equal(node_get(root, "a")->line, 0);
    arena_release(&arena);
}

static void assert_as_json(const struct node *node, const char *expected)
{
    struct buf out = BUF_INIT(10000);
    node_to_json(node, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void test_identical_trees_give_identical_bytes(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const char *expected = "{\"B\":[],\"a\":{\"aa\":null,\"b\":[1.50,true,\"1.50\",\"yes\"]},\"b\":\"\\u0007\"}";
    assert_as_json(yaml(&arena, "b: \"\\a\"\nB: []\na:\n  b: [1.50, True, '1.50', yes]\n  aa:\n"), expected);
    assert_as_json(json(&arena, STR("{\"a\":{\"b\":[1.50,true,\"1.50\",\"yes\"],\"aa\":null},\"B\":[],\"b\":\"\\u0007\"}")),
                   expected);
    assert_as_json(json(&arena, str_from(expected)), expected);
    assert_as_json(yaml(&arena, "{}"), "{}");
    arena_release(&arena);
}

static void test_json_is_yaml_too(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const char *text = "{\"a\":[1,2.5,\"x\",true,null,{}],\"b\":\"\"}";
    assert_as_json(yaml(&arena, text), text);
    arena_release(&arena);
}

static void test_trees_do_not_point_into_the_text(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    char from_json[] = "{\"key\":\"value\"}", from_yaml[] = "key: value\n";
    const struct node *a = json(&arena, str_from(from_json)), *b = yaml(&arena, from_yaml);
    memset(from_json, 'x', sizeof from_json - 1);
    memset(from_yaml, 'x', sizeof from_yaml - 1);
    assert_string_equal(node_cstr(node_get(a, "key"), NULL), "value");
    assert_string_equal(node_cstr(node_get(b, "key"), NULL), "value");
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_plain_scalars_have_the_kind_of_the_core_schema),
           cmocka_unit_test(test_every_node_knows_its_file_and_line),
           cmocka_unit_test(test_lookups_give_texts_and_null_for_what_is_not_there),
           cmocka_unit_test(test_an_empty_document_is_null), cmocka_unit_test(test_yaml_refuses_what_hides_a_value),
           cmocka_unit_test(test_a_quoted_merge_key_is_a_name), cmocka_unit_test(test_yaml_repeated_keys_name_both_lines),
           cmocka_unit_test(test_yaml_mistakes_have_a_line_and_a_hint), cmocka_unit_test(test_depth_is_limited_in_both),
           cmocka_unit_test(test_the_number_of_values_is_limited_in_both), cmocka_unit_test(test_the_size_is_limited_in_both),
           cmocka_unit_test(test_a_full_arena_is_a_named_error_at_every_size), cmocka_unit_test(test_json_is_strict),
           cmocka_unit_test(test_json_keeps_texts_and_order), cmocka_unit_test(test_identical_trees_give_identical_bytes),
           cmocka_unit_test(test_json_is_yaml_too), cmocka_unit_test(test_trees_do_not_point_into_the_text))
