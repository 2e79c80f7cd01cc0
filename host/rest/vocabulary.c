/* How it works: static tables, a look-up of the table a map's `kind` calls for, and a walk that writes all of them as Markdown.
 * The walk follows `child` tables and lists of kinds from one list of sections, so the reference cannot miss a key. */
#include "rest/vocabulary.h"

#include "base/check.h"

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

/* --- config -------------------------------------------------------------------------------------------------------------- */

static const struct option CONFIG_ENTRY[] = {
    {"type", OPTION_ENUM, 0, "string", "string|integer|number|boolean|timestamp|date|enum", NULL, "what values may be"},
    {"required", OPTION_BOOLEAN, 0, "false", NULL, NULL, "a pipeline must give it"},
    {"default", OPTION_ANY, 0, NULL, NULL, NULL, "its value when a pipeline gives none"},
    {"secret", OPTION_BOOLEAN, 0, "false", NULL, NULL, "never printed, never readable by functions; strings only"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
    {"values", OPTION_LIST, 0, NULL, NULL, NULL, "of an enum: what it may be"},
};
const struct option_table VOCABULARY_CONFIG_ENTRY = OPTION_TABLE("a config entry", CONFIG_ENTRY);

/* --- http ---------------------------------------------------------------------------------------------------------------- */

static const struct option AUTH_NONE[] = {KIND};
static const struct option AUTH_BEARER[] = {
    KIND,
    {"token", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "sent as `Authorization: PREFIX TOKEN`"},
    {"prefix", OPTION_STRING, TEMPLATE, "Bearer", NULL, NULL, "the word before the token"},
};
static const struct option AUTH_BASIC[] = {
    KIND,
    {"username", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "user name, or a key that stands in its place"},
    {"password", OPTION_STRING, SECRET, "", NULL, NULL, "password; may be empty"},
};
static const struct option AUTH_API_KEY[] = {
    KIND,
    {"key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "the key"},
    {"name", OPTION_STRING, TEMPLATE, "X-API-Key", NULL, NULL, "header or parameter that carries it"},
    {"into", OPTION_ENUM, 0, "header", "header|query", NULL, "where it goes"},
    {"prefix", OPTION_STRING, TEMPLATE, "", NULL, NULL, "put before the key, with a space between"},
};

static const struct option SIGN[] = {
    {"key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "key of the HMAC"},
    {"message", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "what is signed; knows {{sign.timestamp}}, {{sign.method}}, {{sign.path}} and {{sign.body}}"},
    {"algorithm", OPTION_ENUM, 0, "sha256", "sha1|sha256|sha384|sha512", NULL, "hash of the HMAC"},
    {"encoding", OPTION_ENUM, 0, "hex", "hex|base64|base64url", NULL, "how the signature is written"},
    {"headers", OPTION_MAP_OF, REQUIRED | TEMPLATE, NULL, NULL, NULL,
     "headers of the token call; know {{sign.signature}} beside the names of `message` and config"},
    {"sign_body", OPTION_BOOLEAN, 0, "true", NULL, NULL, "false: {{sign.body}} is empty although a body is sent"},
};
const struct option_table VOCABULARY_SIGN = OPTION_TABLE("a signed token call", SIGN);

static const struct option AUTH_OAUTH2[] = {
    KIND,
    {"grant", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "client_credentials or refresh_token"},
    {"token_url", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL,
     "absolute, or a path behind `http.base`; its host is allowed"},
    {"client_id", OPTION_STRING, SECRET, NULL, NULL, NULL, "the client; left out where `sign` says who asks"},
    {"client_secret", OPTION_STRING, SECRET, NULL, NULL, NULL, "its secret"},
    {"refresh_token", OPTION_STRING, SECRET, NULL, NULL, NULL,
     "grant refresh_token: the first one; newer ones are kept by the host"},
    {"scope", OPTION_STRING, TEMPLATE, NULL, NULL, NULL, "scopes, as the server wants them separated"},
    {"params", OPTION_MAP_OF, TEMPLATE, NULL, NULL, NULL, "further parameters of the token call"},
    {"body", OPTION_ENUM, 0, "form", "form|json", NULL, "how the token call is written"},
    {"credentials", OPTION_ENUM, 0, "body", "body|basic", NULL, "where client_id and client_secret go"},
    {"sign", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_SIGN, "signs the token call with an HMAC"},
};

static const struct option_table AUTH_NONE_TABLE = OPTION_TABLE("auth none", AUTH_NONE);
static const struct option_table AUTH_BEARER_TABLE = OPTION_TABLE("auth bearer", AUTH_BEARER);
static const struct option_table AUTH_BASIC_TABLE = OPTION_TABLE("auth basic", AUTH_BASIC);
static const struct option_table AUTH_API_KEY_TABLE = OPTION_TABLE("auth api_key", AUTH_API_KEY);
static const struct option_table AUTH_OAUTH2_TABLE = OPTION_TABLE("auth oauth2", AUTH_OAUTH2);

static const struct vocabulary_kind AUTH_KINDS[] = {
    {"none", &AUTH_NONE_TABLE, "no credentials"},
    {"bearer", &AUTH_BEARER_TABLE, "a fixed token in the Authorization header"},
    {"basic", &AUTH_BASIC_TABLE, "user name and password (RFC 7617)"},
    {"api_key", &AUTH_API_KEY_TABLE, "a fixed key in a header or parameter"},
    {"oauth2", &AUTH_OAUTH2_TABLE, "a token that is fetched and refreshed by the host (RFC 6749)"},
    {"jwt", NULL, "a signed token of one's own"},
    {"hmac", NULL, "a signature over each request"},
    {"oauth1", NULL, "OAuth 1.0a"},
    {"session", NULL, "a login call"},
    {"sigv4", NULL, "AWS signatures"},
};
const struct vocabulary_kinds VOCABULARY_AUTH = {"auth", NULL, AUTH_KINDS, ARRAY_SIZE(AUTH_KINDS)};

static const struct option LIMIT_BUCKET_KEYS[] = {
    {"kind", OPTION_STRING, 0, "bucket", NULL, NULL, "one of the kinds"},
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "how many in `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "the time they are spread over"},
    {"burst", OPTION_INTEGER, 0, NULL, "1..1000000", NULL,
     "how many at once after a pause; without it, never more than `requests` in any `per`"},
};
static const struct option LIMIT_WINDOW_KEYS[] = {
    KIND,
    {"requests", OPTION_INTEGER, REQUIRED, NULL, "1..1000000", NULL, "how many in each `per`"},
    {"per", OPTION_DURATION, 0, "1s", NULL, NULL, "length of the window"},
};
static const struct option_table LIMIT_BUCKET_TABLE = OPTION_TABLE("rate_limit bucket", LIMIT_BUCKET_KEYS);
static const struct option_table LIMIT_WINDOW_TABLE = OPTION_TABLE("rate_limit window", LIMIT_WINDOW_KEYS);
static const struct vocabulary_kind LIMIT_KINDS[] = {
    {"bucket", &LIMIT_BUCKET_TABLE, "a token bucket: refilled by `requests` in each `per`, holding `burst`"},
    {"window", &LIMIT_WINDOW_TABLE, "never more than `requests` in any span of `per`; what a bucket without `burst` does, too"},
    {"concurrency", NULL, "requests in flight"},
    {"cost", NULL, "points per request"},
    {"quota", NULL, "a daily allowance"},
};
const struct vocabulary_kinds VOCABULARY_RATE_LIMIT = {"rate_limit", "bucket", LIMIT_KINDS, ARRAY_SIZE(LIMIT_KINDS)};

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
    {"rate_limit", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see rate_limit kinds"},
    {"timeouts", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_TIMEOUTS, "limits on waiting"},
    {"retry", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_RETRY, "how often a request is tried that the source could not serve"},
    {"user_agent", OPTION_STRING, 0, NULL, NULL, NULL, "instead of `sluice/VERSION`"},
};
const struct option_table VOCABULARY_HTTP = OPTION_TABLE("http", HTTP);

/* --- requests ------------------------------------------------------------------------------------------------------------ */

#define REQUEST_KEYS                                                                                                           \
    {"path", OPTION_STRING, REQUIRED | VALUE, NULL, NULL, NULL, "behind `http.base`, or an absolute URL; values are encoded"}, \
        {"method", OPTION_ENUM, 0, "GET", "GET|POST|PUT", NULL, "of the request"},                                             \
        {"params", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function: query parameters; a list repeats its name"},       \
        {"headers", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map or function"},                                                 \
        {"body", OPTION_ANY, VALUE, NULL, NULL, NULL, "a map, list, text or function"},                                        \
    {                                                                                                                          \
        "body_as", OPTION_ENUM, 0, "json", "json|form|raw", NULL, "how the body is written; raw: a text as it is"              \
    }

static const struct option CHECK_KEYS[] = {REQUEST_KEYS};
const struct option_table VOCABULARY_CHECK = OPTION_TABLE("check", CHECK_KEYS);

#define SIZE_KEYS                                                                                                              \
    {"size", OPTION_INTEGER, 0, NULL, "1..1000000", NULL, "records asked for per page: {{page.size}}"},                        \
        {"size_param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the size"},                                 \
    {                                                                                                                          \
        "into", OPTION_ENUM, 0, "query", "query|body", NULL, "where `param` and `size_param` go"                               \
    }
#define GUARD_KEYS                                                                                                             \
    {"max_pages", OPTION_INTEGER, 0, "1000000", "1..1000000000", NULL, "more pages in one slice are an error"},                \
    {                                                                                                                          \
        "stable", OPTION_BOOLEAN, 0, NULL, NULL, NULL, "as the stream's `stable`"                                              \
    }
#define FLAG_KEYS                                                                                                              \
    {"more", OPTION_STRING, 0, NULL, NULL, NULL, "path of a flag that is true while pages follow"},                            \
    {                                                                                                                          \
        "last", OPTION_STRING, 0, NULL, NULL, NULL, "path of a flag that is true on the last page"                             \
    }
#define COUNT_KEYS                                                                                                             \
    {"total", OPTION_STRING, 0, NULL, NULL, NULL, "path of the number of records in all"},                                     \
    {                                                                                                                          \
        "stop", OPTION_ENUM, 0, "empty", "empty|short", NULL,                                                                  \
            "what ends it beside flags and totals: a page without records, or one with fewer than `size`"                      \
    }

static const struct option PAGES_NONE_KEYS[] = {KIND};
static const struct option PAGES_PAGE_KEYS[] = {
    KIND,
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the number; or place {{page.number}}"},
    {"start", OPTION_INTEGER, 0, "1", "0..1000000000", NULL, "number of the first page"},
    SIZE_KEYS,
    FLAG_KEYS,
    COUNT_KEYS,
    {"total_pages", OPTION_STRING, 0, NULL, NULL, NULL, "path of the number of pages in all"},
    GUARD_KEYS,
};
static const struct option PAGES_OFFSET_KEYS[] = {
    KIND,
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the offset; or place {{page.offset}}"},
    {"start", OPTION_INTEGER, 0, "0", "0..1000000000", NULL, "offset of the first page"},
    SIZE_KEYS,
    FLAG_KEYS,
    COUNT_KEYS,
    GUARD_KEYS,
};
static const struct option PAGES_CURSOR_KEYS[] = {
    KIND,
    {"param", OPTION_STRING, 0, NULL, NULL, NULL, "parameter that carries the token; or place {{page.token}}"},
    {"next", OPTION_STRING, REQUIRED | FUNCTION, NULL, NULL, NULL, "path of the next token, or a function(ctx, page)"},
    {"start", OPTION_STRING, 0, NULL, NULL, NULL, "token of the first request; default: none is sent"},
    SIZE_KEYS,
    FLAG_KEYS,
    {"keep_params", OPTION_BOOLEAN, 0, "true", NULL, NULL,
     "false: requests with a token carry no other parameters but the size"},
    GUARD_KEYS,
};
static const struct option PAGES_NEXT_URL_KEYS[] = {
    KIND,
    {"next", OPTION_STRING, REQUIRED | FUNCTION, NULL, NULL, NULL, "path of the next URL, absolute or relative, or a function"},
    SIZE_KEYS,
    FLAG_KEYS,
    {"keep_params", OPTION_BOOLEAN, 0, "false", NULL, NULL, "true: the stream's parameters replace those of the URL"},
    GUARD_KEYS,
};
static const struct option PAGES_LINK_KEYS[] = {
    KIND,
    {"rel", OPTION_STRING, 0, "next", NULL, NULL, "the relation that names the next page"},
    SIZE_KEYS,
    {"keep_params", OPTION_BOOLEAN, 0, "false", NULL, NULL, "true: the stream's parameters replace those of the URL"},
    GUARD_KEYS,
};
static const struct option_table PAGES_NONE_TABLE = OPTION_TABLE("pages none", PAGES_NONE_KEYS);
static const struct option_table PAGES_PAGE_TABLE = OPTION_TABLE("pages page", PAGES_PAGE_KEYS);
static const struct option_table PAGES_OFFSET_TABLE = OPTION_TABLE("pages offset", PAGES_OFFSET_KEYS);
static const struct option_table PAGES_CURSOR_TABLE = OPTION_TABLE("pages cursor", PAGES_CURSOR_KEYS);
static const struct option_table PAGES_NEXT_URL_TABLE = OPTION_TABLE("pages next_url", PAGES_NEXT_URL_KEYS);
static const struct option_table PAGES_LINK_TABLE = OPTION_TABLE("pages link_header", PAGES_LINK_KEYS);
static const struct vocabulary_kind PAGES_KINDS[] = {
    {"none", &PAGES_NONE_TABLE, "one request is all"},
    {"page", &PAGES_PAGE_TABLE, "numbered pages"},
    {"offset", &PAGES_OFFSET_TABLE, "so many records in; advances by the records that came"},
    {"cursor", &PAGES_CURSOR_TABLE, "a token in each answer asks for the next"},
    {"next_url", &PAGES_NEXT_URL_TABLE, "each answer holds the URL of the next"},
    {"link_header", &PAGES_LINK_TABLE, "the Link header holds the URL of the next (RFC 8288)"},
    {"header_token", NULL, "a token in a header"},
    {"last_record", NULL, "a field of the last record asks for the next page"},
    {"time_next", NULL, "the end time of a page is the start of the next"},
    {"capped_keyset", NULL, "starts over behind the last key where the source caps depth"},
};
const struct vocabulary_kinds VOCABULARY_PAGES = {"pages", NULL, PAGES_KINDS, ARRAY_SIZE(PAGES_KINDS)};

/* --- streams ------------------------------------------------------------------------------------------------------------- */

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

static const struct option FIELD[] = {
    {"type", OPTION_ENUM, REQUIRED, NULL, "string|integer|decimal|float|boolean|date|timestamp|timestamp_ntz|json|binary", NULL,
     "type of the column"},
    {"format", OPTION_STRING, 0, NULL, NULL, NULL, "how the source spells a date or timestamp; default: ISO 8601"},
    {"zone", OPTION_STRING, 0, NULL, NULL, NULL, "of timestamps that name none: `+02:00`; default: UTC"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
};
const struct option_table VOCABULARY_FIELD = OPTION_TABLE("a field", FIELD);

static const struct option EXPLODED[] = {
    {"path", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "where the elements are in a record: a field, or a dotted path that begins with one (`lines.*` for the values of a map)"},
    {"copy", OPTION_MAP_OF, 0, NULL, NULL, NULL,
     "what goes along from the record: column -> declared field. Its primary key and its cursor must, for the rows to be "
     "replaced as a set"},
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

static const struct option STREAM[] = {
    REQUEST_KEYS,
    {"idempotent", OPTION_BOOLEAN, 0, "false", NULL, NULL, "a POST or PUT that may be sent again: it only reads"},
    {"records", OPTION_STRING, FUNCTION, "$", NULL, NULL,
     "path of the records (`data.items`, `*` for every element, `$` for the root), or a function(page, ctx) that parses"},
    {"map", OPTION_STRING, FUNCTION, NULL, NULL, NULL, "a function(record, ctx) that gives none, one or many records"},
    {"primary_key", OPTION_LIST, 0, NULL, NULL, NULL, "one field or a list"},
    {"pages", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see pages kinds; default: none"},
    {"cursor", OPTION_ANY, 0, NULL, NULL, NULL, "a map, see cursor kinds"},
    {"fields", OPTION_ANY, 0, NULL, NULL, NULL, "a map of name to type, or to a map, see a field"},
    {"undeclared", OPTION_ENUM, 0, "column", "column|drop", NULL, "what becomes of fields that are not in `fields`"},
    {"stable", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "pages do not shift between runs: an interrupted slice goes on where it stopped"},
    {"sync_modes", OPTION_LIST, 0, NULL, NULL, NULL,
     "full_refresh, incremental; default: both with a cursor, else full_refresh"},
    {"write_mode", OPTION_ENUM, 0, NULL, "append|overwrite|append_dedup", NULL,
     "what fits best, where a pipeline does not say"},
    {"explode", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_EXPLODED,
     "streams made of the elements of a list inside each record: name -> exploded stream"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "what it is, for people"},
};
const struct option_table VOCABULARY_STREAM = OPTION_TABLE("a stream", STREAM);

static const struct option CONNECTOR[] = {
    {"name", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "lower case letters, digits, `_` and `-`"},
    {"version", OPTION_STRING, REQUIRED, NULL, NULL, NULL, "of the connector"},
    {"title", OPTION_STRING, 0, NULL, NULL, NULL, "its name for people"},
    {"config", OPTION_MAP_OF, 0, NULL, NULL, &VOCABULARY_CONFIG_ENTRY, "what a pipeline configures: name -> entry"},
    {"http", OPTION_MAP, REQUIRED, NULL, NULL, &VOCABULARY_HTTP, "where requests go and what they carry"},
    {"check", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_CHECK, "request that proves the configuration; default: a first page"},
    {"streams", OPTION_MAP_OF, REQUIRED, NULL, NULL, &VOCABULARY_STREAM, "name -> stream"},
};
const struct option_table VOCABULARY_CONNECTOR = OPTION_TABLE("a connector", CONNECTOR);

/* --- kinds --------------------------------------------------------------------------------------------------------------- */

static const struct vocabulary_kind *find_kind(const struct vocabulary_kinds *kinds, struct str name)
{
    for (size_t i = 0; i < kinds->count; i++)
        if (str_equal(name, str_from(kinds->kinds[i].name))) return &kinds->kinds[i];
    return NULL;
}

const struct vocabulary_kind *vocabulary_kind_of(const struct vocabulary_kinds *kinds, const struct node *map)
{
    return find_kind(kinds, str_from(node_cstr(node_get(map, "kind"), kinds->fallback)));
}

/* The kinds this version runs, for a hint. */
static void hint_kinds(const struct vocabulary_kinds *kinds, struct problems *problems)
{
    struct buf known = BUF_INIT(1024);
    for (size_t i = 0; i < kinds->count; i++)
        if (kinds->kinds[i].table) buf_printf(&known, "%s%s", known.size ? ", " : "", kinds->kinds[i].name);
    problems_hint(problems, "one of: %s", buf_text(&known));
    buf_release(&known);
}

const struct vocabulary_kind *vocabulary_check_kind(const struct vocabulary_kinds *kinds, const struct node *map,
                                                    const char *path, struct problems *problems)
{
    if (!node_is(map, NODE_MAP)) {
        problems_add(problems, map, "%s: expected a map, got %s", path, node_kind_name(map->kind));
        return NULL;
    }
    const struct node *named = node_get(map, "kind");
    if (named && !node_is(named, NODE_STRING)) {
        problems_add(problems, named, "%s.kind: expected a string, got %s", path, node_kind_name(named->kind));
        return NULL;
    }
    if (!named && !kinds->fallback) {
        problems_add(problems, map, "%s: 'kind' is missing", path);
        hint_kinds(kinds, problems);
        return NULL;
    }
    struct str name = named ? node_text(named) : str_from(kinds->fallback);
    const struct vocabulary_kind *kind = find_kind(kinds, name);
    if (!kind) {
        problems_add(problems, named, "%s: unknown kind '" STR_FMT "'", path, STR_ARG(name));
        const char *nearest = str_nearest(name, &kinds->kinds[0].name, kinds->count, sizeof kinds->kinds[0]);
        if (nearest)
            problems_hint(problems, "did you mean '%s'?", nearest);
        else
            hint_kinds(kinds, problems);
        return NULL;
    }
    if (!kind->table) {
        problems_add(problems, named, "%s: kind '%s' is not supported by this version", path, kind->name);
        hint_kinds(kinds, problems);
        return NULL;
    }
    size_t before = problems->count;
    option_check(kind->table, map, path, problems);
    return problems->count == before ? kind : NULL;
}

/* --- reference ----------------------------------------------------------------------------------------------------------- */

static const char *const TYPE_WORDS[] = {
    [OPTION_STRING] = "string", [OPTION_INTEGER] = "integer",     [OPTION_BOOLEAN] = "boolean",
    [OPTION_NUMBER] = "number", [OPTION_ENUM] = "one of",         [OPTION_DURATION] = "duration",
    [OPTION_SIZE] = "size",     [OPTION_TIMESTAMP] = "timestamp", [OPTION_LIST] = "list",
    [OPTION_MAP] = "map",       [OPTION_MAP_OF] = "map of names", [OPTION_LIST_OF] = "list of maps",
    [OPTION_ANY] = "any",
};

/* A cell: '|' would end it. */
static void write_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') buf_append_char(out, '\\');
        buf_append_char(out, *text);
    }
}

static void write_type(struct buf *out, const struct option *option)
{
    buf_append_text(out, TYPE_WORDS[option->type]);
    if (option->values) {
        struct str rest = str_from(option->values), value;
        const char *separator = " ";
        while (option->type == OPTION_ENUM && str_next(&rest, '|', &value)) {
            buf_printf(out, "%s`" STR_FMT "`", separator, STR_ARG(value));
            separator = ", ";
        }
        if (option->type == OPTION_INTEGER) buf_printf(out, " %s", option->values);
    }
    if (option->flags & OPTION_TEMPLATE) buf_append_text(out, ", template");
    if (option->flags & OPTION_FUNCTION) buf_append_text(out, ", function");
    if (option->flags & OPTION_SECRET) buf_append_text(out, ", secret");
}

static void write_default(struct buf *out, const struct option *option)
{
    if (option->flags & OPTION_REQUIRED)
        buf_append_text(out, "required");
    else if (option->fallback && !option->fallback[0])
        buf_append_text(out, "empty");
    else if (option->fallback)
        buf_printf(out, "`%s`", option->fallback);
}

static void write_table(struct buf *out, const struct option_table *table)
{
    buf_append_text(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (strcmp(option->name, "kind") == 0) continue;
        buf_printf(out, "| `%s` | ", option->name);
        write_type(out, option);
        buf_append_text(out, " | ");
        write_default(out, option);
        buf_append_text(out, " | ");
        write_cell(out, option->help);
        buf_append_text(out, " |\n");
    }
    buf_append_char(out, '\n');
}

static void write_kinds(struct buf *out, const struct vocabulary_kinds *kinds)
{
    struct buf later = BUF_INIT(1024);
    for (size_t i = 0; i < kinds->count; i++) {
        const struct vocabulary_kind *kind = &kinds->kinds[i];
        if (!kind->table) {
            buf_printf(&later, "%s`%s` (%s)", later.size ? ", " : "", kind->name, kind->help);
            continue;
        }
        bool is_default = kinds->fallback && strcmp(kinds->fallback, kind->name) == 0;
        buf_printf(out, "### `kind = \"%s\"`\n\n%s%s.\n\n", kind->name, kind->help, is_default ? " (the default kind)" : "");
        if (kind->table->count > 1) write_table(out, kind->table);
    }
    if (later.size) buf_printf(out, "Named by the vocabulary but not supported by this version: %s.\n\n", buf_text(&later));
    buf_release(&later);
}

struct section {
    const char *title;
    const struct option_table *table; /* or */
    const struct vocabulary_kinds *kinds;
};

static const struct section SECTIONS[] = {
    {"A connector", &VOCABULARY_CONNECTOR, NULL},
    {"A config entry", &VOCABULARY_CONFIG_ENTRY, NULL},
    {"http", &VOCABULARY_HTTP, NULL},
    {"http.auth", NULL, &VOCABULARY_AUTH},
    {"http.auth.sign", &VOCABULARY_SIGN, NULL},
    {"http.rate_limit", NULL, &VOCABULARY_RATE_LIMIT},
    {"http.timeouts", &VOCABULARY_TIMEOUTS, NULL},
    {"http.retry", &VOCABULARY_RETRY, NULL},
    {"check", &VOCABULARY_CHECK, NULL},
    {"A stream", &VOCABULARY_STREAM, NULL},
    {"An exploded stream", &VOCABULARY_EXPLODED, NULL},
    {"pages", NULL, &VOCABULARY_PAGES},
    {"cursor", NULL, &VOCABULARY_CURSOR},
    {"A field", &VOCABULARY_FIELD, NULL},
};

void vocabulary_write_reference(struct buf *out)
{
    buf_append_text(
        out,
        "# The description of a connector\n\n"
        "Every key there is. This page is written by the host from the tables that check descriptions.\n\n"
        "- *template*: text may hold `{{...}}`; *function*: a function may stand in its place; *secret*: usually names a "
        "secret config entry.\n"
        "- Durations: `500ms`, `30s`, `5m`, `2h`, `1d`, `1w`; a bare number is seconds.\n"
        "- Names in templates: `config.NAME`, `cursor.from`, `cursor.until`, `cursor.value`, `slice.id`, `slice.from`, "
        "`slice.to`, `page.number`, `page.offset`, `page.token`, `page.size`, `now`.\n"
        "- Filters: `format:\"%Y-%m-%d\"`, `minus:\"5m\"`, `plus:\"5m\"`, `default:\"x\"`, `upper`, `lower`, `urlencode`, "
        "`string`.\n"
        "- A parameter, header or body member that is one reference without a value is left out.\n"
        "- `{ [\"$select\"] = \"ENTRY\", cases = { a = .., b = .. } }` stands for the case that `config.ENTRY` names, anywhere "
        "but in `config`.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(SECTIONS); i++) {
        buf_printf(out, "## %s\n\n", SECTIONS[i].title);
        if (SECTIONS[i].table)
            write_table(out, SECTIONS[i].table);
        else
            write_kinds(out, SECTIONS[i].kinds);
    }
}
