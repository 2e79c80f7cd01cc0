/* Where requests may go and what they carry: allowed hosts and addresses, redirects, credentials. */
#include "client_bench.h"

#include "net/auth.h"
#include "net/limit.h"
#include "net/url.h"
#include "os/thread.h"

/* --- where requests may go ----------------------------------------------------------------------- */

static int try_url(struct bench *bench, const char *url)
{
    return bench_send(bench, &(struct http_request){.method = "GET", .url = url});
}

static void test_other_hosts_and_schemes_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"https://elsewhere.test/", "http://127.0.0.1:1/", "ftp://127.0.0.1/x",
                                      "file:///etc/passwd", "not a url"};
    struct bench *bench = bench_new();
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        int rc = try_url(bench, BAD[i]);
        assert_true(rc == ERR_PERMISSION || rc == ERR_CONFIG);
        assert_int_equal(client_allows(bench->client, BAD[i], &bench->err), rc);
    }
    assert_int_equal(client_allows(bench->client, scripted_url(&bench->server, "/x"), &bench->err), 0);
    assert_int_equal(client_counters(bench->client)->requests, 0);
    bench_end(bench);
}

static void test_private_addresses_are_refused_at_the_socket(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char spelled[64];
    bench->options.allow_private = false;
    bench->hosts[1] = "localhost";
    assert_int_equal(bench_get(bench, "/x"), ERR_PERMISSION);
    assert_says(bench, "loopback");
    snprintf(spelled, sizeof spelled, "http://2130706433:%d/x", bench->server.port);
    assert_int_equal(try_url(bench, spelled), ERR_PERMISSION);
    snprintf(spelled, sizeof spelled, "http://localhost:%d/x", bench->server.port);
    assert_int_equal(try_url(bench, spelled), ERR_PERMISSION);
    assert_says(bench, "loopback");
    bench_close(bench);
    assert_int_equal(bench->server.connection_count, 0);
    bench_free(bench);
}

static void test_a_metadata_address_is_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    bench->options.allow_private = false;
    bench->hosts[1] = "169.254.169.254";
    assert_int_equal(try_url(bench, "http://169.254.169.254/latest/meta-data/"), ERR_PERMISSION);
    assert_says(bench, "link-local");
    bench_end(bench);
}

static void test_what_would_break_a_request_is_not_sent(void **state)
{
    (void)state;
    static const struct http_header BAD[] = {
        {{"X-A", 3}, {"b\r\nX-C: d", 9}},
        {{"X-A", 3}, {"b\nc", 3}},
        {{"X-A", 3}, {"b\0c", 3}},
        {{"X-A", 3}, {"b\x7f", 2}},
        {{"X A", 3}, {"b", 1}},
        {{"X\r\nA", 4}, {"b", 1}},
        {{"", 0}, {"b", 1}},
        {{"X:A", 3}, {"b", 1}},
        {{"host", 4}, {"evil.test", 9}},
        {{"Content-Length", 14}, {"5", 1}},
        {{"Accept-Encoding", 15}, {"br", 2}},
    };
    struct bench *bench = bench_new();
    const char *url = scripted_url(&bench->server, "/x");
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        const struct http_request request = {.method = "GET", .url = url, .headers = &BAD[i], .header_count = 1};
        if (bench_send(bench, &request) != ERR_CONFIG) fail_msg("header %zu is sent", i);
    }
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "GET X", .url = url}), ERR_CONFIG);
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "", .url = url}), ERR_CONFIG);
    assert_int_equal(bench_get(bench, "/x\r\nX-B: c"), ERR_CONFIG);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 0);
    bench_free(bench);
}

/* --- redirects ----------------------------------------------------------------------------------- */

static struct auth *auth_of(struct bench *bench, const struct auth_spec *spec)
{
    const struct auth_options options = {.clock = &bench->fake.clock, .secrets = bench->secrets};
    struct auth *auth = NULL;
    assert_int_equal(auth_new(spec, &options, &auth, &bench->err), 0);
    return auth;
}

