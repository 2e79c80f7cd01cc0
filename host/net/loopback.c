/* How it works: one poll loop over the listener and a few connections, each with a small buffer and a time by which its request
 * must be there. A newcomer takes the place of the one that has waited longest, so that idle connections lock nobody out. */
#include "net/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/crypto.h"

enum { CONNECTIONS_MAX = 8, REQUEST_MAX_BYTES = 16 * 1024, REQUEST_MAX_MS = 10 * 1000, DETAIL_MAX_BYTES = 300 };

struct connection {
    int fd; /* -1: free */
    int64_t until_ms;
    struct buf head;
};

struct loopback {
    int fd;
    int port;
    struct connection connections[CONNECTIONS_MAX];
};

/* What a wait looks for, and what it found. */
struct awaited {
    const char *path;
    struct str state;
    struct buf *code;
    struct err *err;
    bool is_done;
    int rc;
};

int loopback_open(int port, struct loopback **out, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_set(err, ERR_TRANSIENT, "could not open a socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, CONNECTIONS_MAX) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        err_set(err, ERR_CONFIG, "cannot listen on 127.0.0.1:%d: %s", port, strerror(errno));
        close(fd);
        return ERR_CONFIG;
    }
    struct loopback *loopback = mem_zero(1, sizeof *loopback);
    loopback->fd = fd;
    loopback->port = ntohs(address.sin_port);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        loopback->connections[i] = (struct connection){.fd = -1, .head = BUF_INIT(REQUEST_MAX_BYTES)};
    *out = loopback;
    return 0;
}

int loopback_port(const struct loopback *loopback)
{
    return loopback->port;
}

static void hang_up(struct connection *connection)
{
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    if (connection->head.data) crypto_wipe(connection->head.data, connection->head.size);
    buf_release(&connection->head);
}

void loopback_free(struct loopback *loopback)
{
    if (!loopback) return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) hang_up(&loopback->connections[i]);
    close(loopback->fd);
    free(loopback);
}

/* --- one request -------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The decoded value of a query's parameter; false when it is not there, is there twice or is badly encoded. */
static bool read_param(struct str query, const char *name, struct buf *out)
{
    struct str pair, key;
    bool is_found = false;
    while (str_next(&query, '&', &pair)) {
        struct str value = pair;
        if (!str_next(&value, '=', &key) || !str_equal(key, str_from(name))) continue;
        if (is_found) return false;
        is_found = true;
        for (size_t i = 0; i < value.size; i++) {
            int high = 0, low = 0;
            bool is_escape = value.data[i] == '%';
            if (is_escape &&
                (i + 2 >= value.size || (high = hex_digit(value.data[i + 1])) < 0 || (low = hex_digit(value.data[i + 2])) < 0))
                return false;
            buf_append_char(out, is_escape ? (char)(high * 16 + low) : value.data[i] == '+' ? ' ' : value.data[i]);
            if (is_escape) i += 2;
        }
    }
    return is_found && !out->failed;
}

