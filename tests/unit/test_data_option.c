/* option: one table judges a map; every mistake at once, each with its line and what to write instead. Durations and sizes. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "data/option.h"

static const struct option COLUMN_ARRAY[] = {
    {"enabled", OPTION_BOOLEAN, 0, "true", NULL, NULL, "false blocks it"},
    {"reason", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "why"},
};
static const struct option_table COLUMN = OPTION_TABLE("a column", COLUMN_ARRAY);

static const struct option SHOP_ARRAY[] = {
    {"connector", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "a name or a path"},
    {"destination", OPTION_STRING, 0, NULL, NULL, NULL, "where rows go"},
    {"concurrency", OPTION_INTEGER, 0, "4", "1..64", NULL, "slices at once"},
    {"offset", OPTION_INTEGER, 0, NULL, NULL, NULL, "any integer"},
    {"share", OPTION_NUMBER, 0, "0.5", "0..1", NULL, "a share"},
    {"enabled", OPTION_BOOLEAN, 0, "true", NULL, NULL, "on or off"},
    {"write_mode", OPTION_ENUM, 0, "append", "append|overwrite|append_dedup", NULL, "how"},
    {"timeout", OPTION_DURATION, 0, "1m", NULL, NULL, "how long"},
    {"memory", OPTION_SIZE, 0, "8MiB", NULL, NULL, "how much"},
    {"start", OPTION_TIMESTAMP, 0, NULL, NULL, NULL, "from when"},
    {"token", OPTION_INTEGER, OPTION_SECRET, NULL, NULL, NULL, "a secret"},
    {"select", OPTION_LIST, 0, NULL, NULL, NULL, "fields"},
    {"commit", OPTION_MAP, 0, NULL, NULL, &COLUMN, "a map"},
    {"columns", OPTION_MAP_OF, 0, NULL, NULL, &COLUMN, "maps by name"},
    {"names", OPTION_MAP_OF, 0, NULL, NULL, NULL, "scalars by name"},
    {"rules", OPTION_LIST_OF, 0, NULL, NULL, &COLUMN, "a list of maps"},
    {"config", OPTION_ANY, 0, NULL, NULL, NULL, "anything"},
    {"size", OPTION_INTEGER, OPTION_TEMPLATE, "100", NULL, NULL, "may be a template"},
    {"params", OPTION_MAP_OF, OPTION_TEMPLATE | OPTION_FUNCTION, NULL, NULL, NULL, "scalars, templates, functions"},
    {"path", OPTION_STRING, OPTION_TEMPLATE | OPTION_FUNCTION, NULL, NULL, NULL, "may be a function"},
    {"map", OPTION_MAP, OPTION_FUNCTION, NULL, NULL, &COLUMN, "a map or a function"},
};
static const struct option_table SHOP = OPTION_TABLE("a pipeline", SHOP_ARRAY);

static const struct node *parse(struct arena *arena, const char *text)
{
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    if (node_from_yaml(str_from(text), "sluice.yaml", arena, &root, &err) != 0) fail_msg("%s", err.message);
    return root;
}

static void assert_problem(const struct problem *problem, unsigned line, const char *message, const char *hint)
{
    assert_string_equal(problem->message, message);
    assert_int_equal(problem->line, line);
    if (hint)
        assert_string_equal(problem->hint ? problem->hint : "(none)", hint);
    else
        assert_null(problem->hint);
}

/* One key under a map that is right otherwise. */
static void assert_accepted(const char *key)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    option_check(&SHOP, parse(&arena, arena_printf(&arena, "connector: shop\n%s\n", key)), "", &problems);
    if (problems.count) fail_msg("%s: %s", key, problems.list[0].message);
    arena_release(&arena);
}

static void assert_refused(const char *key, const char *message, const char *hint)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    option_check(&SHOP, parse(&arena, arena_printf(&arena, "connector: shop\n%s\n", key)), "", &problems);
    if (problems.count != 1) fail_msg("%s: %zu problems", key, problems.count);
    assert_string_equal(problems.list[0].file, "sluice.yaml");
    assert_problem(&problems.list[0], 2, message, hint);
    arena_release(&arena);
}

