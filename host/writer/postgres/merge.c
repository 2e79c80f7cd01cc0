/* How it works: statements over a table with the columns of a stage, one question each.
 *
 * Survey: how many rows, how many keys, any partial row? Fold (only when there are partial rows): each gets, per column it is
 * silent about, the newest value any version of its key has here; `_sluice_missing` keeps the columns none of them has. Delete
 * the older versions (only when there are fewer keys than rows). Sort out: join with the target and keep what is not simply the
 * same there, in a table of its own: CREATE TABLE AS may run in parallel, and nothing wide is sorted or kept for a row that has
 * not changed. Put: write those that are not stale, in the order of the key. Where rows are sets (sets.h), what the new ones
 * no longer have goes before that; where the source was emptied (truncate.h), what the target has beside them, behind it.
 *
 * The order of versions is total: a cursor, then arrival. No cursor is older than any; but a deletion without one is newer than
 * all of its load, since sources that delete often send the key alone. */
#include "writer/postgres/merge.h"

#include "writer/postgres/merge_sql.h"
#include "writer/postgres/sets.h"
#include "writer/postgres/table.h"
#include "writer/postgres/truncate.h"

static void put_keys(const struct table *table, const char *prefix, struct buf *sql)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_key) continue;
        if (!is_first) buf_append_text(sql, ", ");
        is_first = false;
        pgw_put_sortable(prefix, &table->columns[i], sql);
    }
}

/* Does the first version of a key count, not the newest? */
static bool keeps_first(const struct table *table)
{
    return table->spec->keeps_first && table->spec->mode == WRITE_APPEND_DEDUP;
}

/* ORDER BY: the version that counts first, which is the newest. */
static void put_newest_first(const struct table *table, const char *prefix, struct buf *sql)
{
    const struct table_column *cursor = pgw_cursor_column(table);
    if (keeps_first(table)) {
        buf_printf(sql, "%s_sluice_seq", prefix);
        return;
    }
    if (cursor) {
        buf_printf(sql, "(%s_sluice_deleted AND ", prefix);
        pgw_put_column(prefix, cursor, sql);
        buf_append_text(sql, " IS NULL) DESC, ");
        pgw_put_sortable(prefix, cursor, sql);
        buf_append_text(sql, " DESC NULLS LAST, ");
    }
    buf_printf(sql, "%s_sluice_seq DESC", prefix);
}

/* 'name' = ANY(missing) */
static void put_is_missing(const char *prefix, const struct table_column *column, struct buf *sql)
{
    buf_append_text(sql, "coalesce(");
    pg_quote_literal(sql, str_from(column->name));
    buf_printf(sql, " = ANY(%s_sluice_missing), false)", prefix);
}

int pgw_merge_begin(struct transaction *tx, const struct table *table, struct buf *name, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    buf_printf(name, "pg_temp.sluice_merge_%zu", table->index);
    buf_printf(&sql, "CREATE TEMPORARY TABLE sluice_merge_%zu (", table->index);
    for (uint32_t i = 0; i < table->column_count; i++) {
        pgw_put_column("", &table->columns[i], &sql);
        buf_printf(&sql, " %s, ", pgw_column_type_sql(table->columns[i].type));
    }
    buf_append_text(&sql, "_sluice_synced_at timestamptz, _sluice_deleted boolean, _sluice_load_id bigint, _sluice_slice text, "
                          "_sluice_seq bigint, _sluice_missing text[], _sluice_set bigint) ON COMMIT DROP");
    int rc = pgw_run(tx, &sql, NULL, err);
    buf_release(&sql);
    return rc;
}

