/* compress and inflate: what goes in comes out, whole or not at all; cut, damaged, endless and bomb-like bodies are errors. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "os/compress.h"
#include "os/fs.h"
#include "os/inflate.h"

enum { MB = 1 << 20 };

static const struct inflate_limits LIMITS = {.output_bytes = 16 * MB, .ratio = 200};

/* Rows that compress about as data does. */
static void make_rows(struct buf *out, size_t size)
{
    uint32_t random = 1;
    while (out->size < size) {
        random = random * 1664525 + 1013904223;
        buf_printf(out, "%zu,customer-%u,%u.%02u,2024-01-%02u\n", out->size, random >> 20, random >> 16 & 0xfff,
                   random >> 9 & 63, random >> 27);
    }
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

/* Compresses `plain`, handed over in pieces, into a file in memory whose bytes are appended to `stored`. */
static struct compressor_result write_compressed(enum compression compression, struct str plain, size_t piece,
                                                 struct buf *stored)
{
    struct err err = ERR_INIT;
    struct compressor_result result;
    int fd = memfd_create("part", MFD_CLOEXEC);
    struct compressor *compressor = compressor_new(fd, "part", compression);
    for (size_t at = 0; at < plain.size; at += piece) {
        size_t size = plain.size - at < piece ? plain.size - at : piece;
        assert_int_equal(compressor_write(compressor, plain.data + at, size, &err), 0);
    }
    assert_int_equal(compressor_finish(compressor, &result, &err), 0);
    assert_int_equal(compressor_bytes(compressor), result.stored_bytes);
    assert_int_equal(compressor_write(compressor, "x", 1, &err), ERR_BUG); /* is finished */
    compressor_free(compressor);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fs_read_fd(fd, "part", 64 * MB, stored, &err), 0);
    close(fd);
    return result;
}

static int append(void *context, const void *data, size_t size, struct err *err)
{
    (void)err;
    buf_append(context, data, size);
    return 0;
}

/* Inflates `stored` in pieces; the result of the first call that fails, or of finish. */
static int inflate_all(enum inflate_format format, const struct inflate_limits *limits, struct str stored, size_t piece,
                       struct buf *out, struct err *err)
{
    struct inflate *in = inflate_new(format, limits, append, out);
    int rc = 0;
    for (size_t at = 0; at < stored.size && rc == 0; at += piece) {
        size_t size = stored.size - at < piece ? stored.size - at : piece;
        char *exact = mem_alloc(size); /* so that a sanitizer sees a read behind it */
        memcpy(exact, stored.data + at, size);
        rc = inflate_feed(in, exact, size, err);
        free(exact);
    }
    if (rc == 0) {
        rc = inflate_finish(in, err);
        assert_int_equal(inflate_output_bytes(in), out->size);
    } else {
        struct err again = ERR_INIT; /* a failure stays */
        assert_int_equal(inflate_feed(in, "x", 1, &again), rc);
        assert_int_equal(inflate_finish(in, &again), rc);
        assert_string_equal(again.message, err->message);
    }
    inflate_free(in);
    return rc;
}

static void decompress(enum compression compression, struct str stored, struct buf *out)
{
    struct err err = ERR_INIT;
    if (compression == COMPRESSION_NONE) {
        buf_append_str(out, stored);
    } else if (compression == COMPRESSION_GZIP) {
        assert_int_equal(inflate_all(INFLATE_GZIP, &LIMITS, stored, 10000, out, &err), 0);
    } else {
        size_t size = ZSTD_decompress(buf_reserve(out, 8 * MB), 8 * MB, stored.data, stored.size);
        assert_false(ZSTD_isError(size));
        buf_advance(out, size);
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    struct buf rows = BUF_INIT(8 * MB);
    make_rows(&rows, 3 * MB);
    const size_t sizes[] = {0, 1, 128 * 1024, 128 * 1024 + 1, rows.size};
    for (int compression = 0; compression < COMPRESSION_COUNT; compression++) {
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct buf stored = BUF_INIT(16 * MB), again = BUF_INIT(16 * MB), plain = BUF_INIT(16 * MB);
            struct str part = {rows.data, sizes[i]};
            struct compressor_result result = write_compressed((enum compression)compression, part, 777, &stored);
            assert_int_equal(result.raw_bytes, sizes[i]);
            assert_int_equal(result.stored_bytes, stored.size);
            char sha256[SHA256_HEX_SIZE];
            crypto_sha256_hex(buf_str(&stored), sha256);
            assert_string_equal(result.sha256, sha256);
            decompress((enum compression)compression, buf_str(&stored), &plain);
            assert_int_equal(plain.size, sizes[i]);
            assert_memory_equal(buf_text(&plain), rows.data, sizes[i]);
            if (compression != COMPRESSION_NONE && sizes[i] > MB) assert_true(stored.size < sizes[i] / 2);
            write_compressed((enum compression)compression, part, 100000, &again); /* whatever the pieces */
            buf_clear(&plain);
            decompress((enum compression)compression, buf_str(&again), &plain);
            assert_int_equal(plain.size, sizes[i]);
            assert_memory_equal(buf_text(&plain), rows.data, sizes[i]);
            buf_release(&stored);
            buf_release(&again);
            buf_release(&plain);
        }
    }
    buf_release(&rows);
}

