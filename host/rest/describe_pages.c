/* How it works: all kinds are read by one list of keys; a kind whose table does not have a key leaves it out. capped_keyset
 * holds pages of another kind, which are read the same way and then may not have what only the whole can have. */
#include "rest/describe.h"

#include "base/check.h"
#include "base/time.h"
#include "rest/vocabulary.h"

/* A key's text, or NULL when the kind's table has no such key. */
static const char *text_of(const struct option_table *table, const struct node *map, const char *key)
{
    return option_find(table, str_from(key)) ? option_text(table, map, key) : NULL;
}

static enum pages_kind pages_kind_of(const char *name)
{
    for (int i = 0; i < PAGES_KIND_COUNT; i++)
        if (strcmp(name, pages_kind_name((enum pages_kind)i)) == 0) return (enum pages_kind)i;
    check_failed(__FILE__, __LINE__, "a kind of pages in the vocabulary without a pager");
}

static int64_t integer_of(const struct option_table *table, const struct node *map, const char *key, int64_t fallback)
{
    const struct option *option = option_find(table, str_from(key));
    bool has_value = option && option->type == OPTION_INTEGER && (option_is_set(map, key) || option->fallback);
    return has_value ? option_integer(table, map, key) : fallback;
}

static bool text_is(const struct option_table *table, const struct node *map, const char *key, const char *value)
{
    const char *text = text_of(table, map, key);
    return text && strcmp(text, value) == 0;
}

static bool boolean_of(const struct option_table *table, const struct node *map, const char *key)
{
    return option_find(table, str_from(key)) && option_boolean(table, map, key);
}

static void check_pages(const struct stream_in_hand *hand, const struct node *node, const char *place,
                        const struct pages *pages)
{
    struct problems *problems = hand->with->problems;
    bool has_flag = pages->more || pages->last;
    if (pages->size_param && !pages->size) problems_add(problems, node, "%s: 'size_param' needs a 'size'", place);
    if (pages->stop == STOP_SHORT && !pages->size)
        problems_add(problems, node, "%s: stop = \"short\" needs a 'size' to be shorter than", place);
    if (pages->kind == PAGES_TIME_NEXT && !has_flag && pages->stop != STOP_SHORT && !pages->total) {
        problems_add(problems, node, "%s: nothing tells when the last page has come", place);
        problems_hint(problems, "name a flag: last = \"end_of_stream\"; or stop = \"short\" with a 'size'");
    }
    if (pages->format && !time_format_is_valid(pages->format)) {
        problems_add(problems, node, "%s.format: '%s' is not a time format", place, pages->format);
        problems_hint(problems, "iso8601, epoch, epoch_ms, epoch_us, date, or a pattern like %%Y-%%m-%%d");
    }
    bool tells_next = pages->total_pages || (pages->total && pages->size);
    if (pages->parallel > 1 && (!tells_next || pages->cap))
        problems_add(problems, node, "%s: 'parallel' needs a 'total' and a 'size', or 'total_pages', and no 'cap'", place);
    if (!hand->stream->records_function) return;
    if (pages->kind == PAGES_PAGE && !has_flag && !pages->total_pages && !pages->cap)
        problems_add(problems, node,
                     "%s: with a function that parses, the last page must be told by 'more', 'last' or 'total_pages'", place);
    else if (pages->kind == PAGES_OFFSET)
        problems_add(problems, node, "%s: offsets count records, and a function that parses hides their number", place);
    else if (pages->kind != PAGES_PAGE && pager_counts_records(pages))
        problems_add(problems, node, "%s: it counts or looks at records, and a function that parses hides them", place);
    else if (pages->cap)
        problems_add(problems, node, "%s: a 'cap' counts records, and a function that parses hides their number", place);
}

static void read_kind(const struct stream_in_hand *hand, const struct node *node, const char *place, struct pages *pages);

/* The pages inside capped_keyset. */
static void read_inner(const struct stream_in_hand *hand, const struct node *node, const char *place, struct pages *pages)
{
    static const enum pages_kind ALLOWED[] = {PAGES_PAGE, PAGES_OFFSET, PAGES_CURSOR, PAGES_NEXT_URL, PAGES_LINK_HEADER};
    struct pages *inner = arena_new(hand->with->arena, struct pages);
    const struct node *map = node_get(node, "pages");
    place = arena_printf(hand->with->arena, "%s.pages", place);
    *inner = (struct pages){.kind = PAGES_NONE};
    read_kind(hand, map, place, inner);
    pages->inner = inner;
    bool is_allowed = false;
    for (size_t i = 0; i < ARRAY_SIZE(ALLOWED); i++) is_allowed = is_allowed || inner->kind == ALLOWED[i];
    if (!is_allowed && inner->kind != PAGES_NONE)
        problems_add(hand->with->problems, map, "%s: capped_keyset cannot go by kind '%s'", place,
                     pages_kind_name(inner->kind));
    static const char *const OUTER[] = {"cap", "max_pages", "stable", "parallel"};
    for (size_t i = 0; i < ARRAY_SIZE(OUTER); i++)
        if (option_is_set(map, OUTER[i]))
            problems_add(hand->with->problems, map, "%s: '%s' belongs to the capped_keyset around it", place, OUTER[i]);
}

