/* children: see children.h. One loop over poll(): the pipes, and the cancel token. */
#include "cli/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/number.h"
#include "cli/live.h"
#include "cli/report.h"
#include "cli/summary.h"
#include "os/cancel.h"
#include "os/process.h"

enum { LINE_MAX_SIZE = 256 * 1024, DEFAULT_JOBS = 4, MAX_JOBS = 64, SECOND_SIGNAL_POLL_MS = 200 };

struct child {
    const char *pipeline;
    struct process *process;
    int fd; /* its stderr; -1: not running */
    struct buf line;
    int code;
};

struct run {
    struct cli_context *cli;
    const struct arguments *arguments;
    struct child *children;
    size_t count, started, running;
    struct summary summary;
    struct live *live;
    char every_s[24]; /* how often the children tell of their progress */
};

/* A child's line: an event, a log line in JSON, or something a library wrote. */
static void take_line(struct run *run, struct child *child, struct str line)
{
    struct cJSON *json;
    struct err err = ERR_INIT;
    summary_add_json(&run->summary, line);
    if (run->cli->log_format == LOG_JSON) {
        log_event(run->cli->log, line);
        return;
    }
    if (json_parse(line, LINE_MAX_SIZE, &json, &err) != 0) {
        log_info(run->cli->log, "%s: " STR_FMT, child->pipeline, STR_ARG(line));
        return;
    }
    const char *message = json_string(json_get(json, "message"));
    const char *level = json_string(json_get(json, "level"));
    if (message) {
        enum log_level at = level && strcmp(level, "error") == 0  ? LOG_ERROR
                            : level && strcmp(level, "warn") == 0 ? LOG_WARN
                                                                  : LOG_INFO;
        log_at(run->cli->log, at, "%s: %s", child->pipeline, message);
    }
    live_take(run->live, json);
    report_event(run->cli->log, child->pipeline, json, cancel_stopping(run->cli->cancel));
    json_free(json);
}

static void take_lines(struct run *run, struct child *child)
{
    char *newline;
    while (child->line.size && (newline = memchr(child->line.data, '\n', child->line.size)) != NULL) {
        size_t size = (size_t)(newline - child->line.data);
        take_line(run, child, (struct str){child->line.data, size});
        memmove(child->line.data, newline + 1, child->line.size - size - 1);
        child->line.size -= size + 1;
    }
}

/* Options that a child gets a value of its own for, or has no use for. */
static bool is_ours(const char *option)
{
    static const char *const OURS[] = {"--log-format", "--json", "--jobs", "--progress"};
    for (size_t i = 0; i < ARRAY_SIZE(OURS); i++)
        if (strcmp(option, OURS[i]) == 0) return true;
    return false;
}

static int start_child(struct run *run, struct child *child, struct err *err)
{
    const char *words[ARGUMENTS_MAX * 2 + 8];
    size_t count = 0;
    int ends[2];
    words[count++] = "sluice";
    words[count++] = "run";
    for (size_t i = 0; i < run->arguments->option_count; i++) {
        const struct cli_option *option = run->arguments->options[i].option;
        if (is_ours(option->name)) continue;
        words[count++] = option->name;
        if (option->argument) words[count++] = run->arguments->options[i].value;
    }
    words[count++] = "--log-format";
    words[count++] = "json";
    words[count++] = "--progress";
    words[count++] = run->every_s;
    words[count++] = "--";
    words[count++] = child->pipeline;
    words[count] = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0) return err_set(err, ERR_TRANSIENT, "could not make a pipe: %s", strerror(errno));
    struct process_fd fds[] = {{ends[1], STDERR_FILENO}};
    struct process_spec spec = {.program = "/proc/self/exe",
                                .argv = words,
                                .environment = process_environment(),
                                .fds = fds,
                                .fd_count = 1,
                                .own_group = true};
    int rc = process_start(&spec, &child->process, err);
    close(ends[1]);
    if (rc) {
        close(ends[0]);
        return rc;
    }
    child->fd = ends[0];
    child->line = BUF_INIT(LINE_MAX_SIZE);
    run->running++;
    return 0;
}

static void end_child(struct run *run, struct child *child)
{
    struct process_end end;
    char text[PROCESS_END_TEXT_MAX];
    process_wait(child->process, -1, NULL, &end);
    if (end.by_signal) log_error(run->cli->log, "%s: its process ended by %s", child->pipeline, process_end_text(&end, text));
    child->code = end.by_signal ? 128 + end.code : end.code;
    live_forget(run->live, child->pipeline);
    process_free(child->process);
    close(child->fd);
    child->fd = -1;
    buf_release(&child->line);
    run->running--;
}

