/* How it works: hosts are gathered from wherever the description names one; the limiter and the client's options are made from
 * them. What `auth` says is read by access_auth.c. */
#include "base/check.h"
#include "net/limit.h"
#include "net/limit_file.h"
#include "net/url.h"
#include "os/crypto.h"
#include "os/log.h"
#include "rest/access_parts.h"
#include "rest/vocabulary.h"

/* A description's texts rendered for one configuration. */
static int render(const struct template *compiled, const struct config *config, int64_t now_us, struct arena *arena,
                  const char **text, struct err *err)
{
    struct template_values values = {.config = config, .now_us = now_us};
    bool has_secret = false;
    return template_text(compiled, &values, arena, text, &has_secret, err);
}

int access_base(const struct description *description, const struct config *config, int64_t now_us, struct arena *arena,
                struct url *base, struct err *err)
{
    const char *text;
    int rc = render(description->base, config, now_us, arena, &text, err);
    if (rc == 0) rc = url_parse(str_trim(str_from(text)), arena, base, err);
    return rc == 0 ? 0 : err_context(err, "http.base");
}

/* --- hosts --------------------------------------------------------------------------------------------------------------- */

struct host_list {
    const char **names;
    size_t count;
    bool speaks_http; /* one of the URLs does */
};

/* "host:port", so that another port of the same machine is another place. */
static void add_url(struct host_list *list, const struct url *url, struct arena *arena)
{
    const char *format = strchr(url->host, ':') ? "[%s]:%d" : "%s:%d";
    list->names[list->count++] = arena_printf(arena, format, url->host, url->port);
    list->speaks_http = list->speaks_http || strcmp(url->scheme, "http") == 0;
}

static int add_token_url(struct host_list *list, struct auth_spec *spec, struct arena *arena, struct err *err)
{
    struct url url;
    const char **text = access_token_url(spec);
    if (!text) return 0;
    int rc = url_parse(str_from(*text), arena, &url, err);
    if (rc != 0) return err_context(err, "%s", access_token_key(spec));
    add_url(list, &url, arena);
    return 0;
}

/* The connector's own, with room for `more`. A base that a login told is no host of the connector's by itself: it must lie in
 * http.hosts, so that an answer cannot send secrets elsewhere; nor may it fall back to plain http where the login did not. */
static int list_hosts(const struct description *description, const struct config *config, int64_t now_us, size_t more,
                      struct arena *arena, struct host_list *list, struct err *err)
{
    struct url url;
    struct auth_spec spec;
    *list = (struct host_list){.names = arena_array(arena, const char *, description->host_count + 2 + more)};
    int rc = access_base(description, config, now_us, arena, &url, err);
    if (rc != 0) return rc;
    if (!description->base_is_captured) add_url(list, &url, arena);
    for (size_t i = 0; i < description->host_count; i++) {
        rc = render(description->hosts[i], config, now_us, arena, &list->names[list->count++], err);
        if (rc != 0) return err_context(err, "http.hosts");
    }
    rc = access_auth(description, config, now_us, arena, &spec, err);
    return rc == 0 ? add_token_url(list, &spec, arena, err) : rc;
}

int access_own(const struct description *description, const struct config *config, int64_t now_us, struct guard **own,
               struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct host_list list;
    int rc = list_hosts(description, config, now_us, 0, &arena, &list, err);
    struct guard_options options = {.hosts = list.names, .host_count = list.count, .allow_private = true, .allow_http = true};
    if (rc == 0) rc = guard_new(&options, own, err);
    arena_release(&arena);
    return rc;
}

/* --- the client ---------------------------------------------------------------------------------------------------------- */

static int read_limits(const struct description *description, const struct access_overrides *overrides, struct arena *arena,
                       struct limits *limits, struct err *err)
{
    struct problems problems = PROBLEMS_INIT(arena);
    *limits = description->limits;
    if (!overrides->rate_limit) return 0;
    limits_compile(overrides->rate_limit, "rate_limit", NULL, arena, limits, &problems);
    limits_check_streams(limits, "rate_limit", description, &problems);
    return problems_to_err(&problems, ERR_CONFIG, err);
}

/* Whose allowance requests spend, when no `pool` says: connector, host, and a digest of all secrets, whatever auth makes of
 * them; of a pool of credentials, of the one (which gives what it would give alone). */
static const char *pool_of(const struct description *description, const struct config *config, const struct url *base,
                           struct str credential, struct arena *arena)
{
    struct digest *digest = digest_new();
    unsigned char bytes[SHA256_SIZE];
    char text[SHA256_HEX_SIZE];
    if (credential.size) digest_add(digest, credential.data, credential.size + 1);
    for (size_t i = 0; i < config->table->count && credential.size == 0; i++) {
        const struct config_value *value = &config->values[i];
        if (!config->table->entries[i].secret || !value->is_set) continue;
        digest_add(digest, value->text.data, value->text.size + 1); /* with its terminator: no two lists look alike */
    }
    digest_end(digest, bytes);
    digest_free(digest);
    crypto_hex_text(bytes, sizeof bytes, text);
    return arena_printf(arena, "%s\n%s:%d\n%s", description->name, base->host, base->port, text);
}

/* NULL with 0 when limits cannot be shared; that was warned of then. */
static int open_limit_file(const char *folder, const struct client_options *options, struct limit_file **file, struct err *err)
{
    struct err problem = ERR_INIT;
    const struct limit_file_options file_options = {.folder = folder, .clock = options->clock};
    *file = NULL;
    int rc = limit_file_open(&file_options, file, &problem);
    if (rc == ERR_CONFIG) return err_copy(err, &problem);
    if (rc != 0 && options->log) log_warn(options->log, "rate limits are not shared with other syncs: %s", problem.message);
    return 0;
}

