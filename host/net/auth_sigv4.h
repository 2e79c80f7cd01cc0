/* auth_sigv4: AWS Signature Version 4 of one request, in headers. Keeps nothing.
 *
 * Signed are the host, the time, `Content-Type`, `Date`, `Range` and all `X-Amz-*` headers, the query, and the digest of the
 * body. The path is taken as S3 wants it for the service "s3" (each byte encoded once, no dots resolved), for all others with
 * dot segments and empty segments resolved and what is on the wire encoded again. */
#ifndef SLUICE_NET_AUTH_SIGV4_H
#define SLUICE_NET_AUTH_SIGV4_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/auth.h"
#include "net/http.h"
#include "net/url.h"

/* The headers that the request needs beside its own, in `arena`; they replace its own of the same names. Returns how many. */
size_t sigv4_headers(const struct auth_sigv4 *spec, const struct http_request *request, const struct url *url, int64_t wall_us,
                     struct arena *arena, struct http_header headers[AUTH_SIGNING_HEADERS_MAX]);

#endif
