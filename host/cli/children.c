/* children: see children.h. One loop over poll(): the pipes, and the cancel token. */
#include "cli/children.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/live.h"
#include "cli/report.h"
#include "cli/summary.h"
#include "os/cancel.h"
#include "service/child.h"

enum { DEFAULT_JOBS = 4, MAX_JOBS = 64, SECOND_SIGNAL_POLL_MS = 200 };

struct member {
    const char *pipeline;
    struct child *child; /* NULL: not running */
    int code;
};

struct run {
    struct cli_context *cli;
    const struct arguments *arguments;
    struct member *members;
    size_t count, started, running;
    struct summary summary;
    struct live *live;
    char every_s[24]; /* how often the children tell of their progress */
};

struct reading {
    struct run *run;
    const char *pipeline;
};

/* A child's line: an event, a log line in JSON, or something a library wrote. */
static void take_line(void *context, struct str line)
{
    const struct reading *reading = context;
    struct run *run = reading->run;
    struct cJSON *json;
    struct err err = ERR_INIT;
    summary_add_json(&run->summary, line);
    if (run->cli->log_format == LOG_JSON) {
        log_event(run->cli->log, line);
        return;
    }
    if (json_parse(line, CHILD_LINE_MAX, &json, &err) != 0) {
        log_info(run->cli->log, "%s: " STR_FMT, reading->pipeline, STR_ARG(line));
        return;
    }
    const char *message = json_string(json_get(json, "message"));
    const char *level = json_string(json_get(json, "level"));
    if (message) {
        enum log_level at = level && strcmp(level, "error") == 0  ? LOG_ERROR
                            : level && strcmp(level, "warn") == 0 ? LOG_WARN
                                                                  : LOG_INFO;
        log_at(run->cli->log, at, "%s: %s", reading->pipeline, message);
    }
    live_take(run->live, json);
    report_event(run->cli->log, reading->pipeline, json, cancel_stopping(run->cli->cancel));
    json_free(json);
}

/* Options that a child gets a value of its own for, or has no use for. */
static bool is_ours(const char *option)
{
    static const char *const OURS[] = {"--log-format", "--json", "--jobs", "--progress"};
    for (size_t i = 0; i < ARRAY_SIZE(OURS); i++)
        if (strcmp(option, OURS[i]) == 0) return true;
    return false;
}

static int start_member(struct run *run, struct member *member, struct err *err)
{
    const char *words[CHILD_WORDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < run->arguments->option_count; i++) {
        const struct cli_option *option = run->arguments->options[i].option;
        if (is_ours(option->name)) continue;
        words[count++] = option->name;
        if (option->argument) words[count++] = run->arguments->options[i].value;
    }
    words[count++] = "--progress";
    words[count++] = run->every_s;
    words[count++] = "--";
    words[count++] = member->pipeline;
    int rc = child_start(words, count, &member->child, err);
    if (rc == 0) run->running++;
    return rc;
}

static void end_member(struct run *run, struct member *member)
{
    struct process_end end;
    char text[PROCESS_END_TEXT_MAX];
    child_end(member->child, &end);
    member->child = NULL;
    if (end.by_signal) log_error(run->cli->log, "%s: its process ended by %s", member->pipeline, process_end_text(&end, text));
    member->code = end.by_signal ? 128 + end.code : end.code;
    live_forget(run->live, member->pipeline);
    run->running--;
}

/* Waits for something to read and reads it. Each time the cancel token rises (first signal, second signal) the children get a
 * SIGTERM, so that they go through the same two strengths; *told is the level they know of. */
