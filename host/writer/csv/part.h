/* part: one part file while it is written: its header, then rows, compressed and digested on the way.
 *
 *     struct csv_part part;
 *     if ((rc = csv_part_open(&part, path, columns, COMPRESSION_ZSTD, err)) != 0) goto out;   // must not exist
 *     rc = csv_part_write(&part, lines, rows, err) ...
 *     rc = csv_part_finish(&part, err);             // durable but for its name in the folder; part.result tells its size and
 * digest out: csv_part_release(&part);                      // closes; an unfinished file stays, cut
 *
 * One thread. After a failure the file is worth nothing: a failed fsync is never tried again. */
#ifndef SLUICE_WRITER_CSV_PART_H
#define SLUICE_WRITER_CSV_PART_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "os/compress.h"
#include "writer/csv/columns.h"

struct csv_part {
    const char *path;
    const struct csv_columns *columns;
    uint64_t rows;
    struct compressor_result result; /* once finished */
    int fd;                          /* -1: not open */
    struct compressor *compressor;
    uint64_t begun_bytes; /* the disk was asked to write them */
};

/* `path` and `columns` outlive the part. */
int csv_part_open(struct csv_part *part, const char *path, const struct csv_columns *columns, enum compression compression,
                  struct err *err) MUST_USE;
int csv_part_write(struct csv_part *part, struct str lines, uint64_t rows, struct err *err) MUST_USE;
/* Before more rows, encoded by `columns`, are added: has it reached `max_bytes`, or has it other columns? */
bool csv_part_is_full(const struct csv_part *part, const struct csv_columns *columns, uint64_t max_bytes);
int csv_part_finish(struct csv_part *part, struct err *err) MUST_USE;
void csv_part_release(struct csv_part *part); /* one that never was opened needs fd -1 */

#endif