static void read_kind(const struct stream_in_hand *hand, const struct node *node, const char *place, struct pages *pages)
{
    const struct vocabulary_kind *kind = vocabulary_check_kind(&VOCABULARY_PAGES, node, place, hand->with->problems);
    if (!kind) return;
    const struct option_table *table = kind->table;
    const struct node *next = node_get(node, "next");
    pages->kind = pages_kind_of(kind->name);
    if (pages->kind == PAGES_NONE) return;
    bool is_keyset = pages->kind == PAGES_CAPPED_KEYSET;
    bool is_counted = pages->kind == PAGES_PAGE || pages->kind == PAGES_OFFSET;
    bool into_body = text_is(table, node, "into", "body");
    const char *param = text_of(table, node, "param"), *start = text_of(table, node, "start");
    pages->param = is_keyset ? NULL : param;
    pages->key_param = is_keyset ? param : NULL;
    pages->into_body = into_body && !is_keyset;
    pages->key_into_body = into_body && is_keyset;
    pages->start = integer_of(table, node, "start", 0);
    pages->first_token = is_counted || is_keyset ? NULL : start;
    pages->key_start = is_keyset ? start : NULL;
    pages->size_param = text_of(table, node, "size_param");
    pages->size = integer_of(table, node, "size", 0);
    pages->more = text_of(table, node, "more");
    pages->last = text_of(table, node, "last");
    pages->total = text_of(table, node, "total");
    pages->total_pages = text_of(table, node, "total_pages");
    pages->next_function = option_function(next);
    pages->next = pages->next_function ? NULL : text_of(table, node, "next");
    pages->relation = text_of(table, node, "rel");
    pages->header = text_of(table, node, "header");
    pages->end = text_of(table, node, "end");
    pages->field = text_of(table, node, "field");
    pages->format = text_of(table, node, "format");
    pages->cap = integer_of(table, node, "cap", 0);
    pages->key = text_of(table, node, "key");
    pages->inclusive = boolean_of(table, node, "inclusive");
    pages->keep_params = boolean_of(table, node, "keep_params");
    pages->stop = text_is(table, node, "stop", "short") ? STOP_SHORT : STOP_EMPTY;
    pages->max_pages = integer_of(table, node, "max_pages", 1);
    pages->parallel = integer_of(table, node, "parallel", 1);
    if (option_is_set(node, "stable")) pages->stable = option_boolean(table, node, "stable");
    if (is_keyset) read_inner(hand, node, place, pages);
    check_pages(hand, node, place, pages);
}

void describe_pages(const struct stream_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "pages");
    struct pages *pages = &hand->stream->pages;
    bool is_stable = option_boolean(&VOCABULARY_STREAM, hand->node, "stable");
    *pages = (struct pages){.kind = PAGES_NONE, .max_pages = 1, .stable = is_stable};
    if (!node || node->kind == NODE_NULL) return;
    read_kind(hand, node, arena_printf(hand->with->arena, "%s.pages", hand->path), pages);
}

void describe_check_place(const struct stream_in_hand *hand, const struct template_scope *scope, bool calls)
{
    struct pages *declared = &hand->stream->pages;
    const struct pages *pages = pages_moving(declared);
    declared->sends_size = pages->size_param || scope->uses_page_size;
    const struct node *node = node_get(hand->node, "pages");
    bool needs_place = pages->kind != PAGES_NONE && pages->kind != PAGES_NEXT_URL && pages->kind != PAGES_LINK_HEADER &&
                       pages->kind != PAGES_CAPPED_KEYSET;
    if (needs_place && !pages->param && !scope->uses_page_place && !calls) {
        problems_add(hand->with->problems, node, "%s.pages: nothing tells the source which page is meant", hand->path);
        problems_hint(hand->with->problems,
                      "name the parameter: param = \"page\"; or place {{page.number}}, {{page.offset}} or {{page.token}}");
    }
    const struct request_description *request = &hand->stream->request;
    if (declared->parallel > 1 && strcmp(request->method, "GET") != 0 && !request->idempotent)
        problems_add(hand->with->problems, node,
                     "%s.pages: 'parallel' needs requests that may be sent again: idempotent = true", hand->path);
    if (declared->kind == PAGES_CAPPED_KEYSET && !declared->key_param && !scope->uses_page_key && !calls) {
        problems_add(hand->with->problems, node, "%s.pages: nothing tells the source behind which key to begin", hand->path);
        problems_hint(hand->with->problems, "name the parameter: param = \"since_id\"; or place {{page.key}} in a filter");
    }
}
