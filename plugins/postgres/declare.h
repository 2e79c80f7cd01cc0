/* declare: tables as streams, in the words of the vocabulary. */
#ifndef SLUICE_POSTGRES_DECLARE_H
#define SLUICE_POSTGRES_DECLARE_H

#include "postgres/catalog.h"

enum { CHANGES_COLUMNS_MAX = 1600 }; /* PostgreSQL's own limit */

/* Are changes to its rows told in a way that a table elsewhere can follow? */
bool table_has_changes(const struct catalog_table *table);
/* May an interrupted reading go on where it stopped (tables.h)? */
bool table_is_resumable(const struct catalog_table *table, int server_version);

/* Once a sync has read up to a value of this cursor, can no row with the same value come any more? Then it is asked for what is
 * above, not for what is there again (table.c). */
bool cursor_is_passed(const struct catalog_column *column);

/* The column by which the settings read a table incrementally, "xmin" for the transaction's number; NULL: none. A copy.
 * *refused (may be NULL; a copy): one that they name for this very table, and that is none to go by. */
char *declare_cursor(const struct catalog_table *table, const struct settings *settings, char **refused);

/* The stream of one table: native, its fields and key, and its cursor. *refused: as declare_cursor. */
void declare_table(struct text *out, const struct catalog_table *table, const struct settings *settings, int server_version,
                   char **refused);
/* The stream `changes`, which feeds all tables that have_changes. */
void declare_changes(struct text *out, const struct catalog *catalog);

#endif
