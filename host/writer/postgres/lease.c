/* How it works: every change is one statement and a transaction of its own, conditional on what was read before. So an owner
 * that is stopped at any instant holds no lock on its lease, and a successor is never kept waiting. A statement whose reply is
 * lost needs no care: an acquire that is tried again only raises the fence once more, and by then knows itself as the owner. */
#include "writer/postgres/lease.h"

#include "os/crypto.h"
#include "os/log.h"
#include "os/process.h"
#include "writer/postgres/ledger.h"

enum { LEASE_MS = 30000, WAIT_MARGIN_MS = 60000 };

static const struct pg_limits LEASE_LIMITS = {.lock_ms = 8000, .statement_ms = 20000};

int pgw_lease_lost(const struct destination *destination, struct err *err)
{
    err_set(err, ERR_HELD, "another sync has taken over pipeline '%s'", destination->pipeline);
    return err_hint(err, "nothing of this one was lost or doubled; let the other sync finish");
}

/* An owner of this machine whose process is gone. */
static bool owner_is_dead(const struct pg_result *row)
{
    struct process_identity owner = {0};
    snprintf(owner.host, sizeof(owner.host), "%s", pg_cell(row, 0, 2));
    snprintf(owner.boot_id, sizeof(owner.boot_id), "%s", pg_cell(row, 0, 3));
    owner.pid_namespace = strtoull(pg_cell(row, 0, 4), NULL, 10);
    owner.pid = pg_int(row, 0, 5);
    owner.start_ticks = strtoull(pg_cell(row, 0, 6), NULL, 10);
    return process_life(&owner) == PROCESS_DEAD;
}

static int held_by_other(const struct destination *destination, const struct pg_result *row, struct err *err)
{
    err_set(err, ERR_HELD, "pipeline '%s' is being synced by process %s on '%s' since %s", destination->pipeline,
            pg_cell(row, 0, 5), pg_cell(row, 0, 2), pg_cell(row, 0, 7));
    return err_hint(err, "wait for it or stop it; should it be gone, its lease runs out at %s", pg_cell(row, 0, 8));
}

/* Reads the lease: 0 when it is free for us: run out, our own, or its owner is dead (*by_force: it has not run out), else HELD.
 */
static int look(struct destination *destination, struct pg_result **row, bool *by_force, struct err *err)
{
    int rc = pg_query(destination->pg,
                      "SELECT fence, run, host, boot_id, pid_namespace, pid, pid_start, "
                      "pg_catalog.to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
                      "pg_catalog.to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
                      "until > pg_catalog.clock_timestamp() FROM _sluice.leases WHERE pipeline = $1",
                      PG_PARAMS(destination->pipeline), row, err);
    if (rc != 0) return rc;
    bool is_ours = strcmp(pg_cell(*row, 0, 1), destination->run) == 0;
    *by_force = pg_bool(*row, 0, 9);
    if (!*by_force || is_ours) return 0;
    if (!owner_is_dead(*row)) return held_by_other(destination, *row, err);
    log_info(destination->log, "taking over pipeline '%s': process %s that held it is gone", destination->pipeline,
             pg_cell(*row, 0, 5));
    return 0;
}

/* Takes the lease as it was seen; *taken is false when it changed meanwhile. */
static int take(struct destination *destination, const struct pg_result *seen, bool by_force, bool *taken, struct err *err)
{
    struct process_identity self;
    struct pg_result *row = NULL;
    char namespace_text[PG_INT_TEXT], pid_text[PG_INT_TEXT], start_text[PG_INT_TEXT];
    process_identity(&self);
    snprintf(namespace_text, sizeof(namespace_text), "%llu", (unsigned long long)self.pid_namespace);
    snprintf(start_text, sizeof(start_text), "%llu", (unsigned long long)self.start_ticks);
    int rc =
        pg_query(destination->pg,
                 "UPDATE _sluice.leases SET fence = fence + 1, run = $10, host = $2, boot_id = $3, "
                 "pid_namespace = $4, pid = $5, pid_start = $6, since = pg_catalog.clock_timestamp(), "
                 "until = pg_catalog.clock_timestamp() + interval '30 s' WHERE pipeline = $1 AND fence = $7 AND run = $8 "
                 "AND (until <= pg_catalog.clock_timestamp() OR $9::boolean) RETURNING fence",
                 PG_PARAMS(destination->pipeline, self.host, self.boot_id, namespace_text, pg_int_text(self.pid, pid_text),
                           start_text, pg_cell(seen, 0, 0), pg_cell(seen, 0, 1), by_force ? "true" : "false", destination->run),
                 &row, err);
    if (rc != 0) return rc;
    *taken = pg_rows(row) == 1;
    if (*taken) {
        destination->fence = pg_int(row, 0, 0);
        destination->is_held = true;
    }
    pg_free(row);
    return 0;
}

/* Chosen before it is sent, so that we know ourselves as the owner when the reply to taking the lease was lost. */
static void choose_run(struct destination *destination)
{
    unsigned char random[16];
    crypto_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) snprintf(destination->run + 2 * i, 3, "%02x", random[i]);
}

