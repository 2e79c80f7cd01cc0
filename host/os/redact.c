/* redact: see redact.h. A reader gives the text's characters behind up to two layers of escapes, JSON outside, URL inside;
 * within one reading every escape means one thing, so nothing is tried twice. Base64 is compared bit by bit: a character at the
 * edge holds bits of its neighbours, and only the bits that are the secret's must agree. */
#include "os/redact.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

enum { END = -1 }; /* of the text, also in the middle of an escape */

struct reader {
    struct str text;
    size_t at;
    bool reads_json, reads_url;
    char pending[4]; /* the rest of a \u escape's UTF-8 */
    size_t pending_at, pending_size;
};

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum unicode_escape { ESCAPE_OK, ESCAPE_CUT, ESCAPE_NONE };

/* "\u12ab" at `at`. */
static enum unicode_escape read_unicode(struct str text, size_t at, uint32_t *code)
{
    *code = 0;
    for (size_t i = 0; i < 6; i++) {
        if (at + i >= text.size) return ESCAPE_CUT;
        char c = text.data[at + i];
        if (i >= 2 && hex_digit(c) < 0) return ESCAPE_NONE;
        if (i < 2 && c != "\\u"[i]) return ESCAPE_NONE;
        if (i >= 2) *code = *code << 4 | (uint32_t)hex_digit(c);
    }
    return ESCAPE_OK;
}

