/* annotations: all tables as classes for the Lua language server: an editor completes keys and checks values with them. */
#include "rest/vocabulary/tables.h"

/* What stands for a key of type `any`, and what a function in a key's place is; by the key's name, which means the same
 * everywhere. */
static const struct {
    const char *key, *type;
} ANY_TYPES[] =
    {
        {"auth", "sluice.Auth"},
        {"rate_limit", "sluice.RateLimit|sluice.RateLimit[]"},
        {"pages", "sluice.Pages"},
        {"cursor", "sluice.Cursor"},
        {"errors", "sluice.ErrorRule[]"},
        {"format", "string|sluice.Format"},
        {"zip", "sluice.Zip|sluice.Zip[]"},
        {"filter", "sluice.Filter|sluice.Filter[]"},
        {"enrich", "sluice.Enrich|sluice.Enrich[]"},
        {"flatten", "string[]|sluice.Flatten"},
        {"add", "table<string, any>"},
        {"fields", "table<string, sluice.Type|sluice.Field>"},
        {"headers", "table<string, any>"},
        {"params", "table<string, any>"},
        {"default", "string|number|boolean"},
        {"lookback", "string|number"},
        {"deleted", "string|sluice.Deleted"},
},
  FUNCTIONS[] = {
      {"records", "sluice.RecordsFunction"},
      {"map", "sluice.MapFunction"},
      {"errors", "sluice.ErrorsFunction"},
      {"action", "sluice.ErrorsFunction"},
};

static const char *const TYPES[] = {
    [OPTION_STRING] = "string",          [OPTION_INTEGER] = "integer",
    [OPTION_BOOLEAN] = "boolean",        [OPTION_NUMBER] = "number",
    [OPTION_DURATION] = "string|number", [OPTION_SIZE] = "string|integer",
    [OPTION_TIMESTAMP] = "string",       [OPTION_LIST] = "string|number|boolean|(string|number|boolean)[]",
};

static const char *class_of(const struct option_table *table)
{
    for (size_t i = 0; i < VOCABULARY_SECTION_COUNT; i++)
        if (VOCABULARY_SECTIONS[i].table == table) return VOCABULARY_SECTIONS[i].class;
    return NULL;
}

static const char *any_type(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(ANY_TYPES); i++)
        if (strcmp(ANY_TYPES[i].key, key) == 0) return ANY_TYPES[i].type;
    return "any";
}

static const char *function_type(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(FUNCTIONS); i++)
        if (strcmp(FUNCTIONS[i].key, key) == 0) return FUNCTIONS[i].type;
    return "sluice.ValueFunction";
}

static void write_child(struct buf *out, const struct option *option)
{
    const char *class = option->child ? class_of(option->child) : NULL;
    if (!class)
        buf_append_text(out, option->type == OPTION_MAP_OF ? "string|number|boolean" : "table");
    else
        buf_printf(out, "sluice.%s", class);
}

static void write_choices(struct buf *out, const char *values)
{
    struct str rest = str_from(values), value;
    for (const char *separator = ""; str_next(&rest, '|', &value); separator = "|")
        buf_printf(out, "%s\"" STR_FMT "\"", separator, STR_ARG(value));
}

static void write_type(struct buf *out, const struct option *option)
{
    switch (option->type) {
    case OPTION_ENUM:
        write_choices(out, option->values);
        break;
    case OPTION_MAP:
        write_child(out, option);
        break;
    case OPTION_MAP_OF:
        buf_append_text(out, "table<string, ");
        write_child(out, option);
        buf_append_char(out, '>');
        break;
    case OPTION_LIST_OF:
        write_child(out, option);
        buf_append_text(out, "[]");
        break;
    case OPTION_ANY:
        buf_append_text(out, any_type(option->name));
        break;
    default:
        buf_append_text(out, TYPES[option->type]);
    }
    if (option->flags & OPTION_FUNCTION) buf_printf(out, "|%s", function_type(option->name));
}

static void write_field(struct buf *out, const struct option *option)
{
    bool is_needed = option->flags & OPTION_REQUIRED;
    buf_printf(out, "---@field %s%s ", option->name, is_needed ? "" : "?");
    write_type(out, option);
    buf_printf(out, " %s", option->help);
    if (option->fallback && option->fallback[0]) buf_printf(out, " (default: %s)", option->fallback);
    buf_append_char(out, '\n');
}

static void write_class(struct buf *out, const struct option_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->options[i].name, "kind") != 0) write_field(out, &table->options[i]);
    buf_append_char(out, '\n');
}

/* A class for each kind, told apart by `kind`, and one name for all of them. */
static void write_kinds(struct buf *out, const char *class, const struct vocabulary_kinds *kinds)
{
    for (size_t i = 0; i < kinds->count; i++) {
        const struct vocabulary_kind *kind = &kinds->kinds[i];
        bool is_default = kinds->fallback && strcmp(kinds->fallback, kind->name) == 0;
        buf_printf(out, "---%s.\n---@class sluice.%s.%s\n", kind->help, class, kind->name);
        buf_printf(out, "---@field kind%s \"%s\"\n", is_default ? "?" : "", kind->name);
        write_class(out, kind->table);
    }
    buf_printf(out, "---@alias sluice.%s", class);
    for (size_t i = 0; i < kinds->count; i++) buf_printf(out, "%ssluice.%s.%s", i > 0 ? "|" : " ", class, kinds->kinds[i].name);
    buf_append_text(out, "\n\n");
}

static void write_types(struct buf *out)
{
    buf_append_text(out, "---The type of a column.\n---@alias sluice.Type ");
    write_choices(out, option_find(&VOCABULARY_FIELD, STR("type"))->values);
    buf_append_text(out, "\n\n");
}

void vocabulary_write_annotations(struct buf *out)
{
    buf_append_text(out, "---@meta sluice.description\n"
                         "-- The keys of a description, for editors (LuaLS). Written by the host from the tables that check "
                         "descriptions; what they\n"
                         "-- mean is in sdk/description.md, what functions get in sdk/lua/sluice.lua.\n\n");
    write_types(out);
    for (size_t i = 0; i < VOCABULARY_SECTION_COUNT; i++) {
        const struct vocabulary_section *section = &VOCABULARY_SECTIONS[i];
        if (section->kinds) {
            write_kinds(out, section->class, section->kinds);
            continue;
        }
        buf_printf(out, "---%s.\n---@class sluice.%s\n", section->title, section->class);
        write_class(out, section->table);
    }
}
