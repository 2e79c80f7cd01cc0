/* plan_parts: a flow on its way, shared by plan.c (which flows there are) and plan_stream.c (what each of its streams is to
 * be). Nobody else includes this. */
#ifndef SLUICE_SYNC_PLAN_PARTS_H
#define SLUICE_SYNC_PLAN_PARTS_H

#include <string.h>

#include "sync/plan.h"

/* The fields that name a record: the pipeline's word, else the connector's. */
struct key_choice {
    const char *const *names;
    size_t count;
};

static inline struct key_choice key_of(const struct stream_description *stream, const struct stream_choice *choice)
{
    if (choice->primary_key) return (struct key_choice){choice->primary_key, choice->primary_key_count};
    return (struct key_choice){stream->primary_key, stream->primary_key_count};
}

/* A flow on its way. */
struct making {
    const struct pipeline *pipeline;
    const struct plan_request *request;
    struct arena *arena;
    struct problems *problems;
    struct flow_plan *flow;
    struct stream_description *stream; /* flow->stream, while it is made */
    /* of the root: */
    const struct stream_choice *choice;
    struct key_choice key;
    enum sync_mode usual; /* when nobody asks for --full-refresh */
    const char *cursor;   /* NULL: none */
    enum write_mode root_mode;
};

static inline bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* Both add what they make to `making->flow`; mistakes go to its problems. */
void plan_root(struct making *making);
/* May the range of the request be read for its own sake? */
void plan_check_range(const struct making *making);
void plan_exploded(struct making *making, const struct stream_description *stream, const struct stream_choice *choice,
                   struct explode_spec *spec);

#endif
