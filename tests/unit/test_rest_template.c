/* Templates: names, filters, scopes, secrets, and that what was inserted is never read again. */
#include "rest_unit.h"

#include "base/jsonscan.h"
#include "rest/template.h"

static const char TABLE[] =
    "{\"account\":{},\"api_key\":{\"secret\":true},\"size\":{\"type\":\"integer\"},\"on\":{\"type\":\"boolean\"},"
    "\"optional\":{}}";
static const char VALUES[] = "{\"account\":\"a/b c\",\"api_key\":\"k3y!\",\"size\":9007199254740993,\"on\":true}";

enum { ALL_ROOTS = 127 };

static const struct template *compile(struct arena *arena, const struct config *config, const char *text, unsigned roots,
                                      struct problems *problems)
{
    struct template_scope scope = {.config = config->table, .roots = roots};
    *problems = PROBLEMS_INIT(arena);
    return template_compile(str_from(text), NULL, "here", &scope, arena, problems);
}

/* Renders with everything set; "!CLASS" for an error, "-" for nothing. */
static const char *render(struct arena *arena, const char *text, enum template_escape escape, int *kind, bool *has_secret)
{
    static const char RECORD[] = "{\"id\":12345678901234567890,\"name\":\"{{config.api_key}}\",\"none\":null,\"tags\":[1]}"
                                 "                                                                                ";
    const struct config *config = config_of(arena, TABLE, VALUES);
    struct template_values values = {
        .config = config,
        .cursor_from = STR("2024-01-15T10:00:00Z"),
        .cursor_until = STR("2024-01-16T00:00:00.5Z"),
        .slice_id = STR("all"),
        .page_number = STR("7"),
        .page_size = STR("100"),
        .record = {RECORD, sizeof RECORD - 1 - JSONSCAN_PADDING},
        .now_us = instant("2024-02-29T12:34:56Z"),
    };
    struct problems problems;
    struct buf out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    const struct template *compiled = compile(arena, config, text, ALL_ROOTS, &problems);
    assert_no_problem(&problems);
    int rc = template_render(compiled, &values, escape, &out, has_secret, &err);
    const char *result = rc < 0                   ? arena_printf(arena, "!%s: %s", err_class_info(rc)->name, err.message)
                         : rc == RENDERED_NOTHING ? "-"
                                                  : arena_text(arena, buf_str(&out));
    if (kind) *kind = rc;
    buf_release(&out);
    return result;
}

static void assert_renders(const char *text, const char *expected)
{
    struct arena arena = ARENA_INIT(0);
    bool has_secret = false;
    assert_string_equal(render(&arena, text, ESCAPE_NONE, NULL, &has_secret), expected);
    assert_false(has_secret);
    arena_release(&arena);
}

static void test_names_and_text(void **state)
{
    (void)state;
    assert_renders("", "");
    assert_renders("plain { } }} text", "plain { } }} text");
    assert_renders("a {{config.account}} b {{ page.number }}c", "a a/b c b 7c");
    assert_renders("{{now}}", "2024-02-29T12:34:56Z");
    assert_renders("{{\"{{\"}}x", "{{x");
    assert_renders("{{'}}'}}", "}}");
    assert_renders("{{record.id}}", "12345678901234567890");
    assert_renders("{{slice.id}}", "all");
}

static void test_filters(void **state)
{
    (void)state;
    assert_renders("{{cursor.from | format:\"%Y/%m/%d\"}}", "2024/01/15");
    assert_renders("{{cursor.from | format:'epoch_ms'}}", "1705312800000");
    assert_renders("{{ cursor.from|minus:\"5m\" }}", "2024-01-15T09:55:00Z");
    assert_renders("{{cursor.from | plus:\"1d\" | format:\"date\"}}", "2024-01-16");
    assert_renders("{{now | minus:\"1d\" | format:\"date\" | minus:\"1d\"}}", "2024-02-27");
    assert_renders("{{config.account | upper}}", "A/B C");
    assert_renders("{{'ABC' | lower}}", "abc");
    assert_renders("{{config.account | urlencode}}", "a%2Fb%20c");
    assert_renders("{{config.optional | default:\"x y\"}}", "x y");
    assert_renders("{{config.account | default:\"x\"}}", "a/b c");
}

static void test_values_in_a_path_are_one_segment(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    bool has_secret = false;
    assert_string_equal(render(&arena, "/v1/{{config.account}}/x", ESCAPE_SEGMENT, NULL, &has_secret), "/v1/a%2Fb%20c/x");
    arena_release(&arena);
}

