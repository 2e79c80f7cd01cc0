/* spool: rows of one slice that wait, and that nobody needs should this process die, because the slice would start again: the
 * rows of a flow that is not `resumable`. So they are written once, as the parts they will be published in, and no commit has
 * to name them meanwhile. Files are `.stage-<flow>/<run>-<n>.part`; what is left of a run that died is removed by the next one.
 *
 * When the slice is published its parts are linked into the load's folder. When it is settled but not published yet (overwrite,
 * other slices are still read), its finished parts become segments, which commits name (struct csv_segment). */
#ifndef SLUICE_WRITER_CSV_SPOOL_H
#define SLUICE_WRITER_CSV_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "writer/csv/folder.h"
#include "writer/csv/part.h"

struct csv_spool {
    size_t stream; /* index in the flow */
    const char *slice;
    struct csv_part *parts; /* finished, but for the last one while it is open */
    size_t part_count, part_capacity;
    uint64_t uncounted; /* rows that no commit has counted */
    struct arena arena;
};

struct csv_spool_place {
    const char *folder; /* .stage-<flow>; made when missing */
    const char *run;
    const struct csv_format *format;
};

struct csv_spool *csv_spool_new(size_t stream, const char *slice);
void csv_spool_free(struct csv_spool *spool); /* its files are the caller's */
/* Whole lines encoded by `columns`, which outlive the spool. *number names the run's next file. */
int csv_spool_write(struct csv_spool *spool, const struct csv_spool_place *place, uint64_t *number,
                    const struct csv_columns *columns, struct str lines, uint64_t rows, struct err *err) MUST_USE;
int csv_spool_finish(struct csv_spool *spool, struct err *err) MUST_USE; /* all parts are durable; more rows begin a new one */
uint64_t csv_spool_rows(const struct csv_spool *spool);
/* Removes its files, best effort: the next start removes what stays. */
void csv_spool_discard(struct csv_spool *spool);

#endif
