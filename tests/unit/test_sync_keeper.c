/* keeper: what it aborts a sync for, and that nothing keeps it from doing so. */
#include "sync/keeper.h"

#include <poll.h>

#include "net/client.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "unit.h"

/* A destination whose renewal never answers, unless the sync is aborted; or at once. */
struct destination {
    struct cancel *cancel;
    struct cancel *asked; /* fired by the first renewal */
    _Atomic int64_t wait_ms;
    _Atomic int renewals;
};

static int renew_never(struct destination *destination, int64_t wait_ms, struct err *err)
{
    (void)wait_ms;
    cancel_fire(destination->asked, CANCEL_STOP);
    cancel_poll(destination->cancel, CANCEL_ABORT, NULL, 0, -1);
    return err_set(err, ERR_CANCELLED, "aborted");
}

static int renew_at_once(struct destination *destination, int64_t wait_ms, struct err *err)
{
    (void)err;
    atomic_store(&destination->wait_ms, wait_ms);
    atomic_fetch_add(&destination->renewals, 1);
    cancel_fire(destination->asked, CANCEL_STOP);
    return 0;
}

static const struct writer_type PROMPT = {.name = "prompt", .renew = renew_at_once};
static const struct writer_type SILENT = {.name = "silent", .renew = renew_never};

struct fixture {
    struct clock_fake clock;
    struct progress progress;
    struct client_counters http;
    struct destination destination;
    struct cancel *cancel, *reading;
    struct keeper *keeper;
};

/* Time stands still but for what a test advances, and threads look at it a few times a second. */
static void start_with(struct fixture *fixture, const struct writer_type *writer, int64_t renew_ms)
{
    struct err err = ERR_INIT;
    *fixture = (struct fixture){.progress.http = &fixture->http};
    clock_fake_init(&fixture->clock, 0);
    clock_fake_advance(&fixture->clock, 1000);
    fixture->cancel = cancel_new(NULL);
    fixture->reading = cancel_new(fixture->cancel);
    fixture->destination = (struct destination){.cancel = fixture->cancel, .asked = cancel_new(NULL)};
    const struct keeper_options options = {.writer = writer,
                                           .destination = &fixture->destination,
                                           .progress = &fixture->progress,
                                           .cancel = fixture->cancel,
                                           .reading = fixture->reading,
                                           .clock = &fixture->clock.clock,
                                           .stall_ms = 20 * 1000,
                                           .renew_ms = renew_ms};
    assert_int_equal(keeper_start(&options, &fixture->keeper, &err), 0);
}

static void start(struct fixture *fixture, int64_t renew_ms)
{
    start_with(fixture, &SILENT, renew_ms);
}

static void wait_for_abort(struct cancel *cancel)
{
    cancel_poll(cancel, CANCEL_ABORT, NULL, 0, -1); /* a test that hangs here fails by its time limit */
}

static int finish(struct fixture *fixture, struct err *err)
{
    int rc = keeper_stop(fixture->keeper, err);
    cancel_free(fixture->reading);
    cancel_free(fixture->cancel);
    cancel_free(fixture->destination.asked);
    return rc;
}

static void test_lease_that_cannot_be_renewed_aborts_though_the_renewal_hangs(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    start(&fixture, 1);
    atomic_store(&fixture.progress.committing, 1);
    cancel_poll(fixture.destination.asked, CANCEL_STOP, NULL, 0, -1);
    clock_fake_advance(&fixture.clock, KEEPER_LEASE_MS);
    wait_for_abort(fixture.cancel);
    assert_int_equal(finish(&fixture, &err), ERR_DESTINATION);
}

static void test_standstill_aborts_but_not_while_the_destination_is_busy(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    start(&fixture, KEEPER_RENEW_MS);
    atomic_store(&fixture.progress.committing, 1);
    clock_fake_advance(&fixture.clock, 25 * 1000);
    assert_false(cancel_wait_ms(fixture.cancel, 700)); /* it looked more than once */
    atomic_store(&fixture.progress.committing, 0);
    clock_fake_advance(&fixture.clock, 4 * 1000);
    assert_false(cancel_wait_ms(fixture.cancel, 700));
    assert_int_equal(finish(&fixture, &err), 0);

    start(&fixture, KEEPER_RENEW_MS);
    clock_fake_advance(&fixture.clock, 21 * 1000);
    wait_for_abort(fixture.cancel);
    assert_int_equal(finish(&fixture, &err), ERR_STALLED);
}

static void test_a_long_wait_prolongs_the_lease_at_once_and_then_asks_nothing(void **state)
{
    (void)state;
    const int64_t hour_ms = 3600 * 1000;
    struct fixture fixture;
    struct err err = ERR_INIT;
    start_with(&fixture, &PROMPT, 1000 * KEEPER_RENEW_MS); /* renewals that are due by time alone do not come */
    __atomic_store_n(&fixture.http.waiting_until_ms, clock_now_ms(&fixture.clock.clock) + hour_ms, __ATOMIC_RELAXED);
    /* The destination was asked; then the keeper has to take note of it, before time goes on. */
    while (keeper_held_until_ms(fixture.keeper) < clock_now_ms(&fixture.clock.clock) + hour_ms)
        cancel_wait_ms(fixture.cancel, 10);
    assert_int_equal(atomic_load(&fixture.destination.wait_ms), hour_ms);
    clock_fake_advance(&fixture.clock, hour_ms - 1);
    assert_false(cancel_wait_ms(fixture.cancel, 700)); /* the lease holds, and waiting is no standstill */
    assert_int_equal(atomic_load(&fixture.destination.renewals), 1);
    __atomic_store_n(&fixture.http.waiting_until_ms, clock_now_ms(&fixture.clock.clock) + hour_ms, __ATOMIC_RELAXED);
    while (atomic_load(&fixture.destination.renewals) == 1) cancel_wait_ms(fixture.cancel, 10); /* prolonged */
    assert_int_equal(finish(&fixture, &err), 0);
}

static void test_stop_ends_reading_first_and_then_everything(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    start(&fixture, KEEPER_RENEW_MS);
    cancel_fire(fixture.cancel, CANCEL_STOP);
    assert_int_equal(cancel_poll(fixture.reading, CANCEL_ABORT, NULL, 0, 700), 0); /* the page in hand has its time */
    clock_fake_advance(&fixture.clock, KEEPER_STOP_READING_MS);
    wait_for_abort(fixture.reading);
    assert_false(cancel_aborted(fixture.cancel));
    clock_fake_advance(&fixture.clock, KEEPER_STOP_ALL_MS - KEEPER_STOP_READING_MS);
    wait_for_abort(fixture.cancel);
    assert_int_equal(finish(&fixture, &err), 0);
}

UNIT_TESTS(cmocka_unit_test(test_lease_that_cannot_be_renewed_aborts_though_the_renewal_hangs),
           cmocka_unit_test(test_standstill_aborts_but_not_while_the_destination_is_busy),
           cmocka_unit_test(test_a_long_wait_prolongs_the_lease_at_once_and_then_asks_nothing),
           cmocka_unit_test(test_stop_ends_reading_first_and_then_everything))
