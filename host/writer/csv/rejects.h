/* rejects: what could not be taken, a file of NDJSON beside the commits for each that has some. One that is newer than the
 * newest commit belongs to none, and counts as not there. */
#ifndef SLUICE_WRITER_CSV_REJECTS_H
#define SLUICE_WRITER_CSV_REJECTS_H

#include "writer/csv/csv.h"

/* Writes those of a load from `first` on, as of the commit `number` that is about to be made. */
int csv_rejects_write(const struct writer *writer, const struct load *load, uint64_t number, size_t first,
                      struct err *err) MUST_USE;
/* Removes files that belong to no commit or are old. */
int csv_rejects_clean(const struct writer *writer, struct err *err) MUST_USE;
/* As of struct writer_type. */
int csv_rejects_read(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                     struct past_reject **list, size_t *count, struct err *err) MUST_USE;

#endif
