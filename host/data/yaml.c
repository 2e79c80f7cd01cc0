/* yaml: node_from_yaml (node.h). libyaml's events go to node_build one by one; what configuration has no use for is refused on
 * the way, with the line and what to write instead. Aliases would let a short file unfold into a huge tree, tags and merge
 * keys would make a value something else than it looks like. */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/number.h"
#include "data/node.h"
#include "data/node_build.h"

#define QUOTE_HINT "quote values that begin with { [ * & ! | > % @ or hold ': ' or ' #': \"{{config.url}}\""

struct reader {
    struct node_build build;
    struct str text;
    const char *file;
    struct err *err;
    bool has_document;
};

PRINTF_LIKE(4, 5) static int refuse(struct reader *reader, unsigned line, const char *hint, const char *format, ...)
{
    char message[sizeof reader->err->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int rc = err_set(reader->err, ERR_CONFIG, "%s:%u: %s", reader->file, line, message);
    err_hint(reader->err, "%s", hint);
    return rc;
}

static int build_failed(struct reader *reader, unsigned line)
{
    bool repeated = reader->build.fault == NODE_FAULT_REPEATED;
    char place[512];
    snprintf(place, sizeof place, "%s:%u", reader->file, repeated ? reader->build.repeated->line : line);
    int rc = node_build_error(&reader->build, ERR_CONFIG, place, reader->err);
    if (repeated) err_hint(reader->err, "it stands on line %u already; keep one of them", reader->build.original->line);
    return rc;
}

static enum node_kind plain_kind(struct str text)
{
    static const struct {
        const char *text;
        enum node_kind kind;
    } WORDS[] = {{"", NODE_NULL},         {"~", NODE_NULL},        {"null", NODE_NULL},    {"Null", NODE_NULL},
                 {"NULL", NODE_NULL},     {"true", NODE_BOOLEAN},  {"True", NODE_BOOLEAN}, {"TRUE", NODE_BOOLEAN},
                 {"false", NODE_BOOLEAN}, {"False", NODE_BOOLEAN}, {"FALSE", NODE_BOOLEAN}};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
        if (str_equal(text, str_from(WORDS[i].text))) return WORDS[i].kind;
    return number_is_json(text) ? NODE_NUMBER : NODE_STRING;
}

static int check_properties(struct reader *reader, unsigned line, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return refuse(reader, line, "write the value out where it is needed; quote a value that begins with &",
                      "anchors (&%s) are not supported", (const char *)anchor);
    if (tag)
        return refuse(reader, line, "leave the tag out: the key decides the type; quote a value that begins with !",
                      "tags (%s) are not supported", (const char *)tag);
    return 0;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, unsigned line)
{
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int rc = check_properties(reader, line, event->data.scalar.anchor, event->data.scalar.tag);
    if (rc != 0) return rc;
    if (text.size && memchr(text.data, '\0', text.size))
        return refuse(reader, line, "remove the \\0", "a NUL character cannot stand in a text");
    bool built;
    if (node_build_wants_key(&reader->build)) {
        if (plain && str_equal(text, STR("<<")))
            return refuse(reader, line, "write the keys out", "merge keys (<<) are not supported");
        built = node_build_key(&reader->build, text, line);
    } else {
        built = node_build_scalar(&reader->build, plain ? plain_kind(text) : NODE_STRING, plain, text, line);
    }
    return built ? 0 : build_failed(reader, line);
}

static int open_container(struct reader *reader, enum node_kind kind, unsigned line, const yaml_char_t *anchor,
                          const yaml_char_t *tag)
{
    int rc = check_properties(reader, line, anchor, tag);
    if (rc != 0) return rc;
    if (node_build_wants_key(&reader->build))
        return refuse(reader, line, QUOTE_HINT, "%s cannot be a key", node_kind_name(kind));
    return node_build_open(&reader->build, kind, line) ? 0 : build_failed(reader, line);
}

static int handle(struct reader *reader, const yaml_event_t *event)
{
    unsigned line = (unsigned)event->start_mark.line + 1;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->has_document)
            return refuse(reader, line, "remove the '---' and what follows it", "only one document is supported");
        reader->has_document = true;
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(reader, line, "write the value out; quote a value that begins with *", "aliases (*%s) are not supported",
                      (const char *)event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(reader, NODE_LIST, line, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_container(reader, NODE_MAP, line, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return node_build_close(&reader->build) ? 0 : build_failed(reader, line);
    default:
        return 0;
    }
}

/* The number of the line that holds byte `offset`. */
static unsigned line_of(struct str text, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < text.size; i++) line += text.data[i] == '\n';
    return line;
}

static bool line_is_indented_with_tab(struct str text, unsigned line)
{
    struct str row = {0};
    while (line-- > 0)
        if (!str_next(&text, '\n', &row)) return false;
    for (size_t i = 0; i < row.size && (row.data[i] == ' ' || row.data[i] == '\t'); i++)
        if (row.data[i] == '\t') return true;
    return false;
}

static int parser_failed(struct reader *reader, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) mem_exhausted("libyaml");
    const char *problem = parser->problem ? parser->problem : "unexpected text";
    if (parser->error == YAML_READER_ERROR)
        return refuse(reader, line_of(reader->text, parser->problem_offset), "save the file as UTF-8 text",
                      "cannot read YAML: %s", problem);
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    const char *hint = line_is_indented_with_tab(reader->text, line) ? "indent with spaces: YAML takes no tabs" : QUOTE_HINT;
    if (!parser->context) return refuse(reader, line, hint, "cannot read YAML: %s", problem);
    return refuse(reader, line, hint, "cannot read YAML: %s (%s from line %u)", problem, parser->context,
                  (unsigned)parser->context_mark.line + 1);
}

static int read_events(struct reader *reader, yaml_parser_t *parser)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) return parser_failed(reader, parser);
        bool is_end = event.type == YAML_STREAM_END_EVENT;
        int rc = handle(reader, &event);
        yaml_event_delete(&event);
        if (rc != 0 || is_end) return rc;
    }
}

int node_from_yaml(struct str text, const char *file, struct arena *arena, const struct node **out, struct err *err)
{
    if (text.size > NODE_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "cannot read '%s': %zu bytes, at most %d", file, text.size, NODE_MAX_BYTES);
    struct reader reader = {.text = text, .file = file, .err = err};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) mem_exhausted("libyaml");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.size ? text.data : ""), text.size);
    node_build_init(&reader.build, arena, file);
    int rc = read_events(&reader, &parser);
    if (rc == 0 && !reader.has_document && !node_build_scalar(&reader.build, NODE_NULL, true, STR(""), 1))
        rc = build_failed(&reader, 1);
    const struct node *root = rc == 0 ? node_build_root(&reader.build) : NULL;
    if (root)
        *out = root;
    else if (rc == 0)
        rc = build_failed(&reader, 1);
    node_build_release(&reader.build);
    yaml_parser_delete(&parser);
    return rc;
}
