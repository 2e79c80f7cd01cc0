/* repeats: see repeats.h. */
#include "rest/repeats.h"

#include "base/map.h"

void repeats_lap(struct repeats *repeats, uint64_t lap)
{
    if (lap == repeats->lap) return;
    hash_set_release(&repeats->before);
    repeats->before = repeats->here;
    repeats->here = (struct hash_set){0};
    repeats->lap = lap;
}

bool repeats_knows(struct repeats *repeats, struct str record)
{
    uint64_t hash = hash_bytes(record);
    if (hash_set_has(&repeats->before, hash)) return true;
    (void)hash_set_add(&repeats->here, hash);
    return false;
}

void repeats_release(struct repeats *repeats)
{
    hash_set_release(&repeats->before);
    hash_set_release(&repeats->here);
    *repeats = (struct repeats){0};
}
