/* number: see number.h.
 *
 * One function knows the grammar: `split` cuts a text into sign, mantissa and exponent. A nonzero number is then seen as
 * 0.d1d2d3... * 10^(point + exponent) with d1 > 0, where `point` counts from the text and so fits 64 bits, while the exponent
 * is whatever was written. Comparing needs only the order of two such sums; `compare_magnitude` decides it digit by digit,
 * from the highest, and so needs no big numbers for exponents of any length. */
#include "base/number.h"

#include <float.h>
#include <math.h>

#include "base/check.h"

/* An exponent or a position that no text in memory can balance any more: far past it, yet far from overflow. */
#define FAR_AWAY 100000000000000000LL /* 10^17 */

struct parts {
    bool negative;
    bool exponent_negative;
    struct str mantissa; /* "12.50": digits with at most one '.' */
    struct str exponent; /* "0012": digits only; empty when there is none */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str rest_of(struct str text, size_t at)
{
    return (struct str){text.data + at, text.size - at};
}

static size_t count_digits(struct str text)
{
    size_t count = 0;
    while (count < text.size && is_digit(text.data[count])) count++;
    return count;
}

/* The grammar of RFC 8259 section 6. */
static bool split(struct str text, struct parts *parts)
{
    *parts = (struct parts){0};
    if (text.size && text.data[0] == '-') {
        parts->negative = true;
        text = rest_of(text, 1);
    }
    size_t size = count_digits(text);
    if (size == 0 || (size > 1 && text.data[0] == '0')) return false;
    if (size < text.size && text.data[size] == '.') {
        size_t fraction = count_digits(rest_of(text, size + 1));
        if (fraction == 0) return false;
        size += 1 + fraction;
    }
    parts->mantissa = (struct str){text.data, size};
    text = rest_of(text, size);
    if (text.size == 0) return true;
    if (text.data[0] != 'e' && text.data[0] != 'E') return false;
    text = rest_of(text, 1);
    if (text.size && (text.data[0] == '+' || text.data[0] == '-')) {
        parts->exponent_negative = text.data[0] == '-';
        text = rest_of(text, 1);
    }
    parts->exponent = text;
    return text.size > 0 && count_digits(text) == text.size;
}

/* The mantissa from its first digit that is not 0, and where the decimal point stands from there. */
struct digits {
    struct str text; /* empty: the number is 0 */
    int64_t point;   /* "12.5" 2, "0.0125" -1 */
};

static struct digits significant(struct str mantissa)
{
    const char *dot = memchr(mantissa.data, '.', mantissa.size);
    int64_t point = (int64_t)(dot ? (size_t)(dot - mantissa.data) : mantissa.size);
    size_t at = 0;
    while (at < mantissa.size && (mantissa.data[at] == '0' || mantissa.data[at] == '.')) at++;
    bool behind_dot = (int64_t)at > point;
    return (struct digits){rest_of(mantissa, at), point - (int64_t)at + (behind_dot ? 1 : 0)};
}

/* The exponent, held at +-FAR_AWAY. */
static int64_t exponent_of(const struct parts *parts)
{
    int64_t exponent = 0;
    for (size_t i = 0; i < parts->exponent.size && exponent < FAR_AWAY; i++)
        exponent = exponent * 10 + (parts->exponent.data[i] - '0');
    if (exponent > FAR_AWAY) exponent = FAR_AWAY;
    return parts->exponent_negative ? -exponent : exponent;
}

static int digit_from_right(struct str digits, size_t place)
{
    return place < digits.size ? digits.data[digits.size - 1 - place] - '0' : 0;
}

/* The difference of two written exponents, exact within +-FAR_AWAY and held there past it: once a leading part of the
 * difference is that large, the digits to come (each adds -18 to 18 to ten times as much) cannot bring it back. */
static int64_t exponent_difference(const struct parts *a, const struct parts *b)
{
    size_t places = a->exponent.size > b->exponent.size ? a->exponent.size : b->exponent.size;
    int64_t difference = 0;
    while (places-- > 0) {
        int left = digit_from_right(a->exponent, places) * (a->exponent_negative ? -1 : 1);
        int right = digit_from_right(b->exponent, places) * (b->exponent_negative ? -1 : 1);
        difference = difference * 10 + left - right;
        if (difference >= FAR_AWAY) return FAR_AWAY;
        if (difference <= -FAR_AWAY) return -FAR_AWAY;
    }
    return difference;
}

static char next_digit(struct str *digits)
{
    if (digits->size && digits->data[0] == '.') *digits = rest_of(*digits, 1);
    if (digits->size == 0) return '0';
    char digit = digits->data[0];
    *digits = rest_of(*digits, 1);
    return digit;
}

static int compare_magnitude(const struct parts *a, const struct parts *b, struct digits left, struct digits right)
{
    int64_t difference = exponent_difference(a, b) + left.point - right.point;
    if (difference != 0) return difference < 0 ? -1 : 1;
    while (left.text.size || right.text.size) {
        char x = next_digit(&left.text), y = next_digit(&right.text);
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

int number_compare(struct str a, struct str b)
{
    struct parts left, right;
    CHECK(split(a, &left) && split(b, &right));
    struct digits left_digits = significant(left.mantissa), right_digits = significant(right.mantissa);
    int left_sign = left_digits.text.size == 0 ? 0 : left.negative ? -1 : 1;
    int right_sign = right_digits.text.size == 0 ? 0 : right.negative ? -1 : 1;
    if (left_sign != right_sign) return left_sign < right_sign ? -1 : 1;
    if (left_sign == 0) return 0;
    return left_sign * compare_magnitude(&left, &right, left_digits, right_digits);
}

bool number_is_json(struct str text)
{
    struct parts parts;
    return split(text, &parts);
}

static bool apply_sign(uint64_t magnitude, bool negative, int64_t *value)
{
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool number_to_uint64(struct str text, uint64_t *value)
{
    if (text.size == 0) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i])) return false;
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, (uint64_t)(text.data[i] - '0'), &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool number_to_int64(struct str text, int64_t *value)
{
    bool negative = text.size && text.data[0] == '-';
    uint64_t magnitude;
    return number_to_uint64(negative ? rest_of(text, 1) : text, &magnitude) && apply_sign(magnitude, negative, value);
}

/* A number cut at its decimal point, and what was cut off. */
struct cut {
    bool negative;
    uint64_t whole;
    enum { REST_NONE, REST_BELOW_HALF, REST_HALF, REST_ABOVE_HALF } rest;
};

/* Cuts the number times 10^scale. False when it is no number or its whole part is past 64 bits. */
static bool cut_number(struct str text, int scale, struct cut *cut)
{
    struct parts parts;
    if (!split(text, &parts)) return false;
    *cut = (struct cut){.negative = parts.negative};
    struct digits digits = significant(parts.mantissa);
    if (digits.text.size == 0) return true;
    int64_t places = digits.point + exponent_of(&parts) + scale; /* digits before the point */
    if (places > 20) return false;
    for (int64_t i = 0; i < places; i++) {
        uint64_t digit = (uint64_t)(next_digit(&digits.text) - '0');
        if (__builtin_mul_overflow(cut->whole, 10, &cut->whole) || __builtin_add_overflow(cut->whole, digit, &cut->whole))
            return false;
    }
    char first = places >= 0 ? next_digit(&digits.text) : '0';
    bool more = false;
    while (digits.text.size && !more) more = next_digit(&digits.text) != '0';
    if (first >= '5')
        cut->rest = first == '5' && !more ? REST_HALF : REST_ABOVE_HALF;
    else
        cut->rest = first > '0' || more ? REST_BELOW_HALF : REST_NONE;
    return true;
}

bool number_integral(struct str text, int64_t *value)
{
    struct cut cut;
    return cut_number(text, 0, &cut) && cut.rest == REST_NONE && apply_sign(cut.whole, cut.negative, value);
}

bool number_scaled(struct str text, int scale, int64_t *value)
{
    CHECK(scale >= 0 && scale <= 9);
    struct cut cut;
    if (!cut_number(text, scale, &cut)) return false;
    bool away_from_zero = cut.negative ? cut.rest > REST_HALF : cut.rest >= REST_HALF;
    if (away_from_zero && __builtin_add_overflow(cut.whole, 1, &cut.whole)) return false;
    return apply_sign(cut.whole, cut.negative, value);
}

/* strtod wants a terminator. Its locale is C: no program of ours calls setlocale. */
bool number_to_double(struct str text, double *value)
{
    if (!number_is_json(text)) return false;
    char small[128];
    char *copy = text.size < sizeof small ? small : mem_alloc(text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    double parsed = strtod(copy, NULL);
    if (copy != small) free(copy);
    if (!isfinite(parsed)) return false;
    *value = parsed;
    return true;
}

/* 15 digits always survive in a normal double, so a text of up to 15 digits that reads back is found at once ("%g" drops
 * trailing zeros); 17 always read back. Only subnormals can have shorter texts than that finds. */
size_t number_from_double(double value, char out[NUMBER_TEXT_MAX])
{
    CHECK(isfinite(value));
    int size = 0;
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        size = snprintf(out, NUMBER_TEXT_MAX, "%.*g", precision, value);
        if (strtod(out, NULL) == value) break;
    }
    return (size_t)size;
}

size_t number_from_int64(int64_t value, char out[NUMBER_TEXT_MAX])
{
    return (size_t)snprintf(out, NUMBER_TEXT_MAX, "%lld", (long long)value);
}
