/* json: see json.h.
 *
 * cJSON is the tree; its parser is not used. It takes what RFC 8259 refuses (raw control characters, bytes that are not UTF-8,
 * "01", "-", "1.", text cut short by a NUL), so the tree is built from jsonscan, the one JSON grammar of this program. */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/jsonscan.h"
#include "base/number.h"

struct reading {
    struct jsonscan scan;
    struct arena decoded; /* one string at a time */
    const char *error;    /* what we refuse beyond jsonscan; NULL when it was jsonscan that did */
    const char *error_at;
};

void json_init(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = mem_alloc, .free_fn = free});
}

/* NULL would mean that memory is out, which ends the process before it comes to that. */
static cJSON *made(cJSON *json)
{
    CHECK(json != NULL);
    return json;
}

static void refuse(struct reading *reading, const struct json_value *value, const char *error)
{
    reading->error = error;
    reading->error_at = value->raw.data;
}

/* A string's text, to be freed; NULL when it holds what a C string or UTF-8 cannot. */
static char *decode(struct reading *reading, const struct json_value *value)
{
    if (value->flags & JSON_DIRTY) {
        refuse(reading, value, "text with a NUL, a lone surrogate or bytes that are not UTF-8");
        return NULL;
    }
    char *text = str_dup(jsonscan_text(value, &reading->decoded, NULL));
    arena_clear(&reading->decoded);
    return text;
}

static cJSON *read_string(struct reading *reading, const struct json_value *value)
{
    char *text = decode(reading, value);
    if (!text) return NULL;
    cJSON *json = made(cJSON_CreateString(text));
    free(text);
    return json;
}

static cJSON *read_number(struct reading *reading, const struct json_value *value)
{
    double number;
    if (number_to_double(value->raw, &number)) return made(cJSON_CreateNumber(number));
    refuse(reading, value, "number past the range of a double");
    return NULL;
}

static cJSON *read_value(struct reading *reading);

static bool read_elements(struct reading *reading, cJSON *array)
{
    while (jsonscan_next_element(&reading->scan)) {
        cJSON *item = read_value(reading);
        if (!item) return false;
        CHECK(cJSON_AddItemToArray(array, item));
    }
    return !reading->scan.error;
}

static bool read_members(struct reading *reading, cJSON *object)
{
    struct json_value key;
    while (jsonscan_next_key(&reading->scan, &key)) {
        char *name = decode(reading, &key);
        cJSON *item = name ? read_value(reading) : NULL;
        if (item) CHECK(cJSON_AddItemToObject(object, name, item));
        free(name);
        if (!item) return false;
    }
    return !reading->scan.error;
}

static cJSON *read_container(struct reading *reading, bool is_object)
{
    cJSON *container = made(is_object ? cJSON_CreateObject() : cJSON_CreateArray());
    bool read = is_object ? jsonscan_enter_object(&reading->scan) && read_members(reading, container)
                          : jsonscan_enter_array(&reading->scan) && read_elements(reading, container);
    if (read) return container;
    cJSON_Delete(container);
    return NULL;
}

static cJSON *read_value(struct reading *reading)
{
    int kind = jsonscan_peek(&reading->scan);
    if (kind == JSON_OBJECT || kind == JSON_ARRAY) return read_container(reading, kind == JSON_OBJECT);
    struct json_value value;
    if (!jsonscan_value(&reading->scan, &value)) return NULL;
    switch (value.kind) {
    case JSON_STRING:
        return read_string(reading, &value);
    case JSON_NUMBER:
        return read_number(reading, &value);
    case JSON_NULL:
        return made(cJSON_CreateNull());
    default:
        return made(cJSON_CreateBool(value.kind == JSON_TRUE));
    }
}

int json_parse(struct str text, size_t max, struct cJSON **out, struct err *err)
{
    if (text.size > max) return err_set(err, ERR_DATA, "cannot read JSON of %zu bytes: at most %zu", text.size, max);
    char *padded = mem_alloc(text.size + JSONSCAN_PADDING);
    if (text.size) memcpy(padded, text.data, text.size);
    memset(padded + text.size, 0, JSONSCAN_PADDING);

    struct reading reading = {0};
    jsonscan_init(&reading.scan, padded, text.size);
    cJSON *json = read_value(&reading);
    int rc = 0;
    if (json && !jsonscan_finish(&reading.scan)) {
        cJSON_Delete(json);
        json = NULL;
    }
    if (json)
        *out = json;
    else if (reading.error)
        rc = err_set(err, ERR_DATA, "cannot read JSON: %s at byte %zu", reading.error, (size_t)(reading.error_at - padded));
    else
        rc = err_set(err, ERR_DATA, "cannot read JSON: %s at byte %zu",
                     reading.scan.error ? reading.scan.error : "unexpected text", jsonscan_offset(&reading.scan));
    arena_release(&reading.decoded);
    free(padded);
    return rc;
}

void json_free(struct cJSON *json)
{
    cJSON_Delete(json);
}

static const cJSON *find_member(const cJSON *object, struct str key)
{
    const cJSON *found = NULL;
    if (!cJSON_IsObject(object)) return NULL;
    for (const cJSON *item = object->child; item; item = item->next)
        if (str_equal(str_from(item->string), key)) found = item;
    return found;
}

