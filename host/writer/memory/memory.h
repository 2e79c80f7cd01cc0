/* memory: a writer that keeps tables and state in this process, for cases of connectors (`sluice connector test`): what a sync
 * would have made of a target, without one. It is no type for sluice.yaml.
 *
 *     struct memory *memory = memory_new();
 *     ... syncs whose pipeline has &WRITER_MEMORY and whose options name `memory` ...
 *     const struct memory_table *orders = memory_table(memory, 0);
 *     memory_free(memory);
 *
 * Write modes, sets, held rows and state count as they do in a database: rows become visible with the load that settles their
 * slice, an overwrite with its flow's last one. One sync at a time; between syncs anybody may read. */
#ifndef SLUICE_WRITER_MEMORY_H
#define SLUICE_WRITER_MEMORY_H

#include <stddef.h>

#include "writer/writer.h"

extern const struct writer_type WRITER_MEMORY;

struct memory;

struct memory *memory_new(void);
void memory_free(struct memory *memory); /* NULL is fine */

/* A row: its fields that are not null, the key's first, as {"id": "o1", "total": 12.50}. */
struct memory_row {
    const char *json;
    const char *key;     /* of its key fields; NULL: there are none */
    const char *set;     /* the values that name its set; NULL: none */
    struct value cursor; /* VALUE_NULL: none */
    enum row_operation operation;
    const char *slice;
    bool is_settled; /* of a build: a restart does not touch it */
};

struct memory_rows {
    struct memory_row *list;
    size_t count, capacity;
};

struct memory_table {
    const char *stream;
    struct memory_rows rows; /* visible */
    struct memory_rows held; /* not yet */
};

size_t memory_table_count(const struct memory *memory);
const struct memory_table *memory_table(const struct memory *memory, size_t index); /* in the order they were first opened */
/* Everything remembered of a flow; `index` in the order of the flows' first opening; NULL behind the last. */
const struct state *memory_state(const struct memory *memory, size_t index);
/* "orders: type_mismatch: total: ..." of every reject, one a line. */
const char *memory_rejects(const struct memory *memory);
void memory_clear_rejects(struct memory *memory);

#endif
