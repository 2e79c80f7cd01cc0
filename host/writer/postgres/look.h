/* look: what a sync would find and change, without changing anything. The session is read-only, so that no statement could. */
#ifndef SLUICE_WRITER_POSTGRES_LOOK_H
#define SLUICE_WRITER_POSTGRES_LOOK_H

#include "writer/postgres/internal.h"

/* Makes the destination's session read-only, and finds out whether there is a ledger. */
int pgw_look_begin(struct destination *destination, struct err *err) MUST_USE;
/* As writer_type.look. */
int pgw_look(struct destination *destination, const struct flow_spec *spec, struct arena *arena, struct target_look **looks,
             struct err *err) MUST_USE;

#endif
