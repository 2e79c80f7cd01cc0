/* state: a script's life: memory cap, deadlines, protected runs, and the one frame that answers each request.
 *
 * The deadline works without a permanent hook (a hook slows every instruction down). When CPU time is up, the signal sets a
 * hook on the main thread and the running coroutine that fires at the next instruction, writes the traceback and ends the
 * process: there is no error that pcall could catch. If no instruction runs within the grace (a pattern match, a huge loop in
 * C), the signal itself sends a frame made beforehand and ends the process.
 *
 * Memory: the allocator refuses past the cap. A script that catches the error may go on, but gets no answer out: what it was
 * doing may be half done. One that goes on after many refusals is thrashing, and ended. */
#include "worker/lua/state.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/walls.h"

enum { WORKER_DONE = 0, WORKER_FAILED = 3, LAST_MEMORY = 1024 * 1024 };

static const char *kind_text(enum wire_fail_kind kind)
{
    static const char *const TEXTS[WIRE_FAIL_KIND_END] = {
        [WIRE_FAIL_SCRIPT] = "script error",
        [WIRE_FAIL_SYNTAX] = "syntax error",
        [WIRE_FAIL_MEMORY] = "the script passed its memory limit",
        [WIRE_FAIL_DEADLINE] = "the script passed its time limit",
        [WIRE_FAIL_PROTOCOL] = "a request the worker cannot read",
    };
    return TEXTS[kind];
}

void script_send(struct script *script, struct buf *out)
{
    struct err err = ERR_INIT;
    deadline_hold(&script->deadline);
    if (out->failed || wire_send(script->stream, buf_str(out), (struct wire_wait){.wait_ms = -1}, &err) != 0)
        _exit(WORKER_DONE);
    deadline_unhold(&script->deadline);
}

static void send_fail(struct script *script, enum wire_fail_kind kind, const char *message, const char *traceback)
{
    buf_clear(&script->out);
    struct wire_fail fail = {.kind = kind, .message = str_from(message), .traceback = str_from(traceback)};
    wire_write_fail(&script->out, script->id, &fail);
    script_send(script, &script->out);
}

void script_end(struct script *script, enum wire_fail_kind kind, const char *message, const char *traceback)
{
    deadline_disarm(&script->deadline);
    send_fail(script, kind, message ? message : kind_text(kind), traceback);
    _exit(WORKER_FAILED);
}

static void *allocate(void *context, void *memory, size_t old_size, size_t new_size)
{
    struct script *script = context;
    if (!memory) old_size = 0; /* it is a type tag then */
    if (new_size == 0) {
        free(memory);
        script->memory_used -= old_size;
        return NULL;
    }
    void *resized = NULL;
    if (new_size <= old_size || new_size - old_size <= script->memory_max - script->memory_used)
        resized = realloc(memory, new_size);
    if (resized) {
        if (new_size > old_size) script->refused_once = false;
        script->memory_used += new_size - old_size;
        return resized;
    }
    script->ran_out = script->ran_out || script->refused_once;
    script->refused_once = true;
    if (++script->refusals > SCRIPT_MAX_REFUSALS) script_end(script, WIRE_FAIL_MEMORY, NULL, "");
    return NULL;
}

/* Runs at the first instruction after the deadline. */
static void on_hook(lua_State *L, lua_Debug *debug)
{
    struct script *script = script_of(L);
    (void)debug;
    script->memory_max += LAST_MEMORY; /* for the traceback */
    luaL_where(L, 0);
    luaL_traceback(L, L, NULL, 0);
    char message[512];
    snprintf(message, sizeof message, "%s%s%s%s", script->place ? script->place : "", script->place ? ": " : "",
             lua_tostring(L, -2), kind_text(WIRE_FAIL_DEADLINE));
    script_end(script, WIRE_FAIL_DEADLINE, message, lua_tostring(L, -1));
}

/* In the signal handler. */
static void deadline_soon(void *context)
{
    struct script *script = context;
    int events = LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE;
    lua_State *running = script->running;
    lua_sethook(script->L, on_hook, events, 1);
    if (running && running != script->L) lua_sethook(running, on_hook, events, 1);
}

/* In the signal handler. */
static void deadline_now(void *context)
{
    struct script *script = context;
    send(script->stream->fd, script->last_words.data, script->last_words.size, MSG_NOSIGNAL);
    _exit(WORKER_FAILED);
}

