/* Descriptions: the shop connector, choices, and what a wrong one is told. */
#include "rest_unit.h"

#include "rest/access.h"
#include "rest/select.h"

static const char SHOP_CONFIG[] = "{\"base_url\":\"https://shop.test/api\",\"api_key\":\"s3cret-key\"}";

/* A connector around one stream's keys. */
static const char *with_stream(struct arena *arena, const char *keys)
{
    return arena_printf(arena,
                        "{\"name\":\"t\",\"version\":\"1\",\"config\":{\"mode\":{\"type\":\"enum\",\"values\":[\"a\",\"b\"],"
                        "\"default\":\"a\"},\"key\":{\"secret\":true},\"free\":{}},"
                        "\"http\":{\"base\":\"https://t.test\"},\"streams\":{\"s\":{%s}}}",
                        keys);
}

static const char *with_http(struct arena *arena, const char *keys)
{
    return arena_printf(arena,
                        "{\"name\":\"t\",\"version\":\"1\",\"config\":{\"key\":{\"secret\":true}},"
                        "\"http\":{\"base\":\"https://t.test\",%s},\"streams\":{\"s\":{\"path\":\"/s\"}}}",
                        keys);
}

struct wrong {
    const char *keys, *problem;
};

static void check_wrong(const struct wrong *cases, size_t count, const char *(*around)(struct arena *arena, const char *keys))
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        description_check(json_node(&arena, around(&arena, cases[i].keys)), &problems);
        assert_problem(&problems, cases[i].problem);
        arena_release(&arena);
    }
}

static void test_the_shop_connector(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config;
    const struct description *shop = description_of(&arena, SHOP_DESCRIPTION, SHOP_CONFIG, &config);
    assert_string_equal(shop->name, "shop");
    assert_string_equal(shop->version, "1.0.0");
    assert_string_equal(shop->title, "Shop");
    assert_false(shop->has_functions);
    assert_non_null(shop->check);
    assert_int_equal(shop->limits.count, 1);
    const struct limiter_rule *limit = &shop->limits.list[0].rule;
    assert_int_equal(limit->kind, LIMITER_BUCKET);
    assert_int_equal(limit->requests, 10);
    assert_int_equal(limit->per_ms, 1000);
    assert_int_equal(limit->burst, 100);
    assert_null(description_stream(shop, "nothing"));
    const struct stream_description *orders = description_stream(shop, "orders");
    assert_non_null(orders);
    assert_string_equal(orders->records_path, "orders");
    assert_int_equal(orders->primary_key_count, 1);
    assert_string_equal(orders->primary_key[0], "id");
    assert_int_equal(orders->pages.kind, PAGES_PAGE);
    assert_int_equal(orders->pages.start, 1);
    assert_int_equal(orders->pages.size, 1000);
    assert_string_equal(orders->pages.size_param, "limit");
    assert_string_equal(orders->pages.more, "has_more");
    assert_int_equal(orders->pages.max_pages, 1000000);
    assert_false(orders->pages.stable);
    assert_true(orders->has_cursor);
    assert_string_equal(orders->cursor.field, "updated_at");
    assert_int_equal(orders->cursor.window.type, TYPE_TIMESTAMP);
    assert_int_equal(orders->cursor.window.lookback, INT64_C(300000000));
    assert_int_equal(orders->cursor.order, CURSOR_ANY_ORDER);
    assert_int_equal(orders->field_count, 6);
    assert_int_equal(orders->fields[2].type, TYPE_DECIMAL);
    assert_true(orders->full_refresh && orders->incremental && orders->infer);
    assert_true(orders->request.idempotent);
    arena_release(&arena);
}

static void test_everything_a_stream_can_say(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config;
    const struct description *t = description_of(
        &arena,
        with_stream(&arena,
                    "\"path\":\"/s/{{slice.id}}\",\"method\":\"POST\",\"idempotent\":true,\"body\":{\"q\":1,\"$$x\":true},"
                    "\"params\":{\"a\":[1,\"{{config.free}}\"]},\"headers\":{\"X-Key\":\"{{config.key}}\"},"
                    "\"records\":{\"$function\":\"streams.s.records\"},\"map\":{\"$function\":\"streams.s.map\"},"
                    "\"primary_key\":[\"id\",\"day\"],\"stable\":true,\"undeclared\":\"drop\",\"write_mode\":\"append_dedup\","
                    "\"sync_modes\":[\"incremental\"],\"pages\":{\"kind\":\"cursor\",\"param\":\"after\",\"into\":\"body\","
                    "\"next\":{\"$function\":\"streams.s.pages.next\"},\"keep_params\":false,\"max_pages\":5},"
                    "\"cursor\":{\"kind\":\"windowed\",\"field\":\"at\",\"step\":\"1d\",\"start\":\"2024-01-01\","
                    "\"param\":\"since\",\"until_param\":\"until\",\"order\":\"ascending\",\"bounds\":\"[)\",\"missing\":"
                    "\"reject\"},\"fields\":{\"id\":\"integer\",\"day\":{\"type\":\"date\",\"format\":\"%Y%m%d\"},\"at\":"
                    "{\"type\":\"timestamp\",\"format\":\"epoch_ms\"}}"),
        "{}", &config);
    const struct stream_description *s = description_stream(t, "s");
    assert_true(t->has_functions);
    assert_string_equal(s->records_function, "streams.s.records");
    assert_string_equal(s->map_function, "streams.s.map");
    assert_string_equal(s->pages.next_function, "streams.s.pages.next");
    assert_null(s->pages.next);
    assert_true(s->pages.stable && s->pages.into_body && !s->pages.keep_params);
    assert_string_equal(s->cursor.window.format, "epoch_ms");
    assert_int_equal(s->cursor.window.step_us, INT64_C(86400000000));
    assert_true(s->cursor.order == CURSOR_ASCENDING && s->cursor.has_bounds);
    assert_int_equal(s->cursor.bounds, CURSOR_CLOSED_OPEN);
    assert_int_equal(s->cursor.missing, CURSOR_MISSING_REJECT);
    assert_true(s->incremental && !s->full_refresh && !s->infer);
    assert_int_equal(s->write_mode, HINT_APPEND_DEDUP);
    assert_string_equal(s->fields[1].format, "%Y%m%d");
    arena_release(&arena);
}

