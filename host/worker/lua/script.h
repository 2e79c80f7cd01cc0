/* script: one connector's Lua code in this process, from its sources to its answers. All that the worker's loop knows of Lua.
 *
 *     struct script *script = script_new(&stream, &load, err);       // views in `load` must outlive it
 *     script_describe(script, id);                                   // sends DESCRIPTION or FAIL
 *     script_call(script, id, &call);                                // sends RESULT or FAIL
 *
 * Each of the two answers by exactly one frame or ends the process: a script that passes a limit is gone with it. There is no
 * script_free: a worker leaves by _exit, since closing a Lua state would run the script's code once more. */
#ifndef SLUICE_WORKER_LUA_SCRIPT_H
#define SLUICE_WORKER_LUA_SCRIPT_H

#include <stdint.h>

#include "base/err.h"
#include "wire/stream.h"
#include "wire/wire.h"
#include "worker/deadline.h"

struct script;

/* Before the walls go up: whatever needs system calls that are gone later. */
struct script *script_new(struct wire_stream *stream, struct err *err);

void script_describe(struct script *script, uint32_t id, const struct wire_load *load);
void script_call(struct script *script, uint32_t id, const struct wire_call *call);

#endif
