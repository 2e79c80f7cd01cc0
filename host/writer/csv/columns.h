/* columns: the columns one part file has, fixed, with an id. A stream's schema grows while it runs; each part is written by one
 * snapshot.
 *
 * The id is a digest of names, types and keys: equal columns have equal ids, so the manifest can say which part has which, and
 * rows held over many commits know theirs. Everything lives in the arena given. */
#ifndef SLUICE_WRITER_CSV_COLUMNS_H
#define SLUICE_WRITER_CSV_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "data/schema.h"

enum { CSV_COLUMNS_ID_SIZE = 17 }; /* 16 hex digits and a terminator */

/* The three columns behind those of the source. */
#define CSV_SYNCED_AT "_sluice_synced_at"
#define CSV_DELETED "_sluice_deleted"
#define CSV_LOAD_ID "_sluice_load_id"

struct csv_columns {
    char id[CSV_COLUMNS_ID_SIZE];
    const char *stream;
    uint32_t count; /* without the system columns */
    const char **names;
    uint8_t *types; /* enum type */
    bool *keys;
    struct csv_columns *next; /* in a list of them */
};

/* The first `count` columns of a stream's schema. */
struct csv_columns *csv_columns_of(const struct schema *schema, const char *stream, uint32_t count, struct arena *arena);
struct csv_columns *csv_columns_copy(const struct csv_columns *columns, struct arena *arena);
/* As {"stream":..,"id":..,"columns":[{"name":..,"type":..,"key":true}]}: the stream and the system columns (with the header's
 * names) when asked for. And back, from the form with the stream and without the system columns: csv_columns_read gives NULL
 * when the document is not of that form or its id does not match. */
void csv_columns_write(const struct csv_columns *columns, bool with_stream, bool with_system, struct json_writer *out);
struct csv_columns *csv_columns_read(const struct cJSON *json, struct arena *arena);

const struct csv_columns *csv_columns_find(const struct csv_columns *list, const char *stream, const char *id);

/* The header line of a file: the source's names as they are. A name that is one of ours gets "_2" behind it. */
struct str csv_columns_header(const struct csv_columns *columns, struct arena *arena);

#endif
