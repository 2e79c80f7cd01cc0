/* How renaming is done: what belongs to the target is carried over to the build by statements the catalogs spell out; DROP
 * TABLE without CASCADE is the net below what attached.c found. */
#include "writer/postgres/overwrite.h"

#include "writer/postgres/sets.h"
#include "writer/postgres/table.h"

int pgw_overwrite_choose(struct pg *pg, const struct table *table, enum overwrite_way *way, char why[ATTACHED_NAME_SIZE],
                         struct err *err)
{
    bool has_key = false;
    int rc;
    *way = OVERWRITE_RENAME;
    if ((rc = pgw_attached_find(pg, table, why, err)) != 0) return rc;
    if (!why[0] && table->spec->in_place) snprintf(why, ATTACHED_NAME_SIZE, "swap: in_place");
    if (!why[0]) return 0;
    if (pgw_table_has_key(table) && (rc = pgw_table_has_unique_key(pg, table, &has_key, err)) != 0) return rc;
    *way = has_key ? OVERWRITE_BY_KEY : OVERWRITE_WHOLE;
    return pgw_attached_refuse(pg, table, has_key, err);
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

int pgw_overwrite_guard(struct transaction *tx, const struct table *table, bool *shrank, struct err *err)
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
    if ((rc = pgw_attached_oid(tx->pg, &table->at[PLACE_TARGET], from, err)) != 0) return rc;
    if ((rc = pgw_attached_oid(tx->pg, &table->at[PLACE_BUILD], to, err)) != 0) return rc;
    rc = pg_query(tx->pg, CARRY_OVER, PG_PARAMS(from, to, build), &statements, err);
    for (size_t i = 0; rc == 0 && i < pg_rows(statements); i++) rc = pg_exec(tx->pg, pg_cell(statements, i, 1), err);
    pg_free(statements);
    return rc;
}

int pgw_overwrite_rename(struct transaction *tx, const struct table *table, struct err *err)
{
    struct buf target = BUF_INIT(1024), build = BUF_INIT(1024), sql = BUF_INIT(8192);
    char key[PG_NAME_SIZE], build_key[PG_NAME_SIZE];
    int rc = 0;
    pgw_relation_quote(&table->at[PLACE_TARGET], &target);
    pgw_relation_quote(&table->at[PLACE_BUILD], &build);
    if (table->at[PLACE_TARGET].exists && (rc = carry_over(tx, table, buf_text(&build), err)) != 0) goto out;
    if (table->at[PLACE_TARGET].exists) buf_printf(&sql, "DROP TABLE %s; ", buf_text(&target));
    buf_printf(&sql,
               "ALTER TABLE %s DROP COLUMN _sluice_slice, DROP COLUMN _sluice_seq, DROP COLUMN _sluice_missing, "
               "%sREPLICA IDENTITY DEFAULT; ",
               buf_text(&build), pgw_sets_has_column(table, PLACE_BUILD) ? "DROP COLUMN " SET_COLUMN ", " : "");
    if (pgw_table_is_sealed(table)) {
        pgw_table_key_name(table, PLACE_TARGET, key);
        pgw_table_key_name(table, PLACE_BUILD, build_key);
        buf_printf(&sql, "ALTER TABLE %s RENAME CONSTRAINT ", buf_text(&build));
        pg_quote_name(&sql, build_key);
        buf_append_text(&sql, " TO ");
        pg_quote_name(&sql, key);
        buf_append_text(&sql, "; ");
    }
    buf_printf(&sql, "ALTER TABLE %s RENAME TO ", buf_text(&build));
    pg_quote_name(&sql, table->at[PLACE_TARGET].name);
    rc = pg_exec(tx->pg, buf_text(&sql), err);
out:
    buf_release(&target);
    buf_release(&build);
    buf_release(&sql);
    return rc;
}
