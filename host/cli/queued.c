/* queued: see queued.h. */
#include "cli/queued.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/context.h"
#include "cli/summary.h"
#include "service/service.h"
#include "service/store.h"

enum { STREAMS_TEXT_MAX = 1024 * 1024, EVENT_MAX_BYTES = 64 * 1024 };

/* A job is a plain run, of all streams or of some: it may be taken by a node that knows nothing of this command line. */
static bool is_usable(const struct arguments *arguments)
{
    static const char *const NOT[] = {"--from",     "--to",     "--continuous", "--max-records", "--max-pages",
                                      "--progress", "--record", "--replay",     "--refresh",     "--jobs"};
    for (size_t i = 0; i < ARRAY_SIZE(NOT); i++) {
        if (!argument_is_set(arguments, NOT[i])) continue;
        fprintf(stderr, "sluice run: %s is not for a queued run\n", NOT[i]);
        return false;
    }
    if (arguments->word_count == 1) return true;
    fprintf(stderr, "sluice run: a queued run is of one pipeline; name it\n");
    return false;
}

static const char *stream_list(const struct arguments *arguments, struct buf *out)
{
    const char *streams[ARGUMENTS_MAX];
    size_t count = argument_values(arguments, "--stream", streams, ARGUMENTS_MAX);
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) json_cstr(&json, streams[i]);
    json_close(&json, ']');
    return count ? buf_text(out) : NULL;
}

/* What the last try told of each stream. */
static void summarize(struct service *service, int64_t job, struct arena *arena, struct summary *summary)
{
    struct job_event *events;
    struct err ignored = ERR_INIT;
    size_t count;
    if (service_events(service, job, arena, &events, &count, &ignored) != 0) return;
    for (size_t i = 0; i < count; i++) {
        struct cJSON *event;
        if (json_parse(str_from(events[i].json), EVENT_MAX_BYTES, &event, &ignored) != 0) continue;
        const char *kind = json_string(json_get(event, "event"));
        if (kind && strcmp(kind, "sync_started") == 0) {
            summary_release(summary);
            *summary = SUMMARY_INIT;
        }
        summary_add_json(summary, str_from(events[i].json));
        json_free(event);
    }
}

static int report(struct cli_context *cli, const struct arguments *arguments, struct service *service, const struct job *job)
{
    struct summary summary = SUMMARY_INIT;
    summarize(service, job->id, &cli->arena, &summary);
    if (argument_is_set(arguments, "--json"))
        summary_print_json(&summary, stdout);
    else
        summary_print(&summary, stdout);
    summary_release(&summary);
    if (strcmp(job->status, "succeeded") == 0) return 0;
    struct err err = ERR_INIT;
    const struct err_class_info *class = job->error_class ? err_class_named(job->error_class) : NULL;
    err_set(&err, class ? class->class : ERR_CANCELLED, "job %lld %s%s%s", (long long)job->id, job->status,
            job->error ? ": " : "", job->error ? job->error : "");
    if (job->hint) err_hint(&err, "%s", job->hint);
    int code = cli_failure(cli, job->pipeline, &err);
    return job->exit_code > 0 ? job->exit_code : code;
}

int queued_run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct service *service = NULL;
    struct err err = ERR_INIT;
    struct job *job;
    struct buf streams = BUF_INIT(STREAMS_TEXT_MAX);
    const struct pipeline *pipeline;
    if (!is_usable(arguments)) return 2;
    int code = cli_open(&cli, arguments, CLI_SERVICE, NULL);
    if (code == 0) code = cli_find_pipeline(&cli, arguments->words[0], &pipeline);
    const struct service_options options = {
        .file = cli.file,
        .state_folder = argument_value(arguments, "--state-dir", NULL),
        .store = argument_value(arguments, "--store", NULL),
        .only = arguments->words[0],
        .secrets = cli.secrets,
        .clock = cli.clock,
        .cancel = cli.cancel,
        .signals = cli.signals,
        .log = cli.log,
    };
    const struct job_request request = {.pipeline = arguments->words[0],
                                        .trigger = "request",
                                        .streams = stream_list(arguments, &streams),
                                        .is_full_refresh = argument_is_set(arguments, "--full-refresh")};
    if (code == 0 && service_open(&options, &service, &err) != 0) code = cli_failure(&cli, NULL, &err);
    if (code == 0 && service_run_job(service, &request, &cli.arena, &job, &err) == 0)
        code = report(&cli, arguments, service, job);
    else if (code == 0)
        code = cli_failure(&cli, arguments->words[0], &err);
    if (err.class == ERR_CANCELLED && signals_received(cli.signals)) code = 128 + signals_received(cli.signals);
    service_close(service);
    buf_release(&streams);
    cli_close(&cli);
    return code;
}
