/* run: syncs pipelines. One pipeline runs in this process; several run as one child process each (children.c). */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/children.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/live.h"
#include "cli/queued.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "cli/summary.h"
#include "os/secret.h"

/* What the observer needs: events become log lines or JSON, and rows of the summary. */
struct reporter {
    struct cli_context *cli;
    struct summary summary;
    struct live *live;
    struct buf kept; /* events for `sluice explain`, without secrets */
    int64_t every_s; /* between lines of progress */
};

enum { EVENT_MAX_BYTES = 64 * 1024 };

static void start_live(struct reporter *reporter, const struct sync_event *event)
{
    struct err err = ERR_INIT;
    const struct live_options options = {.progress = event->progress,
                                         .log = reporter->cli->log,
                                         .format = reporter->cli->log_format,
                                         .every_s = reporter->every_s};
    if (live_start(&options, &reporter->live, &err) != 0) log_warn(reporter->cli->log, "no live display: %s", err.message);
}

static void on_event(void *context, const struct sync_event *event)
{
    struct reporter *reporter = context;
    struct cli_context *cli = reporter->cli;
    struct buf line = BUF_INIT(EVENT_MAX_BYTES);
    struct cJSON *json;
    struct err err = ERR_INIT;
    if (event->kind == EVENT_SYNC_STARTED) start_live(reporter, event);
    if (event->kind == EVENT_SYNC_ENDED) live_stop(reporter->live);
    sync_event_to_json(event, &line);
    summary_add_json(&reporter->summary, buf_str(&line));
    if (event->kind == EVENT_STREAM_ENDED || event->kind == EVENT_SYNC_ENDED) {
        secrets_redact(cli->secrets, buf_str(&line), &reporter->kept);
        buf_append_char(&reporter->kept, '\n');
    }
    if (cli->log_format == LOG_JSON) {
        log_event(cli->log, buf_str(&line));
    } else if (json_parse(buf_str(&line), EVENT_MAX_BYTES, &json, &err) == 0) {
        report_event(cli->log, cli->pipeline->name, json, signals_received(cli->signals) != 0);
        json_free(json);
    }
    buf_release(&line);
}

/* A run that leaves nothing to explain is as good: what cannot be kept is not. */
static void keep_events(const struct arguments *arguments, const struct reporter *reporter)
{
    struct err ignored = ERR_INIT;
    if (reporter->cli->cassette || reporter->kept.failed || reporter->kept.size == 0) return;
    (void)!runs_keep(argument_value(arguments, "--state-dir", NULL), reporter->cli->pipeline->name, &reporter->kept, &ignored);
}

static int run_one(const struct arguments *arguments, const char *name, int64_t every_s)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct reporter reporter = {.cli = &cli, .summary = SUMMARY_INIT, .kept = BUF_INIT(RUN_MAX_BYTES), .every_s = every_s};
    const struct observer observer = {on_event, &reporter};
    struct err err = ERR_INIT;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, name);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0) {
        code = sync_run(prepared, &observer, &err);
        keep_events(arguments, &reporter);
        if (err.class == ERR_CANCELLED && signals_received(cli.signals)) {
            if (cli.log_format == LOG_TEXT) report_interrupted(cli.log, cli.pipeline->name);
            code = 128 + signals_received(cli.signals);
        }
        if (argument_is_set(arguments, "--json"))
            summary_print_json(&reporter.summary, stdout);
        else
            summary_print(&reporter.summary, stdout);
    }
    code = cli_save_recording(&cli, arguments, code);
    summary_release(&reporter.summary);
    buf_release(&reporter.kept);
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

/* A backfill is of chosen streams of one pipeline. */
static bool range_is_usable(const struct arguments *arguments)
{
    const char *streams[ARGUMENTS_MAX];
    bool has_from = argument_is_set(arguments, "--from");
    if (!has_from && !argument_is_set(arguments, "--to")) return true;
    const char *problem = !has_from                                                             ? "--to needs --from"
                          : argument_is_set(arguments, "--full-refresh")                        ? "--from is no --full-refresh"
                          : argument_values(arguments, "--stream", streams, ARGUMENTS_MAX) == 0 ? "--from needs --stream"
                          : arguments->word_count > 1                                           ? "--from is for one pipeline"
                                                                                                : NULL;
    if (problem) fprintf(stderr, "sluice run: %s\n", problem);
    return !problem;
}

static int run(const struct arguments *arguments)
{
    int64_t every_s = LIVE_EVERY_S, max_records, max_pages;
    if (!argument_number(arguments, "--progress", 1, LIVE_EVERY_MAX_S, &every_s) || !range_is_usable(arguments) ||
        !argument_number(arguments, "--max-records", 1, INT64_MAX, &max_records) ||
        !argument_number(arguments, "--max-pages", 1, INT64_MAX, &max_pages))
        return 2;
    if (argument_is_set(arguments, "--queued") || argument_is_set(arguments, "--store")) return queued_run(arguments);
    if (arguments->word_count == 1) return run_one(arguments, arguments->words[0], every_s);
    struct cli_context cli;
    int code = cli_open(&cli, arguments, CLI_PROJECT, NULL);
    const char *only = code == 0 && arguments->word_count == 0 && cli.project->pipeline_count == 1
                           ? strdup(cli.project->pipelines[0].name)
                           : NULL;
    bool has_cassette = argument_is_set(arguments, "--record") || argument_is_set(arguments, "--replay");
    if (code == 0 && !only && has_cassette) {
        fprintf(stderr, "sluice run: --record and --replay are for one pipeline; name it\n");
        code = 2;
    }
    if (code == 0 && !only) code = children_run(&cli, arguments, every_s);
    cli_close(&cli);
    if (!only) return code;
    code = run_one(arguments, only, every_s);
    free((char *)only);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    OPTION_STREAM,
    {"--full-refresh", 0, NULL, false, "read everything again, as far as the streams allow"},
    {"--from", 0, "VALUE", false, "read this range of the cursor again (backfill), leaving the state alone; needs --stream"},
    {"--to", 0, "VALUE", false, "where that range ends (default: now)"},
    {"--continuous", 0, NULL, false, "go on until stopped: streams of native plugins wait for what comes next"},
    {"--max-records", 0, "N", false,
     "read about so many records of each stream, commit them, and leave the rest to the next run"},
    {"--max-pages", 0, "N", false, "likewise, so many pages"},
    {"--jobs", 'j', "N", false, "pipelines at once (default: 4)"},
    {"--progress", 0, "SECONDS", false, "how often progress is written where no terminal shows it (default: 10)"},
    {"--block", 0, "JSON", false, "columns not to be stored, beside those of sluice.yaml: {\"orders\": [\"email\"]}"},
    {"--queued", 0, NULL, false, "run it as a job of the service's store: one that waits or runs already is this one"},
    {"--store", 0, "PATH|URL", false, "likewise, in this store (default: as sluice.yaml says, see `sluice serve`)"},
    OPTION_RECORD,
    OPTION_REPLAY,
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_REFRESH,
    OPTION_STATE_DIR,
};

const struct command COMMAND_RUN = {
    .name = "run",
    .usage = "[PIPELINE...]",
    .summary = "sync pipelines: all of sluice.yaml, or those named",
    .details = "Each run goes on where the last committed rows of the one before it stopped, however that one ended.\n"
               "The summary goes to stdout, everything else to stderr. Exit codes: `sluice help exit-codes`.\n"
               "With --queued the run is a job as the service's are: limits and history are shared with other nodes, what may\n"
               "heal is tried again, and a run that one of them has already is waited for.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = ARGUMENTS_MAX,
    .run = run,
};
