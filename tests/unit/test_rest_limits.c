#include "rest_unit.h"

#include "rest/limits.h"

/* Single quotes for double ones, so that the cases can be read. */
static const struct node *quoted(struct arena *arena, const char *text)
{
    char *json = arena_strdup(arena, text);
    for (char *at = json; *at; at++)
        if (*at == '\'') *at = '"';
    return json_node(arena, json);
}

static struct limits compiled(struct arena *arena, const char *text)
{
    struct problems problems = PROBLEMS_INIT(arena);
    struct limits limits;
    limits_compile(quoted(arena, text), "rate_limit", NULL, arena, &limits, &problems);
    assert_no_problem(&problems);
    return limits;
}

/* A source that names no burst is not sent one on top of its `requests`. */
static void test_a_bucket_needs_a_burst(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum limiter_kind kind;
        int64_t burst;
    } CASES[] = {
        {"{'requests':10}", LIMITER_WINDOW, 0},
        {"{'kind':'bucket','requests':10}", LIMITER_WINDOW, 0},
        {"{'kind':'window','requests':10}", LIMITER_WINDOW, 0},
        {"{'requests':10,'burst':10}", LIMITER_BUCKET, 10},
        {"{'kind':'cost','points':50,'weight':7}", LIMITER_COST, 50},
        {"{'kind':'cost','points':50,'burst':1000,'weight':700}", LIMITER_COST, 1000},
        {"{'kind':'concurrency','requests':5}", LIMITER_CONCURRENCY, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct limits limits = compiled(&arena, CASES[i].text);
        assert_int_equal(limits.count, 1);
        assert_int_equal(limits.list[0].rule.kind, CASES[i].kind);
        assert_int_equal(limits.list[0].rule.burst, CASES[i].burst);
        arena_release(&arena);
    }
}

static void test_everything_a_limit_can_say(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct limits limits = compiled(
        &arena,
        "[{'requests':190,'per':'10s','slow_down':0.1},"
        "{'name':'search','requests':5,'match':{'path':'/crm/*/search','method':'POST','streams':'contacts'},'weight':2},"
        "{'kind':'quota','requests':1000,'reset':'midnight','zone':'-05:00','stop_at':0.8,'pool':'acme',"
        "'learn':{'limit':'X-Daily','remaining':'X-Daily-Remaining'}},"
        "{'kind':'quota','learn':{'usage':'Sforce-Limit-Info'}},"
        "{'kind':'cost','points':100,'learn':{'cost':'$.extensions.cost.actualQueryCost','rate':'$.rate','reset':'R',"
        "'limit':'L','used':'U'}}]");
    assert_int_equal(limits.count, 5);
    assert_true(limits.list[0].rule.slow_down > 0.09 && limits.list[0].rule.per_ms == 10000);
    const struct limiter_rule *search = &limits.list[1].rule, *daily = &limits.list[2].rule;
    assert_string_equal(search->name, "search");
    assert_string_equal(search->match.path, "/crm/*/search");
    assert_string_equal(search->match.method, "POST");
    assert_int_equal(search->match.stream_count, 1);
    assert_string_equal(search->match.streams[0], "contacts");
    assert_int_equal(search->weight, 2);
    assert_true(daily->by_calendar && daily->zone_s == -5 * 3600 && daily->stop_at > 0.79);
    assert_string_equal(daily->pool, "acme");
    assert_string_equal(daily->learn->remaining, "X-Daily-Remaining");
    assert_int_equal(limits.list[3].rule.requests, 0);
    assert_int_equal(limits.list[3].rule.per_ms, 86400000);
    assert_string_equal(limits.list[4].rule.learn->rate, "$.rate");
    /* The rules are what a limiter takes. */
    const struct limiter_rule *rules;
    struct err err = ERR_INIT;
    assert_int_equal(limits_rules(&limits, NULL, 0, "/api/v3/", &arena, &rules, &err), 0);
    assert_string_equal(rules[1].match.path, "/api/v3/crm/*/search");
    const struct limiter_options options = {.rules = rules, .rule_count = limits.count};
    struct limiter *limiter = NULL;
    assert_int_equal(limiter_new(&options, &limiter, &err), 0);
    limiter_free(limiter);
    arena_release(&arena);
}

static void test_wrong_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } CASES[] = {
        {"{}", "rate_limit: 'requests' is missing"},
        {"[{'requests':1},{'request':1}]", "rate_limit[2]"},
        {"[[]]", "rate_limit[1]: expected a map"},
        {"'fast'", "rate_limit: expected a map"},
        {"{'requests':10,'weight':11}", "rate_limit.weight: a request would count as more than there are"},
        {"{'requests':10,'match':{'path':'search'}}", "a path begins with '/' or '*'"},
        {"{'requests':10,'match':{'pth':'/x'}}", "did you mean 'path'?"},
        {"{'requests':10,'learn':{'used':'X'}}", "'used' says nothing without 'limit'"},
        {"{'kind':'quota'}", "rate_limit.requests: is missing"},
        {"{'kind':'quota','learn':{'remaining':'X'}}", "rate_limit.requests: is missing"},
        {"{'kind':'quota','requests':10,'stop_at':0}", "rate_limit.stop_at: must be above zero"},
        {"{'kind':'quota','requests':10,'stop_at':0.01}", "rate_limit.stop_at: leaves nothing of it"},
        {"{'kind':'quota','requests':10,'zone':'+02:00'}", "rate_limit.zone: goes with reset"},
        {"{'kind':'quota','requests':10,'reset':'midnight','zone':'Oslo'}", "expected an offset like '+02:00'"},
        {"{'kind':'quota','requests':10,'reset':'midnight','per':'1h'}", "rate_limit.per: goes with reset"},
        {"{'kind':'concurrency','requests':121}", "from 1 to 120"},
        {"{'kind':'cost','requests':10}", "unknown key 'requests'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        struct limits limits;
        limits_compile(quoted(&arena, CASES[i].text), "rate_limit", NULL, &arena, &limits, &problems);
        assert_problem(&problems, CASES[i].problem);
        assert_int_equal(limits.count, 0);
        arena_release(&arena);
    }
}

static void test_too_many_limits(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct buf text = BUF_INIT(1 << 16);
    struct limits limits;
    for (int i = 0; i <= LIMITER_RULES_MAX; i++) buf_printf(&text, "%s{'requests':1}", i ? "," : "[");
    buf_append_text(&text, "]");
    limits_compile(quoted(&arena, buf_text(&text)), "rate_limit", NULL, &arena, &limits, &problems);
    assert_problem(&problems, "16 limits at most, got 17");
    buf_release(&text);
    arena_release(&arena);
}

static void test_a_pool_is_a_template_in_a_connector(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct err err = ERR_INIT;
    const struct config *config = config_of(&arena, "{\"account\":{\"type\":\"string\"}}", "{\"account\":\"acme\"}");
    const struct limiter_rule *rules;
    struct limits limits;
    limits_compile(quoted(&arena, "{'requests':1,'pool':'portal {{config.account}}'}"), "rate_limit", config->table, &arena,
                   &limits, &problems);
    assert_no_problem(&problems);
    assert_int_equal(limits_rules(&limits, config, 0, "/", &arena, &rules, &err), 0);
    assert_string_equal(rules[0].pool, "portal acme");
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_a_bucket_needs_a_burst), cmocka_unit_test(test_everything_a_limit_can_say),
           cmocka_unit_test(test_wrong_limits), cmocka_unit_test(test_too_many_limits),
           cmocka_unit_test(test_a_pool_is_a_template_in_a_connector))
