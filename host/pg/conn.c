/* How it works: libpq's non-blocking calls with one poll() underneath, which also watches the cancel token.
 *
 * The url is split by libpq itself; our settings fill only what it leaves open. Server settings are not sent at start-up
 * (poolers refuse unknown ones); transactions set them locally. */
#include "pg/conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/number.h"
#include "os/cancel.h"
#include "os/secret.h"
#include "pg/internal.h"
#include "pg/query.h"

enum { CONNECT_TIMEOUT_S = 10, STOPPING_POLL_MS = 100 };
/* How long an answer may be awaited before the server is asked, and then at most until it is asked again; and how long at all
 * where there is nothing to ask about, or nobody to ask. */
enum { SILENCE_MS = 10 * 1000, SILENCE_MAX_MS = 60 * 1000, ANSWER_MS = 30 * 1000, UNASKED_MS = 5 * 60 * 1000 };

/* Used where the url says nothing. */
static const struct {
    const char *keyword, *value;
} DEFAULTS[] = {
    {"client_encoding", "UTF8"},
    {"keepalives", "1"},
    {"keepalives_idle", "30"},
    {"keepalives_interval", "10"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "30000"},
    {"gssencmode", "disable"},
    {"fallback_application_name", "sluice"},
    {"target_session_attrs", "read-write"},
};

/* What a SQLSTATE, or its class (two characters), means. The first match wins. */
static const struct {
    const char *prefix;
    enum pg_failure failure;
    int class;
    const char *hint;
} STATES[] = {
    {"40001", PG_RETRY, ERR_DESTINATION, ""},
    {"40P01", PG_RETRY, ERR_DESTINATION, ""},
    {"55P03", PG_RETRY, ERR_DESTINATION, "another session holds a lock on the table: see pg_locks"},
    {"55006", PG_RETRY, ERR_DESTINATION, "another session uses the object: see pg_stat_activity"},
    {"40", PG_RETRY, ERR_DESTINATION, ""},
    {"08", PG_LOST, ERR_DESTINATION, ""},
    {"57P", PG_LOST, ERR_DESTINATION, ""},
    {"25P03", PG_LOST, ERR_DESTINATION, ""},
    {"53300", PG_LOST, ERR_DESTINATION,
     "the server has no connection left: raise max_connections, or run fewer pipelines at once"},
    {"57014", PG_FAILED, ERR_DESTINATION, "the statement ran into a time limit or was cancelled by someone"},
    {"53", PG_FAILED, ERR_DESTINATION, "the server is out of disk space or memory"},
    {"42501", PG_FAILED, ERR_DESTINATION,
     "grant the role the missing right, or use another role; `sluice check` shows what it needs"},
    {"28", PG_FAILED, ERR_DESTINATION, "check user and password of the destination's url"},
    {"42P01", PG_MISSING, ERR_SCHEMA, "the table was dropped or renamed meanwhile: run again"},
    {"42703", PG_MISSING, ERR_SCHEMA, "a column was dropped or renamed meanwhile: run again"},
    {"3F000", PG_MISSING, ERR_SCHEMA, "the schema was dropped meanwhile: run again"},
    {"22", PG_VALUE, ERR_DESTINATION, ""},
    {"23", PG_VALUE, ERR_DESTINATION, ""},
    {"54", PG_VALUE, ERR_DESTINATION, ""},
    {"", PG_FAILED, ERR_DESTINATION, ""},
};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* libpq's messages may have several lines, and a trailing newline. */
static void one_line(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text && used + 1 < size; text++) {
        if (*text != '\n' && *text != '\r' && *text != '\t')
            out[used++] = *text;
        else if (text[1] && used > 0 && out[used - 1] != ' ')
            out[used++] = ' ';
    }
    out[used] = '\0';
}

int pg_fail(struct pg *pg, const PGresult *result, struct err *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    bool lost = pg->is_broken || PQstatus(pg->conn) == CONNECTION_BAD;
    char text[768];
    one_line(primary ? primary : PQerrorMessage(pg->conn), text, sizeof(text));
    if (!text[0]) one_line("the server closed the connection", text, sizeof(text));
    secrets_redact_text(pg->secrets, text, sizeof(text));
    snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", state ? state : "");
    size_t at = 0;
    while (strncmp(pg->sqlstate, STATES[at].prefix, strlen(STATES[at].prefix)) != 0) at++;
    pg->failure = lost ? PG_LOST : STATES[at].failure;
    if (state)
        err_set(err, STATES[at].class, "%s (SQLSTATE %s)", text, pg->sqlstate);
    else
        err_set(err, ERR_DESTINATION, "%s", text);
    return STATES[at].hint[0] && state ? err_hint(err, "%s", STATES[at].hint) : err->class;
}

