/* pools: the machine's parts of rate limits that nodes on several machines use at once.
 *
 * Syncs count in the cells of their machine (net/limit_file.h) and know of no store. So the node says how much of each limit
 * that was used lately is the machine's: an equal part for each node that uses it, leased from the store for STORE_LEASE_MS,
 * and a pause that a source asked one of them for is everybody's. A part is made smaller before the store says so, and larger
 * after, so all parts together are never more than the limit; a machine that is cut off loses its part before the store gives
 * it to others. A limit that is new here waits for its part, for as long as a turn of the others takes.
 *
 * What a node has used of a window or a quota beyond its part stays taken until the window has passed, so that an allowance for
 * a day is not there twice when its work goes to another node; what it has in flight, until that is answered.
 *
 * What a source says is left, is left for all: a node slows down for its part of that.
 *
 * Every node sends at least one request in a limit's span. One thread. */
#ifndef SLUICE_SERVICE_POOLS_H
#define SLUICE_SERVICE_POOLS_H

#include "base/err.h"
#include "service/store.h"

struct clock;
struct log;
struct pools;

/* `state_folder`: where syncs share limits. NULL: limits cannot be shared there, which is told once. */
struct pools *pools_open(const char *state_folder, struct store *store, const char *node, struct clock *clock, struct log *log);
void pools_close(struct pools *pools); /* gives the parts back. NULL is fine */
/* Renews the leases: once a second. NULL is fine. */
int pools_turn(struct pools *pools, struct err *err) MUST_USE;

#endif
