/* lease: one sync at a time per pipeline. COMMIT.md rule 7.
 *
 * A row of `_sluice.leases`, 30 s on the database's clock, renewed every 10 s. Every acquire raises the fence and draws a new
 * run id; a head (flow.c) that carries a newer fence refuses its old owner, so a lost lease can delay a sync but never mix two.
 * Between two renewals no connection is held for them: hundreds of syncs that wait for slow sources would use up the server's.
 * All functions take the destination's lock themselves. */
#ifndef SLUICE_WRITER_POSTGRES_LEASE_H
#define SLUICE_WRITER_POSTGRES_LEASE_H

#include "writer/postgres/internal.h"

int pgw_lease_acquire(struct destination *destination, struct err *err) MUST_USE;
int pgw_lease_renew(struct destination *destination, int64_t wait_ms, struct err *err) MUST_USE;
void pgw_lease_release(struct destination *destination);

/* The failure of a fenced owner: HELD, with the remedy. */
int pgw_lease_lost(const struct destination *destination, struct err *err);

#endif
