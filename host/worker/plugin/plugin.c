/* plugin: see plugin.h. Walls go up around the loading: what a constructor of the object does is the plugin's doing, and runs
 * behind all walls but the last, which take away what loading itself needs. */
#include "worker/plugin/plugin.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "worker/plugin/parts.h"
#include "worker/walls.h"

enum { MAX_ARENAS = 2, MAX_TABLES = 4096, MAX_COLUMNS = 4096 };

/* In the signal handler: CPU time is up, but a plugin cannot be told. */
static void deadline_soon(void *context)
{
    (void)context;
}

static void deadline_now(void *context)
{
    struct plugin *plugin = context;
    send(plugin->stream->fd, plugin->last_words.data, plugin->last_words.size, MSG_NOSIGNAL);
    _exit(PLUGIN_FAILED);
}

struct plugin *plugin_new(struct wire_stream *stream, struct err *err)
{
    struct plugin *plugin = mem_zero(1, sizeof *plugin);
    plugin->session.host = &PLUGIN_HOST;
    plugin->stream = stream;
    plugin->nested = WIRE_STREAM_INIT(stream->fd);
    plugin->out = BUF_INIT(WIRE_MAX_BYTES);
    plugin->last_words = BUF_INIT(1024);
    plugin->message = plugin->hint = BUF_INIT(2048);
    plugin->result = BUF_INIT(WIRE_MAX_RESULT);
    plugin->body.piece = BUF_INIT(WIRE_PIECE_BYTES);
    plugin->callback_memory = ARENA_INIT(PLUGIN_MAX_CALLBACK_MEMORY);
    plugin_page_init(&plugin->page);
    mallopt(M_ARENA_MAX, MAX_ARENAS); /* each of a library's threads would have one of its own */
    if (deadline_init(&plugin->deadline, deadline_soon, deadline_now, plugin) != 0) {
        err_set(err, ERR_BUG, "cannot make a timer");
        free(plugin);
        return NULL;
    }
    return plugin;
}

/* --- requests ------------------------------------------------------------------------------------------------------------ */

static void begin_request(struct plugin *plugin, uint32_t id, enum plugin_stage stage, const char *what, uint64_t cpu_ms)
{
    char message[128];
    plugin->id = id;
    plugin->stage = stage;
    plugin->notes = 0;
    plugin->has_failed = plugin->may_go_on = false;
    snprintf(message, sizeof message, "%s used over %llu s of CPU time", what, (unsigned long long)cpu_ms / 1000);
    struct wire_fail fail = {.kind = WIRE_FAIL_DEADLINE, .message = str_from(message)};
    buf_clear(&plugin->last_words);
    wire_write_fail(&plugin->last_words, id, &fail);
    deadline_arm(&plugin->deadline, cpu_ms);
}

static void send_fail(struct plugin *plugin, enum wire_fail_kind kind, struct str message)
{
    const struct wire_fail fail = {.kind = kind,
                                   .message = message,
                                   .error = plugin->has_failed ? plugin->error : 0,
                                   .hint = plugin->has_failed ? buf_str(&plugin->hint) : STR("")};
    buf_clear(&plugin->out);
    wire_write_fail(&plugin->out, plugin->id, &fail);
    plugin_send(plugin, &plugin->out);
}

/* The callback has returned: true when all is well, else FAIL was sent. */
static bool end_callback(struct plugin *plugin, const char *what, int rc)
{
    char message[128];
    deadline_disarm(&plugin->deadline);
    plugin->stage = STAGE_NONE;
    arena_clear(&plugin->callback_memory);
    if (rc >= 0 && (!plugin->has_failed || plugin->may_go_on)) return true;
    snprintf(message, sizeof message, "%s returned %d without sluice_fail", what, rc);
    if (!plugin->has_failed) plugin_fault(plugin, message);
    send_fail(plugin, WIRE_FAIL_PLUGIN, buf_str(&plugin->message));
    return false;
}

static void send_result(struct plugin *plugin, struct str text)
{
    buf_clear(&plugin->out);
    wire_write_text(&plugin->out, WIRE_RESULT, plugin->id, text);
    plugin_send(plugin, &plugin->out);
}

NORETURN static void refuse_request(struct plugin *plugin, uint32_t id, const char *why)
{
    plugin->id = id;
    send_fail(plugin, WIRE_FAIL_PROTOCOL, str_from(why));
    _exit(PLUGIN_FAILED);
}

/* --- loading ------------------------------------------------------------------------------------------------------------- */

static void trace(struct plugin *plugin, const char *check)
{
    plugin_note(plugin, SLUICE_LOG_INFO, check);
}

