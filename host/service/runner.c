/* runner: see runner.h. */
#include "service/runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "os/clock.h"
#include "os/log.h"
#include "service/child.h"
#include "service/tally.h"

enum { STREAMS_MAX = 60, BLOCKS_TEXT_MAX = 1024 * 1024, EXIT_INTERRUPTED = 128 };
static const char PROGRESS_SECONDS[] = "2";

struct running {
    struct arena arena; /* the job's texts */
    struct job job;
    struct retry_rule rule;
    struct child *child;
    struct running *elder; /* of the same pipeline, being stopped since its lease was lost; NULL: none */
    struct running *next_begun;
    struct outcome outcome;
    bool is_stopping;
    enum stop_reason reason;
    int signals_sent;
    int64_t began_ms, stop_ms, grace_ms; /* began, was asked to stop; monotonic */
};

struct runner {
    struct runner_settings settings;
    struct running **list;
    size_t count, capacity;
    struct running *begun;  /* to start, and not waited for yet */
    struct map by_pipeline; /* the same: name -> the newest struct running */
};

struct runner *runner_new(const struct runner_settings *settings)
{
    struct runner *runner = mem_zero(1, sizeof *runner);
    runner->settings = *settings;
    runner->by_pipeline = MAP_INIT;
    return runner;
}

static void running_free(struct running *running)
{
    arena_release(&running->arena);
    free(running);
}

void runner_free(struct runner *runner)
{
    if (!runner) return;
    for (size_t i = 0; i < runner->count; i++) {
        struct process_end ignored;
        child_kill(runner->list[i]->child, SIGKILL);
        child_end(runner->list[i]->child, &ignored);
        running_free(runner->list[i]);
    }
    map_release(&runner->by_pipeline);
    free(runner->list);
    free(runner);
}

size_t runner_count(const struct runner *runner)
{
    return runner->count;
}

bool runner_has(const struct runner *runner, const char *pipeline)
{
    return map_get(&runner->by_pipeline, str_from(pipeline)) != NULL;
}

/* --- the end of a job ---------------------------------------------------------------------------------------------------- */

static void log_end(const struct runner *runner, const struct running *running, const struct job_end *end)
{
    struct log *log = runner->settings.log;
    const struct job *job = &running->job;
    if (end->retry_ms > 0 && !running->is_stopping)
        log_warn(log, "%s: job %lld failed, try %d: %s; the next try is in %lld s", job->pipeline, (long long)job->id,
                 job->attempt, end->error, (long long)(end->retry_ms + 999) / 1000);
    else if (end->error)
        log_error(log, "%s: job %lld %s: %s", job->pipeline, (long long)job->id, end->status, end->error);
    else
        log_info(log, "%s: job %lld %s, %llu records, %llu written", job->pipeline, (long long)job->id, end->status,
                 (unsigned long long)end->records, (unsigned long long)end->written);
}

static void end_job(struct runner *runner, struct running *running, int exit_code)
{
    const struct outcome *outcome = &running->outcome;
    struct err err = ERR_INIT;
    bool is_ours, failed = exit_code != 0;
    struct job_end end = {.exit_code = exit_code,
                          .status = failed ? "failed" : "succeeded",
                          .error_class = outcome->error_class[0] ? outcome->error_class : NULL,
                          .error = outcome->error[0] ? outcome->error : NULL,
                          .hint = outcome->hint[0] ? outcome->hint : NULL,
                          .records = outcome->records,
                          .written = outcome->written,
                          .rejected = outcome->rejected};
    if (failed && running->is_stopping && running->reason != STOP_CANCELLED) {
        end.status = "queued";
        end.is_interrupted = true;
        end.error_class = end.error = end.hint = NULL;
    } else if (failed && running->is_stopping) {
        end.status = "cancelled";
    } else if (failed) {
        uint64_t seed = hash_stable(str_from(running->job.pipeline)) + (uint64_t)running->job.id;
        int64_t now_ms = clock_wall_us(runner->settings.clock) / 1000;
        end.retry_ms = outcome_retry_ms(outcome, &running->rule, running->job.attempt, seed, now_ms);
        if (end.retry_ms > 0) end.status = "queued";
        if (!end.error) end.error = "it ended without saying why";
    }
    log_end(runner, running, &end);
    tally_ends(runner->settings.tally,
               &(struct tally_end){.pipeline = running->job.pipeline,
                                   .status = end.status,
                                   .records = end.records,
                                   .written = end.written,
                                   .rejected = end.rejected,
                                   .took_ms = clock_now_ms(runner->settings.clock) - running->began_ms});
    if (store_end(runner->settings.store, &running->job, &end, &is_ours, &err) != 0)
        log_error(runner->settings.log, "%s: the end of job %lld could not be stored: %s", running->job.pipeline,
                  (long long)running->job.id, err.message);
    if (runner->settings.ended) runner->settings.ended(runner->settings.context, &running->job, !failed);
}

