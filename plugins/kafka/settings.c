#include "kafka/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kafka/text.h"

/* --- times ------------------------------------------------------------------------------------------------------------------
 */

/* `count` digits of `*at`; -1: they are not there. */
static int digits(const char **at, int count)
{
    int number = 0;
    for (; count > 0; count--, (*at)++) {
        if (**at < '0' || **at > '9') return -1;
        number = number * 10 + (**at - '0');
    }
    return number;
}

static bool read_zone(const char **at, int64_t *offset_ms)
{
    if (**at == 'Z' || **at == 'z') (*at)++;
    if (**at != '+' && **at != '-') return true;
    int sign = *(*at)++ == '-' ? -1 : 1, hours = digits(at, 2), minutes = 0;
    if (**at == ':') (*at)++;
    if (**at) minutes = digits(at, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
    *offset_ms = (int64_t)sign * (hours * 60 + minutes) * 60000;
    return true;
}

bool settings_time(const char *text, int64_t *milliseconds)
{
    const char *at = text;
    struct tm broken = {0};
    int64_t fraction_ms = 0, offset_ms = 0;
    int year = digits(&at, 4), month = *at++ == '-' ? digits(&at, 2) : -1;
    if (year < 1970 || month < 1 || month > 12 || *at++ != '-') return false;
    int day = digits(&at, 2);
    if (day < 1 || day > 31) return false;
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at++;
        broken.tm_hour = digits(&at, 2);
        broken.tm_min = *at == ':' ? (at++, digits(&at, 2)) : -1;
        if (*at == ':') at++, broken.tm_sec = digits(&at, 2);
        if (broken.tm_hour < 0 || broken.tm_hour > 23 || broken.tm_min < 0 || broken.tm_min > 59 || broken.tm_sec < 0 ||
            broken.tm_sec > 59)
            return false;
        if (*at == '.')
            for (int weight = 100, has_more = (at++, 1); has_more && *at >= '0' && *at <= '9'; at++, weight /= 10)
                fraction_ms += (*at - '0') * weight;
        if (!read_zone(&at, &offset_ms)) return false;
    }
    if (*at) return false;
    broken.tm_year = year - 1900;
    broken.tm_mon = month - 1;
    broken.tm_mday = day;
    *milliseconds = (int64_t)timegm(&broken) * 1000 + fraction_ms - offset_ms;
    return broken.tm_mday == day; /* no 31st of February */
}

/* --- the plugin's own --------------------------------------------------------------------------------------------------------
 */

/* The place of a config entry's value among `words`, which end with NULL; the host has checked that it is one of them. */
static int place_of(struct sluice_session *session, const char *key, const char *const *words)
{
    const char *value = sluice_config(session, key);
    for (int i = 0; value && words[i]; i++)
        if (strcmp(words[i], value) == 0) return i;
    return 0;
}

static int read_start(struct settings *settings, struct sluice_session *session)
{
    const char *start = sluice_config(session, "start");
    settings->start = START_TIME;
    if (!start || strcmp(start, "earliest") == 0)
        settings->start = START_EARLIEST;
    else if (strcmp(start, "latest") == 0)
        settings->start = START_LATEST;
    else if (!settings_time(start, &settings->start_ms))
        return fail(session, SLUICE_ERROR_CONFIG, "it is earliest, latest, or a time such as 2024-01-31T10:00:00Z",
                    "config.start is no time: '%s'", start);
    return 0;
}

int settings_read(struct settings *settings, struct sluice_session *session)
{
    static const char *const FORMATS[] = {"json", "string", "binary", "confluent_json", NULL};
    static const char *const MODES[] = {"changelog", "upsert", NULL};
    static const char *const LOST[] = {"fail", "earliest", "latest", NULL};
    const char *topics = sluice_config(session, "topics"), *timeout = sluice_config(session, "timeout_seconds");
    const char *registry = sluice_config(session, "schema_registry");
    *settings = (struct settings){.key_format = (enum format)place_of(session, "key_format", FORMATS),
                                  .value_format = (enum format)place_of(session, "value_format", FORMATS),
                                  .is_upsert = place_of(session, "mode", MODES) == 1,
                                  .on_lost_offsets = (enum lost)place_of(session, "on_lost_offsets", LOST),
                                  .timeout_ms = 1000 * (timeout ? strtoll(timeout, NULL, 10) : 60)};
    const char *flaw = names_init(&settings->topics, topics ? topics : "*");
    if (flaw)
        return fail(session, SLUICE_ERROR_CONFIG, "topics are names between commas, * for any characters, ^ before a regex",
                    "config.topics cannot be read: %s", flaw);
    if (registry && *registry && settings->value_format != FORMAT_JSON && settings->value_format != FORMAT_CONFLUENT_JSON)
        return fail(session, SLUICE_ERROR_CONFIG, "set `value_format` to confluent_json, or leave `schema_registry` out",
                    "config.schema_registry gives columns to values in JSON only");
    if (settings->timeout_ms < 1000 || settings->timeout_ms > 3600000)
        return fail(session, SLUICE_ERROR_CONFIG, NULL, "config.timeout_seconds is not between 1 and 3600");
    return read_start(settings, session);
}

