/* usage: see usage.h. */
#include "writer/postgres/usage.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "writer/postgres/merge.h"

static const struct pg_limits USAGE_LIMITS = {.lock_ms = 10000, .statement_ms = 30 * 60 * 1000};

/* "2026-11-01" */
static void month_of(int64_t now_us, char out[MONTH_SIZE])
{
    char iso[TIME_TEXT_MAX];
    time_write_iso(now_us, iso);
    snprintf(out, MONTH_SIZE, "%.7s-01", iso);
}

/* How many rows of a table were written last in a month. */
static int count_active(struct pg *pg, const char *schema, const char *name, const char *month, int64_t *active,
                        struct err *err)
{
    struct buf sql = BUF_INIT(4096);
    struct pg_result *result;
    buf_append_text(&sql, "SELECT count(*) FROM ");
    pg_quote_table(&sql, schema, name);
    buf_append_text(&sql, " WHERE _sluice_synced_at >= ($1::date)::timestamp AT TIME ZONE 'UTC' AND "
                          "_sluice_synced_at < ($1::date + interval '1 month') AT TIME ZONE 'UTC'");
    int rc = pg_query(pg, buf_text(&sql), PG_PARAMS(month), &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *active = pg_int(result, 0, 0);
    pg_free(result);
    return 0;
}

static int close_month(struct transaction *tx, const struct relation *target, const char *month, struct err *err)
{
    char number[PG_INT_TEXT];
    int64_t active = 0;
    int rc = count_active(tx->pg, target->schema, target->name, month, &active, err);
    if (rc != 0) return rc;
    return pg_query(tx->pg,
                    "UPDATE _sluice.usage SET active = $4::bigint WHERE target_schema = $1 AND target_name = $2 AND month = $3",
                    PG_PARAMS(target->schema, target->name, month, pg_int_text(active, number)), NULL, err);
}

/* Rows of a build were written since it was begun. */
static int open_months(struct transaction *tx, const struct relation *target, const char *month, struct err *err)
{
    return pg_query(tx->pg,
                    "INSERT INTO _sluice.usage (month, target_schema, target_name) SELECT $3::date, $1, $2 UNION "
                    "SELECT date_trunc('month', created_at AT TIME ZONE 'UTC')::date, $1, $2 FROM _sluice.builds "
                    "WHERE kind = 'build' AND table_schema = $1 AND target = $2 ON CONFLICT DO NOTHING",
                    PG_PARAMS(target->schema, target->name, month), NULL, err);
}

/* If this month is open, and no earlier one, there is nothing to note until it is over. */
int pgw_usage_open(struct pg *pg, struct table *table, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct pg_result *result;
    int rc =
        pg_query(pg,
                 "SELECT max(month)::text FROM _sluice.usage WHERE target_schema = $1 AND target_name = $2 AND active IS NULL "
                 "HAVING count(*) = 1",
                 PG_PARAMS(target->schema, target->name), &result, err);
    if (rc != 0) return rc;
    if (pg_rows(result)) snprintf(table->noted, sizeof(table->noted), "%s", pg_cell(result, 0, 0));
    pg_free(result);
    return 0;
}

static int close_earlier(struct transaction *tx, const struct table *table, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct pg_result *open;
    int rc = pg_query(tx->pg,
                      "SELECT month::text FROM _sluice.usage WHERE target_schema = $1 AND target_name = $2 AND active IS NULL "
                      "AND month < $3::date",
                      PG_PARAMS(target->schema, target->name, table->noting), &open, err);
    if (rc != 0) return rc;
    for (size_t i = 0; rc == 0 && target->exists && i < pg_rows(open); i++)
        rc = close_month(tx, target, pg_cell(open, i, 0), err);
    pg_free(open);
    return rc;
}

int pgw_usage_note(struct transaction *tx, struct table *table, struct err *err)
{
    int rc;
    month_of(tx->now_us, table->noting);
    if (strcmp(table->noting, table->noted) == 0) return 0;
    if ((rc = pgw_merge_lock(tx, table, err)) != 0) return rc;
    if ((rc = close_earlier(tx, table, err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.usage.closed");
    return open_months(tx, &table->at[PLACE_TARGET], table->noting, err);
}

void pgw_usage_begin(struct writer *writer)
{
    for (size_t t = 0; t < writer->table_count; t++)
        memcpy(writer->tables[t].noting, writer->tables[t].noted, sizeof(writer->tables[t].noting));
}

void pgw_usage_noted(struct writer *writer)
{
    for (size_t t = 0; t < writer->table_count; t++)
        memcpy(writer->tables[t].noted, writer->tables[t].noting, sizeof(writer->tables[t].noted));
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

static int read_row(struct pg *pg, const struct pg_result *result, size_t i, const char *month, struct arena *arena,
                    struct usage_row *row, struct err *err)
{
    *row = (struct usage_row){.table = arena_strdup(arena, pg_cell(result, i, 0)),
                              .pipelines = arena_strdup(arena, pg_cell(result, i, 3)),
                              .changes = pg_int(result, i, 4),
                              .active = pg_cell(result, i, 5) ? pg_int(result, i, 5) : -1};
    bool is_open = pg_bool(result, i, 6);
    return is_open ? count_active(pg, pg_cell(result, i, 1), pg_cell(result, i, 2), month, &row->active, err) : 0;
}

int pgw_usage(struct destination *destination, const char *month, struct arena *arena, struct usage_row **rows, size_t *count,
              struct err *err)
{
    struct pg_result *result = NULL;
    struct pg *pg = NULL;
    bool is_unknown;
    *count = 0;
    *rows = NULL;
    if (!destination->has_ledger) return 0;
    int rc = pgw_connection_take(destination, &pg, err);
    if (rc == 0) rc = pg_begin(pg, &USAGE_LIMITS, err);
    if (rc == 0) /* a table that is gone keeps what was counted */
        rc = pg_query(pg,
                      "SELECT coalesce(l.target, u.target_schema || '.' || u.target_name), coalesce(u.target_schema, ''), "
                      "coalesce(u.target_name, ''), coalesce(l.pipelines, ''), coalesce(l.changes, 0), u.active, "
                      "u.month IS NOT NULL AND u.active IS NULL AND "
                      "to_regclass(format('%I.%I', u.target_schema, u.target_name)) IS NOT NULL "
                      "FROM (SELECT * FROM _sluice.usage WHERE month = $1::date) u FULL JOIN "
                      "(SELECT target, string_agg(DISTINCT pipeline, ', ' ORDER BY pipeline) AS pipelines, "
                      "sum(written + removed)::bigint AS changes FROM _sluice.loads WHERE target IS NOT NULL AND "
                      "at >= ($1::date)::timestamp AT TIME ZONE 'UTC' AND at < ($1::date + interval '1 month') AT TIME ZONE "
                      "'UTC' GROUP BY target) l ON l.target = u.target_schema || '.' || u.target_name ORDER BY 1",
                      PG_PARAMS(month), &result, err);
    *rows = arena_array(arena, struct usage_row, pg_rows(result) + 1);
    for (size_t i = 0; rc == 0 && i < pg_rows(result); i++)
        if ((rc = read_row(pg, result, i, month, arena, &(*rows)[*count], err)) == 0) ++*count;
    if (rc == 0) rc = pg_commit(pg, &is_unknown, err);
    pg_free(result);
    pgw_connection_give(destination, pg);
    return rc == 0 ? 0 : err_context(err, "could not read what was used of destination '%s'", destination->name);
}
