/* statestore: the entries of `_sluice.state`. COMMIT.md rule 2.
 *
 * A flow that builds writes pending entries (a null value is a tombstone); the flow itself sees them over the published ones,
 * everybody else does not, until the build is published.
 *
 * Partitions, of which there may be a million, have a table of their own, `_sluice.partitions`, whose rows repeat no names:
 * they are read by key, and go in one statement when their plan is done. */
#ifndef SLUICE_WRITER_POSTGRES_STATESTORE_H
#define SLUICE_WRITER_POSTGRES_STATESTORE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

int pgw_state_load(struct writer *writer, struct state *state, struct err *err) MUST_USE;
/* See writer.h: the entries of partitions, which pgw_state_load leaves out; and those that go when a plan is done. */
int pgw_state_find(struct writer *writer, const char *stream, const char *const *slices, size_t count, struct state *state,
                   struct err *err) MUST_USE;
int pgw_state_sweep(struct writer *writer, struct transaction *tx, const struct state_sweep *sweep, bool is_pending,
                    struct err *err) MUST_USE;
int pgw_state_forget_pending(struct writer *writer, struct transaction *tx, struct err *err) MUST_USE;
int pgw_state_save(struct writer *writer, struct transaction *tx, const struct state *delta, bool is_pending,
                   struct err *err) MUST_USE;
/* `streams`: an array literal; entries of other streams (not chosen now) stay pending, with their builds. */
int pgw_state_publish(struct writer *writer, struct transaction *tx, const char *streams, struct err *err) MUST_USE;

/* SCHEMA when published state names a target that is gone, or another one than the flow has now. */
int pgw_state_check_targets(struct writer *writer, struct pg *pg, struct err *err) MUST_USE;

/* The state commands; see writer.h. */
int pgw_state_read_all(struct destination *destination, struct arena *arena, struct flow_state **flows, size_t *count,
                       struct err *err) MUST_USE;
int pgw_state_change(struct destination *destination, const char *flow, const struct state_entry *entry,
                     struct err *err) MUST_USE;

#endif
