/* errors: the keys of a rule that says what an answer means, and of what a function says about one. */
#include "rest/vocabulary/tables.h"

#define ACTIONS "retry|rate_limited|refresh_auth|fail|ignore|skip_slice|skip_stream|reset_pages|split_window|shrink_page|reject"

#define FINDING_KEYS                                                                                                           \
    {"wait",                                                                                                                   \
     OPTION_DURATION,                                                                                                          \
     0,                                                                                                                        \
     NULL,                                                                                                                     \
     NULL,                                                                                                                     \
     NULL,                                                                                                                     \
     "retry, rate_limited: how long to wait first; default: what the headers say, else `http.retry`"},                         \
        {"class",                                                                                                              \
         OPTION_ENUM,                                                                                                          \
         0,                                                                                                                    \
         "source",                                                                                                             \
         "source|auth|permission|data|config",                                                                                 \
         NULL,                                                                                                                 \
         "fail: whose fault it is, which decides the exit code"},                                                              \
    {                                                                                                                          \
        "hint", OPTION_STRING, 0, NULL, NULL, NULL, "what people should do about it"                                           \
    }

static const struct option RULE[] = {
    {"status", OPTION_LIST, 0, NULL, NULL, NULL, "one or several: `404`, `4xx`, `500-599`; default: any, 200 as well"},
    {"header", OPTION_STRING, 0, NULL, NULL, NULL, "look at this header of the answer"},
    {"path", OPTION_STRING, 0, NULL, NULL, NULL,
     "look at this value of the JSON body: `error.code`, `*.errorCode` for that of any element; without `header` and `path`: "
     "at the body's text"},
    {"equals", OPTION_LIST, 0, NULL, NULL, NULL, "it is this, or one of these"},
    {"contains", OPTION_LIST, 0, NULL, NULL, NULL, "this is in it, or one of these; capitals do not matter"},
    {"exists", OPTION_BOOLEAN, 0, NULL, NULL, NULL,
     "true: it is there, and is not null or empty; false: it is not there. Default of `header` and `path`: true"},
    {"action", OPTION_ENUM, OPTION_REQUIRED | OPTION_FUNCTION, NULL, ACTIONS, NULL, "what to do, or a function(response, ctx)"},
    FINDING_KEYS,
};
const struct option_table VOCABULARY_ERROR_RULE = OPTION_TABLE("an error rule", RULE);

static const struct option FINDING[] = {
    {"action", OPTION_ENUM, OPTION_REQUIRED, NULL, ACTIONS, NULL, "what to do"},
    FINDING_KEYS,
};
const struct option_table VOCABULARY_ERROR_FINDING = OPTION_TABLE("what an errors function gives", FINDING);