/* The character behind a backslash at reader->at. What is no escape of JSON is a backslash. */
static int next_escaped(struct reader *reader)
{
    static const char NAMES[] = "\"\\/bfnrt", MEANINGS[] = "\"\\/\b\f\n\r\t";
    struct str text = reader->text;
    if (reader->at + 1 >= text.size) return END;
    char name = text.data[reader->at + 1];
    const char *known = name ? strchr(NAMES, name) : NULL;
    if (known) {
        reader->at += 2;
        return (unsigned char)MEANINGS[known - NAMES];
    }
    uint32_t code, low;
    enum unicode_escape found = read_unicode(text, reader->at, &code);
    if (found == ESCAPE_CUT) return END;
    if (found == ESCAPE_NONE) {
        reader->at++;
        return '\\';
    }
    reader->at += 6;
    if (code >= 0xd800 && code < 0xdc00) {
        found = read_unicode(text, reader->at, &low);
        if (found == ESCAPE_CUT) return END;
        if (found == ESCAPE_OK && low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            reader->at += 6;
        }
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd; /* half a pair is no character */
    reader->pending_size = utf8_encode(code, reader->pending);
    reader->pending_at = 1;
    return (unsigned char)reader->pending[0];
}

static int next_json(struct reader *reader)
{
    if (reader->pending_at < reader->pending_size) return (unsigned char)reader->pending[reader->pending_at++];
    if (reader->at >= reader->text.size) return END;
    unsigned char c = (unsigned char)reader->text.data[reader->at];
    if (c == '\\' && reader->reads_json) return next_escaped(reader);
    reader->at++;
    return c;
}

static int next(struct reader *reader)
{
    int c = next_json(reader);
    if (c != '%' || !reader->reads_url) return c;
    struct reader behind = *reader;
    int high = next_json(&behind);
    int low = high == END ? END : next_json(&behind);
    if (low == END) return END;
    if (hex_digit(high) < 0 || hex_digit(low) < 0) return c;
    *reader = behind;
    return hex_digit(high) << 4 | hex_digit(low);
}

/* --- what is looked for ----------------------------------------------------------------------------------------------- */

/* A way to write a value as a row of characters. `fits`: may `c` be the one at `index`? */
struct spelling {
    size_t (*count)(struct str value, int alignment);
    bool (*fits)(struct str value, int alignment, size_t index, int c);
    int alignment;
    bool is_never_escaped;
};

static size_t plain_count(struct str value, int alignment)
{
    (void)alignment;
    return value.size;
}

static bool plain_fits(struct str value, int alignment, size_t index, int c)
{
    (void)alignment;
    return c == (unsigned char)value.data[index];
}

static size_t hex_count(struct str value, int alignment)
{
    (void)alignment;
    return value.size * 2;
}

static bool hex_fits(struct str value, int alignment, size_t index, int c)
{
    (void)alignment;
    unsigned char byte = (unsigned char)value.data[index / 2];
    return hex_digit(c) == (index % 2 ? byte & 15 : byte >> 4);
}

/* The value begins `alignment` bytes behind a group's start; the first character that holds bits of it comes first. */
static size_t base64_first(int alignment)
{
    return (size_t)alignment * 8 / 6;
}

static size_t base64_count(struct str value, int alignment)
{
    return ((size_t)alignment * 8 + value.size * 8 - 1) / 6 - base64_first(alignment) + 1;
}

static int base64_digit(int c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

static bool base64_fits(struct str value, int alignment, size_t index, int c)
{
    int digit = base64_digit(c);
    if (digit < 0) return false;
    for (size_t i = 0; i < 6; i++) {
        size_t bit = (base64_first(alignment) + index) * 6 + i; /* from the group's start */
        size_t before = (size_t)alignment * 8;
        if (bit < before || bit >= before + value.size * 8) continue; /* a neighbour's */
        bit -= before;
        int expected = (unsigned char)value.data[bit / 8] >> (7 - bit % 8) & 1;
        if ((digit >> (5 - i) & 1) != expected) return false;
    }
    return true;
}

static const struct spelling SPELLINGS[] = {
    {plain_count, plain_fits, 0, false},   {hex_count, hex_fits, 0, true},        {base64_count, base64_fits, 0, false},
    {base64_count, base64_fits, 1, false}, {base64_count, base64_fits, 2, false},
};

static size_t match_spelling(const struct spelling *spelling, struct str value, struct reader reader)
{
    const size_t at = reader.at, count = spelling->count(value, spelling->alignment);
    size_t half = value.size / 2;
    size_t enough_bytes = half < REDACT_BYTES_MIN ? REDACT_BYTES_MIN : half > 8 ? 8 : half;
    for (size_t i = 0; i < count; i++) {
        int c = next(&reader);
        if (c == END) return i * value.size >= enough_bytes * count ? reader.text.size : at;
        bool is_space = c == '+' && reader.reads_url && spelling->fits(value, spelling->alignment, i, ' ');
        if (!is_space && !spelling->fits(value, spelling->alignment, i, c)) return at;
    }
    return reader.at;
}

/* '%' and '+' may themselves be written as JSON escapes, which begin with the third. */
static bool has_url_escapes(struct str text)
{
    return memchr(text.data, '%', text.size) || memchr(text.data, '+', text.size) || memmem(text.data, text.size, "\\u002", 5);
}

struct redact_text redact_text(struct str text)
{
    return (struct redact_text){
        .text = text,
        .has_json_escapes = text.size && memchr(text.data, '\\', text.size),
        .has_url_escapes = text.size && has_url_escapes(text),
    };
}

size_t redact_match(const struct redact_value *wanted, const struct redact_text *text, size_t at)
{
    size_t end = at;
    const unsigned possible = wanted->spellings[(unsigned char)text->text.data[at]];
    for (size_t i = 0; possible >> i; i++) {
        if (!(possible >> i & 1)) continue;
        int layers = SPELLINGS[i].is_never_escaped ? 1 : 4;
        for (int layer = 0; layer < layers; layer++) {
            bool reads_json = layer & 1, reads_url = layer & 2;
            if ((reads_json && !text->has_json_escapes) || (reads_url && !text->has_url_escapes)) continue;
            struct reader reader = {.text = text->text, .at = at, .reads_json = reads_json, .reads_url = reads_url};
            size_t found = match_spelling(&SPELLINGS[i], wanted->value, reader);
            if (found > end) end = found;
        }
    }
    return end;
}

void redact_value_init(struct redact_value *wanted, struct str value)
{
    *wanted = (struct redact_value){.value = value};
    for (size_t i = 0; i < ARRAY_SIZE(SPELLINGS); i++) {
        const struct spelling *spelling = &SPELLINGS[i];
        for (int c = 0; c < 256; c++) {
            bool is_escape = !spelling->is_never_escaped && (c == '%' || c == '\\' || (c == '+' && value.data[0] == ' '));
            if (is_escape || spelling->fits(value, spelling->alignment, 0, c))
                wanted->spellings[c] = (unsigned char)(wanted->spellings[c] | 1u << i);
        }
    }
}
