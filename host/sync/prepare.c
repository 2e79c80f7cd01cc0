/* prepare: the part of sync.h that comes before the destination: find, describe, resolve, compile, ask for fields where a
 * stream has them listed (the only part that may need the network), plan; and the client and destination made from that. */
#include <stdlib.h>
#include <string.h>

#include "connector/parser.h"
#include "data/block.h"
#include "hook/settings.h"
#include "net/auth.h"
#include "net/cassette.h"
#include "net/guard.h"
#include "net/limit.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/log.h"
#include "os/secret.h"
#include "rest/access.h"
#include "sync/discovery.h"
#include "sync/grant.h"
#include "sync/prepare.h"

static int find_connector(struct sync_prepared *prepared, struct err *err)
{
    const struct project *project = prepared->options.project;
    const char *name = prepared->options.pipeline->connector;
    const struct node *named = node_get(project->connectors, name);
    struct connector_path path = {.base = project->folder};
    if (named) name = node_cstr(named, "");
    int rc = connector_find(&path, name, &prepared->arena, &prepared->connector, err);
    return rc ? rc : connector_read(prepared->connector, &prepared->arena, &prepared->sources, err);
}

/* The names of the config entries that hold a secret: what sluice.crypto may use. */
static void list_secrets(struct sync_prepared *prepared)
{
    const struct config_table *table = prepared->config->table;
    const char **names = arena_array(&prepared->arena, const char *, table->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        if (config_is_handle(&table->entries[i]) && prepared->config->values[i].is_set) names[count++] = table->entries[i].name;
    prepared->connector_options.secret_names = names;
    prepared->connector_options.secret_count = count;
}

static const struct parser *known_parser(const struct parser *const *parsers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(parsers[i]->name, name) == 0) return parsers[i];
    return NULL;
}

/* Loads each parser that a stream names, once, and looks at what it is configured with there. */
static int load_parsers(struct sync_prepared *prepared, struct problems *problems, struct err *err)
{
    struct arena *arena = &prepared->arena;
    struct connector_options *options = &prepared->connector_options;
    const struct connector_path path = {.base = prepared->options.project->folder};
    const struct parser_use *uses;
    const struct config *config;
    size_t use_count = description_parsers(prepared->description, arena, &uses), count = 0;
    const struct parser **parsers = arena_array(arena, const struct parser *, use_count + 1);
    for (size_t i = 0; i < use_count; i++) {
        const char *name = uses[i].format->plugin;
        const struct parser *parser = known_parser(parsers, count, name);
        if (!parser) parser = known_parser(options->parsers, options->parser_count, name); /* streams that are listed: again */
        int rc = parser ? 0 : parser_load(&path, prepared->connector, name, options, arena, &parser, err);
        if (rc) return err_context(err, "connector '%s': %s", prepared->sources.name, uses[i].place);
        if (!known_parser(parsers, count, name)) parsers[count++] = parser;
        const char *place = arena_printf(arena, "connector '%s': %s.config", prepared->sources.name, uses[i].place);
        config_resolve(&parser->config, uses[i].format->config, place, NULL, arena, &config, problems);
    }
    options->parsers = parsers;
    options->parser_count = count;
    return 0;
}

int prepare_compile(struct sync_prepared *prepared, const struct node *root, struct problems *problems, struct err *err)
{
    struct arena *arena = &prepared->arena;
    const struct pipeline *pipeline = prepared->options.pipeline;
    struct config_table *table = arena_new(arena, struct config_table);
    config_table_read(node_get(root, "config"), arena, table, problems);
    if (problems->count == 0)
        config_resolve(table, pipeline->config, arena_printf(arena, "pipelines.%s.config", pipeline->name),
                       prepared->options.secrets, arena, &prepared->config, problems);
    if (problems->count == 0) description_compile(root, prepared->config, arena, &prepared->description, problems);
    if (problems->count) return 0;
    list_secrets(prepared);
    const char *profile = prepared->description->profile;
    if (prepared->sources.is_native && profile)
        prepared->connector_options.grant =
            grant_make(profile, prepared->config, prepared->options.project->folder, pipeline->allow_private, arena);
    return load_parsers(prepared, problems, err);
}

