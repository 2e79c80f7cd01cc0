/* state: what is remembered of a flow, as keyed entries (see the commit protocol, rule 2).
 *
 * The key is (stream, slice, kind) inside one flow of one pipeline. Values are small JSON or plain text, exact, never numbers
 * that went through a double. A commit writes a delta: the entries that changed, and tombstones for those that are gone. */
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

struct state {
    struct arena *arena; /* owns the texts */
    struct state_entry *entries;
    size_t count;
    size_t capacity;
};

#define STATE_INIT(arena_pointer) ((struct state){.arena = (arena_pointer)})

/* Sets an entry, replacing an older one of the same key. Texts are copied; value NULL sets a tombstone. */
void state_set(struct state *state, const char *stream, const char *slice, const char *kind, const char *value);
/* The value, NULL when absent or a tombstone. */
const char *state_get(const struct state *state, const char *stream, const char *slice, const char *kind);
/* Applies a delta: sets its values, removes what it has tombstones for. */
void state_apply(struct state *state, const struct state *delta);

#endif