static const struct auth_spec BEARER = {.kind = AUTH_BEARER, .token = {"secret-token", 12}, .prefix = {"Bearer", 6}};
static const struct auth_spec API_KEY = {.kind = AUTH_API_KEY, .key = {"secret-key", 10}, .name = {"X-Api-Key", 9}};
static const struct auth_spec QUERY_KEY = {
    .kind = AUTH_API_KEY, .key = {"secret key", 10}, .name = {"k", 1}, .into = AUTH_IN_QUERY};

static const struct auth_spec COOKIE_KEY = {
    .kind = AUTH_API_KEY, .key = {"secret;\xc3\xa9,%2F=", 14}, .name = {"k", 1}, .into = AUTH_IN_COOKIE};

static const char *redirect_to(char *text, size_t size, int status, const char *location)
{
    snprintf(text, size, "HTTP/1.1 %d Away\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, location);
    return text;
}

static void test_a_redirect_within_the_origin_keeps_credentials(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char text[256];
    bench->options.auth = auth_of(bench, &BEARER);
    const struct http_header own = {STR("X-Own"), STR("1")};
    scripted_say(&bench->server, redirect_to(text, sizeof text, 302, "../b?page=2#top"));
    scripted_say(&bench->server, OK_JSON);
    const struct http_request request = {
        .method = "GET", .url = scripted_url(&bench->server, "/v1/a"), .headers = &own, .header_count = 1};
    assert_int_equal(bench_send(bench, &request), 0);
    assert_true(str_ends(str_from(bench->response.url), STR("/b?page=2")));
    bench_close(bench);
    assert_true(was_sent(&bench->server, 1, "GET /b?page=2 "));
    assert_true(was_sent(&bench->server, 1, "Authorization: Bearer secret-token"));
    assert_true(was_sent(&bench->server, 1, "X-Own: 1"));
    bench_free(bench);
}

static void test_a_redirect_to_another_origin_loses_credentials(void **state)
{
    (void)state;
    const struct auth_spec *const SPECS[] = {&BEARER, &API_KEY, &QUERY_KEY, &COOKIE_KEY};
    const struct http_header own[] = {{STR("X-Api-Key"), STR("another")},
                                      {STR("Cookie"), STR("c=1")},
                                      {STR("Authorization"), STR("mine")},
                                      {STR("Accept"), STR("text/csv")}};
    for (size_t i = 0; i < ARRAY_SIZE(SPECS); i++) {
        struct bench *bench = bench_new();
        char away[256], back[256];
        bench->options.auth = auth_of(bench, SPECS[i]);
        scripted_say(&bench->server, redirect_to(away, sizeof away, 302, scripted_url(&bench->other, "/b")));
        scripted_say(&bench->other, redirect_to(back, sizeof back, 307, scripted_url(&bench->server, "/c")));
        scripted_say(&bench->server, OK_JSON);
        const struct http_request request = {
            .method = "GET", .url = scripted_url(&bench->server, "/a"), .headers = own, .header_count = 4};
        if (bench_send(bench, &request) != 0) fail_msg("%s", bench->err.message);
        bench_close(bench);
        assert_true(was_sent(&bench->server, 0,
                             i == 0   ? "Bearer secret-token"
                             : i == 1 ? "X-Api-Key: secret-key"
                             : i == 2 ? "/a?k=secret%20key "
                                      : "Cookie: c=1; k=secret%3B%C3%A9%2C%2F=\r\n"));
        static const char *const NEVER[] = {"secret", "X-Api-Key", "Cookie", "Authorization"};
        for (size_t j = 0; j < ARRAY_SIZE(NEVER); j++) {
            assert_false(was_sent(&bench->other, 0, NEVER[j]));
            assert_false(was_sent(&bench->server, 1, NEVER[j])); /* nor on the way back */
        }
        assert_true(was_sent(&bench->other, 0, "Accept: text/csv"));
        bench_free(bench);
    }
}

static void test_redirects_that_are_not_followed(void **state)
{
    (void)state;
    static const struct {
        const char *location;
        int class;
    } CASES[] = {
        {"ftp://127.0.0.1/x", ERR_PERMISSION},
        {"https://elsewhere.test/x", ERR_PERMISSION},
        {"http://169.254.169.254/latest", ERR_PERMISSION},
        {"file:///etc/passwd", ERR_PERMISSION},
        {"http://user:pw@127.0.0.1/", ERR_PERMISSION},
        {"//elsewhere.test/x", ERR_PERMISSION},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct bench *bench = bench_new();
        char text[256];
        scripted_say(&bench->server, redirect_to(text, sizeof text, 302, CASES[i].location));
        int rc = bench_get(bench, "/x");
        if (rc != CASES[i].class) fail_msg("%s: %d %s", CASES[i].location, rc, bench->err.message);
        assert_int_equal(client_counters(bench->client)->requests, 1);
        bench_end(bench);
    }
}

static void test_redirects_in_circles_end(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char text[256];
    scripted_answer(&bench->server, (struct scripted_answer){.text = redirect_to(text, sizeof text, 302, "/x"), .again = true});
    assert_int_equal(bench_get(bench, "/x"), ERR_SOURCE);
    assert_says(bench, "more than 5 redirects");
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 6);
    bench_free(bench);
}

