/* option: see option.h. The check walks a map and its table together; where it stands is a chain of places on the stack, made
 * into text only when there is something to say. One row per type says how a scalar's text is judged and what to write. */
#include "data/option.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/time.h"

enum { VALUES_MAX = 32, TEXT_MAX = 512, SHOWN_MAX = 60 };

/* Where the check stands: "pipelines.shop" . "streams" . "orders". */
struct place {
    const struct place *above;
    struct str name; /* at the top the whole path; empty for an element of a list */
    size_t index;    /* of that element */
};

static size_t write_place(const struct place *place, char *out, size_t size)
{
    size_t used = place->above ? write_place(place->above, out, size) : 0;
    if (used >= size) return used;
    int more;
    if (place->above && !place->name.data)
        more = snprintf(out + used, size - used, "[%zu]", place->index);
    else
        more = snprintf(out + used, size - used, "%s" STR_FMT, used ? "." : "", STR_ARG(place->name));
    return used + (size_t)more;
}

PRINTF_LIKE(4, 5)
static void complain(struct problems *problems, const struct node *node, const struct place *place, const char *format, ...)
{
    char where[TEXT_MAX] = "", what[TEXT_MAX];
    write_place(place, where, sizeof where);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    problems_add(problems, node, "%s%s%s", where, where[0] ? ": " : "", what);
}

const struct option *option_find(const struct option_table *table, struct str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (str_equal(name, str_from(table->options[i].name))) return &table->options[i];
    return NULL;
}

const char *option_function(const struct node *value)
{
    bool is_function = node_is(value, NODE_MAP) && value->count == 1 && node_is(&value->children[0], NODE_STRING) &&
                       str_equal(value->children[0].key, STR("$function"));
    return is_function ? value->children[0].text.data : NULL;
}

bool option_is_template(const struct node *value)
{
    struct str text = node_text(value);
    return text.size && memmem(text.data, text.size, "{{", 2) != NULL;
}

/* "a|b|c" cut into terminated names, which lie in `copy`. */
static size_t split_values(const char *values, char copy[TEXT_MAX], const char *names[VALUES_MAX])
{
    struct str rest = str_from(values), name;
    size_t count = 0;
    while (str_next(&rest, '|', &name)) {
        CHECK(count < VALUES_MAX && name.size < TEXT_MAX - (size_t)(name.data - values));
        char *place = copy + (name.data - values);
        memcpy(place, name.data, name.size);
        place[name.size] = '\0';
        names[count++] = place;
    }
    return count;
}

/* "1..100" cut into its ends. */
static bool split_range(const struct option *option, struct str *low, struct str *high)
{
    const char *dots = option->values ? strstr(option->values, "..") : NULL;
    if (!dots) return false;
    *low = (struct str){option->values, (size_t)(dots - option->values)};
    *high = str_from(dots + 2);
    return true;
}

static bool in_range(const struct option *option, struct str text)
{
    struct str low, high;
    if (!split_range(option, &low, &high)) return true;
    return number_compare(text, low) >= 0 && number_compare(text, high) <= 0;
}

static bool fits_string(const struct option *option, struct str text)
{
    (void)option;
    (void)text;
    return true;
}

static bool fits_integer(const struct option *option, struct str text)
{
    int64_t value;
    return number_is_json(text) && number_to_int64(text, &value) && in_range(option, text);
}

static bool fits_boolean(const struct option *option, struct str text)
{
    (void)option;
    return str_equal_nocase(text, STR("true")) || str_equal_nocase(text, STR("false"));
}

static bool fits_number(const struct option *option, struct str text)
{
    double value;
    return number_to_double(text, &value) && in_range(option, text);
}

static bool fits_enum(const struct option *option, struct str text)
{
    struct str rest = str_from(option->values), name;
    while (str_next(&rest, '|', &name))
        if (str_equal(name, text)) return true;
    return false;
}

static bool fits_duration(const struct option *option, struct str text)
{
    (void)option;
    int64_t ms;
    return duration_parse(text, &ms);
}

static bool fits_size(const struct option *option, struct str text)
{
    (void)option;
    uint64_t bytes;
    return size_parse(text, &bytes);
}

static bool fits_timestamp(const struct option *option, struct str text)
{
    (void)option;
    int64_t instant;
    enum time_zone_mark mark;
    return time_parse_iso(text, &instant, &mark);
}

static const struct type_rule {
    bool (*fits)(const struct option *option, struct str text); /* scalars; NULL for the others */
    const char *expected;
} RULES[] = {
    [OPTION_STRING] = {fits_string, "a string"},
    [OPTION_INTEGER] = {fits_integer, "an integer"},
    [OPTION_BOOLEAN] = {fits_boolean, "true or false"},
    [OPTION_NUMBER] = {fits_number, "a number"},
    [OPTION_ENUM] = {fits_enum, NULL},
    [OPTION_DURATION] = {fits_duration, "a duration like 500ms, 30s, 5m, 2h, 1d or 1w"},
    [OPTION_SIZE] = {fits_size, "a size like 64KiB, 8MiB or 1GB"},
    [OPTION_TIMESTAMP] = {fits_timestamp, "a timestamp like 2024-01-15T10:00:00Z, or a date"},
    [OPTION_LIST] = {NULL, "a list"},
    [OPTION_MAP] = {NULL, "a map"},
    [OPTION_MAP_OF] = {NULL, "a map"},
    [OPTION_LIST_OF] = {NULL, "a list of maps"},
    [OPTION_ANY] = {NULL, "anything"},
};

