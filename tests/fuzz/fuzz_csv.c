/* csv: rows written as CSV and read by the rules of RFC 4180 give the values that went in, whatever is in them. Input: one
 * value a line, its type by the line's first byte. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/jsonscan.h"
#include "base/number.h"
#include "base/time.h"
#include "writer/csv/encode.h"

enum { VALUES_MAX = 64 };

/* The next field of a line; *quoted says whether it had quotes. False behind the line's end. */
static bool read_field(struct str *rest, struct buf *out, bool *quoted)
{
    buf_clear(out);
    *quoted = rest->size > 0 && rest->data[0] == '"';
    size_t at = *quoted;
    while (at < rest->size) {
        char c = rest->data[at];
        if (*quoted && c == '"') {
            if (at + 1 < rest->size && rest->data[at + 1] == '"')
                at++;
            else
                break;
        } else if (!*quoted && (c == ',' || c == '\n')) {
            break;
        }
        buf_append_char(out, c);
        at++;
    }
    at += *quoted;
    CHECK(at < rest->size && (rest->data[at] == ',' || rest->data[at] == '\n'));
    bool is_last = rest->data[at] == '\n';
    rest->data += at + 1;
    rest->size -= at + 1;
    return !is_last;
}

/* JSON without the white space between its tokens. */
static void compact(struct str json, struct buf *out)
{
    bool in_string = false;
    for (size_t i = 0; i < json.size; i++) {
        char c = json.data[i];
        if (!in_string && memchr(" \t\r\n", c, 4)) continue;
        buf_append_char(out, c);
        if (c == '"') in_string = !in_string;
        if (c == '\\' && in_string) buf_append_char(out, json.data[++i]);
    }
}

static bool make_json(struct str text, struct value *value)
{
    char *padded = fuzz_padded(text, JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value json;
    jsonscan_init(&scan, padded, text.size);
    bool good = jsonscan_value(&scan, &json) && jsonscan_finish(&scan) && !(json.flags & JSON_DIRTY) && json.kind != JSON_NULL;
    free(padded);
    *value = (struct value){.kind = VALUE_JSON, .size = (uint32_t)text.size, .data = text.data};
    return good && !str_starts(text, STR("\xef\xbb\xbf"));
}

static bool make_value(struct str line, struct value *value, uint8_t *type)
{
    char first = line.size ? line.data[0] : 'n';
    struct str text = {line.data + 1, line.size ? line.size - 1 : 0};
    int64_t number;
    double real;
    switch (first) {
    case 'n':
        *value = (struct value){.kind = VALUE_NULL};
        return true;
    case 'm':
        *value = (struct value){.kind = VALUE_MISSING};
        return true;
    case 'i':
        *type = TYPE_INTEGER;
        *value = (struct value){.kind = VALUE_INTEGER};
        return number_to_int64(text, &value->i);
    case 'b':
        *type = TYPE_BOOLEAN;
        *value = (struct value){.kind = VALUE_BOOLEAN, .i = text.size % 2};
        return true;
    case 'f':
        *type = TYPE_FLOAT;
        if (!number_to_double(text, &real)) return false;
        *value = (struct value){.kind = VALUE_FLOAT, .f = real};
        return true;
    case 'd':
        *type = TYPE_DECIMAL;
        *value = (struct value){.kind = VALUE_DECIMAL, .size = (uint32_t)text.size, .data = text.data};
        return number_is_json(text);
    case 't':
    case 'w':
        *type = first == 't' ? TYPE_TIMESTAMP : TYPE_TIMESTAMP_NTZ;
        *value = (struct value){.kind = VALUE_TIMESTAMP};
        if (!number_to_int64(text, &number) || !time_in_range(number)) return false;
        value->i = number;
        return true;
    case 'x':
        *type = TYPE_BINARY;
        *value = (struct value){.kind = VALUE_BINARY, .size = (uint32_t)text.size, .data = text.data};
        return true;
    case 'j':
        *type = TYPE_JSON;
        return make_json(text, value);
    default:
        *value = (struct value){.kind = VALUE_STRING, .size = (uint32_t)text.size, .data = text.data};
        return fuzz_is_utf8(text, true);
    }
}

static void check_decimal(struct str written, struct str sent)
{
    CHECK(number_is_json(written) && number_compare(written, sent) == 0);
    if (sent.size < 10)
        CHECK(str_equal(written, sent) || memchr(sent.data, 'e', sent.size) || memchr(sent.data, 'E', sent.size));
}

static void check_field(const struct value *value, enum type type, struct str field, bool quoted, enum csv_null null_token)
{
    struct buf expected = BUF_INIT(16 << 20);
    struct str token = null_token == CSV_NULL_EMPTY ? STR("") : STR("\\N");
    int64_t instant_us;
    enum time_zone_mark mark;
    switch ((enum value_kind)value->kind) {
    case VALUE_MISSING: /* has no spelling; the notes say so */
        CHECK(!quoted && field.size == 0);
        break;
    case VALUE_NULL:
        CHECK(!quoted && str_equal(field, token));
        break;
    case VALUE_DECIMAL:
        check_decimal(field, value_str(value));
        break;
    case VALUE_TIMESTAMP:
        CHECK(time_parse_iso(field, &instant_us, &mark) && instant_us == value->i);
        CHECK(mark == (type == TYPE_TIMESTAMP ? TIME_ZONE_OFFSET : TIME_ZONE_NONE));
        break;
    case VALUE_BINARY:
        for (size_t i = 0; i < value->size; i++) buf_printf(&expected, "%02x", (unsigned char)value->data[i]);
        CHECK(str_equal_nocase(field, buf_str(&expected)));
        break;
    case VALUE_JSON:
        compact(value_str(value), &expected);
        CHECK(str_equal(field, buf_str(&expected)));
        break;
    default:
        value_to_text(value, type, &expected);
        if (value->kind == VALUE_STRING && null_token != CSV_NULL_EMPTY && str_equal(buf_str(&expected), token))
            break; /* repaired */
        CHECK(str_equal(field, buf_str(&expected)));
        break;
    }
    if (value->kind != VALUE_NULL && value->kind != VALUE_MISSING) CHECK(quoted || field.size > 0);
    buf_release(&expected);
}

void fuzz(struct str input)
{
    struct value values[VALUES_MAX];
    uint8_t types[VALUES_MAX];
    struct str line;
    uint32_t count = 0;
    while (count < VALUES_MAX && str_next(&input, '\n', &line)) {
        types[count] = TYPE_STRING;
        if (make_value(line, &values[count], &types[count])) count++;
    }
    for (int token = CSV_NULL_EMPTY; token <= CSV_NULL_BACKSLASH_N; token++) {
        struct csv_buffer lines = {0};
        struct csv_notes notes = {0};
        struct buf field = BUF_INIT(16 << 20);
        bool quoted, is_more = true;
        csv_encode_row(&lines, values, count, count, types, (enum csv_null)token, STR(",\"end\"\n"), &notes);
        struct str rest = {lines.data, lines.size};
        for (uint32_t i = 0; i < count; i++) {
            is_more = read_field(&rest, &field, &quoted);
            CHECK(is_more);
            check_field(&values[i], (enum type)types[i], buf_str(&field), quoted, (enum csv_null)token);
        }
        if (count > 0) CHECK(!read_field(&rest, &field, &quoted) && str_equal(buf_str(&field), STR("end")) && rest.size == 0);
        buf_release(&field);
        csv_buffer_release(&lines);
    }
}
