/* state: see state.h. Entries stand in an array; a table of slots (open addressing, at most half full) holds index + 1 by the
 * hash of the key. Everything is in the arena, which gives nothing back, so room is used again: an entry's key and value have
 * a room each that the next text moves into when it fits, and the rooms of removed entries wait behind the last entry. An
 * outgrown table stays behind in the arena, which at most doubles what the state takes. */
#include "data/state.h"

#include <stdint.h>
#include <string.h>

#include "base/map.h"

enum { FIRST_CAPACITY = 8 };

struct room {
    char *data;
    size_t size;
};

struct rooms {
    struct room key; /* the three texts, one behind the other */
    struct room value;
};

struct state_index {
    uint32_t *slots; /* twice the capacity of the entries, a power of two */
    size_t slot_count;
    struct rooms *rooms; /* by entry; behind the last one those of removed entries */
};

static uint64_t hash_key(const char *stream, const char *slice, const char *kind)
{
    uint64_t parts[] = {hash_bytes(str_from(stream)), hash_bytes(str_from(slice)), hash_bytes(str_from(kind))};
    return hash_bytes((struct str){(const char *)parts, sizeof parts});
}

static bool has_key(const struct state_entry *entry, const char *stream, const char *slice, const char *kind)
{
    return strcmp(entry->slice, slice) == 0 && strcmp(entry->stream, stream) == 0 && strcmp(entry->kind, kind) == 0;
}

/* The slot that holds the key, or the empty one that ends its search. */
static uint32_t *find_slot(const struct state *state, const char *stream, const char *slice, const char *kind)
{
    const struct state_index *index = state->index;
    size_t mask = index->slot_count - 1;
    for (size_t at = hash_key(stream, slice, kind) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &index->slots[at];
        if (*slot == 0 || has_key(&state->entries[*slot - 1], stream, slice, kind)) return slot;
    }
}

static void fill_slots(struct state *state)
{
    memset(state->index->slots, 0, state->index->slot_count * sizeof *state->index->slots);
    for (size_t i = 0; i < state->count; i++) {
        const struct state_entry *entry = &state->entries[i];
        *find_slot(state, entry->stream, entry->slice, entry->kind) = (uint32_t)(i + 1);
    }
}

static void grow(struct state *state)
{
    size_t capacity = state->capacity ? state->capacity * 2 : FIRST_CAPACITY;
    CHECK(capacity < UINT32_MAX / 2);
    struct state_index *index = arena_new(state->arena, struct state_index);
    struct state_entry *entries = arena_array(state->arena, struct state_entry, capacity);
    index->slot_count = capacity * 2;
    index->slots = arena_array(state->arena, uint32_t, index->slot_count);
    index->rooms = arena_array(state->arena, struct rooms, capacity);
    if (state->capacity) {
        memcpy(entries, state->entries, state->capacity * sizeof *entries);
        memcpy(index->rooms, state->index->rooms, state->capacity * sizeof *index->rooms);
    }
    state->entries = entries;
    state->capacity = capacity;
    state->index = index;
    fill_slots(state);
}

static char *make_room(struct state *state, struct room *room, size_t size)
{
    if (size > room->size) {
        size_t wanted = size > room->size * 2 ? size : room->size * 2;
        *room = (struct room){arena_alloc(state->arena, wanted), wanted};
    }
    return room->data;
}

/* `value` may be the entry's own text. */
static void set_value(struct state *state, size_t at, const char *value)
{
    size_t size = value ? strlen(value) + 1 : 0;
    state->entries[at].value = value ? memmove(make_room(state, &state->index->rooms[at].value, size), value, size) : NULL;
}

static void add_entry(struct state *state, const char *stream, const char *slice, const char *kind)
{
    const char *texts[] = {stream, slice, kind};
    size_t sizes[] = {strlen(stream) + 1, strlen(slice) + 1, strlen(kind) + 1};
    char *copies[3];
    char *place = make_room(state, &state->index->rooms[state->count].key, sizes[0] + sizes[1] + sizes[2]);
    for (size_t i = 0; i < 3; i++) {
        copies[i] = memcpy(place, texts[i], sizes[i]);
        place += sizes[i];
    }
    state->entries[state->count++] = (struct state_entry){.stream = copies[0], .slice = copies[1], .kind = copies[2]};
}

void state_set(struct state *state, const char *stream, const char *slice, const char *kind, const char *value)
{
    if (state->count == state->capacity) grow(state);
    uint32_t *slot = find_slot(state, stream, slice, kind);
    if (*slot == 0) {
        add_entry(state, stream, slice, kind);
        *slot = (uint32_t)state->count;
    }
    set_value(state, *slot - 1, value);
}

const char *state_get(const struct state *state, const char *stream, const char *slice, const char *kind)
{
    if (state->count == 0) return NULL;
    uint32_t slot = *find_slot(state, stream, slice, kind);
    return slot ? state->entries[slot - 1].value : NULL;
}

void state_apply(struct state *state, const struct state *delta)
{
    bool removes = false;
    for (size_t i = 0; i < delta->count; i++) {
        const struct state_entry *entry = &delta->entries[i];
        if (entry->value) {
            state_set(state, entry->stream, entry->slice, entry->kind, entry->value);
        } else if (state_get(state, entry->stream, entry->slice, entry->kind)) {
            state_set(state, entry->stream, entry->slice, entry->kind, NULL);
            removes = true;
        }
    }
    if (!removes) return;
    size_t kept = 0;
    for (size_t i = 0; i < state->count; i++) {
        if (!state->entries[i].value) continue;
        struct rooms rooms = state->index->rooms[i];
        state->index->rooms[i] = state->index->rooms[kept];
        state->index->rooms[kept] = rooms;
        state->entries[kept++] = state->entries[i];
    }
    state->count = kept;
    fill_slots(state);
}
