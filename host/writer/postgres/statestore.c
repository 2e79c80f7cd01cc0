/* How it works: a delta is sent as six text arrays, a thousand entries at a time, so that a million partitions are a thousand
 * statements. */
#include "writer/postgres/statestore.h"

#include "os/clock.h"
#include "writer/postgres/lease.h"

enum { ENTRIES_PER_STATEMENT = 1000 };

/* What a flow is called in `_sluice.partitions`; its head is there since it was opened. */
#define FLOW_NUMBER "(SELECT h.number FROM _sluice.heads h WHERE h.pipeline = $1 AND h.flow = $2)"

static const struct pg_limits STATE_LIMITS = {.lock_ms = 10000, .statement_ms = 60000};

static const struct table *table_of(const struct writer *writer, const char *stream)
{
    for (size_t t = 0; t < writer->table_count; t++)
        if (strcmp(writer->tables[t].spec->stream, stream) == 0) return &writer->tables[t];
    return stream[0] == '\0' && writer->table_count ? &writer->tables[0] : NULL;
}

/* "public.orders": what a state's entry covers; NULL when there is no such table. */
static const char *target_text(const struct writer *writer, struct arena *arena, const char *stream)
{
    const struct table *table = table_of(writer, stream);
    if (!table || schema_count(table->spec->schema) == 0) return NULL;
    return arena_printf(arena, "%s.%s", table->at[PLACE_TARGET].schema, table->at[PLACE_TARGET].name);
}

/* Published entries first, so that what is pending goes over them. */
static int read_entries(struct writer *writer, struct pg_result **rows, struct err *err)
{
    int rc;
    if ((rc = pgw_writer_connect(writer, err)) != 0) return rc;
    return pg_query(writer->pg,
                    "SELECT stream, slice, kind, value FROM _sluice.state WHERE pipeline = $1 AND flow = $2 ORDER BY pending",
                    PG_PARAMS(writer->spec.pipeline, writer->spec.flow), rows, err);
}

int pgw_state_load(struct writer *writer, struct state *state, struct err *err)
{
    struct pg_result *rows;
    int64_t since_ms = clock_now_ms(writer->destination->clock);
    int rc;
    for (unsigned tries = 0; (rc = read_entries(writer, &rows, err)) != 0; tries++) {
        bool again = rc == ERR_DESTINATION && !pg_usable(writer->pg);
        if (!again || !pgw_transact_wait(writer, tries, since_ms))
            return err_context(err, "could not read the state of flow '%s'", writer->spec.flow);
    }
    struct arena arena = ARENA_INIT(0);
    struct state all = STATE_INIT(&arena);
    for (size_t i = 0; i < pg_rows(rows); i++)
        state_set(&all, pg_cell(rows, i, 0), pg_cell(rows, i, 1), pg_cell(rows, i, 2), pg_cell(rows, i, 3));
    state_apply(state, &all);
    arena_release(&arena);
    pg_free(rows);
    return 0;
}

static int find_entries(struct writer *writer, const char *slices, struct pg_result **rows, struct err *err)
{
    int rc;
    if ((rc = pgw_writer_connect(writer, err)) != 0) return rc;
    return pg_query(writer->pg,
                    "SELECT slice, value FROM _sluice.partitions WHERE flow = " FLOW_NUMBER
                    " AND slice = ANY($3::text[]) ORDER BY pending",
                    PG_PARAMS(writer->spec.pipeline, writer->spec.flow, slices), rows, err);
}

int pgw_state_find(struct writer *writer, const char *stream, const char *const *slices, size_t count, struct state *state,
                   struct err *err)
{
    struct buf names = BUF_INIT(256 * 1024 * 1024);
    struct pg_result *rows = NULL;
    int64_t since_ms = clock_now_ms(writer->destination->clock);
    int rc = 0;
    for (size_t i = 0; i < count; i++) pg_array_add(&names, slices[i]);
    pg_array_end(&names);
    if (names.failed) rc = err_set(err, ERR_DATA, "cannot look up over 256 MiB of partitions at once");
    for (unsigned tries = 0; rc == 0 && (rc = find_entries(writer, buf_text(&names), &rows, err)) != 0; tries++) {
        bool again = rc == ERR_DESTINATION && !pg_usable(writer->pg);
        if (!again || !pgw_transact_wait(writer, tries, since_ms)) break;
        rc = 0;
    }
    if (rc != 0) err_context(err, "could not read the partitions of flow '%s'", writer->spec.flow);
    for (size_t i = 0; rc == 0 && i < pg_rows(rows); i++)
        state_set(state, stream, pg_cell(rows, i, 0), STATE_PARTITION, pg_cell(rows, i, 1));
    pg_free(rows);
    buf_release(&names);
    return rc;
}

