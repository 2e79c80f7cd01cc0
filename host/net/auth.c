/* How it works: one row per kind says how its spec is checked and how a request gets its credentials. Only oauth2 has state:
 * the token of the moment under a lock, and a *flight*, which is one token call. Who finds no good token starts the flight or
 * joins the one under way; when it lands, all who joined share its outcome. What belongs to the refresh token is touched by the
 * flying thread only. */
#include "net/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
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

    struct buf refresh_token; /* the newest; of the flying thread, as the rest */
    bool is_loaded;           /* the store was asked */
    bool is_saved;            /* the store has `refresh_token`, and can be written to */
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

static int basic_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                             struct auth_credentials *credentials, struct err *err)
{
    const struct auth_spec *spec = &auth->spec;
    size_t size = spec->username.size + 1 + spec->password.size;
    struct buf joined = BUF_INIT(size), encoded = BUF_INIT(2 * size + 4);
    (void)sender;
    (void)err;
    buf_append_str(&joined, spec->username);
    buf_append_char(&joined, ':');
    buf_append_str(&joined, spec->password);
    crypto_base64(buf_str(&joined), &encoded);
    credentials->header = (struct http_header){STR("Authorization"), join(arena, STR("Basic"), buf_str(&encoded))};
    crypto_wipe(joined.data, joined.size);
    crypto_wipe(encoded.data, encoded.size);
    buf_release(&joined);
    buf_release(&encoded);
    return 0;
}

static int check_api_key(const struct auth_spec *spec, struct err *err)
{
    int rc = check_value(spec->key, "the key", err);
    if (rc == 0) rc = check_value(spec->name, "the name of the key's header or parameter", err);
    return rc == 0 && spec->prefix.size ? check_value(spec->prefix, "the key's prefix", err) : rc;
}

static int api_key_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                               struct auth_credentials *credentials, struct err *err)
{
    struct str value = join(arena, auth->spec.prefix, auth->spec.key);
    (void)sender;
    (void)err;
    if (auth->spec.in_query)
        credentials->param = (struct auth_pair){auth->spec.name, value};
    else
        credentials->header = (struct http_header){auth->spec.name, value};
    return 0;
}

/* --- oauth2 -------------------------------------------------------------------------------------- */

static int check_sign(const struct auth_sign *sign, struct err *err)
{
    int rc = check_value(sign->key, "the signing key", err);
    for (size_t i = 0; i < sign->message.count && rc == 0; i++)
        if (sign->message.parts[i].kind == AUTH_PART_SIGNATURE)
            rc = err_set(err, ERR_CONFIG, "cannot authenticate: the signed message names its own signature");
    return rc;
}

static int check_oauth2(const struct auth_spec *spec, struct err *err)
{
    const struct auth_oauth2 *oauth2 = &spec->oauth2;
    int rc = check_value(str_from(oauth2->token_url), "the token URL", err);
    if (rc == 0 && oauth2->basic) rc = check_value(oauth2->client_id, "the client id", err);
    if (rc == 0 && oauth2->grant == AUTH_REFRESH_TOKEN) rc = check_value(oauth2->refresh_token, "the refresh token", err);
    if (rc == 0 && oauth2->sign) rc = check_sign(oauth2->sign, err);
    return rc;
}

static void replace(struct buf *buf, struct str text)
{
    if (buf->data) crypto_wipe(buf->data, buf->size);
    buf_clear(buf);
    buf_append_str(buf, text);
    CHECK(!buf->failed);
}

/* The newest refresh token: from the store, else the configured one. */
static int load_refresh_token(struct auth *auth, struct err *err)
{
    struct token_store *store = auth->options.store;
    struct str configured = auth->spec.oauth2.refresh_token;
    if (auth->is_loaded) return 0;
    if (configured.size > TOKEN_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "cannot use a refresh token of %zu bytes", configured.size);
    buf_clear(&auth->refresh_token);
    int rc = store ? store->load(store, configured, &auth->refresh_token, err) : 0;
    if (rc != 0) return rc;
    if (auth->refresh_token.failed)
        return err_set(err, ERR_CONFIG, "cannot use a stored refresh token over %d bytes", TOKEN_MAX_BYTES);
    if (auth->refresh_token.size == 0) replace(&auth->refresh_token, configured);
    if (auth->options.secrets) (void)secrets_add(auth->options.secrets, "auth.refresh_token", buf_str(&auth->refresh_token));
    auth->is_loaded = true;
    return 0;
}

