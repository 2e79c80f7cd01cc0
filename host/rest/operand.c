/* How it works: one recursive type for what a description says and what a function returned, so that there is one renderer for
 * each output form. A description's strings are compiled as templates; a function's result becomes TEXT, RAW, SECRET and PARTS
 * only, so nothing in it can be expanded.
 *
 * Secrets reach a request at exactly two places: a template that names one, and OPERAND_SECRET here. Both set has_secret. */
#include "rest/operand.h"

#include "base/check.h"
#include "base/json.h"

enum { RENDER_MAX = 4 * 1024 * 1024 };

/* "$$filter" -> "$filter". */
static struct str own_key(struct str key)
{
    return str_starts(key, STR("$$")) ? (struct str){key.data + 1, key.size - 1} : key;
}

/* The text of a map that holds one key only, `key`; NULL for anything else. */
static const struct node *single(const struct node *node, const char *key)
{
    return node->kind == NODE_MAP && node->count == 1 ? node_get(node, key) : NULL;
}

/* --- from a description -------------------------------------------------------------------------------------------------- */

struct compiling {
    struct template_scope *scope;
    struct arena *arena;
    struct problems *problems;
};

static void compile_into(const struct compiling *with, const struct node *node, const char *path, struct operand *out);

static void compile_children(const struct compiling *with, const struct node *node, const char *path, struct operand *out)
{
    struct operand *children = arena_array(with->arena, struct operand, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        const struct node *child = &node->children[i];
        const char *below = node->kind == NODE_MAP ? arena_printf(with->arena, "%s." STR_FMT, path, STR_ARG(child->key))
                                                   : arena_printf(with->arena, "%s[%zu]", path, i);
        compile_into(with, child, below, &children[i]);
        children[i].key = arena_copy(with->arena, own_key(child->key));
    }
    out->children = children;
    out->count = node->count;
}

static void compile_into(const struct compiling *with, const struct node *node, const char *path, struct operand *out)
{
    const char *function = option_function(node);
    *out = (struct operand){.kind = OPERAND_RAW, .text = STR("null")};
    if (function) {
        *out = (struct operand){.kind = OPERAND_FUNCTION, .text = str_from(function)};
        return;
    }
    switch (node->kind) {
    case NODE_NULL:
        break;
    case NODE_BOOLEAN:
    case NODE_NUMBER:
        out->text = arena_copy(with->arena, node->text);
        break;
    case NODE_STRING:
        out->compiled = template_compile(node->text, node, path, with->scope, with->arena, with->problems);
        if (!out->compiled) break;
        out->kind = template_is_literal(out->compiled, &out->text) ? OPERAND_TEXT : OPERAND_TEMPLATE;
        break;
    case NODE_LIST:
    case NODE_MAP:
        out->kind = node->kind == NODE_LIST ? OPERAND_LIST : OPERAND_MAP;
        compile_children(with, node, path, out);
        break;
    }
}

const struct operand *operand_compile(const struct node *node, const char *path, struct template_scope *scope,
                                      struct arena *arena, struct problems *problems)
{
    struct compiling with = {scope, arena, problems};
    struct operand *operand = arena_new(arena, struct operand);
    compile_into(&with, node, path, operand);
    return operand;
}

/* --- from a function's result -------------------------------------------------------------------------------------------- */

static int literal_into(const struct node *node, struct arena *arena, struct operand *out, struct err *err);

static int literal_children(const struct node *node, struct arena *arena, struct operand *out, struct err *err)
{
    struct operand *children = arena_array(arena, struct operand, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        struct str key = node->children[i].key;
        if (key.size && key.data[0] == '$' && !str_starts(key, STR("$$")))
            return err_set(err, ERR_CONNECTOR, "unknown form '" STR_FMT "' in its result", STR_ARG(key));
        int rc = literal_into(&node->children[i], arena, &children[i], err);
        if (rc != 0) return rc;
        children[i].key = own_key(key);
    }
    out->children = children;
    out->count = node->count;
    return 0;
}

/* {"$parts": ["Bearer ", {"$secret": "api_key"}]} */
static int literal_parts(const struct node *parts, struct arena *arena, struct operand *out, struct err *err)
{
    if (parts->kind != NODE_LIST) return err_set(err, ERR_CONNECTOR, "$parts is not a list");
    out->kind = OPERAND_PARTS;
    int rc = literal_children(parts, arena, out, err);
    for (size_t i = 0; rc == 0 && i < out->count; i++)
        if (out->children[i].kind != OPERAND_TEXT && out->children[i].kind != OPERAND_SECRET)
            rc = err_set(err, ERR_CONNECTOR, "$parts holds something that is neither a text nor a secret");
    return rc;
}

