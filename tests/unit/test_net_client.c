/* The client's patience: what is tried again, what is waited for, and what is said in the end. Waits go by a fake clock. */
#include "client_bench.h"

#include "net/limit.h"

/* --- statuses and retries ------------------------------------------------------------------------ */

static void test_refusals_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int class;
    } CASES[] = {
        {"HTTP/1.1 400 A\r\nContent-Length: 0\r\n\r\n", ERR_SOURCE},
        {"HTTP/1.1 401 A\r\nContent-Length: 0\r\n\r\n", ERR_AUTH},
        {"HTTP/1.1 403 A\r\nContent-Length: 0\r\n\r\n", ERR_PERMISSION},
        {"HTTP/1.1 404 A\r\nContent-Length: 0\r\n\r\n", ERR_SOURCE},
        {"HTTP/1.1 408 A\r\nContent-Length: 0\r\n\r\n", ERR_TRANSIENT},
        {"HTTP/1.1 410 A\r\nContent-Length: 0\r\n\r\n", ERR_SOURCE},
        {"HTTP/1.1 422 A\r\nContent-Length: 0\r\n\r\n", ERR_SOURCE},
        {"HTTP/1.1 425 A\r\nContent-Length: 0\r\n\r\n", ERR_TRANSIENT},
        {"HTTP/1.1 429 A\r\nContent-Length: 0\r\n\r\n", ERR_RATE_LIMIT},
        {"HTTP/1.1 500 A\r\nContent-Length: 0\r\n\r\n", ERR_TRANSIENT},
        {"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n", ERR_TRANSIENT},
        {"HTTP/1.1 304 A\r\n\r\n", ERR_SOURCE},
        {"HTTP/1.1 302 A\r\nContent-Length: 0\r\n\r\n", ERR_SOURCE}, /* to nowhere */
        {"HTTP/1.1 403 A\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 9000\r\nContent-Length: 0\r\n\r\n", ERR_RATE_LIMIT},
        {"HTTP/1.1 403 A\r\nX-RateLimit-Remaining: 5\r\nX-RateLimit-Reset: 9000\r\nContent-Length: 0\r\n\r\n", ERR_PERMISSION},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_class(CASES[i].answer, SCRIPTED_KEEP, CASES[i].class, "the source answered");
}

static void test_a_burst_of_failures_is_survived(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    for (int i = 0; i < 4; i++) scripted_say(&bench->server, BUSY);
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_body(bench, "{\"orders\":[]}");
    assert_int_equal(client_counters(bench->client)->retries, 4);
    assert_int_equal(client_counters(bench->client)->waiting_until_ms, 0);
    assert_null(client_counters(bench->client)->waiting_for);
    assert_true(bench->fake.slept_ms <= 500 + 1000 + 2000 + 4000);
    bench_end(bench);
}

static void test_gives_up_after_its_tries(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(&bench->server, (struct scripted_answer){.text = BUSY, .again = true});
    assert_int_equal(bench_get(bench, "/x?page=3"), ERR_TRANSIENT);
    assert_says(bench, "GET http://127.0.0.1:");
    assert_says(bench, "/x?page=3: gave up after the allowed number of tries: ");
    assert_says(bench, "500 Internal Server Error: busy");
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 5);
    bench_free(bench);
}

static void test_connections_that_end_are_tried_again(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(&bench->server, (struct scripted_answer){.then = SCRIPTED_RESET});
    scripted_answer(&bench->server, (struct scripted_answer){.text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
                                                             .then = SCRIPTED_CLOSE});
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(client_counters(bench->client)->retries, 2);
    bench_end(bench);
}

static void test_a_post_is_not_sent_twice(void **state)
{
    (void)state;
    static const char *const REFUSALS[] = {BUSY, NULL, "HTTP/1.1 408 A\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++) {
        struct bench *bench = bench_new();
        scripted_answer(&bench->server, (struct scripted_answer){.text = REFUSALS[i], .then = SCRIPTED_CLOSE});
        const struct http_request post = {.method = "POST", .url = scripted_url(&bench->server, "/x"), .body = STR("{}")};
        assert_int_equal(bench_send(bench, &post), ERR_TRANSIENT);
        assert_says(bench, "not sent again");
        bench_close(bench);
        assert_int_equal(bench->server.request_count, 1);
        bench_free(bench);
    }
}

static void test_a_post_is_sent_again_when_it_may_be(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        bool idempotent;
    } CASES[] = {{BUSY, true}, {"HTTP/1.1 429 A\r\nContent-Length: 0\r\n\r\n", false}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct bench *bench = bench_new();
        scripted_say(&bench->server, CASES[i].first);
        scripted_say(&bench->server, OK_JSON);
        const struct http_request post = {
            .method = "POST", .url = scripted_url(&bench->server, "/x"), .body = STR("{}"), .idempotent = CASES[i].idempotent};
        assert_int_equal(bench_send(bench, &post), 0);
        bench_close(bench);
        assert_true(was_sent(&bench->server, 1, "\r\n\r\n{}"));
        bench_free(bench);
    }
}

