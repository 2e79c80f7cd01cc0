/* changes: all tables at one moment each, then what happened since, from one replication slot.
 *
 *   CREATE    the slot, if there is none: from here on the server keeps changes
 *   SETTLE    the transactions that were running then end: theirs may be in neither the slot nor a moment
 *   READ      each table at a moment of its own (ranges.h), which the state remembers
 *   FOLLOW    the changes, from the slot's begin. Those of a transaction that a table's moment has seen are dropped for that
 * table (routes.h), so every change is in its moment or in the stream, once, without a snapshot that has to be held open from
 * the slot's creation to the last table: a sync that dies goes on with the table that it was at.
 *
 * The state is the end of the last transaction that was emitted whole. Only what the destination has stored is told to the
 * server as flushed, so it keeps everything else. A server that confirms more than the state says has forgotten changes we
 * need: an error.
 *
 * The server tells of a transaction when it is committed, all at once and in the order of commits (protocol version 1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "postgres/ranges.h"
#include "postgres/routes.h"
#include "postgres/slot.h"
#include "postgres/state.h"

enum {
    PAGE_MS = 1000,
    POLL_MS = 200,
    STATUS_MS = 10000,
    ROWS_MORE = 500, /* that a full page may take to come to a transaction's end */
};

enum phase { PHASE_CREATE, PHASE_SETTLE, PHASE_READ, PHASE_FOLLOW };

struct changes {
    enum phase phase;
    char *system;
    struct routes routes;
    struct pgoutput decoder;
    uint64_t settle_xmax; /* SETTLE: all before it have to end */
    bool has_said_settling;
    size_t reading; /* READ: which route */
    bool is_reading;
    struct ranges ranges;
    struct ranges_place place; /* where the table at hand goes on */
    char *place_node;
    uint64_t lsn;        /* all that ends here or before was emitted */
    uint64_t stored;     /* of it, what the destination has */
    uint64_t target;     /* where a sync that is not continuous ends */
    uint64_t received;   /* what the server has sent */
    uint64_t checkpoint; /* the newest that was emitted */
    struct connection wal;
    bool is_in_transaction, is_done;
    struct transaction transaction;
    size_t rows;  /* changes since the last checkpoint */
    size_t bytes; /* of the page */
    bool is_full; /* the page, since there were so many: */
    size_t full_rows;
    int64_t status_at_ms, idle_at_ms;
};

