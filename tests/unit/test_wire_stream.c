/* Frames over a socket: whole whatever the pieces, and never waited for longer than asked. */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
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

/* --- system calls that are interrupted or refused --------------------------------------------------------------------------
 */

static volatile sig_atomic_t alarms;
static int other_end = -1;
static const char *last_words; /* what the other end sends at the third alarm; NULL: it goes */
static size_t last_words_size;

static void on_alarm(int number)
{
    (void)number;
    alarms = alarms + 1;
    if (alarms != 3) return;
    if (last_words)
        (void)!write(other_end, last_words, last_words_size);
    else
        close(other_end);
}

/* Every 5 ms, without starting interrupted calls again. */
static void start_alarms(int end, struct str words)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval every = {{0, 5000}, {0, 5000}};
    alarms = 0;
    other_end = end;
    last_words = words.data;
    last_words_size = words.size;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void stop_alarms(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(alarms >= 3);
}

static void test_signals_interrupt_neither_end(void **state)
{
    (void)state;
    static const struct wire_wait WAITS[] = {{.wait_ms = -1}, {.wait_ms = 60000}}; /* in read and send, and in poll */
    struct buf out = BUF_INIT(1000);
    char *large = mem_zero(1, WIRE_MAX_RESULT);
    wire_write_text(&out, WIRE_LOG, 1, STR("late"));
    for (size_t i = 0; i < ARRAY_SIZE(WAITS); i++) {
        struct pair pair = make_pair();
        struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
        struct wire_frame frame;
        struct err err = ERR_INIT;
        start_alarms(pair.theirs, buf_str(&out));
        assert_int_equal(wire_receive(&stream, &frame, WAITS[i], &err), 0);
        stop_alarms();
        start_alarms(pair.theirs, (struct str){NULL, 0});
        assert_int_equal(wire_send(&stream, (struct str){large, WIRE_MAX_RESULT}, WAITS[i], &err), ERR_TRANSIENT);
        stop_alarms();
        wire_stream_release(&stream);
        close(pair.ours);
    }
    free(large);
    buf_release(&out);
}

static void test_a_cancel_ends_a_wait_without_a_deadline(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours);
    struct wire_frame frame;
    struct err err = ERR_INIT;
    struct cancel *cancel = cancel_new(NULL);
    assert_int_equal(write(pair.theirs, "\x06\0\0\0\x07\0\0\0\0\0", 10), 10);
    assert_int_equal(wire_receive(&stream, &frame, (struct wire_wait){.wait_ms = -1, .cancel = cancel}, &err), 0);
    cancel_fire(cancel, CANCEL_ABORT);
    assert_int_equal(wire_receive(&stream, &frame, (struct wire_wait){.wait_ms = -1, .cancel = cancel}, &err), ERR_CANCELLED);
    cancel_free(cancel);
    wire_stream_release(&stream);
    close(pair.ours);
    close(pair.theirs);
}

static void test_a_socket_that_cannot_be_waited_for_or_read_is_an_error(void **state)
{
    (void)state;
    struct pair pair = make_pair();
    struct wire_stream stream = WIRE_STREAM_INIT(pair.ours), none = WIRE_STREAM_INIT(-1);
    struct wire_frame frame;
    struct err err = ERR_INIT;
    struct rlimit limit, nothing;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    nothing = (struct rlimit){0, limit.rlim_max}; /* which poll refuses */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &nothing), 0);
    int rc = wire_receive(&stream, &frame, LONG, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rc, ERR_BUG);
    assert_int_equal(wire_receive(&none, &frame, (struct wire_wait){.wait_ms = -1}, &err), ERR_TRANSIENT);
    wire_stream_release(&stream);
    wire_stream_release(&none);
    close(pair.ours);
    close(pair.theirs);
}

UNIT_TESTS(cmocka_unit_test(test_frames_arrive_whole_from_single_bytes),
           cmocka_unit_test(test_an_end_that_never_reads_stops_the_sender),
           cmocka_unit_test(test_an_end_that_is_gone_is_an_error_and_no_signal), cmocka_unit_test(test_garbage_is_refused),
           cmocka_unit_test(test_an_abort_ends_the_wait), cmocka_unit_test(test_signals_interrupt_neither_end),
           cmocka_unit_test(test_a_cancel_ends_a_wait_without_a_deadline),
           cmocka_unit_test(test_a_socket_that_cannot_be_waited_for_or_read_is_an_error))