/* --- starting ------------------------------------------------------------------------------------------------------------ */

/* What is blocked by the API, as `--block` takes it; NULL: nothing is. A sync that does not know must not start. */
static int find_blocks(const struct runner *runner, struct running *running, const char **out, struct err *err)
{
    struct column_block *blocks;
    struct buf text = BUF_INIT(BLOCKS_TEXT_MAX);
    struct json_writer json = JSON_WRITER(&text);
    size_t count;
    *out = NULL;
    int rc = store_blocks(runner->settings.store, running->job.pipeline, &running->arena, &blocks, &count, err);
    if (rc || count == 0) return rc;
    json_open(&json, '{');
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(blocks[i].stream, blocks[i - 1].stream) != 0) {
            if (i) json_close(&json, ']');
            json_member(&json, blocks[i].stream), json_open(&json, '[');
        }
        json_cstr(&json, blocks[i].column);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    CHECK(!text.failed);
    *out = arena_text(&running->arena, buf_str(&text));
    buf_release(&text);
    return 0;
}

/* The words behind `sluice run`. */
static size_t make_words(const struct runner *runner, struct running *running, bool is_continuous, const char *blocks,
                         const char **words)
{
    const struct job *job = &running->job;
    struct err ignored = ERR_INIT;
    struct cJSON *streams = NULL;
    size_t count = 0;
    words[count++] = "--file";
    words[count++] = runner->settings.file;
    if (runner->settings.state_folder) {
        words[count++] = "--state-dir";
        words[count++] = runner->settings.state_folder;
    }
    words[count++] = "--progress";
    words[count++] = PROGRESS_SECONDS;
    if (job->is_full_refresh) words[count++] = "--full-refresh";
    if (is_continuous) words[count++] = "--continuous";
    if (blocks) {
        words[count++] = "--block";
        words[count++] = blocks;
    }
    if (job->streams && json_parse(str_from(job->streams), 1024 * 1024, &streams, &ignored) == 0)
        for (const struct cJSON *item = json_first(streams); item && count < STREAMS_MAX * 2; item = json_next(item)) {
            words[count++] = "--stream";
            words[count++] = arena_strdup(&running->arena, json_string(item));
        }
    json_free(streams);
    words[count++] = "--";
    words[count++] = job->pipeline;
    return count;
}

static void copy_job(struct running *running, const struct job *job)
{
    struct arena *arena = &running->arena;
    running->job = (struct job){.id = job->id, .claim = job->claim, .attempt = job->attempt};
    running->job.pipeline = arena_strdup(arena, job->pipeline);
    running->job.trigger = arena_strdup(arena, job->trigger);
    running->job.streams = arena_strdup(arena, job->streams);
    running->job.is_full_refresh = job->is_full_refresh;
}

static void fail_to_start(struct runner *runner, struct running *running, const struct err *err)
{
    const struct err_class_info *class = err_class_info(err->class);
    running->outcome.heals = class->heals;
    snprintf(running->outcome.error_class, sizeof running->outcome.error_class, "%s", class->name);
    snprintf(running->outcome.error, sizeof running->outcome.error, "%s", err->message);
    end_job(runner, running, class->exit_code);
    running_free(running);
}

void runner_start(struct runner *runner, const struct job *job, bool is_continuous, const struct retry_rule *rule)
{
    const char *blocks;
    struct err err = ERR_INIT;
    struct running *running = mem_zero(1, sizeof *running);
    const char **words = arena_array(&running->arena, const char *, CHILD_WORDS_MAX);
    running->rule = *rule;
    running->began_ms = clock_now_ms(runner->settings.clock);
    tally_begins(runner->settings.tally);
    copy_job(running, job);
    int rc = find_blocks(runner, running, &blocks, &err);
    if (rc == 0) rc = child_begin(words, make_words(runner, running, is_continuous, blocks, words), &running->child, &err);
    if (rc) {
        fail_to_start(runner, running, &err);
        return;
    }
    struct running **place = &runner->begun;
    while (*place) place = &(*place)->next_begun;
    *place = running;
}

static void add(struct runner *runner, struct running *running)
{
    const struct job *job = &running->job;
    if (runner->count == runner->capacity) {
        runner->capacity = runner->capacity ? runner->capacity * 2 : 16;
        runner->list = mem_resize(runner->list, runner->capacity * sizeof *runner->list);
    }
    runner->list[runner->count++] = running;
    running->elder = map_get(&runner->by_pipeline, str_from(job->pipeline));
    map_set(&runner->by_pipeline, str_from(job->pipeline), running);
    log_info(runner->settings.log, "%s: job %lld starts%s", job->pipeline, (long long)job->id,
             job->attempt > 1 ? " again" : "");
}