static void read_child(struct run *run, struct child *child)
{
    char *place = buf_reserve(&child->line, 4096);
    if (!place) { /* a line past the cap: let it go in pieces */
        struct str line = buf_str(&child->line);
        take_line(run, child, line);
        buf_clear(&child->line);
        place = buf_reserve(&child->line, 4096);
    }
    ssize_t size = read(child->fd, place, 4096);
    if (size > 0) {
        buf_advance(&child->line, (size_t)size);
        take_lines(run, child);
    } else if (size == 0 || errno != EINTR) {
        end_child(run, child);
    }
}

/* Waits for something to read and reads it. Each time the cancel token rises (first signal, second signal) the children get a
 * SIGTERM, so that they go through the same two strengths; *told is the level they know of. */
static void turn(struct run *run, enum cancel_level *told)
{
    struct pollfd polls[MAX_JOBS + 1];
    struct child *of[MAX_JOBS];
    nfds_t count = 0;
    for (size_t i = 0; i < run->started && count < MAX_JOBS; i++) {
        if (run->children[i].fd < 0) continue;
        of[count] = &run->children[i];
        polls[count++] = (struct pollfd){.fd = run->children[i].fd, .events = POLLIN};
    }
    nfds_t watched = count;
    if (*told == CANCEL_NONE) polls[watched++] = (struct pollfd){.fd = cancel_fd(run->cli->cancel), .events = POLLIN};
    /* The descriptor stays readable after the first signal: the second one is looked for in turns. */
    if (poll(polls, watched, *told == CANCEL_STOP ? SECOND_SIGNAL_POLL_MS : -1) < 0) return;
    for (nfds_t i = 0; i < count; i++)
        if (polls[i].revents) read_child(run, of[i]);
    enum cancel_level level = cancel_level(run->cli->cancel);
    if (level <= *told) return;
    *told = level;
    for (size_t i = 0; i < run->started; i++)
        if (run->children[i].fd >= 0) process_kill(run->children[i].process, SIGTERM);
}

static int overall_code(const struct run *run)
{
    int code = run->count ? run->children[0].code : 0;
    for (size_t i = 1; i < run->count; i++)
        if (run->children[i].code != code) code = 8;
    int signal_number = signals_received(run->cli->signals);
    return signal_number ? 128 + signal_number : code;
}

static int run_all(struct run *run, size_t jobs)
{
    enum cancel_level told = CANCEL_NONE;
    struct err err = ERR_INIT;
    while (run->running > 0 || (run->started < run->count && !cancel_stopping(run->cli->cancel))) {
        while (run->started < run->count && run->running < jobs && !cancel_stopping(run->cli->cancel)) {
            struct child *child = &run->children[run->started++];
            if (start_child(run, child, &err) != 0) child->code = cli_failure(run->cli, child->pipeline, &err);
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
    run->children = arena_array(&run->cli->arena, struct child, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct pipeline *pipeline = &project->pipelines[i];
        int code = arguments->word_count ? cli_find_pipeline(run->cli, arguments->words[i], &pipeline) : 0;
        if (code) return code;
        size_t same = 0;
        while (same < run->count && strcmp(run->children[same].pipeline, pipeline->name) != 0) same++;
        if (same == run->count) run->children[run->count++] = (struct child){.pipeline = pipeline->name, .fd = -1};
    }
    return 0;
}

int children_run(struct cli_context *cli, const struct arguments *arguments, int64_t every_s)
{
    struct run run = {.cli = cli, .arguments = arguments, .summary = SUMMARY_INIT};
    struct err err = ERR_INIT;
    int64_t jobs = DEFAULT_JOBS;
    const char *given = argument_value(arguments, "--jobs", NULL);
    bool draws = cli->log_format == LOG_TEXT && isatty(STDERR_FILENO) == 1;
    if (given && (!number_to_int64(str_from(given), &jobs) || jobs < 1 || jobs > MAX_JOBS)) {
        fprintf(stderr, "sluice run: --jobs is a number from 1 to %d, not '%s'\n", MAX_JOBS, given);
        return 2;
    }
    int code = choose(&run);
    if (code) return code;
    if (!given && argument_is_set(arguments, "--continuous")) jobs = MAX_JOBS; /* none ends to make room for the next */
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
