/* overwrite: replaces a table as a whole. COMMIT.md rule 12: the build takes the target's name in one transaction. That is only
 * done to a table that carries nothing but what sluice made; anything else (an index, a view, a trigger..) would silently be
 * lost or broken, so it is refused with its name and the remedy. Owner, grants and storage options are carried over. */
#ifndef SLUICE_WRITER_POSTGRES_OVERWRITE_H
#define SLUICE_WRITER_POSTGRES_OVERWRITE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* SCHEMA when the target carries things of others. */
int pgw_overwrite_check(struct pg *pg, const struct table *table, struct err *err) MUST_USE;

/* Guards against shrinking (SCHEMA, *shrank), carries over what belongs to the target, and drops it. */
int pgw_overwrite_drop_target(struct transaction *tx, const struct table *table, bool *shrank, struct err *err) MUST_USE;

#endif
