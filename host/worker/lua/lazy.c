/* lazy: a nested object or list of the source's JSON, as a table that is filled when the script first looks into it.
 *
 * Most functions touch a few fields of a record and hand the rest on. What is not touched is written back as the very bytes
 * that came: exact, and without the cost of a tree. Until then the table holds only its JSON text, under a key the script
 * cannot have; its metatable makes every access fill it first, one level deep, and then goes away. The raw functions and `next`
 * are wrapped to do the same (environment.c), so a script cannot tell the difference. */
#include "worker/lua/state.h"

#include <string.h>

static const char TEXT_KEY = 0;

void push_lazy(lua_State *L, const struct json_value *value)
{
    lua_createtable(L, 0, 1);
    lua_pushlstring(L, value->raw.data, value->raw.size);
    lua_rawsetp(L, -2, &TEXT_KEY);
    meta_set(L, value->kind == JSON_ARRAY ? META_LAZY_ARRAY : META_LAZY_OBJECT);
}

struct str lazy_text(lua_State *L, int index)
{
    struct str text;
    lua_rawgetp(L, index, &TEXT_KEY);
    text.data = lua_tolstring(L, -1, &text.size);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static void fill(lua_State *L, int index, bool is_array)
{
    struct script *script = script_of(L);
    struct buf *scratch = &script->scratch;
    buf_clear(scratch);
    buf_append_str(scratch, lazy_text(L, index));
    if (!buf_reserve(scratch, JSONSCAN_PADDING)) luaL_error(L, "a nested value is too large");
    memset(scratch->data + scratch->size, 0, JSONSCAN_PADDING);
    lua_pushnil(L);
    lua_rawsetp(L, index, &TEXT_KEY);
    lua_pushvalue(L, index);
    if (is_array) {
        meta_set(L, META_ARRAY);
    } else {
        lua_pushnil(L);
        lua_setmetatable(L, -2);
    }
    struct jsonscan scan;
    struct json_value key, value;
    jsonscan_init(&scan, scratch->data, scratch->size);
    if (is_array && jsonscan_enter_array(&scan)) {
        for (lua_Integer at = 1; jsonscan_next_element(&scan) && jsonscan_value(&scan, &value); at++) {
            if (value.kind == JSON_NULL)
                push_null(L);
            else
                push_json_value(L, &value);
            lua_rawseti(L, -2, at);
        }
    } else if (!is_array && jsonscan_enter_object(&scan)) {
        while (jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &value)) {
            push_key(L, &key);
            push_json_value(L, &value);
            lua_rawset(L, -3);
        }
    }
    if (!jsonscan_finish(&scan)) scan_failed(L, &scan, "a nested value");
    lua_pop(L, 1);
}

void lazy_open(lua_State *L, int index)
{
    enum meta meta = meta_of(L, index);
    if (meta == META_LAZY_OBJECT || meta == META_LAZY_ARRAY) fill(L, lua_absindex(L, index), meta == META_LAZY_ARRAY);
}

static int get(lua_State *L)
{
    lazy_open(L, 1);
    lua_settop(L, 2);
    lua_rawget(L, 1);
    return 1;
}

static int set(lua_State *L)
{
    lazy_open(L, 1);
    lua_settop(L, 3);
    luaL_argcheck(L, !lua_isnil(L, 2), 2, "index is nil");
    lua_rawset(L, 1);
    return 0;
}

static int length(lua_State *L)
{
    lazy_open(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
    return 1;
}

static int each(lua_State *L)
{
    lazy_open(L, 1);
    lua_getglobal(L, "next");
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

void open_lazy(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        {"__index", get}, {"__newindex", set}, {"__len", length}, {"__pairs", each}, {NULL, NULL}};
    meta_new(L, META_LAZY_OBJECT, FUNCTIONS);
    meta_new(L, META_LAZY_ARRAY, FUNCTIONS);
}
