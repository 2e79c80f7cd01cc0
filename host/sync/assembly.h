/* assembly: from decoded pages to loads: which rows may become visible, which must wait, and what state says so.
 *
 * Pure bookkeeping of one flow: no clock, no I/O, no thread of its own (the flow's writer thread calls it). It obeys COMMIT.md,
 * rules 3 to 5:
 *   - a slice that is finished publishes all its rows;
 *   - inside a slice rows publish up to a cursor checkpoint, if the stream is declared ascending and was seen so up to here;
 *   - other rows are held: durable with a resumable position where the pages have one, else deleted when the slice restarts.
 *
 *     assembly_add(assembly, slice, &decoded, position);                // takes over batches and rejects
 *     if (assembly_bytes(assembly) >= limit) {
 *         assembly_take(assembly, TAKE_ALL, &load);                     // then writer->commit(load)
 *         assembly_committed(assembly);                                 // frees what the load held
 *     } */
#ifndef SLUICE_SYNC_ASSEMBLY_H
#define SLUICE_SYNC_ASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/state.h"
#include "data/value.h"
#include "rest/boundary.h"
#include "rest/decode.h"
#include "writer/writer.h"

enum { ASSEMBLY_MAX_REJECTS = 1000 };

struct assembly_slice {
    const char *id;
    bool done;                             /* finished by an earlier run: only its `max_cursor` counts */
    bool at_page;                          /* goes on at a page: in which order the pages before it came is not known */
    bool unordered;                        /* an earlier run saw that its order is broken */
    const char *cursor;                    /* checkpoint that earlier runs published up to; NULL: none */
    const char *max_cursor;                /* newest cursor seen in it by earlier runs, canonical; NULL: none */
    const char *newest;                    /* keys of the records that have it, see rest/boundary.h; NULL: not known */
    const char *replace_from, *replace_to; /* finished, it replaces what is there (struct load_slice); NULL: nothing */
    /* Of a partition: */
    const char *const *members; /* of a batch: each has the state; live until the slice is free. NULL: not */
    size_t member_count;
    bool has_position;               /* the state has one of an earlier run */
    const char *floor, *cap;         /* as cursor_floor and cursor_cap of the options */
    const struct boundary *boundary; /* the keys stored with `floor`; NULL: not known */
};

/* A stream whose records are counted. Those that are loaded come first, by their index in the flow; a root that is read and not
 * loaded is the last, and its index is not below `loaded_count`. */
struct assembly_options {
    const char *stream;         /* the root: the state is its own */
    const char *const *streams; /* all that are counted */
    size_t stream_count, loaded_count;
    size_t root; /* index of the root among them */
    const struct assembly_slice *slices;
    size_t slice_count;
    bool ascending;       /* declared so: cursor checkpoints inside a slice */
    bool keep_cursor;     /* store the stream's cursor when the plan is done */
    bool keep_token;      /* store the source's own token: when the plan is done, */
    bool token_publishes; /* or with each page that has one */
    enum type cursor_type;
    const char *cursor_field;        /* stored with the cursor: whose values it has; NULL: not known */
    const char *cursor_floor;        /* the cursor stored so far; never goes below; NULL: none */
    const char *cursor_cap;          /* the sync's start: never stored past it; NULL: none */
    const char *cursor_end;          /* windows, event feeds: the plan's end, stored when all is done; NULL: the newest seen */
    bool keep_boundary;              /* store the keys of the records with the newest cursor; not for windows */
    const char *partition_mark;      /* read in parts: names the plan; slices come by assembly_open. NULL: not */
    bool keeps_unlisted;             /* partitions that this plan does not have keep their state */
    const char *parent_cursor;       /* stored when the plan is done; NULL: not */
    const char *read_at;             /* when the plan was made, stored when it is done; NULL: not */
    const struct boundary *boundary; /* the keys stored so far with `cursor_floor`; NULL: not known */
};

struct assembly;

struct assembly *assembly_new(const struct assembly_options *options); /* texts are copied */
void assembly_free(struct assembly *assembly);

/* A page of `slice` (its index in the plan) was decoded. Batches and rejects are taken over, texts copied. `position`: where a
 * later run could go on after this page; NULL: nowhere. The rows exploded from a record stay with it: they are in the same
 * load, and a checkpoint covers both or neither. */
void assembly_add(struct assembly *assembly, uint32_t slice, struct decoded *decoded, const char *position);
/* The page added last holds this token of the source, which covers all pages up to it; NULL: it has none. For plans of one
 * slice. */
