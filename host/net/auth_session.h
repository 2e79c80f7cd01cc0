/* auth_session: one login call of the kind `session`: sends what was declared, finds the token in the answer's body, in a
 * header or in a cookie. Keeps nothing; the cache is auth.c's.
 *
 * A login that says no is final: asking again with the same password locks accounts. So is an answer without a token, be it
 * HTML or JSON: what it holds is not shown, only which members it has, since one of them may be the token. */
#ifndef SLUICE_NET_AUTH_SESSION_H
#define SLUICE_NET_AUTH_SESSION_H

#include "net/auth.h"
#include "net/auth_token.h"

/* AUTH when the login is refused or answers without a token; else what the sender gives. `secrets` may be NULL; the token is
 * registered there before anything else is done with it. */
int session_fetch(const struct auth_spec *spec, const struct auth_sender *sender, struct clock *clock, struct secrets *secrets,
                  struct token_answer *answer, struct err *err) MUST_USE;

#endif
