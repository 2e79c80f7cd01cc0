/* How it works: a declaration for listed streams is checked by filling it in with made-up values and compiling that. */
#include "base/buf.h"
#include "rest/describe.h"
#include "rest/dynamic.h"
#include "rest/vocabulary.h"

static const struct stream_description *find_list(const struct describing *with, const struct node *node,
                                                  const struct description *description)
{
    const char *from = option_text(&VOCABULARY_DYNAMIC, node, "from");
    const char **names = arena_array(with->arena, const char *, description->stream_count + 1);
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct stream_description *stream = &description->streams[i];
        names[i] = stream->name;
        if (strcmp(stream->name, from) != 0) continue;
        bool is_plain = !stream_is_partitioned(stream) && !stream->job && !stream->has_cursor;
        if (!is_plain)
            problems_add(with->problems, node,
                         "dynamic.from: '%s' is not one plain list: it has a cursor, a job, a parent or partitions", from);
        return stream;
    }
    problems_add(with->problems, node, "dynamic.from: there is no stream '%s'", from);
    const char *nearest = str_nearest(str_from(from), names, description->stream_count, sizeof names[0]);
    if (nearest) problems_hint(with->problems, "did you mean '%s'?", nearest);
    return NULL;
}

static void check_sample(const struct describing *with, const struct node *stream)
{
    struct stream_description compiled;
    const struct node *sample;
    struct err err = ERR_INIT;
    size_t before = with->problems->count;
    if (dynamic_fill(stream, STR("dynamic"), NULL, with->arena, &sample, &err) != 0) {
        problems_add(with->problems, stream, "dynamic.stream: %s", err.message);
        return;
    }
    option_check(&VOCABULARY_STREAM, sample, "dynamic.stream", with->problems);
    if (with->problems->count == before) describe_stream(with, sample, &compiled);
}

/* "{{record.PATH}}": the plugin's own list has whole declarations. Of any other source that would be trusting it too far. */
static const char *declared_at(const struct describing *with, const struct node *stream, const struct stream_description *from)
{
    struct str text = node_text(stream), prefix = STR("{{record."), end = STR("}}");
    if (!from || !from->native || !node_is(stream, NODE_STRING) || !str_starts(text, prefix) || !str_ends(text, end))
        return NULL;
    return arena_text(with->arena, (struct str){text.data + prefix.size, text.size - prefix.size - end.size});
}

void describe_dynamic(const struct describing *with, const struct node *node, const struct node *streams,
                      struct description *description)
{
    if (node_is_default(node)) return;
    struct dynamic_description *dynamic = arena_new(with->arena, struct dynamic_description);
    const struct node *stream = node_get(node, "stream");
    struct buf text = BUF_INIT(2 * NODE_MAX_BYTES);
    dynamic->from = find_list(with, node, description);
    dynamic->name = option_text(&VOCABULARY_DYNAMIC, node, "name");
    dynamic->cache_ms = option_duration_ms(&VOCABULARY_DYNAMIC, node, "cache");
    dynamic->function = option_function(stream);
    dynamic->declared = declared_at(with, stream, dynamic->from);
    if (dynamic->declared)
        dynamic->stream = NULL;
    else if (!dynamic->function && stream->kind != NODE_MAP)
        problems_add(with->problems, stream, "dynamic.stream: expected a stream, got %s", node_kind_name(stream->kind));
    else if (!dynamic->function)
        check_sample(with, dynamic->stream = stream);
    node_to_json(node, &text);
    if (dynamic->from) node_to_json(node_get(streams, dynamic->from->name), &text);
    dynamic->text = arena_copy(with->arena, buf_str(&text));
    buf_release(&text);
    description->dynamic = dynamic;
}