/* Pending entries are this run's own; those that are published wait for the plan that is published, too. */
int pgw_state_sweep(struct writer *writer, struct transaction *tx, const struct state_sweep *sweep, bool is_pending,
                    struct err *err)
{
    if (!sweep) return 0;
    return pg_query(tx->pg,
                    "DELETE FROM _sluice.partitions WHERE flow = " FLOW_NUMBER
                    " AND (pending OR NOT $4::boolean) AND ($3::text IS NULL OR value IS NULL OR NOT starts_with(value, $3))",
                    PG_PARAMS(writer->spec.pipeline, writer->spec.flow, sweep->keep, is_pending ? "t" : "f"), NULL, err);
}

int pgw_state_forget_pending(struct writer *writer, struct transaction *tx, struct err *err)
{
    return pg_query(tx->pg, "DELETE FROM _sluice.partitions WHERE flow = " FLOW_NUMBER " AND pending",
                    PG_PARAMS(writer->spec.pipeline, writer->spec.flow), NULL, err);
}

static bool is_partition(const struct state_entry *entry)
{
    return strcmp(entry->kind, STATE_PARTITION) == 0;
}

/* Of these entries, those of partitions; one that goes does so with a sweep. */
static int save_partitions(struct writer *writer, struct transaction *tx, const struct state_entry *entries, size_t count,
                           bool is_pending, struct err *err)
{
    struct buf slices = BUF_INIT(256 * 1024 * 1024), values = BUF_INIT(256 * 1024 * 1024);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_partition(&entries[i])) continue;
        pg_array_add(&slices, entries[i].slice);
        pg_array_add(&values, entries[i].value);
        found++;
    }
    pg_array_end(&slices);
    pg_array_end(&values);
    int rc = 0;
    if (slices.failed || values.failed)
        rc = err_set(err, ERR_DATA, "cannot store the state of flow '%s': over 256 MiB at once", writer->spec.flow);
    else if (found > 0)
        rc = pg_query(
            tx->pg,
            "INSERT INTO _sluice.partitions (flow, pending, slice, value) SELECT " FLOW_NUMBER
            ", $5::boolean, * FROM unnest($3::text[], $4::text[]) "
            "ON CONFLICT (flow, slice, pending) DO UPDATE SET value = excluded.value",
            PG_PARAMS(writer->spec.pipeline, writer->spec.flow, buf_text(&slices), buf_text(&values), is_pending ? "t" : "f"),
            NULL, err);
    buf_release(&slices);
    buf_release(&values);
    return rc;
}

