/* flow: see flow.h.
 *
 * The thread waits on one channel, which all its slices send to. Errors of slices do not end the loop: the others are told to
 * stop, the channel is drained until every slice has sent its last item, and only then is the last load made. */
#include "sync/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/time.h"
#include "data/block.h"
#include "os/cancel.h"
#include "os/channel.h"
#include "os/clock.h"
#include "os/log.h"
#include "sync/assembly.h"
#include "sync/coverage.h"
#include "sync/slice.h"

enum { ITEMS_BETWEEN = 16, PRESSURE_POLL_MS = 50, MIN_REJECT_LIMIT = 1000, LONG_WAIT_MS = 30000 };

struct flow {
    const struct sync_context *sync;
    struct flow_plan *plan;
    struct stream_progress *progress; /* of the plan's streams */
    struct log *log;
    struct arena arena;
    struct writer *writer;
    struct state state;
    struct window_plan windows;
    struct slice_position *positions; /* per slice of the plan */
    struct assembly *assembly;
    struct channel *items;
    struct cancel *cancel;  /* below sync->reading */
    struct slice **running; /* per slice of the plan; NULL: not running */
    size_t next_slice, running_count, slots_held;
    bool begins_anew;         /* a stream is loaded that the state is not for */
    int64_t oldest_ms;        /* when the oldest row that waits came; 0: none waits */
    int64_t resting_until_ms; /* a long wait is under way, and what came before it is committed; 0: none is */
    struct err err;
    bool order_warned;
    bool commit_failed; /* nothing more can be made durable */
};

static const char *stream_name(const struct flow *flow)
{
    return flow->plan->stream->name;
}

static void tell(const struct flow *flow, enum event_kind kind, size_t stream, const struct load_counts *load)
{
    const struct sync_context *sync = flow->sync;
    struct sync_event event = {.kind = kind, .progress = sync->progress, .stream = &flow->progress[stream], .load = load};
    event.at_us = clock_wall_us(sync->clock);
    event.elapsed_ms = clock_now_ms(sync->clock) - sync->started_ms;
    pthread_mutex_lock(sync->observer_lock);
    sync->observer->event(sync->observer->context, &event);
    pthread_mutex_unlock(sync->observer_lock);
}

static void note_failure(struct flow *flow, const struct err *err)
{
    if (!flow->err.class && err->class) err_copy(&flow->err, err);
    cancel_fire(flow->cancel, CANCEL_ABORT);
}

static void set_status(struct flow *flow, enum stream_status status)
{
    int64_t now_ms = clock_now_ms(flow->sync->clock);
    enum event_kind kind = status == STREAM_RUNNING ? EVENT_STREAM_STARTED : EVENT_STREAM_ENDED;
    for (size_t i = 0; i < flow->plan->stream_count; i++) {
        struct stream_progress *progress = &flow->progress[i];
        atomic_store(status == STREAM_RUNNING ? &progress->started_ms : &progress->ended_ms, now_ms);
        atomic_store(&progress->status, status);
        tell(flow, kind, i, NULL);
    }
}

/* --- opening: writer, state, plan ------------------------------------------------------------------------------------------
 */

static int open_writer(struct flow *flow, struct err *err)
{
    const struct sync_context *sync = flow->sync;
    struct flow_spec spec = {
        .pipeline = sync->pipeline->name,
        .flow = stream_name(flow),
        .connector = arena_printf(&flow->arena, "%s %s", sync->description->name, sync->description->version),
        .tables = flow->plan->tables,
        .table_count = flow->plan->stream_count,
        .resumable = flow->plan->stream->pages.stable,
    };
    atomic_fetch_add(&sync->progress->committing, 1); /* it may publish what an interrupted run had finished */
    int rc = sync->writer->flow_open(sync->destination, &spec, &flow->writer, err);
    atomic_fetch_sub(&sync->progress->committing, 1);
    if (rc == 0) rc = sync->writer->load_state(flow->writer, &flow->state, err);
    return rc;
}

