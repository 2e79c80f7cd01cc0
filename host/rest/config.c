/* How it works: the declared table is read once into entries; a value goes through config_canonical, the one place that knows
 * what a type accepts, whether it is a default in a description or a value in sluice.yaml.
 *
 * Values are kept as canonical text, never as a number: that is what templates put into requests, and an integer of 64 bits
 * stays exact. YAML knows more kinds than we ask for: a plain 123 given for a string entry is the string "123", and "123" in
 * quotes (an environment variable is always one) is an integer where one is due. */
#include "rest/config.h"

#include "base/check.h"
#include "base/json.h"
#include "base/number.h"
#include "base/time.h"
#include "os/secret.h"
#include "rest/vocabulary.h"

static const char *const TYPE_NAMES[] = {
    [CONFIG_STRING] = "string",       [CONFIG_INTEGER] = "integer", [CONFIG_NUMBER] = "number", [CONFIG_BOOLEAN] = "boolean",
    [CONFIG_TIMESTAMP] = "timestamp", [CONFIG_DATE] = "date",       [CONFIG_ENUM] = "enum",     [CONFIG_LIST] = "list",
};

static const char *const TYPE_ARTICLES[] = {
    [CONFIG_STRING] = "a string",
    [CONFIG_INTEGER] = "an integer",
    [CONFIG_NUMBER] = "a number",
    [CONFIG_BOOLEAN] = "true or false",
    [CONFIG_TIMESTAMP] = "a timestamp like 2024-01-15T10:00:00Z",
    [CONFIG_DATE] = "a date like 2024-01-15",
    [CONFIG_ENUM] = "one of its values",
    [CONFIG_LIST] = "a list of texts",
};

static enum config_type type_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(TYPE_NAMES); i++)
        if (strcmp(name, TYPE_NAMES[i]) == 0) return (enum config_type)i;
    check_failed(__FILE__, __LINE__, "a type that passed the option table");
}

static bool canonical_timestamp(struct str text, struct arena *arena, struct str *canonical)
{
    int64_t instant;
    enum time_zone_mark mark;
    char written[TIME_TEXT_MAX];
    if (!time_parse_iso(str_trim(text), &instant, &mark)) return false;
    size_t size = time_write_iso(instant, written);
    *canonical = arena_copy(arena, (struct str){written, size});
    return size > 0;
}

static bool canonical_date(struct str text, struct arena *arena, struct str *canonical)
{
    int64_t days;
    char written[TIME_TEXT_MAX];
    text = str_trim(text);
    if (text.size != 10 || !time_parse_date(text, &days)) return false;
    *canonical = arena_copy(arena, (struct str){written, time_write_date(days, written)});
    return true;
}

static bool canonical_number(const struct config_entry *entry, struct str text, struct arena *arena, struct str *canonical)
{
    int64_t integer;
    double number;
    text = str_trim(text);
    if (!number_is_json(text)) return false;
    if (entry->type == CONFIG_INTEGER ? !number_to_int64(text, &integer) : !number_to_double(text, &number)) return false;
    *canonical = arena_copy(arena, text);
    return true;
}

static bool is_value_of(const struct config_entry *entry, struct str text)
{
    for (size_t i = 0; i < entry->value_count; i++)
        if (str_equal(text, str_from(entry->values[i]))) return true;
    return false;
}

/* What stands between commas, without what is empty: a variable of the environment is one text. */
static struct str canonical_list(struct str text, struct arena *arena)
{
    char *joined = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    struct str part;
    while (str_next(&text, ',', &part)) {
        part = str_trim(part);
        if (part.size == 0) continue;
        if (size) joined[size++] = ',';
        memcpy(joined + size, part.data, part.size);
        size += part.size;
    }
    joined[size] = '\0';
    return (struct str){joined, size};
}

