/* read: JSON to Lua values, straight from the scanner, with no tree between.
 *
 * Objects become tables, a null member is an absent one; lists become tables that stay lists when empty, a null in them is
 * sluice.null so that positions hold. Numbers are exact: number.c. */
#include "worker/lua/state.h"

static const char NULL_KEY = 0; /* its address is the key of sluice.null in the registry */

void scan_failed(lua_State *L, const struct jsonscan *scan, const char *what)
{
    luaL_error(L, "%s is not JSON: %s at byte %d", what, scan->error ? scan->error : "something follows its end",
               (int)jsonscan_offset(scan));
    __builtin_unreachable();
}

static void push_text(lua_State *L, const struct json_value *value)
{
    if (!(value->flags & (JSON_ESCAPED | JSON_DIRTY))) {
        lua_pushlstring(L, value->raw.data, value->raw.size);
        return;
    }
    struct arena *arena = &script_of(L)->arena;
    struct str text = jsonscan_text(value, arena, NULL);
    if (!text.data && text.size > 0) luaL_error(L, "a text is too large");
    lua_pushlstring(L, text.data, text.size);
    arena_clear(arena);
}

void push_key(lua_State *L, const struct json_value *key)
{
    push_text(L, key);
}

void push_json_value(lua_State *L, const struct json_value *value)
{
    switch ((enum json_kind)value->kind) {
    case JSON_NULL:
        lua_pushnil(L);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        lua_pushboolean(L, value->kind == JSON_TRUE);
        break;
    case JSON_NUMBER:
        push_number(L, value->raw, value->flags & JSON_FRACTION);
        break;
    case JSON_STRING:
        push_text(L, value);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        push_lazy(L, value);
        break;
    }
}

size_t push_members(lua_State *L, struct jsonscan *scan, size_t guess)
{
    struct json_value key, value;
    size_t count = 0;
    lua_createtable(L, 0, (int)(guess < 1024 ? guess : 1024));
    if (!jsonscan_enter_object(scan)) return 0;
    while (jsonscan_next_key(scan, &key) && jsonscan_value(scan, &value)) {
        push_key(L, &key);
        push_json_value(L, &value);
        lua_rawset(L, -3);
        count++;
    }
    return count;
}

void push_null(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &NULL_KEY);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_newuserdatauv(L, 0, 0);
    meta_set(L, META_NULL);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &NULL_KEY);
}

/* The next value whole. The caller checks the scanner once at the end. */
static void push_deep(lua_State *L, struct jsonscan *scan, int depth)
{
    if (depth > SCRIPT_MAX_DEPTH) luaL_error(L, "JSON deeper than %d levels", SCRIPT_MAX_DEPTH);
    luaL_checkstack(L, 6, NULL);
    struct json_value value;
    int kind = jsonscan_peek(scan);
    if (kind == JSON_OBJECT) {
        lua_newtable(L);
        jsonscan_enter_object(scan);
        while (jsonscan_next_key(scan, &value)) {
            push_key(L, &value);
            push_deep(L, scan, depth + 1);
            lua_rawset(L, -3);
        }
    } else if (kind == JSON_ARRAY) {
        lua_newtable(L);
        meta_set(L, META_ARRAY);
        jsonscan_enter_array(scan);
        for (lua_Integer at = 1; jsonscan_next_element(scan); at++) {
            push_deep(L, scan, depth + 1);
            if (lua_isnil(L, -1)) {
                lua_pop(L, 1);
                push_null(L);
            }
            lua_rawseti(L, -2, at);
        }
    } else if (jsonscan_value(scan, &value)) {
        push_json_value(L, &value);
    } else {
        lua_pushnil(L);
    }
}

void push_json(lua_State *L, struct str text, const char *what)
{
    struct jsonscan scan;
    jsonscan_init(&scan, text.data, text.size);
    push_deep(L, &scan, 0);
    if (!jsonscan_finish(&scan)) scan_failed(L, &scan, what);
}

void push_json_top(lua_State *L, struct str text, const char *what)
{
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, text.data, text.size);
    if (!jsonscan_value(&scan, &value) || !jsonscan_finish(&scan)) scan_failed(L, &scan, what);
    if (value.kind == JSON_NULL)
        push_null(L);
    else
        push_json_value(L, &value);
}
