/* jsonscan: messages, the policies, the paths, and that nothing reads past the text and its padding. The grammar rule by rule
 * is test_base_jsonscan_rules.c; any bytes at all are fuzz.jsonscan. */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/jsonscan.h"
#include "base/lanes.h"

/* A copy with exactly the padding promised, so that a sanitizer sees a read behind it. */
struct text {
    char *data;
    size_t size;
};

static struct text text_of(const char *data, size_t size)
{
    struct text text = {mem_zero(size + JSONSCAN_PADDING, 1), size};
    if (size) memcpy(text.data, data, size);
    memset(text.data + size, '"', JSONSCAN_PADDING); /* padding that would be taken for JSON if it were looked at */
    return text;
}

static struct text text_from(const char *json)
{
    return text_of(json, strlen(json));
}

static bool scan_document(struct text text, struct json_value *value)
{
    struct jsonscan scan;
    jsonscan_init(&scan, text.data, text.size);
    bool good = jsonscan_value(&scan, value) && jsonscan_finish(&scan);
    assert_true(jsonscan_offset(&scan) <= text.size);
    assert_true(good == (scan.error == NULL));
    return good;
}

/* The same with a step into every container. */
static bool step_value(struct jsonscan *scan, size_t depth)
{
    struct json_value item;
    int kind = jsonscan_peek(scan);
    if (depth < 20 && kind == JSON_OBJECT) {
        if (!jsonscan_enter_object(scan)) return false;
        while (jsonscan_next_key(scan, &item))
            if (!step_value(scan, depth + 1)) return false;
        return !scan->error;
    }
    if (depth < 20 && kind == JSON_ARRAY) {
        if (!jsonscan_enter_array(scan)) return false;
        while (jsonscan_next_element(scan))
            if (!step_value(scan, depth + 1)) return false;
        return !scan->error;
    }
    return jsonscan_value(scan, &item);
}

static bool step_document(struct text text)
{
    struct jsonscan scan;
    jsonscan_init(&scan, text.data, text.size);
    return step_value(&scan, 0) && jsonscan_finish(&scan);
}

static bool accepts(const char *json, size_t size)
{
    struct text text = text_of(json, size);
    struct json_value value;
    bool whole = scan_document(text, &value), stepped = step_document(text);
    if (whole != stepped) fail_msg("%s: skipped %d, stepped %d", json, whole, stepped);
    free(text.data);
    return whole;
}

static void test_tells_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *error;
        size_t offset;
    } CASES[] = {
        {"[1,]", "unexpected character", 3},
        {"{\"a\":1", "unexpected end", 6},
        {"{\"a\" 1}", "expected ':'", 5},
        {"{\"a\":1,2}", "expected a key", 7},
        {"[1 2]", "expected ',' or ']'", 3},
        {"{\"a\":1]", "expected ',' or '}'", 6},
        {"[\"a\nb\"]", "control character in a string", 3},
        {"[\"ab\\q\"]", "unknown escape in a string", 4},
        {"[1.x]", "'.' without a digit behind it", 3},
        {"[1ex]", "exponent without a digit", 3},
        {"[-x]", "'-' without a digit", 2},
        {"[1] x", "unexpected text behind the end", 4},
        {"[\"\\u12g4\"]", "\\u without four hex digits", 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct text text = text_from(CASES[i].json);
        struct jsonscan scan;
        struct json_value value;
        jsonscan_init(&scan, text.data, text.size);
        if (jsonscan_value(&scan, &value)) jsonscan_finish(&scan);
        assert_string_equal(scan.error, CASES[i].error);
        assert_int_equal(jsonscan_offset(&scan), CASES[i].offset);
        assert_false(jsonscan_value(&scan, &value)); /* errors stick */
        assert_false(jsonscan_finish(&scan));
        assert_int_equal(jsonscan_peek(&scan), -1);
        free(text.data);
    }
}

