/* lease: who may write a pipeline. A small file, changed under a lock of its own, with the owner's identity, the time it runs
 * out, and the fence: a number that grows with every acquire and is written into every commit.
 *
 * The lease keeps two honest syncs apart. What keeps a paused one from doing harm is not the lease but the commit log: a
 * successor's first commit takes the number the paused one was about to use. */
#ifndef SLUICE_WRITER_CSV_LEASE_H
#define SLUICE_WRITER_CSV_LEASE_H

#include <stdint.h>

#include "base/err.h"
#include "os/clock.h"
#include "writer/csv/commits.h"
#include "writer/writer.h"

struct cancel;
struct process_identity;

enum { CSV_LEASE_MS = 30000, CSV_LEASE_MARGIN_MS = 60000 };

struct csv_lease {
    uint64_t fence;
    char run[CSV_RUN_ID_SIZE]; /* drawn at each acquire */
};

/* Takes the lease of the pipeline whose ledger is `folder` (made when missing). The new fence is above the file's and above
 * `least_fence`. HELD with the owner's name when it is neither expired, released, nor of a process that is dead on this host.
 */
int csv_lease_acquire(const char *folder, const char *pipeline, const struct process_identity *self, uint64_t least_fence,
                      struct clock *clock, struct cancel *cancel, struct csv_lease *lease, struct err *err) MUST_USE;
/* Another 30 s from now, or wait_ms + 60 s. HELD when it is no longer ours. */
int csv_lease_renew(const char *folder, const char *pipeline, const struct csv_lease *lease, int64_t wait_ms,
                    struct clock *clock, struct err *err) MUST_USE;
/* Lets it go, if it is ours. */
int csv_lease_release(const char *folder, const char *pipeline, const struct csv_lease *lease, struct clock *clock,
                      struct err *err) MUST_USE;

#endif
