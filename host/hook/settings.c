/* settings: see settings.h. */
#include "hook/settings.h"

#include <string.h>

static const struct option WEBHOOK_ARRAY[] = {
    {"scheme", OPTION_ENUM, OPTION_REQUIRED, NULL, HOOK_SCHEME_NAMES, NULL,
     "whose webhooks, which says how they are signed; `hmac` and `token` are described by the keys below, `none` takes "
     "everything"},
    {"secret", OPTION_LIST, OPTION_SECRET, NULL, NULL, NULL, "the sender's signing secret; several while one replaces another"},
    {"required", OPTION_LIST, 0, NULL, NULL, NULL,
     "fields that each event must have (`data.id`); 400 names those that are missing"},
    {"id", OPTION_STRING, 0, NULL, NULL, NULL,
     "what makes an event the same when it comes again: header:NAME, or a field; default: the sender's, else a digest of the "
     "event"},
    {"stream", OPTION_STRING, 0, NULL, NULL, NULL, "name of the stream and the table; default: the pipeline's"},
    {"table", OPTION_STRING, 0, NULL, NULL, NULL, "the target's name; default: the stream's"},
    {"primary_key", OPTION_LIST, 0, NULL, NULL, NULL,
     "fields that name a row; default: _event_id. Where events and a polled stream load one table, that stream's key"},
    {"url", OPTION_STRING, 0, NULL, NULL, NULL,
     "where the sender sends to, as it has it, where that is signed (hubspot, square)"},
    {"verify_token", OPTION_STRING, OPTION_SECRET, NULL, NULL, NULL, "of meta: what it sends before it sends events"},
    {"header", OPTION_STRING, 0, NULL, NULL, NULL, "of hmac and token: the header that the signature or the token is in"},
    {"prefix", OPTION_STRING, 0, "", NULL, NULL, "of hmac: what stands before the signature: sha256="},
    {"algorithm", OPTION_ENUM, 0, "sha256", "sha256|sha1|sha512", NULL, "of hmac"},
    {"encoding", OPTION_ENUM, 0, "hex", "hex|base64", NULL, "of hmac: how the signature is written"},
    {"message", OPTION_STRING, 0, "{body}", NULL, NULL,
     "of hmac: what is signed: {body} {timestamp} {id} {method} {url} {form} and text"},
    {"timestamp", OPTION_STRING, 0, NULL, NULL, NULL, "of hmac: the header that says when it was signed"},
    {"tolerance", OPTION_DURATION, 0, NULL, NULL, NULL, "how far that may be from our clock; default: the sender's, else 5m"},
    {"journal", OPTION_STRING, 0, NULL, NULL, NULL,
     "folder that events are kept in until they are loaded, relative to sluice.yaml; default: webhooks/PIPELINE"},
    {"load_every", OPTION_DURATION, 0, "10s", NULL, NULL,
     "events are loaded so soon, where the pipeline has no schedule of its own"},
    {"keep", OPTION_DURATION, 0, "3d", NULL, NULL, "how long the journal keeps what was loaded"},
    {"max_body", OPTION_SIZE, 0, "1MiB", NULL, NULL, "a larger event is refused; up to 5MiB"},
    {"max_backlog", OPTION_SIZE, 0, "1GiB", NULL, NULL,
     "while more than this waits to be loaded, senders are told to come back later"},
};
const struct option_table WEBHOOK_OPTIONS = OPTION_TABLE("a webhook", WEBHOOK_ARRAY);

void hook_settings_check(const struct node *pipeline, const char *path, struct problems *problems)
{
    const struct node *webhook = node_get(pipeline, "webhook");
    const struct hook_scheme *scheme = hook_scheme_find(node_text(node_get(webhook, "scheme")));
    if (!scheme) return; /* said by the table */
    bool is_free = strcmp(scheme->name, "none") == 0, is_own = scheme->header && scheme->header[0] == '\0';
    if (!is_free && !option_is_set(webhook, "secret")) {
        problems_add(problems, webhook, "%s.webhook: secret is missing: without it anybody could send events", path);
        problems_hint(problems, "give the sender's signing secret: secret: \"${NAME}\"");
    }
    if (is_own && !option_is_set(webhook, "header"))
        problems_add(problems, webhook, "%s.webhook: scheme %s needs `header`", path, scheme->name);
    bool signs_url = scheme->message && strstr(scheme->message, "{url}");
    if (signs_url && !option_is_set(webhook, "url"))
        problems_add(problems, webhook, "%s.webhook: scheme %s needs `url`, which it signs", path, scheme->name);
    if (scheme->challenge == HOOK_META && !option_is_set(webhook, "verify_token"))
        problems_add(problems, webhook, "%s.webhook: scheme meta needs `verify_token`", path);
    if (option_size_bytes(&WEBHOOK_OPTIONS, webhook, "max_body") > HOOK_BODY_MAX)
        problems_add(problems, node_get(webhook, "max_body"), "%s.webhook: max_body is at most 5MiB", path);
}

/* What hmac and token leave to the pipeline. */
static void describe_own(const struct node *webhook, struct hook_scheme *scheme)
{
    scheme->header = option_text(&WEBHOOK_OPTIONS, webhook, "header");
    if (scheme->is_token) return;
    CHECK(crypto_hash_from_name(str_from(option_text(&WEBHOOK_OPTIONS, webhook, "algorithm")), &scheme->hash));
    scheme->mark = option_text(&WEBHOOK_OPTIONS, webhook, "prefix");
    scheme->message = option_text(&WEBHOOK_OPTIONS, webhook, "message");
    scheme->is_base64 = strcmp(option_text(&WEBHOOK_OPTIONS, webhook, "encoding"), "base64") == 0;
    scheme->timestamp = option_text(&WEBHOOK_OPTIONS, webhook, "timestamp");
    if (scheme->timestamp) scheme->tolerance_ms = 5 * 60000;
}

