/* assembly: see assembly.h. Each slice has a queue of batches per stream and the newest checkpoint in them; taking a load cuts
 * the queues at that checkpoint (or takes them whole), so a checkpoint costs a split only once per load, not once per page.
 *
 * Arrival numbers are given when rows are taken, so that those of a slice rise from load to load in all of its streams alike:
 * what a later load holds is above what an earlier one settled. */
#include "sync/assembly.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

struct queue {
    struct batch **batches;
    size_t count, capacity;
    size_t page;                          /* where the newest page begins */
    size_t covered_batches, covered_rows; /* whole batches before the newest checkpoint, and rows of the next one */
};

struct slice_rows {
    const char *id;
    struct queue *queues;  /* per loaded stream */
    bool finished;         /* its last page is in the queue or was taken */
    bool closed;           /* a load with its end was taken */
    bool restart;          /* the next load drops what is held of it */
    bool no_checkpoints;   /* order is broken, or not known for what came before */
    bool unordered;        /* order was broken after a checkpoint was stored, which tells nothing any more */
    bool unordered_is_new; /* the next load says so */
    char *covered;         /* cursor of the newest checkpoint in the queue; NULL: none since the last load */
    char *stored;          /* cursor of the newest checkpoint that a load stored */
    char *position;        /* of the pager, after the last page queued; NULL: not resumable */
    bool position_is_new;
    bool at_page;           /* a position is stored: the next run would go on there */
    char *max;              /* newest cursor seen */
    struct boundary newest; /* keys of the records that have it */
    bool newest_is_known;   /* of all of them */
    char *token;            /* the source's, behind the newest page that had one */
    char *stored_token;     /* the newest that a load stored */
    bool token_is_new;      /* the next load takes all rows up to it, and stores it */
    bool is_behind_token;   /* records came after it */
};

struct assembly {
    struct assembly_options options;
    struct arena arena;      /* lives as long as the assembly */
    struct slice_rows *rows; /* per slice */
    uint64_t next_sequence;  /* arrival number of the next row */
    size_t bytes;
    bool order_broken;
    bool taken_complete;

    struct arena reject_arena; /* rejects waiting */
    struct reject *rejects;
    size_t reject_count;
    uint64_t *reject_totals;     /* by stream, as what follows */
    struct load_counts *pending; /* of what waits, without rows */
    struct load_counts *counts;  /* of the load in hand */
    struct load_counts *totals;

    struct arena load_arena; /* of the load in hand, and of notes for the next */
    struct state delta;
    bool has_notes;
    struct batch **taken;
    size_t taken_count, taken_capacity;
    struct load_slice *slices; /* room for the plan's, and those given up */
    size_t slice_count, slice_capacity;
};

struct assembly *assembly_new(const struct assembly_options *options)
{
    struct assembly *assembly = mem_zero(1, sizeof *assembly);
    struct arena *arena = &assembly->arena;
    assembly->options = *options;
    assembly->options.stream = arena_strdup(arena, options->stream);
    const char **streams = arena_array(arena, const char *, options->stream_count + 1);
    for (size_t i = 0; i < options->stream_count; i++) streams[i] = arena_strdup(arena, options->streams[i]);
    assembly->options.streams = streams;
    assembly->reject_totals = arena_array(arena, uint64_t, options->stream_count);
    assembly->pending = arena_array(arena, struct load_counts, options->stream_count);
    assembly->counts = arena_array(arena, struct load_counts, options->stream_count);
    assembly->totals = arena_array(arena, struct load_counts, options->stream_count);
    assembly->options.cursor_floor = arena_strdup(arena, options->cursor_floor);
    assembly->options.read_at = arena_strdup(arena, options->read_at);
    assembly->options.cursor_cap = arena_strdup(arena, options->cursor_cap);
    assembly->options.cursor_end = arena_strdup(arena, options->cursor_end);
    assembly->rows = arena_array(arena, struct slice_rows, options->slice_count + 1);
    for (size_t i = 0; i < options->slice_count; i++) {
        struct slice_rows *rows = &assembly->rows[i];
        rows->id = arena_strdup(arena, options->slices[i].id);
        rows->finished = rows->closed = options->slices[i].done;
        rows->unordered = options->slices[i].unordered;
        rows->at_page = options->slices[i].at_page;
        rows->no_checkpoints = rows->unordered || rows->at_page;
        rows->queues = arena_array(arena, struct queue, options->loaded_count);
        if (options->slices[i].cursor) rows->stored = mem_strdup(options->slices[i].cursor);
        if (options->slices[i].max_cursor) rows->max = mem_strdup(options->slices[i].max_cursor);
        const char *newest = options->slices[i].newest;
        rows->newest_is_known = !rows->max || (newest && boundary_from_text(&rows->newest, str_from(newest)));
    }
    assembly->rejects = arena_array(arena, struct reject, ASSEMBLY_MAX_REJECTS);
    assembly->delta = STATE_INIT(&assembly->load_arena);
    return assembly;
}