/* {"name":..,"version":..,"profile":..,"callbacks":[..],"places":[..],"description":{..}} */
static void send_description(struct plugin *plugin)
{
    static const char *const PROFILES[] = {NULL, "parse", "network", "files"};
    const struct sluice_plugin *about = &plugin->about;
    const struct {
        const char *name;
        bool is_there;
    } callbacks[] = {{"check", about->check}, {"open", about->open},   {"page", about->page},
                     {"close", about->close}, {"setup", about->setup}, {"teardown", about->teardown}};
    buf_clear(&plugin->out);
    size_t mark = wire_begin_text(&plugin->out, WIRE_DESCRIPTION, plugin->id);
    struct json_writer json = JSON_WRITER(&plugin->out);
    json_open(&json, '{');
    json_member(&json, "name");
    json_cstr(&json, about->name);
    json_member(&json, "version");
    json_cstr(&json, about->version);
    json_member(&json, "profile");
    json_cstr(&json, PROFILES[about->profile]);
    json_member(&json, "callbacks");
    json_open(&json, '[');
    for (size_t i = 0; i < ARRAY_SIZE(callbacks); i++)
        if (callbacks[i].is_there) json_cstr(&json, callbacks[i].name);
    json_close(&json, ']');
    json_member(&json, "places");
    json_open(&json, '[');
    for (const struct sluice_function *function = about->functions; function && function->place; function++)
        json_cstr(&json, function->place);
    json_close(&json, ']');
    json_member(&json, "description");
    json_raw(&json, str_from(about->description));
    json_close(&json, '}');
    wire_end_text(&plugin->out, mark);
    plugin_send(plugin, &plugin->out);
}

void plugin_load(struct plugin *plugin, uint32_t id, const struct wire_plugin *request, int channel_fd, int object_fd)
{
    char object[32], reason[512];
    struct walls_grant grant = {.profile = request->profile, .object_fd = object_fd, .port_count = request->port_count};
    struct arena arena = ARENA_INIT(0); /* what the grant points to */
    const char **paths = arena_array(&arena, const char *, request->path_count + 1);
    for (size_t i = 0; i < request->path_count; i++) paths[i] = arena_text(&arena, request->paths[i]);
    for (size_t i = 0; i < request->port_count; i++) grant.ports[i] = (uint16_t)request->ports[i];
    grant.paths = paths;
    grant.path_count = request->path_count;
    struct walls walls;
    walls_raise_loading(channel_fd, &grant, &walls);
    begin_request(plugin, id, STAGE_NONE, "loading the plugin", request->load_cpu_ms);
    plugin->call_cpu_ms = request->call_cpu_ms;
    snprintf(object, sizeof object, "/proc/self/fd/%d", object_fd);
    const char *refusal = plugin_refusal(plugin, object, request->profile, request->inspects, request->traces ? trace : NULL);
    walls_raise_running(channel_fd, &grant, &walls);
    deadline_disarm(&plugin->deadline);
    arena_release(&arena);
    if (refusal) {
        snprintf(reason, sizeof reason, "cannot use the plugin: %s", refusal);
        send_fail(plugin, WIRE_FAIL_REFUSED, str_from(reason));
        _exit(PLUGIN_FAILED);
    }
    send_description(plugin);
}

/* --- the session --------------------------------------------------------------------------------------------------------- */

static const char *keep(struct plugin *plugin, struct str text)
{
    return arena_text(&plugin->memory, text);
}

static void take_config(struct plugin *plugin, const struct wire_open *open)
{
    plugin->config = arena_array(&plugin->memory, struct wire_setting, open->config_count + 1);
    plugin->config_count = open->config_count;
    for (size_t i = 0; i < open->config_count; i++) {
        struct str name = open->config[i].name, value = open->config[i].value;
        plugin->config[i] = (struct wire_setting){{keep(plugin, name), name.size}, {keep(plugin, value), value.size}};
    }
}

static bool take_table(struct plugin *plugin, const struct cJSON *json, struct sluice_table *table)
{
    const struct cJSON *name = json_first(json), *columns = name ? json_next(name) : NULL;
    if (!json_string(name) || !json_is_array(columns)) return false;
    struct sluice_column *list = arena_array(&plugin->memory, struct sluice_column, MAX_COLUMNS);
    *table = (struct sluice_table){.name = arena_strdup(&plugin->memory, json_string(name)), .columns = list};
    for (const struct cJSON *column = json_first(columns); column; column = json_next(column)) {
        const char *column_name = json_string(json_first(column)), *type = json_string(json_next(json_first(column)));
        if (!column_name || !type || table->column_count == MAX_COLUMNS) return false;
        list[table->column_count++] =
            (struct sluice_column){arena_strdup(&plugin->memory, column_name), arena_strdup(&plugin->memory, type)};
    }
    return true;
}

