#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "data/block.h"
#include "jose_keys.h"
#include "net/auth.h"
#include "net/auth_sigv4.h"
#include "net/authorize.h"
#include "net/token_store.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/secret.h"
#include "os/thread.h"

static const int64_t WALL_US = 1800000000LL * 1000000;

/* --- a token server without a network ------------------------------------------------------------ */

struct server {
    int status;
    const char *answers[4]; /* the last one is given again */
    size_t calls;
    int class;       /* not 0: the call fails with it */
    struct str body; /* of the last call */
    struct http_header headers[16];
    size_t header_count;
    struct http_header came[8]; /* headers of each answer */
    size_t came_count;
    const char *method, *url; /* of the last call */
    bool anonymous, keeps_redirects;
    struct arena arena;
    struct clock_fake fake;
    int64_t takes_ms;
};

static int answer(void *context, const struct http_request *request, struct arena *arena, struct http_response *response,
                  struct err *err)
{
    struct server *server = context;
    size_t at = server->calls++;
    while (at > 0 && (at >= ARRAY_SIZE(server->answers) || !server->answers[at])) at--;
    server->body = arena_copy(&server->arena, request->body);
    server->anonymous = request->anonymous;
    server->keeps_redirects = request->keeps_redirects;
    server->method = request->method;
    server->url = arena_strdup(&server->arena, request->url);
    server->header_count = request->header_count < 16 ? request->header_count : 16;
    for (size_t i = 0; i < server->header_count; i++) {
        server->headers[i].name = arena_copy(&server->arena, request->headers[i].name);
        server->headers[i].value = arena_copy(&server->arena, request->headers[i].value);
    }
    clock_fake_advance(&server->fake, server->takes_ms);
    if (server->class != 0) return err_set(err, server->class, "could not reach the server");
    size_t size = strlen(server->answers[at]);
    *response = (struct http_response){.status = server->status, .url = arena_strdup(arena, request->url), .arena = arena};
    response->headers = server->came;
    response->header_count = server->came_count;
    response->body = block_new(NULL, size);
    memcpy(response->body->data, server->answers[at], size);
    response->body->size = size;
    block_seal(response->body);
    return 0;
}

static void server_init(struct server *server, const char *text)
{
    *server = (struct server){.status = 200, .answers = {text}};
    clock_fake_init(&server->fake, WALL_US);
}

static const char *sent_header(const struct server *server, const char *name)
{
    for (size_t i = 0; i < server->header_count; i++)
        if (str_equal_nocase(server->headers[i].name, str_from(name))) return server->headers[i].value.data;
    return NULL;
}

static const struct auth_spec CLIENT_CREDENTIALS = {
    .kind = AUTH_OAUTH2,
    .oauth2 = {.grant = AUTH_CLIENT_CREDENTIALS,
               .token_url = "https://id.test/oauth/token?v=1",
               .client_id = {"my id", 5},
               .client_secret = {"p&w", 3}},
};

static struct auth *auth_of(const struct auth_spec *spec, struct server *server, struct secrets *secrets,
                            struct token_store *store)
{
    const struct auth_options options = {.clock = &server->fake.clock, .secrets = secrets, .store = store};
    struct auth *auth = NULL;
    struct err err = ERR_INIT;
    if (auth_new(spec, &options, &auth, &err) != 0) fail_msg("%s", err.message);
    return auth;
}

static int ask(struct auth *auth, struct server *server, struct auth_credentials *credentials, struct err *err)
{
    const struct auth_sender sender = {answer, server};
    return auth_credentials(auth, &sender, &server->arena, credentials, err);
}

static void assert_header(const struct auth_credentials *credentials, const char *name, const char *value)
{
    assert_true(str_equal(credentials->header.name, str_from(name)));
    if (!str_equal(credentials->header.value, str_from(value)))
        fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(credentials->header.value), value);
}

static void assert_token(struct auth *auth, struct server *server, const char *value)
{
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    if (ask(auth, server, &credentials, &err) != 0) fail_msg("%s", err.message);
    assert_header(&credentials, "Authorization", value);
}

/* --- kinds without a token call ------------------------------------------------------------------ */

