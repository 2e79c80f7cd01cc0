/* replace: see replace.h. One statement per range: the ranges of a load are few, and each is as wide as a partition. */
#include "writer/postgres/replace.h"

#include "writer/postgres/merge_sql.h"
#include "writer/postgres/table.h"

/* " WHERE t.cursor >= $1 AND t.cursor < $2" */
static void put_range(const struct table_column *cursor, struct buf *sql)
{
    buf_append_text(sql, " WHERE ");
    pgw_put_column("t.", cursor, sql);
    buf_append_text(sql, " >= $1 AND ");
    pgw_put_column("t.", cursor, sql);
    buf_append_text(sql, " < $2");
}

/* Runs the statement for each range. */
static int change_ranges(struct transaction *tx, const struct load *load, const struct buf *sql, uint64_t *rows,
                         struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < load->slice_count; i++) {
        const struct load_slice *slice = &load->slices[i];
        const char *const params[] = {slice->replace_from, slice->replace_to};
        uint64_t changed = 0;
        if (load_slice_replaces(slice)) rc = pg_change(tx->pg, buf_text(sql), params, ARRAY_SIZE(params), &changed, err);
        *rows += changed;
    }
    return rc;
}

int pgw_replace_delete(struct transaction *tx, const struct table *table, const struct load *load, struct err *err)
{
    const struct table_column *cursor = pgw_cursor_column(table);
    struct buf sql = BUF_INIT(8192);
    uint64_t rows = 0;
    if (!cursor) return 0;
    buf_append_text(&sql, "DELETE FROM ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    buf_append_text(&sql, " t");
    put_range(cursor, &sql);
    int rc = change_ranges(tx, load, &sql, &rows, err);
    buf_release(&sql);
    return rc;
}

void pgw_replace_put_mark(const struct transaction *tx, const struct table *table, struct buf *sql)
{
    buf_append_text(sql, "UPDATE ");
    pgw_relation_quote(&table->at[PLACE_TARGET], sql);
    buf_printf(sql, " t SET _sluice_deleted = true, _sluice_synced_at = now(), _sluice_load_id = %lld", (long long)tx->load_id);
}

void pgw_replace_put_rest(const struct table *table, const char *source, struct buf *sql)
{
    buf_append_text(sql, " AND NOT coalesce(t._sluice_deleted, false)");
    if (!source) return;
    buf_printf(sql, " AND NOT EXISTS (SELECT FROM %s s WHERE ", source);
    pgw_put_key_join(table, "t.", "s.", sql);
    buf_append_char(sql, ')');
}

int pgw_replace_mark(struct transaction *tx, const struct table *table, const struct load *load, const char *source,
                     int64_t *deleted, struct err *err)
{
    const struct table_column *cursor = pgw_cursor_column(table);
    struct buf sql = BUF_INIT(64 * 1024);
    uint64_t rows = 0;
    if (!cursor) return 0;
    pgw_replace_put_mark(tx, table, &sql);
    put_range(cursor, &sql);
    pgw_replace_put_rest(table, source, &sql);
    int rc = change_ranges(tx, load, &sql, &rows, err);
    buf_release(&sql);
    *deleted += (int64_t)rows;
    return rc;
}
