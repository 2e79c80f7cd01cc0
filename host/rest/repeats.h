/* repeats: drops the records of a page that came before, word for word: what a source gives again where one page, or one query,
 * begins at the value the one before it ended with (pages_overlap).
 *
 *     repeats_lap(&repeats, page->lap);
 *     if (repeats_knows(&repeats, record)) ...        // the record is one of the lap before
 *
 * Records are known by a hash of their text, for one lap: a record that changed meanwhile is another one, and is kept. Memory:
 * 16 to 32 bytes for each record of two laps. */
#ifndef SLUICE_REST_REPEATS_H
#define SLUICE_REST_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "rest/hash_set.h"

struct repeats {
    uint64_t lap;
    struct hash_set before, here; /* of the lap before, and of this one */
};

void repeats_lap(struct repeats *repeats, uint64_t lap); /* a page of this lap begins */
/* Was the record in the lap before? If not, it is of this one. */
bool repeats_knows(struct repeats *repeats, struct str record);
void repeats_release(struct repeats *repeats);

#endif
