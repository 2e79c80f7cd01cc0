/* How it works: a native stream has no request, so most of a stream's keys would say nothing: those are refused by name. What
 * its pages route to other tables are streams like exploded ones, but for sets. */
#include "base/check.h"
#include "rest/describe.h"
#include "rest/vocabulary.h"

bool describe_is_native(const struct node *node)
{
    const struct node *native = node_get(node, "native");
    return node_is(native, NODE_BOOLEAN) && str_equal(node_text(native), STR("true"));
}

/* Keys that mean something; those of bytes only where there is a format. */
static void check_keys(const struct stream_in_hand *hand)
{
    static const char *const ROWS[] = {"native",     "primary_key", "cursor", "fields", "partitions", "sync_modes",
                                       "write_mode", "internal",    "routes", "format", "stable",     "title"};
    static const char *const BYTES[] = {"records", "filter", "pairs", "flatten", "drop", "rename", "undeclared", "explode"};
    bool has_format = !node_is_default(node_get(hand->node, "format"));
    for (size_t i = 0; i < hand->node->count; i++) {
        const struct node *key = &hand->node->children[i];
        bool is_known = node_is_default(key);
        for (size_t k = 0; k < ARRAY_SIZE(ROWS); k++) is_known = is_known || str_equal(key->key, str_from(ROWS[k]));
        for (size_t k = 0; k < ARRAY_SIZE(BYTES) && has_format; k++)
            is_known = is_known || str_equal(key->key, str_from(BYTES[k]));
        if (is_known) continue;
        problems_add(hand->with->problems, key, "%s." STR_FMT ": a native stream has no requests, and no use for it",
                     hand->path, STR_ARG(key->key));
        problems_hint(hand->with->problems,
                      has_format ? "leave it out" : "leave it out; `format` is for plugins that emit bytes");
    }
}

static void describe_route(const struct stream_in_hand *root, const struct node *node, struct stream_description *stream)
{
    const struct describing *with = root->with;
    struct stream_in_hand hand = {with, node, arena_printf(with->arena, "%s.routes." STR_FMT, root->path, STR_ARG(node->key)),
                                  stream};
    *stream = (struct stream_description){
        .name = arena_text(with->arena, node->key),
        .root = root->stream,
        .records_path = "$",
        .full_refresh = root->stream->full_refresh,
        .incremental = root->stream->incremental,
        .write_mode = describe_write_mode(option_text(&VOCABULARY_ROUTE, node, "write_mode")),
        .is_route = true,
    };
    if (!describe_is_stream_name(node->key))
        problems_add(with->problems, node, "%s: a stream's name has no spaces, '/' or control characters and at most 255 bytes",
                     hand.path);
    describe_fields(&hand, 0);
    describe_primary_key(&hand);
}

static void describe_routes(const struct stream_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "routes");
    if (node_is_default(node) || node->count == 0) return;
    if (hand->stream->exploded_count || node->count > DESCRIPTION_MAX_STREAMS) {
        problems_add(hand->with->problems, node, "%s: expected at most %d routes, and no `explode` beside them",
                     describe_below(hand, "routes"), DESCRIPTION_MAX_STREAMS);
        return;
    }
    struct stream_description *streams = arena_array(hand->with->arena, struct stream_description, node->count);
    for (size_t i = 0; i < node->count; i++) describe_route(hand, &node->children[i], &streams[i]);
    hand->stream->exploded = streams;
    hand->stream->exploded_count = node->count;
}

void describe_native(const struct stream_in_hand *hand)
{
    struct stream_description *stream = hand->stream;
    const struct node *node = hand->node;
    struct template_scope scope = {.config = hand->with->config, .roots = TEMPLATE_CONFIG | TEMPLATE_NOW};
    bool has_format = !node_is_default(node_get(node, "format"));
    check_keys(hand);
    stream->native = true;
    stream->request = (struct request_description){.where = hand->path, .method = "GET"};
    stream->infer = stream->infer && has_format;
    describe_partitions(hand, &scope);
    describe_fields(hand, 0);
    describe_primary_key(hand);
    describe_cursor(hand);
    stream->pages = (struct pages){.kind = PAGES_NONE, .max_pages = 1, .stable = true};
    describe_format(hand);
    if (has_format) describe_reshape(hand, &scope);
    describe_sync_modes(hand);
    if (has_format) describe_exploded(hand);
    describe_routes(hand);
    if (stream->field_count || has_format || stream->exploded_count) return;
    problems_add(hand->with->problems, node, "%s: nothing says which columns its rows have", hand->path);
    problems_hint(hand->with->problems, "declare `fields`, or the `format` of the bytes that the plugin emits");
}
