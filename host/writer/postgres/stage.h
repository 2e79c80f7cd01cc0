/* stage: rows held back of tables that exist, and which slices have any (`_sluice.held`: the slice, and the first arrival
 * number that is not settled; in a build, rows before it passed a publishing checkpoint and survive the slice's restart).
 *
 * `slices` is an array literal of slice ids; NULL means all. */
#ifndef SLUICE_WRITER_POSTGRES_STAGE_H
#define SLUICE_WRITER_POSTGRES_STAGE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* Inserts the slices' rows into the target, in order of arrival. */
int pgw_stage_append(struct transaction *tx, const struct table *table, const char *slices, uint64_t *rows,
                     struct err *err) MUST_USE;
/* Copies them into a table made by merge_begin. */
int pgw_stage_collect(struct transaction *tx, const struct table *table, const char *slices, const char *into, uint64_t *rows,
                      struct err *err) MUST_USE;
/* Deletes them. */
int pgw_stage_delete(struct transaction *tx, const struct table *table, const char *slices, struct err *err) MUST_USE;

/* Deletes what is held of the slices from stage and build: they start again. */
int pgw_stage_restart(struct writer *writer, struct transaction *tx, const struct table *table, const char *slices,
                      uint64_t *rows, struct err *err) MUST_USE;
/* Deletes all rows of the slices, also those a restart would leave alone: their plan was given up. */
int pgw_stage_abandon(struct transaction *tx, const struct table *table, const char *slices, uint64_t *rows,
                      struct err *err) MUST_USE;

/* The books of held slices. settle sets tx->has_held. */
int pgw_stage_hold(struct writer *writer, struct transaction *tx, const char *slice, uint64_t from_seq,
                   struct err *err) MUST_USE;
int pgw_stage_settle(struct writer *writer, struct transaction *tx, const char *slices, struct err *err) MUST_USE;

#endif
