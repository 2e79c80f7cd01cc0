/* compress: see compress.h. One small table of coders; each fills the output buffer, and `drain` alone counts, hashes and
 * writes what is in it. Gzip's default is level 5: on CSV rows a third faster than 6 for files 2 % larger. */
#include "os/compress.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"
#include "os/fs.h"

enum { OUTPUT_BYTES = 128 * 1024 };

const struct compression_info COMPRESSIONS[] = {
    [COMPRESSION_NONE] = {"none", "", 0, 0, 0},
    [COMPRESSION_GZIP] = {"gzip", ".gz", 1, 9, 5},
    [COMPRESSION_ZSTD] = {"zstd", ".zst", 1, 19, 3},
};

struct coder {
    void (*open)(struct compressor *compressor, int level);
    /* Takes input from `in` and puts output behind `used` in the buffer. True: call again once there is room in it. */
    bool (*step)(struct compressor *compressor, struct str *in, bool ending);
    void (*close)(struct compressor *compressor);
};

struct compressor {
    int fd;
    char *path;
    const struct coder *coder;
    union {
        z_stream *gzip;
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

static void none_open(struct compressor *compressor, int level)
{
    (void)compressor, (void)level;
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

static void gzip_open(struct compressor *compressor, int level)
{
    enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 9 };
    compressor->gzip = mem_zero(1, sizeof *compressor->gzip);
    CHECK(deflateInit2(compressor->gzip, level, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
}

static bool gzip_step(struct compressor *compressor, struct str *in, bool ending)
{
    z_stream *stream = compressor->gzip;
    const uInt input = in->size < UINT32_MAX ? (uInt)in->size : UINT32_MAX;
    stream->next_in = (Bytef *)(uintptr_t)in->data;
    stream->avail_in = input;
    stream->next_out = compressor->output + compressor->used;
    stream->avail_out = (uInt)(OUTPUT_BYTES - compressor->used);
    int rc = deflate(stream, ending ? Z_FINISH : Z_NO_FLUSH);
    CHECK(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
    compressor->used = OUTPUT_BYTES - stream->avail_out;
    size_t taken = input - stream->avail_in;
    *in = (struct str){in->data + taken, in->size - taken};
    return ending ? rc != Z_STREAM_END : in->size > 0;
}

static void gzip_close(struct compressor *compressor)
{
    deflateEnd(compressor->gzip);
    free(compressor->gzip);
}

static void zstd_open(struct compressor *compressor, int level)
{
    compressor->zstd = ZSTD_createCStream();
    CHECK(compressor->zstd);
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, level)));
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_checksumFlag, 1)));
}

static bool zstd_step(struct compressor *compressor, struct str *in, bool ending)
{
    ZSTD_inBuffer input = {in->data, in->size, 0};
    ZSTD_outBuffer output = {compressor->output, OUTPUT_BYTES, compressor->used};
    size_t left = ZSTD_compressStream2(compressor->zstd, &output, &input, ending ? ZSTD_e_end : ZSTD_e_continue);
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

int compressor_new(const struct compressor_options *options, struct compressor **out, struct err *err)
{
    const struct compression_info *info = &COMPRESSIONS[options->compression];
    int level = options->level ? options->level : info->level_default;
    if (level < info->level_min || level > info->level_max) {
        if (info->level_max == 0) return err_set(err, ERR_CONFIG, "a level is given, but there is no compression");
        return err_set(err, ERR_CONFIG, "%s has no level %d, expected %d to %d", info->name, level, info->level_min,
                       info->level_max);
    }
    struct compressor *compressor = mem_zero(1, sizeof *compressor);
    compressor->fd = options->fd;
    compressor->path = mem_strdup(options->path);
    compressor->coder = &CODERS[options->compression];
    compressor->digest = digest_new();
    compressor->coder->open(compressor, level);
    *out = compressor;
    return 0;
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