static bool take_tables(struct plugin *plugin, struct str text)
{
    struct err err = ERR_INIT;
    struct cJSON *json;
    if (json_parse(text, WIRE_MAX_RESULT, &json, &err) != 0) return false;
    struct sluice_table *tables = arena_array(&plugin->memory, struct sluice_table, MAX_TABLES);
    uint32_t count = 0;
    bool fits = json_is_array(json);
    for (const struct cJSON *table = json_first(json); table && fits; table = json_next(table))
        fits = count < MAX_TABLES && take_table(plugin, table, &tables[count++]);
    json_free(json);
    plugin->slice.tables = tables;
    plugin->slice.table_count = count;
    return fits;
}

static bool take_slice(struct plugin *plugin, const struct wire_open *open)
{
    plugin->slice = (struct sluice_slice){
        .struct_size = sizeof plugin->slice,
        .stream = keep(plugin, open->stream),
        .state = open->has_state ? keep(plugin, open->state) : NULL,
        .from = open->has_from ? keep(plugin, open->from) : NULL,
        .to = open->has_to ? keep(plugin, open->to) : NULL,
        .values = open->has_values ? keep(plugin, open->values) : NULL,
        .now_us = open->now_us,
        .incremental = open->incremental,
        .continuous = open->continuous,
        .sample = open->sample,
    };
    return take_tables(plugin, open->tables);
}

/* Reads what a request says of the session: its config and, but for a check, its slice. */
static void take_open(struct plugin *plugin, const struct wire_frame *frame, bool has_slice)
{
    struct wire_open *open = mem_zero(1, sizeof *open);
    struct err err = ERR_INIT;
    if (wire_read_open(frame, open, &err) != 0) refuse_request(plugin, frame->id, err.message);
    if (plugin->is_open) refuse_request(plugin, frame->id, "a session is open already");
    arena_clear(&plugin->memory);
    take_config(plugin, open);
    bool fits = !has_slice || take_slice(plugin, open);
    plugin_body_begin(&plugin->body, open->parses);
    free(open);
    if (!fits) refuse_request(plugin, frame->id, "the tables of a slice cannot be read");
}

static void answer_open(struct plugin *plugin, const struct wire_frame *frame)
{
    const struct sluice_plugin *about = &plugin->about;
    take_open(plugin, frame, true);
    begin_request(plugin, frame->id, STAGE_OPEN, "open", plugin->call_cpu_ms);
    plugin->instance = NULL;
    int rc = about->open ? about->open(&plugin->session, &plugin->slice, &plugin->instance) : 0;
    if (!end_callback(plugin, "open", rc)) return;
    plugin->is_open = true;
    send_result(plugin, STR(""));
}

static void answer_check(struct plugin *plugin, const struct wire_frame *frame)
{
    const struct sluice_plugin *about = &plugin->about;
    take_open(plugin, frame, false);
    begin_request(plugin, frame->id, STAGE_CHECK, "check", plugin->call_cpu_ms);
    if (end_callback(plugin, "check", about->check ? about->check(&plugin->session) : 0)) send_result(plugin, STR(""));
}

static void answer_source(struct plugin *plugin, const struct wire_frame *frame, bool is_teardown)
{
    const char *name = is_teardown ? "teardown" : "setup";
    int (*callback)(struct sluice_session *, const struct sluice_slice *) =
        is_teardown ? plugin->about.teardown : plugin->about.setup;
    take_open(plugin, frame, true);
    begin_request(plugin, frame->id, STAGE_SOURCE, name, plugin->call_cpu_ms);
    int rc = callback ? callback(&plugin->session, &plugin->slice)
                      : PLUGIN_HOST.fail(&plugin->session, SLUICE_ERROR_CONFIG,
                                         "this connector's source holds nothing for a pipeline",
                                         "there is nothing to set up or to tear down");
    if (end_callback(plugin, name, rc)) send_result(plugin, STR(""));
}

