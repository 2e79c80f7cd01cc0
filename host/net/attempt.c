/* How it works: two nested loops, each with one question. *attempt*: did the answer refuse a token that can be renewed?
 * *walk*: does the answer point elsewhere? Innermost is one hop: guard, credentials, limiter, http. Everything lives in the
 * session's scratch arena, which is cleared before each attempt, so a source that makes us try a thousand times does not make
 * us grow. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/time.h"
#include "net/breaker.h"
#include "net/classify.h"
#include "net/client_internal.h"
#include "net/credentials.h"
#include "net/guard.h"
#include "net/limit.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/log.h"

enum { REDIRECTS_MAX = 5, LONG_WAIT_MS = 10000 /* one that the log tells of */ };

/* --- one hop ------------------------------------------------------------------------------------- */

/* Where an attempt stands. */
struct attempt {
    struct session *session;
    struct http_request request;   /* of this hop, without credentials */
    struct url url;                /* of this hop */
    uint64_t generation;           /* of the credentials that went with the last hop */
    bool carried;                  /* credentials went with it */
    struct credential *credential; /* that this hop goes with; of a pool: once it has its turn */
    struct limiter_ticket ticket;  /* what it took of the credential's limits */
    struct attempt_facts *facts;   /* for the caller */
};

/* In place of a header of that name that the request brought. */
static void set_header(struct http_request *request, struct http_header header, struct arena *arena)
{
    struct http_header *headers = arena_array(arena, struct http_header, request->header_count + 1);
    size_t used = 0;
    for (size_t i = 0; i < request->header_count; i++)
        if (!str_equal_nocase(request->headers[i].name, header.name)) headers[used++] = request->headers[i];
    headers[used++] = header;
    request->headers = headers;
    request->header_count = used;
}

/* In place of a cookie of that name that the request brought, behind the others (RFC 6265 5.4: one header for all). */
static void set_cookie(struct http_request *request, struct auth_pair cookie, struct arena *arena)
{
    size_t room = cookie.name.size + cookie.value.size + 1;
    for (size_t i = 0; i < request->header_count; i++) room += request->headers[i].value.size + 2;
    struct buf all = BUF_INIT(room);
    for (size_t i = 0; i < request->header_count; i++) {
        struct str rest = request->headers[i].value, pair;
        if (!str_equal_nocase(request->headers[i].name, STR("Cookie"))) continue;
        while (str_next(&rest, ';', &pair)) {
            pair = str_trim(pair);
            const char *equals = pair.size ? memchr(pair.data, '=', pair.size) : NULL;
            struct str name = {pair.data, equals ? (size_t)(equals - pair.data) : pair.size};
            if (pair.size == 0 || str_equal(name, cookie.name)) continue;
            buf_append_str(&all, pair);
            buf_append_text(&all, "; ");
        }
    }
    buf_append_str(&all, cookie.name);
    buf_append_char(&all, '=');
    buf_append_str(&all, cookie.value);
    CHECK(!all.failed);
    set_header(request, (struct http_header){STR("Cookie"), arena_copy(arena, buf_str(&all))}, arena);
    crypto_wipe(all.data, all.size);
    buf_release(&all);
}

/* The request with credentials, in the scratch arena. */
static int dress(struct attempt *attempt, struct http_request *request, struct err *err)
{
    struct session *session = attempt->session;
    struct auth *auth = attempt->credential->auth;
    struct arena *arena = &session->scratch;
    struct auth_credentials credentials;
    *request = attempt->request;
    request->url = attempt->url.text;
    attempt->carried = false;
    if (request->anonymous || !auth) return 0;
    int rc = auth_credentials(auth, &session->token_sender, arena, &credentials, err);
    attempt->facts->is_final = rc != 0;
    if (rc != 0) return rc;
    attempt->generation = credentials.generation;
    attempt->carried = credentials.header.name.size > 0 || credentials.param.name.size > 0 || credentials.cookie.name.size > 0;
    if (credentials.header.name.size > 0) set_header(request, credentials.header, arena);
    if (credentials.cookie.name.size > 0) set_cookie(request, credentials.cookie, arena);
    if (credentials.param.name.size > 0) {
        struct buf url = BUF_INIT(2 * (size_t)URL_MAX_BYTES);
        buf_append_text(&url, request->url);
        url_set_param(&url, credentials.param.name, credentials.param.value);
        if (url.failed) {
            rc = err_set(err, ERR_CONFIG, "cannot authenticate: the URL gets too long with the key in it");
            attempt->facts->is_final = true;
        } else {
            request->url = arena_text(arena, buf_str(&url));
        }
        buf_release(&url);
    }
    return rc;
}

/* The signature over the request that is ready, in the scratch arena, and how a recording shows it: signatures, times and
 * nonces differ each time, so they stand there as "***". Made when the request has waited for its turn: the time is signed. */
