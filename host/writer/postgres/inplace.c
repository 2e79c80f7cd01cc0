/* Why the rows to delete are locked before it is asked who refers to them: a new reference locks the row it refers to, so from
 * then on none can come in between, and one that came just before is seen. Constraints are deferred to the end where they can
 * be, since rows may refer to each other; they are checked before COMMIT, so that a failure has a name. */
#include "writer/postgres/inplace.h"

#include "writer/postgres/attached.h"
#include "writer/postgres/stage.h"
#include "writer/postgres/table.h"

/* Foreign keys that would reach into others' tables: its name; the table; how rows `r` of it refer to rows `t` of ours; is it
 * our table; may we look at it? */
static const char CASCADES[] =
    "SELECT format('foreign key %I of %s', c.conname, c.conrelid::regclass), c.conrelid::regclass::text, "
    "string_agg(format('t.%I OPERATOR(%I.%s) r.%I', p.attname, n.nspname, o.oprname, f.attname), ' AND '), "
    "c.conrelid = c.confrelid, has_table_privilege(c.conrelid, 'SELECT') AND has_schema_privilege(k.relnamespace, 'USAGE') "
    "AND NOT row_security_active(c.conrelid) "
    "FROM pg_constraint c JOIN pg_class k ON k.oid = c.conrelid "
    "CROSS JOIN LATERAL unnest(c.confkey, c.conkey, c.conpfeqop) AS u (p, f, o) "
    "JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = u.p "
    "JOIN pg_attribute f ON f.attrelid = c.conrelid AND f.attnum = u.f "
    "JOIN pg_operator o ON o.oid = u.o JOIN pg_namespace n ON n.oid = o.oprnamespace "
    "WHERE c.contype = 'f' AND c.confrelid = $1::oid AND c.confdeltype IN ('c', 'n', 'd') "
    "GROUP BY c.oid, c.conname, c.conrelid, c.confrelid, k.relnamespace ORDER BY 1";

static int count(struct transaction *tx, const struct buf *sql, int64_t *rows, struct err *err)
{
    struct pg_result *result;
    int rc = pg_query(tx->pg, buf_text(sql), PG_NONE, &result, err);
    if (rc == 0) *rows = pg_int(result, 0, 0);
    pg_free(result);
    return rc;
}

static int refuse_cascade(const struct table *table, const char *foreign_key, const char *what, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    err_set(err, ERR_SCHEMA, "refused to delete rows of \"%s\".\"%s\" that the source no longer has: %s %s", target->schema,
            target->name, foreign_key, what);
    return err_hint(err, "delete or change the rows that refer to them, then run again; or make the foreign key ON DELETE "
                         "NO ACTION, and let the role read its table");
}

/* Does one of these foreign keys refer to a row that is about to be deleted? A row that goes itself does not count. */
static int check_cascade(struct transaction *tx, const struct table *table, const struct pg_result *cascades, size_t i,
                         struct err *err)
{
    struct buf sql = BUF_INIT(1024 * 1024);
    int64_t rows = 0;
    buf_printf(&sql, "SELECT count(*) FROM %s r JOIN ", pg_cell(cascades, i, 1));
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    buf_printf(&sql, " t ON %s WHERE ", pg_cell(cascades, i, 2));
    pgw_merge_put_absent(table, "t.", &sql);
    if (pg_bool(cascades, i, 3)) {
        buf_append_text(&sql, " AND NOT ");
        pgw_merge_put_absent(table, "r.", &sql);
    }
    int rc = count(tx, &sql, &rows, err);
    buf_release(&sql);
    return rc == 0 && rows ? refuse_cascade(table, pg_cell(cascades, i, 0), "would delete or change rows with them", err) : rc;
}

