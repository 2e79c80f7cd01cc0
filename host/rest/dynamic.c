/* dynamic: see dynamic.h. How filling in works: the declaration is walked beside the tables of the vocabulary, which know where
 * a text is a template. */
#include "rest/dynamic.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonscan.h"
#include "rest/describe.h"
#include "rest/rows.h"
#include "rest/vocabulary.h"

enum { TEXT_MAX = 4 * 1024 * 1024 };

static const char MADE_UP[] = "string"; /* a name, and also a type */

/* --- the list ------------------------------------------------------------------------------------------------------------ */

void dynamic_add(struct dynamic_list *list, const struct dynamic_description *dynamic, struct str json, struct arena *arena)
{
    struct json_value value;
    struct dynamic_record *record = &list->records[list->count];
    record->json = jsonscan_padded(arena, json);
    bool has_name = jsonscan_find(record->json.data, record->json.size, dynamic->name, &value) && value.kind == JSON_STRING;
    if (has_name) record->name = arena_copy(arena, jsonscan_text(&value, arena, NULL));
    bool is_dots = has_name && (str_equal(record->name, STR(".")) || str_equal(record->name, STR(".."))); /* no path has them */
    if (has_name && describe_is_stream_name(record->name) && !is_dots)
        list->count++;
    else
        list->unusable++;
}

static int compare(struct str a, struct str b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The record decides between two of one name, so that the order of the list does not. */
static int order(const void *a, const void *b)
{
    const struct dynamic_record *left = a, *right = b;
    int names = compare(left->name, right->name);
    return names ? names : compare(left->json, right->json);
}

void dynamic_sort(struct dynamic_list *list)
{
    size_t kept = 0;
    if (list->count) qsort(list->records, list->count, sizeof *list->records, order);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || !str_equal(list->records[kept - 1].name, list->records[i].name))
            list->records[kept++] = list->records[i];
    list->count = kept;
}

struct listing {
    const struct dynamic_description *dynamic;
    struct dynamic_list *list;
    struct arena *arena;
};

static int take_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct listing *listing = context;
    struct json_value value;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    if (listing->list->count == DYNAMIC_MAX_RECORDS)
        return err_set(err, ERR_DATA, "%s: more than %d streams are listed", listing->dynamic->from->request.where,
                       DYNAMIC_MAX_RECORDS);
    dynamic_add(listing->list, listing->dynamic, value.raw, listing->arena);
    return 0;
}

int dynamic_read(const struct reader_options *options, const struct dynamic_description *dynamic, struct arena *arena,
                 struct dynamic_list *out, struct err *err)
{
    struct listing listing = {dynamic, out, arena};
    struct page page;
    int rc;
    *out = (struct dynamic_list){.records = arena_array(arena, struct dynamic_record, DYNAMIC_MAX_RECORDS + 1)};
    struct reader *reader = reader_new(options);
    while ((rc = reader_next(reader, &page, err)) > 0) {
        rc = rows_each(dynamic->from, options->source.functions, &page, arena, take_record, &listing, err);
        page_release(&page);
        if (rc) break;
    }
    out->is_refused = rc < 0 && reader_end(reader) == READER_SKIPS_STREAM;
    reader_free(reader);
    if (rc == 0) dynamic_sort(out);
    return rc;
}

int dynamic_declared(const char *path, struct str name, const struct node *record, struct arena *arena, const struct node **out,
                     struct err *err)
{
    const struct node *declared = node_path(record, path);
    if (!node_is(declared, NODE_MAP)) return err_set(err, ERR_DATA, "the record declares no stream at '%s'", path);
    struct node *stream = arena_new(arena, struct node);
    *stream = *declared;
    stream->key = name;
    *out = stream;
    return 0;
}

/* --- filling in ---------------------------------------------------------------------------------------------------------- */

struct filling {
    const struct node *record; /* NULL: made up */
    struct arena *arena;
    struct err *err;
    int rc; /* the first failure */
};

/* What the vocabulary knows of a node: its option, the table of its keys where it is a map, or of each of its members. */
struct known {
    const struct option *option;
    const struct option_table *table;
    bool is_names;
};

static struct str value_of(struct filling *filling, struct str path)
{
    if (!filling->record) return str_from(MADE_UP);
    const struct node *value = node_path(filling->record, arena_text(filling->arena, path));
    if (node_is_scalar(value)) return node_text(value);
    if (filling->rc == 0)
        filling->rc =
            err_set(filling->err, ERR_DATA, "the record has no text, number or boolean at '" STR_FMT "'", STR_ARG(path));
    return STR("");
}

static void refuse_value(struct filling *filling, struct str path, const char *why)
{
    if (filling->rc == 0) filling->rc = err_set(filling->err, ERR_DATA, "the record's '" STR_FMT "' %s", STR_ARG(path), why);
}

