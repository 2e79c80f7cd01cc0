/* gate: see gate.h. */
#include "service/web/gate.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "os/crypto.h"

enum { TOKEN_BYTES = 32 };

static const char TOKEN_PREFIX[] = "slt_"; /* so that scanners for leaked secrets can know it */

/* --- is it meant for us? ------------------------------------------------------------------------------------------------- */

/* "name:80", "[::1]:80" and "name" without their port (RFC 9112, section 3.2); "" for what has anything else behind the name.
 */
static struct str without_port(struct str host)
{
    bool is_literal = host.size && host.data[0] == '[';
    const char *end = host.size ? memchr(host.data, is_literal ? ']' : ':', host.size) : NULL;
    if (!end) return is_literal ? (struct str){0} : host;
    struct str name = {host.data, (size_t)(end - host.data) + is_literal};
    struct str port = {host.data + name.size, host.size - name.size};
    if (port.size && port.data[0] != ':') return (struct str){0};
    for (size_t i = 1; i < port.size; i++)
        if (port.data[i] < '0' || port.data[i] > '9') return (struct str){0};
    return name;
}

static bool is_ours(const struct service_settings *settings, const char *address, struct str host)
{
    static const char *const OWN[] = {"localhost", "127.0.0.1", "[::1]"};
    struct str name = without_port(host);
    if (name.size == 0) return false;
    for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++)
        if (str_equal_nocase(name, str_from(OWN[i]))) return true;
    if (str_equal_nocase(name, without_port(str_from(address)))) return true;
    for (size_t i = 0; i < settings->host_count; i++)
        if (str_equal_nocase(name, str_from(settings->hosts[i])) || str_equal_nocase(host, str_from(settings->hosts[i])))
            return true;
    return false;
}

bool gate_is_for_us(const struct service_settings *settings, const char *address, struct web_request *request)
{
    const char *host = web_header(request, "Host");
    if (host && is_ours(settings, address, str_from(host))) return true;
    web_problem(request, 421, "wrong_host", "this service is not known by that name",
                "add the name to `service.hosts` in sluice.yaml");
    return false;
}

/* --- does another site ask? ---------------------------------------------------------------------------------------------- */

static bool is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static bool is_same_origin(const struct web_request *request)
{
    const char *origin = web_header(request, "Origin"), *host = web_header(request, "Host");
    const char *site = web_header(request, "Sec-Fetch-Site");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) return false;
    if (!origin) return true;
    const char *scheme_end = strstr(origin, "://");
    return scheme_end && str_equal_nocase(str_from(scheme_end + 3), str_from(host));
}

static bool is_asked_here(struct web_request *request)
{
    const char *type = web_header(request, "Content-Type");
    if (is_safe(request->method)) return true;
    if (!is_same_origin(request)) {
        web_problem(request, 403, "cross_site", "another site may not ask this", NULL);
        return false;
    }
    struct str rest = str_from(type), media;
    if (type && str_next(&rest, ';', &media) && str_equal_nocase(str_trim(media), STR("application/json"))) return true;
    web_problem(request, 415, "media_type", "requests that change something are sent as application/json",
                "add the header Content-Type: application/json");
    return false;
}

/* --- who asks? ----------------------------------------------------------------------------------------------------------- */

/* All tokens are compared, each in the same time. */
static const struct service_token *find_token(const struct service_settings *settings, struct str token)
{
    char digest[SHA256_HEX_SIZE];
    const struct service_token *found = NULL;
    crypto_sha256_hex(token, digest);
    for (size_t i = 0; i < settings->token_count; i++)
        if (crypto_equal(str_from(digest), str_from(settings->tokens[i].sha256))) found = &settings->tokens[i];
    return found;
}

static bool has_scope(const struct service_settings *settings, struct web_request *request, enum scope needed)
{
    const char *header = web_header(request, "Authorization");
    if (needed == SCOPE_NONE || settings->token_count == 0) return true;
    struct str given = str_from(header);
    bool is_bearer = given.size > 7 && str_equal_nocase((struct str){given.data, 7}, STR("Bearer "));
    const struct service_token *token =
        is_bearer ? find_token(settings, str_trim((struct str){given.data + 7, given.size - 7})) : NULL;
    if (!token) {
        web_problem(request, 401, "auth", header ? "the token is not known" : "a token is needed",
                    "send the header Authorization: Bearer TOKEN; `sluice serve --new-token` makes one");
        web_add_header(request, "WWW-Authenticate", "Bearer");
        return false;
    }
    if (token->scope >= needed) return true;
    web_problem(request, 403, "permission", "the token's scope does not allow this",
                needed == SCOPE_ADMIN ? "use a token of scope admin" : "use a token of scope run or admin");
    return false;
}

bool gate_admits(const struct service_settings *settings, struct web_request *request, enum scope needed)
{
    return is_asked_here(request) && has_scope(settings, request, needed);
}

void token_new(char token[TOKEN_TEXT_MAX], char sha256_hex[TOKEN_TEXT_MAX + 1])
{
    unsigned char bytes[TOKEN_BYTES];
    struct buf text = BUF_INIT(TOKEN_TEXT_MAX - 1);
    crypto_random(bytes, sizeof bytes);
    buf_append_text(&text, TOKEN_PREFIX);
    crypto_base64url((struct str){(const char *)bytes, sizeof bytes}, &text);
    CHECK(!text.failed);
    memcpy(token, buf_text(&text), text.size + 1);
    crypto_sha256_hex(buf_str(&text), sha256_hex);
    crypto_wipe(bytes, sizeof bytes);
    crypto_wipe(text.data, text.size);
    buf_release(&text);
}
