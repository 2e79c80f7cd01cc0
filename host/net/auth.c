/* How it works: one row per kind says how its spec is checked and how a request gets its credentials. Only oauth2 and jwt
 * have state: the token of the moment under a lock, and a *flight*, which is one token call. Who finds no good token starts the
 * flight or joins the one under way; when it lands, all who joined share its outcome. What is kept in the store is touched by
 * the flying thread only, under the store's lock: who finds there that another process has renewed the token uses that. */
#include "net/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "net/auth_oauth1.h"
#include "net/auth_session.h"
#include "net/auth_sign.h"
#include "net/auth_sigv4.h"
#include "net/auth_token.h"
#include "net/token_store.h"
#include "os/clock.h"
#include "os/secret.h"

struct kind {
    const char *name;
    int (*check)(const struct auth_spec *spec, struct err *err);
    int (*credentials)(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                       struct auth_credentials *credentials, struct err *err);
    bool renews;
    int (*sign)(const struct auth *auth, const struct http_request *request, const struct url *url, struct arena *arena,
                struct auth_signature *signature, struct err *err); /* NULL: does not sign */
};

struct auth {
    const struct kind *kind;
    struct auth_spec spec;
    struct auth_options options;

    pthread_mutex_t lock; /* over what follows, up to the next blank line */
    pthread_cond_t landed;
    struct buf token;      /* empty: none */
    int64_t good_until_ms; /* monotonic; INT64_MAX: until refused */
    uint64_t generation;   /* of the token; counts up */
    bool flying;
    uint64_t flights;   /* that have landed */
    struct err failure; /* of the last one; class 0: it succeeded */
    struct err refusal; /* the server refuses for good; class 0: it does not */

    struct tokens kept; /* of the flying thread, as the rest: what the store has, or is to have */
    bool was_saved;     /* the store can be written to */
    bool has_unsaved;   /* `kept` is newer than the store */
};

/* --- values -------------------------------------------------------------------------------------- */

/* Can the value stand in a header: no line breaks, no other control characters (RFC 9110 5.5)? */
static int check_value(struct str value, const char *what, struct err *err)
{
    if (value.size == 0) {
        err_set(err, ERR_CONFIG, "cannot authenticate: %s is empty", what);
        return err_hint(err, "set it in the pipeline's config");
    }
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c >= ' ' && c != 0x7f) continue;
        err_set(err, ERR_CONFIG, "cannot authenticate: %s holds a control character (0x%02x at byte %zu)", what, c, i);
        return err_hint(err, "look for a line break at its end");
    }
    return 0;
}

/* "a b", or "b" when there is no a. */
static struct str join(struct arena *arena, struct str a, struct str b)
{
    size_t size = a.size + (a.size > 0) + b.size;
    char *text = arena_alloc(arena, size + 1);
    if (a.size > 0) memcpy(text, a.data, a.size);
    if (a.size > 0) text[a.size] = ' ';
    if (b.size > 0) memcpy(text + size - b.size, b.data, b.size);
    return (struct str){text, size};
}

/* --- kinds without state ------------------------------------------------------------------------- */

static int check_none(const struct auth_spec *spec, struct err *err)
{
    (void)spec;
    (void)err;
    return 0;
}

static int none_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                            struct auth_credentials *credentials, struct err *err)
{
    (void)auth;
    (void)sender;
    (void)arena;
    (void)credentials;
    (void)err;
    return 0;
}

static int check_bearer(const struct auth_spec *spec, struct err *err)
{
    int rc = check_value(spec->token, "the token", err);
    return rc == 0 && spec->prefix.size ? check_value(spec->prefix, "the token's prefix", err) : rc;
}

static int bearer_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                              struct auth_credentials *credentials, struct err *err)
{
    (void)sender;
    (void)err;
    credentials->header = (struct http_header){STR("Authorization"), join(arena, auth->spec.prefix, auth->spec.token)};
    return 0;
}

/* A colon would end the user name early (RFC 7617 2). */
static int check_basic(const struct auth_spec *spec, struct err *err)
{
    int rc = check_value(spec->username, "the user name", err);
    if (rc == 0 && spec->password.size) rc = check_value(spec->password, "the password", err);
    if (rc == 0 && memchr(spec->username.data, ':', spec->username.size))
        rc = err_set(err, ERR_CONFIG, "cannot authenticate: the user name holds a colon");
    return rc;
}

