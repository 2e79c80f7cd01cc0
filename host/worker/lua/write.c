/* write: Lua values to JSON, with keys sorted by bytes: the same value gives the same bytes in every run.
 *
 * A table is a list when it was made as one (sluice.array, or a list of the source) or when its keys are exactly 1..n; an empty
 * plain table is an object. Anything that JSON cannot say is refused with its place: a mix of both, holes, a table inside
 * itself, a number that is not finite, a value of another type. */
#include "worker/lua/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lanes.h"
#include "base/number.h"
#include "base/utf8.h"

enum { SMALL_OBJECT = 32, MAX_MEMBERS = 100 * 1000, MAX_PLACE = 256 };

/* Where the writer is: a chain on the C stack from here to the root. */
struct place {
    const struct place *above;
    struct str key;    /* in an object */
    lua_Integer at;    /* in a list, from 0 */
    const void *table; /* the table it leads to, for cycles */
    int depth;
};

struct writer {
    lua_State *L;
    struct buf *out;
    enum write_mode mode;
    int functions;    /* index of the table that keeps them */
    const char *root; /* name of the whole in messages; may be "" */
    size_t max;       /* bytes at which a table that grows without end is given up */
};

struct member {
    struct str key;
    int value; /* stack index */
};

static void write_value(struct writer *writer, int index, const struct place *place);

static void append_place(const struct place *place, struct buf *out)
{
    if (!place->above) return;
    append_place(place->above, out);
    if (out->size > 0) buf_append_char(out, '.');
    if (place->key.data)
        buf_append_str(out, place->key);
    else
        buf_printf(out, "%lld", (long long)place->at);
}

/* The dotted place, pushed on the Lua stack: it outlives the buffer. */
static const char *push_place(struct writer *writer, const struct place *place)
{
    struct buf *text = &script_of(writer->L)->scratch;
    buf_clear(text);
    append_place(place, text);
    return lua_pushlstring(writer->L, buf_text(text), text->size);
}

NORETURN static void refuse(struct writer *writer, const struct place *place, const char *why)
{
    const char *at = push_place(writer, place);
    if (*at) luaL_error(writer->L, "%s%s%s: %s", writer->root, *writer->root ? " at " : "", at, why);
    luaL_error(writer->L, "%s%s%s", writer->root, *writer->root ? ": " : "", why);
    __builtin_unreachable();
}

/* The first byte from `at` on that JSON wants escaped; `end` when there is none. */
static const char *find_special(const char *at, const char *end)
{
    while (end - at >= 16 && lanes_string16(at).stop == 0) at += 16;
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\') at++;
    return at;
}

static void append_escape(struct buf *out, unsigned char c)
{
    static const char HEX[] = "0123456789abcdef";
    const char escape[] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]}, quoted[] = {'\\', (char)c};
    if (c == '\n')
        buf_append(out, "\\n", 2);
    else if (c < 0x20)
        buf_append(out, escape, sizeof escape);
    else
        buf_append(out, quoted, sizeof quoted);
}

static void append_string(struct buf *out, struct str text)
{
    const char *at = text.data, *end = text.data + text.size, *special = find_special(at, end);
    if (LIKELY(special == end)) {
        char *place = buf_reserve(out, text.size + 2);
        if (!place) return;
        place[0] = '"';
        memcpy(place + 1, text.data, text.size);
        place[text.size + 1] = '"';
        buf_advance(out, text.size + 2);
        return;
    }
    buf_append_char(out, '"');
    for (; special < end; special = find_special(at, end)) {
        buf_append(out, at, (size_t)(special - at));
        append_escape(out, (unsigned char)*special);
        at = special + 1;
    }
    buf_append(out, at, (size_t)(end - at));
    buf_append_char(out, '"');
}

static void write_string(struct writer *writer, struct str text, const struct place *place)
{
    if (writer->mode != WRITE_RECORD && utf8_valid_prefix(text) != text.size) refuse(writer, place, "a text that is not UTF-8");
    append_string(writer->out, text);
}

static void write_number(struct writer *writer, int index, const struct place *place)
{
    if (lua_isinteger(writer->L, index)) {
        char text[NUMBER_TEXT_MAX];
        buf_append(writer->out, text, number_from_int64(lua_tointeger(writer->L, index), text));
        return;
    }
    double value = lua_tonumber(writer->L, index);
    if (!isfinite(value)) refuse(writer, place, "a number that is not finite");
    append_float(writer->out, value);
}

