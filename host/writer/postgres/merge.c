/* How it works: three statements over a table with the columns of a stage.
 *
 * Fold (only when there are partial rows): each gets, per column it is silent about, the newest value any version of its key
 * has here;
 * `_sluice_missing` keeps the columns none of them has. Merge: the newest version per key, joined with the target once, sorted
 * into fresh, stale, same and different; the fresh and different ones are written in the order of the key. Text is compared
 * bytewise (COLLATE "C"): cursors are ordered by the source, not by this database's language.
 *
 * The order of versions is total: a cursor, then arrival. No cursor is older than any; but a deletion without one is newer than
 * all of its load, since sources that delete often send the key alone. */
#include "writer/postgres/merge.h"

#include "writer/postgres/table.h"

static const struct table_column *cursor_column(const struct table *table)
{
    if (!table->spec->cursor) return NULL;
    const struct column *field = schema_find(table->spec->schema, str_from(table->spec->cursor));
    return field && field->index < table->column_count ? &table->columns[field->index] : NULL;
}

static void put_column(const char *prefix, const struct table_column *column, struct buf *sql)
{
    buf_append_text(sql, prefix);
    pg_quote_name(sql, column->name);
}

/* As something to be ordered or compared by. */
static void put_sortable(const char *prefix, const struct table_column *column, struct buf *sql)
{
    put_column(prefix, column, sql);
    if (column->type == TYPE_STRING) buf_append_text(sql, " COLLATE \"C\"");
}

static void put_keys(const struct table *table, const char *prefix, struct buf *sql)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_key) continue;
        if (!is_first) buf_append_text(sql, ", ");
        is_first = false;
        put_sortable(prefix, &table->columns[i], sql);
    }
}

/* ORDER BY: newest first. */
static void put_newest_first(const struct table *table, const char *prefix, struct buf *sql)
{
    const struct table_column *cursor = cursor_column(table);
    if (cursor) {
        buf_printf(sql, "(%s_sluice_deleted AND ", prefix);
        put_column(prefix, cursor, sql);
        buf_append_text(sql, " IS NULL) DESC, ");
        put_sortable(prefix, cursor, sql);
        buf_append_text(sql, " DESC NULLS LAST, ");
    }
    buf_printf(sql, "%s_sluice_seq DESC", prefix);
}

/* a.k = b.k AND .. */
static void put_key_join(const struct table *table, const char *a, const char *b, struct buf *sql)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_key) continue;
        if (!is_first) buf_append_text(sql, " AND ");
        is_first = false;
        put_column(a, &table->columns[i], sql);
        buf_append_text(sql, " = ");
        put_column(b, &table->columns[i], sql);
    }
}

/* 'name' = ANY(missing) */
static void put_is_missing(const char *prefix, const struct table_column *column, struct buf *sql)
{
    buf_append_text(sql, "coalesce(");
    pg_quote_literal(sql, str_from(column->name));
    buf_printf(sql, " = ANY(%s_sluice_missing), false)", prefix);
}

static int run(struct transaction *tx, struct buf *sql, uint64_t *changed, struct err *err)
{
    uint64_t ignored;
    if (sql->failed) return err_set(err, ERR_SCHEMA, "cannot merge: the statement is over %zu bytes", sql->max);
    return pg_change(tx->pg, buf_text(sql), PG_NONE, changed ? changed : &ignored, err);
}

int pgw_merge_begin(struct transaction *tx, const struct table *table, struct buf *name, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    buf_printf(name, "pg_temp.sluice_merge_%zu", table->index);
    buf_printf(&sql, "CREATE TEMPORARY TABLE sluice_merge_%zu (", table->index);
    for (uint32_t i = 0; i < table->column_count; i++) {
        put_column("", &table->columns[i], &sql);
        buf_printf(&sql, " %s, ", pgw_column_type_sql(table->columns[i].type));
    }
    buf_append_text(&sql, "_sluice_synced_at timestamptz, _sluice_deleted boolean, _sluice_load_id bigint, _sluice_slice text, "
                          "_sluice_seq bigint, _sluice_missing text[]) ON COMMIT DROP");
    int rc = run(tx, &sql, NULL, err);
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
        put_column("r.", &table->columns[i], &sql);
        buf_append_text(&sql, " ORDER BY ");
        put_newest_first(table, "r.", &sql);
        buf_append_text(&sql, ") FILTER (WHERE NOT ");
        put_is_missing("r.", &table->columns[i], &sql);
        buf_printf(&sql, ") AS f%u", i);
    }
    buf_printf(&sql, " FROM %s r JOIN partial p ON ", source);
    put_key_join(table, "r.", "p.", &sql);
    buf_append_text(&sql, " GROUP BY ");
    pgw_table_list(table, "r.", true, &sql);
    buf_printf(&sql, ") UPDATE %s s SET ", source);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_key) continue;
        put_column("", &table->columns[i], &sql);
        buf_append_text(&sql, " = CASE WHEN ");
        put_is_missing("s.", &table->columns[i], &sql);
        buf_printf(&sql, " THEN f.f%u[1] ELSE ", i);
        put_column("s.", &table->columns[i], &sql);
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
    put_key_join(table, "s.", "f.", &sql);
    int rc = run(tx, &sql, NULL, err);
    buf_release(&sql);
    return rc;
}