static void test_every_mistake_is_reported_at_once_with_its_line(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    const struct node *root = parse(&arena, "concurrency: many\n"
                                            "destinaton: warehouse\n"
                                            "zzz: 1\n"
                                            "columns:\n"
                                            "  notes:\n"
                                            "    enabled: yes\n"
                                            "  other: { enabled: false, reason: x }\n"
                                            "rules:\n"
                                            "  - reason: good\n"
                                            "  - reason: [1]\n"
                                            "    wrong: 1\n");
    option_check(&COLUMN, root, "x", &problems);
    assert_true(problems.count > 5); /* none of the keys is a column's */
    problems = PROBLEMS_INIT(&arena);
    option_check(&SHOP, root, "pipelines.shop", &problems);
    assert_int_equal(problems_listed(&problems), 8);
    const struct problem *list = problems.list;
    assert_problem(&list[0], 1, "pipelines.shop.concurrency: expected an integer from 1 to 64, got 'many'", NULL);
    assert_problem(&list[1], 2, "pipelines.shop: unknown key 'destinaton'", "did you mean 'destination'?");
    assert_problem(
        &list[2], 3, "pipelines.shop: unknown key 'zzz'",
        "a pipeline has: connector, destination, concurrency, offset, share, enabled, write_mode, timeout, memory, start, "
        "token, select, commit, columns, names, rules, config, size, params, path, map");
    assert_problem(&list[3], 6, "pipelines.shop.columns.notes.enabled: expected true or false, got 'yes'", "write true");
    assert_problem(&list[4], 5, "pipelines.shop.columns.notes: 'reason' is missing", "reason: why");
    assert_problem(&list[5], 10, "pipelines.shop.rules[1].reason: expected a string, got a list", NULL);
    assert_problem(&list[6], 11, "pipelines.shop.rules[1]: unknown key 'wrong'", "a column has: enabled, reason");
    assert_problem(&list[7], 1, "pipelines.shop: 'connector' is missing", "connector: a name or a path");

    struct err err = ERR_INIT;
    assert_int_equal(problems_to_err(&problems, ERR_CONFIG, &err), ERR_CONFIG);
    assert_string_equal(err.message, "sluice.yaml:1: pipelines.shop.concurrency: expected an integer from 1 to 64, got 'many' "
                                     "(and 7 more)");
    arena_release(&arena);
}

