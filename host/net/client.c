/* How it works: three nested loops, each with one question. *exchange*: is it worth another try (retry.h)? *attempt*: did the answer say
 * 401 to a token that can be renewed? *walk*: does the answer point elsewhere? Innermost is one hop: guard, credentials, limiter, http.
 *
 * An attempt works in the session's scratch arena, which is cleared before each; only what the caller gets is copied to his. So a
 * source that makes us try a thousand times does not make us grow. */
#include "net/client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/time.h"
#include "net/auth.h"
#include "net/classify.h"
#include "net/excerpt.h"
#include "net/guard.h"
#include "net/limit.h"
#include "net/url.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/secret.h"

enum { REDIRECTS_MAX = 5, REASON_MAX_BYTES = 1024, SHOWN_URL_MAX_BYTES = 1024 };

struct client {
    struct client_options options;
    struct guard *guard;
    char *user_agent;
    struct client_counters counters;
    pthread_mutex_t lock; /* over how many wait, and the two waiting counters */
    int waiting;
};

struct session {
    struct client *client;
    struct http *http;
    struct arena scratch; /* of the attempt in hand */
};

/* --- counters --------------------------------------------------------------------------------------------------------------- */

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

static void begin_waiting(struct client *client, int64_t until_ms, const char *what)
{
    struct client_counters *counters = &client->counters;
    pthread_mutex_lock(&client->lock);
    if (client->waiting++ == 0 || until_ms > counters->waiting_until_ms) {
        __atomic_store_n(&counters->waiting_for, what, __ATOMIC_RELAXED);
        __atomic_store_n(&counters->waiting_until_ms, until_ms, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&client->lock);
}

static void end_waiting(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    if (--client->waiting == 0) {
        __atomic_store_n(&client->counters.waiting_until_ms, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&client->counters.waiting_for, NULL, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&client->lock);
}

/* A wait of one thread on the limiter, which may be prolonged. */
struct limit_wait {
    struct client *client;
    bool is_waiting;
};

static void on_limit_wait(void *context, int64_t until_ms)
{
    struct limit_wait *wait = context;
    if (wait->is_waiting) end_waiting(wait->client);
    wait->is_waiting = until_ms > 0;
    if (wait->is_waiting) begin_waiting(wait->client, until_ms, "rate limit");
}

static int take_turn(struct client *client, struct err *err)
{
    const struct client_options *options = &client->options;
    struct limit_wait wait = {.client = client};
    const struct limiter_watch watch = {on_limit_wait, &wait};
    int rc = limiter_acquire(options->limiter, options->clock, options->cancel, &watch, err);
    __atomic_store_n(&client->counters.pool_left, limiter_left(options->limiter, options->clock), __ATOMIC_RELAXED);
    return rc;
}

/* --- messages --------------------------------------------------------------------------------------------------------------- */

/* Puts "GET https://..." before the message and takes out what is secret, wherever it came from. */
static int name_request(const struct client *client, const char *method, const char *url, struct err *err)
{
    struct buf shown = BUF_INIT(SHOWN_URL_MAX_BYTES);
    url_redact(str_from(url), client->options.secrets, &shown);
    err_context(err, "%s %s", method, buf_text(&shown));
    secrets_redact_text(client->options.secrets, err->message, sizeof err->message);
    buf_release(&shown);
    return err->class;
}

/* "could not get an answer: 503 Service Unavailable: upstream is down" */
static int refuse(const struct client *client, const struct http_response *response, const struct verdict *verdict, struct err *err)
{
    struct buf excerpt = BUF_INIT(REASON_MAX_BYTES);
    const char *text = classify_status_text(response->status);
    bool may_heal = err_class_info(verdict->class)->retryable;
    excerpt_append((struct str){response->body->data, response->body->size}, client->options.secrets, &excerpt);
    err_set(err, verdict->class, "%s: the source answered %d%s%s%s%s", may_heal ? "could not be served" : "cannot be served",
            response->status, text[0] ? " " : "", text, excerpt.size ? ": " : "", buf_text(&excerpt));
    if (verdict->hint[0]) err_hint(err, "%s", verdict->hint);
    buf_release(&excerpt);
    return verdict->class;
}

/* --- one hop ---------------------------------------------------------------------------------------------------------------- */

/* Where an attempt stands. */
struct attempt {
    struct session *session;
    struct http_request request;  /* of this hop, without credentials */
    struct url url;               /* of this hop */
    uint64_t generation;          /* of the credentials that went with the last hop */
    bool carried;                 /* credentials went with it */
    bool was_sent;                /* a server may have seen a request of this attempt */
    bool lacks_credentials;       /* there were none to be had, after as many tries as a token call gets */
};

static int token_call(void *context, const struct http_request *request, struct arena *arena, struct http_response *response,
                      struct err *err);

/* The request with credentials, in the scratch arena. */
static int dress(struct attempt *attempt, struct http_request *request, struct err *err)
{
    struct session *session = attempt->session;
    struct auth *auth = session->client->options.auth;
    struct arena *arena = &session->scratch;
    struct auth_credentials credentials;
    *request = attempt->request;
    request->url = attempt->url.text;
    attempt->carried = false;
    if (request->anonymous || !auth) return 0;
    const struct auth_sender sender = {token_call, session};
    int rc = auth_credentials(auth, &sender, arena, &credentials, err);
    attempt->lacks_credentials = rc != 0;
    if (rc != 0) return rc;
    attempt->generation = credentials.generation;
    attempt->carried = credentials.header.name.size > 0 || credentials.param.name.size > 0;
    if (credentials.header.name.size > 0) {
        /* In place of a header of that name that the request brought. */
        struct http_header *headers = arena_array(arena, struct http_header, request->header_count + 1);
        size_t used = 0;
        for (size_t i = 0; i < request->header_count; i++)
            if (!str_equal_nocase(request->headers[i].name, credentials.header.name)) headers[used++] = request->headers[i];
        headers[used++] = credentials.header;
        request->headers = headers;
        request->header_count = used;
    }
    if (credentials.param.name.size > 0) {
        struct buf url = BUF_INIT(2 * (size_t)URL_MAX_BYTES);
        buf_append_text(&url, request->url);
        url_set_param(&url, credentials.param.name, credentials.param.value);
        request->url = arena_text(arena, buf_str(&url));
        buf_release(&url);
    }
    return 0;
}

static int hop(struct attempt *attempt, struct http_response *response, struct err *err)
{
    struct session *session = attempt->session;
    struct client *client = session->client;
    struct http_request request;
    bool was_sent = false;
    int rc = guard_url(client->guard, &attempt->url, err);
    if (rc == 0) rc = dress(attempt, &request, err);
    if (rc == 0) rc = take_turn(client, err);
    if (rc != 0) return rc;
    count(&client->counters.requests, 1);
    rc = http_send(session->http, &request, &session->scratch, response, &was_sent, err);
    attempt->was_sent = attempt->was_sent || was_sent;
    if (rc != 0) return rc;
    response->url = attempt->url.text;
    count(&client->counters.wire_bytes, response->wire_bytes);
    count(&client->counters.body_bytes, response->body->size);
    limiter_observe(client->options.limiter, response->status, &response->limits, client->options.clock);
    return 0;
}

/* --- redirects -------------------------------------------------------------------------------------------------------------- */

/* The only headers that go along to another origin: any other may hold a credential. */
static bool is_harmless(struct str name)
{
    static const char *const HARMLESS[] = {"Accept", "Accept-Language", "Content-Type"};
    for (size_t i = 0; i < ARRAY_SIZE(HARMLESS); i++)
        if (str_equal_nocase(name, str_from(HARMLESS[i]))) return true;
    return false;
}

static void keep_headers(struct attempt *attempt, bool only_harmless, bool has_body)
{
    struct http_request *request = &attempt->request;
    struct http_header *headers = arena_array(&attempt->session->scratch, struct http_header, request->header_count + 1);
    size_t used = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name;
        if (only_harmless && !is_harmless(name)) continue;
        if (!has_body && str_equal_nocase(name, STR("Content-Type"))) continue;
        headers[used++] = request->headers[i];
    }
    request->headers = headers;
    request->header_count = used;
}

static int find_target(struct attempt *attempt, struct str location, struct url *target, struct err *err)
{
    struct buf text = BUF_INIT(URL_MAX_BYTES);
    int rc = url_resolve(str_from(attempt->url.text), location, &text, err);
    if (rc == 0) rc = url_parse(buf_str(&text), &attempt->session->scratch, target, err);
    buf_release(&text);
    if (rc == 0 && strcmp(attempt->url.scheme, "https") == 0 && strcmp(target->scheme, "http") == 0)
        rc = err_set(err, ERR_PERMISSION, "cannot go from https to plain http");
    return rc;
}

/* Moves the attempt on to where the answer points. */
static int follow(struct attempt *attempt, int status, struct str location, struct err *err)
{
    struct http_request *request = &attempt->request;
    struct url target;
    int rc = find_target(attempt, location, &target, err);
    if (rc == 0) rc = guard_url(attempt->session->client->guard, &target, err);
    if (rc != 0) return err_context(err, "redirect with %d", status);
    const char *method = classify_redirect_method(status, request->method);
    bool is_same = url_same_origin(&attempt->url, &target), keeps_body = strcmp(method, request->method) == 0;
    if (!is_same && keeps_body && request->body.size > 0) {
        err_set(err, ERR_PERMISSION, "redirect with %d: cannot send the request's body on to another host '%s'", status, target.host);
        return err_hint(err, "configure the URL that the source really has");
    }
    request->method = method;
    if (!keeps_body) request->body = (struct str){0};
    request->anonymous = request->anonymous || !is_same;
    keep_headers(attempt, !is_same, keeps_body);
    attempt->url = target;
    return 0;
}

/* Sends, and follows where answers point. */
static int walk(struct attempt *attempt, struct http_response *response, struct err *err)
{
    for (int redirects = 0;; redirects++) {
        int rc = hop(attempt, response, err);
        if (rc != 0) return rc;
        struct str location = http_header(response, "location");
        if (!classify_is_redirect(response->status) || location.size == 0) return 0;
        int status = response->status;
        http_response_release(response);
        if (redirects == REDIRECTS_MAX) {
            err_set(err, ERR_SOURCE, "cannot be served: more than %d redirects", REDIRECTS_MAX);
            return err_hint(err, "the source sends the request round in circles; check the base URL");
        }
        if ((rc = follow(attempt, status, location, err)) != 0) return rc;
    }
}

/* --- one attempt ------------------------------------------------------------------------------------------------------------ */

/* How an exchange goes on. */
struct exchange {
    struct session *session;
    const struct http_request *request;
    bool give_refusals;    /* an answer that is final is given to the caller, whatever its status */
    bool has_renewed;      /* a token was renewed for this request: a second 401 counts */
    struct verdict verdict; /* on the last answer; class 0 when there was none */
    bool was_sent;
    bool is_settled;       /* another try would not help, whatever the failure's class */
};

static int begin_attempt(struct exchange *exchange, struct attempt *attempt, struct err *err)
{
    struct arena *scratch = &exchange->session->scratch;
    arena_clear(scratch);
    *attempt = (struct attempt){.session = exchange->session, .request = *exchange->request};
    return url_parse(str_from(exchange->request->url), scratch, &attempt->url, err);
}

/* One attempt, or two when the first one's token had ended. An answer is given even when its status is a failure. */
static int try_once(struct exchange *exchange, struct http_response *response, struct err *err)
{
    struct auth *auth = exchange->session->client->options.auth;
    struct attempt attempt;
    for (;;) {
        int rc = begin_attempt(exchange, &attempt, err);
        if (rc == 0) rc = walk(&attempt, response, err);
        exchange->was_sent = attempt.was_sent;
        exchange->is_settled = attempt.lacks_credentials;
        if (rc != 0 || response->status != 401 || !attempt.carried || exchange->has_renewed) return rc;
        if (!auth_refused(auth, attempt.generation)) return 0;
        exchange->has_renewed = true;
        http_response_release(response);
    }
}

/* Gives the answer to the caller, out of the scratch arena. */
static void hand_over(struct http_response *response, struct arena *arena)
{
    struct http_header *headers = arena_array(arena, struct http_header, response->header_count + 1);
    for (size_t i = 0; i < response->header_count; i++)
        headers[i] = (struct http_header){arena_copy(arena, response->headers[i].name), arena_copy(arena, response->headers[i].value)};
    response->headers = headers;
    response->url = arena_strdup(arena, response->url);
    response->arena = arena;
}

/* --- tries ------------------------------------------------------------------------------------------------------------------ */

static bool may_send_again(const struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    bool is_safe = request->idempotent || strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    return is_safe || !exchange->was_sent || exchange->verdict.was_not_done;
}

static int pause(struct client *client, const struct retry_verdict *next, struct err *err)
{
    struct clock *clock = client->options.clock;
    begin_waiting(client, clock_now_ms(clock) + next->wait_ms, next->reason == RETRY_DECLARED ? "Retry-After" : "backoff");
    bool goes_on = clock_sleep_ms(clock, next->wait_ms, client->options.cancel);
    end_waiting(client);
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
    exchange->verdict = classify(response);
    int class = exchange->verdict.class;
    if (class == 0 || (exchange->give_refusals && !err_class_info(class)->retryable)) return 0;
    refuse(exchange->session->client, response, &exchange->verdict, err);
    if (class == ERR_AUTH && exchange->has_renewed)
        err_hint(err, "a fresh token was refused, too: check what the credentials are allowed to do at the source");
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

/* One try and what becomes of it: 0 with an answer to give, 1 to try again, or the failure. */
static int try_and_judge(struct exchange *exchange, struct retry *retry, struct http_response *response, struct err *err)
{
    struct client *client = exchange->session->client;
    *response = (struct http_response){0};
    exchange->verdict = (struct verdict){.hint = ""};
    exchange->was_sent = false;
    int rc = try_once(exchange, response, err);
    bool has_answer = rc == 0;
    if (has_answer) rc = judge(exchange, response, err);
    if (rc == 0 || exchange->is_settled) return rc;
    int64_t declared_ms = has_answer ? limit_facts_wait_ms(&response->limits) : -1;
    struct retry_verdict next =
        retry_next(retry, rc, has_answer ? response : NULL, retry_random(), clock_now_ms(client->options.clock));
    bool may_repeat = may_send_again(exchange);
    http_response_release(response);
    if (!next.again || !may_repeat) {
        give_up(&next, may_repeat, declared_ms, err);
        return err->class;
    }
    count(&client->counters.retries, 1);
    log_retry(exchange, &next, err);
    rc = pause(client, &next, err);
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
        hand_over(response, arena);
        return 0;
    }
    name_request(client, exchange->request->method, exchange->request->url, &failure);
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

/* --- the interface ---------------------------------------------------------------------------------------------------------- */

int client_new(const struct client_options *options, struct client **out, struct err *err)
{
    const struct guard_options guard_options = {options->allowed_hosts, options->allowed_host_count, options->allow_private,
                                                options->allow_http};
    const struct limiter_options no_limit = {.kind = LIMITER_NONE};
    struct client *client = mem_zero(1, sizeof *client);
    client->options = *options;
    client->counters.pool_left = -1;
    client->user_agent = mem_strdup(options->user_agent ? options->user_agent : "sluice/" SLUICE_VERSION);
    CHECK(pthread_mutex_init(&client->lock, NULL) == 0);
    int rc = guard_new(&guard_options, &client->guard, err);
    if (rc == 0 && !client->options.limiter) rc = limiter_new(&no_limit, &client->options.limiter, err);
    if (rc == 0) *out = client;
    else client_free(client);
    return rc;
}

void client_free(struct client *client)
{
    if (!client) return;
    guard_free(client->guard);
    auth_free(client->options.auth);
    limiter_free(client->options.limiter);
    pthread_mutex_destroy(&client->lock);
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
                                              .budget = options->budget,
                                              .clock = options->clock,
                                              .cancel = options->cancel};
    struct session *session = mem_zero(1, sizeof *session);
    session->client = client;
    session->http = http_new(&http_options);
    return session;
}

void session_free(struct session *session)
{
    if (!session) return;
    http_free(session->http);
    arena_release(&session->scratch);
    free(session);
}

int client_send(struct session *session, const struct http_request *request, struct arena *arena, struct http_response *response,
                struct err *err)
{
    struct exchange exchange = {.session = session, .request = request};
    return run_exchange(&exchange, arena, response, err);
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
