/* lane: one stream's way through a page: its records one after the other, and the batch its next row goes into. The stream of
 * the page has one, and so has each that is exploded from its records; all of them share the page in hand.
 *
 *     lane_page(&lane, &page, &out->counts);                   // a page begins
 *     rc = lane_take(&lane, scan, ROW_UPSERT, err);            // once a record
 *     lane_close(&lane);                                       // the page ends: its last batch goes to the others
 *
 * A batch is closed when its values reach DECODE_BATCH_BYTES, when the schema has outgrown it, and at the page's end. Used by
 * decode.c and explode.c only. */
#ifndef SLUICE_REST_LANE_H
#define SLUICE_REST_LANE_H

#include "rest/decode.h"
#include "rest/native.h"
#include "rest/record.h"

/* What the lanes of a page share. */
struct lane_page {
    struct block *block;
    struct decoded *out;
    size_t value_bytes; /* of the closed batches */
};

struct lane {
    const struct decode_spec *spec;
    uint32_t slice;
    struct record_reader reader;
    /* Puts what is given into the newest row of the batch and tells the reader of misfits; NULL: nothing is given. */
    void (*fill)(void *context, struct batch *batch, uint64_t batch_number);
    void *context;
    /* of the page in hand */
    struct lane_page *page;
    struct batch *batch;
    uint64_t batch_number; /* tells batches apart */
    size_t rows;           /* put into batches */
};

void lane_init(struct lane *lane, const struct decode_spec *spec, uint32_t slice, const struct decode_bounds *bounds);
void lane_release(struct lane *lane);

void lane_page(struct lane *lane, struct lane_page *page, struct decode_counts *counts);
/* Reads the object that comes next. Returns 1 when it was taken, and is a row then unless the stream gives none; 0 when it was
 * not, and is counted; TRANSIENT without a message for broken JSON (scan->error), DATA for a page past its caps. */
int lane_take(struct lane *lane, struct jsonscan *scan, enum row_operation operation, struct err *err);
/* Takes a row of a native page (row.h). Returns as lane_take; CONNECTOR for values that are none. */
int lane_take_row(struct lane *lane, const struct native_value *values, uint32_t count, struct str texts,
                  enum row_operation operation, struct err *err);
/* Rejects what comes next, which is no object. */
int lane_take_other(struct lane *lane, struct jsonscan *scan);
/* Adds a row that has only what is given. */
int lane_add_row(struct lane *lane, enum row_operation operation, struct err *err);
void lane_close(struct lane *lane);

#endif
