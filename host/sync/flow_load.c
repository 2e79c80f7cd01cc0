/* flow_load: when a flow makes a load, whether its rejects allow it, and what is told of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "data/block.h"
#include "os/channel.h"
#include "os/clock.h"
#include "sync/flow_parts.h"

enum { MIN_REJECT_LIMIT = 1000, LONG_WAIT_MS = 30000, QUIET_MS = 1000 };

/* Why the rejects of this sync's stream, with those of `load`, cannot be accepted; false: they can. Past a limit, or when a
 * stream that is read from its beginning has not one record to show for it: then the key or the fields are declared wrongly. */
static bool stream_refuses(const struct flow *flow, const struct load *load, size_t stream, char reason[128])
{
    const struct load_counts *before = assembly_totals(flow->assembly, stream), *now = &load->counts[stream];
    uint64_t emitted = before->emitted + now->emitted;
    uint64_t limit = emitted / 100 > MIN_REJECT_LIMIT ? emitted / 100 : MIN_REJECT_LIMIT;
    uint64_t total = assembly_reject_total(flow->assembly, stream);
    bool from_beginning = !flow->windows.stored || !flow->windows.stored[0];
    const char *why = load->reject_count ? load->rejects[0].reason : "";
    if (total > limit)
        snprintf(reason, 128, "%llu records or values were rejected, over the limit of %llu%s%s", (unsigned long long)total,
                 (unsigned long long)limit, why[0] ? ": " : "", why);
    else if (load->complete && from_beginning && emitted > 0 && before->rejected + now->rejected == emitted)
        snprintf(reason, 128, "every one of %llu records was rejected%s%s", (unsigned long long)emitted, why[0] ? ": " : "",
                 why);
    else
        return false;
    return true;
}

static bool rejects_refuse(const struct flow *flow, const struct load *load, char reason[128])
{
    for (size_t i = 0; i < flow_counted(flow->plan); i++)
        if (stream_refuses(flow, load, i, reason)) return true;
    return false;
}

static int refuse_rejects(struct flow *flow, const struct load *load, const char *reason, struct err *err)
{
    struct err ignored = ERR_INIT;
    if (flow->sync->writer->fail(flow->writer, load, reason, &ignored) != 0)
        log_warn(flow->log, "could not keep the rejects: %s", ignored.message);
    err_set(err, ERR_DATA, "%s", reason);
    return err_hint(err, "the last ones are kept with their reasons; correct the connector's fields or primary key");
}

/* A plugin may tell its source to forget what a durable checkpoint covers. */
static void tell_slices(struct flow *flow)
{
    for (uint32_t i = 0; flow->plan->stream->native && i < flow->windows.slice_count; i++) {
        const char *checkpoint = assembly_stored_token(flow->assembly, i);
        if (checkpoint && flow->running[i]) slice_committed(flow->running[i], checkpoint);
    }
}

static void note_load(struct flow *flow, const struct load *load)
{
    const char *cursor = state_get(load->state, flow_stream(flow), "", "cursor");
    const char *note = flow->sync->writer->note ? flow->sync->writer->note(flow->writer) : NULL;
    size_t count = flow->plan->stream_count;
    struct load_counts *counts = mem_zero(count, sizeof *counts);
    memcpy(counts, load->counts, count * sizeof *counts);
    if (cursor) snprintf(flow->progress->cursor, sizeof flow->progress->cursor, "%s", cursor);
    assembly_committed(flow->assembly);
    tell_slices(flow);
    for (size_t i = 0; i < count; i++) {
        struct stream_progress *progress = &flow->progress[i];
        atomic_fetch_add(&progress->loads, 1);
        atomic_fetch_add(&progress->committed, counts[i].emitted);
        atomic_store(&progress->note, note);
        progress->totals = *assembly_totals(flow->assembly, i);
        flow_tell(flow, EVENT_LOAD, i, &counts[i]);
    }
    progress_alive(flow->sync->progress);
    free(counts);
}

void flow_note_use(struct flow *flow)
{
    flow->used_ms = clock_now_ms(flow->sync->clock);
    flow->is_quiet = false;
}

