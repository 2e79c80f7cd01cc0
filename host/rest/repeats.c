/* repeats: see repeats.h. */
#include "rest/repeats.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"

enum { FIRST_CAPACITY = 256 };

/* The place of the hash, or the empty one it would take. */
static uint64_t *place_of(const struct hash_set *set, uint64_t hash)
{
    size_t at = hash & (set->capacity - 1);
    while (set->places[at] && set->places[at] != hash) at = (at + 1) & (set->capacity - 1);
    return &set->places[at];
}

static void add(struct hash_set *set, uint64_t hash)
{
    if (2 * (set->count + 1) > set->capacity) {
        struct hash_set larger = {.capacity = set->capacity ? 2 * set->capacity : FIRST_CAPACITY, .count = set->count};
        larger.places = mem_zero(larger.capacity, sizeof *larger.places);
        for (size_t i = 0; i < set->capacity; i++)
            if (set->places[i]) *place_of(&larger, set->places[i]) = set->places[i];
        free(set->places);
        *set = larger;
    }
    uint64_t *place = place_of(set, hash);
    set->count += *place == 0;
    *place = hash;
}

void repeats_lap(struct repeats *repeats, uint64_t lap)
{
    if (lap == repeats->lap) return;
    free(repeats->before.places);
    repeats->before = repeats->here;
    repeats->here = (struct hash_set){0};
    repeats->lap = lap;
}

bool repeats_knows(struct repeats *repeats, struct str record)
{
    uint64_t hash = hash_bytes(record);
    hash += hash == 0;
    if (repeats->before.count && *place_of(&repeats->before, hash)) return true;
    add(&repeats->here, hash);
    return false;
}

void repeats_release(struct repeats *repeats)
{
    free(repeats->before.places);
    free(repeats->here.places);
    *repeats = (struct repeats){0};
}
