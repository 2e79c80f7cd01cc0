/* reject: keeps what could not be taken, as it was, within limits and without what must not leave: hidden fields, and secrets
 * that the source gave back. `secrets` may be NULL. */
#ifndef SLUICE_REST_REJECT_H
#define SLUICE_REST_REJECT_H

#include <stdbool.h>

#include "base/jsonscan.h"
#include "rest/decode.h"
#include "rest/fields.h"

/* Is there room for another one on this page? Later ones are only counted. */
bool reject_has_room(const struct decoded *out);

/* A record's text for the rejects, in out's arena: hidden fields left out, made fit for jsonb, cut at DECODE_MAX_REJECT_BYTES.
 * A record that is no object is shown as null when fields are hidden: what it holds has no names to go by. */
struct str reject_record(struct decoded *out, struct fields *fields, const struct json_value *record);

/* The same of an answer of the source, which is JSON or any other text; without its content when fields are hidden. */
struct str reject_answer(struct decoded *out, const struct decode_spec *spec, struct str body);

/* Adds one; does nothing when there is no room. `reason` is static; `record` comes from reject_record. */
void reject_add(struct decoded *out, const struct decode_spec *spec, struct str field, const char *reason, const char *detail,
                struct str record, bool row_was_dropped);

/* "expected integer, got a string: \"abc\"", in out's arena. */
const char *reject_mismatch(struct decoded *out, const struct secrets *secrets, enum type type, const struct json_value *json);

#endif
