/* How it works: the catalog's own record of who depends on the table (pg_depend) finds most things, also kinds that do not
 * exist yet; what it does not know (settings, comments, rights, publications of whole schemas) is asked for one by one. */
#include "writer/postgres/attached.h"

#include "writer/postgres/table.h"

/* What the questions may refer to: $1 the table's oid, $2 the name of our key, $3 our columns, $4 and $5 schema and name. */
#define OURS "attname::text = ANY ($3::text[])"
#define COLUMN "pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped"
#define TABLE "pg_class WHERE oid = $1::oid"

/* The first column is what it is called. */
static const char *const THINGS[] = {
    /* Rules of views come as the view. Not ours: all but our key and the not null marks newer servers keep as constraints. */
    "SELECT i.type || ' ' || i.identity FROM pg_depend d "
    "LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.ev_class <> $1::oid "
    "LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid "
    "CROSS JOIN LATERAL pg_identify_object(CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END, "
    " coalesce(r.ev_class, d.objid), CASE WHEN r.oid IS NULL THEN d.objsubid ELSE 0 END) i "
    "WHERE d.deptype <> 'i' AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid) "
    " OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t "
    " WHERE t.typrelid = $1::oid))) "
    "AND NOT coalesce(k.conrelid = $1::oid AND (k.conname = $2 OR k.contype = 'n'), false)",
    "SELECT 'row level security' FROM " TABLE " AND (relrowsecurity OR relforcerowsecurity)",
    "SELECT 'partitions' FROM " TABLE " AND (relkind = 'p' OR relispartition)",
    "SELECT 'publication ' || pubname FROM pg_publication_tables WHERE schemaname = $4 AND tablename = $5",
    "SELECT 'inheritance from ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = $1::oid",
    "SELECT 'extension ' || e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "
    "WHERE d.classid = 'pg_class'::regclass AND d.objid = $1::oid AND d.refclassid = 'pg_extension'::regclass",
    "SELECT 'type ' || reloftype::regtype FROM " TABLE " AND reloftype <> 0",
    "SELECT 'comment' FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = $1::oid",
    "SELECT 'security label' FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = $1::oid",
    "SELECT 'owner ' || pg_get_userbyid(relowner) FROM " TABLE " AND NOT pg_has_role(relowner, 'USAGE')",
    "SELECT 'tablespace' FROM " TABLE " AND reltablespace <> 0",
    "SELECT 'replica identity' FROM " TABLE " AND relreplident <> 'd'",
    "SELECT 'UNLOGGED' FROM " TABLE " AND relpersistence <> 'p'",
    "SELECT 'grant on column ' || attname FROM " COLUMN " AND attacl IS NOT NULL",
    "SELECT 'default of column ' || attname FROM " COLUMN " AND (atthasdef OR attidentity <> '')",
    "SELECT 'settings of column ' || attname FROM " COLUMN
    " AND (array_to_string(attoptions, ',') ~ 'n_distinct' OR coalesce(attstattarget, -1) <> -1 OR attcompression <> '')",
    "SELECT 'column ' || attname FROM " COLUMN " AND attname !~ '^_sluice_' AND NOT " OURS,
    "SELECT 'not null of column ' || attname FROM " COLUMN " AND attnotnull AND attname !~ '^_sluice_' "
    "AND attnum <> ALL (ARRAY(SELECT unnest(conkey) FROM pg_constraint WHERE conrelid = $1::oid AND conname = $2))",
};

/* What stands in the way of changing rows in place. */
static const struct obstacle {
    const char *sql; /* one column: its name */
    const char *why;
    const char *hint;
    bool only_without_key;
} OBSTACLES[] = {
    {"SELECT format('rule %I', rulename) FROM pg_rewrite WHERE ev_class = $1::oid AND ev_enabled <> 'D'",
     "changes what is written to the table", "drop the rule; a trigger can do the same", false},
    {"SELECT 'row level security' WHERE row_security_active($1::oid)", "hides rows of the table from the role of this sync",
     "run as the table's owner without FORCE ROW LEVEL SECURITY, or give the role BYPASSRLS", false},
    {"SELECT 'table ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = $1::oid "
     "AND EXISTS (SELECT FROM " TABLE " AND relkind = 'r')",
     "inherits from the table, so its rows would be taken for the table's", "ALTER TABLE .. NO INHERIT", false},
    {"SELECT format('column %I', attname) FROM " COLUMN " AND (attgenerated <> '' OR attidentity = 'a') AND " OURS,
     "fills itself, and the stream has a field of its name", "rename the column, or leave the field out with `columns`", false},
    {"SELECT format('publication %I', p.pubname) FROM pg_publication_tables t JOIN pg_publication p USING (pubname) "
     "JOIN pg_class c ON c.oid = $1::oid WHERE t.schemaname = $4 AND t.tablename = $5 AND (p.pubupdate OR p.pubdelete) "
     "AND c.relkind = 'r' AND NOT (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid "
     "AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END))",
     "publishes changes of the table, which has no replica identity",
     "ALTER TABLE .. ADD PRIMARY KEY, or .. REPLICA IDENTITY FULL", false},
    {"SELECT format('foreign key %I of %s', conname, conrelid::regclass) FROM pg_constraint "
     "WHERE contype = 'f' AND confrelid = $1::oid AND conrelid <> $1::oid",
     "refers to the table, whose rows cannot be told apart: all would be deleted and inserted again",
     "declare primary_key for the stream and create a unique index on it, or drop the foreign key", true},
    {"SELECT format('publication %I', pubname) FROM pg_publication_tables WHERE schemaname = $4 AND tablename = $5",
     "publishes the table, whose rows cannot be told apart: all would be deleted and inserted again",
     "declare primary_key for the stream and create a unique index on it, or take the table out of the publication", true},
    {"SELECT format('column %I', attname) FROM " COLUMN " AND attname !~ '^_sluice_' AND NOT " OURS
     " AND NOT atthasdef AND attidentity = ''",
     "would lose its values: rows of the table cannot be told apart, all would be deleted and inserted again",
     "declare primary_key for the stream and create a unique index on it, or drop the column", true},
};

