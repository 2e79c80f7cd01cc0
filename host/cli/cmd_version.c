/* version: which sluice this is. */
#include <stdio.h>

#include "cli/command.h"

static int run(const struct arguments *arguments)
{
    (void)arguments;
    printf("sluice %s\n", SLUICE_VERSION);
    return 0;
}

const struct command COMMAND_VERSION = {.name = "version", .usage = "", .summary = "print the version", .run = run};
