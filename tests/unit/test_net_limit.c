#include "unit.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "net/http.h"
#include "net/limit.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

static const int64_t WALL_US = 1800000000LL * 1000000; /* 2027-01-15T08:00:00Z */

static struct limiter *limiter_of(enum limiter_kind kind, int64_t requests, int64_t per_ms, int64_t burst)
{
    const struct limiter_options options = {kind, requests, per_ms, burst};
    struct limiter *limiter = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(limiter_new(&options, &limiter, &err), 0);
    return limiter;
}

/* --- many threads, no limit passed --------------------------------------------------------------- */

enum { GRANTS = 10000, THREADS = 4 };

/* Threads compete for turns; who finds none moves the time on by a part of what he was told to wait. */
struct contest {
    struct limiter *limiter;
    struct clock_fake fake;
    pthread_mutex_t lock; /* makes a grant and its time one */
    int64_t grants[GRANTS];
    size_t count;
    uint64_t seed;
};

static void compete(void *context)
{
    struct contest *contest = context;
    bool goes_on = true;
    while (goes_on) {
        pthread_mutex_lock(&contest->lock);
        goes_on = contest->count < GRANTS;
        int64_t wait_ms = goes_on ? contest->limiter->type->take(contest->limiter, &contest->fake.clock) : 0;
        if (goes_on && wait_ms == 0) contest->grants[contest->count++] = clock_now_ms(&contest->fake.clock);
        contest->seed = contest->seed * 6364136223846793005u + 1442695040888963407u;
        if (wait_ms > 0) clock_fake_advance(&contest->fake, 1 + (int64_t)((contest->seed >> 33) % (uint64_t)wait_ms));
        pthread_mutex_unlock(&contest->lock);
    }
}

static void run_contest(struct contest *contest, struct limiter *limiter)
{
    struct thread threads[THREADS] = {0};
    struct err err = ERR_INIT;
    *contest = (struct contest){.limiter = limiter, .seed = 7};
    pthread_mutex_init(&contest->lock, NULL);
    clock_fake_init(&contest->fake, WALL_US);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(thread_start(&threads[i], "contest", compete, contest, 0, &err), 0);
    for (size_t i = 0; i < THREADS; i++) thread_join(&threads[i]);
    pthread_mutex_destroy(&contest->lock);
    assert_int_equal(contest->count, GRANTS);
}

static void test_a_bucket_is_never_exceeded(void **state)
{
    (void)state;
    static const struct {
        int64_t requests, per_ms, burst;
    } CASES[] = {{10, 1000, 100}, {3, 1000, 1}, {7, 10000, 7}, {1000, 1000, 5}};
    static struct contest contest;
    for (size_t c = 0; c < ARRAY_SIZE(CASES); c++) {
        run_contest(&contest, limiter_of(LIMITER_BUCKET, CASES[c].requests, CASES[c].per_ms, CASES[c].burst));
        /* In any span there are at most `burst` and what its length pays for. */
        for (size_t i = 0; i < GRANTS; i++)
            for (size_t j = i + (size_t)CASES[c].burst; j < GRANTS && j < i + 2000; j++) {
                int64_t paid = (int64_t)(j - i + 1) - CASES[c].burst;
                if ((contest.grants[j] - contest.grants[i]) * CASES[c].requests < paid * CASES[c].per_ms)
                    fail_msg("case %zu: grants %zu to %zu in %lld ms", c, i, j,
                             (long long)(contest.grants[j] - contest.grants[i]));
            }
        limiter_free(contest.limiter);
    }
}

/* Not in any span, so not in the windows of a source either, wherever those begin: also not in the first one. */
static void test_a_window_is_never_exceeded(void **state)
{
    (void)state;
    static const struct {
        int64_t requests, per_ms;
    } CASES[] = {{100, 10000}, {1, 1000}, {3, 7}, {10, 1000}, {8999, 1000}};
    static struct contest contest;
    for (size_t c = 0; c < ARRAY_SIZE(CASES); c++) {
        size_t requests = (size_t)CASES[c].requests;
        run_contest(&contest, limiter_of(LIMITER_WINDOW, CASES[c].requests, CASES[c].per_ms, 0));
        for (size_t i = 0; i + requests < GRANTS; i++)
            if (contest.grants[i + requests] - contest.grants[i] < CASES[c].per_ms)
                fail_msg("case %zu: grants %zu to %zu in %lld ms", c, i, i + requests,
                         (long long)(contest.grants[i + requests] - contest.grants[i]));
        limiter_free(contest.limiter);
    }
}

