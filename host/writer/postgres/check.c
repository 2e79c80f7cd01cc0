/* How it works: each step runs in a transaction that is rolled back, so rights are proved by use and not by reading catalogs.
 */
#include "writer/postgres/check.h"

static const struct pg_limits CHECK_LIMITS = {.lock_ms = 5000, .statement_ms = 30000};

struct checker {
    struct destination *destination;
    writer_report *report;
    void *context;
};

static void tell(const struct checker *checker, bool ok, const char *what, const char *detail)
{
    checker->report(checker->context, &(struct writer_finding){.ok = ok, .what = what, .detail = detail});
}

/* Statements in a transaction of their own, undone. */
static bool try_statements(const struct checker *checker, const char *what, const char *sql)
{
    struct pg *pg = checker->destination->pg;
    struct err failure = ERR_INIT;
    int rc = pg_begin(pg, &CHECK_LIMITS, &failure);
    if (rc == 0) rc = pg_exec(pg, sql, &failure);
    pg_rollback(pg);
    tell(checker, rc == 0, what, rc == 0 ? "" : failure.message);
    return rc == 0;
}

static void check_connection(const struct checker *checker)
{
    struct pg *pg = checker->destination->pg;
    struct pg_result *row = NULL;
    struct err failure = ERR_INIT;
    char text[256];
    int rc = pg_query(pg,
                      "SELECT pg_catalog.current_database(), current_user, pg_catalog.current_setting('server_version'), "
                      "rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
                      PG_NONE, &row, &failure);
    if (rc != 0 || pg_rows(row) != 1) {
        tell(checker, false, "connect", failure.message);
    } else {
        snprintf(text, sizeof(text), "PostgreSQL %s, database '%s', user '%s', %s", pg_cell(row, 0, 2), pg_cell(row, 0, 0),
                 pg_cell(row, 0, 1), pg_is_encrypted(pg) ? "encrypted" : "not encrypted");
        tell(checker, true, "connect", text);
        if (pg_bool(row, 0, 3)) tell(checker, true, "role", "is a superuser; a role that owns its schema is enough");
    }
    pg_free(row);
}

/* A pooler in transaction mode gives another server process to each transaction now and then. It works; people should know. */
static void check_pooling(const struct checker *checker)
{
    struct pg_result *row = NULL;
    struct err failure = ERR_INIT;
    int64_t first = pg_backend(checker->destination->pg);
    bool is_pooled = false;
    for (int i = 0; i < 3 && !is_pooled; i++) {
        if (pg_query(checker->destination->pg, "SELECT pg_catalog.pg_backend_pid()", PG_NONE, &row, &failure) != 0) return;
        is_pooled = pg_int(row, 0, 0) != first;
        pg_free(row);
    }
    if (is_pooled) tell(checker, true, "pooling", "a connection pooler is in between; that is fine");
}

int pgw_destination_check(struct destination *destination, writer_report *report, void *context, struct err *err)
{
    const struct checker checker = {destination, report, context};
    struct buf sql = BUF_INIT(4096);
    struct pg_result *row = NULL;
    int rc;
    pthread_mutex_lock(&destination->lock);
    if ((rc = pgw_destination_connect(destination, err)) != 0) {
        tell(&checker, false, "connect", err->message);
        goto out;
    }
    check_connection(&checker);
    check_pooling(&checker);
    rc = pg_query(destination->pg, "SELECT pg_catalog.to_regnamespace(pg_catalog.quote_ident($1)) IS NULL",
                  PG_PARAMS(destination->schema), &row, err);
    if (rc != 0) goto out;
    bool has_no_schema = pg_bool(row, 0, 0), all = true;
    pg_free(row);
    if (has_no_schema) {
        buf_append_text(&sql, "CREATE SCHEMA ");
        pg_quote_name(&sql, destination->schema);
        all = try_statements(&checker, "create schema", buf_text(&sql)) && all;
        buf_append_text(&sql, "; ");
    }
    buf_append_text(&sql, "CREATE TABLE ");
    pg_quote_table(&sql, destination->schema, "_sluice_check");
    buf_append_text(&sql, " (id bigint PRIMARY KEY)");
    all = try_statements(&checker, "create table", buf_text(&sql)) && all;
    all = try_statements(&checker, "temporary table", "CREATE TEMPORARY TABLE sluice_check (id bigint) ON COMMIT DROP") && all;
    all = try_statements(&checker, "ledger",
                         "INSERT INTO _sluice.held VALUES ('', '', '', 0); SELECT nextval('_sluice.load_ids')") &&
          all;
    if (!all) {
        rc = err_set(err, ERR_DESTINATION, "destination '%s' does not let us do all a sync needs", destination->name);
        err_hint(err, "grant the role CREATE on the schema and TEMPORARY on the database");
    }
out:
    pthread_mutex_unlock(&destination->lock);
    buf_release(&sql);
    return rc;
}
