/* conn: one connection to PostgreSQL, non-blocking inside, so that every wait ends when the sync is aborted.
 *
 * A wait ends as well when the server turns out not to be working on what is waited for; see pg_wait in internal.h.
 * CANCEL_STOP does not disturb a query (a sync that stops still commits what it has); CANCEL_ABORT ends any wait with
 * ERR_CANCELLED and leaves the connection unusable. A connection belongs to one thread. Nothing of the session is relied upon
 * between transactions (pg_begin sets what it needs with SET LOCAL), so a pooler in transaction mode is fine.
 *
 *     struct pg_settings settings = {.url = url, .application_name = "sluice:shop", .cancel = cancel, .secrets = secrets};
 *     if ((rc = pg_open(&settings, &pg, err)) != 0) return rc;
 *     ...
 *     pg_close(pg);
 *
 * After a call failed, pg_failure says what the failure means for the caller: try again, reconnect, look at a value. */
#ifndef SLUICE_PG_CONN_H
#define SLUICE_PG_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/fault.h"

struct cancel;
struct pg;
struct secrets;

enum pg_failure {
    PG_FAILED,  /* for good */
    PG_RETRY,   /* the transaction lost a race: deadlock, serialization, lock timeout */
    PG_LOST,    /* the connection is gone, or the server is not ready */
    PG_VALUE,   /* a value the server cannot take: 22xxx, 23xxx, 54xxx */
    PG_MISSING, /* a table or column that should be there is not */
};

/* What it points to outlives the connection. */
struct pg_settings {
    const char *url; /* "postgres://..." or "host=... dbname=..."; what is absent comes as libpq finds it (PGHOST, ~/.pgpass) */
    const char *application_name; /* cut to 63 bytes by the server */
    struct cancel *cancel;        /* NULL: waits cannot be interrupted */
    struct secrets *secrets;      /* the password is registered here; messages are redacted with it. NULL is fine */
};

/* Connects within connect_timeout (10 s unless the url says otherwise) per host. Errors: CONFIG for a url that cannot be read,
 * DESTINATION, CANCELLED. No message holds the password. */
int pg_open(const struct pg_settings *settings, struct pg **out, struct err *err) MUST_USE;
void pg_close(struct pg *pg); /* NULL is fine */

/* False once the connection broke; nothing but pg_close may follow then. NULL is not usable. */
bool pg_usable(const struct pg *pg);

/* The same for a connection that was idle, looking for whether the server has closed it meanwhile. Does not wait. */
bool pg_is_alive(struct pg *pg);

enum pg_failure pg_failure(const struct pg *pg); /* of the last call that failed on it */
const char *pg_sqlstate(const struct pg *pg);    /* "40P01"; "" when the server gave none */
int pg_server_version(const struct pg *pg);      /* 150004 */
int pg_backend(const struct pg *pg);             /* the server's process */
bool pg_is_encrypted(const struct pg *pg);

/* A fault point (base/fault.h) on the way of a connection: `error` cuts it, as a network does. */
#ifdef SLUICE_FAULTS
void pg_cut(struct pg *pg);
#define PG_FAULT_POINT(pg, label) (FAULT_STRIKES(label) ? pg_cut(pg) : (void)0)
#else
#define PG_FAULT_POINT(pg, label) ((void)0)
#endif

#endif
