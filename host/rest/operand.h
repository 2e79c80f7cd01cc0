/* operand: what may stand where a value stands in a description: text with templates, a number, a list, a map, or a function.
 *
 * The same tree holds what a function returned, with its strings literal and its secrets by name. It is rendered as query or
 * header pairs, as a JSON body or as one text; secrets are put in only here, and the caller learns that there were any.
 *
 * Keys: a description and a function's result spell the host's own forms with one '$' ($function, $parts, $secret), and a key
 * of their own that begins with '$' with two; "$$filter" is the key "$filter". */
#ifndef SLUICE_REST_OPERAND_H
#define SLUICE_REST_OPERAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/node.h"
#include "rest/functions.h"
#include "rest/template.h"

enum operand_kind {
    OPERAND_TEMPLATE,
    OPERAND_TEXT,   /* a literal string */
    OPERAND_RAW,    /* a literal number, true, false or null: its JSON text */
    OPERAND_SECRET, /* `text` names a config entry */
    OPERAND_PARTS,  /* children (TEXT, SECRET) joined to one string */
    OPERAND_LIST,
    OPERAND_MAP,
    OPERAND_FUNCTION, /* `text` is its place: "streams.orders.params" */
};

struct operand {
    enum operand_kind kind;
    struct str key; /* in a map */
    struct str text;
    const struct template *compiled; /* TEMPLATE */
    const struct operand *children;
    size_t count;
};

/* What a rendering needs. `functions` and `context_json` are asked for OPERAND_FUNCTION only. */
struct operand_source {
    const struct template_values *values;
    const struct functions *functions; /* NULL: the description has none */
    struct str context_json;
    struct arena *arena;
};

/* Compiles a node of a description, called `path` in messages. Mistakes go to `problems`; the result is never NULL. */
const struct operand *operand_compile(const struct node *node, const char *path, struct template_scope *scope,
                                      struct arena *arena, struct problems *problems);

/* Calls the function if `operand` is one, and gives its result as an operand of literals; any other operand is given back. */
int operand_resolve(const struct operand *operand, const struct operand_source *source, const struct operand **out,
                    struct err *err) MUST_USE;

/* One name and value, for queries, forms and headers. */
struct operand_pair {
    struct str name;
    struct str value;
    bool has_secret;
    bool is_number; /* in a JSON body it stands without quotes */
};

struct operand_pairs {
    struct operand_pair *list; /* in the source's arena */
    size_t count;
    size_t capacity;
};

enum { OPERAND_MAX_PAIRS = 1000 };

/* Renders a map as pairs and adds them: a list gives one pair per element, null and references without a value give none. Pairs
 * that were there under the same name are replaced. `what` names it in messages ("params"). */
int operand_add_pairs(const struct operand *map, const char *what, const struct operand_source *source,
                      struct operand_pairs *pairs, struct err *err) MUST_USE;
/* Sets one pair, replacing those of its name. */
void operand_set_pair(struct operand_pairs *pairs, struct arena *arena, struct operand_pair pair);

/* Renders as JSON. Members whose value is a reference without a value are left out. */
int operand_to_json(const struct operand *operand, const struct operand_source *source, struct buf *out, bool *has_secret,
                    struct err *err) MUST_USE;

/* Renders a scalar as text; *is_set tells a reference without a value or null. With ESCAPE_SEGMENT templates encode their
 * values; the result of a function is taken as it is. */
int operand_to_text(const struct operand *operand, const struct operand_source *source, enum template_escape escape,
                    struct buf *out, bool *is_set, bool *has_secret, struct err *err) MUST_USE;

#endif
