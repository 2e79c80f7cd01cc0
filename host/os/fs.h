/* fs: files and folders, with the errors spelled out: every failing call names the path and the system's reason.
 *
 * Writing is for power cuts as well as crashes: a file appears whole or not at all, and what was reported durable is. A failed
 * fsync is final: the caller gives up, it never tries that descriptor again.
 * Error classes: CONFIG for a path that is missing, of the wrong kind or not permitted; DESTINATION when the disk is at fault
 * (full, read-only, I/O); DATA when a cap was passed; TRANSIENT when the process is out of descriptors. Nothing here follows
 * the working directory or the umask for what it protects: modes are set as asked. Thread-safe.
 *
 *     struct buf text = BUF_INIT(1 << 20);
 *     if ((rc = fs_read_file(path, 1 << 20, &text, &err)) != 0) ...     // "cannot open 'x.yaml': No such file or directory" */
#ifndef SLUICE_OS_FS_H
#define SLUICE_OS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* --- paths ------------------------------------------------------------------------------------------------------------ */

char *fs_join(struct arena *arena, const char *folder, const char *name); /* an absolute `name` stands alone; "" is "." */
struct str fs_base_name(const char *path);                                /* behind the last slash */
char *fs_folder_of(struct arena *arena, const char *path);                /* before the last slash; "." when there is none */
/* May `name` become one component of a path: not empty, not "." or "..", no slash, no NUL, at most 255 bytes? */
bool fs_is_plain_name(struct str name);

enum fs_kind { FS_MISSING, FS_FILE, FS_FOLDER, FS_LINK, FS_OTHER };
enum fs_kind fs_kind(const char *path); /* follows links, so never FS_LINK; what cannot be looked at is FS_MISSING */

/* --- reading ---------------------------------------------------------------------------------------------------------- */

/* Appends the content of a regular file to `out`; ERR_DATA when it has more than `max` bytes or `out` cannot hold them. */
int fs_read_file(const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;
/* The same from an open descriptor up to its end, of any kind; `path` is for messages. */
int fs_read_fd(int fd, const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;
/* read() that goes on after a signal. Bytes, 0 at the end, -1 with errno. */
ssize_t fs_read_some(int fd, void *data, size_t size) MUST_USE;

/* --- writing ---------------------------------------------------------------------------------------------------------- */

/* write() until all is written: goes on after signals and short writes, waits where the descriptor would block. */
int fs_write_all(int fd, const void *data, size_t size, const char *path, struct err *err) MUST_USE;
/* Creates a file that must not exist, not even as a link; `*fd` is open for writing, close-on-exec. */
int fs_create(const char *path, mode_t mode, int *fd, struct err *err) MUST_USE;
/* Replaces or creates `path` in one step: temporary file beside it, fsync, rename, fsync of the folder. On failure the old file
 * stands and the temporary one is gone (after a crash a ".NAME.XXXXXX.tmp" may stay). */
int fs_write_file(const char *path, mode_t mode, struct str content, struct err *err) MUST_USE;
int fs_sync(int fd, const char *path, struct err *err) MUST_USE;  /* fsync */
int fs_sync_folder(const char *folder, struct err *err) MUST_USE; /* makes names created, renamed, removed in it durable */
int fs_rename(const char *from, const char *to, struct err *err) MUST_USE;
int fs_remove_file(const char *path, struct err *err) MUST_USE; /* fine when it is not there */
/* Gives the file `from` the further name `to`, which must not exist: of many who try, one wins. `*made` tells whether we did.
 */
int fs_link_new(const char *from, const char *to, bool *made, struct err *err) MUST_USE;
/* An exclusive lock between processes and threads on the file `path` (created with mode 0600): flock, so it ends with the
 * descriptor. `*fd` is -1 when another holds it; close(*fd) unlocks. */
int fs_try_lock(const char *path, int *fd, struct err *err) MUST_USE;

/* --- folders ---------------------------------------------------------------------------------------------------------- */

/* Creates the folder and those above it, the new ones with `mode`; fine when it is there. New names are made durable. */
int fs_make_folders(const char *path, mode_t mode, struct err *err) MUST_USE;

struct fs_entry {
    const char *name;
    enum fs_kind kind; /* of the entry itself: a link is FS_LINK */
};
/* The entries of a folder sorted by byte order, without "." and ".."; ERR_DATA when there are more than `max`. */
int fs_list(const char *folder, size_t max, struct arena *arena, struct fs_entry **entries, size_t *count,
            struct err *err) MUST_USE;

/* Removes `root`/`relative` and all below it. `relative` has plain names only; no symbolic link is followed, neither on the way
 * nor below, so nothing outside `root` is ever touched. Fine when it is not there; other file systems mounted below are
 * refused. */
int fs_remove_tree(const char *root, const char *relative, struct err *err) MUST_USE;

/* A fresh folder "sluice-XXXXXX" with mode 0700 in $TMPDIR or /tmp. */
int fs_make_temp_folder(struct arena *arena, char **path, struct err *err) MUST_USE;

/* The state directory: `given` (--state-dir) or, when NULL, /var/lib/sluice for root, else $XDG_STATE_HOME/sluice, else
 * $HOME/.local/state/sluice. Created with mode 0700 if missing; CONFIG when it belongs to another user or others may enter it.
 */
int fs_state_folder(const char *given, struct arena *arena, char **path, struct err *err) MUST_USE;

/* --- who may touch it ------------------------------------------------------------------------------------------------- */

/* CONFIG unless `path` is ours (or root's) and closed to group and others: for files with secrets, as ssh does. */
int fs_check_private(const char *path, struct err *err) MUST_USE;
/* Opens a file of code: a regular file that, like every folder above it, belongs to root or to us and is not writable by group
 * or others (a sticky folder of root's such as /tmp may be). Checked on the open descriptor, so it cannot be swapped in
 * between. */
int fs_open_trusted(const char *path, int *fd, struct err *err) MUST_USE;

#endif
