/* offsets: how far each partition of a topic has been read, which is all the state there is: {"orders": {"0": 1200, "1": 0}},
 * the offset of the next message. Kafka's own record of offsets (consumer groups) is not used: ours is stored with the rows.
 *
 * Pure: what brokers say about partitions is put in by who asked them. */
#ifndef SLUICE_KAFKA_OFFSETS_H
#define SLUICE_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kafka/settings.h"
#include "kafka/text.h"

enum { OFFSET_UNKNOWN = -1 };

struct partition {
    int32_t id;
    int64_t next;      /* offset of the next message that is wanted; OFFSET_UNKNOWN: to be settled */
    int64_t low, high; /* the log's first offset, and the one behind its last message, when it was asked */
    int64_t at_time;   /* of START_TIME: the first offset at or after it; OFFSET_UNKNOWN: there is none */
    int64_t target;    /* where a bounded sync ends */
    bool is_promised;  /* something before `next` has been read: what follows must not be missed */
    bool is_done;
};

struct offsets {
    char *topic;
    struct partition *partitions; /* by id: partition i has id i */
    size_t count;
    bool had_state; /* there was a checkpoint: partitions that it does not know came later */
};

void offsets_init(struct offsets *offsets, const char *topic);
/* NULL, or what is wrong with `state`. Partitions that it names are added. */
const char *offsets_read(struct offsets *offsets, const char *state);
void offsets_write(const struct offsets *offsets, struct text *out);
/* There are `count` partitions now: adds those that are new. False: there are fewer than before. */
bool offsets_grow(struct offsets *offsets, size_t count);
void offsets_release(struct offsets *offsets);

/* Sets where a partition begins whose low, high and at_time are known, and its target. Returns how many messages were lost that
 * the state still wanted (0: none; -1: the log ends before it, so it is another one); what then becomes of `next`:
 * on_lost_offsets. */
int64_t offsets_begin(struct partition *partition, const struct settings *settings, bool is_new_since_state);

#endif
