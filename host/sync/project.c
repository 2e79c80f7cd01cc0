/* project: see project.h. The file is parsed to nodes, references are expanded into a copy of the tree, the copy is checked
 * against the tables below, and only then read into structs. */
#include "sync/project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "hook/settings.h"
#include "os/fs.h"
#include "rest/limits.h"
#include "sync/monitor_settings.h"
#include "sync/reference.h"

enum { FILE_MAX = NODE_MAX_BYTES, MEMORY_MIN = 4 * 1024 * 1024 };

static const struct option COLUMN_ARRAY[] = {
    {"enabled", OPTION_BOOLEAN, 0, "true", NULL, NULL, "false blocks the column: it is never stored, not even in rejects"},
    {"reason", OPTION_STRING, 0, NULL, NULL, NULL, "why it is blocked, for whoever reads this later"},
};
static const struct option_table COLUMN_OPTIONS = OPTION_TABLE("a column", COLUMN_ARRAY);

static const struct option STREAM_ARRAY[] = {
    {"sync_mode", OPTION_ENUM, 0, NULL, "full_refresh|incremental", NULL, "default: incremental when the stream has a cursor"},
    {"write_mode", OPTION_ENUM, 0, NULL, "append|overwrite|append_dedup", NULL,
     "default: overwrite for full_refresh; append_dedup for incremental with a primary key, append without"},
    {"table", OPTION_STRING, 0, NULL, NULL, NULL, "the target's name; default: the stream's"},
    {"primary_key", OPTION_LIST, 0, NULL, NULL, NULL, "field or fields that name a record; default: the connector's"},
    {"cursor", OPTION_STRING, 0, NULL, NULL, NULL, "field that orders the stream; default: the connector's"},
    {"select", OPTION_LIST, 0, NULL, NULL, NULL, "keep only these fields (key and cursor are always kept)"},
    {"columns", OPTION_MAP_OF, 0, NULL, NULL, &COLUMN_OPTIONS, "settings of single columns"},
    {"on_mismatch", OPTION_ENUM, 0, "set_null", "set_null|reject", NULL, "when a value does not fit its declared type"},
    {"on_conflict", OPTION_ENUM, 0, "update", "update|nothing", NULL,
     "append_dedup, of a record whose key is there already: its newest version counts, or the first that came stays"},
    {"shrink_limit", OPTION_NUMBER, 0, "0.5", "0..1", NULL,
     "overwrite refuses to lose more than this share of the rows; 1 allows everything"},
    {"swap", OPTION_ENUM, 0, "auto", "auto|in_place", NULL,
     "how overwrite replaces a PostgreSQL table's rows: auto renames a new table into its place unless others attached "
     "something to it (a view, an index, a policy ..); in_place always keeps the table and changes its rows"},
    {"max_records", OPTION_INTEGER, 0, NULL, "1..1000000000000", NULL,
     "a run reads about so many of its records (pages under way still count), commits them, and leaves the rest to the next "
     "run"},
    {"max_pages", OPTION_INTEGER, 0, NULL, "1..1000000000", NULL, "likewise, so many pages"},
    {"schedule", OPTION_ANY, 0, NULL, NULL, NULL, "when the service runs it; default: with its pipeline"},
};
static const struct option_table STREAM_OPTIONS = OPTION_TABLE("a stream of a pipeline", STREAM_ARRAY);

static const struct option NETWORK_ARRAY[] = {
    {"allow_private", OPTION_BOOLEAN, 0, "false", NULL, NULL, "allow loopback and private addresses"},
    {"allow_hosts", OPTION_LIST, 0, NULL, NULL, NULL, "hosts allowed beside those the connector declares"},
    {"ca_file", OPTION_STRING, 0, NULL, NULL, NULL,
     "PEM file of the authorities whose certificates are trusted, in place of the system's; relative to sluice.yaml"},
    {"proxy", OPTION_STRING, 0, NULL, NULL, NULL,
     "way out for requests: http://, https:// or socks5h://[USER:PASSWORD@]HOST:PORT; variables of the environment do not "
     "count"},
    {"no_proxy", OPTION_LIST, 0, NULL, NULL, NULL, "hosts that are reached without it: `intern.example.com`, `*.example.com`"},
    {"client_cert", OPTION_STRING, 0, NULL, NULL, NULL,
     "PEM file of a certificate, for sources that ask for one (mutual TLS); relative to sluice.yaml"},
    {"client_key", OPTION_STRING, 0, NULL, NULL, NULL, "PEM file of its key, which nobody else may read"},
    {"client_key_password", OPTION_STRING, 0, NULL, NULL, NULL, "of the key"},
    {"tls_min", OPTION_ENUM, 0, "1.2", "1.2|1.3", NULL, "the oldest version of TLS that is spoken with a source"},
};
static const struct option_table NETWORK_OPTIONS = OPTION_TABLE("network", NETWORK_ARRAY);

