/* time_scan: the two readers that time.c and time_format.c share. Both move *text behind what they read. */
#ifndef SLUICE_BASE_TIME_SCAN_H
#define SLUICE_BASE_TIME_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SECOND_US 1000000LL
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

/* From `min` to `max` (at most 9) decimal digits. */
bool scan_digits(struct str *text, size_t min, size_t max, int *value);
bool scan_char(struct str *text, char wanted);
/* At least one and at most `max` digits behind a decimal point, rounded half up: 0 to 1000000. */
bool scan_fraction(struct str *text, size_t max, int *microseconds);

#endif
