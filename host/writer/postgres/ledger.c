/* How it works: the version table says which steps were done; each step is a text of statements, never changed once released.
 * Rejects go in by binary COPY, since a bad page can have thousands. */
#include "writer/postgres/ledger.h"

#include "os/secret.h"
#include "pg/copy.h"

/* Any number, the same for every sluice. */
#define LEDGER_LOCK "7308324465818432357"

static const char *const STEPS[] = {
    "CREATE SEQUENCE _sluice.load_ids;"
    "CREATE TABLE _sluice.leases (pipeline text PRIMARY KEY, fence bigint NOT NULL, run text NOT NULL, host text NOT NULL, "
    " boot_id text NOT NULL, pid_namespace text NOT NULL, pid bigint NOT NULL, pid_start text NOT NULL, "
    " since timestamptz NOT NULL, until timestamptz NOT NULL);"
    "CREATE TABLE _sluice.heads (pipeline text, flow text, fence bigint NOT NULL, run text NOT NULL, commit_id bigint NOT "
    "NULL, "
    " load_id bigint, next_seq bigint NOT NULL, building boolean NOT NULL, publishing boolean NOT NULL, updated_at timestamptz "
    "NOT NULL, "
    " PRIMARY KEY (pipeline, flow)) WITH (fillfactor = 50);"
    "CREATE TABLE _sluice.state (pipeline text, flow text, stream text, slice text, kind text, pending boolean, value text, "
    " target text, version integer NOT NULL DEFAULT 1, updated_at timestamptz NOT NULL DEFAULT now(), "
    " PRIMARY KEY (pipeline, flow, stream, slice, kind, pending)) WITH (fillfactor = 70);"
    "CREATE TABLE _sluice.held (pipeline text, flow text, slice text, from_seq bigint NOT NULL, "
    " PRIMARY KEY (pipeline, flow, slice));"
    "CREATE TABLE _sluice.builds (pipeline text, flow text, stream text, kind text, table_schema text NOT NULL, "
    " table_name text NOT NULL, target text NOT NULL, sealed boolean NOT NULL DEFAULT false, "
    " created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pipeline, flow, stream, kind), "
    " UNIQUE (table_schema, table_name));"
    "CREATE TABLE _sluice.loads (load_id bigint, pipeline text NOT NULL, flow text NOT NULL, stream text, kind text NOT NULL, "
    " connector text, fence bigint NOT NULL, run text NOT NULL, emitted bigint NOT NULL, written bigint NOT NULL, "
    " unchanged bigint NOT NULL, deduplicated bigint NOT NULL, rejected bigint NOT NULL, discarded bigint NOT NULL, "
    " deleted bigint NOT NULL, repaired bigint NOT NULL, nulled bigint NOT NULL, overflowed bigint NOT NULL, "
    " bytes bigint NOT NULL, note text, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (load_id, stream));"
    "CREATE TABLE _sluice.schema_changes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pipeline text NOT NULL, "
    " flow text NOT NULL, stream text NOT NULL, change text NOT NULL, target_schema text NOT NULL, target_name text NOT NULL, "
    " field text NOT NULL, column_name text NOT NULL, type text NOT NULL, at timestamptz NOT NULL DEFAULT now());"
    "CREATE UNIQUE INDEX schema_changes_field ON _sluice.schema_changes (change, target_schema, target_name, md5(field));"
    "CREATE TABLE _sluice.rejects (load_id bigint NOT NULL, pipeline text NOT NULL, flow text NOT NULL, stream text NOT NULL, "
    " field text, reason text NOT NULL, detail text, record bytea, dropped boolean NOT NULL, "
    " at timestamptz NOT NULL DEFAULT now());"
    "CREATE INDEX rejects_load ON _sluice.rejects (load_id);",
    /* Of a stage: the rows that wait in it. Tells one that a crash has emptied from one that is empty. */
    "ALTER TABLE _sluice.builds ADD COLUMN rows bigint NOT NULL DEFAULT 0;",
    /* Of these: rows that only say that a set is empty, and count as none. */
    "ALTER TABLE _sluice.builds ADD COLUMN empties bigint NOT NULL DEFAULT 0;",
    /* State that there may be a million entries of: a flow's number in place of the names that state repeats. */
    "ALTER TABLE _sluice.heads ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY;"
    "CREATE TABLE _sluice.partitions (flow integer, pending boolean, slice text, value text, "
    " PRIMARY KEY (flow, slice, pending)) WITH (fillfactor = 90);",
    /* Which table, and since when the run it belongs to: what took how long, for whoever looks. */
    "ALTER TABLE _sluice.loads ADD COLUMN target text, ADD COLUMN began_at timestamptz;"
    "CREATE INDEX loads_at ON _sluice.loads (at);"
    "CREATE VIEW _sluice.syncs AS SELECT pipeline, connector, stream, target, run, min(began_at) AS began_at, max(at) AS "
    "ended_at, "
    " max(at) - min(began_at) AS took, sum(written) AS written, sum(rejected) AS rejected, sum(bytes) AS bytes, "
    " round(sum(written) / nullif(extract(epoch FROM max(at) - min(began_at)), 0), 1) AS rows_per_second "
    "FROM _sluice.loads WHERE stream IS NOT NULL GROUP BY pipeline, connector, stream, target, run;",
    /* Rows of the target that went without a row that says so; and the months that tables were written to (usage.h). */
    "ALTER TABLE _sluice.loads ADD COLUMN removed bigint NOT NULL DEFAULT 0;"
    "CREATE TABLE _sluice.usage (month date, target_schema text, target_name text, active bigint, "
    " PRIMARY KEY (target_schema, target_name, month));",
};