static int fold_if_needed(struct transaction *tx, const struct table *table, const char *source, uint64_t *rows,
                          bool *is_partial, struct err *err)
{
    struct pg_result *result;
    struct buf sql = BUF_INIT(4096);
    buf_printf(&sql, "SELECT count(*), coalesce(bool_or(_sluice_missing IS NOT NULL), false) FROM %s", source);
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *rows = (uint64_t)pg_int(result, 0, 0);
    *is_partial = pg_bool(result, 0, 1);
    pg_free(result);
    return *is_partial ? fold_partial_rows(tx, table, source, err) : 0;
}

/* The newest version of each key, joined with what the target has. */
static void put_verdict(const struct table *table, const char *source, const char *target, bool is_partial, struct buf *sql)
{
    const struct table_column *cursor = cursor_column(table);
    const struct table_column *key = table->columns;
    while (!key->is_key) key++;
    buf_append_text(sql, "WITH newest AS MATERIALIZED (SELECT DISTINCT ON (");
    put_keys(table, "r.", sql);
    buf_printf(sql, ") r.* FROM %s r ORDER BY ", source);
    put_keys(table, "r.", sql);
    buf_append_text(sql, ", ");
    put_newest_first(table, "r.", sql);
    buf_append_text(sql, "), joined AS (SELECT ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (is_partial && !table->columns[i].is_key) {
            buf_append_text(sql, "CASE WHEN ");
            put_is_missing("s.", &table->columns[i], sql);
            buf_append_text(sql, " THEN ");
            put_column("t.", &table->columns[i], sql);
            buf_append_text(sql, " ELSE ");
            put_column("s.", &table->columns[i], sql);
            buf_append_text(sql, " END AS ");
            put_column("", &table->columns[i], sql);
        } else {
            put_column("s.", &table->columns[i], sql);
        }
        buf_printf(sql, ", ");
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        put_column("t.", &table->columns[i], sql);
        buf_printf(sql, " AS t%u, ", i);
    }
    buf_append_text(sql, "s._sluice_deleted, coalesce(t._sluice_deleted, false) AS was_deleted, ");
    put_column("t.", key, sql);
    buf_append_text(sql, " IS NULL AS is_fresh, ");
    if (cursor) {
        buf_append_text(sql, "coalesce(");
        put_sortable("s.", cursor, sql);
        buf_append_text(sql, " < ");
        put_column("t.", cursor, sql);
        buf_append_text(sql, ", ");
        put_column("t.", cursor, sql);
        buf_append_text(sql, " IS NOT NULL AND NOT s._sluice_deleted)");
    } else {
        buf_append_text(sql, "false");
    }
    buf_printf(sql, " AS is_stale FROM newest s LEFT JOIN %s t ON ", target);
    put_key_join(table, "t.", "s.", sql);
    buf_append_text(sql, "), verdict AS MATERIALIZED (SELECT *, ROW(_sluice_deleted");
    for (uint32_t i = 0; i < table->column_count; i++) put_column(", ", &table->columns[i], sql);
    buf_append_text(sql, ") IS NOT DISTINCT FROM ROW(was_deleted");
    for (uint32_t i = 0; i < table->column_count; i++) buf_printf(sql, ", t%u", i);
    buf_append_text(sql, ") AS is_same FROM joined)");
}