static int save_refresh_token(struct auth *auth, struct err *err)
{
    struct token_store *store = auth->options.store;
    if (auth->is_saved || !store) return 0;
    int rc = store->save(store, auth->spec.oauth2.refresh_token, buf_str(&auth->refresh_token), err);
    auth->is_saved = rc == 0;
    return rc;
}

/* The token call with what belongs to it. The store is written before, too: one that cannot be written to must fail while the
 * old refresh token still lives. */
static int fly(struct auth *auth, const struct auth_sender *sender, struct token_answer *answer, struct err *err)
{
    const struct auth_oauth2 *oauth2 = &auth->spec.oauth2;
    bool refreshes = oauth2->grant == AUTH_REFRESH_TOKEN;
    int rc = refreshes ? load_refresh_token(auth, err) : 0;
    if (rc == 0 && refreshes) rc = save_refresh_token(auth, err);
    if (rc == 0)
        rc =
            token_fetch(oauth2, buf_str(&auth->refresh_token), sender, auth->options.clock, auth->options.secrets, answer, err);
    if (rc != 0 || !refreshes || answer->refresh_token.size == 0) return rc;
    if (str_equal(buf_str(&answer->refresh_token), buf_str(&auth->refresh_token))) return 0;
    replace(&auth->refresh_token, buf_str(&answer->refresh_token));
    auth->is_saved = false;
    return save_refresh_token(auth, err);
}

/* Until when a token that was asked for at `now_ms` is used: less 60 s or a tenth of its life, whichever is more, but at least
 * half. */
static int64_t good_until(int64_t now_ms, int64_t lifetime_ms)
{
    if (lifetime_ms < 0) return INT64_MAX;
    int64_t margin_ms = lifetime_ms / 10 > 60 * 1000 ? lifetime_ms / 10 : 60 * 1000;
    if (margin_ms > lifetime_ms / 2) margin_ms = lifetime_ms / 2;
    return now_ms + lifetime_ms - margin_ms;
}

/* Called and left with the lock held, which is open during the call. */
static int start_flight(struct auth *auth, const struct auth_sender *sender, struct err *err)
{
    struct token_answer answer = {BUF_INIT(1), BUF_INIT(1), -1};
    struct err failure = ERR_INIT;
    auth->flying = true;
    pthread_mutex_unlock(&auth->lock);
    int64_t asked_ms = clock_now_ms(auth->options.clock);
    int rc = fly(auth, sender, &answer, &failure);
    pthread_mutex_lock(&auth->lock);
    auth->flying = false;
    auth->flights++;
    auth->failure = failure;
    if (rc == ERR_AUTH) auth->refusal = failure;
    if (rc == 0) {
        replace(&auth->token, buf_str(&answer.access_token));
        auth->good_until_ms = good_until(asked_ms, answer.lifetime_ms);
        auth->generation++;
    }
    pthread_cond_broadcast(&auth->landed);
    token_answer_release(&answer);
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

static int oauth2_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                              struct auth_credentials *credentials, struct err *err)
{
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
        credentials->header = (struct http_header){STR("Authorization"), join(arena, STR("Bearer"), buf_str(&auth->token))};
        credentials->generation = auth->generation;
    }
    pthread_mutex_unlock(&auth->lock);
    return rc;
}

/* --- all kinds ----------------------------------------------------------------------------------- */

static const struct kind KINDS[] = {
    [AUTH_NONE] = {"none", check_none, none_credentials, false},
    [AUTH_BEARER] = {"bearer", check_bearer, bearer_credentials, false},
    [AUTH_BASIC] = {"basic", check_basic, basic_credentials, false},
    [AUTH_API_KEY] = {"api_key", check_api_key, api_key_credentials, false},
    [AUTH_OAUTH2] = {"oauth2", check_oauth2, oauth2_credentials, true},
};

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
    auth->refresh_token = BUF_INIT(TOKEN_MAX_BYTES);
    CHECK(pthread_mutex_init(&auth->lock, NULL) == 0 && pthread_cond_init(&auth->landed, NULL) == 0);
    *out = auth;
    return 0;
}

void auth_free(struct auth *auth)
{
    if (!auth) return;
    if (auth->token.data) crypto_wipe(auth->token.data, auth->token.size);
    if (auth->refresh_token.data) crypto_wipe(auth->refresh_token.data, auth->refresh_token.size);
    buf_release(&auth->token);
    buf_release(&auth->refresh_token);
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
