/* How it works: what is asked for beside a page needs pages that are whole JSON documents and come one after the other, so both
 * keys refuse the same others. A request of `enrich` is compiled like a stream that has only a request, its pages and its
 * records, as fields_from is. */
#include "rest/describe.h"

#include "rest/vocabulary.h"

/* What neither of the two goes together with. */
static void check_stream(const struct stream_in_hand *hand, const struct node *node, const char *place)
{
    const struct stream_description *stream = hand->stream;
    const struct {
        bool is_so;
        const char *why;
    } REFUSED[] = {
        {stream->job != NULL, "a job's records come at once"},
        {stream->records_function != NULL, "a function that parses hides the records"},
        {format_comes_in_parts(&stream->format), "an answer of this format comes in parts"},
        {stream->pages.parallel > 1, "pages that are requested ahead (`parallel`) are read alone"},
        {stream->has_cursor && stream->cursor.kind == CURSOR_EVENT_FEED, "with an event_feed, records are taken as they are"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++)
        if (REFUSED[i].is_so) problems_add(hand->with->problems, node, "%s: %s", place, REFUSED[i].why);
}

/* --- chunks -------------------------------------------------------------------------------------------------------------- */

/* Does every request, also one for a later page, carry the fields? */
static bool always_asks(const struct stream_description *stream)
{
    const struct request_description *request = &stream->request;
    const struct pages *pages = pages_moving(&stream->pages);
    bool by_url = pages->kind == PAGES_NEXT_URL || pages->kind == PAGES_LINK_HEADER;
    bool by_number = pages->kind == PAGES_NONE || pages->kind == PAGES_PAGE || pages->kind == PAGES_OFFSET;
    if (operand_asks_fields(request->body) || operand_asks_fields(request->headers)) return true;
    if (operand_asks_fields(request->params)) return by_number || pages->keep_params;
    return !by_url; /* they are in the path */
}

static bool asks(const struct request_description *request)
{
    return operand_asks_fields(request->path) || operand_asks_fields(request->params) ||
           operand_asks_fields(request->headers) || operand_asks_fields(request->body);
}

static void check_request(const struct stream_in_hand *hand, const struct node *node)
{
    struct problems *problems = hand->with->problems;
    const char *place = describe_below(hand, "chunks");
    if (!asks(&hand->stream->request)) {
        problems_add(problems, node, "%s: the request asks for no fields", place);
        problems_hint(problems, "name them where the source wants them: params = { fields = \"{{stream.fields}}\" }");
    } else if (!always_asks(hand->stream)) {
        problems_add(problems, node, "%s: later pages are asked for without the stream's fields", place);
        problems_hint(problems, "keep_params = true in pages, or pages that go by a key, such as last_record");
    }
}

/* Is the column one that every record of a page is given alike? */
static bool is_added(const struct stream_description *stream, const char *name)
{
    const struct operand *add = stream->reshape ? stream->reshape->add : NULL;
    for (size_t i = 0; add && i < add->count; i++)
        if (str_equal(add->children[i].key, str_from(name))) return true;
    return false;
}

static void read_key(const struct stream_in_hand *hand, const struct node *node, struct chunks_description *chunks)
{
    const struct node *key = node_get(node, "key");
    const struct stream_description *stream = hand->stream;
    size_t count = node_is_default(key) ? stream->primary_key_count : key->kind == NODE_LIST ? key->count : 1;
    const char **names = arena_array(hand->with->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!node_is_default(key))
            names[chunks->key_count++] = node_cstr(key->kind == NODE_LIST ? &key->children[i] : key, "");
        else if (!is_added(stream, stream->primary_key[i]))
            names[chunks->key_count++] = stream->primary_key[i];
    }
    chunks->key = names;
    if (chunks->key_count) return;
    problems_add(hand->with->problems, node, "%s: nothing tells records apart", describe_below(hand, "chunks"));
    problems_hint(hand->with->problems, "give the stream a primary_key, or chunks a key");
}

/* The key and the cursor are asked for by each request. */
static void share_fields(const struct stream_in_hand *hand, struct chunks_description *chunks)
{
    const struct stream_description *stream = hand->stream;
    struct str *shared = arena_array(hand->with->arena, struct str, chunks->key_count + stream->primary_key_count + 1);
    for (size_t i = 0; i < chunks->key_count; i++) shared[chunks->shared_count++] = str_from(chunks->key[i]);
    for (size_t i = 0; i < stream->primary_key_count; i++) shared[chunks->shared_count++] = str_from(stream->primary_key[i]);
    if (stream->has_cursor && stream->cursor.field) shared[chunks->shared_count++] = str_from(stream->cursor.field);
    chunks->shared = shared;
}

