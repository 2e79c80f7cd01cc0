/* csv: what the files of the CSV writer share: the destination (one sync's hold on a folder) and the writer (one flow's).
 *
 * A commit, in order: rows to be held go to the stage, or (if an interruption drops them anyway) into the spool of their slice;
 * rows to be seen go into hidden folders, rejects into a file of their own; all is fsynced; then the commit file is linked to
 * its number, which makes it true; then the folders lose their dot and what was held and is now published is removed. Every
 * crash before the link leaves files that no commit names, and they are removed at the next start; every crash after it leaves
 * a rename that the next start finishes. */
#ifndef SLUICE_WRITER_CSV_CSV_H
#define SLUICE_WRITER_CSV_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "os/fs.h"
#include "os/process.h"
#include "writer/csv/commits.h"
#include "writer/csv/encode.h"
#include "writer/csv/folder.h"
#include "writer/csv/layout.h"
#include "writer/csv/lease.h"
#include "writer/csv/spool.h"
#include "writer/writer.h"

struct destination {
    struct arena arena;
    const char *root, *pipeline, *ledger;
    struct csv_format format;
    struct clock *clock;
    struct cancel *cancel;
    struct log *log;
    struct process_identity self;
    struct csv_lease lease;
    bool holds_lease;
};

/* A stream of the flow. */
struct csv_stream {
    struct table_spec spec;
    const char *folder; /* <path>/<pipeline>/<stream> */
    struct csv_table table;
    bool table_is_stored;         /* the commits say so already */
    uint32_t known_columns;       /* of the schema, in the state */
    struct load_counts uncounted; /* of loads that needed no commit, without the rows in spools */
};

struct writer {
    struct destination *destination;
    struct arena arena;
    const char *flow, *connector;
    bool resumable; /* held rows may be gone on from: they have to survive this process */
    struct csv_paths paths;
    struct csv_stream *streams;
    size_t stream_count;
    uint64_t last;                /* our newest commit */
    struct csv_segment *segments; /* living ones, by (file, index); slice and stream are owned */
    size_t segment_count, segment_capacity;
    struct csv_spool **spools;
    size_t spool_count, spool_capacity;
    uint64_t spool_number;       /* of the newest file */
    struct csv_columns *columns; /* every set of columns a segment or a load of this run has */
    size_t chain;
    uint64_t chain_bytes, first_bytes;
    bool broken; /* a commit's fate on the disk is unknown, or half done: nothing more is written */
    struct csv_buffer lines;
};

/* --- csv.c: the destination --- */
/* The names of the flows' folders below the pipeline's ledger. */
int csv_list_flows(const struct destination *destination, struct arena *arena, struct fs_entry **entries, size_t *count,
                   struct err *err) MUST_USE;

/* --- flow.c: a flow's life, but for its loads --- */
int csv_flow_open(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err) MUST_USE;
int csv_flow_load_state(struct writer *writer, struct state *state, struct err *err) MUST_USE;
const char *csv_flow_note(const struct writer *writer);
void csv_flow_close(struct writer *writer);
struct csv_commit *csv_flow_commit_new(const struct writer *writer, enum csv_commit_kind kind);
/* Writes a snapshot and removes the older commits when enough has come together. */
int csv_flow_fold(struct writer *writer, struct err *err) MUST_USE;
/* Counts a commit that was just made. */
void csv_flow_advance(struct writer *writer, const struct csv_commit *commit);
struct csv_segment *csv_flow_add_segment(struct writer *writer);
struct csv_spool *csv_flow_add_spool(struct writer *writer, size_t stream, const char *slice);
/* The interned columns of the first `count` columns of a stream. */
const struct csv_columns *csv_flow_columns(struct writer *writer, const struct csv_stream *stream, uint32_t count);
/* Finishes the renames of the loads that the commits name. */
int csv_publish_named(const struct csv_paths *paths, const struct csv_image *image, struct err *err) MUST_USE;
/* Is a snapshot due, by the amortised rule? */
bool csv_fold_is_due(size_t chain, uint64_t chain_bytes, uint64_t first_bytes);

/* --- load.c: one load --- */
int csv_flow_commit(struct writer *writer, const struct load *load, struct err *err) MUST_USE;
int csv_flow_fail(struct writer *writer, const struct load *load, const char *reason, struct err *err) MUST_USE;

/* --- known.c: the columns a stream is known to have, as a state entry --- */
#define CSV_KNOWN_KIND "schema"
/* Adds the columns of a state value to `schema` as inferred ones. False when the value is not of that form. */
bool csv_known_read(const char *value, struct schema *schema) MUST_USE;
const char *csv_known_write(const struct schema *schema, uint32_t count, struct arena *arena);

#endif
