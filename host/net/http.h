/* http: one request, one response, over libcurl, with nothing left to libcurl that it gets wrong.
 *
 *     struct http *http = http_new(&options);
 *     rc = http_send(http, &request, &arena, &response, &was_sent, err);     // 0: an answer, whatever its status
 *     http_response_release(&response);
 *     http_free(http);
 *
 * A `struct http` is one easy handle with its connection cache; one thread uses it. It does not follow redirects, does not
 * retry and knows no credentials: those are client.h's. It does: connect, TLS (>= 1.2, verified), HTTP/2 where offered,
 * keep-alive, own inflate (gzip with end and CRC check), own byte counts and caps, the address check of guard.h at every
 * connection, and limits on connect, first byte, low speed and total time. Proxies in the environment are ignored; see proxy.h.
 */
#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "data/block.h"
#include "net/limit_headers.h"

struct cancel;
struct clock;
struct guard;
struct http_judge;
struct proxy;
struct spool;

struct http_header {
    struct str name; /* as sent or received; compare with str_equal_nocase */
    struct str value;
};

struct http_limits {
    int64_t connect_ms;      /* 10 s */
    int64_t first_byte_ms;   /* 60 s: from the request sent to the first byte of the answer */
    int64_t low_speed_bytes; /* 1 KiB/s ... */
    int64_t low_speed_ms;    /* ... for 60 s */
    int64_t total_ms;        /* 0: none */
    size_t body_bytes;       /* 16 MiB, decoded */
    size_t header_bytes;     /* 64 KiB, all headers of one answer */
    unsigned inflate_ratio;  /* 200, once 1 MiB came out */
};
extern const struct http_limits HTTP_LIMITS_DEFAULT;

/* How a body is packed, beside the transport's own coding. */
enum http_compression {
    HTTP_UNPACK_BY_TYPE, /* gzip when the answer's Content-Type says so */
    HTTP_UNPACK_GZIP,    /* gzip, unless it does not begin as that does: then a server has unpacked it already */
    HTTP_UNPACK_ZIP,     /* one file in a ZIP archive */
};

struct http_request {
    const char *method; /* "GET" */
    const char *url;    /* absolute; http or https */
    const struct http_header *headers;
    size_t header_count;
    struct str body;      /* empty: none */
    bool idempotent;      /* may be sent again when it is unknown whether it arrived; GET and HEAD always are */
    bool anonymous;       /* client.h adds no credentials: the token call itself, or a URL of another origin */
    bool keeps_redirects; /* an answer that points elsewhere is the answer: it may carry a cookie */
    bool can_shrink;      /* a failure that says it is too much (err.is_too_much) is no cause for another try: the caller
                             asks for less */
    const struct http_judge *judge; /* says what answers mean, before their status does (classify.h); NULL: nobody */
    const char *stream;             /* what it is for, for limits; NULL: none */
    int64_t weight;                 /* what it counts as in limits; 0: what they say */
    enum http_compression compression;
    const struct http_request *recorded; /* how a recording shows it: without signatures; NULL: as it is */
    struct spool *spool; /* where an answer's body below 300 goes, not into the response; cleared before. NULL: none */
};

struct http_response {
    int status;                  /* 200 */
    struct http_header *headers; /* names in lower case, in `arena` */
    size_t header_count;
    const char *url;           /* the one that answered, after redirects, without credentials; in `arena` */
    struct block *body;        /* decoded; never NULL on success; the caller's reference: http_response_release */
    struct arena *arena;       /* the caller's, see client_send */
    struct limit_facts limits; /* what the headers say about waiting */
    bool ends_with_connection; /* neither a length nor an end mark proved that the body is whole: the reader of its content must
                                */
    int64_t elapsed_ms;
    uint64_t wire_bytes; /* received, before inflate */
};

/* Who we are to a server that asks for it (mutual TLS); in PEM form. */
struct http_identity {
    struct str certificate; /* with those that lead to an authority; empty: none */
    struct str key;
    const char *password; /* of the key; NULL: none */
};

struct http_options {
    struct http_limits limits;
    const struct guard *guard;
    const char *user_agent;
    struct str authorities; /* certificates in PEM form, trusted in place of the system's; empty: the system's */
    struct http_identity identity;
    bool needs_tls_1_3;        /* else 1.2 will do */
    const struct proxy *proxy; /* NULL: none */
    struct budget *budget;     /* bodies are charged to it; may be NULL */
    struct clock *clock;       /* the limits on first byte, speed and total time go by it */
    struct cancel *cancel;     /* ABORT ends a transfer in hand; may be NULL */
};

struct http;

/* Prepares libcurl, with memory from base/check. The program does it at its start; http_new does it otherwise. */
void http_init(void);

struct http *http_new(const struct http_options *options); /* the options are copied, what they point to is not */
void http_free(struct http *http);                         /* NULL is fine */

/* Sends and receives. 0 with any answer whose headers are sound and whose body is whole; from status 300 on the headers
 * suffice: of its body as much is kept as came, at most 64 KiB. *was_sent (may be NULL) tells whether the server may have seen
 * the request; it is set in any case. Errors: TRANSIENT (connection, time, a cut body, lengths that contradict each other),
 * DATA (a cap, what is no HTTP), PERMISSION (an address), CONFIG (what cannot be sent: a control character in URL or headers, a
 * header that is ours to set), SOURCE (TLS), CANCELLED. */
int http_send(struct http *http, const struct http_request *request, struct arena *arena, struct http_response *response,
              bool *was_sent, struct err *err) MUST_USE;

void http_response_release(struct http_response *response);
struct str http_header(const struct http_response *response, const char *name); /* first of that name; empty when absent */
/* The source's clock, by which it says when to come back; ours, `wall_us`, where it does not tell. */
int64_t http_source_now_us(const struct http_response *response, int64_t wall_us);

#endif
