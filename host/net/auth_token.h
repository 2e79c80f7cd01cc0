/* auth_token: one token call: of OAuth 2.0 (RFC 6749 4.3, 4.4 and 6, RFC 7523), or one that exchanges a JWT: builds the
 * request, signs it if wanted, reads the answer. Keeps nothing; the cache is auth.c's. */
#ifndef SLUICE_NET_AUTH_TOKEN_H
#define SLUICE_NET_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/auth.h"
#include "net/token_store.h"

struct cJSON;

struct token_answer {
    struct buf access_token;
    struct buf refresh_token;   /* empty: the answer has none */
    struct buf facts;           /* what was captured, as a JSON object; empty: nothing was to be */
    int64_t lifetime_ms;        /* -1: not said */
    bool is_invalid_grant;      /* refused because what was shown (the refresh token, say) has ended */
    char error[AUTH_ERROR_MAX]; /* the server's word for a refusal; empty: none */
};

#define TOKEN_ANSWER_INIT                                                                                                      \
    ((struct token_answer){BUF_INIT(TOKEN_MAX_BYTES), BUF_INIT(TOKEN_MAX_BYTES), BUF_INIT(TOKEN_MAX_BYTES), -1, false, ""})

void token_answer_release(struct token_answer *answer); /* wipes */

/* AUTH when the server refuses (the same call would be refused again), TRANSIENT when it says that it cannot answer now, or
 * answers with what is no JSON; else what the sender gives. `secrets` may be NULL; what
 * was received is registered there before anything else is done with it. */
int token_fetch(const struct auth_spec *spec, struct str refresh_token, const struct auth_sender *sender, struct clock *clock,
                struct secrets *secrets, struct token_answer *answer, struct err *err) MUST_USE;

/* The call that begins a login by another device (RFC 8628 3.1): its answer, to be freed. Errors as above. */
int token_ask_device(const struct auth_spec *spec, const struct auth_sender *sender, struct clock *clock,
                     struct secrets *secrets, struct cJSON **json, struct err *err) MUST_USE;

/* What an answer says of the token's life, from now (expires_in, expires_at, expires_on); -1: nothing. */
int64_t token_lifetime_ms(const struct cJSON *json, int64_t now_us);
/* Appends what is to be captured of it as a JSON object, if anything is. */
void token_read_facts(const struct auth_spec *spec, const struct cJSON *json, struct buf *out);

#endif
