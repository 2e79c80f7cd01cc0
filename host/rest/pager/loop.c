/* loop: see loop.h. Cycles of bodies that are longer than the ring are seen by the anchor alone: it is passed at one distance,
 * and then at twice that. */
#include "rest/pager/loop.h"

bool trail_add(struct trail *trail, uint64_t hash)
{
    uint64_t known = trail->count < LOOP_RING ? trail->count : LOOP_RING;
    for (uint64_t i = 0; i < known; i++)
        if (trail->ring[i] == hash) return false;
    if (trail->anchor_next > 0 && trail->anchor == hash) return false;
    if (trail->count >= trail->anchor_next) {
        trail->anchor = hash;
        trail->anchor_next = trail->count ? 2 * trail->count : 1;
    }
    trail->ring[trail->count++ % LOOP_RING] = hash;
    return true;
}

static uint64_t at_lag(const struct echo *echo, uint64_t lag)
{
    return echo->ring[(echo->count - lag) % LOOP_RING];
}

/* How far back the hash was met last; 0: not among those kept. */
static uint64_t find_lag(const struct echo *echo, uint64_t hash)
{
    uint64_t known = echo->count < LOOP_RING ? echo->count : LOOP_RING;
    for (uint64_t lag = 1; lag <= known; lag++)
        if (at_lag(echo, lag) == hash) return lag;
    return 0;
}

static bool passes_anchor(struct echo *echo, uint64_t hash)
{
    uint64_t distance = echo->count - echo->anchor_at;
    bool is_met = echo->anchor_next > 0 && echo->anchor == hash;
    bool is_second = is_met && echo->anchor_lag > 0 && distance == 2 * echo->anchor_lag;
    if (is_met && echo->anchor_lag == 0) echo->anchor_lag = distance;
    if (echo->count >= echo->anchor_next) {
        echo->anchor = hash;
        echo->anchor_at = echo->count;
        echo->anchor_next = echo->count ? 4 * echo->count : 1;
        echo->anchor_lag = 0;
    }
    return is_second;
}

bool echo_add(struct echo *echo, uint64_t hash)
{
    if (echo->lag > 0 && at_lag(echo, echo->lag) == hash) {
        echo->matched++;
    } else {
        echo->lag = find_lag(echo, hash);
        echo->matched = echo->lag > 0;
    }
    bool is_far = passes_anchor(echo, hash);
    echo->ring[echo->count++ % LOOP_RING] = hash;
    return is_far || (echo->lag > 0 && echo->matched >= echo->lag);
}