static void test_wrong_streams(void **state)
{
    (void)state;
    static const struct wrong CASES[] = {
        {"\"path\":\"/s\",\"recrods\":\"x\"", "unknown key 'recrods' [did you mean 'records'?]"},
        {"\"params\":{}", "path"},
        {"\"path\":\"/s\",\"params\":[1]", "streams.s.params: expected a map or a function"},
        {"\"path\":\"/s\",\"params\":{\"a\":{\"b\":1}}", "streams.s.params.a: expected a text, number or boolean, or a list"},
        {"\"path\":\"/s\",\"headers\":{\"a\":[1]}", "streams.s.headers.a: expected a text, number or boolean"},
        {"\"path\":\"/s\",\"body\":{}", "streams.s.body: a GET carries no body"},
        {"\"path\":\"/s\",\"method\":\"POST\",\"body\":{},\"body_as\":\"raw\"", "a raw body is a text or a function"},
        {"\"path\":\"/s\",\"method\":\"POST\",\"body\":\"x\",\"body_as\":\"form\"", "a form is a map or a function"},
        {"\"path\":\"/s/{{page.number}}\"", "'page.number' does not exist here"},
        {"\"path\":\"/s/{{cursor.from}}\"", "'cursor.from' does not exist here"},
        {"\"path\":\"/s/{{parent.id}}\"", "'parent.id' does not exist here"},
        {"\"path\":\"/s\",\"map\":\"x\"", "streams.s.map: expected a function"},
        {"\"path\":\"/s\",\"primary_key\":\"id\"", "streams.s.primary_key: 'id' has no type"},
        {"\"path\":\"/s\",\"fields\":{\"a\":\"strng\"}", "streams.s.fields.a: unknown type 'strng' [did you mean 'string'?]"},
        {"\"path\":\"/s\",\"fields\":{\"a\":{\"type\":\"integer\",\"format\":\"date\"}}", "'format' belongs to dates"},
        {"\"path\":\"/s\",\"fields\":{\"a\":{\"type\":\"date\",\"format\":\"%Q\"}}", "'%Q' is not a time format"},
        {"\"path\":\"/s\",\"fields\":{\"a\":{\"type\":\"timestamp\",\"zone\":\"Oslo\"}}", "'Oslo' is not a zone"},
        {"\"path\":\"/s\",\"fields\":{\"a\":7}", "expected a type's name or a map"},
        {"\"path\":\"/s\",\"sync_modes\":[\"incremental\"]", "incremental needs a cursor"},
        {"\"path\":\"/s\",\"sync_modes\":[\"often\"]", "unknown sync mode 'often'"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"last_record\",\"param\":\"p\"}", "'field' is missing"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"last_record\",\"field\":\"id\"}",
         "nothing tells the source which page is meant"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"time_next\",\"param\":\"p\",\"next\":\"end\"}",
         "nothing tells when the last page has come"},
        {"\"path\":\"/"
         "s\",\"pages\":{\"kind\":\"time_next\",\"param\":\"p\",\"next\":\"end\",\"last\":\"l\",\"format\":\"often\"}",
         "'often' is not a time format"},
        {"\"path\":\"/"
         "s\",\"pages\":{\"kind\":\"capped_keyset\",\"key\":\"id\",\"cap\":10,\"pages\":{\"kind\":\"page\",\"param\":\"p\"}}",
         "nothing tells the source behind which key to begin"},
        {"\"path\":\"/"
         "s\",\"pages\":{\"kind\":\"capped_keyset\",\"key\":\"id\",\"cap\":10,\"param\":\"k\",\"pages\":{\"kind\":\"page\","
         "\"param\":\"p\",\"cap\":5}}",
         "streams.s.pages.pages: 'cap' belongs to the capped_keyset around it"},
        {"\"path\":\"/"
         "s\",\"pages\":{\"kind\":\"capped_keyset\",\"key\":\"id\",\"cap\":10,\"param\":\"k\",\"pages\":{\"kind\":\"last_"
         "record\",\"field\":\"id\",\"param\":\"p\"}}",
         "cannot go by kind 'last_record'"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"page\"}", "nothing tells the source which page is meant"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"page\",\"param\":\"p\",\"size_param\":\"n\"}", "'size_param' needs a 'size'"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"offset\",\"param\":\"p\",\"stop\":\"short\"}",
         "needs a 'size' to be shorter than"},
        {"\"path\":\"/s\",\"pages\":{\"kind\":\"page\",\"param\":\"p\",\"into\":\"body\"}", "a GET carries no body"},
        {"\"path\":\"/s\",\"records\":{\"$function\":\"f\"},\"pages\":{\"kind\":\"offset\",\"param\":\"p\"}",
         "offsets count records"},
        {"\"path\":\"/s\",\"records\":{\"$function\":\"f\"},\"pages\":{\"kind\":\"page\",\"param\":\"p\"}",
         "must be told by 'more', 'last' or 'total_pages'"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\"}", "'a' has no type"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"type\":\"timestamp\"}", "nothing tells the source where to read from"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"integer\",\"step\":\"1d\",\"start\":\"1\"}",
         "only times are read in windows"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"date\",\"step\":\"1d\"}",
         "windows need a 'start'"},
        {"\"path\":\"/"
         "s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"date\",\"step\":\"1d\",\"start\":\"2024-01-01\"}",
         "nothing tells the source where a window ends"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"integer\",\"lookback\":\"5m\"}",
         "lookback: expected an integer"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"string\",\"lookback\":5}",
         "only times and integers can look back"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"string\",\"start\":\"{{config.key}}\"}",
         "the secret 'key' cannot stand here"},
        {"\"path\":\"/s\",\"fields\":{\"a\":\"json\"},\"cursor\":{\"field\":\"a\",\"param\":\"p\"}",
         "type json cannot be a cursor"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/e\",\"record\":\"r\",\"time\":\"t\"}}",
         "streams.s.cursor.events: nothing tells the source where to read from"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"day\",\"events\":{\"path\":\"/e\",\"record\":\"r\",\"time\":\"t\",\"param\":\"p\"}}",
         "'day' must be of type timestamp"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"at\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/e\",\"record\":\"r\",\"time\":\"t\",\"param\":\"p\"}}",
         "'at' is not read from records, and cannot be a key"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/"
         "e\",\"record\":\"r\",\"time\":\"t\",\"param\":\"p\"}},\"map\":{\"$function\":\"f\"}",
         "records are taken as they are: no functions, no other shape"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/"
         "e\",\"record\":\"r\",\"time\":\"t\",\"param\":\"p\"}},\"explode\":{\"l\":{\"path\":\"lines\"}}",
         "cannot be exploded from one with an event_feed"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/"
         "e\",\"record\":\"r\",\"time\":\"t\",\"param\":\"p\",\"pages\":{\"kind\":\"page\"}}}",
         "streams.s.cursor.events.pages: nothing tells the source which page is meant"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/"
         "e\",\"record\":\"r\",\"time\":\"t\",\"param\":\"p\",\"into\":\"body\"}}",
         "a GET carries no body"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"day\":\"date\",\"id\":\"string\"},\"primary_key\":\"id\",\"cursor\":{\"kind\":"
         "\"event_feed\",\"field\":\"at\",\"events\":{\"path\":\"/e\",\"record\":\"r\",\"param\":\"p\"}}",
         "streams.s.cursor.events: 'time' is missing"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"d\":\"date\",\"n\":\"integer\"},\"cursor\":{\"kind\":\"refetch\",\"field\":"
         "\"at\",\"param\":\"p\",\"start\":\"2024-01-01\"}",
         "streams.s.cursor: 'last' is missing"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"d\":\"date\",\"n\":\"integer\"},\"cursor\":{\"kind\":\"refetch\",\"field\":"
         "\"at\",\"last\":\"3d\",\"param\":\"p\"}",
         "streams.s.cursor: 'start' is missing"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"d\":\"date\",\"n\":\"integer\"},\"cursor\":{\"kind\":\"refetch\",\"field\":"
         "\"at\",\"last\":\"3d\",\"start\":\"2024-01-01\"}",
         "nothing tells the source where to read from"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"d\":\"date\",\"n\":\"integer\"},\"cursor\":{\"kind\":\"refetch\",\"field\":"
         "\"at\",\"last\":\"3d\",\"param\":\"p\",\"bounds\":\"[]\",\"start\":\"2024-01-01\"}",
         "only dates have a last day"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"d\":\"date\",\"n\":\"integer\"},\"cursor\":{\"kind\":\"refetch\",\"field\":"
         "\"n\",\"last\":\"3d\",\"param\":\"p\",\"start\":\"2024-01-01\"}",
         "streams.s.cursor.last: only times have one"},
        {"\"path\":\"/"
         "s\",\"fields\":{\"at\":\"timestamp\",\"d\":\"date\",\"n\":\"integer\"},\"cursor\":{\"kind\":\"refetch\",\"field\":"
         "\"at\",\"last\":\"3d\",\"param\":\"p\",\"start\":\"2024-01-01\"},\"explode\":{\"l\":{\"path\":\"lines\"}}",
         "cannot be exploded from one whose partitions are replaced"},
        {"\"path\":\"/s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"date\",\"order\":\"newest_first\"}",
         "it needs a 'step'"},
        {"\"path\":\"/"
         "s\",\"cursor\":{\"field\":\"a\",\"param\":\"p\",\"type\":\"date\",\"order\":\"newest_first\",\"step\":\"1d\","
         "\"start\":\"2024-01-01\",\"until_param\":\"u\",\"lookback\":\"1d\"}",
         "has no 'lookback'"},
        {"\"path\":\"/s\",\"deleted\":{\"path\":\"$\"}", "streams.s.deleted: '$' names no field"},
        {"\"path\":\"/s\",\"deleted\":{\"equals\":true}", "streams.s.deleted: 'path' is missing"},
        {"\"path\":\"/s\",\"deleted\":true", "streams.s.deleted"},
        {"\"path\":\"/s\",\"deleted\":{\"path\":\"a\",\"equals\":1,\"ends_with\":\"x\"}", "'equals' or 'ends_with', not both"},
    };
    check_wrong(CASES, ARRAY_SIZE(CASES), with_stream);
}

