/* Logins by another device (RFC 8628): how often the server is asked, what its answers mean, what is shown. */
#include "client_bench.h"

#include "net/auth.h"
#include "net/device.h"
#include "net/token_store.h"

#define ANSWER(status, json) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" json
#define CODE(more)                                                                                                             \
    ANSWER("200 OK",                                                                                                           \
           "{\"device_code\":\"device-secret\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":\"https://id.test/d\"" more    \
           "}")
#define REFUSED(error) ANSWER("400 Bad", "{\"error\":\"" error "\"}")
#define TOKENS ANSWER("200 OK", "{\"access_token\":\"access-secret\",\"refresh_token\":\"refresh-secret\",\"expires_in\":3600}")

struct shown {
    int times;
    char text[512];
};

static void show(void *context, const struct device_login *login)
{
    struct shown *shown = context;
    shown->times++;
    snprintf(shown->text, sizeof shown->text, "%s %s %s", login->user_code, login->url,
             login->complete_url ? login->complete_url : "");
}

/* A login against these answers, the first of which is that of the device authorization. */
struct trial {
    struct bench *bench;
    struct tokens tokens;
    struct shown shown;
    int rc;
};

static void log_in(struct trial *trial, const char *const *answers, size_t count)
{
    static const struct auth_pair PARAM = {STR("audience"), STR("things")};
    struct bench *bench = bench_new();
    *trial = (struct trial){.bench = bench, .tokens = TOKENS_INIT};
    for (size_t i = 0; i < count; i++)
        scripted_answer(&bench->server, (struct scripted_answer){.text = answers[i], .then = SCRIPTED_CLOSE});
    const struct auth_spec spec = {.kind = AUTH_OAUTH2,
                                   .oauth2 = {.grant = AUTH_DEVICE_CODE,
                                              .token_url = scripted_url(&bench->server, "/token"),
                                              .device_url = scripted_url(&bench->server, "/device"),
                                              .client_id = STR("me"),
                                              .client_secret = STR("hush"),
                                              .scope = STR("read"),
                                              .authorize_params = &PARAM,
                                              .authorize_param_count = 1,
                                              .login = STR("one")}};
    const struct auth_options options = {
        .clock = &bench->fake.clock, .secrets = bench->secrets, .store = token_store_memory(&trial->tokens)};
    bench->options.retry.max_tries = 1;
    assert_int_equal(auth_new(&spec, &options, &bench->options.auth, &bench->err), 0);
    bench_open(bench);
    trial->rc = session_log_in_by_device(bench->session, &spec, show, &trial->shown, &bench->err);
    bench_close(bench);
}

static void finish(struct trial *trial)
{
    tokens_release(&trial->tokens);
    bench_free(trial->bench);
}

static void test_asks_until_somebody_typed_the_code_in(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {
        CODE(",\"interval\":7,\"expires_in\":900,\"verification_uri_complete\":\"https://id.test/d?c=W\""),
        REFUSED("authorization_pending"),
        ANSWER("200 OK", "{\"error\":\"authorization_pending\"}"), /* GitHub's way */
        REFUSED("slow_down"),
        REFUSED("authorization_pending"),
        TOKENS};
    struct trial trial;
    log_in(&trial, ANSWERS, ARRAY_SIZE(ANSWERS));
    assert_int_equal(trial.rc, 0);
    assert_int_equal(trial.shown.times, 1);
    assert_string_equal(trial.shown.text, "WDJB-MJHT https://id.test/d https://id.test/d?c=W");
    assert_int_equal(trial.bench->fake.slept_ms, 3 * 7000 + 2 * 12000);
    assert_true(was_sent(&trial.bench->server, 0, "POST /device "));
    assert_true(was_sent(&trial.bench->server, 0, "client_id=me&client_secret=hush&scope=read&audience=things"));
    assert_false(was_sent(&trial.bench->server, 0, "grant_type"));
    for (size_t i = 1; i < 6; i++) {
        assert_true(was_sent(&trial.bench->server, i, "POST /token "));
        assert_true(was_sent(&trial.bench->server, i,
                             "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=me"));
        assert_true(was_sent(&trial.bench->server, i, "device_code=device-secret"));
    }
    assert_string_equal(buf_text(&trial.tokens.access_token), "access-secret");
    assert_string_equal(buf_text(&trial.tokens.refresh_token), "refresh-secret");
    char text[] = "device-secret";
    secrets_redact_text(trial.bench->secrets, text, sizeof text);
    assert_null(strstr(text, "device-secret"));
    finish(&trial);
}

