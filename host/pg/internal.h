/* internal: what the files of pg/ share: the connection's inside, and waiting for it. Nobody else includes this. */
#ifndef SLUICE_PG_INTERNAL_H
#define SLUICE_PG_INTERNAL_H

#include <libpq-fe.h>

#include "pg/conn.h"

struct pg {
    PGconn *conn;
    struct cancel *cancel;
    struct secrets *secrets;
    char sqlstate[6];
    enum pg_failure failure;
    bool is_broken; /* a wait was given up in the middle of an exchange */
};

/* Waits until the socket is ready for one of `events` (POLLIN | POLLOUT), at most `timeout_ms` (-1: no limit). */
int pg_wait(struct pg *pg, short events, int timeout_ms, struct err *err) MUST_USE;

/* Sends all that libpq has buffered, reading what arrives meanwhile (the server may be blocked on sending to us). */
int pg_flush(struct pg *pg, struct err *err) MUST_USE;

/* The next result of the running command; *out is NULL when there is none left. */
int pg_next_result(struct pg *pg, PGresult **out, struct err *err) MUST_USE;

/* Sets err, sqlstate and failure from a failed result; NULL: from the connection. */
int pg_fail(struct pg *pg, const PGresult *result, struct err *err);

#endif
