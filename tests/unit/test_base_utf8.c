/* utf8: exactly what RFC 3629 allows, shown by trying all of it. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

static void test_every_character_survives_encoding_and_reading(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        if (code >= 0xd800 && code <= 0xdfff) continue;
        char text[4];
        size_t size = utf8_encode(code, text);
        if (utf8_length((struct str){text, size}) != size) fail_msg("U+%04X is not read back", code);
        if (size > 1 && utf8_length((struct str){text, size - 1}) != 0) fail_msg("U+%04X cut short is accepted", code);
    }
}

/* By definition: decode by the bits, then refuse what is overlong, a surrogate or too large. */
static size_t length_by_definition(const unsigned char *bytes, size_t size)
{
    size_t length = bytes[0] < 0x80             ? 1
                    : (bytes[0] & 0xe0) == 0xc0 ? 2
                    : (bytes[0] & 0xf0) == 0xe0 ? 3
                    : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
    if (length == 0 || length > size) return 0;
    uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (bytes[i] & 0x3fu);
    }
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < SMALLEST[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
    return length;
}

static void test_all_beginnings_are_judged_by_the_definition(void **state)
{
    (void)state;
    static const unsigned char TAILS[] = {0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++)
            for (size_t third = 0; third < sizeof TAILS; third++)
                for (size_t fourth = 0; fourth < sizeof TAILS; fourth++) {
                    unsigned char bytes[] = {(unsigned char)first, (unsigned char)second, TAILS[third], TAILS[fourth]};
                    if (utf8_length((struct str){(char *)bytes, 4}) != length_by_definition(bytes, 4))
                        fail_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
                }
}

static void test_the_valid_prefix_ends_at_the_first_bad_byte(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        size_t valid;
    } CASES[] = {
        {{"", 0}, 0},
        {{"plain", 5}, 5},
        {{"with\0nul", 8}, 8},
        {{"\xff", 1}, 0},
        {{"\xe2\x82\xac\xe2\x82", 5}, 3},
        {{"\xc0\xaf", 2}, 0},         /* overlong / */
        {{"\xed\xa0\x80", 3}, 0},     /* U+D800 */
        {{"\xf4\x90\x80\x80", 4}, 0}, /* U+110000 */
        {{"\xef\xbb\xbf", 3}, 3},     /* a BOM is a character */
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) assert_int_equal(utf8_valid_prefix(CASES[i].text), CASES[i].valid);
}

static void test_a_bad_byte_is_found_at_every_place(void **state)
{
    (void)state;
    for (size_t size = 1; size < 40; size++)
        for (size_t at = 0; at < size; at++) {
            char *text = malloc(size); /* exactly: a sanitizer sees a read past it */
            memset(text, 'a', size);
            text[at] = '\x80';
            assert_int_equal(utf8_valid_prefix((struct str){text, size}), at);
            free(text);
        }
}

UNIT_TESTS(cmocka_unit_test(test_every_character_survives_encoding_and_reading),
           cmocka_unit_test(test_all_beginnings_are_judged_by_the_definition),
           cmocka_unit_test(test_the_valid_prefix_ends_at_the_first_bad_byte),
           cmocka_unit_test(test_a_bad_byte_is_found_at_every_place))
