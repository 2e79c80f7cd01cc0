#include "unit.h"

#include <string.h>

#include "base/json_layout.h"
#include "data/block.h"
#include "net/cassette.h"
#include "os/clock.h"
#include "os/secret.h"

static struct cassette *read_text(const char *text)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct cassette *cassette;
    cassette_read(str_from(text), "t", 1, 0, &cassette, &problems);
    assert_int_equal(problems.count, 0);
    arena_release(&arena);
    return cassette;
}

/* Sends; gives the status, or the failure's class. */
static int ask(struct cassette *cassette, struct http_request request, const char *body_is, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct http_response response = {0};
    const struct http_options options = {.limits = HTTP_LIMITS_DEFAULT};
    bool was_sent;
    *err = ERR_INIT;
    int rc = cassette_answer(cassette, &options, &request, &arena, &response, &was_sent, err);
    if (rc == 0) {
        if (body_is) assert_string_equal(response.body->data, body_is);
        rc = response.status;
        http_response_release(&response);
    }
    arena_release(&arena);
    return rc;
}

static void test_matches_by_content(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cassette *cassette = read_text("> GET /o?a=1&b=x%20y\n< 200\n<\n< one\n"
                                          "> POST /s\n>\n> {\"b\": 2, \"a\": [1]}\n< 201\n"
                                          "> POST /t\n>\n> x=1&y=***\n< 202\n"
                                          "> GET https://other.test/o\n< 204\n"
                                          "> GET /lost\n! gone\n");
    assert_int_equal(ask(cassette, (struct http_request){.method = "GET", .url = "https://h.test/o?b=x+y&a=1"}, "one", &err),
                     200);
    assert_int_equal(ask(cassette, (struct http_request){.method = "GET", .url = "https://h.test/o?b=x+y&a=1"}, NULL, &err),
                     ERR_SOURCE);
    assert_non_null(strstr(err.message, "t:1 answers once"));
    assert_int_equal(ask(cassette,
                         (struct http_request){.method = "POST", .url = "https://h.test/s", .body = STR("{\"a\":[1],\"b\":3}")},
                         NULL, &err),
                     ERR_SOURCE);
    assert_non_null(strstr(err.message, "the body is"));
    assert_int_equal(ask(cassette,
                         (struct http_request){.method = "POST", .url = "https://h.test/s", .body = STR("{\"a\":[1],\"b\":2}")},
                         NULL, &err),
                     201);
    assert_int_equal(
        ask(cassette, (struct http_request){.method = "POST", .url = "https://h.test/t", .body = STR("y=9&x=1")}, NULL, &err),
        202);
    assert_int_equal(ask(cassette, (struct http_request){.method = "GET", .url = "https://h.test/o"}, NULL, &err), ERR_SOURCE);
    assert_int_equal(ask(cassette, (struct http_request){.method = "GET", .url = "https://other.test/o"}, "", &err), 204);
    assert_int_equal(ask(cassette, (struct http_request){.method = "GET", .url = "https://h.test/lost"}, NULL, &err),
                     ERR_TRANSIENT);
    cassette_free(cassette);
}

static void test_a_body_shorter_than_its_length_is_cut(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cassette *cassette = read_text("> GET /o\n< 200\n< Content-Length: 10\n<\n< one\n");
    assert_int_equal(ask(cassette, (struct http_request){.method = "GET", .url = "https://h.test/o"}, NULL, &err),
                     ERR_TRANSIENT);
    cassette_free(cassette);
}

static void record(struct cassette *recorder, bool is_token_call, const char *url, struct str body)
{
    struct http_header sent[] = {{STR("Authorization"), STR("Bearer abc")}, {STR("X-Own"), STR("s3cr3t!")}};
    struct http_header came[] = {{STR("date"), STR("now")}, {STR("set-cookie"), STR("sid=1")}, {STR("link"), STR("</n>")}};
    struct block *block = block_new(NULL, body.size);
    memcpy(block->data, body.data, body.size);
    block->size = body.size;
    block_seal(block);
    struct http_request request = {.method = "GET", .url = url, .headers = sent, .header_count = 2, .anonymous = is_token_call};
    struct http_response response = {.status = 200, .headers = came, .header_count = 3, .body = block};
    cassette_record(recorder, &request, 0, &response, NULL);
    block_release(block);
}

