/* number: numbers as text, exactly, for any length and exponent. */
#include "unit.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"

/* A fixed sequence of 64-bit numbers (xorshift): the same in every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_integers_of_64_bits_and_not_one_more(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_signed, is_unsigned;
    } CASES[] = {
        {"0", true, true},
        {"-0", true, false},
        {"007", true, true},
        {"9223372036854775807", true, true},
        {"9223372036854775808", false, true},
        {"-9223372036854775808", true, false},
        {"-9223372036854775809", false, false},
        {"18446744073709551615", false, true},
        {"18446744073709551616", false, false},
        {"99999999999999999999", false, false},
        {"", false, false},
        {"-", false, false},
        {"+7", false, false},
        {" 7", false, false},
        {"7 ", false, false},
        {"1.0", false, false},
        {"1e3", false, false},
        {"0x10", false, false},
        {"--1", false, false},
        {"1_000", false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t value;
        uint64_t natural;
        if (number_to_int64(str_from(CASES[i].text), &value) != CASES[i].is_signed) fail_msg("int64 '%s'", CASES[i].text);
        if (number_to_uint64(str_from(CASES[i].text), &natural) != CASES[i].is_unsigned) fail_msg("uint64 '%s'", CASES[i].text);
    }
    int64_t value;
    assert_true(number_to_int64(STR("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_false(number_to_int64((struct str){"1\0", 2}, &value));
    assert_false(number_to_int64((struct str){0}, &value));
}

static void test_the_grammar_is_that_of_json(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"0", "-0", "10", "1.5", "-1.50", "0.001", "1e3", "1E+3", "1e-003", "1.5e10", "0e0"};
    static const char *const BAD[] = {"",   "-",     "+1", "01", "-01", "00",  ".5",       "5.",  "1.e3",  "1e",  "1e+",
                                      "e5", "1.2.3", "1 ", " 1", "0x1", "NaN", "Infinity", "inf", "1e5.5", "1,5", "1e5e5"};
    double value;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        assert_true(number_is_json(str_from(GOOD[i])));
        assert_true(number_to_double(str_from(GOOD[i]), &value));
    }
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        if (number_is_json(str_from(BAD[i]))) fail_msg("'%s' was accepted", BAD[i]);
        assert_false(number_to_double(str_from(BAD[i]), &value));
    }
    assert_false(number_is_json((struct str){"1\0", 2}));
}

static void test_doubles_are_the_nearest_and_finite(void **state)
{
    (void)state;
    double value;
    assert_true(number_to_double(STR("19.99"), &value) && value == 19.99);
    assert_true(number_to_double(STR("9007199254740993"), &value) && value == 9007199254740992.0);
    assert_true(number_to_double(STR("1e-400"), &value) && value == 0);
    assert_true(number_to_double(STR("-0"), &value) && value == 0 && signbit(value));
    assert_false(number_to_double(STR("1e400"), &value));
    assert_false(number_to_double(STR("-1e999999999999999999999999"), &value));
    assert_true(number_to_double(STR("1e-999999999999999999999999"), &value) && value == 0);
}

static void test_long_texts_are_read_whole(void **state)
{
    (void)state;
    size_t size = 100000;
    char *text = malloc(size);
    memset(text, '0', size);
    memcpy(text, "0.", 2);
    memcpy(text + size - 1, "1", 1);
    double value;
    assert_true(number_to_double((struct str){text, size}, &value) && value == 0);
    memset(text, '9', size);
    assert_false(number_to_double((struct str){text, size}, &value));
    int64_t integer;
    assert_false(number_integral((struct str){text, size}, &integer));
    free(text);
}

static void test_integral_sees_the_value_not_the_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_integral;
        int64_t value;
    } CASES[] = {
        {"1", true, 1},
        {"1.0", true, 1},
        {"1e3", true, 1000},
        {"-0", true, 0},
        {"0.000", true, 0},
        {"-1.50e1", true, -15},
        {"1500e-2", true, 15},
        {"0.0012e4", true, 12},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808.000", true, INT64_MIN},
        {"922337203685477580.7e1", true, INT64_MAX},
        {"0e999999999999999999999", true, 0},
        {"0.0e-99999999999999999999", true, 0},
        {"1e18", true, 1000000000000000000},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"1.5", false, 0},
        {"1e-1", false, 0},
        {"1e19", false, 0},
        {"1e999999999999999999999", false, 0},
        {"1e-999999999999999999999", false, 0},
        {"0.5", false, 0},
        {"abc", false, 0},
        {"", false, 0},
        {"1.00000000000000000000000000000001", false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t value = -1;
        if (number_integral(str_from(CASES[i].text), &value) != CASES[i].is_integral) fail_msg("'%s'", CASES[i].text);
        if (CASES[i].is_integral && value != CASES[i].value) fail_msg("'%s' gave %" PRId64, CASES[i].text, value);
    }
}

static void test_scaled_rounds_half_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int scale;
        int64_t value;
    } CASES[] = {
        {"1.5", 3, 1500},
        {"1.0005", 3, 1001},
        {"1.00049999", 3, 1000},
        {"-1.0005", 3, -1000},
        {"-1.00050001", 3, -1001},
        {"0.5", 0, 1},
        {"-0.5", 0, 0},
        {"0.49", 0, 0},
        {"0.05", 0, 0},
        {"-0.51", 0, -1},
        {"1.7053128e9", 6, 1705312800000000},
        {"1705312800.123456", 6, 1705312800123456},
        {"1e-30", 6, 0},
        {"0", 9, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t value = -99;
        assert_true(number_scaled(str_from(CASES[i].text), CASES[i].scale, &value));
        if (value != CASES[i].value) fail_msg("'%s' gave %" PRId64, CASES[i].text, value);
    }
    int64_t value;
    assert_false(number_scaled(STR("9223372036854775807.5"), 0, &value));
    assert_true(number_scaled(STR("-9223372036854775808.5"), 0, &value));
    assert_false(number_scaled(STR("9223372036854775807"), 1, &value));
    assert_false(number_scaled(STR("1e999999999999"), 0, &value));
    assert_false(number_scaled(STR("01"), 0, &value));
}

/* Rising by value; what stands in one row is equal. */
static const char *const ORDER[][5] = {
    {"-1e100000000000000000001"},
    {"-1e100000000000000000000", "-10e99999999999999999999", "-0.1e100000000000000000001"},
    {"-1e20", "-100000000000000000000"},
    {"-9007199254740993"},
    {"-9007199254740992", "-9007199254740992.0"},
    {"-1.5", "-1.50", "-15e-1"},
    {"-1.49999999999999999999999999999999"},
    {"-1e-100000000000000000000"},
    {"0", "-0", "0.000", "0e99999999999999999999999", "-0.0e-5"},
    {"1e-100000000000000000001"},
    {"1e-100000000000000000000", "0.001e-99999999999999999997"},
    {"0.1", "1e-1", "0.10", "10e-2", "0.0001e3"},
    {"0.11"},
    {"0.9"},
    {"1", "1.0", "1e0", "10e-1", "0.01e+2"},
    {"1.0000000000000000000000000000000000000001"},
    {"9"},
    {"10", "1e1", "1E001"},
    {"19.98"},
    {"19.99"},
    {"9007199254740992"},
    {"9007199254740993"},
    {"1e300"},
    {"1e99999999999999999"},
    {"1e100000000000000000", "0.1e100000000000000001"},
    {"1e100000000000000000000000000000000000000000"},
    {"2e100000000000000000000000000000000000000000"},
};

