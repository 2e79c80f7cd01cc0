/* view: a pipeline and its jobs as people and programs see them: `sluice status`, the API and the page show the same. */
#ifndef SLUICE_SERVICE_VIEW_H
#define SLUICE_SERVICE_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "service/roster.h"
#include "service/store.h"

struct pipeline_view {
    const struct roster_pipeline *entry;
    struct pipeline_record record;
    const struct job *jobs; /* the newest first, as many as were asked for */
    size_t job_count;
    int64_t next_ms; /* 0: none is due by itself */
};

/* Reads what the store knows of it. `jobs`: how many of its newest jobs, at least 1. */
int view_pipeline(struct store *store, const struct roster_pipeline *entry, int64_t now_ms, size_t jobs, struct arena *arena,
                  struct pipeline_view *view, struct err *err) MUST_USE;

const char *view_schedule(const struct pipeline_view *view); /* "every 15m", "when events come" */
/* "paused", "never ran", "retrying", or its newest job's status. */
const char *view_status(const struct pipeline_view *view);

/* {"name": .., "connector": .., "destination": .., "schedule": .., "status": .., "paused": .., "next_at": .., "succeeded_at":
 * .., "job": {..}, "history": [..]}; history only when more than one job was asked for. Times are RFC 3339 in UTC; what is not
 * known is left out. */
void view_write_pipeline(struct json_writer *json, const struct pipeline_view *view);
void view_write_job(struct json_writer *json, const struct job *job);
void view_write_time(struct json_writer *json, const char *name, int64_t at_ms); /* a member, left out for 0 */

#endif
