/* spool: see spool.h. O_TMPFILE where the file system has it, else a file whose name is removed at once. */
#include "os/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct spool {
    int fd;
    uint64_t size, max_bytes;
    char *folder; /* for messages */
};

static int refused(const struct spool *spool, const char *what, struct err *err)
{
    err_set(err, ERR_CONFIG, "could not %s a temporary file in '%s': %s", what, spool->folder, strerror(errno));
    return err_hint(err, "make room there, or give another folder: --state-dir");
}

static int open_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
    size_t size = strlen(folder) + sizeof "/spool-XXXXXX";
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/spool-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    free(path);
    return fd;
}

int spool_new(const char *folder, uint64_t max_bytes, struct spool **out, struct err *err)
{
    struct spool *spool = mem_zero(1, sizeof *spool);
    spool->folder = mem_strdup(folder);
    spool->max_bytes = max_bytes;
    spool->fd = open_file(folder);
    if (spool->fd < 0) {
        int rc = refused(spool, "open", err);
        spool_free(spool);
        return rc;
    }
    *out = spool;
    return 0;
}

void spool_free(struct spool *spool)
{
    if (!spool) return;
    if (spool->fd >= 0) close(spool->fd);
    free(spool->folder);
    free(spool);
}

int spool_append(struct spool *spool, const void *data, size_t size, struct err *err)
{
    if (size > spool->max_bytes - spool->size)
        return err_set(err, ERR_DATA, "the answer's body has more than %llu bytes", (unsigned long long)spool->max_bytes);
    const char *at = data;
    while (size > 0) {
        ssize_t written = pwrite(spool->fd, at, size, (off_t)spool->size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return refused(spool, "write", err);
        at += written;
        size -= (size_t)written;
        spool->size += (uint64_t)written;
    }
    return 0;
}

void spool_clear(struct spool *spool)
{
    spool->size = 0;
    if (ftruncate(spool->fd, 0) != 0) return; /* what is behind the size is never read */
}

int spool_read(const struct spool *spool, uint64_t offset, void *data, size_t size, struct err *err)
{
    char *at = data;
    CHECK(offset + size <= spool->size);
    while (size > 0) {
        ssize_t got = pread(spool->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = EIO;
        if (got <= 0) return refused(spool, "read", err);
        at += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

uint64_t spool_size(const struct spool *spool)
{
    return spool->size;
}
