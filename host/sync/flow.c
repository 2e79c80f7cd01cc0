/* flow: see flow.h.
 *
 * The thread waits on one channel, which all its slices send to. Errors of slices do not end the loop: the others are told to
 * stop, the channel is drained until every slice has sent its last item, and only then is the last load made. */
#include "sync/flow.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/time.h"
#include "os/cancel.h"
#include "os/channel.h"
#include "os/clock.h"
#include "sync/flow_parts.h"

enum { ITEMS_BETWEEN = 16, PRESSURE_POLL_MS = 50, RESETS_MAX = 3 };

void flow_tell(const struct flow *flow, enum event_kind kind, size_t stream, const struct load_counts *load)
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

/* What joined a table that was there: undeclared fields that this sync has met for the first time. */
static void note_new_columns(const struct flow *flow, size_t stream)
{
    const struct schema *schema = flow->plan->tables[stream].schema;
    struct stream_progress *progress = &flow->progress[stream];
    size_t size = 0;
    for (uint32_t i = flow->known_columns ? flow->known_columns[stream] : UINT32_MAX; i < schema_count(schema); i++) {
        int written = snprintf(progress->new_columns + size, sizeof progress->new_columns - size, "%s%s", size ? ", " : "",
                               schema_column(schema, i)->name);
        if (written < 0 || size + (size_t)written >= sizeof progress->new_columns) break;
        size += (size_t)written;
    }
}

static void set_status(struct flow *flow, enum stream_status status)
{
    int64_t now_ms = clock_now_ms(flow->sync->clock);
    enum event_kind kind = status == STREAM_RUNNING ? EVENT_STREAM_STARTED : EVENT_STREAM_ENDED;
    for (size_t i = 0; i < flow->plan->stream_count; i++) {
        struct stream_progress *progress = &flow->progress[i];
        if (status != STREAM_RUNNING) note_new_columns(flow, i);
        atomic_store(status == STREAM_RUNNING ? &progress->started_ms : &progress->ended_ms, now_ms);
        atomic_store(&progress->status, status);
        flow_tell(flow, kind, i, NULL);
    }
}

/* --- slices ----------------------------------------------------------------------------------------------------------------
 */

/* From the page the last run came to, or, `anew`, from the newest checkpoint. */
static int start_slice(struct flow *flow, uint32_t index, bool anew, struct err *err)
{
    const struct slice_position *position = &flow->positions[index];
    const char *token = assembly_stored_token(flow->assembly, index);
    struct slice_options options = {
        .sync = flow->sync,
        .plan = flow->plan,
        .progress = flow->progress,
        .window = flow->windows.slices[index],
        .index = index,
        .cursor_value = flow->windows.stored ? flow->windows.stored : "",
        .token = token ? token : flow->token,
        .boundary = flow->boundary_is_known ? &flow->boundary : NULL,
        .resume_cursor = assembly_checkpoint(flow->assembly, index),
        .job =
            flow->plan->stream->job ? state_get(&flow->state, flow_stream(flow), flow->windows.slices[index].id, "job") : NULL,
        .resume_page = anew ? NULL : position->page,
        .cancel = flow->cancel,
        .out = flow->items,
    };
    options.old_jobs = flow->old_jobs;
    flow->old_jobs = NULL;
    flow_partitions_describe(flow, index, &options);
    int rc = slice_start(&options, &flow->running[index], err);
    if (rc == 0) flow->running_count++;
    return rc;
}

/* The flow always holds one slot; more are taken only when nobody waits. A source makes only so many jobs at a time. */
static bool has_slot(struct flow *flow)
{
    const struct job_description *job = flow->plan->stream->job;
    if (job && flow->running_count >= (size_t)job->slots) return false;
    if (flow->running_count < flow->slots_held) return true;
    if (sem_trywait(flow->sync->slots) != 0) return false;
    flow->slots_held++;
    return true;
}

/* The next slice of the plan that is not done: 1; 0: there is none. */
static int next_slice(struct flow *flow, uint32_t *index, struct err *err)
{
    if (flow->partitions) return flow_partitions_next(flow, index, err);
    while (flow->next_slice < flow->windows.slice_count) {
        size_t place = flow->next_slice++;
        *index = place < flow->order_count ? flow->order[place] : (uint32_t)place;
        if (!flow->positions[*index].done) return 1;
    }
    return 0;
}

