/* How it works: kinds differ in their tables of keys; what those have in common is read by one function, a key that a kind does
 * not have counts as not set. */
#include "rest/describe.h"

#include "base/check.h"
#include "base/number.h"
#include "base/time.h"
#include "data/duration.h"
#include "rest/vocabulary.h"

/* The cursor in hand. */
struct reading {
    const struct stream_in_hand *hand;
    const struct option_table *table;
    const struct node *node;
    struct cursor_description *cursor;
};

/* A key's text, or NULL when it is not set or the kind has no such key. */
static const char *text_of(const struct reading *reading, const char *key)
{
    return option_find(reading->table, str_from(key)) ? option_text(reading->table, reading->node, key) : NULL;
}

static bool text_is(const struct reading *reading, const char *key, const char *value)
{
    const char *text = text_of(reading, key);
    return text && strcmp(text, value) == 0;
}

static struct problems *problems_of(const struct reading *reading)
{
    return reading->hand->with->problems;
}

static enum cursor_kind kind_of(const char *name)
{
    static const char *const NAMES[CURSOR_KIND_COUNT] = {"filter", "windowed", "client_side", "token", "event_feed", "refetch"};
    for (int i = 0; i < CURSOR_KIND_COUNT; i++)
        if (strcmp(name, NAMES[i]) == 0) return (enum cursor_kind)i;
    check_failed(__FILE__, __LINE__, "a kind of cursor in the vocabulary that nobody runs");
}

static bool can_order(enum type type)
{
    return type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE || type == TYPE_INTEGER ||
           type == TYPE_DECIMAL || type == TYPE_STRING;
}

static bool is_time_type(enum type type)
{
    return type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE;
}

/* Type and format: the cursor's own, else its field's. */
static void read_type(const struct reading *reading)
{
    struct cursor_description *cursor = reading->cursor;
    const struct field_description *field = cursor->field ? stream_field(reading->hand->stream, cursor->field) : NULL;
    const char *type = text_of(reading, "type"), *place = describe_below(reading->hand, "cursor");
    cursor->window.format = text_of(reading, "format");
    if (type) {
        CHECK(type_from_name(str_from(type), &cursor->window.type));
    } else if (!cursor->field) {
        cursor->window.type = TYPE_TIMESTAMP;
    } else if (!field) {
        problems_add(problems_of(reading), reading->node, "%s: '%s' has no type", place, cursor->field);
        problems_hint(problems_of(reading), "declare it: fields = { %s = \"timestamp\" }, or give the cursor a type",
                      cursor->field);
    } else if (!can_order(field->type)) {
        problems_add(problems_of(reading), reading->node, "%s: a field of type %s cannot be a cursor", place,
                     type_name(field->type));
    } else {
        cursor->window.type = field->type;
    }
    if (cursor->window.format)
        describe_check_format(reading->hand, reading->node, place, cursor->window.format, cursor->window.type);
    else if (field && is_time_type(cursor->window.type))
        cursor->window.format = field->format;
}

static void read_lookback(const struct reading *reading)
{
    struct cursor_description *cursor = reading->cursor;
    const struct node *lookback = node_get(reading->node, "lookback");
    if (node_is_default(lookback)) return;
    int64_t value = 0;
    bool is_time = is_time_type(cursor->window.type), is_integer = cursor->window.type == TYPE_INTEGER;
    bool ok =
        is_time ? duration_parse(node_text(lookback), &value) : is_integer && number_to_int64(node_text(lookback), &value);
    if (ok && value >= 0 && (!is_time || value <= INT64_MAX / 1000)) {
        cursor->window.lookback = is_time ? value * 1000 : value;
        return;
    }
    problems_add(problems_of(reading), lookback, "%s.lookback: expected %s", describe_below(reading->hand, "cursor"),
                 is_time      ? "a duration like 5m"
                 : is_integer ? "an integer, as the cursor is one"
                              : "none: only times and integers can look back");
}

/* A duration that only times have; 0 when it is not set, or was a mistake. */
static int64_t read_span_us(const struct reading *reading, const char *key)
{
    if (!text_of(reading, key)) return 0;
    int64_t ms = option_duration_ms(reading->table, reading->node, key);
    if (is_time_type(reading->cursor->window.type) && ms <= INT64_MAX / 1000) return ms * 1000;
    problems_add(problems_of(reading), reading->node, "%s.%s: only times have one, this cursor is of type %s",
                 describe_below(reading->hand, "cursor"), key, type_name(reading->cursor->window.type));
    return 0;
}

