/* How it works: choices are replaced first (select.h), so that what is compiled is a plain tree; then the option tables look at
 * the shape of all of it, and only a tree of the right shape is compiled. Checking is compiling without keeping the result,
 * once per variant of the tree, so the two cannot disagree; a mistake that shows in several variants is reported once. */
#include "rest/description.h"

#include "base/check.h"
#include "rest/access.h"
#include "rest/describe.h"
#include "rest/select.h"
#include "rest/vocabulary.h"

/* --- requests ------------------------------------------------------------------------------------------------------------ */

bool operand_calls(const struct operand *operand)
{
    if (!operand) return false;
    bool calls = operand->kind == OPERAND_FUNCTION;
    for (size_t i = 0; i < operand->count && !calls; i++) calls = operand_calls(&operand->children[i]);
    return calls;
}

bool operand_asks_fields(const struct operand *operand)
{
    if (!operand) return false;
    bool asks = operand->kind == OPERAND_TEMPLATE && template_asks_fields(operand->compiled);
    for (size_t i = 0; i < operand->count && !asks; i++) asks = operand_asks_fields(&operand->children[i]);
    return asks;
}

static bool is_scalar(const struct operand *operand)
{
    return operand->kind != OPERAND_MAP && operand->kind != OPERAND_LIST;
}

static bool fits_pair(const struct operand *value, bool allows_lists)
{
    bool fits = is_scalar(value) || (value->kind == OPERAND_LIST && allows_lists);
    for (size_t i = 0; value->kind == OPERAND_LIST && i < value->count; i++) fits = fits && is_scalar(&value->children[i]);
    return fits;
}

const struct operand *describe_pairs(const struct describing *with, const struct node *map, const char *key, const char *path,
                                     bool allows_lists, struct template_scope *scope)
{
    const struct node *node = node_get(map, key);
    if (!node || node->kind == NODE_NULL) return NULL;
    const char *place = arena_printf(with->arena, "%s.%s", path, key);
    const struct operand *pairs = operand_compile(node, place, scope, with->arena, with->problems);
    bool is_empty_list = pairs->kind == OPERAND_LIST && pairs->count == 0; /* how a script's empty table may arrive */
    if (pairs->kind != OPERAND_MAP && pairs->kind != OPERAND_FUNCTION && !is_empty_list) {
        problems_add(with->problems, node, "%s: expected a map or a function, got %s", place, node_kind_name(node->kind));
        return NULL;
    }
    for (size_t i = 0; i < pairs->count; i++)
        if (!fits_pair(&pairs->children[i], allows_lists))
            problems_add(with->problems, &node->children[i], "%s." STR_FMT ": expected a text, number or boolean%s", place,
                         STR_ARG(pairs->children[i].key), allows_lists ? ", or a list of them" : "");
    return pairs;
}

static enum body_format body_format_of(const char *name)
{
    return strcmp(name, "form") == 0 ? BODY_FORM : strcmp(name, "raw") == 0 ? BODY_RAW : BODY_JSON;
}

static void check_body(const struct describing *with, const struct node *node, const char *path,
                       const struct request_description *request)
{
    enum operand_kind kind = request->body->kind;
    bool is_scalar_text = kind == OPERAND_TEXT || kind == OPERAND_TEMPLATE;
    if (strcmp(request->method, "GET") == 0) {
        problems_add(with->problems, node, "%s: a GET carries no body", path);
        problems_hint(with->problems, "method = \"POST\", or params instead of body");
    }
    if (request->body_format == BODY_FORM && kind != OPERAND_MAP && kind != OPERAND_FUNCTION)
        problems_add(with->problems, node, "%s: a form is a map or a function", path);
    if (request->body_format == BODY_RAW && !is_scalar_text && kind != OPERAND_FUNCTION)
        problems_add(with->problems, node, "%s: a raw body is a text or a function", path);
}

