/* pages: the keys of each way a listing goes on. */
#include "rest/vocabulary/tables.h"

#define SIZE_KEYS                                                                                                              \
    {"size", OPTION_INTEGER, 0, NULL, "1..1000000", NULL, "records asked for per page: {{page.size}}"},                        \
        {"size_param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the size"},                                 \
    {                                                                                                                          \
        "into", OPTION_ENUM, 0, "query", "query|body", NULL, "where `param` and `size_param` go"                               \
    }
#define GUARD_KEYS                                                                                                             \
    {"max_pages", OPTION_INTEGER, 0, "1000000", "1..1000000000", NULL, "more pages in one slice are an error"},                \
    {                                                                                                                          \
        "stable", OPTION_BOOLEAN, 0, NULL, NULL, NULL, "as the stream's `stable`"                                              \
    }
#define PARALLEL_KEY                                                                                                           \
    {                                                                                                                          \
        "parallel", OPTION_INTEGER, 0, "1", "1..16", NULL,                                                                     \
            "so many pages are requested at once where the source tells the total; they are taken in their order"              \
    }
#define CAP_KEY                                                                                                                \
    {                                                                                                                          \
        "cap", OPTION_INTEGER, 0, NULL, "1..1000000000", NULL,                                                                 \
            "records that one query gives at most, however it is paged; more are an error, not a loss"                         \
    }
#define TOKEN_KEYS                                                                                                             \
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the token; or place {{page.token}}"},                \
        {"start", OPTION_STRING, 0, NULL, NULL, NULL, "token of the first request; default: none is sent"},                    \
    {                                                                                                                          \
        "keep_params", OPTION_BOOLEAN, 0, "true", NULL, NULL,                                                                  \
            "false: requests with a token carry no other parameters but the size"                                              \
    }
#define FLAG_KEYS                                                                                                              \
    {"more", OPTION_STRING, 0, NULL, NULL, NULL, "path of a flag that is true while pages follow"},                            \
    {                                                                                                                          \
        "last", OPTION_STRING, 0, NULL, NULL, NULL, "path of a flag that is true on the last page"                             \
    }
#define COUNT_KEYS                                                                                                             \
    {"total", OPTION_STRING, 0, NULL, NULL, NULL, "path of the number of records in all"},                                     \
    {                                                                                                                          \
        "stop", OPTION_ENUM, 0, "empty", "empty|short", NULL,                                                                  \
            "what ends it beside flags and totals: a page without records, or one with fewer than `size`"                      \
    }

