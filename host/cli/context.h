/* context: what every command that reads sluice.yaml sets up: secrets, log, signals, the project, the pipeline meant.
 *
 *     struct cli_context cli;
 *     int code = cli_open(&cli, arguments, pipeline_name);        // prints what is wrong
 *     if (code == 0) ...
 *     cli_close(&cli); */
#ifndef SLUICE_CLI_CONTEXT_H
#define SLUICE_CLI_CONTEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "cli/command.h"
#include "os/log.h"
#include "os/signals.h"
#include "sync/project.h"
#include "sync/sync.h"

struct cli_context {
    struct arena arena;
    struct secrets *secrets;
    struct log *log;
    enum log_format log_format;
    struct clock *clock;
    struct cancel *cancel;
    struct signals *signals;
    const char *file;
    struct cassette *cassette; /* --record or --replay; NULL: neither */
    const struct project *project;
    const char *wanted;              /* the pipeline's name as given; NULL: none was */
    bool tokens_only;                /* see sync_options; set between cli_open and cli_prepare */
    const struct pipeline *pipeline; /* NULL when none was asked for */
    struct vault *vault;             /* of tokens in the service's store; NULL: they are files */
};

enum cli_wants { CLI_PROJECT, CLI_PIPELINE, CLI_SERVICE };

/* Opens all of it. CLI_PIPELINE: `name` is the pipeline, NULL stands for the only one there is. CLI_SERVICE: for what needs no
 * pipeline's secrets, so that they need not be there. Returns 0 or the exit code,
 * after printing why. cli_close in any case. */
int cli_open(struct cli_context *cli, const struct arguments *arguments, enum cli_wants wants, const char *name);
void cli_close(struct cli_context *cli);

/* The pipeline of that name in the open project; 0, or the exit code after printing that there is none. */
int cli_find_pipeline(const struct cli_context *cli, const char *name, const struct pipeline **out);

/* Opens the pipeline's destination to look at it: nothing is made or written. Errors as struct writer_type's open. */
int cli_look(const struct cli_context *cli, struct destination **out, struct err *err);

/* print_failure and print_problems in the log's format: a line for people, or one `failed` event as JSON. Return the exit code.
 */
int cli_failure(const struct cli_context *cli, const char *where, const struct err *err);
int cli_problems(const struct cli_context *cli, const struct problems *problems);

/* What --record asks for, once the command has done its work with `code`; prints why it could not be written. Returns the exit
 * code. */
int cli_save_recording(struct cli_context *cli, const struct arguments *arguments, int code);

/* sync_prepare with this context and the command's --stream and --full-refresh; prints what is wrong. */
int cli_prepare(struct cli_context *cli, const struct arguments *arguments, struct sync_prepared **out);

#endif
