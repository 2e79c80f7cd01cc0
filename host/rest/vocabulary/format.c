/* format: how the body of an answer is written. */
#include "rest/vocabulary/tables.h"

#define COMPRESSION                                                                                                            \
    {                                                                                                                          \
        "compression", OPTION_ENUM, 0, NULL, "gzip|zip", NULL,                                                                 \
            "the body is a packed file (zip: with one file in it), beside what the transport does; default: gzip where the "   \
            "answer's `Content-Type` says so"                                                                                  \
    }
#define STREAM                                                                                                                 \
    {                                                                                                                          \
        "stream", OPTION_BOOLEAN, 0, "false", NULL, NULL,                                                                      \
            "the body may have any size: it is kept in a file of the state directory until it is whole, then read in parts"    \
    }
#define COUNT_HEADER                                                                                                           \
    {                                                                                                                          \
        "count_header", OPTION_STRING, 0, NULL, NULL, NULL,                                                                    \
            "header of the answer with the number of records in it; another number is a body that was cut"                     \
    }

static const struct option JSON[] = {KIND, COMPRESSION, STREAM};
static const struct option_table JSON_TABLE = OPTION_TABLE("the json format", JSON);

static const struct option NDJSON[] = {KIND, COMPRESSION, STREAM, COUNT_HEADER};
static const struct option_table NDJSON_TABLE = OPTION_TABLE("the ndjson format", NDJSON);

static const struct option CSV[] = {
    KIND,
    COMPRESSION,
    STREAM,
    COUNT_HEADER,
    {"delimiter", OPTION_STRING, 0, ",", NULL, NULL, "between cells: one ASCII character"},
    {"quote", OPTION_STRING, 0, "\"", NULL, NULL, "around cells that hold delimiters, quotes (doubled) or line ends"},
    {"columns", OPTION_LIST, 0, NULL, NULL, NULL, "names of the columns, where no header row has them"},
    {"null", OPTION_STRING, 0, NULL, NULL, NULL, "a text that is null, beside the empty cell"},
    {"strip_nul", OPTION_BOOLEAN, 0, "false", NULL, NULL, "NUL bytes are left out; else each becomes U+FFFD"},
};
static const struct option_table CSV_TABLE = OPTION_TABLE("the csv format", CSV);

static const struct option XML[] = {
    KIND,
    COMPRESSION,
    {"lists", OPTION_LIST, 0, NULL, NULL, NULL, "names of elements that are lists even where there is only one"},
};
static const struct option_table XML_TABLE = OPTION_TABLE("the xml format", XML);

static const struct option PLUGIN[] = {
    KIND,
    {"plugin", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "name of a parser, a native plugin (`NAME.so`), looked up beside the connector, then where connectors are"},
    {"config", OPTION_MAP_OF, 0, NULL, NULL, NULL, "what the parser declares in its own `config`: name -> value"},
    COMPRESSION,
    STREAM,
    COUNT_HEADER,
};
static const struct option_table PLUGIN_TABLE = OPTION_TABLE("the plugin format", PLUGIN);

static const struct vocabulary_kind KINDS[] = {
    {"json", &JSON_TABLE, "One JSON document"},
    {"ndjson", &NDJSON_TABLE, "A JSON value on each line"},
    {"csv", &CSV_TABLE, "Rows of texts (RFC 4180) in UTF-8; an empty cell is null"},
    {"xml", &XML_TABLE, "One XML document, as JSON: attributes are `@name`, text beside them `#text`, repeated elements lists"},
    {"plugin", &PLUGIN_TABLE, "Whatever a parser makes records of, see [plugins.md](plugins.md)"},
};
const struct vocabulary_kinds VOCABULARY_FORMAT = {"format", "json", KINDS, ARRAY_SIZE(KINDS)};
