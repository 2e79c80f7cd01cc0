/* cursor_track: what a slice's cursor values say: which records are kept, and how far a checkpoint may go.
 *
 *     while every record's cursor is at or above the one before it (ascending), all records below the newest value have been
 *     seen; so when the value rises, the one before it becomes `covered`, together with the rows in front of it.
 *
 * Where the newest come first, all that is new was seen as soon as a record comes that was committed before.
 *
 * One per slice. Per page: cursor_track_page, then for each record cursor_track_record, then cursor_track_page_end. Values of a
 * page may point into it until then. */
#ifndef SLUICE_REST_CURSOR_TRACK_H
#define SLUICE_REST_CURSOR_TRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "data/value.h"
#include "rest/boundary.h"
#include "rest/decode.h"

enum cursor_verdict {
    CURSOR_KEEP,
    CURSOR_COMMITTED, /* below drop_up_to, or at it and known */
    CURSOR_UNKNOWN,   /* at drop_up_to, and too many were to remember which were committed */
    CURSOR_OUTSIDE,   /* not in the slice's window */
};

/* A remembered value; `text` holds its bytes when they must outlive the page. */
struct cursor_mark {
    bool set;
    struct value value;
    struct buf text;
};

struct cursor_track {
    enum type type;
    int rule;  /* of struct decode_bounds */
    int equal; /* of struct decode_bounds */
    const struct boundary *seen;
    struct cursor_mark drop_up_to, from, to;
    struct cursor_mark last;    /* newest value seen, dropped records included: what must not be gone below */
    struct cursor_mark max;     /* newest value of a record that counts */
    struct cursor_mark covered; /* the value below it */
    size_t covered_rows;        /* of this page */
    bool ascending;
    bool remembers;         /* keys of the records at max */
    struct boundary newest; /* of these, those of this page */
    /* Newest first: */
    bool watches_descent, order_is_lost, reached_known;
    struct cursor_mark lowest; /* what must not be risen above */
};

/* Canonical text -> value; texts point into `text`. False when it is no value of the type. */
bool cursor_parse(struct str text, enum type type, struct value *value);

void cursor_track_init(struct cursor_track *track, enum type type, const struct decode_bounds *bounds);
void cursor_track_release(struct cursor_track *track);

void cursor_track_page(struct cursor_track *track);
/* A record without a cursor value is kept: no checkpoint can say whether it was seen, so there are none from here on. */
void cursor_track_missing(struct cursor_track *track);
/* Takes the cursor of the next record, before which the page gave `rows` rows. `key`: gives a hash of what names the record;
 * asked for only where keys are compared or remembered. */
enum cursor_verdict cursor_track_record(struct cursor_track *track, const struct value *cursor, size_t rows,
                                        uint64_t (*key)(void *context), void *context);
void cursor_track_page_end(struct cursor_track *track);

/* The canonical text of a mark in `arena`; empty when it is not set. */
struct str cursor_mark_text(const struct cursor_mark *mark, enum type type, struct arena *arena);

#endif
