/* openapi: a document of OpenAPI 3 (or Swagger 2) in JSON. Each GET without a placeholder in its path whose answer holds a list
 * of objects becomes a stream. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rest/propose/parts.h"

enum { REFERENCES_MAX = 20, SCHEMA_DEPTH = 3 };

/* Follows $ref, which names a place in the same document. */
static const struct cJSON *resolved(const struct cJSON *document, const struct cJSON *node)
{
    for (int i = 0; i < REFERENCES_MAX; i++) {
        const char *reference = json_string(json_get(node, "$ref"));
        if (!reference) return node;
        if (strncmp(reference, "#/", 2) != 0) return NULL;
        char *path = mem_strdup(reference + 2), *rest = path;
        node = document;
        for (char *part; (part = strsep(&rest, "/")) != NULL;) node = json_get(node, part);
        free(path);
    }
    return NULL;
}

static const char *type_of(const struct cJSON *schema)
{
    static const struct {
        const char *type, *format, *ours;
    } TYPES[] = {
        {"string", "date-time", "timestamp"}, {"string", "date", "date"},  {"string", NULL, "string"},
        {"integer", NULL, "integer"},         {"number", NULL, "decimal"}, {"boolean", NULL, "boolean"},
    };
    const char *type = json_string(json_get(schema, "type")), *format = json_string(json_get(schema, "format"));
    if (!type) type = json_string(json_first(json_get(schema, "type"))); /* OpenAPI 3.1: ["string", "null"] */
    for (size_t i = 0; type && i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(TYPES[i].type, type) == 0 && (!TYPES[i].format || (format && strcmp(TYPES[i].format, format) == 0)))
            return TYPES[i].ours;
    return "json";
}

struct reading {
    const struct cJSON *document;
    struct proposal *proposal;
    struct proposed_stream *stream;
    struct arena *arena;
};

static void read_properties(const struct reading *reading, const struct cJSON *schema)
{
    struct proposed_stream *stream = reading->stream;
    schema = resolved(reading->document, schema);
    for (const struct cJSON *part = json_first(json_get(schema, "allOf")); part; part = json_next(part))
        read_properties(reading, part);
    for (const struct cJSON *property = json_first(json_get(schema, "properties"));
         property && stream->field_count < PROPOSE_MAX_FIELDS; property = json_next(property))
        stream->fields[stream->field_count++] = (struct proposed_field){arena_strdup(reading->arena, json_key(property)),
                                                                        type_of(resolved(reading->document, property))};
}

static bool is_array_of_objects(const struct reading *reading, const struct cJSON *schema, const struct cJSON **items)
{
    const char *type = json_string(json_get(schema, "type"));
    if (!type || strcmp(type, "array") != 0) return false;
    *items = resolved(reading->document, json_get(schema, "items"));
    return json_get(*items, "properties") || json_get(*items, "allOf");
}

/* Where the list of objects is in an answer of this schema, and a look at the members beside it, which lead to the next page.
 */
static bool find_records(const struct reading *reading, const struct cJSON *schema, const char *path, int depth)
{
    static const char *const MORE[] = {"has_more", "hasMore", "hasNextPage", "has_next"};
    static const char *const NEXT[] = {"next_cursor",   "nextCursor", "next_page_token",
                                       "nextPageToken", "next_token", "nextToken"};
    const struct cJSON *items;
    bool found = false;
    schema = resolved(reading->document, schema);
    if (is_array_of_objects(reading, schema, &items)) {
        reading->stream->records = arena_strdup(reading->arena, path);
        read_properties(reading, items);
        return true;
    }
    for (const struct cJSON *member = json_first(json_get(schema, "properties")); member && depth < SCHEMA_DEPTH;
         member = json_next(member)) {
        const char *key = json_key(member), *below = path[0] == '$' ? key : arena_printf(reading->arena, "%s.%s", path, key);
        struct proposed_pages *pages = &reading->stream->pages;
        for (size_t i = 0; i < sizeof MORE / sizeof *MORE; i++)
            if (strcasecmp(MORE[i], key) == 0) pages->more = arena_strdup(reading->arena, below);
        for (size_t i = 0; i < sizeof NEXT / sizeof *NEXT; i++)
            if (strcasecmp(NEXT[i], key) == 0) pages->next = arena_strdup(reading->arena, below);
        if (!found) found = find_records(reading, member, below, depth + 1);
    }
    return found;
}

