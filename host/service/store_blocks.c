/* store_blocks: columns that syncs do not store, by the API. See store.h. */
#include "service/store_internal.h"

int store_block(struct store *store, const char *pipeline, const struct column_block *block, bool *is_full, struct err *err)
{
    char most[SQL_INT_TEXT];
    uint64_t changed = 0;
    int rc = store_begin(store, err);
    if (rc) return rc;
    rc = sql_change(store->sql,
                    "INSERT INTO @blocks (pipeline, stream, name, reason, since_ms) SELECT $1, $2, $3, $4, {now} "
                    "WHERE (SELECT count(*) FROM @blocks WHERE pipeline = $1) < CAST($5 AS bigint) "
                    "ON CONFLICT (pipeline, stream, name) DO UPDATE SET reason = excluded.reason",
                    SQL_PARAMS(pipeline, block->stream, block->column, block->reason ? block->reason : "",
                               sql_int_text(STORE_BLOCKS_MAX, most)),
                    &changed, err);
    *is_full = changed == 0;
    return store_finish(store, rc, err);
}

int store_unblock(struct store *store, const char *pipeline, const char *stream, const char *column, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "DELETE FROM @blocks WHERE pipeline = $1 AND stream = $2 AND name = $3",
                 SQL_PARAMS(pipeline, stream, column), NULL, err);
    store_give(store);
    return rc;
}

int store_blocks(struct store *store, const char *pipeline, struct arena *arena, struct column_block **blocks, size_t *count,
                 struct err *err)
{
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql, "SELECT stream, name, reason, since_ms FROM @blocks WHERE pipeline = $1 ORDER BY stream, name",
                 SQL_PARAMS(pipeline), &rows, err);
    if (rc == 0) {
        *blocks = arena_array(arena, struct column_block, rows.count + 1);
        for (; *count < rows.count; ++*count)
            (*blocks)[*count] = (struct column_block){.stream = arena_strdup(arena, sql_cell(&rows, *count, 0)),
                                                      .column = arena_strdup(arena, sql_cell(&rows, *count, 1)),
                                                      .reason = arena_strdup(arena, sql_cell(&rows, *count, 2)),
                                                      .since_ms = sql_int(&rows, *count, 3)};
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}
