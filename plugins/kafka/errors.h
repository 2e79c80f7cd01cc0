/* errors: what a code of librdkafka means: whether it is waited out, what it becomes when it must be reported, and what to do.
 * A client of Kafka heals itself from most of what happens to brokers and connections: those codes only tell. Pure. */
#ifndef SLUICE_KAFKA_ERRORS_H
#define SLUICE_KAFKA_ERRORS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include <sluice/plugin.h>

struct kafka_meaning {
    rd_kafka_resp_err_t code;
    enum sluice_error error;
    bool is_waited_out; /* up to `timeout_seconds` */
    const char *hint;
};

/* Never NULL: what no row names is waited out, and TRANSIENT. */
const struct kafka_meaning *error_meaning(rd_kafka_resp_err_t code);

#endif
