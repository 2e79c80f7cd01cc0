/* retry: decides, after one attempt at a request, whether to try again and when.
 *
 * Pure: no clock, no I/O, no allocation; the caller sleeps. That is what makes it testable to the millisecond.
 * A policy is read-only and may be shared by threads; a `struct retry` belongs to one request.
 *
 *     struct retry retry = RETRY_INIT(&policy, now_ms);
 *     while ((rc = attempt(..., err)) != 0) {
 *         struct retry_verdict verdict = retry_next(&retry, rc, declared_ms, retry_random(), now_ms);
 *         if (!verdict.again) return err_context(err, "%s", retry_reason_text(verdict.reason));
 *         if (!clock_sleep_ms(clock, verdict.wait_ms, cancel)) return err_set(err, ERR_CANCELLED, ...);
 *     }
 *
 * Whether the same request may be sent twice at all (a POST that may have arrived) is for the caller to know. */
#ifndef SLUICE_NET_RETRY_H
#define SLUICE_NET_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    int max_tries;              /* 5, the first one included; those answered with a declared wait of 1 s or more do not count */
    int64_t budget_ms;          /* 10 min since the first try; declared waits are not counted */
    int64_t base_wait_ms;       /* 500 */
    int64_t max_wait_ms;        /* 60 s */
    int64_t max_retry_after_ms; /* 1 h: the longest declared wait, and all of one request's together */
};
extern const struct retry_policy RETRY_POLICY_DEFAULT;

struct retry {
    const struct retry_policy *policy;
    int64_t started_ms;
    int64_t declared_ms; /* waits so far that the source asked for */
    int tries;           /* that failed and count */
};
#define RETRY_INIT(policy_, now_ms_) ((struct retry){.policy = (policy_), .started_ms = (now_ms_)})

enum retry_reason {
    RETRY_BACKOFF,       /* again, after a drawn wait */
    RETRY_DECLARED,      /* again, when the source said */
    RETRY_NOT_RETRYABLE, /* no: the class of the failure says so */
    RETRY_TRIES_USED,    /* no */
    RETRY_BUDGET_USED,   /* no: the time for one request is over */
    RETRY_WAIT_TOO_LONG, /* no: the source asks for longer than the policy waits */
};

struct retry_verdict {
    bool again;
    int64_t wait_ms;          /* when again */
    enum retry_reason reason; /* always, for the log */
};

/* The next move after an attempt failed with class `rc` (base/err.h). `declared_ms`: the wait that the answer asks for
 * (Retry-After of RFC 9110 10.2.3, a limit's reset), which is honoured as it is; -1 when it asks for none. Otherwise
 * full-jitter backoff: a wait drawn from [0, min(max_wait_ms, base_wait_ms * 2^tries)], never past budget_ms since the first
 * try. A declared wait under 1 s is a hint only: the drawn wait is used when it is longer, and the try counts, so that
 * "Retry-After: 0" for ever ends. `random` is 0..UINT32_MAX from the caller. */
struct retry_verdict retry_next(struct retry *retry, int rc, int64_t declared_ms, uint32_t random, int64_t now_ms);

uint32_t retry_random(void); /* for `random`; from the system's generator */

/* "gave up after the allowed number of tries" ...: reads well before ": " and the last failure. */
const char *retry_reason_text(enum retry_reason reason);

#endif