static int fold_partial_rows(struct transaction *tx, const struct table *table, const char *source, struct err *err)
{
    struct buf sql = BUF_INIT(4 * 1024 * 1024);
    buf_append_text(&sql, "WITH partial AS (SELECT DISTINCT ");
    pgw_table_list(table, "", true, &sql);
    buf_printf(&sql, " FROM %s WHERE _sluice_missing IS NOT NULL), folded AS (SELECT ", source);
    pgw_table_list(table, "r.", true, &sql);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_key) continue;
        buf_append_text(&sql, ", array_agg(");
        pgw_put_column("r.", &table->columns[i], &sql);
        buf_append_text(&sql, " ORDER BY ");
        put_newest_first(table, "r.", &sql);
        buf_append_text(&sql, ") FILTER (WHERE NOT ");
        put_is_missing("r.", &table->columns[i], &sql);
        buf_printf(&sql, ") AS f%u", i);
    }
    buf_printf(&sql, " FROM %s r JOIN partial p ON ", source);
    pgw_put_key_join(table, "r.", "p.", &sql);
    buf_append_text(&sql, " GROUP BY ");
    pgw_table_list(table, "r.", true, &sql);
    buf_printf(&sql, ") UPDATE %s s SET ", source);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_key) continue;
        pgw_put_column("", &table->columns[i], &sql);
        buf_append_text(&sql, " = CASE WHEN ");
        put_is_missing("s.", &table->columns[i], &sql);
        buf_printf(&sql, " THEN f.f%u[1] ELSE ", i);
        pgw_put_column("s.", &table->columns[i], &sql);
        buf_append_text(&sql, " END, ");
    }
    buf_append_text(&sql, "_sluice_missing = nullif(array_remove(ARRAY[");
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_key) continue;
        buf_printf(&sql, "%sCASE WHEN f.f%u IS NULL THEN ", is_first ? "" : ", ", i);
        pg_quote_literal(&sql, str_from(table->columns[i].name));
        buf_append_text(&sql, " END");
        is_first = false;
    }
    buf_append_text(&sql, "]::text[], NULL), '{}') FROM folded f WHERE s._sluice_missing IS NOT NULL AND ");
    pgw_put_key_join(table, "s.", "f.", &sql);
    int rc = pgw_run(tx, &sql, NULL, err);
    buf_release(&sql);
    return rc;
}

struct survey {
    uint64_t rows, keys;
    bool is_partial;
    bool has_marks; /* truncate.h; then rows and keys count them, too */
};

static int survey_rows(struct transaction *tx, const struct table *table, const char *source, struct survey *survey,
                       struct err *err)
{
    struct pg_result *result;
    struct buf sql = BUF_INIT(1024 * 1024);
    buf_printf(&sql, "SELECT coalesce(sum(n), 0), count(*), coalesce(bool_or(p), false), coalesce(bool_or(m), false) FROM "
                     "(SELECT count(*) AS n, bool_or(_sluice_missing IS NOT NULL) AS p, ");
    if (pgw_truncate_is_possible(table)) {
        pgw_truncate_put_is_row(table, "", &sql);
        buf_append_text(&sql, " IS NULL");
    } else {
        buf_append_text(&sql, "false");
    }
    buf_printf(&sql, " AS m FROM %s GROUP BY ", source);
    pgw_table_list(table, "", true, &sql);
    buf_append_text(&sql, ") g");
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    survey->rows = (uint64_t)pg_int(result, 0, 0);
    survey->keys = (uint64_t)pg_int(result, 0, 1);
    survey->is_partial = pg_bool(result, 0, 2);
    survey->has_marks = pg_bool(result, 0, 3);
    pg_free(result);
    return 0;
}

/* Deletes all versions of a key but the newest. */
static int delete_older(struct transaction *tx, const struct table *table, const char *source, uint64_t *removed,
                        struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    buf_printf(&sql, "DELETE FROM %s b USING (SELECT r.ctid AS place, row_number() OVER (PARTITION BY ", source);
    pgw_table_list(table, "r.", true, &sql);
    buf_append_text(&sql, " ORDER BY ");
    put_newest_first(table, "r.", &sql);
    buf_printf(&sql, ") AS age FROM %s r JOIN (SELECT ", source);
    pgw_table_list(table, "", true, &sql);
    buf_printf(&sql, " FROM %s GROUP BY ", source);
    pgw_table_list(table, "", true, &sql);
    buf_append_text(&sql, " HAVING count(*) > 1) d ON ");
    pgw_put_key_join(table, "r.", "d.", &sql);
    buf_append_text(&sql, ") v WHERE b.ctid = v.place AND v.age > 1");
    int rc = pgw_run(tx, &sql, removed, err);
    buf_release(&sql);
    return rc;
}

/* Does the target's row stay, since it is newer, or the first? Never so when it has none, nor where all of the target is
 * replaced: the source may have gone back to an older version. */
static void put_is_stale(const struct table *table, bool is_replaced, struct buf *sql)
{
    const struct table_column *cursor = is_replaced ? NULL : pgw_cursor_column(table);
    if (!is_replaced && keeps_first(table)) {
        pgw_truncate_put_is_row(table, "t.", sql);
        buf_append_text(sql, " IS NOT NULL");
        return;
    }
    if (!cursor) {
        buf_append_text(sql, "false");
        return;
    }
    buf_append_text(sql, "coalesce(");
    pgw_put_sortable("s.", cursor, sql);
    buf_append_text(sql, " < ");
    pgw_put_column("t.", cursor, sql);
    buf_append_text(sql, ", ");
    pgw_put_column("t.", cursor, sql);
    buf_append_text(sql, " IS NOT NULL AND NOT s._sluice_deleted)");
}

