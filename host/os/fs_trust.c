/* fs, who may touch what: see fs.h. The rules of sshd and sudo: a file is as safe as the least safe folder on its way. */
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "os/fs_internal.h"

static bool is_ours(const struct stat *info)
{
    return info->st_uid == 0 || info->st_uid == geteuid();
}

int fs_check_private(const char *path, struct err *err)
{
    struct stat info;
    if (stat(path, &info) != 0) return fs_fail(err, "open", path);
    if (!is_ours(&info)) {
        err_set(err, ERR_CONFIG, "cannot use '%s': it belongs to another user (uid %u)", path, (unsigned)info.st_uid);
        return err_hint(err, "make it your own: chown %u '%s'", (unsigned)geteuid(), path);
    }
    if (info.st_mode & (S_IRWXG | S_IRWXO)) {
        err_set(err, ERR_CONFIG, "cannot use '%s': group or others may access it (mode %04o)", path, info.st_mode & 07777u);
        return err_hint(err, "chmod %s '%s'", S_ISDIR(info.st_mode) ? "700" : "600", path);
    }
    return 0;
}

/* One file or folder of a trusted path. */
static int check_unwritable(const struct stat *info, const char *path, struct err *err)
{
    if (!is_ours(info)) {
        err_set(err, ERR_CONFIG, "cannot trust '%s': it belongs to another user (uid %u)", path, (unsigned)info->st_uid);
        return err_hint(err, "it must belong to root or to the user who runs sluice");
    }
    bool is_open = (info->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    bool is_sticky = S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX) && info->st_uid == 0;
    if (!is_open || is_sticky) return 0;
    err_set(err, ERR_CONFIG, "cannot trust '%s': group or others may write to it (mode %04o)", path, info->st_mode & 07777u);
    return err_hint(err, "chmod go-w '%s'", path);
}

static int check_folders_above(char *path, struct err *err)
{
    for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
        slash[slash == path ? 1 : 0] = '\0';
        struct stat info;
        if (lstat(path, &info) != 0) return fs_fail(err, "open", path);
        int rc = check_unwritable(&info, path, err);
        if (rc != 0 || slash == path) return rc;
    }
    return 0;
}

int fs_open_trusted(const char *path, int *fd, struct err *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real)) return fs_fail(err, "open", path);
    int opened = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return fs_fail(err, "open", path);
    struct stat info;
    int rc;
    if (fstat(opened, &info) != 0)
        rc = fs_fail(err, "open", path);
    else if (!S_ISREG(info.st_mode))
        rc = err_set(err, ERR_CONFIG, "cannot open '%s': it is not a file", path);
    else
        rc = check_unwritable(&info, real, err);
    if (rc == 0) rc = check_folders_above(real, err);
    if (rc != 0) {
        close(opened);
        return rc;
    }
    *fd = opened;
    return 0;
}

int fs_state_folder(const char *given, struct arena *arena, char **path, struct err *err)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *folder = NULL;
    if (given)
        folder = arena_strdup(arena, given);
    else if (geteuid() == 0)
        folder = arena_strdup(arena, "/var/lib/sluice");
    else if (xdg && xdg[0] == '/')
        folder = fs_join(arena, xdg, "sluice"); /* a relative one is invalid and ignored, says XDG */
    else if (home && home[0] == '/')
        folder = fs_join(arena, home, ".local/state/sluice");
    if (!folder || !folder[0]) {
        err_set(err, ERR_CONFIG, "cannot tell where to keep state: neither XDG_STATE_HOME nor HOME is an absolute path");
        return err_hint(err, "pass --state-dir DIR, or set HOME");
    }
    int rc = fs_make_folders(folder, 0700, err);
    if (rc == 0) rc = fs_check_private(folder, err);
    if (rc != 0) return err_context(err, "state directory");
    *path = folder;
    return 0;
}
