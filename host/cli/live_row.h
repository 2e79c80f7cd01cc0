/* live_row: one running stream as it stands now, read from counters or from a child's `progress` event, and written as such an
 * event or as lines for people. No state, no screen: live.c has both.
 *
 * A pipeline's streams share one client, so its wait and the rate limit's rest are the same in all their rows and are drawn
 * once. */
#ifndef SLUICE_CLI_LIVE_ROW_H
#define SLUICE_CLI_LIVE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sync/progress.h"

struct cJSON;
struct clock;

struct live_row {
    char pipeline[64], stream[64]; /* cut */
    char note[96];                 /* what the writer says of itself; "": nothing */
    char waits_for[32];            /* "rate limit", "Retry-After", "backoff"; "": nobody waits */
    int64_t waits_until;           /* wall clock, microseconds since 1970 */
    int64_t pool_left;             /* requests left in the rate limit; -1: unknown */
    uint64_t rows, rows_per_second, bytes;
};

void live_row_read(const struct progress *progress, const struct stream_progress *stream, struct clock *clock,
                   struct live_row *row);
bool live_row_from_json(const struct cJSON *event, struct live_row *row); /* false when it is not of a stream */
void live_row_to_json(const struct live_row *row, struct buf *out);       /* {"event":"progress",...} */

/* All of it in one line, without a line's end. */
void live_row_describe(const struct live_row *row, int64_t wall_us, struct buf *out);

struct live_layout {
    size_t width;        /* columns a line may take */
    size_t name_width;   /* of the longest name */
    bool names_pipeline; /* rows of several pipelines */
};

struct live_layout live_layout(const struct live_row *rows, size_t count, size_t width);

/* Each appends one or two lines that fit the layout's width, with their ends, and returns how many. */
size_t live_row_draw(const struct live_row *row, const struct live_layout *layout, struct buf *out);
/* What the row's pipeline waits for and has left; 0 lines when there is nothing to say. */
size_t live_row_draw_pipeline(const struct live_row *row, const struct live_layout *layout, int64_t wall_us, struct buf *out);

#endif
