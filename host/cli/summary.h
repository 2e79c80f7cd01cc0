/* summary: what a run came to, one row per stream, from the events of this process or of children. */
#ifndef SLUICE_CLI_SUMMARY_H
#define SLUICE_CLI_SUMMARY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"

struct summary_row {
    const char *pipeline, *stream, *mode, *status, *cursor, *target;
    const char *error_class, *error, *hint; /* NULL: none */
    uint64_t emitted, written, unchanged, deduplicated, rejected, deleted;
    int64_t elapsed_ms;
};

struct summary {
    struct arena arena;
    struct summary_row *rows;
    size_t count, capacity;
};

#define SUMMARY_INIT ((struct summary){.count = 0})

/* Adds a row for a `stream_ended` event, this process's or a child's; anything else is ignored. */
void summary_add_json(struct summary *summary, struct str line);
/* As a table. Columns that would say nothing (zero, or empty, in all rows) are left out; on a terminal too narrow for the rest
 * also those that people miss least. */
void summary_print(const struct summary *summary, FILE *to);
void summary_print_json(const struct summary *summary, FILE *to);
void summary_release(struct summary *summary);

#endif
