/* overwrite: a complete build takes the place of an existing table's rows. COMMIT.md rule 12.
 *
 * A table that carries nothing but what sluice made is replaced: the build gets its name, owner, grants and storage options.
 * One that others have attached things to (attached.h), or whose stream says so, stays and has its rows changed (inplace.h). */
#ifndef SLUICE_WRITER_POSTGRES_OVERWRITE_H
#define SLUICE_WRITER_POSTGRES_OVERWRITE_H

#include "writer/postgres/attached.h"
#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* The way for an existing target as it is now; `why` names what speaks against replacing it, for the log ("" when nothing
 * does). SCHEMA: something on it that no way can handle. Inside a transaction. */
int pgw_overwrite_choose(struct pg *pg, const struct table *table, enum overwrite_way *way, char why[ATTACHED_NAME_SIZE],
                         struct err *err) MUST_USE;

/* The shrink guard: SCHEMA and *shrank when target would lose too large a share of its rows by the build. */
int pgw_overwrite_guard(struct transaction *tx, const struct table *table, bool *shrank, struct err *err) MUST_USE;

/* Makes the build the table; drops the target if there is one. */
int pgw_overwrite_rename(struct transaction *tx, const struct table *table, struct err *err) MUST_USE;

#endif
