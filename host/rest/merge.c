/* merge: see merge.h. A page is copied as it stands, up to each record; the record is written anew, member by member, in the
 * bytes of the two texts. */
#include "rest/merge.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/jsonscan.h"
#include "base/records_path.h"
#include "net/url.h"
#include "rest/format/format.h"

enum { KEY_MAX = 64 * 1024 };

struct merge_value {
    struct str text;                 /* JSON */
    struct merge_value *next, *last; /* `last`: of the first in a chain */
};

/* ---- keys -----------------------------------------------------------------------------------------------------------------
 */

/* The key of a record, its parts encoded with commas between; one part stands as it is. False: it has none. */
static bool key_of(const struct merge_spec *spec, const struct json_value *record, struct arena *arena, struct buf *key)
{
    struct json_value found;
    buf_clear(key);
    for (size_t i = 0; i < spec->key_count; i++) {
        bool is_there = record->kind == JSON_OBJECT &&
                        jsonscan_find(record->raw.data, record->raw.size, spec->key[i], &found) &&
                        (found.kind == JSON_STRING || found.kind == JSON_NUMBER);
        if (!is_there) return false;
        struct str text = found.kind == JSON_STRING ? jsonscan_text(&found, arena, NULL) : found.raw;
        if (i) buf_append_char(key, ',');
        if (spec->key_count > 1)
            url_encode(text, key);
        else
            buf_append_str(key, text);
    }
    return key->size > 0 && !key->failed;
}

/* Calls `take` for each record; a document that is no JSON is TRANSIENT. */
static int walk(const struct block *page, const char *path, records_take *take, void *context, struct err *err)
{
    struct jsonscan scan;
    jsonscan_init(&scan, page->data, page->size);
    int rc = records_walk(&scan, path, take, context, err);
    if (rc == 0 && !jsonscan_finish(&scan)) rc = ERR_TRANSIENT;
    if (rc == 0 || !scan.error) return rc;
    int class = strcmp(scan.error, JSONSCAN_TOO_DEEP) == 0 ? ERR_DATA : ERR_TRANSIENT;
    return err_set(err, class, "could not read the answer as JSON: %s at byte %zu", scan.error, jsonscan_offset(&scan));
}

static int too_large(struct err *err)
{
    err_set(err, ERR_DATA, "a page and what was asked for about it are over %d MiB", MERGE_MAX_BYTES >> 20);
    err->is_too_much = true;
    return err_hint(err, "ask for fewer records a page: `size` in the connector's pages");
}

/* ---- the index ------------------------------------------------------------------------------------------------------------
 */

struct adding {
    struct merge_index *index;
    const struct merge_spec *spec;
    const char *value;
    struct str only;
    struct arena scratch;
    struct buf key;
};

void merge_index_release(struct merge_index *index)
{
    if (index->budget) budget_return(index->budget, index->bytes);
    map_release(&index->found);
    arena_release(&index->arena);
    *index = (struct merge_index){0};
}

/* A value's text with a string's quotes. */
static struct str whole(const struct json_value *value)
{
    return value->kind == JSON_STRING ? (struct str){value->raw.data - 1, value->raw.size + 2} : value->raw;
}

static int add_value(struct merge_index *index, struct str key, const struct json_value *value, struct err *err)
{
    struct str text = whole(value);
    struct merge_value *added = arena_new(&index->arena, struct merge_value), *first = map_get(&index->found, key);
    size_t bytes = text.size + JSONSCAN_PADDING + sizeof *added + key.size;
    if (index->bytes + bytes > MERGE_MAX_BYTES) return too_large(err);
    if (index->budget) budget_charge(index->budget, bytes);
    index->bytes += bytes;
    added->text = jsonscan_padded(&index->arena, text);
    added->last = added;
    if (first) {
        first->last->next = added;
        first->last = added;
    } else {
        map_set(&index->found, key, added);
    }
    return 0;
}

static int index_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct adding *adding = context;
    struct json_value record, value;
    if (!jsonscan_value(scan, &record)) return ERR_TRANSIENT;
    arena_clear(&adding->scratch);
    bool has_key = adding->spec->key_count ? key_of(adding->spec, &record, &adding->scratch, &adding->key) : true;
    value = record;
    bool is_there = strcmp(adding->value, "$") == 0 ||
                    (record.kind == JSON_OBJECT && jsonscan_find(record.raw.data, record.raw.size, adding->value, &value));
    if (!has_key || !is_there) return 0;
    return add_value(adding->index, adding->spec->key_count ? buf_str(&adding->key) : adding->only, &value, err);
}

