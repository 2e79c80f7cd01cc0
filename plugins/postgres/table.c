/* table: one table by queries. Full refresh and xmin go by ranges (ranges.h); a cursor column by one query over the wanted
 * values, in their order where an index gives it.
 *
 * What is committed late. A transaction that is running now may still commit rows with an older value of the cursor than others
 * have committed, which nobody would ask for again. So a sync reads up to a value below which nothing can come any more: of
 * instants, when the oldest transaction began that is running; of other values, the greatest there is when the sync begins,
 * once all transactions are over that ran then. With `lookback` old values are read again anyway, and nothing of this is
 * needed. xmin knows who wrote a row: it reads what is older than all that runs, which is exact. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/declare.h"
#include "postgres/ranges.h"
#include "postgres/state.h"
#include "postgres/stream.h"

enum { LATE_WAIT_MS = 20000, LATE_POLL_MS = 200 };

struct table_stream {
    const struct catalog_table *table;
    char *cursor; /* NULL: everything is read; "xmin" */
    bool is_by_xmin;
    char *system; /* the database cluster's identity: numbers of transactions are its own */
    cJSON *state; /* of the slice; NULL */
    struct ranges ranges;
    uint64_t rows;        /* of them, that the newest checkpoint covers */
    struct reader reader; /* by a cursor column */
    bool is_done;
};

/* --- by a cursor column -------------------------------------------------------------------------------------------------- */

/* Sessions that may write. Ours only read, as do the server's own. */
#define WRITERS                                                                                                                \
    "pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() "                                   \
    "AND a.backend_type IS DISTINCT FROM 'autovacuum worker' AND a.backend_type IS DISTINCT FROM 'walsender' "                 \
    "AND NOT (a.usename = current_user AND a.application_name = 'sluice')"

/* The begin of the oldest transaction, as text. */
static int oldest_begin(struct stream *stream, char **bound)
{
    PGresult *result = NULL;
    int rc = connection_query(
        &stream->connection,
        "SELECT least(now(), min(a.xact_start)), coalesce(bool_or(a.query = '<insufficient privilege>'), false) "
        "FROM " WRITERS,
        &result);
    if (rc) return rc;
    *bound = text_copy(PQgetvalue(result, 0, 0));
    if (PQgetvalue(result, 0, 1)[0] == 't')
        say(stream->session, SLUICE_LOG_WARN,
            "the role cannot see since when others' transactions run, so rows that are committed late may be missed: "
            "GRANT pg_read_all_stats, or set `lookback`");
    PQclear(result);
    return 0;
}

/* Waits until all transactions are over that run now; not for ever. */
static int outlast(struct stream *stream)
{
    char *running = NULL, *left = NULL;
    struct text sql = {0};
    int rc = connection_value(
        &stream->connection,
        "SELECT string_agg(virtualtransaction, ''',''') FROM pg_locks WHERE locktype = 'virtualxid' AND granted "
        "AND pid IN (SELECT a.pid FROM " WRITERS ")",
        &running);
    if (rc == 0 && running)
        text_printf(&sql,
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND granted AND virtualtransaction IN ('%s') "
                    "HAVING count(*) > 0",
                    running);
    for (int waited = 0; rc == 0 && running; waited += LATE_POLL_MS) {
        free(left);
        left = NULL;
        rc = connection_value(&stream->connection, sql.data, &left);
        if (rc || !left) break;
        if (waited >= LATE_WAIT_MS) {
            say(stream->session, SLUICE_LOG_WARN,
                "%s transactions have been open for a while; rows that they commit with older values of the cursor will be "
                "missed: "
                "set `lookback`, or read the table by xmin",
                left);
            break;
        }
        rc = sluice_sleep(stream->session, LATE_POLL_MS);
        if (rc > 0) break;
    }
    free(left);
    free(running);
    text_release(&sql);
    return rc < 0 ? rc : 0;
}

/* The greatest value there is, as text; NULL: there is none. */
static int greatest(struct stream *stream, const struct table_stream *own, char **bound)
{
    struct text sql = {0};
    text_puts(&sql, "SELECT max(");
    text_identifier(&sql, own->cursor);
    text_puts(&sql, ") FROM ");
    text_identifier(&sql, own->table->schema);
    text_puts(&sql, ".");
    text_identifier(&sql, own->table->name);
    int rc = connection_value(&stream->connection, sql.data, bound);
    text_release(&sql);
    return rc;
}

static void compare(struct text *clauses, const struct catalog_column *column, const char *operator, const char * value)
{
    text_puts(clauses, clauses->size ? " AND " : "WHERE ");
    text_identifier(clauses, column->name);
    text_printf(clauses, " %s ", operator);
    text_literal(clauses, value);
    text_printf(clauses, "::%s", column->type_name);
}

static int begin_by_column(struct stream *stream, struct table_stream *own)
{
    const struct catalog_column *column = catalog_column(own->table, own->cursor);
    bool is_instant = cursor_is_passed(column);
    char *bound = NULL;
    struct text clauses = {0};
    int rc = 0;
    if (!stream->settings.lookback && !stream->slice->sample) {
        rc = is_instant ? oldest_begin(stream, &bound) : greatest(stream, own, &bound);
        if (rc == 0 && !is_instant && bound) rc = outlast(stream);
    }
    if (stream->slice->from) compare(&clauses, column, is_instant ? ">" : ">=", stream->slice->from);
    if (stream->slice->to) compare(&clauses, column, is_instant ? "<=" : "<", stream->slice->to);
    if (bound) compare(&clauses, column, is_instant ? "<" : "<=", bound);
    if (!stream->slice->from && !column->is_not_null && clauses.size) { /* a first sync has those without a value, too */
        struct text with_null = {0};
        text_printf(&with_null, "WHERE (%s OR ", clauses.data + strlen("WHERE "));
        text_identifier(&with_null, column->name);
        text_puts(&with_null, " IS NULL)");
        text_release(&clauses);
        clauses = with_null;
    }
    if (column->is_indexed) {
        text_puts(&clauses, " ORDER BY ");
        text_identifier(&clauses, column->name);
    }
    if (rc == 0) rc = reader_init(&own->reader, &stream->connection, own->table, &stream->slice->tables[0], 0);
    char *copy = rc == 0 ? reader_copy(&own->reader, clauses.data ? clauses.data : "") : NULL;
    if (rc == 0) rc = connection_copy(&stream->connection, copy);
    free(copy);
    text_release(&clauses);
    free(bound);
    return rc;
}

