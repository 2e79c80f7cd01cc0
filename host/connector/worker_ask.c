/* worker_ask: a request and its answer. The frame goes out, then frames come in until the one that answers it. A clock on the
 * wall runs over all of it: the worker ends itself when its CPU time is up, this is for one that does not run at all. */
#include <signal.h>

#include "connector/worker_parts.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/process.h"

enum { LOOK_MS = 250, LAST_WORDS_MS = 2000 };

int worker_class_of(uint64_t error)
{
    static const int CLASSES[] = {ERR_CONNECTOR, ERR_CONFIG, ERR_AUTH, ERR_PERMISSION,
                                  ERR_TRANSIENT, ERR_SOURCE, ERR_DATA, ERR_CONNECTOR};
    return error < ARRAY_SIZE(CLASSES) ? CLASSES[error] : ERR_CONNECTOR;
}

static void log_traceback(struct worker *worker, struct str traceback)
{
    struct str line;
    while (worker->options->log && str_next(&traceback, '\n', &line))
        log_debug(worker->options->log, "%s '%s': " STR_FMT, worker->what, worker->name, STR_ARG(line));
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
    int class = fail.kind == WIRE_FAIL_PLUGIN ? worker_class_of(fail.error) : never_ran ? ERR_CONFIG : ERR_CONNECTOR;
    err_set(err, class, "%s '%s': " STR_FMT, worker->what, worker->name, STR_ARG(fail.message));
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
    if (!goes_on) worker_end(worker);
    return true;
}

/* The channel is broken: says how the process ended, if it did, and ends it. */
static int broken(struct worker *worker, int rc, struct err *err)
{
    struct process_end end;
    char text[PROCESS_END_TEXT_MAX], reason[256];
    snprintf(reason, sizeof reason, "%s", err->message);
    if (rc == ERR_CANCELLED || rc == ERR_BUG) {
        worker_end(worker);
        return rc;
    }
    if (rc == ERR_TRANSIENT && process_wait(worker->process, LAST_WORDS_MS, NULL, &end)) {
        err_set(err, ERR_CONNECTOR, "%s '%s': its worker ended with %s", worker->what, worker->name,
                process_end_text(&end, text));
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
        err_set(err, ERR_CONNECTOR, "%s '%s': no answer from its worker within %u ms", worker->what, worker->name,
                worker->limits.wall_ms);
        err_hint(err, "the worker was stopped; is this machine out of CPU time or memory?");
    } else {
        err_set(err, ERR_CONNECTOR, "%s '%s': its worker broke the protocol: %s", worker->what, worker->name, reason);
        err_hint(err, "the worker was stopped; do `sluice` and `sluice-worker` come from the same version?");
    }
    worker_end(worker);
    return ERR_CONNECTOR;
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

int worker_ask_frame(struct worker *worker, enum wire_type answer, struct wire_frame *frame, struct err *err)
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
            rc = worker_take_aside(worker, frame, wait, &problem);
            deadline_ms += clock_now_ms(clock_system()) - asked_ms; /* what we take for it is not the worker's time */
            if (rc > 0) rc = err_set(&problem, ERR_DATA, "a '%s' frame out of turn", wire_type_name(frame->type));
        }
        if (rc != 0) break;
    }
    rc = broken(worker, rc, &problem);
    err_copy(err, &problem);
    return rc;
}

int worker_ask_text(struct worker *worker, enum wire_type answer, struct str *text, struct err *err)
{
    struct wire_frame frame;
    struct err problem = ERR_INIT;
    int rc = worker_ask_frame(worker, answer, &frame, err);
    if (rc || wire_read_text(&frame, text, &problem) == 0) return rc;
    rc = broken(worker, ERR_DATA, &problem);
    err_copy(err, &problem);
    return rc;
}