/* Only a plugin has a profile, and only a plugin can read what no request reads. */
static void check_native(const struct sync_prepared *prepared, const struct node *root, struct problems *problems)
{
    const struct node *streams = node_get(root, "streams");
    if (prepared->sources.is_native) return;
    if (node_get(root, "profile")) problems_add(problems, NULL, "profile: only a native plugin has one");
    for (size_t i = 0; streams && i < streams->count; i++)
        if (str_equal(node_text(node_get(&streams->children[i], "native")), STR("true")))
            problems_add(problems, NULL, "streams." STR_FMT ": only a native plugin has native streams",
                         STR_ARG(streams->children[i].key));
}

static int describe(struct sync_prepared *prepared, struct problems *problems, struct err *err)
{
    struct str json;
    const struct node *root;
    int rc = find_connector(prepared, err);
    if (rc == 0)
        rc = connector_describe_sources(&prepared->sources, &prepared->connector_options, &prepared->arena, &json, err);
    if (rc == 0) rc = description_read(json, &prepared->arena, &root, err);
    if (rc) return rc;
    struct problems mistakes = PROBLEMS_INIT(&prepared->arena);
    description_check(root, &mistakes);
    check_native(prepared, root, &mistakes);
    for (size_t i = 0; i < problems_listed(&mistakes); i++) {
        problems_add(problems, NULL, "connector '%s': %s", prepared->sources.name, mistakes.list[i].message);
        if (mistakes.list[i].hint) problems_hint(problems, "%s", mistakes.list[i].hint);
    }
    if (mistakes.count) return 0;
    prepared->root = root;
    return prepare_compile(prepared, root, problems, err);
}

/* A webhook that nobody has sent to yet has nothing to load, which is no mistake. */
static int make_journal(struct sync_prepared *prepared, struct err *err)
{
    const struct hook_settings *webhook = prepared->options.pipeline->webhook;
    if (!webhook) return 0;
    return fs_make_folders(fs_join(&prepared->arena, prepared->options.project->folder, webhook->journal), 0700, err);
}

int sync_prepare(const struct sync_options *options, struct sync_prepared **out, struct problems *problems, struct err *err)
{
    struct sync_prepared *prepared = mem_zero(1, sizeof *prepared);
    prepared->options = *options;
    prepared->own_tokens = TOKENS_INIT;
    if (!options->tokens) prepared->options.tokens = &prepared->own_tokens;
    struct clock *replayed = options->cassette ? cassette_clock(options->cassette) : NULL;
    prepared->source_clock = replayed ? replayed : options->clock;
    /* A recording says when it began, and its replay begins then: so it did. */
    prepared->now_us = options->cassette ? cassette_now_us(options->cassette) : clock_wall_us(prepared->source_clock);
    prepared->budget = budget_new(options->pipeline->memory_bytes);
    prepared->connector_options = (struct connector_options){
        .now_us = prepared->now_us, .secrets = options->secrets, .log = options->log, .cancel = options->cancel};
    crypto_random(&prepared->connector_options.seed, sizeof prepared->connector_options.seed);
    int rc = make_journal(prepared, err);
    if (rc == 0) rc = describe(prepared, problems, err);
    if (rc == 0 && problems->count == 0 && !prepared->description->base_is_captured)
        rc = access_own(prepared->description, prepared->config, prepared->now_us, &prepared->own, err);
    bool plans = !options->tokens_only;
    if (rc == 0 && problems->count == 0 && plans) rc = discover(prepared, problems, err);
    if (rc == 0 && problems->count == 0 && plans)
        plan_make(prepared->description, options->pipeline, &options->request, &prepared->arena, &prepared->plan, problems);
    *out = NULL;
    if (rc || problems->count) {
        sync_prepared_free(prepared);
        return rc;
    }
    *out = prepared;
    return 0;
}

