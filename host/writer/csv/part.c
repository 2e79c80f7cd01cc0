/* part: see part.h. While a part grows the disk is asked to begin with what is there, every few megabytes: else the fsync at
 * its end would find all of it undone. */
#include "writer/csv/part.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "os/fs.h"
#include "writer/csv/layout.h"

enum { FILE_MODE = 0640, BEGIN_WRITING_BYTES = 4 << 20 };

int csv_part_open(struct csv_part *part, const char *path, const struct csv_columns *columns, enum compression compression,
                  struct err *err)
{
    *part = (struct csv_part){.path = path, .columns = columns, .fd = -1};
    int rc = fs_create(path, FILE_MODE, &part->fd, err);
    if (rc != 0) {
        part->fd = -1;
        return csv_fs_error(err);
    }
    FAULT_POINT("csv.part.created");
    struct arena arena = ARENA_INIT(0);
    struct str header = csv_columns_header(columns, &arena);
    part->compressor = compressor_new(part->fd, path, compression);
    rc = compressor_write(part->compressor, header.data, header.size, err);
    arena_release(&arena);
    return rc == 0 ? 0 : csv_fs_error(err);
}

int csv_part_write(struct csv_part *part, struct str lines, uint64_t rows, struct err *err)
{
    part->rows += rows;
    if (FAULT_FAILS("csv.part.write", err) != 0) return err->class;
    if (compressor_write(part->compressor, lines.data, lines.size, err) != 0) return csv_fs_error(err);
    uint64_t bytes = compressor_bytes(part->compressor);
    if (bytes - part->begun_bytes >= BEGIN_WRITING_BYTES) {
        part->begun_bytes = bytes;
        /* A wish: what goes wrong on the disk is told by the fsync, which alone promises anything. */
        (void)sync_file_range(part->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    return 0;
}

bool csv_part_is_full(const struct csv_part *part, const struct csv_columns *columns, uint64_t max_bytes)
{
    return strcmp(part->columns->id, columns->id) != 0 || compressor_bytes(part->compressor) >= max_bytes;
}

int csv_part_finish(struct csv_part *part, struct err *err)
{
    int rc = compressor_finish(part->compressor, &part->result, err);
    if (rc == 0) rc = FAULT_FAILS("csv.part.written", err);
    if (rc == 0) rc = fs_sync(part->fd, part->path, err);
    if (rc == 0) rc = FAULT_FAILS("csv.part.synced", err);
    if (close(part->fd) != 0 && rc == 0)
        rc = err_set(err, ERR_DESTINATION, "could not close '%s': %s", part->path, strerror(errno));
    part->fd = -1;
    csv_part_release(part);
    return rc == 0 ? 0 : csv_fs_error(err);
}

void csv_part_release(struct csv_part *part)
{
    compressor_free(part->compressor);
    part->compressor = NULL;
    if (part->fd >= 0) close(part->fd);
    part->fd = -1;
}
