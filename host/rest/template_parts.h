/* template_parts: what a compiled template is made of, shared by template.c (which compiles) and template_render.c (which
 * renders). Nobody else includes this. */
#ifndef SLUICE_REST_TEMPLATE_PARTS_H
#define SLUICE_REST_TEMPLATE_PARTS_H

#include "rest/template.h"

enum name_id {
    NAME_CONFIG,
    NAME_LITERAL,
    NAME_AUTH,
    NAME_PARENT,
    NAME_PARTITION,
    NAME_RECORD,
    NAME_JOB,
    NAME_CURSOR_FROM,
    NAME_CURSOR_UNTIL,
    NAME_CURSOR_VALUE,
    NAME_CURSOR_TOKEN,
    NAME_SLICE_ID,
    NAME_SLICE_FROM,
    NAME_SLICE_TO,
    NAME_PAGE_NUMBER,
    NAME_PAGE_OFFSET,
    NAME_PAGE_TOKEN,
    NAME_PAGE_SIZE,
    NAME_PAGE_KEY,
    NAME_STREAM_NAME,
    NAME_STREAM_FIELDS,
    NAME_BATCH_IDS,
    NAME_NOW,
};

enum filter_id {
    FILTER_FORMAT,
    FILTER_MINUS,
    FILTER_PLUS,
    FILTER_DEFAULT,
    FILTER_UPPER,
    FILTER_LOWER,
    FILTER_URLENCODE,
    FILTER_STRING,
    FILTER_LIST,
    FILTER_LIST_OF
};

struct known_filter {
    const char *name;
    enum filter_id id;
    bool takes_argument;
    bool keeps_number; /* the result of a number is still one */
};

enum { FILTERS_MAX = 8 };

struct filter {
    const struct known_filter *known;
    const char *argument;
    int64_t argument_us; /* MINUS, PLUS */
};

struct part {
    bool is_reference;
    struct str text; /* literal; or what stands between the braces, for messages */
    enum name_id name;
    struct str below; /* CONFIG: the entry's name; AUTH: the fact's; PARENT, RECORD: the path; PARTITION: the name;
                       * LITERAL: the text */
    struct filter filters[FILTERS_MAX];
    size_t filter_count;
};

struct template
{
    const struct part *parts;
    size_t count;
};

#endif