static int literal_into(const struct node *node, struct arena *arena, struct operand *out, struct err *err)
{
    const struct node *secret = single(node, "$secret"), *parts = single(node, "$parts");
    *out = (struct operand){.text = node->text};
    if (parts) return literal_parts(parts, arena, out, err);
    if (secret) {
        out->kind = OPERAND_SECRET;
        out->text = node_text(secret);
        return 0;
    }
    switch (node->kind) {
    case NODE_NULL:
        out->kind = OPERAND_RAW;
        out->text = STR("null");
        return 0;
    case NODE_BOOLEAN:
    case NODE_NUMBER:
        out->kind = OPERAND_RAW;
        return 0;
    case NODE_STRING:
        out->kind = OPERAND_TEXT;
        return 0;
    case NODE_LIST:
        out->kind = OPERAND_LIST;
        break;
    case NODE_MAP:
        out->kind = OPERAND_MAP;
        break;
    }
    return literal_children(node, arena, out, err);
}

int operand_resolve(const struct operand *operand, const struct operand_source *source, const struct operand **out,
                    struct err *err)
{
    *out = operand;
    if (operand->kind != OPERAND_FUNCTION) return 0;
    const char *name = arena_text(source->arena, operand->text);
    if (!source->functions) return err_set(err, ERR_BUG, "no functions to call '%s' of", name);
    struct str json;
    int rc =
        source->functions->value(source->functions->context, name, source->context_json, STR(""), source->arena, &json, err);
    if (rc != 0) return rc;
    const struct node *node;
    struct err parse = ERR_INIT;
    if (node_from_json(json, source->arena, &node, &parse) != 0)
        return err_set(err, ERR_CONNECTOR, "function '%s': %s", name, parse.message);
    struct operand *result = arena_new(source->arena, struct operand);
    rc = literal_into(node, source->arena, result, err);
    if (rc != 0) return err_context(err, "function '%s'", name);
    *out = result;
    return 0;
}

/* --- rendering ----------------------------------------------------------------------------------------------------------- */

static int append_secret(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *has_secret,
                         struct err *err)
{
    const struct config_value *value = config_get(source->values->config, operand->text);
    if (!value || !config_is_handle(value->entry) || !value->is_set)
        return err_set(err, ERR_CONNECTOR, "there is no secret '" STR_FMT "'", STR_ARG(operand->text));
    buf_append_str(out, value->text);
    *has_secret = true;
    return 0;
}

/* Renders a scalar as text; returns an enum rendered or a class. */
static int render_scalar(const struct operand *operand, const struct operand_source *source, enum template_escape escape,
                         struct buf *out, bool *has_secret, struct err *err)
{
    int rc = 0;
    switch (operand->kind) {
    case OPERAND_TEMPLATE:
        return template_render(operand->compiled, source->values, escape, out, has_secret, err);
    case OPERAND_TEXT:
        buf_append_str(out, operand->text);
        return RENDERED_TEXT;
    case OPERAND_RAW:
        if (str_equal(operand->text, STR("null"))) return RENDERED_NOTHING;
        buf_append_str(out, operand->text);
        return RENDERED_NUMBER;
    case OPERAND_SECRET:
        rc = append_secret(operand, source, out, has_secret, err);
        break;
    case OPERAND_PARTS:
        for (size_t i = 0; i < operand->count && rc == 0; i++) {
            if (operand->children[i].kind == OPERAND_TEXT)
                buf_append_str(out, operand->children[i].text);
            else
                rc = append_secret(&operand->children[i], source, out, has_secret, err);
        }
        break;
    case OPERAND_LIST:
    case OPERAND_MAP:
    case OPERAND_FUNCTION:
        return err_set(err, ERR_CONNECTOR, "expected a text, number or boolean, got a list or map");
    }
    return rc == 0 ? RENDERED_TEXT : rc;
}

int operand_to_text(const struct operand *operand, const struct operand_source *source, enum template_escape escape,
                    struct buf *out, bool *is_set, bool *has_secret, struct err *err)
{
    const struct operand *resolved;
    int rc = operand_resolve(operand, source, &resolved, err);
    if (rc == 0) rc = render_scalar(resolved, source, escape, out, has_secret, err);
    if (rc < 0) return rc;
    *is_set = rc != RENDERED_NOTHING;
    return 0;
}

void operand_set_pair(struct operand_pairs *pairs, struct arena *arena, struct operand_pair pair)
{
    size_t kept = 0;
    for (size_t i = 0; i < pairs->count; i++)
        if (!str_equal(pairs->list[i].name, pair.name)) pairs->list[kept++] = pairs->list[i];
    pairs->count = kept;
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity ? pairs->capacity * 2 : 16;
        struct operand_pair *list = arena_array(arena, struct operand_pair, capacity);
        if (pairs->count) memcpy(list, pairs->list, pairs->count * sizeof *list);
        pairs->list = list;
        pairs->capacity = capacity;
    }
    pairs->list[pairs->count++] = pair;
}

/* Adds without replacing: further elements of a list. */
static void add_pair(struct operand_pairs *pairs, struct arena *arena, struct operand_pair pair)
{
    struct str name = pair.name;
    pair.name = (struct str){0};
    operand_set_pair(pairs, arena, pair);
    pairs->list[pairs->count - 1].name = name;
}