struct str auth_basic_value(struct str username, struct str password, struct arena *arena)
{
    size_t size = username.size + 1 + password.size;
    struct buf joined = BUF_INIT(size), encoded = BUF_INIT(2 * size + 4);
    buf_append_str(&joined, username);
    buf_append_char(&joined, ':');
    buf_append_str(&joined, password);
    crypto_base64(buf_str(&joined), &encoded);
    struct str value = join(arena, STR("Basic"), buf_str(&encoded));
    crypto_wipe(joined.data, joined.size);
    crypto_wipe(encoded.data, encoded.size);
    buf_release(&joined);
    buf_release(&encoded);
    return value;
}

static int basic_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                             struct auth_credentials *credentials, struct err *err)
{
    (void)sender;
    (void)err;
    credentials->header =
        (struct http_header){STR("Authorization"), auth_basic_value(auth->spec.username, auth->spec.password, arena)};
    return 0;
}

/* A token (RFC 6265 4.1.1, RFC 9110 5.6.2). */
static int check_cookie_name(struct str name, struct err *err)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c)) continue;
        err_set(err, ERR_CONFIG, "cannot authenticate: '" STR_FMT "' cannot be the name of a cookie", STR_ARG(name));
        return err_hint(err, "letters, digits and !#$%%&'*+-.^_`|~");
    }
    return 0;
}

/* The value with all that a cookie cannot hold percent-encoded (RFC 6265 4.1.1): what was copied from a browser stays as it
 * is. */
static struct str cookie_value(struct arena *arena, struct str value)
{
    char *text = arena_alloc(arena, 3 * value.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c > ' ' && c < 0x7f && !strchr("\",;\\", c))
            text[size++] = (char)c;
        else
            size += (size_t)snprintf(text + size, 4, "%%%02X", c);
    }
    return (struct str){text, size};
}

static int check_api_key(const struct auth_spec *spec, struct err *err)
{
    int rc = check_value(spec->key, "the key", err);
    if (rc == 0) rc = check_value(spec->name, "the name of the key's header, parameter or cookie", err);
    if (rc == 0 && spec->into == AUTH_IN_COOKIE) rc = check_cookie_name(spec->name, err);
    return rc == 0 && spec->prefix.size ? check_value(spec->prefix, "the key's prefix", err) : rc;
}

/* Puts a key, or the token of a session, where the spec wants it. */
static void place(const struct auth_spec *spec, struct str key, struct arena *arena, struct auth_credentials *credentials)
{
    struct str value = join(arena, spec->prefix, key);
    switch (spec->into) {
    case AUTH_IN_HEADER:
        credentials->header = (struct http_header){spec->name, value};
        break;
    case AUTH_IN_QUERY:
        credentials->param = (struct auth_pair){spec->name, value};
        break;
    case AUTH_IN_COOKIE:
        credentials->cookie = (struct auth_pair){spec->name, spec->kind == AUTH_SESSION ? value : cookie_value(arena, value)};
        break;
    }
}

static int api_key_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                               struct auth_credentials *credentials, struct err *err)
{
    (void)sender;
    (void)err;
    place(&auth->spec, auth->spec.key, arena, credentials);
    return 0;
}

/* --- tokens -------------------------------------------------------------------------------------- */

/* Makes one, to see whether key and algorithm fit. */
static int check_jwt_spec(const struct jwt *jwt, struct err *err)
{
    struct buf out = BUF_INIT(JWT_MAX_BYTES);
    int rc = jwt_write(jwt, 0, &out, err);
    if (out.data) crypto_wipe(out.data, out.size);
    buf_release(&out);
    return rc;
}

