/* Plain statements; the rules about when to use which are in load.c and publish.c. */
#include "writer/postgres/stage.h"

#include "writer/postgres/ledger.h"
#include "writer/postgres/load.h"
#include "writer/postgres/truncate.h"

static void put_slices(const char *slices, struct buf *sql)
{
    if (slices) buf_append_text(sql, " WHERE _sluice_slice = ANY($1::text[])");
}

static int change(struct transaction *tx, const struct buf *sql, const char *slices, uint64_t *rows, struct err *err)
{
    uint64_t ignored;
    const char *const params[] = {slices};
    return pg_change(tx->pg, buf_text(sql), params, slices ? 1 : 0, rows ? rows : &ignored, err);
}

bool pgw_stage_is_volatile(const struct writer *writer)
{
    return !writer->spec.resumable && !pgw_flow_is_building(writer);
}

int pgw_stage_check(struct writer *writer, struct transaction *tx, const struct table *table, const char *restarted,
                    const char *abandoned, struct rows_copied *lost, struct err *err)
{
    const struct relation *stage = &table->at[PLACE_STAGE];
    struct buf sql = BUF_INIT(4096);
    struct pg_result *result = NULL;
    *lost = (struct rows_copied){0};
    if (!stage->exists || !writer->has_held) return 0;
    buf_append_text(&sql, "SELECT b.rows, b.rows - b.empties, EXISTS (SELECT FROM _sluice.held h WHERE h.pipeline = $3 AND "
                          "h.flow = $4 AND h.slice <> "
                          "ALL(coalesce($5::text[], '{}') || coalesce($6::text[], '{}'))) FROM _sluice.builds b "
                          "WHERE b.table_schema = $1 AND b.table_name = $2 AND b.rows > 0 AND NOT EXISTS (SELECT FROM ");
    pgw_relation_quote(stage, &sql);
    buf_append_text(&sql, ")");
    int rc = pg_query(tx->pg, buf_text(&sql),
                      PG_PARAMS(stage->schema, stage->name, writer->spec.pipeline, writer->spec.flow, restarted, abandoned),
                      &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    if (pg_rows(result)) *lost = (struct rows_copied){(uint64_t)pg_int(result, 0, 0), (uint64_t)pg_int(result, 0, 1)};
    bool is_needed = lost->all && pg_bool(result, 0, 2);
    pg_free(result);
    if (!is_needed) return 0;
    err_set(err, ERR_DESTINATION, "%llu rows of stream '%s' that were not published yet are gone: the server has crashed",
            (unsigned long long)lost->rows, table->spec->stream);
    return err_hint(err, "run the sync again; it reads them again");
}

/* `change` sets `rows` and `empties`. */
static int set_count(struct transaction *tx, const struct table *table, const char *change, struct err *err)
{
    const struct relation *stage = &table->at[PLACE_STAGE];
    struct buf sql = BUF_INIT(1024);
    buf_printf(&sql, "UPDATE _sluice.builds SET %s WHERE table_schema = $1 AND table_name = $2", change);
    int rc = pg_query(tx->pg, buf_text(&sql), PG_PARAMS(stage->schema, stage->name), NULL, err);
    buf_release(&sql);
    return rc;
}

int pgw_stage_count(struct transaction *tx, const struct table *table, const struct rows_copied *rows, int sign,
                    struct err *err)
{
    char change[128];
    if (rows->all == 0) return 0;
    snprintf(change, sizeof(change), "rows = rows + (%lld), empties = empties + (%lld)", sign * (long long)rows->all,
             sign * (long long)(rows->all - rows->rows));
    return set_count(tx, table, change, err);
}

/* Runs a DELETE of a side table's rows, called r, and counts them. */
static int delete_rows(struct transaction *tx, const struct table *table, const struct buf *delete, const char *const *params,
                       size_t param_count, struct rows_copied *gone, struct err *err)
{
    struct buf sql = BUF_INIT(8192);
    struct pg_result *result;
    int rc;
    if (!table->spec->set_count && !pgw_truncate_is_possible(table)) {
        rc = pg_change(tx->pg, buf_text(delete), params, param_count, &gone->all, err);
        gone->rows = gone->all;
        return rc;
    }
    buf_printf(&sql, "WITH gone AS (%s RETURNING ", buf_text(delete));
    if (table->spec->set_count)
        buf_append_text(&sql, "r." SET_COLUMN);
    else
        pgw_truncate_put_is_row(table, "r.", &sql);
    buf_append_text(&sql, " AS row) SELECT count(*), count(row) FROM gone");
    rc = pg_query(tx->pg, buf_text(&sql), params, param_count, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *gone = (struct rows_copied){(uint64_t)pg_int(result, 0, 0), (uint64_t)pg_int(result, 0, 1)};
    pg_free(result);
    return 0;
}

int pgw_stage_append(struct transaction *tx, const struct table *table, enum place from, const char *slices, uint64_t *rows,
                     struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    buf_append_text(&sql, "INSERT INTO ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    buf_append_text(&sql, " (");
    pgw_table_list(table, "", false, &sql);
    buf_append_text(&sql, ", " SYSTEM_COLUMNS ") SELECT ");
    pgw_table_list(table, "", false, &sql);
    buf_printf(&sql, ", now(), _sluice_deleted, %lld FROM ", (long long)tx->load_id);
    pgw_relation_quote(&table->at[from], &sql);
    put_slices(slices, &sql);
    if (table->spec->set_count) buf_printf(&sql, " %s " SET_COLUMN " IS NOT NULL", slices ? "AND" : "WHERE");
    buf_append_text(&sql, " ORDER BY _sluice_seq");
    int rc = change(tx, &sql, slices, rows, err);
    buf_release(&sql);
    return rc;
}

int pgw_stage_collect(struct transaction *tx, const struct table *table, const char *slices, const char *into,
                      uint64_t *collected, struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    for (int part = 0; part < 2; part++) {
        buf_printf(&sql, part == 0 ? "INSERT INTO %s (" : "SELECT ", into);
        pgw_table_list(table, "", false, &sql);
        buf_printf(&sql, ", " SYSTEM_COLUMNS ", _sluice_slice, _sluice_seq, _sluice_missing%s%s",
                   table->spec->set_count ? ", " SET_COLUMN : "", part == 0 ? ") " : " FROM ");
    }
    pgw_relation_quote(&table->at[PLACE_STAGE], &sql);
    put_slices(slices, &sql);
    int rc = change(tx, &sql, slices, collected, err);
    buf_release(&sql);
    return rc;
}

int pgw_stage_delete(struct transaction *tx, const struct table *table, const char *slices, struct err *err)
{
    struct buf sql = BUF_INIT(4096);
    struct rows_copied gone = {0};
    const char *const params[] = {slices};
    int rc;
    /* The stage is nobody else's, so emptying it needs no care for readers. */
    buf_append_text(&sql, slices ? "DELETE FROM " : "TRUNCATE ");
    pgw_relation_quote(&table->at[PLACE_STAGE], &sql);
    if (slices) {
        buf_append_text(&sql, " r");
        put_slices(slices, &sql);
        rc = delete_rows(tx, table, &sql, params, 1, &gone, err);
        if (rc == 0) rc = pgw_stage_count(tx, table, &gone, -1, err);
    } else {
        rc = change(tx, &sql, NULL, NULL, err);
        if (rc == 0) rc = set_count(tx, table, "rows = 0, empties = 0", err);
    }
    buf_release(&sql);
    return rc;
}

/* DELETE FROM stage and build `r`, with what follows. */
static int delete_unpublished(struct transaction *tx, const struct table *table, const char *which, const char *const *params,
                              size_t count, uint64_t *rows, struct err *err)
{
    int rc = 0;
    *rows = 0;
    for (enum place place = PLACE_STAGE; rc == 0 && place < PLACES; place++) {
        struct buf sql = BUF_INIT(4096);
        struct rows_copied gone = {0};
        if (!table->at[place].exists) continue;
        buf_append_text(&sql, "DELETE FROM ");
        pgw_relation_quote(&table->at[place], &sql);
        buf_printf(&sql, " r %s", which);
        rc = delete_rows(tx, table, &sql, params, count, &gone, err);
        if (rc == 0 && place == PLACE_STAGE) rc = pgw_stage_count(tx, table, &gone, -1, err);
        *rows += gone.rows;
        buf_release(&sql);
    }
    return rc;
}

int pgw_stage_restart(struct writer *writer, struct transaction *tx, const struct table *table, const char *slices,
                      uint64_t *rows, struct err *err)
{
    return delete_unpublished(tx, table,
                              "USING _sluice.held h WHERE h.pipeline = $1 AND h.flow = $2 AND h.slice = ANY($3::text[]) "
                              "AND r._sluice_slice = h.slice AND r._sluice_seq >= h.from_seq",
                              PG_PARAMS(writer->spec.pipeline, writer->spec.flow, slices), rows, err);
}

int pgw_stage_abandon(struct transaction *tx, const struct table *table, const char *slices, uint64_t *rows, struct err *err)
{
    return delete_unpublished(tx, table, "WHERE r._sluice_slice = ANY($1::text[])", PG_PARAMS(slices), rows, err);
}

/* Rows of a side table, without marks. `is_stage`: as they were counted, should a crash have
 * emptied it. */
static int count_rows(struct transaction *tx, const struct pg_result *side, size_t i, uint64_t *rows, struct err *err)
{
    struct buf sql = BUF_INIT(4096);
    struct pg_result *result;
    *rows = (uint64_t)pg_int(side, i, 4);
    if (strcmp(pg_cell(side, i, 1), "stage") == 0) return 0;
    buf_printf(&sql, "SELECT count(%s) FROM ", pg_bool(side, i, 5) ? SET_COLUMN : "*");
    pg_quote_table(&sql, pg_cell(side, i, 2), pg_cell(side, i, 3));
    int rc = pg_query(tx->pg, buf_text(&sql), PG_NONE, &result, err);
    buf_release(&sql);
    if (rc != 0) return rc;
    *rows = (uint64_t)pg_int(result, 0, 0);
    pg_free(result);
    return 0;
}

static int drop_side(struct writer *writer, struct transaction *tx, const struct pg_result *sides, size_t i, struct err *err)
{
    const char *stream = pg_cell(sides, i, 0);
    struct buf sql = BUF_INIT(4096);
    uint64_t rows = 0;
    int rc = count_rows(tx, sides, i, &rows, err);
    buf_append_text(&sql, "DROP TABLE ");
    pg_quote_table(&sql, pg_cell(sides, i, 2), pg_cell(sides, i, 3));
    if (rc == 0) rc = pg_exec(tx->pg, buf_text(&sql), err);
    buf_release(&sql);
    if (rc == 0)
        rc = pg_query(tx->pg, "DELETE FROM _sluice.builds WHERE table_schema = $1 AND table_name = $2",
                      PG_PARAMS(pg_cell(sides, i, 2), pg_cell(sides, i, 3)), NULL, err);
    if (rc != 0 || rows == 0) return rc;
    const struct ledger_counts delta = {.written = -(int64_t)rows, .discarded = (int64_t)rows};
    return pgw_ledger_add_load(writer, tx->pg, tx->load_id, stream, "load", &delta, NULL, err);
}

int pgw_stage_drop_others(struct writer *writer, struct transaction *tx, struct err *err)
{
    struct buf chosen = BUF_INIT(SIZE_MAX);
    struct pg_result *sides = NULL;
    if (!writer->has_others) return 0;
    for (size_t t = 0; t < writer->table_count; t++) pg_array_add(&chosen, writer->tables[t].spec->stream);
    pg_array_end(&chosen);
    int rc = pg_query(tx->pg,
                      "SELECT stream, kind, table_schema, table_name, rows - empties, EXISTS (SELECT FROM pg_attribute "
                      "WHERE attrelid = to_regclass(format('%I.%I', table_schema, table_name)) AND attname = '" SET_COLUMN "') "
                      "FROM _sluice.builds WHERE pipeline = $1 AND flow = $2 AND stream <> ALL($3::text[])",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow, buf_text(&chosen)), &sides, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(sides); i++) rc = drop_side(writer, tx, sides, i, err);
    pg_free(sides);
    buf_release(&chosen);
    return rc;
}

int pgw_stage_hold(struct writer *writer, struct transaction *tx, const char *slice, uint64_t from_seq, struct err *err)
{
    char seq[PG_INT_TEXT];
    int rc =
        pg_query(tx->pg, "INSERT INTO _sluice.held VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                 PG_PARAMS(writer->spec.pipeline, writer->spec.flow, slice, pg_int_text((int64_t)from_seq, seq)), NULL, err);
    if (rc == 0) tx->has_held = true;
    return rc;
}

int pgw_stage_settle(struct writer *writer, struct transaction *tx, const char *slices, struct err *err)
{
    struct pg_result *result;
    int rc = pg_query(
        tx->pg,
        "DELETE FROM _sluice.held WHERE pipeline = $1 AND flow = $2 AND ($3::text[] IS NULL OR slice = ANY($3::text[]))",
        PG_PARAMS(writer->spec.pipeline, writer->spec.flow, slices), NULL, err);
    if (rc != 0) return rc;
    rc = pg_query(tx->pg, "SELECT EXISTS (SELECT FROM _sluice.held WHERE pipeline = $1 AND flow = $2)",
                  PG_PARAMS(writer->spec.pipeline, writer->spec.flow), &result, err);
    if (rc == 0) tx->has_held = pg_bool(result, 0, 0);
    pg_free(result);
    return rc;
}