/* Waits until the socket is ready for one of `events` or the time is over, which *ready tells. */
static int wait_until(struct pg *pg, short events, int64_t deadline_ms, bool *ready, struct err *err)
{
    *ready = false;
    for (;;) {
        if (cancel_aborted(pg->cancel)) {
            pg->is_broken = true;
            pg->failure = PG_FAILED;
            return err_set(err, ERR_CANCELLED, "aborted while waiting for the database");
        }
        /* Once STOP has fired the token's descriptor stays readable, so an abort after it is looked for in steps. */
        bool watches = pg->cancel && !cancel_stopping(pg->cancel);
        struct pollfd fds[2] = {{.fd = PQsocket(pg->conn), .events = events},
                                {.fd = watches ? cancel_fd(pg->cancel) : -1, .events = POLLIN}};
        int64_t left_ms = deadline_ms - monotonic_ms();
        if (left_ms < 0) left_ms = 0;
        if (pg->cancel && !watches && left_ms > STOPPING_POLL_MS) left_ms = STOPPING_POLL_MS;
        int count = poll(fds, 2, (int)left_ms);
        if (count < 0 && errno != EINTR) {
            pg->is_broken = true;
            pg->failure = PG_LOST;
            return err_set(err, ERR_DESTINATION, "could not wait for the database: %s", strerror(errno));
        }
        *ready = count > 0 && fds[0].revents;
        if (*ready || monotonic_ms() >= deadline_ms) return 0;
    }
}

static int give_up(struct pg *pg, int64_t silent_ms, const char *why, struct err *err)
{
    pg->is_broken = true;
    pg->failure = PG_LOST;
    return err_set(err, ERR_DESTINATION, "no answer from the database for %lld s%s", (long long)(silent_ms + 999) / 1000, why);
}

/* Is the silence of a statement that is being worked on, as far as anyone can tell? See pg_wait. */
static bool is_worked_on(struct pg *pg, int64_t silent_ms, const char **why)
{
    struct pg *other = NULL;
    struct pg_result *row = NULL;
    struct err failure = ERR_INIT;
    *why = "";
    if (!pg->transaction_backend[0]) return silent_ms < ANSWER_MS;
    int rc = pg_open(&pg->settings, &other, &failure);
    if (rc == 0)
        rc = pg_query(
            other,
            "SELECT CASE WHEN state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead' "
            "AND wait_event IS DISTINCT FROM 'ClientWrite' THEN true ELSE NOT pg_catalog.pg_terminate_backend(pid) END "
            "FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND xact_start = $2::pg_catalog.timestamptz",
            PG_PARAMS(pg->transaction_backend, pg->transaction_start), &row, &failure);
    /* A server that cannot be asked may only have no connection left: that may pass. */
    bool is_working = rc == 0 ? pg_rows(row) == 1 && pg_bool(row, 0, 0) : silent_ms < UNASKED_MS;
    *why = rc == 0 ? ": it was lost on the way, the server works on nothing of ours" : ", and it cannot be asked";
    pg_free(row);
    pg_close(other);
    return is_working;
}

int pg_wait(struct pg *pg, short events, struct err *err)
{
    int64_t since_ms = monotonic_ms(), silence_ms = SILENCE_MS;
    for (;;) {
        const char *why;
        bool ready;
        int rc = wait_until(pg, events, monotonic_ms() + silence_ms, &ready, err);
        if (rc != 0 || ready) return rc;
        int64_t silent_ms = monotonic_ms() - since_ms;
        if (!is_worked_on(pg, silent_ms, &why)) return give_up(pg, silent_ms, why, err);
        silence_ms = silence_ms < SILENCE_MAX_MS / 2 ? 2 * silence_ms : SILENCE_MAX_MS;
    }
}

int pg_flush(struct pg *pg, struct err *err)
{
    int rc, pending;
    while ((pending = PQflush(pg->conn)) == 1) {
        if ((rc = pg_wait(pg, POLLIN | POLLOUT, err)) != 0) return rc;
        if (!PQconsumeInput(pg->conn)) return pg_fail(pg, NULL, err);
    }
    return pending < 0 ? pg_fail(pg, NULL, err) : 0;
}

int pg_next_result(struct pg *pg, PGresult **out, struct err *err)
{
    int rc;
    *out = NULL;
    if ((rc = pg_flush(pg, err)) != 0) return rc;
    while (PQisBusy(pg->conn)) {
        if ((rc = pg_wait(pg, POLLIN, err)) != 0) return rc;
        if (!PQconsumeInput(pg->conn)) return pg_fail(pg, NULL, err);
    }
    *out = PQgetResult(pg->conn);
    return 0;
}

/* Notices ("relation exists, skipping") are of no use to anyone here. */
static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static const PQconninfoOption *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0) return options;
    return NULL;
}

/* Keyword and value arrays for libpq, NULL-terminated; they point into `options` and `settings`. Returns the connect timeout.
 */
