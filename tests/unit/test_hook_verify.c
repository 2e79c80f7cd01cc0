/* Signatures of webhooks: the senders' own known answers, others computed once by another program, and all that is not right.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "hook/event.h"
#include "hook/form.h"

struct sent {
    const char *headers[8][2];
};

static const char *header_of(void *context, const char *name)
{
    const struct sent *sent = context;
    for (size_t i = 0; sent->headers[i][0]; i++)
        if (str_equal_nocase(str_from(sent->headers[i][0]), str_from(name))) return sent->headers[i][1];
    return NULL;
}

static struct hook_settings settings_of(const char *scheme, const char *const *secrets, size_t count)
{
    return (struct hook_settings){
        .stream = "s", .scheme = *hook_scheme_find(str_from(scheme)), .secrets = secrets, .secret_count = count};
}

static bool is_good(const struct hook_settings *settings, const struct sent *sent, const char *body, int64_t now_ms)
{
    struct arena arena = ARENA_INIT(0);
    const struct hook_request request = {.method = "POST",
                                         .query = "",
                                         .body = str_from(body),
                                         .header = header_of,
                                         .context = (void *)(uintptr_t)sent,
                                         .now_ms = now_ms};
    const char *why = hook_refusal(settings, &request, &arena);
    if (why) assert_true(strlen(why) > 10);
    arena_release(&arena);
    return !why;
}

#define STRIPE_GOOD "c0475716eb2200f1fe97fcf35a3c05d1fd4f8ba9a07a596730c8d18bb87c0672"
#define STRIPE_BODY "{\"id\":\"evt_1\",\"type\":\"charge.succeeded\"}"

#define FORM "application/x-www-form-urlencoded"

/* GitHub, Slack, HubSpot and Twilio: from their documentation and their own libraries' tests. */
static const struct vector {
    const char *scheme, *secret, *url, *body;
    int64_t now_ms;
    struct sent sent;
    bool good;
} VECTORS[] = {
    {"github",
     "It's a Secret to Everybody",
     NULL,
     "Hello, World!",
     0,
     {{{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}},
     true},
    {"slack",
     "8f742231b10e8888abcd99yyyzzz85a5",
     NULL,
     "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_"
     "id="
     "U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%"
     "2FT1DC2"
     "JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
     1531420700000,
     {{{"X-Slack-Request-Timestamp", "1531420618"},
       {"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}}},
     true},
    {"hubspot",
     "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
     "https://www.example.com/webhook_uri",
     "{'example_field':'example_value'}",
     1693657561000,
     {{{"X-HubSpot-Signature-v3", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="},
       {"X-HubSpot-Request-Timestamp", "1693657560000"}}},
     true},
    {"hubspot",
     "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
     "https://www.example.com/webhook_uri",
     "{'example_field':'example_value'}",
     1700000301000,
     {{{"X-HubSpot-Signature-v3", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="},
       {"X-HubSpot-Request-Timestamp", "1700000300000"}}},
     true},
    {"hubspot",
     "k",
     "https://example.com/hooks/hs?src=hs%3Aapp%2Fv3&x=%28a%29",
     "[]",
     1790000001000,
     {{{"X-HubSpot-Signature-v3", "A5KHtHQTwop6wK+FG8P+RXesibHp7rijwrZYYdwlLOA="},
       {"X-HubSpot-Request-Timestamp", "1790000001000"}}},
     true},
    {"stripe",
     "whsec_test_secret",
     NULL,
     STRIPE_BODY,
     1700000299000,
     {{{"Stripe-Signature", "t=1700000000,v1=" STRIPE_GOOD ",v0=ignored"}}},
     true},
    {"stripe",
     "whsec_test_secret",
     NULL,
     STRIPE_BODY,
     1700000301000,
     {{{"Stripe-Signature", "t=1700000000,v1=" STRIPE_GOOD}}},
     false},
    {"stripe",
     "whsec_test_secret",
     NULL,
     STRIPE_BODY,
     1699999699000,
     {{{"Stripe-Signature", "t=1700000000,v1=" STRIPE_GOOD}}},
     false},
    {"stripe",
     "whsec_test_secret",
     NULL,
     STRIPE_BODY,
     1700000000000,
     {{{"Stripe-Signature",
        "t=1700000000,v1=0000000000000000000000000000000000000000000000000000000000000000,v1=" STRIPE_GOOD}}},
     true},
    {"stripe",
     "whsec_test_secret",
     NULL,
     STRIPE_BODY,
     1700000000000,
     {{{"Stripe-Signature", "t=1700000000,v0=" STRIPE_GOOD}}},
     false},
    {"stripe", "whsec_test_secret", NULL, STRIPE_BODY, 1700000000000, {{{"Stripe-Signature", "v1=" STRIPE_GOOD}}}, false},
    {"stripe", "whsec_test_secret", NULL, STRIPE_BODY, 1700000000000, {{{"Stripe-Signature", "t=,v1=" STRIPE_GOOD}}}, false},
    {"stripe", "whsec_test_secret", NULL, STRIPE_BODY, 1700000000000, {{{"Stripe-Signature", "t=-1,v1=" STRIPE_GOOD}}}, false},
    {"shopify",
     "hush",
     NULL,
     "{\"id\":820982911946154508,\"email\":\"jon@example.com\"}",
     0,
     {{{"X-Shopify-Hmac-Sha256", "D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8="}}},
     true},
    {"standard",
     "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
     NULL,
     "{\"type\":\"order.created\"}",
     1700000000000,
     {{{"webhook-id", "msg_1"},
       {"webhook-timestamp", "1700000000"},
       {"webhook-signature", "v1,AAAA v1,+2sMHmJpgJFJ4gM+yHs6mzyQTyhRWynWODLsEc1rfKk= v1a,other"}}},
     true},
    {"standard",
     "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
     NULL,
     "{\"type\":\"order.created\"}",
     1700000000000,
     {{{"webhook-id", "msg_2"},
       {"webhook-timestamp", "1700000000"},
       {"webhook-signature", "v1,+2sMHmJpgJFJ4gM+yHs6mzyQTyhRWynWODLsEc1rfKk="}}},
     false},
    {"zendesk",
     "zsecret",
     NULL,
     "{\"ticket\":{\"id\":1}}",
     0,
     {{{"X-Zendesk-Webhook-Signature", "wYNY4uSNLFxe6ATatEmmM/uwKegAIFGNA69kDouz/zg="},
       {"X-Zendesk-Webhook-Signature-Timestamp", "2024-01-15T10:30:22Z"}}},
     true},
    {"gitlab", "shared", NULL, "{}", 0, {{{"X-Gitlab-Token", "shared"}}}, true},
    {"gitlab", "shared", NULL, "{}", 0, {{{"X-Gitlab-Token", "share"}}}, false},
    {"gitlab", "", NULL, "{}", 0, {{{"X-Gitlab-Token", ""}}}, false},
    {"twilio",
     "12345",
     "https://mycompany.com/myapp.php?foo=1&bar=2",
     "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
     0,
     {{{"X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="}, {"Content-Type", FORM}}},
     true},
    {"twilio",
     "12345",
     "https://mycompany.com/myapp.php?foo=1&bar=2",
     "To=%2b18005551212&From=%2B12349013030&&Digits=1234&Caller=%2B12349013030&CallSid=CA1234567890ABCDE",
     0,
     {{{"X-Twilio-Signature", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
       {"Content-Type", "Application/X-WWW-Form-urlencoded ; charset=UTF-8"}}},
     true},
    /* Of a request without fields: of any other body nothing would be signed. */
    {"twilio",
     "12345",
     "https://mycompany.com/",
     "{\"forged\":true}",
     0,
     {{{"X-Twilio-Signature", "7bhwr/KvdF/S0bLkS3ZixLRXTHA="}, {"Content-Type", "application/json"}}},
     false},
    {"none", "", NULL, "{}", 0, {{{NULL}}}, true},
};

static void test_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        struct hook_settings settings = settings_of(VECTORS[i].scheme, &VECTORS[i].secret, 1);
        settings.url = VECTORS[i].url;
        if (is_good(&settings, &VECTORS[i].sent, VECTORS[i].body, VECTORS[i].now_ms) != VECTORS[i].good)
            fail_msg("vector %zu", i);
    }
}

/* Whatever of a good request is changed, it is not good any more. */
static void test_nothing_may_be_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        const struct vector *vector = &VECTORS[i];
        struct hook_settings settings = settings_of(vector->scheme, &vector->secret, 1);
        settings.url = vector->url;
        if (!vector->good || !settings.scheme.header) continue;
        char body[1024];
        snprintf(body, sizeof body, "%s ", vector->body);
        if (!settings.scheme.is_token) assert_false(is_good(&settings, &vector->sent, body, vector->now_ms));
        struct hook_settings none = settings_of(vector->scheme, NULL, 0);
        none.url = vector->url;
        assert_false(is_good(&none, &vector->sent, vector->body, vector->now_ms));
        for (size_t h = 0; vector->sent.headers[h][0]; h++) { /* each header missing, and empty */
            struct sent sent = vector->sent;
            sent.headers[h][1] = "";
            assert_false(is_good(&settings, &sent, vector->body, vector->now_ms));
            sent.headers[h][0] = "X-Other";
            assert_false(is_good(&settings, &sent, vector->body, vector->now_ms));
        }
    }
}

static void test_a_secret_may_be_replaced_and_is_never_empty(void **state)
{
    (void)state;
    const char *const both[] = {"new", "It's a Secret to Everybody"}, *const empty[] = {""};
    struct hook_settings settings = settings_of("github", both, 2);
    assert_true(is_good(&settings, &VECTORS[0].sent, VECTORS[0].body, 0));
    /* HMAC-SHA-256 of "x" with an empty key: what anybody can compute. */
    const struct sent forged = {
        {{"X-Hub-Signature-256", "sha256=4cbc96099a6467ce002461f10549b4898265ebe6188b45efacc44293516e62c4"}}};
    settings = settings_of("github", empty, 1);
    assert_false(is_good(&settings, &forged, "x", 0));
}

/* --- events -------------------------------------------------------------------------------------------------------------- */

static const char *read_event(const struct hook_settings *settings, const struct sent *sent, const char *body,
                              enum hook_kind kind, struct arena *arena)
{
    struct hook_outcome outcome = HOOK_OUTCOME;
    const struct hook_request request = {.method = "POST",
                                         .query = "",
                                         .body = str_from(body),
                                         .header = header_of,
                                         .context = (void *)(uintptr_t)sent,
                                         .now_ms = 1700000000000};
    hook_read(settings, &request, arena, &outcome);
    if (outcome.kind != kind) fail_msg("%s: %s", body, outcome.why ? outcome.why : buf_text(&outcome.lines));
    const char *text = kind == HOOK_BAD      ? outcome.why
                       : kind == HOOK_ANSWER ? outcome.reply
                                             : arena_strdup(arena, buf_text(&outcome.lines));
    if (kind != HOOK_EVENTS) assert_int_equal(outcome.lines.size, 0);
    buf_release(&outcome.lines);
    return text;
}

#define AT "\"_received_at\":\"2023-11-14T22:13:20Z\"}\n"

static void test_events_become_lines(void **state)
{
    (void)state;
    const struct sent sent = {{{"X-Id", "h1"}}};
    struct hook_settings settings = settings_of("none", NULL, 0);
    struct arena arena = ARENA_INIT(0);
    settings.scheme.id = "id";
    assert_string_equal(read_event(&settings, &sent, " {\"id\":\"a\",\n\t\"n\":1e400}", HOOK_EVENTS, &arena),
                        "{\"id\":\"a\", \t\"n\":1e400,\"_event_id\":\"a\"," AT);
    assert_string_equal(read_event(&settings, &sent, "[{\"id\":12345678901234567890},{ }]", HOOK_EVENTS, &arena),
                        "{\"id\":12345678901234567890,\"_event_id\":\"12345678901234567890\"," AT
                        "{\"_event_id\":\"257c1be96ae69f4b01c2c69bdb6d7860\"," AT);
    arena_release(&arena);
}

static void test_ids_and_required_fields(void **state)
{
    (void)state;
    const char *const required[] = {"id", "data.x"};
    const struct sent sent = {{{"X-Id", "h\"1"}}};
    struct hook_settings settings = settings_of("none", NULL, 0);
    struct arena arena = ARENA_INIT(0);
    settings.scheme.id = "header:X-Id";
    assert_string_equal(read_event(&settings, &sent, "{}", HOOK_EVENTS, &arena), "{\"_event_id\":\"h\\\"1\"," AT);
    assert_string_equal(read_event(&settings, &sent, "[{},{}]", HOOK_EVENTS, &arena),
                        "{\"_event_id\":\"h\\\"1-0\"," AT "{\"_event_id\":\"h\\\"1-1\"," AT);
    settings.required = required;
    settings.required_count = 2;
    assert_string_equal(read_event(&settings, &sent, "{\"id\":null,\"data\":{}}", HOOK_BAD, &arena),
                        "Missing required fields: id, data.x");
    assert_string_equal(read_event(&settings, &sent, "[{\"id\":1,\"data\":{\"x\":0}},{\"id\":1}]", HOOK_BAD, &arena),
                        "Missing required fields: data.x");
    arena_release(&arena);
}

static void test_what_is_no_event_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",  " ",   "1",        "\"x\"",          "null", "[1]", "[{},[]]",
                                      "{", "{}}", "{\"a\":}", "{\"a\":\"\n\"}", "[{}",  "a=b"};
    const struct sent sent = {{{NULL}}};
    struct hook_settings settings = settings_of("none", NULL, 0);
    struct arena arena = ARENA_INIT(0);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) read_event(&settings, &sent, BAD[i], HOOK_BAD, &arena);
    arena_release(&arena);
}

