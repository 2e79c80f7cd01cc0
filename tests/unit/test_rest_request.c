/* Requests: URLs, parameters, headers, bodies, functions, secrets; and access of the whole connector. */
#include "rest_unit.h"

#include <unistd.h>

#include "net/limit.h"
#include "os/clock.h"
#include "os/fs.h"
#include "rest/access.h"
#include "rest/request.h"

/* One connector with one stream, ready to build requests. */
struct fixture {
    struct arena arena;
    const struct config *config;
    const struct description *description;
    struct guard *own;
    struct window_slice slice;
    struct request_source source;
    struct http_request request;
    struct err err;
};

static const char TABLE[] = "{\"base\":{\"default\":\"https://api.test/v1\"},\"key\":{\"secret\":true},\"account\":{},"
                            "\"limit\":{\"type\":\"integer\",\"default\":50}}";

static void setup(struct fixture *f, const char *http, const char *stream, const char *values)
{
    *f = (struct fixture){.arena = ARENA_INIT(0)};
    const char *json = arena_printf(&f->arena,
                                    "{\"name\":\"t\",\"version\":\"1\",\"config\":%s,\"http\":{\"base\":\"{{config.base}}\"%s},"
                                    "\"streams\":{\"s\":{%s}}}",
                                    TABLE, http, stream);
    f->description = description_of(&f->arena, json, values, &f->config);
    if (access_own(f->description, f->config, 0, &f->own, &f->err) != 0) fail_msg("%s", f->err.message);
    f->slice = (struct window_slice){"all", "2024-01-15T10:00:00Z", "2024-02-01T00:00:00Z"};
    f->source = (struct request_source){
        .description = f->description,
        .request = &f->description->streams[0].request,
        .stream = &f->description->streams[0],
        .config = f->config,
        .slice = &f->slice,
        .own = f->own,
        .now_us = instant("2024-02-01T00:00:00Z"),
    };
}

static void teardown(struct fixture *f)
{
    guard_free(f->own);
    arena_release(&f->arena);
}

static void build(struct fixture *f, const struct page_place *place)
{
    static const struct page_place FIRST = {.own_params = true};
    if (request_build(&f->source, place ? place : &FIRST, &f->arena, &f->request, &f->err) != 0) fail_msg("%s", f->err.message);
}

static int fails(struct fixture *f, const struct page_place *place)
{
    static const struct page_place FIRST = {.own_params = true};
    return request_build(&f->source, place ? place : &FIRST, &f->arena, &f->request, &f->err);
}

static const char *header(const struct fixture *f, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < f->request.header_count; i++)
        if (str_equal_nocase(f->request.headers[i].name, str_from(name))) {
            assert_null(value); /* no name twice */
            value = f->request.headers[i].value.data;
        }
    return value;
}

static void assert_body(const struct fixture *f, const char *expected)
{
    if (!str_equal(f->request.body, str_from(expected)))
        fail_msg("expected body %s, got " STR_FMT, expected, STR_ARG(f->request.body));
}

/* --- URLs --------------------------------------------------------------------------------------------------------------------
 */

static void test_the_first_request_of_the_shop(void **state)
{
    (void)state;
    struct fixture f = {.arena = ARENA_INIT(0)};
    const char *values = "{\"base_url\":\"https://shop.test/api/\",\"api_key\":\"s3cret-key\"}";
    f.description = description_of(&f.arena, SHOP_DESCRIPTION, values, &f.config);
    assert_int_equal(access_own(f.description, f.config, 0, &f.own, &f.err), 0);
    f.slice = (struct window_slice){"all", "2024-01-15T10:00:00Z", "2024-02-01T00:00:00Z"};
    f.source = (struct request_source){
        .description = f.description,
        .request = &f.description->streams[0].request,
        .stream = &f.description->streams[0],
        .config = f.config,
        .slice = &f.slice,
        .own = f.own,
    };
    build(&f, &(struct page_place){.own_params = true, .has_number = true, .number = 3});
    assert_string_equal(f.request.method, "GET");
    assert_string_equal(f.request.url, "https://shop.test/api/orders?updated_after=2024-01-15T10%3A00%3A00Z&limit=1000&page=3");
    assert_string_equal(header(&f, "accept"), "application/json");
    assert_false(f.request.anonymous);
    assert_int_equal(f.request.body.size, 0);
    teardown(&f);
}

