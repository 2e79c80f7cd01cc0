/* Frames over a socket: whole whatever the pieces, and never waited for longer than asked. */
#include "unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/cancel.h"
#include "wire/stream.h"

struct pair {
    int ours, theirs;
};

static struct pair make_pair(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static const struct wire_wait SHORT = {.wait_ms = 20}, LONG = {.wait_ms = 10000};

static void test_frames_arrive_whole_from_single_bytes(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
    struct buf out = BUF_INIT(1000);
    struct err err = ERR_INIT;
    struct wire_frame frame;
    struct str text;
    wire_write_text(&out, WIRE_LOG, 1, STR("first"));
    wire_write_text(&out, WIRE_LOG, 2, STR("second"));
    for (size_t i = 0; i < out.size; i++) {
        if (i < 18) assert_int_equal(wire_receive(&stream, &frame, (struct wire_wait){.wait_ms = 0}, &err), ERR_STALLED);
        assert_int_equal(write(pair.theirs, out.data + i, 1), 1);
    }
    assert_int_equal(wire_receive(&stream, &frame, LONG, &err), 0);
    assert_int_equal(wire_read_text(&frame, &text, &err), 0);
    assert_true(str_equal(text, STR("first")));
    assert_int_equal(wire_receive(&stream, &frame, LONG, &err), 0);
    assert_int_equal(frame.id, 2);
    wire_stream_release(&stream);
    buf_release(&out);
    close(pair.ours);
    close(pair.theirs);
}

static void test_an_end_that_never_reads_stops_the_sender(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
    struct err err = ERR_INIT;
    char *large = mem_zero(1, WIRE_MAX_RESULT);
    assert_int_equal(wire_send(&stream, (struct str){large, WIRE_MAX_RESULT}, SHORT, &err), ERR_STALLED);
    free(large);
    wire_stream_release(&stream);
    close(pair.ours);
    close(pair.theirs);
}

static void test_an_end_that_is_gone_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
    struct err err = ERR_INIT;
    struct wire_frame frame;
    close(pair.theirs);
    assert_int_equal(wire_receive(&stream, &frame, LONG, &err), ERR_TRANSIENT);
    assert_int_equal(wire_send(&stream, STR("x"), LONG, &err), ERR_TRANSIENT);
    wire_stream_release(&stream);
    close(pair.ours);
}

static void test_garbage_is_refused(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
    struct err err = ERR_INIT;
    struct wire_frame frame;
    assert_int_equal(write(pair.theirs, "GET / HTTP/1.1", 14), 14);
    assert_int_equal(wire_receive(&stream, &frame, LONG, &err), ERR_DATA);
    wire_stream_release(&stream);
    close(pair.ours);
    close(pair.theirs);
}

static void test_an_abort_ends_the_wait(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
    struct err err = ERR_INIT;
    struct wire_frame frame;
    struct cancel *cancel = cancel_new(NULL);
    struct wire_wait wait = {.wait_ms = -1, .cancel = cancel};
    cancel_fire(cancel, CANCEL_ABORT);
    assert_int_equal(wire_receive(&stream, &frame, wait, &err), ERR_CANCELLED);
    wire_stream_release(&stream);
    cancel_free(cancel);
    close(pair.ours);
    close(pair.theirs);
}

UNIT_TESTS(cmocka_unit_test(test_frames_arrive_whole_from_single_bytes),
           cmocka_unit_test(test_an_end_that_never_reads_stops_the_sender),
           cmocka_unit_test(test_an_end_that_is_gone_is_an_error_and_no_signal), cmocka_unit_test(test_garbage_is_refused),
           cmocka_unit_test(test_an_abort_ends_the_wait))
