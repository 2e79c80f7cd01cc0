/* token_store: where the tokens of a credential are kept, so that the next run, and every other process with that credential,
 * has them.
 *
 * A server that rotates refresh tokens kills the old one with the answer that brings the new one: losing that answer is losing
 * the connection. So `save` is durable when it returns, and it is called before the new access token is used. The refresh token
 * before the newest is kept, too: where a renewal was lost half way, the server may still take it.
 *
 *     struct token_store *store = token_store_file("/var/lib/sluice/tokens/4f..0c.json", clock, cancel);
 *     rc = store->lock(store, err);
 *     if (rc == 0) rc = store->load(store, &tokens, err);
 *     ... a token call, if what was loaded is not good enough; then store->save(store, &tokens, err) ...
 *     store->unlock(store);
 *     store->free(store);
 *
 * One lock is held by one thread of one process; calls to one store come from one thread at a time. */
#ifndef SLUICE_NET_TOKEN_STORE_H
#define SLUICE_NET_TOKEN_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct cancel;
struct clock;

enum { TOKEN_MAX_BYTES = 32 * 1024 };

/* What is kept of one credential. Empty: there is none. */
struct tokens {
    struct buf access_token;
    int64_t renew_at_us; /* wall clock: from when on a new access token is better; INT64_MAX: when it is refused */
    struct buf refresh_token;
    struct buf previous; /* the refresh token before that */
    struct buf facts;    /* what the answer told of the connection: a JSON object of texts */
};

#define TOKENS_INIT                                                                                                            \
    ((struct tokens){BUF_INIT(TOKEN_MAX_BYTES), INT64_MAX, BUF_INIT(TOKEN_MAX_BYTES), BUF_INIT(TOKEN_MAX_BYTES),               \
                     BUF_INIT(TOKEN_MAX_BYTES)})

void tokens_release(struct tokens *tokens);          /* wipes; may be used again */
void tokens_set(struct buf *token, struct str text); /* wipes the old; at most TOKEN_MAX_BYTES, not from `token` itself */

/* Them as JSON, for what stores them. DATA for tokens that are too large; DATA for text that is not ours. */
int tokens_write(const struct tokens *tokens, struct buf *out, struct err *err) MUST_USE;
int tokens_read(struct str text, struct tokens *tokens, struct err *err) MUST_USE; /* replaces them */

enum { TOKENS_TEXT_MAX = 8 * TOKEN_MAX_BYTES, TOKEN_LOCK_MAX_MS = 10 * 60 * 1000 /* more than a token call with its tries */ };

struct token_store {
    /* Waits for other processes that hold it; TRANSIENT when one does not let go, CANCELLED. */
    int (*lock)(struct token_store *store, struct err *err);
    void (*unlock)(struct token_store *store);
    /* Replaces `tokens` by what is stored; leaves them empty when nothing is. */
    int (*load)(struct token_store *store, struct tokens *tokens, struct err *err);
    /* Makes them durable, all or nothing. */
    int (*save)(struct token_store *store, const struct tokens *tokens, struct err *err);
    void (*free)(struct token_store *store);
};

/* One file for one credential, mode 0600, replaced atomically, with a lock file beside it; its folder is created with mode
 * 0700. `path` is copied. */
struct token_store *token_store_file(const char *path, struct clock *clock, struct cancel *cancel);

/* Keeps them in `tokens`, which outlives it: for a replay, whose tokens are made up. One store at a time. */
struct token_store *token_store_memory(struct tokens *tokens);

#endif
