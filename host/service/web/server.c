/* server: see server.h. What is not said there: a request is made when its first line is there, is suspended while it is
 * answered, and is freed when libmicrohttpd is done with it. */
#include "service/web/server.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "service/web/parts.h"

enum {
    CONNECTION_BYTES = 16 * 1024,
    DESCRIPTORS_KEPT = 512, /* for everything else */
    REQUEST_ARENA_MAX = 64 * 1024 * 1024,
    BACKLOG = 1024,
};

/* A connection, as far as its deadline goes. */
struct visitor {
    int fd;
    int64_t since_ms; /* waits for a request since; 0: it has one */
    struct visitor *next, **place;
};

struct server {
    struct server_settings settings;
    struct MHD_Daemon *daemon;
    struct flows *flows;
    pthread_mutex_t lock; /* of the visitors */
    struct visitor *visitors;
    char address[300];
};

/* A request with what only this file knows of it. */
struct exchange {
    struct web_request request;
    struct server *server;
    struct MHD_Connection *connection;
    bool was_admitted, is_refused, is_answered;
};

static struct exchange *exchange_of(struct web_request *request)
{
    return (struct exchange *)(void *)request; /* its first member */
}

/* --- connections --------------------------------------------------------------------------------------------------------- */

static void note_connection(void *context, struct MHD_Connection *connection, void **place,
                            enum MHD_ConnectionNotificationCode code)
{
    struct server *server = context;
    pthread_mutex_lock(&server->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct visitor *visitor = mem_zero(1, sizeof *visitor);
        visitor->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        visitor->since_ms = clock_now_ms(server->settings.clock);
        visitor->next = server->visitors;
        visitor->place = &server->visitors;
        if (visitor->next) visitor->next->place = &visitor->next;
        server->visitors = visitor;
        *place = visitor;
    } else {
        struct visitor *visitor = *place;
        *visitor->place = visitor->next;
        if (visitor->next) visitor->next->place = visitor->place;
        free(visitor);
    }
    pthread_mutex_unlock(&server->lock);
}

static void set_deadline(struct exchange *exchange, bool waits)
{
    struct server *server = exchange->server;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct visitor *visitor = info->socket_context;
    pthread_mutex_lock(&server->lock);
    visitor->since_ms = waits ? clock_now_ms(server->settings.clock) : 0;
    pthread_mutex_unlock(&server->lock);
}

void server_sweep(struct server *server)
{
    int64_t now_ms = clock_now_ms(server->settings.clock);
    pthread_mutex_lock(&server->lock);
    for (struct visitor *visitor = server->visitors; visitor; visitor = visitor->next)
        if (visitor->since_ms && now_ms - visitor->since_ms > WEB_REQUEST_MS) shutdown(visitor->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
}

/* --- a request comes in -------------------------------------------------------------------------------------------------- */

static void *begin(void *context, const char *target, struct MHD_Connection *connection)
{
    struct exchange *exchange = mem_zero(1, sizeof *exchange);
    struct web_request *request = &exchange->request;
    char peer[NI_MAXHOST] = "";
    exchange->server = context;
    exchange->connection = connection;
    request->arena = ARENA_INIT(REQUEST_ARENA_MAX);
    request->answer.body = BUF_INIT(REQUEST_ARENA_MAX);
    request->target = arena_strdup(&request->arena, target);
    const char *query = strchr(request->target, '?');
    request->query = query ? query + 1 : "";
    const struct sockaddr *address = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    getnameinfo(address, size, peer, sizeof peer, NULL, 0, NI_NUMERICHOST);
    request->peer = arena_strdup(&request->arena, peer);
    return exchange;
}

static void finish(void *context, struct MHD_Connection *connection, void **place, enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *place;
    (void)context, (void)connection, (void)code;
    if (!exchange) return;
    set_deadline(exchange, true);
    buf_release(&exchange->request.body);
    buf_release(&exchange->request.answer.body);
    arena_release(&exchange->request.arena);
    free(exchange);
    *place = NULL;
}

/* How often a request says where it ends and whom it is for. Another server on the way that reads another one of two takes what
 * follows for another request (RFC 9112, sections 3.2 and 6.3). */
struct framing {
    unsigned ends, hosts;
};

static enum MHD_Result note_framing(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *framing = context;
    (void)kind, (void)value;
    if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0) framing->ends++;
    if (strcasecmp(name, "Host") == 0) framing->hosts++;
    return MHD_YES;
}

static bool is_readable(struct exchange *exchange, const char **why)
{
    struct framing framing = {0};
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, note_framing, &framing);
    *why = !web_read_path(&exchange->request) ? "the path cannot be read"
           : framing.ends > 1                 ? "Content-Length and Transfer-Encoding: one of them, once"
           : framing.hosts > 1                ? "more than one Host"
                                              : NULL;
    return *why == NULL;
}

