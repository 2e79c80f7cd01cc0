/* Rules that say what an answer means: which answers they fit, and what of a description is no rule. */
#include "rest_unit.h"

#include "data/block.h"
#include "rest/describe.h"
#include "rest/errors.h"

static struct error_rules rules_of(struct arena *arena, const char *json, struct problems *problems)
{
    struct error_rules rules;
    struct config_table config = {0};
    describe_errors(&(struct describing){&config, arena, problems, NULL, NULL, NULL}, json_node(arena, json), "http.errors",
                    &rules);
    return rules;
}

static struct block *block_of(const char *text)
{
    struct block *block = block_new(NULL, strlen(text) + 1);
    memcpy(block->data, text, strlen(text));
    block->size = strlen(text);
    block_seal(block);
    return block;
}

static bool fits(const char *rule, int status, const char *header, const char *body)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct http_header headers[] = {{STR("content-type"), STR("text/plain")}, {STR("x-error"), str_from(header)}};
    char list[512];
    snprintf(list, sizeof list, "[%s]", rule);
    struct error_rules rules = rules_of(&arena, list, &problems);
    for (size_t i = 0; i < problems.count; i++) print_message("%s\n", problems.list[i].message);
    assert_int_equal(problems.count, 0);
    struct http_response response = {
        .status = status, .headers = headers, .header_count = header ? 2 : 1, .body = block_of(body)};
    bool result = error_rule_fits(&rules.list[0], &response);
    block_release(response.body);
    arena_release(&arena);
    return result;
}

