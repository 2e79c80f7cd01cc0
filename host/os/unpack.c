/* unpack: see unpack.h. ZIP is read as a row of records, each with its signature. Fixed parts are collected until they are
 * whole; an entry's data goes through zlib. The sizes in front of an entry are believed only as far as its data agrees. */
#include "os/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"

enum {
    LOCAL_BYTES = 30,      /* APPNOTE 4.3.7 */
    DESCRIPTOR_BYTES = 28, /* 4.3.9, the largest, and the signature behind it */
    END_BYTES = 22,        /* 4.3.16 */
    WINDOW_BYTES = 64 * 1024,
};

static const uint32_t SIGN_LOCAL = 0x04034b50, SIGN_CENTRAL = 0x02014b50, SIGN_END = 0x06054b50, SIGN_DESCRIPTOR = 0x08074b50;

enum place {
    AT_BEGINNING, /* GZIP: the first two bytes */
    PASSING,      /* GZIP: inside; or what is not packed */
    AT_RECORD,    /* ZIP: a local header, or the directory */
    IN_NAME,      /* behind a local header: name and extra fields */
    IN_DATA,
    AT_DESCRIPTOR,
    IN_DIRECTORY, /* the rest */
    FAILED,
};

struct unpack {
    enum unpack_format format;
    struct inflate_limits limits;
    inflate_sink *sink;
    void *context;
    enum place place;
    struct inflate *gzip; /* NULL: not packed */
    unsigned char fixed[64];
    size_t have;
    /* the entry in hand */
    size_t name_left;
    bool is_stored, is_directory, has_descriptor, is_open, has_file;
    unsigned char last_of_name;
    size_t name_bytes;
    uint32_t crc, expected_crc;
    uint64_t made, taken, expected_size, stored_left;
    uint64_t directory_bytes; /* since the end record's signature; 0: not seen */
    uint32_t trail;           /* the newest four bytes of the directory */
    uint64_t input_bytes, output_bytes;
    z_stream stream;
    struct err failure;
    unsigned char window[WINDOW_BYTES];
};

struct unpack *unpack_new(enum unpack_format format, const struct inflate_limits *limits, inflate_sink *sink, void *context)
{
    struct unpack *in = mem_zero(1, sizeof *in);
    in->format = format;
    in->limits = *limits;
    in->sink = sink;
    in->context = context;
    in->place = format == UNPACK_ZIP ? AT_RECORD : AT_BEGINNING;
    return in;
}

void unpack_free(struct unpack *in)
{
    if (!in) return;
    if (in->is_open) inflateEnd(&in->stream);
    inflate_free(in->gzip);
    free(in);
}

bool unpack_proves_end(const struct unpack *in)
{
    return in->format == UNPACK_ZIP || in->gzip;
}

static int fail(struct unpack *in, int class, const char *what)
{
    in->place = FAILED;
    err_set(&in->failure, class, "could not unpack the body as ZIP: %s", what);
    if (class == ERR_DATA) err_hint(&in->failure, "an archive of one file that is stored or deflated can be read");
    return class;
}

static uint32_t number(const unsigned char *at, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = bytes; i-- > 0;) value = value << 8 | at[i];
    return value;
}

static uint64_t number64(const unsigned char *at)
{
    return (uint64_t)number(at + 4, 4) << 32 | number(at, 4);
}

/* Collects `wanted` bytes of a fixed part; false while some are missing. */
static bool collect(struct unpack *in, size_t wanted, const unsigned char **at, size_t *size)
{
    size_t more = wanted > in->have ? wanted - in->have : 0;
    if (more > *size) more = *size;
    memcpy(in->fixed + in->have, *at, more);
    in->have += more;
    *at += more;
    *size -= more;
    return in->have >= wanted;
}

/* ---- an entry -------------------------------------------------------------------------------------------------------------
 */

static int begin_entry(struct unpack *in)
{
    const unsigned char *head = in->fixed;
    unsigned flags = number(head + 6, 2), method = number(head + 8, 2);
    in->is_stored = method == 0;
    in->has_descriptor = flags & 8;
    in->expected_crc = number(head + 14, 4);
    in->stored_left = number(head + 18, 4);
    in->expected_size = number(head + 22, 4);
    in->name_bytes = number(head + 26, 2);
    in->name_left = in->name_bytes + number(head + 28, 2);
    in->last_of_name = 0;
    in->crc = (uint32_t)crc32(0, NULL, 0);
    in->made = in->taken = 0;
    in->have = 0;
    in->place = IN_NAME;
    if (flags & 1) return fail(in, ERR_DATA, "it is encrypted");
    if (method != 0 && method != Z_DEFLATED) return fail(in, ERR_DATA, "a method other than deflate");
    if (in->is_stored && in->has_descriptor && in->stored_left == 0)
        return fail(in, ERR_DATA, "a stored file whose size is not told in front");
    return 0;
}

