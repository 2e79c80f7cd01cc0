/* Packed bodies: gzip files, and ZIP archives as real programs write them, fed in pieces of any size. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "os/unpack.h"

static int collect(void *context, const void *data, size_t size, struct err *err)
{
    (void)err;
    buf_append(context, data, size);
    return 0;
}

/* Little-endian. */
static void put(struct buf *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) buf_append_char(out, (char)(value >> (8 * i) & 0xff));
}

struct entry {
    const char *name, *text;
    bool stored;
    int descriptor; /* 0: none; 1: with its signature, 2: without, 3: ZIP64 */
};

static void add_entry(struct buf *out, const struct entry *entry)
{
    unsigned char packed[4096];
    size_t size = strlen(entry->text), packed_size = size;
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)entry->text, (uInt)size);
    memcpy(packed, entry->text, size);
    if (!entry->stored) {
        z_stream stream = {0};
        assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (Bytef *)(uintptr_t)entry->text, stream.avail_in = (uInt)size;
        stream.next_out = packed, stream.avail_out = sizeof packed;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        packed_size = stream.total_out;
        deflateEnd(&stream);
    }
    put(out, 0x04034b50, 4), put(out, 20, 2), put(out, entry->descriptor ? 8 : 0, 2), put(out, entry->stored ? 0 : 8, 2);
    put(out, 0, 4);
    bool told = !entry->descriptor;
    put(out, told ? crc : 0, 4), put(out, told ? packed_size : 0, 4), put(out, told ? size : 0, 4);
    put(out, strlen(entry->name), 2), put(out, 5, 2);
    buf_append_text(out, entry->name);
    buf_append_text(out, "extra");
    buf_append(out, packed, packed_size);
    if (entry->descriptor == 1 || entry->descriptor == 3) put(out, 0x08074b50, 4);
    if (entry->descriptor) {
        unsigned bytes = entry->descriptor == 3 ? 8 : 4;
        put(out, crc, 4), put(out, packed_size, bytes), put(out, size, bytes);
    }
}

static void end_archive(struct buf *out)
{
    put(out, 0x02014b50, 4);
    for (int i = 0; i < 42; i++) buf_append_char(out, 0);
    put(out, 0x06054b50, 4);
    for (int i = 0; i < 18; i++) buf_append_char(out, 0);
}

static int unpack(enum unpack_format format, struct str body, size_t piece, struct buf *out, struct err *err)
{
    const struct inflate_limits limits = {1 << 20, 200};
    struct unpack *in = unpack_new(format, &limits, collect, out);
    int rc = 0;
    buf_clear(out);
    for (size_t at = 0; at < body.size && rc == 0; at += piece)
        rc = unpack_feed(in, body.data + at, piece < body.size - at ? piece : body.size - at, err);
    if (rc == 0) rc = unpack_finish(in, err);
    unpack_free(in);
    return rc;
}

static void one_file_comes_out_whatever_the_pieces(void **state)
{
    static const char TEXT[] = "id,name\n1,Ann\n2,Bob\n3,Bob\n4,Bob\n";
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct buf archive = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        add_entry(&archive, &(struct entry){.name = "folder/", .text = "", .stored = true});
        add_entry(&archive, &(struct entry){"folder/a.csv", TEXT, kind == 4, kind % 4});
        end_archive(&archive);
        for (size_t piece = 1; piece < archive.size + 7; piece += 6) {
            if (unpack(UNPACK_ZIP, buf_str(&archive), piece, &out, &err) != 0) fail_msg("%d: %s", kind, err.message);
            assert_string_equal(buf_text(&out), TEXT);
        }
        for (size_t size = 0; size < archive.size; size++) /* cut anywhere */
            assert_int_equal(unpack(UNPACK_ZIP, (struct str){archive.data, size}, 11, &out, &err), ERR_TRANSIENT);
        for (size_t at = 74; at < archive.size - 68 && kind != 4; at++) { /* damaged in data or descriptor */
            archive.data[at] ^= 0x10;
            int rc = unpack(UNPACK_ZIP, buf_str(&archive), 13, &out, &err);
            if (rc == 0) assert_string_equal(buf_text(&out), TEXT); /* a compressed size is not asked */
            archive.data[at] ^= 0x10;
        }
        buf_release(&archive);
        buf_release(&out);
    }
}

static void other_archives_are_refused(void **state)
{
    struct buf archive = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    (void)state;
    end_archive(&archive);
    assert_int_equal(unpack(UNPACK_ZIP, buf_str(&archive), 100, &out, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "no file in it"));
    buf_clear(&archive);
    add_entry(&archive, &(struct entry){.name = "a", .text = "1"});
    add_entry(&archive, &(struct entry){.name = "b", .text = "2"});
    end_archive(&archive);
    assert_int_equal(unpack(UNPACK_ZIP, buf_str(&archive), 100, &out, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "more than one file"));
    archive.data[6] |= 1;
    assert_int_equal(unpack(UNPACK_ZIP, buf_str(&archive), 100, &out, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "encrypted"));
    assert_int_equal(unpack(UNPACK_ZIP, STR("<html>busy</html>"), 100, &out, &err), ERR_TRANSIENT);
    buf_release(&archive);
    buf_release(&out);
}

static void bombs_do_not_go_off(void **state)
{
    struct buf archive = BUF_INIT(1 << 20), out = BUF_INIT(8 << 20);
    struct err err = ERR_INIT;
    uLongf size = 64 * 1024;
    (void)state;
    Bytef *zeros = mem_zero(8, 1 << 20), *packed = mem_alloc(size);
    assert_int_equal(compress2(packed, &size, zeros, 8 << 20, 9), Z_OK);
    put(&archive, 0x04034b50, 4), put(&archive, 20, 2), put(&archive, 8, 2), put(&archive, 8, 2), put(&archive, 0, 4);
    for (int i = 0; i < 12; i++) buf_append_char(&archive, 0);
    put(&archive, 1, 2), put(&archive, 0, 2), buf_append_char(&archive, 'a');
    buf_append(&archive, packed + 2, size - 6);
    assert_int_equal(unpack(UNPACK_ZIP, buf_str(&archive), 512, &out, &err), ERR_DATA);
    assert_true(out.size <= 1 << 20);
    free(zeros);
    free(packed);
    buf_release(&archive);
    buf_release(&out);
}

static void gzip_is_unpacked_where_it_is_gzip(void **state)
{
    unsigned char packed[256];
    struct buf out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    z_stream stream = {0};
    (void)state;
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t) "{\"a\":1}", stream.avail_in = 7;
    stream.next_out = packed, stream.avail_out = sizeof packed;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    struct str body = {(const char *)packed, stream.total_out};
    deflateEnd(&stream);
    for (size_t piece = 1; piece < 9; piece++) {
        assert_int_equal(unpack(UNPACK_GZIP, body, piece, &out, &err), 0);
        assert_string_equal(buf_text(&out), "{\"a\":1}");
        assert_int_equal(unpack(UNPACK_GZIP, STR("{\"b\":2}"), piece, &out, &err), 0);
        assert_string_equal(buf_text(&out), "{\"b\":2}");
    }
    assert_int_equal(unpack(UNPACK_GZIP, STR("1"), 1, &out, &err), 0);
    assert_string_equal(buf_text(&out), "1");
    body.size -= 3;
    assert_int_equal(unpack(UNPACK_GZIP, body, 5, &out, &err), ERR_TRANSIENT);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file_comes_out_whatever_the_pieces),
        cmocka_unit_test(other_archives_are_refused),
        cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(gzip_is_unpacked_where_it_is_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
