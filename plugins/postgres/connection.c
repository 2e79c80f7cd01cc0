/* connection: blocking calls for what the server answers at once, and poll where it may take its time (COPY, replication), so
 * that a page ends when nothing comes. */
#include "postgres/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* As `first` was opened, but at the very address where it is, so that it is the same server. */
static PGconn *connect_beside(PGconn *first)
{
    const char *keywords[PARAMETERS_MAX + 1], *values[PARAMETERS_MAX + 1];
    PQconninfoOption *options = PQconninfo(first);
    size_t count = 0;
    for (const PQconninfoOption *at = options; at && at->keyword && count < PARAMETERS_MAX; at++) {
        const char *value = strcmp(at->keyword, "host") == 0       ? PQhost(first)
                            : strcmp(at->keyword, "hostaddr") == 0 ? PQhostaddr(first)
                            : strcmp(at->keyword, "port") == 0     ? PQport(first)
                                                                   : at->val;
        if (!value || !*value) continue;
        keywords[count] = at->keyword;
        values[count++] = value;
    }
    keywords[count] = values[count] = NULL;
    PGconn *pg = PQconnectdbParams(keywords, values, 0);
    PQconninfoFree(options);
    return pg;
}

bool connection_join(struct connection *connection, const struct connection *first, const char *snapshot)
{
    struct text sql = {0};
    char told[700];
    PGresult *result = NULL;
    *connection = (struct connection){.session = first->session, .version = first->version, .pg = connect_beside(first->pg)};
    text_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
    text_literal(&sql, snapshot);
    bool is_there = PQstatus(connection->pg) == CONNECTION_OK;
    for (int i = 0; is_there && i < 2; i++) {
        PQclear(result);
        result = PQexec(connection->pg, i == 0 ? SETTINGS : sql.data);
        is_there = PQresultStatus(result) == PGRES_COMMAND_OK;
    }
    one_line(PQerrorMessage(connection->pg), told, sizeof told);
    PQclear(result);
    text_release(&sql);
    if (is_there) return true;
    say(connection->session, SLUICE_LOG_INFO, "tables are read by fewer connections: %s", told);
    connection_close(connection);
    return false;
}

