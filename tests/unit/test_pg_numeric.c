/* Numbers on PostgreSQL's binary wire, checked word by word. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "pg/numeric.h"

/* "weight sign scale: digits" of the wire form. */
static const char *shown(const char *wire, size_t size)
{
    static char text[512];
    const unsigned char *bytes = (const unsigned char *)wire;
    int words[64];
    if (size == 0) return "refused";
    for (size_t i = 0; i < size / 2 && i < 64; i++) words[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
    assert_int_equal(size, 8 + 2 * words[0]);
    int used = snprintf(text, sizeof(text), "%d %s %d:", (int16_t)words[1], words[2] ? "-" : "+", words[3]);
    for (int i = 0; i < words[0]; i++) used += snprintf(text + used, sizeof(text) - (size_t)used, " %d", words[4 + i]);
    return text;
}

static const char *from_text(const char *number)
{
    char wire[512];
    struct str text = str_from(number);
    assert_true(pg_numeric_bound(text.size) <= sizeof(wire));
    size_t size = pg_numeric_from_text(text, wire);
    assert_true(size <= pg_numeric_bound(text.size));
    return shown(wire, size);
}

static const char *from_int(int64_t value)
{
    char wire[PG_NUMERIC_INT64];
    return shown(wire, pg_numeric_from_int64(value, wire));
}

static void test_plain_numbers(void **state)
{
    (void)state;
    assert_string_equal(from_text("0"), "0 + 0:");
    assert_string_equal(from_text("1"), "0 + 0: 1");
    assert_string_equal(from_text("-1"), "0 - 0: 1");
    assert_string_equal(from_text("10000"), "1 + 0: 1");
    assert_string_equal(from_text("12345678"), "1 + 0: 1234 5678");
    assert_string_equal(from_text("9007199254740993"), "3 + 0: 9007 1992 5474 993");
    assert_string_equal(from_text("123456789012345678901234567890"), "7 + 0: 12 3456 7890 1234 5678 9012 3456 7890");
}

static void test_fractions_keep_their_scale(void **state)
{
    (void)state;
    assert_string_equal(from_text("1.50"), "0 + 2: 1 5000");
    assert_string_equal(from_text("0.1"), "-1 + 1: 1000");
    assert_string_equal(from_text("0.00015"), "-1 + 5: 1 5000");
    assert_string_equal(from_text("0.00001"), "-2 + 5: 1000");
    assert_string_equal(from_text("-12.345"), "0 - 3: 12 3450");
    assert_string_equal(from_text("0.00"), "0 + 2:");
    assert_string_equal(from_text("-0.0"), "0 + 1:");
}

static void test_exponents_are_exact(void **state)
{
    (void)state;
    assert_string_equal(from_text("1e3"), "0 + 0: 1000");
    assert_string_equal(from_text("1E+4"), "1 + 0: 1");
    assert_string_equal(from_text("1.5e-3"), "-1 + 4: 15");
    assert_string_equal(from_text("12.50e3"), "1 + 0: 1 2500");
    assert_string_equal(from_text("1.2345e2"), "0 + 2: 123 4500");
    assert_string_equal(from_text("1e-5"), "-2 + 5: 1000");
    assert_string_equal(from_text("1e131071"), "32767 + 0: 1000");
    assert_string_equal(from_text("1e-16383"), "-4096 + 16383: 10");
    assert_string_equal(from_text("0e999999999"), "0 + 0:");
}

static void test_out_of_range_and_no_numbers_are_refused(void **state)
{
    static const char *const BAD[] = {
        "1e131072", "1e-16384", "1e99999999999999999999", "", "-", "+1", "01", ".5", "1.", "1e", "NaN", "Infinity", "0x10",
        "1 ",       "1,5"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) assert_string_equal(from_text(BAD[i]), "refused");
}

static void test_integers_equal_their_text(void **state)
{
    static const int64_t VALUES[] = {0,         1,         -1,    9999,     10000, -10001, 100000000, 9007199254740993,
                                     INT64_MAX, INT64_MIN, 50000, 120000000};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++) {
        char text[32], expected[512];
        snprintf(text, sizeof(text), "%lld", (long long)VALUES[i]);
        snprintf(expected, sizeof(expected), "%s", from_text(text));
        assert_string_equal(from_int(VALUES[i]), expected);
    }
}

UNIT_TESTS(cmocka_unit_test(test_plain_numbers), cmocka_unit_test(test_fractions_keep_their_scale),
           cmocka_unit_test(test_exponents_are_exact), cmocka_unit_test(test_out_of_range_and_no_numbers_are_refused),
           cmocka_unit_test(test_integers_equal_their_text))
