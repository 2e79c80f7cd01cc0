/* json: is this a text, is it JSON? What other programs put into a log is asked before a row is made of it. Pure.
 *
 *     const char *flaw = json_flaw(value, size);       // NULL: one JSON text of RFC 8259 in UTF-8
 */
#ifndef SLUICE_KAFKA_JSON_H
#define SLUICE_KAFKA_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum { JSON_MAX_DEPTH = 128 };

/* What is wrong with it, a line for people; NULL: nothing. */
const char *json_flaw(const char *data, size_t size);

bool utf8_is_valid(const char *data, size_t size);

#endif
