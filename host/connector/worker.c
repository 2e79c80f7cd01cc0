/* worker: see worker.h. One request at a time: the frame goes out, then frames come in until the one that answers it; print
 * lines and questions of sluice.crypto are dealt with on the way. A clock on the wall runs over all of it: the worker ends
 * itself when its CPU time is up, this is for one that does not run at all. */
#include "connector/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector/crypto.h"
#include "net/http.h"
#include "net/resolve.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/log.h"
#include "os/process.h"
#include "rest/native.h"
#include "wire/session.h"
#include "wire/stream.h"

enum {
    CHANNEL_FD = 3,
    OBJECT_FD = 4,
    LOOK_MS = 250,
    LAST_WORDS_MS = 2000,
    DEFAULT_LOAD_MS = 2000,
    DEFAULT_CALL_MS = 10000,
    DEFAULT_WALL_MS = 60000
};
enum { DEFAULT_MEMORY = 64 * 1024 * 1024, MAX_LOG_LINES = 1000 };

struct worker {
    const char *name; /* the connector's */
    const struct connector_options *options;
    struct connector_limits limits;
    struct process *process; /* NULL once it was ended */
    struct wire_stream stream;
    struct buf out;     /* the frame going out */
    struct buf scratch; /* an answer of sluice.crypto */
    uint32_t id;
    unsigned log_lines; /* in this request */
    bool is_native;
    const struct native_http *http;                   /* sends the plugin's requests; NULL: nobody */
    bool was_stopped;                                 /* it was told that no more is wanted */
    void (*passed)(void *context, const char *check); /* inspecting: who is told; else NULL */
    void *passed_context;
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

static void end_process(struct worker *worker)
{
    if (worker->stream.fd >= 0) close(worker->stream.fd);
    worker->stream.fd = -1;
    process_free(worker->process);
    worker->process = NULL;
}

/* What a plugin's failure means, by enum sluice_error; a plugin cannot say that it is our bug. */
static int class_of(uint64_t error)
{
    static const int CLASSES[] = {ERR_CONNECTOR, ERR_CONFIG, ERR_AUTH, ERR_PERMISSION,
                                  ERR_TRANSIENT, ERR_SOURCE, ERR_DATA, ERR_CONNECTOR};
    return error < ARRAY_SIZE(CLASSES) ? CLASSES[error] : ERR_CONNECTOR;
}

static void log_traceback(struct worker *worker, struct str traceback)
{
    struct str line;
    while (worker->options->log && str_next(&traceback, '\n', &line))
        log_debug(worker->options->log, "connector '%s': " STR_FMT, worker->name, STR_ARG(line));
}

/* A FAIL frame as an error; false: it cannot be read. After any kind but SCRIPT, SYNTAX and PLUGIN the worker is ending. A
 * connector that is no Lua, or no plugin of this version, is a mistake in what was configured, like an unknown key of it; all
 * else is the doing of its code, or what a plugin says it is. */
static bool failed(struct worker *worker, const struct wire_frame *frame, struct err *err)
{
    struct wire_fail fail;
    if (wire_read_fail(frame, &fail, err) != 0) return false;
    log_traceback(worker, fail.traceback);
    bool never_ran = fail.kind == WIRE_FAIL_SYNTAX || fail.kind == WIRE_FAIL_REFUSED;
    bool goes_on = fail.kind == WIRE_FAIL_SCRIPT || fail.kind == WIRE_FAIL_SYNTAX || fail.kind == WIRE_FAIL_PLUGIN;
    int class = fail.kind == WIRE_FAIL_PLUGIN ? class_of(fail.error) : never_ran ? ERR_CONFIG : ERR_CONNECTOR;
    err_set(err, class, "connector '%s': " STR_FMT, worker->name, STR_ARG(fail.message));
    switch (fail.kind) {
    case WIRE_FAIL_PLUGIN:
        if (fail.hint.size) err_hint(err, STR_FMT, STR_ARG(fail.hint));
        break;
    case WIRE_FAIL_REFUSED:
        err_hint(err, "build it anew with this version's sluice/plugin.h; `sluice connector inspect` shows what it passes");
        break;
    case WIRE_FAIL_MEMORY:
        err_hint(err, "a connector's code has %llu MiB: keep less at once, records are handed to map one by one",
                 (unsigned long long)(worker->limits.memory_bytes >> 20));
        break;
    case WIRE_FAIL_DEADLINE:
        err_hint(err, "loading may use %u ms of CPU time and each call %u ms: look for a loop without end%s",
                 worker->limits.load_cpu_ms, worker->limits.call_cpu_ms, worker->is_native ? "" : " at the place named");
        break;
    case WIRE_FAIL_PROTOCOL:
        err_hint(err, "do `sluice` and `sluice-worker` come from the same version?");
        break;
    default:
        err_hint(err, "correct the connector's code at the place named; --verbose shows the traceback");
    }
    if (!goes_on) end_process(worker);
    return true;
}

/* The channel is broken: says how the process ended, if it did, and ends it. */
static int broken(struct worker *worker, int rc, struct err *err)
{
    struct process_end end;
    char text[PROCESS_END_TEXT_MAX], reason[256];
    snprintf(reason, sizeof reason, "%s", err->message);
    if (rc == ERR_CANCELLED || rc == ERR_BUG) {
        end_process(worker);
        return rc;
    }
    if (rc == ERR_TRANSIENT && process_wait(worker->process, LAST_WORDS_MS, NULL, &end)) {
        err_set(err, ERR_CONNECTOR, "connector '%s': its worker ended with %s", worker->name, process_end_text(&end, text));
        if (end.by_signal && end.code == SIGSYS)
            err_hint(err, "its code made the worker do what %s forbids; do not use it",
                     worker->is_native ? "the plugin's profile" : "the sandbox");
        else if (end.by_signal)
            err_hint(err, "its code crashed%s; the sync resumes where it was at the next run",
                     worker->is_native ? "" : " the Lua interpreter");
        else if (worker->is_native)
            err_hint(err, "it ended itself, or ran out of memory; the sync resumes where it was at the next run");
        else
            err_hint(err, "it ran out of memory outside of Lua, or was ended by someone else");
    } else if (rc == ERR_STALLED) {
        err_set(err, ERR_CONNECTOR, "connector '%s': no answer from its worker within %u ms", worker->name,
                worker->limits.wall_ms);
        err_hint(err, "the worker was stopped; is this machine out of CPU time or memory?");
    } else {
        err_set(err, ERR_CONNECTOR, "connector '%s': its worker broke the protocol: %s", worker->name, reason);
        err_hint(err, "the worker was stopped; do `sluice` and `sluice-worker` come from the same version?");
    }
    end_process(worker);
    return ERR_CONNECTOR;
}

static int answer_crypto(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    struct wire_crypto question;
    struct wire_crypto_result result;
    int rc = wire_read_crypto(frame, &question, err);
    if (rc != 0) return rc;
    crypto_answer(worker->options, &question, &worker->scratch, &result);
    buf_clear(&worker->out);
    wire_write_crypto_result(&worker->out, frame->id, &result);
    return wire_send(&worker->stream, buf_str(&worker->out), wait, err);
}

static int log_line(struct worker *worker, const struct wire_frame *frame, struct err *err)
{
    struct str text;
    int rc = wire_read_text(frame, &text, err);
    if (rc == 0 && ++worker->log_lines > MAX_LOG_LINES) rc = err_set(err, ERR_DATA, "more than %d print lines", MAX_LOG_LINES);
    if (rc == 0 && worker->options->log) log_info(worker->options->log, "print: " STR_FMT, STR_ARG(text));
    return rc;
}

/* A plugin's line; or, of one that is inspected, a check it has passed. */
static int take_note(struct worker *worker, const struct wire_frame *frame, struct err *err)
{
    struct wire_note note;
    char text[256];
    int rc = wire_read_note(frame, &note, err);
    if (rc) return rc;
    if (worker->passed) {
        snprintf(text, sizeof text, STR_FMT, STR_ARG(note.text));
        worker->passed(worker->passed_context, text);
        return 0;
    }
    static const enum log_level LEVELS[] = {LOG_DEBUG, LOG_INFO, LOG_WARN};
    if (worker->options->log)
        log_at(worker->options->log, LEVELS[note.level], "%s: " STR_FMT, worker->name, STR_ARG(note.text));
    return 0;
}

static uint64_t error_of(int class)
{
    for (uint64_t error = 1; error <= 6; error++)
        if (class_of(error) == class) return error;
    return 5; /* SLUICE_ERROR_SOURCE */
}

/* Looks a host up for a plugin, which has no resolver, and must not see what the pipeline does not allow. */
static int answer_resolve(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    struct wire_resolve question;
    struct wire_resolved answer = {0};
    struct arena arena = ARENA_INIT(0);
    struct err problem = ERR_INIT;
    const char **addresses;
    const struct connector_grant *grant = worker->options->grant;
    int rc = wire_read_resolve(frame, &question, err);
    if (rc) return rc;
    const char *name = arena_text(&arena, question.name);
    if (!grant)
        rc = err_set(&problem, ERR_PERMISSION, "cannot look up '%s': the plugin is only described", name);
    else
        rc = resolve_host(name, (uint16_t)question.port, grant->allow_private, &arena, &addresses, &answer.count, &problem);
    answer.failed = rc != 0;
    answer.error = rc ? error_of(rc) : 0;
    answer.message = str_from(problem.message);
    answer.hint = str_from(problem.hint);
    for (size_t i = 0; rc == 0 && i < answer.count; i++) answer.addresses[i] = str_from(addresses[i]);
    buf_clear(&worker->out);
    wire_write_resolved(&worker->out, frame->id, &answer);
    rc = wire_send(&worker->stream, buf_str(&worker->out), wait, err);
    arena_release(&arena);
    return rc;
}

static void read_request(const struct wire_http *asked, struct arena *arena, struct http_request *request)
{
    struct http_header *headers = arena_array(arena, struct http_header, asked->header_count + 1);
    for (size_t i = 0; i < asked->header_count; i++)
        headers[i] = (struct http_header){asked->headers[i].name, asked->headers[i].value};
    *request = (struct http_request){.method = arena_text(arena, asked->method),
                                     .url = arena_text(arena, asked->url),
                                     .headers = headers,
                                     .header_count = asked->header_count,
                                     .body = asked->body,
                                     .idempotent = asked->idempotent};
}

/* Sends a request for a plugin: the host's credentials, limits and retries go with it, and the answer alone comes back. */
static int answer_http(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct wire_http *asked = arena_new(&arena, struct wire_http);
    struct wire_answered *answer = arena_new(&arena, struct wire_answered);
    struct http_request request;
    struct http_response response = {0};
    struct err problem = ERR_INIT;
    int rc = wire_read_http(frame, asked, err);
    if (rc == 0) {
        read_request(asked, &arena, &request);
        int sent = worker->http ? worker->http->send(worker->http->context, &request, &arena, &response, &problem)
                                : err_set(&problem, ERR_PERMISSION, "requests cannot be sent here");
        answer->failed = sent != 0;
        answer->error = sent ? error_of(sent) : 0;
        answer->message = str_from(problem.message);
        answer->hint = str_from(problem.hint);
        answer->status = sent ? 0 : (uint64_t)response.status;
        for (size_t i = 0; !sent && i < response.header_count && i < WIRE_MAX_HEADERS; i++)
            answer->headers[answer->header_count++] =
                (struct wire_setting){response.headers[i].name, response.headers[i].value};
        if (!sent) answer->body = (struct str){response.body->data, response.body->size};
        buf_clear(&worker->out);
        wire_write_answered(&worker->out, frame->id, answer);
        rc = wire_send(&worker->stream, buf_str(&worker->out), wait, err);
        http_response_release(&response);
    }
    arena_release(&arena);
    return rc;
}

/* A plugin that waits for more is told once that no more is wanted. */
static int pass_stop_on(struct worker *worker, struct wire_wait wait, struct err *err)
{
    if (!worker->is_native || worker->was_stopped || !cancel_stopping(worker->options->cancel)) return 0;
    worker->was_stopped = true;
    buf_clear(&worker->out);
    wire_write_bare(&worker->out, WIRE_STOP, worker->id);
    return wire_send(&worker->stream, buf_str(&worker->out), wait, err);
}

/* The next frame, with a look now and then at whether all this is still wanted. */
static int receive(struct worker *worker, struct wire_frame *frame, int64_t deadline_ms, struct err *err)
{
    struct clock *clock = clock_system();
    for (;;) {
        struct err problem = ERR_INIT;
        int64_t left_ms = deadline_ms - clock_now_ms(clock), step_ms = worker->is_native ? LOOK_MS : left_ms;
        if (left_ms < 0) left_ms = 0;
        if (step_ms > left_ms) step_ms = left_ms;
        struct wire_wait wait = {.wait_ms = step_ms, .cancel = worker->options->cancel};
        int rc = wire_receive(&worker->stream, frame, wait, &problem);
        if (rc != ERR_STALLED || left_ms == step_ms) return rc ? err_copy(err, &problem) : 0;
        wait.wait_ms = left_ms;
        if ((rc = pass_stop_on(worker, wait, err)) != 0) return rc;
    }
}

/* What comes before the answer. 1: it was none of that. */
static int take_aside(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    if (frame->type == WIRE_LOG) return log_line(worker, frame, err);
    if (frame->type == WIRE_CRYPTO) return answer_crypto(worker, frame, wait, err);
    if (worker->is_native && frame->type == WIRE_NOTE) return take_note(worker, frame, err);
    if (worker->is_native && frame->type == WIRE_RESOLVE) return answer_resolve(worker, frame, wait, err);
    if (worker->is_native && frame->type == WIRE_HTTP) return answer_http(worker, frame, wait, err);
    return 1;
}

/* Sends what is in `out` and waits for the frame `answer`. */
static int ask(struct worker *worker, enum wire_type answer, struct wire_frame *frame, struct err *err)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + worker->limits.wall_ms;
    struct wire_wait wait = {.wait_ms = worker->limits.wall_ms, .cancel = worker->options->cancel};
    struct err problem = ERR_INIT;
    worker->log_lines = 0;
    int rc = wire_send(&worker->stream, buf_str(&worker->out), wait, &problem);
    /* A worker that ended while we were sending may have said why. */
    bool is_gone = rc == ERR_TRANSIENT;
    while (rc == 0 || is_gone) {
        if ((rc = receive(worker, frame, deadline_ms, &problem)) != 0) break;
        if (frame->id != worker->id && frame->type != WIRE_FAIL)
            rc = err_set(&problem, ERR_DATA, "an answer to something else");
        else if (frame->type == answer)
            return 0;
        else if (frame->type == WIRE_FAIL && failed(worker, frame, &problem))
            return err_copy(err, &problem);
        else if (frame->type == WIRE_FAIL)
            rc = problem.class;
        else {
            int64_t asked_ms = clock_now_ms(clock_system());
            rc = take_aside(worker, frame, wait, &problem);
            deadline_ms += clock_now_ms(clock_system()) - asked_ms; /* what we take for it is not the worker's time */
            if (rc > 0) rc = err_set(&problem, ERR_DATA, "a '%s' frame out of turn", wire_type_name(frame->type));
        }
        if (rc != 0) break;
    }
    rc = broken(worker, rc, &problem);
    err_copy(err, &problem);
    return rc;
}

