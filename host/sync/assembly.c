/* assembly: see assembly.h. Each slice has a queue of batches and the newest checkpoint in it; taking a load cuts each queue at
 * that checkpoint (or takes it whole), so a checkpoint costs a split only once per load, not once per page. */
#include "sync/assembly.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

struct queue {
    const char *id;
    struct batch **batches;
    size_t count, capacity;
    bool finished;                        /* its last page is in the queue or was taken */
    bool closed;                          /* a load with its end was taken */
    bool restart;                         /* the next load drops what is held of it */
    bool no_checkpoints;                  /* order is broken, or not known for what came before */
    bool unordered;                       /* order was broken after a checkpoint was stored, which tells nothing any more */
    bool unordered_is_new;                /* the next load says so */
    char *covered;                        /* cursor of the newest checkpoint in the queue; NULL: none since the last load */
    size_t covered_batches, covered_rows; /* whole batches before it, and rows of the next one */
    char *stored;                         /* cursor of the newest checkpoint that a load stored */
    char *position;                       /* of the pager, after the last page queued; NULL: not resumable */
    bool position_is_new;
    bool at_page; /* a position is stored: the next run would go on there */
    char *max;    /* newest cursor seen */
};

struct assembly {
    struct assembly_options options;
    struct arena arena; /* lives as long as the assembly */
    struct queue *queues;
    uint64_t next_sequence; /* arrival number of the next row */
    size_t bytes;
    bool order_broken;
    bool taken_complete;

    struct arena reject_arena; /* rejects waiting */
    struct reject *rejects;
    size_t reject_count;
    uint64_t reject_total;
    struct load_counts pending; /* of what waits, without rows */
    struct load_counts counts;  /* of the load in hand */
    struct load_counts totals;

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
    assembly->options.cursor_floor = arena_strdup(arena, options->cursor_floor);
    assembly->options.cursor_cap = arena_strdup(arena, options->cursor_cap);
    assembly->options.cursor_end = arena_strdup(arena, options->cursor_end);
    assembly->queues = arena_array(arena, struct queue, options->slice_count + 1);
    for (size_t i = 0; i < options->slice_count; i++) {
        struct queue *queue = &assembly->queues[i];
        queue->id = arena_strdup(arena, options->slices[i].id);
        queue->finished = queue->closed = options->slices[i].done;
        queue->unordered = options->slices[i].unordered;
        queue->at_page = options->slices[i].at_page;
        queue->no_checkpoints = queue->unordered || queue->at_page;
        if (options->slices[i].cursor) queue->stored = mem_strdup(options->slices[i].cursor);
        if (options->slices[i].max_cursor) queue->max = mem_strdup(options->slices[i].max_cursor);
    }
    assembly->rejects = arena_array(arena, struct reject, ASSEMBLY_MAX_REJECTS);
    assembly->delta = STATE_INIT(&assembly->load_arena);
    return assembly;
}

void assembly_free(struct assembly *assembly)
{
    if (!assembly) return;
    for (size_t i = 0; i < assembly->options.slice_count; i++) {
        struct queue *queue = &assembly->queues[i];
        for (size_t b = 0; b < queue->count; b++) batch_free(queue->batches[b]);
        free(queue->batches);
        free(queue->covered);
        free(queue->stored);
        free(queue->position);
        free(queue->max);
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
            .stream = assembly->options.stream,
            .field = from->field.size ? arena_text(arena, from->field) : NULL,
            .reason = from->reason,
            .detail = arena_strdup(arena, from->detail ? from->detail : ""),
            .record = arena_copy(arena, from->record),
            .row_was_dropped = from->row_was_dropped,
        };
    }
}

static void add_counts(struct load_counts *to, const struct decode_counts *from)
{
    to->emitted += from->emitted;
    to->rejected += from->rejected;
    to->discarded += from->discarded;
    to->deduplicated += from->deduplicated;
    to->repaired += from->repaired;
    to->nulled += from->nulled;
    to->overflowed += from->overflowed;
    to->bytes += from->bytes;
}

