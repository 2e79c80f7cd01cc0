/* How it works: choose how overwrite treats the tables there are; make builds for tables that got no rows, and add the columns
 * a table lacks that will be changed in place; give each keyed build its primary key, after deleting older versions if there
 * are any; then one transaction changes rows in place, empties the stages into their targets, renames, publishes the state and
 * moves the head. The renames come last, since they alone keep readers waiting.
 *
 * What was chosen is looked at again under the lock that keeps it true. If somebody attached a thing to the table meanwhile (or
 * took it off), all of it starts again with another choice. */
#include "writer/postgres/publish.h"

#include "os/log.h"
#include "writer/postgres/evolve.h"
#include "writer/postgres/inplace.h"
#include "writer/postgres/ledger.h"
#include "writer/postgres/load.h"
#include "writer/postgres/merge.h"
#include "writer/postgres/overwrite.h"
#include "writer/postgres/sets.h"
#include "writer/postgres/stage.h"
#include "writer/postgres/statestore.h"
#include "writer/postgres/table.h"
#include "writer/postgres/transact.h"
#include "writer/postgres/usage.h"

/* An index of a large build takes its time; the lease and the cancel token limit it. */
static const struct pg_limits SEAL_LIMITS = {.lock_ms = 10000, .work_mem_mib = 64};
static const struct pg_limits CHOICE_LIMITS = {.lock_ms = 10000, .statement_ms = 60000};
static const struct pg_limits SWAP_LIMITS = {.lock_ms = 2000, .statement_ms = 60 * 60 * 1000, .work_mem_mib = 64};

struct publication {
    struct table *table; /* being sealed */
    struct ledger_counts *deltas;
    bool shrank;       /* the guard refused */
    bool is_undecided; /* a choice turned out to be wrong */
};

enum { CHOICES_MAX = 5 };

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

/* The newest version of each set stays, but for append, and what said that one is empty goes. */
static int settle_sets(struct transaction *tx, const struct table *table, uint64_t *removed, struct err *err)
{
    struct buf build = BUF_INIT(1024);
    int rc = 0;
    if (!pgw_sets_has_column(table, PLACE_BUILD)) return 0;
    pgw_relation_quote(&table->at[PLACE_BUILD], &build);
    if (table->spec->mode != WRITE_APPEND && table->spec->set_count)
        rc = pgw_sets_keep_newest(tx, table, buf_text(&build), removed, err);
    if (rc == 0) rc = pgw_sets_drop_empty(tx, table, buf_text(&build), err);
    buf_release(&build);
    return rc;
}

