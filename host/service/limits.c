/* limits: see limits.h. */
#include "service/limits.h"

#include <string.h>

#include "base/map.h"

struct limits_in_use {
    struct roster *roster;
    struct arena *arena; /* the counts live here */
    const char *only;    /* NULL: any pipeline */
    size_t on_this_node;
    struct map counts; /* "connector NAME", "destination NAME" -> size_t */
};

static void release_counts(void *counts)
{
    map_release(counts);
}

struct limits_in_use *limits_begin(struct roster *roster, const char *only, size_t on_this_node, struct arena *arena)
{
    struct limits_in_use *limits = arena_new(arena, struct limits_in_use);
    *limits = (struct limits_in_use){
        .roster = roster, .arena = arena, .only = only, .on_this_node = on_this_node, .counts = MAP_INIT};
    arena_defer(arena, release_counts, &limits->counts);
    return limits;
}

static size_t *count_of(struct limits_in_use *limits, const char *what, const char *name)
{
    const char *key = arena_printf(limits->arena, "%s %s", what, name);
    size_t *count = map_get(&limits->counts, str_from(key));
    if (count) return count;
    count = arena_new(limits->arena, size_t);
    map_set(&limits->counts, str_from(key), count);
    return count;
}

void limits_note(struct limits_in_use *limits, const char *pipeline)
{
    const struct roster_pipeline *entry = roster_find(limits->roster, pipeline);
    if (!entry) return;
    ++*count_of(limits, "connector", entry->pipeline->connector);
    ++*count_of(limits, "destination", entry->pipeline->destination);
}

bool limits_allow(struct limits_in_use *limits, const char *pipeline)
{
    const struct roster_pipeline *entry = roster_find(limits->roster, pipeline);
    const struct service_settings *settings = &roster_project(limits->roster)->service;
    if (limits->only && strcmp(pipeline, limits->only) != 0) return false;
    if (!entry || limits->on_this_node >= (size_t)settings->max_syncs) return false;
    size_t connector = *count_of(limits, "connector", entry->pipeline->connector);
    size_t destination = *count_of(limits, "destination", entry->pipeline->destination);
    if (settings->max_syncs_per_connector && connector >= (size_t)settings->max_syncs_per_connector) return false;
    if (settings->max_syncs_per_destination && destination >= (size_t)settings->max_syncs_per_destination) return false;
    limits->on_this_node++;
    limits_note(limits, pipeline);
    return true;
}
