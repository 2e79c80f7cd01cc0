/* auth_session: see auth_session.h. */
#include "net/auth_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "net/excerpt.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/secret.h"

enum { ANSWER_MAX_BYTES = 1024 * 1024, MEMBERS_SHOWN = 10 };

/* --- the request --------------------------------------------------------------------------------- */

static void build(const struct auth_session *session, struct arena *arena, struct http_request *request)
{
    struct http_header *headers = arena_array(arena, struct http_header, 3 + session->header_count);
    size_t count = 0;
    headers[count++] = (struct http_header){STR("Accept"), STR("application/json")};
    if (session->body.size)
        headers[count++] = (struct http_header){STR("Content-Type"), session->json ? STR("application/json")
                                                                                   : STR("application/x-www-form-urlencoded")};
    if (session->username.size)
        headers[count++] =
            (struct http_header){STR("Authorization"), auth_basic_value(session->username, session->password, arena)};
    for (size_t i = 0; i < session->header_count; i++) {
        size_t at = 0;
        while (at < count && !str_equal_nocase(headers[at].name, session->headers[i].name)) at++;
        if (at == count) count++;
        headers[at] = (struct http_header){session->headers[i].name, session->headers[i].value};
    }
    *request = (struct http_request){.method = session->method,
                                     .url = session->login_url,
                                     .headers = headers,
                                     .header_count = count,
                                     .body = session->body,
                                     .idempotent = true,
                                     .anonymous = true,
                                     .keeps_redirects = true};
}

/* --- the answer ---------------------------------------------------------------------------------- */

/* "sid=4f..; Path=/; Max-Age=3600" (RFC 6265 5.2). */
struct cookie {
    struct str value;
    int64_t max_age_s; /* -1: not said */
};

static bool read_cookie(struct str line, struct str name, struct cookie *cookie)
{
    struct str rest = line, part, key = {0};
    *cookie = (struct cookie){.max_age_s = -1};
    if (!str_next(&rest, ';', &part)) return false;
    if (!str_next(&part, '=', &key) || !str_equal(str_trim(key), name) || !part.data) return false;
    cookie->value = str_trim(part);
    while (str_next(&rest, ';', &part)) {
        char digits[24] = "";
        if (!str_next(&part, '=', &key) || !str_equal_nocase(str_trim(key), STR("Max-Age")) || !part.data) continue;
        part = str_trim(part);
        if (part.size == 0 || part.size >= sizeof digits) continue;
        memcpy(digits, part.data, part.size);
        char *end;
        long long seconds = strtoll(digits, &end, 10);
        if (*end == '\0') cookie->max_age_s = seconds > 0 ? seconds : 0;
    }
    return true;
}

/* The last one of that name counts, as in a browser; one that ends at once is none. */
static struct str find_cookie(const struct http_response *response, struct str name, int64_t *life_ms)
{
    const int64_t longest_s = 10LL * 366 * 24 * 3600;
    struct str value = {0};
    for (size_t i = 0; i < response->header_count; i++) {
        struct cookie cookie;
        if (!str_equal(response->headers[i].name, STR("set-cookie"))) continue;
        if (!read_cookie(response->headers[i].value, name, &cookie)) continue;
        value = cookie.max_age_s == 0 ? STR("") : cookie.value;
        *life_ms = cookie.max_age_s < 0 ? -1 : (cookie.max_age_s < longest_s ? cookie.max_age_s : longest_s) * 1000;
    }
    return value;
}

static struct str find_header(const struct http_response *response, struct str name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_equal_nocase(response->headers[i].name, name)) return str_trim(response->headers[i].value);
    return STR("");
}

static void describe_answer(const struct http_response *response, const struct cJSON *json, const struct secrets *secrets,
                            struct buf *out)
{
    struct str type = http_header(response, "content-type");
    size_t count = 0;
    if (!json_is_object(json)) {
        buf_append_text(out, "it is no JSON object but ");
        if (type.size)
            excerpt_append(type, secrets, out);
        else
            buf_append_text(out, response->body->size ? "of an unnamed type" : "empty");
        return;
    }
    buf_append_text(out, "it has ");
    for (const struct cJSON *member = json_first(json); member && count < MEMBERS_SHOWN; member = json_next(member), count++) {
        if (count > 0) buf_append_text(out, ", ");
        excerpt_append(str_from(json_key(member)), secrets, out);
    }
    if (count == 0) buf_append_text(out, "no members");
}

