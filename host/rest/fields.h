/* fields: from a record's key to what is done with its value, as fast as the record before suggests.
 *
 * Records of a stream spell the same keys in the same order. So each field remembers which one came behind it last time, and
 * the next key is first compared with that one, quotes and colon included, before anything is parsed; only when the guess is
 * wrong is the key read and looked up. One table per decoder; it holds the names met so far, at most DECODE_MAX_FIELDS.
 *
 *     struct field *previous = NULL;                                 // at a record's start
 *     while ((field = fields_next(&fields, scan, previous, &arena, &unknown)) != NULL) {
 *         ... jsonscan_value ...
 *         previous = field;
 *     } */
#ifndef SLUICE_REST_FIELDS_H
#define SLUICE_REST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/jsonscan.h"
#include "base/map.h"
#include "data/schema.h"
#include "rest/coerce.h"
#include "rest/decode.h"

enum field_use {
    FIELD_COLUMN,   /* goes to `column` */
    FIELD_NEW,      /* undeclared: becomes a column at its first non-null value */
    FIELD_OVERFLOW, /* goes to the overflow column */
    FIELD_SKIP,     /* goes nowhere */
    FIELD_GIVEN,    /* `column` has its value from elsewhere */
};

struct field {
    struct str name;    /* decoded */
    struct str quoted;  /* as it stands in the text, with quotes and colon; empty when it cannot be guessed (too long) */
    struct field *next; /* the one that came behind it last time */
    const struct column *column;
    struct coerce_rule rule; /* of the column */
    enum field_use use;
    bool hidden;      /* blocked or not selected: must not show up in rejects */
    bool is_watched;  /* the value, or something inside it, is the cursor, or wanted by an exploded stream */
    bool is_cursor;   /* it is the cursor */
    uint64_t seen_in; /* number of the last record that had it */
    size_t note;      /* of that record: index + 1 of the note about this field; 0: none */
};

struct fields {
    const struct decode_spec *spec;
    struct arena arena; /* owns the fields */
    struct map by_name;
    struct field *first; /* of a record, last time */
};

void fields_init(struct fields *fields, const struct decode_spec *spec);
void fields_release(struct fields *fields);

/* Reads the next key of the object the scanner is in. Its field; or NULL at the object's end, on an error, and (then
 * *unknown has data) for a name there is no room to remember, which lives in `arena` or the text. `previous`: the field before
 * it. */
struct field *fields_next(struct fields *fields, struct jsonscan *scan, struct field *previous, struct arena *arena,
                          struct str *unknown);

/* The field of a name, made when it is new; NULL when the table is full. */
struct field *fields_get(struct fields *fields, struct str name);

/* Does `path` begin with the field `name`? What is left of it then ("" at its end), else NULL. */
const char *fields_path_behind(const char *path, struct str name);

/* Is this name kept out of everything? For names beyond the table too. */
bool fields_is_hidden(const struct fields *fields, struct str name);

/* Makes `field` one of a column's. */
void fields_bind(struct fields *fields, struct field *field, const struct column *column);

#endif
