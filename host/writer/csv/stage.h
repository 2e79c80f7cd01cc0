/* stage: rows that are durable but not published, in `.stage-<flow>/`: runs of encoded lines, uncompressed, one per stream and
 * slice, in `<commit>.rows`; and finished parts (spool.h). Which of them still wait is said by the commits (struct
 * csv_segment); a file that none of them names is removed.
 *
 * Lines are the same bytes as in a part, so publishing is a copy through the compressor, without reading a single row; a part
 * is linked. */
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

/* Puts a segment into a load. DESTINATION when the file is gone or its bytes are not those that were written. */
int csv_stage_publish(const struct csv_paths *paths, const struct csv_segment *segment, struct csv_folder *folder,
                      struct err *err) MUST_USE;
/* Removes the file of a segment that is a part, best effort: the next start removes what stays. */
void csv_stage_remove_part(const struct csv_paths *paths, const struct csv_segment *segment);
/* Removes the files that no living segment names, but for the parts of `run`, and reports those that are missing. */
int csv_stage_sweep(const struct csv_paths *paths, const char *run, const struct csv_segment *segments, size_t count,
                    struct err *err) MUST_USE;

#endif
