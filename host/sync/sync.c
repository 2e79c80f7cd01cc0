/* sync: see sync.h. The run itself: lease, keeper, one thread per flow as slots allow, release. */
#include "sync/sync.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "data/block.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/thread.h"
#include "rest/access.h"
#include "sync/flow.h"
#include "sync/keeper.h"
#include "sync/parents.h"

enum { FLOW_STACK = 1024 * 1024 };

struct flow_thread {
    struct thread thread;
    const struct sync_context *sync;
    struct flow_plan *plan;
    struct stream_progress *progress; /* of the plan's streams */
};

static void run_flow(void *context)
{
    struct flow_thread *flow = context;
    flow_run(flow->sync, flow->plan, flow->progress);
}

/* Waits for a slot; false when the sync is asked to stop meanwhile. */
static bool take_slot(const struct sync_context *sync)
{
    for (;;) {
        struct timespec until;
        if (cancel_stopping(sync->reading)) return false;
        clock_gettime(CLOCK_MONOTONIC, &until); /* the other one may jump, and the wait with it */
        until.tv_nsec += 100 * 1000 * 1000;
        if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
        if (sem_clockwait(sync->slots, CLOCK_MONOTONIC, &until) == 0) return true;
    }
}

static void observe(const struct sync_context *sync, struct sync_event *event)
{
    event->progress = sync->progress;
    event->at_us = clock_wall_us(sync->clock);
    event->elapsed_ms = clock_now_ms(sync->clock) - sync->started_ms;
    pthread_mutex_lock(sync->observer_lock);
    sync->observer->event(sync->observer->context, event);
    pthread_mutex_unlock(sync->observer_lock);
}

static void tell(const struct sync_context *sync, enum event_kind kind, const struct err *err, int exit_code)
{
    struct sync_event event = {.kind = kind, .err = err, .exit_code = exit_code};
    const struct client_counters *http = sync->progress->http;
    int64_t waits_ms = http ? __atomic_load_n(&http->resume_ms, __ATOMIC_RELAXED) - clock_now_ms(sync->source_clock) : 0;
    if (kind == EVENT_SYNC_ENDED && waits_ms > 0)
        event.resume_at = (clock_wall_us(sync->source_clock) / 1000 + waits_ms) / 1000;
    observe(sync, &event);
}

static void end_unstarted(const struct flow_thread *flow, enum stream_status status, const struct err *err)
{
    for (size_t i = 0; i < flow->plan->stream_count; i++) {
        err_copy(&flow->progress[i].err, err);
        atomic_store(&flow->progress[i].status, status);
        observe(flow->sync, &(struct sync_event){.kind = EVENT_STREAM_ENDED, .stream = &flow->progress[i]});
    }
}

static void run_flows(const struct sync_context *sync, struct sync_plan *plan)
{
    struct flow_thread *threads = mem_zero(plan->count, sizeof *threads);
    struct stream_progress *next = sync->progress->streams;
    for (size_t i = 0; i < plan->count; i++) {
        struct stream_progress *progress = next;
        next += plan->flows[i].stream_count;
        threads[i] = (struct flow_thread){.sync = sync, .plan = &plan->flows[i], .progress = progress};
        if (!take_slot(sync)) {
            struct err stopped = ERR_INIT;
            err_set(&stopped, ERR_CANCELLED, "stopped before it began");
            end_unstarted(&threads[i], STREAM_STOPPED, &stopped);
            continue;
        }
        struct err failed = ERR_INIT;
        if (thread_start(&threads[i].thread, "flow", run_flow, &threads[i], FLOW_STACK, &failed) != 0) {
            end_unstarted(&threads[i], STREAM_FAILED, &failed);
            sem_post(sync->slots);
        }
    }
    for (size_t i = 0; i < plan->count; i++) thread_join(&threads[i].thread);
    free(threads);
}

/* The run's exit code from those of its streams: the one they share, 8 when only some failed or they differ. What the connector
 * says to leave out is no failure, unless that leaves nothing. */
static int overall_code(const struct progress *progress, struct err *err)
{
    int code = -1;
    size_t skipped = 0;
    for (size_t i = 0; i < progress->stream_count; i++) skipped += atomic_load(&progress->streams[i].status) == STREAM_SKIPPED;
    if (skipped > 0 && skipped == progress->stream_count && !err->class) {
        err_set(err, ERR_PERMISSION, "cannot load anything: every stream was skipped");
        err_hint(err, "look at what the source says about each: its plan, or what the credentials are allowed to do");
    }
    for (size_t i = 0; i < progress->stream_count; i++) {
        const struct err *failed = &progress->streams[i].err;
        bool is_skipped = atomic_load(&progress->streams[i].status) == STREAM_SKIPPED;
        int own = failed->class && !is_skipped ? err_class_info(failed->class)->exit_code : 0;
        if (failed->class == ERR_CANCELLED && !err->class) err_copy(err, failed);
        code = code == -1 || code == own ? own : 8;
    }
    return err->class ? err_class_info(err->class)->exit_code : code;
}

