/* answer: what one page shows: where its records are, what they hold, and how the next page is asked for. */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/map.h"
#include "base/time.h"
#include "data/lattice.h"
#include "rest/propose/parts.h"

enum { DEPTH_MAX = 4, RECORDS_LOOKED_AT = 200 };

/* --- records ------------------------------------------------------------------------------------------------------------- */

struct search {
    struct arena *arena;
    const struct cJSON *best;
    const char *path;
    size_t count; /* of its objects */
};

static size_t count_objects(const struct cJSON *array)
{
    size_t count = 0;
    for (const struct cJSON *item = json_first(array); item; item = json_next(item)) count += json_is_object(item);
    return count;
}

/* The largest list of objects; of lists of one size the one nearest to the root. */
static void search_records(struct search *search, const struct cJSON *json, const char *path, int depth)
{
    if (json_is_array(json)) {
        size_t count = count_objects(json);
        if (count > search->count) *search = (struct search){search->arena, json, path, count};
        return;
    }
    if (!json_is_object(json) || depth == DEPTH_MAX) return;
    for (const struct cJSON *member = json_first(json); member; member = json_next(member))
        search_records(search, member,
                       path[0] == '$' ? json_key(member) : arena_printf(search->arena, "%s.%s", path, json_key(member)),
                       depth + 1);
}

/* --- fields -------------------------------------------------------------------------------------------------------------- */

static const char *type_of_text(const char *text)
{
    int64_t number;
    enum time_zone_mark mark;
    struct str value = str_from(text);
    if (value.size == 10 && time_parse_date(value, &number)) return "date";
    return value.size > 10 && time_parse_iso(value, &number, &mark) ? "timestamp" : "string";
}

/* NULL: null says nothing. */
static const char *type_of(const struct cJSON *json)
{
    const char *text = json_string(json);
    double number;
    struct buf printed = BUF_INIT(4096);
    if (text) return type_of_text(text);
    if (json_is_object(json) || json_is_array(json)) return "json";
    if (json_number(json, &number)) {
        json_print(json, &printed);
        bool is_whole = !memchr(printed.data, '.', printed.size) && !memchr(printed.data, 'e', printed.size);
        buf_release(&printed);
        return is_whole ? "integer" : "decimal";
    }
    json_print(json, &printed);
    bool is_null = str_equal(buf_str(&printed), STR("null"));
    buf_release(&printed);
    return is_null ? NULL : "boolean";
}

/* The type that takes both; `a` is NULL when there was none yet. */
static const char *join_types(const char *a, const char *b)
{
    enum type left, right;
    if (!a) return b;
    CHECK(type_from_name(str_from(a), &left) && type_from_name(str_from(b), &right));
    return type_name(type_join(left, right));
}

static void add_value(struct proposed_stream *stream, const char *name, const char *type, struct arena *arena)
{
    size_t i = 0;
    while (i < stream->field_count && strcmp(stream->fields[i].name, name) != 0) i++;
    if (i == PROPOSE_MAX_FIELDS || !type) return;
    if (i == stream->field_count)
        stream->fields[stream->field_count++] = (struct proposed_field){arena_strdup(arena, name), NULL};
    stream->fields[i].type = join_types(stream->fields[i].type, type);
}

static void read_fields(struct proposed_stream *stream, const struct cJSON *records, struct arena *arena)
{
    size_t looked_at = 0;
    if (!stream->fields) stream->fields = arena_array(arena, struct proposed_field, PROPOSE_MAX_FIELDS);
    for (const struct cJSON *record = json_first(records); record && looked_at < RECORDS_LOOKED_AT;
         record = json_next(record), looked_at++)
        for (const struct cJSON *member = json_first(record); json_is_object(record) && member; member = json_next(member))
            add_value(stream, json_key(member), type_of(member), arena);
}

static const struct proposed_field *find_field(const struct proposed_stream *stream, const char *name)
{
    for (size_t i = 0; i < stream->field_count; i++)
        if (strcasecmp(stream->fields[i].name, name) == 0) return &stream->fields[i];
    return NULL;
}

/* Has each record a value of its own there? Numbers of many digits are not told apart here, so they count as different. */
static bool tells_apart(const struct cJSON *records, const char *name)
{
    struct map seen = MAP_INIT;
    struct buf value = BUF_INIT(64 * 1024);
    size_t looked_at = 0;
    bool is_unique = true;
    for (const struct cJSON *record = json_first(records); record && is_unique && looked_at < RECORDS_LOOKED_AT;
         record = json_next(record), looked_at++) {
        const struct cJSON *member = json_get(record, name);
        buf_clear(&value);
        if (member) json_print(member, &value);
        bool is_long = !json_string(member) && value.size > 16;
        is_unique = member && type_of(member) && (is_long || !map_get(&seen, buf_str(&value)));
        map_set(&seen, buf_str(&value), &seen);
    }
    map_release(&seen);
    buf_release(&value);
    return is_unique;
}

