/* How it works: a parser declares what it is configured with, and nothing else; who uses it is asked of the streams. */
#include <string.h>

#include "base/check.h"
#include "rest/describe.h"
#include "rest/select.h"
#include "rest/vocabulary.h"

bool description_is_parser(const struct node *root)
{
    const struct node *parser = node_get(root, "parser");
    return node_is(parser, NODE_BOOLEAN) && str_equal(node_text(parser), STR("true"));
}

void describe_parser(const struct node *root, const struct config_table *table, struct problems *problems)
{
    size_t before = problems->count;
    option_check(&VOCABULARY_PARSER, root, "", problems);
    for (size_t i = 0; i < table->count; i++) {
        const struct config_entry *entry = &table->entries[i];
        if (entry->secret || entry->port || entry->is_files)
            problems_add(problems, root, "config.%s: a parser has no secrets, reaches no hosts and reads no files",
                         entry->name);
    }
    if (problems->count != before) return;
    struct str name = node_text(node_get(root, "name"));
    if (describe_is_name(name)) return;
    problems_add(problems, node_get(root, "name"), "name: '" STR_FMT "' is no parser's name", STR_ARG(name));
    problems_hint(problems, "a lower case letter, then lower case letters, digits, '_' and '-', at most 64");
}

size_t description_parsers(const struct description *description, struct arena *arena, const struct parser_use **uses)
{
    struct parser_use *list = arena_array(arena, struct parser_use, description->stream_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct stream_description *stream = &description->streams[i];
        if (stream->format.kind != FORMAT_PLUGIN || !stream->format.plugin) continue;
        list[count++] = (struct parser_use){&stream->format, arena_printf(arena, "streams.%s.format", stream->name)};
    }
    *uses = list;
    return count;
}

/* The names found so far. */
struct names {
    const char **list;
    size_t count, room;
};

static void add_name(struct names *names, const struct node *stream, struct arena *arena)
{
    const struct node *format = node_get(stream, "format");
    const char *name = node_cstr(node_get(format, "plugin"), NULL);
    if (!node_is(format, NODE_MAP) || !str_equal(node_text(node_get(format, "kind")), STR("plugin")) || !name) return;
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0) return;
    if (names->count < names->room) names->list[names->count++] = arena_strdup(arena, name);
}

size_t description_parser_names(const struct node *root, struct arena *arena, const char *const **list)
{
    struct names names = {arena_array(arena, const char *, DESCRIPTION_MAX_STREAMS), 0, DESCRIPTION_MAX_STREAMS};
    size_t variants = select_variants(root);
    for (size_t v = 0; v < variants; v++) {
        const struct node *tree = select_variant(root, v, arena), *streams = node_get(tree, "streams");
        for (size_t i = 0; streams && i < streams->count; i++) add_name(&names, &streams->children[i], arena);
        add_name(&names, node_path(tree, "dynamic.stream"), arena);
    }
    *list = names.list;
    return names.count;
}