void describe_request(const struct describing *with, const struct option_table *table, const struct node *node,
                      const char *path, struct template_scope *scope, struct request_description *request)
{
    const struct node *body = node_get(node, "body");
    const char *place = arena_printf(with->arena, "%s.path", path);
    *request = (struct request_description){
        .where = path,
        .method = option_text(table, node, "method"),
        .path = operand_compile(node_get(node, "path"), place, scope, with->arena, with->problems),
        .params = describe_pairs(with, node, "params", path, true, scope),
        .headers = describe_pairs(with, node, "headers", path, false, scope),
        .body_format = body_format_of(option_text(table, node, "body_as")),
        .idempotency_header = option_text(table, node, "idempotency_key"),
    };
    request->idempotent = strcmp(request->method, "GET") == 0 || request->idempotency_header;
    if (!body || body->kind == NODE_NULL) return;
    place = arena_printf(with->arena, "%s.body", path);
    request->body = operand_compile(body, place, scope, with->arena, with->problems);
    check_body(with, body, place, request);
}

/* --- http ---------------------------------------------------------------------------------------------------------------- */

static void describe_hosts(const struct describing *with, const struct node *node, struct template_scope *scope,
                           struct description *description)
{
    if (!node) return;
    size_t count = node->kind == NODE_LIST ? node->count : 1;
    const struct template **hosts = arena_array(with->arena, const struct template *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct node *host = node->kind == NODE_LIST ? &node->children[i] : node;
        hosts[i] = template_compile(node_text(host), host, "http.hosts", scope, with->arena, with->problems);
        if (node_text(host).size == 0) problems_add(with->problems, host, "http.hosts: an empty name");
    }
    description->hosts = hosts;
    description->host_count = count;
}

/* A base that a login tells: it may lie anywhere in http.hosts, and the login must be possible without it. */
static void check_captured_base(const struct describing *with, const struct node *http, const struct description *description)
{
    bool is_session = str_equal(node_text(node_path(http, "auth.kind")), STR("session"));
    const char *key = is_session ? "auth.login_url" : "auth.token_url";
    struct str token_url = node_text(node_path(http, key));
    bool is_path = !str_starts(token_url, STR("{{")) && (!token_url.size || !memmem(token_url.data, token_url.size, "://", 3));
    if (!description->base_is_captured) return;
    if (is_path)
        problems_add(with->problems, node_get(http, "auth"), "http.%s: must be absolute, since http.base is not known before",
                     key);
    if (description->host_count > 0) return;
    problems_add(with->problems, node_get(http, "base"), "http.hosts is missing: it must say on which hosts http.base may lie");
    problems_hint(with->problems, "such as hosts = { \"*.example.com\" }");
}

static void describe_base(const struct describing *with, const struct node *node, struct template_scope *scope,
                          struct description *description)
{
    struct str text;
    description->base = template_compile(node_text(node), node, "http.base", scope, with->arena, with->problems);
    if (!description->base || !template_is_literal(description->base, &text)) return;
    if (str_starts(text, STR("https://")) || str_starts(text, STR("http://"))) return;
    problems_add(with->problems, node, "http.base: expected a URL, got '" STR_FMT "'", STR_ARG(text));
    problems_hint(with->problems, "it begins with https:// (or http://)");
}

static int64_t positive_duration(const struct describing *with, const struct option_table *table, const struct node *map,
                                 const char *key, const char *path)
{
    if (!node_get(map, key)) return 0;
    int64_t ms = option_duration_ms(table, map, key);
    if (ms <= 0) problems_add(with->problems, node_get(map, key), "%s.%s: must be above zero", path, key);
    return ms;
}

