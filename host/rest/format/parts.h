/* parts: a body as JSON documents of about a megabyte, one after the other. Memory does not depend on how large the body is.
 *
 *     parts = parts_new(&format, budget, body, NULL, NULL);    // or a spool (os/spool.h) in place of the body
 *     do rc = parts_next(parts, &document, &is_last, err); ...; block_release(document);
 *     while (rc == 0 && !is_last);
 *     parts_free(parts);
 *
 * The body must be whole already. One thread. */
#ifndef SLUICE_REST_FORMAT_PARTS_H
#define SLUICE_REST_FORMAT_PARTS_H

#include "rest/format/format.h"

struct parsing;
struct parts;
struct spool;

/* Holds the body; the format and the spool must outlive it. `parsing`: of the kind `plugin`, see parsed.h; copied. */
struct parts *parts_new(const struct format *format, struct budget *budget, struct block *body, const struct spool *spool,
                        const struct parsing *parsing);
void parts_free(struct parts *parts); /* NULL is fine */

/* The next document; the caller's reference. There is always one, and one that is last. TRANSIENT for a body that is cut or
 * broken, DATA for a record over FORMAT_MAX_RECORD_BYTES and for what the format cannot take, CONFIG when the spool cannot be
 * read, and what a plugin says, or is. */
int parts_next(struct parts *parts, struct block **document, bool *is_last, struct err *err) MUST_USE;

uint64_t parts_records(const struct parts *parts); /* in the documents given so far; all of them behind the last */

#endif