static void test_names(void **state)
{
    (void)state;
    enum compression compression;
    assert_true(compression_from_name(STR("zstd"), &compression));
    assert_int_equal(compression, COMPRESSION_ZSTD);
    assert_string_equal(COMPRESSIONS[compression].extension, ".zst");
    assert_true(compression_from_name(STR("none"), &compression));
    assert_string_equal(COMPRESSIONS[compression].extension, "");
    assert_false(compression_from_name(STR("bzip2"), &compression));
}

static void test_full_disk_is_told_and_stays(void **state)
{
    (void)state;
    struct buf rows = BUF_INIT(8 * MB);
    make_rows(&rows, 2 * MB);
    for (int compression = 0; compression < COMPRESSION_COUNT; compression++) {
        struct err err = ERR_INIT;
        struct compressor_result result;
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        struct compressor *compressor = compressor_new(fd, "/dev/full", (enum compression)compression);
        int rc = compressor_write(compressor, rows.data, rows.size, &err);
        if (rc == 0) rc = compressor_finish(compressor, &result, &err);
        assert_int_equal(rc, ERR_DESTINATION);
        assert_non_null(strstr(err.message, "/dev/full"));
        assert_int_equal(compressor_write(compressor, "x", 1, &err), ERR_DESTINATION);
        assert_int_equal(compressor_finish(compressor, &result, &err), ERR_DESTINATION);
        compressor_free(compressor);
        close(fd);
    }
    buf_release(&rows);
}

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926); /* the check value of CRC-32/ISO-HDLC */
    assert_int_equal(crc32_add(crc32_add(0, "1234", 4), "56789", 5), 0xcbf43926);
    assert_int_equal(crc32_add(0, "", 0), 0);
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

/* zlib at its simplest, with the window that makes the format. */
static void deflate_with(int window, struct str plain, struct buf *out)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&stream, plain.size);
    stream.next_in = (Bytef *)(uintptr_t)plain.data;
    stream.avail_in = (uInt)plain.size;
    stream.next_out = (Bytef *)buf_reserve(out, bound);
    stream.avail_out = (uInt)bound;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    buf_advance(out, bound - stream.avail_out);
    deflateEnd(&stream);
}

enum { GZIP = 31, ZLIB = 15, BARE = -15 };

static void expect_inflated(enum inflate_format format, struct str stored, const char *expected)
{
    for (size_t piece = 1; piece <= 65536; piece *= 16) {
        struct err err = ERR_INIT;
        struct buf out = BUF_INIT(MB);
        assert_int_equal(inflate_all(format, &LIMITS, stored, piece, &out, &err), 0);
        assert_string_equal(buf_text(&out), expected);
        buf_release(&out);
    }
}

static void expect_refused(enum inflate_format format, struct str stored, int class)
{
    for (size_t piece = 1; piece <= 65536; piece *= 256) {
        struct err err = ERR_INIT;
        struct buf out = BUF_INIT(MB);
        assert_int_equal(inflate_all(format, &LIMITS, stored, piece, &out, &err), class);
        assert_true(err.message[0] != '\0');
        buf_release(&out);
    }
}

static void test_formats(void **state)
{
    (void)state;
    struct buf stored = BUF_INIT(MB);
    deflate_with(GZIP, STR("hello, gzip"), &stored);
    expect_inflated(INFLATE_GZIP, buf_str(&stored), "hello, gzip");
    expect_refused(INFLATE_DEFLATE, buf_str(&stored), ERR_TRANSIENT);
    buf_clear(&stored);
    deflate_with(ZLIB, STR("hello, zlib"), &stored);
    expect_inflated(INFLATE_DEFLATE, buf_str(&stored), "hello, zlib");
    expect_refused(INFLATE_GZIP, buf_str(&stored), ERR_TRANSIENT);
    buf_clear(&stored);
    deflate_with(BARE, STR("hello, bare"), &stored);
    expect_inflated(INFLATE_DEFLATE, buf_str(&stored), "hello, bare");
    buf_clear(&stored);
    deflate_with(GZIP, STR(""), &stored);
    expect_inflated(INFLATE_GZIP, buf_str(&stored), "");
    buf_release(&stored);
}

