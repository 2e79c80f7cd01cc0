#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "net/http.h"
#include "net/retry.h"

static const struct retry_policy POLICY = {
    .max_tries = 5, .budget_ms = 600000, .base_wait_ms = 500, .max_wait_ms = 60000, .max_retry_after_ms = 3600000};

static struct http_response declaring(int64_t retry_after_ms)
{
    return (struct http_response){.status = 429, .limits = {-1, -1, -1, retry_after_ms}};
}

static void test_draws_waits_that_double(void **state)
{
    (void)state;
    struct retry retry = RETRY_INIT(&POLICY, 1000);
    static const int64_t LONGEST[] = {500, 1000, 2000, 4000};
    for (size_t i = 0; i < ARRAY_SIZE(LONGEST); i++) {
        struct retry copy = retry;
        assert_int_equal(retry_next(&copy, ERR_TRANSIENT, -1, 0, 1000).wait_ms, 0);
        copy = retry;
        assert_int_equal(retry_next(&copy, ERR_TRANSIENT, -1, UINT32_MAX / 2 + 1, 1000).wait_ms, LONGEST[i] / 2);
        struct retry_verdict verdict = retry_next(&retry, ERR_TRANSIENT, -1, UINT32_MAX, 1000);
        assert_true(verdict.again);
        assert_int_equal(verdict.reason, RETRY_BACKOFF);
        assert_int_equal(verdict.wait_ms, LONGEST[i]);
    }
    struct retry_verdict verdict = retry_next(&retry, ERR_TRANSIENT, -1, 0, 1000);
    assert_false(verdict.again);
    assert_int_equal(verdict.reason, RETRY_TRIES_USED);
}

static void test_waits_stay_below_the_maximum(void **state)
{
    (void)state;
    struct retry_policy policy = POLICY;
    policy.max_tries = 1000;
    policy.budget_ms = INT64_MAX / 2;
    struct retry retry = RETRY_INIT(&policy, 0);
    for (int i = 0; i < 998; i++) {
        struct retry_verdict verdict = retry_next(&retry, ERR_TRANSIENT, -1, UINT32_MAX, 0);
        assert_true(verdict.again);
        assert_true(verdict.wait_ms >= 500 && verdict.wait_ms <= 60000);
        if (i > 6) assert_int_equal(verdict.wait_ms, 60000);
    }
}

static void test_only_what_may_heal_is_tried_again(void **state)
{
    (void)state;
    static const int FINAL[] = {ERR_CONFIG, ERR_AUTH, ERR_PERMISSION, ERR_SOURCE, ERR_DATA, ERR_CANCELLED, ERR_BUG};
    for (size_t i = 0; i < ARRAY_SIZE(FINAL); i++) {
        struct retry retry = RETRY_INIT(&POLICY, 0);
        struct http_response response = declaring(5000);
        struct retry_verdict verdict = retry_next(&retry, FINAL[i], limit_facts_wait_ms(&response.limits), 0, 0);
        assert_false(verdict.again);
        assert_int_equal(verdict.reason, RETRY_NOT_RETRYABLE);
    }
}

static void test_never_waits_past_its_budget(void **state)
{
    (void)state;
    struct retry retry = RETRY_INIT(&POLICY, 1000);
    struct retry_verdict verdict = retry_next(&retry, ERR_TRANSIENT, -1, UINT32_MAX, 1000 + 600000 - 500);
    assert_true(verdict.again);
    retry = RETRY_INIT(&POLICY, 1000);
    verdict = retry_next(&retry, ERR_TRANSIENT, -1, UINT32_MAX, 1000 + 600000 - 499);
    assert_false(verdict.again);
    assert_int_equal(verdict.reason, RETRY_BUDGET_USED);
}

static void test_honours_declared_waits_beyond_tries_and_budget(void **state)
{
    (void)state;
    struct retry retry = RETRY_INIT(&POLICY, 0);
    struct http_response response = declaring(120000);
    int64_t now_ms = 0;
    for (int i = 0; i < 30; i++) {
        struct retry_verdict verdict =
            retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), UINT32_MAX, now_ms);
        assert_true(verdict.again);
        assert_int_equal(verdict.reason, RETRY_DECLARED);
        assert_int_equal(verdict.wait_ms, 120000);
        now_ms += verdict.wait_ms;
    }
    struct retry_verdict verdict = retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), 0, now_ms);
    assert_false(verdict.again);
    assert_int_equal(verdict.reason, RETRY_WAIT_TOO_LONG);
    /* The hour that was waited has not used up the ten minutes. */
    assert_true(retry_next(&retry, ERR_TRANSIENT, -1, 0, now_ms).again);
}

static void test_gives_up_when_the_declared_wait_is_too_long(void **state)
{
    (void)state;
    struct retry retry = RETRY_INIT(&POLICY, 0);
    struct http_response response = declaring(3600001);
    assert_int_equal(retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), 0, 0).reason,
                     RETRY_WAIT_TOO_LONG);
    response = declaring(3600000);
    assert_true(retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), 0, 0).again);
}

static void test_a_wait_of_nothing_for_ever_ends(void **state)
{
    (void)state;
    struct retry retry = RETRY_INIT(&POLICY, 0);
    struct http_response response = declaring(0);
    int tries = 1;
    while (retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), UINT32_MAX, 0).again) tries++;
    assert_int_equal(tries, 5);
    retry = RETRY_INIT(&POLICY, 0);
    response = declaring(900);
    assert_int_equal(retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), UINT32_MAX, 0).wait_ms, 900);
    assert_int_equal(retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), UINT32_MAX, 0).wait_ms, 1000);
}

static void test_a_reset_with_nothing_left_is_a_declared_wait(void **state)
{
    (void)state;
    struct retry retry = RETRY_INIT(&POLICY, 0);
    struct http_response response = {.limits = {100, 0, 30000, -1}};
    assert_int_equal(retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), 0, 0).wait_ms, 30000);
    response.limits.remaining = 5;
    assert_int_equal(retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), 0, 0).reason, RETRY_BACKOFF);
}

static void test_every_reason_has_a_text(void **state)
{
    (void)state;
    for (int reason = RETRY_BACKOFF; reason <= RETRY_WAIT_TOO_LONG; reason++)
        assert_true(strlen(retry_reason_text((enum retry_reason)reason)) > 5);
}

UNIT_TESTS(cmocka_unit_test(test_draws_waits_that_double), cmocka_unit_test(test_waits_stay_below_the_maximum),
           cmocka_unit_test(test_only_what_may_heal_is_tried_again), cmocka_unit_test(test_never_waits_past_its_budget),
           cmocka_unit_test(test_honours_declared_waits_beyond_tries_and_budget),
           cmocka_unit_test(test_gives_up_when_the_declared_wait_is_too_long),
           cmocka_unit_test(test_a_wait_of_nothing_for_ever_ends),
           cmocka_unit_test(test_a_reset_with_nothing_left_is_a_declared_wait), cmocka_unit_test(test_every_reason_has_a_text))
