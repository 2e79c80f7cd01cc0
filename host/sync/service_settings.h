/* service_settings: the section `service` of sluice.yaml: how `sluice serve` works. */
#ifndef SLUICE_SYNC_SERVICE_SETTINGS_H
#define SLUICE_SYNC_SERVICE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/node.h"
#include "data/problems.h"

/* What somebody may do; each includes those before it. SCOPE_SIGNED: whoever sends webhooks, who has a signature of his own in
 * place of a token, and comes by any name. */
enum scope { SCOPE_SIGNED = -1, SCOPE_NONE, SCOPE_READ, SCOPE_RUN, SCOPE_ADMIN };

/* A token is known by its digest only. */
struct service_token {
    const char *name, *sha256; /* hex, lower case */
    enum scope scope;
};

/* Limits of 0: none. */
struct service_settings {
    const char *listen;
    const char *const *hosts;
    size_t host_count;
    const struct service_token *tokens;
    size_t token_count;
    const char *store;     /* a file or an url; NULL: the file in the state directory */
    const char *token_key; /* of the tokens that are kept there; NULL: they are kept in the state directory */
    const char *statsd_address, *statsd_prefix; /* NULL: nothing is pushed */
    bool statsd_has_tags;
    int max_syncs, max_syncs_per_connector, max_syncs_per_destination;
    int retry_tries;
    int64_t retry_first_ms, retry_longest_ms, history_ms;
};

struct option_table;
extern const struct option_table SERVICE_OPTIONS;

void service_settings_check(const struct node *node, struct problems *problems); /* what the table does not say */
void service_settings_read(const struct node *node, struct arena *arena, struct service_settings *service);

#endif
