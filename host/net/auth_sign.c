/* auth_sign: see auth_sign.h. */
#include "net/auth_sign.h"

#include <string.h>
#include <time.h>

#include "base/check.h"
#include "net/jwt.h"
#include "os/crypto.h"

enum { KEY_MAX_BYTES = 64 * 1024 };

void sign_make_nonce(char out[SIGN_NONCE_SIZE])
{
    unsigned char bytes[(SIGN_NONCE_SIZE - 1) / 2];
    crypto_random(bytes, sizeof bytes);
    crypto_hex_text(bytes, sizeof bytes, out);
}

int sign_check(const struct auth_sign *sign, struct err *err)
{
    struct buf key = BUF_INIT(KEY_MAX_BYTES);
    int rc = 0;
    if (sign->key.size == 0) {
        rc = err_set(err, ERR_CONFIG, "cannot authenticate: the signing key is empty");
        err_hint(err, "set it in the pipeline's config");
    } else if (!jwt_decode_secret(sign->key, sign->key_encoding, &key)) {
        rc = err_set(err, ERR_CONFIG, "cannot authenticate: the signing key is not written as key_encoding says");
    }
    for (size_t i = 0; i < sign->message.count && rc == 0; i++)
        if (sign->message.parts[i].kind == AUTH_PART_SIGNATURE)
            rc = err_set(err, ERR_CONFIG, "cannot authenticate: the signed message names its own signature");
    if (key.data) crypto_wipe(key.data, key.size);
    buf_release(&key);
    return rc;
}

/* --- what holes are filled with ------------------------------------------------------------------ */

struct signing {
    const struct auth_sign *sign;
    const struct http_request *request;
    const struct url *url; /* as it is sent, but for the signature */
    int64_t wall_us;
    struct str nonce, signature;
    struct arena *arena;
};

/* What stands in the Host header: the authority of the URL. */
static struct str authority_of(const struct url *url)
{
    const char *begin = strstr(url->text, "://") + 3;
    return (struct str){begin, strcspn(begin, "/?#")};
}

static struct str body_of(const struct signing *signing)
{
    return signing->sign->sign_body ? signing->request->body : STR("");
}

static struct str time_text(const struct signing *signing, const char *format)
{
    char text[64];
    time_t seconds = (time_t)(signing->wall_us / 1000000);
    struct tm utc;
    CHECK(gmtime_r(&seconds, &utc) && strftime(text, sizeof text, format, &utc) > 0);
    return str_from(arena_strdup(signing->arena, text));
}

static struct str digest_of(const struct signing *signing, enum auth_encoding encoding)
{
    unsigned char bytes[SHA256_SIZE];
    struct buf text = BUF_INIT(2 * SHA256_SIZE);
    crypto_sha256(body_of(signing), bytes);
    struct str digest = {(const char *)bytes, sizeof bytes};
    if (encoding == AUTH_HEX)
        crypto_hex(digest, &text);
    else
        crypto_base64(digest, &text);
    digest = arena_copy(signing->arena, buf_str(&text));
    buf_release(&text);
    return digest;
}

static struct str value_of(const struct signing *signing, const struct auth_part *part)
{
    const struct url *url = signing->url;
    struct arena *arena = signing->arena;
    switch (part->kind) {
    case AUTH_PART_TEXT:
        return part->text;
    case AUTH_PART_TIMESTAMP:
        return str_from(arena_printf(arena, "%lld", (long long)(signing->wall_us / 1000000)));
    case AUTH_PART_TIMESTAMP_MS:
        return str_from(arena_printf(arena, "%lld", (long long)(signing->wall_us / 1000)));
    case AUTH_PART_TIME:
        return time_text(signing, "%Y-%m-%dT%H:%M:%SZ");
    case AUTH_PART_NONCE:
        return signing->nonce;
    case AUTH_PART_METHOD:
        return str_from(signing->request->method);
    case AUTH_PART_URL:
        return str_from(url->text);
    case AUTH_PART_HOST:
        return authority_of(url);
    case AUTH_PART_PATH:
        return str_from(url->path);
    case AUTH_PART_QUERY:
        return url->query ? str_from(url->query) : STR("");
    case AUTH_PART_TARGET:
        return str_from(arena_printf(arena, "%s%s%s", url->path, url->query ? "?" : "", url->query ? url->query : ""));
    case AUTH_PART_BODY:
        return body_of(signing);
    case AUTH_PART_BODY_SHA256:
        return digest_of(signing, AUTH_HEX);
    case AUTH_PART_BODY_SHA256_BASE64:
        return digest_of(signing, AUTH_BASE64);
    case AUTH_PART_SIGNATURE:
        return signing->signature;
    }
    return STR("");
}

