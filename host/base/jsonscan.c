/* jsonscan: see jsonscan.h. The cursor and the strict reader of values; jsonscan_text.c decodes, jsonscan_survey.c finds paths.
 *
 * One pass, token by token, sixteen bytes at a time where a token is long (strings, white space). Bytes behind the end may be
 * looked at (the padding) but are never taken: every token is checked to end inside. Nested containers are skipped without
 * recursion: what is open is one bit a level, object or array. UTF-8 is checked only of strings that hold a byte that is not
 * ASCII. */
#include "base/jsonscan.h"

#include "base/lanes.h"
#include "base/utf8.h"

enum {
    NUMERIC_MAX_BEFORE = 131072, /* PostgreSQL's numeric: digits before the decimal point */
    NUMERIC_MAX_BEHIND = 16383,
    EXPONENT_CAP = 10000000, /* reading an exponent stops growing here: far past the limits, far from overflow */
};

static const char UNEXPECTED_END[] = "unexpected end";

static bool fail(struct jsonscan *scan, const char *at, const char *error)
{
    scan->at = at < scan->end ? at : scan->end;
    scan->error = at < scan->end ? error : UNEXPECTED_END;
    return false;
}

static const char *skip_space_run(const char *at, const char *end)
{
    while (at < end) {
        uint32_t other = ~lanes_space16(at) & 0xffff;
        if (other) {
            at += __builtin_ctz(other);
            break;
        }
        at += 16;
    }
    return at < end ? at : end;
}

/* At most `end`; a byte above ' ' is no space, and below it only the four are. */
static inline const char *skip_space(const char *at, const char *end)
{
    if (LIKELY((unsigned char)*at > ' ')) return at;
    if ((unsigned char)at[1] > ' ' && *at == ' ') return at + 1 < end ? at + 1 : end;
    return skip_space_run(at, end);
}

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static int hex_digit(char c)
{
    if (is_digit(c)) return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Four hex digits at `at` -> the code unit; -1 when they are not. Reads four bytes. */
static int hex_unit(const char *at)
{
    int unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Checks the escape at `at` (a backslash); returns the place behind it, NULL after a failure. A surrogate pair is one escape.
 */
static const char *skip_escape(struct jsonscan *scan, const char *at, unsigned *flags)
{
    *flags |= JSON_ESCAPED;
    if (scan->end - at < 2) return fail(scan, scan->end, UNEXPECTED_END), NULL;
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        break;
    default:
        return fail(scan, at, "unknown escape in a string"), NULL;
    }
    if (scan->end - at < 6) return fail(scan, scan->end, UNEXPECTED_END), NULL;
    int unit = hex_unit(at + 2);
    if (unit < 0) return fail(scan, at, "\\u without four hex digits"), NULL;
    at += 6;
    if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff)) *flags |= JSON_DIRTY;
    if (unit < 0xd800 || unit > 0xdbff) return at;
    int low = scan->end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex_unit(at + 2) : -1;
    if (low >= 0xdc00 && low <= 0xdfff) return at + 6;
    *flags |= JSON_DIRTY;
    return at;
}

/* `at` is behind the opening quote. Returns the place of the closing one; NULL after a failure. Adds to *flags. */
static const char *skip_string(struct jsonscan *scan, const char *at, unsigned *flags)
{
    const char *start = at, *end = scan->end;
    uint32_t high = 0;
    while (at < end) {
        struct lanes_string lanes = lanes_string16(at);
        if (!lanes.stop) {
            high |= lanes.high;
            at += 16;
            continue;
        }
        unsigned before = (unsigned)__builtin_ctz(lanes.stop);
        high |= lanes.high & ((1U << before) - 1);
        at += before;
        if (at >= end) break;
        if (*at == '"') {
            if (high && utf8_valid_prefix((struct str){start, (size_t)(at - start)}) != (size_t)(at - start))
                *flags |= JSON_DIRTY;
            return at;
        }
        if (*at == '\\') {
            at = skip_escape(scan, at, flags);
            if (!at) return NULL;
        } else if (*at == '\0') {
            *flags |= JSON_DIRTY;
            at++;
        } else {
            return fail(scan, at, "control character in a string"), NULL;
        }
    }
    return fail(scan, end, UNEXPECTED_END), NULL;
}

