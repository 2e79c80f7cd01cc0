/* reshape: see reshape.h. A field's text goes over as it stands; only names are looked at, and what is taken apart. What is no
 * object goes over, too, for the rejects. */
#include "rest/reshape.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/jsonscan.h"
#include "base/records_path.h"
#include "rest/format/format.h"

enum { MAX_NAME_BYTES = 4096 };

struct names {
    struct str *list;
    size_t count;
};

struct reshaping {
    const struct reshape *reshape;
    struct format_out out;
    struct str added;
    struct arena page, record; /* what lives as long */
    struct names *names;       /* per zip */
    bool is_first;             /* no field of the record was written yet */
};

/* ---- fields ---------------------------------------------------------------------------------------------------------------
 */

static void write_value(struct format_out *out, const struct json_value *value)
{
    if (value->kind == JSON_STRING) format_out_char(out, '"');
    format_out_text(out, value->raw);
    if (value->kind == JSON_STRING) format_out_char(out, '"');
}

static void write_field(struct reshaping *hand, struct str name, const struct json_value *value)
{
    const struct reshape *reshape = hand->reshape;
    struct format_out *out = &hand->out;
    if (map_get(&reshape->drop, name)) return;
    const char *other = map_get(&reshape->rename, name);
    if (!hand->is_first) format_out_char(out, ',');
    hand->is_first = false;
    format_out_char(out, '"');
    format_out_string_part(out, other ? str_from(other) : name);
    format_out_text(out, STR("\":"));
    write_value(out, value);
}

static void take_field(struct reshaping *hand, struct str name, const struct json_value *value, size_t depth);

static void flatten(struct reshaping *hand, struct str name, const struct json_value *value, size_t depth)
{
    const struct reshape *reshape = hand->reshape;
    struct jsonscan scan;
    struct json_value key, inner;
    jsonscan_init(&scan, value->raw.data, value->raw.size);
    if (!jsonscan_enter_object(&scan)) return;
    while (jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &inner)) {
        struct str joined = jsonscan_text(&key, &hand->record, NULL);
        if (reshape->prefix) {
            size_t separator = strlen(reshape->separator), size = name.size + separator + joined.size;
            char *text = arena_alloc(&hand->record, size + 1);
            memcpy(text, name.data, name.size);
            memcpy(text + name.size, reshape->separator, separator);
            if (joined.size) memcpy(text + name.size + separator, joined.data, joined.size);
            joined = (struct str){text, size};
        }
        if (joined.size > MAX_NAME_BYTES) joined.size = MAX_NAME_BYTES; /* no column's name is that long */
        take_field(hand, joined, &inner, depth + 1);
    }
}

/* [{"id": 1, "value": "x"}] as {"1": "x"}; in the record's arena, with padding. */
static struct json_value join_pairs(struct reshaping *hand, const struct reshape_pairs *pairs, const struct json_value *list)
{
    struct format_out object;
    struct jsonscan scan;
    struct json_value element, key, value;
    char before = '{';
    format_out_init(&object, NULL, "", "");
    jsonscan_init(&scan, list->raw.data, list->raw.size);
    jsonscan_enter_array(&scan);
    while (jsonscan_next_element(&scan) && jsonscan_value(&scan, &element)) {
        bool is_pair = element.kind == JSON_OBJECT && jsonscan_find(element.raw.data, element.raw.size, pairs->key, &key) &&
                       (key.kind == JSON_STRING || key.kind == JSON_NUMBER);
        if (!is_pair) continue;
        if (!jsonscan_find(element.raw.data, element.raw.size, pairs->value, &value))
            value = (struct json_value){.kind = JSON_NULL, .raw = STR("null")};
        format_out_char(&object, before);
        format_out_char(&object, '"');
        format_out_text(&object, key.raw);
        format_out_text(&object, STR("\":"));
        write_value(&object, &value);
        before = ',';
    }
    format_out_text(&object, before == '{' ? STR("{}") : STR("}"));
    size_t size = object.block->size;
    char *text = arena_alloc(&hand->record, size + JSONSCAN_PADDING);
    memcpy(text, object.block->data, size);
    format_out_release(&object);
    return (struct json_value){JSON_OBJECT, JSON_ESCAPED | JSON_DIRTY, {text, size}};
}

