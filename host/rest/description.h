/* description: what a connector is, as plain data, ready to run.
 *
 * A connector's worker sends JSON; a function in it is {"$function": "streams.orders.map"}, a choice by configuration
 * {"$select": "mode", "cases": {"a": .., "b": ..}}, anywhere but in `config`. description_check looks at everything, all cases
 * included, without a configuration; description_compile resolves the choices with one and gives structs that need no further
 * look-ups. Read-only afterwards, shared by all threads; everything lives in the arena.
 *
 *     description_check(root, &problems);                              // sluice connector describe, run
 *     config_resolve(&table, pipeline->config, ...);                   // config.h
 *     description_compile(root, config, &arena, &description, &problems); */
#ifndef SLUICE_REST_DESCRIPTION_H
#define SLUICE_REST_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/node.h"
#include "data/option.h"
#include "data/value.h"
#include "rest/config.h"
#include "rest/decode.h"
#include "rest/errors.h"
#include "rest/format/format.h"
#include "rest/limits.h"
#include "rest/operand.h"
#include "rest/pager.h"
#include "rest/reshape.h"
#include "rest/template.h"
#include "rest/window.h"

enum body_format { BODY_JSON, BODY_FORM, BODY_RAW };

/* One kind of request: a stream's, or the check's. */
struct request_description {
    const char *where;  /* "streams.orders": for messages */
    const char *method; /* "GET" */
    const struct operand *path;
    const struct operand *params;  /* a MAP or FUNCTION; NULL: none */
    const struct operand *headers; /* a MAP or FUNCTION; NULL: none */
    const struct operand *body;    /* NULL: none */
    enum body_format body_format;
    bool idempotent;
    const char *idempotency_header; /* carries a key of each request; NULL: none */
    int64_t weight;                 /* what it counts as in limits; 0: what they say */
};

enum cursor_bounds { CURSOR_OPEN_CLOSED, CURSOR_CLOSED_OPEN };

enum cursor_kind {
    CURSOR_FILTER,
    CURSOR_WINDOWED,
    CURSOR_CLIENT_SIDE,
    CURSOR_TOKEN,
    CURSOR_EVENT_FEED,
    CURSOR_REFETCH,
    CURSOR_KIND_COUNT
};
enum cursor_order {
    CURSOR_ANY_ORDER,
    CURSOR_ASCENDING,
    CURSOR_DESCENDING,
    CURSOR_NEWEST_FIRST, /* of windows; in each, records come in any order */
};

struct stream_description;

/* The events about a stream's records. */
struct feed_description {
    const struct stream_description *stream; /* the same stream as its events are asked for: request, records_path, pages */
    struct event_spec event;
    bool newest_first;
};

struct cursor_description {
    enum cursor_kind kind;
    const char *field;            /* NULL: a token goes without */
    const char *param;            /* carries `from`; NULL: a template or function places it, or nothing does */
    const char *until_param;      /* carries `to`; NULL: none */
    bool into_body;               /* both go into the body instead of the query */
    bool until_is_last;           /* refetch: `until` is the last day of a partition, not the first behind it */
    struct window_cursor window;  /* type, format, step, lookback, edges */
    const struct template *start; /* where a first sync begins; NULL: at the beginning */
    const char *const *replaces;  /* earlier fields, whose stored values hold for this one, too */
    size_t replaces_count;
    enum cursor_order order; /* as declared; nothing relies on it that is not seen to be so */
    const char *token_path;  /* token: where an answer has it */
    const char *token_param; /* carries it; NULL: a template or function places it, or it is a URL */
    bool token_is_url;
    int64_t retention_us; /* 0: for ever */
    int64_t min_step_us;  /* windows are not split further */
    bool stop_early;      /* client_side: descending, so that nothing new follows what is known */
    bool has_bounds;
    enum cursor_bounds bounds;
    enum cursor_missing missing;
    const struct feed_description *events; /* event_feed; else NULL */
};

/* A value of a job that later requests may name. */
struct job_capture {
    const char *name, *path;
};

