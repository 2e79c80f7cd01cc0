/* rows: a message as a row: of its topic's table, or, where its key or value is not what the pipeline says it is, as a dead
 * letter, with its bytes and the reason; the table is never stopped by what somebody else has written.
 *
 * Where a schema gives columns, each takes the member of its name out of the value, whose whole stays in the column `value`. */
#ifndef SLUICE_KAFKA_ROWS_H
#define SLUICE_KAFKA_ROWS_H

#include <librdkafka/rdkafka.h>

#include <sluice/plugin.h>

#include "kafka/schema.h"
#include "kafka/settings.h"
#include "kafka/text.h"

#define DEAD_LETTERS_SUFFIX "_dead_letters"
enum { ROWS_MAX_COLUMNS = 16, ROWS_MAX_MESSAGE_BYTES = 14 * 1024 * 1024 };

/* One of the two tables, if it is chosen. */
struct rows_table {
    int place[ROWS_MAX_COLUMNS]; /* of each of our columns among those wanted; -1: it is not wanted */
    int number;                  /* of the table; -1: it is not chosen */
    uint32_t column_count;
};

struct rows_member; /* a column that a member of the value goes to */

struct rows {
    const struct settings *settings;
    const char *topic;
    struct rows_table messages, dead_letters;
    struct sluice_value *values; /* of the row in hand */
    struct rows_member *members;
    size_t member_count;
    struct text headers, unescaped;
    uint64_t dead_count, unseen_count; /* dead letters, and those of them that no table takes */
};

/* Appends the declaration of the topic's stream. Properties of the schema that are called as one of our columns are left out.
 */
void rows_declare(const struct settings *settings, const char *topic, const struct schema *schema, struct text *out);

void rows_init(struct rows *rows, const struct settings *settings, const struct sluice_slice *slice);
/* Emits a message; returns as sluice_emit. */
int rows_emit(struct rows *rows, struct sluice_session *session, const rd_kafka_message_t *message);
void rows_release(struct rows *rows);

#endif
