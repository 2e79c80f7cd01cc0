/* How it works: a stream's fields come first, since its key and its cursor are looked up among them; then the cursor and the
 * pages, which decide what its templates may name; then its request; and last what only all of them together can show: does
 * anything tell the source which page or which window is meant? */
#include "rest/describe.h"

#include "base/check.h"
#include "base/number.h"
#include "base/time.h"
#include "rest/vocabulary.h"

const char *describe_below(const struct stream_in_hand *hand, const char *key)
{
    return arena_printf(hand->with->arena, "%s.%s", hand->path, key);
}

/* --- fields -------------------------------------------------------------------------------------------------------------- */

void describe_check_format(const struct stream_in_hand *hand, const struct node *node, const char *place, const char *format,
                           enum type type)
{
    bool is_time = type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE;
    if (!is_time) {
        problems_add(hand->with->problems, node, "%s: 'format' belongs to dates and timestamps only", place);
    } else if (!time_format_is_valid(format)) {
        problems_add(hand->with->problems, node, "%s: '%s' is not a time format", place, format);
        problems_hint(hand->with->problems, "iso8601, epoch, epoch_ms, epoch_us, date, or a pattern like %%Y-%%m-%%d");
    }
}

static void read_field_map(const struct stream_in_hand *hand, const struct node *node, const char *place,
                           struct field_description *field)
{
    size_t before = hand->with->problems->count;
    int seconds;
    option_check(&VOCABULARY_FIELD, node, place, hand->with->problems);
    if (hand->with->problems->count != before) return;
    CHECK(type_from_name(str_from(option_text(&VOCABULARY_FIELD, node, "type")), &field->type));
    field->format = option_text(&VOCABULARY_FIELD, node, "format");
    field->zone = option_text(&VOCABULARY_FIELD, node, "zone");
    if (field->format) describe_check_format(hand, node, place, field->format, field->type);
    if (field->zone && field->type != TYPE_TIMESTAMP)
        problems_add(hand->with->problems, node, "%s: 'zone' belongs to type timestamp only", place);
    else if (field->zone && !time_parse_offset(str_from(field->zone), &seconds)) {
        problems_add(hand->with->problems, node, "%s: '%s' is not a zone", place, field->zone);
        problems_hint(hand->with->problems, "an offset like +02:00, or Z");
    }
}

static void unknown_type(const struct stream_in_hand *hand, const struct node *node, const char *place)
{
    const char *names[TYPE_COUNT];
    for (int i = 0; i < TYPE_COUNT; i++) names[i] = type_name((enum type)i);
    problems_add(hand->with->problems, node, "%s: unknown type '" STR_FMT "'", place, STR_ARG(node->text));
    const char *nearest = str_nearest(node->text, names, ARRAY_SIZE(names), sizeof names[0]);
    if (nearest) problems_hint(hand->with->problems, "did you mean '%s'?", nearest);
}

void describe_field(const struct stream_in_hand *hand, const struct node *node, const char *place,
                    struct field_description *field)
{
    if (node->kind == NODE_MAP) {
        read_field_map(hand, node, place, field);
    } else if (node->kind != NODE_STRING) {
        problems_add(hand->with->problems, node, "%s: expected a type's name or a map, got %s", place,
                     node_kind_name(node->kind));
    } else if (!type_from_name(node->text, &field->type)) {
        unknown_type(hand, node, place);
    }
}

static void read_field(const struct stream_in_hand *hand, const struct node *node, struct field_description *field)
{
    const char *place = arena_printf(hand->with->arena, "%s.fields." STR_FMT, hand->path, STR_ARG(node->key));
    *field = (struct field_description){.name = arena_text(hand->with->arena, node->key)};
    if (node->key.size == 0 || memchr(node->key.data, 0, node->key.size))
        problems_add(hand->with->problems, node, "%s: an empty name, or one with a NUL character", place);
    describe_field(hand, node, place, field);
}

void describe_fields(const struct stream_in_hand *hand, size_t given)
{
    const struct node *node = node_get(hand->node, "fields");
    if (node_is_default(node) || (node->kind == NODE_LIST && node->count == 0)) return;
    if (node->kind != NODE_MAP || node->count > DESCRIPTION_MAX_FIELDS) {
        problems_add(hand->with->problems, node, "%s: expected a map of at most %d fields", describe_below(hand, "fields"),
                     DESCRIPTION_MAX_FIELDS);
        return;
    }
    struct field_description *fields = arena_array(hand->with->arena, struct field_description, given + node->count + 1);
    if (given) memcpy(fields, hand->stream->fields, given * sizeof *fields);
    for (size_t i = 0; i < node->count; i++) read_field(hand, &node->children[i], &fields[given + i]);
    hand->stream->fields = fields;
    hand->stream->field_count = given + node->count;
}

