/* jsonscan: reads JSON where it lies, one token at a time: no tree, no allocation, exact numbers. The record path's reader.
 *
 * Strict by RFC 8259, with stated policies for what real sources send (each counted in `repaired` when text is decoded):
 *   - bytes that are not UTF-8, lone surrogates (\ud800) and NUL (a raw 0 byte or \u0000) become U+FFFD; another raw control
 *     character inside a string is refused, as the RFC does;
 *   - a repeated key: the last one wins (the caller's rule; the scanner shows both);
 *   - a byte order mark before the text is passed over.
 * Depth is capped at JSONSCAN_MAX_DEPTH. The text must be followed by JSONSCAN_PADDING (64) readable bytes; see data/block.h.
 *
 * A cursor: each call consumes one value or steps into or out of a container. Errors stick: after the first, every call fails
 * and `error` and `offset` say what and where.
 *
 *     struct jsonscan scan;
 *     jsonscan_init(&scan, text, size);
 *     if (jsonscan_enter_object(&scan))
 *         while (jsonscan_next_key(&scan, &key))           // key: raw bytes between the quotes
 *             if (jsonscan_value(&scan, &value)) ...       // scalars typed, containers skipped: value.raw is their text
 *     if (!jsonscan_finish(&scan)) ... scan.error ...      // nothing but white space may follow
 *
 * Pure: base only, so the worker uses the same reader. */
#ifndef SLUICE_BASE_JSONSCAN_H
#define SLUICE_BASE_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

enum { JSONSCAN_MAX_DEPTH = 512, JSONSCAN_PADDING = 64, JSONSCAN_MAX_PATHS = 32 };

#define JSONSCAN_TOO_DEEP "depth over 512" /* the error that is a cap, not a mistake of the text */

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

const char *json_kind_name(uint8_t kind); /* "a string", "an object"; any other number is "nothing": for messages */

enum json_flags {
    JSON_ESCAPED = 1, /* a string (or a string inside a container) holds a backslash: decode before use */
    JSON_DIRTY = 2, /* needs repair, also inside a container: not UTF-8, a lone surrogate, a NUL, or a number that PostgreSQL's
                       numeric cannot hold (over 131072 digits before the point, a leading 0 counted, or 16383 behind it) */
    JSON_FRACTION = 4, /* a number with '.', 'e' or 'E' */
};

struct json_value {
    uint8_t kind;   /* enum json_kind */
    uint8_t flags;  /* enum json_flags */
    struct str raw; /* strings: between the quotes; others: the text of the value as it stands */
};

struct jsonscan {
    const char *text;
    const char *at;
    const char *end;
    const char *error; /* NULL, or what is wrong: "unexpected end", "depth over 512", ... */
    size_t depth;      /* open containers entered by the caller */
    bool first;        /* no element of the innermost container was read yet */
};

void jsonscan_init(struct jsonscan *scan, const char *text, size_t size);

/* Steps into the container that comes next; false (and an error) when something else comes. */
bool jsonscan_enter_object(struct jsonscan *scan);
bool jsonscan_enter_array(struct jsonscan *scan);
/* Inside an object: the next key, raw; inside an array: is there another element? False at the container's end (it is then
 * left behind) and on error. A key is followed by exactly one of: value, enter. */
bool jsonscan_next_key(struct jsonscan *scan, struct json_value *key);
bool jsonscan_next_element(struct jsonscan *scan);
/* Reads the next value whole. Containers are checked and skipped; value.raw is their text. */
bool jsonscan_value(struct jsonscan *scan, struct json_value *value);
/* Consumes the next key when it is exactly `quoted`, which is the key's raw text with its quotes and the colon ("\"id\":"), of
 * at most 64 bytes; else consumes nothing. Saves looking at a key that is known to be the likely one. */
bool jsonscan_expect_key(struct jsonscan *scan, struct str quoted);
/* The enum json_kind of what comes next, by its first byte, without consuming it; -1 at the end or on garbage. */
int jsonscan_peek(struct jsonscan *scan);
/* True when nothing failed and only white space is left. */
bool jsonscan_finish(struct jsonscan *scan);
/* Is this text, as a whole, a number? Gives its json_flags. Needs no padding. */
bool jsonscan_is_number(struct str text, uint8_t *flags);
size_t jsonscan_offset(const struct jsonscan *scan); /* bytes before the cursor, or before the mistake */

/* The text of a string value: without escapes it is the raw view itself (not copied); else decoded into `arena`. Adds to
 * *repaired (may be NULL) one per replaced piece. NULL data with size 1 when the arena's cap is passed. */
struct str jsonscan_text(const struct json_value *value, struct arena *arena, uint64_t *repaired);

/* JSON text that PostgreSQL's jsonb takes: the raw view itself unless it is dirty, else a copy in `arena` with each bad piece
 * replaced by U+FFFD and numbers that numeric cannot hold as strings. Of a string it is the text with its quotes. Counted in
 * *repaired (may be NULL). NULL data with size 1 when the arena's cap is passed. */
struct str jsonscan_clean(const struct json_value *value, struct arena *arena, uint64_t *repaired);

/* Follows a dotted path ("meta.cursor", "items.0.id", "$" or "" for the root) from a text's root. False when it is not there or
 * the text is broken before it. Keys are compared decoded, and may hold dots themselves ("@odata.nextLink" is found as one
 * key); of a repeated key the last one counts. The rest of the text is not checked. */
bool jsonscan_find(const char *text, size_t size, const char *path, struct json_value *value);

/* One pass over a whole document for the fetching side: checks that it is complete and well formed on the outside (brackets
 * balanced, strings closed, nothing behind the end; values themselves are checked when decoded) and finds `count` dotted paths
 * on the way as jsonscan_find does, at most JSONSCAN_MAX_PATHS (kind is JSON_NULL with raw.data NULL for those absent). A
 * container that is found has not been looked into: its flags are all set, for safety. False with *error and *offset (neither
 * may be NULL) when the document is cut or broken. */
bool jsonscan_survey(const char *text, size_t size, const char *const *paths, struct json_value *found, size_t count,
                     const char **error, size_t *offset);

/* A copy in the arena that may be scanned. */
static inline struct str jsonscan_padded(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.size + JSONSCAN_PADDING);
    if (text.size) memcpy(copy, text.data, text.size);
    return (struct str){copy, text.size};
}

#endif
