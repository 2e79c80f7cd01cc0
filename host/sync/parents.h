/* parents: listings of parent streams, each read once in a sync, for all streams that are read for their records.
 *
 * A listing goes on when somebody needs more of it: nobody reads ahead, so slow children hold it back. With several children
 * the fastest reads the source, and what it has read waits in a file for the others; children share a listing when they ask for
 * the same parents: all, or those that changed since the same moment.
 *
 *     listing = parents_listing(sync->parents, stream, from, until_us);
 *     while ((rc = listing_next(listing, &place, &chunk, err)) > 0) ... partition_chunk_free(chunk);
 *
 * Thread-safe. Errors of the source are everybody's who comes to that place. */
#ifndef SLUICE_SYNC_PARENTS_H
#define SLUICE_SYNC_PARENTS_H

#include "data/state.h"
#include "rest/partitions.h"
#include "sync/context.h"
#include "sync/plan.h"

/* The parents of a page. */
struct partition_chunk {
    struct arena arena;
    struct partition_list list;
    struct state known; /* what the state says of them */
};

void partition_chunk_free(struct partition_chunk *chunk); /* NULL is fine */

struct parents;
struct listing;

struct parents *parents_new(const struct sync_context *sync, const struct sync_plan *plan);
void parents_free(struct parents *parents); /* with its listings; NULL is fine */

/* The listing of the parents of `stream` (its child): all, or those that changed after `from` (canonical; "": all), up to
 * `until_us`. It belongs to `parents`. `cancel`: the flow's, which ends the reading when it is the only one. */
struct listing *parents_listing(struct parents *parents, const struct stream_description *stream, const char *from,
                                int64_t until_us, struct cancel *cancel);

/* The chunk at *place, which starts at 0 and moves on. 1, 0 behind the last, or a class. */
int listing_next(struct listing *listing, uint64_t *place, struct partition_chunk **chunk, struct err *err) MUST_USE;

#endif
