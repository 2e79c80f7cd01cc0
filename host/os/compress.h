/* compress: files written compressed. (What arrives compressed is inflate.h's.)
 *
 *     struct compressor *out = compressor_new(fd, path, COMPRESSION_GZIP);
 *     compressor_write(out, row, size, err) ... compressor_bytes(out) ...
 *     rc = compressor_finish(out, &result, err);                // all is handed to the kernel; fsync is the caller's
 *     compressor_free(out);                                     // never closes the descriptor
 *
 * No names and no times are inside. One thread per compressor. After a
 * failure it only repeats it. */
#ifndef SLUICE_OS_COMPRESS_H
#define SLUICE_OS_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "os/crypto.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* One row per kind, indexed by enum compression. */
struct compression_info {
    const char *name;      /* "gzip" */
    const char *extension; /* ".gz"; "" for none */
};
extern const struct compression_info COMPRESSIONS[];
enum { COMPRESSION_COUNT = 3 };

bool compression_from_name(struct str name, enum compression *compression);

struct compressor_result {
    uint64_t raw_bytes;           /* what was put in */
    uint64_t stored_bytes;        /* what came out */
    char sha256[SHA256_HEX_SIZE]; /* of what came out */
};

struct compressor;

/* Writes to `fd` in pieces of 128 KiB; `path` is for messages, and copied. */
struct compressor *compressor_new(int fd, const char *path, enum compression compression);
int compressor_write(struct compressor *compressor, const void *data, size_t size, struct err *err) MUST_USE;
uint64_t compressor_bytes(const struct compressor *compressor); /* that came out so far; lags behind by the coder's window */
int compressor_finish(struct compressor *compressor, struct compressor_result *result, struct err *err) MUST_USE;
void compressor_free(struct compressor *compressor); /* NULL is fine; without finish the file is cut */

/* CRC-32 (ISO 3309, as in gzip) of data that follows what gave `crc`; start with 0. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t size);

#endif
