/* Several credentials for the same things: which one a request goes with, and what becomes of one that is refused. */
#include "client_bench.h"

#include "net/auth.h"
#include "net/limit.h"

#define TOKENS 3
#define LEFT(n)                                                                                                                \
    "HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: " #n "\r\nX-RateLimit-Reset: 1800003000\r\nContent-Length: 2\r\n\r\nok"
#define BUSY_FOR(s) "HTTP/1.1 429 A\r\nRetry-After: " #s "\r\nContent-Length: 0\r\n\r\n"
#define EXHAUSTED "HTTP/1.1 403 A\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1800000060\r\nContent-Length: 0\r\n\r\n"

static const struct str POOL[TOKENS] = {{"token-a", 7}, {"token-b", 7}, {"token-c", 7}};

/* The first `count` of the tokens, each with the rules. */
static struct bench *bench_of(size_t count, const struct limiter_rule *rules, size_t rule_count)
{
    struct bench *bench = bench_new();
    const struct auth_spec spec = {.kind = AUTH_BEARER, .prefix = STR("Bearer"), .pool = POOL, .pool_count = count};
    const struct auth_options options = {.clock = &bench->fake.clock};
    const struct limiter_options limits = {.rules = rules, .rule_count = rule_count};
    struct credential *list = arena_array(&bench->arena, struct credential, TOKENS);
    for (size_t i = 0; i < count; i++) {
        const struct auth_spec one = auth_of_pool(&spec, i);
        list[i] = (struct credential){0};
        assert_int_equal(auth_new(&one, &options, &list[i].auth, &bench->err), 0);
        assert_int_equal(limiter_new(&limits, &list[i].limiter, &bench->err), 0);
    }
    bench->options.pool = (struct credentials){list, count};
    return bench;
}

/* The requests went with these tokens, in this order: "abc". Closes the bench. */
static void assert_went_with(struct bench *bench, const char *expected)
{
    bench_close(bench);
    assert_int_equal(bench->server.request_count, strlen(expected));
    for (size_t i = 0; expected[i]; i++) {
        char header[64];
        snprintf(header, sizeof header, "Authorization: Bearer token-%c", expected[i]);
        if (!was_sent(&bench->server, i, header)) fail_msg("request %zu did not go with token %c", i, expected[i]);
    }
    bench_free(bench);
}

static void test_the_one_with_the_most_left_is_taken(void **state)
{
    (void)state;
    struct bench *bench = bench_of(3, NULL, 0);
    scripted_say(&bench->server, LEFT(10));
    scripted_say(&bench->server, LEFT(12));
    scripted_say(&bench->server, LEFT(11));
    scripted_say(&bench->server, LEFT(5)); /* b: others use it, too */
    scripted_say(&bench->server, LEFT(9));
    scripted_say(&bench->server, LEFT(9));
    for (int i = 0; i < 6; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(client_counters(bench->client)->pool_left, 9 + 5 + 9);
    assert_went_with(bench, "abcbca");
}

static void test_nothing_known_of_any_they_take_turns(void **state)
{
    (void)state;
    struct bench *bench = bench_of(3, NULL, 0);
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
    for (int i = 0; i < 6; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    assert_went_with(bench, "abcabc");
}

static void test_each_has_the_declared_limit_for_itself(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 2, .per_ms = 10000};
    struct bench *bench = bench_of(2, &RULE, 1);
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
    for (int i = 0; i < 4; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 0);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 10000);
    assert_went_with(bench, "ababa");
}

static void test_a_refusal_rests_one_and_the_next_goes_on_at_once(void **state)
{
    (void)state;
    static const char *const REFUSALS[] = {BUSY_FOR(60), EXHAUSTED};
    for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++) {
        struct bench *bench = bench_of(2, NULL, 0);
        scripted_say(&bench->server, REFUSALS[i]);
        scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
        for (int n = 0; n < 3; n++)
            assert_int_equal(
                bench_send(bench, &(struct http_request){.method = "POST", .url = scripted_url(&bench->server, "/x")}), 0);
        assert_int_equal(bench->fake.slept_ms, 0);
        clock_sleep_ms(&bench->fake.clock, 60000, NULL);
        assert_int_equal(bench_get(bench, "/x"), 0);
        assert_went_with(bench, "abbba");
    }
}

static void test_all_at_rest_the_first_that_is_free_is_waited_for(void **state)
{
    (void)state;
    struct bench *bench = bench_of(3, NULL, 0);
    scripted_say(&bench->server, BUSY_FOR(30));
    scripted_say(&bench->server, BUSY_FOR(20));
    scripted_say(&bench->server, BUSY_FOR(40));
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 20000);
    assert_went_with(bench, "abcb");
}

