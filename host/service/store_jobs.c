/* store_jobs: the queue. See store.h. */
#include <string.h>

#include "service/store_internal.h"

#define CANDIDATES "1000" /* looked at in one claim */

/* --- pipelines ----------------------------------------------------------------------------------------------------------- */

int store_pipeline(struct store *store, const char *pipeline, struct pipeline_record *out, struct err *err)
{
    struct sql_rows rows;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(
        store->sql,
        "SELECT COALESCE((SELECT paused FROM @pipelines WHERE name = $1), 0), "
        "COALESCE((SELECT id FROM @jobs WHERE pipeline = $1 AND status IN ('queued', 'running')), 0), "
        "COALESCE((SELECT ended_ms FROM @jobs WHERE pipeline = $1 AND status = 'succeeded' ORDER BY id DESC LIMIT 1), 0)",
        SQL_PARAMS(pipeline), &rows, err);
    if (rc == 0)
        *out = (struct pipeline_record){
            .is_paused = sql_int(&rows, 0, 0) != 0, .job = sql_int(&rows, 0, 1), .succeeded_ms = sql_int(&rows, 0, 2)};
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_pause(struct store *store, const char *pipeline, bool paused, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(
        store->sql,
        "INSERT INTO @pipelines (name, paused) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused",
        SQL_PARAMS(pipeline, paused ? "1" : "0"), NULL, err);
    store_give(store);
    return rc;
}

/* *known counts those that are there. */
static int look_at_cadence(struct sql *sql, const char *pipeline, struct cadence_record *cadence, size_t *known,
                           struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT last_ms FROM @cadences WHERE pipeline = $1 AND stream = $2",
                     SQL_PARAMS(pipeline, cadence->stream), &rows, err);
    if (rc == 0) cadence->last_ms = rows.count ? sql_int(&rows, 0, 0) : 0;
    if (rc == 0) *known += rows.count;
    sql_rows_release(&rows);
    return rc;
}

static int look_at_cadences(struct store *store, const char *pipeline, struct cadence_record *cadences, size_t count,
                            size_t *known, struct err *err)
{
    *known = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) rc = look_at_cadence(store->sql, pipeline, &cadences[i], known, err);
    store_give(store);
    return rc;
}

static int read_cadence(struct sql *sql, const char *pipeline, struct cadence_record *cadence, struct err *err)
{
    const char *first = cadence->runs_at_once
                            ? "INSERT INTO @cadences (pipeline, stream, last_ms) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING"
                            : "INSERT INTO @cadences (pipeline, stream, last_ms) VALUES ($1, $2, {now}) ON CONFLICT DO NOTHING";
    size_t known = 0;
    int rc = sql_run(sql, first, SQL_PARAMS(pipeline, cadence->stream), NULL, err);
    return rc ? rc : look_at_cadence(sql, pipeline, cadence, &known, err);
}

/* Most are known, and a look costs far less than a transaction that writes. */
int store_cadences(struct store *store, const char *pipeline, struct cadence_record *cadences, size_t count, struct err *err)
{
    size_t known;
    int rc = look_at_cadences(store, pipeline, cadences, count, &known, err);
    if (rc || known == count) return rc;
    if ((rc = store_begin(store, err)) != 0) return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) rc = read_cadence(store->sql, pipeline, &cadences[i], err);
    return store_finish(store, rc, err);
}

/* Queues a job unless its pipeline has one; *job is 0 then. */
static int insert_job(struct sql *sql, const struct job_request *request, int64_t *job, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql,
                     "INSERT INTO @jobs (pipeline, trigger, status, streams, full_refresh, requested_ms, not_before_ms, "
                     "idempotency_key, for_node) VALUES ($1, $2, 'queued', $3, $4, {now}, {now}, $5, $6) ON CONFLICT DO "
                     "NOTHING RETURNING id",
                     SQL_PARAMS(request->pipeline, request->trigger, request->streams, request->is_full_refresh ? "1" : "0",
                                request->idempotency_key, request->for_node),
                     &rows, err);
    *job = rc == 0 && rows.count ? sql_int(&rows, 0, 0) : 0;
    sql_rows_release(&rows);
    return rc;
}

int store_cadences_seen(struct store *store, const char *pipeline, struct cadence_record *cadences, size_t count,
                        struct err *err)
{
    size_t known;
    return look_at_cadences(store, pipeline, cadences, count, &known, err);
}

/* False in *all when one of them has moved on meanwhile. */
static int move_cadences(struct sql *sql, const char *pipeline, const struct cadence_record *due, size_t count, int64_t now_ms,
                         bool *all, struct err *err)
{
    char last[SQL_INT_TEXT], now[SQL_INT_TEXT];
    *all = true;
    for (size_t i = 0; i < count && *all; i++) {
        uint64_t changed;
        int rc = sql_change(sql,
                            "UPDATE @cadences SET last_ms = $4 WHERE pipeline = $1 AND stream = $2 AND last_ms = $3 "
                            "AND NOT EXISTS (SELECT 1 FROM @pipelines WHERE name = $1 AND paused = 1)",
                            SQL_PARAMS(pipeline, due[i].stream, sql_int_text(due[i].last_ms, last), sql_int_text(now_ms, now)),
                            &changed, err);
        if (rc) return rc;
        *all = changed == 1;
    }
    return 0;
}