void option_expected(const struct option *option, char *out, size_t size)
{
    struct str low, high;
    if (option->type == OPTION_ENUM) {
        char copy[TEXT_MAX];
        const char *names[VALUES_MAX];
        size_t count = split_values(option->values, copy, names), used = 0;
        for (size_t i = 0; i < count && used < size; i++)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", names[i]);
    } else if (split_range(option, &low, &high)) {
        snprintf(out, size, "%s from " STR_FMT " to " STR_FMT, RULES[option->type].expected, STR_ARG(low), STR_ARG(high));
    } else {
        snprintf(out, size, "%s", RULES[option->type].expected);
    }
}

/* What was found instead, for "got ...": a secret's text is never shown. */
static void describe(const struct option *option, const struct node *node, char *out, size_t size)
{
    struct str text = node_text(node);
    bool is_long = text.size > SHOWN_MAX;
    if (option_function(node))
        snprintf(out, size, "a function");
    else if (!node_is_scalar(node))
        snprintf(out, size, "%s", node_kind_name(node->kind));
    else if (option->flags & OPTION_SECRET)
        snprintf(out, size, "another text");
    else
        snprintf(out, size, "'%.*s%s'", is_long ? SHOWN_MAX : (int)text.size, text.data, is_long ? "..." : "");
}

static void hint_for_value(const struct option *option, struct str text, struct problems *problems)
{
    if (option->type == OPTION_BOOLEAN) {
        static const struct {
            const char *said, *meant;
        } WORDS[] = {{"yes", "true"}, {"on", "true"}, {"1", "true"}, {"no", "false"}, {"off", "false"}, {"0", "false"}};
        for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
            if (str_equal_nocase(text, str_from(WORDS[i].said))) problems_hint(problems, "write %s", WORDS[i].meant);
    } else if (option->type == OPTION_ENUM) {
        char copy[TEXT_MAX];
        const char *names[VALUES_MAX];
        const char *nearest = str_nearest(text, names, split_values(option->values, copy, names), sizeof names[0]);
        if (nearest) problems_hint(problems, "did you mean '%s'?", nearest);
    }
}

static void wrong_value(const struct option *option, const struct node *node, const struct place *place,
                        struct problems *problems)
{
    char expected[TEXT_MAX], got[TEXT_MAX];
    option_expected(option, expected, sizeof expected);
    describe(option, node, got, sizeof got);
    complain(problems, node, place, "expected %s, got %s", expected, got);
    if (node_is_scalar(node))
        hint_for_value(option, node_text(node), problems);
    else if (node->kind == NODE_NULL)
        problems_hint(problems, "write a value, or leave the key out");
    else if (option_function(node))
        problems_hint(problems, "this key takes no function");
}

static void check_scalar(const struct option *option, const struct node *node, const struct place *place,
                         struct problems *problems)
{
    bool is_template = (option->flags & OPTION_TEMPLATE) && option_is_template(node);
    bool is_right = node_is_scalar(node) && (is_template || RULES[option->type].fits(option, node_text(node)));
    if (!is_right) wrong_value(option, node, place, problems);
}

static void check_map(const struct option_table *table, const struct node *map, const struct place *place,
                      struct problems *problems);
static void check_value(const struct option *option, const struct node *node, const struct place *place,
                        struct problems *problems);

static bool is_empty_or(const struct node *node, enum node_kind kind)
{
    return node->kind == kind || ((node->kind == NODE_LIST || node->kind == NODE_MAP) && node->count == 0);
}

/* A list's elements and a map's values are judged as if they were values of an option of their own. */
static void check_list(const struct option *option, const struct node *node, const struct place *place,
                       struct problems *problems)
{
    struct option element = *option;
    element.type = option->type == OPTION_LIST ? OPTION_STRING : OPTION_MAP;
    element.flags &= ~(unsigned)OPTION_FUNCTION;
    if (option->type == OPTION_LIST && node_is_scalar(node)) {
        check_value(&element, node, place, problems);
        return;
    }
    if (!is_empty_or(node, NODE_LIST)) {
        wrong_value(option, node, place, problems);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        check_value(&element, &node->children[i], &(struct place){.above = place, .index = i}, problems);
}

static void check_names(const struct option *option, const struct node *node, const struct place *place,
                        struct problems *problems)
{
    struct option value = *option;
    value.type = option->child ? OPTION_MAP : OPTION_STRING;
    if (option->child) value.flags &= ~(unsigned)OPTION_FUNCTION;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *child = &node->children[i];
        if (child->key.size == 0)
            complain(problems, child, place, "a name is empty");
        else
            check_value(&value, child, &(struct place){.above = place, .name = child->key}, problems);
    }
}

