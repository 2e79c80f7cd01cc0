/* plan: which flows a run has: the pipeline's choices and the connector's declarations brought together, once, before anything
 * moves.
 *
 * Decides per stream: sync mode, write mode, key, cursor, columns, table; makes its live schema; refuses what cannot work
 * (unknown streams, overwrite of an incremental stream, a blocked key, two streams on one table), every mistake at once.
 *
 * A flow is a root stream with the streams exploded from it, as far as they are chosen; a root that only its exploded streams
 * need is read and not loaded. All of a flow share its root's sync mode and its state, so a flow runs as a whole: asking for
 * one of its streams (--stream) asks for all that the pipeline has of it. */
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

/* A stream that is loaded. Read-only but for its schema, which grows. */
struct stream_plan {
    const struct stream_description *stream;
    const char *mode; /* "incremental append_dedup", for people */
};

/* One flow of this run, ready to go. */
struct flow_plan {
    const struct stream_description *stream; /* the root */
    enum sync_mode sync_mode;
    const char *from, *to; /* a backfill, see struct plan_request: it leaves cursor and token alone */
    bool keep_cursor;      /* the flow is incremental by the pipeline: its cursor is stored at the end */
    bool keep_token;       /* likewise, and the source's own token is stored with the rows */
    bool ascending;        /* declared so, and the cursor is the one that the source filters by */
    bool loads_root;
    int64_t max_records, max_pages; /* that a run reads, about; 0: all there are */
    bool appends;                   /* to one of its tables: what comes twice would be there twice */
    struct stream_plan *streams;    /* those loaded: the root, if it is, before what is exploded from it */
    struct table_spec *tables;      /* of these streams; they hold the schemas, freed by plan_release */
    size_t stream_count;
    struct decode_spec decode; /* of the root; completed by plan_bind */
    struct decode_spec events; /* likewise, of the events about its records (event_feed) */
    struct schema *hidden;     /* the root's schema, when it is not loaded; else NULL */
};

struct sync_plan {
    struct flow_plan *flows;
    size_t count;
};

struct plan_request {
    const char *const *streams; /* --stream; NULL: those of the pipeline */
    size_t stream_count;
    bool full_refresh;              /* --full-refresh */
    bool continuous;                /* --continuous */
    int64_t max_records, max_pages; /* --max-records, --max-pages; 0: as the pipeline says */
    const char *from, *to;          /* --from, --to: a backfill of this range; NULL: none, and `to` NULL: up to now */
};

/* Is anything of the root's flow chosen by the pipeline, and asked for? */
bool plan_wants(const struct pipeline *pipeline, const struct plan_request *request, const struct stream_description *root);

void plan_make(const struct description *description, const struct pipeline *pipeline, const struct plan_request *request,
               struct arena *arena, struct sync_plan *plan, struct problems *problems);
void plan_release(struct sync_plan *plan);

/* Are rows appended by a cursor, each once? Not where windows share their edges, and a lookback is there to read again. */
static inline bool plan_appends_once(const struct flow_plan *flow)
{
    const struct window_cursor *window = &flow->stream->cursor.window;
    return flow->appends && flow->keep_cursor && !flow->keep_token && !window_has_step(window) && window->lookback == 0 &&
           flow->stream->cursor.kind != CURSOR_EVENT_FEED;
}

/* The tables that a native stream feeds, as a plugin is told (rest/native.h), in the arena. */
struct str plan_native_tables(const struct flow_plan *plan, struct arena *arena);
/* Where the flow's rows are charged, and what is replaced in its rejects. Before anything is decoded. */
void plan_bind(struct flow_plan *flow, struct budget *budget, const struct secrets *secrets);

#endif