bool config_canonical(const struct config_entry *entry, struct str text, struct arena *arena, struct str *canonical)
{
    switch (entry->type) {
    case CONFIG_INTEGER:
    case CONFIG_NUMBER:
        return canonical_number(entry, text, arena, canonical);
    case CONFIG_TIMESTAMP:
        return canonical_timestamp(text, arena, canonical);
    case CONFIG_DATE:
        return canonical_date(text, arena, canonical);
    case CONFIG_BOOLEAN:
        if (!str_equal(text, STR("true")) && !str_equal(text, STR("false"))) return false;
        break;
    case CONFIG_ENUM:
        if (!is_value_of(entry, text)) return false;
        break;
    case CONFIG_LIST:
        *canonical = canonical_list(text, arena);
        return true;
    case CONFIG_STRING:
        break;
    }
    *canonical = arena_copy(arena, text);
    return true;
}

/* May a node of this kind be read as the entry's type at all? Texts may, always: a variable's value is one. */
static bool kind_fits(const struct config_entry *entry, const struct node *node)
{
    if (node->kind == NODE_STRING || (entry->type == CONFIG_LIST && node->kind == NODE_LIST)) return true;
    if (node->kind != NODE_NUMBER && node->kind != NODE_BOOLEAN) return false;
    switch (entry->type) {
    case CONFIG_INTEGER:
    case CONFIG_NUMBER:
        return node->kind == NODE_NUMBER;
    case CONFIG_BOOLEAN:
        return node->kind == NODE_BOOLEAN;
    default:
        return node->plain;
    }
}

static void list_values(const struct config_entry *entry, struct problems *problems)
{
    struct buf known = BUF_INIT(512);
    for (size_t i = 0; i < entry->value_count; i++) buf_printf(&known, "%s%s", i ? ", " : "", entry->values[i]);
    problems_hint(problems, "one of: %s", buf_text(&known));
    buf_release(&known);
}

static bool read_list(const struct node *list, const char *path, struct arena *arena, struct str *text,
                      struct problems *problems)
{
    struct buf joined = BUF_INIT(NODE_MAX_BYTES);
    size_t before = problems->count;
    for (size_t i = 0; i < list->count; i++) {
        const struct node *value = &list->children[i];
        struct str item = str_trim(node_text(value));
        if (!node_is_scalar(value))
            problems_add(problems, value, "%s.%zu: expected a text, got %s", path, i, node_kind_name(value->kind));
        else if (item.size == 0)
            problems_add(problems, value, "%s.%zu: is empty", path, i);
        else if (memchr(item.data, ',', item.size))
            problems_add(problems, value, "%s.%zu: holds a comma", path, i);
        if (i) buf_append_char(&joined, ',');
        buf_append_str(&joined, item);
    }
    *text = arena_copy(arena, buf_str(&joined));
    buf_release(&joined);
    return problems->count == before;
}

/* Reads `node` as the entry's type; false after adding to `problems`. A secret's text is never repeated. */
static bool read_value(const struct config_entry *entry, const struct node *node, const char *path, struct arena *arena,
                       struct str *text, struct problems *problems)
{
    if (!kind_fits(entry, node)) {
        problems_add(problems, node, "%s: expected %s, got %s", path, TYPE_ARTICLES[entry->type], node_kind_name(node->kind));
        return false;
    }
    if (node->kind == NODE_LIST) return read_list(node, path, arena, text, problems);
    if (memchr(node->text.data, 0, node->text.size)) {
        problems_add(problems, node, "%s: holds a NUL character", path);
        return false;
    }
    if (config_canonical(entry, node->text, arena, text)) return true;
    if (entry->secret)
        problems_add(problems, node, "%s: expected %s", path, TYPE_ARTICLES[entry->type]);
    else
        problems_add(problems, node, "%s: expected %s, got '" STR_FMT "'", path, TYPE_ARTICLES[entry->type],
                     STR_ARG(node->text));
    if (entry->type == CONFIG_ENUM) list_values(entry, problems);
    return false;
}

/* --- the table ----------------------------------------------------------------------------------------------------------- */

static bool is_name(struct str name)
{
    if (name.size == 0 || name.size > 64) return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return true;
}

