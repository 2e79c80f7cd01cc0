/* jsonscan: accepts exactly what a slow reading of RFC 8259 (and the stated policies) accepts, whether it skips a container or
 * steps into it; gives the values cJSON gives; and what it cleans is clean. */
#include "fuzz.h"

#include <cjson/cJSON.h>

#include "base/jsonscan.h"
#include "base/number.h"

enum { CJSON_DEPTH = 900, CJSON_NUMBER = 60 }; /* what cJSON can take */

/* --- the grammar, one function per rule ------------------------------------------------------------------------------- */

struct slow {
    const unsigned char *at, *end;
};

static bool slow_value(struct slow *slow, size_t depth);

static void slow_space(struct slow *slow)
{
    while (slow->at < slow->end && memchr(" \t\r\n", *slow->at, 4)) slow->at++;
}

static bool slow_take(struct slow *slow, char wanted)
{
    if (slow->at == slow->end || *slow->at != (unsigned char)wanted) return false;
    slow->at++;
    return true;
}

static bool slow_word(struct slow *slow, const char *word)
{
    for (; *word; word++)
        if (!slow_take(slow, *word)) return false;
    return true;
}

static size_t slow_digits(struct slow *slow)
{
    const unsigned char *begin = slow->at;
    while (slow->at < slow->end && *slow->at >= '0' && *slow->at <= '9') slow->at++;
    return (size_t)(slow->at - begin);
}

static bool slow_number(struct slow *slow)
{
    (void)slow_take(slow, '-');
    if (!slow_take(slow, '0') && slow_digits(slow) == 0) return false;
    if (slow_take(slow, '.') && slow_digits(slow) == 0) return false;
    if (!slow_take(slow, 'e') && !slow_take(slow, 'E')) return true;
    if (!slow_take(slow, '+')) (void)slow_take(slow, '-');
    return slow_digits(slow) > 0;
}

static bool slow_string(struct slow *slow)
{
    if (!slow_take(slow, '"')) return false;
    while (slow->at < slow->end && *slow->at != '"') {
        unsigned char c = *slow->at++;
        if (c < ' ' && c != 0) return false; /* a raw NUL is repaired */
        if (c != '\\') continue;
        if (slow->at == slow->end) return false;
        c = *slow->at++;
        if (c != 'u' && !memchr("\"\\/bfnrt", c, 8)) return false;
        for (int i = 0; c == 'u' && i < 4; i++, slow->at++)
            if (slow->at == slow->end || !memchr("0123456789abcdefABCDEF", *slow->at, 22)) return false;
    }
    return slow_take(slow, '"');
}

static bool slow_container(struct slow *slow, char close, size_t depth)
{
    if (depth > JSONSCAN_MAX_DEPTH) return false;
    slow->at++;
    slow_space(slow);
    if (slow_take(slow, close)) return true;
    do {
        slow_space(slow);
        if (close == '}') {
            if (!slow_string(slow)) return false;
            slow_space(slow);
            if (!slow_take(slow, ':')) return false;
        }
        if (!slow_value(slow, depth)) return false;
        slow_space(slow);
    } while (slow_take(slow, ','));
    return slow_take(slow, close);
}

static bool slow_value(struct slow *slow, size_t depth)
{
    slow_space(slow);
    if (slow->at == slow->end) return false;
    switch (*slow->at) {
    case '{':
        return slow_container(slow, '}', depth + 1);
    case '[':
        return slow_container(slow, ']', depth + 1);
    case '"':
        return slow_string(slow);
    case 't':
        return slow_word(slow, "true");
    case 'f':
        return slow_word(slow, "false");
    case 'n':
        return slow_word(slow, "null");
    default:
        return slow_number(slow);
    }
}

static bool slow_accepts(struct str text)
{
    struct slow slow = {(const unsigned char *)text.data, (const unsigned char *)text.data + text.size};
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) slow.at += 3;
    if (!slow_value(&slow, 0)) return false;
    slow_space(&slow);
    return slow.at == slow.end;
}

/* --- values against cJSON's --------------------------------------------------------------------------------------------- */

struct walk {
    struct jsonscan *scan;
    struct arena arena;
    bool is_comparable; /* to cJSON: not too deep, no number too long for it */
};

/* A text is what cJSON says it is, unless it was repaired (cJSON lets bad bytes through and ends at a NUL). */
static void same_text(struct walk *walk, const struct json_value *value, const char *expected)
{
    uint64_t repaired = 0;
    struct str text = jsonscan_text(value, &walk->arena, &repaired);
    CHECK(fuzz_is_utf8(text, true));
    CHECK(!(value->flags & JSON_DIRTY) == !repaired);
    CHECK((value->flags & JSON_ESCAPED) || repaired || text.data == value->raw.data);
    if (expected && !repaired) CHECK(str_equal(text, str_from(expected)));
}

