/* str: views compare, trim and split by size, never by a terminator. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"

static void test_equality_is_by_bytes_and_size(void **state)
{
    (void)state;
    assert_true(str_equal(STR("a\0b"), (struct str){"a\0b", 3}));
    assert_false(str_equal(STR("a\0b"), STR("a\0c")));
    assert_false(str_equal(STR("a"), STR("ab")));
    assert_true(str_equal((struct str){0}, STR("")));
    assert_true(str_equal(str_from(NULL), STR("")));
}

static void test_case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(str_equal_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(str_equal_nocase(STR("\xc3\x84"), STR("\xc3\xa4"))); /* two letters A with dots */
    assert_false(str_equal_nocase(STR("[@`{"), STR("{`@[")));
}

static void test_prefix_and_suffix(void **state)
{
    (void)state;
    assert_true(str_starts(STR("orders"), STR("ord")));
    assert_true(str_starts(STR("orders"), STR("")));
    assert_false(str_starts(STR("or"), STR("ord")));
    assert_true(str_ends(STR("init.lua"), STR(".lua")));
    assert_true(str_ends((struct str){0}, STR("")));
    assert_false(str_ends(STR("lua"), STR(".lua")));
}

static void test_trim_takes_white_space_at_both_ends(void **state)
{
    (void)state;
    assert_true(str_equal(str_trim(STR(" \t\r\na b\n ")), STR("a b")));
    assert_int_equal(str_trim(STR(" \n ")).size, 0);
    assert_int_equal(str_trim((struct str){0}).size, 0);
}

static size_t split(struct str text, char separator, struct str parts[8])
{
    size_t count = 0;
    struct str part;
    while (count < 8 && str_next(&text, separator, &part)) parts[count++] = part;
    return count;
}

static void test_split_keeps_empty_parts_in_the_middle(void **state)
{
    (void)state;
    struct str parts[8];
    assert_int_equal(split(STR("a,,b"), ',', parts), 3);
    assert_true(str_equal(parts[0], STR("a")));
    assert_int_equal(parts[1].size, 0);
    assert_true(str_equal(parts[2], STR("b")));
    assert_int_equal(split(STR(",a"), ',', parts), 2);
    assert_int_equal(split(STR("a,"), ',', parts), 1);
    assert_int_equal(split(STR(""), ',', parts), 0);
    assert_int_equal(split((struct str){0}, ',', parts), 0);
    assert_int_equal(split(STR("one"), ',', parts), 1);
}

static void test_split_does_not_read_past_the_view(void **state)
{
    (void)state;
    char *bytes = malloc(3); /* exactly: a sanitizer sees the fourth */
    memcpy(bytes, "a,b", 3);
    struct str parts[8];
    assert_int_equal(split((struct str){bytes, 3}, ',', parts), 2);
    assert_true(str_equal(parts[1], STR("b")));
    free(bytes);
}

static void test_a_copy_is_terminated(void **state)
{
    (void)state;
    char *copy = str_dup((struct str){"abcdef", 3});
    assert_string_equal(copy, "abc");
    free(copy);
    copy = str_dup((struct str){0});
    assert_string_equal(copy, "");
    free(copy);
}

struct row {
    const char *name;
    int number;
};

static void test_nearest_finds_the_slip_of_a_finger(void **state)
{
    (void)state;
    static const struct row ROWS[] = {{"connector", 1}, {"destination", 2}, {"schema", 3}, {NULL, 4}, {"schedule", 5}};
    const size_t count = ARRAY_SIZE(ROWS), stride = sizeof ROWS[0];
    assert_string_equal(str_nearest(STR("destinaton"), &ROWS[0].name, count, stride), "destination");
    assert_string_equal(str_nearest(STR("Schema"), &ROWS[0].name, count, stride), "schema");
    assert_string_equal(str_nearest(STR("shcema"), &ROWS[0].name, count, stride), "schema");
    assert_string_equal(str_nearest(STR("scheduel"), &ROWS[0].name, count, stride), "schedule");
    assert_null(str_nearest(STR("streams"), &ROWS[0].name, count, stride));
    assert_null(str_nearest(STR(""), &ROWS[0].name, count, stride));
    assert_null(str_nearest(STR("x"), &ROWS[0].name, 0, stride));
}

static void test_nearest_takes_words_of_any_length(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"orders"};
    char *word = malloc(100000);
    memset(word, 'o', 100000);
    assert_null(str_nearest((struct str){word, 100000}, NAMES, 1, sizeof NAMES[0]));
    free(word);
}

UNIT_TESTS(cmocka_unit_test(test_equality_is_by_bytes_and_size), cmocka_unit_test(test_case_is_ignored_for_ascii_letters_only),
           cmocka_unit_test(test_prefix_and_suffix), cmocka_unit_test(test_trim_takes_white_space_at_both_ends),
           cmocka_unit_test(test_split_keeps_empty_parts_in_the_middle),
           cmocka_unit_test(test_split_does_not_read_past_the_view), cmocka_unit_test(test_a_copy_is_terminated),
           cmocka_unit_test(test_nearest_finds_the_slip_of_a_finger), cmocka_unit_test(test_nearest_takes_words_of_any_length))
