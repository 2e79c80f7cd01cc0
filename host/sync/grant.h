/* grant: what a native plugin's sessions may do, by what the pipeline's configuration names: hosts (`connect`) and files
 * (`files`). Paths are made absolute here, also in the values that the plugin gets: it runs in a folder of its own. */
#ifndef SLUICE_SYNC_GRANT_H
#define SLUICE_SYNC_GRANT_H

#include <stdbool.h>

#include "base/arena.h"
#include "connector/connector.h"
#include "rest/config.h"

/* `folder`: that relative paths start from. Everything lives in the arena. */
const struct connector_grant *grant_make(const char *profile, const struct config *config, const char *folder,
                                         bool allow_private, struct arena *arena);

/* The ports that a value names: of a URL, of `host:port`, of several between commas, of `key=value` words with `port`;
 * `fallback` for hosts that name none. Returns how many, at most `room`. */
size_t grant_ports(struct str value, uint16_t fallback, uint16_t *ports, size_t room);

#endif
