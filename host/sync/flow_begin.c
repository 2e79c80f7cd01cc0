/* flow_begin: what a flow knows before it reads: its state from the writer, the plan of slices (the one an interrupted run
 * left, or a new one), where each slice goes on, and what of older plans has to go. */
#include <string.h>

#include "base/buf.h"
#include "base/time.h"
#include "sync/coverage.h"
#include "sync/flow_parts.h"

#define IN_PARTS " in parts" /* behind the kind of a plan whose slices are not listed */

/* Those of tables that are there: what joins them later is news. */
static void note_known_columns(struct flow *flow)
{
    const struct writer_type *writer = flow->sync->writer;
    flow->known_columns = arena_array(&flow->arena, uint32_t, flow->plan->stream_count);
    for (size_t i = 0; i < flow->plan->stream_count; i++) {
        bool is_there = writer->has_table ? writer->has_table(flow->writer, i) : flow->state.count > 0;
        flow->known_columns[i] = is_there ? schema_count(flow->plan->tables[i].schema) : UINT32_MAX;
    }
}

static int open_writer(struct flow *flow, struct err *err)
{
    const struct sync_context *sync = flow->sync;
    struct flow_spec spec = {
        .pipeline = sync->pipeline->name,
        .flow = flow_stream(flow),
        .connector = arena_printf(&flow->arena, "%s %s", sync->description->name, sync->description->version),
        .tables = flow->plan->tables,
        .table_count = flow->plan->stream_count,
        .resumable = flow->plan->stream->pages.stable,
    };
    atomic_fetch_add(&sync->progress->committing, 1); /* it may publish what an interrupted run had finished */
    int rc = sync->writer->flow_open(sync->destination, &spec, &flow->writer, err);
    atomic_fetch_sub(&sync->progress->committing, 1);
    if (rc == 0) rc = sync->writer->load_state(flow->writer, &flow->state, err);
    if (rc == 0) note_known_columns(flow);
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
                joins->name, flow_stream(flow), flow->plan->tables[i].stream);
        return err_hint(err, "empty the tables and load everything again: sluice state reset %s --stream %s; or leave '%s' out",
                        flow->sync->pipeline->name, flow_stream(flow), joins->name);
    }
    log_info(flow->log, "stream '%s' is new here: reading '%s' from the beginning", joins->name, flow_stream(flow));
    return 0;
}

/* A range is read between two syncs: rows of one that was interrupted wait for the rest of its plan. */
static int refuse_unfinished(const struct flow *flow, struct err *err)
{
    const char *kind = state_get(&flow->state, flow_stream(flow), "", "plan_mode");
    if (!flow->plan->from || !kind || strncmp(kind, "from ", 5) == 0) return 0;
    err_set(err, ERR_CONFIG, "stream '%s' has a sync that was interrupted, which has to be finished first", flow_stream(flow));
    return err_hint(err, "sluice run %s --stream %s", flow->sync->pipeline->name, flow_stream(flow));
}

/* A cursor is a value of one field. That of another says nothing about where to read from, unless the connector says so. */
static int refuse_other_field(const struct flow *flow, struct err *err)
{
    const struct flow_plan *plan = flow->plan;
    const struct cursor_description *cursor = &plan->stream->cursor;
    const char *stored = state_get(&flow->state, flow_stream(flow), "", "cursor_field"), *field = plan->decode.cursor_field;
    if (!plan->keep_cursor || plan->sync_mode != SYNC_INCREMENTAL || !stored || !field || strcmp(stored, field) == 0) return 0;
    for (size_t i = 0; i < cursor->replaces_count; i++)
        if (strcmp(stored, cursor->replaces[i]) == 0) return 0;
    err_set(err, ERR_CONFIG, "stream '%s' goes by the cursor '%s' now, and what was read so far by '%s'", flow_stream(flow),
            field, stored);
    return err_hint(
        err,
        "read it from the beginning: sluice state reset %s --stream %s; or, where the values of one hold for the other, "
        "the connector says so: cursor.replaces = { \"%s\" }",
        flow->sync->pipeline->name, flow_stream(flow), stored);
}

/* The stored plan counts only for the same kind of sync: a full refresh does not continue an incremental one. */
static const char *stored_plan(const struct flow *flow)
{
    if (flow->begins_anew) return NULL;
    const char *plan = state_get(&flow->state, flow_stream(flow), "", "plan");
    const char *mode = state_get(&flow->state, flow_stream(flow), "", "plan_mode");
    return plan && mode && strcmp(mode, flow->plan_kind) == 0 ? plan : NULL;
}

