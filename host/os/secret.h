/* secret: the registry of live secret values, and the redactor that keeps them out of everything printed or stored.
 *
 * A value registered here is replaced by "***" wherever it shows up: as it is, URL-encoded (any choice of escaped characters,
 * either hex case, '+' or %20), JSON-escaped (any choice of escapes), both, base64 at any of the three alignments (either
 * alphabet, also URL-encoded or JSON-escaped), hex (either case). What overlaps is replaced as one. A text that was cut inside
 * a secret ends with its beginning: that is replaced, too. Values shorter than 4 bytes are not searched for (they would match
 * by chance). Thread-safe. Memory is locked best effort, excluded from core dumps, and wiped when released. */
#ifndef SLUICE_OS_SECRET_H
#define SLUICE_OS_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

struct secrets;

struct secrets *secrets_new(void);
void secrets_free(struct secrets *secrets); /* wipes */

/* Registers a value (copied) under `name` ("config.api_key"); a name set again gets the new value, and the old one stays
 * redacted. Returns the name's id, > 0 and always the same. */
int secrets_add(struct secrets *secrets, const char *name, struct str value);
/* The value behind a name or id, valid until secrets_free; empty when unknown. */
struct str secrets_by_name(const struct secrets *secrets, const char *name);
struct str secrets_by_id(const struct secrets *secrets, int id);

/* Appends `text` to `out` with every secret replaced. secrets may be NULL: appends as it is. */
void secrets_redact(const struct secrets *secrets, struct str text, struct buf *out);
/* The same in place for a terminated array; the text never gets longer. */
void secrets_redact_text(const struct secrets *secrets, char *text, size_t capacity);

#endif
