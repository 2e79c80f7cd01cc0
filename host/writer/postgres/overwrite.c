/* How it works: one query asks the catalogs for everything that hangs on the table; DROP TABLE without CASCADE is the net below
 * it. */
#include "writer/postgres/overwrite.h"

/* $1: the table's oid; $2: the name of our key; $3: our columns; $4, $5: its schema and name. */
static const char FOREIGN_THINGS[] =
    "SELECT 'index ' || i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indrelid = $1::oid AND c.relname <> $2 "
    "UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = $1::oid "
    "UNION ALL SELECT 'row level security' FROM pg_class WHERE oid = $1::oid AND relrowsecurity "
    "UNION ALL SELECT 'partitions' FROM pg_class WHERE oid = $1::oid AND (relkind = 'p' OR relispartition) "
    "UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = $1::oid AND NOT tgisinternal "
    "UNION ALL SELECT DISTINCT 'view ' || r.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
    "WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid "
    "AND r.ev_class <> $1::oid "
    "UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = $1::oid "
    "UNION ALL SELECT 'foreign key ' || conname || ' of ' || conrelid::regclass::text FROM pg_constraint "
    "WHERE contype = 'f' AND (confrelid = $1::oid OR conrelid = $1::oid) "
    "UNION ALL SELECT 'constraint ' || conname FROM pg_constraint "
    "WHERE conrelid = $1::oid AND contype IN ('c', 'u', 'x', 'p') AND conname <> $2 "
    "UNION ALL SELECT 'publication ' || pubname FROM pg_publication_tables WHERE schemaname = $4 AND tablename = $5 "
    "UNION ALL SELECT 'inheritance with ' || (CASE WHEN inhrelid = $1::oid THEN inhparent ELSE inhrelid END)::regclass::text "
    "FROM pg_inherits WHERE inhrelid = $1::oid OR inhparent = $1::oid "
    "UNION ALL SELECT 'comment' FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = $1::oid "
    "UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxrelid = $1::oid "
    "UNION ALL SELECT 'grant on column ' || attname FROM pg_attribute WHERE attrelid = $1::oid AND attacl IS NOT NULL "
    "UNION ALL SELECT 'default of column ' || attname FROM pg_attribute WHERE attrelid = $1::oid AND NOT attisdropped "
    "AND (atthasdef OR attidentity <> '') "
    "UNION ALL SELECT 'column ' || attname FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped "
    "AND attname !~ '^_sluice_' AND attname::text <> ALL ($3::text[]) "
    "LIMIT 1";

static int find_oid(struct pg *pg, const struct relation *relation, char out[PG_INT_TEXT], struct err *err)
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

int pgw_overwrite_check(struct pg *pg, const struct table *table, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    struct pg_result *found = NULL;
    struct buf columns = BUF_INIT(1024 * 1024);
    char oid[PG_INT_TEXT], key[PG_NAME_SIZE];
    int rc;
    pgw_table_key_name(table, key);
    for (uint32_t i = 0; i < table->column_count; i++) pg_array_add(&columns, table->columns[i].name);
    pg_array_end(&columns);
    if ((rc = find_oid(pg, target, oid, err)) != 0) goto out;
    rc = pg_query(pg, FOREIGN_THINGS, PG_PARAMS(oid, key, buf_text(&columns), target->schema, target->name), &found, err);
    if (rc == 0 && pg_rows(found)) {
        err_set(err, ERR_SCHEMA,
                "cannot overwrite \"%s\".\"%s\": it carries a thing that replacing the table would lose or break (%s)",
                target->schema, target->name, pg_cell(found, 0, 0));
        rc = err_hint(err, "drop it, or choose write mode append_dedup, which changes the table in place");
    }
out:
    pg_free(found);
    buf_release(&columns);
    return rc;
}

static int count_rows(struct pg *pg, const struct relation *relation, int64_t *rows, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    struct pg_result *row;
    buf_append_text(&sql, "SELECT count(*) FROM ");
    pgw_relation_quote(relation, &sql);
    int rc = pg_query(pg, buf_text(&sql), PG_NONE, &row, err);
    if (rc == 0) *rows = pg_int(row, 0, 0);
    pg_free(row);
    buf_release(&sql);
    return rc;
}

