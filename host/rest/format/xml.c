/* XML as JSON, by expat. An element becomes
 *
 *     <a/>, <a xsi:nil="true"/>        null
 *     <a>text</a>                      "text"
 *     <a id="1">text</a>               {"@id": "1", "#text": "text"}
 *     <a><b>1</b><c/><b>2</b></a>      {"b": ["1", "2"], "c": null}
 *
 * and the document an object that holds the root. Children of one name are a list when there are several, or when the format
 * names them in `lists`. Names lose their namespace's prefix, which is the sender's to choose; declarations of namespaces go.
 * White space between elements goes, a text's own stays.
 *
 * A document type is refused before anything of it is read: with it go entities of one's own, those that name a file or a URL,
 * and those that multiply. The tree lives in an arena; elements are counted against a limit. */
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/jsonscan.h"
#include "rest/format/format.h"

enum { MAX_ELEMENTS = 1000000, MAX_CHILD_NAMES = 1000 };

struct element;

/* The children of one name. */
struct group {
    struct str name;
    struct element *first, *last;
    struct group *next;
};

struct attribute {
    struct str name, value;
    struct attribute *next;
};

struct element {
    struct element *parent;
    struct element *next; /* of the same name */
    struct group *groups, *newest;
    size_t group_count;
    struct attribute *attributes;
    struct str text;
    bool is_nil;
};

struct reading {
    const struct format *format;
    XML_Parser parser;
    struct arena arena;
    struct element document, *at;
    struct buf text; /* of the element in hand, so far */
    size_t depth, elements;
    struct err failure;
};

/* ---- reading --------------------------------------------------------------------------------------------------------------
 */

static void refuse(struct reading *reading, const char *what, const char *hint)
{
    if (reading->failure.class) return;
    err_set(&reading->failure, ERR_DATA, "cannot take XML %s, at line %lu", what, XML_GetCurrentLineNumber(reading->parser));
    err_hint(&reading->failure, "%s", hint);
    XML_StopParser(reading->parser, XML_FALSE);
}

static struct str local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return str_from(colon ? colon + 1 : name);
}

static struct group *group_of(struct reading *reading, struct element *parent, struct str name)
{
    if (parent->newest && str_equal(parent->newest->name, name)) return parent->newest;
    struct group **link = &parent->groups;
    for (; *link; link = &(*link)->next)
        if (str_equal((*link)->name, name)) return *link;
    if (++parent->group_count > MAX_CHILD_NAMES) refuse(reading, "with over 1000 names in one element", "ask for less at once");
    *link = arena_new(&reading->arena, struct group);
    (*link)->name = arena_copy(&reading->arena, name);
    return *link;
}

static void count_element(struct reading *reading)
{
    if (++reading->elements > MAX_ELEMENTS) refuse(reading, "of over 1,000,000 elements", "ask the source for smaller pages");
}

/* Text that stands before or between elements belongs to the element around them. */
static void keep_text(struct reading *reading)
{
    struct element *element = reading->at;
    struct str text = buf_str(&reading->text), trimmed = str_trim(text);
    if (element->groups) text = trimmed;
    if (trimmed.size == 0 && element->groups) text.size = 0;
    if (text.size) {
        struct buf joined = BUF_INIT(SIZE_MAX / 2);
        buf_append_str(&joined, element->text);
        buf_append_str(&joined, text);
        element->text = arena_copy(&reading->arena, buf_str(&joined));
        buf_release(&joined);
    }
    buf_clear(&reading->text);
}

static void take_attributes(struct reading *reading, struct element *element, const char **attributes)
{
    struct attribute **link = &element->attributes;
    for (; attributes[0]; attributes += 2) {
        struct str name = local_name(attributes[0]), value = str_from(attributes[1]);
        if (strcmp(attributes[0], "xmlns") == 0 || strncmp(attributes[0], "xmlns:", 6) == 0) continue;
        if (strchr(attributes[0], ':') && str_equal(name, STR("nil"))) {
            element->is_nil = str_equal(value, STR("true")) || str_equal(value, STR("1"));
            continue;
        }
        *link = arena_new(&reading->arena, struct attribute);
        (*link)->name = arena_copy(&reading->arena, name);
        (*link)->value = arena_copy(&reading->arena, value);
        link = &(*link)->next;
        count_element(reading);
    }
}

static void XMLCALL start_element(void *context, const char *name, const char **attributes)
{
    struct reading *reading = context;
    struct element *parent = reading->at, *element = arena_new(&reading->arena, struct element);
    if (++reading->depth > JSONSCAN_MAX_DEPTH / 2) {
        refuse(reading, "that is nested over 256 levels deep", "leave the nested element out at the source");
        return;
    }
    count_element(reading);
    struct group *group = group_of(reading, parent, local_name(name));
    parent->newest = group;
    keep_text(reading);
    element->parent = parent;
    *(group->last ? &group->last->next : &group->first) = element;
    group->last = element;
    take_attributes(reading, element, attributes);
    reading->at = element;
}

