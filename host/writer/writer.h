/* writer: a kind of target. Every writer obeys the commit protocol; what a load is and when one is made is decided above
 * (sync/flow).
 *
 * Two objects. A `struct destination` is one sync's hold on a configured target: the connection that carries the lease, the
 * pipeline's state commands. A `struct writer` belongs to one flow and its writer thread, with a connection of its own.
 *
 *     destination open -> acquire (the lease; HELD when another sync has it) -> per flow: writer open -> load_state ->
 *     { commit(load) }* -> writer close -> destination release -> destination close
 *
 * A load is complete in memory before commit is called; rows and state become durable together, or commit fails and nothing
 * did. When the outcome of a COMMIT is unknown, the writer finds it out before it returns (COMMIT.md, rule 8). */
#ifndef SLUICE_WRITER_WRITER_H
#define SLUICE_WRITER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/batch.h"
#include "data/node.h"
#include "data/option.h"
#include "data/schema.h"
#include "data/state.h"

struct cancel;
struct clock;
struct log;
struct memory;
struct secrets;

enum write_mode { WRITE_APPEND, WRITE_OVERWRITE, WRITE_APPEND_DEDUP };

const char *write_mode_name(enum write_mode mode); /* "append_dedup" */
bool write_mode_from_name(struct str name, enum write_mode *mode);

/* One stream of a flow, as its table shall be. */
struct table_spec {
    const char *stream; /* "orders" */
    const char *name;   /* the table's name as the user wants it; the writer maps it to 63 bytes */
    enum write_mode mode;
    struct schema *schema; /* live: grows while pages are decoded; the writer follows it at each commit */
    const char *cursor;    /* field whose newest value wins in append_dedup; NULL: the last to arrive wins */
    bool keeps_first;      /* append_dedup, no sets: a row that is there stays as it is, whatever comes later under its key */
    bool in_place;         /* overwrite changes the rows of an existing table, and never replaces the table */
    /* Fields whose values name a set: rows exploded from one record (enum row_operation, data/batch.h). In append_dedup the
     * newest set of a name replaces the one that is there, as a whole; they are part of the key then. NULL: no sets. */
    const char *const *set;
    size_t set_count;
    double shrink_limit; /* overwrite refuses to lose more than this share of the rows: 0.5; 1 allows everything */
};

struct flow_spec {
    const char *pipeline;
    const char *flow;      /* the root stream's name */
    const char *connector; /* name and version, for the ledger */
    const struct table_spec *tables;
    size_t table_count;
    bool resumable; /* its states may name a position behind held rows: these must survive a crash of the server */
};

/* What a slice's rows in a load, and those still unpublished from earlier loads, come to. */
enum slice_outcome {
    SLICE_HOLD,    /* durable, not visible yet */
    SLICE_PUBLISH, /* settled, together with all that was held of it: visible, or (in a build, and for overwrite) visible with
                      the flow's last load; a restart no longer touches these rows */
    SLICE_RESTART, /* what was held of it since it was last settled is deleted: the slice goes on from there */
    SLICE_ABANDON, /* everything of it that is not visible yet is deleted, settled or not: its plan was given up */
};

struct load_slice {
    uint32_t slice; /* as in struct batch */
    const char *id; /* its name in the plan: stable over runs; `_sluice_slice` */
    enum slice_outcome outcome;
    /* PUBLISH: the slice is all there is between these values of the table's cursor (canonical; `to` excluded), so rows that
     * are there and not among its own are gone. Not for overwrite, nor for exploded streams. NULL: it replaces nothing. */
    const char *replace_from, *replace_to;
};

/* Does the slice replace what is in its range? */
static inline bool load_slice_replaces(const struct load_slice *slice)
{
    return slice->outcome == SLICE_PUBLISH && slice->replace_from;
}

/* A row that could not be taken, as it was. */
struct reject {
    const char *stream;
    const char *field;    /* NULL: the record as a whole */
    const char *reason;   /* "missing_primary_key", "type_mismatch", ... */
    const char *detail;   /* one line */
    struct str record;    /* its JSON, redacted, blocked columns removed, cut at 64 KiB */
    bool row_was_dropped; /* false: only this value was set to null */
};

/* Per stream and load: emitted = written + unchanged + deduplicated + rejected + discarded. The decoder counts emitted,
 * rejected, discarded; the writer adds the others. */
