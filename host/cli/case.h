/* case: a test of a connector as a text: a configuration, what the source answers, and what must come of it.
 *
 *     config: { base_url: "https://shop.test", api_key: key-1 }
 *     syncs:
 *       - exchanges: |
 *           > GET /orders?page=1
 *           < 200
 *           <
 *           < {"orders": [{"id": "o1"}]}
 *         rows:
 *           orders: |
 *             {"id": "o1"}
 *
 * A sync runs as `sluice run` would run it, with the exchanges in place of the source (net/cassette) and tables in memory in
 * place of a destination (writer/memory). Those tables, and the state, stay from one sync of a case to the next. */
#ifndef SLUICE_CLI_CASE_H
#define SLUICE_CLI_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "data/node.h"
#include "data/problems.h"

struct log;
struct memory;

enum { CASE_MAX_BYTES = 4 * 1024 * 1024 };

/* A case as it stands in its file, checked. */
struct case_file {
    const char *path;
    const char *name; /* "pages" of cases/pages.yaml */
    struct str text;
    const struct node *root;
    const struct node *syncs; /* a list; their keys: CASE_SYNC_OPTIONS */
};

/* Reads and checks; mistakes go to `problems`. */
void case_read(const char *path, struct arena *arena, struct case_file *out, struct problems *problems);

/* What a sync came to, as the case would say it. */
struct case_outcome {
    struct str rows;    /* the block below `rows:`, indented by two: "  orders: |\n    {...}\n" */
    struct str state;   /* lines: "orders cursor 2024-01-02T00:00:00Z" */
    struct str rejects; /* lines */
    struct str error_class, error_stream, error_message; /* empty: none */
    bool error_fits;                                     /* what the case says of it, which may have ***, stays */
};

struct case_result {
    struct case_outcome *outcomes; /* per sync that ran */
    size_t sync_count;
    size_t requests;
    size_t failures;
    bool has_other_requests; /* than the exchanges: what else came means nothing */
    struct buf report;       /* what differs, for people; released by the caller */
};

/* Runs the case with the connector at `connector`. Mistakes that only show here go to `problems`, and nothing else counts then.
 */
void case_run(const struct case_file *file, const char *connector, struct log *log, struct arena *arena,
              struct case_result *result, struct problems *problems);

/* The tables and state as `rows:` and `state:` say them. */
void case_describe_rows(const struct memory *memory, struct arena *arena, struct str *rows);
void case_describe_state(const struct memory *memory, struct arena *arena, struct str *state);

/* The case's text with what its syncs came to in place of what it expected. False when its layout is not one that can be kept:
 * several keys of a sync in one line. */
bool case_update(const struct case_file *file, const struct case_result *result, struct buf *out);
/* Appends "KEY: |" and the lines of `text`, all indented by `indent`. */
void case_append_block(const char *key, struct str text, size_t indent, struct buf *out);

#endif