static void test_kinds_of_lone_references(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind;
        const char *expected;
    } CASES[] = {
        {"{{page.size}}", RENDERED_NUMBER, "100"},   {"{{config.size}}", RENDERED_NUMBER, "9007199254740993"},
        {"{{config.on}}", RENDERED_BOOLEAN, "true"}, {"{{page.size | string}}", RENDERED_TEXT, "100"},
        {"x{{page.size}}", RENDERED_TEXT, "x100"},   {"{{cursor.from | format:\"epoch\"}}", RENDERED_NUMBER, "1705312800"},
        {"{{page.token}}", RENDERED_NOTHING, "-"},   {"{{config.optional}}", RENDERED_NOTHING, "-"},
        {"{{cursor.value}}", RENDERED_NOTHING, "-"}, {"{{record.none}}", RENDERED_NOTHING, "-"},
        {"{{record.tags}}", RENDERED_NOTHING, "-"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        bool has_secret = false;
        int kind = -1;
        assert_string_equal(render(&arena, CASES[i].text, ESCAPE_NONE, &kind, &has_secret), CASES[i].expected);
        assert_int_equal(kind, CASES[i].kind);
        arena_release(&arena);
    }
}

static void test_what_was_inserted_is_not_a_template(void **state)
{
    (void)state;
    assert_renders("{{record.name}}", "{{config.api_key}}");
    assert_renders("-{{record.name | upper}}-", "-{{CONFIG.API_KEY}}-");
}

static void test_secrets_are_flagged(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    bool has_secret = false;
    assert_string_equal(render(&arena, "key={{config.api_key}}", ESCAPE_NONE, NULL, &has_secret), "key=k3y!");
    assert_true(has_secret);
    arena_release(&arena);
}

static void test_missing_and_unusable_values(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    bool has_secret = false;
    const char *text = render(&arena, "a{{config.optional}}", ESCAPE_NONE, NULL, &has_secret);
    assert_string_equal(text, "!config: {{config.optional}}: there is no value");
    text = render(&arena, "{{config.account | format:\"date\"}}", ESCAPE_NONE, NULL, &has_secret);
    assert_string_equal(text, "!config: {{config.account | format:\"date\"}}: cannot read its value as a time");
    text = render(&arena, "{{config.api_key | minus:\"1d\"}}", ESCAPE_NONE, NULL, &has_secret);
    assert_null(strstr(text, "k3y!"));
    arena_release(&arena);
}