/* Starts slices while there are any and slots are free. */
static int start_slices(struct flow *flow, struct err *err)
{
    while (!cancel_stopping(flow->cancel) && has_slot(flow)) {
        uint32_t index;
        int rc = next_slice(flow, &index, err);
        if (rc == 0) break;
        if (rc > 0) rc = start_slice(flow, index, false, err);
        if (rc != 0) return rc;
    }
    while (flow->slots_held > flow->running_count && flow->slots_held > 1) {
        sem_post(flow->sync->slots);
        flow->slots_held--;
    }
    return 0;
}

/* A job that was made is state at once: whatever happens, the next run asks for it instead of making another. NULL: its slice
 * does not need it any more. */
static void note_job(struct flow *flow, uint32_t index, const char *job)
{
    if (!flow->plan->stream->job) return;
    const char *slice = flow->windows.slices[index].id;
    assembly_note(flow->assembly, flow_stream(flow), slice, "job", job);
    state_set(&flow->state, flow_stream(flow), slice, "job", job);
}

/* " of slice '2026-01-01T00:00:00Z'", where there is more than one. */
static const char *of_slice(struct flow *flow, uint32_t index)
{
    if (flow->windows.slice_count < 2 && !flow->partitions) return "";
    return arena_printf(&flow->arena, " of slice '%s'", flow->windows.slices[index].id);
}

static int start_over(struct flow *flow, struct slice_item *item, struct err *err)
{
    if (cancel_stopping(flow->cancel)) return err_copy(err, &item->err);
    if (assembly_is_unordered(flow->assembly, item->index) && flow->plan->appends) return flow_refuse_unordered(flow, err);
    if (++flow->resets[item->index] > RESETS_MAX) {
        err_copy(err, &item->err);
        return err_context(err, "the source made us start over %d times", RESETS_MAX);
    }
    log_warn(flow->log, "starting over with the pages%s: %s", of_slice(flow, item->index), item->err.message);
    assembly_restart(flow->assembly, item->index);
    note_job(flow, item->index, NULL);
    int rc = flow_commit(flow, TAKE_ALL, err);
    return rc ? rc : start_slice(flow, item->index, true, err);
}

/* The source no longer takes the stored token. What came since the newest record is asked for by its time instead, where the
 * rows that come again can be told. */
static int begin_without_token(struct flow *flow, const struct slice_item *item, struct err *err)
{
    if (cancel_stopping(flow->cancel)) return err_copy(err, &item->err);
    if (flow->plan->appends) {
        err_copy(err, &item->err);
        err_context(err, "the source does not take the stored sync token, and rows that were appended would come again");
        return err_hint(err,
                        "load again from the beginning, with the table emptied: sluice state reset %s --stream %s; or use "
                        "write_mode append_dedup",
                        flow->sync->pipeline->name, flow_stream(flow));
    }
    const char *from = flow->windows.slice_count ? flow->windows.slices[0].from : "";
    log_warn(flow->log, "the source no longer takes the stored sync token (%s); reading from %s", item->err.message,
             from[0] ? from : "the beginning");
    flow->token = NULL;
    assembly_restart(flow->assembly, item->index);
    note_job(flow, item->index, NULL);
    int rc = flow_commit(flow, TAKE_ALL, err);
    return rc ? rc : start_slice(flow, item->index, true, err);
}

static int refuse_tokenless(const struct flow *flow, struct err *err)
{
    err_set(err, ERR_DATA, "the last records came without a sync token at '%s'", flow->plan->stream->cursor.token_path);
    return err_hint(err, "the connector's `cursor.next` must lead to it; look at the source's last page");
}

/* The arrays by slice have room for one more. */
static void add_slice(struct flow *flow)
{
    size_t count = flow->windows.slice_count, room = count + WINDOW_MAX_SPLITS;
    if (count <= flow->slice_room) return;
    struct slice_position *positions = arena_array(&flow->arena, struct slice_position, room);
    struct slice **running = arena_array(&flow->arena, struct slice *, room);
    unsigned char *resets = arena_array(&flow->arena, unsigned char, room);
    flow->slice_room = room;
    memcpy(positions, flow->positions, (count - 1) * sizeof *positions);
    memcpy(running, flow->running, (count - 1) * sizeof(struct slice *));
    memcpy(resets, flow->resets, (count - 1) * sizeof *resets);
    flow->positions = positions;
    flow->running = running;
    flow->resets = resets;
}