static void test_what_a_redirect_makes_of_a_post(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *method, *follows;
        bool keeps_body;
    } CASES[] = {
        {301, "POST", "GET /b ", false}, {302, "POST", "GET /b ", false}, {303, "POST", "GET /b ", false},
        {307, "POST", "POST /b ", true}, {308, "POST", "POST /b ", true}, {302, "PUT", "PUT /b ", true},
        {303, "PUT", "GET /b ", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct bench *bench = bench_new();
        char text[256];
        const struct http_header type = {STR("Content-Type"), STR("text/plain")};
        scripted_say(&bench->server, redirect_to(text, sizeof text, CASES[i].status, "/b"));
        scripted_say(&bench->server, OK_JSON);
        const struct http_request request = {.method = CASES[i].method,
                                             .url = scripted_url(&bench->server, "/a"),
                                             .headers = &type,
                                             .header_count = 1,
                                             .body = STR("payload")};
        assert_int_equal(bench_send(bench, &request), 0);
        bench_close(bench);
        assert_true(was_sent(&bench->server, 1, CASES[i].follows));
        assert_int_equal(was_sent(&bench->server, 1, "payload"), CASES[i].keeps_body);
        assert_int_equal(was_sent(&bench->server, 1, "Content-Type"), CASES[i].keeps_body);
        bench_free(bench);
    }
}

static void test_a_body_does_not_go_to_another_origin(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char text[256];
    scripted_say(&bench->server, redirect_to(text, sizeof text, 307, scripted_url(&bench->other, "/b")));
    const struct http_request request = {
        .method = "POST", .url = scripted_url(&bench->server, "/a"), .body = STR("client_secret=x")};
    assert_int_equal(bench_send(bench, &request), ERR_PERMISSION);
    bench_close(bench);
    assert_int_equal(bench->other.connection_count, 0);
    bench_free(bench);
}

/* --- credentials --------------------------------------------------------------------------------- */

static void test_a_401_to_a_fixed_credential_is_final(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    bench->options.auth = auth_of(bench, &BEARER);
    scripted_say(&bench->server, UNAUTHORIZED);
    assert_int_equal(bench_get(bench, "/x"), ERR_AUTH);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 1);
    bench_free(bench);
}

static void test_a_key_in_the_query_is_not_shown(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    (void)secrets_add(bench->secrets, "config.key", STR("secret key"));
    bench->options.auth = auth_of(bench, &QUERY_KEY);
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, "HTTP/1.1 404 No\r\nContent-Length: 36\r\n\r\nno such thing: /x?k=secret%20key&p=1");
    assert_int_equal(bench_get(bench, "/x?p=1&k=old"), 0);
    assert_null(strstr(bench->response.url, "secret"));
    assert_int_equal(bench_get(bench, "/x?p=1"), ERR_SOURCE);
    assert_null(strstr(bench->err.message, "secret"));
    assert_says(bench, "/x?p=1: cannot be served: the source answered 404 Not Found: no such thing: /x?k=***&p=1");
    bench_close(bench);
    assert_true(was_sent(&bench->server, 0, "GET /x?p=1&k=secret%20key HTTP"));
    bench_free(bench);
}

