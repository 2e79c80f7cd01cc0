/* How it works: make builds for tables that got no rows; give each keyed build its primary key, after deleting older versions
 * if there are any; then one short transaction renames, empties the stages into their targets, publishes the state and moves
 * the head. */
#include "writer/postgres/publish.h"

#include "os/log.h"
#include "writer/postgres/evolve.h"
#include "writer/postgres/ledger.h"
#include "writer/postgres/load.h"
#include "writer/postgres/merge.h"
#include "writer/postgres/overwrite.h"
#include "writer/postgres/stage.h"
#include "writer/postgres/statestore.h"
#include "writer/postgres/table.h"
#include "writer/postgres/transact.h"

/* An index of a large build takes its time; the lease and the cancel token limit it. */
static const struct pg_limits SEAL_LIMITS = {.lock_ms = 10000, .work_mem_mib = 64};
static const struct pg_limits SWAP_LIMITS = {.lock_ms = 2000, .statement_ms = 60 * 60 * 1000, .work_mem_mib = 64};

struct publication {
    struct table *table; /* being sealed */
    struct ledger_counts *deltas;
    bool shrank; /* the guard refused */
};

/* --- sealing -------------------------------------------------------------------------------------------------------------- */

static void put_index(const struct table *table, const char *kind, const char *name, struct buf *sql)
{
    buf_printf(sql, "CREATE %s ", kind);
    pg_quote_name(sql, name);
    buf_append_text(sql, " ON ");
    pgw_relation_quote(&table->at[PLACE_BUILD], sql);
    buf_append_text(sql, " (");
    pgw_table_list(table, "", true, sql);
    buf_append_text(sql, ")");
}

static int make_unique(struct transaction *tx, const struct table *table, uint64_t *removed, struct err *err)
{
    struct buf sql = BUF_INIT(256 * 1024), unique = BUF_INIT(256 * 1024);
    struct err failure = ERR_INIT;
    char key[PG_NAME_SIZE];
    int rc;
    *removed = 0;
    pgw_table_key_name(table, key);
    put_index(table, "UNIQUE INDEX", key, &unique);
    if ((rc = pg_exec(tx->pg, "SAVEPOINT sealing", err)) != 0) goto out;
    rc = pg_exec(tx->pg, buf_text(&unique), &failure);
    if (rc != 0 && strcmp(pg_sqlstate(tx->pg), "23505") == 0) {
        if ((rc = pg_exec(tx->pg, "ROLLBACK TO SAVEPOINT sealing", err)) != 0) goto out;
        put_index(table, "INDEX", "_sluice_sealing", &sql);
        if ((rc = pg_exec(tx->pg, buf_text(&sql), err)) != 0) goto out;
        if ((rc = pgw_merge_dedup_build(tx, table, removed, err)) != 0) goto out;
        buf_clear(&sql);
        buf_append_text(&sql, "DROP INDEX ");
        pg_quote_table(&sql, table->at[PLACE_BUILD].schema, "_sluice_sealing");
        if ((rc = pg_exec(tx->pg, buf_text(&sql), err)) != 0) goto out;
        if ((rc = pg_exec(tx->pg, buf_text(&unique), err)) != 0) goto out;
    } else if (rc != 0) {
        err_copy(err, &failure);
        goto out;
    }
    buf_clear(&sql);
    buf_append_text(&sql, "ALTER TABLE ");
    pgw_relation_quote(&table->at[PLACE_BUILD], &sql);
    buf_append_text(&sql, " ADD CONSTRAINT ");
    pg_quote_name(&sql, key);
    buf_append_text(&sql, " PRIMARY KEY USING INDEX ");
    pg_quote_name(&sql, key);
    rc = pg_exec(tx->pg, buf_text(&sql), err);
out:
    buf_release(&sql);
    buf_release(&unique);
    return rc;
}

static int seal_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    struct publication *publication = context;
    struct table *table = publication->table;
    struct ledger_counts delta = {0};
    struct pg_result *row;
    uint64_t removed;
    int rc = pg_query(tx->pg,
                      "SELECT sealed FROM _sluice.builds WHERE pipeline = $1 AND flow = $2 AND stream = $3 AND kind = 'build'",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow, table->spec->stream), &row, err);
    if (rc != 0) return rc;
    bool is_sealed = pg_rows(row) && pg_bool(row, 0, 0);
    pg_free(row);
    publication->deltas[table->index] = delta;
    if (is_sealed) return 0;
    if ((rc = make_unique(tx, table, &removed, err)) != 0) return rc;
    delta.written = -(int64_t)removed;
    delta.deduplicated = (int64_t)removed;
    publication->deltas[table->index] = delta;
    if (removed &&
        (rc = pgw_ledger_add_load(writer, tx->pg, tx->load_id, table->spec->stream, "publish", &delta, NULL, err)) != 0)
        return rc;
    return pg_query(tx->pg,
                    "UPDATE _sluice.builds SET sealed = true "
                    "WHERE pipeline = $1 AND flow = $2 AND stream = $3 AND kind = 'build'",
                    PG_PARAMS(writer->spec.pipeline, writer->spec.flow, table->spec->stream), NULL, err);
}

