/* block: page memory. A reference-counted piece of bytes, and the budget of one sync that all of them are taken from.
 *
 * A page is fetched into a block; the batches decoded from it point into it and hold a reference; the last release gives the
 * bytes back to the budget. That is the back-pressure: when the budget is used up, budget_reserve makes the fetching thread
 * wait until a commit has freed something, and budget_is_short tells the writer to commit early.
 *
 * Thread-safe: counts are atomic, the budget has its own lock. */
#ifndef SLUICE_DATA_BLOCK_H
#define SLUICE_DATA_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget; /* bytes in use and their limit, of one sync */

struct budget *budget_new(size_t limit_bytes);
void budget_free(struct budget *budget);

/* Waits until `bytes` fit below the limit (a request larger than the limit waits for an empty budget), then takes them.
 * Returns false when `stop` (may be NULL) came true while waiting; it is asked at least every 100 ms. */
bool budget_reserve(struct budget *budget, size_t bytes, bool (*stop)(void *context), void *context);
/* Takes bytes without waiting, also past the limit: for memory whose need shows while a page is in hand, whose own caps
 * bound the excess. */
void budget_charge(struct budget *budget, size_t bytes);
void budget_return(struct budget *budget, size_t bytes);
bool budget_is_short(struct budget *budget); /* somebody waits, or less than an eighth is left */
size_t budget_used(struct budget *budget);
size_t budget_peak(struct budget *budget);

struct block {
    struct budget *budget; /* NULL: not counted */
    char *data;            /* `capacity` bytes, and 64 readable zero bytes behind `size` for vectorised readers */
    size_t size;
    size_t capacity; /* charged to the budget */
    int references;  /* atomic */
};

enum { BLOCK_PADDING = 64 };

/* A block of one reference with room for `capacity` bytes, charged to `budget` without waiting. Never NULL. */
struct block *block_new(struct budget *budget, size_t capacity);
/* Makes room for `capacity` bytes; charges the difference. Only while there is one reference. */
void block_grow(struct block *block, size_t capacity);
/* Zeroes the padding behind size and gives unused capacity over a quarter back. Call once when the content is complete. */
void block_seal(struct block *block);
struct block *block_hold(struct block *block); /* one more reference; returns its argument */
void block_release(struct block *block);       /* NULL is fine */

#endif
