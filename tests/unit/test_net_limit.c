#include "unit.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "data/block.h"
#include "net/http.h"
#include "net/limit.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

static const int64_t WALL_US = 1800000000LL * 1000000; /* 2027-01-15T08:00:00Z */

static const struct limiter_request ANY = {"GET", "/orders", "orders", 0};

/* The rules must outlive the limiter. */
static struct limiter *limiter_of_rules(const struct limiter_rule *rules, size_t count)
{
    const struct limiter_options options = {.rules = rules, .rule_count = count};
    struct limiter *limiter = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(limiter_new(&options, &limiter, &err), 0);
    return limiter;
}

static struct limiter *limiter_of(enum limiter_kind kind, int64_t requests, int64_t per_ms, int64_t burst)
{
    static struct limiter_rule rule;
    rule = (struct limiter_rule){.kind = kind, .requests = requests, .per_ms = per_ms, .burst = burst};
    return limiter_of_rules(&rule, 1);
}

static struct limiter *limiter_of_nothing(void)
{
    return limiter_of_rules(NULL, 0);
}

static int64_t try_for(struct limiter *limiter, const struct limiter_request *asked, struct clock *clock)
{
    struct limiter_ticket ticket;
    int rule;
    return limiter_try(limiter, asked, clock, &ticket, &rule);
}

static int64_t try_any(struct limiter *limiter, struct clock *clock)
{
    return try_for(limiter, &ANY, clock);
}

static int acquire(struct limiter *limiter, struct clock *clock, struct cancel *cancel, const struct limiter_watch *watch,
                   struct err *err)
{
    struct limiter_ticket ticket;
    int64_t resume_ms = 0;
    return limiter_acquire(limiter, &ANY, clock, cancel, watch, &ticket, &resume_ms, err);
}

/* An answer that says `facts` to a request that took `ticket` (NULL: nothing). */
static void observe(struct limiter *limiter, const struct limiter_ticket *ticket, int status, struct limit_facts facts,
                    struct clock *clock)
{
    const struct limiter_ticket none = {0};
    const struct http_response response = {.status = status, .limits = facts};
    limiter_observe(limiter, ticket ? ticket : &none, &response, clock);
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
        int64_t wait_ms = goes_on ? try_any(contest->limiter, &contest->fake.clock) : 0;
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
    for (int i = 0; i < 60; i++) assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 5000); /* ten at once, ten more each second */
    limiter_free(limiter);

    /* Very large ones, too. */
    limiter = limiter_of(LIMITER_WINDOW, 1000000, 1000, 0);
    int64_t taken = 0;
    while (try_any(limiter, &fake.clock) == 0) taken++;
    assert_true(taken <= 1000000 && taken >= 995000);
    limiter_free(limiter);
}

static void acquire_some(void *context)
{
    struct contest *contest = context;
    struct err err = ERR_INIT;
    for (int i = 0; i < GRANTS / THREADS / 10; i++)
        if (acquire(contest->limiter, &contest->fake.clock, NULL, NULL, &err) == 0)
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
    for (int i = 0; i < 600; i++) assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 50000); /* 100 at once, 500 at 10 a second */
    limiter_free(limiter);
}

