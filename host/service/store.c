/* store: the connection, the tables, nodes. See store.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/store_internal.h"

/* One step per version, from the first; a store is brought from its version to the last. */
static const char *const VERSION_1[] = {
    "CREATE TABLE @nodes (id text PRIMARY KEY, host text NOT NULL, boot_id text NOT NULL, pid_namespace bigint NOT NULL, "
    "pid bigint NOT NULL, start_ticks bigint NOT NULL, seen_ms bigint NOT NULL)",
    "CREATE TABLE @pipelines (name text PRIMARY KEY, paused integer NOT NULL)",
    "CREATE TABLE @cadences (pipeline text NOT NULL, stream text NOT NULL, last_ms bigint NOT NULL, PRIMARY KEY (pipeline, "
    "stream))",
    "CREATE TABLE @places (name text PRIMARY KEY, host text NOT NULL)",
    "CREATE TABLE @tokens (credential text PRIMARY KEY, sealed text NOT NULL DEFAULT '', holder text NOT NULL DEFAULT '', "
    "until_ms bigint NOT NULL DEFAULT 0, host text NOT NULL DEFAULT '', boot_id text NOT NULL DEFAULT '', "
    "pid_namespace bigint NOT NULL DEFAULT 0, pid bigint NOT NULL DEFAULT 0, start_ticks bigint NOT NULL DEFAULT 0)",
    "CREATE TABLE @jobs (id {id}, claim bigint NOT NULL DEFAULT 0, pipeline text NOT NULL, trigger text NOT NULL, "
    "status text NOT NULL, streams text, full_refresh integer NOT NULL, cancelled integer NOT NULL DEFAULT 0, node text, "
    "lease_ms bigint, attempt integer NOT NULL DEFAULT 0, exit_code integer NOT NULL DEFAULT -1, error_class text, error text, "
    "hint text, requested_ms bigint NOT NULL, not_before_ms bigint NOT NULL, started_ms bigint NOT NULL DEFAULT 0, "
    "ended_ms bigint NOT NULL DEFAULT 0, records bigint NOT NULL DEFAULT 0, written bigint NOT NULL DEFAULT 0, "
    "rejected bigint NOT NULL DEFAULT 0, idempotency_key text UNIQUE)",
    "CREATE UNIQUE INDEX jobs_active ON @jobs (pipeline) WHERE status IN ('queued', 'running')",
    "CREATE INDEX jobs_by_pipeline ON @jobs (pipeline, id)",
    "CREATE INDEX jobs_by_end ON @jobs (ended_ms) WHERE ended_ms > 0",
    "CREATE TABLE @job_events (job bigint NOT NULL REFERENCES @jobs (id) ON DELETE CASCADE, number bigint NOT NULL, "
    "at_ms bigint NOT NULL, json text NOT NULL, PRIMARY KEY (job, number))",
    "CREATE TABLE @job_progress (job bigint NOT NULL REFERENCES @jobs (id) ON DELETE CASCADE, stream text NOT NULL, "
    "at_ms bigint NOT NULL, json text NOT NULL, PRIMARY KEY (job, stream))",
};

static const char *const VERSION_2[] = {
    "CREATE INDEX job_events_at ON @job_events (at_ms, job, number)",
    "CREATE TABLE @alerts (pipeline text NOT NULL, kind text NOT NULL, text text NOT NULL, since_ms bigint NOT NULL, "
    "ended_ms bigint NOT NULL DEFAULT 0, told_ms bigint NOT NULL DEFAULT 0, PRIMARY KEY (pipeline, kind))",
};

/* Of a job that only one node can do: its own webhooks' journal is to be loaded. */
static const char *const VERSION_3[] = {"ALTER TABLE @jobs ADD COLUMN for_node text"};

static const char *const VERSION_4[] = {
    "CREATE TABLE @streams (pipeline text NOT NULL, stream text NOT NULL, seen_ms bigint NOT NULL, succeeded_ms bigint NOT "
    "NULL, "
    "changed_ms bigint NOT NULL, changes text NOT NULL, PRIMARY KEY (pipeline, stream))",
};

static const char *const VERSION_5[] = {
    "CREATE TABLE @pools (pool text NOT NULL, node text NOT NULL, share bigint NOT NULL, until_ms bigint NOT NULL, "
    "spent bigint NOT NULL, spent_until_ms bigint NOT NULL, "
    "PRIMARY KEY (pool, node))",
    "CREATE TABLE @pool_pauses (pool text PRIMARY KEY, until_ms bigint NOT NULL)",
};

static const char *const VERSION_6[] = {
    "CREATE TABLE @blocks (pipeline text NOT NULL, stream text NOT NULL, name text NOT NULL, reason text NOT NULL, "
    "since_ms bigint NOT NULL, PRIMARY KEY (pipeline, stream, name))",
};