static void write_function(struct writer *writer, int index, const struct place *place)
{
    lua_State *L = writer->L;
    if (writer->mode != WRITE_DESCRIPTION) refuse(writer, place, "a function");
    push_place(writer, place);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, writer->functions) != LUA_TNIL)
        refuse(writer, place, "a second function with this place: a key with a dot in it");
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushvalue(L, index);
    lua_rawset(L, writer->functions);
    size_t size;
    const char *name = lua_tolstring(L, -1, &size);
    buf_append_text(writer->out, "{\"$function\":");
    append_string(writer->out, (struct str){name, size});
    buf_append_char(writer->out, '}');
    lua_pop(L, 1);
}

static void write_userdata(struct writer *writer, int index, const struct place *place)
{
    switch (meta_of(writer->L, index)) {
    case META_NULL:
        buf_append_text(writer->out, "null");
        break;
    case META_NUMBER:
        buf_append_str(writer->out, exact_number_text(writer->L, index));
        break;
    case META_SECRET:
        if (writer->mode != WRITE_VALUE) refuse(writer, place, "a secret: it can only go into a request");
        buf_append_text(writer->out, "{\"$parts\":[");
        append_parts(writer->L, index, writer->out);
        buf_append_text(writer->out, "]}");
        break;
    default:
        refuse(writer, place, "a value of the host, which is no data");
    }
}

/* JSON that came from the source, on one line. */
static void append_raw(struct buf *out, struct str json)
{
    char *place = buf_reserve(out, json.size);
    if (!place) return;
    for (size_t i = 0; i < json.size; i++) place[i] = json.data[i] == '\n' || json.data[i] == '\r' ? ' ' : json.data[i];
    buf_advance(out, json.size);
}

static int compare_members(const struct member *a, const struct member *b)
{
    const struct str x = a->key, y = b->key;
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    return order ? order : (x.size > y.size) - (x.size < y.size);
}

/* Moves the member at `at` down until those below it are not larger. */
static void sift_down(struct member *members, size_t at, size_t count)
{
    struct member moving = members[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare_members(&members[child], &members[child + 1]) < 0) child++;
        if (compare_members(&moving, &members[child]) >= 0) break;
        members[at] = members[child];
    }
    members[at] = moving;
}

/* A heap sort for the large ones: in place, and no order of the keys makes it slow. Not qsort: glibc's asks the kernel how much
 * memory the machine has before it sorts more than a kilobyte, and that is no call a worker may make. */
static void sort_members(struct member *members, size_t count)
{
    if (count > SMALL_OBJECT) {
        for (size_t at = count / 2; at-- > 0;) sift_down(members, at, count);
        for (size_t left = count - 1; left > 0; left--) {
            struct member largest = members[0];
            members[0] = members[left];
            members[left] = largest;
            sift_down(members, 0, left);
        }
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct member moving = members[i];
        size_t at = i;
        for (; at > 0 && compare_members(&moving, &members[at - 1]) < 0; at--) members[at] = members[at - 1];
        members[at] = moving;
    }
}

static void write_key(struct writer *writer, struct str key, bool is_select, const struct place *place)
{
    static const char *const RESERVED[] = {"$function", "$select", "$secret", "$parts"};
    if (key.size > 0 && key.data[0] == '$' && writer->mode != WRITE_RECORD && !is_select) {
        for (size_t i = 0; writer->mode == WRITE_DESCRIPTION && i < ARRAY_SIZE(RESERVED); i++)
            if (str_equal(key, str_from(RESERVED[i]))) refuse(writer, place, "this key is reserved");
        if (writer->mode == WRITE_VALUE) {
            buf_append_text(writer->out, "\"$");
            size_t mark = writer->out->size;
            write_string(writer, key, place);
            if (!writer->out->failed) { /* its own opening quote is one too many */
                memmove(writer->out->data + mark, writer->out->data + mark + 1, writer->out->size - mark - 1);
                writer->out->size--;
            }
            return;
        }
    }
    write_string(writer, key, place);
}