static const char SAMPLE[] =
    "{\"id\":\"ord_1\",\"n\":-12.50e+3,\"ok\":true,\"no\":false,\"nil\":null,\"t\":\"a\\u00e9\\ud83d\\ude00\\n\","
    "\"utf\":\"bl\xc3\xa5 \xf0\x9f\x98\x80\",\"items\":[{\"a\":[1,2,{\"b\":[]}]},{}],\"s\":{\"x\":{\"y\":\"z\"}},"
    "\"long\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}";

static void test_every_truncation_fails_cleanly(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"id", "s.x.y", "items.0.a.2", "long"};
    assert_true(accepts(SAMPLE, sizeof SAMPLE - 1));
    for (size_t size = 0; size < sizeof SAMPLE - 1; size++) {
        assert_false(accepts(SAMPLE, size));
        struct text text = text_of(SAMPLE, size);
        struct json_value found[ARRAY_SIZE(PATHS)];
        const char *error = NULL;
        size_t offset = SIZE_MAX;
        assert_false(jsonscan_survey(text.data, text.size, PATHS, found, ARRAY_SIZE(PATHS), &error, &offset));
        assert_non_null(error);
        assert_true(offset <= size);
        free(text.data);
    }
}

/* The same when what lies behind the end goes on as if nothing had been cut. */
static void test_what_lies_behind_the_end_does_not_count(void **state)
{
    (void)state;
    const char *path = "nothing", *error = NULL;
    struct text whole = text_of(SAMPLE, sizeof SAMPLE - 1);
    for (size_t size = 0; size < whole.size; size++) {
        struct json_value value;
        size_t offset;
        assert_false(scan_document((struct text){whole.data, size}, &value));
        assert_false(step_document((struct text){whole.data, size}));
        assert_false(jsonscan_survey(whole.data, size, &path, &value, 1, &error, &offset));
        assert_false(jsonscan_survey(whole.data, size, NULL, NULL, 0, &error, &offset)); /* by its brackets alone */
        assert_true(offset <= size);
    }
    free(whole.data);
    struct jsonscan scan;
    jsonscan_init(&scan, SAMPLE, 1);
    assert_true(jsonscan_enter_object(&scan));
    assert_false(jsonscan_finish(&scan)); /* at the end, but not out of the object */
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_depth_is_capped(void **state)
{
    (void)state;
    for (size_t depth = JSONSCAN_MAX_DEPTH - 1; depth <= JSONSCAN_MAX_DEPTH + 1; depth++) {
        struct buf json = BUF_INIT(1 << 16);
        for (size_t i = 0; i < depth; i++) buf_append_text(&json, i % 2 ? "{\"a\":" : "[");
        buf_append_text(&json, "1");
        for (size_t i = depth; i-- > 0;) buf_append_char(&json, i % 2 ? '}' : ']');
        struct text text = text_of(json.data, json.size);
        bool fits = depth <= JSONSCAN_MAX_DEPTH;
        struct jsonscan scan;
        struct json_value value, found;
        jsonscan_init(&scan, text.data, text.size);
        assert_int_equal(jsonscan_value(&scan, &value), fits);
        if (!fits) assert_string_equal(scan.error, JSONSCAN_TOO_DEEP);
        /* one level stepped into counts too */
        jsonscan_init(&scan, text.data, text.size);
        assert_true(jsonscan_enter_array(&scan) && jsonscan_next_element(&scan));
        assert_int_equal(jsonscan_value(&scan, &value), fits);
        const char *path = "nothing", *error = NULL;
        size_t offset;
        assert_int_equal(jsonscan_survey(text.data, text.size, &path, &found, 1, &error, &offset), fits);
        free(text.data);
        buf_release(&json);
    }
    struct buf open = BUF_INIT(1 << 20);
    for (size_t i = 0; i < 100000; i++) buf_append_char(&open, '[');
    assert_false(accepts(open.data, open.size));
    buf_release(&open);
}

/* Every special thing at every place of a sixteen- and sixty-four-byte block. */
static void test_block_boundaries(void **state)
{
    (void)state;
    static const char *const TAILS[] = {"",  "\\n", "\\\\",    "\\\"", "\\u00e9", "\xc3\xa9", "\\ud83d\\ude00",
                                        "]", "{",   "\\\\\\\""};
    for (size_t pad = 0; pad <= 130; pad++) {
        for (size_t i = 0; i < ARRAY_SIZE(TAILS); i++) {
            struct buf json = BUF_INIT(1024);
            buf_append_text(&json, "{\"k\":[\"");
            for (size_t at = 0; at < pad; at++) buf_append_char(&json, 'x');
            buf_append_text(&json, TAILS[i]);
            size_t size = json.size - 7;
            buf_append_text(&json, "\"],\"last\":7}");
            struct text text = text_of(json.data, json.size);
            struct json_value value, found[2];
            const char *paths[] = {"last", "k.0"}, *error;
            size_t offset;
            assert_true(scan_document(text, &value));
            assert_int_equal(value.raw.size, text.size);
            assert_int_equal(!!(value.flags & JSON_ESCAPED), TAILS[i][0] == '\\');
            assert_false(value.flags & JSON_DIRTY);
            assert_true(jsonscan_survey(text.data, text.size, paths, found, 2, &error, &offset));
            assert_true(str_equal(found[0].raw, STR("7")));
            assert_int_equal(found[1].raw.size, size);
            assert_true(
                jsonscan_survey(text.data, text.size, paths, found, 1, &error, &offset)); /* k passed over by brackets */
            assert_true(str_equal(found[0].raw, STR("7")));
            text.data[7 + pad / 2] = '\x02';
            if (pad >= 2) assert_false(scan_document(text, &value));
            free(text.data);
            buf_release(&json);
        }
    }
}

static void test_white_space_runs(void **state)
{
    (void)state;
    for (size_t run = 0; run <= 70; run++) {
        char json[256];
        int size = snprintf(json, sizeof json, "%*s[%*s1%*s,%*s2%*s]%*s", (int)run, "", (int)run, "", 2, "", (int)run % 7, "",
                            1, "", (int)run, "");
        assert_true(accepts(json, (size_t)size));
    }
}

static struct json_value read_one(struct text text)
{
    struct json_value value;
    assert_true(scan_document(text, &value));
    return value;
}

static void check_text(const char *json, size_t size, const char *expected, unsigned flags, uint64_t repaired)
{
    struct text text = text_of(json, size);
    struct json_value value = read_one(text);
    struct arena arena = ARENA_INIT(0);
    uint64_t count = 0;
    struct str decoded = jsonscan_text(&value, &arena, &count);
    assert_int_equal(value.kind, JSON_STRING);
    assert_int_equal(value.flags, flags);
    assert_int_equal(decoded.size, strlen(expected));
    assert_memory_equal(decoded.data, expected, decoded.size);
    assert_int_equal(count, repaired);
    if (!flags) assert_ptr_equal(decoded.data, text.data + 1); /* not copied */
    arena_release(&arena);
    free(text.data);
}

#define CHECK_TEXT(json, expected, flags, repaired) check_text("" json, sizeof(json) - 1, expected, flags, repaired)
#define FFFD "\xef\xbf\xbd"

static void test_decodes_strings(void **state)
{
    (void)state;
    CHECK_TEXT("\"\"", "", 0, 0);
    CHECK_TEXT("\"plain\"", "plain", 0, 0);
    CHECK_TEXT("\"bl\xc3\xa5\"", "bl\xc3\xa5", 0, 0);
    CHECK_TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", JSON_ESCAPED, 0);
    CHECK_TEXT("\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00x\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x", JSON_ESCAPED, 0);
    CHECK_TEXT("\"a\\ud800b\"", "a" FFFD "b", JSON_ESCAPED | JSON_DIRTY, 1);
    CHECK_TEXT("\"\\udc00\\ud83d\\ude00\"", FFFD "\xf0\x9f\x98\x80", JSON_ESCAPED | JSON_DIRTY, 1);
    CHECK_TEXT("\"\\ud800\\ud83d\\ude00\"", FFFD "\xf0\x9f\x98\x80", JSON_ESCAPED | JSON_DIRTY, 1);
    CHECK_TEXT("\"\\u0000\"", FFFD, JSON_ESCAPED | JSON_DIRTY, 1);
    CHECK_TEXT("\"a\0b\"", "a" FFFD "b", JSON_DIRTY, 1);
    CHECK_TEXT("\"\0\0\xff\0\"", FFFD FFFD FFFD FFFD, JSON_DIRTY, 4);
    CHECK_TEXT("\"x\xffy\"", "x" FFFD "y", JSON_DIRTY, 1);
    CHECK_TEXT("\"\xc0\xaf\"", FFFD FFFD, JSON_DIRTY, 2);          /* overlong */
    CHECK_TEXT("\"\xed\xa0\x80\"", FFFD FFFD FFFD, JSON_DIRTY, 3); /* a surrogate in UTF-8 */
    CHECK_TEXT("\"\xf4\x90\x80\x80\"", FFFD FFFD FFFD FFFD, JSON_DIRTY, 4);
    CHECK_TEXT("\"\xff, then sixteen bytes and more\"", FFFD ", then sixteen bytes and more", JSON_DIRTY, 1);
    CHECK_TEXT("\"cut\xe2\x82\"", "cut" FFFD FFFD, JSON_DIRTY, 2);
}

static void test_text_respects_the_arena_cap(void **state)
{
    (void)state;
    struct buf json = BUF_INIT(1 << 17);
    buf_append_text(&json, "\"\\n");
    for (size_t i = 0; i < 100000; i++) buf_append_char(&json, 'a');
    buf_append_char(&json, '"');
    struct text text = text_of(json.data, json.size);
    struct json_value value = read_one(text);
    struct arena arena = ARENA_INIT(64 * 1024);
    struct str none = jsonscan_text(&value, &arena, NULL);
    assert_null(none.data);
    assert_int_equal(none.size, 1);
    value.flags |= JSON_DIRTY;
    none = jsonscan_clean(&value, &arena, NULL);
    assert_null(none.data);
    assert_int_equal(none.size, 1);
    arena_release(&arena);
    free(text.data);
    buf_release(&json);
}

static void check_clean(const char *json, size_t size, const char *expected, uint64_t repaired)
{
    struct text text = text_of(json, size);
    struct json_value value = read_one(text);
    struct arena arena = ARENA_INIT(0);
    uint64_t count = 0;
    struct str clean = jsonscan_clean(&value, &arena, &count);
    assert_int_equal(clean.size, strlen(expected));
    assert_memory_equal(clean.data, expected, clean.size);
    assert_int_equal(count, repaired);
    assert_int_equal(!!(value.flags & JSON_DIRTY), repaired > 0);
    if (!repaired) assert_ptr_equal(clean.data, text.data);
    arena_release(&arena);
    free(text.data);
}

#define CHECK_CLEAN(json, expected, repaired) check_clean("" json, sizeof(json) - 1, expected, repaired)

static void test_cleans_json_for_jsonb(void **state)
{
    (void)state;
    CHECK_CLEAN("{\"a\":[1,\"x\\n\",null]}", "{\"a\":[1,\"x\\n\",null]}", 0);
    CHECK_CLEAN("\"a\\u0041\"", "\"a\\u0041\"", 0);
    CHECK_CLEAN("\"a\\u0000\"", "\"a" FFFD "\"", 1);
    CHECK_CLEAN("{\"a\\u0000\":\"\\ud800\\n\",\"b\":\"\xff\"}", "{\"a" FFFD "\":\"" FFFD "\\n\",\"b\":\"" FFFD "\"}", 3);
    CHECK_CLEAN("[\"\\\\\",\"\0\"]", "[\"\\\\\",\"" FFFD "\"]", 1);
    CHECK_CLEAN("[1e131071,1e-16383]", "[1e131071,1e-16383]", 0);
    CHECK_CLEAN("[1e131072,-1.5e-16383,2]", "[\"1e131072\",\"-1.5e-16383\",2]", 2);
    CHECK_CLEAN("[1e99999999999999999999999]", "[\"1e99999999999999999999999\"]", 1);
    CHECK_CLEAN("1e400000", "\"1e400000\"", 1);
}

static void test_numbers_keep_their_text_and_flags(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        unsigned flags;
    } CASES[] = {{"9007199254740993", 0},
                 {"-0", 0},
                 {"1.10", JSON_FRACTION},
                 {"1e3", JSON_FRACTION},
                 {"1E400000", JSON_FRACTION | JSON_DIRTY},
                 {"1e-20000", JSON_FRACTION | JSON_DIRTY}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct text text = text_from(CASES[i].json);
        struct json_value value = read_one(text);
        uint8_t flags = 0;
        assert_int_equal(value.kind, JSON_NUMBER);
        assert_int_equal(value.flags, CASES[i].flags);
        assert_true(str_equal(value.raw, str_from(CASES[i].json)));
        assert_true(jsonscan_is_number(str_from(CASES[i].json), &flags));
        assert_int_equal(flags, CASES[i].flags);
        free(text.data);
    }
    struct buf digits = BUF_INIT(1 << 18);
    for (size_t i = 0; i < 131073; i++) buf_append_char(&digits, '7');
    uint8_t flags;
    assert_true(jsonscan_is_number((struct str){digits.data, 131072}, &flags));
    assert_int_equal(flags, 0);
    assert_true(jsonscan_is_number((struct str){digits.data, 131073}, &flags));
    assert_int_equal(flags, JSON_DIRTY);
    buf_release(&digits);
    static const char *const BAD[] = {"", "-", "+1", "1 ", " 1", "01", "1.", "1e", "abc", "0x1", "1,0"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) assert_false(jsonscan_is_number(str_from(BAD[i]), &flags));
}