void sync_prepared_free(struct sync_prepared *prepared)
{
    if (!prepared) return;
    plan_release(&prepared->plan);
    guard_free(prepared->own);
    budget_free(prepared->budget);
    tokens_release(&prepared->own_tokens);
    arena_release(&prepared->arena);
    free(prepared);
}

/* Where the tokens of a credential are kept. Without a state directory: nowhere, with a warning, unless one would be lost. */
static int open_token_store(const struct sync_prepared *prepared, const struct auth_spec *spec, struct cancel *cancel,
                            struct arena *arena, struct token_store **store, struct err *err)
{
    char *folder;
    char name[SHA256_HEX_SIZE];
    struct err problem = ERR_INIT;
    *store = NULL;
    auth_identity(spec, name);
    if (prepared->options.token_store) {
        *store = prepared->options.token_store(prepared->options.token_context, name, cancel);
        return 0;
    }
    if (fs_state_folder(prepared->options.state_folder, arena, &folder, &problem) != 0) {
        if (auth_is_login(spec) || spec->oauth2.grant == AUTH_REFRESH_TOKEN) return err_copy(err, &problem);
        if (prepared->options.log)
            log_warn(prepared->options.log, "tokens are not shared with other syncs: %s", problem.message);
        return 0;
    }
    *store = token_store_file(arena_printf(arena, "%s/tokens/%s.json", folder, name), prepared->options.clock, cancel);
    return 0;
}

/* What a replay spends and is given is nobody else's: it shares neither limits nor tokens. */
static bool is_replay(const struct sync_prepared *prepared)
{
    return prepared->source_clock != prepared->options.clock;
}

/* A recording has one token call: that of the client that logs in first, or of the only one. */
static bool records_login(const struct sync_prepared *prepared)
{
    const struct sync_options *options = &prepared->options;
    return options->cassette && !is_replay(prepared) && !options->goes_on && prepared->config->facts->count == 0;
}

int prepare_auth(const struct sync_prepared *prepared, struct cancel *cancel, struct arena *arena, struct auth **out,
                 struct err *err)
{
    struct auth_spec *spec = arena_new(arena, struct auth_spec);
    struct auth_options options = {
        .clock = prepared->source_clock, .secrets = prepared->options.secrets, .fetches_always = records_login(prepared)};
    int rc = access_auth(prepared->description, prepared->config, prepared->now_us, arena, spec, err);
    if (rc != 0) return rc;
    if (auth_is_login(spec)) {
        spec->oauth2.login = str_from(prepared->options.pipeline->name);
        if (is_replay(prepared)) spec->oauth2.refresh_token = STR("of the recorded login");
    }
    if (auth_keeps_tokens(spec) && is_replay(prepared))
        options.store = token_store_memory(prepared->options.tokens);
    else if (auth_keeps_tokens(spec))
        rc = open_token_store(prepared, spec, cancel, arena, &options.store, err);
    return rc ? rc : auth_new(spec, &options, out, err);
}

/* Where limits are shared; NULL, with a warning, where there is no state directory. */
static const char *limit_folder(const struct sync_prepared *prepared, struct arena *arena)
{
    struct err err = ERR_INIT;
    char *folder = NULL;
    bool has_limits = prepared->options.pipeline->rate_limit || prepared->description->limits.count > 0;
    if (!has_limits || is_replay(prepared) || fs_state_folder(prepared->options.state_folder, arena, &folder, &err) == 0)
        return folder;
    if (prepared->options.log) log_warn(prepared->options.log, "rate limits are not shared with other syncs: %s", err.message);
    return NULL;
}

