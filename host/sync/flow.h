/* flow: one stream's way from source to target: its slices, its loads, its writer. The unit of commit.
 *
 * Runs in a thread of its own, which is the flow's writer thread. It opens the writer, reads the state, makes or continues the
 * plan of slices, keeps up to `slots` of them running, and commits a load when enough waits, when it waited long enough, or
 * when the sync's memory is short. A failing or stopped source still gets what is covered committed; then the flow ends. */
#ifndef SLUICE_SYNC_FLOW_H
#define SLUICE_SYNC_FLOW_H

#include "base/err.h"
#include "sync/context.h"
#include "sync/plan.h"

/* Runs the flow to its end. One slot of sync->slots was taken for it and is given back. The outcome is in `progress` (status,
 * err, totals). */
void flow_run(const struct sync_context *sync, struct flow_plan *plan, struct stream_progress *progress);

#endif
