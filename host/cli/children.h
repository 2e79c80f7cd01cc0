/* children: several pipelines at once, each in a `sluice run` of its own, so that one cannot harm another.
 *
 * A child writes its events as JSON lines to a pipe; they become plain lines here (or go on as JSON) and rows of one summary.
 * Children die with their parent. A signal to the parent is passed on as SIGTERM. */
#ifndef SLUICE_CLI_CHILDREN_H
#define SLUICE_CLI_CHILDREN_H

#include "cli/context.h"

/* Runs the pipelines named in `arguments` (all when none is) and returns the exit code: the one all share, else 8. */
int children_run(struct cli_context *cli, const struct arguments *arguments, int64_t every_s);

#endif
