/* truncate: see truncate.h. */
#include "writer/postgres/truncate.h"

#include "writer/postgres/merge_sql.h"
#include "writer/postgres/replace.h"
#include "writer/postgres/table.h"

bool pgw_truncate_is_possible(const struct table *table)
{
    return table->spec->mode == WRITE_APPEND_DEDUP && !table->spec->set_count;
}

void pgw_truncate_put_is_row(const struct table *table, const char *prefix, struct buf *sql)
{
    uint32_t i = 0;
    while (i + 1 < table->column_count && !table->columns[i].is_key) i++;
    pgw_put_column(prefix, &table->columns[i], sql);
}

/* Makes the set begin behind its newest mark; false: it has none. */
static bool skip_to_mark(struct row_set *set, uint64_t *skipped)
{
    uint64_t rows = 0, before = 0;
    size_t at = 0;
    for (size_t b = 0; b < set->count; b++) {
        const struct batch *batch = set->batches[b];
        for (size_t row = 0; row < batch->rows; row++, at++) {
            rows += !row_is_mark(batch->operations[row]);
            if (batch->operations[row] != ROW_TRUNCATE) continue;
            set->first = at + 1;
            before = rows;
        }
    }
    *skipped += before;
    return set->first > 0;
}

static bool has_marks(const struct row_set *set)
{
    for (size_t b = 0; b < set->count; b++)
        if (set->batches[b]->marks) return true;
    return false;
}

int pgw_truncate_stage(struct transaction *tx, const struct table *table, const struct row_set *set, struct err *err)
{
    struct buf sql = BUF_INIT(64 * 1024);
    if (!pgw_truncate_is_possible(table) || !has_marks(set)) return 0;
    buf_append_text(&sql, "ALTER TABLE ");
    pgw_relation_quote(&table->at[PLACE_STAGE], &sql);
    const char *behind = " ";
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].is_key) continue;
        buf_printf(&sql, "%sALTER COLUMN ", behind);
        pg_quote_name(&sql, table->columns[i].name);
        buf_append_text(&sql, " DROP NOT NULL");
        behind = ", ";
    }
    int rc = pgw_run(tx, &sql, NULL, err);
    buf_release(&sql);
    return rc;
}

int pgw_truncate_build(struct transaction *tx, const struct table *table, struct row_set *set, uint64_t *gone,
                       uint64_t *skipped, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    uint64_t rows = 0;
    set->first = 0;
    if (table->spec->mode == WRITE_APPEND || !has_marks(set) || !skip_to_mark(set, skipped)) return 0;
    buf_append_text(&sql, "DELETE FROM ");
    pgw_relation_quote(&table->at[PLACE_BUILD], &sql);
    int rc = pgw_run(tx, &sql, &rows, err);
    buf_release(&sql);
    *gone += rows;
    return rc;
}

int pgw_truncate_source(struct transaction *tx, const struct table *table, const char *source, uint64_t *rows, struct err *err)
{
    struct buf sql = BUF_INIT(8192);
    struct pg_result *result;
    buf_printf(&sql, "WITH gone AS (DELETE FROM %s s WHERE s._sluice_seq <= (SELECT max(_sluice_seq) FROM %s WHERE ", source,
               source);
    pgw_truncate_put_is_row(table, "", &sql);
    buf_append_text(&sql, " IS NULL) RETURNING ");
    pgw_truncate_put_is_row(table, "s.", &sql);
    buf_append_text(&sql, " AS mark) SELECT count(mark) FROM gone");
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *rows = (uint64_t)pg_int(result, 0, 0);
    pg_free(result);
    return 0;
}

int pgw_truncate_target(struct transaction *tx, const struct table *table, const char *source, uint64_t *deleted,
                        struct err *err)
{
    struct buf sql = BUF_INIT(64 * 1024);
    uint64_t rows = 0;
    pgw_replace_put_mark(tx, table, &sql);
    buf_append_text(&sql, " WHERE true");
    pgw_replace_put_rest(table, source, &sql);
    int rc = pgw_run(tx, &sql, &rows, err);
    buf_release(&sql);
    *deleted += rows;
    return rc;
}
