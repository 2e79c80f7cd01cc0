/* sections: every table there is, once. The reference and the annotations walk this list, so neither can miss a key. */
#include "rest/vocabulary/tables.h"

const struct vocabulary_section VOCABULARY_SECTIONS[] = {
    {"A connector", "Connector", &VOCABULARY_CONNECTOR, NULL},
    {"A config entry", "ConfigEntry", &VOCABULARY_CONFIG_ENTRY, NULL},
    {"http", "Http", &VOCABULARY_HTTP, NULL},
    {"http.auth", "Auth", NULL, &VOCABULARY_AUTH},
    {"http.auth.sign", "Sign", &VOCABULARY_SIGN, NULL},
    {"http.auth.assertion", "Assertion", &VOCABULARY_ASSERTION, NULL},
    {"http.auth.exchange", "Exchange", &VOCABULARY_EXCHANGE, NULL},
    {"http.rate_limit", "RateLimit", NULL, &VOCABULARY_RATE_LIMIT},
    {"http.rate_limit.match", "Match", &VOCABULARY_LIMIT_MATCH, NULL},
    {"http.rate_limit.learn", "Learn", &VOCABULARY_LIMIT_LEARN, NULL},
    {"http.timeouts", "Timeouts", &VOCABULARY_TIMEOUTS, NULL},
    {"http.retry", "Retry", &VOCABULARY_RETRY, NULL},
    {"An error rule", "ErrorRule", &VOCABULARY_ERROR_RULE, NULL},
    {"check", "Check", &VOCABULARY_CHECK, NULL},
    {"A stream", "Stream", &VOCABULARY_STREAM, NULL},
    {"An exploded stream", "Exploded", &VOCABULARY_EXPLODED, NULL},
    {"pages", "Pages", NULL, &VOCABULARY_PAGES},
    {"cursor", "Cursor", NULL, &VOCABULARY_CURSOR},
    {"format", "Format", NULL, &VOCABULARY_FORMAT},
    {"zip", "Zip", &VOCABULARY_ZIP, NULL},
    {"filter", "Filter", &VOCABULARY_FILTER, NULL},
    {"pairs", "Pairs", &VOCABULARY_PAIRS, NULL},
    {"flatten", "Flatten", &VOCABULARY_FLATTEN, NULL},
    {"cursor.events", "Events", &VOCABULARY_EVENTS, NULL},
    {"deleted", "Deleted", &VOCABULARY_DELETED, NULL},
    {"A field", "Field", &VOCABULARY_FIELD, NULL},
    {"fields_from", "FieldsFrom", &VOCABULARY_FIELDS_FROM, NULL},
};
const size_t VOCABULARY_SECTION_COUNT = ARRAY_SIZE(VOCABULARY_SECTIONS);
