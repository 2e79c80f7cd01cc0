/* sql_postgres: the store in a PostgreSQL database, for several nodes. */
#include <string.h>

#include "pg/conn.h"
#include "pg/query.h"
#include "service/sql_driver.h"

enum { LOCK_MS = 10000, STATEMENT_MS = 30000 };

/* A database that is away comes back; what it refuses for good does not get better. */
static int failed(const struct pg *pg, int rc, struct err *err)
{
    if (rc == ERR_DESTINATION && (!pg || pg_failure(pg) != PG_FAILED)) err->class = rc = ERR_TRANSIENT;
    return err_context(err, "the service's store");
}

static int postgres_open(const struct sql_settings *settings, void **out, struct err *err)
{
    struct pg *pg = NULL;
    const struct pg_settings options = {
        .url = settings->url, .application_name = "sluice serve", .cancel = settings->cancel, .secrets = settings->secrets};
    int rc = pg_open(&options, &pg, err);
    if (rc) return failed(NULL, rc, err);
    *out = pg;
    return 0;
}

static void postgres_close(void *connection)
{
    pg_close(connection);
}

static bool postgres_is_usable(const void *connection)
{
    return pg_usable(connection);
}

static int postgres_run(void *connection, const char *text, const char *const *params, size_t count, struct sql_rows *rows,
                        uint64_t *changed, struct err *err)
{
    struct pg_result *result;
    int rc = pg_query(connection, text, params, count, &result, err);
    if (rc == 0 && rows) {
        rows->count = pg_rows(result);
        rows->columns = pg_columns(result);
        rows->cells = arena_array(&rows->arena, const char *, rows->count * rows->columns + 1);
        for (size_t i = 0; i < rows->count * rows->columns; i++)
            rows->cells[i] = arena_strdup(&rows->arena, pg_cell(result, i / rows->columns, i % rows->columns));
    }
    if (rc == 0 && changed) *changed = pg_changed(result);
    pg_free(result);
    return rc ? failed(connection, rc, err) : 0;
}

static int postgres_begin(void *connection, struct err *err)
{
    const struct pg_limits limits = {.lock_ms = LOCK_MS, .statement_ms = STATEMENT_MS};
    int rc = pg_begin(connection, &limits, err);
    return rc ? failed(connection, rc, err) : 0;
}

static int postgres_commit(void *connection, struct err *err)
{
    bool is_unknown;
    int rc = pg_commit(connection, &is_unknown, err);
    return rc ? failed(connection, rc, err) : 0;
}

static void postgres_rollback(void *connection)
{
    pg_rollback(connection);
}

const struct sql_driver SQL_POSTGRES = {
    .prefix = "sluice_service.",
    .now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    .id = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    .skip = "FOR UPDATE SKIP LOCKED",
    .open = postgres_open,
    .close = postgres_close,
    .is_usable = postgres_is_usable,
    .run = postgres_run,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
};
