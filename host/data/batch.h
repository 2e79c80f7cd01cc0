/* batch: many rows of one stream and one slice, with everything their values point into.
 *
 * Rows are row-major arrays of values over the first `columns` columns of the schema, so that a schema that grew meanwhile
 * does not matter: a column past `columns` is null in these rows. A batch holds references to the page blocks its values
 * point into, and an arena for what had to be rewritten (unescaped strings). It is made by one decode thread, handed through
 * a channel, and released by the writer thread once its load's outcome is known. */
#ifndef SLUICE_DATA_BATCH_H
#define SLUICE_DATA_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/block.h"
#include "data/schema.h"
#include "data/value.h"

struct batch_texts; /* the arena, shared by the parts of a batch that was split */

/* Rows exploded from one record are a set, which replaces the set that its earlier versions gave: ROW_FIRST begins one, upserts
 * behind it belong to it. ROW_EMPTY is no row: it has the values that name a set, of which nothing is left. A set is never
 * parted by a load, but may go on in the next batch of its stream and slice.
 *
 * ROW_TRUNCATE is no row either: all rows of the table that came before it are gone. Its values are null. */
enum row_operation { ROW_UPSERT = 0, ROW_DELETE = 1, ROW_FIRST = 2, ROW_EMPTY = 3, ROW_TRUNCATE = 4 };

/* Does it stand for a row, or only say something about others? */
static inline bool row_is_mark(uint8_t operation)
{
    return operation == ROW_EMPTY || operation == ROW_TRUNCATE;
}

struct batch {
    const struct schema *schema;
    uint32_t stream; /* index of the stream in its flow */
    uint32_t slice;  /* index of the slice in its flow's plan */
    uint32_t columns;
    size_t rows;
    size_t marks; /* of these: no rows (row_is_mark) */
    size_t row_capacity;
    struct value *values;    /* rows * columns */
    uint8_t *operations;     /* rows; enum row_operation */
    uint64_t first_sequence; /* arrival number of the first row, given by the flow; `_sluice_seq` */
    struct arena *arena;     /* texts that are not in a block: belongs to `texts` */
    struct batch_texts *texts;
    struct block *blocks[8]; /* referenced pages */
    size_t block_count;
    struct budget *budget;
    size_t charged; /* bytes of values and operations charged to the budget; the arena's are counted in `texts` */
};

/* An empty batch for `columns` columns, its memory charged to `budget`. */
struct batch *batch_new(struct budget *budget, const struct schema *schema, uint32_t columns);
void batch_free(struct batch *batch); /* releases the blocks too; NULL is fine */

/* Keeps `block` alive as long as the batch. False when the batch holds as many as it can and not this one: start another. */
bool batch_hold(struct batch *batch, struct block *block) __attribute__((warn_unused_result));

/* A new row whose values are all NULL; valid until the next call. The arena's growth is charged on the way. */
struct value *batch_add_row(struct batch *batch, enum row_operation operation);
/* Takes the newest row back. */
void batch_drop_row(struct batch *batch);
/* Makes every row `columns` columns wide (not fewer than now), the new ones NULL. Moves all rows: for small batches. */
void batch_widen(struct batch *batch, uint32_t columns);
/* No more rows: gives unused memory back and charges all that the arena has become. */
void batch_seal(struct batch *batch);
const struct value *batch_row(const struct batch *batch, size_t row);

/* Splits: the first `rows` rows stay, the rest become a new batch that shares the blocks. The texts in the arena stay with
 * the first batch, so the second holds it: the two are freed in any order. Returns NULL when nothing is left over. */
struct batch *batch_split(struct batch *batch, size_t rows);

size_t batch_bytes(const struct batch *batch); /* what it keeps from the budget, blocks included */

#endif
