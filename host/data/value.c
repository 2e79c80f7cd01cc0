/* value: see value.h. */
#include "data/value.h"

#include "base/buf.h"
#include "base/number.h"
#include "base/time.h"

static const char *const TYPE_NAMES[TYPE_COUNT] = {
    [TYPE_STRING] = "string",       [TYPE_INTEGER] = "integer",
    [TYPE_DECIMAL] = "decimal",     [TYPE_FLOAT] = "float",
    [TYPE_BOOLEAN] = "boolean",     [TYPE_DATE] = "date",
    [TYPE_TIMESTAMP] = "timestamp", [TYPE_TIMESTAMP_NTZ] = "timestamp_ntz",
    [TYPE_JSON] = "json",           [TYPE_BINARY] = "binary",
};

const char *type_name(enum type type)
{
    CHECK(type < TYPE_COUNT);
    return TYPE_NAMES[type];
}

bool type_from_name(struct str name, enum type *type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (!str_equal(name, str_from(TYPE_NAMES[i]))) continue;
        *type = (enum type)i;
        return true;
    }
    return false;
}

/* RFC 4648 section 4, padded. */
static void append_base64(struct buf *out, struct str data)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < data.size; at += 3) {
        size_t have = data.size - at < 3 ? data.size - at : 3;
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++) group = group << 8 | (i < have ? (unsigned char)data.data[at + i] : 0);
        char text[4] = {DIGITS[group >> 18], DIGITS[group >> 12 & 63], DIGITS[group >> 6 & 63], DIGITS[group & 63]};
        if (have < 3) text[3] = '=';
        if (have < 2) text[2] = '=';
        buf_append(out, text, sizeof text);
    }
}

static size_t write_instant(int64_t instant_us, enum type type, char out[TIME_TEXT_MAX])
{
    size_t size = time_write_iso(instant_us, out);
    if (type == TYPE_TIMESTAMP_NTZ && size && out[size - 1] == 'Z') size--; /* a wall clock has no zone */
    return size;
}

void value_to_text(const struct value *value, enum type type, struct buf *out)
{
    char number[NUMBER_TEXT_MAX], text[TIME_TEXT_MAX];
    switch ((enum value_kind)value->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        break;
    case VALUE_BOOLEAN:
        buf_append_text(out, value->i ? "true" : "false");
        break;
    case VALUE_INTEGER:
        buf_append(out, number, number_from_int64(value->i, number));
        break;
    case VALUE_FLOAT:
        buf_append(out, number, number_from_double(value->f, number));
        break;
    case VALUE_DATE:
        buf_append(out, text, time_write_date(value->i, text));
        break;
    case VALUE_TIMESTAMP:
        buf_append(out, text, write_instant(value->i, type, text));
        break;
    case VALUE_DECIMAL:
    case VALUE_STRING:
    case VALUE_JSON:
        buf_append_str(out, value_str(value));
        break;
    case VALUE_BINARY:
        append_base64(out, value_str(value));
        break;
    }
}

void value_to_json(const struct value *value, enum type type, struct buf *out)
{
    switch ((enum value_kind)value->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buf_append_text(out, "null");
        break;
    case VALUE_STRING:
        buf_append_json_string(out, value_str(value));
        break;
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
    case VALUE_BINARY: /* texts without anything to escape */
        buf_append_char(out, '"');
        value_to_text(value, type, out);
        buf_append_char(out, '"');
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_DECIMAL:
    case VALUE_JSON:
        value_to_text(value, type, out);
        break;
    }
}

static int compare_bytes(struct str a, struct str b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    if (order) return order < 0 ? -1 : 1;
    return (a.size > b.size) - (a.size < b.size);
}

static bool is_nothing(const struct value *value)
{
    return value->kind == VALUE_NULL || value->kind == VALUE_MISSING;
}

int value_compare(const struct value *a, const struct value *b, enum type type)
{
    if (is_nothing(a) || is_nothing(b)) return is_nothing(b) - is_nothing(a);
    switch (type) {
    case TYPE_INTEGER:
    case TYPE_BOOLEAN:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        return (a->i > b->i) - (a->i < b->i);
    case TYPE_FLOAT:
        return (a->f > b->f) - (a->f < b->f);
    case TYPE_DECIMAL:
        return number_compare(value_str(a), value_str(b));
    case TYPE_STRING:
    case TYPE_JSON:
    case TYPE_BINARY:
    case TYPE_COUNT:
        break;
    }
    return compare_bytes(value_str(a), value_str(b));
}