struct load_counts {
    uint64_t emitted, written, unchanged, deduplicated, rejected, discarded, deleted;
    uint64_t repaired;   /* texts with U+FFFD put in */
    uint64_t nulled;     /* values that did not fit their declared type */
    uint64_t overflowed; /* values that went to the overflow column */
    uint64_t bytes;      /* of source text */
};

/* Entries of one kind, of all slices of a stream, that go when a plan is done: but for those whose value begins with `keep`. */
struct state_sweep {
    const char *stream, *kind;
    const char *keep; /* NULL: none stays */
};

/* The kind of state there may be a million of: a partition's. load_state leaves it out where find_state is there. */
#define STATE_PARTITION "partition"
/* How many of them a flow has, where state_read leaves them out: an entry of its own, for people. */
#define STATE_PARTITIONS "partitions"

struct load {
    struct batch *const *batches; /* in arrival order; borrowed */
    size_t batch_count;
    const struct load_slice *slices; /* every slice that has rows here, or whose outcome is not HOLD */
    size_t slice_count;
    const struct state *state;       /* the delta; what it covers becomes visible with it */
    const struct state_sweep *sweep; /* behind the delta; NULL: none */
    const struct reject *rejects;
    size_t reject_count;
    struct load_counts *counts; /* one per table; `written`, `unchanged`, `deduplicated`, `deleted` are added by commit */
    bool complete;              /* the flow's plan is done: builds are published, overwrite replaces */
    bool is_prompt;             /* the source goes on for ever, and nothing of it waits: a build is published when it can be */
};

/* Who holds a pipeline. */
struct holder {
    char host[128];
    int64_t pid;
    char since[40]; /* ISO 8601 */
    char until[40]; /* when its lease runs out */
};

struct destination_options {
    const char *name;          /* in sluice.yaml */
    const struct node *config; /* checked against the type's options */
    const char *folder;        /* that sluice.yaml lies in: where relative paths start */
    const char *pipeline;      /* the pipeline's overrides are already merged into config (schema) */
    struct memory *memory;     /* the memory writer's; NULL for the others */
    bool look_only;            /* nothing is made or written, not even the ledger: for state_read and look */
    struct secrets *secrets;
    struct clock *clock;
    struct cancel *cancel;
    struct log *log;
};

/* One finding of `check`. */
struct writer_finding {
    bool ok;
    const char *what;   /* "connect", "create schema" */
    const char *detail; /* the reason, or a fact worth showing */
};
typedef void writer_report(void *context, const struct writer_finding *finding);

/* What a sync would find of a table, and do to it before it writes rows. */
struct target_look {
    const char *target; /* "shop_raw.orders", or a folder */
    bool exists;
    int64_t rows;        /* as the destination estimates them; -1: not known */
    const char *changes; /* statements, a line each; "": none */
    struct err refusal;  /* why a sync would be refused; class 0: it would not */
};

/* What was active of a table in a month. */
struct usage_row {
    const char *table;     /* "shop_raw.orders" */
    const char *pipelines; /* that wrote to it: "events, shop" */
    int64_t active;        /* its rows that were inserted, changed or deleted, each once; -1: not known */
    int64_t changes;       /* each time */
};

/* What is asked of a pipeline's past: the newest of it. */
struct past_filter {
    const char *stream; /* NULL: of all */
    size_t limit;
};

struct past_reject {
    struct reject reject; /* as it was kept */
    const char *at;       /* ISO 8601, UTC; NULL: not known */
    int64_t load;         /* that it came with */
};

/* A table or a column that came to a destination. */
struct past_change {
    const char *at, *stream;
    const char *change;                /* "create_table", "add_column" */
    const char *table;                 /* "shop_raw.orders" */
    const char *column, *type, *field; /* of add_column; else "". `field`: as the source calls it */
};

struct flow_state {
    const char *flow;
    const char *target; /* the table or folder it covers, for people */
    bool is_pending;    /* its rows wait in a build; it counts for readers of the table when that is published */
    struct state state;
};

struct destination;
struct writer;

struct writer_type {
    const char *name;  /* "postgres" */
    const char *title; /* "PostgreSQL" */
    bool has_tables;   /* others may attach things to what it writes; see table_spec.in_place */
    const struct option_table *options;