/* Nobody listens: the POST cannot have arrived, so it is tried as often as anything. */
static void test_a_post_that_never_left_is_sent_again(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    struct scripted_server gone;
    char host[32];
    scripted_start(&gone);
    snprintf(host, sizeof host, "127.0.0.1:%d", gone.port);
    bench->hosts[1] = host;
    const struct http_request post = {.method = "POST", .url = scripted_url(&gone, "/x"), .body = STR("{}")};
    scripted_stop(&gone);
    assert_int_equal(bench_send(bench, &post), ERR_TRANSIENT);
    assert_says(bench, "allowed number of tries: could not connect");
    assert_int_equal(client_counters(bench->client)->retries, 4);
    bench_end(bench);
}

static void test_waits_as_long_as_told(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_say(&bench->server, "HTTP/1.1 429 A\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n");
    scripted_say(&bench->server, "HTTP/1.1 503 A\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n");
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 120000);
    bench_end(bench);
}

static void test_told_to_wait_for_nothing_for_ever(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(
        &bench->server,
        (struct scripted_answer){.text = "HTTP/1.1 429 A\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", .again = true});
    assert_int_equal(bench_get(bench, "/x"), ERR_RATE_LIMIT);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 5);
    bench_free(bench);
}

static void test_told_to_wait_too_long(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_say(&bench->server, "HTTP/1.1 503 A\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(bench_get(bench, "/x"), ERR_RATE_LIMIT);
    assert_says(bench, "longer wait than allowed");
    assert_non_null(strstr(bench->err.hint, "2 h"));
    assert_int_equal(bench->fake.slept_ms, 0);
    bench_end(bench);
}

static void test_everybody_waits_when_nothing_is_left(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_say(&bench->server,
                 "HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1800000020\r\nContent-Length: 2\r\n\r\nok");
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 0);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 20000);
    bench_end(bench);
}

static void test_the_declared_limit_is_kept(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 2, .per_ms = 10000};
    const struct limiter_options limit = {.rules = &RULE, .rule_count = 1};
    assert_int_equal(limiter_new(&limit, &bench->options.limiter, &bench->err), 0);
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
    for (int i = 0; i < 7; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->fake.slept_ms, 30000);
    assert_int_equal(client_counters(bench->client)->pool_left, 1);
    bench_end(bench);
}

/* A clock that notes what the counters say while somebody sleeps. */
struct spy {
    struct clock clock; /* first */
    struct clock *inner;
    struct client *client;
    int64_t ends_ms[8], until_ms[8];
    const char *what[8];
    size_t sleeps;
};

static int64_t spy_wall_us(struct clock *clock)
{
    return clock_wall_us(((struct spy *)clock)->inner);
}

static int64_t spy_now_ms(struct clock *clock)
{
    return clock_now_ms(((struct spy *)clock)->inner);
}

static bool spy_sleep_ms(struct clock *clock, int64_t milliseconds, struct cancel *cancel)
{
    struct spy *spy = (struct spy *)clock;
    size_t at = spy->sleeps++ % 8;
    spy->ends_ms[at] = spy_now_ms(clock) + milliseconds;
    spy->until_ms[at] = client_counters(spy->client)->waiting_until_ms;
    spy->what[at] = client_counters(spy->client)->waiting_for;
    return clock_sleep_ms(spy->inner, milliseconds, cancel);
}

static void test_tells_what_it_waits_for(void **state)
{
    (void)state;
    static const char *const WHAT[] = {"rate limit", "backoff", "rate limit", "Retry-After", "rate limit"};
    struct bench *bench = bench_new();
    struct spy spy = {.clock = {spy_wall_us, spy_now_ms, spy_sleep_ms}, .inner = &bench->fake.clock};
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 100000};
    const struct limiter_options limit = {.rules = &RULE, .rule_count = 1};
    assert_int_equal(limiter_new(&limit, &bench->options.limiter, &bench->err), 0);
    bench->options.clock = &spy.clock;
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, BUSY);
    scripted_say(&bench->server, "HTTP/1.1 429 A\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n");
    scripted_say(&bench->server, OK_JSON);
    bench_open(bench);
    spy.client = bench->client;
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(spy.sleeps, ARRAY_SIZE(WHAT));
    for (size_t i = 0; i < ARRAY_SIZE(WHAT); i++) {
        assert_int_equal(spy.until_ms[i], spy.ends_ms[i]);
        assert_string_equal(spy.what[i], WHAT[i]);
    }
    assert_int_equal(client_counters(bench->client)->waiting_until_ms, 0);
    bench_end(bench);
}

