/* The codec: what goes in comes out; nothing that is cut, altered or invented gets past it or past its bounds. */
#include "unit.h"

#include <stdlib.h>

#include "wire/wire.h"

static struct wire_load a_load(void)
{
    return (struct wire_load){.now_us = -5,
                              .seed = UINT64_MAX,
                              .load_cpu_ms = 2000,
                              .call_cpu_ms = 10000,
                              .memory_bytes = 64 << 20,
                              .files = {{STR("init.lua"), STR("return 1")}, {STR("lib/x.lua"), STR("")}},
                              .file_count = 2};
}

static const struct wire_call CALL = {.is_records = true,
                                      .name = {"records", 7},
                                      .map_name = {"map", 3},
                                      .records_path = {"a.b", 3},
                                      .context_json = {"{}", 2},
                                      .page = {"{\"a\":1}", 7}};
static const struct wire_fail FAIL = {
    .kind = WIRE_FAIL_PLUGIN, .message = {"init.lua:3: x", 13}, .traceback = {"stack", 5}, .error = 4, .hint = {"wait", 4}};
static const struct wire_crypto CRYPTO = {WIRE_HMAC, WIRE_BASE64_URL, {"sha256", 6}, {true, {"[1]", 3}}, {false, {"m", 1}}};
static const struct wire_crypto_result CRYPTO_RESULT = {true, {"no", 2}};

/* One frame of each type, one after the other. */
static void write_all(struct buf *out)
{
    struct wire_load load = a_load();
    wire_write_load(out, 1, &load);
    wire_write_text(out, WIRE_DESCRIPTION, 2, STR("{}"));
    wire_write_call(out, 3, &CALL);
    wire_write_text(out, WIRE_RESULT, 4, STR(""));
    wire_write_fail(out, 5, &FAIL);
    wire_write_text(out, WIRE_LOG, 6, STR("line"));
    wire_write_crypto(out, 7, &CRYPTO);
    wire_write_crypto_result(out, 8, &CRYPTO_RESULT);
    assert_false(out->failed);
}

/* Reads a frame as what it says it is. */
static int read_any(const struct wire_frame *frame, struct err *err)
{
    struct wire_load load;
    struct wire_call call;
    struct wire_fail fail;
    struct wire_crypto crypto;
    struct wire_crypto_result result;
    struct str text;
    switch (frame->type) {
    case WIRE_LOAD:
        return wire_read_load(frame, &load, err);
    case WIRE_CALL_VALUE:
    case WIRE_CALL_RECORDS:
        return wire_read_call(frame, &call, err);
    case WIRE_FAIL:
        return wire_read_fail(frame, &fail, err);
    case WIRE_CRYPTO:
        return wire_read_crypto(frame, &crypto, err);
    case WIRE_CRYPTO_RESULT:
        return wire_read_crypto_result(frame, &result, err);
    default:
        return wire_read_text(frame, &text, err);
    }
}

static struct wire_frame take(struct str *bytes)
{
    struct err err = ERR_INIT;
    struct wire_frame frame;
    size_t consumed;
    assert_int_equal(wire_frame_parse(*bytes, &frame, &consumed, &err), 0);
    assert_true(consumed > 0);
    bytes->data += consumed;
    bytes->size -= consumed;
    return frame;
}

#define assert_str(actual, expected) assert_true(str_equal((actual), (expected)))

static void test_every_message_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    write_all(&out);
    struct str bytes = buf_str(&out);
    struct wire_frame frame = take(&bytes);
    struct wire_load load;
    assert_int_equal(wire_read_load(&frame, &load, &err), 0);
    assert_int_equal(frame.id, 1);
    assert_true(load.now_us == -5 && load.seed == UINT64_MAX && load.load_cpu_ms == 2000 && load.call_cpu_ms == 10000);
    assert_int_equal(load.file_count, 2);
    assert_str(load.files[0].name, STR("init.lua"));
    assert_str(load.files[0].bytes, STR("return 1"));
    assert_str(load.files[1].bytes, STR(""));
    struct str text;
    frame = take(&bytes);
    assert_int_equal(wire_read_text(&frame, &text, &err), 0);
    assert_str(text, STR("{}"));
    struct wire_call call;
    frame = take(&bytes);
    assert_int_equal(wire_read_call(&frame, &call, &err), 0);
    assert_true(call.is_records);
    assert_str(call.map_name, CALL.map_name);
    assert_str(call.records_path, CALL.records_path);
    assert_str(call.page, CALL.page);
    take(&bytes);
    struct wire_fail fail;
    frame = take(&bytes);
    assert_int_equal(wire_read_fail(&frame, &fail, &err), 0);
    assert_int_equal(fail.kind, WIRE_FAIL_PLUGIN);
    assert_str(fail.traceback, FAIL.traceback);
    assert_int_equal(fail.error, 4);
    assert_str(fail.hint, FAIL.hint);
    take(&bytes);
    struct wire_crypto crypto;
    frame = take(&bytes);
    assert_int_equal(wire_read_crypto(&frame, &crypto, &err), 0);
    assert_true(crypto.op == WIRE_HMAC && crypto.encoding == WIRE_BASE64_URL && crypto.key.is_parts &&
                !crypto.message.is_parts);
    struct wire_crypto_result result;
    frame = take(&bytes);
    assert_int_equal(wire_read_crypto_result(&frame, &result, &err), 0);
    assert_true(result.failed);
    assert_int_equal(bytes.size, 0);
    buf_release(&out);
}

/* A frame cut anywhere is incomplete, never an error and never a frame; a frame whose length says it ends earlier is refused.
 */