static void test_a_key_in_a_cookie_goes_with_the_others(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    const struct http_header own[] = {
        {STR("Cookie"), STR("a=1; k=old;K=2")}, {STR("Accept"), STR("text/csv")}, {STR("cookie"), STR(";b; kk=3;")}};
    bench->options.auth = auth_of(bench, &COOKIE_KEY);
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, OK_JSON);
    const struct http_request request = {
        .method = "GET", .url = scripted_url(&bench->server, "/x"), .headers = own, .header_count = ARRAY_SIZE(own)};
    assert_int_equal(bench_send(bench, &request), 0);
    assert_int_equal(bench_get(bench, "/y"), 0);
    bench_close(bench);
    assert_true(was_sent(&bench->server, 0, "\r\nCookie: a=1; K=2; b; kk=3; k=secret%3B%C3%A9%2C%2F=\r\n"));
    assert_false(was_sent(&bench->server, 0, "Cookie: ;b")); /* one header for all */
    assert_true(was_sent(&bench->server, 1, "\r\nCookie: k=secret%3B%C3%A9%2C%2F=\r\n"));
    bench_free(bench);
}

static void test_a_key_too_long_for_a_url_is_not_cut(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    const size_t size = URL_MAX_BYTES;
    char *key = malloc(size);
    assert_non_null(key);
    memset(key, '&', size);
    const struct auth_spec spec = {.kind = AUTH_API_KEY, .key = {key, size}, .name = {"k", 1}, .into = AUTH_IN_QUERY};
    bench->options.auth = auth_of(bench, &spec);
    assert_int_equal(bench_get(bench, "/x"), ERR_CONFIG);
    assert_non_null(strstr(bench->err.message, "too long"));
    bench_close(bench);
    bench_free(bench);
    free(key);
}

static void test_sigv4_signs_each_hop(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char near[256], away[256];
    const struct auth_spec spec = {.kind = AUTH_SIGV4,
                                   .sigv4 = {.access_key = STR("AKID"),
                                             .secret_key = STR("s3cret-key"),
                                             .session_token = STR("TOK"),
                                             .region = STR("eu-west-1"),
                                             .service = STR("execute-api")}};
    bench->options.auth = auth_of(bench, &spec);
    scripted_say(&bench->server, redirect_to(near, sizeof near, 302, "/b"));
    scripted_say(&bench->server, redirect_to(away, sizeof away, 302, scripted_url(&bench->other, "/c")));
    scripted_say(&bench->other, OK_JSON);
    assert_int_equal(bench_get(bench, "/a"), 0);
    bench_close(bench);
    for (size_t i = 0; i < 2; i++) {
        assert_true(was_sent(&bench->server, i, "Authorization: AWS4-HMAC-SHA256 Credential=AKID/"));
        assert_true(was_sent(&bench->server, i, "SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="));
        assert_true(was_sent(&bench->server, i, "X-Amz-Security-Token: TOK\r\n"));
        assert_false(was_sent(&bench->server, i, "s3cret"));
    }
    const char *first = strstr(bench->server.requests[0], "Signature="),
               *second = strstr(bench->server.requests[1], "Signature=");
    assert_int_not_equal(strncmp(first, second, 74), 0);
    assert_false(was_sent(&bench->other, 0, "AWS4"));
    assert_false(was_sent(&bench->other, 0, "X-Amz"));
    bench_free(bench);
}

