/* api_hooks: what senders of webhooks send. See service/hooks.h. */
#include "os/clock.h"
#include "service/hooks.h"
#include "service/web/route.h"

static const char *header_of(void *context, const char *name)
{
    return web_header(context, name);
}

/* On the journal's thread. */
static void settle(void *context, bool is_durable)
{
    struct web_request *request = context;
    if (!is_durable) {
        web_problem(request, 503, "destination", "the event could not be kept", NULL);
        web_add_header(request, "Retry-After", "10");
    }
    web_answer(request);
}

static void say(struct web_request *request, const char *type, const char *text)
{
    request->answer.status = 200;
    request->answer.type = type;
    buf_append_text(&request->answer.body, text);
}

static void refuse(struct api_call *call, enum hook_status status, const struct hook_outcome *outcome)
{
    struct web_request *request = call->request;
    switch (status) {
    case HOOK_UNKNOWN:
        web_problem(request, 404, "not_found", "no pipeline receives webhooks here", NULL);
        return;
    case HOOK_FORGED:
        web_problem(request, 401, "signature", outcome->why, NULL);
        return;
    case HOOK_REFUSED:
        web_problem(request, 400, "bad_request", outcome->why, NULL);
        return;
    case HOOK_TOO_LARGE:
        web_problem(request, 413, "too_large", "the body is larger than the pipeline takes", NULL);
        return;
    case HOOK_FULL:
        web_problem(request, 503, "busy", "too many events wait to be loaded", NULL);
        web_add_header(request, "Retry-After", "60");
        return;
    default:
        say(request, outcome->type, outcome->reply);
    }
}

int answer_webhook(struct api_call *call, struct err *err)
{
    struct web_request *request = call->request;
    struct hook_outcome outcome = HOOK_OUTCOME;
    const struct hook_request asked = {.method = request->method,
                                       .query = request->query,
                                       .body = buf_str(&request->body),
                                       .header = header_of,
                                       .context = request,
                                       .now_ms = clock_wall_us(call->settings->clock) / 1000};
    (void)err;
    /* Prepared before, since the answer may be on its way as soon as the event is taken. */
    say(request, "application/json", "{\"status\":\"ok\"}");
    enum hook_status status =
        hooks_take(call->settings->hooks, call->names[0], call->names[1], &asked, &request->arena, &outcome, settle, request);
    buf_release(&outcome.lines);
    if (status == HOOK_TAKEN) return API_DEFERRED;
    buf_clear(&request->answer.body);
    refuse(call, status, &outcome);
    return 0;
}

int answer_greeting(struct api_call *call, struct err *err)
{
    const char *mode = web_parameter(call->request, "hub.mode"), *token = web_parameter(call->request, "hub.verify_token");
    const char *challenge = web_parameter(call->request, "hub.challenge");
    (void)err;
    if (hooks_greet(call->settings->hooks, call->names[0], call->names[1], mode, token, challenge))
        say(call->request, "text/plain; charset=utf-8", challenge);
    else
        web_problem(call->request, 403, "permission", "this is no question that is answered here", NULL);
    return 0;
}
