/* api: the way of a request to its row of the table and back. See api.h. */
#include "service/web/api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "os/channel.h"
#include "os/log.h"
#include "os/thread.h"
#include "service/web/gate.h"
#include "service/web/route.h"

enum { THREADS = 4, WAITING_MAX = 256, THREAD_STACK = 512 * 1024 };

struct api {
    struct api_settings settings;
    struct channel *calls;
    struct thread threads[THREADS];
    atomic_bool drains;
    pthread_mutex_t lock; /* of the address: the first request may come before it is known */
    char address[300];
};

/* --- answering, on the api's threads ------------------------------------------------------------------------------------- */

static void answer(struct api_call *call)
{
    struct err err = ERR_INIT;
    struct web_request *request = call->request;
    call->json = JSON_WRITER(&request->answer.body);
    int rc = call->route->run(call, &err);
    if (rc == API_DEFERRED) return;
    if (rc)
        web_failure(request, &err);
    else if (request->answer.status == 0)
        request->answer.status = call->route->status;
    if (request->answer.body.failed) web_problem(request, 500, "bug", "the answer is too large", NULL);
    web_answer(request);
}

static void work(void *context)
{
    struct api *api = context;
    void *item;
    while (channel_receive(api->calls, NULL, -1, &item) == CHANNEL_ITEM) answer(item);
}

int api_missing(struct api_call *call, const char *what, const char *name)
{
    web_problem(call->request, 404, "not_found", arena_printf(&call->request->arena, "there is no %s '%.200s'", what, name),
                NULL);
    return 0;
}

static const char *unknown_key(const struct cJSON *object, const char *const *keys)
{
    for (const struct cJSON *item = json_first(object); item; item = json_next(item)) {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], json_key(item)) != 0) i++;
        if (!keys[i]) return json_key(item);
    }
    return NULL;
}

static void free_json(void *json)
{
    json_free(json);
}

int api_body(struct api_call *call, const char *const *keys, struct cJSON **out, struct err *err)
{
    struct web_request *request = call->request;
    struct str text = request->body.size ? buf_str(&request->body) : STR("{}");
    if (json_parse(text, request->body_max, out, err) != 0) {
        err->class = ERR_CONFIG;
        return err_context(err, "the request's body");
    }
    arena_defer(&request->arena, free_json, *out);
    if (!json_is_object(*out)) return err_set(err, ERR_CONFIG, "the request's body must be a JSON object");
    const char *unknown = unknown_key(*out, keys);
    if (unknown) return err_set(err, ERR_CONFIG, "the request's body has an unknown key '%.100s'", unknown);
    return 0;
}

int api_number(struct api_call *call, const char *name, int64_t fallback, int64_t min, int64_t max, int64_t *out,
               struct err *err)
{
    const char *text = web_parameter(call->request, name);
    *out = fallback;
    if (!text) return 0;
    if (number_to_int64(str_from(text), out) && *out >= min && *out <= max) return 0;
    return err_set(err, ERR_CONFIG, "%s must be a number from %lld to %lld, not '%.50s'", name, (long long)min, (long long)max,
                   text);
}

int answer_health(struct api_call *call, struct err *err)
{
    (void)err;
    json_open(&call->json, '{');
    json_member(&call->json, "status"), json_cstr(&call->json, "ok");
    json_close(&call->json, '}');
    return 0;
}

int answer_ready(struct api_call *call, struct err *err)
{
    int64_t now_ms;
    if (call->api->drains) {
        web_problem(call->request, 503, "stopping", "the service is stopping", NULL);
        return 0;
    }
    int rc = store_now(call->settings->store, &now_ms, err);
    return rc ? rc : answer_health(call, err);
}

/* --- admitting, on the server's thread ----------------------------------------------------------------------------------- */

static struct api_call *make_call(struct api *api, struct web_request *request, const struct route *route,
                                  const char *const names[ROUTE_NAMES_MAX])
{
    struct api_call *call = arena_new(&request->arena, struct api_call);
    *call = (struct api_call){.api = api, .settings = &api->settings, .request = request, .route = route};
    memcpy(call->names, names, sizeof call->names);
    return call;
}

static void refuse(struct web_request *request, bool is_known)
{
    web_problem(request, is_known ? 405 : 404, is_known ? "method" : "not_found",
                is_known ? "this path knows no such method" : "there is nothing at this path",
                "GET /api/v1/openapi.json lists what there is");
}

bool api_admit(void *context, struct web_request *request)
{
    struct api *api = context;
    const char *names[ROUTE_NAMES_MAX] = {NULL};
    bool is_known;
    const struct route *route = route_find(request->method, request->path, &request->arena, names, &is_known);
    pthread_mutex_lock(&api->lock);
    const char *address = arena_strdup(&request->arena, api->address);
    pthread_mutex_unlock(&api->lock);
    roster_hold(api->settings.roster);
    const struct service_settings *settings = &roster_project(api->settings.roster)->service;
    bool is_signed = route && route->scope == SCOPE_SIGNED;
    bool is_for_us = is_signed || gate_is_for_us(settings, address, request);
    bool is_admitted = is_signed || (is_for_us && route && gate_admits(settings, request, route->scope));
    roster_let_go(api->settings.roster);
    if (is_for_us && !route) refuse(request, is_known);
    if (!is_admitted) return false;
    request->body_max = route->body_max;
    request->context = make_call(api, request, route, names);
    return true;
}

void api_handle(void *context, struct web_request *request)
{
    struct api *api = context;
    if (channel_count(api->calls) < WAITING_MAX && channel_send(api->calls, request->context, NULL)) return;
    web_problem(request, 503, "busy", "too many questions wait for their answers", NULL);
    web_add_header(request, "Retry-After", "1");
    web_answer(request);
}

/* --- opening and closing ------------------------------------------------------------------------------------------------- */

int api_open(const struct api_settings *settings, struct api **out, struct err *err)
{
    int rc = 0;
    struct api *api = mem_zero(1, sizeof *api);
    api->settings = *settings;
    api->calls = channel_new(WAITING_MAX);
    pthread_mutex_init(&api->lock, NULL);
    for (size_t i = 0; rc == 0 && i < THREADS; i++)
        rc = thread_start(&api->threads[i], "web-api", work, api, THREAD_STACK, err);
    if (rc) {
        api_stop(api);
        api_free(api);
        return rc;
    }
    *out = api;
    return 0;
}

void api_bind(struct api *api, const char *address)
{
    pthread_mutex_lock(&api->lock);
    snprintf(api->address, sizeof api->address, "%s", address);
    pthread_mutex_unlock(&api->lock);
}

void api_drain(struct api *api)
{
    api->drains = true;
}

void api_stop(struct api *api)
{
    channel_close(api->calls);
    for (size_t i = 0; i < THREADS; i++) thread_join(&api->threads[i]);
}

void api_free(struct api *api)
{
    if (!api) return;
    channel_free(api->calls);
    pthread_mutex_destroy(&api->lock);
    free(api);
}