static void describe_chunks(const struct stream_in_hand *hand, const struct node *node)
{
    struct chunks_description *chunks = arena_new(hand->with->arena, struct chunks_description);
    struct problems *problems = hand->with->problems;
    const char *place = describe_below(hand, "chunks");
    if (option_is_set(node, "max_fields")) chunks->max_fields = option_integer(&VOCABULARY_CHUNKS, node, "max_fields");
    if (option_is_set(node, "max_chars")) chunks->max_chars = option_integer(&VOCABULARY_CHUNKS, node, "max_chars");
    if (!chunks->max_fields && !chunks->max_chars) {
        problems_add(problems, node, "%s: nothing tells how many fields one request takes", place);
        problems_hint(problems, "max_fields = 100, or max_chars = 12000 where a URL must not be longer");
    }
    if (hand->stream->reshape && hand->stream->reshape->zip_count)
        problems_add(problems, node, "%s: `zip` gives names by position, and the chunks have other positions", place);
    check_stream(hand, node, place);
    check_request(hand, node);
    read_key(hand, node, chunks);
    share_fields(hand, chunks);
    size_t most = 1 + chunks->key_count + (hand->stream->has_cursor && hand->stream->cursor.field);
    if (chunks->max_fields && (size_t)chunks->max_fields < most)
        problems_add(problems, node, "%s: max_fields = %lld leaves no room beside the key and the cursor", place,
                     (long long)chunks->max_fields);
    hand->stream->chunks = chunks;
}

/* --- enrich -------------------------------------------------------------------------------------------------------------- */

static void read_request(const struct stream_in_hand *inner, const struct template_scope *outer)
{
    struct stream_description *stream = inner->stream;
    stream->records_path = option_text(&VOCABULARY_ENRICH, inner->node, "records");
    describe_errors(inner->with, node_get(inner->node, "errors"), describe_below(inner, "errors"), &stream->errors);
    describe_pages(inner);
    describe_format(inner);
    struct template_scope scope = {
        .config = outer->config,
        .captured = outer->captured,
        .roots = (outer->roots & ~(unsigned)(TEMPLATE_CURSOR | TEMPLATE_FIELDS | TEMPLATE_PAGE)) | TEMPLATE_BATCH |
                 (stream->pages.kind != PAGES_NONE ? TEMPLATE_PAGE : 0),
        .partitions = outer->partitions,
        .partition_count = outer->partition_count,
        .parents_are_many = outer->parents_are_many,
    };
    describe_request(inner->with, &VOCABULARY_ENRICH, inner->node, inner->path, &scope, &stream->request);
    stream->request.idempotent = true; /* it only reads */
    describe_check_place(inner, &scope, describe_calls(&stream->request));
    if (pages_moving(&stream->pages)->into_body || stream->pages.key_into_body) describe_check_into_body(inner, "pages");
    if (scope.uses_batch || describe_calls(&stream->request)) return;
    problems_add(inner->with->problems, inner->node, "%s: the request does not say which records it is about", inner->path);
    problems_hint(inner->with->problems, "place {{batch.ids}}: path = \"/details/{{batch.ids}}\", or in params or body");
}

static void describe_one(const struct stream_in_hand *hand, const struct node *node, const char *place,
                         const struct template_scope *scope, struct enrich_description *enrich)
{
    struct stream_description *stream = arena_new(hand->with->arena, struct stream_description);
    const struct stream_in_hand inner = {hand->with, node, place, stream};
    size_t before = hand->with->problems->count;
    option_check(&VOCABULARY_ENRICH, node, place, hand->with->problems);
    if (hand->with->problems->count != before) return;
    stream->name = hand->stream->name;
    *enrich = (struct enrich_description){
        .stream = stream,
        .by = option_text(&VOCABULARY_ENRICH, node, "by"),
        .key = option_text(&VOCABULARY_ENRICH, node, "key"),
        .value = option_text(&VOCABULARY_ENRICH, node, "value"),
        .into = option_text(&VOCABULARY_ENRICH, node, "into"),
        .batch = (size_t)option_integer(&VOCABULARY_ENRICH, node, "batch"),
        .many = option_boolean(&VOCABULARY_ENRICH, node, "many"),
    };
    bool has_one_key = hand->stream->primary_key_count == 1 && !is_added(hand->stream, hand->stream->primary_key[0]);
    if (!enrich->by && has_one_key) enrich->by = hand->stream->primary_key[0];
    if (!enrich->by) {
        problems_add(hand->with->problems, node, "%s: nothing tells what to ask with", place);
        problems_hint(hand->with->problems, "name the path in the records: by = \"customer_id\"");
    }
    if (!enrich->key && enrich->batch > 1) enrich->key = enrich->by;
    describe_element_filter(&inner);
    read_request(&inner, scope);
}

static void describe_enrich(const struct stream_in_hand *hand, const struct node *node, const struct template_scope *scope)
{
    size_t count = node->kind == NODE_LIST ? node->count : 1;
    struct enrich_description *enrich = arena_array(hand->with->arena, struct enrich_description, count + 1);
    if (count) check_stream(hand, node, describe_below(hand, "enrich"));
    for (size_t i = 0; i < count; i++) {
        const char *place = describe_below(hand, "enrich");
        if (node->kind == NODE_LIST) place = arena_printf(hand->with->arena, "%s.%zu", place, i);
        describe_one(hand, node->kind == NODE_LIST ? &node->children[i] : node, place, scope, &enrich[i]);
    }
    hand->stream->enrich = enrich;
    hand->stream->enrich_count = count;
}

void describe_widen(const struct stream_in_hand *hand, const struct template_scope *scope)
{
    const struct node *chunks = node_get(hand->node, "chunks"), *enrich = node_get(hand->node, "enrich");
    if (!node_is_default(chunks)) describe_chunks(hand, chunks);
    if (!node_is_default(enrich)) describe_enrich(hand, enrich, scope);
}
