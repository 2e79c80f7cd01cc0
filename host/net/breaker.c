/* breaker: see breaker.h. Requests that were under way when the breaker opened report, too: their failures change nothing, and
 * a success among them closes it, since it is the proof that a probe would have to bring. */
#include "net/breaker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"

struct host {
    int failures; /* in a row */
    bool is_open, is_probing;
    int64_t open_until_ms;
    uint64_t openings;
    int failed_probes; /* in a row */
    char reason[BREAKER_REASON_MAX];
};

struct breaker {
    pthread_mutex_t lock;
    struct map hosts; /* origin -> struct host */
    struct arena arena;
};

struct breaker *breaker_new(void)
{
    struct breaker *breaker = mem_zero(1, sizeof *breaker);
    CHECK(pthread_mutex_init(&breaker->lock, NULL) == 0);
    return breaker;
}

void breaker_free(struct breaker *breaker)
{
    if (!breaker) return;
    pthread_mutex_destroy(&breaker->lock);
    map_release(&breaker->hosts);
    arena_release(&breaker->arena);
    free(breaker);
}

static struct host *host_of(struct breaker *breaker, struct str origin)
{
    struct host *host = map_get(&breaker->hosts, origin);
    if (host) return host;
    host = arena_new(&breaker->arena, struct host);
    map_set(&breaker->hosts, arena_copy(&breaker->arena, origin), host);
    return host;
}

static void explain(const struct host *host, struct breaker_turn *turn)
{
    turn->failures = host->failures;
    snprintf(turn->reason, sizeof turn->reason, "%s", host->reason);
}

static enum breaker_answer ask(struct host *host, struct breaker_turn *turn, int64_t now_ms, int64_t *wait_ms)
{
    bool is_given_up = host->failed_probes >= BREAKER_PROBES;
    if (!host->is_open || turn->is_probe) return BREAKER_GO;
    if (turn->has_waited && turn->openings != host->openings) return is_given_up ? BREAKER_GIVEN_UP : BREAKER_FAILED;
    if (now_ms >= host->open_until_ms && !host->is_probing) {
        turn->is_probe = host->is_probing = true;
        return BREAKER_GO;
    }
    if (is_given_up) return BREAKER_GIVEN_UP;
    *wait_ms = host->is_probing ? BREAKER_PROBE_POLL_MS : host->open_until_ms - now_ms;
    turn->has_waited = true;
    turn->openings = host->openings;
    return BREAKER_WAIT;
}

enum breaker_answer breaker_ask(struct breaker *breaker, struct str origin, struct breaker_turn *turn, int64_t now_ms,
                                int64_t *wait_ms)
{
    pthread_mutex_lock(&breaker->lock);
    struct host *host = host_of(breaker, origin);
    enum breaker_answer answer = ask(host, turn, now_ms, wait_ms);
    if (answer != BREAKER_GO) explain(host, turn);
    pthread_mutex_unlock(&breaker->lock);
    return answer;
}

static enum breaker_event take_report(struct host *host, const struct breaker_turn *turn, enum breaker_outcome outcome,
                                      const char *reason, int64_t now_ms)
{
    if (turn->is_probe) host->is_probing = false; /* after BREAKER_UNKNOWN the next who asks is the probe */
    if (outcome == BREAKER_UNKNOWN) return BREAKER_NOTHING;
    if (outcome == BREAKER_GOOD) {
        bool was_open = host->is_open;
        host->failures = host->failed_probes = 0;
        host->is_open = false;
        return was_open ? BREAKER_CLOSED : BREAKER_NOTHING;
    }
    if (host->is_open && !turn->is_probe) return BREAKER_NOTHING;
    host->failures++;
    snprintf(host->reason, sizeof host->reason, "%s", reason);
    if (host->failures < BREAKER_FAILURES) return BREAKER_NOTHING;
    host->failed_probes += host->is_open;
    host->is_open = true;
    host->openings++;
    host->open_until_ms = now_ms + BREAKER_OPEN_MS;
    return BREAKER_OPENED;
}

enum breaker_event breaker_report(struct breaker *breaker, struct str origin, struct breaker_turn *turn,
                                  enum breaker_outcome outcome, const char *reason, int64_t now_ms)
{
    pthread_mutex_lock(&breaker->lock);
    struct host *host = host_of(breaker, origin);
    enum breaker_event event = take_report(host, turn, outcome, reason, now_ms);
    explain(host, turn);
    pthread_mutex_unlock(&breaker->lock);
    return event;
}