static void take_field(struct reshaping *hand, struct str name, const struct json_value *value, size_t depth)
{
    const struct reshape *reshape = hand->reshape;
    const struct reshape_pairs *pairs = depth == 0 && reshape->has_pairs ? map_get(&reshape->pairs, name) : NULL;
    struct json_value joined;
    if (pairs && value->kind == JSON_ARRAY) {
        joined = join_pairs(hand, pairs, value);
        value = &joined;
    }
    bool is_flat = reshape->flattens && value->kind == JSON_OBJECT && depth < reshape->depth &&
                   (depth > 0 || reshape->flat.count == 0 || map_get(&reshape->flat, name));
    if (is_flat)
        flatten(hand, name, value, depth);
    else
        write_field(hand, name, value);
}

/* ---- positions ------------------------------------------------------------------------------------------------------------
 */

static void find_names(struct reshaping *hand, const struct block *page)
{
    const struct reshape *reshape = hand->reshape;
    hand->names = arena_array(&hand->page, struct names, reshape->zip_count + 1);
    for (size_t i = 0; i < reshape->zip_count; i++) {
        const struct reshape_zip *zip = &reshape->zips[i];
        struct json_value list, element, name;
        struct jsonscan scan;
        size_t capacity = 0;
        if (!jsonscan_find(page->data, page->size, zip->names, &list) || list.kind != JSON_ARRAY) continue;
        jsonscan_init(&scan, list.raw.data, list.raw.size);
        jsonscan_enter_array(&scan);
        while (jsonscan_next_element(&scan) && jsonscan_value(&scan, &element)) {
            struct names *names = &hand->names[i];
            bool is_named = zip->name ? jsonscan_find(element.raw.data, element.raw.size, zip->name, &name) : true;
            if (!zip->name) name = element;
            if (names->count == capacity) {
                capacity = capacity ? capacity * 2 : 16;
                struct str *list_now = arena_array(&hand->page, struct str, capacity);
                if (names->count) memcpy(list_now, names->list, names->count * sizeof *list_now);
                names->list = list_now;
            }
            bool is_text = is_named && name.kind == JSON_STRING;
            names->list[names->count++] = is_text ? jsonscan_text(&name, &hand->page, NULL) : STR("");
        }
    }
}

static void zip_values(struct reshaping *hand, size_t index, const struct json_value *record)
{
    const struct reshape_zip *zip = &hand->reshape->zips[index];
    const struct names *names = &hand->names[index];
    struct json_value list = *record, element, value;
    struct jsonscan scan;
    if (strcmp(zip->from, "$") != 0 && !jsonscan_find(record->raw.data, record->raw.size, zip->from, &list)) return;
    if (list.kind != JSON_ARRAY) return;
    jsonscan_init(&scan, list.raw.data, list.raw.size);
    jsonscan_enter_array(&scan);
    for (size_t at = 0; jsonscan_next_element(&scan) && jsonscan_value(&scan, &element); at++) {
        if (at >= names->count || names->list[at].size == 0) continue;
        if (!zip->value)
            value = element;
        else if (!jsonscan_find(element.raw.data, element.raw.size, zip->value, &value))
            value = (struct json_value){.kind = JSON_NULL, .raw = STR("null")};
        take_field(hand, names->list[at], &value, 0);
    }
}

static bool is_zipped(const struct reshape *reshape, struct str name)
{
    for (size_t i = 0; i < reshape->zip_count; i++)
        if (str_equal(name, str_from(reshape->zips[i].from))) return true;
    return false;
}

/* ---- records --------------------------------------------------------------------------------------------------------------
 */

