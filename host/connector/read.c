/* read: a connector's .lua files into memory, for the worker's first frame. The folder's own files only: a symbolic link counts
 * when what it leads to lies in the folder, and hidden names are passed over. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "connector/connector.h"
#include "os/crypto.h"
#include "os/fs.h"

enum { MAX_DEPTH = 8, MAX_ENTRIES = 10000, FINGERPRINT_SIZE = 16 };

struct reading {
    const char *root; /* resolved */
    struct arena *arena;
    struct connector_file files[CONNECTOR_MAX_FILES];
    size_t count;
    size_t bytes;
};

/* Does `path`, all links followed, lie below `root`? */
static bool is_inside(const char *root, const char *path)
{
    char *real = realpath(path, NULL);
    size_t size = strlen(root);
    bool inside = real && strncmp(real, root, size) == 0 && real[size] == '/';
    free(real);
    return inside;
}

static int read_one(struct reading *reading, const char *path, const char *name, struct err *err)
{
    if (reading->count == CONNECTOR_MAX_FILES)
        return err_set(err, ERR_CONNECTOR, "more than %d .lua files", CONNECTOR_MAX_FILES);
    struct buf text = BUF_INIT(CONNECTOR_MAX_FILE_BYTES);
    int rc = fs_read_file(path, CONNECTOR_MAX_FILE_BYTES, &text, err);
    reading->bytes += text.size;
    if (rc == ERR_DATA) {
        err_set(err, ERR_CONNECTOR, "'%s' has more than %d MiB", name, CONNECTOR_MAX_FILE_BYTES >> 20);
        rc = err_hint(err, "a connector is a description and a few functions; data does not belong into it");
    }
    if (rc == 0 && reading->bytes > CONNECTOR_MAX_BYTES)
        rc = err_set(err, ERR_CONNECTOR, "its .lua files are more than %d MiB", CONNECTOR_MAX_BYTES >> 20);
    if (rc == 0)
        reading->files[reading->count++] =
            (struct connector_file){str_from(arena_strdup(reading->arena, name)), arena_copy(reading->arena, buf_str(&text))};
    buf_release(&text);
    return rc;
}

/* Reads the .lua files of `folder`, which is `prefix` ("lib/") from the root, and of those below. */
static int read_folder(struct reading *reading, const char *folder, const char *prefix, int depth, struct err *err)
{
    struct fs_entry *entries;
    size_t count;
    int rc = fs_list(folder, MAX_ENTRIES, reading->arena, &entries, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const char *path = fs_join(reading->arena, folder, entries[i].name);
        const char *name = arena_printf(reading->arena, "%s%s", prefix, entries[i].name);
        bool is_lua = str_ends(str_from(name), STR(".lua"));
        enum fs_kind kind = fs_kind(path);
        if (entries[i].name[0] == '.') continue;
        if (kind == FS_FOLDER && entries[i].kind == FS_FOLDER) {
            if (depth == MAX_DEPTH)
                rc = err_set(err, ERR_CONNECTOR, "folders nested deeper than %d", MAX_DEPTH);
            else
                rc = read_folder(reading, path, arena_printf(reading->arena, "%s/", name), depth + 1, err);
        } else if (is_lua && !is_inside(reading->root, path)) {
            err_set(err, ERR_CONFIG, "cannot read '%s': it leads out of the connector's folder", name);
            rc = err_hint(err, "copy the file into the folder");
        } else if (is_lua && kind == FS_FILE) {
            rc = read_one(reading, path, name, err);
        }
    }
    return rc;
}

/* The file that is run comes first. */
static void move_entry_first(struct reading *reading)
{
    for (size_t i = 1; i < reading->count; i++) {
        struct connector_file file = reading->files[i];
        if (!str_equal(file.name, STR("init.lua"))) continue;
        memmove(&reading->files[1], &reading->files[0], i * sizeof file);
        reading->files[0] = file;
        return;
    }
}

/* The bytes that were checked are the ones that run: a worker gets them, not the file's name. */
static int read_object(const struct connector *connector, struct arena *arena, struct connector_sources *out, struct err *err)
{
    struct buf bytes = BUF_INIT(CONNECTOR_MAX_OBJECT_BYTES);
    int fd;
    int rc = fs_open_trusted(connector->path, &fd, err);
    if (rc) return rc;
    rc = fs_read_fd(fd, connector->path, CONNECTOR_MAX_OBJECT_BYTES, &bytes, err);
    close(fd);
    struct connector_file *file = arena_new(arena, struct connector_file);
    file->name = arena_copy(arena, fs_base_name(connector->path));
    if (rc == 0) file->bytes = arena_copy(arena, buf_str(&bytes));
    buf_release(&bytes);
    *out = (struct connector_sources){.name = connector->name, .files = file, .count = 1, .is_native = true};
    return rc;
}

int connector_read(const struct connector *connector, struct arena *arena, struct connector_sources *out, struct err *err)
{
    struct reading reading = {.arena = arena};
    int rc = 0;
    if (connector->is_native) {
        rc = read_object(connector, arena, out, err);
        return rc ? err_context(err, "connector '%s'", connector->name) : 0;
    }
    char *root = realpath(connector->path, NULL);
    reading.root = root ? root : connector->path;
    if (connector->is_folder)
        rc = read_folder(&reading, reading.root, "", 0, err);
    else
        rc = read_one(&reading, connector->path, arena_text(arena, fs_base_name(connector->path)), err);
    free(root);
    if (rc != 0) return err_context(err, "connector '%s'", connector->name);
    move_entry_first(&reading);
    struct connector_file *files = arena_array(arena, struct connector_file, reading.count + 1);
    memcpy(files, reading.files, reading.count * sizeof *files);
    *out = (struct connector_sources){.name = connector->name, .files = files, .count = reading.count};
    return 0;
}

const char *connector_fingerprint(const struct connector_sources *sources, struct arena *arena)
{
    struct digest *digest = digest_new();
    unsigned char bytes[SHA256_SIZE];
    struct buf hex = BUF_INIT(2 * FINGERPRINT_SIZE);
    for (size_t i = 0; i < sources->count; i++) {
        const struct str parts[] = {sources->files[i].name, sources->files[i].bytes};
        for (size_t j = 0; j < ARRAY_SIZE(parts); j++) {
            uint64_t size = parts[j].size; /* so that no two lists of files run into the same bytes */
            digest_add(digest, &size, sizeof size);
            digest_add(digest, parts[j].data, parts[j].size);
        }
    }
    digest_end(digest, bytes);
    digest_free(digest);
    crypto_hex((struct str){(const char *)bytes, FINGERPRINT_SIZE}, &hex);
    const char *text = arena_text(arena, buf_str(&hex));
    buf_release(&hex);
    return text;
}
