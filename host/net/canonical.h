/* canonical: parameters as signatures want them: each name and value percent-encoded once (RFC 3986), whatever its sender chose
 * to encode, sorted by name, then by value (RFC 5849 3.4.1.3.2, and AWS Signature Version 4).
 *
 *     struct canonical canonical = CANONICAL_INIT(arena);
 *     canonical_add_query(&canonical, str_from(url->query));
 *     canonical_add(&canonical, STR("oauth_nonce"), nonce);
 *     canonical_write(&canonical, &out);                             // "a=1&b=x%20y&oauth_nonce=4f.."
 *
 * What is added is copied into the arena. */
#ifndef SLUICE_NET_CANONICAL_H
#define SLUICE_NET_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct canonical {
    struct arena *arena;
    const char **pairs;
    size_t count, room;
};

#define CANONICAL_INIT(in_arena) ((struct canonical){.arena = (in_arena)})

void canonical_add(struct canonical *canonical, struct str name, struct str value); /* as they are: not encoded */
/* A query without its "?", or a form: '+' is a space there, empty pairs are none, "a" is "a=". */
void canonical_add_query(struct canonical *canonical, struct str query);
void canonical_write(struct canonical *canonical, struct buf *out); /* sorts */

/* Appends what the text on the wire means, percent-encoded once. */
void canonical_encode(struct str text, bool plus_is_space, struct buf *out);

#endif