static const struct auth_part SIGNED_AT[] = {{AUTH_PART_TIMESTAMP, {0}}};
static const struct auth_part SIGNED_TARGET[] = {{AUTH_PART_TARGET, {0}}};
static const struct auth_part SIGNED_HERE[] = {{AUTH_PART_SIGNATURE, {0}}};
static const struct auth_sign_field SIGNED_HEADERS[] = {{{"X-At", 4}, {SIGNED_AT, 1}}, {{"X-Target", 8}, {SIGNED_TARGET, 1}}};
static const struct auth_sign_field SIGNED_PARAMS[] = {{{"at", 2}, {SIGNED_AT, 1}}, {{"sig", 3}, {SIGNED_HERE, 1}}};
static const struct auth_spec HMAC = {.kind = AUTH_HMAC,
                                      .hmac = {.key = {"s3cret-key", 10},
                                               .message = {SIGNED_TARGET, 1},
                                               .hash = CRYPTO_SHA256,
                                               .headers = SIGNED_HEADERS,
                                               .header_count = 2,
                                               .params = SIGNED_PARAMS,
                                               .param_count = 2}};

static void test_declared_signatures_go_with_each_hop(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char near[256], away[256];
    bench->options.auth = auth_of(bench, &HMAC);
    scripted_say(&bench->server, redirect_to(near, sizeof near, 302, "/b?p=1"));
    scripted_say(&bench->server, redirect_to(away, sizeof away, 302, scripted_url(&bench->other, "/c")));
    scripted_say(&bench->other, OK_JSON);
    assert_int_equal(bench_get(bench, "/a"), 0);
    assert_null(strstr(bench->response.url, "sig="));
    bench_close(bench);
    assert_true(was_sent(&bench->server, 0, "GET /a?at=1800000000&sig="));
    assert_true(was_sent(&bench->server, 0, "X-Target: /a?at=1800000000\r\n"));
    assert_true(was_sent(&bench->server, 1, "GET /b?p=1&at=1800000000&sig="));
    assert_true(was_sent(&bench->server, 1, "X-At: 1800000000\r\n"));
    assert_false(was_sent(&bench->server, 1, "s3cret"));
    assert_false(was_sent(&bench->other, 0, "X-At"));
    assert_false(was_sent(&bench->other, 0, "sig="));
    bench_free(bench);
}

/* A source takes signatures for some minutes; a turn may be further away. */
static void test_a_request_is_signed_when_its_turn_has_come(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 600000};
    const struct limiter_options options = {.rules = &RULE, .rule_count = 1};
    bench->options.auth = auth_of(bench, &HMAC);
    assert_int_equal(limiter_new(&options, &bench->options.limiter, &bench->err), 0);
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/a"), 0);
    assert_int_equal(bench_get(bench, "/b"), 0);
    bench_close(bench);
    assert_true(was_sent(&bench->server, 0, "X-At: 1800000000\r\n"));
    assert_true(was_sent(&bench->server, 1, "X-At: 1800000"));
    const char *second = strstr(bench->server.requests[1], "X-At: ");
    assert_true(strtoll(second + 6, NULL, 10) >= 1800000600);
    bench_free(bench);
}

static void test_a_signature_too_long_for_a_url_is_final(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char *path = mem_zero(1, URL_MAX_BYTES);
    memset(path, 'a', URL_MAX_BYTES - 60);
    path[0] = '/';
    bench->options.auth = auth_of(bench, &HMAC);
    char *url = mem_zero(2, URL_MAX_BYTES);
    snprintf(url, 2 * (size_t)URL_MAX_BYTES, "%s%s", scripted_url(&bench->server, ""), path);
    assert_int_equal(try_url(bench, url), ERR_CONFIG);
    assert_non_null(strstr(bench->err.message, "too long"));
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 0);
    bench_free(bench);
    free(path);
    free(url);
}

static void test_anonymous_requests_carry_nothing(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    bench->options.auth = auth_of(bench, &BEARER);
    scripted_say(&bench->server, OK_JSON);
    const struct http_request request = {.method = "GET", .url = scripted_url(&bench->server, "/x"), .anonymous = true};
    assert_int_equal(bench_send(bench, &request), 0);
    bench_close(bench);
    assert_false(was_sent(&bench->server, 0, "Authorization"));
    bench_free(bench);
}

