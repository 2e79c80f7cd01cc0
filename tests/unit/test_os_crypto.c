/* crypto: the standards' own vectors (FIPS 180-4, RFC 2202, RFC 4231, RFC 4648), and strictness where text comes from outside.
 */
#include "unit.h"

#include <string.h>

#include "os/crypto.h"

static void expect_hex(const unsigned char *bytes, size_t size, const char *expected)
{
    char hex[2 * CRYPTO_HASH_MAX + 1];
    assert_true(size <= CRYPTO_HASH_MAX);
    crypto_hex_text(bytes, size, hex);
    assert_string_equal(hex, expected);
}

static void test_digests(void **state)
{
    (void)state;
    static const struct {
        enum crypto_hash hash;
        const char *text;
        const char *expected;
    } VECTORS[] = {
        {CRYPTO_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {CRYPTO_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {CRYPTO_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {CRYPTO_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {CRYPTO_SHA384, "abc",
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
        {CRYPTO_SHA512, "abc",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac"
         "94f"
         "a54ca49f"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(VECTORS); i++) {
        unsigned char out[CRYPTO_HASH_MAX];
        size_t size = crypto_hash(VECTORS[i].hash, str_from(VECTORS[i].text), out);
        expect_hex(out, size, VECTORS[i].expected);
    }
    char hex[SHA256_HEX_SIZE];
    crypto_sha256_hex(STR("abc"), hex);
    assert_string_equal(hex, VECTORS[2].expected);
    crypto_sha256_hex((struct str){0}, hex);
    assert_string_equal(hex, VECTORS[1].expected);
}

static void test_digest_piece_by_piece(void **state)
{
    (void)state;
    struct digest *digest = digest_new();
    unsigned char out[SHA256_SIZE];
    char thousand[1000];
    memset(thousand, 'a', sizeof thousand);
    for (int i = 0; i < 1000; i++) digest_add(digest, thousand, sizeof thousand);
    digest_end(digest, out);
    expect_hex(out, sizeof out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    digest_add(digest, "ab", 2); /* the next message */
    digest_add(digest, "", 0);
    digest_add(digest, "c", 1);
    digest_end(digest, out);
    expect_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_free(digest);
    digest_free(NULL);
}

static void test_message_authentication_codes(void **state)
{
    (void)state;
    char long_key[131], short_key[20];
    memset(long_key, 0xaa, sizeof long_key);
    memset(short_key, 0x0b, sizeof short_key);
    const struct str jefe = STR("Jefe"), question = STR("what do ya want for nothing?");
    const struct str larger = {long_key, sizeof long_key}, hi = {short_key, sizeof short_key};
    const struct str first = STR("Test Using Larger Than Block-Size Key - Hash Key First");
    const struct {
        enum crypto_hash hash;
        struct str key, data;
        const char *expected;
    } vectors[] = {
        {CRYPTO_SHA1, jefe, question, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {CRYPTO_SHA256, hi, STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {CRYPTO_SHA256, jefe, question, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {CRYPTO_SHA256, larger, first, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {CRYPTO_SHA384, jefe, question,
         "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
        {CRYPTO_SHA512, hi, STR("Hi There"),
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696"
         "c20"
         "3a126854"},
        {CRYPTO_SHA512, larger, first,
         "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915"
         "a98"
         "5d786598"},
        {CRYPTO_SHA256, (struct str){0}, (struct str){0}, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        unsigned char out[CRYPTO_HASH_MAX];
        size_t size = crypto_hmac(vectors[i].hash, vectors[i].key, vectors[i].data, out);
        expect_hex(out, size, vectors[i].expected);
    }
}

static void test_hash_names(void **state)
{
    (void)state;
    enum crypto_hash hash;
    assert_true(crypto_hash_from_name(STR("sha512"), &hash));
    assert_int_equal(hash, CRYPTO_SHA512);
    assert_true(crypto_hash_from_name(STR("sha1"), &hash));
    assert_int_equal(hash, CRYPTO_SHA1);
    assert_false(crypto_hash_from_name(STR("sha"), &hash));
    assert_false(crypto_hash_from_name(STR("SHA256"), &hash));
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *standard, *url;
    } VECTORS[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf\xfe", "+/+//g==", "-_-__g"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(VECTORS); i++) {
        struct buf out = BUF_INIT(64);
        crypto_base64(str_from(VECTORS[i].plain), &out);
        assert_string_equal(buf_text(&out), VECTORS[i].standard);
        buf_clear(&out);
        crypto_base64url(str_from(VECTORS[i].plain), &out);
        assert_string_equal(buf_text(&out), VECTORS[i].url);
        buf_clear(&out);
        assert_true(crypto_base64_decode(str_from(VECTORS[i].standard), &out));
        assert_string_equal(buf_text(&out), VECTORS[i].plain);
        buf_clear(&out);
        assert_true(crypto_base64url_decode(str_from(VECTORS[i].url), &out));
        assert_string_equal(buf_text(&out), VECTORS[i].plain);
        buf_release(&out);
    }
}

static void test_base64_takes_nothing_but_base64(void **state)
{
    (void)state;
    static const char *const BAD[] = {"Z",
                                      "Zg",
                                      "Zg=",
                                      "Zg===",
                                      "=",
                                      "==",
                                      "====",
                                      "Zg==Zg==",
                                      "Zm9v\n",
                                      " Zm9v",
                                      "Zm 9v",
                                      "Zm9*",
                                      "Zh==" /* unused bits */,
                                      "Zm9=",
                                      "-_-_",
                                      "Zm9vY===",
                                      "Z===",
                                      "Zm9\x80",
                                      "Zm=v"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct buf out = BUF_INIT(64);
        buf_append_text(&out, "before");
        assert_false(crypto_base64_decode(str_from(BAD[i]), &out));
        assert_string_equal(buf_text(&out), "before");
        buf_release(&out);
    }
    static const char *const BAD_URL[] = {"Z", "Zg=", "Zh", "+/+/", "Zm9vY", "Zg===", "="};
    for (size_t i = 0; i < ARRAY_SIZE(BAD_URL); i++) {
        struct buf out = BUF_INIT(64);
        assert_false(crypto_base64url_decode(str_from(BAD_URL[i]), &out));
        assert_int_equal(out.size, 0);
        buf_release(&out);
    }
    struct buf out = BUF_INIT(64), small = BUF_INIT(2);
    assert_true(crypto_base64url_decode(STR("Zg=="), &out));
    assert_false(crypto_base64_decode(STR("Zm9v"), &small)); /* does not fit */
    buf_release(&out);
    buf_release(&small);
}

static void test_hex(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(64);
    crypto_hex((struct str){"\x00\x0f\xf0\xff", 4}, &out);
    assert_string_equal(buf_text(&out), "000ff0ff");
    buf_release(&out);
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[64] = {0}, b[64] = {0}, zero[64] = {0};
    crypto_random(a, sizeof a);
    crypto_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 32, zero, 32); /* filled to the end */
    crypto_random(a, 0);
    crypto_wipe(a, sizeof a);
    assert_memory_equal(a, zero, sizeof a);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(crypto_equal(STR("same"), STR("same")));
    assert_true(crypto_equal(STR(""), (struct str){0}));
    assert_false(crypto_equal(STR("same"), STR("samf")));
    assert_false(crypto_equal(STR("same"), STR("sam")));
}

/* --- lists of certificates ----------------------------------------------------------------------- */

static size_t count_certificates(const char *a, const char *b, const char *c)
{
    struct buf list = BUF_INIT(16 * 1024);
    buf_printf(&list, "%s%s%s", a, b, c);
    size_t count = crypto_count_certificates(buf_str(&list));
    buf_release(&list);
    return count;
}

static void test_lists_of_certificates(void **state)
{
    (void)state;
    static const char ONE[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBkzCCATmgAwIBAgIUSfB/NKIfuD1PtlglquLcbxtS/90wCgYIKoZIzj0EAwIw\n"
                              "HjEcMBoGA1UEAwwTYSBwcml2YXRlIGF1dGhvcml0eTAgFw0yNjExMjIyMDE2NTFa\n"
                              "GA8yMTI2MTAyOTIwMTY1MVowHjEcMBoGA1UEAwwTYSBwcml2YXRlIGF1dGhvcml0\n"
                              "eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPI/7I0uX5iwUcRDiQ62oPfiC1E4\n"
                              "x6Phi53Hlv2YBUUyJT3R9XwIjmOIZHurL7g3u6KYcM0eHukz73DufayD2imjUzBR\n"
                              "MB0GA1UdDgQWBBRxN8rib0g2aAWrd0ZrzEacvMg5sTAfBgNVHSMEGDAWgBRxN8ri\n"
                              "b0g2aAWrd0ZrzEacvMg5sTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA\n"
                              "MEUCIEIkmdODg7TBoYiveYjL4aoLQc3zO30TdN8HytPDoFrmAiEA6FJUyAGmuHvC\n"
                              "12Z5yqtAtV7on8obFyPuIypqHJMpG/A=\n"
                              "-----END CERTIFICATE-----\n";
    static const char BROKEN[] = "-----BEGIN CERTIFICATE-----\nMIIBkTCCATegAwIBAgIUeusTaWAnSjzY\n-----END CERTIFICATE-----\n";
    static const char UNENDED[] = "-----BEGIN CERTIFICATE-----\nMIIBkTCCATegAwIBAgIUeusTaWAnSjzY\n";
    assert_int_equal(count_certificates(ONE, "", ""), 1);
    assert_int_equal(count_certificates("the company's:\n", ONE, ONE), 2);
    assert_int_equal(count_certificates("", "", ""), 0);
    assert_int_equal(count_certificates("no certificate\n", "", ""), 0);
    assert_int_equal(count_certificates(BROKEN, "", ""), 0);
    assert_int_equal(count_certificates(ONE, BROKEN, ONE), 0);
    assert_int_equal(count_certificates(ONE, UNENDED, ""), 0);
    assert_int_equal(crypto_count_certificates((struct str){0}), 0);
}

static void append_hex(struct buf *out, const char *hex)
{
    for (; *hex; hex += 2) {
        unsigned byte = 0;
        for (int i = 0; i < 2; i++) byte = byte * 16 + (unsigned)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
        buf_append_char(out, (char)byte);
    }
}

/* Test case 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), as nonce, ciphertext, tag. */
static void test_what_was_sealed_opens(void **state)
{
    (void)state;
    struct buf key = BUF_INIT(100), about = BUF_INIT(100), plain = BUF_INIT(100), sealed = BUF_INIT(200), out = BUF_INIT(200);
    append_hex(&key, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    append_hex(&about, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
    append_hex(&plain,
               "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5"
               "aa0de657ba637b39");
    append_hex(&sealed,
               "cafebabefacedbaddecaf888"
               "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e63"
               "93ba7a0abcc9f662"
               "76fc6ece0f4e1768cddf8853bb2d551b");
    const unsigned char *secret = (const unsigned char *)key.data;
    assert_true(crypto_open(secret, buf_str(&about), buf_str(&sealed), &out));
    assert_true(str_equal(buf_str(&out), buf_str(&plain)));
    for (size_t i = 0; i < sealed.size; i++) { /* whichever byte is changed */
        buf_clear(&out);
        sealed.data[i] ^= 1;
        assert_false(crypto_open(secret, buf_str(&about), buf_str(&sealed), &out));
        assert_int_equal(out.size, 0);
        sealed.data[i] ^= 1;
        assert_false(crypto_open(secret, buf_str(&about), (struct str){sealed.data, i}, &out));
    }
    assert_false(crypto_open(secret, STR("another"), buf_str(&sealed), &out));
    buf_clear(&sealed);
    crypto_seal(secret, STR("a"), buf_str(&plain), &sealed);
    size_t once = sealed.size;
    crypto_seal(secret, STR("a"), buf_str(&plain), &sealed);
    assert_memory_not_equal(sealed.data, sealed.data + once, once);
    assert_true(crypto_open(secret, STR("a"), (struct str){sealed.data, once}, &out));
    assert_true(str_equal(buf_str(&out), buf_str(&plain)));
    buf_clear(&sealed);
    buf_clear(&out);
    crypto_seal(secret, STR(""), STR(""), &sealed);
    assert_true(crypto_open(secret, STR(""), buf_str(&sealed), &out));
    assert_int_equal(out.size, 0);
    struct buf *all[] = {&key, &about, &plain, &sealed, &out};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) buf_release(all[i]);
}

UNIT_TESTS(cmocka_unit_test(test_what_was_sealed_opens), cmocka_unit_test(test_lists_of_certificates),
           cmocka_unit_test(test_digests), cmocka_unit_test(test_digest_piece_by_piece),
           cmocka_unit_test(test_message_authentication_codes), cmocka_unit_test(test_hash_names),
           cmocka_unit_test(test_base64), cmocka_unit_test(test_base64_takes_nothing_but_base64), cmocka_unit_test(test_hex),
           cmocka_unit_test(test_random_bytes_differ), cmocka_unit_test(test_equal))