static const struct option COMMIT_ARRAY[] = {
    {"bytes", OPTION_SIZE, 0, "8MiB", NULL, NULL, "a load is committed at this size"},
    {"seconds", OPTION_DURATION, 0, "30", NULL, NULL, "... or at this age"},
};
static const struct option_table COMMIT_OPTIONS = OPTION_TABLE("commit", COMMIT_ARRAY);

static const struct option PIPELINE_ARRAY[] = {
    {"connector", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "a connector's name, or the path of a .lua file or folder"},
    {"config", OPTION_ANY, 0, NULL, NULL, NULL, "the connector's configuration: see `sluice connector describe NAME`"},
    {"destination", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "a name from `destinations`"},
    {"schema", OPTION_STRING, 0, NULL, NULL, NULL, "overrides the destination's schema"},
    {"schedule", OPTION_ANY, 0, NULL, NULL, NULL,
     "when the service runs it: 15m, \"30 2 * * MON-FRI\", continuous, manual (the default), or a map; `sluice run` runs it at "
     "once"},
    {"network", OPTION_MAP, 0, NULL, NULL, &NETWORK_OPTIONS, "where requests may go"},
    {"rate_limit", OPTION_ANY, 0, NULL, NULL, NULL, "replaces the connector's: a map, or a list of maps that all hold"},
    {"concurrency", OPTION_INTEGER, 0, "4", "1..64", NULL, "slices at once"},
    {"commit", OPTION_MAP, 0, NULL, NULL, &COMMIT_OPTIONS, "how much one load holds"},
    {"memory", OPTION_SIZE, 0, "32MiB", NULL, NULL, "pages and rows in memory at once"},
    {"defaults", OPTION_MAP, 0, NULL, NULL, &STREAM_OPTIONS, "for every stream"},
    {"streams", OPTION_ANY, 0, NULL, NULL, NULL, "names, or a map of name to settings; default: every stream"},
    {"monitors", OPTION_MAP, 0, NULL, NULL, &MONITOR_OPTIONS, "what the service watches of it, see service.alerts"},
    {"webhook", OPTION_MAP, 0, NULL, NULL, &WEBHOOK_OPTIONS,
     "in place of a connector: events that are sent to the service, at /webhooks/PIPELINE/STREAM"},
};
static const struct option_table PIPELINE_OPTIONS = OPTION_TABLE("a pipeline", PIPELINE_ARRAY);

static const struct option PROJECT_ARRAY[] = {
    {"connectors", OPTION_MAP_OF, 0, NULL, NULL, NULL, "names for connectors: name -> path"},
    {"destinations", OPTION_ANY, OPTION_REQUIRED, NULL, NULL, NULL, "where rows go: name -> { type: postgres | csv, ... }"},
    {"pipelines", OPTION_MAP_OF, OPTION_REQUIRED, NULL, NULL, &PIPELINE_OPTIONS, "what is moved: name -> settings"},
    {"service", OPTION_MAP, 0, NULL, NULL, &SERVICE_OPTIONS, "how `sluice serve` works"},
};
const struct option_table PROJECT_OPTIONS = OPTION_TABLE("sluice.yaml", PROJECT_ARRAY);

const char *sync_mode_name(enum sync_mode mode)
{
    return mode == SYNC_FULL_REFRESH ? "full_refresh" : mode == SYNC_INCREMENTAL ? "incremental" : "default";
}

