/* slice: the two threads that read one slice: fetch hands complete pages to decode, decode hands typed rows to the flow.
 *
 * A bounded channel lies between the two, another (the flow's) behind them; memory is bounded by the sync's budget, which the
 * fetch thread waits for before each request. Every started slice sends exactly one item with `ended` set, its last.
 *
 *     struct slice *slice;
 *     rc = slice_start(&options, &slice, err);
 *     ... items arrive on options.out; after the one that says `ended`: slice_join(slice) */
#ifndef SLUICE_SYNC_SLICE_H
#define SLUICE_SYNC_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "rest/reader.h"
#include "rest/window.h"
#include "sync/context.h"
#include "sync/plan.h"

struct boundary;
struct channel;

struct slice_options {
    const struct sync_context *sync;
    const struct flow_plan *plan;
    struct stream_progress *progress; /* of the plan's streams */
    struct window_slice window;
    struct str values, parent;       /* of a partition, see rest/partitions.h; outlive the slice */
    uint32_t index;                  /* in the flow's plan */
    const char *cursor_value;        /* the stored cursor; "" on the first sync */
    const char *token;               /* the source's own, to begin at; NULL: none */
    const struct boundary *boundary; /* keys of the records at it that were appended; NULL: not known */
    const char *resume_cursor;       /* records at or below it are published; NULL: none */
    const char *old_jobs;            /* of slices that are given up, a line each; NULL: none */
    const char *job;                 /* that an earlier run made for it, see rest/job.h; NULL: none */
    const char *resume_page;         /* resume text of the pager; NULL: none */
    struct cancel *cancel;           /* the flow's */
    struct channel *out;             /* takes struct slice_item */
};

struct slice_item {
    uint32_t index;
    struct decoded decoded; /* ended: at most the reject of READER_REJECTS */
    char *position;         /* NULL: not resumable after this page */
    char *job;              /* nothing but this: a job was made, to be gone on with by a later run */
    char *token;            /* the source's own, behind this page; NULL: it has none */
    bool has_records;       /* where tokens are looked for: the page has some, be they taken or not */
    bool ended;
    bool finished;                      /* ended: every page was read */
    struct err err;                     /* ended: class 0 when nothing failed (it may still have been stopped) */
    enum reader_end end;                /* ended with an error: what it is to the slice */
    bool is_partitions;                 /* no slice's: more partitions, or `err`; */
    struct partition_chunk *partitions; /* NULL: there are no more */
};

void slice_item_free(struct slice_item *item); /* NULL is fine */

struct slice;

int slice_start(const struct slice_options *options, struct slice **out, struct err *err) MUST_USE;
/* Until when the slice waits, by a limit it was told, before it asks for another page (monotonic); 0: it does not wait. */
int64_t slice_waiting_until_ms(const struct slice *slice);
/* Of a native stream: this checkpoint is durable, with the rows before it. From any thread. */
void slice_committed(struct slice *slice, const char *checkpoint);
void slice_join(struct slice *slice); /* waits for its threads and frees it; NULL is fine */

#endif