static void test_steps_through_objects_and_arrays(void **state)
{
    (void)state;
    struct text text = text_from("{ \"a\" : 1, \"b\":[ 2 ,[3]], \"c\":{} }");
    struct jsonscan scan;
    struct json_value key, value;
    jsonscan_init(&scan, text.data, text.size);
    assert_int_equal(jsonscan_peek(&scan), JSON_OBJECT);
    assert_true(jsonscan_enter_object(&scan));
    assert_true(jsonscan_next_key(&scan, &key));
    assert_true(str_equal(key.raw, STR("a")));
    assert_true(jsonscan_value(&scan, &value));
    assert_true(jsonscan_next_key(&scan, &key));
    assert_int_equal(jsonscan_peek(&scan), JSON_ARRAY);
    assert_true(jsonscan_enter_array(&scan));
    assert_true(jsonscan_next_element(&scan) && jsonscan_value(&scan, &value));
    assert_true(str_equal(value.raw, STR("2")));
    assert_true(jsonscan_next_element(&scan) && jsonscan_value(&scan, &value));
    assert_true(str_equal(value.raw, STR("[3]")));
    assert_false(jsonscan_next_element(&scan));
    assert_null(scan.error);
    assert_true(jsonscan_next_key(&scan, &key) && jsonscan_enter_object(&scan));
    assert_false(jsonscan_next_key(&scan, &key));
    assert_false(jsonscan_next_key(&scan, &key));
    assert_true(jsonscan_finish(&scan));
    jsonscan_init(&scan, text.data, text.size);
    assert_false(jsonscan_enter_array(&scan));
    assert_string_equal(scan.error, "expected '['");
    jsonscan_init(&scan, text.data, text.size);
    assert_true(jsonscan_enter_object(&scan));
    assert_false(jsonscan_finish(&scan));
    free(text.data);
}

