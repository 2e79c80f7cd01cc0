/* store_alerts: what monitors look at, and what they found. See store.h. */
#include <string.h>

#include "service/store_internal.h"

static int read_days(struct sql *sql, const char *pipeline, int64_t today_ms, uint64_t *written, size_t days, struct err *err)
{
    char today[SQL_INT_TEXT], from[SQL_INT_TEXT];
    struct sql_rows rows;
    int rc =
        sql_run(sql,
                "SELECT (CAST($2 AS bigint) - 1 - ended_ms) / 86400000, sum(written) FROM @jobs WHERE pipeline = $1 "
                "AND status = 'succeeded' AND ended_ms >= CAST($3 AS bigint) AND ended_ms < CAST($2 AS bigint) GROUP BY 1",
                SQL_PARAMS(pipeline, sql_int_text(today_ms, today), sql_int_text(today_ms - (int64_t)days * 86400000, from)),
                &rows, err);
    memset(written, 0, days * sizeof *written);
    for (size_t i = 0; rc == 0 && i < rows.count; i++) {
        int64_t day = sql_int(&rows, i, 0);
        if (day >= 0 && day < (int64_t)days) written[day] = (uint64_t)sql_int(&rows, i, 1);
    }
    sql_rows_release(&rows);
    return rc;
}

int store_facts(struct store *store, const char *pipeline, int64_t today_ms, uint64_t *written, size_t days,
                struct arena *arena, struct job_facts *facts, struct err *err)
{
    struct sql_rows rows;
    int rc = store_take(store, err);
    if (rc) return rc;
    *facts = (struct job_facts){.first_ms = 0};
    rc = read_days(store->sql, pipeline, today_ms, written, days, err);
    if (rc == 0)
        rc = sql_run(
            store->sql,
            "SELECT COALESCE((SELECT requested_ms FROM @jobs WHERE pipeline = $1 ORDER BY id LIMIT 1), 0), "
            "COALESCE((SELECT ended_ms FROM @jobs WHERE pipeline = $1 AND status = 'succeeded' ORDER BY id DESC LIMIT 1), 0), "
            "COALESCE((SELECT max(p.at_ms) FROM @job_progress p JOIN @jobs j ON j.id = p.job WHERE j.pipeline = $1 "
            "AND j.status = 'running'), 0)",
            SQL_PARAMS(pipeline), &rows, err);
    if (rc == 0) {
        *facts = (struct job_facts){
            .first_ms = sql_int(&rows, 0, 0), .succeeded_ms = sql_int(&rows, 0, 1), .alive_ms = sql_int(&rows, 0, 2)};
        sql_rows_release(&rows);
        rc = sql_run(store->sql,
                     "SELECT status, error, rejected FROM @jobs WHERE pipeline = $1 AND ended_ms > 0 ORDER BY id DESC LIMIT 1",
                     SQL_PARAMS(pipeline), &rows, err);
    }
    if (rc == 0 && rows.count) {
        facts->status = arena_strdup(arena, sql_cell(&rows, 0, 0));
        facts->error = arena_strdup(arena, sql_cell(&rows, 0, 1));
        facts->rejected = (uint64_t)sql_int(&rows, 0, 2);
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_take_watch(struct store *store, int64_t span_ms, bool *is_ours, struct err *err)
{
    char span[SQL_INT_TEXT];
    uint64_t changed = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "INSERT INTO @meta (key, value) VALUES ('watched_ms', '0') ON CONFLICT (key) DO NOTHING", SQL_NONE,
                 NULL, err);
    if (rc == 0)
        rc = sql_change(store->sql,
                        "UPDATE @meta SET value = CAST({now} AS text) WHERE key = 'watched_ms' "
                        "AND CAST(value AS bigint) <= {now} - CAST($1 AS bigint)",
                        SQL_PARAMS(sql_int_text(span_ms, span)), &changed, err);
    *is_ours = changed == 1;
    return store_finish(store, rc, err);
}

int store_note_alert(struct store *store, const char *pipeline, const char *kind, const char *text, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    if (text)
        rc = sql_run(store->sql,
                     "INSERT INTO @alerts (pipeline, kind, text, since_ms) VALUES ($1, $2, $3, {now}) "
                     "ON CONFLICT (pipeline, kind) DO UPDATE SET text = excluded.text, ended_ms = 0",
                     SQL_PARAMS(pipeline, kind, text), NULL, err);
    else
        rc = sql_run(store->sql, "UPDATE @alerts SET ended_ms = {now} WHERE pipeline = $1 AND kind = $2 AND ended_ms = 0",
                     SQL_PARAMS(pipeline, kind), NULL, err);
    store_give(store);
    return rc;
}

int store_alerts(struct store *store, struct arena *arena, struct alert **alerts, size_t *count, struct err *err)
{
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql,
                 "SELECT pipeline, kind, text, since_ms, ended_ms, told_ms FROM @alerts ORDER BY since_ms, pipeline, kind",
                 SQL_NONE, &rows, err);
    if (rc == 0) {
        *alerts = arena_array(arena, struct alert, rows.count + 1);
        for (; *count < rows.count; ++*count)
            (*alerts)[*count] = (struct alert){arena_strdup(arena, sql_cell(&rows, *count, 0)),
                                               arena_strdup(arena, sql_cell(&rows, *count, 1)),
                                               arena_strdup(arena, sql_cell(&rows, *count, 2)),
                                               sql_int(&rows, *count, 3),
                                               sql_int(&rows, *count, 4),
                                               sql_int(&rows, *count, 5)};
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_alert_told(struct store *store, const struct alert *alert, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql,
                 alert->ended_ms ? "DELETE FROM @alerts WHERE pipeline = $1 AND kind = $2 AND ended_ms > 0"
                                 : "UPDATE @alerts SET told_ms = {now} WHERE pipeline = $1 AND kind = $2",
                 SQL_PARAMS(alert->pipeline, alert->kind), NULL, err);
    store_give(store);
    return rc;
}
