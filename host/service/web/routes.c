/* routes: everything that can be asked. See route.h. */
#include <string.h>

#include "base/check.h"
#include "hook/settings.h"
#include "service/web/route.h"

enum { BODY_MAX = 64 * 1024, CONFIG_MAX = 1024 * 1024 };

#define PARAMETERS(array) (array), ARRAY_SIZE(array)
#define NO_PARAMETERS NULL, 0

static const struct route_parameter HISTORY[] = {
    {"history", "integer", "how many of its newest jobs are listed with it, 1 to 100; default 1: only `job`"},
};
static const struct route_parameter JOB_FILTERS[] = {
    {"pipeline", "string", "only of this pipeline"},
    {"status", "string", "queued, running, succeeded, failed or cancelled"},
    {"before", "integer", "only jobs older than this id: `next` of the page before"},
    {"limit", "integer", "how many at most, 1 to 1000; default 100"},
};
static const struct route_parameter EVENT_FILTERS[] = {
    {"after", "integer", "only events after this number"},
    {"limit", "integer", "how many at most, 1 to 1000; default 1000"},
};

static const struct route_parameter REJECT_FILTERS[] = {
    {"stream", "string", "only of this stream"},
    {"limit", "integer", "how many at most, 1 to 100; default 20"},
};
static const struct route_parameter CHANGE_FILTERS[] = {
    {"stream", "string", "only of this stream"},
    {"limit", "integer", "how many at most, 1 to 10000; default 100"},
};

static const struct route_parameter GREETING[] = {
    {"hub.mode", "string", "subscribe"},
    {"hub.verify_token", "string", "webhook.verify_token of the pipeline"},
    {"hub.challenge", "string", "what is answered"},
};

