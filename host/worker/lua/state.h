/* state: what the files of this folder share: the state of one script, and the small contracts between them.
 *
 * Everything that C code called from Lua allocates lives in buffers of `struct script` or in Lua itself, so that an error's
 * longjmp leaks nothing. Lua errors raised here are script errors: they reach the host with file and line. */
#ifndef SLUICE_WORKER_LUA_STATE_H
#define SLUICE_WORKER_LUA_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/jsonscan.h"
#include "wire/stream.h"
#include "worker/deadline.h"
#include "worker/lua/script.h"

enum {
    SCRIPT_MAX_LOG_LINES = 200, /* a call */
    SCRIPT_MAX_LOG_LINE = 4096, /* bytes */
    SCRIPT_MAX_TRACEBACK = 8192,
    SCRIPT_MAX_DESCRIPTION = 1024 * 1024,
    SCRIPT_MAX_DEPTH = 100, /* of tables, read or written */
    SCRIPT_MAX_REFUSALS = 64,
};

/* Shared metatables. Each is known by its address, which the writer compares; the registry keeps it alive under the address of
 * its slot here. */
enum meta {
    META_ARRAY,       /* a list also when empty */
    META_LAZY_OBJECT, /* a nested JSON object nobody looked into yet; see lazy.c */
    META_LAZY_ARRAY,
    META_SELECT, /* what sluice.select gives */
    META_NULL,   /* sluice.null */
    META_NUMBER, /* a number Lua cannot hold exactly; see number.c */
    META_SECRET, /* a handle; see secret.c */
    META_PAGE,   /* see page.c */
    META_COUNT,
};

struct script {
    lua_State *L;
    lua_State *volatile running; /* the coroutine that runs now, for the deadline */
    struct wire_stream *stream;
    struct wire_stream nested; /* answers within a call: the request's own frame stays whole */
    uint32_t id;               /* of the request being answered */
    const struct wire_load *load;
    struct deadline deadline;
    size_t memory_used, memory_max;
    unsigned refusals;
    bool refused_once;  /* Lua collects garbage now and asks again */
    bool ran_out;       /* it asked again in vain: an error was raised, caught or not */
    unsigned log_lines; /* in this request */
    bool described;     /* sluice.connector was called */
    struct str page;    /* of this call; empty between calls */
    uint64_t call;      /* counts calls: a page kept from an earlier one is refused */
    const char *place;  /* what is being called, for messages: "streams.orders.map" */
    size_t record;      /* its record in the page, from 1; 0: none */
    size_t field_guess; /* members of the record before, to size the next table */
    const void *meta[META_COUNT];
    struct buf out;        /* the frame being built */
    struct buf scratch;    /* a text on its way through one function */
    struct buf encoded;    /* of sluice.json.encode */
    struct buf traceback;  /* of the newest error */
    bool is_no_lua;        /* a file of the connector could not be compiled */
    struct buf last_words; /* the frame for when nothing else may run any more */
    struct arena arena;    /* decoded strings of one record */
};

static inline struct script *script_of(lua_State *L)
{
    return *(struct script **)lua_getextraspace(L);
}

/* state.c: ends the process after sending FAIL. */
NORETURN void script_end(struct script *script, enum wire_fail_kind kind, const char *message, const char *traceback);
/* Sends `out` with the deadline held back, or ends the process when the host is gone. */
void script_send(struct script *script, struct buf *out);

/* meta.c */
void meta_open(lua_State *L);
void meta_new(lua_State *L, enum meta meta, const luaL_Reg *functions); /* makes it; hidden from the script */
void meta_set(lua_State *L, enum meta meta);                            /* gives it to the value on top */
enum meta meta_of(lua_State *L, int index);                             /* META_COUNT: none of ours */
const char *value_text(lua_State *L, int index, size_t *size);          /* pushes text as tostring gives it: never an address */

/* What the script finds in its globals; each pushes or fills tables. */
void open_environment(lua_State *L); /* environment.c: the fresh _G */
void open_text(lua_State *L);        /* text.c: string */
void open_tables(lua_State *L);      /* environment.c: table */
void open_coroutine(lua_State *L);   /* coroutine.c */
void open_clock(lua_State *L);       /* clock.c: os, and sluice.time */
void open_modules(lua_State *L);     /* modules.c: require */
void open_sdk(lua_State *L);         /* sdk.c: sluice */
void open_time(lua_State *L);        /* clock.c: pushes sluice.time */
void open_crypto(lua_State *L);      /* crypto.c: pushes sluice.crypto */
void open_numbers(lua_State *L);     /* number.c */
void open_secrets(lua_State *L);     /* secret.c */
void open_lazy(lua_State *L);        /* lazy.c */
void open_page(lua_State *L);        /* page.c */

/* modules.c: runs init.lua. */
void modules_run(lua_State *L);

/* number.c */
void push_number(lua_State *L, struct str text, bool has_fraction); /* a JSON number, exactly */
struct str exact_number_text(lua_State *L, int index);              /* of a META_NUMBER */
void append_float(struct buf *out, double value);

/* secret.c */
void push_secret(lua_State *L, struct str name);
bool append_parts(lua_State *L, int index, struct buf *out); /* `"Bearer ",{"$secret":"x"}`; false: neither text nor a handle */

/* lazy.c */
void push_lazy(lua_State *L, const struct json_value *value); /* a container */
void lazy_open(lua_State *L, int index);                      /* fills it if it is lazy */
struct str lazy_text(lua_State *L, int index);                /* of one that is lazy: its JSON */

/* read.c: JSON -> Lua. Text must have JSONSCAN_PADDING readable bytes behind it. */
void push_json(lua_State *L, struct str text, const char *what);        /* all of it, to the leaves */
void push_json_top(lua_State *L, struct str text, const char *what);    /* one level; containers in it are lazy */
size_t push_members(lua_State *L, struct jsonscan *scan, size_t guess); /* the object that comes next; their number */
void push_key(lua_State *L, const struct json_value *key);
void push_null(lua_State *L);                                       /* sluice.null */
void push_json_value(lua_State *L, const struct json_value *value); /* scalars; containers become lazy */

/* write.c: Lua -> JSON with sorted keys. */
enum write_mode {
    WRITE_DESCRIPTION, /* functions become {"$function": place} and are kept in the table at `functions`; UTF-8 only */
    WRITE_VALUE,       /* handles become $parts, own keys that begin with $ get one more; UTF-8 only */
    WRITE_RECORD,      /* neither functions nor handles; text as it is */
};
void write_json(lua_State *L, int index, enum write_mode mode, int functions, const char *place, struct buf *out);

/* Each runs in protected mode and leaves a complete frame in `out`. The two calls get their struct wire_call as light userdata.
 */
int describe_in_lua(lua_State *L); /* describe.c */
int value_in_lua(lua_State *L);    /* call.c */
int records_in_lua(lua_State *L);  /* records.c */

int connector_in_lua(lua_State *L);                       /* describe.c: sluice.connector */
void push_function(lua_State *L, struct str place);       /* describe.c: by its place; raises when there is none */
void push_context(lua_State *L, struct str context_json); /* call.c: ctx */
void push_page(lua_State *L, int context);                /* page.c: the page of this call */

NORETURN void scan_failed(lua_State *L, const struct jsonscan *scan, const char *what); /* read.c: raises where and why */

#endif