static int sign(struct attempt *attempt, struct http_request *request, struct err *err)
{
    struct session *session = attempt->session;
    struct auth *auth = attempt->credential->auth;
    struct arena *arena = &session->scratch;
    struct auth_signature signature;
    if (request->anonymous || !auth) return 0;
    int rc = auth_sign_request(auth, request, &attempt->url, arena, &signature, err);
    attempt->facts->is_final = rc != 0;
    if (rc != 0 || signature.header_count + signature.param_count == 0) return rc;
    struct http_request *recorded = arena_new(arena, struct http_request);
    struct buf url = BUF_INIT(2 * (size_t)URL_MAX_BYTES);
    *recorded = *request;
    buf_append_text(&url, request->url);
    for (size_t i = 0; i < signature.param_count; i++) url_set_param(&url, signature.params[i], STR("***"));
    recorded->url = arena_text(arena, buf_str(&url));
    buf_release(&url);
    for (size_t i = 0; i < signature.header_count; i++) {
        set_header(recorded, (struct http_header){signature.headers[i].name, STR("***")}, arena);
        set_header(request, signature.headers[i], arena);
    }
    if (signature.url) request->url = signature.url;
    request->recorded = recorded;
    return 0;
}

/* A wait of one thread on the limiter, which may be prolonged. */
struct limit_wait {
    struct session *session;
    bool is_waiting;
};

