/* How it works: a rule's condition is three questions (status, where to look, what must be there) that are asked of the bytes
 * as they are: the value at a path is searched for in the body, without a tree. */
#include "rest/errors.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jsonscan.h"
#include "data/node.h"
#include "data/option.h"
#include "rest/request.h"
#include "rest/vocabulary.h"

enum { CONTEXT_MAX = 8 * 1024 * 1024, REJECT_MAX_BYTES = 64 * 1024 };

static const char *const ACTION_NAMES[] = {
    [ACTION_NONE] = "",
    [ACTION_RETRY] = "retry",
    [ACTION_RATE_LIMITED] = "rate_limited",
    [ACTION_REFRESH_AUTH] = "refresh_auth",
    [ACTION_FAIL] = "fail",
    [ACTION_IGNORE] = "ignore",
    [ACTION_SPLIT_WINDOW] = "split_window",
    [ACTION_SKIP_SLICE] = "skip_slice",
    [ACTION_SKIP_STREAM] = "skip_stream",
    [ACTION_RESET_PAGES] = "reset_pages",
    [ACTION_SHRINK_PAGE] = "shrink_page",
    [ACTION_REJECT] = "reject",
};

const char *error_action_name(enum error_action action)
{
    CHECK((size_t)action < ARRAY_SIZE(ACTION_NAMES));
    return ACTION_NAMES[action];
}

static enum error_action action_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(ACTION_NAMES); i++)
        if (strcmp(ACTION_NAMES[i], name) == 0) return (enum error_action)i;
    return ACTION_NONE;
}

static int class_from_name(const char *name)
{
    for (int class = ERR_CONFIG; class >= ERR_BUG; class --)
        if (strcmp(err_class_info(class)->name, name) == 0) return class;
    return ERR_SOURCE;
}

/* --- conditions ---------------------------------------------------------------------------------------------------------- */

static bool contains_nocase(struct str text, struct str part)
{
    for (size_t i = 0; part.size <= text.size && i <= text.size - part.size; i++)
        if (str_equal_nocase((struct str){text.data + i, part.size}, part)) return true;
    return false;
}

static bool text_passes(const struct error_rule *rule, struct str text)
{
    for (size_t i = 0; i < rule->text_count; i++)
        if (rule->test == TEST_EQUALS ? str_equal(text, rule->texts[i]) : contains_nocase(text, rule->texts[i])) return true;
    return rule->text_count == 0 && text.size > 0;
}

struct looking {
    const struct error_rule *rule;
    struct arena arena;
    bool passed;
};

static bool is_empty_container(const struct json_value *value)
{
    size_t i = 1;
    if (value->kind != JSON_ARRAY && value->kind != JSON_OBJECT) return false;
    while (strchr(" \t\r\n", value->raw.data[i])) i++;
    return value->raw.data[i] == ']' || value->raw.data[i] == '}';
}

static void look_at(struct looking *looking, const struct json_value *value)
{
    if (value->kind == JSON_NULL || is_empty_container(value)) return;
    if (looking->rule->text_count == 0)
        looking->passed = true;
    else if (text_passes(looking->rule, value->kind == JSON_STRING ? jsonscan_text(value, &looking->arena, NULL) : value->raw))
        looking->passed = true;
}

static void look_below(struct looking *looking, struct str text, const char *path);

/* At every element or value of a container; `path` is what comes behind the star. */
static void look_at_each(struct looking *looking, const struct json_value *container, const char *path)
{
    struct json_value key, value;
    struct jsonscan scan;
    jsonscan_init(&scan, container->raw.data, container->raw.size);
    bool is_object = container->kind == JSON_OBJECT;
    if (!(is_object ? jsonscan_enter_object(&scan) : jsonscan_enter_array(&scan))) return;
    while ((is_object ? jsonscan_next_key(&scan, &key) : jsonscan_next_element(&scan)) && jsonscan_value(&scan, &value)) {
        if (path[0] == '\0')
            look_at(looking, &value);
        else
            look_below(looking, value.raw, path);
    }
}

