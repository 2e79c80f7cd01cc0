/* What servers answer, whole and broken, and what becomes of it. */
#include "client_bench.h"

#include <sys/mman.h>
#include <unistd.h>

#include "data/block.h"
#include "os/compress.h"

/* --- good answers -------------------------------------------------------------------------------- */

static void test_gets_a_page(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    const struct http_header headers[] = {{STR("Accept"), STR("application/json")}, {STR("X-Empty"), STR("")}};
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "GET",
                                                              .url = scripted_url(&bench->server, "/orders?page=1"),
                                                              .headers = headers,
                                                              .header_count = 2}),
                     0);
    assert_int_equal(bench->response.status, 200);
    assert_body(bench, "{\"orders\":[]}");
    assert_false(bench->response.ends_with_connection);
    assert_int_equal(bench->response.wire_bytes, 13);
    assert_true(str_equal(http_header(&bench->response, "Content-Type"), STR("application/json")));
    assert_int_equal(http_header(&bench->response, "x-none").size, 0);
    assert_non_null(strstr(bench->response.url, "/orders?page=1"));
    assert_int_equal(client_counters(bench->client)->requests, 1);
    assert_int_equal(client_counters(bench->client)->body_bytes, 13);
    bench_close(bench);
    assert_true(was_sent(&bench->server, 0, "GET /orders?page=1 HTTP/1.1\r\n"));
    assert_true(was_sent(&bench->server, 0, "\r\nAccept-Encoding: gzip, deflate\r\n"));
    assert_true(was_sent(&bench->server, 0, "\r\nUser-Agent: sluice/"));
    assert_true(was_sent(&bench->server, 0, "\r\nX-Empty:\r\n"));
    assert_false(was_sent(&bench->server, 0, "Content-Type"));
    assert_false(was_sent(&bench->server, 0, "Authorization"));
    bench_free(bench);
}

static void test_sends_a_body(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    const struct http_header type = {STR("Content-Type"), STR("application/json")};
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, OK_JSON);
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "POST",
                                                              .url = scripted_url(&bench->server, "/search"),
                                                              .headers = &type,
                                                              .header_count = 1,
                                                              .body = STR("{\"a\":1}")}),
                     0);
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "POST", .url = scripted_url(&bench->server, "/empty")}),
                     0);
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "DELETE", .url = scripted_url(&bench->server, "/one")}),
                     0);
    bench_close(bench);
    assert_true(was_sent(&bench->server, 0, "POST /search"));
    assert_true(was_sent(&bench->server, 0, "Content-Length: 7\r\n"));
    assert_true(was_sent(&bench->server, 0, "\r\n\r\n{\"a\":1}"));
    assert_false(was_sent(&bench->server, 0, "Expect"));
    assert_true(was_sent(&bench->server, 1, "Content-Length: 0\r\n"));
    assert_true(was_sent(&bench->server, 2, "DELETE /one"));
    bench_free(bench);
}

static void test_one_connection_serves_many_requests(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
    for (int i = 0; i < 20; i++) assert_int_equal(bench_get(bench, "/x"), 0);
    bench_close(bench);
    assert_int_equal(bench->server.request_count, 20);
    assert_int_equal(bench->server.connection_count, 1);
    bench_free(bench);
}

/* On a kept connection that dies unseen, a request would be sent twice by the transport itself. */
static void test_what_is_not_idempotent_gets_a_fresh_connection(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_answer(&bench->server, (struct scripted_answer){.text = OK_JSON, .again = true});
    assert_int_equal(bench_get(bench, "/x"), 0);
    const struct http_request post = {.method = "POST", .url = scripted_url(&bench->server, "/x"), .body = STR("{}")};
    assert_int_equal(bench_send(bench, &post), 0);
    bench_close(bench);
    assert_int_equal(bench->server.connection_count, 2);
    bench_free(bench);
}