static void test_expects_a_known_key(void **state)
{
    (void)state;
    struct text text = text_from("{\"a\":1,\"b\":2, \"c\":3}");
    struct jsonscan scan;
    struct json_value key, value;
    jsonscan_init(&scan, text.data, text.size);
    assert_true(jsonscan_enter_object(&scan));
    assert_false(jsonscan_expect_key(&scan, STR("\"b\":")));
    assert_true(jsonscan_expect_key(&scan, STR("\"a\":")));
    assert_true(jsonscan_value(&scan, &value));
    assert_false(jsonscan_expect_key(&scan, STR("\"a\":")));
    assert_true(jsonscan_expect_key(&scan, STR("\"b\":")));
    assert_true(jsonscan_value(&scan, &value));
    assert_true(str_equal(value.raw, STR("2")));
    assert_false(jsonscan_expect_key(&scan, STR("\"c\":"))); /* spelled with a space: the long way */
    assert_true(jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &value));
    assert_false(jsonscan_expect_key(&scan, STR("\"d\":")));
    assert_false(jsonscan_next_key(&scan, &key));
    assert_true(jsonscan_finish(&scan));
    free(text.data);
}

static void check_find(const char *json, const char *path, const char *expected)
{
    struct text text = text_from(json);
    struct json_value value, surveyed;
    const char *error;
    size_t offset;
    bool found = jsonscan_find(text.data, text.size, path, &value);
    assert_true(jsonscan_survey(text.data, text.size, &path, &surveyed, 1, &error, &offset));
    assert_int_equal(found, expected != NULL);
    assert_int_equal(surveyed.raw.data != NULL, expected != NULL);
    if (expected) {
        assert_true(str_equal(value.raw, str_from(expected)));
        assert_true(str_equal(surveyed.raw, str_from(expected)));
        assert_int_equal(value.kind, surveyed.kind);
    }
    free(text.data);
}