void runner_started(struct runner *runner)
{
    while (runner->begun) {
        struct err err = ERR_INIT;
        struct running *running = runner->begun;
        runner->begun = running->next_begun;
        if (child_begun(running->child, &err) == 0)
            add(runner, running);
        else
            fail_to_start(runner, running, &err);
    }
}

/* --- while they run ------------------------------------------------------------------------------------------------------ */

struct telling {
    struct runner *runner;
    struct running *running;
};

static void take_line(void *context, struct str line)
{
    struct telling *telling = context;
    struct err err = ERR_INIT;
    struct outcome *outcome = &telling->running->outcome;
    struct store *store = telling->runner->settings.store;
    int64_t job = telling->running->job.id;
    struct outcome_stream ended;
    int rc = 0;
    switch (outcome_take(outcome, line)) {
    case LINE_DROPPED:
        break;
    case LINE_KEPT:
        if (telling->runner->settings.told)
            telling->runner->settings.told(telling->runner->settings.context, &telling->running->job, line);
        rc = store_event(store, job, line, &err);
        if (rc == 0 && outcome_stream(line, &ended))
            rc = store_stream_ended(store, telling->running->job.pipeline,
                                    &(struct stream_end){ended.stream, ended.went_well, ended.changes}, &err);
        break;
    case LINE_PROGRESS:
        rc = store_progress(store, job, outcome->stream, line, &err);
        break;
    }
    if (rc)
        log_warn(telling->runner->settings.log, "%s: an event could not be stored: %s", telling->running->job.pipeline,
                 err.message);
}

void runner_polls(struct runner *runner, struct pollfd *polls)
{
    for (size_t i = 0; i < runner->count; i++)
        polls[i] = (struct pollfd){.fd = child_fd(runner->list[i]->child), .events = POLLIN};
}

static void finish(struct runner *runner, struct running *running)
{
    struct process_end end;
    child_end(running->child, &end);
    outcome_close(&running->outcome, &end);
    end_job(runner, running, end.by_signal ? EXIT_INTERRUPTED + end.code : end.code);
}

void runner_stop(struct runner *runner, int64_t job, enum stop_reason reason, int64_t grace_ms)
{
    for (size_t i = 0; i < runner->count; i++) {
        struct running *running = runner->list[i];
        if (running->is_stopping || (job && running->job.id != job)) continue;
        running->is_stopping = true;
        running->reason = reason;
        running->stop_ms = clock_now_ms(runner->settings.clock);
        running->grace_ms = grace_ms;
    }
}

/* The steps: at once, at four fifths of the time, at its end. */
static int64_t step_ms(const struct running *running)
{
    return running->stop_ms + running->grace_ms * (running->signals_sent == 0 ? 0 : 3 + running->signals_sent) / 5;
}

static void step(const struct runner *runner, struct running *running)
{
    static const int SIGNALS[] = {SIGTERM, SIGTERM, SIGKILL};
    while (running->is_stopping && running->signals_sent < (int)ARRAY_SIZE(SIGNALS) &&
           step_ms(running) <= clock_now_ms(runner->settings.clock))
        child_kill(running->child, SIGNALS[running->signals_sent++]);
}

int64_t runner_wait_ms(const struct runner *runner)
{
    int64_t wait = -1, now_ms = clock_now_ms(runner->settings.clock);
    for (size_t i = 0; i < runner->count; i++) {
        const struct running *running = runner->list[i];
        if (!running->is_stopping || running->signals_sent > 2) continue;
        int64_t left = step_ms(running) - now_ms;
        if (wait < 0 || left < wait) wait = left > 0 ? left : 0;
    }
    return wait;
}

static void forget(struct runner *runner, struct running *running)
{
    struct str name = str_from(running->job.pipeline);
    struct running *other = map_get(&runner->by_pipeline, name);
    while (other != running && other->elder != running) other = other->elder;
    if (other != running)
        other->elder = running->elder;
    else if (running->elder)
        map_set(&runner->by_pipeline, name, running->elder);
    else
        map_remove(&runner->by_pipeline, name);
    running_free(running);
}

size_t runner_turn(struct runner *runner, const struct pollfd *polls)
{
    size_t kept = 0, count = runner->count;
    for (size_t i = 0; i < count; i++) {
        struct running *running = runner->list[i];
        struct telling telling = {runner, running};
        if (polls[i].revents && !child_read(running->child, take_line, &telling)) {
            finish(runner, running);
            forget(runner, running);
            continue;
        }
        step(runner, running);
        runner->list[kept++] = running;
    }
    runner->count = kept;
    return count - kept;
}
