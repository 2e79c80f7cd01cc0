/* How it works: header and claims are written as JSON in a fixed order, encoded, joined, signed. HMACs are made here, all that
 * has a private key by os/crypto. */
#include "net/jwt.h"

#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "os/crypto.h"

enum { KEY_MAX_BYTES = 64 * 1024, BACKDATE_MAX_MS = 30 * 1000, ID_BYTES = 16 };

static void wipe(struct buf *buf)
{
    if (buf->data) crypto_wipe(buf->data, buf->size);
    buf_release(buf);
}

static int64_t backdate_ms(const struct jwt *jwt)
{
    return jwt->lifetime_ms / 4 < BACKDATE_MAX_MS ? jwt->lifetime_ms / 4 : BACKDATE_MAX_MS;
}

int64_t jwt_life_ms(const struct jwt *jwt)
{
    return jwt->lifetime_ms - backdate_ms(jwt);
}

/* --- what is signed ---------------------------------------------------------------------------------------------------- */

static bool has_claim(const struct jwt *jwt, const char *name)
{
    for (size_t i = 0; i < jwt->claim_count; i++)
        if (str_equal(jwt->claims[i].name, str_from(name))) return true;
    return false;
}

static void write_text(struct json_writer *writer, const struct jwt *jwt, const char *name, struct str value)
{
    if (value.size == 0 || has_claim(jwt, name)) return;
    json_member(writer, name);
    json_text(writer, value);
}

static void write_seconds(struct json_writer *writer, const struct jwt *jwt, const char *name, int64_t seconds)
{
    if (has_claim(jwt, name)) return;
    json_member(writer, name);
    json_int(writer, seconds);
}

static void write_header(const struct jwt *jwt, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    json_open(&writer, '{');
    json_member(&writer, "alg");
    json_text(&writer, jwt->algorithm);
    json_member(&writer, "typ");
    json_cstr(&writer, "JWT");
    if (jwt->key_id.size) {
        json_member(&writer, "kid");
        json_text(&writer, jwt->key_id);
    }
    json_close(&writer, '}');
}

static void write_claims(const struct jwt *jwt, int64_t now_us, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    int64_t issued_s = (now_us / 1000 - backdate_ms(jwt)) / 1000;
    json_open(&writer, '{');
    write_text(&writer, jwt, "iss", jwt->issuer);
    write_text(&writer, jwt, "sub", jwt->subject);
    write_text(&writer, jwt, "aud", jwt->audience);
    write_seconds(&writer, jwt, "iat", issued_s);
    write_seconds(&writer, jwt, "exp", issued_s + jwt->lifetime_ms / 1000);
    if (jwt->has_id) {
        unsigned char bytes[ID_BYTES];
        char id[2 * ID_BYTES + 1];
        crypto_random(bytes, sizeof bytes);
        crypto_hex_text(bytes, sizeof bytes, id);
        write_text(&writer, jwt, "jti", str_from(id));
    }
    for (size_t i = 0; i < jwt->claim_count; i++) {
        struct buf name = BUF_INIT(JWT_MAX_BYTES);
        buf_append_str(&name, jwt->claims[i].name);
        json_member(&writer, buf_text(&name));
        json_raw(&writer, jwt->claims[i].json);
        buf_release(&name);
    }
    json_close(&writer, '}');
}

