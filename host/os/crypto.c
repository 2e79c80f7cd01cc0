/* crypto: see crypto.h. Digests, codes, comparison and randomness; signatures are sign.c, encodings are encode.c. */
#include "os/crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

/* Indexed by enum crypto_hash. */
static const struct {
    const char *name;
    const EVP_MD *(*md)(void);
} HASHES[] = {
    [CRYPTO_SHA1] = {"sha1", EVP_sha1},
    [CRYPTO_SHA256] = {"sha256", EVP_sha256},
    [CRYPTO_SHA384] = {"sha384", EVP_sha384},
    [CRYPTO_SHA512] = {"sha512", EVP_sha512},
};

static void *give(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return mem_alloc(size);
}

static void *resize(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size > 0) return mem_resize(memory, size);
    free(memory);
    return NULL;
}

static void take_back(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

void crypto_init(void)
{
    CHECK(CRYPTO_set_mem_functions(give, resize, take_back) == 1);
}

bool crypto_hash_from_name(struct str name, enum crypto_hash *hash)
{
    for (size_t i = 0; i < ARRAY_SIZE(HASHES); i++) {
        if (!str_equal(name, str_from(HASHES[i].name))) continue;
        *hash = (enum crypto_hash)i;
        return true;
    }
    return false;
}

size_t crypto_hash(enum crypto_hash hash, struct str data, unsigned char out[CRYPTO_HASH_MAX])
{
    unsigned size = 0;
    CHECK(EVP_Digest(data.data, data.size, out, &size, HASHES[hash].md(), NULL) == 1);
    return size;
}

void crypto_sha256(struct str data, unsigned char out[SHA256_SIZE])
{
    CHECK(EVP_Digest(data.data, data.size, out, NULL, EVP_sha256(), NULL) == 1);
}

void crypto_sha256_hex(struct str data, char out[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    crypto_sha256(data, digest);
    crypto_hex_text(digest, sizeof digest, out);
}

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
    struct digest *digest = mem_alloc(sizeof *digest);
    digest->context = EVP_MD_CTX_new();
    CHECK(digest->context && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1);
    return digest;
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
    CHECK(EVP_DigestUpdate(digest->context, data, size) == 1);
}

void digest_end(struct digest *digest, unsigned char out[SHA256_SIZE])
{
    CHECK(EVP_DigestFinal_ex(digest->context, out, NULL) == 1);
    CHECK(EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1);
}

void digest_free(struct digest *digest)
{
    if (!digest) return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

size_t crypto_hmac(enum crypto_hash hash, struct str key, struct str data, unsigned char out[CRYPTO_HASH_MAX])
{
    /* An empty key is a key; only a NULL pointer would mean something else to HMAC(). */
    unsigned size = 0;
    CHECK(key.size <= INT32_MAX);
    CHECK(HMAC(HASHES[hash].md(), key.size ? key.data : "", (int)key.size, (const unsigned char *)data.data, data.size, out,
               &size));
    return size;
}

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };

/* Everything but nonce and tag. False only where a tag that is given does not fit. */
static bool gcm(const unsigned char *key, const unsigned char *nonce, struct str about, struct str data, bool seals,
                unsigned char tag[TAG_SIZE], unsigned char *out)
{
    int size;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    CHECK(cipher && about.size <= INT32_MAX && data.size <= INT32_MAX);
    CHECK(EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce, seals));
    CHECK(EVP_CipherUpdate(cipher, NULL, &size, (const unsigned char *)about.data, (int)about.size));
    CHECK(EVP_CipherUpdate(cipher, out, &size, (const unsigned char *)data.data, (int)data.size));
    if (!seals) CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag));
    bool fits = EVP_CipherFinal_ex(cipher, out + size, &size) == 1;
    if (seals) CHECK(fits && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, tag));
    EVP_CIPHER_CTX_free(cipher);
    return fits;
}

void crypto_seal(const unsigned char key[CRYPTO_KEY_SIZE], struct str about, struct str plain, struct buf *out)
{
    unsigned char nonce[NONCE_SIZE], tag[TAG_SIZE], *text = mem_alloc(plain.size + 1);
    crypto_random(nonce, sizeof nonce);
    gcm(key, nonce, about, plain, true, tag, text);
    buf_append(out, nonce, sizeof nonce);
    buf_append(out, text, plain.size);
    buf_append(out, tag, sizeof tag);
    free(text);
}

bool crypto_open(const unsigned char key[CRYPTO_KEY_SIZE], struct str about, struct str sealed, struct buf *out)
{
    unsigned char nonce[NONCE_SIZE], tag[TAG_SIZE];
    if (sealed.size < NONCE_SIZE + TAG_SIZE) return false;
    struct str data = {sealed.data + NONCE_SIZE, sealed.size - NONCE_SIZE - TAG_SIZE};
    unsigned char *text = mem_alloc(data.size + 1);
    memcpy(nonce, sealed.data, sizeof nonce);
    memcpy(tag, data.data + data.size, sizeof tag);
    bool fits = gcm(key, nonce, about, data, false, tag, text);
    if (fits) buf_append(out, text, data.size);
    crypto_wipe(text, data.size);
    free(text);
    return fits;
}

void crypto_random(void *out, size_t size)
{
    unsigned char *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        CHECK(got > 0 || errno == EINTR);
        if (got <= 0) continue;
        at += got;
        size -= (size_t)got;
    }
}

bool crypto_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

void crypto_wipe(void *data, size_t size)
{
    explicit_bzero(data, size);
}
