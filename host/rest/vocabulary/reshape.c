/* reshape: what becomes of a record's shape before it has types. */
#include "rest/vocabulary/tables.h"

static const struct option FILTER[] = {
    {"path", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "of the record: a field, or a dotted path"},
    {"equals", OPTION_LIST, 0, NULL, NULL, NULL, "it is this, or one of these, compared as texts"},
    {"not_equals", OPTION_LIST, 0, NULL, NULL, NULL, "it is none of these; what is not there is none of them"},
    {"exists", OPTION_BOOLEAN, 0, NULL, NULL, NULL, "true: it is there, and not null; false: it is not"},
};
const struct option_table VOCABULARY_FILTER = OPTION_TABLE("a filter", FILTER);

static const struct option ZIP[] = {
    {"names", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "path in the page, of the list of names: `dimensionHeaders`"},
    {"name", OPTION_STRING, 0, NULL, NULL, NULL, "where the name is, when the list holds objects: `name`"},
    {"from", OPTION_STRING, 0, "$", NULL, NULL, "field of the record with the list of values; `$`: the record is the list"},
    {"value", OPTION_STRING, 0, NULL, NULL, NULL, "where the value is, when the elements are objects: `value`"},
};
const struct option_table VOCABULARY_ZIP = OPTION_TABLE("a zip", ZIP);

static const struct option PAIRS[] = {
    {"key", OPTION_STRING, 0, "id", NULL, NULL, "field of an element that names the value: a text or a number"},
    {"value", OPTION_STRING, 0, "value", NULL, NULL, "field of an element, or a path in it, that holds the value"},
};
const struct option_table VOCABULARY_PAIRS = OPTION_TABLE("pairs", PAIRS);

static const struct option FLATTEN[] = {
    {"fields", OPTION_LIST, 0, NULL, NULL, NULL, "only these fields of the record; default: all that hold objects"},
    {"separator", OPTION_STRING, 0, "_", NULL, NULL, "between an object's name and its field's"},
    {"prefix", OPTION_BOOLEAN, 0, "true", NULL, NULL, "false: fields keep their own names, without the object's"},
    {"depth", OPTION_INTEGER, 0, "1", "1..64", NULL, "levels of objects that become fields; deeper ones stay objects"},
};
const struct option_table VOCABULARY_FLATTEN = OPTION_TABLE("flatten", FLATTEN);