static int check_oauth2(const struct auth_spec *spec, struct err *err)
{
    const struct auth_oauth2 *oauth2 = &spec->oauth2;
    int rc = check_value(str_from(oauth2->token_url), "the token URL", err);
    if (rc == 0 && oauth2->client == AUTH_CLIENT_BASIC) rc = check_value(oauth2->client_id, "the client id", err);
    if (rc == 0 && oauth2->grant == AUTH_REFRESH_TOKEN) rc = check_value(oauth2->refresh_token, "the refresh token", err);
    if (rc == 0 && oauth2->grant == AUTH_PASSWORD) rc = check_value(oauth2->username, "the user name", err);
    if (rc == 0 && oauth2->assertion) rc = check_jwt_spec(oauth2->assertion, err);
    if (rc == 0 && oauth2->sign) rc = sign_check(oauth2->sign, err);
    return rc;
}

static int check_jwt(const struct auth_spec *spec, struct err *err)
{
    int rc = spec->exchange.url ? check_value(str_from(spec->exchange.url), "the exchange's URL", err) : 0;
    if (rc == 0 && spec->prefix.size) rc = check_value(spec->prefix, "the token's prefix", err);
    return rc == 0 ? check_jwt_spec(&spec->jwt, err) : rc;
}

static int check_session(const struct auth_spec *spec, struct err *err)
{
    const struct auth_session *session = &spec->session;
    int rc = check_value(str_from(session->login_url), "the login URL", err);
    if (rc == 0) rc = check_value(spec->name, "the name of the token's header, parameter or cookie", err);
    if (rc == 0 && spec->into == AUTH_IN_COOKIE) rc = check_cookie_name(spec->name, err);
    if (rc == 0 && spec->prefix.size) rc = check_value(spec->prefix, "the token's prefix", err);
    for (size_t i = 0; i < session->header_count && rc == 0; i++)
        rc = check_value(session->headers[i].value, "a header of the login", err);
    return rc;
}

/* Must what the server gives be kept, since nothing else brings another? */
static bool must_keep(const struct auth *auth)
{
    return auth_is_login(&auth->spec) || (auth->spec.kind == AUTH_OAUTH2 && auth->spec.oauth2.grant == AUTH_REFRESH_TOKEN);
}

static void register_kept(struct auth *auth)
{
    struct secrets *secrets = auth->options.secrets;
    if (!secrets) return;
    if (auth->kept.access_token.size) (void)secrets_add(secrets, "auth.access_token", buf_str(&auth->kept.access_token));
    if (auth->kept.refresh_token.size) (void)secrets_add(secrets, "auth.refresh_token", buf_str(&auth->kept.refresh_token));
    if (auth->kept.previous.size) (void)secrets_add(secrets, "auth.refresh_token", buf_str(&auth->kept.previous));
}

/* The tokens as the store has them, the configured refresh token where there is none. */
static int load_kept(struct auth *auth, struct err *err)
{
    struct token_store *store = auth->options.store;
    struct str configured = auth->spec.oauth2.refresh_token;
    if (configured.size > TOKEN_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "cannot use a refresh token of %zu bytes", configured.size);
    int rc = store && !auth->has_unsaved ? store->load(store, &auth->kept, err) : 0;
    if (rc != 0 && must_keep(auth)) return rc;
    if (auth->kept.refresh_token.size == 0) tokens_set(&auth->kept.refresh_token, configured);
    register_kept(auth);
    return 0;
}

static int save_kept(struct auth *auth, struct err *err)
{
    struct token_store *store = auth->options.store;
    struct err unimportant = ERR_INIT;
    int rc = store ? store->save(store, &auth->kept, must_keep(auth) ? err : &unimportant) : 0;
    if (rc == 0) auth->was_saved = true;
    auth->has_unsaved = rc != 0 && must_keep(auth);
    return auth->has_unsaved ? rc : 0;
}

void auth_fact(const struct auth *auth, struct str name, struct buf *out)
{
    struct cJSON *facts = NULL;
    struct err ignored = ERR_INIT;
    struct buf key = BUF_INIT(TOKEN_MAX_BYTES);
    if (auth->kept.facts.size == 0 || json_parse(buf_str(&auth->kept.facts), TOKEN_MAX_BYTES, &facts, &ignored) != 0) return;
    buf_append_str(&key, name);
    const char *text = json_string(json_get(facts, buf_text(&key)));
    if (text) buf_append_text(out, text);
    buf_release(&key);
    json_free(facts);
}