static int bootstrap(struct pg *pg, struct err *err)
{
    int rc;
    struct pg_result *result = NULL;
    struct buf sql = BUF_INIT(64 * 1024);
    bool is_unknown;
    char number[PG_INT_TEXT];
    if ((rc = pg_begin(pg, &(struct pg_limits){.lock_ms = 30000, .statement_ms = 60000}, err)) != 0) return rc;
    if ((rc = pg_exec(pg, "SELECT pg_advisory_xact_lock(" LEDGER_LOCK ")", err)) != 0) goto out;
    rc = pg_query(pg, "SELECT to_regnamespace('_sluice') IS NULL, to_regclass('_sluice.version') IS NULL", PG_NONE, &result,
                  err);
    if (rc != 0) goto out;
    if (pg_bool(result, 0, 0)) buf_append_text(&sql, "CREATE SCHEMA _sluice;");
    if (pg_bool(result, 0, 1)) buf_append_text(&sql, "CREATE TABLE _sluice.version (version integer NOT NULL);");
    if (sql.size && (rc = pg_exec(pg, buf_text(&sql), err)) != 0) goto out;
    pg_free(result);
    if ((rc = pg_query(pg, "SELECT coalesce(max(version), 0) FROM _sluice.version", PG_NONE, &result, err)) != 0) goto out;
    PG_FAULT_POINT(pg, "pg.ledger.before");
    for (int64_t step = pg_int(result, 0, 0); step < (int64_t)ARRAY_SIZE(STEPS); step++) {
        if ((rc = pg_exec(pg, STEPS[step], err)) != 0) goto out;
        rc = pg_query(pg, "INSERT INTO _sluice.version VALUES ($1)", PG_PARAMS(pg_int_text(step + 1, number)), NULL, err);
        if (rc != 0) goto out;
    }
    PG_FAULT_POINT(pg, "pg.ledger.after");
    rc = pg_commit(pg, &is_unknown, err);
out:
    pg_rollback(pg);
    pg_free(result);
    buf_release(&sql);
    return rc == 0 ? 0 : err_context(err, "could not create the ledger (schema \"_sluice\")");
}

