/* keeper: see keeper.h. Two threads: one renews, and may be kept waiting by a destination that stands still; the other watches,
 * and never waits for anything, so that deadlines hold all the same. */
#include "sync/keeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "net/client.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

enum { WATCH_MS = 250, RENEW_AGAIN_MS = 2000 };

struct keeper {
    struct keeper_options options;
    struct thread renewer, watcher;
    struct cancel *stop_renewing, *stop_watching;
    _Atomic int64_t held_until_ms; /* the lease is ours at least until then */
    pthread_mutex_t lock;          /* guards err */
    struct err err;                /* why the sync was aborted */
    /* of the watcher: */
    int64_t activity;    /* last seen */
    int64_t active_ms;   /* when it last changed */
    int64_t stopping_ms; /* when the sync was asked to stop; 0: it was not */
};

/* Aborts the sync; the first reason counts. */
static void abort_sync(struct keeper *keeper, const struct err *reason)
{
    pthread_mutex_lock(&keeper->lock);
    if (!keeper->err.class) err_copy(&keeper->err, reason);
    pthread_mutex_unlock(&keeper->lock);
    cancel_fire(keeper->options.cancel, CANCEL_ABORT);
}

/* How long the client still waits on a limit it was told; 0: it does not. */
static int64_t declared_wait_ms(const struct keeper *keeper, int64_t now_ms)
{
    const struct client_counters *http = keeper->options.progress->http;
    int64_t until = http ? __atomic_load_n(&http->waiting_until_ms, __ATOMIC_RELAXED) : 0;
    return until > now_ms ? until - now_ms : 0;
}

/* --- the lease -------------------------------------------------------------------------------------------------------------
 */

/* Has a long wait begun that the lease does not outlast? */
static bool lease_is_short(struct keeper *keeper)
{
    int64_t now_ms = clock_now_ms(keeper->options.clock), wait_ms = declared_wait_ms(keeper, now_ms);
    return wait_ms > KEEPER_LEASE_MS && now_ms + wait_ms > keeper_held_until_ms(keeper);
}

/* Waits until the lease is to be renewed: after `pause_ms`, or earlier for a long wait. False when it is not any more. */
static bool wait_for_turn(struct keeper *keeper, int64_t pause_ms)
{
    while (pause_ms > 0) {
        int64_t step_ms = pause_ms < WATCH_MS ? pause_ms : WATCH_MS;
        if (cancel_wait_ms(keeper->stop_renewing, step_ms)) return false;
        pause_ms = lease_is_short(keeper) ? 0 : pause_ms - step_ms;
    }
    return true;
}

static void renew(void *context)
{
    struct keeper *keeper = context;
    int64_t pause_ms = keeper->options.renew_ms;
    bool failed = false;
    while (failed ? !cancel_wait_ms(keeper->stop_renewing, RENEW_AGAIN_MS) : wait_for_turn(keeper, pause_ms)) {
        struct err err = ERR_INIT;
        int64_t now_ms = clock_now_ms(keeper->options.clock), wait_ms = declared_wait_ms(keeper, now_ms);
        int rc = keeper->options.writer->renew(keeper->options.destination, wait_ms > KEEPER_LEASE_MS ? wait_ms : 0, &err);
        if (rc == ERR_HELD) {
            abort_sync(keeper, &err);
            return;
        }
        failed = rc != 0;
        if (failed) continue;
        /* A long wait: the lease outlasts it, so nothing has to be asked of the destination meanwhile. */
        int64_t span_ms = wait_ms > KEEPER_LEASE_MS ? wait_ms : 0;
        atomic_store(&keeper->held_until_ms, now_ms + span_ms + KEEPER_LEASE_MS);
        pause_ms = span_ms ? span_ms : keeper->options.renew_ms;
    }
}

int64_t keeper_held_until_ms(const struct keeper *keeper)
{
    return atomic_load(&keeper->held_until_ms);
}