/* "3mo": months have no fixed length, so that no duration is one. */
static bool parse_months(struct str text, int *months)
{
    int64_t value;
    if (text.size < 3 || memcmp(text.data + text.size - 2, "mo", 2) != 0) return false;
    if (!number_to_int64((struct str){text.data, text.size - 2}, &value) || value < 1 || value > WINDOW_MAX_MONTHS)
        return false;
    *months = (int)value;
    return true;
}

static void read_step(const struct reading *reading)
{
    struct window_cursor *window = &reading->cursor->window;
    const char *step = text_of(reading, "step"), *place = describe_below(reading->hand, "cursor.step");
    if (!step) return;
    int64_t ms = 0;
    bool ok = parse_months(str_from(step), &window->step_months) || duration_parse(str_from(step), &ms);
    if (!ok) {
        problems_add(problems_of(reading), reading->node, "%s: '%s' is no duration", place, step);
        problems_hint(problems_of(reading), "a duration like 12h, 1d or 1w, or whole months like 1mo");
    } else if (!is_time_type(window->type)) {
        problems_add(problems_of(reading), reading->node, "%s: only times are read in windows, this cursor is of type %s",
                     place, type_name(window->type));
    } else if (!window->step_months && (ms <= 0 || ms > INT64_MAX / 1000)) {
        problems_add(problems_of(reading), reading->node, "%s: must be above zero", place);
    } else if (!reading->cursor->start) {
        problems_add(problems_of(reading), reading->node, "%s: windows need a 'start'", place);
    } else {
        window->step_us = ms * 1000;
    }
}

static void read_start(const struct reading *reading)
{
    const struct stream_in_hand *hand = reading->hand;
    const struct node *start = node_get(reading->node, "start");
    const char *place = arena_printf(hand->with->arena, "%s.start", describe_below(hand, "cursor"));
    struct template_scope scope = {
        .config = hand->with->config, .roots = TEMPLATE_CONFIG | TEMPLATE_NOW, .refuse_secrets = true};
    if (!node_is_default(start))
        reading->cursor->start =
            template_compile(node_text(start), start, place, &scope, hand->with->arena, hand->with->problems);
}

static enum cursor_missing missing_of(const char *name)
{
    return !name                         ? CURSOR_MISSING_INCLUDE
           : strcmp(name, "reject") == 0 ? CURSOR_MISSING_REJECT
           : strcmp(name, "fail") == 0   ? CURSOR_MISSING_FAIL
                                         : CURSOR_MISSING_INCLUDE;
}

static enum cursor_order order_of(const char *name)
{
    return !name                               ? CURSOR_ANY_ORDER
           : strcmp(name, "ascending") == 0    ? CURSOR_ASCENDING
           : strcmp(name, "descending") == 0   ? CURSOR_DESCENDING
           : strcmp(name, "newest_first") == 0 ? CURSOR_NEWEST_FIRST
                                               : CURSOR_ANY_ORDER;
}

/* Whole partitions, each a window. */
static void read_partitions(const struct reading *reading)
{
    struct cursor_description *cursor = reading->cursor;
    const char *place = describe_below(reading->hand, "cursor");
    if (cursor->kind != CURSOR_REFETCH) return;
    cursor->has_bounds = true;
    cursor->bounds = CURSOR_CLOSED_OPEN;
    cursor->until_is_last = text_is(reading, "bounds", "[]");
    cursor->min_step_us = INT64_MAX; /* a partition is replaced as a whole */
    cursor->window.partitions = true;
    cursor->window.lookback = read_span_us(reading, "last");
    if (text_is(reading, "partition", "month"))
        cursor->window.step_months = 1;
    else
        cursor->window.step_us = INT64_C(86400) * 1000000;
    if (cursor->until_is_last && cursor->window.type != TYPE_DATE)
        problems_add(problems_of(reading), reading->node, "%s.bounds: only dates have a last day, this cursor is of type %s",
                     place, type_name(cursor->window.type));
    if (!node_is_default(node_get(reading->hand->node, "explode")))
        problems_add(problems_of(reading), reading->node,
                     "%s: streams cannot be exploded from one whose partitions are replaced", place);
}

