/* flow: opens a flow of a pipeline: fences it, finds its tables, finishes what an interrupted run left finished. */
#ifndef SLUICE_WRITER_POSTGRES_FLOW_H
#define SLUICE_WRITER_POSTGRES_FLOW_H

#include "writer/postgres/internal.h"

bool pgw_flow_has_table(const struct writer *writer, size_t table);
int pgw_flow_open(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err) MUST_USE;
int pgw_flow_rest(struct writer *writer, int64_t wait_ms, struct load_counts *counts, struct err *err) MUST_USE;
void pgw_flow_close(struct writer *writer);
const char *pgw_flow_note(const struct writer *writer);

#endif