/* The reference between braces, whose name is record.PATH: `rest` is what follows the name, filters or nothing. */
static void add_value(struct filling *filling, struct str path, struct str rest, bool is_template, struct buf *out)
{
    struct str value = value_of(filling, path);
    bool has_double = value.size && memchr(value.data, '"', value.size),
         has_single = value.size && memchr(value.data, '\'', value.size);
    if (is_template) {
        char quote = has_double ? '\'' : '"';
        if (has_double && has_single) refuse_value(filling, path, "has both kinds of quotes");
        buf_append_text(out, "{{");
        buf_append_char(out, quote);
        buf_append_str(out, value);
        buf_append_char(out, quote);
        buf_append_str(out, rest);
        buf_append_text(out, "}}");
        return;
    }
    if (str_trim(rest).size) refuse_value(filling, path, "stands where no filter can");
    if (value.size && memmem(value.data, value.size, "{{", 2))
        refuse_value(filling, path, "holds {{, and no template can stand there");
    buf_append_str(out, value);
}

static const char *find_end(const char *at, const char *end)
{
    char quote = 0;
    for (; at + 1 < end; at++) {
        if (quote && *at == quote)
            quote = 0;
        else if (!quote && (*at == '"' || *at == '\''))
            quote = *at;
        else if (!quote && at[0] == '}' && at[1] == '}')
            return at;
    }
    return NULL;
}

/* Replaces the references to the record; all others stay. */
static struct str fill_text(struct filling *filling, struct str text, bool is_template)
{
    static const char PREFIX[] = "record.";
    struct buf out = BUF_INIT(TEXT_MAX);
    const char *at = text.data, *end = text.data + text.size, *open;
    while ((open = memmem(at, (size_t)(end - at), "{{", 2)) != NULL) {
        const char *close = find_end(open + 2, end);
        if (!close) break;
        struct str inside = str_trim((struct str){open + 2, (size_t)(close - open - 2)});
        buf_append(&out, at, (size_t)(open - at));
        if (str_starts(inside, str_from(PREFIX))) {
            struct str name = {inside.data + strlen(PREFIX), inside.size - strlen(PREFIX)};
            size_t size = 0;
            while (size < name.size && name.data[size] != ' ' && name.data[size] != '|') size++;
            add_value(filling, (struct str){name.data, size}, (struct str){name.data + size, name.size - size}, is_template,
                      &out);
        } else {
            buf_append(&out, open, (size_t)(close + 2 - open));
        }
        at = close + 2;
    }
    buf_append(&out, at, (size_t)(end - at));
    struct str filled = arena_copy(filling->arena, buf_str(&out));
    buf_release(&out);
    return filled;
}

static bool names_record(struct str text)
{
    return text.size && memmem(text.data, text.size, "record.", 7);
}

static struct known known_of_child(const struct known *known, struct str key)
{
    if (known->is_names) return (struct known){known->option, known->table, false};
    if (!known->table) return *known;
    const struct option *option = option_find(known->table, key);
    if (!option) return (struct known){0};
    bool is_names = option->type == OPTION_MAP_OF;
    return (struct known){option, option->child, is_names};
}

/* `$` begins words of the vocabulary: functions, secrets, choices. */
static struct str fill_key(struct filling *filling, struct str key)
{
    struct str filled = fill_text(filling, key, false);
    if (str_starts(filled, STR("$")) && filling->rc == 0)
        filling->rc = err_set(filling->err, ERR_DATA, "the record makes a key that begins with $");
    return filled;
}

static void fill(struct filling *filling, const struct node *node, const struct known *known, struct node *out)
{
    *out = *node;
    if (names_record(node->key)) out->key = fill_key(filling, node->key);
    if (node->kind == NODE_STRING && names_record(node->text))
        out->text = fill_text(filling, node->text, known->option && (known->option->flags & OPTION_TEMPLATE));
    if (node->count == 0) return;
    struct node *children = arena_array(filling->arena, struct node, node->count);
    for (size_t i = 0; i < node->count; i++) {
        struct known child = node->kind == NODE_MAP ? known_of_child(known, node->children[i].key) : *known;
        fill(filling, &node->children[i], &child, &children[i]);
    }
    out->children = children;
}

int dynamic_fill(const struct node *stream, struct str name, const struct node *record, struct arena *arena,
                 const struct node **out, struct err *err)
{
    struct filling filling = {.record = record, .arena = arena, .err = err};
    struct node *filled = arena_new(arena, struct node);
    fill(&filling, stream, &(struct known){NULL, &VOCABULARY_STREAM, false}, filled);
    filled->key = arena_copy(arena, name);
    *out = filled;
    return filling.rc;
}