static void test_how_paths_join(void **state)
{
    (void)state;
    static const struct {
        const char *base, *path, *expected;
    } CASES[] = {
        {"https://api.test", "/x", "https://api.test/x"},
        {"https://api.test/", "/x", "https://api.test/x"},
        {"https://api.test/v1", "/x", "https://api.test/v1/x"},
        {"https://api.test/v1/", "x", "https://api.test/v1/x"},
        {"https://api.test/v1", "", "https://api.test/v1"},
        {"https://api.test/v1", "?a=b", "https://api.test/v1?a=b"},
        {"https://api.test/v1", "/x y", "https://api.test/v1/x%20y"},
        {"https://api.test/v1", "/x#part", "https://api.test/v1/x"},
        {"https://api.test/v1", "https://other.test/z", "https://other.test/z"},
        {"http://127.0.0.1:8080/v1", "/x", "http://127.0.0.1:8080/v1/x"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fixture f;
        struct arena arena = ARENA_INIT(0);
        setup(&f, "", arena_printf(&arena, "\"path\":\"%s\"", CASES[i].path),
              arena_printf(&arena, "{\"base\":\"%s\"}", CASES[i].base));
        build(&f, NULL);
        assert_string_equal(f.request.url, CASES[i].expected);
        assert_int_equal(f.request.anonymous, i == 8);
        teardown(&f);
        arena_release(&arena);
    }
}

static void test_a_value_stays_in_its_segment(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "", "\"path\":\"/a/{{config.account}}/b\"", "{\"account\":\"x/../y?z=1#\"}");
    build(&f, NULL);
    assert_string_equal(f.request.url, "https://api.test/v1/a/x%2F..%2Fy%3Fz%3D1%23/b");
    teardown(&f);
    setup(&f, "", "\"path\":\"/a/{{config.account}}/b\"", "{\"account\":\"..\"}");
    assert_int_equal(fails(&f, NULL), ERR_CONFIG);
    assert_non_null(strstr(f.err.message, "holds '.' or '..'"));
    teardown(&f);
    setup(&f, "", "\"path\":\"/a/%2E%2e/b\"", "{}");
    assert_int_equal(fails(&f, NULL), ERR_CONFIG);
    teardown(&f);
}

static void test_later_parameters_replace_earlier_ones(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, ",\"params\":{\"v\":1,\"limit\":5,\"both\":\"http\"}",
          "\"path\":\"/x?keep=1&both=path&both=again\",\"params\":{\"both\":[\"a "
          "b\",\"c&d\"],\"none\":\"{{config.account}}\",\"null\":null,"
          "\"t\":true},\"pages\":{\"kind\":\"offset\",\"param\":\"offset\",\"size\":20,\"size_param\":\"limit\"}",
          "{}");
    build(&f, &(struct page_place){.own_params = true, .has_offset = true, .offset = 40});
    assert_string_equal(f.request.url, "https://api.test/v1/x?keep=1&v=1&both=a%20b&both=c%26d&t=true&limit=20&offset=40");
    teardown(&f);
}

static void test_the_cursor_goes_out_as_the_source_spells_it(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "",
          "\"path\":\"/"
          "x\",\"cursor\":{\"field\":\"at\",\"type\":\"timestamp\",\"format\":\"epoch\",\"param\":\"since\",\"until_param\":"
          "\"until\"}",
          "{}");
    build(&f, NULL);
    assert_string_equal(f.request.url, "https://api.test/v1/x?since=1705312800&until=1706745600");
    f.slice.from = ""; /* the beginning: nothing is sent */
    build(&f, NULL);
    assert_string_equal(f.request.url, "https://api.test/v1/x?until=1706745600");
    teardown(&f);
}

static void test_next_urls(void **state)
{
    (void)state;
    struct fixture f;
    struct page_place next = {.url = STR("https://api.test/v1/x?page=2&limit=9")};
    setup(&f, "", "\"path\":\"/x\",\"params\":{\"limit\":5,\"q\":\"z\"},\"pages\":{\"kind\":\"next_url\",\"next\":\"n\"}",
          "{}");
    build(&f, &next);
    assert_string_equal(f.request.url, "https://api.test/v1/x?page=2&limit=9");
    next.own_params = true;
    build(&f, &next);
    assert_string_equal(f.request.url, "https://api.test/v1/x?page=2&limit=5&q=z");
    teardown(&f);
}

