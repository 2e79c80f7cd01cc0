/* fs, folders: see fs.h. Removing walks by descriptors, one openat(O_NOFOLLOW) per level, so that a link put in its way by
 * someone else is an error and never a way out of the root. Names are read a batch at a time, and removed before the next is
 * read. */
#include "os/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "os/fs_internal.h"

enum { DEPTH_MAX = 64, REMOVE_BATCH = 4096 };

/* --- making ----------------------------------------------------------------------------------------------------------- */

/* Creates the one folder `path` whose parent is there; *made tells whether it was missing. */
static int make_folder(const char *path, mode_t mode, bool *made, struct err *err)
{
    *made = mkdir(path, mode) == 0;
    if (*made) return chmod(path, mode) == 0 ? 0 : fs_fail(err, "set the mode of", path);
    if (errno != EEXIST) return fs_fail(err, "create", path);
    if (fs_kind(path) == FS_FOLDER) return 0;
    return err_set(err, ERR_CONFIG, "cannot create the folder '%s': there is something else of that name", path);
}

int fs_make_folders(const char *path, mode_t mode, struct err *err)
{
    if (fs_kind(path) == FS_FOLDER) return 0;
    if (path[0] == '\0') return err_set(err, ERR_CONFIG, "cannot create a folder without a name");
    struct arena arena = ARENA_INIT(0);
    char *part = arena_strdup(&arena, path);
    size_t size = strlen(part);
    while (size > 1 && part[size - 1] == '/') part[--size] = '\0';
    int rc = 0;
    for (size_t i = 1; i <= size && rc == 0; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        char separator = part[i];
        part[i] = '\0';
        bool made = false;
        if (fs_kind(part) != FS_FOLDER) rc = make_folder(part, mode, &made, err);
        if (rc == 0 && made) rc = fs_sync_folder(fs_folder_of(&arena, part), err);
        part[i] = separator;
    }
    arena_release(&arena);
    return rc;
}

int fs_make_temp_folder(struct arena *arena, char **path, struct err *err)
{
    const char *base = getenv("TMPDIR");
    char *template = fs_join(arena, base && base[0] == '/' ? base : "/tmp", "sluice-XXXXXX");
    if (!mkdtemp(template)) return fs_fail(err, "create a temporary folder like", template);
    *path = template;
    return 0;
}

