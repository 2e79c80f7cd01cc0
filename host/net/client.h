/* client: what a connector's requests go through: allowed hosts, credentials, rate limit, transport, redirects, retries.
 *
 * A `struct client` is shared by all threads of one sync: policy (guard.h), limiter (limit.h), token cache (auth.h), secrets,
 * counters. A `struct session` is one thread's end of it, with its own curl handle.
 *
 *     struct session *session = session_new(client);
 *     rc = client_send(session, &request, &arena, &response, err);
 *     ...
 *     http_response_release(&response);
 *     session_free(session);
 *
 * client_send returns 0 with any 2xx answer that is complete and verified. Everything else is an error whose class decides:
 * 401 refreshes the token once (single flight) and is AUTH when it comes again; 403 PERMISSION; 429 waits and is RATE_LIMIT
 * past the limit; 408, 425, 5xx, cut bodies, resets, time-outs and DNS failures are retried with full jitter and are TRANSIENT
 * in the end; of a pool of credentials a 401 ends the use of one, 429 rests it, and the next one tries; other 4xx, a
 * certificate that is not to be trusted and TLS before 1.2 are SOURCE at once; an answer over a cap is DATA; a host that is not
 * allowed is PERMISSION. The message holds method, URL without secrets, status and the first 200 bytes of the body, redacted.
 *
 * A host whose requests fail five times in a row, whoever sent them, is left alone for a minute (breaker.h).
 *
 * A request that is not idempotent (a POST, unless it says so) is sent again only when it cannot have reached the server, or
 * the server says that it did nothing with it (401, 403, 429). At most 5 redirects are followed; once one leads to another
 * origin, credentials and the request's own headers stay behind for good. From https nothing leads to http. */
#ifndef SLUICE_NET_CLIENT_H
#define SLUICE_NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/credentials.h"
#include "net/http.h"
#include "net/proxy.h"
#include "net/retry.h"

struct auth;
struct budget;
struct cancel;
struct cassette;
struct clock;
struct limiter;
struct log;
struct secrets;

struct client_options {
    const char *const *allowed_hosts; /* "api.example.com", "*.example.com", "127.0.0.1:8080" (with a port: only that one) */
    size_t allowed_host_count;
    bool allow_private;  /* loopback, private and link-local addresses may be reached */
    bool allow_http;     /* plain http may be spoken (the base URL says http, or the pipeline allows it) */
    const char *ca_file; /* PEM: the authorities to trust in place of the system's; NULL: the system's; read by client_new */
    const char *client_cert, *client_key; /* PEM files: who we are to a server that asks; NULL: nobody; read by client_new */
    const char *client_key_password;      /* NULL: the key has none */
    bool needs_tls_1_3;                   /* else 1.2 will do */
    struct proxy proxy;                   /* url NULL: none */
    struct http_limits limits;
    struct retry_policy retry;
    const char *user_agent;    /* NULL: "sluice/VERSION" */
    struct auth *auth;         /* NULL: none; owned by the client from here on */
    struct limiter *limiter;   /* NULL: none; owned by the client from here on */
    struct credentials pool;   /* several of both in place of them, also owned then; count 0: none */
    struct budget *budget;     /* bodies are charged to it; may be NULL */
    struct secrets *secrets;   /* for redaction; may be NULL */
    struct cassette *cassette; /* records what passes, or answers in place of the network; NULL: neither; see cassette.h */
    struct clock *clock;       /* a replay goes by the cassette's */
    struct cancel *cancel;     /* ABORT ends a transfer in hand, STOP ends waits between tries */
    struct log *log;
};

/* What the threads of a client do, for the live display; read without locks. */
struct client_counters {
    uint64_t requests, retries, wire_bytes, body_bytes; /* atomic */
    int64_t waiting_until_ms;                           /* monotonic, the latest of all; 0: nobody waits */
    const char *waiting_for; /* "rate limit", "Retry-After", "backoff", "circuit breaker"; NULL: nobody waits */
    int64_t resume_ms;       /* monotonic: when it makes sense to come back, past what is waited for; 0: not known */
    int64_t pool_left;       /* requests left in the rate limit when the last one was sent; -1: unknown */
};

struct client;
struct session;

/* Takes over options->auth, options->limiter and what options->pool holds in any case (its list is copied). CONFIG when a host
 * pattern or one of the files cannot be read, or when others may read the key. */
int client_new(const struct client_options *options, struct client **out, struct err *err) MUST_USE;
void client_free(struct client *client); /* after its sessions; NULL is fine */
const struct client_counters *client_counters(const struct client *client);

struct session *session_new(struct client *client);
void session_free(struct session *session); /* NULL is fine */
/* What a session's thread has waited for so far, by reason. Read by its own thread. */
enum wait_reason { WAIT_RATE_LIMIT, WAIT_RETRY_AFTER, WAIT_BACKOFF, WAIT_BREAKER, WAIT_JOB, WAIT_REASONS };
extern const char *const WAIT_NAMES[WAIT_REASONS]; /* "rate limit", "Retry-After" .. */
int64_t session_waited_ms(const struct session *session, enum wait_reason reason);
/* Until when its thread waits before it sends again (monotonic); 0: it does not. For other threads. */
int64_t session_waiting_until_ms(const struct session *session);

/* Gets a token, where auth has any, without a request that needs one. */
int session_log_in(struct session *session, struct err *err) MUST_USE;

/* auth_redeem for what a browser brought, through this session. */
struct auth_pair;
int session_redeem(struct session *session, const struct auth_pair *params, size_t count, struct err *err) MUST_USE;
/* A login by another device (device.h): `show` gets what somebody is to do there, then this waits until it is done. */
struct auth_spec;
struct device_login;
int session_log_in_by_device(struct session *session, const struct auth_spec *spec,
                             void (*show)(void *context, const struct device_login *login), void *context,
                             struct err *err) MUST_USE;
/* Waits because the source needs time, as on a declared limit: whoever asks is told until when. False when the client's
 * `cancel` ended the wait. `what` ("job") lives for ever. */
bool session_wait_ms(struct session *session, int64_t wait_ms, const char *what);

/* Sends and waits for a verified answer, see above. Headers and url of the response live in `arena`. */
int client_send(struct session *session, const struct http_request *request, struct arena *arena,
                struct http_response *response, struct err *err) MUST_USE;

/* Puts "GET https://...: " before an error's message, without secrets: for a fault that was found in the answer's content. */
int client_name_request(const struct client *client, const char *method, const char *url, struct err *err);

/* Is this absolute URL one the client may go to (scheme, host, port)? 0, or PERMISSION with the reason: for next-page URLs. */
int client_allows(const struct client *client, const char *url, struct err *err) MUST_USE;

#endif
