/* spool: see spool.h. */
#include "writer/csv/spool.h"

#include <stdlib.h>
#include <unistd.h>

#include "os/fs.h"
#include "writer/csv/layout.h"

enum { FOLDER_MODE = 0750 };

struct csv_spool *csv_spool_new(size_t stream, const char *slice)
{
    struct csv_spool *spool = mem_zero(1, sizeof(*spool));
    spool->stream = stream;
    spool->slice = arena_strdup(&spool->arena, slice);
    return spool;
}

void csv_spool_free(struct csv_spool *spool)
{
    if (!spool) return;
    for (size_t i = 0; i < spool->part_count; i++) csv_part_release(&spool->parts[i]);
    free(spool->parts);
    arena_release(&spool->arena);
    free(spool);
}

static struct csv_part *open_part(struct csv_spool *spool)
{
    struct csv_part *last = spool->part_count ? &spool->parts[spool->part_count - 1] : NULL;
    return last && last->compressor ? last : NULL;
}

static int add_part(struct csv_spool *spool, const struct csv_spool_place *place, uint64_t *number,
                    const struct csv_columns *columns, struct err *err)
{
    if (fs_make_folders(place->folder, FOLDER_MODE, err) != 0) return csv_fs_error(err);
    if (spool->part_count == spool->part_capacity) {
        spool->part_capacity = spool->part_capacity ? spool->part_capacity * 2 : 4;
        spool->parts = mem_resize(spool->parts, spool->part_capacity * sizeof(*spool->parts));
    }
    const char *path =
        arena_printf(&spool->arena, "%s/%s-%llu%s", place->folder, place->run, (unsigned long long)++*number, CSV_PART_SUFFIX);
    return csv_part_open(&spool->parts[spool->part_count++], path, columns, place->format->compression, err);
}

int csv_spool_write(struct csv_spool *spool, const struct csv_spool_place *place, uint64_t *number,
                    const struct csv_columns *columns, struct str lines, uint64_t rows, struct err *err)
{
    struct csv_part *part = open_part(spool);
    int rc;
    if (part && csv_part_is_full(part, columns, place->format->part_bytes)) {
        if ((rc = csv_part_finish(part, err)) != 0) return rc;
        part = NULL;
    }
    if (!part && (rc = add_part(spool, place, number, columns, err)) != 0) return rc;
    spool->uncounted += rows;
    return csv_part_write(&spool->parts[spool->part_count - 1], lines, rows, err);
}

int csv_spool_finish(struct csv_spool *spool, struct err *err)
{
    struct csv_part *part = open_part(spool);
    return part ? csv_part_finish(part, err) : 0;
}

uint64_t csv_spool_rows(const struct csv_spool *spool)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < spool->part_count; i++) rows += spool->parts[i].rows;
    return rows;
}

void csv_spool_discard(struct csv_spool *spool)
{
    for (size_t i = 0; i < spool->part_count; i++) (void)unlink(spool->parts[i].path);
}
