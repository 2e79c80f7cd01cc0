/* connector: what connectors there are, and what one declares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/command.h"
#include "cli/print.h"
#include "connector/connector.h"
#include "data/node.h"
#include "rest/config.h"
#include "rest/description.h"

static int list(struct arena *arena, bool as_json)
{
    static const char *const HEADER[] = {"name", "path"};
    const struct connector *found;
    size_t count;
    struct connector_path path = {0};
    struct text_table table;
    struct buf json = BUF_INIT(4 * 1024 * 1024);
    connector_list(&path, arena, &found, &count);
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, NULL);
    table.max_width = 200;
    for (size_t i = 0; i < count; i++) {
        text_table_add(&table, found[i].name);
        text_table_add(&table, found[i].path);
        buf_append_text(&json, i ? ",{\"name\":" : "{\"name\":");
        buf_append_json_string(&json, str_from(found[i].name));
        buf_append_text(&json, ",\"path\":");
        buf_append_json_string(&json, str_from(found[i].path));
        buf_append_char(&json, '}');
    }
    if (as_json)
        printf("[%s]\n", buf_text(&json));
    else
        text_table_print(&table, stdout);
    if (count == 0) fprintf(stderr, "no connectors found; put a NAME.lua into ./connectors\n");
    text_table_release(&table);
    buf_release(&json);
    return 0;
}

static void print_config(const struct config_table *config)
{
    static const char *const TYPES[] = {"string", "integer", "number", "boolean", "timestamp", "date", "enum"};
    printf("\nconfig:\n");
    for (size_t i = 0; i < config->count; i++) {
        const struct config_entry *entry = &config->entries[i];
        printf("  %-20s %-10s %s%s%s%s%s", entry->name, TYPES[entry->type], entry->required ? "required" : "optional",
               entry->secret ? ", secret" : "", entry->fallback ? ", default " : "", entry->fallback ? entry->fallback : "",
               entry->title ? "  " : "");
        printf("%s\n", entry->title ? entry->title : "");
        for (size_t v = 0; v < entry->value_count; v++) printf("  %-20s   %s\n", "", entry->values[v]);
    }
}

static void print_key(const struct node *key)
{
    size_t count = key && key->kind == NODE_LIST ? key->count : 1;
    for (size_t i = 0; key && i < count; i++) {
        struct str name = node_text(key->kind == NODE_LIST ? &key->children[i] : key);
        printf("%s" STR_FMT, i ? ", " : " key ", STR_ARG(name));
    }
}

static void print_stream(const struct node *stream, const struct node *root)
{
    const struct node *fields = node_get(stream, "fields"), *exploded = node_get(stream, "explode");
    const struct node *cursor = node_get(node_get(stream, "cursor"), "field");
    printf("  " STR_FMT ":", STR_ARG(stream->key));
    if (root) printf(" exploded from " STR_FMT, STR_ARG(root->key));
    print_key(node_get(stream, "primary_key"));
    if (cursor) printf(" cursor " STR_FMT, STR_ARG(cursor->text));
    printf("\n");
    for (size_t f = 0; fields && f < fields->count; f++) {
        const struct node *field = &fields->children[f];
        struct str type = field->kind == NODE_MAP ? node_text(node_get(field, "type")) : node_text(field);
        printf("    %-24.*s " STR_FMT "\n", (int)field->key.size, field->key.data, STR_ARG(type));
    }
    for (size_t e = 0; exploded && e < exploded->count; e++) print_stream(&exploded->children[e], stream);
}

static void print_streams(const struct node *streams)
{
    printf("\nstreams:\n");
    for (size_t i = 0; streams && i < streams->count; i++) print_stream(&streams->children[i], NULL);
}

static int describe(struct arena *arena, const char *name, bool as_json)
{
    const struct connector *connector;
    const struct node *root;
    struct str json;
    struct err err = ERR_INIT;
    struct connector_path path = {0};
    struct connector_options options = {0};
    struct problems problems = PROBLEMS_INIT(arena);
    int rc = connector_find(&path, name, arena, &connector, &err);
    if (rc == 0) rc = connector_describe(connector, &options, arena, &json, &err);
    if (rc == 0) rc = description_read(json, arena, &root, &err);
    if (rc) return print_failure(NULL, &err, NULL);
    description_check(root, &problems);
    if (problems.count) return print_problems(&problems, NULL);
    if (as_json) {
        fwrite(json.data, 1, json.size, stdout);
        printf("\n");
        return 0;
    }
    struct config_table config;
    config_table_read(node_get(root, "config"), arena, &config, &problems);
    printf("%s %s", node_cstr(node_get(root, "name"), ""), node_cstr(node_get(root, "version"), ""));
    printf("  %s\n%s\n", node_cstr(node_get(root, "title"), ""), connector->path);
    print_config(&config);
    print_streams(node_get(root, "streams"));
    return 0;
}

static int run(const struct arguments *arguments)
{
    struct arena arena = ARENA_INIT(0);
    const char *what = arguments->words[0];
    bool as_json = argument_is_set(arguments, "--json");
    int code = 2;
    if (strcmp(what, "list") == 0 && arguments->word_count == 1)
        code = list(&arena, as_json);
    else if (strcmp(what, "describe") == 0 && arguments->word_count == 2)
        code = describe(&arena, arguments->words[1], as_json);
    else
        fprintf(stderr, "sluice connector: use `list`, or `describe NAME`\n");
    arena_release(&arena);
    return code;
}

static const struct cli_option OPTIONS[] = {OPTION_JSON};

const struct command COMMAND_CONNECTOR = {
    .name = "connector",
    .usage = "list | describe NAME",
    .summary = "list connectors, or show what one declares",
    .details =
        "A connector is found by path, or by name in ./connectors, $XDG_DATA_HOME/sluice/connectors and the installed folder.\n"
        "`describe --json` prints the whole description that the host runs: what you see is all there is.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
