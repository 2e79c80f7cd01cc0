/* source: what a pipeline's source is asked beside being read, of native plugins. */
#ifndef SLUICE_SYNC_SOURCE_H
#define SLUICE_SYNC_SOURCE_H

#include "rest/native.h"
#include "sync/sync.h"

struct client;
struct flow_plan;

/* Asks the plugin, in a worker of its own. `flow`: whose tables a setup or a teardown is for; NULL: of a check. Errors: what
 * the plugin says; CONFIG when it has nothing to set up. */
int source_ask(const struct sync_prepared *prepared, struct client *client, enum native_question question,
               const struct flow_plan *flow, struct err *err) MUST_USE;

#endif
