/* past: what the ledger kept of a pipeline: its rejects, and the changes of its tables. */
#ifndef SLUICE_WRITER_POSTGRES_PAST_H
#define SLUICE_WRITER_POSTGRES_PAST_H

#include "writer/postgres/internal.h"

/* As of struct writer_type. */
int pgw_past_rejects(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                     struct past_reject **list, size_t *count, struct err *err) MUST_USE;
int pgw_past_changes(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                     struct past_change **list, size_t *count, struct err *err) MUST_USE;

#endif