/* The value that would be written: what a partial row is silent about stays as the target has it. */
static void put_value(const struct table_column *column, bool is_partial, struct buf *sql)
{
    if (!is_partial || column->is_key) {
        pgw_put_column("s.", column, sql);
        return;
    }
    buf_append_text(sql, "CASE WHEN ");
    put_is_missing("s.", column, sql);
    buf_append_text(sql, " THEN ");
    pgw_put_column("t.", column, sql);
    buf_append_text(sql, " ELSE ");
    pgw_put_column("s.", column, sql);
    buf_append_text(sql, " END");
}

/* Makes `verdict` of the rows, one per key, that are stale or different from the target's. */
static int sort_out(struct transaction *tx, const struct table *table, const char *source, const char *target,
                    const struct survey *survey, uint64_t *rows, struct err *err)
{
    bool is_partial = survey->is_partial, is_replaced = survey->has_marks || table->spec->mode == WRITE_OVERWRITE;
    struct buf sql = BUF_INIT(4 * 1024 * 1024);
    buf_printf(&sql, "CREATE TEMPORARY TABLE sluice_verdict_%zu ON COMMIT DROP AS SELECT ", table->index);
    for (uint32_t i = 0; i < table->column_count; i++) {
        put_value(&table->columns[i], is_partial, &sql);
        pgw_put_column(" AS ", &table->columns[i], &sql);
        buf_append_text(&sql, ", ");
    }
    buf_append_text(&sql, "s._sluice_deleted, ");
    put_is_stale(table, is_replaced, &sql);
    buf_printf(&sql, " AS _sluice_stale FROM %s s LEFT JOIN %s t ON ", source, target);
    pgw_put_key_join(table, "t.", "s.", &sql);
    buf_append_text(&sql, " WHERE ");
    put_is_stale(table, is_replaced, &sql);
    buf_append_text(&sql, " OR ROW(s._sluice_deleted");
    for (uint32_t i = 0; i < table->column_count; i++) {
        buf_append_text(&sql, ", ");
        put_value(&table->columns[i], is_partial, &sql);
    }
    buf_append_text(&sql, ") IS DISTINCT FROM ROW(coalesce(t._sluice_deleted, false)");
    for (uint32_t i = 0; i < table->column_count; i++) pgw_put_column(", t.", &table->columns[i], &sql);
    buf_append_text(&sql, ")");
    int rc = pgw_run(tx, &sql, rows, err);
    buf_release(&sql);
    return rc;
}

/* Writes what is not stale. */
static int put_rows(struct transaction *tx, const struct table *table, const char *target, struct merge_counts *counts,
                    struct err *err)
{
    struct buf sql = BUF_INIT(4 * 1024 * 1024);
    struct pg_result *result;
    char load[PG_INT_TEXT];
    int rc;
    buf_printf(&sql, "WITH put AS (INSERT INTO %s (", target);
    pgw_table_list(table, "", false, &sql);
    buf_append_text(&sql, ", " SYSTEM_COLUMNS ") SELECT ");
    pgw_table_list(table, "", false, &sql);
    buf_printf(&sql, ", now(), _sluice_deleted, $1::bigint FROM pg_temp.sluice_verdict_%zu WHERE NOT _sluice_stale ORDER BY ",
               table->index);
    put_keys(table, "", &sql);
    buf_append_text(&sql, " ON CONFLICT (");
    pgw_table_list(table, "", true, &sql);
    buf_append_text(&sql, ") DO UPDATE SET ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_key) continue;
        pgw_put_column("", &table->columns[i], &sql);
        pgw_put_column(" = excluded.", &table->columns[i], &sql);
        buf_append_text(&sql, ", ");
    }
    buf_append_text(&sql, "_sluice_synced_at = excluded._sluice_synced_at, _sluice_deleted = excluded._sluice_deleted, "
                          "_sluice_load_id = excluded._sluice_load_id RETURNING _sluice_deleted) "
                          "SELECT count(*), count(*) FILTER (WHERE _sluice_deleted) FROM put");
    if (sql.failed) {
        rc = err_set(err, ERR_SCHEMA, "cannot merge: the statement is over %zu bytes", sql.max);
        goto out;
    }
    rc = pg_query(tx->pg, buf_text(&sql), PG_PARAMS(pg_int_text(tx->load_id, load)), &result, err);
    if (rc != 0) goto out;
    counts->written = (uint64_t)pg_int(result, 0, 0);
    counts->deleted = (uint64_t)pg_int(result, 0, 1);
    pg_free(result);
out:
    buf_release(&sql);
    return rc;
}

