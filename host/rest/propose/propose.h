/* propose: a first connector from what people have of an API: a curl command, a recorded session (HAR), an OpenAPI document;
 * and what a connector's stream might declare, from what its source answered.
 *
 *     struct proposal proposal;
 *     rc = propose(text, "shop", &arena, &proposal, err);      // which of the three it is, it says itself
 *     proposal_to_lua(&proposal, &buf);
 *
 * A proposal is a guess to be corrected: what was seen is written down, what was guessed is marked. Credentials in a command or
 * a session are recognised by where they stand and never written: a secret config entry takes their place. Pure; all texts live
 * in the arena. */
#ifndef SLUICE_REST_PROPOSE_PROPOSE_H
#define SLUICE_REST_PROPOSE_PROPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { PROPOSE_MAX_BYTES = 64 * 1024 * 1024, PROPOSE_MAX_STREAMS = 200, PROPOSE_MAX_FIELDS = 500, PROPOSE_MAX_PARAMS = 100 };

struct proposed_pair {
    const char *name, *value;
};

struct proposed_field {
    const char *name;
    const char *type; /* "decimal" */
};

/* Empty kind: nothing is known of how the listing goes on. */
struct proposed_pages {
    const char *kind; /* as in the vocabulary: "page", "cursor" ..; NULL: not known */
    const char *param, *size_param;
    const char *size;                /* as it was asked for; NULL: not known */
    const char *start;               /* page */
    const char *next, *more, *total; /* paths in the answer */
};

struct proposed_stream {
    const char *name;
    const char *path;
    const char *method; /* "GET" */
    struct proposed_pair *params;
    size_t param_count;
    const char *body;    /* JSON; NULL: none */
    const char *records; /* NULL: not known */
    const char *primary_key;
    const char *cursor_field, *cursor_param; /* NULL: none was seen */
    struct proposed_pages pages;
    struct proposed_field *fields;
    size_t field_count;
};

enum proposed_auth { PROPOSED_NONE, PROPOSED_BEARER, PROPOSED_BASIC, PROPOSED_HEADER, PROPOSED_QUERY, PROPOSED_OAUTH2 };

struct proposal {
    const char *name, *title;
    const char *base; /* "https://api.example.com/v1" */
    enum proposed_auth auth;
    const char *auth_name;   /* HEADER, QUERY: of the header or parameter */
    const char *auth_prefix; /* BEARER, HEADER: before the key; NULL: the usual */
    const char *token_url;   /* OAUTH2 */
    struct proposed_pair *headers;
    size_t header_count;
    struct proposed_stream *streams;
    size_t stream_count;
};

/* Reads any of the three. ERR_CONFIG when it is none, or holds nothing to make a stream of. */
int propose(struct str text, const char *name, struct arena *arena, struct proposal *proposal, struct err *err) MUST_USE;

/* The starter that there is without a source. */
void propose_starter(const char *name, struct arena *arena, struct proposal *proposal);

void proposal_to_lua(const struct proposal *proposal, struct buf *out);

/* A request that a connector's stream made, and its answer. */
struct proposed_exchange {
    const char *method;
    const char *url;   /* its host does not matter */
    struct str answer; /* JSON */
    const char *link;  /* its Link header; NULL: none */
};

/* What an exchange shows of a stream: records, key, pages, cursor, fields. False: its answer is no JSON that holds records. */
bool propose_from_exchange(const struct proposed_exchange *exchange, const char *name, struct arena *arena,
                           struct proposed_stream *stream);
/* That as lines of the stream's declaration. */
void proposed_stream_to_lua(const struct proposed_stream *stream, struct buf *out);

#endif
