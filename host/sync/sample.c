/* sample: see sample.h. */
#include "sync/sample.h"

#include "rest/access.h"
#include "rest/rows.h"

static int decode_sample(const struct sync_prepared *prepared, struct flow_plan *flow, const struct functions *functions,
                         const char *version, struct sample *sample, struct err *err)
{
    const struct decode_bounds bounds = {.rule = BOUNDS_AS_SENT, .version = str_from(version)};
    plan_bind(flow, prepared->budget, prepared->options.secrets);
    struct decoder *decoder = decoder_new(&flow->decode, 0, &bounds);
    int rc = rows_of_page(flow->stream, functions, &sample->page, decoder, &sample->decoded, err);
    decoder_free(decoder);
    return rc;
}

int sample_read(const struct sync_prepared *prepared, struct flow_plan *flow, struct client *client, struct cancel *cancel,
                struct sample *sample, struct err *err)
{
    struct functions functions = {0};
    struct request_source source = sync_request_source(prepared, flow);
    struct arena arena = ARENA_INIT(0);
    struct window_plan windows;
    int rc = request_plan(&source, &arena, &windows, err);
    *sample = (struct sample){.is_empty = true};
    if (rc || windows.slice_count == 0) {
        arena_release(&arena);
        return rc;
    }
    if (prepared->description->has_functions) {
        connector_functions_new(&prepared->sources, &prepared->connector_options, &functions);
        source.functions = &functions;
    }
    source.slice = &windows.slices[0];
    struct session *session = session_new(client);
    const struct reader_options options = {.source = source,
                                           .client = client,
                                           .session = session,
                                           .retry = access_retry(prepared->description),
                                           .clock = prepared->source_clock,
                                           .cancel = cancel,
                                           .state_folder = prepared->options.state_folder,
                                           .secrets = prepared->options.secrets};
    struct reader *reader = reader_new(&options);
    rc = reader_next(reader, &sample->page, err);
    if (rc > 0) {
        sample->is_empty = false;
        rc = decode_sample(prepared, flow, &functions, windows.slices[0].to, sample, err);
    }
    reader_free(reader);
    session_free(session);
    if (source.functions) connector_functions_free(&functions);
    arena_release(&arena);
    return rc;
}

void sample_release(struct sample *sample)
{
    if (sample->is_empty) return;
    decoded_release(&sample->decoded);
    page_release(&sample->page);
}
