/* compress: see compress.h. One small table of coders; each fills the output buffer, and `drain` alone counts, hashes and
 * writes what is in it.
 *
 * Gzip is made by ISA-L, one deflate stream as zlib's: on CSV rows nine times as fast as zlib's level 5 for files 6 % larger.
 * Zstd's level 1 is twice as fast as 3 there, and no larger. There is no choice of levels: the destination reads either. */
#include "os/compress.h"

#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/check.h"
#include "os/fs.h"

enum { OUTPUT_BYTES = 128 * 1024, GZIP_LEVEL = 2, ZSTD_LEVEL = 1 };

const struct compression_info COMPRESSIONS[] = {
    [COMPRESSION_NONE] = {"none", ""},
    [COMPRESSION_GZIP] = {"gzip", ".gz"},
    [COMPRESSION_ZSTD] = {"zstd", ".zst"},
};

struct coder {
    void (*open)(struct compressor *compressor);
    /* Takes input from `in` and puts output behind `used` in the buffer. True: call again once there is room in it. */
    bool (*step)(struct compressor *compressor, struct str *in, bool ending);
    void (*close)(struct compressor *compressor);
};

struct compressor {
    int fd;
    char *path;
    const struct coder *coder;
    union {
        struct gzip *gzip;
        ZSTD_CStream *zstd;
    };
    struct digest *digest;
    uint64_t raw_bytes;
    uint64_t stored_bytes;
    bool is_failed;
    struct err failure;
    size_t used;
    unsigned char output[OUTPUT_BYTES];
};

/* --- coders ----------------------------------------------------------------------------------------------------------- */

static void none_open(struct compressor *compressor)
{
    (void)compressor;
}

static bool none_step(struct compressor *compressor, struct str *in, bool ending)
{
    (void)ending;
    size_t room = OUTPUT_BYTES - compressor->used;
    size_t size = in->size < room ? in->size : room;
    if (size) memcpy(compressor->output + compressor->used, in->data, size);
    compressor->used += size;
    *in = (struct str){in->data + size, in->size - size};
    return in->size > 0;
}

static void none_close(struct compressor *compressor)
{
    (void)compressor;
}

struct gzip {
    struct isal_zstream stream;
    uint8_t level_buffer[ISAL_DEF_LVL2_DEFAULT];
};

static void gzip_open(struct compressor *compressor)
{
    struct gzip *gzip = compressor->gzip = mem_zero(1, sizeof *compressor->gzip);
    isal_deflate_init(&gzip->stream);
    gzip->stream.gzip_flag = IGZIP_GZIP;
    gzip->stream.level = GZIP_LEVEL;
    gzip->stream.level_buf = gzip->level_buffer;
    gzip->stream.level_buf_size = sizeof gzip->level_buffer;
}

static bool gzip_step(struct compressor *compressor, struct str *in, bool ending)
{
    struct isal_zstream *stream = &compressor->gzip->stream;
    const uint32_t input = in->size < UINT32_MAX ? (uint32_t)in->size : UINT32_MAX;
    stream->next_in = (uint8_t *)(uintptr_t)in->data;
    stream->avail_in = input;
    stream->next_out = compressor->output + compressor->used;
    stream->avail_out = (uint32_t)(OUTPUT_BYTES - compressor->used);
    stream->end_of_stream = ending;
    CHECK(isal_deflate(stream) == COMP_OK);
    compressor->used = OUTPUT_BYTES - stream->avail_out;
    size_t taken = input - stream->avail_in;
    *in = (struct str){in->data + taken, in->size - taken};
    return ending ? stream->internal_state.state != ZSTATE_END : in->size > 0;
}

static void gzip_close(struct compressor *compressor)
{
    free(compressor->gzip);
}

static void zstd_open(struct compressor *compressor)
{
    compressor->zstd = ZSTD_createCStream();
    if (!compressor->zstd) mem_exhausted("libzstd");
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)));
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_checksumFlag, 1)));
}

