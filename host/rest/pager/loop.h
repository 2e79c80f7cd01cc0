/* loop: notices that a listing goes round. Two kinds of memory, neither of which grows.
 *
 *     if (!trail_add(&trail, hash)) ...      // a token or URL: seen before, at any distance
 *     if (echo_add(&echo, hash)) ...         // a body: the last ones are those before them, once more from end to end
 *
 * A token that comes again is a loop at once. A body may come again by chance (an empty page, a page of one value), so bodies
 * are a loop when a whole period has repeated: the same one twice in a row, or the last n equal to the n before. */
#ifndef SLUICE_REST_PAGER_LOOP_H
#define SLUICE_REST_PAGER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

enum { LOOP_RING = 1000 };

/* The last LOOP_RING hashes find every cycle up to that length at once. One anchor, which moves to the hash in hand whenever
 * their number has doubled, is passed again by a longer cycle, of whatever length (Brent's algorithm). */
struct trail {
    uint64_t ring[LOOP_RING];
    uint64_t count;
    uint64_t anchor, anchor_next; /* a hash met earlier; how many there must be for it to move */
};

/* False when the hash was met before: it is not added then. */
bool trail_add(struct trail *trail, uint64_t hash);

struct echo {
    uint64_t ring[LOOP_RING];
    uint64_t count;
    uint64_t lag, matched; /* how far back the bodies of late are found again, and how many of them */
    uint64_t anchor, anchor_at, anchor_next,
        anchor_lag; /* a body met earlier, which it was, when it moves, how far on it was met */
};

/* True when the bodies have repeated. */
bool echo_add(struct echo *echo, uint64_t hash);

#endif
