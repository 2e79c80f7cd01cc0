/* assembly: see assembly.h. Each slice has a queue of batches per stream and the newest checkpoint in them; taking a load cuts
 * the queues at that checkpoint (or takes them whole), so a checkpoint costs a split only once per load, not once per page.
 *
 * Arrival numbers are given when rows are taken, so that those of a slice rise from load to load in all of its streams alike:
 * what a later load holds is above what an earlier one settled. */
#include "sync/assembly_parts.h"

#include <stdlib.h>
#include <string.h>

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
    assembly->options.partition_mark = arena_strdup(arena, options->partition_mark);
    assembly->options.parent_cursor = arena_strdup(arena, options->parent_cursor);
    assembly->keep = options->partition_mark ? arena_printf(arena, "%s ", options->partition_mark) : NULL;
    assembly->row_capacity = options->slice_count + 1;
    assembly->rows = arena_array(arena, struct slice_rows, assembly->row_capacity);
    for (size_t i = 0; i < options->slice_count; i++) {
        struct slice_rows *rows = &assembly->rows[i];
        rows->id = arena_strdup(arena, options->slices[i].id);
        rows->replace_from = arena_strdup(arena, options->slices[i].replace_from);
        rows->replace_to = arena_strdup(arena, options->slices[i].replace_to);
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
    assembly->expects_more = options->partition_mark != NULL;
    assembly->rejects = arena_array(arena, struct reject, ASSEMBLY_MAX_REJECTS);
    assembly->delta = STATE_INIT(&assembly->load_arena);
    return assembly;
}

static void release_texts(struct slice_rows *rows)
{
    free(rows->covered);
    free(rows->stored);
    free(rows->position);
    free(rows->max);
    free(rows->token);
    free(rows->stored_token);
    free(rows->floor);
    free(rows->cap);
    boundary_release(&rows->newest);
    boundary_release(&rows->known);
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
        if (assembly->options.partition_mark) free((char *)(uintptr_t)rows->id);
        release_texts(rows);
    }
    free(assembly->free_slots);
    for (size_t i = 0; i < assembly->taken_count; i++) batch_free(assembly->taken[i]);
    free(assembly->taken);
    free(assembly->slices);
    arena_release(&assembly->load_arena);
    arena_release(&assembly->reject_arena);
    arena_release(&assembly->arena);
    free(assembly);
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
    if (assembly->expects_more) return false;
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
    if (assembly->has_notes || assembly->forgets || (assembly_is_done(assembly) && !assembly->taken_complete)) return true;
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
    if (count >= assembly->row_capacity) {
        struct slice_rows *rows = arena_array(&assembly->arena, struct slice_rows, count + WINDOW_MAX_SPLITS);
        memcpy(rows, assembly->rows, count * sizeof *rows);
        assembly->rows = rows;
        assembly->row_capacity = count + WINDOW_MAX_SPLITS;
    }
    assembly->rows[count] =
        (struct slice_rows){.id = arena_strdup(&assembly->arena, id),
                            .queues = arena_array(&assembly->arena, struct queue, assembly->options.loaded_count),
                            .newest_is_known = true};
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

uint32_t assembly_open(struct assembly *assembly, const struct assembly_slice *slice)
{
    size_t index = assembly->free_count ? assembly->free_slots[--assembly->free_count] : assembly->options.slice_count++;
    if (index >= assembly->row_capacity) {
        struct slice_rows *rows = arena_array(&assembly->arena, struct slice_rows, index * 2);
        memcpy(rows, assembly->rows, index * sizeof *rows);
        assembly->rows = rows;
        assembly->row_capacity = index * 2;
    }
    struct slice_rows *rows = &assembly->rows[index];
    struct queue *queues = rows->queues;
    if (!queues) queues = arena_array(&assembly->arena, struct queue, assembly->options.loaded_count);
    for (size_t q = 0; q < assembly->options.loaded_count; q++)
        queues[q] = (struct queue){.batches = queues[q].batches, .capacity = queues[q].capacity};
    free((char *)(uintptr_t)rows->id);
    release_texts(rows);
    *rows = (struct slice_rows){.id = mem_strdup(slice->id), .queues = queues};
    rows->unordered = slice->unordered;
    rows->at_page = slice->at_page;
    rows->no_checkpoints = rows->unordered || rows->at_page;
    rows->has_position = slice->has_position;
    rows->members = slice->members;
    rows->member_count = slice->member_count;
    replace_text(&rows->stored, str_from(slice->cursor));
    replace_text(&rows->max, str_from(slice->max_cursor));
    replace_text(&rows->floor, str_from(slice->floor));
    replace_text(&rows->cap, str_from(slice->cap));
    rows->newest_is_known = !rows->max || (slice->newest && boundary_from_text(&rows->newest, str_from(slice->newest)));
    rows->boundary_is_known = slice->boundary != NULL;
    if (slice->boundary)
        boundary_add_all(&rows->known, slice->boundary->keys, slice->boundary->count, slice->boundary->too_many);
    return (uint32_t)index;
}

bool assembly_is_free(const struct assembly *assembly, uint32_t slice)
{
    return assembly->rows[slice].is_free;
}

void assembly_opened_all(struct assembly *assembly)
{
    assembly->expects_more = false;
}