static struct str fill(const struct signing *signing, const struct auth_text *text)
{
    struct str *values = arena_array(signing->arena, struct str, text->count + 1);
    size_t size = 0, at = 0;
    for (size_t i = 0; i < text->count; i++) size += (values[i] = value_of(signing, &text->parts[i])).size;
    char *filled = arena_alloc(signing->arena, size + 1);
    for (size_t i = 0; i < text->count; at += values[i++].size)
        if (values[i].size) memcpy(filled + at, values[i].data, values[i].size);
    filled[size] = '\0';
    return (struct str){filled, size};
}

/* --- the signature ------------------------------------------------------------------------------- */

static struct str make_signature(const struct signing *signing)
{
    const struct auth_sign *sign = signing->sign;
    unsigned char code[CRYPTO_HASH_MAX];
    struct buf key = BUF_INIT(KEY_MAX_BYTES), text = BUF_INIT(4 * CRYPTO_HASH_MAX);
    CHECK(jwt_decode_secret(sign->key, sign->key_encoding, &key)); /* sign_check has seen it */
    size_t size = crypto_hmac(sign->hash, buf_str(&key), fill(signing, &sign->message), code);
    struct str bytes = {(const char *)code, size};
    switch (sign->encoding) {
    case AUTH_HEX:
        crypto_hex(bytes, &text);
        break;
    case AUTH_BASE64:
        crypto_base64(bytes, &text);
        break;
    case AUTH_BASE64URL:
        crypto_base64url(bytes, &text);
        break;
    }
    struct str copy = arena_copy(signing->arena, buf_str(&text));
    crypto_wipe(key.data, key.size);
    buf_release(&key);
    buf_release(&text);
    return copy;
}

static bool names_signature(const struct auth_text *text)
{
    for (size_t i = 0; i < text->count; i++)
        if (text->parts[i].kind == AUTH_PART_SIGNATURE) return true;
    return false;
}

/* The parameters that hold the signature, or those that do not. */
static int add_params(struct signing *signing, bool with_signature, struct url *url, struct err *err)
{
    const struct auth_sign *sign = signing->sign;
    struct buf text = BUF_INIT(URL_MAX_BYTES);
    int rc = 0;
    size_t added = 0;
    buf_append_text(&text, signing->url->text);
    for (size_t i = 0; i < sign->param_count; i++) {
        if (names_signature(&sign->params[i].value) != with_signature) continue;
        url_set_param(&text, sign->params[i].name, fill(signing, &sign->params[i].value));
        added++;
    }
    if (text.failed)
        rc = err_set(err, ERR_CONFIG, "cannot authenticate: the URL gets too long with the signature in it");
    else if (added)
        rc = url_parse(buf_str(&text), signing->arena, url, err);
    if (rc == 0 && added) signing->url = url;
    buf_release(&text);
    return rc;
}

static int add_headers(const struct signing *signing, struct auth_signature *signature, struct err *err)
{
    const struct auth_sign *sign = signing->sign;
    struct http_header *headers = arena_array(signing->arena, struct http_header, sign->header_count + 1);
    for (size_t i = 0; i < sign->header_count; i++) {
        struct str value = fill(signing, &sign->headers[i].value);
        for (size_t at = 0; at < value.size; at++)
            if ((unsigned char)value.data[at] < ' ' || value.data[at] == 0x7f)
                return err_set(err, ERR_CONFIG, "cannot authenticate: header " STR_FMT " holds a control character",
                               STR_ARG(sign->headers[i].name));
        headers[i] = (struct http_header){sign->headers[i].name, value};
    }
    signature->headers = headers;
    signature->header_count = sign->header_count;
    return 0;
}

int sign_request(const struct auth_sign *sign, const struct http_request *request, const struct url *url, int64_t wall_us,
                 struct str nonce, struct arena *arena, struct auth_signature *signature, struct err *err)
{
    struct signing signing = {.sign = sign, .request = request, .url = url, .wall_us = wall_us, .nonce = nonce, .arena = arena};
    struct url *stamped = arena_new(arena, struct url), *full = arena_new(arena, struct url);
    *signature = (struct auth_signature){0};
    int rc = add_params(&signing, false, stamped, err);
    if (rc != 0) return rc;
    signing.signature = make_signature(&signing);
    rc = add_headers(&signing, signature, err);
    if (rc == 0) rc = add_params(&signing, true, full, err);
    if (rc != 0 || sign->param_count == 0) return rc;
    struct str *names = arena_array(arena, struct str, sign->param_count);
    for (size_t i = 0; i < sign->param_count; i++) names[i] = sign->params[i].name;
    signature->url = signing.url->text;
    signature->params = names;
    signature->param_count = sign->param_count;
    return 0;
}
