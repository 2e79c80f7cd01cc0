/* How it works: the statements are worked out from memory first; after their commit, memory follows. An existing target of
 * overwrite is left as it is while its build fills; if its rows are then to be changed in place, it gets the columns it lacks.
 */
#include "writer/postgres/evolve.h"

#include "writer/postgres/sets.h"
#include "writer/postgres/stage.h"
#include "writer/postgres/table.h"
#include "writer/postgres/transact.h"

static const struct pg_limits DDL_LIMITS = {.lock_ms = 2000, .statement_ms = 60000};

static bool is_followed(const struct table *table, enum place place)
{
    bool is_replaced = place == PLACE_TARGET && table->spec->mode == WRITE_OVERWRITE && table->way == OVERWRITE_RENAME;
    return table->at[place].exists && !is_replaced;
}

const char *const PGW_SYSTEM_DEFINITIONS[SYSTEM_COLUMN_COUNT] = {"_sluice_synced_at timestamptz", "_sluice_deleted boolean",
                                                                 "_sluice_load_id bigint"};
static const char *const SYSTEM_NAMES[] = {"_sluice_synced_at", "_sluice_deleted", "_sluice_load_id"};

static void create_side_table(const struct writer *writer, const struct table *table, enum place place, bool is_volatile,
                              struct buf *sql)
{
    bool is_dedup = table->spec->mode == WRITE_APPEND_DEDUP, has_sets = table->spec->set_count > 0;
    const struct relation *relation = &table->at[place];
    buf_printf(sql, "CREATE %sTABLE IF NOT EXISTS ", place == PLACE_STAGE && is_volatile ? "UNLOGGED " : "");
    pgw_relation_quote(relation, sql);
    buf_append_text(sql, " (");
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool is_needed = has_sets ? table->columns[i].is_set : table->columns[i].is_key;
        pg_quote_name(sql, table->columns[i].name);
        buf_printf(sql, " %s%s, ", pgw_column_type_sql(table->columns[i].type),
                   table->spec->mode != WRITE_APPEND && is_needed ? " NOT NULL" : "");
    }
    for (size_t i = 0; i < ARRAY_SIZE(PGW_SYSTEM_DEFINITIONS); i++) buf_printf(sql, "%s NOT NULL, ", PGW_SYSTEM_DEFINITIONS[i]);
    buf_printf(sql, "_sluice_slice text, _sluice_seq bigint, _sluice_missing text[]%s)%s; ",
               has_sets ? ", " SET_COLUMN " bigint" : "", is_dedup && place == PLACE_BUILD ? " WITH (fillfactor = 90)" : "");
    /* Rows are deleted from it before it has a key, which a publication FOR ALL TABLES would not allow otherwise. */
    buf_append_text(sql, "ALTER TABLE ");
    pgw_relation_quote(relation, sql);
    buf_append_text(sql, " REPLICA IDENTITY FULL; ");
    buf_append_text(sql,
                    "INSERT INTO _sluice.builds (pipeline, flow, stream, kind, table_schema, table_name, target) VALUES (");
    const char *const values[] = {
        writer->spec.pipeline, writer->spec.flow, table->spec->stream,         place == PLACE_BUILD ? "build" : "stage",
        relation->schema,      relation->name,    table->at[PLACE_TARGET].name};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (i) buf_append_text(sql, ", ");
        pg_quote_literal(sql, str_from(values[i]));
    }
    buf_append_text(sql, ") ON CONFLICT DO NOTHING; ");
}

static bool lacks_set_column(const struct table *table, enum place place)
{
    return table->spec->set_count && table->at[place].exists && !pgw_sets_has_column(table, place);
}

