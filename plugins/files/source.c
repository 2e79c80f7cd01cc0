/* source: see files.h. What a file is packed with is seen by its first bytes, whatever its name says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "files.h"

enum { PACKED_BYTES = 256 * 1024, GZIP_WINDOW = 15 + 16 };

enum packing { PLAIN, GZIP, ZSTD };

struct source {
    int fd;
    char *path;
    enum packing packing;
    z_stream gzip;
    ZSTD_DStream *zstd;
    unsigned char *packed; /* what was read and not unpacked yet */
    size_t packed_size, packed_at;
    bool is_at_end;    /* of the file */
    bool is_in_member; /* packed: something was begun that has not ended */
    bool is_pending;   /* packed: more may come out without anything going in */
};

static int fail(struct sluice_session *session, const struct source *source, enum sluice_error error, const char *what,
                const char *hint)
{
    char message[4400];
    snprintf(message, sizeof message, "file '%s': %s", source->path, what);
    return sluice_fail(session, error, message, hint);
}

/* Reads on into the packed bytes. */
static int fill(struct sluice_session *session, struct source *source)
{
    if (source->packed_at < source->packed_size || source->is_at_end) return 0;
    ssize_t got;
    do got = read(source->fd, source->packed, PACKED_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail(session, source, SLUICE_ERROR_TRANSIENT, strerror(errno), "is the disk well?");
    source->packed_at = 0;
    source->packed_size = (size_t)got;
    source->is_at_end = got == 0;
    return 0;
}

static enum packing packing_of(const struct source *source)
{
    static const unsigned char GZIP_MAGIC[] = {0x1f, 0x8b}, ZSTD_MAGIC[] = {0x28, 0xb5, 0x2f, 0xfd};
    if (source->packed_size >= sizeof GZIP_MAGIC && memcmp(source->packed, GZIP_MAGIC, sizeof GZIP_MAGIC) == 0) return GZIP;
    if (source->packed_size >= sizeof ZSTD_MAGIC && memcmp(source->packed, ZSTD_MAGIC, sizeof ZSTD_MAGIC) == 0) return ZSTD;
    return PLAIN;
}

int source_open(struct sluice_session *session, const char *path, struct source **out)
{
    struct source *source = calloc(1, sizeof *source);
    *out = source;
    if (source) source->fd = -1;
    if (!source || !(source->path = strdup(path)) || !(source->packed = malloc(PACKED_BYTES)))
        return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    source->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0)
        return fail(session, source, errno == EACCES ? SLUICE_ERROR_PERMISSION : SLUICE_ERROR_TRANSIENT, strerror(errno),
                    "can the user who runs sluice read it?");
    int rc = fill(session, source);
    if (rc) return rc;
    source->packing = packing_of(source);
    bool is_ready = true;
    if (source->packing == GZIP) is_ready = inflateInit2(&source->gzip, GZIP_WINDOW) == Z_OK;
    if (source->packing == ZSTD) is_ready = (source->zstd = ZSTD_createDStream()) != NULL;
    return is_ready ? 0 : sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
}

void source_close(struct source *source)
{
    if (!source) return;
    if (source->packing == GZIP) inflateEnd(&source->gzip);
    ZSTD_freeDStream(source->zstd);
    if (source->fd >= 0) close(source->fd);
    free(source->packed);
    free(source->path);
    free(source);
}

static long read_plain(struct source *source, char *data, size_t size)
{
    size_t left = source->packed_size - source->packed_at;
    if (size > left) size = left;
    memcpy(data, source->packed + source->packed_at, size);
    source->packed_at += size;
    return (long)size;
}

static long read_gzip(struct sluice_session *session, struct source *source, char *data, size_t size)
{
    z_stream *gzip = &source->gzip;
    gzip->next_in = source->packed + source->packed_at;
    gzip->avail_in = (uInt)(source->packed_size - source->packed_at);
    gzip->next_out = (unsigned char *)data;
    gzip->avail_out = (uInt)size;
    int rc = inflate(gzip, Z_NO_FLUSH);
    source->packed_at = source->packed_size - gzip->avail_in;
    source->is_in_member = rc != Z_STREAM_END;
    if (rc == Z_STREAM_END) rc = inflateReset(gzip); /* another member may follow */
    if (rc != Z_OK && rc != Z_BUF_ERROR)
        return fail(session, source, SLUICE_ERROR_DATA, "its gzip stream is broken", "was it copied whole?");
    return (long)(size - gzip->avail_out);
}

static long read_zstd(struct sluice_session *session, struct source *source, char *data, size_t size)
{
    ZSTD_inBuffer in = {source->packed, source->packed_size, source->packed_at};
    ZSTD_outBuffer out = {data, size, 0};
    size_t rc = ZSTD_decompressStream(source->zstd, &out, &in);
    source->packed_at = in.pos;
    source->is_in_member = rc != 0;
    if (ZSTD_isError(rc)) return fail(session, source, SLUICE_ERROR_DATA, "its zstd stream is broken", "was it copied whole?");
    return (long)out.pos;
}

long source_read(struct sluice_session *session, struct source *source, char *data, size_t size)
{
    for (;;) {
        int rc = source->is_pending ? 0 : fill(session, source);
        if (rc) return rc;
        if (!source->is_pending && source->is_at_end && source->is_in_member && source->packing != PLAIN)
            return fail(session, source, SLUICE_ERROR_DATA, "it ends in the middle of its packed stream",
                        "is it still being written? Write elsewhere and rename it into the folder");
        if (!source->is_pending && source->is_at_end) return 0;
        long got = source->packing == PLAIN  ? read_plain(source, data, size)
                   : source->packing == GZIP ? read_gzip(session, source, data, size)
                                             : read_zstd(session, source, data, size);
        source->is_pending = source->packing != PLAIN && got == (long)size;
        if (got) return got;
    }
}

int64_t source_skip(struct sluice_session *session, struct source *source, int64_t count)
{
    char scratch[16 * 1024];
    int64_t skipped = 0;
    int64_t buffered = (int64_t)(source->packed_size - source->packed_at);
    if (source->packing == PLAIN && count > buffered) {
        off_t at = lseek(source->fd, 0, SEEK_CUR), end = lseek(source->fd, 0, SEEK_END);
        if (at < 0 || end < 0) return fail(session, source, SLUICE_ERROR_TRANSIENT, strerror(errno), NULL);
        int64_t wanted = at + count - buffered;
        if (lseek(source->fd, wanted < end ? wanted : end, SEEK_SET) < 0)
            return fail(session, source, SLUICE_ERROR_TRANSIENT, strerror(errno), NULL);
        source->packed_at = source->packed_size;
        return wanted < end ? count : count - (wanted - end);
    }
    while (skipped < count) {
        int64_t left = count - skipped;
        long got = source_read(session, source, scratch, left < (int64_t)sizeof scratch ? (size_t)left : sizeof scratch);
        if (got < 0) return got;
        if (got == 0) break;
        skipped += got;
    }
    return skipped;
}

int source_hash(struct sluice_session *session, const char *path, uint64_t *hash)
{
    struct source *source;
    int rc = source_open(session, path, &source);
    *hash = 0;
    while (rc == 0 && !source->is_at_end) {
        *hash = state_hash(*hash, (const char *)source->packed + source->packed_at, source->packed_size - source->packed_at);
        source->packed_at = source->packed_size;
        rc = fill(session, source);
    }
    source_close(source);
    return rc;
}