static const char *stored_cursor(const struct flow *flow)
{
    return flow->begins_anew ? NULL : state_get(&flow->state, flow_stream(flow), "", "cursor");
}

static int make_windows(struct flow *flow, const char *cursor, struct err *err)
{
    const struct flow_plan *plan = flow->plan;
    if (plan->from)
        return window_range(&plan->stream->cursor.window, str_from(plan->from), str_from(plan->to), flow->sync->started_us,
                            &flow->arena, &flow->windows, err);
    struct request_source source = sync_source(flow->sync, flow->plan->stream);
    source.cursor_value = str_from(cursor);
    return request_plan(&source, &flow->arena, &flow->windows, err);
}

static const char *time_text(struct flow *flow, int64_t instant_us)
{
    char text[TIME_TEXT_MAX];
    return arena_text(&flow->arena, (struct str){text, time_write_iso(instant_us, text)});
}

/* Does it matter when this stream was last read? A plan that goes on was made earlier, and says nothing about now. */
static bool keeps_read_at(const struct flow *flow)
{
    const struct flow_plan *plan = flow->plan;
    return plan->stream->has_cursor && plan->stream->cursor.retention_us && !plan->from && !stored_plan(flow) &&
           (plan->keep_cursor || plan->keep_token);
}

/* The source keeps changes for so long only, and the last sync is longer ago: what is missing between is in none of them. */
static int begin_after_retention(struct flow *flow, struct err *err)
{
    const struct flow_plan *plan = flow->plan;
    const char *read_at = state_get(&flow->state, flow_stream(flow), "", "read_at");
    enum time_zone_mark mark;
    int64_t then_us;
    if (!keeps_read_at(flow) || plan->sync_mode != SYNC_INCREMENTAL || !read_at ||
        !time_parse_iso(str_from(read_at), &then_us, &mark) ||
        flow->sync->started_us - then_us <= plan->stream->cursor.retention_us)
        return 0;
    if (plan->appends) {
        err_set(err, ERR_DATA,
                "the last sync began at %s, and the source does not keep changes for that long; read again from the "
                "beginning, rows that were appended would be there twice",
                read_at);
        return err_hint(err, "empty the table and load everything again: sluice state reset %s --stream %s",
                        flow->sync->pipeline->name, flow_stream(flow));
    }
    log_warn(flow->log,
             "the last sync began at %s, and the source does not keep changes for that long; reading from the beginning",
             read_at);
    flow->begins_anew = true;
    return 0;
}

/* What is new comes before what is left of the history: a plan that goes on gets windows for it, and the newest are read first.
 */
static void put_newest_first(struct flow *flow, bool goes_on)
{
    const struct cursor_description *cursor = &flow->plan->stream->cursor;
    size_t count;
    if (!flow->plan->stream->has_cursor || cursor->order != CURSOR_NEWEST_FIRST) return;
    if (goes_on && !flow->plan->from)
        flow->is_extended = window_extend(&cursor->window, &flow->windows, flow->sync->started_us, &flow->arena);
    flow->order_count = count = flow->windows.slice_count;
    flow->order = arena_array(&flow->arena, uint32_t, count + 1);
    for (size_t i = 0; i < count; i++) flow->order[i] = (uint32_t)(count - 1 - i);
}

/* Continues the stored plan or makes a new one; either way each slice's position is known afterwards. */
static int make_plan(struct flow *flow, struct err *err)
{
    const struct stream_description *joins = flow->plan->from ? NULL : coverage_missing(&flow->state, flow->plan);
    int rc = joins ? begin_anew(flow, joins, err) : refuse_unfinished(flow, err);
    if (rc) return rc;
    flow->begins_anew = joins != NULL;
    rc = begin_after_retention(flow, err);
    if (rc) return rc;
    if (stream_is_partitioned(flow->plan->stream)) return flow_partitions_begin(flow, err);
    const char *stored = stored_plan(flow);
    const char *cursor = stored_cursor(flow);
    if (flow->plan->sync_mode == SYNC_FULL_REFRESH || !cursor) cursor = "";
    rc = stored ? window_from_json(str_from(stored), &flow->arena, &flow->windows, err) : make_windows(flow, cursor, err);
    if (rc) return err_context(err, "plan");
    put_newest_first(flow, stored != NULL);
    bool has_token = flow->plan->keep_token && flow->plan->sync_mode == SYNC_INCREMENTAL && !flow->begins_anew;
    flow->token = has_token ? arena_strdup(&flow->arena, state_get(&flow->state, flow_stream(flow), "", "token")) : NULL;
    const char *boundary = cursor[0] ? state_get(&flow->state, flow_stream(flow), "", "boundary") : NULL;
    flow->boundary_is_known = boundary_parse(boundary, cursor, &flow->boundary);
    size_t count = flow->windows.slice_count;
    flow->slice_room = count + 1;
    flow->positions = arena_array(&flow->arena, struct slice_position, flow->slice_room);
    flow->running = arena_array(&flow->arena, struct slice *, flow->slice_room);
    flow->resets = arena_array(&flow->arena, unsigned char, flow->slice_room);
    for (size_t i = 0; stored && i < count; i++) {
        const char *value = state_get(&flow->state, flow_stream(flow), flow->windows.slices[i].id, "position");
        if (value && (rc = slice_position_parse(value, &flow->arena, &flow->positions[i], err)) != 0) return rc;
    }
    return 0;
}

