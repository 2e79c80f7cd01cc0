/* authorize: see authorize.h. */
#include "net/authorize.h"

#include <string.h>

#include "net/url.h"
#include "os/crypto.h"

static int read_redirect(const struct auth_oauth2 *oauth2, struct arena *arena, struct url *url, struct err *err)
{
    int rc = url_parse(str_from(oauth2->redirect_url), arena, url, err);
    if (rc == 0 && (strcmp(url->scheme, "http") != 0 || url->query ||
                    (strcmp(url->host, "127.0.0.1") != 0 && strcmp(url->host, "localhost") != 0)))
        rc =
            err_set(err, ERR_CONFIG, "expected http://127.0.0.1/PATH or http://localhost/PATH, got '%s'", oauth2->redirect_url);
    return rc == 0 ? 0 : err_context(err, "http.auth.redirect_url");
}

int authorize_port(const struct auth_oauth2 *oauth2, struct arena *arena, int *port, struct err *err)
{
    struct url url;
    int rc = read_redirect(oauth2, arena, &url, err);
    if (rc == 0) *port = url.port == 80 ? 0 : url.port;
    return rc;
}

static void make_secret(char out[AUTHORIZE_SECRET_SIZE])
{
    unsigned char bytes[(AUTHORIZE_SECRET_SIZE - 1) / 2];
    crypto_random(bytes, sizeof bytes);
    crypto_hex_text(bytes, sizeof bytes, out);
    crypto_wipe(bytes, sizeof bytes);
}

void authorize_challenge(struct str verifier, struct buf *out)
{
    unsigned char digest[SHA256_SIZE];
    crypto_sha256(verifier, digest);
    crypto_base64url((struct str){(const char *)digest, sizeof digest}, out);
}

int authorize_begin(const struct auth_oauth2 *oauth2, int port, struct arena *arena, struct authorization *out, struct err *err)
{
    struct url redirect, authorize;
    struct buf url = BUF_INIT(URL_MAX_BYTES), challenge = BUF_INIT(128);
    int rc = read_redirect(oauth2, arena, &redirect, err);
    if (rc == 0) {
        rc = url_parse(str_from(oauth2->authorize_url), arena, &authorize, err);
        if (rc != 0) err_context(err, "http.auth.authorize_url");
    }
    if (rc != 0) return rc;
    make_secret(out->state);
    make_secret(out->verifier);
    authorize_challenge(str_from(out->verifier), &challenge);
    out->path = redirect.path;
    out->redirect_uri = arena_printf(arena, "http://%s:%d%s", redirect.host, port, redirect.path);
    const struct auth_pair params[] = {
        {STR("response_type"), STR("code")},
        {STR("client_id"), oauth2->client_id},
        {STR("redirect_uri"), str_from(out->redirect_uri)},
        {STR("scope"), oauth2->scope},
        {STR("state"), str_from(out->state)},
        {STR("code_challenge"), buf_str(&challenge)},
        {STR("code_challenge_method"), STR("S256")},
    };
    buf_append_text(&url, authorize.text);
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        if (params[i].value.size) url_set_param(&url, params[i].name, params[i].value);
    for (size_t i = 0; i < oauth2->authorize_param_count; i++)
        url_set_param(&url, oauth2->authorize_params[i].name, oauth2->authorize_params[i].value);
    if (url.failed)
        rc = err_set(err, ERR_CONFIG, "http.auth.authorize_url: over %d bytes", URL_MAX_BYTES);
    else
        out->url = arena_text(arena, buf_str(&url));
    buf_release(&url);
    buf_release(&challenge);
    return rc;
}
