/* live: the lines a person sees while a sync runs in this process. On a terminal one line per running stream, redrawn; elsewhere a
 * plain line per stream now and then. A thread of its own reads the counters; nothing waits for it. */
#ifndef SLUICE_CLI_LIVE_H
#define SLUICE_CLI_LIVE_H

#include "base/err.h"
#include "os/log.h"
#include "sync/progress.h"

struct live;

/* `log`'s lines are kept apart from the redrawn ones. */
int live_start(const struct progress *progress, struct log *log, struct live **out, struct err *err) MUST_USE;
void live_stop(struct live *live); /* takes the redrawn lines away; NULL is fine */

#endif
