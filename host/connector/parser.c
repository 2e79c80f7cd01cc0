/* parser: see parser.h. */
#include "connector/parser.h"

#include "data/node.h"
#include "rest/description.h"

static int refuse(const char *name, struct err *err, const char *what)
{
    err_set(err, ERR_CONFIG, "parser '%s': %s", name, what);
    return err_hint(err, "a parser is a native plugin of the profile parse whose description says `parser: true`");
}

/* Is it what a parser should be? Takes over what it declares. */
static int take_description(struct parser *parser, struct str json, struct arena *arena, struct err *err)
{
    const struct node *root;
    struct problems problems = PROBLEMS_INIT(arena);
    int rc = description_read(json, arena, &root, err);
    if (rc) return rc;
    const char *profile = node_cstr(node_get(root, "profile"), "");
    if (!description_is_parser(root)) return refuse(parser->name, err, "it is a connector, and no parser");
    if (!str_equal(str_from(profile), STR("parse")))
        return refuse(parser->name, err, arena_printf(arena, "it declares the profile %s, and a parser gets parse", profile));
    description_check(root, &problems);
    if (problems.count) return refuse(parser->name, err, problems.list[0].message);
    config_table_read(node_get(root, "config"), arena, &parser->config, &problems);
    return 0;
}

int parser_load(const struct connector_path *path, const struct connector *connector, const char *name,
                const struct connector_options *options, struct arena *arena, const struct parser **out, struct err *err)
{
    struct parser *parser = arena_new(arena, struct parser);
    const struct connector *found;
    struct str json;
    int rc = connector_find_parser(path, connector, name, arena, &found, err);
    if (rc == 0) rc = connector_read(found, arena, &parser->sources, err);
    if (rc) return rc;
    parser->name = found->name;
    parser->sources.parses = true;
    rc = connector_describe_sources(&parser->sources, options, arena, &json, err);
    if (rc == 0) rc = take_description(parser, json, arena, err);
    if (rc == 0) *out = parser;
    return rc;
}
