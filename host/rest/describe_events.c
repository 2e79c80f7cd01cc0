/* How it works: events are asked for by a second description of the same stream, which differs from it in its request, its
 * records and its pages; so whoever reads a stream reads its events, too, without knowing. */
#include "rest/describe.h"

#include "rest/vocabulary.h"

static const struct option_table *const TABLE = &VOCABULARY_EVENTS;

static bool text_is(const struct node *node, const char *key, const char *value)
{
    const char *text = option_text(TABLE, node, key);
    return text && strcmp(text, value) == 0;
}

/* What only can be done to a record that stands for itself. */
static void check_stream(const struct stream_in_hand *hand)
{
    const struct stream_description *stream = hand->stream;
    struct problems *problems = hand->with->problems;
    if (stream->map_function || stream->records_function || stream->reshape)
        problems_add(problems, hand->node,
                     "%s: with an event_feed, records are taken as they are: no functions, no other shape", hand->path);
    if (stream->exploded_count)
        problems_add(problems, hand->node, "%s: streams cannot be exploded from one with an event_feed", hand->path);
    if (stream->cursor.window.type != TYPE_TIMESTAMP)
        problems_add(problems, node_get(hand->node, "cursor"), "%s: '%s' must be of type timestamp",
                     describe_below(hand, "cursor.field"), stream->cursor.field);
    for (size_t i = 0; i < stream->primary_key_count; i++)
        if (strcmp(stream->primary_key[i], stream->cursor.field) == 0)
            problems_add(problems, hand->node, "%s: '%s' is not read from records, and cannot be a key",
                         describe_below(hand, "cursor.field"), stream->cursor.field);
}

static void check_request(const struct stream_in_hand *events, const struct template_scope *scope)
{
    const struct stream_description *feed = events->stream;
    bool calls = describe_calls(&feed->request);
    describe_check_place(events, scope, calls);
    if (!feed->cursor.param && !scope->uses_cursor_from && !calls) {
        problems_add(events->with->problems, events->node, "%s: nothing tells the source where to read from", events->path);
        problems_hint(events->with->problems, "name the parameter: param = \"created[gte]\"; or place {{cursor.from}}");
    }
    if (pages_moving(&feed->pages)->into_body || feed->pages.key_into_body) describe_check_into_body(events, "pages");
    if (feed->cursor.into_body) describe_check_into_body(events, "param");
}

void describe_events(const struct stream_in_hand *hand, const struct template_scope *of_list)
{
    const struct describing *with = hand->with;
    struct cursor_description *cursor = &hand->stream->cursor;
    const struct node *node = node_get(node_get(hand->node, "cursor"), "events");
    struct stream_description *feed = arena_new(with->arena, struct stream_description);
    struct feed_description *events = arena_new(with->arena, struct feed_description);
    const struct stream_in_hand hand_events = {with, node, describe_below(hand, "cursor.events"), feed};
    check_stream(hand);
    cursor->has_bounds = true;
    cursor->bounds = text_is(node, "bounds", "(]") ? CURSOR_OPEN_CLOSED : CURSOR_CLOSED_OPEN;
    cursor->window.closed_above = cursor->bounds == CURSOR_OPEN_CLOSED;
    *events = (struct feed_description){
        .stream = feed,
        .event = {option_text(TABLE, node, "record"), option_text(TABLE, node, "time"),
                  describe_deleted(with, node, hand_events.path)},
        .newest_first = text_is(node, "order", "descending"),
    };
    *feed = *hand->stream;
    feed->job = NULL; /* it makes the list; events are there at once */
    feed->records_path = option_text(TABLE, node, "records");
    feed->cursor.param = option_text(TABLE, node, "param");
    feed->cursor.until_param = option_text(TABLE, node, "until_param");
    feed->cursor.into_body = text_is(node, "into", "body");
    describe_pages(&hand_events);
    struct template_scope scope = {
        .config = of_list->config,
        .captured = with->captured,
        .roots = describe_roots(with) | TEMPLATE_SLICE | TEMPLATE_CURSOR | (feed->pages.kind != PAGES_NONE ? TEMPLATE_PAGE : 0),
    };
    describe_request(with, TABLE, node, hand_events.path, &scope, &feed->request);
    if (option_boolean(TABLE, node, "idempotent")) feed->request.idempotent = true;
    feed->request.weight = hand->stream->request.weight;
    check_request(&hand_events, &scope);
    cursor->events = events;
}