static int begin_data(struct unpack *in)
{
    in->is_directory = in->last_of_name == '/';
    if (!in->is_directory && in->has_file) return fail(in, ERR_DATA, "more than one file");
    in->has_file = in->has_file || !in->is_directory;
    in->place = IN_DATA;
    if (in->is_stored) return 0;
    int rc = in->is_open ? inflateReset(&in->stream) : inflateInit2(&in->stream, -MAX_WBITS);
    if (rc == Z_MEM_ERROR) mem_exhausted("zlib");
    CHECK(rc == Z_OK);
    in->is_open = true;
    return 0;
}

static int pass_name(struct unpack *in, const unsigned char **at, size_t *size)
{
    while (in->name_left > 0 && *size > 0) {
        if (in->name_bytes > 0 && --in->name_bytes == 0) in->last_of_name = **at;
        ++*at, --*size, in->name_left--;
    }
    return in->name_left == 0 ? begin_data(in) : 0;
}

static int give(struct unpack *in, const unsigned char *data, size_t size)
{
    if (size == 0) return 0;
    in->output_bytes += size;
    in->made += size;
    in->crc = (uint32_t)crc32(in->crc, data, (uInt)size);
    bool is_bomb = in->limits.ratio && in->output_bytes > INFLATE_RATIO_GRACE_BYTES &&
                   in->output_bytes / in->limits.ratio > in->input_bytes;
    if (in->output_bytes > in->limits.output_bytes) return fail(in, ERR_DATA, "more bytes than a page may have");
    if (is_bomb) return fail(in, ERR_DATA, "far more bytes than ordinary data unpacks to, as a bomb would");
    if (in->sink(in->context, data, size, &in->failure) != 0) in->place = FAILED;
    return in->place == FAILED ? in->failure.class : 0;
}

/* The data has ended: do length and check sum agree? */
static int end_entry(struct unpack *in)
{
    if (in->has_descriptor) {
        in->place = AT_DESCRIPTOR;
        return 0;
    }
    bool is_zip64 = in->expected_size == UINT32_MAX; /* the size is in an extra field; the check sum decides */
    if (in->crc != in->expected_crc || (!is_zip64 && in->made != in->expected_size))
        return fail(in, ERR_TRANSIENT, "its check sum or length does not agree");
    in->place = AT_RECORD;
    return 0;
}

static int pass_data(struct unpack *in, const unsigned char **at, size_t *size)
{
    if (in->is_stored) {
        size_t now = in->stored_left < *size ? (size_t)in->stored_left : *size;
        if (now > WINDOW_BYTES) now = WINDOW_BYTES;
        const unsigned char *data = *at;
        *at += now, *size -= now, in->stored_left -= now;
        int rc = give(in, data, now);
        return rc == 0 && in->stored_left == 0 ? end_entry(in) : rc;
    }
    in->stream.next_in = (Bytef *)(uintptr_t)*at;
    in->stream.avail_in = *size < UINT32_MAX ? (uInt)*size : UINT32_MAX;
    uInt before = in->stream.avail_in;
    in->stream.next_out = in->window;
    in->stream.avail_out = WINDOW_BYTES;
    int status = inflate(&in->stream, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) mem_exhausted("zlib");
    *at += before - in->stream.avail_in;
    *size -= before - in->stream.avail_in;
    int rc = give(in, in->window, WINDOW_BYTES - in->stream.avail_out);
    if (rc != 0) return rc;
    if (status == Z_STREAM_END) return end_entry(in);
    return status == Z_OK || status == Z_BUF_ERROR ? 0 : fail(in, ERR_TRANSIENT, "damaged data");
}

/* A data descriptor has four forms; the right one agrees with the data, and another record's signature follows it. */
static size_t descriptor_bytes(const struct unpack *in)
{
    for (unsigned form = 0; form < 4; form++) {
        const unsigned char *at = in->fixed;
        bool has_sign = form & 1, is_64 = form & 2;
        if (has_sign && number(at, 4) != SIGN_DESCRIPTOR) continue;
        at += has_sign ? 4 : 0;
        uint32_t crc = number(at, 4);
        uint64_t size = is_64 ? number64(at + 12) : number(at + 8, 4);
        at += is_64 ? 20 : 12;
        uint32_t next = number(at, 4);
        bool agrees = crc == in->crc && (is_64 ? size == in->made : (uint32_t)in->made == size);
        if (agrees && (next == SIGN_LOCAL || next == SIGN_CENTRAL)) return (size_t)(at - in->fixed);
    }
    return 0;
}

