/* snapshot: which transactions a reading has seen: PostgreSQL's text of a snapshot, "100:105:100,103". Pure.
 *
 * xmin: all before are over. xmax: none from here on is seen. Between, those listed were running. Numbers have 64 bits; where
 * the server says 32 (xmin of a row, begin of a change) they are those near. */
#ifndef SLUICE_POSTGRES_SNAPSHOT_H
#define SLUICE_POSTGRES_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot {
    uint64_t xmin, xmax;
    uint64_t *running; /* ascending */
    size_t running_count;
};

bool snapshot_read(struct snapshot *snapshot, const char *text); /* false: it is none */
void snapshot_release(struct snapshot *snapshot);
/* Is what this transaction did part of it? Of a transaction that has been committed, and is not over two billion away. */
bool snapshot_sees(const struct snapshot *snapshot, uint32_t xid);

/* Positions in the WAL: "16/B374D848". */
bool lsn_read(const char *text, uint64_t *lsn);
enum { LSN_TEXT_MAX = 18 };
void lsn_write(uint64_t lsn, char text[LSN_TEXT_MAX]);

#endif
