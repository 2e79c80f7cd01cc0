/* jsonscan_text: what the scanner found, as text one can use: strings without escapes, JSON that jsonb takes.
 *
 * Nothing is copied unless it must be. A copy is made in two runs of the same walk: the first only measures, so that the arena
 * gives exactly what is needed; the second writes. The walk trusts nothing it reads (what came from a loose survey may be
 * broken inside): it stays within the text whatever that holds. */
#include "base/jsonscan.h"

#include "base/utf8.h"

/* Where a walk writes; `out` NULL: it measures. */
struct sink {
    char *out;
    size_t size;
    uint64_t repaired;
};

static void put(struct sink *sink, const char *data, size_t size)
{
    if (sink->out) memcpy(sink->out + sink->size, data, size);
    sink->size += size;
}

static void put_replacement(struct sink *sink)
{
    put(sink, UTF8_REPLACEMENT, sizeof UTF8_REPLACEMENT - 1);
    sink->repaired++;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The code unit of a \uXXXX at `at`; -1 when there is none. */
static int unit_at(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
    int unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* An escape as a character: its bytes consumed, and the code; 0xFFFFFFFF for one that must be replaced. */
struct escape {
    size_t size;
    uint32_t code;
};

static const uint32_t REPLACE = UINT32_MAX;

static struct escape read_escape(const char *at, const char *end)
{
    if (end - at < 2) return (struct escape){1, REPLACE};
    switch (at[1]) {
    case 'b':
        return (struct escape){2, '\b'};
    case 'f':
        return (struct escape){2, '\f'};
    case 'n':
        return (struct escape){2, '\n'};
    case 'r':
        return (struct escape){2, '\r'};
    case 't':
        return (struct escape){2, '\t'};
    case '"':
    case '\\':
    case '/':
        return (struct escape){2, (unsigned char)at[1]};
    default:
        break;
    }
    int unit = unit_at(at, end);
    if (unit < 0) return (struct escape){1, REPLACE};
    if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return (struct escape){6, REPLACE};
    if (unit < 0xd800 || unit > 0xdbff) return (struct escape){6, (uint32_t)unit};
    int low = unit_at(at + 6, end);
    if (low < 0xdc00 || low > 0xdfff) return (struct escape){6, REPLACE};
    return (struct escape){12, 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00)};
}

/* The bytes from `at` up to the next backslash (or `end`), NUL and what is not UTF-8 replaced when `dirty`. */
static const char *put_plain(struct sink *sink, const char *at, const char *end, bool dirty)
{
    const char *backslash = memchr(at, '\\', (size_t)(end - at));
    const char *stop = backslash ? backslash : end;
    if (!dirty) {
        put(sink, at, (size_t)(stop - at));
        return stop;
    }
    while (at < stop) {
        const char *good = at + utf8_valid_prefix((struct str){at, (size_t)(stop - at)});
        for (const char *nul; (nul = memchr(at, '\0', (size_t)(good - at))) != NULL; at = nul + 1) {
            put(sink, at, (size_t)(nul - at));
            put_replacement(sink);
        }
        put(sink, at, (size_t)(good - at));
        at = good;
        if (at < stop) {
            put_replacement(sink);
            at++;
        }
    }
    return stop;
}

static void decode(struct sink *sink, struct str raw, bool dirty)
{
    const char *at = raw.data, *end = raw.data + raw.size;
    while (at < end) {
        at = put_plain(sink, at, end, dirty);
        if (at == end) break;
        struct escape escape = read_escape(at, end);
        at += escape.size;
        if (escape.code == REPLACE) {
            put_replacement(sink);
        } else {
            char bytes[4];
            put(sink, bytes, utf8_encode(escape.code, bytes));
        }
    }
}

/* A string's inside, still as JSON: escapes stay, bad pieces are replaced. */
static void clean_string(struct sink *sink, struct str raw)
{
    const char *at = raw.data, *end = raw.data + raw.size;
    while (at < end) {
        at = put_plain(sink, at, end, true);
        if (at == end) break;
        struct escape escape = read_escape(at, end);
        if (escape.code == REPLACE)
            put_replacement(sink);
        else
            put(sink, at, escape.size);
        at += escape.size;
    }
}

static const char *closing_quote(const char *at, const char *end)
{
    while (at < end && *at != '"') at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at;
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static void clean_number(struct sink *sink, struct str text)
{
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, text.data, text.size);
    if (jsonscan_value(&scan, &value) && !(value.flags & JSON_DIRTY)) {
        put(sink, text.data, text.size);
        return;
    }
    put(sink, "\"", 1);
    put(sink, text.data, text.size);
    put(sink, "\"", 1);
    sink->repaired++;
}

static void clean(struct sink *sink, struct str text)
{
    const char *at = text.data, *end = text.data + text.size;
    while (at < end) {
        const char *start = at;
        if (*at == '"') {
            const char *close = closing_quote(at + 1, end);
            put(sink, "\"", 1);
            clean_string(sink, (struct str){at + 1, (size_t)(close - at) - 1});
            put(sink, "\"", 1);
            at = close < end ? close + 1 : end;
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            while (at < end && is_number_byte(*at)) at++;
            clean_number(sink, (struct str){start, (size_t)(at - start)});
        } else {
            while (at < end && *at != '"' && *at != '-' && (*at < '0' || *at > '9')) at++;
            put(sink, start, (size_t)(at - start));
        }
    }
}

struct str jsonscan_text(const struct json_value *value, struct arena *arena, uint64_t *repaired)
{
    if (!(value->flags & (JSON_ESCAPED | JSON_DIRTY))) return value->raw;
    bool dirty = value->flags & JSON_DIRTY;
    size_t room = value->raw.size; /* decoding makes clean text shorter */
    if (dirty) {
        struct sink measure = {0};
        decode(&measure, value->raw, true);
        room = measure.size;
    }
    struct sink sink = {.out = arena_try(arena, room ? room : 1)};
    if (!sink.out) return (struct str){NULL, 1};
    decode(&sink, value->raw, dirty);
    if (repaired) *repaired += sink.repaired;
    return (struct str){sink.out, sink.size};
}

struct str jsonscan_clean(const struct json_value *value, struct arena *arena, uint64_t *repaired)
{
    struct str text = value->raw;
    if (value->kind == JSON_STRING) text = (struct str){text.data - 1, text.size + 2};
    if (!(value->flags & JSON_DIRTY)) return text;
    struct sink measure = {0};
    clean(&measure, text);
    struct sink sink = {.out = arena_try(arena, measure.size ? measure.size : 1)};
    if (!sink.out) return (struct str){NULL, 1};
    clean(&sink, text);
    if (repaired) *repaired += sink.repaired;
    return (struct str){sink.out, sink.size};
}
