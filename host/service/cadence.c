/* cadence: see cadence.h. */
#include "service/cadence.h"

#include "sync/project.h"

static bool has_own(const struct stream_choice *stream)
{
    return option_is_set(stream->node, "schedule");
}

void cadences_read(const struct pipeline *pipeline, struct arena *arena, struct cadences *out, struct problems *problems)
{
    struct cadence *list = arena_array(arena, struct cadence, pipeline->stream_count + 1);
    const char **others = arena_array(arena, const char *, pipeline->stream_count + 1);
    struct schedule own;
    size_t count = 0, other_count = 0;
    schedule_read(node_get(pipeline->node, "schedule"), arena_printf(arena, "pipelines.%s.schedule", pipeline->name),
                  pipeline->name, NULL, arena, &own, problems);
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (!has_own(&pipeline->streams[i])) others[other_count++] = pipeline->streams[i].name;
    if (other_count > 0 || pipeline->stream_count == 0)
        list[count++] = (struct cadence){.schedule = own, .streams = others, .stream_count = other_count};
    for (size_t i = 0; i < pipeline->stream_count; i++) {
        const struct stream_choice *stream = &pipeline->streams[i];
        if (!has_own(stream)) continue;
        const char **name = arena_new(arena, const char *);
        *name = stream->name;
        list[count] = (struct cadence){.stream = stream->name, .streams = name, .stream_count = 1};
        schedule_read(node_get(stream->node, "schedule"),
                      arena_printf(arena, "pipelines.%s.streams.%s.schedule", pipeline->name, stream->name), pipeline->name,
                      &own, arena, &list[count].schedule, problems);
        count++;
    }
    *out = (struct cadences){list, count};
}

/* When one of them is due, not before now and not within its blackout. */
static bool due_at(const struct schedule *schedule, int64_t last_ms, int64_t now_ms, int64_t *at_ms)
{
    if (!schedule_next(schedule, last_ms < now_ms ? last_ms : now_ms, at_ms)) return false;
    if (*at_ms <= now_ms) schedule_in_blackout(schedule, now_ms, at_ms);
    return true;
}

bool cadences_next(const struct cadences *cadences, const int64_t *last_ms, int64_t now_ms, int64_t *at_ms)
{
    bool has_next = false;
    int64_t one_ms;
    for (size_t i = 0; i < cadences->count; i++) {
        if (!due_at(&cadences->list[i].schedule, last_ms[i], now_ms, &one_ms)) continue;
        if (!has_next || one_ms < *at_ms) *at_ms = one_ms;
        has_next = true;
    }
    return has_next;
}

void cadences_due(const struct cadences *cadences, const int64_t *last_ms, int64_t now_ms, struct arena *arena, struct due *out)
{
    size_t *indices = arena_array(arena, size_t, cadences->count + 1), count = 0, stream_count = 0;
    int64_t at_ms;
    for (size_t i = 0; i < cadences->count; i++)
        if (due_at(&cadences->list[i].schedule, last_ms[i], now_ms, &at_ms) && at_ms <= now_ms) indices[count++] = i;
    *out = (struct due){.is_whole = count == cadences->count, .cadences = indices, .cadence_count = count};
    if (out->is_whole) return;
    for (size_t i = 0; i < count; i++) stream_count += cadences->list[indices[i]].stream_count;
    const char **streams = arena_array(arena, const char *, stream_count + 1);
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < cadences->list[indices[i]].stream_count; s++)
            streams[out->stream_count++] = cadences->list[indices[i]].streams[s];
    out->streams = streams;
}