static void check_newest_first(const struct reading *reading)
{
    const struct cursor_description *cursor = reading->cursor;
    const char *place = describe_below(reading->hand, "cursor");
    if (cursor->order != CURSOR_NEWEST_FIRST) return;
    if (!window_has_step(&cursor->window))
        problems_add(problems_of(reading), reading->node, "%s: order = \"newest_first\" is one of windows: it needs a 'step'",
                     place);
    if (cursor->window.lookback) {
        problems_add(problems_of(reading), reading->node, "%s: order = \"newest_first\" has no 'lookback'", place);
        problems_hint(problems_of(reading), "leave what may come late for the next sync: delay = \"5m\"");
    }
}

static void check_stop_early(const struct reading *reading)
{
    if (!reading->cursor->stop_early || reading->cursor->order == CURSOR_DESCENDING) return;
    problems_add(problems_of(reading), reading->node, "%s: 'stop_early' needs records that come newest first",
                 describe_below(reading->hand, "cursor"));
    problems_hint(problems_of(reading), "if they do, say so: order = \"descending\"");
}

static void read_replaced(const struct reading *reading)
{
    const struct node *node = node_get(reading->node, "replaces");
    if (!option_find(reading->table, STR("replaces")) || node_is_default(node)) return;
    size_t count = node->kind == NODE_LIST ? node->count : 1;
    const char **names = arena_array(reading->hand->with->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) names[i] = node_cstr(node->kind == NODE_LIST ? &node->children[i] : node, "");
    reading->cursor->replaces = names;
    reading->cursor->replaces_count = count;
}

void describe_cursor(const struct stream_in_hand *hand)
{
    const struct node *node = node_get(hand->node, "cursor");
    if (node_is_default(node)) return;
    const struct vocabulary_kind *kind =
        vocabulary_check_kind(&VOCABULARY_CURSOR, node, describe_below(hand, "cursor"), hand->with->problems);
    if (!kind) return;
    struct cursor_description *cursor = &hand->stream->cursor;
    const struct reading reading = {hand, kind->table, node, cursor};
    const char *bounds = text_of(&reading, "bounds");
    bool is_token = kind_of(kind->name) == CURSOR_TOKEN;
    hand->stream->has_cursor = true;
    *cursor = (struct cursor_description){
        .kind = kind_of(kind->name),
        .field = text_of(&reading, "field"),
        .param = text_of(&reading, is_token ? "start_param" : "param"),
        .token_path = is_token ? text_of(&reading, "next") : NULL,
        .token_param = is_token ? text_of(&reading, "param") : NULL,
        .until_param = text_of(&reading, "until_param"),
        .into_body = text_is(&reading, "into", "body"),
        .order = order_of(text_of(&reading, "order")),
        .stop_early = option_find(kind->table, STR("stop_early")) && option_boolean(kind->table, node, "stop_early"),
        .has_bounds = bounds != NULL,
        .bounds = bounds && strcmp(bounds, "[)") == 0 ? CURSOR_CLOSED_OPEN : CURSOR_OPEN_CLOSED,
        .missing = missing_of(text_of(&reading, "missing")),
    };
    if (is_token && !cursor->token_path && !describe_is_native(hand->node))
        problems_add(problems_of(&reading), node, "%s.next is missing", describe_below(hand, "cursor"));
    read_replaced(&reading);
    read_type(&reading);
    read_lookback(&reading);
    read_start(&reading);
    read_step(&reading);
    if (window_has_step(&cursor->window)) cursor->min_step_us = option_duration_ms(kind->table, node, "min_step") * 1000;
    cursor->window.granularity_us = read_span_us(&reading, "granularity");
    if (text_of(&reading, "retention")) cursor->retention_us = option_duration_ms(kind->table, node, "retention") * 1000;
    cursor->window.delay_us = read_span_us(&reading, "delay");
    cursor->window.closed_above = cursor->has_bounds && cursor->bounds == CURSOR_OPEN_CLOSED;
    read_partitions(&reading);
    check_newest_first(&reading);
    check_stop_early(&reading);
}