static void describe_http(const struct describing *with, const struct node *http, struct description *description)
{
    struct template_scope open = {.config = with->config, .captured = with->captured, .roots = describe_roots(with)};
    struct template_scope base = {.config = with->config,
                                  .captured = with->captured,
                                  .roots = TEMPLATE_CONFIG | (with->captured ? TEMPLATE_AUTH : 0),
                                  .refuse_secrets = true};
    struct template_scope shown = {.config = with->config, .roots = TEMPLATE_CONFIG, .refuse_secrets = true};
    const struct node *auth = node_get(http, "auth"), *limit = node_get(http, "rate_limit"),
                      *timeouts = node_get(http, "timeouts"), *retry = node_get(http, "retry");
    describe_base(with, node_get(http, "base"), &base, description);
    description->base_is_captured = base.uses_auth;
    description->has_captures = with->captured != NULL;
    describe_hosts(with, node_get(http, "hosts"), &shown, description);
    check_captured_base(with, http, description);
    description->headers = describe_pairs(with, http, "headers", "http", false, &open);
    description->params = describe_pairs(with, http, "params", "http", true, &open);
    description->user_agent = option_text(&VOCABULARY_HTTP, http, "user_agent");
    if (auth && auth->kind != NODE_NULL) {
        access_check(auth, with->config, with->arena, with->problems);
        description->auth = auth;
    }
    describe_errors(with, node_get(http, "errors"), "http.errors", &description->errors);
    if (limit && limit->kind != NODE_NULL)
        limits_compile(limit, "http.rate_limit", with->config, with->arena, &description->limits, with->problems);
    if (timeouts) {
        for (size_t i = 0; i < VOCABULARY_TIMEOUTS.count; i++)
            (void)positive_duration(with, &VOCABULARY_TIMEOUTS, timeouts, VOCABULARY_TIMEOUTS.options[i].name, "http.timeouts");
        description->timeouts = timeouts;
    }
    if (retry) {
        (void)positive_duration(with, &VOCABULARY_RETRY, retry, "wait", "http.retry");
        (void)positive_duration(with, &VOCABULARY_RETRY, retry, "budget", "http.retry");
        description->retry = retry;
    }
}

/* --- the connector ------------------------------------------------------------------------------------------------------- */

bool describe_is_name(struct str name)
{
    if (name.size == 0 || name.size > 64 || name.data[0] < 'a' || name.data[0] > 'z') return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-') return false;
    }
    return true;
}

static bool calls_functions(const struct node *node)
{
    bool calls = option_function(node) != NULL;
    for (size_t i = 0; i < node->count && !calls; i++) calls = calls_functions(&node->children[i]);
    return calls;
}

static bool has_native(const struct node *root)
{
    const struct node *streams = node_get(root, "streams");
    bool has_one = false;
    for (size_t i = 0; i < streams->count; i++) has_one = has_one || describe_is_native(&streams->children[i]);
    return has_one;
}

/* A connector without requests reaches no host; its client is never asked. */
static void describe_no_http(const struct describing *with, const struct node *root, struct description *description)
{
    static const struct node NOWHERE = {.kind = NODE_STRING, .text = {"https://native.invalid", 22}};
    const struct node *streams = node_get(root, "streams");
    struct template_scope scope = {.config = with->config, .roots = TEMPLATE_CONFIG};
    for (size_t i = 0; i < streams->count; i++) {
        if (describe_is_native(&streams->children[i])) continue;
        problems_add(with->problems, root, "http is missing: stream '" STR_FMT "' is read by requests",
                     STR_ARG(streams->children[i].key));
        return;
    }
    describe_base(with, &NOWHERE, &scope, description);
}

/* A name is one stream's, whichever root it is exploded from. */
static void check_stream_names(const struct describing *with, const struct node *node, const struct description *description)
{
    for (size_t r = 0; r < description->stream_count; r++)
        for (size_t e = 0; e < description->streams[r].exploded_count; e++) {
            const struct stream_description *stream = &description->streams[r].exploded[e];
            if (description_stream(description, stream->name) == stream) continue;
            problems_add(with->problems, &node->children[r], "streams.%s.explode.%s: there is another stream of this name",
                         description->streams[r].name, stream->name);
        }
}

static void describe_streams(const struct describing *with, const struct node *node, struct description *description)
{
    if (node->count == 0 || node->count > DESCRIPTION_MAX_STREAMS) {
        problems_add(with->problems, node, "streams: expected 1 to %d streams, got %zu", DESCRIPTION_MAX_STREAMS, node->count);
        return;
    }
    struct stream_description *streams = arena_array(with->arena, struct stream_description, node->count);
    struct describing inside = *with;
    inside.streams = node;
    for (size_t i = 0; i < node->count; i++) describe_stream(&inside, &node->children[i], &streams[i]);
    description->streams = streams;
    description->stream_count = node->count;
    describe_parents(&inside, description, streams);
    check_stream_names(with, node, description);
}

