/* How it works: statements over a table with the columns of a stage. An emptied set stays in the target as rows marked deleted,
 * with the cursor of the version that emptied it: so an older version that comes later finds a newer one there. */
#include "writer/postgres/sets.h"

#include "writer/postgres/merge_sql.h"

bool pgw_sets_has_column(const struct table *table, enum place place)
{
    return map_get(&table->at[place].columns, STR(SET_COLUMN)) != NULL;
}

/* s.k = t.k AND .. for the columns that name a set. */
static void put_set_join(const struct table *table, const char *a, const char *b, struct buf *sql)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_set) continue;
        if (!is_first) buf_append_text(sql, " AND ");
        is_first = false;
        pgw_put_column(a, &table->columns[i], sql);
        buf_append_text(sql, " = ");
        pgw_put_column(b, &table->columns[i], sql);
    }
}

static void put_set(const struct table *table, bool sortable, struct buf *sql)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_set) continue;
        if (!is_first) buf_append_text(sql, ", ");
        is_first = false;
        if (sortable)
            pgw_put_sortable("", &table->columns[i], sql);
        else
            pgw_put_column("", &table->columns[i], sql);
    }
}

/* Runs a DELETE, "FROM .. WHERE ..", of rows called s. *removed: those that were not only there to say that a set is empty. */
static int remove_rows(struct transaction *tx, const struct buf *from, uint64_t *removed, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    struct pg_result *result;
    buf_printf(&sql, "WITH gone AS (DELETE %s RETURNING s._sluice_set) SELECT count(_sluice_set) FROM gone", buf_text(from));
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *removed += (uint64_t)pg_int(result, 0, 0);
    pg_free(result);
    return 0;
}

static int has_versions(struct transaction *tx, const struct table *table, const char *source, bool *found, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    struct pg_result *result;
    buf_printf(&sql, "SELECT EXISTS (SELECT FROM %s GROUP BY ", source);
    put_set(table, false, &sql);
    buf_append_text(&sql, " HAVING min(coalesce(_sluice_set, _sluice_seq)) <> max(coalesce(_sluice_set, _sluice_seq)))");
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *found = pg_bool(result, 0, 0);
    pg_free(result);
    return 0;
}

int pgw_sets_keep_newest(struct transaction *tx, const struct table *table, const char *source, uint64_t *removed,
                         struct err *err)
{
    const struct table_column *cursor = pgw_cursor_column(table);
    bool found = false;
    int rc;
    *removed = 0;
    if ((rc = has_versions(tx, table, source, &found, err)) != 0 || !found) return rc;
    struct buf sql = BUF_INIT(1024 * 1024);
    buf_printf(&sql, "FROM %s s USING (SELECT DISTINCT ON (", source);
    put_set(table, true, &sql);
    buf_append_text(&sql, ") ");
    put_set(table, false, &sql);
    buf_printf(&sql, ", coalesce(_sluice_set, _sluice_seq) AS newest FROM %s ORDER BY ", source);
    put_set(table, true, &sql);
    if (cursor) {
        buf_append_text(&sql, ", ");
        pgw_put_sortable("", cursor, &sql);
        buf_append_text(&sql, " DESC NULLS LAST");
    }
    buf_append_text(&sql, ", coalesce(_sluice_set, _sluice_seq) DESC) n WHERE ");
    put_set_join(table, "s.", "n.", &sql);
    buf_append_text(&sql, " AND coalesce(s._sluice_set, s._sluice_seq) <> n.newest");
    rc = remove_rows(tx, &sql, removed, err);
    buf_release(&sql);
    return rc;
}

int pgw_sets_drop_empty(struct transaction *tx, const struct table *table, const char *source, struct err *err)
{
    struct buf sql = BUF_INIT(4096);
    (void)table;
    buf_printf(&sql, "DELETE FROM %s WHERE _sluice_set IS NULL", source);
    int rc = pgw_run(tx, &sql, NULL, err);
    buf_release(&sql);
    return rc;
}

/* Sets of which the target has a newer version. */
static int drop_stale(struct transaction *tx, const struct table *table, const char *source, const char *target,
                      uint64_t *removed, struct err *err)
{
    const struct table_column *cursor = pgw_cursor_column(table);
    struct buf sql = BUF_INIT(1024 * 1024);
    if (!cursor) return 0;
    buf_printf(&sql, "FROM %s s WHERE EXISTS (SELECT FROM %s t WHERE ", source, target);
    put_set_join(table, "t.", "s.", &sql);
    buf_append_text(&sql, " AND coalesce(");
    pgw_put_sortable("s.", cursor, &sql);
    buf_append_text(&sql, " < ");
    pgw_put_column("t.", cursor, &sql);
    buf_append_text(&sql, ", ");
    pgw_put_column("t.", cursor, &sql);
    buf_append_text(&sql, " IS NOT NULL))");
    int rc = remove_rows(tx, &sql, removed, err);
    buf_release(&sql);
    return rc;
}

/* Marks what is not in the new sets. With `again` only what is marked already, so that an empty set is known to be as new as it
 * is; where rows are left, they say so. */
static int mark_rest(struct transaction *tx, const struct table *table, const char *source, const char *target, bool again,
                     uint64_t *marked, struct err *err)
{
    const struct table_column *cursor = pgw_cursor_column(table);
    struct buf sql = BUF_INIT(1024 * 1024);
    if (again && !cursor) return 0;
    buf_printf(&sql, "UPDATE %s t SET ", target);
    if (cursor) {
        pgw_put_column("", cursor, &sql);
        buf_append_text(&sql, " = n._sluice_newest, ");
    }
    buf_printf(&sql, "_sluice_deleted = true, _sluice_synced_at = now(), _sluice_load_id = %lld FROM (SELECT ",
               (long long)tx->load_id);
    put_set(table, false, &sql);
    if (cursor) {
        pgw_put_column(", max(", cursor, &sql);
        buf_append_text(&sql, ") AS _sluice_newest");
    }
    buf_printf(&sql, " FROM %s GROUP BY ", source);
    put_set(table, false, &sql);
    if (again) buf_append_text(&sql, " HAVING count(_sluice_set) = 0");
    buf_append_text(&sql, ") n WHERE ");
    put_set_join(table, "t.", "n.", &sql);
    buf_append_text(&sql, again ? " AND t._sluice_deleted" : " AND NOT t._sluice_deleted");
    if (again) {
        pgw_put_column(" AND t.", cursor, &sql);
        buf_append_text(&sql, " IS DISTINCT FROM n._sluice_newest");
    }
    buf_printf(&sql, " AND NOT EXISTS (SELECT FROM %s s WHERE s._sluice_set IS NOT NULL AND ", source);
    pgw_put_key_join(table, "s.", "t.", &sql);
    buf_append_text(&sql, ")");
    int rc = pgw_run(tx, &sql, marked, err);
    buf_release(&sql);
    return rc;
}

int pgw_sets_replace(struct transaction *tx, const struct table *table, const char *source, const char *target,
                     uint64_t *removed, uint64_t *deleted, struct err *err)
{
    uint64_t ignored;
    int rc;
    *deleted = 0;
    if ((rc = pgw_sets_keep_newest(tx, table, source, removed, err)) != 0) return rc;
    if ((rc = drop_stale(tx, table, source, target, removed, err)) != 0) return rc;
    if ((rc = mark_rest(tx, table, source, target, true, &ignored, err)) != 0) return rc;
    if ((rc = mark_rest(tx, table, source, target, false, deleted, err)) != 0) return rc;
    return pgw_sets_drop_empty(tx, table, source, err);
}