/* The job that makes a stream's records, one for each slice; see job.h. */
struct job_description {
    struct request_description create, poll, abort, remove;
    bool aborts, removes;               /* they are there */
    const struct job_capture *captures; /* the first is its id */
    size_t capture_count;
    const char *state_path;
    const char *error_path; /* NULL: none */
    const char *const *done, *const *failed;
    size_t done_count, failed_count;
    int64_t every_ms, up_to_ms, timeout_ms;
    int64_t retries, slots;
};

struct field_description {
    const char *name;
    enum type type;
    const char *format; /* NULL: by type */
    const char *zone;   /* of timestamps without one: "+02:00"; NULL: UTC */
    bool is_listed;     /* by the stream's metadata, see fields_from */
};

/* How a type that the source names is ours. */
struct type_description {
    struct str name;                /* the source's */
    struct field_description field; /* without a name */
};

/* Fields that the source itself lists, by a request of their own. */
struct fields_from {
    const struct stream_description *stream; /* what is requested: pages, records and errors; nothing of it is loaded */
    const char *name, *type;                 /* paths in a record; type NULL: all are `other` */
    const struct type_description *types;
    size_t type_count;
    struct field_description other; /* of types not among them */
    const struct str *skip;         /* the source's types that are left out */
    size_t skip_count;
    int64_t cache_ms; /* how long an answer serves; 0: it does not */
    struct str text;  /* the declaration: an answer to another one does not serve */
};

/* More fields than one request takes are asked for by several; see chunks.h. */
struct chunks_description {
    int64_t max_fields, max_chars; /* 0: not declared */
    const char *const *key;        /* paths in a record as it comes */
    size_t key_count;
    const struct str *shared; /* fields that every request asks for: the key, the cursor */
    size_t shared_count;
};

/* A request that tells more of a page's records. */
struct enrich_description {
    const struct stream_description
        *stream;     /* what is requested: pages, records and errors; `kept` says which records it is for */
    const char *by;  /* path in a record of what is asked with */
    const char *key; /* path in an answer's record of the same; NULL: its records are all of one */
    const char *value, *into;
    size_t batch;
    bool many;
};

/* A field of a record that goes along into the rows exploded from it. */
struct copy_description {
    const char *name; /* of the column */
    const char *from; /* a declared field of the root */
};

/* One list that a stream is read for. */
struct partition_description {
    const char *name;
    const struct operand *values; /* a LIST, a text between commas, or a FUNCTION */
};

/* The stream that another one is read for. */
struct parent_description {
    const struct stream_description *stream; /* NULL: none */
    const char *const *key;                  /* paths in its records; tells them apart */
    size_t key_count;
    size_t batch; /* so many in one request */
    bool changed; /* incremental: only those that changed */
};

enum write_hint { HINT_NONE, HINT_APPEND, HINT_OVERWRITE, HINT_APPEND_DEDUP };

struct stream_description {
    const char *name;
    struct request_description request;
    const char *records_path;      /* "$" by default */
    const char *records_function;  /* NULL: none */
    const char *map_function;      /* NULL: none */
    struct format format;          /* of the answers' bodies */
    const struct reshape *reshape; /* NULL: records stay as they are */
    const char *const *primary_key;
    size_t primary_key_count;
    struct error_rules errors; /* before those of the description */
    struct pages pages;
    const struct job_description *job; /* NULL: records are there at once */
    bool has_cursor;
    struct cursor_description cursor;
    const struct field_description *fields;
    size_t field_count;
    const struct fields_from *fields_from; /* NULL: none */
    struct str asked; /* names that requests may ask for, joined by commas: those wanted of the listed, or of the declared */
    const struct chunks_description *chunks; /* NULL: one request asks for all of them */
    const struct enrich_description *enrich;
    size_t enrich_count;
    bool infer;                         /* undeclared fields become columns */
    const struct deleted_rule *deleted; /* which records say that they are gone; NULL: none */
    bool full_refresh, incremental;     /* the sync modes it has */
    enum write_hint write_mode;
    /* Streams exploded from this one's records; they belong to its flow. */
    const struct stream_description *exploded;
    size_t exploded_count;
    /* Of an exploded stream, whose `request`, `pages` and `cursor` are empty, and whose `records_path` leads from a record of
     * the root to its elements. What is copied, and the position, are among `fields`, in front. */
    const struct stream_description *root; /* NULL: it is one itself */
    const struct copy_description *copies;
    size_t copy_count;
    const struct reshape *kept; /* its filters say which elements are rows; NULL: all */
    /* What it is read for, each value or parent a slice of its own; at most one of the two. */
    const struct partition_description *partitions;
    size_t partition_count;
    struct parent_description parent;
    bool internal;        /* read for its children and what is exploded from it */
    bool native;          /* read by a plugin: no request, `pages` empty; what `routes` names is among `exploded` */
    bool is_route;        /* one of these */
    const char *position; /* column of an element's place, from 0; NULL: none */
};

