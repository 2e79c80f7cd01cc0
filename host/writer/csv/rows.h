/* rows: the files of one load, before its commit: what becomes of every row that waits or comes, and where it is written.
 *
 *     csv_rows_decide(&work);                      // fates, from the slices' outcomes
 *     if ((rc = csv_rows_write(&work, err)) != 0) ...
 *
 * Rows that become visible go into a hidden folder of the load, behind those that were held of their slice. Rows that wait go
 * into the stage, or into their slice's spool. Nothing of the writer changes here but the spools' content. */
#ifndef SLUICE_WRITER_CSV_ROWS_H
#define SLUICE_WRITER_CSV_ROWS_H

#include "base/map.h"
#include "writer/csv/csv.h"
#include "writer/csv/stage.h"

/* Of what waits. SETTLE: it goes on waiting, and from now on it is safe from a restart. */
enum csv_fate { CSV_KEEP, CSV_SETTLE, CSV_PUBLISH, CSV_DROP };

/* A load on its way. */
struct csv_work {
    struct writer *writer;
    const struct load *load;
    struct arena arena;
    uint64_t number;             /* of the commit, and of the load */
    struct map outcomes;         /* slice id -> struct load_slice */
    uint8_t *segment_fates;      /* enum csv_fate, by segment of the writer */
    uint8_t *spool_fates;        /* by spool of the writer; room for one more per batch */
    uint8_t *batch_fates;        /* CSV_KEEP or CSV_PUBLISH, by batch */
    uint32_t *widths;            /* by stream: columns of its rows in this load */
    struct csv_folder **folders; /* by stream */
    struct csv_stage stage;
    bool has_stage;
    struct csv_segment *held; /* new ones, in order */
    size_t held_count, held_capacity;
    uint64_t *written, *deleted, *repaired; /* by stream */
    uint64_t *spooled;                      /* by stream: of `written`, into spools */
    struct str live_suffix, deleted_suffix; /* the system columns of a row of this load */
    struct csv_commit *commit;
};

void csv_rows_decide(struct csv_work *work);
int csv_rows_write(struct csv_work *work, struct err *err) MUST_USE;

#endif
