/* retry: see retry.h. */
#include "net/retry.h"

#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "os/crypto.h"

enum { DECLARED_MIN_MS = 1000 };

const struct retry_policy RETRY_POLICY_DEFAULT = {
    .max_tries = 5,
    .budget_ms = 10 * 60 * 1000,
    .base_wait_ms = 500,
    .max_wait_ms = 60 * 1000,
    .max_retry_after_ms = 60 * 60 * 1000,
};

static struct retry_verdict stop(enum retry_reason reason)
{
    return (struct retry_verdict){.reason = reason};
}

/* base * 2^tries up to the maximum, without overflow for any number of tries. */
static int64_t wait_cap_ms(const struct retry_policy *policy, int tries)
{
    int64_t cap_ms = policy->base_wait_ms;
    for (int i = 0; i < tries && cap_ms < policy->max_wait_ms; i++) cap_ms *= 2;
    return cap_ms < policy->max_wait_ms ? cap_ms : policy->max_wait_ms;
}

/* random / UINT32_MAX of the cap, in parts that cannot overflow. */
static int64_t draw_ms(int64_t cap_ms, uint32_t random)
{
    return cap_ms / UINT32_MAX * random + cap_ms % UINT32_MAX * random / UINT32_MAX;
}

static struct retry_verdict wait_as_declared(struct retry *retry, int64_t wait_ms)
{
    const struct retry_policy *policy = retry->policy;
    if (wait_ms > policy->max_retry_after_ms - retry->declared_ms) return stop(RETRY_WAIT_TOO_LONG);
    retry->declared_ms += wait_ms;
    return (struct retry_verdict){true, wait_ms, RETRY_DECLARED};
}

struct retry_verdict retry_next(struct retry *retry, int rc, int64_t declared_ms, uint32_t random, int64_t now_ms)
{
    const struct retry_policy *policy = retry->policy;
    if (!err_class_info(rc)->retryable) return stop(RETRY_NOT_RETRYABLE);
    if (declared_ms >= DECLARED_MIN_MS) return wait_as_declared(retry, declared_ms);
    int64_t wait_ms = draw_ms(wait_cap_ms(policy, retry->tries), random);
    if (++retry->tries >= policy->max_tries) return stop(RETRY_TRIES_USED);
    if (wait_ms < declared_ms) wait_ms = declared_ms;
    if (now_ms - retry->started_ms - retry->declared_ms + wait_ms > policy->budget_ms) return stop(RETRY_BUDGET_USED);
    return (struct retry_verdict){true, wait_ms, RETRY_BACKOFF};
}

uint32_t retry_random(void)
{
    uint32_t random;
    crypto_random(&random, sizeof random);
    return random;
}

const char *retry_reason_text(enum retry_reason reason)
{
    static const char *const TEXTS[] = {
        [RETRY_BACKOFF] = "trying again after a while",
        [RETRY_DECLARED] = "trying again when the source said",
        [RETRY_NOT_RETRYABLE] = "trying again would not help",
        [RETRY_TRIES_USED] = "gave up after the allowed number of tries",
        [RETRY_BUDGET_USED] = "gave up after the allowed time",
        [RETRY_WAIT_TOO_LONG] = "gave up: the source asks for a longer wait than allowed",
    };
    CHECK((size_t)reason < ARRAY_SIZE(TEXTS));
    return TEXTS[reason];
}
