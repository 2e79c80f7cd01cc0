/* host: the host functions that are no rows (page.c) and no input (input.c), as a plugin calls them. What needs the host is one
 * question and one answer over the channel. A call against the contract fails the callback, and says so to whom wrote it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/plugin/parts.h"

enum { MAX_SLEEP_MS = 30 * 1000, MESSAGE_MAX = 1000 };

void plugin_send(struct plugin *plugin, struct buf *out)
{
    struct err err = ERR_INIT;
    deadline_hold(&plugin->deadline);
    if (out->failed || wire_send(plugin->stream, buf_str(out), (struct wire_wait){.wait_ms = -1}, &err) != 0)
        _exit(PLUGIN_DONE);
    deadline_unhold(&plugin->deadline);
}

static int set_failed(struct plugin *plugin, int error, const char *message, const char *hint)
{
    if (plugin->has_failed && !plugin->may_go_on) return -1;
    plugin->has_failed = true;
    plugin->may_go_on = false;
    plugin->error = error >= SLUICE_ERROR_CONFIG && error <= SLUICE_ERROR_CONNECTOR ? (uint64_t)error : SLUICE_ERROR_CONNECTOR;
    buf_clear(&plugin->message);
    buf_clear(&plugin->hint);
    buf_append(&plugin->message, message, strnlen(message, MESSAGE_MAX));
    buf_append(&plugin->hint, hint, strnlen(hint, MESSAGE_MAX));
    return -1;
}

int plugin_fault(struct plugin *plugin, const char *message)
{
    return set_failed(plugin, SLUICE_ERROR_CONNECTOR, message, "correct the plugin; sluice/plugin.h says what is due where");
}

static int host_fail(struct sluice_session *session, int error, const char *message, const char *hint)
{
    return set_failed(plugin_of(session), error, message && message[0] ? message : "it failed, and does not say why",
                      hint ? hint : "");
}

void plugin_note(struct plugin *plugin, int level, const char *text)
{
    const struct wire_note note = {.level = (uint64_t)(level < 0 || level > SLUICE_LOG_WARN ? SLUICE_LOG_INFO : level),
                                   .text = {text, strnlen(text, PLUGIN_MAX_NOTE)}};
    buf_clear(&plugin->out);
    wire_write_note(&plugin->out, plugin->id, &note);
    plugin_send(plugin, &plugin->out);
}

static void host_log(struct sluice_session *session, int level, const char *text)
{
    struct plugin *plugin = plugin_of(session);
    if (text && ++plugin->notes <= PLUGIN_MAX_NOTES) plugin_note(plugin, level, text);
}

static const char *host_committed(struct sluice_session *session)
{
    return plugin_of(session)->committed;
}

static const char *host_config(struct sluice_session *session, const char *key)
{
    struct plugin *plugin = plugin_of(session);
    for (size_t i = 0; key && i < plugin->config_count; i++)
        if (str_equal(plugin->config[i].name, str_from(key))) return plugin->config[i].value.data;
    return NULL;
}

static void *host_alloc(struct sluice_session *session, size_t size)
{
    void *memory = arena_try(&plugin_of(session)->callback_memory, size ? size : 1);
    if (!memory) mem_exhausted("a plugin's callback");
    memset(memory, 0, size);
    return memory;
}

struct wire_frame plugin_ask_host(struct plugin *plugin)
{
    struct err err = ERR_INIT;
    struct wire_frame frame;
    plugin_send(plugin, &plugin->out);
    do {
        if (wire_receive(&plugin->nested, &frame, (struct wire_wait){.wait_ms = -1}, &err) != 0) _exit(PLUGIN_DONE);
        plugin->is_stopping = plugin->is_stopping || frame.type == WIRE_STOP;
    } while (frame.type == WIRE_STOP);
    return frame;
}

int plugin_fail_as_told(struct plugin *plugin, uint64_t error, struct str message, struct str hint)
{
    char texts[2][MESSAGE_MAX];
    snprintf(texts[0], MESSAGE_MAX, STR_FMT, STR_ARG(message));
    snprintf(texts[1], MESSAGE_MAX, STR_FMT, STR_ARG(hint));
    return set_failed(plugin, (int)error, texts[0], texts[1]);
}

static int host_resolve(struct sluice_session *session, const char *name, uint16_t port, char (*addresses)[46], size_t *count)
{
    struct plugin *plugin = plugin_of(session);
    struct wire_resolved resolved;
    size_t room = *count;
    *count = 0;
    if (plugin->about.profile != SLUICE_NETWORK)
        return plugin_fault(plugin, "sluice_resolve was called outside of the profile network");
    if (!name || !name[0] || strlen(name) > 253) return plugin_fault(plugin, "sluice_resolve was called without a host's name");
    const struct wire_resolve question = {.name = str_from(name), .port = port};
    struct err err = ERR_INIT;
    buf_clear(&plugin->out);
    wire_write_resolve(&plugin->out, plugin->id, &question);
    const struct wire_frame frame = plugin_ask_host(plugin);
    if (wire_read_resolved(&frame, &resolved, &err) != 0) return plugin_fault(plugin, err.message);
    if (resolved.failed) {
        bool is_first = !plugin->has_failed || plugin->may_go_on;
        int rc = plugin_fail_as_told(plugin, resolved.error, resolved.message, resolved.hint);
        plugin->may_go_on = is_first;
        return rc;
    }
    for (size_t i = 0; i < resolved.count && i < room; i++)
        snprintf(addresses[i], sizeof addresses[i], STR_FMT, STR_ARG(resolved.addresses[i]));
    *count = resolved.count;
    return 0;
}

/* A copy that lives as long as the callback, with a NUL behind it. */
static const char *keep(struct plugin *plugin, struct str text)
{
    char *copy = host_alloc(&plugin->session, text.size + 1);
    if (text.size) memcpy(copy, text.data, text.size);
    return copy;
}

