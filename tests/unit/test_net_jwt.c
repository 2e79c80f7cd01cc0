/* jwt: what a token says, letter by letter, and keys that cannot make one. */
#include "unit.h"

#include <string.h>

#include "base/check.h"
#include "jose_keys.h"
#include "net/jwt.h"
#include "os/crypto.h"

static const int64_t NOW_US = 1800000000LL * 1000000;

/* The n-th part of a token, decoded. */
static void part_of(struct str token, int n, struct buf *out)
{
    struct str part = {0};
    for (int i = 0; i <= n; i++) assert_true(str_next(&token, '.', &part));
    buf_clear(out);
    assert_true(crypto_base64url_decode(part, out));
}

static void test_header_and_claims(void **state)
{
    (void)state;
    const struct jwt_claim claims[] = {
        {STR("scope"), STR("\"a b\"")}, {STR("admin"), STR("true")}, {STR("sub"), STR("\"other\"")}};
    struct jwt jwt = {.algorithm = STR("EdDSA"),
                      .key = str_from(JOSE_ED25519),
                      .key_id = STR("k\"1"),
                      .issuer = STR("me"),
                      .subject = STR("who"),
                      .audience = STR("https://id.test/token"),
                      .lifetime_ms = 120000,
                      .claims = claims,
                      .claim_count = ARRAY_SIZE(claims)};
    struct buf token = BUF_INIT(JWT_MAX_BYTES), part = BUF_INIT(4096), expected = BUF_INIT(4096);
    struct err err = ERR_INIT;
    assert_int_equal(jwt_write(&jwt, NOW_US, &token, &err), 0);
    part_of(buf_str(&token), 0, &part);
    assert_string_equal(buf_text(&part), "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"k\\\"1\"}");
    part_of(buf_str(&token), 1, &part);
    assert_string_equal(buf_text(&part), "{\"iss\":\"me\",\"aud\":\"https://id.test/token\",\"iat\":1799999970,"
                                         "\"exp\":1800000090,\"scope\":\"a b\",\"admin\":true,\"sub\":\"other\"}");
    assert_int_equal(jwt_life_ms(&jwt), 90000);
    size_t signed_size = (size_t)((char *)memrchr(token.data, '.', token.size) - token.data);
    assert_int_equal(crypto_sign(STR("EdDSA"), jwt.key, (struct str){token.data, signed_size}, &expected, &err), 0);
    part_of(buf_str(&token), 2, &part);
    assert_true(str_equal(buf_str(&part), buf_str(&expected)));

    /* An id is new each time; a life of seconds is not over when it begins. */
    jwt.has_id = true;
    jwt.lifetime_ms = 4000;
    struct buf second = BUF_INIT(JWT_MAX_BYTES);
    buf_clear(&token);
    assert_int_equal(jwt_write(&jwt, NOW_US, &token, &err), 0);
    assert_int_equal(jwt_write(&jwt, NOW_US, &second, &err), 0);
    assert_string_not_equal(buf_text(&token), buf_text(&second));
    part_of(buf_str(&token), 1, &part);
    assert_non_null(strstr(buf_text(&part), "\"iat\":1799999999,\"exp\":1800000003,\"jti\":\""));
    assert_int_equal(jwt_life_ms(&jwt), 3000);
    buf_release(&second);
    buf_release(&token);
    buf_release(&part);
    buf_release(&expected);
}

