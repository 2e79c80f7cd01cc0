/* How it works: each call sends, then reads results until there are none, keeping the first failure. Leaving results unread
 * would poison the next call. */
#include "pg/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "pg/internal.h"

/* Reads all results of the running command. The last one is kept when all went well. */
static int collect(struct pg *pg, PGresult **out, struct err *err)
{
    int rc = 0, next_rc;
    PGresult *result, *last = NULL;
    for (;;) {
        if ((next_rc = pg_next_result(pg, &result, err)) != 0) {
            rc = rc != 0 ? rc : next_rc;
            break;
        }
        if (!result) break;
        ExecStatusType status = PQresultStatus(result);
        bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
        if (!good && rc == 0) rc = pg_fail(pg, result, err);
        PQclear(last);
        last = result;
        /* A lost connection gives one failed result after another. */
        if (PQstatus(pg->conn) == CONNECTION_BAD) {
            if (rc == 0) rc = pg_fail(pg, NULL, err);
            break;
        }
    }
    if (rc != 0 || !out) {
        PQclear(last);
        last = NULL;
    }
    if (out) *out = last;
    return rc;
}

static int check_usable(struct pg *pg, struct err *err)
{
    pg->sqlstate[0] = '\0';
    pg->failure = pg_usable(pg) ? PG_FAILED : PG_LOST;
    if (pg_usable(pg)) return 0;
    return err_set(err, ERR_DESTINATION, "the connection to the database was lost");
}

static int send_text(struct pg *pg, const char *sql, PGresult **last, struct err *err)
{
    int rc;
    if ((rc = check_usable(pg, err)) != 0) return rc;
    if (!PQsendQuery(pg->conn, sql)) return pg_fail(pg, NULL, err);
    return collect(pg, last, err);
}

int pg_exec(struct pg *pg, const char *sql, struct err *err)
{
    return send_text(pg, sql, NULL, err);
}

int pg_query(struct pg *pg, const char *sql, const char *const *params, size_t count, struct pg_result **out, struct err *err)
{
    int rc;
    if (out) *out = NULL;
    if ((rc = check_usable(pg, err)) != 0) return rc;
    if (!PQsendQueryParams(pg->conn, sql, (int)count, NULL, params, NULL, NULL, 0)) return pg_fail(pg, NULL, err);
    return collect(pg, out, err);
}

int pg_change(struct pg *pg, const char *sql, const char *const *params, size_t count, uint64_t *changed, struct err *err)
{
    struct pg_result *result;
    int rc = pg_query(pg, sql, params, count, &result, err);
    if (rc == 0) *changed = pg_changed(result);
    pg_free(result);
    return rc;
}

size_t pg_rows(const struct pg_result *result)
{
    return result ? (size_t)PQntuples(result) : 0;
}

size_t pg_columns(const struct pg_result *result)
{
    return result ? (size_t)PQnfields(result) : 0;
}

const char *pg_cell(const struct pg_result *result, size_t row, size_t column)
{
    return PQgetisnull(result, (int)row, (int)column) ? NULL : PQgetvalue(result, (int)row, (int)column);
}

int64_t pg_int(const struct pg_result *result, size_t row, size_t column)
{
    int64_t value = 0;
    const char *text = pg_cell(result, row, column);
    return text && number_to_int64(str_from(text), &value) ? value : 0;
}

bool pg_bool(const struct pg_result *result, size_t row, size_t column)
{
    const char *text = pg_cell(result, row, column);
    return text && text[0] == 't';
}

uint64_t pg_changed(const struct pg_result *result)
{
    uint64_t value = 0;
    /* libpq's own function wants a non-const result and only reads it. */
    number_to_uint64(str_from(PQcmdTuples((PGresult *)(uintptr_t)result)), &value);
    return value;
}

void pg_free(struct pg_result *result)
{
    PQclear(result);
}

const char *pg_int_text(int64_t value, char out[PG_INT_TEXT])
{
    snprintf(out, PG_INT_TEXT, "%lld", (long long)value);
    return out;
}

int pg_begin(struct pg *pg, const struct pg_limits *limits, struct err *err)
{
    PGresult *row = NULL;
    struct buf sql = BUF_INIT(4096);
    buf_printf(
        &sql,
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; "
        "SET LOCAL DateStyle = 'ISO'; SET LOCAL standard_conforming_strings = on; SET LOCAL bytea_output = 'hex'; "
        "SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL lock_timeout = %u; "
        "SET LOCAL statement_timeout = %u; "
        "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local');",
        limits->lock_ms, limits->statement_ms);
    if (limits->work_mem_mib) buf_printf(&sql, " SET LOCAL work_mem = '%uMB';", limits->work_mem_mib);
    buf_append_text(&sql, " SELECT pg_backend_pid(), now()");
    int rc = send_text(pg, buf_text(&sql), &row, err);
    if (rc == 0) {
        snprintf(pg->transaction_backend, sizeof(pg->transaction_backend), "%s", PQgetvalue(row, 0, 0));
        snprintf(pg->transaction_start, sizeof(pg->transaction_start), "%s", PQgetvalue(row, 0, 1));
    }
    PQclear(row);
    buf_release(&sql);
    return rc;
}

int pg_commit(struct pg *pg, bool *is_unknown, struct err *err)
{
    PGresult *result;
    int rc;
    *is_unknown = false;
    PG_FAULT_POINT(pg, "pg.commit.before");
    if ((rc = check_usable(pg, err)) != 0) return rc;
    if (!PQsendQuery(pg->conn, "COMMIT")) {
        rc = pg_fail(pg, NULL, err);
        *is_unknown = pg->failure == PG_LOST;
        return rc;
    }
    PG_FAULT_POINT(pg, "pg.commit.sent");
    rc = collect(pg, &result, err);
    pg->transaction_backend[0] = '\0';
    PG_FAULT_POINT(pg, "pg.commit.replied");
    if (rc == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        pg->failure = PG_FAILED;
        rc = err_set(err, ERR_DESTINATION, "the server answered COMMIT with '%s'", PQcmdStatus(result));
    } else if (rc != 0) {
        /* Without an SQLSTATE of a refused commit nobody said that it did not happen. A server that shuts down (57P) may have
         * written it before. */
        *is_unknown = !pg_usable(pg) || pg->failure == PG_LOST;
    }
    PQclear(result);
    return rc;
}

void pg_rollback(struct pg *pg)
{
    if (!pg_usable(pg) || PQtransactionStatus(pg->conn) == PQTRANS_IDLE) return;
    struct err ignored = ERR_INIT;
    char sqlstate[sizeof(pg->sqlstate)];
    enum pg_failure failure = pg->failure;
    memcpy(sqlstate, pg->sqlstate, sizeof(sqlstate));
    if (pg_exec(pg, "ROLLBACK", &ignored) != 0) pg->is_broken = true;
    pg->transaction_backend[0] = '\0';
    pg->failure = failure; /* the caller still asks about what went wrong before */
    memcpy(pg->sqlstate, sqlstate, sizeof(sqlstate));
}
