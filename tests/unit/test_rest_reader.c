/* The reader against a real server over loopback that gives scripted answers, one connection each, and notes what it was asked.
 */
#include "rest_unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"
#include "os/clock.h"
#include "os/secret.h"
#include "rest/access.h"
#include "rest/reader.h"

enum { MAX_ANSWERS = 16 };

struct answer {
    const char *status;  /* "200 OK" */
    const char *headers; /* each with its CRLF; NULL: none */
    const char *body;
};

struct server {
    int listener;
    int port;
    pthread_t thread;
    const struct answer *answers;
    size_t answer_count;
    size_t served;
    char lines[MAX_ANSWERS][512]; /* "GET /orders?page=1 HTTP/1.1" */
};

static void serve_one(struct server *server, int connection)
{
    char request[16384];
    size_t size = 0;
    while (size + 1 < sizeof request) {
        ssize_t got = recv(connection, request + size, sizeof request - 1 - size, 0);
        if (got <= 0) return;
        size += (size_t)got;
        request[size] = '\0';
        if (strstr(request, "\r\n\r\n")) break;
    }
    size_t line = strcspn(request, "\r");
    snprintf(server->lines[server->served], sizeof server->lines[0], "%.*s", (int)line, request);
    const struct answer *answer = &server->answers[server->served++];
    char text[8192];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s",
                          answer->status, strlen(answer->body), answer->headers ? answer->headers : "", answer->body);
    for (ssize_t sent = 0, now = 1; sent < length && now > 0; sent += now)
        now = send(connection, text + sent, (size_t)(length - sent), MSG_NOSIGNAL);
    shutdown(connection, SHUT_WR);
}

static void *serve(void *context)
{
    struct server *server = context;
    while (server->served < server->answer_count) {
        int connection = accept(server->listener, NULL, NULL);
        if (connection < 0) break;
        serve_one(server, connection);
        close(connection);
    }
    return NULL;
}

/* A connector, its client and its server. */
struct fixture {
    struct arena arena;
    struct server server;
    struct clock_fake clock;
    struct secrets *secrets;
    const struct config *config;
    const struct description *description;
    struct guard *own;
    struct client *client;
    struct session *session;
    struct reader_options options;
    struct functions functions;
    struct err err;
};

static void start_server(struct server *server, const struct answer *answers, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct server){.answers = answers, .answer_count = count};
    assert_true(count <= MAX_ANSWERS);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void setup(struct fixture *f, const char *stream, const struct answer *answers, size_t count)
{
    *f = (struct fixture){.arena = ARENA_INIT(0)};
    start_server(&f->server, answers, count);
    clock_fake_init(&f->clock, instant("2024-02-01T00:00:00Z"));
    f->secrets = secrets_new();
    secrets_add(f->secrets, "config.key", STR("hush-hush"));
    const char *json = arena_printf(&f->arena,
                                    "{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"http://127.0.0.1:%d\"},"
                                    "\"check\":{\"path\":\"/health\"},\"streams\":{\"s\":{\"path\":\"/s\",%s}}}",
                                    f->server.port, stream);
    f->description = description_of(&f->arena, json, "{}", &f->config);
    assert_int_equal(access_own(f->description, f->config, 0, &f->own, &f->err), 0);
    struct client_options options = {.secrets = f->secrets, .clock = &f->clock.clock};
    struct access_overrides overrides = {.allow_private = true};
    assert_int_equal(access_client(f->description, f->config, &overrides, 0, &f->arena, &options, &f->err), 0);
    f->options.retry = options.retry;
    if (client_new(&options, &f->client, &f->err) != 0) fail_msg("%s", f->err.message);
    f->session = session_new(f->client);
    f->options.source = (struct request_source){
        .description = f->description, .stream = f->description->streams, .config = f->config, .own = f->own};
    f->options.client = f->client;
    f->options.session = f->session;
    f->options.clock = &f->clock.clock;
    f->options.secrets = f->secrets;
}

/* Ends the server, which has to have served all it was given. */
static void teardown(struct fixture *f)
{
    shutdown(f->server.listener, SHUT_RDWR);
    pthread_join(f->server.thread, NULL);
    close(f->server.listener);
    assert_int_equal(f->server.served, f->server.answer_count);
    session_free(f->session);
    client_free(f->client);
    guard_free(f->own);
    secrets_free(f->secrets);
    arena_release(&f->arena);
}

/* Reads to the end or an error; what came last. */
static int read_all(struct fixture *f, struct reader *reader, size_t *pages, bool *saw_last)
{
    struct page page;
    int rc;
    *pages = 0;
    *saw_last = false;
    while ((rc = reader_next(reader, &page, &f->err)) > 0) {
        assert_int_equal(page.number, *pages);
        assert_false(*saw_last);
        *saw_last = page.last;
        ++*pages;
        page_release(&page);
    }
    return rc;
}