/* --- the swap ------------------------------------------------------------------------------------------------------------- */

static int rename_build(struct transaction *tx, const struct table *table, struct err *err)
{
    struct buf sql = BUF_INIT(4096);
    buf_append_text(&sql, "ALTER TABLE ");
    pgw_relation_quote(&table->at[PLACE_BUILD], &sql);
    buf_append_text(&sql, " DROP COLUMN _sluice_slice, DROP COLUMN _sluice_seq, DROP COLUMN _sluice_missing; ALTER TABLE ");
    pgw_relation_quote(&table->at[PLACE_BUILD], &sql);
    buf_append_text(&sql, " RENAME TO ");
    pg_quote_name(&sql, table->at[PLACE_TARGET].name);
    int rc = pg_exec(tx->pg, buf_text(&sql), err);
    buf_release(&sql);
    return rc;
}

static int publish_stage(struct transaction *tx, const struct table *table, struct ledger_counts *delta, struct err *err)
{
    struct buf name = BUF_INIT(1024);
    struct merge_counts merged;
    uint64_t rows = 0;
    int rc;
    if (table->spec->mode == WRITE_APPEND_DEDUP) {
        pgw_relation_quote(&table->at[PLACE_STAGE], &name);
        rc = pgw_merge_rows(tx, table, buf_text(&name), &merged, err);
        if (rc == 0) {
            delta->written = (int64_t)merged.written - (int64_t)merged.rows;
            delta->unchanged = (int64_t)merged.unchanged;
            delta->deduplicated = (int64_t)merged.deduplicated;
            delta->deleted = (int64_t)merged.deleted;
        }
    } else {
        rc = pgw_stage_append(tx, table, NULL, &rows, err);
    }
    if (rc == 0) rc = pgw_stage_delete(tx, table, NULL, err);
    buf_release(&name);
    return rc;
}

static int swap_table(struct writer *writer, struct transaction *tx, struct publication *publication, struct table *table,
                      struct err *err)
{
    struct ledger_counts *delta = &publication->deltas[table->index];
    int rc = 0;
    *delta = (struct ledger_counts){0};
    if (table->at[PLACE_BUILD].exists) {
        if (table->at[PLACE_TARGET].exists) rc = pgw_overwrite_drop_target(tx, table, &publication->shrank, err);
        return rc == 0 ? rename_build(tx, table, err) : rc;
    }
    if (!table->at[PLACE_STAGE].exists || !table->at[PLACE_TARGET].exists) return 0;
    if ((rc = publish_stage(tx, table, delta, err)) != 0) return rc;
    bool is_empty = memcmp(delta, &(struct ledger_counts){0}, sizeof(*delta)) == 0;
    return is_empty ? 0 : pgw_ledger_add_load(writer, tx->pg, tx->load_id, table->spec->stream, "publish", delta, NULL, err);
}

static const char *stream_array(const struct writer *writer, struct arena *arena)
{
    struct buf streams = BUF_INIT(SIZE_MAX);
    for (size_t t = 0; t < writer->table_count; t++) pg_array_add(&streams, writer->tables[t].spec->stream);
    pg_array_end(&streams);
    const char *text = arena_strdup(arena, buf_text(&streams));
    buf_release(&streams);
    return text;
}

static int swap_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    struct publication *publication = context;
    const char *streams = stream_array(writer, tx->arena);
    int rc;
    publication->shrank = false;
    for (size_t t = 0; t < writer->table_count; t++)
        if ((rc = swap_table(writer, tx, publication, &writer->tables[t], err)) != 0) return rc;
    if ((rc = pgw_state_publish(writer, tx, streams, err)) != 0) return rc;
    if ((rc = pgw_stage_settle(writer, tx, NULL, err)) != 0) return rc;
    tx->is_building = false;
    tx->is_publishing = false;
    return pg_query(
        tx->pg, "DELETE FROM _sluice.builds WHERE pipeline = $1 AND flow = $2 AND kind = 'build' AND stream = ANY($3::text[])",
        PG_PARAMS(writer->spec.pipeline, writer->spec.flow, streams), NULL, err);
}

