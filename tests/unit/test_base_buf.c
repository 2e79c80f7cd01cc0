/* buf: grows to its maximum and not a byte further, always terminated; what is past it is a failure asked for once. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void test_content_is_terminated_and_never_null(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(1000);
    assert_string_equal(buf_text(&buf), "");
    buf_append_text(&buf, "a");
    buf_append_char(&buf, 'b');
    buf_append_str(&buf, STR("c"));
    buf_append_str(&buf, (struct str){0});
    buf_printf(&buf, "%d", 42);
    assert_string_equal(buf_text(&buf), "abc42");
    assert_int_equal(buf.size, 5);
    buf_release(&buf);
}

static void test_the_maximum_is_reached_exactly(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(300);
    for (int i = 0; i < 300; i++) buf_append_char(&buf, 'x');
    assert_false(buf.failed);
    assert_int_equal(buf.size, 300);
    assert_int_equal(strlen(buf_text(&buf)), 300);
    buf_append_char(&buf, 'y');
    assert_true(buf.failed);
    assert_int_equal(buf.size, 300);
    buf_release(&buf);
}

static void test_after_a_failure_nothing_is_appended(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(4);
    buf_append_text(&buf, "abc");
    buf_append_text(&buf, "too long");
    buf_append_text(&buf, "d"); /* would fit */
    assert_true(buf.failed);
    assert_string_equal(buf_text(&buf), "abc");
    buf_clear(&buf);
    buf_append_text(&buf, "abcd");
    assert_false(buf.failed);
    assert_string_equal(buf_text(&buf), "abcd");
    buf_release(&buf);
}

static void test_a_zeroed_buffer_holds_nothing(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_append_text(&buf, "");
    assert_false(buf.failed);
    buf_append_char(&buf, 'x');
    assert_true(buf.failed);
    buf_release(&buf);
}

static void test_reserved_room_is_claimed_by_advance(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(10);
    assert_non_null(buf_reserve(&buf, 0));
    assert_string_equal(buf_text(&buf), "");
    char *room = buf_reserve(&buf, 10);
    assert_non_null(room);
    assert_string_equal(buf_text(&buf), "");
    memcpy(room, "0123456789", 10);
    buf_advance(&buf, 4);
    assert_string_equal(buf_text(&buf), "0123");
    assert_null(buf_reserve(&buf, 7));
    assert_true(buf.failed);
    buf_release(&buf);
}

static void test_a_huge_request_fails_without_overflow(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(1000);
    buf_append_text(&buf, "abc");
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buf_release(&buf);
}

static void test_printf_takes_long_texts(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct buf buf = BUF_INIT(5000);
    for (int precision = 254; precision < 259; precision++) {
        buf_clear(&buf);
        buf_printf(&buf, "<%.*s>", precision, text);
        assert_int_equal(buf.size, precision + 2);
        assert_int_equal(buf.data[precision + 1], '>');
    }
    buf_printf(&buf, "%s", text);
    assert_false(buf.failed);
    buf_release(&buf);
}

static void assert_json_string(struct str text, const char *expected)
{
    struct buf buf = BUF_INIT(1000);
    buf_append_json_string(&buf, text);
    assert_string_equal(buf_text(&buf), expected);
    buf_release(&buf);
}

static void test_json_strings_are_escaped(void **state)
{
    (void)state;
    assert_json_string(STR(""), "\"\"");
    assert_json_string((struct str){0}, "\"\"");
    assert_json_string(STR("plain \xe2\x82\xac"), "\"plain \xe2\x82\xac\"");
    assert_json_string(STR("a\"b\\c\nd\te"), "\"a\\\"b\\\\c\\nd\\te\"");
    assert_json_string(STR("nul\0cr\rdel\x7f"), "\"nul\\u0000cr\\u000ddel\\u007f\"");
}

static void test_json_strings_repair_what_is_not_utf8(void **state)
{
    (void)state;
    assert_json_string(STR("a\xff"
                           "b"),
                       "\"a\xef\xbf\xbd"
                       "b\"");
    assert_json_string(STR("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* cut short */
    assert_json_string(STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* a surrogate */
}

static void test_stolen_memory_is_the_callers(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(100);
    char *empty = buf_steal(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_append_text(&buf, "mine");
    char *stolen = buf_steal(&buf);
    assert_string_equal(stolen, "mine");
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.max, 100);
    free(stolen);
    buf_release(&buf);
}

UNIT_TESTS(cmocka_unit_test(test_content_is_terminated_and_never_null), cmocka_unit_test(test_the_maximum_is_reached_exactly),
           cmocka_unit_test(test_after_a_failure_nothing_is_appended), cmocka_unit_test(test_a_zeroed_buffer_holds_nothing),
           cmocka_unit_test(test_reserved_room_is_claimed_by_advance),
           cmocka_unit_test(test_a_huge_request_fails_without_overflow), cmocka_unit_test(test_printf_takes_long_texts),
           cmocka_unit_test(test_json_strings_are_escaped), cmocka_unit_test(test_json_strings_repair_what_is_not_utf8),
           cmocka_unit_test(test_stolen_memory_is_the_callers))
