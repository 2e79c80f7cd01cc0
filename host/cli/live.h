/* live: what a person sees while a sync runs. On a terminal one line per running stream, redrawn: rows, rows a second, bytes;
 * below the streams of a pipeline what it waits for and until when, and what its rate limit has left. Elsewhere plain lines, or
 * `progress` events, now and then.
 *
 * Two sources: the counters of a sync in this process, read by a thread of its own that nothing waits for, and the `progress`
 * events that children write, handed over by live_take. Either may be absent.
 *
 *     struct live_options options = {.progress = event->progress, .log = log, .format = LOG_TEXT, .every_s = 10};
 *     rc = live_start(&options, &live, err);
 *     ...
 *     live_stop(live); */
#ifndef SLUICE_CLI_LIVE_H
#define SLUICE_CLI_LIVE_H

#include <stdint.h>

#include "base/err.h"
#include "os/log.h"
#include "sync/progress.h"

struct cJSON;
struct live;

enum { LIVE_EVERY_S = 10, LIVE_EVERY_MAX_S = 3600 };

struct live_options {
    const struct progress *progress; /* NULL: only what children tell; outlives the display */
    struct log *log;                 /* its lines are kept apart from the redrawn ones */
    enum log_format format;          /* JSON: `progress` events, and nothing is drawn */
    int64_t every_s;                 /* seconds between plain lines or events */
};

int live_start(const struct live_options *options, struct live **out, struct err *err) MUST_USE;
void live_stop(struct live *live); /* takes the redrawn lines away; NULL is fine */

/* A child's event: `progress` shows its stream, `stream_ended` takes it away; others are ignored. */
void live_take(struct live *live, const struct cJSON *event);
/* A pipeline's process is gone: so are its streams. */
void live_forget(struct live *live, const char *pipeline);

#endif
