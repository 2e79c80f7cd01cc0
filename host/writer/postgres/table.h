/* table: what is there of one stream's table: the target, the stage, the build, and how fields map to columns.
 *
 * The name map lives in `_sluice.schema_changes` and only grows, so the order in which fields arrive never renames a column. A
 * table sluice did not make is adopted: a field takes the column of its exact name if the type is right. */
#ifndef SLUICE_WRITER_POSTGRES_TABLE_H
#define SLUICE_WRITER_POSTGRES_TABLE_H

#include "writer/postgres/internal.h"

/* Finds out all of it, inside a transaction, and adds the columns the table is known to have to the stream's schema. SCHEMA:
 * the target is no table, has another type for a declared column, a column nobody would fill, or lacks the unique key that
 * append_dedup needs. */
int pgw_table_open(struct writer *writer, struct pg *pg, struct table *table, struct err *err) MUST_USE;

/* Gives names to the schema's columns up to `count`. SCHEMA: a declared field whose column has another type. */
int pgw_table_follow(struct writer *writer, struct table *table, uint32_t count, struct err *err) MUST_USE;

/* Has the target a unique index on the stream's key, one that ON CONFLICT can use? Inside a transaction. */
int pgw_table_has_unique_key(struct pg *pg, const struct table *table, bool *has_key, struct err *err) MUST_USE;

bool pgw_table_lacks_column(const struct table *table, enum place place, uint32_t column);

void pgw_table_release(struct table *table);
void pgw_relation_forget(struct relation *relation); /* it is gone */

const char *pgw_column_type_sql(enum type type); /* "timestamptz" */

#endif
