/* numeric: numbers as PostgreSQL's binary numeric (numeric_send in utils/adt/numeric.c), exactly. Pure functions.
 *
 * The wire form: four 16-bit words (digit count, weight, sign, display scale), then digits in base 10000. The display scale
 * is kept as numeric's own input does: "1.50" stays 1.50, "1e3" is 1000, "1.5e-3" is 0.0015. */
#ifndef SLUICE_PG_NUMERIC_H
#define SLUICE_PG_NUMERIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { PG_NUMERIC_INT64 = 18 }; /* the most bytes of a 64-bit integer: 8 and five digits */

/* An upper bound for what pg_numeric_from_text writes for a text of `size` bytes. */
static inline size_t pg_numeric_bound(size_t size)
{
    return 16 + size;
}

/* Writes a JSON number. Returns the bytes written; 0 when the text is no number or outside what numeric holds (131,072 digits
 * before the point, 16,383 after it). */
size_t pg_numeric_from_text(struct str number, char *out);
size_t pg_numeric_from_int64(int64_t value, char out[PG_NUMERIC_INT64]);

#endif