static void test_scalars_are_judged_by_their_text(void **state)
{
    (void)state;
    static const char *const GOOD[] = {
        "destination: 12",
        "destination: true",
        "destination: 1.10",
        "destination: ''",
        "concurrency: 64",
        "concurrency: '1'",
        "offset: -9223372036854775808",
        "offset: 9007199254740993",
        "share: 1e-1",
        "share: 0",
        "share: 1.0",
        "enabled: False",
        "enabled: 'true'",
        "write_mode: append_dedup",
        "timeout: 500ms",
        "timeout: 30",
        "timeout: 1.5h",
        "memory: 64KiB",
        "memory: 1000",
        "start: 2024-01-15",
        "start: 2024-01-15T10:00:00+02:00",
        "select: id",
        "select: [id, 2, true]",
        "select: []",
        "select: {}",
        "names: {}",
        "names: []",
        "names: {a: 1, b: x}",
        "columns: {}",
        "columns: []",
        "columns:",
        "rules: []",
        "rules: {}",
        "commit: {reason: x}",
        "config:",
        "config: [1, {a: b}]",
        "config: {$function: x}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) assert_accepted(GOOD[i]);
}

static void test_wrong_values_say_what_was_expected(void **state)
{
    (void)state;
    assert_refused("destination: [a]", "destination: expected a string, got a list", NULL);
    assert_refused("destination:", "destination: expected a string, got nothing", "write a value, or leave the key out");
    assert_refused("concurrency: 0", "concurrency: expected an integer from 1 to 64, got '0'", NULL);
    assert_refused("concurrency: 65", "concurrency: expected an integer from 1 to 64, got '65'", NULL);
    assert_refused("concurrency: 010", "concurrency: expected an integer from 1 to 64, got '010'", NULL);
    assert_refused("concurrency: 99999999999999999999",
                   "concurrency: expected an integer from 1 to 64, got '99999999999999999999'", NULL);
    assert_refused("offset: 1.5", "offset: expected an integer, got '1.5'", NULL);
    assert_refused("offset: 0x10", "offset: expected an integer, got '0x10'", NULL);
    assert_refused("share: 1.0000000000000000000001", "share: expected a number from 0 to 1, got '1.0000000000000000000001'",
                   NULL);
    assert_refused("share: .inf", "share: expected a number from 0 to 1, got '.inf'", NULL);
    assert_refused("share: 1e999", "share: expected a number from 0 to 1, got '1e999'", NULL);
    assert_refused("enabled: off", "enabled: expected true or false, got 'off'", "write false");
    assert_refused("enabled: 1", "enabled: expected true or false, got '1'", "write true");
    assert_refused("enabled: maybe", "enabled: expected true or false, got 'maybe'", NULL);
    assert_refused("write_mode: apend", "write_mode: expected append, overwrite or append_dedup, got 'apend'",
                   "did you mean 'append'?");
    assert_refused("write_mode: Append", "write_mode: expected append, overwrite or append_dedup, got 'Append'",
                   "did you mean 'append'?");
    assert_refused("write_mode: x", "write_mode: expected append, overwrite or append_dedup, got 'x'", NULL);
    assert_refused("write_mode: append|overwrite",
                   "write_mode: expected append, overwrite or append_dedup, got 'append|overwrite'", NULL);
    assert_refused("timeout: 1y", "timeout: expected a duration like 500ms, 30s, 5m, 2h, 1d or 1w, got '1y'", NULL);
    assert_refused("memory: 8M", "memory: expected a size like 64KiB, 8MiB or 1GB, got '8M'", NULL);
    assert_refused("start: yesterday", "start: expected a timestamp like 2024-01-15T10:00:00Z, or a date, got 'yesterday'",
                   NULL);
    assert_refused("select: {a: b}", "select: expected a list, got a map", NULL);
    assert_refused("select: [a, [b]]", "select[1]: expected a string, got a list", NULL);
    assert_refused("select:", "select: expected a list, got nothing", "write a value, or leave the key out");
    assert_refused("commit: 5", "commit: expected a map, got '5'", NULL);
    assert_accepted("commit:"); /* left out */
    assert_refused("commit: {}", "commit: 'reason' is missing", "reason: why");
    assert_refused("columns: [a]", "columns: expected a map, got a list", NULL);
    assert_refused("columns: {a: 5}", "columns.a: expected a map, got '5'", NULL);
    assert_refused("columns: {a: }", "columns.a: 'reason' is missing", "reason: why");
    assert_refused("names: {'': x}", "names: a name is empty", NULL);
    assert_refused("names: {a: [x]}", "names.a: expected a string, got a list", NULL);
    assert_refused("rules: {a: b}", "rules: expected a list of maps, got a map", NULL);
    assert_refused("rules: [5]", "rules[0]: expected a map, got '5'", NULL);
}

static void test_templates_and_functions_only_where_allowed(void **state)
{
    (void)state;
    assert_accepted("size: '{{config.size}}'");
    assert_accepted("size: 20");
    assert_accepted("path: { $function: streams.orders.path }");
    assert_accepted("path: '/orders/{{slice.id}}'");
    assert_accepted("params: { a: '{{cursor.value}}', b: { $function: streams.orders.params.b }, c: 1 }");
    assert_accepted("params: { $function: streams.orders.params }");
    assert_accepted("map: { $function: streams.orders.map }");
    assert_accepted("map: { reason: x }");
    assert_accepted("destination: '{{not.a.template}}'"); /* a string like any other */
    assert_refused("offset: '{{config.offset}}'", "offset: expected an integer, got '{{config.offset}}'", NULL);
    assert_refused("size: large", "size: expected an integer, got 'large'", NULL);
    assert_refused("size: { $function: f }", "size: expected an integer, got a function", "this key takes no function");
    assert_refused("commit: { $function: f }", "commit: expected a map, got a function", "this key takes no function");
    assert_refused("names: { a: { $function: f } }", "names.a: expected a string, got a function",
                   "this key takes no function");
    assert_refused("path: { $function: f, more: x }", "path: expected a string, got a map", NULL);
    assert_refused("path: { $function: [f] }", "path: expected a string, got a map", NULL);
}

static void test_functions_and_templates_are_recognised(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct node *root = parse(&arena, "{f: {$function: a.b}, t: 'x{{y}}', s: '{x}', m: {a: '{{b}}'}}");
    assert_string_equal(option_function(node_get(root, "f")), "a.b");
    assert_null(option_function(node_get(root, "m")));
    assert_null(option_function(node_get(root, "t")));
    assert_null(option_function(NULL));
    assert_true(option_is_template(node_get(root, "t")));
    assert_false(option_is_template(node_get(root, "s")));
    assert_false(option_is_template(node_get(root, "m")));
    assert_false(option_is_template(NULL));
    arena_release(&arena);
}

static void test_a_secret_is_never_shown(void **state)
{
    (void)state;
    assert_accepted("token: 12");
    assert_refused("token: hunter2", "token: expected an integer, got another text", NULL);
}

static void test_hostile_names_and_values_stay_one_short_line(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct buf text = BUF_INIT(1 << 20);
    buf_append_text(&text, "? "); /* else a key has 1,024 characters at most */
    for (int i = 0; i < 100000; i++) buf_append_char(&text, 'k');
    buf_append_text(&text, "\n: 1\nconcurrency: ");
    for (int i = 0; i < 100000; i++) buf_append_char(&text, 'v');
    option_check(&SHOP, parse(&arena, buf_text(&text)), "", &problems);
    buf_release(&text);
    assert_int_equal(problems.count, 3);
    for (size_t i = 0; i < problems.count; i++) {
        assert_true(strlen(problems.list[i].message) < 1024);
        assert_null(strpbrk(problems.list[i].message, "\n\x1b"));
    }
    assert_string_equal(problems.list[1].message, "concurrency: expected an integer from 1 to 64, got "
                                                  "'vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv...'");
    arena_release(&arena);
    problems = PROBLEMS_INIT(&arena);
    option_check(&SHOP, parse(&arena, "connector: x\n\"a\\nb\\e[2J\": 1\n"), "", &problems);
    assert_string_equal(problems.list[0].message, "unknown key 'a b [2J'");
    arena_release(&arena);
}

static void test_problems_past_the_limit_are_counted(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(1 << 20);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 1000; i++) buf_printf(&text, "unknown_key_%d: 1\n", i);
    option_check(&SHOP, parse(&arena, buf_text(&text)), "", &problems);
    assert_int_equal(problems.count, 1001);
    assert_int_equal(problems_listed(&problems), PROBLEMS_MAX);
    assert_string_equal(problems.list[PROBLEMS_MAX - 1].message, "unknown key 'unknown_key_99'");
    const char *hint = problems.list[PROBLEMS_MAX - 1].hint;
    problems_hint(&problems, "for a problem that is not listed");
    assert_ptr_equal(problems.list[PROBLEMS_MAX - 1].hint, hint);
    struct err err = ERR_INIT;
    assert_int_equal(problems_to_err(&problems, ERR_CONFIG, &err), ERR_CONFIG);
    assert_string_equal(err.message, "sluice.yaml:1: unknown key 'unknown_key_0' (and 1000 more)");
    buf_release(&text);
    arena_release(&arena);
}