void connection_close(struct connection *connection)
{
    for (size_t i = connection->kept_at; i < connection->kept_count; i++) PQfreemem(connection->kept[i].data);
    free(connection->kept);
    PQfreemem(connection->line.data);
    PQclear(connection->refusal);
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

int connection_replicate(struct connection *connection, const char *sql)
{
    PGresult *result = PQexec(connection->pg, sql);
    int rc = 0;
    if (PQresultStatus(result) != PGRES_COPY_BOTH)
        rc = connection_failed(connection, result, "could not begin to read changes");
    PQclear(result);
    connection->is_reading = rc == 0;
    return rc;
}

int connection_copy(struct connection *connection, const char *sql)
{
    if (!PQsendQuery(connection->pg, sql)) return connection_failed(connection, NULL, "could not begin to read a table");
    connection->is_asked = connection->is_reading = true;
    return 0;
}

/* --- lines --------------------------------------------------------------------------------------------------------------- */

/* What was said behind the last line. */
static int finish(struct connection *connection)
{
    int rc = COPY_END;
    connection->is_reading = false;
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

enum { NO_COPY = -3, BROKE_OFF = -2, LAST_LINE = -1, NO_LINE_YET = 0 }; /* what there is instead of a line */

/* The next line of what has arrived: its size, or one of these. */
static int take(struct connection *connection, struct line *line)
{
    if (connection->is_asked) {
        if (PQisBusy(connection->pg)) return NO_LINE_YET;
        connection->is_asked = false;
        PGresult *result = PQgetResult(connection->pg);
        if (PQresultStatus(result) != PGRES_COPY_OUT) {
            connection->refusal = result;
            return NO_COPY;
        }
        PQclear(result);
    }
    int got = PQgetCopyData(connection->pg, &line->data, 1);
    if (got > 0) line->size = (size_t)got;
    return got;
}

/* Takes what has arrived while another one is waited for. */
static void keep(struct connection *connection)
{
    if (!PQconsumeInput(connection->pg)) connection->kept_end = BROKE_OFF;
    while (connection->kept_end == 0 && connection->kept_bytes < KEPT_MAX) {
        struct line line = {NULL, 0};
        int got = take(connection, &line);
        if (got == NO_LINE_YET) return;
        if (got < 0) {
            connection->kept_end = got;
            return;
        }
        if (connection->kept_count == connection->kept_room) {
            connection->kept_room = connection->kept_room ? 2 * connection->kept_room : 256;
            connection->kept = realloc(connection->kept, connection->kept_room * sizeof *connection->kept);
            if (!connection->kept) abort();
        }
        connection->kept[connection->kept_count++] = line;
        connection->kept_bytes += line.size;
    }
}

static bool has_room(const struct connection *connection)
{
    return connection->is_reading && connection->kept_end == 0 && connection->kept_bytes < KEPT_MAX;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until something comes on this one, or `until_ms`. What comes on those beside it is kept meanwhile. */
static int await_input(struct connection *connection, int64_t until_ms)
{
    for (;;) {
        struct pollfd ready[CONNECTIONS_MAX] = {{.fd = PQsocket(connection->pg), .events = POLLIN}};
        struct connection *others[CONNECTIONS_MAX];
        nfds_t count = 1;
        int64_t left_ms = until_ms - now_ms();
        for (struct connection *at = connection->beside; at && at != connection; at = at->beside) {
            if (!has_room(at)) continue;
            others[count] = at;
            ready[count++] = (struct pollfd){.fd = PQsocket(at->pg), .events = POLLIN};
        }
        if (poll(ready, count, left_ms > 0 ? (int)left_ms : 0) < 0 && errno != EINTR)
            return fail(connection->session, SLUICE_ERROR_CONNECTOR, NULL, "poll: %s", strerror(errno));
        for (nfds_t i = 1; i < count; i++)
            if (ready[i].revents) keep(others[i]);
        if (ready[0].revents || left_ms <= 0) return 0;
    }
}

static bool take_kept(struct connection *connection)
{
    if (connection->kept_at < connection->kept_count) {
        connection->line = connection->kept[connection->kept_at++];
        return true;
    }
    connection->kept_at = connection->kept_count = connection->kept_bytes = 0;
    return false;
}

static int end_of_lines(struct connection *connection, int why)
{
    if (why == LAST_LINE) return finish(connection);
    connection->is_reading = false;
    return why == NO_COPY ? connection_failed(connection, connection->refusal, "could not begin to read a table")
                          : connection_failed(connection, NULL, "reading broke off");
}

int connection_line(struct connection *connection, char **line, size_t *size, int wait_ms)
{
    int64_t until_ms = 0; /* set by the first wait */
    bool is_there = connection->comes_again;
    connection->comes_again = false;
    if (!is_there) {
        PQfreemem(connection->line.data);
        connection->line = (struct line){NULL, 0};
        is_there = take_kept(connection);
    }
    while (!is_there) {
        int got = connection->kept_end ? connection->kept_end : take(connection, &connection->line);
        connection->kept_end = 0;
        if (got < 0) return end_of_lines(connection, got);
        if ((is_there = got > 0)) break;
        if (until_ms == 0)
            until_ms = now_ms() + wait_ms;
        else if (now_ms() >= until_ms)
            return COPY_NOTHING_YET;
        int rc = await_input(connection, until_ms);
        if (rc) return rc;
        if (!PQconsumeInput(connection->pg)) return end_of_lines(connection, BROKE_OFF);
    }
    *line = connection->line.data;
    *size = connection->line.size;
    return COPY_LINE;
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