/* --- by ranges ----------------------------------------------------------------------------------------------------------- */

static int begin_by_ranges(struct stream *stream, struct table_stream *own)
{
    const cJSON *state = own->state;
    size_t connections = stream->slice->sample ? 1 : stream->settings.connections;
    int rc = ranges_init(&own->ranges, &stream->connection, own->table, &stream->slice->tables[0], 0, connections);
    if (rc) return rc;
    struct ranges_place place = {.node = state_text(state, "node"),
                                 .page = (int64_t)state_number(state, "page"),
                                 .first_xmin = state_number(state, "xmin")};
    const char *system = state_text(state, "system");
    bool is_same = !system || strcmp(system, own->system) == 0;
    if (own->is_by_xmin) {
        place.low = is_same ? state_number(state, "low") : 0;
        place.high = place.page && is_same ? state_number(state, "high") : own->ranges.seen.xmin;
    }
    if (!is_same) {
        say(stream->session, SLUICE_LOG_WARN,
            "this is another database cluster than last time: table \"%s\" is read from its beginning", own->table->stream);
        place.page = 0;
    }
    if (!ranges_from(&own->ranges, &place))
        say(stream->session, SLUICE_LOG_WARN,
            "table \"%s\" was rewritten since it was read in part: it is read from its beginning", own->table->stream);
    return 0;
}

static int checkpoint(struct stream *stream, const struct table_stream *own)
{
    const struct ranges *ranges = &own->ranges;
    struct text state = {0};
    if (own->is_by_xmin && ranges->is_done)
        text_printf(&state, "{\"system\":\"%s\",\"low\":\"%" PRIu64 "\"}", own->system, ranges->high);
    else
        text_printf(&state,
                    "{\"system\":\"%s\",\"node\":\"%s\",\"page\":\"%" PRId64 "\",\"xmin\":\"%" PRIu64 "\",\"low\":\"%" PRIu64
                    "\",\"high\":\"%" PRIu64 "\"}",
                    own->system, ranges->node, ranges->page, ranges->first_xmin, ranges->low, ranges->high);
    int rc = sluice_checkpoint(stream->session, state.data, state.size);
    text_release(&state);
    return rc;
}

/* A page ends with its checkpoint, which covers all of it. Ranges without rows need none. */
static int page_of_ranges(struct stream *stream, struct table_stream *own)
{
    ranges_begin_page(&own->ranges);
    for (;;) {
        int rc = ranges_rows(&own->ranges);
        if (rc < 0) return rc;
        if (rc == READER_FULL) return 1;
        bool has_rows = own->ranges.reader.rows > own->rows;
        bool is_wanted = own->is_by_xmin || (rc == READER_RANGE && own->table->key_count > 0);
        own->rows = own->ranges.reader.rows;
        if (is_wanted && (has_rows || rc == READER_END)) {
            int stored = checkpoint(stream, own);
            if (stored < 0) return stored;
            if (rc == READER_RANGE) return 1;
        }
        if (rc == READER_END) return 0;
        if (own->ranges.reader.is_full) return 1;
    }
}

/* --- the stream ---------------------------------------------------------------------------------------------------------- */

static int open_table(struct stream *stream)
{
    struct table_stream *own = stream->own = text_allocate(1, sizeof *own);
    const struct sluice_slice *slice = stream->slice;
    int rc = catalog_load(&stream->catalog, &stream->connection, &stream->settings, slice->stream);
    if (rc) return rc;
    own->table = catalog_find(&stream->catalog, slice->stream);
    if (!own->table)
        return fail(stream->session, SLUICE_ERROR_SOURCE, "it was dropped or renamed, or the role may not read it any more",
                    "there is no table \"%s\"", slice->stream);
    if (slice->incremental) own->cursor = declare_cursor(own->table, &stream->settings, NULL);
    own->is_by_xmin = own->cursor && strcmp(own->cursor, "xmin") == 0;
    if (own->cursor && !own->is_by_xmin) return begin_by_column(stream, own);
    rc = connection_value(&stream->connection, "SELECT system_identifier FROM pg_control_system()", &own->system);
    if (rc) return rc;
    own->state = slice->state ? cJSON_Parse(slice->state) : NULL;
    return begin_by_ranges(stream, own);
}

static int page(struct stream *stream)
{
    struct table_stream *own = stream->own;
    if (!own->reader.connection) return page_of_ranges(stream, own);
    reader_begin_page(&own->reader, 0);
    return reader_rows(&own->reader);
}

static void close_table(struct stream *stream)
{
    struct table_stream *own = stream->own;
    if (!own) return;
    ranges_release(&own->ranges);
    reader_release(&own->reader);
    cJSON_Delete(own->state);
    free(own->cursor);
    free(own->system);
    free(own);
}

const struct stream_kind STREAM_TABLE = {open_table, page, close_table};
