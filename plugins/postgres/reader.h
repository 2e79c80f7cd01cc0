/* reader: the rows of one table, or of a part of it, from COPY to the host.
 *
 *     reader_init(&reader, &connection, table, wanted, 0);
 *     connection_copy(reader.connection, reader_copy(&reader, "WHERE .."));
 *     while ((rc = reader_rows(&reader)) == READER_FULL) ...         // another page
 *     reader_release(&reader);
 *
 * A row goes from the line that libpq holds to the host without being copied here: columns are taken apart where they stand. */
#ifndef SLUICE_POSTGRES_READER_H
#define SLUICE_POSTGRES_READER_H

#include "postgres/catalog.h"
#include "postgres/copy.h"

struct reader {
    struct connection *connection;
    const struct catalog_table *table;
    uint32_t index;   /* of the table in the slice */
    size_t count;     /* columns that are read */
    uint32_t *places; /* of these, in the wanted ones; the others are MISSING */
    struct pg_type *types;
    struct field *fields;
    struct sluice_value *values; /* of the wanted columns */
    uint32_t value_count;
    struct text scratch;
    bool needs_scratch;
    char *select;     /* "SELECT .. FROM .." */
    bool is_full;     /* the page is */
    size_t bytes;     /* that it has */
    size_t allowance; /* bytes that it may still take, to come to the end */
    uint64_t rows;    /* since it was made */
};

/* What a column's values are read as: its own type, or text where the host wants another one. */
struct pg_type reader_type(const struct catalog_column *column, const char *wanted);

/* `wanted`: the columns, in the host's order. One that the table does not have any more keeps what the destination has.
 * TRANSIENT when it has none of them. */
int reader_init(struct reader *reader, struct connection *connection, const struct catalog_table *table,
                const struct sluice_table *wanted, uint32_t index);
void reader_release(struct reader *reader);

/* Another page begins, which may take `allowance` bytes when it is full, so that it ends where what is read ends. */
void reader_begin_page(struct reader *reader, size_t allowance);
/* The COPY of the rows that `clauses` says ("WHERE .. ORDER BY .."; "": all of them). To be freed. */
char *reader_copy(const struct reader *reader, const char *clauses);
enum { READER_END = 0, READER_FULL = 1 };
/* Emits rows of the COPY that was asked for. READER_END: that was the last. READER_FULL: the page is full, or nothing came for
 * a second. */
int reader_rows(struct reader *reader);

#endif
