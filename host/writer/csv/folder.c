/* folder: see folder.h. Order on the disk: each part is finished and fsynced, then manifest and schema, then the folder, then
 * the stream's folder that names it. Only after that may a commit speak of it. */
#include "writer/csv/folder.h"

#include <errno.h>
#include <unistd.h>

#include "base/fault.h"
#include "os/fs.h"
#include "writer/csv/layout.h"

enum { MANIFEST_MAX = 64 << 20, FILE_MODE = 0640, FOLDER_MODE = 0750 };

struct member {
    const char *name;
    struct csv_part part;
    struct member *next;
};

struct csv_folder {
    struct arena arena;
    struct csv_folder_spec spec;
    const char *hidden; /* ".0000000012" */
    const char *path;
    struct member *members, **members_end; /* in order */
    struct member *open;                   /* the last one, while rows go into it */
    struct member *newest;
    unsigned member_count;
    uint64_t rows;
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
    folder->members_end = &folder->members;
    int rc = fs_make_folders(folder->path, FOLDER_MODE, err);
    if (rc != 0) {
        csv_folder_free(folder, false);
        return csv_fs_error(err);
    }
    *out = folder;
    return 0;
}

static struct member *add_member(struct csv_folder *folder)
{
    struct member *member = arena_new(&folder->arena, struct member);
    member->name = arena_printf(&folder->arena, "part-%05u.csv%s", ++folder->member_count,
                                COMPRESSIONS[folder->spec.format->compression].extension);
    folder->newest = *folder->members_end = member;
    folder->members_end = &member->next;
    return member;
}

static int close_part(struct csv_folder *folder, struct err *err)
{
    struct member *open = folder->open;
    folder->open = NULL;
    return open ? csv_part_finish(&open->part, err) : 0;
}

static int open_part(struct csv_folder *folder, const struct csv_columns *columns, struct err *err)
{
    folder->open = add_member(folder);
    return csv_part_open(&folder->open->part, fs_join(&folder->arena, folder->path, folder->open->name), columns,
                         folder->spec.format->compression, err);
}

int csv_folder_write(struct csv_folder *folder, const struct csv_columns *columns, struct str lines, uint64_t rows,
                     bool at_line, struct err *err)
{
    int rc;
    bool must_close =
        folder->open && at_line && csv_part_is_full(&folder->open->part, columns, folder->spec.format->part_bytes);
    if (must_close && (rc = close_part(folder, err)) != 0) return rc;
    if (!folder->open && (rc = open_part(folder, columns, err)) != 0) return rc;
    folder->rows += rows;
    return csv_part_write(&folder->open->part, lines, rows, err);
}

int csv_folder_adopt(struct csv_folder *folder, const struct csv_part *part, struct err *err)
{
    bool made = false;
    int rc = close_part(folder, err);
    if (rc != 0) return rc;
    struct member *member = add_member(folder);
    member->part = *part;
    member->part.path = fs_join(&folder->arena, folder->path, member->name);
    folder->rows += part->rows;
    rc = fs_link_new(part->path, member->part.path, &made, err);
    if (rc == 0) rc = FAULT_FAILS("csv.part.adopted", err);
    if (rc == 0 && !made) rc = err_set(err, ERR_DESTINATION, "'%s' is there already", member->part.path);
    return rc == 0 ? 0 : csv_fs_error(err);
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

static void write_part(const struct member *member, struct json_writer *json)
{
    const struct csv_part *part = &member->part;
    json_open(json, '{');
    member_text(json, "file", member->name);
    member_text(json, "schema", part->columns->id);
    member_int(json, "rows", part->rows);
    member_int(json, "bytes", part->result.stored_bytes);
    member_int(json, "raw_bytes", part->result.raw_bytes);
    member_text(json, "sha256", part->result.sha256);
    json_close(json, '}');
}

static void write_ranges(const struct csv_folder_spec *spec, struct json_writer *json)
{
    bool is_open = false;
    for (size_t i = 0; i < spec->slice_count; i++) {
        if (!load_slice_replaces(&spec->slices[i])) continue;
        if (!is_open) json_member(json, "replace_range"), json_open(json, '[');
        is_open = true;
        json_open(json, '{');
        member_text(json, "from", spec->slices[i].replace_from);
        member_text(json, "to", spec->slices[i].replace_to);
        json_close(json, '}');
    }
    if (is_open) json_close(json, ']');
}

static void write_manifest(const struct csv_folder *folder, struct buf *out)
{
    const struct csv_folder_spec *spec = &folder->spec;
    const struct csv_columns *newest = folder->newest ? folder->newest->part.columns : NULL;
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
    if (spec->keeps_first) member_text(&json, "on_conflict", "nothing");
    if (spec->set_count) {
        json_member(&json, "replace");
        json_open(&json, '[');
        for (size_t i = 0; i < spec->set_count; i++) json_cstr(&json, spec->set[i]);
        json_close(&json, ']');
    }
    write_ranges(spec, &json);
    member_text(&json, "format", "csv");
    member_text(&json, "compression", COMPRESSIONS[spec->format->compression].name);
    member_text(&json, "null", spec->format->null_token == CSV_NULL_EMPTY ? "" : "\\N");
    json_member(&json, "parts");
    json_open(&json, '[');
    for (const struct member *member = folder->members; member; member = member->next) write_part(member, &json);
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
    for (const struct member *member = folder->members; member; member = member->next) {
        const struct member *earlier = folder->members;
        while (earlier != member && strcmp(earlier->part.columns->id, member->part.columns->id) != 0) earlier = earlier->next;
        if (earlier == member) csv_columns_write(member->part.columns, false, true, &json);
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
    if (rc == 0) rc = FAULT_FAILS("csv.schema.written", err);
    if (rc == 0) rc = write_document(folder, "manifest.json", write_manifest, err);
    if (rc == 0) rc = FAULT_FAILS("csv.manifest.written", err);
    if (rc == 0) rc = fs_sync_folder(folder->path, err);
    if (rc == 0) rc = fs_sync_folder(folder->spec.stream_folder, err);
    if (rc == 0) rc = FAULT_FAILS("csv.folder.synced", err);
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
    if (folder->open) csv_part_release(&folder->open->part);
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
    FAULT_POINT("csv.publish.before");
    if (rename(hidden, visible) == 0)
        rc = fs_sync_folder(stream_folder, err) == 0 ? 0 : csv_fs_error(err);
    else if (errno == ENOENT)
        rc = 0; /* published before, perhaps taken by its consumer since */
    else
        rc = err_set(err, ERR_DESTINATION, "could not rename '%s' to '%s': %s", hidden, visible, strerror(errno));
    if (rc == 0) rc = FAULT_FAILS("csv.publish.after", err);
    arena_release(&arena);
    return rc;
}
