/* reader: partitions are settled first (asked for their ends, and given a place to begin), then assigned to the client with
 * explicit offsets. What moves a partition's `next` is the message that was emitted, or the end that was reported behind it:
 * control records and compaction leave gaps. The checkpoint of a page is all of them.
 *
 * The client may hold messages from before a new assignment; they are told by their offsets. */
#include "kafka/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/client.h"
#include "kafka/errors.h"
#include "kafka/offsets.h"
#include "kafka/rows.h"
#include "kafka/settings.h"
#include "kafka/text.h"

enum {
    BATCH_MESSAGES = 4096,
    BATCH_WAIT_MS = 20,
    PAGE_MS = 1000,
};

struct reader {
    struct client client;
    struct sluice_session *session;
    const struct sluice_slice *slice;
    struct settings settings;
    struct offsets offsets;
    struct rows rows;
    size_t settled_count; /* the first so many partitions have a place to begin */
    size_t known_count;   /* partitions at the last look that were not new: see offsets_begin */
    size_t left_count;    /* partitions that are not done */
    bool is_assigned;
    int64_t moved_ms;      /* when something came last */
    int64_t discovered_ms; /* when partitions were looked for last */
    rd_kafka_message_t *batch[BATCH_MESSAGES];
    size_t batch_count, batch_at;
};

/* --- what brokers know ------------------------------------------------------------------------------------------------ */

/* ListOffsets of Kafka's protocol: a time, or one of these. It is asked by way of rd_kafka_offsets_for_times, which hands both
 * on, since that asks for all partitions at once, and keeps to its time, other than rd_kafka_query_watermark_offsets. */
enum { ASK_LATEST = -1, ASK_EARLIEST = -2 };

struct question {
    struct reader *reader;
    const struct partition *first; /* `count` partitions from it on */
    size_t count;
    int64_t asked; /* milliseconds since 1970, or ASK_* */
    rd_kafka_topic_partition_list_t *answer;
};

static rd_kafka_resp_err_t attempt_offsets(struct client *client, void *context, int timeout_ms)
{
    struct question *question = context;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)question->count);
    for (size_t i = 0; i < question->count; i++)
        rd_kafka_topic_partition_list_add(list, question->reader->offsets.topic, question->first[i].id)->offset =
            question->asked;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->kafka, list, timeout_ms);
    for (int i = 0; i < list->cnt && !code; i++) code = list->elems[i].err;
    if (code)
        rd_kafka_topic_partition_list_destroy(list);
    else
        question->answer = list;
    return code;
}

static int ask_for(struct reader *reader, struct partition *first, size_t count, int64_t asked)
{
    struct question question = {.reader = reader, .first = first, .count = count, .asked = asked};
    char what[400];
    snprintf(what, sizeof what, "could not ask where the partitions of '%s' begin and end", reader->offsets.topic);
    int rc = client_try(&reader->client, what, attempt_offsets, &question);
    if (rc) return rc;
    for (int i = 0; i < question.answer->cnt; i++) {
        const rd_kafka_topic_partition_t *answer = &question.answer->elems[i];
        struct partition *partition = &reader->offsets.partitions[answer->partition];
        if (asked == ASK_EARLIEST)
            partition->low = answer->offset;
        else if (asked == ASK_LATEST)
            partition->high = answer->offset;
        else
            partition->at_time = answer->offset >= 0 ? answer->offset : OFFSET_UNKNOWN;
    }
    rd_kafka_topic_partition_list_destroy(question.answer);
    return 0;
}

/* The ends of `count` partitions from `first` on, and where the time is in them that a first sync begins at. */
static int ask(struct reader *reader, struct partition *first, size_t count)
{
    int rc = ask_for(reader, first, count, ASK_LATEST);
    if (rc == 0) rc = ask_for(reader, first, count, ASK_EARLIEST);
    if (rc == 0 && reader->settings.start == START_TIME && !reader->offsets.had_state)
        rc = ask_for(reader, first, count, reader->settings.start_ms);
    return rc;
}

