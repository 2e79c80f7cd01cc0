/* propose: which of the three a file is, the starter that needs none, and what one exchange shows. */
#include <string.h>

#include "rest/propose/parts.h"

static int read_json(struct str text, struct arena *arena, struct proposal *proposal, struct err *err)
{
    struct cJSON *document;
    int rc = json_parse(text, PROPOSE_MAX_BYTES, &document, err);
    if (rc != 0) {
        err->class = ERR_CONFIG;
        err_context(err, "neither a curl command nor JSON");
        return err_hint(
            err, "give a file with a curl command, a HAR session, or an OpenAPI document in JSON (YAML: convert it first)");
    }
    if (json_get(document, "log")) {
        rc = propose_har(json_get(document, "log"), arena, proposal, err);
    } else if (json_get(document, "openapi") || json_get(document, "swagger")) {
        rc = propose_openapi(document, arena, proposal, err);
    } else {
        rc = err_set(err, ERR_CONFIG, "the JSON is neither a HAR session (\"log\") nor an OpenAPI document (\"openapi\")");
        err_hint(err, "save a session in the browser's network pane, or take the API's OpenAPI document");
    }
    json_free(document);
    return rc;
}

int propose(struct str text, const char *name, struct arena *arena, struct proposal *proposal, struct err *err)
{
    *proposal = (struct proposal){.name = name, .streams = arena_array(arena, struct proposed_stream, PROPOSE_MAX_STREAMS)};
    struct str trimmed = str_trim(text);
    if (str_starts(trimmed, STR("$ "))) trimmed = str_trim((struct str){trimmed.data + 2, trimmed.size - 2});
    if (str_starts(trimmed, STR("curl"))) return propose_curl(trimmed, arena, proposal, err);
    return read_json(trimmed, arena, proposal, err);
}

void propose_starter(const char *name, struct arena *arena, struct proposal *proposal)
{
    static const struct proposed_field FIELDS[] = {
        {"id", "string"}, {"total", "decimal"}, {"status", "string"}, {"created_at", "timestamp"}, {"updated_at", "timestamp"}};
    struct proposed_stream *stream = arena_new(arena, struct proposed_stream);
    *stream = (struct proposed_stream){
        .name = "orders",
        .path = "/orders",
        .method = "GET",
        .records = "data",
        .primary_key = "id",
        .cursor_field = "updated_at",
        .cursor_param = "updated_after",
        .pages = {.kind = "page", .param = "page", .size_param = "per_page", .size = "100"},
        .fields = arena_array(arena, struct proposed_field, sizeof FIELDS / sizeof *FIELDS),
        .field_count = sizeof FIELDS / sizeof *FIELDS,
    };
    for (size_t i = 0; i < stream->field_count; i++) stream->fields[i] = FIELDS[i];
    *proposal = (struct proposal){
        .name = name, .base = "https://api.example.com", .auth = PROPOSED_BEARER, .streams = stream, .stream_count = 1};
}

bool propose_from_exchange(const struct proposed_exchange *exchange, const char *name, struct arena *arena,
                           struct proposed_stream *stream)
{
    struct proposal proposal = {.name = name, .streams = stream};
    struct proposed_stream *found;
    struct cJSON *answer;
    struct err ignored = ERR_INIT;
    bool has_host = strstr(exchange->url, "://") != NULL;
    const struct seen_request request = {
        .method = exchange->method, .url = has_host ? exchange->url : arena_printf(arena, "https://host%s", exchange->url)};
    if (json_parse(exchange->answer, PROPOSE_MAX_BYTES, &answer, &ignored) != 0) return false;
    int rc = propose_request(&proposal, &request, arena, &found, &ignored);
    if (rc == 0 && found) {
        found->name = name;
        propose_answer(found, answer, exchange->link, arena);
    }
    json_free(answer);
    return rc == 0 && found && found->records;
}
