/* store_tokens: what is kept of logins. See store.h. */
#include "service/store_internal.h"

/* Whoever held it is gone, or its time is over. */
static int free_of_dead(struct sql *sql, const char *credential, struct err *err)
{
    struct sql_rows rows;
    int rc = sql_run(sql, "SELECT " IDENTITY_COLUMNS " FROM @tokens WHERE credential = $1 AND holder <> ''",
                     SQL_PARAMS(credential), &rows, err);
    if (rc == 0 && rows.count && store_row_is_dead(&rows, 0, 0))
        rc = sql_run(sql, "UPDATE @tokens SET holder = '' WHERE credential = $1", SQL_PARAMS(credential), NULL, err);
    sql_rows_release(&rows);
    return rc;
}

static int take(struct sql *sql, const char *credential, const char *holder, uint64_t *changed, struct err *err)
{
    char hold[SQL_INT_TEXT], space[SQL_INT_TEXT], pid[SQL_INT_TEXT], ticks[SQL_INT_TEXT];
    struct process_identity self;
    process_identity(&self);
    return sql_change(sql,
                      "UPDATE @tokens SET holder = $2, until_ms = {now} + $3, host = $4, boot_id = $5, pid_namespace = $6, "
                      "pid = $7, start_ticks = $8 WHERE credential = $1 AND (holder = '' OR holder = $2 OR until_ms < {now})",
                      SQL_PARAMS(credential, holder, sql_int_text(STORE_HOLD_MS, hold), self.host, self.boot_id,
                                 sql_int_text((int64_t)self.pid_namespace, space), sql_int_text(self.pid, pid),
                                 sql_int_text((int64_t)self.start_ticks, ticks)),
                      changed, err);
}

int store_hold_token(struct store *store, const char *credential, const char *holder, bool *is_held, struct err *err)
{
    uint64_t changed = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "INSERT INTO @tokens (credential) VALUES ($1) ON CONFLICT DO NOTHING", SQL_PARAMS(credential),
                 NULL, err);
    if (rc == 0) rc = free_of_dead(store->sql, credential, err);
    if (rc == 0) rc = take(store->sql, credential, holder, &changed, err);
    *is_held = changed == 1;
    return store_finish(store, rc, err);
}

int store_let_token_go(struct store *store, const char *credential, const char *holder, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "UPDATE @tokens SET holder = '' WHERE credential = $1 AND holder = $2",
                 SQL_PARAMS(credential, holder), NULL, err);
    store_give(store);
    return rc;
}

int store_read_token(struct store *store, const char *credential, struct arena *arena, const char **sealed, struct err *err)
{
    struct sql_rows rows;
    *sealed = "";
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "SELECT sealed FROM @tokens WHERE credential = $1", SQL_PARAMS(credential), &rows, err);
    if (rc == 0 && rows.count) *sealed = arena_strdup(arena, sql_cell_text(&rows, 0, 0));
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}

int store_write_token(struct store *store, const char *credential, const char *holder, const char *sealed, bool *is_held,
                      struct err *err)
{
    uint64_t changed = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_change(store->sql, "UPDATE @tokens SET sealed = $3 WHERE credential = $1 AND holder = $2",
                    SQL_PARAMS(credential, holder, sealed), &changed, err);
    *is_held = changed == 1;
    store_give(store);
    return rc;
}