/* Of the only credential, or of one of several. */
static int make_limiter(const struct description *description, const struct config *config,
                        const struct access_overrides *overrides, int64_t now_us, struct str credential, struct arena *arena,
                        const struct client_options *options, struct limiter **limiter, struct err *err)
{
    struct limits limits;
    struct url base;
    struct limiter_options limiting = {0};
    int rc = read_limits(description, overrides, arena, &limits, err);
    if (rc == 0) rc = access_base(description, config, now_us, arena, &base, err);
    if (rc == 0) rc = limits_rules(&limits, config, now_us, base.path, arena, &limiting.rules, err);
    if (rc == 0 && limits.count && overrides->limit_folder)
        rc = open_limit_file(overrides->limit_folder, options, &limiting.file, err);
    if (rc != 0) return rc;
    limiting.rule_count = limits.count;
    limiting.pool = pool_of(description, config, &base, credential, arena);
    rc = limiter_new(&limiting, limiter, err);
    return rc == 0 ? 0 : err_context(err, "rate_limit");
}

static int make_limiters(const struct description *description, const struct config *config,
                         const struct access_overrides *overrides, int64_t now_us, struct arena *arena,
                         struct client_options *options, struct err *err)
{
    struct auth_spec spec;
    int rc = access_auth(description, config, now_us, arena, &spec, err);
    if (rc == 0 && spec.pool_count == 0)
        return make_limiter(description, config, overrides, now_us, STR(""), arena, options, &options->limiter, err);
    if (rc == 0) options->pool.list = arena_array(arena, struct credential, spec.pool_count);
    for (size_t i = 0; rc == 0 && i < spec.pool_count; i++) {
        struct credential *one = &options->pool.list[i];
        *one = (struct credential){0};
        rc = make_limiter(description, config, overrides, now_us, spec.pool[i], arena, options, &one->limiter, err);
        if (rc == 0) options->pool.count++;
    }
    if (rc != 0) access_release_limiters(options);
    return rc;
}

void access_release_limiters(struct client_options *options)
{
    limiter_free(options->limiter);
    for (size_t i = 0; i < options->pool.count; i++) limiter_free(options->pool.list[i].limiter);
    options->limiter = NULL;
    options->pool.count = 0;
}

static void read_timeouts(const struct node *node, struct http_limits *limits)
{
    if (!node) return;
    limits->connect_ms = option_duration_ms(&VOCABULARY_TIMEOUTS, node, "connect");
    limits->first_byte_ms = option_duration_ms(&VOCABULARY_TIMEOUTS, node, "first_byte");
    limits->low_speed_ms = option_duration_ms(&VOCABULARY_TIMEOUTS, node, "low_speed");
    if (option_is_set(node, "total")) limits->total_ms = option_duration_ms(&VOCABULARY_TIMEOUTS, node, "total");
}

struct retry_policy access_retry(const struct description *description)
{
    struct retry_policy policy = RETRY_POLICY_DEFAULT;
    const struct node *node = description->retry;
    if (!node) return policy;
    policy.max_tries = (int)option_integer(&VOCABULARY_RETRY, node, "tries");
    policy.base_wait_ms = option_duration_ms(&VOCABULARY_RETRY, node, "wait");
    policy.budget_ms = option_duration_ms(&VOCABULARY_RETRY, node, "budget");
    return policy;
}

int access_login_client(const struct description *description, const struct auth_spec *spec,
                        const struct access_overrides *overrides, struct arena *arena, struct client_options *options,
                        struct err *err)
{
    struct host_list list = {.names = arena_array(arena, const char *, 2)};
    struct auth_spec copy = *spec;
    struct url device;
    int rc = add_token_url(&list, &copy, arena, err);
    if (rc == 0 && spec->kind == AUTH_OAUTH2 && spec->oauth2.device_url && spec->oauth2.device_url[0]) {
        rc = url_parse(str_from(spec->oauth2.device_url), arena, &device, err);
        if (rc != 0) return err_context(err, "http.auth.device_authorization_url");
        add_url(&list, &device, arena);
    }
    if (rc != 0) return rc;
    options->allowed_hosts = list.names;
    options->allowed_host_count = list.count;
    options->allow_private = overrides->allow_private;
    options->allow_http = list.speaks_http;
    options->limits = HTTP_LIMITS_DEFAULT;
    read_timeouts(description->timeouts, &options->limits);
    options->retry = access_retry(description);
    options->user_agent = description->user_agent;
    return 0;
}

int access_client(const struct description *description, const struct config *config, const struct access_overrides *overrides,
                  int64_t now_us, struct arena *arena, struct client_options *options, struct err *err)
{
    struct host_list list;
    int rc = list_hosts(description, config, now_us, overrides->allow_host_count, arena, &list, err);
    if (rc == 0) rc = make_limiters(description, config, overrides, now_us, arena, options, err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < overrides->allow_host_count; i++) list.names[list.count++] = overrides->allow_hosts[i];
    options->allowed_hosts = list.names;
    options->allowed_host_count = list.count;
    options->allow_private = overrides->allow_private;
    options->allow_http = list.speaks_http;
    options->limits = HTTP_LIMITS_DEFAULT;
    read_timeouts(description->timeouts, &options->limits);
    options->retry = access_retry(description);
    options->user_agent = description->user_agent;
    return 0;
}
