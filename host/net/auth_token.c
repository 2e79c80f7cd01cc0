/* How it works: the parameters are written in one order into a form or a JSON object; then the signature, if any, is made over
 * the finished body. The answer is read strictly where it matters (the token) and leniently where servers differ (expires_in).
 */
#include "net/auth_token.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/time.h"
#include "net/auth_sign.h"
#include "net/excerpt.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/secret.h"

enum { BODY_MAX_BYTES = 256 * 1024, ANSWER_MAX_BYTES = 1024 * 1024, FACT_MAX_BYTES = 2048 };

static void wipe(struct buf *buf)
{
    if (buf->data) crypto_wipe(buf->data, buf->size);
    buf_release(buf);
}

void token_answer_release(struct token_answer *answer)
{
    wipe(&answer->access_token);
    wipe(&answer->refresh_token);
    buf_release(&answer->facts);
}

/* --- the request --------------------------------------------------------------------------------- */

/* Writes parameters in the body's format. */
struct params {
    struct buf *body;
    struct json_writer writer;
    bool json;
};

static void add_param(struct params *params, struct str name, struct str value)
{
    if (value.size == 0) return;
    if (!params->json) {
        url_add_form(params->body, name, value);
        return;
    }
    struct buf key = BUF_INIT(BODY_MAX_BYTES);
    buf_append_str(&key, name);
    json_member(&params->writer, buf_text(&key));
    json_text(&params->writer, value);
    buf_release(&key);
}

/* What each grant is called, and what invalid_grant means there. */
static const struct {
    const char *type;
    const char *hint;
} GRANTS[] = {
    [AUTH_CLIENT_CREDENTIALS] = {"client_credentials", "check client id and client secret in the pipeline's config"},
    [AUTH_REFRESH_TOKEN] = {"refresh_token", "log in again at the source and configure the new refresh token: this one has "
                                             "ended or was revoked"},
    [AUTH_AUTHORIZATION_CODE] = {"refresh_token", "log in again: this login has ended or was revoked"},
    [AUTH_DEVICE_CODE] = {"refresh_token", "log in again: this login has ended or was revoked"},
    [AUTH_PASSWORD] = {"password", "check user name and password in the pipeline's config"},
    [AUTH_JWT_BEARER] = {"urn:ietf:params:oauth:grant-type:jwt-bearer",
                         "check key, issuer, subject and audience of the assertion, and whether the server has allowed this "
                         "client for that user"},
};

/* What other calls than the grant's own are called; NULL: it has no type. */
static const char *const CALL_TYPES[] = {
    [AUTH_CALL_CODE] = "authorization_code",
    [AUTH_CALL_DEVICE] = NULL,
    [AUTH_CALL_DEVICE_CODE] = "urn:ietf:params:oauth:grant-type:device_code",
};

static const char *type_of(const struct auth_oauth2 *oauth2)
{
    return oauth2->call == AUTH_CALL_TOKEN ? GRANTS[oauth2->grant].type : CALL_TYPES[oauth2->call];
}

#define ASSERTION_TYPE STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")

static void write_body(const struct auth_oauth2 *oauth2, struct str refresh_token, struct str assertion, struct buf *body)
{
    struct params params = {.body = body, .writer = JSON_WRITER(body), .json = oauth2->json};
    bool is_assertion = oauth2->client == AUTH_CLIENT_ASSERTION;
    bool is_device = oauth2->call == AUTH_CALL_DEVICE;
    const struct auth_pair *more = is_device ? oauth2->authorize_params : oauth2->params;
    size_t more_count = is_device ? oauth2->authorize_param_count : oauth2->param_count;
    if (params.json) json_open(&params.writer, '{');
    add_param(&params, STR("grant_type"), str_from(type_of(oauth2)));
    if (oauth2->client != AUTH_CLIENT_BASIC) add_param(&params, STR("client_id"), oauth2->client_id);
    if (oauth2->client == AUTH_CLIENT_BODY) add_param(&params, STR("client_secret"), oauth2->client_secret);
    if (is_assertion) add_param(&params, STR("client_assertion_type"), ASSERTION_TYPE);
    if (is_assertion) add_param(&params, STR("client_assertion"), assertion);
    if (oauth2->grant == AUTH_JWT_BEARER) add_param(&params, STR("assertion"), assertion);
    if (refresh_token.size) add_param(&params, STR("refresh_token"), refresh_token);
    if (oauth2->grant == AUTH_PASSWORD) add_param(&params, STR("username"), oauth2->username);
    if (oauth2->grant == AUTH_PASSWORD) add_param(&params, STR("password"), oauth2->password);
    add_param(&params, STR("scope"), oauth2->scope);
    for (size_t i = 0; i < more_count; i++) add_param(&params, more[i].name, more[i].value);
    if (params.json) json_close(&params.writer, '}');
}

