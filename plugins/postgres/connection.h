/* connection: a session at the source: where it leads, its settings, queries and COPY, and failures told to the host.
 *
 * `url` is libpq's, with all of its options (sslmode, target_session_attrs, several hosts). The host looks each name up and
 * says which addresses may be connected to; libpq gets both, so that certificates are checked against the name.
 *
 * What fails has been said to the host (sluice_fail) when one of these returns a negative number. Nothing here waits longer
 * than about ten seconds without coming back, except a query that the server is slow to answer. */
#ifndef SLUICE_POSTGRES_CONNECTION_H
#define SLUICE_POSTGRES_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>
#include <sluice/plugin.h>

#include "postgres/text.h"

struct line {
    char *data; /* of libpq */
    size_t size;
};

struct connection {
    struct sluice_session *session;
    PGconn *pg;
    int version;      /* 150004 */
    struct line line; /* of COPY, at hand; NULL: none */
    bool comes_again; /* it, by the next connection_line */

    /* Of those that are read at the same time, a ring: while one is waited for, what comes on the others is kept, up to
     * KEPT_MAX bytes each. NULL: it is alone. */
    struct connection *beside;
    bool is_asked;   /* COPY was sent, the server has not begun */
    bool is_reading; /* COPY was asked for, its end has not been seen */
    struct line *kept;
    size_t kept_at, kept_count, kept_room, kept_bytes;
    int kept_end;      /* what libpq said behind the kept lines: negative; 0: nothing yet */
    PGresult *refusal; /* of a COPY that did not begin */
};

/* `replication`: speaks the protocol of logical replication, too. A zeroed connection is one that is closed. */
int connection_open(struct connection *connection, struct sluice_session *session, bool replication);
/* Another session at the server of `first`, in a transaction that sees the `snapshot` that one exports. False: the server has
 * none for us, which was said to the log only. */
bool connection_join(struct connection *connection, const struct connection *first, const char *snapshot);
void connection_close(struct connection *connection);

/* Runs one query. `out` may be NULL; else PQclear it. */
int connection_query(struct connection *connection, const char *sql, PGresult **out);
/* The one value that a query has, as a copy to be freed; *value NULL: no row, or null. */
int connection_value(struct connection *connection, const char *sql, char **value);
/* Says why the last call of libpq failed, as `what` ("could not read \"orders\""). `result` may be NULL. */
int connection_failed(struct connection *connection, const PGresult *result, const char *what);

/* Asks for COPY .. TO STDOUT, without waiting for the server to begin. */
int connection_copy(struct connection *connection, const char *sql);
/* Begins START_REPLICATION. */
int connection_replicate(struct connection *connection, const char *sql);
enum { COPY_LINE = 1, COPY_END = 0, COPY_NOTHING_YET = 2 };
/* The next line (or message) of it: one of the above. *line is changeable, ends with NUL, and lasts until the next call; waits
 * up to `wait_ms` for it. At the end the result has been looked at. */
int connection_line(struct connection *connection, char **line, size_t *size, int wait_ms);
/* The line at hand, which nobody has changed, is what the next call gives. */
void connection_again(struct connection *connection);
/* Sends a message of the replication protocol. */
int connection_send(struct connection *connection, const char *data, size_t size);

/* sluice_fail and sluice_log with a format. */
int fail(struct sluice_session *session, enum sluice_error error, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void say(struct sluice_session *session, enum sluice_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum {
    PAGE_ROW_MAX = 14 * 1024 * 1024, /* bytes of a row, as sent: a page of the host has 15 MiB */
    PAGE_MAX = 10 * 1024 * 1024,     /* bytes that a page takes of several rows */
    KEPT_MAX = 4 * 1024 * 1024,      /* bytes of lines */
    CONNECTIONS_MAX = 8,             /* that are read at the same time */
};

/* What libpq is told: keywords and values, ended by NULL. Pure but for `resolve`; for tests. */
enum { PARAMETERS_MAX = 64 };
struct parameters {
    const char *keywords[PARAMETERS_MAX + 1], *values[PARAMETERS_MAX + 1];
    size_t count;
    PQconninfoOption *options; /* holds most of the values */
    struct text host, hostaddr, port;
};
int parameters_init(struct parameters *parameters, struct sluice_session *session, const char *url, bool replication);
void parameters_release(struct parameters *parameters);

#endif