static void test_refuses_limits_out_of_range(void **state)
{
    (void)state;
    static const struct limiter_rule BAD[] = {
        {.kind = LIMITER_BUCKET, .per_ms = 1000, .burst = 1},
        {.kind = LIMITER_BUCKET, .requests = -1, .per_ms = 1000, .burst = 1},
        {.kind = LIMITER_BUCKET, .requests = 100000001, .per_ms = 1000, .burst = 1},
        {.kind = LIMITER_BUCKET, .requests = 1, .burst = 1},
        {.kind = LIMITER_BUCKET, .requests = 1, .per_ms = INT64_MAX, .burst = 1},
        {.kind = LIMITER_BUCKET, .requests = 1, .per_ms = 1},
        {.kind = LIMITER_BUCKET, .requests = 1, .per_ms = 1, .burst = 100000001},
        {.kind = LIMITER_BUCKET, .requests = 9, .per_ms = 1, .burst = 2, .weight = 3},
        {.kind = LIMITER_WINDOW, .per_ms = 1},
        {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 1, .burst = 1},
        {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 1, .weight = 2},
        {.kind = LIMITER_CONCURRENCY, .requests = LIMITER_CONCURRENCY_MAX + 1},
        {.kind = LIMITER_QUOTA, .requests = 1, .per_ms = 1, .stop_at = 1.5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        const struct limiter_options options = {.rules = &BAD[i], .rule_count = 1};
        struct limiter *limiter = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(limiter_new(&options, &limiter, &err), ERR_CONFIG);
        assert_null(limiter);
    }
    /* The extremes that are allowed do not overflow. */
    struct limiter *limiter = limiter_of(LIMITER_BUCKET, 1, 366LL * 24 * 3600 * 1000, 1000000);
    struct clock_fake fake;
    clock_fake_init(&fake, WALL_US);
    for (int i = 0; i < 50; i++) assert_int_equal(try_any(limiter, &fake.clock), 0);
    limiter_free(limiter);
}

/* --- cancelling and watching --------------------------------------------------------------------- */

struct watched {
    int64_t until_ms[8];
    size_t count;
};

static void on_waiting(void *context, int64_t until_ms, const char *what)
{
    if (until_ms) assert_string_equal(what, "rate limit");
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
    assert_int_equal(acquire(limiter, &fake.clock, NULL, &watch, &err), 0);
    assert_int_equal(watched.count, 0);
    assert_int_equal(acquire(limiter, &fake.clock, NULL, &watch, &err), 0);
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
    assert_int_equal(acquire(limiter, &fake.clock, cancel, NULL, &err), 0); /* no wait is needed */
    assert_int_equal(acquire(limiter, &fake.clock, cancel, NULL, &err), ERR_CANCELLED);
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
        {"RateLimit-Policy", "\"burst\";q=100;w=60, \"daily\";q=1000;w=86400", 100, -1, -1},
        {"X-HubSpot-RateLimit-Max", "190", 190, -1, -1},
        {"X-HubSpot-RateLimit-Remaining", "3", -1, 3, -1},
        {"X-Rate-Limit", "700", 700, -1, -1},
        {"Zendesk-RateLimit-incremental-exports-cursor", "total=10; remaining=0; resets=43", 10, 0, 43000},
        {"Zendesk-RateLimit-", "total=10; remaining=0; resets=43", -1, -1, -1},
        {"X-Shopify-Shop-Api-Call-Limit", "3/40", 40, 37, -1},
        {"X-Shopify-Shop-Api-Call-Limit", "41/40", 40, 0, -1},
        {"Sforce-Limit-Info", "api-usage=18/5000", 5000, 4982, -1},
        {"Sforce-Limit-Info", "api-usage=18/5000; per-app-api-usage=17/250(appName=x)", 5000, 4982, -1},
        {"Sforce-Limit-Info", "api-usage=/", -1, -1, -1},
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
    struct limiter *limiter = limiter_of_nothing();
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    observe(limiter, NULL, 200, (struct limit_facts){100, 1, 30000, -1}, &fake.clock);
    assert_int_equal(try_any(limiter, &fake.clock), 0); /* one is left */
    observe(limiter, NULL, 200, (struct limit_facts){100, 0, 30000, -1}, &fake.clock);
    assert_int_equal(try_any(limiter, &fake.clock), 30000);
    observe(limiter, NULL, 200, (struct limit_facts){100, 0, 10000, -1}, &fake.clock);
    assert_int_equal(try_any(limiter, &fake.clock), 30000); /* never shortened */
    assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
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
        struct limiter *limiter = limiter_of_nothing();
        struct clock_fake fake;
        clock_fake_init(&fake, WALL_US);
        observe(limiter, NULL, CASES[i].status, CASES[i].facts, &fake.clock);
        assert_int_equal(try_any(limiter, &fake.clock), CASES[i].wait_ms);
        limiter_free(limiter);
    }
}

