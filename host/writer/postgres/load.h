/* load: makes one load durable. COMMIT.md rules 5, 6 and the table "where rows go". */
#ifndef SLUICE_WRITER_POSTGRES_LOAD_H
#define SLUICE_WRITER_POSTGRES_LOAD_H

#include "writer/postgres/internal.h"
#include "writer/postgres/ledger.h"

int pgw_load_commit(struct writer *writer, const struct load *load, struct err *err) MUST_USE;
/* Publishes what is built so far, if it ends at a checkpoint: before a long wait. counts: one per table, added to. */
int pgw_load_publish_built(struct writer *writer, int64_t wait_ms, struct load_counts *counts, struct err *err) MUST_USE;
int pgw_load_fail(struct writer *writer, const struct load *load, const char *reason, struct err *err) MUST_USE;

/* Adds what a committed transaction did to the caller's counts, and to the table's. */
void pgw_report_counts(struct table *table, const struct ledger_counts *delta, struct load_counts *counts);

/* Do rows and state of this flow wait for builds to be published? Stays true over runs, whatever streams they choose, until
 * that is done: stages and pending state have no other way out. */
bool pgw_flow_is_building(const struct writer *writer);

#endif
