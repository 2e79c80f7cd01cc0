/* numeric: number texts against slow reading by hand: PostgreSQL's binary numeric holds exactly the digits and the scale of the
 * text, comparison is by value, 64 bits are exact. Input: two texts in two lines. */
#include "fuzz.h"

#include <math.h>
#include <stdio.h>

#include "base/jsonscan.h"
#include "base/number.h"
#include "data/duration.h"
#include "pg/numeric.h"

enum { INTEGER_MAX = 131072, SCALE_MAX = 16383, SLOW_MAX = 400000 };

/* A number written out: -00120.3400 is negative, "120", "3400". */
struct slow {
    bool negative, is_zero, too_large; /* too_large: more digits than are written out here */
    struct str integer, fraction;      /* without leading zeroes; all digits */
    char *digits;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t run_of_digits(const char *text)
{
    size_t size = 0;
    while (is_digit(text[size])) size++;
    return size;
}

/* False when `text` is no JSON number. */
static bool slow_read(const char *text, struct slow *slow)
{
    *slow = (struct slow){.negative = text[0] == '-'};
    text += slow->negative;
    const char *integer = text, *fraction = "";
    size_t integer_size = run_of_digits(text), fraction_size = 0;
    if (integer_size == 0 || (integer[0] == '0' && integer_size > 1)) return false;
    text += integer_size;
    if (*text == '.') {
        fraction = ++text;
        fraction_size = run_of_digits(text);
        if (fraction_size == 0) return false;
        text += fraction_size;
    }
    int64_t exponent = 0;
    if (*text == 'e' || *text == 'E') {
        bool negative = *++text == '-';
        if (*text == '+' || *text == '-') text++;
        if (!is_digit(*text)) return false;
        for (; is_digit(*text); text++)
            if (exponent < 100000000) exponent = exponent * 10 + (*text - '0');
        if (negative) exponent = -exponent;
    }
    if (*text) return false;
    slow->is_zero = true;
    for (size_t i = 0; i < integer_size; i++) slow->is_zero &= integer[i] == '0';
    for (size_t i = 0; i < fraction_size; i++) slow->is_zero &= fraction[i] == '0';
    if (slow->is_zero && exponent > 0) exponent = exponent < (int64_t)fraction_size ? exponent : (int64_t)fraction_size;
    slow->too_large = exponent > SLOW_MAX || exponent < -SLOW_MAX;
    if (slow->too_large) return true;
    /* All digits in a row, zeroes around them, the point moved. */
    size_t before = exponent < 0 ? (size_t)-exponent : 0, behind = exponent > 0 ? (size_t)exponent : 0;
    slow->digits = mem_alloc(before + integer_size + fraction_size + behind);
    memset(slow->digits, '0', before);
    memcpy(slow->digits + before, integer, integer_size);
    memcpy(slow->digits + before + integer_size, fraction, fraction_size);
    memset(slow->digits + before + integer_size + fraction_size, '0', behind);
    size_t point = (size_t)((int64_t)(before + integer_size) + exponent);
    size_t total = before + integer_size + fraction_size + (behind > fraction_size ? behind - fraction_size : 0);
    slow->integer = (struct str){slow->digits, point};
    slow->fraction = (struct str){slow->digits + point, total - point};
    while (slow->integer.size && slow->integer.data[0] == '0') slow->integer.data++, slow->integer.size--;
    return true;
}

static unsigned word_at(const unsigned char *wire, size_t index)
{
    return (unsigned)wire[2 * index] << 8 | wire[2 * index + 1];
}

/* Reads the wire form back as PostgreSQL's numeric_out does, and compares digit by digit. */
static void check_wire(const struct slow *slow, struct str number)
{
    char *out = mem_alloc(pg_numeric_bound(number.size));
    size_t size = pg_numeric_from_text(number, out);
    const unsigned char *wire = (const unsigned char *)out;
    uint8_t flags = 0;
    bool fits = !slow->too_large && slow->integer.size <= INTEGER_MAX && slow->fraction.size <= SCALE_MAX;
    CHECK(jsonscan_is_number(number, &flags));
    if (!fits) CHECK(flags & JSON_DIRTY);
    if (slow->is_zero) { /* always fits: no more zeroes than there can be */
        CHECK(size == 8 && word_at(wire, 0) == 0 && word_at(wire, 2) == 0);
        CHECK(word_at(wire, 3) == (fits ? slow->fraction.size : SCALE_MAX));
        fits = false; /* nothing more to compare */
    } else {
        bool counts_zero = number.data[slow->negative] == '0'; /* the scanner counts it as a digit */
        CHECK((size > 0) == fits && (!(flags & JSON_DIRTY) == fits || counts_zero));
    }
    if (fits) {
        size_t count = word_at(wire, 0);
        int weight = (int16_t)word_at(wire, 1);
        CHECK(size == 8 + 2 * count && size <= pg_numeric_bound(number.size));
        CHECK(word_at(wire, 2) == (slow->negative ? 0x4000u : 0u));
        CHECK(word_at(wire, 3) == slow->fraction.size);
        if (count > 0) CHECK(word_at(wire, 4) != 0 && word_at(wire, 3 + count) != 0); /* no zeroes at the ends */
        /* The decimal digit of 10^position. */
        int64_t top = (int64_t)slow->integer.size - 1, low = -(int64_t)slow->fraction.size;
        if (weight * 4 + 3 > top) top = weight * 4 + 3;
        for (int64_t position = top; position >= low; position--) {
            int64_t group = (position >= 0 ? position / 4 : -((-position + 3) / 4)), index = weight - group;
            unsigned value = index >= 0 && index < (int64_t)count ? word_at(wire, 4 + (size_t)index) : 0;
            CHECK(value < 10000);
            for (int64_t i = position - group * 4; i > 0; i--) value /= 10;
            char expected = '0';
            if (position >= 0 && position < (int64_t)slow->integer.size)
                expected = slow->integer.data[slow->integer.size - 1 - (size_t)position];
            if (position < 0) expected = slow->fraction.data[-position - 1];
            CHECK(value % 10 == (unsigned)(expected - '0'));
        }
    }
    free(out);
}

static void check_integers(const struct slow *slow, struct str number)
{
    int64_t value, scaled;
    char text[NUMBER_TEXT_MAX], wire[PG_NUMERIC_INT64], other[PG_NUMERIC_INT64 + 64];
    bool is_whole = !slow->too_large;
    for (size_t i = 0; i < slow->fraction.size; i++) is_whole = is_whole && slow->fraction.data[i] == '0';
    bool integral = number_integral(number, &value);
    if (integral) {
        CHECK(is_whole || slow->is_zero);
        size_t size = number_from_int64(value, text);
        struct str digits = {text + (value < 0), size - (value < 0)};
        CHECK(value == 0 ? slow->is_zero : str_equal(digits, slow->integer) && (value < 0) == slow->negative);
        CHECK(number_scaled(number, 0, &scaled) && scaled == value);
        size_t wire_size = pg_numeric_from_int64(value, wire);
        CHECK(pg_numeric_from_text((struct str){text, size}, other) == wire_size && memcmp(wire, other, wire_size) == 0);
    } else {
        CHECK(!is_whole || slow->integer.size >= 19);
    }
    for (int scale = 0; scale <= 9; scale++)
        if (number_scaled(number, scale, &scaled) && integral && value < 1000000 && value > -1000000) {
            for (int i = 0; i < scale; i++, scaled /= 10) CHECK(scaled % 10 == 0);
            CHECK(scaled == value);
        }
}

/* -1, 0, 1 by the digits. */
static int slow_compare(const struct slow *a, const struct slow *b)
{
    if (a->is_zero || b->is_zero || a->negative != b->negative) {
        int left = a->is_zero ? 0 : a->negative ? -1 : 1, right = b->is_zero ? 0 : b->negative ? -1 : 1;
        return (left > right) - (left < right);
    }
    int order = (a->integer.size > b->integer.size) - (a->integer.size < b->integer.size);
    for (size_t i = 0; order == 0 && i < a->integer.size; i++)
        order = (a->integer.data[i] > b->integer.data[i]) - (a->integer.data[i] < b->integer.data[i]);
    for (size_t i = 0; order == 0 && (i < a->fraction.size || i < b->fraction.size); i++) {
        char left = i < a->fraction.size ? a->fraction.data[i] : '0', right = i < b->fraction.size ? b->fraction.data[i] : '0';
        order = (left > right) - (left < right);
    }
    return a->negative ? -order : order;
}

static void check_double(struct str number, const char *terminated)
{
    double value, again;
    double expected = strtod(terminated, NULL);
    bool fits = number_to_double(number, &value);
    CHECK(fits == (isfinite(expected) != 0));
    if (!fits) return;
    CHECK(value == expected);
    char text[NUMBER_TEXT_MAX];
    size_t size = number_from_double(value, text);
    CHECK(number_is_json((struct str){text, size}) && number_to_double((struct str){text, size}, &again) && again == value);
}

static void check_units(struct str text)
{
    int64_t ms;
    uint64_t bytes;
    if (duration_parse(text, &ms)) CHECK(ms >= 0 && ms <= INT64_C(3652500) * 86400000);
    if (size_parse(text, &bytes)) CHECK(bytes <= INT64_MAX);
}

void fuzz(struct str input)
{
    char *texts[2];
    struct slow slow[2];
    bool is_number[2];
    for (int i = 0; i < 2; i++) {
        struct str line = fuzz_line(&input);
        texts[i] = fuzz_text(line);
        line.size = strlen(texts[i]);
        is_number[i] = slow_read(texts[i], &slow[i]);
        uint8_t flags;
        CHECK(number_is_json(line) == is_number[i] && jsonscan_is_number(line, &flags) == is_number[i]);
        check_units(line);
        if (!is_number[i]) continue;
        check_double(line, texts[i]);
        check_wire(&slow[i], line);
        check_integers(&slow[i], line);
    }
    if (is_number[0] && is_number[1] && !slow[0].too_large && !slow[1].too_large)
        CHECK(number_compare(str_from(texts[0]), str_from(texts[1])) == slow_compare(&slow[0], &slow[1]));
    for (int i = 0; i < 2; i++) {
        if (is_number[i]) free(slow[i].digits);
        free(texts[i]);
    }
}
