/* service_settings: see service_settings.h. */
#include "sync/service_settings.h"

#include <string.h>

#include "data/option.h"
#include "sync/monitor_settings.h"

enum { SHA256_DIGITS = 64 };

static const struct option RETRY_ARRAY[] = {
    {"tries", OPTION_INTEGER, 0, "5", "1..100", NULL,
     "of one job, the first included; what is left is for the next time it is due"},
    {"first", OPTION_DURATION, 0, "30s", NULL, NULL, "wait before the second try; each further wait is twice as long"},
    {"longest", OPTION_DURATION, 0, "30m", NULL, NULL, "no wait is longer, unless the source asks for it"},
};
static const struct option_table RETRY_OPTIONS = OPTION_TABLE("service.retry", RETRY_ARRAY);

static const struct option TOKEN_ARRAY[] = {
    {"sha256", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL,
     "of the token, in hex: `sluice serve --new-token` prints both"},
    {"scope", OPTION_ENUM, 0, "read", "read|run|admin", NULL, "read looks; run also starts and stops; admin also moves states"},
};
static const struct option_table TOKEN_OPTIONS = OPTION_TABLE("a token", TOKEN_ARRAY);

static const struct option STATSD_ARRAY[] = {
    {"address", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "HOST:PORT, by UDP"},
    {"dialect", OPTION_ENUM, 0, "dogstatsd", "dogstatsd|statsd", NULL, "with tags, or with what they say in the names"},
    {"prefix", OPTION_STRING, 0, "", NULL, NULL, "before each name"},
};
static const struct option_table STATSD_OPTIONS = OPTION_TABLE("service.statsd", STATSD_ARRAY);

static const struct option SERVICE_ARRAY[] = {
    {"listen", OPTION_STRING, 0, "127.0.0.1:7077", NULL, NULL, "HOST:PORT of the page and the API; port 0: a free one"},
    {"hosts", OPTION_LIST, 0, NULL, NULL, NULL,
     "names under which it is reached, beside localhost and the address it listens on"},
    {"tokens", OPTION_MAP_OF, 0, NULL, NULL, &TOKEN_OPTIONS, "who may use the API, by name; needed where others can reach it"},
    {"store", OPTION_STRING, 0, NULL, NULL, NULL,
     "where jobs and their history are kept: a file, or postgres://.. for several nodes; default: service.db in the state "
     "directory"},
    {"token_key", OPTION_STRING, 0, NULL, NULL, NULL,
     "with it tokens of logins are kept in `store`, for all nodes, sealed by this key: 32 bytes in base64, from ${NAME} or "
     "${file:PATH}"},
    {"max_syncs", OPTION_INTEGER, 0, "16", "1..1000", NULL, "at once on this node"},
    {"max_syncs_per_connector", OPTION_INTEGER, 0, NULL, "1..1000", NULL, "at once of one connector, on all nodes"},
    {"max_syncs_per_destination", OPTION_INTEGER, 0, NULL, "1..1000", NULL, "at once into one destination, on all nodes"},
    {"retry", OPTION_MAP, 0, NULL, NULL, &RETRY_OPTIONS, "of syncs that failed in a way that may heal"},
    {"statsd", OPTION_MAP, 0, NULL, NULL, &STATSD_OPTIONS, "where measures of each stream are pushed when it has ended"},
    {"alerts", OPTION_LIST_OF, 0, NULL, NULL, &ALERT_OPTIONS,
     "who is told when something is not as it should be (`monitors` of a pipeline)"},
    {"history", OPTION_DURATION, 0, "90d", NULL, NULL, "how long ended jobs are remembered"},
};
const struct option_table SERVICE_OPTIONS = OPTION_TABLE("service", SERVICE_ARRAY);

/* A mistake here would lock out whoever has the token, or be taken for one that is safe. */
void service_settings_check(const struct node *node, struct problems *problems)
{
    const struct node *tokens = node_get(node, "tokens");
    alerts_check(node_get(node, "alerts"), problems);
    if (option_is_set(node, "token_key") && !option_is_set(node, "store")) {
        problems_add(problems, node_get(node, "token_key"), "service.token_key: needs service.store");
        problems_hint(problems, "name the store that all nodes share: store: \"${STORE_URL}\"");
    }
    for (size_t i = 0; tokens && tokens->kind == NODE_MAP && i < tokens->count; i++) {
        const struct node *digest = node_get(&tokens->children[i], "sha256");
        struct str text = node_text(digest);
        bool is_left_alone = text.size && strstr(text.data, "${"); /* a reference, in a run that does not need it */
        if (!digest || is_left_alone || (text.size == SHA256_DIGITS && strspn(text.data, "0123456789abcdef") == SHA256_DIGITS))
            continue;
        problems_add(problems, digest, "service.tokens.%s: sha256 must be 64 hex digits in lower case",
                     tokens->children[i].key.data);
        problems_hint(problems, "`sluice serve --new-token` prints a token and what to write here");
    }
}

static void read_token(const struct node *node, struct service_token *token)
{
    const char *scope = option_text(&TOKEN_OPTIONS, node, "scope");
    token->name = node->key.data;
    token->sha256 = option_text(&TOKEN_OPTIONS, node, "sha256");
    token->scope = strcmp(scope, "admin") == 0 ? SCOPE_ADMIN : strcmp(scope, "run") == 0 ? SCOPE_RUN : SCOPE_READ;
}

void service_settings_read(const struct node *node, struct arena *arena, struct service_settings *service)
{
    const struct node *retry = node_get(node, "retry");
    const struct node *tokens = node_get(node, "tokens");
    struct service_token *list = arena_array(arena, struct service_token, tokens ? tokens->count + 1 : 1);
    *service = (struct service_settings){
        .listen = option_text(&SERVICE_OPTIONS, node, "listen"),
        .tokens = list,
        .token_count = tokens ? tokens->count : 0,
        .store = option_text(&SERVICE_OPTIONS, node, "store"),
        .token_key = option_text(&SERVICE_OPTIONS, node, "token_key"),
        .max_syncs = (int)option_integer(&SERVICE_OPTIONS, node, "max_syncs"),
        .history_ms = option_duration_ms(&SERVICE_OPTIONS, node, "history"),
        .retry_tries = (int)option_integer(&RETRY_OPTIONS, retry, "tries"),
        .retry_first_ms = option_duration_ms(&RETRY_OPTIONS, retry, "first"),
        .retry_longest_ms = option_duration_ms(&RETRY_OPTIONS, retry, "longest"),
    };
    const struct node *statsd = node_get(node, "statsd");
    if (node_is(statsd, NODE_MAP)) {
        service->statsd_address = option_text(&STATSD_OPTIONS, statsd, "address");
        service->statsd_prefix = option_text(&STATSD_OPTIONS, statsd, "prefix");
        service->statsd_has_tags = strcmp(option_text(&STATSD_OPTIONS, statsd, "dialect"), "dogstatsd") == 0;
    }
    service->hosts = option_texts(node, "hosts", arena, &service->host_count);
    for (size_t i = 0; i < service->token_count; i++) read_token(&tokens->children[i], &list[i]);
    if (option_is_set(node, "max_syncs_per_connector"))
        service->max_syncs_per_connector = (int)option_integer(&SERVICE_OPTIONS, node, "max_syncs_per_connector");
    if (option_is_set(node, "max_syncs_per_destination"))
        service->max_syncs_per_destination = (int)option_integer(&SERVICE_OPTIONS, node, "max_syncs_per_destination");
}
