/* token_store: where a refresh token that the server replaces is kept, so that the next run has the new one.
 *
 * A server that rotates refresh tokens kills the old one with the answer that brings the new one: losing that answer is losing
 * the connection. So `save` is durable when it returns, and it is called before the new access token is used.
 *
 *     struct token_store *store = token_store_file("/var/lib/sluice/tokens/shop.json");
 *     rc = store->load(store, seed, &token, err);
 *     store->free(store);
 *
 * `seed` is the token the user configured. A stored token counts only while the configured one is the one it grew from: who
 * logs in again and writes the new token into the configuration must not meet the old, dead one.
 * One process per store at a time; calls come from one thread at a time. */
#ifndef SLUICE_NET_TOKEN_STORE_H
#define SLUICE_NET_TOKEN_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct token_store {
    /* Appends the stored token to `token`; nothing when there is none for this seed. */
    int (*load)(struct token_store *store, struct str seed, struct buf *token, struct err *err);
    /* Makes `token` durable as the newest that grew from `seed`. */
    int (*save)(struct token_store *store, struct str seed, struct str token, struct err *err);
    void (*free)(struct token_store *store);
};

enum { TOKEN_MAX_BYTES = 32 * 1024 };

/* One file for one pipeline, mode 0600, replaced atomically; its folder is created with mode 0700. `path` is copied. */
struct token_store *token_store_file(const char *path);

#endif
