/* How it works: a pool is asked in the order of what is left, without waiting, until one gives a turn; only when none does is
 * there a wait, for the shortest of what they say. Parking is kept beside the limiter's own pauses, since those are of other
 * processes too and end after an hour at most. */
#include "net/credentials.h"

#include "base/check.h"
#include "base/time.h"
#include "net/auth.h"
#include "os/cancel.h"
#include "os/clock.h"

enum { PARKED_MS = 60 * 1000 };
static const char WAITS_FOR[] = "rate limit of all credentials";

void credentials_park(struct credential *credential, int64_t wait_ms, struct clock *clock)
{
    int64_t until_ms = clock_now_ms(clock) + (wait_ms < 0 ? PARKED_MS : wait_ms);
    __atomic_store_n(&credential->parked_until_ms, until_ms, __ATOMIC_RELAXED);
}

static bool is_dropped(const struct credential *credential)
{
    return __atomic_load_n(&credential->is_dropped, __ATOMIC_RELAXED);
}

size_t credentials_drop(struct credentials *credentials, struct credential *credential, bool *is_first)
{
    size_t left = 0;
    *is_first = !__atomic_exchange_n(&credential->is_dropped, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i < credentials->count; i++) left += !is_dropped(&credentials->list[i]);
    return left;
}

static int64_t parked_ms(const struct credential *credential, int64_t now_ms)
{
    int64_t until_ms = __atomic_load_n(&credential->parked_until_ms, __ATOMIC_RELAXED);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

int64_t credentials_parked_ms(const struct credentials *credentials, struct clock *clock)
{
    int64_t least_ms = INT64_MAX, now_ms = clock_now_ms(clock);
    for (size_t i = 0; i < credentials->count; i++) {
        const struct credential *credential = &credentials->list[i];
        int64_t wait_ms = parked_ms(credential, now_ms);
        if (!is_dropped(credential) && wait_ms < least_ms) least_ms = wait_ms;
    }
    return least_ms == INT64_MAX ? 0 : least_ms;
}

int64_t credentials_left(const struct credentials *credentials, struct clock *clock)
{
    int64_t sum = -1;
    for (size_t i = 0; i < credentials->count; i++) {
        const struct credential *credential = &credentials->list[i];
        int64_t left = is_dropped(credential) ? -1 : limiter_left(credential->limiter, clock);
        if (left >= 0) sum = (sum < 0 ? 0 : sum) + left;
    }
    return sum;
}

/* --- taking ------------------------------------------------------------------------------------------------------------- */

/* Those that may be asked, the best first. Sorted by insertion: there are few. */
static size_t rank(const struct credentials *credentials, struct clock *clock, struct credential **ranked)
{
    int64_t lefts[AUTH_POOL_MAX], now_ms = clock_now_ms(clock);
    uint64_t turns[AUTH_POOL_MAX];
    size_t count = 0;
    for (size_t i = 0; i < credentials->count; i++) {
        struct credential *credential = &credentials->list[i];
        if (is_dropped(credential) || parked_ms(credential, now_ms) > 0) continue;
        int64_t left = limiter_left(credential->limiter, clock);
        uint64_t used = __atomic_load_n(&credential->turns, __ATOMIC_RELAXED);
        size_t at = count++;
        if (left < 0) left = INT64_MAX;
        for (; at > 0 && (lefts[at - 1] < left || (lefts[at - 1] == left && turns[at - 1] > used)); at--) {
            lefts[at] = lefts[at - 1];
            turns[at] = turns[at - 1];
            ranked[at] = ranked[at - 1];
        }
        lefts[at] = left;
        turns[at] = used;
        ranked[at] = credential;
    }
    return count;
}

/* 0: taken; else the milliseconds after which to ask again. *is_quota: what that waits for is a quota. */
static int64_t take(const struct credentials *credentials, const struct limiter_request *asked, struct clock *clock,
                    struct limiter_ticket *ticket, struct credential **chosen, bool *is_quota)
{
    struct credential *ranked[AUTH_POOL_MAX];
    size_t count = rank(credentials, clock, ranked);
    int64_t least_ms = INT64_MAX, now_ms = clock_now_ms(clock);
    *is_quota = false;
    for (size_t i = 0; i < count; i++) {
        int rule;
        int64_t wait_ms = limiter_try(ranked[i]->limiter, asked, clock, ticket, &rule);
        if (wait_ms == 0) {
            __atomic_fetch_add(&ranked[i]->turns, 1, __ATOMIC_RELAXED);
            *chosen = ranked[i];
            return 0;
        }
        if (wait_ms >= least_ms) continue;
        least_ms = wait_ms;
        *is_quota = limiter_is_quota(ranked[i]->limiter, rule);
    }
    for (size_t i = 0; i < credentials->count; i++) {
        int64_t wait_ms = parked_ms(&credentials->list[i], now_ms);
        if (is_dropped(&credentials->list[i]) || wait_ms == 0 || wait_ms >= least_ms) continue;
        least_ms = wait_ms;
        *is_quota = false;
    }
    return least_ms;
}

static int refuse(const struct credentials *credentials, int64_t wait_ms, struct err *err)
{
    char span[TIME_TEXT_MAX];
    if (wait_ms == INT64_MAX) {
        err_set(err, ERR_AUTH, "could not be sent: the source refuses each of the %zu credentials", credentials->count);
        return err_hint(err, "they have ended or were revoked; put new ones into the pipeline's config");
    }
    time_write_span(wait_ms, span);
    err_set(err, ERR_RATE_LIMIT, "could not be sent: all credentials are used up, the first one for %s", span);
    return err_hint(err, "run again in %s: the sync goes on where it stopped; one more credential helps, too", span);
}

/* A pool's acquire. */
static int acquire(struct credentials *credentials, const struct limiter_request *asked, struct clock *clock,
                   struct cancel *cancel, const struct limiter_watch *watch, struct limiter_ticket *ticket,
                   struct credential **chosen, int64_t *resume_ms, struct err *err)
{
    int64_t wait_ms;
    bool is_quota, has_waited = false;
    int rc = 0;
    while (rc == 0 && (wait_ms = take(credentials, asked, clock, ticket, chosen, &is_quota)) > 0) {
        if (is_quota || wait_ms > LIMITER_WAIT_MAX_MS) {
            if (wait_ms != INT64_MAX) *resume_ms = clock_now_ms(clock) + wait_ms;
            rc = refuse(credentials, wait_ms, err);
            break;
        }
        if (watch) watch->waiting(watch->context, clock_now_ms(clock) + wait_ms, WAITS_FOR);
        has_waited = true;
        if (!clock_sleep_ms(clock, wait_ms, cancel))
            rc = err_set(err, ERR_CANCELLED, "stopped while waiting for the rate limit");
    }
    if (has_waited && watch) watch->waiting(watch->context, 0, NULL);
    return rc;
}

int credentials_acquire(struct credentials *credentials, const struct limiter_request *asked, struct clock *clock,
                        struct cancel *cancel, const struct limiter_watch *watch, struct limiter_ticket *ticket,
                        struct credential **chosen, int64_t *resume_ms, struct err *err)
{
    *chosen = &credentials->list[0];
    CHECK(credentials->count > 0 && credentials->count <= AUTH_POOL_MAX);
    if (credentials->count > 1) return acquire(credentials, asked, clock, cancel, watch, ticket, chosen, resume_ms, err);
    return limiter_acquire(credentials->list[0].limiter, asked, clock, cancel, watch, ticket, resume_ms, err);
}