static void turn(struct run *run, enum cancel_level *told)
{
    struct pollfd polls[MAX_JOBS + 1];
    struct member *of[MAX_JOBS];
    nfds_t count = 0;
    for (size_t i = 0; i < run->started && count < MAX_JOBS; i++) {
        if (!run->members[i].child) continue;
        of[count] = &run->members[i];
        polls[count++] = (struct pollfd){.fd = child_fd(run->members[i].child), .events = POLLIN};
    }
    nfds_t watched = count;
    if (*told == CANCEL_NONE) polls[watched++] = (struct pollfd){.fd = cancel_fd(run->cli->cancel), .events = POLLIN};
    /* The descriptor stays readable after the first signal: the second one is looked for in turns. */
    if (poll(polls, watched, *told == CANCEL_STOP ? SECOND_SIGNAL_POLL_MS : -1) < 0) return;
    for (nfds_t i = 0; i < count; i++) {
        struct reading reading = {run, of[i]->pipeline};
        if (polls[i].revents && !child_read(of[i]->child, take_line, &reading)) end_member(run, of[i]);
    }
    enum cancel_level level = cancel_level(run->cli->cancel);
    if (level <= *told) return;
    *told = level;
    for (size_t i = 0; i < run->started; i++)
        if (run->members[i].child) child_kill(run->members[i].child, SIGTERM);
}

static int overall_code(const struct run *run)
{
    int code = run->count ? run->members[0].code : 0;
    for (size_t i = 1; i < run->count; i++)
        if (run->members[i].code != code) code = 8;
    int signal_number = signals_received(run->cli->signals);
    return signal_number ? 128 + signal_number : code;
}

static int run_all(struct run *run, size_t jobs)
{
    enum cancel_level told = CANCEL_NONE;
    struct err err = ERR_INIT;
    while (run->running > 0 || (run->started < run->count && !cancel_stopping(run->cli->cancel))) {
        while (run->started < run->count && run->running < jobs && !cancel_stopping(run->cli->cancel)) {
            struct member *member = &run->members[run->started++];
            if (start_member(run, member, &err) != 0) member->code = cli_failure(run->cli, member->pipeline, &err);
        }
        if (run->running > 0) turn(run, &told);
    }
    return overall_code(run);
}

/* The pipelines meant, each once. */
static int choose(struct run *run)
{
    const struct project *project = run->cli->project;
    const struct arguments *arguments = run->arguments;
    size_t count = arguments->word_count ? arguments->word_count : project->pipeline_count;
    run->members = arena_array(&run->cli->arena, struct member, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct pipeline *pipeline = &project->pipelines[i];
        int code = arguments->word_count ? cli_find_pipeline(run->cli, arguments->words[i], &pipeline) : 0;
        if (code) return code;
        size_t same = 0;
        while (same < run->count && strcmp(run->members[same].pipeline, pipeline->name) != 0) same++;
        if (same == run->count) run->members[run->count++] = (struct member){.pipeline = pipeline->name};
    }
    return 0;
}

int children_run(struct cli_context *cli, const struct arguments *arguments, int64_t every_s)
{
    struct run run = {.cli = cli, .arguments = arguments, .summary = SUMMARY_INIT};
    struct err err = ERR_INIT;
    int64_t jobs = DEFAULT_JOBS;
    bool draws = cli->log_format == LOG_TEXT && isatty(STDERR_FILENO) == 1;
    if (!argument_number(arguments, "--jobs", 1, MAX_JOBS, &jobs)) return 2;
    int code = choose(&run);
    if (code) return code;
    if (!argument_is_set(arguments, "--jobs") && argument_is_set(arguments, "--continuous"))
        jobs = MAX_JOBS; /* none ends to make room for the next */
    snprintf(run.every_s, sizeof run.every_s, "%lld", draws ? 1LL : (long long)every_s);
    const struct live_options options = {.log = cli->log, .format = cli->log_format, .every_s = every_s};
    if (live_start(&options, &run.live, &err) != 0) log_warn(cli->log, "no live display: %s", err.message);
    code = run_all(&run, (size_t)jobs);
    live_stop(run.live);
    if (signals_received(cli->signals) && cli->log_format == LOG_TEXT) report_interrupted(cli->log, NULL);
    if (argument_is_set(arguments, "--json"))
        summary_print_json(&run.summary, stdout);
    else
        summary_print(&run.summary, stdout);
    summary_release(&run.summary);
    return code;
}
