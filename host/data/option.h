/* option: tables of keys. One table drives validation, the nearest-key hint, the help and the documentation of a map.
 *
 *     static const struct option CSV_OPTIONS[] = {
 *         {"path", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "folder the files are written below"},
 *         {"compression", OPTION_ENUM, 0, "gzip", "gzip|zstd|none", NULL, "of each part file"},
 *     };
 *     static const struct option_table CSV_TABLE = OPTION_TABLE("a csv destination", CSV_OPTIONS);
 *
 *     option_check(&CSV_TABLE, node, "destinations.staging", problems);      // every mistake at once
 *     if (problems->count == 0) path = option_text(&CSV_TABLE, node, "path");
 *
 * Values are checked by their text, whatever their kind: `port: 80`, `port: "80"` and `port: ${PORT}` are the same integer, and
 * a string may be written as a plain number or boolean. Nothing (`key:` or null) is not a value, except where a map may stand:
 * there it is the empty map. An empty list and an empty map are the same (a Lua `{}` is either).
 *
 * The getters may only be called on a map that passed option_check; they give the default when the key is absent, and treat
 * a name that is not in the table as a bug of ours. */
#ifndef SLUICE_DATA_OPTION_H
#define SLUICE_DATA_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/duration.h"
#include "data/node.h"
#include "data/problems.h"

enum option_type {
    OPTION_STRING,    /* any scalar, its text as written */
    OPTION_INTEGER,   /* decimal, 64 bits; `values` may hold "MIN..MAX" */
    OPTION_BOOLEAN,   /* true | false; yes, no, on and off are refused with a hint */
    OPTION_NUMBER,    /* JSON number text, finite as a double; `values` may hold "MIN..MAX" */
    OPTION_ENUM,      /* one of `values`, "a|b|c" */
    OPTION_DURATION,  /* "500ms" "30s" "5m" "2h" "1d" "1w"; a bare number is seconds. Read as milliseconds */
    OPTION_SIZE,      /* "64KiB" "8MiB" "1GB"; a bare number is bytes */
    OPTION_TIMESTAMP, /* RFC 3339 or a date; read as text, checked by time_parse_iso */
    OPTION_LIST,      /* of scalars, or one scalar alone, which is a list of one */
    OPTION_MAP,       /* a map described by `child` */
    OPTION_MAP_OF,    /* a map of names the user chooses, each value described by `child` (NULL: scalars) */
    OPTION_LIST_OF,   /* a list of maps, each described by `child` */
    OPTION_ANY,       /* anything; whoever reads it checks it */
};

enum option_flags {
    OPTION_REQUIRED = 1,
    OPTION_SECRET = 2,   /* never printed, not in messages either; may come from ${ENV} or ${file:PATH} */
    OPTION_TEMPLATE = 4, /* a scalar may hold {{...}} and is then not checked by type here; also inside a LIST or MAP_OF */
    OPTION_FUNCTION = 8, /* may be a function of the connector (in JSON: {"$function": "streams.orders.map"}); in a MAP_OF
                            without child each value may */
};

struct option_table;

struct option {
    const char *name;
    enum option_type type;
    unsigned flags;
    const char *fallback; /* the default as text; NULL when there is none */
    const char *values;   /* ENUM: "a|b|c", at most 32; INTEGER, NUMBER: "1..100" */
    const struct option_table *child;
    const char *help; /* one line: shape, unit, meaning */
};

struct option_table {
    const char *title; /* "a csv destination": for messages */
    const struct option *options;
    size_t count;
};

#define OPTION_TABLE(title_text, array)                                                                                        \
    {                                                                                                                          \
        (title_text), (array), sizeof(array) / sizeof((array)[0])                                                              \
    }

/* Checks a map against its table: unknown keys (with the nearest known one), missing required ones, wrong kinds and values,
 * and the maps below it. `path` names the map in messages ("pipelines.shop"; "" for the root). `map` may be NULL or null: an
 * empty map. Adds to `problems`, in the order of the file, what is missing last. */
void option_check(const struct option_table *table, const struct node *map, const char *path, struct problems *problems);

const struct option *option_find(const struct option_table *table, struct str name); /* NULL when there is none */

/* What a value of the option must be, in words: "an integer from 1 to 100", "append, overwrite or append_dedup". For messages
 * and help. Terminated; cut to `size`. */
void option_expected(const struct option *option, char *out, size_t size);

/* Is the value a reference to a connector's function? Its name ("streams.orders.map"), else NULL. */
const char *option_function(const struct node *value);
/* Is the value a scalar that holds {{...}}? */
bool option_is_template(const struct node *value);

/* Value or default of a key (0 or false when it has none either). option_text gives NULL when neither is there, and a template
 * as it is written. A function, a list and a map are not seen by these. Where a table has OPTION_TEMPLATE, ask
 * option_is_template before a typed getter: a template is not a number, and reading it as one is a bug of ours. */
const char *option_text(const struct option_table *table, const struct node *map, const char *name);
int64_t option_integer(const struct option_table *table, const struct node *map, const char *name);
double option_number(const struct option_table *table, const struct node *map, const char *name);
bool option_boolean(const struct option_table *table, const struct node *map, const char *name);
int64_t option_duration_ms(const struct option_table *table, const struct node *map, const char *name);
uint64_t option_size_bytes(const struct option_table *table, const struct node *map, const char *name);
bool option_is_set(const struct node *map, const char *name); /* is the key there, and not null? */
/* A LIST as an array of texts; NULL, and 0, when the key is absent. */
const char *const *option_texts(const struct node *map, const char *name, struct arena *arena, size_t *count);

#endif
