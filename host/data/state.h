/* state: what is remembered of a flow, as keyed entries (see the commit protocol, rule 2).
 *
 * The key is (stream, slice, kind) inside one flow of one pipeline. Values are small JSON or plain text, exact, never numbers
 * that went through a double. A commit writes a delta: the entries that changed, and tombstones for those that are gone.
 *
 *     struct state state = STATE_INIT(&arena);
 *     state_set(&state, "orders", "", "cursor", "2024-01-15T10:00:00Z");
 *     struct state delta = STATE_INIT(&load_arena);
 *     state_set(&delta, "orders", "7", "position", NULL);       // a tombstone
 *     ... commit the delta ...
 *     state_apply(&state, &delta);
 *
 * Entries keep the order in which their keys came. Looking one up takes the same time among ten and among a million. A value
 * set again and again reuses its memory, so a state does not grow with the length of a sync. One thread at a time. */
#ifndef SLUICE_DATA_STATE_H
#define SLUICE_DATA_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

struct state_entry {
    const char *stream; /* "" for the flow itself */
    const char *slice;  /* "" for the stream as a whole */
    const char *kind;   /* "cursor", "plan", "position", "schema" */
    const char *value;  /* NULL: a tombstone, the entry goes */
};

struct state_index;

struct state {
    struct arena *arena; /* owns the texts and what is below */
    struct state_entry *entries;
    size_t count;
    size_t capacity;
    struct state_index *index; /* finds entries by key */
};

#define STATE_INIT(arena_pointer) ((struct state){.arena = (arena_pointer)})

/* Sets an entry, replacing an older one of the same key. Texts are copied; value NULL sets a tombstone. */
void state_set(struct state *state, const char *stream, const char *slice, const char *kind, const char *value);
/* The value, NULL when absent or a tombstone. Valid until the same key is set again. */
const char *state_get(const struct state *state, const char *stream, const char *slice, const char *kind);
/* Applies a delta to a full state: sets its values, removes what it has tombstones for. */
void state_apply(struct state *state, const struct state *delta);

#endif
