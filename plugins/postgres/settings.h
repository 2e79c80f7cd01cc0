/* settings: what a pipeline configures, read once. Pure but for the host's `config`. */
#ifndef SLUICE_POSTGRES_SETTINGS_H
#define SLUICE_POSTGRES_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/plugin.h>

#include "postgres/text.h"

struct settings {
    const char *schemas, *tables; /* patterns; never NULL */
    const char *cursors;          /* "orders=updated_at, *=xmin"; NULL */
    const char *lookback;         /* a duration; NULL */
    const char *slot;             /* NULL: tables are read by queries */
    const char *publication;
    bool creates; /* slot and publication, where there are none */
    enum { TRUNCATE_DELETE, TRUNCATE_FAIL, TRUNCATE_IGNORE } on_truncate;
    bool has_one_schema;       /* streams are named without it */
    int64_t wal_warning_bytes; /* 0: none */
    size_t connections;        /* that read one table at the same time, at most */
};

/* CONFIG when something cannot be. */
int settings_read(struct settings *settings, struct sluice_session *session);

/* The column by which `table` (as streams are named) is read incrementally, "xmin" for the transaction's number: of the first
 * entry whose pattern matches, and whose column is_there. NULL: none. A copy to be freed. *refused (may be NULL; a copy
 * likewise): the column of an entry that names this very table, and which is not there. */
char *settings_cursor(const struct settings *settings, const char *table, bool (*is_there)(void *context, const char *column),
                      void *context, char **refused);

#endif