/* --- the signature ----------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool decode_hex(struct str text, struct buf *out)
{
    if (text.size % 2) return false;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0) return false;
        buf_append_char(out, (char)(high * 16 + low));
    }
    return true;
}

bool jwt_decode_secret(struct str text, enum jwt_key_encoding encoding, struct buf *secret)
{
    bool is_good = true;
    switch (encoding) {
    case JWT_KEY_TEXT:
        buf_append_str(secret, text);
        break;
    case JWT_KEY_HEX:
        is_good = decode_hex(text, secret);
        break;
    case JWT_KEY_BASE64:
        is_good = crypto_base64_decode(text, secret) || crypto_base64url_decode(text, secret);
        break;
    }
    return is_good && !secret->failed && secret->size > 0;
}

static int read_secret(const struct jwt *jwt, struct buf *secret, struct err *err)
{
    if (jwt_decode_secret(jwt->key, jwt->key_encoding, secret)) return 0;
    err_set(err, ERR_CONFIG, "cannot sign with " STR_FMT ": the secret is not %s", STR_ARG(jwt->algorithm),
            jwt->key_encoding == JWT_KEY_HEX      ? "in hex"
            : jwt->key_encoding == JWT_KEY_BASE64 ? "in base64"
                                                  : "usable");
    return err_hint(err, "see key_encoding");
}

static int sign_by_secret(const struct jwt *jwt, enum crypto_hash hash, struct str message, struct buf *signature,
                          struct err *err)
{
    unsigned char code[CRYPTO_HASH_MAX];
    struct buf secret = BUF_INIT(KEY_MAX_BYTES);
    int rc = read_secret(jwt, &secret, err);
    if (rc == 0) buf_append(signature, code, crypto_hmac(hash, buf_str(&secret), message, code));
    wipe(&secret);
    return rc;
}

/* Line breaks get lost on the way through environment variables and JSON: "\n" in two characters stands for one then. */
static void restore_lines(struct str key, struct buf *pem)
{
    bool has_lines = key.size && memchr(key.data, '\n', key.size);
    for (size_t i = 0; i < key.size; i++) {
        bool is_break = !has_lines && key.data[i] == '\\' && i + 1 < key.size && key.data[i + 1] == 'n';
        buf_append_char(pem, is_break ? '\n' : key.data[i]);
        if (is_break) i++;
    }
}

static int sign_by_key(const struct jwt *jwt, struct str message, struct buf *signature, struct err *err)
{
    struct buf pem = BUF_INIT(KEY_MAX_BYTES);
    restore_lines(jwt->key, &pem);
    int rc = pem.failed ? err_set(err, ERR_CONFIG, "cannot use a key over %d bytes", KEY_MAX_BYTES)
                        : crypto_sign(jwt->algorithm, buf_str(&pem), message, signature, err);
    wipe(&pem);
    return rc;
}

int jwt_write(const struct jwt *jwt, int64_t now_us, struct buf *out, struct err *err)
{
    static const struct {
        const char *name;
        enum crypto_hash hash;
    } BY_SECRET[] = {{"HS256", CRYPTO_SHA256}, {"HS384", CRYPTO_SHA384}, {"HS512", CRYPTO_SHA512}};
    struct buf header = BUF_INIT(JWT_MAX_BYTES), claims = BUF_INIT(JWT_MAX_BYTES), signature = BUF_INIT(4096);
    struct buf message = BUF_INIT(JWT_MAX_BYTES);
    size_t secret = 0;
    write_header(jwt, &header);
    write_claims(jwt, now_us, &claims);
    crypto_base64url(buf_str(&header), &message);
    buf_append_char(&message, '.');
    crypto_base64url(buf_str(&claims), &message);
    while (secret < ARRAY_SIZE(BY_SECRET) && !str_equal(jwt->algorithm, str_from(BY_SECRET[secret].name))) secret++;
    int rc = secret < ARRAY_SIZE(BY_SECRET) ? sign_by_secret(jwt, BY_SECRET[secret].hash, buf_str(&message), &signature, err)
                                            : sign_by_key(jwt, buf_str(&message), &signature, err);
    if (rc == 0) {
        buf_append_char(&message, '.');
        crypto_base64url(buf_str(&signature), &message);
        buf_append_str(out, buf_str(&message));
        if (header.failed || claims.failed || message.failed || out->failed)
            rc = err_set(err, ERR_CONFIG, "cannot make a token over %d bytes", JWT_MAX_BYTES);
    }
    buf_release(&header);
    buf_release(&claims);
    buf_release(&signature);
    wipe(&message);
    return rc == 0 ? 0 : err_context(err, "%s", jwt->key_place);
}