static void test_finds_paths(void **state)
{
    (void)state;
    static const char DOCUMENT[] =
        "{\"items\":[{\"id\":\"a\"},{\"id\":\"b\",\"x\":[1,2,3]}],\"meta\":{\"next\":\"n\",\"more\":true,\"n\":null},"
        "\"@odata.nextLink\":\"link\",\"k\\u0065y\":5,\"dup\":1,\"dup\":2,\"\":7}";
    check_find(DOCUMENT, "meta.next", "n");
    check_find(DOCUMENT, "meta.more", "true");
    check_find(DOCUMENT, "meta.n", "null");
    check_find(DOCUMENT, "meta", "{\"next\":\"n\",\"more\":true,\"n\":null}");
    check_find(DOCUMENT, "items.0.id", "a");
    check_find(DOCUMENT, "items.1.x.2", "3");
    check_find(DOCUMENT, "$.items.1.id", "b");
    check_find(DOCUMENT, "@odata.nextLink", "link");
    check_find(DOCUMENT, "key", "5");
    check_find(DOCUMENT, "dup", "2");
    check_find(DOCUMENT, "$", DOCUMENT);
    check_find(DOCUMENT, "", DOCUMENT);
    check_find(DOCUMENT, "absent", NULL);
    check_find(DOCUMENT, "meta.next.deeper", NULL);
    check_find(DOCUMENT, "items.2.id", NULL);
    check_find(DOCUMENT, "items.id", NULL);
    check_find(DOCUMENT, "items.00.id", NULL);
    check_find(DOCUMENT, "met", NULL);
    check_find(DOCUMENT, "metal", NULL);
    check_find("[[1],[2,[3]]]", "1.1.0", "3");
    check_find("7", "", "7");
    check_find("7", "a", NULL);
}

