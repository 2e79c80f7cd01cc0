/* store_pools: rate limits that several nodes share. See store.h. */
#include "service/store_internal.h"

enum { SHARE_ALL = 1000000 };

/* One at a time: so no two nodes count the same part as free. */
static int take_turn(struct sql *sql, struct err *err)
{
    int rc =
        sql_run(sql, "INSERT INTO @meta (key, value) VALUES ('pools', '0') ON CONFLICT (key) DO NOTHING", SQL_NONE, NULL, err);
    if (rc == 0) rc = sql_run(sql, "UPDATE @meta SET value = '0' WHERE key = 'pools'", SQL_NONE, NULL, err);
    if (rc == 0) rc = sql_run(sql, "DELETE FROM @pools WHERE until_ms < {now} AND spent_until_ms < {now}", SQL_NONE, NULL, err);
    return rc ? rc : sql_run(sql, "DELETE FROM @pool_pauses WHERE until_ms < {now}", SQL_NONE, NULL, err);
}

static int look_at_others(struct sql *sql, const char *node, const char *pool, int64_t *nodes, int64_t *taken, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql,
                     "SELECT COALESCE(sum(CASE WHEN until_ms >= {now} THEN 1 ELSE 0 END), 0), COALESCE(sum(CASE "
                     "WHEN spent_until_ms >= {now} AND (spent > share OR until_ms < {now}) THEN spent "
                     "WHEN until_ms >= {now} THEN share ELSE 0 END), 0) FROM @pools WHERE pool = $1 AND node <> $2",
                     SQL_PARAMS(pool, node), &rows, err);
    if (rc == 0) {
        *nodes = sql_int(&rows, 0, 0);
        *taken = sql_int(&rows, 0, 1);
    }
    sql_rows_release(&rows);
    return rc;
}

static int share_pause(struct sql *sql, struct pool_lease *lease, struct err *err)
{
    char left[SQL_INT_TEXT];
    struct sql_rows rows;
    int rc = 0;
    if (lease->paused_ms > 0)
        rc = sql_run(
            sql,
            "INSERT INTO @pool_pauses AS p (pool, until_ms) VALUES ($1, {now} + CAST($2 AS bigint)) ON CONFLICT (pool) "
            "DO UPDATE SET until_ms = CASE WHEN excluded.until_ms > p.until_ms THEN excluded.until_ms ELSE p.until_ms END",
            SQL_PARAMS(lease->pool, sql_int_text(lease->paused_ms, left)), NULL, err);
    if (rc == 0)
        rc = sql_run(sql, "SELECT until_ms - {now} FROM @pool_pauses WHERE pool = $1", SQL_PARAMS(lease->pool), &rows, err);
    if (rc) return rc;
    lease->paused_ms = rows.count && sql_int(&rows, 0, 0) > 0 ? sql_int(&rows, 0, 0) : 0;
    sql_rows_release(&rows);
    return 0;
}

/* An equal part for each node that uses it; what others still hold of ours is theirs until they let it go. */
static int lease_one(struct sql *sql, const char *node, struct pool_lease *lease, const struct pool_policy *policy,
                     struct err *err)
{
    char share[SQL_INT_TEXT], span[SQL_INT_TEXT], spent[SQL_INT_TEXT], spent_ms[SQL_INT_TEXT];
    int64_t others = 0, taken = 0, before = lease->share;
    int rc = lease->is_used ? look_at_others(sql, node, lease->pool, &others, &taken, err) : 0;
    if (rc) return rc;
    int64_t fair = SHARE_ALL / (others + 1), free_part = SHARE_ALL - taken;
    lease->share = !lease->is_used || free_part < 0 ? 0 : fair < free_part ? fair : free_part;
    if (lease->share < before) policy->lower(policy->context, lease);
    rc = sql_run(sql,
                 "INSERT INTO @pools (pool, node, share, until_ms, spent, spent_until_ms) VALUES ($1, $2, $3, "
                 "{now} + CAST($4 AS bigint), $5, {now} + CAST($6 AS bigint)) ON CONFLICT (pool, node) DO UPDATE SET "
                 "share = excluded.share, until_ms = excluded.until_ms, spent = excluded.spent, "
                 "spent_until_ms = excluded.spent_until_ms",
                 SQL_PARAMS(lease->pool, node, sql_int_text(lease->share, share),
                            sql_int_text(lease->is_used ? STORE_LEASE_MS : -1, span), sql_int_text(lease->spent, spent),
                            sql_int_text(lease->spent_ms > 0 ? lease->spent_ms : -1, spent_ms)),
                 NULL, err);
    if (!lease->is_used) return rc;
    return rc ? rc : share_pause(sql, lease, err);
}

int store_lease_pools(struct store *store, const char *node, struct pool_lease *leases, size_t count,
                      const struct pool_policy *policy, struct err *err)
{
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = take_turn(store->sql, err);
    for (size_t i = 0; rc == 0 && i < count; i++) rc = lease_one(store->sql, node, &leases[i], policy, err);
    return store_finish(store, rc, err);
}