/* --- offsets that are gone -------------------------------------------------------------------------------------------- */

static const char LOST_HINT[] = "set `on_lost_offsets` to earliest or latest to go on with what there is, and raise the "
                                "topic's retention, or sync more often";
static const char ANEW_HINT[] = "it was deleted and made anew, or a broker lost messages: set `on_lost_offsets` to earliest or "
                                "latest to go on with what there is";

static int report_lost(struct reader *reader, const struct partition *partition, int64_t wanted, int64_t lost)
{
    char what[500];
    bool fails = reader->settings.on_lost_offsets == LOST_FAIL;
    if (lost > 0)
        snprintf(what, sizeof what,
                 "offsets %" PRId64 " to %" PRId64 " of partition %" PRId32 " of '%s' were deleted before they were read",
                 wanted, partition->low - 1, partition->id, reader->offsets.topic);
    else
        snprintf(what, sizeof what,
                 "partition %" PRId32 " of '%s' ends at offset %" PRId64 ", and was read up to %" PRId64 " before",
                 partition->id, reader->offsets.topic, partition->high, wanted);
    if (fails) return fail(reader->session, SLUICE_ERROR_DATA, lost > 0 ? LOST_HINT : ANEW_HINT, "%s", what);
    say(reader->session, SLUICE_LOG_WARN, "%s; going on at %" PRId64, what, partition->next);
    return 0;
}

static int settle(struct reader *reader, struct partition *first, size_t count)
{
    int rc = ask(reader, first, count);
    for (struct partition *partition = first; rc == 0 && partition < first + count; partition++) {
        int64_t wanted = partition->next;
        bool is_new = reader->offsets.had_state || (size_t)partition->id >= reader->known_count;
        int64_t lost = offsets_begin(partition, &reader->settings, is_new);
        if (lost) rc = report_lost(reader, partition, wanted, lost);
        if (reader->slice->continuous) partition->is_done = false;
    }
    return rc;
}

/* --- partitions ------------------------------------------------------------------------------------------------------- */

static int discover(struct reader *reader)
{
    const struct rd_kafka_metadata *metadata;
    int rc = client_metadata(&reader->client, reader->offsets.topic, &metadata);
    if (rc) return rc;
    size_t count = (size_t)metadata->topics[0].partition_cnt, before = reader->offsets.count;
    rd_kafka_metadata_destroy(metadata);
    reader->discovered_ms = now_ms();
    if (offsets_grow(&reader->offsets, count)) return 0;
    if (reader->settings.on_lost_offsets == LOST_FAIL)
        return fail(reader->session, SLUICE_ERROR_DATA, ANEW_HINT, "'%s' has %zu partitions, and had %zu before",
                    reader->offsets.topic, count, before);
    say(reader->session, SLUICE_LOG_WARN, "'%s' has %zu partitions, and had %zu before", reader->offsets.topic, count, before);
    reader->offsets.count = count;
    reader->is_assigned = false;
    if (reader->settled_count > count) reader->settled_count = count;
    return 0;
}

static void drop_batch(struct reader *reader)
{
    while (reader->batch_at < reader->batch_count) rd_kafka_message_destroy(reader->batch[reader->batch_at++]);
}

static void count_left(struct reader *reader)
{
    reader->left_count = 0;
    for (size_t i = 0; i < reader->offsets.count; i++) reader->left_count += !reader->offsets.partitions[i].is_done;
}

static int assign(struct reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reader->offsets.count);
    drop_batch(reader);
    for (size_t i = 0; i < reader->offsets.count; i++) {
        const struct partition *partition = &reader->offsets.partitions[i];
        if (partition->is_done) continue;
        rd_kafka_topic_partition_list_add(list, reader->offsets.topic, partition->id)->offset = partition->next;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->client.kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code) return client_fail(&reader->client, code, "could not assign the partitions", NULL);
    reader->is_assigned = true;
    reader->moved_ms = now_ms();
    count_left(reader);
    return 0;
}

