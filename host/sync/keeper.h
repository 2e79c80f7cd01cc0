/* keeper: what stands beside a sync, keeps the pipeline's lease and watches for standstill.
 *
 * Every 10 s it renews the lease (COMMIT.md, rule 7). As soon as the client waits for over 30 s on a declared limit, it renews
 * it past the end of that, and leaves the destination alone until then. A lease that is lost aborts the sync with HELD at once;
 * a destination that cannot be reached, or does not answer, aborts it when the lease is over. It looks at the sync's activity
 * counter: no sign of life for `stall_ms`, while nobody waits on a declared limit or is busy at the destination, aborts the
 * sync with STALLED. When the sync is asked to stop, the page in hand has 5 s, then reading is aborted; after 8 s everything is
 * (COMMIT.md, rule 16). */
#ifndef SLUICE_SYNC_KEEPER_H
#define SLUICE_SYNC_KEEPER_H

#include <stdint.h>

#include "base/err.h"
#include "sync/progress.h"
#include "writer/writer.h"

struct cancel;
struct clock;

enum {
    KEEPER_RENEW_MS = 10 * 1000,
    KEEPER_LEASE_MS = 30 * 1000,
    KEEPER_STALL_MS = 10 * 60 * 1000,
    KEEPER_STOP_READING_MS = 5 * 1000,
    KEEPER_STOP_ALL_MS = 8 * 1000
};

struct keeper_options {
    const struct writer_type *writer;
    struct destination *destination; /* its lease was acquired; used only by the keeper until keeper_stop */
    struct progress *progress;
    struct cancel *cancel;  /* of the sync: fired with ABORT */
    struct cancel *reading; /* below it: fired with ABORT when a stop takes too long at the source */
    struct clock *clock;
    int64_t stall_ms; /* KEEPER_STALL_MS, or what a test has time for */
    int64_t renew_ms; /* KEEPER_RENEW_MS, likewise */
};

struct keeper;

int keeper_start(const struct keeper_options *options, struct keeper **out, struct err *err) MUST_USE;
/* Until when the lease is this pipeline's at least, by the keeper's clock. */
int64_t keeper_held_until_ms(const struct keeper *keeper);
/* Ends it. Returns 0, or why it aborted the sync. */
int keeper_stop(struct keeper *keeper, struct err *err);

#endif