void assembly_free(struct assembly *assembly)
{
    if (!assembly) return;
    for (size_t i = 0; i < assembly->options.slice_count; i++) {
        struct slice_rows *rows = &assembly->rows[i];
        for (size_t q = 0; q < assembly->options.loaded_count; q++) {
            for (size_t b = 0; b < rows->queues[q].count; b++) batch_free(rows->queues[q].batches[b]);
            free(rows->queues[q].batches);
        }
        free(rows->covered);
        free(rows->stored);
        free(rows->position);
        free(rows->max);
        free(rows->token);
        free(rows->stored_token);
        boundary_release(&rows->newest);
    }
    for (size_t i = 0; i < assembly->taken_count; i++) batch_free(assembly->taken[i]);
    free(assembly->taken);
    free(assembly->slices);
    arena_release(&assembly->load_arena);
    arena_release(&assembly->reject_arena);
    arena_release(&assembly->arena);
    free(assembly);
}

static void replace_text(char **text, struct str with)
{
    free(*text);
    *text = with.size ? str_dup(with) : NULL;
}

static void push(struct queue *queue, struct batch *batch)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : 16;
        queue->batches = mem_resize(queue->batches, queue->capacity * sizeof *queue->batches);
    }
    queue->batches[queue->count++] = batch;
}

static void keep_rejects(struct assembly *assembly, const struct decoded *decoded)
{
    for (size_t i = 0; i < decoded->reject_count && assembly->reject_count < ASSEMBLY_MAX_REJECTS; i++) {
        const struct decoded_reject *from = &decoded->rejects[i];
        struct arena *arena = &assembly->reject_arena;
        assembly->rejects[assembly->reject_count++] = (struct reject){
            .stream = from->stream ? from->stream : assembly->options.stream,
            .field = from->field.size ? arena_text(arena, from->field) : NULL,
            .reason = from->reason,
            .detail = arena_strdup(arena, from->detail ? from->detail : ""),
            .record = arena_copy(arena, from->record),
            .row_was_dropped = from->row_was_dropped,
        };
    }
}

/* Adds what a page gave of one stream; `rows` are counted by the load that takes them. */
static void add_counts(struct assembly *assembly, size_t stream, const struct decode_counts *from, uint64_t rows)
{
    struct load_counts *to = &assembly->pending[stream];
    to->emitted += from->emitted - rows;
    to->rejected += from->rejected;
    to->discarded += from->discarded;
    to->deduplicated += from->deduplicated;
    to->repaired += from->repaired;
    to->nulled += from->nulled;
    to->overflowed += from->overflowed;
    to->bytes += from->bytes;
    assembly->reject_totals[stream] += from->rejected + from->nulled;
}

static void cover(struct queue *queue, size_t rows)
{
    size_t batch = queue->page;
    while (batch < queue->count && rows >= queue->batches[batch]->rows) rows -= queue->batches[batch++]->rows;
    queue->covered_batches = batch;
    queue->covered_rows = rows;
}

/* Remembers the newest checkpoint of the page that was added last. */
static void note_checkpoint(struct assembly *assembly, struct slice_rows *rows, const struct decoded *decoded)
{
    if (!assembly->options.ascending || rows->no_checkpoints) return;
    if (!decoded->ascending) {
        assembly->order_broken = true;
        rows->no_checkpoints = true;
        rows->unordered = rows->unordered_is_new = rows->stored != NULL;
        replace_text(&rows->stored, (struct str){0});
        replace_text(&rows->covered, (struct str){0});
        return;
    }
    struct str now = decoded->covered_cursor;
    const char *before = rows->covered ? rows->covered : rows->stored;
    if (now.size == 0 || (before && str_equal(now, str_from(before)))) return;
    if (assembly->options.root < assembly->options.loaded_count)
        cover(&rows->queues[assembly->options.root], decoded->covered_rows);
    for (size_t i = 0; i < decoded->exploded_count; i++)
        cover(&rows->queues[decoded->exploded[i].stream], decoded->exploded[i].covered_rows);
    replace_text(&rows->covered, now);
}

