/* kafka: topics of a Kafka cluster as a source. README.md says how it is used; rows.h what a message becomes. */
#include <stdlib.h>
#include <string.h>

#include "kafka/reader.h"
#include "kafka/text.h"
#include "kafka/topics.h"

static const char DESCRIPTION[] = SLUICE_JSON({
    "title" : "Apache Kafka",
    "config" : {
        "brokers" : {
            "type" : "string",
            "required" : true,
            "connect" : 9092,
            "title" : "brokers, HOST:PORT between commas: one of them at least, and each port that any of them listens on"
        },
        "topics" : {
            "type" : "string",
            "default" : "*",
            "title" : "topics that are read: names between commas, * for any characters, ^REGEX, ! before what is left out"
        },
        "mode" : {
            "type" : "enum",
            "values" : [ "changelog", "upsert" ],
            "default" : "changelog",
            "title" : "changelog: a row for each message; upsert: a row for each key, which a tombstone deletes"
        },
        "key_format" : {
            "type" : "enum",
            "values" : [ "string", "json", "binary", "confluent_json" ],
            "default" : "string",
            "title" : "what keys are; confluent_json: JSON behind the number of its schema"
        },
        "value_format" : {
            "type" : "enum",
            "values" : [ "json", "string", "binary", "confluent_json" ],
            "default" : "json",
            "title" : "what values are"
        },
        "schema_registry" : {
            "type" : "string",
            "title" : "URL of the schema registry: properties of a topic's JSON Schema become columns"
        },
        "schema_registry_username" : {"type" : "string", "title" : "user of the registry, or the name of its API key"},
        "schema_registry_password" : {"type" : "string", "secret" : true, "title" : "its password, or the API key's secret"},
        "start" : {
            "type" : "string",
            "default" : "earliest",
            "title" : "where a first sync begins: earliest, latest, or a time such as 2024-01-31T10:00:00Z"
        },
        "on_lost_offsets" : {
            "type" : "enum",
            "values" : [ "fail", "earliest", "latest" ],
            "default" : "fail",
            "title" : "what follows when messages were deleted before they were read"
        },
        "group" : {
            "type" : "string",
            "default" : "sluice",
            "title" : "consumer group that the brokers are told, for their access rules; nothing is committed to it"
        },
        "timeout_seconds" :
            {"type" : "integer", "default" : 60, "title" : "how long brokers may be away before the sync fails"},
        "security_protocol" : {
            "type" : "enum",
            "values" : [ "plaintext", "ssl", "sasl_plaintext", "sasl_ssl" ],
            "default" : "plaintext",
            "title" : "how brokers are spoken to"
        },
        "sasl_mechanism" : {
            "type" : "enum",
            "values" : [ "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER" ],
            "title" : "how the login is proved"
        },
        "sasl_username" : {"type" : "string", "title" : "user of the login"},
        "sasl_password" : {"type" : "string", "secret" : true, "title" : "its password"},
        "ssl_ca" : {"type" : "string", "title" : "certificates that are trusted, PEM; default: the system's"},
        "ssl_certificate" : {"type" : "string", "title" : "client certificate, PEM"},
        "ssl_key" : {"type" : "string", "secret" : true, "title" : "its private key, PEM"},
        "ssl_key_password" : {"type" : "string", "secret" : true, "title" : "the key's password"},
        "options" :
            {"type" : "string", "title" : "further properties of librdkafka, NAME=VALUE between semicolons: client.rack=eu-1a"}
    },
    "http" : {
        "base" : "{{config.schema_registry | default:\"https://none.invalid\"}}",
        "errors" :
            [ {"status" : 404, "path" : "error_code", "equals" : [ "40401", "40402" ], "action" : "ignore"} ]
    },
    "streams" : {
        "__topics" :
            {"native" : true, "internal" : true, "primary_key" : "name", "fields" : {"name" : "string", "declaration" : "json"}}
    },
    "dynamic" : {"from" : "__topics", "name" : "name", "stream" : "{{record.declaration}}", "cache" : "0s"}
});

/* A slice of the list of topics, or of one of them. */
struct stream {
    const struct sluice_slice *slice;
    struct reader *reader; /* NULL: the list, which one page reads */
};

static void release(struct stream *stream)
{
    reader_close(stream->reader);
    free(stream);
}

static int open_slice(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    struct stream *stream = allocate(1, sizeof *stream);
    stream->slice = slice;
    int rc = strcmp(slice->stream, TOPICS_STREAM) == 0 ? 0 : reader_open(&stream->reader, session, slice);
    if (rc < 0)
        release(stream);
    else
        *instance = stream;
    return rc;
}

static int page(struct sluice_session *session, void *instance)
{
    struct stream *stream = instance;
    int rc = stream->reader ? reader_page(stream->reader) : topics_list(session, stream->slice);
    if (rc < 0) release(stream); /* it is not closed then; the process may open it anew */
    return rc;
}

static void close_slice(struct sluice_session *session, void *instance)
{
    (void)session;
    release(instance);
}

static const struct sluice_plugin KAFKA = {
    SLUICE_PLUGIN_HEADER,  .name = "kafka",    .version = "1.0.0", .profile = SLUICE_NETWORK, .description = DESCRIPTION,
    .check = topics_check, .open = open_slice, .page = page,       .close = close_slice,
};
SLUICE_PLUGIN(KAFKA);