/* `records` NULL: only names count. */
static bool may_be_key(const struct proposed_field *field, const struct cJSON *records)
{
    bool is_plain =
        strcmp(field->type, "string") == 0 || strcmp(field->type, "integer") == 0 || strcmp(field->type, "decimal") == 0;
    return is_plain && (!records || tells_apart(records, field->name));
}

void propose_key_and_cursor(struct proposed_stream *stream, const struct cJSON *records, struct arena *arena)
{
    static const char *const CURSORS[] = {"updated_at", "updatedAt",      "updated",         "modified_at",
                                          "modifiedAt", "last_modified",  "lastModified",    "modified",
                                          "changed_at", "SystemModstamp", "LastModifiedDate"};
    const char *keys[] = {"id", "uuid", "key", "gid",
                          arena_printf(arena, "%.*s_id", (int)(strlen(stream->name) - 1), stream->name)};
    for (size_t i = 0; i < ARRAY_SIZE(keys) && !stream->primary_key; i++) {
        const struct proposed_field *field = find_field(stream, keys[i]);
        if (field && may_be_key(field, records)) stream->primary_key = field->name;
    }
    for (size_t i = 0; i < stream->field_count && records && !stream->primary_key; i++) {
        struct str name = str_from(stream->fields[i].name);
        bool is_named = str_ends(name, STR("id")) || str_ends(name, STR("Id")) || str_ends(name, STR("ID"));
        if (is_named && count_objects(records) > 1 && may_be_key(&stream->fields[i], records))
            stream->primary_key = stream->fields[i].name;
    }
    for (size_t i = 0; i < ARRAY_SIZE(CURSORS) && !stream->cursor_field; i++) {
        const struct proposed_field *field = find_field(stream, CURSORS[i]);
        if (field && (strcmp(field->type, "timestamp") == 0 || strcmp(field->type, "integer") == 0))
            stream->cursor_field = field->name;
    }
}

/* --- the next page ------------------------------------------------------------------------------------------------------- */

static bool is_named(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, list[i]) == 0) return true;
    return false;
}

static void look_at_member(struct proposed_pages *pages, const struct cJSON *member, const char *path)
{
    static const char *const NEXT[] = {"next",      "next_page", "nextPage",      "next_url", "nextLink", "@odata.nextLink",
                                       "next_link", "after_url", "nextRecordsUrl"};
    static const char *const TOKENS[] = {"next_cursor", "nextCursor",  "next_page_token", "nextPageToken", "next_token",
                                         "nextToken",   "after",       "after_cursor",    "endCursor",     "cursor",
                                         "next",        "continuation"};
    static const char *const MORE[] = {"has_more", "hasMore", "hasNextPage", "has_next", "hasNext", "more"};
    static const char *const TOTAL[] = {"total", "total_count", "totalCount", "count", "totalResults", "total_results"};
    const char *name = json_key(member), *text = json_string(member);
    const char *type = type_of(member);
    bool is_url = text && (strstr(text, "://") || text[0] == '/');
    if (is_url && is_named(name, NEXT, ARRAY_SIZE(NEXT))) {
        pages->kind = "next_url";
        pages->next = path;
    } else if (text && text[0] && !is_url && is_named(name, TOKENS, ARRAY_SIZE(TOKENS)) &&
               (!pages->kind || strcmp(pages->kind, "next_url") != 0)) {
        pages->kind = "cursor";
        pages->next = path;
    } else if (type && strcmp(type, "boolean") == 0 && is_named(name, MORE, ARRAY_SIZE(MORE))) {
        pages->more = path;
    } else if (type && strcmp(type, "integer") == 0 && is_named(name, TOTAL, ARRAY_SIZE(TOTAL))) {
        pages->total = path;
    }
}

static void search_pages(struct proposed_pages *pages, const struct cJSON *json, const char *path, int depth,
                         struct arena *arena)
{
    for (const struct cJSON *member = json_first(json); json_is_object(json) && depth < DEPTH_MAX && member;
         member = json_next(member)) {
        const char *below = path[0] ? arena_printf(arena, "%s.%s", path, json_key(member)) : json_key(member);
        look_at_member(pages, member, arena_strdup(arena, below));
        search_pages(pages, member, below, depth + 1, arena);
    }
}

void propose_answer(struct proposed_stream *stream, const struct cJSON *answer, const char *link, struct arena *arena)
{
    struct search search = {.arena = arena, .path = "$"};
    search_records(&search, answer, "$", 0);
    if (search.best && !stream->records) stream->records = arena_strdup(arena, search.path);
    if (search.best) read_fields(stream, search.best, arena);
    search_pages(&stream->pages, answer, "", 0, arena);
    if (link && strstr(link, "rel=\"next\"")) stream->pages.kind = "link_header";
    propose_key_and_cursor(stream, search.best, arena);
}
