/* discovery: what only the source knows: which streams there are beside the declared ones (dynamic), and which fields those
 * have that a sync reads (fields_from).
 *
 * The source is asked only about streams that are chosen. An answer is kept in the state directory for `cache` (kept.h): a
 * change to the declaration, the connector's version or the configuration asks anew. When the source cannot serve (TRANSIENT)
 * an answer that is too old serves with a warning. */
#ifndef SLUICE_SYNC_DISCOVERY_H
#define SLUICE_SYNC_DISCOVERY_H

#include "sync/sync.h"

/* Replaces prepared->description by one that has the wanted streams, and these their fields. Mistakes of the pipeline (a stream
 * that is not there) and of filled-in declarations go to `problems`. Errors: as metadata_read and dynamic_read. */
int discover(struct sync_prepared *prepared, struct problems *problems, struct err *err) MUST_USE;

#endif