void describe_primary_key(const struct stream_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "primary_key");
    if (node_is_default(node)) return;
    size_t count = node->kind == NODE_LIST ? node->count : 1;
    const char **names = arena_array(hand->with->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct node *name = node->kind == NODE_LIST ? &node->children[i] : node;
        names[i] = node_cstr(name, "");
        if (stream_field(hand->stream, names[i])) continue;
        problems_add(hand->with->problems, name, "%s: '%s' has no type", describe_below(hand, "primary_key"), names[i]);
        problems_hint(hand->with->problems, "declare it: fields = { %s = \"string\" }", names[i]);
    }
    hand->stream->primary_key = names;
    hand->stream->primary_key_count = count;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

bool describe_calls(const struct request_description *request)
{
    return operand_calls(request->path) || operand_calls(request->params) || operand_calls(request->headers) ||
           operand_calls(request->body);
}

void describe_check_into_body(const struct stream_in_hand *hand, const char *what)
{
    const struct request_description *request = &hand->stream->request;
    if (hand->stream->job && strcmp(what, "cursor") == 0) request = &hand->stream->job->create;
    const char *place = describe_below(hand, what);
    if (strcmp(request->method, "GET") == 0)
        problems_add(hand->with->problems, hand->node, "%s: into = \"body\", but a GET carries no body", place);
    bool takes_members = !request->body || request->body->kind == OPERAND_MAP || request->body->kind == OPERAND_FUNCTION;
    if (request->body_format == BODY_RAW || !takes_members)
        problems_add(hand->with->problems, hand->node, "%s: into = \"body\" needs a body that is a map", place);
}

/* A sync token goes by a parameter, by a template or function, or is the URL to go to. */
static void check_token(const struct stream_in_hand *hand, bool is_placed)
{
    struct cursor_description *cursor = &hand->stream->cursor;
    if (cursor->kind != CURSOR_TOKEN) return;
    cursor->token_is_url = !cursor->token_param && !is_placed;
    if (!cursor->token_is_url || hand->stream->pages.kind == PAGES_NEXT_URL) return;
    problems_add(hand->with->problems, node_get(hand->node, "cursor"), "%s: nothing tells the source of the token",
                 describe_below(hand, "cursor"));
    problems_hint(hand->with->problems,
                  "name the parameter: param = \"cursor\"; or place {{cursor.token}}; a token that is a URL "
                  "needs pages of kind next_url");
}

static void check_together(const struct stream_in_hand *hand, const struct template_scope *scope)
{
    const struct stream_description *stream = hand->stream;
    struct problems *problems = hand->with->problems;
    bool calls = describe_calls(&stream->request);
    describe_check_place(hand, scope, calls);
    if (stream->job) calls = describe_calls(&stream->job->create);
    if (stream->has_cursor && window_has_step(&stream->cursor.window) && !stream->cursor.window.partitions &&
        !stream->cursor.until_param && !scope->uses_cursor_until && !calls) {
        problems_add(problems, node_get(hand->node, "cursor"), "%s: nothing tells the source where a window ends",
                     describe_below(hand, "cursor"));
        problems_hint(problems, "name the parameter: until_param = \"updated_before\"; or place {{cursor.until}}");
    }
    check_token(hand, scope->uses_cursor_token || calls);
    bool filters = stream->has_cursor && (stream->cursor.kind == CURSOR_FILTER || stream->cursor.kind == CURSOR_WINDOWED ||
                                          stream->cursor.kind == CURSOR_REFETCH);
    bool goes_by_time = stream->pages.kind == PAGES_TIME_NEXT && !stream->pages.first_token;
    if (filters && !stream->cursor.param && !scope->uses_cursor_from && !goes_by_time && !calls) {
        problems_add(problems, node_get(hand->node, "cursor"), "%s: nothing tells the source where to read from",
                     describe_below(hand, "cursor"));
        problems_hint(problems, "name the parameter: param = \"updated_after\"; or place {{cursor.from}}");
    }
    if (pages_moving(&stream->pages)->into_body || stream->pages.key_into_body) describe_check_into_body(hand, "pages");
    if (stream->has_cursor && stream->cursor.into_body) describe_check_into_body(hand, "cursor");
}