static int prepare(struct reader *reader)
{
    size_t settled = reader->settled_count, count = reader->offsets.count;
    if (settled < count) {
        int rc = settle(reader, &reader->offsets.partitions[settled], count - settled);
        if (rc) return rc;
        reader->settled_count = count;
        reader->is_assigned = false;
    }
    return reader->is_assigned ? 0 : assign(reader);
}

/* --- what comes ------------------------------------------------------------------------------------------------------- */

static void moved(struct reader *reader)
{
    reader->moved_ms = now_ms();
    reader->client.fault = RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Of a bounded sync: this partition has all that it began with. */
static void finish(struct reader *reader, struct partition *partition)
{
    if (reader->slice->continuous || partition->is_done || partition->next < partition->target) return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, reader->offsets.topic, partition->id);
    rd_kafka_pause_partitions(reader->client.kafka, list); /* what comes later is for the next sync */
    rd_kafka_topic_partition_list_destroy(list);
    partition->is_done = true;
    reader->left_count--;
}

static int take_event(struct reader *reader, const rd_kafka_message_t *message, struct partition *partition)
{
    char what[400];
    if (partition && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        moved(reader);
        if (message->offset > partition->next) partition->next = message->offset;
        finish(reader, partition);
        return 0;
    }
    if (partition && message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        reader->is_assigned = false;
        if (!partition->is_promised) partition->next = OFFSET_UNKNOWN; /* retention was faster than our first fetch */
        return settle(reader, partition, 1);
    }
    const char *text = rd_kafka_message_errstr(message);
    if (error_meaning(message->err)->is_waited_out) {
        reader->client.fault = message->err;
        snprintf(reader->client.fault_text, sizeof reader->client.fault_text, "%s", text ? text : "");
        return 0;
    }
    snprintf(what, sizeof what, "could not read '%s' at offset %" PRId64 " of partition %" PRId32, reader->offsets.topic,
             partition ? partition->next : OFFSET_UNKNOWN, message->partition);
    return client_fail(&reader->client, message->err, what, text);
}

/* Returns as sluice_emit. */
static int take(struct reader *reader, const rd_kafka_message_t *message)
{
    bool is_known = message->rkt && message->partition >= 0 && (size_t)message->partition < reader->offsets.count;
    struct partition *partition = is_known ? &reader->offsets.partitions[message->partition] : NULL;
    if (message->err) return take_event(reader, message, partition);
    if (!partition || partition->is_done || message->offset < partition->next) return 0;
    if (!reader->slice->continuous && message->offset >= partition->target) {
        partition->next = partition->target;
        finish(reader, partition);
        return 0;
    }
    int rc = rows_emit(&reader->rows, reader->session, message);
    if (rc < 0) return rc;
    partition->next = message->offset + 1;
    partition->is_promised = true;
    moved(reader);
    finish(reader, partition);
    return rc;
}

/* The rest of the last batch, or a new one. *has_come: there was something in it. */
static int take_batch(struct reader *reader, bool *has_come)
{
    int rc = 0;
    if (reader->batch_at == reader->batch_count) {
        ssize_t count = rd_kafka_consume_batch_queue(reader->client.queue, BATCH_WAIT_MS, reader->batch, BATCH_MESSAGES);
        reader->batch_at = 0;
        reader->batch_count = count > 0 ? (size_t)count : 0;
    }
    *has_come = reader->batch_at < reader->batch_count;
    while (rc == 0 && reader->batch_at < reader->batch_count && reader->is_assigned) {
        rd_kafka_message_t *message = reader->batch[reader->batch_at++];
        rc = take(reader, message);
        rd_kafka_message_destroy(message);
    }
    return rc;
}

