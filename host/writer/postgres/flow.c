/* How taking over goes (COMMIT.md rule 7): the lease is ours already, so no transaction of the old owner can begin with success
 * once the head carries our fence. Those it has running are ended first, by the advisory lock each of them holds: that works
 * behind a pooler, inside COPY, and between the head's UPDATE and COMMIT. Then the head gets our fence. */
#include "writer/postgres/flow.h"

#include "os/clock.h"
#include "os/log.h"
#include "writer/postgres/lease.h"
#include "writer/postgres/load.h"
#include "writer/postgres/overwrite.h"
#include "writer/postgres/publish.h"
#include "writer/postgres/statestore.h"
#include "writer/postgres/table.h"
#include "writer/postgres/transact.h"
#include "writer/postgres/usage.h"

enum { PUBLISH_BEFORE_WAIT_MS = 60000 };

static const struct pg_limits OPEN_LIMITS = {.lock_ms = 5000, .statement_ms = 60000};

/* --- the fence ------------------------------------------------------------------------------------------------------------ */

/* Ends the transactions of an owner we replace. Best effort: another role's may not be ended, and are waited for instead. */
static void end_old_transactions(struct writer *writer)
{
    struct pg_result *ended = NULL;
    struct err failure = ERR_INIT;
    char key[PG_INT_TEXT];
    int rc = pg_query(writer->pg,
                      "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' "
                      "AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) "
                      "AND ((classid::bigint << 32) | objid::bigint) = $1::bigint AND objsubid = 1 "
                      "AND pid <> pg_catalog.pg_backend_pid()",
                      PG_PARAMS(pg_int_text(writer->lock_key, key)), &ended, &failure);
    if (rc != 0)
        log_warn(writer->destination->log, "could not end the transactions of the sync before: %s", failure.message);
    else if (pg_rows(ended))
        log_info(writer->destination->log, "ended %zu transactions of the sync before", pg_rows(ended));
    pg_free(ended);
}

/* Is the head another owner's? */
static int find_old_owner(struct writer *writer, bool *is_old, struct err *err)
{
    struct pg_result *head;
    int rc = pg_query(writer->pg, "SELECT run FROM _sluice.heads WHERE pipeline = $1 AND flow = $2",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow), &head, err);
    if (rc == 0) *is_old = pg_rows(head) == 1 && strcmp(pg_cell(head, 0, 0), writer->destination->run) != 0;
    pg_free(head);
    return rc;
}

static int put_fence(struct writer *writer, struct err *err)
{
    struct pg_result *row = NULL;
    char key[PG_INT_TEXT], fence[PG_INT_TEXT];
    const char *pipeline = writer->spec.pipeline, *flow = writer->spec.flow, *run = writer->destination->run;
    int rc;
    pg_int_text(writer->destination->fence, fence);
    rc = pg_query(writer->pg, "SELECT FROM _sluice.leases WHERE pipeline = $1 AND fence = $2 AND run = $3",
                  PG_PARAMS(pipeline, fence, run), &row, err);
    if (rc == 0 && pg_rows(row) != 1) rc = pgw_lease_lost(writer->destination, err);
    pg_free(row);
    if (rc != 0) return rc;
    rc = pg_query(writer->pg, "SELECT pg_advisory_xact_lock($1)", PG_PARAMS(pg_int_text(writer->lock_key, key)), NULL, err);
    if (rc != 0) return rc;
    rc = pg_query(writer->pg,
                  "INSERT INTO _sluice.heads AS h VALUES ($1, $2, $3, $4, 0, NULL, 0, false, false, now()) "
                  "ON CONFLICT (pipeline, flow) DO UPDATE SET fence = excluded.fence, run = excluded.run, updated_at = now() "
                  "WHERE h.fence < excluded.fence OR (h.fence = excluded.fence AND h.run = excluded.run) "
                  "RETURNING commit_id, next_seq, building, publishing, "
                  "EXISTS (SELECT FROM _sluice.held s WHERE s.pipeline = h.pipeline AND s.flow = h.flow)",
                  PG_PARAMS(pipeline, flow, fence, run), &row, err);
    if (rc == 0 && pg_rows(row) != 1) rc = pgw_lease_lost(writer->destination, err);
    if (rc == 0) {
        writer->commit_id = pg_int(row, 0, 0);
        writer->next_seq = writer->seq_base = (uint64_t)pg_int(row, 0, 1);
        writer->is_building = pg_bool(row, 0, 2);
        writer->is_publishing = pg_bool(row, 0, 3);
        writer->has_held = pg_bool(row, 0, 4);
    }
    pg_free(row);
    return rc;
}

/* --- what is there -------------------------------------------------------------------------------------------------------- */

