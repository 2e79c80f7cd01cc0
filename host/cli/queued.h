/* queued: `sluice run --queued`: one pipeline, as a job of the services that share a store. For who has a scheduler of his own
 * (Kubernetes, Airflow, Dagster, cron) and wants what nodes have: one run of a pipeline at a time, shared limits, one history.
 */
#ifndef SLUICE_CLI_QUEUED_H
#define SLUICE_CLI_QUEUED_H

#include "cli/command.h"

/* The exit code of the run, as `sluice run` would have ended with; 143 after SIGTERM. */
int queued_run(const struct arguments *arguments);

#endif