/* The source cannot give this much at once: the window is read in halves, each of which may be split again. The plan that says
 * so is durable before either is asked for. */
static int split_window(struct flow *flow, struct slice_item *item, struct err *err)
{
    const struct cursor_description *cursor = &flow->plan->stream->cursor;
    if (cancel_stopping(flow->cancel)) return err_copy(err, &item->err);
    if (assembly_is_unordered(flow->assembly, item->index) && flow->plan->appends) return flow_refuse_unordered(flow, err);
    const char *done = assembly_checkpoint(flow->assembly, item->index);
    if (!window_split(&cursor->window, &flow->windows, item->index, str_from(done), cursor->min_step_us, &flow->arena)) {
        err_copy(err, &item->err);
        return err_context(err, "cannot ask for less%s", of_slice(flow, item->index));
    }
    add_slice(flow);
    size_t last = flow->windows.slice_count - 1;
    log_warn(flow->log, "reading what is left%s in halves, up to '%s' first: %s", of_slice(flow, item->index),
             flow->windows.slices[item->index].to, item->err.message);
    note_job(flow, item->index, NULL);
    CHECK(assembly_split(flow->assembly, item->index, flow->windows.slices[last].id) == last);
    flow_note_plan(flow);
    int rc = flow_commit(flow, TAKE_ALL, err);
    return rc ? rc : start_slice(flow, item->index, true, err);
}

/* A slice ended with an error, which the connector's rules may have an answer to. */
static int settle_failed(struct flow *flow, struct slice_item *item, struct err *err)
{
    switch (item->end) {
    case READER_STARTS_OVER:
        return start_over(flow, item, err);
    case READER_SPLITS_WINDOW:
        return split_window(flow, item, err);
    case READER_TOKEN_REFUSED:
        return begin_without_token(flow, item, err);
    case READER_REJECTS:
        assembly_add(flow->assembly, item->index, &item->decoded, NULL);
        break;
    case READER_SKIPS_SLICE:
        break;
    case READER_SKIPS_STREAM:
        flow->is_skipped = flow->is_skipped || !flow->err.class;
        return err_copy(err, &item->err);
    case READER_FAILED:
        return err_copy(err, &item->err);
    }
    log_warn(flow->log, "skipping the rest%s: %s", of_slice(flow, item->index), item->err.message);
    note_job(flow, item->index, NULL);
    assembly_finish(flow->assembly, item->index);
    flow_partitions_finished(flow);
    return 0;
}

static int slice_ended(struct flow *flow, struct slice_item *item, struct err *err)
{
    slice_join(flow->running[item->index]);
    flow->running[item->index] = NULL;
    flow->running_count--;
    if (item->err.class) return settle_failed(flow, item, err);
    if (!item->finished) return 0;
    note_job(flow, item->index, NULL);
    if (assembly_lacks_token(flow->assembly, item->index)) return refuse_tokenless(flow, err);
    assembly_finish(flow->assembly, item->index);
    flow_partitions_finished(flow);
    return 0;
}

static int take_item(struct flow *flow, struct slice_item *item, struct err *err)
{
    if (item->is_partitions) return flow_partitions_take(flow, item, err);
    if (item->ended) return slice_ended(flow, item, err);
    if (item->job) {
        note_job(flow, item->index, item->job);
        return flow_commit(flow, TAKE_COVERED, err);
    }
    if (!flow->oldest_ms) flow->oldest_ms = clock_now_ms(flow->sync->clock);
    assembly_add(flow->assembly, item->index, &item->decoded, item->position);
    assembly_token(flow->assembly, item->index, item->token, item->has_records);
    if (assembly_order_was_broken(flow->assembly) && !flow->order_warned) {
        log_warn(flow->log,
                 "records are declared to come in ascending order of '%s', but do not; state advances at the end only",
                 flow->plan->decode.cursor_field);
        flow->order_warned = true;
    }
    if (item->decoded.order_is_lost && !flow->descent_warned) {
        log_warn(flow->log, "records are declared to come in descending order of '%s', but do not; all of them are read",
                 flow->plan->decode.cursor_field);
        flow->descent_warned = true;
    }
    return 0;
}

