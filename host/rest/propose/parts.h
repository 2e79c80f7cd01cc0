/* parts: what the readers of curl commands, sessions and OpenAPI documents share. Only they include this. */
#ifndef SLUICE_REST_PROPOSE_PARTS_H
#define SLUICE_REST_PROPOSE_PARTS_H

#include "base/json.h"
#include "rest/propose/propose.h"

int propose_curl(struct str text, struct arena *arena, struct proposal *proposal, struct err *err) MUST_USE;
int propose_har(const struct cJSON *log, struct arena *arena, struct proposal *proposal, struct err *err) MUST_USE;
int propose_openapi(const struct cJSON *document, struct arena *arena, struct proposal *proposal, struct err *err) MUST_USE;

/* One request, as it was sent. */
struct seen_request {
    const char *method, *url;
    const struct proposed_pair *headers;
    size_t header_count;
    const char *body; /* NULL: none */
};

/* Adds the request's stream to the proposal: its path, parameters and paging, and, for the first one, base, credentials and
 * headers. One for the same path is added once; NULL when it is, or when the URL is of another host than the first. CONFIG for
 * what is no URL. */
int propose_request(struct proposal *proposal, const struct seen_request *request, struct arena *arena,
                    struct proposed_stream **stream, struct err *err) MUST_USE;

/* What an answer shows: where records are, their fields and key, and what leads to the next page. `link`: its Link header;
 * NULL: none. */
void propose_answer(struct proposed_stream *stream, const struct cJSON *answer, const char *link, struct arena *arena);

/* A parameter that carries a page's number, offset, token or size; sets what of `pages` it shows. False: it is none. */
bool propose_paging_param(struct proposed_pages *pages, const char *name, const char *value);
bool propose_cursor_param(struct proposed_stream *stream, const char *name);
bool propose_is_key_name(const char *name); /* does a header, parameter or member of this name carry a credential? */
/* Which of the fields tells `records` (NULL: none are known) apart, and which says when they changed. */
void propose_key_and_cursor(struct proposed_stream *stream, const struct cJSON *records, struct arena *arena);

/* The last word of a path that names something: "/v1/orders.json" gives "orders"; with a number when it is taken. */
const char *propose_stream_name(const struct proposal *proposal, const char *path, struct arena *arena);

#endif
