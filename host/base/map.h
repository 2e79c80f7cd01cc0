/* map: a hash map from byte strings to pointers. Keys are copied; values belong to the caller. Iterates in insertion order.
 *
 *     struct map map = MAP_INIT;
 *     map_set(&map, STR("orders"), stream);
 *     struct stream *found = map_get(&map, name);
 *     map_release(&map);
 *
 * SipHash-1-3 with a key drawn per process, so that hostile keys do not collide. One thread at a time; reading from many
 * threads is fine while nobody writes. */
#ifndef SLUICE_BASE_MAP_H
#define SLUICE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct map_entry {
    struct str key; /* terminated behind its size */
    void *value;    /* NULL: removed */
    uint64_t hash;
};

struct map {
    struct map_entry *entries; /* in insertion order, with holes where value is NULL */
    size_t used;               /* of entries, holes included */
    size_t capacity;
    uint32_t *slots; /* index + 1 into entries; a power of two of them */
    size_t slot_count;
    size_t count; /* entries that are there */
};

#define MAP_INIT ((struct map){0})

void *map_get(const struct map *map, struct str key);       /* NULL when absent */
void map_set(struct map *map, struct str key, void *value); /* replaces (and keeps its place); `value` is never NULL */
void *map_remove(struct map *map, struct str key);          /* the value it had, or NULL */

/* for (size_t at = 0; (entry = map_each(&map, &at)) != NULL;)
 * Removing while iterating is fine; setting a new key is not. */
const struct map_entry *map_each(const struct map *map, size_t *at);
void map_clear(struct map *map); /* forgets the entries, keeps the memory */
void map_release(struct map *map);

uint64_t hash_bytes(struct str bytes);  /* the same hash, for other tables; stable within a process only */
uint64_t hash_stable(struct str bytes); /* the same from run to run: for what is stored */

#endif