/* A connector that captures more than it did needs a new answer. */
static bool has_facts(const struct auth *auth)
{
    const struct auth_spec *spec = &auth->spec;
    size_t found = 0;
    for (size_t i = 0; i < spec->capture_count; i++) {
        struct buf value = BUF_INIT(TOKEN_MAX_BYTES);
        auth_fact(auth, spec->captures[i].name, &value);
        found += value.size > 0;
        buf_release(&value);
    }
    return found == spec->capture_count;
}

/* Has another process, or an earlier run, left a token that is good and is not the one that was just refused or has ended? */
static bool can_adopt(const struct auth *auth)
{
    const struct tokens *kept = &auth->kept;
    bool is_first = auth->generation == 0;
    if (auth->options.fetches_always && is_first) return false;
    return auth->options.store && kept->access_token.size > 0 && clock_wall_us(auth->options.clock) < kept->renew_at_us &&
           !str_equal(buf_str(&kept->access_token), buf_str(&auth->token)) && has_facts(auth);
}

/* One call, or two: where the newest refresh token is not known to the server, the one before it may be, since its renewal was
 * lost on the way. */
static int call(struct auth *auth, const struct auth_sender *sender, struct token_answer *answer, struct err *err)
{
    const struct auth_spec *spec = &auth->spec;
    const struct auth_options *options = &auth->options;
    struct err second = ERR_INIT;
    if (spec->kind == AUTH_SESSION) return session_fetch(spec, sender, options->clock, options->secrets, answer, err);
    int rc = token_fetch(spec, buf_str(&auth->kept.refresh_token), sender, options->clock, options->secrets, answer, err);
    if (rc != 0 && answer->is_invalid_grant && auth_is_login(spec))
        err_hint(err, "run `sluice auth login " STR_FMT "`: the login has ended or was revoked", STR_ARG(spec->oauth2.login));
    if (rc == 0 || !answer->is_invalid_grant || auth->kept.previous.size == 0) return rc;
    token_answer_release(answer);
    if (token_fetch(spec, buf_str(&auth->kept.previous), sender, options->clock, options->secrets, answer, &second) != 0)
        return rc;
    tokens_set(&auth->kept.refresh_token, buf_str(&auth->kept.previous));
    tokens_set(&auth->kept.previous, STR(""));
    return 0;
}

/* Until when a token that was asked for at `now_us` is used: less 60 s or a tenth of its life, whichever is more, but at least
 * half. */
static int64_t renew_at(int64_t now_us, int64_t lifetime_ms)
{
    if (lifetime_ms < 0) return INT64_MAX;
    int64_t margin_ms = lifetime_ms / 10 > 60 * 1000 ? lifetime_ms / 10 : 60 * 1000;
    if (margin_ms > lifetime_ms / 2) margin_ms = lifetime_ms / 2;
    return now_us + (lifetime_ms - margin_ms) * 1000;
}

/* What the answer says becomes what is kept. */
static void take_answer(struct auth *auth, const struct token_answer *answer, int64_t asked_us)
{
    struct tokens *kept = &auth->kept;
    struct str refresh = buf_str(&answer->refresh_token);
    tokens_set(&kept->access_token, buf_str(&answer->access_token));
    kept->renew_at_us = renew_at(asked_us, answer->lifetime_ms);
    tokens_set(&kept->facts, buf_str(&answer->facts));
    if (refresh.size == 0 || str_equal(refresh, buf_str(&kept->refresh_token)) || !must_keep(auth)) return;
    tokens_set(&kept->previous, buf_str(&kept->refresh_token));
    tokens_set(&kept->refresh_token, refresh);
}

/* With the store locked. It is written before the call, too: one that cannot be written to must fail while the old refresh
 * token still lives. */
static int renew(struct auth *auth, const struct auth_sender *sender, struct err *err)
{
    struct token_answer answer = TOKEN_ANSWER_INIT;
    int rc = load_kept(auth, err);
    if (rc == 0 && can_adopt(auth)) return 0;
    if (rc == 0 && must_keep(auth) && auth->kept.refresh_token.size == 0) {
        rc = err_set(err, ERR_AUTH, auth->kept.access_token.size ? "the login has ended" : "nobody has logged in yet");
        err_hint(err, "run `sluice auth login " STR_FMT "`", STR_ARG(auth->spec.oauth2.login));
    }
    if (rc == 0 && must_keep(auth) && (!auth->was_saved || auth->has_unsaved)) rc = save_kept(auth, err);
    int64_t asked_us = clock_wall_us(auth->options.clock);
    if (rc == 0) rc = call(auth, sender, &answer, err);
    if (rc == 0) {
        take_answer(auth, &answer, asked_us);
        rc = save_kept(auth, err);
    }
    token_answer_release(&answer);
    return rc;
}

