/* partitions: see partitions.h. */
#include "rest/partitions.h"

#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/jsonscan.h"
#include "base/map.h"
#include "base/records_path.h"
#include "net/url.h"
#include "rest/rows.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

static void add(struct partition_list *list, size_t *capacity, struct arena *arena, struct partition partition)
{
    if (list->count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 64;
        struct partition *items = arena_array(arena, struct partition, *capacity);
        if (list->count) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
    }
    list->items[list->count++] = partition;
}

static void add_to_id(struct buf *id, size_t index, struct str value)
{
    if (index) buf_append_char(id, ',');
    url_encode(value, id);
}

/* --- lists --------------------------------------------------------------------------------------------------------------- */

/* The values of one list, each once. */
struct values {
    struct str *list;
    size_t count;
};

static void add_value(struct values *values, struct map *seen, struct str value, size_t room)
{
    if (value.size == 0 || map_get(seen, value) || values->count == room) return;
    map_set(seen, value, values);
    values->list[values->count++] = value;
}

static int read_values(const struct partition_description *from, const struct operand_source *operands, struct values *values,
                       struct err *err)
{
    const struct operand *operand;
    struct map seen = MAP_INIT;
    struct buf text = BUF_INIT(TEXT_MAX);
    bool is_set = false, has_secret = false;
    int rc = operand_resolve(from->values, operands, &operand, err);
    if (rc == 0 && operand->kind == OPERAND_LIST) {
        values->list = arena_array(operands->arena, struct str, operand->count + 1);
        for (size_t i = 0; rc == 0 && i < operand->count; i++) {
            buf_clear(&text);
            rc = operand_to_text(&operand->children[i], operands, ESCAPE_NONE, &text, &is_set, &has_secret, err);
            if (rc == 0) add_value(values, &seen, arena_copy(operands->arena, buf_str(&text)), operand->count);
        }
    } else if (rc == 0) {
        rc = operand_to_text(operand, operands, ESCAPE_NONE, &text, &is_set, &has_secret, err);
        struct str rest = arena_copy(operands->arena, buf_str(&text)), value;
        values->list = arena_array(operands->arena, struct str, rest.size + 1);
        while (rc == 0 && str_next(&rest, ',', &value)) add_value(values, &seen, str_trim(value), SIZE_MAX);
    }
    if (rc == 0 && values->count == 0) {
        rc = err_set(err, ERR_CONFIG, "the list '%s' has no values", from->name);
        err_hint(err, "name at least one");
    }
    map_release(&seen);
    buf_release(&text);
    return rc;
}

/* The combination of this number; the last list changes fastest. */
static struct partition combine(const struct stream_description *stream, const struct values *values, size_t number,
                                struct arena *arena)
{
    struct buf id = BUF_INIT(TEXT_MAX), json = BUF_INIT(TEXT_MAX);
    struct json_writer writer = JSON_WRITER(&json);
    struct partition partition = {0};
    size_t divisor = 1;
    for (size_t i = 0; i < stream->partition_count; i++) divisor *= values[i].count;
    json_open(&writer, '{');
    for (size_t i = 0; i < stream->partition_count; i++) {
        divisor /= values[i].count;
        struct str value = values[i].list[number / divisor % values[i].count];
        json_member(&writer, stream->partitions[i].name);
        json_text(&writer, value);
        add_to_id(&id, i, value);
    }
    json_close(&writer, '}');
    partition.id = arena_text(arena, buf_str(&id));
    partition.values = jsonscan_padded(arena, buf_str(&json));
    buf_release(&id);
    buf_release(&json);
    return partition;
}

int partitions_of_lists(const struct request_source *source, struct arena *arena, struct partition_list *list, struct err *err)
{
    const struct stream_description *stream = source->stream;
    struct template_values values = {.config = source->config, .now_us = source->now_us};
    struct operand_source operands = {.values = &values, .functions = source->functions, .arena = arena};
    struct values *lists = arena_array(arena, struct values, stream->partition_count);
    size_t total = 1, capacity = 0;
    int rc = 0;
    *list = (struct partition_list){0};
    if (source->functions) operands.context_json = request_context(source, NULL, arena);
    for (size_t i = 0; rc == 0 && i < stream->partition_count; i++) {
        rc = read_values(&stream->partitions[i], &operands, &lists[i], err);
        if (rc == 0 && lists[i].count > PARTITIONS_MAX_LISTED / total)
            rc = err_set(err, ERR_CONFIG, "the lists have more than %d combinations", PARTITIONS_MAX_LISTED);
        if (rc == 0) total *= lists[i].count;
    }
    for (size_t i = 0; rc == 0 && i < total; i++) {
        struct partition partition = combine(stream, lists, i, arena);
        if (strlen(partition.id) > PARTITION_MAX_ID)
            rc = err_set(err, ERR_CONFIG, "values over %d bytes together", PARTITION_MAX_ID);
        else
            add(list, &capacity, arena, partition);
    }
    return rc == 0 ? 0 : err_context(err, "%s.partitions", source->request->where);
}

