/* summary: what a run came to, one row per stream, from the events of this process or of children. */
#ifndef SLUICE_CLI_SUMMARY_H
#define SLUICE_CLI_SUMMARY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"
#include "sync/progress.h"

struct summary_row {
    const char *pipeline, *stream, *mode, *status, *cursor, *target;
    const char *error; /* "class: message; hint"; NULL: none */
    uint64_t emitted, written, unchanged, deduplicated, rejected, deleted;
    int64_t elapsed_ms;
};

struct summary {
    struct arena arena;
    struct summary_row *rows;
    size_t count, capacity;
};

#define SUMMARY_INIT ((struct summary){.count = 0})

/* Adds a row for a `stream_ended` event; others are ignored. */
void summary_add_event(struct summary *summary, const struct sync_event *event);
void summary_add_json(struct summary *summary, struct str line); /* the same from a child's line; anything else is ignored */
void summary_print(const struct summary *summary, FILE *to);
void summary_print_json(const struct summary *summary, FILE *to);
void summary_release(struct summary *summary);

#endif