static void check_value(const struct option *option, const struct node *node, const struct place *place,
                        struct problems *problems)
{
    if (option->type == OPTION_ANY) return;
    if (option_function(node)) {
        if (!(option->flags & OPTION_FUNCTION)) wrong_value(option, node, place, problems);
        return;
    }
    switch (option->type) {
    case OPTION_LIST:
    case OPTION_LIST_OF:
        check_list(option, node, place, problems);
        break;
    case OPTION_MAP:
    case OPTION_MAP_OF:
        if (node->kind != NODE_NULL && !is_empty_or(node, NODE_MAP))
            wrong_value(option, node, place, problems);
        else if (option->type == OPTION_MAP)
            check_map(option->child, node, place, problems);
        else
            check_names(option, node, place, problems);
        break;
    default:
        check_scalar(option, node, place, problems);
        break;
    }
}

static void unknown_key(const struct option_table *table, const struct node *child, const struct place *place,
                        struct problems *problems)
{
    complain(problems, child, place, "unknown key '" STR_FMT "'", STR_ARG(child->key));
    const char *nearest =
        table->count ? str_nearest(child->key, &table->options[0].name, table->count, sizeof table->options[0]) : NULL;
    if (nearest) {
        problems_hint(problems, "did you mean '%s'?", nearest);
        return;
    }
    char known[TEXT_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < table->count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", table->options[i].name);
    problems_hint(problems, "%s has: %s", table->title, known[0] ? known : "no keys");
}

/* A map that may be left out, and that is null instead: it is left out. */
static bool is_left_out(const struct option *option, const struct node *node)
{
    return node->kind == NODE_NULL && option->type == OPTION_MAP && !(option->flags & OPTION_REQUIRED);
}

static void check_map(const struct option_table *table, const struct node *map, const struct place *place,
                      struct problems *problems)
{
    for (size_t i = 0; map && i < map->count; i++) {
        const struct node *child = &map->children[i];
        const struct option *option = option_find(table, child->key);
        if (option && is_left_out(option, child)) continue;
        if (option)
            check_value(option, child, &(struct place){.above = place, .name = child->key}, problems);
        else
            unknown_key(table, child, place, problems);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (!(option->flags & OPTION_REQUIRED) || node_get(map, option->name)) continue;
        complain(problems, map, place, "'%s' is missing", option->name);
        if (option->help) problems_hint(problems, "%s: %s", option->name, option->help);
    }
}

void option_check(const struct option_table *table, const struct node *map, const char *path, struct problems *problems)
{
    struct place place = {.name = str_from(path)};
    struct option whole = {.type = OPTION_MAP, .child = table};
    if (map)
        check_value(&whole, map, &place, problems);
    else
        check_map(table, NULL, &place, problems);
}

/* The text of a key's value, or of its default; data NULL when there is neither. */
static struct str value_text(const struct option_table *table, const struct node *map, const char *name)
{
    const struct option *option = option_find(table, str_from(name));
    CHECK(option != NULL);
    const struct node *node = node_get(map, name);
    return node_is_scalar(node) ? node->text : str_from(option->fallback);
}

const char *option_text(const struct option_table *table, const struct node *map, const char *name)
{
    return value_text(table, map, name).data;
}

int64_t option_integer(const struct option_table *table, const struct node *map, const char *name)
{
    struct str text = value_text(table, map, name);
    int64_t value = 0;
    CHECK(!text.data || number_to_int64(text, &value));
    return value;
}

double option_number(const struct option_table *table, const struct node *map, const char *name)
{
    struct str text = value_text(table, map, name);
    double value = 0;
    CHECK(!text.data || number_to_double(text, &value));
    return value;
}

bool option_boolean(const struct option_table *table, const struct node *map, const char *name)
{
    struct str text = value_text(table, map, name);
    CHECK(!text.data || fits_boolean(NULL, text));
    return str_equal_nocase(text, STR("true"));
}

int64_t option_duration_ms(const struct option_table *table, const struct node *map, const char *name)
{
    struct str text = value_text(table, map, name);
    int64_t ms = 0;
    CHECK(!text.data || duration_parse(text, &ms));
    return ms;
}

uint64_t option_size_bytes(const struct option_table *table, const struct node *map, const char *name)
{
    struct str text = value_text(table, map, name);
    uint64_t bytes = 0;
    CHECK(!text.data || size_parse(text, &bytes));
    return bytes;
}

bool option_is_set(const struct node *map, const char *name)
{
    const struct node *node = node_get(map, name);
    return node && node->kind != NODE_NULL;
}

const char *const *option_texts(const struct node *map, const char *name, struct arena *arena, size_t *count)
{
    const struct node *node = node_get(map, name);
    *count = 0;
    if (!node) return NULL;
    size_t length = node->kind == NODE_LIST ? node->count : 1;
    const char **texts = arena_array(arena, const char *, length + 1);
    for (size_t i = 0; i < length; i++) texts[i] = node_cstr(node->kind == NODE_LIST ? &node->children[i] : node, "");
    *count = length;
    return texts;
}