int pgw_merge_lock(struct transaction *tx, const struct table *table, struct err *err)
{
    struct buf target = BUF_INIT(1024);
    char key[PG_INT_TEXT];
    pgw_relation_quote(&table->at[PLACE_TARGET], &target);
    int rc = pg_query(tx->pg, "SELECT pg_advisory_xact_lock($1)",
                      PG_PARAMS(pg_int_text((int64_t)pg_hash(buf_text(&target)), key)), NULL, err);
    buf_release(&target);
    return rc;
}

int pgw_merge_rows(struct transaction *tx, const struct table *table, const char *source, struct merge_counts *counts,
                   struct err *err)
{
    struct buf target = BUF_INIT(1024);
    struct survey survey;
    uint64_t removed = 0, changed = 0, replaced = 0, voided = 0, deleted = 0;
    bool has_sets = table->spec->set_count && table->spec->mode == WRITE_APPEND_DEDUP;
    int rc;
    *counts = (struct merge_counts){0};
    pgw_relation_quote(&table->at[PLACE_TARGET], &target);
    if ((rc = pgw_merge_lock(tx, table, err)) != 0) goto out;
    PG_FAULT_POINT(tx->pg, "pg.merge.locked");
    if (has_sets && (rc = pgw_sets_replace(tx, table, source, buf_text(&target), &replaced, &deleted, err)) != 0) goto out;
    if ((rc = survey_rows(tx, table, source, &survey, err)) != 0) goto out;
    if (survey.has_marks) {
        if ((rc = pgw_truncate_source(tx, table, source, &voided, err)) != 0) goto out;
        if ((rc = survey_rows(tx, table, source, &survey, err)) != 0) goto out;
        survey.has_marks = true;
    }
    if (survey.is_partial && (rc = fold_partial_rows(tx, table, source, err)) != 0) goto out;
    if (survey.keys < survey.rows && (rc = delete_older(tx, table, source, &removed, err)) != 0) goto out;
    if ((rc = sort_out(tx, table, source, buf_text(&target), &survey, &changed, err)) != 0) goto out;
    PG_FAULT_POINT(tx->pg, "pg.merge.sorted");
    if (changed && (rc = put_rows(tx, table, buf_text(&target), counts, err)) != 0) goto out;
    if (survey.has_marks && (rc = pgw_truncate_target(tx, table, source, &deleted, err)) != 0) goto out;
    counts->rows = survey.rows + replaced + voided;
    counts->deleted += deleted;
    counts->removed = deleted;
    counts->unchanged = survey.keys - changed;
    counts->deduplicated = counts->rows - counts->written - counts->unchanged;
out:
    buf_release(&target);
    return rc == 0 ? 0 : err_context(err, "could not merge into '%s'", table->at[PLACE_TARGET].name);
}

void pgw_merge_put_absent(const struct table *table, const char *row, struct buf *sql)
{
    buf_append_text(sql, "NOT EXISTS (SELECT FROM ");
    pgw_relation_quote(&table->at[PLACE_BUILD], sql);
    buf_append_text(sql, " b WHERE ");
    pgw_put_key_join(table, "b.", row, sql);
    buf_append_char(sql, ')');
}

int pgw_merge_replace(struct transaction *tx, const struct table *table, struct merge_counts *counts, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024), build = BUF_INIT(1024);
    uint64_t gone;
    int rc;
    buf_append_text(&sql, "DELETE FROM ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    buf_append_text(&sql, " t WHERE ");
    pgw_merge_put_absent(table, "t.", &sql);
    pgw_relation_quote(&table->at[PLACE_BUILD], &build);
    if ((rc = pgw_run(tx, &sql, &gone, err)) == 0 && (rc = pgw_merge_rows(tx, table, buf_text(&build), counts, err)) == 0)
        counts->deleted += gone, counts->removed += gone;
    buf_release(&sql);
    buf_release(&build);
    return rc;
}

int pgw_merge_dedup_build(struct transaction *tx, const struct table *table, uint64_t *removed, struct err *err)
{
    struct buf sql = BUF_INIT(4096), build = BUF_INIT(1024);
    struct pg_result *result;
    pgw_relation_quote(&table->at[PLACE_BUILD], &build);
    buf_printf(&sql, "SELECT EXISTS (SELECT FROM %s WHERE _sluice_missing IS NOT NULL)", buf_text(&build));
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    bool is_partial = rc == 0 && pg_bool(result, 0, 0);
    uint64_t older = 0;
    if (rc == 0) pg_free(result);
    if (is_partial) rc = fold_partial_rows(tx, table, buf_text(&build), err);
    if (rc == 0) rc = delete_older(tx, table, buf_text(&build), &older, err);
    *removed += older;
    buf_release(&sql);
    buf_release(&build);
    return rc;
}