static void answer_page(struct plugin *plugin, const struct wire_frame *frame)
{
    struct plugin_page *page = &plugin->page;
    struct wire_page request;
    struct err err = ERR_INIT;
    if (wire_read_page(frame, &request, &err) != 0) refuse_request(plugin, frame->id, err.message);
    if (!plugin->is_open || !plugin->about.page) refuse_request(plugin, frame->id, "there is no session to read a page of");
    if (request.has_committed) {
        free(plugin->committed);
        plugin->committed = str_dup(request.committed);
    }
    plugin_page_clear(page);
    begin_request(plugin, frame->id, STAGE_PAGE, "page", plugin->call_cpu_ms);
    int rc = plugin->about.page(&plugin->session, plugin->instance);
    plugin->is_open = end_callback(plugin, "page", rc);
    if (!plugin->is_open) return;
    const struct wire_rows rows = {.has_more = rc > 0,
                                   .has_checkpoint = page->has_checkpoint,
                                   .checkpoint = buf_str(&page->checkpoint),
                                   .is_bytes = page->is_bytes,
                                   .operations = buf_str(&page->operations),
                                   .tables = buf_str(&page->tables),
                                   .values = buf_str(&page->values),
                                   .texts = buf_str(&page->texts)};
    buf_clear(&plugin->out);
    wire_write_rows(&plugin->out, plugin->id, &rows);
    if (plugin->out.failed) refuse_request(plugin, plugin->id, "a page is larger than a frame");
    plugin_send(plugin, &plugin->out);
}

static void answer_close(struct plugin *plugin, const struct wire_frame *frame)
{
    begin_request(plugin, frame->id, STAGE_CLOSE, "close", plugin->call_cpu_ms);
    if (plugin->is_open && plugin->about.close) plugin->about.close(&plugin->session, plugin->instance);
    plugin->is_open = false;
    if (end_callback(plugin, "close", 0)) send_result(plugin, STR(""));
}

/* --- functions ----------------------------------------------------------------------------------------------------------- */

static const struct sluice_function *function_at(const struct plugin *plugin, struct str place)
{
    const struct sluice_function *function = plugin->about.functions;
    while (function && function->place && !str_equal(str_from(function->place), place)) function++;
    return function && function->place ? function : NULL;
}

/* A records function and a map together: the map gets what the first gives. */
static void answer_call(struct plugin *plugin, const struct wire_frame *frame)
{
    struct wire_call call;
    struct err err = ERR_INIT;
    if (wire_read_call(frame, &call, &err) != 0) refuse_request(plugin, frame->id, err.message);
    const struct str places[] = {call.name, call.map_name};
    char path[1024];
    snprintf(path, sizeof path, STR_FMT, STR_ARG(call.records_path));
    struct sluice_call given = {.struct_size = sizeof given,
                                .context = call.context_json.data,
                                .context_size = call.context_json.size,
                                .page = call.page.data,
                                .page_size = call.page.size,
                                .records_path = call.is_records ? path : NULL};
    struct buf before = BUF_INIT(WIRE_MAX_RESULT + WIRE_PADDING);
    begin_request(plugin, frame->id, STAGE_CALL, "a function", plugin->call_cpu_ms);
    int rc = 0;
    for (size_t i = 0; i < ARRAY_SIZE(places) && rc == 0; i++) {
        if (places[i].size == 0) continue;
        const struct sluice_function *function = function_at(plugin, places[i]);
        if (!function) refuse_request(plugin, frame->id, "there is no function at this place of the description");
        if (i == 1 && call.name.size) {
            buf_clear(&before);
            buf_append_str(&before, buf_str(&plugin->result));
            given.page = buf_text(&before);
            given.page_size = before.size;
            given.records_path = NULL; /* lines */
        }
        buf_clear(&plugin->result);
        rc = function->call(&plugin->session, &given);
    }
    bool is_well = end_callback(plugin, "a function", rc);
    if (is_well) send_result(plugin, buf_str(&plugin->result));
    buf_release(&before);
}

void plugin_answer(struct plugin *plugin, const struct wire_frame *frame)
{
    plugin->is_stopping = false;
    switch (frame->type) {
    case WIRE_CHECK:
        answer_check(plugin, frame);
        break;
    case WIRE_SETUP:
    case WIRE_TEARDOWN:
        answer_source(plugin, frame, frame->type == WIRE_TEARDOWN);
        break;
    case WIRE_OPEN:
        answer_open(plugin, frame);
        break;
    case WIRE_PAGE:
        answer_page(plugin, frame);
        break;
    case WIRE_CLOSE:
        answer_close(plugin, frame);
        break;
    case WIRE_CALL_VALUE:
    case WIRE_CALL_RECORDS:
        answer_call(plugin, frame);
        break;
    case WIRE_STOP: /* what it was for has ended */
        break;
    default:
        refuse_request(plugin, frame->id, "a frame out of turn");
    }
}