/* A build or stage the ledger names must exist: state covers its rows. */
static int find_side_tables(struct writer *writer, struct err *err)
{
    struct pg_result *rows;
    int rc = pg_query(writer->pg,
                      "SELECT stream, kind, table_schema, table_name FROM _sluice.builds WHERE pipeline = $1 AND flow = $2",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow), &rows, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(rows); i++) {
        enum place place = strcmp(pg_cell(rows, i, 1), "build") == 0 ? PLACE_BUILD : PLACE_STAGE;
        bool is_chosen = false;
        for (size_t t = 0; rc == 0 && t < writer->table_count; t++) {
            const struct table *table = &writer->tables[t];
            const struct relation *relation = &table->at[place];
            if (strcmp(table->spec->stream, pg_cell(rows, i, 0)) != 0) continue;
            is_chosen = true;
            if (relation->exists && strcmp(relation->schema, pg_cell(rows, i, 2)) == 0) continue;
            err_set(err, ERR_SCHEMA, "the unpublished rows of stream '%s' are in \"%s\".\"%s\", which is gone",
                    table->spec->stream, pg_cell(rows, i, 2), pg_cell(rows, i, 3));
            if (relation->exists || strcmp(relation->schema, pg_cell(rows, i, 2)) != 0)
                err_set(err, ERR_SCHEMA,
                        "the unpublished rows of stream '%s' are in schema '%s', and the destination's is now '%s'",
                        table->spec->stream, pg_cell(rows, i, 2), relation->schema);
            rc = err_hint(err, "restore it, or load everything again: sluice state reset %s --stream %s", writer->spec.pipeline,
                          writer->spec.flow);
        }
        writer->has_others = writer->has_others || !is_chosen;
    }
    pg_free(rows);
    return rc;
}

/* A build beside a target it may not replace: another mode made it, or another owner the target. */
static int check_unfinished_build(const struct writer *writer, const struct table *table, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    if (!table->at[PLACE_BUILD].exists || pgw_table_uses_build(table)) return 0;
    err_set(err, ERR_SCHEMA, "an unfinished build of stream '%s' would become table \"%s\".\"%s\", which exists by now",
            table->spec->stream, target->schema, target->name);
    return err_hint(
        err, "set the write mode back and let a sync finish, or load everything again: sluice state reset %s --stream %s",
        writer->spec.pipeline, writer->spec.flow);
}

static int look_at_tables(struct writer *writer, struct err *err)
{
    int rc;
    for (size_t t = 0; t < writer->table_count; t++) {
        struct table *table = &writer->tables[t];
        if ((rc = pgw_table_open(writer, writer->pg, table, err)) != 0) return rc;
        if ((rc = pgw_usage_open(writer->pg, table, err)) != 0) return rc;
        if ((rc = check_unfinished_build(writer, table, err)) != 0) return rc;
        if (table->spec->mode != WRITE_OVERWRITE || !table->at[PLACE_TARGET].exists) continue;
        /* Early, so that nothing is fetched in vain. */
        enum overwrite_way way;
        char why[ATTACHED_NAME_SIZE];
        if ((rc = pgw_overwrite_choose(writer->pg, table, &way, why, err)) != 0) return rc;
        if (way != OVERWRITE_RENAME && !table->spec->in_place)
            log_info(writer->destination->log, "\"%s\".\"%s\" is changed in place, since others attached something to it: %s",
                     table->at[PLACE_TARGET].schema, table->at[PLACE_TARGET].name, why);
    }
    if ((rc = pgw_state_check_targets(writer, writer->pg, err)) != 0) return rc;
    return find_side_tables(writer, err);
}

/* Two tables of one flow must not be one. */
static int check_names(const struct writer *writer, struct err *err)
{
    for (size_t a = 0; a < writer->table_count; a++)
        for (size_t b = a + 1; b < writer->table_count; b++) {
            if (strcmp(writer->tables[a].at[PLACE_TARGET].name, writer->tables[b].at[PLACE_TARGET].name) != 0) continue;
            err_set(err, ERR_CONFIG, "streams '%s' and '%s' would write to the same table '%s'", writer->tables[a].spec->stream,
                    writer->tables[b].spec->stream, writer->tables[a].at[PLACE_TARGET].name);
            return err_hint(err, "give one of them another table name");
        }
    return 0;
}

/* The fence, in one transaction after the old owner's are ended. */
static int try_fence(struct writer *writer, struct err *err)
{
    bool is_old = false, is_unknown;
    int rc;
    if ((rc = pgw_writer_connect(writer, err)) != 0) return rc;
    if ((rc = find_old_owner(writer, &is_old, err)) != 0) return rc;
    if (is_old) end_old_transactions(writer);
    PG_FAULT_POINT(writer->pg, "pg.fence.before");
    if ((rc = pg_begin(writer->pg, &OPEN_LIMITS, err)) != 0) return rc;
    if ((rc = put_fence(writer, err)) != 0) return rc;
    PG_FAULT_POINT(writer->pg, "pg.fence.after");
    /* Should the reply be lost: the same again gives the same. */
    return pg_commit(writer->pg, &is_unknown, err);
}