static int save_some(struct writer *writer, struct transaction *tx, const struct state_entry *entries, size_t count,
                     bool is_pending, struct err *err)
{
    struct buf arrays[5];
    size_t others = 0;
    for (size_t a = 0; a < ARRAY_SIZE(arrays); a++) arrays[a] = BUF_INIT(256 * 1024 * 1024);
    for (size_t i = 0; i < count; i++) {
        if (is_partition(&entries[i])) continue;
        others++;
        const char *const cells[] = {entries[i].stream, entries[i].slice, entries[i].kind, entries[i].value,
                                     target_text(writer, tx->arena, entries[i].stream)};
        for (size_t a = 0; a < ARRAY_SIZE(arrays); a++) pg_array_add(&arrays[a], cells[a]);
    }
    bool failed = false, has_tombstones = false;
    for (size_t i = 0; i < count; i++) has_tombstones = has_tombstones || !entries[i].value;
    for (size_t a = 0; a < ARRAY_SIZE(arrays); a++) {
        pg_array_end(&arrays[a]);
        failed = failed || arrays[a].failed;
    }
    int rc =
        failed ? err_set(err, ERR_DATA, "cannot store the state of flow '%s': over 256 MiB at once", writer->spec.flow) : 0;
    if (rc == 0 && others > 0)
        rc = pg_query(tx->pg,
                      "INSERT INTO _sluice.state (pipeline, flow, stream, slice, kind, value, target, pending) "
                      "SELECT $1, $2, *, $8::boolean FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) "
                      "AS e (stream, slice, kind, value, target) WHERE $8::boolean OR e.value IS NOT NULL "
                      "ON CONFLICT (pipeline, flow, stream, slice, kind, pending) DO UPDATE SET value = excluded.value, "
                      "target = excluded.target, updated_at = now()",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow, buf_text(&arrays[0]), buf_text(&arrays[1]),
                                buf_text(&arrays[2]), buf_text(&arrays[3]), buf_text(&arrays[4]), is_pending ? "t" : "f"),
                      NULL, err);
    if (rc == 0 && has_tombstones && !is_pending)
        rc = pg_query(tx->pg,
                      "DELETE FROM _sluice.state s USING unnest($3::text[], $4::text[], $5::text[], $6::text[]) "
                      "AS e (stream, slice, kind, value) WHERE s.pipeline = $1 AND s.flow = $2 AND NOT s.pending "
                      "AND s.stream = e.stream AND s.slice = e.slice AND s.kind = e.kind AND e.value IS NULL",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow, buf_text(&arrays[0]), buf_text(&arrays[1]),
                                buf_text(&arrays[2]), buf_text(&arrays[3])),
                      NULL, err);
    for (size_t a = 0; a < ARRAY_SIZE(arrays); a++) buf_release(&arrays[a]);
    return rc;
}

int pgw_state_save(struct writer *writer, struct transaction *tx, const struct state *delta, bool is_pending, struct err *err)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && delta && at < delta->count; at += ENTRIES_PER_STATEMENT) {
        size_t count = delta->count - at < ENTRIES_PER_STATEMENT ? delta->count - at : ENTRIES_PER_STATEMENT;
        rc = save_some(writer, tx, delta->entries + at, count, is_pending, err);
        if (rc == 0) rc = save_partitions(writer, tx, delta->entries + at, count, is_pending, err);
    }
    return rc;
}

int pgw_state_publish(struct writer *writer, struct transaction *tx, const char *streams, struct err *err)
{
    /* What is taken away goes for every stream, chosen in this run or not; what is set may wait for a build. */
    static const struct {
        const char *sql;
        size_t params;
    } STATEMENTS[] = {
        {"DELETE FROM _sluice.state s USING _sluice.state p WHERE s.pipeline = $1 AND s.flow = $2 AND NOT s.pending "
         "AND p.pipeline = $1 AND p.flow = $2 AND p.pending AND s.stream = p.stream AND s.slice = p.slice AND s.kind = p.kind "
         "AND (s.stream = '' OR s.stream = ANY($3::text[]) OR p.value IS NULL)",
         3},
        {"DELETE FROM _sluice.state WHERE pipeline = $1 AND flow = $2 AND pending AND value IS NULL", 2},
        {"UPDATE _sluice.state SET pending = false WHERE pipeline = $1 AND flow = $2 AND pending "
         "AND (stream = '' OR stream = ANY($3::text[]))",
         3},
    };
    static const char *const PARTITIONS[] = {
        "DELETE FROM _sluice.partitions s USING _sluice.partitions p WHERE s.flow = " FLOW_NUMBER
        " AND NOT s.pending AND p.flow = s.flow AND p.pending AND s.slice = p.slice",
        "UPDATE _sluice.partitions SET pending = false WHERE flow = " FLOW_NUMBER " AND pending",
    };
    const char *const params[] = {writer->spec.pipeline, writer->spec.flow, streams};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(PARTITIONS); i++) rc = pg_query(tx->pg, PARTITIONS[i], params, 2, NULL, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(STATEMENTS); i++)
        rc = pg_query(tx->pg, STATEMENTS[i].sql, params, STATEMENTS[i].params, NULL, err);
    return rc;
}