static void log_long_wait(const struct session *session, int64_t until_ms, const char *what)
{
    const struct client_options *options = &session->client->options;
    char span[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
    int64_t wait_ms = until_ms - clock_now_ms(options->clock);
    if (wait_ms < LONG_WAIT_MS || !options->log) return;
    time_write_span(wait_ms, span);
    time_write_iso((clock_wall_us(options->clock) / 1000000 + wait_ms / 1000) * 1000000, until);
    log_info(options->log, "waiting %s for the %s, until %s", span, what, until);
}

static void on_limit_wait(void *context, int64_t until_ms, const char *what)
{
    struct limit_wait *wait = context;
    if (wait->is_waiting) session_end_waiting(wait->session);
    wait->is_waiting = until_ms > 0;
    if (!wait->is_waiting) return;
    session_begin_waiting(wait->session, until_ms, what);
    log_long_wait(wait->session, until_ms, what);
}

static int take_turn(struct attempt *attempt, struct err *err)
{
    struct session *session = attempt->session;
    struct client *client = session->client;
    const struct client_options *options = &client->options;
    struct limit_wait wait = {.session = session};
    const struct limiter_watch watch = {on_limit_wait, &wait};
    const struct limiter_request asked = {attempt->request.method, attempt->url.path, attempt->request.stream,
                                          attempt->request.weight};
    int64_t resume_ms = 0;
    int rc = credentials_acquire(&client->credentials, &asked, options->clock, options->cancel, &watch, &attempt->ticket,
                                 &attempt->credential, &resume_ms, err);
    __atomic_store_n(&client->counters.pool_left, credentials_left(&client->credentials, options->clock), __ATOMIC_RELAXED);
    attempt->facts->is_final = attempt->facts->is_final || rc == ERR_AUTH;
    if (rc == ERR_RATE_LIMIT) {
        attempt->facts->is_final = true;
        __atomic_store_n(&client->counters.resume_ms, resume_ms, __ATOMIC_RELAXED);
    }
    return rc;
}

/* Waits while the host is to be left alone. */
static int pass_breaker(struct attempt *attempt, struct str origin, struct breaker_turn *turn, struct err *err)
{
    struct session *session = attempt->session;
    const struct client_options *options = &session->client->options;
    struct breaker *breaker = session->client->breaker;
    enum breaker_answer answer;
    bool goes_on = true;
    int64_t now_ms, wait_ms;
    while ((answer = breaker_ask(breaker, origin, turn, now_ms = clock_now_ms(options->clock), &wait_ms)) == BREAKER_WAIT) {
        session_begin_waiting(session, now_ms + wait_ms, "circuit breaker");
        goes_on = clock_sleep_ms(options->clock, wait_ms, options->cancel);
        session_end_waiting(session);
        if (!goes_on) return err_set(err, ERR_CANCELLED, "stopped while waiting for the host to recover");
    }
    if (answer == BREAKER_GO) return 0;
    attempt->facts->is_final = answer == BREAKER_GIVEN_UP;
    err_set(err, ERR_TRANSIENT, "held back by the circuit breaker: %d requests in a row to '%.*s' failed, the last one: %s",
            turn->failures, (int)origin.size, origin.data, turn->reason);
    return err_hint(err, "look at the source's status page; the next run goes on from here");
}

static void tell_breaker(struct session *session, struct str origin, struct breaker_turn *turn, int rc,
                         const struct http_response *response, const struct err *err)
{
    char reason[BREAKER_REASON_MAX];
    const struct client_options *options = &session->client->options;
    enum breaker_outcome outcome = BREAKER_UNKNOWN;
    bool is_failure = rc == 0 && response->status >= 500 && limit_facts_wait_ms(&response->limits) < 0;
    if (is_failure || rc == ERR_TRANSIENT || rc == ERR_STALLED)
        outcome = BREAKER_BAD;
    else if (rc == 0 || rc == ERR_DATA || rc == ERR_RATE_LIMIT)
        outcome = BREAKER_GOOD;
    if (rc == 0)
        snprintf(reason, sizeof reason, "answered %d %s", response->status, classify_status_text(response->status));
    else
        snprintf(reason, sizeof reason, "%s", err->message);
    enum breaker_event event =
        breaker_report(session->client->breaker, origin, turn, outcome, reason, clock_now_ms(options->clock));
    if (event == BREAKER_OPENED)
        log_warn(options->log, "%d requests in a row to '%.*s' failed (the last one: %s): it is left alone for %d s",
                 turn->failures, (int)origin.size, origin.data, reason, BREAKER_OPEN_MS / 1000);
    else if (event == BREAKER_CLOSED)
        log_info(options->log, "'%.*s' answers again", (int)origin.size, origin.data);
}

/* Waits for the breaker and for a turn in the rate limit; while it waits for one, the other may close. */
static int queue_up(struct attempt *attempt, struct str origin, struct breaker_turn *turn, struct err *err)
{
    struct client *client = attempt->session->client;
    struct clock *clock = client->options.clock;
    int64_t wait_ms;
    for (;;) {
        int rc = pass_breaker(attempt, origin, turn, err);
        if (rc == 0) rc = take_turn(attempt, err);
        if (rc != 0 || breaker_ask(client->breaker, origin, turn, clock_now_ms(clock), &wait_ms) == BREAKER_GO) return rc;
        limiter_give_back(attempt->credential->limiter, &attempt->ticket, clock);
    }
}

/* Which of a pool a request goes with is known only when it has its turn; the others' tokens may take a call, which has a turn
 * of its own. */
static bool is_dressed_last(const struct attempt *attempt)
{
    return attempt->session->client->credentials.count > 1;
}

/* Sends the request that is ready but for its signature, and for a pool's credentials. */
static int transmit(struct attempt *attempt, struct http_request *request, struct str origin, struct http_response *response,
                    struct err *err)
{
    struct session *session = attempt->session;
    struct client *client = session->client;
    struct breaker_turn turn = {0};
    bool was_sent = false;
    int rc = queue_up(attempt, origin, &turn, err);
    if (rc != 0) {
        breaker_report(client->breaker, origin, &turn, BREAKER_UNKNOWN, "", 0);
        return rc;
    }
    if (is_dressed_last(attempt)) rc = dress(attempt, request, err);
    if (rc == 0) rc = sign(attempt, request, err);
    if (rc != 0) {
        limiter_give_back(attempt->credential->limiter, &attempt->ticket, client->options.clock);
        breaker_report(client->breaker, origin, &turn, BREAKER_UNKNOWN, "", 0);
        return rc;
    }
    client_count(&client->counters.requests, 1);
    rc = session_transmit(session, request, response, &was_sent, err);
    struct limiter *limiter = attempt->credential->limiter;
    limiter_release(limiter, &attempt->ticket, client->options.clock);
    if (rc == 0) limiter_observe(limiter, &attempt->ticket, response, client->options.clock);
    attempt->facts->was_sent = attempt->facts->was_sent || was_sent;
    tell_breaker(session, origin, &turn, rc, response, err);
    return rc;
}

static int hop(struct attempt *attempt, struct http_response *response, struct err *err)
{
    struct session *session = attempt->session;
    struct client *client = session->client;
    struct http_request request;
    int rc = guard_url(client->guard, &attempt->url, err);
    if (rc == 0 && !is_dressed_last(attempt)) rc = dress(attempt, &request, err);
    if (rc != 0) return rc;
    const struct url *url = &attempt->url;
    char *origin = arena_printf(&session->scratch, "%s://%s:%d", url->scheme, url->host, url->port);
    if ((rc = transmit(attempt, &request, str_from(origin), response, err)) != 0) return rc;
    response->url = attempt->url.text;
    client_count(&client->counters.wire_bytes, response->wire_bytes);
    client_count(&client->counters.body_bytes, response->body->size);
    return 0;
}

/* --- redirects ----------------------------------------------------------------------------------- */

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
    if (rc == ERR_CONFIG) rc = err->class = ERR_PERMISSION; /* the source's doing, not the configuration's */
    if (rc != 0 || strcmp(attempt->url.scheme, "https") != 0 || strcmp(target->scheme, "http") != 0) return rc;
    err_set(err, ERR_PERMISSION, "cannot go from https to plain http on '%s'", target->host);
    return err_hint(err, "check the base URL: what it names leads to a place without encryption");
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
        err_set(err, ERR_PERMISSION, "redirect with %d: cannot send the request's body on to another host '%s'", status,
                target.host);
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
        if (!classify_is_redirect(response->status) || location.size == 0 || attempt->request.keeps_redirects) return 0;
        int status = response->status;
        http_response_release(response);
        if (redirects == REDIRECTS_MAX) {
            err_set(err, ERR_SOURCE, "cannot be served: more than %d redirects", REDIRECTS_MAX);
            return err_hint(err, "the source sends the request round in circles; check the base URL");
        }
        if ((rc = follow(attempt, status, location, err)) != 0) return rc;
    }
}

