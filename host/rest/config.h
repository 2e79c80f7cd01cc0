/* config: a pipeline's `config:` against the table its connector declares.
 *
 * The table comes from the description (`config = { api_key = { type = "string", secret = true } }`), the values from
 * sluice.yaml. Resolving checks both ways (unknown, missing, of the wrong type, not one of the values), fills in defaults,
 * writes timestamps in one canonical form, and registers secrets with os/secret.h as "config.NAME". Read-only afterwards; texts
 * live in the arena.
 *
 *     config_table_read(node_get(description, "config"), arena, &table, problems);
 *     config_resolve(&table, pipeline->config, "pipelines.shop.config", secrets, arena, &config, problems);
 *     const struct config_value *value = config_get(config, STR("api_key")); */
#ifndef SLUICE_REST_CONFIG_H
#define SLUICE_REST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "data/node.h"
#include "data/option.h"

struct secrets;

enum config_type {
    CONFIG_STRING,
    CONFIG_INTEGER,
    CONFIG_NUMBER,
    CONFIG_BOOLEAN,
    CONFIG_TIMESTAMP,
    CONFIG_DATE,
    CONFIG_ENUM,
    CONFIG_LIST, /* of texts, none of which is empty or holds a comma */
};

struct config_entry {
    const char *name;
    const char *title; /* NULL: none */
    enum config_type type;
    bool required;
    bool secret;
    const char *fallback;      /* canonical; NULL: none */
    const char *const *values; /* ENUM */
    size_t value_count;
    int64_t port;  /* its value names hosts that a plugin connects to, this port where it names none; 0: it does not */
    bool is_files; /* its value names files that a plugin reads */
};

struct config_table {
    const struct config_entry *entries;
    size_t count;
};

enum { CONFIG_MAX_ENTRIES = 200 };

/* Reads the `config` map of a description (NULL: no entries), which passed option_check already. */
void config_table_read(const struct node *map, struct arena *arena, struct config_table *table, struct problems *problems);
const struct config_entry *config_table_find(const struct config_table *table, struct str name);
/* The entry nearest to `name`, for "did you mean"; NULL: none is near. */
const char *config_table_nearest(const struct config_table *table, struct str name);

struct config_value {
    const struct config_entry *entry;
    bool is_set;     /* given, or by default; false: optional and absent */
    struct str text; /* canonical, terminated: RFC 3339 UTC, YYYY-MM-DD, JSON number text, true | false, the string, or the
                        list with commas between its values */
};

/* What a login told (`capture`): filled once, before the first request is built. */
struct config_fact {
    struct str name, value;
};
struct config_facts {
    const struct config_fact *list;
    size_t count;
};

/* Opaque to the callers but for reading: values in the table's order. */
struct config {
    const struct config_table *table;
    const struct config_value *values;
    struct config_facts *facts; /* NULL: none, and there will be none */
};

/* Resolves `given` (NULL: nothing is given), called `path` in messages. `table` must outlive the result. *out is set only when
 * nothing was added to `problems`. `secrets` may be NULL in tests. */
void config_resolve(const struct config_table *table, const struct node *given, const char *path, struct secrets *secrets,
                    struct arena *arena, const struct config **out, struct problems *problems);

const struct config_value *config_get(const struct config *config, struct str name); /* NULL: no such entry */

/* Appends the values as a JSON object for the connector's functions: booleans, numbers and lists as such, no secrets, unset
 * ones left out. Their names are a list of their own: a function gets handles for them, but for lists of secrets. */
void config_to_json(const struct config *config, struct buf *out);
void config_secrets_to_json(const struct config *config, struct buf *out); /* ["api_key"] */
bool config_is_handle(const struct config_entry *entry);
/* A list's text as a JSON list. */
struct json_writer;
void config_list_to_json(struct str list, struct json_writer *writer);

/* The canonical text of `text` read as an entry's type; false when it is not one. For defaults and values alike. */
bool config_canonical(const struct config_entry *entry, struct str text, struct arena *arena, struct str *canonical);

#endif