static const struct option PAGES_NONE_KEYS[] = {KIND};
static const struct option PAGES_PAGE_KEYS[] = {
    KIND,
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the number; or place {{page.number}}"},
    {"start", OPTION_INTEGER, 0, "1", "0..1000000000", NULL, "number of the first page"},
    CAP_KEY,
    PARALLEL_KEY,
    SIZE_KEYS,
    FLAG_KEYS,
    COUNT_KEYS,
    {"total_pages", OPTION_STRING, 0, NULL, NULL, NULL, "path of the number of pages in all"},
    GUARD_KEYS,
};
static const struct option PAGES_OFFSET_KEYS[] = {
    KIND,
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the offset; or place {{page.offset}}"},
    {"start", OPTION_INTEGER, 0, "0", "0..1000000000", NULL, "offset of the first page"},
    CAP_KEY,
    PARALLEL_KEY,
    SIZE_KEYS,
    FLAG_KEYS,
    COUNT_KEYS,
    GUARD_KEYS,
};
static const struct option PAGES_CURSOR_KEYS[] = {
    KIND,
    {"next", OPTION_STRING, REQUIRED | FUNCTION, NULL, NULL, NULL, "path of the next token, or a function(ctx, page)"},
    TOKEN_KEYS,
    SIZE_KEYS,
    FLAG_KEYS,
    CAP_KEY,
    GUARD_KEYS,
};
static const struct option PAGES_HEADER_TOKEN_KEYS[] = {
    KIND,
    {"header", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "header of the answer that holds the next token"},
    {"end", OPTION_STRING, 0, "null", NULL, NULL, "its value on the last page; so are an empty one and none"},
    TOKEN_KEYS,
    SIZE_KEYS,
    FLAG_KEYS,
    GUARD_KEYS,
};
static const struct option PAGES_LAST_RECORD_KEYS[] = {
    KIND,
    {"field", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "field, or dotted path, of the last record: what the parameter carries"},
    TOKEN_KEYS,
    SIZE_KEYS,
    FLAG_KEYS,
    COUNT_KEYS,
    GUARD_KEYS,
};
static const struct option PAGES_TIME_NEXT_KEYS[] = {
    KIND,
    {"next", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "path of a page's end time"},
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries a page's start time; or place {{page.token}}"},
    {"start", OPTION_STRING, 0, NULL, NULL, NULL, "start time of the first page; default: the cursor's"},
    {"format", OPTION_STRING, 0, "epoch", NULL, NULL, "of the times"},
    {"keep_params", OPTION_BOOLEAN, 0, "true", NULL, NULL,
     "false: requests after the first carry no other parameters but the size"},
    SIZE_KEYS,
    FLAG_KEYS,
    COUNT_KEYS,
    GUARD_KEYS,
};
static const struct option PAGES_CAPPED_KEYSET_KEYS[] = {
    KIND,
    {"cap", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "records that one query gives at most, however it is paged"},
    {"key", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "field, or dotted path, of a record that the source sorts by; unique, unless `inclusive`"},
    {"pages", OPTION_ANY, REQUIRED, NULL, NULL, NULL,
     "how pages follow up to the cap: a map of kind page, offset, cursor, next_url or link_header"},
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the last key; or place {{page.key}}"},
    {"into", OPTION_ENUM, 0, "query", "query|body", NULL, "where `param` goes"},
    {"start", OPTION_STRING, 0, NULL, NULL, NULL, "key of the first query; default: none is sent"},
    {"inclusive", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "true: the filter gives the key's own value, too (>=); what comes twice by that is dropped"},
    GUARD_KEYS,
};
static const struct option PAGES_NEXT_URL_KEYS[] = {
    KIND,
    {"next", OPTION_STRING, REQUIRED | FUNCTION, NULL, NULL, NULL, "path of the next URL, absolute or relative, or a function"},
    SIZE_KEYS,
    FLAG_KEYS,
    {"keep_params", OPTION_BOOLEAN, 0, "false", NULL, NULL, "true: the stream's parameters replace those of the URL"},
    GUARD_KEYS,
};
static const struct option PAGES_LINK_KEYS[] = {
    KIND,
    {"rel", OPTION_STRING, 0, "next", NULL, NULL, "the relation that names the next page"},
    SIZE_KEYS,
    {"keep_params", OPTION_BOOLEAN, 0, "false", NULL, NULL, "true: the stream's parameters replace those of the URL"},
    GUARD_KEYS,
};
static const struct option_table PAGES_NONE_TABLE = OPTION_TABLE("pages none", PAGES_NONE_KEYS);
static const struct option_table PAGES_PAGE_TABLE = OPTION_TABLE("pages page", PAGES_PAGE_KEYS);
static const struct option_table PAGES_OFFSET_TABLE = OPTION_TABLE("pages offset", PAGES_OFFSET_KEYS);
static const struct option_table PAGES_CURSOR_TABLE = OPTION_TABLE("pages cursor", PAGES_CURSOR_KEYS);
static const struct option_table PAGES_NEXT_URL_TABLE = OPTION_TABLE("pages next_url", PAGES_NEXT_URL_KEYS);
static const struct option_table PAGES_LINK_TABLE = OPTION_TABLE("pages link_header", PAGES_LINK_KEYS);
static const struct option_table PAGES_HEADER_TOKEN_TABLE = OPTION_TABLE("pages header_token", PAGES_HEADER_TOKEN_KEYS);
static const struct option_table PAGES_LAST_RECORD_TABLE = OPTION_TABLE("pages last_record", PAGES_LAST_RECORD_KEYS);
static const struct option_table PAGES_TIME_NEXT_TABLE = OPTION_TABLE("pages time_next", PAGES_TIME_NEXT_KEYS);
static const struct option_table PAGES_CAPPED_KEYSET_TABLE = OPTION_TABLE("pages capped_keyset", PAGES_CAPPED_KEYSET_KEYS);
static const struct vocabulary_kind PAGES_KINDS[] = {
    {"none", &PAGES_NONE_TABLE, "one request is all"},
    {"page", &PAGES_PAGE_TABLE, "numbered pages"},
    {"offset", &PAGES_OFFSET_TABLE, "so many records in; advances by the records that came"},
    {"cursor", &PAGES_CURSOR_TABLE, "a token in each answer asks for the next"},
    {"next_url", &PAGES_NEXT_URL_TABLE, "each answer holds the URL of the next"},
    {"link_header", &PAGES_LINK_TABLE, "the Link header holds the URL of the next (RFC 8288)"},
    {"header_token", &PAGES_HEADER_TOKEN_TABLE, "a token in a header of each answer"},
    {"last_record", &PAGES_LAST_RECORD_TABLE, "a field of the last record asks for the next page"},
    {"time_next", &PAGES_TIME_NEXT_TABLE, "the end time of a page is the start of the next"},
    {"capped_keyset", &PAGES_CAPPED_KEYSET_TABLE, "starts over behind the last key where the source caps depth"},
};
const struct vocabulary_kinds VOCABULARY_PAGES = {"pages", NULL, PAGES_KINDS, ARRAY_SIZE(PAGES_KINDS)};
