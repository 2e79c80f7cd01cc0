/* sign: what libcrypto verifies as the algorithm demands, with keys made for the test; and keys that do not fit are refused. */
#include "unit.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "jose_keys.h"
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
    assert_int_equal(crypto_sign(STR("EdDSA"), buf_str(&pem), MESSAGE, &out, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "not of the kind ED25519"));
    assert_int_equal(crypto_sign(STR("RS256"), str_from(JOSE_ED25519), MESSAGE, &out, &err), ERR_CONFIG);
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

/* The examples of RFC 7515 A.1 (HS256), A.2 (RS256) and RFC 8037 A.4 (EdDSA), whose signatures are always the same; and A.3
 * (ES256), whose published signature is checked as ours is. */
static void test_published_examples(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm, *pem, *message, *signature;
    } CASES[] = {
        {"RS256", JOSE_RSA, "eyJhbGciOiJSUzI1NiJ9." JOSE_CLAIMS,
         "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
         "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
         "eSN9383LcOLn6_dO--xi12jzDwusC-"
         "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
        {"EdDSA", JOSE_ED25519, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
         "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    };
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(1024), raw = BUF_INIT(1024);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(
            crypto_sign(str_from(CASES[i].algorithm), str_from(CASES[i].pem), str_from(CASES[i].message), &raw, &err), 0);
        crypto_base64url(buf_str(&raw), &text);
        assert_string_equal(buf_text(&text), CASES[i].signature);
        buf_clear(&text);
        buf_clear(&raw);
    }

    unsigned char code[CRYPTO_HASH_MAX];
    assert_true(crypto_base64url_decode(str_from(JOSE_HMAC), &raw));
    size_t size = crypto_hmac(CRYPTO_SHA256, buf_str(&raw), STR("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOSE_CLAIMS), code);
    crypto_base64url((struct str){(const char *)code, size}, &text);
    assert_string_equal(buf_text(&text), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");

    BIO *source = BIO_new_mem_buf(JOSE_EC, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL);
    struct str message = STR("eyJhbGciOiJFUzI1NiJ9." JOSE_CLAIMS);
    buf_clear(&raw);
    assert_true(crypto_base64url_decode(
        STR("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"), &raw));
    for (int i = 0; i < 2; i++) {
        unsigned char *der = NULL;
        const unsigned char *bytes = (const unsigned char *)raw.data;
        ECDSA_SIG *pair = ECDSA_SIG_new();
        assert_int_equal(raw.size, 64);
        assert_int_equal(ECDSA_SIG_set0(pair, BN_bin2bn(bytes, 32, NULL), BN_bin2bn(bytes + 32, 32, NULL)), 1);
        int der_size = i2d_ECDSA_SIG(pair, &der);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
        assert_int_equal(EVP_DigestVerify(context, der, (size_t)der_size, (const unsigned char *)message.data, message.size),
                         1);
        EVP_MD_CTX_free(context);
        OPENSSL_free(der);
        ECDSA_SIG_free(pair);
        buf_clear(&raw);
        assert_int_equal(crypto_sign(STR("ES256"), str_from(JOSE_EC), message, &raw, &err), 0);
    }
    EVP_PKEY_free(key);
    BIO_free(source);
    buf_release(&text);
    buf_release(&raw);
}

UNIT_TESTS(cmocka_unit_test(test_rsa), cmocka_unit_test(test_elliptic_curves_sign_raw_and_fixed_width),
           cmocka_unit_test(test_keys_and_algorithms_that_cannot_be_used), cmocka_unit_test(test_published_examples))
