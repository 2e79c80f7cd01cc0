/* tables: what the files of this folder share. Only they include this. */
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

/* A table, or the tables of a map's kinds, under the names that readers know it by. */
struct vocabulary_section {
    const char *title; /* in sdk/description.md */
    const char *class; /* in sdk/lua/description.lua, behind "sluice." */
    const struct option_table *table;
    const struct vocabulary_kinds *kinds; /* when there is no table */
};
extern const struct vocabulary_section VOCABULARY_SECTIONS[];
extern const size_t VOCABULARY_SECTION_COUNT;

#endif