static int give_answer(struct plugin *plugin, const struct wire_answered *answered, struct sluice_http_response *response)
{
    struct sluice_header *headers = host_alloc(&plugin->session, (answered->header_count + 1) * sizeof *headers);
    uint32_t size = response->struct_size;
    if (size < sizeof *response)
        return plugin_fault(plugin, "sluice_http was called with a response whose struct_size is not set");
    for (size_t i = 0; i < answered->header_count; i++)
        headers[i] = (struct sluice_header){keep(plugin, answered->headers[i].name), keep(plugin, answered->headers[i].value)};
    *response = (struct sluice_http_response){.struct_size = size,
                                              .status = (int32_t)answered->status,
                                              .header_count = (uint32_t)answered->header_count,
                                              .headers = headers,
                                              .body = keep(plugin, answered->body),
                                              .body_size = answered->body.size};
    return 0;
}

static int host_http(struct sluice_session *session, const struct sluice_http_request *request,
                     struct sluice_http_response *response)
{
    struct plugin *plugin = plugin_of(session);
    struct err err = ERR_INIT;
    if (plugin->stage != STAGE_PAGE && plugin->stage != STAGE_CHECK && plugin->stage != STAGE_SOURCE)
        return plugin_fault(plugin, "sluice_http was called outside of check, setup, teardown and page");
    if (request->struct_size < sizeof *request || !request->url || request->header_count > WIRE_MAX_HEADERS)
        return plugin_fault(plugin, "sluice_http was called without a URL, with over 200 headers, or without struct_size");
    struct wire_http *http = host_alloc(session, sizeof *http);
    struct wire_answered *answered = host_alloc(session, sizeof *answered);
    http->method = str_from(request->method ? request->method : "GET");
    http->url = str_from(request->url);
    http->body = (struct str){request->body, request->body ? request->body_size : 0};
    http->idempotent = request->idempotent;
    for (; http->header_count < request->header_count; http->header_count++) {
        const struct sluice_header *header = &request->headers[http->header_count];
        http->headers[http->header_count] = (struct wire_setting){str_from(header->name), str_from(header->value)};
    }
    buf_clear(&plugin->out);
    wire_write_http(&plugin->out, plugin->id, http);
    if (plugin->out.failed) return plugin_fault(plugin, "a request is larger than 16 MiB");
    const struct wire_frame frame = plugin_ask_host(plugin);
    if (wire_read_answered(&frame, answered, &err) != 0) return plugin_fault(plugin, err.message);
    if (answered->failed) return plugin_fail_as_told(plugin, answered->error, answered->message, answered->hint);
    return give_answer(plugin, answered, response);
}

/* During a callback the host sends but one thing unasked: that no more is wanted. */
static int host_cancelled(struct sluice_session *session)
{
    struct plugin *plugin = plugin_of(session);
    struct pollfd channel = {.fd = plugin->stream->fd, .events = POLLIN};
    return plugin->is_stopping || poll(&channel, 1, 0) > 0;
}

static int host_sleep(struct sluice_session *session, uint32_t milliseconds)
{
    struct plugin *plugin = plugin_of(session);
    struct pollfd channel = {.fd = plugin->stream->fd, .events = POLLIN};
    if (milliseconds > MAX_SLEEP_MS) return plugin_fault(plugin, "sluice_sleep waits 30 s at most");
    if (!plugin->is_stopping) poll(&channel, 1, (int)milliseconds);
    return host_cancelled(session);
}

static int host_result(struct sluice_session *session, const char *text, size_t size)
{
    struct plugin *plugin = plugin_of(session);
    if (plugin->stage != STAGE_CALL) return plugin_fault(plugin, "sluice_result was called outside of a function");
    buf_append(&plugin->result, text, size);
    return plugin->result.failed ? plugin_fault(plugin, "a result is larger than 16 MiB") : 0;
}

const struct sluice_host PLUGIN_HOST = {
    .struct_size = sizeof PLUGIN_HOST,
    .abi_major = SLUICE_ABI_MAJOR,
    .abi_minor = SLUICE_ABI_MINOR,
    .emit = plugin_emit,
    .emit_bytes = plugin_emit_bytes,
    .checkpoint = plugin_checkpoint,
    .committed = host_committed,
    .config = host_config,
    .alloc = host_alloc,
    .resolve = host_resolve,
    .sleep = host_sleep,
    .cancelled = host_cancelled,
    .log = host_log,
    .fail = host_fail,
    .result = host_result,
    .http = host_http,
    .input = plugin_input,
};