/* The common string, of under sixteen bytes without anything special, without a call. */
static inline const char *skip_string_inline(struct jsonscan *scan, const char *at, unsigned *flags)
{
    struct lanes_string lanes = lanes_string16(at);
    if (LIKELY(lanes.stop)) {
        unsigned before = (unsigned)__builtin_ctz(lanes.stop);
        const char *stop = at + before;
        if (LIKELY(*stop == '"' && stop < scan->end && !(lanes.high & ((1U << before) - 1)))) return stop;
    }
    return skip_string(scan, at, flags);
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) at++;
    return at;
}

/* Would PostgreSQL's numeric take it? Counts places, whatever the digits are. */
static bool numeric_holds(size_t before, size_t behind, const char *exponent, const char *end)
{
    int64_t shift = 0;
    bool negative = false;
    if (exponent < end) {
        const char *at = exponent + 1;
        negative = *at == '-';
        if (!is_digit(*at)) at++;
        for (; at < end && shift < EXPONENT_CAP; at++) shift = shift * 10 + (*at - '0');
    }
    if (negative) shift = -shift;
    return (int64_t)before + shift <= NUMERIC_MAX_BEFORE && (int64_t)behind - shift <= NUMERIC_MAX_BEHIND;
}

/* Returns the place behind the number; NULL after a failure. */
static const char *skip_number(struct jsonscan *scan, const char *at, unsigned *flags)
{
    const char *start = at, *end = scan->end, *point;
    if (*at == '-') at++;
    if (at >= end || !is_digit(*at)) return fail(scan, at, "'-' without a digit"), NULL;
    const char *digits = at;
    at = *at == '0' ? at + 1 : skip_digits(at + 1, end);
    point = at;
    if (at < end && *at == '.') {
        *flags |= JSON_FRACTION;
        at = skip_digits(at + 1, end);
        if (at == point + 1) return fail(scan, at, "'.' without a digit behind it"), NULL;
    }
    const char *exponent = at;
    if (at < end && (*at | 0x20) == 'e') {
        *flags |= JSON_FRACTION;
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        const char *first = at;
        at = skip_digits(at, end);
        if (at == first) return fail(scan, at, "exponent without a digit"), NULL;
    }
    if (UNLIKELY(exponent != at || at - start > NUMERIC_MAX_BEHIND)) {
        size_t behind = exponent > point ? (size_t)(exponent - point) - 1 : 0;
        if (!numeric_holds((size_t)(point - digits), behind, exponent, at)) *flags |= JSON_DIRTY;
    }
    return at;
}

/* "true", "false", "null" at `at`; returns the place behind it, NULL after a failure. */
static const char *skip_literal(struct jsonscan *scan, const char *at, const char *word, size_t size)
{
    size_t left = (size_t)(scan->end - at);
    size_t same = 0;
    while (same < size && same < left && at[same] == word[same]) same++;
    if (same == size) return at + size;
    return fail(scan, same == left ? scan->end : at, "unexpected character"), NULL;
}

/* The scalar at `at`; returns the place behind it (of a string: behind its closing quote), NULL after a failure. */
static inline const char *skip_scalar(struct jsonscan *scan, const char *at, uint8_t *kind, unsigned *flags)
{
    switch (*at) {
    case '"':
        *kind = JSON_STRING;
        at = skip_string_inline(scan, at + 1, flags);
        return at ? at + 1 : NULL;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *kind = JSON_NUMBER;
        return skip_number(scan, at, flags);
    case 't':
        *kind = JSON_TRUE;
        return skip_literal(scan, at, "true", 4);
    case 'f':
        *kind = JSON_FALSE;
        return skip_literal(scan, at, "false", 5);
    case 'n':
        *kind = JSON_NULL;
        return skip_literal(scan, at, "null", 4);
    default:
        return fail(scan, at, "unexpected character"), NULL;
    }
}

