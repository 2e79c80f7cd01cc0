/* replace: a slice that is read as a whole again replaces what is in its range (struct load_slice).
 *
 * Where rows are appended, those of the range are deleted before the new ones come. Where they are merged, those that did not
 * come again are marked deleted, like every deletion in a merge: others' rows may hang on them, and rows that are as before are
 * not touched. Both by the column of the cursor, inside the transaction of the load. */
#ifndef SLUICE_WRITER_POSTGRES_REPLACE_H
#define SLUICE_WRITER_POSTGRES_REPLACE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* Before rows are appended. */
int pgw_replace_delete(struct transaction *tx, const struct table *table, const struct load *load, struct err *err) MUST_USE;
/* After rows were merged from `source` (quoted; NULL: none came). Adds the rows that were marked to *deleted. */
int pgw_replace_mark(struct transaction *tx, const struct table *table, const struct load *load, const char *source,
                     int64_t *deleted, struct err *err) MUST_USE;

/* Pieces of such a statement: "UPDATE target t SET ..", to be followed by a WHERE, */
void pgw_replace_put_mark(const struct transaction *tx, const struct table *table, struct buf *sql);
/* and " AND .." for what is not marked yet nor in `source` (quoted; NULL: whatever is there). */
void pgw_replace_put_rest(const struct table *table, const char *source, struct buf *sql);

#endif
