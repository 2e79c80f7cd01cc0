/* stage: rows that are durable but not published, in `.stage-<flow>/<commit>.rows`: encoded lines, uncompressed, a run of them
 * per stream and slice. Which runs still wait is said by the commits (struct csv_segment); a file that none of them names is
 * removed.
 *
 * Lines are the same bytes as in a part, so publishing is a copy through the compressor, without reading a single row. */
#ifndef SLUICE_WRITER_CSV_STAGE_H
#define SLUICE_WRITER_CSV_STAGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "writer/csv/commits.h"
#include "writer/csv/folder.h"
#include "writer/csv/layout.h"

struct csv_stage {
    const char *folder, *path;
    int fd;
    uint64_t size;
};

/* Creates the file of commit `number`. `stage` may be released whether this worked or not. */
int csv_stage_open(struct csv_stage *stage, const struct csv_paths *paths, uint64_t number, struct arena *arena,
                   struct err *err) MUST_USE;
int csv_stage_write(struct csv_stage *stage, struct str lines, struct err *err) MUST_USE;
int csv_stage_finish(struct csv_stage *stage, struct err *err) MUST_USE; /* durable, with its name */
void csv_stage_release(struct csv_stage *stage);

/* Copies a run into a load. DESTINATION when the file is gone or its bytes are not those that were written. */
int csv_stage_copy(const struct csv_paths *paths, const struct csv_segment *segment, struct csv_folder *folder,
                   struct err *err) MUST_USE;
/* Removes the files that no living segment names, and reports those that are missing. */
int csv_stage_sweep(const struct csv_paths *paths, const struct csv_segment *segments, size_t count, struct err *err) MUST_USE;

#endif
