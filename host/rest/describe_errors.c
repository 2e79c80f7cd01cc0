/* describe_errors: compiles rules that say what answers mean. */
#include "rest/describe.h"

#include "base/check.h"
#include "base/number.h"
#include "rest/vocabulary.h"

enum { RULES_MAX = 100 };

/* A rule on its way. */
struct rule_in_hand {
    const struct describing *with;
    const struct node *node;
    const char *path; /* "streams.orders.errors.2" */
    struct error_rule *rule;
};

static bool read_status(struct str text, struct error_statuses *statuses)
{
    int64_t from, to;
    struct str rest = text, first = {0}, second = {0};
    if (text.size == 3 && text.data[0] >= '1' && text.data[0] <= '5' &&
        str_equal_nocase((struct str){text.data + 1, 2}, STR("xx"))) {
        *statuses = (struct error_statuses){(text.data[0] - '0') * 100, (text.data[0] - '0') * 100 + 99};
        return true;
    }
    str_next(&rest, '-', &first);
    if (!str_next(&rest, '-', &second)) second = first;
    if (rest.size > 0 || !number_to_int64(first, &from) || !number_to_int64(second, &to)) return false;
    *statuses = (struct error_statuses){(int)from, (int)to};
    return from >= 100 && to <= 599 && from <= to;
}

/* A list's elements, or a scalar alone. */
static size_t elements(const struct node *node)
{
    return !node || node->kind == NODE_NULL ? 0 : node->kind == NODE_LIST ? node->count : 1;
}

static const struct node *element(const struct node *node, size_t at)
{
    return node->kind == NODE_LIST ? &node->children[at] : node;
}

static void read_statuses(const struct rule_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "status");
    size_t count = elements(node);
    struct error_statuses *statuses = arena_array(hand->with->arena, struct error_statuses, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (read_status(node_text(element(node, i)), &statuses[i])) continue;
        problems_add(hand->with->problems, element(node, i), "%s.status: '" STR_FMT "' is no status", hand->path,
                     STR_ARG(node_text(element(node, i))));
        problems_hint(hand->with->problems, "a number like 404, a class like 5xx, or a range like 500-599");
    }
    hand->rule->statuses = statuses;
    hand->rule->status_count = count;
}

static void read_texts(const struct rule_in_hand *hand, const char *key, enum error_test test)
{
    const struct node *node = node_get(hand->node, key);
    if (!option_is_set(hand->node, key)) return;
    if (hand->rule->test != TEST_NONE)
        problems_add(hand->with->problems, node, "%s: one of 'equals', 'contains' and 'exists', not several", hand->path);
    size_t count = elements(node);
    struct str *texts = arena_array(hand->with->arena, struct str, count + 1);
    for (size_t i = 0; i < count; i++) {
        texts[i] = arena_copy(hand->with->arena, node_text(element(node, i)));
        if (texts[i].size == 0) problems_add(hand->with->problems, node, "%s.%s: an empty text", hand->path, key);
    }
    if (count == 0) problems_add(hand->with->problems, node, "%s.%s: expected at least one text", hand->path, key);
    hand->rule->test = test;
    hand->rule->texts = texts;
    hand->rule->text_count = count;
}

static void read_condition(const struct rule_in_hand *hand)
{
    const struct option_table *table = &VOCABULARY_ERROR_RULE;
    struct error_rule *rule = hand->rule;
    struct problems *problems = hand->with->problems;
    read_statuses(hand);
    rule->header = option_text(table, hand->node, "header");
    rule->path = option_text(table, hand->node, "path");
    read_texts(hand, "equals", TEST_EQUALS);
    read_texts(hand, "contains", TEST_CONTAINS);
    bool has_place = rule->header || rule->path;
    if (rule->header && rule->path) problems_add(problems, hand->node, "%s: 'header' or 'path', not both", hand->path);
    if (rule->path && strlen(rule->path) > ERROR_PATH_MAX)
        problems_add(problems, hand->node, "%s.path: over %d bytes", hand->path, ERROR_PATH_MAX);
    if (option_is_set(hand->node, "exists")) {
        if (rule->test != TEST_NONE)
            problems_add(problems, hand->node, "%s: one of 'equals', 'contains' and 'exists', not several", hand->path);
        if (!has_place) problems_add(problems, hand->node, "%s: 'exists' needs a 'path' or a 'header'", hand->path);
        rule->test = option_boolean(table, hand->node, "exists") ? TEST_EXISTS : TEST_ABSENT;
    } else if (has_place && rule->test == TEST_NONE) {
        rule->test = TEST_EXISTS;
    }
    if (rule->test == TEST_EQUALS && !has_place) {
        problems_add(problems, hand->node, "%s: 'equals' needs a 'path' or a 'header'", hand->path);
        problems_hint(problems, "of the body as a whole it can only be said what it contains");
    }
}

static bool uses(const struct rule_in_hand *hand, enum error_action a, enum error_action b)
{
    return hand->rule->function || hand->rule->finding.action == a || hand->rule->finding.action == b;
}

static void read_rule(const struct rule_in_hand *hand)
{
    struct error_rule *rule = hand->rule;
    struct problems *problems = hand->with->problems;
    size_t before = problems->count;
    option_check(&VOCABULARY_ERROR_RULE, hand->node, hand->path, problems);
    if (problems->count != before) return;
    rule->function = option_function(node_get(hand->node, "action"));
    rule->finding = (struct error_finding){.wait_ms = -1, .hint = ""};
    if (!rule->function) errors_read_finding(&VOCABULARY_ERROR_RULE, hand->node, hand->with->arena, &rule->finding);
    read_condition(hand);
    if (!rule->function && rule->status_count == 0 && rule->test == TEST_NONE) {
        problems_add(problems, hand->node, "%s: a rule without a condition fits every answer", hand->path);
        problems_hint(problems, "name a status, a path or a header");
    }
    if (option_is_set(hand->node, "wait") && !uses(hand, ACTION_RETRY, ACTION_RATE_LIMITED))
        problems_add(problems, hand->node, "%s: 'wait' belongs to retry and rate_limited", hand->path);
    if (option_is_set(hand->node, "class") && !uses(hand, ACTION_FAIL, ACTION_FAIL))
        problems_add(problems, hand->node, "%s: 'class' belongs to fail", hand->path);
}

void describe_errors(const struct describing *with, const struct node *node, const char *path, struct error_rules *rules)
{
    *rules = (struct error_rules){0};
    if (!node || node->kind == NODE_NULL || (node->kind == NODE_MAP && node->count == 0)) return;
    const char *function = option_function(node);
    size_t count = function ? 1 : node->kind == NODE_LIST ? node->count : 0;
    if (count == 0 || count > RULES_MAX) {
        problems_add(with->problems, node, "%s: expected a list of at most %d rules, or a function", path, RULES_MAX);
        return;
    }
    struct error_rule *list = arena_array(with->arena, struct error_rule, count);
    if (function) list[0] = (struct error_rule){.function = function};
    for (size_t i = 0; !function && i < count; i++) {
        const char *place = arena_printf(with->arena, "%s.%zu", path, i);
        read_rule(&(struct rule_in_hand){with, &node->children[i], place, &list[i]});
    }
    *rules = (struct error_rules){list, count};
}
