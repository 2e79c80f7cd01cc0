/* How it works: what lists a stream's fields is requested like a stream, so it is compiled as one that has only what a request,
 * its pages and its records need. Its name is the stream's: templates and messages speak of that. */
#include "base/buf.h"
#include "base/check.h"
#include "rest/describe.h"
#include "rest/vocabulary.h"

static void read_types(const struct stream_in_hand *hand, const struct node *node, struct fields_from *from)
{
    if (node_is_default(node) || (node->kind == NODE_LIST && node->count == 0)) return;
    if (node->kind != NODE_MAP) {
        problems_add(hand->with->problems, node, "%s: expected a map of the source's types, got %s",
                     describe_below(hand, "types"), node_kind_name(node->kind));
        return;
    }
    struct type_description *types = arena_array(hand->with->arena, struct type_description, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        const char *place = arena_printf(hand->with->arena, "%s.types." STR_FMT, hand->path, STR_ARG(node->children[i].key));
        types[i].name = node->children[i].key;
        describe_field(hand, &node->children[i], place, &types[i].field);
    }
    from->types = types;
    from->type_count = node->count;
}

static void read_skip(const struct stream_in_hand *hand, const struct node *node, struct fields_from *from)
{
    if (node_is_default(node)) return;
    size_t count = node->kind == NODE_LIST ? node->count : 1;
    struct str *skip = arena_array(hand->with->arena, struct str, count + 1);
    for (size_t i = 0; i < count; i++) skip[i] = node_text(node->kind == NODE_LIST ? &node->children[i] : node);
    from->skip = skip;
    from->skip_count = count;
}

static void read_request(const struct stream_in_hand *hand)
{
    struct stream_description *stream = hand->stream;
    stream->records_path = option_text(&VOCABULARY_FIELDS_FROM, hand->node, "records");
    describe_errors(hand->with, node_get(hand->node, "errors"), describe_below(hand, "errors"), &stream->errors);
    describe_pages(hand);
    describe_format(hand);
    struct template_scope scope = {
        .config = hand->with->config,
        .captured = hand->with->captured,
        .roots = describe_roots(hand->with) | TEMPLATE_STREAM | (stream->pages.kind != PAGES_NONE ? TEMPLATE_PAGE : 0),
    };
    struct request_description *request = &stream->request;
    describe_request(hand->with, &VOCABULARY_FIELDS_FROM, hand->node, hand->path, &scope, request);
    request->idempotent = true; /* it only reads */
    bool calls = operand_calls(request->path) || operand_calls(request->params) || operand_calls(request->headers) ||
                 operand_calls(request->body);
    describe_check_place(hand, &scope, calls);
}

void describe_fields_from(const struct stream_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "fields_from");
    if (node_is_default(node)) return;
    struct arena *arena = hand->with->arena;
    struct fields_from *from = arena_new(arena, struct fields_from);
    struct stream_description *stream = arena_new(arena, struct stream_description);
    struct stream_in_hand inner = {hand->with, node, describe_below(hand, "fields_from"), stream};
    struct buf text = BUF_INIT(NODE_MAX_BYTES);
    stream->name = hand->stream->name;
    from->stream = stream;
    from->name = option_text(&VOCABULARY_FIELDS_FROM, node, "name");
    from->type = option_text(&VOCABULARY_FIELDS_FROM, node, "type");
    CHECK(type_from_name(str_from(option_text(&VOCABULARY_FIELDS_FROM, node, "other")), &from->other.type));
    from->cache_ms = option_duration_ms(&VOCABULARY_FIELDS_FROM, node, "cache");
    read_types(&inner, node_get(node, "types"), from);
    read_skip(&inner, node_get(node, "skip"), from);
    read_request(&inner);
    node_to_json(node, &text);
    from->text = arena_copy(arena, (struct str){buf_text(&text), text.size});
    buf_release(&text);
    hand->stream->fields_from = from;
}
