/* How it works: streams first, since they may have fields that are listed. What is asked with is one client, made when first
 * needed. */
#include "sync/discovery.h"

#include "base/buf.h"
#include "base/json.h"
#include "os/clock.h"
#include "os/log.h"
#include "rest/access.h"
#include "rest/metadata.h"
#include "sync/discovery_parts.h"
#include "sync/kept.h"

/* --- asking -------------------------------------------------------------------------------------------------------------- */

int discovery_open(struct discovery *discovery, const struct stream_description *stream, struct reader_options *options,
                   struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    int rc = discovery->client ? 0 : sync_client(prepared, prepared->options.cancel, &discovery->client, err);
    if (rc) return rc;
    struct request_source source = sync_request_source(prepared, NULL); /* behind the client: a login tells what is its own */
    if (prepared->description->has_functions && !discovery->has_functions) {
        connector_functions_new(&prepared->sources, &prepared->connector_options, &discovery->functions);
        discovery->has_functions = true;
    }
    source.request = &stream->request;
    source.stream = stream;
    source.functions = discovery->has_functions ? &discovery->functions : NULL;
    struct window_plan windows;
    if ((rc = request_plan(&source, &prepared->arena, &windows, err)) != 0) return rc;
    source.slice = &windows.slices[0];
    *options = (struct reader_options){.source = source,
                                       .client = discovery->client,
                                       .session = session_new(discovery->client),
                                       .retry = access_retry(prepared->description),
                                       .clock = prepared->source_clock,
                                       .cancel = prepared->options.cancel,
                                       .log = prepared->options.log,
                                       .state_folder = prepared->options.state_folder,
                                       .secrets = prepared->options.secrets,
                                       .native = {.budget = prepared->budget}};
    return 0;
}

void discovery_release(struct discovery *discovery)
{
    if (discovery->has_functions) connector_functions_free(&discovery->functions);
    if (discovery->client) client_free(discovery->client);
    *discovery = (struct discovery){.prepared = discovery->prepared};
}

/* --- fields -------------------------------------------------------------------------------------------------------------- */

static bool read_fields(const struct node *list, struct arena *arena, struct metadata *metadata)
{
    if (!node_is(list, NODE_LIST) || list->count == 0 || list->count > METADATA_MAX_FIELDS) return false;
    struct metadata_field *fields = arena_array(arena, struct metadata_field, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct node *pair = &list->children[i];
        if (!node_is(pair, NODE_LIST) || pair->count != 2 || node_text(&pair->children[0]).size == 0) return false;
        fields[i] = (struct metadata_field){node_text(&pair->children[0]), node_text(&pair->children[1])};
    }
    metadata_sort(fields, list->count, metadata);
    return true;
}

static void keep(const struct sync_prepared *prepared, const char *path, const struct metadata *metadata)
{
    struct buf told = BUF_INIT(KEPT_MAX_BYTES);
    struct json_writer json = JSON_WRITER(&told);
    json_open(&json, '[');
    for (size_t i = 0; i < metadata->count; i++) {
        json_open(&json, '[');
        json_text(&json, metadata->fields[i].name);
        json_text(&json, metadata->fields[i].type);
        json_close(&json, ']');
    }
    json_close(&json, ']');
    if (!told.failed) kept_save(prepared, path, buf_str(&told));
    buf_release(&told);
}

static int ask(struct discovery *discovery, const struct fields_from *from, struct metadata *metadata, struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    struct reader_options options;
    int rc = discovery_open(discovery, from->stream, &options, err);
    if (rc) return rc;
    rc = metadata_read(&options, from, &prepared->arena, metadata, err);
    session_free(options.session);
    if (rc == 0 && metadata->unusable)
        log_warn(prepared->options.log, "stream %s: %zu fields that the source lists have no usable name", from->stream->name,
                 metadata->unusable);
    return rc;
}

/* Kept and young enough; else asked for; else kept, when the source is only down. When the stream cannot be had, its own
 * requests will hear so. */
static int find(struct discovery *discovery, const struct stream_description *stream, struct metadata *metadata,
                struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    const struct fields_from *from = stream->fields_from;
    const char *path;
    int64_t at_us = 0;
    struct metadata kept;
    int rc = kept_path(prepared, stream->name, from->text, from->cache_ms, &path, err);
    if (rc) return rc;
    bool is_kept = path && read_fields(kept_load(prepared, path, &at_us), &prepared->arena, &kept);
    if (is_kept && kept_serves(prepared, at_us, from->cache_ms)) {
        *metadata = kept;
        return 0;
    }
    rc = ask(discovery, from, metadata, err);
    if (rc == 0 && path) keep(prepared, path, metadata);
    if (rc != 0 && metadata->is_refused) {
        log_warn(prepared->options.log, "stream %s: its fields are those that are declared: %s", stream->name, err->message);
        *err = (struct err)ERR_INIT;
        return 0;
    }
    if (rc != ERR_TRANSIENT || !is_kept) return rc;
    log_warn(prepared->options.log, "stream %s: its fields are those of an earlier run: %s", stream->name, err->message);
    *err = (struct err)ERR_INIT;
    *metadata = kept;
    return 0;
}

static bool is_needed(const struct sync_prepared *prepared, const struct stream_description *stream)
{
    return stream->fields_from && plan_wants(prepared->options.pipeline, &prepared->options.request, stream);
}

static int discover_fields(struct discovery *discovery, struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    struct arena *arena = &prepared->arena;
    struct description *found = arena_new(arena, struct description);
    struct stream_description *streams = NULL;
    int rc = 0;
    for (size_t i = 0; i < prepared->description->stream_count && rc == 0; i++) {
        struct metadata metadata = {0};
        if (!is_needed(prepared, &prepared->description->streams[i])) continue;
        if (!streams) {
            *found = *prepared->description;
            streams = arena_array(arena, struct stream_description, found->stream_count);
            memcpy(streams, found->streams, found->stream_count * sizeof *streams);
            found->streams = streams;
        }
        rc = find(discovery, &streams[i], &metadata, err);
        if (rc == 0 && metadata.is_refused)
            streams[i].fields_from = NULL;
        else if (rc == 0)
            metadata_apply(streams[i].fields_from, &metadata, arena, &streams[i]);
    }
    if (rc == 0 && streams) prepared->description = found;
    return rc;
}

int discover(struct sync_prepared *prepared, struct problems *problems, struct err *err)
{
    struct discovery discovery = {.prepared = prepared};
    int rc = discover_streams(&discovery, problems, err);
    if (rc == 0 && problems->count == 0) rc = discover_fields(&discovery, err);
    discovery_release(&discovery);
    return rc;
}