static void test_comparison_is_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++)
        for (size_t k = 0; k < ARRAY_SIZE(ORDER); k++)
            for (size_t a = 0; a < 5 && ORDER[i][a]; a++)
                for (size_t b = 0; b < 5 && ORDER[k][b]; b++) {
                    int expected = (i > k) - (i < k);
                    if (number_compare(str_from(ORDER[i][a]), str_from(ORDER[k][b])) != expected)
                        fail_msg("%s against %s is not %d", ORDER[i][a], ORDER[k][b], expected);
                }
}

static void test_comparison_agrees_with_integers(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        int64_t a = (int64_t)next_random(&seed) >> (next_random(&seed) % 60);
        int64_t b = i % 3 ? (int64_t)next_random(&seed) >> (next_random(&seed) % 60) : a;
        char left[NUMBER_TEXT_MAX], right[NUMBER_TEXT_MAX], spelled[64];
        size_t left_size = number_from_int64(a, left);
        (void)number_from_int64(b, right);
        int spelled_size = snprintf(spelled, sizeof spelled, b ? "%s000.00e-3" : "%s.00e-3", right);
        int expected = (a > b) - (a < b);
        if (number_compare((struct str){left, left_size}, (struct str){spelled, (size_t)spelled_size}) != expected)
            fail_msg("%s against %s is not %d", left, spelled, expected);
    }
}

