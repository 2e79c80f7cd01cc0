/* plan: which flows a run has: the pipeline's choices and the connector's declarations brought together, once, before anything
 * moves.
 *
 * Decides per stream: sync mode, write mode, key, cursor, columns, table; makes its live schema; refuses what cannot work
 * (unknown streams, overwrite of an incremental stream, a blocked key, two streams on one table), every mistake at once. */
#ifndef SLUICE_SYNC_PLAN_H
#define SLUICE_SYNC_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "data/option.h"
#include "rest/decode.h"
#include "rest/description.h"
#include "sync/project.h"
#include "writer/writer.h"

/* One stream of this run, ready to go. Read-only but for the schema, which grows. */
struct flow_plan {
    const struct stream_description *stream;
    enum sync_mode sync_mode;
    bool keep_cursor;          /* the stream is incremental by the pipeline: its cursor is stored at the end */
    bool ascending;            /* declared so, and the cursor is the one that the source filters by */
    const char *mode;          /* "incremental append_dedup", for people */
    struct table_spec table;   /* holds the schema; freed by plan_release */
    struct decode_spec decode; /* budget is set by the flow */
};

struct sync_plan {
    struct flow_plan *flows;
    size_t count;
};

struct plan_request {
    const char *const *streams; /* --stream; NULL: those of the pipeline */
    size_t stream_count;
    bool full_refresh; /* --full-refresh */
};

void plan_make(const struct description *description, const struct pipeline *pipeline, const struct plan_request *request,
               struct arena *arena, struct sync_plan *plan, struct problems *problems);
void plan_release(struct sync_plan *plan);

#endif
