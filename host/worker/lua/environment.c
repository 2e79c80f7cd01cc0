/* environment: the globals a script sees, built up from an allow-list and not down by deleting.
 *
 * The standard libraries are opened into tables the script never gets; what it may have is copied out, some of it
 * replaced by a wrapper with a limit. Left out: load, loadfile, dofile, loadstring, package, io, debug, collectgarbage, most of
 * os, string.dump, math.randomseed (it shows addresses), coroutine.close, warn. */
#include "worker/lua/state.h"

#include <string.h>

enum { MAX_MOVED = 1000 * 1000 };

static int text_of_value(lua_State *L)
{
    luaL_checkany(L, 1);
    value_text(L, 1, NULL);
    return 1;
}

static int to_number(lua_State *L)
{
    if (meta_of(L, 1) == META_NUMBER) {
        struct str text = exact_number_text(L, 1);
        lua_settop(L, 0);
        lua_pushlstring(L, text.data, text.size);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* print(...): one LOG frame, up to a number of lines a call. */
static int print(lua_State *L)
{
    struct script *script = script_of(L);
    int count = lua_gettop(L);
    if (script->log_lines > SCRIPT_MAX_LOG_LINES) return 0;
    bool last = script->log_lines++ == SCRIPT_MAX_LOG_LINES;
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count && !last; i++) {
        if (i > 1) luaL_addchar(&line, '\t');
        value_text(L, i, NULL);
        luaL_addvalue(&line);
    }
    if (last) luaL_addstring(&line, "(more print lines in this call are left out)");
    luaL_pushresult(&line);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    struct buf frame = BUF_INIT(SCRIPT_MAX_LOG_LINE + 64);
    wire_write_text(&frame, WIRE_LOG, script->id, (struct str){text, size < SCRIPT_MAX_LOG_LINE ? size : SCRIPT_MAX_LOG_LINE});
    script_send(script, &frame);
    buf_release(&frame);
    return 0;
}

/* No finalizers (they run where nothing can stop them) and no weak tables (they show when memory is collected). */
static int set_metatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    static const char *const REFUSED[] = {"__gc", "__mode"};
    for (size_t i = 0; lua_istable(L, 2) && i < ARRAY_SIZE(REFUSED); i++) {
        lua_pushstring(L, REFUSED[i]);
        if (lua_rawget(L, 2) != LUA_TNIL) return luaL_error(L, "a metatable with %s is not allowed here", REFUSED[i]);
        lua_pop(L, 1);
    }
    lazy_open(L, 1);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL && meta_of(L, 1) != META_ARRAY)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* Stack: function, handler, true, then the results or the error. */
static int finish_xpcall(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - 2;
    lua_pushboolean(L, 0);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_call(L, 1, 1);
    return 2;
}

/* xpcall with the handler called after unwinding: inside an error, hooks are off and nothing could stop it. */
static int call_with_handler(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int arguments = lua_gettop(L) - 2;
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    return finish_xpcall(L, lua_pcallk(L, arguments, LUA_MULTRET, 0, 0, finish_xpcall), 0);
}

/* The raw functions see a lazy table as the full one it stands for. */
static int open_then_call(lua_State *L)
{
    if (lua_istable(L, 1)) lazy_open(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from >= MAX_MOVED)
        return luaL_error(L, "table.move moves at most %d values at once", MAX_MOVED);
    return open_then_call(L);
}

/* Copies `names` from the table at `from` to the one at `to`. */
static void copy(lua_State *L, int from, int to, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, from, *names);
        lua_setfield(L, to, *names);
    }
}

/* Puts a C function with the field's present value as its upvalue in that field's place. */
static void wrap(lua_State *L, int table, const char *name, lua_CFunction wrapper)
{
    table = lua_absindex(L, table);
    lua_getfield(L, table, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, table, name);
}

static void open_library(lua_State *L, lua_CFunction opener, const char *name)
{
    lua_pushcfunction(L, opener);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}

void open_tables(lua_State *L)
{
    static const char *const KEPT[] = {"concat", "insert", "move", "pack", "remove", "sort", "unpack", NULL};
    open_library(L, luaopen_table, "table");
    lua_newtable(L);
    copy(L, -2, lua_gettop(L), KEPT);
    wrap(L, -1, "move", move);
    lua_remove(L, -2);
}

static void open_math(lua_State *L)
{
    static const char *const KEPT[] = {"abs",  "acos",       "asin",      "atan", "ceil", "cos",    "deg",
                                       "exp",  "floor",      "fmod",      "huge", "log",  "max",    "maxinteger",
                                       "min",  "mininteger", "modf",      "pi",   "rad",  "random", "sin",
                                       "sqrt", "tan",        "tointeger", "type", "ult",  NULL};
    open_library(L, luaopen_math, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)script_of(L)->load->seed);
    lua_pushinteger(L, 0);
    lua_call(L, 2, 0);
    lua_newtable(L);
    copy(L, -2, lua_gettop(L), KEPT);
    lua_remove(L, -2);
}

void open_environment(lua_State *L)
{
    static const char *const KEPT[] = {"assert",   "error",    "getmetatable", "ipairs", "next",   "pairs",
                                       "pcall",    "rawequal", "rawget",       "rawlen", "rawset", "select",
                                       "tonumber", "type",     "_VERSION",     NULL};
    static const luaL_Reg OWN[] = {{"tostring", text_of_value},
                                   {"print", print},
                                   {"setmetatable", set_metatable},
                                   {"xpcall", call_with_handler},
                                   {NULL, NULL}};
    static const char *const SEES_LAZY[] = {"next", "rawget", "rawlen", "rawset"};
    static const struct {
        const char *name;
        void (*open)(lua_State *L);
    } LIBRARIES[] = {{"string", open_text}, {"table", open_tables},    {"math", open_math}, {"coroutine", open_coroutine},
                     {"os", open_clock},    {"require", open_modules}, {"sluice", open_sdk}};

    luaL_checkversion(L);
    open_library(L, luaopen_base, "_G");
    lua_newtable(L);
    int environment = lua_gettop(L);
    copy(L, environment - 1, environment, KEPT);
    luaL_setfuncs(L, OWN, 0);
    for (size_t i = 0; i < ARRAY_SIZE(SEES_LAZY); i++) wrap(L, environment, SEES_LAZY[i], open_then_call);
    wrap(L, environment, "tonumber", to_number);
    for (size_t i = 0; i < ARRAY_SIZE(LIBRARIES); i++) {
        LIBRARIES[i].open(L);
        lua_setfield(L, environment, LIBRARIES[i].name);
    }
    open_library(L, luaopen_utf8, "utf8");
    lua_setfield(L, environment, "utf8");
    lua_pushvalue(L, environment);
    lua_setfield(L, environment, "_G");
    lua_pushvalue(L, environment);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_settop(L, environment - 2);
}
