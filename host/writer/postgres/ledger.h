/* ledger: the schema `_sluice`: its tables, and what a load writes into them.
 *
 * Created once per database under one advisory transaction lock, versioned; an older sluice refuses a newer ledger. */
#ifndef SLUICE_WRITER_POSTGRES_LEDGER_H
#define SLUICE_WRITER_POSTGRES_LEDGER_H

#include "writer/postgres/internal.h"

int pgw_ledger_ensure(struct pg *pg, struct err *err) MUST_USE;

/* Signed: publishing corrects what an earlier load counted. */
struct ledger_counts {
    int64_t emitted, written, unchanged, deduplicated, rejected, discarded, deleted, repaired, nulled, overflowed, bytes;
    int64_t removed; /* of the deleted: those that no row of this load said it of, so that they are not among the written */
};

/* The row of one stream in a load. kind: "load", "publish", "failed"; note may be NULL. */
int pgw_ledger_add_load(struct writer *writer, struct pg *pg, int64_t load_id, const char *stream, const char *kind,
                        const struct ledger_counts *counts, const char *note, struct err *err) MUST_USE;

int pgw_ledger_add_rejects(struct writer *writer, struct pg *pg, int64_t load_id, const struct reject *rejects, size_t count,
                           struct err *err) MUST_USE;

#endif
