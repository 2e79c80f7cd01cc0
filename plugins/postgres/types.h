/* types: what PostgreSQL's types are as columns, and values in PostgreSQL's text form as values of rows. Pure.
 *
 * What a column cannot hold exactly (NaN, infinity, years before 1 or past 9999) is handed over as the text it is: the host
 * then does what the pipeline says of values that do not fit. */
#ifndef SLUICE_POSTGRES_TYPES_H
#define SLUICE_POSTGRES_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/plugin.h>

#include "postgres/text.h"

enum pg_kind {
    PG_STRING = 0, /* all that is not named below */
    PG_BOOLEAN,
    PG_INTEGER,
    PG_FLOAT,
    PG_DECIMAL,
    PG_DATE,
    PG_TIMESTAMP, /* without time zone */
    PG_TIMESTAMPTZ,
    PG_JSON,
    PG_BYTEA,
    PG_ARRAY,
    PG_HSTORE,
};

struct pg_type {
    enum pg_kind kind;
    enum pg_kind element; /* of an array */
    char delimiter;       /* of an array: between its elements */
};

/* A row of pg_type. */
struct pg_type_row {
    uint32_t oid, base, element; /* of a domain; of an array; 0 */
    char name[64];               /* typname */
    char category;               /* typcategory */
    char delimiter;              /* typdelim */
};

/* What the type with this oid is, by these rows (sorted by oid). Domains are what they are domains of; what is not there is
 * text. */
struct pg_type type_of(const struct pg_type_row *rows, size_t count, uint32_t oid, bool *is_known);

/* The column's type in the vocabulary: "decimal". */
const char *type_field(enum pg_kind kind);

/* The value whose text form is `data`.
 * May change `data` (bytea is decoded where it stands). What has to be written anew goes to `scratch`, which must not move:
 * have room for value_room(size) there before. */
struct sluice_value value_of(struct pg_type type, char *data, size_t size, struct text *scratch);
static inline size_t value_room(size_t size)
{
    return 6 * size + 16;
}

/* Parts, for tests. Each gives false where the text is none. */
bool value_integer(const char *data, size_t size, int64_t *out);
bool value_date(const char *data, size_t size, int64_t *days);
bool value_timestamp(const char *data, size_t size, bool has_zone, int64_t *us);
bool value_is_number(const char *data, size_t size); /* as JSON writes one */

#endif