static void note_newest(const struct assembly *assembly, struct slice_rows *rows, const struct decoded *decoded)
{
    if (decoded->max_cursor.size == 0) return;
    int rise = rows->max ? cursor_compare(decoded->max_cursor, str_from(rows->max), assembly->options.cursor_type) : 1;
    if (rise < 0) return;
    if (rise > 0) {
        replace_text(&rows->max, decoded->max_cursor);
        boundary_clear(&rows->newest);
        rows->newest_is_known = true;
    }
    boundary_add_all(&rows->newest, decoded->newest, decoded->newest_count, decoded->newest_are_too_many);
}

static void queue_batches(struct assembly *assembly, struct slice_rows *rows, struct decoded *decoded)
{
    for (size_t q = 0; q < assembly->options.loaded_count; q++) rows->queues[q].page = rows->queues[q].count;
    for (size_t i = 0; i < decoded->batch_count; i++) {
        struct batch *batch = decoded->batches[i];
        if (!batch) continue;
        CHECK(batch->stream < assembly->options.loaded_count);
        push(&rows->queues[batch->stream], batch);
        assembly->bytes += batch_bytes(batch);
        decoded->batches[i] = NULL;
    }
}

void assembly_add(struct assembly *assembly, uint32_t slice, struct decoded *decoded, const char *position)
{
    CHECK(slice < assembly->options.slice_count);
    struct slice_rows *rows = &assembly->rows[slice];
    queue_batches(assembly, rows, decoded);
    note_checkpoint(assembly, rows, decoded);
    note_newest(assembly, rows, decoded);
    replace_text(&rows->position, str_from(position));
    rows->position_is_new = true;
    keep_rejects(assembly, decoded);
    bool is_loaded = assembly->options.root < assembly->options.loaded_count;
    add_counts(assembly, assembly->options.root, &decoded->counts, is_loaded ? decoded->rows : 0);
    for (size_t i = 0; i < decoded->exploded_count; i++)
        add_counts(assembly, decoded->exploded[i].stream, &decoded->exploded[i].counts, decoded->exploded[i].rows);
}

void assembly_token(struct assembly *assembly, uint32_t slice, const char *token, bool has_records)
{
    struct slice_rows *rows = &assembly->rows[slice];
    if (!assembly->options.keep_token) return;
    if (!token) {
        rows->is_behind_token = rows->is_behind_token || has_records;
        return;
    }
    replace_text(&rows->token, str_from(token));
    rows->token_is_new = true;
    rows->is_behind_token = false;
    for (size_t q = 0; q < assembly->options.loaded_count; q++) {
        rows->queues[q].covered_batches = rows->queues[q].count;
        rows->queues[q].covered_rows = 0;
    }
}

const char *assembly_stored_token(const struct assembly *assembly, uint32_t slice)
{
    return assembly->rows[slice].stored_token;
}

bool assembly_lacks_token(const struct assembly *assembly, uint32_t slice)
{
    return assembly->options.keep_token && assembly->rows[slice].is_behind_token;
}

void assembly_finish(struct assembly *assembly, uint32_t slice)
{
    CHECK(slice < assembly->options.slice_count);
    assembly->rows[slice].finished = true;
}

size_t assembly_bytes(const struct assembly *assembly)
{
    return assembly->bytes;
}

bool assembly_is_done(const struct assembly *assembly)
{
    for (size_t i = 0; i < assembly->options.slice_count; i++)
        if (!assembly->rows[i].finished) return false;
    return true;
}

static bool has_rows(const struct assembly *assembly, const struct slice_rows *rows)
{
    for (size_t q = 0; q < assembly->options.loaded_count; q++)
        if (rows->queues[q].count) return true;
    return false;
}