static void add_columns(const struct table *table, enum place place, struct buf *sql)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!pgw_table_lacks_column(table, place, i)) continue;
        buf_append_text(sql, "ALTER TABLE ");
        pgw_relation_quote(&table->at[place], sql);
        buf_append_text(sql, " ADD COLUMN IF NOT EXISTS ");
        pg_quote_name(sql, table->columns[i].name);
        buf_printf(sql, " %s; ", pgw_column_type_sql(table->columns[i].type));
    }
    /* A target that sluice did not make lacks these. */
    for (size_t i = 0; place == PLACE_TARGET && i < ARRAY_SIZE(SYSTEM_NAMES); i++) {
        if (map_get(&table->at[place].columns, str_from(SYSTEM_NAMES[i]))) continue;
        buf_append_text(sql, "ALTER TABLE ");
        pgw_relation_quote(&table->at[place], sql);
        buf_printf(sql, " ADD COLUMN IF NOT EXISTS %s; ", PGW_SYSTEM_DEFINITIONS[i]);
    }
}

/* Rows that wait since the stream had no sets were appended: each is its own. */
static void add_set_column(const struct table *table, enum place place, struct buf *sql)
{
    if (place == PLACE_TARGET || !lacks_set_column(table, place)) return;
    for (int part = 0; part < 2; part++) {
        buf_append_text(sql, part == 0 ? "ALTER TABLE " : "UPDATE ");
        pgw_relation_quote(&table->at[place], sql);
        buf_append_text(sql,
                        part == 0 ? " ADD COLUMN IF NOT EXISTS " SET_COLUMN " bigint" : " SET " SET_COLUMN " = _sluice_seq");
        for (uint32_t i = 0; part == 0 && i < table->column_count; i++) {
            if (!table->columns[i].is_key || table->columns[i].is_set) continue;
            buf_append_text(sql, ", ALTER COLUMN ");
            pg_quote_name(sql, table->columns[i].name);
            buf_append_text(sql, " DROP NOT NULL");
        }
        buf_append_text(sql, "; ");
    }
}

/* Must the stage change its persistence? Safer at once, with what is in it; less so when it is empty and about to be used. */
static bool must_switch(const struct writer *writer, const struct relation *stage, bool is_needed, bool is_volatile)
{
    if (!stage->exists || stage->is_unlogged == is_volatile) return false;
    return stage->is_unlogged || (is_needed && !writer->has_held);
}

static void record_change(const struct writer *writer, const struct table *table, const char *change, const char *field,
                          const char *column, const char *type, struct buf *sql)
{
    const char *const values[] = {writer->spec.pipeline,
                                  writer->spec.flow,
                                  table->spec->stream,
                                  change,
                                  table->at[PLACE_TARGET].schema,
                                  table->at[PLACE_TARGET].name,
                                  field,
                                  column,
                                  type};
    buf_append_text(sql,
                    "INSERT INTO _sluice.schema_changes (pipeline, flow, stream, change, target_schema, target_name, field, "
                    "column_name, type) VALUES (");
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (i) buf_append_text(sql, ", ");
        pg_quote_literal(sql, str_from(values[i]));
    }
    buf_append_text(sql, ") ON CONFLICT DO NOTHING; ");
}

static void plan_table(const struct writer *writer, const struct table *table, const bool needs[PLACES], bool is_volatile,
                       struct buf *sql)
{
    const struct relation *stage = &table->at[PLACE_STAGE];
    for (enum place place = PLACE_TARGET; place < PLACES; place++) {
        if (is_followed(table, place)) add_columns(table, place, sql);
        add_set_column(table, place, sql);
        if (needs[place] && !table->at[place].exists) create_side_table(writer, table, place, is_volatile, sql);
    }
    if (must_switch(writer, stage, needs[PLACE_STAGE], is_volatile)) {
        buf_append_text(sql, "ALTER TABLE ");
        pgw_relation_quote(stage, sql);
        buf_append_text(sql, is_volatile ? " SET UNLOGGED; " : " SET LOGGED; ");
    }
    if (!table->is_known)
        record_change(writer, table, "create_table", table->spec->name, table->at[PLACE_TARGET].name, "", sql);
    for (uint32_t i = 0; i < table->column_count; i++)
        if (!table->columns[i].is_recorded)
            record_change(writer, table, "add_column", schema_column(table->spec->schema, i)->name, table->columns[i].name,
                          type_name(table->columns[i].type), sql);
}

