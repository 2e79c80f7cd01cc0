/* explode: the elements of a list inside a record become rows of a stream of its own. Native, like decode: the elements are
 * read where they lie in the page, and what is copied from the record is read once for all of them.
 *
 *     exploder_init(&exploder, &spec, first_watch, slice);
 *     rc = exploder_record(&exploder, &root_reader, err);      // after the record was taken
 *
 * What the path leads to: an array gives its elements, an object is one element, null and an absent field are an empty list.
 * Anything else says nothing about the elements: it is rejected, and the set stays as it was. */
#ifndef SLUICE_REST_EXPLODE_H
#define SLUICE_REST_EXPLODE_H

#include "rest/lane.h"

struct exploder {
    const struct explode_spec *spec;
    struct lane lane;
    size_t first_watch;   /* of the root's reader: the elements; then what is copied */
    struct given *given;  /* per copy */
    uint64_t given_batch; /* whose arena the copies' texts are in; 0: they are to be read */
    /* of the record in hand */
    const struct record_watch *watches;
    uint64_t record_number;
    int64_t place;
    bool has_row;
    struct arena scratch; /* for the filter of an element */
};

void exploder_init(struct exploder *exploder, const struct explode_spec *spec, size_t first_watch, uint32_t slice);
void exploder_release(struct exploder *exploder);

/* Takes the elements of the record that `root` has read last. Errors as lane_take. */
int exploder_record(struct exploder *exploder, const struct record_reader *root, struct err *err);

#endif
