/* row: one row of a native page becomes one row of a batch: what record.h does for a JSON object.
 *
 * Values of a column's own kind are taken as they are; texts are read like JSON strings would be; what does not fit follows
 * on_mismatch, counted, and rejects show the row as a JSON object. */
#ifndef SLUICE_REST_ROW_H
#define SLUICE_REST_ROW_H

#include "rest/native.h"
#include "rest/record.h"

/* Fills the newest row of `batch`, which was just added, with `count` values for the schema's first columns. Results and
 * `out` as record_read; RECORD_REFUSED for values that lie outside of `texts` or are of no kind: the plugin's mistake. */
enum record_result row_read(struct record_reader *reader, const struct native_value *values, uint32_t count, struct str texts,
                            enum row_operation operation, struct batch *batch, struct decoded *out, struct err *err);

#endif