static void test_every_truncation_is_noticed(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    write_all(&out);
    for (struct str bytes = buf_str(&out); bytes.size > 0;) {
        struct str whole = bytes;
        struct wire_frame frame = take(&bytes);
        size_t size = whole.size - bytes.size;
        for (size_t cut = 0; cut < size; cut++) {
            struct err err = ERR_INIT;
            size_t consumed;
            struct wire_frame partial;
            char *copy = mem_alloc(cut + 1); /* exact, so that a sanitizer sees any read behind it */
            memcpy(copy, whole.data, cut);
            assert_int_equal(wire_frame_parse((struct str){copy, cut}, &partial, &consumed, &err), 0);
            assert_int_equal(consumed, 0);
            if (cut >= WIRE_HEADER_BYTES) {
                partial = frame;
                partial.payload = (struct str){copy + WIRE_HEADER_BYTES, cut - WIRE_HEADER_BYTES};
                assert_int_equal(read_any(&partial, &err), ERR_DATA);
                assert_non_null(strstr(err.message, wire_type_name(frame.type)));
            }
            free(copy);
        }
    }
    buf_release(&out);
}

static void test_bytes_behind_the_last_field_are_refused(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    write_all(&out);
    for (struct str bytes = buf_str(&out); bytes.size > 0;) {
        struct wire_frame frame = take(&bytes);
        struct err err = ERR_INIT;
        char *longer = mem_zero(1, frame.payload.size + 1);
        memcpy(longer, frame.payload.data, frame.payload.size);
        frame.payload = (struct str){longer, frame.payload.size + 1};
        assert_int_equal(read_any(&frame, &err), ERR_DATA);
        free(longer);
    }
    buf_release(&out);
}

static void test_frames_that_can_never_be_are_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        const char bytes[9];
        size_t size;
    } BAD[] = {
        {{4, 0, 0, 0}, 4},                                     /* too short for its header */
        {{(char)0xff, (char)0xff, (char)0xff, (char)0xff}, 4}, /* 4 GiB */
        {{0, 0, 16, 1}, 4},                                    /* one byte above 17 MiB with its prefix */
        {{5, 0, 0, 0, 0}, 5},                                  /* type 0 */
        {{5, 0, 0, 0, WIRE_TYPE_END}, 5},                      /* the first unknown type */
        {{5, 0, 0, 0, (char)0xff}, 5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct err err = ERR_INIT;
        struct wire_frame frame;
        size_t consumed;
        assert_int_equal(wire_frame_parse((struct str){BAD[i].bytes, BAD[i].size}, &frame, &consumed, &err), ERR_DATA);
    }
}

static void test_a_frame_over_the_limit_is_never_written(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(WIRE_MAX_BYTES * (size_t)2);
    char *large = mem_zero(1, WIRE_MAX_BYTES);
    wire_write_text(&out, WIRE_RESULT, 1, (struct str){large, WIRE_MAX_BYTES - WIRE_HEADER_BYTES - 4});
    assert_false(out.failed);
    assert_int_equal(out.size, WIRE_MAX_BYTES);
    buf_clear(&out);
    wire_write_text(&out, WIRE_RESULT, 1, (struct str){large, WIRE_MAX_BYTES - WIRE_HEADER_BYTES - 3});
    assert_true(out.failed);
    free(large);
    buf_release(&out);
}

static void test_a_field_over_the_limit_is_never_written(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    const struct wire_fail fail = {
        .kind = WIRE_FAIL_SCRIPT, .message = STR("x"), .traceback = {"", (size_t)WIRE_MAX_BYTES + 1}};
    wire_write_fail(&out, 1, &fail);
    assert_true(out.failed);
    buf_release(&out);
    out = BUF_INIT(16); /* the same for one that is appended in place */
    size_t mark = wire_begin_text(&out, WIRE_RESULT, 1);
    buf_append_text(&out, "more than sixteen bytes");
    wire_end_text(&out, mark);
    assert_true(out.failed);
    buf_release(&out);
    assert_string_equal(wire_type_name(0), "unknown");
    assert_string_equal(wire_type_name(WIRE_TYPE_END), "unknown");
}

static void test_a_message_is_only_read_as_its_own_type(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    struct err err = ERR_INIT;
    struct wire_call call;
    wire_write_text(&out, WIRE_RESULT, 1, STR("x"));
    struct str bytes = buf_str(&out);
    struct wire_frame frame = take(&bytes);
    assert_int_equal(wire_read_call(&frame, &call, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "out of turn"));
    buf_release(&out);
}

static void test_text_in_place_is_the_same_frame(void **state)
{
    (void)state;
    struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);
    wire_write_text(&a, WIRE_RESULT, 9, STR("payload"));
    size_t mark = wire_begin_text(&b, WIRE_RESULT, 9);
    buf_append_text(&b, "pay");
    buf_append_text(&b, "load");
    wire_end_text(&b, mark);
    assert_str(buf_str(&a), buf_str(&b));
    buf_release(&a);
    buf_release(&b);
}

UNIT_TESTS(cmocka_unit_test(test_every_message_comes_out_as_it_went_in), cmocka_unit_test(test_every_truncation_is_noticed),
           cmocka_unit_test(test_bytes_behind_the_last_field_are_refused),
           cmocka_unit_test(test_frames_that_can_never_be_are_refused_at_once),
           cmocka_unit_test(test_a_frame_over_the_limit_is_never_written),
           cmocka_unit_test(test_a_field_over_the_limit_is_never_written),
           cmocka_unit_test(test_a_message_is_only_read_as_its_own_type),
           cmocka_unit_test(test_text_in_place_is_the_same_frame))