static void test_gzip_with_several_members(void **state)
{
    (void)state;
    struct buf stored = BUF_INIT(MB);
    deflate_with(GZIP, STR("one "), &stored);
    deflate_with(GZIP, STR(""), &stored);
    deflate_with(GZIP, STR("two "), &stored);
    deflate_with(GZIP, STR("three"), &stored);
    expect_inflated(INFLATE_GZIP, buf_str(&stored), "one two three");
    size_t whole = stored.size;
    expect_refused(INFLATE_GZIP, (struct str){stored.data, whole - 3}, ERR_TRANSIENT);
    buf_append(&stored, "\0\0\0\0\0", 5); /* padding of a block device or tar */
    expect_inflated(INFLATE_GZIP, buf_str(&stored), "one two three");
    buf_append(&stored, "x", 1);
    expect_refused(INFLATE_GZIP, buf_str(&stored), ERR_DATA);
    stored.size = whole;
    buf_append(&stored, "\x1f", 1); /* the beginning of another member */
    expect_refused(INFLATE_GZIP, buf_str(&stored), ERR_TRANSIENT);
    stored.size = whole;
    buf_append_text(&stored, "{\"more\":1}");
    expect_refused(INFLATE_GZIP, buf_str(&stored), ERR_DATA);
    buf_release(&stored);
}

static void test_zlib_has_one_member_only(void **state)
{
    (void)state;
    struct buf stored = BUF_INIT(MB);
    deflate_with(ZLIB, STR("one"), &stored);
    deflate_with(ZLIB, STR("two"), &stored);
    expect_refused(INFLATE_DEFLATE, buf_str(&stored), ERR_DATA);
    buf_release(&stored);
}

static void test_a_body_cut_anywhere_is_an_error(void **state)
{
    (void)state;
    struct buf rows = BUF_INIT(MB), stored = BUF_INIT(MB), out = BUF_INIT(MB);
    make_rows(&rows, 3000);
    static const struct {
        int window;
        enum inflate_format format;
    } FORMATS[] = {{GZIP, INFLATE_GZIP}, {ZLIB, INFLATE_DEFLATE}, {BARE, INFLATE_DEFLATE}};
    for (size_t i = 0; i < ARRAY_SIZE(FORMATS); i++) {
        buf_clear(&stored);
        deflate_with(FORMATS[i].window, buf_str(&rows), &stored);
        for (size_t size = 0; size < stored.size; size++) {
            struct err err = ERR_INIT;
            buf_clear(&out);
            assert_int_equal(inflate_all(FORMATS[i].format, &LIMITS, (struct str){stored.data, size}, 500, &out, &err),
                             ERR_TRANSIENT);
            assert_non_null(strstr(err.message, "ends early"));
        }
    }
    buf_release(&rows);
    buf_release(&stored);
    buf_release(&out);
}

/* Every bit of it: nothing wrong may pass as right. Some bits say nothing about the content: the header's time, padding, or
 * which of two equal places is copied from. */
static void test_a_damaged_body_never_gives_other_content(void **state)
{
    (void)state;
    struct buf rows = BUF_INIT(MB), stored = BUF_INIT(MB), out = BUF_INIT(MB);
    make_rows(&rows, 300);
    deflate_with(GZIP, buf_str(&rows), &stored);
    size_t refused = 0;
    for (size_t bit = 0; bit < stored.size * 8; bit++) {
        struct err err = ERR_INIT;
        buf_clear(&out);
        stored.data[bit / 8] = (char)(stored.data[bit / 8] ^ (1 << bit % 8));
        int rc = inflate_all(INFLATE_GZIP, &LIMITS, buf_str(&stored), 4096, &out, &err);
        if (rc == 0) {
            assert_true(str_equal(buf_str(&out), buf_str(&rows)));
        } else {
            refused++;
        }
        stored.data[bit / 8] = (char)(stored.data[bit / 8] ^ (1 << bit % 8));
    }
    assert_true(refused > stored.size * 7);
    buf_release(&rows);
    buf_release(&stored);
    buf_release(&out);
}

static void test_check_sum_and_length_are_compared(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf stored = BUF_INIT(MB), out = BUF_INIT(MB);
    deflate_with(GZIP, STR("checked"), &stored);
    stored.data[stored.size - 8] ^= 1;
    assert_int_equal(inflate_all(INFLATE_GZIP, &LIMITS, buf_str(&stored), 4096, &out, &err), ERR_TRANSIENT);
    assert_non_null(strstr(err.message, "incorrect data check"));
    stored.data[stored.size - 8] ^= 1;
    stored.data[stored.size - 1] ^= 1;
    assert_int_equal(inflate_all(INFLATE_GZIP, &LIMITS, buf_str(&stored), 4096, &out, &err), ERR_TRANSIENT);
    assert_non_null(strstr(err.message, "incorrect length check"));
    buf_release(&stored);
    buf_release(&out);
}

