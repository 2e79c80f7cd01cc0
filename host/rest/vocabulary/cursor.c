/* cursor: the keys of each way to read only what is new. */
#include "rest/vocabulary/tables.h"

#define CURSOR_FORMAT_HELP "how the source spells it: iso8601, epoch, epoch_ms, epoch_us, date or a %Y-%m-%d pattern"
#define CURSOR_ORDER_HELP "ascending: pages come in the cursor's order, so state may advance inside a slice"
#define CURSOR_TYPES "timestamp|timestamp_ntz|date|integer|decimal|string"
#define CURSOR_KEYS                                                                                                            \
    {"field", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "field of a record that orders the stream"},                          \
        {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where to read from; or place {{cursor.from}}"},     \
        {"until_param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where to stop; or place {{cursor.until}}"},   \
        {"into", OPTION_ENUM, 0, "query", "query|body", NULL, "where both go"},                                                \
        {"format", OPTION_STRING, 0, NULL, NULL, NULL, CURSOR_FORMAT_HELP},                                                    \
        {"type", OPTION_ENUM, 0, NULL, CURSOR_TYPES, NULL, "default: that of its field"},                                      \
        {"start", OPTION_STRING, TEMPLATE, NULL, NULL, NULL, "where a first sync begins"},                                     \
        {"lookback", OPTION_ANY, 0, NULL, NULL, NULL, "read again this far: a duration; of an integer cursor an integer"},     \
        {"order", OPTION_ENUM, 0, "unknown", "ascending|unknown", NULL, CURSOR_ORDER_HELP},                                    \
        {"bounds", OPTION_ENUM, 0, NULL, "(]|[)", NULL, "which edge of a window belongs to it; default: as sent"},             \
    {                                                                                                                          \
        "missing", OPTION_ENUM, 0, "include", "include|reject", NULL, "a record without the field"                             \
    }

static const struct option CURSOR_FILTER_KEYS[] = {
    {"kind", OPTION_STRING, 0, "filter", NULL, NULL, "one of the kinds"},
    CURSOR_KEYS,
    {"step", OPTION_DURATION, 0, NULL, NULL, NULL, "read in windows of this length, each a slice of its own"},
};
static const struct option CURSOR_WINDOWED_KEYS[] = {
    KIND,
    CURSOR_KEYS,
    {"step", OPTION_DURATION, REQUIRED, NULL, NULL, NULL, "length of a window, each a slice of its own"},
};
static const struct option_table CURSOR_FILTER_TABLE = OPTION_TABLE("cursor filter", CURSOR_FILTER_KEYS);
static const struct option_table CURSOR_WINDOWED_TABLE = OPTION_TABLE("cursor windowed", CURSOR_WINDOWED_KEYS);
static const struct vocabulary_kind CURSOR_KINDS[] = {
    {"filter", &CURSOR_FILTER_TABLE, "the source filters by a parameter"},
    {"windowed", &CURSOR_WINDOWED_TABLE, "the same in windows of `step`"},
    {"client_side", NULL, "everything is read and the old dropped"},
    {"token", NULL, "the source's own sync token"},
    {"refetch", NULL, "the newest partitions are read again"},
    {"event_feed", NULL, "a list first, events later"},
};
const struct vocabulary_kinds VOCABULARY_CURSOR = {"cursor", "filter", CURSOR_KINDS, ARRAY_SIZE(CURSOR_KINDS)};
