/* The circuit breaker, to the millisecond: when it opens, who probes, what the others are told. */
#include "unit.h"

#include "net/breaker.h"

static const struct str HOST = {"https://a:443", 13}, OTHER = {"https://b:443", 13};

static int64_t wait_ms;

static enum breaker_answer ask(struct breaker *breaker, struct breaker_turn *turn, int64_t now_ms)
{
    wait_ms = 0;
    return breaker_ask(breaker, HOST, turn, now_ms, &wait_ms);
}

static enum breaker_event fail_at(struct breaker *breaker, int64_t now_ms)
{
    struct breaker_turn turn = {0};
    assert_int_equal(ask(breaker, &turn, now_ms), BREAKER_GO);
    return breaker_report(breaker, HOST, &turn, BREAKER_BAD, "answered 503", now_ms);
}

/* Open since 1000. */
static struct breaker *open_breaker(void)
{
    struct breaker *breaker = breaker_new();
    for (int i = 0; i < BREAKER_FAILURES - 1; i++) assert_int_equal(fail_at(breaker, 1000), BREAKER_NOTHING);
    assert_int_equal(fail_at(breaker, 1000), BREAKER_OPENED);
    return breaker;
}

static void test_failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker *breaker = open_breaker();
    struct breaker_turn turn = {0}, other = {0};
    assert_int_equal(ask(breaker, &turn, 1000), BREAKER_WAIT);
    assert_int_equal(wait_ms, BREAKER_OPEN_MS);
    assert_int_equal(ask(breaker, &turn, 1000 + BREAKER_OPEN_MS - 1), BREAKER_WAIT);
    assert_int_equal(wait_ms, 1);
    assert_int_equal(breaker_ask(breaker, OTHER, &other, 1000, &wait_ms), BREAKER_GO); /* other hosts are not concerned */
    breaker_free(breaker);
}

static void test_a_success_between_starts_the_count_anew(void **state)
{
    (void)state;
    struct breaker *breaker = breaker_new();
    struct breaker_turn turn = {0};
    for (int i = 0; i < 3 * BREAKER_FAILURES; i++) {
        assert_int_equal(fail_at(breaker, i), BREAKER_NOTHING);
        if (i % (BREAKER_FAILURES - 1) != BREAKER_FAILURES - 2) continue;
        assert_int_equal(ask(breaker, &turn, i), BREAKER_GO);
        assert_int_equal(breaker_report(breaker, HOST, &turn, BREAKER_GOOD, "", i), BREAKER_NOTHING);
    }
    breaker_free(breaker);
}

static void test_one_probes_and_closes_it_for_all(void **state)
{
    (void)state;
    struct breaker *breaker = open_breaker();
    struct breaker_turn probe = {0}, waiting = {0};
    int64_t now_ms = 1000 + BREAKER_OPEN_MS;
    assert_int_equal(ask(breaker, &waiting, 1000), BREAKER_WAIT);
    assert_int_equal(ask(breaker, &probe, now_ms), BREAKER_GO);
    assert_true(probe.is_probe);
    assert_int_equal(ask(breaker, &waiting, now_ms), BREAKER_WAIT);
    assert_int_equal(wait_ms, BREAKER_PROBE_POLL_MS);
    assert_int_equal(breaker_report(breaker, HOST, &probe, BREAKER_GOOD, "", now_ms + 5), BREAKER_CLOSED);
    assert_int_equal(ask(breaker, &waiting, now_ms + 5), BREAKER_GO);
    assert_false(waiting.is_probe);
    assert_int_equal(fail_at(breaker, now_ms + 6), BREAKER_NOTHING); /* the count is at zero again */
    breaker_free(breaker);
}

static void test_a_probe_that_fails_is_a_try_of_all_who_waited(void **state)
{
    (void)state;
    struct breaker *breaker = open_breaker();
    struct breaker_turn probe = {0}, waiting = {0}, later = {0};
    int64_t now_ms = 1000 + BREAKER_OPEN_MS;
    assert_int_equal(ask(breaker, &waiting, 1000), BREAKER_WAIT);
    assert_int_equal(ask(breaker, &probe, now_ms), BREAKER_GO);
    assert_int_equal(breaker_report(breaker, HOST, &probe, BREAKER_BAD, "could not connect", now_ms + 10), BREAKER_OPENED);
    assert_int_equal(ask(breaker, &waiting, now_ms + 10), BREAKER_FAILED);
    assert_int_equal(waiting.failures, BREAKER_FAILURES + 1);
    assert_string_equal(waiting.reason, "could not connect");
    assert_int_equal(ask(breaker, &later, now_ms + 10), BREAKER_WAIT);
    assert_int_equal(wait_ms, BREAKER_OPEN_MS);
    breaker_free(breaker);
}

