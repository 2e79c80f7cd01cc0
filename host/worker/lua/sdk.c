/* sdk: the global `sluice`. sdk/README.md is its reference, sdk/lua/sluice.lua its annotations for editors. */
#include "worker/lua/state.h"

#include <string.h>

/* select(key, cases): a value that depends on one config key. The host picks the case once the config is known. */
static int select_case(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "$select");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "cases");
    meta_set(L, META_SELECT);
    return 1;
}

/* array(t): marks a table as a list, so that it is one also when empty. */
static int array(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lazy_open(L, 1);
    if (meta_of(L, 1) == META_ARRAY) return 1;
    if (lua_getmetatable(L, 1)) return luaL_error(L, "a table with a metatable cannot be made a list");
    meta_set(L, META_ARRAY);
    return 1;
}

static int json_decode(lua_State *L)
{
    struct str text;
    struct buf *scratch = &script_of(L)->scratch;
    text.data = luaL_checklstring(L, 1, &text.size);
    buf_clear(scratch);
    buf_append_str(scratch, text);
    if (!buf_reserve(scratch, JSONSCAN_PADDING)) return luaL_error(L, "a text of more than 16 MiB cannot be decoded");
    memset(scratch->data + scratch->size, 0, JSONSCAN_PADDING);
    push_json_top(L, buf_str(scratch), "the text");
    return 1;
}

/* The text grows in a buffer of its own: the script's `out` may hold half a page of records. */
static int json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    struct buf *text = &script_of(L)->encoded;
    buf_clear(text);
    write_json(L, 1, WRITE_RECORD, 0, "the value", text);
    if (text->failed) return luaL_error(L, "a value of more than 16 MiB cannot be encoded");
    lua_pushlstring(L, buf_text(text), text->size);
    return 1;
}

void open_sdk(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        {"connector", connector_in_lua}, {"select", select_case}, {"array", array}, {NULL, NULL}};
    static const luaL_Reg JSON[] = {{"decode", json_decode}, {"encode", json_encode}, {NULL, NULL}};
    luaL_newlib(L, FUNCTIONS);
    luaL_newlib(L, JSON);
    lua_setfield(L, -2, "json");
    open_time(L);
    lua_setfield(L, -2, "time");
    open_crypto(L);
    lua_setfield(L, -2, "crypto");
    push_null(L);
    lua_setfield(L, -2, "null");
}