/* Remembers the newest checkpoint of the page whose batches begin at `first_batch` of the queue. */
static void note_checkpoint(struct assembly *assembly, struct queue *queue, const struct decoded *decoded, size_t first_batch)
{
    if (!assembly->options.ascending || queue->no_checkpoints) return;
    if (!decoded->ascending) {
        assembly->order_broken = true;
        queue->no_checkpoints = true;
        queue->unordered = queue->unordered_is_new = queue->stored != NULL;
        replace_text(&queue->stored, (struct str){0});
        replace_text(&queue->covered, (struct str){0});
        return;
    }
    struct str now = decoded->covered_cursor;
    const char *before = queue->covered ? queue->covered : queue->stored;
    if (now.size == 0 || (before && str_equal(now, str_from(before)))) return;
    size_t rows = decoded->covered_rows, batch = first_batch;
    while (batch < queue->count && rows >= queue->batches[batch]->rows) rows -= queue->batches[batch++]->rows;
    queue->covered_batches = batch;
    queue->covered_rows = rows;
    replace_text(&queue->covered, now);
}

void assembly_add(struct assembly *assembly, uint32_t slice, struct decoded *decoded, const char *position)
{
    CHECK(slice < assembly->options.slice_count);
    struct queue *queue = &assembly->queues[slice];
    size_t first_batch = queue->count;
    for (size_t i = 0; i < decoded->batch_count; i++) {
        if (!decoded->batches[i]) continue;
        decoded->batches[i]->first_sequence = assembly->next_sequence;
        assembly->next_sequence += decoded->batches[i]->rows;
        push(queue, decoded->batches[i]);
        assembly->bytes += batch_bytes(decoded->batches[i]);
        decoded->batches[i] = NULL;
    }
    note_checkpoint(assembly, queue, decoded, first_batch);
    if (decoded->max_cursor.size &&
        (!queue->max || cursor_compare(decoded->max_cursor, str_from(queue->max), assembly->options.cursor_type) > 0))
        replace_text(&queue->max, decoded->max_cursor);
    replace_text(&queue->position, str_from(position));
    queue->position_is_new = true;
    keep_rejects(assembly, decoded);
    assembly->reject_total += decoded->counts.rejected + decoded->counts.nulled;
    add_counts(&assembly->pending, &decoded->counts);
    assembly->pending.emitted -= decoded->rows; /* rows are counted by the load that takes them */
}

void assembly_finish(struct assembly *assembly, uint32_t slice)
{
    CHECK(slice < assembly->options.slice_count);
    assembly->queues[slice].finished = true;
}

size_t assembly_bytes(const struct assembly *assembly)
{
    return assembly->bytes;
}

bool assembly_is_done(const struct assembly *assembly)
{
    for (size_t i = 0; i < assembly->options.slice_count; i++)
        if (!assembly->queues[i].finished) return false;
    return true;
}

