/* duration: see duration.h. Both are a decimal number and a unit from a table, and exact: the number is kept as its digits and
 * a power of ten, so that 1.1h is 3960000 ms and 0.1ms is refused rather than rounded. */
#include "data/duration.h"

#include <stddef.h>

#include "base/check.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* The first row is the unit of a bare number. */
static const struct unit DURATION_UNITS[] = {
    {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
};

static const struct unit SIZE_UNITS[] = {
    {"B", 1},     {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},   {"TiB", 1ULL << 40},
    {"KB", 1000}, {"MB", 1000000},     {"GB", 1000000000},  {"TB", 1000000000000},
};

#define DURATION_MAX_MS (3652500ULL * 86400000) /* 10,000 years */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "12.50" -> 1250 and 100; moves *text behind it. */
static bool scan_decimal(struct str *text, uint64_t *digits, uint64_t *divisor)
{
    bool in_fraction = false;
    size_t at = 0;
    *digits = 0;
    *divisor = 1;
    for (; at < text->size; at++) {
        char c = text->data[at];
        if (c == '.' && !in_fraction && at > 0) {
            in_fraction = true;
            continue;
        }
        if (!is_digit(c)) break;
        if (__builtin_mul_overflow(*digits, 10, digits) || __builtin_add_overflow(*digits, (uint64_t)(c - '0'), digits))
            return false;
        if (in_fraction && __builtin_mul_overflow(*divisor, 10, divisor)) return false;
    }
    if (at == 0 || !is_digit(text->data[at - 1])) return false;
    *text = (struct str){text->data + at, text->size - at};
    return true;
}

static bool find_unit(struct str name, const struct unit *units, size_t count, bool any_case, uint64_t *factor)
{
    for (size_t i = 0; i < count; i++) {
        struct str unit = str_from(units[i].name);
        if (name.size && !(any_case ? str_equal_nocase(name, unit) : str_equal(name, unit))) continue;
        *factor = units[i].factor;
        return true;
    }
    return false;
}

/* digits / divisor * factor, when that is a whole number up to `max`. */
static bool scale(uint64_t digits, uint64_t divisor, uint64_t factor, uint64_t max, uint64_t *result)
{
    unsigned __int128 product = (unsigned __int128)digits * factor;
    if (product % divisor != 0 || product / divisor > max) return false;
    *result = (uint64_t)(product / divisor);
    return true;
}

bool duration_parse(struct str text, int64_t *ms)
{
    uint64_t digits, divisor, factor, result;
    if (!scan_decimal(&text, &digits, &divisor) ||
        !find_unit(text, DURATION_UNITS, ARRAY_SIZE(DURATION_UNITS), false, &factor) ||
        !scale(digits, divisor, factor, DURATION_MAX_MS, &result))
        return false;
    *ms = (int64_t)result;
    return true;
}

bool size_parse(struct str text, uint64_t *bytes)
{
    uint64_t digits, divisor, factor;
    return scan_decimal(&text, &digits, &divisor) && find_unit(text, SIZE_UNITS, ARRAY_SIZE(SIZE_UNITS), true, &factor) &&
           scale(digits, divisor, factor, INT64_MAX, bytes);
}
