/* access_parts: what the two halves of access share: access.c makes clients, access_auth.c reads `auth`. */
#ifndef SLUICE_REST_ACCESS_PARTS_H
#define SLUICE_REST_ACCESS_PARTS_H

#include "net/url.h"
#include "rest/access.h"

/* http.base for one configuration; the parts live in `arena`. */
int access_base(const struct description *description, const struct config *config, int64_t now_us, struct arena *arena,
                struct url *base, struct err *err) MUST_USE;
/* Where a token is fetched; NULL: nowhere. */
const char **access_token_url(struct auth_spec *spec);
const char *access_token_key(const struct auth_spec *spec); /* where that is said: "http.auth.token_url" */

#endif
