/* stage: rows held back of tables that exist, and which slices have any (`_sluice.held`: the slice, and the first arrival
 * number that is not settled; in a build, rows before it passed a publishing checkpoint and survive the slice's restart).
 *
 * An unlogged stage costs no WAL, and a crash of the server empties it. So `_sluice.builds` (which is logged) counts the rows
 * that wait in each, and pgw_stage_check looks whether they are there still.
 *
 * `slices` is an array literal of slice ids; NULL means all. */
#ifndef SLUICE_WRITER_POSTGRES_STAGE_H
#define SLUICE_WRITER_POSTGRES_STAGE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/rows.h"
#include "writer/postgres/transact.h"

/* May this flow's stages be unlogged? Only if what is lost of them is read again: no state names a position behind their rows,
 * and they do not wait for a build, which may have settled them. */
bool pgw_stage_is_volatile(const struct writer *writer);

/* Has a crash of the server emptied the stage? *lost is set to what waited there. DESTINATION when some of them are of
 * slices that this load does not start again (`restarted`, `abandoned`: array literals, or NULL): the sync must end, the next
 * one reads them again. Call it before a transaction adds to the stage or publishes from it. */
int pgw_stage_check(struct writer *writer, struct transaction *tx, const struct table *table, const char *restarted,
                    const char *abandoned, struct rows_copied *lost, struct err *err) MUST_USE;
/* Counts rows that were put into the stage, or taken out of it (-1). */
int pgw_stage_count(struct transaction *tx, const struct table *table, const struct rows_copied *rows, int sign,
                    struct err *err) MUST_USE;

/* Inserts the slices' rows of the stage (or of the build) into the target, in order of arrival, without those that
 * only say a set is empty. */
int pgw_stage_append(struct transaction *tx, const struct table *table, enum place from, const char *slices, uint64_t *rows,
                     struct err *err) MUST_USE;
/* Copies them into a table made by merge_begin. */
int pgw_stage_collect(struct transaction *tx, const struct table *table, const char *slices, const char *into,
                      uint64_t *collected, struct err *err) MUST_USE;
/* Deletes them. */
int pgw_stage_delete(struct transaction *tx, const struct table *table, const char *slices, struct err *err) MUST_USE;

/* Deletes what is held of the slices from stage and build: they start again. */
int pgw_stage_restart(struct writer *writer, struct transaction *tx, const struct table *table, const char *slices,
                      uint64_t *rows, struct err *err) MUST_USE;
/* Deletes all rows of the slices, also those a restart would leave alone: their plan was given up. */
int pgw_stage_abandon(struct transaction *tx, const struct table *table, const char *slices, uint64_t *rows,
                      struct err *err) MUST_USE;

/* Drops the stages and builds of the flow's streams that are not chosen now, and books their rows as discarded. For the load
 * that takes these streams out of the state: when they are chosen again the flow is read anew, and old rows must not be there.
 */
int pgw_stage_drop_others(struct writer *writer, struct transaction *tx, struct err *err) MUST_USE;

/* The books of held slices. settle sets tx->has_held. */
int pgw_stage_hold(struct writer *writer, struct transaction *tx, const char *slice, uint64_t from_seq,
                   struct err *err) MUST_USE;
int pgw_stage_settle(struct writer *writer, struct transaction *tx, const char *slices, struct err *err) MUST_USE;

#endif