/* A source that gives out tokens at /token and wants the newest one everywhere else. */
struct token_source {
    pthread_mutex_t lock;
    int issued;       /* tokens so far */
    int refuse_first; /* tokens up to this one are refused with 401 */
    int status;       /* of the token call; 0: 200 */
    char answers[SCRIPTED_MAX][160];
    size_t used;
};

static struct scripted_answer serve_tokens(void *context, const char *request)
{
    struct token_source *source = context;
    struct scripted_answer answer = {0};
    pthread_mutex_lock(&source->lock);
    char *text = source->answers[source->used++ % SCRIPTED_MAX];
    const char *bearer = strcasestr(request, "Authorization: Bearer token-");
    if (strncmp(request, "POST /token ", 12) == 0) {
        char body[64];
        int size = snprintf(body, sizeof body, "{\"access_token\":\"token-%d\",\"expires_in\":\"3600\"}", ++source->issued);
        if (source->status) size = snprintf(body, sizeof body, "{\"error\":\"invalid_grant\"}");
        snprintf(text, 160, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", source->status ? source->status : 200, size, body);
        answer.text = text;
    } else if (!bearer || strtol(bearer + 28, NULL, 10) <= source->refuse_first) {
        answer.text = UNAUTHORIZED;
    } else {
        answer.text = OK_JSON;
    }
    pthread_mutex_unlock(&source->lock);
    return answer;
}

static void use_token_source(struct bench *bench, struct token_source *source)
{
    struct auth_spec spec = {.kind = AUTH_OAUTH2,
                             .oauth2 = {.grant = AUTH_CLIENT_CREDENTIALS, .client_id = STR("id"), .client_secret = STR("pw")}};
    spec.oauth2.token_url = scripted_url(&bench->server, "/token");
    pthread_mutex_init(&source->lock, NULL);
    bench->options.auth = auth_of(bench, &spec);
    bench->server.route = serve_tokens;
    bench->server.route_context = source;
}

static void test_an_ended_token_is_renewed(void **state)
{
    (void)state;
    struct token_source source = {.refuse_first = 1};
    struct bench *bench = bench_new();
    use_token_source(bench, &source);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench_get(bench, "/x"), 0);
    bench_close(bench);
    assert_int_equal(source.issued, 2);
    assert_int_equal(bench->server.request_count, 5); /* token, 401, token, 200, 200 */
    assert_false(was_sent(&bench->server, 0, "Authorization"));
    bench_free(bench);
}

static void test_a_second_401_counts(void **state)
{
    (void)state;
    struct token_source source = {.refuse_first = 1000};
    struct bench *bench = bench_new();
    use_token_source(bench, &source);
    assert_int_equal(bench_get(bench, "/x"), ERR_AUTH);
    assert_says(bench, "401 Unauthorized: expired");
    assert_non_null(strstr(bench->err.hint, "fresh token"));
    bench_close(bench);
    assert_int_equal(source.issued, 2);
    bench_free(bench);
}

static void test_a_revoked_grant_is_asked_for_once(void **state)
{
    (void)state;
    struct token_source source = {.status = 400};
    struct bench *bench = bench_new();
    use_token_source(bench, &source);
    for (int i = 0; i < 3; i++) assert_int_equal(bench_get(bench, "/x"), ERR_AUTH);
    assert_says(bench, "invalid_grant");
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 1);
    bench_free(bench);
}

static void test_a_token_call_that_fails_is_not_multiplied(void **state)
{
    (void)state;
    struct token_source source = {.status = 503};
    struct bench *bench = bench_new();
    use_token_source(bench, &source);
    assert_int_equal(bench_get(bench, "/x"), ERR_TRANSIENT);
    assert_says(bench, "token call: POST http://");
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 5);
    bench_free(bench);
}

struct fetcher {
    struct thread thread;
    struct client *client;
    const char *url;
    int rc;
};

static void fetch(void *context)
{
    struct fetcher *fetcher = context;
    struct session *session = session_new(fetcher->client);
    struct arena arena = ARENA_INIT(0);
    struct http_response response = {0};
    struct err err = ERR_INIT;
    const struct http_request request = {.method = "GET", .url = fetcher->url};
    for (int i = 0; i < 3 && fetcher->rc == 0; i++) {
        fetcher->rc = client_send(session, &request, &arena, &response, &err);
        http_response_release(&response);
    }
    arena_release(&arena);
    session_free(session);
}

