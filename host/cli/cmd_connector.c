/* connector: what connectors there are, and what one declares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/command.h"
#include "cli/connector_parts.h"
#include "cli/connector_test.h"
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
    static const char *const TYPES[] = {"string", "integer", "number", "boolean", "timestamp", "date", "enum", "list"};
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
    if (root) printf(" comes with " STR_FMT, STR_ARG(root->key));
    print_key(node_get(stream, "primary_key"));
    if (cursor) printf(" cursor " STR_FMT, STR_ARG(cursor->text));
    printf("\n");
    for (size_t f = 0; fields && f < fields->count; f++) {
        const struct node *field = &fields->children[f];
        struct str type = field->kind == NODE_MAP ? node_text(node_get(field, "type")) : node_text(field);
        printf("    %-24.*s " STR_FMT "\n", (int)field->key.size, field->key.data, STR_ARG(type));
    }
    const struct node *routes = node_get(stream, "routes");
    for (size_t e = 0; exploded && e < exploded->count; e++) print_stream(&exploded->children[e], stream);
    for (size_t e = 0; routes && e < routes->count; e++) print_stream(&routes->children[e], stream);
}

static void print_streams(const struct node *streams)
{
    printf("\nstreams:\n");
    for (size_t i = 0; streams && i < streams->count; i++) print_stream(&streams->children[i], NULL);
}

int connector_load(const char *name, struct arena *arena, struct loaded_connector *loaded)
{
    struct err err = ERR_INIT;
    const struct connector_path path = {0};
    const struct connector_options options = {0};
    struct problems problems = PROBLEMS_INIT(arena);
    int rc = connector_find(&path, name, arena, &loaded->connector, &err);
    if (rc == 0) rc = connector_describe(loaded->connector, &options, arena, &loaded->json, &err);
    if (rc == 0) rc = description_read(loaded->json, arena, &loaded->root, &err);
    if (rc) return print_failure(NULL, &err, NULL);
    description_check(loaded->root, &problems);
    if (problems.count) return print_problems(&problems, NULL);
    config_table_read(node_get(loaded->root, "config"), arena, &loaded->config, &problems);
    return 0;
}

static int describe(const struct loaded_connector *loaded, bool as_json)
{
    const struct node *root = loaded->root;
    if (as_json) {
        fwrite(loaded->json.data, 1, loaded->json.size, stdout);
        printf("\n");
        return 0;
    }
    printf("%s %s", node_cstr(node_get(root, "name"), ""), node_cstr(node_get(root, "version"), ""));
    printf("  %s\n%s\n", node_cstr(node_get(root, "title"), ""), loaded->connector->path);
    print_config(&loaded->config);
    if (description_is_parser(root))
        printf("\na parser of bodies, for streams that name it in their format\n");
    else
        print_streams(node_get(root, "streams"));
    const struct node *list = node_path(root, "dynamic.from");
    if (list) printf("  and those that the source lists in " STR_FMT "\n", STR_ARG(node_text(list)));
    return 0;
}

static int lint(const struct arguments *arguments, const struct loaded_connector *loaded, struct arena *arena)
{
    const char *against = argument_value(arguments, "--against", NULL);
    struct loaded_connector old;
    int code = against ? connector_load(against, arena, &old) : 0;
    if (code != 0) return code;
    return connector_lint(loaded, against ? &old : NULL, argument_is_set(arguments, "--strict"),
                          argument_is_set(arguments, "--json"), arena);
}

static int run_on(const struct arguments *arguments, const char *what, struct arena *arena)
{
    struct loaded_connector loaded;
    int code = connector_load(arguments->words[1], arena, &loaded);
    if (code != 0) return code;
    if (strcmp(what, "lint") == 0) return lint(arguments, &loaded, arena);
    if (strcmp(what, "docs") == 0) return connector_docs(&loaded);
    if (argument_is_set(arguments, "--config-schema")) return connector_config_schema(&loaded);
    return describe(&loaded, argument_is_set(arguments, "--json"));
}

static void show_passed(void *context, const char *check)
{
    (void)context;
    printf("ok     %s\n", check);
    fflush(stdout); /* before a crash of what comes next is told of */
}