/* The answers said beforehand that nothing is left: nobody runs into the limit. */
static void test_used_up_before_a_refusal(void **state)
{
    (void)state;
    struct bench *bench = bench_of(2, NULL, 0);
    scripted_say(&bench->server,
                 "HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1800000050\r\nContent-Length: 0\r\n\r\n");
    scripted_say(&bench->server,
                 "HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1800000025\r\nContent-Length: 0\r\n\r\n");
    scripted_say(&bench->server, OK_JSON);
    for (int i = 0; i < 3; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 25000);
    assert_went_with(bench, "abb");
}

static void test_a_rest_that_is_too_long_ends_it_and_says_when_to_come_back(void **state)
{
    (void)state;
    struct bench *bench = bench_of(2, NULL, 0);
    scripted_say(&bench->server, BUSY_FOR(9000));
    scripted_say(&bench->server, BUSY_FOR(7200));
    assert_int_equal(bench_get(bench, "/x"), ERR_RATE_LIMIT);
    assert_int_equal(client_counters(bench->client)->resume_ms, clock_now_ms(&bench->fake.clock) + 7200 * 1000);
    assert_int_equal(bench_get(bench, "/x"), ERR_RATE_LIMIT); /* not sent */
    assert_says(bench, "all credentials are used up, the first one for 2 h");
    assert_int_equal(bench->fake.slept_ms, 0);
    assert_went_with(bench, "ab");
}

static void test_one_that_was_revoked_is_not_used_again(void **state)
{
    (void)state;
    struct bench *bench = bench_of(2, NULL, 0);
    scripted_say(&bench->server, UNAUTHORIZED);
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
    for (int i = 0; i < 3; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    assert_went_with(bench, "abbb");
}

static void test_none_left_is_a_failure_of_the_credentials(void **state)
{
    (void)state;
    struct bench *bench = bench_of(3, NULL, 0);
    scripted_answer(&bench->server, (struct scripted_answer){.text = UNAUTHORIZED, .again = true});
    assert_int_equal(bench_get(bench, "/x"), ERR_AUTH);
    assert_says(bench, "401");
    assert_int_equal(bench_get(bench, "/x"), ERR_AUTH); /* not sent */
    assert_says(bench, "refuses each of the 3 credentials");
    assert_went_with(bench, "abc");
}

/* A source that refuses without a word of when does not send the request round for ever. */
static void test_refusals_without_end_end(void **state)
{
    (void)state;
    struct bench *bench = bench_of(2, NULL, 0);
    bench->options.retry.max_tries = 3;
    scripted_answer(&bench->server,
                    (struct scripted_answer){.text = "HTTP/1.1 429 A\r\nContent-Length: 0\r\n\r\n", .again = true});
    assert_int_equal(bench_get(bench, "/x"), ERR_RATE_LIMIT);
    bench_close(bench);
    assert_in_range(bench->server.request_count, 3, 6);
    bench_free(bench);
}

/* What another host answers, where no credentials went, says nothing of them. */
static void test_a_refusal_elsewhere_is_no_credentials_fault(void **state)
{
    (void)state;
    struct bench *bench = bench_of(2, NULL, 0);
    char away[256];
    snprintf(away, sizeof away, "HTTP/1.1 302 Away\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             scripted_url(&bench->other, "/y"));
    scripted_say(&bench->server, away);
    scripted_say(&bench->other, UNAUTHORIZED);
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), ERR_AUTH);
    for (int i = 0; i < 2; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    bench_close(bench);
    assert_false(was_sent(&bench->other, 0, "Authorization"));
    bool went_with_a = was_sent(&bench->server, 1, "token-a") || was_sent(&bench->server, 2, "token-a");
    bool went_with_b = was_sent(&bench->server, 1, "token-b") || was_sent(&bench->server, 2, "token-b");
    assert_true(went_with_a && went_with_b);
    bench_free(bench);
}

UNIT_TESTS(cmocka_unit_test(test_the_one_with_the_most_left_is_taken),
           cmocka_unit_test(test_nothing_known_of_any_they_take_turns),
           cmocka_unit_test(test_each_has_the_declared_limit_for_itself),
           cmocka_unit_test(test_a_refusal_rests_one_and_the_next_goes_on_at_once),
           cmocka_unit_test(test_all_at_rest_the_first_that_is_free_is_waited_for),
           cmocka_unit_test(test_used_up_before_a_refusal),
           cmocka_unit_test(test_a_rest_that_is_too_long_ends_it_and_says_when_to_come_back),
           cmocka_unit_test(test_one_that_was_revoked_is_not_used_again),
           cmocka_unit_test(test_none_left_is_a_failure_of_the_credentials), cmocka_unit_test(test_refusals_without_end_end),
           cmocka_unit_test(test_a_refusal_elsewhere_is_no_credentials_fault))
