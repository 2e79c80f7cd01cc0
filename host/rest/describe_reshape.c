/* How it works: each key is read on its own; a stream with none of them has no reshape, and its pages take the short way. */
#include "rest/describe.h"

#include "base/check.h"
#include "rest/vocabulary.h"

static bool has_value(const struct node *node)
{
    return node && node->kind != NODE_NULL;
}

static const char *below(const struct stream_in_hand *hand, const char *key)
{
    return arena_printf(hand->with->arena, "%s.%s", hand->path, key);
}

static size_t count_of(const struct node *node)
{
    return !has_value(node) ? 0 : node->kind == NODE_LIST ? node->count : 1;
}

static const struct node *item_of(const struct node *node, size_t index)
{
    return node->kind == NODE_LIST ? &node->children[index] : node;
}

/* The names of a list as a map's keys. */
static void read_names(const struct node *list, struct map *names)
{
    for (size_t i = 0; i < count_of(list); i++) {
        const struct node *name = item_of(list, i);
        map_set(names, node_text(name), (void *)(uintptr_t)name);
    }
}

/* One test a filter, so that several are several filters. */
static void read_test(const struct stream_in_hand *hand, const struct node *node, struct reshape_filter *filter)
{
    const struct node *equals = node_get(node, "equals"), *differs = node_get(node, "not_equals");
    const struct node *values = has_value(equals) ? equals : differs;
    bool has_exists = option_is_set(node, "exists");
    if (has_value(equals) + has_value(differs) + has_exists != 1)
        problems_add(hand->with->problems, node, "%s: expected one of equals, not_equals and exists", below(hand, "filter"));
    if (has_exists) {
        filter->test = option_boolean(&VOCABULARY_FILTER, node, "exists") ? FILTER_EXISTS : FILTER_MISSING;
        return;
    }
    filter->test = has_value(equals) ? FILTER_IN : FILTER_NOT_IN;
    filter->value_count = count_of(values);
    struct str *texts = arena_array(hand->with->arena, struct str, filter->value_count + 1);
    for (size_t i = 0; i < filter->value_count; i++) texts[i] = node_text(item_of(values, i));
    filter->values = texts;
}

static void read_filters(const struct stream_in_hand *hand, struct reshape *reshape)
{
    const struct node *list = node_get(hand->node, "filter");
    size_t count = count_of(list), before = hand->with->problems->count;
    struct reshape_filter *filters = arena_array(hand->with->arena, struct reshape_filter, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct node *node = item_of(list, i);
        option_check(&VOCABULARY_FILTER, node, below(hand, "filter"), hand->with->problems);
        if (hand->with->problems->count != before) return;
        filters[i].path = option_text(&VOCABULARY_FILTER, node, "path");
        read_test(hand, node, &filters[i]);
    }
    reshape->filters = filters;
    reshape->filter_count = count;
}

static void read_zips(const struct stream_in_hand *hand, struct reshape *reshape)
{
    const struct node *list = node_get(hand->node, "zip");
    size_t count = count_of(list), before = hand->with->problems->count;
    struct reshape_zip *zips = arena_array(hand->with->arena, struct reshape_zip, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct node *node = item_of(list, i);
        option_check(&VOCABULARY_ZIP, node, below(hand, "zip"), hand->with->problems);
        if (hand->with->problems->count != before) return;
        zips[i] = (struct reshape_zip){option_text(&VOCABULARY_ZIP, node, "names"), option_text(&VOCABULARY_ZIP, node, "name"),
                                       option_text(&VOCABULARY_ZIP, node, "from"), option_text(&VOCABULARY_ZIP, node, "value")};
    }
    if (count && format_comes_in_parts(&hand->stream->format))
        problems_add(hand->with->problems, list, "%s: the names stand beside the records, and this format comes in parts",
                     below(hand, "zip"));
    reshape->zips = zips;
    reshape->zip_count = count;
}

