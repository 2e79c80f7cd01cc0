/* runs: what the last runs of a pipeline told, kept in the state directory for `sluice explain`: the events of each, a line of
 * JSON each, in a file runs/PIPELINE/INSTANT.ndjson. The newest RUNS_KEPT stay. Nothing of it is needed for a sync. */
#ifndef SLUICE_CLI_RUNS_H
#define SLUICE_CLI_RUNS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { RUNS_KEPT = 20, RUN_MAX_BYTES = 1024 * 1024 };

/* Keeps the events of a run that ended. `state_folder`: as given on the command line; NULL: the default. */
int runs_keep(const char *state_folder, const char *pipeline, const struct buf *events, struct err *err) MUST_USE;

/* Names of the runs that are kept, the newest first. */
int runs_list(const char *state_folder, const char *pipeline, struct arena *arena, const char *const **names, size_t *count,
              struct err *err) MUST_USE;
/* The events of one. CONFIG when there is none of that name. */
int runs_read(const char *state_folder, const char *pipeline, const char *name, struct buf *events, struct err *err) MUST_USE;

#endif
