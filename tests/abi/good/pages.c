/* pages: sluice_http and sluice_alloc: a native stream whose pages are answers of an API, with the host's credentials, limits
 * and retries. The API's lines are "ID NAME", and its header x-next says where the next ones are. */
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    char next[200];
};

static int open_pages(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    snprintf(reading->next, sizeof reading->next, "%s", slice->state ? slice->state : "/people?page=1");
    *instance = reading;
    return 0;
}

static int get(struct sluice_session *session, const char *path, struct sluice_http_response *response)
{
    const struct sluice_header headers[] = {{"Accept", "text/plain"}};
    struct sluice_http_request request = {.struct_size = sizeof request, .url = path, .headers = headers, .header_count = 1};
    *response = (struct sluice_http_response){.struct_size = sizeof *response};
    return sluice_http(session, &request, response);
}

static const char *header_of(const struct sluice_http_response *response, const char *name)
{
    for (uint32_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0) return response->headers[i].value;
    return NULL;
}

static int page(struct sluice_session *session, void *instance)
{
    struct reading *reading = instance;
    struct sluice_http_response response;
    int rc = get(session, reading->next, &response);
    if (rc) return rc;
    char *text = sluice_alloc(session, response.body_size + 1);
    memcpy(text, response.body, response.body_size);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *name = strchr(line, ' ');
        if (!name) return sluice_fail(session, SLUICE_ERROR_DATA, "a line without a name", "look at what the source sends");
        const struct sluice_value row[2] = {sluice_text(line, (size_t)(name - line)), sluice_text(name + 1, strlen(name + 1))};
        if (sluice_emit(session, 0, SLUICE_UPSERT, row, 2) < 0) return -1;
    }
    const char *next = header_of(&response, "x-next");
    snprintf(reading->next, sizeof reading->next, "%s", next ? next : "");
    if (next && sluice_checkpoint(session, next, strlen(next)) < 0) return -1;
    return next != NULL;
}

static int check(struct sluice_session *session)
{
    struct sluice_http_response response;
    return get(session, "/people?page=1", &response);
}

static void close_pages(struct sluice_session *session, void *instance)
{
    (void)session;
    free(instance);
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "pages",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "config": {"base_url": {"type": "string", "required": true},
                   "token": {"type": "string", "secret": true, "required": true}},
        "http": {"base": "{{config.base_url}}", "auth": {"kind": "bearer", "token": "{{config.token}}"},
                 "retry": {"tries": 3, "wait": "5ms"}},
        "streams": {"people": {"native": true, "primary_key": "id", "fields": {"id": "integer", "name": "string"}}}}),
                          .check = check, .open = open_pages, .page = page, .close = close_pages,
};
SLUICE_PLUGIN(PLUGIN);