static void test_problems_to_err_takes_the_first_with_its_hint(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct err err = ERR_INIT;
    assert_int_equal(problems_to_err(&problems, ERR_CONFIG, &err), 0);
    assert_int_equal(err.class, 0);
    problems_hint(&problems, "there is nothing to hint at");
    problems_add(&problems, NULL, "no %s", "place");
    problems_hint(&problems, "do %s", "this");
    assert_int_equal(problems_to_err(&problems, ERR_CONNECTOR, &err), ERR_CONNECTOR);
    assert_string_equal(err.message, "no place");
    assert_string_equal(err.hint, "do this");
    char *text = malloc(3000);
    memset(text, 'x', 2999);
    text[2999] = '\0';
    problems = PROBLEMS_INIT(&arena);
    problems_add(&problems, NULL, "%s", text);
    problems_add(&problems, NULL, "second");
    assert_int_equal(problems_to_err(&problems, ERR_CONFIG, &err), ERR_CONFIG);
    assert_string_equal(err.message + strlen(err.message) - 14, "x (and 1 more)");
    free(text);
    arena_release(&arena);
}

static void test_what_is_no_map_is_refused_and_nothing_is_an_empty_map(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    option_check(&SHOP, parse(&arena, "[a]"), "pipelines.shop", &problems);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].message, "pipelines.shop: expected a map, got a list");
    option_check(&SHOP, parse(&arena, "text"), "", &problems);
    assert_string_equal(problems.list[1].message, "expected a map, got 'text'");
    option_check(&SHOP, parse(&arena, ""), "", &problems);
    assert_string_equal(problems.list[2].message, "'connector' is missing");
    option_check(&SHOP, NULL, "shop", &problems);
    assert_string_equal(problems.list[3].message, "shop: 'connector' is missing");
    assert_int_equal(problems.count, 4);
    arena_release(&arena);
}