/* Nothing has come for long. A log that was cut back ends before its target; else this is a failure. */
static int give_up(struct reader *reader)
{
    char what[400];
    for (size_t i = 0; i < reader->offsets.count; i++) {
        struct partition *partition = &reader->offsets.partitions[i];
        if (partition->is_done) continue;
        int rc = ask(reader, partition, 1);
        if (rc) return rc;
        if (partition->next < partition->high) {
            snprintf(what, sizeof what, "nothing came for %" PRId64 " s of partition %" PRId32 " of '%s', at offset %" PRId64,
                     reader->client.timeout_ms / 1000, partition->id, reader->offsets.topic, partition->next);
            return client_fail(&reader->client, reader->client.fault ? reader->client.fault : RD_KAFKA_RESP_ERR__TIMED_OUT,
                               what, reader->client.fault ? reader->client.fault_text : NULL);
        }
        say(reader->session, SLUICE_LOG_WARN,
            "partition %" PRId32 " of '%s' was cut back to offset %" PRId64 " while it was read", partition->id,
            reader->offsets.topic, partition->high);
        partition->target = partition->high;
        finish(reader, partition);
    }
    return 0;
}

static int watch(struct reader *reader)
{
    int rc = client_serve(&reader->client);
    if (rc) return rc;
    if (!reader->slice->continuous) return now_ms() - reader->moved_ms > reader->client.timeout_ms ? give_up(reader) : 0;
    return now_ms() - reader->discovered_ms > client_refresh_ms(&reader->client) ? discover(reader) : 0;
}

static int checkpoint(struct reader *reader)
{
    struct text state = {0};
    offsets_write(&reader->offsets, &state);
    int rc = sluice_checkpoint(reader->session, state.data, state.size);
    text_release(&state);
    return rc;
}

int reader_page(struct reader *reader)
{
    int64_t until_ms = now_ms() + PAGE_MS;
    bool has_rows = false, has_come = false, is_full = false;
    int rc = watch(reader);
    if (rc == 0) rc = prepare(reader);
    if (rc) return rc;
    do {
        rc = take_batch(reader, &has_come);
        is_full = rc > 0;
        has_rows = has_rows || has_come;
        if (rc >= 0) rc = client_serve(&reader->client);
        if (rc >= 0 && !reader->is_assigned) rc = assign(reader);
        if (rc < 0) return rc;
    } while (reader->left_count && !is_full && (has_come || !has_rows) && now_ms() < until_ms &&
             !sluice_cancelled(reader->session));
    rc = checkpoint(reader);
    if (rc < 0) return rc;
    return reader->slice->continuous || reader->left_count > 0;
}

/* --- the slice -------------------------------------------------------------------------------------------------------- */

int reader_open(struct reader **out, struct sluice_session *session, const struct sluice_slice *slice)
{
    struct reader *reader = *out = allocate(1, sizeof *reader);
    reader->session = session;
    reader->slice = slice;
    offsets_init(&reader->offsets, slice->stream);
    int rc = settings_read(&reader->settings, session);
    if (rc) return rc;
    rows_init(&reader->rows, &reader->settings, slice);
    const char *flaw = slice->state ? offsets_read(&reader->offsets, slice->state) : NULL;
    if (flaw)
        return fail(session, SLUICE_ERROR_SOURCE, "reset the stream's state to read it from its start",
                    "the state of '%s' cannot be read: %s", slice->stream, flaw);
    rc = client_open(&reader->client, session, reader->settings.timeout_ms);
    if (rc == 0) rc = discover(reader);
    reader->known_count = reader->offsets.count;
    reader->moved_ms = now_ms();
    return rc;
}

void reader_close(struct reader *reader)
{
    if (!reader) return;
    if (reader->rows.dead_count)
        say(reader->session, SLUICE_LOG_INFO, "%" PRIu64 " messages of '%s' were not what the formats say%s%s",
            reader->rows.dead_count, reader->offsets.topic, reader->rows.unseen_count ? ", and are left out" : ": see its ",
            reader->rows.unseen_count ? "" : "dead letters");
    drop_batch(reader);
    client_close(&reader->client);
    rows_release(&reader->rows);
    offsets_release(&reader->offsets);
    settings_release(&reader->settings);
    free(reader);
}
