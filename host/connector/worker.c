/* worker: see worker.h. Its life: started with what it runs, asked, ended. */
#include "connector/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector/worker_parts.h"
#include "os/fs.h"
#include "os/process.h"

enum {
    CHANNEL_FD = 3,
    OBJECT_FD = 4,
    DEFAULT_LOAD_MS = 2000,
    DEFAULT_CALL_MS = 10000,
    DEFAULT_WALL_MS = 60000,
    DEFAULT_MEMORY = 64 * 1024 * 1024,
};

static struct connector_limits limits_of(const struct connector_options *options)
{
    struct connector_limits limits = options->limits;
    if (limits.load_cpu_ms == 0) limits.load_cpu_ms = DEFAULT_LOAD_MS;
    if (limits.call_cpu_ms == 0) limits.call_cpu_ms = DEFAULT_CALL_MS;
    if (limits.wall_ms == 0) limits.wall_ms = DEFAULT_WALL_MS;
    if (limits.memory_bytes == 0) limits.memory_bytes = DEFAULT_MEMORY;
    return limits;
}

void worker_end(struct worker *worker)
{
    if (worker->stream.fd >= 0) close(worker->stream.fd);
    worker->stream.fd = -1;
    process_free(worker->process);
    worker->process = NULL;
}

static int spawn(struct worker *worker, int object_fd, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    char *found = NULL;
    int pair[2] = {-1, -1};
    int rc = 0;
    const char *program = worker->options->worker_path;
    if (!program) {
        if ((rc = process_find_sibling("sluice-worker", &arena, &found, err)) != 0) goto out;
        program = found;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        rc = err_set(err, ERR_TRANSIENT, "could not make a socket pair: %s", strerror(errno));
        goto out;
    }
    const char *argv[] = {program, worker->is_native ? "--plugin" : NULL, NULL};
    struct process_fd fds[] = {{pair[1], CHANNEL_FD}, {object_fd, OBJECT_FD}};
    struct process_spec spec = {
        .program = program, .argv = argv, .folder = "/", .fds = fds, .fd_count = worker->is_native ? 2 : 1, .own_group = true};
    rc = process_start(&spec, &worker->process, err);
    worker->stream.fd = pair[0];
    pair[0] = -1;
out:
    if (pair[0] >= 0) close(pair[0]);
    if (pair[1] >= 0) close(pair[1]);
    arena_release(&arena);
    return rc;
}

static int load(struct worker *worker, const struct connector_sources *sources, struct str *description, struct err *err)
{
    if (sources->count > WIRE_MAX_FILES)
        return err_set(err, ERR_CONFIG, "connector '%s' has more than %d files", sources->name, WIRE_MAX_FILES);
    struct wire_load load = {
        .now_us = worker->options->now_us,
        .seed = worker->options->seed,
        .load_cpu_ms = worker->limits.load_cpu_ms,
        .call_cpu_ms = worker->limits.call_cpu_ms,
        .memory_bytes = worker->limits.memory_bytes,
        .file_count = sources->count,
    };
    for (size_t i = 0; i < sources->count; i++)
        load.files[i] = (struct wire_file){sources->files[i].name, sources->files[i].bytes};
    buf_clear(&worker->out);
    wire_write_load(&worker->out, ++worker->id, &load);
    if (worker->out.failed)
        return err_set(err, ERR_CONFIG, "connector '%s': its files are more than %d bytes", sources->name, CONNECTOR_MAX_BYTES);
    return worker_ask_text(worker, WIRE_DESCRIPTION, description, err);
}

