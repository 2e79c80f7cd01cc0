/* merge: append_dedup. COMMIT.md rule 11.
 *
 * The newest version of a key wins: by the cursor, ties by arrival; a row with an older cursor never overwrites a newer one.
 * Only keys that are absent or differ are touched: an anti-join finds them first, so that unchanged rows are neither locked nor
 * written. A merge uses its source up: older versions are deleted from it, partial rows completed. */
#ifndef SLUICE_WRITER_POSTGRES_MERGE_H
#define SLUICE_WRITER_POSTGRES_MERGE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

struct merge_counts {
    uint64_t rows; /* = written + unchanged + deduplicated */
    uint64_t written, unchanged, deduplicated;
    uint64_t deleted; /* of those written; and those removed: */
    uint64_t removed; /* rows that a set, a table that was emptied or replaced, no longer has */
};

/* Creates the temporary table rows are merged from, gone at the end of the transaction. `name` gets its quoted name. */
int pgw_merge_begin(struct transaction *tx, const struct table *table, struct buf *name, struct err *err) MUST_USE;

/* Merges the rows of `source` (made by merge_begin, or the stage) into the table's target. */
int pgw_merge_rows(struct transaction *tx, const struct table *table, const char *source, struct merge_counts *counts,
                   struct err *err) MUST_USE;

/* The target's rows become those of the build, which is sealed: absent keys are deleted, then the rest is merged, whatever its
 * cursor. counts->deleted has both kinds of deletions. */
int pgw_merge_replace(struct transaction *tx, const struct table *table, struct merge_counts *counts, struct err *err) MUST_USE;

/* Appends a condition: the build has no row with the key of `row` ("t."), a row of the target. */
void pgw_merge_put_absent(const struct table *table, const char *row, struct buf *sql);

/* One merge at a time into a table, also between pipelines: two in opposite order would deadlock. Until the transaction ends.
 */
int pgw_merge_lock(struct transaction *tx, const struct table *table, struct err *err) MUST_USE;

/* Deletes the older versions from a build, and completes its partial rows. Adds to *removed. */
int pgw_merge_dedup_build(struct transaction *tx, const struct table *table, uint64_t *removed, struct err *err) MUST_USE;

#endif
