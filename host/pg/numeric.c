/* How it works: the significant digits, wherever the point stands among them, are cut into groups of four counted from the
 * point. Nothing is ever computed with, so nothing is ever rounded. */
#include "pg/numeric.h"

#include <stdbool.h>

#include "base/number.h"
#include "pg/copy.h"

enum { NUMERIC_NEGATIVE = 0x4000, MAX_WEIGHT = 32767, MAX_SCALE = 16383, MAX_EXPONENT = 1000000 };

/* A number's text taken apart. Digit i of `count` is at text[i], past the point at text[i + 1]. */
struct parts {
    const char *digits;
    size_t count;    /* digits, leading and trailing zeros included */
    size_t integral; /* of them before the point */
    int64_t exponent;
    bool is_negative;
};

static char digit_at(const struct parts *parts, size_t index)
{
    return parts->digits[index < parts->integral ? index : index + 1];
}

static struct parts take_apart(struct str number)
{
    struct parts parts = {0};
    size_t at = 0;
    if (number.data[at] == '-') {
        parts.is_negative = true;
        at++;
    }
    parts.digits = number.data + at;
    while (at < number.size && number.data[at] >= '0' && number.data[at] <= '9') at++, parts.integral++;
    parts.count = parts.integral;
    if (at < number.size && number.data[at] == '.')
        for (at++; at < number.size && number.data[at] >= '0' && number.data[at] <= '9'; at++) parts.count++;
    if (at < number.size) { /* 'e' */
        at++;
        bool down = number.data[at] == '-';
        if (down || number.data[at] == '+') at++;
        for (; at < number.size; at++)
            if (parts.exponent < MAX_EXPONENT) parts.exponent = parts.exponent * 10 + (number.data[at] - '0');
        if (down) parts.exponent = -parts.exponent;
    }
    return parts;
}

static size_t write_header(char *out, uint16_t digits, int64_t weight, bool is_negative, int64_t scale)
{
    pg_put16(out, digits);
    pg_put16(out + 2, (uint16_t)weight);
    pg_put16(out + 4, is_negative ? NUMERIC_NEGATIVE : 0);
    pg_put16(out + 6, (uint16_t)scale);
    return 8 + (size_t)digits * 2;
}

size_t pg_numeric_from_text(struct str number, char *out)
{
    if (!number_is_json(number)) return 0;
    struct parts parts = take_apart(number);
    int64_t scale = (int64_t)(parts.count - parts.integral) - parts.exponent;
    if (scale < 0) scale = 0;
    size_t first = 0, end = parts.count;
    while (first < end && digit_at(&parts, first) == '0') first++;
    while (end > first && digit_at(&parts, end - 1) == '0') end--;
    if (first == end) return write_header(out, 0, 0, false, scale > MAX_SCALE ? MAX_SCALE : scale);
    if (scale > MAX_SCALE) return 0;
    /* The power of ten of the first digit, and of the group of four it is in. */
    int64_t power = (int64_t)parts.integral - 1 - (int64_t)first + parts.exponent;
    int64_t weight = power >= 0 ? power / 4 : -((3 - power) / 4);
    if (weight > MAX_WEIGHT) return 0;
    size_t group = (size_t)(power - weight * 4) + 1; /* digits in the first group */
    size_t count = 0;
    for (size_t at = first; at < end; group = 4) {
        unsigned value = 0;
        for (size_t i = 0; i < group; i++, at++) value = value * 10 + (at < end ? (unsigned)(digit_at(&parts, at) - '0') : 0);
        pg_put16(out + 8 + 2 * count++, (uint16_t)value);
    }
    return write_header(out, (uint16_t)count, weight, parts.is_negative, scale);
}

size_t pg_numeric_from_int64(int64_t value, char out[PG_NUMERIC_INT64])
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint16_t groups[5];
    size_t count = 0, low = 0;
    for (; rest; rest /= 10000) groups[count++] = (uint16_t)(rest % 10000);
    while (low < count && groups[low] == 0) low++;
    for (size_t i = count; i-- > low;) pg_put16(out + 8 + 2 * (count - 1 - i), groups[i]);
    return write_header(out, (uint16_t)(count - low), count ? (int64_t)count - 1 : 0, value < 0, 0);
}
