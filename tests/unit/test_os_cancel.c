/* cancel, clock and thread: levels go down the tree and never back, waiting ends at once, a fake clock moves only when told. */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

enum { LONG_MS = 50 * 1000 }; /* the test program is ended long before */

static bool is_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

static void test_firing_reaches_all_below_and_none_above(void **state)
{
    (void)state;
    struct cancel *root = cancel_new(NULL), *middle = cancel_new(root), *leaf = cancel_new(middle), *sibling = cancel_new(root);
    assert_int_equal(cancel_level(leaf), CANCEL_NONE);
    cancel_fire(middle, CANCEL_STOP);
    assert_int_equal(cancel_level(root), CANCEL_NONE);
    assert_int_equal(cancel_level(sibling), CANCEL_NONE);
    assert_int_equal(cancel_level(middle), CANCEL_STOP);
    assert_int_equal(cancel_level(leaf), CANCEL_STOP);
    assert_true(cancel_stopping(leaf));
    assert_false(cancel_aborted(leaf));
    cancel_fire(root, CANCEL_ABORT);
    assert_true(cancel_aborted(leaf));
    assert_true(cancel_aborted(sibling));
    cancel_free(sibling);
    cancel_free(leaf);
    cancel_free(middle);
    cancel_free(root);
}

static void test_level_is_never_lowered(void **state)
{
    (void)state;
    struct cancel *cancel = cancel_new(NULL);
    cancel_fire(cancel, CANCEL_ABORT);
    cancel_fire(cancel, CANCEL_STOP);
    cancel_fire(cancel, CANCEL_NONE);
    assert_int_equal(cancel_level(cancel), CANCEL_ABORT);
    cancel_free(cancel);
}

static void test_no_token_never_fires(void **state)
{
    (void)state;
    assert_int_equal(cancel_level(NULL), CANCEL_NONE);
    assert_false(cancel_stopping(NULL));
    assert_false(cancel_wait_ms(NULL, 1));
    cancel_free(NULL);
}

static void test_descriptor_tells_of_every_level_above(void **state)
{
    (void)state;
    struct cancel *root = cancel_new(NULL), *middle = cancel_new(root), *leaf = cancel_new(middle);
    int fd = cancel_fd(leaf);
    assert_int_equal(cancel_fd(leaf), fd);
    assert_false(is_readable(fd));
    assert_false(is_readable(cancel_fd(root)));
    cancel_fire(root, CANCEL_STOP);
    assert_true(is_readable(fd));
    assert_true(is_readable(fd)); /* and stays so */
    assert_true(is_readable(cancel_fd(root)));
    cancel_free(leaf);
    cancel_free(middle);
    cancel_free(root);
}

static void test_abort_at_once_is_a_stop_as_well(void **state)
{
    (void)state;
    struct cancel *root = cancel_new(NULL), *leaf = cancel_new(root);
    cancel_fire(root, CANCEL_ABORT);
    assert_true(is_readable(cancel_fd(leaf)));
    assert_true(cancel_wait_ms(leaf, LONG_MS));
    cancel_free(leaf);
    cancel_free(root);
}

static void test_wait_without_firing_ends_with_the_time(void **state)
{
    (void)state;
    struct cancel *cancel = cancel_new(NULL);
    int64_t before_ms = clock_now_ms(clock_system());
    assert_false(cancel_wait_ms(cancel, 5));
    assert_true(clock_now_ms(clock_system()) - before_ms >= 4);
    assert_false(cancel_wait_ms(cancel, -1)); /* a time that is over is no time */
    cancel_free(cancel);
}

static void test_poll_tells_ready_from_fired_from_late(void **state)
{
    (void)state;
    struct cancel *cancel = cancel_new(NULL);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct pollfd input = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(cancel_poll(cancel, CANCEL_ABORT, &input, 1, 0), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(cancel_poll(cancel, CANCEL_ABORT, &input, 1, LONG_MS), 1);
    assert_true(input.revents & POLLIN);
    cancel_fire(cancel, CANCEL_STOP); /* below the level asked for */
    assert_int_equal(cancel_poll(cancel, CANCEL_ABORT, &input, 1, LONG_MS), 1);
    assert_int_equal(cancel_poll(cancel, CANCEL_STOP, &input, 1, LONG_MS), CANCEL_FIRED);
    cancel_fire(cancel, CANCEL_ABORT);
    assert_int_equal(cancel_poll(cancel, CANCEL_ABORT, &input, 1, -1), CANCEL_FIRED);
    close(ends[0]);
    close(ends[1]);
    cancel_free(cancel);
}

struct waiter {
    struct cancel *cancel;
    bool fired;
};

static void wait_long(void *context)
{
    struct waiter *waiter = context;
    waiter->fired = cancel_wait_ms(waiter->cancel, LONG_MS);
}

static void test_firing_wakes_waiting_threads(void **state)
{
    (void)state;
    struct cancel *root = cancel_new(NULL);
    struct waiter waiters[4];
    struct thread threads[4] = {0};
    struct err err = ERR_INIT;
    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){cancel_new(root), false};
        assert_int_equal(thread_start(&threads[i], "a name that is much too long", wait_long, &waiters[i], 0, &err), 0);
    }
    cancel_fire(root, CANCEL_STOP);
    for (int i = 0; i < 4; i++) {
        thread_join(&threads[i]);
        thread_join(&threads[i]); /* joined already: nothing */
        assert_true(waiters[i].fired);
        cancel_free(waiters[i].cancel);
    }
    cancel_free(root);
}