    /* What binds its rows and state to this machine, as those who see the same options know it ("./staging"); NULL: nothing,
     * other machines reach them, too. A NULL function: nothing ever does. */
    const char *(*place)(const struct node *config);
    /* Connects and makes sure the ledger exists. Errors: DESTINATION (CONFIG for a URL that cannot be read). */
    int (*open)(const struct destination_options *options, struct destination **out, struct err *err);
    /* Tries what a sync would need, without leaving anything behind; reports each step, failures too. */
    int (*check)(struct destination *destination, writer_report *report, void *context, struct err *err);
    /* Takes the pipeline's lease. HELD with the holder's name and the remedy; takes over when it expired or its owner is dead.
     */
    int (*acquire)(struct destination *destination, struct err *err);
    /* Keeps the lease for another 30 s, or for `wait_ms` + 60 s before a long wait, for which the connection is given back.
     * HELD when it was lost. Called by a thread of its own, every 10 s; uses the destination's connection only. */
    int (*renew)(struct destination *destination, int64_t wait_ms, struct err *err);
    void (*release)(struct destination *destination);
    /* All state of the pipeline, as `flow` + entries, what is pending apart; for `sluice state`. Needs no lease. */
    int (*state_read)(struct destination *destination, struct arena *arena, struct flow_state **flows, size_t *count,
                      struct err *err);
    /* Looks at the targets of a flow as flow_open would find them: one for each of its tables, in `arena`. Writes nothing and
     * needs no lease. NULL: the destination is not to be looked at. */
    int (*look)(struct destination *destination, const struct flow_spec *spec, struct arena *arena, struct target_look **looks,
                struct err *err);
    /* The tables that were written to in a month ("2026-11-01", UTC), whichever pipeline it was. Needs no lease. NULL: the
     * destination does not know. */
    int (*usage)(struct destination *destination, const char *month, struct arena *arena, struct usage_row **rows,
                 size_t *count, struct err *err);
    /* What could not be taken of the pipeline's records, and how its tables came to be as they are: the newest first, in
     * `arena`. Need no lease. NULL: the destination does not know. */
    int (*rejects)(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                   struct past_reject **list, size_t *count, struct err *err);
    int (*changes)(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                   struct past_change **list, size_t *count, struct err *err);
    /* Changes one entry (value NULL removes it; kind NULL: the whole flow, with what it holds unpublished). Needs the lease. */
    int (*state_write)(struct destination *destination, const char *flow, const struct state_entry *entry, struct err *err);
    void (*close)(struct destination *destination); /* releases the lease if still held; NULL is fine */

    /* Opens the flow: fences it, finds its target, stage and build, adopts what an interrupted run left. Adds the columns the
     * target is known to have (the name map) to each table's schema as inferred columns. SCHEMA: a target with other types,
     * with things of others on it that overwrite cannot handle, or gone while state names it. */
    int (*flow_open)(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err);
    /* Is the table at this place of the spec there already? NULL: it counts as there once there is state. */
    bool (*has_table)(const struct writer *writer, size_t table);
    /* The flow's state: what is published, with what an unfinished build adds. Texts live in `state`'s arena. */
    int (*load_state)(struct writer *writer, struct state *state, struct err *err);
    /* Adds the entries of kind STATE_PARTITION of these slices to `state`. NULL: load_state gives all of them. */
    int (*find_state)(struct writer *writer, const char *stream, const char *const *slices, size_t count, struct state *state,
                      struct err *err);
    /* Makes the load durable. HELD: fenced, stop. DESTINATION: retryable ones were retried. SCHEMA: as flow_open, and the
     * shrink guard. Returns 0 only when it is known to be committed. */
    int (*commit)(struct writer *writer, const struct load *load, struct err *err);
    /* Writes the last rejects of a load that is given up, alone, with a `failed` ledger row and the reason. */
    int (*fail)(struct writer *writer, const struct load *load, const char *reason, struct err *err);
    /* Nothing will be committed for `wait_ms` (0: not known): publishes what may be if that is over a minute, and gives the
     * connection back until the next call. What publishing changes is added to `counts`, one per table: duplicates that count
     * as written until then. NULL: there is nothing to do. Errors as commit. */
    int (*rest)(struct writer *writer, int64_t wait_ms, struct load_counts *counts, struct err *err);
    /* How the rows wait for being visible, for the user: NULL, or "building aside, publishes at the end". */
    const char *(*note)(const struct writer *writer);
    void (*flow_close)(struct writer *writer); /* NULL is fine */
};

/* The writers there are, by name; NULL when there is none of it. */
const struct writer_type *writer_type_find(struct str name);
const struct writer_type *const *writer_types(size_t *count);

#endif