static void admit(struct exchange *exchange, const char *method)
{
    struct web_request *request = &exchange->request;
    const struct server_settings *settings = &exchange->server->settings;
    const char *length = web_header(request, "Content-Length"), *why;
    request->method = arena_strdup(&request->arena, method);
    if (!is_readable(exchange, &why)) {
        web_problem(request, 400, "bad_request", why, NULL);
        exchange->is_refused = true;
        return;
    }
    exchange->is_refused = !settings->admit(settings->context, request);
    request->body.max = request->body_max;
    if (!exchange->is_refused && length && strtoull(length, NULL, 10) > request->body_max) {
        web_problem(request, 413, "too_large", arena_printf(&request->arena, "a body over %zu bytes", request->body_max), NULL);
        exchange->is_refused = true;
    }
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct web_answer *answer = &exchange->request.answer;
    struct MHD_Response *response;
    if (answer->flow.more) {
        response = flows_start(exchange->server->flows, &answer->flow, exchange->connection);
        if (response) return response;
        web_problem(&exchange->request, 503, "busy", "too many clients are watching", NULL);
        web_add_header(&exchange->request, "Retry-After", "5");
    }
    return MHD_create_response_from_buffer(answer->body.size, (void *)(uintptr_t)buf_text(&answer->body),
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct web_answer *answer = &exchange->request.answer;
    struct MHD_Response *response = make_response(exchange);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", answer->type ? answer->type : "application/json");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    enum MHD_Result result = MHD_queue_response(exchange->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called when the headers are there, for each piece of the body, when it is complete, and once more when it was answered. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **place)
{
    struct server *server = context;
    struct exchange *exchange = *place;
    (void)connection, (void)url, (void)version;
    if (exchange->is_answered) return send_answer(exchange);
    if (!exchange->was_admitted) {
        exchange->was_admitted = true;
        admit(exchange, method);
        return exchange->is_refused ? send_answer(exchange) : MHD_YES;
    }
    if (*size) {
        if (!exchange->is_refused) buf_append(&exchange->request.body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    set_deadline(exchange, false);
    if (exchange->request.body.failed) {
        web_problem(&exchange->request, 413, "too_large", "the body is too large", NULL);
        return send_answer(exchange);
    }
    MHD_suspend_connection(connection);
    server->settings.handle(server->settings.context, &exchange->request);
    return MHD_YES;
}

void web_answer(struct web_request *request)
{
    struct exchange *exchange = exchange_of(request);
    exchange->is_answered = true;
    MHD_resume_connection(exchange->connection);
}

const char *web_header(const struct web_request *request, const char *name)
{
    const struct exchange *exchange = (const struct exchange *)(const void *)request;
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* --- the listening socket ------------------------------------------------------------------------------------------------ */

static int find_address(const char *listen, struct addrinfo **out, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char host[256];
    const char *colon = strrchr(listen, ':'), *begin_at = listen;
    size_t size = colon ? (size_t)(colon - listen) : 0;
    if (size >= 2 && listen[0] == '[' && listen[size - 1] == ']') begin_at++, size -= 2;
    if (!colon || size == 0 || size >= sizeof host)
        return err_set(err, ERR_CONFIG, "'%s' is no address to listen on; write HOST:PORT", listen);
    memcpy(host, begin_at, size);
    host[size] = '\0';
    int rc = getaddrinfo(host, colon + 1, &hints, out);
    if (rc) return err_set(err, ERR_CONFIG, "cannot listen on '%s': %s", listen, gai_strerror(rc));
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

int server_is_local(const char *listen, bool *is_local, struct err *err)
{
    struct addrinfo *found;
    int rc = find_address(listen, &found, err);
    if (rc) return rc;
    *is_local = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return 0;
}

static int open_socket(struct server *server, int *out, struct err *err)
{
    struct addrinfo *found;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const int one = 1;
    const char *listen_on = server->settings.listen;
    int rc = find_address(listen_on, &found, err);
    if (rc) return rc;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        rc = err_set(err, ERR_CONFIG, "cannot listen on %s: %s", listen_on, strerror(errno));
        if (errno == EADDRINUSE) rc = err_hint(err, "another program has that port; choose another with --listen HOST:PORT");
        if (fd >= 0) close(fd);
        freeaddrinfo(found);
        return rc;
    }
    freeaddrinfo(found);
    getsockname(fd, (struct sockaddr *)&address, &size);
    getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(server->address, sizeof server->address, strchr(host, ':') ? "[%.200s]:%.10s" : "%.200s:%.10s", host, port);
    *out = fd;
    return 0;
}

/* --- opening and closing ------------------------------------------------------------------------------------------------- */

static unsigned connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
    if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < WEB_CONNECTIONS_MAX + DESCRIPTORS_KEPT) {
        rlim_t wanted = WEB_CONNECTIONS_MAX + DESCRIPTORS_KEPT;
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
    }
    rlim_t most = limit.rlim_cur > DESCRIPTORS_KEPT * 2 ? limit.rlim_cur - DESCRIPTORS_KEPT : limit.rlim_cur / 2;
    return most < WEB_CONNECTIONS_MAX ? (unsigned)most : WEB_CONNECTIONS_MAX;
}

/* What is escaped stays as it is: web_decode does it, and refuses what it does not like. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void ignore_log(void *context, const char *format, va_list arguments) /* about connections that broke */
{
    (void)context, (void)format, (void)arguments;
}

static int start(struct server *server, int fd, struct err *err)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        connections_max(), MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, begin, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, finish, server,
        MHD_OPTION_NOTIFY_CONNECTION, note_connection, server, MHD_OPTION_END);
    if (server->daemon) return 0;
    close(fd);
    return err_set(err, ERR_TRANSIENT, "could not start the web server: %s", strerror(errno));
}

int server_open(const struct server_settings *settings, struct server **out, struct err *err)
{
    int fd = -1;
    struct server *server = mem_zero(1, sizeof *server);
    server->settings = *settings;
    pthread_mutex_init(&server->lock, NULL);
    int rc = open_socket(server, &fd, err);
    if (rc == 0 && (rc = flows_open(settings->clock, &server->flows, err)) != 0) close(fd);
    if (rc == 0) rc = start(server, fd, err);
    if (rc) {
        server_close(server);
        return rc;
    }
    *out = server;
    return 0;
}

const char *server_address(const struct server *server)
{
    return server->address;
}

void server_poke(struct server *server)
{
    flows_poke(server->flows);
}

void server_close(struct server *server)
{
    if (!server) return;
    if (server->flows) flows_end(server->flows);
    if (server->daemon) MHD_stop_daemon(server->daemon);
    flows_close(server->flows);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
