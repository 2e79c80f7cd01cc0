/* connector docs: what a connector offers, for its users: Markdown, and a JSON Schema of its configuration. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/connector_parts.h"
#include "rest/description.h"
#include "rest/vocabulary.h"

enum { DOCS_MAX = 16 * 1024 * 1024 };

static const char *const CONFIG_TYPES[] = {
    [CONFIG_STRING] = "string",       [CONFIG_INTEGER] = "integer", [CONFIG_NUMBER] = "number", [CONFIG_BOOLEAN] = "boolean",
    [CONFIG_TIMESTAMP] = "timestamp", [CONFIG_DATE] = "date",       [CONFIG_ENUM] = "one of",   [CONFIG_LIST] = "list",
};

/* --- Markdown ------------------------------------------------------------------------------------------------------------ */

/* A cell: '|' and line ends would end it. */
static void write_cell(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '|') buf_append_char(out, '\\');
        buf_append_char(out, text.data[i] == '\n' || text.data[i] == '\r' ? ' ' : text.data[i]);
    }
}

static void write_code(struct buf *out, struct str text)
{
    if (text.size == 0) return;
    buf_append_char(out, '`');
    write_cell(out, text);
    buf_append_char(out, '`');
}

static void write_config(struct buf *out, const struct config_table *config)
{
    if (config->count == 0) return;
    buf_append_text(out, "## Configuration\n\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < config->count; i++) {
        const struct config_entry *entry = &config->entries[i];
        buf_printf(out, "| `%s` | %s", entry->name, CONFIG_TYPES[entry->type]);
        for (size_t v = 0; v < entry->value_count; v++) {
            buf_append_text(out, v ? ", " : " ");
            write_code(out, str_from(entry->values[v]));
        }
        buf_append_text(out, entry->secret ? ", secret | " : " | ");
        if (entry->fallback)
            write_code(out, str_from(entry->fallback));
        else
            buf_append_text(out, entry->required ? "required" : "");
        buf_append_text(out, " | ");
        write_cell(out, str_from(entry->title));
        buf_append_text(out, " |\n");
    }
    buf_append_char(out, '\n');
}

/* "`order_id`, `line`" */
static void write_names(struct buf *out, const struct node *names)
{
    size_t count = !names || names->kind == NODE_NULL ? 0 : names->kind == NODE_LIST ? names->count : 1;
    for (size_t i = 0; i < count; i++) {
        if (i) buf_append_text(out, ", ");
        write_code(out, node_text(names->kind == NODE_LIST ? &names->children[i] : names));
    }
}

static void write_modes(struct buf *out, const struct node *stream)
{
    const struct node *modes = node_get(stream, "sync_modes");
    if (modes && modes->kind != NODE_NULL)
        write_names(out, modes);
    else
        buf_append_text(out, node_get(stream, "cursor") ? "`full_refresh`, `incremental`" : "`full_refresh`");
}

static void write_stream_row(struct buf *out, const struct node *stream, const struct node *root)
{
    buf_append_text(out, "| ");
    write_code(out, stream->key);
    if (root) buf_printf(out, ", exploded from `" STR_FMT "`", STR_ARG(root->key));
    const struct node *parent = node_get(node_get(stream, "parent"), "stream");
    if (parent) buf_printf(out, ", for each of `" STR_FMT "`", STR_ARG(node_text(parent)));
    if (str_equal(node_text(node_get(stream, "internal")), STR("true"))) buf_append_text(out, ", not loaded itself");
    buf_append_text(out, " | ");
    write_names(out, node_get(stream, "primary_key"));
    buf_append_text(out, " | ");
    write_code(out, node_text(node_get(node_get(root ? root : stream, "cursor"), "field")));
    buf_append_text(out, " | ");
    write_modes(out, root ? root : stream);
    buf_append_text(out, " | ");
    write_cell(out, node_text(node_get(stream, "title")));
    buf_append_text(out, " |\n");
    const struct node *exploded = node_get(stream, "explode");
    for (size_t i = 0; exploded && i < exploded->count; i++) write_stream_row(out, &exploded->children[i], stream);
}

static void write_fields(struct buf *out, const struct node *stream)
{
    const struct node *fields = node_get(stream, "fields"), *exploded = node_get(stream, "explode");
    if (fields && fields->count) {
        buf_printf(out, "### `" STR_FMT "`\n\n| column | type | |\n|---|---|---|\n", STR_ARG(stream->key));
        for (size_t i = 0; i < fields->count; i++) {
            const struct node *field = &fields->children[i];
            bool is_map = field->kind == NODE_MAP;
            buf_append_text(out, "| ");
            write_code(out, field->key);
            buf_append_text(out, " | ");
            write_cell(out, node_text(is_map ? node_get(field, "type") : field));
            buf_append_text(out, " | ");
            if (is_map) write_cell(out, node_text(node_get(field, "title")));
            buf_append_text(out, " |\n");
        }
        buf_append_char(out, '\n');
    }
    for (size_t i = 0; exploded && i < exploded->count; i++) write_fields(out, &exploded->children[i]);
}

