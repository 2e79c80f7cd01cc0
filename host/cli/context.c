/* context: see context.h. */
#include "cli/context.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/print.h"
#include "net/cassette.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/secret.h"
#include "service/vault.h"
#include "sync/blocks.h"

static int read_log_options(struct cli_context *cli, const struct arguments *arguments)
{
    const char *format = argument_value(arguments, "--log-format", "text");
    if (strcmp(format, "json") != 0 && strcmp(format, "text") != 0) {
        fprintf(stderr, "sluice: --log-format is text or json, not '%s'\n", format);
        return 2;
    }
    cli->log_format = strcmp(format, "json") == 0 ? LOG_JSON : LOG_TEXT;
    cli->log =
        log_new(STDERR_FILENO, cli->log_format, argument_is_set(arguments, "--verbose") ? LOG_DEBUG : LOG_INFO, cli->secrets);
    return 0;
}

/* {"event":"failed","pipeline":..,"error":{..}}: what ends a command before a sync could tell of it. */
static void log_failed(const struct cli_context *cli, const char *pipeline, const char *class, const char *message,
                       const char *hint)
{
    struct buf line = BUF_INIT(64 * 1024);
    struct json_writer json = JSON_WRITER(&line);
    json_open(&json, '{');
    json_member(&json, "event"), json_cstr(&json, "failed");
    if (pipeline) json_member(&json, "pipeline"), json_cstr(&json, pipeline);
    json_member(&json, "error");
    json_open(&json, '{');
    json_member(&json, "class"), json_cstr(&json, class);
    json_member(&json, "message"), json_cstr(&json, message);
    json_member(&json, "hint"), json_cstr(&json, hint);
    json_close(&json, '}');
    json_close(&json, '}');
    log_event(cli->log, buf_str(&line));
    buf_release(&line);
}

int cli_look(const struct cli_context *cli, struct destination **out, struct err *err)
{
    const struct pipeline *pipeline = cli->pipeline;
    const struct destination_options options = {
        .name = pipeline->destination,
        .config = pipeline->destination_node,
        .folder = cli->project->folder,
        .pipeline = pipeline->name,
        .look_only = true,
        .secrets = cli->secrets,
        .clock = cli->clock,
        .cancel = cli->cancel,
        .log = cli->log,
    };
    return pipeline->writer->open(&options, out, err);
}

int cli_failure(const struct cli_context *cli, const char *where, const struct err *err)
{
    if (cli->log_format != LOG_JSON) return print_failure(where, err, cli->secrets);
    const struct err_class_info *info = err_class_info(err->class);
    log_failed(cli, where, info->name, err->message, err_hint_text(err));
    return info->exit_code;
}

int cli_problems(const struct cli_context *cli, const struct problems *problems)
{
    if (cli->log_format != LOG_JSON) return print_problems(problems, cli->secrets);
    struct buf message = BUF_INIT(16 * 1024);
    for (size_t i = 0; i < problems_listed(problems); i++) {
        const struct problem *problem = &problems->list[i];
        buf_clear(&message);
        problem_describe(problem, &message);
        log_failed(cli, cli->wanted, err_class_info(ERR_CONFIG)->name, buf_text(&message), problem->hint ? problem->hint : "");
    }
    buf_release(&message);
    return problems->count ? err_class_info(ERR_CONFIG)->exit_code : 0;
}