static void test_knows_what_is_left(void **state)
{
    (void)state;
    struct clock_fake fake;
    clock_fake_init(&fake, WALL_US);
    struct limiter *limiter = limiter_of_nothing();
    assert_int_equal(limiter_left(limiter, &fake.clock), -1);
    observe(limiter, NULL, 200, (struct limit_facts){100, 42, -1, -1}, &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 42);
    assert_int_equal(try_any(limiter, &fake.clock), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 41);
    limiter_free(limiter);

    limiter = limiter_of(LIMITER_BUCKET, 10, 1000, 20);
    assert_int_equal(limiter_left(limiter, &fake.clock), 20);
    for (int i = 0; i < 5; i++) assert_int_equal(try_any(limiter, &fake.clock), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 15);
    clock_fake_advance(&fake, 300);
    assert_int_equal(limiter_left(limiter, &fake.clock), 18);
    observe(limiter, NULL, 200, (struct limit_facts){100, 3, -1, -1}, &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 3);
    limiter_free(limiter);

    limiter = limiter_of(LIMITER_WINDOW, 10, 1000, 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 10);
    for (int i = 0; i < 4; i++) assert_int_equal(try_any(limiter, &fake.clock), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 6);
    clock_fake_advance(&fake, 1000);
    assert_int_equal(limiter_left(limiter, &fake.clock), 10);
    limiter_pause(limiter, &(struct limiter_ticket){0}, 100, &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 0);
    limiter_free(limiter);
}

/* --- many limits at once ------------------------------------------------------------------------- */

static void test_all_limits_hold_at_once(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {{.kind = LIMITER_WINDOW, .requests = 10, .per_ms = 1000},
                                                {.kind = LIMITER_WINDOW, .requests = 25, .per_ms = 10000}};
    struct limiter *limiter = limiter_of_rules(RULES, 2);
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US);
    for (int i = 0; i < 25; i++) assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 2000);
    assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 10000);
    /* What the first gave while the second refused was given back. */
    assert_int_equal(limiter_left(limiter, &fake.clock), 9);
    limiter_free(limiter);
}

static void test_classes_of_requests_have_limits_of_their_own(void **state)
{
    (void)state;
    static const char *const STREAMS[] = {"exports", "imports"};
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_WINDOW, .requests = 3, .per_ms = 1000, .match = {.path = "/crm/*/search"}},
        {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 5000, .match = {.streams = STREAMS, .stream_count = 2}},
        {.kind = LIMITER_WINDOW, .requests = 2, .per_ms = 2000, .match = {.method = "POST", .path = "*"}},
    };
    static const struct {
        struct limiter_request asked;
        int64_t second_ms, fourth_ms;
    } CASES[] = {
        {{"GET", "/crm/v3/objects/contacts", "contacts", 0}, 0, 0},
        {{"GET", "/crm/v3/objects/contacts/search", "contacts", 0}, 0, 1000},
        {{"GET", "/crm//search/", "contacts", 0}, 0, 0},
        {{"GET", "/x", "imports", 0}, 5000, 5000},
        {{"POST", "/x", NULL, 0}, 0, 2000},
        {{NULL, NULL, NULL, 0}, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct limiter *limiter = limiter_of_rules(RULES, ARRAY_SIZE(RULES));
        struct clock_fake fake;
        clock_fake_init(&fake, WALL_US);
        assert_int_equal(try_for(limiter, &CASES[i].asked, &fake.clock), 0);
        assert_int_equal(try_for(limiter, &CASES[i].asked, &fake.clock), CASES[i].second_ms);
        (void)try_for(limiter, &CASES[i].asked, &fake.clock);
        assert_int_equal(try_for(limiter, &CASES[i].asked, &fake.clock), CASES[i].fourth_ms);
        limiter_free(limiter);
    }
}

static void test_a_refusal_holds_back_its_own_class_only(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_WINDOW, .requests = 100, .per_ms = 1000},
        {.kind = LIMITER_WINDOW, .requests = 5, .per_ms = 1000, .match = {.path = "/search"}}};
    static const struct limiter_request SEARCH = {"GET", "/search", NULL, 0};
    struct limiter *limiter = limiter_of_rules(RULES, 2);
    struct limiter_ticket ticket;
    struct clock_fake fake;
    int rule;
    clock_fake_init(&fake, WALL_US);
    assert_int_equal(limiter_try(limiter, &SEARCH, &fake.clock, &ticket, &rule), 0);
    observe(limiter, &ticket, 429, (struct limit_facts){-1, -1, -1, 7000}, &fake.clock);
    assert_int_equal(try_for(limiter, &SEARCH, &fake.clock), 7000);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe(limiter, &ticket, 429, (struct limit_facts){-1, -1, -1, 3000}, &fake.clock);
    assert_int_equal(try_any(limiter, &fake.clock), 3000);
    limiter_free(limiter);
}

