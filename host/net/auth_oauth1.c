/* auth_oauth1: see auth_oauth1.h. */
#include "net/auth_oauth1.h"

#include <string.h>

#include "base/check.h"
#include "os/crypto.h"

static const struct {
    const char *name;
    bool is_hashed;
    enum crypto_hash hash;
} METHODS[] = {
    [AUTH_HMAC_SHA256] = {"HMAC-SHA256", true, CRYPTO_SHA256},
    [AUTH_HMAC_SHA1] = {"HMAC-SHA1", true, CRYPTO_SHA1},
    [AUTH_PLAINTEXT] = {"PLAINTEXT", false, CRYPTO_SHA1},
};

static bool has_form(const struct http_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct str rest = request->headers[i].value, type;
        if (!str_equal_nocase(request->headers[i].name, STR("Content-Type")) || !str_next(&rest, ';', &type)) continue;
        return str_equal_nocase(str_trim(type), STR("application/x-www-form-urlencoded"));
    }
    return false;
}

struct str oauth1_base_string(const struct http_request *request, const struct url *url, struct canonical *parameters)
{
    struct str form = has_form(request) ? request->body : STR(""), query = url->query ? str_from(url->query) : STR("");
    size_t room = strlen(url->text) + form.size;
    for (size_t i = 0; i < parameters->count; i++) room += strlen(parameters->pairs[i]) + 2;
    struct buf sorted = BUF_INIT(4 * room + 16), base = BUF_INIT(16 * room + 64);
    canonical_add_query(parameters, query);
    canonical_add_query(parameters, form);
    canonical_write(parameters, &sorted);
    buf_append_text(&base, request->method);
    buf_append_char(&base, '&');
    url_encode((struct str){url->text, strcspn(url->text, "?")}, &base);
    buf_append_char(&base, '&');
    url_encode(buf_str(&sorted), &base);
    CHECK(!sorted.failed && !base.failed);
    struct str text = arena_copy(parameters->arena, buf_str(&base));
    buf_release(&sorted);
    buf_release(&base);
    return text;
}

struct str oauth1_signature(const struct auth_oauth1 *spec, struct str base_string, struct arena *arena)
{
    struct buf key = BUF_INIT(3 * (spec->consumer_secret.size + spec->token_secret.size) + 1), text = BUF_INIT(128);
    unsigned char code[CRYPTO_HASH_MAX];
    url_encode(spec->consumer_secret, &key);
    buf_append_char(&key, '&');
    url_encode(spec->token_secret, &key);
    CHECK(!key.failed);
    struct str signature = buf_str(&key);
    if (METHODS[spec->method].is_hashed) {
        size_t size = crypto_hmac(METHODS[spec->method].hash, buf_str(&key), base_string, code);
        crypto_base64((struct str){(const char *)code, size}, &text);
        signature = buf_str(&text);
    }
    signature = arena_copy(arena, signature);
    crypto_wipe(key.data, key.size);
    buf_release(&key);
    buf_release(&text);
    return signature;
}

struct http_header oauth1_header(const struct auth_oauth1 *spec, const struct http_request *request, const struct url *url,
                                 int64_t wall_us, struct str nonce, struct arena *arena)
{
    struct canonical parameters = CANONICAL_INIT(arena);
    struct str seconds = str_from(arena_printf(arena, "%lld", (long long)(wall_us / 1000000)));
    const struct auth_pair own[] = {
        {STR("oauth_consumer_key"), spec->consumer_key},
        {STR("oauth_token"), spec->token},
        {STR("oauth_signature_method"), str_from(METHODS[spec->method].name)},
        {STR("oauth_timestamp"), seconds},
        {STR("oauth_nonce"), nonce},
        {STR("oauth_version"), STR("1.0")},
    };
    size_t room = 512 + spec->realm.size;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        room += 32 + 3 * own[i].value.size;
        if (own[i].value.size) canonical_add(&parameters, own[i].name, own[i].value);
    }
    struct str signature = oauth1_signature(spec, oauth1_base_string(request, url, &parameters), arena);
    struct buf value = BUF_INIT(room + 3 * signature.size);
    buf_append_text(&value, "OAuth ");
    if (spec->realm.size) buf_printf(&value, "realm=\"" STR_FMT "\", ", STR_ARG(spec->realm));
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (own[i].value.size == 0) continue;
        buf_append_str(&value, own[i].name);
        buf_append_text(&value, "=\"");
        url_encode(own[i].value, &value);
        buf_append_text(&value, "\", ");
    }
    buf_append_text(&value, "oauth_signature=\"");
    url_encode(signature, &value);
    buf_append_char(&value, '"');
    CHECK(!value.failed);
    struct http_header header = {STR("Authorization"), arena_copy(arena, buf_str(&value))};
    buf_release(&value);
    return header;
}