/* `place` is what will be called; empty: the files are loaded. */
static void begin_request(struct script *script, uint32_t id, struct str place, uint64_t cpu_ms)
{
    script->id = id;
    script->log_lines = 0;
    script->refusals = 0;
    script->refused_once = script->ran_out = false;
    script->record = 0;
    script->call++;
    buf_clear(&script->last_words);
    char message[512];
    snprintf(message, sizeof message, STR_FMT "%s%s", STR_ARG(place), place.size ? ": " : "", kind_text(WIRE_FAIL_DEADLINE));
    struct wire_fail fail = {.kind = WIRE_FAIL_DEADLINE, .message = str_from(message)};
    wire_write_fail(&script->last_words, id, &fail);
    deadline_arm(&script->deadline, cpu_ms);
}

/* The message handler: keeps the traceback while the stack stands, gives the message as text. */
static int on_error(lua_State *L)
{
    struct script *script = script_of(L);
    luaL_traceback(L, L, NULL, 1);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    buf_clear(&script->traceback);
    buf_append(&script->traceback, text, size < SCRIPT_MAX_TRACEBACK ? size : SCRIPT_MAX_TRACEBACK);
    value_text(L, 1, NULL);
    return 1;
}

/* Runs `function(request)` and sends what it left in `out`, or FAIL. */
static void run(struct script *script, lua_CFunction function, void *request)
{
    lua_State *L = script->L;
    buf_clear(&script->traceback);
    lua_settop(L, 0);
    lua_pushcfunction(L, on_error);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, request);
    int status = lua_pcall(L, 1, 0, 1);
    deadline_disarm(&script->deadline);
    script->running = L;
    script->page = STR("");
    arena_clear(&script->arena);
    if (status == LUA_OK && script->ran_out) /* something was left half done, and caught: its result may lack data */
        script_end(script, WIRE_FAIL_MEMORY, "the script ran out of memory and went on", "");
    if (status == LUA_OK) {
        script_send(script, &script->out);
        return;
    }
    char message[1024];
    const char *text = lua_tostring(L, -1);
    char record[48] = "";
    if (script->record > 0) snprintf(record, sizeof record, "record %zu of the page: ", script->record);
    snprintf(message, sizeof message, "%s%s%s%s", script->place ? script->place : "", script->place ? ": " : "", record,
             text ? text : "an error without text");
    if (status == LUA_ERRMEM) script_end(script, WIRE_FAIL_MEMORY, message, buf_text(&script->traceback));
    send_fail(script, script->is_no_lua ? WIRE_FAIL_SYNTAX : WIRE_FAIL_SCRIPT, message, buf_text(&script->traceback));
    lua_settop(L, 0);
}

/* A Lua error outside a protected run: ours. Nothing sensible is left to do. */
static int on_panic(lua_State *L)
{
    script_end(script_of(L), WIRE_FAIL_PROTOCOL, lua_tostring(L, -1), "");
}

struct script *script_new(struct wire_stream *stream, struct err *err)
{
    struct script *script = mem_zero(1, sizeof *script);
    script->stream = stream;
    script->memory_max = WALLS_LUA_BYTES;
    script->out = BUF_INIT(WIRE_MAX_BYTES);
    script->scratch = BUF_INIT(WIRE_MAX_BYTES + WIRE_PADDING);
    script->encoded = BUF_INIT(WIRE_MAX_RESULT);
    script->traceback = BUF_INIT(SCRIPT_MAX_TRACEBACK);
    script->last_words = BUF_INIT(1024);
    script->nested = WIRE_STREAM_INIT(stream->fd);
    script->arena = ARENA_INIT(WIRE_MAX_BYTES * (size_t)2);
    script->L = lua_newstate(allocate, script);
    if (!script->L || deadline_init(&script->deadline, deadline_soon, deadline_now, script) != 0) {
        err_set(err, ERR_BUG, "cannot make a Lua state with a timer");
        free(script);
        return NULL;
    }
    script->running = script->L;
    *(struct script **)lua_getextraspace(script->L) = script;
    lua_atpanic(script->L, on_panic);
    return script;
}

static int load_in_lua(lua_State *L)
{
    meta_open(L);
    open_environment(L);
    modules_run(L);
    return describe_in_lua(L);
}

void script_describe(struct script *script, uint32_t id, const struct wire_load *load)
{
    script->load = load;
    if (load->memory_bytes < script->memory_max) script->memory_max = load->memory_bytes;
    begin_request(script, id, STR(""), load->load_cpu_ms);
    script->place = NULL;
    run(script, load_in_lua, NULL);
}

void script_call(struct script *script, uint32_t id, const struct wire_call *call)
{
    begin_request(script, id, call->map_name.size ? call->map_name : call->name, script->load->call_cpu_ms);
    script->page = call->page;
    run(script, call->is_records ? records_in_lua : value_in_lua, (void *)(uintptr_t)call);
}
