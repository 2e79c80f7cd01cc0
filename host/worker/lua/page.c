/* page: what a function gets as `page` (or `response`): the body of the page being read, and what ctx.response says of it.
 *
 *     page.body        the bytes, as text         page.status, page.headers   when the host sent them
 *     page:json()      decoded, once
 *
 * The bytes stay in the request's frame until asked for. A page is of one call: kept for a later one it is refused. */
#include "worker/lua/state.h"

#include <string.h>

struct page {
    uint64_t call;
};

enum { VALUE_RESPONSE = 1, VALUE_JSON = 2 };

void push_page(lua_State *L, int context)
{
    context = lua_absindex(L, context);
    struct page *page = lua_newuserdatauv(L, sizeof *page, 2);
    page->call = script_of(L)->call;
    lua_getfield(L, context, "response");
    lua_setiuservalue(L, -2, VALUE_RESPONSE);
    meta_set(L, META_PAGE);
}

static void check_page(lua_State *L)
{
    luaL_argexpected(L, meta_of(L, 1) == META_PAGE, 1, "page");
    const struct page *page = lua_touserdata(L, 1);
    if (page->call != script_of(L)->call) luaL_error(L, "this page belongs to an earlier call");
}

static int json(lua_State *L)
{
    check_page(L);
    if (lua_getiuservalue(L, 1, VALUE_JSON) != LUA_TNIL) return 1;
    struct jsonscan scan;
    struct json_value value;
    struct str page = script_of(L)->page;
    jsonscan_init(&scan, page.data, page.size);
    if (jsonscan_peek(&scan) == JSON_OBJECT) {
        push_members(L, &scan, 8);
    } else if (jsonscan_value(&scan, &value)) {
        if (value.kind == JSON_NULL)
            push_null(L);
        else
            push_json_value(L, &value);
    }
    if (!jsonscan_finish(&scan)) scan_failed(L, &scan, "the page");
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, VALUE_JSON);
    return 1;
}

static int get(lua_State *L)
{
    check_page(L);
    const char *name = luaL_checkstring(L, 2);
    if (strcmp(name, "body") == 0) {
        struct str page = script_of(L)->page;
        lua_pushlstring(L, page.data, page.size);
    } else if (strcmp(name, "json") == 0) {
        lua_pushcfunction(L, json);
    } else if (lua_getiuservalue(L, 1, VALUE_RESPONSE) == LUA_TTABLE) {
        lua_getfield(L, -1, name);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

void open_page(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {{"__index", get}, {NULL, NULL}};
    meta_new(L, META_PAGE, FUNCTIONS);
}
