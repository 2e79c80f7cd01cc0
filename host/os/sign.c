/* sign: the signatures JWTs are made with (RFC 7518 3.3 to 3.5, RFC 8037 3.1); see crypto.h. libcrypto gives ECDSA signatures
 * in DER; JWA wants r and s side by side, each as wide as the curve. */
#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/check.h"
#include "os/crypto.h"

enum { RSA_BITS_MIN = 2048 };

enum scheme { SCHEME_RSA_PKCS1, SCHEME_RSA_PSS, SCHEME_ECDSA, SCHEME_ED25519 };

static const struct algorithm {
    const char *name;
    enum scheme scheme;
    const EVP_MD *(*md)(void); /* NULL: the scheme has its own */
    int curve_bits;            /* ECDSA: of the one curve it is for */
} ALGORITHMS[] = {
    {"RS256", SCHEME_RSA_PKCS1, EVP_sha256, 0}, {"RS384", SCHEME_RSA_PKCS1, EVP_sha384, 0},
    {"RS512", SCHEME_RSA_PKCS1, EVP_sha512, 0}, {"PS256", SCHEME_RSA_PSS, EVP_sha256, 0},
    {"PS384", SCHEME_RSA_PSS, EVP_sha384, 0},   {"PS512", SCHEME_RSA_PSS, EVP_sha512, 0},
    {"ES256", SCHEME_ECDSA, EVP_sha256, 256},   {"ES384", SCHEME_ECDSA, EVP_sha384, 384},
    {"ES512", SCHEME_ECDSA, EVP_sha512, 521},   {"EdDSA", SCHEME_ED25519, NULL, 0},
};

static const struct algorithm *find_algorithm(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(ALGORITHMS); i++)
        if (str_equal(name, str_from(ALGORITHMS[i].name))) return &ALGORITHMS[i];
    return NULL;
}

/* A key that wants a passphrase is refused instead of asking on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *read_key(struct str pem)
{
    if (pem.size > INT32_MAX) return NULL;
    BIO *source = BIO_new_mem_buf(pem.size ? pem.data : "", (int)pem.size);
    CHECK(source);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, no_passphrase, NULL);
    BIO_free(source);
    return key;
}

static int check_fit(const struct algorithm *algorithm, EVP_PKEY *key, struct err *err)
{
    static const char *const KINDS[] = {
        [SCHEME_RSA_PKCS1] = "RSA", [SCHEME_RSA_PSS] = "RSA", [SCHEME_ECDSA] = "EC", [SCHEME_ED25519] = "ED25519"};
    const char *kind = KINDS[algorithm->scheme];
    if (EVP_PKEY_is_a(key, kind) != 1)
        return err_set(err, ERR_CONFIG, "cannot sign with %s: the private key is not of the kind %s", algorithm->name, kind);
    bool is_rsa = algorithm->scheme == SCHEME_RSA_PKCS1 || algorithm->scheme == SCHEME_RSA_PSS;
    int bits = EVP_PKEY_bits(key);
    if (is_rsa && bits < RSA_BITS_MIN)
        return err_set(err, ERR_CONFIG, "cannot sign with %s: the private key has %d bits, expected at least %d",
                       algorithm->name, bits, RSA_BITS_MIN);
    if (algorithm->scheme == SCHEME_ECDSA && bits != algorithm->curve_bits)
        return err_set(err, ERR_CONFIG, "cannot sign with %s: the private key's curve has %d bits, expected %d",
                       algorithm->name, bits, algorithm->curve_bits);
    return 0;
}

static bool append_raw_ecdsa(const unsigned char *der, size_t size, int curve_bits, struct buf *out)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    if (!pair) return false;
    int width = (curve_bits + 7) / 8;
    unsigned char raw[2 * 66];
    CHECK((size_t)width * 2 <= sizeof raw);
    bool is_good = BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, width) == width &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + width, width) == width;
    if (is_good) buf_append(out, raw, (size_t)width * 2);
    ECDSA_SIG_free(pair);
    return is_good;
}

static bool sign_with(const struct algorithm *algorithm, EVP_PKEY *key, struct str data, struct buf *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* belongs to `context` */
    CHECK(context);
    unsigned char *signature = NULL;
    size_t size = 0;
    bool is_good = EVP_DigestSignInit(context, &parameters, algorithm->md ? algorithm->md() : NULL, NULL, key) == 1;
    if (is_good && algorithm->scheme == SCHEME_RSA_PSS)
        is_good = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
    const unsigned char *bytes = (const unsigned char *)(data.size ? data.data : "");
    is_good = is_good && EVP_DigestSign(context, NULL, &size, bytes, data.size) == 1;
    if (is_good) {
        signature = mem_alloc(size);
        is_good = EVP_DigestSign(context, signature, &size, bytes, data.size) == 1;
    }
    if (is_good && algorithm->scheme == SCHEME_ECDSA)
        is_good = append_raw_ecdsa(signature, size, algorithm->curve_bits, out);
    else if (is_good)
        buf_append(out, signature, size);
    free(signature);
    EVP_MD_CTX_free(context);
    return is_good;
}

int crypto_sign(struct str name, struct str private_key_pem, struct str data, struct buf *out, struct err *err)
{
    const struct algorithm *algorithm = find_algorithm(name);
    if (!algorithm) {
        err_set(err, ERR_CONFIG, "cannot sign: unknown algorithm '" STR_FMT "'", STR_ARG(name));
        return err_hint(err, "use EdDSA, or RS, PS or ES with 256, 384 or 512, such as RS256");
    }
    EVP_PKEY *key = read_key(private_key_pem);
    if (!key) {
        ERR_clear_error();
        err_set(err, ERR_CONFIG, "cannot read the private key");
        return err_hint(err,
                        "it must be PEM without a passphrase, from '-----BEGIN PRIVATE KEY-----' on, with its line breaks");
    }
    int rc = check_fit(algorithm, key, err);
    if (rc == 0 && !sign_with(algorithm, key, data, out)) {
        unsigned long code = ERR_peek_last_error();
        rc = err_set(err, ERR_CONFIG, "cannot sign with %s: %s", algorithm->name,
                     code && ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "libcrypto refuses the key");
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    return rc;
}