static void test_survey_finds_several_and_checks_the_outside(void **state)
{
    (void)state;
    const char *paths[] = {"a", "a.b", "c", "zz"}, *error;
    struct json_value found[4];
    size_t offset;
    struct text text = text_from("{\"a\":{\"b\":[1,{\"q\":\"]}\\\"\"}]},\"c\":\"x\"} \n");
    assert_true(jsonscan_survey(text.data, text.size, paths, found, 4, &error, &offset));
    assert_true(str_equal(found[0].raw, STR("{\"b\":[1,{\"q\":\"]}\\\"\"}]}")));
    assert_true(str_equal(found[1].raw, STR("[1,{\"q\":\"]}\\\"\"}]")));
    assert_true(str_equal(found[2].raw, STR("x")));
    assert_null(found[3].raw.data);
    assert_int_equal(found[3].kind, JSON_NULL);
    free(text.data);
    static const char *const BROKEN[] = {
        "{\"x\":[1}", "{\"x\":[[]}",      "{\"x\":\"", "{\"x\":{\"y\":\"}}", "{\"x\":{}}}", "{\"x\":{}} 1", "{\"x\":{]}}", "[",
        "[[[[]]]",    "{\"x\":[\"\\\"]}", "",          "{\"x\":[] \"y\":1}"};
    for (size_t i = 0; i < ARRAY_SIZE(BROKEN); i++) {
        text = text_from(BROKEN[i]);
        error = NULL;
        if (jsonscan_survey(text.data, text.size, paths, found, 4, &error, &offset)) fail_msg("accepted: %s", BROKEN[i]);
        assert_non_null(error);
        free(text.data);
    }
}

