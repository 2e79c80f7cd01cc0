/* native: what a plugin gives that is read by no requests: rows with types, or bytes of a stream's format, page by page.
 *
 * The functions table (functions.h) has the calls; the real one sends frames to a worker, tests fill it with C functions. */
#ifndef SLUICE_REST_NATIVE_H
#define SLUICE_REST_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "data/block.h"
#include "data/schema.h"

struct http_request;
struct http_response;
struct json_value;
struct json_writer;
struct stream_description;

/* A value as it travels, 16 bytes: kind (enum value_kind, the same numbers), 3 bytes nobody reads, size, and the number or the
 * place of its data in the page's texts. */
struct native_value {
    uint8_t kind;
    uint8_t reserved[3];
    uint32_t size;
    int64_t i; /* or the bits of a double */
};

_Static_assert(sizeof(struct native_value) == 16, "a value is 16 bytes");

/* What is to be read of one slice. Texts are NULL where there is nothing to say. */
struct native_slice {
    const char *stream;
    const char *state, *from, *to, *values;
    struct str tables; /* JSON: [["orders",[["id","integer"],..]],..]: where rows go, and their columns */
    int64_t now_us;
    bool incremental, continuous, sample;
    bool parses; /* a body, see native_input; nothing else is to be read */
};

/* What a plugin can be asked beside reading: to prove the configuration; to make what the source has to hold for the pipeline,
 * and to remove it. */
enum native_question { NATIVE_CHECK, NATIVE_SETUP, NATIVE_TEARDOWN };

/* How a plugin's own requests are sent, by whoever reads it; `send` NULL: they are not. `request->url` may be a path behind the
 * base. As client_send. */
struct native_http {
    int (*send)(void *context, struct http_request *request, struct arena *arena, struct http_response *response,
                struct err *err);
    void *context;
};

/* The body that a parser reads: its next bytes, NATIVE_MAX_PIECE at most and valid until the next call; empty behind the last.
 */
struct native_input {
    int (*read)(void *context, struct str *piece, struct err *err);
    void *context;
};

/* A page. The views are of the block, which is followed by readable bytes as base/jsonscan.h wants them; nothing in them was
 * looked at, but that they fit together: two bytes of `tables` for one of `operations`, whole values. */
struct native_page {
    struct block *block; /* the caller's reference */
    struct str operations, tables, values, texts;
    char *checkpoint; /* NULL: none */
    bool has_more;
    bool is_bytes; /* `texts` is a body of the stream's format */
};

enum { NATIVE_MAX_LINES = 64 * 1024 * 1024, NATIVE_MAX_PIECE = 256 * 1024 };

void native_page_release(struct native_page *page);

/* native_slice.tables: begin, one for each table, end. Rows have the columns that the schema has now. */
void native_tables_begin(struct json_writer *json);
void native_tables_add(struct json_writer *json, const char *name, const struct schema *schema);
void native_tables_end(struct json_writer *json);
void native_tables_of(const struct stream_description *stream, struct buf *out); /* its declared fields, not loaded anywhere */

/* The data of a value; false when it is none or lies outside of `texts`. */
bool native_text(const struct native_value *value, struct str texts, struct str *text);
/* Is its text JSON, for a column of this type? Of any other value it is a text without quotes and escapes. */
bool native_is_json_text(const struct native_value *value, enum type type);
/* The value as the JSON that a source would have sent for a column of this type; false for a text that should be JSON or a
 * number and is not. `text`: as native_text gives it. A string's `raw` has no quotes around it, unless native_is_json_text. */
bool native_json(const struct native_value *value, struct str text, enum type type, struct arena *arena,
                 struct json_value *json);
/* Appends it; what native_json refuses as a string. */
void native_append_json(const struct native_value *value, struct str texts, enum type type, struct arena *arena,
                        struct buf *out);
/* All rows of a page made for native_tables_of(stream) as JSON objects, one a line; what is missing is left out. */
int native_to_lines(const struct native_page *page, const struct stream_description *stream, struct arena *arena,
                    struct str *lines, struct err *err) MUST_USE;

#endif
