/* connection: blocking calls for what the server answers at once, and poll where it may take its time (COPY, replication), so
 * that a page ends when nothing comes. */
#include "postgres/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/errors.h"

/* One spelling for every type (types.h reads by position), no limits that are meant for others, and no accidents. */
static const char SETTINGS[] =
    "SET datestyle='ISO, MDY'; SET intervalstyle='iso_8601'; SET timezone='UTC'; SET extra_float_digits=1; SET "
    "bytea_output='hex'; "
    "SET xmlbinary='base64'; SET statement_timeout=0; SET idle_in_transaction_session_timeout=0; SET lock_timeout='10s'; "
    "SET default_transaction_read_only=on";

int fail(struct sluice_session *session, enum sluice_error error, const char *hint, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return sluice_fail(session, error, message, hint);
}

void say(struct sluice_session *session, enum sluice_log_level level, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    sluice_log(session, level, message);
}

/* libpq's messages have lines, and a prefix for people at a terminal; ours are one line. */
static void one_line(const char *message, char *out, size_t size)
{
    static const char *const PREFIXES[] = {"ERROR:  ", "FATAL:  "};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(message, PREFIXES[i], strlen(PREFIXES[i])) == 0) message += strlen(PREFIXES[i]);
    size_t used = 0;
    bool blank = true;
    for (; *message && used + 1 < size; message++) {
        bool is_blank = *message == '\n' || *message == '\t' || *message == ' ' || *message == '\r';
        if (is_blank && blank) continue;
        out[used++] = is_blank ? ' ' : *message;
        blank = is_blank;
    }
    while (used && out[used - 1] == ' ') used--;
    out[used] = 0;
}

int connection_failed(struct connection *connection, const PGresult *result, const char *what)
{
    char told[700];
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *hint = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
    const struct pg_meaning *meaning = error_meaning(state);
    one_line(primary ? primary : PQerrorMessage(connection->pg), told, sizeof told);
    return fail(connection->session, meaning->error, meaning->hint ? meaning->hint : hint, "%s: %s%s%s%s", what,
                *told ? told : "the connection broke", state ? " (" : "", state ? state : "", state ? ")" : "");
}

int connection_open(struct connection *connection, struct sluice_session *session, bool replication)
{
    struct parameters parameters;
    *connection = (struct connection){.session = session};
    int rc = parameters_init(&parameters, session, sluice_config(session, "url"), replication);
    if (rc == 0) connection->pg = PQconnectdbParams(parameters.keywords, parameters.values, 0);
    parameters_release(&parameters);
    if (rc) return rc;
    if (PQstatus(connection->pg) != CONNECTION_OK) {
        char told[700];
        const struct pg_meaning *meaning = error_of_connecting(PQerrorMessage(connection->pg));
        one_line(PQerrorMessage(connection->pg), told, sizeof told);
        return fail(session, meaning->error, meaning->hint, "could not connect: %s", told);
    }
    connection->version = PQserverVersion(connection->pg);
    if (connection->version < 120000)
        return fail(session, SLUICE_ERROR_SOURCE, "versions since 12 can be read", "the server is PostgreSQL %d",
                    connection->version / 10000);
    return connection_query(connection, SETTINGS, NULL);
}

void connection_close(struct connection *connection)
{
    PQfreemem(connection->line);
    PQfinish(connection->pg);
    *connection = (struct connection){.session = connection->session};
}

int connection_query(struct connection *connection, const char *sql, PGresult **out)
{
    PGresult *result = PQexec(connection->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    int rc = 0;
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) rc = connection_failed(connection, result, "a query failed");
    if (rc == 0 && out)
        *out = result;
    else
        PQclear(result);
    return rc;
}

int connection_value(struct connection *connection, const char *sql, char **value)
{
    PGresult *result = NULL;
    int rc = connection_query(connection, sql, &result);
    if (rc) return rc;
    *value = PQntuples(result) > 0 && !PQgetisnull(result, 0, 0) ? text_copy(PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
    return 0;
}

int connection_copy(struct connection *connection, const char *sql, bool both)
{
    PGresult *result = PQexec(connection->pg, sql);
    int rc = 0;
    if (PQresultStatus(result) != (both ? PGRES_COPY_BOTH : PGRES_COPY_OUT))
        rc =
            connection_failed(connection, result, both ? "could not begin to read changes" : "could not begin to read a table");
    PQclear(result);
    return rc;
}

/* What was said behind the last line. */
static int finish(struct connection *connection)
{
    int rc = COPY_END;
    PGresult *result;
    while ((result = PQgetResult(connection->pg)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && rc == COPY_END)
            rc = connection_failed(connection, result, "reading ended");
        PQclear(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) break;
    }
    return rc;
}

int connection_line(struct connection *connection, char **line, size_t *size, int wait_ms)
{
    if (connection->comes_again) {
        connection->comes_again = false;
        *line = connection->line;
        *size = connection->line_size;
        return COPY_LINE;
    }
    PQfreemem(connection->line);
    connection->line = NULL;
    for (bool has_waited = false;;) {
        int got = PQgetCopyData(connection->pg, &connection->line, 1);
        if (got > 0) {
            *line = connection->line;
            *size = connection->line_size = (size_t)got;
            return COPY_LINE;
        }
        if (got == -1) return finish(connection);
        if (got == -2) return connection_failed(connection, NULL, "reading broke off");
        if (has_waited) return COPY_NOTHING_YET;
        struct pollfd ready = {.fd = PQsocket(connection->pg), .events = POLLIN};
        int count = poll(&ready, 1, wait_ms);
        if (count < 0 && errno != EINTR)
            return fail(connection->session, SLUICE_ERROR_CONNECTOR, NULL, "poll: %s", strerror(errno));
        has_waited = count <= 0;
        if (!PQconsumeInput(connection->pg)) return connection_failed(connection, NULL, "reading broke off");
    }
}

void connection_again(struct connection *connection)
{
    connection->comes_again = true;
}

int connection_send(struct connection *connection, const char *data, size_t size)
{
    if (PQputCopyData(connection->pg, data, (int)size) != 1 || PQflush(connection->pg) != 0)
        return connection_failed(connection, NULL, "could not tell the server how far it was read");
    return 0;
}