static void take_facts(struct sync_prepared *prepared, const struct auth *auth)
{
    const struct node *captured = node_get(prepared->description->auth, "capture");
    struct config_fact *list = arena_array(&prepared->arena, struct config_fact, captured->count);
    for (size_t i = 0; i < captured->count; i++) {
        struct buf value = BUF_INIT(TOKEN_MAX_BYTES);
        auth_fact(auth, captured->children[i].key, &value);
        list[i] = (struct config_fact){captured->children[i].key, arena_copy(&prepared->arena, buf_str(&value))};
        buf_release(&value);
    }
    prepared->config->facts->list = list;
    prepared->config->facts->count = captured->count;
}

/* A path of the pipeline's; NULL stays NULL. */
static const char *path_of(struct sync_prepared *prepared, const char *path)
{
    return path ? fs_join(&prepared->arena, prepared->options.project->folder, path) : NULL;
}

/* How the network is reached. */
static int read_network(struct sync_prepared *prepared, struct client_options *options, struct err *err)
{
    const struct pipeline *pipeline = prepared->options.pipeline;
    options->ca_file = path_of(prepared, pipeline->ca_file);
    options->client_cert = path_of(prepared, pipeline->client_cert);
    options->client_key = path_of(prepared, pipeline->client_key);
    options->client_key_password = pipeline->client_key_password;
    options->needs_tls_1_3 = pipeline->needs_tls_1_3;
    if (!pipeline->client_cert != !pipeline->client_key) {
        err_set(err, ERR_CONFIG, "network.%s: there is no %s beside it", pipeline->client_cert ? "client_cert" : "client_key",
                pipeline->client_cert ? "client_key" : "client_cert");
        return err_hint(err, "a certificate and its key come in two files, or twice in one");
    }
    if (pipeline->client_key_password)
        (void)secrets_add(prepared->options.secrets, "network.client_key_password", str_from(pipeline->client_key_password));
    if (!pipeline->proxy) return 0;
    int rc = proxy_parse(pipeline->proxy, &prepared->arena, &options->proxy, err);
    if (rc == 0 && options->proxy.password && options->proxy.password[0])
        (void)secrets_add(prepared->options.secrets, "network.proxy", str_from(options->proxy.password));
    options->proxy.direct = pipeline->no_proxy;
    options->proxy.direct_count = pipeline->no_proxy_count;
    return rc;
}

/* What all clients of a pipeline have in common. */
static struct client_options common_options(struct sync_prepared *prepared, struct cancel *cancel)
{
    const struct sync_options *given = &prepared->options;
    struct client_options options = {.budget = prepared->budget,
                                     .secrets = given->secrets,
                                     .cassette = given->cassette,
                                     .clock = prepared->source_clock,
                                     .cancel = cancel,
                                     .log = given->log};
    return options;
}

int prepare_login_client(struct sync_prepared *prepared, struct cancel *cancel, struct auth **auth, struct client **out,
                         struct err *err)
{
    const struct access_overrides overrides = {.allow_private = prepared->options.pipeline->allow_private};
    struct client_options options = common_options(prepared, cancel);
    struct auth_spec spec;
    int rc = read_network(prepared, &options, err);
    if (rc == 0) rc = access_auth(prepared->description, prepared->config, prepared->now_us, &prepared->arena, &spec, err);
    if (rc == 0) rc = access_login_client(prepared->description, &spec, &overrides, &prepared->arena, &options, err);
    if (rc == 0) rc = prepare_auth(prepared, cancel, &prepared->arena, &options.auth, err);
    if (rc == 0 && auth) *auth = options.auth;
    return rc == 0 ? client_new(&options, out, err) : rc;
}

/* Where requests need what a login tells, that comes before the client they are sent with: its hosts depend on it. The token
 * is stored, so the client finds it. */
