/* quote: names and literals in SQL text, and how a name of the source becomes an identifier. Pure functions.
 *
 *     pg_quote_table(&sql, "public", "order\"s");       // "public"."order""s" */
#ifndef SLUICE_PG_QUOTE_H
#define SLUICE_PG_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum {
    PG_NAME_MAX = 63,     /* bytes of an identifier */
    PG_NAME_DERIVED = 12, /* kept free in table names for what is named after them ("_sluice_key") */
    PG_NAME_SIZE = PG_NAME_MAX + 1,
};

void pg_quote_name(struct buf *out, const char *name);
void pg_quote_table(struct buf *out, const char *schema, const char *table);
void pg_quote_literal(struct buf *out, struct str text);

/* Adds an element to an array literal of text: start with an empty buffer, end with pg_array_end. NULL is null. */
void pg_array_add(struct buf *array, const char *text);
void pg_array_end(struct buf *array);

/* Is `name` in use already? Asked with ASCII letters in any case. */
typedef bool pg_name_taken(void *context, const char *name);

/* The identifier for a source's name, kept as it is when it can be. It gets "_" and 8 hex digits of a hash of the whole name,
 * cut at a character to `max` bytes, when it is longer, is one of PostgreSQL's system columns, begins with "_sluice_", or
 * is taken. An empty name is "column". The result depends on the name and on what is taken only. */
void pg_map_name(struct str source, size_t max, pg_name_taken *taken, void *context, char out[PG_NAME_SIZE]);

/* A hash that stays the same for ever (FNV-1a, 64 bits): for names and for advisory lock keys. */
uint64_t pg_hash(const char *text);

#endif
