/* decode: a verified page becomes batches of typed rows. The native record path: no Lua, no tree, no allocation per record.
 *
 * One decoder per slice, used by that slice's decode thread. It finds the records, walks each once, puts values into the
 * columns of the stream's live schema (adding columns for undeclared fields), coerces declared types, checks the primary key,
 * and watches the cursor. What does not fit goes to the rejects.
 *
 *     struct decoder *decoder = decoder_new(&spec, slice, &bounds);
 *     rc = decoder_page(decoder, body, ndjson, &out, err);  // out: batches, rejects, counts of this page
 *     ... hand out.batches on; decoded_release(&out) frees the rest ...
 *
 * Ascending: while every record's cursor is at or above the one before it, `covered` says how many rows at the front of what
 * was decoded so far are below the newest cursor value: all records with those values have been seen, so a state of
 * `covered_cursor` loses nothing. Once a record steps back or has no cursor, `ascending` is false for the rest of the slice.
 *
 * Exploded streams come out of the same pass: the rows of a record's elements follow the record, in batches of their own. A
 * record that is not taken (rejected, outside the window, committed before) has no elements. */
#ifndef SLUICE_REST_DECODE_H
#define SLUICE_REST_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/batch.h"
#include "data/schema.h"
#include "data/value.h"

struct boundary;
struct deleted_rule;
struct native_page;
struct reshape;
struct secrets;

enum on_mismatch { MISMATCH_SET_NULL, MISMATCH_REJECT };

/* A record whose cursor is absent, null, not of its type, or a text of over DECODE_MAX_KEY_BYTES. */
enum cursor_missing { CURSOR_MISSING_INCLUDE, CURSOR_MISSING_REJECT, CURSOR_MISSING_FAIL };

enum {
    DECODE_MAX_KEY_BYTES = 2000,                /* text of a primary key, and of a cursor */
    DECODE_MAX_FIELDS = 16384,                  /* of one record; also names remembered per slice */
    DECODE_MAX_REJECT_BYTES = 64 * 1024,        /* kept of a rejected record */
    DECODE_MAX_REJECTS = 100,                   /* kept of a page; all are counted */
    DECODE_BATCH_BYTES = 1024 * 1024,           /* of values in one batch */
    DECODE_MAX_PAGE_BYTES = 1024 * 1024 * 1024, /* so that a repaired text's size, up to three times as much, fits a value */
    DECODE_MAX_PAGE_VALUES = 128 * 1024 * 1024, /* bytes of values a page may come to: rows times columns times 16 */
};

#define DECODE_NONE UINT32_MAX

/* What to do with a stream's records. Read-only and shared by the stream's decoders; all it points to outlives them. */
struct decode_spec {
    const char *stream;
    uint32_t stream_index;     /* in its flow, for struct batch; DECODE_NONE: records are read, and give no rows */
    struct schema *schema;     /* live; declared columns and key are in it already */
    const char *records_path;  /* "orders", "data.*.items", "$"; ignored for NDJSON from functions */
    const char *const *select; /* only these fields (and key and cursor) are kept; NULL: all */
    size_t select_count;
    const char *const *blocked; /* these never leave this function, not in rejects, not in the overflow */
    size_t blocked_count;
    bool drop_repeats;       /* records of the lap before, word for word (repeats.h) */
    bool texts_are_problems; /* a record that is a text says what was wrong with it: see rest/format/csv.c */
    bool infer;              /* undeclared fields become columns; false: they are dropped, uncounted */
    enum on_mismatch on_mismatch;
    const char *cursor_field;  /* top-level field or dotted path; NULL: none */
    enum type cursor_type;     /* TIMESTAMP, TIMESTAMP_NTZ, DATE, INTEGER, DECIMAL or STRING */
    const char *cursor_format; /* how the source spells it, base/time.h; NULL: as timestamp_format, else by type */
    enum cursor_missing cursor_missing;
    const char *timestamp_format; /* of columns without a format of their own: "epoch_ms"; NULL: ISO 8601 */
    struct budget *budget;
    const struct secrets *secrets;       /* replaced in what is kept of rejects; NULL: none */
    const struct explode_spec *exploded; /* streams that the elements of a list in each record are */
    size_t exploded_count;
    const char *const *given; /* columns that are not read from the records */
    size_t given_count;
    const char *version;                /* of these: when this version of a record was made; NULL: none */
    const struct deleted_rule *deleted; /* a record that fits is gone (ROW_DELETE); NULL: none is */
    const struct event_spec *event;     /* records are inside events; NULL: they are not */
};

/* Records that come as events about them. Read-only. */
struct event_spec {
    const char *record;                 /* path in the event */
    const char *time;                   /* likewise: the version */
    const struct deleted_rule *deleted; /* an event that fits says that its record is gone; NULL: none does */
};

/* A stream made of the elements of a list inside the records of another, which `decode.records_path` leads to from a record.
 * Elements are read like records; beside their own fields they get values of their record, and their place. All rows of one
 * record are a set (data/batch.h). Read-only. */
struct explode_spec {
    struct decode_spec decode;  /* without a cursor */
    const struct reshape *kept; /* its filters say which elements are rows; NULL: all */
    const struct explode_copy {
        const char *from; /* field of the record, or a dotted path */
        uint32_t column;
    } * copies;
    size_t copy_count;
    uint32_t position; /* column of the place among the record's elements, from 0; DECODE_NONE: none */
    bool tells_empty;  /* a record without elements gives a row that says so (ROW_EMPTY) */
    bool is_routed;    /* of a native stream: its rows come by themselves, and are no set */
};

