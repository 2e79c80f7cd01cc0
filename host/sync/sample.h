/* sample: the first page of a stream, read and decoded on the path a sync takes. Nothing is written. For preview and check.
 *
 *     struct sample sample = {0};
 *     rc = sample_read(prepared, flow, client, cancel, &sample, err);        // rc 0 with sample.is_empty when there is no page
 *     ... sample.decoded ...
 *     sample_release(&sample); */
#ifndef SLUICE_SYNC_SAMPLE_H
#define SLUICE_SYNC_SAMPLE_H

#include <stdbool.h>

#include "rest/decode.h"
#include "rest/reader.h"
#include "sync/sync.h"

struct sample {
    struct page page;
    struct decoded decoded;
    bool is_empty;
};

int sample_read(const struct sync_prepared *prepared, struct flow_plan *flow, struct client *client, struct cancel *cancel,
                struct sample *sample, struct err *err) MUST_USE;
void sample_release(struct sample *sample); /* accepts a zeroed one */

#endif
