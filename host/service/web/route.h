/* route: one row per thing that can be asked, and what the files that answer share. */
#ifndef SLUICE_SERVICE_WEB_ROUTE_H
#define SLUICE_SERVICE_WEB_ROUTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "service/roster.h"
#include "service/store.h"
#include "service/web/api.h"
#include "sync/service_settings.h"

enum { ROUTE_NAMES_MAX = 3, API_DEFERRED = 1 };

struct route;

/* A request on its way to its answer. The handler writes the body through `json`; the status is the route's unless it sets
 * another. */
struct api_call {
    struct api *api;
    const struct api_settings *settings;
    struct web_request *request;
    const struct route *route;
    const char *names[ROUTE_NAMES_MAX]; /* what stands for {..} in the path, in order */
    struct json_writer json;
};

/* A parameter of the query. */
struct route_parameter {
    const char *name, *type, *help; /* type: of JSON Schema */
};

struct route {
    const char *method, *path; /* "/api/v1/jobs/{job}" */
    enum scope scope;
    int status;
    const char *name; /* operationId */
    const char *help;
    const char *body, *answer; /* names of schemas (openapi.c); NULL: none, or not JSON */
    const struct route_parameter *parameters;
    size_t parameter_count;
    size_t body_max;
    /* Fills the answer. A failure becomes problem details by its class. API_DEFERRED: somebody else calls web_answer, or has:
     * the call and its request may be gone. */
    int (*run)(struct api_call *call, struct err *err);
};

extern const struct route ROUTES[];
extern const size_t ROUTE_COUNT;

/* The row for a method and a path, with its names; NULL when there is none, and then *is_known says whether another method
 * would do. */
const struct route *route_find(const char *method, const char *path, struct arena *arena, const char *names[ROUTE_NAMES_MAX],
                               bool *is_known);

/* Answers 404. Gives 0, so that handlers may return it. */
int api_missing(struct api_call *call, const char *what, const char *name);
/* The body as a JSON object, which lives as long as the request; an empty body is an empty one. `keys` ends with NULL: others
 * are refused. CONFIG. */
int api_body(struct api_call *call, const char *const *keys, struct cJSON **out, struct err *err) MUST_USE;
/* A parameter that is a number from `min` to `max`. CONFIG. */
int api_number(struct api_call *call, const char *name, int64_t fallback, int64_t min, int64_t max, int64_t *out,
               struct err *err) MUST_USE;

/* --- the handlers, by file ----------------------------------------------------------------------------------------------- */

int answer_health(struct api_call *call, struct err *err); /* api.c */
int answer_ready(struct api_call *call, struct err *err);
int answer_openapi(struct api_call *call, struct err *err);   /* openapi.c */
int answer_pipelines(struct api_call *call, struct err *err); /* api_pipelines.c */
int answer_pipeline(struct api_call *call, struct err *err);
int answer_start(struct api_call *call, struct err *err);
int answer_pause(struct api_call *call, struct err *err);
int answer_resume(struct api_call *call, struct err *err);
int answer_jobs(struct api_call *call, struct err *err); /* api_jobs.c */
int answer_job(struct api_call *call, struct err *err);
int answer_alerts(struct api_call *call, struct err *err);
int answer_blocks(struct api_call *call, struct err *err); /* api_blocks.c */
int answer_set_block(struct api_call *call, struct err *err);
int answer_validate(struct api_call *call, struct err *err); /* api_validate.c */
int answer_cancel(struct api_call *call, struct err *err);
int answer_progress(struct api_call *call, struct err *err);
int answer_events(struct api_call *call, struct err *err);
int answer_watch(struct api_call *call, struct err *err);
int answer_webhook(struct api_call *call, struct err *err); /* api_hooks.c */
int answer_greeting(struct api_call *call, struct err *err);
int answer_state(struct api_call *call, struct err *err); /* api_relay.c */
int answer_set_state(struct api_call *call, struct err *err);
int answer_rewind(struct api_call *call, struct err *err);
int answer_reset(struct api_call *call, struct err *err);
int answer_streams(struct api_call *call, struct err *err);
int answer_plan(struct api_call *call, struct err *err);
int answer_rejects(struct api_call *call, struct err *err);
int answer_schema_changes(struct api_call *call, struct err *err);
int answer_connectors(struct api_call *call, struct err *err);
int answer_connector(struct api_call *call, struct err *err);
int answer_connector_docs(struct api_call *call, struct err *err);
int answer_check(struct api_call *call, struct err *err);
int answer_metrics(struct api_call *call, struct err *err); /* metrics.c */
int answer_page(struct api_call *call, struct err *err);    /* page.c */

#endif
