/* sign: what libcrypto verifies as the algorithm demands, with keys made for the test; and keys that do not fit are refused. */
#include "unit.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "os/crypto.h"

static const struct str MESSAGE = STR("header.claims");

static struct str pem_of(EVP_PKEY *key, const char *passphrase, struct buf *out)
{
    BIO *memory = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_256_cbc() : NULL;
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(memory, key, cipher, passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
        1);
    char *text;
    long size = BIO_get_mem_data(memory, &text);
    buf_append(out, text, (size_t)size);
    BIO_free(memory);
    return buf_str(out);
}

static bool is_valid(EVP_PKEY *key, const EVP_MD *md, bool is_pss, struct str signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    assert_int_equal(EVP_DigestVerifyInit(context, &parameters, md, NULL, key), 1);
    if (is_pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    bool valid = EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.size,
                                  (const unsigned char *)MESSAGE.data, MESSAGE.size) == 1;
    EVP_MD_CTX_free(context);
    return valid;
}

static void test_rsa(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf pem = BUF_INIT(8192);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    pem_of(key, NULL, &pem);
    const struct {
        const char *name;
        const EVP_MD *md;
        bool is_pss;
    } algorithms[] = {{"RS256", EVP_sha256(), false}, {"RS384", EVP_sha384(), false}, {"RS512", EVP_sha512(), false},
                      {"PS256", EVP_sha256(), true},  {"PS384", EVP_sha384(), true},  {"PS512", EVP_sha512(), true}};
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        struct buf signature = BUF_INIT(1024);
        assert_int_equal(crypto_sign(str_from(algorithms[i].name), buf_str(&pem), MESSAGE, &signature, &err), 0);
        assert_int_equal(signature.size, 256);
        assert_true(is_valid(key, algorithms[i].md, algorithms[i].is_pss, buf_str(&signature)));
        assert_false(is_valid(key, algorithms[i].md, !algorithms[i].is_pss, buf_str(&signature)));
        buf_release(&signature);
    }
    struct buf nothing = BUF_INIT(64);
    assert_int_equal(crypto_sign(STR("ES256"), buf_str(&pem), MESSAGE, &nothing, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "not of the kind EC"));
    assert_int_equal(nothing.size, 0);
    EVP_PKEY_free(key);
    buf_release(&pem);
}

static void test_elliptic_curves_sign_raw_and_fixed_width(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const struct {
        const char *name, *curve, *other;
        const EVP_MD *md;
        size_t width;
    } algorithms[] = {{"ES256", "P-256", "ES384", EVP_sha256(), 32},
                      {"ES384", "P-384", "ES512", EVP_sha384(), 48},
                      {"ES512", "P-521", "ES256", EVP_sha512(), 66}};
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        EVP_PKEY *key = EVP_EC_gen(algorithms[i].curve);
        struct buf pem = BUF_INIT(8192);
        pem_of(key, NULL, &pem);
        size_t width = algorithms[i].width;
        for (int round = 0; round < 50; round++) { /* r or s is shorter than the curve in every 128th or so */
            struct buf signature = BUF_INIT(256);
            assert_int_equal(crypto_sign(str_from(algorithms[i].name), buf_str(&pem), MESSAGE, &signature, &err), 0);
            assert_int_equal(signature.size, 2 * width);
            ECDSA_SIG *pair = ECDSA_SIG_new();
            const unsigned char *raw = (const unsigned char *)signature.data;
            assert_int_equal(ECDSA_SIG_set0(pair, BN_bin2bn(raw, (int)width, NULL), BN_bin2bn(raw + width, (int)width, NULL)),
                             1);
            unsigned char *der = NULL;
            int size = i2d_ECDSA_SIG(pair, &der);
            assert_true(is_valid(key, algorithms[i].md, false, (struct str){(char *)der, (size_t)size}));
            OPENSSL_free(der);
            ECDSA_SIG_free(pair);
            buf_release(&signature);
        }
        struct buf nothing = BUF_INIT(256);
        assert_int_equal(crypto_sign(str_from(algorithms[i].other), buf_str(&pem), MESSAGE, &nothing, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "curve"));
        assert_int_equal(crypto_sign(STR("RS256"), buf_str(&pem), MESSAGE, &nothing, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "not of the kind RSA"));
        EVP_PKEY_free(key);
        buf_release(&pem);
    }
}

static void test_keys_and_algorithms_that_cannot_be_used(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf pem = BUF_INIT(8192), locked = BUF_INIT(8192), out = BUF_INIT(1024);
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    pem_of(weak, NULL, &pem);
    pem_of(weak, "passphrase", &locked);
    assert_int_equal(crypto_sign(STR("RS256"), buf_str(&pem), MESSAGE, &out, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "1024 bits"));
    assert_int_equal(crypto_sign(STR("HS256"), buf_str(&pem), MESSAGE, &out, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "'HS256'"));
    assert_int_equal(crypto_sign(STR("none"), buf_str(&pem), MESSAGE, &out, &err), ERR_CONFIG);
    assert_int_equal(crypto_sign(STR("RS256"), buf_str(&locked), MESSAGE, &out, &err), ERR_CONFIG); /* and asks nobody */
    assert_non_null(strstr(err.hint, "passphrase"));
    static const char *const BAD[] = {"", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        assert_int_equal(crypto_sign(STR("RS256"), str_from(BAD[i]), MESSAGE, &out, &err), ERR_CONFIG);
        assert_string_equal(err.message, "cannot read the private key");
    }
    assert_int_equal(out.size, 0);
    EVP_PKEY_free(weak);
    buf_release(&pem);
    buf_release(&locked);
}

UNIT_TESTS(cmocka_unit_test(test_rsa), cmocka_unit_test(test_elliptic_curves_sign_raw_and_fixed_width),
           cmocka_unit_test(test_keys_and_algorithms_that_cannot_be_used))
