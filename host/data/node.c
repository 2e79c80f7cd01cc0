/* node: see node.h. Reading, JSON in, JSON out; yaml.c reads YAML. */
#include "data/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonscan.h"
#include "base/number.h"
#include "data/node_build.h"

static const struct node *find_child(const struct node *map, struct str key)
{
    if (!node_is(map, NODE_MAP)) return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (str_equal(map->children[i].key, key)) return &map->children[i];
    return NULL;
}

const struct node *node_get(const struct node *map, const char *key)
{
    return find_child(map, str_from(key));
}

const struct node *node_path(const struct node *root, const char *path)
{
    struct str rest = str_from(path), part;
    const struct node *at = root;
    while (at && str_next(&rest, '.', &part)) {
        uint64_t index;
        if (at->kind != NODE_LIST)
            at = find_child(at, part);
        else
            at = number_to_uint64(part, &index) && index < at->count ? &at->children[index] : NULL;
    }
    return at;
}

bool node_is(const struct node *node, enum node_kind kind)
{
    return node && node->kind == kind;
}

bool node_is_scalar(const struct node *node)
{
    return node_is(node, NODE_STRING) || node_is(node, NODE_NUMBER) || node_is(node, NODE_BOOLEAN);
}

struct str node_text(const struct node *node)
{
    return node_is_scalar(node) ? node->text : (struct str){"", 0};
}

const char *node_cstr(const struct node *node, const char *fallback)
{
    return node_is_scalar(node) ? node->text.data : fallback;
}

const char *node_kind_name(enum node_kind kind)
{
    static const char *const NAMES[] = {"nothing", "a boolean", "a number", "a string", "a list", "a map"};
    return NAMES[kind];
}

struct json_reading {
    struct jsonscan scan;
    struct node_build build;
    struct arena decoded; /* one string at a time */
    const char *error;    /* what neither the scanner nor the builder says */
    size_t error_offset;
    const char *text;
};

static bool is_clean(struct json_reading *reading, const struct json_value *string)
{
    if (!(string->flags & JSON_DIRTY)) return true;
    reading->error = "text with a NUL, a lone surrogate or bytes that are not UTF-8";
    reading->error_offset = (size_t)(string->raw.data - reading->text);
    return false;
}

static bool add_key(struct json_reading *reading, const struct json_value *key)
{
    if (!is_clean(reading, key)) return false;
    bool added = node_build_key(&reading->build, jsonscan_text(key, &reading->decoded, NULL), 0);
    arena_clear(&reading->decoded);
    return added;
}

static bool add_scalar(struct json_reading *reading)
{
    struct json_value value;
    if (!jsonscan_value(&reading->scan, &value)) return false;
    if (value.kind == JSON_STRING) {
        if (!is_clean(reading, &value)) return false;
        struct str text = jsonscan_text(&value, &reading->decoded, NULL);
        bool added = node_build_scalar(&reading->build, NODE_STRING, false, text, 0);
        arena_clear(&reading->decoded);
        return added;
    }
    enum node_kind kind = value.kind == JSON_NUMBER ? NODE_NUMBER : value.kind == JSON_NULL ? NODE_NULL : NODE_BOOLEAN;
    return node_build_scalar(&reading->build, kind, false, value.raw, 0);
}

static bool add_value(struct json_reading *reading);

static bool add_elements(struct json_reading *reading)
{
    while (jsonscan_next_element(&reading->scan))
        if (!add_value(reading)) return false;
    return !reading->scan.error;
}

static bool add_members(struct json_reading *reading)
{
    struct json_value key;
    while (jsonscan_next_key(&reading->scan, &key))
        if (!add_key(reading, &key) || !add_value(reading)) return false;
    return !reading->scan.error;
}

