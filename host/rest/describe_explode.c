/* How it works: an exploded stream is described by the same struct as others. What is copied from the record, and the position,
 * become fields in front of the declared ones, so that key, schema and discovery need not know where a value comes from. */
#include "rest/describe.h"

#include "rest/vocabulary.h"

static bool has_value(const struct node *node)
{
    return node && node->kind != NODE_NULL;
}

static const char *below(const struct stream_in_hand *hand, const char *key)
{
    return arena_printf(hand->with->arena, "%s.%s", hand->path, key);
}

/* The path begins with a field: `$`, `*` and nothing would be the record itself. */
static void read_path(const struct stream_in_hand *hand)
{
    const char *path = hand->stream->records_path = option_text(&VOCABULARY_EXPLODED, hand->node, "path");
    bool is_star = path[0] == '*' && (path[1] == '\0' || path[1] == '.');
    if (path[0] && path[0] != '$' && path[0] != '.' && !is_star) return;
    problems_add(hand->with->problems, node_get(hand->node, "path"), "%s: '%s' names no field of a record", below(hand, "path"),
                 path);
    problems_hint(hand->with->problems, "the field that holds the elements: path = \"items\"");
}

/* Fields for what is copied, with the types they have in the root. */
static void read_copies(const struct stream_in_hand *hand)
{
    const struct stream_description *root = hand->stream->root;
    const struct node *node = node_get(hand->node, "copy");
    struct arena *arena = hand->with->arena;
    size_t count = has_value(node) && node->kind == NODE_MAP ? node->count : 0;
    struct field_description *fields = arena_array(arena, struct field_description, count + 2); /* one for the position */
    struct copy_description *copies = arena_array(arena, struct copy_description, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct node *copy = &node->children[i];
        const struct field_description *field = stream_field(root, node_cstr(copy, ""));
        copies[i] = (struct copy_description){.name = arena_text(arena, copy->key), .from = node_cstr(copy, "")};
        fields[i] = field ? *field : (struct field_description){.type = root->cursor.window.type};
        fields[i].name = copies[i].name;
        bool is_cursor = root->has_cursor && strcmp(copies[i].from, root->cursor.field) == 0;
        if (is_cursor && root->cursor.window.format) fields[i].format = root->cursor.window.format;
        if (field || is_cursor) continue;
        problems_add(hand->with->problems, copy, "%s.%s: '%s' is no declared field of '%s'", below(hand, "copy"),
                     copies[i].name, copies[i].from, root->name);
        problems_hint(hand->with->problems, "its type must be known: declare it in `fields` of '%s'", root->name);
    }
    hand->stream->copies = copies;
    hand->stream->copy_count = count;
    hand->stream->position = option_text(&VOCABULARY_EXPLODED, hand->node, "position");
    if (hand->stream->position)
        fields[count++] = (struct field_description){.name = hand->stream->position, .type = TYPE_INTEGER};
    hand->stream->fields = fields;
    hand->stream->field_count = count;
}

static void check_fields(const struct stream_in_hand *hand)
{
    const struct stream_description *stream = hand->stream;
    for (size_t i = 0; i < stream->field_count; i++) {
        if (stream_field(stream, stream->fields[i].name) == &stream->fields[i]) continue;
        problems_add(hand->with->problems, hand->node, "%s: '%s' is copied or the position, and cannot be a field of its own",
                     below(hand, "fields"), stream->fields[i].name);
        problems_hint(hand->with->problems, "give the column another name in `copy` or `position`");
    }
}

static const char *copied_as(const struct stream_description *stream, const char *from)
{
    for (size_t i = 0; i < stream->copy_count; i++)
        if (strcmp(stream->copies[i].from, from) == 0) return stream->copies[i].name;
    return NULL;
}

static bool is_in_key(const struct stream_description *stream, const char *name)
{
    for (size_t i = 0; i < stream->primary_key_count; i++)
        if (strcmp(stream->primary_key[i], name) == 0) return true;
    return false;
}

/* A key is for rows that are replaced: then it must be known whose they are, and which version of it is the newest. */
static void check_key(const struct stream_in_hand *hand)
{
    const struct stream_description *stream = hand->stream, *root = stream->root;
    struct problems *problems = hand->with->problems;
    const char *place = below(hand, "primary_key");
    if (stream->primary_key_count == 0) return;
    if (root->primary_key_count == 0) {
        problems_add(problems, hand->node, "%s: '%s' has none, so nothing tells whose elements are replaced", place,
                     root->name);
        problems_hint(problems, "declare a primary_key for '%s', or leave this one out", root->name);
    }
    for (size_t i = 0; i < root->primary_key_count; i++) {
        const char *column = copied_as(stream, root->primary_key[i]);
        if (column && is_in_key(stream, column)) continue;
        problems_add(problems, hand->node, "%s: must hold '%s' of '%s', whose elements are replaced as a set", place,
                     root->primary_key[i], root->name);
        if (column)
            problems_hint(problems, "add '%s' to it", column);
        else
            problems_hint(problems, "copy = { COLUMN = \"%s\" }, and COLUMN in the key", root->primary_key[i]);
    }
    if (root->has_cursor && !copied_as(stream, root->cursor.field)) {
        problems_add(problems, hand->node, "%s: the cursor '%s' of '%s' is not copied, so which version is newer is not known",
                     below(hand, "copy"), root->cursor.field, root->name);
        problems_hint(problems, "copy = { COLUMN = \"%s\" }", root->cursor.field);
    }
}

static void describe_one(const struct describing *with, const struct node *node, const struct stream_in_hand *root,
                         struct stream_description *stream)
{
    struct stream_in_hand hand = {with, node, arena_printf(with->arena, "%s.explode." STR_FMT, root->path, STR_ARG(node->key)),
                                  stream};
    *stream = (struct stream_description){
        .name = arena_text(with->arena, node->key),
        .root = root->stream,
        .infer = strcmp(option_text(&VOCABULARY_EXPLODED, node, "undeclared"), "column") == 0,
        .full_refresh = root->stream->full_refresh,
        .incremental = root->stream->incremental,
        .write_mode = describe_write_mode(option_text(&VOCABULARY_EXPLODED, node, "write_mode")),
    };
    if (!describe_is_stream_name(node->key))
        problems_add(with->problems, node, "%s: a stream's name has no spaces, '/' or control characters and at most 255 bytes",
                     hand.path);
    read_path(&hand);
    describe_element_filter(&hand);
    read_copies(&hand);
    describe_fields(&hand, stream->field_count);
    check_fields(&hand);
    describe_primary_key(&hand);
    check_key(&hand);
}

void describe_exploded(const struct stream_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "explode");
    if (!has_value(node) || node->count == 0) return;
    if (node->count > DESCRIPTION_MAX_EXPLODED) {
        problems_add(hand->with->problems, node, "%s: expected at most %d streams, got %zu", below(hand, "explode"),
                     DESCRIPTION_MAX_EXPLODED, node->count);
        return;
    }
    struct stream_description *streams = arena_array(hand->with->arena, struct stream_description, node->count);
    for (size_t i = 0; i < node->count; i++) describe_one(hand->with, &node->children[i], hand, &streams[i]);
    hand->stream->exploded = streams;
    hand->stream->exploded_count = node->count;
}
