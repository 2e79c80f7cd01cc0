/* copy: COPY .. FROM STDIN (FORMAT binary), written row by row into one buffer and sent in 64 KiB messages.
 *
 * Errors stick: after the first one, calls do nothing, and pg_copy_end reports it. What the server says about a value shows
 * only at pg_copy_end. The buffer grows to the largest row, not more; libpq's own buffer is drained before each message.
 *
 *     if ((rc = pg_copy_begin(&copy, pg, "COPY public.orders (id, total) FROM STDIN (FORMAT binary)", err)) != 0) return rc;
 *     pg_copy_row(&copy, 2);
 *     pg_copy_int64(&copy, id);
 *     pg_copy_null(&copy);
 *     pg_copy_row_done(&copy);
 *     rc = pg_copy_end(&copy, &rows, err);      // always: it also releases the buffer */
#ifndef SLUICE_PG_COPY_H
#define SLUICE_PG_COPY_H

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "pg/conn.h"

enum { PG_COPY_MESSAGE = 64 * 1024 };

struct pg_copy {
    struct pg *pg;
    char *data;
    size_t size, capacity;
    size_t row_start; /* where the row being written begins */
    struct err err;   /* the first failure */
};

int pg_copy_begin(struct pg_copy *copy, struct pg *pg, const char *sql, struct err *err) MUST_USE;
int pg_copy_end(struct pg_copy *copy, uint64_t *rows, struct err *err) MUST_USE;

void pg_copy_grow(struct pg_copy *copy, size_t size); /* room for `size` more bytes; use pg_copy_room */
void pg_copy_send(struct pg_copy *copy);              /* sends what is buffered; use pg_copy_row_done */

static inline char *pg_copy_room(struct pg_copy *copy, size_t size)
{
    if (UNLIKELY(copy->capacity - copy->size < size)) pg_copy_grow(copy, size);
    return copy->data + copy->size;
}

static inline void pg_put16(char *out, uint16_t value)
{
    value = __builtin_bswap16(value);
    memcpy(out, &value, sizeof(value));
}

static inline void pg_put32(char *out, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(out, &value, sizeof(value));
}

static inline void pg_put64(char *out, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(out, &value, sizeof(value));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is big-endian, this machine is not");

static inline void pg_copy_row(struct pg_copy *copy, uint16_t fields)
{
    copy->row_start = copy->size;
    pg_put16(pg_copy_room(copy, 2), fields);
    copy->size += 2;
}

/* Takes the row being written back. */
static inline void pg_copy_row_undo(struct pg_copy *copy)
{
    copy->size = copy->row_start;
}

static inline void pg_copy_row_done(struct pg_copy *copy)
{
    if (UNLIKELY(copy->size >= PG_COPY_MESSAGE)) pg_copy_send(copy);
}

static inline void pg_copy_null(struct pg_copy *copy)
{
    pg_put32(pg_copy_room(copy, 4), UINT32_MAX);
    copy->size += 4;
}

static inline void pg_copy_bytes(struct pg_copy *copy, const char *data, size_t size)
{
    char *out = pg_copy_room(copy, size + 4);
    pg_put32(out, (uint32_t)size);
    if (size) memcpy(out + 4, data, size);
    copy->size += size + 4;
}

static inline void pg_copy_boolean(struct pg_copy *copy, bool value)
{
    char *out = pg_copy_room(copy, 5);
    pg_put32(out, 1);
    out[4] = value ? 1 : 0;
    copy->size += 5;
}

static inline void pg_copy_int32(struct pg_copy *copy, int32_t value)
{
    char *out = pg_copy_room(copy, 8);
    pg_put32(out, 4);
    pg_put32(out + 4, (uint32_t)value);
    copy->size += 8;
}

static inline void pg_copy_int64(struct pg_copy *copy, int64_t value)
{
    char *out = pg_copy_room(copy, 12);
    pg_put32(out, 8);
    pg_put64(out + 4, (uint64_t)value);
    copy->size += 12;
}

static inline void pg_copy_double(struct pg_copy *copy, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    pg_copy_int64(copy, (int64_t)bits);
}

#endif
