/* encode: each value first makes room for its worst case (every byte a quote), then writes without further checks. Texts are
 * searched for quotes by memchr and copied in runs; nested values are walked byte by byte, since there a quote comes every few
 * bytes and white space between tokens has to go. */
#include "writer/csv/encode.h"

#include "base/check.h"
#include "base/number.h"
#include "base/time.h"

/* Past this a decimal stays in its exponent form: nobody's type holds so many digits. */
enum { PLAIN_DIGITS_MAX = 20000 };

static char *make_room(struct csv_buffer *buffer, size_t size)
{
    size_t needed = buffer->size + size;
    if (UNLIKELY(needed > buffer->capacity)) {
        size_t capacity = buffer->capacity < CSV_BUFFER_FULL ? CSV_BUFFER_FULL + CSV_BUFFER_FULL / 2 : buffer->capacity * 2;
        buffer->capacity = capacity > needed ? capacity : needed;
        buffer->data = mem_resize(buffer->data, buffer->capacity);
    }
    return buffer->data + buffer->size;
}

static void finish(struct csv_buffer *buffer, const char *end)
{
    buffer->size = (size_t)(end - buffer->data);
}

void csv_append(struct csv_buffer *buffer, struct str bytes)
{
    char *out = make_room(buffer, bytes.size);
    if (bytes.size) memcpy(out, bytes.data, bytes.size);
    buffer->size += bytes.size;
}

static char *put_quoted(char *out, const char *text, size_t size)
{
    *out++ = '"';
    const char *end = text + size;
    while (text < end) {
        const char *quote = memchr(text, '"', (size_t)(end - text));
        size_t run = (size_t)((quote ? quote + 1 : end) - text);
        memcpy(out, text, run);
        out += run;
        text += run;
        if (quote) *out++ = '"';
    }
    *out++ = '"';
    return out;
}

void csv_encode_text(struct csv_buffer *buffer, struct str text)
{
    char *out = make_room(buffer, 2 * text.size + 2);
    finish(buffer, put_quoted(out, text.data, text.size));
}

/* JSON text, compact and quoted: white space outside its strings is left out. The text is valid JSON. */
static char *put_json(char *out, const char *at, size_t size)
{
    const char *end = at + size;
    *out++ = '"';
    while (at < end) {
        char c = *at++;
        if (c != '"') {
            if ((unsigned char)c > ' ') *out++ = c;
            continue;
        }
        *out++ = '"';
        *out++ = '"';
        while (at < end && *at != '"') {
            if (*at == '\\' && at + 1 < end) {
                *out++ = *at++;
                if (*at == '"') *out++ = '"'; /* the escaped quote is a quote to CSV as well */
            }
            *out++ = *at++;
        }
        if (at < end) {
            at++;
            *out++ = '"';
            *out++ = '"';
        }
    }
    *out++ = '"';
    return out;
}

/* The digits of a JSON number without an exponent: "-12.50e3" -> "-12500". False when that would be too long. */
static bool put_plain_decimal(struct csv_buffer *buffer, struct str number)
{
    const char *mantissa_end = number.data;
    const char *end = number.data + number.size;
    while (mantissa_end < end && *mantissa_end != 'e' && *mantissa_end != 'E') mantissa_end++;
    const char *exponent_at = mantissa_end < end ? mantissa_end + 1 : end;
    if (exponent_at < end && *exponent_at == '+') exponent_at++;
    int64_t exponent = 0;
    if (!number_to_int64((struct str){exponent_at, (size_t)(end - exponent_at)}, &exponent)) return false;
    if (exponent > PLAIN_DIGITS_MAX || exponent < -PLAIN_DIGITS_MAX) return false;

    const char *at = number.data;
    bool negative = at < mantissa_end && *at == '-';
    if (negative) at++;
    size_t digits_size = 0;
    int64_t point = -1; /* digits before the decimal point */
    char *digits = mem_alloc((size_t)(mantissa_end - at) + 1);
    for (; at < mantissa_end; at++) {
        if (*at == '.')
            point = (int64_t)digits_size;
        else
            digits[digits_size++] = *at;
    }
    if (point < 0) point = (int64_t)digits_size;
    point += exponent;

    char *out = make_room(buffer, digits_size + 2 * (size_t)PLAIN_DIGITS_MAX + 8);
    *out++ = '"';
    if (negative) *out++ = '-';
    int64_t first = 0; /* leading zeroes before the point go, but for the last one */
    while (first + 1 < point && (first >= (int64_t)digits_size || digits[first] == '0')) first++;
    if (point <= 0) *out++ = '0';
    for (int64_t i = first; i < point; i++) *out++ = i < (int64_t)digits_size ? digits[i] : '0';
    if (point < (int64_t)digits_size) {
        *out++ = '.';
        for (int64_t i = point; i < (int64_t)digits_size; i++) *out++ = i < 0 ? '0' : digits[i];
    }
    *out++ = '"';
    finish(buffer, out);
    free(digits);
    return true;
}

