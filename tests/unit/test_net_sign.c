/* Signatures over requests, against what RFC 5849 and those who take such signatures have published. */
#include "unit.h"

#include <string.h>

#include "base/check.h"
#include "net/auth_oauth1.h"
#include "net/auth_sign.h"
#include "os/clock.h"

static struct url url_of(const char *text, struct arena *arena)
{
    struct url url = {0};
    struct err err = ERR_INIT;
    if (url_parse(str_from(text), arena, &url, &err) != 0) fail_msg("%s", err.message);
    return url;
}

static void assert_text(struct str found, const char *expected)
{
    if (!str_equal(found, str_from(expected))) fail_msg("found\n  " STR_FMT "\nexpected\n  %s", STR_ARG(found), expected);
}

/* --- oauth1 -------------------------------------------------------------------------------------- */

static void test_the_base_string_of_rfc_5849(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct canonical own = CANONICAL_INIT(&arena);
    const struct http_header form = {STR("content-type"), STR("application/x-www-form-urlencoded ; charset=UTF-8")};
    struct url url = url_of("http://EXAMPLE.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", &arena);
    struct http_request request = {
        .method = "POST", .url = url.text, .headers = &form, .header_count = 1, .body = STR("c2&a3=2+q")};
    canonical_add(&own, STR("oauth_consumer_key"), STR("9djdj82h48djs9d2"));
    canonical_add(&own, STR("oauth_token"), STR("kkk9d7dh3k39sjv7"));
    canonical_add(&own, STR("oauth_signature_method"), STR("HMAC-SHA1"));
    canonical_add(&own, STR("oauth_timestamp"), STR("137131201"));
    canonical_add(&own, STR("oauth_nonce"), STR("7d8f3e4a"));
    assert_text(oauth1_base_string(&request, &url, &own),
                "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%"
                "26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%"
                "26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7");
    arena_release(&arena);
}

