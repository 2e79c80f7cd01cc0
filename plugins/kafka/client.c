#include "kafka/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/errors.h"
#include "kafka/settings.h"
#include "kafka/text.h"

enum {
    OPEN_MAX_MS = 45000, /* a callback has 60 s */
    FIRST_ATTEMPT_MS = 500,
    LONGEST_ATTEMPT_MS = 8000,
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 1000,
    WAKE_MS = 100,
    SYSLOG_WARNING = 4, /* levels of its log are those of syslog(3) */
    SYSLOG_NOTICE = 5,
};

/* What bounds its memory without bounding its speed: a partition that finds the queue full is looked at again a second later
 * (up to librdkafka 2.2, which has no setting for it), so what is queued must last for that. Before what a pipeline says; what
 * this librdkafka does not know is passed over. */
static const char *const DEFAULTS[][2] = {
    {"client.id", "sluice"},           {"client.software.name", "sluice"},   {"queued.max.messages.kbytes", "49152"},
    {"queued.min.messages", "250000"}, {"fetch.queue.backoff.ms", "100"},    {"fetch.max.bytes", "16777216"},
    {"fetch.wait.max.ms", "100"},      {"reconnect.backoff.max.ms", "2000"}, {"topic.metadata.refresh.interval.ms", "60000"},
};
/* What a source needs that keeps its own offsets. After it. */
static const char *const FIXED[][2] = {
    {"enable.auto.commit", "false"},  {"enable.auto.offset.store", "false"}, {"auto.offset.reset", "error"},
    {"enable.partition.eof", "true"}, {"max.poll.interval.ms", "86400000"},  {"log.queue", "true"},
};

static void hear_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct client *client = opaque;
    char fatal[200];
    rd_kafka_resp_err_t error = code;
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        error = rd_kafka_fatal_error(kafka, fatal, sizeof fatal);
        reason = fatal;
    }
    /* one that ends it is not forgotten for one that is waited out */
    if (client->fault && !error_meaning(client->fault)->is_waited_out) return;
    client->fault = error;
    snprintf(client->fault_text, sizeof client->fault_text, "%s", reason ? reason : rd_kafka_err2str(error));
}

static void hear_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    struct client *client = rd_kafka_opaque(kafka);
    enum sluice_log_level ours = level <= SYSLOG_WARNING  ? SLUICE_LOG_WARN
                                 : level == SYSLOG_NOTICE ? SLUICE_LOG_INFO
                                                          : SLUICE_LOG_DEBUG;
    if (strcmp(facility, "FAIL") == 0) ours = SLUICE_LOG_DEBUG; /* connections that break: it says so as errors, too */
    say(client->session, ours, "%s: %s", facility, text);
}

static int configure(rd_kafka_conf_t *conf, struct sluice_session *session)
{
    char reason[256];
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++)
        rd_kafka_conf_set(conf, DEFAULTS[i][0], DEFAULTS[i][1], reason, sizeof reason);
    int rc = settings_connection(conf, session);
    for (size_t i = 0; rc == 0 && i < sizeof FIXED / sizeof *FIXED; i++)
        if (rd_kafka_conf_set(conf, FIXED[i][0], FIXED[i][1], reason, sizeof reason) != RD_KAFKA_CONF_OK)
            rc = fail(session, SLUICE_ERROR_CONNECTOR, NULL, "this librdkafka cannot be used: %s", reason);
    return rc;
}

int client_open(struct client *client, struct sluice_session *session, int64_t timeout_ms)
{
    char reason[300];
    *client = (struct client){.session = session, .timeout_ms = timeout_ms};
    const char *brokers = sluice_config(session, "brokers");
    addresses_init(&client->addresses, brokers ? brokers : "");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc = configure(conf, session);
    if (rc == 0) {
        rd_kafka_conf_set_opaque(conf, client);
        rd_kafka_conf_set_resolve_cb(conf, addresses_answer);
        rd_kafka_conf_set_connect_cb(conf, addresses_connect);
        rd_kafka_conf_set_error_cb(conf, hear_error);
        rd_kafka_conf_set_log_cb(conf, hear_log);
        client->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
        if (!client->kafka)
            rc = fail(session, SLUICE_ERROR_CONFIG, "see the connection's settings", "cannot make a client of Kafka: %s",
                      reason);
    }
    if (!client->kafka) {
        rd_kafka_conf_destroy(conf);
        addresses_release(&client->addresses);
        return rc;
    }
    rd_kafka_set_log_queue(client->kafka, NULL);
    client->queue = rd_kafka_queue_get_consumer(client->kafka);
    return 0;
}

