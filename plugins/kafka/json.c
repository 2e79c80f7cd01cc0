/* json: one pass, no recursion: whether each open bracket is one of an object is a bit of a small stack. */
#include "kafka/json.h"

#include <stdint.h>
#include <string.h>

struct scan {
    const unsigned char *at, *end;
    const char *flaw;
};

/* --- UTF-8 ------------------------------------------------------------------------------------------------------------ */

/* The bytes of the character at `at`, which is not ASCII; 0: it is none. The table 3-7 of Unicode: nothing overlong, no
 * surrogates, nothing past U+10FFFF. */
static size_t character(const unsigned char *at, const unsigned char *end)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t more = at[0] >= 0xc2 && at[0] <= 0xdf ? 1 : (at[0] & 0xf0) == 0xe0 ? 2 : at[0] >= 0xf0 && at[0] <= 0xf4 ? 3 : 0;
    if (more == 0 || (size_t)(end - at) <= more) return 0;
    if (at[0] == 0xe0) low = 0xa0;
    if (at[0] == 0xed) high = 0x9f;
    if (at[0] == 0xf0) low = 0x90;
    if (at[0] == 0xf4) high = 0x8f;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i <= more; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return more + 1;
}

bool utf8_is_valid(const char *data, size_t size)
{
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
        } else if (*at < 0x80) {
            at++;
        } else {
            size_t length = character(at, end);
            if (length == 0) return false;
            at += length;
        }
    }
    return true;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------- */

static bool fails(struct scan *scan, const char *flaw)
{
    scan->flaw = flaw;
    return false;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* What ends a run of plain characters in a string. */
static bool is_special(unsigned char c)
{
    return c == '"' || c == '\\' || c < 0x20 || c >= 0x80;
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool skip_escape(struct scan *scan)
{
    if (scan->end - scan->at < 2) return fails(scan, "a string of the JSON does not end");
    unsigned char kind = scan->at[1];
    scan->at += 2;
    if (kind != 'u') return (kind != 0 && strchr("\"\\/bfnrt", kind)) || fails(scan, "the JSON has an unknown escape");
    for (int i = 0; i < 4; i++, scan->at++)
        if (scan->at >= scan->end || !is_hex(*scan->at)) return fails(scan, "the JSON has a broken \\u escape");
    return true;
}

static bool skip_string(struct scan *scan)
{
    for (scan->at++; scan->at < scan->end;) {
        if (!is_special(*scan->at)) {
            scan->at++;
        } else if (*scan->at == '"') {
            scan->at++;
            return true;
        } else if (*scan->at == '\\') {
            if (!skip_escape(scan)) return false;
        } else {
            size_t length = *scan->at >= 0x80 ? character(scan->at, scan->end) : 0;
            if (length == 0)
                return fails(scan, *scan->at >= 0x80 ? "it is not UTF-8" : "the JSON has a control character in a string");
            scan->at += length;
        }
    }
    return fails(scan, "a string of the JSON does not end");
}

static bool skip_digits(struct scan *scan)
{
    const unsigned char *begin = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') scan->at++;
    return scan->at > begin || fails(scan, "the JSON has a broken number");
}

static bool skip_number(struct scan *scan)
{
    if (*scan->at == '-') scan->at++;
    const unsigned char *first = scan->at;
    if (!skip_digits(scan)) return false;
    if (*first == '0' && scan->at - first > 1) return fails(scan, "the JSON has a number that begins with 0");
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!skip_digits(scan)) return false;
    }
    if (scan->at < scan->end && (*scan->at | 0x20) == 'e') {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-')) scan->at++;
        if (!skip_digits(scan)) return false;
    }
    return true;
}

static bool skip_word(struct scan *scan, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0) return fails(scan, "it is not JSON");
    scan->at += size;
    return true;
}

/* A value that is no container. */
static bool skip_scalar(struct scan *scan)
{
    switch (*scan->at) {
    case '"':
        return skip_string(scan);
    case 't':
        return skip_word(scan, "true");
    case 'f':
        return skip_word(scan, "false");
    case 'n':
        return skip_word(scan, "null");
    default:
        if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9')) return skip_number(scan);
        return fails(scan, "it is not JSON");
    }
}

/* A member's name and its colon. */
static bool skip_name(struct scan *scan)
{
    skip_space(scan);
    if (scan->at >= scan->end || *scan->at != '"') return fails(scan, "the JSON has an object with a broken name");
    if (!skip_string(scan)) return false;
    skip_space(scan);
    if (scan->at >= scan->end || *scan->at != ':') return fails(scan, "the JSON has a name without a colon");
    scan->at++;
    return true;
}