static void test_a_thread_that_cannot_start_says_so(void **state)
{
    (void)state;
    struct thread thread = {0};
    struct err err = ERR_INIT;
    assert_int_equal(thread_start(&thread, "huge", wait_long, NULL, (size_t)1 << 50, &err), ERR_TRANSIENT);
    assert_non_null(strstr(err.message, "'huge'"));
    thread_join(&thread); /* was not started: nothing */
}

static struct cancel *fired_by_handler; /* a handler has no other way to know it */

static void fire_in_handler(int number)
{
    (void)number;
    cancel_fire(fired_by_handler, CANCEL_STOP);
}

static void test_firing_in_a_signal_handler(void **state)
{
    (void)state;
    fired_by_handler = cancel_new(NULL);
    struct sigaction action = {.sa_handler = fire_in_handler}, before;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    alarm(1);
    assert_true(cancel_wait_ms(fired_by_handler, LONG_MS));
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    cancel_free(fired_by_handler);
}

static void test_system_clock_moves_and_its_sleep_can_be_ended(void **state)
{
    (void)state;
    struct clock *clock = clock_system();
    assert_true(clock_wall_us(clock) > INT64_C(1700000000000000));
    int64_t before_ms = clock_now_ms(clock);
    assert_true(clock_sleep_ms(clock, 3, NULL));
    assert_true(clock_now_ms(clock) > before_ms);
    struct cancel *cancel = cancel_new(NULL);
    cancel_fire(cancel, CANCEL_STOP);
    assert_false(clock_sleep_ms(clock, LONG_MS, cancel));
    cancel_free(cancel);
}

static void test_fake_clock_moves_only_when_told(void **state)
{
    (void)state;
    struct clock_fake fake;
    clock_fake_init(&fake, 1000000);
    assert_int_equal(clock_wall_us(&fake.clock), 1000000);
    int64_t start_ms = clock_now_ms(&fake.clock);
    assert_int_equal(clock_now_ms(&fake.clock), start_ms);
    clock_fake_advance(&fake, 250);
    assert_int_equal(clock_now_ms(&fake.clock), start_ms + 250);
    assert_true(clock_sleep_ms(&fake.clock, 3600 * 1000, NULL));
    assert_int_equal(clock_now_ms(&fake.clock), start_ms + 250 + 3600 * 1000);
    assert_int_equal(clock_wall_us(&fake.clock), 1000000 + INT64_C(3600250) * 1000);
    assert_int_equal(fake.slept_ms, 3600 * 1000);

    struct cancel *cancel = cancel_new(NULL);
    cancel_fire(cancel, CANCEL_STOP);
    assert_false(clock_sleep_ms(&fake.clock, 1000, cancel));
    assert_int_equal(fake.slept_ms, 3600 * 1000);
    cancel_free(cancel);
}

UNIT_TESTS(cmocka_unit_test(test_firing_reaches_all_below_and_none_above), cmocka_unit_test(test_level_is_never_lowered),
           cmocka_unit_test(test_no_token_never_fires), cmocka_unit_test(test_descriptor_tells_of_every_level_above),
           cmocka_unit_test(test_abort_at_once_is_a_stop_as_well),
           cmocka_unit_test(test_wait_without_firing_ends_with_the_time),
           cmocka_unit_test(test_poll_tells_ready_from_fired_from_late), cmocka_unit_test(test_firing_wakes_waiting_threads),
           cmocka_unit_test(test_a_thread_that_cannot_start_says_so), cmocka_unit_test(test_firing_in_a_signal_handler),
           cmocka_unit_test(test_system_clock_moves_and_its_sleep_can_be_ended),
           cmocka_unit_test(test_fake_clock_moves_only_when_told))
