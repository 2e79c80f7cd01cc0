/* registry: what a schema registry says of a topic's values, by the HTTP interface of Confluent's (Redpanda's, Apicurio's and
 * Karapace's speak it, too): docs.confluent.io/platform/current/schema-registry/develop/api.html. For the thread of the
 * callback.
 *
 *     int rc = registry_open(&registry, session);
 *     if (registry.is_there) rc = registry_schema(&registry, "orders", &schema);
 *     registry_close(&registry);
 */
#ifndef SLUICE_KAFKA_REGISTRY_H
#define SLUICE_KAFKA_REGISTRY_H

#include <stdbool.h>

#include <curl/curl.h>

#include <sluice/plugin.h>

#include "kafka/schema.h"
#include "kafka/text.h"

enum { REGISTRY_MAX_BYTES = 4 * 1024 * 1024 };

struct registry {
    bool is_there; /* `schema_registry` is configured */
    struct sluice_session *session;
    const char *url;
    CURL *curl;
    struct curl_slist *addresses;
    struct text body;
};

/* Looks up where it is. CONFIG when its URL is none. Zeroed before. */
int registry_open(struct registry *registry, struct sluice_session *session);
void registry_close(struct registry *registry); /* one that is zeroed, or could not be opened, too */

/* The newest schema of the subject TOPIC-value. Without columns where there is none, or where it is none of JSON, which is
 * told. AUTH, PERMISSION, SOURCE for what it refuses, TRANSIENT while it is away. */
int registry_schema(struct registry *registry, const char *topic, struct schema *schema);

#endif