static void test_doubles_read_back_as_themselves(void **state)
{
    (void)state;
    static const double EDGES[] = {
        0.0, 1.0, 0.1, 19.99, 1e300, 5e-324, DBL_MIN, DBL_MAX, DBL_EPSILON, 1e15, 1e16, 1e17, 123456789012345680.0};
    char text[NUMBER_TEXT_MAX];
    double back;
    for (size_t i = 0; i < ARRAY_SIZE(EDGES); i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            size_t size = number_from_double(sign * EDGES[i], text);
            assert_true(number_to_double((struct str){text, size}, &back));
            assert_true(back == sign * EDGES[i] && signbit(back) == signbit(sign * EDGES[i]));
        }
    uint64_t seed = 2463534242u;
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = next_random(&seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        size_t size = number_from_double(value, text);
        if (!number_is_json((struct str){text, size})) fail_msg("'%s' is not JSON", text);
        assert_true(number_to_double((struct str){text, size}, &back));
        if (back != value) fail_msg("%a became '%s'", value, text);
        assert_int_equal(strlen(text), size);
    }
}

static void test_doubles_are_written_as_short_as_possible(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } CASES[] = {{19.99, "19.99"},
                 {0.1, "0.1"},
                 {1e300, "1e+300"},
                 {5e-324, "5e-324"},
                 {-0.0, "-0"},
                 {3, "3"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1.0 / 3, "0.3333333333333333"},
                 {100, "100"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char text[NUMBER_TEXT_MAX];
        (void)number_from_double(CASES[i].value, text);
        assert_string_equal(text, CASES[i].text);
    }
}

static void test_integers_are_written_in_full(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_MAX];
    assert_int_equal(number_from_int64(INT64_MIN, text), 20);
    assert_string_equal(text, "-9223372036854775808");
    assert_int_equal(number_from_int64(0, text), 1);
    assert_string_equal(text, "0");
}

UNIT_TESTS(cmocka_unit_test(test_integers_of_64_bits_and_not_one_more), cmocka_unit_test(test_the_grammar_is_that_of_json),
           cmocka_unit_test(test_doubles_are_the_nearest_and_finite), cmocka_unit_test(test_long_texts_are_read_whole),
           cmocka_unit_test(test_integral_sees_the_value_not_the_spelling), cmocka_unit_test(test_scaled_rounds_half_up),
           cmocka_unit_test(test_comparison_is_exact), cmocka_unit_test(test_comparison_agrees_with_integers),
           cmocka_unit_test(test_doubles_read_back_as_themselves),
           cmocka_unit_test(test_doubles_are_written_as_short_as_possible), cmocka_unit_test(test_integers_are_written_in_full))