static int ask_text(struct worker *worker, enum wire_type answer, struct str *text, struct err *err)
{
    struct wire_frame frame;
    struct err problem = ERR_INIT;
    int rc = ask(worker, answer, &frame, err);
    if (rc || wire_read_text(&frame, text, &problem) == 0) return rc;
    rc = broken(worker, ERR_DATA, &problem);
    err_copy(err, &problem);
    return rc;
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
    return ask_text(worker, WIRE_DESCRIPTION, description, err);
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
    return ask_text(worker, WIRE_DESCRIPTION, description, err);
}

int worker_inspect(const struct connector_sources *sources, const struct connector_options *options,
                   void (*passed)(void *context, const char *check), void *context, struct worker **out,
                   struct str *description, struct err *err)
{
    struct worker *worker = mem_zero(1, sizeof *worker);
    int object_fd = -1;
    *worker = (struct worker){
        .name = sources->name,
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
    if (rc == 0 && !worker->process) rc = err_set(err, ERR_CONNECTOR, "connector '%s': its worker has ended", sources->name);
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

int worker_ask(struct worker *worker, enum wire_type answer, struct wire_frame *frame, struct err *err)
{
    if (!worker->process) return err_set(err, ERR_CONNECTOR, "connector '%s': its worker has ended", worker->name);
    return ask(worker, answer, frame, err);
}

int worker_call(struct worker *worker, const struct wire_call *call, struct arena *arena, struct str *result, struct err *err)
{
    if (!worker->process) return err_set(err, ERR_CONNECTOR, "connector '%s': its worker has ended", worker->name);
    buf_clear(&worker->out);
    wire_write_call(&worker->out, ++worker->id, call);
    if (worker->out.failed) {
        err_set(err, ERR_CONNECTOR, "connector '%s': a page of %zu bytes is too large for a function", worker->name,
                call->page.size);
        return err_hint(
            err, "functions take pages of up to 16 MiB: ask for smaller ones, or declare records and fields without functions");
    }
    struct str view;
    int rc = ask_text(worker, WIRE_RESULT, &view, err);
    if (rc != 0) return rc;
    char *copy = arena_try(arena, view.size + WIRE_PADDING);
    if (!copy) return err_set(err, ERR_DATA, "connector '%s': a result of %zu bytes is over its cap", worker->name, view.size);
    if (view.size > 0) memcpy(copy, view.data, view.size);
    memset(copy + view.size, 0, WIRE_PADDING);
    *result = (struct str){copy, view.size};
    return 0;
}

void worker_free(struct worker *worker)
{
    if (!worker) return;
    end_process(worker);
    wire_stream_release(&worker->stream);
    buf_release(&worker->out);
    buf_release(&worker->scratch);
    free(worker);
}
