/* help: commands, and the two topics that are tables elsewhere: exit codes and sluice.yaml. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "service/schedule.h"
#include "sync/project.h"

static void print_exit_codes(void)
{
    static const struct {
        int code;
        const char *meaning;
    } CODES[] = {
        {0, "all went well"},
        {1, "a bug in sluice, or out of memory"},
        {2, "usage, sluice.yaml or a connector's configuration"},
        {3, "authentication or permission at the source, or a host that is not allowed"},
        {4, "the source is unavailable or refuses: retries or limits used up, stalled, 400, 404, 422"},
        {5, "data or schema refused: a cap was passed, a page loop, the reject limit, target types, the shrink guard"},
        {6, "anything else of the destination"},
        {7, "a connector's bug: script error, sandbox limit"},
        {8, "some streams failed, or pipelines of one run with different codes"},
        {9, "held by another sync, or overtaken by one"},
        {130, "interrupted (SIGINT); state is that of the last committed rows"},
        {143, "ended (SIGTERM); state is that of the last committed rows"},
    };
    printf("A run ends with:\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) printf("  %3d  %s\n", CODES[i].code, CODES[i].meaning);
}

static void print_options(const struct option_table *table, int depth)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        char name[64];
        snprintf(name, sizeof name, "%*s%s:", depth * 2, "", option->name);
        printf("  %-24s %s", name, option->help);
        if (option->flags & OPTION_REQUIRED) printf(" (required)");
        if (option->values) printf(" [%s]", option->values);
        if (option->fallback) printf(" (default: %s)", option->fallback);
        printf("\n");
        if (option->child) print_options(option->child, depth + 1 + (option->type == OPTION_MAP_OF));
    }
}

static void print_config(void)
{
    printf("sluice.yaml (YAML; ${NAME} is an environment variable, ${file:PATH} a private file's content):\n\n");
    print_options(&PROJECT_OPTIONS, 0);
    printf("\nA schedule as a map, with one of every, cron and continuous (a stream's takes what it leaves out from its "
           "pipeline's):\n\n");
    print_options(&SCHEDULE_OPTIONS, 0);
    size_t count;
    const struct writer_type *const *types = writer_types(&count);
    for (size_t i = 0; i < count; i++) {
        printf("\nA destination of type %s (%s):\n\n", types[i]->name, types[i]->title);
        print_options(types[i]->options, 0);
    }
}

static int run(const struct arguments *arguments)
{
    if (arguments->word_count == 0) {
        command_print_overview();
        return 0;
    }
    const char *topic = arguments->words[0];
    const struct command *command = command_find(topic);
    if (command)
        command_print_help(command);
    else if (strcmp(topic, "exit-codes") == 0)
        print_exit_codes();
    else if (strcmp(topic, "config") == 0)
        print_config();
    else {
        fprintf(stderr, "sluice help: there is nothing about '%s'; topics are the commands, exit-codes and config\n", topic);
        return 2;
    }
    return 0;
}

const struct command COMMAND_HELP = {
    .name = "help",
    .usage = "[COMMAND | exit-codes | config]",
    .summary = "explain a command, the exit codes or sluice.yaml",
    .max_words = 1,
    .run = run,
};
