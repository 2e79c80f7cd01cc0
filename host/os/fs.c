/* fs: files; see fs.h. Folders are fs_folder.c, who may touch what is fs_trust.c. */
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "os/crypto.h"
#include "os/fs_internal.h"

/* What an errno means here; those not listed are a path's fault (CONFIG) that no remedy fits. `may_heal`: "could not", else
 * "cannot". */
static const struct {
    int code;
    int class;
    bool may_heal;
    const char *hint;
} REASONS[] = {
    {ENOTDIR, ERR_CONFIG, false, "a part of the path is a file, not a folder"},
    {EACCES, ERR_CONFIG, false, "grant this user access to it, or choose another path"},
    {EPERM, ERR_CONFIG, false, "grant this user access to it, or choose another path"},
    {ELOOP, ERR_CONFIG, false, "symbolic links are not followed here; name the real path"},
    {ENOSPC, ERR_DESTINATION, true, "free some space on this disk and run again"},
    {EDQUOT, ERR_DESTINATION, true, "this user's disk quota is used up; free some space and run again"},
    {EROFS, ERR_DESTINATION, false, "the file system is read-only; choose another path"},
    {EIO, ERR_DESTINATION, true, "the disk reports an error; check it before running again"},
    {EFBIG, ERR_DESTINATION, false, "the file system or `ulimit -f` forbids files of this size"},
    {EMFILE, ERR_TRANSIENT, true, "raise the limit on open files (ulimit -n)"},
    {ENFILE, ERR_TRANSIENT, true, "the machine is out of file descriptors; run again later"},
};

int fs_fail(struct err *err, const char *verb, const char *path)
{
    int code = errno;
    for (size_t i = 0; i < ARRAY_SIZE(REASONS); i++) {
        if (REASONS[i].code != code) continue;
        err_set(err, REASONS[i].class, "%s %s '%s': %s", REASONS[i].may_heal ? "could not" : "cannot", verb, path,
                strerrordesc_np(code));
        return err_hint(err, "%s", REASONS[i].hint);
    }
    const char *text = strerrordesc_np(code);
    return err_set(err, ERR_CONFIG, "cannot %s '%s': %s", verb, path, text ? text : "unknown error");
}

/* --- paths ------------------------------------------------------------------------------------------------------------ */

char *fs_join(struct arena *arena, const char *folder, const char *name)
{
    if (name[0] == '/' || folder[0] == '\0') return arena_strdup(arena, name[0] ? name : ".");
    if (name[0] == '\0') return arena_strdup(arena, folder);
    bool has_slash = folder[strlen(folder) - 1] == '/';
    return arena_printf(arena, "%s%s%s", folder, has_slash ? "" : "/", name);
}

struct str fs_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return str_from(slash ? slash + 1 : path);
}

char *fs_folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return arena_strdup(arena, ".");
    if (slash == path) return arena_strdup(arena, "/");
    return arena_text(arena, (struct str){path, (size_t)(slash - path)});
}

bool fs_is_plain_name(struct str name)
{
    return name.size > 0 && name.size <= NAME_MAX && !memchr(name.data, '/', name.size) &&
           !memchr(name.data, '\0', name.size) && !str_equal(name, STR(".")) && !str_equal(name, STR(".."));
}