static void test_without_a_word_of_it_five_seconds_lie_between(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {CODE(""), REFUSED("authorization_pending"), TOKENS};
    static const char *const HASTY[] = {CODE(",\"interval\":0"), REFUSED("authorization_pending"), TOKENS};
    struct trial trial;
    log_in(&trial, ANSWERS, ARRAY_SIZE(ANSWERS));
    assert_int_equal(trial.rc, 0);
    assert_int_equal(trial.bench->fake.slept_ms, 10000);
    finish(&trial);
    log_in(&trial, HASTY, ARRAY_SIZE(HASTY));
    assert_int_equal(trial.rc, 0);
    assert_int_equal(trial.bench->fake.slept_ms, 2000);
    finish(&trial);
}

static void test_a_server_that_is_down_is_asked_less_often(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {CODE(",\"interval\":4"), ANSWER("503 Down", "down"),
                                          REFUSED("temporarily_unavailable"), TOKENS};
    struct trial trial;
    log_in(&trial, ANSWERS, ARRAY_SIZE(ANSWERS));
    assert_int_equal(trial.rc, 0);
    assert_int_equal(trial.bench->fake.slept_ms, 4000 + 8000 + 16000);
    finish(&trial);
}

static void test_logins_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *answers[3];
        int rc;
        const char *says;
    } CASES[] = {
        {{CODE(""), REFUSED("access_denied")}, ERR_AUTH, "access_denied"},
        {{CODE(""), REFUSED("expired_token")}, ERR_AUTH, "before it ended"},
        {{CODE(",\"expires_in\":12"), REFUSED("authorization_pending"), REFUSED("authorization_pending")},
         ERR_AUTH,
         "before it ended"},
        {{CODE(""), REFUSED("invalid_grant")}, ERR_AUTH, "invalid_grant"},
        {{CODE(""), REFUSED("invalid_client")}, ERR_AUTH, "invalid_client"},
        {{REFUSED("unauthorized_client")}, ERR_AUTH, "unauthorized_client"},
        {{ANSWER("200 OK", "{\"error\":\"device_flow_disabled\"}")}, ERR_AUTH, "device_flow_disabled"},
        {{ANSWER("404 No", "nothing here")}, ERR_AUTH, "404"},
        {{ANSWER("200 OK", "<html>")}, ERR_TRANSIENT, "could not read"},
        {{ANSWER("200 OK", "[]")}, ERR_DATA, "lacks a code"},
        {{ANSWER("200 OK", "{\"device_code\":\"d\",\"user_code\":\"u\"}")}, ERR_DATA, "lacks a code"},
        {{ANSWER("200 OK", "{\"device_code\":\"d\",\"user_code\":\"\\u001b[2J\",\"verification_uri\":\"https://id.test\"}")},
         ERR_DATA,
         "can be shown"},
        {{ANSWER("200 OK", "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"https://id.test/\\u001b]0;x\"}")},
         ERR_DATA,
         "can be shown"},
        {{ANSWER("200 OK", "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"javascript:alert(1)\"}")},
         ERR_DATA,
         "can be shown"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct trial trial;
        size_t count = 0;
        while (count < 3 && CASES[i].answers[count]) count++;
        log_in(&trial, CASES[i].answers, count);
        if (trial.rc != CASES[i].rc) fail_msg("case %zu: %d %s", i, trial.rc, trial.bench->err.message);
        assert_says(trial.bench, CASES[i].says);
        assert_int_equal(trial.shown.times, strstr(CASES[i].answers[0], "WDJB") != NULL);
        assert_int_equal(trial.tokens.access_token.size, 0);
        finish(&trial);
    }
}

static void stop(void *context)
{
    cancel_fire(context, CANCEL_STOP);
}

static void test_a_login_can_be_stopped(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    struct tokens tokens = TOKENS_INIT;
    struct shown shown = {0};
    const struct auth_spec spec = {.kind = AUTH_OAUTH2,
                                   .oauth2 = {.grant = AUTH_DEVICE_CODE,
                                              .token_url = scripted_url(&bench->server, "/token"),
                                              .device_url = scripted_url(&bench->server, "/device"),
                                              .client_id = STR("me")}};
    const struct auth_options options = {.clock = &bench->fake.clock, .store = token_store_memory(&tokens)};
    scripted_answer(&bench->server, (struct scripted_answer){
                                        .text = CODE(""), .then = SCRIPTED_CLOSE, .before = stop, .context = bench->cancel});
    assert_int_equal(auth_new(&spec, &options, &bench->options.auth, &bench->err), 0);
    bench_open(bench);
    assert_int_equal(session_log_in_by_device(bench->session, &spec, show, &shown, &bench->err), ERR_CANCELLED);
    bench_end(bench);
    tokens_release(&tokens);
}

UNIT_TESTS(cmocka_unit_test(test_asks_until_somebody_typed_the_code_in),
           cmocka_unit_test(test_without_a_word_of_it_five_seconds_lie_between),
           cmocka_unit_test(test_a_server_that_is_down_is_asked_less_often), cmocka_unit_test(test_logins_that_fail),
           cmocka_unit_test(test_a_login_can_be_stopped))
