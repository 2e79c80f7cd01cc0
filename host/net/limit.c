/* How it works: the kinds are kept as one number each, so that taking is a comparison under a short lock. The bucket is the
 * generic cell rate algorithm (ITU-T I.371): `due_ns` is when the bucket would be full again; a request moves it on by one
 * interval and may go while it lies no more than burst - 1 intervals ahead. The window is the times of the last requests in a
 * ring: the oldest must be `per_ms` ago before its place is used again. Very large windows keep one time for several requests,
 * that of the last of them. Waiting is done outside: who finds nothing is told when to ask again, so a pause that begins
 * meanwhile holds for those who wait, too. */
#include "net/limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/cancel.h"
#include "os/clock.h"

static const int64_t NS_PER_MS = 1000000;
static const int64_t PER_MAX_MS = (int64_t)366 * 24 * 3600 * 1000;
enum { REQUESTS_MAX = 1000000, SLOTS_MAX = 4096 };

struct local {
    struct limiter limiter; /* first: a limiter is one of these */
    pthread_mutex_t lock;   /* over what changes below */
    enum limiter_kind kind;
    int64_t requests, per_ms;
    int64_t interval_ns, tolerance_ns; /* bucket */
    int64_t due_ns;                    /* bucket */
    int64_t *times_ms;                 /* window: of the last request in each slot */
    size_t slots, oldest, used_slots;  /* window: a ring */
    int64_t share, newest_used;        /* window: requests in a slot, and in the newest */
    int64_t paused_until_ms;
    int64_t reported; /* the source's own count; -1: none */
};

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t take_bucket(struct local *local, int64_t now_ms)
{
    int64_t now_ns = now_ms * NS_PER_MS;
    int64_t early_ns = local->due_ns - local->tolerance_ns - now_ns;
    if (early_ns > 0) return (early_ns + NS_PER_MS - 1) / NS_PER_MS;
    local->due_ns = max64(local->due_ns, now_ns) + local->interval_ns;
    return 0;
}

static void slide_window(struct local *local, int64_t now_ms)
{
    while (local->used_slots > 0 && now_ms - local->times_ms[local->oldest] >= local->per_ms) {
        local->oldest = (local->oldest + 1) % local->slots;
        local->used_slots--;
    }
}

static int64_t take_window(struct local *local, int64_t now_ms)
{
    slide_window(local, now_ms);
    bool has_room = local->used_slots > 0 && local->newest_used < local->share;
    if (!has_room && local->used_slots == local->slots) return local->times_ms[local->oldest] + local->per_ms - now_ms;
    if (!has_room) {
        local->used_slots++;
        local->newest_used = 0;
    }
    local->newest_used++;
    local->times_ms[(local->oldest + local->used_slots - 1) % local->slots] = now_ms;
    return 0;
}

static int64_t left_in_window(struct local *local, int64_t now_ms)
{
    slide_window(local, now_ms);
    int64_t in_newest = local->used_slots > 0 ? local->share - local->newest_used : 0;
    return (int64_t)(local->slots - local->used_slots) * local->share + in_newest;
}

static int64_t local_take(struct limiter *limiter, struct clock *clock)
{
    struct local *local = (struct local *)limiter;
    int64_t wait_ms = 0;
    pthread_mutex_lock(&local->lock);
    int64_t now_ms = clock_now_ms(clock); /* under the lock: times are taken in order */
    if (local->paused_until_ms > now_ms)
        wait_ms = local->paused_until_ms - now_ms;
    else if (local->kind == LIMITER_BUCKET)
        wait_ms = take_bucket(local, now_ms);
    else if (local->kind == LIMITER_WINDOW)
        wait_ms = take_window(local, now_ms);
    if (wait_ms == 0 && local->reported > 0) local->reported--;
    pthread_mutex_unlock(&local->lock);
    return wait_ms;
}

static void local_pause(struct limiter *limiter, int64_t until_ms)
{
    struct local *local = (struct local *)limiter;
    pthread_mutex_lock(&local->lock);
    local->paused_until_ms = max64(local->paused_until_ms, until_ms);
    pthread_mutex_unlock(&local->lock);
}

static void local_report(struct limiter *limiter, int64_t remaining)
{
    struct local *local = (struct local *)limiter;
    pthread_mutex_lock(&local->lock);
    local->reported = remaining;
    pthread_mutex_unlock(&local->lock);
}

static int64_t left_in_bucket(const struct local *local, int64_t now_ms)
{
    int64_t ahead_ns = local->tolerance_ns + local->interval_ns - max64(0, local->due_ns - now_ms * NS_PER_MS);
    return max64(0, ahead_ns / local->interval_ns);
}

