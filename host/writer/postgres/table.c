/* How it works: three small catalog queries per relation when a flow opens; from then on memory is kept in step by evolve.c and
 * publish.c, after their transactions are committed. */
#include "writer/postgres/table.h"

#include <strings.h>

/* What we create, and what an existing column may be: format_type() of it. A modifier (varchar(10), numeric(10,2)) would cut or
 * round what is sent, so it is another type. */
static const struct {
    const char *sql, *shown, *also;
} TYPES[TYPE_COUNT] = {
    [TYPE_STRING] = {"text", "text", "character varying"},
    [TYPE_INTEGER] = {"bigint", "bigint", NULL},
    [TYPE_DECIMAL] = {"numeric", "numeric", NULL},
    [TYPE_FLOAT] = {"double precision", "double precision", NULL},
    [TYPE_BOOLEAN] = {"boolean", "boolean", NULL},
    [TYPE_DATE] = {"date", "date", NULL},
    [TYPE_TIMESTAMP] = {"timestamptz", "timestamp with time zone", NULL},
    [TYPE_TIMESTAMP_NTZ] = {"timestamp", "timestamp without time zone", NULL},
    [TYPE_JSON] = {"jsonb", "jsonb", NULL},
    [TYPE_BINARY] = {"bytea", "bytea", NULL},
};

static const struct {
    const char *name, *shown;
} SYSTEM[] = {
    {"_sluice_synced_at", "timestamp with time zone"},
    {"_sluice_deleted", "boolean"},
    {"_sluice_load_id", "bigint"},
};

const char *pgw_column_type_sql(enum type type)
{
    return TYPES[type].sql;
}

static bool type_fits(enum type type, const char *shown)
{
    return strcmp(shown, TYPES[type].shown) == 0 || (TYPES[type].also && strcmp(shown, TYPES[type].also) == 0);
}

static bool type_from_shown(const char *shown, enum type *type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (!type_fits((enum type)i, shown)) continue;
        *type = (enum type)i;
        return true;
    }
    return false;
}

void pgw_relation_quote(const struct relation *relation, struct buf *out)
{
    pg_quote_table(out, relation->schema, relation->name);
}

void pgw_relation_forget(struct relation *relation)
{
    relation->exists = false;
    map_clear(&relation->columns);
}

void pgw_table_release(struct table *table)
{
    for (size_t i = 0; i < PLACES; i++) map_release(&table->at[i].columns);
    map_release(&table->fields);
    map_release(&table->names);
    free(table->columns);
}

void pgw_table_list(const struct table *table, const char *prefix, bool keys_only, struct buf *out)
{
    bool is_first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (keys_only && !table->columns[i].is_key) continue;
        if (!is_first) buf_append_text(out, ", ");
        is_first = false;
        buf_append_text(out, prefix);
        pg_quote_name(out, table->columns[i].name);
    }
}

bool pgw_table_has_key(const struct table *table)
{
    for (uint32_t i = 0; i < schema_count(table->spec->schema); i++)
        if (schema_column(table->spec->schema, i)->key) return true;
    return false;
}

bool pgw_table_uses_build(const struct table *table)
{
    return table->spec->mode == WRITE_OVERWRITE || !table->at[PLACE_TARGET].exists;
}

bool pgw_table_is_sealed(const struct table *table)
{
    return table->spec->mode != WRITE_APPEND && pgw_table_has_key(table);
}

void pgw_table_key_name(const struct table *table, enum place place, char out[PG_NAME_SIZE])
{
    snprintf(out, PG_NAME_SIZE, "%s_sluice_key", table->at[place].name);
}

bool pgw_table_lacks_column(const struct table *table, enum place place, uint32_t column)
{
    return table->at[place].exists && !map_get(&table->at[place].columns, str_from(table->columns[column].name));
}

/* --- names ---------------------------------------------------------------------------------------------------------------- */

static struct str lower_case(const char *name, char out[PG_NAME_SIZE])
{
    size_t size = 0;
    for (; name[size] && size < PG_NAME_MAX; size++)
        out[size] = name[size] >= 'A' && name[size] <= 'Z' ? (char)(name[size] + 32) : name[size];
    out[size] = '\0';
    return (struct str){out, size};
}

static bool column_is_taken(void *context, const char *name)
{
    const struct table *table = context;
    char lower[PG_NAME_SIZE];
    return map_get(&table->names, lower_case(name, lower)) != NULL;
}

