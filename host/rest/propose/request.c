/* request: what a request that was sent shows of an API: base, credentials, headers, and a stream with its paging. */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "net/url.h"
#include "rest/propose/parts.h"

enum { BASE_SEGMENTS = 3 };

/* --- names that mean something ------------------------------------------------------------------------------------------- */

static bool is_listed(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, list[i]) == 0) return true;
    return false;
}
#define IS_ONE_OF(name, list) is_listed((name), (list), ARRAY_SIZE(list))

bool propose_paging_param(struct proposed_pages *pages, const char *name, const char *value)
{
    static const char *const NUMBERS[] = {"page", "page_number", "pageNumber", "page[number]", "p"};
    static const char *const OFFSETS[] = {"offset", "start", "startAt", "skip", "page[offset]", "$skip"};
    static const char *const TOKENS[] = {"cursor",       "page_token",   "pageToken",    "next_token",
                                         "after",        "page[after]",  "page[cursor]", "starting_after",
                                         "start_cursor", "continuation", "marker",       "next_cursor"};
    static const char *const SIZES[] = {"limit",      "per_page",    "perPage",    "page_size",   "pageSize", "size", "count",
                                        "maxResults", "max_results", "page[size]", "page[limit]", "$top",     "first"};
    if (IS_ONE_OF(name, SIZES)) {
        pages->size_param = name;
        pages->size = value && value[0] ? value : NULL;
        return true;
    }
    const char *kind = IS_ONE_OF(name, NUMBERS)   ? "page"
                       : IS_ONE_OF(name, OFFSETS) ? "offset"
                       : IS_ONE_OF(name, TOKENS)  ? "cursor"
                                                  : NULL;
    if (!kind) return false;
    pages->kind = strcmp(name, "starting_after") == 0 ? "last_record" : kind;
    pages->param = name;
    if (strcmp(kind, "page") == 0 && value && strcmp(value, "0") == 0) pages->start = "0";
    return true;
}

bool propose_cursor_param(struct proposed_stream *stream, const char *name)
{
    static const char *const PARAMS[] = {"since",          "updated_after",  "updated_since", "modified_since", "updatedAfter",
                                         "updated_at_min", "modified_after", "start_time",    "updated[gte]",   "created[gte]",
                                         "min_updated_at", "changed_since",  "from"};
    if (!IS_ONE_OF(name, PARAMS)) return false;
    stream->cursor_param = name;
    return true;
}

static const char *lower_snake(const char *name, struct arena *arena)
{
    char *text = arena_strdup(arena, name);
    for (char *c = text; *c; c++) {
        bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
        else if (!is_letter)
            *c = '_';
    }
    return text;
}

/* A part of a path that is a version, an id, a placeholder or what is done, and no name. */
static bool is_nameless(struct str part)
{
    bool has_letter = false, has_digit = false;
    for (size_t i = 0; i < part.size; i++) {
        char c = part.data[i];
        has_letter = has_letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        has_digit = has_digit || (c >= '0' && c <= '9');
    }
    static const char *const WORDS[] = {"search", "query", "list", "all"};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
        if (str_equal_nocase(part, str_from(WORDS[i]))) return true;
    return !has_letter || (has_digit && part.size > 12) || (part.size <= 3 && part.data[0] == 'v' && has_digit) ||
           part.data[0] == '{';
}

const char *propose_stream_name(const struct proposal *proposal, const char *path, struct arena *arena)
{
    struct str rest = str_from(path), part, last = STR("records");
    while (str_next(&rest, '/', &part)) {
        const char *dot = part.size ? memrchr(part.data, '.', part.size) : NULL;
        if (dot && dot > part.data) part.size = (size_t)(dot - part.data);
        if (part.size && !is_nameless(part)) last = part;
    }
    const char *name = lower_snake(arena_text(arena, last), arena), *free_name = name;
    for (size_t number = 2, i = 0; i < proposal->stream_count; i++) {
        if (strcmp(proposal->streams[i].name, free_name) != 0) continue;
        free_name = arena_printf(arena, "%s_%zu", name, number++);
        i = (size_t)-1;
    }
    return free_name;
}

/* --- credentials --------------------------------------------------------------------------------------------------------- */

static bool is_own_header(const char *name)
{
    static const char *const OURS[] = {"accept-encoding",
                                       "connection",
                                       "content-length",
                                       "content-type",
                                       "host",
                                       "user-agent",
                                       "origin",
                                       "referer",
                                       "accept-language",
                                       "cache-control",
                                       "pragma",
                                       "dnt",
                                       "te",
                                       "if-none-match",
                                       "if-modified-since",
                                       "cookie",
                                       "upgrade-insecure-requests",
                                       "priority"};
    return IS_ONE_OF(name, OURS) || strncasecmp(name, "sec-", 4) == 0 || name[0] == ':';
}

bool propose_is_key_name(const char *name)
{
    static const char *const WORDS[] = {"api-key",    "apikey",           "api_key",  "access-token", "access_token",
                                        "auth-token", "auth_token",       "x-auth",   "secret",       "token",
                                        "app-key",    "subscription-key", "password", "signature"};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
        if (strcasestr(name, WORDS[i])) return true;
    return strcasecmp(name, "key") == 0;
}

