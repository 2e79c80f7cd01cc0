/* node_build: see node_build.h. Children wait on one stack until their container closes; then they move to the arena as one
 * array, and the container takes their place on the stack. */
#include "data/node_build.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { FEW_KEYS = 8 }; /* up to here comparing all pairs is cheaper than a map */

void node_build_init(struct node_build *build, struct arena *arena, const char *file)
{
    *build = (struct node_build){.arena = arena, .file = file};
}

void node_build_release(struct node_build *build)
{
    free(build->pending);
    build->pending = NULL;
    build->count = build->capacity = 0;
}

static bool fail(struct node_build *build, enum node_fault fault)
{
    build->fault = fault;
    return false;
}

/* Sizes come from outside: arena_try, not arena_copy. */
static bool copy_text(struct node_build *build, struct str text, struct str *copy)
{
    char *data = arena_try(build->arena, text.size + 1);
    if (!data) return fail(build, NODE_FAULT_MEMORY);
    if (text.size) memcpy(data, text.data, text.size);
    data[text.size] = '\0';
    *copy = (struct str){data, text.size};
    return true;
}

static struct node make_node(struct node_build *build, enum node_kind kind, unsigned line)
{
    struct node node = {.kind = kind, .file = build->file, .line = line};
    if (build->key.data) {
        node.key = build->key;
        node.line = build->key_line;
        build->key = (struct str){0};
    } else {
        node.key = (struct str){"", 0};
    }
    return node;
}

static void push(struct node_build *build, struct node node)
{
    if (build->count == build->capacity) {
        build->capacity = build->capacity ? build->capacity * 2 : 64;
        build->pending = mem_resize(build->pending, build->capacity * sizeof *build->pending);
    }
    build->pending[build->count++] = node;
}

bool node_build_wants_key(const struct node_build *build)
{
    return build->depth && build->open[build->depth - 1].node.kind == NODE_MAP && !build->key.data;
}

bool node_build_key(struct node_build *build, struct str key, unsigned line)
{
    CHECK(node_build_wants_key(build));
    build->key_line = line;
    return copy_text(build, key, &build->key);
}

bool node_build_scalar(struct node_build *build, enum node_kind kind, bool plain, struct str text, unsigned line)
{
    struct node node = make_node(build, kind, line);
    if (build->total++ == NODE_MAX_NODES) return fail(build, NODE_FAULT_COUNT);
    node.plain = plain;
    if (!copy_text(build, text, &node.text)) return false;
    push(build, node);
    return true;
}

bool node_build_open(struct node_build *build, enum node_kind kind, unsigned line)
{
    if (build->depth == NODE_MAX_DEPTH) return fail(build, NODE_FAULT_DEPTH);
    if (build->total++ == NODE_MAX_NODES) return fail(build, NODE_FAULT_COUNT);
    build->open[build->depth].node = make_node(build, kind, line);
    build->open[build->depth++].first = build->count;
    return true;
}

static const struct node *find_among(const struct node *nodes, size_t count, struct str key)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(nodes[i].key, key)) return &nodes[i];
    return NULL;
}

/* The first child whose key stands before it already, and the one it repeats. */
static bool find_repeated(struct node_build *build, const struct node *children, size_t count)
{
    struct map seen = MAP_INIT;
    const struct node *original = NULL;
    size_t at = 0;
    for (; at < count; at++) {
        original = count <= FEW_KEYS ? find_among(children, at, children[at].key) : map_get(&seen, children[at].key);
        if (original) break;
        if (count > FEW_KEYS) map_set(&seen, children[at].key, (void *)&children[at]);
    }
    map_release(&seen);
    if (!original) return false;
    build->original = original;
    build->repeated = &children[at];
    return true;
}

bool node_build_close(struct node_build *build)
{
    CHECK(build->depth > 0);
    size_t first = build->open[--build->depth].first;
    struct node node = build->open[build->depth].node;
    node.count = build->count - first;
    if (node.count) {
        struct node *children = arena_try(build->arena, node.count * sizeof *children);
        if (!children) return fail(build, NODE_FAULT_MEMORY);
        memcpy(children, build->pending + first, node.count * sizeof *children);
        node.children = children;
        if (node.kind == NODE_MAP && find_repeated(build, children, node.count)) return fail(build, NODE_FAULT_REPEATED);
    }
    build->count = first;
    push(build, node);
    return true;
}

const struct node *node_build_root(struct node_build *build)
{
    CHECK(build->depth == 0 && build->count == 1);
    struct node *root = arena_try(build->arena, sizeof *root);
    if (root)
        *root = build->pending[0];
    else
        fail(build, NODE_FAULT_MEMORY);
    return root;
}

int node_build_error(const struct node_build *build, int class, const char *place, struct err *err)
{
    switch (build->fault) {
    case NODE_FAULT_DEPTH:
        return err_set(err, class, "%s: over %d levels deep", place, NODE_MAX_DEPTH);
    case NODE_FAULT_COUNT:
        return err_set(err, class, "%s: over %d values", place, NODE_MAX_NODES);
    case NODE_FAULT_REPEATED:
        return err_set(err, class, "%s: repeated key '" STR_FMT "'", place, STR_ARG(build->repeated->key));
    default:
        return err_set(err, ERR_NOMEM, "%s: cannot read it in %zu bytes of memory", place, build->arena->max);
    }
}