static void test_getters_give_the_value_or_the_default(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct node *set =
        parse(&arena, "{connector: shop, concurrency: 8, share: 0.25, enabled: FALSE, write_mode: overwrite,"
                      " timeout: 2h, memory: 1KiB, offset: -5, columns: }");
    assert_string_equal(option_text(&SHOP, set, "connector"), "shop");
    assert_string_equal(option_text(&SHOP, set, "write_mode"), "overwrite");
    assert_int_equal(option_integer(&SHOP, set, "concurrency"), 8);
    assert_int_equal(option_integer(&SHOP, set, "offset"), -5);
    assert_true(option_number(&SHOP, set, "share") == 0.25);
    assert_false(option_boolean(&SHOP, set, "enabled"));
    assert_int_equal(option_duration_ms(&SHOP, set, "timeout"), 7200000);
    assert_int_equal(option_size_bytes(&SHOP, set, "memory"), 1024);
    assert_true(option_is_set(set, "memory"));
    assert_false(option_is_set(set, "columns")); /* null */
    assert_false(option_is_set(set, "path"));
    assert_false(option_is_set(NULL, "path"));
    assert_null(option_text(&SHOP, NULL, "connector"));
    assert_string_equal(option_text(&SHOP, NULL, "write_mode"), "append");
    assert_int_equal(option_integer(&SHOP, NULL, "concurrency"), 4);
    assert_int_equal(option_integer(&SHOP, NULL, "offset"), 0);
    assert_true(option_number(&SHOP, NULL, "share") == 0.5);
    assert_true(option_boolean(&SHOP, NULL, "enabled"));
    assert_int_equal(option_duration_ms(&SHOP, NULL, "timeout"), 60000);
    assert_int_equal(option_size_bytes(&SHOP, NULL, "memory"), 8 << 20);
    const struct node *other = parse(&arena, "{path: {$function: f}, size: '{{config.size}}'}");
    assert_null(option_text(&SHOP, other, "path"));
    assert_string_equal(option_text(&SHOP, other, "size"), "{{config.size}}");
    arena_release(&arena);
}

/* Runs `what` in a child and returns how that ended. */
static int exit_code_of(void (*what)(void))
{
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        what();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_unknown_name(void)
{
    (void)option_text(&SHOP, NULL, "no_such_option");
}

static void read_template_as_number(void)
{
    struct node child = {.kind = NODE_STRING, .key = STR("size"), .text = STR("{{config.size}}")};
    struct node map = {.kind = NODE_MAP, .children = &child, .count = 1};
    (void)option_integer(&SHOP, &map, "size");
}

static void test_misusing_a_getter_is_a_bug_of_ours(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(read_unknown_name), 1);
    assert_int_equal(exit_code_of(read_template_as_number), 1);
}