int store_schedule(struct store *store, const char *pipeline, const char *streams, const struct cadence_record *due,
                   size_t count, int64_t now_ms, int64_t *job, struct err *err)
{
    const struct job_request request = {.pipeline = pipeline, .trigger = "schedule", .streams = streams};
    bool moved = false;
    *job = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = insert_job(store->sql, &request, job, err);
    if (rc == 0 && *job) rc = move_cadences(store->sql, pipeline, due, count, now_ms, &moved, err);
    if (rc == 0 && *job && !moved) {
        char id[SQL_INT_TEXT];
        rc = sql_run(store->sql, "DELETE FROM @jobs WHERE id = $1", SQL_PARAMS(sql_int_text(*job, id)), NULL, err);
        *job = 0;
    }
    rc = store_finish(store, rc, err);
    if (rc) *job = 0;
    return rc;
}

/* --- asking for jobs ----------------------------------------------------------------------------------------------------- */

static int find_job(struct sql *sql, const struct job_request *request, int64_t *job, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql,
                     "SELECT id FROM @jobs WHERE idempotency_key = $2 OR (pipeline = $1 AND status IN ('queued', 'running')) "
                     "ORDER BY CASE WHEN idempotency_key = $2 THEN 0 ELSE 1 END LIMIT 1",
                     SQL_PARAMS(request->pipeline, request->idempotency_key), &rows, err);
    *job = rc == 0 && rows.count ? sql_int(&rows, 0, 0) : 0;
    sql_rows_release(&rows);
    return rc;
}

int store_request(struct store *store, const struct job_request *request, int64_t *job, bool *is_new, struct err *err)
{
    int rc = store_begin(store, err);
    if (rc) return rc;
    *is_new = false;
    rc = find_job(store->sql, request, job, err);
    if (rc == 0 && *job == 0) {
        rc = insert_job(store->sql, request, job, err);
        *is_new = *job != 0;
        if (rc == 0 && *job == 0) rc = find_job(store->sql, request, job, err); /* another node was faster */
    }
    return store_finish(store, rc, err);
}

int store_cancel(struct store *store, int64_t job, bool *found, struct err *err)
{
    char id[SQL_INT_TEXT];
    uint64_t queued = 0, running = 0;
    sql_int_text(job, id);
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc =
        sql_change(store->sql,
                   "UPDATE @jobs SET status = 'cancelled', cancelled = 1, ended_ms = {now} WHERE id = $1 AND status = 'queued'",
                   SQL_PARAMS(id), &queued, err);
    if (rc == 0)
        rc = sql_change(store->sql, "UPDATE @jobs SET cancelled = 1 WHERE id = $1 AND status = 'running'", SQL_PARAMS(id),
                        &running, err);
    *found = queued + running > 0;
    return store_finish(store, rc, err);
}

int store_cancelled(struct store *store, const char *node, struct arena *arena, int64_t **jobs, size_t *count, struct err *err)
{
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "SELECT id FROM @jobs WHERE status = 'running' AND cancelled = 1 AND node = $1", SQL_PARAMS(node),
                 &rows, err);
    if (rc == 0) {
        *jobs = arena_array(arena, int64_t, rows.count + 1);
        for (; *count < rows.count; (*count)++) (*jobs)[*count] = sql_int(&rows, *count, 0);
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

/* --- taking them --------------------------------------------------------------------------------------------------------- */

static int tell_running(struct sql *sql, const struct claim_policy *policy, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT pipeline FROM @jobs WHERE status = 'running'", SQL_NONE, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.count; i++) policy->runs(policy->context, sql_cell(&rows, i, 0));
    sql_rows_release(&rows);
    return rc;
}

/* Nodes take turns, so that each knows all that run. Who finds another at it tries again later. */
static int take_turn(struct sql *sql, bool *is_ours, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT value FROM @meta WHERE key = 'claims' {skip}", SQL_NONE, &rows, err);
    *is_ours = rc == 0 && rows.count == 1;
    sql_rows_release(&rows);
    return rc;
}

static int claim_job(struct sql *sql, const char *node, int64_t id, struct arena *arena, struct job *job, struct err *err)
{
    char number[SQL_INT_TEXT], lease[SQL_INT_TEXT];
    struct sql_rows rows;
    int rc = sql_run(sql,
                     "UPDATE @jobs SET status = 'running', node = $2, claim = claim + 1, attempt = attempt + 1, "
                     "started_ms = {now}, lease_ms = {now} + $3 WHERE id = $1 RETURNING " JOB_COLUMNS,
                     SQL_PARAMS(sql_int_text(id, number), node, sql_int_text(STORE_LEASE_MS, lease)), &rows, err);
    if (rc == 0) job_read(&rows, 0, arena, job);
    sql_rows_release(&rows);
    return rc;
}

/* Is the place of a pipeline on this node's machine, or on none yet? */
static int look_at_place(struct sql *sql, const char *node, const struct claim_policy *policy, const char *pipeline,
                         const char *place, bool *is_here, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT host FROM @places WHERE name = $1 AND host <> (SELECT host FROM @nodes WHERE id = $2)",
                     SQL_PARAMS(place, node), &rows, err);
    *is_here = rc == 0 && rows.count == 0;
    if (rc == 0 && rows.count) policy->is_elsewhere(policy->context, pipeline, sql_cell(&rows, 0, 0));
    sql_rows_release(&rows);
    return rc;
}

