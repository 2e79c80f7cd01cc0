/* reference: all tables as Markdown. */
#include "rest/vocabulary/tables.h"

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
    for (size_t i = 0; i < kinds->count; i++) {
        const struct vocabulary_kind *kind = &kinds->kinds[i];
        bool is_default = kinds->fallback && strcmp(kinds->fallback, kind->name) == 0;
        buf_printf(out, "### `kind = \"%s\"`\n\n%s%s.\n\n", kind->name, kind->help, is_default ? " (the default kind)" : "");
        if (kind->table->count > 1) write_table(out, kind->table);
    }
}

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
        "`slice.to`, `page.number`, `page.offset`, `page.token`, `page.size`, `page.key`, `stream.name`, `stream.fields`, "
        "`now`; where there are such: `slice.NAME` (of a partition), `parent.FIELD`, `parent.ids`, `batch.ids` (in "
        "`enrich`), `job.NAME`, `auth.NAME`.\n"
        "- Filters: `format:\"%Y-%m-%d\"`, `minus:\"5m\"`, `plus:\"5m\"`, `default:\"x\"`, `upper`, `lower`, `urlencode`, "
        "`string`; `list` (the parts between commas as a JSON list, `{{stream.fields | list}}`), `list_of:\"id\"` (each as "
        "`{\"id\": ..}`).\n"
        "- A parameter, header or body member that is one reference without a value is left out.\n"
        "- `{ [\"$select\"] = \"ENTRY\", cases = { a = .., b = .. } }` stands for the case that `config.ENTRY` names, anywhere "
        "but in `config`.\n\n");
    for (size_t i = 0; i < VOCABULARY_SECTION_COUNT; i++) {
        const struct vocabulary_section *section = &VOCABULARY_SECTIONS[i];
        buf_printf(out, "## %s\n\n", section->title);
        if (section->table)
            write_table(out, section->table);
        else
            write_kinds(out, section->kinds);
    }
}