static void test_wrong_http(void **state)
{
    (void)state;
    static const struct wrong CASES[] = {
        {"\"hosts\":[\"{{config.key}}.t.test\"]", "http.hosts: the secret 'key' cannot stand here"},
        {"\"auth\":{\"kind\":\"oauth1\",\"consumer_key\":\"c\",\"consumer_secret\":\"s\",\"token\":\"t\"}",
         "'token' and 'token_secret' go together"},
        {"\"auth\":{\"kind\":\"hmac\",\"key\":\"k\",\"message\":\"{{sign.body}}\",\"headers\":{\"S\":\"{{sign.time}}\"}}",
         "http.auth: the signature goes nowhere"},
        {"\"auth\":{\"kind\":\"session\",\"login_url\":\"/l\",\"token\":\"t\",\"body\":\"form\",\"params\":{\"a\":{\"b\":1}}}",
         "http.auth.params.a: only a JSON body holds maps and lists"},
        {"\"auth\":{\"kind\":\"session\",\"login_url\":\"/l\",\"token\":\"t\",\"params\":{\"a\":{\"b\":\"{{config.kye}}\"}}}",
         "http.auth.params.a.b"},
        {"\"auth\":{\"kind\":\"session\",\"login_url\":\"/l\",\"token\":\"t\",\"params\":\"x\"}",
         "http.auth.params: expected a map"},
        {"\"auth\":{\"kind\":\"session\",\"login_url\":\"/l\"}", "token"},
        {"\"auth\":{\"kind\":\"hmac\",\"key\":\"k\",\"message\":\"x\",\"params\":{\"s\":\"{{sign.signatur}}\"}}",
         "did you mean 'sign.signature'?"},
        {"\"auth\":{\"kind\":\"bearer\"}", "http.auth: 'token' is missing"},
        {"\"auth\":{\"kind\":\"api_key\",\"name\":\"X\"}", "http.auth: 'key' is missing"},
        {"\"auth\":{\"kind\":\"bearer\",\"pool\":\"{{config.kye}}\"}", "did you mean 'config.key'?"},
        {"\"auth\":{\"kind\":\"bearer\",\"token\":\"{{config.kye}}\"}", "did you mean 'config.key'?"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"password\",\"token_url\":\"/t\",\"client_id\":\"x\"}",
         "grant password needs a 'username'"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"jwt_bearer\",\"token_url\":\"/t\",\"client_id\":\"x\"}",
         "grant jwt_bearer needs an 'assertion'"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"/t\",\"client_id\":\"x\","
         "\"credentials\":\"assertion\"}",
         "credentials assertion needs an 'assertion'"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"/"
         "t\",\"client_id\":\"x\",\"username\":\"u\"}",
         "'username' belongs to grant password only"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"jwt_bearer\",\"token_url\":\"/t\",\"assertion\":{\"key\":\"k\"}}",
         "'client_id' is missing"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"authorization_code\",\"token_url\":\"/t\",\"client_id\":\"x\"}",
         "grant authorization_code needs an 'authorize_url'"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"device_code\",\"token_url\":\"/t\",\"client_id\":\"x\"}",
         "grant device_code needs a 'device_authorization_url'"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"/t\",\"client_id\":\"x\","
         "\"device_authorization_url\":\"/d\"}",
         "'device_authorization_url' belongs to grant device_code only"},
        {"\"auth\":{\"kind\":\"jwt\",\"key\":\"k\",\"lifetime\":\"1s\"}", "http.auth.lifetime: expected at least 4s"},
        {"\"auth\":{\"kind\":\"jwt\",\"key\":\"k\",\"claims\":{\"a\":\"{{config.kye}}\"}}", "http.auth.claims.a"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credential\",\"token_url\":\"/t\",\"client_id\":\"x\"}",
         "did you mean 'client_credentials'?"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"refresh_token\",\"token_url\":\"/t\",\"client_id\":\"x\"}",
         "grant refresh_token needs a 'refresh_token'"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"/t\"}", "'client_id' is missing"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"/t\",\"sign\":{\"key\":\"k\","
         "\"message\":\"{{sign.signature}}\",\"headers\":{\"S\":\"{{sign.signature}}\"}}}",
         "the signature cannot sign itself"},
        {"\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"/t\",\"sign\":{\"key\":\"k\","
         "\"message\":\"{{sign.bdy}}\",\"headers\":{\"S\":\"x\"}}}",
         "did you mean 'sign.body'?"},
        {"\"rate_limit\":{\"kind\":\"qota\"}", "did you mean 'quota'?"},
        {"\"rate_limit\":{\"requests\":10,\"match\":{\"streams\":[\"ordrs\"]}}", "match names the stream 'ordrs'"},
        {"\"rate_limit\":{\"requests\":10,\"pool\":\"{{config.api_key}}\"}", "http.rate_limit.pool"},
        {"\"rate_limit\":{\"requests\":10,\"per\":\"0s\"}", "http.rate_limit.per: must be above zero"},
        {"\"timeouts\":{\"connect\":\"0\"}", "http.timeouts.connect: must be above zero"},
        {"\"headers\":{\"X\":\"{{page.token}}\"}", "'page.token' does not exist here"},
    };
    check_wrong(CASES, ARRAY_SIZE(CASES), with_http);
}