void describe_sync_modes(const struct stream_in_hand *hand)
{
    struct stream_description *stream = hand->stream;
    const struct node *node = node_get(hand->node, "sync_modes");
    if (node_is_default(node)) {
        stream->full_refresh = true;
        stream->incremental = stream->has_cursor || stream->parent.changed;
        return;
    }
    size_t count = node->kind == NODE_LIST ? node->count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct node *mode = node->kind == NODE_LIST ? &node->children[i] : node;
        if (str_equal(node_text(mode), STR("full_refresh")))
            stream->full_refresh = true;
        else if (str_equal(node_text(mode), STR("incremental")))
            stream->incremental = true;
        else {
            problems_add(hand->with->problems, mode, "%s: unknown sync mode '" STR_FMT "'", describe_below(hand, "sync_modes"),
                         STR_ARG(node_text(mode)));
            problems_hint(hand->with->problems, "one of: full_refresh, incremental");
        }
    }
    if (count == 0) problems_add(hand->with->problems, node, "%s: expected at least one", describe_below(hand, "sync_modes"));
    if (stream->incremental && node_is_default(node_get(hand->node, "cursor")) && !stream->parent.changed)
        problems_add(hand->with->problems, node, "%s: incremental needs a cursor", describe_below(hand, "sync_modes"));
}

enum write_hint describe_write_mode(const char *name)
{
    if (!name) return HINT_NONE;
    return strcmp(name, "append") == 0 ? HINT_APPEND : strcmp(name, "overwrite") == 0 ? HINT_OVERWRITE : HINT_APPEND_DEDUP;
}

bool describe_is_stream_name(struct str name)
{
    bool ok = name.size > 0 && name.size <= 255;
    for (size_t i = 0; i < name.size && ok; i++)
        ok = (unsigned char)name.data[i] > ' ' && name.data[i] != 0x7f && name.data[i] != '/';
    return ok;
}

void describe_stream(const struct describing *with, const struct node *node, struct stream_description *stream)
{
    struct stream_in_hand hand = {with, node, arena_printf(with->arena, "streams." STR_FMT, STR_ARG(node->key)), stream};
    const struct node *records = node_get(node, "records");
    *stream = (struct stream_description){
        .name = arena_text(with->arena, node->key),
        .records_function = option_function(records),
        .map_function = option_function(node_get(node, "map")),
        .infer = strcmp(option_text(&VOCABULARY_STREAM, node, "undeclared"), "column") == 0,
        .write_mode = describe_write_mode(option_text(&VOCABULARY_STREAM, node, "write_mode")),
    };
    stream->records_path = stream->records_function ? "$" : option_text(&VOCABULARY_STREAM, node, "records");
    if (!describe_is_stream_name(node->key))
        problems_add(with->problems, node, "%s: a stream's name has no spaces, '/' or control characters and at most 255 bytes",
                     hand.path);
    if (!stream->map_function && !node_is_default(node_get(node, "map")))
        problems_add(with->problems, node_get(node, "map"), "%s: expected a function", describe_below(&hand, "map"));
    if (describe_is_native(node)) {
        describe_native(&hand);
        return;
    }
    if (node_is_default(node_get(node, "path"))) {
        problems_add(with->problems, node, "%s is missing", describe_below(&hand, "path"));
        return;
    }
    struct template_scope scope = {
        .config = with->config,
        .captured = with->captured,
        .roots = describe_roots(with) | TEMPLATE_SLICE | TEMPLATE_STREAM | TEMPLATE_FIELDS,
    };
    describe_partitions(&hand, &scope);
    describe_fields(&hand, stream->field_count);
    describe_fields_from(&hand);
    describe_primary_key(&hand);
    describe_errors(with, node_get(node, "errors"), describe_below(&hand, "errors"), &stream->errors);
    stream->deleted = describe_deleted(with, node, hand.path);
    describe_cursor(&hand);
    describe_pages(&hand);
    describe_format(&hand);
    scope.roots |= (stream->has_cursor ? TEMPLATE_CURSOR : 0) | (stream->pages.kind != PAGES_NONE ? TEMPLATE_PAGE : 0);
    describe_job(&hand, &scope);
    describe_request(with, &VOCABULARY_STREAM, node, hand.path, &scope, &stream->request);
    describe_reshape(&hand, &scope);
    if (option_boolean(&VOCABULARY_STREAM, node, "idempotent")) stream->request.idempotent = true;
    if (option_is_set(node, "weight")) stream->request.weight = option_integer(&VOCABULARY_STREAM, node, "weight");
    describe_sync_modes(&hand);
    check_together(&hand, &scope);
    describe_widen(&hand, &scope);
    describe_exploded(&hand);
    if (stream->cursor.kind == CURSOR_EVENT_FEED && stream->has_cursor) describe_events(&hand, &scope);
}