static int acquire(struct destination *destination, struct err *err)
{
    int rc = pg_query(
        destination->pg,
        "INSERT INTO _sluice.leases VALUES ($1, 0, '', '', '', '0', 0, '0', pg_catalog.clock_timestamp(), '-infinity') "
        "ON CONFLICT (pipeline) DO NOTHING",
        PG_PARAMS(destination->pipeline), NULL, err);
    bool taken = false;
    while (rc == 0 && !taken) {
        struct pg_result *seen = NULL;
        bool by_force = false;
        rc = look(destination, &seen, &by_force, err);
        if (rc == 0) rc = take(destination, seen, by_force, &taken, err);
        pg_free(seen);
    }
    return rc;
}

/* Stages and builds that no row of the ledger names: what is left of a ledger that was dropped or restored. */
static int sweep(struct destination *destination, struct err *err)
{
    struct pg *pg = destination->pg;
    struct pg_result *orphans = NULL;
    bool is_unknown;
    int rc;
    if ((rc = pg_begin(pg, &LEASE_LIMITS, err)) != 0) return rc;
    rc = pg_query(pg,
                  "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                  "WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') "
                  "AND ((n.nspname = '_sluice' AND c.relname ~ '^stage_[0-9a-f]{16}$') "
                  " OR (n.nspname = $1 AND c.relname ~ '^_sluice_build_[0-9a-f]{16}$')) "
                  "AND NOT EXISTS (SELECT FROM _sluice.builds b WHERE b.table_schema = n.nspname AND b.table_name = c.relname)",
                  PG_PARAMS(destination->schema), &orphans, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(orphans); i++) {
        struct buf sql = BUF_INIT(1024);
        log_info(destination->log, "dropping %s: the ledger does not know it", pg_cell(orphans, i, 0));
        buf_printf(&sql, "DROP TABLE %s", pg_cell(orphans, i, 0));
        rc = pg_exec(pg, buf_text(&sql), err);
        buf_release(&sql);
    }
    if (rc == 0) rc = pg_commit(pg, &is_unknown, err);
    pg_rollback(pg);
    pg_free(orphans);
    return rc;
}

int pgw_lease_acquire(struct destination *destination, struct err *err)
{
    struct err failure = ERR_INIT;
    int rc;
    pthread_mutex_lock(&destination->lock);
    if ((rc = pgw_destination_connect(destination, err)) != 0) goto out;
    if ((rc = pgw_ledger_ensure(destination->pg, err)) != 0) goto out;
    choose_run(destination);
    PG_FAULT_POINT(destination->pg, "pg.lease.acquire.before");
    rc = acquire(destination, &failure);
    PG_FAULT_POINT(destination->pg, "pg.lease.acquire.after");
    if (rc != 0 && rc != ERR_HELD && !pg_usable(destination->pg)) {
        /* The reply was lost: whatever happened, trying again is right. */
        failure = ERR_INIT;
        if ((rc = pgw_destination_connect(destination, &failure)) == 0) rc = acquire(destination, &failure);
    }
    if (rc != 0) err_copy(err, &failure);
    if (rc == 0) rc = sweep(destination, err);
out:
    pthread_mutex_unlock(&destination->lock);
    return rc;
}

int pgw_lease_renew(struct destination *destination, int64_t wait_ms, struct err *err)
{
    char fence[PG_INT_TEXT], span[PG_INT_TEXT];
    uint64_t changed = 0;
    int rc;
    pthread_mutex_lock(&destination->lock);
    if (!destination->is_held) {
        rc = pgw_lease_lost(destination, err);
        goto out;
    }
    if ((rc = pgw_destination_connect(destination, err)) != 0) goto out;
    PG_FAULT_POINT(destination->pg, "pg.lease.renew.before");
    rc = pg_change(destination->pg,
                   "UPDATE _sluice.leases SET until = greatest(until, pg_catalog.clock_timestamp() + $4 * interval '1 ms') "
                   "WHERE pipeline = $1 AND fence = $2 AND run = $3",
                   PG_PARAMS(destination->pipeline, pg_int_text(destination->fence, fence), destination->run,
                             pg_int_text(wait_ms > 0 ? wait_ms + WAIT_MARGIN_MS : LEASE_MS, span)),
                   &changed, err);
    PG_FAULT_POINT(destination->pg, "pg.lease.renew.after");
    if (rc == 0 && changed != 1) {
        destination->is_held = false;
        rc = pgw_lease_lost(destination, err);
    }
    pg_close(destination->pg);
    destination->pg = NULL;
out:
    pthread_mutex_unlock(&destination->lock);
    return rc;
}

void pgw_lease_release(struct destination *destination)
{
    struct err ignored = ERR_INIT; /* a lease that cannot be given back runs out by itself */
    char fence[PG_INT_TEXT];
    pthread_mutex_lock(&destination->lock);
    if (destination->is_held && pgw_destination_connect(destination, &ignored) == 0) {
        PG_FAULT_POINT(destination->pg, "pg.lease.release.before");
        int rc = pg_query(destination->pg,
                          "UPDATE _sluice.leases SET until = pg_catalog.clock_timestamp() "
                          "WHERE pipeline = $1 AND fence = $2 AND run = $3",
                          PG_PARAMS(destination->pipeline, pg_int_text(destination->fence, fence), destination->run), NULL,
                          &ignored);
        PG_FAULT_POINT(destination->pg, "pg.lease.release.after");
        if (rc != 0) log_debug(destination->log, "could not give the lease back: %s", ignored.message);
    }
    destination->is_held = false;
    pthread_mutex_unlock(&destination->lock);
}
