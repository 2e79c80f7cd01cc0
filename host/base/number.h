/* number: numbers as text, exactly. No locale, no rounding through double where an exact answer exists. */
#ifndef SLUICE_BASE_NUMBER_H
#define SLUICE_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Decimal integer text ("-12", "+7" is refused as JSON does) -> value. False past 64 bits or when anything else is in it. */
bool number_to_int64(struct str text, int64_t *value);
bool number_to_uint64(struct str text, uint64_t *value);

/* JSON number text (RFC 8259: "-12.5e3") -> the nearest double, as strtod in the C locale. False when it is no number or not
 * finite (1e400). */
bool number_to_double(struct str text, double *value);

/* Is the text a number by JSON's grammar? */
bool number_is_json(struct str text);

/* The JSON number text is an integer value ("1", "1.0", "1e3", "-0") that fits 64 bits: gives it. False otherwise. */
bool number_integral(struct str text, int64_t *value);

/* -1, 0, 1: exact comparison of two JSON number texts by value ("1.50" equals "1.5"; any length and exponent). */
int number_compare(struct str a, struct str b);

enum { NUMBER_TEXT_MAX = 32 };

/* The shortest text that reads back as the same double ("19.99", "1e+300"); finite values only. Returns its size. */
size_t number_from_double(double value, char out[NUMBER_TEXT_MAX]);
size_t number_from_int64(int64_t value, char out[NUMBER_TEXT_MAX]);

#endif