const struct cJSON *json_get(const struct cJSON *object, const char *key)
{
    return find_member(object, str_from(key));
}

static const cJSON *find_element(const cJSON *array, struct str index)
{
    uint64_t wanted;
    if (!cJSON_IsArray(array) || !number_to_uint64(index, &wanted)) return NULL;
    const cJSON *item = array->child;
    for (; item && wanted > 0; wanted--) item = item->next;
    return item;
}

const struct cJSON *json_path(const struct cJSON *root, const char *path)
{
    struct str rest = str_from(path), part;
    const cJSON *at = root;
    if (str_equal(rest, STR("$"))) return root;
    while (at && str_next(&rest, '.', &part)) at = cJSON_IsArray(at) ? find_element(at, part) : find_member(at, part);
    return at;
}

const char *json_string(const struct cJSON *json)
{
    return cJSON_IsString(json) ? json->valuestring : NULL;
}

bool json_number(const struct cJSON *json, double *value)
{
    if (cJSON_IsString(json)) return number_to_double(str_from(json->valuestring), value);
    if (!cJSON_IsNumber(json)) return false;
    *value = json->valuedouble;
    return true;
}

bool json_boolean(const struct cJSON *json, bool *value)
{
    if (!cJSON_IsBool(json)) return false;
    *value = cJSON_IsTrue(json);
    return true;
}

bool json_is_object(const struct cJSON *json)
{
    return cJSON_IsObject(json);
}

bool json_is_array(const struct cJSON *json)
{
    return cJSON_IsArray(json);
}

const struct cJSON *json_first(const struct cJSON *container)
{
    return cJSON_IsObject(container) || cJSON_IsArray(container) ? container->child : NULL;
}

const struct cJSON *json_next(const struct cJSON *item)
{
    return item ? item->next : NULL;
}

const char *json_key(const struct cJSON *item)
{
    return item ? item->string : NULL;
}

/* A member and where it stood, so that of a repeated key the last one sorts last. */
struct member {
    const cJSON *item;
    size_t place;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = strcmp(left->item->string, right->item->string);
    return order ? order : left->place < right->place ? -1 : 1;
}

static void print_value(const cJSON *json, struct json_writer *writer);

static void print_object(const cJSON *object, struct json_writer *writer)
{
    size_t count = 0;
    for (const cJSON *item = object->child; item; item = item->next) count++;
    struct member *members = mem_alloc(count * sizeof *members);
    count = 0;
    for (const cJSON *item = object->child; item; item = item->next, count++) members[count] = (struct member){item, count};
    qsort(members, count, sizeof *members, compare_members);
    json_open(writer, '{');
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && strcmp(members[i].item->string, members[i + 1].item->string) == 0) continue;
        json_member(writer, members[i].item->string);
        print_value(members[i].item, writer);
    }
    json_close(writer, '}');
    free(members);
}

static void print_value(const cJSON *json, struct json_writer *writer)
{
    char number[NUMBER_TEXT_MAX];
    if (cJSON_IsObject(json)) {
        print_object(json, writer);
    } else if (cJSON_IsArray(json)) {
        json_open(writer, '[');
        for (const cJSON *item = json->child; item; item = item->next) print_value(item, writer);
        json_close(writer, ']');
    } else if (cJSON_IsString(json)) {
        json_cstr(writer, json->valuestring);
    } else if (cJSON_IsNumber(json)) {
        json_raw(writer, (struct str){number, number_from_double(json->valuedouble, number)});
    } else if (cJSON_IsBool(json)) {
        json_bool(writer, cJSON_IsTrue(json));
    } else {
        json_cstr(writer, NULL);
    }
}

void json_print(const struct cJSON *json, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    print_value(json, &writer);
}

static void begin_value(struct json_writer *writer)
{
    if (writer->needs_comma) buf_append_char(writer->out, ',');
    writer->needs_comma = true;
}

void json_open(struct json_writer *writer, char bracket)
{
    begin_value(writer);
    buf_append_char(writer->out, bracket);
    writer->needs_comma = false;
}

void json_close(struct json_writer *writer, char bracket)
{
    buf_append_char(writer->out, bracket);
    writer->needs_comma = true;
}

void json_member(struct json_writer *writer, const char *key)
{
    begin_value(writer);
    buf_append_json_string(writer->out, str_from(key));
    buf_append_char(writer->out, ':');
    writer->needs_comma = false;
}

void json_text(struct json_writer *writer, struct str text)
{
    begin_value(writer);
    buf_append_json_string(writer->out, text);
}

void json_cstr(struct json_writer *writer, const char *text)
{
    if (text)
        json_text(writer, str_from(text));
    else
        json_raw(writer, STR("null"));
}

void json_int(struct json_writer *writer, int64_t value)
{
    char text[NUMBER_TEXT_MAX];
    json_raw(writer, (struct str){text, number_from_int64(value, text)});
}

void json_bool(struct json_writer *writer, bool value)
{
    json_raw(writer, value ? STR("true") : STR("false"));
}

void json_raw(struct json_writer *writer, struct str json)
{
    CHECK(json.size > 0);
    begin_value(writer);
    buf_append_str(writer->out, json);
}
