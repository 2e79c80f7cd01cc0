/* progress: what a sync is doing right now and what it did, for the live display, the summary, events and the watchdog.
 *
 * Counters are atomic and written by the threads of the flows; anybody may read them at any time. Texts are set before the
 * threads start, or are static. */
#ifndef SLUICE_SYNC_PROGRESS_H
#define SLUICE_SYNC_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/client.h"
#include "writer/writer.h"

enum stream_status { STREAM_WAITING, STREAM_RUNNING, STREAM_DONE, STREAM_STOPPED, STREAM_FAILED, STREAM_SKIPPED };

const char *stream_status_name(enum stream_status status);

/* Where the time of a stream's threads went. One asks the source (waits are enum wait_reason), one types what came, one brings
 * it to the destination; each is ahead of the next by little, so the slowest shows as the others' waiting: SPENT_BEHIND is how
 * long the first was held back by what comes behind it. */
enum spent { SPENT_SOURCE, SPENT_BEHIND, SPENT_DECODE, SPENT_COMMIT, SPENT_WAITS, SPENT_COUNT = SPENT_WAITS + WAIT_REASONS };

struct stream_progress {
    const char *name;
    const char *mode;                       /* "incremental append_dedup" */
    _Atomic int status;                     /* enum stream_status */
    _Atomic uint64_t pages, records, bytes; /* read and decoded */
    _Atomic uint64_t loads, committed;      /* loads, and records in them */
    _Atomic int64_t spent_ms[SPENT_COUNT];  /* of all its threads together */
    _Atomic(const char *) note;             /* static text of the writer: "building aside, publishes at the end"; NULL: none */
    _Atomic int64_t started_ms, ended_ms;   /* monotonic; 0: not yet */
    /* Set by the flow's thread before `status` says it ended, read after. */
    struct load_counts totals;
    struct err err;        /* class 0: none */
    bool more_left;        /* a run may read no more of it */
    bool shares_err;       /* it is that of the stream before it, of the same flow, which tells it */
    char cursor[64];       /* the stored cursor, cut; "" when there is none */
    char target[160];      /* where the rows are, for people */
    char new_columns[600]; /* undeclared ones that joined a table that was there: "a, b", cut; "" for none */
};

struct client_counters;

struct progress {
    const char *pipeline;
    struct stream_progress *streams;
    size_t stream_count;
    const struct client_counters *http; /* NULL until the client is there */
    _Atomic int64_t activity;           /* goes up with every sign of life; for the watchdog */
    _Atomic int committing;             /* flows that are busy at the destination, which has time limits of its own */
};

const char *spent_name(enum spent spent); /* "source", "rate limit" .. */

static inline void progress_spent(struct stream_progress *stream, enum spent spent, int64_t ms)
{
    atomic_fetch_add_explicit(&stream->spent_ms[spent], ms, memory_order_relaxed);
}

static inline void progress_alive(struct progress *progress)
{
    atomic_fetch_add_explicit(&progress->activity, 1, memory_order_relaxed);
}

/* What a sync tells while it runs; each becomes a line of text or JSON. */
enum event_kind { EVENT_SYNC_STARTED, EVENT_STREAM_STARTED, EVENT_LOAD, EVENT_STREAM_ENDED, EVENT_SYNC_ENDED };

struct sync_event {
    enum event_kind kind;
    const struct progress *progress;
    const struct stream_progress *stream; /* NULL for the sync's own */
    const struct load_counts *load;       /* EVENT_LOAD */
    const struct err *err;                /* EVENT_SYNC_ENDED: class 0 when all went well */
    int exit_code;                        /* EVENT_SYNC_ENDED */
    int64_t at_us;                        /* wall clock */
    int64_t elapsed_ms;
    int64_t resume_at; /* seconds since 1970 when waiting makes sense until then; 0: none */
};

/* Called from the sync's threads, one at a time. */
struct observer {
    void (*event)(void *context, const struct sync_event *event);
    void *context;
};

/* Appends the event as one JSON object. */
struct buf;
void sync_event_to_json(const struct sync_event *event, struct buf *out);

#endif
