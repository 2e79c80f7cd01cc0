/* cursor: the keys of each way to read only what is new. */
#include "rest/vocabulary/tables.h"

#define CURSOR_FORMAT_HELP "how the source spells it: iso8601, epoch, epoch_ms, epoch_us, date or a %Y-%m-%d pattern"
#define CURSOR_ORDER_HELP                                                                                                      \
    "ascending: pages come in the cursor's order, so state may advance inside a slice; newest_first: the newest window is "    \
    "read first"
#define CURSOR_STEP_HELP "read in windows of this length, a duration or months like 1mo, each a slice of its own"
#define CURSOR_RETENTION_HELP "how long the source keeps this: after a longer pause everything is read anew"
#define CURSOR_TYPES "timestamp|timestamp_ntz|date|integer|decimal|string"

/* What every kind has that goes by a field of its records. */
#define CURSOR_FIELD_KEYS                                                                                                      \
    {"field", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "field of a record that orders the stream"},                          \
        {"format", OPTION_STRING, 0, NULL, NULL, NULL, CURSOR_FORMAT_HELP},                                                    \
        {"type", OPTION_ENUM, 0, NULL, CURSOR_TYPES, NULL, "default: that of its field"},                                      \
        {"start", OPTION_STRING, TEMPLATE, NULL, NULL, NULL, "where a first sync begins"},                                     \
        {"lookback", OPTION_ANY, 0, NULL, NULL, NULL, "read again this far: a duration; of an integer cursor an integer"},     \
        {"delay", OPTION_DURATION, 0, NULL, NULL, NULL, "leave what is newer than this for the next sync"},                    \
        {"granularity", OPTION_DURATION, 0, NULL, NULL, NULL, "the source cuts its times to this, its format aside"},          \
        {"replaces",                                                                                                           \
         OPTION_LIST,                                                                                                          \
         0,                                                                                                                    \
         NULL,                                                                                                                 \
         NULL,                                                                                                                 \
         NULL,                                                                                                                 \
         "fields that earlier versions of the connector went by, whose stored values hold for this one, too"},                 \
    {                                                                                                                          \
        "missing", OPTION_ENUM, 0, "include", "include|reject|fail", NULL, "a record without the field"                        \
    }

/* What kinds have by which the source filters. */
#define CURSOR_FILTER_KEYS                                                                                                     \
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where to read from; or place {{cursor.from}}"},         \
        {"until_param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where to stop; or place {{cursor.until}}"},   \
        {"into", OPTION_ENUM, 0, "query", "query|body", NULL, "where both go; in a JSON body each is a dotted path"},          \
        {"retention", OPTION_DURATION, 0, NULL, NULL, NULL, CURSOR_RETENTION_HELP},                                            \
        {"order", OPTION_ENUM, 0, "unknown", "ascending|newest_first|unknown", NULL, CURSOR_ORDER_HELP},                       \
    {                                                                                                                          \
        "bounds", OPTION_ENUM, 0, NULL, "(]|[)", NULL, "which edge of a window belongs to it; default: as sent"                \
    }