int pgw_ledger_ensure(struct pg *pg, struct err *err)
{
    struct pg_result *result;
    int64_t version = 0;
    int rc = pg_query(pg, "SELECT pg_catalog.to_regclass('_sluice.version') IS NOT NULL", PG_NONE, &result, err);
    if (rc != 0) return rc;
    bool exists = pg_bool(result, 0, 0);
    pg_free(result);
    if (exists) {
        rc = pg_query(pg, "SELECT pg_catalog.max(version) FROM _sluice.version", PG_NONE, &result, err);
        if (rc != 0) return rc;
        version = pg_int(result, 0, 0);
        pg_free(result);
    }
    if (version > (int64_t)ARRAY_SIZE(STEPS)) {
        err_set(err, ERR_DESTINATION, "cannot use the ledger (schema \"_sluice\"): it has version %lld, this sluice knows %zu",
                (long long)version, ARRAY_SIZE(STEPS));
        return err_hint(err, "use the newer sluice that made it");
    }
    return version == (int64_t)ARRAY_SIZE(STEPS) ? 0 : bootstrap(pg, err);
}

/* The table of a stream, for people: schema.name. */
static void append_target(const struct writer *writer, const char *stream, struct buf *out)
{
    for (size_t t = 0; stream && t < writer->table_count; t++) {
        const struct relation *target = &writer->tables[t].at[PLACE_TARGET];
        if (strcmp(writer->tables[t].spec->stream, stream) == 0) buf_printf(out, "%s.%s", target->schema, target->name);
    }
}

int pgw_ledger_add_load(struct writer *writer, struct pg *pg, int64_t load_id, const char *stream, const char *kind,
                        const struct ledger_counts *counts, const char *note, struct err *err)
{
    const int64_t numbers[] = {counts->emitted,  counts->written,   counts->unchanged,  counts->deduplicated,
                               counts->rejected, counts->discarded, counts->deleted,    counts->removed,
                               counts->repaired, counts->nulled,    counts->overflowed, counts->bytes};
    struct buf sql = BUF_INIT(4096), target = BUF_INIT(4 * PG_NAME_SIZE);
    char load[PG_INT_TEXT], fence[PG_INT_TEXT];
    append_target(writer, stream, &target);
    buf_append_text(
        &sql, "INSERT INTO _sluice.loads (load_id, pipeline, flow, stream, kind, connector, fence, run, note, target, "
              "began_at, emitted, "
              "written, unchanged, deduplicated, rejected, discarded, deleted, removed, repaired, nulled, overflowed, bytes) "
              "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''), "
              "(SELECT since FROM _sluice.leases WHERE pipeline = $2)");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) buf_printf(&sql, ", %lld", (long long)numbers[i]);
    buf_append_char(&sql, ')');
    int rc = pg_query(pg, buf_text(&sql),
                      PG_PARAMS(pg_int_text(load_id, load), writer->spec.pipeline, writer->spec.flow, stream, kind,
                                writer->spec.connector, pg_int_text(writer->destination->fence, fence),
                                writer->destination->run, note, buf_text(&target)),
                      NULL, err);
    buf_release(&sql);
    buf_release(&target);
    return rc;
}

static void copy_text(struct pg_copy *copy, const char *text)
{
    if (text)
        pg_copy_bytes(copy, text, strlen(text));
    else
        pg_copy_null(copy);
}

int pgw_ledger_add_rejects(struct writer *writer, struct pg *pg, int64_t load_id, const struct reject *rejects, size_t count,
                           struct err *err)
{
    struct pg_copy copy;
    uint64_t rows;
    int rc;
    if (count == 0) return 0;
    rc = pg_copy_begin(&copy, pg,
                       "COPY _sluice.rejects (load_id, pipeline, flow, stream, field, reason, detail, record, dropped) "
                       "FROM STDIN (FORMAT binary)",
                       err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < count; i++) {
        pg_copy_row(&copy, 9);
        pg_copy_int64(&copy, load_id);
        copy_text(&copy, writer->spec.pipeline);
        copy_text(&copy, writer->spec.flow);
        copy_text(&copy, rejects[i].stream);
        copy_text(&copy, rejects[i].field);
        copy_text(&copy, rejects[i].reason);
        copy_text(&copy, rejects[i].detail);
        pg_copy_bytes(&copy, rejects[i].record.data, rejects[i].record.size);
        pg_copy_boolean(&copy, rejects[i].row_was_dropped);
        pg_copy_row_done(&copy);
    }
    return pg_copy_end(&copy, &rows, err);
}
