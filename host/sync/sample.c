/* sample: see sample.h. */
#include "sync/sample.h"

#include "rest/access.h"
#include "rest/partitions.h"
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

static struct reader_options options_of(const struct sync_prepared *prepared, const struct request_source *source,
                                        struct client *client, struct session *session, struct cancel *cancel)
{
    return (struct reader_options){.source = *source,
                                   .client = client,
                                   .session = session,
                                   .retry = access_retry(prepared->description),
                                   .clock = prepared->source_clock,
                                   .cancel = cancel,
                                   .state_folder = prepared->options.state_folder,
                                   .secrets = prepared->options.secrets,
                                   .native = {.budget = prepared->budget, .sample = true}};
}

/* The first page of parents. */
static int read_parents(const struct sync_prepared *prepared, const struct request_source *child, struct client *client,
                        struct session *session, struct cancel *cancel, struct arena *arena, struct partition_list *list,
                        struct err *err)
{
    const struct parent_description *parent = &child->stream->parent;
    struct request_source source = *child;
    struct window_plan windows;
    struct page page = {0};
    source.stream = parent->stream;
    source.request = &parent->stream->request;
    int rc = request_plan(&source, arena, &windows, err);
    if (rc || windows.slice_count == 0) return rc;
    source.slice = &windows.slices[0];
    const struct reader_options options = options_of(prepared, &source, client, session, cancel);
    struct reader *reader = reader_new(&options);
    rc = reader_next(reader, &page, err);
    if (rc > 0) rc = partitions_of_page(parent, source.functions, &page, arena, list, err);
    page_release(&page);
    reader_free(reader);
    return rc;
}

/* The first part of a stream that is read in parts; false in *is_there: there is none. */
static int find_part(const struct sync_prepared *prepared, struct request_source *source, struct window_slice *window,
                     struct client *client, struct session *session, struct cancel *cancel, struct arena *arena, bool *is_there,
                     struct err *err)
{
    struct partition_list list = {0};
    *is_there = true;
    if (!stream_is_partitioned(source->stream)) return 0;
    int rc = source->stream->parent.stream ? read_parents(prepared, source, client, session, cancel, arena, &list, err)
                                           : partitions_of_lists(source, arena, &list, err);
    *is_there = rc == 0 && list.count > 0;
    if (!*is_there) return rc;
    partitions_batch(&source->stream->parent, arena, &list);
    source->partition = list.items[0].values;
    source->parent = list.items[0].parent;
    window->id = list.items[0].id;
    return 0;
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
    struct window_slice window = windows.slices[0];
    struct session *session = session_new(client);
    bool is_there;
    rc = find_part(prepared, &source, &window, client, session, cancel, &arena, &is_there, err);
    if (rc == 0 && is_there) {
        source.slice = &window;
        struct reader_options options = options_of(prepared, &source, client, session, cancel);
        if (flow->stream->native) options.native.tables = plan_native_tables(flow, &arena);
        struct reader *reader = reader_new(&options);
        rc = reader_next(reader, &sample->page, err);
        if (rc > 0) {
            sample->is_empty = false;
            rc = decode_sample(prepared, flow, &functions, window.to, sample, err);
        }
        reader_free(reader);
    }
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
