/* report: an event of a sync as the lines people read. Events of this process and of children are the same JSON, so both read
 * alike. */
#ifndef SLUICE_CLI_REPORT_H
#define SLUICE_CLI_REPORT_H

#include <stdbool.h>

#include "os/log.h"

struct cJSON;

/* Logs how a stream ended and what was wrong with its values, or why a sync could not go on; other events log nothing.
 * `pipeline` is whose event it is. When a person `interrupted` the run, nothing is said of what that cancelled: the caller says
 * it once. */
void report_event(struct log *log, const char *pipeline, const struct cJSON *event, bool interrupted);

/* One line for an interrupted run, in place of all its cancelled streams and pipelines. */
void report_interrupted(struct log *log, const char *pipeline);

#endif
