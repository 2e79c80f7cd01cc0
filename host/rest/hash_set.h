/* hash_set: a set of hashes, by open addressing. 16 to 32 bytes for each. One thread at a time. */
#ifndef SLUICE_REST_HASH_SET_H
#define SLUICE_REST_HASH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_set {
    uint64_t *places;       /* 0: an empty one */
    size_t capacity, count; /* capacity: a power of two */
};

bool hash_set_has(const struct hash_set *set, uint64_t hash);
bool hash_set_add(struct hash_set *set, uint64_t hash); /* false: it is there already */
void hash_set_clear(struct hash_set *set);              /* forgets the hashes, keeps the memory */
void hash_set_release(struct hash_set *set);

#endif
