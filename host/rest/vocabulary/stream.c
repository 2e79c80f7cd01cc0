/* stream: the keys of a request, of a stream, of one exploded from it, and of a field. */
#include "rest/vocabulary/tables.h"

#define REQUEST_KEYS                                                                                                           \
    {"path", OPTION_STRING, REQUIRED | VALUE, NULL, NULL, NULL, "behind `http.base`, or an absolute URL; values are encoded"}, \
        {"method", OPTION_ENUM, 0, "GET", "GET|POST|PUT", NULL, "of the request"}, REQUEST_KEYS_BEHIND_METHOD
#define REQUEST_KEYS_BEHIND_METHOD                                                                                             \
    {"params", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function: query parameters; a list repeats its name"},           \
        {"headers", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function"},                                                 \
        {"body", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map, list, text or function"},                                        \
        {"body_as", OPTION_ENUM, 0, "json", "json|form|raw", NULL, "how the body is written; raw: a text as it is"},           \
    {                                                                                                                          \
        "idempotency_key", OPTION_STRING, 0, NULL, NULL, NULL,                                                                 \
            "header that carries a random key, the same at each try of a request: a POST or PUT may then be sent again"        \
    }

static const struct option CHECK_KEYS[] = {REQUEST_KEYS};
const struct option_table VOCABULARY_CHECK = OPTION_TABLE("check", CHECK_KEYS);

static const struct option FIELD[] = {
    {"type", OPTION_ENUM, REQUIRED, NULL, "string|integer|decimal|float|boolean|date|timestamp|timestamp_ntz|json|binary", NULL,
     "type of the column"},
    {"format", OPTION_STRING, 0, NULL, NULL, NULL, "how the source spells a date or timestamp; default: ISO 8601"},
    {"zone", OPTION_STRING, 0, NULL, NULL, NULL, "of timestamps that name none: `+02:00`; default: UTC"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
};
const struct option_table VOCABULARY_FIELD = OPTION_TABLE("a field", FIELD);

#define JOB_PATH                                                                                                               \
    {                                                                                                                          \
        "path", OPTION_STRING, REQUIRED | VALUE, NULL, NULL, NULL,                                                             \
            "behind `http.base`, or an absolute URL; values are encoded"                                                       \
    }

static const struct option JOB_CREATE[] = {
    JOB_PATH,
    {"method", OPTION_ENUM, 0, "POST", "GET|POST|PUT", NULL, "of the request"},
    REQUEST_KEYS_BEHIND_METHOD,
    {"idempotent", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "may be sent again when its answer was lost: one job more, which nobody reads, does no harm"},
};
const struct option_table VOCABULARY_JOB_CREATE = OPTION_TABLE("job.create", JOB_CREATE);

static const struct option JOB_POLL[] = {
    REQUEST_KEYS,
    {"state", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "path of the job's state in the answer"},
    {"done", OPTION_LIST, REQUIRED, NULL, NULL, NULL, "the states in which it can be downloaded"},
    {"failed", OPTION_LIST, 0, NULL, NULL, NULL, "the states in which it never will; any other is waited for"},
    {"error", OPTION_STRING, 0, NULL, NULL, NULL, "path of what the source says of a job that failed"},
    {"every", OPTION_DURATION, 0, "1s", NULL, NULL, "first pause between two polls; each one is half as long again"},
    {"up_to", OPTION_DURATION, 0, "30s", NULL, NULL, "longest pause"},
};
const struct option_table VOCABULARY_JOB_POLL = OPTION_TABLE("job.poll", JOB_POLL);

static const struct option JOB_DELETE[] = {
    JOB_PATH,
    {"method", OPTION_ENUM, 0, "DELETE", "DELETE|POST|PUT|PATCH", NULL, "of the request"},
    REQUEST_KEYS_BEHIND_METHOD,
};
const struct option_table VOCABULARY_JOB_DELETE = OPTION_TABLE("job.delete", JOB_DELETE);

static const struct option JOB_ABORT[] = {
    JOB_PATH,
    {"method", OPTION_ENUM, 0, "POST", "POST|PUT|PATCH|DELETE", NULL, "of the request"},
    REQUEST_KEYS_BEHIND_METHOD,
};
const struct option_table VOCABULARY_JOB_ABORT = OPTION_TABLE("job.abort", JOB_ABORT);

static const struct option JOB[] = {
    {"create", OPTION_MAP, REQUIRED, NULL, NULL, &VOCABULARY_JOB_CREATE, "makes the job; the cursor's parameters go with it"},
    {"id", OPTION_STRING, 0, "id", NULL, NULL, "path of its id in the answer: {{job.id}}"},
    {"capture", OPTION_MAP_OF, 0, NULL, NULL, NULL, "further values of the answers: name -> path; {{job.NAME}} is the newest"},
    {"poll", OPTION_MAP, REQUIRED, NULL, NULL, &VOCABULARY_JOB_POLL, "asks what became of it"},
    {"abort", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_JOB_ABORT, "sent before `delete` when it may still run; may fail"},
    {"delete", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_JOB_DELETE, "sent when it is not needed any more; may fail"},
    {"timeout", OPTION_DURATION, 0, "24h", NULL, NULL, "how long a run waits for one job"},
    {"retries", OPTION_INTEGER, 0, "0", "0..10", NULL, "how often a job that failed is made again"},
    {"slots", OPTION_INTEGER, 0, "1", "1..100", NULL, "at most so many jobs of the stream at once, of those its windows want"},
};
const struct option_table VOCABULARY_JOB = OPTION_TABLE("a job", JOB);

static const struct option EXPLODED[] = {
    {"path", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "where the elements are in a record: a field, or a dotted path that begins with one (`lines.*` for the values of a map)"},
    {"copy", OPTION_MAP_OF, 0, NULL, NULL, NULL,
     "what goes along from the record: column -> declared field. Its primary key and its cursor must, for the rows to be "
     "replaced as a set"},
    {"filter", OPTION_ANY, 0, NULL, NULL, NULL, "only elements that hold are kept: a map or a list of them, see filter"},
    {"position", OPTION_STRING, 0, NULL, NULL, NULL, "column for the element's place in its record, from 0"},
    {"primary_key", OPTION_LIST, 0, NULL, NULL, NULL,
     "one column or a list; holds the record's key as it is copied, and what tells its elements apart"},
    {"fields", OPTION_ANY, 0, NULL, NULL, NULL, "of the elements: a map of name to type, or to a map, see a field"},
    {"undeclared", OPTION_ENUM, 0, "column", "column|drop", NULL, "what becomes of fields that are not in `fields`"},
    {"write_mode", OPTION_ENUM, 0, NULL, "append|overwrite|append_dedup", NULL,
     "what fits best, where a pipeline does not say; default: as the root's"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
};
const struct option_table VOCABULARY_EXPLODED = OPTION_TABLE("an exploded stream", EXPLODED);

static const struct option FIELDS_FROM[] = {
    REQUEST_KEYS,
    {"records", OPTION_STRING, 0, "$", NULL, NULL, "path of the records in the answer, one per field"},
    {"pages", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see pages kinds; default: none"},
    {"errors", OPTION_ANY, FUNCTION, NULL, NULL, NULL, "a list of error rules, before those of `http`"},
    {"name", OPTION_STRING, 0, "name", NULL, NULL, "path of a field's name in its record"},
    {"type", OPTION_STRING, 0, "type", NULL, NULL, "path of what the source calls its type"},
    {"types", OPTION_ANY, 0, NULL, NULL, NULL, "what that is as a column: the source's type -> type, or a map, see a field"},
    {"other", OPTION_ENUM, 0, "string", "string|integer|decimal|float|boolean|date|timestamp|timestamp_ntz|json|binary", NULL,
     "type of columns whose type is not among `types`"},
    {"skip", OPTION_LIST, 0, NULL, NULL, NULL, "the source's types that are left out"},
    {"cache", OPTION_DURATION, 0, "1h", NULL, NULL, "how long an answer serves later runs; 0s: not at all"},
};
const struct option_table VOCABULARY_FIELDS_FROM = OPTION_TABLE("fields_from", FIELDS_FROM);

static const struct option CHUNKS[] = {
    {"max_fields", OPTION_INTEGER, 0, NULL, "2..10000", NULL, "so many fields at most in `{{stream.fields}}` of one request"},
    {"max_chars", OPTION_INTEGER, 0, NULL, "100..1000000", NULL,
     "so many characters at most in `{{stream.fields}}` of one request, counted as they stand in a URL (percent-encoded)"},
    {"key", OPTION_LIST, 0, NULL, NULL, NULL,
     "paths in a record as it comes that tell records apart; default: the primary key, without what `add` and `copy` give"},
};
const struct option_table VOCABULARY_CHUNKS = OPTION_TABLE("chunks", CHUNKS);

static const struct option ENRICH[] = {
    REQUEST_KEYS,
    {"by", OPTION_STRING, 0, NULL, NULL, NULL,
     "path in a record, as it comes, of the value that is asked with: `{{batch.ids}}`; default: the primary key"},
    {"batch", OPTION_INTEGER, 0, "1", "1..1000", NULL,
     "so many of these values in one request, which names them between commas"},
    {"filter", OPTION_ANY, 0, NULL, NULL, NULL, "only records that hold are asked about: a map or a list of them, see filter"},
    {"records", OPTION_STRING, 0, "$", NULL, NULL, "path of the records in the answer"},
    {"pages", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see pages kinds; default: none"},
    {"errors", OPTION_ANY, FUNCTION, NULL, NULL, NULL, "a list of error rules, before those of `http`"},
    {"key", OPTION_STRING, 0, NULL, NULL, NULL,
     "path in an answer's record of the value that was asked with; default: as `by`; with `batch` 1 all records belong to it"},
    {"value", OPTION_STRING, 0, "$", NULL, NULL, "path in an answer's record of what is taken"},
    {"many", OPTION_BOOLEAN, 0, "false", NULL, NULL, "there are any number of records for a value: they become a list"},
    {"into", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "field of the record that takes it, as it comes: before `flatten`, `rename` ..."},
};
const struct option_table VOCABULARY_ENRICH = OPTION_TABLE("enrich", ENRICH);

/* Of a record, and of an event about one. */
static const struct option DELETED[] = {
    {"path", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "what says so: a field, or a dotted path"},
    {"equals", OPTION_LIST, 0, NULL, NULL, NULL, "its text is this, or one of these"},
    {"ends_with", OPTION_STRING, 0, NULL, NULL, NULL,
     "its text ends with this; with neither: it is there, and is not null, false, 0 or empty"},
};
const struct option_table VOCABULARY_DELETED = OPTION_TABLE("deleted", DELETED);

static const struct option EVENTS[] = {
    REQUEST_KEYS,
    {"idempotent", OPTION_BOOLEAN, 0, "false", NULL, NULL, "a POST or PUT that may be sent again: it only reads"},
    {"records", OPTION_STRING, 0, "$", NULL, NULL, "path of the events"},
    {"pages", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see pages kinds; default: none"},
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where to read from; or place {{cursor.from}}"},
    {"until_param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that says where to stop; or place {{cursor.until}}"},
    {"into", OPTION_ENUM, 0, "query", "query|body", NULL, "where both go"},
    {"bounds", OPTION_ENUM, 0, "[)", "(]|[)", NULL, "which edge belongs to what is asked for"},
    {"order", OPTION_ENUM, 0, "descending", "ascending|descending", NULL,
     "which of the events of one record that share an instant is the newer one: the last that comes, or the first"},
    {"record", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "path of the changed record in an event"},
    {"time", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "path of when it changed"},
    {"deleted", OPTION_ANY, 0, NULL, NULL, NULL, "which events say that the record is gone: a path, or a map, see deleted"},
};
const struct option_table VOCABULARY_EVENTS = OPTION_TABLE("events", EVENTS);

static const struct option ROUTE[] = {
    {"primary_key", OPTION_LIST, 0, NULL, NULL, NULL, "one field or a list"},
    {"fields", OPTION_ANY, REQUIRED, NULL, NULL, NULL, "a map of name to type, or to a map, see a field"},
    {"write_mode", OPTION_ENUM, 0, NULL, "append|overwrite|append_dedup", NULL,
     "what fits best, where a pipeline does not say; default: as the root's"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
};
const struct option_table VOCABULARY_ROUTE = OPTION_TABLE("a route", ROUTE);

static const struct option STREAM[] = {
    {"path", OPTION_STRING, VALUE, NULL, NULL, NULL,
     "behind `http.base`, or an absolute URL; values are encoded. Every stream has one that is not `native`"},
    {"method", OPTION_ENUM, 0, "GET", "GET|POST|PUT", NULL, "of the request"},
    REQUEST_KEYS_BEHIND_METHOD,
    {"idempotent", OPTION_BOOLEAN, 0, "false", NULL, NULL, "a POST or PUT that may be sent again: it only reads"},
    {"weight", OPTION_INTEGER, 0, NULL, "1..1000000", NULL,
     "what each of its requests counts as in `http.rate_limit`; default: the `weight` there"},
    {"records", OPTION_STRING, FUNCTION, "$", NULL, NULL,
     "path of the records (`data.items`, `*` for every element, `$` for the root), or a function(page, ctx) that parses"},
    {"errors", OPTION_ANY, FUNCTION, NULL, NULL, NULL,
     "a list of error rules, before those of `http`, or a function(response, ctx)"},
    {"format", OPTION_ANY, 0, NULL, NULL, NULL,
     "how the answer's body is written: a kind's name, or a map, see format kinds; default: json"},
    {"zip", OPTION_ANY, 0, NULL, NULL, NULL, "positional values get the names of the page: a map or a list of them, see zip"},
    {"filter", OPTION_ANY, 0, NULL, NULL, NULL, "only records that hold are kept: a map or a list of them, see filter"},
    {"pairs", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_PAIRS, "lists of name and value become objects: field -> pairs"},
    {"flatten", OPTION_ANY, 0, NULL, NULL, NULL, "objects become fields: their names, or a map, see flatten"},
    {"drop", OPTION_LIST, 0, NULL, NULL, NULL, "fields that go"},
    {"rename", OPTION_MAP_OF, 0, NULL, NULL, NULL, "fields that get another name: old -> new"},
    {"add", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function: fields that are the same for all records of a page"},
    {"map", OPTION_STRING, FUNCTION, NULL, NULL, NULL, "a function(record, ctx) that gives none, one or many records"},
    {"primary_key", OPTION_LIST, 0, NULL, NULL, NULL, "one field or a list"},
    {"pages", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see pages kinds; default: none"},
    {"cursor", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see cursor kinds"},
    {"job", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_JOB,
     "the records are made by a job, one for each window: `path` and `pages` download what it made"},
    {"fields", OPTION_ANY, 0, NULL, NULL, NULL, "a map of name to type, or to a map, see a field"},
    {"fields_from", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_FIELDS_FROM,
     "a request whose records list further fields and their types"},
    {"chunks", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_CHUNKS,
     "more fields than one request takes are asked for by several, and put together by key"},
    {"enrich", OPTION_ANY, 0, NULL, NULL, NULL,
     "requests that tell more of each page's records: a map or a list of them, see enrich"},
    {"undeclared", OPTION_ENUM, 0, "column", "column|drop", NULL, "what becomes of fields that are not in `fields`"},
    {"deleted", OPTION_ANY, 0, NULL, NULL, NULL,
     "which records say that they are gone: a path, or a map, see deleted; append_dedup marks them `_sluice_deleted`"},
    {"stable", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "pages do not shift between runs: an interrupted slice goes on where it stopped"},
    {"sync_modes", OPTION_LIST, 0, NULL, NULL, NULL,
     "full_refresh, incremental; default: both with a cursor, else full_refresh"},
    {"write_mode", OPTION_ENUM, 0, NULL, "append|overwrite|append_dedup", NULL,
     "what fits best, where a pipeline does not say"},
    {"partitions", OPTION_ANY, 0, NULL, NULL, NULL,
     "the stream is read once for each value: a map or a list of them, see a partition; of several, for each combination"},
    {"parent", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_PARENT, "the stream is read once for each record of another"},
    {"internal", OPTION_BOOLEAN, 0, "false", NULL, NULL, "read for its children or what is exploded from it, and never loaded"},
    {"explode", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_EXPLODED,
     "streams made of the elements of a list inside each record: name -> exploded stream"},
    {"native", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "read by a native plugin's open and page instead of requests; its `fields` are all there are"},
    {"routes", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_ROUTE,
     "of a native stream: further streams that its pages have rows of: name -> route"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
};
const struct option_table VOCABULARY_STREAM = OPTION_TABLE("a stream", STREAM);
