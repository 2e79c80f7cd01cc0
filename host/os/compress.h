/* compress: files written compressed. (What arrives compressed is inflate.h's.)
 *
 *     struct compressor *out;
 *     if ((rc = compressor_new(&options, &out, err)) != 0) ...
 *     compressor_write(out, row, size, err) ... compressor_bytes(out) ...
 *     rc = compressor_finish(out, &result, err);                // all is handed to the kernel; fsync is the caller's
 *     compressor_free(out);                                     // never closes the descriptor
 *
 * Bytes for the same input and options are the same every time (no names, no times inside). One thread per compressor. After a
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
    int level_min, level_max, level_default;
};
extern const struct compression_info COMPRESSIONS[];
enum { COMPRESSION_COUNT = 3 };

bool compression_from_name(struct str name, enum compression *compression);

struct compressor_options {
    int fd;           /* written to in pieces of 128 KiB */
    const char *path; /* for messages; copied */
    enum compression compression;
    int level; /* 0: the default of its kind */
};

struct compressor_result {
    uint64_t raw_bytes;           /* what was put in */
    uint64_t stored_bytes;        /* what came out */
    char sha256[SHA256_HEX_SIZE]; /* of what came out */
};

struct compressor;

int compressor_new(const struct compressor_options *options, struct compressor **out, struct err *err) MUST_USE;
int compressor_write(struct compressor *compressor, const void *data, size_t size, struct err *err) MUST_USE;
uint64_t compressor_bytes(const struct compressor *compressor); /* that came out so far; lags behind by the coder's window */
int compressor_finish(struct compressor *compressor, struct compressor_result *result, struct err *err) MUST_USE;
void compressor_free(struct compressor *compressor); /* NULL is fine; without finish the file is cut */

/* CRC-32 (ISO 3309, as in gzip) of data that follows what gave `crc`; start with 0. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t size);

#endif
