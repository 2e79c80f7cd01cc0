/* How it works: a choice is a map with "$select"; both walks copy the tree and put a case in its place.
 *
 * Variants without a configuration: variants(choice) is the sum over its cases, variants(container) the most any child has,
 * since children vary side by side: variant v of a container takes variant v modulo n of a child that has n. So every case
 * appears, and the number grows with the cases, not with their combinations. */
#include "rest/select.h"

#include "base/check.h"

static bool is_choice(const struct node *node)
{
    return node->kind == NODE_MAP && node_get(node, "$select");
}

/* --- checking ------------------------------------------------------------------------------------------------------------ */

/* What an entry can be, when it is a closed list. */
static size_t closed_values(const struct config_entry *entry, const char *const **values)
{
    static const char *const BOOLEANS[] = {"true", "false"};
    *values = entry->type == CONFIG_BOOLEAN ? BOOLEANS : entry->values;
    return entry->type == CONFIG_BOOLEAN ? ARRAY_SIZE(BOOLEANS) : entry->value_count;
}

static void check_cases(const struct config_entry *entry, const struct node *cases, struct problems *problems)
{
    const char *const *values;
    size_t count = closed_values(entry, &values);
    if (entry->type != CONFIG_BOOLEAN && entry->type != CONFIG_ENUM) return;
    for (size_t i = 0; i < count; i++)
        if (!node_get(cases, values[i]))
            problems_add(problems, cases, "$select: there is no case for '%s' of config.%s", values[i], entry->name);
    for (size_t i = 0; i < cases->count; i++) {
        struct str key = cases->children[i].key;
        bool is_known = false;
        for (size_t j = 0; j < count; j++) is_known = is_known || str_equal(key, str_from(values[j]));
        if (is_known) continue;
        problems_add(problems, &cases->children[i], "$select: config.%s is never '" STR_FMT "'", entry->name, STR_ARG(key));
        const char *nearest = str_nearest(key, values, count, sizeof values[0]);
        if (nearest) problems_hint(problems, "did you mean '%s'?", nearest);
    }
}

static void check_choice(const struct node *choice, const struct config_table *table, struct problems *problems)
{
    const struct node *name = node_get(choice, "$select"), *cases = node_get(choice, "cases");
    if (!node_is(name, NODE_STRING) || !node_is(cases, NODE_MAP) || cases->count == 0 || choice->count != 2) {
        problems_add(problems, choice, "$select: expected { $select = \"ENTRY\", cases = { value = .. } } and nothing else");
        return;
    }
    const struct config_entry *entry = config_table_find(table, name->text);
    if (!entry) {
        problems_add(problems, name, "$select: there is no config entry '" STR_FMT "'", STR_ARG(name->text));
        const char *nearest = config_table_nearest(table, name->text);
        if (nearest) problems_hint(problems, "did you mean '%s'?", nearest);
        return;
    }
    if (entry->secret)
        problems_add(problems, name, "$select: a secret cannot choose");
    else if (entry->type == CONFIG_LIST)
        problems_add(problems, name, "$select: a list cannot choose");
    else if (!entry->required && !entry->fallback)
        problems_add(problems, name, "$select: config.%s may be absent: make it required or give it a default", entry->name);
    check_cases(entry, cases, problems);
}

void select_check(const struct node *root, const struct config_table *table, struct problems *problems)
{
    if (is_choice(root)) check_choice(root, table, problems);
    for (size_t i = 0; i < root->count; i++) select_check(&root->children[i], table, problems);
}

/* --- replacing ----------------------------------------------------------------------------------------------------------- */

struct replacing {
    const struct config *config; /* or a variant */
    struct arena *arena;
    struct problems *problems;
};

static void replace_node(const struct replacing *with, size_t variant, const struct node *node, struct node *out);

/* Variants of a tree; 0: there is no choice in it. */
static size_t count_variants(const struct node *node)
{
    const struct node *cases = is_choice(node) ? node_get(node, "cases") : NULL;
    size_t count = 0;
    for (size_t i = 0; cases && i < cases->count; i++) {
        size_t variants = count_variants(&cases->children[i]);
        count += variants ? variants : 1;
    }
    for (size_t i = 0; !cases && i < node->count; i++) {
        size_t variants = count_variants(&node->children[i]);
        if (variants > count) count = variants;
    }
    return count;
}

size_t select_variants(const struct node *root)
{
    size_t variants = count_variants(root);
    return variants ? variants : 1;
}

static const struct node *choose_by_config(const struct replacing *with, const struct node *choice)
{
    const struct node *name = node_get(choice, "$select"), *cases = node_get(choice, "cases");
    const struct config_value *value = config_get(with->config, node_text(name));
    const struct node *chosen = NULL;
    for (size_t i = 0; value && value->is_set && cases && i < cases->count; i++)
        if (str_equal(cases->children[i].key, value->text)) chosen = &cases->children[i];
    if (chosen) return chosen;
    struct buf known = BUF_INIT(1024);
    for (size_t i = 0; cases && i < cases->count; i++)
        buf_printf(&known, "%s" STR_FMT, i ? ", " : "", STR_ARG(cases->children[i].key));
    problems_add(with->problems, choice, "config." STR_FMT ": '" STR_FMT "' is none of the connector's cases",
                 STR_ARG(node_text(name)), STR_ARG(value ? value->text : STR("")));
    problems_hint(with->problems, "one of: %s", buf_text(&known));
    buf_release(&known);
    return NULL;
}

static const struct node *choose_by_variant(const struct node *choice, size_t *variant)
{
    const struct node *cases = node_get(choice, "cases");
    for (size_t i = 0; cases && i < cases->count; i++) {
        size_t variants = select_variants(&cases->children[i]);
        if (*variant < variants) return &cases->children[i];
        *variant -= variants;
    }
    return NULL;
}

static void replace_children(const struct replacing *with, size_t variant, const struct node *node, struct node *out)
{
    struct node *children = arena_array(with->arena, struct node, node->count + 1);
    for (size_t i = 0; i < node->count; i++) replace_node(with, variant, &node->children[i], &children[i]);
    out->children = children;
}

static void replace_node(const struct replacing *with, size_t variant, const struct node *node, struct node *out)
{
    const struct node *chosen = node;
    size_t variants = count_variants(node);
    *out = *node;
    if (variants == 0) return;
    variant %= variants;
    while (chosen && is_choice(chosen))
        chosen = with->config ? choose_by_config(with, chosen) : choose_by_variant(chosen, &variant);
    *out = chosen ? *chosen : (struct node){.kind = NODE_NULL, .file = node->file, .line = node->line};
    out->key = node->key;
    if (out->count) replace_children(with, variant, chosen, out);
}

const struct node *select_resolve(const struct node *root, const struct config *config, struct arena *arena,
                                  struct problems *problems)
{
    struct replacing with = {config, arena, problems};
    struct node *copy = arena_new(arena, struct node);
    replace_node(&with, 0, root, copy);
    return copy;
}

const struct node *select_variant(const struct node *root, size_t variant, struct arena *arena)
{
    struct replacing with = {NULL, arena, NULL};
    struct node *copy = arena_new(arena, struct node);
    replace_node(&with, variant, root, copy);
    return copy;
}