static const struct option FILTER_KEYS[] = {
    {"kind", OPTION_STRING, 0, "filter", NULL, NULL, "one of the kinds"},
    CURSOR_FIELD_KEYS,
    CURSOR_FILTER_KEYS,
    {"step", OPTION_STRING, 0, NULL, NULL, NULL, CURSOR_STEP_HELP},
    {"min_step", OPTION_DURATION, 0, "1m", NULL, NULL, "a window that is too much for the source is halved, down to this"},
};
static const struct option WINDOWED_KEYS[] = {
    KIND,
    CURSOR_FIELD_KEYS,
    CURSOR_FILTER_KEYS,
    {"step", OPTION_STRING, REQUIRED, NULL, NULL, NULL, CURSOR_STEP_HELP},
    {"min_step", OPTION_DURATION, 0, "1m", NULL, NULL, "a window that is too much for the source is halved, down to this"},
};
static const struct option CLIENT_SIDE_KEYS[] = {
    KIND,
    CURSOR_FIELD_KEYS,
    {"order", OPTION_ENUM, 0, "unknown", "ascending|descending|unknown", NULL,
     "ascending: state may advance inside a sync; descending: newest first"},
    {"stop_early", OPTION_BOOLEAN, 0, "false", NULL, NULL, "descending: end at the first page that holds what is known"},
};
/* `field` is only needed for what a token cannot do. */
static const struct option TOKEN_KEYS[] = {
    KIND,
    {"next", OPTION_STRING, 0, NULL, NULL, NULL,
     "path in an answer: where the next sync begins, the newest counts; a native stream's token is its checkpoint"},
    {"param", OPTION_STRING, 0, NULL, NULL, NULL,
     "parameter that carries it; not set, nor {{cursor.token}} placed: it is a URL"},
    {"into", OPTION_ENUM, 0, "query", "query|body", NULL, "where the parameters go"},
    {"start_param", OPTION_STRING, 0, NULL, NULL, NULL,
     "parameter that says where to begin without a token; or {{cursor.from}}"},
    {"start", OPTION_STRING, TEMPLATE, NULL, NULL, NULL, "where a first sync begins"},
    {"format", OPTION_STRING, 0, NULL, NULL, NULL, CURSOR_FORMAT_HELP},
    {"type", OPTION_ENUM, 0, NULL, CURSOR_TYPES, NULL, "default: that of its field, else timestamp"},
    {"field", OPTION_STRING, 0, NULL, NULL, NULL, "orders versions; after a refused token reading begins at its newest value"},
    {"lookback", OPTION_ANY, 0, NULL, NULL, NULL, "and this far before it: a duration; of an integer cursor an integer"},
    {"missing", OPTION_ENUM, 0, "include", "include|reject|fail", NULL, "a record without the field"},
    {"retention", OPTION_DURATION, 0, NULL, NULL, NULL, CURSOR_RETENTION_HELP},
};
static const struct option EVENT_FEED_KEYS[] = {
    KIND,
    {"field", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "declared column of type timestamp, not read from records: when this version was made, as the event says, or when the "
     "list was begun"},
    {"events", OPTION_MAP, REQUIRED, NULL, NULL, &VOCABULARY_EVENTS, "request and shape of the events"},
    {"format", OPTION_STRING, 0, NULL, NULL, NULL, CURSOR_FORMAT_HELP},
    {"delay", OPTION_DURATION, 0, "1m", NULL, NULL,
     "the state stays this far behind, for what shows late and for clocks that differ"},
    {"retention", OPTION_DURATION, 0, NULL, NULL, NULL, CURSOR_RETENTION_HELP},
};
static const struct option REFETCH_KEYS[] = {
    KIND,
    {"field", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "declared field of a record, a date or time: which partition it belongs to"},
    {"format", OPTION_STRING, 0, NULL, NULL, NULL, CURSOR_FORMAT_HELP},
    {"start", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL, "where a first sync begins"},
    {"last", OPTION_DURATION, REQUIRED, NULL, NULL, NULL, "how far back each sync reads again: `3d`"},
    {"partition", OPTION_ENUM, 0, "day", "day|month", NULL, "what is read, and replaced, as a whole"},
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where a partition begins; or place {{cursor.from}}"},
    {"until_param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where it ends; or place {{cursor.until}}"},
    {"into", OPTION_ENUM, 0, "query", "query|body", NULL, "where both go"},
    {"bounds", OPTION_ENUM, 0, "[)", "[)|[]", NULL, "[): `until` is the day behind the partition; []: its last day"},
    {"missing", OPTION_ENUM, 0, "reject", "reject|fail", NULL, "a record without the field"},
};
static const struct option_table REFETCH_TABLE = OPTION_TABLE("cursor refetch", REFETCH_KEYS);
static const struct option_table EVENT_FEED_TABLE = OPTION_TABLE("cursor event_feed", EVENT_FEED_KEYS);
static const struct option_table TOKEN_TABLE = OPTION_TABLE("cursor token", TOKEN_KEYS);
static const struct option_table FILTER_TABLE = OPTION_TABLE("cursor filter", FILTER_KEYS);
static const struct option_table WINDOWED_TABLE = OPTION_TABLE("cursor windowed", WINDOWED_KEYS);
static const struct option_table CLIENT_SIDE_TABLE = OPTION_TABLE("cursor client_side", CLIENT_SIDE_KEYS);
static const struct vocabulary_kind CURSOR_KINDS[] = {
    {"filter", &FILTER_TABLE, "the source filters by a parameter"},
    {"windowed", &WINDOWED_TABLE, "the same in windows of `step`"},
    {"client_side", &CLIENT_SIDE_TABLE, "everything is read and the old dropped"},
    {"token", &TOKEN_TABLE, "the source's own sync token"},
    {"refetch", &REFETCH_TABLE, "the newest days or months are read again, and replaced"},
    {"event_feed", &EVENT_FEED_TABLE, "a list first, events about changes later"},
};
const struct vocabulary_kinds VOCABULARY_CURSOR = {"cursor", "filter", CURSOR_KINDS, ARRAY_SIZE(CURSOR_KINDS)};
