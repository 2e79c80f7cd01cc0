/* inflate: see inflate.h. zlib checks header, CRC and length of each member; here is what it leaves open: which format it is,
 * what comes behind a member's end, and how much may come out. Limits are checked before output is passed on, a window at a
 * time. */
#include "os/inflate.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"

enum { WINDOW_BYTES = 64 * 1024 };

enum place {
    AT_START,   /* nothing read yet */
    INSIDE,     /* in a member */
    AT_END,     /* behind a member's end: another may follow */
    IN_PADDING, /* zeros behind the last member: some writers fill up their blocks */
    FAILED,
};

struct inflate {
    enum inflate_format format;
    struct inflate_limits limits;
    inflate_sink *sink;
    void *context;
    enum place place;
    bool is_open; /* `stream` wants inflateEnd */
    z_stream stream;
    uint64_t input_bytes;    /* fed */
    uint64_t consumed_bytes; /* of them, by zlib */
    uint64_t output_bytes;
    struct err failure;
    unsigned char window[WINDOW_BYTES];
};

struct inflate *inflate_new(enum inflate_format format, const struct inflate_limits *limits, inflate_sink *sink, void *context)
{
    struct inflate *in = mem_zero(1, sizeof *in);
    in->format = format;
    in->limits = *limits;
    in->sink = sink;
    in->context = context;
    return in;
}

static int fail(struct inflate *in)
{
    in->place = FAILED;
    return in->failure.class;
}

static int fail_damaged(struct inflate *in, const char *what)
{
    const char *name = in->format == INFLATE_GZIP ? "gzip" : "deflate";
    err_set(&in->failure, ERR_TRANSIENT, "could not decompress the body as %s: %s", name, what ? what : "damaged data");
    return fail(in);
}

/* A zlib header (RFC 1950 2.2) begins with the method, 8, and a window size up to 7. A bare stream that begins so would have to
 * start with a stored block that has its unused bits set, which no compressor writes. */
static bool looks_like_zlib(unsigned char first)
{
    return (first & 0x0f) == Z_DEFLATED && (first >> 4) <= 7;
}

static int open_member(struct inflate *in, unsigned char first)
{
    enum { GZIP_WINDOW = 15 + 16, ZLIB_WINDOW = 15, BARE_WINDOW = -15 };
    int window = in->format == INFLATE_GZIP ? GZIP_WINDOW : looks_like_zlib(first) ? ZLIB_WINDOW : BARE_WINDOW;
    int rc = in->is_open ? inflateReset2(&in->stream, window) : inflateInit2(&in->stream, window);
    if (rc == Z_MEM_ERROR) mem_exhausted("zlib");
    CHECK(rc == Z_OK);
    in->is_open = true;
    in->place = INSIDE;
    return 0;
}

static int check_limits(struct inflate *in, size_t more)
{
    const struct inflate_limits *limits = &in->limits;
    uint64_t total = in->output_bytes + more;
    if (total > limits->output_bytes) {
        err_set(&in->failure, ERR_DATA, "the body has more than %zu bytes when decompressed", limits->output_bytes);
        err_hint(&in->failure, "ask for smaller pages, or raise the page limit");
        return fail(in);
    }
    if (limits->ratio && total > INFLATE_RATIO_GRACE_BYTES && total / limits->ratio > in->consumed_bytes) {
        err_set(&in->failure, ERR_DATA, "the body decompresses to more than %u times its size, as a bomb would", limits->ratio);
        err_hint(&in->failure, "check what the source sends; no ordinary data shrinks that much");
        return fail(in);
    }
    return 0;
}

/* Empty members and endless headers make no output, so input has a limit, too: what could ever be needed for the allowed
 * output. */
static int check_input(struct inflate *in, size_t size)
{
    enum { SLACK_BYTES = 64 * 1024 };
    const uint64_t extra = in->limits.output_bytes / 8 + SLACK_BYTES;
    in->input_bytes += size;
    if (in->input_bytes <= extra || in->input_bytes - extra <= in->limits.output_bytes) return 0;
    err_set(&in->failure, ERR_DATA, "the body has more than %zu bytes", in->limits.output_bytes);
    err_hint(&in->failure, "ask for smaller pages, or raise the page limit");
    return fail(in);
}

/* Takes input of the current member until it is used up or the member ends. */
static int run_member(struct inflate *in, const unsigned char **at, size_t *size)
{
    z_stream *stream = &in->stream;
    for (;;) {
        uInt input = *size < UINT32_MAX ? (uInt)*size : UINT32_MAX;
        stream->next_in = (Bytef *)(uintptr_t)*at;
        stream->avail_in = input;
        stream->next_out = in->window;
        stream->avail_out = WINDOW_BYTES;
        int rc = inflate(stream, Z_NO_FLUSH);
        if (rc == Z_MEM_ERROR) mem_exhausted("zlib");
        CHECK(rc != Z_STREAM_ERROR);
        size_t made = WINDOW_BYTES - stream->avail_out;
        uInt taken = input - stream->avail_in;
        *at += taken;
        *size -= taken;
        in->consumed_bytes += taken;
        if (made > 0) {
            int failure = check_limits(in, made);
            if (failure != 0) return failure;
            if (in->sink(in->context, in->window, made, &in->failure) != 0) return fail(in);
            in->output_bytes += made;
        }
        if (rc == Z_STREAM_END) {
            in->place = AT_END;
            return 0;
        }
        if (rc != Z_OK && rc != Z_BUF_ERROR) return fail_damaged(in, stream->msg);
        if (stream->avail_out > 0 && *size == 0) return 0;
    }
}

static int feed(struct inflate *in, const unsigned char *at, size_t size)
{
    int rc = check_input(in, size);
    while (rc == 0 && size > 0) {
        switch (in->place) {
        case AT_START:
            rc = open_member(in, *at);
            break;
        case INSIDE:
            rc = run_member(in, &at, &size);
            break;
        case AT_END:
        case IN_PADDING:
            if (*at == 0) {
                in->place = IN_PADDING;
                at++, size--;
            } else if (in->place == AT_END && in->format == INFLATE_GZIP && *at == 0x1f) {
                rc = open_member(in, *at);
            } else {
                err_set(&in->failure, ERR_DATA, "the body goes on behind the end of its compressed data");
                rc = fail(in);
            }
            break;
        case FAILED:
            rc = in->failure.class;
            break;
        }
    }
    return rc;
}

int inflate_feed(struct inflate *in, const void *data, size_t size, struct err *err)
{
    return feed(in, data, size) == 0 ? 0 : err_copy(err, &in->failure);
}

int inflate_finish(struct inflate *in, struct err *err)
{
    if (in->place == AT_START || in->place == INSIDE) {
        err_set(&in->failure, ERR_TRANSIENT, "the compressed body ends early, after %llu bytes",
                (unsigned long long)in->input_bytes);
        fail(in);
    }
    return in->place == FAILED ? err_copy(err, &in->failure) : 0;
}

uint64_t inflate_output_bytes(const struct inflate *in)
{
    return in->output_bytes;
}

void inflate_free(struct inflate *in)
{
    if (!in) return;
    if (in->is_open) inflateEnd(&in->stream);
    free(in);
}
