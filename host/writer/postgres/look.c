/* look: see look.h. Tables are opened as a flow opens them; what is missing is described in the words of evolve.c. */
#include "writer/postgres/look.h"

#include "writer/postgres/evolve.h"
#include "writer/postgres/table.h"

enum { SQL_MAX = 16 * 1024 * 1024 };

int pgw_look_begin(struct destination *destination, struct err *err)
{
    struct pg_result *row;
    int rc = pg_exec(destination->pg, "SET default_transaction_read_only = on", err);
    if (rc == 0) /* the first of its tables, and the newest */
        rc = pg_query(destination->pg,
                      "SELECT to_regclass('_sluice.state') IS NOT NULL, to_regclass('_sluice.usage') IS NOT NULL", NULL, 0,
                      &row, err);
    if (rc != 0) return rc;
    bool is_old = pg_bool(row, 0, 0) && !pg_bool(row, 0, 1);
    destination->has_ledger = pg_bool(row, 0, 1);
    pg_free(row);
    if (!is_old) return 0;
    err_set(err, ERR_DESTINATION, "the ledger is that of an older sluice, and looking cannot bring it up to date");
    return err_hint(err, "`sluice check` or a run does");
}

static void describe_new(const struct table *table, struct buf *sql)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    bool is_sealed = pgw_table_is_sealed(table);
    buf_append_text(sql, "CREATE TABLE ");
    pgw_relation_quote(target, sql);
    buf_append_text(sql, " (");
    for (uint32_t i = 0; i < table->column_count; i++) {
        pg_quote_name(sql, table->columns[i].name);
        buf_printf(sql, " %s, ", pgw_column_type_sql(table->columns[i].type));
    }
    for (size_t i = 0; i < SYSTEM_COLUMN_COUNT; i++) buf_printf(sql, "%s%s", i ? ", " : "", PGW_SYSTEM_DEFINITIONS[i]);
    if (is_sealed) {
        buf_append_text(sql, ", PRIMARY KEY (");
        pgw_table_list(table, "", true, sql);
        buf_append_char(sql, ')');
    }
    buf_append_text(sql, "); ");
}

static int count_rows(struct pg *pg, const struct relation *target, int64_t *rows, struct err *err)
{
    struct pg_result *row;
    int rc = pg_query(pg,
                      "SELECT c.reltuples::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                      "WHERE n.nspname = $1 AND c.relname = $2",
                      PG_PARAMS(target->schema, target->name), &row, err);
    if (rc != 0) return rc;
    *rows = pg_rows(row) ? pg_int(row, 0, 0) : -1;
    pg_free(row);
    return 0;
}

static int has_schema(struct destination *destination, bool *has, struct err *err)
{
    struct pg_result *row;
    int rc = pg_query(destination->pg, "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", PG_PARAMS(destination->schema),
                      &row, err);
    if (rc == 0) *has = pg_bool(row, 0, 0);
    if (rc == 0) pg_free(row);
    return rc;
}

static int look_at(struct writer *writer, struct table *table, struct arena *arena, struct target_look *look, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct buf sql = BUF_INIT(SQL_MAX);
    bool has = false;
    int rc = has_schema(writer->destination, &has, err);
    if (rc == 0) rc = pgw_table_open(writer, writer->destination->pg, table, err);
    bool is_refused = rc == ERR_SCHEMA || rc == ERR_CONFIG;
    if (is_refused) err_copy(&look->refusal, err);
    if (is_refused) *err = (struct err)ERR_INIT;
    if (is_refused) rc = 0;
    look->target = arena_printf(arena, "%s.%s", target->schema, target->name);
    look->exists = target->exists;
    if (rc == 0 && look->exists) rc = count_rows(writer->destination->pg, target, &look->rows, err);
    if (rc == 0 && !look->refusal.class) {
        if (!has)
            buf_append_text(&sql, "CREATE SCHEMA "), pg_quote_name(&sql, writer->destination->schema),
                buf_append_text(&sql, "; ");
        if (look->exists)
            pgw_evolve_target(table, &sql);
        else
            describe_new(table, &sql);
    }
    look->changes = arena_text(arena, buf_str(&sql));
    buf_release(&sql);
    return rc;
}

int pgw_look(struct destination *destination, const struct flow_spec *spec, struct arena *arena, struct target_look **looks,
             struct err *err)
{
    struct writer writer = {.destination = destination, .arena = ARENA_INIT(0), .spec = *spec};
    int rc = 0;
    *looks = arena_array(arena, struct target_look, spec->table_count + 1);
    for (size_t t = 0; t < spec->table_count && rc == 0; t++) {
        struct table table = {.spec = &spec->tables[t]};
        (*looks)[t] = (struct target_look){.rows = -1, .changes = "", .refusal = ERR_INIT};
        rc = look_at(&writer, &table, arena, &(*looks)[t], err);
        pgw_table_release(&table);
    }
    arena_release(&writer.arena);
    return rc == 0 ? 0 : err_context(err, "could not look at the tables of flow '%s'", spec->flow);
}
