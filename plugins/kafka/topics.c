#include "kafka/topics.h"

#include <string.h>

#include "kafka/client.h"
#include "kafka/registry.h"
#include "kafka/rows.h"
#include "kafka/settings.h"
#include "kafka/text.h"

struct listing {
    struct client client;
    struct settings settings;
    const struct rd_kafka_metadata *metadata;
};

static int listing_open(struct listing *listing, struct sluice_session *session)
{
    int rc = settings_read(&listing->settings, session);
    if (rc) return rc;
    rc = client_open(&listing->client, session, listing->settings.timeout_ms);
    return rc ? rc : client_metadata(&listing->client, NULL, &listing->metadata);
}

static void listing_close(struct listing *listing)
{
    if (listing->metadata) rd_kafka_metadata_destroy(listing->metadata);
    client_close(&listing->client);
    settings_release(&listing->settings);
}

static bool is_wanted(const struct listing *listing, const struct rd_kafka_metadata_topic *topic)
{
    return name_is_valid(topic->topic) && strcmp(topic->topic, TOPICS_STREAM) != 0 &&
           topic->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
           topic->err != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED && names_match(&listing->settings.topics, topic->topic);
}

static bool has_topic(const struct listing *listing, const char *name)
{
    for (int i = 0; i < listing->metadata->topic_cnt; i++)
        if (strcmp(listing->metadata->topics[i].topic, name) == 0) return is_wanted(listing, &listing->metadata->topics[i]);
    return false;
}

/* A name that is written out is meant to be there, and something must be. */
static int check_wanted(const struct listing *listing, struct sluice_session *session)
{
    const char *name;
    bool has_any = false;
    for (size_t at = 0; (name = names_plain(&listing->settings.topics, &at)) != NULL;)
        if (!has_topic(listing, name))
            return fail(session, SLUICE_ERROR_CONFIG, "correct `topics`, or grant DESCRIBE on it to this user",
                        "there is no topic '%s'", name);
    for (int i = 0; i < listing->metadata->topic_cnt; i++)
        has_any = has_any || is_wanted(listing, &listing->metadata->topics[i]);
    if (has_any) return 0;
    return fail(session, SLUICE_ERROR_CONFIG, "see `topics`, and what this user may DESCRIBE", "no topic is wanted and seen");
}

static struct sluice_value text_value(const char *text)
{
    return sluice_text(text, strlen(text));
}

static int emit_topic(const struct listing *listing, struct sluice_session *session, const struct sluice_slice *slice,
                      const char *name)
{
    const struct sluice_table *table = &slice->tables[0];
    struct sluice_value row[2] = {sluice_null(), sluice_null()};
    struct text declaration = {0};
    int name_at = sluice_column_at(table, "name"), declaration_at = sluice_column_at(table, "declaration");
    struct schema schema = {0};
    int rc = registry_is_there(session) ? registry_schema(session, name, &schema) : 0;
    if (rc == 0) {
        rows_declare(&listing->settings, name, &schema, &declaration);
        if (name_at >= 0) row[name_at] = text_value(name);
        if (declaration_at >= 0) row[declaration_at] = sluice_json(declaration.data, declaration.size);
        rc = sluice_emit(session, 0, SLUICE_UPSERT, row, table->column_count);
    }
    schema_release(&schema);
    text_release(&declaration);
    return rc < 0 ? rc : 0;
}

int topics_list(struct sluice_session *session, const struct sluice_slice *slice)
{
    struct listing listing = {0};
    int rc = listing_open(&listing, session);
    if (rc == 0) rc = check_wanted(&listing, session);
    for (int i = 0; rc == 0 && i < listing.metadata->topic_cnt; i++)
        if (is_wanted(&listing, &listing.metadata->topics[i]))
            rc = emit_topic(&listing, session, slice, listing.metadata->topics[i].topic);
    listing_close(&listing);
    return rc;
}

/* Whatever it says of one of the topics, it can be asked. */
static int check_registry(const struct listing *listing, struct sluice_session *session)
{
    struct schema schema = {0};
    int i = 0;
    while (!is_wanted(listing, &listing->metadata->topics[i])) i++;
    int rc = registry_schema(session, listing->metadata->topics[i].topic, &schema);
    schema_release(&schema);
    return rc;
}

int topics_check(struct sluice_session *session)
{
    struct listing listing = {0};
    int rc = listing_open(&listing, session);
    if (rc == 0) rc = check_wanted(&listing, session);
    if (rc == 0 && registry_is_there(session)) rc = check_registry(&listing, session);
    listing_close(&listing);
    return rc;
}
