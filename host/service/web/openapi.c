/* openapi: the routes as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made from their table. */
#include <string.h>

#include "service/web/route.h"

#define TEXT "{\"type\":\"string\"}"
#define TEXT_OR_NULL "{\"type\":[\"string\",\"null\"]}"
#define INTEGER "{\"type\":\"integer\"}"
#define BOOLEAN "{\"type\":\"boolean\"}"
#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define LIST(item) "{\"type\":\"array\",\"items\":" item "}"
#define OBJECT(required, properties)                                                                                           \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required "],\"properties\":{" properties "}}"

static const struct {
    const char *name, *schema;
} SCHEMAS[] = {
    {"Health", OBJECT("\"status\"", "\"status\":{\"const\":\"ok\"}")},
    {"Problem", OBJECT("\"type\",\"status\",\"class\",\"detail\"",
                       "\"type\":" TEXT ",\"status\":" INTEGER ",\"class\":" TEXT ",\"detail\":" TEXT ",\"hint\":" TEXT)},
    {"Error", OBJECT("\"class\",\"message\"", "\"class\":" TEXT ",\"message\":" TEXT ",\"hint\":" TEXT)},
    {"Job",
     OBJECT("\"id\",\"pipeline\",\"trigger\",\"status\",\"full_refresh\",\"attempt\",\"requested_at\",\"records\",\"written\","
            "\"rejected\"",
            "\"id\":" INTEGER ",\"pipeline\":" TEXT ",\"trigger\":{\"enum\":[\"schedule\",\"request\"]},"
            "\"status\":{\"enum\":[\"queued\",\"running\",\"succeeded\",\"failed\",\"cancelled\"]},\"streams\":" LIST(
                TEXT) ",\"full_refresh\":" BOOLEAN ",\"attempt\":" INTEGER ",\"node\":" TEXT ",\"requested_at\":" TIME
                      ",\"not_before\":" TIME ",\"started_at\":" TIME ",\"ended_at\":" TIME ",\"records\":" INTEGER
                      ",\"written\":" INTEGER ",\"rejected\":" INTEGER ",\"exit_code\":" INTEGER ",\"error\":" REF("Error"))},
    {"Jobs", OBJECT("\"jobs\"", "\"jobs\":" LIST(REF("Job")) ",\"next\":" INTEGER)},
    {"JobRequest", OBJECT("", "\"streams\":" LIST(TEXT) ",\"full_refresh\":" BOOLEAN)},
    {"Pipeline", OBJECT("\"name\",\"connector\",\"destination\",\"schedule\",\"status\",\"paused\"",
                        "\"name\":" TEXT ",\"connector\":" TEXT ",\"destination\":" TEXT ",\"schedule\":" TEXT
                        ",\"status\":" TEXT ",\"paused\":" BOOLEAN ",\"next_at\":" TIME ",\"succeeded_at\":" TIME
                        ",\"job\":" REF("Job") ",\"history\":" LIST(REF("Job")))},
    {"Pipelines",
     OBJECT("\"now\",\"node\",\"pipelines\"", "\"now\":" TIME ",\"node\":" TEXT ",\"pipelines\":" LIST(REF("Pipeline")))},
    {"Event", OBJECT("\"number\",\"at\",\"data\"", "\"number\":" INTEGER ",\"at\":" TIME ",\"data\":{\"type\":\"object\"}")},
    {"Events", OBJECT("\"events\"", "\"events\":" LIST(REF("Event")))},
    {"Progress", OBJECT("\"streams\"", "\"streams\":" LIST("{\"type\":\"object\",\"required\":[\"stream\",\"rows\"]}"))},
    {"State", LIST("{\"type\":\"object\"}")},
    {"Rejects",
     LIST(OBJECT("\"at\",\"load\",\"stream\",\"field\",\"reason\",\"detail\",\"row_was_dropped\",\"record\"",
                 "\"at\":" TEXT_OR_NULL ",\"load\":" INTEGER ",\"stream\":" TEXT ",\"field\":" TEXT_OR_NULL ",\"reason\":" TEXT
                 ",\"detail\":" TEXT_OR_NULL ",\"row_was_dropped\":" BOOLEAN ",\"record\":" TEXT))},
    {"SchemaChanges",
     LIST(OBJECT("\"at\",\"stream\",\"table\",\"change\"", "\"at\":" TIME ",\"stream\":" TEXT ",\"table\":" TEXT
                                                           ",\"change\":{\"enum\":[\"create_table\",\"add_column\"]}"
                                                           ",\"column\":" TEXT ",\"type\":" TEXT ",\"field\":" TEXT))},
    {"Webhook", "{\"oneOf\":[{\"type\":\"object\"},{\"type\":\"array\",\"items\":{\"type\":\"object\"}}]}"},
    {"Alerts", OBJECT("\"alerts\"",
                      "\"alerts\":" LIST(OBJECT("\"pipeline\",\"kind\",\"text\",\"since\"",
                                                "\"pipeline\":" TEXT ",\"kind\":" TEXT ",\"text\":" TEXT ",\"since\":" TIME)))},
    {"Block", OBJECT("\"blocked\"", "\"blocked\":" BOOLEAN ",\"reason\":" TEXT)},
    {"Blocks",
     OBJECT("\"blocks\"", "\"blocks\":" LIST(OBJECT("\"stream\",\"column\",\"by\"", "\"stream\":" TEXT ",\"column\":" TEXT
                                                                                    ",\"by\":{\"enum\":[\"config\",\"api\"]},"
                                                                                    "\"reason\":" TEXT ",\"since\":" TIME)))},
    {"ConfigText", OBJECT("\"config\"", "\"config\":" TEXT)},
    {"Validation",
     OBJECT("\"valid\",\"problems\"", "\"valid\":" BOOLEAN ",\"problems\":" LIST(
                                          OBJECT("\"message\"", "\"line\":" INTEGER ",\"message\":" TEXT ",\"hint\":" TEXT)))},
    {"Cursor", OBJECT("\"stream\",\"cursor\"", "\"stream\":" TEXT ",\"cursor\":" TEXT)},
    {"StreamName", OBJECT("\"stream\"", "\"stream\":" TEXT)},
    {"Connectors", LIST("{\"type\":\"object\",\"required\":[\"name\"]}")},
};

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    json_member(json, name);
    json_cstr(json, text);
}

