/* excerpt: what of an answer's body may stand in a message: its beginning, on one line, printable, without secrets. */
#ifndef SLUICE_NET_EXCERPT_H
#define SLUICE_NET_EXCERPT_H

#include "base/buf.h"
#include "base/str.h"

struct secrets;

enum { EXCERPT_MAX_BYTES = 200 };

/* Appends at most EXCERPT_MAX_BYTES of `body` (and "..." when there is more): runs of white space and control characters become
 * a space, bytes that are not UTF-8 a question mark, secrets "***". `secrets` may be NULL. */
void excerpt_append(struct str body, const struct secrets *secrets, struct buf *out);

#endif