static int log_in_first(struct sync_prepared *prepared, struct cancel *cancel, struct err *err)
{
    struct auth *auth = NULL;
    struct client *client = NULL;
    if (!prepared->description->has_captures || prepared->config->facts->count > 0) return 0;
    int rc = prepare_login_client(prepared, cancel, &auth, &client, err);
    if (rc != 0) return rc;
    struct session *session = session_new(client);
    rc = session_log_in(session, err);
    if (rc == 0) take_facts(prepared, auth);
    session_free(session);
    client_free(client);
    if (rc == 0 && !prepared->own)
        rc = access_own(prepared->description, prepared->config, prepared->now_us, &prepared->own, err);
    return rc;
}

/* The other half of each of a pool's credentials. */
static int fill_pool(struct sync_prepared *prepared, struct credentials *pool, struct err *err)
{
    struct auth_options options = {.clock = prepared->source_clock, .secrets = prepared->options.secrets};
    struct auth_spec spec;
    int rc = access_auth(prepared->description, prepared->config, prepared->now_us, &prepared->arena, &spec, err);
    for (size_t i = 0; i < pool->count && rc == 0; i++) {
        struct auth_spec one = auth_of_pool(&spec, i);
        if (options.secrets) (void)secrets_add(options.secrets, "auth.pool", spec.pool[i]);
        rc = auth_new(&one, &options, &pool->list[i].auth, err);
        if (rc) err_context(err, "credential %zu of the pool", i + 1);
    }
    for (size_t i = 0; i < pool->count && rc != 0; i++) {
        auth_free(pool->list[i].auth);
        pool->list[i].auth = NULL;
    }
    return rc;
}

int sync_client(struct sync_prepared *prepared, struct cancel *cancel, struct client **out, struct err *err)
{
    const struct pipeline *pipeline = prepared->options.pipeline;
    struct arena *arena = &prepared->arena; /* the spec must live as long as the client */
    const struct access_overrides overrides = {.allow_hosts = pipeline->allow_hosts,
                                               .allow_host_count = pipeline->allow_host_count,
                                               .allow_private = pipeline->allow_private,
                                               .rate_limit = pipeline->rate_limit,
                                               .limit_folder = limit_folder(prepared, arena)};
    struct client_options options = common_options(prepared, cancel);
    int rc = read_network(prepared, &options, err);
    if (rc == 0) rc = log_in_first(prepared, cancel, err);
    if (rc == 0)
        rc = access_client(prepared->description, prepared->config, &overrides, prepared->now_us, arena, &options, err);
    if (rc) return rc;
    rc = options.pool.count ? fill_pool(prepared, &options.pool, err)
                            : prepare_auth(prepared, cancel, arena, &options.auth, err);
    if (rc) {
        access_release_limiters(&options);
        return rc;
    }
    return client_new(&options, out, err);
}

static int open_destination(const struct sync_prepared *prepared, bool look_only, struct cancel *cancel,
                            struct destination **out, struct err *err)
{
    const struct sync_options *options = &prepared->options;
    struct destination_options destination = {
        .name = options->pipeline->destination,
        .config = options->pipeline->destination_node,
        .folder = options->project->folder,
        .pipeline = options->pipeline->name,
        .memory = options->memory,
        .look_only = look_only,
        .secrets = options->secrets,
        .clock = options->clock,
        .cancel = cancel,
        .log = options->log,
    };
    return options->pipeline->writer->open(&destination, out, err);
}

int sync_destination(const struct sync_prepared *prepared, struct cancel *cancel, struct destination **out, struct err *err)
{
    return open_destination(prepared, false, cancel, out, err);
}

int sync_look_destination(const struct sync_prepared *prepared, struct cancel *cancel, struct destination **out,
                          struct err *err)
{
    return open_destination(prepared, true, cancel, out, err);
}

struct request_source sync_request_source(const struct sync_prepared *prepared, const struct flow_plan *flow)
{
    return (struct request_source){
        .description = prepared->description,
        .request = flow ? &flow->stream->request : NULL,
        .stream = flow ? flow->stream : NULL,
        .config = prepared->config,
        .own = prepared->own,
        .now_us = prepared->now_us,
    };
}