void settings_release(struct settings *settings)
{
    names_release(&settings->topics);
}

/* --- librdkafka's ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *key, *property;
} PROPERTIES[] = {
    {"brokers", "bootstrap.servers"},
    {"group", "group.id"},
    {"security_protocol", "security.protocol"},
    {"sasl_mechanism", "sasl.mechanisms"},
    {"sasl_username", "sasl.username"},
    {"sasl_password", "sasl.password"},
    {"ssl_ca", "ssl.ca.pem"},
    {"ssl_certificate", "ssl.certificate.pem"},
    {"ssl_key", "ssl.key.pem"},
    {"ssl_key_password", "ssl.key.password"},
};

/* What `options` may not set, by how it begins, and why. */
static const struct {
    const char *prefix, *reason;
} DENIED[] = {
    {"bootstrap.servers", "use `brokers`"},
    {"metadata.broker.list", "use `brokers`"},
    {"group.", "use `group`; groups do not hand out partitions here"},
    {"security.protocol", "use `security_protocol`"},
    {"sasl.mechanism", "use `sasl_mechanism`"},
    {"sasl.username", "use `sasl_username`"},
    {"sasl.password", "use `sasl_password`, which is kept secret"},
    {"ssl.ca.pem", "use `ssl_ca`"},
    {"ssl.certificate.pem", "use `ssl_certificate`"},
    {"ssl.key.p", "use `ssl_key` and `ssl_key_password`, which are kept secret"},
    {"ssl.keystore.", "use `ssl_certificate` and `ssl_key`"},
    {"plugin.library.paths", "it runs code"},
    {"ssl.engine", "it runs code"},
    {"ssl.providers", "it runs code"},
    {"sasl.kerberos.kinit.cmd", "it runs code"},
    {"offset.store.", "offsets are kept with the rows"},
    {"auto.commit", "offsets are kept with the rows"},
    {"enable.auto.", "offsets are kept with the rows"},
    {"auto.offset.reset", "use `start` and `on_lost_offsets`"},
    {"enable.partition.eof", "it is how the end of a sync is known"},
    {"partition.assignment.strategy", "groups do not hand out partitions here"},
    {"allow.auto.create.topics", "a source creates nothing"},
    {"max.poll.interval.ms", "a destination may take its time"},
    {"log.queue", "it is how its log is read"},
    {"enabled_events", "it is how it is read"},
    {"opaque", "it is no setting"},
    {"test.mock.", "it is for tests of librdkafka"},
};

static int set(rd_kafka_conf_t *conf, struct sluice_session *session, const char *key, const char *property, const char *value)
{
    char reason[256];
    if (rd_kafka_conf_set(conf, property, value, reason, sizeof reason) == RD_KAFKA_CONF_OK) return 0;
    return fail(session, SLUICE_ERROR_CONFIG, NULL, "config.%s: %s", key, reason);
}

static char *trimmed(const char *begin, size_t size)
{
    static const char SPACE[] = " \t\r\n";
    while (size && strchr(SPACE, *begin)) begin++, size--;
    while (size && strchr(SPACE, begin[size - 1])) size--;
    char *copy = allocate(1, size + 1);
    memcpy(copy, begin, size);
    return copy;
}

static int set_option(rd_kafka_conf_t *conf, struct sluice_session *session, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof DENIED / sizeof *DENIED; i++)
        if (strncasecmp(name, DENIED[i].prefix, strlen(DENIED[i].prefix)) == 0)
            return fail(session, SLUICE_ERROR_CONFIG, DENIED[i].reason, "config.options cannot set %s", name);
    return set(conf, session, "options", name, value);
}

/* NAME=VALUE between semicolons or line ends. */
static int set_options(rd_kafka_conf_t *conf, struct sluice_session *session, const char *list)
{
    int rc = 0;
    for (const char *at = list; rc == 0 && *at; at += *at != 0) {
        size_t size = strcspn(at, ";\n");
        const char *equals = memchr(at, '=', size);
        char *name = trimmed(at, equals ? (size_t)(equals - at) : size);
        char *value = equals ? trimmed(equals + 1, (size_t)(at + size - equals - 1)) : NULL;
        if (*name && !value)
            rc = fail(session, SLUICE_ERROR_CONFIG, "options are NAME=VALUE between semicolons",
                      "config.options has no value for %s", name);
        else if (value)
            rc = set_option(conf, session, name, value);
        free(name);
        free(value);
        at += size;
    }
    return rc;
}

int settings_connection(rd_kafka_conf_t *conf, struct sluice_session *session)
{
    const char *options = sluice_config(session, "options");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof PROPERTIES / sizeof *PROPERTIES; i++) {
        const char *value = sluice_config(session, PROPERTIES[i].key);
        if (value && *value) rc = set(conf, session, PROPERTIES[i].key, PROPERTIES[i].property, value);
    }
    return rc == 0 && options ? set_options(conf, session, options) : rc;
}