/* Client id and secret are form-encoded before they are joined (RFC 6749 2.3.1). */
static struct str basic_value(const struct auth_oauth2 *oauth2, struct arena *arena)
{
    struct buf joined = BUF_INIT(BODY_MAX_BYTES), value = BUF_INIT(BODY_MAX_BYTES);
    url_encode(oauth2->client_id, &joined);
    buf_append_char(&joined, ':');
    url_encode(oauth2->client_secret, &joined);
    buf_append_text(&value, "Basic ");
    crypto_base64(buf_str(&joined), &value);
    struct str text = arena_copy(arena, buf_str(&value));
    wipe(&joined);
    wipe(&value);
    return text;
}

/* Behind the request's own headers, which have the room. */
static int add_signature(const struct auth_sign *sign, const struct url *url, struct clock *clock, struct http_request *request,
                         struct http_header *headers, struct arena *arena, struct err *err)
{
    char nonce[SIGN_NONCE_SIZE];
    struct auth_signature signature;
    sign_make_nonce(nonce);
    int rc = sign_request(sign, request, url, clock_wall_us(clock), str_from(nonce), arena, &signature, err);
    for (size_t i = 0; i < signature.header_count; i++) headers[request->header_count++] = signature.headers[i];
    return rc;
}

/* A signed token is registered for redaction before it goes anywhere. */
static int make_jwt(const struct jwt *jwt, struct clock *clock, struct secrets *secrets, struct arena *arena, struct str *text,
                    struct err *err)
{
    struct buf out = BUF_INIT(JWT_MAX_BYTES);
    int rc = jwt_write(jwt, clock_wall_us(clock), &out, err);
    if (rc == 0) *text = arena_copy(arena, buf_str(&out));
    if (rc == 0 && secrets) (void)secrets_add(secrets, "auth.assertion", *text);
    wipe(&out);
    return rc;
}

static int build_grant(const struct auth_oauth2 *oauth2, struct str refresh_token, struct clock *clock, struct secrets *secrets,
                       struct arena *arena, struct http_request *request, struct err *err)
{
    struct buf body = BUF_INIT(BODY_MAX_BYTES);
    struct url url = {0};
    struct str assertion = {0};
    size_t extra = oauth2->sign ? oauth2->sign->header_count : 0, count = 0;
    const char *target = oauth2->call == AUTH_CALL_DEVICE ? oauth2->device_url : oauth2->token_url;
    struct http_header *headers = arena_array(arena, struct http_header, 3 + extra);
    int rc = url_parse(str_from(target), arena, &url, err);
    if (rc == 0 && oauth2->assertion) rc = make_jwt(oauth2->assertion, clock, secrets, arena, &assertion, err);
    if (rc == 0) write_body(oauth2, refresh_token, assertion, &body);
    if (rc == 0 && body.failed) rc = err_set(err, ERR_CONFIG, "cannot send a token call over %d bytes", BODY_MAX_BYTES);
    if (rc != 0) goto out;
    struct str sent = arena_copy(arena, buf_str(&body));
    headers[count++] = (struct http_header){STR("Content-Type"),
                                            oauth2->json ? STR("application/json") : STR("application/x-www-form-urlencoded")};
    headers[count++] = (struct http_header){STR("Accept"), STR("application/json")};
    if (oauth2->client == AUTH_CLIENT_BASIC)
        headers[count++] = (struct http_header){STR("Authorization"), basic_value(oauth2, arena)};
    *request = (struct http_request){.method = "POST", .url = target, .headers = headers, .header_count = count, .body = sent};
    if (oauth2->sign) rc = add_signature(oauth2->sign, &url, clock, request, headers, arena, err);
out:
    wipe(&body);
    return rc;
}

