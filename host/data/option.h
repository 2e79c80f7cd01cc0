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
 * The getters may only be called on a map that passed option_check; they give the default when the key is absent, and treat
 * a name that is not in the table as a bug of ours. */
#ifndef SLUICE_DATA_OPTION_H
#define SLUICE_DATA_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/node.h"

enum option_type {
    OPTION_STRING,
    OPTION_INTEGER,   /* decimal, 64 bits; `values` may hold "MIN..MAX" */
    OPTION_BOOLEAN,   /* true | false */
    OPTION_NUMBER,    /* a finite decimal */
    OPTION_ENUM,      /* one of `values`, "a|b|c" */
    OPTION_DURATION,  /* "500ms" "30s" "5m" "2h" "1d" "1w"; a bare number is seconds. Read as milliseconds */
    OPTION_SIZE,      /* "64KiB" "8MiB" "1GB"; a bare number is bytes */
    OPTION_TIMESTAMP, /* RFC 3339 or a date; read as text, checked by shape */
    OPTION_LIST,      /* of scalars, or one scalar alone, which is a list of one */
    OPTION_MAP,       /* a map described by `child` */
    OPTION_MAP_OF,    /* a map of names the user chooses, each value described by `child` (NULL: scalars) */
    OPTION_LIST_OF,   /* a list of maps, each described by `child` */
    OPTION_ANY,       /* anything; whoever reads it checks it */
};

enum option_flags {
    OPTION_REQUIRED = 1,
    OPTION_SECRET = 2,   /* never printed; may come from ${ENV} or ${file:PATH} */
    OPTION_TEMPLATE = 4, /* may hold {{...}} and is then not checked by type here */
    OPTION_FUNCTION = 8, /* may be a function of the connector (in JSON: {"$function": "streams.orders.map"}) */
};

struct option_table;

struct option {
    const char *name;
    enum option_type type;
    unsigned flags;
    const char *fallback; /* the default as text; NULL when there is none */
    const char *values;   /* ENUM: "a|b|c"; INTEGER: "1..100" */
    const struct option_table *child;
    const char *help; /* one line: shape, unit, meaning */
};

struct option_table {
    const char *title; /* "a csv destination": for messages */
    const struct option *options;
    size_t count;
};

#define OPTION_TABLE(title_text, array) {(title_text), (array), sizeof(array) / sizeof((array)[0])}

/* Mistakes collected, to be shown all at once. `max` bounds hostile input; later ones are only counted. */
struct problem {
    const char *file; /* or NULL */
    unsigned line;    /* or 0 */
    const char *message;
    const char *hint; /* or NULL */
};

struct problems {
    struct arena *arena; /* owns the texts */
    struct problem *list;
    size_t count;    /* all of them, also those past the list's end */
    size_t capacity; /* of the list, at most PROBLEMS_MAX */
};

enum { PROBLEMS_MAX = 100 };

#define PROBLEMS_INIT(arena_pointer) ((struct problems){.arena = (arena_pointer)})

/* Adds a mistake at `node` (NULL: no place). */
void problems_add(struct problems *problems, const struct node *node, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_hint(struct problems *problems, const char *format, ...) PRINTF_LIKE(2, 3); /* for the newest one */
/* The first mistake as an err of `class` ("FILE:LINE: message", "and N more" behind it); 0 when there is none. */
int problems_to_err(const struct problems *problems, int class, struct err *err);

/* Checks a map against its table: unknown keys (with the nearest known one), missing required ones, wrong kinds and values,
 * and the maps below it. `path` names the map in messages ("pipelines.shop"). Adds to `problems`. */
void option_check(const struct option_table *table, const struct node *map, const char *path, struct problems *problems);

const struct option *option_find(const struct option_table *table, struct str name);

/* Value or default of a key. option_text gives NULL when neither is there. */
const char *option_text(const struct option_table *table, const struct node *map, const char *name);
int64_t option_integer(const struct option_table *table, const struct node *map, const char *name);
bool option_boolean(const struct option_table *table, const struct node *map, const char *name);
int64_t option_duration_ms(const struct option_table *table, const struct node *map, const char *name);
uint64_t option_size_bytes(const struct option_table *table, const struct node *map, const char *name);
bool option_is_set(const struct node *map, const char *name);

/* "5m" -> 300000; false when it is not a duration. Years are refused: they have no fixed length. */
bool duration_parse(struct str text, int64_t *ms);
bool size_parse(struct str text, uint64_t *bytes);

#endif
