/* store_history: what happened. See store.h. */
#include <stdio.h>

#include "base/buf.h"
#include "service/store_internal.h"

enum { FIELDS = 21, LIST_MAX = 1000 };

static const char *copied(const struct sql_rows *rows, size_t row, size_t column, struct arena *arena)
{
    return arena_strdup(arena, sql_cell(rows, row, column));
}

void job_read(const struct sql_rows *rows, size_t row, struct arena *arena, struct job *job)
{
    CHECK(rows->columns == FIELDS);
    *job = (struct job){
        .id = sql_int(rows, row, 0),
        .claim = sql_int(rows, row, 1),
        .pipeline = copied(rows, row, 2, arena),
        .trigger = copied(rows, row, 3, arena),
        .status = copied(rows, row, 4, arena),
        .streams = copied(rows, row, 5, arena),
        .is_full_refresh = sql_int(rows, row, 6) != 0,
        .is_cancelled = sql_int(rows, row, 7) != 0,
        .node = copied(rows, row, 8, arena),
        .attempt = (int)sql_int(rows, row, 9),
        .exit_code = (int)sql_int(rows, row, 10),
        .error_class = copied(rows, row, 11, arena),
        .error = copied(rows, row, 12, arena),
        .hint = copied(rows, row, 13, arena),
        .requested_ms = sql_int(rows, row, 14),
        .not_before_ms = sql_int(rows, row, 15),
        .started_ms = sql_int(rows, row, 16),
        .ended_ms = sql_int(rows, row, 17),
        .records = (uint64_t)sql_int(rows, row, 18),
        .written = (uint64_t)sql_int(rows, row, 19),
        .rejected = (uint64_t)sql_int(rows, row, 20),
    };
}

struct job *jobs_read(const struct sql_rows *rows, struct arena *arena)
{
    struct job *jobs = arena_array(arena, struct job, rows->count + 1);
    for (size_t i = 0; i < rows->count; i++) job_read(rows, i, arena, &jobs[i]);
    return jobs;
}

static struct job_event *read_events(const struct sql_rows *rows, struct arena *arena, size_t *count)
{
    struct job_event *events = arena_array(arena, struct job_event, rows->count + 1);
    for (size_t i = 0; i < rows->count; i++)
        events[i] = (struct job_event){sql_int(rows, i, 0), sql_int(rows, i, 1), copied(rows, i, 2, arena)};
    *count = rows->count;
    return events;
}

int store_event(struct store *store, int64_t job, struct str json, struct err *err)
{
    char id[SQL_INT_TEXT], kept[SQL_INT_TEXT];
    struct arena arena = ARENA_INIT(0);
    sql_int_text(job, id);
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql,
                 "INSERT INTO @job_events (job, number, at_ms, json) "
                 "SELECT j.id, 1 + COALESCE((SELECT max(number) FROM @job_events WHERE job = j.id), 0), {now}, $2 "
                 "FROM @jobs j WHERE j.id = $1",
                 SQL_PARAMS(id, arena_text(&arena, json)), NULL, err);
    if (rc == 0)
        rc = sql_run(
            store->sql,
            "DELETE FROM @job_events WHERE job = $1 AND number <= (SELECT max(number) FROM @job_events WHERE job = $1) - "
            "$2",
            SQL_PARAMS(id, sql_int_text(STORE_EVENTS_PER_JOB, kept)), NULL, err);
    arena_release(&arena);
    return store_finish(store, rc, err);
}

#define SELECT_LINES                                                                                                           \
    "SELECT e.at_ms, e.job, e.number, j.pipeline, e.json FROM @job_events e JOIN @jobs j ON j.id = e.job "                     \
    "WHERE j.pipeline = COALESCE(CAST($1 AS text), j.pipeline) AND (CAST($2 AS bigint) = 0 OR e.job = CAST($2 AS bigint)) "

