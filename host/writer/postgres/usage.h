/* usage: how many rows of each table were active in a month, which is what connector vendors bill by.
 *
 * A row that was inserted, changed or marked deleted says when by `_sluice_synced_at`, the newest time only. So a month can be
 * counted exactly as long as nothing of a later one was written: `_sluice.usage` has an open entry (active is null) for each
 * month that a table was written to, and the first load of a new month counts the one before, under the lock of merges, before
 * it changes anything. That is one scan of a table a month, and nothing else. Months are UTC's. */
#ifndef SLUICE_WRITER_POSTGRES_USAGE_H
#define SLUICE_WRITER_POSTGRES_USAGE_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* When a flow is opened: what is noted already. */
int pgw_usage_open(struct pg *pg, struct table *table, struct err *err) MUST_USE;
/* Before rows of the table's target are written: closes earlier months, and opens this one. */
int pgw_usage_note(struct transaction *tx, struct table *table, struct err *err) MUST_USE;
/* What was noted counts once it is committed: at the begin of a transaction, and behind its commit. */
void pgw_usage_begin(struct writer *writer);
void pgw_usage_noted(struct writer *writer);

/* As of struct writer_type. */
int pgw_usage(struct destination *destination, const char *month, struct arena *arena, struct usage_row **rows, size_t *count,
              struct err *err) MUST_USE;

#endif