static int try_look(struct writer *writer, struct err *err)
{
    bool is_unknown; /* nothing was changed */
    int rc;
    for (size_t t = 0; t < writer->table_count; t++) {
        pgw_table_release(&writer->tables[t]);
        writer->tables[t] = (struct table){.spec = &writer->spec.tables[t], .index = t};
    }
    if ((rc = pg_begin(writer->pg, &OPEN_LIMITS, err)) != 0) return rc;
    if ((rc = look_at_tables(writer, err)) != 0) return rc;
    return pg_commit(writer->pg, &is_unknown, err);
}

static int open_fenced(struct writer *writer, struct err *err)
{
    int64_t since_ms = clock_now_ms(writer->destination->clock);
    for (unsigned tries = 0;; tries++) {
        struct err failure = ERR_INIT;
        int rc = try_fence(writer, &failure);
        if (rc == 0) rc = try_look(writer, &failure);
        if (rc == 0) return 0;
        bool again = rc == ERR_DESTINATION &&
                     (!pg_usable(writer->pg) || pg_failure(writer->pg) == PG_RETRY || pg_failure(writer->pg) == PG_LOST);
        if (writer->pg) pg_rollback(writer->pg);
        if (!again || !pgw_transact_wait(writer, tries, since_ms)) return err_copy(err, &failure);
    }
}

static void copy_spec(struct writer *writer, const struct flow_spec *spec)
{
    struct arena *arena = &writer->arena;
    struct table_spec *tables = arena_array(arena, struct table_spec, spec->table_count);
    writer->spec = (struct flow_spec){.pipeline = arena_strdup(arena, spec->pipeline),
                                      .flow = arena_strdup(arena, spec->flow),
                                      .connector = arena_strdup(arena, spec->connector),
                                      .tables = tables,
                                      .table_count = spec->table_count,
                                      .resumable = spec->resumable};
    writer->tables = arena_array(arena, struct table, spec->table_count);
    writer->table_count = spec->table_count;
    for (size_t t = 0; t < spec->table_count; t++) {
        tables[t] = spec->tables[t];
        tables[t].stream = arena_strdup(arena, spec->tables[t].stream);
        tables[t].name = arena_strdup(arena, spec->tables[t].name);
        tables[t].cursor = arena_strdup(arena, spec->tables[t].cursor);
        const char **set = arena_array(arena, const char *, tables[t].set_count + 1);
        for (size_t i = 0; i < tables[t].set_count; i++) set[i] = arena_strdup(arena, spec->tables[t].set[i]);
        tables[t].set = set;
    }
}

bool pgw_flow_has_table(const struct writer *writer, size_t table)
{
    return writer->tables[table].at[PLACE_TARGET].exists;
}

int pgw_flow_open(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err)
{
    struct writer *writer = mem_zero(1, sizeof(*writer));
    int rc;
    *out = NULL;
    writer->destination = destination;
    writer->settings = destination->settings;
    writer->arena = ARENA_INIT(0);
    copy_spec(writer, spec);
    const char *lock_name = arena_printf(&writer->arena, "%s\x1f%s", spec->pipeline, spec->flow);
    writer->lock_key = (int64_t)pg_hash(lock_name);
    if (!destination->is_held) {
        rc = pgw_lease_lost(destination, err);
        goto out;
    }
    if ((rc = open_fenced(writer, err)) != 0) goto out;
    if ((rc = check_names(writer, err)) != 0) goto out;
    if (writer->is_publishing) {
        log_info(destination->log, "publishing what an interrupted sync had finished of flow '%s'", spec->flow);
        rc = pgw_publish_flow(writer, NULL, err);
    }
out:
    if (rc != 0) {
        if (writer->pg) pg_rollback(writer->pg);
        if (rc == ERR_DESTINATION) err_context(err, "could not open flow '%s'", spec->flow);
        pgw_flow_close(writer);
        return rc;
    }
    *out = writer;
    return 0;
}

int pgw_flow_rest(struct writer *writer, int64_t wait_ms, struct load_counts *counts, struct err *err)
{
    int rc = 0;
    if (wait_ms > PUBLISH_BEFORE_WAIT_MS) rc = pgw_load_publish_built(writer, wait_ms, counts, err);
    pg_close(writer->pg);
    writer->pg = NULL;
    return rc;
}

void pgw_flow_close(struct writer *writer)
{
    if (!writer) return;
    for (size_t t = 0; t < writer->table_count; t++) pgw_table_release(&writer->tables[t]);
    pgw_connection_give(writer->destination, writer->pg);
    arena_release(&writer->arena);
    free(writer);
}

const char *pgw_flow_note(const struct writer *writer)
{
    bool is_building = false, is_overwrite = false, is_dedup = false;
    for (size_t t = 0; t < writer->table_count; t++) {
        const struct table *table = &writer->tables[t];
        if (!table->at[PLACE_BUILD].exists) continue;
        is_building = true;
        is_overwrite = is_overwrite || table->spec->mode == WRITE_OVERWRITE;
        is_dedup = is_dedup || table->spec->mode == WRITE_APPEND_DEDUP;
    }
    if (!is_building) return NULL;
    if (is_overwrite) return "building aside, publishes at the end";
    return is_dedup ? "building aside, publishes at the end or at a checkpoint after 10 min"
                    : "building aside, publishes at a checkpoint";
}