static void read_enum(const struct node *node, const char *path, struct arena *arena, struct config_entry *entry,
                      struct problems *problems)
{
    const struct node *values = node_get(node, "values");
    if ((entry->type == CONFIG_ENUM) != (values != NULL)) {
        problems_add(problems, node, "%s: %s", path,
                     values ? "'values' belongs to type enum only" : "type enum needs 'values'");
        return;
    }
    if (!values) return;
    size_t count = values->kind == NODE_LIST ? values->count : 1;
    const char **list = arena_array(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) list[i] = node_cstr(values->kind == NODE_LIST ? &values->children[i] : values, "");
    entry->values = list;
    entry->value_count = count;
    if (count == 0) problems_add(problems, values, "%s.values: expected at least one value", path);
}

static void read_entry(const struct node *node, struct arena *arena, struct config_entry *entry, struct problems *problems)
{
    const char *path = arena_printf(arena, "config." STR_FMT, STR_ARG(node->key));
    if (!is_name(node->key)) {
        problems_add(problems, node, "%s: a config entry's name is letters, digits and '_', at most 64", path);
        return;
    }
    *entry = (struct config_entry){
        .name = arena_text(arena, node->key),
        .title = option_text(&VOCABULARY_CONFIG_ENTRY, node, "title"),
        .type = type_of(option_text(&VOCABULARY_CONFIG_ENTRY, node, "type")),
        .required = option_boolean(&VOCABULARY_CONFIG_ENTRY, node, "required"),
        .secret = option_boolean(&VOCABULARY_CONFIG_ENTRY, node, "secret"),
        .port = option_is_set(node, "connect") ? option_integer(&VOCABULARY_CONFIG_ENTRY, node, "connect") : 0,
        .is_files = option_boolean(&VOCABULARY_CONFIG_ENTRY, node, "files"),
    };
    read_enum(node, path, arena, entry, problems);
    if ((entry->port || entry->is_files) && entry->type != CONFIG_STRING)
        problems_add(problems, node, "%s: hosts and files are named by a string, not %s", path, TYPE_NAMES[entry->type]);
    if (entry->secret && entry->type != CONFIG_STRING && entry->type != CONFIG_LIST)
        problems_add(problems, node, "%s: a secret is of type string or list, not %s", path, TYPE_NAMES[entry->type]);
    const struct node *fallback = node_get(node, "default");
    if (!fallback) return;
    struct str text;
    if (entry->required)
        problems_add(problems, fallback, "%s: a required entry has no default", path);
    else if (entry->secret)
        problems_add(problems, fallback, "%s: a secret has no default: everybody could read it", path);
    else if (read_value(entry, fallback, arena_printf(arena, "%s.default", path), arena, &text, problems))
        entry->fallback = text.data;
}

void config_table_read(const struct node *map, struct arena *arena, struct config_table *table, struct problems *problems)
{
    *table = (struct config_table){0};
    if (!map) return;
    if (map->count > CONFIG_MAX_ENTRIES) {
        problems_add(problems, map, "config: %zu entries, at most %d are possible", map->count, CONFIG_MAX_ENTRIES);
        return;
    }
    struct config_entry *entries = arena_array(arena, struct config_entry, map->count + 1);
    for (size_t i = 0; i < map->count; i++) {
        entries[i].name = "";
        read_entry(&map->children[i], arena, &entries[i], problems);
    }
    *table = (struct config_table){entries, map->count};
}

const struct config_entry *config_table_find(const struct config_table *table, struct str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (str_equal(name, str_from(table->entries[i].name))) return &table->entries[i];
    return NULL;
}

const char *config_table_nearest(const struct config_table *table, struct str name)
{
    return table->count ? str_nearest(name, &table->entries[0].name, table->count, sizeof table->entries[0]) : NULL;
}

/* --- a pipeline's values ------------------------------------------------------------------------------------------------- */

static void check_unknown(const struct config_table *table, const struct node *given, const char *path,
                          struct problems *problems)
{
    for (size_t i = 0; i < given->count; i++) {
        const struct node *child = &given->children[i];
        if (config_table_find(table, child->key)) continue;
        problems_add(problems, child, "%s: unknown key '" STR_FMT "'", path, STR_ARG(child->key));
        const char *nearest = config_table_nearest(table, child->key);
        if (nearest)
            problems_hint(problems, "did you mean '%s'?", nearest);
        else if (table->count == 0)
            problems_hint(problems, "this connector has no configuration");
    }
}

