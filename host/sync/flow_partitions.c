/* flow_partitions: a flow that is read in parts: for each value of its lists, or each record of its parent. The parts are not
 * listed in the plan, which only names itself (by the moment it was made, up to which everything is read); each part that is
 * done has an entry of its own that names the plan, looked up by key as parts come. So nothing here grows with their number.
 *
 * Parents are read by a thread of the flow's own, a page at a time and only when all of the last one have begun: slow slices
 * hold it back. A part has a slot among the flow's arrays, which is another part's once its end is committed. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/time.h"
#include "os/cancel.h"
#include "os/channel.h"
#include "os/thread.h"
#include "sync/flow_parts.h"
#include "sync/parents.h"

enum { FEEDER_STACK = 512 * 1024, FINISHED_PER_LOAD = 1000 };

/* What is known of the part that has the slot. */
struct slot {
    struct arena arena;
    struct str values, parent;
    const char **members; /* of a batch */
    size_t member_count;
    const char *cursor;
    struct boundary boundary;
    bool boundary_is_known;
};

struct flow_partitions {
    const char *mark; /* the plan's name: the moment up to which it reads, as a number, */
    int64_t mark_us;
    const char *until;         /* and as a time */
    const char *parent_cursor; /* where the parents that changed begin; "": all of them */
    struct partition_chunk *chunk;
    size_t next; /* of the chunk */
    struct slot **slots;
    size_t slot_room, finished;
    struct map begun; /* parts of this run that were begun behind a position of an earlier one */
    /* The thread that reads parents. */
    struct thread thread;
    struct channel *wants; /* a token for each page that is wanted */
    struct listing *listing;
    struct flow *flow;
    bool is_asked, has_ended;
};

const char *flow_partitions_mark(const struct flow *flow)
{
    return flow->partitions ? flow->partitions->mark : NULL;
}

const char *flow_partitions_parent_cursor(const struct flow *flow)
{
    return flow->partitions && flow->plan->stream->parent.changed ? flow->partitions->until : NULL;
}

int flow_partitions_begin(struct flow *flow, struct err *err)
{
    struct flow_partitions *parts = arena_new(&flow->arena, struct flow_partitions);
    const char *stored = state_get(&flow->state, flow_stream(flow), "", "plan");
    const char *mode = state_get(&flow->state, flow_stream(flow), "", "plan_mode");
    bool goes_on = !flow->begins_anew && stored && mode && strcmp(mode, flow->plan_kind) == 0;
    char text[TIME_TEXT_MAX], number[NUMBER_TEXT_MAX];
    parts->flow = flow;
    parts->mark_us = flow->sync->started_us;
    if (goes_on && !number_to_int64(str_from(stored), &parts->mark_us))
        return err_set(err, ERR_BUG, "the stored plan cannot be read: %.100s", stored);
    parts->mark = arena_text(&flow->arena, (struct str){number, number_from_int64(parts->mark_us, number)});
    parts->until = arena_text(&flow->arena, (struct str){text, time_write_iso(parts->mark_us, text)});
    bool wants_changed = flow->plan->stream->parent.changed && flow->plan->sync_mode == SYNC_INCREMENTAL && !flow->begins_anew;
    const char *cursor = wants_changed ? state_get(&flow->state, flow_stream(flow), "", "parent_cursor") : NULL;
    parts->parent_cursor = arena_strdup(&flow->arena, cursor ? cursor : "");
    /* No slices yet; what was read before says that this is not the beginning. */
    flow->windows = (struct window_plan){.stored = goes_on || parts->parent_cursor[0] ? parts->until : "", .end = ""};
    flow->partitions = parts;
    return 0;
}

/* --- the parents' thread ------------------------------------------------------------------------------------------------- */

static void feed(void *context)
{
    struct flow_partitions *parts = context;
    uint64_t place = 0;
    void *token;
    while (channel_receive(parts->wants, parts->flow->cancel, -1, &token) == CHANNEL_ITEM) {
        struct slice_item *item = mem_zero(1, sizeof *item);
        item->is_partitions = true;
        (void)!listing_next(parts->listing, &place, &item->partitions, &item->err);
        if (channel_send(parts->flow->items, item, NULL)) continue;
        slice_item_free(item);
        return;
    }
}

static void ask(struct flow_partitions *parts)
{
    parts->is_asked = channel_send(parts->wants, parts, parts->flow->cancel);
}

