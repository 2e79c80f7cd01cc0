/* partitions: what a stream is read for: the combinations of its lists, or the records of its parent.
 *
 * A partition is a name that is the same from run to run (values joined by ',', each as in a URL), and what its requests know
 * of it, as JSON: the values of its lists behind {{slice.NAME}}, or the parent's record behind {{parent.PATH}}.
 *
 *     rc = partitions_of_lists(&source, &arena, &list, err);
 *     rc = partitions_of_page(&parent, functions, &page, &arena, &list, err);
 *
 * Everything lives in the arena. */
#ifndef SLUICE_REST_PARTITIONS_H
#define SLUICE_REST_PARTITIONS_H

#include "rest/reader.h"

struct partition {
    const char *id;
    struct str values;          /* {"region":"eu"}; empty: it has a parent */
    const char *const *members; /* of a batch: the names of its parents, of which the first is its own; else NULL */
    size_t member_count;
    struct str parent; /* its record; with JSONSCAN_PADDING readable bytes behind, as `values` */
};

struct partition_list {
    struct partition *items;
    size_t count;
};

enum { PARTITIONS_MAX_LISTED = 100000, PARTITION_MAX_ID = 1000 };

/* All combinations, the last list's values first to change. CONFIG for a list without values, or too many combinations;
 * CONNECTOR for a function that gives something else. */
int partitions_of_lists(const struct request_source *source, struct arena *arena, struct partition_list *list,
                        struct err *err) MUST_USE;

/* The records of a page of the parent stream, in their order, after all that it declares about them. DATA for one without its
 * key, or a key over PARTITION_MAX_ID bytes; else as decoder_page. */
int partitions_of_page(const struct parent_description *parent, const struct functions *functions, const struct page *page,
                       struct arena *arena, struct partition_list *list, struct err *err) MUST_USE;

/* Makes one of each `parent->batch` of them: its parent is {"ids":"1,2,3","keys":["1","2","3"]}. */
void partitions_batch(const struct parent_description *parent, struct arena *arena, struct partition_list *list);

#endif
