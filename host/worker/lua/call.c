/* call: a function in a value's place (path, params, pages.next, errors, ...), called once, its result as JSON. */
#include "worker/lua/state.h"

/* ctx: the context as a table. `secrets` in it names the config keys that the script gets as handles. */
void push_context(lua_State *L, struct str context_json)
{
    if (context_json.size > 0)
        push_json(L, context_json, "the context");
    else
        lua_newtable(L);
    if (!lua_istable(L, -1)) luaL_error(L, "the context is not an object");
    int context = lua_gettop(L);
    if (lua_getfield(L, context, "config") != LUA_TTABLE) {
        lua_newtable(L);
        lua_replace(L, -2);
        lua_pushvalue(L, -1);
        lua_setfield(L, context, "config");
    }
    bool has_secrets = lua_getfield(L, context, "secrets") == LUA_TTABLE;
    for (lua_Integer at = 1; has_secrets && lua_rawgeti(L, -1, at) == LUA_TSTRING; at++) {
        struct str name;
        name.data = lua_tolstring(L, -1, &name.size);
        push_secret(L, name);
        lua_rawset(L, context + 1);
    }
    lua_settop(L, context);
    lua_pushnil(L);
    lua_setfield(L, context, "secrets");
}

static void push_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
}

static void push_no_field(lua_State *L, const char *name)
{
    (void)name;
    push_page(L, 1);
}

/* What a function gets, by the end of its place: most (ctx, page), some the thing they judge and then ctx. ctx is at 1. */
static const struct {
    struct str ending;
    void (*push)(lua_State *L, const char *name);
    const char *name;
    bool before_context;
} SHAPES[] = {
    {{".errors", 7}, push_no_field, NULL, true},
    {{".action", 7}, push_no_field, NULL, true},
    {{"dynamic.stream", 14}, push_field, "record", true},
    {{"", 0}, push_no_field, NULL, false},
};

int value_in_lua(lua_State *L)
{
    struct script *script = script_of(L);
    const struct wire_call *call = lua_touserdata(L, 1);
    script->place = NULL;
    lua_settop(L, 0);
    push_context(L, call->context_json);
    push_function(L, call->name);
    size_t shape = 0;
    while (!str_ends(call->name, SHAPES[shape].ending)) shape++;
    if (!SHAPES[shape].before_context) lua_pushvalue(L, 1);
    SHAPES[shape].push(L, SHAPES[shape].name);
    if (SHAPES[shape].before_context) lua_pushvalue(L, 1);
    lua_call(L, 2, 1);
    buf_clear(&script->out);
    size_t mark = wire_begin_text(&script->out, WIRE_RESULT, script->id);
    write_json(L, -1, WRITE_VALUE, 0, "the result", &script->out);
    wire_end_text(&script->out, mark);
    if (script->out.failed) return luaL_error(L, "the result is larger than 16 MiB");
    return 0;
}
