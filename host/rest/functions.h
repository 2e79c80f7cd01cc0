/* functions: the connector's own functions, as the rest of the house sees them: names and bytes.
 *
 * A description names its functions by place ("streams.orders.map"); this table calls them. The real one (connector/) sends
 * frames to a sandboxed worker; tests fill it with C functions. One instance serves the two threads of one slice: both may call
 * at once (path or pages.next on one, records on the other), and the instance sees to it that calls exclude each other. Results
 * go to the caller's arena, which is the caller's alone. */
#ifndef SLUICE_REST_FUNCTIONS_H
#define SLUICE_REST_FUNCTIONS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct budget;
struct format;
struct native_http;
struct native_input;
struct native_page;
struct native_slice;

struct functions {
    void *context;

    /* Calls function `name` with a context object (JSON: {"config":{...},"cursor":..,"slice":..,"page":..,"now":..}) for a
     * value: `path`, `params`, `headers`, `body`, `pages.next`. `page`: the body of the page just read for pages.next, else
     * empty. The result is JSON in `arena`; where the script put a secret's handle or a text joined with one, the JSON holds
     * {"$parts":["Bearer ",{"$secret":"api_key"}]}, and a script's own keys that begin with '$' come with one '$' more. */
    int (*value)(void *context, const char *name, struct str context_json, struct str page, struct arena *arena,
                 struct str *result_json, struct err *err);

    /* Calls a record function once for a page. `records(page, ctx)` gets the body and gives the records;
     * `map(record, ctx)` is called for each record found at `records_path` and gives none, one or many. Both at once when both
     * are named (NULL: not declared). The result is NDJSON in `arena`: one record a line. No secrets can be in it. */
    int (*records)(void *context, const char *records_name, const char *map_name, const char *records_path,
                   struct str context_json, struct str page, struct arena *arena, struct str *result_ndjson, struct err *err);

    /* Of a native plugin (native.h): answers a question, of a slice that is not read (a check has none: NULL); begins to read a
     * slice; gives its next page, charged to `budget`. `committed`: the newest checkpoint that is durable with its rows; NULL:
     * none yet. One slice is read by one instance. */
    int (*ask)(void *context, int question /* enum native_question */, const struct native_slice *slice,
               const struct native_http *http, struct err *err);
    int (*open)(void *context, const struct native_slice *slice, struct err *err);
    int (*page)(void *context, const struct native_http *http, const char *committed, struct budget *budget,
                struct native_page *page, struct err *err);

    /* Of the parser that `format` names (FORMAT_PLUGIN): begins to parse a body; gives what it makes of its next bytes, taken
     * from `input`. One body at a time, by one thread. */
    int (*parse)(void *context, const struct format *format, const struct native_slice *slice, struct err *err);
    int (*parsed)(void *context, const struct native_input *input, struct budget *budget, struct native_page *page,
                  struct err *err);
};

#endif