static void test_a_window_gives_all_of_its_allowance(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_of(LIMITER_WINDOW, 10, 1000, 0);
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    for (int i = 0; i < 60; i++) assert_int_equal(limiter_acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 5000); /* ten at once, ten more each second */
    limiter_free(limiter);

    /* Very large ones lose what does not fill a slot, and no more. */
    limiter = limiter_of(LIMITER_WINDOW, 1000000, 1000, 0);
    int64_t taken = 0;
    while (limiter->type->take(limiter, &fake.clock) == 0) taken++;
    assert_true(taken <= 1000000 && taken > 999000);
    limiter_free(limiter);
}

static void acquire_some(void *context)
{
    struct contest *contest = context;
    struct err err = ERR_INIT;
    for (int i = 0; i < GRANTS / THREADS / 10; i++)
        if (limiter_acquire(contest->limiter, &contest->fake.clock, NULL, NULL, &err) == 0)
            __atomic_fetch_add(&contest->count, 1, __ATOMIC_SEQ_CST);
}

static void test_acquire_waits_by_the_clock(void **state)
{
    (void)state;
    static struct contest contest;
    struct thread threads[THREADS] = {0};
    struct err err = ERR_INIT;
    contest = (struct contest){.limiter = limiter_of(LIMITER_BUCKET, 10, 1000, 10)};
    clock_fake_init(&contest.fake, WALL_US);
    int64_t begin_ms = clock_now_ms(&contest.fake.clock);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "acquire", acquire_some, &contest, 0, &err), 0);
    for (size_t i = 0; i < THREADS; i++) thread_join(&threads[i]);
    assert_int_equal(contest.count, GRANTS / 10);
    assert_true(clock_now_ms(&contest.fake.clock) - begin_ms >= (GRANTS / 10 - 10) * 100);
    limiter_free(contest.limiter);
}

static void test_one_thread_alone_gets_all_of_its_allowance(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_of(LIMITER_BUCKET, 10, 1000, 100);
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    for (int i = 0; i < 600; i++) assert_int_equal(limiter_acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 50000); /* 100 at once, 500 at 10 a second */
    limiter_free(limiter);
}

