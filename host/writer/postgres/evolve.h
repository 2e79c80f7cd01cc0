/* evolve: makes stages and builds, and adds columns. COMMIT.md rule 9: additive, idempotent, in a transaction of its own before
 * the load's, with a lock timeout of 2 s and retries, the name map in the same transaction. */
#ifndef SLUICE_WRITER_POSTGRES_EVOLVE_H
#define SLUICE_WRITER_POSTGRES_EVOLVE_H

#include "writer/postgres/internal.h"

/* Columns that every table has: "_sluice_synced_at timestamptz" .. */
enum { SYSTEM_COLUMN_COUNT = 3 };
extern const char *const PGW_SYSTEM_DEFINITIONS[SYSTEM_COLUMN_COUNT];

/* Follows each schema up to counts[table], creates what needs[table] asks for and does not exist, and adds missing columns to
 * what does. Does nothing, not even a transaction, when nothing is to be done. */
int pgw_evolve(struct writer *writer, const uint32_t *counts, const bool (*needs)[PLACES], struct err *err) MUST_USE;

/* Appends what an existing target lacks, as ALTER TABLE statements; for looking. */
void pgw_evolve_target(const struct table *table, struct buf *sql);

#endif