struct description {
    const char *name, *version, *title;
    const char *profile; /* of a native plugin: "parse", "network", "files"; NULL: it is none */
    struct config_table config_table;
    const struct template *base;
    bool has_http;                       /* its own; else the base leads nowhere, and no request is sent */
    bool base_is_captured;               /* it names {{auth.}}: known after the login; http.hosts says where it may lie */
    bool has_captures;                   /* a login tells what requests need */
    const struct template *const *hosts; /* beyond the base's */
    size_t host_count;
    const struct operand *params;             /* of every request; NULL: none */
    const struct operand *headers;            /* of every request; NULL: none */
    const struct node *auth;                  /* checked; see access.h; NULL: none */
    struct limits limits;                     /* checked against the streams */
    const struct node *timeouts;              /* checked; NULL: the defaults */
    const struct node *retry;                 /* checked; NULL: the defaults */
    struct error_rules errors;                /* of every request */
    const char *user_agent;                   /* NULL: the host's */
    const struct request_description *check;  /* NULL: the first stream's first page serves */
    const struct stream_description *streams; /* the roots, in the description's order */
    size_t stream_count;
    const struct dynamic_description *dynamic; /* further ones, which the source lists; NULL: none */
    bool has_functions;                        /* or native streams, or parsers: a worker is needed */
};

enum {
    DESCRIPTION_MAX_STREAMS = 1000,
    DESCRIPTION_MAX_EXPLODED = 100, /* of one root */
    DESCRIPTION_MAX_FIELDS = 1000,
    DESCRIPTION_MAX_CASES = 200,
};

/* What a connector's worker gave as its description, as nodes. ERR_CONNECTOR when it is no JSON. */
int description_read(struct str json, struct arena *arena, const struct node **root, struct err *err) MUST_USE;

/* Checks all of it. Every mistake is added to `problems`, with its place ("streams.orders.pages.size"). */
void description_check(const struct node *root, struct problems *problems);

/* Compiles for one configuration. *out is set only when nothing was added to `problems`. `root` and `config` must outlive it.
 */
void description_compile(const struct node *root, const struct config *config, struct arena *arena,
                         const struct description **out, struct problems *problems);

/* Is it a parser's, which has no streams? It passes description_check; description_compile refuses it. */
bool description_is_parser(const struct node *root);
/* The formats of a compiled description that a plugin parses, with the place of each for messages. */
struct parser_use {
    const struct format *format;
    const char *place; /* "streams.orders.format" */
};
size_t description_parsers(const struct description *description, struct arena *arena, const struct parser_use **uses);
/* Those of a description that was checked only, all cases of its choices included: their names, each once. */
size_t description_parser_names(const struct node *root, struct arena *arena, const char *const **names);

/* The stream whose first page serves where there is no check: the first without a job. */
const struct stream_description *description_checked(const struct description *description);
/* Is the stream read for each of several values or parents? */
static inline bool stream_is_partitioned(const struct stream_description *stream)
{
    return stream->partition_count > 0 || stream->parent.stream;
}

/* A root or an exploded stream; NULL: none. */
const struct stream_description *description_stream(const struct description *description, const char *name);
const struct field_description *stream_field(const struct stream_description *stream, const char *name); /* NULL: none */

#endif