static void describe_connector(const struct describing *with, const struct node *root, struct description *description)
{
    const struct node *check = node_get(root, "check");
    *description = (struct description){
        .name = option_text(&VOCABULARY_CONNECTOR, root, "name"),
        .version = option_text(&VOCABULARY_CONNECTOR, root, "version"),
        .title = option_text(&VOCABULARY_CONNECTOR, root, "title"),
        .config_table = *with->config,
        .profile = option_text(&VOCABULARY_CONNECTOR, root, "profile"),
        .has_functions = calls_functions(root) || has_native(root),
        .has_http = !node_is_default(node_get(root, "http")),
    };
    if (!describe_is_name(str_from(description->name))) {
        problems_add(with->problems, node_get(root, "name"), "name: '%s' is no connector's name", description->name);
        problems_hint(with->problems, "a lower case letter, then lower case letters, digits, '_' and '-', at most 64");
    }
    if (node_is_default(node_get(root, "http")))
        describe_no_http(with, root, description);
    else
        describe_http(with, node_get(root, "http"), description);
    if (check && check->kind != NODE_NULL) {
        struct template_scope scope = {.config = with->config, .captured = with->captured, .roots = describe_roots(with)};
        struct request_description *request = arena_new(with->arena, struct request_description);
        describe_request(with, &VOCABULARY_CHECK, check, "check", &scope, request);
        description->check = request;
    }
    describe_streams(with, node_get(root, "streams"), description);
    if (description->stream_count > 0) describe_dynamic(with, with->dynamic, node_get(root, "streams"), description);
    if (description->stream_count > 0 && !description->check && !description_checked(description)) {
        problems_add(with->problems, root, "check: every stream has a job, which is too much for a check");
        problems_hint(with->problems, "name a request that costs little: check = { path = \"/me\" }");
    }
    const struct parser_use *parsers;
    if (description_parsers(description, with->arena, &parsers) > 0) description->has_functions = true;
    if (description->stream_count > 0)
        limits_check_streams(&description->limits, "http.rate_limit", description, with->problems);
}

/* Reads the config table on its own: choices below depend on it. False when it cannot be read. */
static bool read_table(const struct node *root, struct arena *arena, struct config_table *table, struct problems *problems)
{
    size_t before = problems->count;
    const struct node *config = node_get(root, "config");
    *table = (struct config_table){0};
    if (!node_is(root, NODE_MAP)) {
        problems_add(problems, root, "a description is a map, got %s", root ? node_kind_name(root->kind) : "nothing");
        return false;
    }
    if (!config || config->kind == NODE_NULL || (config->kind == NODE_LIST && config->count == 0)) return true;
    if (config->kind != NODE_MAP) {
        problems_add(problems, config, "config: expected a map, got %s", node_kind_name(config->kind));
        return false;
    }
    for (size_t i = 0; i < config->count; i++)
        option_check(&VOCABULARY_CONFIG_ENTRY, &config->children[i],
                     arena_printf(arena, "config." STR_FMT, STR_ARG(config->children[i].key)), problems);
    if (problems->count == before) config_table_read(config, arena, table, problems);
    return problems->count == before;
}

/* The root without `config`, which was read, may hold no choices, and need not be checked again. */
static const struct node *without_config(const struct node *root, struct arena *arena)
{
    struct node *copy = arena_new(arena, struct node);
    struct node *children = arena_array(arena, struct node, root->count + 1);
    *copy = *root;
    copy->count = 0;
    for (size_t i = 0; i < root->count; i++)
        if (!str_equal(root->children[i].key, STR("config"))) children[copy->count++] = root->children[i];
    copy->children = children;
    return copy;
}

/* Adds those of `found` that are not there yet. */
static void merge_problems(const struct problems *found, struct problems *problems)
{
    for (size_t i = 0; i < problems_listed(found); i++) {
        const struct problem *problem = &found->list[i];
        size_t known = problems_listed(problems);
        bool is_known = false;
        for (size_t j = 0; j < known && !is_known; j++) is_known = strcmp(problems->list[j].message, problem->message) == 0;
        if (is_known) continue;
        struct node place = {.file = problem->file, .line = problem->line};
        problems_add(problems, &place, "%s", problem->message);
        if (problem->hint) problems_hint(problems, "%s", problem->hint);
    }
}