static void make_bomb(size_t size, struct buf *out)
{
    char *zeros = mem_zero(1, size);
    deflate_with(GZIP, (struct str){zeros, size}, out);
    free(zeros);
}

static void test_bombs_are_refused_early(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf stored = BUF_INIT(64 * MB), out = BUF_INIT(64 * MB);
    make_bomb(15 * MB, &stored);
    assert_int_equal(inflate_all(INFLATE_GZIP, &LIMITS, buf_str(&stored), 100, &out, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "200 times"));
    assert_true(out.size <= 2 * MB);
    buf_clear(&out); /* all in one piece: input that was not read yet does not count */
    assert_int_equal(inflate_all(INFLATE_GZIP, &LIMITS, buf_str(&stored), stored.size, &out, &err), ERR_DATA);
    assert_true(out.size <= 4 * MB);
    buf_clear(&out);
    const struct inflate_limits any_ratio = {.output_bytes = 16 * MB};
    assert_int_equal(inflate_all(INFLATE_GZIP, &any_ratio, buf_str(&stored), 100, &out, &err), 0);
    assert_int_equal(out.size, 15 * MB);
    buf_clear(&stored);
    buf_clear(&out);
    make_bomb(MB, &stored); /* small things may have any ratio */
    assert_int_equal(inflate_all(INFLATE_GZIP, &LIMITS, buf_str(&stored), 100, &out, &err), 0);
    buf_release(&stored);
    buf_release(&out);
}

static void test_output_stops_at_the_cap(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf rows = BUF_INIT(MB), stored = BUF_INIT(MB), out = BUF_INIT(MB);
    make_rows(&rows, 300000);
    deflate_with(GZIP, buf_str(&rows), &stored);
    struct inflate_limits limits = {.output_bytes = rows.size};
    assert_int_equal(inflate_all(INFLATE_GZIP, &limits, buf_str(&stored), 1000, &out, &err), 0);
    limits.output_bytes--;
    buf_clear(&out);
    assert_int_equal(inflate_all(INFLATE_GZIP, &limits, buf_str(&stored), 1000, &out, &err), ERR_DATA);
    assert_true(out.size <= limits.output_bytes);
    buf_release(&rows);
    buf_release(&stored);
    buf_release(&out);
}

static void test_input_without_output_ends_too(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf members = BUF_INIT(8 * MB), header = BUF_INIT(8 * MB), out = BUF_INIT(MB);
    const struct inflate_limits limits = {.output_bytes = MB};
    while (members.size < 2 * MB) deflate_with(GZIP, STR(""), &members);
    assert_int_equal(inflate_all(INFLATE_GZIP, &limits, buf_str(&members), 5000, &out, &err), ERR_DATA);
    buf_append(&header, "\x1f\x8b\x08\x08\0\0\0\0\0\x03", 10); /* a file name follows, and never ends */
    while (header.size < 2 * MB) buf_append_text(&header, "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
    assert_int_equal(inflate_all(INFLATE_GZIP, &limits, buf_str(&header), 5000, &out, &err), ERR_DATA);
    assert_int_equal(out.size, 0);
    buf_release(&members);
    buf_release(&header);
}

static int refuse(void *context, const void *data, size_t size, struct err *err)
{
    (void)context, (void)data, (void)size;
    return err_set(err, ERR_NOMEM, "no room");
}

static void test_failure_of_the_sink_is_passed_on(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf stored = BUF_INIT(MB);
    deflate_with(GZIP, STR("anything"), &stored);
    struct inflate *in = inflate_new(INFLATE_GZIP, &LIMITS, refuse, NULL);
    assert_int_equal(inflate_feed(in, stored.data, stored.size, &err), ERR_NOMEM);
    assert_string_equal(err.message, "no room");
    assert_int_equal(inflate_finish(in, &err), ERR_NOMEM);
    inflate_free(in);
    inflate_free(NULL);
    buf_release(&stored);
}

UNIT_TESTS(cmocka_unit_test(test_round_trips), cmocka_unit_test(test_names), cmocka_unit_test(test_full_disk_is_told_and_stays),
           cmocka_unit_test(test_crc32), cmocka_unit_test(test_formats), cmocka_unit_test(test_gzip_with_several_members),
           cmocka_unit_test(test_zlib_has_one_member_only), cmocka_unit_test(test_a_body_cut_anywhere_is_an_error),
           cmocka_unit_test(test_a_damaged_body_never_gives_other_content),
           cmocka_unit_test(test_check_sum_and_length_are_compared), cmocka_unit_test(test_bombs_are_refused_early),
           cmocka_unit_test(test_output_stops_at_the_cap), cmocka_unit_test(test_input_without_output_ends_too),
           cmocka_unit_test(test_failure_of_the_sink_is_passed_on))
