/* kinds: the table a map's `kind` calls for. */
#include "rest/vocabulary.h"

static const struct vocabulary_kind *find_kind(const struct vocabulary_kinds *kinds, struct str name)
{
    for (size_t i = 0; i < kinds->count; i++)
        if (str_equal(name, str_from(kinds->kinds[i].name))) return &kinds->kinds[i];
    return NULL;
}

const struct vocabulary_kind *vocabulary_kind_of(const struct vocabulary_kinds *kinds, const struct node *map)
{
    return find_kind(kinds, str_from(node_cstr(node_get(map, "kind"), kinds->fallback)));
}

static void hint_kinds(const struct vocabulary_kinds *kinds, struct problems *problems)
{
    struct buf known = BUF_INIT(1024);
    for (size_t i = 0; i < kinds->count; i++) buf_printf(&known, "%s%s", known.size ? ", " : "", kinds->kinds[i].name);
    problems_hint(problems, "one of: %s", buf_text(&known));
    buf_release(&known);
}

const struct vocabulary_kind *vocabulary_check_kind(const struct vocabulary_kinds *kinds, const struct node *map,
                                                    const char *path, struct problems *problems)
{
    if (!node_is(map, NODE_MAP)) {
        problems_add(problems, map, "%s: expected a map, got %s", path, node_kind_name(map->kind));
        return NULL;
    }
    const struct node *named = node_get(map, "kind");
    if (named && !node_is(named, NODE_STRING)) {
        problems_add(problems, named, "%s.kind: expected a string, got %s", path, node_kind_name(named->kind));
        return NULL;
    }
    if (!named && !kinds->fallback) {
        problems_add(problems, map, "%s: 'kind' is missing", path);
        hint_kinds(kinds, problems);
        return NULL;
    }
    struct str name = named ? node_text(named) : str_from(kinds->fallback);
    const struct vocabulary_kind *kind = find_kind(kinds, name);
    if (!kind) {
        problems_add(problems, named, "%s: unknown kind '" STR_FMT "'", path, STR_ARG(name));
        const char *nearest = str_nearest(name, &kinds->kinds[0].name, kinds->count, sizeof kinds->kinds[0]);
        if (nearest)
            problems_hint(problems, "did you mean '%s'?", nearest);
        else
            hint_kinds(kinds, problems);
        return NULL;
    }
    size_t before = problems->count;
    option_check(kind->table, map, path, problems);
    return problems->count == before ? kind : NULL;
}