enum fs_kind fs_kind(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return FS_MISSING;
    return S_ISREG(info.st_mode) ? FS_FILE : S_ISDIR(info.st_mode) ? FS_FOLDER : FS_OTHER;
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

ssize_t fs_read_some(int fd, void *data, size_t size)
{
    for (;;) {
        ssize_t got = read(fd, data, size);
        if (got >= 0 || errno != EINTR) return got;
    }
}

int fs_read_fd(int fd, const char *path, size_t max, struct buf *out, struct err *err)
{
    size_t limit = max < out->max - out->size ? max : out->max - out->size;
    size_t total = 0;
    char piece[16 * 1024];
    for (;;) {
        ssize_t got = fs_read_some(fd, piece, sizeof piece);
        if (got < 0) return fs_fail(err, "read", path);
        if (got == 0) return 0;
        if ((size_t)got > limit - total) {
            err_set(err, ERR_DATA, "cannot read '%s': it has more than %zu bytes", path, limit);
            return err_hint(err, "check that this is the file that was meant");
        }
        buf_append(out, piece, (size_t)got);
        total += (size_t)got;
    }
}

int fs_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    /* O_NONBLOCK: opening a fifo must not wait for its writer; on a regular file it means nothing. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return fs_fail(err, "open", path);
    struct stat info;
    int rc;
    if (fstat(fd, &info) != 0) {
        rc = fs_fail(err, "read", path);
    } else if (!S_ISREG(info.st_mode)) {
        rc = err_set(err, ERR_CONFIG, "cannot read '%s': it is %s, not a file", path,
                     S_ISDIR(info.st_mode) ? "a folder" : "a device, pipe or socket");
    } else {
        rc = fs_read_fd(fd, path, max, out, err);
    }
    close(fd);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

int fs_write_all(int fd, const void *data, size_t size, const char *path, struct err *err)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written >= 0) {
            at += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            if (poll(&room, 1, -1) < 0 && errno != EINTR) return fs_fail(err, "write", path);
        } else if (errno != EINTR) {
            return fs_fail(err, "write", path);
        }
    }
    return 0;
}

int fs_create(const char *path, mode_t mode, int *fd, struct err *err)
{
    int made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (made < 0) return fs_fail(err, "create", path);
    if (fchmod(made, mode) != 0) { /* the umask took bits away */
        int rc = fs_fail(err, "set the mode of", path);
        close(made);
        unlink(path);
        return rc;
    }
    *fd = made;
    return 0;
}

int fs_sync(int fd, const char *path, struct err *err)
{
    return fsync(fd) == 0 ? 0 : fs_fail(err, "write through to disk", path);
}

int fs_sync_folder(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fs_fail(err, "open", folder);
    int rc = fs_sync(fd, folder, err);
    close(fd);
    return rc;
}

static int write_and_close(int fd, const char *path, struct str content, struct err *err)
{
    int rc = fs_write_all(fd, content.data, content.size, path, err);
    if (rc == 0) rc = fs_sync(fd, path, err);
    if (close(fd) != 0 && rc == 0) rc = fs_fail(err, "close", path);
    return rc;
}

int fs_write_file(const char *path, mode_t mode, struct str content, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    unsigned char random[6];
    char suffix[2 * sizeof random + 1];
    crypto_random(random, sizeof random);
    crypto_hex_text(random, sizeof random, suffix);
    char *folder = fs_folder_of(&arena, path);
    struct str name = fs_base_name(path);
    char *temporary = fs_join(&arena, folder, arena_printf(&arena, "." STR_FMT ".%s.tmp", STR_ARG(name), suffix));

    int fd = -1;
    int rc = fs_create(temporary, mode, &fd, err);
    if (rc == 0) {
        rc = write_and_close(fd, temporary, content, err);
        if (rc == 0) rc = fs_rename(temporary, path, err);
        if (rc == 0)
            rc = fs_sync_folder(folder, err);
        else
            unlink(temporary);
    }
    arena_release(&arena);
    return rc;
}

int fs_rename(const char *from, const char *to, struct err *err)
{
    if (rename(from, to) == 0) return 0;
    int code = errno;
    struct arena arena = ARENA_INIT(0);
    const char *both = arena_printf(&arena, "%s' to '%s", from, to);
    errno = code;
    int rc = fs_fail(err, "rename", both);
    arena_release(&arena);
    return rc;
}

int fs_remove_file(const char *path, struct err *err)
{
    return unlink(path) == 0 || errno == ENOENT ? 0 : fs_fail(err, "remove", path);
}

int fs_link_new(const char *from, const char *to, bool *made, struct err *err)
{
    *made = link(from, to) == 0;
    return *made || errno == EEXIST ? 0 : fs_fail(err, "create", to);
}

int fs_try_lock(const char *path, int *fd, struct err *err)
{
    *fd = -1;
    int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (opened < 0) return fs_fail(err, "open", path);
    for (;;) {
        if (flock(opened, LOCK_EX | LOCK_NB) == 0) {
            *fd = opened;
            return 0;
        }
        if (errno != EINTR) break;
    }
    int rc = errno == EWOULDBLOCK ? 0 : fs_fail(err, "lock", path);
    close(opened);
    return rc;
}
