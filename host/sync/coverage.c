/* coverage: see coverage.h. */
#include "sync/coverage.h"

const char *coverage_mark(const struct stream_description *stream, bool is_loaded)
{
    if (stream->root) return is_loaded ? "yes" : NULL;
    return is_loaded ? NULL : "no";
}

bool coverage_has(const struct state *state, const struct stream_description *stream)
{
    bool is_marked = state_get(state, stream->name, "", COVERAGE_KIND) != NULL;
    return stream->root ? is_marked : !is_marked;
}

const struct stream_description *coverage_missing(const struct state *state, const struct flow_plan *plan)
{
    const char *root = plan->stream->name;
    if (!state_get(state, root, "", "plan") && !state_get(state, root, "", "cursor") && !state_get(state, root, "", "token"))
        return NULL;
    for (size_t i = 0; i < plan->stream_count; i++)
        if (!coverage_has(state, plan->streams[i].stream)) return plan->streams[i].stream;
    return NULL;
}

static void note(const struct state *state, const struct flow_plan *plan, const struct stream_description *stream,
                 struct assembly *assembly)
{
    bool is_loaded = false;
    for (size_t i = 0; i < plan->stream_count && !is_loaded; i++) is_loaded = plan->streams[i].stream == stream;
    if (is_loaded != coverage_has(state, stream))
        assembly_note(assembly, stream->name, "", COVERAGE_KIND, coverage_mark(stream, is_loaded));
}

void coverage_note(const struct state *state, const struct flow_plan *plan, struct assembly *assembly)
{
    const struct stream_description *root = plan->stream;
    note(state, plan, root, assembly);
    for (size_t i = 0; i < root->exploded_count; i++) note(state, plan, &root->exploded[i], assembly);
}
