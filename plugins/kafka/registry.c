#include "kafka/registry.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "kafka/text.h"

bool registry_is_there(struct sluice_session *session)
{
    const char *url = sluice_config(session, "schema_registry");
    return url && *url;
}

/* --- asking --------------------------------------------------------------------------------------------------------------- */

/* "Basic .." (RFC 7617); empty without a user. */
static void write_login(struct sluice_session *session, struct text *out)
{
    const char *user = sluice_config(session, "schema_registry_username");
    const char *password = sluice_config(session, "schema_registry_password");
    struct text both = {0};
    if (!user || !*user) return;
    text_printf(&both, "%s:%s", user, password ? password : "");
    text_puts(out, "Basic ");
    text_base64(out, both.data, both.size);
    text_release(&both);
}

static int ask(struct sluice_session *session, const char *topic, struct sluice_http_response *response)
{
    struct text url = {0}, login = {0};
    text_printf(&url, "/subjects/%s-value/versions/latest", topic); /* names of topics need no escapes */
    write_login(session, &login);
    const struct sluice_header header = {"Authorization", login.data};
    const struct sluice_http_request request = {
        .struct_size = sizeof request, .url = url.data, .headers = &header, .header_count = login.size ? 1 : 0};
    *response = (struct sluice_http_response){.struct_size = sizeof *response};
    int rc = sluice_http(session, &request, response);
    text_release(&url);
    text_release(&login);
    return rc;
}

/* --- what it says --------------------------------------------------------------------------------------------------------- */

static int read_answer(struct sluice_session *session, const char *topic, const cJSON *answer, struct schema *schema)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "schema"));
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "schemaType"));
    const char *flaw = NULL;
    if (!text)
        return fail(session, SLUICE_ERROR_SOURCE, "is `schema_registry` its address?",
                    "the schema registry's answer for '%s-value' has no schema", topic);
    if (!type || strcmp(type, "JSON") != 0)
        say(session, SLUICE_LOG_WARN, "the schema of '%s-value' is of type %s, not JSON: it gives no columns", topic,
            type ? type : "AVRO");
    else if ((flaw = schema_read(schema, text)) != NULL)
        say(session, SLUICE_LOG_WARN, "the schema of '%s-value' gives no columns: %s", topic, flaw);
    if (schema->is_cut)
        say(session, SLUICE_LOG_WARN, "the schema of '%s-value' has more than %d properties: the others are in `value` only",
            topic, SCHEMA_MAX_COLUMNS);
    return 0;
}

int registry_schema(struct sluice_session *session, const char *topic, struct schema *schema)
{
    struct sluice_http_response response;
    int rc = ask(session, topic, &response);
    if (rc < 0) return rc;
    cJSON *answer = cJSON_ParseWithLength(response.body, response.body_size);
    if (cJSON_GetObjectItemCaseSensitive(answer, "error_code")) /* the description lets through: there is no such subject */
        say(session, SLUICE_LOG_INFO, "the schema registry knows no '%s-value': its values stay JSON", topic);
    else
        rc = read_answer(session, topic, answer, schema);
    cJSON_Delete(answer);
    return rc;
}