static void XMLCALL end_element(void *context, const char *name)
{
    struct reading *reading = context;
    (void)name;
    keep_text(reading);
    reading->depth--;
    reading->at = reading->at->parent;
}

static void XMLCALL take_text(void *context, const char *text, int size)
{
    struct reading *reading = context;
    buf_append(&reading->text, text, (size_t)size);
}

static void XMLCALL refuse_doctype(void *context, const char *name, const char *system_id, const char *public_id,
                                   int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    refuse(context, "with a document type (DOCTYPE)", "a page for people has one; data has no need for it");
}

/* ---- writing --------------------------------------------------------------------------------------------------------------
 */

static void write_string(struct format_out *out, const char *prefix, struct str text)
{
    format_out_char(out, '"');
    format_out_text(out, str_from(prefix));
    format_out_string_part(out, text);
    format_out_char(out, '"');
}

static bool is_list(const struct format *format, const struct group *group)
{
    if (group->first != group->last) return true;
    for (size_t i = 0; i < format->list_count; i++)
        if (str_equal(group->name, str_from(format->lists[i]))) return true;
    return false;
}

static void write_element(const struct format *format, struct format_out *out, const struct element *element)
{
    if (element->is_nil || (!element->groups && !element->attributes)) {
        if (element->is_nil || element->text.size == 0)
            format_out_text(out, STR("null"));
        else
            write_string(out, "", element->text);
        return;
    }
    char before = '{';
    for (const struct attribute *attribute = element->attributes; attribute; attribute = attribute->next, before = ',') {
        format_out_char(out, before);
        write_string(out, "@", attribute->name);
        format_out_char(out, ':');
        write_string(out, "", attribute->value);
    }
    for (const struct group *group = element->groups; group; group = group->next, before = ',') {
        bool list = is_list(format, group);
        format_out_char(out, before);
        write_string(out, "", group->name);
        format_out_text(out, list ? STR(":[") : STR(":"));
        for (const struct element *child = group->first; child; child = child->next) {
            if (child != group->first) format_out_char(out, ',');
            write_element(format, out, child);
        }
        if (list) format_out_char(out, ']');
    }
    if (element->text.size) {
        format_out_char(out, before);
        format_out_text(out, STR("\"#text\":"));
        write_string(out, "", element->text);
    }
    format_out_char(out, '}');
}

/* ---- the document ---------------------------------------------------------------------------------------------------------
 */

static int parse(struct reading *reading, const struct block *body, struct err *err)
{
    XML_Parser parser = reading->parser;
    XML_SetUserData(parser, reading);
    XML_SetElementHandler(parser, start_element, end_element);
    XML_SetCharacterDataHandler(parser, take_text);
    XML_SetStartDoctypeDeclHandler(parser, refuse_doctype);
    enum XML_Status status = XML_Parse(parser, body->data, (int)body->size, 1);
    if (reading->failure.class) return err_copy(err, &reading->failure);
    if (status == XML_STATUS_OK) return 0;
    err_set(err, ERR_TRANSIENT, "the answer is cut or no XML: %s, at line %lu, column %lu",
            XML_ErrorString(XML_GetErrorCode(parser)), XML_GetCurrentLineNumber(parser),
            XML_GetCurrentColumnNumber(parser) + 1);
    return err_hint(err, "look at what the source sends there: an error page or a login form comes without records");
}

int format_xml(const struct format *format, const struct block *body, struct budget *budget, struct block **out,
               struct err *err)
{
    static const XML_Memory_Handling_Suite MEMORY = {mem_alloc, mem_resize, free};
    struct reading reading = {.format = format, .text = BUF_INIT(SIZE_MAX / 2)};
    struct format_out json;
    if (body->size > FORMAT_MAX_RECORD_BYTES)
        return err_set(err, ERR_DATA, "cannot take XML of over %d bytes", FORMAT_MAX_RECORD_BYTES);
    reading.parser = XML_ParserCreate_MM(NULL, &MEMORY, NULL);
    if (!reading.parser) mem_exhausted("expat");
    reading.at = &reading.document;
    int rc = parse(&reading, body, err);
    if (rc == 0) {
        format_out_init(&json, budget, "", "");
        write_element(format, &json, &reading.document);
        if (json.too_large)
            rc = err_set(err, ERR_DATA, "cannot take XML that is over %d bytes as JSON", FORMAT_MAX_RECORD_BYTES);
        if (rc == 0) {
            block_seal(json.block);
            *out = block_hold(json.block);
        }
        format_out_release(&json);
    }
    XML_ParserFree(reading.parser);
    buf_release(&reading.text);
    arena_release(&reading.arena);
    return rc;
}