/* The shared object in memory of its own, which no name leads to. */
static int object_in_memory(const struct connector_sources *sources, int *fd, struct err *err)
{
    struct str bytes = sources->files[0].bytes;
    *fd = memfd_create("sluice-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0) return err_set(err, ERR_TRANSIENT, "could not make memory for a plugin: %s", strerror(errno));
    int rc = fs_write_all(*fd, bytes.data, bytes.size, sources->name, err);
    if (rc == 0 && fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        rc = err_set(err, ERR_TRANSIENT, "could not seal the memory of a plugin: %s", strerror(errno));
    if (rc) close(*fd);
    return rc;
}

static uint64_t profile_of(const struct connector_grant *grant)
{
    static const char *const NAMES[] = {"parse", "network", "files"};
    for (size_t i = 0; grant && i < ARRAY_SIZE(NAMES); i++)
        if (strcmp(grant->profile, NAMES[i]) == 0) return i + 1;
    return 1;
}

static int load_plugin(struct worker *worker, struct str *description, struct err *err)
{
    const struct connector_grant *grant = worker->options->grant;
    struct wire_plugin plugin = {.profile = profile_of(grant),
                                 .inspects = !grant,
                                 .traces = worker->passed != NULL,
                                 .load_cpu_ms = worker->limits.load_cpu_ms,
                                 .call_cpu_ms = worker->limits.call_cpu_ms};
    for (size_t i = 0; grant && i < grant->port_count && i < WIRE_MAX_PORTS; i++)
        plugin.ports[plugin.port_count++] = grant->ports[i];
    for (size_t i = 0; grant && i < grant->path_count && i < WIRE_MAX_PATHS; i++)
        plugin.paths[plugin.path_count++] = str_from(grant->paths[i]);
    buf_clear(&worker->out);
    wire_write_plugin(&worker->out, ++worker->id, &plugin);
    return worker_ask_text(worker, WIRE_DESCRIPTION, description, err);
}

int worker_inspect(const struct connector_sources *sources, const struct connector_options *options,
                   void (*passed)(void *context, const char *check), void *context, struct worker **out,
                   struct str *description, struct err *err)
{
    struct worker *worker = mem_zero(1, sizeof *worker);
    int object_fd = -1;
    *worker = (struct worker){
        .name = sources->name,
        .what = sources->parses ? "parser" : "connector",
        .options = options,
        .limits = limits_of(options),
        .stream = WIRE_STREAM_INIT(-1),
        .out = BUF_INIT(WIRE_MAX_BYTES),
        .scratch = BUF_INIT(WIRE_MAX_BYTES),
        .is_native = sources->is_native,
        .passed = passed,
        .passed_context = context,
    };
    *out = NULL;
    int rc = worker->is_native ? object_in_memory(sources, &object_fd, err) : 0;
    if (rc == 0) rc = spawn(worker, object_fd, err);
    if (object_fd >= 0) close(object_fd);
    if (rc == 0) rc = worker->is_native ? load_plugin(worker, description, err) : load(worker, sources, description, err);
    if (rc == 0 && !worker->process)
        rc = err_set(err, ERR_CONNECTOR, "%s '%s': its worker has ended", worker->what, worker->name);
    if (rc != 0)
        worker_free(worker);
    else
        *out = worker;
    return rc;
}

int worker_start(const struct connector_sources *sources, const struct connector_options *options, struct worker **out,
                 struct str *description, struct err *err)
{
    return worker_inspect(sources, options, NULL, NULL, out, description, err);
}

struct buf *worker_begin(struct worker *worker, uint32_t *id)
{
    *id = ++worker->id;
    worker->was_stopped = false;
    buf_clear(&worker->out);
    return &worker->out;
}

void worker_let_send(struct worker *worker, const struct native_http *http)
{
    worker->http = http;
}

void worker_let_read(struct worker *worker, const struct native_input *input)
{
    worker->input = input;
}

int worker_ask(struct worker *worker, enum wire_type answer, struct wire_frame *frame, struct err *err)
{
    if (!worker->process) return err_set(err, ERR_CONNECTOR, "%s '%s': its worker has ended", worker->what, worker->name);
    return worker_ask_frame(worker, answer, frame, err);
}

int worker_call(struct worker *worker, const struct wire_call *call, struct arena *arena, struct str *result, struct err *err)
{
    if (!worker->process) return err_set(err, ERR_CONNECTOR, "%s '%s': its worker has ended", worker->what, worker->name);
    buf_clear(&worker->out);
    wire_write_call(&worker->out, ++worker->id, call);
    if (worker->out.failed) {
        err_set(err, ERR_CONNECTOR, "%s '%s': a page of %zu bytes is too large for a function", worker->what, worker->name,
                call->page.size);
        return err_hint(
            err, "functions take pages of up to 16 MiB: ask for smaller ones, or declare records and fields without functions");
    }
    struct str view;
    int rc = worker_ask_text(worker, WIRE_RESULT, &view, err);
    if (rc != 0) return rc;
    char *copy = arena_try(arena, view.size + WIRE_PADDING);
    if (!copy)
        return err_set(err, ERR_DATA, "%s '%s': a result of %zu bytes is over its cap", worker->what, worker->name, view.size);
    if (view.size > 0) memcpy(copy, view.data, view.size);
    memset(copy + view.size, 0, WIRE_PADDING);
    *result = (struct str){copy, view.size};
    return 0;
}

void worker_free(struct worker *worker)
{
    if (!worker) return;
    worker_end(worker);
    wire_stream_release(&worker->stream);
    buf_release(&worker->out);
    buf_release(&worker->scratch);
    free(worker);
}