/* Section 1.2; it sends no oauth_version. */
static void test_the_signature_of_rfc_5849(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct canonical own = CANONICAL_INIT(&arena);
    struct url url = url_of("http://photos.example.net/photos?file=vacation.jpg&size=original", &arena);
    struct http_request request = {.method = "GET", .url = url.text};
    struct auth_oauth1 spec = {
        .consumer_secret = STR("kd94hf93k423kf44"), .token_secret = STR("pfkkdhi9sl3r4s00"), .method = AUTH_HMAC_SHA1};
    canonical_add(&own, STR("oauth_consumer_key"), STR("dpf43f3p2l4k3l03"));
    canonical_add(&own, STR("oauth_token"), STR("nnch734d00sl2jdk"));
    canonical_add(&own, STR("oauth_signature_method"), STR("HMAC-SHA1"));
    canonical_add(&own, STR("oauth_timestamp"), STR("137131202"));
    canonical_add(&own, STR("oauth_nonce"), STR("chapoH"));
    assert_text(oauth1_signature(&spec, oauth1_base_string(&request, &url, &own), &arena), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    /* Section 2.1: credentials that are shown, not used as a key. */
    spec = (struct auth_oauth1){
        .consumer_secret = STR("ja893SD9"), .token_secret = STR("xyz4992k83j47x0b"), .method = AUTH_PLAINTEXT};
    assert_text(oauth1_signature(&spec, STR("anything"), &arena), "ja893SD9&xyz4992k83j47x0b");
    spec.token_secret = STR("");
    assert_text(oauth1_signature(&spec, STR("anything"), &arena), "ja893SD9&");
    arena_release(&arena);
}

/* The worked example of a public API, and two of NetSuite's form that were computed with another program. */
static void test_oauth1_headers(void **state)
{
    (void)state;
    static const struct auth_oauth1 TWITTER = {.consumer_key = {"xvz1evFS4wEEPTGEFPHBog", 22},
                                               .consumer_secret = {"kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", 43},
                                               .token = {"370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", 50},
                                               .token_secret = {"LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE", 41},
                                               .method = AUTH_HMAC_SHA1};
    static const struct auth_oauth1 NETSUITE = {.consumer_key = {"ck", 2},
                                                .consumer_secret = {"cs", 2},
                                                .token = {"tk", 2},
                                                .token_secret = {"ts", 2},
                                                .realm = {"1234567_SB1", 11}};
    static const struct {
        const struct auth_oauth1 *spec;
        const char *method, *url, *nonce, *body, *signature;
        int64_t seconds;
    } CASES[] = {
        {&TWITTER, "POST",
         "https://api.twitter.com/1.1/statuses/"
         "update.json?status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed+OAuth%20request!&include_entities=true",
         "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", "", "hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D", 1318622958},
        {&NETSUITE, "POST",
         "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/query/v1/suiteql?offset=2000&limit=1000", "Nonce123456",
         "{\"q\":\"SELECT 1\"}", "bTdgsx56LEPejJnj%2FoBN82KEhSdzGWhHnARU0RBrNE8%3D", 1700000000},
        {&NETSUITE, "GET",
         "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1/customer?"
         "q=lastModifiedDate%20ON_OR_AFTER%20%2201/15/2024%22&limit=1000",
         "abcDEF0123", "", "qtI19dIeLdvLheRkgkA9CdSPy1YM6AmXBTgmOObvG6E%3D", 1700000001},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct url url = url_of(CASES[i].url, &arena);
        struct http_request request = {.method = CASES[i].method, .url = url.text, .body = str_from(CASES[i].body)};
        struct http_header header =
            oauth1_header(CASES[i].spec, &request, &url, CASES[i].seconds * 1000000 + 999999, str_from(CASES[i].nonce), &arena);
        const char *end = arena_printf(&arena, ", oauth_version=\"1.0\", oauth_signature=\"%s\"", CASES[i].signature);
        assert_text(header.name, "Authorization");
        if (!str_ends(header.value, str_from(end))) fail_msg("case %zu: " STR_FMT, i, STR_ARG(header.value));
        arena_release(&arena);
    }
    struct arena arena = ARENA_INIT(0);
    struct url url = url_of("https://t.test/", &arena);
    struct http_request request = {.method = "GET", .url = url.text};
    assert_text(oauth1_header(&NETSUITE, &request, &url, 1700000000000000, STR("n 1"), &arena).value,
                "OAuth realm=\"1234567_SB1\", oauth_consumer_key=\"ck\", oauth_token=\"tk\", "
                "oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", oauth_nonce=\"n%201\", "
                "oauth_version=\"1.0\", oauth_signature=\"JtO8G06APFqJT9p8rHTnUg2KY%2Fq2%2FptREhYjIqnt0KQ%3D\"");
    arena_release(&arena);
}

/* --- declared signatures ------------------------------------------------------------------------- */

#define HOLE(part)                                                                                                             \
    {                                                                                                                          \
        AUTH_PART_##part,                                                                                                      \
        {                                                                                                                      \
            0                                                                                                                  \
        }                                                                                                                      \
    }
#define TEXT(text)                                                                                                             \
    {                                                                                                                          \
        AUTH_PART_TEXT,                                                                                                        \
        {                                                                                                                      \
            text, sizeof(text) - 1                                                                                             \
        }                                                                                                                      \
    }

static const struct auth_part SIGNATURE[] = {HOLE(SIGNATURE)};

static void sign_it(const struct auth_sign *sign, const char *method, const char *address, const char *body, int64_t wall_us,
                    struct arena *arena, struct auth_signature *signature)
{
    struct err err = ERR_INIT;
    struct url url = url_of(address, arena);
    struct http_request request = {.method = method, .url = url.text, .body = str_from(body)};
    if (sign_check(sign, &err) != 0 || sign_request(sign, &request, &url, wall_us, STR("00ff"), arena, signature, &err) != 0)
        fail_msg("%s", err.message);
}

/* Published by Slack. */
static void test_a_signature_over_time_and_body(void **state)
{
    (void)state;
    static const struct auth_part MESSAGE[] = {TEXT("v0:"), HOLE(TIMESTAMP), TEXT(":"), HOLE(BODY)};
    static const struct auth_part VALUE[] = {TEXT("v0="), HOLE(SIGNATURE)};
    static const struct auth_part TIME[] = {HOLE(TIMESTAMP)};
    static const struct auth_sign_field HEADERS[] = {{{"X-Slack-Signature", 17}, {VALUE, 2}},
                                                     {{"X-Slack-Request-Timestamp", 25}, {TIME, 1}}};
    static const struct auth_sign SIGN = {.key = {"8f742231b10e8888abcd99yyyzzz85a5", 32},
                                          .message = {MESSAGE, 4},
                                          .hash = CRYPTO_SHA256,
                                          .headers = HEADERS,
                                          .header_count = 2,
                                          .sign_body = true};
    struct arena arena = ARENA_INIT(0);
    struct auth_signature signature;
    sign_it(&SIGN, "POST", "https://slack.test/",
            "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&"
            "user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
            "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id="
            "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
            1531420618LL * 1000000, &arena, &signature);
    assert_int_equal(signature.header_count, 2);
    assert_null(signature.url);
    assert_text(signature.headers[0].value, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    assert_text(signature.headers[1].value, "1531420618");
    arena_release(&arena);
}

/* From the tests of HubSpot's own libraries. */
static void test_a_signature_over_the_whole_url(void **state)
{
    (void)state;
    static const struct auth_part MESSAGE[] = {HOLE(METHOD), HOLE(URL), HOLE(BODY), HOLE(TIMESTAMP_MS)};
    static const struct auth_sign_field HEADERS[] = {{{"X-HubSpot-Signature-v3", 22}, {SIGNATURE, 1}}};
    static const struct auth_sign SIGN = {.key = {"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", 36},
                                          .message = {MESSAGE, 4},
                                          .hash = CRYPTO_SHA256,
                                          .encoding = AUTH_BASE64,
                                          .headers = HEADERS,
                                          .header_count = 1,
                                          .sign_body = true};
    struct arena arena = ARENA_INIT(0);
    struct auth_signature signature;
    sign_it(&SIGN, "POST", "https://www.example.com/webhook_uri", "{'example_field':'example_value'}",
            1693657560000LL * 1000 + 999, &arena, &signature);
    assert_text(signature.headers[0].value, "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=");
    arena_release(&arena);
}

/* Published by Binance: the time is a parameter that is signed, the signature one behind all. */
static void test_a_signature_in_the_query(void **state)
{
    (void)state;
    static const struct auth_part MESSAGE[] = {HOLE(QUERY), HOLE(BODY)}, TIME[] = {HOLE(TIMESTAMP_MS)};
    static const struct auth_sign_field PARAMS[] = {{{"signature", 9}, {SIGNATURE, 1}}, {{"timestamp", 9}, {TIME, 1}}};
    static const struct auth_sign SIGN = {.key = {"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j", 64},
                                          .message = {MESSAGE, 2},
                                          .hash = CRYPTO_SHA256,
                                          .params = PARAMS,
                                          .param_count = 2,
                                          .sign_body = true};
    struct arena arena = ARENA_INIT(0);
    struct auth_signature signature;
    const char *query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000";
    sign_it(&SIGN, "POST", arena_printf(&arena, "https://api.test/api/v3/order?%s", query), "", 1499827319559LL * 1000, &arena,
            &signature);
    assert_string_equal(signature.url, arena_printf(&arena,
                                                    "https://api.test/api/v3/order?%s&timestamp=1499827319559&signature="
                                                    "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
                                                    query));
    assert_int_equal(signature.header_count, 0);
    assert_int_equal(signature.param_count, 2);
    arena_release(&arena);
}

static void test_every_part_of_a_request(void **state)
{
    (void)state;
    static const struct auth_part PARTS[] = {HOLE(TIME),
                                             TEXT(" "),
                                             HOLE(NONCE),
                                             TEXT(" "),
                                             HOLE(METHOD),
                                             TEXT(" "),
                                             HOLE(HOST),
                                             TEXT(" "),
                                             HOLE(PATH),
                                             TEXT(" "),
                                             HOLE(QUERY),
                                             TEXT(" "),
                                             HOLE(TARGET),
                                             TEXT(" "),
                                             HOLE(BODY_SHA256),
                                             TEXT(" "),
                                             HOLE(BODY_SHA256_BASE64)};
    static const struct auth_sign_field HEADERS[] = {{{"X-All", 5}, {PARTS, ARRAY_SIZE(PARTS)}},
                                                     {{"X-Sign", 6}, {SIGNATURE, 1}}};
    struct auth_sign sign = {.key = STR("a2V5"), /* "key" */
                             .key_encoding = JWT_KEY_BASE64,
                             .message = {PARTS + 2, 1},
                             .hash = CRYPTO_SHA256,
                             .headers = HEADERS,
                             .header_count = 2,
                             .sign_body = true};
    struct arena arena = ARENA_INIT(0);
    struct auth_signature signature;
    sign_it(&sign, "PUT", "https://a.test:8443/b/c?x=1&y=%20", "", 1705314622LL * 1000000, &arena, &signature);
    assert_text(
        signature.headers[0].value,
        "2024-01-15T10:30:22Z 00ff PUT a.test:8443 /b/c x=1&y=%20 /b/c?x=1&y=%20 "
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    /* printf 00ff | openssl dgst -sha256 -hmac key */
    assert_text(signature.headers[1].value, "e8f0eb7591c974ecc9117f40db86fddd9e14801d858f91e73d6bcb657aa0d22d");
    sign_it(&sign, "PUT", "https://a.test/", "body", 0, &arena, &signature);
    assert_non_null(
        strstr(signature.headers[0].value.data, "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"));
    assert_non_null(strstr(signature.headers[0].value.data, "1970-01-01T00:00:00Z 00ff PUT a.test / "));
    sign.sign_body = false;
    sign_it(&sign, "PUT", "https://a.test/", "body", 0, &arena, &signature);
    assert_non_null(
        strstr(signature.headers[0].value.data, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    arena_release(&arena);
}

static void test_nonces_differ(void **state)
{
    (void)state;
    char one[SIGN_NONCE_SIZE], two[SIGN_NONCE_SIZE];
    sign_make_nonce(one);
    sign_make_nonce(two);
    assert_int_equal(strlen(one), SIGN_NONCE_SIZE - 1);
    assert_int_equal(strspn(one, "0123456789abcdef"), SIGN_NONCE_SIZE - 1);
    assert_string_not_equal(one, two);
}

static void test_what_cannot_sign_is_refused(void **state)
{
    (void)state;
    static const struct auth_part MESSAGE[] = {HOLE(BODY)}, BROKEN[] = {TEXT("a\nb")};
    static const struct auth_sign_field PARAM[] = {{{"s", 1}, {SIGNATURE, 1}}}, HEADER[] = {{{"X-A", 3}, {BROKEN, 1}}};
    static const struct auth_sign BAD[] = {
        {.message = {MESSAGE, 1}},
        {.key = {"k", 1}, .message = {SIGNATURE, 1}},
        {.key = {"abc", 3}, .key_encoding = JWT_KEY_HEX, .message = {MESSAGE, 1}},
        {.key = {"not base64!", 11}, .key_encoding = JWT_KEY_BASE64, .message = {MESSAGE, 1}},
    };
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        if (sign_check(&BAD[i], &err) != ERR_CONFIG) fail_msg("case %zu is taken", i);
        assert_null(strstr(err.message, "base64!"));
    }
    struct auth_sign sign = {.key = STR("k"), .message = {MESSAGE, 1}, .params = PARAM, .param_count = 1};
    struct auth_signature signature;
    char *path = arena_alloc(&arena, URL_MAX_BYTES);
    memset(path, 'a', URL_MAX_BYTES - 1);
    memcpy(path, "https://a.test/", 15);
    path[URL_MAX_BYTES - 20] = '\0';
    struct url url = url_of(path, &arena);
    struct http_request request = {.method = "GET", .url = url.text};
    assert_int_equal(sign_request(&sign, &request, &url, 0, STR("n"), &arena, &signature, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "too long"));
    sign = (struct auth_sign){.key = STR("k"), .message = {MESSAGE, 1}, .headers = HEADER, .header_count = 1};
    assert_int_equal(sign_request(&sign, &request, &url, 0, STR("n"), &arena, &signature, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "header X-A holds a control character"));
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_the_base_string_of_rfc_5849), cmocka_unit_test(test_the_signature_of_rfc_5849),
           cmocka_unit_test(test_oauth1_headers), cmocka_unit_test(test_a_signature_over_time_and_body),
           cmocka_unit_test(test_a_signature_over_the_whole_url), cmocka_unit_test(test_a_signature_in_the_query),
           cmocka_unit_test(test_every_part_of_a_request), cmocka_unit_test(test_nonces_differ),
           cmocka_unit_test(test_what_cannot_sign_is_refused))
