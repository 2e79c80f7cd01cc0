/* check: tries what a sync would need, and leaves nothing behind. */
#ifndef SLUICE_WRITER_POSTGRES_CHECK_H
#define SLUICE_WRITER_POSTGRES_CHECK_H

#include "writer/postgres/internal.h"

int pgw_destination_check(struct destination *destination, writer_report *report, void *context, struct err *err) MUST_USE;

#endif
