/* describe: sluice.connector{...} keeps the table; describing writes it as JSON and keeps its functions by their place. */
#include "worker/lua/state.h"

static const char TABLE_KEY = 0, FUNCTIONS_KEY = 0; /* their addresses are keys in the registry */

int connector_in_lua(lua_State *L)
{
    struct script *script = script_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (script->described) return luaL_error(L, "sluice.connector is called once in a connector");
    script->described = true;
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &TABLE_KEY);
    return 1;
}

int describe_in_lua(lua_State *L)
{
    struct script *script = script_of(L);
    if (!script->described) {
        struct str file = script->load->files[0].name;
        return luaL_error(L, "%s: it never calls sluice.connector { ... }", lua_pushlstring(L, file.data, file.size));
    }
    lua_settop(L, 0);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &FUNCTIONS_KEY);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &TABLE_KEY);
    buf_clear(&script->out);
    size_t mark = wire_begin_text(&script->out, WIRE_DESCRIPTION, script->id);
    write_json(L, 2, WRITE_DESCRIPTION, 1, "the description", &script->out);
    if (script->out.failed || script->out.size > SCRIPT_MAX_DESCRIPTION)
        return luaL_error(L, "the description is larger than 1 MiB");
    wire_end_text(&script->out, mark);
    lua_pushnil(L); /* the table itself is not needed any more */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &TABLE_KEY);
    return 0;
}

void push_function(lua_State *L, struct str place)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &FUNCTIONS_KEY);
    if (!lua_istable(L, -1)) luaL_error(L, "the connector is not loaded");
    const char *name = lua_pushlstring(L, place.data, place.size);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TFUNCTION) luaL_error(L, "there is no function '%s' in the description", name);
    script_of(L)->place = name; /* the functions table keeps it */
    lua_replace(L, -3);
    lua_pop(L, 1);
}