/* One value, with all that is in it. */
static bool skip_value(struct scan *scan)
{
    bool is_object[JSON_MAX_DEPTH];
    size_t depth = 0;
    for (;;) {
        skip_space(scan);
        if (scan->at >= scan->end) return fails(scan, depth ? "the JSON ends too soon" : "it is empty");
        if (*scan->at == '{' || *scan->at == '[') {
            unsigned char close = *scan->at == '{' ? '}' : ']';
            if (depth == JSON_MAX_DEPTH) return fails(scan, "the JSON is nested too deeply");
            is_object[depth++] = close == '}';
            scan->at++;
            skip_space(scan);
            bool is_empty = scan->at < scan->end && *scan->at == close;
            if (!is_empty && is_object[depth - 1] && !skip_name(scan)) return false;
            if (!is_empty) continue;
        } else if (!skip_scalar(scan)) {
            return false;
        }
        /* a value has ended, or one can: after `{` and `[` that are empty */
        for (;;) {
            if (depth == 0) return true;
            skip_space(scan);
            if (scan->at >= scan->end) return fails(scan, "the JSON ends too soon");
            if (*scan->at != (is_object[depth - 1] ? '}' : ']')) break;
            depth--;
            scan->at++;
        }
        if (*scan->at != ',') return fails(scan, "the JSON lacks a comma");
        scan->at++;
        if (is_object[depth - 1] && !skip_name(scan)) return false;
    }
}

const char *json_flaw(const char *data, size_t size)
{
    struct scan scan = {(const unsigned char *)data, (const unsigned char *)data + size, NULL};
    if (!skip_value(&scan)) return scan.flaw;
    skip_space(&scan);
    return scan.at == scan.end ? NULL : "something follows the JSON";
}

/* --- what is in it ---------------------------------------------------------------------------------------------------- */

bool json_next(const char *data, size_t size, size_t *at, struct json_member *member)
{
    struct scan scan = {(const unsigned char *)data + *at, (const unsigned char *)data + size, NULL};
    skip_space(&scan);
    if (scan.at >= scan.end || *scan.at != (*at ? ',' : '{')) return false; /* no object, or its end */
    scan.at++;
    skip_space(&scan);
    const unsigned char *name = scan.at + 1;
    if (scan.at >= scan.end || *scan.at != '"' || !skip_string(&scan)) return false;
    member->name = (const char *)name;
    member->name_size = (size_t)(scan.at - 1 - name);
    skip_space(&scan);
    if (scan.at >= scan.end || *scan.at++ != ':') return false;
    skip_space(&scan);
    const unsigned char *value = scan.at;
    if (!skip_value(&scan)) return false;
    member->value = (const char *)value;
    member->value_size = (size_t)(scan.at - value);
    *at = (size_t)((const char *)scan.at - data);
    return true;
}

static unsigned four_digits(const char *at)
{
    unsigned number = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        number = number << 4 | (c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u);
    }
    return number;
}

static size_t put_character(unsigned code, char *out)
{
    if (code < 0x80) return out[0] = (char)code, 1;
    if (code < 0x800) return out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 0x3f)), 2;
    size_t size = code < 0x10000 ? 3 : 4;
    out[0] = (char)((size == 3 ? 0xe0 : 0xf0) | code >> (6 * (size - 1)));
    for (size_t i = 1; i < size; i++) out[i] = (char)(0x80 | (code >> (6 * (size - 1 - i)) & 0x3f));
    return size;
}

/* The character of the \u escape at `at`, two of them where they are a pair; *used: its bytes. */
static unsigned escaped_character(const char *at, size_t left, size_t *used)
{
    unsigned high = four_digits(at + 2), low;
    *used = 6;
    if (high < 0xd800 || high > 0xdfff) return high;
    bool is_pair = high < 0xdc00 && left >= 12 && at[6] == '\\' && at[7] == 'u';
    if (!is_pair || (low = four_digits(at + 8)) < 0xdc00 || low > 0xdfff) return 0xfffd;
    *used = 12;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

size_t json_unescape(const char *data, size_t size, char *out)
{
    static const char NAMES[] = "bfnrt", CHARACTERS[] = "\b\f\n\r\t";
    size_t written = 0;
    for (size_t i = 0, used; i < size; i += used) {
        used = 2;
        if (data[i] != '\\') {
            used = 1;
            out[written++] = data[i];
        } else if (data[i + 1] == 'u') {
            unsigned code = escaped_character(data + i, size - i, &used);
            written += put_character(code, out + written);
        } else {
            const char *name = strchr(NAMES, data[i + 1]);
            out[written++] = name ? CHARACTERS[name - NAMES] : data[i + 1];
        }
    }
    return written;
}