static void test_a_token_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct page_place next = {.token = STR("a+/=&b")};
    setup(
        &f, "",
        "\"path\":\"/x\",\"params\":{\"q\":\"z\"},\"pages\":{\"kind\":\"cursor\",\"next\":\"n\",\"param\":\"after\",\"size\":7,"
        "\"size_param\":\"n\",\"keep_params\":false}",
        "{}");
    build(&f, &next);
    assert_string_equal(f.request.url, "https://api.test/v1/x?n=7&after=a%2B%2F%3D%26b");
    teardown(&f);
}

/* --- headers and bodies ----------------------------------------------------------------------------------------------- */

static void test_headers(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, ",\"headers\":{\"X-A\":\"http\",\"Accept\":\"text/csv\",\"X-None\":\"{{config.account}}\"}",
          "\"path\":\"/x\",\"headers\":{\"x-a\":\"stream {{config.key}}\",\"X-N\":5}", "{\"key\":\"hush-hush\"}");
    build(&f, NULL);
    assert_string_equal(header(&f, "X-A"), "stream hush-hush");
    assert_string_equal(header(&f, "Accept"), "text/csv");
    assert_string_equal(header(&f, "X-N"), "5");
    assert_null(header(&f, "X-None"));
    teardown(&f);
}

static void test_headers_that_cannot_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *headers, *account;
        int class;
    } CASES[] = {
        {"\"X-A\":\"{{config.account}}\"", "a\\r\\nX-B: c", ERR_CONFIG},
        {"\"X-A\":\"{{config.account}}\"", "a\\u0001", ERR_CONFIG},
        {"\"X A\":\"b\"", "a", ERR_CONFIG},
        {"\"X:A\":\"b\"", "a", ERR_CONFIG},
        {"\"host\":\"evil.test\"", "a", ERR_CONNECTOR},
        {"\"Content-Length\":\"5\"", "a", ERR_CONNECTOR},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fixture f;
        struct arena arena = ARENA_INIT(0);
        setup(&f, "", arena_printf(&arena, "\"path\":\"/x\",\"headers\":{%s}", CASES[i].headers),
              arena_printf(&arena, "{\"account\":\"%s\"}", CASES[i].account));
        assert_int_equal(fails(&f, NULL), CASES[i].class);
        assert_non_null(strstr(f.err.message, "streams.s: "));
        teardown(&f);
        arena_release(&arena);
    }
}

static void test_a_json_body(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "",
          "\"path\":\"/"
          "x\",\"method\":\"POST\",\"idempotent\":true,\"body\":{\"limit\":\"{{config.limit}}\",\"text\":\"{{config.limit | "
          "string}}\",\"none\":\"{{config.account}}\",\"big\":9007199254740993,\"$$f\":[1.50,null,true,{\"since\":\"{{cursor."
          "from}}\"}],"
          "\"s\":\"q\\\"\\u00e9\"},\"cursor\":{\"field\":\"at\",\"type\":\"timestamp\",\"format\":\"epoch_ms\"},"
          "\"pages\":{\"kind\":\"cursor\",\"next\":\"n\",\"param\":\"after\",\"size\":7,\"size_param\":\"size\",\"into\":"
          "\"body\"}",
          "{}");
    build(&f, &(struct page_place){.token = STR("123"), .own_params = true});
    assert_string_equal(f.request.method, "POST");
    assert_string_equal(f.request.url, "https://api.test/v1/x");
    assert_true(f.request.idempotent);
    assert_string_equal(header(&f, "Content-Type"), "application/json");
    assert_body(&f, "{\"limit\":50,\"text\":\"50\",\"big\":9007199254740993,\"$f\":[1.50,null,true,{\"since\":1705312800000}],"
                    "\"s\":\"q\\\"\xc3\xa9\",\"size\":7,\"after\":\"123\"}");
    teardown(&f);
}