static void read_parameters(const struct reading *reading, const struct cJSON *parameters)
{
    for (const struct cJSON *item = json_first(parameters); item; item = json_next(item)) {
        const struct cJSON *parameter = resolved(reading->document, item);
        const char *name = json_string(json_get(parameter, "name")), *in = json_string(json_get(parameter, "in"));
        if (!name || !in || strcmp(in, "query") != 0) continue;
        name = arena_strdup(reading->arena, name);
        if (!propose_paging_param(&reading->stream->pages, name, NULL)) propose_cursor_param(reading->stream, name);
    }
}

static const struct cJSON *answer_schema(const struct reading *reading, const struct cJSON *operation)
{
    const struct cJSON *response = resolved(reading->document, json_path(operation, "responses.200"));
    for (const struct cJSON *content = json_first(json_get(response, "content")); content; content = json_next(content))
        if (strcasestr(json_key(content), "json")) return json_get(content, "schema");
    return json_get(response, "schema"); /* Swagger 2 */
}

static void read_path(struct reading *reading, const struct cJSON *path)
{
    struct proposal *proposal = reading->proposal;
    const struct cJSON *operation = json_get(path, "get"), *schema = answer_schema(reading, operation);
    const char *text = json_key(path);
    if (!operation || !schema || text[0] != '/' || strchr(text, '{') || proposal->stream_count == PROPOSE_MAX_STREAMS) return;
    struct proposed_stream stream = {
        .name = propose_stream_name(proposal, text, reading->arena),
        .path = arena_strdup(reading->arena, text),
        .method = "GET",
        .fields = arena_array(reading->arena, struct proposed_field, PROPOSE_MAX_FIELDS),
    };
    reading->stream = &stream;
    if (!find_records(reading, schema, "$", 0)) return;
    read_parameters(reading, json_get(path, "parameters"));
    read_parameters(reading, json_get(operation, "parameters"));
    propose_key_and_cursor(&stream, NULL, reading->arena);
    proposal->streams[proposal->stream_count++] = stream;
}

static void read_scheme(struct proposal *proposal, const struct cJSON *scheme, struct arena *arena)
{
    const char *type = json_string(json_get(scheme, "type")), *how = json_string(json_get(scheme, "scheme"));
    const char *in = json_string(json_get(scheme, "in")), *name = json_string(json_get(scheme, "name"));
    const char *token_url = json_string(json_path(scheme, "flows.clientCredentials.tokenUrl"));
    if (!type || proposal->auth != PROPOSED_NONE) return;
    if (strcmp(type, "http") == 0)
        proposal->auth = how && strcasecmp(how, "basic") == 0 ? PROPOSED_BASIC : PROPOSED_BEARER;
    else if (strcmp(type, "basic") == 0)
        proposal->auth = PROPOSED_BASIC;
    else if (strcmp(type, "apiKey") == 0 && name)
        proposal->auth = in && strcmp(in, "query") == 0 ? PROPOSED_QUERY : PROPOSED_HEADER;
    else if (strcmp(type, "oauth2") == 0)
        proposal->auth = token_url ? PROPOSED_OAUTH2 : PROPOSED_BEARER;
    proposal->auth_name = arena_strdup(arena, name);
    proposal->token_url = arena_strdup(arena, token_url);
}

static const char *base_of(const struct cJSON *document, struct arena *arena)
{
    const char *url = json_string(json_path(document, "servers.0.url"));
    const char *host = json_string(json_get(document, "host")), *path = json_string(json_get(document, "basePath"));
    if (!url && host) return arena_printf(arena, "https://%s%s", host, path && strcmp(path, "/") != 0 ? path : "");
    if (!url || strncmp(url, "http", 4) != 0) return "https://api.example.com";
    size_t size = strlen(url);
    return arena_printf(arena, "%.*s", (int)(url[size - 1] == '/' ? size - 1 : size), url);
}

int propose_openapi(const struct cJSON *document, struct arena *arena, struct proposal *proposal, struct err *err)
{
    struct reading reading = {.document = document, .proposal = proposal, .arena = arena};
    const struct cJSON *schemes = json_path(document, "components.securitySchemes");
    const char *title = json_string(json_path(document, "info.title"));
    if (!schemes) schemes = json_get(document, "securityDefinitions");
    proposal->base = base_of(document, arena);
    if (title) proposal->title = arena_strdup(arena, title);
    for (const struct cJSON *scheme = json_first(schemes); scheme; scheme = json_next(scheme))
        read_scheme(proposal, resolved(document, scheme), arena);
    for (const struct cJSON *path = json_first(json_get(document, "paths")); path; path = json_next(path))
        read_path(&reading, path);
    if (proposal->stream_count > 0) return 0;
    err_set(err, ERR_CONFIG, "no GET of the document answers with a list of objects");
    return err_hint(err, "sluice reads paths without {placeholders} whose 200 answer is JSON; start without --from otherwise");
}
