/* coroutine: create, resume, wrap, yield and friends, written again so that the deadline always knows which thread runs: a hook
 * set by a signal must reach it. No close: stock 5.4.4 can be crashed with it. */
#include "worker/lua/state.h"

static int create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *thread = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, thread, 1);
    return 1;
}

/* Resumes with the `count` values on top of L. Results of the thread on L and their number; or -1 and the error on L. */
static int resume_thread(lua_State *L, lua_State *thread, int count)
{
    if (!lua_checkstack(thread, count)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    struct script *script = script_of(L);
    lua_xmove(L, thread, count);
    int result_count;
    script->running = thread;
    int status = lua_resume(thread, L, count, &result_count);
    script->running = L;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(thread, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, result_count + 1)) {
        lua_pop(thread, result_count);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(thread, L, result_count);
    return result_count;
}

static lua_State *check_thread(lua_State *L)
{
    lua_State *thread = lua_tothread(L, 1);
    luaL_argexpected(L, thread, 1, "coroutine");
    return thread;
}

/* May it be resumed? A thread that ran to its end, failed, or runs now cannot. */
static const char *thread_status(lua_State *L, lua_State *thread)
{
    if (L == thread) return "running";
    switch (lua_status(thread)) {
    case LUA_YIELD:
        return "suspended";
    case LUA_OK: {
        lua_Debug debug;
        if (lua_getstack(thread, 0, &debug)) return "normal";
        return lua_gettop(thread) == 0 ? "dead" : "suspended";
    }
    default:
        return "dead";
    }
}

static bool can_resume(lua_State *L, lua_State *thread)
{
    const char *status = thread_status(L, thread);
    if (status[0] == 's') return true;
    lua_pushfstring(L, "cannot resume %s coroutine", status[0] == 'd' ? "dead" : "non-suspended");
    return false;
}

static int resume(lua_State *L)
{
    lua_State *thread = check_thread(L);
    int count = can_resume(L, thread) ? resume_thread(L, thread, lua_gettop(L) - 1) : -1;
    lua_pushboolean(L, count >= 0);
    lua_insert(L, count >= 0 ? -(count + 1) : -2);
    return count >= 0 ? count + 1 : 2;
}

static int resume_wrapped(lua_State *L)
{
    lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
    int count = can_resume(L, thread) ? resume_thread(L, thread, lua_gettop(L)) : -1;
    if (count >= 0) return count;
    if (lua_type(L, -1) == LUA_TSTRING) { /* say where it was resumed, as the stock library does */
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap(lua_State *L)
{
    create(L);
    lua_pushcclosure(L, resume_wrapped, 1);
    return 1;
}

static int yield(lua_State *L)
{
    return lua_yield(L, lua_gettop(L));
}

static int status(lua_State *L)
{
    lua_pushstring(L, thread_status(L, check_thread(L)));
    return 1;
}

static int is_yieldable(lua_State *L)
{
    lua_pushboolean(L, lua_isyieldable(L));
    return 1;
}

static int running(lua_State *L)
{
    int is_main = lua_pushthread(L);
    lua_pushboolean(L, is_main);
    return 2;
}

void open_coroutine(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {{"create", create},   {"resume", resume}, {"wrap", wrap},
                                         {"yield", yield},     {"status", status}, {"isyieldable", is_yieldable},
                                         {"running", running}, {NULL, NULL}};
    luaL_newlib(L, FUNCTIONS);
}
