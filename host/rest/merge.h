/* merge: puts what further answers say into the records of a page, by key.
 *
 *     struct merge_index index = MERGE_INDEX(page->budget);
 *     rc = merge_index_add(&index, answer, &found, err);          // any number of answers
 *     rc = merge_members(page, &spec, &index, &merged, err);      // chunks: the members of two objects
 *     rc = merge_values(page, &spec, &index, &merged, err);       // enrich: a value into a field
 *     merge_index_release(&index);
 *
 * A page comes out as the document it was, with longer records: paging fields, record paths and functions find what they found.
 * Everything is charged to the budget of the page. One thread. */
#ifndef SLUICE_REST_MERGE_H
#define SLUICE_REST_MERGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "data/block.h"
#include "rest/reshape.h"

enum {
    MERGE_MAX_BYTES = 16 << 20, /* of what a page becomes, and of what an index holds */
    MERGE_MAX_DEPTH = 8,        /* objects in objects whose members are put together */
};

/* Where a document has its records, and what tells them apart: one value, or several. */
struct merge_spec {
    const char *records_path;
    const char *const *key;
    size_t key_count;
};

struct merge_index {
    struct map found; /* key -> struct merge_value, a chain in the order in which they came */
    struct arena arena;
    struct budget *budget;
    size_t bytes;
};

#define MERGE_INDEX(of_page) ((struct merge_index){.arena = ARENA_INIT(0), .budget = (of_page)})

void merge_index_release(struct merge_index *index);

/* Takes the records of an answer, or what stands in them at `value` ("$": all of it; records without it are passed over). A
 * record without its key is nobody's. `only`: all records have this key (key_count 0). What is taken is copied. DATA past
 * MERGE_MAX_BYTES, TRANSIENT for what is no JSON. */
int merge_index_add(struct merge_index *index, const struct block *answer, const struct merge_spec *spec, const char *value,
                    struct str only, struct err *err) MUST_USE;

/* Each record, an object, gets the members that the record of its key in the index has and it has not; objects that both have
 * are put together the same way, at most MERGE_MAX_DEPTH deep. *missing: so many records are not in the index. DATA for a
 * record without its key, and past MERGE_MAX_BYTES (is_too_much). */
int merge_members(const struct block *page, const struct merge_spec *spec, const struct merge_index *index, size_t *missing,
                  struct block **out, struct err *err) MUST_USE;

/* What `merge_values` puts into the records that `keeps` (NULL: all) lets through. */
struct merge_into {
    const char *field;
    bool many; /* a list of all values, which may be empty; else the last one, and nothing where there is none */
    const struct reshape *keeps;
};

/* The distinct keys of the page's records that have one, in their order, in `arena`. */
int merge_keys(const struct block *page, const struct merge_spec *spec, const struct reshape *keeps, struct arena *arena,
               const struct str **keys, size_t *count, struct err *err) MUST_USE;
int merge_values(const struct block *page, const struct merge_spec *spec, const struct merge_into *into,
                 const struct merge_index *index, struct block **out, struct err *err) MUST_USE;

#endif