static void test_requests_weigh(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_WINDOW, .name = "points", .requests = 900, .per_ms = 60000, .match = {.method = "GET"}},
        {.kind = LIMITER_WINDOW, .name = "points", .requests = 900, .per_ms = 60000, .weight = 5, .match = {.method = "POST"}},
    };
    static const struct limiter_request POST = {"POST", "/x", NULL, 0}, HEAVY = {"GET", "/x", NULL, 100};
    struct limiter *limiter = limiter_of_rules(RULES, 2);
    struct clock_fake fake;
    clock_fake_init(&fake, WALL_US);
    int count = 0;
    for (; try_for(limiter, &POST, &fake.clock) == 0; count++) {
    }
    assert_int_equal(count, 180); /* one name: one allowance */
    assert_int_equal(try_any(limiter, &fake.clock), 60000);
    limiter_free(limiter);
    limiter = limiter_of_rules(RULES, 2);
    for (count = 0; try_for(limiter, &HEAVY, &fake.clock) == 0; count++) {
    }
    assert_int_equal(count, 9); /* the stream's own weight */
    limiter_free(limiter);
}

static void test_requests_in_flight_are_counted(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_CONCURRENCY, .requests = 3};
    struct limiter *limiter = limiter_of_rules(&RULE, 1);
    struct limiter_ticket tickets[3], more;
    struct clock_fake fake;
    int rule;
    clock_fake_init(&fake, WALL_US);
    for (int i = 0; i < 3; i++) assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &tickets[i], &rule), 0);
    assert_true(limiter_try(limiter, &ANY, &fake.clock, &more, &rule) > 0);
    limiter_release(limiter, &tickets[1], &fake.clock);
    limiter_release(limiter, &tickets[1], &fake.clock); /* once more changes nothing */
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &more, &rule), 0);
    assert_true(try_any(limiter, &fake.clock) > 0);
    limiter_give_back(limiter, &more, &fake.clock);
    assert_int_equal(try_any(limiter, &fake.clock), 0);
    limiter_free(limiter);
}

/* --- what answers teach -------------------------------------------------------------------------- */

/* An answer with a body and headers that only a declared place can read. */
static void observe_answer(struct limiter *limiter, const struct limiter_ticket *ticket, const char *name, const char *value,
                           const char *body, struct clock *clock)
{
    struct http_header headers[] = {{str_from(name), str_from(value)}};
    struct block *block = block_new(NULL, strlen(body) + 64);
    memcpy(block->data, body, strlen(body) + 1);
    block->size = strlen(body);
    const struct http_response response = {
        .status = 200, .headers = headers, .header_count = 1, .body = block, .limits = {-1, -1, -1, -1}};
    limiter_observe(limiter, ticket, &response, clock);
    block_release(block);
}

static void test_a_cost_is_settled_by_the_answer(void **state)
{
    (void)state;
    static const struct limit_learn SHOPIFY = {
        .cost = "$.cost.actual", .remaining = "$.cost.left", .limit = "$.cost.max", .rate = "$.cost.rate"};
    static const struct limiter_rule RULE = {
        .kind = LIMITER_COST, .requests = 100, .per_ms = 1000, .burst = 1000, .weight = 400, .learn = &SHOPIFY};
    struct limiter *limiter = limiter_of_rules(&RULE, 1);
    struct limiter_ticket ticket;
    struct clock_fake fake;
    int rule;
    clock_fake_init(&fake, WALL_US);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 600);
    observe_answer(limiter, &ticket, "x", "y", "{\"cost\":{\"actual\":100}}", &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 900);
    /* The source has less than we thought: others spend, too. */
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "x", "y", "{\"cost\":{\"actual\":400,\"left\":300.5}}", &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 300);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 1000);
    /* A larger plan. */
    clock_fake_advance(&fake, 1000);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "x", "y", "{\"cost\":{\"actual\":400,\"max\":2000,\"rate\":\"200\",\"left\":0}}",
                   &fake.clock);
    assert_int_equal(limiter_left(limiter, &fake.clock), 0);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 2000);
    /* Nonsense teaches nothing and breaks nothing. */
    clock_fake_advance(&fake, 10000);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "x", "y", "{\"cost\":{\"actual\":-5,\"max\":1e300,\"rate\":[],\"left\":\"none\"}} <",
                   &fake.clock);
    assert_true(limiter_left(limiter, &fake.clock) >= 0);
    limiter_free(limiter);
}

