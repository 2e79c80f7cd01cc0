/* How it works: one request is an *exchange*, a loop around attempts (attempt.c) that asks after each: what does the answer
 * mean (classify.h), and is it worth another try (retry.h)? Only what the caller gets is copied out of the attempt's scratch
 * arena. */
#include "net/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/time.h"
#include "net/breaker.h"
#include "net/cassette.h"
#include "net/classify.h"
#include "net/client_internal.h"
#include "net/device.h"
#include "net/excerpt.h"
#include "net/guard.h"
#include "net/limit.h"
#include "net/url.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/log.h"
#include "os/secret.h"

enum { REASON_MAX_BYTES = 1024, SHOWN_URL_MAX_BYTES = 1024, CA_FILE_MAX_BYTES = 4 * 1024 * 1024 };

/* --- counters ------------------------------------------------------------------------------------ */

void client_count(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

const char *const WAIT_NAMES[WAIT_REASONS] = {
    [WAIT_RATE_LIMIT] = "rate limit",
    [WAIT_RETRY_AFTER] = "Retry-After",
    [WAIT_BACKOFF] = "backoff",
    [WAIT_BREAKER] = "circuit breaker",
    [WAIT_JOB] = "job",
};

/* A limit may have a name of its own. */
static enum wait_reason reason_of(const char *what)
{
    for (enum wait_reason reason = WAIT_RETRY_AFTER; reason < WAIT_REASONS; reason++)
        if (strcmp(what, WAIT_NAMES[reason]) == 0) return reason;
    return WAIT_RATE_LIMIT;
}

int64_t session_waited_ms(const struct session *session, enum wait_reason reason)
{
    return session->waited_ms[reason];
}

void session_begin_waiting(struct session *session, int64_t until_ms, const char *what)
{
    struct client *client = session->client;
    struct client_counters *counters = &client->counters;
    session->waiting_for = reason_of(what);
    session->waiting_since_ms = clock_now_ms(client->options.clock);
    __atomic_store_n(&session->waiting_until_ms, until_ms, __ATOMIC_RELAXED);
    pthread_mutex_lock(&client->lock);
    if (client->waiting++ == 0 || until_ms > counters->waiting_until_ms) {
        __atomic_store_n(&counters->waiting_for, what, __ATOMIC_RELAXED);
        __atomic_store_n(&counters->waiting_until_ms, until_ms, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&client->lock);
}

void session_end_waiting(struct session *session)
{
    struct client *client = session->client;
    session->waited_ms[session->waiting_for] += clock_now_ms(client->options.clock) - session->waiting_since_ms;
    __atomic_store_n(&session->waiting_until_ms, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&client->lock);
    if (--client->waiting == 0) {
        __atomic_store_n(&client->counters.waiting_until_ms, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&client->counters.waiting_for, NULL, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&client->lock);
}

/* --- messages ------------------------------------------------------------------------------------ */

/* "could not get an answer: 503 Service Unavailable: upstream is down" */
static int refuse(const struct client *client, const struct http_response *response, const struct verdict *verdict,
                  struct err *err)
{
    struct buf excerpt = BUF_INIT(REASON_MAX_BYTES);
    const char *text = classify_status_text(response->status);
    bool may_heal = err_class_info(verdict->class)->retryable;
    excerpt_append((struct str){response->body->data, response->body->size}, client->options.secrets, &excerpt);
    err_set(err, verdict->class, "%s: the source answered %d%s%s%s%s", may_heal ? "could not be served" : "cannot be served",
            response->status, text[0] ? " " : "", text, excerpt.size ? ": " : "", buf_text(&excerpt));
    err->is_too_much = response->status == 408 || response->status == 413 || response->status == 504;
    if (verdict->hint[0]) err_hint(err, "%s", verdict->hint);
    buf_release(&excerpt);
    return verdict->class;
}

/* --- tries --------------------------------------------------------------------------------------- */

/* How an exchange goes on. */
struct exchange {
    struct session *session;
    const struct http_request *request;
    bool give_refusals;         /* an answer that is final is given to the caller, whatever its status */
    struct attempt_facts facts; /* on the last attempt */
};

/* Gives the answer to the caller, out of the scratch arena. */
static void hand_over(struct http_response *response, struct arena *arena)
{
    struct http_header *headers = arena_array(arena, struct http_header, response->header_count + 1);
    for (size_t i = 0; i < response->header_count; i++)
        headers[i] =
            (struct http_header){arena_copy(arena, response->headers[i].name), arena_copy(arena, response->headers[i].value)};
    response->headers = headers;
    response->url = arena_strdup(arena, response->url);
    response->arena = arena;
}

static int pause(struct session *session, const struct retry_verdict *next, struct err *err)
{
    struct clock *clock = session->client->options.clock;
    session_begin_waiting(session, clock_now_ms(clock) + next->wait_ms,
                          next->reason == RETRY_DECLARED ? "Retry-After" : "backoff");
    bool goes_on = clock_sleep_ms(clock, next->wait_ms, session->client->options.cancel);
    session_end_waiting(session);
    return goes_on ? 0 : err_set(err, ERR_CANCELLED, "stopped while waiting to try again");
}

/* What there is to say about giving up, on top of the last failure. */
static void give_up(const struct retry_verdict *next, bool may_repeat, int64_t declared_ms, struct err *err)
{
    char span[TIME_TEXT_MAX];
    if (next->reason == RETRY_NOT_RETRYABLE) return;
    if (!may_repeat) {
        err_context(err, "not sent again, as the source may have done it already");
        return;
    }
    err_context(err, "%s", retry_reason_text(next->reason));
    if (next->reason != RETRY_WAIT_TOO_LONG) return;
    time_write_span(declared_ms, span);
    err->class = ERR_RATE_LIMIT;
    err_hint(err, "run again in %s, or lower `rate_limit` in the pipeline", span);
}

/* Is the answer one to give? 0, or the failure it means. */
static int judge(struct exchange *exchange, const struct http_response *response, struct err *err)
{
    const struct verdict *verdict = &exchange->facts.verdict;
    int class = verdict->class;
    if (class == 0 || (exchange->give_refusals && !err_class_info(class)->retryable)) return 0;
    refuse(exchange->session->client, response, verdict, err);
    if (class == ERR_AUTH && exchange->facts.has_renewed)
        err_hint(err, "a fresh token was refused, too: check what the credentials are allowed to do at the source");
    else if (class == ERR_AUTH && exchange->session->client->credentials.count > 1)
        err_hint(err, "each of the %zu credentials was refused: put new ones into the pipeline's config",
                 exchange->session->client->credentials.count);
    return class;
}

static void log_retry(const struct exchange *exchange, const struct retry_verdict *next, const struct err *failure)
{
    struct log *log = exchange->session->client->options.log;
    struct buf url = BUF_INIT(SHOWN_URL_MAX_BYTES);
    if (!log || !log_wants(log, LOG_DEBUG)) return;
    url_redact(str_from(exchange->request->url), exchange->session->client->options.secrets, &url);
    log_debug(log, "%s %s: %s; %s (%lld ms)", exchange->request->method, buf_text(&url), failure->message,
              retry_reason_text(next->reason), (long long)next->wait_ms);
    buf_release(&url);
}

static void log_answer(const struct exchange *exchange, const struct http_response *response)
{
    struct log *log = exchange->session->client->options.log;
    struct buf url = BUF_INIT(SHOWN_URL_MAX_BYTES);
    if (!log || !log_wants(log, LOG_DEBUG)) return;
    url_redact(str_from(response->url ? response->url : exchange->request->url), exchange->session->client->options.secrets,
               &url);
    log_debug(log, "%s %s: %d, %zu bytes in %lld ms", exchange->request->method, buf_text(&url), response->status,
              response->body->size, (long long)response->elapsed_ms);
    buf_release(&url);
}

/* One try and what becomes of it: 0 with an answer to give, 1 to try again, or the failure. */
static int try_and_judge(struct exchange *exchange, struct retry *retry, struct http_response *response, struct err *err)
{
    struct client *client = exchange->session->client;
    *response = (struct http_response){0};
    int rc = attempt_run(exchange->session, exchange->request, &exchange->facts, response, err);
    bool has_answer = rc == 0;
    if (has_answer) rc = judge(exchange, response, err);
    if (rc == 0 || exchange->facts.is_final) return rc;
    int64_t declared_ms = has_answer ? exchange->facts.verdict.wait_ms : -1;
    struct retry_verdict next = retry_next(retry, rc, declared_ms, retry_random(), clock_now_ms(client->options.clock));
    bool may_repeat = attempt_may_repeat(exchange->request, &exchange->facts);
    http_response_release(response);
    if (err->is_too_much && exchange->request->can_shrink && may_repeat) return rc;
    if (!next.again || !may_repeat) {
        if (next.reason == RETRY_WAIT_TOO_LONG)
            __atomic_store_n(&client->counters.resume_ms, clock_now_ms(client->options.clock) + declared_ms, __ATOMIC_RELAXED);
        give_up(&next, may_repeat, declared_ms, err);
        return err->class;
    }
    client_count(&client->counters.retries, 1);
    log_retry(exchange, &next, err);
    rc = pause(exchange->session, &next, err);
    return rc == 0 ? 1 : rc;
}

static int run_exchange(struct exchange *exchange, struct arena *arena, struct http_response *response, struct err *err)
{
    struct client *client = exchange->session->client;
    struct retry retry = RETRY_INIT(&client->options.retry, clock_now_ms(client->options.clock));
    struct err failure = ERR_INIT;
    int rc;
    do rc = try_and_judge(exchange, &retry, response, &failure);
    while (rc == 1);
    if (rc == 0) {
        log_answer(exchange, response);
        hand_over(response, arena);
        return 0;
    }
    (void)client_name_request(client, exchange->request->method, exchange->request->url, &failure);
    return err_copy(err, &failure);
}

/* The token call is an exchange of its own inside another one's attempt: with a scratch arena of its own. */
static int token_call(void *context, const struct http_request *request, struct arena *arena, struct http_response *response,
                      struct err *err)
{
    struct session *session = context;
    struct arena outer = session->scratch;
    session->scratch = ARENA_INIT(0);
    struct exchange exchange = {.session = session, .request = request, .give_refusals = true};
    int rc = run_exchange(&exchange, arena, response, err);
    arena_release(&session->scratch);
    session->scratch = outer;
    return rc;
}

/* --- the interface ------------------------------------------------------------------------------- */

/* Read once: what is checked here is what every connection goes by, whatever becomes of the file meanwhile. */
static int read_authorities(const char *path, struct buf *authorities, struct err *err)
{
    *authorities = BUF_INIT(CA_FILE_MAX_BYTES);
    if (!path) return 0;
    if (fs_read_file(path, CA_FILE_MAX_BYTES, authorities, err) == 0) {
        if (crypto_count_certificates(buf_str(authorities)) > 0) return 0;
        err_set(err, ERR_CONFIG, "cannot read '%s': expected certificates in PEM form and nothing broken", path);
        err_hint(err, "name a file with the certificate of the authority: '-----BEGIN CERTIFICATE-----' and so on");
    }
    err->class = ERR_CONFIG; /* a file past the cap, too, is the wrong file */
    return err_context(err, "network.ca_file");
}

static int read_identity(const struct client_options *options, struct client *client, struct err *err)
{
    client->certificate = client->key = BUF_INIT(CA_FILE_MAX_BYTES);
    if (!options->client_cert) return 0;
    int rc = fs_read_file(options->client_cert, CA_FILE_MAX_BYTES, &client->certificate, err);
    if (rc == 0 && crypto_count_certificates(buf_str(&client->certificate)) == 0) {
        err_set(err, ERR_CONFIG, "cannot read '%s': expected certificates in PEM form and nothing broken",
                options->client_cert);
        rc = err_hint(err, "the client's certificate comes first, then those that lead to its authority");
    }
    if (rc) return err_context(err, "network.client_cert");
    rc = fs_check_private(options->client_key, err);
    if (rc == 0) rc = fs_read_file(options->client_key, CA_FILE_MAX_BYTES, &client->key, err);
    return rc ? err_context(err, "network.client_key") : 0;
}

static void take_credentials(struct client *client)
{
    const struct client_options *options = &client->options;
    const struct credential only = {.auth = options->auth, .limiter = options->limiter};
    const struct credentials *pool = &options->pool;
    client->credentials.count = pool->count ? pool->count : 1;
    client->credentials.list = mem_zero(client->credentials.count, sizeof only);
    for (size_t i = 0; i < client->credentials.count; i++) client->credentials.list[i] = pool->count ? pool->list[i] : only;
}

int client_new(const struct client_options *options, struct client **out, struct err *err)
{
    const struct guard_options guard_options = {options->allowed_hosts, options->allowed_host_count, options->allow_private,
                                                options->allow_http};
    const struct limiter_options no_limit = {0};
    struct client *client = mem_zero(1, sizeof *client);
    client->options = *options;
    client->counters.pool_left = -1;
    client->user_agent = mem_strdup(options->user_agent ? options->user_agent : "sluice/" SLUICE_VERSION);
    CHECK(pthread_mutex_init(&client->lock, NULL) == 0);
    client->breaker = breaker_new();
    int rc = guard_new(&guard_options, &client->guard, err);
    if (rc == 0) rc = read_authorities(options->ca_file, &client->authorities, err);
    if (rc == 0) rc = read_identity(options, client, err);
    take_credentials(client);
    if (rc == 0 && !client->credentials.list[0].limiter) rc = limiter_new(&no_limit, &client->credentials.list[0].limiter, err);
    if (rc == 0)
        *out = client;
    else
        client_free(client);
    return rc;
}

void client_free(struct client *client)
{
    if (!client) return;
    guard_free(client->guard);
    breaker_free(client->breaker);
    for (size_t i = 0; i < client->credentials.count; i++) {
        auth_free(client->credentials.list[i].auth);
        limiter_free(client->credentials.list[i].limiter);
    }
    free(client->credentials.list);
    pthread_mutex_destroy(&client->lock);
    buf_release(&client->authorities);
    buf_release(&client->certificate);
    buf_release(&client->key);
    free(client->user_agent);
    free(client);
}

const struct client_counters *client_counters(const struct client *client)
{
    return &client->counters;
}

struct session *session_new(struct client *client)
{
    const struct client_options *options = &client->options;
    const struct http_options http_options = {.limits = options->limits,
                                              .guard = client->guard,
                                              .user_agent = client->user_agent,
                                              .authorities = buf_str(&client->authorities),
                                              .identity = {.certificate = buf_str(&client->certificate),
                                                           .key = buf_str(&client->key),
                                                           .password = options->client_key_password},
                                              .needs_tls_1_3 = options->needs_tls_1_3,
                                              .proxy = options->proxy.url ? &client->options.proxy : NULL,
                                              .budget = options->budget,
                                              .clock = options->clock,
                                              .cancel = options->cancel};
    struct session *session = mem_zero(1, sizeof *session);
    session->client = client;
    session->http_options = http_options;
    if (!options->cassette || cassette_is_recorder(options->cassette)) session->http = http_new(&http_options);
    session->token_sender = (struct auth_sender){token_call, session};
    return session;
}

int session_transmit(struct session *session, const struct http_request *request, struct http_response *response,
                     bool *was_sent, struct err *err)
{
    struct cassette *cassette = session->client->options.cassette;
    if (!session->http)
        return cassette_answer(cassette, &session->http_options, request, &session->scratch, response, was_sent, err);
    int rc = http_send(session->http, request, &session->scratch, response, was_sent, err);
    if (cassette) cassette_record(cassette, request, rc, response, err);
    return rc;
}

int64_t session_waiting_until_ms(const struct session *session)
{
    return __atomic_load_n(&session->waiting_until_ms, __ATOMIC_RELAXED);
}

bool session_wait_ms(struct session *session, int64_t wait_ms, const char *what)
{
    const struct client_options *options = &session->client->options;
    session_begin_waiting(session, clock_now_ms(options->clock) + wait_ms, what);
    bool goes_on = clock_sleep_ms(options->clock, wait_ms, options->cancel);
    session_end_waiting(session);
    return goes_on;
}

void session_free(struct session *session)
{
    if (!session) return;
    http_free(session->http);
    arena_release(&session->scratch);
    free(session);
}

int session_log_in(struct session *session, struct err *err)
{
    struct auth *auth = session->client->credentials.list[0].auth;
    struct auth_credentials credentials;
    struct arena arena = ARENA_INIT(0);
    int rc = auth ? auth_credentials(auth, &session->token_sender, &arena, &credentials, err) : 0;
    arena_release(&arena);
    return rc;
}

int session_redeem(struct session *session, const struct auth_pair *params, size_t count, struct err *err)
{
    char error[AUTH_ERROR_MAX];
    return auth_redeem(session->client->credentials.list[0].auth, &session->token_sender, AUTH_CALL_CODE, params, count, error,
                       err);
}

int session_log_in_by_device(struct session *session, const struct auth_spec *spec,
                             void (*show)(void *context, const struct device_login *login), void *context, struct err *err)
{
    const struct client_options *client = &session->client->options;
    const struct device_options options = {client->clock, client->cancel, client->secrets, client->log};
    struct arena arena = ARENA_INIT(0);
    struct device_login login;
    int rc = device_begin(spec, &session->token_sender, &options, &arena, &login, err);
    if (rc == 0) show(context, &login);
    if (rc == 0) rc = device_wait(session->client->credentials.list[0].auth, &session->token_sender, &login, &options, err);
    arena_release(&arena);
    return rc;
}

int client_send(struct session *session, const struct http_request *request, struct arena *arena,
                struct http_response *response, struct err *err)
{
    struct exchange exchange = {.session = session, .request = request};
    return run_exchange(&exchange, arena, response, err);
}

/* Takes out what is secret, wherever it came from. */
int client_name_request(const struct client *client, const char *method, const char *url, struct err *err)
{
    struct buf shown = BUF_INIT(SHOWN_URL_MAX_BYTES);
    url_redact(str_from(url), client->options.secrets, &shown);
    err_context(err, "%s %s", method, buf_text(&shown));
    secrets_redact_text(client->options.secrets, err->message, sizeof err->message);
    buf_release(&shown);
    return err->class;
}

int client_allows(const struct client *client, const char *url, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct url parsed;
    int rc = url_parse(str_from(url), &arena, &parsed, err);
    if (rc == 0) rc = guard_url(client->guard, &parsed, err);
    arena_release(&arena);
    return rc;
}
