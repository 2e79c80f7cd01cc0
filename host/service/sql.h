/* sql: one connection to the service's store, a file of SQLite or a PostgreSQL database, and statements that both understand.
 *
 * A statement is written once, in the SQL that the two share, with these words where they differ:
 *
 *     @jobs     a table of ours: `sluice_service.jobs` in PostgreSQL, `jobs` in the file
 *     {now}     milliseconds since 1970 by the database's clock, which all nodes share
 *     {id}      the type of a key that the database gives
 *     {skip}    FOR UPDATE SKIP LOCKED: rows that another node is looking at are not seen. Nothing in the file, where a
 *               transaction has the database to itself
 *
 *     if ((rc = sql_run(sql, "SELECT id FROM @jobs WHERE pipeline = $1", SQL_PARAMS(name), &rows, err)) != 0) ...
 *     for (size_t i = 0; i < rows.count; i++) id = sql_int(&rows, i, 0);
 *     sql_rows_release(&rows);
 *
 * Values travel as parameters only, as text; what is asked for comes as text. SQLite: https://www.sqlite.org/lang.html;
 * write-ahead log. A connection belongs to one thread at a time.
 *
 * Errors: CONFIG for a url or file that cannot be used, TRANSIENT for a database that is away, busy or full; after that the
 * connection may be lost (sql_is_usable), and is to be opened anew. */
#ifndef SLUICE_SERVICE_SQL_H
#define SLUICE_SERVICE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct cancel;
struct secrets;
struct sql;

/* What it points to outlives the connection. */
struct sql_settings {
    const char *url;         /* "postgres://..", or the path of a file, which is made if missing */
    struct cancel *cancel;   /* ends waits; NULL is fine */
    struct secrets *secrets; /* the url's password is registered here; NULL is fine */
};

/* Cells of a result, by row and column; NULL is SQL's null. */
struct sql_rows {
    struct arena arena;
    const char **cells;
    size_t count, columns;
};
#define SQL_ROWS_INIT ((struct sql_rows){.count = 0})

#define SQL_PARAMS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)
#define SQL_NONE NULL, 0

bool sql_url_is_postgres(const char *url);

int sql_open(const struct sql_settings *settings, struct sql **out, struct err *err) MUST_USE;
void sql_close(struct sql *sql); /* NULL is fine */
bool sql_is_usable(const struct sql *sql);

/* One statement. `rows` NULL: what it gives is not wanted; else it is to be released, also after a failure. */
int sql_run(struct sql *sql, const char *statement, const char *const *params, size_t count, struct sql_rows *rows,
            struct err *err) MUST_USE;
/* The same of a statement that changes rows; how many it did. */
int sql_change(struct sql *sql, const char *statement, const char *const *params, size_t count, uint64_t *changed,
               struct err *err) MUST_USE;

/* A transaction that writes. sql_end commits when `rc` is 0 and else takes back; gives `rc`, or why it could not commit. */
int sql_begin(struct sql *sql, struct err *err) MUST_USE;
int sql_end(struct sql *sql, int rc, struct err *err) MUST_USE;

const char *sql_cell(const struct sql_rows *rows, size_t row, size_t column);
const char *sql_cell_text(const struct sql_rows *rows, size_t row, size_t column); /* "" for null */
int64_t sql_int(const struct sql_rows *rows, size_t row, size_t column);           /* 0 for null */
void sql_rows_release(struct sql_rows *rows);

enum { SQL_INT_TEXT = 24 };
const char *sql_int_text(int64_t value, char out[SQL_INT_TEXT]); /* for parameters; returns `out` */

#endif