static void test_chunks_and_framing_that_is_sound(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum scripted_then then;
        const char *body;
        bool ends_with_connection;
    } CASES[] = {
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
         SCRIPTED_KEEP, "hello world", false},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", SCRIPTED_CLOSE, "until the end", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_CLOSE, "ok", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, "ok", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Encoding: gzip\r\n\r\n", SCRIPTED_KEEP, "", false},
        {"HTTP/1.1 204 None\r\nContent-Encoding: gzip\r\n\r\n", SCRIPTED_KEEP, "", false},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, "ok", false},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         SCRIPTED_KEEP, "ok", false},
        {"HTTP/1.1 200 OK\r\nX-Folded: a\r\n  b\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, "ok", false},
        {"HTTP/1.1 200 OK\r\nX-Folded: a\r\n \r\n\tb\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, "ok", false},
        {"HTTP/2 200 OK\r\n\r\nuntil the end", SCRIPTED_CLOSE, "until the end", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct bench *bench = bench_new();
        bench->options.retry.max_tries = 1;
        scripted_answer(&bench->server, (struct scripted_answer){.text = CASES[i].answer, .then = CASES[i].then});
        if (bench_get(bench, "/x") != 0) fail_msg("case %zu: %s", i, bench->err.message);
        assert_body(bench, CASES[i].body);
        struct str folded = http_header(&bench->response, "X-Folded");
        assert_true(folded.size == 0 || str_equal(folded, STR("a b")));
        assert_int_equal(folded.size > 0, strstr(CASES[i].answer, "X-Folded") != NULL);
        if (bench->response.ends_with_connection != CASES[i].ends_with_connection) fail_msg("case %zu: its end", i);
        bench_end(bench);
    }
}

static void test_a_head_request_has_no_body(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    scripted_say(&bench->server, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nContent-Encoding: gzip\r\n\r\n");
    assert_int_equal(bench_send(bench, &(struct http_request){.method = "HEAD", .url = scripted_url(&bench->server, "/x")}), 0);
    assert_int_equal(bench->response.body->size, 0);
    bench_end(bench);
}

static void test_bodies_are_charged_to_the_budget(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    struct budget *budget = budget_new(1024 * 1024);
    bench->options.budget = budget;
    scripted_say(&bench->server, OK_JSON);
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(budget_used(budget), 13); /* the announced length, not a byte more */
    http_response_release(&bench->response);
    assert_int_equal(budget_used(budget), 0);
    bench_end(bench);
    budget_free(budget);
}

/* --- compressed answers -------------------------------------------------------------------------- */

/* `size` bytes, a repeated pattern of `period` ones, as gzip behind a head. Returns the length of the whole. */
static size_t gzip_answer(size_t size, size_t period, size_t cut, char **out)
{
    struct err err = ERR_INIT;
    struct compressor_result result;
    int fd = memfd_create("gzip", MFD_CLOEXEC);
    struct compressor *compressor = compressor_new(fd, "gzip", COMPRESSION_GZIP);
    char *plain = mem_alloc(size);
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        plain[i] = i < period ? (char)(seed >> 24) : plain[i - period];
    }
    assert_int_equal(compressor_write(compressor, plain, size, &err), 0);
    assert_int_equal(compressor_finish(compressor, &result, &err), 0);
    compressor_free(compressor);
    size_t stored = (size_t)result.stored_bytes - cut;
    *out = mem_zero(1, stored + 200);
    size_t head =
        (size_t)snprintf(*out, 200, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", stored);
    assert_int_equal(pread(fd, *out + head, stored, 0), (ssize_t)stored);
    close(fd);
    free(plain);
    return head + stored;
}

static int get_gzip(size_t size, size_t period, size_t cut, struct bench **out)
{
    char *answer;
    size_t length = gzip_answer(size, period, cut, &answer);
    struct bench *bench = *out = bench_new();
    bench->options.retry.max_tries = 1;
    scripted_answer(&bench->server, (struct scripted_answer){.text = answer, .size = length});
    int rc = bench_get(bench, "/x");
    if (rc == 0) assert_true(bench->response.wire_bytes < length);
    bench_close(bench); /* its thread has read `answer` */
    free(answer);
    return rc;
}

static void test_gzip_is_undone_and_checked(void **state)
{
    (void)state;
    struct bench *bench;
    char *answer;
    size_t length = gzip_answer(300000, 5000, 0, &answer);
    bench = bench_new();
    scripted_answer(&bench->server, (struct scripted_answer){.text = answer, .size = length});
    assert_int_equal(bench_get(bench, "/x"), 0);
    assert_int_equal(bench->response.body->size, 300000);
    assert_memory_equal(bench->response.body->data, bench->response.body->data + 5000, 295000);
    assert_false(bench->response.ends_with_connection);
    bench_end(bench);
    free(answer);

    /* Without its last 8 bytes, the check sum and the length; the Content-Length agrees with what is sent. */
    assert_int_equal(get_gzip(300000, 5000, 8, &bench), ERR_TRANSIENT);
    assert_says(bench, "ends early");
    bench_free(bench);
    assert_int_equal(get_gzip(300000, 5000, 1, &bench), ERR_TRANSIENT);
    bench_free(bench);
}

static void test_bombs_are_refused(void **state)
{
    (void)state;
    struct bench *bench;
    assert_int_equal(get_gzip(8 * 1024 * 1024, 1, 0, &bench), ERR_DATA); /* a thousandfold */
    assert_says(bench, "200 times");
    bench_free(bench);
    assert_int_equal(get_gzip(17 * 1024 * 1024, 40000, 0, &bench), ERR_DATA);
    assert_says(bench, "16777216 bytes");
    bench_free(bench);
}

/* --- broken answers ------------------------------------------------------------------------------ */

static void test_broken_answers(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum scripted_then then;
        int class;
        const char *says;
    } CASES[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", SCRIPTED_CLOSE, ERR_TRANSIENT, "body"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", SCRIPTED_RESET, ERR_TRANSIENT, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", SCRIPTED_CLOSE, ERR_TRANSIENT, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", SCRIPTED_CLOSE, ERR_TRANSIENT, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello", SCRIPTED_KEEP, ERR_TRANSIENT,
         "two lengths, 5 and 4"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5, 4\r\n\r\nhello", SCRIPTED_KEEP, ERR_TRANSIENT, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", SCRIPTED_KEEP, ERR_DATA, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", SCRIPTED_KEEP, ERR_TRANSIENT,
         "both"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", SCRIPTED_KEEP, ERR_DATA, "transfer coding"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, ERR_DATA,
         "'gzip, gzip'"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP,
         ERR_DATA, "coding"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, ERR_DATA, "'br'"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip", SCRIPTED_KEEP, ERR_TRANSIENT,
         "gzip"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", SCRIPTED_HANG, ERR_DATA, "16777216 bytes"},
        {"HTTP/1.1 206 Part\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, ERR_SOURCE, "206"},
        {"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok", SCRIPTED_KEEP, ERR_SOURCE, "999"},
        {"hello, this is no HTTP at all\r\n\r\n", SCRIPTED_CLOSE, ERR_DATA, ""},
        {"HTTP/1.1 200 OK\r\nContent-Le", SCRIPTED_CLOSE, ERR_TRANSIENT, ""},
        {NULL, SCRIPTED_CLOSE, ERR_TRANSIENT, "could not"},
        {NULL, SCRIPTED_RESET, ERR_TRANSIENT, "could not"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_class(CASES[i].answer, CASES[i].then, CASES[i].class, CASES[i].says);
    }
}

static void test_a_nul_in_a_header_is_refused(void **state)
{
    (void)state;
    static const char ANSWER[] = "HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\nok";
    char message[1024];
    assert_int_equal(class_of(ANSWER, sizeof ANSWER - 1, SCRIPTED_KEEP, message, sizeof message), ERR_DATA);
}

static void test_floods_are_refused(void **state)
{
    (void)state;
    static const char LINE[] =
        "X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    char *lines = repeat("HTTP/1.1 200 OK\r\n", LINE, 1000, "Content-Length: 2\r\n\r\nok");
    char *one = repeat("HTTP/1.1 200 OK\r\nX-One: ", "aaaaaaaaaaaaaaaa", 20000, "\r\nContent-Length: 2\r\n\r\nok");
    char *many = repeat("", "HTTP/1.1 100 Continue\r\n\r\n", 21, OK_JSON);
    char *some = repeat("", "HTTP/1.1 100 Continue\r\n\r\n", 20, OK_JSON);
    char *trailers = repeat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", LINE, 1000, "\r\n");
    assert_class(lines, SCRIPTED_KEEP, ERR_DATA, "headers");
    assert_class(one, SCRIPTED_KEEP, ERR_DATA, "");
    assert_class(many, SCRIPTED_KEEP, ERR_DATA, "informational");
    assert_class(some, SCRIPTED_KEEP, 0, "");
    assert_class(trailers, SCRIPTED_KEEP, ERR_DATA, "headers");
    free(lines);
    free(one);
    free(many);
    free(some);
    free(trailers);
}

static void test_a_body_without_end_is_cut_off(void **state)
{
    (void)state;
    struct bench *bench = bench_new();
    char *endless = repeat("HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef", 10000, "");
    bench->options.limits.body_bytes = 100000;
    bench->options.retry.max_tries = 1;
    scripted_answer(&bench->server, (struct scripted_answer){.text = endless, .then = SCRIPTED_HANG});
    assert_int_equal(bench_get(bench, "/x"), ERR_DATA);
    assert_says(bench, "100000 bytes");
    bench_end(bench);
    free(endless);
}

/* Trouble with the body of a refusal does not hide what it says. */
static void test_a_refusal_is_believed_whatever_its_body(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum scripted_then then;
        int class;
    } CASES[] = {
        {"HTTP/1.1 404 No\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nbad", SCRIPTED_KEEP, ERR_SOURCE},
        {"HTTP/1.1 404 No\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nbad", SCRIPTED_KEEP, ERR_SOURCE},
        {"HTTP/1.1 403 No\r\nContent-Length: 30\r\n\r\nbad", SCRIPTED_CLOSE, ERR_PERMISSION},
        {"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n", SCRIPTED_RESET, ERR_SOURCE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_class(CASES[i].answer, CASES[i].then, CASES[i].class, "cannot be served");
    char *large = repeat("HTTP/1.1 422 No\r\nContent-Length: 1600000\r\n\r\n", "0123456789abcdef", 100000, "");
    assert_class(large, SCRIPTED_HANG, ERR_SOURCE, "422 Unprocessable Content: 0123");
    free(large);
}

UNIT_TESTS(cmocka_unit_test(test_gets_a_page), cmocka_unit_test(test_sends_a_body),
           cmocka_unit_test(test_one_connection_serves_many_requests),
           cmocka_unit_test(test_what_is_not_idempotent_gets_a_fresh_connection),
           cmocka_unit_test(test_chunks_and_framing_that_is_sound), cmocka_unit_test(test_a_head_request_has_no_body),
           cmocka_unit_test(test_bodies_are_charged_to_the_budget), cmocka_unit_test(test_gzip_is_undone_and_checked),
           cmocka_unit_test(test_bombs_are_refused), cmocka_unit_test(test_broken_answers),
           cmocka_unit_test(test_a_nul_in_a_header_is_refused), cmocka_unit_test(test_floods_are_refused),
           cmocka_unit_test(test_a_body_without_end_is_cut_off), cmocka_unit_test(test_a_refusal_is_believed_whatever_its_body))