static void test_cursors_go_out_in_their_own_format(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config = config_of(&arena, "{}", "{}");
    struct template_values values = {.config = config, .cursor_from = STR("2024-01-15T10:00:00Z"), .cursor_format = "%d.%m.%Y"};
    static const struct {
        const char *text, *expected;
    } CASES[] = {
        {"{{cursor.from}}", "15.01.2024"},
        {"{{cursor.from | minus:\"1d\"}}", "14.01.2024"},
        {"{{cursor.from | format:\"date\"}}", "2024-01-15"},
        {"{{cursor.from | urlencode}}", "15.01.2024"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct problems problems;
        struct buf out = BUF_INIT(1024);
        struct err err = ERR_INIT;
        bool has_secret = false;
        const struct template *compiled = compile(&arena, config, CASES[i].text, ALL_ROOTS, &problems);
        assert_no_problem(&problems);
        assert_true(template_render(compiled, &values, ESCAPE_NONE, &out, &has_secret, &err) >= 0);
        assert_string_equal(buf_text(&out), CASES[i].expected);
        buf_release(&out);
    }
    arena_release(&arena);
}

static void test_lists_in_a_body(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config = config_of(&arena, "{}", "{}");
    static const struct {
        const char *text, *fields, *expected;
        int kind;
    } CASES[] = {
        {"{{stream.fields | list}}", "id,say \"x\"", "[\"id\",\"say \\\"x\\\"\"]", RENDERED_LIST},
        {"{{stream.fields | list}}", "id", "[\"id\"]", RENDERED_LIST},
        {"{{stream.fields | list_of:'id'}}", "1,2", "[{\"id\":\"1\"},{\"id\":\"2\"}]", RENDERED_LIST},
        {"{{stream.fields | list}}", "", "", RENDERED_NOTHING},
        {"{{stream.fields | list | upper}}", "a", "[\"A\"]", RENDERED_TEXT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct problems problems;
        struct buf out = BUF_INIT(1024);
        struct err err = ERR_INIT;
        bool has_secret = false;
        struct template_values values = {.config = config, .stream_fields = str_from(CASES[i].fields)};
        const struct template *compiled = compile(&arena, config, CASES[i].text, ALL_ROOTS | TEMPLATE_FIELDS, &problems);
        assert_no_problem(&problems);
        assert_int_equal(template_render(compiled, &values, ESCAPE_NONE, &out, &has_secret, &err), CASES[i].kind);
        assert_string_equal(buf_text(&out), CASES[i].expected);
        buf_release(&out);
    }
    arena_release(&arena);
}

static void test_mistakes_are_found_when_loaded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned roots;
        const char *problem;
    } CASES[] = {
        {"{{config.acount}}", ALL_ROOTS, "unknown name 'config.acount' in {{...}} [did you mean 'config.account'?]"},
        {"{{cursor.form}}", ALL_ROOTS, "did you mean 'cursor.from'?"},
        {"{{cursor.from}}", TEMPLATE_CONFIG, "'cursor.from' does not exist here [only requests of a stream with a cursor"},
        {"{{parent.id}}", TEMPLATE_CONFIG | TEMPLATE_PAGE, "'parent.id' does not exist here"},
        {"{{record.id}}", TEMPLATE_CONFIG, "'record.id' does not exist here"},
        {"{{nwo}}", ALL_ROOTS, "unknown name 'nwo'"},
        {"{{config.}}", ALL_ROOTS, "unknown name 'config.'"},
        {"{{}}", ALL_ROOTS, "holds no name"},
        {"{{ | upper}}", ALL_ROOTS, "holds no name"},
        {"{{now", ALL_ROOTS, "'{{' without '}}'"},
        {"{{now \"}}\"", ALL_ROOTS, "'{{' without '}}'"},
        {"{{now now}}", ALL_ROOTS, "expected '|' or '}}' at 'now'"},
        {"{{now | formt:\"date\"}}", ALL_ROOTS, "unknown filter 'formt' [did you mean 'format'?]"},
        {"{{now | format}}", ALL_ROOTS, "needs an argument in quotes"},
        {"{{now | format:date}}", ALL_ROOTS, "needs an argument in quotes"},
        {"{{now | upper:\"x\"}}", ALL_ROOTS, "takes no argument"},
        {"{{now | format:\"%Q\"}}", ALL_ROOTS, "'%Q' is not a time format"},
        {"{{now | minus:\"soon\"}}", ALL_ROOTS, "'soon' is not a duration"},
        {"{{now|upper|upper|upper|upper|upper|upper|upper|upper|upper}}", ALL_ROOTS, "more than 8 filters"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems;
        const struct config *config = config_of(&arena, TABLE, VALUES);
        assert_null(compile(&arena, config, CASES[i].text, CASES[i].roots, &problems));
        assert_problem(&problems, CASES[i].problem);
        arena_release(&arena);
    }
}

static void test_secrets_are_refused_where_they_would_be_shown(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config = config_of(&arena, TABLE, VALUES);
    struct template_scope scope = {.config = config->table, .roots = ALL_ROOTS, .refuse_secrets = true};
    struct problems problems = PROBLEMS_INIT(&arena);
    assert_null(template_compile(STR("https://{{config.api_key}}.test"), NULL, "http.base", &scope, &arena, &problems));
    assert_problem(&problems, "http.base: the secret 'api_key' cannot stand here");
    arena_release(&arena);
}

static void test_a_template_has_a_size(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    struct buf text = BUF_INIT(1 << 20);
    const struct config *config = config_of(&arena, TABLE, VALUES);
    for (int i = 0; i < TEMPLATE_MAX_PARTS; i++) buf_append_text(&text, "{{now}}");
    assert_null(compile(&arena, config, buf_text(&text), ALL_ROOTS, &problems));
    assert_problem(&problems, "a template of more than");
    buf_release(&text);
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_names_and_text), cmocka_unit_test(test_filters),
           cmocka_unit_test(test_values_in_a_path_are_one_segment), cmocka_unit_test(test_kinds_of_lone_references),
           cmocka_unit_test(test_what_was_inserted_is_not_a_template), cmocka_unit_test(test_secrets_are_flagged),
           cmocka_unit_test(test_missing_and_unusable_values), cmocka_unit_test(test_cursors_go_out_in_their_own_format),
           cmocka_unit_test(test_lists_in_a_body), cmocka_unit_test(test_mistakes_are_found_when_loaded),
           cmocka_unit_test(test_secrets_are_refused_where_they_would_be_shown), cmocka_unit_test(test_a_template_has_a_size))