static void write_streams(struct buf *out, const struct node *streams, const struct node *dynamic)
{
    buf_append_text(out, "## Streams\n\n| stream | primary key | cursor | sync modes | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; streams && i < streams->count; i++) write_stream_row(out, &streams->children[i], NULL);
    if (dynamic) {
        struct node listed = *node_get(dynamic, "stream");
        listed.key = STR("*");
        buf_append_text(out, "\nAnd those that the source lists in ");
        write_code(out, node_text(node_get(dynamic, "from")));
        buf_append_text(out, ":\n\n| stream | primary key | cursor | sync modes | |\n|---|---|---|---|---|\n");
        write_stream_row(out, &listed, NULL);
    }
    buf_append_char(out, '\n');
    for (size_t i = 0; streams && i < streams->count; i++) write_fields(out, &streams->children[i]);
}

static void write_hosts(struct buf *out, const struct node *http)
{
    buf_append_text(out, "## Hosts\n\nRequests go to ");
    write_code(out, node_text(node_get(http, "base")));
    if (node_get(http, "hosts")) {
        buf_append_text(out, ", ");
        write_names(out, node_get(http, "hosts"));
    }
    buf_append_text(out, " and nowhere else.\n");
}

/* Of a connector; a parser has neither streams nor hosts. */
static void write_source(struct buf *out, const struct node *root)
{
    write_streams(out, node_get(root, "streams"), node_get(root, "dynamic"));
    write_hosts(out, node_get(root, "http"));
}

static void write_use(struct buf *out, const char *name)
{
    buf_printf(out,
               "## Use\n\nThe bodies of a stream's answers are read by it where a connector declares\n"
               "`format = { kind = \"plugin\", plugin = \"%s\" }`.\n",
               name);
}

int connector_docs(const struct loaded_connector *loaded)
{
    const bool is_parser = description_is_parser(loaded->root);
    const char *name = node_cstr(node_get(loaded->root, "name"), "");
    struct buf out = BUF_INIT(DOCS_MAX);
    const struct node *root = loaded->root;
    struct str title = node_text(node_get(root, "title"));
    if (title.size == 0) title = str_from(name);
    buf_printf(&out, "# " STR_FMT "\n\n%s `%s`, version %s.\n\n", STR_ARG(title), is_parser ? "Parser" : "Connector", name,
               node_cstr(node_get(root, "version"), ""));
    write_config(&out, &loaded->config);
    if (is_parser)
        write_use(&out, name);
    else
        write_source(&out, root);
    fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    return 0;
}

/* --- JSON Schema --------------------------------------------------------------------------------------------------------- */

static void write_default(struct json_writer *json, const struct config_entry *entry)
{
    bool is_literal = entry->type == CONFIG_INTEGER || entry->type == CONFIG_NUMBER || entry->type == CONFIG_BOOLEAN;
    json_member(json, "default");
    if (is_literal)
        json_raw(json, str_from(entry->fallback));
    else if (entry->type == CONFIG_LIST)
        config_list_to_json(str_from(entry->fallback), json);
    else
        json_cstr(json, entry->fallback);
}

static void write_property(struct json_writer *json, const struct config_entry *entry, size_t order)
{
    static const struct {
        const char *type, *format;
    } SCHEMAS[] = {
        [CONFIG_STRING] = {"string", NULL},
        [CONFIG_INTEGER] = {"integer", NULL},
        [CONFIG_NUMBER] = {"number", NULL},
        [CONFIG_BOOLEAN] = {"boolean", NULL},
        [CONFIG_TIMESTAMP] = {"string", "date-time"},
        [CONFIG_DATE] = {"string", "date"},
        [CONFIG_ENUM] = {"string", NULL},
        [CONFIG_LIST] = {"array", NULL},
    };
    json_open(json, '{');
    json_member(json, "type"), json_cstr(json, SCHEMAS[entry->type].type);
    if (SCHEMAS[entry->type].format) json_member(json, "format"), json_cstr(json, SCHEMAS[entry->type].format);
    if (entry->type == CONFIG_LIST) {
        json_member(json, "items"), json_open(json, '{');
        json_member(json, "type"), json_cstr(json, "string");
        json_close(json, '}');
        if (entry->required) json_member(json, "minItems"), json_int(json, 1);
    }
    if (entry->title) json_member(json, "title"), json_cstr(json, entry->title);
    if (entry->value_count) {
        json_member(json, "enum"), json_open(json, '[');
        for (size_t v = 0; v < entry->value_count; v++) json_cstr(json, entry->values[v]);
        json_close(json, ']');
    }
    if (entry->fallback) write_default(json, entry);
    if (entry->secret) json_member(json, "writeOnly"), json_bool(json, true);
    json_member(json, "order"), json_int(json, (int64_t)order);
    json_close(json, '}');
}

int connector_config_schema(const struct loaded_connector *loaded)
{
    struct buf out = BUF_INIT(DOCS_MAX);
    struct json_writer json = JSON_WRITER(&out);
    const struct config_table *config = &loaded->config;
    json_open(&json, '{');
    json_member(&json, "$schema"), json_cstr(&json, "http://json-schema.org/draft-07/schema#");
    json_member(&json, "title"),
        json_cstr(&json, node_cstr(node_get(loaded->root, "title"), node_cstr(node_get(loaded->root, "name"), "")));
    json_member(&json, "type"), json_cstr(&json, "object");
    json_member(&json, "properties"), json_open(&json, '{');
    for (size_t i = 0; i < config->count; i++) {
        json_member(&json, config->entries[i].name);
        write_property(&json, &config->entries[i], i);
    }
    json_close(&json, '}');
    json_member(&json, "required"), json_open(&json, '[');
    for (size_t i = 0; i < config->count; i++)
        if (config->entries[i].required && !config->entries[i].fallback) json_cstr(&json, config->entries[i].name);
    json_close(&json, ']');
    json_member(&json, "additionalProperties"), json_bool(&json, false);
    json_close(&json, '}');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
    return 0;
}
