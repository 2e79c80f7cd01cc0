/* registry: what a schema registry says of a topic's values, by the HTTP interface of Confluent's (Redpanda's, Apicurio's and
 * Karapace's speak it, too): docs.confluent.io/platform/current/schema-registry/develop/api.html. The host sends the requests,
 * as the description's `http` says. */
#ifndef SLUICE_KAFKA_REGISTRY_H
#define SLUICE_KAFKA_REGISTRY_H

#include <stdbool.h>

#include <sluice/plugin.h>

#include "kafka/schema.h"

bool registry_is_there(struct sluice_session *session); /* `schema_registry` is configured */

/* The newest schema of the subject TOPIC-value. Without columns where there is none, or where it is none of JSON, which is
 * told. Errors: those of sluice_http, SOURCE for an answer that is none of a registry. */
int registry_schema(struct sluice_session *session, const char *topic, struct schema *schema);

#endif
