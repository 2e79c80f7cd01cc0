/* form: bodies of application/x-www-form-urlencoded, as browsers and some senders of webhooks write them
 * (https://url.spec.whatwg.org/#urlencoded-parsing). Nothing in them is malformed: what is no escape stands for itself. Pure.
 */
#ifndef SLUICE_HOOK_FORM_H
#define SLUICE_HOOK_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

enum { FORM_FIELDS_MAX = 1000 };

struct form_field {
    struct str name, value; /* decoded: any bytes */
};

struct form {
    struct form_field *fields; /* as they came */
    size_t count;
};

/* Is it the type of such a body? NULL is none. */
bool form_is_type(const char *content_type);
/* Reads it into the arena; false when it has more than FORM_FIELDS_MAX fields. */
bool form_read(struct str body, struct arena *arena, struct form *out);
/* The form as JSON: {"name": "text"}, a list of texts where a name comes several times. A form that is one field `payload`
 * holding JSON, as GitHub and Slack send it, is that JSON. */
struct str form_json(const struct form *form, struct arena *arena);
/* Appends each name and its value, without anything between, sorted by name: what Twilio signs. */
void form_append_sorted(const struct form *form, struct arena *arena, struct buf *out);

#endif
