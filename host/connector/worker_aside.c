/* worker_aside: what a worker says and asks before it answers: lines for the log, and questions for what it cannot do itself.
 */
#include <stdio.h>

#include "connector/crypto.h"
#include "connector/worker_parts.h"
#include "net/http.h"
#include "net/resolve.h"
#include "os/log.h"
#include "rest/native.h"

enum { MAX_LOG_LINES = 1000 };

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
        if (worker_class_of(error) == class) return error;
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

/* The next piece of the body that a parser reads. */
static int answer_input(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    struct wire_answered answer = {0};
    struct err problem = ERR_INIT;
    if (frame->payload.size || !worker->input) return err_set(err, ERR_DATA, "an 'input' frame out of turn");
    int rc = worker->input->read(worker->input->context, &answer.body, &problem);
    answer.failed = rc != 0;
    answer.error = rc ? error_of(rc) : 0;
    answer.message = str_from(problem.message);
    answer.hint = str_from(problem.hint);
    buf_clear(&worker->out);
    wire_write_answered(&worker->out, frame->id, &answer);
    return wire_send(&worker->stream, buf_str(&worker->out), wait, err);
}

int worker_take_aside(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    if (frame->type == WIRE_LOG) return log_line(worker, frame, err);
    if (frame->type == WIRE_CRYPTO) return answer_crypto(worker, frame, wait, err);
    if (worker->is_native && frame->type == WIRE_NOTE) return take_note(worker, frame, err);
    if (worker->is_native && frame->type == WIRE_RESOLVE) return answer_resolve(worker, frame, wait, err);
    if (worker->is_native && frame->type == WIRE_HTTP) return answer_http(worker, frame, wait, err);
    if (worker->is_native && frame->type == WIRE_INPUT) return answer_input(worker, frame, wait, err);
    return 1;
}
