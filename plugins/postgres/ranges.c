#include "postgres/ranges.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/declare.h"

enum {
    RANGE_PAGES = 128,           /* 1 MiB of pages of 8 KiB: what is tried again when a connection breaks */
    LANE_PAGES = 2048,           /* of a table are worth another connection */
    ALLOWANCE = 4 * 1024 * 1024, /* bytes past a full page, to end it with its range */
};

static int look(struct ranges *ranges, struct connection *connection, uint32_t oid)
{
    struct text sql = {0};
    PGresult *result = NULL;
    text_printf(&sql,
                "SELECT txid_current_snapshot(), coalesce(pg_relation_filenode(%u)::text, ''), "
                "coalesce(pg_relation_size(%u) / current_setting('block_size')::bigint, 0), "
                "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END",
                oid, oid);
    int rc = connection_query(connection, sql.data, &result);
    text_release(&sql);
    if (rc) return rc;
    ranges->snapshot = text_copy(PQgetvalue(result, 0, 0));
    snprintf(ranges->node, sizeof ranges->node, "%s", PQgetvalue(result, 0, 1));
    ranges->pages = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
    snprintf(ranges->lsn, sizeof ranges->lsn, "%s", PQgetvalue(result, 0, 3));
    PQclear(result);
    if (!snapshot_read(&ranges->seen, ranges->snapshot))
        return fail(connection->session, SLUICE_ERROR_SOURCE, NULL, "the server's snapshot cannot be read: %s",
                    ranges->snapshot);
    ranges->first_xmin = ranges->seen.xmin;
    return 0;
}

int ranges_init(struct ranges *ranges, struct connection *connection, const struct catalog_table *table,
                const struct sluice_table *wanted, uint32_t index, size_t connections)
{
    *ranges = (struct ranges){.range_pages = RANGE_PAGES, .connections = connections};
    lanes_init(&ranges->lanes, connection);
    ranges->is_split =
        (table->kind == 'r' || table->kind == 'm') && !table->has_children && table->is_whole && connection->version >= 140000;
    int rc = reader_init(&ranges->reader, connection, table, wanted, index);
    if (rc == 0) rc = connection_query(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL);
    if (rc == 0) rc = look(ranges, connection, table->oid);
    return rc;
}

bool ranges_from(struct ranges *ranges, const struct ranges_place *place)
{
    ranges->low = place->low;
    ranges->high = place->high;
    if (!place->node || strcmp(place->node, ranges->node) != 0 || !ranges->is_split) return place->page == 0;
    ranges->page = ranges->asked = place->page;
    ranges->first_xmin = place->first_xmin;
    ranges->reads_changed = place->page > 0 && place->high == 0;
    return true;
}

/* Rows by transactions from `low` on, `count` of them at most: xmin has the number's lower half. */
static void written_by(struct text *clauses, uint64_t low, uint64_t count)
{
    text_printf(clauses, "((xmin::text::bigint - %" PRIu64 ") & 4294967295) < %" PRIu64, low & UINT32_MAX, count);
}

static void filter(struct ranges *ranges, struct text *clauses)
{
    uint64_t last = ranges->seen.xmax;
    text_puts(clauses, ranges->is_split ? " AND " : "WHERE ");
    if (ranges->reads_changed) {
        written_by(clauses, ranges->first_xmin, (uint64_t)1 << 31);
    } else if (ranges->low && ranges->high - ranges->low < (uint64_t)1 << 31) {
        written_by(clauses, ranges->low, ranges->high - ranges->low);
    } else { /* all but what is newer: nothing that is seen is of xmax or later */
        text_puts(clauses, "NOT ");
        written_by(clauses, ranges->high, last > ranges->high ? last - ranges->high : 0);
    }
}

/* Asks for the next range. The last one has no end: it may have grown. */
static int ask(struct ranges *ranges)
{
    struct text clauses = {0};
    if (ranges->reads_changed) {
        text_printf(&clauses, "WHERE ctid < '(%" PRId64 ",0)'::tid", ranges->page);
    } else {
        int64_t end = ranges->asked + ranges->range_pages;
        ranges->is_all_asked = !ranges->is_split || end >= ranges->pages;
        if (ranges->is_split) text_printf(&clauses, "WHERE ctid >= '(%" PRId64 ",0)'::tid", ranges->asked);
        if (!ranges->is_all_asked) text_printf(&clauses, " AND ctid < '(%" PRId64 ",0)'::tid", end);
        ranges->asked = end;
    }
    if (ranges->high || ranges->reads_changed) filter(ranges, &clauses);
    char *copy = reader_copy(&ranges->reader, clauses.data ? clauses.data : "");
    int rc = lanes_ask(&ranges->lanes, copy);
    free(copy);
    text_release(&clauses);
    return rc;
}

static int widen(struct ranges *ranges)
{
    bool is_large = ranges->is_split && ranges->pages > ranges->asked;
    size_t worth = is_large ? 1 + (size_t)(ranges->pages - ranges->asked) / LANE_PAGES : 1;
    int rc = lanes_widen(&ranges->lanes, worth < ranges->connections ? worth : ranges->connections);
    ranges->connections = 1;
    return rc;
}

/* What changed comes alone: until then it is not known to be over. */
static int ask_ahead(struct ranges *ranges)
{
    if (ranges->reads_changed) return ranges->lanes.asked ? 0 : ask(ranges);
    int rc = ranges->connections > 1 ? widen(ranges) : 0;
    while (rc == 0 && lanes_has_room(&ranges->lanes) && !ranges->is_all_asked) rc = ask(ranges);
    return rc;
}

void ranges_begin_page(struct ranges *ranges)
{
    reader_begin_page(&ranges->reader, ranges->is_split ? ALLOWANCE : 0);
}

int ranges_rows(struct ranges *ranges)
{
    if (ranges->is_done) return READER_END;
    int rc = ask_ahead(ranges);
    if (rc) return rc;
    ranges->reader.connection = lanes_front(&ranges->lanes);
    rc = reader_rows(&ranges->reader);
    if (rc != READER_END) return rc;
    lanes_next(&ranges->lanes);
    if (ranges->reads_changed) {
        ranges->reads_changed = false;
        return READER_RANGE;
    }
    ranges->page += ranges->range_pages;
    ranges->is_done = ranges->is_all_asked && ranges->lanes.asked == 0;
    if (!ranges->is_done) return READER_RANGE;
    struct connection *first = ranges->lanes.list[0];
    lanes_release(&ranges->lanes);
    ranges->reader.connection = first;
    rc = connection_query(first, "COMMIT", NULL);
    return rc ? rc : READER_END;
}

void ranges_release(struct ranges *ranges)
{
    reader_release(&ranges->reader);
    lanes_release(&ranges->lanes);
    snapshot_release(&ranges->seen);
    free(ranges->snapshot);
    *ranges = (struct ranges){0};
}
