/* plugin: one native plugin in this process, from its shared object to its pages. All that the worker's loop knows of it.
 *
 *     plugin = plugin_new(&stream, err);
 *     plugin_load(plugin, id, &request, object_fd);              // raises the walls on the way; DESCRIPTION or FAIL
 *     plugin_answer(plugin, &frame);                             // CHECK, OPEN, PAGE, CLOSE, a call: its answer or FAIL
 *
 * Each of the last two answers by exactly one frame or ends the process. There is no plugin_free: a worker leaves by _exit, and
 * a shared object is never unloaded. */
#ifndef SLUICE_WORKER_PLUGIN_PLUGIN_H
#define SLUICE_WORKER_PLUGIN_PLUGIN_H

#include <stdint.h>

#include "base/err.h"
#include "wire/session.h"
#include "wire/stream.h"

struct plugin;

/* Before the walls go up: whatever needs system calls that are gone later. */
struct plugin *plugin_new(struct wire_stream *stream, struct err *err);

void plugin_load(struct plugin *plugin, uint32_t id, const struct wire_plugin *request, int channel_fd, int object_fd);
void plugin_answer(struct plugin *plugin, const struct wire_frame *frame);

#endif
