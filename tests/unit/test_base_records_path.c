/* records_path: which values of a document are its records, by a dotted path. */
#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/records_path.h"

static int take_text(void *context, struct jsonscan *scan, struct err *err)
{
    struct buf *out = context;
    struct json_value value;
    (void)err;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    if (value.kind == JSON_STRING) return err_set(err, ERR_NOMEM, "no more");
    buf_append_str(out, value.raw);
    buf_append_char(out, ';');
    return 0;
}

struct walked {
    int rc;
    struct buf taken;
    struct err err;
    const char *error; /* the scanner's, right after the walk */
    bool finished;
};

static void walk(struct walked *walked, const char *path, const char *text)
{
    struct arena arena = ARENA_INIT(0);
    struct jsonscan scan;
    size_t size = strlen(text);
    char *copy = arena_alloc(&arena, size + JSONSCAN_PADDING);
    memcpy(copy, text, size);
    *walked = (struct walked){.taken = BUF_INIT(4096)};
    jsonscan_init(&scan, copy, size);
    walked->rc = records_walk(&scan, path, take_text, &walked->taken, &walked->err);
    walked->error = scan.error;
    walked->finished = jsonscan_finish(&scan);
    buf_append_char(&walked->taken, '\0');
    arena_release(&arena);
}

static void test_a_path_leads_to_records(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *taken;
    } CASES[] = {
        {"$", "[{\"a\":1},2,null]", "{\"a\":1};2;null;"},
        {"", "{\"a\":1}", "{\"a\":1};"},
        {"", "[]", ""},
        {"", "null", ""},
        {"data", "{\"x\":1,\"data\":[1,2],\"y\":[3]}", "1;2;"},
        {"$.data", "{\"data\":{\"a\":1}}", "{\"a\":1};"},
        {"$data", "{\"data\":[1],\"$data\":[2]}", "2;"},
        {"data", "{\"data\":null}", ""},
        {"data", "{\"other\":[1]}", ""},
        {"data", "{\"dat\":[1],\"data2\":[2],\"\":[3]}", ""},
        {"data.items", "{\"data\":[]}", ""},
        {"data.items", "{\"data.items\":[1],\"data\":{\"items\":[2]}}", "1;2;"},
        {"data", "{\"data\":[1],\"data\":[2]}", "1;2;"},
        {"*", "{\"x\":[1],\"y\":{\"a\":2}}", "1;{\"a\":2};"},
        {"data.*.items", "{\"data\":[{\"items\":[1]},{},{\"items\":[2]}]}", "1;2;"},
        {"*x", "{\"a\":[1],\"*x\":[2]}", "2;"},
        {"data.1.items", "{\"data\":[{\"items\":[1]},{\"items\":[2]}]}", "2;"},
        {"data.10", "{\"data\":[[1],[2]]}", ""},
        {"data.1", "{\"data\":{\"1\":[5]}}", "5;"},
        {"\xc3\xa9.b", "{\"\\u00e9\":{\"\\u0062\":[1]}}", "1;"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct walked walked;
        walk(&walked, CASES[i].path, CASES[i].text);
        if (walked.rc != 0 || !walked.finished || strcmp(walked.taken.data, CASES[i].taken) != 0)
            fail_msg("'%s' in %s gave %d, '%s'", CASES[i].path, CASES[i].text, walked.rc, walked.taken.data);
        buf_release(&walked.taken);
    }
}

static void test_a_place_without_records_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *message;
    } CASES[] = {
        {"", "5", "cannot take records from '': there is a number at '$'"},
        {"data", "{\"data\":\"x\"}", "cannot take records from 'data': there is a string at 'data'"},
        {"data.items", "{\"data\":true}", "cannot take records from 'data.items': there is a boolean at 'data'"},
        {"data.items.x", "{\"data\":{\"items\":[1]}}",
         "cannot take records from 'data.items.x': there is an array at 'data.items'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct walked walked;
        walk(&walked, CASES[i].path, CASES[i].text);
        assert_int_equal(walked.rc, ERR_DATA);
        assert_string_equal(walked.err.message, CASES[i].message);
        assert_null(walked.error);
        buf_release(&walked.taken);
    }
}

static void test_a_broken_document_is_left_to_the_scanner_to_name(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",      "{",         "{\"a\"",     "{\"a\":",     "{\"a\":[",        "{\"a\":[1",          "{\"a\":[1,]}",
        "{a:1}", "{\"a\":1x", "{\"b\":[}}", "{\"a\":[1]]", "{\"b\":{\"c\"}}", "{\"a\":[1]}garbage", "[1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
        struct walked walked;
        walk(&walked, "a", TEXTS[i]);
        if (walked.rc == 0 && walked.finished) fail_msg("%s was taken", TEXTS[i]);
        assert_true(walked.rc == 0 || walked.rc == ERR_TRANSIENT || walked.rc == ERR_DATA);
        if (walked.rc == ERR_TRANSIENT) assert_non_null(walked.error);
        buf_release(&walked.taken);
    }
}

static void test_a_failing_taker_stops_the_walk(void **state)
{
    (void)state;
    struct walked walked;
    walk(&walked, "a", "{\"a\":[1,\"x\",2]}");
    assert_int_equal(walked.rc, ERR_NOMEM);
    assert_string_equal(walked.err.message, "no more");
    assert_string_equal(walked.taken.data, "1;");
    buf_release(&walked.taken);
}

static void test_a_path_has_a_limited_number_of_steps(void **state)
{
    (void)state;
    static const struct {
        size_t steps;
        int rc;
    } CASES[] = {{RECORDS_PATH_MAX_STEPS, 0}, {RECORDS_PATH_MAX_STEPS + 1, ERR_DATA}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf path = BUF_INIT(4096), text = BUF_INIT(4096);
        struct walked walked;
        for (size_t step = 0; step < CASES[i].steps; step++) {
            buf_append_text(&path, step ? ".a" : "a");
            buf_append_text(&text, "{\"a\":");
        }
        buf_append_text(&text, "[7]");
        for (size_t step = 0; step < CASES[i].steps; step++) buf_append_char(&text, '}');
        buf_append_char(&path, '\0');
        buf_append_char(&text, '\0');
        walk(&walked, path.data, text.data);
        assert_int_equal(walked.rc, CASES[i].rc);
        assert_string_equal(walked.taken.data, CASES[i].rc ? "" : "7;");
        buf_release(&walked.taken);
        buf_release(&path);
        buf_release(&text);
    }
}

UNIT_TESTS(cmocka_unit_test(test_a_path_leads_to_records), cmocka_unit_test(test_a_place_without_records_is_named),
           cmocka_unit_test(test_a_broken_document_is_left_to_the_scanner_to_name),
           cmocka_unit_test(test_a_failing_taker_stops_the_walk), cmocka_unit_test(test_a_path_has_a_limited_number_of_steps))
