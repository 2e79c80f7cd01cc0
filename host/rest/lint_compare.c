/* lint_compare: is a description a safe successor of an older one? Choices by configuration are compared case by case of the
 * newer one's first variant with the older one's: what a case changes, every pipeline that chose it will meet. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "data/option.h"
#include "rest/lint.h"
#include "rest/select.h"
#include "rest/vocabulary.h"

struct comparison {
    struct findings *findings;
    size_t breaks;
};

static void breaks(struct comparison *comparison, const char *rule, const char *place, const char *message)
{
    comparison->breaks++;
    findings_add(comparison->findings, FINDING_WARNING, rule, place, message, "");
}

static bool is_empty(const struct node *node)
{
    return !node || node->kind == NODE_NULL;
}

/* The text of a scalar or list, for comparing and showing. */
static const char *shown(const struct comparison *comparison, const struct node *node)
{
    struct buf text = BUF_INIT(4096);
    if (is_empty(node))
        buf_append_text(&text, "none");
    else if (node_is_scalar(node))
        buf_append_str(&text, node_text(node));
    else
        node_to_json(node, &text);
    const char *copy = arena_text(comparison->findings->arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

static void compare_value(struct comparison *comparison, const char *rule, const char *place, const struct node *old,
                          const struct node *new)
{
    const char *before = shown(comparison, old), *after = shown(comparison, new);
    if (strcmp(before, after) == 0) return;
    breaks(comparison, rule, place, arena_printf(comparison->findings->arena, "was %s, is %s", before, after));
}

static const struct node *type_of(const struct node *field)
{
    return node_is(field, NODE_MAP) ? node_get(field, "type") : field;
}

static void compare_fields(struct comparison *comparison, const char *path, const struct node *old, const struct node *new)
{
    const struct node *before = node_get(old, "fields"), *after = node_get(new, "fields");
    for (size_t i = 0; before && i < before->count; i++) {
        const struct node *field = &before->children[i], *now = node_get(after, field->key.data);
        const char *place = arena_printf(comparison->findings->arena, "%s.fields.%s", path, field->key.data);
        if (is_empty(now))
            breaks(comparison, "field-removed", place, "its column stays and gets no values any more");
        else
            compare_value(comparison, "type-changed", place, type_of(field), type_of(now));
    }
}

static void compare_modes(struct comparison *comparison, const char *path, const struct node *old, const struct node *new)
{
    const struct node *before = node_get(old, "sync_modes"), *after = node_get(new, "sync_modes");
    const char *place = arena_printf(comparison->findings->arena, "%s.sync_modes", path);
    if (!is_empty(before) || !is_empty(after)) compare_value(comparison, "mode-changed", place, before, after);
}

static void compare_streams(struct comparison *comparison, const char *path, const struct node *old, const struct node *new)
{
    for (size_t i = 0; old && i < old->count; i++) {
        const struct node *before = &old->children[i], *after = node_get(new, before->key.data);
        const char *place = arena_printf(comparison->findings->arena, "%s.%s", path, before->key.data);
        struct arena *arena = comparison->findings->arena;
        if (is_empty(after)) {
            breaks(comparison, "stream-removed", place, "pipelines that name it fail");
            continue;
        }
        compare_value(comparison, "key-changed", arena_printf(arena, "%s.primary_key", place), node_get(before, "primary_key"),
                      node_get(after, "primary_key"));
        compare_value(comparison, "cursor-changed", arena_printf(arena, "%s.cursor.field", place),
                      node_get(node_get(before, "cursor"), "field"), node_get(node_get(after, "cursor"), "field"));
        compare_modes(comparison, place, before, after);
        compare_fields(comparison, place, before, after);
        compare_streams(comparison, arena_printf(arena, "%s.explode", place), node_get(before, "explode"),
                        node_get(after, "explode"));
    }
}

static bool must_be_given(const struct node *entry)
{
    return option_boolean(&VOCABULARY_CONFIG_ENTRY, entry, "required") && !option_is_set(entry, "default");
}

static void compare_config(struct comparison *comparison, const struct node *old, const struct node *new)
{
    struct arena *arena = comparison->findings->arena;
    for (size_t i = 0; old && i < old->count; i++) {
        const struct node *before = &old->children[i], *after = node_get(new, before->key.data);
        const char *place = arena_printf(arena, "config.%s", before->key.data);
        if (is_empty(after))
            breaks(comparison, "config-removed", place, "pipelines that give it fail");
        else
            compare_value(comparison, "config-changed", arena_printf(arena, "%s.type", place), node_get(before, "type"),
                          node_get(after, "type"));
        const struct node *values = node_get(before, "values"), *now = node_get(after, "values");
        for (size_t v = 0; values && now && v < values->count; v++) {
            bool is_there = false;
            for (size_t n = 0; n < now->count; n++)
                is_there = is_there || str_equal(node_text(&values->children[v]), node_text(&now->children[n]));
            if (!is_there)
                breaks(comparison, "config-changed", arena_printf(arena, "%s.values", place),
                       arena_printf(arena, "'%s' is none of its values any more", node_cstr(&values->children[v], "")));
        }
    }
    for (size_t i = 0; new &&i < new->count; i++) {
        const struct node *after = &new->children[i], *before = node_get(old, after->key.data);
        if (must_be_given(after) && (is_empty(before) || !must_be_given(before)))
            breaks(comparison, "config-required", arena_printf(arena, "config.%s", after->key.data),
                   "must be given now, and was not before");
    }
}

/* The first number of a version; -1 when there is none. */
static int64_t major_of(const struct node *root)
{
    struct str version = node_text(node_get(root, "version")), first = {0};
    int64_t major;
    return str_next(&version, '.', &first) && number_to_int64(first, &major) ? major : -1;
}

void lint_compare(const struct node *old, const struct node *new, struct findings *findings)
{
    struct comparison comparison = {.findings = findings};
    size_t variants = select_variants(old);
    compare_config(&comparison, node_get(old, "config"), node_get(new, "config"));
    for (size_t v = 0; v < variants; v++)
        compare_streams(&comparison, "streams", node_get(select_variant(old, v, findings->arena), "streams"),
                        node_get(select_variant(new, v, findings->arena), "streams"));
    if (comparison.breaks == 0 || major_of(new) > major_of(old)) return;
    const char *was = node_cstr(node_get(old, "version"), ""), *is = node_cstr(node_get(new, "version"), "");
    findings_add(findings, FINDING_ERROR, "breaking-change", "version",
                 arena_printf(findings->arena, "what changed breaks pipelines of %s, and %s is no new major version", was, is),
                 "raise the first number of the version, or take back what the warnings name");
}