int flow_commit(struct flow *flow, enum assembly_take take, struct err *err)
{
    struct load load;
    while (assembly_take(flow->assembly, take, &load)) {
        char reason[128];
        FAULT_POINT("sync.commit.before");
        load.is_prompt = flow->sync->continuous && take == TAKE_COVERED;
        int64_t at_ms = clock_now_ms(flow->sync->clock);
        atomic_fetch_add(&flow->sync->progress->committing, 1);
        int rc = rejects_refuse(flow, &load, reason) ? refuse_rejects(flow, &load, reason, err)
                                                     : flow->sync->writer->commit(flow->writer, &load, err);
        atomic_fetch_sub(&flow->sync->progress->committing, 1);
        progress_spent(flow->progress, SPENT_COMMIT, clock_now_ms(flow->sync->clock) - at_ms);
        FAULT_POINT("sync.commit.after");
        flow->commit_failed = rc != 0;
        if (rc) return rc;
        note_load(flow, &load);
        flow_partitions_committed(flow);
        if (take == TAKE_ALL && !assembly_is_done(flow->assembly)) break;
    }
    flow->oldest_ms = assembly_bytes(flow->assembly) ? clock_now_ms(flow->sync->clock) : 0;
    flow_note_use(flow);
    return 0;
}

/* Enough waits, or memory is short and what has come is taken: a load for each page that came while the one before was
 * committed would take much longer. Little remainders stay then: all flows together can hold back no more than a quarter of the
 * budget, so there is always a flow whose commit frees enough. */
static bool is_full(const struct flow *flow)
{
    const struct pipeline *pipeline = flow->sync->pipeline;
    size_t bytes = assembly_bytes(flow->assembly), remainder = pipeline->memory_bytes / (4 * (size_t)pipeline->concurrency);
    if (bytes >= pipeline->commit_bytes) return true;
    return bytes > 0 && bytes >= remainder && channel_count(flow->items) == 0 && budget_is_short(flow->sync->budget);
}

/* Of what waited long enough, rows that a crash would make us read again all the same stay in memory: held rows would keep a
 * build from being published, and to hold them takes a connection. */
int flow_commit_if_due(struct flow *flow, struct err *err)
{
    if (is_full(flow)) {
        flow->resting_until_ms = 0; /* the connection is open again */
        return flow_commit(flow, TAKE_ALL, err);
    }
    if (flow_partitions_fill_load(flow)) return flow_commit(flow, TAKE_COVERED, err);
    bool is_old = flow->oldest_ms && clock_now_ms(flow->sync->clock) - flow->oldest_ms >= flow->sync->pipeline->commit_ms;
    return is_old ? flow_commit(flow, TAKE_COVERED, err) : 0;
}

/* Until when no slice will bring anything, for sure; 0: any may, at any moment. */
static int64_t sure_wait_until_ms(const struct flow *flow)
{
    int64_t soonest_ms = INT64_MAX;
    for (size_t i = 0; i < flow->windows.slice_count; i++) {
        if (!flow->running[i]) continue;
        int64_t until_ms = slice_waiting_until_ms(flow->running[i]);
        if (until_ms < soonest_ms) soonest_ms = until_ms;
    }
    return soonest_ms == INT64_MAX || flow_partitions_wait(flow) ? 0 : soonest_ms;
}

static int rest(struct flow *flow, int64_t wait_ms, struct err *err)
{
    const struct sync_context *sync = flow->sync;
    if (!sync->writer->rest) return 0;
    struct load_counts *counts = mem_zero(flow->plan->stream_count, sizeof *counts);
    atomic_fetch_add(&sync->progress->committing, 1);
    int rc = sync->writer->rest(flow->writer, wait_ms, counts, err);
    atomic_fetch_sub(&sync->progress->committing, 1);
    flow->commit_failed = rc != 0;
    for (size_t i = 0; i < flow->plan->stream_count; i++) {
        assembly_correct(flow->assembly, i, &counts[i]);
        flow->progress[i].totals = *assembly_totals(flow->assembly, i);
        atomic_store(&flow->progress[i].note, sync->writer->note ? sync->writer->note(flow->writer) : NULL);
    }
    free(counts);
    return rc;
}

int flow_rest(struct flow *flow, struct err *err)
{
    int64_t now_ms = clock_now_ms(flow->sync->clock), until_ms = sure_wait_until_ms(flow), wait_ms = until_ms - now_ms;
    if (wait_ms <= 0) flow->resting_until_ms = 0;
    if (wait_ms >= LONG_WAIT_MS && until_ms > flow->resting_until_ms) {
        flow->resting_until_ms = until_ms;
        int rc = flow_commit(flow, TAKE_COVERED, err);
        return rc ? rc : rest(flow, wait_ms, err);
    }
    if (flow->is_quiet || now_ms - flow->used_ms < QUIET_MS) return 0;
    flow->is_quiet = true;
    return rest(flow, 0, err);
}
