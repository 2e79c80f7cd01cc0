/* client_internal: what client.c (tries, counters, messages) and attempt.c (one try) share, and nobody else. */
#ifndef SLUICE_NET_CLIENT_INTERNAL_H
#define SLUICE_NET_CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/auth.h"
#include "net/classify.h"
#include "net/client.h"

struct breaker;
struct guard;

struct client {
    struct client_options options;
    struct guard *guard;
    struct breaker *breaker;
    struct credentials credentials; /* one, or a pool */
    char *user_agent;
    struct buf authorities;      /* what ca_file holds; empty: the system's count */
    struct buf certificate, key; /* what client_cert and client_key hold */
    struct client_counters counters;
    pthread_mutex_t lock; /* over how many wait, and the two waiting counters */
    int waiting;
};

struct session {
    struct client *client;
    struct http *http; /* NULL: a cassette answers */
    struct http_options http_options;
    struct arena scratch;     /* of the attempt in hand */
    int64_t waiting_until_ms; /* atomic; 0: it does not wait */
    int64_t waiting_since_ms;
    enum wait_reason waiting_for;
    int64_t waited_ms[WAIT_REASONS];
    struct auth_sender token_sender; /* sends token calls through this session */
};

void client_count(uint64_t *counter, uint64_t more);
void session_begin_waiting(struct session *session, int64_t until_ms, const char *what); /* `what` is static text */
void session_end_waiting(struct session *session);

/* Over the network, or from the cassette. */
int session_transmit(struct session *session, const struct http_request *request, struct http_response *response,
                     bool *was_sent, struct err *err) MUST_USE;

/* What an attempt found out beside its answer. */
struct attempt_facts {
    bool was_sent;    /* a server may have seen a request of it */
    bool has_renewed; /* in and out: a token was renewed for this request, so a second 401 counts */
    bool is_final;    /* trying again is of no use: a token call had all its tries, the host is given up, a quota used up */
    struct verdict verdict; /* on the answer; class 0 when there was none */
};

/* May the request be sent once more, after an attempt that these are the facts of? */
bool attempt_may_repeat(const struct http_request *request, const struct attempt_facts *facts);

/* One attempt, or two when the first one's token had ended. 0 with an answer, whatever its status; its headers and URL live in
 * the session's scratch arena, until the next attempt. */
int attempt_run(struct session *session, const struct http_request *request, struct attempt_facts *facts,
                struct http_response *response, struct err *err) MUST_USE;

#endif
