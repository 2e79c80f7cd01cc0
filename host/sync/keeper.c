/* keeper: see keeper.h. */
#include "sync/keeper.h"

#include <stdlib.h>

#include "net/client.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

struct keeper {
    struct keeper_options options;
    struct thread thread;
    struct cancel *stop; /* of this thread */
    struct err err;
    int64_t renewed_ms;   /* when the lease was last known to be ours */
    int64_t next_renew_ms;
    int64_t activity;     /* last seen */
    int64_t active_ms;    /* when it last changed */
    int64_t stopping_ms;  /* when the sync was asked to stop; 0: it was not */
};

/* How long the client still waits on a limit it was told; 0: it does not. */
static int64_t declared_wait_ms(const struct keeper *keeper, int64_t now_ms)
{
    const struct client_counters *http = keeper->options.progress->http;
    int64_t until = http ? http->waiting_until_ms : 0;
    return until > now_ms ? until - now_ms : 0;
}

static bool keep_lease(struct keeper *keeper, int64_t now_ms)
{
    if (now_ms < keeper->next_renew_ms) return true;
    struct err err = ERR_INIT;
    int64_t wait_ms = declared_wait_ms(keeper, now_ms);
    int rc = keeper->options.writer->renew(keeper->options.destination, wait_ms > KEEPER_LEASE_MS ? wait_ms : 0, &err);
    now_ms = clock_now_ms(keeper->options.clock);
    if (rc == 0) {
        keeper->renewed_ms = now_ms;
        keeper->next_renew_ms = now_ms + KEEPER_RENEW_MS;
        return true;
    }
    keeper->next_renew_ms = now_ms + 2000;
    if (rc != ERR_HELD && now_ms - keeper->renewed_ms < KEEPER_LEASE_MS) return true;
    err_copy(&keeper->err, &err);
    return false;
}

static bool check_activity(struct keeper *keeper, int64_t now_ms)
{
    int64_t activity = atomic_load(&keeper->options.progress->activity);
    bool is_committing = atomic_load(&keeper->options.progress->committing) > 0;
    if (activity != keeper->activity || is_committing || declared_wait_ms(keeper, now_ms) > 0) {
        keeper->activity = activity;
        keeper->active_ms = now_ms;
    }
    if (now_ms - keeper->active_ms < keeper->options.stall_ms) return true;
    err_set(&keeper->err, ERR_STALLED, "no progress for %lld s while nothing waits on a declared limit or the destination",
            (long long)(keeper->options.stall_ms / 1000));
    return false;
}

static void watch_stop(struct keeper *keeper, int64_t now_ms)
{
    if (!cancel_stopping(keeper->options.cancel)) return;
    if (!keeper->stopping_ms) keeper->stopping_ms = now_ms;
    if (now_ms - keeper->stopping_ms >= KEEPER_STOP_READING_MS) cancel_fire(keeper->options.reading, CANCEL_ABORT);
    if (now_ms - keeper->stopping_ms >= KEEPER_STOP_ALL_MS) cancel_fire(keeper->options.cancel, CANCEL_ABORT);
}

static void keep(void *context)
{
    struct keeper *keeper = context;
    int64_t now_ms = clock_now_ms(keeper->options.clock);
    keeper->renewed_ms = keeper->active_ms = now_ms;
    keeper->next_renew_ms = now_ms + KEEPER_RENEW_MS;
    while (!cancel_wait_ms(keeper->stop, 1000)) {
        now_ms = clock_now_ms(keeper->options.clock);
        watch_stop(keeper, now_ms);
        if (!keep_lease(keeper, now_ms) || !check_activity(keeper, now_ms)) {
            cancel_fire(keeper->options.cancel, CANCEL_ABORT);
            return;
        }
    }
}

int keeper_start(const struct keeper_options *options, struct keeper **out, struct err *err)
{
    struct keeper *keeper = mem_zero(1, sizeof *keeper);
    keeper->options = *options;
    keeper->stop = cancel_new(NULL);
    int rc = thread_start(&keeper->thread, "keeper", keep, keeper, 0, err);
    if (rc) {
        cancel_free(keeper->stop);
        free(keeper);
        return rc;
    }
    *out = keeper;
    return 0;
}

int keeper_stop(struct keeper *keeper, struct err *err)
{
    if (!keeper) return 0;
    cancel_fire(keeper->stop, CANCEL_ABORT);
    thread_join(&keeper->thread);
    int rc = keeper->err.class ? err_copy(err, &keeper->err) : 0;
    cancel_free(keeper->stop);
    free(keeper);
    return rc;
}