static int64_t fill_keywords(const struct pg_settings *settings, const PQconninfoOption *options, const char **keywords,
                             const char **values)
{
    size_t count = 0;
    int64_t timeout_s = CONNECT_TIMEOUT_S, hosts = 1;
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (!option->val) continue;
        keywords[count] = option->keyword;
        values[count++] = option->val;
        if (strcmp(option->keyword, "connect_timeout") == 0) number_to_int64(str_from(option->val), &timeout_s);
        if (strcmp(option->keyword, "host") == 0)
            for (const char *c = option->val; *c; c++) hosts += *c == ',';
    }
    for (size_t i = 0; i < ARRAY_SIZE(DEFAULTS); i++) {
        const PQconninfoOption *option = option_of(options, DEFAULTS[i].keyword);
        if (!option || option->val) continue;
        keywords[count] = DEFAULTS[i].keyword;
        values[count++] = DEFAULTS[i].value;
    }
    const PQconninfoOption *name = option_of(options, "application_name");
    if (settings->application_name && name && !name->val) {
        keywords[count] = "application_name";
        values[count++] = settings->application_name;
    }
    keywords[count] = NULL;
    values[count] = NULL;
    return timeout_s < 1 || timeout_s > 3600 ? CONNECT_TIMEOUT_S * hosts : timeout_s * hosts;
}

static int finish_connecting(struct pg *pg, int64_t since_ms, int64_t timeout_ms, struct err *err)
{
    for (;;) {
        PostgresPollingStatusType next = PQconnectPoll(pg->conn);
        if (next == PGRES_POLLING_OK) return 0;
        if (next == PGRES_POLLING_FAILED) return pg_fail(pg, NULL, err);
        bool ready;
        int rc = wait_until(pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, since_ms + timeout_ms, &ready, err);
        if (rc != 0) return rc;
        if (!ready) return give_up(pg, timeout_ms, "", err);
    }
}

int pg_open(const struct pg_settings *settings, struct pg **out, struct err *err)
{
    int rc;
    char *message = NULL;
    *out = NULL;
    /* libpq's message about a bad url quotes pieces of it, so it is not shown. */
    PQconninfoOption *options = PQconninfoParse(settings->url ? settings->url : "", &message);
    bool lacks_memory = !options && (!message || str_starts(str_from(message), STR("out of memory")));
    PQfreemem(message);
    if (lacks_memory) mem_exhausted("libpq");
    if (!options) {
        err_set(err, ERR_CONFIG, "cannot read the connection url");
        return err_hint(err, "write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters URL-encoded");
    }
    size_t count = 0;
    while (options[count].keyword) count++;
    const char **keywords = mem_zero(count + ARRAY_SIZE(DEFAULTS) + 2, sizeof(*keywords));
    const char **values = mem_zero(count + ARRAY_SIZE(DEFAULTS) + 2, sizeof(*values));
    int64_t since_ms = monotonic_ms(), timeout_ms = fill_keywords(settings, options, keywords, values) * 1000;
    const PQconninfoOption *password = option_of(options, "password");
    if (settings->secrets && password && password->val && password->val[0])
        secrets_add(settings->secrets, "destination password", str_from(password->val));

    struct pg *pg = mem_zero(1, sizeof(*pg));
    pg->cancel = settings->cancel;
    pg->secrets = settings->secrets;
    pg->settings = *settings;
    pg->conn = PQconnectStartParams(keywords, values, 0);
    if (!pg->conn) mem_exhausted("libpq");
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    if (PQstatus(pg->conn) == CONNECTION_BAD)
        rc = pg_fail(pg, NULL, err);
    else
        rc = finish_connecting(pg, since_ms, timeout_ms, err);
    if (rc == 0 && PQsetnonblocking(pg->conn, 1) != 0) rc = pg_fail(pg, NULL, err);
    if (rc != 0) {
        if (rc == ERR_DESTINATION) {
            err_context(err, "could not connect");
            err_hint(err, "check the destination's url, that the server runs, and that it lets this host in");
        }
        pg_close(pg);
    } else {
        *out = pg;
    }
    free((void *)keywords);
    free((void *)values);
    PQconninfoFree(options);
    return rc;
}

void pg_close(struct pg *pg)
{
    if (!pg) return;
    PQfinish(pg->conn);
    free(pg);
}

bool pg_usable(const struct pg *pg)
{
    return pg && !pg->is_broken && PQstatus(pg->conn) == CONNECTION_OK;
}

bool pg_is_alive(struct pg *pg)
{
    /* What a server says on closing is read first, the end of the stream after it. */
    while (pg_usable(pg)) {
        struct pollfd fd = {.fd = PQsocket(pg->conn), .events = POLLIN};
        if (poll(&fd, 1, 0) <= 0) return true;
        if (!PQconsumeInput(pg->conn)) pg->is_broken = true;
    }
    return false;
}

enum pg_failure pg_failure(const struct pg *pg)
{
    return pg->failure;
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

int pg_server_version(const struct pg *pg)
{
    return PQserverVersion(pg->conn);
}

int pg_backend(const struct pg *pg)
{
    return PQbackendPID(pg->conn);
}

bool pg_is_encrypted(const struct pg *pg)
{
    return PQsslInUse(pg->conn) != 0;
}

#ifdef SLUICE_FAULTS
void pg_cut(struct pg *pg)
{
    if (pg) shutdown(PQsocket(pg->conn), SHUT_RDWR);
}
#endif