static void read_columns(const struct node *columns, struct arena *arena, struct stream_choice *choice)
{
    if (!columns || columns->count == 0) return;
    const char **blocked = arena_array(arena, const char *, columns->count);
    const char **reasons = arena_array(arena, const char *, columns->count);
    size_t count = 0;
    for (size_t i = 0; i < columns->count; i++) {
        const struct node *column = &columns->children[i];
        if (option_boolean(&COLUMN_OPTIONS, column, "enabled")) continue;
        blocked[count] = arena_text(arena, column->key);
        reasons[count++] = option_text(&COLUMN_OPTIONS, column, "reason");
    }
    choice->blocked = blocked;
    choice->blocked_reasons = reasons;
    choice->blocked_count = count;
}

/* Reads a stream's settings over what `choice` already holds (the pipeline's defaults). */
static void read_stream(const struct node *node, struct arena *arena, struct stream_choice *choice)
{
    choice->node = node;
    if (option_is_set(node, "sync_mode"))
        choice->sync_mode =
            str_equal(node_text(node_get(node, "sync_mode")), STR("incremental")) ? SYNC_INCREMENTAL : SYNC_FULL_REFRESH;
    if (option_is_set(node, "write_mode"))
        choice->has_write_mode = write_mode_from_name(node_text(node_get(node, "write_mode")), &choice->write_mode);
    if (option_is_set(node, "table")) choice->table = option_text(&STREAM_OPTIONS, node, "table");
    if (option_is_set(node, "primary_key"))
        choice->primary_key = option_texts(node, "primary_key", arena, &choice->primary_key_count);
    if (option_is_set(node, "cursor")) choice->cursor = option_text(&STREAM_OPTIONS, node, "cursor");
    if (option_is_set(node, "select")) choice->select = option_texts(node, "select", arena, &choice->select_count);
    if (option_is_set(node, "columns")) read_columns(node_get(node, "columns"), arena, choice);
    if (option_is_set(node, "on_mismatch"))
        choice->on_mismatch =
            str_equal(node_text(node_get(node, "on_mismatch")), STR("reject")) ? MISMATCH_REJECT : MISMATCH_SET_NULL;
    if (option_is_set(node, "on_conflict"))
        choice->keeps_first = str_equal(node_text(node_get(node, "on_conflict")), STR("nothing"));
    if (option_is_set(node, "swap")) choice->in_place = str_equal(node_text(node_get(node, "swap")), STR("in_place"));
    if (option_is_set(node, "max_records")) choice->max_records = option_integer(&STREAM_OPTIONS, node, "max_records");
    if (option_is_set(node, "max_pages")) choice->max_pages = option_integer(&STREAM_OPTIONS, node, "max_pages");
    if (option_is_set(node, "shrink_limit")) choice->shrink_limit = option_number(&STREAM_OPTIONS, node, "shrink_limit");
}

static void read_streams(const struct node *streams, struct arena *arena, struct pipeline *pipeline)
{
    if (!streams) return;
    struct stream_choice *choices = arena_array(arena, struct stream_choice, streams->count + 1);
    for (size_t i = 0; i < streams->count; i++) {
        const struct node *child = &streams->children[i];
        bool is_map = streams->kind == NODE_MAP;
        choices[i] = pipeline->defaults;
        choices[i].node = child;
        choices[i].name = arena_text(arena, is_map ? child->key : node_text(child));
        if (is_map && child->kind != NODE_NULL) read_stream(child, arena, &choices[i]);
    }
    pipeline->chooses_streams = true;
    pipeline->streams = choices;
    pipeline->stream_count = streams->count;
}

/* The destination's keys with the pipeline's `schema` in place of its own, and without `type`. */
static const struct node *merge_destination(const struct node *destination, const struct node *pipeline, struct arena *arena)
{
    const struct node *schema = node_get(pipeline, "schema");
    struct node *children = arena_array(arena, struct node, destination->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < destination->count; i++) {
        struct str key = destination->children[i].key;
        if (str_equal(key, STR("type")) || (schema && str_equal(key, STR("schema")))) continue;
        children[count++] = destination->children[i];
    }
    if (schema) children[count++] = *schema;
    struct node *merged = arena_new(arena, struct node);
    *merged = *destination;
    merged->children = children;
    merged->count = count;
    return merged;
}

