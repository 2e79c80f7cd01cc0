/* source: what the source itself has to hold for a pipeline, made and given up by hand. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/context.h"
#include "net/client.h"
#include "sync/plan.h"
#include "sync/source.h"

static int ask(struct cli_context *cli, struct sync_prepared *prepared, enum native_question question, struct err *err)
{
    struct client *client;
    if (!prepared->sources.is_native) {
        err_set(err, ERR_CONFIG, "connector '%s' is a script: its source holds nothing for a pipeline",
                prepared->description->name);
        return err_hint(err, "there is nothing to set up or to tear down");
    }
    int rc = sync_client(prepared, cli->cancel, &client, err);
    if (rc) return rc;
    for (size_t i = 0; i < prepared->plan.count && rc == 0; i++)
        if (prepared->plan.flows[i].stream->native) rc = source_ask(prepared, client, question, &prepared->plan.flows[i], err);
    client_free(client);
    return rc;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct err err = ERR_INIT;
    bool is_setup = strcmp(arguments->words[0], "setup") == 0;
    if (!is_setup && strcmp(arguments->words[0], "teardown") != 0) {
        fprintf(stderr, "sluice source: use `setup [PIPELINE]` or `teardown [PIPELINE]`\n");
        return 2;
    }
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count > 1 ? arguments->words[1] : NULL);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0 && ask(&cli, prepared, is_setup ? NATIVE_SETUP : NATIVE_TEARDOWN, &err) != 0)
        code = cli_failure(&cli, cli.pipeline->name, &err);
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {OPTION_FILE, OPTION_LOG_FORMAT, OPTION_VERBOSE, OPTION_REFRESH, OPTION_STATE_DIR};

const struct command COMMAND_SOURCE = {
    .name = "source",
    .usage = "setup [PIPELINE] | teardown [PIPELINE]",
    .summary = "make, or give up, what the source holds for a pipeline",
    .details =
        "Of connectors whose source keeps something for its reader, as PostgreSQL a replication slot and a publication.\n"
        "`setup` makes what is not there, before a first run or in place of it; `teardown` removes it, when the pipeline\n"
        "goes: what the source has not handed over by then is lost to it. Both may be repeated.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
