/* The circuit breaker as a client's sessions meet it: who waits, who is turned away, what is sent. Waits go by a fake clock. */
#include "client_bench.h"

#include "net/limit.h"
#include "os/thread.h"

enum { MINUTE_MS = 60 * 1000 };

/* A GET of another session of the same client. */
static int get(struct bench *bench, const char *path)
{
    bench_open(bench);
    struct session *first = bench->session;
    bench->session = session_new(bench->client);
    int rc = bench_get(bench, path);
    session_free(bench->session);
    bench->session = first;
    return rc;
}

static void say_often(struct bench *bench, const char *answer, int times)
{
    for (int i = 0; i < times; i++) scripted_say(&bench->server, answer);
}

/* Answers "again" for ever, behind what was said. */
static void say_for_ever(struct bench *bench, const char *answer)
{
    scripted_answer(&bench->server, (struct scripted_answer){.text = answer, .again = true});
}

/* Five failures: they take the first request's tries, and open the circuit. */
static void open_circuit(struct bench *bench)
{
    assert_int_equal(get(bench, "/first"), ERR_TRANSIENT);
    assert_says(bench, "gave up after the allowed number of tries: ");
    assert_says(bench, "500 Internal Server Error: busy");
}

static void test_a_source_that_heals_is_asked_again_after_a_minute(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    say_often(bench, BUSY, 5);
    say_for_ever(bench, OK_JSON);
    open_circuit(bench);
    int64_t begin_ms = bench->fake.slept_ms;
    assert_int_equal(get(bench, "/second"), 0);
    assert_int_equal(bench->fake.slept_ms - begin_ms, MINUTE_MS);
    assert_int_equal(get(bench, "/third"), 0); /* at once */
    assert_int_equal(bench->fake.slept_ms - begin_ms, MINUTE_MS);
    assert_int_equal(client_counters(bench->client)->waiting_until_ms, 0);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 7);
    bench_free(bench);
}

static void test_a_source_that_is_down_for_ever_ends_in_bounded_time(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    say_for_ever(bench, BUSY);
    open_circuit(bench);
    /* The second request is alone with the probes: they are its tries. */
    assert_int_equal(get(bench, "/second"), ERR_TRANSIENT);
    assert_says(bench, "gave up after the allowed number of tries: ");
    assert_true(bench->fake.slept_ms < 6 * MINUTE_MS);
    /* The host is given up: the others neither wait nor send. */
    int64_t slept_ms = bench->fake.slept_ms;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(get(bench, "/others"), ERR_TRANSIENT);
        assert_says(bench, "/others: held back by the circuit breaker: 10 requests in a row to 'http://127.0.0.1:");
        assert_says(bench, "' failed, the last one: answered 500 Internal Server Error");
    }
    assert_int_equal(bench->fake.slept_ms, slept_ms);
    /* But should it come back: one probe a minute. */
    clock_fake_advance(&bench->fake, MINUTE_MS);
    assert_int_equal(get(bench, "/late"), ERR_TRANSIENT);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 5 + 5 + 1);
    bench_free(bench);
}

static void test_other_hosts_are_not_affected(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    say_for_ever(bench, BUSY);
    scripted_answer(&bench->other, (struct scripted_answer){.text = OK_JSON, .again = true});
    open_circuit(bench);
    int64_t slept_ms = bench->fake.slept_ms;
    const struct http_request elsewhere = {.method = "GET", .url = scripted_url(&bench->other, "/x")};
    assert_int_equal(bench_send(bench, &elsewhere), 0);
    assert_int_equal(bench->fake.slept_ms, slept_ms);
    bench_end(bench);
}