bool assembly_has_work(const struct assembly *assembly)
{
    if (assembly->has_notes || (assembly_is_done(assembly) && !assembly->taken_complete)) return true;
    for (size_t i = 0; i < assembly->options.slice_count; i++) {
        const struct slice_rows *rows = &assembly->rows[i];
        if (has_rows(assembly, rows) || rows->restart || rows->unordered_is_new || (rows->finished && !rows->closed))
            return true;
    }
    return false;
}

bool assembly_order_was_broken(const struct assembly *assembly)
{
    return assembly->order_broken;
}

void assembly_restart(struct assembly *assembly, uint32_t slice)
{
    CHECK(slice < assembly->options.slice_count);
    struct slice_rows *rows = &assembly->rows[slice];
    for (size_t q = 0; q < assembly->options.loaded_count; q++) {
        struct queue *queue = &rows->queues[q];
        for (size_t b = 0; b < queue->count; b++) {
            assembly->bytes -= batch_bytes(queue->batches[b]);
            batch_free(queue->batches[b]);
        }
        queue->count = queue->page = queue->covered_batches = queue->covered_rows = 0;
    }
    replace_text(&rows->covered, (struct str){0});
    replace_text(&rows->position, (struct str){0});
    rows->token_is_new = rows->is_behind_token = false;
    rows->restart = true;
}

uint32_t assembly_split(struct assembly *assembly, uint32_t slice, const char *id)
{
    size_t count = assembly->options.slice_count++;
    struct slice_rows *rows = arena_array(&assembly->arena, struct slice_rows, 2 * (count + 1));
    memcpy(rows, assembly->rows, count * sizeof *rows);
    rows[count] = (struct slice_rows){.id = arena_strdup(&assembly->arena, id),
                                      .queues = arena_array(&assembly->arena, struct queue, assembly->options.loaded_count),
                                      .newest_is_known = true};
    assembly->rows = rows;
    assembly_restart(assembly, slice);
    return (uint32_t)count;
}

const char *assembly_checkpoint(const struct assembly *assembly, uint32_t slice)
{
    CHECK(slice < assembly->options.slice_count);
    return assembly->rows[slice].stored;
}

bool assembly_is_unordered(const struct assembly *assembly, uint32_t slice)
{
    CHECK(slice < assembly->options.slice_count);
    return assembly->rows[slice].unordered;
}

void assembly_note(struct assembly *assembly, const char *stream, const char *slice, const char *kind, const char *value)
{
    state_set(&assembly->delta, stream, slice, kind, value);
    assembly->has_notes = true;
}

static void add_slice(struct assembly *assembly, uint32_t index, const char *id, enum slice_outcome outcome)
{
    if (assembly->slice_count == assembly->slice_capacity) {
        assembly->slice_capacity = assembly->slice_capacity ? assembly->slice_capacity * 2 : 16;
        assembly->slices = mem_resize(assembly->slices, assembly->slice_capacity * sizeof *assembly->slices);
    }
    assembly->slices[assembly->slice_count++] = (struct load_slice){.slice = index, .id = id, .outcome = outcome};
}

void assembly_give_up(struct assembly *assembly, const char *slice)
{
    add_slice(assembly, UINT32_MAX, arena_strdup(&assembly->arena, slice), SLICE_ABANDON);
    assembly_note(assembly, assembly->options.stream, slice, "position", NULL);
}

/* Moves the first `batches` batches and `rows` rows of the next one from the queue into the load. */
static void move_front(struct assembly *assembly, struct queue *queue, size_t batches, size_t rows)
{
    if (rows > 0) {
        struct batch *rest = batch_split(queue->batches[batches], rows);
        batches++;
        if (rest) { /* stays, right behind what goes */
            push(queue, rest);
            memmove(queue->batches + batches + 1, queue->batches + batches,
                    (queue->count - 1 - batches) * sizeof *queue->batches);
            queue->batches[batches] = rest;
        }
    }
    if (assembly->taken_count + batches > assembly->taken_capacity) {
        assembly->taken_capacity = (assembly->taken_count + batches) * 2;
        assembly->taken = mem_resize(assembly->taken, assembly->taken_capacity * sizeof *assembly->taken);
    }
    if (batches == 0) return;
    for (size_t i = 0; i < batches; i++) {
        queue->batches[i]->first_sequence = assembly->next_sequence;
        assembly->next_sequence += queue->batches[i]->rows;
    }
    memcpy(assembly->taken + assembly->taken_count, queue->batches, batches * sizeof *queue->batches);
    assembly->taken_count += batches;
    memmove(queue->batches, queue->batches + batches, (queue->count - batches) * sizeof *queue->batches);
    queue->count -= batches;
}