static bool is_among(const struct reshape_filter *filter, const struct json_value *value, struct arena *scratch)
{
    struct str text = value->kind == JSON_STRING ? jsonscan_text(value, scratch, NULL) : value->raw;
    for (size_t i = 0; i < filter->value_count; i++)
        if (str_equal(text, filter->values[i])) return true;
    return false;
}

bool reshape_keeps(const struct reshape *reshape, const struct json_value *record, struct arena *scratch)
{
    for (size_t i = 0; i < reshape->filter_count; i++) {
        const struct reshape_filter *filter = &reshape->filters[i];
        struct json_value value = {.kind = JSON_NULL};
        bool is_there = jsonscan_find(record->raw.data, record->raw.size, filter->path, &value) && value.kind != JSON_NULL;
        bool ok = filter->test == FILTER_EXISTS ? is_there
                  : filter->test == FILTER_MISSING
                      ? !is_there
                      : (is_there && is_among(filter, &value, scratch)) == (filter->test == FILTER_IN);
        if (!ok) return false;
    }
    return true;
}

static int take_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct reshaping *hand = context;
    const struct reshape *reshape = hand->reshape;
    struct format_out *out = &hand->out;
    struct json_value record, key, value;
    struct jsonscan inner;
    if (!jsonscan_value(scan, &record)) return ERR_TRANSIENT;
    arena_clear(&hand->record);
    bool is_object = record.kind == JSON_OBJECT, is_row = record.kind == JSON_ARRAY && is_zipped(reshape, STR("$"));
    if (is_object && !reshape_keeps(reshape, &record, &hand->record)) return 0;
    format_out_begin(out);
    if (!is_object && !is_row) {
        write_value(out, &record);
    } else {
        format_out_char(out, '{');
        hand->is_first = true;
        if (is_object) {
            jsonscan_init(&inner, record.raw.data, record.raw.size);
            jsonscan_enter_object(&inner);
            while (jsonscan_next_key(&inner, &key) && jsonscan_value(&inner, &value)) {
                struct str name = jsonscan_text(&key, &hand->record, NULL);
                if (!is_zipped(reshape, name)) take_field(hand, name, &value, 0);
            }
        }
        for (size_t i = 0; i < reshape->zip_count; i++) zip_values(hand, i, &record);
        if (hand->added.size && !hand->is_first) format_out_char(out, ',');
        format_out_text(out, hand->added);
        format_out_char(out, '}');
    }
    format_out_record(out);
    if (!out->too_large) return 0;
    err_set(err, ERR_DATA, "cannot take a record of over %d MiB", FORMAT_MAX_RECORD_BYTES >> 20);
    return err_hint(err, "leave its largest fields out at the source");
}

int reshape_page(const struct reshape *reshape, const struct block *page, const char *records_path, struct str added,
                 struct budget *budget, struct block **out, struct err *err)
{
    struct reshaping hand = {.reshape = reshape, .added = added};
    struct jsonscan scan;
    format_out_init(&hand.out, budget, "[", "]");
    find_names(&hand, page);
    jsonscan_init(&scan, page->data, page->size);
    int rc = records_walk(&scan, records_path, take_record, &hand, err);
    if (rc == 0 && !jsonscan_finish(&scan)) rc = ERR_TRANSIENT;
    if (rc != 0 && scan.error) {
        int class = strcmp(scan.error, JSONSCAN_TOO_DEEP) == 0 ? ERR_DATA : ERR_TRANSIENT;
        rc = err_set(err, class, "could not read the answer as JSON: %s at byte %zu", scan.error, jsonscan_offset(&scan));
    }
    format_out_char(&hand.out, ']');
    if (rc == 0) {
        block_seal(hand.out.block);
        *out = block_hold(hand.out.block);
    }
    format_out_release(&hand.out);
    arena_release(&hand.record);
    arena_release(&hand.page);
    return rc;
}
