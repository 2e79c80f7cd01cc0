/* catalog: the tables of the source that a pipeline may read: columns, types, keys, comments. */
#ifndef SLUICE_POSTGRES_CATALOG_H
#define SLUICE_POSTGRES_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "postgres/connection.h"
#include "postgres/settings.h"
#include "postgres/types.h"

struct catalog_column {
    char *name;
    char *title;     /* its comment; NULL */
    char *type_name; /* as SQL writes it: "numeric(12,2)" */
    struct pg_type type;
    int key; /* its place in the key, from 1; 0: none of it */
    bool is_not_null;
    bool is_generated; /* stored; changes do not carry it */
    bool is_indexed;   /* some B-tree begins with it */
};

struct catalog_table {
    char *schema, *name;
    char *stream; /* the name that its stream has */
    char *title;  /* its comment; NULL */
    uint32_t oid;
    char kind;         /* pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table */
    char identity;     /* pg_class.relreplident */
    bool is_logged;    /* changes are in the WAL */
    bool has_children; /* by inheritance: a query of it reads theirs, too */
    struct catalog_column *columns;
    bool is_whole;                  /* all of its columns may be read, those of the system, too */
    struct text hidden;             /* names of columns that may not be read, each ended by a newline */
    size_t column_count, key_count; /* key_count 0: none, or one that may not be read whole */
};

struct catalog {
    struct catalog_table *tables; /* by schema and name */
    size_t count;
    struct pg_type_row *types; /* by oid */
    size_t type_count;
};

/* Reads all that the settings name, or only the table of one stream. For changes (`settings->slot`) a key is what identifies
 * rows in them (REPLICA IDENTITY), and generated columns are left out. A zeroed catalog is empty; release it in any case. */
int catalog_load(struct catalog *catalog, struct connection *connection, const struct settings *settings, const char *stream);
void catalog_release(struct catalog *catalog);

const struct catalog_table *catalog_find(const struct catalog *catalog, const char *stream);
const struct catalog_column *catalog_column(const struct catalog_table *table, const char *name);
/* Is there such a column, readable or not? */
bool catalog_knows(const struct catalog_table *table, const char *name);
/* Reads the types anew: one is used that came later. */
int catalog_load_types(struct catalog *catalog, struct connection *connection);

#endif