static void take_authorization(struct proposal *proposal, const char *value, struct arena *arena)
{
    const char *space = strchr(value, ' ');
    struct str scheme = {value, space ? (size_t)(space - value) : strlen(value)};
    if (str_equal_nocase(scheme, STR("Bearer"))) {
        proposal->auth = PROPOSED_BEARER;
    } else if (str_equal_nocase(scheme, STR("Basic"))) {
        proposal->auth = PROPOSED_BASIC;
    } else if (space) {
        proposal->auth = PROPOSED_BEARER;
        proposal->auth_prefix = arena_text(arena, scheme);
    } else {
        proposal->auth = PROPOSED_HEADER;
        proposal->auth_name = "Authorization";
    }
}

static void take_headers(struct proposal *proposal, const struct seen_request *request, struct arena *arena)
{
    proposal->headers = arena_array(arena, struct proposed_pair, request->header_count + 1);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct proposed_pair *header = &request->headers[i];
        if (strcasecmp(header->name, "authorization") == 0) {
            take_authorization(proposal, header->value, arena);
        } else if (propose_is_key_name(header->name)) {
            proposal->auth = PROPOSED_HEADER;
            proposal->auth_name = header->name;
        } else if (!is_own_header(header->name) && !(strcasecmp(header->name, "accept") == 0 && strstr(header->value, "*/*"))) {
            proposal->headers[proposal->header_count++] = *header;
        }
    }
}

/* --- the request --------------------------------------------------------------------------------------------------------- */

static char *decoded(struct str text, struct arena *arena)
{
    char *out = arena_text(arena, text), *to = out;
    for (const char *from = out; *from; from++) {
        unsigned value;
        if (*from == '%' && sscanf(from + 1, "%2x", &value) == 1 && value >= ' ') {
            *to++ = (char)value;
            from += 2;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
        }
    }
    *to = '\0';
    return out;
}

static void take_params(struct proposal *proposal, struct proposed_stream *stream, const char *query, struct arena *arena)
{
    struct str rest = str_from(query), pair, name;
    stream->params = arena_array(arena, struct proposed_pair, PROPOSE_MAX_PARAMS);
    while (query && str_next(&rest, '&', &pair) && stream->param_count < PROPOSE_MAX_PARAMS) {
        struct str value = pair;
        if (!str_next(&value, '=', &name)) continue;
        if (name.size == pair.size) value = STR("");
        const char *key = decoded(name, arena), *text = decoded(value, arena);
        if (key[0] == '\0' || propose_paging_param(&stream->pages, key, text) || propose_cursor_param(stream, key)) continue;
        if (propose_is_key_name(key)) {
            proposal->auth = PROPOSED_QUERY;
            proposal->auth_name = key;
            continue;
        }
        stream->params[stream->param_count++] = (struct proposed_pair){key, text};
    }
}

/* "/v1" of "/v1/orders": all but the last part, up to a few. */
static size_t base_length(const char *path)
{
    const char *last = strrchr(path, '/');
    size_t length = 0, parts = 0;
    for (const char *at = path; last && at < last && parts < BASE_SEGMENTS; parts++) {
        const char *end = strchr(at + 1, '/');
        if (!end || end > last) break;
        struct str part = {at + 1, (size_t)(end - at - 1)};
        if (!is_nameless(part) && !str_equal(part, STR("api")) && !str_equal(part, STR("rest"))) break;
        at = end;
        length = (size_t)(end - path);
    }
    return length;
}

static struct proposed_stream *find_stream(const struct proposal *proposal, const char *method, const char *path)
{
    for (size_t i = 0; i < proposal->stream_count; i++)
        if (strcmp(proposal->streams[i].path, path) == 0 && strcmp(proposal->streams[i].method, method) == 0)
            return &proposal->streams[i];
    return NULL;
}

int propose_request(struct proposal *proposal, const struct seen_request *request, struct arena *arena,
                    struct proposed_stream **stream, struct err *err)
{
    struct url url;
    int rc = url_parse(str_from(request->url), arena, &url, err);
    *stream = NULL;
    if (rc != 0) return rc;
    const char *origin =
        arena_text(arena, (struct str){url.text, (size_t)(strstr(strstr(url.text, "://") + 3, "/") - url.text)});
    if (!proposal->base) {
        proposal->base = arena_printf(arena, "%s%.*s", origin, (int)base_length(url.path), url.path);
        take_headers(proposal, request, arena);
    }
    size_t base_size = strlen(proposal->base);
    if (strncmp(url.text, proposal->base, base_size) != 0 || url.text[base_size] != '/') return 0;
    const char *path = url.path + (base_size - strlen(origin));
    if (find_stream(proposal, request->method, path) || proposal->stream_count == PROPOSE_MAX_STREAMS) return 0;
    struct proposed_stream *added = &proposal->streams[proposal->stream_count];
    *added = (struct proposed_stream){
        .name = propose_stream_name(proposal, path, arena), .path = path, .method = request->method, .body = request->body};
    take_params(proposal, added, url.query, arena);
    proposal->stream_count++;
    *stream = added;
    return 0;
}
