/* How it works: PQputCopyData would grow libpq's buffer without end on a non-blocking connection, so each message is flushed to
 * the socket before the next; while that waits, what the server sends is read. */
#include "pg/copy.h"

#include <stdlib.h>

#include "base/check.h"
#include "pg/internal.h"
#include "pg/query.h"

/* Signature, flags, and the length of the header's extension (PostgreSQL manual, COPY, binary format). */
static const char HEADER[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

void pg_copy_grow(struct pg_copy *copy, size_t size)
{
    size_t wanted = copy->size + size, capacity = copy->capacity ? copy->capacity : 2 * PG_COPY_MESSAGE;
    while (capacity < wanted) capacity += capacity / 2;
    copy->data = mem_resize(copy->data, capacity);
    copy->capacity = capacity;
}

/* What PQputCopyData or PQputCopyEnd says: 1, or -1 for an error. On a non-blocking connection 0 means that there was no room
 * for the message; since the buffer was flushed before, that it could not be made larger. The message is not in it then. */
static bool was_queued(int said)
{
    if (said == 0) mem_exhausted("libpq");
    return said > 0;
}

void pg_copy_send(struct pg_copy *copy)
{
    for (size_t sent = 0; sent < copy->size && copy->err.class == 0;) {
        size_t part = copy->size - sent < PG_COPY_MESSAGE ? copy->size - sent : PG_COPY_MESSAGE;
        PG_FAULT_POINT(copy->pg, "pg.copy.send");
        if (!was_queued(PQputCopyData(copy->pg->conn, copy->data + sent, (int)part))) {
            pg_fail(copy->pg, NULL, &copy->err);
            break;
        }
        if (pg_flush(copy->pg, &copy->err) != 0) break;
        sent += part;
    }
    copy->size = 0;
    copy->row_start = 0;
}

int pg_copy_begin(struct pg_copy *copy, struct pg *pg, const char *sql, struct err *err)
{
    int rc;
    PGresult *result = NULL;
    *copy = (struct pg_copy){.pg = pg};
    pg->failure = PG_FAILED;
    if (!pg_usable(pg) || !PQsendQuery(pg->conn, sql)) return pg_fail(pg, NULL, err);
    if ((rc = pg_next_result(pg, &result, err)) != 0) return rc;
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        rc = pg_fail(pg, result, err);
        PQclear(result);
        while (pg_usable(pg) && pg_next_result(pg, &result, &(struct err){0}) == 0 && result) PQclear(result);
        return rc;
    }
    PQclear(result);
    pg_copy_grow(copy, PG_COPY_MESSAGE);
    memcpy(copy->data, HEADER, sizeof(HEADER));
    copy->size = sizeof(HEADER);
    return 0;
}

int pg_copy_end(struct pg_copy *copy, uint64_t *rows, struct err *err)
{
    int rc = 0;
    struct pg *pg = copy->pg;
    PGresult *result = NULL;
    *rows = 0;
    pg_put16(pg_copy_room(copy, 2), UINT16_MAX); /* the trailer */
    copy->size += 2;
    pg_copy_send(copy);
    PG_FAULT_POINT(pg, "pg.copy.end.before");
    if (copy->err.class == 0 && !was_queued(PQputCopyEnd(pg->conn, NULL))) pg_fail(pg, NULL, &copy->err);
    if (copy->err.class != 0) {
        rc = err_copy(err, &copy->err);
        pg->is_broken = true; /* in the middle of an exchange: nothing more can be said on it */
    }
    while (rc == 0 || pg_usable(pg)) {
        struct err ignored = ERR_INIT;
        int next_rc = pg_next_result(pg, &result, rc == 0 ? err : &ignored);
        if (next_rc != 0) {
            rc = rc != 0 ? rc : next_rc;
            break;
        }
        if (!result) break;
        if (PQresultStatus(result) == PGRES_COMMAND_OK)
            *rows = pg_changed(result);
        else if (rc == 0)
            rc = pg_fail(pg, result, err);
        PQclear(result);
        if (PQstatus(pg->conn) == CONNECTION_BAD) {
            if (rc == 0) rc = pg_fail(pg, NULL, err);
            break;
        }
    }
    PG_FAULT_POINT(pg, "pg.copy.end.after");
    free(copy->data);
    copy->data = NULL;
    copy->size = copy->capacity = 0;
    return rc;
}