/* The fast and the portable spelling must give the same masks for any bytes. */
static void test_lanes_agree(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (size_t round = 0; round < 20000; round++) {
        char bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++) {
            static const char SPECIAL[] = "\"\\[]{} \t\r\n\x1f\x20\x7f\x80\xff";
            uint64_t random = next_random(&seed);
            bytes[i] = random & 1 ? SPECIAL[(random >> 8) % sizeof SPECIAL] : (char)(random >> 16);
        }
        struct lanes_string fast = lanes_string16(bytes), plain = swar_string16(bytes);
        assert_int_equal(fast.stop, plain.stop);
        assert_int_equal(fast.high, plain.high);
        assert_int_equal(lanes_space16(bytes), swar_space16(bytes));
        struct lanes_structure wide = lanes_structure64(bytes), narrow = swar_structure64(bytes);
        assert_true(wide.quote == narrow.quote && wide.backslash == narrow.backslash && wide.bracket == narrow.bracket);
        for (size_t i = 0; i < 16; i++) {
            unsigned char c = (unsigned char)bytes[i];
            assert_int_equal(plain.stop >> i & 1, c == '"' || c == '\\' || c < 0x20);
            assert_int_equal(plain.high >> i & 1, c >= 0x80);
        }
    }
}

UNIT_TESTS(cmocka_unit_test(test_tells_what_and_where), cmocka_unit_test(test_every_truncation_fails_cleanly),
           cmocka_unit_test(test_what_lies_behind_the_end_does_not_count), cmocka_unit_test(test_depth_is_capped),
           cmocka_unit_test(test_block_boundaries), cmocka_unit_test(test_white_space_runs),
           cmocka_unit_test(test_decodes_strings), cmocka_unit_test(test_text_respects_the_arena_cap),
           cmocka_unit_test(test_cleans_json_for_jsonb), cmocka_unit_test(test_numbers_keep_their_text_and_flags),
           cmocka_unit_test(test_steps_through_objects_and_arrays), cmocka_unit_test(test_expects_a_known_key),
           cmocka_unit_test(test_finds_paths), cmocka_unit_test(test_survey_finds_several_and_checks_the_outside),
           cmocka_unit_test(test_lanes_agree))
