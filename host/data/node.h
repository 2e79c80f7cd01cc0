/* node: a read-only tree of configuration or description, from YAML or JSON, that still knows where each value stood.
 *
 * Scalars keep their text: a number or a boolean is decided by the option table that reads it (see option.h), so that a
 * version "1.10" stays "1.10" and 9007199254740993 stays exact. Maps keep their order. A tree lives in the arena it was
 * built in and may be read by many threads.
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

struct node {
    enum node_kind kind;   /* of a plain YAML scalar: what JSON would call it; a quoted one is NODE_STRING */
    bool plain;            /* an unquoted YAML scalar: an option table may read it as a string all the same */
    struct str key;        /* this node's name in its map; empty in lists and at the root */
    struct str text;       /* scalars: as written (strings: unescaped); NUL-terminated behind its size */
    const struct node *children; /* LIST, MAP: an array in source order */
    size_t count;
    const char *file; /* NULL for trees that came over the wire */
    unsigned line;    /* 1-based; 0 when unknown */
};

enum { NODE_MAX_DEPTH = 64, NODE_MAX_BYTES = 4 * 1024 * 1024, NODE_MAX_NODES = 400000 };

/* YAML 1.1 as libyaml reads it (so JSON too), one document. No aliases, merge keys or tags; a repeated key is an error.
 * `file` is the name for messages and must outlive the tree. Errors: ERR_CONFIG with file and line. */
int node_from_yaml(struct str text, const char *file, struct arena *arena, const struct node **out, struct err *err) MUST_USE;

/* Strict JSON (RFC 8259). Errors: ERR_DATA with the byte offset. */
int node_from_json(struct str text, struct arena *arena, const struct node **out, struct err *err) MUST_USE;

const struct node *node_get(const struct node *map, const char *key);    /* NULL when absent or not a map */
const struct node *node_path(const struct node *root, const char *path); /* "http.auth.kind" */
bool node_is(const struct node *node, enum node_kind kind);              /* false for NULL */
struct str node_text(const struct node *node);                           /* a scalar's text; empty for NULL and others */
const char *node_cstr(const struct node *node, const char *fallback);    /* a scalar's text, or `fallback` */
const char *node_kind_name(enum node_kind kind);                         /* "a map", "a string": for messages */

/* Appends the tree as JSON with the keys sorted and no spaces: identical trees give identical bytes. */
struct buf;
void node_to_json(const struct node *node, struct buf *out);

#endif