/* Locks the store, which must be there. */
static int lock_store(struct auth *auth, struct err *err)
{
    struct token_store *store = auth->options.store;
    return store ? store->lock(store, err) : err_set(err, ERR_CONFIG, "there is no state directory to keep tokens in");
}

/* One flight at a time is a flight of a login, too: nobody else uses this auth meanwhile. */
int auth_redeem(struct auth *auth, const struct auth_sender *sender, enum auth_call call, const struct auth_pair *params,
                size_t count, char error[AUTH_ERROR_MAX], struct err *err)
{
    struct token_store *store = auth->options.store;
    struct token_answer answer = TOKEN_ANSWER_INIT;
    struct auth_spec spec = auth->spec;
    struct arena arena = ARENA_INIT(0);
    struct auth_pair *all = arena_array(&arena, struct auth_pair, spec.oauth2.param_count + count);
    for (size_t i = 0; i < count; i++) all[i] = params[i];
    for (size_t i = 0; i < spec.oauth2.param_count; i++) all[count + i] = spec.oauth2.params[i];
    spec.oauth2.params = all;
    spec.oauth2.param_count += count;
    spec.oauth2.call = call;
    spec.oauth2.scope = STR(""); /* was asked for when the login began (RFC 6749 4.1.3) */
    int64_t asked_us = clock_wall_us(auth->options.clock);
    int rc = token_fetch(&spec, STR(""), sender, auth->options.clock, auth->options.secrets, &answer, err);
    snprintf(error, AUTH_ERROR_MAX, "%s", answer.error);
    if (rc == 0) rc = lock_store(auth, err);
    if (rc == 0) {
        tokens_release(&auth->kept);
        auth->kept = TOKENS_INIT;
        take_answer(auth, &answer, asked_us);
        rc = save_kept(auth, err);
        store->unlock(store);
    }
    token_answer_release(&answer);
    arena_release(&arena);
    return rc;
}

int auth_look(struct auth *auth, struct auth_stored *stored, struct err *err)
{
    struct token_store *store = auth->options.store;
    int rc = lock_store(auth, err);
    if (rc != 0) return rc;
    rc = load_kept(auth, err);
    store->unlock(store);
    *stored = (struct auth_stored){auth->kept.access_token.size > 0, auth->kept.refresh_token.size > 0, auth->kept.renew_at_us};
    return rc;
}

int auth_forget(struct auth *auth, struct err *err)
{
    struct token_store *store = auth->options.store;
    int rc = lock_store(auth, err);
    if (rc != 0) return rc;
    tokens_release(&auth->kept);
    rc = store->save(store, &auth->kept, err);
    store->unlock(store);
    return rc;
}

static int sign_own(struct auth *auth, struct err *err)
{
    int64_t now_us = clock_wall_us(auth->options.clock);
    struct buf out = BUF_INIT(TOKEN_MAX_BYTES);
    int rc = jwt_write(&auth->spec.jwt, now_us, &out, err);
    if (rc == 0) tokens_set(&auth->kept.access_token, buf_str(&out));
    auth->kept.renew_at_us = renew_at(now_us, jwt_life_ms(&auth->spec.jwt));
    if (out.data) crypto_wipe(out.data, out.size);
    buf_release(&out);
    if (rc == 0) register_kept(auth);
    return rc;
}

/* A new access token in `kept`: another process's, by a call of our own, or signed here. */
static int fly(struct auth *auth, const struct auth_sender *sender, struct err *err)
{
    if (auth->spec.kind == AUTH_JWT && !auth->spec.exchange.url) return sign_own(auth, err);
    struct token_store *store = auth->options.store;
    struct err unlocked = ERR_INIT;
    int rc = store ? store->lock(store, &unlocked) : 0;
    bool is_locked = store && rc == 0;
    if (rc != 0 && (must_keep(auth) || rc == ERR_CANCELLED)) return err_copy(err, &unlocked);
    rc = renew(auth, sender, err);
    if (is_locked) store->unlock(store);
    return rc;
}

