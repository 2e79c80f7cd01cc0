/* input: the body that a parser reads. It comes in pieces, each when the one before it is used up, so that the host keeps the
 * body and this process a piece of it. A piece is copied: whatever else the plugin asks of the host comes through the same
 * buffer. */
#include <string.h>

#include "worker/plugin/parts.h"

void plugin_body_begin(struct plugin_body *body, bool is_there)
{
    buf_clear(&body->piece);
    body->is_there = is_there;
    body->has_ended = false;
    body->taken = 0;
}

static int next_piece(struct plugin *plugin)
{
    struct plugin_body *body = &plugin->body;
    struct wire_answered answered;
    struct err err = ERR_INIT;
    buf_clear(&plugin->out);
    wire_write_bare(&plugin->out, WIRE_INPUT, plugin->id);
    const struct wire_frame frame = plugin_ask_host(plugin);
    if (wire_read_answered(&frame, &answered, &err) != 0) return plugin_fault(plugin, err.message);
    if (answered.failed) return plugin_fail_as_told(plugin, answered.error, answered.message, answered.hint);
    buf_clear(&body->piece);
    buf_append_str(&body->piece, answered.body);
    if (body->piece.failed) return plugin_fault(plugin, "a piece of the body is too large");
    body->taken = 0;
    body->has_ended = body->piece.size == 0;
    return 0;
}

int plugin_input(struct sluice_session *session, void *into, size_t room, size_t *size)
{
    struct plugin *plugin = plugin_of(session);
    struct plugin_body *body = &plugin->body;
    *size = 0;
    if (!body->is_there || plugin->stage != STAGE_PAGE)
        return plugin_fault(plugin, "sluice_input was called outside of a parser's page");
    if (!into || room == 0) return plugin_fault(plugin, "sluice_input was called without room for what comes");
    if (body->taken == body->piece.size && !body->has_ended) {
        int rc = next_piece(plugin);
        if (rc) return rc;
    }
    size_t left = body->piece.size - body->taken;
    *size = left < room ? left : room;
    if (*size) memcpy(into, body->piece.data + body->taken, *size);
    body->taken += *size;
    return 0;
}