static int build_exchange(const struct auth_spec *spec, struct clock *clock, struct secrets *secrets, struct arena *arena,
                          struct http_request *request, struct err *err)
{
    struct http_header *headers = arena_array(arena, struct http_header, 3);
    struct str token;
    int rc = make_jwt(&spec->jwt, clock, secrets, arena, &token, err);
    if (rc != 0) return rc;
    struct str value = str_from(arena_printf(arena, STR_FMT " " STR_FMT, STR_ARG(spec->prefix), (int)token.size, token.data));
    headers[0] = (struct http_header){STR("Authorization"), str_trim(value)};
    headers[1] = (struct http_header){STR("Accept"), STR("application/json")};
    headers[2] = (struct http_header){STR("Content-Type"), STR("application/json")};
    *request = (struct http_request){.url = spec->exchange.url, .headers = headers, .header_count = 3, .body = STR("{}")};
    return 0;
}

static int build(const struct auth_spec *spec, struct str refresh_token, struct clock *clock, struct secrets *secrets,
                 struct arena *arena, struct http_request *request, struct err *err)
{
    int rc = spec->kind == AUTH_JWT ? build_exchange(spec, clock, secrets, arena, request, err)
                                    : build_grant(&spec->oauth2, refresh_token, clock, secrets, arena, request, err);
    /* Sent again when its fate is unknown: a refresh token that was used up by the lost answer is lost either way. */
    request->method = "POST";
    request->idempotent = true;
    request->anonymous = true;
    return rc;
}

/* --- the answer ---------------------------------------------------------------------------------- */

/* The server's own words: "invalid_client: no such client" (RFC 6749 5.2), else the body's beginning when that is a refusal's.
 */
static void append_reason(const struct cJSON *json, struct str body, bool is_refusal, const struct secrets *secrets,
                          struct buf *out)
{
    const char *error = json_string(json_get(json, "error"));
    const char *detail = json_string(json_get(json, "error_description"));
    if (!error && is_refusal) excerpt_append(body, secrets, out);
    if (error) excerpt_append(str_from(error), secrets, out);
    if (error && detail) buf_append_text(out, ": ");
    if (error && detail) excerpt_append(str_from(detail), secrets, out);
}

/* What a server's error code says (RFC 6749 5.2 and 4.1.2.1; the last of HubSpot's older form). Others are refusals for which
 * the client is to be looked at. */
static const struct {
    const char *code;
    int class;
    bool is_invalid_grant;
} CODES[] = {
    {"invalid_grant", ERR_AUTH, true},
    {"server_error", ERR_TRANSIENT, false},
    {"temporarily_unavailable", ERR_TRANSIENT, false},
    {"slow_down", ERR_TRANSIENT, false},
    {"BAD_REFRESH_TOKEN", ERR_AUTH, true},
};

