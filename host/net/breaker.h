/* breaker: keeps everybody from a host that fails again and again, so that it can recover and nobody wastes tries on it.
 *
 * Per origin ("https://api.example.com:443"): *closed*, requests go out; after BREAKER_FAILURES failures in a row, whoever's
 * they were, *open*: none goes out for BREAKER_OPEN_MS; then *half-open*: one goes out as a probe while the others wait for
 * what becomes of it. A probe that is answered closes the breaker; one that fails opens it again, and that counts as a failed
 * try for everybody who waited, so that a host that stays away ends every request after its allowed tries. After
 * BREAKER_PROBES failed ones in a row the host is *given up*: nobody waits for it any more, and who comes is turned away at
 * once, but for one probe each BREAKER_OPEN_MS. So a source that is down for good costs a sync minutes, not minutes for each of
 * its streams.
 *
 * What counts as a failure is for the caller to say: no connection, a broken or late answer, a 5xx. A refusal with a reason
 * (4xx, 429) is an answer.
 *
 *     struct breaker_turn turn = {0};
 *     while ((answer = breaker_ask(breaker, origin, &turn, now_ms, &wait_ms)) == BREAKER_WAIT) sleep(wait_ms) ...
 *     if (answer == BREAKER_GO) { send; event = breaker_report(breaker, origin, &turn, BREAKER_GOOD, "", now_ms); }
 *
 * Who does something else between asking and sending that takes its time asks again: the answer of a probe stays GO.
 *
 * The clock is the caller's (monotonic ms). Thread-safe; nothing blocks. */
#ifndef SLUICE_NET_BREAKER_H
#define SLUICE_NET_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
    BREAKER_FAILURES = 5,
    BREAKER_OPEN_MS = 60000,
    BREAKER_PROBES = 5,          /* as many as a request has tries */
    BREAKER_PROBE_POLL_MS = 100, /* how often to ask again while a probe is under way */
    BREAKER_REASON_MAX = 200,
};

struct breaker;

struct breaker *breaker_new(void);
void breaker_free(struct breaker *breaker); /* NULL is fine */

/* One request's way past the breaker; zeroed before it asks first. */
struct breaker_turn {
    bool has_waited;
    bool is_probe;
    uint64_t openings; /* of the origin's, when it began to wait */
    /* For messages, set by answers other than GO and by reports: the origin's failures in a row, and why the last one. */
    int failures;
    char reason[BREAKER_REASON_MAX];
};

enum breaker_answer {
    BREAKER_GO,       /* send, then report */
    BREAKER_WAIT,     /* ask again after *wait_ms */
    BREAKER_FAILED,   /* the probe that was waited for failed: count it as a try, and report nothing */
    BREAKER_GIVEN_UP, /* too many probes failed: trying again is of no use; report nothing */
};
enum breaker_answer breaker_ask(struct breaker *breaker, struct str origin, struct breaker_turn *turn, int64_t now_ms,
                                int64_t *wait_ms);

/* BREAKER_UNKNOWN: nothing was learned (it was not sent, or cancelled). */
enum breaker_outcome { BREAKER_GOOD, BREAKER_BAD, BREAKER_UNKNOWN };
enum breaker_event { BREAKER_NOTHING, BREAKER_OPENED, BREAKER_CLOSED };
/* `reason`: of a bad one; cut to its maximum. */
enum breaker_event breaker_report(struct breaker *breaker, struct str origin, struct breaker_turn *turn,
                                  enum breaker_outcome outcome, const char *reason, int64_t now_ms);

#endif