static void test_fixed_credentials(void **state)
{
    (void)state;
    static const struct {
        struct auth_spec spec;
        const char *name, *value;
        bool in_query;
    } CASES[] = {
        {{.kind = AUTH_BEARER, .token = {"abc", 3}, .prefix = {"Bearer", 6}}, "Authorization", "Bearer abc", false},
        {{.kind = AUTH_BEARER, .token = {"abc", 3}}, "Authorization", "abc", false},
        {{.kind = AUTH_BASIC, .username = {"Aladdin", 7}, .password = {"open sesame", 11}},
         "Authorization",
         "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
         false}, /* RFC 7617 2 */
        {{.kind = AUTH_BASIC, .username = {"key", 3}}, "Authorization", "Basic a2V5Og==", false},
        {{.kind = AUTH_API_KEY, .key = {"k1", 2}, .name = {"X-API-Key", 9}}, "X-API-Key", "k1", false},
        {{.kind = AUTH_API_KEY, .key = {"k1", 2}, .name = {"Authorization", 13}, .prefix = {"Klaviyo-API-Key", 15}},
         "Authorization",
         "Klaviyo-API-Key k1",
         false},
        {{.kind = AUTH_API_KEY, .key = {"k1", 2}, .name = {"api_key", 7}, .into = AUTH_IN_QUERY}, "api_key", "k1", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        struct auth_credentials credentials;
        struct err err = ERR_INIT;
        server_init(&server, "");
        struct auth *auth = auth_of(&CASES[i].spec, &server, NULL, NULL);
        assert_int_equal(ask(auth, &server, &credentials, &err), 0);
        if (CASES[i].in_query) {
            assert_int_equal(credentials.header.name.size, 0);
            assert_true(str_equal(credentials.param.name, str_from(CASES[i].name)));
            assert_true(str_equal(credentials.param.value, str_from(CASES[i].value)));
        } else {
            assert_header(&credentials, CASES[i].name, CASES[i].value);
            assert_int_equal(credentials.param.name.size, 0);
        }
        assert_false(auth_refused(auth, credentials.generation));
        assert_int_equal(server.calls, 0);
        auth_free(auth);
        arena_release(&server.arena);
    }
}

static void test_none_carries_nothing(void **state)
{
    (void)state;
    struct server server;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    server_init(&server, "");
    struct auth *auth = auth_of(&(struct auth_spec){.kind = AUTH_NONE}, &server, NULL, NULL);
    assert_int_equal(ask(auth, &server, &credentials, &err), 0);
    assert_int_equal(credentials.header.name.size + credentials.param.name.size, 0);
    assert_string_equal(auth_kind_name(auth), "none");
    auth_free(auth);
}

static void test_refuses_specs_that_cannot_work(void **state)
{
    (void)state;
    static const struct auth_part SIGNATURE[] = {{AUTH_PART_SIGNATURE, {0}}};
    static const struct auth_sign SIGN = {.key = {"k", 1}, .message = {SIGNATURE, 1}};
    static const struct auth_spec BAD[] = {
        {.kind = AUTH_BEARER},
        {.kind = AUTH_BEARER, .token = {"abc\n", 4}},
        {.kind = AUTH_BEARER, .token = {"a\0c", 3}},
        {.kind = AUTH_BASIC, .username = {"a:b", 3}},
        {.kind = AUTH_BASIC, .username = {"a", 1}, .password = {"b\r", 2}},
        {.kind = AUTH_API_KEY, .key = {"k", 1}},
        {.kind = AUTH_API_KEY, .name = {"n", 1}},
        {.kind = AUTH_API_KEY, .key = {"k", 1}, .name = {"a;b", 3}, .into = AUTH_IN_COOKIE},
        {.kind = AUTH_API_KEY, .key = {"k\nx", 3}, .name = {"a", 1}, .into = AUTH_IN_COOKIE},
        {.kind = AUTH_SESSION, .name = {"a", 1}},
        {.kind = AUTH_SESSION, .session = {.login_url = "https://t.test/"}},
        {.kind = AUTH_SESSION, .name = {"a;b", 3}, .into = AUTH_IN_COOKIE, .session = {.login_url = "https://t.test/"}},
        {.kind = AUTH_OAUTH1, .oauth1 = {.consumer_key = {"k", 1}}},
        {.kind = AUTH_OAUTH1, .oauth1 = {.consumer_key = {"k", 1}, .consumer_secret = {"s", 1}, .realm = {"a\"b", 3}}},
        {.kind = AUTH_HMAC},
        {.kind = AUTH_OAUTH2},
        {.kind = AUTH_OAUTH2, .oauth2 = {.token_url = "https://t.test/", .grant = AUTH_REFRESH_TOKEN}},
        {.kind = AUTH_OAUTH2, .oauth2 = {.token_url = "https://t.test/", .client = AUTH_CLIENT_BASIC}},
        {.kind = AUTH_OAUTH2, .oauth2 = {.token_url = "https://t.test/", .sign = &SIGN}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        const struct auth_options options = {.clock = clock_system()};
        struct auth *auth = NULL;
        struct err err = ERR_INIT;
        if (auth_new(&BAD[i], &options, &auth, &err) != ERR_CONFIG) fail_msg("case %zu is taken", i);
        assert_null(auth);
        assert_true(err.message[0] != '\0');
    }
}

/* --- signatures over requests -------------------------------------------------------------------- */

/* From the AWS test suite and the documentation of S3; the first was computed with another program. */
static void test_sigv4_signs_as_published(void **state)
{
    (void)state;
    static const struct http_header RANGE[] = {{{"Range", 5}, {"bytes=0-9", 9}}, {{"Accept", 6}, {"x/y", 3}}};
    static const struct http_header JSON[] = {{{"Content-Type", 12}, {"application/json", 16}}};
    static const struct http_header STORE[] = {{{"x-amz-storage-class", 19}, {" REDUCED_REDUNDANCY", 19}},
                                               {{"Date", 4}, {"Fri, 24 May 2013 00:00:00 GMT", 29}},
                                               {{"X-AMZ-DATE", 10}, {"old", 3}}};
    static const struct {
        const char *secret, *service, *method, *url, *body, *names, *signature;
        int64_t seconds;
        const struct http_header *headers;
        size_t header_count;
        const char *token;
    } CASES[] = {
        {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "execute-api", "POST",
         "https://x.test:8443/stage/a%20b/?b=2&a-b=%2b+%c3%a9&a=1&&a", "{\"a\":1}",
         "content-type;host;x-amz-date;x-amz-security-token",
         "42765e23d51a81303a625e13b1af8b133a1d86ae2ac74274efe4a54b458345f1", 1705314622, JSON, 1, "TOK"},
        {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service", "GET", "https://example.amazonaws.com/", "", "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", 1440938160, NULL, 0, NULL},
        {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service", "GET", "https://example.amazonaws.com//a/.././", "",
         "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", 1440938160, NULL, 0, NULL},
        {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", "GET", "https://examplebucket.s3.amazonaws.com/test.txt", "",
         "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
         1369353600, RANGE, 2, NULL},
        {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", "PUT", "https://examplebucket.s3.amazonaws.com/test$file.text",
         "Welcome to Amazon S3.", "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", 1369353600, STORE, 3, NULL},
        {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", "POST",
         "http://127.0.0.1:9000/sluice/dt%3d2024-01-15/part-000.csv.gz?uploads", "", "host;x-amz-content-sha256;x-amz-date",
         "dc5366adace71fe62161d50f8851bbca216a9b5eae43159cc293d713986b9994", 1705314622, NULL, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct url url;
        struct http_header headers[AUTH_SIGNING_HEADERS_MAX];
        struct auth_sigv4 spec = {.access_key = STR("AKID"),
                                  .secret_key = str_from(CASES[i].secret),
                                  .region = STR("us-east-1"),
                                  .service = str_from(CASES[i].service)};
        struct http_request request = {.method = CASES[i].method,
                                       .url = CASES[i].url,
                                       .headers = CASES[i].headers,
                                       .header_count = CASES[i].header_count,
                                       .body = str_from(CASES[i].body)};
        if (CASES[i].token) spec.session_token = str_from(CASES[i].token);
        assert_int_equal(url_parse(str_from(CASES[i].url), &arena, &url, &err), 0);
        size_t count = sigv4_headers(&spec, &request, &url, CASES[i].seconds * 1000000, &arena, headers);
        const char *found = headers[count - 1].value.data;
        if (!strstr(found, CASES[i].signature) || !strstr(found, CASES[i].names)) fail_msg("case %zu: %s", i, found);
        arena_release(&arena);
    }
}

/* --- the token call ------------------------------------------------------------------------------ */

static void test_client_credentials_in_a_form(void **state)
{
    (void)state;
    static const struct auth_pair PARAMS[] = {{{"audience", 8}, {"https://api.test/", 17}}};
    struct auth_spec spec = CLIENT_CREDENTIALS;
    struct server server;
    server_init(&server, "{\"access_token\":\"t1\",\"expires_in\":3600}");
    spec.oauth2.scope = STR("read write");
    spec.oauth2.params = PARAMS;
    spec.oauth2.param_count = 1;
    struct auth *auth = auth_of(&spec, &server, NULL, NULL);
    assert_token(auth, &server, "Bearer t1");
    assert_string_equal(server.body.data,
                        "grant_type=client_credentials&client_id=my%20id&client_secret=p%26w&scope=read%20write&"
                        "audience=https%3A%2F%2Fapi.test%2F");
    assert_string_equal(sent_header(&server, "Content-Type"), "application/x-www-form-urlencoded");
    assert_null(sent_header(&server, "Authorization"));
    assert_true(server.anonymous);
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_client_credentials_as_json_and_basic(void **state)
{
    (void)state;
    struct auth_spec spec = CLIENT_CREDENTIALS;
    struct server server;
    server_init(&server, "{\"access_token\":\"t1\"}");
    spec.oauth2.json = true;
    spec.oauth2.client = AUTH_CLIENT_BASIC;
    struct auth *auth = auth_of(&spec, &server, NULL, NULL);
    assert_token(auth, &server, "Bearer t1");
    assert_string_equal(server.body.data, "{\"grant_type\":\"client_credentials\"}");
    assert_string_equal(sent_header(&server, "Content-Type"), "application/json");
    assert_string_equal(sent_header(&server, "Authorization"), "Basic bXklMjBpZDpwJTI2dw=="); /* my%20id:p%26w */
    auth_free(auth);
    arena_release(&server.arena);
}

/* The signatures were computed with `openssl dgst -sha256 -hmac key` over the message. */
static void test_signs_the_token_call(void **state)
{
    (void)state;
    static const struct auth_part MESSAGE[] = {
        {AUTH_PART_TIMESTAMP, {0}}, {AUTH_PART_METHOD, {0}}, {AUTH_PART_PATH, {0}}, {AUTH_PART_BODY, {0}}};
    static const struct auth_part KEY[] = {{AUTH_PART_TEXT, {"shop-key", 8}}};
    static const struct auth_part SIGNATURE[] = {{AUTH_PART_TEXT, {"v1=", 3}}, {AUTH_PART_SIGNATURE, {0}}};
    static const struct auth_sign_field HEADERS[] = {
        {{"API-Key", 7}, {KEY, 1}}, {{"API-Timestamp", 13}, {MESSAGE, 1}}, {{"API-Signature", 13}, {SIGNATURE, 2}}};
    static const struct {
        bool sign_body;
        enum auth_encoding encoding;
        const char *signature;
    } CASES[] = {
        {false, AUTH_HEX, "v1=95aea2778e1129b52f8efd74c9530f052820965bd8456272701c24e186929120"},
        {true, AUTH_HEX, "v1=0008d56480b974abb15c284ed43f8f638cb5f882b448ee04fe66d2d71fb31c77"},
        {true, AUTH_BASE64, "v1=AAjVZIC5dKuxXChO1D+PY4y1+IK0SO4E/mbS1x+zHHc="},
        {true, AUTH_BASE64URL, "v1=AAjVZIC5dKuxXChO1D-PY4y1-IK0SO4E_mbS1x-zHHc"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct auth_sign sign = {.key = {"shop-secret", 11},
                                       .message = {MESSAGE, 4},
                                       .hash = CRYPTO_SHA256,
                                       .encoding = CASES[i].encoding,
                                       .headers = HEADERS,
                                       .header_count = 3,
                                       .sign_body = CASES[i].sign_body};
        const struct auth_spec spec = {
            .kind = AUTH_OAUTH2, .oauth2 = {.token_url = "https://shop.test/auth/token?x=1", .json = true, .sign = &sign}};
        struct server server;
        server_init(&server, "{\"access_token\":\"t1\",\"expires_in\":3600}");
        struct auth *auth = auth_of(&spec, &server, NULL, NULL);
        assert_token(auth, &server, "Bearer t1");
        assert_string_equal(server.body.data, "{\"grant_type\":\"client_credentials\"}");
        assert_string_equal(sent_header(&server, "API-Key"), "shop-key");
        assert_string_equal(sent_header(&server, "API-Timestamp"), "1800000000");
        assert_string_equal(sent_header(&server, "API-Signature"), CASES[i].signature);
        auth_free(auth);
        arena_release(&server.arena);
    }
}

/* --- other grants, and signed tokens --------------------------------------------------------------- */

static void test_the_password_grant(void **state)
{
    (void)state;
    struct server server;
    struct auth_spec spec = CLIENT_CREDENTIALS;
    spec.oauth2.grant = AUTH_PASSWORD;
    spec.oauth2.username = STR("me@x.test");
    spec.oauth2.password = STR("p w");
    server_init(&server, "{\"access_token\":\"t1\"}");
    struct auth *auth = auth_of(&spec, &server, NULL, NULL);
    assert_token(auth, &server, "Bearer t1");
    assert_string_equal(server.body.data,
                        "grant_type=password&client_id=my%20id&client_secret=p%26w&username=me%40x.test&password=p%20w");
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_assertions(void **state)
{
    (void)state;
    struct jwt jwt = {.algorithm = STR("ES256"), .key = str_from(JOSE_EC), .key_place = "key", .lifetime_ms = 120000};
    static const struct {
        enum auth_grant grant;
        enum auth_client client;
        const char *begins;
    } CASES[] = {
        {AUTH_JWT_BEARER, AUTH_CLIENT_BODY,
         "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&client_id=my%20id&client_secret=p%26w&assertion="
         "eyJ"},
        {AUTH_CLIENT_CREDENTIALS, AUTH_CLIENT_ASSERTION,
         "grant_type=client_credentials&client_id=my%20id&client_assertion_type="
         "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=eyJ"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        struct auth_spec spec = CLIENT_CREDENTIALS;
        spec.oauth2.grant = CASES[i].grant;
        spec.oauth2.client = CASES[i].client;
        spec.oauth2.assertion = &jwt;
        server_init(&server, "{\"access_token\":\"t1\"}");
        struct auth *auth = auth_of(&spec, &server, NULL, NULL);
        assert_token(auth, &server, "Bearer t1");
        if (!str_starts(server.body, str_from(CASES[i].begins))) fail_msg("%s", server.body.data);
        auth_free(auth);
        arena_release(&server.arena);
    }
}

static void test_a_signed_token_is_renewed_before_it_ends(void **state)
{
    (void)state;
    struct server server;
    struct auth_credentials first, second;
    struct err err = ERR_INIT;
    const struct auth_spec spec = {
        .kind = AUTH_JWT,
        .prefix = STR("Ghost"),
        .jwt = {.algorithm = STR("HS256"), .key = STR("secret"), .key_place = "key", .lifetime_ms = 300000}};
    server_init(&server, "");
    struct auth *auth = auth_of(&spec, &server, NULL, NULL);
    assert_int_equal(ask(auth, &server, &first, &err), 0);
    assert_true(str_starts(first.header.value, STR("Ghost eyJ")));
    clock_fake_advance(&server.fake, 209999);
    assert_int_equal(ask(auth, &server, &second, &err), 0);
    assert_true(str_equal(first.header.value, second.header.value));
    clock_fake_advance(&server.fake, 1);
    assert_int_equal(ask(auth, &server, &second, &err), 0);
    assert_false(str_equal(first.header.value, second.header.value));
    assert_int_equal(server.calls, 0);
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_a_signed_token_is_exchanged(void **state)
{
    (void)state;
    struct server server;
    const struct auth_spec spec = {
        .kind = AUTH_JWT,
        .prefix = STR("Bearer"),
        .exchange = {"https://api.test/app/installations/7/access_tokens", "installation.token"},
        .jwt = {.algorithm = STR("RS256"), .key = str_from(JOSE_RSA), .key_place = "key", .lifetime_ms = 300000}};
    server_init(&server, "{\"installation\":{\"token\":\"ghs_1\"},\"expires_at\":\"2027-01-15T09:00:00Z\"}");
    server.status = 201;
    struct auth *auth = auth_of(&spec, &server, NULL, NULL);
    assert_token(auth, &server, "Bearer ghs_1");
    assert_true(str_starts(str_from(sent_header(&server, "Authorization")), STR("Bearer eyJ")));
    assert_true(server.anonymous);
    clock_fake_advance(&server.fake, 3239999);
    assert_token(auth, &server, "Bearer ghs_1");
    assert_int_equal(server.calls, 1);
    clock_fake_advance(&server.fake, 1);
    assert_token(auth, &server, "Bearer ghs_1");
    assert_int_equal(server.calls, 2);
    auth_free(auth);
    arena_release(&server.arena);
}

/* --- how long a token lasts ---------------------------------------------------------------------- */

static void test_a_token_is_used_until_shortly_before_its_end(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int64_t good_ms; /* -1: until refused */
    } CASES[] = {
        {"{\"access_token\":\"t\",\"expires_in\":3600}", 3240000},
        {"{\"access_token\":\"t\",\"expires_in\":\"3600\"}", 3240000},
        {"{\"access_token\":\"t\",\"expires_in\":300}", 240000},
        {"{\"access_token\":\"t\",\"expires_in\":10}", 5000},
        {"{\"access_token\":\"t\"}", -1},
        {"{\"access_token\":\"t\",\"expires_in\":null}", -1},
        {"{\"access_token\":\"t\",\"expires_in\":\"soon\"}", -1},
        {"{\"access_token\":\"t\",\"expires_in\":0}", -1},
        {"{\"access_token\":\"t\",\"expires_in\":-5}", -1},
        {"{\"access_token\":\"t\",\"expires_in\":1e300}", 0x7fffffff},
        {"{\"access_token\":\"t\",\"expires_at\":\"2027-01-15T09:00:00Z\"}", 3240000},
        {"{\"access_token\":\"t\",\"expires_at\":\"2027-01-15T08:00:00Z\"}", -1},
        {"{\"access_token\":\"t\",\"expires_on\":\"1800003600\"}", 3240000},
        {"{\"access_token\":\"t\",\"expires_at\":1800003600000}", 3240000},
        {"{\"access_token\":\"t\",\"expires_in\":60,\"expires_at\":1800003600000}", 30000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        server_init(&server, CASES[i].answer);
        struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, NULL, NULL);
        assert_token(auth, &server, "Bearer t");
        clock_fake_advance(&server.fake, CASES[i].good_ms < 0 ? 1000LL * 3600 * 24 * 3650 : CASES[i].good_ms - 1);
        assert_token(auth, &server, "Bearer t");
        if (server.calls != 1) fail_msg("case %zu: %zu calls", i, server.calls);
        if (CASES[i].good_ms >= 0 && CASES[i].good_ms < 0x7fffffff) {
            clock_fake_advance(&server.fake, 1);
            assert_token(auth, &server, "Bearer t");
            assert_int_equal(server.calls, 2);
        }
        auth_free(auth);
        arena_release(&server.arena);
    }
}

static void test_a_token_that_ends_while_it_is_fetched_is_used_once(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "{\"access_token\":\"t\",\"expires_in\":1}");
    server.takes_ms = 5000;
    struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, NULL, NULL);
    assert_token(auth, &server, "Bearer t");
    assert_int_equal(server.calls, 1);
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_a_refused_token_is_replaced_once(void **state)
{
    (void)state;
    struct server server;
    struct auth_credentials first, second;
    struct err err = ERR_INIT;
    server_init(&server, "{\"access_token\":\"t1\"}");
    server.answers[1] = "{\"access_token\":\"t2\"}";
    struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, NULL, NULL);
    assert_int_equal(ask(auth, &server, &first, &err), 0);
    assert_true(auth_refused(auth, first.generation));
    assert_int_equal(ask(auth, &server, &second, &err), 0);
    assert_header(&second, "Authorization", "Bearer t2");
    /* Another thread learns late that the first one was refused: the second one stays. */
    assert_true(auth_refused(auth, first.generation));
    assert_token(auth, &server, "Bearer t2");
    assert_int_equal(server.calls, 2);
    auth_free(auth);
    arena_release(&server.arena);
}

/* --- refusals ------------------------------------------------------------------------------------ */

static void test_a_refusal_is_final(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *answer, *says, *hint;
    } CASES[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}", "invalid_grant: expired", "client id"},
        {400, "{\"status\":\"BAD_REFRESH_TOKEN\",\"message\":\"gone\"}", "BAD_REFRESH_TOKEN", "client id"},
        {401, "{\"error\":\"invalid_client\"}", "answered 401: invalid_client", "client secret"},
        {200, "{\"error\":\"bad_verification_code\"}", "bad_verification_code", "client"},
        {403, "<html>no\n  entry</html>", "answered 403: <html>no entry</html>", "client"},
        {400, "", "answered 400", "client"},
        {200, "{\"token\":\"x\"}", "without a token", "client"},
        {200, "{\"access_token\":\"\"}", "cannot use the token", ""},
        {200, "{\"access_token\":\"a\\r\\nX: y\"}", "cannot use the token", ""},
        {200, "{\"access_token\":5}", "without a token", "client"},
        {400, "[\"array\"]", "answered 400: [\"array\"]", "client"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        struct auth_credentials credentials;
        struct err err = ERR_INIT;
        server_init(&server, CASES[i].answer);
        server.status = CASES[i].status;
        struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, NULL, NULL);
        assert_int_equal(ask(auth, &server, &credentials, &err), ERR_AUTH);
        if (!strstr(err.message, CASES[i].says)) fail_msg("case %zu: %s", i, err.message);
        assert_non_null(strstr(err.hint, CASES[i].hint));
        assert_int_equal(ask(auth, &server, &credentials, &err), ERR_AUTH);
        assert_int_equal(server.calls, 1);
        assert_false(auth_refused(auth, 0));
        auth_free(auth);
        arena_release(&server.arena);
    }
}

static void test_other_failures_may_be_tried_again(void **state)
{
    (void)state;
    struct server server;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    server_init(&server, "{\"access_token\":\"t\"}");
    server.class = ERR_TRANSIENT;
    struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, NULL, NULL);
    assert_int_equal(ask(auth, &server, &credentials, &err), ERR_TRANSIENT);
    server.class = 0;
    server.answers[1] = "<html>";
    assert_int_equal(ask(auth, &server, &credentials, &err), ERR_TRANSIENT);
    server.answers[1] = "{\"error\":\"temporarily_unavailable\"}";
    server.status = 400;
    assert_int_equal(ask(auth, &server, &credentials, &err), ERR_TRANSIENT);
    server.status = 200;
    server.answers[1] = NULL;
    assert_token(auth, &server, "Bearer t");
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_messages_hold_no_secret(void **state)
{
    (void)state;
    struct server server;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    struct secrets *secrets = secrets_new();
    struct auth_spec spec = CLIENT_CREDENTIALS;
    spec.oauth2.client_secret = STR("top-secret-value");
    (void)secrets_add(secrets, "config.client_secret", spec.oauth2.client_secret);
    server_init(&server, "unknown secret top-secret-value");
    server.status = 401;
    struct auth *auth = auth_of(&spec, &server, secrets, NULL);
    assert_int_equal(ask(auth, &server, &credentials, &err), ERR_AUTH);
    assert_null(strstr(err.message, "top-secret-value"));
    assert_non_null(strstr(err.message, "unknown secret ***"));
    auth_free(auth);
    arena_release(&server.arena);
    secrets_free(secrets);
}

static void test_new_tokens_are_registered_for_redaction(void **state)
{
    (void)state;
    struct server server;
    struct secrets *secrets = secrets_new();
    struct buf out = BUF_INIT(1024);
    server_init(&server, "{\"access_token\":\"fresh-token-1\",\"refresh_token\":\"fresh-refresh\"}");
    struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, secrets, NULL);
    assert_token(auth, &server, "Bearer fresh-token-1");
    secrets_redact(secrets, STR("a fresh-token-1 b fresh-refresh"), &out);
    assert_string_equal(buf_text(&out), "a *** b ***");
    buf_release(&out);
    auth_free(auth);
    arena_release(&server.arena);
    secrets_free(secrets);
}

/* --- refresh tokens that change ------------------------------------------------------------------ */

struct memory_store {
    struct token_store store;
    struct server *server;
    char access[64], refresh[64], previous[64];
    int64_t renew_at_us;
    size_t saves;
    size_t calls_before_save[8]; /* of the token server */
    bool fails;
    int locked;
};

static int memory_lock(struct token_store *store, struct err *err)
{
    (void)err;
    assert_int_equal(((struct memory_store *)store)->locked++, 0);
    return 0;
}

static void memory_unlock(struct token_store *store)
{
    assert_int_equal(((struct memory_store *)store)->locked--, 1);
}

static int memory_load(struct token_store *store, struct tokens *tokens, struct err *err)
{
    struct memory_store *memory = (struct memory_store *)store;
    (void)err;
    assert_int_equal(memory->locked, 1);
    tokens_set(&tokens->access_token, str_from(memory->access));
    tokens_set(&tokens->refresh_token, str_from(memory->refresh));
    tokens_set(&tokens->previous, str_from(memory->previous));
    tokens->renew_at_us = memory->renew_at_us;
    return 0;
}

static int memory_save(struct token_store *store, const struct tokens *tokens, struct err *err)
{
    struct memory_store *memory = (struct memory_store *)store;
    assert_int_equal(memory->locked, 1);
    if (memory->fails) return err_set(err, ERR_CONFIG, "cannot write");
    snprintf(memory->access, sizeof memory->access, "%s", buf_text(&tokens->access_token));
    snprintf(memory->refresh, sizeof memory->refresh, "%s", buf_text(&tokens->refresh_token));
    snprintf(memory->previous, sizeof memory->previous, "%s", buf_text(&tokens->previous));
    memory->renew_at_us = tokens->renew_at_us;
    memory->calls_before_save[memory->saves++ % 8] = memory->server->calls;
    return 0;
}

static void memory_free(struct token_store *store)
{
    (void)store;
}

static void memory_init(struct memory_store *memory, struct server *server)
{
    *memory = (struct memory_store){.store = {memory_lock, memory_unlock, memory_load, memory_save, memory_free},
                                    .server = server,
                                    .renew_at_us = INT64_MAX};
}

static const struct auth_spec REFRESH = {
    .kind = AUTH_OAUTH2,
    .oauth2 = {.grant = AUTH_REFRESH_TOKEN, .token_url = "https://id.test/token", .refresh_token = {"r0", 2}},
};

static void test_a_rotated_refresh_token_is_stored_and_used(void **state)
{
    (void)state;
    struct server server;
    struct memory_store memory;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    server_init(&server, "{\"access_token\":\"t1\",\"refresh_token\":\"r1\"}");
    server.answers[1] = "{\"access_token\":\"t2\"}";
    memory_init(&memory, &server);
    struct auth *auth = auth_of(&REFRESH, &server, NULL, &memory.store);
    assert_int_equal(ask(auth, &server, &credentials, &err), 0);
    assert_string_equal(server.body.data, "grant_type=refresh_token&refresh_token=r0");
    assert_string_equal(memory.refresh, "r1");
    assert_int_equal(memory.saves, 2); /* once before the call: it must be possible */
    assert_int_equal(memory.calls_before_save[0], 0);
    assert_true(auth_refused(auth, credentials.generation));
    assert_token(auth, &server, "Bearer t2");
    assert_string_equal(server.body.data, "grant_type=refresh_token&refresh_token=r1");
    assert_string_equal(memory.refresh, "r1");
    auth_free(auth);

    /* The next run begins with the stored ones. */
    server.calls = 0;
    auth = auth_of(&REFRESH, &server, NULL, &memory.store);
    assert_int_equal(ask(auth, &server, &credentials, &err), 0);
    assert_header(&credentials, "Authorization", "Bearer t2");
    assert_int_equal(server.calls, 0);
    assert_true(auth_refused(auth, credentials.generation));
    assert_token(auth, &server, "Bearer t1");
    assert_string_equal(server.body.data, "grant_type=refresh_token&refresh_token=r1");
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_a_store_that_fails_keeps_the_old_token_alive(void **state)
{
    (void)state;
    struct server server;
    struct memory_store memory;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    server_init(&server, "{\"access_token\":\"t1\",\"refresh_token\":\"r1\"}");
    memory_init(&memory, &server);
    memory.fails = true;
    struct auth *auth = auth_of(&REFRESH, &server, NULL, &memory.store);
    assert_int_equal(ask(auth, &server, &credentials, &err), ERR_CONFIG);
    assert_int_equal(server.calls, 0);
    memory.fails = false;
    assert_token(auth, &server, "Bearer t1");
    auth_free(auth);
    arena_release(&server.arena);
}

/* Two processes with one credential, as two auths on one store: one call serves both, at the start and after a 401. */
static void test_who_shares_a_store_shares_its_tokens(void **state)
{
    (void)state;
    struct server server;
    struct memory_store memory;
    struct auth_credentials first, second;
    struct err err = ERR_INIT;
    server_init(&server, "{\"access_token\":\"t1\",\"refresh_token\":\"r1\",\"expires_in\":3600}");
    server.answers[1] = "{\"access_token\":\"t2\",\"refresh_token\":\"r2\"}";
    memory_init(&memory, &server);
    struct auth *one = auth_of(&REFRESH, &server, NULL, &memory.store);
    struct auth *other = auth_of(&REFRESH, &server, NULL, &memory.store);
    assert_int_equal(ask(one, &server, &first, &err), 0);
    assert_int_equal(ask(other, &server, &second, &err), 0);
    assert_header(&second, "Authorization", "Bearer t1");
    assert_int_equal(server.calls, 1);
    assert_true(auth_refused(one, first.generation));
    assert_true(auth_refused(other, second.generation));
    assert_token(one, &server, "Bearer t2");
    assert_token(other, &server, "Bearer t2");
    assert_int_equal(server.calls, 2);
    assert_string_equal(memory.refresh, "r2");
    assert_string_equal(memory.previous, "r1");
    auth_free(one);
    auth_free(other);

    /* A stored token that has ended is no answer. */
    memory.renew_at_us = clock_wall_us(&server.fake.clock);
    snprintf(memory.access, sizeof memory.access, "old");
    one = auth_of(&REFRESH, &server, NULL, &memory.store);
    assert_token(one, &server, "Bearer t2");
    assert_int_equal(server.calls, 3);
    auth_free(one);
    arena_release(&server.arena);
}

/* Answers by the refresh token that is shown: `live` alone is known. */
struct rotating {
    struct server server;
    const char *live;
};

static int answer_rotating(void *context, const struct http_request *request, struct arena *arena,
                           struct http_response *response, struct err *err)
{
    struct rotating *rotating = context;
    bool is_known = strstr(arena_text(arena, request->body), rotating->live) != NULL;
    rotating->server.status = is_known ? 200 : 400;
    rotating->server.answers[0] =
        is_known ? "{\"access_token\":\"t9\",\"refresh_token\":\"r9\"}" : "{\"error\":\"invalid_grant\"}";
    return answer(&rotating->server, request, arena, response, err);
}

static void test_the_refresh_token_before_the_newest_is_the_way_back(void **state)
{
    (void)state;
    struct rotating rotating = {.live = "r-before"};
    struct memory_store memory;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    server_init(&rotating.server, "");
    memory_init(&memory, &rotating.server);
    snprintf(memory.refresh, sizeof memory.refresh, "r-newest");
    snprintf(memory.previous, sizeof memory.previous, "r-before");
    struct auth *auth = auth_of(&REFRESH, &rotating.server, NULL, &memory.store);
    const struct auth_sender sender = {answer_rotating, &rotating};
    assert_int_equal(auth_credentials(auth, &sender, &rotating.server.arena, &credentials, &err), 0);
    assert_int_equal(rotating.server.calls, 2);
    assert_string_equal(memory.refresh, "r9");
    assert_string_equal(memory.previous, "r-before");
    auth_free(auth);

    rotating.live = "none of them";
    memory.access[0] = '\0';
    auth = auth_of(&REFRESH, &rotating.server, NULL, &memory.store);
    assert_int_equal(auth_credentials(auth, &sender, &rotating.server.arena, &credentials, &err), ERR_AUTH);
    assert_int_equal(rotating.server.calls, 4);
    assert_string_equal(memory.refresh, "r9");
    auth_free(auth);
    arena_release(&rotating.server.arena);
}

/* What nothing depends on need not be stored: the sync goes on. */
static void test_tokens_that_can_be_had_again_need_no_store(void **state)
{
    (void)state;
    struct server server;
    struct memory_store memory;
    server_init(&server, "{\"access_token\":\"t1\"}");
    memory_init(&memory, &server);
    memory.fails = true;
    struct auth *auth = auth_of(&CLIENT_CREDENTIALS, &server, NULL, &memory.store);
    assert_token(auth, &server, "Bearer t1");
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_one_refresh_token_is_one_credential(void **state)
{
    (void)state;
    char one[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];
    struct auth_spec spec = REFRESH;
    auth_identity(&REFRESH, one);
    spec.oauth2.scope = STR("read");
    auth_identity(&spec, other);
    assert_string_equal(one, other);
    spec.oauth2.refresh_token = STR("another login");
    auth_identity(&spec, other);
    assert_string_not_equal(one, other);
    spec = CLIENT_CREDENTIALS;
    auth_identity(&spec, one);
    spec.oauth2.scope = STR("read");
    auth_identity(&spec, other);
    assert_string_not_equal(one, other);
}

/* --- the store of files -------------------------------------------------------------------------- */

static void test_the_file_store_keeps_tokens(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct tokens tokens = TOKENS_INIT;
    struct clock_fake fake;
    struct err err = ERR_INIT;
    struct stat info;
    char *folder = NULL;
    clock_fake_init(&fake, WALL_US);
    assert_int_equal(fs_make_temp_folder(&arena, &folder, &err), 0);
    const char *path = arena_printf(&arena, "%s/tokens/shop.json", folder);
    struct token_store *store = token_store_file(path, &fake.clock, NULL);

    assert_int_equal(store->lock(store, &err), 0);
    assert_int_equal(store->load(store, &tokens, &err), 0);
    assert_int_equal(tokens.refresh_token.size, 0);
    tokens_set(&tokens.access_token, STR("access"));
    tokens_set(&tokens.refresh_token, STR("new \"token\""));
    tokens_set(&tokens.previous, STR("old"));
    tokens.renew_at_us = WALL_US + 5000;
    assert_int_equal(store->save(store, &tokens, &err), 0);
    tokens_release(&tokens);
    assert_int_equal(store->load(store, &tokens, &err), 0);
    assert_string_equal(buf_text(&tokens.access_token), "access");
    assert_string_equal(buf_text(&tokens.refresh_token), "new \"token\"");
    assert_string_equal(buf_text(&tokens.previous), "old");
    assert_int_equal(tokens.renew_at_us, WALL_US + 5000);

    /* Who comes second waits, and is told when that takes too long. */
    struct token_store *second = token_store_file(path, &fake.clock, NULL);
    assert_int_equal(second->lock(second, &err), ERR_TRANSIENT);
    assert_true(fake.slept_ms >= 60 * 1000);
    store->unlock(store);
    assert_int_equal(second->lock(second, &err), 0);
    second->free(second); /* lets go, too */
    assert_int_equal(store->lock(store, &err), 0);
    store->unlock(store);

    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(store->load(store, &tokens, &err), ERR_CONFIG);
    assert_int_equal(fs_write_file(path, 0600, STR("{\"refresh_token\":"), &err), 0);
    assert_int_equal(store->load(store, &tokens, &err), ERR_DATA);
    assert_non_null(strstr(err.message, path));
    store->free(store);
    assert_int_equal(fs_remove_tree(folder, "tokens", &err), 0);
    assert_int_equal(rmdir(folder), 0);
    tokens_release(&tokens);
    arena_release(&arena);
}

/* RFC 7636 B, and that a login says so. */
static void test_pkce(void **state)
{
    (void)state;
    static const struct auth_oauth2 OAUTH2 = {
        .client_id = {"c", 1}, .authorize_url = "https://id.test/authorize", .redirect_url = "http://127.0.0.1/callback"};
    struct arena arena = ARENA_INIT(0);
    struct buf challenge = BUF_INIT(128);
    struct authorization login;
    struct err err = ERR_INIT;
    authorize_challenge(STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), &challenge);
    assert_string_equal(buf_text(&challenge), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    buf_clear(&challenge);
    assert_int_equal(authorize_begin(&OAUTH2, 8400, &arena, &login, &err), 0);
    authorize_challenge(str_from(login.verifier), &challenge);
    assert_non_null(
        strstr(login.url, arena_printf(&arena, "&code_challenge=%s&code_challenge_method=S256", buf_text(&challenge))));
    assert_null(strstr(login.url, login.verifier));
    buf_release(&challenge);
    arena_release(&arena);
}

/* --- logins -------------------------------------------------------------------------------------- */

static const struct auth_spec SESSION = {.kind = AUTH_SESSION,
                                         .prefix = {"Bearer", 6},
                                         .name = {"Authorization", 13},
                                         .session = {.login_url = "https://h.test/login",
                                                     .method = "POST",
                                                     .body = {"{\"u\":\"me\",\"p\":\"pass-word\"}", 26},
                                                     .json = true,
                                                     .token = "data.token"}};

static void test_a_login_gives_a_token_for_all_requests(void **state)
{
    (void)state;
    struct server server;
    struct secrets *secrets = secrets_new();
    struct buf shown = BUF_INIT(1024);
    server_init(&server, "{\"data\":{\"token\":\"sess-12345\"},\"tenant\":\"t1\"}");
    struct auth_spec spec = SESSION;
    const struct auth_capture capture = {STR("tenant"), "tenant"};
    spec.captures = &capture;
    spec.capture_count = 1;
    struct auth *auth = auth_of(&spec, &server, secrets, NULL);
    assert_token(auth, &server, "Bearer sess-12345");
    assert_token(auth, &server, "Bearer sess-12345");
    assert_int_equal(server.calls, 1);
    assert_true(server.anonymous && server.keeps_redirects);
    assert_string_equal(server.method, "POST");
    assert_string_equal(server.body.data, "{\"u\":\"me\",\"p\":\"pass-word\"}");
    assert_string_equal(sent_header(&server, "Content-Type"), "application/json");
    assert_null(sent_header(&server, "Authorization"));
    auth_fact(auth, STR("tenant"), &shown);
    assert_string_equal(buf_text(&shown), "t1");
    buf_clear(&shown);
    secrets_redact(secrets, STR("it is sess-12345"), &shown);
    assert_string_equal(buf_text(&shown), "it is ***");
    assert_string_equal(auth_kind_name(auth), "session");
    auth_free(auth);
    buf_release(&shown);
    secrets_free(secrets);
    arena_release(&server.arena);
}

static void test_a_refused_session_logs_in_again(void **state)
{
    (void)state;
    struct server server;
    struct auth_credentials credentials;
    struct err err = ERR_INIT;
    server_init(&server, "{\"data\":{\"token\":\"one\"}}");
    server.answers[1] = "{\"data\":{\"token\":\"two\"}}";
    struct auth *auth = auth_of(&SESSION, &server, NULL, NULL);
    assert_int_equal(ask(auth, &server, &credentials, &err), 0);
    clock_fake_advance(&server.fake, 365LL * 24 * 3600 * 1000);
    assert_token(auth, &server, "Bearer one"); /* nobody said when it ends */
    assert_true(auth_refused(auth, credentials.generation));
    assert_token(auth, &server, "Bearer two");
    assert_true(auth_refused(auth, credentials.generation));
    assert_token(auth, &server, "Bearer two"); /* what was refused is another one */
    assert_int_equal(server.calls, 2);
    auth_free(auth);
    arena_release(&server.arena);
}

/* A server's word, and over it the connector's. */
static void test_a_session_ends_when_it_is_said_to(void **state)
{
    (void)state;
    static const struct {
        enum auth_source from;
        int64_t declared_ms;
        const char *cookie;
        int64_t lives_s;
    } CASES[] = {
        {AUTH_FROM_BODY, 0, NULL, 1000},
        {AUTH_FROM_BODY, 600000, NULL, 600},
        {AUTH_FROM_COOKIE, 0, "sid=a; Path=/; max-age=500", 500},
        {AUTH_FROM_COOKIE, 0, "sid=a; Max-Age=x; Expires=Wed, 09 Jun 2021 10:18:14 GMT", 1000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        struct auth_spec spec = SESSION;
        struct auth_credentials credentials;
        struct err err = ERR_INIT;
        server_init(&server, "{\"sid\":\"a\",\"expires_in\":1000}");
        if (CASES[i].cookie)
            server.came[server.came_count++] = (struct http_header){STR("set-cookie"), str_from(CASES[i].cookie)};
        spec.session.from = CASES[i].from;
        spec.session.token = "sid";
        spec.session.lifetime_ms = CASES[i].declared_ms;
        struct auth *auth = auth_of(&spec, &server, NULL, NULL);
        assert_int_equal(ask(auth, &server, &credentials, &err), 0);
        clock_fake_advance(&server.fake, CASES[i].lives_s * 1000 - 150 * 1000);
        assert_int_equal(ask(auth, &server, &credentials, &err), 0);
        assert_int_equal(server.calls, 1);
        clock_fake_advance(&server.fake, 120 * 1000);
        assert_int_equal(ask(auth, &server, &credentials, &err), 0);
        if (server.calls != 2) fail_msg("case %zu: the session outlives its end", i);
        auth_free(auth);
        arena_release(&server.arena);
    }
}

static void test_where_a_session_comes_from_and_goes_to(void **state)
{
    (void)state;
    static const struct http_header CAME[] = {
        {{"x-auth-token", 12}, {" tok-1 ", 7}},
        {{"authorization", 13}, {"Bearer from-login", 17}},
        {{"set-cookie", 10}, {"sid=old; Path=/", 15}},
        {{"set-cookie", 10}, {"sidecar=1", 9}},
        {{"set-cookie", 10}, {" sid =\"a=b/+\"; HttpOnly", 23}},
        {{"set-cookie", 10}, {"gone=x; Max-Age=0", 17}},
    };
    static const struct {
        enum auth_source from;
        const char *token;
        enum auth_place into;
        const char *name, *prefix, *value; /* NULL: refused */
    } CASES[] = {
        {AUTH_FROM_HEADER, "X-Auth-Token", AUTH_IN_HEADER, "X-Auth-Token", "", "tok-1"},
        {AUTH_FROM_HEADER, "X-Auth-Token", AUTH_IN_QUERY, "token", "", "tok-1"},
        {AUTH_FROM_HEADER, "Authorization", AUTH_IN_HEADER, "Authorization", "", "Bearer from-login"},
        {AUTH_FROM_HEADER, "Authorization", AUTH_IN_COOKIE, "a", "", NULL},
        {AUTH_FROM_COOKIE, "sid", AUTH_IN_COOKIE, "sid", "", "\"a=b/+\""},
        {AUTH_FROM_COOKIE, "sid", AUTH_IN_HEADER, "X-Sid", "Sid", "Sid \"a=b/+\""},
        {AUTH_FROM_COOKIE, "SID", AUTH_IN_COOKIE, "sid", "", NULL},
        {AUTH_FROM_COOKIE, "gone", AUTH_IN_COOKIE, "gone", "", NULL},
        {AUTH_FROM_HEADER, "X-None", AUTH_IN_HEADER, "X-None", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        struct auth_spec spec = SESSION;
        struct auth_credentials credentials;
        struct err err = ERR_INIT;
        server_init(&server, "<html>welcome</html>");
        server.status = 302;
        memcpy(server.came, CAME, sizeof CAME);
        server.came_count = ARRAY_SIZE(CAME);
        spec.session.from = CASES[i].from;
        spec.session.token = CASES[i].token;
        spec.into = CASES[i].into;
        spec.name = str_from(CASES[i].name);
        spec.prefix = str_from(CASES[i].prefix);
        struct auth *auth = auth_of(&spec, &server, NULL, NULL);
        int rc = ask(auth, &server, &credentials, &err);
        if ((rc == 0) != (CASES[i].value != NULL)) fail_msg("case %zu: %d %s", i, rc, err.message);
        struct str got = spec.into == AUTH_IN_HEADER  ? credentials.header.value
                         : spec.into == AUTH_IN_QUERY ? credentials.param.value
                                                      : credentials.cookie.value;
        if (rc == 0 && !str_equal(got, str_from(CASES[i].value))) fail_msg("case %zu: '" STR_FMT "'", i, STR_ARG(got));
        if (rc != 0) assert_int_equal(rc, ERR_AUTH);
        auth_free(auth);
        arena_release(&server.arena);
    }
}

static void test_a_login_that_gives_no_token_is_final(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *answer, *says;
    } CASES[] = {
        {200, "<html><form action=login>", "answered 200 without a token at 'data.token'; it is no JSON object but text/html"},
        {200, "", "it is no JSON object but text/html"},
        {200, "[]", "it is no JSON object"},
        {200, "{}", "it has no members"},
        {200, "{\"access\":\"SEKRIT\",\"user\":1}", "it has access, user"},
        {200, "{\"data\":{\"token\":\"\"}}", "it has data"},
        {200, "{\"data\":{\"token\":null}}", "it has data"},
        {200, "{\"data\":{\"token\":{\"a\":1}}}", "it has data"},
        {200, "{\"data\":{\"token\":\"a\\r\\nX-Evil: 1\"}}", "characters that cannot be sent back"},
        {200, "{\"data\":{\"token\":\"\\u017elu\"}}", "characters that cannot be sent back"},
        {204, "", "answered 204 without"},
        {302, "", "answered 302 without"},
        {401, "wrong password: pass-word", "cannot log in: POST https://h.test/login answered 401: wrong password: ***"},
        {403, "{\"data\":{\"token\":\"t\"}}", "answered 403"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct server server;
        struct auth_credentials credentials;
        struct err err = ERR_INIT;
        struct secrets *secrets = secrets_new();
        (void)secrets_add(secrets, "config.password", STR("pass-word"));
        server_init(&server, CASES[i].answer);
        server.status = CASES[i].status;
        server.came[server.came_count++] = (struct http_header){STR("content-type"), STR("text/html")};
        struct auth *auth = auth_of(&SESSION, &server, secrets, NULL);
        assert_int_equal(ask(auth, &server, &credentials, &err), ERR_AUTH);
        if (!strstr(err.message, CASES[i].says)) fail_msg("case %zu: %s", i, err.message);
        assert_null(strstr(err.message, "SEKRIT"));
        assert_null(strstr(err.message, "Evil"));
        assert_int_equal(ask(auth, &server, &credentials, &err), ERR_AUTH);
        assert_int_equal(server.calls, 1); /* accounts are locked by tries */
        auth_free(auth);
        secrets_free(secrets);
        arena_release(&server.arena);
    }
}

static void test_a_login_by_basic_authentication_and_headers(void **state)
{
    (void)state;
    static const struct auth_pair HEADERS[] = {{{"X-Api", 5}, {"2", 1}}, {{"accept", 6}, {"x/y", 3}}};
    struct server server;
    struct auth_spec spec = SESSION;
    server_init(&server, "{\"data\":{\"token\":\"t\"}}");
    spec.session.body = STR("");
    spec.session.username = STR("Aladdin");
    spec.session.password = STR("open sesame");
    spec.session.headers = HEADERS;
    spec.session.header_count = 2;
    struct auth *auth = auth_of(&spec, &server, NULL, NULL);
    assert_token(auth, &server, "Bearer t");
    assert_string_equal(sent_header(&server, "Authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_string_equal(sent_header(&server, "Accept"), "x/y");
    assert_string_equal(sent_header(&server, "X-Api"), "2");
    assert_null(sent_header(&server, "Content-Type"));
    auth_free(auth);
    arena_release(&server.arena);
}

static void test_each_login_has_a_name_of_its_own(void **state)
{
    (void)state;
    char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];
    struct auth_spec other = SESSION;
    auth_identity(&SESSION, one);
    auth_identity(&other, two);
    assert_string_equal(one, two);
    other.session.body = STR("{\"u\":\"you\"}");
    auth_identity(&other, two);
    assert_string_not_equal(one, two);
    other = SESSION;
    other.session.password = STR("p");
    auth_identity(&other, two);
    assert_string_not_equal(one, two);
    assert_true(auth_keeps_tokens(&SESSION));
}

UNIT_TESTS(cmocka_unit_test(test_fixed_credentials), cmocka_unit_test(test_none_carries_nothing),
           cmocka_unit_test(test_sigv4_signs_as_published), cmocka_unit_test(test_refuses_specs_that_cannot_work),
           cmocka_unit_test(test_client_credentials_in_a_form), cmocka_unit_test(test_client_credentials_as_json_and_basic),
           cmocka_unit_test(test_signs_the_token_call), cmocka_unit_test(test_the_password_grant),
           cmocka_unit_test(test_assertions), cmocka_unit_test(test_a_signed_token_is_renewed_before_it_ends),
           cmocka_unit_test(test_a_signed_token_is_exchanged),
           cmocka_unit_test(test_a_token_is_used_until_shortly_before_its_end),
           cmocka_unit_test(test_a_token_that_ends_while_it_is_fetched_is_used_once),
           cmocka_unit_test(test_a_refused_token_is_replaced_once), cmocka_unit_test(test_a_refusal_is_final),
           cmocka_unit_test(test_other_failures_may_be_tried_again), cmocka_unit_test(test_messages_hold_no_secret),
           cmocka_unit_test(test_new_tokens_are_registered_for_redaction),
           cmocka_unit_test(test_a_rotated_refresh_token_is_stored_and_used),
           cmocka_unit_test(test_a_store_that_fails_keeps_the_old_token_alive),
           cmocka_unit_test(test_who_shares_a_store_shares_its_tokens),
           cmocka_unit_test(test_the_refresh_token_before_the_newest_is_the_way_back),
           cmocka_unit_test(test_tokens_that_can_be_had_again_need_no_store),
           cmocka_unit_test(test_one_refresh_token_is_one_credential), cmocka_unit_test(test_the_file_store_keeps_tokens),
           cmocka_unit_test(test_pkce), cmocka_unit_test(test_a_login_gives_a_token_for_all_requests),
           cmocka_unit_test(test_a_refused_session_logs_in_again), cmocka_unit_test(test_a_session_ends_when_it_is_said_to),
           cmocka_unit_test(test_where_a_session_comes_from_and_goes_to),
           cmocka_unit_test(test_a_login_that_gives_no_token_is_final),
           cmocka_unit_test(test_a_login_by_basic_authentication_and_headers),
           cmocka_unit_test(test_each_login_has_a_name_of_its_own))
