/* project: what sluice.yaml says: connectors, destinations, pipelines; checked, every mistake at once.
 *
 * References are expanded here: ${NAME} from the environment, ${file:PATH} from a file that only its owner may read (relative
 * to sluice.yaml); see reference.h.
 *
 * The tree keeps `config:` of a pipeline and a destination's keys as nodes: what they may hold is known to the connector and to
 * the writer. Everything lives in the arena given. */
#ifndef SLUICE_SYNC_PROJECT_H
#define SLUICE_SYNC_PROJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/node.h"
#include "data/option.h"
#include "rest/decode.h"
#include "sync/service_settings.h"
#include "writer/writer.h"

struct secrets;

enum sync_mode { SYNC_DEFAULT, SYNC_FULL_REFRESH, SYNC_INCREMENTAL };

const char *sync_mode_name(enum sync_mode mode);

/* What a pipeline says of one stream; unset things are the connector's or the pipeline's defaults. */
struct stream_choice {
    const char *name;
    const struct node *node;  /* for messages; may be NULL */
    enum sync_mode sync_mode; /* SYNC_DEFAULT: by the connector */
    bool has_write_mode;
    enum write_mode write_mode;
    const char *table;              /* NULL: the stream's name */
    const char *const *primary_key; /* NULL: the connector's */
    size_t primary_key_count;
    const char *cursor;        /* NULL: the connector's */
    const char *const *select; /* NULL: every field */
    size_t select_count;
    const char *const *blocked; /* columns with enabled: false */
    const char *const *blocked_reasons;
    size_t blocked_count;
    enum on_mismatch on_mismatch;
    bool keeps_first; /* on_conflict: nothing */
    bool in_place;    /* swap: in_place */
    double shrink_limit;
    int64_t max_records, max_pages; /* of one run; 0: no limit */
};

struct hook_settings;

struct pipeline {
    const char *name;
    const struct node *node;
    const char *connector;     /* a name or a path */
    const struct node *config; /* NULL: none */
    const char *destination;   /* its name */
    const struct writer_type *writer;
    const struct node *destination_node; /* the destination's keys with the pipeline's overrides merged in */
    bool allow_private;
    const char *const *allow_hosts; /* beyond those the connector declares */
    size_t allow_host_count;
    const char *ca_file; /* relative to the project's folder; NULL: the system's authorities */
    const char *proxy;   /* as given, with its password; NULL: none */
    const char *const *no_proxy;
    size_t no_proxy_count;
    const char *client_cert, *client_key, *client_key_password; /* files as ca_file; NULL: none */
    bool needs_tls_1_3;
    const struct hook_settings *webhook; /* NULL: it is polled */
    const struct node *rate_limit;       /* NULL: the connector's */
    int concurrency;                     /* slices at once */
    size_t commit_bytes;
    int64_t commit_ms;
    size_t memory_bytes; /* the sync's budget */
    struct stream_choice defaults;
    bool chooses_streams; /* `streams:` is given: only those */
    const struct stream_choice *streams;
    size_t stream_count;
};

struct project {
    const char *file;
    const struct node *root;
    const struct node *connectors; /* name -> path; NULL: none */
    const char *folder;            /* that sluice.yaml lies in, for relative paths */
    const struct pipeline *pipelines;
    size_t pipeline_count;
    struct service_settings service;
};

extern const struct option_table PROJECT_OPTIONS; /* for `sluice help config` */

#define PROJECT_SERVICE "*" /* no pipeline's name */
#define PROJECT_NOTHING "-" /* likewise */

/* Reads and checks `file`. Mistakes go to `problems` (a file that cannot be read or parsed too); *out is set only when there
 * are none. `only` names the pipeline that will be used: references of the others are left alone, so that their variables need
 * not be set; NULL: all; "": the only one, if there is just one; PROJECT_SERVICE: none of them, but `service` is.
 * PROJECT_NOTHING: no reference of it is looked at, in a text of others.
 * `is_replayed`: as reference_expand. */
void project_load(const char *file, const char *only, bool is_replayed, struct secrets *secrets, struct arena *arena,
                  const struct project **out, struct problems *problems);

/* The same of a tree that is there already, which came from `file`. */
void project_read(const struct node *raw, const char *file, const char *only, bool is_replayed, struct secrets *secrets,
                  struct arena *arena, const struct project **out, struct problems *problems);

/* Where service.store is: an url, or a path, beside sluice.yaml unless it is absolute; NULL: it is not declared. */
const char *project_store(const struct project *project, struct arena *arena);
const struct pipeline *project_pipeline(const struct project *project, const char *name); /* NULL when absent */

#endif