static bool zstd_step(struct compressor *compressor, struct str *in, bool ending)
{
    ZSTD_inBuffer input = {in->data, in->size, 0};
    ZSTD_outBuffer output = {compressor->output, OUTPUT_BYTES, compressor->used};
    size_t left = ZSTD_compressStream2(compressor->zstd, &output, &input, ending ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) mem_exhausted("libzstd");
    CHECK(!ZSTD_isError(left));
    compressor->used = output.pos;
    *in = (struct str){in->data + input.pos, in->size - input.pos};
    return ending ? left > 0 : in->size > 0;
}

static void zstd_close(struct compressor *compressor)
{
    ZSTD_freeCStream(compressor->zstd);
}

static const struct coder CODERS[] = {
    [COMPRESSION_NONE] = {none_open, none_step, none_close},
    [COMPRESSION_GZIP] = {gzip_open, gzip_step, gzip_close},
    [COMPRESSION_ZSTD] = {zstd_open, zstd_step, zstd_close},
};

/* --- the compressor --------------------------------------------------------------------------------------------------- */

bool compression_from_name(struct str name, enum compression *compression)
{
    for (int i = 0; i < COMPRESSION_COUNT; i++) {
        if (!str_equal(name, str_from(COMPRESSIONS[i].name))) continue;
        *compression = (enum compression)i;
        return true;
    }
    return false;
}

struct compressor *compressor_new(int fd, const char *path, enum compression compression)
{
    struct compressor *compressor = mem_zero(1, sizeof *compressor);
    compressor->fd = fd;
    compressor->path = mem_strdup(path);
    compressor->coder = &CODERS[compression];
    compressor->digest = digest_new();
    compressor->coder->open(compressor);
    return compressor;
}

static int drain(struct compressor *compressor)
{
    digest_add(compressor->digest, compressor->output, compressor->used);
    int rc = fs_write_all(compressor->fd, compressor->output, compressor->used, compressor->path, &compressor->failure);
    if (rc != 0)
        compressor->is_failed = true;
    else
        compressor->stored_bytes += compressor->used;
    compressor->used = 0;
    return rc;
}

/* Runs the coder over all of `in`, writing whenever the buffer is full. */
static int run(struct compressor *compressor, struct str in, bool ending, struct err *err)
{
    if (compressor->is_failed) return err_copy(err, &compressor->failure);
    for (bool more = true; more;) {
        more = compressor->coder->step(compressor, &in, ending);
        bool is_full = compressor->used == OUTPUT_BYTES;
        CHECK(is_full || !more || in.size > 0);
        if (is_full && drain(compressor) != 0) return err_copy(err, &compressor->failure);
    }
    return 0;
}

int compressor_write(struct compressor *compressor, const void *data, size_t size, struct err *err)
{
    if (size == 0 && !compressor->is_failed) return 0;
    compressor->raw_bytes += size;
    return run(compressor, (struct str){data, size}, false, err);
}

uint64_t compressor_bytes(const struct compressor *compressor)
{
    return compressor->stored_bytes + compressor->used;
}

int compressor_finish(struct compressor *compressor, struct compressor_result *result, struct err *err)
{
    int rc = run(compressor, STR(""), true, err);
    if (rc != 0) return rc;
    if (drain(compressor) != 0) return err_copy(err, &compressor->failure);
    unsigned char digest[SHA256_SIZE];
    digest_end(compressor->digest, digest);
    *result = (struct compressor_result){.raw_bytes = compressor->raw_bytes, .stored_bytes = compressor->stored_bytes};
    crypto_hex_text(digest, sizeof digest, result->sha256);
    compressor->is_failed = true;
    err_set(&compressor->failure, ERR_BUG, "the compressor of '%s' is finished already", compressor->path);
    return 0;
}

void compressor_free(struct compressor *compressor)
{
    if (!compressor) return;
    compressor->coder->close(compressor);
    digest_free(compressor->digest);
    free(compressor->path);
    free(compressor);
}

uint32_t crc32_add(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}