/* The source still has it: whoever reads first deletes it there. */
static void give_up_job(struct flow *flow, const char *slice)
{
    const char *job = state_get(&flow->state, flow_stream(flow), slice, "job"), *others = flow->old_jobs;
    if (!job) return;
    flow->old_jobs = arena_printf(&flow->arena, "%s%s%s", others ? others : "", others ? "\n" : "", job);
    assembly_note(flow->assembly, flow_stream(flow), slice, "job", NULL);
    state_set(&flow->state, flow_stream(flow), slice, "job", NULL);
}

/* A plan of another kind was left unfinished: what it holds unpublished goes. One in parts has an entry for each part that it
 * holds anything of. */
static int give_up_old_plan(struct flow *flow, struct err *err)
{
    const char *old = state_get(&flow->state, flow_stream(flow), "", "plan");
    const char *mode = state_get(&flow->state, flow_stream(flow), "", "plan_mode");
    struct window_plan windows;
    if (!old) return 0;
    for (size_t i = 0; mode && strstr(mode, IN_PARTS) && i < flow->state.count; i++) {
        const struct state_entry *entry = &flow->state.entries[i];
        if (strcmp(entry->stream, flow_stream(flow)) == 0 && strcmp(entry->kind, "position") == 0)
            assembly_give_up(flow->assembly, entry->slice);
    }
    if (mode && strstr(mode, IN_PARTS)) return 0;
    int rc = window_from_json(str_from(old), &flow->arena, &windows, err);
    for (size_t i = 0; rc == 0 && i < windows.slice_count; i++) {
        assembly_give_up(flow->assembly, windows.slices[i].id);
        give_up_job(flow, windows.slices[i].id);
    }
    return rc;
}

/* Nothing that was read before counts: not the cursor, nor what a stream that was left out for a while may still hold. */
static void forget_state(struct flow *flow)
{
    assembly_note(flow->assembly, flow_stream(flow), "", "cursor", NULL);
    assembly_note(flow->assembly, flow_stream(flow), "", "token", NULL);
    for (size_t i = 0; i < flow->windows.slice_count; i++) assembly_give_up(flow->assembly, flow->windows.slices[i].id);
    if (flow->partitions) assembly_forget_partitions(flow->assembly);
}

int flow_refuse_unordered(const struct flow *flow, struct err *err)
{
    err_set(
        err, ERR_DATA,
        "cannot go on with an interrupted read: its records did not come in ascending order of '%s' as declared, so which of "
        "them were appended already is not known",
        flow->plan->decode.cursor_field);
    return err_hint(err, "correct the order in the connector, empty the table, and load again: sluice state reset %s %s",
                    flow->sync->pipeline->name, flow_stream(flow));
}

/* Adds to the first load what starts again of a plan that goes on. */
static int restart_unfinished(struct flow *flow, struct err *err)
{
    for (uint32_t i = 0; i < flow->windows.slice_count; i++) {
        const struct slice_position *position = &flow->positions[i];
        if (position->done || position->page) continue;
        if (position->unordered && flow->plan->appends) return flow_refuse_unordered(flow, err);
        assembly_restart(flow->assembly, i);
    }
    return 0;
}

void flow_note_plan(struct flow *flow)
{
    struct buf json = BUF_INIT(8 * 1024 * 1024);
    if (flow->partitions) {
        assembly_note(flow->assembly, flow_stream(flow), "", "plan", flow_partitions_mark(flow));
        return;
    }
    window_to_json(&flow->windows, &json);
    assembly_note(flow->assembly, flow_stream(flow), "", "plan", buf_text(&json));
    buf_release(&json);
}

