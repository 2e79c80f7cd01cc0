/* store_streams: what is known of each stream, whichever job it was. See store.h. */
#include "service/store_internal.h"

int store_stream_ended(struct store *store, const char *pipeline, const struct stream_end *end, struct err *err)
{
    int rc = store_take(store, err);
    if (rc) return rc;
    rc =
        sql_run(store->sql,
                "INSERT INTO @streams AS s (pipeline, stream, seen_ms, succeeded_ms, changed_ms, changes) "
                "VALUES ($1, $2, {now}, CASE WHEN $3 = '1' THEN {now} ELSE 0 END, CASE WHEN $4 = '' THEN 0 ELSE {now} END, $4) "
                "ON CONFLICT (pipeline, stream) DO UPDATE SET seen_ms = {now}, "
                "succeeded_ms = CASE WHEN $3 = '1' THEN {now} ELSE s.succeeded_ms END, "
                "changed_ms = CASE WHEN $4 = '' THEN s.changed_ms ELSE {now} END, "
                "changes = CASE WHEN $4 = '' THEN s.changes ELSE $4 END",
                SQL_PARAMS(pipeline, end->stream, end->went_well ? "1" : "0", end->changes), NULL, err);
    store_give(store);
    return rc;
}

int store_streams(struct store *store, const char *pipeline, struct arena *arena, struct stream_record **streams, size_t *count,
                  struct err *err)
{
    struct sql_rows rows;
    *count = 0;
    int rc = store_take(store, err);
    if (rc) return rc;
    rc = sql_run(store->sql,
                 "SELECT stream, seen_ms, succeeded_ms, changed_ms, changes FROM @streams WHERE pipeline = $1 ORDER BY stream",
                 SQL_PARAMS(pipeline), &rows, err);
    if (rc == 0) {
        *streams = arena_array(arena, struct stream_record, rows.count + 1);
        for (; *count < rows.count; ++*count)
            (*streams)[*count] = (struct stream_record){.stream = arena_strdup(arena, sql_cell(&rows, *count, 0)),
                                                        .seen_ms = sql_int(&rows, *count, 1),
                                                        .succeeded_ms = sql_int(&rows, *count, 2),
                                                        .changed_ms = sql_int(&rows, *count, 3),
                                                        .changes = arena_strdup(arena, sql_cell(&rows, *count, 4))};
    }
    sql_rows_release(&rows);
    store_give(store);
    return rc;
}