bool assembly_has_work(const struct assembly *assembly)
{
    if (assembly->has_notes || (assembly_is_done(assembly) && !assembly->taken_complete)) return true;
    for (size_t i = 0; i < assembly->options.slice_count; i++) {
        const struct queue *queue = &assembly->queues[i];
        if (queue->count || queue->restart || queue->unordered_is_new || (queue->finished && !queue->closed)) return true;
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
    assembly->queues[slice].restart = true;
}

void assembly_note(struct assembly *assembly, const char *slice, const char *kind, const char *value)
{
    state_set(&assembly->delta, assembly->options.stream, slice, kind, value);
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
    assembly_note(assembly, slice, "position", NULL);
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
    memcpy(assembly->taken + assembly->taken_count, queue->batches, batches * sizeof *queue->batches);
    assembly->taken_count += batches;
    memmove(queue->batches, queue->batches + batches, (queue->count - batches) * sizeof *queue->batches);
    queue->count -= batches;
}

static void set_position(struct assembly *assembly, const struct queue *queue, bool done, const char *cursor, const char *page)
{
    struct buf json = BUF_INIT(256 * 1024);
    struct json_writer writer = JSON_WRITER(&json);
    json_open(&writer, '{');
    if (done) json_member(&writer, "done"), json_bool(&writer, true);
    if (cursor) json_member(&writer, "cursor"), json_cstr(&writer, cursor);
    if (queue->unordered && !done) json_member(&writer, "unordered"), json_bool(&writer, true);
    if (page) json_member(&writer, "page"), json_cstr(&writer, page);
    if (queue->max) json_member(&writer, "max"), json_cstr(&writer, queue->max);
    json_close(&writer, '}');
    if (!json.failed) state_set(&assembly->delta, assembly->options.stream, queue->id, "position", buf_text(&json));
    buf_release(&json);
}

/* Puts what one slice has into the load, by the rules at the top of assembly.h. */
static void take_slice(struct assembly *assembly, enum assembly_take take, uint32_t index)
{
    struct queue *queue = &assembly->queues[index];
    if (queue->restart) {
        add_slice(assembly, index, queue->id, queue->unordered ? SLICE_ABANDON : SLICE_RESTART);
        set_position(assembly, queue, false, queue->stored, NULL);
        queue->restart = queue->at_page = false;
        return;
    }
    if (queue->finished) {
        if (queue->closed) return;
        move_front(assembly, queue, queue->count, 0);
        add_slice(assembly, index, queue->id, SLICE_PUBLISH);
        set_position(assembly, queue, true, NULL, NULL);
        queue->closed = true;
        queue->unordered_is_new = false;
        return;
    }
    if (queue->unordered_is_new) { /* must be durable even when no row goes with it */
        set_position(assembly, queue, false, NULL, NULL);
        assembly->has_notes = true;
        queue->unordered_is_new = false;
    }
    if (queue->covered) {
        move_front(assembly, queue, queue->covered_batches, queue->covered_rows);
        add_slice(assembly, index, queue->id, SLICE_PUBLISH);
        set_position(assembly, queue, false, queue->covered, NULL);
        free(queue->stored);
        queue->stored = queue->covered;
        queue->covered = NULL;
        return;
    }
    bool resumable = queue->position && !queue->stored;
    if (queue->count == 0 || (take == TAKE_COVERED && !resumable)) return;
    move_front(assembly, queue, queue->count, 0);
    add_slice(assembly, index, queue->id, SLICE_HOLD);
    /* Rows behind the last page, or a page without a position: a stored one would have them read, and held, once more. */
    bool takes_back = queue->at_page && !resumable;
    if ((resumable && queue->position_is_new) || takes_back)
        set_position(assembly, queue, false, queue->stored, resumable ? queue->position : NULL);
    queue->at_page = resumable;
    queue->position_is_new = false;
}

/* The cursor to remember when the plan is done; NULL: as it was. */
static const char *final_cursor(const struct assembly *assembly)
{
    const struct assembly_options *options = &assembly->options;
    const char *cursor = options->cursor_end;
    for (size_t i = 0; !options->cursor_end && i < options->slice_count; i++) {
        const char *max = assembly->queues[i].max;
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

static void finish_plan(struct assembly *assembly)
{
    const char *stream = assembly->options.stream;
    state_set(&assembly->delta, stream, "", "plan", NULL);
    state_set(&assembly->delta, stream, "", "plan_mode", NULL);
    for (size_t i = 0; i < assembly->options.slice_count; i++)
        state_set(&assembly->delta, stream, assembly->queues[i].id, "position", NULL);
    const char *cursor = assembly->options.keep_cursor ? final_cursor(assembly) : NULL;
    if (cursor) state_set(&assembly->delta, stream, "", "cursor", cursor);
}

bool assembly_take(struct assembly *assembly, enum assembly_take take, struct load *load)
{
    CHECK(assembly->taken_count == 0);
    if (!assembly_has_work(assembly)) return false;
    for (uint32_t i = 0; i < assembly->options.slice_count; i++) take_slice(assembly, take, i);
    bool complete = assembly_is_done(assembly) && !assembly->taken_complete;
    for (size_t i = 0; i < assembly->options.slice_count && complete; i++) complete = assembly->queues[i].closed;
    if (complete) finish_plan(assembly);
    if (!assembly->slice_count && !assembly->has_notes && !complete) return false;
    assembly->taken_complete |= complete;
    assembly->counts = assembly->pending;
    assembly->pending = (struct load_counts){0};
    for (size_t i = 0; i < assembly->taken_count; i++) {
        assembly->counts.emitted += assembly->taken[i]->rows;
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
        .counts = &assembly->counts,
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
    add_totals(&assembly->totals, &assembly->counts);
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
        for (size_t b = 0; b < assembly->queues[i].count; b++) assembly->bytes += batch_bytes(assembly->queues[i].batches[b]);
}

void assembly_correct(struct assembly *assembly, const struct load_counts *counts)
{
    add_totals(&assembly->totals, counts);
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
    json_free(json);
    return 0;
}

const struct load_counts *assembly_totals(const struct assembly *assembly)
{
    return &assembly->totals;
}

uint64_t assembly_reject_total(const struct assembly *assembly)
{
    return assembly->reject_total;
}
