/* schema: the columns that a JSON Schema gives the values of a topic. Pure.
 *
 *     const char *flaw = schema_read(&schema, text);      // the schema as the registry gives it
 *     ... schema.columns[i].name, .type ...
 *     schema_release(&schema);
 *
 * Each property of the object is a column: `integer`, `number` (decimal), `boolean`, `string` (`format` date-time: timestamp,
 * date: date; `contentEncoding` base64: binary), whether null is allowed beside it or not; whatever else it may be is json.
 * `$ref` within the schema is followed, the properties of each part of an `allOf` count. */
#ifndef SLUICE_KAFKA_SCHEMA_H
#define SLUICE_KAFKA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum { SCHEMA_MAX_COLUMNS = 900 };

struct schema_column {
    char *name;
    const char *type; /* the vocabulary's */
};

/* Zeroed: without columns. */
struct schema {
    struct schema_column *columns;
    size_t count;
    bool is_cut; /* there are more properties than columns */
};

/* NULL, or what is wrong with it; then it is without columns. */
const char *schema_read(struct schema *schema, const char *text);
void schema_release(struct schema *schema);

#endif
