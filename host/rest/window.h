/* window: which parts of a stream one sync reads, decided at its start.
 *
 * A plan is a list of slices over the cursor's line: one slice, or, with a `step`, consecutive windows. It is fixed at sync
 * start and stored (as compact JSON text), so that an interrupted sync goes on with the same plan.
 *
 *     window_plan(&cursor, stored, start, now_us, arena, &plan, err);
 *     for (i...) plan.slices[i] ...                       // read from `from` to `to`
 *     window_to_json(&plan, &buf);                        // the state entry "plan"
 *
 * Cursor values are canonical texts: RFC 3339 UTC, YYYY-MM-DD, decimal integers, or strings as they are. Edges of windows are
 * cut to what the source can say: whole seconds, minutes, days, by its format or its declared granularity. Two windows share
 * one edge: with "(]" a window holds what is above `from` and up to `to`, with "[)" what is at `from` or above and below `to`.
 * So none overlap and none leave a gap.
 * Nothing reaches past the sync's start, less the delay. A value that stands for a second, a minute or a day is complete only
 * when that is over: with "(]" the last edge is the last complete one. Months are counted from the first edge; a day that a
 * month does not have is its last. The lookback moves only where reading begins; it is never stored. Pure. */
#ifndef SLUICE_REST_WINDOW_H
#define SLUICE_REST_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "data/value.h"

enum { WINDOW_MAX_SLICES = 50000, WINDOW_MAX_MONTHS = 1200, WINDOW_MAX_SPLITS = 1000, WINDOW_MAX_EXTENSIONS = 200 };

struct window_cursor {
    enum type type;         /* TIMESTAMP, TIMESTAMP_NTZ, DATE, INTEGER, DECIMAL, STRING */
    const char *format;     /* the source's spelling, base/time.h; NULL: by type */
    int64_t step_us;        /* windows; 0: one slice, or months. Instants and dates only */
    int step_months;        /* windows of calendar months; 0: none */
    int64_t lookback;       /* microseconds; for INTEGER in its own unit; 0 for others */
    int64_t granularity_us; /* the source's cursor values are cut to this, its format aside; 0: as the format shows */
    int64_t delay_us;       /* what is newer than this is left for the next sync */
    bool closed_above;      /* a window holds its upper edge: "(]" */
    bool partitions;        /* windows are whole days or months, the one that is not over yet included */
};

struct window_slice {
    const char *id;   /* unique in the plan, stable over runs: where it begins, or "all" */
    const char *from; /* canonical, lookback subtracted; "": from the beginning */
    const char *to;   /* canonical; "": open (integers, strings, streams without a cursor) */
};

struct window_plan {
    enum type type;
    int64_t step_us;
    int step_months;
    const char *stored;  /* the cursor the plan was made from, for {{cursor.value}}; "": none */
    const char *end;     /* the last edge; "": open, or no slices */
    const char **ends;   /* those before it, each until the plan was extended */
    size_t extended;     /* how often it was */
    const char **splits; /* edges put in later, in that order: each split the window it lay in */
    size_t split_count;
    struct window_slice *slices; /* in their order, what was split off or came later behind them */
    size_t slice_count;          /* 0: the source can have nothing new */
};

/* Is it read in windows? */
static inline bool window_has_step(const struct window_cursor *cursor)
{
    return cursor->step_us || cursor->step_months;
}
static inline bool window_plan_has_step(const struct window_plan *plan)
{
    return plan->step_us || plan->step_months;
}

/* Makes a plan. `stored`: the cursor in the state, canonical, empty on the first sync. `start`: where a first sync begins,
 * canonical or any text base/time.h reads as ISO; empty: from the beginning (refused with a step). Errors: CONFIG (too many
 * windows, an unreadable start), BUG (a stored cursor that is not of its type). */
int window_plan(const struct window_cursor *cursor, struct str stored, struct str start, int64_t now_us, struct arena *arena,
                struct window_plan *plan, struct err *err) MUST_USE;

/* The plan that reads exactly from one value to another, whatever the state says: neither lookback nor delay. `to` empty: the
 * sync's start (of an integer or a text: open). CONFIG for values that are not of the type, or in the wrong order. */
int window_range(const struct window_cursor *cursor, struct str from, struct str to, int64_t now_us, struct arena *arena,
                 struct window_plan *plan, struct err *err) MUST_USE;

/* The plan of a stream without a cursor: one open slice. */
void window_plan_whole(struct arena *arena, struct window_plan *plan);

/* Splits a window in its middle: slice `index` ends there, and the rest of it becomes the last slice. What lies at or below
 * `done` (canonical; empty: nothing) was read, so the middle is that of what is left. False when that is too short: the halves
 * would be below `min_us`, or nothing the source can say lies between. */
bool window_split(const struct window_cursor *cursor, struct window_plan *plan, size_t index, struct str done, int64_t min_us,
                  struct arena *arena);

/* Adds windows for what came since the plan was made or extended, up to `now_us` less the delay. False when there are none, or
 * no more are possible. For plans in windows. */
bool window_extend(const struct window_cursor *cursor, struct window_plan *plan, int64_t now_us, struct arena *arena);

/* The plan as one line of JSON, and back (BUG when it is not ours). Reading gives the same slices, whatever the connector says
 * by now. */
void window_to_json(const struct window_plan *plan, struct buf *out);
int window_from_json(struct str json, struct arena *arena, struct window_plan *plan, struct err *err) MUST_USE;

/* The canonical text of a cursor value given by people or configuration; false when it is not of the type. */
bool window_canonical(enum type type, struct str text, struct arena *arena, struct str *canonical);

#endif