static int evolve_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    const struct buf *statements = context;
    struct pg_result *result;
    int rc = pg_query(tx->pg, "SELECT to_regnamespace(quote_ident($1)) IS NULL", PG_PARAMS(writer->destination->schema),
                      &result, err);
    if (rc != 0) return rc;
    bool has_no_schema = pg_bool(result, 0, 0);
    pg_free(result);
    if (has_no_schema) {
        struct buf sql = BUF_INIT(256);
        buf_append_text(&sql, "CREATE SCHEMA IF NOT EXISTS ");
        pg_quote_name(&sql, writer->destination->schema);
        rc = pg_exec(tx->pg, buf_text(&sql), err);
        buf_release(&sql);
    }
    PG_FAULT_POINT(tx->pg, "pg.ddl.before");
    if (rc == 0) rc = pg_exec(tx->pg, buf_text(statements), err);
    PG_FAULT_POINT(tx->pg, "pg.ddl.after");
    return rc;
}

/* Memory follows the committed change. */
static void remember(struct writer *writer, struct table *table, const bool needs[PLACES], bool is_volatile)
{
    struct relation *stage = &table->at[PLACE_STAGE];
    bool is_new = needs[PLACE_STAGE] && !stage->exists;
    if (is_new || must_switch(writer, stage, needs[PLACE_STAGE], is_volatile)) stage->is_unlogged = is_volatile;
    table->is_known = true;
    for (uint32_t i = 0; i < table->column_count; i++) table->columns[i].is_recorded = true;
    for (enum place place = PLACE_TARGET; place < PLACES; place++) {
        struct relation *relation = &table->at[place];
        if (needs[place] && place != PLACE_TARGET) relation->exists = true;
        if (place != PLACE_TARGET && lacks_set_column(table, place))
            map_set(&relation->columns, STR(SET_COLUMN), arena_strdup(&writer->arena, ""));
        if (!is_followed(table, place)) continue;
        for (uint32_t i = 0; i < table->column_count; i++) {
            const char *type = pgw_column_type_sql(table->columns[i].type);
            if (!map_get(&relation->columns, str_from(table->columns[i].name)))
                map_set(&relation->columns, str_from(table->columns[i].name), arena_strdup(&writer->arena, type));
        }
        for (size_t i = 0; i < ARRAY_SIZE(SYSTEM_NAMES); i++)
            map_set(&relation->columns, str_from(SYSTEM_NAMES[i]), arena_strdup(&writer->arena, ""));
    }
}

/* Is there, or shall there be, anything of this table? */
static bool is_of_interest(const struct table *table, const bool needs[PLACES])
{
    for (enum place place = PLACE_TARGET; place < PLACES; place++)
        if (table->at[place].exists || (needs[place] && place != PLACE_TARGET)) return true;
    return false;
}

int pgw_evolve(struct writer *writer, const uint32_t *counts, const bool (*needs)[PLACES], struct err *err)
{
    int rc;
    struct buf sql = BUF_INIT(16 * 1024 * 1024);
    const bool is_volatile = pgw_stage_is_volatile(writer); /* schemas grow meanwhile: asked once */
    for (size_t t = 0; t < writer->table_count; t++) {
        if ((rc = pgw_table_follow(writer, &writer->tables[t], counts[t], err)) != 0) goto out;
        if (is_of_interest(&writer->tables[t], needs[t])) plan_table(writer, &writer->tables[t], needs[t], is_volatile, &sql);
    }
    if (sql.failed) {
        rc = err_set(err, ERR_SCHEMA, "cannot prepare the tables of flow '%s': their definition is over %zu bytes",
                     writer->spec.flow, sql.max);
        goto out;
    }
    rc = sql.size ? pgw_transact(writer, &DDL_LIMITS, evolve_body, &sql, err) : 0;
    if (rc != 0) err_context(err, "could not prepare the tables of flow '%s'", writer->spec.flow);
    for (size_t t = 0; rc == 0 && sql.size && t < writer->table_count; t++)
        if (is_of_interest(&writer->tables[t], needs[t])) remember(writer, &writer->tables[t], needs[t], is_volatile);
out:
    buf_release(&sql);
    return rc;
}

void pgw_evolve_target(const struct table *table, struct buf *sql)
{
    if (is_followed(table, PLACE_TARGET)) add_columns(table, PLACE_TARGET, sql);
}
