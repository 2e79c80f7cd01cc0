/* meta: the shared metatables, and values as text without addresses.
 *
 * All are hidden from scripts by __metatable = false, so that none can be changed or put on something else. */
#include "worker/lua/state.h"

static void *slot(lua_State *L, enum meta meta)
{
    return (void *)(uintptr_t)&script_of(L)->meta[meta];
}

void meta_new(lua_State *L, enum meta meta, const luaL_Reg *functions)
{
    lua_newtable(L);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    luaL_setfuncs(L, functions, 0);
    script_of(L)->meta[meta] = lua_topointer(L, -1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, slot(L, meta));
    lua_pop(L, 1);
}

void meta_set(lua_State *L, enum meta meta)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, slot(L, meta));
    lua_setmetatable(L, -2);
}

enum meta meta_of(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) return META_COUNT;
    const void *metatable = lua_topointer(L, -1);
    lua_pop(L, 1);
    const struct script *script = script_of(L);
    for (int meta = 0; meta < META_COUNT; meta++)
        if (script->meta[meta] == metatable) return (enum meta)meta;
    return META_COUNT;
}

static int null_text(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

void meta_open(lua_State *L)
{
    static const luaL_Reg NONE[] = {{NULL, NULL}};
    static const luaL_Reg NULL_FUNCTIONS[] = {{"__tostring", null_text}, {NULL, NULL}};
    meta_new(L, META_ARRAY, NONE);
    meta_new(L, META_SELECT, NONE);
    meta_new(L, META_NULL, NULL_FUNCTIONS);
    open_numbers(L);
    open_secrets(L);
    open_lazy(L);
    open_page(L);
}

const char *value_text(lua_State *L, int index, size_t *size)
{
    index = lua_absindex(L, index);
    if (luaL_callmeta(L, index, "__tostring")) {
        if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
        return lua_tolstring(L, -1, size);
    }
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
    case LUA_TBOOLEAN:
    case LUA_TNIL:
        return luaL_tolstring(L, index, size);
    default:
        lua_pushstring(L, luaL_typename(L, index));
        return lua_tolstring(L, -1, size);
    }
}