/* The browser may be closed before it has read this: what is lost is a page of text. */
static void answer(int fd, const char *status, const char *text)
{
    struct buf page = BUF_INIT(4096);
    buf_printf(&page,
               "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
               "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n%s",
               status, strlen(text), text);
    ssize_t sent = send(fd, page.data, page.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    (void)shutdown(fd, SHUT_WR);
    buf_release(&page);
}

static void take_refusal(struct awaited *awaited, struct str query, struct str code)
{
    struct buf detail = BUF_INIT(REQUEST_MAX_BYTES);
    (void)read_param(query, "error_description", &detail);
    if (detail.size > DETAIL_MAX_BYTES) detail.size = DETAIL_MAX_BYTES;
    awaited->rc = err_set(awaited->err, ERR_AUTH, "the login was refused: " STR_FMT "%s" STR_FMT,
                          (int)(code.size < DETAIL_MAX_BYTES ? code.size : DETAIL_MAX_BYTES), code.data,
                          detail.size ? ": " : "", STR_ARG(buf_str(&detail)));
    err_hint(awaited->err, "run it again and allow the access; check scope and client_id");
    awaited->is_done = true;
    buf_release(&detail);
}

/* The whole head is there: "GET /callback?code=..&state=.. HTTP/1.1". */
static void read_request(struct connection *connection, struct awaited *awaited)
{
    struct str rest = buf_str(&connection->head), line = {0}, method = {0}, target = {0}, path = {0};
    struct buf state = BUF_INIT(REQUEST_MAX_BYTES), code = BUF_INIT(REQUEST_MAX_BYTES), error = BUF_INIT(REQUEST_MAX_BYTES);
    (void)str_next(&rest, '\n', &line);
    if (!str_next(&line, ' ', &method) || !str_next(&line, ' ', &target) || !str_starts(line, STR("HTTP/1."))) {
        answer(connection->fd, "400 Bad Request", "This is no HTTP request.\n");
    } else if (!str_next(&target, '?', &path) || !str_equal(path, str_from(awaited->path))) {
        answer(connection->fd, "404 Not Found", "There is nothing here.\n");
    } else if (!str_equal(method, STR("GET"))) {
        answer(connection->fd, "405 Method Not Allowed", "Only GET.\n");
    } else if (!read_param(target, "state", &state) || !crypto_equal(buf_str(&state), awaited->state)) {
        answer(connection->fd, "400 Bad Request", "This does not belong to the login that sluice waits for.\n");
    } else if (read_param(target, "error", &error)) {
        take_refusal(awaited, target, buf_str(&error));
        answer(connection->fd, "200 OK", "The login was refused. sluice says more.\n");
    } else if (!read_param(target, "code", &code) || code.size == 0) {
        answer(connection->fd, "400 Bad Request", "The code is missing.\n");
    } else {
        buf_append_str(awaited->code, buf_str(&code));
        awaited->is_done = true;
        answer(connection->fd, "200 OK", "You are logged in. You may close this window.\n");
    }
    buf_release(&state);
    buf_release(&code);
    buf_release(&error);
}

static void read_more(struct connection *connection, struct awaited *awaited)
{
    char bytes[4096];
    ssize_t size = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size > 0) buf_append(&connection->head, bytes, (size_t)size);
    bool is_whole = connection->head.size && memmem(connection->head.data, connection->head.size, "\r\n\r\n", 4);
    if (connection->head.failed)
        answer(connection->fd, "431 Request Header Fields Too Large", "That is too much.\n");
    else if (is_whole)
        read_request(connection, awaited);
    if (size <= 0 || is_whole || connection->head.failed) hang_up(connection);
}

/* --- all of them -------------------------------------------------------------------------------------------------------- */

static void welcome(struct loopback *loopback, int64_t now_ms)
{
    int fd = accept4(loopback->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *place = &loopback->connections[0];
    if (fd < 0) return;
    for (size_t i = 0; i < CONNECTIONS_MAX && place->fd >= 0; i++) {
        struct connection *other = &loopback->connections[i];
        if (other->fd < 0 || other->until_ms < place->until_ms) place = other;
    }
    hang_up(place);
    place->fd = fd;
    place->until_ms = now_ms + REQUEST_MAX_MS;
    place->head = BUF_INIT(REQUEST_MAX_BYTES);
}

int loopback_wait(struct loopback *loopback, const char *path, struct str state, int64_t timeout_ms, struct clock *clock,
                  struct cancel *cancel, struct buf *code, struct err *err)
{
    struct awaited awaited = {.path = path, .state = state, .code = code, .err = err};
    int64_t until_ms = clock_now_ms(clock) + timeout_ms;
    while (!awaited.is_done) {
        struct pollfd fds[CONNECTIONS_MAX + 1] = {{.fd = loopback->fd, .events = POLLIN}};
        int64_t now_ms = clock_now_ms(clock), next_ms = until_ms;
        if (now_ms >= until_ms) {
            err_set(err, ERR_TRANSIENT, "nobody logged in within %lld s", (long long)(timeout_ms / 1000));
            return err_hint(err, "run it again and open the URL in a browser of this machine");
        }
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *connection = &loopback->connections[i];
            if (connection->fd >= 0 && connection->until_ms <= now_ms) hang_up(connection);
            if (connection->fd >= 0 && connection->until_ms < next_ms) next_ms = connection->until_ms;
            fds[i + 1] = (struct pollfd){.fd = connection->fd, .events = POLLIN}; /* -1 is passed over */
        }
        if (cancel_poll(cancel, CANCEL_STOP, fds, ARRAY_SIZE(fds), next_ms - now_ms) == CANCEL_FIRED)
            return err_set(err, ERR_CANCELLED, "stopped while waiting for the login");
        for (size_t i = 0; i < CONNECTIONS_MAX && !awaited.is_done; i++)
            if (fds[i + 1].fd >= 0 && fds[i + 1].revents) read_more(&loopback->connections[i], &awaited);
        if (fds[0].revents && !awaited.is_done) welcome(loopback, clock_now_ms(clock));
    }
    return awaited.rc;
}
