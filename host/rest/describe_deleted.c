/* How it works: a path alone is the rule whose value only has to say yes. */
#include "rest/deleted.h"
#include "rest/describe.h"
#include "rest/vocabulary.h"

/* It begins with a field: `$` and nothing would be the record itself. */
static bool names_field(const char *path)
{
    return path && path[0] && path[0] != '$' && path[0] != '.';
}

static void read_equals(const struct describing *with, const struct node *node, struct deleted_rule *rule)
{
    size_t count = node_is_default(node) ? 0 : node->kind == NODE_LIST ? node->count : 1;
    const char **texts = arena_array(with->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        texts[i] = arena_text(with->arena, node_text(node->kind == NODE_LIST ? &node->children[i] : node));
    rule->equals = texts;
    rule->equals_count = count;
}

const struct deleted_rule *describe_deleted(const struct describing *with, const struct node *map, const char *path)
{
    const struct node *node = node_get(map, "deleted");
    const char *place = arena_printf(with->arena, "%s.deleted", path);
    struct deleted_rule *rule = arena_new(with->arena, struct deleted_rule);
    size_t before = with->problems->count;
    if (node_is_default(node)) return NULL;
    *rule = (struct deleted_rule){.path = node_cstr(node, NULL)};
    if (node->kind != NODE_STRING) {
        option_check(&VOCABULARY_DELETED, node, place, with->problems);
        if (with->problems->count != before) return NULL;
        rule->path = option_text(&VOCABULARY_DELETED, node, "path");
        rule->ends_with = option_text(&VOCABULARY_DELETED, node, "ends_with");
        read_equals(with, node_get(node, "equals"), rule);
    }
    if (!names_field(rule->path)) {
        problems_add(with->problems, node, "%s: '%s' names no field", place, rule->path ? rule->path : "");
        problems_hint(with->problems, "what says that a record is gone: deleted = { path = \"status\", equals = \"deleted\" }");
    }
    if (rule->equals_count && rule->ends_with)
        problems_add(with->problems, node, "%s: 'equals' or 'ends_with', not both", place);
    return rule;
}
