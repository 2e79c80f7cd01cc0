/* records: a page through the connector's record functions: `records(page, ctx)` gives the records, or they are found at a
 * path; `map(record, ctx)` makes none, one or many of each. The results go straight into the answer's frame, one a line.
 *
 * Stack, for the whole call: 1 ctx, 2 map or nil. */
#include "worker/lua/state.h"

#include <string.h>

#include "base/records_path.h"

enum { AT_CONTEXT = 1, AT_MAP = 2 };

static bool is_list(lua_State *L, int index)
{
    enum meta meta = meta_of(L, index);
    return meta == META_ARRAY || meta == META_LAZY_ARRAY || lua_rawlen(L, index) > 0;
}

static bool is_empty(lua_State *L, int index)
{
    if (meta_of(L, index) == META_LAZY_OBJECT) return false;
    lua_pushnil(L);
    if (lua_next(L, index) == 0) return true;
    lua_pop(L, 2);
    return false;
}

static void write_record(lua_State *L, int index)
{
    struct buf *out = &script_of(L)->out;
    write_json(L, index, WRITE_RECORD, 0, "a record", out);
    buf_append_char(out, '\n');
    if (out->failed || out->size > WIRE_MAX_RESULT) luaL_error(L, "the records of one page came to more than 16 MiB");
}

/* What map returned at `index`: nil, a record, or a list of records. */
static void write_mapped(lua_State *L, int index)
{
    if (lua_isnil(L, index)) return;
    if (!lua_istable(L, index)) luaL_error(L, "map must return records, not a %s", luaL_typename(L, index));
    if (!is_list(L, index)) {
        if (!is_empty(L, index)) write_record(L, index);
        return;
    }
    lazy_open(L, index);
    for (lua_Integer at = 1, count = (lua_Integer)lua_rawlen(L, index); at <= count; at++) {
        if (lua_rawgeti(L, index, at) != LUA_TTABLE || is_list(L, lua_gettop(L)))
            luaL_error(L, "map returned a list whose element %d is no record", (int)at);
        write_record(L, lua_gettop(L));
        lua_pop(L, 1);
    }
}

/* Takes the record on top of the stack through map, if there is one, and writes what comes of it. */
static void emit(lua_State *L)
{
    int top = lua_gettop(L);
    script_of(L)->record++;
    if (lua_isnil(L, AT_MAP)) {
        if (!lua_istable(L, top) || (is_list(L, top) && meta_of(L, top) != META_LAZY_OBJECT))
            luaL_error(L, "a record must be a table with named fields, not a %s",
                       lua_istable(L, top) ? "list" : luaL_typename(L, top));
        write_record(L, top);
        lua_settop(L, top - 1);
        return;
    }
    lua_pushvalue(L, AT_MAP);
    lua_insert(L, top);
    lua_pushvalue(L, AT_CONTEXT);
    lua_call(L, 2, LUA_MULTRET);
    for (int index = top; index <= lua_gettop(L); index++) write_mapped(L, index);
    lua_settop(L, top - 1);
}

/* records_take: one record at the path. Leaves by a Lua error. */
static int take_record(void *context, struct jsonscan *scan, struct err *err)
{
    lua_State *L = context;
    struct script *script = script_of(L);
    struct json_value value;
    (void)err;
    if (jsonscan_peek(scan) == JSON_OBJECT) {
        script->field_guess = push_members(L, scan, script->field_guess);
    } else if (jsonscan_value(scan, &value)) {
        if (value.kind == JSON_NULL) return 0;
        push_json_value(L, &value);
    }
    if (scan->error) scan_failed(L, scan, "the page");
    emit(L);
    return 0;
}

static void emit_at_path(lua_State *L, struct str page, struct str path)
{
    struct err err = ERR_INIT;
    struct jsonscan scan;
    jsonscan_init(&scan, page.data, page.size);
    int rc = records_walk(&scan, lua_pushlstring(L, path.data, path.size), take_record, L, &err);
    if (rc != 0 && !scan.error) luaL_error(L, "%s", err.message);
    if (!jsonscan_finish(&scan)) scan_failed(L, &scan, "the page");
}

static void emit_list(lua_State *L, int list)
{
    if (!lua_istable(L, list) || (!is_list(L, list) && !is_empty(L, list)))
        luaL_error(L, "records must return a list of records");
    lazy_open(L, list);
    for (lua_Integer at = 1, count = (lua_Integer)lua_rawlen(L, list); at <= count; at++) {
        lua_rawgeti(L, list, at);
        emit(L);
    }
}

int records_in_lua(lua_State *L)
{
    struct script *script = script_of(L);
    const struct wire_call *call = lua_touserdata(L, 1);
    script->place = NULL;
    lua_settop(L, 0);
    push_context(L, call->context_json);
    if (call->map_name.size > 0)
        push_function(L, call->map_name);
    else
        lua_pushnil(L);
    const char *map_place = script->place;
    buf_clear(&script->out);
    size_t mark = wire_begin_text(&script->out, WIRE_RESULT, script->id);
    if (call->name.size > 0) {
        push_function(L, call->name);
        push_page(L, AT_CONTEXT);
        lua_pushvalue(L, AT_CONTEXT);
        lua_call(L, 2, 1);
        if (map_place) script->place = map_place;
        emit_list(L, lua_gettop(L));
    } else {
        emit_at_path(L, call->page, call->records_path);
    }
    wire_end_text(&script->out, mark);
    return 0;
}
