/* merge_sql: pieces of the statements that merge.c and sets.c are made of. Prefixes are written before a column's name: "s.".
 */
#ifndef SLUICE_WRITER_POSTGRES_MERGE_SQL_H
#define SLUICE_WRITER_POSTGRES_MERGE_SQL_H

#include "writer/postgres/internal.h"
#include "writer/postgres/transact.h"

/* The column whose newest value wins; NULL: arrival decides. */
const struct table_column *pgw_cursor_column(const struct table *table);

void pgw_put_column(const char *prefix, const struct table_column *column, struct buf *sql);
/* As something to be ordered or compared by. */
void pgw_put_sortable(const char *prefix, const struct table_column *column, struct buf *sql);
/* a.k = b.k AND .. for the primary key. */
void pgw_put_key_join(const struct table *table, const char *a, const char *b, struct buf *sql);

/* Runs a statement that changes rows; `changed` may be NULL. SCHEMA when it has grown past what fits. */
int pgw_run(struct transaction *tx, struct buf *sql, uint64_t *changed, struct err *err) MUST_USE;

#endif
