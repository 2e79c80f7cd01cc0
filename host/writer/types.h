/* types: the writers there are. Each lives in a folder of its own and shows nothing but its table. */
#ifndef SLUICE_WRITER_TYPES_H
#define SLUICE_WRITER_TYPES_H

#include "writer/writer.h"

extern const struct writer_type WRITER_POSTGRES; /* postgres/postgres.c */
extern const struct writer_type WRITER_CSV;      /* csv/csv.c */

#endif