static int refused(const struct auth_spec *spec, const struct cJSON *json, const struct http_response *response,
                   const struct secrets *secrets, struct token_answer *answer, struct err *err)
{
    const char *code = json_string(json_get(json, "error"));
    struct str body = {response->body->data, response->body->size};
    struct buf reason = BUF_INIT(1024), url = BUF_INIT(1024);
    bool is_success = response->status / 100 == 2;
    int class = ERR_AUTH;
    if (!code) code = json_string(json_get(json, "status"));
    for (size_t i = 0; code && i < ARRAY_SIZE(CODES); i++) {
        if (strcmp(code, CODES[i].code) != 0) continue;
        class = CODES[i].class;
        answer->is_invalid_grant = CODES[i].is_invalid_grant;
    }
    if (code && strlen(code) < sizeof answer->error) snprintf(answer->error, sizeof answer->error, "%s", code);
    append_reason(json, body, !is_success, secrets, &reason);
    url_redact(str_from(response->url), secrets, &url);
    err_set(err, class, "cannot get a token: POST %s answered %d%s%s", buf_text(&url), response->status,
            reason.size  ? ": "
            : is_success ? " without a token"
                         : "",
            buf_text(&reason));
    if (spec->kind == AUTH_JWT)
        err_hint(err, "check key, issuer and claims in the pipeline's config");
    else if (answer->is_invalid_grant)
        err_hint(err, "%s",
                 spec->oauth2.call != AUTH_CALL_TOKEN ? "the code was not accepted: log in again"
                                                      : GRANTS[spec->oauth2.grant].hint);
    else if (class == ERR_AUTH)
        err_hint(err, "check client id, client secret and the token URL in the pipeline's config");
    buf_release(&reason);
    buf_release(&url);
    return class;
}

/* A token goes into a header: visible ASCII only (RFC 6750 2.1 allows less still). */
static bool is_sendable(const char *token)
{
    for (const char *c = token; *c; c++)
        if (*c <= ' ' || *c > '~') return false;
    return token[0] && strlen(token) <= TOKEN_MAX_BYTES;
}

/* How long from now, or since when in the epoch's seconds or milliseconds, or an instant in ISO 8601. -1: it says nothing, or
 * what is past. */
static int64_t read_life(const struct cJSON *value, int64_t now_us)
{
    const double first_epoch_s = 1e9, first_epoch_ms = 1e11, end_ms = 1e15;
    const double longest_ms = 10.0 * 366 * 24 * 3600 * 1000;
    double number, life_ms;
    int64_t instant_us;
    enum time_zone_mark mark;
    const char *text = json_string(value);
    if (text && time_parse_iso(str_from(text), &instant_us, &mark))
        life_ms = (double)(instant_us - now_us) / 1000;
    else if (!json_number(value, &number))
        return -1;
    else if (number >= first_epoch_ms && number < end_ms)
        life_ms = number - (double)now_us / 1000;
    else if (number >= first_epoch_s && number < first_epoch_ms)
        life_ms = (number - (double)now_us / 1e6) * 1000;
    else
        life_ms = number * 1000;
    if (!(life_ms > 0)) return -1;
    return (int64_t)(life_ms < longest_ms ? life_ms : longest_ms);
}

int64_t token_lifetime_ms(const struct cJSON *json, int64_t now_us)
{
    static const char *const KEYS[] = {"expires_in", "expires_at", "expires_on"};
    int64_t life_ms = -1;
    for (size_t i = 0; i < ARRAY_SIZE(KEYS) && life_ms < 0; i++) life_ms = read_life(json_get(json, KEYS[i]), now_us);
    return life_ms;
}

/* A fact goes into URLs and headers: one line of text, of a size that one has. */
static bool is_plain_fact(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) return false;
    return strlen(text) <= FACT_MAX_BYTES;
}

void token_read_facts(const struct auth_spec *spec, const struct cJSON *json, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    if (spec->capture_count == 0) return;
    json_open(&writer, '{');
    for (size_t i = 0; i < spec->capture_count; i++) {
        const struct cJSON *value = json_path(json, spec->captures[i].path);
        const char *text = json_string(value);
        double number;
        struct buf name = BUF_INIT(FACT_MAX_BYTES), digits = BUF_INIT(64);
        if (!text && json_number(value, &number) && number == (double)(int64_t)number) {
            buf_printf(&digits, "%lld", (long long)number);
            text = buf_text(&digits);
        }
        buf_append_str(&name, spec->captures[i].name);
        if (text && is_plain_fact(text)) {
            json_member(&writer, buf_text(&name));
            json_cstr(&writer, text);
        }
        buf_release(&name);
        buf_release(&digits);
    }
    json_close(&writer, '}');
}