/* --- checking: everything at once, before anything is read --------------------------------------------------------------- */

static void no_destination(const struct node *root, const struct node *pipeline, const char *path, struct problems *problems)
{
    const struct node *destinations = node_get(root, "destinations");
    const struct node *wanted = node_get(pipeline, "destination");
    problems_add(problems, wanted, "%s: unknown destination '%s'", path, node_cstr(wanted, ""));
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; destinations && i < destinations->count && count < ARRAY_SIZE(names); i++)
        names[count++] = destinations->children[i].key.data;
    const char *nearest = str_nearest(node_text(wanted), names, count, sizeof names[0]);
    if (nearest)
        problems_hint(problems, "did you mean '%s'?", nearest);
    else
        problems_hint(problems, "add it under `destinations:`");
}

static const struct writer_type *read_writer_type(const struct node *destination, const char *path, struct problems *problems)
{
    const struct node *type = node_get(destination, "type");
    const struct writer_type *writer = type ? writer_type_find(node_text(type)) : NULL;
    if (writer) return writer;
    struct buf known = BUF_INIT(256);
    size_t count;
    const struct writer_type *const *types = writer_types(&count);
    for (size_t i = 0; i < count; i++) buf_printf(&known, "%s%s", i ? ", " : "", types[i]->name);
    if (type)
        problems_add(problems, type, "%s: unknown type '%s'", path, node_cstr(type, ""));
    else
        problems_add(problems, destination, "%s: 'type' is missing", path);
    problems_hint(problems, "one of: %s", buf_text(&known));
    buf_release(&known);
    return NULL;
}

/* A stream's own setting, or the pipeline's default for it. */
static struct str setting_of(const struct node *stream, const struct node *defaults, const char *key)
{
    const struct node *own = node_get(stream, key);
    return node_text(own ? own : node_get(defaults, key));
}

static void check_modes(const struct node *stream, const struct node *defaults, const char *path, struct problems *problems)
{
    bool says_nothing = !node_get(stream, "sync_mode") && !node_get(stream, "write_mode");
    if (says_nothing || !str_equal(setting_of(stream, defaults, "sync_mode"), STR("incremental")) ||
        !str_equal(setting_of(stream, defaults, "write_mode"), STR("overwrite")))
        return;
    problems_add(problems, stream, "%s: incremental cannot overwrite: each run would keep only what is new", path);
    problems_hint(problems, "use write_mode append_dedup, or sync_mode full_refresh");
}

static void check_streams(const struct node *streams, const struct node *defaults, const char *path, struct arena *arena,
                          struct problems *problems)
{
    if (defaults && defaults->kind == NODE_MAP) check_modes(defaults, NULL, arena_printf(arena, "%s.defaults", path), problems);
    if (option_is_set(defaults, "schedule")) {
        problems_add(problems, node_get(defaults, "schedule"), "%s.defaults: schedule is for a single stream", path);
        problems_hint(problems, "write it one level up: what the pipeline says is for every stream");
    }
    if (!streams) return;
    if (streams->kind != NODE_LIST && streams->kind != NODE_MAP) {
        problems_add(problems, streams, "%s.streams: expected a list of names or a map, got %s", path,
                     node_kind_name(streams->kind));
        return;
    }
    for (size_t i = 0; i < streams->count; i++) {
        const struct node *child = &streams->children[i];
        if (streams->kind == NODE_LIST && !node_is_scalar(child))
            problems_add(problems, child, "%s.streams: expected a stream's name, got %s", path, node_kind_name(child->kind));
        if (streams->kind != NODE_MAP || child->kind == NODE_NULL) continue;
        const char *below = arena_printf(arena, "%s.streams." STR_FMT, path, STR_ARG(child->key));
        option_check(&STREAM_OPTIONS, child, below, problems);
        if (child->kind == NODE_MAP) check_modes(child, defaults, below, problems);
    }
}

/* `swap` is about tables. */
static void check_swap(const struct writer_type *writer, const struct node *settings, const char *path,
                       struct problems *problems)
{
    if (writer->has_tables || !option_is_set(settings, "swap")) return;
    problems_add(problems, node_get(settings, "swap"), "%s: swap is for a destination with tables, and this one is of type %s",
                 path, writer->name);
    problems_hint(problems, "leave it out");
}