int merge_index_add(struct merge_index *index, const struct block *answer, const struct merge_spec *spec, const char *value,
                    struct str only, struct err *err)
{
    struct adding adding = {
        .index = index, .spec = spec, .value = value, .only = only, .scratch = ARENA_INIT(0), .key = BUF_INIT(KEY_MAX)};
    int rc = walk(answer, spec->records_path, index_record, &adding, err);
    arena_release(&adding.scratch);
    buf_release(&adding.key);
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------
 */

struct merging {
    const struct merge_spec *spec;
    const struct merge_index *index;
    const struct merge_into *into;
    struct format_out out;
    const char *copied; /* up to here the page is in `out` */
    struct arena scratch;
    struct buf key;
    size_t missing;
};

static void write_member(struct format_out *out, bool *is_first, struct str raw_key)
{
    if (!*is_first) format_out_char(out, ',');
    *is_first = false;
    format_out_char(out, '"');
    format_out_text(out, raw_key);
    format_out_text(out, STR("\":"));
}

/* What one object has of its own. */
struct member {
    struct str raw_key;
    struct json_value value;
    bool is_known; /* the record has it, too */
};

/* `other`'s members by name; of a repeated one the last counts. */
static void read_members(struct merging *hand, struct str other, struct map *members)
{
    struct jsonscan scan;
    struct json_value key, value;
    jsonscan_init(&scan, other.data, other.size);
    if (!jsonscan_enter_object(&scan)) return;
    while (jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &value)) {
        struct member *member = arena_new(&hand->scratch, struct member);
        *member = (struct member){.raw_key = key.raw, .value = value};
        map_set(members, jsonscan_text(&key, &hand->scratch, NULL), member);
    }
}

static void write_merged(struct merging *hand, struct str record, struct str other, size_t depth)
{
    struct format_out *out = &hand->out;
    struct map members = MAP_INIT;
    struct jsonscan scan;
    struct json_value key, value;
    const struct map_entry *entry;
    bool is_first = true;
    read_members(hand, other, &members);
    format_out_char(out, '{');
    jsonscan_init(&scan, record.data, record.size);
    bool is_object = jsonscan_enter_object(&scan);
    while (is_object && jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &value)) {
        struct member *same = map_get(&members, jsonscan_text(&key, &hand->scratch, NULL));
        if (same) same->is_known = true;
        write_member(out, &is_first, key.raw);
        if (same && value.kind == JSON_OBJECT && same->value.kind == JSON_OBJECT && depth < MERGE_MAX_DEPTH)
            write_merged(hand, value.raw, same->value.raw, depth + 1);
        else
            format_out_text(out, whole(&value));
    }
    for (size_t at = 0; (entry = map_each(&members, &at)) != NULL;) {
        const struct member *own = entry->value;
        if (own->is_known) continue;
        write_member(out, &is_first, own->raw_key);
        format_out_text(out, whole(&own->value));
    }
    format_out_char(out, '}');
    map_release(&members);
}

/* The page up to the record, which is written anew behind it. */
static void begin_record(struct merging *hand, const struct json_value *record)
{
    format_out_text(&hand->out, (struct str){hand->copied, (size_t)(record->raw.data - hand->copied)});
    hand->copied = record->raw.data + record->raw.size;
}

static int end_record(struct merging *hand, struct err *err)
{
    format_out_record(&hand->out);
    bool is_too_large = hand->out.too_large || hand->out.block->size > MERGE_MAX_BYTES;
    return is_too_large ? too_large(err) : 0;
}

static int no_key(const struct merge_spec *spec, const struct json_value *record, struct err *err)
{
    bool is_object = record->kind == JSON_OBJECT;
    err_set(err, ERR_DATA, "a record %s%s%s, by which the answers to its chunks are put together",
            is_object ? "has no '" : "is ", is_object ? spec->key[0] : json_kind_name(record->kind), is_object ? "'" : "");
    return err_hint(err, "name the path in the records as they come: chunks.key");
}

static int merge_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct merging *hand = context;
    struct json_value record;
    if (!jsonscan_value(scan, &record)) return ERR_TRANSIENT;
    arena_clear(&hand->scratch);
    if (!key_of(hand->spec, &record, &hand->scratch, &hand->key)) return no_key(hand->spec, &record, err);
    const struct merge_value *other = map_get(&hand->index->found, buf_str(&hand->key));
    if (!other) {
        hand->missing++;
        return 0;
    }
    begin_record(hand, &record);
    write_merged(hand, record.raw, other->last->text, 1);
    return end_record(hand, err);
}

static int rewrite(const struct block *page, struct merging *hand, records_take *take, struct block **out, struct err *err)
{
    format_out_init(&hand->out, page->budget, "", "");
    hand->copied = page->data;
    hand->key = BUF_INIT(KEY_MAX);
    int rc = walk(page, hand->spec->records_path, take, hand, err);
    format_out_text(&hand->out, (struct str){hand->copied, (size_t)(page->data + page->size - hand->copied)});
    if (rc == 0) rc = end_record(hand, err);
    if (rc == 0) {
        block_seal(hand->out.block);
        *out = block_hold(hand->out.block);
    }
    format_out_release(&hand->out);
    arena_release(&hand->scratch);
    buf_release(&hand->key);
    return rc;
}

