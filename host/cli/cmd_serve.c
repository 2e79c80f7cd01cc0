/* serve: runs pipelines by their schedules until it is stopped. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/context.h"
#include "os/clock.h"
#include "service/service.h"
#include "service/web/gate.h"

/* On stdout the token alone, for whoever pipes it into a keeper of secrets. */
static int print_new_token(void)
{
    char token[TOKEN_TEXT_MAX], sha256[TOKEN_TEXT_MAX + 1];
    token_new(token, sha256);
    printf("%s\n", token);
    fprintf(stderr,
            "declare it in sluice.yaml, which needs its digest only; the token is not shown again:\n"
            "  service:\n    tokens:\n      NAME: { sha256: %s, scope: read }   # or run, or admin\n",
            sha256);
    return 0;
}

static int run(const struct arguments *arguments)
{
    if (argument_is_set(arguments, "--new-token")) return print_new_token();
    struct cli_context cli;
    struct service *service = NULL;
    struct err err = ERR_INIT;
    int code = cli_open(&cli, arguments, CLI_SERVICE, NULL);
    const struct service_options options = {
        .file = cli.file,
        .state_folder = argument_value(arguments, "--state-dir", NULL),
        .store = argument_value(arguments, "--store", NULL),
        .listen = argument_value(arguments, "--listen", NULL),
        .secrets = cli.secrets,
        .clock = cli.clock,
        .cancel = cli.cancel,
        .signals = cli.signals,
        .log = cli.log,
    };
    if (code == 0 && service_open(&options, &service, &err) != 0) code = cli_failure(&cli, NULL, &err);
    if (code == 0) service_run(service);
    service_close(service);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    {"--listen", 0, "HOST:PORT", false, "where the page and the API are (default: as sluice.yaml says, 127.0.0.1:7077)"},
    OPTION_STORE,
    {"--new-token", 0, NULL, false, "print a new token for the API, and what to write into sluice.yaml, and end"},
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_STATE_DIR,
};

const struct command COMMAND_SERVE = {
    .name = "serve",
    .usage = "",
    .summary = "run the pipelines by their schedules; a page and an API to watch and steer them",
    .details =
        "Each sync is a `sluice run` of its own, which goes on from its last committed rows; what fails and may heal is\n"
        "tried again. sluice.yaml is read anew when it changes, or on SIGHUP. SIGTERM stops the syncs at their next\n"
        "checkpoint and ends within 10 s. Several services on one PostgreSQL (--store) share the work.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 0,
    .run = run,
};