/* The container at `at`, checked in full; returns the place behind it, NULL after a failure. */
static const char *skip_container(struct jsonscan *scan, const char *at, unsigned *flags)
{
    uint64_t objects[JSONSCAN_MAX_DEPTH / 64] = {0}; /* bit set: the level is an object */
    const char *end = scan->end;
    size_t room = JSONSCAN_MAX_DEPTH - scan->depth, depth = 0;
    bool in_object = false;
    uint8_t kind;

value:
    if (UNLIKELY(at >= end)) return fail(scan, end, UNEXPECTED_END), NULL;
    if (*at == '{' || *at == '[') {
        if (depth == room) return fail(scan, at, JSONSCAN_TOO_DEEP), NULL;
        in_object = *at == '{';
        uint64_t bit = UINT64_C(1) << (depth & 63);
        if (in_object)
            objects[depth >> 6] |= bit;
        else
            objects[depth >> 6] &= ~bit;
        depth++;
        at = skip_space(at + 1, end);
        if (at < end && *at == (in_object ? '}' : ']')) goto close;
        if (!in_object) goto value;
        goto key;
    }
    unsigned found = 0;
    at = skip_scalar(scan, at, &kind, &found);
    if (!at) return NULL;
    *flags |= found & (JSON_ESCAPED | JSON_DIRTY);

behind:
    at = skip_space(at, end);
    if (UNLIKELY(at >= end)) return fail(scan, end, UNEXPECTED_END), NULL;
    if (*at == ',') {
        at = skip_space(at + 1, end);
        if (!in_object) goto value;
        goto key;
    }
    if (UNLIKELY(*at != (in_object ? '}' : ']')))
        return fail(scan, at, in_object ? "expected ',' or '}'" : "expected ',' or ']'"), NULL;

close:
    at++;
    depth--;
    if (depth == 0) return at;
    in_object = objects[(depth - 1) >> 6] >> ((depth - 1) & 63) & 1;
    goto behind;

key:
    if (UNLIKELY(at >= end || *at != '"')) return fail(scan, at, "expected a key"), NULL;
    at = skip_string_inline(scan, at + 1, flags);
    if (!at) return NULL;
    at = skip_space(at + 1, end);
    if (UNLIKELY(at >= end || *at != ':')) return fail(scan, at, "expected ':'"), NULL;
    at = skip_space(at + 1, end);
    goto value;
}

void jsonscan_init(struct jsonscan *scan, const char *text, size_t size)
{
    *scan = (struct jsonscan){.text = text, .at = text, .end = text + size};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) scan->at += 3;
}

static bool enter(struct jsonscan *scan, char bracket, const char *expected)
{
    if (scan->error) return false;
    const char *at = skip_space(scan->at, scan->end);
    if (at >= scan->end || *at != bracket) return fail(scan, at, expected);
    if (scan->depth == JSONSCAN_MAX_DEPTH) return fail(scan, at, JSONSCAN_TOO_DEEP);
    scan->depth++;
    scan->first = true;
    scan->at = at + 1;
    return true;
}

bool jsonscan_enter_object(struct jsonscan *scan)
{
    return enter(scan, '{', "expected '{'");
}

bool jsonscan_enter_array(struct jsonscan *scan)
{
    return enter(scan, '[', "expected '['");
}

static bool leave(struct jsonscan *scan, const char *at)
{
    scan->at = at + 1;
    scan->depth--;
    scan->first = false;
    return false;
}