/* A pipeline that this run does not use is only looked at from outside: its references were left alone. */
static void check_pipeline(const struct node *root, const struct node *node, bool used, struct arena *arena,
                           struct problems *problems)
{
    const char *path = arena_printf(arena, "pipelines." STR_FMT, STR_ARG(node->key));
    const struct node *wanted = node_get(node, "destination");
    const struct node *rate_limit = node_get(node, "rate_limit");
    struct limits limits;
    uint64_t memory;
    if (node->kind != NODE_MAP) return;
    if (rate_limit && rate_limit->kind != NODE_NULL)
        limits_compile(rate_limit, arena_printf(arena, "%s.rate_limit", path), NULL, arena, &limits, problems);
    hook_settings_check(node, path, problems);
    check_streams(node_get(node, "streams"), node_get(node, "defaults"), path, arena, problems);
    if (size_parse(node_text(node_get(node, "memory")), &memory) && memory < MEMORY_MIN)
        problems_add(problems, node_get(node, "memory"), "%s: memory must be at least 4MiB", path);
    if (!wanted || !node_is_scalar(wanted)) return;
    const struct node *destination = node_get(node_get(root, "destinations"), node_cstr(wanted, ""));
    if (!destination) {
        no_destination(root, node, path, problems);
        return;
    }
    const char *destination_path = arena_printf(arena, "destinations.%s", node_cstr(wanted, ""));
    if (destination->kind != NODE_MAP) {
        problems_add(problems, destination, "%s: expected a map, got %s", destination_path, node_kind_name(destination->kind));
        return;
    }
    const struct writer_type *writer = read_writer_type(destination, destination_path, problems);
    const struct node *streams = node_get(node, "streams");
    if (writer) check_swap(writer, node_get(node, "defaults"), arena_printf(arena, "%s.defaults", path), problems);
    for (size_t i = 0; writer && streams && streams->kind == NODE_MAP && i < streams->count; i++)
        check_swap(writer, &streams->children[i],
                   arena_printf(arena, "%s.streams." STR_FMT, path, STR_ARG(streams->children[i].key)), problems);
    if (writer && used) option_check(writer->options, merge_destination(destination, node, arena), destination_path, problems);
}

static bool is_used(const struct node *pipeline, const char *only)
{
    return !only || str_equal(pipeline->key, str_from(only));
}

static void check_project(const struct node *root, const char *only, struct arena *arena, struct problems *problems)
{
    option_check(&PROJECT_OPTIONS, root, "", problems);
    service_settings_check(node_get(root, "service"), problems);
    const struct node *pipelines = node_get(root, "pipelines");
    for (size_t i = 0; pipelines && pipelines->kind == NODE_MAP && i < pipelines->count; i++)
        check_pipeline(root, &pipelines->children[i], is_used(&pipelines->children[i], only), arena, problems);
}

/* --- reading what was checked --------------------------------------------------------------------------------------------- */

