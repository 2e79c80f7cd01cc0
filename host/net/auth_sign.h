/* auth_sign: a declared HMAC over one request: of `sign` over a token call, and of the auth kind `hmac`. Keeps nothing.
 *
 * A text's holes are filled from the request, the time and the nonce; the message gives the signature; headers and parameters
 * carry it. Parameters without the signature are added first, so that they stand in the query that is signed. */
#ifndef SLUICE_NET_AUTH_SIGN_H
#define SLUICE_NET_AUTH_SIGN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "net/auth.h"
#include "net/http.h"
#include "net/url.h"

enum { SIGN_NONCE_SIZE = 33 };
void sign_make_nonce(char out[SIGN_NONCE_SIZE]); /* hex digits that nobody can guess, terminated */

/* CONFIG when it cannot work: no key, one that is not written as it says, a message that names its own signature. */
int sign_check(const struct auth_sign *sign, struct err *err) MUST_USE;

/* What the request carries then, in `arena`. CONFIG when the URL gets too long, or a header cannot hold its value. */
int sign_request(const struct auth_sign *sign, const struct http_request *request, const struct url *url, int64_t wall_us,
                 struct str nonce, struct arena *arena, struct auth_signature *signature, struct err *err) MUST_USE;

#endif