static void take_name(struct table *table, const char *name)
{
    char lower[PG_NAME_SIZE];
    map_set(&table->names, lower_case(name, lower), table);
}

/* Table names of the schema that other streams have. */
struct known_tables {
    const struct pg_result *rows; /* field, target name */
    const char *field;
};

static bool table_is_taken(void *context, const char *name)
{
    const struct known_tables *known = context;
    for (size_t i = 0; i < pg_rows(known->rows); i++)
        if (strcmp(pg_cell(known->rows, i, 0), known->field) != 0 && strcasecmp(pg_cell(known->rows, i, 1), name) == 0)
            return true;
    return false;
}

static int name_relations(struct writer *writer, struct pg *pg, struct table *table, struct err *err)
{
    struct pg_result *rows = NULL;
    const char *schema = writer->destination->schema;
    static const char QUERY[] =
        "SELECT field, target_name FROM _sluice.schema_changes WHERE change = 'create_table' AND target_schema = $1";
    int rc = writer->destination->has_ledger ? pg_query(pg, QUERY, PG_PARAMS(schema), &rows, err) : 0;
    if (rc != 0) return rc;
    struct relation *target = &table->at[PLACE_TARGET], *stage = &table->at[PLACE_STAGE], *build = &table->at[PLACE_BUILD];
    for (size_t i = 0; i < pg_rows(rows); i++) {
        if (strcmp(pg_cell(rows, i, 0), table->spec->name) != 0) continue;
        snprintf(target->name, sizeof(target->name), "%s", pg_cell(rows, i, 1));
        table->is_known = true;
    }
    struct known_tables known = {rows, table->spec->name};
    if (!table->is_known)
        pg_map_name(str_from(table->spec->name), PG_NAME_MAX - PG_NAME_DERIVED, table_is_taken, &known, target->name);
    pg_free(rows);
    snprintf(target->schema, sizeof(target->schema), "%s", schema);
    /* Control characters cannot be in a flow's or stream's name. */
    struct buf whole = BUF_INIT(SIZE_MAX);
    buf_printf(&whole, "%s\x1f%s\x1f%s", writer->spec.pipeline, writer->spec.flow, table->spec->stream);
    unsigned long long hash = pg_hash(buf_text(&whole));
    buf_release(&whole);
    snprintf(stage->schema, sizeof(stage->schema), "_sluice");
    snprintf(stage->name, sizeof(stage->name), "stage_%016llx", hash);
    snprintf(build->schema, sizeof(build->schema), "%s", schema);
    snprintf(build->name, sizeof(build->name), "_sluice_build_%016llx", hash);
    return 0;
}

/* --- what is there -------------------------------------------------------------------------------------------------------- */

static int check_foreign_column(const struct table *table, const struct pg_result *columns, size_t row, struct err *err)
{
    const char *name = pg_cell(columns, row, 0);
    bool is_system = strncmp(name, "_sluice_", 8) == 0, is_mapped = false;
    const struct map_entry *entry;
    for (size_t at = 0; !is_mapped && (entry = map_each(&table->fields, &at)) != NULL;)
        is_mapped = strcmp(entry->value, name) == 0;
    if (is_system || is_mapped || schema_find(table->spec->schema, str_from(name))) return 0;
    if (!pg_bool(columns, row, 2) || pg_bool(columns, row, 3)) return 0;
    err_set(err, ERR_SCHEMA, "cannot write to \"%s\".\"%s\": nothing would fill its column \"%s\", which is not null",
            table->at[PLACE_TARGET].schema, table->at[PLACE_TARGET].name, name);
    return err_hint(err, "give the column a default, or let it be null");
}

