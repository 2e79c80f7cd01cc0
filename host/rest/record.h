/* record: one JSON object becomes one row. What decode does for each record; decode.c does the rest for the page.
 *
 * The reader owns what is learnt about a slice's records: the fields and their usual order, the cursor. It writes values
 * straight into the batch's newest row; when the schema has outgrown a batch that is too big to widen, it asks for another one
 * (RECORD_GROWN) and the record is read again. */
#ifndef SLUICE_REST_RECORD_H
#define SLUICE_REST_RECORD_H

#include "rest/cursor_track.h"
#include "rest/decode.h"
#include "rest/fields.h"
#include "rest/hash_set.h"

enum record_result {
    RECORD_TAKEN,   /* the newest row holds it */
    RECORD_DROPPED, /* counted, and rejected if that is why; the newest row is to be taken back */
    RECORD_GROWN,   /* the batch has too few columns: give a wider one and the record once more */
    RECORD_BROKEN,  /* scan->error says why */
    RECORD_REFUSED, /* the sync must end: *err says why */
};

struct note; /* a value that found no place */

/* A value of the record that an exploded stream needs: that of a field, or of the field which a path begins with. */
struct record_watch {
    const char *path;
    uint64_t seen_in; /* number of the last record that had it */
    const char *rest; /* of the path, inside the value */
    struct json_value value;
};

struct record_reader {
    const struct decode_spec *spec;
    struct fields fields;
    struct cursor_track track;
    struct coerce_rule cursor_rule;
    uint32_t *keys; /* indexes of the primary key's columns */
    size_t key_count;
    struct note *notes; /* of the record in hand */
    size_t note_count;
    size_t note_capacity;
    uint64_t number;              /* of the record in hand */
    struct arena scratch;         /* cleared by page */
    struct record_watch *watches; /* per exploded stream: its elements, then what it copies */
    size_t watch_count;
    struct decode_counts *counts; /* of the page in hand */
    uint32_t version_column;      /* DECODE_NONE: none is given */
    struct value version;         /* of the record that comes next; VALUE_NULL: not known */
    bool first_wins;
    struct value shared_cursor; /* first_wins: the newest record's, */
    struct hash_set sharing;    /* and what names the records that had it, one after the other */
    bool is_deleted;            /* the record read last says that it is gone */
};

void record_reader_init(struct record_reader *reader, const struct decode_spec *spec, const struct decode_bounds *bounds);
void record_reader_release(struct record_reader *reader);

/* The next record begins. */
void record_begin(struct record_reader *reader);
/* A given column's value is in the newest row, but was not of its type: as if the record held it. */
void record_misfit(struct record_reader *reader, struct field *field, const struct json_value *json);
/* Reads the object that comes next into the newest row of `batch`, which was just added and may hold what is given. Rejects go
 * to `out`, counts to reader->counts (except `emitted`). */
enum record_result record_read(struct record_reader *reader, struct jsonscan *scan, struct batch *batch, struct decoded *out,
                               struct err *err);

/* For rows that are no JSON objects (row.h): */

/* Counts a record that is not taken, and puts it into the rejects. Returns RECORD_DROPPED. */
enum record_result record_reject(struct record_reader *reader, struct decoded *out, const struct json_value *record,
                                 struct str field, const char *reason, const char *detail);
/* Why the row's key is none: the reason, and of which field; NULL: it is one. */
const char *record_key_problem(const struct record_reader *reader, const struct value *row, const char **field,
                               const char **detail);
uint64_t record_hash_key(const struct record_reader *reader, const struct value *row);
uint64_t record_hash_value(uint64_t hash, const struct value *value); /* one more into a hash that begins with 0 */
/* What the cursor (VALUE_NULL: none) says of the record; `hash` gives what names it. *missing is set when the record is to be
 * rejected for having none. */
enum record_result record_follow(struct record_reader *reader, struct value *cursor, uint64_t (*hash)(void *context),
                                 void *context, struct decoded *out, const char **missing, struct err *err);

#endif