/* A place in the cursor's order, as a value of cursor_type. Text values are owned by the decoder. */
struct decode_bounds {
    struct str drop_up_to; /* canonical text: records below it were committed by an earlier run; empty: none */
    enum {
        EQUAL_DROP,   /* those at it, too */
        EQUAL_KEEP,   /* those at it are taken again: they are merged */
        EQUAL_UNSEEN, /* those at it are taken that `seen` does not have; more than it can hold: DATA when one comes */
    } equal;
    const struct boundary *seen; /* the caller's */
    bool remember;               /* report the keys of the records with the newest cursor */
    bool newest_first;           /* declared so: reported are a record that is out of order, and one that was committed */
    struct str version;          /* of all records, canonical text; empty: events say it, or there is none */
    bool first_wins;             /* of the versions of a record that share one cursor value, the first that comes counts */
    struct str from, to;         /* the window; empty: open */
    /* Keep (from, to], [from, to), [from, to], or whatever is sent. */
    enum { BOUNDS_AS_SENT, BOUNDS_OPEN_CLOSED, BOUNDS_CLOSED_OPEN, BOUNDS_CLOSED } rule;
};

struct decoded_reject {
    const char *stream; /* of the spec */
    struct str field;   /* empty: the record */
    const char *reason; /* static text */
    const char *detail; /* in the arena */
    struct str record;  /* JSON without what is blocked or not selected, cut at DECODE_MAX_REJECT_BYTES; in the arena */
    bool row_was_dropped;
};

struct decode_counts {
    uint64_t emitted;                      /* records: all of them */
    uint64_t rejected;                     /* of these: not taken, and in the rejects */
    uint64_t discarded;                    /* of these: outside the slice's window */
    uint64_t deduplicated;                 /* of these: at or below drop_up_to, so committed before; repeats; not the first */
    uint64_t repaired, nulled, overflowed; /* values of the rows that were kept */
    uint64_t bytes;                        /* of source text */
};

/* What an exploded stream got from a page. */
struct decoded_exploded {
    uint32_t stream;     /* its index in the flow */
    size_t rows;         /* in its batches, without marks */
    size_t covered_rows; /* as that of struct decoded, marks included */
    struct decode_counts counts;
};

struct decoded {
    struct batch **batches; /* of all streams; in the arena; each NULL once handed on */
    size_t batch_count;
    size_t batch_capacity;
    size_t rows;    /* records taken: in the stream's batches, if it gives rows */
    size_t records; /* raw, before dropping: what a stop rule counts */
    struct decoded_reject *rejects;
    size_t reject_count; /* in the list; at most DECODE_MAX_REJECTS a page are kept, all are counted */
    struct decode_counts counts;
    bool ascending; /* so far in this slice */
    /* Rows of this page, from its front, that a checkpoint at `covered_cursor` covers (with all rows of earlier pages). Equal
     * cursors at the end of the page are not covered yet. When the page begins with the value the last page ended with and has
     * no other, this is 0 and covered_cursor is as before. */
    size_t covered_rows;
    struct str covered_cursor; /* canonical text; empty: nothing is covered yet */
    struct str max_cursor;     /* the newest value seen in the slice, canonical text; empty: none */
    const uint64_t *newest;    /* hashes of the keys of this page's records with that value; in the arena */
    size_t newest_count;
    bool newest_are_too_many;
    bool order_is_lost;                /* declared newest first, and seen not to be, in this slice */
    bool reached_known;                /* newest first so far in this slice, and down to a record below drop_up_to */
    struct decoded_exploded *exploded; /* in the order of the spec; in the arena */
    size_t exploded_count;
    struct arena arena; /* owns rejects and texts */
};

struct decoder;

struct decoder *decoder_new(const struct decode_spec *spec, uint32_t slice, const struct decode_bounds *bounds);
void decoder_free(struct decoder *decoder);
void decoder_lap(struct decoder *decoder, uint64_t lap); /* of the page that comes next, see repeats.h */

/* Decodes one page. `body` is held by the batches that point into it. With `ndjson.data` set (the result of a
 * connector's functions, which may be empty) the records are taken from there instead, its bytes are copied and `body` may be
 * NULL. After an error `out` is empty and the cursor as it was, so the page may be fetched again. Errors: TRANSIENT when the
 * body is not the JSON it should be (cut, HTML), DATA for a cap or a records path that leads to something that holds no
 * records, CONNECTOR for lines that are not JSON. */
int decoder_page(struct decoder *decoder, struct block *body, struct str ndjson, struct decoded *out, struct err *err);

/* Decodes a page of rows (native.h). Its tables are the stream, if it gives rows, and then those of spec->exploded, each with
 * the first columns of its schema. Errors: CONNECTOR for a page that breaks the plugin's contract. */
int decoder_rows(struct decoder *decoder, const struct native_page *page, struct decoded *out, struct err *err);

void decoded_release(struct decoded *decoded); /* frees batches that were not handed on, and the arena */

/* Cursor values as text: canonical forms are RFC 3339 UTC with microseconds as needed (TIMESTAMP_NTZ:
 * without the Z), YYYY-MM-DD, decimal numbers, or the string. Compares two canonical texts; -1, 0, 1. */
int cursor_compare(struct str a, struct str b, enum type type);

#endif