static const struct node *captured_of(const struct node *root)
{
    const struct node *captured = node_path(root, "http.auth.capture");
    return node_is(captured, NODE_MAP) && captured->count > 0 ? captured : NULL;
}

static void check_variant(const struct node *tree, const struct config_table *table, struct problems *problems)
{
    struct arena arena = ARENA_INIT(0);
    struct problems found = PROBLEMS_INIT(&arena);
    struct describing with = {table, &arena, &found, NULL, captured_of(tree), node_get(tree, "dynamic")};
    struct description description;
    option_check(&VOCABULARY_CONNECTOR, tree, "", &found);
    if (found.count == 0) describe_connector(&with, tree, &description);
    merge_problems(&found, problems);
    arena_release(&arena);
}

int description_read(struct str json, struct arena *arena, const struct node **root, struct err *err)
{
    struct err problem = ERR_INIT;
    if (node_from_json(json, arena, root, &problem) == 0) return 0;
    err_set(err, ERR_CONNECTOR, "the description is not JSON: %s", problem.message);
    return err_hint(err, "do `sluice` and `sluice-worker` come from the same version?");
}

void description_check(const struct node *root, struct problems *problems)
{
    struct arena arena = ARENA_INIT(0);
    struct config_table table;
    size_t before = problems->count;
    if (!read_table(root, &arena, &table, problems)) {
        /* the rest depends on it */
    } else if (description_is_parser(root)) {
        describe_parser(without_config(root, &arena), &table, problems);
    } else {
        const struct node *tree = without_config(root, &arena);
        select_check(tree, &table, problems);
        size_t variants = select_variants(tree);
        if (variants > DESCRIPTION_MAX_CASES)
            problems_add(problems, root, "$select: %zu cases, at most %d are possible", variants, DESCRIPTION_MAX_CASES);
        for (size_t i = 0; i < variants && i < DESCRIPTION_MAX_CASES && problems->count == before; i++)
            check_variant(select_variant(tree, i, &arena), &table, problems);
    }
    arena_release(&arena);
}

void description_compile(const struct node *root, const struct config *config, struct arena *arena,
                         const struct description **out, struct problems *problems)
{
    size_t before = problems->count;
    struct description *description = arena_new(arena, struct description);
    *out = NULL;
    description_check(root, problems);
    if (problems->count == before && description_is_parser(root)) {
        problems_add(problems, NULL, "'" STR_FMT "' is a parser, and reads no source",
                     STR_ARG(node_text(node_get(root, "name"))));
        problems_hint(problems, "a stream names it: format = { kind = \"plugin\", plugin = \"NAME\" }");
    }
    if (problems->count != before) return;
    const struct node *tree = select_resolve(without_config(root, arena), config, arena, problems);
    if (problems->count != before) return;
    struct describing with = {config->table, arena, problems, NULL, captured_of(tree), node_get(tree, "dynamic")};
    option_check(&VOCABULARY_CONNECTOR, tree, "", problems);
    if (problems->count == before) describe_connector(&with, tree, description);
    if (problems->count == before) *out = description;
}

const struct stream_description *description_checked(const struct description *description)
{
    for (size_t i = 0; i < description->stream_count; i++)
        if (!description->streams[i].job) return &description->streams[i];
    return NULL;
}

const struct stream_description *description_stream(const struct description *description, const char *name)
{
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct stream_description *root = &description->streams[i];
        if (strcmp(root->name, name) == 0) return root;
        for (size_t e = 0; e < root->exploded_count; e++)
            if (strcmp(root->exploded[e].name, name) == 0) return &root->exploded[e];
    }
    return NULL;
}

const struct field_description *stream_field(const struct stream_description *stream, const char *name)
{
    for (size_t i = 0; i < stream->field_count; i++)
        if (strcmp(stream->fields[i].name, name) == 0) return &stream->fields[i];
    return NULL;
}
