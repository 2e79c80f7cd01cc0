/* rows: batches into a table by binary COPY.
 *
 * Values go straight from their 16 bytes to the wire. A row that cannot be sent (no key, a value its column cannot hold) is
 * left out and becomes a reject. When the server refused a value before (tx->is_careful), the rows are halved under savepoints
 * until the row is found. */
#ifndef SLUICE_WRITER_POSTGRES_ROWS_H
#define SLUICE_WRITER_POSTGRES_ROWS_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* Rejects found while writing; they live in the transaction's arena. */
struct reject_list {
    struct reject *items;
    size_t count, capacity;
};

/* Some batches of one table, in arrival order. */
struct row_set {
    struct batch **batches;
    const char **slices; /* per batch: its slice's id */
    size_t count;
    size_t rows;
    size_t first; /* rows before it are not copied, see truncate.h */
};

/* What a COPY put in. */
struct rows_copied {
    uint64_t all;
    uint64_t rows; /* of these: without marks (row_is_mark) */
};

/* COPYs `set` into `relation` (quoted). is_side: it has the columns of a stage or build, and those of append_dedup for a table
 * of that mode. Adds to `rejects`. */
int pgw_rows_copy(struct writer *writer, struct transaction *tx, const struct table *table, const char *relation, bool is_side,
                  const struct row_set *set, struct reject_list *rejects, struct rows_copied *copied, struct err *err) MUST_USE;

#endif