void assembly_token(struct assembly *assembly, uint32_t slice, const char *token, bool has_records);
/* The newest token that a load has stored; NULL: none yet. */
const char *assembly_stored_token(const struct assembly *assembly, uint32_t slice);
/* Did records come behind the newest token? Then the next sync would not know where to begin. */
bool assembly_lacks_token(const struct assembly *assembly, uint32_t slice);
/* All pages of the slice were added. */
void assembly_finish(struct assembly *assembly, uint32_t slice);

size_t assembly_bytes(const struct assembly *assembly);          /* of batches waiting for a load */
bool assembly_has_work(const struct assembly *assembly);         /* is there anything a load would make durable? */
bool assembly_is_done(const struct assembly *assembly);          /* every slice was finished (and maybe not committed yet) */
bool assembly_order_was_broken(const struct assembly *assembly); /* declared ascending, and seen not to be */

enum assembly_take {
    TAKE_ALL,     /* all that waits; rows that cannot publish are held */
    TAKE_COVERED, /* what publishes, and what has a position; the rest stays, to be dropped at a stop or a failure */
};

/* Fills `load` with what waits; its pointers live until assembly_committed. False when there is nothing to commit.
 * `load->complete` is true when this finishes the flow. */
bool assembly_take(struct assembly *assembly, enum assembly_take take, struct load *load);
void assembly_committed(struct assembly *assembly);

/* A slice starts again from its checkpoint: what waits of it is dropped, and the next load says that its held rows go. One that
 * is unordered starts from its beginning, and all of it that is not visible goes. */
void assembly_restart(struct assembly *assembly, uint32_t slice);
const char *assembly_checkpoint(const struct assembly *assembly, uint32_t slice); /* that a load stored; NULL: none */
/* Its order was seen to be broken behind a checkpoint: rows of it are visible, and nobody knows which. */
bool assembly_is_unordered(const struct assembly *assembly, uint32_t slice);
/* The slice now ends in its middle, and `id` is the rest of it: what was not published of it goes, both halves are read anew.
 * Returns the rest's index. */
uint32_t assembly_split(struct assembly *assembly, uint32_t slice, const char *id);
/* Read in parts: another slice, which gets the index of one whose end is committed, if there is any. Each has a state of its
 * own (partition_state) when it is finished. */
uint32_t assembly_open(struct assembly *assembly, const struct assembly_slice *slice);
/* The slice's end is committed, and its index free for another. */
bool assembly_is_free(const struct assembly *assembly, uint32_t slice);
/* All slices were opened: until then the plan is not done. */
void assembly_opened_all(struct assembly *assembly);
/* The next load forgets all partitions that there are. */
void assembly_forget_partitions(struct assembly *assembly);

/* A slice of an older plan that this one replaces: adds to the next load that all it left unpublished goes, and its position.
 */
void assembly_give_up(struct assembly *assembly, const char *slice);
/* Adds an entry to the next load, such as the plan when it is new; `value` NULL: the entry goes. */
void assembly_note(struct assembly *assembly, const char *stream, const char *slice, const char *kind, const char *value);

/* What a slice's position entry says. */
struct slice_position {
    bool done;
    bool unordered;     /* published up to a checkpoint before its order was broken: only a page can be gone on from */
    const char *cursor; /* checkpoint: rows at or below it are published */
    const char *page;   /* resume text of the pager */
    const char *max;    /* newest cursor seen */
    const char *newest; /* keys of the records that have it; NULL: not known */
};
/* Reads an entry's value; texts in `arena`. An unreadable one is ERR_BUG naming it: state is ours. */
int slice_position_parse(const char *value, struct arena *arena, struct slice_position *position, struct err *err) MUST_USE;

/* What a partition's entry says. */
struct partition_state {
    const char *plan;   /* the mark of the plan that has read it */
    const char *cursor; /* NULL: none */
    const char *keys;   /* of the records that have it; NULL: not known */
};
int partition_state_parse(const char *value, struct arena *arena, struct partition_state *state, struct err *err) MUST_USE;

/* Reads the value of a "boundary" entry, NULL when there is none. False when it does not belong to `cursor`, or cannot be read.
 */
bool boundary_parse(const char *value, const char *cursor, struct boundary *boundary);

/* What became of rows of earlier loads since then: added to the totals. A number that goes down wraps around. */
void assembly_correct(struct assembly *assembly, size_t stream, const struct load_counts *counts);

/* Totals of what was taken into loads so far, and of rejects (values too), by stream as in the options. */
const struct load_counts *assembly_totals(const struct assembly *assembly, size_t stream);
uint64_t assembly_reject_total(const struct assembly *assembly, size_t stream);

#endif
