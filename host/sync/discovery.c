/* How it works: an answer is a file discovered/DIGEST.json, {"at":US,"fields":[["name","type"],..]}; the digest is of all that
 * could make the answer another one, so a file is right or is not found. */
#include "sync/discovery.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/number.h"
#include "data/block.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/log.h"
#include "rest/access.h"
#include "rest/metadata.h"

enum { FILE_MAX_BYTES = NODE_MAX_BYTES, KEY_MAX_BYTES = 8 * 1024 * 1024 };

struct discovery {
    struct sync_prepared *prepared;
    struct client *client; /* made when first needed */
    const char *folder;    /* NULL: nothing is kept */
};

/* --- answers that are kept ----------------------------------------------------------------------------------------------- */

static void add_word(struct buf *key, struct str word)
{
    buf_append_str(key, word);
    buf_append_char(key, '\0');
}

static const char *file_of(const struct discovery *discovery, const struct stream_description *stream)
{
    const struct sync_prepared *prepared = discovery->prepared;
    struct buf key = BUF_INIT(KEY_MAX_BYTES);
    char digest[SHA256_HEX_SIZE];
    add_word(&key, str_from(prepared->options.pipeline->name));
    add_word(&key, str_from(prepared->sources.name));
    add_word(&key, str_from(prepared->description->version));
    if (prepared->options.pipeline->config) node_to_json(prepared->options.pipeline->config, &key);
    add_word(&key, STR(""));
    add_word(&key, str_from(stream->name));
    add_word(&key, stream->fields_from->text);
    crypto_sha256_hex((struct str){buf_text(&key), key.size}, digest);
    buf_release(&key);
    return arena_printf(&discovery->prepared->arena, "%s/%s.json", discovery->folder, digest);
}

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

/* False when there is none that can be read: then it is asked for. */
static bool load(const struct discovery *discovery, const char *path, struct metadata *metadata, int64_t *at_us)
{
    struct arena *arena = &discovery->prepared->arena;
    struct buf content = BUF_INIT(FILE_MAX_BYTES);
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    bool ok = fs_kind(path) == FS_FILE && fs_check_private(path, &err) == 0 &&
              fs_read_file(path, FILE_MAX_BYTES, &content, &err) == 0;
    ok = ok && node_from_json(arena_copy(arena, (struct str){buf_text(&content), content.size}), arena, &root, &err) == 0;
    ok =
        ok && number_to_int64(node_text(node_get(root, "at")), at_us) && read_fields(node_get(root, "fields"), arena, metadata);
    buf_release(&content);
    return ok;
}

/* What cannot be kept is asked for again next time. */
static void keep(const struct discovery *discovery, const char *path, const struct metadata *metadata)
{
    struct buf content = BUF_INIT(FILE_MAX_BYTES);
    struct json_writer json = JSON_WRITER(&content);
    struct err err = ERR_INIT;
    json_open(&json, '{');
    json_member(&json, "at"), json_int(&json, discovery->prepared->now_us);
    json_member(&json, "fields");
    json_open(&json, '[');
    for (size_t i = 0; i < metadata->count; i++) {
        json_open(&json, '[');
        json_text(&json, metadata->fields[i].name);
        json_text(&json, metadata->fields[i].type);
        json_close(&json, ']');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    int rc = content.failed ? 0 : fs_make_folders(discovery->folder, 0700, &err);
    if (rc == 0 && !content.failed) rc = fs_write_file(path, 0600, (struct str){buf_text(&content), content.size}, &err);
    if (rc) log_warn(discovery->prepared->options.log, "the source's list of fields is not kept: %s", err.message);
    buf_release(&content);
}

/* --- asking -------------------------------------------------------------------------------------------------------------- */

static int read_with(struct discovery *discovery, const struct fields_from *from, struct functions *functions,
                     struct metadata *metadata, struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    struct request_source source = sync_request_source(prepared, NULL);
    struct window_plan windows;
    source.request = &from->stream->request;
    source.stream = from->stream;
    source.functions = functions;
    int rc = request_plan(&source, &prepared->arena, &windows, err);
    if (rc) return rc;
    source.slice = &windows.slices[0];
    struct session *session = session_new(discovery->client);
    const struct reader_options options = {.source = source,
                                           .client = discovery->client,
                                           .session = session,
                                           .retry = access_retry(prepared->description),
                                           .clock = prepared->source_clock,
                                           .cancel = prepared->options.cancel,
                                           .log = prepared->options.log,
                                           .state_folder = prepared->options.state_folder,
                                           .secrets = prepared->options.secrets};
    rc = metadata_read(&options, from, &prepared->arena, metadata, err);
    session_free(session);
    return rc;
}

static int ask(struct discovery *discovery, const struct fields_from *from, struct metadata *metadata, struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    struct functions functions = {0};
    bool has_functions = prepared->description->has_functions;
    int rc = discovery->client ? 0 : sync_client(prepared, prepared->options.cancel, &discovery->client, err);
    if (rc) return rc;
    if (has_functions) connector_functions_new(&prepared->sources, &prepared->connector_options, &functions);
    rc = read_with(discovery, from, has_functions ? &functions : NULL, metadata, err);
    if (has_functions) connector_functions_free(&functions);
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
    const struct sync_prepared *prepared = discovery->prepared;
    const struct fields_from *from = stream->fields_from;
    const char *path = discovery->folder && from->cache_ms > 0 ? file_of(discovery, stream) : NULL;
    int64_t at_us = 0;
    struct metadata kept;
    bool is_kept = path && load(discovery, path, &kept, &at_us);
    int64_t age_us = prepared->now_us - at_us;
    if (is_kept && !prepared->options.refresh && age_us >= 0 && age_us / 1000 < from->cache_ms) {
        *metadata = kept;
        return 0;
    }
    int rc = ask(discovery, from, metadata, err);
    if (rc == 0 && path) keep(discovery, path, metadata);
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

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static int begin(struct discovery *discovery, struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    char *state;
    if (prepared->options.cassette) return 0;
    int rc = fs_state_folder(prepared->options.state_folder, &prepared->arena, &state, err);
    if (rc == 0) discovery->folder = fs_join(&prepared->arena, state, "discovered");
    return rc;
}

static bool is_needed(const struct sync_prepared *prepared, const struct stream_description *stream)
{
    return stream->fields_from && plan_wants(prepared->options.pipeline, &prepared->options.request, stream);
}

int discover_fields(struct sync_prepared *prepared, struct err *err)
{
    struct discovery discovery = {.prepared = prepared};
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
            rc = begin(&discovery, err);
        }
        if (rc == 0) rc = find(&discovery, &streams[i], &metadata, err);
        if (rc == 0 && metadata.is_refused)
            streams[i].fields_from = NULL;
        else if (rc == 0)
            metadata_apply(streams[i].fields_from, &metadata, arena, &streams[i]);
    }
    if (discovery.client) client_free(discovery.client);
    if (rc == 0 && streams) prepared->description = found;
    return rc;
}
