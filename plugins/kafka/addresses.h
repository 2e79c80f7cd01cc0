/* addresses: where brokers may be connected to. librdkafka asks from its own threads, the host answers the thread of the
 * callback only: so a name that is not known yet is put on a list, and its asker waits until that thread has come by.
 *
 *     rd_kafka_conf_set_resolve_cb(conf, addresses_answer);      // with the table as the opaque of the configuration
 *     addresses_serve(&addresses, session);                      // again and again, wherever a broker may be waited for
 *
 * All functions may be called from any thread, except addresses_serve and addresses_wait. */
#ifndef SLUICE_KAFKA_ADDRESSES_H
#define SLUICE_KAFKA_ADDRESSES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <sluice/plugin.h>

enum { ADDRESSES_PER_HOST = 8, ADDRESSES_WAIT_MS = 10000, ADDRESSES_FRESH_MS = 60000 };

struct addrinfo;
struct host_addresses;

struct addresses {
    pthread_mutex_t mutex;
    pthread_cond_t served, asked;
    struct host_addresses *hosts;
    size_t count, bootstrap_count;
    bool is_closing, is_woken;
    char refused[128]; /* the last address whose port the walls do not let through; empty: none */
};

void addresses_init(struct addresses *addresses, const char *brokers); /* names between commas, those to begin with */
/* Has the host look up every name that is asked for. 0, or what sluice_resolve failed with when none of those to begin with can
 * be found. */
int addresses_serve(struct addresses *addresses, struct sluice_session *session);
/* Waits until a name is asked for, or addresses_wake, or for so long. */
void addresses_wait(struct addresses *addresses, int milliseconds);
void addresses_wake(struct addresses *addresses);
/* Who waits gets no answer, now and from now on. Before the client of librdkafka is destroyed. */
void addresses_close(struct addresses *addresses);
void addresses_release(struct addresses *addresses);

/* A copy of `refused`, of up to `size` bytes. */
void addresses_refused(struct addresses *addresses, char *out, size_t size);

/* librdkafka's resolve_cb and connect_cb; `opaque` is a struct addresses. */
int addresses_answer(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result,
                     void *opaque);
int addresses_connect(int socket, const struct sockaddr *to, int size, const char *id, void *opaque);

#endif