static void test_expected_values_in_words(void **state)
{
    (void)state;
    char text[64];
    option_expected(option_find(&SHOP, STR("concurrency")), text, sizeof text);
    assert_string_equal(text, "an integer from 1 to 64");
    option_expected(option_find(&SHOP, STR("write_mode")), text, sizeof text);
    assert_string_equal(text, "append, overwrite or append_dedup");
    option_expected(option_find(&SHOP, STR("write_mode")), text, 10);
    assert_string_equal(text, "append, o");
    static const struct option SINGLE = {"kind", OPTION_ENUM, 0, NULL, "none", NULL, NULL};
    option_expected(&SINGLE, text, sizeof text);
    assert_string_equal(text, "none");
    assert_null(option_find(&SHOP, STR("Connector")));
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {{"0", 0},        {"30", 30000},    {"500ms", 500},    {"30s", 30000},    {"5m", 300000},
                {"2h", 7200000}, {"1d", 86400000}, {"1w", 604800000}, {"1.5h", 5400000}, {"1.1m", 66000},
                {"0.5", 500},    {"0.001s", 1},    {"2.50s", 2500},   {"007s", 7000},    {"3652500d", 315576000000000}};
    static const char *const BAD[] = {"",
                                      "s",
                                      "-5s",
                                      "+5s",
                                      " 5s",
                                      "5 s",
                                      "5s ",
                                      "5S",
                                      "5M",
                                      "5min",
                                      "1y",
                                      "1mo",
                                      "5m30s",
                                      "1e3",
                                      "0.1ms",
                                      "0.0001s",
                                      ".5s",
                                      "5.s",
                                      "1..5s",
                                      "1.5.5s",
                                      "5,5s",
                                      "0x5s",
                                      "3652501d",
                                      "99999999999999999999s",
                                      "18446744073709551615w",
                                      "1.00000000000000000000000000s",
                                      "inf",
                                      "nan"};
    int64_t ms;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        if (!duration_parse(str_from(GOOD[i].text), &ms)) fail_msg("'%s' was refused", GOOD[i].text);
        if (ms != GOOD[i].ms) fail_msg("'%s' is %" PRId64, GOOD[i].text, ms);
    }
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        if (duration_parse(str_from(BAD[i]), &ms)) fail_msg("'%s' was accepted", BAD[i]);
    assert_false(duration_parse(STR("5s\0"), &ms));
    assert_false(duration_parse((struct str){0}, &ms));
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } GOOD[] = {{"0", 0},
                {"100", 100},
                {"100B", 100},
                {"64KiB", 65536},
                {"8MiB", 8388608},
                {"8mib", 8388608},
                {"1GiB", 1073741824},
                {"1TiB", 1099511627776},
                {"64KB", 64000},
                {"1GB", 1000000000},
                {"1.5KiB", 1536},
                {"0.5KB", 500},
                {"9223372036854775807", INT64_MAX}};
    static const char *const BAD[] = {"",
                                      "B",
                                      "-1",
                                      "8M",
                                      "8K",
                                      "8G",
                                      "1.5",
                                      "1.5B",
                                      "1.0001KB",
                                      "8 MiB",
                                      "8MiB ",
                                      "8MiBs",
                                      "1e6",
                                      "9223372036854775808",
                                      "99999999TiB",
                                      "8388608TiB",
                                      "KiB8"};
    uint64_t bytes;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        if (!size_parse(str_from(GOOD[i].text), &bytes)) fail_msg("'%s' was refused", GOOD[i].text);
        if (bytes != GOOD[i].bytes) fail_msg("'%s' is %" PRIu64, GOOD[i].text, bytes);
    }
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        if (size_parse(str_from(BAD[i]), &bytes)) fail_msg("'%s' was accepted", BAD[i]);
}

UNIT_TESTS(cmocka_unit_test(test_every_mistake_is_reported_at_once_with_its_line),
           cmocka_unit_test(test_scalars_are_judged_by_their_text), cmocka_unit_test(test_wrong_values_say_what_was_expected),
           cmocka_unit_test(test_templates_and_functions_only_where_allowed),
           cmocka_unit_test(test_functions_and_templates_are_recognised), cmocka_unit_test(test_a_secret_is_never_shown),
           cmocka_unit_test(test_hostile_names_and_values_stay_one_short_line),
           cmocka_unit_test(test_problems_past_the_limit_are_counted),
           cmocka_unit_test(test_problems_to_err_takes_the_first_with_its_hint),
           cmocka_unit_test(test_what_is_no_map_is_refused_and_nothing_is_an_empty_map),
           cmocka_unit_test(test_getters_give_the_value_or_the_default),
           cmocka_unit_test(test_misusing_a_getter_is_a_bug_of_ours), cmocka_unit_test(test_expected_values_in_words),
           cmocka_unit_test(test_durations), cmocka_unit_test(test_sizes))