static void test_forms_are_events(void **state)
{
    (void)state;
    const struct sent sent = {{{"Content-Type", FORM}}}, other = {{{"Content-Type", "text/plain"}}};
    struct hook_settings settings = settings_of("none", NULL, 0);
    struct arena arena = ARENA_INIT(0);
    char many[4 * (FORM_FIELDS_MAX + 1) + 1] = "";
    settings.scheme.id = "id";
    assert_string_equal(read_event(&settings, &sent, "text=a+b%21&id=%C3%A4&&k=1&flag&k=%7B2%&k=", HOOK_EVENTS, &arena),
                        "{\"flag\":\"\",\"id\":\"\xc3\xa4\",\"k\":[\"1\",\"{2%\",\"\"],\"text\":\"a b!\","
                        "\"_event_id\":\"\xc3\xa4\"," AT);
    assert_string_equal(read_event(&settings, &sent, "id=%ff%00%0A\"", HOOK_EVENTS, &arena),
                        "{\"id\":\"\xef\xbf\xbd\\u0000\\n\\\"\",\"_event_id\":\"\xef\xbf\xbd\xef\xbf\xbd\\n\\\"\"," AT);
    assert_string_equal(read_event(&settings, &sent, "payload=%7B%22id%22%3A7%7D", HOOK_EVENTS, &arena),
                        "{\"id\":7,\"_event_id\":\"7\"," AT);
    assert_non_null(strstr(read_event(&settings, &sent, "payload=%7B%22id%22", HOOK_BAD, &arena), "no JSON"));
    read_event(&settings, &sent, "", HOOK_BAD, &arena);
    read_event(&settings, &other, "id=1", HOOK_BAD, &arena);
    for (size_t i = 0; i <= FORM_FIELDS_MAX; i++) memcpy(many + 4 * i, "a=b&", 5);
    assert_non_null(strstr(read_event(&settings, &sent, many, HOOK_BAD, &arena), "more than 1000 fields"));
    many[4 * FORM_FIELDS_MAX] = '\0';
    read_event(&settings, &sent, many, HOOK_EVENTS, &arena);
    arena_release(&arena);
}

