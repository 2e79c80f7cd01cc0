/* past: see past.h. */
#include "cli/past.h"

int past_run(const struct arguments *arguments, int64_t limit, int64_t most, past_show *show)
{
    struct cli_context cli;
    struct err err = ERR_INIT;
    struct destination *destination;
    if (!argument_number(arguments, "--limit", 1, most, &limit)) return 2;
    const struct past_filter filter = {.stream = argument_value(arguments, "--stream", NULL), .limit = (size_t)limit};
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0) {
        int rc = cli_look(&cli, &destination, &err);
        if (rc == 0) {
            rc = show(&cli, destination, &filter, argument_is_set(arguments, "--json"), &err);
            cli.pipeline->writer->close(destination);
        }
        if (rc) code = cli_failure(&cli, cli.pipeline->name, &err);
    }
    cli_close(&cli);
    return code;
}