static void fetch_with_threads(int refuse_first, int expected_tokens)
{
    enum { FETCHERS = 8 };
    struct token_source source = {.refuse_first = refuse_first};
    struct bench *bench = bench_new();
    struct fetcher fetchers[FETCHERS] = {0};
    use_token_source(bench, &source);
    bench_open(bench);
    for (size_t i = 0; i < FETCHERS; i++) {
        fetchers[i].client = bench->client;
        fetchers[i].url = scripted_url(&bench->server, "/x");
    }
    for (size_t i = 0; i < FETCHERS; i++)
        assert_int_equal(thread_start(&fetchers[i].thread, "fetch", fetch, &fetchers[i], 0, &bench->err), 0);
    for (size_t i = 0; i < FETCHERS; i++) thread_join(&fetchers[i].thread);
    for (size_t i = 0; i < FETCHERS; i++) assert_int_equal(fetchers[i].rc, 0);
    bench_close(bench);
    assert_int_equal(source.issued, expected_tokens);
    bench_free(bench);
}

static void test_many_threads_fetch_one_token(void **state)
{
    (void)state;
    fetch_with_threads(0, 1);
}

static void test_many_threads_renew_one_token(void **state)
{
    (void)state;
    fetch_with_threads(1, 2);
}

/* --- authorities --------------------------------------------------------------------------------- */

static void test_a_ca_file_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    static const char *const FILES[] = {"/dev/null", "/proc/self/no-such-file", "/proc/self", "/proc/self/status", ""};
    struct bench *bench = bench_new();
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        bench->options.ca_file = FILES[i];
        assert_int_equal(client_new(&bench->options, &bench->client, &bench->err), ERR_CONFIG);
        assert_says(bench, "network.ca_file");
        assert_says(bench, FILES[i]);
        assert_null(bench->client);
    }
    bench_end(bench);
}

UNIT_TESTS(cmocka_unit_test(test_a_ca_file_that_cannot_be_used_is_named),
           cmocka_unit_test(test_other_hosts_and_schemes_are_refused),
           cmocka_unit_test(test_private_addresses_are_refused_at_the_socket),
           cmocka_unit_test(test_a_metadata_address_is_refused), cmocka_unit_test(test_what_would_break_a_request_is_not_sent),
           cmocka_unit_test(test_a_redirect_within_the_origin_keeps_credentials),
           cmocka_unit_test(test_a_redirect_to_another_origin_loses_credentials),
           cmocka_unit_test(test_redirects_that_are_not_followed), cmocka_unit_test(test_redirects_in_circles_end),
           cmocka_unit_test(test_what_a_redirect_makes_of_a_post), cmocka_unit_test(test_a_body_does_not_go_to_another_origin),
           cmocka_unit_test(test_a_401_to_a_fixed_credential_is_final), cmocka_unit_test(test_a_key_in_the_query_is_not_shown),
           cmocka_unit_test(test_a_key_in_a_cookie_goes_with_the_others), cmocka_unit_test(test_sigv4_signs_each_hop),
           cmocka_unit_test(test_declared_signatures_go_with_each_hop),
           cmocka_unit_test(test_a_request_is_signed_when_its_turn_has_come),
           cmocka_unit_test(test_a_signature_too_long_for_a_url_is_final),
           cmocka_unit_test(test_a_key_too_long_for_a_url_is_not_cut), cmocka_unit_test(test_anonymous_requests_carry_nothing),
           cmocka_unit_test(test_an_ended_token_is_renewed), cmocka_unit_test(test_a_second_401_counts),
           cmocka_unit_test(test_a_revoked_grant_is_asked_for_once),
           cmocka_unit_test(test_a_token_call_that_fails_is_not_multiplied),
           cmocka_unit_test(test_many_threads_fetch_one_token), cmocka_unit_test(test_many_threads_renew_one_token))