static const struct {
    const char *const *statements;
    size_t count;
} VERSIONS[] = {{VERSION_1, ARRAY_SIZE(VERSION_1)}, {VERSION_2, ARRAY_SIZE(VERSION_2)}, {VERSION_3, ARRAY_SIZE(VERSION_3)},
                {VERSION_4, ARRAY_SIZE(VERSION_4)}, {VERSION_5, ARRAY_SIZE(VERSION_5)}, {VERSION_6, ARRAY_SIZE(VERSION_6)}};

static int read_version(struct sql *sql, size_t *version, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT value FROM @meta WHERE key = 'version'", SQL_NONE, &rows, err);
    if (rc == 0) *version = rows.count ? (size_t)sql_int(&rows, 0, 0) : 0;
    sql_rows_release(&rows);
    if (rc || *version <= ARRAY_SIZE(VERSIONS)) return rc;
    err_set(err, ERR_CONFIG, "the service's store was made by a newer sluice (version %zu, this one knows %zu)", *version,
            ARRAY_SIZE(VERSIONS));
    return err_hint(err, "start the newer sluice, or give the service a store of its own");
}

static int make_version(struct sql *sql, size_t version, struct err *err)
{
    char number[SQL_INT_TEXT];
    for (size_t i = 0; i < VERSIONS[version].count; i++) {
        int rc = sql_run(sql, VERSIONS[version].statements[i], SQL_NONE, NULL, err);
        if (rc) return rc;
    }
    return sql_run(
        sql, "INSERT INTO @meta (key, value) VALUES ('version', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        SQL_PARAMS(sql_int_text((int64_t)version + 1, number)), NULL, err);
}

/* `meta` has the version, and the row that nodes take turns on when they claim jobs. */
static int make_meta(struct sql *sql, bool is_postgres, struct err *err)
{
    int rc = is_postgres ? sql_run(sql, "CREATE SCHEMA IF NOT EXISTS sluice_service", SQL_NONE, NULL, err) : 0;
    if (rc == 0)
        rc = sql_run(sql, "CREATE TABLE IF NOT EXISTS @meta (key text PRIMARY KEY, value text NOT NULL)", SQL_NONE, NULL, err);
    if (rc == 0)
        rc = sql_run(sql, "INSERT INTO @meta (key, value) VALUES ('claims', '0') ON CONFLICT (key) DO NOTHING", SQL_NONE, NULL,
                     err);
    return rc;
}

/* Nodes that start at once wait for each other here. */
static int make_tables(struct store *store, struct err *err)
{
    struct sql *sql = store->sql;
    size_t version = 0;
    bool is_postgres = sql_url_is_postgres(store->settings.url);
    int rc = sql_begin(sql, err);
    if (rc) return rc;
    if (is_postgres) rc = sql_run(sql, "SELECT pg_advisory_xact_lock(8314700281)", SQL_NONE, NULL, err);
    if (rc == 0) rc = make_meta(sql, is_postgres, err);
    if (rc == 0) rc = read_version(sql, &version, err);
    for (; rc == 0 && version < ARRAY_SIZE(VERSIONS); version++) rc = make_version(sql, version, err);
    return sql_end(sql, rc, err);
}

int store_open(const struct sql_settings *settings, struct store **out, struct err *err)
{
    struct store *store = mem_zero(1, sizeof *store);
    store->settings = *settings;
    CHECK(pthread_mutex_init(&store->lock, NULL) == 0);
    int rc = sql_open(settings, &store->sql, err);
    if (rc == 0) rc = make_tables(store, err);
    if (rc) {
        store_close(store);
        return rc;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store) return;
    sql_close(store->sql);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static void wait_for_turn(struct store *store)
{
    struct store_turn turn = {.is_here = false};
    pthread_mutex_lock(&store->lock);
    if (!store->is_taken) {
        store->is_taken = true;
        pthread_mutex_unlock(&store->lock);
        return;
    }
    CHECK(pthread_cond_init(&turn.comes, NULL) == 0);
    if (store->last)
        store->last->next = &turn;
    else
        store->first = &turn;
    store->last = &turn;
    while (!turn.is_here) pthread_cond_wait(&turn.comes, &store->lock);
    pthread_mutex_unlock(&store->lock);
    pthread_cond_destroy(&turn.comes);
}

/* It stays taken when somebody waits: it is theirs. */
void store_give(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct store_turn *turn = store->first;
    if (turn) {
        store->first = turn->next;
        if (!store->first) store->last = NULL;
        turn->is_here = true;
        pthread_cond_signal(&turn->comes);
    } else {
        store->is_taken = false;
    }
    pthread_mutex_unlock(&store->lock);
}

int store_take(struct store *store, struct err *err)
{
    wait_for_turn(store);
    if (sql_is_usable(store->sql)) return 0;
    sql_close(store->sql);
    store->sql = NULL;
    int rc = sql_open(&store->settings, &store->sql, err);
    if (rc) store_give(store);
    return rc;
}

int store_begin(struct store *store, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    if ((rc = sql_begin(store->sql, err)) != 0) store_give(store);
    return rc;
}

int store_finish(struct store *store, int rc, struct err *err)
{
    rc = sql_end(store->sql, rc, err);
    store_give(store);
    return rc;
}

int store_now(struct store *store, int64_t *now_ms, struct err *err)
{
    struct sql_rows rows;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "SELECT {now}", SQL_NONE, &rows, err);
    if (rc == 0) *now_ms = sql_int(&rows, 0, 0);
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

/* --- nodes --------------------------------------------------------------------------------------------------------------- */

#define QUEUE_AGAIN                                                                                                            \
    "UPDATE @jobs SET status = 'queued', lease_ms = NULL, claim = claim + 1, attempt = attempt - 1, not_before_ms = {now} "    \
    "WHERE status = 'running' AND "

/* A node that waited for its lease to end has nothing to say about the job any more: the claim went up. */
static int queue_again(struct sql *sql, const char *node, uint64_t *left, struct err *err)
{
    uint64_t changed = 0;
    int rc = sql_change(sql, QUEUE_AGAIN "node = $1", SQL_PARAMS(node), &changed, err);
    if (rc == 0) rc = sql_run(sql, "DELETE FROM @nodes WHERE id = $1", SQL_PARAMS(node), NULL, err);
    *left += changed;
    return rc;
}

bool store_row_is_dead(const struct sql_rows *rows, size_t row, size_t column)
{
    struct process_identity identity = {.pid_namespace = (uint64_t)sql_int(rows, row, column + 2),
                                        .pid = sql_int(rows, row, column + 3),
                                        .start_ticks = (uint64_t)sql_int(rows, row, column + 4)};
    snprintf(identity.host, sizeof identity.host, "%s", sql_cell_text(rows, row, column));
    snprintf(identity.boot_id, sizeof identity.boot_id, "%s", sql_cell_text(rows, row, column + 1));
    return process_life(&identity) == PROCESS_DEAD;
}

static int bury_dead_nodes(struct sql *sql, uint64_t *left, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT id, " IDENTITY_COLUMNS " FROM @nodes", SQL_NONE, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.count; i++)
        if (store_row_is_dead(&rows, i, 1)) rc = queue_again(sql, sql_cell(&rows, i, 0), left, err);
    sql_rows_release(&rows);
    return rc;
}

int store_join(struct store *store, const char *node, const struct process_identity *identity, uint64_t *left, struct err *err)
{
    char space[SQL_INT_TEXT], pid[SQL_INT_TEXT], ticks[SQL_INT_TEXT];
    *left = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = bury_dead_nodes(store->sql, left, err);
    if (rc == 0)
        rc = sql_run(store->sql,
                     "INSERT INTO @nodes (id, host, boot_id, pid_namespace, pid, start_ticks, seen_ms) "
                     "VALUES ($1, $2, $3, $4, $5, $6, {now})",
                     SQL_PARAMS(node, identity->host, identity->boot_id, sql_int_text((int64_t)identity->pid_namespace, space),
                                sql_int_text(identity->pid, pid), sql_int_text((int64_t)identity->start_ticks, ticks)),
                     NULL, err);
    return store_finish(store, rc, err);
}

int store_beat(struct store *store, const char *node, uint64_t *left, struct err *err)
{
    char lease[SQL_INT_TEXT];
    *left = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "UPDATE @nodes SET seen_ms = {now} WHERE id = $1", SQL_PARAMS(node), NULL, err);
    if (rc == 0)
        rc = sql_run(store->sql, "UPDATE @jobs SET lease_ms = {now} + $2 WHERE status = 'running' AND node = $1",
                     SQL_PARAMS(node, sql_int_text(STORE_LEASE_MS, lease)), NULL, err);
    if (rc == 0) rc = sql_change(store->sql, QUEUE_AGAIN "lease_ms < {now}", SQL_NONE, left, err);
    if (rc == 0) rc = bury_dead_nodes(store->sql, left, err);
    return store_finish(store, rc, err);
}

int store_leave(struct store *store, const char *node, struct err *err)
{
    uint64_t left = 0;
    int rc = store_begin(store, err);
    return rc ? rc : store_finish(store, queue_again(store->sql, node, &left, err), err);
}