/* Called and left with the lock held, which is open during the call. */
static int start_flight(struct auth *auth, const struct auth_sender *sender, struct err *err)
{
    struct err failure = ERR_INIT;
    auth->flying = true;
    pthread_mutex_unlock(&auth->lock);
    int64_t asked_ms = clock_now_ms(auth->options.clock), asked_us = clock_wall_us(auth->options.clock);
    int rc = fly(auth, sender, &failure);
    pthread_mutex_lock(&auth->lock);
    auth->flying = false;
    auth->flights++;
    auth->failure = failure;
    if (rc == ERR_AUTH) auth->refusal = failure;
    if (rc == 0) {
        int64_t renew_at_us = auth->kept.renew_at_us;
        tokens_set(&auth->token, buf_str(&auth->kept.access_token));
        auth->good_until_ms = renew_at_us == INT64_MAX ? INT64_MAX : asked_ms + (renew_at_us - asked_us) / 1000;
        auth->generation++;
    }
    pthread_cond_broadcast(&auth->landed);
    return rc == 0 ? 0 : err_copy(err, &failure);
}

/* Waits for the flight under way. It ends when its thread is cancelled, so this needs no time limit. */
static int join_flight(struct auth *auth, struct err *err)
{
    uint64_t mine = auth->flights;
    while (auth->flights == mine) pthread_cond_wait(&auth->landed, &auth->lock);
    return auth->failure.class == 0 ? 0 : err_copy(err, &auth->failure);
}

static bool has_good_token(const struct auth *auth)
{
    return auth->token.size > 0 && clock_now_ms(auth->options.clock) < auth->good_until_ms;
}

static int token_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                             struct auth_credentials *credentials, struct err *err)
{
    struct str prefix = auth->spec.kind == AUTH_JWT ? auth->spec.prefix : STR("Bearer");
    int rc = 0;
    pthread_mutex_lock(&auth->lock);
    /* What a flight brought is used once in any case, even when it is so short-lived that it has ended already. */
    if (!has_good_token(auth)) {
        if (auth->refusal.class != 0)
            rc = err_copy(err, &auth->refusal);
        else
            rc = auth->flying ? join_flight(auth, err) : start_flight(auth, sender, err);
    }
    if (rc == 0) {
        struct str token = buf_str(&auth->token);
        if (auth->spec.kind == AUTH_SESSION)
            place(&auth->spec, arena_copy(arena, token), arena, credentials);
        else
            credentials->header = (struct http_header){STR("Authorization"), join(arena, prefix, token)};
        credentials->generation = auth->generation;
    }
    pthread_mutex_unlock(&auth->lock);
    return rc;
}

/* --- signatures over requests -------------------------------------------------------------------- */

static int check_sigv4(const struct auth_spec *spec, struct err *err)
{
    const struct auth_sigv4 *sigv4 = &spec->sigv4;
    int rc = check_value(sigv4->access_key, "the access key", err);
    if (rc == 0) rc = check_value(sigv4->secret_key, "the secret key", err);
    if (rc == 0) rc = check_value(sigv4->region, "the region", err);
    if (rc == 0) rc = check_value(sigv4->service, "the service", err);
    return rc == 0 && sigv4->session_token.size ? check_value(sigv4->session_token, "the session token", err) : rc;
}

static int sign_sigv4(const struct auth *auth, const struct http_request *request, const struct url *url, struct arena *arena,
                      struct auth_signature *signature, struct err *err)
{
    struct http_header *headers = arena_array(arena, struct http_header, AUTH_SIGNING_HEADERS_MAX);
    (void)err;
    signature->header_count =
        sigv4_headers(&auth->spec.sigv4, request, url, clock_wall_us(auth->options.clock), arena, headers);
    signature->headers = headers;
    return 0;
}

