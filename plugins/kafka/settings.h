/* settings: what a pipeline configures, read once, and what of it is librdkafka's. */
#ifndef SLUICE_KAFKA_SETTINGS_H
#define SLUICE_KAFKA_SETTINGS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/plugin.h>

#include "kafka/names.h"

enum format { FORMAT_JSON, FORMAT_STRING, FORMAT_BINARY, FORMAT_CONFLUENT_JSON };
enum start { START_EARLIEST, START_LATEST, START_TIME };
enum lost { LOST_FAIL, LOST_EARLIEST, LOST_LATEST };

struct settings {
    struct names topics;
    enum format key_format, value_format;
    bool is_upsert; /* mode: the key is the primary key, a tombstone deletes */
    enum start start;
    int64_t start_ms; /* of START_TIME, since 1970 */
    enum lost on_lost_offsets;
    int64_t timeout_ms; /* how long nothing may come before it is a failure */
};

/* CONFIG when something cannot be. */
int settings_read(struct settings *settings, struct sluice_session *session);
void settings_release(struct settings *settings);

/* Sets what is configured of the connection, its security and `options`. CONFIG where librdkafka refuses a value, or where an
 * option is not for a pipeline to set. */
int settings_connection(rd_kafka_conf_t *conf, struct sluice_session *session);

/* "2024-01-31", "2024-01-31T10:00:00.5Z", "2024-01-31 10:00+02:00" as milliseconds since 1970; without a zone it is UTC. Pure.
 */
bool settings_time(const char *text, int64_t *milliseconds);

#endif