static void assert_line(const struct fixture *f, size_t index, const char *expected)
{
    assert_string_equal(f->server.lines[index], arena_printf((struct arena *)&f->arena, "%s HTTP/1.1", expected));
}

#define PAGE_KEYS "\"records\":\"orders\",\"pages\":{\"kind\":\"page\",\"param\":\"page\",\"more\":\"has_more\"}"

static void test_pages_to_the_end(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {
        {"200 OK", NULL, "{\"orders\":[{\"id\":1}],\"has_more\":true}"},
        {"200 OK", NULL, "{\"orders\":[{\"id\":2}],\"has_more\":true}"},
        {"200 OK", NULL, "{\"orders\":[{\"id\":3}],\"has_more\":false}"},
    };
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, PAGE_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), 0);
    assert_int_equal(pages, 3);
    assert_true(saw_last);
    assert_line(&f, 0, "GET /s?page=1");
    assert_line(&f, 2, "GET /s?page=3");
    reader_free(reader);
    teardown(&f);
}

static void test_an_answer_that_is_no_document_is_asked_for_again(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {
        {"200 OK", NULL, "{\"orders\":[{\"id\":1}],\"has_mo"},
        {"200 OK", NULL, "<html>try later</html>"},
        {"200 OK", NULL, "  \n"},
        {"200 OK", NULL, "{\"orders\":[{\"id\":1}],\"has_more\":false}"},
    };
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, PAGE_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), 0);
    assert_int_equal(pages, 1);
    for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) assert_line(&f, i, "GET /s?page=1");
    reader_free(reader);
    teardown(&f);
}

static void test_it_gives_up_after_the_allowed_tries(void **state)
{
    (void)state;
    static const struct answer HTML = {"200 OK", NULL, "<html></html>"};
    const struct answer answers[] = {HTML, HTML, HTML};
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, PAGE_KEYS, answers, ARRAY_SIZE(answers));
    f.options.retry.max_tries = 3;
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), ERR_TRANSIENT);
    assert_non_null(strstr(f.err.message, "HTML or XML where JSON is due"));
    assert_non_null(strstr(f.err.message, "GET http://"));
    struct page page;
    assert_int_equal(reader_next(reader, &page, &f.err), 0); /* over is over */
    reader_free(reader);
    teardown(&f);
}

static void test_a_post_that_is_not_idempotent_is_not_repeated(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {{"200 OK", NULL, "{\"cut\":"}};
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, "\"method\":\"POST\",\"body\":{}", ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), ERR_TRANSIENT);
    reader_free(reader);
    teardown(&f);
}

static void test_link_headers_are_followed_and_guarded(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {
        {"200 OK", "Link: </s?page=2>; rel=\"next\"\r\n", "[1]"},
        {"200 OK", "Link: </s>; rel=\"prev\"\r\nLink: <http://evil.test/s>; rel=\"next\"\r\n", "[2]"},
    };
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, "\"pages\":{\"kind\":\"link_header\"}", ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), ERR_PERMISSION);
    assert_int_equal(pages, 2);
    assert_line(&f, 1, "GET /s?page=2");
    assert_non_null(strstr(f.err.message, "next page"));
    reader_free(reader);
    teardown(&f);
}

static void test_no_content_is_the_end(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {
        {"200 OK", NULL, "{\"orders\":[{\"id\":1}],\"has_more\":true}"},
        {"204 No Content", NULL, ""},
    };
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, PAGE_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), 0);
    assert_int_equal(pages, 1);
    assert_false(saw_last);
    reader_free(reader);
    teardown(&f);
}

#define TOKEN_KEYS "\"records\":\"r\",\"pages\":{\"kind\":\"cursor\",\"param\":\"t\",\"next\":\"n\",\"stable\":true}"

static void test_a_position_resumes_and_a_refused_one_is_told(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {
        {"200 OK", NULL, "{\"r\":[1],\"n\":\"abc\"}"},
        {"200 OK", NULL, "{\"r\":[2],\"n\":null}"},
        {"400 Bad Request", NULL, "{\"error\":\"token expired\"}"},
    };
    struct fixture f;
    struct page page;
    size_t pages;
    bool saw_last;
    setup(&f, TOKEN_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(reader_next(reader, &page, &f.err), 1);
    assert_non_null(page.position);
    reader_free(reader);
    f.options.position = page.position;
    reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), 0);
    assert_line(&f, 1, "GET /s?t=abc");
    assert_int_equal(reader_end(reader), READER_FAILED);
    reader_free(reader);
    reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), ERR_SOURCE);
    assert_int_equal(reader_end(reader), READER_STARTS_OVER);
    reader_free(reader);
    page_release(&page);
    teardown(&f);
}

