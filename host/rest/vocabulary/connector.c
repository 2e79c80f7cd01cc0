/* connector: the keys of the description itself, of its configuration, and of http. */
#include "rest/vocabulary/tables.h"

static const struct option CONFIG_ENTRY[] = {
    {"type", OPTION_ENUM, 0, "string", "string|integer|number|boolean|timestamp|date|enum|list", NULL,
     "what values may be; a list is of texts without commas, and as a text has commas between them"},
    {"required", OPTION_BOOLEAN, 0, "false", NULL, NULL, "a pipeline must give it"},
    {"default", OPTION_ANY, 0, NULL, NULL, NULL, "its value when a pipeline gives none"},
    {"secret", OPTION_BOOLEAN, 0, "false", NULL, NULL, "never printed, never readable by functions; strings and lists"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
    {"values", OPTION_LIST, 0, NULL, NULL, NULL, "of an enum: what it may be"},
    {"connect", OPTION_INTEGER, 0, NULL, "1..65535", NULL,
     "native plugins: the value names hosts that are connected to (a URL, `host:port`, several between commas); the port where "
     "it "
     "names none"},
    {"files", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "native plugins: the value is a file, a folder or a pattern whose files are read"},
};
const struct option_table VOCABULARY_CONFIG_ENTRY = OPTION_TABLE("a config entry", CONFIG_ENTRY);

static const struct option TIMEOUTS[] = {
    {"connect", OPTION_DURATION, 0, "10s", NULL, NULL, "until the connection stands"},
    {"first_byte", OPTION_DURATION, 0, "60s", NULL, NULL, "from the request to the first byte of its answer"},
    {"low_speed", OPTION_DURATION, 0, "60s", NULL, NULL, "how long an answer may come with less than 1 KiB/s"},
    {"total", OPTION_DURATION, 0, NULL, NULL, NULL, "of one request; default: none, as long as bytes come"},
};
const struct option_table VOCABULARY_TIMEOUTS = OPTION_TABLE("timeouts", TIMEOUTS);

static const struct option RETRY[] = {
    {"tries", OPTION_INTEGER, 0, "5", "1..100", NULL,
     "of one request, the first included; those the source told to wait do not count"},
    {"wait", OPTION_DURATION, 0, "500ms", NULL, NULL,
     "before the second try: drawn from 0 to this, and to twice as much for each one more, up to 60s"},
    {"budget", OPTION_DURATION, 0, "10m", NULL, NULL, "for all tries of one request"},
};
const struct option_table VOCABULARY_RETRY = OPTION_TABLE("retry", RETRY);

static const struct option HTTP[] = {
    {"base", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL, "URL that paths are put behind; its host is allowed"},
    {"hosts", OPTION_LIST, TEMPLATE, NULL, NULL, NULL, "further hosts: `api.example.com`, `*.example.com`, `127.0.0.1:8080`"},
    {"headers", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function: headers of every request"},
    {"params", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function: query parameters of every request"},
    {"auth", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see auth kinds"},
    {"rate_limit", OPTION_ANY, 0, NULL, NULL, NULL, "a map, or a list of maps that all hold; see rate_limit kinds"},
    {"errors", OPTION_ANY, FUNCTION, NULL, NULL, NULL, "a list of error rules, or a function(response, ctx)"},
    {"timeouts", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_TIMEOUTS, "limits on waiting"},
    {"retry", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_RETRY, "how often a request is tried that the source could not serve"},
    {"user_agent", OPTION_STRING, 0, NULL, NULL, NULL, "instead of `sluice/VERSION`"},
};
const struct option_table VOCABULARY_HTTP = OPTION_TABLE("http", HTTP);

static const struct option DYNAMIC[] = {
    {"from", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "the stream whose records list them, often an internal one"},
    {"name", OPTION_STRING, 0, "name", NULL, NULL, "path of a stream's name in such a record"},
    {"stream", OPTION_ANY, REQUIRED | FUNCTION, NULL, NULL, NULL,
     "a stream, in which {{record.PATH}} is what the record says; or a function(record, ctx) that gives one"},
    {"cache", OPTION_DURATION, 0, "1h", NULL, NULL, "how long a list serves later runs; 0s: not at all"},
};
const struct option_table VOCABULARY_DYNAMIC = OPTION_TABLE("dynamic", DYNAMIC);

static const struct option CONNECTOR[] = {
    {"name", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "lower case letters, digits, `_` and `-`"},
    {"version", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "of the connector"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "its name for people"},
    {"config", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_CONFIG_ENTRY, "what a pipeline configures: name -> entry"},
    {"http", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_HTTP,
     "where requests go and what they carry; every connector has it that has streams which are not `native`"},
    {"profile", OPTION_ENUM, 0, NULL, "parse|network|files", NULL,
     "of a native plugin, which says it in its descriptor: the walls around it"},
    {"check", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_CHECK, "request that proves the configuration; default: a first page"},
    {"streams", OPTION_MAP_OF, REQUIRED, NULL, NULL, &VOCABULARY_STREAM, "name -> stream"},
    {"dynamic", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_DYNAMIC, "further streams, which the source lists"},
};
const struct option_table VOCABULARY_CONNECTOR = OPTION_TABLE("a connector", CONNECTOR);

static const struct option PARSER[] = {
    {"name", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "lower case letters, digits, `_` and `-`"},
    {"version", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "of the parser"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "its name for people"},
    {"profile", OPTION_ENUM, 0, NULL, "parse", NULL, "it has no other"},
    {"parser", OPTION_BOOLEAN, REQUIRED, NULL, NULL, NULL,
     "true: it reads no source, but the bodies of connectors whose streams name it in their `format`"},
    {"config", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_CONFIG_ENTRY,
     "what a `format` configures: name -> entry; no secrets, hosts or files"},
};
const struct option_table VOCABULARY_PARSER = OPTION_TABLE("a parser", PARSER);
