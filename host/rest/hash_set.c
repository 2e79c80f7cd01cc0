/* hash_set: see hash_set.h. */
#include "rest/hash_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { FIRST_CAPACITY = 256 };

/* Zero marks an empty place, and so is no hash. */
static uint64_t not_zero(uint64_t hash)
{
    return hash + (hash == 0);
}

/* The place of the hash, or the empty one it would take. */
static uint64_t *place_of(const struct hash_set *set, uint64_t hash)
{
    size_t at = hash & (set->capacity - 1);
    while (set->places[at] && set->places[at] != hash) at = (at + 1) & (set->capacity - 1);
    return &set->places[at];
}

bool hash_set_has(const struct hash_set *set, uint64_t hash)
{
    return set->count && *place_of(set, not_zero(hash));
}

bool hash_set_add(struct hash_set *set, uint64_t hash)
{
    if (2 * (set->count + 1) > set->capacity) {
        struct hash_set larger = {.capacity = set->capacity ? 2 * set->capacity : FIRST_CAPACITY, .count = set->count};
        larger.places = mem_zero(larger.capacity, sizeof *larger.places);
        for (size_t i = 0; i < set->capacity; i++)
            if (set->places[i]) *place_of(&larger, set->places[i]) = set->places[i];
        free(set->places);
        *set = larger;
    }
    uint64_t *place = place_of(set, not_zero(hash));
    if (*place) return false;
    *place = not_zero(hash);
    set->count++;
    return true;
}

void hash_set_clear(struct hash_set *set)
{
    if (set->count) memset(set->places, 0, set->capacity * sizeof *set->places);
    set->count = 0;
}

void hash_set_release(struct hash_set *set)
{
    free(set->places);
    *set = (struct hash_set){0};
}
