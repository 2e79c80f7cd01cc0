/* map: see map.h. Entries stand in an array in the order they came; a table of slots, open addressing with linear probing,
 * holds their index + 1. A removed entry stays behind as a hole (value NULL), so that its slot keeps later probes going; holes
 * go when the table is rebuilt. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/check.h"

enum { FIRST_SLOTS = 16 };

/* SipHash-1-3 (Aumasson, Bernstein, 2012), the variant hash tables use. */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotate(s->b, 13) ^ s->a;
    s->a = rotate(s->a, 32);
    s->c += s->d;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static uint64_t siphash(const uint64_t key[2], struct str bytes)
{
    struct sip s = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
                    key[1] ^ 0x7465646279746573ULL};
    uint64_t word;
    size_t at = 0;
    for (; bytes.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes.data + at, sizeof word);
        s.d ^= word;
        sip_round(&s);
        s.a ^= word;
    }
    word = 0;
    if (at < bytes.size) memcpy(&word, bytes.data + at, bytes.size - at);
    word |= (uint64_t)bytes.size << 56;
    s.d ^= word;
    sip_round(&s);
    s.a ^= word;
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/* The key of this process: written once, before main and so before any thread, and read-only after that. The kernel hands every
 * process 16 random bytes at start (AT_RANDOM), so no system call is needed, which a sandbox might refuse. They also seed the
 * stack protector; hashing them keeps them apart from that. */
static uint64_t hash_key[2];

__attribute__((constructor)) static void draw_hash_key(void)
{
    uint64_t seed[2] = {0};
    const char *random = (const char *)getauxval(AT_RANDOM);
    if (random) memcpy(seed, random, sizeof seed);
    hash_key[0] = siphash(seed, STR("sluice map 0"));
    hash_key[1] = siphash(seed, STR("sluice map 1"));
}

uint64_t hash_bytes(struct str bytes)
{
    return siphash(hash_key, bytes);
}

uint64_t hash_stable(struct str bytes)
{
    static const uint64_t NO_KEY[2] = {0};
    return siphash(NO_KEY, bytes);
}

/* The slot that holds `key`, or the empty one that ends its search. There is always an empty one. */
static uint32_t *find_slot(const struct map *map, struct str key, uint64_t hash)
{
    for (size_t at = hash & (map->slot_count - 1);; at = (at + 1) & (map->slot_count - 1)) {
        uint32_t *slot = &map->slots[at];
        if (*slot == 0) return slot;
        const struct map_entry *entry = &map->entries[*slot - 1];
        if (entry->value && entry->hash == hash && str_equal(entry->key, key)) return slot;
    }
}

/* Drops the holes and makes room for at least one entry more: at most three of four slots are ever used. */
static void rebuild(struct map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++)
        if (map->entries[i].value) map->entries[kept++] = map->entries[i];
    map->used = kept;

    size_t slot_count = FIRST_SLOTS;
    while (slot_count < (map->count + 1) * 2) slot_count *= 2;
    CHECK(slot_count <= UINT32_MAX);
    if (slot_count != map->slot_count) {
        free(map->slots);
        map->slots = mem_alloc(slot_count * sizeof *map->slots);
        map->slot_count = slot_count;
        map->capacity = slot_count / 4 * 3;
        map->entries = mem_resize(map->entries, map->capacity * sizeof *map->entries);
    }
    memset(map->slots, 0, map->slot_count * sizeof *map->slots);
    for (size_t i = 0; i < map->used; i++) *find_slot(map, map->entries[i].key, map->entries[i].hash) = (uint32_t)(i + 1);
}

void *map_get(const struct map *map, struct str key)
{
    if (map->count == 0) return NULL;
    uint32_t slot = *find_slot(map, key, hash_bytes(key));
    return slot ? map->entries[slot - 1].value : NULL;
}

void map_set(struct map *map, struct str key, void *value)
{
    CHECK(value != NULL);
    if (map->used == map->capacity) rebuild(map);
    uint64_t hash = hash_bytes(key);
    uint32_t *slot = find_slot(map, key, hash);
    if (*slot) {
        map->entries[*slot - 1].value = value;
        return;
    }
    map->entries[map->used++] = (struct map_entry){{str_dup(key), key.size}, value, hash};
    *slot = (uint32_t)map->used;
    map->count++;
}

void *map_remove(struct map *map, struct str key)
{
    if (map->count == 0) return NULL;
    uint32_t slot = *find_slot(map, key, hash_bytes(key));
    if (slot == 0) return NULL;
    struct map_entry *entry = &map->entries[slot - 1];
    void *value = entry->value;
    free((char *)entry->key.data);
    *entry = (struct map_entry){0};
    map->count--;
    return value;
}

const struct map_entry *map_each(const struct map *map, size_t *at)
{
    while (*at < map->used) {
        const struct map_entry *entry = &map->entries[(*at)++];
        if (entry->value) return entry;
    }
    return NULL;
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->used; i++) free((char *)map->entries[i].key.data);
    map->used = 0;
    map->count = 0;
    if (map->slots) memset(map->slots, 0, map->slot_count * sizeof *map->slots);
}

void map_release(struct map *map)
{
    map_clear(map);
    free(map->entries);
    free(map->slots);
    *map = MAP_INIT;
}