const struct route ROUTES[] = {
    {"GET", "/healthz", SCOPE_NONE, 200, "health", "is the process alive?", NULL, "Health", NO_PARAMETERS, 0, answer_health},
    {"GET", "/readyz", SCOPE_NONE, 200, "ready", "does it take work: is its store there, and is it not stopping? 503 if not",
     NULL, "Health", NO_PARAMETERS, 0, answer_ready},
    {"GET", "/metrics", SCOPE_READ, 200, "metrics", "measures in Prometheus' text format", NULL, NULL, NO_PARAMETERS, 0,
     answer_metrics},
    {"GET", "/api/v1/openapi.json", SCOPE_NONE, 200, "openapi", "this document", NULL, NULL, NO_PARAMETERS, 0, answer_openapi},
    {"GET", "/api/v1/pipelines", SCOPE_READ, 200, "listPipelines", "every pipeline of sluice.yaml, and how it goes", NULL,
     "Pipelines", PARAMETERS(HISTORY), 0, answer_pipelines},
    {"GET", "/api/v1/pipelines/{pipeline}", SCOPE_READ, 200, "getPipeline", "one of them", NULL, "Pipeline",
     PARAMETERS(HISTORY), 0, answer_pipeline},
    {"POST", "/api/v1/pipelines/{pipeline}/jobs", SCOPE_RUN, 202, "startJob",
     "asks for a sync; when one waits or runs already (or the Idempotency-Key is known), 200 with that one", "JobRequest",
     "Job", NO_PARAMETERS, BODY_MAX, answer_start},
    {"POST", "/api/v1/pipelines/{pipeline}/pause", SCOPE_RUN, 200, "pausePipeline",
     "its schedule starts nothing any more; what runs goes on, and a sync may still be asked for", NULL, "Pipeline",
     NO_PARAMETERS, BODY_MAX, answer_pause},
    {"POST", "/api/v1/pipelines/{pipeline}/resume", SCOPE_RUN, 200, "resumePipeline", "its schedule counts again", NULL,
     "Pipeline", NO_PARAMETERS, BODY_MAX, answer_resume},
    {"GET", "/api/v1/pipelines/{pipeline}/streams", SCOPE_READ, 200, "listStreams",
     "its streams with fields, keys, cursors and modes, as `sluice discover` lists them", NULL, NULL, NO_PARAMETERS, 0,
     answer_streams},
    {"GET", "/api/v1/pipelines/{pipeline}/blocks", SCOPE_READ, 200, "listBlocks",
     "columns that syncs do not store: by sluice.yaml (`config`) and by this API (`api`)", NULL, "Blocks", NO_PARAMETERS, 0,
     answer_blocks},
    {"PUT", "/api/v1/pipelines/{pipeline}/streams/{stream}/columns/{column}", SCOPE_ADMIN, 200, "setBlock",
     "blocks a column from the next sync on, or lets it through again; rows that are there keep what they have. 409 for one "
     "that "
     "sluice.yaml blocks. A sync whose key or cursor is blocked fails",
     "Block", "Blocks", NO_PARAMETERS, BODY_MAX, answer_set_block},
    {"GET", "/api/v1/pipelines/{pipeline}/plan", SCOPE_READ, 200, "planPipeline",
     "what the next sync would read, write and change, as `sluice plan` tells it", NULL, NULL, NO_PARAMETERS, 0, answer_plan},
    {"GET", "/api/v1/pipelines/{pipeline}/rejects", SCOPE_RUN, 200, "listRejects",
     "what could not be taken of its records, the newest first, each as it was: data of the source, so not for the scope read",
     NULL, "Rejects", PARAMETERS(REJECT_FILTERS), 0, answer_rejects},
    {"GET", "/api/v1/pipelines/{pipeline}/schema-changes", SCOPE_READ, 200, "listSchemaChanges",
     "tables and columns that its syncs have made, the newest first; of PostgreSQL destinations", NULL, "SchemaChanges",
     PARAMETERS(CHANGE_FILTERS), 0, answer_schema_changes},
    {"GET", "/api/v1/pipelines/{pipeline}/state", SCOPE_READ, 200, "showState", "what it remembers at its destination", NULL,
     "State", NO_PARAMETERS, 0, answer_state},
    {"PUT", "/api/v1/pipelines/{pipeline}/state", SCOPE_ADMIN, 200, "setState", "moves a stream's cursor", "Cursor", "State",
     NO_PARAMETERS, BODY_MAX, answer_set_state},
    {"POST", "/api/v1/pipelines/{pipeline}/state/rewind", SCOPE_ADMIN, 200, "rewindState",
     "moves a stream's cursor backwards; one that is not that far stays", "Cursor", "State", NO_PARAMETERS, BODY_MAX,
     answer_rewind},
    {"POST", "/api/v1/pipelines/{pipeline}/state/reset", SCOPE_ADMIN, 200, "resetState",
     "lets a stream start from the beginning", "StreamName", "State", NO_PARAMETERS, BODY_MAX, answer_reset},
    {"POST", "/api/v1/pipelines/{pipeline}/check", SCOPE_RUN, 200, "checkPipeline",
     "tests configuration, source and destination; the problem says what is wrong", NULL, "Health", NO_PARAMETERS, BODY_MAX,
     answer_check},
    {"GET", "/api/v1/jobs", SCOPE_READ, 200, "listJobs", "the newest first", NULL, "Jobs", PARAMETERS(JOB_FILTERS), 0,
     answer_jobs},
    {"GET", "/api/v1/jobs/watch", SCOPE_READ, 200, "watchJobs",
     "server-sent events: `job` with a Job whenever one began, ended or got further", NULL, NULL, NO_PARAMETERS, 0,
     answer_watch},
    {"GET", "/api/v1/jobs/{job}", SCOPE_READ, 200, "getJob", "one of them", NULL, "Job", NO_PARAMETERS, 0, answer_job},
    {"POST", "/api/v1/jobs/{job}/cancel", SCOPE_RUN, 202, "cancelJob",
     "ends it at its next checkpoint; committed rows stay. 409 when it has ended", NULL, "Job", NO_PARAMETERS, BODY_MAX,
     answer_cancel},
    {"GET", "/api/v1/jobs/{job}/progress", SCOPE_READ, 200, "getJobProgress",
     "how far its streams are: rows, rows per second, bytes, and what is waited for; empty once it has ended", NULL, "Progress",
     NO_PARAMETERS, 0, answer_progress},
    {"GET", "/api/v1/jobs/{job}/events", SCOPE_READ, 200, "listJobEvents",
     "what it told; with `Accept: text/event-stream` as server-sent events `told` and `progress`, and `end` with the Job", NULL,
     "Events", PARAMETERS(EVENT_FILTERS), 0, answer_events},
    {"GET", "/api/v1/alerts", SCOPE_READ, 200, "listAlerts", "what is not as it should be, by the pipelines' `monitors`", NULL,
     "Alerts", NO_PARAMETERS, 0, answer_alerts},
    {"POST", "/api/v1/validate", SCOPE_READ, 200, "validate",
     "the mistakes of a sluice.yaml: all that the text alone shows. Nothing else is read, neither connectors nor what ${..} "
     "stands for",
     "ConfigText", "Validation", NO_PARAMETERS, CONFIG_MAX, answer_validate},
    {"GET", "/api/v1/connectors", SCOPE_READ, 200, "listConnectors", "those that are installed", NULL, "Connectors",
     NO_PARAMETERS, 0, answer_connectors},
    {"GET", "/api/v1/connectors/{connector}", SCOPE_READ, 200, "getConnector", "the JSON Schema of its configuration", NULL,
     NULL, NO_PARAMETERS, 0, answer_connector},
    {"GET", "/api/v1/connectors/{connector}/docs", SCOPE_READ, 200, "getConnectorDocs",
     "what its users should know, as Markdown", NULL, NULL, NO_PARAMETERS, 0, answer_connector_docs},
    {"GET", "/webhooks/{pipeline}/{stream}", SCOPE_SIGNED, 200, "greetWebhook",
     "a sender's question before it sends (hub.challenge)", NULL, NULL, PARAMETERS(GREETING), 0, answer_greeting},
    {"POST", "/webhooks/{pipeline}/{stream}", SCOPE_SIGNED, 200, "receiveWebhook",
     "an event, or a list of them, signed as `webhook.scheme` says; answered when it is on the disk. 401 for a wrong "
     "signature, 400 "
     "for what cannot be read or lacks something, 503 while too much waits to be loaded",
     "Webhook", "Health", NO_PARAMETERS, HOOK_BODY_MAX, answer_webhook},
    {"GET", "/", SCOPE_NONE, 200, NULL, NULL, NULL, NULL, NO_PARAMETERS, 0, answer_page},
    {"GET", "/ui/{file}", SCOPE_NONE, 200, NULL, NULL, NULL, NULL, NO_PARAMETERS, 0, answer_page},
};
const size_t ROUTE_COUNT = ARRAY_SIZE(ROUTES);

