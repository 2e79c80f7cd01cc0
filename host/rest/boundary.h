/* boundary: which records share the newest cursor value, as a set of hashes of their keys.
 *
 * A source that is asked for what is at or above the stored cursor sends the records of that value again, and with them those
 * that came since. Where rows are appended, only the keys tell the two apart.
 *
 *     boundary_clear(&boundary);                    // a newer value came
 *     boundary_add(&boundary, key);                 // a record that has it
 *     boundary_to_text(&boundary, &text);           // into the state; the next run: boundary_from_text, boundary_has
 *
 * At most BOUNDARY_MAX_KEYS are remembered; of more it is only known that there were too many. One thread at a time. */
#ifndef SLUICE_REST_BOUNDARY_H
#define SLUICE_REST_BOUNDARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum { BOUNDARY_MAX_KEYS = 10000, BOUNDARY_TEXT_MAX = 16 * BOUNDARY_MAX_KEYS };

struct boundary {
    uint64_t *keys;
    size_t count, capacity;
    bool is_sorted; /* and each key is there once */
    bool too_many;
};

void boundary_add(struct boundary *boundary, uint64_t key);
void boundary_add_all(struct boundary *boundary, const uint64_t *keys, size_t count, bool too_many);
/* Is it one of those that boundary_from_text gave? */
bool boundary_has(const struct boundary *boundary, uint64_t key);
void boundary_clear(struct boundary *boundary);   /* forgets the keys, keeps the memory */
void boundary_release(struct boundary *boundary); /* NULL in it is fine */

/* Each key once, in rising order, 16 hexadecimal digits each; "*" for too many. */
void boundary_to_text(struct boundary *boundary, struct buf *text);
/* Replaces what it holds. False when the text is not one of these. */
bool boundary_from_text(struct boundary *boundary, struct str text);

#endif