static void resolve_entry(const struct config_entry *entry, const struct node *given, const struct node *value,
                          const char *path, struct arena *arena, struct config_value *out, struct problems *problems)
{
    *out = (struct config_value){.entry = entry};
    if (!value || value->kind == NODE_NULL) {
        if (entry->required) {
            problems_add(problems, given, "%s: '%s' is missing", path, entry->name);
            if (entry->title) problems_hint(problems, "%s: %s", entry->name, entry->title);
        } else if (entry->fallback) {
            out->text = str_from(entry->fallback);
            out->is_set = true;
        }
        return;
    }
    const char *place = arena_printf(arena, "%s.%s", path, entry->name);
    if (!read_value(entry, value, place, arena, &out->text, problems)) return;
    out->is_set = entry->type != CONFIG_LIST || out->text.size > 0;
    if (entry->required && out->text.size == 0) {
        problems_add(problems, value, "%s: is empty", place);
        problems_hint(problems, "if it comes from the environment: is the variable set?");
    }
}

/* Each value of a list is a secret of its own. */
static void register_secret(const struct config_value *value, struct secrets *secrets, struct arena *arena)
{
    const char *name = arena_printf(arena, "config.%s", value->entry->name);
    struct str rest = value->text, part;
    if (value->entry->type != CONFIG_LIST)
        secrets_add(secrets, name, value->text);
    else
        while (str_next(&rest, ',', &part)) secrets_add(secrets, name, part);
}

void config_resolve(const struct config_table *table, const struct node *given, const char *path, struct secrets *secrets,
                    struct arena *arena, const struct config **out, struct problems *problems)
{
    size_t before = problems->count;
    *out = NULL;
    if (given && given->kind == NODE_NULL) given = NULL;
    if (given && given->kind != NODE_MAP) {
        problems_add(problems, given, "%s: expected a map, got %s", path, node_kind_name(given->kind));
        return;
    }
    if (given) check_unknown(table, given, path, problems);
    struct config_value *values = arena_array(arena, struct config_value, table->count + 1);
    for (size_t i = 0; i < table->count; i++) {
        const struct config_entry *entry = &table->entries[i];
        resolve_entry(entry, given, node_get(given, entry->name), path, arena, &values[i], problems);
        if (entry->secret && secrets && values[i].is_set) register_secret(&values[i], secrets, arena);
    }
    if (problems->count != before) return;
    struct config *config = arena_new(arena, struct config);
    *config = (struct config){table, values, arena_new(arena, struct config_facts)};
    *out = config;
}

const struct config_value *config_get(const struct config *config, struct str name)
{
    const struct config_entry *entry = config_table_find(config->table, name);
    return entry ? &config->values[entry - config->table->entries] : NULL;
}

void config_list_to_json(struct str list, struct json_writer *writer)
{
    struct str value;
    json_open(writer, '[');
    while (list.size && str_next(&list, ',', &value)) json_text(writer, value);
    json_close(writer, ']');
}

void config_to_json(const struct config *config, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    json_open(&writer, '{');
    for (size_t i = 0; i < config->table->count; i++) {
        const struct config_value *value = &config->values[i];
        if (!value->is_set || value->entry->secret) continue;
        enum config_type type = value->entry->type;
        json_member(&writer, value->entry->name);
        if (type == CONFIG_INTEGER || type == CONFIG_NUMBER || type == CONFIG_BOOLEAN)
            json_raw(&writer, value->text);
        else if (type == CONFIG_LIST)
            config_list_to_json(value->text, &writer);
        else
            json_text(&writer, value->text);
    }
    json_close(&writer, '}');
}

bool config_is_handle(const struct config_entry *entry)
{
    return entry->secret && entry->type != CONFIG_LIST;
}

void config_secrets_to_json(const struct config *config, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    json_open(&writer, '[');
    for (size_t i = 0; i < config->table->count; i++)
        if (config->values[i].is_set && config_is_handle(config->values[i].entry))
            json_cstr(&writer, config->values[i].entry->name);
    json_close(&writer, ']');
}
