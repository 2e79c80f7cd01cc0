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

struct cassette;
struct log;
struct pipeline;
struct project;
struct secrets;

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

struct case_table {
    const char *stream;
    struct str rows; /* lines: {"id": "o1"} */
};

struct case_failure {
    const char *class;
    const char *stream; /* NULL: the sync as a whole */
    const char *message;
};

/* What a sync came to, and whether that is what its case says. */
struct case_outcome {
    struct case_table *tables;
    size_t table_count;
    struct str state;   /* lines: "orders cursor 2024-01-02T00:00:00Z" */
    struct str rejects; /* lines */
    struct case_failure *failures;
    size_t failure_count;
    bool rows_fit, state_fit, rejects_fit, failures_fit;
    const char *now;      /* as recorded, to be written; NULL: stays */
    struct str exchanges; /* likewise; empty: stay */
};

struct case_result {
    struct case_outcome *outcomes; /* per sync that ran */
    size_t sync_count;
    size_t requests;
    size_t failures;
    bool has_other_requests; /* than the exchanges: what else came means nothing */
    struct str config;       /* lines of `config:`, to be written; empty: stays */
    struct buf report;       /* what differs, for people; released by the caller */
};

/* Runs the case with the connector at `connector`. Mistakes that only show here go to `problems`, and nothing else counts then.
 */
void case_run(const struct case_file *file, const char *connector, struct log *log, struct arena *arena,
              struct case_result *result, struct problems *problems);

/* The pipeline that a case stands for, with a destination of any kind; NULL after mistakes. */
const struct pipeline *case_pipeline(const struct case_file *file, const char *connector, struct secrets *secrets,
                                     struct arena *arena, const struct project **project, struct problems *problems);

/* Compares a sync of a case (`number` counts from 1) with what it came to, and reports what differs. By content: white space,
 * the order of a row's fields and that of lines do not matter. */
void case_compare(const struct node *sync, size_t number, const struct cassette *cassette, struct arena *arena,
                  struct case_outcome *outcome, struct case_result *result);
/* The lines of `got`, in the order and the words of those of `wanted` that they fit. */
struct str case_merge_lines(struct str wanted, struct str got, struct arena *arena);
/* The entries of a sync's `error`, which is one, a list of them, or NULL; one without a stream may stand for several streams.
 */
size_t case_errors(const struct node *error, const struct node **entries);
bool case_error_came(const struct node *entry, const struct case_outcome *outcome);
bool case_failure_is_expected(const struct node *error, const struct case_failure *failure);

/* The case's text with what its syncs came to in place of what it expected, which keeps what fits: order, comments, "***".
 * False when its layout is not one that can be kept: several keys of a sync in one line. */
bool case_update(const struct case_file *file, const struct case_result *result, struct buf *out);
/* `sluice connector test NAME CASE --record PIPELINE`: runs the case's syncs as that pipeline of sluice.yaml would run them,
 * but into memory, and writes what was asked and answered into the case, without secrets; a case that is not there is made.
 * Returns the exit code, after printing why. */
struct arguments;
int case_record(const struct arguments *arguments, const char *connector, const char *path);

#endif
