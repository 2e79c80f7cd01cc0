/* reader_job: the job behind a slice's pages: made, or taken over from an earlier run; polled until it is done; deleted.
 *
 * A job that an earlier run made may be gone: then there is a new one, and what was downloaded of the old one counts for
 * nothing (the slice starts over). One that is in use is told to whoever keeps the state before its first poll. It is deleted
 * when nobody will ask for it again: after its last page, when it failed, or when its slice starts over; after a transfer that
 * broke or a stop it stays, for the next run. */
#include "rest/reader_parts.h"

#include "base/time.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "rest/job.h"

static const char WAITING_FOR[] = "source's job";

static void set_known(struct reader *reader, struct str known)
{
    if (str_equal(known, reader->options.source.job)) return;
    char *copy = known.size ? mem_zero(1, known.size + JSONSCAN_PADDING) : NULL;
    if (copy) memcpy(copy, known.data, known.size);
    free(reader->job);
    reader->job = copy;
    reader->options.source.job = (struct str){copy, known.size};
}

/* One request of the job; its answer is JSON. */
static int ask(struct reader *reader, const struct request_description *request, struct http_response *response,
               struct err *err)
{
    struct request_source source = reader->options.source;
    struct http_request built;
    source.request = request;
    arena_clear(&reader->arena);
    reader->judge.place = NULL;
    int rc = request_build(&source, NULL, &reader->arena, &built, err);
    if (rc != 0) return rc;
    errors_judge(&reader->judge, &built);
    reader->asks_job = true;
    rc = reader_fetch(reader, &built, response, NULL, NULL, 0, err);
    reader->asks_job = false;
    return rc == 0 ? 0 : err_context(err, "%s", request->where);
}

/* What is sent for the sake of the source: that it fails does not matter. */
static void tell(struct reader *reader, const struct request_description *what)
{
    struct err ignored = ERR_INIT;
    struct http_response response;
    struct http_request request;
    struct request_source source = reader->options.source;
    source.request = what;
    arena_clear(&reader->arena);
    int rc = request_build(&source, NULL, &reader->arena, &request, &ignored);
    if (rc == 0) rc = client_send(reader->options.session, &request, &reader->arena, &response, &ignored);
    if (rc == 0)
        http_response_release(&response);
    else if (reader->options.log)
        log_debug(reader->options.log, "%s: %s", what->where, ignored.message);
}

void reader_end_job(struct reader *reader)
{
    const struct job_description *job = reader->stream->job;
    if (!reader->job) return;
    if (job->aborts && !reader->job_has_ended) tell(reader, &job->abort);
    if (job->removes) tell(reader, &job->remove);
    set_known(reader, (struct str){0});
}

static int learn(struct reader *reader, const struct request_description *request, const struct http_response *response,
                 struct err *err)
{
    struct str learned, answer = {response->body->data, response->body->size};
    int rc = job_learn(reader->stream->job, reader->options.source.job, answer, &reader->arena, &learned, err);
    if (rc == 0) set_known(reader, learned);
    return rc == 0 ? 0 : err_context(err, "%s", request->where);
}

static int create(struct reader *reader, struct err *err)
{
    const struct job_description *job = reader->stream->job;
    struct http_response response = {0};
    int rc = ask(reader, &job->create, &response, err);
    if (rc != 0) return rc;
    if (reader->judge.found.action == ACTION_IGNORE)
        reader->is_over = true;
    else
        rc = learn(reader, &job->create, &response, err);
    http_response_release(&response);
    if (rc != 0 || reader->is_over || !reader->options.job_made) return rc;
    struct str known = reader->options.source.job;
    char *text = reader_without_secret(reader, str_dup(known));
    if (text) reader->options.job_made(reader->options.job_context, text);
    free(text);
    return 0;
}

static int refuse_timeout(struct reader *reader, const char *told, struct err *err)
{
    const struct job_description *job = reader->stream->job;
    char span[TIME_TEXT_MAX];
    time_write_span(job->timeout_ms, span);
    err_set(err, ERR_SOURCE, "%s: the job is still %s after %s", job->poll.where, told, span);
    err->is_too_much = true; /* a smaller window may be done in time */
    err_hint(err, "if it only needs longer, raise job.timeout; if that is how the source says that it ended, add the state to "
                  "job.poll.done or job.poll.failed; smaller windows (cursor.step) make smaller jobs");
    return err->class;
}

