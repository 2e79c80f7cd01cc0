/* vocabulary: every key a description may hold, as option tables.
 *
 * One set of tables validates descriptions, gives the nearest known key for a typo, and is written out as the reference
 * (sdk/description.md) and as annotations for editors (sdk/lua/description.lua). What the tables cannot say (which keys go
 * together) is in description.c.
 *
 * Maps whose keys depend on `kind` (auth, pages, rate_limit, cursor) have a list of kinds. The vocabulary knows kinds that this
 * version cannot run: naming one is an error that says so, never silence. */
#ifndef SLUICE_REST_VOCABULARY_H
#define SLUICE_REST_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "data/option.h"

struct vocabulary_kind {
    const char *name;
    const struct option_table *table;
    const char *help;
};

struct vocabulary_kinds {
    const char *what;     /* "auth" */
    const char *fallback; /* the kind when none is named; NULL: it must be named */
    const struct vocabulary_kind *kinds;
    size_t count;
};

extern const struct option_table VOCABULARY_CONNECTOR;
extern const struct option_table VOCABULARY_PARSER;
extern const struct option_table VOCABULARY_CONFIG_ENTRY;
extern const struct option_table VOCABULARY_HTTP;
extern const struct option_table VOCABULARY_TIMEOUTS;
extern const struct option_table VOCABULARY_RETRY;
extern const struct option_table VOCABULARY_ERROR_RULE;
extern const struct option_table VOCABULARY_ERROR_FINDING;
extern const struct option_table VOCABULARY_CHECK;
extern const struct option_table VOCABULARY_DYNAMIC;
extern const struct option_table VOCABULARY_STREAM;
extern const struct option_table VOCABULARY_EXPLODED;
extern const struct option_table VOCABULARY_ROUTE;
extern const struct option_table VOCABULARY_DELETED;
extern const struct option_table VOCABULARY_EVENTS;
extern const struct option_table VOCABULARY_JOB;
extern const struct option_table VOCABULARY_JOB_CREATE;
extern const struct option_table VOCABULARY_JOB_POLL;
extern const struct option_table VOCABULARY_JOB_ABORT;
extern const struct option_table VOCABULARY_JOB_DELETE;
extern const struct option_table VOCABULARY_PARTITION;
extern const struct option_table VOCABULARY_PARENT;
extern const struct option_table VOCABULARY_FIELD;
extern const struct option_table VOCABULARY_FIELDS_FROM;
extern const struct option_table VOCABULARY_CHUNKS;
extern const struct option_table VOCABULARY_ENRICH;
extern const struct option_table VOCABULARY_SIGN;
extern const struct option_table VOCABULARY_ASSERTION;
extern const struct option_table VOCABULARY_EXCHANGE;
extern const struct option_table VOCABULARY_LIMIT_MATCH;
extern const struct option_table VOCABULARY_LIMIT_LEARN;
extern const struct option_table VOCABULARY_FILTER;
extern const struct option_table VOCABULARY_ZIP;
extern const struct option_table VOCABULARY_PAIRS;
extern const struct option_table VOCABULARY_FLATTEN;
extern const struct vocabulary_kinds VOCABULARY_AUTH;
extern const struct vocabulary_kinds VOCABULARY_PAGES;
extern const struct vocabulary_kinds VOCABULARY_RATE_LIMIT;
extern const struct vocabulary_kinds VOCABULARY_CURSOR;
extern const struct vocabulary_kinds VOCABULARY_FORMAT;

/* Checks a map whose table depends on its `kind`. Returns the kind, or NULL after adding to `problems`. */
const struct vocabulary_kind *vocabulary_check_kind(const struct vocabulary_kinds *kinds, const struct node *map,
                                                    const char *path, struct problems *problems);
/* The kind a checked map names (or defaults to). */
const struct vocabulary_kind *vocabulary_kind_of(const struct vocabulary_kinds *kinds, const struct node *map);

/* Appends the reference as Markdown: every table with its keys, types, defaults and meanings. */
void vocabulary_write_reference(struct buf *out);
/* Appends the same as classes for the Lua language server. */
void vocabulary_write_annotations(struct buf *out);

#endif
