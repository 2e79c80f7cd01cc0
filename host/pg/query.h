/* query: statements, their results, and transactions.
 *
 * Values travel as parameters only; identifiers are quoted by pg/quote.h. Results are libpq's, in text.
 *
 *     if ((rc = pg_query(pg, "SELECT fence, run FROM _sluice.heads WHERE flow = $1", PG_PARAMS(flow), &result, err)) != 0)
 *         return rc;
 *     if (pg_rows(result) == 1) fence = pg_int(result, 0, 0);
 *     pg_free(result); */
#ifndef SLUICE_PG_QUERY_H
#define SLUICE_PG_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/conn.h"

struct pg_result; /* libpq's PGresult */

/* The parameters of a statement: terminated texts, NULL is SQL's null. */
#define PG_PARAMS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)
#define PG_NONE NULL, 0

/* One or more statements without parameters or results of interest. */
int pg_exec(struct pg *pg, const char *sql, struct err *err) MUST_USE;

/* One statement. The result is to be freed; out NULL: not wanted. */
int pg_query(struct pg *pg, const char *sql, const char *const *params, size_t count, struct pg_result **out,
             struct err *err) MUST_USE;

/* One statement that changes rows; how many it did. */
int pg_change(struct pg *pg, const char *sql, const char *const *params, size_t count, uint64_t *changed,
              struct err *err) MUST_USE;

size_t pg_rows(const struct pg_result *result);
size_t pg_columns(const struct pg_result *result);
const char *pg_cell(const struct pg_result *result, size_t row, size_t column); /* NULL for SQL's null */
int64_t pg_int(const struct pg_result *result, size_t row, size_t column);      /* 0 for null */
bool pg_bool(const struct pg_result *result, size_t row, size_t column);        /* false for null */
uint64_t pg_changed(const struct pg_result *result);                            /* rows of INSERT, UPDATE, DELETE */
void pg_free(struct pg_result *result);                                         /* NULL is fine */

enum { PG_INT_TEXT = 24 };
const char *pg_int_text(int64_t value, char out[PG_INT_TEXT]); /* for parameters; returns `out` */

/* Limits of a transaction, in milliseconds; 0: none. */
struct pg_limits {
    unsigned lock_ms, statement_ms;
    unsigned work_mem_mib; /* 0: the server's */
};

/* BEGIN at READ COMMITTED, with everything it depends on set locally: search_path pg_catalog, UTC, the limits, an idle limit of
 * 30 s (a stopped owner must not block its successor for ever), synchronous_commit at least on. */
int pg_begin(struct pg *pg, const struct pg_limits *limits, struct err *err) MUST_USE;

/* COMMIT alone; its tag must read COMMIT. *is_unknown tells that it was sent and no answer came: it may have happened. */
int pg_commit(struct pg *pg, bool *is_unknown, struct err *err) MUST_USE;

/* Ends the transaction if there is one. A connection that does not answer is left broken; there is nothing else to report. */
void pg_rollback(struct pg *pg);

#endif
