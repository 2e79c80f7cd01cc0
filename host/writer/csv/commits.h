/* commits: a flow's commit log, the one truth about it. `commits/<n>` are files that are written once, by link(), so that of
 * two owners who try for the same n exactly one wins and the other learns that it was overtaken.
 *
 * A commit is lines of JSON: a header (number, kind, fence, run), what changed, and an end line with the SHA-256 of all before
 * it. Reading starts at the newest commit that is a snapshot (it holds everything) and applies those behind it. A snapshot
 * allows the older files to go; a commit that links into a number whose file has gone that way finds newer ones beside it and
 * takes itself back.
 *
 *     struct csv_image image;
 *     rc = csv_commits_read(folder, &arena, &image, err);           // all in the arena; image.last is 0 for a new flow
 *     struct csv_commit *commit = csv_commit_new(&header);          // number image.last + 1
 *     csv_commit_state(commit, &delta); csv_commit_load(commit, "orders", 12, rows); ...
 *     rc = csv_commit_append(commit, folder, NULL, err);                 // 0: durable. HELD: someone else was there first
 *     csv_commit_free(commit); */
#ifndef SLUICE_WRITER_CSV_COMMITS_H
#define SLUICE_WRITER_CSV_COMMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/state.h"
#include "os/crypto.h"
#include "writer/csv/columns.h"
#include "writer/writer.h"

enum { CSV_RUN_ID_SIZE = 33 };

/* COMMIT: a delta. SNAPSHOT: everything. RESET: a snapshot of nothing, made by people. FAILED: a delta that only tells why. */
enum csv_commit_kind { CSV_COMMIT_DELTA, CSV_COMMIT_SNAPSHOT, CSV_COMMIT_RESET, CSV_COMMIT_FAILED };

/* Rows of one stream and slice that are durable and wait: a run of whole lines in `.stage-<flow>/<file>.rows`, or a part that
 * is finished. */
struct csv_segment {
    uint64_t file; /* the commit that wrote it */
    uint64_t index;
    const char *part; /* its name in `.stage-<flow>`; NULL: a run of lines */
    const char *stream;
    const char *slice;
    const struct csv_columns *columns;
    uint64_t offset, bytes, rows; /* bytes: of a part as it is stored */
    uint64_t marks;               /* of the rows: those that count as none (row_is_mark) */
    uint32_t crc;                 /* of a run */
    uint64_t raw_bytes;           /* of a part, and its digest */
    char sha256[SHA256_HEX_SIZE];
    bool settled; /* covered by a checkpoint of its slice: stays when that starts again */
    bool gone;    /* published or dropped by a later commit */
};

/* What is known of a stream as a table. */
struct csv_table {
    const char *stream;
    enum write_mode mode;
    bool has_rows; /* was published by overwrite */
    uint64_t rows; /* of the last overwrite */
};

struct csv_published {
    const char *stream;
    uint64_t load_id;
};

/* A flow as its commits say it is. */
struct csv_image {
    uint64_t last; /* number of the newest commit; 0: none */
    uint64_t fence;
    char run[CSV_RUN_ID_SIZE];
    const char *flow;
    struct state state;
    struct csv_segment *segments;
    size_t segment_count, segment_capacity;
    struct csv_columns *columns;
    struct csv_table *tables;
    size_t table_count, table_capacity;
    struct csv_published *published; /* loads named by the commits that were read: their folders must be visible */
    size_t published_count, published_capacity;
    size_t chain;         /* commits read, the snapshot included */
    uint64_t chain_bytes; /* of those behind the snapshot */
    uint64_t first_bytes; /* of the snapshot, or the first commit */
};

struct csv_commit_header {
    uint64_t number;
    enum csv_commit_kind kind;
    uint64_t fence;
    const char *run;
    const char *pipeline, *flow, *connector;
    int64_t at_us;
};

struct csv_commit;

/* Errors: DESTINATION for a commit that is damaged, missing in the middle, or of a newer version, with the remedy. */
int csv_commits_read(const char *folder, struct arena *arena, struct csv_image *image, struct err *err) MUST_USE;
/* The number, fence and flow name of the newest commit only; *last is 0 when there is none. A damaged one gives fence 0, flow
 * NULL. */
int csv_commits_peek(const char *folder, struct arena *arena, uint64_t *last, uint64_t *fence, const char **flow,
                     struct err *err) MUST_USE;
const struct csv_table *csv_image_table(const struct csv_image *image, const char *stream);

struct csv_commit *csv_commit_new(const struct csv_commit_header *header);
void csv_commit_free(struct csv_commit *commit); /* NULL is fine */
void csv_commit_state(struct csv_commit *commit, const struct state *delta);
void csv_commit_columns(struct csv_commit *commit, const struct csv_columns *columns);
void csv_commit_segment(struct csv_commit *commit, const struct csv_segment *segment);
void csv_commit_gone(struct csv_commit *commit, const struct csv_segment *segment);
void csv_commit_settled(struct csv_commit *commit, const struct csv_segment *segment);
void csv_commit_table(struct csv_commit *commit, const struct csv_table *table);
void csv_commit_load(struct csv_commit *commit, const char *stream, uint64_t load_id, uint64_t rows);
void csv_commit_counts(struct csv_commit *commit, const char *stream, const struct load_counts *counts);
void csv_commit_reason(struct csv_commit *commit, const char *reason);
/* Everything of `image`, for a snapshot. */
void csv_commit_image(struct csv_commit *commit, const struct csv_image *image);

uint64_t csv_commit_bytes(const struct csv_commit *commit);
/* Makes the commit. HELD: another one has that number, or there are newer ones. After a failure *may_stand (may be NULL) says
 * whether the commit may be there all the same (its folder could not be made durable, or a successor has built upon it): then
 * what it names has to stay. */
int csv_commit_append(struct csv_commit *commit, const char *folder, bool *may_stand, struct err *err) MUST_USE;
/* Sets the HELD of an owner that was overtaken. */
int csv_commit_overtaken(struct err *err);
/* Removes the commits before `number`, oldest first, and what was left behind while writing. */
int csv_commits_fold(const char *folder, uint64_t number, struct err *err) MUST_USE;

#endif