/* --- parents ------------------------------------------------------------------------------------------------------------- */

struct page_in_hand {
    const struct parent_description *parent;
    struct arena *arena;
    struct partition_list *list;
    size_t capacity;
};

static int name_record(const struct page_in_hand *hand, struct str record, const char **name, struct err *err)
{
    const struct parent_description *parent = hand->parent;
    struct buf id = BUF_INIT(TEXT_MAX);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < parent->key_count; i++) {
        struct json_value value;
        bool is_there = jsonscan_find(record.data, record.size, parent->key[i], &value) &&
                        (value.kind == JSON_STRING || value.kind == JSON_NUMBER);
        if (is_there)
            add_to_id(&id, i, value.kind == JSON_STRING ? jsonscan_text(&value, hand->arena, NULL) : value.raw);
        else
            rc = err_set(err, ERR_DATA, "a record of '%s' has no '%s', by which it is a parent", parent->stream->name,
                         parent->key[i]);
    }
    if (rc == 0 && id.size > PARTITION_MAX_ID)
        rc = err_set(err, ERR_DATA, "a record of '%s' has a key over %d bytes", parent->stream->name, PARTITION_MAX_ID);
    *name = arena_text(hand->arena, buf_str(&id));
    buf_release(&id);
    return rc;
}

static int take_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct page_in_hand *hand = context;
    struct json_value value;
    struct partition partition = {0};
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    if (value.kind != JSON_OBJECT)
        return err_set(err, ERR_DATA, "a record of '%s' is %s, and a parent must be an object", hand->parent->stream->name,
                       json_kind_name(value.kind));
    partition.parent = jsonscan_padded(hand->arena, value.raw);
    int rc = name_record(hand, partition.parent, &partition.id, err);
    if (rc == 0) add(hand->list, &hand->capacity, hand->arena, partition);
    return rc;
}

int partitions_of_page(const struct parent_description *parent, const struct functions *functions, const struct page *page,
                       struct arena *arena, struct partition_list *list, struct err *err)
{
    struct page_in_hand hand = {.parent = parent, .arena = arena, .list = list};
    *list = (struct partition_list){0};
    return rows_each(parent->stream, functions, page, arena, take_record, &hand, err);
}

static struct str key_of(const struct parent_description *parent, struct str record, struct arena *arena)
{
    struct json_value value;
    CHECK(jsonscan_find(record.data, record.size, parent->key[0], &value)); /* its name was made of it */
    return value.kind == JSON_STRING ? jsonscan_text(&value, arena, NULL) : value.raw;
}

static struct partition join(const struct parent_description *parent, const struct partition *items, size_t count,
                             struct arena *arena)
{
    struct buf ids = BUF_INIT(TEXT_MAX), json = BUF_INIT(TEXT_MAX);
    struct json_writer writer = JSON_WRITER(&json);
    const char **members = arena_array(arena, const char *, count);
    struct partition batch = {.id = items[0].id, .members = members, .member_count = count};
    json_open(&writer, '{');
    json_member(&writer, "keys"), json_open(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        struct str key = key_of(parent, items[i].parent, arena);
        members[i] = items[i].id;
        if (i) buf_append_char(&ids, ',');
        buf_append_str(&ids, key);
        json_text(&writer, key);
    }
    json_close(&writer, ']');
    json_member(&writer, "ids"), json_text(&writer, buf_str(&ids));
    json_close(&writer, '}');
    batch.parent = jsonscan_padded(arena, buf_str(&json));
    buf_release(&ids);
    buf_release(&json);
    return batch;
}

void partitions_batch(const struct parent_description *parent, struct arena *arena, struct partition_list *list)
{
    size_t kept = 0, size;
    for (size_t first = 0; parent->batch > 1 && first < list->count; first += size) {
        size = list->count - first < parent->batch ? list->count - first : parent->batch;
        list->items[kept++] = join(parent, &list->items[first], size, arena);
    }
    if (parent->batch > 1) list->count = kept;
}