static void test_refuses_limits_out_of_range(void **state)
{
    (void)state;
    static const struct limiter_options BAD[] = {
        {LIMITER_BUCKET, 0, 1000, 1},    {LIMITER_BUCKET, -1, 1000, 1},     {LIMITER_BUCKET, 1000001, 1000, 1},
        {LIMITER_BUCKET, 1, 0, 1},       {LIMITER_BUCKET, 1, INT64_MAX, 1}, {LIMITER_BUCKET, 1, 1, 0},
        {LIMITER_BUCKET, 1, 1, 1000001}, {LIMITER_WINDOW, 0, 1, 0},         {LIMITER_WINDOW, 1, 1, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct limiter *limiter = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(limiter_new(&BAD[i], &limiter, &err), ERR_CONFIG);
        assert_null(limiter);
    }
    /* The extremes that are allowed do not overflow. */
    struct limiter *limiter = limiter_of(LIMITER_BUCKET, 1, 366LL * 24 * 3600 * 1000, 1000000);
    struct clock_fake fake;
    clock_fake_init(&fake, WALL_US);
    for (int i = 0; i < 50; i++) assert_int_equal(limiter->type->take(limiter, &fake.clock), 0);
    limiter_free(limiter);
}

/* --- cancelling and watching --------------------------------------------------------------------- */

struct watched {
    int64_t until_ms[8];
    size_t count;
};

static void on_waiting(void *context, int64_t until_ms)
{
    struct watched *watched = context;
    watched->until_ms[watched->count++ % 8] = until_ms;
}

static void test_tells_when_it_waits(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_of(LIMITER_WINDOW, 1, 5000, 0);
    struct watched watched = {.count = 0};
    const struct limiter_watch watch = {on_waiting, &watched};
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    int64_t begin_ms = clock_now_ms(&fake.clock);
    assert_int_equal(limiter_acquire(limiter, &fake.clock, NULL, &watch, &err), 0);
    assert_int_equal(watched.count, 0);
    assert_int_equal(limiter_acquire(limiter, &fake.clock, NULL, &watch, &err), 0);
    assert_int_equal(watched.count, 2);
    assert_int_equal(watched.until_ms[0], begin_ms + 5000);
    assert_int_equal(watched.until_ms[1], 0);
    limiter_free(limiter);
}

static void test_stopping_ends_the_wait(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_of(LIMITER_WINDOW, 1, 5000, 0);
    struct cancel *cancel = cancel_new(NULL);
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    cancel_fire(cancel, CANCEL_STOP);
    assert_int_equal(limiter_acquire(limiter, &fake.clock, cancel, NULL, &err), 0); /* no wait is needed */
    assert_int_equal(limiter_acquire(limiter, &fake.clock, cancel, NULL, &err), ERR_CANCELLED);
    cancel_free(cancel);
    limiter_free(limiter);
}

/* --- what sources say ---------------------------------------------------------------------------- */

static void read_one(const char *name, const char *value, struct limit_facts *facts)
{
    const struct http_header header = {str_from(name), str_from(value)};
    limit_facts_read(&header, 1, WALL_US, facts);
}

static void test_reads_waits(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int64_t retry_after_ms, reset_ms;
    } CASES[] = {
        {"Retry-After", "0", 0, -1},
        {"retry-after", " 120 ", 120000, -1},
        {"retry-after", "1.5", 1500, -1},
        {"retry-after", "-5", -1, -1},
        {"retry-after", "soon", -1, -1},
        {"retry-after", "", -1, -1},
        {"retry-after", "99999999999999999999999", 366LL * 24 * 3600 * 1000, -1},
        {"retry-after", "Fri, 15 Jan 2027 08:02:00 GMT", 120000, -1},
        {"retry-after", "Fri, 15 Jan 2027 07:00:00 GMT", 0, -1},
        {"retry-after", "2027-01-15T08:00:30Z", 30000, -1},
        {"X-RateLimit-Reset", "30", -1, 30000},
        {"X-RateLimit-Reset", "1800000060", -1, 60000},
        {"X-RateLimit-Reset", "1800000060.25", -1, 60250},
        {"X-RateLimit-Reset", "1800000060500", -1, 60500},
        {"X-RateLimit-Reset", "1700000000", -1, 0},
        {"X-RateLimit-Reset", "Fri, 15 Jan 2027 08:01:00 GMT", -1, 60000},
        {"X-Rate-Limit-Reset", "5", -1, 5000},
        {"RateLimit-Reset", "7", -1, 7000},
        {"X-RateLimit-Reset", "never", -1, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct limit_facts facts;
        read_one(CASES[i].name, CASES[i].value, &facts);
        if (facts.retry_after_ms != CASES[i].retry_after_ms || facts.reset_ms != CASES[i].reset_ms)
            fail_msg("%s: %s gives %lld, %lld", CASES[i].name, CASES[i].value, (long long)facts.retry_after_ms,
                     (long long)facts.reset_ms);
    }
}

static void test_reads_counts_and_policies(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int64_t limit, remaining, reset_ms;
    } CASES[] = {
        {"X-RateLimit-Limit", "100", 100, -1, -1},
        {"RateLimit-Limit", "100, 100;w=60", 100, -1, -1},
        {"X-RateLimit-Remaining", "0", -1, 0, -1},
        {"x-ratelimit-remaining", "12.0", -1, 12, -1},
        {"x-ratelimit-remaining", "-1", -1, -1, -1},
        {"x-ratelimit-remaining", "99999999999999999999", -1, -1, -1},
        {"RateLimit", "limit=100, remaining=50, reset=5", 100, 50, 5000},
        {"RateLimit", "\"default\";r=50;t=30", -1, 50, 30000},
        {"RateLimit", "\"burst\";r=0;t=3, \"daily\";r=100;t=50000", -1, 0, 3000},
        {"RateLimit", "\"daily\";r=0;t=50000, \"burst\";r=0;t=3", -1, 0, 50000000},
        {"RateLimit", "nonsense;;=,,=", -1, -1, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct limit_facts facts;
        read_one(CASES[i].name, CASES[i].value, &facts);
        if (facts.limit != CASES[i].limit || facts.remaining != CASES[i].remaining || facts.reset_ms != CASES[i].reset_ms)
            fail_msg("%s: %s gives %lld, %lld, %lld", CASES[i].name, CASES[i].value, (long long)facts.limit,
                     (long long)facts.remaining, (long long)facts.reset_ms);
    }
}

static void test_everybody_waits_for_the_reset(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_of(LIMITER_NONE, 0, 0, 0);
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    limiter_observe(limiter, 200, &(struct limit_facts){100, 1, 30000, -1}, &fake.clock);
    assert_int_equal(limiter->type->take(limiter, &fake.clock), 0); /* one is left */
    limiter_observe(limiter, 200, &(struct limit_facts){100, 0, 30000, -1}, &fake.clock);
    assert_int_equal(limiter->type->take(limiter, &fake.clock), 30000);
    limiter_observe(limiter, 200, &(struct limit_facts){100, 0, 10000, -1}, &fake.clock);
    assert_int_equal(limiter->type->take(limiter, &fake.clock), 30000); /* never shortened */
    assert_int_equal(limiter_acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 30000);
    limiter_free(limiter);
}

static void test_refusals_pause_and_other_answers_do_not(void **state)
{
    (void)state;
    static const struct {
        int status;
        struct limit_facts facts;
        int64_t wait_ms;
    } CASES[] = {
        {429, {-1, -1, -1, 2000}, 2000},  {503, {-1, -1, -1, 2000}, 2000}, {200, {-1, -1, -1, 2000}, 0},
        {301, {-1, -1, -1, 2000}, 0},     {429, {-1, -1, -1, -1}, 0},      {429, {-1, -1, -1, 3600001}, 0},
        {429, {10, 0, 5000, 1000}, 1000}, {200, {10, 0, -1, -1}, 0},       {200, {10, 0, 3600001, -1}, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct limiter *limiter = limiter_of(LIMITER_NONE, 0, 0, 0);
        struct clock_fake fake;
        clock_fake_init(&fake, WALL_US);
        limiter_observe(limiter, CASES[i].status, &CASES[i].facts, &fake.clock);
        assert_int_equal(limiter->type->take(limiter, &fake.clock), CASES[i].wait_ms);
        limiter_free(limiter);
    }
}

static void test_knows_what_is_left(void **state)
{
    (void)state;
    struct clock_fake fake;
    clock_fake_init(&fake, WALL_US);
    struct limiter *limiter = limiter_of(LIMITER_NONE, 0, 0, 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), -1);
    limiter_observe(limiter, 200, &(struct limit_facts){100, 42, -1, -1}, &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 42);
    assert_int_equal(limiter->type->take(limiter, &fake.clock), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 41);
    limiter_free(limiter);

    limiter = limiter_of(LIMITER_BUCKET, 10, 1000, 20);
    assert_int_equal(limiter_left(limiter, &fake.clock), 20);
    for (int i = 0; i < 5; i++) assert_int_equal(limiter->type->take(limiter, &fake.clock), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 15);
    clock_fake_advance(&fake, 300);
    assert_int_equal(limiter_left(limiter, &fake.clock), 18);
    limiter_observe(limiter, 200, &(struct limit_facts){100, 3, -1, -1}, &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 3);
    limiter_free(limiter);

    limiter = limiter_of(LIMITER_WINDOW, 10, 1000, 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 10);
    for (int i = 0; i < 4; i++) assert_int_equal(limiter->type->take(limiter, &fake.clock), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 6);
    clock_fake_advance(&fake, 1000);
    assert_int_equal(limiter_left(limiter, &fake.clock), 10);
    limiter->type->pause(limiter, clock_now_ms(&fake.clock) + 100);
    assert_int_equal(limiter_left(limiter, &fake.clock), 0);
    limiter_free(limiter);
}

UNIT_TESTS(cmocka_unit_test(test_a_bucket_is_never_exceeded), cmocka_unit_test(test_a_window_is_never_exceeded),
           cmocka_unit_test(test_a_window_gives_all_of_its_allowance), cmocka_unit_test(test_acquire_waits_by_the_clock),
           cmocka_unit_test(test_one_thread_alone_gets_all_of_its_allowance),
           cmocka_unit_test(test_refuses_limits_out_of_range), cmocka_unit_test(test_tells_when_it_waits),
           cmocka_unit_test(test_stopping_ends_the_wait), cmocka_unit_test(test_reads_waits),
           cmocka_unit_test(test_reads_counts_and_policies), cmocka_unit_test(test_everybody_waits_for_the_reset),
           cmocka_unit_test(test_refusals_pause_and_other_answers_do_not), cmocka_unit_test(test_knows_what_is_left))