int flow_partitions_start(struct flow *flow, struct err *err)
{
    struct flow_partitions *parts = flow->partitions;
    const struct sync_context *sync = flow->sync;
    int rc;
    if (flow->plan->stream->parent.stream) {
        parts->listing = parents_listing(sync->parents, flow->plan->stream, parts->parent_cursor, parts->mark_us, flow->cancel);
        parts->wants = channel_new(1);
        rc = thread_start(&parts->thread, "parents", feed, parts, FEEDER_STACK, err);
        if (rc == 0) ask(parts);
        return rc;
    }
    struct request_source source = sync_source(sync, flow->plan->stream);
    struct functions functions = {0};
    struct slice_item item = {.is_partitions = true, .partitions = mem_zero(1, sizeof *item.partitions)};
    item.partitions->known = STATE_INIT(&item.partitions->arena);
    if (sync->description->has_functions) connector_functions_new(sync->sources, sync->connector_options, &functions);
    source.functions = sync->description->has_functions ? &functions : NULL;
    rc = partitions_of_lists(&source, &item.partitions->arena, &item.partitions->list, err);
    if (source.functions) connector_functions_free(&functions);
    if (rc == 0) rc = flow_partitions_take(flow, &item, err);
    partition_chunk_free(item.partitions);
    return rc;
}

void flow_partitions_stop(struct flow *flow)
{
    struct flow_partitions *parts = flow->partitions;
    struct slice_item *item;
    if (!parts || !parts->wants) return;
    channel_close(parts->wants);
    thread_join(&parts->thread);
    while ((item = channel_take(flow->items)) != NULL) slice_item_free(item);
    while (channel_take(parts->wants)) continue;
}

void flow_partitions_free(struct flow *flow)
{
    struct flow_partitions *parts = flow->partitions;
    if (!parts) return;
    for (size_t i = 0; i < parts->slot_room; i++) {
        if (!parts->slots[i]) continue;
        boundary_release(&parts->slots[i]->boundary);
        arena_release(&parts->slots[i]->arena);
        free(parts->slots[i]);
    }
    if (parts->wants) channel_free(parts->wants);
    free(parts->slots);
    map_release(&parts->begun);
    partition_chunk_free(parts->chunk);
}

/* --- parts that come ----------------------------------------------------------------------------------------------------- */

/* What the state says of a page's parts, by key. */
static int look_up(struct flow *flow, struct partition_chunk *chunk, struct err *err)
{
    size_t count = chunk->list.count;
    if (!flow->sync->writer->find_state || count == 0) return 0;
    const char **ids = arena_array(&chunk->arena, const char *, count);
    for (size_t i = 0; i < count; i++) ids[i] = chunk->list.items[i].id;
    flow->resting_until_ms = 0; /* the connection is open again */
    flow_note_use(flow);
    int rc = flow->sync->writer->find_state(flow->writer, flow_stream(flow), ids, count, &chunk->known, err);
    flow->commit_failed = rc != 0;
    return rc;
}

static const char *stored_state(const struct flow *flow, const struct partition_chunk *chunk, const char *id)
{
    const struct state *state = flow->sync->writer->find_state ? &chunk->known : &flow->state;
    return state_get(state, flow_stream(flow), id, STATE_PARTITION);
}

static void note_slot(const struct flow *flow, uint32_t index, struct map *seen)
{
    const struct slot *slot = flow->partitions->slots[index];
    map_set(seen, str_from(flow->windows.slices[index].id), flow->partitions);
    for (size_t i = 0; i < slot->member_count; i++) map_set(seen, str_from(slot->members[i]), flow->partitions);
}

/* Leaves those out that this plan has read, and those that come twice: in this page, or behind one in hand. */
static int drop_known(struct flow *flow, struct partition_chunk *chunk, struct err *err)
{
    struct map seen = MAP_INIT;
    struct partition_state state;
    size_t kept = 0;
    int rc = 0;
    for (uint32_t i = 0; i < flow->windows.slice_count; i++)
        if (!assembly_is_free(flow->assembly, i)) note_slot(flow, i, &seen);
    for (size_t i = 0; rc == 0 && i < chunk->list.count; i++) {
        const struct partition *partition = &chunk->list.items[i];
        const char *stored = stored_state(flow, chunk, partition->id);
        bool is_known =
            map_get(&seen, str_from(partition->id)) != NULL || map_get(&flow->partitions->begun, str_from(partition->id));
        if (!is_known && stored && (rc = partition_state_parse(stored, &chunk->arena, &state, err)) == 0)
            is_known = state.plan && strcmp(state.plan, flow->partitions->mark) == 0;
        map_set(&seen, str_from(partition->id), chunk);
        if (!is_known) chunk->list.items[kept++] = *partition;
    }
    chunk->list.count = kept;
    map_release(&seen);
    return rc;
}