static int take_descriptor(struct unpack *in)
{
    size_t bytes = descriptor_bytes(in);
    if (bytes == 0) return fail(in, ERR_TRANSIENT, "its check sum or length does not agree");
    in->have -= bytes;
    memmove(in->fixed, in->fixed + bytes, in->have);
    in->place = AT_RECORD;
    return 0;
}

/* ---- the archive ----------------------------------------------------------------------------------------------------------
 */

static void pass_directory(struct unpack *in, const unsigned char *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        in->trail = in->trail >> 8 | (uint32_t)at[i] << 24;
        if (in->directory_bytes) in->directory_bytes++;
        if (in->trail == SIGN_END) in->directory_bytes = 4;
    }
}

static int take_record(struct unpack *in, const unsigned char **at, size_t *size)
{
    if (!collect(in, 4, at, size)) return 0;
    uint32_t sign = number(in->fixed, 4);
    if (sign == SIGN_LOCAL) return collect(in, LOCAL_BYTES, at, size) ? begin_entry(in) : 0;
    if (sign != SIGN_CENTRAL && sign != SIGN_END)
        return fail(in, ERR_TRANSIENT, in->has_file ? "damaged data" : "it does not begin as an archive does");
    if (!in->has_file) return fail(in, ERR_DATA, "there is no file in it");
    pass_directory(in, in->fixed, in->have);
    in->have = 0;
    in->place = IN_DIRECTORY;
    return 0;
}

static int feed_zip(struct unpack *in, const unsigned char *at, size_t size)
{
    int rc = 0;
    while (rc == 0 && (size > 0 || in->have >= 4)) {
        size_t left = size, had = in->have;
        enum place place = in->place;
        switch (in->place) {
        case AT_RECORD:
            rc = take_record(in, &at, &size);
            break;
        case IN_NAME:
            rc = pass_name(in, &at, &size);
            break;
        case IN_DATA:
            rc = pass_data(in, &at, &size);
            break;
        case AT_DESCRIPTOR:
            if (collect(in, DESCRIPTOR_BYTES, &at, &size)) rc = take_descriptor(in);
            break;
        case IN_DIRECTORY:
            pass_directory(in, at, size);
            return 0;
        case AT_BEGINNING:
        case PASSING:
        case FAILED:
            return in->failure.class;
        }
        if (left == size && had == in->have && place == in->place) return rc; /* more bytes are needed */
    }
    if (rc == 0 && in->place == IN_NAME && in->name_left == 0) rc = begin_data(in);
    return rc;
}

static int feed_gzip(struct unpack *in, const unsigned char *at, size_t size, struct err *err)
{
    static const unsigned char MAGIC[] = {0x1f, 0x8b};
    if (in->place == AT_BEGINNING) {
        if (!collect(in, sizeof MAGIC, &at, &size)) return 0;
        in->place = PASSING;
        if (memcmp(in->fixed, MAGIC, sizeof MAGIC) == 0)
            in->gzip = inflate_new(INFLATE_GZIP, &in->limits, in->sink, in->context);
        int rc = feed_gzip(in, in->fixed, in->have, err);
        if (rc != 0) return rc;
    }
    if (size == 0) return 0;
    return in->gzip ? inflate_feed(in->gzip, at, size, err) : in->sink(in->context, at, size, err);
}

int unpack_feed(struct unpack *in, const void *data, size_t size, struct err *err)
{
    in->input_bytes += size;
    if (in->format == UNPACK_GZIP) return feed_gzip(in, data, size, err);
    return feed_zip(in, data, size) == 0 ? 0 : err_copy(err, &in->failure);
}

int unpack_finish(struct unpack *in, struct err *err)
{
    if (in->format == UNPACK_GZIP) {
        if (in->gzip) return inflate_finish(in->gzip, err);
        bool is_short = in->place == AT_BEGINNING && in->have > 0; /* too short to tell */
        return is_short ? in->sink(in->context, in->fixed, in->have, err) : 0;
    }
    if (in->place != FAILED && (in->place != IN_DIRECTORY || in->directory_bytes < END_BYTES))
        fail(in, ERR_TRANSIENT, "it ends early");
    return in->place == FAILED ? err_copy(err, &in->failure) : 0;
}
