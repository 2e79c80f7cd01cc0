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
    struct pg_settings settings;
    char transaction_backend[16], transaction_start[48]; /* as pg_stat_activity knows the open transaction; "": there is none */
};

/* Waits until the socket is ready for one of `events` (POLLIN | POLLOUT).
 *
 * TCP notices a peer that is gone; nothing notices a pooler or proxy that takes what we send and never answers. So after 10 s
 * of silence, and then ever less often, the server is asked on a second connection whether it is still working on our
 * transaction. If it is waiting for us instead, or does not know it any more, what we wait for was lost: PG_LOST. A transaction
 * that waits for us is ended by the way, so that its locks do not stand in the way of trying again. A server that cannot be
 * asked either is given 5 minutes (whoever holds a lease gives up sooner). What runs outside of a transaction is short: it has
 * 30 s. */
int pg_wait(struct pg *pg, short events, struct err *err) MUST_USE;

/* Sends all that libpq has buffered, reading what arrives meanwhile (the server may be blocked on sending to us). */
int pg_flush(struct pg *pg, struct err *err) MUST_USE;

/* The next result of the running command; *out is NULL when there is none left. */
int pg_next_result(struct pg *pg, PGresult **out, struct err *err) MUST_USE;

/* Sets err, sqlstate and failure from a failed result; NULL: from the connection. */
int pg_fail(struct pg *pg, const PGresult *result, struct err *err);

#endif
