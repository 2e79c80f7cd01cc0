/* credentials: what a client's requests may go with: one pair of auth and limiter, or several of which each has an allowance of
 * its own at the source (a pool: many tokens for the same things).
 *
 *     rc = credentials_acquire(&client->credentials, &asked, clock, cancel, &watch, &ticket, &mine, &resume_ms, err);
 *     ... a request with mine->auth; then limiter_release(mine->limiter, ..) and limiter_observe(mine->limiter, ..) ...
 *     credentials_park(mine, wait_ms, clock);                        // refused for now: others go on
 *     left = credentials_drop(&client->credentials, mine);           // refused for good
 *
 * Of a pool the one with the most requests left is taken, by what the source said last or by our own count; one of which
 * nothing is known yet comes first, and of equals the one that was used least. When all are parked, who asks waits for the
 * first that is free again. May be called from many threads; only credentials_acquire waits. */
#ifndef SLUICE_NET_CREDENTIALS_H
#define SLUICE_NET_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/limit.h"

struct auth;

struct credential {
    struct auth *auth; /* NULL: none; of a pool: of a kind that has its token without a call */
    struct limiter *limiter;
    int64_t parked_until_ms; /* monotonic, atomic; 0: not parked */
    uint64_t turns;          /* atomic */
    bool is_dropped;         /* atomic */
};

struct credentials {
    struct credential *list;
    size_t count; /* at least 1 */
};

/* Takes a turn with one of them, which *chosen is then. As limiter_acquire; of a pool AUTH when all were dropped. */
int credentials_acquire(struct credentials *credentials, const struct limiter_request *asked, struct clock *clock,
                        struct cancel *cancel, const struct limiter_watch *watch, struct limiter_ticket *ticket,
                        struct credential **chosen, int64_t *resume_ms, struct err *err) MUST_USE;

/* Not used for so long; -1: for a minute, since the source did not say. */
void credentials_park(struct credential *credential, int64_t wait_ms, struct clock *clock);
/* Not used any more. Gives how many are left; *is_first is whether nobody had dropped it before. */
size_t credentials_drop(struct credentials *credentials, struct credential *credential, bool *is_first);
/* How long until one that is left is not parked; 0: there is one. */
int64_t credentials_parked_ms(const struct credentials *credentials, struct clock *clock);
/* Requests left, of all together; -1: unknown. */
int64_t credentials_left(const struct credentials *credentials, struct clock *clock);

#endif