static void test_questions_are_answered(void **state)
{
    (void)state;
    const struct sent sent = {{{NULL}}};
    const char *const secret[] = {"s"};
    struct arena arena = ARENA_INIT(0);
    struct hook_settings settings = settings_of("slack", secret, 1);
    assert_string_equal(
        read_event(&settings, &sent, "{\"type\":\"url_verification\",\"challenge\":\"3e\\\"Z\"}", HOOK_ANSWER, &arena),
        "{\"challenge\":\"3e\\\"Z\"}");
    read_event(&settings, &sent, "{\"type\":\"event_callback\",\"challenge\":\"x\"}", HOOK_EVENTS, &arena);
    settings = settings_of("zoom", secret, 1);
    assert_string_equal(
        read_event(&settings, &sent, "{\"event\":\"endpoint.url_validation\",\"payload\":{\"plainToken\":\"p\"}}", HOOK_ANSWER,
                   &arena),
        "{\"plainToken\":\"p\",\"encryptedToken\":\"9d97373bced51883ef60d48f996df9497e2f90a9e680d273e90ce8ff5a88daf2\"}");
    settings = settings_of("meta", secret, 1);
    settings.verify_token = "v";
    assert_true(hook_greets(&settings, "subscribe", "v", "123"));
    assert_false(hook_greets(&settings, "subscribe", "w", "123"));
    assert_false(hook_greets(&settings, "other", "v", "123"));
    assert_false(hook_greets(&settings, "subscribe", "v", NULL));
    settings.verify_token = "";
    assert_false(hook_greets(&settings, "subscribe", "", "123"));
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_known_answers), cmocka_unit_test(test_nothing_may_be_changed),
           cmocka_unit_test(test_a_secret_may_be_replaced_and_is_never_empty), cmocka_unit_test(test_events_become_lines),
           cmocka_unit_test(test_ids_and_required_fields), cmocka_unit_test(test_what_is_no_event_is_refused),
           cmocka_unit_test(test_forms_are_events), cmocka_unit_test(test_questions_are_answered))
