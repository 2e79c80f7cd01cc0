#include "kafka/errors.h"

static const char GRANT[] = "grant READ and DESCRIBE on the topic to this user, or leave it out of `topics`";
static const char GRANT_GROUP[] = "grant READ on the consumer group to this user, or name another one in `group`";
static const char LOGIN[] = "correct `sasl_mechanism`, `sasl_username` and `sasl_password`";
static const char TLS[] = "see `security_protocol`, `ssl_ca`, `ssl_certificate` and `ssl_key`";
static const char REACH[] = "are the brokers up, and reached at `brokers`, with this `security_protocol`?";
static const char GONE[] = "it was deleted, or this user may not see it";
static const char DAMAGED[] = "what the broker stores is damaged; nothing behind it is read";

static const struct kafka_meaning MEANINGS[] = {
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, SLUICE_ERROR_AUTH, false, LOGIN},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, SLUICE_ERROR_AUTH, false, LOGIN},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, SLUICE_ERROR_CONFIG, false, LOGIN},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, SLUICE_ERROR_CONFIG, false, LOGIN},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SLUICE_ERROR_PERMISSION, false, GRANT},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, SLUICE_ERROR_PERMISSION, false, GRANT},
    /* the group is asked for by the library, and not used */
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, SLUICE_ERROR_PERMISSION, true, GRANT_GROUP},
    {RD_KAFKA_RESP_ERR__SSL, SLUICE_ERROR_CONFIG, true, TLS},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, SLUICE_ERROR_SOURCE, false, GONE},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, SLUICE_ERROR_SOURCE, false, GONE},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, SLUICE_ERROR_SOURCE, false, GONE},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, SLUICE_ERROR_CONFIG, false, "correct `topics`"},
    {RD_KAFKA_RESP_ERR__BAD_MSG, SLUICE_ERROR_DATA, false, DAMAGED},
    {RD_KAFKA_RESP_ERR__BAD_COMPRESSION, SLUICE_ERROR_DATA, false, DAMAGED},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, SLUICE_ERROR_DATA, false, DAMAGED},
    {RD_KAFKA_RESP_ERR__FATAL, SLUICE_ERROR_SOURCE, false, NULL},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, SLUICE_ERROR_SOURCE, false, "the brokers are too old for this client"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, SLUICE_ERROR_SOURCE, false, "the brokers are too old for this client"},
    /* all else: connections that break, brokers that go and come, leaders that change */
    {RD_KAFKA_RESP_ERR_NO_ERROR, SLUICE_ERROR_TRANSIENT, true, REACH},
};

const struct kafka_meaning *error_meaning(rd_kafka_resp_err_t code)
{
    const struct kafka_meaning *meaning = MEANINGS;
    while (meaning->code != RD_KAFKA_RESP_ERR_NO_ERROR && meaning->code != code) meaning++;
    return meaning;
}