static void test_a_declared_header_is_learned_from(void **state)
{
    (void)state;
    static const struct limit_learn LEARN = {.remaining = "X-Left", .reset = "X-More"}, USAGE = {.usage = "X-Usage"};
    static const struct limiter_rule RULES[] = {{.kind = LIMITER_WINDOW, .requests = 100, .per_ms = 60000, .learn = &LEARN},
                                                {.kind = LIMITER_WINDOW, .requests = 100, .per_ms = 60000, .learn = &USAGE}};
    struct limiter_ticket ticket;
    struct clock_fake fake;
    int rule;
    clock_fake_init(&fake, WALL_US);
    struct limiter *limiter = limiter_of_rules(&RULES[1], 1);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "x-usage", "total=10; remaining=0; resets=2", "{}", &fake.clock);
    assert_int_equal(try_any(limiter, &fake.clock), 2000);
    limiter_free(limiter);
    limiter = limiter_of_rules(&RULES[0], 1);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "x-left", "0", "{}", &fake.clock); /* no reset: nothing to wait for */
    assert_int_equal(try_any(limiter, &fake.clock), 0);
    limiter_free(limiter);
}

static void test_slows_down_when_little_is_left(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 100, .per_ms = 60000, .slow_down = 0.2};
    struct limiter *limiter = limiter_of_rules(&RULE, 1);
    struct limiter_ticket ticket;
    struct clock_fake fake;
    struct err err = ERR_INIT;
    int rule;
    clock_fake_init(&fake, WALL_US);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe(limiter, &ticket, 200, (struct limit_facts){100, 20, 10000, -1}, &fake.clock);
    for (int i = 0; i < 10; i++) assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 0);
    observe(limiter, &ticket, 200, (struct limit_facts){100, 9, 10000, -1}, &fake.clock);
    for (int i = 0; i < 10; i++) assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(fake.slept_ms, 9000); /* spread until the reset */
    limiter_free(limiter);
}

/* --- quotas -------------------------------------------------------------------------------------- */

static void expect_used_up(struct limiter *limiter, int64_t wait_ms, struct clock_fake *fake)
{
    struct limiter_ticket ticket;
    struct err err = ERR_INIT;
    int64_t resume_ms = 0, slept_ms = fake->slept_ms;
    assert_int_equal(limiter_acquire(limiter, &ANY, &fake->clock, NULL, NULL, &ticket, &resume_ms, &err), ERR_RATE_LIMIT);
    assert_int_equal(resume_ms, clock_now_ms(&fake->clock) + wait_ms);
    assert_int_equal(fake->slept_ms, slept_ms); /* it does not wait */
    assert_non_null(strstr(err.message, "quota"));
    assert_non_null(strstr(err.hint, "run again in "));
}

static void test_a_quota_ends_instead_of_waiting(void **state)
{
    (void)state;
    static const struct limiter_rule ROLLING = {.kind = LIMITER_QUOTA, .requests = 10, .per_ms = 86400000, .stop_at = 0.8};
    static const struct limiter_rule DAILY = {
        .kind = LIMITER_QUOTA, .requests = 10, .per_ms = 86400000, .by_calendar = true, .zone_s = 3600};
    struct clock_fake fake;
    struct err err = ERR_INIT;
    clock_fake_init(&fake, WALL_US); /* 08:00 UTC */
    struct limiter *limiter = limiter_of_rules(&ROLLING, 1);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
        clock_fake_advance(&fake, 3600000);
    }
    expect_used_up(limiter, 16LL * 3600000, &fake);
    clock_fake_advance(&fake, 16LL * 3600000);
    assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    expect_used_up(limiter, 3600000, &fake);
    limiter_free(limiter);

    clock_fake_init(&fake, WALL_US);
    limiter = limiter_of_rules(&DAILY, 1);
    for (int i = 0; i < 10; i++) assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    expect_used_up(limiter, 15LL * 3600000, &fake); /* midnight is 23:00 UTC */
    fake.wall -= 10LL * 3600 * 1000000;             /* the clock is set back into yesterday */
    expect_used_up(limiter, 3600000, &fake);
    clock_fake_advance(&fake, 25LL * 3600000);
    assert_int_equal(acquire(limiter, &fake.clock, NULL, NULL, &err), 0);
    assert_int_equal(limiter_left(limiter, &fake.clock), 9);
    limiter_free(limiter);
}