static int read_answer(const struct auth_spec *spec, const struct cJSON *json, const struct http_response *response,
                       int64_t now_us, struct secrets *secrets, struct token_answer *answer, struct err *err)
{
    const char *access =
        json_string(spec->kind == AUTH_JWT ? json_path(json, spec->exchange.token_key) : json_get(json, "access_token"));
    const char *refresh = json_string(json_get(json, "refresh_token"));
    if (response->status / 100 != 2 || !access) return refused(spec, json, response, secrets, answer, err);
    if (secrets) (void)secrets_add(secrets, "auth.access_token", str_from(access));
    if (secrets && refresh && refresh[0]) (void)secrets_add(secrets, "auth.refresh_token", str_from(refresh));
    if (!is_sendable(access) || (refresh && refresh[0] && strlen(refresh) > TOKEN_MAX_BYTES))
        return err_set(err, ERR_AUTH,
                       "cannot use the token that was sent: it is empty, too long or has characters no header can hold");
    buf_append_text(&answer->access_token, access);
    if (refresh) buf_append_text(&answer->refresh_token, refresh);
    answer->lifetime_ms = token_lifetime_ms(json, now_us);
    token_read_facts(spec, json, &answer->facts);
    return 0;
}

/* The call and its answer: JSON, or NULL where that is none and a refusal. `response` and `json` are the caller's in any case.
 */
static int call(const struct auth_spec *spec, struct str refresh_token, const struct auth_sender *sender, struct clock *clock,
                struct secrets *secrets, struct arena *arena, struct http_response *response, struct cJSON **json,
                struct err *err)
{
    struct http_request request = {0};
    struct err no_json = ERR_INIT;
    int rc = build(spec, refresh_token, clock, secrets, arena, &request, err);
    if (rc == 0) rc = sender->send(sender->context, &request, arena, response, err);
    if (rc != 0) return err_context(err, "token call");
    struct str body = {response->body->data, response->body->size};
    if (json_parse(body, ANSWER_MAX_BYTES, json, &no_json) == 0 || response->status / 100 != 2) return 0;
    return err_set(err, ERR_TRANSIENT, "could not read the token call's answer: %s", no_json.message);
}

static void forget(struct http_response *response, struct cJSON *json, struct arena *arena)
{
    if (response->body && response->body->references == 1) crypto_wipe(response->body->data, response->body->size);
    http_response_release(response);
    json_free(json);
    arena_release(arena);
}

int token_fetch(const struct auth_spec *spec, struct str refresh_token, const struct auth_sender *sender, struct clock *clock,
                struct secrets *secrets, struct token_answer *answer, struct err *err)
{
    struct arena arena = ARENA_INIT(4 * ANSWER_MAX_BYTES);
    struct http_response response = {0};
    struct cJSON *json = NULL;
    *answer = TOKEN_ANSWER_INIT;
    int rc = call(spec, refresh_token, sender, clock, secrets, &arena, &response, &json, err);
    if (rc == 0) rc = read_answer(spec, json, &response, clock_wall_us(clock), secrets, answer, err);
    forget(&response, json, &arena);
    return rc;
}

int token_ask_device(const struct auth_spec *spec, const struct auth_sender *sender, struct clock *clock,
                     struct secrets *secrets, struct cJSON **json, struct err *err)
{
    struct arena arena = ARENA_INIT(4 * ANSWER_MAX_BYTES);
    struct http_response response = {0};
    struct token_answer answer = TOKEN_ANSWER_INIT;
    struct auth_spec asking = *spec;
    *json = NULL;
    asking.oauth2.call = AUTH_CALL_DEVICE;
    int rc = call(&asking, STR(""), sender, clock, secrets, &arena, &response, json, err);
    bool is_good = rc == 0 && response.status / 100 == 2 && !json_get(*json, "error");
    if (rc == 0 && !is_good) rc = refused(&asking, *json, &response, secrets, &answer, err);
    if (!is_good) {
        json_free(*json);
        *json = NULL;
    }
    token_answer_release(&answer);
    forget(&response, NULL, &arena);
    return rc;
}
