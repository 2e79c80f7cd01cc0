/* log: the shape of a line, what is kept out of it, and that lines of many threads stay whole. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "os/fs.h"
#include "os/log.h"
#include "os/secret.h"
#include "os/thread.h"

/* A log into a pipe that is large enough for what a test says. */
struct capture {
    int ends[2];
    struct log *log;
    struct buf text;
};

static void capture_start(struct capture *capture, enum log_format format, enum log_level level, struct secrets *secrets)
{
    *capture = (struct capture){.text = BUF_INIT(1 << 20)};
    assert_int_equal(pipe(capture->ends), 0);
    assert_true(fcntl(capture->ends[0], F_SETPIPE_SZ, 1 << 20) > 0);
    capture->log = log_new(capture->ends[1], format, level, secrets);
}

static const char *capture_end(struct capture *capture)
{
    struct err err = ERR_INIT;
    log_free(capture->log);
    close(capture->ends[1]);
    assert_int_equal(fs_read_fd(capture->ends[0], "pipe", 1 << 20, &capture->text, &err), 0);
    close(capture->ends[0]);
    return buf_text(&capture->text);
}

static void test_text_lines(void **state)
{
    (void)state;
    struct capture capture;
    capture_start(&capture, LOG_TEXT, LOG_DEBUG, NULL);
    struct log *shop = log_child(capture.log, "shop"), *orders = log_child(shop, "orders");
    log_info(capture.log, "starting");
    log_info(orders, "page %d: %zu records", 3, (size_t)1000);
    log_warn(orders, "slow");
    log_error(shop, "could not connect");
    log_debug(shop, "details");
    assert_string_equal(capture_end(&capture), "starting\n"
                                               "shop.orders: page 3: 1000 records\n"
                                               "warning: shop.orders: slow\n"
                                               "error: shop: could not connect\n"
                                               "debug: shop: details\n");
    buf_release(&capture.text);
}

static void test_lines_above_the_level_are_not_written(void **state)
{
    (void)state;
    struct capture capture;
    capture_start(&capture, LOG_TEXT, LOG_WARN, NULL);
    assert_true(log_wants(capture.log, LOG_ERROR));
    assert_true(log_wants(capture.log, LOG_WARN));
    assert_false(log_wants(capture.log, LOG_INFO));
    log_info(capture.log, "quiet");
    log_debug(capture.log, "quieter");
    log_warn(capture.log, "loud");
    log_warn(NULL, "nowhere");
    assert_string_equal(capture_end(&capture), "warning: loud\n");
    buf_release(&capture.text);
}

static void test_json_lines(void **state)
{
    (void)state;
    struct capture capture;
    capture_start(&capture, LOG_JSON, LOG_INFO, NULL);
    log_warn(log_child(log_child(capture.log, "shop"), "orders"), "a \"quoted\"\nline \x1b[31m \xff");
    log_info(capture.log, "no name");
    const char *text = capture_end(&capture);

    struct err err = ERR_INIT;
    struct cJSON *line = NULL;
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_int_equal(json_parse((struct str){text, (size_t)(end - text)}, 4096, &line, &err), 0);
    const char *at = json_string(json_get(line, "at"));
    int64_t at_us = 0;
    enum time_zone_mark mark = TIME_ZONE_NONE;
    assert_non_null(at);
    assert_true(time_parse_iso(str_from(at), &at_us, &mark));
    assert_int_equal(mark, TIME_ZONE_OFFSET);
    assert_true(at_us > INT64_C(1700000000000000));
    assert_string_equal(json_string(json_get(line, "level")), "warn");
    assert_string_equal(json_string(json_get(line, "name")), "shop.orders");
    assert_string_equal(json_string(json_get(line, "message")), "a \"quoted\"\nline \x1b[31m \xef\xbf\xbd");
    json_free(line);

    assert_int_equal(json_parse(str_trim(str_from(end)), 4096, &line, &err), 0);
    assert_null(json_get(line, "name"));
    assert_string_equal(json_string(json_get(line, "level")), "info");
    json_free(line);
    buf_release(&capture.text);
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct capture capture;
    capture_start(&capture, LOG_TEXT, LOG_INFO, NULL);
    log_info(capture.log, "%s",
             "a\nb\tc\rd\x1b[2Je\x7f"
             "f\x07");
    log_info(capture.log, "%s",
             "c1 \xc2\x9b"
             "31m bidi \xe2\x80\xae x \xe2\x81\xa6 line \xe2\x80\xa8");
    log_info(capture.log, "%s", "bad \xff\xc3 good \xc3\xa4 \xf0\x9f\x98\x80");
    log_info(log_child(capture.log, "na\x1bme"), "x");
    assert_string_equal(capture_end(&capture), "a\\nb\\tc\\x0dd\\x1b[2Je\\x7ff\\x07\n"
                                               "c1 \\x9b31m bidi \\u202e x \\u2066 line \\u2028\n"
                                               "bad \xef\xbf\xbd\xef\xbf\xbd good \xc3\xa4 \xf0\x9f\x98\x80\n"
                                               "na\\x1bme: x\n");
    buf_release(&capture.text);
}