void hook_settings_read(const struct node *webhook, const char *pipeline, struct arena *arena, struct hook_settings *out)
{
    const struct option_table *table = &WEBHOOK_OPTIONS;
    const char *stream = option_text(table, webhook, "stream"), *journal = option_text(table, webhook, "journal");
    *out = (struct hook_settings){
        .stream = stream ? stream : pipeline,
        .scheme = *hook_scheme_find(str_from(option_text(table, webhook, "scheme"))),
        .url = option_text(table, webhook, "url"),
        .verify_token = option_text(table, webhook, "verify_token"),
        .journal = journal ? journal : arena_printf(arena, "webhooks/%s", pipeline),
        .max_body = (size_t)option_size_bytes(table, webhook, "max_body"),
        .max_backlog = option_size_bytes(table, webhook, "max_backlog"),
        .load_every_ms = option_duration_ms(table, webhook, "load_every"),
        .keep_ms = option_duration_ms(table, webhook, "keep"),
    };
    out->secrets = option_texts(webhook, "secret", arena, &out->secret_count);
    out->required = option_texts(webhook, "required", arena, &out->required_count);
    if (out->scheme.header && out->scheme.header[0] == '\0') describe_own(webhook, &out->scheme);
    if (option_is_set(webhook, "tolerance")) out->scheme.tolerance_ms = option_duration_ms(table, webhook, "tolerance");
    if (option_is_set(webhook, "id")) out->scheme.id = option_text(table, webhook, "id");
}

/* --- as a pipeline that reads files -------------------------------------------------------------------------------------- */

/* A node as if it stood where `webhook` does. */
static struct node made(const struct node *place, enum node_kind kind, const char *key, const char *text, struct arena *arena)
{
    return (struct node){.kind = kind,
                         .key = str_from(arena_strdup(arena, key)),
                         .text = str_from(arena_strdup(arena, text)),
                         .file = place->file,
                         .line = place->line};
}

static struct node map_of(const struct node *place, const char *key, const struct node *children, size_t count,
                          struct arena *arena)
{
    struct node map = made(place, NODE_MAP, key, "", arena);
    struct node *kept = arena_array(arena, struct node, count);
    memcpy(kept, children, count * sizeof *children);
    map.children = kept;
    map.count = count;
    return map;
}

static struct node blocked(const struct node *place, const char *column, struct arena *arena)
{
    const struct node enabled[] = {made(place, NODE_BOOLEAN, "enabled", "false", arena)};
    return map_of(place, column, enabled, 1, arena);
}

const struct node *hook_as_pipeline(const struct node *pipeline, const char *path, struct arena *arena,
                                    struct problems *problems)
{
    static const char *const TAKEN[] = {"connector", "config", "streams"};
    const struct node *at = node_get(pipeline, "webhook");
    if (!node_is(at, NODE_MAP)) return pipeline;
    for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++) {
        if (!node_get(pipeline, TAKEN[i])) continue;
        problems_add(problems, node_get(pipeline, TAKEN[i]), "%s: a pipeline with `webhook` has no `%s`", path, TAKEN[i]);
        problems_hint(problems, "what is polled is a pipeline of its own; both may load one table");
        return pipeline;
    }
    const char *name = arena_text(arena, pipeline->key), *stream = node_cstr(node_get(at, "stream"), name);
    const char *journal = node_cstr(node_get(at, "journal"), arena_printf(arena, "webhooks/%s", name));
    const struct node config[] = {
        made(at, NODE_STRING, "path", arena_printf(arena, "%s/*.ndjson", journal), arena),
        made(at, NODE_STRING, "format", "ndjson", arena),
        made(at, NODE_BOOLEAN, "growing", "true", arena),
        made(at, NODE_STRING, "new_files", "name", arena),
        made(at, NODE_STRING, "removed", "forget", arena),
        made(at, NODE_STRING, "stream", stream, arena),
    };
    const struct node columns[] = {blocked(at, "_file", arena), blocked(at, "_line", arena)};
    const struct node *key = node_get(at, "primary_key"), *table = node_get(at, "table");
    const struct node choice[] = {
        key ? *key : made(at, NODE_STRING, "primary_key", "_event_id", arena),
        /* An event that is sent again is the same one; what an entity's events say of it is not. */
        made(at, NODE_STRING, "on_conflict", key ? "update" : "nothing", arena),
        made(at, NODE_STRING, "write_mode", "append_dedup", arena),
        map_of(at, "columns", columns, 2, arena),
        table ? *table : made(at, NODE_NULL, "table", "", arena),
    };
    const struct node streams[] = {map_of(at, stream, choice, table ? 5 : 4, arena)};
    struct node *children = arena_array(arena, struct node, pipeline->count + 3), *out = arena_new(arena, struct node);
    memcpy(children, pipeline->children, pipeline->count * sizeof *children);
    children[pipeline->count] = made(at, NODE_STRING, "connector", "files", arena);
    children[pipeline->count + 1] = map_of(at, "config", config, 6, arena);
    children[pipeline->count + 2] = map_of(at, "streams", streams, 1, arena);
    *out = *pipeline;
    out->children = children;
    out->count = pipeline->count + 3;
    return out;
}
