/* print: text tables and the one line of a failure, as people read them. */
#ifndef SLUICE_CLI_PRINT_H
#define SLUICE_CLI_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/option.h"

struct buf;
struct secrets;

/* The text as one line of at most `width` columns: cut with an ellipsis, control characters shown as '.'. */
void print_plain(FILE *to, const char *text, size_t width);

/* A table that is laid out once all its cells are known. Cells are cut at `max_width` columns with an ellipsis; control
 * characters are shown as '.'. */
struct text_table {
    struct arena arena;
    size_t columns;
    const char **cells; /* row by row; the first row is the header */
    bool *is_right;     /* per column: numbers */
    bool *is_hidden;    /* per column: not printed */
    size_t count, capacity;
    size_t max_width;
};

void text_table_init(struct text_table *table, size_t columns, const char *const *header, const char *right_aligned);
void text_table_add(struct text_table *table, const char *cell);   /* NULL is shown as empty */
void text_table_number(struct text_table *table, uint64_t number); /* with thin grouping: 1,234,567 */
/* Hides those of the named columns that hold nothing but "" and "0". */
void text_table_hide_empty(struct text_table *table, const size_t *columns, size_t count);
/* Hides the named columns one after the other until the table is at most `width` wide. */
void text_table_fit(struct text_table *table, size_t width, const size_t *columns, size_t count);
void text_table_print(struct text_table *table, FILE *to);
void text_table_release(struct text_table *table);

size_t terminal_width(int fd); /* columns; 80 when that is not to be known */

size_t print_grouped(uint64_t number, char out[32]); /* "1,234,567" */
size_t print_bytes(uint64_t bytes, char out[32]);    /* "12.3 MiB" */

/* Prints "error: CLASS: WHERE: message; hint" as one line on stderr, redacted, and returns the exit code of the class. `where`
 * is "pipeline", "pipeline.stream" or NULL. */
int print_failure(const char *where, const struct err *err, struct secrets *secrets);

/* Prints every problem with its place and hint, one line each, and returns 2; 0 when there are none. */
int print_problems(const struct problems *problems, struct secrets *secrets);

#endif
