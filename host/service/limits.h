/* limits: how many syncs may run at once: on this node, of one connector, into one destination. Asked while jobs are claimed
 * (store.h, claim_policy), in the order in which they wait; what a limit holds back does not hold back what is behind it. */
#ifndef SLUICE_SERVICE_LIMITS_H
#define SLUICE_SERVICE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "service/roster.h"

struct limits_in_use;

/* `only`: the one pipeline that this node takes; NULL: any. `on_this_node`: how many run here. Lives as long as the arena. */
struct limits_in_use *limits_begin(struct roster *roster, const char *only, size_t on_this_node, struct arena *arena);
void limits_note(struct limits_in_use *limits, const char *pipeline);  /* one runs, somewhere */
bool limits_allow(struct limits_in_use *limits, const char *pipeline); /* may one more? counts it then. A pipeline that is not
                                                          in sluice.yaml any more may not */

#endif