int pgw_state_check_targets(struct writer *writer, struct pg *pg, struct err *err)
{
    struct pg_result *rows;
    struct arena arena = ARENA_INIT(0);
    int rc = pg_query(pg,
                      "SELECT DISTINCT stream, target FROM _sluice.state "
                      "WHERE pipeline = $1 AND flow = $2 AND NOT pending AND target IS NOT NULL",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow), &rows, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(rows); i++) {
        const struct table *table = table_of(writer, pg_cell(rows, i, 0));
        const char *target = pg_cell(rows, i, 1);
        if (!table || table->spec->mode == WRITE_OVERWRITE) continue;
        const char *now = arena_printf(&arena, "%s.%s", table->at[PLACE_TARGET].schema, table->at[PLACE_TARGET].name);
        if (strcmp(target, now) == 0 && table->at[PLACE_TARGET].exists) continue;
        if (strcmp(target, now) == 0)
            err_set(err, ERR_SCHEMA, "the stored state of stream '%s' covers table '%s', which is gone", table->spec->stream,
                    target);
        else
            err_set(err, ERR_SCHEMA, "the stored state of stream '%s' covers table '%s', and its table is now '%s'",
                    table->spec->stream, target, now);
        rc = err_hint(err, "restore the table, or load everything again: sluice state reset %s --stream %s",
                      writer->spec.pipeline, writer->spec.flow);
    }
    pg_free(rows);
    arena_release(&arena);
    return rc;
}

/* --- the state commands ------------------------------------------------------------------------------------------------- */

int pgw_state_read_all(struct destination *destination, struct arena *arena, struct flow_state **flows, size_t *count,
                       struct err *err)
{
    struct pg_result *rows = NULL;
    int rc;
    *flows = NULL;
    *count = 0;
    if (!destination->has_ledger) return 0;
    pthread_mutex_lock(&destination->lock);
    if ((rc = pgw_destination_connect(destination, err)) == 0)
        rc = pg_query(destination->pg,
                      "SELECT flow, stream, slice, kind, value, target, pending FROM _sluice.state "
                      "WHERE pipeline = $1 AND value IS NOT NULL "
                      "UNION ALL SELECT h.flow, h.flow, '', '" STATE_PARTITIONS "', count(*)::text, NULL, p.pending "
                      "FROM _sluice.partitions p JOIN _sluice.heads h ON h.number = p.flow "
                      "WHERE h.pipeline = $1 AND p.value IS NOT NULL GROUP BY h.flow, p.pending "
                      "ORDER BY 1, 7, 2, 3, 4",
                      PG_PARAMS(destination->pipeline), &rows, err);
    pthread_mutex_unlock(&destination->lock);
    if (rc != 0) return err_context(err, "could not read the state of pipeline '%s'", destination->pipeline);
    struct flow_state *all = arena_array(arena, struct flow_state, pg_rows(rows) + 1), *flow = NULL;
    for (size_t i = 0; i < pg_rows(rows); i++) {
        if (!flow || strcmp(flow->flow, pg_cell(rows, i, 0)) != 0 || flow->is_pending != pg_bool(rows, i, 6)) {
            flow = &all[(*count)++];
            *flow = (struct flow_state){.flow = arena_strdup(arena, pg_cell(rows, i, 0)),
                                        .target = NULL,
                                        .is_pending = pg_bool(rows, i, 6),
                                        .state = STATE_INIT(arena)};
        }
        if (!flow->target && pg_cell(rows, i, 5)) flow->target = arena_strdup(arena, pg_cell(rows, i, 5));
        state_set(&flow->state, pg_cell(rows, i, 1), pg_cell(rows, i, 2), pg_cell(rows, i, 3), pg_cell(rows, i, 4));
    }
    for (size_t f = 0; f < *count; f++)
        if (!all[f].target) all[f].target = "";
    *flows = all;
    pg_free(rows);
    return 0;
}