int store_lines(struct store *store, const struct log_filter *filter, struct arena *arena, struct log_line **lines,
                size_t *count, struct err *err)
{
    char job[SQL_INT_TEXT], limit[SQL_INT_TEXT], at[SQL_INT_TEXT], after[SQL_INT_TEXT], number[SQL_INT_TEXT];
    struct sql_rows rows;
    bool follows = filter->after.at_ms > 0;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(
        store->sql,
        follows ? SELECT_LINES "AND (e.at_ms, e.job, e.number) > (CAST($4 AS bigint), CAST($5 AS bigint), CAST($6 AS bigint)) "
                               "ORDER BY 1, 2, 3 LIMIT $3"
                : SELECT_LINES
            "AND CAST($4 AS bigint) + CAST($5 AS bigint) + CAST($6 AS bigint) = 0 ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT $3",
        SQL_PARAMS(filter->pipeline, sql_int_text(filter->job, job), sql_int_text((int64_t)filter->limit, limit),
                   sql_int_text(filter->after.at_ms, at), sql_int_text(filter->after.job, after),
                   sql_int_text(filter->after.number, number)),
        &rows, err);
    if (rc == 0) {
        *lines = arena_array(arena, struct log_line, rows.count + 1);
        for (size_t i = 0; i < rows.count; i++) {
            size_t row = follows ? i : rows.count - 1 - i;
            (*lines)[i] =
                (struct log_line){sql_int(&rows, row, 0), sql_int(&rows, row, 1), sql_int(&rows, row, 2),
                                  arena_strdup(arena, sql_cell(&rows, row, 3)), arena_strdup(arena, sql_cell(&rows, row, 4))};
        }
        *count = rows.count;
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_progress(struct store *store, int64_t job, const char *stream, struct str json, struct err *err)
{
    char id[SQL_INT_TEXT];
    struct arena arena = ARENA_INIT(0);
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql,
                 "INSERT INTO @job_progress (job, stream, at_ms, json) SELECT j.id, $2, {now}, $3 FROM @jobs j WHERE j.id = $1 "
                 "ON CONFLICT (job, stream) DO UPDATE SET at_ms = excluded.at_ms, json = excluded.json",
                 SQL_PARAMS(sql_int_text(job, id), stream, arena_text(&arena, json)), NULL, err);
    arena_release(&arena);
    store_give(store);
    return rc;
}

int store_progress_of(struct store *store, int64_t job, struct arena *arena, struct job_event **list, size_t *count,
                      struct err *err)
{
    char id[SQL_INT_TEXT];
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "SELECT 0, at_ms, json FROM @job_progress WHERE job = $1 ORDER BY stream",
                 SQL_PARAMS(sql_int_text(job, id)), &rows, err);
    if (rc == 0) *list = read_events(&rows, arena, count);
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

/* By [of a pipeline][of a status]; each so that an index serves it. */
#define SELECT_JOBS "SELECT " JOB_COLUMNS " FROM @jobs WHERE id < $1 "
#define OF_NO_PIPELINE "AND CAST($3 AS text) IS NULL "
#define OF_NO_STATUS "AND CAST($4 AS text) IS NULL "
#define NEWEST_FIRST "ORDER BY id DESC LIMIT $2"
static const char *const JOBS_WHERE[2][2] = {
    {SELECT_JOBS OF_NO_PIPELINE OF_NO_STATUS NEWEST_FIRST, SELECT_JOBS OF_NO_PIPELINE "AND status = $4 " NEWEST_FIRST},
    {SELECT_JOBS "AND pipeline = $3 " OF_NO_STATUS NEWEST_FIRST, SELECT_JOBS "AND pipeline = $3 AND status = $4 " NEWEST_FIRST},
};

int store_jobs(struct store *store, const struct job_filter *filter, struct arena *arena, struct job **jobs, size_t *count,
               struct err *err)
{
    char before[SQL_INT_TEXT], limit[SQL_INT_TEXT];
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    sql_int_text(filter->before ? filter->before : INT64_MAX, before);
    sql_int_text((int64_t)(filter->limit < LIST_MAX ? filter->limit : LIST_MAX), limit);
    const char *const *where = JOBS_WHERE[filter->pipeline != NULL];
    rc = sql_run(store->sql, where[filter->status != NULL], SQL_PARAMS(before, limit, filter->pipeline, filter->status), &rows,
                 err);
    if (rc == 0) {
        *jobs = jobs_read(&rows, arena);
        *count = rows.count;
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_job(struct store *store, int64_t id, struct arena *arena, struct job **out, struct err *err)
{
    char number[SQL_INT_TEXT];
    struct sql_rows rows;
    *out = NULL;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "SELECT " JOB_COLUMNS " FROM @jobs WHERE id = $1", SQL_PARAMS(sql_int_text(id, number)), &rows,
                 err);
    if (rc == 0 && rows.count) *out = jobs_read(&rows, arena);
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_events(struct store *store, int64_t job, int64_t after, size_t limit, struct arena *arena, struct job_event **events,
                 size_t *count, struct err *err)
{
    char id[SQL_INT_TEXT], from[SQL_INT_TEXT], most[SQL_INT_TEXT];
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql,
                 "SELECT number, at_ms, json FROM @job_events WHERE job = $1 AND number > $2 ORDER BY number LIMIT $3",
                 SQL_PARAMS(sql_int_text(job, id), sql_int_text(after, from), sql_int_text((int64_t)limit, most)), &rows, err);
    if (rc == 0) *events = read_events(&rows, arena, count);
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_trim(struct store *store, int64_t older_ms, struct err *err)
{
    char age[SQL_INT_TEXT];
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "DELETE FROM @jobs WHERE ended_ms > 0 AND ended_ms < {now} - $1",
                 SQL_PARAMS(sql_int_text(older_ms, age)), NULL, err);
    store_give(store);
    return rc;
}