/* --- time ---------------------------------------------------------------------------------------- */

static void pass_a_minute(void *context)
{
    clock_fake_advance(context, 61000);
}

static void test_a_first_byte_that_does_not_come(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    bench->options.retry.max_tries = 1;
    scripted_answer(&bench->server,
                    (struct scripted_answer){.then = SCRIPTED_HANG, .before = pass_a_minute, .context = &bench->fake});
    assert_int_equal(bench_get(bench, "/x"), ERR_TRANSIENT);
    assert_says(bench, "nothing came for 60000 ms");
    bench_end(bench);
}

static void test_a_body_that_crawls(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    bench->options.retry.max_tries = 1;
    bench->options.limits.first_byte_ms = 0;
    bench->options.clock = clock_system();
    bench->options.limits.low_speed_ms = 1;
    bench->options.limits.low_speed_bytes = 1000000000;
    scripted_answer(&bench->server,
                    (struct scripted_answer){.text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", .then = SCRIPTED_HANG});
    assert_int_equal(bench_get(bench, "/x"), ERR_TRANSIENT);
    assert_says(bench, "bytes/s");
    bench_end(bench);
}

static void test_a_request_that_takes_too_long(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    bench->options.retry.max_tries = 1;
    bench->options.limits.total_ms = 60500;
    bench->options.limits.first_byte_ms = 0;
    scripted_answer(&bench->server,
                    (struct scripted_answer){.then = SCRIPTED_HANG, .before = pass_a_minute, .context = &bench->fake});
    assert_int_equal(bench_get(bench, "/x"), ERR_TRANSIENT);
    assert_says(bench, "60500 ms a request may take");
    bench_end(bench);
}

static void abort_now(void *context)
{
    cancel_fire(context, CANCEL_ABORT);
}

static void stop_soon(void *context)
{
    cancel_fire(context, CANCEL_STOP);
}

static void test_aborting_ends_a_transfer_in_hand(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(&bench->server,
                    (struct scripted_answer){.then = SCRIPTED_HANG, .before = abort_now, .context = bench->cancel});
    assert_int_equal(bench_get(bench, "/x"), ERR_CANCELLED);
    bench_end(bench);
}

static void test_stopping_lets_a_transfer_end_but_no_wait(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .before = stop_soon, .context = bench->cancel});
    scripted_say(&bench->server, BUSY);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench_get(bench, "/x"), ERR_CANCELLED);
    bench_end(bench);
}

/* --- messages ------------------------------------------------------------------------------------ */

static void test_messages_are_one_printable_line(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char *text = repeat("HTTP/1.1 400 No\r\n\r\n  {\n  \"error\":\t\x1b[31m \xff", "x", 1000, "");
    scripted_answer(&bench->server, (struct scripted_answer){.text = text, .then = SCRIPTED_CLOSE});
    assert_int_equal(bench_get(bench, "/x"), ERR_SOURCE);
    assert_says(bench, "400 Bad Request: { \"error\": [31m ?xxx");
    assert_true(str_ends(str_from(bench->err.message), STR("xxx...")));
    for (const char *c = bench->err.message; *c; c++) assert_true(*c >= ' ' && *c <= '~');
    bench_end(bench);
    free(text);
}

UNIT_TESTS(cmocka_unit_test(test_refusals_are_told_apart), cmocka_unit_test(test_a_burst_of_failures_is_survived),
           cmocka_unit_test(test_gives_up_after_its_tries), cmocka_unit_test(test_connections_that_end_are_tried_again),
           cmocka_unit_test(test_a_post_is_not_sent_twice), cmocka_unit_test(test_a_post_is_sent_again_when_it_may_be),
           cmocka_unit_test(test_a_post_that_never_left_is_sent_again), cmocka_unit_test(test_waits_as_long_as_told),
           cmocka_unit_test(test_told_to_wait_for_nothing_for_ever), cmocka_unit_test(test_told_to_wait_too_long),
           cmocka_unit_test(test_everybody_waits_when_nothing_is_left), cmocka_unit_test(test_the_declared_limit_is_kept),
           cmocka_unit_test(test_tells_what_it_waits_for), cmocka_unit_test(test_a_first_byte_that_does_not_come),
           cmocka_unit_test(test_a_body_that_crawls), cmocka_unit_test(test_a_request_that_takes_too_long),
           cmocka_unit_test(test_aborting_ends_a_transfer_in_hand),
           cmocka_unit_test(test_stopping_lets_a_transfer_end_but_no_wait),
           cmocka_unit_test(test_messages_are_one_printable_line))