static void test_a_probe_that_was_not_sent_leaves_the_place_to_the_next(void **state)
{
    (void)state;
    struct breaker *breaker = open_breaker();
    struct breaker_turn probe = {0}, next = {0};
    int64_t now_ms = 1000 + BREAKER_OPEN_MS;
    assert_int_equal(ask(breaker, &probe, now_ms), BREAKER_GO);
    assert_int_equal(breaker_report(breaker, HOST, &probe, BREAKER_UNKNOWN, "", now_ms), BREAKER_NOTHING);
    assert_int_equal(ask(breaker, &next, now_ms), BREAKER_GO);
    assert_true(next.is_probe);
    breaker_free(breaker);
}

static void test_what_was_under_way_when_it_opened(void **state)
{
    (void)state;
    struct breaker *breaker = breaker_new();
    struct breaker_turn slow[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) assert_int_equal(ask(breaker, &slow[i], 1000), BREAKER_GO);
    for (int i = 0; i < BREAKER_FAILURES; i++) fail_at(breaker, 1000);
    assert_int_equal(breaker_report(breaker, HOST, &slow[0], BREAKER_BAD, "", 9000), BREAKER_NOTHING); /* opens it no longer */
    struct breaker_turn waiting = {0};
    assert_int_equal(ask(breaker, &waiting, 9000), BREAKER_WAIT);
    assert_int_equal(wait_ms, BREAKER_OPEN_MS - 8000);
    assert_int_equal(breaker_report(breaker, HOST, &slow[1], BREAKER_GOOD, "", 9000), BREAKER_CLOSED); /* proof enough */
    assert_int_equal(ask(breaker, &waiting, 9000), BREAKER_GO);
    breaker_free(breaker);
}

static void test_a_host_that_stays_away_is_given_up(void **state)
{
    (void)state;
    struct breaker *breaker = open_breaker();
    int64_t now_ms = 1000;
    struct breaker_turn waiting, probe = {0};
    for (int i = 0; i < BREAKER_PROBES; i++) {
        waiting = (struct breaker_turn){0};
        assert_int_equal(ask(breaker, &waiting, now_ms), BREAKER_WAIT);
        now_ms += BREAKER_OPEN_MS;
        assert_int_equal(fail_at(breaker, now_ms), BREAKER_OPENED);
    }
    assert_int_equal(ask(breaker, &waiting, now_ms), BREAKER_GIVEN_UP);
    waiting = (struct breaker_turn){0};
    assert_int_equal(ask(breaker, &waiting, now_ms + BREAKER_OPEN_MS - 1), BREAKER_GIVEN_UP); /* nobody waits any more */
    now_ms += BREAKER_OPEN_MS;
    assert_int_equal(ask(breaker, &probe, now_ms), BREAKER_GO); /* but it may still come back */
    assert_int_equal(ask(breaker, &waiting, now_ms), BREAKER_GIVEN_UP);
    assert_int_equal(breaker_report(breaker, HOST, &probe, BREAKER_GOOD, "", now_ms), BREAKER_CLOSED);
    assert_int_equal(ask(breaker, &waiting, now_ms), BREAKER_GO);
    for (int i = 0; i < BREAKER_FAILURES; i++) fail_at(breaker, now_ms);
    assert_int_equal(ask(breaker, &waiting, now_ms), BREAKER_WAIT); /* and is waited for again then */
    breaker_free(breaker);
}

/* A probe asks again after its turn in the rate limit; who is no probe may find that it has opened. */
static void test_asking_again_before_sending(void **state)
{
    (void)state;
    struct breaker *breaker = breaker_new();
    struct breaker_turn queued = {0}, probe = {0}, other = {0};
    assert_int_equal(ask(breaker, &queued, 0), BREAKER_GO);
    for (int i = 0; i < BREAKER_FAILURES; i++) fail_at(breaker, 0);
    assert_int_equal(ask(breaker, &queued, 0), BREAKER_WAIT);
    assert_int_equal(ask(breaker, &probe, BREAKER_OPEN_MS), BREAKER_GO);
    assert_int_equal(ask(breaker, &probe, BREAKER_OPEN_MS + 5000), BREAKER_GO);
    assert_int_equal(ask(breaker, &other, BREAKER_OPEN_MS + 5000), BREAKER_WAIT);
    breaker_free(breaker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_in_a_row_open_it),
        cmocka_unit_test(test_a_success_between_starts_the_count_anew),
        cmocka_unit_test(test_one_probes_and_closes_it_for_all),
        cmocka_unit_test(test_a_probe_that_fails_is_a_try_of_all_who_waited),
        cmocka_unit_test(test_a_probe_that_was_not_sent_leaves_the_place_to_the_next),
        cmocka_unit_test(test_what_was_under_way_when_it_opened),
        cmocka_unit_test(test_a_host_that_stays_away_is_given_up),
        cmocka_unit_test(test_asking_again_before_sending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
