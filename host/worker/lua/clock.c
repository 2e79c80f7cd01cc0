/* clock: os.time, os.date, os.clock, os.difftime and sluice.time on the time at which the sync began. It stands still: the same
 * input gives the same output whenever a page is fetched, and again after a crash. All is UTC.
 *
 * Instants in Lua are seconds since 1970, an integer when whole, as in os.time. */
#include "worker/lua/state.h"

#include <math.h>

#include "base/time.h"

enum { MICROSECONDS = 1000000 };

static void push_instant(lua_State *L, int64_t instant_us)
{
    if (instant_us % MICROSECONDS == 0)
        lua_pushinteger(L, instant_us / MICROSECONDS);
    else
        lua_pushnumber(L, (double)instant_us / MICROSECONDS);
}

static int64_t check_instant(lua_State *L, int index)
{
    if (lua_isinteger(L, index)) {
        lua_Integer seconds = lua_tointeger(L, index);
        luaL_argcheck(L, seconds > -100000000000 && seconds < 300000000000, index, "outside the years 1 to 9999");
        return seconds * MICROSECONDS;
    }
    double seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds > -1e11 && seconds < 3e11, index, "outside the years 1 to 9999");
    return (int64_t)floor(seconds * MICROSECONDS + 0.5);
}

static int64_t instant_or_now(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? script_of(L)->load->now_us : check_instant(L, index);
}

static int64_t table_field(lua_State *L, const char *name, int64_t fallback)
{
    lua_getfield(L, 1, name);
    int is_number;
    lua_Integer value = lua_tointegerx(L, -1, &is_number);
    if (!is_number && (!lua_isnil(L, -1) || fallback < 0)) luaL_error(L, "field '%s' is missing in the date table", name);
    lua_pop(L, 1);
    if (is_number && (value < -100000 || value > 100000)) luaL_error(L, "field '%s' is out of range", name);
    return is_number ? value : fallback;
}

static int os_time(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, script_of(L)->load->now_us / MICROSECONDS);
        return 1;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    int64_t year = table_field(L, "year", -1), month = table_field(L, "month", -1) - 1;
    int64_t day = table_field(L, "day", -1), hour = table_field(L, "hour", 12);
    year += month >= 0 ? month / 12 : (month - 11) / 12; /* month 14 is February of the next year, as in C */
    month = (month % 12 + 12) % 12;
    if (year < 1 || year > 9999) return luaL_error(L, "year outside 1 to 9999");
    int64_t seconds = (time_days((int)year, (int)month + 1, 1) + day - 1) * 86400 + hour * 3600;
    lua_pushinteger(L, seconds + table_field(L, "min", 0) * 60 + table_field(L, "sec", 0));
    return 1;
}

static void push_civil(lua_State *L, int64_t instant_us)
{
    struct civil civil;
    time_to_civil(instant_us, &civil);
    int64_t days = time_days(civil.year, civil.month, civil.day);
    const struct {
        const char *name;
        int64_t value;
    } FIELDS[] = {{"year", civil.year},
                  {"month", civil.month},
                  {"day", civil.day},
                  {"hour", civil.hour},
                  {"min", civil.minute},
                  {"sec", civil.second},
                  {"wday", ((days + 4) % 7 + 7) % 7 + 1},
                  {"yday", days - time_days(civil.year, 1, 1) + 1}};
    lua_createtable(L, 0, 9);
    for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) {
        lua_pushinteger(L, FIELDS[i].value);
        lua_setfield(L, -2, FIELDS[i].name);
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "isdst");
}

static int write_instant(lua_State *L, int64_t instant_us, const char *pattern)
{
    char text[256];
    size_t size = time_format_is_valid(pattern) ? time_write_format(instant_us, pattern, text, sizeof text) : 0;
    if (size == 0) return luaL_error(L, "cannot write a time as '%s'", pattern);
    lua_pushlstring(L, text, size);
    return 1;
}

static int os_date(lua_State *L)
{
    const char *pattern = luaL_optstring(L, 1, "%Y-%m-%dT%H:%M:%SZ");
    int64_t instant_us = instant_or_now(L, 2);
    if (*pattern == '!') pattern++; /* always UTC here */
    if (pattern[0] != '*' || pattern[1] != 't') return write_instant(L, instant_us, pattern);
    push_civil(L, instant_us);
    return 1;
}

static int os_clock(lua_State *L)
{
    lua_pushnumber(L, 0);
    return 1;
}

static int os_difftime(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) - luaL_checknumber(L, 2));
    return 1;
}

void open_clock(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        {"time", os_time}, {"date", os_date}, {"clock", os_clock}, {"difftime", os_difftime}, {NULL, NULL}};
    luaL_newlib(L, FUNCTIONS);
}

static int time_now(lua_State *L)
{
    push_instant(L, script_of(L)->load->now_us);
    return 1;
}

/* parse(text, format): nil when the text is no time. */
static int time_parse(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    const char *pattern = luaL_optstring(L, 2, "iso8601");
    if (!time_format_is_valid(pattern)) return luaL_error(L, "unknown time format '%s'", pattern);
    int64_t instant_us;
    if (time_parse_format((struct str){text, size}, pattern, &instant_us))
        push_instant(L, instant_us);
    else
        lua_pushnil(L);
    return 1;
}

static int time_format(lua_State *L)
{
    return write_instant(L, instant_or_now(L, 1), luaL_optstring(L, 2, "iso8601"));
}

void open_time(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {{"now", time_now}, {"parse", time_parse}, {"format", time_format}, {NULL, NULL}};
    luaL_newlib(L, FUNCTIONS);
}
