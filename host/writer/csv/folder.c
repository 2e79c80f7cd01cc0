/* folder: see folder.h. Order on the disk: each part is finished and fsynced, then manifest and schema, then the folder, then
 * the stream's folder that names it. Only after that may a commit speak of it. While a part grows the disk is asked to begin
 * with what is there, every few megabytes: else the fsync at its end would find all of it undone. */
#include "writer/csv/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/fs.h"
#include "writer/csv/layout.h"

enum { MANIFEST_MAX = 64 << 20, FILE_MODE = 0640, FOLDER_MODE = 0750, BEGIN_WRITING_BYTES = 4 << 20 };

struct part {
    const char *name;
    const struct csv_columns *columns;
    uint64_t rows;
    struct compressor_result result;
    struct part *next;
};

struct csv_folder {
    struct arena arena;
    struct csv_folder_spec spec;
    const char *hidden; /* ".0000000012" */
    const char *path;
    struct part *parts, **parts_end, *part; /* in order; the open one */
    unsigned part_count;
    uint64_t rows;
    int fd;
    struct compressor *compressor;
    uint64_t begun_bytes; /* of the open part: the disk was asked to write them */
    bool finished;
};

int csv_folder_begin(const struct csv_folder_spec *spec, struct csv_folder **out, struct err *err)
{
    char number[CSV_NUMBER_SIZE];
    struct csv_folder *folder = mem_zero(1, sizeof(*folder));
    folder->spec = *spec;
    folder->spec.stream_folder = arena_strdup(&folder->arena, spec->stream_folder);
    folder->hidden = arena_printf(&folder->arena, ".%s", csv_number_text(spec->load_id, number));
    folder->path = fs_join(&folder->arena, spec->stream_folder, folder->hidden);
    folder->parts_end = &folder->parts;
    folder->fd = -1;
    int rc = fs_make_folders(folder->path, FOLDER_MODE, err);
    if (rc != 0) {
        csv_folder_free(folder, false);
        return csv_fs_error(err);
    }
    *out = folder;
    return 0;
}

static int close_part(struct csv_folder *folder, struct err *err)
{
    if (folder->fd < 0) return 0;
    const char *path = fs_join(&folder->arena, folder->path, folder->part->name);
    int rc = compressor_finish(folder->compressor, &folder->part->result, err);
    if (rc == 0) rc = fs_sync(folder->fd, path, err);
    compressor_free(folder->compressor);
    folder->compressor = NULL;
    if (close(folder->fd) != 0 && rc == 0)
        rc = err_set(err, ERR_DESTINATION, "could not close '%s': %s", path, strerror(errno));
    folder->fd = -1;
    return rc == 0 ? 0 : csv_fs_error(err);
}

static int open_part(struct csv_folder *folder, const struct csv_columns *columns, struct err *err)
{
    const struct csv_format *format = folder->spec.format;
    struct part *part = arena_new(&folder->arena, struct part);
    part->name =
        arena_printf(&folder->arena, "part-%05u.csv%s", ++folder->part_count, COMPRESSIONS[format->compression].extension);
    part->columns = columns;
    const char *path = fs_join(&folder->arena, folder->path, part->name);
    int rc = fs_create(path, FILE_MODE, &folder->fd, err);
    if (rc != 0) {
        folder->fd = -1;
        return csv_fs_error(err);
    }
    folder->begun_bytes = 0;
    folder->part = *folder->parts_end = part;
    folder->parts_end = &part->next;
    const struct compressor_options options = {.fd = folder->fd, .path = path, .compression = format->compression};
    rc = compressor_new(&options, &folder->compressor, err);
    if (rc != 0) return csv_fs_error(err);
    struct str header = csv_columns_header(columns, &folder->arena);
    rc = compressor_write(folder->compressor, header.data, header.size, err);
    return rc == 0 ? 0 : csv_fs_error(err);
}

