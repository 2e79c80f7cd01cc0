/* How it works: a kind's name alone stands for a map with that kind. What a body has no place for (a paging field in rows of
 * CSV) is refused here, or a stream would end behind its first page without a word. */
#include "rest/describe.h"

#include "base/check.h"
#include "rest/vocabulary.h"

static const char *below(const struct stream_in_hand *hand, const char *key)
{
    return arena_printf(hand->with->arena, "%s.%s", hand->path, key);
}

static const struct node *map_of(const struct stream_in_hand *hand, const struct node *node)
{
    if (!node_is(node, NODE_STRING)) return node;
    struct node *map = arena_new(hand->with->arena, struct node);
    struct node *kind = arena_new(hand->with->arena, struct node);
    *map = *node;
    *kind = *node;
    kind->key = STR("kind");
    map->kind = NODE_MAP;
    map->children = kind;
    map->count = 1;
    return map;
}

static const char *const *names_of(const struct stream_in_hand *hand, const struct node *list, size_t *count)
{
    if (!list || list->kind == NODE_NULL) return NULL;
    *count = list->kind == NODE_LIST ? list->count : 1;
    const char **names = arena_array(hand->with->arena, const char *, *count + 1);
    for (size_t i = 0; i < *count; i++) names[i] = node_cstr(list->kind == NODE_LIST ? &list->children[i] : list, "");
    return *count ? names : NULL;
}

static char character_of(const struct stream_in_hand *hand, const struct option_table *table, const struct node *map,
                         const char *key)
{
    const char *text = option_text(table, map, key);
    bool is_one = text[0] > 0 && text[1] == '\0' && text[0] != '\n' && text[0] != '\r';
    if (!is_one)
        problems_add(hand->with->problems, node_get(map, key), "%s.%s: expected one ASCII character, got '%s'",
                     below(hand, "format"), key, text);
    return text[0];
}

static void read_csv(const struct stream_in_hand *hand, const struct option_table *table, const struct node *map,
                     struct format *format)
{
    format->delimiter = character_of(hand, table, map, "delimiter");
    format->quote = character_of(hand, table, map, "quote");
    format->columns = names_of(hand, node_get(map, "columns"), &format->column_count);
    format->null_text = option_text(table, map, "null");
    format->strip_nul = option_boolean(table, map, "strip_nul");
    if (format->delimiter == format->quote)
        problems_add(hand->with->problems, map, "%s: delimiter and quote are the same", below(hand, "format"));
    for (size_t i = 0; i < format->column_count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(format->columns[i], format->columns[j]) == 0)
                problems_add(hand->with->problems, map, "%s.columns: '%s' is there twice", below(hand, "format"),
                             format->columns[i]);
    if (format->column_count > FORMAT_MAX_COLUMNS)
        problems_add(hand->with->problems, map, "%s.columns: at most %d", below(hand, "format"), FORMAT_MAX_COLUMNS);
}

/* A parser gets what stands there: nothing has values for a template yet. */
static void read_plugin(const struct stream_in_hand *hand, const struct option_table *table, const struct node *map,
                        struct format *format)
{
    struct problems *problems = hand->with->problems;
    format->plugin = option_text(table, map, "plugin");
    format->config = node_get(map, "config");
    for (size_t i = 0; format->config && i < format->config->count; i++) {
        const struct node *value = &format->config->children[i];
        struct str text = node_text(value);
        if (!text.size || !memmem(text.data, text.size, "{{", 2)) continue;
        problems_add(problems, value, "%s.config." STR_FMT ": a template cannot stand here", below(hand, "format"),
                     STR_ARG(value->key));
        problems_hint(problems, "the parser gets the value as it stands; sluice.select chooses one by the configuration");
    }
}

static void check_together(const struct stream_in_hand *hand, const struct node *node, const struct format *format)
{
    const struct stream_description *stream = hand->stream;
    struct problems *problems = hand->with->problems;
    const char *place = below(hand, "format");
    bool is_rows = format_is_rows(format);
    const struct pages *pages = &stream->pages;
    if (stream->records_function && (format->kind != FORMAT_JSON || format->stream)) {
        problems_add(problems, node, "%s: a function that parses is given the body as it is", place);
        problems_hint(problems, "leave out the format, or the function in `records`");
    }
    if (format->kind == FORMAT_PLUGIN && stream->native) {
        problems_add(problems, node, "%s: a plugin that reads a source parses what it reads", place);
        problems_hint(problems, "emit rows, or bytes of a format that the host decodes");
    }
    if (is_rows && (pages->more || pages->last || pages->total || pages->total_pages || pages->next || pages->next_function)) {
        problems_add(problems, node, "%s: rows have no field beside them that could tell of the next page", place);
        problems_hint(problems, "pages that count, or that go by a header");
    }
    if (pages->parallel > 1 && format_comes_in_parts(format)) {
        problems_add(problems, node, "%s: an answer that comes in parts is read alone", place);
        problems_hint(problems, "leave out `parallel` in pages");
    }
    if (format->stream && format->kind == FORMAT_JSON && strchr(stream->records_path, '*')) {
        problems_add(problems, node, "%s: records of a stream stand in one list, '%s' may lead to several", place,
                     stream->records_path);
        problems_hint(problems, "a path of names: records = \"data.items\"");
    }
}

void describe_format(const struct stream_in_hand *hand)
{
    static const char *const KINDS[] = {[FORMAT_JSON] = "json",
                                        [FORMAT_NDJSON] = "ndjson",
                                        [FORMAT_CSV] = "csv",
                                        [FORMAT_XML] = "xml",
                                        [FORMAT_PLUGIN] = "plugin"};
    const struct node *node = node_get(hand->node, "format");
    struct format *format = &hand->stream->format;
    *format = (struct format){.kind = FORMAT_JSON, .records_path = hand->stream->records_path};
    if (!node || node->kind == NODE_NULL) return;
    const struct node *map = map_of(hand, node);
    const struct vocabulary_kind *kind =
        vocabulary_check_kind(&VOCABULARY_FORMAT, map, below(hand, "format"), hand->with->problems);
    if (!kind) return;
    const struct option_table *table = kind->table;
    const char *compression = option_text(table, map, "compression");
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
        if (strcmp(kind->name, KINDS[i]) == 0) format->kind = (enum format_kind)i;
    if (compression) format->compression = strcmp(compression, "zip") == 0 ? HTTP_UNPACK_ZIP : HTTP_UNPACK_GZIP;
    if (option_find(table, STR("stream"))) format->stream = option_boolean(table, map, "stream");
    if (option_find(table, STR("count_header"))) format->count_header = option_text(table, map, "count_header");
    if (format->kind == FORMAT_CSV) read_csv(hand, table, map, format);
    if (format->kind == FORMAT_XML) format->lists = names_of(hand, node_get(map, "lists"), &format->list_count);
    if (format->kind == FORMAT_PLUGIN) read_plugin(hand, table, map, format);
    check_together(hand, node, format);
}