static int check_oauth1(const struct auth_spec *spec, struct err *err)
{
    const struct auth_oauth1 *oauth1 = &spec->oauth1;
    int rc = check_value(oauth1->consumer_key, "the consumer key", err);
    if (rc == 0) rc = check_value(oauth1->consumer_secret, "the consumer secret", err);
    if (rc == 0 && oauth1->token.size) rc = check_value(oauth1->token, "the token", err);
    if (rc == 0 && oauth1->token_secret.size) rc = check_value(oauth1->token_secret, "the token's secret", err);
    if (rc == 0 && oauth1->realm.size) rc = check_value(oauth1->realm, "the realm", err);
    if (rc == 0 && oauth1->realm.size && strpbrk(oauth1->realm.data, "\"\\"))
        rc = err_set(err, ERR_CONFIG, "cannot authenticate: the realm holds a quote or a backslash");
    return rc;
}

static int sign_oauth1(const struct auth *auth, const struct http_request *request, const struct url *url, struct arena *arena,
                       struct auth_signature *signature, struct err *err)
{
    char nonce[SIGN_NONCE_SIZE];
    struct http_header *header = arena_new(arena, struct http_header);
    (void)err;
    sign_make_nonce(nonce);
    *header = oauth1_header(&auth->spec.oauth1, request, url, clock_wall_us(auth->options.clock), str_from(nonce), arena);
    signature->headers = header;
    signature->header_count = 1;
    return 0;
}

static int check_hmac(const struct auth_spec *spec, struct err *err)
{
    return sign_check(&spec->hmac, err);
}

static int sign_hmac(const struct auth *auth, const struct http_request *request, const struct url *url, struct arena *arena,
                     struct auth_signature *signature, struct err *err)
{
    char *nonce = arena_alloc(arena, SIGN_NONCE_SIZE);
    sign_make_nonce(nonce);
    return sign_request(&auth->spec.hmac, request, url, clock_wall_us(auth->options.clock), str_from(nonce), arena, signature,
                        err);
}

/* --- all kinds ----------------------------------------------------------------------------------- */

static const struct kind KINDS[] = {
    [AUTH_NONE] = {"none", check_none, none_credentials, false, NULL},
    [AUTH_BEARER] = {"bearer", check_bearer, bearer_credentials, false, NULL},
    [AUTH_BASIC] = {"basic", check_basic, basic_credentials, false, NULL},
    [AUTH_API_KEY] = {"api_key", check_api_key, api_key_credentials, false, NULL},
    [AUTH_OAUTH2] = {"oauth2", check_oauth2, token_credentials, true, NULL},
    [AUTH_JWT] = {"jwt", check_jwt, token_credentials, true, NULL},
    [AUTH_SIGV4] = {"sigv4", check_sigv4, none_credentials, false, sign_sigv4},
    [AUTH_OAUTH1] = {"oauth1", check_oauth1, none_credentials, false, sign_oauth1},
    [AUTH_HMAC] = {"hmac", check_hmac, none_credentials, false, sign_hmac},
    [AUTH_SESSION] = {"session", check_session, token_credentials, true, NULL},
};

struct auth_spec auth_of_pool(const struct auth_spec *spec, size_t i)
{
    struct auth_spec one = *spec;
    one.token = one.key = spec->pool[i];
    one.pool_count = 0;
    return one;
}

bool auth_keeps_tokens(const struct auth_spec *spec)
{
    return spec->kind == AUTH_OAUTH2 || spec->kind == AUTH_SESSION || (spec->kind == AUTH_JWT && spec->exchange.url);
}

bool auth_is_login(const struct auth_spec *spec)
{
    enum auth_grant grant = spec->oauth2.grant;
    return spec->kind == AUTH_OAUTH2 && (grant == AUTH_AUTHORIZATION_CODE || grant == AUTH_DEVICE_CODE);
}

/* With its size, so that no two lists of texts look alike. */
static void add_text(struct digest *digest, struct str text)
{
    uint64_t size = text.size;
    digest_add(digest, &size, sizeof size);
    digest_add(digest, text.data, text.size);
}

static void add_jwt(struct digest *digest, const struct jwt *jwt)
{
    add_text(digest, jwt->key);
    add_text(digest, jwt->key_id);
    add_text(digest, jwt->issuer);
    add_text(digest, jwt->subject);
    add_text(digest, jwt->audience);
    for (size_t i = 0; i < jwt->claim_count; i++) {
        add_text(digest, jwt->claims[i].name);
        add_text(digest, jwt->claims[i].json);
    }
}

