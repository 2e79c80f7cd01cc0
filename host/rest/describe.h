/* describe: the parts of compiling a description, shared between description.c (the connector and http) and
 * describe_stream.c, describe_pages.c, describe_cursor.c and describe_explode.c (streams). Nobody else includes this. */
#ifndef SLUICE_REST_DESCRIBE_H
#define SLUICE_REST_DESCRIBE_H

#include "rest/description.h"

struct describing {
    const struct config_table *config;
    struct arena *arena;
    struct problems *problems;
    const struct node *streams;  /* of the description, as nodes: a stream may name another */
    const struct node *captured; /* http.auth.capture; NULL: nothing is */
    const struct node *dynamic;  /* NULL: no stream is listed by the source */
};

/* The names that every request knows. */
static inline unsigned describe_roots(const struct describing *with)
{
    return TEMPLATE_CONFIG | TEMPLATE_NOW | (with->captured ? TEMPLATE_AUTH : 0);
}

/* Compiles what makes a request, from a map that passed `table` (a stream's or the check's). */
void describe_request(const struct describing *with, const struct option_table *table, const struct node *node,
                      const char *path, struct template_scope *scope, struct request_description *request);

/* A map of params or headers; NULL when the key is absent. `allows_lists`: a value may be a list. */
const struct operand *describe_pairs(const struct describing *with, const struct node *map, const char *key, const char *path,
                                     bool allows_lists, struct template_scope *scope);

/* The rules of a stream or of `http`: a list, or a function, which may be absent. `path`: "streams.orders.errors". */
void describe_errors(const struct describing *with, const struct node *node, const char *path, struct error_rules *rules);

void describe_stream(const struct describing *with, const struct node *node, struct stream_description *stream);

/* One stream on its way. */
struct stream_in_hand {
    const struct describing *with;
    const struct node *node;
    const char *path; /* "streams.orders": for messages */
    struct stream_description *stream;
};

/* Was nothing said? */
static inline bool node_is_default(const struct node *node)
{
    return !node || node->kind == NODE_NULL;
}

/* "streams.orders.KEY" */
const char *describe_below(const struct stream_in_hand *hand, const char *key);
/* Is `format` one, and `type` one that has formats? */
void describe_check_format(const struct stream_in_hand *hand, const struct node *node, const char *place, const char *format,
                           enum type type);
/* The stream's cursor; its fields are there. */
void describe_cursor(const struct stream_in_hand *hand);

/* The parts that streams of both kinds have. `given`: that many fields are in the stream already, by another way than its
 * records. */
void describe_fields(const struct stream_in_hand *hand, size_t given);
/* One field's type, a name or a map; `place` is where it is declared. */
void describe_field(const struct stream_in_hand *hand, const struct node *node, const char *place,
                    struct field_description *field);
/* Where the stream's other fields come from. */
void describe_fields_from(const struct stream_in_hand *hand);
void describe_primary_key(const struct stream_in_hand *hand);
enum write_hint describe_write_mode(const char *name); /* NULL: none */
bool describe_is_stream_name(struct str name);

/* How the stream's pages follow each other; and, with all templates compiled: does anything tell the source which page is
 * meant? `calls`: a function may. */
void describe_pages(const struct stream_in_hand *hand);
void describe_check_place(const struct stream_in_hand *hand, const struct template_scope *scope, bool calls);
/* How the bodies of answers are written; behind the records and the pages. */
void describe_format(const struct stream_in_hand *hand);

/* The job that makes its records: before the stream's own request, whose templates may then name what it captures. */
void describe_job(const struct stream_in_hand *hand, struct template_scope *scope);
/* Which syncs it has; with its cursor. */
void describe_sync_modes(const struct stream_in_hand *hand);
/* The lists and the parent it is read for: before its fields, which what is copied from a parent is in front of. Adds their
 * names to the scope. */
void describe_partitions(const struct stream_in_hand *hand, struct template_scope *scope);
/* What is copied from the parent becomes part of what `added` adds to each record. */
const struct operand *describe_copies(const struct stream_in_hand *hand, const struct operand *added,
                                      struct template_scope *scope);
/* Binds parents, once all streams are there. */
void describe_parents(const struct describing *with, const struct description *description, struct stream_description *streams);

/* Further streams, which the source lists; behind those that are declared. */
void describe_dynamic(const struct describing *with, const struct node *node, const struct node *streams,
                      struct description *description);

/* What its records are before they have types; behind the format. */
void describe_reshape(const struct stream_in_hand *hand, struct template_scope *scope);
/* Of an exploded stream: which elements are kept. */
void describe_element_filter(const struct stream_in_hand *hand);

/* The events of an event_feed cursor; the stream is compiled but for these. */
void describe_events(const struct stream_in_hand *hand, const struct template_scope *of_list);
/* Which records, or events, say that a record is gone: `deleted` of the map `node`; NULL: none. */
const struct deleted_rule *describe_deleted(const struct describing *with, const struct node *node, const char *path);

/* Is it one? Of connectors and parsers. */
bool describe_is_name(struct str name);
/* What a parser's description must hold beside its config, which was read. */
void describe_parser(const struct node *root, const struct config_table *table, struct problems *problems);

/* A stream that a plugin reads. */
bool describe_is_native(const struct node *node);
void describe_native(const struct stream_in_hand *hand);

/* What is asked for beside a page: its other fields, and more of its records; behind all else of the stream but what is
 * exploded.
 */
void describe_widen(const struct stream_in_hand *hand, const struct template_scope *scope);

/* The streams exploded from the records of `hand`'s stream, which is compiled but for these. */
void describe_exploded(const struct stream_in_hand *hand);

/* Does it name {{stream.fields}}? NULL does not. */
bool operand_asks_fields(const struct operand *operand);
/* Is a function anywhere in this? NULL has none. */
bool operand_calls(const struct operand *operand);
bool describe_calls(const struct request_description *request);
/* What goes into the body (`what`: "pages", "cursor") needs one that takes members. */
void describe_check_into_body(const struct stream_in_hand *hand, const char *what);

#endif