/* What a host makes of a plugin, check by check. */
static int inspect(const char *name, struct arena *arena)
{
    struct err err = ERR_INIT;
    const struct connector_path path = {0};
    const struct connector_options options = {0};
    const struct connector *connector;
    struct connector_sources sources;
    struct problems problems = PROBLEMS_INIT(arena);
    const struct node *root;
    struct str json;
    int rc = connector_find(&path, name, arena, &connector, &err);
    if (rc == 0 && !connector->is_native) {
        err_set(&err, ERR_CONFIG, "connector '%s' is no native plugin", name);
        rc = err_hint(&err, "`sluice connector lint %s` looks at one in Lua", name);
    }
    if (rc == 0) rc = connector_read(connector, arena, &sources, &err);
    if (rc == 0) show_passed(NULL, "its file, and every folder above it, can be written by root or by you only");
    if (rc == 0) rc = connector_inspect(&sources, &options, show_passed, NULL, arena, &json, &err);
    if (rc == 0) rc = description_read(json, arena, &root, &err);
    if (rc) return print_failure(NULL, &err, NULL);
    show_passed(NULL, "its functions and callbacks are those that its description needs");
    description_check(root, &problems);
    if (problems.count) return print_problems(&problems, NULL);
    show_passed(NULL, "its description is right");
    printf("\n%s %s, profile %s\n%s\n", node_cstr(node_get(root, "name"), ""), node_cstr(node_get(root, "version"), ""),
           node_cstr(node_get(root, "profile"), ""), connector->path);
    return 0;
}

static bool takes_connector(const char *what)
{
    static const char *const NAMES[] = {"describe", "docs", "lint"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        if (strcmp(NAMES[i], what) == 0) return true;
    return false;
}

static int new_one(const struct arguments *arguments, struct arena *arena)
{
    const char *name = arguments->words[1], *from = argument_value(arguments, "--from", NULL);
    if (!argument_is_set(arguments, "--native")) return connector_new(name, from, arena);
    if (!from) return connector_new_native(name, arena);
    fprintf(stderr, "sluice connector new: --from proposes a connector in Lua, and --native begins one in C\n");
    return 2;
}

static int run(const struct arguments *arguments)
{
    struct arena arena = ARENA_INIT(0);
    const char *what = arguments->words[0];
    int code = 2;
    if (strcmp(what, "list") == 0 && arguments->word_count == 1)
        code = list(&arena, argument_is_set(arguments, "--json"));
    else if (strcmp(what, "new") == 0 && arguments->word_count == 2)
        code = new_one(arguments, &arena);
    else if (strcmp(what, "test") == 0)
        code = connector_test(arguments);
    else if (strcmp(what, "inspect") == 0 && arguments->word_count == 2)
        code = inspect(arguments->words[1], &arena);
    else if (takes_connector(what) && arguments->word_count == 2)
        code = run_on(arguments, what, &arena);
    else
        fprintf(stderr,
                "sluice connector: use `list`, or one of `new`, `describe`, `docs`, `inspect`, `lint`, `test` and a NAME\n");
    arena_release(&arena);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_JSON,
    {"--from", 0, "FILE", false,
     "new: propose streams, credentials and pages from a curl command, HAR session or OpenAPI document"},
    {"--native", 0, NULL, false, "new: a native plugin in C, in ./plugins/NAME"},
    {"--config-schema", 0, NULL, false, "describe: print the JSON Schema of its configuration"},
    {"--against", 0, "OLD", false, "lint: name what breaks pipelines of this older version"},
    {"--update", 0, NULL, false, "test: write what came into the cases, in place of what they expect"},
    {"--record", 0, "PIPELINE", false,
     "test: ask the source, as this pipeline of sluice.yaml would, and write what came into the case, without secrets"},
    OPTION_FILE,
    OPTION_STATE_DIR,
    OPTION_VERBOSE,
    {"--strict", 0, NULL, false, "lint: warnings count as errors"},
};

const struct command COMMAND_CONNECTOR = {
    .name = "connector",
    .usage = "list | new NAME | describe NAME | docs NAME | lint NAME | inspect FILE | test [NAME [CASE]]",
    .summary = "list connectors, show what one declares, look for mistakes in it, run its cases",
    .details =
        "`new` writes ./connectors/NAME/init.lua, which runs and is to be corrected.\n"
        "A connector is found by path, or by name in ./connectors, $XDG_DATA_HOME/sluice/connectors and the installed folder.\n"
        "`describe --json` prints the whole description that the host runs: what you see is all there is. `docs` prints what "
        "its\n"
        "users should know, as Markdown. `lint` names what will be regretted: secrets that are not marked, hosts that are not\n"
        "declared, listings without an end, rules that are never reached; it ends with 2 when there are errors.\n"
        "`inspect` loads a native plugin behind all walls and prints each check that it passes.\n"
        "`test` replays the connector's cases: no network, no database, no waiting. It ends with 7 when one fails. `test NAME "
        "CASE\n"
        "--record PIPELINE` makes such a case, or records one anew, from the real source.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .min_words = 1,
    .max_words = 3,
    .run = run,
};
