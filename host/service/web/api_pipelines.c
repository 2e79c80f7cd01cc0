/* api_pipelines: pipelines, and asking for their syncs. See route.h. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "os/clock.h"
#include "service/view.h"
#include "service/web/route.h"

enum { HISTORY_MAX = 100, STREAMS_TEXT_MAX = 64 * 1024 };

static int read_history(struct api_call *call, size_t *jobs, struct err *err)
{
    int64_t count;
    int rc = api_number(call, "history", 1, 1, HISTORY_MAX, &count, err);
    *jobs = (size_t)count;
    return rc;
}

/* *found: it is in sluice.yaml. */
static int write_pipeline(struct api_call *call, const char *name, int64_t now_ms, size_t jobs, bool *found, struct err *err)
{
    struct pipeline_view view;
    roster_hold(call->settings->roster);
    const struct roster_pipeline *entry = roster_find(call->settings->roster, name);
    int rc = entry ? view_pipeline(call->settings->store, entry, now_ms, jobs, &call->request->arena, &view, err) : 0;
    if (rc == 0 && entry) view_write_pipeline(&call->json, &view);
    roster_let_go(call->settings->roster);
    *found = entry != NULL;
    return rc;
}

int answer_pipelines(struct api_call *call, struct err *err)
{
    size_t jobs, count;
    int64_t now_ms;
    bool found;
    int rc = read_history(call, &jobs, err);
    if (rc == 0) rc = store_now(call->settings->store, &now_ms, err);
    if (rc) return rc;
    json_open(&call->json, '{');
    view_write_time(&call->json, "now", now_ms);
    json_member(&call->json, "node"), json_cstr(&call->json, call->settings->node);
    json_member(&call->json, "pipelines"), json_open(&call->json, '[');
    const char **names = roster_names(call->settings->roster, &call->request->arena, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) rc = write_pipeline(call, names[i], now_ms, jobs, &found, err);
    json_close(&call->json, ']');
    json_close(&call->json, '}');
    return rc;
}

int answer_pipeline(struct api_call *call, struct err *err)
{
    size_t jobs;
    int64_t now_ms;
    bool found = true;
    int rc = read_history(call, &jobs, err);
    if (rc == 0) rc = store_now(call->settings->store, &now_ms, err);
    if (rc == 0) rc = write_pipeline(call, call->names[0], now_ms, jobs, &found, err);
    return rc || found ? rc : api_missing(call, "pipeline", call->names[0]);
}

static bool has_pipeline(struct api_call *call)
{
    roster_hold(call->settings->roster);
    bool has = roster_find(call->settings->roster, call->names[0]) != NULL;
    roster_let_go(call->settings->roster);
    return has;
}

/* `streams` as the store keeps it; NULL when all are meant. */
static int read_streams(struct api_call *call, const struct cJSON *body, const char **out, struct err *err)
{
    const struct cJSON *streams = json_get(body, "streams");
    struct buf text = BUF_INIT(STREAMS_TEXT_MAX);
    *out = NULL;
    if (!streams) return 0;
    bool is_list = json_is_array(streams) && json_first(streams);
    for (const struct cJSON *item = json_first(streams); item; item = json_next(item)) is_list = is_list && json_string(item);
    if (!is_list) return err_set(err, ERR_CONFIG, "streams must be a list of names");
    json_print(streams, &text);
    *out = arena_text(&call->request->arena, buf_str(&text));
    buf_release(&text);
    return 0;
}

static int read_job(struct api_call *call, struct job_request *request, struct err *err)
{
    static const char *const KEYS[] = {"streams", "full_refresh", NULL};
    struct cJSON *body;
    int rc = api_body(call, KEYS, &body, err);
    if (rc == 0) rc = read_streams(call, body, &request->streams, err);
    if (rc) return rc;
    const struct cJSON *full = json_get(body, "full_refresh");
    if (full && !json_boolean(full, &request->is_full_refresh))
        return err_set(err, ERR_CONFIG, "full_refresh must be true or false");
    const char *key = web_header(call->request, "Idempotency-Key");
    if (key && (strlen(key) == 0 || strlen(key) > 200 || utf8_valid_prefix(str_from(key)) != strlen(key)))
        return err_set(err, ERR_CONFIG, "an Idempotency-Key has 1 to 200 characters of UTF-8");
    if (key) request->idempotency_key = arena_printf(&call->request->arena, "%s %s", call->names[0], key);
    return 0;
}

int answer_start(struct api_call *call, struct err *err)
{
    struct job_request request = {.pipeline = call->names[0], .trigger = "request"};
    struct job *job = NULL;
    int64_t id;
    bool is_new;
    if (!has_pipeline(call)) return api_missing(call, "pipeline", call->names[0]);
    int rc = read_job(call, &request, err);
    if (rc == 0) rc = store_request(call->settings->store, &request, &id, &is_new, err);
    if (rc == 0) rc = store_job(call->settings->store, id, &call->request->arena, &job, err);
    if (rc) return rc;
    if (!job) return api_missing(call, "job", "that was just asked for");
    call->settings->changed(call->settings->context);
    call->request->answer.status = is_new ? 202 : 200;
    web_add_header(call->request, "Location", arena_printf(&call->request->arena, "/api/v1/jobs/%lld", (long long)id));
    view_write_job(&call->json, job);
    return 0;
}

static int set_paused(struct api_call *call, bool paused, struct err *err)
{
    static const char *const NO_KEYS[] = {NULL};
    struct cJSON *body;
    if (!has_pipeline(call)) return api_missing(call, "pipeline", call->names[0]);
    int rc = api_body(call, NO_KEYS, &body, err);
    if (rc == 0) rc = store_pause(call->settings->store, call->names[0], paused, err);
    if (rc) return rc;
    call->settings->changed(call->settings->context);
    return answer_pipeline(call, err);
}

int answer_pause(struct api_call *call, struct err *err)
{
    return set_paused(call, true, err);
}

int answer_resume(struct api_call *call, struct err *err)
{
    return set_paused(call, false, err);
}