/* Reads and commits until every slice has ended. */
static int run_slices(struct flow *flow, struct err *err)
{
    int rc = flow_commit(flow, TAKE_ALL, err);
    if (rc == 0 && flow->partitions) rc = flow_partitions_start(flow, err);
    if (rc == 0) rc = start_slices(flow, err);
    if (rc) note_failure(flow, err);
    while (flow->running_count > 0 || (flow_partitions_wait(flow) && !cancel_aborted(flow->cancel))) {
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
            if (flow_rest(flow, &failed) != 0) note_failure(flow, &failed);
        }
        if (!flow->err.class) {
            struct err failed = ERR_INIT;
            if (flow_commit_if_due(flow, &failed) != 0) note_failure(flow, &failed);
        }
    }
    flow_partitions_stop(flow);
    return flow->err.class ? err_copy(err, &flow->err) : 0;
}

/* What a user should know before it is read: nothing of it is an error. */
static void warn(const struct flow *flow)
{
    enum time_zone_mark mark;
    int64_t stored_us;
    const char *stored = flow->windows.stored;
    enum type type = flow->plan->decode.cursor_type;
    bool refetches = flow->plan->stream->cursor.kind == CURSOR_REFETCH; /* replaces what it reads again, up to the day's end */
    if (refetches) return;
    if (flow->plan->appends && flow->plan->keep_cursor && flow->plan->stream->cursor.window.lookback)
        log_warn(flow->log, "append writes the records of the lookback again with each run; use append_dedup, or no lookback");
    bool is_time = type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE;
    if (is_time && stored && time_parse_iso(str_from(stored), &stored_us, &mark) && stored_us > flow->sync->started_us)
        log_warn(
            flow->log,
            "the state is at %s, which this machine's clock has not reached: what changed before that is not read; if a clock "
            "was wrong, go back with `sluice state set %s TIME --stream %s`",
            stored, flow->sync->pipeline->name, flow_stream(flow));
}

/* A run that may read no more has done what it was asked to. One that has nothing to show for it will not have more the next
 * time. */
static void tell_of_budget(struct flow *flow)
{
    uint64_t committed = 0;
    for (size_t i = 0; i < flow->plan->stream_count; i++) {
        committed += atomic_load(&flow->progress[i].committed);
        flow->progress[i].more_left = true;
    }
    if (committed)
        log_info(flow->log, "as much as a run may read; the next one goes on from here");
    else
        log_warn(flow->log,
                 "max_records or max_pages is reached before anything could be kept: the next run begins where this one did. "
                 "Raise them, or have the connector declare the order of its records, windows, or stable pages");
}

static int run(struct flow *flow, struct err *err)
{
    int rc = flow_begin(flow, err);
    if (rc) return rc;
    warn(flow);
    rc = run_slices(flow, err);
    bool stopped = cancel_stopping(flow->cancel) && !assembly_is_done(flow->assembly);
    bool by_budget = stopped && !rc && !cancel_stopping(flow->sync->reading);
    if (cancel_aborted(flow->sync->cancel)) return rc ? rc : err_set(err, ERR_CANCELLED, "stopped");
    if (flow->commit_failed) return rc;
    struct err failed = ERR_INIT;
    int last = flow_commit(flow, rc || stopped ? TAKE_COVERED : TAKE_ALL, &failed);
    if (last && !rc) rc = err_copy(err, &failed);
    if (!rc && by_budget)
        tell_of_budget(flow);
    else if (!rc && stopped)
        rc = err_set(err, ERR_CANCELLED, "stopped; the next run goes on from here");
    return rc;
}

static enum stream_status status_of(const struct flow *flow, int rc)
{
    if (rc == 0) return STREAM_DONE;
    if (rc == ERR_CANCELLED) return STREAM_STOPPED;
    return flow->is_skipped && rc == flow->err.class ? STREAM_SKIPPED : STREAM_FAILED;
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
    flow_partitions_free(&flow);
    boundary_release(&flow.boundary);
    channel_free(flow.items);
    cancel_free(flow.cancel);
    for (; flow.slots_held > 0; flow.slots_held--) sem_post(sync->slots);
    set_status(&flow, status_of(&flow, rc));
    arena_release(&flow.arena);
}