static void test_what_opens_it_and_what_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum scripted_then then;
        bool opens;
    } CASES[] = {
        {BUSY, SCRIPTED_KEEP, true},
        {NULL, SCRIPTED_RESET, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", SCRIPTED_CLOSE, true},
        {"HTTP/1.1 404 A\r\nContent-Length: 0\r\n\r\n", SCRIPTED_KEEP, false},
        {"HTTP/1.1 403 A\r\nContent-Length: 0\r\n\r\n", SCRIPTED_KEEP, false},
        {"HTTP/1.1 408 A\r\nContent-Length: 0\r\n\r\n", SCRIPTED_KEEP, false},
        {"HTTP/1.1 429 A\r\nContent-Length: 0\r\n\r\n", SCRIPTED_KEEP, false},
        {"HTTP/1.1 503 A\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", SCRIPTED_KEEP, false},
    };
    for (size_t c = 0; c < ARRAY_SIZE(CASES); c++) {
        struct bench *bench = bench_new();
        bench->options.retry.max_tries = 1;
        for (int i = 0; i < 5; i++)
            scripted_answer(&bench->server, (struct scripted_answer){.text = CASES[c].answer, .then = CASES[c].then});
        say_for_ever(bench, OK_JSON);
        for (int i = 0; i < 5; i++) assert_int_not_equal(get(bench, "/x"), 0);
        assert_int_equal(bench->fake.slept_ms, 0);
        assert_int_equal(get(bench, "/x"), 0);
        if ((bench->fake.slept_ms == MINUTE_MS) != CASES[c].opens) fail_msg("case %zu", c);
        bench_end(bench);
    }
}

/* A clock that lets another request fail while one sleeps. */
struct slow_spy {
    struct clock clock; /* first */
    struct bench *bench;
    bool is_armed;
};

static int64_t slow_wall_us(struct clock *clock)
{
    return clock_wall_us(&((struct slow_spy *)clock)->bench->fake.clock);
}

static int64_t slow_now_ms(struct clock *clock)
{
    return clock_now_ms(&((struct slow_spy *)clock)->bench->fake.clock);
}

static bool slow_sleep_ms(struct clock *clock, int64_t milliseconds, struct cancel *cancel)
{
    struct slow_spy *spy = (struct slow_spy *)clock;
    bool goes_on = clock_sleep_ms(&spy->bench->fake.clock, milliseconds, cancel);
    if (!spy->is_armed) return goes_on;
    spy->is_armed = false;
    struct session *session = session_new(spy->bench->client);
    struct arena arena = ARENA_INIT(0);
    struct http_response response = {0};
    struct err err = ERR_INIT;
    const struct http_request request = {.method = "GET", .url = scripted_url(&spy->bench->server, "/other")};
    assert_int_equal(client_send(session, &request, &arena, &response, &err), ERR_TRANSIENT);
    arena_release(&arena);
    session_free(session);
    return goes_on;
}

/* A clock that notes what is told while somebody sleeps, and can end the sleep. */
struct spy {
    struct clock clock; /* first */
    struct bench *bench;
    const char *what;
    int64_t until_ms, session_until_ms, ends_ms;
    bool stops;
};

static int64_t spy_wall_us(struct clock *clock)
{
    return clock_wall_us(&((struct spy *)clock)->bench->fake.clock);
}

static int64_t spy_now_ms(struct clock *clock)
{
    return clock_now_ms(&((struct spy *)clock)->bench->fake.clock);
}

static bool spy_sleep_ms(struct clock *clock, int64_t milliseconds, struct cancel *cancel)
{
    struct spy *spy = (struct spy *)clock;
    spy->what = client_counters(spy->bench->client)->waiting_for;
    spy->until_ms = client_counters(spy->bench->client)->waiting_until_ms;
    spy->session_until_ms = session_waiting_until_ms(spy->bench->session);
    spy->ends_ms = spy_now_ms(clock) + milliseconds;
    if (spy->stops) cancel_fire(cancel, CANCEL_STOP);
    return clock_sleep_ms(&spy->bench->fake.clock, milliseconds, cancel);
}

