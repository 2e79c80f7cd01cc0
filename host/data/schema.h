/* schema: the columns of one stream. It only grows: a column, once added, keeps its index, name and type for the sync.
 *
 * Declared columns come first, in the order of the description; undeclared fields join at their first non-null value
 * (string -> string, number -> decimal, boolean, nested -> json). Past SCHEMA_MAX_COLUMNS, and when a later value does not fit
 * an inferred column, values go to the one overflow column as a JSON object of field -> value.
 *
 * Shared by the decode threads of a stream's slices: adding takes a lock; reading a column below a count one has seen needs
 * none, since columns never move or change. */
#ifndef SLUICE_DATA_SCHEMA_H
#define SLUICE_DATA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "data/value.h"

enum { SCHEMA_MAX_COLUMNS = 400, SCHEMA_MAX_NAME = 1024 };

#define SCHEMA_OVERFLOW "_sluice_overflow" /* the overflow column's field name; type JSON */

struct column {
    const char *name; /* the field's name at the source, UTF-8; the writer maps it to an identifier of the target */
    enum type type;
    bool declared;      /* by the connector or the pipeline; false: inferred */
    bool key;           /* part of the primary key */
    uint32_t index;     /* its own */
    struct str zone;    /* TIMESTAMP of values without an offset: "" is UTC, else "+02:00" */
    const char *format; /* how the source spells this DATE or TIMESTAMP, base/time.h; NULL: as the stream's others */
};

struct schema;

struct schema *schema_new(const char *stream);
void schema_free(struct schema *schema);

const char *schema_stream(const struct schema *schema);
uint32_t schema_count(const struct schema *schema);
const struct column *schema_column(const struct schema *schema, uint32_t index); /* index below a count seen */
const struct column *schema_find(const struct schema *schema, struct str name);  /* NULL when absent */

/* Adds a column and returns it; if the name is there already, returns that one unchanged (two slices may race). NULL when the
 * name is empty or over SCHEMA_MAX_NAME bytes, or the schema is full: SCHEMA_MAX_COLUMNS for inferred ones (the overflow column
 * always fits), four times as many for declared. */
const struct column *schema_add(struct schema *schema, struct str name, enum type type, bool declared);
/* Both only before rows are decoded. `format` (may be NULL) and `zone` are copied. */
void schema_set_key(struct schema *schema, uint32_t index);
void schema_set_format(struct schema *schema, uint32_t index, const char *format, struct str zone);

#endif
