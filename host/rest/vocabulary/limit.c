/* limit: the keys of each kind of rate limit. */
#include "rest/vocabulary/tables.h"

static const struct option LIMIT_BUCKET_KEYS[] = {
    {"kind", OPTION_STRING, 0, "bucket", NULL, NULL, "one of the kinds"},
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "how many in `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "the time they are spread over"},
    {"burst", OPTION_INTEGER, 0, NULL, "1..1000000", NULL,
     "how many at once after a pause; without it, never more than `requests` in any `per`"},
};
static const struct option LIMIT_WINDOW_KEYS[] = {
    KIND,
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "how many in each `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "length of the window"},
};
static const struct option_table LIMIT_BUCKET_TABLE = OPTION_TABLE("rate_limit bucket", LIMIT_BUCKET_KEYS);
static const struct option_table LIMIT_WINDOW_TABLE = OPTION_TABLE("rate_limit window", LIMIT_WINDOW_KEYS);
static const struct vocabulary_kind LIMIT_KINDS[] = {
    {"bucket", &LIMIT_BUCKET_TABLE, "a token bucket: refilled by `requests` in each `per`, holding `burst`"},
    {"window", &LIMIT_WINDOW_TABLE, "never more than `requests` in any span of `per`; what a bucket without `burst` does, too"},
    {"concurrency", NULL, "requests in flight"},
    {"cost", NULL, "points per request"},
    {"quota", NULL, "a daily allowance"},
};
const struct vocabulary_kinds VOCABULARY_RATE_LIMIT = {"rate_limit", "bucket", LIMIT_KINDS, ARRAY_SIZE(LIMIT_KINDS)};
