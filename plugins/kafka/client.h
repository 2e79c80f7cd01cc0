/* client: one connection to a cluster. Wraps what of librdkafka must go on while something is waited for: names of brokers are
 * resolved, errors are heard, its log goes to the sync's. All functions are for the thread of the callback. */
#ifndef SLUICE_KAFKA_CLIENT_H
#define SLUICE_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/plugin.h>

#include "kafka/addresses.h"

struct client {
    struct addresses addresses; /* first: librdkafka's opaque is the client, and the table's callbacks get it, too */
    struct sluice_session *session;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queue; /* messages, ends of partitions, errors of partitions */
    int64_t timeout_ms;
    rd_kafka_resp_err_t fault; /* the newest thing that went wrong with the cluster as a whole; 0: nothing, or it was mended */
    char fault_text[300];
};

/* `client` must stay where it is. */
int client_open(struct client *client, struct sluice_session *session, int64_t timeout_ms);
void client_close(struct client *client); /* one that is zeroed, or could not be opened, too */

/* Tries until it gives no error, or one that is not waited out, or the time is up. An attempt runs in a thread of its own while
 * ours serves, so it calls librdkafka only. */
typedef rd_kafka_resp_err_t client_attempt(struct client *client, void *context, int timeout_ms);
int client_try(struct client *client, const char *what, client_attempt *attempt, void *context);

/* The topics of the cluster, or the one of that name (its own `err` is looked at, too). *metadata: rd_kafka_metadata_destroy.
 */
int client_metadata(struct client *client, const char *topic, const struct rd_kafka_metadata **metadata);

/* How often topics are looked at anew: librdkafka's topic.metadata.refresh.interval.ms. */
int64_t client_refresh_ms(const struct client *client);

/* What must be done now and then: brokers' names, and errors that end it all. */
int client_serve(struct client *client);
/* Reports `code` as a failure: "could not WHAT: .." */
int client_fail(struct client *client, rd_kafka_resp_err_t code, const char *what, const char *detail);

#endif
