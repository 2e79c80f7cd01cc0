/* past: what commands that look back at a pipeline share: its destination is opened to look only, and asked for the newest. */
#ifndef SLUICE_CLI_PAST_H
#define SLUICE_CLI_PAST_H

#include "cli/context.h"
#include "writer/writer.h"

#define OPTION_ONE_STREAM                                                                                                      \
    {                                                                                                                          \
        "--stream", 's', "NAME", false, "only of this stream"                                                                  \
    }

typedef int past_show(const struct cli_context *cli, struct destination *destination, const struct past_filter *filter,
                      bool as_json, struct err *err);

/* Reads PIPELINE, --stream, --limit (up to `most`) and --json, and calls `show`. Returns the exit code. */
int past_run(const struct arguments *arguments, int64_t limit, int64_t most, past_show *show);

#endif