static void put_decimal(struct csv_buffer *buffer, struct str number)
{
    bool has_exponent = memchr(number.data, 'e', number.size) || memchr(number.data, 'E', number.size);
    if (has_exponent && put_plain_decimal(buffer, number)) return;
    csv_encode_text(buffer, number);
}

static char *put_two(char *out, int value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

static char *put_instant(char *out, int64_t instant_us, bool with_offset)
{
    struct civil t;
    time_to_civil(instant_us, &t);
    *out++ = '"';
    out = put_two(put_two(out, t.year / 100), t.year % 100);
    *out++ = '-';
    out = put_two(out, t.month);
    *out++ = '-';
    out = put_two(out, t.day);
    *out++ = ' ';
    out = put_two(out, t.hour);
    *out++ = ':';
    out = put_two(out, t.minute);
    *out++ = ':';
    out = put_two(out, t.second);
    *out++ = '.';
    out = put_two(put_two(put_two(out, t.microsecond / 10000), t.microsecond / 100 % 100), t.microsecond % 100);
    if (with_offset) {
        memcpy(out, "+00:00", 6);
        out += 6;
    }
    *out++ = '"';
    return out;
}

static char *put_hex(char *out, const char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '"';
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    *out++ = '"';
    return out;
}

static char *put_unquoted(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    return out + size;
}

/* Longest text of what is not bytes: an instant in quotes. */
enum { SCALAR_ROOM = 64 };
_Static_assert((int)SCALAR_ROOM > (int)TIME_TEXT_MAX + 2 && (int)SCALAR_ROOM > (int)NUMBER_TEXT_MAX + 2,
               "they fit with quotes");

static void put_value(struct csv_buffer *buffer, const struct value *value, uint8_t type, enum csv_null null_token,
                      struct csv_notes *notes)
{
    char text[SCALAR_ROOM];
    char *out;
    switch ((enum value_kind)value->kind) {
    case VALUE_MISSING:
        notes->saw_missing = true;
        return;
    case VALUE_NULL:
        if (null_token == CSV_NULL_BACKSLASH_N) csv_append(buffer, STR("\\N"));
        return;
    case VALUE_STRING:
        if (null_token == CSV_NULL_BACKSLASH_N && str_equal(value_str(value), STR("\\N"))) {
            notes->repaired++;
            csv_append(buffer, STR("\"\xef\xbf\xbdN\""));
            return;
        }
        csv_encode_text(buffer, value_str(value));
        return;
    case VALUE_JSON:
        out = make_room(buffer, 2 * (size_t)value->size + 2);
        finish(buffer, put_json(out, value->data, value->size));
        return;
    case VALUE_DECIMAL:
        put_decimal(buffer, value_str(value));
        return;
    case VALUE_BINARY:
        out = make_room(buffer, 2 * (size_t)value->size + 2);
        finish(buffer, put_hex(out, value->data, value->size));
        return;
    case VALUE_INTEGER:
        out = make_room(buffer, SCALAR_ROOM);
        finish(buffer, put_quoted(out, text, number_from_int64(value->i, text)));
        return;
    case VALUE_FLOAT:
        out = make_room(buffer, SCALAR_ROOM);
        finish(buffer, put_quoted(out, text, number_from_double(value->f, text)));
        return;
    case VALUE_BOOLEAN:
        out = make_room(buffer, SCALAR_ROOM);
        finish(buffer, value->i ? put_unquoted(out, "\"true\"", 6) : put_unquoted(out, "\"false\"", 7));
        return;
    case VALUE_DATE:
        out = make_room(buffer, SCALAR_ROOM);
        finish(buffer, put_quoted(out, text, time_write_date(value->i, text)));
        return;
    case VALUE_TIMESTAMP:
        out = make_room(buffer, SCALAR_ROOM);
        finish(buffer, put_instant(out, value->i, type != TYPE_TIMESTAMP_NTZ));
        return;
    }
    check_failed(__FILE__, __LINE__, "a value of a known kind");
}

void csv_encode_row(struct csv_buffer *buffer, const struct value *values, uint32_t present, uint32_t columns,
                    const uint8_t *types, enum csv_null null_token, struct str suffix, struct csv_notes *notes)
{
    static const struct value null_value = {.kind = VALUE_NULL};
    for (uint32_t i = 0; i < columns; i++) {
        if (i > 0) csv_append(buffer, STR(","));
        put_value(buffer, i < present ? &values[i] : &null_value, types[i], null_token, notes);
    }
    csv_append(buffer, suffix);
}

void csv_buffer_release(struct csv_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct csv_buffer){0};
}
