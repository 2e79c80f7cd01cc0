/* record: one JSON object becomes one row. What decode does for each record; decode.c does the rest for the page.
 *
 * The reader owns what is learnt about a slice's records: the fields and their usual order, the cursor. It writes values
 * straight into the batch's newest row; when the schema has outgrown a batch that is too big to widen, it asks for another one
 * (RECORD_GROWN) and the record is read again. */
#ifndef SLUICE_REST_RECORD_H
#define SLUICE_REST_RECORD_H

#include "rest/cursor_track.h"
#include "rest/decode.h"
#include "rest/fields.h"

enum record_result {
    RECORD_TAKEN,   /* the newest row holds it */
    RECORD_DROPPED, /* counted, and rejected if that is why; the newest row is to be taken back */
    RECORD_GROWN,   /* the batch has too few columns: give a wider one and the record once more */
    RECORD_BROKEN,  /* scan->error says why */
};

struct note; /* a value that found no place */

struct record_reader {
    const struct decode_spec *spec;
    struct fields fields;
    struct cursor_track track;
    struct coerce_rule cursor_rule;
    uint32_t *keys; /* indexes of the primary key's columns */
    size_t key_count;
    struct note *notes; /* of the record in hand */
    size_t note_count;
    size_t note_capacity;
    uint64_t number;      /* of the record in hand */
    struct arena scratch; /* cleared by page */
};

void record_reader_init(struct record_reader *reader, const struct decode_spec *spec, const struct decode_bounds *bounds);
void record_reader_release(struct record_reader *reader);

/* Reads the object that comes next into the newest row of `batch`, which was just added. Counts and rejects go to `out`
 * (except `emitted`). */
enum record_result record_read(struct record_reader *reader, struct jsonscan *scan, struct batch *batch, struct decoded *out);

#endif
