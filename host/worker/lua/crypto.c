/* crypto: sluice.crypto. All of it is computed by the host, through one frame within the call: secrets stay there, and no
 * cryptographic library is needed behind the walls.
 *
 *     hmac(algorithm, key, message, encoding)      key and message may be, or hold, secrets; gives text
 *     digest(algorithm, message, encoding)         likewise; sha256(message, encoding) for short
 *     base64(message, encoding)                    of plain text only: it can be read back */
#include "worker/lua/state.h"

static const char *const ENCODINGS[] = {"hex", "base64", "base64url", "raw", NULL}; /* in the order of enum wire_encoding */

static enum wire_encoding check_encoding(lua_State *L, int index, const char *fallback)
{
    return (enum wire_encoding)(luaL_checkoption(L, index, fallback, ENCODINGS) + WIRE_HEX);
}

/* Bytes, or the parts of a handle; pushes what owns them. */
static struct wire_text check_text(lua_State *L, int index)
{
    struct wire_text text = {0};
    if (meta_of(L, index) == META_SECRET) {
        struct buf *parts = &script_of(L)->scratch;
        buf_clear(parts);
        buf_append_char(parts, '[');
        append_parts(L, index, parts);
        buf_append_char(parts, ']');
        lua_pushlstring(L, parts->data, parts->size);
        text.is_parts = true;
    } else {
        luaL_checkstring(L, index);
        lua_pushvalue(L, index);
    }
    text.bytes.data = lua_tolstring(L, -1, &text.bytes.size);
    return text;
}

/* Sends the request and pushes the answer. */
static int ask(lua_State *L, const struct wire_crypto *crypto)
{
    struct script *script = script_of(L);
    struct buf frame = BUF_INIT(WIRE_MAX_BYTES);
    wire_write_crypto(&frame, script->id, crypto);
    script_send(script, &frame);
    buf_release(&frame);
    struct err err = ERR_INIT;
    struct wire_frame answer;
    struct wire_crypto_result result;
    int rc = wire_receive(&script->nested, &answer, (struct wire_wait){.wait_ms = -1}, &err);
    if (rc == 0) rc = wire_read_crypto_result(&answer, &result, &err);
    if (rc != 0) script_end(script, WIRE_FAIL_PROTOCOL, err.message, "");
    lua_pushlstring(L, result.bytes.data, result.bytes.size);
    if (!result.failed) return 1;
    return luaL_error(L, "%s", lua_tostring(L, -1));
}

static int hmac(lua_State *L)
{
    struct wire_crypto crypto = {.op = WIRE_HMAC, .encoding = check_encoding(L, 4, "hex")};
    crypto.algorithm.data = luaL_checklstring(L, 1, &crypto.algorithm.size);
    crypto.key = check_text(L, 2);
    crypto.message = check_text(L, 3);
    return ask(L, &crypto);
}

static int digest(lua_State *L)
{
    struct wire_crypto crypto = {.op = WIRE_DIGEST, .encoding = check_encoding(L, 3, "hex")};
    crypto.algorithm.data = luaL_checklstring(L, 1, &crypto.algorithm.size);
    crypto.message = check_text(L, 2);
    return ask(L, &crypto);
}

static int sha256(lua_State *L)
{
    struct wire_crypto crypto = {.op = WIRE_DIGEST, .encoding = check_encoding(L, 2, "hex"), .algorithm = STR("sha256")};
    crypto.message = check_text(L, 1);
    return ask(L, &crypto);
}

static int base64(lua_State *L)
{
    struct wire_crypto crypto = {.op = WIRE_BASE64, .encoding = check_encoding(L, 2, "base64")};
    luaL_argcheck(L, crypto.encoding == WIRE_BASE64_TEXT || crypto.encoding == WIRE_BASE64_URL, 2, "base64 or base64url");
    crypto.message = check_text(L, 1);
    return ask(L, &crypto);
}

void open_crypto(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        {"hmac", hmac}, {"digest", digest}, {"sha256", sha256}, {"base64", base64}, {NULL, NULL}};
    luaL_newlib(L, FUNCTIONS);
}
