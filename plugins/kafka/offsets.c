#include "kafka/offsets.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTITIONS = 200000 };
static const double MAX_OFFSET = 9007199254740992.0; /* what a number of JSON holds exactly */

void offsets_init(struct offsets *offsets, const char *topic)
{
    *offsets = (struct offsets){.topic = copy_text(topic)};
}

bool offsets_grow(struct offsets *offsets, size_t count)
{
    if (count < offsets->count) return false;
    if (count == offsets->count) return true;
    offsets->partitions = realloc(offsets->partitions, count * sizeof *offsets->partitions);
    if (!offsets->partitions) abort();
    for (; offsets->count < count; offsets->count++)
        offsets->partitions[offsets->count] = (struct partition){.id = (int32_t)offsets->count,
                                                                 .next = OFFSET_UNKNOWN,
                                                                 .low = OFFSET_UNKNOWN,
                                                                 .high = OFFSET_UNKNOWN,
                                                                 .at_time = OFFSET_UNKNOWN};
    return true;
}

static const char *read_partitions(struct offsets *offsets, const cJSON *map)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, map)
    {
        char *end;
        unsigned long id = strtoul(entry->string, &end, 10);
        if (*end || end == entry->string || id >= MAX_PARTITIONS) return "a partition's number is none";
        if (!cJSON_IsNumber(entry) || entry->valuedouble < 0 || entry->valuedouble > MAX_OFFSET) return "an offset is none";
        if (id >= offsets->count) offsets_grow(offsets, id + 1);
        offsets->partitions[id].next = (int64_t)entry->valuedouble;
        offsets->partitions[id].is_promised = true;
    }
    return NULL;
}

const char *offsets_read(struct offsets *offsets, const char *state)
{
    cJSON *json = cJSON_Parse(state);
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(json, offsets->topic);
    const char *flaw = cJSON_IsObject(map) ? read_partitions(offsets, map) : "it does not speak of this topic";
    cJSON_Delete(json);
    offsets->had_state = !flaw;
    return flaw;
}

void offsets_write(const struct offsets *offsets, struct text *out)
{
    const char *comma = "";
    text_puts(out, "{");
    text_json(out, offsets->topic, strlen(offsets->topic));
    text_puts(out, ":{");
    for (size_t i = 0; i < offsets->count; i++) {
        if (offsets->partitions[i].next == OFFSET_UNKNOWN) continue;
        text_printf(out, "%s\"%zu\":%" PRId64, comma, i, offsets->partitions[i].next);
        comma = ",";
    }
    text_puts(out, "}}");
}

void offsets_release(struct offsets *offsets)
{
    free(offsets->topic);
    free(offsets->partitions);
    *offsets = (struct offsets){0};
}

static int64_t first_start(const struct partition *partition, const struct settings *settings)
{
    if (settings->start == START_EARLIEST) return partition->low;
    if (settings->start == START_LATEST || partition->at_time == OFFSET_UNKNOWN) return partition->high;
    return partition->at_time;
}

int64_t offsets_begin(struct partition *partition, const struct settings *settings, bool is_new_since_state)
{
    int64_t lost = 0;
    if (partition->next == OFFSET_UNKNOWN)
        partition->next = is_new_since_state ? partition->low : first_start(partition, settings);
    else if (partition->next < partition->low)
        lost = partition->low - partition->next;
    else if (partition->next > partition->high)
        lost = -1;
    if (lost && settings->on_lost_offsets == LOST_EARLIEST) partition->next = partition->low;
    if (lost && settings->on_lost_offsets == LOST_LATEST) partition->next = partition->high;
    partition->target = partition->high;
    partition->is_done = partition->next >= partition->high;
    return lost;
}