static void read_pipeline(const struct node *root, const struct node *node, struct arena *arena, struct pipeline *pipeline)
{
    *pipeline = (struct pipeline){.name = arena_text(arena, node->key), .node = node};
    pipeline->connector = option_text(&PIPELINE_OPTIONS, node, "connector");
    pipeline->config = node_get(node, "config");
    pipeline->destination = option_text(&PIPELINE_OPTIONS, node, "destination");
    if (option_is_set(node, "rate_limit")) pipeline->rate_limit = node_get(node, "rate_limit");
    if (node_get(node, "webhook")) {
        struct hook_settings *webhook = arena_new(arena, struct hook_settings);
        hook_settings_read(node_get(node, "webhook"), pipeline->name, arena, webhook);
        pipeline->webhook = webhook;
    }
    pipeline->concurrency = (int)option_integer(&PIPELINE_OPTIONS, node, "concurrency");
    pipeline->memory_bytes = (size_t)option_size_bytes(&PIPELINE_OPTIONS, node, "memory");
    const struct node *network = node_get(node, "network");
    pipeline->allow_private = option_boolean(&NETWORK_OPTIONS, network, "allow_private");
    pipeline->allow_hosts = option_texts(network, "allow_hosts", arena, &pipeline->allow_host_count);
    pipeline->ca_file = option_text(&NETWORK_OPTIONS, network, "ca_file");
    pipeline->proxy = option_text(&NETWORK_OPTIONS, network, "proxy");
    pipeline->no_proxy = option_texts(network, "no_proxy", arena, &pipeline->no_proxy_count);
    pipeline->client_cert = option_text(&NETWORK_OPTIONS, network, "client_cert");
    pipeline->client_key = option_text(&NETWORK_OPTIONS, network, "client_key");
    pipeline->client_key_password = option_text(&NETWORK_OPTIONS, network, "client_key_password");
    pipeline->needs_tls_1_3 = strcmp(option_text(&NETWORK_OPTIONS, network, "tls_min"), "1.3") == 0;
    const struct node *commit = node_get(node, "commit");
    pipeline->commit_bytes = (size_t)option_size_bytes(&COMMIT_OPTIONS, commit, "bytes");
    pipeline->commit_ms = option_duration_ms(&COMMIT_OPTIONS, commit, "seconds");

    pipeline->defaults = (struct stream_choice){.on_mismatch = MISMATCH_SET_NULL, .shrink_limit = 0.5};
    const struct node *defaults = node_get(node, "defaults");
    if (defaults) read_stream(defaults, arena, &pipeline->defaults);
    read_streams(node_get(node, "streams"), arena, pipeline);

    const struct node *destination = node_get(node_get(root, "destinations"), pipeline->destination);
    pipeline->writer = writer_type_find(node_text(node_get(destination, "type")));
    pipeline->destination_node = merge_destination(destination, node, arena);
}

/* Pipelines of webhooks as what they are: readers of a journal. */
static const struct node *with_webhooks(const struct node *root, struct arena *arena, struct problems *problems)
{
    const struct node *pipelines = node_get(root, "pipelines");
    if (!node_is(pipelines, NODE_MAP)) return root;
    struct node *list = arena_array(arena, struct node, pipelines->count + 1), *out = arena_new(arena, struct node);
    struct node *children = arena_array(arena, struct node, root->count + 1);
    for (size_t i = 0; i < pipelines->count; i++) {
        const struct node *pipeline = &pipelines->children[i];
        list[i] =
            *hook_as_pipeline(pipeline, arena_printf(arena, "pipelines." STR_FMT, STR_ARG(pipeline->key)), arena, problems);
    }
    memcpy(children, root->children, root->count * sizeof *children);
    children[pipelines - root->children].children = list;
    *out = *root;
    out->children = children;
    return out;
}

/* Is this part of the file read in this run? Only what is gets its references expanded. */
struct used_parts {
    const struct node *raw;
    const char *only;
};

/* A run of a pipeline needs nothing of the service's but what opens its tokens. */
static bool service_part_is_used(const struct used_parts *used, const char *path)
{
    if (strcmp(used->only, PROJECT_SERVICE) == 0) return true;
    if (!node_get(node_get(used->raw, "service"), "token_key")) return false;
    return strcmp(path, "service") == 0 || strcmp(path, "service.store") == 0 || strcmp(path, "service.token_key") == 0;
}

static bool is_or_is_below(const char *path, const char *name)
{
    size_t size = strlen(name);
    return strncmp(path, name, size) == 0 && (path[size] == '\0' || path[size] == '.');
}

/* `part`: "shop", "shop.webhook". The service verifies what it receives, and needs nothing else of a pipeline; a run does not.
 */
static bool pipeline_part_is_used(const struct used_parts *used, const char *part)
{
    struct str rest = str_from(part);
    bool is_webhook = str_ends(rest, STR(".webhook")), is_whole = node_get(node_get(used->raw, "pipelines"), part) != NULL;
    if (strcmp(used->only, PROJECT_SERVICE) == 0) return is_whole || is_webhook;
    return is_or_is_below(part, used->only) && !is_webhook;
}

