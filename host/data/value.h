/* value: one typed field of a row, in 16 bytes; bytes of strings stay where they are (a page block or the batch's arena).
 *
 * MISSING is not NULL: it means "keep what is there" and comes only from sources that declare partial records. */
#ifndef SLUICE_DATA_VALUE_H
#define SLUICE_DATA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* The type of a column. The names are those of the vocabulary (`fields = { id = "string" }`). */
enum type {
    TYPE_STRING,
    TYPE_INTEGER, /* 64 bits, signed */
    TYPE_DECIMAL, /* exact, any precision PostgreSQL's numeric has */
    TYPE_FLOAT,   /* IEEE double */
    TYPE_BOOLEAN,
    TYPE_DATE,
    TYPE_TIMESTAMP,     /* an instant */
    TYPE_TIMESTAMP_NTZ, /* a wall clock reading without a zone */
    TYPE_JSON,
    TYPE_BINARY, /* base64 in JSON */
    TYPE_COUNT,
};

const char *type_name(enum type type);                 /* "timestamp_ntz" */
bool type_from_name(struct str name, enum type *type); /* false when there is no such type */

enum value_kind {
    VALUE_MISSING = 0,
    VALUE_NULL,
    VALUE_BOOLEAN,   /* i: 0 or 1 */
    VALUE_INTEGER,   /* i */
    VALUE_FLOAT,     /* f, finite */
    VALUE_DECIMAL,   /* data: JSON number text, "-12.50e3" */
    VALUE_STRING,    /* data: UTF-8 without NUL */
    VALUE_DATE,      /* i: days since 1970-01-01 */
    VALUE_TIMESTAMP, /* i: microseconds since 1970-01-01T00:00:00Z (for TIMESTAMP_NTZ: of the wall clock) */
    VALUE_JSON,      /* data: JSON text that PostgreSQL's jsonb accepts */
    VALUE_BINARY,    /* data: the bytes */
};

enum { VALUE_COUNT = VALUE_BINARY + 1 };

struct value {
    uint8_t kind; /* enum value_kind */
    uint8_t reserved[3];
    uint32_t size; /* of data */
    union {
        int64_t i;
        double f;
        const char *data;
    };
};

_Static_assert(sizeof(struct value) == 16, "a value is 16 bytes");

static inline struct str value_str(const struct value *value)
{
    return (struct str){value->data, value->size};
}

struct buf;
/* Appends the value as text: numbers and JSON as they are, dates and instants in RFC 3339 (UTC, as many digits of the
 * fraction as needed), binary as base64, null and missing as nothing. For previews, CSV, keys and messages. */
void value_to_text(const struct value *value, enum type type, struct buf *out);
/* The same as JSON (strings quoted, null as null). */
void value_to_json(const struct value *value, enum type type, struct buf *out);

/* -1, 0, 1 for two values of one column: numbers by value, instants by time, others by bytes. NULL and MISSING are lowest.
 * Decimals compare exactly. */
int value_compare(const struct value *a, const struct value *b, enum type type);

#endif
