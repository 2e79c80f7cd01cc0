/* connector: find what knows a source, ask it for its description, and call its functions.
 *
 * A connector's code never runs here. Finding reads names only; describing and calling start a sandboxed worker process, send
 * it the sources in one frame, and talk to it over one socket.
 *
 *     struct connector_path path = {.configured = folders, .configured_count = n};
 *     const struct connector *shop;
 *     rc = connector_find(&path, "shop", &arena, &shop, err);
 *     rc = connector_describe(shop, &options, &arena, &json, err);          // keys sorted, identical each run
 *     rc = connector_read(shop, &arena, &sources, err);
 *     connector_functions_new(&sources, &options, &functions);
 *     ... functions.value(functions.context, "streams.orders.path", ...) ...
 *     connector_functions_free(&functions);
 *
 * Errors: CONFIG when there is no such connector or its folder cannot be read; CONNECTOR for everything its code does wrong: a
 * syntax or script error (with file and line), a passed limit, a crash. Memory: results live in the caller's arena. */
#ifndef SLUICE_CONNECTOR_CONNECTOR_H
#define SLUICE_CONNECTOR_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "rest/functions.h"

struct cancel;
struct log;
struct parser;
struct secrets;

/* What a connector may cost. Zero means the default. The worker never allows more memory than the default. */
struct connector_limits {
    uint32_t load_cpu_ms; /* 2,000: running the files until the description stands */
    uint32_t call_cpu_ms; /* 10,000: each call */
    uint32_t wall_ms; /* 60,000: from a call to its answer by the clock on the wall, for a worker that does not run at all */
    uint64_t memory_bytes; /* 64 MiB */
};

/* Where names are looked up, in this order: the configured folders, ./connectors, $XDG_DATA_HOME/sluice/connectors, the
 * installed folders beside the program (or the source tree's and its plugins, for a program inside its build folder). */
struct connector_path {
    const char *const *configured; /* folders from sluice.yaml's `connectors:` */
    size_t configured_count;
    const char *base; /* what relative paths are relative to; NULL: the working directory */
};

/* One connector on disk. */
struct connector {
    const char *name;   /* "shop": the folder's or file's name; the description may say another */
    const char *path;   /* "/usr/share/sluice/connectors/shop" or ".../shop.lua" */
    const char *origin; /* the folder of the path it was found in; "path" when it was given as one */
    bool is_folder;     /* its code is path/init.lua and the other .lua files below path */
    bool is_native;     /* it is a shared object, see sdk/include/sluice/plugin.h */
};

struct connector_setting {
    const char *name, *value;
};

/* What a native plugin may do and know in its sessions. Without one it can only be described. */
struct connector_grant {
    const char *profile;   /* "network": as it was described */
    const uint16_t *ports; /* that may be connected to */
    size_t port_count;
    const char *const *paths; /* absolute: files and folders that may be read */
    size_t path_count;
    const struct connector_setting *settings; /* its configuration; without secrets for the profile "parse" */
    size_t setting_count;
    bool allow_private; /* addresses of its hosts */
};

/* How workers run. Read-only; whatever it points to outlives the functions made with it. */
struct connector_options {
    struct connector_limits limits;
    int64_t now_us;                  /* the frozen time scripts see; 0: 1970, for describing */
    uint64_t seed;                   /* of math.random */
    struct secrets *secrets;         /* values behind handles, under "config.NAME"; NULL: none */
    const char *const *secret_names; /* config keys whose values sluice.crypto may use: "api_key" */
    size_t secret_count;
    struct log *log;                     /* where print() goes; NULL: nowhere */
    struct cancel *cancel;               /* CANCEL_ABORT ends a call; NULL: never */
    const char *worker_path;             /* the program; NULL: found beside this one */
    const struct connector_grant *grant; /* of a native plugin's sessions; NULL: it is only described */
    const struct parser *const *parsers; /* that streams name in their `format`, see parser.h */
    size_t parser_count;
};

/* Finds one by name ("shop") or by path (has a '/', or ends in .lua or .so). ERR_CONFIG with the places looked at and the
 * nearest name. */
int connector_find(const struct connector_path *path, const char *name, struct arena *arena, const struct connector **out,
                   struct err *err) MUST_USE;

/* Finds the shared object NAME.so of a parser: in the connector's own folder first. As connector_find. */
int connector_find_parser(const struct connector_path *path, const struct connector *connector, const char *name,
                          struct arena *arena, const struct connector **out, struct err *err) MUST_USE;

/* All that can be found by name, sorted, a name once (the first place wins). Folders that do not exist are skipped. */
void connector_list(const struct connector_path *path, struct arena *arena, const struct connector **out, size_t *count);

/* Runs the connector's files in a worker of its own and gives its description as JSON with sorted keys. */
int connector_describe(const struct connector *connector, const struct connector_options *options, struct arena *arena,
                       struct str *json, struct err *err) MUST_USE;

/* A connector's code in memory. The first file is run; the others are for `require`. */
struct connector_file {
    struct str name; /* relative: "init.lua", "lib/parse.lua" */
    struct str bytes;
};

enum {
    CONNECTOR_MAX_FILES = 200,
    CONNECTOR_MAX_FILE_BYTES = 1024 * 1024,
    CONNECTOR_MAX_BYTES = 8 * 1024 * 1024,
    CONNECTOR_MAX_OBJECT_BYTES = 64 * 1024 * 1024,
};

struct connector_sources {
    const char *name;
    const struct connector_file *files;
    size_t count;
    bool is_native; /* the only file is a shared object */
    bool parses;    /* it is a parser's, see parser.h */
};

/* Reads a connector's .lua files; symbolic links that lead out of its folder are refused. Past the caps above: ERR_CONNECTOR.
 * A shared object, and every folder above it, must belong to root or to us, and not be writable for others: CONFIG. */
int connector_read(const struct connector *connector, struct arena *arena, struct connector_sources *out,
                   struct err *err) MUST_USE;

/* A short hash of the sources, in hex: changes when any file does. For caches of what was described or discovered. */
const char *connector_fingerprint(const struct connector_sources *sources, struct arena *arena);

int connector_describe_sources(const struct connector_sources *sources, const struct connector_options *options,
                               struct arena *arena, struct str *json, struct err *err) MUST_USE;

/* Loads a native plugin and tells `passed` of each check that it passes, in their order. Errors: as connector_describe. */
int connector_inspect(const struct connector_sources *sources, const struct connector_options *options,
                      void (*passed)(void *context, const char *check), void *context, struct arena *arena, struct str *json,
                      struct err *err) MUST_USE;

/* Fills `out` with functions that call a worker of their own, started at the first call. The context of each call is what
 * scripts get as ctx: config without secrets, and their names under "secrets", for which ctx.config gets handles. `sources` and
 * `options` must outlive the functions. One instance serves one slice: its threads may call at once, and the calls then follow
 * one another. Freed when no call runs. */
void connector_functions_new(const struct connector_sources *sources, const struct connector_options *options,
                             struct functions *out);
void connector_functions_free(struct functions *functions); /* ends the worker; accepts a zeroed struct */

/* The walls as a worker finds them on this machine, as its JSON line: {"landlock":"up",...}. For `sluice doctor`. */
int connector_walls(const char *worker_path, struct arena *arena, struct str *json, struct err *err) MUST_USE;

#endif