/* GraphQL and searches have their variables somewhere inside of the body. */
static void test_parameters_go_into_a_json_body_by_path(void **state)
{
    (void)state;
    static const char STREAM[] =
        "\"path\":\"/graphql\",\"method\":\"POST\",\"idempotent\":true,\"body\":{\"query\":\"query($after:String){x{id}}\","
        "\"variables\":{\"after\":\"none\",\"kind\":1}},\"cursor\":{\"field\":\"at\",\"type\":\"timestamp\",\"param\":\"filter."
        "range"
        ".from\",\"into\":\"body\"},\"pages\":{\"kind\":\"cursor\",\"next\":\"n\",\"param\":\"variables.after\",\"size\":7,"
        "\"size_param\":\"variables.first\",\"into\":\"body\"}";
    struct fixture f;
    setup(&f, "", STREAM, "{}");
    for (int round = 0; round < 2; round++) { /* the description stays as it was */
        build(&f, &(struct page_place){.token = STR("c2"), .own_params = true});
        assert_body(&f, "{\"query\":\"query($after:String){x{id}}\",\"variables\":{\"after\":\"c2\",\"kind\":1,\"first\":7},"
                        "\"filter\":{\"range\":{\"from\":\"2024-01-15T10:00:00Z\"}}}");
    }
    teardown(&f);
}

static void test_form_and_raw_bodies(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "",
          "\"path\":\"/"
          "x\",\"method\":\"POST\",\"body_as\":\"form\",\"body\":{\"a\":\"1&2\",\"b\":[3,4],\"c\":\"{{config.account}}\"}",
          "{}");
    build(&f, NULL);
    assert_string_equal(header(&f, "Content-Type"), "application/x-www-form-urlencoded");
    assert_body(&f, "a=1%262&b=3&b=4");
    assert_false(f.request.idempotent);
    teardown(&f);
    setup(&f, "",
          "\"path\":\"/x\",\"method\":\"POST\",\"body_as\":\"raw\",\"body\":\"SELECT "
          "{{config.limit}}\",\"headers\":{\"content-type\":"
          "\"application/sql\"}",
          "{}");
    build(&f, NULL);
    assert_string_equal(header(&f, "Content-Type"), "application/sql");
    assert_body(&f, "SELECT 50");
    teardown(&f);
}

/* --- functions -------------------------------------------------------------------------------------------------------- */

struct canned {
    const char *result;
    const char *called;
    const char *context;
};

static int canned_value(void *context, const char *name, struct str context_json, struct str page, struct arena *arena,
                        struct str *result_json, struct err *err)
{
    struct canned *canned = context;
    (void)err;
    assert_int_equal(page.size, 0);
    canned->called = name;
    canned->context = arena_text(arena, context_json);
    *result_json = arena_copy(arena, str_from(canned->result));
    return 0;
}

/* A connector whose stream has a function at `key`, which gives `result`. */
static void setup_function(struct fixture *f, struct functions *functions, struct canned *canned, const char *key,
                           const char *result)
{
    struct arena arena = ARENA_INIT(0);
    *canned = (struct canned){.result = result};
    *functions = (struct functions){.context = canned, .value = canned_value};
    setup(f, "", arena_printf(&arena, "\"path\":\"/x\",\"method\":\"POST\",\"%s\":{\"$function\":\"streams.s.%s\"}", key, key),
          "{\"key\":\"hush-hush\"}");
    f->source.functions = functions;
    arena_release(&arena);
}

static void test_a_function_gives_parameters(void **state)
{
    (void)state;
    struct fixture f;
    struct canned canned;
    struct functions functions;
    setup_function(&f, &functions, &canned, "params", "{\"a\":\"{{config.key}}\",\"b\":[1,2],\"$$c\":true,\"d\":null}");
    build(&f, NULL);
    assert_string_equal(canned.called, "streams.s.params");
    assert_string_equal(f.request.url, "https://api.test/v1/x?a=%7B%7Bconfig.key%7D%7D&b=1&b=2&%24c=true");
    assert_string_equal(
        canned.context,
        "{\"config\":{\"base\":\"https://api.test/v1\",\"limit\":50},\"cursor\":{},\"now\":\"2024-02-01T00:00:00Z\","
        "\"page\":{},\"secrets\":[\"key\"],\"slice\":{\"from\":\"2024-01-15T10:00:00Z\",\"id\":\"all\",\"to\":"
        "\"2024-02-01T00:00:00Z\"}}");
    teardown(&f);
}

