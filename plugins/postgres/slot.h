/* slot: what the source has to hold for us: a publication that says of which tables changes are told, and a replication slot
 * that keeps them until they were read. Looked at before each sync; created by the first one where the pipeline lets it. */
#ifndef SLUICE_POSTGRES_SLOT_H
#define SLUICE_POSTGRES_SLOT_H

#include "postgres/snapshot.h"
#include "postgres/stream.h"

struct slot {
    bool exists;
    uint64_t confirmed; /* up to here the server has forgotten */
};

/* DATA when the server no longer has what the slot should have kept; warns when it keeps a lot. */
int slot_look(struct stream *stream, struct slot *slot);
/* The tables of the slice are in the publication; it is created, or they are added, where that is allowed. */
int publication_ensure(struct stream *stream, bool may_change);
/* Asks for the slot. It is there once slot_created says so: the server first waits for the transactions that are running. */
int slot_create(struct stream *stream);
int slot_created(struct stream *stream, int wait_ms, bool *is_created);

#endif
