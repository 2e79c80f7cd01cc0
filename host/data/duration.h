/* duration: lengths of time and sizes as people write them: "5m", "1.5h", "8MiB". Pure functions. */
#ifndef SLUICE_DATA_DURATION_H
#define SLUICE_DATA_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* "500ms" "30s" "5m" "1.5h" "1d" "2w" -> milliseconds; a bare number is seconds. False when it is not a duration, negative, not
 * a whole number of milliseconds, or over 10,000 years. Months and years are refused: they have no fixed length. */
bool duration_parse(struct str text, int64_t *ms);

/* "100" "100B" "64KiB" "8MiB" "1GiB" "1TiB" (of 1024) "64KB" "8MB" "1GB" "1TB" (of 1000), in any case -> bytes. False when it
 * is not a size, not a whole number of bytes, or past 63 bits. "8M" is refused: it means both. */
bool size_parse(struct str text, uint64_t *bytes);

#endif
