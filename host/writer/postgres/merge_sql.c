/* Text is compared bytewise (COLLATE "C"): cursors are ordered by the source, not by this database's language. */
#include "writer/postgres/merge_sql.h"

const struct table_column *pgw_cursor_column(const struct table *table)
{
    if (!table->spec->cursor) return NULL;
    const struct column *field = schema_find(table->spec->schema, str_from(table->spec->cursor));
    return field && field->index < table->column_count ? &table->columns[field->index] : NULL;
}

void pgw_put_column(const char *prefix, const struct table_column *column, struct buf *sql)
{
    buf_append_text(sql, prefix);
    pg_quote_name(sql, column->name);
}

void pgw_put_sortable(const char *prefix, const struct table_column *column, struct buf *sql)
{
    pgw_put_column(prefix, column, sql);
    if (column->type == TYPE_STRING) buf_append_text(sql, " COLLATE \"C\"");
}

void pgw_put_key_join(const struct table *table, const char *a, const char *b, struct buf *sql)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_key) continue;
        if (!is_first) buf_append_text(sql, " AND ");
        is_first = false;
        pgw_put_column(a, &table->columns[i], sql);
        buf_append_text(sql, " = ");
        pgw_put_column(b, &table->columns[i], sql);
    }
}

int pgw_run(struct transaction *tx, struct buf *sql, uint64_t *changed, struct err *err)
{
    uint64_t ignored;
    if (sql->failed) return err_set(err, ERR_SCHEMA, "cannot merge: the statement is over %zu bytes", sql->max);
    return pg_change(tx->pg, buf_text(sql), PG_NONE, changed ? changed : &ignored, err);
}
