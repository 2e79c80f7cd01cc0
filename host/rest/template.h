/* template: {{...}} in a description, compiled once, rendered per request.
 *
 *     "/accounts/{{config.account}}/orders"
 *     "updated:>{{cursor.from | format:\"%Y-%m-%d\"}}"
 *
 * A template is text with references between double braces; {{"{{"}} gives "{{". A reference is a name (or a text in quotes)
 * and filters:
 * names    config.NAME  cursor.from|until|value|token  slice.id|from|to|NAME  page.number|offset|token|size|key
 * stream.name|fields  parent.PATH record.PATH  batch.ids  auth.FACT  job.NAME  now
 * filters  format:"%Y-%m-%d"  minus:"5m"  plus:"5m"  default:"x"  upper  lower  urlencode  string  list  list_of:"id"
 *
 * Which names exist depends on the place: a `struct template_scope` says so, and a name that does not exist there is a mistake
 * found when the description is loaded, with the nearest name that does.
 *
 * What a reference gives is literal text: it is never read as a template again, so that no record and no answer of a source
 * can name a secret. A compiled template is read-only, lives in the arena it was compiled into, and may be used by many
 * threads. */
#ifndef SLUICE_REST_TEMPLATE_H
#define SLUICE_REST_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "data/node.h"
#include "data/option.h"
#include "rest/config.h"

/* The roots a name may begin with, as a set. */
enum template_root {
    TEMPLATE_CONFIG = 1,
    TEMPLATE_CURSOR = 2,
    TEMPLATE_SLICE = 4,
    TEMPLATE_PAGE = 8,
    TEMPLATE_PARENT = 16,
    TEMPLATE_RECORD = 32,
    TEMPLATE_NOW = 64,
    TEMPLATE_STREAM = 128,
    TEMPLATE_FIELDS = 256, /* stream.fields */
    TEMPLATE_AUTH = 512,
    TEMPLATE_JOB = 1024,
    TEMPLATE_BATCH = 2048,
};

/* What exists where a template stands. `uses_*` collect what the templates compiled with it refer to. */
struct template_scope {
    const struct config_table *config; /* the names behind config. */
    const struct node *captured;       /* a map with the names behind auth.; with TEMPLATE_AUTH */
    unsigned roots;                    /* set of enum template_root */
    const char *const *job_names;      /* what may stand behind job. */
    size_t job_name_count;
    const char *const *partitions; /* the names behind slice. that the stream itself declares */
    size_t partition_count;
    bool parents_are_many; /* parent. has only ids */
    bool refuse_secrets;   /* a secret may not stand here: it would be printed or stored */
    bool uses_cursor_from;
    bool uses_cursor_until;
    bool uses_cursor_token;
    bool uses_page_place; /* page.number, page.offset or page.token */
    bool uses_page_key;
    bool uses_page_size;
    bool uses_auth;
    bool uses_batch;
};

/* The values behind the names, for one request. Empty texts are values that are not there (page.token on the first page). */
struct template_values {
    const struct config *config;
    struct str cursor_from, cursor_until, cursor_value; /* canonical texts, see window.h */
    struct str cursor_token;                            /* the source's own; empty: none */
    const char *cursor_format;                          /* how an instant among them is written; NULL: as it stands */
    bool cursor_is_number;                              /* integers, and instants written as an epoch */
    struct str slice_id, slice_from, slice_to;          /* slice_from and slice_to are written like the cursor's */
    struct str page_number, page_offset, page_token, page_size, page_key;
    struct str stream_name, stream_fields; /* the fields joined by commas */
    struct str partition;                  /* names and values of the lists in hand, as those below */
    struct str batch_ids;                  /* joined by commas */
    struct str parent, record, job;        /* JSON texts with JSONSCAN_PADDING readable bytes behind them */
    int64_t now_us;                        /* when the sync began */
};

struct template;

/* Compiles `text`, which stands at `place` (for the line) and is called `path` in messages ("streams.orders.path"). The result
 * refers to copies in `arena`. NULL after adding to `problems`. */
const struct template *template_compile(struct str text, const struct node *place, const char *path,
                                        struct template_scope *scope, struct arena *arena, struct problems *problems);

/* Nothing but literal text: gives it. */
bool template_is_literal(const struct template *compiled, struct str *text);

/* Does it name {{stream.fields}}? */
bool template_asks_fields(const struct template *compiled);

enum template_escape {
    ESCAPE_NONE,    /* the caller encodes the whole */
    ESCAPE_SEGMENT, /* values (not the literal text between them) are percent-encoded as one segment of a URL's path */
};

/* What a template that is one reference alone stands for; others are always RENDERED_TEXT. */
enum rendered {
    RENDERED_TEXT,
    RENDERED_NUMBER,  /* JSON number text: page.size, a config value of type integer or number */
    RENDERED_BOOLEAN, /* true or false */
    RENDERED_LIST,    /* JSON text: what list and list_of give */
    RENDERED_NOTHING, /* the reference has no value: its parameter is left out */
};

/* Appends the text to `out`. *has_secret is set (never cleared) when a secret is in it. Returns an enum rendered, or a negative
 * class: CONFIG when a reference inside a longer text has no value, or a filter cannot take it. */
int template_render(const struct template *compiled, const struct template_values *values, enum template_escape escape,
                    struct buf *out, bool *has_secret, struct err *err) MUST_USE;

/* The same for a place that needs a text: a reference without a value is CONFIG too. Returns 0 and a terminated text. */
int template_text(const struct template *compiled, const struct template_values *values, struct arena *arena, const char **text,
                  bool *has_secret, struct err *err) MUST_USE;

/* Appends a canonical cursor text as the source spells it (cursor_format). CONFIG when it cannot be written so. */
int template_write_cursor(const struct template_values *values, struct str canonical, struct buf *out,
                          struct err *err) MUST_USE;

enum { TEMPLATE_MAX_BYTES = 1024 * 1024, TEMPLATE_MAX_PARTS = 200 };

#endif