static void test_secrets_are_kept_out_of_lines(void **state)
{
    (void)state;
    struct secrets *secrets = secrets_new();
    secrets_add(secrets, "key", STR("top\x01secret"));
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        struct capture capture;
        capture_start(&capture, (enum log_format)format, LOG_INFO, secrets);
        log_info(capture.log, "url ?k=top%%01secret raw %s hex 746f7001736563726574", "top\x01secret");
        log_info(log_child(capture.log, "top\x01secret"), "in the name");
        const char *text = capture_end(&capture);
        assert_null(strstr(text, "secret"));
        assert_null(strstr(text, "746f70"));
        assert_non_null(strstr(text, "url ?k=*** raw *** hex ***"));
        assert_non_null(strstr(text, format == LOG_TEXT ? "***: in the name" : "\"name\":\"***\""));
        buf_release(&capture.text);
    }
    secrets_free(secrets);
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    struct capture capture;
    capture_start(&capture, LOG_TEXT, LOG_INFO, NULL);
    char *message = mem_alloc(100 * 1024 + 1);
    memset(message, 'x', 100 * 1024);
    message[100 * 1024] = '\0';
    log_info(capture.log, "%s", message);
    memset(message, '\x01', 100 * 1024);
    log_info(capture.log, "%s", message); /* each is four characters when escaped */
    const char *text = capture_end(&capture);
    const char *second = strchr(text, '\n') + 1;
    assert_int_equal(second - text, 64 * 1024 - 1 + (int)strlen(" [cut]\n"));
    assert_true(str_ends((struct str){text, (size_t)(second - text)}, STR("xx [cut]\n")));
    assert_int_equal(strlen(second), 4 * (64 * 1024 - 1) + strlen(" [cut]\n"));
    free(message);
    buf_release(&capture.text);
}

/* A secret may look like our own keys and numbers, hold quotes, or seem to begin in the middle of an escape. */
static void test_events_stay_json_whatever_a_secret_is(void **state)
{
    (void)state;
    struct secrets *secrets = secrets_new();
    secrets_add(secrets, "a", STR("1234"));
    secrets_add(secrets, "b", STR("rows"));
    secrets_add(secrets, "c", STR("nested"));
    secrets_add(secrets, "d", STR("with\"quote"));
    secrets_add(secrets, "e", STR("\",\""));
    struct capture capture;
    capture_start(&capture, LOG_TEXT, LOG_ERROR, secrets);
    log_event(capture.log, STR("{\"rows\":1234,\"s\":\"rows 1234\" , \"t\" : \"\\nested \\\\\",\"list\":[\"ok\",\"1234\"]}"));
    log_event(capture.log, STR("{\"u\":\"<with\\\"quote>\",\"v\":\"a\\u0031234\",\"e\":\"\"}"));
    log_event(capture.log, STR("{}"));
    log_event(capture.log, STR("{\"broken"));
    assert_string_equal(capture_end(&capture),
                        "{\"rows\":1234,\"s\":\"*** ***\" , \"t\" : \"\\nested \\\\\",\"list\":[\"ok\",\"***\"]}\n"
                        "{\"u\":\"<***>\",\"v\":\"a***\",\"e\":\"\"}\n"
                        "{}\n"
                        "{\"broken\n");
    buf_release(&capture.text);
    secrets_free(secrets);
}

static void count_up(void *context)
{
    ++*(int *)context;
}

static void test_hooks_surround_each_line(void **state)
{
    (void)state;
    struct capture capture;
    int calls = 0;
    capture_start(&capture, LOG_TEXT, LOG_INFO, NULL);
    struct log *child = log_child(capture.log, "child");
    log_set_hooks(child, count_up, count_up, &calls);
    log_info(capture.log, "one");
    log_debug(capture.log, "not written");
    log_event(child, STR("{}"));
    assert_int_equal(calls, 4);
    log_set_hooks(capture.log, NULL, NULL, NULL);
    log_info(capture.log, "two");
    assert_int_equal(calls, 4);
    assert_string_equal(capture_end(&capture), "one\n{}\ntwo\n");
    buf_release(&capture.text);
}

static void test_closed_sink_is_no_failure(void **state)
{
    (void)state;
    struct capture capture;
    signal(SIGPIPE, SIG_IGN);
    capture_start(&capture, LOG_TEXT, LOG_INFO, NULL);
    close(capture.ends[0]);
    log_info(capture.log, "nobody reads this");
    assert_int_equal(errno, EPIPE);
    log_free(capture.log);
    close(capture.ends[1]);
}

enum { THREADS = 4, LINES = 500 };

static void say_much(void *context)
{
    struct log *log = context;
    for (int i = 0; i < LINES; i++) log_info(log_child(log, "child"), "line %d of a text that is long enough to be torn", i);
}

static void test_lines_of_many_threads_stay_whole(void **state)
{
    (void)state;
    struct capture capture;
    struct err err = ERR_INIT;
    capture_start(&capture, LOG_TEXT, LOG_INFO, NULL);
    struct thread threads[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) assert_int_equal(thread_start(&threads[i], "say", say_much, capture.log, 0, &err), 0);
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    struct str rest = str_from(capture_end(&capture)), line;
    int seen[LINES] = {0};
    while (str_next(&rest, '\n', &line)) {
        int number = -1;
        char tail[16];
        if (line.size == 0) continue;
        assert_int_equal(sscanf(line.data, "child: line %d of a text that is long enough to be %15s", &number, tail), 2);
        assert_string_equal(tail, "torn");
        assert_in_range(number, 0, LINES - 1);
        seen[number]++;
    }
    for (int i = 0; i < LINES; i++) assert_int_equal(seen[i], THREADS);
    buf_release(&capture.text);
}

UNIT_TESTS(cmocka_unit_test(test_text_lines), cmocka_unit_test(test_lines_above_the_level_are_not_written),
           cmocka_unit_test(test_json_lines), cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
           cmocka_unit_test(test_secrets_are_kept_out_of_lines), cmocka_unit_test(test_long_messages_are_cut),
           cmocka_unit_test(test_events_stay_json_whatever_a_secret_is), cmocka_unit_test(test_hooks_surround_each_line),
           cmocka_unit_test(test_closed_sink_is_no_failure), cmocka_unit_test(test_lines_of_many_threads_stay_whole))