/* A stream joins that the state is not for. Rows that are merged or replaced may come again; appended ones may not. */
static int begin_anew(struct flow *flow, const struct stream_description *joins, struct err *err)
{
    for (size_t i = 0; i < flow->plan->stream_count && flow->plan->sync_mode == SYNC_INCREMENTAL; i++) {
        if (flow->plan->tables[i].mode != WRITE_APPEND || !coverage_has(&flow->state, flow->plan->streams[i].stream)) continue;
        err_set(err, ERR_SCHEMA,
                "stream '%s' is new here and needs all records of '%s' from the beginning, but those of '%s' are appended and "
                "would be there twice",
                joins->name, stream_name(flow), flow->plan->tables[i].stream);
        return err_hint(err, "empty the tables and load everything again: sluice state reset %s --stream %s; or leave '%s' out",
                        flow->sync->pipeline->name, stream_name(flow), joins->name);
    }
    log_info(flow->log, "stream '%s' is new here: reading '%s' from the beginning", joins->name, stream_name(flow));
    return 0;
}

/* The stored plan counts only for the same kind of sync: a full refresh does not continue an incremental one. */
static const char *stored_plan(const struct flow *flow)
{
    if (flow->begins_anew) return NULL;
    const char *plan = state_get(&flow->state, stream_name(flow), "", "plan");
    const char *mode = state_get(&flow->state, stream_name(flow), "", "plan_mode");
    return plan && mode && strcmp(mode, sync_mode_name(flow->plan->sync_mode)) == 0 ? plan : NULL;
}

static const char *stored_cursor(const struct flow *flow)
{
    return flow->begins_anew ? NULL : state_get(&flow->state, stream_name(flow), "", "cursor");
}

static int make_windows(struct flow *flow, const char *cursor, struct err *err)
{
    struct request_source source = sync_source(flow->sync, flow->plan->stream);
    source.cursor_value = str_from(cursor);
    return request_plan(&source, &flow->arena, &flow->windows, err);
}

/* Continues the stored plan or makes a new one; either way each slice's position is known afterwards. */
static int make_plan(struct flow *flow, struct err *err)
{
    const struct stream_description *joins = coverage_missing(&flow->state, flow->plan);
    int rc = joins ? begin_anew(flow, joins, err) : 0;
    if (rc) return rc;
    flow->begins_anew = joins != NULL;
    const char *stored = stored_plan(flow);
    const char *cursor = stored_cursor(flow);
    if (flow->plan->sync_mode == SYNC_FULL_REFRESH || !cursor) cursor = "";
    rc = stored ? window_from_json(str_from(stored), &flow->arena, &flow->windows, err) : make_windows(flow, cursor, err);
    if (rc) return err_context(err, "plan");
    size_t count = flow->windows.slice_count;
    flow->positions = arena_array(&flow->arena, struct slice_position, count + 1);
    flow->running = arena_array(&flow->arena, struct slice *, count + 1);
    for (size_t i = 0; stored && i < count; i++) {
        const char *value = state_get(&flow->state, stream_name(flow), flow->windows.slices[i].id, "position");
        if (value && (rc = slice_position_parse(value, &flow->arena, &flow->positions[i], err)) != 0) return rc;
    }
    return 0;
}

/* A plan of another kind was left unfinished: what it holds unpublished goes. */
static int give_up_old_plan(struct flow *flow, struct err *err)
{
    const char *old = state_get(&flow->state, stream_name(flow), "", "plan");
    struct window_plan windows;
    if (!old) return 0;
    int rc = window_from_json(str_from(old), &flow->arena, &windows, err);
    for (size_t i = 0; rc == 0 && i < windows.slice_count; i++) assembly_give_up(flow->assembly, windows.slices[i].id);
    return rc;
}

/* Nothing that was read before counts: not the cursor, nor what a stream that was left out for a while may still hold. */
static void forget_state(struct flow *flow)
{
    assembly_note(flow->assembly, stream_name(flow), "", "cursor", NULL);
    for (size_t i = 0; i < flow->windows.slice_count; i++) assembly_give_up(flow->assembly, flow->windows.slices[i].id);
}