static int make_assembly(struct flow *flow, struct err *err)
{
    struct flow_plan *plan = flow->plan;
    size_t count = flow->windows.slice_count;
    struct assembly_slice *slices = arena_array(&flow->arena, struct assembly_slice, count + 1);
    bool replaces = plan->stream->has_cursor && plan->stream->cursor.kind == CURSOR_REFETCH;
    for (size_t i = 0; i < count; i++)
        slices[i] = (struct assembly_slice){.id = flow->windows.slices[i].id,
                                            .done = flow->positions[i].done,
                                            .at_page = flow->positions[i].page != NULL,
                                            .unordered = flow->positions[i].unordered,
                                            .cursor = flow->positions[i].cursor,
                                            .max_cursor = flow->positions[i].max,
                                            .newest = flow->positions[i].newest,
                                            .replace_from = replaces ? flow->windows.slices[i].from : NULL,
                                            .replace_to = replaces ? flow->windows.slices[i].to : NULL};
    /* Where the plan ends, which may have been made by an earlier run: what changed since then was not seen everywhere.
     * Integers and texts have no such end. */
    const char *end = count && flow->windows.end[0] ? flow->windows.end : NULL;
    bool ends_plan =
        plan->stream->has_cursor && (window_plan_has_step(&flow->windows) || plan->stream->cursor.kind == CURSOR_EVENT_FEED);
    const char **streams = arena_array(&flow->arena, const char *, plan->stream_count + 1);
    for (size_t i = 0; i < plan->stream_count; i++) streams[i] = plan->streams[i].stream->name;
    if (!plan->loads_root) streams[plan->stream_count] = flow_stream(flow);
    struct assembly_options options = {
        .stream = flow_stream(flow),
        .streams = streams,
        .stream_count = flow_counted(plan),
        .loaded_count = plan->stream_count,
        .root = plan->loads_root ? 0 : plan->stream_count,
        .slices = slices,
        .slice_count = count,
        .ascending = plan->ascending,
        .keep_cursor = plan->keep_cursor,
        .keep_token = plan->keep_token,
        .token_publishes = plan->sync_mode == SYNC_INCREMENTAL,
        .cursor_type = plan->decode.cursor_type,
        .cursor_field = plan->decode.cursor_field,
        .cursor_floor = stored_cursor(flow),
        .cursor_cap = end,
        .cursor_end = ends_plan ? end : NULL,
        .keep_boundary = plan_appends_once(plan),
        .partition_mark = flow_partitions_mark(flow),
        .keeps_unlisted =
            flow_partitions_parent_cursor(flow) != NULL && plan->sync_mode == SYNC_INCREMENTAL && plan->keep_cursor,
        .parent_cursor = flow_partitions_parent_cursor(flow),
        .read_at = keeps_read_at(flow) ? time_text(flow, flow->sync->started_us) : NULL,
        .boundary = flow->boundary_is_known ? &flow->boundary : NULL,
    };
    flow->assembly = assembly_new(&options);
    if (!plan->from) coverage_note(&flow->state, plan, flow->assembly);
    if (stored_plan(flow)) {
        if (flow->is_extended) flow_note_plan(flow);
        return restart_unfinished(flow, err);
    }
    int rc = give_up_old_plan(flow, err);
    if (rc) return rc;
    if (flow->begins_anew) forget_state(flow);
    flow_note_plan(flow);
    assembly_note(flow->assembly, flow_stream(flow), "", "plan_mode", flow->plan_kind);
    return 0;
}

int flow_make_plan(struct flow *flow, struct err *err)
{
    const struct flow_plan *plan = flow->plan;
    flow->plan_kind = plan->from ? arena_printf(&flow->arena, "from %s to %s", plan->from, plan->to ? plan->to : "now")
                                 : sync_mode_name(plan->sync_mode);
    if (stream_is_partitioned(plan->stream)) flow->plan_kind = arena_printf(&flow->arena, "%s" IN_PARTS, flow->plan_kind);
    int rc = refuse_other_field(flow, err);
    return rc ? rc : make_plan(flow, err);
}

int flow_begin(struct flow *flow, struct err *err)
{
    int rc = open_writer(flow, err);
    if (rc == 0) rc = flow_make_plan(flow, err);
    return rc ? rc : make_assembly(flow, err);
}
