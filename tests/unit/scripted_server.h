/* scripted_server: a TCP server on the loopback that answers requests with bytes laid down beforehand, good or broken. Real
 * sockets, no HTTP library: what a test writes is what goes over the wire.
 *
 *     struct scripted_server server;
 *     scripted_start(&server);
 *     scripted_say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");          // the first request's answer
 *     scripted_answer(&server, (struct scripted_answer){.text = ..., .then = SCRIPTED_RESET});
 *     ... scripted_url(&server, "/orders") ...
 *     scripted_stop(&server);                       // then the log may be read without a lock: server.requests[0]
 *
 * Answers are given in the order of requests, over all connections; the last one is given again when it says so. A request
 * beyond the script is answered 500 "the script is over". Each connection has its own thread. */
#ifndef SLUICE_TESTS_SCRIPTED_SERVER_H
#define SLUICE_TESTS_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

enum { SCRIPTED_MAX = 128, SCRIPTED_REQUEST_MAX = 64 * 1024 };

enum scripted_then {
    SCRIPTED_KEEP,  /* wait for the next request on this connection */
    SCRIPTED_CLOSE, /* end it politely */
    SCRIPTED_RESET, /* end it with a RST */
    SCRIPTED_HANG,  /* say no more until the client goes away */
};

struct scripted_answer {
    const char *text; /* NULL: no bytes; must live as long as the server */
    size_t size;      /* of text; 0: it is terminated */
    enum scripted_then then;
    bool again;                    /* for every request from here on */
    void (*before)(void *context); /* runs when the request is there, before the answer */
    void *context;
};

struct scripted_server {
    int listener, port;
    pthread_t acceptor;
    pthread_mutex_t lock; /* over all below */
    struct scripted_answer answers[SCRIPTED_MAX];
    size_t answer_count, next;
    /* Answers by path instead, when it is set: which one for this request? */
    struct scripted_answer (*route)(void *context, const char *request);
    void *route_context;
    char *requests[SCRIPTED_MAX]; /* as received, terminated */
    size_t request_count;
    int connections[SCRIPTED_MAX];
    pthread_t threads[SCRIPTED_MAX];
    size_t connection_count;
    char urls[SCRIPTED_MAX][128];
    size_t url_count;
};

struct scripted_connection {
    struct scripted_server *server;
    int fd;
};

/* Reads one request, head and body (Content-Length). NULL when the connection ended. */
static inline char *scripted_read(int fd)
{
    char *text = mem_zero(1, SCRIPTED_REQUEST_MAX + 1);
    size_t size = 0, wanted = SIZE_MAX;
    while (size < wanted && size < SCRIPTED_REQUEST_MAX) {
        ssize_t got = recv(fd, text + size, 1, 0);
        if (got <= 0) {
            free(text);
            return NULL;
        }
        size += (size_t)got;
        if (wanted == SIZE_MAX && size >= 4 && memcmp(text + size - 4, "\r\n\r\n", 4) == 0) {
            const char *length = strcasestr(text, "\r\nContent-Length:");
            wanted = size + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return text;
}

static inline void scripted_write(int fd, const struct scripted_answer *answer)
{
    size_t size = answer->size ? answer->size : answer->text ? strlen(answer->text) : 0, at = 0;
    while (at < size) {
        ssize_t sent = send(fd, answer->text + at, size - at, MSG_NOSIGNAL);
        if (sent <= 0) return; /* the client has seen enough */
        at += (size_t)sent;
    }
}

static inline struct scripted_answer scripted_choose(struct scripted_server *server, char *request)
{
    static const struct scripted_answer OVER = {.text = "HTTP/1.1 500 Over\r\nContent-Length: 18\r\n\r\nthe script is over",
                                                .then = SCRIPTED_CLOSE};
    struct scripted_answer answer = OVER;
    pthread_mutex_lock(&server->lock);
    if (server->request_count < SCRIPTED_MAX)
        server->requests[server->request_count++] = request;
    else
        free(request);
    if (server->next < server->answer_count) {
        answer = server->answers[server->next];
        if (!answer.again) server->next++;
    }
    pthread_mutex_unlock(&server->lock);
    return answer;
}

static inline void *scripted_serve(void *context)
{
    struct scripted_connection connection = *(struct scripted_connection *)context;
    struct scripted_answer answer = {.then = SCRIPTED_KEEP};
    char *request, rest;
    free(context);
    while (answer.then == SCRIPTED_KEEP && (request = scripted_read(connection.fd)) != NULL) {
        struct scripted_server *server = connection.server;
        struct scripted_answer routed = {0};
        if (server->route) routed = server->route(server->route_context, request);
        answer = scripted_choose(server, request);
        if (server->route) answer = routed;
        if (answer.before) answer.before(answer.context);
        scripted_write(connection.fd, &answer);
    }
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    if (answer.then == SCRIPTED_RESET) setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    while (answer.then == SCRIPTED_HANG && recv(connection.fd, &rest, 1, 0) > 0) continue;
    pthread_mutex_lock(&connection.server->lock);
    for (size_t i = 0; i < connection.server->connection_count; i++)
        if (connection.server->connections[i] == connection.fd) connection.server->connections[i] = -1;
    close(connection.fd);
    pthread_mutex_unlock(&connection.server->lock);
    return NULL;
}

static inline void *scripted_accept(void *context)
{
    struct scripted_server *server = context;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0) return NULL; /* shut down */
        struct scripted_connection *connection = mem_zero(1, sizeof *connection);
        *connection = (struct scripted_connection){server, fd};
        pthread_mutex_lock(&server->lock);
        CHECK(server->connection_count < SCRIPTED_MAX);
        size_t at = server->connection_count++;
        server->connections[at] = fd;
        CHECK(pthread_create(&server->threads[at], NULL, scripted_serve, connection) == 0);
        pthread_mutex_unlock(&server->lock);
    }
}

static inline void scripted_start(struct scripted_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(server, 0, sizeof *server);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server->listener >= 0 && bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(server->listener, SCRIPTED_MAX) == 0 &&
          getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
    server->port = ntohs(address.sin_port);
    CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
    CHECK(pthread_create(&server->acceptor, NULL, scripted_accept, server) == 0);
}

/* Ends all connections and threads. The log stays until scripted_free. */
static inline void scripted_stop(struct scripted_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->connection_count; i++)
        if (server->connections[i] >= 0) shutdown(server->connections[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; i < server->connection_count; i++) pthread_join(server->threads[i], NULL);
    pthread_mutex_destroy(&server->lock);
}

static inline void scripted_free(struct scripted_server *server)
{
    for (size_t i = 0; i < server->request_count; i++) free(server->requests[i]);
    server->request_count = 0;
}

static inline void scripted_answer(struct scripted_server *server, struct scripted_answer answer)
{
    pthread_mutex_lock(&server->lock);
    CHECK(server->answer_count < SCRIPTED_MAX);
    server->answers[server->answer_count++] = answer;
    pthread_mutex_unlock(&server->lock);
}

static inline void scripted_say(struct scripted_server *server, const char *text)
{
    scripted_answer(server, (struct scripted_answer){.text = text});
}

/* "http://127.0.0.1:PORT/path", which lives as long as the server. */
static inline const char *scripted_url(struct scripted_server *server, const char *path)
{
    CHECK(server->url_count < SCRIPTED_MAX);
    char *url = server->urls[server->url_count++];
    snprintf(url, sizeof server->urls[0], "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

#endif
