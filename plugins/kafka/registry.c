#include "kafka/registry.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { ADDRESSES_MAX = 8, TIMEOUT_S = 30, CONNECT_S = 10 };

/* --- where it is ------------------------------------------------------------------------------------------------------ */

/* "HOST:PORT:ADDRESS,..": so that nothing but what the host allows is connected to. */
static int find_addresses(struct registry *registry, const char *host, uint16_t port)
{
    char found[ADDRESSES_MAX][46];
    size_t count = ADDRESSES_MAX, size = strlen(host);
    struct text entry = {0};
    bool is_bracketed = size > 2 && host[0] == '[';
    char *name = copy_text(host + is_bracketed);
    if (is_bracketed) name[size - 2] = '\0';
    int rc = sluice_resolve(registry->session, name, port, found, &count);
    free(name);
    if (rc < 0) return rc;
    text_printf(&entry, "%s:%u:", host, (unsigned)port);
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++)
        text_printf(&entry, strchr(found[i], ':') ? "%s[%s]" : "%s%s", i ? "," : "", found[i]);
    registry->addresses = curl_slist_append(NULL, entry.data);
    text_release(&entry);
    return 0;
}

static int locate(struct registry *registry)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    int rc;
    bool is_url = url && curl_url_set(url, CURLUPART_URL, registry->url, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (is_url && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
        rc = find_addresses(registry, host, (uint16_t)strtoul(port, NULL, 10));
    else
        rc = fail(registry->session, SLUICE_ERROR_CONFIG, "it is like https://registry.example.com:8081",
                  "config.schema_registry is no URL: '%s'", registry->url);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return rc;
}

/* --- asking ----------------------------------------------------------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct registry *registry = context;
    size *= count;
    if (registry->body.size + size > REGISTRY_MAX_BYTES) return 0;
    text_put(&registry->body, data, size);
    return size;
}

static void set_up(struct registry *registry)
{
    CURL *curl = registry->curl;
    const char *user = sluice_config(registry->session, "schema_registry_username");
    const char *password = sluice_config(registry->session, "schema_registry_password");
    const char *ca = sluice_config(registry->session, "ssl_ca");
    struct curl_blob certificates = {.data = (void *)(uintptr_t)ca, .len = ca ? strlen(ca) : 0, .flags = CURL_BLOB_COPY};
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, registry->addresses);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, registry);
    if (ca && *ca) curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &certificates);
    if (user && *user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, password ? password : "");
    }
}

static cJSON *answer_of(const struct registry *registry)
{
    return cJSON_ParseWithLength(registry->body.data, registry->body.size);
}

/* An error is {"error_code": 40401, "message": ".."}: no such subject, 40402: none of its versions is left. */
static bool is_unknown(const struct registry *registry)
{
    cJSON *said = answer_of(registry);
    double code = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(said, "error_code"));
    cJSON_Delete(said);
    return code == 40401 || code == 40402;
}

static int refuse(struct registry *registry, const char *topic, long status)
{
    cJSON *said = answer_of(registry);
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(said, "message"));
    enum sluice_error error = status == 401                    ? SLUICE_ERROR_AUTH
                              : status == 403                  ? SLUICE_ERROR_PERMISSION
                              : status == 429 || status >= 500 ? SLUICE_ERROR_TRANSIENT
                                                               : SLUICE_ERROR_SOURCE;
    const char *hint = status == 401 || status == 403 ? "see schema_registry_username and schema_registry_password" : NULL;
    int rc = fail(registry->session, error, hint, "the schema registry answered %ld when it was asked for '%s-value'%s%.200s",
                  status, topic, message ? ": " : "", message ? message : "");
    cJSON_Delete(said);
    return rc;
}

static int ask(struct registry *registry, const char *topic, long *status)
{
    struct text url = {0};
    size_t base = strlen(registry->url);
    while (base && registry->url[base - 1] == '/') base--;
    text_put(&url, registry->url, base);
    text_printf(&url, "/subjects/%s-value/versions/latest", topic); /* names of topics need no escapes */
    text_clear(&registry->body);
    curl_easy_setopt(registry->curl, CURLOPT_URL, url.data);
    CURLcode code = curl_easy_perform(registry->curl);
    text_release(&url);
    curl_easy_getinfo(registry->curl, CURLINFO_RESPONSE_CODE, status);
    if (code == CURLE_OK) return 0;
    bool is_certificate = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
    return fail(registry->session, is_certificate ? SLUICE_ERROR_CONFIG : SLUICE_ERROR_TRANSIENT,
                is_certificate ? "give the certificate of who signed it as `ssl_ca`" : NULL,
                "could not ask the schema registry at %s: %s", registry->url,
                code == CURLE_WRITE_ERROR ? "its answer is larger than 4 MiB" : curl_easy_strerror(code));
}

/* --- what it says ----------------------------------------------------------------------------------------------------- */

static int read_answer(struct registry *registry, const char *topic, struct schema *schema)
{
    cJSON *answer = answer_of(registry);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "schema"));
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "schemaType"));
    const char *flaw = NULL;
    int rc = 0;
    if (!text)
        rc = fail(registry->session, SLUICE_ERROR_SOURCE, "is `schema_registry` its address?",
                  "the schema registry's answer for '%s-value' has no schema", topic);
    else if (!type || strcmp(type, "JSON") != 0)
        say(registry->session, SLUICE_LOG_WARN, "the schema of '%s-value' is of type %s, not JSON: it gives no columns", topic,
            type ? type : "AVRO");
    else if ((flaw = schema_read(schema, text)) != NULL)
        say(registry->session, SLUICE_LOG_WARN, "the schema of '%s-value' gives no columns: %s", topic, flaw);
    if (schema->is_cut)
        say(registry->session, SLUICE_LOG_WARN,
            "the schema of '%s-value' has more than %d properties: the others are in `value` only", topic, SCHEMA_MAX_COLUMNS);
    cJSON_Delete(answer);
    return rc;
}

int registry_open(struct registry *registry, struct sluice_session *session)
{
    registry->session = session;
    registry->url = sluice_config(session, "schema_registry");
    registry->is_there = registry->url && *registry->url;
    if (!registry->is_there) return 0;
    int rc = locate(registry);
    if (rc) return rc;
    registry->curl = curl_easy_init();
    if (!registry->curl) return fail(session, SLUICE_ERROR_CONNECTOR, NULL, "cannot set up HTTP");
    set_up(registry);
    return 0;
}

void registry_close(struct registry *registry)
{
    curl_easy_cleanup(registry->curl);
    curl_slist_free_all(registry->addresses);
    text_release(&registry->body);
}

int registry_schema(struct registry *registry, const char *topic, struct schema *schema)
{
    long status;
    int rc = ask(registry, topic, &status);
    if (rc) return rc;
    if (status == 404 && is_unknown(registry)) {
        say(registry->session, SLUICE_LOG_INFO, "the schema registry knows no '%s-value': its values stay JSON", topic);
        return 0;
    }
    return status == 200 ? read_answer(registry, topic, schema) : refuse(registry, topic, status);
}
