/* crypto: see crypto.h. Texts with secrets are joined in a buffer that is wiped before it is freed. */
#include "connector/crypto.h"

#include <stdlib.h>

#include "base/json.h"
#include "os/crypto.h"
#include "os/secret.h"

enum { MAX_NAME = 256 };

/* Appends the value of the secret `name`; false when it is not one of this connector's. */
static bool append_secret(const struct connector_options *options, const char *name, struct buf *out)
{
    char key[MAX_NAME];
    for (size_t i = 0; i < options->secret_count; i++) {
        if (strcmp(options->secret_names[i], name) != 0) continue;
        int size = snprintf(key, sizeof key, "config.%s", name);
        if (!options->secrets || size < 0 || (size_t)size >= sizeof key) return false;
        buf_append_str(out, secrets_by_name(options->secrets, key));
        return true;
    }
    return false;
}

/* NULL, or what is wrong. */
static const char *append_text(const struct connector_options *options, const struct wire_text *text, struct buf *out)
{
    if (!text->is_parts) {
        buf_append_str(out, text->bytes);
        return NULL;
    }
    struct cJSON *parts = NULL;
    struct err err = ERR_INIT;
    const char *problem = NULL;
    if (json_parse(text->bytes, WIRE_MAX_BYTES, &parts, &err) != 0 || !json_is_array(parts))
        problem = "a text whose parts cannot be read";
    for (const struct cJSON *part = json_first(parts); part && !problem; part = json_next(part)) {
        const char *plain = json_string(part), *secret = json_string(json_get(part, "$secret"));
        if (plain)
            buf_append_text(out, plain);
        else if (!secret || !append_secret(options, secret, out))
            problem = "there is no such secret in the config";
    }
    json_free(parts);
    return problem;
}

static void encode(struct str bytes, enum wire_encoding encoding, struct buf *out)
{
    static void (*const ENCODERS[WIRE_ENCODING_END])(struct str data, struct buf * out) = {
        [WIRE_HEX] = crypto_hex,
        [WIRE_BASE64_TEXT] = crypto_base64,
        [WIRE_BASE64_URL] = crypto_base64url,
        [WIRE_RAW] = NULL,
    };
    if (ENCODERS[encoding])
        ENCODERS[encoding](bytes, out);
    else
        buf_append_str(out, bytes);
}

static const char *compute(const struct wire_crypto *question, struct str key, struct str message, struct buf *out)
{
    unsigned char digest[CRYPTO_HASH_MAX];
    struct str bytes = {(const char *)digest, 0};
    enum crypto_hash hash;
    if (question->op == WIRE_BASE64) {
        if (question->message.is_parts) return "base64 of a secret would show it: the auth kind 'basic' does this";
        encode(message, question->encoding, out);
        return NULL;
    }
    if (!crypto_hash_from_name(question->algorithm, &hash)) return "unknown algorithm: sha1, sha256, sha384 or sha512";
    if (question->op == WIRE_HMAC)
        bytes.size = crypto_hmac(hash, key, message, digest);
    else
        bytes.size = crypto_hash(hash, message, digest);
    encode(bytes, question->encoding, out);
    return NULL;
}

static void wipe(struct buf *buf)
{
    if (buf->data) crypto_wipe(buf->data, buf->capacity);
    buf_release(buf);
}

void crypto_answer(const struct connector_options *options, const struct wire_crypto *question, struct buf *out,
                   struct wire_crypto_result *result)
{
    struct buf key = BUF_INIT(WIRE_MAX_BYTES), message = BUF_INIT(WIRE_MAX_BYTES);
    buf_clear(out);
    const char *problem = append_text(options, &question->key, &key);
    if (!problem) problem = append_text(options, &question->message, &message);
    if (!problem && (key.failed || message.failed)) problem = "a text that is too large";
    if (!problem) problem = compute(question, buf_str(&key), buf_str(&message), out);
    if (!problem && out->failed) problem = "a result that is too large";
    wipe(&key);
    wipe(&message);
    *result = (struct wire_crypto_result){.failed = problem != NULL, .bytes = problem ? str_from(problem) : buf_str(out)};
}
