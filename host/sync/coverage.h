/* coverage: which of a flow's streams its state is for.
 *
 * A flow's cursor says how far its records were read, for the streams that were loaded then. So the state says which they were:
 * a stream that was exploded has an entry `loaded` = "yes"; a root has one, "no", when it was read and not loaded. A stream
 * that the state is not for has missed what was read so far; its flow must begin anew. */
#ifndef SLUICE_SYNC_COVERAGE_H
#define SLUICE_SYNC_COVERAGE_H

#include <stdbool.h>

#include "data/state.h"
#include "sync/assembly.h"
#include "sync/plan.h"

#define COVERAGE_KIND "loaded"

/* The value of a stream's entry when it is loaded, or is not; NULL: it has none. */
const char *coverage_mark(const struct stream_description *stream, bool is_loaded);

bool coverage_has(const struct state *state, const struct stream_description *stream);

/* A stream of the plan that the flow's state is not for; NULL when there is none, or no state. */
const struct stream_description *coverage_missing(const struct state *state, const struct flow_plan *plan);

/* Adds to the next load what the plan changes about it. */
void coverage_note(const struct state *state, const struct flow_plan *plan, struct assembly *assembly);

#endif