/* Adds to *removed. */
static int make_unique(struct transaction *tx, const struct table *table, uint64_t *removed, struct err *err)
{
    struct buf sql = BUF_INIT(256 * 1024), unique = BUF_INIT(256 * 1024);
    struct err failure = ERR_INIT;
    char key[PG_NAME_SIZE], sealing[PG_NAME_SIZE];
    int rc;
    pgw_table_key_name(table, PLACE_BUILD, key);
    snprintf(sealing, sizeof(sealing), "%s_sealing", table->at[PLACE_BUILD].name);
    put_index(table, "UNIQUE INDEX", key, &unique);
    if ((rc = pg_exec(tx->pg, "SAVEPOINT sealing", err)) != 0) goto out;
    PG_FAULT_POINT(tx->pg, "pg.seal.savepoint");
    rc = pg_exec(tx->pg, buf_text(&unique), &failure);
    if (rc != 0 && strcmp(pg_sqlstate(tx->pg), "23505") == 0) {
        if ((rc = pg_exec(tx->pg, "ROLLBACK TO SAVEPOINT sealing", err)) != 0) goto out;
        put_index(table, "INDEX", sealing, &sql);
        if ((rc = pg_exec(tx->pg, buf_text(&sql), err)) != 0) goto out;
        if ((rc = pgw_merge_dedup_build(tx, table, removed, err)) != 0) goto out;
        PG_FAULT_POINT(tx->pg, "pg.seal.deduplicated");
        buf_clear(&sql);
        buf_append_text(&sql, "DROP INDEX ");
        pg_quote_table(&sql, table->at[PLACE_BUILD].schema, sealing);
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
    uint64_t removed = 0;
    int rc = pg_query(tx->pg,
                      "SELECT sealed FROM _sluice.builds WHERE pipeline = $1 AND flow = $2 AND stream = $3 AND kind = 'build'",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow, table->spec->stream), &row, err);
    if (rc != 0) return rc;
    bool is_sealed = pg_rows(row) && pg_bool(row, 0, 0);
    pg_free(row);
    publication->deltas[table->index] = delta;
    if (is_sealed) return 0;
    PG_FAULT_POINT(tx->pg, "pg.seal.before");
    if ((rc = settle_sets(tx, table, &removed, err)) != 0) return rc;
    if ((rc = make_unique(tx, table, &removed, err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.seal.indexed");
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

/* What a merge made of rows that were counted as written when they came to their stage or build. */
static void count_merged(const struct merge_counts *merged, struct ledger_counts *delta)
{
    delta->written += (int64_t)merged->written - (int64_t)merged->rows;
    delta->unchanged += (int64_t)merged->unchanged;
    delta->deduplicated += (int64_t)merged->deduplicated;
    delta->deleted += (int64_t)merged->deleted;
    delta->removed += (int64_t)merged->removed;
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
        if (rc == 0) count_merged(&merged, delta);
    } else {
        rc = pgw_stage_append(tx, table, PLACE_STAGE, NULL, &rows, err);
    }
    if (rc == 0) rc = pgw_stage_delete(tx, table, NULL, err);
    buf_release(&name);
    return rc;
}

static bool is_renamed(const struct table *table)
{
    return table->at[PLACE_BUILD].exists && (!table->at[PLACE_TARGET].exists || table->way == OVERWRITE_RENAME);
}

/* Is the choice still right? Asked with the target locked. */
static int check_choice(struct transaction *tx, struct publication *publication, const struct table *table, struct err *err)
{
    enum overwrite_way way;
    char why[ATTACHED_NAME_SIZE];
    int rc = pgw_overwrite_choose(tx->pg, table, &way, why, err);
    if (rc != 0 || way == table->way) return rc;
    publication->is_undecided = true;
    err_set(err, ERR_SCHEMA, "could not overwrite \"%s\".\"%s\": what is attached to it keeps changing",
            table->at[PLACE_TARGET].schema, table->at[PLACE_TARGET].name);
    return err_hint(err, "run again");
}

static int rename_table(struct transaction *tx, struct publication *publication, const struct table *table, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    int rc = 0;
    if (table->at[PLACE_TARGET].exists) {
        if ((rc = pgw_overwrite_guard(tx, table, &publication->shrank, err)) != 0) return rc;
        buf_append_text(&sql, "LOCK TABLE ");
        pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
        buf_append_text(&sql, " IN ACCESS EXCLUSIVE MODE");
        if ((rc = pg_exec(tx->pg, buf_text(&sql), err)) == 0) rc = check_choice(tx, publication, table, err);
        PG_FAULT_POINT(tx->pg, "pg.swap.locked");
        buf_release(&sql);
    }
    return rc == 0 ? pgw_overwrite_rename(tx, table, err) : rc;
}

static int change_in_place(struct transaction *tx, struct publication *publication, const struct table *table, struct err *err)
{
    struct merge_counts merged;
    int rc;
    if ((rc = pgw_inplace_lock(tx, table, err)) != 0) return rc;
    if ((rc = check_choice(tx, publication, table, err)) != 0) return rc;
    if ((rc = pgw_overwrite_guard(tx, table, &publication->shrank, err)) != 0) return rc;
    if ((rc = pgw_inplace_publish(tx, table, &merged, err)) == 0) count_merged(&merged, &publication->deltas[table->index]);
    return rc;
}

static int swap_table(struct writer *writer, struct transaction *tx, struct publication *publication, struct table *table,
                      struct err *err)
{
    struct ledger_counts *delta = &publication->deltas[table->index];
    int rc = 0;
    *delta = (struct ledger_counts){0};
    if ((rc = pgw_usage_note(tx, table, err)) != 0) return rc;
    if (table->at[PLACE_BUILD].exists && !pgw_table_is_sealed(table)) {
        uint64_t removed = 0;
        if ((rc = settle_sets(tx, table, &removed, err)) != 0) return rc;
        delta->written -= (int64_t)removed;
        delta->deduplicated += (int64_t)removed;
    }
    if (is_renamed(table))
        rc = rename_table(tx, publication, table, err);
    else if (table->at[PLACE_BUILD].exists)
        rc = change_in_place(tx, publication, table, err);
    else if (table->at[PLACE_STAGE].exists && table->at[PLACE_TARGET].exists)
        rc = publish_stage(tx, table, delta, err);
    bool is_empty = memcmp(delta, &(struct ledger_counts){0}, sizeof(*delta)) == 0;
    if (rc != 0 || is_empty) return rc;
    return pgw_ledger_add_load(writer, tx->pg, tx->load_id, table->spec->stream, "publish", delta, NULL, err);
}

static const char *stream_array(const struct writer *writer, struct arena *arena)
{
    struct buf streams = BUF_INIT(SIZE_MAX);
    pg_array_add(&streams, writer->spec.flow); /* the state is the root's, loaded or not */
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
    publication->shrank = publication->is_undecided = false;
    pgw_usage_begin(writer);
    for (int renames = 0; renames <= 1; renames++)
        for (size_t t = 0; t < writer->table_count; t++)
            if (is_renamed(&writer->tables[t]) == (renames == 1))
                if ((rc = swap_table(writer, tx, publication, &writer->tables[t], err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.swap.changed");
    if ((rc = pgw_state_publish(writer, tx, streams, err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.swap.state");
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
    if (rc == 0) rc = pgw_state_forget_pending(writer, tx, err);
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

static int choose_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    int rc = 0;
    (void)context;
    for (size_t t = 0; rc == 0 && t < writer->table_count; t++) {
        struct table *table = &writer->tables[t];
        char why[ATTACHED_NAME_SIZE];
        if (table->spec->mode == WRITE_OVERWRITE && table->at[PLACE_TARGET].exists)
            rc = pgw_overwrite_choose(tx->pg, table, &table->way, why, err);
    }
    return rc;
}

/* Chooses, makes builds of tables that got no rows at all, and adds columns to tables that stay. */
static int prepare_tables(struct writer *writer, struct err *err)
{
    uint32_t *counts = mem_zero(writer->table_count, sizeof(*counts));
    bool(*needs)[PLACES] = mem_zero(writer->table_count, sizeof(*needs));
    bool is_overwrite = false;
    int rc = 0;
    for (size_t t = 0; t < writer->table_count; t++) {
        const struct table *table = &writer->tables[t];
        counts[t] = schema_count(table->spec->schema);
        needs[t][PLACE_BUILD] = counts[t] > 0 && pgw_table_uses_build(table);
        is_overwrite = is_overwrite || (table->spec->mode == WRITE_OVERWRITE && table->at[PLACE_TARGET].exists);
    }
    if (is_overwrite) rc = pgw_transact(writer, &CHOICE_LIMITS, choose_body, NULL, err);
    if (rc == 0) rc = pgw_evolve(writer, counts, needs, err);
    free(counts);
    free(needs);
    return rc;
}

static int seal_tables(struct writer *writer, struct publication *publication, struct load_counts *counts, struct err *err)
{
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < writer->table_count; t++) {
        publication->table = &writer->tables[t];
        if (!publication->table->at[PLACE_BUILD].exists || !pgw_table_is_sealed(publication->table)) continue;
        rc = pgw_transact(writer, &SEAL_LIMITS, seal_body, publication, err);
        if (rc == 0) pgw_report_counts(publication->table, &publication->deltas[t], counts ? &counts[t] : NULL);
    }
    return rc;
}

/* In a transaction, since a wait outside of one is not a long one. */
static int analyze(struct writer *writer, const struct table *table, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    bool is_unknown;
    buf_append_text(&sql, "ANALYZE ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    int rc = pg_begin(writer->pg, &SWAP_LIMITS, err);
    if (rc == 0) rc = pg_exec(writer->pg, buf_text(&sql), err);
    if (rc == 0) rc = pg_commit(writer->pg, &is_unknown, err);
    pg_rollback(writer->pg);
    buf_release(&sql);
    return rc;
}

/* Memory follows the swap. A table whose rows were replaced gets new statistics at once; those of a new one come by themselves,
 * and no merge waits for them: its size and that its key is unique are known from the file and the index. */
static void follow_swap(struct writer *writer)
{
    struct err failure = ERR_INIT;
    for (size_t t = 0; t < writer->table_count; t++) {
        struct table *table = &writer->tables[t];
        bool had_rows = table->at[PLACE_TARGET].exists;
        if (!table->at[PLACE_BUILD].exists) continue;
        if (is_renamed(table)) {
            map_release(&table->at[PLACE_TARGET].columns);
            table->at[PLACE_TARGET].columns = table->at[PLACE_BUILD].columns;
            table->at[PLACE_TARGET].exists = true;
            table->at[PLACE_BUILD].columns = MAP_INIT;
        }
        pgw_relation_forget(&table->at[PLACE_BUILD]);
        if (table->spec->mode == WRITE_OVERWRITE && had_rows && analyze(writer, table, &failure) != 0)
            log_debug(writer->destination->log, "could not analyze: %s", failure.message);
    }
    writer->building_since_ms = 0;
}

int pgw_publish_flow(struct writer *writer, struct load_counts *counts, struct err *err)
{
    struct publication publication = {.deltas = mem_zero(writer->table_count, sizeof(struct ledger_counts))};
    struct err failure;
    int rc;
    for (int choices = 1;; choices++) {
        failure = ERR_INIT;
        if ((rc = prepare_tables(writer, &failure)) != 0) break;
        if ((rc = seal_tables(writer, &publication, counts, &failure)) != 0) break;
        rc = pgw_transact(writer, &SWAP_LIMITS, swap_body, &publication, &failure);
        if (rc == 0 || !publication.is_undecided || choices == CHOICES_MAX) break;
    }
    if (rc != 0) {
        rc = publication.shrank ? discard(writer, &failure, err) : err_copy(err, &failure);
        if (rc != ERR_HELD && rc != ERR_CANCELLED && rc != ERR_SCHEMA)
            err_context(err, "could not publish flow '%s'", writer->spec.flow);
    } else {
        for (size_t t = 0; t < writer->table_count; t++)
            pgw_report_counts(&writer->tables[t], &publication.deltas[t], counts ? &counts[t] : NULL);
        pgw_usage_noted(writer);
        PG_FAULT_POINT(writer->pg, "pg.swap.committed");
        follow_swap(writer);
    }
    for (size_t t = 0; t < writer->table_count; t++) writer->tables[t].way = OVERWRITE_RENAME;
    free(publication.deltas);
    return rc;
}