static void test_a_position_of_other_pages_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct page page;
    setup(&f, TOKEN_KEYS, NULL, 0);
    f.options.position = "{\"kind\":\"page\",\"number\":\"3\",\"seen\":\"9\"}";
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(reader_next(reader, &page, &f.err), ERR_DATA);
    assert_int_equal(reader_end(reader), READER_STARTS_OVER);
    reader_free(reader);
    teardown(&f);
}

static void test_a_position_with_a_secret_is_not_given_out(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {{"200 OK", NULL, "{\"r\":[1],\"n\":\"x-hush-hush-y\"}"}};
    struct fixture f;
    struct page page;
    setup(&f, TOKEN_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(reader_next(reader, &page, &f.err), 1);
    assert_false(page.last);
    assert_null(page.position);
    page_release(&page);
    reader_free(reader);
    teardown(&f);
}

static void test_a_records_path_that_leads_to_no_records(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {{"200 OK", NULL, "{\"orders\":7,\"has_more\":true}"}};
    struct fixture f;
    size_t pages;
    bool saw_last;
    setup(&f, PAGE_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(read_all(&f, reader, &pages, &saw_last), ERR_DATA);
    reader_free(reader);
    teardown(&f);
}

/* pages.next: from the body's last letter to the next token; "z" is the last. */
static int next_letter(void *context, const char *name, struct str context_json, struct str page, struct arena *arena,
                       struct str *result_json, struct err *err)
{
    (void)err;
    ++*(int *)context;
    assert_string_equal(name, "streams.s.pages.next");
    assert_non_null(memmem(context_json.data, context_json.size, "\"page\":", 7));
    assert_true(page.size > 3);
    char letter = page.data[page.size - 3];
    *result_json = letter == 'z' ? STR("null") : str_from(arena_printf(arena, "\"after-%c\"", letter));
    return 0;
}

static void test_a_function_finds_the_next_page(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {{"200 OK", NULL, "[\"a\"]"}, {"200 OK", NULL, "[\"z\"]"}};
    struct fixture f;
    struct page page;
    int called = 0;
    setup(&f,
          "\"map\":{\"$function\":\"streams.s.map\"},\"pages\":{\"kind\":\"cursor\",\"param\":\"t\",\"next\":{\"$function\":"
          "\"streams.s.pages.next\"}}",
          ANSWERS, ARRAY_SIZE(ANSWERS));
    f.functions = (struct functions){.context = &called, .value = next_letter};
    f.options.source.functions = &f.functions;
    struct reader *reader = reader_new(&f.options);
    assert_int_equal(reader_next(reader, &page, &f.err), 1);
    assert_non_null(page.context); /* for streams.s.map */
    page_release(&page);
    assert_int_equal(reader_next(reader, &page, &f.err), 1);
    assert_non_null(strstr(page.context, "\"token\":\"after-a\""));
    assert_true(page.last);
    page_release(&page);
    assert_int_equal(called, 2);
    assert_line(&f, 1, "GET /s?t=after-a");
    reader_free(reader);
    teardown(&f);
}

static void test_check_asks_once(void **state)
{
    (void)state;
    static const struct answer ANSWERS[] = {{"200 OK", NULL, "ok"}, {"403 Forbidden", NULL, "no"}};
    struct fixture f;
    setup(&f, PAGE_KEYS, ANSWERS, ARRAY_SIZE(ANSWERS));
    assert_int_equal(reader_check(f.session, &f.options.source, &f.err), 0);
    assert_line(&f, 0, "GET /health");
    assert_int_equal(reader_check(f.session, &f.options.source, &f.err), ERR_PERMISSION);
    teardown(&f);
}

UNIT_TESTS(cmocka_unit_test(test_pages_to_the_end), cmocka_unit_test(test_an_answer_that_is_no_document_is_asked_for_again),
           cmocka_unit_test(test_it_gives_up_after_the_allowed_tries),
           cmocka_unit_test(test_a_post_that_is_not_idempotent_is_not_repeated),
           cmocka_unit_test(test_link_headers_are_followed_and_guarded), cmocka_unit_test(test_no_content_is_the_end),
           cmocka_unit_test(test_a_position_resumes_and_a_refused_one_is_told),
           cmocka_unit_test(test_a_position_of_other_pages_is_refused),
           cmocka_unit_test(test_a_position_with_a_secret_is_not_given_out),
           cmocka_unit_test(test_a_records_path_that_leads_to_no_records),
           cmocka_unit_test(test_a_function_finds_the_next_page), cmocka_unit_test(test_check_asks_once))
