/* discovery: what only the source knows of the streams a sync reads: the fields it lists (fields_from).
 *
 * Only streams that are chosen are asked about. An answer is kept in the state directory for `cache`, under a
 * digest of the declaration, the connector's version and the configuration: a change to any of them asks anew. When
 * the source cannot serve (TRANSIENT) an answer that is too old serves with a warning. Recorded and replayed runs keep nothing,
 * so that they make the same requests each time. */
#ifndef SLUICE_SYNC_DISCOVERY_H
#define SLUICE_SYNC_DISCOVERY_H

#include "sync/sync.h"

/* Replaces prepared->description by one whose wanted streams have their fields. Errors: as metadata_read. */
int discover_fields(struct sync_prepared *prepared, struct err *err) MUST_USE;

#endif