static void test_the_source_counts_a_quota(void **state)
{
    (void)state;
    static const struct limit_learn SALESFORCE = {.usage = "Sforce-Limit-Info"};
    static const struct limit_learn HUBSPOT = {.limit = "X-Daily", .remaining = "X-Daily-Remaining"};
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_QUOTA, .per_ms = 86400000, .stop_at = 0.8, .learn = &SALESFORCE},
        {.kind = LIMITER_QUOTA, .requests = 100, .per_ms = 86400000, .by_calendar = true, .learn = &HUBSPOT},
    };
    struct limiter_ticket ticket;
    struct clock_fake fake;
    int rule;
    clock_fake_init(&fake, WALL_US);
    struct limiter *limiter = limiter_of_rules(&RULES[0], 1);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "sforce-limit-info", "api-usage=3999/5000", "{}", &fake.clock);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "sforce-limit-info", "api-usage=4000/5000", "{}", &fake.clock);
    expect_used_up(limiter, 3600000, &fake); /* rolling: asked again after a 24th of it */
    clock_fake_advance(&fake, 3600000);
    assert_int_equal(try_any(limiter, &fake.clock), 0);
    limiter_free(limiter);
    limiter = limiter_of_rules(&RULES[1], 1);
    assert_int_equal(limiter_try(limiter, &ANY, &fake.clock, &ticket, &rule), 0);
    observe_answer(limiter, &ticket, "x-daily-remaining", "0", "{}", &fake.clock);
    expect_used_up(limiter, 15LL * 3600000, &fake);
    limiter_free(limiter);
}

static void test_a_wait_of_hours_ends_the_sync(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_of(LIMITER_WINDOW, 1, 2LL * 3600000, 0);
    struct limiter_ticket ticket;
    struct clock_fake fake;
    struct err err = ERR_INIT;
    int64_t resume_ms = 0;
    clock_fake_init(&fake, WALL_US);
    assert_int_equal(limiter_acquire(limiter, &ANY, &fake.clock, NULL, NULL, &ticket, &resume_ms, &err), 0);
    assert_int_equal(limiter_acquire(limiter, &ANY, &fake.clock, NULL, NULL, &ticket, &resume_ms, &err), ERR_RATE_LIMIT);
    assert_int_equal(resume_ms, clock_now_ms(&fake.clock) + 2LL * 3600000);
    limiter_free(limiter);
}

UNIT_TESTS(cmocka_unit_test(test_all_limits_hold_at_once), cmocka_unit_test(test_classes_of_requests_have_limits_of_their_own),
           cmocka_unit_test(test_a_refusal_holds_back_its_own_class_only), cmocka_unit_test(test_requests_weigh),
           cmocka_unit_test(test_requests_in_flight_are_counted), cmocka_unit_test(test_a_cost_is_settled_by_the_answer),
           cmocka_unit_test(test_a_declared_header_is_learned_from), cmocka_unit_test(test_slows_down_when_little_is_left),
           cmocka_unit_test(test_a_quota_ends_instead_of_waiting), cmocka_unit_test(test_the_source_counts_a_quota),
           cmocka_unit_test(test_a_wait_of_hours_ends_the_sync), cmocka_unit_test(test_a_bucket_is_never_exceeded),
           cmocka_unit_test(test_a_window_is_never_exceeded), cmocka_unit_test(test_a_window_gives_all_of_its_allowance),
           cmocka_unit_test(test_acquire_waits_by_the_clock), cmocka_unit_test(test_one_thread_alone_gets_all_of_its_allowance),
           cmocka_unit_test(test_refuses_limits_out_of_range), cmocka_unit_test(test_tells_when_it_waits),
           cmocka_unit_test(test_stopping_ends_the_wait), cmocka_unit_test(test_reads_waits),
           cmocka_unit_test(test_reads_counts_and_policies), cmocka_unit_test(test_everybody_waits_for_the_reset),
           cmocka_unit_test(test_refusals_pause_and_other_answers_do_not), cmocka_unit_test(test_knows_what_is_left))