void assembly_forget_partitions(struct assembly *assembly)
{
    assembly->forgets = true;
}

/* Their end is committed: what comes next may have their place. */
static void free_slots(struct assembly *assembly)
{
    for (size_t i = 0; i < assembly->options.slice_count; i++) {
        struct slice_rows *rows = &assembly->rows[i];
        if (!rows->closed || rows->is_free) continue;
        rows->is_free = true;
        if (assembly->free_count == assembly->free_capacity) {
            assembly->free_capacity = assembly->free_capacity ? assembly->free_capacity * 2 : 64;
            assembly->free_slots = mem_resize(assembly->free_slots, assembly->free_capacity * sizeof *assembly->free_slots);
        }
        assembly->free_slots[assembly->free_count++] = (uint32_t)i;
    }
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

/* Puts what one slice has into the load, by the rules at the top of assembly.h. */
static void take_slice(struct assembly *assembly, enum assembly_take take, uint32_t index)
{
    struct slice_rows *rows = &assembly->rows[index];
    if (rows->restart) {
        add_slice(assembly, index, rows->id, rows->unordered ? SLICE_ABANDON : SLICE_RESTART);
        assembly_note_position(assembly, rows, false, rows->stored, NULL);
        rows->restart = rows->at_page = false;
        return;
    }
    if (rows->finished) {
        if (rows->closed) return;
        move_all(assembly, rows);
        add_slice(assembly, index, rows->id, SLICE_PUBLISH);
        assembly->slices[assembly->slice_count - 1].replace_from = rows->replace_from;
        assembly->slices[assembly->slice_count - 1].replace_to = rows->replace_to;
        if (assembly->options.partition_mark)
            assembly_note_partition(assembly, rows);
        else
            assembly_note_position(assembly, rows, true, NULL, NULL);
        if (rows->token_is_new) assembly_note_token(assembly, rows);
        rows->closed = true;
        rows->unordered_is_new = false;
        return;
    }
    if (rows->unordered_is_new) { /* must be durable even when no row goes with it */
        assembly_note_position(assembly, rows, false, NULL, NULL);
        assembly->has_notes = true;
        rows->unordered_is_new = false;
    }
    if (rows->token_is_new && assembly->options.token_publishes) {
        move_covered(assembly, rows);
        add_slice(assembly, index, rows->id, SLICE_PUBLISH);
        assembly_note_token(assembly, rows);
        return;
    }
    if (rows->covered) {
        move_covered(assembly, rows);
        add_slice(assembly, index, rows->id, SLICE_PUBLISH);
        assembly_note_position(assembly, rows, false, rows->covered, NULL);
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
    /* A plan in parts has no list of its slices: the entry tells the next run that there are rows to be dropped. */
    bool is_first = assembly->options.partition_mark && !rows->has_position;
    if ((resumable && rows->position_is_new) || takes_back || is_first)
        assembly_note_position(assembly, rows, false, rows->stored, resumable ? rows->position : NULL);
    rows->at_page = resumable;
    rows->position_is_new = false;
}

bool assembly_take(struct assembly *assembly, enum assembly_take take, struct load *load)
{
    CHECK(assembly->taken_count == 0);
    if (!assembly_has_work(assembly)) return false;
    for (uint32_t i = 0; i < assembly->options.slice_count; i++) take_slice(assembly, take, i);
    bool complete = assembly_is_done(assembly) && !assembly->taken_complete;
    for (size_t i = 0; i < assembly->options.slice_count && complete; i++) complete = assembly->rows[i].closed;
    if (complete) assembly_note_end(assembly);
    if (!assembly->slice_count && !assembly->has_notes && !complete && !assembly->forgets) return false;
    bool sweeps = assembly->options.partition_mark && (complete ? !assembly->options.keeps_unlisted : assembly->forgets);
    bool keeps = complete && assembly->options.keep_cursor;
    assembly->sweep = (struct state_sweep){assembly->options.stream, STATE_PARTITION, keeps ? assembly->keep : NULL};
    assembly->taken_complete |= complete;
    size_t counts_bytes = assembly->options.stream_count * sizeof *assembly->counts;
    memcpy(assembly->counts, assembly->pending, counts_bytes);
    memset(assembly->pending, 0, counts_bytes);
    for (size_t i = 0; i < assembly->taken_count; i++) {
        assembly->counts[assembly->taken[i]->stream].emitted += assembly->taken[i]->rows - assembly->taken[i]->marks;
        size_t bytes = batch_bytes(assembly->taken[i]);
        assembly->bytes -= bytes < assembly->bytes ? bytes : assembly->bytes;
    }
    *load = (struct load){
        .batches = assembly->taken,
        .batch_count = assembly->taken_count,
        .slices = assembly->slices,
        .slice_count = assembly->slice_count,
        .state = &assembly->delta,
        .sweep = sweeps ? &assembly->sweep : NULL,
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
    assembly->has_notes = assembly->forgets = false;
    if (assembly->options.partition_mark) free_slots(assembly);
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

const struct load_counts *assembly_totals(const struct assembly *assembly, size_t stream)
{
    return &assembly->totals[stream];
}

uint64_t assembly_reject_total(const struct assembly *assembly, size_t stream)
{
    return assembly->reject_totals[stream];
}
