/* truncate: the source's table was emptied (ROW_TRUNCATE, data/batch.h): what came before is gone.
 *
 * Among rows that wait for a merge the mark is a row without a key, so it lives and dies with its slice. A merge that finds one
 * drops what arrived before it, and marks deleted what the target has and the rest does not; readers never see the table
 * without its new rows. A build needs no mark: nobody reads it, and a slice that starts again brings the mark again. Where rows
 * are only appended nothing goes. */
#ifndef SLUICE_WRITER_POSTGRES_TRUNCATE_H
#define SLUICE_WRITER_POSTGRES_TRUNCATE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/rows.h"
#include "writer/postgres/transact.h"

/* May marks stand among the rows of its stage? */
bool pgw_truncate_is_possible(const struct table *table);
/* Appends a column that no row has null, and every mark: "r.id". */
void pgw_truncate_put_is_row(const struct table *table, const char *prefix, struct buf *sql);

/* Lets the stage take the set's marks, if it has any. */
int pgw_truncate_stage(struct transaction *tx, const struct table *table, const struct row_set *set, struct err *err) MUST_USE;
/* Empties the build if the set has a mark, and makes the set begin behind it. Adds the rows that went to *gone, those of the
 * set to *skipped. */
int pgw_truncate_build(struct transaction *tx, const struct table *table, struct row_set *set, uint64_t *gone,
                       uint64_t *skipped, struct err *err) MUST_USE;

/* Deletes what arrived before the newest mark in `source` (quoted), and the marks. *rows: without these. */
int pgw_truncate_source(struct transaction *tx, const struct table *table, const char *source, uint64_t *rows,
                        struct err *err) MUST_USE;
/* Marks what the target has and `source` has not. Adds to *deleted. */
int pgw_truncate_target(struct transaction *tx, const struct table *table, const char *source, uint64_t *deleted,
                        struct err *err) MUST_USE;

#endif