/* Parts that an interrupted run began, and that are no more: what is held of them goes. */
static void give_up_missing(struct flow *flow)
{
    for (size_t i = 0; i < flow->state.count; i++) {
        const struct state_entry *entry = &flow->state.entries[i];
        bool is_position = strcmp(entry->stream, flow_stream(flow)) == 0 && strcmp(entry->kind, "position") == 0;
        if (is_position && !map_get(&flow->partitions->begun, str_from(entry->slice)))
            assembly_give_up(flow->assembly, entry->slice);
    }
}

static void no_more(struct flow *flow)
{
    flow->partitions->has_ended = true;
    give_up_missing(flow);
    assembly_opened_all(flow->assembly);
}

int flow_partitions_take(struct flow *flow, struct slice_item *item, struct err *err)
{
    struct flow_partitions *parts = flow->partitions;
    int rc = item->err.class ? err_copy(err, &item->err) : 0;
    parts->is_asked = false;
    if (rc == 0 && !item->partitions) no_more(flow);
    if (rc != 0 || !item->partitions) return rc;
    if ((rc = look_up(flow, item->partitions, err)) == 0) rc = drop_known(flow, item->partitions, err);
    if (rc != 0) return rc;
    partitions_batch(&flow->plan->stream->parent, &item->partitions->arena, &item->partitions->list);
    partition_chunk_free(parts->chunk);
    parts->chunk = item->partitions;
    item->partitions = NULL;
    parts->next = 0;
    return 0;
}

static void make_room(struct flow *flow, size_t count)
{
    struct flow_partitions *parts = flow->partitions;
    if (count <= flow->slice_room && parts->slots) return;
    size_t room = count * 2 + 64;
    struct slice_position *positions = arena_array(&flow->arena, struct slice_position, room);
    struct slice **running = arena_array(&flow->arena, struct slice *, room);
    unsigned char *resets = arena_array(&flow->arena, unsigned char, room);
    struct window_slice *slices = arena_array(&flow->arena, struct window_slice, room);
    size_t used = flow->windows.slice_count;
    if (used) {
        memcpy(positions, flow->positions, used * sizeof *positions);
        memcpy(running, flow->running, used * sizeof(struct slice *));
        memcpy(resets, flow->resets, used * sizeof *resets);
        memcpy(slices, flow->windows.slices, used * sizeof *slices);
    }
    parts->slots = mem_resize(parts->slots, room * sizeof(struct slot *));
    memset(parts->slots + parts->slot_room, 0, (room - parts->slot_room) * sizeof(struct slot *));
    parts->slot_room = flow->slice_room = room;
    flow->positions = positions;
    flow->running = running;
    flow->resets = resets;
    flow->windows.slices = slices;
}

/* Fills a slot of its own with what the state says of the part, and with its window. */
static int know(struct flow *flow, const struct partition *partition, struct slot *slot, struct window_slice *window,
                bool *is_empty, struct err *err)
{
    const struct stream_description *stream = flow->plan->stream;
    const char *stored = stored_state(flow, flow->partitions->chunk, partition->id);
    struct partition_state state = {0};
    struct window_plan windows;
    int rc = stored ? partition_state_parse(stored, &slot->arena, &state, err) : 0;
    if (rc != 0) return rc;
    bool counts = state.cursor && flow->plan->keep_cursor && flow->plan->sync_mode == SYNC_INCREMENTAL && !flow->begins_anew;
    slot->cursor = counts ? state.cursor : "";
    slot->boundary_is_known = counts && state.keys && boundary_from_text(&slot->boundary, str_from(state.keys));
    struct request_source source = sync_source(flow->sync, stream);
    source.cursor_value = str_from(slot->cursor);
    source.now_us = flow->partitions->mark_us;
    if ((rc = request_plan(&source, &slot->arena, &windows, err)) != 0) return rc;
    *is_empty = windows.slice_count == 0;
    if (!*is_empty) *window = windows.slices[0];
    window->id = arena_strdup(&slot->arena, partition->id);
    slot->members = arena_array(&slot->arena, const char *, partition->member_count + 1);
    slot->member_count = partition->member_count;
    for (size_t i = 0; i < slot->member_count; i++) slot->members[i] = arena_strdup(&slot->arena, partition->members[i]);
    char *texts = arena_alloc(&slot->arena, partition->values.size + partition->parent.size + 2 * JSONSCAN_PADDING);
    slot->values = (struct str){texts, partition->values.size};
    slot->parent = (struct str){texts + partition->values.size + JSONSCAN_PADDING, partition->parent.size};
    if (partition->values.size) memcpy(texts, partition->values.data, partition->values.size);
    if (partition->parent.size)
        memcpy(texts + partition->values.size + JSONSCAN_PADDING, partition->parent.data, partition->parent.size);
    return 0;
}

