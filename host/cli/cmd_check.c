/* check: would a run work? Configuration, connector, the way to the source, its first page, the destination's rights: every
 * finding is listed, so that one check tells all that is to be mended. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "net/client.h"
#include "os/clock.h"
#include "os/secret.h"
#include "os/zone.h"
#include "rest/reader.h"
#include "service/cadence.h"
#include "sync/sample.h"
#include "sync/source.h"

struct findings {
    struct cli_context *cli;
    int code; /* 0, one failure's exit code, or 8 for several kinds */
    /* The destination's last failed step, held back since the check may end with its error, which has a hint. */
    char failed_what[64], failed_detail[1024];
};

static void add_code(struct findings *findings, int code)
{
    if (code) findings->code = findings->code == 0 || findings->code == code ? code : 8;
}

static void print_finding(struct findings *findings, bool ok, const char *what, const char *detail)
{
    struct buf line = BUF_INIT(16 * 1024);
    secrets_redact(findings->cli->secrets, str_from(detail ? detail : ""), &line);
    printf("%-6s %-28s %s\n", ok ? "ok" : "FAILED", what, buf_text(&line));
    buf_release(&line);
}

/* For programs (--log-format json) it is an event, too. */
static void fail(struct findings *findings, const char *what, const struct err *err)
{
    char detail[2048];
    const char *hint = err_hint_text(err);
    snprintf(detail, sizeof detail, "%s%s%s", err->message, hint[0] ? "; " : "", hint);
    print_finding(findings, false, what, detail);
    add_code(findings, err_class_info(err->class)->exit_code);
    if (findings->cli->log_format == LOG_JSON) cli_failure(findings->cli, what, err);
}

static void release_failed_step(struct findings *findings)
{
    struct err err = ERR_INIT;
    if (!findings->failed_what[0]) return;
    err_set(&err, ERR_DESTINATION, "%s", findings->failed_detail);
    fail(findings, findings->failed_what, &err);
    findings->failed_what[0] = '\0';
}

static void on_destination(void *context, const struct writer_finding *finding)
{
    struct findings *findings = context;
    char what[64];
    snprintf(what, sizeof what, "destination: %s", finding->what);
    release_failed_step(findings);
    if (finding->ok) {
        print_finding(findings, true, what, finding->detail);
        return;
    }
    memcpy(findings->failed_what, what, sizeof what);
    snprintf(findings->failed_detail, sizeof findings->failed_detail, "%s", finding->detail ? finding->detail : "");
}

static void check_plugin(struct findings *findings, const struct sync_prepared *prepared, struct client *client)
{
    struct err err = ERR_INIT;
    if (source_ask(prepared, client, NATIVE_CHECK, NULL, &err) != 0)
        fail(findings, "source", &err);
    else
        print_finding(findings, true, "source", "the plugin's check passed");
}

/* The connector's own check request, when it declares one. */
static void check_access(struct findings *findings, const struct sync_prepared *prepared, struct client *client)
{
    struct err err = ERR_INIT;
    struct functions functions = {0};
    struct request_source source = sync_request_source(prepared, NULL);
    if (prepared->sources.is_native) check_plugin(findings, prepared, client);
    if (!prepared->description->check) return;
    if (prepared->description->has_functions) {
        connector_functions_new(&prepared->sources, &prepared->connector_options, &functions);
        source.functions = &functions;
    }
    struct session *session = session_new(client);
    if (reader_check(session, &source, &err) != 0)
        fail(findings, "source", &err);
    else
        print_finding(findings, true, "source", "reached, and it takes the credentials");
    session_free(session);
    if (source.functions) connector_functions_free(&functions);
}

/* One stream's share of a first page: records that were rejected one and all are a failure. */
static void print_counts(struct findings *findings, const char *stream, const char *where, uint64_t records,
                         const struct decode_counts *counts, const char *reason)
{
    char what[128], detail[160];
    bool ok = counts->rejected == 0 || counts->rejected < counts->emitted;
    snprintf(what, sizeof what, "stream %s", stream);
    int size = snprintf(detail, sizeof detail, "%llu records on %s first page", (unsigned long long)records, where);
    if (counts->rejected && size > 0 && (size_t)size < sizeof detail)
        snprintf(detail + size, sizeof detail - (size_t)size, ", %llu of them rejected: %s",
                 (unsigned long long)counts->rejected, reason);
    if (ok) {
        print_finding(findings, true, what, detail);
    } else {
        struct err err = ERR_INIT;
        err_set(&err, ERR_DATA, "%s", detail);
        fail(findings, what, &err);
    }
}

static const char *first_reason(const struct decoded *decoded, const char *stream)
{
    for (size_t i = 0; i < decoded->reject_count; i++)
        if (strcmp(decoded->rejects[i].stream, stream) == 0) return decoded->rejects[i].reason;
    return "";
}

static void check_stream(struct findings *findings, const struct sync_prepared *prepared, struct flow_plan *flow,
                         struct client *client)
{
    char what[128];
    struct sample sample = {0};
    struct err err = ERR_INIT;
    const struct decoded *decoded = &sample.decoded;
    const char *root = flow->stream->name;
    snprintf(what, sizeof what, "stream %s", root);
    if (sample_read(prepared, flow, client, findings->cli->cancel, &sample, &err) != 0) {
        fail(findings, what, &err);
    } else {
        print_counts(findings, root, "its", decoded->records, &decoded->counts, first_reason(decoded, root));
        for (size_t i = 0; i < decoded->exploded_count; i++) {
            const char *name = flow->streams[decoded->exploded[i].stream].stream->name;
            print_counts(findings, name, "that", decoded->exploded[i].counts.emitted, &decoded->exploded[i].counts,
                         first_reason(decoded, name));
        }
    }
    sample_release(&sample);
}