/* "/jobs/{job}/events" against "/jobs/12/events", and not against "/jobs/12/events/". */
static bool matches(const char *pattern, const char *path, struct arena *arena, const char *names[ROUTE_NAMES_MAX])
{
    struct str want_rest = str_from(pattern), have_rest = str_from(path), want, have;
    size_t count = 0;
    while (str_next(&want_rest, '/', &want)) {
        if (!str_next(&have_rest, '/', &have)) return false;
        if (want.size && want.data[0] == '{') {
            if (have.size == 0) return false;
            CHECK(count < ROUTE_NAMES_MAX);
            names[count++] = arena_text(arena, have);
        } else if (!str_equal(want, have)) {
            return false;
        }
    }
    return !str_next(&have_rest, '/', &have) && str_ends(str_from(pattern), STR("/")) == str_ends(str_from(path), STR("/"));
}

const struct route *route_find(const char *method, const char *path, struct arena *arena, const char *names[ROUTE_NAMES_MAX],
                               bool *is_known)
{
    const char *as = strcmp(method, "HEAD") == 0 ? "GET" : method;
    *is_known = false;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!matches(ROUTES[i].path, path, arena, names)) continue;
        if (strcmp(ROUTES[i].method, as) == 0) return &ROUTES[i];
        *is_known = true;
    }
    return NULL;
}
