/* flow_parts: what a running flow is made of, shared by flow.c (its slices), flow_begin.c (its state and its plan) and
 * flow_load.c (its loads). Nobody else includes this. */
#ifndef SLUICE_SYNC_FLOW_PARTS_H
#define SLUICE_SYNC_FLOW_PARTS_H

#include "os/log.h"
#include "sync/assembly.h"
#include "sync/flow.h"
#include "sync/slice.h"

struct flow {
    const struct sync_context *sync;
    struct flow_plan *plan;
    struct stream_progress *progress; /* of the plan's streams */
    struct log *log;
    struct arena arena;
    struct writer *writer;
    struct state state;
    const char *plan_kind; /* what the windows are for: a stored plan of another kind is not continued */
    struct window_plan windows;
    size_t slice_room;                /* in the arrays below */
    struct slice_position *positions; /* per slice of the plan */
    struct boundary boundary;         /* keys of the records that have the stored cursor */
    bool boundary_is_known;
    uint32_t
        *known_columns;   /* per stream of the plan, of tables that were there; UINT32_MAX: it is new. NULL: not looked yet */
    const char *token;    /* the source's own, where this sync begins; NULL: none */
    const char *old_jobs; /* of a plan that is given up, a line each, until a slice has them deleted; NULL: none */
    struct assembly *assembly;
    struct channel *items;
    struct cancel *cancel;  /* below sync->reading */
    struct slice **running; /* per slice of the plan; NULL: not running */
    size_t next_slice, running_count, slots_held;
    uint32_t *order; /* in which the slices that are known at the start are started; NULL: as they are */
    size_t order_count;
    bool is_extended;         /* the plan that goes on has windows for what came since */
    bool begins_anew;         /* a stream is loaded that the state is not for */
    int64_t oldest_ms;        /* when the oldest row that waits came; 0: none waits */
    int64_t resting_until_ms; /* a long wait is under way, and what came before it is committed; 0: none is */
    int64_t used_ms;          /* when the writer's connection was last used */
    bool is_quiet;            /* ... so long ago that it was given back */
    unsigned char *resets;    /* per slice of the plan: how often the source made it start over in this run */
    struct err err;
    bool is_skipped; /* `err` is why the connector says to leave the stream out */
    bool order_warned, descent_warned;
    struct flow_partitions *partitions; /* read in parts; NULL: not */
    bool commit_failed;                 /* nothing more can be made durable */
};

/* The root's name, which the flow is called by. */
static inline const char *flow_stream(const struct flow *flow)
{
    return flow->plan->stream->name;
}

/* Streams whose records are counted: those loaded, and a root that is not is the last. */
static inline size_t flow_counted(const struct flow_plan *plan)
{
    return plan->stream_count + (plan->loads_root ? 0 : 1);
}

/* Tells the observer about one of the plan's streams. */
void flow_tell(const struct flow *flow, enum event_kind kind, size_t stream, const struct load_counts *load);

/* Opens the writer, reads the state, continues the stored plan or makes a new one. Then positions and assembly are there. */
int flow_begin(struct flow *flow, struct err *err) MUST_USE;
/* The middle of it: with the state there, the windows and where each goes on. Writes nothing. */
int flow_make_plan(struct flow *flow, struct err *err) MUST_USE;
/* Adds the plan as it is now to the next load. */
void flow_note_plan(struct flow *flow);
/* A slice whose rows were appended, and then turned out to be unordered, can neither go on nor start again: says so. */
int flow_refuse_unordered(const struct flow *flow, struct err *err) MUST_USE;

/* --- flow_partitions.c: a flow that is read in parts, whose slices come and go --- */

/* The plan, its name and where its parents are read from; the slices come later. */
int flow_partitions_begin(struct flow *flow, struct err *err) MUST_USE;
/* With the assembly there: the lists, or the thread that reads the parents. */
int flow_partitions_start(struct flow *flow, struct err *err) MUST_USE;
/* The index of a slice to be started: 1; 0: there is none now. */
int flow_partitions_next(struct flow *flow, uint32_t *index, struct err *err) MUST_USE;
bool flow_partitions_wait(const struct flow *flow); /* parents are under way */
int flow_partitions_take(struct flow *flow, struct slice_item *item, struct err *err) MUST_USE;
void flow_partitions_finished(struct flow *flow);        /* a slice was */
bool flow_partitions_fill_load(const struct flow *flow); /* so many are finished that they make a load */
void flow_partitions_committed(struct flow *flow);
/* What the slice's requests know of its partition. */
void flow_partitions_describe(const struct flow *flow, uint32_t index, struct slice_options *options);
void flow_partitions_stop(struct flow *flow); /* its thread ends, and is joined */
void flow_partitions_free(struct flow *flow);
const char *flow_partitions_mark(const struct flow *flow);
const char *flow_partitions_parent_cursor(const struct flow *flow); /* to be stored at the end; NULL: none */

/* Makes the loads that `take` allows durable. */
int flow_commit(struct flow *flow, enum assembly_take take, struct err *err) MUST_USE;
void flow_note_use(struct flow *flow); /* the writer's connection was used */
/* Commits when it is full, or something has waited long enough. */
int flow_commit_if_due(struct flow *flow, struct err *err) MUST_USE;
/* When a long wait begins, or becomes longer: commits what has come, and lets the writer publish and give its connection back
 * (COMMIT.md, rules 7 and 10). When it was not used for a second, whatever is waited for: only the latter. */
int flow_rest(struct flow *flow, struct err *err) MUST_USE;

#endif
