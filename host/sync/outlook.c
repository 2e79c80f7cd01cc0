/* outlook: see outlook.h. The plan is made by the very code that a run makes it with (flow_begin.c), from the state as the
 * destination shows it to anybody. */
#include "sync/outlook.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "os/secret.h"
#include "rest/chunks.h"
#include "rest/pager.h"
#include "rest/partitions.h"
#include "sync/flow_parts.h"

enum { JOB_REQUESTS = 3, TEXT_MAX = 1024 * 1024 };

struct looking {
    struct sync_prepared *prepared;
    struct arena *arena;
    struct sync_context sync;
    struct flow_state *states;
    size_t state_count;
};

/* What is published, with what an unfinished build adds. */
static void take_state(const struct looking *looking, struct flow *flow)
{
    for (int pending = 0; pending < 2; pending++)
        for (size_t s = 0; s < looking->state_count; s++) {
            const struct flow_state *found = &looking->states[s];
            if (found->is_pending != (pending == 1) || strcmp(found->flow, flow_stream(flow)) != 0) continue;
            for (size_t i = 0; i < found->state.count; i++) {
                const struct state_entry *entry = &found->state.entries[i];
                state_set(&flow->state, entry->stream, entry->slice, entry->kind, entry->value);
            }
        }
}

static int count_partitions(const struct looking *looking, const struct flow *flow, struct flow_outlook *out, struct err *err)
{
    const struct stream_description *stream = flow->plan->stream;
    struct request_source source = sync_source(&looking->sync, stream);
    struct functions functions = {0};
    struct partition_list list;
    out->parent = stream->parent.stream ? stream->parent.stream->name : NULL;
    if (stream->partition_count == 0) return 0;
    if (looking->sync.description->has_functions)
        connector_functions_new(looking->sync.sources, looking->sync.connector_options, &functions);
    source.functions = looking->sync.description->has_functions ? &functions : NULL;
    int rc = partitions_of_lists(&source, looking->arena, &list, err);
    if (source.functions) connector_functions_free(&functions);
    out->partitions = rc == 0 ? list.count : 0;
    return rc;
}

/* The first request, if it can be told without a login, a function, or a parent. */
static const char *first_request(const struct looking *looking, const struct flow *flow)
{
    const struct stream_description *stream = flow->plan->stream;
    const struct description *description = looking->sync.description;
    struct request_source source = sync_source(&looking->sync, stream);
    struct http_request request;
    struct err ignored = ERR_INIT;
    const char *text = NULL;
    const char *cursor = state_get(&flow->state, flow_stream(flow), "", "cursor");
    bool is_known = !stream->native && !stream_is_partitioned(stream) && !description->base_is_captured && !stream->job &&
                    looking->sync.own;
    if (!is_known || flow->windows.slice_count == 0) return NULL;
    source.slice = &flow->windows.slices[0];
    source.cursor_value = str_from(cursor ? cursor : "");
    source.token = str_from(flow->token ? flow->token : "");
    if (flow->token && stream->cursor.token_is_url) return NULL;
    struct chunks chunks = chunks_of(stream->chunks, stream->asked, looking->arena);
    if (chunks.count) source.fields = chunks.groups[0];
    struct pager *pager = pager_new(&stream->pages);
    pager_first_time(pager, request_first_time(&source, looking->arena));
    bool is_built = pager_start(pager, STR(""), &ignored) == 0 &&
                    request_build(&source, pager_place(pager), looking->arena, &request, &ignored) == 0;
    if (is_built) {
        struct buf clean = BUF_INIT(TEXT_MAX);
        secrets_redact(looking->sync.secrets, str_from(arena_printf(looking->arena, "%s %s", request.method, request.url)),
                       &clean);
        text = arena_text(looking->arena, buf_str(&clean));
        buf_release(&clean);
    }
    pager_free(pager);
    return text;
}

static const char *end_of(const struct flow *flow)
{
    bool counts = flow->plan->keep_cursor && flow->plan->stream->has_cursor && !flow->plan->keep_token;
    return counts && flow->windows.slice_count && flow->windows.end[0] ? flow->windows.end : NULL;
}