/* The only pipeline's name when none was given. */
static int only_pipeline(struct cli_context *cli, const char **name)
{
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    const struct project *project;
    project_load(cli->file, "", cli->cassette && !cassette_is_recorder(cli->cassette), cli->secrets, &cli->arena, &project,
                 &problems);
    if (problems.count) return cli_problems(cli, &problems);
    if (project->pipeline_count == 1) {
        *name = project->pipelines[0].name;
        return 0;
    }
    fprintf(stderr, "sluice: %s has %zu pipelines; say which one:", cli->file, project->pipeline_count);
    for (size_t i = 0; i < project->pipeline_count; i++) fprintf(stderr, " %s", project->pipelines[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int cli_find_pipeline(const struct cli_context *cli, const char *name, const struct pipeline **out)
{
    *out = project_pipeline(cli->project, name);
    if (*out) return 0;
    size_t count = cli->project->pipeline_count;
    const char *nearest =
        count ? str_nearest(str_from(name), &cli->project->pipelines[0].name, count, sizeof(struct pipeline)) : NULL;
    struct err err = ERR_INIT;
    err_set(&err, ERR_CONFIG, "%s has no pipeline '%s'", cli->file, name);
    if (nearest) err_hint(&err, "did you mean '%s'?", nearest);
    return cli_failure(cli, NULL, &err);
}

static int open_cassette(struct cli_context *cli, const struct arguments *arguments)
{
    struct err err = ERR_INIT;
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    const char *replay = argument_value(arguments, "--replay", NULL);
    if (replay && argument_is_set(arguments, "--record")) {
        fprintf(stderr, "sluice: --record and --replay exclude each other\n");
        return 2;
    }
    if (argument_is_set(arguments, "--record")) cli->cassette = cassette_new_recorder(clock_wall_us(cli->clock));
    if (!replay) return 0;
    if (cassette_load(replay, clock_wall_us(cli->clock), &cli->cassette, &problems, &err) != 0)
        return cli_failure(cli, NULL, &err);
    return cli_problems(cli, &problems);
}

int cli_open(struct cli_context *cli, const struct arguments *arguments, enum cli_wants wants, const char *name)
{
    struct err err = ERR_INIT;
    *cli = (struct cli_context){.secrets = secrets_new(), .clock = clock_system(), .cancel = cancel_new(NULL)};
    cli->file = argument_value(arguments, "--file", "sluice.yaml");
    int code = read_log_options(cli, arguments);
    if (code) return code;
    if ((code = open_cassette(cli, arguments)) != 0) return code;
    if (signals_new(cli->cancel, &cli->signals, &err) != 0) return print_failure(NULL, &err, NULL);
    if (wants == CLI_PIPELINE && !name && (code = only_pipeline(cli, &name)) != 0) return code;
    cli->wanted = name;
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    const char *only = wants == CLI_PIPELINE ? name : wants == CLI_SERVICE ? PROJECT_SERVICE : "";
    project_load(cli->file, only, cli->cassette && !cassette_is_recorder(cli->cassette), cli->secrets, &cli->arena,
                 &cli->project, &problems);
    if (problems.count) return cli_problems(cli, &problems);
    return wants == CLI_PIPELINE ? cli_find_pipeline(cli, name, &cli->pipeline) : 0;
}

int cli_save_recording(struct cli_context *cli, const struct arguments *arguments, int code)
{
    struct err err = ERR_INIT;
    const char *path = argument_value(arguments, "--record", NULL);
    if (!path || !cli->cassette || cassette_requests(cli->cassette) == 0) return code;
    if (cassette_save(cli->cassette, cli->secrets, path, &err) != 0) {
        int failed = cli_failure(cli, NULL, &err);
        return code ? code : failed;
    }
    log_info(cli->log, "%zu requests recorded in %s", cassette_requests(cli->cassette), path);
    return code;
}

void cli_close(struct cli_context *cli)
{
    signals_free(cli->signals);
    cancel_free(cli->cancel);
    cassette_free(cli->cassette);
    vault_free(cli->vault);
    if (cli->log) log_free(cli->log);
    arena_release(&cli->arena);
    secrets_free(cli->secrets);
}

/* Recordings are of requests, and a plugin's own conversations are none. */
static int refuse_recording(const struct arguments *arguments, const struct sync_prepared *prepared, struct err *err)
{
    bool records = argument_is_set(arguments, "--record") || argument_is_set(arguments, "--replay");
    if (!records || !prepared->sources.is_native) return 0;
    err_set(err, ERR_CONFIG, "cannot record or replay '%s': it is a native plugin", prepared->sources.name);
    return err_hint(err, "leave --record and --replay out; they are for connectors that are read by requests");
}

static struct token_store *tokens_in_vault(void *context, const char *credential, struct cancel *cancel)
{
    return vault_token_store(context, credential, cancel);
}

int cli_prepare(struct cli_context *cli, const struct arguments *arguments, struct sync_prepared **out)
{
    const char *streams[ARGUMENTS_MAX];
    struct err err = ERR_INIT;
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    int64_t max_records = 0, max_pages = 0;
    if (!argument_number(arguments, "--max-records", 1, INT64_MAX, &max_records) ||
        !argument_number(arguments, "--max-pages", 1, INT64_MAX, &max_pages))
        return 2;
    struct sync_options options = {
        .project = cli->project,
        .pipeline = cli->pipeline,
        .request = {.streams = streams,
                    .stream_count = argument_values(arguments, "--stream", streams, ARGUMENTS_MAX),
                    .full_refresh = argument_is_set(arguments, "--full-refresh"),
                    .continuous = argument_is_set(arguments, "--continuous"),
                    .max_records = max_records,
                    .max_pages = max_pages,
                    .from = argument_value(arguments, "--from", NULL),
                    .to = argument_value(arguments, "--to", NULL)},
        .tokens_only = cli->tokens_only,
        .state_folder = argument_value(arguments, "--state-dir", NULL),
        .secrets = cli->secrets,
        .clock = cli->clock,
        .cassette = cli->cassette,
        .cancel = cli->cancel,
        .log = cli->log,
        .refresh = argument_is_set(arguments, "--refresh"),
    };
    if (blocks_apply(cli->pipeline, argument_value(arguments, "--block", NULL), &cli->arena, &options.pipeline, &err) != 0)
        return cli_failure(cli, cli->pipeline->name, &err);
    bool is_replay = cli->cassette && !cassette_is_recorder(cli->cassette);
    if (!is_replay && vault_open(cli->project, cli->clock, cli->secrets, &cli->vault, &err) != 0)
        return cli_failure(cli, NULL, &err);
    if (cli->vault) {
        options.token_store = tokens_in_vault;
        options.token_context = cli->vault;
    }
    if (sync_prepare(&options, out, &problems, &err) != 0) return cli_failure(cli, cli->pipeline->name, &err);
    if (*out && refuse_recording(arguments, *out, &err) != 0) return cli_failure(cli, cli->pipeline->name, &err);
    return cli_problems(cli, &problems);
}