static void test_a_function_places_a_secret(void **state)
{
    (void)state;
    struct fixture f;
    struct canned canned;
    struct functions functions;
    setup_function(&f, &functions, &canned, "headers",
                   "{\"X-Auth\":{\"$parts\":[\"Token \",{\"$secret\":\"key\"},\"!\"]},\"X-Key\":{\"$secret\":\"key\"}}");
    build(&f, NULL);
    assert_string_equal(header(&f, "X-Auth"), "Token hush-hush!");
    assert_string_equal(header(&f, "X-Key"), "hush-hush");
    teardown(&f);
    setup_function(&f, &functions, &canned, "body", "{\"k\":{\"$secret\":\"key\"},\"n\":12345678901234567890}");
    build(&f, NULL);
    assert_body(&f, "{\"k\":\"hush-hush\",\"n\":12345678901234567890}");
    teardown(&f);
}

static void test_results_of_the_wrong_shape(void **state)
{
    (void)state;
    static const struct {
        const char *key, *result;
    } CASES[] = {
        {"params", "[1]"},
        {"params", "{\"a\":{\"b\":1}}"},
        {"params", "{\"a\":[[1]]}"},
        {"headers", "\"x\""},
        {"headers", "{\"a\":{\"$secret\":\"nothing\"}}"},
        {"headers", "{\"a\":{\"$secret\":\"account\"}}"}, /* an entry, but no secret */
        {"body", "{\"a\":{\"$parts\":\"x\"}}"},
        {"body", "{\"a\":{\"$parts\":[{\"b\":1}]}}"},
        {"body", "{\"$unknown\":1}"},
        {"body", "{\"a\":"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fixture f;
        struct canned canned;
        struct functions functions;
        setup_function(&f, &functions, &canned, CASES[i].key, CASES[i].result);
        assert_int_equal(fails(&f, NULL), ERR_CONNECTOR);
        teardown(&f);
    }
}

/* --- secrets and hosts ------------------------------------------------------------------------------------------------ */

static void test_a_secret_stays_with_the_connectors_own_hosts(void **state)
{
    (void)state;
    struct fixture f;
    struct page_place elsewhere = {.url = STR("https://evil.test/x")}, own = {.url = STR("https://files.test/x")};
    struct page_place port = {.url = STR("https://api.test:8443/x")}, number = {.url = STR("https://api.test.evil.test/x")};
    setup(&f, ",\"hosts\":[\"files.test\"]",
          "\"path\":\"/x\",\"headers\":{\"X-Key\":\"{{config.key}}\"},\"pages\":{\"kind\":\"next_url\",\"next\":\"n\"}",
          "{\"key\":\"hush-hush\"}");
    build(&f, &own);
    assert_false(f.request.anonymous);
    assert_int_equal(fails(&f, &elsewhere), ERR_PERMISSION);
    assert_null(strstr(f.err.message, "hush-hush"));
    assert_int_equal(fails(&f, &port), ERR_PERMISSION);
    assert_int_equal(fails(&f, &number), ERR_PERMISSION);
    teardown(&f);
}

static void test_other_hosts_get_no_credentials(void **state)
{
    (void)state;
    struct fixture f;
    struct page_place elsewhere = {.url = STR("https://cdn.test/x")};
    setup(&f, "", "\"path\":\"/x\",\"pages\":{\"kind\":\"next_url\",\"next\":\"n\"}", "{}");
    build(&f, &elsewhere);
    assert_true(f.request.anonymous);
    build(&f, NULL);
    assert_false(f.request.anonymous);
    teardown(&f);
}

static void test_bases_that_are_no_urls(void **state)
{
    (void)state;
    static const char *const BASES[] = {"api.test", "https://", "https://user:pass@api.test", ""};
    for (size_t i = 0; i < ARRAY_SIZE(BASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct guard *own = NULL;
        const struct config *config;
        const char *json = "{\"name\":\"t\",\"version\":\"1\",\"config\":{\"base\":{}},\"http\":{\"base\":\"{{config.base}}\"},"
                           "\"streams\":{\"s\":{\"path\":\"/\"}}}";
        const struct description *t =
            description_of(&arena, json, arena_printf(&arena, "{\"base\":\"%s\"}", BASES[i]), &config);
        assert_int_equal(access_own(t, config, 0, &own, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "http.base"));
        arena_release(&arena);
    }
}

static void test_what_the_client_may_do(void **state)
{
    (void)state;
    struct fixture f;
    struct client_options options = {0};
    static const char *const ALLOWED[] = {"cdn.test"};
    struct access_overrides overrides = {.allow_hosts = ALLOWED, .allow_host_count = 1, .allow_private = true};
    setup(&f, ",\"hosts\":[\"*.files.test\"],\"timeouts\":{\"first_byte\":\"5s\"},\"user_agent\":\"me/1\"", "\"path\":\"/x\"",
          "{\"base\":\"http://127.0.0.1:8080/v1\"}");
    assert_int_equal(access_client(f.description, f.config, &overrides, 0, &f.arena, &options, &f.err), 0);
    assert_int_equal(options.allowed_host_count, 3);
    assert_string_equal(options.allowed_hosts[0], "127.0.0.1:8080");
    assert_string_equal(options.allowed_hosts[1], "*.files.test");
    assert_string_equal(options.allowed_hosts[2], "cdn.test");
    assert_true(options.allow_http && options.allow_private);
    assert_int_equal(options.limits.first_byte_ms, 5000);
    assert_string_equal(options.user_agent, "me/1");
    assert_non_null(options.limiter);
    limiter_free(options.limiter);
    overrides.rate_limit = json_node(&f.arena, "{\"requests\":0}");
    assert_int_equal(access_client(f.description, f.config, &overrides, 0, &f.arena, &options, &f.err), ERR_CONFIG);
    teardown(&f);
}

/* A limiter for that configuration, which shares through `folder`; how long its next request waits. */
static int64_t wait_of_auth(const char *auth, const char *values, const char *folder, const char *rate_limit)
{
    struct fixture f;
    struct client_options options = {.clock = clock_system()};
    struct limiter_ticket ticket;
    const struct limiter_request asked = {"GET", "/v1/x", "items", 0};
    int rule;
    setup(&f, auth, "\"path\":\"/x\"", values);
    const struct access_overrides overrides = {
        .allow_private = true, .rate_limit = json_node(&f.arena, rate_limit), .limit_folder = folder};
    assert_int_equal(access_client(f.description, f.config, &overrides, 0, &f.arena, &options, &f.err), 0);
    struct limiter *limiter = options.pool.count ? options.pool.list[0].limiter : options.limiter;
    int64_t wait_ms = limiter_try(limiter, &asked, options.clock, &ticket, &rule);
    access_release_limiters(&options);
    teardown(&f);
    return wait_ms;
}

static int64_t wait_of(const char *values, const char *folder, const char *rate_limit)
{
    return wait_of_auth("", values, folder, rate_limit);
}

static void test_limits_are_shared_by_credential(void **state)
{
    (void)state;
    static const char ACME[] = "{\"key\":\"key-of-acme\"}", OTHER[] = "{\"key\":\"key-of-other\"}";
    static const char ONE[] = "{\"requests\":1,\"per\":\"1h\"}";
    static const char POOL[] = "{\"requests\":1,\"per\":\"1h\",\"pool\":\"both\",\"match\":{\"path\":\"/x\"}}";
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    char *folder;
    assert_int_equal(fs_make_temp_folder(&arena, &folder, &err), 0);
    assert_int_equal(wait_of(ACME, folder, ONE), 0);
    assert_true(wait_of(ACME, folder, ONE) > 0);
    assert_int_equal(wait_of(OTHER, folder, ONE), 0);
    assert_int_equal(wait_of(ACME, NULL, ONE), 0);
    assert_int_equal(wait_of(ACME, folder, POOL), 0);
    assert_true(wait_of(OTHER, folder, POOL) > 0);
    /* Each of a pool of credentials has what it would have alone. */
    static const char AUTH[] = ",\"auth\":{\"kind\":\"bearer\",\"token\":\"%s\",\"pool\":\"{{config.key}}\"}";
    char with_acme[256], with_third[256];
    snprintf(with_acme, sizeof with_acme, AUTH, "key-of-acme");
    snprintf(with_third, sizeof with_third, AUTH, "key-of-third");
    assert_true(wait_of_auth(with_acme, "{\"key\":\"x\"}", folder, ONE) > 0);
    assert_int_equal(wait_of_auth(with_third, "{\"key\":\"x\"}", folder, ONE), 0);
    assert_true(wait_of_auth(with_third, "{\"key\":\"y\"}", folder, ONE) > 0);
    /* Where nothing can be shared each counts by itself. */
    assert_int_equal(wait_of(ACME, "/proc", ONE), 0);
    struct buf content = BUF_INIT(4 << 20);
    assert_int_equal(fs_read_file(fs_join(&arena, folder, "limits"), 4 << 20, &content, &err), 0);
    assert_null(memmem(content.data, content.size, "key-of", 6));
    buf_release(&content);
    assert_int_equal(fs_remove_tree(folder, "limits", &err), 0);
    assert_int_equal(fs_remove_tree(folder, "limits.lock", &err), 0);
    assert_int_equal(rmdir(folder), 0);
    arena_release(&arena);
}

/* --- plans ------------------------------------------------------------------------------------------------------------ */

static void test_a_plan_begins_where_the_stream_says(void **state)
{
    (void)state;
    struct fixture f;
    struct window_plan plan;
    setup(&f, "",
          "\"path\":\"/x\",\"cursor\":{\"field\":\"at\",\"type\":\"timestamp\",\"param\":\"p\",\"start\":\"{{now | "
          "minus:\\\"1d\\\"}}\"}",
          "{}");
    assert_int_equal(request_plan(&f.source, &f.arena, &plan, &f.err), 0);
    assert_string_equal(plan.slices[0].from, "2024-01-31T00:00:00Z");
    f.source.cursor_value = STR("2024-01-10T00:00:00Z");
    assert_int_equal(request_plan(&f.source, &f.arena, &plan, &f.err), 0);
    assert_string_equal(plan.slices[0].from, "2024-01-10T00:00:00Z");
    teardown(&f);
    setup(&f, "",
          "\"path\":\"/x\",\"cursor\":{\"field\":\"at\",\"type\":\"integer\",\"param\":\"p\",\"start\":\"{{config.account}}\"}",
          "{}");
    assert_int_equal(request_plan(&f.source, &f.arena, &plan, &f.err), 0);
    assert_string_equal(plan.slices[0].from, "");
    teardown(&f);
    setup(&f, "", "\"path\":\"/x\"", "{}");
    assert_int_equal(request_plan(&f.source, &f.arena, &plan, &f.err), 0);
    assert_int_equal(plan.slice_count, 1);
    teardown(&f);
}

UNIT_TESTS(cmocka_unit_test(test_the_first_request_of_the_shop), cmocka_unit_test(test_how_paths_join),
           cmocka_unit_test(test_a_value_stays_in_its_segment), cmocka_unit_test(test_later_parameters_replace_earlier_ones),
           cmocka_unit_test(test_the_cursor_goes_out_as_the_source_spells_it), cmocka_unit_test(test_next_urls),
           cmocka_unit_test(test_a_token_alone), cmocka_unit_test(test_headers),
           cmocka_unit_test(test_headers_that_cannot_be_sent), cmocka_unit_test(test_a_json_body),
           cmocka_unit_test(test_parameters_go_into_a_json_body_by_path), cmocka_unit_test(test_form_and_raw_bodies),
           cmocka_unit_test(test_a_function_gives_parameters), cmocka_unit_test(test_a_function_places_a_secret),
           cmocka_unit_test(test_results_of_the_wrong_shape),
           cmocka_unit_test(test_a_secret_stays_with_the_connectors_own_hosts),
           cmocka_unit_test(test_other_hosts_get_no_credentials), cmocka_unit_test(test_bases_that_are_no_urls),
           cmocka_unit_test(test_what_the_client_may_do), cmocka_unit_test(test_limits_are_shared_by_credential),
           cmocka_unit_test(test_a_plan_begins_where_the_stream_says))