static void check_source(struct findings *findings, struct sync_prepared *prepared)
{
    struct client *client;
    struct err err = ERR_INIT;
    if (sync_client(prepared, findings->cli->cancel, &client, &err) != 0) {
        fail(findings, "source", &err);
        return;
    }
    int before = findings->code;
    check_access(findings, prepared, client);
    /* When the source cannot be reached at all, asking once more per stream would only say so again. */
    for (size_t i = 0; i < prepared->plan.count && findings->code == before; i++)
        check_stream(findings, prepared, &prepared->plan.flows[i], client);
    client_free(client);
}

static void check_destination(struct findings *findings, const struct sync_prepared *prepared)
{
    const struct writer_type *writer = prepared->options.pipeline->writer;
    struct destination *destination;
    struct err err = ERR_INIT;
    if (sync_destination(prepared, prepared->options.cancel, &destination, &err) != 0) {
        fail(findings, "destination", &err);
        return;
    }
    int rc = writer->check(destination, on_destination, findings, &err);
    if (rc && findings->failed_what[0] && strcmp(findings->failed_detail, err.message) == 0) {
        fail(findings, findings->failed_what, &err);
    } else {
        release_failed_step(findings);
        if (rc) fail(findings, "destination", &err);
    }
    writer->close(destination);
}

/* The schedules of a pipeline and its streams: each mistake, or the first run. A pipeline without one has nothing to say. */
static void check_schedule(struct findings *findings, const struct pipeline *pipeline)
{
    struct cli_context *cli = findings->cli;
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    struct cadences cadences;
    cadences_read(pipeline, &cli->arena, &cadences, &problems);
    for (size_t i = 0; i < problems_listed(&problems); i++) {
        struct buf text = BUF_INIT(16 * 1024);
        struct err err = ERR_INIT;
        problem_describe(&problems.list[i], &text);
        err_set(&err, ERR_CONFIG, "%s", buf_text(&text));
        if (problems.list[i].hint) err_hint(&err, "%s", problems.list[i].hint);
        fail(findings, "schedule", &err);
        buf_release(&text);
    }
    for (size_t i = 0; problems.count == 0 && i < cadences.count; i++) {
        const struct cadence *cadence = &cadences.list[i];
        const struct schedule *schedule = &cadence->schedule;
        char next[TIME_TEXT_MAX], what[128];
        int64_t next_ms;
        if (schedule->kind == SCHEDULE_MANUAL || !schedule_next(schedule, clock_wall_us(cli->clock) / 1000, &next_ms)) continue;
        zone_write_iso(schedule->zone, next_ms, next);
        snprintf(what, sizeof what, "schedule%s%s", cadence->stream ? " of " : "", cadence->stream ? cadence->stream : "");
        print_finding(findings, true, what,
                      schedule->kind == SCHEDULE_CONTINUOUS
                          ? schedule->text
                          : arena_printf(&cli->arena, "%s, next at %s", schedule->text, next));
    }
}

static int check_one(const struct arguments *arguments, const char *name)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct findings findings = {.cli = &cli};
    int code = cli_open(&cli, arguments, CLI_PIPELINE, name);
    if (code == 0) check_schedule(&findings, cli.pipeline);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0) {
        char detail[256];
        snprintf(detail, sizeof detail, "%s, pipeline '%s'", cli.file, cli.pipeline->name);
        print_finding(&findings, true, "configuration", detail);
        size_t streams = 0;
        for (size_t i = 0; i < prepared->plan.count; i++) streams += prepared->plan.flows[i].stream_count;
        snprintf(detail, sizeof detail, "%s %s, %zu stream%s", prepared->description->name, prepared->description->version,
                 streams, streams == 1 ? "" : "s");
        print_finding(&findings, true, "connector", detail);
        check_source(&findings, prepared);
        check_destination(&findings, prepared);
        code = findings.code;
    }
    code = cli_save_recording(&cli, arguments, code);
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

/* One after the other, so that the findings of one stand together. */
static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct findings findings = {.cli = &cli};
    if (arguments->word_count == 1) return check_one(arguments, arguments->words[0]);
    int code = cli_open(&cli, arguments, CLI_PROJECT, NULL);
    bool has_cassette = argument_is_set(arguments, "--record") || argument_is_set(arguments, "--replay");
    if (code == 0 && cli.project->pipeline_count > 1 && has_cassette) {
        fprintf(stderr, "sluice check: --record and --replay are for one pipeline; name it\n");
        code = 2;
    }
    for (size_t i = 0; code == 0 && i < cli.project->pipeline_count; i++) {
        if (i) printf("\n");
        add_code(&findings, check_one(arguments, cli.project->pipelines[i].name));
    }
    cli_close(&cli);
    return code ? code : findings.code;
}

static const struct cli_option OPTIONS[] = {OPTION_FILE,       OPTION_STREAM,  OPTION_RECORD,  OPTION_REPLAY,
                                            OPTION_LOG_FORMAT, OPTION_VERBOSE, OPTION_REFRESH, OPTION_STATE_DIR};

const struct command COMMAND_CHECK = {
    .name = "check",
    .usage = "[PIPELINE]",
    .summary = "test configuration, schedule, source and destination; list every failure",
    .details = "Without a name: every pipeline of sluice.yaml. Sends the connector's check request (or asks for a first page) "
               "and tries the\n"
               "destination's rights. Leaves nothing behind.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
