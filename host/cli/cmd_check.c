/* check: would a run work? Configuration, connector, the way to the source, its first page, the destination's rights: every finding is
 * listed, so that one check tells all that is to be mended. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "net/client.h"
#include "os/secret.h"
#include "rest/reader.h"

struct findings {
    struct cli_context *cli;
    int code; /* 0, one failure's exit code, or 8 for several kinds */
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

static void fail(struct findings *findings, const char *what, const struct err *err)
{
    char detail[2048];
    const char *hint = err_hint_text(err);
    snprintf(detail, sizeof detail, "%s%s%s", err->message, hint[0] ? "; " : "", hint);
    print_finding(findings, false, what, detail);
    add_code(findings, err_class_info(err->class)->exit_code);
}

static void on_destination(void *context, const struct writer_finding *finding)
{
    struct findings *findings = context;
    char what[64];
    snprintf(what, sizeof what, "destination: %s", finding->what);
    print_finding(findings, finding->ok, what, finding->detail);
    if (!finding->ok) add_code(findings, err_class_info(ERR_DESTINATION)->exit_code);
}

static void check_source(struct findings *findings, struct sync_prepared *prepared)
{
    struct client *client;
    struct err err = ERR_INIT;
    struct functions functions = {0};
    bool has_functions = prepared->description->has_functions;
    if (sync_client(prepared, findings->cli->cancel, &client, &err) != 0) {
        fail(findings, "source", &err);
        return;
    }
    struct request_source source = sync_request_source(prepared, NULL);
    if (has_functions) {
        connector_functions_new(&prepared->sources, &prepared->connector_options, &functions);
        source.functions = &functions;
    }
    struct session *session = session_new(client);
    int rc = reader_check(session, &source, &err);
    if (rc) fail(findings, "source", &err);
    else print_finding(findings, true, "source", "reached, and it takes the credentials");
    session_free(session);
    if (source.functions) connector_functions_free(&functions);
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
    if (writer->check(destination, on_destination, findings, &err) != 0) fail(findings, "destination", &err);
    writer->close(destination);
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct findings findings = {.cli = &cli};
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0) {
        char detail[256];
        snprintf(detail, sizeof detail, "%s, pipeline '%s'", cli.file, cli.pipeline->name);
        print_finding(&findings, true, "configuration", detail);
        snprintf(detail, sizeof detail, "%s %s, %zu streams", prepared->description->name, prepared->description->version,
                 prepared->plan.count);
        print_finding(&findings, true, "connector", detail);
        check_source(&findings, prepared);
        check_destination(&findings, prepared);
        code = findings.code;
    }
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {OPTION_FILE, OPTION_STREAM, OPTION_LOG_FORMAT, OPTION_VERBOSE, OPTION_STATE_DIR};

const struct command COMMAND_CHECK = {
    .name = "check",
    .usage = "[PIPELINE]",
    .summary = "test configuration, source and destination; list every failure",
    .details = "Sends the connector's check request (or asks for a first page) and tries the destination's rights. Leaves nothing behind.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