static bool part_is_used(void *context, const char *path)
{
    const struct used_parts *used = context;
    if (!used->only) return true;
    if (strcmp(used->only, PROJECT_NOTHING) == 0) return false;
    const struct node *pipeline = node_get(node_get(used->raw, "pipelines"), used->only);
    if (strncmp(path, "service", 7) == 0) return service_part_is_used(used, path);
    if (strncmp(path, "pipelines.", 10) == 0) return pipeline_part_is_used(used, path + 10);
    if (strncmp(path, "destinations.", 13) == 0) {
        const char *name = node_cstr(node_get(pipeline, "destination"), "");
        return is_or_is_below(path + 13, name);
    }
    return true;
}

static void read_project(const struct node *root, struct arena *arena, struct project *project)
{
    const struct node *pipelines = node_get(root, "pipelines");
    struct pipeline *list = arena_array(arena, struct pipeline, pipelines->count + 1);
    project->root = root;
    project->connectors = node_get(root, "connectors");
    for (size_t i = 0; i < pipelines->count; i++) read_pipeline(root, &pipelines->children[i], arena, &list[i]);
    project->pipelines = list;
    project->pipeline_count = pipelines->count;
    service_settings_read(node_get(root, "service"), arena, &project->service);
}

/* What is wrong in the file itself, added to what is wrong with its references: those left a gap, whose line has been told of.
 */
static void check_expanded(const struct node *root, const char *only, struct arena *arena, struct problems *problems)
{
    const size_t told = problems_listed(problems);
    struct problems found = PROBLEMS_INIT(arena);
    check_project(root, only, arena, &found);
    for (size_t i = 0; i < problems_listed(&found); i++) {
        const struct problem *problem = &found.list[i];
        const struct node place = {.file = problem->file, .line = problem->line};
        bool is_told = false;
        for (size_t j = 0; j < told; j++) is_told = is_told || (problem->line && problems->list[j].line == problem->line);
        if (is_told) continue;
        problems_add(problems, &place, "%s", problem->message);
        if (problem->hint) problems_hint(problems, "%s", problem->hint);
    }
}

void project_load(const char *file, const char *only, bool is_replayed, struct secrets *secrets, struct arena *arena,
                  const struct project **out, struct problems *problems)
{
    struct buf text = BUF_INIT(FILE_MAX);
    struct err err = ERR_INIT;
    const struct node *raw = NULL;
    *out = NULL;
    if (fs_read_file(file, FILE_MAX, &text, &err) != 0 ||
        node_from_yaml(arena_copy(arena, buf_str(&text)), arena_strdup(arena, file), arena, &raw, &err) != 0) {
        problems_add(problems, NULL, "%s", err.message);
        problems_hint(problems, "%s", err.hint[0] ? err.hint : "`sluice init` writes a sluice.yaml to start from");
        buf_release(&text);
        return;
    }
    buf_release(&text);
    project_read(raw, file, only, is_replayed, secrets, arena, out, problems);
}

void project_read(const struct node *raw, const char *file, const char *only, bool is_replayed, struct secrets *secrets,
                  struct arena *arena, const struct project **out, struct problems *problems)
{
    *out = NULL;
    struct project *project = arena_new(arena, struct project);
    project->file = arena_strdup(arena, file);
    const char *slash = strrchr(project->file, '/');
    project->folder = slash ? arena_text(arena, (struct str){project->file, (size_t)(slash - project->file)}) : ".";

    const struct node *pipelines = node_get(raw, "pipelines");
    if (only && !only[0] && node_is(pipelines, NODE_MAP) && pipelines->count == 1)
        only = arena_text(arena, pipelines->children[0].key); /* the one that is meant */
    struct used_parts used = {raw, only};
    const struct node *root = reference_expand(with_webhooks(raw, arena, problems), project->folder, is_replayed, part_is_used,
                                               &used, secrets, arena, problems);
    check_expanded(root, only, arena, problems);
    if (problems->count > 0) return;
    read_project(root, arena, project);
    *out = project;
}

const char *project_store(const struct project *project, struct arena *arena)
{
    const char *store = project->service.store;
    return !store || strstr(store, "://") ? store : fs_join(arena, project->folder, store);
}

const struct pipeline *project_pipeline(const struct project *project, const char *name)
{
    for (size_t i = 0; i < project->pipeline_count; i++)
        if (strcmp(project->pipelines[i].name, name) == 0) return &project->pipelines[i];
    return NULL;
}
