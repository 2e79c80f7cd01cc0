/* blocks: columns that a run does not store, beside those that sluice.yaml blocks: what somebody decided by the service's API.
 */
#ifndef SLUICE_SYNC_BLOCKS_H
#define SLUICE_SYNC_BLOCKS_H

#include "sync/project.h"

/* The pipeline with columns blocked as `columns: { NAME: { enabled: false } }` does it. `json`: {"orders": ["email", ..], ..};
 * streams that the pipeline does not load are passed over. *out is `pipeline` itself for NULL. CONFIG for anything else. */
int blocks_apply(const struct pipeline *pipeline, const char *json, struct arena *arena, const struct pipeline **out,
                 struct err *err) MUST_USE;

#endif