/* A slice whose rows were appended, and then turned out to be unordered, can neither go on nor start again. */
static int refuse_unordered(const struct flow *flow, struct err *err)
{
    err_set(
        err, ERR_DATA,
        "cannot go on with an interrupted read: its records did not come in ascending order of '%s' as declared, so which of "
        "them were appended already is not known",
        flow->plan->decode.cursor_field);
    return err_hint(err, "correct the order in the connector, empty the table, and load again: sluice state reset %s %s",
                    flow->sync->pipeline->name, stream_name(flow));
}

/* Adds to the first load what starts again of a plan that goes on. */
static int restart_unfinished(struct flow *flow, struct err *err)
{
    for (uint32_t i = 0; i < flow->windows.slice_count; i++) {
        const struct slice_position *position = &flow->positions[i];
        if (position->done || position->page) continue;
        if (position->unordered && flow->plan->appends) return refuse_unordered(flow, err);
        assembly_restart(flow->assembly, i);
    }
    return 0;
}

/* A root that is not loaded is the last. */
static size_t counted_streams(const struct flow_plan *plan)
{
    return plan->stream_count + (plan->loads_root ? 0 : 1);
}

static int make_assembly(struct flow *flow, struct err *err)
{
    struct flow_plan *plan = flow->plan;
    size_t count = flow->windows.slice_count;
    struct assembly_slice *slices = arena_array(&flow->arena, struct assembly_slice, count + 1);
    for (size_t i = 0; i < count; i++)
        slices[i] = (struct assembly_slice){.id = flow->windows.slices[i].id,
                                            .done = flow->positions[i].done,
                                            .at_page = flow->positions[i].page != NULL,
                                            .unordered = flow->positions[i].unordered,
                                            .cursor = flow->positions[i].cursor,
                                            .max_cursor = flow->positions[i].max};
    /* Where the plan ends, which may have been made by an earlier run: what changed since then was not seen everywhere.
     * Integers and texts have no such end. */
    const char *end = count && flow->windows.slices[count - 1].to[0] ? flow->windows.slices[count - 1].to : NULL;
    bool has_windows = plan->stream->has_cursor && flow->windows.step_us > 0;
    const char **streams = arena_array(&flow->arena, const char *, plan->stream_count + 1);
    for (size_t i = 0; i < plan->stream_count; i++) streams[i] = plan->streams[i].stream->name;
    if (!plan->loads_root) streams[plan->stream_count] = stream_name(flow);
    struct assembly_options options = {
        .stream = stream_name(flow),
        .streams = streams,
        .stream_count = counted_streams(plan),
        .loaded_count = plan->stream_count,
        .root = plan->loads_root ? 0 : plan->stream_count,
        .slices = slices,
        .slice_count = count,
        .ascending = plan->ascending,
        .keep_cursor = plan->keep_cursor,
        .cursor_type = plan->decode.cursor_type,
        .cursor_floor = stored_cursor(flow),
        .cursor_cap = end,
        .cursor_end = has_windows ? end : NULL,
    };
    flow->assembly = assembly_new(&options);
    coverage_note(&flow->state, plan, flow->assembly);
    if (stored_plan(flow)) return restart_unfinished(flow, err);
    int rc = give_up_old_plan(flow, err);
    if (rc) return rc;
    if (flow->begins_anew) forget_state(flow);
    struct buf json = BUF_INIT(8 * 1024 * 1024);
    window_to_json(&flow->windows, &json);
    assembly_note(flow->assembly, stream_name(flow), "", "plan", buf_text(&json));
    assembly_note(flow->assembly, stream_name(flow), "", "plan_mode", sync_mode_name(plan->sync_mode));
    buf_release(&json);
    return 0;
}

/* --- loads -----------------------------------------------------------------------------------------------------------------
 */

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
    for (size_t i = 0; i < counted_streams(flow->plan); i++)
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

