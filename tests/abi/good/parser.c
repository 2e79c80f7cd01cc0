/* parser: a plugin that declares requests and only parses their answers: functions and sluice_result. The answer's body is
 * lines of "ID NAME", and its first line the next page's path. */
#include <sluice/plugin.h>
#include <stdio.h>
#include <string.h>

static int records(struct sluice_session *session, const struct sluice_call *call)
{
    const char *at = call->page, *end = call->page + call->page_size;
    int line = 0, rc = 0;
    while (at < end && rc == 0) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        const char *space = memchr(at, ' ', (size_t)(stop - at));
        char record[256];
        if (line++ > 0 && space) {
            int size = snprintf(record, sizeof record, "{\"id\":%.*s,\"name\":\"%.*s\"}\n", (int)(space - at), at,
                                (int)(stop - space - 1), space + 1);
            rc = sluice_result(session, record, (size_t)size);
        }
        at = stop + 1;
    }
    return rc;
}

static int path(struct sluice_session *session, const struct sluice_call *call)
{
    (void)call;
    return sluice_result(session, "\"/people\"", 9);
}

static const struct sluice_function FUNCTIONS[] = {
    {"streams.people.records", records},
    {"streams.people.path", path},
    {NULL, NULL},
};

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "parser",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "config": {"base_url": {"type": "string", "required": true}},
        "http": {"base": "{{config.base_url}}"},
        "streams": {
            "people": {
                "path": {"$function": "streams.people.path"},
                "primary_key": "id",
                "records": {"$function": "streams.people.records"},
                "fields": {"id": "integer", "name": "string"}
            }
        }
    }),
                              .functions = FUNCTIONS,
};
SLUICE_PLUGIN(PLUGIN);