/* The same secret in each spelling makes the same token. */
static void test_shared_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        enum jwt_key_encoding encoding;
    } SPELLED[] = {
        {"key>~\x7f", JWT_KEY_TEXT}, {"6b65793E7e7f", JWT_KEY_HEX}, {"a2V5Pn5/", JWT_KEY_BASE64}, {"a2V5Pn5_", JWT_KEY_BASE64}};
    static const struct {
        const char *name;
        enum crypto_hash hash;
    } ALGORITHMS[] = {{"HS256", CRYPTO_SHA256}, {"HS384", CRYPTO_SHA384}, {"HS512", CRYPTO_SHA512}};
    struct err err = ERR_INIT;
    for (size_t a = 0; a < ARRAY_SIZE(ALGORITHMS); a++)
        for (size_t i = 0; i < ARRAY_SIZE(SPELLED); i++) {
            struct buf token = BUF_INIT(JWT_MAX_BYTES), signature = BUF_INIT(256);
            unsigned char code[CRYPTO_HASH_MAX];
            const struct jwt jwt = {.algorithm = str_from(ALGORITHMS[a].name),
                                    .key = str_from(SPELLED[i].key),
                                    .key_encoding = SPELLED[i].encoding,
                                    .lifetime_ms = 60000};
            assert_int_equal(jwt_write(&jwt, NOW_US, &token, &err), 0);
            part_of(buf_str(&token), 2, &signature);
            size_t signed_size = (size_t)((char *)memrchr(token.data, '.', token.size) - token.data);
            size_t size = crypto_hmac(ALGORITHMS[a].hash, STR("key>~\x7f"), (struct str){token.data, signed_size}, code);
            assert_true(str_equal(buf_str(&signature), (struct str){(const char *)code, size}));
            buf_release(&token);
            buf_release(&signature);
        }
}

/* As it comes out of an environment variable or a service account's JSON. */
static void test_a_key_on_one_line(void **state)
{
    (void)state;
    struct buf line = BUF_INIT(8192), token = BUF_INIT(JWT_MAX_BYTES);
    struct err err = ERR_INIT;
    for (const char *c = JOSE_RSA; *c; c++) {
        if (*c == '\n')
            buf_append_text(&line, "\\n");
        else
            buf_append_char(&line, *c);
    }
    const struct jwt jwt = {.algorithm = STR("RS256"), .key = buf_str(&line), .lifetime_ms = 60000};
    assert_int_equal(jwt_write(&jwt, NOW_US, &token, &err), 0);
    buf_release(&line);
    buf_release(&token);
}

static void test_keys_that_cannot_sign_are_named_and_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm, *key, *says;
        enum jwt_key_encoding encoding;
    } CASES[] = {
        {"RS256", "hush-hush-key", "http.auth.key: cannot read the private key", JWT_KEY_TEXT},
        {"RS256", JOSE_EC, "http.auth.key: cannot sign with RS256: the private key is not of the kind RSA", JWT_KEY_TEXT},
        {"ES384", JOSE_EC, "curve has 256 bits, expected 384", JWT_KEY_TEXT},
        {"HS256", "hush-hush-key", "http.auth.key: cannot sign with HS256: the secret is not in hex", JWT_KEY_HEX},
        {"HS256", "hush hush", "the secret is not in base64", JWT_KEY_BASE64},
        {"HS256", "", "the secret is not usable", JWT_KEY_TEXT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf token = BUF_INIT(JWT_MAX_BYTES);
        struct err err = ERR_INIT;
        const struct jwt jwt = {.algorithm = str_from(CASES[i].algorithm),
                                .key = str_from(CASES[i].key),
                                .key_encoding = CASES[i].encoding,
                                .key_place = "http.auth.key",
                                .lifetime_ms = 60000};
        assert_int_equal(jwt_write(&jwt, NOW_US, &token, &err), ERR_CONFIG);
        if (!strstr(err.message, CASES[i].says)) fail_msg("case %zu: %s", i, err.message);
        assert_null(strstr(err.message, "hush"));
        assert_int_equal(token.size, 0);
        buf_release(&token);
    }
}

UNIT_TESTS(cmocka_unit_test(test_header_and_claims), cmocka_unit_test(test_shared_secrets),
           cmocka_unit_test(test_a_key_on_one_line), cmocka_unit_test(test_keys_that_cannot_sign_are_named_and_not_shown))