static int refused(const struct auth_spec *spec, const struct http_response *response, const struct cJSON *json,
                   const struct secrets *secrets, struct err *err)
{
    static const char *const PLACES[] = {
        [AUTH_FROM_BODY] = "a token at", [AUTH_FROM_HEADER] = "the header", [AUTH_FROM_COOKIE] = "the cookie"};
    const struct auth_session *session = &spec->session;
    struct str body = {response->body->data, response->body->size};
    struct buf url = BUF_INIT(1024), reason = BUF_INIT(4096);
    url_redact(str_from(session->login_url), secrets, &url);
    if (response->status >= 400) {
        excerpt_append(body, secrets, &reason);
        err_set(err, ERR_AUTH, "cannot log in: %s %s answered %d%s%s", session->method, buf_text(&url), response->status,
                reason.size ? ": " : "", buf_text(&reason));
        err_hint(err, "check the credentials in the pipeline's config");
    } else {
        if (session->from == AUTH_FROM_BODY) describe_answer(response, json, secrets, &reason);
        err_set(err, ERR_AUTH, "cannot log in: %s %s answered %d without %s '%s'%s%s", session->method, buf_text(&url),
                response->status, PLACES[session->from], session->token, reason.size ? "; " : "", buf_text(&reason));
        err_hint(err, "some sources answer so when the credentials are wrong; or else check http.auth.login_url and .token");
    }
    buf_release(&url);
    buf_release(&reason);
    return ERR_AUTH;
}

/* It goes into a header, a cookie or a URL: visible ASCII, and single words or, from a header, "Bearer abc". */
static bool is_sendable(struct str token, bool is_cookie)
{
    for (size_t i = 0; i < token.size; i++)
        if (token.data[i] < ' ' || token.data[i] > '~' || (is_cookie && strchr(" ,;", token.data[i]))) return false;
    return token.size <= TOKEN_MAX_BYTES;
}

static int read_answer(const struct auth_spec *spec, const struct http_response *response, const struct cJSON *json,
                       int64_t now_us, struct secrets *secrets, struct token_answer *answer, struct err *err)
{
    const struct auth_session *session = &spec->session;
    struct str name = str_from(session->token), token = {0};
    int64_t life_ms = -1;
    if (response->status < 400) {
        const char *text = session->from == AUTH_FROM_BODY ? json_string(json_path(json, session->token)) : NULL;
        if (text) token = str_from(text);
        if (session->from == AUTH_FROM_HEADER) token = find_header(response, name);
        if (session->from == AUTH_FROM_COOKIE) token = find_cookie(response, name, &life_ms);
    }
    if (token.size == 0) return refused(spec, response, json, secrets, err);
    if (secrets) (void)secrets_add(secrets, "auth.session", token);
    if (!is_sendable(token, session->from == AUTH_FROM_COOKIE || spec->into == AUTH_IN_COOKIE))
        return err_set(err, ERR_AUTH,
                       "cannot use the token that the login gave: it is too long or has characters that cannot "
                       "be sent back");
    buf_append_str(&answer->access_token, token);
    answer->lifetime_ms = session->lifetime_ms > 0 ? session->lifetime_ms
                          : life_ms >= 0           ? life_ms
                                                   : token_lifetime_ms(json, now_us);
    token_read_facts(spec, json, &answer->facts);
    return 0;
}

int session_fetch(const struct auth_spec *spec, const struct auth_sender *sender, struct clock *clock, struct secrets *secrets,
                  struct token_answer *answer, struct err *err)
{
    struct arena arena = ARENA_INIT(4 * ANSWER_MAX_BYTES);
    struct http_request request;
    struct http_response response = {0};
    struct cJSON *json = NULL;
    struct err no_json = ERR_INIT;
    *answer = TOKEN_ANSWER_INIT;
    build(&spec->session, &arena, &request);
    int rc = sender->send(sender->context, &request, &arena, &response, err);
    if (rc != 0) {
        err_context(err, "login");
        goto out;
    }
    if (json_parse((struct str){response.body->data, response.body->size}, ANSWER_MAX_BYTES, &json, &no_json) != 0) json = NULL;
    rc = read_answer(spec, &response, json, clock_wall_us(clock), secrets, answer, err);
out:
    if (response.body && response.body->references == 1) crypto_wipe(response.body->data, response.body->size);
    http_response_release(&response);
    json_free(json);
    arena_release(&arena);
    return rc;
}