static int64_t left_by_count(struct local *local, int64_t now_ms)
{
    switch (local->kind) {
    case LIMITER_NONE:
        return -1;
    case LIMITER_BUCKET:
        return left_in_bucket(local, now_ms);
    case LIMITER_WINDOW:
        return left_in_window(local, now_ms);
    }
    return -1;
}

static int64_t local_left(struct limiter *limiter, struct clock *clock)
{
    struct local *local = (struct local *)limiter;
    pthread_mutex_lock(&local->lock);
    int64_t now_ms = clock_now_ms(clock);
    int64_t left = left_by_count(local, now_ms);
    if (local->reported >= 0 && (left < 0 || local->reported < left)) left = local->reported;
    if (local->paused_until_ms > now_ms) left = 0;
    pthread_mutex_unlock(&local->lock);
    return left;
}

static void local_free(struct limiter *limiter)
{
    struct local *local = (struct local *)limiter;
    pthread_mutex_destroy(&local->lock);
    free(local->times_ms);
    free(local);
}

static const struct limiter_type LOCAL = {local_take, local_pause, local_report, local_left, local_free};

static int check_options(const struct limiter_options *options, struct err *err)
{
    if (options->kind == LIMITER_NONE) return 0;
    bool is_bucket = options->kind == LIMITER_BUCKET;
    bool is_good = options->requests >= 1 && options->requests <= REQUESTS_MAX && options->per_ms >= 1 &&
                   options->per_ms <= PER_MAX_MS && options->burst >= is_bucket &&
                   options->burst <= (is_bucket ? REQUESTS_MAX : 0);
    if (is_good) return 0;
    err_set(err, ERR_CONFIG, "cannot limit to %lld requests per %lld ms with a burst of %lld", (long long)options->requests,
            (long long)options->per_ms, (long long)options->burst);
    return err_hint(err, "requests and burst are 1 to %d, the time is 1 ms to 366 days", REQUESTS_MAX);
}

static void init_bucket(struct local *local, int64_t burst)
{
    const int64_t far_ns = INT64_MAX / 4; /* a burst worth centuries is as good as this */
    /* Rounded up: never faster than asked for. */
    local->interval_ns = (local->per_ms * NS_PER_MS + local->requests - 1) / local->requests;
    local->tolerance_ns = burst - 1 > far_ns / local->interval_ns ? far_ns : (burst - 1) * local->interval_ns;
    local->due_ns = INT64_MIN / 4;
}

static void init_window(struct local *local)
{
    local->share = (local->requests + SLOTS_MAX - 1) / SLOTS_MAX;
    local->slots = (size_t)(local->requests / local->share); /* what does not fill a slot is given up */
    local->times_ms = mem_zero(local->slots, sizeof *local->times_ms);
}

int limiter_new(const struct limiter_options *options, struct limiter **out, struct err *err)
{
    int rc = check_options(options, err);
    if (rc != 0) return rc;
    struct local *local = mem_zero(1, sizeof *local);
    local->limiter.type = &LOCAL;
    local->kind = options->kind;
    local->requests = options->requests;
    local->per_ms = options->per_ms;
    local->reported = -1;
    if (options->kind == LIMITER_BUCKET) init_bucket(local, options->burst);
    if (options->kind == LIMITER_WINDOW) init_window(local);
    CHECK(pthread_mutex_init(&local->lock, NULL) == 0);
    *out = &local->limiter;
    return 0;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter) limiter->type->free(limiter);
}

static void tell(const struct limiter_watch *watch, int64_t until_ms)
{
    if (watch) watch->waiting(watch->context, until_ms);
}

int limiter_acquire(struct limiter *limiter, struct clock *clock, struct cancel *cancel, const struct limiter_watch *watch,
                    struct err *err)
{
    int64_t wait_ms;
    bool goes_on = true, has_waited = false;
    while (goes_on && (wait_ms = limiter->type->take(limiter, clock)) > 0) {
        tell(watch, clock_now_ms(clock) + wait_ms);
        has_waited = true;
        goes_on = clock_sleep_ms(clock, wait_ms, cancel);
    }
    if (has_waited) tell(watch, 0);
    return goes_on ? 0 : err_set(err, ERR_CANCELLED, "stopped while waiting for the rate limit");
}

void limiter_observe(struct limiter *limiter, int status, const struct limit_facts *facts, struct clock *clock)
{
    bool is_refusal = status == 429 || status == 503;
    int64_t wait_ms = is_refusal ? limit_facts_wait_ms(facts) : facts->remaining == 0 ? facts->reset_ms : -1;
    if (facts->remaining >= 0) limiter->type->report(limiter, facts->remaining);
    if (wait_ms > 0 && wait_ms <= LIMITER_PAUSE_MAX_MS) limiter->type->pause(limiter, clock_now_ms(clock) + wait_ms);
}

int64_t limiter_left(struct limiter *limiter, struct clock *clock)
{
    return limiter->type->left(limiter, clock);
}