static struct progress *make_progress(const struct sync_prepared *prepared, struct arena *arena)
{
    const struct sync_plan *plan = &prepared->plan;
    struct progress *progress = arena_new(arena, struct progress);
    progress->pipeline = prepared->options.pipeline->name;
    size_t count = 0;
    for (size_t f = 0; f < plan->count; f++) count += plan->flows[f].stream_count;
    progress->streams = arena_array(arena, struct stream_progress, count + 1);
    for (size_t f = 0; f < plan->count; f++)
        for (size_t i = 0; i < plan->flows[f].stream_count; i++) {
            struct stream_progress *stream = &progress->streams[progress->stream_count++];
            stream->name = plan->flows[f].streams[i].stream->name;
            stream->mode = plan->flows[f].streams[i].mode;
            stream->shares_err = i > 0;
            snprintf(stream->target, sizeof stream->target, "%s", plan->flows[f].tables[i].name);
        }
    return progress;
}

/* Everything between the lease's acquisition and its release. */
static int run_held(struct sync_context *sync, struct sync_prepared *prepared, struct err *err)
{
    struct keeper *keeper = NULL;
    const struct keeper_options options = {.writer = sync->writer,
                                           .destination = sync->destination,
                                           .progress = sync->progress,
                                           .cancel = sync->cancel,
                                           .reading = sync->reading,
                                           .clock = sync->clock,
                                           .stall_ms = KEEPER_STALL_MS,
                                           .renew_ms = KEEPER_RENEW_MS};
    int rc = keeper_start(&options, &keeper, err);
    if (rc) return err_class_info(rc)->exit_code;
    tell(sync, EVENT_SYNC_STARTED, NULL, 0);
    sync->parents = parents_new(sync, &prepared->plan);
    run_flows(sync, &prepared->plan);
    parents_free(sync->parents);
    keeper_stop(keeper, err);
    return overall_code(sync->progress, err);
}

int sync_run(struct sync_prepared *prepared, const struct observer *observer, struct err *err)
{
    const struct sync_options *options = &prepared->options;
    pthread_mutex_t observer_lock = PTHREAD_MUTEX_INITIALIZER;
    struct arena arena = ARENA_INIT(0);
    sem_t slots;
    /* One slice after the other where requests are recorded or replayed: in the same order each time. */
    unsigned slot_count = options->cassette ? 1u : (unsigned)options->pipeline->concurrency;
    if (options->request.continuous && slot_count < prepared->plan.count) slot_count = (unsigned)prepared->plan.count;
    sem_init(&slots, 0, slot_count); /* what never ends leaves no room for others */
    struct sync_context sync = {
        .pipeline = options->pipeline,
        .description = prepared->description,
        .config = prepared->config,
        .sources = &prepared->sources,
        .connector_options = &prepared->connector_options,
        .retry = access_retry(prepared->description),
        .writer = options->pipeline->writer,
        .budget = prepared->budget,
        .secrets = options->secrets,
        .state_folder = options->state_folder,
        .clock = options->clock,
        .source_clock = prepared->source_clock,
        .log = log_child(options->log, options->pipeline->name),
        .cancel = cancel_new(options->cancel),
        .progress = make_progress(prepared, &arena),
        .observer = observer,
        .observer_lock = &observer_lock,
        .slots = &slots,
        .continuous = options->request.continuous,
        .started_us = prepared->now_us,
        .started_ms = clock_now_ms(options->clock),
    };
    sync.reading = cancel_new(sync.cancel);
    int code;
    int rc = sync_client(prepared, sync.reading, &sync.client, err);
    if (rc == 0) {
        sync.own = prepared->own; /* may only be known after the login */
        sync.progress->http = client_counters(sync.client);
        rc = sync_destination(prepared, sync.cancel, &sync.destination, err);
    }
    if (rc == 0) rc = sync.writer->acquire(sync.destination, err);
    if (rc == 0) {
        FAULT_POINT("sync.held");
        code = run_held(&sync, prepared, err);
        FAULT_POINT("sync.release.before");
        sync.writer->release(sync.destination);
        FAULT_POINT("sync.release.after");
    } else {
        code = err_class_info(rc)->exit_code;
    }
    tell(&sync, EVENT_SYNC_ENDED, err, code);
    if (sync.destination) sync.writer->close(sync.destination);
    if (sync.client) client_free(sync.client);
    cancel_free(sync.reading);
    cancel_free(sync.cancel);
    sem_destroy(&slots);
    arena_release(&arena);
    return code;
}
