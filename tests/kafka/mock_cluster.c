/* mock_cluster [BROKERS [BATCH]]: a Kafka cluster for tests, librdkafka's mock brokers on loopback. At most BATCH messages are
 * sent together, and fetched together. Says its bootstrap servers, then does what each line of its input says and answers with
 * a line, "ok" or "error: ..", until the input ends:
 *
 *     topic NAME PARTITIONS
 *     message TOPIC PARTITION KEY VALUE [NAME=VALUE ..]     in hex; - is none at all, . an empty one; headers behind
 *     fill TOPIC PARTITION FIRST COUNT SIZE                 {"n": FIRST, "pad": ".."} of SIZE bytes and so on, key k<n>
 *     flush                                                 until the brokers have all messages; `fill` does so itself
 *     fault API COUNT CODE                                  the next COUNT requests fail so (Kafka's numbers; -195: hang up)
 *     topic_fault TOPIC CODE                                0: no more
 *     down BROKER
 *     up BROKER
 *     delay BROKER MILLISECONDS                             of each answer
 *     leader TOPIC PARTITION BROKER                         -1: none
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 32, MAX_LINE = 4 * 1024 * 1024, FLUSH_MS = 60000, HUGE_BYTES = 1000000 };

struct world {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    int undelivered;
};

struct words {
    char *word[MAX_WORDS];
    int count;
};

static int number(const struct words *words, int at)
{
    return at < words->count ? (int)strtol(words->word[at], NULL, 10) : 0;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct world *world = opaque;
    if (message->err) world->undelivered++;
}

static rd_kafka_resp_err_t flush(struct world *world)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(world->producer, FLUSH_MS);
    if (!code && world->undelivered) code = RD_KAFKA_RESP_ERR__FAIL;
    world->undelivered = 0;
    return code;
}

/* The bytes that a word stands for, in place; NULL: none. */
static char *bytes(char *word, size_t *size)
{
    *size = 0;
    if (strcmp(word, "-") == 0) return NULL;
    if (strcmp(word, ".") == 0) return word;
    for (char *at = word; at[0] && at[1]; at += 2, (*size)++) {
        char two[3] = {at[0], at[1], 0};
        word[*size] = (char)strtol(two, NULL, 16);
    }
    return word;
}

static rd_kafka_resp_err_t produce(struct world *world, const char *topic, int partition, const char *key, size_t key_size,
                                   const char *value, size_t value_size, rd_kafka_headers_t *headers)
{
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_producev(
            world->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_size),
            RD_KAFKA_V_HEADERS(headers ? rd_kafka_headers_copy(headers) : NULL), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return code;
        rd_kafka_poll(world->producer, 10);
    }
}

static rd_kafka_resp_err_t do_message(struct world *world, struct words *words)
{
    size_t key_size, value_size, size;
    const char *key = bytes(words->word[3], &key_size), *value = bytes(words->word[4], &value_size);
    rd_kafka_headers_t *headers = words->count > 5 ? rd_kafka_headers_new(4) : NULL;
    for (int i = 5; i < words->count; i++) {
        char *equals = strchr(words->word[i], '=');
        *equals = 0;
        const char *header = bytes(equals + 1, &size);
        rd_kafka_header_add(headers, words->word[i], -1, header, (ssize_t)size);
    }
    rd_kafka_resp_err_t code = produce(world, words->word[1], number(words, 2), key, key_size, value, value_size, headers);
    if (headers) rd_kafka_headers_destroy(headers);
    return code;
}

static rd_kafka_resp_err_t do_fill(struct world *world, struct words *words)
{
    int first = number(words, 3), count = number(words, 4), size = number(words, 5);
    char *value = malloc((size_t)size + 64), key[32];
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = first; i < first + count && !code; i++) {
        int length = snprintf(value, 64, "{\"n\": %d, \"pad\": \"", i);
        /* not all the same, or it would be stored as next to nothing, unless it would fill the partition otherwise */
        for (unsigned seed = (unsigned)i * 2654435761u + 1; length < size - 2; length++) {
            seed = seed * 1103515245u + 12345u;
            value[length] = (char)(size < HUGE_BYTES ? 'a' + (seed >> 16) % 26 : 'x');
        }
        memcpy(value + length, "\"}", 2);
        int key_size = snprintf(key, sizeof key, "k%d", i);
        code = produce(world, words->word[1], number(words, 2), key, (size_t)key_size, value, (size_t)length + 2, NULL);
        if (i % 1000 == 0) rd_kafka_poll(world->producer, 0);
    }
    free(value);
    return code ? code : flush(world);
}