static void test_it_is_a_wait_that_is_told_and_can_be_stopped(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    struct spy spy = {.clock = {spy_wall_us, spy_now_ms, spy_sleep_ms}, .bench = bench};
    bench->options.clock = &spy.clock;
    bench->options.retry.max_tries = 1;
    say_often(bench, BUSY, 5);
    say_for_ever(bench, OK_JSON);
    for (int i = 0; i < 5; i++) assert_int_equal(bench_get(bench, "/x"), ERR_TRANSIENT);
    assert_null(spy.what);
    spy.stops = true;
    assert_int_equal(bench_get(bench, "/x"), ERR_CANCELLED);
    assert_string_equal(spy.what, "circuit breaker");
    assert_int_equal(spy.until_ms, spy.ends_ms);
    assert_int_equal(spy.session_until_ms, spy.ends_ms);
    assert_int_equal(session_waiting_until_ms(bench->session), 0);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 5);
    bench_free(bench);
}

/* Requests that stand in the queue of the rate limit when the circuit opens are not sent either. */
static void test_who_waits_for_the_rate_limit_does_not_slip_through(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 1000};
    const struct limiter_options slow = {.rules = &RULE, .rule_count = 1};
    struct slow_spy spy = {.clock = {slow_wall_us, slow_now_ms, slow_sleep_ms}, .bench = bench};
    assert_int_equal(limiter_new(&slow, &bench->options.limiter, &bench->err), 0);
    bench->options.clock = &spy.clock;
    bench->options.retry.max_tries = 1;
    say_often(bench, BUSY, 5);
    say_for_ever(bench, OK_JSON);
    for (int i = 0; i < 4; i++) assert_int_equal(get(bench, "/x"), ERR_TRANSIENT);
    int64_t begin_ms = clock_now_ms(&bench->fake.clock);
    spy.is_armed = true; /* while the next one waits for its turn, another one fails */
    assert_int_equal(get(bench, "/queued"), 0);
    assert_true(clock_now_ms(&bench->fake.clock) - begin_ms >= MINUTE_MS);
    bench_end(bench);
}

/* One of several slices. */
struct slice {
    struct thread thread;
    struct bench *bench;
    const char *url;
    int rc;
};

static void fetch(void *context)
{
    struct slice *slice = context;
    struct session *session = session_new(slice->bench->client);
    struct arena arena = ARENA_INIT(0);
    struct http_response response = {0};
    struct err err = ERR_INIT;
    slice->rc = client_send(session, &(struct http_request){.method = "GET", .url = slice->url}, &arena, &response, &err);
    http_response_release(&response);
    arena_release(&arena);
    session_free(session);
}

static void test_slices_that_run_at_once_come_through_together(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    struct slice slices[4];
    struct err err = ERR_INIT;
    bench->options.retry.max_tries = 6;                                           /* whoever has all the bad luck */
    bench->options.limits.first_byte_ms = bench->options.limits.low_speed_ms = 0; /* one's sleep moves the time of all */
    say_often(bench, BUSY, 5);
    say_for_ever(bench, OK_JSON);
    bench_open(bench);
    for (size_t i = 0; i < ARRAY_SIZE(slices); i++) {
        slices[i] = (struct slice){.bench = bench, .url = scripted_url(&bench->server, "/x")};
        assert_int_equal(thread_start(&slices[i].thread, "slice", fetch, &slices[i], 0, &err), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(slices); i++) {
        thread_join(&slices[i].thread);
        assert_int_equal(slices[i].rc, 0);
    }
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 5 + ARRAY_SIZE(slices));
    bench_free(bench);
}

UNIT_TESTS(cmocka_unit_test(test_a_source_that_heals_is_asked_again_after_a_minute),
           cmocka_unit_test(test_a_source_that_is_down_for_ever_ends_in_bounded_time),
           cmocka_unit_test(test_other_hosts_are_not_affected), cmocka_unit_test(test_what_opens_it_and_what_does_not),
           cmocka_unit_test(test_it_is_a_wait_that_is_told_and_can_be_stopped),
           cmocka_unit_test(test_who_waits_for_the_rate_limit_does_not_slip_through),
           cmocka_unit_test(test_slices_that_run_at_once_come_through_together))