/* Splits "a.b.*.c" into "a.b" and what stands behind the star, "c"; that is NULL for a path without one. */
static const char *split_at_star(const char *path, char front[ERROR_PATH_MAX + 1])
{
    const char *star = path[0] == '*' ? path : strstr(path, ".*");
    while (star && star[0] == '.' && star[2] != '\0' && star[2] != '.') star = strstr(star + 1, ".*");
    size_t length = star ? (size_t)(star - path) : strlen(path);
    CHECK(length <= ERROR_PATH_MAX);
    memcpy(front, path, length);
    front[length] = '\0';
    if (!star) return NULL;
    star += strspn(star, ".") + 1;
    return star[0] == '.' ? star + 1 : star;
}

/* What is cut or no JSON has no value there. */
static void look_below(struct looking *looking, struct str text, const char *path)
{
    char front[ERROR_PATH_MAX + 1];
    struct json_value value;
    const char *rest = split_at_star(path, front);
    if (!jsonscan_find(text.data, text.size, front, &value)) return;
    if (!rest)
        look_at(looking, &value);
    else if (value.kind == JSON_ARRAY || value.kind == JSON_OBJECT)
        look_at_each(looking, &value, rest);
}

static bool path_passes(const struct error_rule *rule, struct str body)
{
    struct looking looking = {.rule = rule};
    look_below(&looking, body, rule->path);
    arena_release(&looking.arena);
    return looking.passed;
}

static bool header_passes(const struct error_rule *rule, const struct http_response *response)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_equal_nocase(response->headers[i].name, str_from(rule->header)) &&
            text_passes(rule, response->headers[i].value))
            return true;
    return false;
}

static bool status_fits(const struct error_rule *rule, int status)
{
    for (size_t i = 0; i < rule->status_count; i++)
        if (status >= rule->statuses[i].from && status <= rule->statuses[i].to) return true;
    return rule->status_count == 0;
}

bool error_rule_fits(const struct error_rule *rule, const struct http_response *response)
{
    if (!status_fits(rule, response->status)) return false;
    if (rule->test == TEST_NONE) return true;
    struct str body = {response->body->data, response->body->size};
    bool passes;
    if (rule->header)
        passes = header_passes(rule, response);
    else if (rule->path)
        passes = path_passes(rule, body);
    else
        passes = text_passes(rule, body);
    return passes == (rule->test != TEST_ABSENT);
}

/* --- functions ----------------------------------------------------------------------------------------------------------- */

