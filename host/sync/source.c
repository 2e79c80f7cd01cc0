/* source: see source.h. */
#include "sync/source.h"

#include "net/client.h"
#include "rest/reader.h"
#include "sync/plan.h"

/* Through whom the plugin's own requests go. */
struct asking {
    struct session *session;
    struct request_source source;
};

/* native_http.send */
static int send_for_plugin(void *context, struct http_request *request, struct arena *arena, struct http_response *response,
                           struct err *err)
{
    struct asking *asking = context;
    return native_send(asking->session, &asking->source, request, arena, response, err);
}

int source_ask(const struct sync_prepared *prepared, struct client *client, enum native_question question,
               const struct flow_plan *flow, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct functions functions;
    struct native_slice slice = {.now_us = prepared->now_us, .incremental = true};
    struct asking asking = {session_new(client), sync_request_source(prepared, NULL)};
    const struct native_http http = {send_for_plugin, &asking};
    if (flow) {
        slice.stream = flow->stream->name;
        slice.tables = plan_native_tables(flow, &arena);
    }
    connector_functions_new(&prepared->sources, &prepared->connector_options, &functions);
    int rc = functions.ask(functions.context, question, flow ? &slice : NULL, &http, err);
    connector_functions_free(&functions);
    session_free(asking.session);
    arena_release(&arena);
    return rc;
}
