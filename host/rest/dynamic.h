/* dynamic: streams that the source lists: a declaration in which {{record.PATH}} stands for what a record of the list says.
 *
 *     dynamic = { from = "objects", stream = { path = "/query", params = { q = "SELECT .. FROM {{record.name}}" } } }
 *
 * The declaration is filled in before it is compiled, so a filled-in stream is like a declared one. What a record says never
 * becomes a template: where templates may stand it goes in as a quoted text, which a path encodes like any value; elsewhere a
 * text with {{ in it is refused. */
#ifndef SLUICE_REST_DYNAMIC_H
#define SLUICE_REST_DYNAMIC_H

#include "base/arena.h"
#include "base/err.h"
#include "data/node.h"
#include "data/problems.h"
#include "rest/reader.h"

struct stream_description;

struct dynamic_description {
    const struct stream_description *from;
    const char *name;          /* path of a stream's name in a record */
    const struct node *stream; /* NULL: the function gives it */
    const char *function;      /* NULL: none */
    const char *declared;      /* a native list's records have the streams themselves, at this path; NULL: they do not */
    int64_t cache_ms;
    struct str text; /* all of it, and of the list's stream, as JSON: another declaration is another list */
};

/* What the source lists. */
struct dynamic_record {
    struct str name;
    struct str json; /* padded */
};

struct dynamic_list {
    struct dynamic_record *records; /* sorted by name, each once */
    size_t count;
    size_t unusable; /* without a name, or with one that no stream can have */
    bool is_refused; /* with an error: a rule says that the list cannot be had (skip_stream) */
};

enum { DYNAMIC_MAX_RECORDS = 10000 };

/* Reads all pages of the list. Errors: as reader_next; DATA for more than DYNAMIC_MAX_RECORDS. */
int dynamic_read(const struct reader_options *options, const struct dynamic_description *dynamic, struct arena *arena,
                 struct dynamic_list *out, struct err *err) MUST_USE;
/* Takes a record; for lists that were kept. Then dynamic_sort. */
void dynamic_add(struct dynamic_list *list, const struct dynamic_description *dynamic, struct str json, struct arena *arena);
void dynamic_sort(struct dynamic_list *list);

/* The stream that a record of a native list declares at `path`. DATA when there is none. */
int dynamic_declared(const char *path, struct str name, const struct node *record, struct arena *arena, const struct node **out,
                     struct err *err) MUST_USE;

/* The stream of a record, as a node named `name`. `record` NULL: with a made-up text for each of its values, to check the
 * declaration by. DATA when the record lacks a value that is used, or has one that cannot stand where it is used. */
int dynamic_fill(const struct node *stream, struct str name, const struct node *record, struct arena *arena,
                 const struct node **out, struct err *err) MUST_USE;

#endif