static void move_all(struct assembly *assembly, struct slice_rows *rows)
{
    for (size_t q = 0; q < assembly->options.loaded_count; q++)
        move_front(assembly, &rows->queues[q], rows->queues[q].count, 0);
}

static void move_covered(struct assembly *assembly, struct slice_rows *rows)
{
    for (size_t q = 0; q < assembly->options.loaded_count; q++)
        move_front(assembly, &rows->queues[q], rows->queues[q].covered_batches, rows->queues[q].covered_rows);
}

/* Adds the keys as a member, if they are to be remembered. */
static void write_newest(const struct assembly *assembly, struct slice_rows *rows, struct json_writer *writer)
{
    if (!assembly->options.keep_boundary || !rows->newest_is_known) return;
    struct buf text = BUF_INIT(BOUNDARY_TEXT_MAX + 1);
    boundary_to_text(&rows->newest, &text);
    json_member(writer, "newest"), json_text(writer, buf_str(&text));
    buf_release(&text);
}

static void set_position(struct assembly *assembly, struct slice_rows *rows, bool done, const char *cursor, const char *page)
{
    struct buf json = BUF_INIT(256 * 1024 + (assembly->options.keep_boundary ? BOUNDARY_TEXT_MAX : 0));
    struct json_writer writer = JSON_WRITER(&json);
    json_open(&writer, '{');
    if (done) json_member(&writer, "done"), json_bool(&writer, true);
    if (cursor) json_member(&writer, "cursor"), json_cstr(&writer, cursor);
    if (rows->unordered && !done) json_member(&writer, "unordered"), json_bool(&writer, true);
    if (page) json_member(&writer, "page"), json_cstr(&writer, page);
    if (rows->max) json_member(&writer, "max"), json_cstr(&writer, rows->max), write_newest(assembly, rows, &writer);
    json_close(&writer, '}');
    if (!json.failed) state_set(&assembly->delta, assembly->options.stream, rows->id, "position", buf_text(&json));
    buf_release(&json);
}

static void note_token(struct assembly *assembly, struct slice_rows *rows)
{
    assembly_note(assembly, assembly->options.stream, "", "token", rows->token);
    rows->token_is_new = false;
    replace_text(&rows->stored_token, str_from(rows->token));
}

/* Puts what one slice has into the load, by the rules at the top of assembly.h. */
static void take_slice(struct assembly *assembly, enum assembly_take take, uint32_t index)
{
    struct slice_rows *rows = &assembly->rows[index];
    if (rows->restart) {
        add_slice(assembly, index, rows->id, rows->unordered ? SLICE_ABANDON : SLICE_RESTART);
        set_position(assembly, rows, false, rows->stored, NULL);
        rows->restart = rows->at_page = false;
        return;
    }
    if (rows->finished) {
        if (rows->closed) return;
        move_all(assembly, rows);
        add_slice(assembly, index, rows->id, SLICE_PUBLISH);
        set_position(assembly, rows, true, NULL, NULL);
        if (rows->token_is_new) note_token(assembly, rows);
        rows->closed = true;
        rows->unordered_is_new = false;
        return;
    }
    if (rows->unordered_is_new) { /* must be durable even when no row goes with it */
        set_position(assembly, rows, false, NULL, NULL);
        assembly->has_notes = true;
        rows->unordered_is_new = false;
    }
    if (rows->token_is_new && assembly->options.token_publishes) {
        move_covered(assembly, rows);
        add_slice(assembly, index, rows->id, SLICE_PUBLISH);
        note_token(assembly, rows);
        return;
    }
    if (rows->covered) {
        move_covered(assembly, rows);
        add_slice(assembly, index, rows->id, SLICE_PUBLISH);
        set_position(assembly, rows, false, rows->covered, NULL);
        free(rows->stored);
        rows->stored = rows->covered;
        rows->covered = NULL;
        return;
    }
    bool resumable = rows->position && !rows->stored;
    if (!has_rows(assembly, rows) || (take == TAKE_COVERED && !resumable)) return;
    move_all(assembly, rows);
    add_slice(assembly, index, rows->id, SLICE_HOLD);
    /* Rows behind the last page, or a page without a position: a stored one would have them read, and held, once more. */
    bool takes_back = rows->at_page && !resumable;
    if ((resumable && rows->position_is_new) || takes_back)
        set_position(assembly, rows, false, rows->stored, resumable ? rows->position : NULL);
    rows->at_page = resumable;
    rows->position_is_new = false;
}