int csv_folder_write(struct csv_folder *folder, const struct csv_columns *columns, struct str lines, uint64_t rows,
                     bool at_line, struct err *err)
{
    int rc;
    bool must_close = folder->fd >= 0 && at_line &&
                      (strcmp(folder->part->columns->id, columns->id) != 0 ||
                       compressor_bytes(folder->compressor) >= folder->spec.format->part_bytes);
    if (must_close && (rc = close_part(folder, err)) != 0) return rc;
    if (folder->fd < 0 && (rc = open_part(folder, columns, err)) != 0) return rc;
    folder->part->rows += rows;
    folder->rows += rows;
    if (compressor_write(folder->compressor, lines.data, lines.size, err) != 0) return csv_fs_error(err);
    if (compressor_bytes(folder->compressor) - folder->begun_bytes >= BEGIN_WRITING_BYTES) {
        folder->begun_bytes = compressor_bytes(folder->compressor);
        /* A wish: what goes wrong on the disk is told by the fsync, which alone promises anything. */
        (void)sync_file_range(folder->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    return 0;
}

static void member_text(struct json_writer *json, const char *name, const char *value)
{
    json_member(json, name);
    json_cstr(json, value);
}

static void member_int(struct json_writer *json, const char *name, uint64_t value)
{
    json_member(json, name);
    json_int(json, (int64_t)value);
}

static void write_part(const struct part *part, struct json_writer *json)
{
    json_open(json, '{');
    member_text(json, "file", part->name);
    member_text(json, "schema", part->columns->id);
    member_int(json, "rows", part->rows);
    member_int(json, "bytes", part->result.stored_bytes);
    member_int(json, "raw_bytes", part->result.raw_bytes);
    member_text(json, "sha256", part->result.sha256);
    json_close(json, '}');
}

static void write_manifest(const struct csv_folder *folder, struct buf *out)
{
    const struct csv_folder_spec *spec = &folder->spec;
    const struct csv_columns *newest = folder->part ? folder->part->columns : NULL;
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '{');
    member_int(&json, "version", 1);
    member_text(&json, "load_id", folder->hidden + 1);
    member_text(&json, "pipeline", spec->pipeline);
    member_text(&json, "stream", spec->stream);
    member_text(&json, "connector", spec->connector);
    member_text(&json, "table", spec->table);
    member_text(&json, "mode", write_mode_name(spec->mode));
    json_member(&json, "primary_key");
    json_open(&json, '[');
    for (uint32_t i = 0; newest && i < newest->count; i++)
        if (newest->keys[i]) json_cstr(&json, newest->names[i]);
    json_close(&json, ']');
    member_text(&json, "cursor", spec->cursor);
    member_text(&json, "format", "csv");
    member_text(&json, "compression", COMPRESSIONS[spec->format->compression].name);
    member_text(&json, "null", spec->format->null_token == CSV_NULL_EMPTY ? "" : "\\N");
    json_member(&json, "parts");
    json_open(&json, '[');
    for (const struct part *part = folder->parts; part; part = part->next) write_part(part, &json);
    json_close(&json, ']');
    member_int(&json, "rows", folder->rows);
    json_close(&json, '}');
    buf_append_char(out, '\n');
}

/* Each schema once, in the order of its first part. */
static void write_schemas(const struct csv_folder *folder, struct buf *out)
{
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '{');
    member_int(&json, "version", 1);
    member_text(&json, "stream", folder->spec.stream);
    json_member(&json, "schemas");
    json_open(&json, '[');
    for (const struct part *part = folder->parts; part; part = part->next) {
        const struct part *earlier = folder->parts;
        while (earlier != part && strcmp(earlier->columns->id, part->columns->id) != 0) earlier = earlier->next;
        if (earlier == part) csv_columns_write(part->columns, false, true, &json);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    buf_append_char(out, '\n');
}

static int write_document(struct csv_folder *folder, const char *name, void (*write)(const struct csv_folder *, struct buf *),
                          struct err *err)
{
    const char *path = fs_join(&folder->arena, folder->path, name);
    struct buf text = BUF_INIT(MANIFEST_MAX);
    int fd = -1;
    write(folder, &text);
    int rc = text.failed ? err_set(err, ERR_DESTINATION, "'%s' would be over %d bytes", path, MANIFEST_MAX) : 0;
    if (rc == 0) rc = fs_create(path, FILE_MODE, &fd, err);
    if (rc == 0) rc = fs_write_all(fd, text.data, text.size, path, err);
    if (rc == 0) rc = fs_sync(fd, path, err);
    if (fd >= 0) close(fd);
    buf_release(&text);
    return rc;
}

int csv_folder_finish(struct csv_folder *folder, struct err *err)
{
    int rc = close_part(folder, err);
    if (rc == 0) rc = write_document(folder, "schema.json", write_schemas, err);
    if (rc == 0) rc = write_document(folder, "manifest.json", write_manifest, err);
    if (rc == 0) rc = fs_sync_folder(folder->path, err);
    if (rc == 0) rc = fs_sync_folder(folder->spec.stream_folder, err);
    folder->finished = rc == 0;
    return rc == 0 ? 0 : csv_fs_error(err);
}

uint64_t csv_folder_rows(const struct csv_folder *folder)
{
    return folder->rows;
}

void csv_folder_free(struct csv_folder *folder, bool keep)
{
    if (!folder) return;
    compressor_free(folder->compressor);
    if (folder->fd >= 0) close(folder->fd);
    if (!folder->finished || !keep) {
        /* Best effort: what stays is removed at the next start, since no commit names it. */
        struct err ignored = ERR_INIT;
        if (fs_remove_tree(folder->spec.stream_folder, folder->hidden, &ignored) != 0) ignored.class = 0;
    }
    arena_release(&folder->arena);
    free(folder);
}

int csv_folder_publish(const char *stream_folder, uint64_t load_id, struct err *err)
{
    char number[CSV_NUMBER_SIZE];
    struct arena arena = ARENA_INIT(0);
    csv_number_text(load_id, number);
    const char *visible = fs_join(&arena, stream_folder, number);
    const char *hidden = arena_printf(&arena, "%s/.%s", stream_folder, number);
    int rc = 0;
    if (rename(hidden, visible) == 0)
        rc = fs_sync_folder(stream_folder, err);
    else if (errno == ENOENT)
        rc = 0; /* published before, perhaps taken by its consumer since */
    else
        rc = err_set(err, ERR_DESTINATION, "could not rename '%s' to '%s': %s", hidden, visible, strerror(errno));
    arena_release(&arena);
    return rc;
}