static int64_t clock_ms(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- state --------------------------------------------------------------------------------------------------------------- */

/* A moment is remembered until the changes are past all that it has seen. */
static bool is_needed(const struct changes *own, const struct route *route)
{
    return route->was_read && (own->phase != PHASE_FOLLOW || own->lsn < route->until);
}

static void write_moment(struct text *state, const char *snapshot, uint64_t until)
{
    text_printf(state, "\"snapshot\":\"%s\",\"until\":\"%" PRIu64 "\"", snapshot, until);
}

static void write_moments(struct text *state, const struct changes *own)
{
    bool is_first = true;
    for (size_t i = 0; i < own->routes.count; i++) {
        const struct route *route = &own->routes.routes[i];
        if (!is_needed(own, route)) continue;
        text_puts(state, is_first ? ",\"tables\":{" : ",");
        is_first = false;
        text_json_puts(state, route->wanted->name);
        text_puts(state, ":{");
        write_moment(state, route->snapshot, route->until);
        text_puts(state, "}");
    }
    if (!is_first) text_puts(state, "}");
}

static void write_reading(struct text *state, const struct changes *own)
{
    const struct ranges *ranges = &own->ranges;
    const struct route *route = &own->routes.routes[own->reading];
    text_puts(state, ",\"reading\":{\"table\":");
    text_json_puts(state, route->wanted->name);
    text_printf(state, ",\"node\":\"%s\",\"page\":\"%" PRId64 "\",\"xmin\":\"%" PRIu64 "\",", ranges->node, ranges->page,
                ranges->first_xmin);
    write_moment(state, route->snapshot, route->until);
    text_puts(state, "}");
}

static int checkpoint(struct stream *stream, struct changes *own)
{
    struct text state = {0};
    char lsn[LSN_TEXT_MAX];
    lsn_write(own->lsn, lsn);
    text_printf(&state, "{\"system\":\"%s\",\"slot\":\"%s\",\"phase\":\"%s\",\"lsn\":\"%s\"", own->system,
                stream->settings.slot, own->phase == PHASE_FOLLOW ? "follow" : "read", lsn);
    write_moments(&state, own);
    if (own->phase == PHASE_READ && own->is_reading) write_reading(&state, own);
    text_puts(&state, "}");
    int rc = sluice_checkpoint(stream->session, state.data, state.size);
    text_release(&state);
    own->rows = 0;
    own->checkpoint = own->lsn;
    own->idle_at_ms = clock_ms(CLOCK_MONOTONIC);
    return rc;
}

static int unreadable(struct stream *stream)
{
    return fail(stream->session, SLUICE_ERROR_DATA, "read everything anew with --full-refresh",
                "the state of \"%s\" cannot be read", stream->slice->stream);
}

static int read_moment(struct stream *stream, struct route *route, const cJSON *moment)
{
    const char *snapshot = state_text(moment, "snapshot");
    if (!snapshot || !snapshot_read(&route->seen, snapshot)) return unreadable(stream);
    free(route->snapshot);
    route->snapshot = text_copy(snapshot);
    route->until = state_number(moment, "until");
    return 0;
}

static int read_tables(struct stream *stream, struct changes *own, const cJSON *state)
{
    const cJSON *tables = cJSON_GetObjectItemCaseSensitive(state, "tables"),
                *reading = cJSON_GetObjectItemCaseSensitive(state, "reading");
    int rc = 0;
    for (const cJSON *moment = tables ? tables->child : NULL; moment && rc == 0; moment = moment->next) {
        struct route *route = routes_find(&own->routes, moment->string);
        if (!route) continue;
        rc = read_moment(stream, route, moment);
        route->was_read = true;
    }
    const char *table = state_text(reading, "table");
    struct route *route = table ? routes_find(&own->routes, table) : NULL;
    if (rc || !route) return rc;
    own->place_node = text_copy(state_text(reading, "node") ? state_text(reading, "node") : "");
    own->place = (struct ranges_place){
        .node = own->place_node, .page = (int64_t)state_number(reading, "page"), .first_xmin = state_number(reading, "xmin")};
    own->reading = (size_t)(route - own->routes.routes);
    return read_moment(stream, route, reading);
}

static int read_state(struct stream *stream, struct changes *own, const struct slot *slot)
{
    cJSON *state = cJSON_Parse(stream->slice->state);
    const char *system = state_text(state, "system"), *name = state_text(state, "slot"), *phase = state_text(state, "phase");
    int rc = 0;
    if (!system || !name || !phase || !lsn_read(state_text(state, "lsn"), &own->lsn)) {
        rc = unreadable(stream);
    } else if (strcmp(system, own->system) != 0 || strcmp(name, stream->settings.slot) != 0) {
        rc = fail(stream->session, SLUICE_ERROR_DATA, "read everything anew with --full-refresh",
                  "slot \"%s\" of this server is not the one that changes were read from before (\"%s\")",
                  stream->settings.slot, name);
    } else if (!slot->exists) {
        rc = fail(stream->session, SLUICE_ERROR_DATA, "changes since then are lost: read everything anew with --full-refresh",
                  "slot \"%s\" is gone; it was read up to %s", name, state_text(state, "lsn"));
    } else if (slot->confirmed > own->lsn) {
        char confirmed[LSN_TEXT_MAX];
        lsn_write(slot->confirmed, confirmed);
        rc = fail(stream->session, SLUICE_ERROR_DATA,
                  "somebody else has read the slot, or the destination was set back: read everything anew with --full-refresh",
                  "slot \"%s\" begins at %s, changes were read up to %s only", name, confirmed, state_text(state, "lsn"));
    } else {
        own->phase = strcmp(phase, "follow") == 0 ? PHASE_FOLLOW : PHASE_READ;
        rc = read_tables(stream, own, state);
    }
    cJSON_Delete(state);
    return rc;
}

/* --- before there are changes -------------------------------------------------------------------------------------------- */

static int begin_settling(struct stream *stream, struct changes *own)
{
    char *xmax = NULL;
    int rc = connection_value(&stream->connection, "SELECT txid_snapshot_xmax(txid_current_snapshot())", &xmax);
    if (rc) return rc;
    own->settle_xmax = strtoull(xmax, NULL, 10);
    own->phase = PHASE_SETTLE;
    free(xmax);
    return 0;
}

static int create(struct stream *stream, struct changes *own)
{
    bool is_created;
    struct slot slot;
    int rc = slot_created(stream, PAGE_MS, &is_created);
    if (rc || !is_created) return rc;
    rc = slot_look(stream, &slot);
    own->lsn = slot.confirmed;
    return rc ? rc : begin_settling(stream, own);
}

static int settle(struct stream *stream, struct changes *own)
{
    char *xmin = NULL;
    int rc = connection_value(&stream->connection, "SELECT txid_snapshot_xmin(txid_current_snapshot())", &xmin);
    if (rc) return rc;
    bool is_settled = strtoull(xmin, NULL, 10) >= own->settle_xmax;
    free(xmin);
    if (is_settled) {
        own->phase = PHASE_READ;
        return 0;
    }
    if (!own->has_said_settling)
        say(stream->session, SLUICE_LOG_INFO, "waiting for the transactions that were running when the slot was created");
    own->has_said_settling = true;
    rc = sluice_sleep(stream->session, POLL_MS);
    return rc < 0 ? rc : 0;
}

/* --- tables -------------------------------------------------------------------------------------------------------------- */

static int begin_table(struct stream *stream, struct changes *own)
{
    struct route *route = &own->routes.routes[own->reading];
    uint64_t until;
    size_t connections = stream->slice->sample ? 1 : stream->settings.connections;
    int rc = ranges_init(&own->ranges, &stream->connection, route->table, route->wanted, route->index, connections);
    if (rc) return rc;
    if (!lsn_read(own->ranges.lsn, &until))
        return fail(stream->session, SLUICE_ERROR_SOURCE, NULL, "the server's WAL position cannot be read: %s",
                    own->ranges.lsn);
    bool goes_on = own->place.page > 0 && ranges_from(&own->ranges, &own->place);
    if (!goes_on) { /* else what is known is the first moment; changes since then come again */
        struct snapshot seen;
        if (!snapshot_read(&seen, own->ranges.snapshot)) abort(); /* it was read before */
        snapshot_release(&route->seen);
        free(route->snapshot);
        route->seen = seen;
        route->snapshot = text_copy(own->ranges.snapshot);
        route->until = until;
    }
    own->place = (struct ranges_place){0};
    own->is_reading = true;
    return 0;
}

static int read_table(struct stream *stream, struct changes *own)
{
    struct routes *routes = &own->routes;
    if (!own->is_reading) {
        if (own->place.page == 0)
            for (own->reading = 0; own->reading < routes->count && routes->routes[own->reading].was_read;) own->reading++;
        if (own->reading == routes->count) {
            own->phase = PHASE_FOLLOW;
            own->is_done = stream->slice->sample;
            return 0;
        }
        int rc = begin_table(stream, own);
        if (rc) return rc;
    }
    ranges_begin_page(&own->ranges);
    int rc = ranges_rows(&own->ranges);
    if (rc < 0 || rc == READER_FULL) return rc < 0 ? rc : 1;
    if (rc == READER_END) {
        ranges_release(&own->ranges);
        own->is_reading = false;
        routes->routes[own->reading].was_read = true;
    }
    if (stream->slice->sample) return 1;
    rc = checkpoint(stream, own);
    return rc < 0 ? rc : 1; /* a page ends with its checkpoint, which covers all of it */
}

/* --- changes ------------------------------------------------------------------------------------------------------------- */

static int begin_following(struct stream *stream, struct changes *own)
{
    struct text sql = {0};
    char *target = NULL, lsn[LSN_TEXT_MAX];
    int rc = connection_value(&stream->connection, "SELECT pg_current_wal_flush_lsn()", &target);
    if (rc == 0 && !lsn_read(target, &own->target))
        rc = fail(stream->session, SLUICE_ERROR_SOURCE, NULL, "the server's WAL position cannot be read: %s", target);
    free(target);
    if (rc == 0) rc = connection_open(&own->wal, stream->session, true);
    /* A destination may take longer over a page than the server waits for a sign of life. */
    if (rc == 0) rc = connection_query(&own->wal, "SET wal_sender_timeout = '10min'", NULL);
    if (rc) return rc;
    lsn_write(own->lsn, lsn);
    text_puts(&sql, "START_REPLICATION SLOT ");
    text_identifier(&sql, stream->settings.slot);
    text_printf(&sql, " LOGICAL %s (proto_version '1', publication_names ", lsn);
    struct text publication = {0};
    text_identifier(&publication, stream->settings.publication);
    text_literal(&sql, publication.data);
    text_puts(&sql, ")");
    text_release(&publication);
    rc = connection_replicate(&own->wal, sql.data);
    text_release(&sql);
    own->received = own->lsn;
    return rc;
}

/* What was stored is read from the newest checkpoint that is durable. */
static int send_status(struct stream *stream, struct changes *own, bool asks)
{
    char status[STATUS_SIZE];
    const char *committed = sluice_committed(stream->session);
    cJSON *state = committed ? cJSON_Parse(committed) : NULL;
    uint64_t lsn;
    if (lsn_read(state_text(state, "lsn"), &lsn) && lsn > own->stored) own->stored = lsn;
    cJSON_Delete(state);
    wal_status_write(status, own->received, own->stored, clock_ms(CLOCK_REALTIME) * 1000, asks);
    own->status_at_ms = clock_ms(CLOCK_MONOTONIC);
    return connection_send(&own->wal, status, sizeof status);
}

static int garbled(struct stream *stream)
{
    return fail(stream->session, SLUICE_ERROR_SOURCE, NULL, "the server sends what is no message of pgoutput version 1");
}

/* Everything before was emitted: that is where a sync may end. */
static void is_whole_at(struct stream *stream, struct changes *own, uint64_t lsn)
{
    if (lsn > own->lsn) own->lsn = lsn;
    own->is_done = own->is_done || (!stream->slice->continuous && own->lsn >= own->target);
}

static int take_message(struct stream *stream, struct changes *own, char *data, size_t size)
{
    struct pgoutput_message message;
    if (!pgoutput_read(&own->decoder, data, size, &message)) return garbled(stream);
    bool is_change = strchr("IUDT", message.tag) != NULL;
    if (message.tag == 'B') {
        if (own->is_in_transaction) return garbled(stream);
        own->is_in_transaction = true;
        own->transaction = (struct transaction){message.xid, message.lsn};
    } else if (message.tag == 'C') {
        if (!own->is_in_transaction) return garbled(stream);
        own->is_in_transaction = false;
        is_whole_at(stream, own, message.lsn);
    } else if (is_change && !own->is_in_transaction) {
        return garbled(stream);
    }
    own->rows += is_change;
    return routes_take(&own->routes, &own->transaction, &message);
}

static int take_frame(struct stream *stream, struct changes *own, char *data, size_t size)
{
    struct wal_frame frame;
    if (!wal_frame_read(data, size, &frame)) return garbled(stream);
    if (frame.kind == 'w') return take_message(stream, own, frame.data, frame.size);
    if (frame.end > own->received) own->received = frame.end;
    if (!own->is_in_transaction) is_whole_at(stream, own, frame.end);
    return frame.wants_reply ? send_status(stream, own, false) : 0;
}

/* A relation changed: what it has now is known when the next run begins, which reads this transaction again, from its begin. */
static int meet_new_column(struct stream *stream, struct changes *own)
{
    if (stream->slice->continuous)
        return fail(stream->session, SLUICE_ERROR_SOURCE, "the next run knows the column",
                    "a table has a new column at the source");
    own->is_done = true;
    return checkpoint(stream, own);
}

/* A page ends with its checkpoint, which covers all of it: at the end of a transaction, unless that is far. */
static bool is_enough(const struct changes *own)
{
    return own->is_full && (!own->is_in_transaction || own->rows > own->full_rows + ROWS_MORE);
}

static int follow(struct stream *stream, struct changes *own)
{
    int64_t begun = clock_ms(CLOCK_MONOTONIC);
    if (!own->wal.pg) {
        int rc = begin_following(stream, own);
        if (rc == 0) rc = send_status(stream, own, true);
        if (rc) return rc;
    }
    own->is_full = false;
    own->bytes = 0;
    for (bool is_over = false; !is_over && !own->is_done;) {
        char *data;
        size_t size;
        int rc = connection_line(&own->wal, &data, &size, POLL_MS);
        int64_t now = clock_ms(CLOCK_MONOTONIC);
        if (rc == COPY_END)
            return fail(stream->session, SLUICE_ERROR_TRANSIENT, NULL, "the server has ended the stream of changes");
        if (rc == COPY_LINE && own->bytes && own->bytes + size > PAGE_MAX) {
            connection_again(&own->wal);
            is_over = true;
            rc = 0;
        } else if (rc == COPY_LINE) {
            own->bytes += size;
            rc = take_frame(stream, own, data, size);
        } else if (rc == COPY_NOTHING_YET) { /* to learn how far it is; and what there is goes on its way */
            is_over = own->rows > 0;
            rc = send_status(stream, own, true);
        }
        if (rc == 0 && now - own->status_at_ms > STATUS_MS) rc = send_status(stream, own, false);
        if (rc < 0) return rc;
        if (rc == ROUTES_NEW_COLUMN) return meet_new_column(stream, own);
        if (rc == ROUTES_FULL && !own->is_full) {
            own->is_full = true;
            own->full_rows = own->rows;
        }
        is_over = is_over || is_enough(own) || now - begun > PAGE_MS;
    }
    bool is_worth_it = own->rows || own->is_done || clock_ms(CLOCK_MONOTONIC) - own->idle_at_ms > STATUS_MS;
    bool is_new = own->lsn > own->checkpoint || own->rows;
    int rc = !own->is_in_transaction && is_worth_it && is_new ? checkpoint(stream, own) : 0;
    return rc < 0 ? rc : !own->is_done;
}

/* --- the stream ---------------------------------------------------------------------------------------------------------- */

static int begin(struct stream *stream, struct changes *own)
{
    struct slot slot;
    int rc = changes_check(stream);
    if (rc == 0) rc = slot_look(stream, &slot);
    if (rc == 0 && stream->slice->state) rc = read_state(stream, own, &slot);
    if (rc == 0) rc = publication_ensure(stream, stream->settings.creates);
    if (rc || stream->slice->state) return rc;
    own->lsn = slot.confirmed;
    if (slot.exists) return begin_settling(stream, own);
    own->phase = PHASE_CREATE;
    return slot_create(stream);
}

static int open_changes(struct stream *stream)
{
    struct changes *own = stream->own = text_allocate(1, sizeof *own);
    int rc = catalog_load(&stream->catalog, &stream->connection, &stream->settings, NULL);
    if (rc == 0) rc = routes_init(&own->routes, stream);
    if (rc == 0) rc = connection_value(&stream->connection, "SELECT system_identifier FROM pg_control_system()", &own->system);
    if (rc) return rc;
    own->idle_at_ms = clock_ms(CLOCK_MONOTONIC);
    if (!stream->slice->sample) return begin(stream, own);
    own->phase = PHASE_READ; /* a preview leaves nothing behind */
    return 0;
}

static int page(struct stream *stream)
{
    struct changes *own = stream->own;
    int64_t begun = clock_ms(CLOCK_MONOTONIC);
    int rc = 0;
    while (rc == 0 && own->phase != PHASE_FOLLOW && clock_ms(CLOCK_MONOTONIC) - begun < PAGE_MS) {
        if (own->phase == PHASE_CREATE)
            rc = create(stream, own);
        else if (own->phase == PHASE_SETTLE)
            rc = settle(stream, own);
        else
            rc = read_table(stream, own);
    }
    if (rc) return rc;
    if (own->is_done) return 0;
    return own->phase == PHASE_FOLLOW ? follow(stream, own) : 1;
}

static void close_changes(struct stream *stream)
{
    struct changes *own = stream->own;
    if (!own) return;
    if (own->wal.pg) connection_close(&own->wal);
    ranges_release(&own->ranges);
    routes_release(&own->routes);
    free(own->system);
    free(own->place_node);
    free(own);
}

const struct stream_kind STREAM_CHANGES = {open_changes, page, close_changes};