/* The whole flow: its entries, and what it holds unpublished. */
static int forget_flow(struct destination *destination, const char *flow, struct err *err)
{
    static const char *const TABLES[] = {"state", "held", "builds"};
    struct pg_result *sides;
    struct buf sql = BUF_INIT(1024 * 1024);
    int rc = pg_query(destination->pg, "SELECT table_schema, table_name FROM _sluice.builds WHERE pipeline = $1 AND flow = $2",
                      PG_PARAMS(destination->pipeline, flow), &sides, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(sides); i++) {
        buf_clear(&sql);
        buf_append_text(&sql, "DROP TABLE IF EXISTS ");
        pg_quote_table(&sql, pg_cell(sides, i, 0), pg_cell(sides, i, 1));
        rc = pg_exec(destination->pg, buf_text(&sql), err);
    }
    pg_free(sides);
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(TABLES); i++) {
        buf_clear(&sql);
        buf_printf(&sql, "DELETE FROM _sluice.%s WHERE pipeline = $1 AND flow = $2", TABLES[i]);
        rc = pg_query(destination->pg, buf_text(&sql), PG_PARAMS(destination->pipeline, flow), NULL, err);
    }
    if (rc == 0)
        rc = pg_query(destination->pg, "DELETE FROM _sluice.partitions WHERE flow = " FLOW_NUMBER,
                      PG_PARAMS(destination->pipeline, flow), NULL, err);
    if (rc == 0)
        rc = pg_query(destination->pg,
                      "UPDATE _sluice.heads SET building = false, publishing = false WHERE pipeline = $1 AND flow = $2",
                      PG_PARAMS(destination->pipeline, flow), NULL, err);
    buf_release(&sql);
    return rc;
}

static int change_entry(struct destination *destination, const char *flow, const struct state_entry *entry, struct err *err)
{
    const char *stream = entry->stream ? entry->stream : "", *slice = entry->slice ? entry->slice : "";
    int rc =
        pg_query(destination->pg,
                 "DELETE FROM _sluice.state WHERE pipeline = $1 AND flow = $2 AND stream = $3 AND slice = $4 AND kind = $5 "
                 "AND (pending OR $6::text IS NULL)",
                 PG_PARAMS(destination->pipeline, flow, stream, slice, entry->kind, entry->value), NULL, err);
    if (rc != 0 || !entry->value) return rc;
    return pg_query(destination->pg,
                    "INSERT INTO _sluice.state (pipeline, flow, stream, slice, kind, value, target, pending) "
                    "VALUES ($1, $2, $3, $4, $5, $6, (SELECT max(target) FROM _sluice.state WHERE pipeline = $1 AND flow = $2 "
                    "AND stream = $3), false) ON CONFLICT (pipeline, flow, stream, slice, kind, pending) "
                    "DO UPDATE SET value = excluded.value, updated_at = now()",
                    PG_PARAMS(destination->pipeline, flow, stream, slice, entry->kind, entry->value), NULL, err);
}

int pgw_state_change(struct destination *destination, const char *flow, const struct state_entry *entry, struct err *err)
{
    struct pg_result *lease = NULL;
    char fence[PG_INT_TEXT];
    bool is_unknown;
    int rc;
    pthread_mutex_lock(&destination->lock);
    if ((rc = pgw_destination_connect(destination, err)) != 0) goto out;
    if ((rc = pg_begin(destination->pg, &STATE_LIMITS, err)) != 0) goto out;
    rc = pg_query(destination->pg, "SELECT FROM _sluice.leases WHERE pipeline = $1 AND fence = $2 AND run = $3 FOR SHARE",
                  PG_PARAMS(destination->pipeline, pg_int_text(destination->fence, fence), destination->run), &lease, err);
    if (rc == 0 && (!destination->is_held || pg_rows(lease) != 1)) rc = pgw_lease_lost(destination, err);
    if (rc == 0) rc = entry->kind ? change_entry(destination, flow, entry, err) : forget_flow(destination, flow, err);
    if (rc == 0) rc = pg_commit(destination->pg, &is_unknown, err);
    pg_rollback(destination->pg);
    if (rc != 0 && rc != ERR_HELD) err_context(err, "could not change the state of flow '%s'", flow);
out:
    pg_free(lease);
    pthread_mutex_unlock(&destination->lock);
    return rc;
}