static rd_kafka_resp_err_t do_fault(struct world *world, struct words *words)
{
    enum { MAX_FAULTS = 100 };
    rd_kafka_resp_err_t codes[MAX_FAULTS];
    int count = number(words, 2);
    for (int i = 0; i < count && i < MAX_FAULTS; i++) codes[i] = (rd_kafka_resp_err_t)number(words, 3);
    rd_kafka_mock_push_request_errors_array(world->cluster, (int16_t)number(words, 1), (size_t)count, codes);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t do_line(struct world *world, struct words *words)
{
    static const struct {
        const char *name;
        int words; /* at least */
    } COMMANDS[] = {{"topic", 3},       {"message", 5}, {"fill", 6}, {"flush", 1}, {"fault", 4},
                    {"topic_fault", 3}, {"down", 2},    {"up", 2},   {"delay", 3}, {"leader", 4}};
    size_t command = 0, count = sizeof COMMANDS / sizeof *COMMANDS;
    while (command < count && (words->count < COMMANDS[command].words || strcmp(words->word[0], COMMANDS[command].name) != 0))
        command++;
    switch (command) {
    case 0:
        return rd_kafka_mock_topic_create(world->cluster, words->word[1], number(words, 2), 1);
    case 1:
        return do_message(world, words);
    case 2:
        return do_fill(world, words);
    case 3:
        return flush(world);
    case 4:
        return do_fault(world, words);
    case 5:
        rd_kafka_mock_topic_set_error(world->cluster, words->word[1], (rd_kafka_resp_err_t)number(words, 2));
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    case 6:
        return rd_kafka_mock_broker_set_down(world->cluster, number(words, 1));
    case 7:
        return rd_kafka_mock_broker_set_up(world->cluster, number(words, 1));
    case 8:
        return rd_kafka_mock_broker_set_rtt(world->cluster, number(words, 1), number(words, 2));
    case 9:
        return rd_kafka_mock_partition_set_leader(world->cluster, words->word[1], number(words, 2), number(words, 3));
    default:
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    }
}

static bool begin(struct world *world, int brokers, const char *batch)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_t *host_conf = rd_kafka_conf_new();
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, host_conf, reason, sizeof reason);
    if (!host) return false;
    world->cluster = rd_kafka_mock_cluster_new(host, brokers);
    if (!world->cluster) return false;
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(world->cluster), reason, sizeof reason);
    rd_kafka_conf_set(conf, "batch.num.messages", batch, reason, sizeof reason);
    rd_kafka_conf_set(conf, "linger.ms", "20", reason, sizeof reason);
    rd_kafka_conf_set(conf, "compression.type", "lz4", reason, sizeof reason);
    rd_kafka_conf_set(conf, "message.max.bytes", "50000000", reason, sizeof reason);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, world);
    world->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    return world->producer != NULL;
}

int main(int argc, char **argv)
{
    struct world world = {0};
    char *line = malloc(MAX_LINE);
    if (!begin(&world, argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1, argc > 2 ? argv[2] : "10000")) return 1;
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(world.cluster));
    fflush(stdout);
    while (fgets(line, MAX_LINE, stdin)) {
        struct words words = {0};
        char *rest = line;
        for (char *word; words.count < MAX_WORDS && (word = strtok_r(rest, " \n", &rest)) != NULL;)
            words.word[words.count++] = word;
        if (words.count == 0) continue;
        rd_kafka_resp_err_t code = do_line(&world, &words);
        rd_kafka_poll(world.producer, 0);
        if (code)
            printf("error: %s\n", rd_kafka_err2str(code));
        else
            puts("ok");
        fflush(stdout);
    }
    _exit(0); /* nothing to clean up that a kernel would not */
}
