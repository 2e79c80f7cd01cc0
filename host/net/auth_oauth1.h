/* auth_oauth1: OAuth 1.0a (RFC 5849) over one request, in its Authorization header. Keeps nothing.
 *
 * Signed are method, scheme, host, port, path, all parameters of the query, and the body where it is a form; any other body is
 * not. */
#ifndef SLUICE_NET_AUTH_OAUTH1_H
#define SLUICE_NET_AUTH_OAUTH1_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/auth.h"
#include "net/canonical.h"
#include "net/http.h"
#include "net/url.h"

/* `nonce`: a text that no other request of this second has. */
struct http_header oauth1_header(const struct auth_oauth1 *spec, const struct http_request *request, const struct url *url,
                                 int64_t wall_us, struct str nonce, struct arena *arena);

/* Its two steps, for those that check them: what is signed (RFC 5849 3.4.1), `parameters` being the protocol's own, to which
 * those of the request are added; and the signature (3.4.2, 3.4.4), not encoded. */
struct str oauth1_base_string(const struct http_request *request, const struct url *url, struct canonical *parameters);
struct str oauth1_signature(const struct auth_oauth1 *spec, struct str base_string, struct arena *arena);

#endif
