/* number: numbers as text, exactly. No locale, no rounding through double where an exact answer exists, no allocation for
 * texts of ordinary length, and no trust: any length and any exponent is answered in one pass over the text.
 *
 *     if (number_to_int64(text, &id)) ...                    // "9007199254740993" stays itself
 *     if (number_compare(cursor, newest) > 0) newest = cursor;
 *
 * "JSON number text" means RFC 8259 section 6: -12.5e3, but not +1, 01, .5, 1., 0x1, inf, nor anything around it.
 * Pure functions. */
#ifndef SLUICE_BASE_NUMBER_H
#define SLUICE_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Decimal integer text ("-12", "007"; "+7" is refused as JSON does) -> value. False past 64 bits or when anything else is in
 * it. */
bool number_to_int64(struct str text, int64_t *value);
bool number_to_uint64(struct str text, uint64_t *value);

/* JSON number text -> the nearest double, as strtod in the C locale. False when it is no number or not finite (1e400); what is
 * too small for a double (1e-400) is 0. */
bool number_to_double(struct str text, double *value);

/* Is the text a number by JSON's grammar? */
bool number_is_json(struct str text);

/* The JSON number text is an integer value ("1", "1.0", "1e3", "-0") that fits 64 bits: gives it. False otherwise. */
bool number_integral(struct str text, int64_t *value);

/* JSON number text times 10^scale (0 to 9), rounded half up to an integer: ("1.5", 3) is 1500, ("-0.0005", 3) is 0. False when
 * it is no number or the result does not fit 64 bits. */
bool number_scaled(struct str text, int scale, int64_t *value);

/* -1, 0, 1: exact comparison of two JSON number texts by value ("1.50" equals "1.5"; any length and exponent). */
int number_compare(struct str a, struct str b);

enum { NUMBER_TEXT_MAX = 32 };

/* The shortest text that reads back as the same double ("19.99", "1e+300", "-0"), which is JSON number text; finite values only
 * (another one is a bug of the caller). Terminated; returns the size without the NUL. */
size_t number_from_double(double value, char out[NUMBER_TEXT_MAX]);
size_t number_from_int64(int64_t value, char out[NUMBER_TEXT_MAX]);

#endif