static void add_session(struct digest *digest, const struct auth_session *session)
{
    add_text(digest, str_from(session->login_url));
    add_text(digest, session->body);
    add_text(digest, session->username);
    add_text(digest, session->password);
    for (size_t i = 0; i < session->header_count; i++) {
        add_text(digest, session->headers[i].name);
        add_text(digest, session->headers[i].value);
    }
}

void auth_identity(const struct auth_spec *spec, char out[SHA256_HEX_SIZE])
{
    const struct auth_oauth2 *oauth2 = &spec->oauth2;
    struct digest *digest = digest_new();
    unsigned char bytes[SHA256_SIZE];
    if (spec->kind == AUTH_SESSION)
        add_session(digest, &spec->session);
    else
        add_text(digest, str_from(spec->kind == AUTH_JWT ? spec->exchange.url : oauth2->token_url));
    if (spec->kind == AUTH_JWT) add_jwt(digest, &spec->jwt);
    add_text(digest, oauth2->client_id);
    add_text(digest, oauth2->refresh_token);
    add_text(digest, oauth2->login);
    if (oauth2->grant != AUTH_REFRESH_TOKEN && !auth_is_login(spec)) {
        add_text(digest, oauth2->client_secret);
        add_text(digest, oauth2->scope);
        add_text(digest, oauth2->username);
        add_text(digest, oauth2->password);
        if (oauth2->sign) add_text(digest, oauth2->sign->key);
        if (oauth2->assertion) add_jwt(digest, oauth2->assertion);
        for (size_t i = 0; i < oauth2->param_count; i++) {
            add_text(digest, oauth2->params[i].name);
            add_text(digest, oauth2->params[i].value);
        }
    }
    digest_end(digest, bytes);
    digest_free(digest);
    crypto_hex_text(bytes, sizeof bytes, out);
}

int auth_new(const struct auth_spec *spec, const struct auth_options *options, struct auth **out, struct err *err)
{
    CHECK((size_t)spec->kind < ARRAY_SIZE(KINDS));
    int rc = KINDS[spec->kind].check(spec, err);
    if (rc != 0) {
        if (options->store) options->store->free(options->store);
        return rc;
    }
    struct auth *auth = mem_zero(1, sizeof *auth);
    auth->kind = &KINDS[spec->kind];
    auth->spec = *spec;
    auth->options = *options;
    auth->token = BUF_INIT(TOKEN_MAX_BYTES);
    auth->kept = TOKENS_INIT;
    CHECK(pthread_mutex_init(&auth->lock, NULL) == 0 && pthread_cond_init(&auth->landed, NULL) == 0);
    *out = auth;
    return 0;
}

void auth_free(struct auth *auth)
{
    if (!auth) return;
    if (auth->token.data) crypto_wipe(auth->token.data, auth->token.size);
    buf_release(&auth->token);
    tokens_release(&auth->kept);
    if (auth->options.store) auth->options.store->free(auth->options.store);
    pthread_mutex_destroy(&auth->lock);
    pthread_cond_destroy(&auth->landed);
    free(auth);
}

int auth_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                     struct auth_credentials *credentials, struct err *err)
{
    *credentials = (struct auth_credentials){0};
    return auth->kind->credentials(auth, sender, arena, credentials, err);
}

int auth_sign_request(const struct auth *auth, const struct http_request *request, const struct url *url, struct arena *arena,
                      struct auth_signature *signature, struct err *err)
{
    *signature = (struct auth_signature){0};
    return auth->kind->sign ? auth->kind->sign(auth, request, url, arena, signature, err) : 0;
}

bool auth_refused(struct auth *auth, uint64_t generation)
{
    if (!auth->kind->renews) return false;
    pthread_mutex_lock(&auth->lock);
    /* Another thread may have replaced it already. */
    if (auth->generation == generation) auth->good_until_ms = INT64_MIN;
    bool may_help = auth->refusal.class == 0;
    pthread_mutex_unlock(&auth->lock);
    return may_help;
}

const char *auth_kind_name(const struct auth *auth)
{
    return auth->kind->name;
}