/* --- listing ---------------------------------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct fs_entry *)a)->name, ((const struct fs_entry *)b)->name);
}

static enum fs_kind kind_of_mode(mode_t mode)
{
    return S_ISREG(mode) ? FS_FILE : S_ISDIR(mode) ? FS_FOLDER : S_ISLNK(mode) ? FS_LINK : FS_OTHER;
}

/* Reads at most `max` entries from an open folder, which it takes over; *more tells whether there are others. */
static int list_fd(int fd, const char *path, size_t max, struct arena *arena, struct fs_entry **entries, size_t *count,
                   bool *more, struct err *err)
{
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int failure = fs_fail(err, "list", path);
        close(fd);
        return failure;
    }
    int rc = 0;
    *more = false;
    size_t used = 0, capacity = 64;
    struct fs_entry *found = mem_zero(capacity, sizeof *found);
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry) {
            if (errno) rc = fs_fail(err, "list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        struct stat info;
        if (fstatat(dirfd(stream), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue; /* removed meanwhile */
        *more = used == max;
        if (*more) break;
        if (used == capacity) found = mem_resize(found, (capacity *= 2) * sizeof *found);
        found[used++] = (struct fs_entry){arena_strdup(arena, entry->d_name), kind_of_mode(info.st_mode)};
    }
    closedir(stream);
    if (rc == 0) {
        qsort(found, used, sizeof *found, compare_entries);
        *entries = arena_array(arena, struct fs_entry, used + 1);
        memcpy(*entries, found, used * sizeof *found);
        *count = used;
    }
    free(found);
    return rc;
}

int fs_list(const char *folder, size_t max, struct arena *arena, struct fs_entry **entries, size_t *count, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fs_fail(err, "list", folder);
    bool more;
    int rc = list_fd(fd, folder, max, arena, entries, count, &more, err);
    if (rc == 0 && more) rc = err_set(err, ERR_DATA, "cannot list '%s': it has more than %zu entries", folder, max);
    return rc;
}

/* --- removing --------------------------------------------------------------------------------------------------------- */

static int open_below(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int empty_folder(int fd, dev_t device, const char *path, int depth, struct err *err);

/* Removes one entry of the open folder `fd`, with all below it. */
static int remove_entry(int fd, const struct fs_entry *entry, dev_t device, const char *path, int depth, struct err *err)
{
    bool is_folder = entry->kind == FS_FOLDER;
    if (is_folder) {
        int child = open_below(fd, entry->name);
        struct stat info;
        int rc;
        if (child < 0 || fstat(child, &info) != 0)
            rc = fs_fail(err, "open", path);
        else if (info.st_dev != device)
            rc = err_set(err, ERR_CONFIG, "cannot remove '%s': another file system is mounted there", path);
        else
            rc = empty_folder(child, device, path, depth + 1, err);
        if (child >= 0) close(child);
        if (rc != 0) return rc;
    }
    if (unlinkat(fd, entry->name, is_folder ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT) return 0;
    return fs_fail(err, "remove", path);
}

static int empty_folder(int fd, dev_t device, const char *path, int depth, struct err *err)
{
    if (depth > DEPTH_MAX) return err_set(err, ERR_DATA, "cannot remove '%s': more than %d folders deep", path, DEPTH_MAX);
    struct arena arena = ARENA_INIT(0);
    int rc = 0;
    for (bool more = true; more && rc == 0; arena_clear(&arena)) {
        struct fs_entry *entries = NULL;
        size_t count = 0;
        int reader = open_below(fd, "."); /* a position of its own, at the beginning */
        if (reader < 0)
            rc = fs_fail(err, "list", path);
        else
            rc = list_fd(reader, path, REMOVE_BATCH, &arena, &entries, &count, &more, err);
        for (size_t i = 0; i < count && rc == 0; i++)
            rc = remove_entry(fd, &entries[i], device, fs_join(&arena, path, entries[i].name), depth, err);
    }
    arena_release(&arena);
    return rc;
}

/* Walks from the open folder `fd`, which it takes over, to the folder that holds the last name of `relative`. -1 with errno. */
static int open_parent(int fd, struct str *relative, char name[NAME_MAX + 1])
{
    struct str part;
    while (fd >= 0 && str_next(relative, '/', &part)) {
        memcpy(name, part.data, part.size);
        name[part.size] = '\0';
        if (relative->size == 0) return fd;
        int below = open_below(fd, name);
        int saved_errno = errno;
        close(fd);
        errno = saved_errno;
        fd = below;
    }
    return fd;
}

int fs_remove_tree(const char *root, const char *relative, struct err *err)
{
    struct str rest = str_from(relative), part;
    bool is_plain = rest.size > 0 && relative[rest.size - 1] != '/';
    while (is_plain && str_next(&rest, '/', &part)) is_plain = fs_is_plain_name(part);
    if (!is_plain) return err_set(err, ERR_BUG, "cannot remove '%s' below '%s': not a plain relative path", relative, root);

    struct arena arena = ARENA_INIT(0);
    const char *path = fs_join(&arena, root, relative);
    char name[NAME_MAX + 1];
    int rc = 0;
    rest = str_from(relative);
    int parent = open_parent(open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &rest, name);
    struct stat info;
    if (parent < 0) {
        if (errno != ENOENT) rc = fs_fail(err, "open the folders above", path);
    } else if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) rc = fs_fail(err, "remove", path);
    } else {
        struct fs_entry entry = {name, kind_of_mode(info.st_mode)};
        rc = remove_entry(parent, &entry, info.st_dev, path, 0, err);
    }
    if (parent >= 0) close(parent);
    arena_release(&arena);
    return rc;
}