static bool add_value(struct json_reading *reading)
{
    switch (jsonscan_peek(&reading->scan)) {
    case JSON_OBJECT:
        return node_build_open(&reading->build, NODE_MAP, 0) && jsonscan_enter_object(&reading->scan) && add_members(reading) &&
               node_build_close(&reading->build);
    case JSON_ARRAY:
        return node_build_open(&reading->build, NODE_LIST, 0) && jsonscan_enter_array(&reading->scan) &&
               add_elements(reading) && node_build_close(&reading->build);
    default:
        return add_scalar(reading);
    }
}

static int json_error(const struct json_reading *reading, struct err *err)
{
    if (reading->error)
        return err_set(err, ERR_DATA, "cannot read JSON: %s at byte %zu", reading->error, reading->error_offset);
    size_t offset = jsonscan_offset(&reading->scan);
    if (reading->build.fault) {
        char place[64];
        snprintf(place, sizeof place, "cannot read JSON at byte %zu", offset);
        return node_build_error(&reading->build, ERR_DATA, place, err);
    }
    const char *error = reading->scan.error ? reading->scan.error : "unexpected text";
    return err_set(err, ERR_DATA, "cannot read JSON: %s at byte %zu", error, offset);
}

int node_from_json(struct str text, struct arena *arena, const struct node **out, struct err *err)
{
    if (text.size > NODE_MAX_BYTES)
        return err_set(err, ERR_DATA, "cannot read JSON of %zu bytes: at most %d", text.size, NODE_MAX_BYTES);
    char *padded = mem_alloc(text.size + JSONSCAN_PADDING);
    if (text.size) memcpy(padded, text.data, text.size);
    memset(padded + text.size, 0, JSONSCAN_PADDING);

    struct json_reading reading = {.text = padded};
    node_build_init(&reading.build, arena, NULL);
    jsonscan_init(&reading.scan, padded, text.size);
    const struct node *root = NULL;
    if (add_value(&reading) && jsonscan_finish(&reading.scan)) root = node_build_root(&reading.build);
    int rc = root ? 0 : json_error(&reading, err);
    if (root) *out = root;
    node_build_release(&reading.build);
    arena_release(&reading.decoded);
    free(padded);
    return rc;
}

static int compare_keys(const void *a, const void *b)
{
    struct str left = (*(const struct node *const *)a)->key, right = (*(const struct node *const *)b)->key;
    size_t shorter = left.size < right.size ? left.size : right.size;
    int order = shorter ? memcmp(left.data, right.data, shorter) : 0;
    return order ? order : (left.size > right.size) - (left.size < right.size);
}

static void map_to_json(const struct node *map, struct buf *out)
{
    const struct node **sorted = mem_alloc(map->count * sizeof(struct node *));
    for (size_t i = 0; i < map->count; i++) sorted[i] = &map->children[i];
    qsort(sorted, map->count, sizeof *sorted, compare_keys);
    buf_append_char(out, '{');
    for (size_t i = 0; i < map->count; i++) {
        if (i) buf_append_char(out, ',');
        buf_append_json_string(out, sorted[i]->key);
        buf_append_char(out, ':');
        node_to_json(sorted[i], out);
    }
    buf_append_char(out, '}');
    free(sorted);
}

void node_to_json(const struct node *node, struct buf *out)
{
    switch (node->kind) {
    case NODE_NULL:
        buf_append_text(out, "null");
        break;
    case NODE_BOOLEAN: /* YAML's True and TRUE are true */
        buf_append_text(out, str_equal_nocase(node->text, STR("true")) ? "true" : "false");
        break;
    case NODE_NUMBER:
        buf_append_str(out, node->text);
        break;
    case NODE_STRING:
        buf_append_json_string(out, node->text);
        break;
    case NODE_LIST:
        buf_append_char(out, '[');
        for (size_t i = 0; i < node->count; i++) {
            if (i) buf_append_char(out, ',');
            node_to_json(&node->children[i], out);
        }
        buf_append_char(out, ']');
        break;
    case NODE_MAP:
        map_to_json(node, out);
        break;
    }
}