/* The context with "response":{"status":..,"headers":{..}} in it. */
static struct str response_context(const struct error_judge *judge, const struct http_response *response)
{
    struct str context = request_context(judge->source, judge->place, judge->arena);
    struct buf text = BUF_INIT(CONTEXT_MAX);
    buf_append(&text, context.data, context.size - 1); /* without the brace that closes it */
    buf_printf(&text, ",\"response\":{\"status\":%d,\"headers\":", response->status);
    struct json_writer writer = JSON_WRITER(&text);
    json_open(&writer, '{');
    for (size_t i = 0; i < response->header_count; i++) {
        json_member(&writer, arena_text(judge->arena, response->headers[i].name));
        json_text(&writer, response->headers[i].value);
    }
    json_close(&writer, '}');
    buf_append_text(&text, "}}");
    struct str copy = arena_copy(judge->arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

/* A text is an action; a map has it as a key. */
static int read_finding(struct error_judge *judge, const char *name, const struct node *node, struct error_finding *finding,
                        struct err *err)
{
    if (node->kind == NODE_NULL) return 0;
    struct problems problems = PROBLEMS_INIT(judge->arena);
    struct node action = {.kind = NODE_STRING, .key = STR("action"), .text = node->text};
    struct node map = {.kind = NODE_MAP, .children = &action, .count = 1};
    if (node->kind == NODE_STRING) node = &map;
    option_check(&VOCABULARY_ERROR_FINDING, node, name, &problems);
    int rc = problems_to_err(&problems, ERR_CONNECTOR, err);
    if (rc == 0) errors_read_finding(&VOCABULARY_ERROR_FINDING, node, judge->arena, finding);
    return rc;
}

void errors_read_finding(const struct option_table *table, const struct node *node, struct arena *arena,
                         struct error_finding *finding)
{
    const char *hint = option_text(table, node, "hint");
    *finding = (struct error_finding){
        .action = action_from_name(option_text(table, node, "action")),
        .wait_ms = option_is_set(node, "wait") ? option_duration_ms(table, node, "wait") : -1,
        .class = class_from_name(option_text(table, node, "class")),
        .hint = hint ? arena_strdup(arena, hint) : "",
    };
}

static int ask_function(struct error_judge *judge, const char *name, const struct http_response *response,
                        struct error_finding *finding, struct err *err)
{
    const struct functions *functions = judge->source->functions;
    const struct node *node;
    struct err parse = ERR_INIT;
    struct str json, body = {response->body->data, response->body->size};
    if (!functions) return err_set(err, ERR_BUG, "no functions to call '%s' of", name);
    int rc = functions->value(functions->context, name, response_context(judge, response), body, judge->arena, &json, err);
    if (rc != 0) return rc;
    if (node_from_json(json, judge->arena, &node, &parse) != 0)
        return err_set(err, ERR_CONNECTOR, "function '%s': %s", name, parse.message);
    rc = read_finding(judge, name, node, finding, err);
    return rc == 0 ? 0 : err_context(err, "function '%s'", name);
}

/* --- judging ------------------------------------------------------------------------------------------------------------- */

static int find(struct error_judge *judge, const struct http_response *response, struct err *err)
{
    for (size_t l = 0; l < ARRAY_SIZE(judge->lists); l++) {
        const struct error_rules *rules = judge->lists[l];
        for (size_t i = 0; rules && i < rules->count; i++) {
            const struct error_rule *rule = &rules->list[i];
            if (!error_rule_fits(rule, response)) continue;
            judge->found = rule->finding;
            int rc = rule->function ? ask_function(judge, rule->function, response, &judge->found, err) : 0;
            if (rc != 0 || judge->found.action != ACTION_NONE) return rc;
        }
    }
    return 0;
}

/* What the client must know of a finding. */
static void to_verdict(const struct error_finding *found, struct verdict *verdict)
{
    static const struct {
        int class;
        bool renews_auth;
    } MEANINGS[] = {
        [ACTION_RETRY] = {ERR_TRANSIENT, false},        [ACTION_RATE_LIMITED] = {ERR_RATE_LIMIT, false},
        [ACTION_REFRESH_AUTH] = {ERR_AUTH, true},       [ACTION_IGNORE] = {0, false},
        [ACTION_SPLIT_WINDOW] = {ERR_SOURCE, false},    [ACTION_SKIP_SLICE] = {ERR_SOURCE, false},
        [ACTION_SKIP_STREAM] = {ERR_PERMISSION, false}, [ACTION_RESET_PAGES] = {ERR_SOURCE, false},
        [ACTION_SHRINK_PAGE] = {ERR_SOURCE, false},     [ACTION_REJECT] = {ERR_SOURCE, false},
    };
    verdict->class = found->action == ACTION_FAIL ? found->class : MEANINGS[found->action].class;
    verdict->renews_auth = found->action != ACTION_FAIL && MEANINGS[found->action].renews_auth;
    verdict->was_not_done = true;
    if (found->wait_ms >= 0) verdict->wait_ms = found->wait_ms;
    verdict->hint = found->hint;
}

static int judge_answer(void *context, const struct http_response *response, struct verdict *verdict, struct err *err)
{
    struct error_judge *judge = context;
    judge->found = (struct error_finding){.wait_ms = -1, .hint = ""};
    int rc = find(judge, response, err);
    if (rc != 0 || judge->found.action == ACTION_NONE) return rc;
    to_verdict(&judge->found, verdict);
    if (judge->found.action == ACTION_REJECT) {
        size_t size = response->body->size < REJECT_MAX_BYTES ? response->body->size : REJECT_MAX_BYTES;
        judge->body = arena_copy(judge->arena, (struct str){response->body->data, size});
    }
    return 0;
}

void errors_judge(struct error_judge *judge, struct http_request *request)
{
    bool has_rules = false;
    for (size_t l = 0; l < ARRAY_SIZE(judge->lists); l++) has_rules = has_rules || (judge->lists[l] && judge->lists[l]->count);
    judge->found = (struct error_finding){.wait_ms = -1, .hint = ""};
    judge->judge = (struct http_judge){judge_answer, judge};
    request->judge = has_rules ? &judge->judge : NULL;
}
