/* inplace: gives an existing table the rows of a build, and leaves the table itself alone. COMMIT.md rule 12.
 *
 * Rows with a key: what the build does not have is deleted, what differs is written, the rest is neither locked nor written.
 * Without one (or without a unique index on it): all rows are deleted and inserted again. Readers are never kept waiting and
 * see the old rows or the new ones, whichever their snapshot is; who writes to the table waits.
 *
 * Triggers fire and foreign keys act as for anybody's changes, with one exception: a row that others refer to by a foreign key
 * ON DELETE CASCADE, SET NULL or SET DEFAULT is never deleted. A sync must not reach into tables it was not told of, and a
 * source that has lost a record for a day must not take what others keep about it along. */
#ifndef SLUICE_WRITER_POSTGRES_INPLACE_H
#define SLUICE_WRITER_POSTGRES_INPLACE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/merge.h"
#include "writer/postgres/transact.h"

/* Locks the target against writers, for what follows. */
int pgw_inplace_lock(struct transaction *tx, const struct table *table, struct err *err) MUST_USE;

/* Changes the target's rows (table->way says how) and drops the build. counts: `deleted` has all that were deleted. SCHEMA: a
 * constraint, trigger or foreign key of others does not let the rows be changed. */
int pgw_inplace_publish(struct transaction *tx, const struct table *table, struct merge_counts *counts,
                        struct err *err) MUST_USE;

#endif