void client_close(struct client *client)
{
    if (!client->kafka) return;
    addresses_close(&client->addresses);
    rd_kafka_queue_destroy(client->queue);
    rd_kafka_destroy_flags(client->kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    addresses_release(&client->addresses);
}

int client_fail(struct client *client, rd_kafka_resp_err_t code, const char *what, const char *detail)
{
    const struct kafka_meaning *meaning = error_meaning(code);
    char refused[128];
    addresses_refused(&client->addresses, refused, sizeof refused);
    if (refused[0] && meaning->is_waited_out)
        return fail(client->session, SLUICE_ERROR_CONFIG, "name each broker with its port in `brokers`",
                    "%s: a broker calls itself %s, which is a port that `brokers` does not name", what, refused);
    return fail(client->session, meaning->error, meaning->hint, "%s: %s", what,
                detail && detail[0] ? detail : rd_kafka_err2str(code));
}

int client_serve(struct client *client)
{
    int rc = addresses_serve(&client->addresses, client->session);
    rd_kafka_poll(client->kafka, 0); /* errors and its log; messages have a queue of their own */
    if (rc == 0 && client->fault && !error_meaning(client->fault)->is_waited_out)
        rc = client_fail(client, client->fault, "the cluster refuses", client->fault_text);
    return rc;
}

/* One attempt, in a thread of its own: a call of librdkafka that waits may wait for a broker whose name waits for us. */
struct call {
    struct client *client;
    client_attempt *attempt;
    void *context;
    int timeout_ms;
    rd_kafka_resp_err_t code;
    atomic_bool is_done;
};

static void *run_call(void *argument)
{
    struct call *call = argument;
    call->code = call->attempt(call->client, call->context, call->timeout_ms);
    atomic_store(&call->is_done, true);
    addresses_wake(&call->client->addresses);
    return NULL;
}

/* 0 and call->code, or what serving failed with. */
static int try_once(struct call *call)
{
    pthread_t thread;
    int rc = 0;
    if (pthread_create(&thread, NULL, run_call, call) != 0)
        return fail(call->client->session, SLUICE_ERROR_CONNECTOR, NULL, "cannot start a thread");
    while (!atomic_load(&call->is_done)) {
        addresses_wait(&call->client->addresses, WAKE_MS);
        if (rc == 0) rc = addresses_serve(&call->client->addresses, call->client->session);
    }
    pthread_join(thread, NULL);
    return rc ? rc : client_serve(call->client);
}

static int doubled(int number, int limit)
{
    return 2 * number < limit ? 2 * number : limit;
}

int client_try(struct client *client, const char *what, client_attempt *attempt, void *context)
{
    int64_t max_ms = client->timeout_ms < OPEN_MAX_MS ? client->timeout_ms : OPEN_MAX_MS, until_ms = now_ms() + max_ms;
    struct call call = {.client = client, .attempt = attempt, .context = context};
    int wait_ms = FIRST_ATTEMPT_MS, pause_ms = FIRST_PAUSE_MS;
    for (;; wait_ms = doubled(wait_ms, LONGEST_ATTEMPT_MS), pause_ms = doubled(pause_ms, LONGEST_PAUSE_MS)) {
        int64_t left_ms = until_ms - now_ms();
        call.timeout_ms = left_ms > wait_ms ? wait_ms : left_ms > 1 ? (int)left_ms : 1;
        atomic_store(&call.is_done, false);
        int rc = try_once(&call);
        if (rc || !call.code) return rc;
        if (!error_meaning(call.code)->is_waited_out) return client_fail(client, call.code, what, NULL);
        if (now_ms() >= until_ms) break;
        rc = sluice_sleep(client->session, (uint32_t)pause_ms);
        if (rc < 0) return rc;
        if (rc > 0) return fail(client->session, SLUICE_ERROR_TRANSIENT, NULL, "%s: it was ended", what);
    }
    if (client->fault) return client_fail(client, client->fault, what, client->fault_text);
    return client_fail(client, call.code, what, NULL);
}

int64_t client_refresh_ms(const struct client *client)
{
    char text[32] = "";
    size_t size = sizeof text;
    rd_kafka_conf_get(rd_kafka_conf(client->kafka), "topic.metadata.refresh.interval.ms", text, &size);
    int64_t interval_ms = strtoll(text, NULL, 10);
    return interval_ms > 0 ? interval_ms : INT64_MAX;
}

/* --- metadata --------------------------------------------------------------------------------------------------------- */

struct metadata_request {
    rd_kafka_topic_t *topic; /* NULL: all */
    const struct rd_kafka_metadata *metadata;
};

static rd_kafka_resp_err_t attempt_metadata(struct client *client, void *context, int timeout_ms)
{
    struct metadata_request *request = context;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(client->kafka, request->topic == NULL, request->topic, &request->metadata, timeout_ms);
    if (code || !request->topic) return code;
    const struct rd_kafka_metadata *metadata = request->metadata;
    code = metadata->topic_cnt == 0 ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : metadata->topics[0].err;
    if (code) rd_kafka_metadata_destroy(metadata);
    return code;
}

int client_metadata(struct client *client, const char *topic, const struct rd_kafka_metadata **metadata)
{
    struct metadata_request request = {0};
    char what[400];
    if (topic) {
        snprintf(what, sizeof what, "could not look up topic '%s'", topic);
        request.topic = rd_kafka_topic_new(client->kafka, topic, NULL);
        if (!request.topic) return client_fail(client, rd_kafka_last_error(), what, NULL);
    } else {
        snprintf(what, sizeof what, "could not list the topics");
    }
    int rc = client_try(client, what, attempt_metadata, &request);
    if (request.topic) rd_kafka_topic_destroy(request.topic);
    *metadata = request.metadata;
    return rc;
}