static int keep_place(struct sql *sql, const char *node, const char *place, struct err *err)
{
    return sql_run(sql,
                   "INSERT INTO @places (name, host) SELECT $1, host FROM @nodes WHERE id = $2 ON CONFLICT (name) DO NOTHING",
                   SQL_PARAMS(place, node), NULL, err);
}

static int claim_one(struct sql *sql, const char *node, const struct claim_policy *policy, int64_t id, const char *pipeline,
                     struct arena *arena, struct job *job, bool *is_taken, struct err *err)
{
    const char *place = policy->place ? policy->place(policy->context, pipeline) : NULL;
    bool is_here = true;
    int rc = place ? look_at_place(sql, node, policy, pipeline, place, &is_here, err) : 0;
    *is_taken = rc == 0 && is_here && policy->may_start(policy->context, pipeline);
    if (!*is_taken) return rc;
    if (place) rc = keep_place(sql, node, place, err);
    return rc ? rc : claim_job(sql, node, id, arena, job, err);
}

static int claim_all(struct sql *sql, const char *node, const struct claim_policy *policy, struct arena *arena,
                     struct job **jobs, size_t *count, struct err *err)
{
    struct sql_rows rows;
    char lease[SQL_INT_TEXT];
    int rc =
        sql_run(sql,
                "SELECT id, pipeline FROM @jobs WHERE status = 'queued' AND not_before_ms <= {now} AND (trigger = 'request' "
                "OR NOT EXISTS (SELECT 1 FROM @pipelines WHERE name = pipeline AND paused = 1)) "
                "AND (for_node IS NULL OR for_node = $1 OR for_node NOT IN (SELECT id FROM @nodes WHERE seen_ms > {now} - $2)) "
                "ORDER BY not_before_ms, id LIMIT " CANDIDATES " {skip}",
                SQL_PARAMS(node, sql_int_text(STORE_LEASE_MS, lease)), &rows, err);
    *jobs = arena_array(arena, struct job, rows.count + 1);
    for (size_t i = 0; rc == 0 && i < rows.count; i++) {
        bool is_taken;
        rc = claim_one(sql, node, policy, sql_int(&rows, i, 0), sql_cell(&rows, i, 1), arena, &(*jobs)[*count], &is_taken, err);
        if (rc == 0 && is_taken) ++*count;
    }
    sql_rows_release(&rows);
    return rc;
}

int store_claim(struct store *store, const char *node, const struct claim_policy *policy, struct arena *arena,
                struct job **jobs, size_t *count, struct err *err)
{
    bool is_ours = false;
    *count = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = take_turn(store->sql, &is_ours, err);
    if (rc == 0 && is_ours) rc = tell_running(store->sql, policy, err);
    if (rc == 0 && is_ours) rc = claim_all(store->sql, node, policy, arena, jobs, count, err);
    rc = store_finish(store, rc, err);
    if (rc) *count = 0;
    return rc;
}

int store_end(struct store *store, const struct job *job, const struct job_end *end, bool *is_ours, struct err *err)
{
    char id[SQL_INT_TEXT], claim[SQL_INT_TEXT], code[SQL_INT_TEXT], retry[SQL_INT_TEXT], records[SQL_INT_TEXT],
        written[SQL_INT_TEXT], rejected[SQL_INT_TEXT];
    uint64_t changed = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = sql_change(store->sql,
                    "UPDATE @jobs SET status = $3, exit_code = $4, error_class = $5, error = $6, hint = $7, records = $8, "
                    "written = $9, rejected = $10, lease_ms = NULL, not_before_ms = {now} + $11, attempt = attempt - $12, "
                    "ended_ms = CASE WHEN $3 = 'queued' THEN 0 ELSE {now} END "
                    "WHERE id = $1 AND claim = $2 AND status = 'running'",
                    SQL_PARAMS(sql_int_text(job->id, id), sql_int_text(job->claim, claim), end->status,
                               sql_int_text(end->exit_code, code), end->error_class, end->error, end->hint,
                               sql_int_text((int64_t)end->records, records), sql_int_text((int64_t)end->written, written),
                               sql_int_text((int64_t)end->rejected, rejected), sql_int_text(end->retry_ms, retry),
                               end->is_interrupted ? "1" : "0"),
                    &changed, err);
    *is_ours = changed == 1;
    if (rc == 0 && *is_ours) rc = sql_run(store->sql, "DELETE FROM @job_progress WHERE job = $1", SQL_PARAMS(id), NULL, err);
    return store_finish(store, rc, err);
}