static int add_scalar(const struct operand *value, struct str name, bool is_first, const struct operand_source *source,
                      struct operand_pairs *pairs, bool *was_added, struct err *err)
{
    struct buf text = BUF_INIT(RENDER_MAX);
    struct operand_pair pair = {.name = name};
    bool is_set = false;
    int rc = operand_to_text(value, source, ESCAPE_NONE, &text, &is_set, &pair.has_secret, err);
    if (rc == 0 && text.failed) rc = err_set(err, ERR_CONFIG, "value over %d bytes", RENDER_MAX);
    if (rc == 0 && pairs->count >= OPERAND_MAX_PAIRS)
        rc = err_set(err, ERR_CONNECTOR, "more than %d values", OPERAND_MAX_PAIRS);
    if (rc == 0 && is_set) {
        pair.value = arena_copy(source->arena, buf_str(&text));
        if (is_first)
            operand_set_pair(pairs, source->arena, pair);
        else
            add_pair(pairs, source->arena, pair);
    }
    if (rc == 0) *was_added = is_set;
    buf_release(&text);
    return rc;
}

static int add_value(const struct operand *child, const struct operand_source *source, struct operand_pairs *pairs,
                     struct err *err)
{
    const struct operand *value;
    bool was_added = false, any_added = false;
    int rc = operand_resolve(child, source, &value, err);
    if (rc != 0 || value->kind != OPERAND_LIST)
        return rc != 0 ? rc : add_scalar(value, child->key, true, source, pairs, &was_added, err);
    for (size_t i = 0; i < value->count && rc == 0; i++) {
        rc = add_scalar(&value->children[i], child->key, !any_added, source, pairs, &was_added, err);
        any_added = any_added || was_added;
    }
    return rc;
}

int operand_add_pairs(const struct operand *map, const char *what, const struct operand_source *source,
                      struct operand_pairs *pairs, struct err *err)
{
    const struct operand *resolved;
    int rc = operand_resolve(map, source, &resolved, err);
    if (rc != 0) return err_context(err, "%s", what);
    if (resolved->kind == OPERAND_RAW && str_equal(resolved->text, STR("null"))) return 0;
    /* A script's empty table has no kind of its own: it may arrive as an empty list. */
    if (resolved->kind != OPERAND_MAP && !(resolved->kind == OPERAND_LIST && resolved->count == 0))
        return err_set(err, ERR_CONNECTOR, "%s: expected a map", what);
    for (size_t i = 0; i < resolved->count; i++) {
        rc = add_value(&resolved->children[i], source, pairs, err);
        if (rc != 0) return err_context(err, "%s." STR_FMT, what, STR_ARG(resolved->children[i].key));
    }
    return 0;
}

static int json_scalar(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *is_set,
                       bool *has_secret, struct err *err)
{
    struct buf text = BUF_INIT(RENDER_MAX);
    int rc = render_scalar(operand, source, ESCAPE_NONE, &text, has_secret, err);
    if (rc >= 0 && text.failed) rc = err_set(err, ERR_CONFIG, "value over %d bytes", RENDER_MAX);
    if (rc == RENDERED_NUMBER || rc == RENDERED_BOOLEAN || rc == RENDERED_LIST)
        buf_append_str(out, buf_str(&text));
    else if (rc == RENDERED_TEXT)
        buf_append_json_string(out, buf_str(&text));
    *is_set = rc != RENDERED_NOTHING;
    buf_release(&text);
    return rc < 0 ? rc : 0;
}

static int json_value(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *is_set,
                      bool *has_secret, struct err *err);

static int json_container(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *has_secret,
                          struct err *err)
{
    bool is_map = operand->kind == OPERAND_MAP, needs_comma = false;
    int rc = 0;
    buf_append_char(out, is_map ? '{' : '[');
    for (size_t i = 0; i < operand->count && rc == 0; i++) {
        const struct operand *child = &operand->children[i];
        size_t before = out->size;
        bool is_set = true;
        if (needs_comma) buf_append_char(out, ',');
        if (is_map) {
            buf_append_json_string(out, child->key);
            buf_append_char(out, ':');
        }
        rc = json_value(child, source, out, &is_set, has_secret, err);
        if (rc != 0 && is_map) err_context(err, STR_FMT, STR_ARG(child->key));
        if (is_set)
            needs_comma = true;
        else
            out->size = before; /* takes the comma and the key back */
    }
    buf_append_char(out, is_map ? '}' : ']');
    return rc;
}

static int json_value(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *is_set,
                      bool *has_secret, struct err *err)
{
    const struct operand *resolved;
    *is_set = true;
    int rc = operand_resolve(operand, source, &resolved, err);
    if (rc != 0) return rc;
    if (resolved->kind == OPERAND_MAP || resolved->kind == OPERAND_LIST)
        return json_container(resolved, source, out, has_secret, err);
    if (resolved->kind == OPERAND_RAW) { /* null is a value here */
        buf_append_str(out, resolved->text);
        return 0;
    }
    return json_scalar(resolved, source, out, is_set, has_secret, err);
}

int operand_to_json(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *has_secret,
                    struct err *err)
{
    bool is_set;
    int rc = json_value(operand, source, out, &is_set, has_secret, err);
    if (rc == 0 && !is_set) buf_append_text(out, "null");
    return rc;
}
