/* encode: rows as CSV lines, straight from 16-byte values into one buffer. The fast path of the CSV writer.
 *
 * The dialect (one that Snowflake, BigQuery, Redshift and PostgreSQL load unchanged): UTF-8, comma, LF, every value quoted,
 * quotes doubled, nothing else escaped; null is nothing between the commas (or an unquoted \N), "" is an empty text. Decimals
 * are plain digits, booleans true / false, dates 2024-01-15, instants 2024-01-15 10:00:00.000000+00:00 (wall clock readings
 * without the offset), binary hex, nested values compact JSON.
 *
 *     struct csv_buffer lines = {0};
 *     csv_encode_row(&lines, values, present, columns, CSV_NULL_EMPTY, suffix, &notes);
 *     ... lines.data, lines.size ... lines.size = 0;
 *     csv_buffer_release(&lines); */
#ifndef SLUICE_WRITER_CSV_ENCODE_H
#define SLUICE_WRITER_CSV_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "data/value.h"

enum csv_null { CSV_NULL_EMPTY, CSV_NULL_BACKSLASH_N };

enum { CSV_BUFFER_FULL = 128 * 1024 }; /* hand the buffer on when it holds this much; a row is always in it as a whole */

/* Grows to its largest row, which a page's cap bounds. */
struct csv_buffer {
    char *data;
    size_t size;
    size_t capacity;
};

/* What a caller has to know about the rows encoded so far. */
struct csv_notes {
    bool saw_missing;  /* a value of a partial record: CSV has no way to say "keep what is there" */
    uint64_t repaired; /* texts that were the null token itself, with U+FFFD put in */
};

/* Appends one row: `present` values, nulls up to `columns`, then `suffix` (the system columns with their comma and the line's
 * end). `types` has one entry per column: an instant of TIMESTAMP_NTZ is written without an offset. */
void csv_encode_row(struct csv_buffer *buffer, const struct value *values, uint32_t present, uint32_t columns,
                    const uint8_t *types, enum csv_null null_token, struct str suffix, struct csv_notes *notes);

/* Appends one quoted text: for header lines. */
void csv_encode_text(struct csv_buffer *buffer, struct str text);
void csv_append(struct csv_buffer *buffer, struct str bytes);
void csv_buffer_release(struct csv_buffer *buffer);

#endif
