/* run: syncs pipelines. One pipeline runs in this process; several run as one child process each (run_children.c). */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/children.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/live.h"
#include "cli/print.h"
#include "cli/summary.h"

/* What the observer needs: events become log lines or JSON, and rows of the summary. */
struct reporter {
    struct cli_context *cli;
    struct summary summary;
    struct live *live;
    const struct progress *progress;
};

static void report_stream_end(struct reporter *reporter, const struct stream_progress *stream)
{
    char where[256], records[32];
    snprintf(where, sizeof where, "%s.%s", reporter->cli->pipeline->name, stream->name);
    if (atomic_load(&stream->status) == STREAM_FAILED) {
        const struct err_class_info *info = err_class_info(stream->err.class);
        const char *hint = err_hint_text(&stream->err);
        log_error(reporter->cli->log, "%s: %s: %s%s%s", info->name, where, stream->err.message, hint[0] ? "; " : "", hint);
        return;
    }
    print_grouped(atomic_load(&stream->committed), records);
    log_info(reporter->cli->log, "%s: %s records, %s", where, records,
             stream_status_name((enum stream_status)atomic_load(&stream->status)));
}

static void on_event(void *context, const struct sync_event *event)
{
    struct reporter *reporter = context;
    struct err err = ERR_INIT;
    if (event->kind == EVENT_SYNC_STARTED && reporter->cli->log_format == LOG_TEXT &&
        live_start(event->progress, reporter->cli->log, &reporter->live, &err) != 0)
        log_warn(reporter->cli->log, "no live display: %s", err.message);
    if (event->kind == EVENT_SYNC_ENDED) live_stop(reporter->live);
    summary_add_event(&reporter->summary, event);
    if (reporter->cli->log_format == LOG_JSON) {
        struct buf json = BUF_INIT(64 * 1024);
        sync_event_to_json(event, &json);
        log_event(reporter->cli->log, buf_str(&json));
        buf_release(&json);
    } else if (event->kind == EVENT_STREAM_ENDED) {
        report_stream_end(reporter, event->stream);
    }
}

static int run_one(const struct arguments *arguments, const char *name)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct reporter reporter = {.cli = &cli, .summary = SUMMARY_INIT};
    const struct observer observer = {on_event, &reporter};
    struct err err = ERR_INIT;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, name);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0) {
        code = sync_run(prepared, &observer, &err);
        if (argument_is_set(arguments, "--json")) summary_print_json(&reporter.summary, stdout);
        else summary_print(&reporter.summary, stdout);
        if (err.class && cli.log_format == LOG_TEXT) print_failure(cli.pipeline->name, &err, cli.secrets);
        if (err.class == ERR_CANCELLED && signals_received(cli.signals)) code = 128 + signals_received(cli.signals);
    }
    summary_release(&reporter.summary);
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static int run(const struct arguments *arguments)
{
    if (arguments->word_count == 1) return run_one(arguments, arguments->words[0]);
    struct cli_context cli;
    int code = cli_open(&cli, arguments, CLI_PROJECT, NULL);
    const char *only = code == 0 && arguments->word_count == 0 && cli.project->pipeline_count == 1
                           ? strdup(cli.project->pipelines[0].name)
                           : NULL;
    if (code == 0 && !only) code = children_run(&cli, arguments);
    cli_close(&cli);
    if (!only) return code;
    code = run_one(arguments, only);
    free((char *)only);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    OPTION_STREAM,
    {"--full-refresh", 0, NULL, false, "read everything again, as far as the streams allow"},
    {"--jobs", 'j', "N", false, "pipelines at once (default: 4)"},
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_STATE_DIR,
};

const struct command COMMAND_RUN = {
    .name = "run",
    .usage = "[PIPELINE...]",
    .summary = "sync pipelines: all of sluice.yaml, or those named",
    .details = "Each run goes on where the last committed rows of the one before it stopped, however that one ended.\n"
               "The summary goes to stdout, everything else to stderr. Exit codes: `sluice help exit-codes`.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = ARGUMENTS_MAX,
    .run = run,
};