static const char *kept(const struct looking *looking, const char *text)
{
    return text ? arena_strdup(looking->arena, text) : NULL;
}

static void describe(const struct looking *looking, const struct flow *flow, struct flow_outlook *out)
{
    const struct window_plan *windows = &flow->windows;
    const struct stream_description *stream = flow->plan->stream;
    out->windows = windows->slice_count;
    for (size_t i = 0; flow->positions && i < windows->slice_count; i++) {
        out->done += flow->positions[i].done;
        if (i == 0) out->from = kept(looking, windows->slices[i].from);
        out->to = kept(looking, windows->slices[i].to);
    }
    uint64_t parts = out->partitions ? out->partitions : out->parent ? 0 : 1;
    uint64_t left = stream_is_partitioned(stream) ? 1 : out->windows - out->done;
    out->requests = left * parts * (stream->job ? JOB_REQUESTS : 1) + (out->parent ? 1 : 0);
    out->has_token = flow->token != NULL;
    out->request = first_request(looking, flow);
    out->after = kept(looking, end_of(flow));
}

static int look_at(const struct looking *looking, struct flow_plan *plan, struct flow_outlook *out, struct err *err)
{
    struct flow flow = {.sync = &looking->sync, .plan = plan, .log = looking->sync.log, .arena = ARENA_INIT(0)};
    const struct flow_spec spec = {.pipeline = looking->sync.pipeline->name,
                                   .flow = plan->stream->name,
                                   .connector = looking->sync.description->name,
                                   .tables = plan->tables,
                                   .table_count = plan->stream_count};
    *out = (struct flow_outlook){.plan = plan, .from = "", .to = "", .refusal = ERR_INIT};
    flow.state = STATE_INIT(&flow.arena);
    take_state(looking, &flow);
    out->cursor = kept(looking, state_get(&flow.state, plan->stream->name, "", "cursor"));
    out->parts = kept(looking, state_get(&flow.state, plan->stream->name, "", STATE_PARTITIONS));
    out->goes_on = state_get(&flow.state, plan->stream->name, "", "plan") != NULL;
    int rc = looking->sync.writer->look(looking->sync.destination, &spec, looking->arena, &out->looks, err);
    if (rc == 0 && flow_make_plan(&flow, &out->refusal) == 0) {
        rc = count_partitions(looking, &flow, out, err);
        if (rc == 0) describe(looking, &flow, out);
    }
    boundary_release(&flow.boundary);
    arena_release(&flow.arena);
    return rc;
}

int outlook_make(struct sync_prepared *prepared, struct arena *arena, struct outlook *out, struct err *err)
{
    const struct sync_options *options = &prepared->options;
    struct looking looking = {
        .prepared = prepared,
        .arena = arena,
        .sync = {.pipeline = options->pipeline,
                 .description = prepared->description,
                 .config = prepared->config,
                 .sources = &prepared->sources,
                 .connector_options = &prepared->connector_options,
                 .own = prepared->own,
                 .writer = options->pipeline->writer,
                 .secrets = options->secrets,
                 .state_folder = options->state_folder,
                 .clock = options->clock,
                 .source_clock = prepared->source_clock,
                 .log = options->log,
                 .started_us = prepared->now_us},
    };
    *out = (struct outlook){.flows = arena_array(arena, struct flow_outlook, prepared->plan.count + 1)};
    if (!looking.sync.writer->look)
        return err_set(err, ERR_CONFIG, "a destination of type '%s' cannot be looked at", looking.sync.writer->name);
    int rc = sync_look_destination(prepared, options->cancel, &looking.sync.destination, err);
    if (rc) return rc;
    rc = looking.sync.writer->state_read(looking.sync.destination, arena, &looking.states, &looking.state_count, err);
    for (size_t i = 0; rc == 0 && i < prepared->plan.count; i++)
        rc = look_at(&looking, &prepared->plan.flows[i], &out->flows[out->count++], err);
    looking.sync.writer->close(looking.sync.destination);
    return rc;
}