static void read_pairs(const struct stream_in_hand *hand, struct reshape *reshape)
{
    const struct node *map = node_get(hand->node, "pairs");
    size_t count = has_value(map) ? map->count : 0;
    for (size_t i = 0; i < count; i++) {
        const struct node *node = &map->children[i];
        struct reshape_pairs *pairs = arena_new(hand->with->arena, struct reshape_pairs);
        pairs->key = option_text(&VOCABULARY_PAIRS, node, "key");
        pairs->value = option_text(&VOCABULARY_PAIRS, node, "value");
        map_set(&reshape->pairs, node->key, pairs);
    }
    reshape->has_pairs = count > 0;
}

static void read_flatten(const struct stream_in_hand *hand, struct reshape *reshape)
{
    const struct node *node = node_get(hand->node, "flatten");
    bool is_list = has_value(node) && node->kind == NODE_LIST, is_map = has_value(node) && node->kind == NODE_MAP;
    bool is_name = has_value(node) && node->kind == NODE_STRING;
    const struct node *options = is_map ? node : NULL;
    size_t before = hand->with->problems->count;
    if (!has_value(node)) return;
    if (!is_list && !is_map && !is_name) {
        problems_add(hand->with->problems, node, "%s: expected names of fields, or a map, got %s", below(hand, "flatten"),
                     node_kind_name(node->kind));
        return;
    }
    option_check(&VOCABULARY_FLATTEN, options, below(hand, "flatten"), hand->with->problems);
    if (hand->with->problems->count != before) return;
    reshape->flattens = true;
    reshape->separator = option_text(&VOCABULARY_FLATTEN, options, "separator");
    reshape->prefix = option_boolean(&VOCABULARY_FLATTEN, options, "prefix");
    reshape->depth = (size_t)option_integer(&VOCABULARY_FLATTEN, options, "depth");
    read_names(is_map ? node_get(node, "fields") : node, &reshape->flat);
}

static void read_renames(const struct stream_in_hand *hand, struct reshape *reshape)
{
    const struct node *map = node_get(hand->node, "rename");
    for (size_t i = 0; i < (has_value(map) ? map->count : 0); i++) {
        const char *name = node_cstr(&map->children[i], "");
        if (!name[0])
            problems_add(hand->with->problems, &map->children[i], "%s." STR_FMT ": an empty name", below(hand, "rename"),
                         STR_ARG(map->children[i].key));
        map_set(&reshape->rename, map->children[i].key, (void *)(uintptr_t)name);
    }
}

static void release_maps(void *object)
{
    struct reshape *reshape = object;
    map_release(&reshape->pairs);
    map_release(&reshape->flat);
    map_release(&reshape->drop);
    map_release(&reshape->rename);
}

void describe_element_filter(const struct stream_in_hand *hand)
{
    if (!has_value(node_get(hand->node, "filter"))) return;
    struct reshape *reshape = arena_new(hand->with->arena, struct reshape);
    read_filters(hand, reshape);
    hand->stream->kept = reshape;
}

void describe_reshape(const struct stream_in_hand *hand, struct template_scope *scope)
{
    static const char *const KEYS[] = {"zip", "filter", "pairs", "flatten", "drop", "rename", "add"};
    bool is_any = node_get(node_get(hand->node, "parent"), "copy") != NULL;
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) is_any = is_any || has_value(node_get(hand->node, KEYS[i]));
    if (!is_any) return;
    struct reshape *reshape = arena_new(hand->with->arena, struct reshape);
    struct template_scope shown = *scope;
    arena_defer(hand->with->arena, release_maps, reshape);
    shown.refuse_secrets = true;
    read_zips(hand, reshape);
    read_filters(hand, reshape);
    read_pairs(hand, reshape);
    read_flatten(hand, reshape);
    read_names(node_get(hand->node, "drop"), &reshape->drop);
    read_renames(hand, reshape);
    reshape->add = describe_pairs(hand->with, hand->node, "add", hand->path, false, &shown);
    reshape->add = describe_copies(hand, reshape->add, &shown);
    hand->stream->reshape = reshape;
    if (hand->stream->records_function)
        problems_add(hand->with->problems, hand->node, "%s: a function that parses gives records as they shall be", hand->path);
}