/* The cursor to remember when the plan is done; NULL: as it was. */
static const char *final_cursor(const struct assembly *assembly)
{
    const struct assembly_options *options = &assembly->options;
    const char *cursor = options->cursor_end;
    for (size_t i = 0; !options->cursor_end && i < options->slice_count; i++) {
        const char *max = assembly->rows[i].max;
        if (max && (!cursor || cursor_compare(str_from(max), str_from(cursor), options->cursor_type) > 0)) cursor = max;
    }
    if (cursor && options->cursor_cap &&
        cursor_compare(str_from(cursor), str_from(options->cursor_cap), options->cursor_type) > 0)
        cursor = options->cursor_cap;
    if (cursor && options->cursor_floor &&
        cursor_compare(str_from(cursor), str_from(options->cursor_floor), options->cursor_type) <= 0)
        return NULL;
    return cursor;
}

/* The keys go with the cursor they belong to: one that is set by hand leaves them without a meaning. */
static void note_boundary(struct assembly *assembly, const char *cursor, struct boundary *keys)
{
    struct buf json = BUF_INIT(512 * 1024), text = BUF_INIT(BOUNDARY_TEXT_MAX + 1);
    struct json_writer writer = JSON_WRITER(&json);
    if (keys) boundary_to_text(keys, &text);
    json_open(&writer, '{');
    json_member(&writer, "cursor"), json_cstr(&writer, cursor);
    json_member(&writer, "keys"), json_text(&writer, buf_str(&text));
    json_close(&writer, '}');
    state_set(&assembly->delta, assembly->options.stream, "", "boundary", keys ? buf_text(&json) : NULL);
    buf_release(&text);
    buf_release(&json);
}

/* Stores the keys of the records that have the cursor: those of this sync, and when it did not move those known before. */
static void keep_boundary(struct assembly *assembly, const char *moved_to)
{
    const struct assembly_options *options = &assembly->options;
    const char *cursor = moved_to ? moved_to : options->cursor_floor;
    struct boundary all = {0};
    bool is_known = moved_to || options->boundary, is_new = moved_to != NULL;
    if (!cursor) return;
    if (!moved_to && options->boundary)
        boundary_add_all(&all, options->boundary->keys, options->boundary->count, options->boundary->too_many);
    for (size_t i = 0; i < options->slice_count; i++) {
        const struct slice_rows *rows = &assembly->rows[i];
        if (!rows->max || cursor_compare(str_from(rows->max), str_from(cursor), options->cursor_type) != 0) continue;
        is_known = is_known && rows->newest_is_known;
        is_new = is_new || rows->newest.count;
        boundary_add_all(&all, rows->newest.keys, rows->newest.count, rows->newest.too_many);
    }
    if (is_new) note_boundary(assembly, cursor, is_known ? &all : NULL);
    boundary_release(&all);
}

static void finish_plan(struct assembly *assembly)
{
    const char *stream = assembly->options.stream;
    state_set(&assembly->delta, stream, "", "plan", NULL);
    state_set(&assembly->delta, stream, "", "plan_mode", NULL);
    for (size_t i = 0; i < assembly->options.slice_count; i++)
        state_set(&assembly->delta, stream, assembly->rows[i].id, "position", NULL);
    const char *cursor = assembly->options.keep_cursor ? final_cursor(assembly) : NULL;
    if (cursor) state_set(&assembly->delta, stream, "", "cursor", cursor);
    if (assembly->options.read_at) state_set(&assembly->delta, stream, "", "read_at", assembly->options.read_at);
    if (assembly->options.keep_boundary) keep_boundary(assembly, cursor);
}