/* A base that a login tells. */
static void test_wrong_captures(void **state)
{
    (void)state;
    static const struct {
        const char *base, *auth, *says;
    } CASES[] = {
        {"{{auth.url}}", "\"token_url\":\"https://id.test/t\"", "'auth.url' does not exist here"},
        {"{{auth.ulr}}", "\"token_url\":\"https://id.test/t\",\"capture\":{\"url\":\"u\"}", "did you mean 'auth.url'?"},
        {"{{auth.url}}", "\"token_url\":\"https://id.test/t\",\"capture\":{\"url\":\"u\"}", "http.hosts is missing"},
        {"{{auth.url}}", "\"token_url\":\"/t\",\"capture\":{\"url\":\"u\"}", "token_url: must be absolute"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        const char *json =
            arena_printf(&arena,
                         "{\"name\":\"t\",\"version\":\"1.0.0\",\"http\":{\"base\":\"%s\",\"auth\":{\"kind\":\"oauth2\","
                         "\"grant\":\"client_credentials\",\"client_id\":\"c\",%s}},"
                         "\"streams\":{\"s\":{\"path\":\"/s\",\"fields\":{\"a\":\"string\"}}}}",
                         CASES[i].base, CASES[i].auth);
        description_check(json_node(&arena, json), &problems);
        assert_problem(&problems, CASES[i].says);
        arena_release(&arena);
    }
}

static void test_wrong_connectors(void **state)
{
    (void)state;
    static const struct {
        const char *json, *problem;
    } CASES[] = {
        {"[]", "a description is a map"},
        {"{\"name\":\"t\",\"version\":\"1\",\"streams\":{\"s\":{\"path\":\"/\"}}}", "http"},
        {"{\"name\":\"T!\",\"version\":\"1\",\"http\":{\"base\":\"https://t\"},\"streams\":{\"s\":{\"path\":\"/\"}}}",
         "name: 'T!' is no connector's name"},
        {"{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"t.test\"},\"streams\":{\"s\":{\"path\":\"/\"}}}",
         "http.base: expected a URL, got 't.test'"},
        {"{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"https://t\"},\"streams\":{}}",
         "expected 1 to 1000 streams, got 0"},
        {"{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"https://t\"},\"streams\":{\"a b\":{\"path\":\"/\"}}}",
         "a stream's name has no spaces"},
        {"{\"name\":\"t\",\"version\":\"1\",\"config\":{\"k\":{\"tpye\":\"string\"}},\"http\":{\"base\":\"https://t\"},"
         "\"streams\":{\"s\":{\"path\":\"/\"}}}",
         "unknown key 'tpye' [did you mean 'type'?]"},
        {"{\"name\":\"t\",\"version\":\"1\",\"config\":7,\"http\":{\"base\":\"https://t\"},\"streams\":{\"s\":{\"path\":\"/"
         "\"}}}",
         "config: expected a map"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        description_check(json_node(&arena, CASES[i].json), &problems);
        assert_problem(&problems, CASES[i].problem);
        arena_release(&arena);
    }
}

/* --- choices ------------------------------------------------------------------------------------------------------------- */

#define CHOICE(a, b) "{\"$select\":\"mode\",\"cases\":{\"a\":" a ",\"b\":" b "}}"

static void test_a_choice_is_made_by_the_configuration(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config;
    const char *json = with_stream(&arena, "\"path\":" CHOICE("\"/one\"", "\"/two\"") ",\"pages\":" CHOICE(
                                               "{\"kind\":\"none\"}", "{\"kind\":\"page\",\"param\":\"p\"}"));
    const struct description *a = description_of(&arena, json, "{}", &config);
    const struct description *b = description_of(&arena, json, "{\"mode\":\"b\"}", &config);
    assert_int_equal(a->streams[0].pages.kind, PAGES_NONE);
    assert_int_equal(b->streams[0].pages.kind, PAGES_PAGE);
    assert_true(str_equal(a->streams[0].request.path->text, STR("/one")));
    assert_true(str_equal(b->streams[0].request.path->text, STR("/two")));
    arena_release(&arena);
}

static void test_wrong_choices(void **state)
{
    (void)state;
    static const struct wrong CASES[] = {
        {"\"path\":{\"$select\":\"mode\",\"cases\":{\"a\":\"/x\"}}", "there is no case for 'b' of config.mode"},
        {"\"path\":{\"$select\":\"mode\",\"cases\":{\"a\":\"/x\",\"b\":\"/y\",\"c\":\"/z\"}}", "config.mode is never 'c'"},
        {"\"path\":{\"$select\":\"mde\",\"cases\":{\"a\":\"/x\"}}", "no config entry 'mde' [did you mean 'mode'?]"},
        {"\"path\":{\"$select\":\"key\",\"cases\":{\"a\":\"/x\"}}", "a secret cannot choose"},
        {"\"path\":{\"$select\":\"free\",\"cases\":{\"a\":\"/x\"}}", "config.free may be absent"},
        {"\"path\":{\"$select\":\"mode\"}", "expected { $select"},
        {"\"path\":{\"$select\":\"mode\",\"cases\":{\"a\":\"/x\",\"b\":\"/y\"},\"more\":1}", "and nothing else"},
        /* a mistake in a case that is not the default */
        {"\"path\":" CHOICE("\"/x\"", "\"/{{config.fre}}\""), "did you mean 'config.free'?"},
        {"\"path\":\"/x\",\"pages\":" CHOICE("{\"kind\":\"none\"}", "{\"kind\":\"ofset\"}"), "did you mean 'offset'?"},
        /* and in one inside another */
        {"\"path\":" CHOICE("\"/x\"", CHOICE("\"/y\"", "\"/{{config.fre}}\"")), "did you mean 'config.free'?"},
    };
    check_wrong(CASES, ARRAY_SIZE(CASES), with_stream);
}

static void test_a_mistake_outside_the_choices_is_told_once(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    const char *json = with_stream(&arena, "\"path\":" CHOICE("\"/x\"", "\"/y\"") ",\"recrods\":\"x\"");
    description_check(json_node(&arena, json), &problems);
    assert_int_equal(problems.count, 1);
    arena_release(&arena);
}

static void test_a_value_without_a_case_names_the_cases(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    const struct config *config = config_of(&arena, "{\"region\":{\"required\":true}}", "{\"region\":\"mars\"}");
    const struct node *tree = json_node(&arena, "{\"x\":{\"$select\":\"region\",\"cases\":{\"eu\":1,\"us\":2}}}");
    (void)select_resolve(tree, config, &arena, &problems);
    assert_problem(&problems, "'mars' is none of the connector's cases [one of: eu, us]");
    arena_release(&arena);
}

static void test_variants_show_every_case(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct node *tree =
        json_node(&arena, "{\"p\":" CHOICE("1", CHOICE("2", "3")) ",\"q\":[" CHOICE("4", "5") "],\"r\":6}");
    size_t variants = select_variants(tree);
    bool seen[10] = {false};
    assert_int_equal(variants, 3);
    for (size_t i = 0; i < variants; i++) {
        const struct node *variant = select_variant(tree, i, &arena);
        seen[node_text(node_get(variant, "p")).data[0] - '0'] = true;
        seen[node_text(&node_get(variant, "q")->children[0]).data[0] - '0'] = true;
        assert_true(str_equal(node_text(node_get(variant, "r")), STR("6")));
    }
    for (int i = 1; i <= 5; i++) assert_true(seen[i]);
    assert_int_equal(select_variants(json_node(&arena, "{\"a\":[1,2]}")), 1);
    arena_release(&arena);
}

/* --- access -------------------------------------------------------------------------------------------------------------- */

static void test_credentials_of_the_shop(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct config *config;
    const struct description *shop = description_of(&arena, SHOP_DESCRIPTION, SHOP_CONFIG, &config);
    struct auth_spec spec;
    assert_int_equal(access_auth(shop, config, 0, &arena, &spec, &err), 0);
    assert_int_equal(spec.kind, AUTH_BEARER);
    assert_true(str_equal(spec.token, STR("s3cret-key")));
    assert_true(str_equal(spec.prefix, STR("Bearer")));
    arena_release(&arena);
}

static void test_a_signed_token_call(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct config *config;
    const char *json =
        with_http(&arena, "\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"auth/token\","
                          "\"body\":\"json\",\"params\":{\"audience\":\"x\"},\"sign\":{\"key\":\"{{config.key}}\","
                          "\"message\":\"{{sign.timestamp}}-{{ sign.body }}\",\"sign_body\":false,"
                          "\"headers\":{\"API-Signature\":\"v1={{sign.signature}}\"}}}");
    const struct description *t = description_of(&arena, json, "{\"key\":\"hush-hush\"}", &config);
    struct auth_spec spec;
    assert_int_equal(access_auth(t, config, 0, &arena, &spec, &err), 0);
    assert_int_equal(spec.kind, AUTH_OAUTH2);
    assert_string_equal(spec.oauth2.token_url, "https://t.test/auth/token");
    assert_true(spec.oauth2.json && spec.oauth2.client == AUTH_CLIENT_BODY);
    assert_int_equal(spec.oauth2.param_count, 1);
    const struct auth_sign *sign = spec.oauth2.sign;
    assert_true(str_equal(sign->key, STR("hush-hush")));
    assert_int_equal(sign->message.count, 3);
    assert_int_equal(sign->message.parts[0].kind, AUTH_PART_TIMESTAMP);
    assert_true(str_equal(sign->message.parts[1].text, STR("-")));
    assert_int_equal(sign->message.parts[2].kind, AUTH_PART_BODY);
    assert_int_equal(sign->headers[0].value.parts[1].kind, AUTH_PART_SIGNATURE);
    assert_false(sign->sign_body);
    arena_release(&arena);
}

static void test_logins(void **state)
{
    (void)state;
    static const struct {
        const char *auth, *url, *body, *name;
        enum auth_place into;
    } CASES[] = {
        {"\"login_url\":\"login\",\"token\":\"t\",\"params\":{\"a\":{\"key\":\"{{config.key}}\",\"n\":[1,true,\"2\"]},\"id\":"
         "1}",
         "https://t.test/login", "{\"a\":{\"key\":\"q\\\"&x\",\"n\":[1,true,\"2\"]},\"id\":1}", "Authorization",
         AUTH_IN_HEADER},
        {"\"login_url\":\"https://id.test/"
         "l\",\"token\":\"sid\",\"from\":\"cookie\",\"body\":\"form\",\"params\":{\"key\":\"{{config.key}}\","
         "\"b\":2}",
         "https://id.test/l", "key=q%22%26x&b=2", "sid", AUTH_IN_COOKIE},
        {"\"login_url\":\"/"
         "l?v=1\",\"method\":\"GET\",\"token\":\"sid\",\"from\":\"cookie\",\"name\":\"X-S\",\"params\":{\"key\":"
         "\"{{config.key}}\"}",
         "https://t.test/l?v=1&key=q%22%26x", "", "X-S", AUTH_IN_HEADER},
        {"\"login_url\":\"/l\",\"token\":\"t\",\"lifetime\":\"1h\"", "https://t.test/l", "", "Authorization", AUTH_IN_HEADER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        const struct config *config;
        struct auth_spec spec;
        const char *json = with_http(&arena, arena_printf(&arena, "\"auth\":{\"kind\":\"session\",%s}", CASES[i].auth));
        const struct description *t = description_of(&arena, json, "{\"key\":\"q\\\"&x\"}", &config);
        if (access_auth(t, config, 0, &arena, &spec, &err) != 0) fail_msg("%s", err.message);
        assert_int_equal(spec.kind, AUTH_SESSION);
        assert_string_equal(spec.session.login_url, CASES[i].url);
        if (!str_equal(spec.session.body, str_from(CASES[i].body)))
            fail_msg("case %zu: " STR_FMT, i, STR_ARG(spec.session.body));
        assert_true(str_equal(spec.name, str_from(CASES[i].name)));
        assert_int_equal(spec.into, CASES[i].into);
        assert_int_equal(spec.session.lifetime_ms, i == 3 ? 3600000 : 0);
        arena_release(&arena);
    }
}

static void test_signed_tokens(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct config *config;
    struct auth_spec spec;
    const char *json = with_http(
        &arena, "\"auth\":{\"kind\":\"oauth2\",\"grant\":\"client_credentials\",\"token_url\":\"https://id.test/token\","
                "\"client_id\":\"me\",\"credentials\":\"assertion\",\"assertion\":{\"key\":\"{{config.key}}\","
                "\"algorithm\":\"PS256\",\"claims\":{\"scope\":\"a \\\"b\\\"\",\"n\":5,\"yes\":true,\"five\":\"5\"}}}");
    const struct description *t = description_of(&arena, json, "{\"key\":\"hush-hush\"}", &config);
    assert_int_equal(access_auth(t, config, 0, &arena, &spec, &err), 0);
    const struct jwt *jwt = spec.oauth2.assertion;
    assert_true(jwt->has_id && str_equal(jwt->issuer, STR("me")) && str_equal(jwt->subject, STR("me")));
    assert_true(str_equal(jwt->audience, STR("https://id.test/token")));
    assert_int_equal(jwt->lifetime_ms, 120000);
    assert_string_equal(jwt->key_place, "http.auth.assertion.key");
    static const char *const VALUES[] = {"\"a \\\"b\\\"\"", "5", "true", "\"5\""};
    assert_int_equal(jwt->claim_count, ARRAY_SIZE(VALUES));
    for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++) assert_true(str_equal(jwt->claims[i].json, str_from(VALUES[i])));

    json = with_http(&arena,
                     "\"auth\":{\"kind\":\"jwt\",\"key\":\"{{config.key}}\",\"issuer\":\"12\",\"exchange\":{\"url\":\"/x\"}}");
    t = description_of(&arena, json, "{\"key\":\"hush-hush\"}", &config);
    assert_int_equal(access_auth(t, config, 0, &arena, &spec, &err), 0);
    assert_int_equal(spec.kind, AUTH_JWT);
    assert_string_equal(spec.exchange.url, "https://t.test/x");
    assert_string_equal(spec.exchange.token_key, "token");
    assert_true(str_equal(spec.jwt.issuer, STR("12")) && !spec.jwt.has_id);
    arena_release(&arena);
}

static void test_pools_of_credentials(void **state)
{
    (void)state;
    static const struct {
        const char *auth, *tokens;
    } CASES[] = {
        {"\"kind\":\"bearer\",\"pool\":\"{{config.key}}\"", "one,two,three"},
        {"\"kind\":\"bearer\",\"token\":\"zero\",\"pool\":\"{{config.key}}\"", "zero,one,two,three"},
        {"\"kind\":\"api_key\",\"key\":\"two\",\"pool\":\"{{config.key}},four\"", "two,one,three,four"},
        {"\"kind\":\"bearer\",\"token\":\"{{config.key}}\",\"pool\":\"\"", ""},
        {"\"kind\":\"bearer\",\"pool\":\"same,same\"", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct buf tokens = BUF_INIT(4096);
        const struct config *config;
        struct auth_spec spec;
        const char *json = with_http(&arena, arena_printf(&arena, "\"auth\":{%s}", CASES[i].auth));
        const struct description *t = description_of(&arena, json, "{\"key\":\"one,two,three\"}", &config);
        assert_int_equal(access_auth(t, config, 0, &arena, &spec, &err), 0);
        for (size_t p = 0; p < spec.pool_count; p++) {
            struct auth_spec one = auth_of_pool(&spec, p);
            assert_true(str_equal(one.kind == AUTH_BEARER ? one.token : one.key, spec.pool[p]));
            assert_int_equal(one.pool_count, 0);
            buf_printf(&tokens, "%s" STR_FMT, p ? "," : "", STR_ARG(spec.pool[p]));
        }
        assert_string_equal(buf_text(&tokens), CASES[i].tokens);
        buf_release(&tokens);
        arena_release(&arena);
    }
}

static void test_a_pool_has_an_end(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct buf values = BUF_INIT(65536);
    const struct config *config;
    struct auth_spec spec;
    buf_append_text(&values, "{\"key\":\"");
    for (int i = 0; i <= AUTH_POOL_MAX; i++) buf_printf(&values, "k%d,", i);
    buf_append_text(&values, "\"}");
    const struct description *t = description_of(
        &arena, with_http(&arena, "\"auth\":{\"kind\":\"bearer\",\"pool\":\"{{config.key}}\"}"), buf_text(&values), &config);
    assert_int_equal(access_auth(t, config, 0, &arena, &spec, &err), ERR_CONFIG);
    assert_string_equal(err.message, "http.auth.pool: more than 64");
    buf_release(&values);
    arena_release(&arena);
}

static void test_credentials_without_a_value_are_refused(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct config *config;
    const char *json = with_http(&arena, "\"auth\":{\"kind\":\"bearer\",\"token\":\"{{config.key}}\"}");
    const struct description *t = description_of(&arena, json, "{}", &config);
    struct auth_spec spec;
    assert_int_equal(access_auth(t, config, 0, &arena, &spec, &err), ERR_CONFIG);
    assert_string_equal(err.message, "http.auth.token: there is no value");
    arena_release(&arena);
}

static void test_exploded_streams(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const struct config *config;
    const char *json = with_stream(
        &arena, "\"path\":\"/s\",\"primary_key\":\"id\",\"fields\":{\"id\":\"integer\",\"at\":{\"type\":\"timestamp\","
                "\"format\":\"epoch\"}},\"cursor\":{\"field\":\"at\",\"param\":\"since\"},\"explode\":{\"parts\":{"
                "\"path\":\"list.parts\",\"copy\":{\"s_id\":\"id\",\"s_at\":\"at\"},\"position\":\"nr\","
                "\"primary_key\":[\"s_id\",\"nr\"],\"fields\":{\"name\":\"string\"},\"undeclared\":\"drop\"}}");
    const struct description *description = description_of(&arena, json, "{}", &config);
    const struct stream_description *root = description_stream(description, "s"),
                                    *parts = description_stream(description, "parts");
    assert_int_equal(description->stream_count, 1);
    assert_ptr_equal(parts->root, root);
    assert_ptr_equal(parts, &root->exploded[0]);
    assert_string_equal(parts->records_path, "list.parts");
    assert_true(parts->incremental && parts->full_refresh && !parts->infer);
    assert_int_equal(parts->field_count, 4);
    assert_int_equal(stream_field(parts, "s_id")->type, TYPE_INTEGER);
    assert_string_equal(stream_field(parts, "s_at")->format, "epoch");
    assert_int_equal(stream_field(parts, "nr")->type, TYPE_INTEGER);
    assert_int_equal(parts->primary_key_count, 2);
    arena_release(&arena);
}

static const char *with_exploded(struct arena *arena, const char *keys)
{
    return with_stream(arena, arena_printf(arena,
                                           "\"path\":\"/s\",\"primary_key\":\"id\",\"fields\":{\"id\":\"string\",\"at\":"
                                           "\"timestamp\"},\"cursor\":{\"field\":\"at\",\"param\":\"since\"},"
                                           "\"explode\":{\"parts\":{%s}}",
                                           keys));
}

static void test_exploded_streams_that_cannot_work(void **state)
{
    (void)state;
    static const struct wrong CASES[] = {
        {"\"copy\":{}", "streams.s.explode.parts: 'path' is missing"},
        {"\"path\":\"$\"", "explode.parts.path: '$' names no field"},
        {"\"path\":\"*.x\"", "names no field"},
        {"\"path\":\"p\",\"explode\":{}", "unknown key 'explode'"},
        {"\"path\":\"p\",\"copy\":{\"x\":\"nothing\"}", "copy.x: 'nothing' is no declared field of 's'"},
        {"\"path\":\"p\",\"copy\":{\"x\":\"id\"},\"fields\":{\"x\":\"string\"}", "'x' is copied or the position"},
        {"\"path\":\"p\",\"copy\":{\"x\":\"id\"},\"position\":\"x\"", "'x' is copied or the position"},
        {"\"path\":\"p\",\"position\":\"n\",\"primary_key\":\"n\"", "must hold 'id' of 's'"},
        {"\"path\":\"p\",\"position\":\"n\",\"copy\":{\"x\":\"id\"},\"primary_key\":\"n\"", "add 'x' to it"},
        {"\"path\":\"p\",\"copy\":{\"x\":\"id\"},\"primary_key\":\"x\"", "the cursor 'at' of 's' is not copied"},
        {"\"path\":\"p\",\"primary_key\":\"y\"", "'y' has no type"},
        {"\"path\":\"p\"},\"s\":{\"path\":\"p\"", "there is another stream of this name"},
        {"\"path\":\"p\"},\"a b\":{\"path\":\"p\"", "a stream's name has no spaces"},
    };
    check_wrong(CASES, ARRAY_SIZE(CASES), with_exploded);
}

UNIT_TESTS(cmocka_unit_test(test_the_shop_connector), cmocka_unit_test(test_everything_a_stream_can_say),
           cmocka_unit_test(test_wrong_streams), cmocka_unit_test(test_wrong_http), cmocka_unit_test(test_wrong_captures),
           cmocka_unit_test(test_wrong_connectors), cmocka_unit_test(test_a_choice_is_made_by_the_configuration),
           cmocka_unit_test(test_wrong_choices), cmocka_unit_test(test_a_mistake_outside_the_choices_is_told_once),
           cmocka_unit_test(test_a_value_without_a_case_names_the_cases), cmocka_unit_test(test_variants_show_every_case),
           cmocka_unit_test(test_credentials_of_the_shop), cmocka_unit_test(test_a_signed_token_call),
           cmocka_unit_test(test_logins), cmocka_unit_test(test_signed_tokens), cmocka_unit_test(test_pools_of_credentials),
           cmocka_unit_test(test_a_pool_has_an_end), cmocka_unit_test(test_credentials_without_a_value_are_refused),
           cmocka_unit_test(test_exploded_streams), cmocka_unit_test(test_exploded_streams_that_cannot_work))