/* The shrink guard refused: what was built is not wanted. */
static int discard_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    int rc = 0;
    (void)context;
    for (size_t t = 0; rc == 0 && t < writer->table_count; t++) {
        const struct table *table = &writer->tables[t];
        struct buf sql = BUF_INIT(1024);
        if (table->at[PLACE_BUILD].exists) {
            buf_append_text(&sql, "DROP TABLE ");
            pgw_relation_quote(&table->at[PLACE_BUILD], &sql);
            rc = pg_exec(tx->pg, buf_text(&sql), err);
        }
        buf_release(&sql);
        if (rc == 0 && table->at[PLACE_STAGE].exists) rc = pgw_stage_delete(tx, table, NULL, err);
    }
    if (rc == 0) rc = pgw_stage_settle(writer, tx, NULL, err);
    if (rc == 0)
        rc = pg_query(
            tx->pg,
            "DELETE FROM _sluice.builds WHERE pipeline = $1 AND flow = $2 AND kind = 'build' AND stream = ANY($3::text[])",
            PG_PARAMS(writer->spec.pipeline, writer->spec.flow, stream_array(writer, tx->arena)), NULL, err);
    if (rc == 0)
        rc = pg_query(tx->pg, "DELETE FROM _sluice.state WHERE pipeline = $1 AND flow = $2 AND pending",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow), NULL, err);
    tx->is_building = false;
    tx->is_publishing = false;
    return rc;
}

static int discard(struct writer *writer, const struct err *reason, struct err *err)
{
    struct err failure = ERR_INIT;
    if (pgw_transact(writer, &SWAP_LIMITS, discard_body, NULL, &failure) != 0)
        log_warn(writer->destination->log, "could not drop what was built of flow '%s': %s", writer->spec.flow,
                 failure.message);
    else
        for (size_t t = 0; t < writer->table_count; t++) pgw_relation_forget(&writer->tables[t].at[PLACE_BUILD]);
    return err_copy(err, reason);
}

/* Builds of tables that got no rows at all. */
static int build_empty_tables(struct writer *writer, struct err *err)
{
    uint32_t *counts = mem_zero(writer->table_count, sizeof(*counts));
    bool(*needs)[PLACES] = mem_zero(writer->table_count, sizeof(*needs));
    for (size_t t = 0; t < writer->table_count; t++) {
        counts[t] = schema_count(writer->tables[t].spec->schema);
        needs[t][PLACE_BUILD] = counts[t] > 0 && pgw_table_uses_build(&writer->tables[t]);
    }
    int rc = pgw_evolve(writer, counts, needs, err);
    free(counts);
    free(needs);
    return rc;
}

/* Memory follows the swap. A table that was replaced gets the statistics its predecessor had; those of a new one come by
 * themselves, and no merge waits for them: its size and that its key is unique are known from the file and the index. */
static void follow_swap(struct writer *writer)
{
    struct err ignored = ERR_INIT;
    for (size_t t = 0; t < writer->table_count; t++) {
        struct table *table = &writer->tables[t];
        struct buf sql = BUF_INIT(1024);
        if (!table->at[PLACE_BUILD].exists) continue;
        map_release(&table->at[PLACE_TARGET].columns);
        table->at[PLACE_TARGET].columns = table->at[PLACE_BUILD].columns;
        table->at[PLACE_TARGET].exists = true;
        table->at[PLACE_BUILD].columns = MAP_INIT;
        table->at[PLACE_BUILD].exists = false;
        if (table->spec->mode != WRITE_OVERWRITE) continue;
        buf_append_text(&sql, "ANALYZE ");
        pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
        if (pg_exec(writer->pg, buf_text(&sql), &ignored) != 0)
            log_debug(writer->destination->log, "could not analyze: %s", ignored.message);
        buf_release(&sql);
    }
    writer->building_since_ms = 0;
}

int pgw_publish_flow(struct writer *writer, struct load_counts *counts, struct err *err)
{
    struct publication publication = {.deltas = mem_zero(writer->table_count, sizeof(struct ledger_counts))};
    struct err failure = ERR_INIT;
    int rc;
    if ((rc = build_empty_tables(writer, err)) != 0) goto out;
    for (size_t t = 0; t < writer->table_count; t++) {
        publication.table = &writer->tables[t];
        if (!publication.table->at[PLACE_BUILD].exists || publication.table->spec->mode != WRITE_APPEND_DEDUP) continue;
        if ((rc = pgw_transact(writer, &SEAL_LIMITS, seal_body, &publication, err)) != 0) goto out;
        pgw_report_counts(publication.table, &publication.deltas[t], counts ? &counts[t] : NULL);
    }
    if ((rc = pgw_transact(writer, &SWAP_LIMITS, swap_body, &publication, &failure)) != 0) {
        rc = publication.shrank ? discard(writer, &failure, err) : err_copy(err, &failure);
        goto out;
    }
    for (size_t t = 0; t < writer->table_count; t++)
        pgw_report_counts(&writer->tables[t], &publication.deltas[t], counts ? &counts[t] : NULL);
    follow_swap(writer);
out:
    free(publication.deltas);
    if (rc != 0 && rc != ERR_HELD && rc != ERR_CANCELLED && rc != ERR_SCHEMA)
        err_context(err, "could not publish flow '%s'", writer->spec.flow);
    return rc;
}