/* The members lie on the stack from `base` on, key and value in turn. */
static void write_object(struct writer *writer, int base, size_t count, bool is_select, const struct place *place)
{
    lua_State *L = writer->L;
    struct member small[SMALL_OBJECT], *members = small;
    if (count > SMALL_OBJECT) members = lua_newuserdatauv(L, count * sizeof *members, 0);
    for (size_t i = 0; i < count; i++) {
        int key = base + (int)i * 2;
        if (lua_type(L, key) != LUA_TSTRING) refuse(writer, place, "a table whose keys are neither all text nor 1 to n");
        members[i].value = key + 1;
        members[i].key.data = lua_tolstring(L, key, &members[i].key.size);
    }
    sort_members(members, count);
    buf_append_char(writer->out, '{');
    for (size_t i = 0; i < count; i++) {
        struct place below = {.above = place, .key = members[i].key, .depth = place->depth + 1};
        if (i > 0) buf_append_char(writer->out, ',');
        write_key(writer, members[i].key, is_select, &below);
        buf_append_char(writer->out, ':');
        write_value(writer, members[i].value, &below);
    }
    buf_append_char(writer->out, '}');
}

static void write_list(struct writer *writer, int index, size_t count, const struct place *place)
{
    buf_append_char(writer->out, '[');
    for (size_t i = 0; i < count; i++) {
        struct place below = {.above = place, .at = (lua_Integer)i, .depth = place->depth + 1};
        if (i > 0) buf_append_char(writer->out, ',');
        lua_rawgeti(writer->L, index, (lua_Integer)i + 1);
        write_value(writer, lua_gettop(writer->L), &below);
        lua_pop(writer->L, 1);
    }
    buf_append_char(writer->out, ']');
}

/* Are the `count` keys from `base` on exactly 1..count? */
static bool keys_are_list(lua_State *L, int base, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int key = base + (int)i * 2;
        if (!lua_isinteger(L, key)) return false;
        lua_Integer at = lua_tointeger(L, key);
        if (at < 1 || (lua_Unsigned)at > count) return false;
    }
    return true;
}

static void write_table(struct writer *writer, int index, const struct place *above)
{
    lua_State *L = writer->L;
    struct place place = *above;
    place.table = lua_topointer(L, index);
    for (const struct place *up = above->above; up; up = up->above)
        if (up->table == place.table) refuse(writer, above, "a table that holds itself");
    if (writer->out->failed || writer->out->size > writer->max) refuse(writer, above, "too large");
    if (place.depth > SCRIPT_MAX_DEPTH) refuse(writer, above, "tables nested too deep");
    enum meta meta = meta_of(L, index);
    if (meta == META_LAZY_OBJECT || meta == META_LAZY_ARRAY) {
        append_raw(writer->out, lazy_text(L, index));
        return;
    }
    int base = lua_gettop(L) + 1;
    size_t count = 0;
    luaL_checkstack(L, 8, NULL);
    for (lua_pushnil(L); lua_next(L, index) != 0; count++) {
        if (count >= MAX_MEMBERS) refuse(writer, above, "a table of more than 100000 members");
        luaL_checkstack(L, 8, NULL);
        lua_pushvalue(L, -2);
    }
    if (count > 0 ? keys_are_list(L, base, count) : meta == META_ARRAY) {
        lua_settop(L, base - 1);
        write_list(writer, index, count, &place);
    } else {
        if (meta == META_ARRAY) refuse(writer, above, "a list with holes or with names in it");
        write_object(writer, base, count, meta == META_SELECT, &place);
    }
    lua_settop(L, base - 1);
}

static void write_value(struct writer *writer, int index, const struct place *place)
{
    lua_State *L = writer->L;
    struct str text;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        buf_append_text(writer->out, "null");
        break;
    case LUA_TBOOLEAN:
        buf_append_text(writer->out, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        write_number(writer, index, place);
        break;
    case LUA_TSTRING:
        text.data = lua_tolstring(L, index, &text.size);
        write_string(writer, text, place);
        break;
    case LUA_TTABLE:
        write_table(writer, index, place);
        break;
    case LUA_TFUNCTION:
        write_function(writer, index, place);
        break;
    case LUA_TUSERDATA:
        write_userdata(writer, index, place);
        break;
    default:
        refuse(writer, place, "a value that is no data");
    }
}

void write_json(lua_State *L, int index, enum write_mode mode, int functions, const char *root, struct buf *out)
{
    struct writer writer = {.L = L, .out = out, .mode = mode, .functions = functions, .root = root};
    writer.max = mode == WRITE_DESCRIPTION ? SCRIPT_MAX_DESCRIPTION : WIRE_MAX_RESULT;
    struct place place = {0};
    write_value(&writer, lua_absindex(L, index), &place);
}
