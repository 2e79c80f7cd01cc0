/* client_bench: a client with a session, a fake clock and two scripted servers, for tests of the net layer from the outside.
 *
 *     struct bench *bench = bench_new();
 *     bench->options.retry.max_tries = 1;                        // options may be changed until the first request
 *     scripted_say(&bench->server, OK_JSON);
 *     assert_int_equal(bench_get(bench, "/x"), 0);
 *     bench_close(bench);                                        // ends all threads: the servers' logs may be read
 *     bench_free(bench); */
#ifndef SLUICE_TESTS_CLIENT_BENCH_H
#define SLUICE_TESTS_CLIENT_BENCH_H

#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "net/client.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/secret.h"
#include "scripted_server.h"

#define OK_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"orders\":[]}"
#define BUSY "HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nbusy"
#define UNAUTHORIZED "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nexpired"

static const int64_t BENCH_WALL_US = 1800000000LL * 1000000; /* 2027-01-15T08:00:00Z */

struct bench {
    struct scripted_server server, other;
    struct clock_fake fake;
    struct cancel *cancel;
    struct secrets *secrets;
    struct client_options options;
    char host[32], other_host[32];
    const char *hosts[2];
    struct client *client;
    struct session *session;
    struct arena arena;
    struct http_response response;
    struct err err;
};

static inline struct bench *bench_new(void)
{
    struct bench *bench = mem_zero(1, sizeof *bench);
    scripted_start(&bench->server);
    scripted_start(&bench->other);
    clock_fake_init(&bench->fake, BENCH_WALL_US);
    bench->cancel = cancel_new(NULL);
    bench->secrets = secrets_new();
    snprintf(bench->host, sizeof bench->host, "127.0.0.1:%d", bench->server.port);
    snprintf(bench->other_host, sizeof bench->other_host, "127.0.0.1:%d", bench->other.port);
    bench->hosts[0] = bench->host;
    bench->hosts[1] = bench->other_host;
    bench->options = (struct client_options){.allowed_hosts = bench->hosts,
                                             .allowed_host_count = 2,
                                             .allow_private = true,
                                             .allow_http = true,
                                             .limits = HTTP_LIMITS_DEFAULT,
                                             .retry = RETRY_POLICY_DEFAULT,
                                             .secrets = bench->secrets,
                                             .clock = &bench->fake.clock,
                                             .cancel = bench->cancel};
    return bench;
}

static inline void bench_open(struct bench *bench)
{
    if (bench->client) return;
    assert_int_equal(client_new(&bench->options, &bench->client, &bench->err), 0);
    bench->session = session_new(bench->client);
}

static inline int bench_send(struct bench *bench, const struct http_request *request)
{
    bench_open(bench);
    bench->err = ERR_INIT;
    http_response_release(&bench->response);
    return client_send(bench->session, request, &bench->arena, &bench->response, &bench->err);
}

static inline int bench_get(struct bench *bench, const char *path)
{
    return bench_send(bench, &(struct http_request){.method = "GET", .url = scripted_url(&bench->server, path)});
}

/* Closes client and servers: their logs can be read then. */
static inline void bench_close(struct bench *bench)
{
    http_response_release(&bench->response);
    session_free(bench->session);
    client_free(bench->client);
    scripted_stop(&bench->server);
    scripted_stop(&bench->other);
}

static inline void bench_free(struct bench *bench)
{
    scripted_free(&bench->server);
    scripted_free(&bench->other);
    secrets_free(bench->secrets);
    cancel_free(bench->cancel);
    arena_release(&bench->arena);
    free(bench);
}

static inline void bench_end(struct bench *bench)
{
    bench_close(bench);
    bench_free(bench);
}

static inline void assert_body(const struct bench *bench, const char *text)
{
    assert_int_equal(bench->response.body->size, strlen(text));
    assert_memory_equal(bench->response.body->data, text, strlen(text));
    for (size_t i = 0; i < BLOCK_PADDING; i++) assert_int_equal(bench->response.body->data[bench->response.body->size + i], 0);
}

static inline void assert_says(const struct bench *bench, const char *text)
{
    if (!strstr(bench->err.message, text)) fail_msg("'%s' does not say '%s'", bench->err.message, text);
}

static inline bool was_sent(const struct scripted_server *server, size_t at, const char *text)
{
    assert_true(at < server->request_count);
    return strcasestr(server->requests[at], text) != NULL;
}

/* One GET of one answer: its class. */
static inline int class_of(const char *text, size_t size, enum scripted_then then, char *message, size_t message_size)
{
    struct bench *bench = bench_new();
    bench->options.retry.max_tries = 1;
    scripted_answer(&bench->server, (struct scripted_answer){.text = text, .size = size, .then = then});
    int rc = bench_get(bench, "/x");
    snprintf(message, message_size, "%s", bench->err.message);
    assert_int_equal(rc, bench->err.class);
    bench_end(bench);
    return rc;
}

static inline void assert_class(const char *text, enum scripted_then then, int class, const char *says)
{
    char message[1024];
    int rc = class_of(text, 0, then, message, sizeof message);
    if (rc != class || !strstr(message, says)) fail_msg("class %d: %s", rc, message);
}

static inline char *repeat(const char *head, const char *part, size_t count, const char *tail)
{
    struct buf text = BUF_INIT(4 * 1024 * 1024);
    buf_append_text(&text, head);
    for (size_t i = 0; i < count; i++) buf_append_text(&text, part);
    buf_append_text(&text, tail);
    return buf_steal(&text);
}

#endif
