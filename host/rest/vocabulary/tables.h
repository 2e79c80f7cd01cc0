/* tables: what the files with the tables share. Only they include this. */
#ifndef SLUICE_REST_VOCABULARY_TABLES_H
#define SLUICE_REST_VOCABULARY_TABLES_H

#include "base/check.h"
#include "rest/vocabulary.h"

enum {
    REQUIRED = OPTION_REQUIRED,
    TEMPLATE = OPTION_TEMPLATE,
    FUNCTION = OPTION_FUNCTION,
    SECRET = OPTION_SECRET | OPTION_TEMPLATE,
    VALUE = OPTION_TEMPLATE | OPTION_FUNCTION,
};

#define KIND                                                                                                                   \
    {                                                                                                                          \
        "kind", OPTION_STRING, 0, NULL, NULL, NULL, "one of the kinds"                                                         \
    }

#endif