static int read_relation(struct writer *writer, struct pg *pg, struct table *table, enum place place, struct err *err)
{
    struct relation *relation = &table->at[place];
    struct pg_result *rows;
    int rc = pg_query(pg,
                      "SELECT c.relkind, c.relpersistence = 'u' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                      "WHERE n.nspname = $1 AND c.relname = $2",
                      PG_PARAMS(relation->schema, relation->name), &rows, err);
    if (rc != 0) return rc;
    relation->exists = pg_rows(rows) > 0;
    char kind = relation->exists ? pg_cell(rows, 0, 0)[0] : 'r';
    relation->is_unlogged = relation->exists && pg_bool(rows, 0, 1);
    pg_free(rows);
    if (kind != 'r' && kind != 'p') {
        err_set(err, ERR_SCHEMA, "cannot write to \"%s\".\"%s\": it is not a table", relation->schema, relation->name);
        return err_hint(err, "give the stream another table name, or drop what stands in its place");
    }
    if (!relation->exists) return 0;
    rc = pg_query(pg,
                  "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
                  "a.atthasdef OR a.attidentity <> '' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                  "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 "
                  "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                  PG_PARAMS(relation->schema, relation->name), &rows, err);
    if (rc != 0) return rc;
    for (size_t i = 0; rc == 0 && i < pg_rows(rows); i++) {
        const char *name = pg_cell(rows, i, 0);
        map_set(&relation->columns, str_from(name), arena_strdup(&writer->arena, pg_cell(rows, i, 1)));
        take_name(table, name);
        if (place == PLACE_TARGET) rc = check_foreign_column(table, rows, i, err);
    }
    pg_free(rows);
    for (size_t i = 0; rc == 0 && place == PLACE_TARGET && i < ARRAY_SIZE(SYSTEM); i++) {
        const char *shown = map_get(&relation->columns, str_from(SYSTEM[i].name));
        if (!shown || strcmp(shown, SYSTEM[i].shown) == 0) continue;
        err_set(err, ERR_SCHEMA, "cannot write to \"%s\".\"%s\": its column \"%s\" is %s, not %s", relation->schema,
                relation->name, SYSTEM[i].name, shown, SYSTEM[i].shown);
        rc = err_hint(err, "rename that column");
    }
    return rc;
}

static const char *existing_type(const struct table *table, const char *column)
{
    static const enum place ORDER[] = {PLACE_TARGET, PLACE_BUILD, PLACE_STAGE};
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) {
        const char *shown = map_get(&table->at[ORDER[i]].columns, str_from(column));
        if (shown) return shown;
    }
    return NULL;
}

/* The columns the name map knows join the schema, with the type they have now. */
static int read_name_map(struct writer *writer, struct pg *pg, struct table *table, struct err *err)
{
    struct pg_result *rows = NULL;
    const struct relation *target = &table->at[PLACE_TARGET];
    static const char QUERY[] = "SELECT field, column_name, type FROM _sluice.schema_changes "
                                "WHERE change = 'add_column' AND target_schema = $1 AND target_name = $2 ORDER BY id";
    int rc = writer->destination->has_ledger ? pg_query(pg, QUERY, PG_PARAMS(target->schema, target->name), &rows, err) : 0;
    if (rc != 0) return rc;
    for (size_t i = 0; i < pg_rows(rows); i++) {
        char *column = arena_strdup(&writer->arena, pg_cell(rows, i, 1));
        map_set(&table->fields, str_from(pg_cell(rows, i, 0)), column);
        take_name(table, column);
    }
    for (enum place place = PLACE_TARGET; rc == 0 && place < PLACES; place++) rc = read_relation(writer, pg, table, place, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(rows); i++) {
        enum type type;
        const char *shown = existing_type(table, pg_cell(rows, i, 1));
        if (shown ? type_from_shown(shown, &type) : type_from_name(str_from(pg_cell(rows, i, 2)), &type))
            schema_add(table->spec->schema, str_from(pg_cell(rows, i, 0)), type, false);
    }
    pg_free(rows);
    return rc;
}

int pgw_table_has_unique_key(struct pg *pg, const struct table *table, bool *has_key, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct pg_result *rows;
    struct buf names = BUF_INIT(256 * 1024);
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].is_key) pg_array_add(&names, table->columns[i].name);
    pg_array_end(&names);
    int rc = pg_query(
        pg,
        "SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL "
        "AND i.indexprs IS NULL AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\") "
        " FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])) "
        "= (SELECT array_agg(k ORDER BY k COLLATE \"C\") FROM unnest($3::text[]) k)",
        PG_PARAMS(target->schema, target->name, buf_text(&names)), &rows, err);
    *has_key = pg_rows(rows) > 0;
    pg_free(rows);
    buf_release(&names);
    return rc;
}

