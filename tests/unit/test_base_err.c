/* err: messages are composed from the inside out, stay one line, and every class has an answer. */
#include "unit.h"

#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

static void test_context_is_prepended_and_class_and_hint_survive(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(err_set(&err, ERR_CONFIG, "cannot open '%s'", "x"), ERR_CONFIG);
    assert_int_equal(err_hint(&err, "create %s", "it"), ERR_CONFIG);
    assert_int_equal(err_context(&err, "connector '%s'", "shop"), ERR_CONFIG);
    assert_string_equal(err.message, "connector 'shop': cannot open 'x'");
    assert_string_equal(err_hint_text(&err), "create it");
}

static void test_a_new_message_drops_the_old_hint(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    err_set(&err, ERR_AUTH, "first");
    err_hint(&err, "old hint");
    err_set(&err, ERR_TRANSIENT, "second");
    assert_int_equal(err.class, ERR_TRANSIENT);
    assert_string_equal(err_hint_text(&err), err_class_info(ERR_TRANSIENT)->hint);
}

static void test_arguments_may_point_into_the_err_itself(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    err_set(&err, ERR_DATA, "inner");
    err_set(&err, ERR_SOURCE, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
    err_hint(&err, "look at %s", err.message);
    err_hint(&err, "%s twice", err.hint);
    assert_string_equal(err.hint, "look at outer (inner) twice");
}

static void test_a_long_message_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    char text[4096];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
        struct err err = ERR_INIT;
        err_set(&err, ERR_SOURCE, "%s", text);
        size_t size = strlen(err.message);
        assert_in_range(size, sizeof err.message - 4, sizeof err.message - 1);
        assert_int_equal(utf8_valid_prefix(str_from(err.message)), size);
        err_context(&err, "stream 'orders'");
        assert_int_equal(utf8_valid_prefix(str_from(err.message)), strlen(err.message));
        assert_memory_equal(err.message, "stream 'orders': ", 17);
    }
}

static void test_a_context_longer_than_the_message_does_not_overflow(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'c', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct err err = ERR_INIT;
    err_set(&err, ERR_SOURCE, "lost");
    err_context(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_control_characters_of_a_server_become_spaces(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    err_set(&err, ERR_DESTINATION,
            "ERROR: no\nDETAIL: \x1b[31mred\x7f and \xc2\x9b"
            "2J\r\n");
    assert_string_equal(err.message, "ERROR: no DETAIL:  [31mred  and   2J");
}

static void test_bytes_that_are_not_utf8_become_question_marks(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    err_set(&err, ERR_CONFIG, "got '%.4s...'", "abc\xe2\x82\xac"); /* cut in a character */
    assert_string_equal(err.message, "got 'abc?...'");
    err_hint(&err, "\xff\xc3\xa9\xc0\x80");
    assert_string_equal(err.hint, "?\xc3\xa9??");
}

static void test_every_class_has_a_row_of_its_own(void **state)
{
    (void)state;
    for (int class = ERR_BUG; class <= ERR_CONFIG; class ++) {
        const struct err_class_info *info = err_class_info(class);
        assert_int_equal(info->class, class);
        assert_true(strlen(info->name) > 0);
        assert_true(info->exit_code > 0 && info->exit_code < 256);
        assert_true(info->http_status >= 400 && info->http_status < 600);
        for (int other = class + 1; other <= ERR_CONFIG; other++)
            assert_string_not_equal(info->name, err_class_info(other)->name);
    }
    assert_int_equal(err_class_info(-1000)->class, ERR_BUG);
}

static void test_exit_codes_are_those_promised(void **state)
{
    (void)state;
    static const int CODES[][2] = {{ERR_CONFIG, 2},      {ERR_AUTH, 3},        {ERR_PERMISSION, 3}, {ERR_RATE_LIMIT, 4},
                                   {ERR_TRANSIENT, 4},   {ERR_STALLED, 4},     {ERR_SOURCE, 4},     {ERR_DATA, 5},
                                   {ERR_SCHEMA, 5},      {ERR_DESTINATION, 6}, {ERR_CONNECTOR, 7},  {ERR_HELD, 9},
                                   {ERR_CANCELLED, 143}, {ERR_NOMEM, 1},       {ERR_BUG, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) assert_int_equal(err_class_info(CODES[i][0])->exit_code, CODES[i][1]);
}

static void test_a_copy_is_complete(void **state)
{
    (void)state;
    struct err from = ERR_INIT, to = ERR_INIT;
    err_set(&from, ERR_HELD, "held");
    err_hint(&from, "wait");
    assert_int_equal(err_copy(&to, &from), ERR_HELD);
    assert_string_equal(to.message, "held");
    assert_string_equal(to.hint, "wait");
}

UNIT_TESTS(cmocka_unit_test(test_context_is_prepended_and_class_and_hint_survive),
           cmocka_unit_test(test_a_new_message_drops_the_old_hint),
           cmocka_unit_test(test_arguments_may_point_into_the_err_itself),
           cmocka_unit_test(test_a_long_message_is_cut_at_a_whole_character),
           cmocka_unit_test(test_a_context_longer_than_the_message_does_not_overflow),
           cmocka_unit_test(test_control_characters_of_a_server_become_spaces),
           cmocka_unit_test(test_bytes_that_are_not_utf8_become_question_marks),
           cmocka_unit_test(test_every_class_has_a_row_of_its_own), cmocka_unit_test(test_exit_codes_are_those_promised),
           cmocka_unit_test(test_a_copy_is_complete))
