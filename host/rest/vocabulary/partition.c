/* partition: what a stream is read for, more than once: values of lists, or the records of another stream. */
#include "rest/vocabulary/tables.h"

static const struct option PARTITION[] = {
    {"name", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "what templates call the value: `{{slice.NAME}}`"},
    {"values", OPTION_ANY, REQUIRED | VALUE, NULL, NULL, NULL,
     "a list, a text of values between commas (`{{config.regions}}`), or a function that gives a list"},
};
const struct option_table VOCABULARY_PARTITION = OPTION_TABLE("a partition", PARTITION);

static const struct option PARENT[] = {
    {"stream", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "the stream whose records are the parents; fetched once a sync"},
    {"key", OPTION_LIST, 0, NULL, NULL, NULL, "one field or a list that tells parents apart; default: their primary key"},
    {"copy", OPTION_MAP_OF, 0, NULL, NULL, NULL, "what goes along into each record: column -> declared field of the parent"},
    {"batch", OPTION_INTEGER, 0, "1", "1..1000", NULL,
     "so many parents in one request, which names them by `{{parent.ids}}`: their keys between commas"},
    {"changed", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "an incremental sync reads only the parents that changed since the last one, by the parent's cursor"},
};
const struct option_table VOCABULARY_PARENT = OPTION_TABLE("a parent", PARENT);