static void walk_scalar(struct walk *walk, int kind, const cJSON *other)
{
    struct json_value value;
    uint8_t flags;
    double number;
    if (!jsonscan_value(walk->scan, &value)) return;
    CHECK(value.kind == kind);
    if (kind == JSON_STRING) same_text(walk, &value, other ? other->valuestring : NULL);
    if (kind != JSON_NUMBER) return;
    CHECK(jsonscan_is_number(value.raw, &flags) && flags == value.flags);
    CHECK(!!(flags & JSON_FRACTION) ==
          (memchr(value.raw.data, '.', value.raw.size) || memchr(value.raw.data, 'e', value.raw.size) ||
           memchr(value.raw.data, 'E', value.raw.size)));
    if (value.raw.size > CJSON_NUMBER)
        walk->is_comparable = false;
    else if (other && number_to_double(value.raw, &number))
        CHECK(cJSON_IsNumber(other) && other->valuedouble == number);
}

/* Steps into everything, cJSON's tree beside it (NULL: none). */
static void walk_value(struct walk *walk, const cJSON *other, size_t depth)
{
    struct jsonscan *scan = walk->scan;
    struct json_value key;
    const cJSON *child = other ? other->child : NULL;
    int kind = jsonscan_peek(scan);
    if (kind < 0) {
        CHECK(!jsonscan_value(scan, &key));
        return;
    }
    if (depth > CJSON_DEPTH) walk->is_comparable = false;
    if (kind != JSON_OBJECT && kind != JSON_ARRAY) {
        walk_scalar(walk, kind, other);
        return;
    }
    if (!(kind == JSON_OBJECT ? jsonscan_enter_object(scan) : jsonscan_enter_array(scan))) return;
    while (kind == JSON_OBJECT ? jsonscan_next_key(scan, &key) : jsonscan_next_element(scan)) {
        if (other) CHECK(child);
        if (kind == JSON_OBJECT) same_text(walk, &key, child ? child->string : NULL);
        walk_value(walk, child, depth + 1);
        if (child) child = child->next;
    }
    if (other && !scan->error) CHECK(!child);
}

/* Walks all of the text; is it good? */
static bool walk_text(struct str text, const cJSON *other, bool *is_comparable)
{
    struct jsonscan scan;
    struct walk walk = {.scan = &scan, .is_comparable = true};
    jsonscan_init(&scan, text.data, text.size);
    walk_value(&walk, other, 0);
    bool good = jsonscan_finish(&scan);
    CHECK(good == !scan.error && jsonscan_offset(&scan) <= text.size);
    *is_comparable = walk.is_comparable;
    arena_release(&walk.arena);
    return good;
}

static void check_clean(const struct json_value *value)
{
    struct arena arena = ARENA_INIT(0);
    uint64_t repaired = 0;
    struct str clean = jsonscan_clean(value, &arena, &repaired);
    CHECK(!repaired == !(value->flags & JSON_DIRTY));
    CHECK(fuzz_is_utf8(clean, true) && slow_accepts(clean));
    char *padded = fuzz_padded(clean, JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value again;
    jsonscan_init(&scan, padded, clean.size);
    CHECK(jsonscan_value(&scan, &again) && jsonscan_finish(&scan) && !(again.flags & JSON_DIRTY));
    free(padded);
    arena_release(&arena);
}

static void check_paths(struct str text, bool good)
{
    static const char *const PATHS[] = {"id", "items.1", "s", "s.x.y", "a", "a.0", "$", "*"};
    struct json_value found[ARRAY_SIZE(PATHS)], one;
    const char *error = NULL;
    size_t offset = 0;
    bool whole = jsonscan_survey(text.data, text.size, PATHS, found, ARRAY_SIZE(PATHS), &error, &offset);
    CHECK(whole || (error && offset <= text.size));
    CHECK(whole || !good);
    for (size_t i = 0; good && i < ARRAY_SIZE(PATHS); i++) {
        bool is_there = jsonscan_find(text.data, text.size, PATHS[i], &one);
        CHECK(is_there == (found[i].raw.data != NULL));
        if (is_there)
            CHECK(one.kind == found[i].kind && one.raw.data == found[i].raw.data && one.raw.size == found[i].raw.size);
    }
}

void fuzz(struct str input)
{
    char *padded = fuzz_padded(input, JSONSCAN_PADDING);
    struct str text = {padded, input.size};
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, text.data, text.size);
    bool good = jsonscan_value(&scan, &value) && jsonscan_finish(&scan), is_comparable;
    CHECK(good == slow_accepts(text));
    CHECK(good == walk_text(text, NULL, &is_comparable));
    if (good) check_clean(&value);
    check_paths(text, good);
    if (good && is_comparable) {
        const char *end;
        size_t mark = str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0; /* which cJSON does not always pass over */
        cJSON *other = cJSON_ParseWithLengthOpts(text.data + mark, text.size - mark, &end, false);
        CHECK(other || (value.flags & JSON_DIRTY)); /* cJSON refuses lone surrogates */
        if (other) (void)walk_text(text, other, &is_comparable);
        cJSON_Delete(other);
    }
    free(padded);
}