/* --- what the answer means ----------------------------------------------------------------------- */

/* A wait that only whoever asked could read out of the answer is everybody's, like those that headers name. */
static int judge(struct attempt *attempt, const struct http_response *response, struct err *err)
{
    const struct http_judge *judge = attempt->request.judge;
    const struct client_options *options = &attempt->session->client->options;
    struct verdict *verdict = &attempt->facts->verdict;
    *verdict = classify(response);
    if (!judge) return 0;
    int rc = judge->judge(judge->context, response, verdict, err);
    if (rc != 0 || verdict->class != ERR_RATE_LIMIT || verdict->wait_ms < 0) return rc;
    limiter_pause(attempt->credential->limiter, &attempt->ticket, verdict->wait_ms, options->clock);
    return 0;
}

/* --- one attempt --------------------------------------------------------------------------------- */

static int begin(struct attempt *attempt, struct session *session, const struct http_request *request,
                 struct attempt_facts *facts, struct err *err)
{
    arena_clear(&session->scratch);
    facts->was_sent = facts->is_final = false;
    facts->verdict = (struct verdict){.wait_ms = -1, .hint = ""};
    *attempt = (struct attempt){
        .session = session, .request = *request, .credential = &session->client->credentials.list[0], .facts = facts};
    return url_parse(str_from(request->url), &session->scratch, &attempt->url, err);
}

bool attempt_may_repeat(const struct http_request *request, const struct attempt_facts *facts)
{
    bool is_safe = request->idempotent || strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    return is_safe || !facts->was_sent || facts->verdict.was_not_done;
}

/* Of a pool: does the answer end, for now or for good, the use of the credential that the request went with, and is there
 * another one to try at once? Where all are parked and the source says for how long, the verdict's wait becomes that for the
 * first of them. */
static bool try_another(struct attempt *attempt, size_t *refused)
{
    const struct client_options *options = &attempt->session->client->options;
    struct credentials *credentials = &attempt->session->client->credentials;
    struct verdict *verdict = &attempt->facts->verdict;
    size_t number = (size_t)(attempt->credential - credentials->list) + 1;
    bool is_first;
    if (credentials->count == 1 || !attempt->carried) return false;
    if (verdict->renews_auth) {
        size_t left = credentials_drop(credentials, attempt->credential, &is_first);
        if (is_first && options->log)
            log_warn(options->log,
                     "the source refuses credential %zu of the pool: it is not used any more, %zu of %zu are left", number,
                     left, credentials->count);
        return left > 0;
    }
    if (verdict->class != ERR_RATE_LIMIT) return false;
    credentials_park(attempt->credential, verdict->wait_ms, options->clock);
    int64_t wait_ms = credentials_parked_ms(credentials, options->clock);
    if (wait_ms == 0 && ++*refused < credentials->count) return attempt_may_repeat(&attempt->request, attempt->facts);
    if (wait_ms > 0 && verdict->wait_ms >= 0) verdict->wait_ms = wait_ms;
    return false;
}

int attempt_run(struct session *session, const struct http_request *request, struct attempt_facts *facts,
                struct http_response *response, struct err *err)
{
    struct attempt attempt;
    size_t refused = 0;
    for (;;) {
        int rc = begin(&attempt, session, request, facts, err);
        if (rc == 0) rc = walk(&attempt, response, err);
        if (rc != 0) return rc;
        if ((rc = judge(&attempt, response, err)) != 0) {
            http_response_release(response);
            facts->is_final = true;
            return rc;
        }
        if (try_another(&attempt, &refused)) {
            http_response_release(response);
            continue;
        }
        if (!facts->verdict.renews_auth || !attempt.carried || facts->has_renewed) return 0;
        if (!auth_refused(attempt.credential->auth, attempt.generation)) return 0;
        facts->has_renewed = true;
        http_response_release(response);
    }
}
