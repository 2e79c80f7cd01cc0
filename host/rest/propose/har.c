/* har: a recorded session (HTTP Archive 1.2), as the network pane of a browser saves it. Only requests that were answered with
 * JSON count. */
#include <string.h>
#include <strings.h>

#include "rest/propose/parts.h"

static const char *header_of(const struct cJSON *message, const char *name)
{
    for (const struct cJSON *header = json_first(json_get(message, "headers")); header; header = json_next(header)) {
        const char *own = json_string(json_get(header, "name"));
        if (own && strcasecmp(own, name) == 0) return json_string(json_get(header, "value"));
    }
    return NULL;
}

static size_t read_headers(const struct cJSON *request, struct arena *arena, struct proposed_pair *headers)
{
    size_t count = 0;
    for (const struct cJSON *header = json_first(json_get(request, "headers")); header && count < PROPOSE_MAX_PARAMS;
         header = json_next(header)) {
        const char *name = json_string(json_get(header, "name")), *value = json_string(json_get(header, "value"));
        if (name && value) headers[count++] = (struct proposed_pair){arena_strdup(arena, name), arena_strdup(arena, value)};
    }
    return count;
}

static bool is_fetch(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "POST") == 0;
}

static int read_entry(const struct cJSON *entry, struct arena *arena, struct proposal *proposal, struct err *err)
{
    const struct cJSON *request = json_get(entry, "request"), *response = json_get(entry, "response");
    const char *method = json_string(json_get(request, "method")), *url = json_string(json_get(request, "url"));
    const char *content = json_string(json_path(response, "content.text"));
    struct proposed_stream *stream;
    struct cJSON *answer;
    struct err ignored = ERR_INIT;
    if (!method || !url || !content || !is_fetch(method) ||
        json_parse(str_from(content), PROPOSE_MAX_BYTES, &answer, &ignored) != 0)
        return 0;
    struct proposed_pair headers[PROPOSE_MAX_PARAMS];
    struct seen_request seen = {
        .method = arena_strdup(arena, method),
        .url = url,
        .headers = headers,
        .header_count = read_headers(request, arena, headers),
        .body = arena_strdup(arena, json_string(json_path(request, "postData.text"))),
    };
    int rc = propose_request(proposal, &seen, arena, &stream, err);
    if (rc == 0 && stream) {
        propose_answer(stream, answer, header_of(response, "link"), arena);
        if (!stream->records) proposal->stream_count--; /* no list: a profile, a setting */
    }
    json_free(answer);
    return rc;
}

int propose_har(const struct cJSON *log, struct arena *arena, struct proposal *proposal, struct err *err)
{
    int rc = 0;
    for (const struct cJSON *entry = json_first(json_get(log, "entries")); entry && rc == 0; entry = json_next(entry))
        rc = read_entry(entry, arena, proposal, err);
    if (rc != 0 || proposal->stream_count > 0) return rc;
    err_set(err, ERR_CONFIG, "no request in the session was answered with a JSON list of records");
    return err_hint(err, "record a session in which lists are shown, and save it with content");
}
