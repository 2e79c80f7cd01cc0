/* reshape: what a stream declares about the shape of its records, done natively, a record at a time, before `map` and before
 * types. A page's records become the list of one new document; a stream that declares nothing has none of this.
 *
 * In this order, whatever the order they are written in:
 *   zip      positional values get the names that stand once in the page
 *   filter   only records that hold are kept; paging has counted all
 *   pairs    lists of name and value become objects
 *   flatten  objects become fields
 *   drop     fields go, by the names they have now
 *   rename   fields get other names
 *   add      fields that are the same for the whole page; they beat what the record has
 *
 * One pass over the record, no tree, no allocation per record. */
#ifndef SLUICE_REST_RESHAPE_H
#define SLUICE_REST_RESHAPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "base/map.h"
#include "data/block.h"

struct operand;

enum reshape_test { FILTER_IN, FILTER_NOT_IN, FILTER_EXISTS, FILTER_MISSING };

struct reshape_filter {
    const char *path;
    enum reshape_test test;
    const struct str *values; /* as text */
    size_t value_count;
};

struct reshape_zip {
    const char *names; /* path in the page, of a list of texts, or of objects ... */
    const char *name;  /* ... that hold the name here; NULL: texts */
    const char *from;  /* path in the record, of a list of values; "$": the record is that list */
    const char *value; /* where a value is inside of an element; NULL: it is the element */
};

struct reshape_pairs {
    const char *key, *value; /* fields of each element */
};

struct reshape {
    const struct reshape_zip *zips;
    size_t zip_count;
    const struct reshape_filter *filters;
    size_t filter_count;
    bool has_pairs, flattens;
    const char *separator;     /* between the names */
    size_t depth;              /* how many levels become fields */
    bool prefix;               /* does a field's name begin with that of the object it was in? */
    struct map pairs;          /* field -> struct reshape_pairs */
    struct map flat;           /* fields that are flattened; empty: all */
    struct map drop, rename;   /* field -> itself; field -> const char * */
    const struct operand *add; /* a map; NULL: none */
};

/* `added`: the members that `add` came to, `"a":1,"b":"x"`; empty: none. *out: the records' new document, a list. Errors: as
 * decoder_page, since the page is walked the same way; DATA also for a record over 16 MiB. */
int reshape_page(const struct reshape *reshape, const struct block *page, const char *records_path, struct str added,
                 struct budget *budget, struct block **out, struct err *err) MUST_USE;

/* Does the record hold what every filter of `reshape` wants? `scratch` is for texts. */
bool reshape_keeps(const struct reshape *reshape, const struct json_value *record, struct arena *scratch);

#endif
