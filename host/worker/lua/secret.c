/* secret: handles. A script can join one with text and put it where a request needs it; it cannot read it.
 *
 * A handle is a list of parts, kept as the JSON that goes over the wire: `"Bearer ",{"$secret":"api_key"}`. The value itself is
 * never in this process. */
#include "worker/lua/state.h"

#include "base/utf8.h"

enum { MAX_PARTS = 64 * 1024 };

static void push_handle(lua_State *L, struct str parts)
{
    lua_newuserdatauv(L, 0, 1);
    lua_pushlstring(L, parts.data, parts.size);
    lua_setiuservalue(L, -2, 1);
    meta_set(L, META_SECRET);
}

void push_secret(lua_State *L, struct str name)
{
    struct buf *parts = &script_of(L)->scratch;
    buf_clear(parts);
    buf_append_text(parts, "{\"$secret\":");
    buf_append_json_string(parts, name);
    buf_append_char(parts, '}');
    push_handle(L, buf_str(parts));
}

bool append_parts(lua_State *L, int index, struct buf *out)
{
    struct str text;
    if (meta_of(L, index) == META_SECRET) {
        lua_getiuservalue(L, index, 1);
        text.data = lua_tolstring(L, -1, &text.size);
        buf_append_str(out, text);
        lua_pop(L, 1); /* the handle keeps it */
        return true;
    }
    if (!lua_isstring(L, index) && meta_of(L, index) != META_NUMBER) return false;
    text.data = value_text(L, index, &text.size);
    if (utf8_valid_prefix(text) != text.size) luaL_error(L, "text joined with a secret must be UTF-8");
    buf_append_json_string(out, text);
    lua_pop(L, 1);
    return true;
}

static int join(lua_State *L)
{
    struct buf *parts = &script_of(L)->scratch;
    buf_clear(parts);
    for (int i = 1; i <= 2; i++) {
        if (i == 2) buf_append_char(parts, ',');
        if (!append_parts(L, i, parts)) return luaL_error(L, "cannot join a secret with a %s value", luaL_typename(L, i));
    }
    if (parts->failed || parts->size > MAX_PARTS) return luaL_error(L, "a text with secrets has at most 64 KiB");
    push_handle(L, buf_str(parts));
    return 1;
}

static int stars(lua_State *L)
{
    lua_pushliteral(L, "***");
    return 1;
}

static int refuse(lua_State *L)
{
    return luaL_error(L, "a secret can be joined with text by .. and used in a request, but not read, measured or compared");
}

void open_secrets(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {{"__concat", join}, {"__tostring", stars}, {"__eq", refuse},    {"__len", refuse},
                                         {"__lt", refuse},   {"__le", refuse},      {"__index", refuse}, {NULL, NULL}};
    meta_new(L, META_SECRET, FUNCTIONS);
}
