/* modules: require, among the connector's own files only. "lib.parse" is lib/parse.lua or lib/parse/init.lua. Each file runs
 * once; its value is kept. Text only: a precompiled chunk can break the interpreter. */
#include "worker/lua/state.h"

#include <string.h>

enum { MAX_NAME = 200 };

static const struct wire_file *find_file(const struct script *script, const char *name)
{
    for (size_t i = 0; i < script->load->file_count; i++)
        if (str_equal(script->load->files[i].name, str_from(name))) return &script->load->files[i];
    return NULL;
}

/* Compiles a file and leaves the function, or raises the syntax error ("init.lua:3: ..."). */
static void push_chunk(lua_State *L, const struct wire_file *file)
{
    lua_pushfstring(L, "@%s", lua_pushlstring(L, file->name.data, file->name.size));
    int status = luaL_loadbufferx(L, file->bytes.size ? file->bytes.data : "", file->bytes.size, lua_tostring(L, -1), "t");
    bool is_bytecode = file->bytes.size && file->bytes.data[0] == LUA_SIGNATURE[0]; /* no mistake, but an attempt */
    if (status == LUA_ERRSYNTAX && !is_bytecode) script_of(L)->is_no_lua = true;
    if (status != LUA_OK) lua_error(L);
}

static const struct wire_file *find_module(lua_State *L, const char *name)
{
    char path[MAX_NAME + 16];
    size_t size = strlen(name);
    if (size == 0 || size > MAX_NAME) luaL_error(L, "cannot require a name of %d bytes", (int)size);
    static const char *const ENDINGS[] = {".lua", "/init.lua"};
    for (size_t i = 0; i < ARRAY_SIZE(ENDINGS); i++) {
        snprintf(path, sizeof path, "%s%s", name, ENDINGS[i]);
        for (size_t at = 0; at < size; at++)
            if (path[at] == '.') path[at] = '/';
        const struct wire_file *file = find_file(script_of(L), path);
        if (file) return file;
    }
    luaL_error(L, "no module '%s': a connector can only require its own files", name);
    return NULL;
}

/* Upvalue 1: name -> value; false while its file runs. */
static int require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    int type = lua_rawget(L, lua_upvalueindex(1));
    if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) return luaL_error(L, "module '%s' requires itself", name);
    if (type != LUA_TNIL) return 1;
    const struct wire_file *file = find_module(L, name);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, 0);
    lua_rawset(L, lua_upvalueindex(1));
    push_chunk(L, file);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1) || (lua_isboolean(L, -1) && !lua_toboolean(L, -1))) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
    return 1;
}

void open_modules(lua_State *L)
{
    lua_newtable(L);
    lua_pushcclosure(L, require, 1);
}

void modules_run(lua_State *L)
{
    const struct wire_load *load = script_of(L)->load;
    if (load->file_count == 0) luaL_error(L, "a connector without files");
    push_chunk(L, &load->files[0]);
    lua_call(L, 0, 0);
}
