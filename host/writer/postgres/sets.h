/* sets: rows exploded from one record, replaced as a whole (struct table_spec.set). For append_dedup tables that have them.
 *
 * Side tables carry `_sluice_set`, the arrival number of the first row of a row's set; null is a row that only says its set is
 * empty. A version of a set is as old as its cursor, ties by arrival; the newest is all there is of it. */
#ifndef SLUICE_WRITER_POSTGRES_SETS_H
#define SLUICE_WRITER_POSTGRES_SETS_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* Does the table at `place` carry `_sluice_set`? */
bool pgw_sets_has_column(const struct table *table, enum place place);

/* Leaves the newest version of each set in `source` (a build, a stage or what merge_begin made). *removed: rows that went. */
int pgw_sets_keep_newest(struct transaction *tx, const struct table *table, const char *source, uint64_t *removed,
                         struct err *err) MUST_USE;
/* Takes the rows away that say a set is empty. */
int pgw_sets_drop_empty(struct transaction *tx, const struct table *table, const char *source, struct err *err) MUST_USE;

/* Before a merge of `source` into `target`: leaves the newest versions, without those that the target has newer; marks the
 * target's rows of these sets as deleted that are not in them; takes the empty ones away. What is the same is not touched.
 * *removed: rows that went from `source`; *deleted: rows marked. */
int pgw_sets_replace(struct transaction *tx, const struct table *table, const char *source, const char *target,
                     uint64_t *removed, uint64_t *deleted, struct err *err) MUST_USE;

#endif
