/* publish: makes a flow's builds, stages and pending state visible. COMMIT.md rule 10.
 *
 * Called when the head says that the builds are finished: at the end of a load, or by the next run after a crash. Each step is
 * a transaction of its own and may be repeated. */
#ifndef SLUICE_WRITER_POSTGRES_PUBLISH_H
#define SLUICE_WRITER_POSTGRES_PUBLISH_H

#include "writer/postgres/internal.h"

/* counts: one per table, or NULL. SCHEMA: the shrink guard (the builds are then dropped, and the next run starts again), or
 * what others attached to a table does not let it be overwritten (the builds stay, for a run after the remedy). */
int pgw_publish_flow(struct writer *writer, struct load_counts *counts, struct err *err) MUST_USE;

#endif