/* Polls until it is done, failed or late. */
static int await(struct reader *reader, enum job_phase *phase, const char **told, struct err *err)
{
    const struct job_description *job = reader->stream->job;
    int64_t deadline_ms = clock_now_ms(reader->options.clock) + job->timeout_ms;
    for (uint64_t polls = 0;; polls++) {
        struct http_response response = {0};
        int rc = ask(reader, &job->poll, &response, err);
        if (rc != 0) return rc;
        struct str answer = {response.body->data, response.body->size};
        if (reader->judge.found.action == ACTION_IGNORE) {
            reader->is_over = true;
            *phase = JOB_DONE;
        } else {
            rc = job_phase(job, answer, &reader->arena, phase, told, err);
            if (rc == 0)
                rc = learn(reader, &job->poll, &response, err);
            else
                err_context(err, "%s", job->poll.where);
        }
        http_response_release(&response);
        reader->job_has_ended = rc == 0 && *phase != JOB_RUNNING;
        if (rc != 0 || *phase != JOB_RUNNING) return rc;
        int64_t left_ms = deadline_ms - clock_now_ms(reader->options.clock), pause_ms = job_pause_ms(job, polls);
        if (left_ms <= 0) return refuse_timeout(reader, *told, err);
        if (!session_wait_ms(reader->options.session, pause_ms < left_ms ? pause_ms : left_ms, WAITING_FOR))
            return err_set(err, ERR_CANCELLED, "stopped while waiting for a job");
    }
}

static bool take_over(struct reader *reader, struct str job)
{
    char *padded = mem_zero(1, job.size + JSONSCAN_PADDING);
    if (job.size) memcpy(padded, job.data, job.size);
    bool is_known = job_is_known(reader->stream->job, (struct str){padded, job.size});
    if (is_known) set_known(reader, (struct str){padded, job.size});
    reader->job_has_ended = false;
    free(padded);
    return is_known;
}

static void delete_old_jobs(struct reader *reader)
{
    struct str rest = str_from(reader->options.old_jobs), job;
    while (str_next(&rest, '\n', &job))
        if (take_over(reader, job)) reader_end_job(reader);
}

static void warn(const struct reader *reader, const char *what, const char *why)
{
    if (reader->options.log) log_warn(reader->options.log, "%s: %s: %s", reader->stream->job->poll.where, what, why);
}

/* A new job gives its own pages: a place in those of another is none. */
static int refuse_place(struct reader *reader, const char *why, struct err *err)
{
    reader->end = READER_STARTS_OVER;
    return err_set(err, ERR_SOURCE, "the job that was being downloaded cannot be gone on with: %s", why);
}

static int run_job(struct reader *reader, struct err *err)
{
    const struct job_description *job = reader->stream->job;
    delete_old_jobs(reader);
    bool is_old = take_over(reader, str_from(reader->options.job));
    int64_t retries = job->retries;
    if (!is_old && reader->options.position) return refuse_place(reader, "its id is not known", err);
    for (;;) {
        struct err failure = ERR_INIT;
        enum job_phase phase = JOB_RUNNING;
        const char *told = "";
        int rc = is_old ? 0 : create(reader, err);
        if (rc != 0 || reader->is_over) return rc;
        rc = await(reader, &phase, &told, &failure);
        bool is_gone = rc == ERR_SOURCE && is_old && reader->judge.found.action == ACTION_NONE && !failure.is_too_much;
        if (rc == 0 && phase == JOB_DONE) return 0;
        if (rc != 0 && !is_gone) {
            if (rc == ERR_SOURCE || rc == ERR_DATA) reader_end_job(reader);
            return err_copy(err, &failure);
        }
        const char *why = arena_printf(&reader->job_arena, "%s", is_gone ? failure.message : told);
        if (is_gone)
            set_known(reader, (struct str){0});
        else
            reader_end_job(reader);
        if (is_old && reader->options.position) return refuse_place(reader, why, err);
        if (!is_gone && retries-- <= 0) {
            err_set(err, ERR_SOURCE, "%s: the job ended as %s", job->poll.where, why);
            return err_hint(
                err, "look at what the source says of it; a rule on the answer (errors) can skip it, job.retries tries again");
        }
        warn(reader,
             is_gone ? "the job of an earlier run is gone, making a new one" : "making a new job, the last one ended as", why);
        is_old = false;
    }
}

int reader_begin_job(struct reader *reader, struct err *err)
{
    int rc = run_job(reader, err);
    if (rc != 0 && reader->end == READER_FAILED) reader->end = reader_end_of(reader, err);
    return rc;
}