static void test_a_recording_has_no_secrets_and_reads_back(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
    struct cassette *recorder = cassette_new_recorder(0);
    struct secrets *secrets = secrets_new();
    struct err err = ERR_INIT;
    secrets_add(secrets, "own", STR("s3cr3t!"));
    record(recorder, true, "https://h.test/token", STR("{\"access_token\":\"tok-1\",\"token_type\":\"bearer\",\"n\":1.50}"));
    record(recorder, false, "https://h.test/o?k=s3cr3t%21", STR("a\n\n<b\n"));
    record(recorder, false, "https://other.test/z", (struct str){"\0\1", 2});
    cassette_write(recorder, secrets, true, &text);
    assert_null(strstr(text.data, "s3cr3t"));
    assert_null(strstr(text.data, "abc"));
    assert_null(strstr(text.data, "tok-1"));
    assert_null(strstr(text.data, "sid=1"));
    assert_non_null(strstr(text.data, "set-cookie: sid=***")); /* a login finds it by its name */
    assert_null(strstr(text.data, "date"));
    assert_non_null(strstr(text.data, "\"token_type\": \"bearer\", \"n\": 1.50"));
    struct cassette *replay = read_text(text.data);
    assert_int_equal(
        ask(replay,
            (struct http_request){.method = "GET",
                                  .url = "https://x.test/o?k=any",
                                  .headers = (struct http_header[]){{STR("X-Own"), STR("q")}, {STR("Authorization"), STR("z")}},
                                  .header_count = 2},
            "a\n\n<b\n", &err),
        200);
    cassette_write(recorder, secrets, true, &again);
    assert_string_equal(text.data, again.data);
    cassette_free(replay);
    cassette_free(recorder);
    secrets_free(secrets);
    buf_release(&text);
    buf_release(&again);
}

static void test_lays_json_out_without_touching_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *laid;
    } CASES[] = {
        {"{\"a\":1.50,\"b\":[]}", "{\"a\": 1.50, \"b\": []}"},
        {"{\"a\":\"0123456789\",\"b\":[1,{\"c\":\"}]\\\"\"}]}",
         "{\n  \"a\": \"0123456789\",\n  \"b\": [1, {\"c\": \"}]\\\"\"}]\n}"},
        {"{\"a\":", "{\"a\":"},
        {"[\"x", "[\"x"},
        {"]", "]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf out = BUF_INIT(1 << 16);
        json_layout(str_from(CASES[i].text), 30, &out);
        assert_string_equal(buf_text(&out), CASES[i].laid);
        buf_release(&out);
    }
}

/* The same text at every width: laid out, it is still itself, and an opening bracket may be the last thing in a line. */
static void test_a_layout_changes_nothing_but_space(void **state)
{
    (void)state;
    static const char TEXT[] = "{\"a\": [1, {\"b\": [], \"c\": {}}, \"xy\"], \"d\": {\"e\": [[2]]}}";
    for (size_t width = 0; width < 80; width++) {
        struct buf out = BUF_INIT(64 * 1024), bare = BUF_INIT(4096), expected = BUF_INIT(4096);
        json_layout(str_from(TEXT), width, &out);
        assert_false(out.failed);
        for (size_t i = 0; i < out.size; i++)
            if (out.data[i] != ' ' && out.data[i] != '\n') buf_append_char(&bare, out.data[i]);
        for (const char *c = TEXT; *c; c++)
            if (*c != ' ') buf_append_char(&expected, *c);
        assert_string_equal(buf_text(&bare), buf_text(&expected));
        buf_release(&out);
        buf_release(&bare);
        buf_release(&expected);
    }
}

UNIT_TESTS(cmocka_unit_test(test_matches_by_content), cmocka_unit_test(test_a_body_shorter_than_its_length_is_cut),
           cmocka_unit_test(test_a_recording_has_no_secrets_and_reads_back),
           cmocka_unit_test(test_lays_json_out_without_touching_it), cmocka_unit_test(test_a_layout_changes_nothing_but_space))