static int spare_cascades(struct transaction *tx, const struct table *table, struct err *err)
{
    struct pg_result *cascades = NULL;
    struct buf sql = BUF_INIT(1024 * 1024);
    char oid[PG_INT_TEXT];
    int64_t rows = 0;
    int rc;
    if ((rc = pgw_attached_oid(tx->pg, &table->at[PLACE_TARGET], oid, err)) != 0) return rc;
    if ((rc = pg_query(tx->pg, CASCADES, PG_PARAMS(oid), &cascades, err)) != 0) return rc;
    if (pg_rows(cascades) == 0) goto out;
    buf_append_text(&sql, "SELECT count(*) FROM (SELECT FROM ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    buf_append_text(&sql, " t WHERE ");
    pgw_merge_put_absent(table, "t.", &sql);
    buf_append_text(&sql, " FOR UPDATE) d");
    rc = count(tx, &sql, &rows, err);
    for (size_t i = 0; rc == 0 && rows && i < pg_rows(cascades); i++) {
        if (pg_bool(cascades, i, 4))
            rc = check_cascade(tx, table, cascades, i, err);
        else
            rc = refuse_cascade(table, pg_cell(cascades, i, 0), "may do so with rows of a table that this role cannot read",
                                err);
    }
out:
    pg_free(cascades);
    buf_release(&sql);
    return rc;
}

static int replace_all(struct transaction *tx, const struct table *table, struct merge_counts *counts, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    buf_append_text(&sql, "DELETE FROM ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    *counts = (struct merge_counts){0};
    int rc = pg_change(tx->pg, buf_text(&sql), PG_NONE, &counts->deleted, err);
    if (rc == 0) rc = pgw_stage_append(tx, table, PLACE_BUILD, NULL, &counts->written, err);
    counts->rows = counts->written;
    counts->removed = counts->deleted;
    buf_release(&sql);
    return rc;
}

/* What a constraint or trigger of others refused is no failure of the database, and trying again does not help. */
static int explain(struct transaction *tx, const struct table *table, int rc, struct err *err)
{
    const struct relation *target = &table->at[PLACE_TARGET];
    const char *state = pg_sqlstate(tx->pg);
    bool is_refusal = rc == ERR_DESTINATION && pg_usable(tx->pg) &&
                      (pg_failure(tx->pg) == PG_VALUE || strncmp(state, "P0", 2) == 0 || strncmp(state, "27", 2) == 0);
    if (!is_refusal) return rc;
    err_set(err, ERR_SCHEMA, "cannot overwrite \"%s\".\"%s\": %s", target->schema, target->name, err->message);
    return err_hint(err, "what is attached to the table refuses the source's rows: correct it or take it off, then run again; "
                         "a foreign key between rows of the table must be DEFERRABLE");
}

int pgw_inplace_lock(struct transaction *tx, const struct table *table, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    int rc = pgw_merge_lock(tx, table, err);
    buf_append_text(&sql, "LOCK TABLE ");
    pgw_relation_quote(&table->at[PLACE_TARGET], &sql);
    buf_append_text(&sql, " IN SHARE ROW EXCLUSIVE MODE");
    if (rc == 0) rc = pg_exec(tx->pg, buf_text(&sql), err);
    buf_release(&sql);
    return rc;
}

int pgw_inplace_publish(struct transaction *tx, const struct table *table, struct merge_counts *counts, struct err *err)
{
    struct buf sql = BUF_INIT(1024);
    bool has_key = table->way == OVERWRITE_BY_KEY;
    int rc;
    if ((rc = pg_exec(tx->pg, "SET CONSTRAINTS ALL DEFERRED", err)) != 0) goto out;
    if (has_key && (rc = spare_cascades(tx, table, err)) != 0) goto out;
    PG_FAULT_POINT(tx->pg, "pg.inplace.before");
    if ((rc = (has_key ? pgw_merge_replace : replace_all)(tx, table, counts, err)) != 0) goto out;
    if ((rc = pg_exec(tx->pg, "SET CONSTRAINTS ALL IMMEDIATE", err)) != 0) goto out;
    PG_FAULT_POINT(tx->pg, "pg.inplace.after");
    buf_append_text(&sql, "DROP TABLE ");
    pgw_relation_quote(&table->at[PLACE_BUILD], &sql);
    rc = pg_exec(tx->pg, buf_text(&sql), err);
out:
    buf_release(&sql);
    return rc == 0 ? 0 : explain(tx, table, rc, err);
}