int merge_members(const struct block *page, const struct merge_spec *spec, const struct merge_index *index, size_t *missing,
                  struct block **out, struct err *err)
{
    struct merging hand = {.spec = spec, .index = index};
    int rc = rewrite(page, &hand, merge_record, out, err);
    *missing = hand.missing;
    return rc;
}

/* ---- values ---------------------------------------------------------------------------------------------------------------
 */

struct gathering {
    const struct merge_spec *spec;
    const struct reshape *keeps;
    struct arena *arena, scratch;
    struct buf key;
    struct map seen;
    struct str *keys;
    size_t count, capacity;
};

/* Is the record one that is asked about? Its key is in *key then. */
static bool is_asked(const struct merge_spec *spec, const struct reshape *keeps, const struct json_value *record,
                     struct arena *scratch, struct buf *key)
{
    return record->kind == JSON_OBJECT && (!keeps || reshape_keeps(keeps, record, scratch)) &&
           key_of(spec, record, scratch, key);
}

static int gather_key(void *context, struct jsonscan *scan, struct err *err)
{
    struct gathering *hand = context;
    struct json_value record;
    (void)err;
    if (!jsonscan_value(scan, &record)) return ERR_TRANSIENT;
    arena_clear(&hand->scratch);
    if (!is_asked(hand->spec, hand->keeps, &record, &hand->scratch, &hand->key) || map_get(&hand->seen, buf_str(&hand->key)))
        return 0;
    if (hand->count == hand->capacity) {
        hand->capacity = hand->capacity ? 2 * hand->capacity : 64;
        struct str *keys = arena_array(hand->arena, struct str, hand->capacity);
        if (hand->count) memcpy(keys, hand->keys, hand->count * sizeof *keys);
        hand->keys = keys;
    }
    hand->keys[hand->count++] = arena_copy(hand->arena, buf_str(&hand->key));
    map_set(&hand->seen, buf_str(&hand->key), hand);
    return 0;
}

int merge_keys(const struct block *page, const struct merge_spec *spec, const struct reshape *keeps, struct arena *arena,
               const struct str **keys, size_t *count, struct err *err)
{
    struct gathering hand = {.spec = spec, .keeps = keeps, .arena = arena, .scratch = ARENA_INIT(0), .key = BUF_INIT(KEY_MAX)};
    int rc = walk(page, spec->records_path, gather_key, &hand, err);
    *keys = hand.keys;
    *count = hand.count;
    map_release(&hand.seen);
    buf_release(&hand.key);
    arena_release(&hand.scratch);
    return rc;
}

static void write_values(struct format_out *out, const struct merge_into *into, const struct merge_value *first)
{
    if (!into->many) {
        format_out_text(out, first->last->text);
        return;
    }
    format_out_char(out, '[');
    for (const struct merge_value *value = first; value; value = value->next) {
        if (value != first) format_out_char(out, ',');
        format_out_text(out, value->text);
    }
    format_out_char(out, ']');
}

static int put_values(void *context, struct jsonscan *scan, struct err *err)
{
    struct merging *hand = context;
    struct json_value record, key, value;
    struct jsonscan inner;
    bool is_first = true;
    if (!jsonscan_value(scan, &record)) return ERR_TRANSIENT;
    arena_clear(&hand->scratch);
    if (!is_asked(hand->spec, hand->into->keeps, &record, &hand->scratch, &hand->key)) return 0;
    const struct merge_value *first = map_get(&hand->index->found, buf_str(&hand->key));
    if (!first && !hand->into->many) return 0;
    begin_record(hand, &record);
    format_out_char(&hand->out, '{');
    jsonscan_init(&inner, record.raw.data, record.raw.size);
    bool is_object = jsonscan_enter_object(&inner);
    while (is_object && jsonscan_next_key(&inner, &key) && jsonscan_value(&inner, &value)) {
        if (str_equal(jsonscan_text(&key, &hand->scratch, NULL), str_from(hand->into->field))) continue;
        write_member(&hand->out, &is_first, key.raw);
        format_out_text(&hand->out, whole(&value));
    }
    if (!is_first) format_out_char(&hand->out, ',');
    format_out_char(&hand->out, '"');
    format_out_string_part(&hand->out, str_from(hand->into->field));
    format_out_text(&hand->out, STR("\":"));
    write_values(&hand->out, hand->into, first);
    format_out_char(&hand->out, '}');
    return end_record(hand, err);
}

int merge_values(const struct block *page, const struct merge_spec *spec, const struct merge_into *into,
                 const struct merge_index *index, struct block **out, struct err *err)
{
    struct merging hand = {.spec = spec, .index = index, .into = into};
    return rewrite(page, &hand, put_values, out, err);
}