static void test_which_answers_a_rule_fits(void **state)
{
    (void)state;
    static const struct {
        bool fits;
        const char *rule;
        int status;
        const char *header, *body;
    } CASES[] = {
        {true, "{\"status\":404,\"action\":\"ignore\"}", 404, NULL, ""},
        {false, "{\"status\":404,\"action\":\"ignore\"}", 400, NULL, ""},
        {true, "{\"status\":[401,\"5xx\"],\"action\":\"retry\"}", 599, NULL, ""},
        {true, "{\"status\":\"400-404\",\"action\":\"retry\"}", 402, NULL, ""},
        {false, "{\"status\":\"400-404\",\"action\":\"retry\"}", 405, NULL, ""},
        /* Slack: 200, and not ok. */
        {true, "{\"path\":\"ok\",\"equals\":false,\"action\":\"fail\"}", 200, NULL, "{\"ok\":false,\"error\":\"x\"}"},
        {false, "{\"path\":\"ok\",\"equals\":false,\"action\":\"fail\"}", 200, NULL, "{\"ok\":true}"},
        {false, "{\"path\":\"ok\",\"equals\":false,\"action\":\"fail\"}", 200, NULL, "{}"},
        {true, "{\"path\":\"error\",\"equals\":[\"a\",\"b\"],\"action\":\"fail\"}", 200, NULL, "{\"error\":\"b\"}"},
        {true, "{\"path\":\"code\",\"equals\":17,\"action\":\"fail\"}", 200, NULL, "{\"code\":17}"},
        {true, "{\"path\":\"error\",\"equals\":\"\\u00e9\",\"action\":\"fail\"}", 200, NULL, "{\"error\":\"\\u00e9\"}"},
        /* Salesforce: an array of errors. */
        {true, "{\"path\":\"*.errorCode\",\"equals\":\"B\",\"action\":\"fail\"}", 400, NULL,
         "[{\"errorCode\":\"A\"},{\"errorCode\":\"B\"}]"},
        {false, "{\"path\":\"*.errorCode\",\"equals\":\"C\",\"action\":\"fail\"}", 400, NULL, "[{\"errorCode\":\"A\"}]"},
        {true, "{\"path\":\"0.errorCode\",\"equals\":\"A\",\"action\":\"fail\"}", 400, NULL, "[{\"errorCode\":\"A\"}]"},
        /* GraphQL: a list that is empty is no error. */
        {true, "{\"path\":\"errors\",\"action\":\"fail\"}", 200, NULL, "{\"errors\":[{\"message\":\"x\"}]}"},
        {false, "{\"path\":\"errors\",\"action\":\"fail\"}", 200, NULL, "{\"errors\":[ ],\"data\":{}}"},
        {false, "{\"path\":\"errors\",\"action\":\"fail\"}", 200, NULL, "{\"errors\":null}"},
        {true, "{\"path\":\"errors.*.extensions.code\",\"equals\":\"THROTTLED\",\"action\":\"rate_limited\"}", 200, NULL,
         "{\"errors\":[{\"message\":\"no\"},{\"extensions\":{\"code\":\"THROTTLED\"}}]}"},
        {false, "{\"path\":\"errors.*.extensions.code\",\"equals\":\"THROTTLED\",\"action\":\"rate_limited\"}", 200, NULL,
         "{\"errors\":\"none\"}"},
        {true, "{\"path\":\"message\",\"contains\":\"per HOUR\",\"action\":\"rate_limited\"}", 429, NULL,
         "{\"message\":\"tokens per hour exhausted\"}"},
        {true, "{\"path\":\"data\",\"exists\":false,\"action\":\"retry\"}", 200, NULL, "{\"rows\":[]}"},
        {false, "{\"path\":\"data\",\"exists\":false,\"action\":\"retry\"}", 200, NULL, "{\"data\":{\"a\":1}}"},
        /* The body as it is, JSON or not, whole or cut. */
        {true, "{\"contains\":\"maintenance\",\"action\":\"retry\"}", 503, NULL, "<html>Under Maintenance</html>"},
        {false, "{\"contains\":\"maintenance\",\"action\":\"retry\"}", 503, NULL, ""},
        {true, "{\"path\":\"code\",\"equals\":\"X\",\"action\":\"fail\"}", 400, NULL, "{\"code\":\"X\",\"trace\":\"cut he"},
        {false, "{\"path\":\"code\",\"equals\":\"X\",\"action\":\"fail\"}", 400, NULL, "not json"},
        {false, "{\"path\":\"*.code\",\"equals\":\"X\",\"action\":\"fail\"}", 400, NULL, "[{\"code\""},
        /* Headers. */
        {true, "{\"header\":\"X-Error\",\"equals\":\"quota\",\"action\":\"fail\"}", 403, "quota", "{}"},
        {false, "{\"header\":\"X-Error\",\"equals\":\"quota\",\"action\":\"fail\"}", 403, "other", "{}"},
        {true, "{\"header\":\"x-error\",\"action\":\"fail\"}", 403, "any", "{}"},
        {false, "{\"header\":\"x-error\",\"action\":\"fail\"}", 403, NULL, "{}"},
        {true, "{\"header\":\"x-error\",\"exists\":false,\"action\":\"fail\"}", 403, NULL, "{}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        bool got = fits(CASES[i].rule, CASES[i].status, CASES[i].header, CASES[i].body);
        if (got != CASES[i].fits) print_message("case %zu: %s on %s\n", i, CASES[i].rule, CASES[i].body);
        assert_int_equal(got, CASES[i].fits);
    }
}

static void test_what_is_no_rule(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } CASES[] = {
        {"7", "expected a list of at most 100 rules, or a function"},
        {"[{\"action\":\"ignore\"}]", "a rule without a condition fits every answer"},
        {"[{\"status\":404}]", "'action' is missing"},
        {"[{\"status\":404,\"action\":\"ignroe\"}]", "ignroe"},
        {"[{\"status\":\"40x\",\"action\":\"ignore\"}]", "'40x' is no status"},
        {"[{\"status\":\"500-400\",\"action\":\"ignore\"}]", "'500-400' is no status"},
        {"[{\"status\":99,\"action\":\"ignore\"}]", "'99' is no status"},
        {"[{\"path\":\"a\",\"header\":\"b\",\"action\":\"ignore\"}]", "'header' or 'path', not both"},
        {"[{\"path\":\"a\",\"equals\":\"b\",\"contains\":\"c\",\"action\":\"ignore\"}]", "not several"},
        {"[{\"path\":\"a\",\"equals\":\"b\",\"exists\":true,\"action\":\"ignore\"}]", "not several"},
        {"[{\"equals\":\"b\",\"action\":\"ignore\"}]", "'equals' needs a 'path' or a 'header'"},
        {"[{\"status\":500,\"exists\":true,\"action\":\"ignore\"}]", "'exists' needs a 'path' or a 'header'"},
        {"[{\"path\":\"a\",\"contains\":\"\",\"action\":\"ignore\"}]", "an empty text"},
        {"[{\"status\":500,\"action\":\"ignore\",\"wait\":\"5s\"}]", "'wait' belongs to retry and rate_limited"},
        {"[{\"status\":500,\"action\":\"ignore\",\"class\":\"auth\"}]", "'class' belongs to fail"},
        {"[{\"status\":500,\"action\":\"fail\",\"class\":\"transient\"}]", "transient"},
        {"[{\"stats\":500,\"action\":\"fail\"}]", "stats"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        (void)rules_of(&arena, CASES[i].json, &problems);
        if (problems.count == 0) print_message("nothing said about %s\n", CASES[i].json);
        assert_true(problems.count > 0);
        if (!strstr(problems.list[0].message, CASES[i].says)) print_message("%s\n", problems.list[0].message);
        assert_non_null(strstr(problems.list[0].message, CASES[i].says));
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_answers_a_rule_fits),
        cmocka_unit_test(test_what_is_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
