/* request: the HTTP request for a page of a stream, from its description, the configuration, the slice and the page's place.
 *
 *     struct request_source source = {description, &stream->request, stream, config, functions, slice, cursor, own, now};
 *     rc = request_build(&source, pager_place(pager), arena, &request, err);
 *
 * URL: the base with its path kept, the stream's path behind it, and the query. Parameters and headers come from `http`, then
 * the stream, then the cursor, then the page; a later one of the same name replaces an earlier one. An absolute path, and a
 * next page's URL, go where they say (the client decides whether they may); outside the connector's own hosts no credentials go
 * with them and a request that holds a secret is refused. */
#ifndef SLUICE_REST_REQUEST_H
#define SLUICE_REST_REQUEST_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/guard.h"
#include "net/http.h"
#include "rest/description.h"

struct request_source {
    const struct description *description;
    const struct request_description *request;
    const struct stream_description *stream; /* NULL: the check, which has no cursor, slice or pages */
    const struct config *config;
    const struct functions *functions; /* NULL: the description has none */
    const struct window_slice *slice;  /* NULL: none */
    struct str parent, partition;      /* JSON texts, see template_values; empty: none */
    struct str fields;                 /* what {{stream.fields}} is; empty: all that the stream asks for */
    struct str batch_ids;              /* of an `enrich`: what it asks about, joined by commas */
    struct str cursor_value;           /* the stored cursor, canonical; empty: none */
    struct str job;                    /* what is known of the slice's job, see job.h; empty: nothing */
    struct str token;                  /* the source's own, where the sync begins; empty: none */
    const struct guard *own;           /* the connector's own hosts, see access_own */
    int64_t now_us;
};

/* Builds the request in `arena`. `place`: NULL for the check. Errors: CONFIG (a value is missing or cannot be sent), CONNECTOR
 * (a function's result has the wrong shape), PERMISSION (a secret toward another host), and what functions give. */
int request_build(const struct request_source *source, const struct page_place *place, struct arena *arena,
                  struct http_request *request, struct err *err) MUST_USE;

/* The members that `map` comes to on the page in hand, as JSON without the braces. */
int request_members(const struct request_source *source, const struct page_place *place, const struct operand *map,
                    struct arena *arena, struct str *members, struct err *err) MUST_USE;

/* The slices of a sync that begins now: from `source->cursor_value` (the stored cursor), or from where the stream's cursor says
 * a first sync begins; one open slice for a stream without a cursor. `source->slice` is not looked at. Errors: as window_plan.
 */
int request_plan(const struct request_source *source, struct arena *arena, struct window_plan *plan, struct err *err) MUST_USE;

/* pages time_next: where the slice begins, as its times are spelled; NULL when nothing says so. */
const char *request_first_time(const struct request_source *source, struct arena *arena);

/* The context of the connector's functions as a JSON object in `arena`:
 * {"batch":{"ids"},"config":{..},"cursor":{"from","until","value"},"job":{"id",..},"now":"..",
 * "page":{"key","number","offset","size","token"},"parent":{..},"secrets":["api_key"],
 * "slice":{"from","id","to","values":{..}}}; what has no value is left out. */
struct str request_context(const struct request_source *source, const struct page_place *place, struct arena *arena);

enum { REQUEST_MAX_URL = 256 * 1024, REQUEST_MAX_BODY = 4 * 1024 * 1024, REQUEST_MAX_HEADERS = 64 * 1024 };

#endif