int pgw_merge_rows(struct transaction *tx, const struct table *table, const char *source, struct merge_counts *counts,
                   struct err *err)
{
    struct buf sql = BUF_INIT(4 * 1024 * 1024), target = BUF_INIT(1024);
    struct pg_result *result = NULL;
    char key[PG_INT_TEXT], load[PG_INT_TEXT];
    bool is_partial;
    int rc;
    *counts = (struct merge_counts){0};
    pgw_relation_quote(&table->at[PLACE_TARGET], &target);
    /* One merge at a time into a table, also between pipelines: two in opposite order would deadlock. */
    rc = pg_query(tx->pg, "SELECT pg_advisory_xact_lock($1)", PG_PARAMS(pg_int_text((int64_t)pg_hash(buf_text(&target)), key)),
                  NULL, err);
    if (rc != 0) goto out;
    if ((rc = fold_if_needed(tx, table, source, &counts->rows, &is_partial, err)) != 0) goto out;

    put_verdict(table, source, buf_text(&target), is_partial, &sql);
    buf_printf(&sql, ", put AS (INSERT INTO %s (", buf_text(&target));
    pgw_table_list(table, "", false, &sql);
    buf_append_text(&sql, ", " SYSTEM_COLUMNS ") SELECT ");
    pgw_table_list(table, "", false, &sql);
    buf_append_text(&sql,
                    ", now(), _sluice_deleted, $1::bigint FROM verdict WHERE is_fresh OR NOT (is_stale OR is_same) ORDER BY ");
    put_keys(table, "", &sql);
    buf_append_text(&sql, " ON CONFLICT (");
    pgw_table_list(table, "", true, &sql);
    buf_append_text(&sql, ") DO UPDATE SET ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_key) continue;
        put_column("", &table->columns[i], &sql);
        put_column(" = excluded.", &table->columns[i], &sql);
        buf_append_text(&sql, ", ");
    }
    buf_append_text(&sql, "_sluice_synced_at = excluded._sluice_synced_at, _sluice_deleted = excluded._sluice_deleted, "
                          "_sluice_load_id = excluded._sluice_load_id RETURNING _sluice_deleted) "
                          "SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM put WHERE _sluice_deleted), "
                          "(SELECT count(*) FROM verdict WHERE NOT is_fresh AND NOT is_stale AND is_same)");
    if (sql.failed) {
        rc = err_set(err, ERR_SCHEMA, "cannot merge: the statement is over %zu bytes", sql.max);
        goto out;
    }
    rc = pg_query(tx->pg, buf_text(&sql), PG_PARAMS(pg_int_text(tx->load_id, load)), &result, err);
    if (rc != 0) goto out;
    counts->written = (uint64_t)pg_int(result, 0, 0);
    counts->deleted = (uint64_t)pg_int(result, 0, 1);
    counts->unchanged = (uint64_t)pg_int(result, 0, 2);
    counts->deduplicated = counts->rows - counts->written - counts->unchanged;
out:
    pg_free(result);
    buf_release(&sql);
    buf_release(&target);
    return rc == 0 ? 0 : err_context(err, "could not merge into '%s'", table->at[PLACE_TARGET].name);
}

int pgw_merge_dedup_build(struct transaction *tx, const struct table *table, uint64_t *removed, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024), build = BUF_INIT(1024);
    uint64_t rows;
    bool is_partial;
    int rc;
    *removed = 0;
    pgw_relation_quote(&table->at[PLACE_BUILD], &build);
    if ((rc = fold_if_needed(tx, table, buf_text(&build), &rows, &is_partial, err)) != 0) goto out;
    buf_printf(&sql, "DELETE FROM %s b USING (SELECT r.ctid AS place, row_number() OVER (PARTITION BY ", buf_text(&build));
    pgw_table_list(table, "r.", true, &sql);
    buf_append_text(&sql, " ORDER BY ");
    put_newest_first(table, "r.", &sql);
    buf_printf(&sql, ") AS age FROM %s r JOIN (SELECT ", buf_text(&build));
    pgw_table_list(table, "", true, &sql);
    buf_printf(&sql, " FROM %s GROUP BY ", buf_text(&build));
    pgw_table_list(table, "", true, &sql);
    buf_append_text(&sql, " HAVING count(*) > 1) d ON ");
    put_key_join(table, "r.", "d.", &sql);
    buf_append_text(&sql, ") v WHERE b.ctid = v.place AND v.age > 1");
    rc = run(tx, &sql, removed, err);
out:
    buf_release(&sql);
    buf_release(&build);
    return rc;
}
