/* node: a read-only tree of configuration or description, from YAML or JSON, that still knows where each value stood.
 *
 * Scalars keep their text: a number or a boolean is decided by the option table that reads it (see option.h), so that a
 * version "1.10" stays "1.10" and 9007199254740993 stays exact. Maps keep their order and have each key once. No text holds a
 * NUL, all of it is UTF-8. A tree lives in the arena it was built in and may be read by many threads.
 *
 *     const struct node *root;
 *     if ((rc = node_from_yaml(text, "sluice.yaml", arena, &root, err)) != 0) return rc;
 *     const struct node *url = node_get(root, "url");      // NULL when absent */
#ifndef SLUICE_DATA_NODE_H
#define SLUICE_DATA_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum node_kind { NODE_NULL, NODE_BOOLEAN, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_MAP };

/* The kind of a plain YAML scalar follows YAML's core schema: `null`, `~` or nothing at all is NODE_NULL; true and false (also
 * True, TRUE) are NODE_BOOLEAN; JSON number text is NODE_NUMBER; the rest is NODE_STRING, so yes, no, on, off, 010, 0x1f, .5
 * and dates are strings. A quoted or block scalar is always NODE_STRING. */
struct node {
    enum node_kind kind;
    bool plain;      /* an unquoted YAML scalar: an option table may read it as a string all the same */
    struct str key;  /* this node's name in its map, NUL-terminated behind its size; empty in lists and at the root */
    struct str text; /* scalars: as written (strings: unescaped), NUL-terminated behind its size */
    const struct node *children; /* LIST, MAP: an array in source order */
    size_t count;
    const char *file; /* NULL for trees that came over the wire */
    unsigned line;    /* 1-based, of the key in a map; 0 when unknown */
};

enum { NODE_MAX_DEPTH = 64, NODE_MAX_BYTES = 4 * 1024 * 1024, NODE_MAX_NODES = 400000 };

/* YAML 1.1 as libyaml reads it (so JSON too), one document; an empty one is NODE_NULL. Refused are aliases, anchors, merge
 * keys, tags, a second document, keys that are not scalars, a repeated key, and what passes a limit above. `file` is the name
 * for messages and must outlive the tree. Errors: ERR_CONFIG "FILE:LINE: ..." with a hint; ERR_NOMEM past the arena's cap. */
int node_from_yaml(struct str text, const char *file, struct arena *arena, const struct node **out, struct err *err) MUST_USE;

/* Strict JSON (RFC 8259) with the same limits; refuses repeated keys, NUL (also \u0000) and lone surrogates too. Errors:
 * ERR_DATA with the byte offset; ERR_NOMEM past the arena's cap. */
int node_from_json(struct str text, struct arena *arena, const struct node **out, struct err *err) MUST_USE;

const struct node *node_get(const struct node *map, const char *key);    /* NULL when absent or not a map */
const struct node *node_path(const struct node *root, const char *path); /* "http.auth.kind", "streams.0"; "" is the root */
bool node_is(const struct node *node, enum node_kind kind);              /* false for NULL */
bool node_is_scalar(const struct node *node);                            /* a boolean, number or string: has a text */
struct str node_text(const struct node *node);                           /* a scalar's text; empty for null and others */
const char *node_cstr(const struct node *node, const char *fallback);    /* a scalar's text; `fallback` for null and others */
const char *node_kind_name(enum node_kind kind);                         /* "a map", "a string", "nothing": for messages */

/* Appends the tree (not NULL) as JSON with the keys sorted by bytes and no spaces: identical trees give identical bytes. */
struct buf;
void node_to_json(const struct node *node, struct buf *out);

#endif