static bool lease_ran_out(struct keeper *keeper, int64_t now_ms)
{
    if (now_ms < keeper_held_until_ms(keeper)) return false;
    struct err err = ERR_INIT;
    err_set(&err, ERR_DESTINATION, "could not renew the lease of the pipeline for %d s: the destination does not answer",
            KEEPER_LEASE_MS / 1000);
    err_hint(&err, "nothing was lost or doubled; run again when the destination is back");
    abort_sync(keeper, &err);
    return true;
}

/* --- watching --------------------------------------------------------------------------------------------------------------
 */

static bool stands_still(struct keeper *keeper, int64_t now_ms)
{
    int64_t activity = atomic_load(&keeper->options.progress->activity);
    bool is_committing = atomic_load(&keeper->options.progress->committing) > 0;
    if (activity != keeper->activity || is_committing || declared_wait_ms(keeper, now_ms) > 0) {
        keeper->activity = activity;
        keeper->active_ms = now_ms;
    }
    if (now_ms - keeper->active_ms < keeper->options.stall_ms) return false;
    struct err err = ERR_INIT;
    err_set(&err, ERR_STALLED, "no progress for %lld s while nothing waits on a declared limit or the destination",
            (long long)(keeper->options.stall_ms / 1000));
    abort_sync(keeper, &err);
    return true;
}

static void watch_stop(struct keeper *keeper, int64_t now_ms)
{
    if (!cancel_stopping(keeper->options.cancel)) return;
    if (!keeper->stopping_ms) keeper->stopping_ms = now_ms;
    if (now_ms - keeper->stopping_ms >= KEEPER_STOP_READING_MS) cancel_fire(keeper->options.reading, CANCEL_ABORT);
    if (now_ms - keeper->stopping_ms >= KEEPER_STOP_ALL_MS) cancel_fire(keeper->options.cancel, CANCEL_ABORT);
}

static void watch(void *context)
{
    struct keeper *keeper = context;
    while (!cancel_wait_ms(keeper->stop_watching, WATCH_MS)) {
        int64_t now_ms = clock_now_ms(keeper->options.clock);
        watch_stop(keeper, now_ms);
        if (lease_ran_out(keeper, now_ms) || stands_still(keeper, now_ms)) return;
    }
}

/* --- starting and ending ---------------------------------------------------------------------------------------------------
 */

/* The watcher goes last: while a renewal is kept waiting, only it can end that. */
static void end(struct keeper *keeper)
{
    cancel_fire(keeper->stop_renewing, CANCEL_ABORT);
    thread_join(&keeper->renewer);
    cancel_fire(keeper->stop_watching, CANCEL_ABORT);
    thread_join(&keeper->watcher);
    cancel_free(keeper->stop_renewing);
    cancel_free(keeper->stop_watching);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

int keeper_start(const struct keeper_options *options, struct keeper **out, struct err *err)
{
    struct keeper *keeper = mem_zero(1, sizeof *keeper);
    int64_t now_ms = clock_now_ms(options->clock);
    keeper->options = *options;
    keeper->stop_renewing = cancel_new(NULL);
    keeper->stop_watching = cancel_new(NULL);
    keeper->held_until_ms = now_ms + KEEPER_LEASE_MS;
    keeper->active_ms = now_ms;
    pthread_mutex_init(&keeper->lock, NULL);
    int rc = thread_start(&keeper->watcher, "watcher", watch, keeper, 0, err);
    if (rc == 0) rc = thread_start(&keeper->renewer, "keeper", renew, keeper, 0, err);
    if (rc) {
        end(keeper);
        return rc;
    }
    *out = keeper;
    return 0;
}

int keeper_stop(struct keeper *keeper, struct err *err)
{
    if (!keeper) return 0;
    cancel_fire(keeper->stop_renewing, CANCEL_ABORT);
    thread_join(&keeper->renewer);
    pthread_mutex_lock(&keeper->lock);
    int rc = keeper->err.class ? err_copy(err, &keeper->err) : 0;
    pthread_mutex_unlock(&keeper->lock);
    end(keeper);
    return rc;
}
