/* text: the string library with limits, and the metatable of strings closed.
 *
 * The limits are on what one call may be asked to do: a pattern match is one C call that no hook can interrupt. What is within
 * them and still endless, the deadline ends. string.format and string.rep are rewritten in front of the library's own. */
#include "worker/lua/state.h"

#include <string.h>

enum { MAX_TEXT = 16 * 1024 * 1024, MAX_PATTERN = 1024, MAX_FORMAT = 64 * 1024 };

static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* find, match, gmatch, gsub: subject, pattern, ... */
static int match(lua_State *L)
{
    size_t subject, pattern;
    luaL_checklstring(L, 1, &subject);
    luaL_checklstring(L, 2, &pattern);
    luaL_argcheck(L, subject <= MAX_TEXT, 1, "longer than 16 MiB");
    bool is_plain = lua_toboolean(L, 4); /* only find has this; the others' 4th argument is a count */
    luaL_argcheck(L, pattern <= MAX_PATTERN || is_plain, 2, "pattern longer than 1024 bytes");
    return call_original(L);
}

static int repeat(lua_State *L)
{
    size_t size, separator;
    luaL_checklstring(L, 1, &size);
    lua_Integer count = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    if (count <= 0 || size + separator == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (count > MAX_TEXT || size + separator > MAX_TEXT / (size_t)count)
        return luaL_error(L, "string.rep gives at most 16 MiB");
    return call_original(L);
}

/* Values other than numbers and text go in as text (%s of a table would show its address, and so would %p). */
static int format(lua_State *L)
{
    size_t size;
    const char *pattern = luaL_checklstring(L, 1, &size);
    luaL_argcheck(L, size <= MAX_FORMAT, 1, "format longer than 64 KiB");
    for (const char *at = memchr(pattern, '%', size); at; at = memchr(at, '%', (size_t)(pattern + size - at))) {
        at++;
        if (*at == '%') {
            at++;
            continue;
        }
        at += strspn(at, "-+ #0123456789.");
        if (*at == 'p') return luaL_error(L, "string.format has no %%p here");
    }
    int count = lua_gettop(L);
    for (int i = 2; i <= count; i++) {
        int type = lua_type(L, i);
        if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN || type == LUA_TNIL) continue;
        value_text(L, i, NULL);
        lua_replace(L, i);
    }
    return call_original(L);
}

void open_text(lua_State *L)
{
    static const struct {
        const char *name;
        lua_CFunction wrapper;
    } WRAPPED[] = {{"find", match}, {"match", match}, {"gmatch", match}, {"gsub", match}, {"rep", repeat}, {"format", format}};
    lua_pushcfunction(L, luaopen_string);
    lua_pushliteral(L, "string");
    lua_call(L, 1, 1);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    for (size_t i = 0; i < ARRAY_SIZE(WRAPPED); i++) {
        lua_getfield(L, -1, WRAPPED[i].name);
        lua_pushcclosure(L, WRAPPED[i].wrapper, 1);
        lua_setfield(L, -2, WRAPPED[i].name);
    }
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}
