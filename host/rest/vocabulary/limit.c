/* limit: the keys of each kind of rate limit. */
#include "rest/vocabulary/tables.h"

static const struct option MATCH_KEYS[] = {
    {"method", OPTION_STRING, 0, NULL, NULL, NULL, "`GET`, `POST` .."},
    {"path", OPTION_STRING, 0, NULL, NULL, NULL,
     "behind the base's path, whole; `*` stands for any characters: `/crm/*/search`"},
    {"streams", OPTION_LIST, 0, NULL, NULL, NULL, "names of streams"},
};
const struct option_table VOCABULARY_LIMIT_MATCH = OPTION_TABLE("match", MATCH_KEYS);

static const struct option LEARN_KEYS[] = {
    {"limit", OPTION_STRING, 0, NULL, NULL, NULL, "how many there are"},
    {"remaining", OPTION_STRING, 0, NULL, NULL, NULL, "how many are left"},
    {"used", OPTION_STRING, 0, NULL, NULL, NULL, "how many were used; goes with `limit`"},
    {"reset", OPTION_STRING, 0, NULL, NULL, NULL, "when there are more: seconds, an epoch in seconds or milliseconds, a date"},
    {"cost", OPTION_STRING, 0, NULL, NULL, NULL, "what this request took; its `weight` was the estimate"},
    {"rate", OPTION_STRING, 0, NULL, NULL, NULL, "of kind cost: points that come back in each second"},
    {"usage", OPTION_STRING, 0, NULL, NULL, NULL,
     "several at once: `18/5000` (used of how many), `api-usage=18/5000`, `total=10; remaining=9; resets=2`"},
};
const struct option_table VOCABULARY_LIMIT_LEARN = OPTION_TABLE("learn", LEARN_KEYS);

#define WHOSE                                                                                                                  \
    {"name", OPTION_STRING, 0, NULL, NULL, NULL, "for messages; limits of one name count together"},                           \
        {"pool",                                                                                                               \
         OPTION_STRING,                                                                                                        \
         TEMPLATE,                                                                                                             \
         NULL,                                                                                                                 \
         NULL,                                                                                                                 \
         NULL,                                                                                                                 \
         "whose allowance it is; default: the connector, its host and the secrets of the configuration"},                      \
    {                                                                                                                          \
        "match", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_LIMIT_MATCH, "which requests it is for; default: all"                  \
    }
#define LEARN                                                                                                                  \
    {                                                                                                                          \
        "learn", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_LIMIT_LEARN,                                                           \
            "where answers say what is left: names of headers, or paths into the body (`$.extensions.cost`)"                   \
    }
#define WEIGHT(help_text)                                                                                                      \
    {                                                                                                                          \
        "weight", OPTION_INTEGER, 0, "1", "1..1000000", NULL, help_text                                                        \
    }
#define SLOW_DOWN                                                                                                              \
    {                                                                                                                          \
        "slow_down", OPTION_NUMBER, 0, NULL, "0..1", NULL,                                                                     \
            "when less than this share is left, by what answers say, the rest is spread until the reset"                       \
    }

static const struct option LIMIT_BUCKET_KEYS[] = {
    {"kind", OPTION_STRING, 0, "bucket", NULL, NULL, "one of the kinds"},
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "how many in `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "the time they are spread over"},
    {"burst", OPTION_INTEGER, 0, NULL, "1..1000000", NULL,
     "how many at once after a pause; without it, never more than `requests` in any `per`"},
    WEIGHT("how many a request counts as"),
    WHOSE,
    LEARN,
    SLOW_DOWN,
};
static const struct option LIMIT_WINDOW_KEYS[] = {
    KIND,
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "how many in each `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "length of the window"},
    WEIGHT("how many a request counts as"),
    WHOSE,
    LEARN,
    SLOW_DOWN,
};
static const struct option LIMIT_CONCURRENCY_KEYS[] = {
    KIND,
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..120", NULL, "how many at once"},
    WHOSE,
};
static const struct option LIMIT_COST_KEYS[] = {
    KIND,
    {"points", OPTION_INTEGER, REQUIRED, NULL, "1..100000000", NULL, "how many come back in `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "the time in which they do"},
    {"burst", OPTION_INTEGER, 0, NULL, "1..100000000", NULL, "how many there are after a pause; default: `points`"},
    WEIGHT("what a request takes, before its answer says what it took"),
    WHOSE,
    LEARN,
    SLOW_DOWN,
};
static const struct option LIMIT_QUOTA_KEYS[] = {
    KIND,
    {"requests", OPTION_INTEGER, 0, NULL, "1..100000000", NULL, "how many in `per`; without it, only what answers say counts"},
    {"per", OPTION_DURATION, 0, "1d", NULL, NULL, "of a rolling quota: how long a request counts"},
    {"reset", OPTION_ENUM, 0, "rolling", "rolling|midnight", NULL, "when it begins anew"},
    {"zone", OPTION_STRING, 0, NULL, NULL, NULL, "whose midnight: `+02:00`; default: UTC"},
    {"stop_at", OPTION_NUMBER, 0, "1", "0..1", NULL, "the share that may be used; the rest is left to others"},
    WEIGHT("how many a request counts as"),
    WHOSE,
    LEARN,
};
static const struct option_table LIMIT_BUCKET_TABLE = OPTION_TABLE("rate_limit bucket", LIMIT_BUCKET_KEYS);
static const struct option_table LIMIT_WINDOW_TABLE = OPTION_TABLE("rate_limit window", LIMIT_WINDOW_KEYS);
static const struct option_table LIMIT_CONCURRENCY_TABLE = OPTION_TABLE("rate_limit concurrency", LIMIT_CONCURRENCY_KEYS);
static const struct option_table LIMIT_COST_TABLE = OPTION_TABLE("rate_limit cost", LIMIT_COST_KEYS);
static const struct option_table LIMIT_QUOTA_TABLE = OPTION_TABLE("rate_limit quota", LIMIT_QUOTA_KEYS);
static const struct vocabulary_kind LIMIT_KINDS[] = {
    {"bucket", &LIMIT_BUCKET_TABLE, "a token bucket: refilled by `requests` in each `per`, holding `burst`"},
    {"window", &LIMIT_WINDOW_TABLE, "never more than `requests` in any span of `per`; what a bucket without `burst` does, too"},
    {"concurrency", &LIMIT_CONCURRENCY_TABLE, "requests in flight, of all processes together"},
    {"cost", &LIMIT_COST_TABLE,
     "a bucket of points: a request takes its `weight`, and what it really cost once the answer says so"},
    {"quota", &LIMIT_QUOTA_TABLE,
     "an allowance for a day or so: when it is used up the sync ends (exit code 4) with everything kept that was read, and "
     "says when "
     "to come back"},
};
const struct vocabulary_kinds VOCABULARY_RATE_LIMIT = {"rate_limit", "bucket", LIMIT_KINDS, ARRAY_SIZE(LIMIT_KINDS)};
