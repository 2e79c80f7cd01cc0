/* limit_headers: what the headers of an answer say about limits. A pure function over the spellings in use:
 *
 *     Retry-After: 120 | Wed, 21 Oct 2026 07:28:00 GMT                    RFC 9110 10.2.3
 *     X-RateLimit-Limit, -Remaining, -Reset (also X-Rate-Limit-, RateLimit-)  reset: delta seconds, epoch seconds or ms, a date
 *     RateLimit: limit=100, remaining=0, reset=30                         draft-ietf-httpapi-ratelimit-headers, to 06
 *     RateLimit: "burst";r=0;t=3, "daily";r=100;t=50000                   the same, from 07
 *     RateLimit-Policy: "burst";q=100;w=60, "daily";q=1000;w=86400        the same
 *     X-HubSpot-RateLimit-Max, -Remaining                                 HubSpot
 *     Zendesk-RateLimit-incremental-exports: total=10; remaining=9; resets=2
 *     X-Shopify-Shop-Api-Call-Limit: 3/40                                 Shopify: used / limit
 *     Sforce-Limit-Info: api-usage=18/5000                                Salesforce: used / limit
 *
 * What cannot be read is as if it were not there. */
#ifndef SLUICE_NET_LIMIT_HEADERS_H
#define SLUICE_NET_LIMIT_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct http_header;

struct limit_facts {
    int64_t limit;          /* -1: not said, here and below */
    int64_t remaining;      /* the least, when several allowances are named */
    int64_t reset_ms;       /* from now until `remaining` grows; never negative */
    int64_t retry_after_ms; /* from now; never negative */
};

/* `wall_us` is now, for dates and epochs. */
void limit_facts_read(const struct http_header *headers, size_t count, int64_t wall_us, struct limit_facts *facts);

/* How long the source asks the sender of a refused request to wait: Retry-After, else the reset when nothing remains; -1: it
 * does not say. */
int64_t limit_facts_wait_ms(const struct limit_facts *facts);

/* Single values, for declared places (limit_learn.h). False leaves the result as it was. */
bool limit_read_count(struct str text, int64_t *count);                     /* "100, 100;window=60" is 100 */
bool limit_read_reset(struct str text, int64_t wall_us, int64_t *reset_ms); /* a delay in seconds, an epoch, a date */
/* "18/5000" (used of how many), "api-usage=18/5000", "total=10; remaining=9; resets=2". Sets all of *facts. */
void limit_read_usage(struct str text, struct limit_facts *facts);

#endif
