/* server: the service's side of HTTP, on libmicrohttpd (https://www.gnu.org/software/libmicrohttpd/manual/).
 *
 * One thread moves the bytes of all connections and never waits for anything else. What answers a request may do so at once, or
 * later and from any thread: web_answer. So stuck clients cost a descriptor and some KiB, nothing more.
 *
 *     static bool admit(void *context, struct web_request *request)   // headers are here, the body is not
 *     {
 *         if (!is_known(request->path)) return web_problem(request, 404, "not_found", "no such page", NULL), false;
 *         request->body_max = 64 * 1024;
 *         return true;
 *     }
 *     static void handle(void *context, struct web_request *request)  // complete; ends in one web_answer
 *     {
 *         request->answer.status = 200;
 *         buf_append_text(&request->answer.body, "{}");
 *         web_answer(request);
 *     }
 *
 * Limits: headers 16 KiB (431), a body `body_max` (413), WEB_REQUEST_MS for a whole request to come in, the wait for it
 * included (the connection is cut), WEB_CONNECTIONS_MAX connections or what the process may open (more wait), WEB_FLOWS_MAX
 * answers without end (503). A path is decoded (RFC 3986); one with %00, %2F, a segment "." or "..", or that is not UTF-8 is
 * a 400. */
#ifndef SLUICE_SERVICE_WEB_SERVER_H
#define SLUICE_SERVICE_WEB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct clock;
struct server;

enum {
    WEB_REQUEST_MS = 30000,
    WEB_IDLE_S = 60, /* without a byte in either direction */
    WEB_CONNECTIONS_MAX = 12000,
    WEB_FLOWS_MAX = 64,
    WEB_FLOW_KEEP_MS = 15000, /* a comment is sent when nothing else was, so that proxies and we see who is gone */
    WEB_HEADERS_MAX = 8,
};

/* An answer without end, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). `more` appends
 * what there is to tell, at most twice a second and after server_poke; false ends it. `close` is called once, always. Both are
 * called on the server's flow thread, which may wait. */
struct web_flow {
    bool (*more)(void *context, struct buf *out);
    void (*close)(void *context);
    void *context;
};

struct web_header {
    const char *name, *value;
};

struct web_answer {
    int status;
    const char *type; /* NULL: application/json */
    struct buf body;
    struct web_header headers[WEB_HEADERS_MAX]; /* names and values live in the request's arena, or for ever */
    size_t header_count;
    struct web_flow flow; /* `more` set: instead of a body */
};

struct web_request {
    struct arena arena; /* for whoever answers */
    const char *method;
    const char *target; /* as it was sent, with the query */
    const char *path;   /* decoded; without the query */
    const char *query;  /* as it was sent, behind the '?'; "" for none */
    const char *peer;   /* the client's address, without port */
    struct buf body;
    size_t body_max;
    void *context; /* for `admit` to leave something for `handle` */
    struct web_answer answer;
};

/* What it points to outlives the server. */
struct server_settings {
    const char *listen;                                         /* "HOST:PORT"; port 0: a free one */
    bool (*admit)(void *context, struct web_request *request);  /* on the server's thread: does not wait */
    void (*handle)(void *context, struct web_request *request); /* the same */
    void *context;
    struct clock *clock;
};

/* CONFIG when it cannot listen there. */
int server_open(const struct server_settings *settings, struct server **out, struct err *err) MUST_USE;
const char *server_address(const struct server *server); /* "127.0.0.1:7077", with the port that it got */
void server_poke(struct server *server);                 /* flows have something to tell; from any thread */
/* Cuts connections that are past their time. About once a second, from any thread. */
void server_sweep(struct server *server);
/* Every request was answered before this. NULL is fine. */
void server_close(struct server *server);

/* Is `listen` reachable from this machine only? CONFIG when it cannot be read. */
int server_is_local(const char *listen, bool *is_local, struct err *err) MUST_USE;

const char *web_header(const struct web_request *request, const char *name); /* case-insensitive; NULL: not sent */
const char *web_parameter(struct web_request *request, const char *name);    /* of the query, decoded; NULL: not sent */
/* False: %00, a broken %, or what is not UTF-8 then. */
bool web_decode(struct str text, bool is_form, struct arena *arena, const char **out);
/* Sets the path by the target. False for one that no program of good will sends. */
bool web_read_path(struct web_request *request);
void web_add_header(struct web_request *request, const char *name, const char *value); /* of the answer */

/* Fills the answer with problem details (RFC 9457): `class` as in base/err.h or a word of the web's ("not_found"). */
void web_problem(struct web_request *request, int status, const char *class, const char *detail, const char *hint);
void web_failure(struct web_request *request, const struct err *err); /* the same, by a failure's class */

/* Sends the answer. The request is gone after it. From any thread, once for each. */
void web_answer(struct web_request *request);

#endif