static void note_load(struct flow *flow, const struct load *load)
{
    const char *cursor = state_get(load->state, stream_name(flow), "", "cursor");
    const char *note = flow->sync->writer->note ? flow->sync->writer->note(flow->writer) : NULL;
    size_t count = flow->plan->stream_count;
    struct load_counts *counts = mem_zero(count, sizeof *counts);
    memcpy(counts, load->counts, count * sizeof *counts);
    if (cursor) snprintf(flow->progress->cursor, sizeof flow->progress->cursor, "%s", cursor);
    assembly_committed(flow->assembly);
    for (size_t i = 0; i < count; i++) {
        struct stream_progress *progress = &flow->progress[i];
        atomic_fetch_add(&progress->loads, 1);
        atomic_fetch_add(&progress->committed, counts[i].emitted);
        atomic_store(&progress->note, note);
        progress->totals = *assembly_totals(flow->assembly, i);
        tell(flow, EVENT_LOAD, i, &counts[i]);
    }
    progress_alive(flow->sync->progress);
    free(counts);
}

/* Makes the loads that `take` allows durable. */
static int commit(struct flow *flow, enum assembly_take take, struct err *err)
{
    struct load load;
    while (assembly_take(flow->assembly, take, &load)) {
        char reason[128];
        FAULT_POINT("sync.commit.before");
        atomic_fetch_add(&flow->sync->progress->committing, 1);
        int rc = rejects_refuse(flow, &load, reason) ? refuse_rejects(flow, &load, reason, err)
                                                     : flow->sync->writer->commit(flow->writer, &load, err);
        atomic_fetch_sub(&flow->sync->progress->committing, 1);
        FAULT_POINT("sync.commit.after");
        flow->commit_failed = rc != 0;
        if (rc) return rc;
        note_load(flow, &load);
        if (take == TAKE_ALL && !assembly_is_done(flow->assembly)) break;
    }
    flow->oldest_ms = assembly_bytes(flow->assembly) ? clock_now_ms(flow->sync->clock) : 0;
    return 0;
}

/* Enough waits, or memory is short. In the last case little remainders stay: all flows together can hold back no more than a
 * quarter of the budget, so there is always a flow whose commit frees enough. */
static bool is_full(const struct flow *flow)
{
    const struct pipeline *pipeline = flow->sync->pipeline;
    size_t bytes = assembly_bytes(flow->assembly), remainder = pipeline->memory_bytes / (4 * (size_t)pipeline->concurrency);
    return bytes >= pipeline->commit_bytes || (bytes > 0 && bytes >= remainder && budget_is_short(flow->sync->budget));
}

/* Commits when it is full, or something has waited long enough. In the latter case rows that a crash would make us read again
 * all the same stay in memory: held rows would keep a build from being published, and to hold them takes a connection. */
static int commit_if_due(struct flow *flow, struct err *err)
{
    if (is_full(flow)) {
        flow->resting_until_ms = 0; /* the connection is open again */
        return commit(flow, TAKE_ALL, err);
    }
    bool is_old = flow->oldest_ms && clock_now_ms(flow->sync->clock) - flow->oldest_ms >= flow->sync->pipeline->commit_ms;
    return is_old ? commit(flow, TAKE_COVERED, err) : 0;
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
    return soonest_ms == INT64_MAX ? 0 : soonest_ms;
}

/* When a long wait begins, or becomes longer: commits what has come, and lets the writer publish and give its connection back
 * (COMMIT.md, rules 7 and 10). */