static int guard_against_shrinking(struct transaction *tx, const struct table *table, bool *shrank, struct err *err)
{
    int64_t before = 0, after = 0;
    double limit = table->spec->shrink_limit;
    int rc;
    if (limit >= 1) return 0;
    if ((rc = count_rows(tx->pg, &table->at[PLACE_TARGET], &before, err)) != 0) return rc;
    if ((rc = count_rows(tx->pg, &table->at[PLACE_BUILD], &after, err)) != 0) return rc;
    if (before == 0 || (after > 0 && (double)(before - after) <= limit * (double)before)) return 0;
    *shrank = true;
    err_set(err, ERR_SCHEMA, "refused to overwrite \"%s\".\"%s\": it has %lld rows and would have %lld",
            table->at[PLACE_TARGET].schema, table->at[PLACE_TARGET].name, (long long)before, (long long)after);
    return err_hint(err, "if the source really lost them, set shrink_limit: 1 for stream '%s' and run again",
                    table->spec->stream);
}

/* Statements that give the build what the target has: owner, storage options, grants; and take from it what default privileges
 * gave it. */
static const char CARRY_OVER[] =
    "SELECT 0, format('REVOKE ALL ON %s FROM %s', $3::text, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
    "quote_ident(pg_get_userbyid(a.grantee)) "
    "END) FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $2::oid AND a.grantee <> c.relowner "
    "UNION ALL SELECT 1, format('GRANT %s ON %s TO %s%s', a.privilege_type, $3::text, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
    "quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) "
    "FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::oid AND a.grantee <> c.relowner "
    "UNION ALL SELECT 2, format('ALTER TABLE %s SET (%s)', $3::text, array_to_string(c.reloptions, ', ')) FROM pg_class c "
    "WHERE c.oid = $1::oid AND c.reloptions IS NOT NULL "
    "UNION ALL SELECT 3, format('ALTER TABLE %s OWNER TO %I', $3::text, pg_get_userbyid(t.relowner)) FROM pg_class t, pg_class "
    "b "
    "WHERE t.oid = $1::oid AND b.oid = $2::oid AND t.relowner <> b.relowner ORDER BY 1";

static int carry_over(struct transaction *tx, const struct table *table, const char *build, struct err *err)
{
    struct pg_result *statements = NULL;
    char from[PG_INT_TEXT], to[PG_INT_TEXT];
    int rc;
    if ((rc = find_oid(tx->pg, &table->at[PLACE_TARGET], from, err)) != 0) return rc;
    if ((rc = find_oid(tx->pg, &table->at[PLACE_BUILD], to, err)) != 0) return rc;
    rc = pg_query(tx->pg, CARRY_OVER, PG_PARAMS(from, to, build), &statements, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(statements); i++) rc = pg_exec(tx->pg, pg_cell(statements, i, 1), err);
    pg_free(statements);
    return rc;
}

int pgw_overwrite_drop_target(struct transaction *tx, const struct table *table, bool *shrank, struct err *err)
{
    struct buf target = BUF_INIT(1024), build = BUF_INIT(1024), sql = BUF_INIT(4096);
    int rc;
    pgw_relation_quote(&table->at[PLACE_TARGET], &target);
    pgw_relation_quote(&table->at[PLACE_BUILD], &build);
    if ((rc = guard_against_shrinking(tx, table, shrank, err)) != 0) goto out;
    buf_printf(&sql, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", buf_text(&target));
    if ((rc = pg_exec(tx->pg, buf_text(&sql), err)) != 0) goto out;
    if ((rc = pgw_overwrite_check(tx->pg, table, err)) != 0) goto out;
    if ((rc = carry_over(tx, table, buf_text(&build), err)) != 0) goto out;
    buf_clear(&sql);
    buf_printf(&sql, "DROP TABLE %s", buf_text(&target));
    rc = pg_exec(tx->pg, buf_text(&sql), err);
out:
    buf_release(&target);
    buf_release(&build);
    buf_release(&sql);
    return rc;
}