static int open_part(struct flow *flow, const struct partition *partition, uint32_t *index, bool *is_empty, struct err *err)
{
    struct flow_partitions *parts = flow->partitions;
    struct slot *slot = mem_zero(1, sizeof *slot);
    struct window_slice window = {.from = "", .to = ""};
    struct slice_position position = {0};
    const char *left = state_get(&flow->state, flow_stream(flow), partition->id, "position");
    int rc = know(flow, partition, slot, &window, is_empty, err);
    if (rc == 0 && left) rc = slice_position_parse(left, &slot->arena, &position, err);
    if (partition->member_count) position.page = NULL; /* of others, maybe */
    if (rc == 0 && position.unordered && flow->plan->appends) rc = flow_refuse_unordered(flow, err);
    if (rc != 0) {
        boundary_release(&slot->boundary);
        arena_release(&slot->arena);
        free(slot);
        return rc;
    }
    struct assembly_slice slice = {
        .id = window.id,
        .at_page = position.page != NULL,
        .unordered = position.unordered,
        .cursor = position.cursor,
        .max_cursor = position.max,
        .newest = position.newest,
        .members = slot->members,
        .member_count = slot->member_count,
        .has_position = left != NULL,
        .floor = slot->cursor[0] ? slot->cursor : NULL,
        .cap = window.to[0] ? window.to : NULL,
        .boundary = slot->boundary_is_known ? &slot->boundary : NULL,
    };
    *index = assembly_open(flow->assembly, &slice);
    make_room(flow, *index + 1u);
    if (*index >= flow->windows.slice_count) flow->windows.slice_count = *index + 1u;
    if (parts->slots[*index]) {
        boundary_release(&parts->slots[*index]->boundary);
        arena_release(&parts->slots[*index]->arena);
        free(parts->slots[*index]);
    }
    parts->slots[*index] = slot;
    flow->windows.slices[*index] = window;
    flow->positions[*index] = position;
    flow->resets[*index] = 0;
    /* One that cannot be looked up again must be known here. */
    if (left || !flow->sync->writer->find_state) map_set(&parts->begun, str_from(partition->id), parts);
    for (size_t i = 0; !flow->sync->writer->find_state && i < slot->member_count; i++)
        map_set(&parts->begun, str_from(slot->members[i]), parts);
    if (left && !position.page) assembly_restart(flow->assembly, *index);
    return 0;
}

int flow_partitions_next(struct flow *flow, uint32_t *index, struct err *err)
{
    struct flow_partitions *parts = flow->partitions;
    for (;;) {
        if (!parts->chunk) return 0;
        if (parts->next == parts->chunk->list.count) {
            partition_chunk_free(parts->chunk);
            parts->chunk = NULL;
            if (parts->wants)
                ask(parts);
            else
                no_more(flow);
            return 0;
        }
        bool is_empty = false;
        int rc = open_part(flow, &parts->chunk->list.items[parts->next++], index, &is_empty, err);
        if (rc != 0 || !is_empty) return rc ? rc : 1;
        assembly_finish(flow->assembly, *index); /* the source can have nothing new there */
        parts->finished++;
    }
}

bool flow_partitions_wait(const struct flow *flow)
{
    return flow->partitions && flow->partitions->is_asked;
}

void flow_partitions_finished(struct flow *flow)
{
    if (flow->partitions) flow->partitions->finished++;
}

bool flow_partitions_fill_load(const struct flow *flow)
{
    return flow->partitions && flow->partitions->finished >= FINISHED_PER_LOAD;
}

void flow_partitions_committed(struct flow *flow)
{
    if (flow->partitions) flow->partitions->finished = 0;
}

void flow_partitions_describe(const struct flow *flow, uint32_t index, struct slice_options *options)
{
    if (!flow->partitions) return;
    const struct slot *slot = flow->partitions->slots[index];
    options->values = slot->values;
    options->parent = slot->parent;
    options->cursor_value = slot->cursor;
    options->boundary = slot->boundary_is_known ? &slot->boundary : NULL;
}