static void write_parameter(struct json_writer *json, const char *name, const char *where, const char *type, const char *help)
{
    json_open(json, '{');
    write_text(json, "name", name);
    write_text(json, "in", where);
    json_member(json, "required"), json_bool(json, strcmp(where, "path") == 0);
    if (help) write_text(json, "description", help);
    json_member(json, "schema"), json_open(json, '{');
    write_text(json, "type", type);
    json_close(json, '}');
    json_close(json, '}');
}

static void write_parameters(struct json_writer *json, const struct route *route)
{
    struct str rest = str_from(route->path), segment;
    char name[64];
    json_member(json, "parameters"), json_open(json, '[');
    while (str_next(&rest, '/', &segment)) {
        if (segment.size < 3 || segment.data[0] != '{' || segment.size > sizeof name) continue;
        memcpy(name, segment.data + 1, segment.size - 2);
        name[segment.size - 2] = '\0';
        write_parameter(json, name, "path", "string", NULL);
    }
    for (size_t i = 0; i < route->parameter_count; i++)
        write_parameter(json, route->parameters[i].name, "query", route->parameters[i].type, route->parameters[i].help);
    json_close(json, ']');
}

/* "content": {TYPE: {"schema": {"$ref": ..}}} */
static void write_content(struct json_writer *json, const char *type, const char *schema)
{
    struct buf reference = BUF_INIT(256);
    buf_printf(&reference, "#/components/schemas/%s", schema);
    json_member(json, "content"), json_open(json, '{');
    json_member(json, type), json_open(json, '{');
    json_member(json, "schema"), json_open(json, '{');
    write_text(json, "$ref", buf_text(&reference));
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
    buf_release(&reference);
}

static void write_answers(struct json_writer *json, const struct route *route)
{
    struct buf status = BUF_INIT(16);
    buf_printf(&status, "%d", route->status);
    json_member(json, "responses"), json_open(json, '{');
    json_member(json, buf_text(&status)), json_open(json, '{');
    write_text(json, "description", route->help);
    if (route->answer) write_content(json, "application/json", route->answer);
    json_close(json, '}');
    json_member(json, "default"), json_open(json, '{');
    write_text(json, "description", "what was wrong, and what to do (RFC 9457)");
    write_content(json, "application/problem+json", "Problem");
    json_close(json, '}');
    json_close(json, '}');
    buf_release(&status);
}

static void write_operation(struct json_writer *json, const struct route *route)
{
    static const char *const METHODS[][2] = {{"GET", "get"}, {"POST", "post"}, {"PUT", "put"}};
    static const char *const SCOPES[] = {NULL, "read", "run", "admin"};
    size_t method = 0;
    while (strcmp(METHODS[method][0], route->method) != 0) method++;
    json_member(json, METHODS[method][1]), json_open(json, '{');
    write_text(json, "operationId", route->name);
    write_text(json, "summary", route->help);
    write_parameters(json, route);
    if (route->body) {
        json_member(json, "requestBody"), json_open(json, '{');
        write_content(json, "application/json", route->body);
        json_close(json, '}');
    }
    write_answers(json, route);
    json_member(json, "security"), json_open(json, '[');
    if (route->scope > SCOPE_NONE) {
        json_open(json, '{');
        json_member(json, "token"), json_open(json, '[');
        json_cstr(json, SCOPES[route->scope]);
        json_close(json, ']');
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

/* All operations of a path are together: the table lists a path's methods one after the other. */
static void write_paths(struct json_writer *json)
{
    json_member(json, "paths"), json_open(json, '{');
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!ROUTES[i].name) continue;
        bool is_first = i == 0 || strcmp(ROUTES[i - 1].path, ROUTES[i].path) != 0;
        bool is_last = i + 1 == ROUTE_COUNT || strcmp(ROUTES[i + 1].path, ROUTES[i].path) != 0;
        if (is_first) json_member(json, ROUTES[i].path), json_open(json, '{');
        write_operation(json, &ROUTES[i]);
        if (is_last) json_close(json, '}');
    }
    json_close(json, '}');
}

int answer_openapi(struct api_call *call, struct err *err)
{
    struct json_writer *json = &call->json;
    (void)err;
    json_open(json, '{');
    write_text(json, "openapi", "3.1.0");
    json_member(json, "info"), json_open(json, '{');
    write_text(json, "title", "sluice");
    write_text(json, "version", SLUICE_VERSION);
    write_text(json, "description", "The service's API. Errors are problem details; `class` is one of sluice's error classes.");
    json_close(json, '}');
    write_paths(json);
    json_member(json, "components"), json_open(json, '{');
    json_member(json, "schemas"), json_open(json, '{');
    for (size_t i = 0; i < ARRAY_SIZE(SCHEMAS); i++)
        json_member(json, SCHEMAS[i].name), json_raw(json, str_from(SCHEMAS[i].schema));
    json_close(json, '}');
    json_member(json, "securitySchemes"), json_open(json, '{');
    json_member(json, "token"), json_open(json, '{');
    write_text(json, "type", "http");
    write_text(json, "scheme", "bearer");
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
    return 0;
}