static int rest_while_waiting(struct flow *flow, struct err *err)
{
    const struct sync_context *sync = flow->sync;
    int64_t until_ms = sure_wait_until_ms(flow), wait_ms = until_ms - clock_now_ms(sync->clock);
    if (wait_ms <= 0) flow->resting_until_ms = 0;
    if (wait_ms < LONG_WAIT_MS || until_ms <= flow->resting_until_ms) return 0;
    flow->resting_until_ms = until_ms;
    int rc = commit(flow, TAKE_COVERED, err);
    if (rc != 0 || !sync->writer->rest) return rc;
    struct load_counts *counts = mem_zero(flow->plan->stream_count, sizeof *counts);
    atomic_fetch_add(&sync->progress->committing, 1);
    rc = sync->writer->rest(flow->writer, wait_ms, counts, err);
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

/* --- slices ----------------------------------------------------------------------------------------------------------------
 */

static int start_slice(struct flow *flow, uint32_t index, bool from_beginning, struct err *err)
{
    const struct slice_position *position = &flow->positions[index];
    struct slice_options options = {
        .sync = flow->sync,
        .plan = flow->plan,
        .progress = flow->progress,
        .window = flow->windows.slices[index],
        .index = index,
        .cursor_value = flow->windows.stored ? flow->windows.stored : "",
        .resume_cursor = from_beginning ? NULL : position->cursor,
        .resume_page = from_beginning ? NULL : position->page,
        .cancel = flow->cancel,
        .out = flow->items,
    };
    int rc = slice_start(&options, &flow->running[index], err);
    if (rc == 0) flow->running_count++;
    return rc;
}

/* Starts slices while there are any and slots are free. The flow always holds one slot; more are taken only when nobody waits.
 */
static int start_slices(struct flow *flow, struct err *err)
{
    while (flow->next_slice < flow->windows.slice_count && !cancel_stopping(flow->cancel)) {
        uint32_t index = (uint32_t)flow->next_slice;
        if (flow->positions[index].done) {
            flow->next_slice++;
            continue;
        }
        if (flow->running_count == flow->slots_held) {
            if (sem_trywait(flow->sync->slots) != 0) return 0;
            flow->slots_held++;
        }
        int rc = start_slice(flow, index, false, err);
        if (rc) return rc;
        flow->next_slice++;
    }
    while (flow->slots_held > flow->running_count && flow->slots_held > 1) {
        sem_post(flow->sync->slots);
        flow->slots_held--;
    }
    return 0;
}

static int slice_ended(struct flow *flow, const struct slice_item *item, struct err *err)
{
    slice_join(flow->running[item->index]);
    flow->running[item->index] = NULL;
    flow->running_count--;
    if (item->position_refused && !cancel_stopping(flow->cancel)) {
        if (flow->positions[item->index].unordered && flow->plan->appends) return refuse_unordered(flow, err);
        log_warn(flow->log, "the source no longer takes the position of the interrupted run; reading from the beginning");
        assembly_restart(flow->assembly, item->index);
        int rc = commit(flow, TAKE_ALL, err);
        return rc ? rc : start_slice(flow, item->index, true, err);
    }
    if (item->err.class) return err_copy(err, &item->err);
    if (item->finished) assembly_finish(flow->assembly, item->index);
    return 0;
}

static int take_item(struct flow *flow, struct slice_item *item, struct err *err)
{
    if (item->ended) return slice_ended(flow, item, err);
    if (!flow->oldest_ms) flow->oldest_ms = clock_now_ms(flow->sync->clock);
    assembly_add(flow->assembly, item->index, &item->decoded, item->position);
    if (assembly_order_was_broken(flow->assembly) && !flow->order_warned) {
        log_warn(flow->log,
                 "records are declared to come in ascending order of '%s', but do not; state advances at the end only",
                 flow->plan->decode.cursor_field);
        flow->order_warned = true;
    }
    return 0;
}

/* Reads and commits until every slice has ended. */
static int run_slices(struct flow *flow, struct err *err)
{
    int rc = commit(flow, TAKE_ALL, err);
    if (rc == 0) rc = start_slices(flow, err);
    if (rc) note_failure(flow, err);
    while (flow->running_count > 0) {
        void *received;
        if (channel_receive(flow->items, NULL, PRESSURE_POLL_MS, &received) == CHANNEL_ITEM) {
            struct slice_item *item = received;
            struct err failed = ERR_INIT;
            progress_alive(flow->sync->progress);
            rc = take_item(flow, item, &failed); /* also after a failure: a slice that then ends well must have all its rows */
            slice_item_free(item);
            if (rc == 0 && !flow->err.class) rc = start_slices(flow, &failed);
            if (rc) note_failure(flow, &failed);
            flow->resting_until_ms = 0;
        } else if (!flow->err.class) {
            struct err failed = ERR_INIT;
            if (rest_while_waiting(flow, &failed) != 0) note_failure(flow, &failed);
        }
        if (!flow->err.class) {
            struct err failed = ERR_INIT;
            if (commit_if_due(flow, &failed) != 0) note_failure(flow, &failed);
        }
    }
    return flow->err.class ? err_copy(err, &flow->err) : 0;
}

/* What a user should know before it is read: nothing of it is an error. */
static void warn(const struct flow *flow)
{
    enum time_zone_mark mark;
    int64_t stored_us;
    const char *stored = flow->windows.stored;
    enum type type = flow->plan->decode.cursor_type;
    if (flow->plan->appends && flow->plan->keep_cursor && flow->plan->stream->cursor.window.lookback)
        log_warn(flow->log, "append writes the records of the lookback again with each run; use append_dedup, or no lookback");
    bool is_time = type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE;
    if (is_time && stored && time_parse_iso(str_from(stored), &stored_us, &mark) && stored_us > flow->sync->started_us)
        log_warn(
            flow->log,
            "the state is at %s, which this machine's clock has not reached: what changed before that is not read; if a clock "
            "was wrong, go back with `sluice state set %s TIME --stream %s`",
            stored, flow->sync->pipeline->name, stream_name(flow));
}

static int run(struct flow *flow, struct err *err)
{
    int rc = open_writer(flow, err);
    if (rc == 0) rc = make_plan(flow, err);
    if (rc == 0) rc = make_assembly(flow, err);
    if (rc) return rc;
    warn(flow);
    rc = run_slices(flow, err);
    bool stopped = cancel_stopping(flow->sync->reading) && !assembly_is_done(flow->assembly);
    if (cancel_aborted(flow->sync->cancel)) return rc ? rc : err_set(err, ERR_CANCELLED, "stopped");
    if (flow->commit_failed) return rc;
    struct err failed = ERR_INIT;
    int last = commit(flow, rc || stopped ? TAKE_COVERED : TAKE_ALL, &failed);
    if (last && !rc) rc = err_copy(err, &failed);
    if (!rc && stopped) rc = err_set(err, ERR_CANCELLED, "stopped; the next run goes on from here");
    return rc;
}

void flow_run(const struct sync_context *sync, struct flow_plan *plan, struct stream_progress *progress)
{
    struct flow flow = {.sync = sync, .plan = plan, .progress = progress, .slots_held = 1};
    flow.state = STATE_INIT(&flow.arena);
    flow.log = log_child(sync->log, plan->stream->name);
    flow.items = channel_new(ITEMS_BETWEEN);
    flow.cancel = cancel_new(sync->reading);
    plan_bind(plan, sync->budget, sync->secrets);
    set_status(&flow, STREAM_RUNNING);

    struct err err = ERR_INIT;
    int rc = run(&flow, &err);
    FAULT_POINT("sync.flow.ended");
    if (rc == 0 || err.class == ERR_CANCELLED) {
        const char *cursor = state_get(&flow.state, plan->stream->name, "", "cursor");
        if (!progress->cursor[0] && cursor) snprintf(progress->cursor, sizeof progress->cursor, "%s", cursor);
    }
    for (size_t i = 0; rc && i < plan->stream_count; i++) err_copy(&progress[i].err, &err);
    sync->writer->flow_close(flow.writer);
    assembly_free(flow.assembly);
    channel_free(flow.items);
    cancel_free(flow.cancel);
    for (; flow.slots_held > 0; flow.slots_held--) sem_post(sync->slots);
    set_status(&flow, rc == 0 ? STREAM_DONE : err.class == ERR_CANCELLED ? STREAM_STOPPED : STREAM_FAILED);
    arena_release(&flow.arena);
}
