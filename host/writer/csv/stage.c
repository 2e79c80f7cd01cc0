/* stage: see stage.h. */
#include "writer/csv/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "os/compress.h"
#include "os/fs.h"

enum { FILE_MODE = 0640, FOLDER_MODE = 0750, COPY_BYTES = CSV_BUFFER_FULL };

static const char *stage_path(const struct csv_paths *paths, uint64_t number, struct arena *arena)
{
    char text[CSV_NUMBER_SIZE];
    return arena_printf(arena, "%s/%s/%s%s", paths->data, paths->stage, csv_number_text(number, text), CSV_ROWS_SUFFIX);
}

int csv_stage_open(struct csv_stage *stage, const struct csv_paths *paths, uint64_t number, struct arena *arena,
                   struct err *err)
{
    *stage = (struct csv_stage){.fd = -1, .folder = fs_join(arena, paths->data, paths->stage)};
    stage->path = stage_path(paths, number, arena);
    int rc = fs_make_folders(stage->folder, FOLDER_MODE, err);
    if (rc == 0) rc = fs_create(stage->path, FILE_MODE, &stage->fd, err);
    return rc == 0 ? 0 : csv_fs_error(err);
}

int csv_stage_write(struct csv_stage *stage, struct str lines, struct err *err)
{
    if (fs_write_all(stage->fd, lines.data, lines.size, stage->path, err) != 0) return csv_fs_error(err);
    stage->size += lines.size;
    return FAULT_FAILS("csv.stage.write", err);
}

int csv_stage_finish(struct csv_stage *stage, struct err *err)
{
    int rc = FAULT_FAILS("csv.stage.written", err);
    if (rc == 0) rc = fs_sync(stage->fd, stage->path, err);
    if (rc == 0) rc = fs_sync_folder(stage->folder, err);
    if (rc == 0) rc = FAULT_FAILS("csv.stage.synced", err);
    return rc == 0 ? 0 : csv_fs_error(err);
}

void csv_stage_release(struct csv_stage *stage)
{
    if (stage->path && stage->fd >= 0) close(stage->fd);
    stage->fd = -1;
}

static int lost(const char *path, const char *what, struct err *err)
{
    err_set(err, ERR_DESTINATION, "cannot publish the rows held in '%s': %s", path, what);
    return err_hint(err, "restore the file, or read the stream again after `sluice state reset`");
}

static const char *segment_path(const struct csv_paths *paths, const struct csv_segment *segment, struct arena *arena)
{
    if (!segment->part) return stage_path(paths, segment->file, arena);
    return arena_printf(arena, "%s/%s/%s", paths->data, paths->stage, segment->part);
}

static int link_part(const struct csv_paths *paths, const struct csv_segment *segment, struct csv_folder *folder,
                     struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct stat status;
    struct csv_part part = {.path = segment_path(paths, segment, &arena),
                            .columns = segment->columns,
                            .rows = segment->rows,
                            .result = {.raw_bytes = segment->raw_bytes, .stored_bytes = segment->bytes},
                            .fd = -1};
    snprintf(part.result.sha256, sizeof(part.result.sha256), "%s", segment->sha256);
    int rc;
    if (stat(part.path, &status) != 0)
        rc = lost(part.path, strerror(errno), err);
    else if ((uint64_t)status.st_size != segment->bytes)
        rc = lost(part.path, "its size is not what was written", err);
    else
        rc = csv_folder_adopt(folder, &part, err);
    arena_release(&arena);
    return rc;
}

static int copy_run(const struct csv_paths *paths, const struct csv_segment *segment, struct csv_folder *folder,
                    struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    const char *path = stage_path(paths, segment->file, &arena);
    char *piece = mem_alloc(COPY_BYTES);
    uint64_t at = 0;
    uint32_t crc = 0;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || lseek(fd, (off_t)segment->offset, SEEK_SET) < 0) {
        rc = lost(path, strerror(errno), err);
        goto out;
    }
    while (at < segment->bytes) {
        uint64_t left = segment->bytes - at;
        ssize_t got = fs_read_some(fd, piece, left < COPY_BYTES ? (size_t)left : COPY_BYTES);
        if (got <= 0) {
            rc = lost(path, got == 0 ? "it is cut" : strerror(errno), err);
            goto out;
        }
        crc = crc32_add(crc, piece, (size_t)got);
        rc = csv_folder_write(folder, segment->columns, (struct str){piece, (size_t)got}, at == 0 ? segment->rows : 0, at == 0,
                              err);
        if (rc != 0) goto out;
        at += (uint64_t)got;
    }
    if (crc != segment->crc) rc = lost(path, "its check sum does not match", err);
out:
    if (fd >= 0) close(fd);
    free(piece);
    arena_release(&arena);
    return rc;
}

int csv_stage_publish(const struct csv_paths *paths, const struct csv_segment *segment, struct csv_folder *folder,
                      struct err *err)
{
    return segment->part ? link_part(paths, segment, folder, err) : copy_run(paths, segment, folder, err);
}

void csv_stage_remove_part(const struct csv_paths *paths, const struct csv_segment *segment)
{
    struct arena arena = ARENA_INIT(0);
    if (segment->part) (void)unlink(segment_path(paths, segment, &arena));
    arena_release(&arena);
}

/* Does a living segment name this file of the stage? Yes for those that are not ours to remove. */
static bool is_named(const char *name, const char *run, const struct csv_segment *segments, size_t count)
{
    char stem[CSV_NUMBER_SIZE];
    uint64_t number;
    struct str text = str_from(name);
    if (str_ends(text, STR(CSV_PART_SUFFIX))) {
        if (strncmp(name, run, strlen(run)) == 0) return true;
        for (size_t i = 0; i < count; i++)
            if (!segments[i].gone && segments[i].part && strcmp(segments[i].part, name) == 0) return true;
        return false;
    }
    if (!str_ends(text, STR(CSV_ROWS_SUFFIX))) return true;
    snprintf(stem, sizeof(stem), "%.*s", (int)(text.size - strlen(CSV_ROWS_SUFFIX)), name);
    if (!csv_number_read(stem, &number)) return true;
    for (size_t i = 0; i < count; i++)
        if (!segments[i].gone && !segments[i].part && segments[i].file == number) return true;
    return false;
}

int csv_stage_sweep(const struct csv_paths *paths, const char *run, const struct csv_segment *segments, size_t count,
                    struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries = NULL;
    size_t entry_count = 0;
    const char *folder = fs_join(&arena, paths->data, paths->stage);
    int rc = 0;
    if (fs_kind(folder) != FS_MISSING) rc = fs_list(folder, CSV_LIST_MAX, &arena, &entries, &entry_count, err);
    for (size_t i = 0; rc == 0 && i < entry_count; i++) {
        FAULT_POINT("csv.stage.remove");
        if (!is_named(entries[i].name, run, segments, count))
            rc = fs_remove_file(fs_join(&arena, folder, entries[i].name), err);
    }
    if (rc != 0) rc = csv_fs_error(err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *path = segment_path(paths, &segments[i], &arena);
        if (!segments[i].gone && fs_kind(path) != FS_FILE) rc = lost(path, "the file is gone", err);
    }
    arena_release(&arena);
    return rc == 0 ? 0 : err->class;
}
