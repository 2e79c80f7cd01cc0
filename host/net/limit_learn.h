/* limit_learn: where an API says what its limits are and what is left of them, beside the headers that limit_headers.h knows.
 *
 *     static const struct limit_learn SHOPIFY = {.cost = "$.extensions.cost.actualQueryCost", .remaining =
 * "$.extensions....."}; limit_learn_read(&SHOPIFY, &response, wall_us, &learned);
 *
 * A place is the name of a header, or a path into the JSON body behind "$.". What is not there, or cannot be read, is as if it
 * were not declared. */
#ifndef SLUICE_NET_LIMIT_LEARN_H
#define SLUICE_NET_LIMIT_LEARN_H

#include <stdint.h>

struct http_response;

struct limit_learn {       /* NULL: not declared */
    const char *limit;     /* how many there are */
    const char *remaining; /* how many are left */
    const char *used;      /* how many were used */
    const char *reset;     /* when there are more: seconds, an epoch, a date */
    const char *cost;      /* what this request took */
    const char *rate;      /* units that come back in each second */
    const char *usage;     /* several at once: "18/5000", "total=10; remaining=9; resets=2" */
};

struct limit_learned { /* -1: not said */
    int64_t limit, remaining, reset_ms, cost, rate;
};

/* `wall_us` is now, by the source's clock. */
void limit_learn_read(const struct limit_learn *learn, const struct http_response *response, int64_t wall_us,
                      struct limit_learned *learned);

#endif
