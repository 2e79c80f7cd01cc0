/* text: a text that grows, JSON written into it, and lists of name patterns as a configuration has them.
 *
 * A zeroed struct text is empty. `data` is ended by NUL once something was added. Out of memory ends the process, as it does
 * in the host. */
#ifndef SLUICE_POSTGRES_TEXT_H
#define SLUICE_POSTGRES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data;
    size_t size, capacity; /* bytes */
};

void text_reserve(struct text *text, size_t more); /* so that adding up to `more` bytes does not move `data` */
void text_add(struct text *text, const char *data, size_t size);
void text_puts(struct text *text, const char *words);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string of these bytes, quotes included. */
void text_json(struct text *text, const char *data, size_t size);
void text_json_puts(struct text *text, const char *words);
/* An SQL identifier: "name", quotes doubled. */
void text_identifier(struct text *text, const char *name);
/* An SQL string constant; E'' where it has a backslash. */
void text_literal(struct text *text, const char *value);
void text_clear(struct text *text); /* keeps its memory */
void text_release(struct text *text);

/* A copy that is never NULL. */
char *text_copy(const char *words);
/* Zeroed memory that is never NULL. */
void *text_allocate(size_t count, size_t size);

/* Is `name` among `patterns`: names between commas, `*` for any characters, `!` before what is left out? "a_*, !a_old". A list
 * that only leaves out has all others; NULL or empty has everything. `other`: another name of the same thing; NULL: it has
 * none. */
bool patterns_match(const char *patterns, const char *name, const char *other);
/* Is it one name, without * and !, as in "public"? */
bool patterns_are_one_name(const char *patterns);

#endif
