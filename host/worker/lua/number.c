/* number: numbers cross Lua without changing. Whole numbers of 64 bits are Lua integers; others are Lua floats when the float's
 * shortest text has the same value as the source's text; what is left ("12345678901234567890", "0.1234567890123456789") is a
 * userdata that holds the text: it prints, compares and is written back exactly, and arithmetic on it is refused.
 *
 * The common case is fast: a decimal of at most 15 digits is always its float's shortest text, and is the exact quotient of two
 * doubles (Clinger 1990), in both directions. */
#include "worker/lua/state.h"

#include <math.h>
#include <string.h>

#include "base/number.h"

enum { EXACT_DIGITS = 15 };

static const double POWERS[EXACT_DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static void push_exact(lua_State *L, struct str text)
{
    memcpy(lua_newuserdatauv(L, text.size, 0), text.data, text.size);
    meta_set(L, META_NUMBER);
}

struct str exact_number_text(lua_State *L, int index)
{
    return (struct str){lua_touserdata(L, index), lua_rawlen(L, index)};
}

/* "-12.50" of at most 15 digits and without exponent; false for anything else. */
static bool short_decimal(struct str text, double *value)
{
    size_t at = text.size > 0 && text.data[0] == '-';
    bool is_negative = at == 1;
    int64_t mantissa = 0;
    size_t digits = 0, decimals = 0;
    bool in_fraction = false;
    for (; at < text.size; at++) {
        char c = text.data[at];
        if (c == '.') {
            in_fraction = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > EXACT_DIGITS) return false;
        mantissa = mantissa * 10 + (c - '0');
        decimals += in_fraction;
    }
    double magnitude = (double)mantissa / POWERS[decimals];
    *value = is_negative ? -magnitude : magnitude;
    return true;
}

void push_number(lua_State *L, struct str text, bool has_fraction)
{
    int64_t integer;
    double value;
    if (!has_fraction && number_to_int64(text, &integer)) {
        lua_pushinteger(L, integer);
        return;
    }
    if (has_fraction && short_decimal(text, &value)) {
        lua_pushnumber(L, value);
        return;
    }
    char shortest[NUMBER_TEXT_MAX];
    if (has_fraction && number_to_double(text, &value)) {
        size_t size = number_from_double(value, shortest);
        if (number_compare(text, (struct str){shortest, size}) == 0) {
            lua_pushnumber(L, value);
            return;
        }
    }
    push_exact(L, text);
}

/* A float that is a decimal of few places: v * 10^k is whole, and divided again gives v. */
static bool append_short(struct buf *out, double value)
{
    for (size_t places = 0; places <= 6; places++) {
        double scaled = value * POWERS[places];
        if (fabs(scaled) >= 1e15) return false;
        double whole = nearbyint(scaled);
        if (whole / POWERS[places] != value) continue;
        char text[NUMBER_TEXT_MAX];
        size_t size = number_from_int64((int64_t)fabs(whole), text);
        if (value < 0) buf_append_char(out, '-');
        if (size > places)
            buf_append(out, text, size - places);
        else
            buf_append_char(out, '0');
        if (places == 0) return true;
        buf_append_char(out, '.');
        for (size_t zeros = places; zeros > size; zeros--) buf_append_char(out, '0');
        size_t shown = size > places ? places : size;
        buf_append(out, text + size - shown, shown);
        return true;
    }
    return false;
}

void append_float(struct buf *out, double value)
{
    if (append_short(out, value)) return;
    char text[NUMBER_TEXT_MAX];
    buf_append(out, text, number_from_double(value, text));
}

/* The text of a plain or exact number as JSON; raises for anything else. Pushes what owns the text. */
static struct str check_number_text(lua_State *L, int index)
{
    if (meta_of(L, index) == META_NUMBER) return exact_number_text(L, index);
    luaL_checktype(L, index, LUA_TNUMBER);
    char text[NUMBER_TEXT_MAX];
    size_t size;
    if (lua_isinteger(L, index)) {
        size = number_from_int64(lua_tointeger(L, index), text);
    } else {
        if (!isfinite(lua_tonumber(L, index))) luaL_error(L, "cannot compare with a number that is not finite");
        size = number_from_double(lua_tonumber(L, index), text);
    }
    const char *copy = lua_pushlstring(L, text, size);
    return (struct str){copy, size};
}

static int compare(lua_State *L)
{
    struct str a = check_number_text(L, 1);
    return number_compare(a, check_number_text(L, 2));
}

static int exact_equal(lua_State *L)
{
    lua_pushboolean(L, compare(L) == 0);
    return 1;
}

static int exact_less(lua_State *L)
{
    lua_pushboolean(L, compare(L) < 0);
    return 1;
}

static int exact_less_or_equal(lua_State *L)
{
    lua_pushboolean(L, compare(L) <= 0);
    return 1;
}

static int exact_text(lua_State *L)
{
    struct str text = exact_number_text(L, 1);
    lua_pushlstring(L, text.data, text.size);
    return 1;
}

static int exact_concat(lua_State *L)
{
    for (int i = 1; i <= 2; i++)
        if (meta_of(L, i) != META_NUMBER && !lua_isstring(L, i))
            return luaL_error(L, "attempt to concatenate a %s value", luaL_typename(L, i));
    value_text(L, 1, NULL);
    value_text(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

static int exact_arithmetic(lua_State *L)
{
    return luaL_error(L, "this number has more digits than Lua can hold: tonumber(x) rounds it, tostring(x) keeps it");
}

void open_numbers(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {{"__tostring", exact_text},   {"__eq", exact_equal},
                                         {"__lt", exact_less},         {"__le", exact_less_or_equal},
                                         {"__concat", exact_concat},   {"__add", exact_arithmetic},
                                         {"__sub", exact_arithmetic},  {"__mul", exact_arithmetic},
                                         {"__div", exact_arithmetic},  {"__mod", exact_arithmetic},
                                         {"__pow", exact_arithmetic},  {"__unm", exact_arithmetic},
                                         {"__idiv", exact_arithmetic}, {NULL, NULL}};
    meta_new(L, META_NUMBER, FUNCTIONS);
}
