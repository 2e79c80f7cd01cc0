/* How it works: the lists and the parent come first of a stream, since its templates name them, and what is copied from a
 * parent is in front of its fields. A parent is named before it is compiled, so its fields' types are looked up in its node;
 * the rest is checked when all streams are there. */
#include "rest/describe.h"

#include "base/check.h"
#include "rest/vocabulary.h"

/* --- lists --------------------------------------------------------------------------------------------------------------- */

static bool is_taken(const char *name, const char *const *names, size_t count)
{
    static const char *const OWN[] = {"id", "from", "to", "values"};
    for (size_t i = 0; i < ARRAY_SIZE(OWN); i++)
        if (strcmp(name, OWN[i]) == 0) return true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static void read_list(const struct stream_in_hand *hand, const struct node *node, struct template_scope *scope,
                      const char *const *before, size_t count, struct partition_description *list)
{
    const char *place = describe_below(hand, "partitions");
    struct template_scope shown = {.config = scope->config, .roots = TEMPLATE_CONFIG, .refuse_secrets = true};
    const struct node *values = node_get(node, "values");
    list->name = option_text(&VOCABULARY_PARTITION, node, "name");
    list->values = operand_compile(values, arena_printf(hand->with->arena, "%s.values", place), &shown, hand->with->arena,
                                   hand->with->problems);
    bool ok = list->name[0] != '\0';
    for (const char *c = list->name; *c; c++) ok = ok && ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
    if (!ok)
        problems_add(hand->with->problems, node, "%s: '%s' is no name: lower case letters, digits and '_'", place, list->name);
    if (is_taken(list->name, before, count))
        problems_add(hand->with->problems, node, "%s: {{slice.%s}} has a meaning already", place, list->name);
    bool is_list = values->kind == NODE_LIST, is_text = values->kind == NODE_STRING || option_function(values);
    for (size_t i = 0; is_list && i < values->count; i++)
        is_list = values->children[i].kind == NODE_STRING || values->children[i].kind == NODE_NUMBER;
    if (!is_list && !is_text)
        problems_add(hand->with->problems, values, "%s.values: expected texts or numbers in a list, a text, or a function",
                     place);
}

static void read_lists(const struct stream_in_hand *hand, const struct node *node, struct template_scope *scope)
{
    size_t count = node->kind == NODE_LIST ? node->count : 1, before = hand->with->problems->count;
    struct partition_description *lists = arena_array(hand->with->arena, struct partition_description, count + 1);
    const char **names = arena_array(hand->with->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct node *item = node->kind == NODE_LIST ? &node->children[i] : node;
        option_check(&VOCABULARY_PARTITION, item, describe_below(hand, "partitions"), hand->with->problems);
        if (hand->with->problems->count != before) return;
        read_list(hand, item, scope, names, i, &lists[i]);
        names[i] = lists[i].name;
    }
    hand->stream->partitions = lists;
    hand->stream->partition_count = count;
    scope->partitions = names;
    scope->partition_count = count;
}

/* --- a parent ------------------------------------------------------------------------------------------------------------ */

/* The type that the parent's node declares for a field; false: none. */
static bool type_of_field(const struct node *parent, struct str name, struct field_description *field)
{
    const struct node *fields = node_get(parent, "fields");
    for (size_t i = 0; fields && fields->kind == NODE_MAP && i < fields->count; i++) {
        const struct node *declared = &fields->children[i];
        if (!str_equal(declared->key, name)) continue;
        const struct node *type = declared->kind == NODE_MAP ? node_get(declared, "type") : declared;
        field->format = declared->kind == NODE_MAP ? node_cstr(node_get(declared, "format"), NULL) : NULL;
        field->zone = declared->kind == NODE_MAP ? node_cstr(node_get(declared, "zone"), NULL) : NULL;
        return type && type_from_name(node_text(type), &field->type);
    }
    return false;
}

static void read_copies(const struct stream_in_hand *hand, const struct node *parent, const struct node *copy)
{
    struct field_description *fields = arena_array(hand->with->arena, struct field_description, copy->count + 1);
    const struct node *own = node_get(hand->node, "fields");
    for (size_t i = 0; i < copy->count; i++) {
        const struct node *node = &copy->children[i];
        fields[i].name = arena_text(hand->with->arena, node->key);
        if (parent && !type_of_field(parent, node_text(node), &fields[i])) {
            problems_add(hand->with->problems, node, "%s.copy: '" STR_FMT "' is not a declared field of the parent",
                         describe_below(hand, "parent"), STR_ARG(node_text(node)));
            problems_hint(hand->with->problems, "declare it there: fields = { " STR_FMT " = \"string\" }",
                          STR_ARG(node_text(node)));
        }
        if (own && own->kind == NODE_MAP && node_get(own, fields[i].name)) {
            problems_add(hand->with->problems, node, "%s.copy: '%s' is a field of the records themselves",
                         describe_below(hand, "parent"), fields[i].name);
            problems_hint(hand->with->problems, "give the column another name");
        }
    }
    hand->stream->fields = fields;
    hand->stream->field_count = copy->count;
}

const struct operand *describe_copies(const struct stream_in_hand *hand, const struct operand *added,
                                      struct template_scope *scope)
{
    const struct node *copy = node_get(node_get(hand->node, "parent"), "copy");
    if (node_is_default(copy) || copy->count == 0) return added;
    const char *place = describe_below(hand, "parent.copy");
    size_t before = added ? added->count : 0;
    struct operand *both = arena_new(hand->with->arena, struct operand);
    struct operand *children = arena_array(hand->with->arena, struct operand, before + copy->count);
    if (added && added->kind == OPERAND_FUNCTION)
        problems_add(hand->with->problems, copy, "%s: `add` is a function, which can give the parent's fields itself", place);
    if (before) memcpy(children, added->children, before * sizeof *children);
    for (size_t i = 0; i < copy->count; i++) {
        const char *text = arena_printf(hand->with->arena, "{{parent." STR_FMT "}}", STR_ARG(node_text(&copy->children[i])));
        children[before + i] = (struct operand){
            .kind = OPERAND_TEMPLATE,
            .key = arena_copy(hand->with->arena, copy->children[i].key),
            .compiled =
                template_compile(str_from(text), &copy->children[i], place, scope, hand->with->arena, hand->with->problems),
        };
    }
    *both = (struct operand){.kind = OPERAND_MAP, .children = children, .count = before + copy->count};
    return both;
}

void describe_partitions(const struct stream_in_hand *hand, struct template_scope *scope)
{
    const struct node *lists = node_get(hand->node, "partitions"), *parent = node_get(hand->node, "parent");
    hand->stream->internal = option_boolean(&VOCABULARY_STREAM, hand->node, "internal");
    if (!node_is_default(lists)) read_lists(hand, lists, scope);
    if (node_is_default(parent)) return;
    if (!node_is_default(lists)) {
        problems_add(hand->with->problems, lists, "%s: a stream has partitions or a parent, not both", hand->path);
        problems_hint(hand->with->problems, "give the partitions to the parent, and let the stream be read for its records");
    }
    const char *name = option_text(&VOCABULARY_PARENT, parent, "stream");
    const struct node *copy = node_get(parent, "copy");
    scope->roots |= TEMPLATE_PARENT;
    hand->stream->parent.batch = (size_t)option_integer(&VOCABULARY_PARENT, parent, "batch");
    scope->parents_are_many = hand->stream->parent.batch > 1;
    hand->stream->parent.changed = option_boolean(&VOCABULARY_PARENT, parent, "changed");
    if (!node_is_default(copy)) read_copies(hand, node_get(hand->with->streams, name), copy);
}

/* --- all together -------------------------------------------------------------------------------------------------------- */

static void unknown_parent(const struct describing *with, const struct description *description, const struct node *place,
                           const char *path, const char *name)
{
    const char **names = arena_array(with->arena, const char *, description->stream_count + 1);
    for (size_t i = 0; i < description->stream_count; i++) names[i] = description->streams[i].name;
    problems_add(with->problems, place, "%s.parent: there is no stream '%s'", path, name);
    const char *nearest = str_nearest(str_from(name), names, description->stream_count, sizeof names[0]);
    if (nearest) problems_hint(with->problems, "did you mean '%s'?", nearest);
}

static void read_key(const struct describing *with, const struct node *node, const char *path,
                     struct parent_description *parent)
{
    const struct node *key = node_get(node, "key");
    parent->key = parent->stream->primary_key;
    parent->key_count = parent->stream->primary_key_count;
    if (!node_is_default(key)) {
        parent->key_count = key->kind == NODE_LIST ? key->count : 1;
        const char **names = arena_array(with->arena, const char *, parent->key_count + 1);
        for (size_t i = 0; i < parent->key_count; i++)
            names[i] = node_cstr(key->kind == NODE_LIST ? &key->children[i] : key, "");
        parent->key = names;
    }
    if (parent->key_count) return;
    problems_add(with->problems, node, "%s.parent: nothing tells the records of '%s' apart", path, parent->stream->name);
    problems_hint(with->problems, "give '%s' a primary_key, or the parent a key", parent->stream->name);
}

/* Which parents changed is asked of the source, by time. */
static void check_changed(const struct describing *with, const struct node *node, const char *path,
                          const struct stream_description *parent)
{
    const struct cursor_description *cursor = &parent->cursor;
    enum type type = cursor->window.type;
    bool is_time = type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE;
    if (parent->has_cursor && is_time && (cursor->kind == CURSOR_FILTER || cursor->kind == CURSOR_WINDOWED)) return;
    problems_add(with->problems, node, "%s.parent: the source cannot be asked which of '%s' changed", path, parent->name);
    problems_hint(with->problems, "`changed` needs a parent with a cursor of kind filter or windowed over a time");
}

static void bind_parent(const struct describing *with, const struct description *description, const struct node *node,
                        struct stream_description *stream)
{
    const struct node *place = node_get(node, "parent");
    const char *path = arena_printf(with->arena, "streams.%s", stream->name);
    const char *name = option_text(&VOCABULARY_PARENT, place, "stream");
    const struct stream_description *parent = NULL;
    for (size_t i = 0; i < description->stream_count && !parent; i++)
        if (strcmp(description->streams[i].name, name) == 0) parent = &description->streams[i];
    if (!parent) {
        unknown_parent(with, description, place, path, name);
        return;
    }
    stream->parent.stream = parent;
    if (parent == stream) problems_add(with->problems, place, "%s.parent: a stream is not its own parent", path);
    if (parent->partition_count || parent->job)
        problems_add(with->problems, place, "%s.parent: '%s' is not one listing: it has partitions or a job", path, name);
    read_key(with, place, path, &stream->parent);
    if (stream->parent.batch > 1 && stream->has_cursor)
        problems_add(with->problems, place,
                     "%s.parent: `batch` is for streams without a cursor, which each parent has its own of", path);
    if (stream->parent.batch > 1 && stream->parent.key_count > 1)
        problems_add(with->problems, place, "%s.parent: `batch` needs a key of one field", path);
    if (stream->parent.changed) check_changed(with, place, path, parent);
}

/* Cursors that parts cannot have one each of. */
static const struct {
    enum cursor_kind kind;
    const char *what;
} WHOLE_CURSORS[] = {
    {CURSOR_TOKEN, "a sync token is one"},
    {CURSOR_EVENT_FEED, "events tell"},
    {CURSOR_REFETCH, "what is read again is a time"},
};

/* What reads a stream in parts has to know where each stands, and that in one slice each. */
static void check_partitioned(const struct describing *with, const struct node *node, const struct stream_description *stream)
{
    const char *path = arena_printf(with->arena, "streams.%s", stream->name);
    if (stream->has_cursor && window_has_step(&stream->cursor.window)) {
        problems_add(with->problems, node, "%s: a stream that is read in parts cannot be read in windows, too", path);
        problems_hint(with->problems, "leave the cursor's `step` out");
    }
    for (size_t i = 0; stream->has_cursor && i < ARRAY_SIZE(WHOLE_CURSORS); i++)
        if (stream->cursor.kind == WHOLE_CURSORS[i].kind)
            problems_add(with->problems, node, "%s: %s for the whole stream, which is read in parts", path,
                         WHOLE_CURSORS[i].what);
    if (stream->has_cursor && stream->cursor.retention_us)
        problems_add(with->problems, node, "%s: `retention` is for streams that are not read in parts", path);
    if (stream->job) problems_add(with->problems, node, "%s: a job is one for the whole stream, which is read in parts", path);
}

void describe_parents(const struct describing *with, const struct description *description, struct stream_description *streams)
{
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct node *node = &with->streams->children[i];
        if (!node_is_default(node_get(node, "parent"))) bind_parent(with, description, node, &streams[i]);
        if (stream_is_partitioned(&streams[i])) check_partitioned(with, node, &streams[i]);
    }
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct stream_description *parent = streams[i].parent.stream;
        if (!parent || parent == &streams[i] || !parent->parent.stream) continue;
        problems_add(with->problems, &with->streams->children[i],
                     "streams.%s.parent: '%s' has a parent itself, and only one level of parents can be read", streams[i].name,
                     parent->name);
        problems_hint(with->problems, "read for the records of '%s', and explode or copy what is between",
                      parent->parent.stream->name);
    }
    for (size_t i = 0; i < description->stream_count; i++) {
        bool is_list = str_equal(node_text(node_get(with->dynamic, "from")), str_from(streams[i].name));
        bool is_used = !streams[i].internal || streams[i].exploded_count > 0 || is_list;
        for (size_t c = 0; c < description->stream_count && !is_used; c++) is_used = streams[c].parent.stream == &streams[i];
        if (!is_used)
            problems_add(
                with->problems, &with->streams->children[i],
                "streams.%s: it is internal, but no stream's parent and no list of streams, and nothing is exploded from it",
                streams[i].name);
    }
}
