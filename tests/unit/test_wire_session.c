/* The frames of a native plugin: what goes in comes out, and nothing that is cut or does not fit together gets past. */
#include "unit.h"

#include "wire/session.h"

#define assert_str(actual, expected) assert_true(str_equal((actual), (expected)))

static struct wire_frame frame_of(const struct buf *out)
{
    struct err err = ERR_INIT;
    struct wire_frame frame;
    size_t consumed;
    assert_false(out->failed);
    assert_int_equal(wire_frame_parse(buf_str(out), &frame, &consumed, &err), 0);
    assert_int_equal(consumed, out->size);
    return frame;
}

/* A copy of the frame without its last bytes is refused, whatever is cut. */
static void refuses_every_cut(const struct buf *out, int (*read)(const struct wire_frame *, struct err *))
{
    for (size_t size = 0; size + WIRE_HEADER_BYTES < out->size; size++) {
        struct err err = ERR_INIT;
        struct wire_frame frame = frame_of(out);
        frame.payload.size = size;
        assert_int_equal(read(&frame, &err), ERR_DATA);
    }
}

static int read_plugin(const struct wire_frame *frame, struct err *err)
{
    struct wire_plugin plugin;
    return wire_read_plugin(frame, &plugin, err);
}

static int read_rows(const struct wire_frame *frame, struct err *err)
{
    struct wire_rows rows;
    return wire_read_rows(frame, &rows, err);
}

static void test_what_a_plugin_may_comes_out_as_it_went_in(void **state)
{
    (void)state;
    const struct wire_plugin sent = {.profile = 2,
                                     .inspects = true,
                                     .load_cpu_ms = 2000,
                                     .call_cpu_ms = 10000,
                                     .ports = {5432, 65535},
                                     .port_count = 2,
                                     .paths = {STR("/data")},
                                     .path_count = 1};
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    struct wire_plugin got;
    struct err err = ERR_INIT;
    wire_write_plugin(&out, 3, &sent);
    struct wire_frame frame = frame_of(&out);
    assert_int_equal(wire_read_plugin(&frame, &got, &err), 0);
    assert_true(got.profile == 2 && got.inspects && !got.traces && got.port_count == 2 && got.ports[1] == 65535);
    assert_str(got.paths[0], STR("/data"));
    refuses_every_cut(&out, read_plugin);
    buf_release(&out);
}

static void test_a_slice_says_what_is_there_and_what_is_not(void **state)
{
    (void)state;
    const struct wire_open sent = {.config = {{STR("url"), STR("x")}},
                                   .config_count = 1,
                                   .stream = STR("orders"),
                                   .has_state = true,
                                   .state = STR(""),
                                   .tables = STR("[]"),
                                   .now_us = -1,
                                   .continuous = true,
                                   .parses = true};
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    struct wire_open got;
    struct err err = ERR_INIT;
    wire_write_open(&out, WIRE_OPEN, 3, &sent);
    struct wire_frame frame = frame_of(&out);
    assert_int_equal(wire_read_open(&frame, &got, &err), 0);
    assert_true(got.has_state && got.state.size == 0 && !got.has_from && !got.has_to && !got.has_values);
    assert_true(got.continuous && got.parses && !got.incremental && !got.sample && got.now_us == -1);
    assert_str(got.config[0].name, STR("url"));
    buf_release(&out);
}

static void test_rows_whose_parts_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct wire_rows rows = {.operations = STR("\0\0"), .tables = STR("\0\0\0\0"), .values = STR("0123456789abcdef")};
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    struct wire_rows got;
    struct err err = ERR_INIT;
    wire_write_rows(&out, 3, &rows);
    struct wire_frame frame = frame_of(&out);
    assert_int_equal(wire_read_rows(&frame, &got, &err), 0);
    assert_true(got.operations.size == 2 && !got.has_more && !got.has_checkpoint);
    refuses_every_cut(&out, read_rows);
    rows.tables.size = 3;
    buf_clear(&out);
    wire_write_rows(&out, 3, &rows);
    frame = frame_of(&out);
    assert_int_equal(wire_read_rows(&frame, &got, &err), ERR_DATA);
    rows.tables.size = 4;
    rows.values.size = 15;
    buf_clear(&out);
    wire_write_rows(&out, 3, &rows);
    frame = frame_of(&out);
    assert_int_equal(wire_read_rows(&frame, &got, &err), ERR_DATA);
    buf_release(&out);
}

static void test_addresses_are_no_longer_than_addresses_are(void **state)
{
    (void)state;
    char text[WIRE_ADDRESS_BYTES];
    memset(text, '1', sizeof text);
    struct wire_resolved resolved = {.addresses = {{text, sizeof text - 1}}, .count = 1};
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    struct wire_resolved got;
    struct err err = ERR_INIT;
    wire_write_resolved(&out, 3, &resolved);
    struct wire_frame frame = frame_of(&out);
    assert_int_equal(wire_read_resolved(&frame, &got, &err), 0);
    resolved.addresses[0].size++;
    buf_clear(&out);
    wire_write_resolved(&out, 3, &resolved);
    frame = frame_of(&out);
    assert_int_equal(wire_read_resolved(&frame, &got, &err), ERR_DATA);
    buf_release(&out);
}

UNIT_TESTS(cmocka_unit_test(test_what_a_plugin_may_comes_out_as_it_went_in),
           cmocka_unit_test(test_a_slice_says_what_is_there_and_what_is_not),
           cmocka_unit_test(test_rows_whose_parts_do_not_fit_are_refused),
           cmocka_unit_test(test_addresses_are_no_longer_than_addresses_are))