bool assembly_take(struct assembly *assembly, enum assembly_take take, struct load *load)
{
    CHECK(assembly->taken_count == 0);
    if (!assembly_has_work(assembly)) return false;
    for (uint32_t i = 0; i < assembly->options.slice_count; i++) take_slice(assembly, take, i);
    bool complete = assembly_is_done(assembly) && !assembly->taken_complete;
    for (size_t i = 0; i < assembly->options.slice_count && complete; i++) complete = assembly->rows[i].closed;
    if (complete) finish_plan(assembly);
    if (!assembly->slice_count && !assembly->has_notes && !complete) return false;
    assembly->taken_complete |= complete;
    size_t counts_bytes = assembly->options.stream_count * sizeof *assembly->counts;
    memcpy(assembly->counts, assembly->pending, counts_bytes);
    memset(assembly->pending, 0, counts_bytes);
    for (size_t i = 0; i < assembly->taken_count; i++) {
        assembly->counts[assembly->taken[i]->stream].emitted += assembly->taken[i]->rows - assembly->taken[i]->empties;
        size_t bytes = batch_bytes(assembly->taken[i]);
        assembly->bytes -= bytes < assembly->bytes ? bytes : assembly->bytes;
    }
    *load = (struct load){
        .batches = assembly->taken,
        .batch_count = assembly->taken_count,
        .slices = assembly->slices,
        .slice_count = assembly->slice_count,
        .state = &assembly->delta,
        .rejects = assembly->rejects,
        .reject_count = assembly->reject_count,
        .counts = assembly->counts,
        .complete = complete,
    };
    return true;
}

static void add_totals(struct load_counts *to, const struct load_counts *from)
{
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *part = (const uint64_t *)from;
    _Static_assert(sizeof *to % sizeof *sum == 0, "counts are nothing but 64-bit counters");
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++) sum[i] += part[i];
}

void assembly_committed(struct assembly *assembly)
{
    for (size_t i = 0; i < assembly->options.stream_count; i++) add_totals(&assembly->totals[i], &assembly->counts[i]);
    for (size_t i = 0; i < assembly->taken_count; i++) batch_free(assembly->taken[i]);
    assembly->taken_count = 0;
    assembly->slice_count = 0;
    assembly->reject_count = 0;
    assembly->has_notes = false;
    arena_clear(&assembly->reject_arena);
    arena_clear(&assembly->load_arena);
    assembly->delta = STATE_INIT(&assembly->load_arena);
    assembly->bytes = 0;
    for (size_t i = 0; i < assembly->options.slice_count; i++)
        for (size_t q = 0; q < assembly->options.loaded_count; q++)
            for (size_t b = 0; b < assembly->rows[i].queues[q].count; b++)
                assembly->bytes += batch_bytes(assembly->rows[i].queues[q].batches[b]);
}

void assembly_correct(struct assembly *assembly, size_t stream, const struct load_counts *counts)
{
    add_totals(&assembly->totals[stream], counts);
}

bool boundary_parse(const char *value, const char *cursor, struct boundary *boundary)
{
    struct cJSON *json = NULL;
    struct err ignored = ERR_INIT;
    if (!value || !cursor || json_parse(str_from(value), 1024 * 1024, &json, &ignored) != 0) return false;
    const char *belongs_to = json_string(json_get(json, "cursor")), *keys = json_string(json_get(json, "keys"));
    bool ok = belongs_to && keys && strcmp(belongs_to, cursor) == 0 && boundary_from_text(boundary, str_from(keys));
    json_free(json);
    return ok;
}

int slice_position_parse(const char *value, struct arena *arena, struct slice_position *position, struct err *err)
{
    struct cJSON *json = NULL;
    *position = (struct slice_position){0};
    struct err cause = ERR_INIT;
    if (json_parse(str_from(value), 1024 * 1024, &json, &cause) != 0 || !json_is_object(json)) {
        json_free(json);
        return err_set(err, ERR_BUG, "cannot read the state of a slice: %.200s", value);
    }
    position->done = json_get(json, "done") != NULL;
    position->unordered = json_get(json, "unordered") != NULL;
    position->cursor = arena_strdup(arena, json_string(json_get(json, "cursor")));
    position->page = arena_strdup(arena, json_string(json_get(json, "page")));
    position->max = arena_strdup(arena, json_string(json_get(json, "max")));
    position->newest = arena_strdup(arena, json_string(json_get(json, "newest")));
    json_free(json);
    return 0;
}

const struct load_counts *assembly_totals(const struct assembly *assembly, size_t stream)
{
    return &assembly->totals[stream];
}

uint64_t assembly_reject_total(const struct assembly *assembly, size_t stream)
{
    return assembly->reject_totals[stream];
}