static int check_unique_key(struct pg *pg, const struct table *table, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    bool has_key;
    int rc = pgw_table_has_unique_key(pg, table, &has_key, err);
    if (rc != 0 || has_key) return rc;
    struct buf names = BUF_INIT(256 * 1024);
    pgw_table_list(table, "", true, &names);
    err_set(err, ERR_SCHEMA, "cannot merge into \"%s\".\"%s\": it has no unique index on its primary key (%s)", target->schema,
            target->name, buf_text(&names));
    buf_release(&names);
    return err_hint(err, "create one (CREATE UNIQUE INDEX, not DEFERRABLE), or choose write mode append");
}

int pgw_table_open(struct writer *writer, struct pg *pg, struct table *table, struct err *err)
{
    int rc;
    if (table->spec->mode == WRITE_APPEND_DEDUP && !pgw_table_has_key(table)) {
        err_set(err, ERR_CONFIG, "stream '%s' cannot use write mode append_dedup: it has no primary key", table->spec->stream);
        return err_hint(err, "declare primary_key for the stream, or choose write mode append");
    }
    if ((rc = name_relations(writer, pg, table, err)) != 0) return rc;
    if ((rc = read_name_map(writer, pg, table, err)) != 0) return rc;
    if ((rc = pgw_table_follow(writer, table, schema_count(table->spec->schema), err)) != 0) return rc;
    if (table->spec->mode == WRITE_APPEND_DEDUP && table->at[PLACE_TARGET].exists) rc = check_unique_key(pg, table, err);
    return rc;
}

/* --- following the schema ------------------------------------------------------------------------------------------------- */

static int wrong_type(const struct table *table, const struct column *field, const char *column, const char *shown,
                      struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    err_set(err, ERR_SCHEMA, "column \"%s\" of \"%s\".\"%s\" is %s, and field '%s' of stream '%s' is declared %s", column,
            target->schema, target->name, shown, field->name, table->spec->stream, type_name(field->type));
    return err_hint(
        err,
        "rename the column or alter it to %s (ALTER TABLE .. ALTER COLUMN .. TYPE %s), or declare the field as it is there",
        TYPES[field->type].sql, TYPES[field->type].sql);
}

static int name_column(struct writer *writer, struct table *table, const struct column *field, struct table_column *column,
                       struct err *err)
{
    const char *mapped = map_get(&table->fields, str_from(field->name));
    const char *shown = NULL;
    if (mapped) {
        snprintf(column->name, sizeof(column->name), "%s", mapped);
        shown = existing_type(table, mapped);
        /* The overflow column and inferred ones follow the table, so only a declared type can differ. */
        if (shown && !type_fits(field->type, shown)) return wrong_type(table, field, mapped, shown, err);
        return 0;
    }
    if (strcmp(field->name, SCHEMA_OVERFLOW) == 0) {
        snprintf(column->name, sizeof(column->name), "%s", SCHEMA_OVERFLOW);
    } else {
        shown = strncmp(field->name, "_sluice_", 8) == 0 ? NULL : existing_type(table, field->name);
        if (shown && !type_fits(field->type, shown) && field->declared)
            return wrong_type(table, field, field->name, shown, err);
        if (shown && type_fits(field->type, shown)) /* adopted */
            snprintf(column->name, sizeof(column->name), "%s", field->name);
        else
            pg_map_name(str_from(field->name), PG_NAME_MAX, column_is_taken, table, column->name);
    }
    take_name(table, column->name);
    map_set(&table->fields, str_from(field->name), arena_strdup(&writer->arena, column->name));
    return 0;
}

int pgw_table_follow(struct writer *writer, struct table *table, uint32_t count, struct err *err)
{
    int rc = 0;
    if (count > table->column_capacity) {
        table->column_capacity = count + 32;
        table->columns = mem_resize(table->columns, table->column_capacity * sizeof(*table->columns));
    }
    while (rc == 0 && table->column_count < count) {
        const struct column *field = schema_column(table->spec->schema, table->column_count);
        struct table_column *column = &table->columns[table->column_count];
        column->type = field->type;
        column->is_key = field->key;
        column->is_set = false;
        for (size_t i = 0; i < table->spec->set_count; i++)
            column->is_set = column->is_set || strcmp(table->spec->set[i], field->name) == 0;
        column->is_recorded = map_get(&table->fields, str_from(field->name)) != NULL;
        if ((rc = name_column(writer, table, field, column, err)) == 0) table->column_count++;
    }
    return rc;
}