int pgw_attached_oid(struct pg *pg, const struct relation *relation, char out[PG_INT_TEXT], struct err *err)
{
    struct pg_result *row;
    int rc = pg_query(pg,
                      "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                      "WHERE n.nspname = $1 AND c.relname = $2",
                      PG_PARAMS(relation->schema, relation->name), &row, err);
    if (rc != 0) return rc;
    if (pg_rows(row) == 1)
        snprintf(out, PG_INT_TEXT, "%s", pg_cell(row, 0, 0));
    else
        rc = err_set(err, ERR_SCHEMA, "table \"%s\".\"%s\" is gone", relation->schema, relation->name);
    pg_free(row);
    return rc;
}

/* Asks one of the lists above: the first thing found, with its index there; no rows when there is none. */
static int ask(struct pg *pg, const struct table *table, const struct buf *questions, struct pg_result **found, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct buf sql = BUF_INIT(64 * 1024);
    struct buf columns = BUF_INIT(1024 * 1024);
    char oid[PG_INT_TEXT], key[PG_NAME_SIZE];
    *found = NULL;
    int rc = pgw_attached_oid(pg, target, oid, err);
    if (rc == 0) {
        pgw_table_key_name(table, PLACE_TARGET, key);
        for (uint32_t i = 0; i < table->column_count; i++) pg_array_add(&columns, table->columns[i].name);
        pg_array_end(&columns);
        /* The casts give every parameter a type, also those a list makes no use of. */
        buf_printf(&sql,
                   "SELECT q.place, q.name FROM (%s) AS q (place, name) "
                   "WHERE ($1::oid, $2::name, $3::text[], $4::name, $5::name) IS NOT NULL ORDER BY 1, 2 LIMIT 1",
                   buf_text(questions));
        rc = pg_query(pg, buf_text(&sql), PG_PARAMS(oid, key, buf_text(&columns), target->schema, target->name), found, err);
    }
    buf_release(&columns);
    buf_release(&sql);
    return rc;
}

static void add_question(size_t place, const char *question, struct buf *questions)
{
    buf_printf(questions, "%sSELECT %zu, t.name::text FROM (%s) AS t (name)", questions->size ? " UNION ALL " : "", place,
               question);
}

int pgw_attached_find(struct pg *pg, const struct table *table, char name[ATTACHED_NAME_SIZE], struct err *err)
{
    struct buf questions = BUF_INIT(64 * 1024);
    struct pg_result *found;
    for (size_t i = 0; i < ARRAY_SIZE(THINGS); i++) add_question(i, THINGS[i], &questions);
    int rc = ask(pg, table, &questions, &found, err);
    if (rc == 0) snprintf(name, ATTACHED_NAME_SIZE, "%s", pg_rows(found) ? pg_cell(found, 0, 1) : "");
    pg_free(found);
    buf_release(&questions);
    return rc;
}

int pgw_attached_refuse(struct pg *pg, const struct table *table, bool has_key, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct buf questions = BUF_INIT(64 * 1024);
    struct pg_result *found;
    for (size_t i = 0; i < ARRAY_SIZE(OBSTACLES); i++)
        if (!has_key || !OBSTACLES[i].only_without_key) add_question(i, OBSTACLES[i].sql, &questions);
    int rc = ask(pg, table, &questions, &found, err);
    if (rc == 0 && pg_rows(found)) {
        const struct obstacle *obstacle = &OBSTACLES[pg_int(found, 0, 0)];
        err_set(err, ERR_SCHEMA, "cannot overwrite \"%s\".\"%s\": %s %s", target->schema, target->name, pg_cell(found, 0, 1),
                obstacle->why);
        rc = err_hint(err, "%s", obstacle->hint);
    }
    pg_free(found);
    buf_release(&questions);
    return rc;
}
