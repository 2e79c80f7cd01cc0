/* json: is this a text, is it JSON? What other programs put into a log is asked before a row is made of it. Pure.
 *
 *     const char *flaw = json_flaw(value, size);       // NULL: one JSON text of RFC 8259 in UTF-8
 *     while (json_next(value, size, &at, &member)) ..  // what has no flaw: the members of an object
 */
#ifndef SLUICE_KAFKA_JSON_H
#define SLUICE_KAFKA_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum { JSON_MAX_DEPTH = 128 };

/* What is wrong with it, a line for people; NULL: nothing. */
const char *json_flaw(const char *data, size_t size);

/* A member of an object, as it stands in the text: the name without its quotes, the value with them. */
struct json_member {
    const char *name, *value;
    size_t name_size, value_size;
};

/* The next member of the object that `data`, a text without a flaw, is; *at is 0 for the first. False: there is no further one,
 * or it is no object. */
bool json_next(const char *data, size_t size, size_t *at, struct json_member *member);

/* What stands between the quotes of a string of such a text, without its escapes; half a surrogate pair becomes U+FFFD. `out`
 * has room for `size` bytes; returns how many were written. */
size_t json_unescape(const char *data, size_t size, char *out);

bool utf8_is_valid(const char *data, size_t size);

#endif
