/* format: how the body of an answer is written, and its way from there to JSON.
 *
 * Everything behind this point (paging fields, record paths, functions, the record path of decode.h) reads JSON. A format turns
 * bytes into it: records come out as the elements of one list, in documents of bounded size ("parts", see parts.h), so a body
 * of any size is read in flat memory. There is no tree, and no allocation per record.
 *
 *     format       the document it becomes
 *     json         itself; in parts, each has the shape of the whole, with some of its records
 *     ndjson       the list of its lines
 *     csv          the list of its rows, each an object of texts; an empty cell is null
 *     xml          one object that holds the root element; see xml.c
 *     plugin       the list of the records that a plugin makes of it; see parsed.h
 *
 * A format is a `struct format_type`: it is given the bytes not yet taken, takes what it can of them (whole records), and is
 * called again with what it left and more behind it. So none keeps half a record itself. */
#ifndef SLUICE_REST_FORMAT_FORMAT_H
#define SLUICE_REST_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "data/block.h"
#include "net/http.h"

enum format_kind { FORMAT_JSON, FORMAT_NDJSON, FORMAT_CSV, FORMAT_XML, FORMAT_PLUGIN };

struct node;

enum {
    FORMAT_PART_BYTES = 1024 * 1024,    /* a part is closed at the first record's end past this */
    FORMAT_MAX_RECORD_BYTES = 16 << 20, /* as JSON, and what stands around the records */
    FORMAT_MAX_COLUMNS = 10000,         /* of CSV */
};

/* What a description says about a body. Read-only. */
struct format {
    enum format_kind kind;
    bool stream;                       /* of any size: kept in a file until it is whole, then read in parts */
    enum http_compression compression; /* of the body itself, beside the transport's */
    const char *records_path;          /* of the stream: where JSON that comes in parts has its records */
    const char *count_header;          /* an answer's header that says how many records there are; NULL: none */
    /* CSV */
    char delimiter, quote;
    const char *const *columns; /* names, where there is no header row; NULL: the first row has them */
    size_t column_count;
    const char *null_text; /* a cell's text that is null, beside the empty one; NULL: none */
    bool strip_nul;        /* NUL bytes are left out; else they are repaired like everywhere */
    /* XML */
    const char *const *lists; /* elements that are lists even when there is one */
    size_t list_count;
    /* plugin */
    const char *plugin;        /* its name */
    const struct node *config; /* what it is configured with; NULL: nothing */
};

/* Does a body of this format reach the decoder in parts? Then its end must be proved before the first. */
bool format_comes_in_parts(const struct format *format);
/* Is a body nothing but records? Then no field beside them tells of a next page, and none of them tells that it was the last.
 */
bool format_is_rows(const struct format *format);
const char *format_media_type(const struct format *format); /* "text/csv": to be asked for */

/* The JSON that comes out. Text is appended; format_out_record says that it is a whole record so far. */
struct format_out {
    struct budget *budget;
    struct block *block;
    const char *open, *close; /* of a part's document: "[" and "]", or `{"data":[` and `]}` */
    size_t open_bytes;
    size_t record_end, previous_end; /* of the newest whole record, and of the one before it; 0: none in this part */
    uint64_t records;                /* of all parts */
    bool too_large;                  /* a record passed FORMAT_MAX_RECORD_BYTES: what came is not kept */
};

void format_out_init(struct format_out *out, struct budget *budget, const char *open, const char *close);
void format_out_release(struct format_out *out);
void format_out_text(struct format_out *out, struct str text);
void format_out_char(struct format_out *out, char c);
void format_out_string_part(struct format_out *out, struct str text); /* what stands inside of a string, escaped */
void format_out_begin(struct format_out *out);                        /* a record begins: the comma before it */
void format_out_record(struct format_out *out);                       /* ... and has ended */
void format_out_back(struct format_out *out);                         /* forgets the record that was begun */

struct format_type {
    void *(*open)(const struct format *format, struct format_out *out);
    /* Takes whole records from the front of `text` (64 readable bytes follow it); *taken says how many bytes. `is_end`: there
     * is nothing behind `text`; then all of it is taken. Messages name line and column; TRANSIENT for what is cut or broken. */
    int (*take)(void *state, struct str text, bool is_end, size_t *taken, struct err *err);
    void (*close)(void *state);
};

extern const struct format_type FORMAT_TYPE_JSON, FORMAT_TYPE_NDJSON, FORMAT_TYPE_CSV;

/* JSON in parts: the last part is the document itself, with the records that no other part had. Called after the end was
 * taken; turns the rest into it. */
void format_json_finish(void *state);

/* A whole XML document as JSON, in a block of its own. TRANSIENT when it is cut or broken, DATA for what is refused: document
 * types (and so entities), over 512 levels, over 1,000,000 elements and attributes, over FORMAT_MAX_RECORD_BYTES of JSON. */
int format_xml(const struct format *format, const struct block *body, struct budget *budget, struct block **out,
               struct err *err) MUST_USE;

#endif