bool jsonscan_next_key(struct jsonscan *scan, struct json_value *key)
{
    if (UNLIKELY(scan->error)) return false;
    const char *end = scan->end, *at = skip_space(scan->at, end);
    if (UNLIKELY(at >= end)) return fail(scan, end, UNEXPECTED_END);
    if (*at == '}') return leave(scan, at);
    if (!scan->first) {
        if (UNLIKELY(*at != ',')) return fail(scan, at, "expected ',' or '}'");
        at = skip_space(at + 1, end);
    }
    scan->first = false;
    if (UNLIKELY(at >= end || *at != '"')) return fail(scan, at, "expected a key");
    const char *start = at + 1;
    unsigned flags = 0;
    at = skip_string_inline(scan, start, &flags);
    if (UNLIKELY(!at)) return false;
    *key = (struct json_value){JSON_STRING, (uint8_t)flags, {start, (size_t)(at - start)}};
    at = skip_space(at + 1, end);
    if (UNLIKELY(at >= end || *at != ':')) return fail(scan, at, "expected ':'");
    scan->at = at + 1;
    return true;
}

bool jsonscan_expect_key(struct jsonscan *scan, struct str quoted)
{
    const char *at = scan->at;
    if (UNLIKELY(scan->error)) return false;
    if (!scan->first) {
        if (at >= scan->end || *at != ',') return false;
        at++;
    }
    if ((size_t)(scan->end - at) < quoted.size || memcmp(at, quoted.data, quoted.size) != 0) return false;
    scan->first = false;
    scan->at = at + quoted.size;
    return true;
}

bool jsonscan_next_element(struct jsonscan *scan)
{
    if (UNLIKELY(scan->error)) return false;
    const char *end = scan->end, *at = skip_space(scan->at, end);
    if (UNLIKELY(at >= end)) return fail(scan, end, UNEXPECTED_END);
    if (scan->first) {
        if (*at == ']') return leave(scan, at);
        scan->first = false;
        scan->at = at;
        return true;
    }
    if (*at == ']') return leave(scan, at);
    if (UNLIKELY(*at != ',')) return fail(scan, at, "expected ',' or ']'");
    scan->at = at + 1;
    return true;
}

bool jsonscan_value(struct jsonscan *scan, struct json_value *value)
{
    if (UNLIKELY(scan->error)) return false;
    const char *at = skip_space(scan->at, scan->end), *behind;
    if (UNLIKELY(at >= scan->end)) return fail(scan, scan->end, UNEXPECTED_END);
    unsigned flags = 0;
    uint8_t kind;
    if (*at == '{' || *at == '[') {
        kind = *at == '{' ? JSON_OBJECT : JSON_ARRAY;
        behind = skip_container(scan, at, &flags);
    } else {
        behind = skip_scalar(scan, at, &kind, &flags);
    }
    if (UNLIKELY(!behind)) return false;
    scan->at = behind;
    scan->first = false;
    size_t quotes = kind == JSON_STRING;
    *value = (struct json_value){kind, (uint8_t)flags, {at + quotes, (size_t)(behind - at) - 2 * quotes}};
    return true;
}

int jsonscan_peek(struct jsonscan *scan)
{
    if (scan->error) return -1;
    const char *at = skip_space(scan->at, scan->end);
    if (at >= scan->end) return -1;
    switch (*at) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return *at == '-' || is_digit(*at) ? JSON_NUMBER : -1;
    }
}

bool jsonscan_finish(struct jsonscan *scan)
{
    if (scan->error) return false;
    const char *at = skip_space(scan->at, scan->end);
    if (scan->depth) return fail(scan, at, "a container is still open");
    if (at < scan->end) return fail(scan, at, "unexpected text behind the end");
    return true;
}

size_t jsonscan_offset(const struct jsonscan *scan)
{
    return (size_t)(scan->at - scan->text);
}

bool jsonscan_is_number(struct str text, uint8_t *flags)
{
    struct jsonscan scan = {.text = text.data, .at = text.data, .end = text.data + text.size};
    unsigned found = 0;
    if (text.size == 0 || skip_number(&scan, text.data, &found) != scan.end) return false;
    *flags = (uint8_t)found;
    return true;
}

const char *json_kind_name(uint8_t kind)
{
    static const char *const NAMES[] = {
        [JSON_NULL] = "null",       [JSON_FALSE] = "a boolean", [JSON_TRUE] = "a boolean",   [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",  [JSON_OBJECT] = "an object",
    };
    return kind < ARRAY_SIZE(NAMES) ? NAMES[kind] : "nothing";
}
