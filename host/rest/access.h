/* access: what a connector's requests may reach and with what credentials: from a description and a configuration to the
 * client's options, its limiter and its credentials.
 *
 *     access_check(node_get(http, "auth"), &table, arena, problems);                     // when a description is loaded
 *     rc = access_client(description, config, &overrides, now_us, arena, &options, err); // hosts, limits, limiter
 *     rc = access_auth(description, config, now_us, arena, &spec, err);                  // then auth_new(&spec, ...)
 *     rc = access_own(description, config, now_us, &own, err);                           // request_source.own
 *
 * The connector's own hosts are those of http.base, http.hosts and the token URL; secrets go only there. A pipeline may allow
 * further ones, which get none. */
#ifndef SLUICE_REST_ACCESS_H
#define SLUICE_REST_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/auth.h"
#include "net/client.h"
#include "net/guard.h"
#include "rest/config.h"
#include "rest/description.h"

/* Checks an `auth` map: its kind, its keys, its templates. */
void access_check(const struct node *auth, const struct config_table *table, struct arena *arena, struct problems *problems);

/* What a pipeline says about access. */
struct access_overrides {
    const char *const *allow_hosts; /* beyond the connector's own; they get no secrets */
    size_t allow_host_count;
    bool allow_private;
    const struct node *rate_limit; /* as http.rate_limit; NULL: the connector's */
    const char *limit_folder;      /* the state directory, where limits are shared with other syncs; NULL: they are not */
};

/* Fills hosts, allow_private, allow_http, limits, retry, user_agent and limiter, or the limiters of a pool (which options then
 * own; none is left NULL: the source's own limits are always listened to). The rest is the caller's, options->clock and
 * options->log are set before. Texts live in `arena`. CONFIG when http.base is no URL, a host is no host, the override is
 * wrong, or what stands in the place of the shared limits is not ours; where they only cannot be shared, that is a warning. */
int access_client(const struct description *description, const struct config *config, const struct access_overrides *overrides,
                  int64_t now_us, struct arena *arena, struct client_options *options, struct err *err) MUST_USE;

/* Frees the limiters again, for whoever fails before a client takes them over. */
void access_release_limiters(struct client_options *options);

/* The same for a client that logs in and does nothing else: it reaches the hosts of the login's calls only, and has no limiter.
 */
int access_login_client(const struct description *description, const struct auth_spec *spec,
                        const struct access_overrides *overrides, struct arena *arena, struct client_options *options,
                        struct err *err) MUST_USE;

/* How often requests are tried: `http.retry` over the defaults. */
struct retry_policy access_retry(const struct description *description);

/* Fills the spec of the description's auth (AUTH_NONE without one). It points into `arena`. CONFIG when a value is missing. */
int access_auth(const struct description *description, const struct config *config, int64_t now_us, struct arena *arena,
                struct auth_spec *spec, struct err *err) MUST_USE;

/* A guard that admits the connector's own hosts and nothing else, whatever their addresses: where secrets may go. To be freed.
 */
int access_own(const struct description *description, const struct config *config, int64_t now_us, struct guard **own,
               struct err *err) MUST_USE;

#endif
