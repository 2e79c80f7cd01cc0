/* catalog: three queries, whatever the number of tables. Patterns are applied here, not in SQL, so that they mean the same
 * everywhere; so is what may not be read. */
#include "postgres/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Row types of tables, and arrays of these, are text to us, and would be most of the list. */
static const char TYPES[] =
    "SELECT t.oid, t.typname, t.typbasetype, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typcategory, "
    "coalesce(e.typdelim, ',') FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem "
    "WHERE t.typtype <> 'c' AND e.typtype IS DISTINCT FROM 'c' ORDER BY t.oid";

/* Partitions are read by their parent; what belongs to an extension is none of the user's tables. */
static const char TABLES[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relpersistence, c.relhassubclass, "
    "has_table_privilege(c.oid, 'SELECT'), obj_description(c.oid, "
    "'pg_class') "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND NOT c.relispartition "
    "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE') "
    "AND has_any_column_privilege(c.oid, 'SELECT') "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') "
    "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/* %s: which index is the key; the tables' oids. */
static const char COLUMNS[] =
    "SELECT a.attrelid, a.attname, a.atttypid, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '', "
    "col_description(a.attrelid, a.attnum), has_column_privilege(a.attrelid, a.attnum, 'SELECT'), "
    "(SELECT k.place FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place) WHERE k.attnum = a.attnum AND k.place <= "
    "i.indnkeyatts), "
    "EXISTS (SELECT FROM pg_index x JOIN pg_class xc ON xc.oid = x.indexrelid JOIN pg_am am ON am.oid = xc.relam "
    "WHERE x.indrelid = a.attrelid AND x.indkey[0] = a.attnum AND x.indisvalid AND x.indpred IS NULL AND am.amname = 'btree') "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND %s "
    "WHERE a.attrelid = ANY('{%s}'::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

static const char *field(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static uint32_t oid_of(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool flag(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static char *copy_of(const char *words)
{
    return words ? text_copy(words) : NULL;
}

int catalog_load_types(struct catalog *catalog, struct connection *connection)
{
    PGresult *result = NULL;
    int rc = connection_query(connection, TYPES, &result);
    if (rc) return rc;
    free(catalog->types);
    catalog->type_count = (size_t)PQntuples(result);
    catalog->types = text_allocate(catalog->type_count, sizeof *catalog->types);
    for (int i = 0; i < PQntuples(result); i++) {
        struct pg_type_row *row = &catalog->types[i];
        *row = (struct pg_type_row){.oid = oid_of(result, i, 0),
                                    .base = oid_of(result, i, 2),
                                    .element = oid_of(result, i, 3),
                                    .category = PQgetvalue(result, i, 4)[0],
                                    .delimiter = PQgetvalue(result, i, 5)[0]};
        snprintf(row->name, sizeof row->name, "%s", PQgetvalue(result, i, 1));
    }
    PQclear(result);
    return 0;
}

static char *stream_name(const struct settings *settings, const char *schema, const char *name)
{
    struct text stream = {0};
    if (!settings->has_one_schema) text_printf(&stream, "%s.", schema);
    text_puts(&stream, name);
    return stream.data;
}

static int load_tables(struct catalog *catalog, struct connection *connection, const struct settings *settings,
                       const char *only)
{
    PGresult *result = NULL;
    int rc = connection_query(connection, TABLES, &result);
    if (rc) return rc;
    catalog->tables = text_allocate((size_t)PQntuples(result), sizeof *catalog->tables);
    for (int i = 0; i < PQntuples(result); i++) {
        const char *schema = PQgetvalue(result, i, 1), *name = PQgetvalue(result, i, 2);
        if (!patterns_match(settings->schemas, schema, NULL)) continue;
        char *stream = stream_name(settings, schema, name);
        bool is_wanted = only ? strcmp(only, stream) == 0 : patterns_match(settings->tables, name, stream);
        if (!is_wanted) {
            free(stream);
            continue;
        }
        catalog->tables[catalog->count++] = (struct catalog_table){.oid = oid_of(result, i, 0),
                                                                   .schema = text_copy(schema),
                                                                   .name = text_copy(name),
                                                                   .stream = stream,
                                                                   .kind = PQgetvalue(result, i, 3)[0],
                                                                   .identity = PQgetvalue(result, i, 4)[0],
                                                                   .is_logged = PQgetvalue(result, i, 5)[0] == 'p',
                                                                   .has_children = flag(result, i, 6),
                                                                   .is_whole = flag(result, i, 7),
                                                                   .title = copy_of(field(result, i, 8))};
    }
    PQclear(result);
    return 0;
}

/* The columns of one table: the rows from `first` on that have its oid. */
static void take_columns(struct catalog *catalog, struct catalog_table *table, const PGresult *result, int first,
                         const struct settings *settings)
{
    int end = first;
    bool has_whole_key = true;
    while (end < PQntuples(result) && oid_of(result, end, 0) == table->oid) end++;
    table->columns = text_allocate((size_t)(end - first), sizeof *table->columns);
    for (int i = first; i < end; i++) {
        const char *key = field(result, i, 8);
        bool is_known;
        if (!flag(result, i, 7)) { /* not for us to read */
            has_whole_key = has_whole_key && !key;
            text_printf(&table->hidden, "%s\n", PQgetvalue(result, i, 1));
            continue;
        }
        if (settings->slot && flag(result, i, 5)) continue;
        struct catalog_column *column = &table->columns[table->column_count++];
        *column = (struct catalog_column){.name = text_copy(PQgetvalue(result, i, 1)),
                                          .type = type_of(catalog->types, catalog->type_count, oid_of(result, i, 2), &is_known),
                                          .type_name = text_copy(PQgetvalue(result, i, 3)),
                                          .is_not_null = flag(result, i, 4),
                                          .is_generated = flag(result, i, 5),
                                          .title = copy_of(field(result, i, 6)),
                                          .key = key ? atoi(key) : 0,
                                          .is_indexed = flag(result, i, 9)};
        if (key) table->key_count++;
    }
    if (!has_whole_key) table->key_count = 0;
}

static int first_row(const PGresult *result, uint32_t oid)
{
    int low = 0, high = PQntuples(result);
    while (low < high) {
        int middle = (low + high) / 2;
        if (oid_of(result, middle, 0) < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int load_columns(struct catalog *catalog, struct connection *connection, const struct settings *settings)
{
    struct text oids = {0}, sql = {0};
    PGresult *result = NULL;
    for (size_t i = 0; i < catalog->count; i++) text_printf(&oids, "%s%u", i ? "," : "", catalog->tables[i].oid);
    text_printf(&sql, COLUMNS,
                settings->slot ? "CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END"
                               : "i.indisprimary",
                oids.data ? oids.data : "");
    int rc = connection_query(connection, sql.data, &result);
    if (rc == 0)
        for (size_t i = 0; i < catalog->count; i++)
            take_columns(catalog, &catalog->tables[i], result, first_row(result, catalog->tables[i].oid), settings);
    PQclear(result);
    text_release(&oids);
    text_release(&sql);
    return rc;
}

int catalog_load(struct catalog *catalog, struct connection *connection, const struct settings *settings, const char *stream)
{
    int rc = catalog_load_types(catalog, connection);
    if (rc == 0) rc = load_tables(catalog, connection, settings, stream);
    if (rc == 0) rc = load_columns(catalog, connection, settings);
    return rc;
}

void catalog_release(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++) {
        struct catalog_table *table = &catalog->tables[i];
        for (size_t c = 0; c < table->column_count; c++) {
            free(table->columns[c].name);
            free(table->columns[c].title);
            free(table->columns[c].type_name);
        }
        free(table->columns);
        text_release(&table->hidden);
        free(table->schema);
        free(table->name);
        free(table->stream);
        free(table->title);
    }
    free(catalog->tables);
    free(catalog->types);
    *catalog = (struct catalog){0};
}

const struct catalog_table *catalog_find(const struct catalog *catalog, const char *stream)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->tables[i].stream, stream) == 0) return &catalog->tables[i];
    return NULL;
}

const struct catalog_column *catalog_column(const struct catalog_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0) return &table->columns[i];
    return NULL;
}

bool catalog_knows(const struct catalog_table *table, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = table->hidden.data, *end; at && (end = strchr(at, '\n')) != NULL; at = end + 1)
        if ((size_t)(end - at) == size && memcmp(at, name, size) == 0) return true;
    return catalog_column(table, name) != NULL;
}
