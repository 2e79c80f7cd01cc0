/* command: see command.h. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "base/str.h"

extern const struct command COMMAND_INIT, COMMAND_RUN, COMMAND_SERVE, COMMAND_STATUS, COMMAND_LOGS, COMMAND_CHECK,
    COMMAND_DISCOVER, COMMAND_PLAN, COMMAND_PREVIEW, COMMAND_SCHEDULE, COMMAND_STATE, COMMAND_REJECTS, COMMAND_SCHEMA,
    COMMAND_SOURCE, COMMAND_USAGE, COMMAND_EXPLAIN, COMMAND_AUTH, COMMAND_CONNECTOR, COMMAND_DOCTOR, COMMAND_HELP,
    COMMAND_VERSION;

static const struct command *const COMMANDS[] = {
    &COMMAND_INIT,   &COMMAND_RUN,    &COMMAND_SERVE,    &COMMAND_STATUS,  &COMMAND_LOGS,  &COMMAND_SCHEDULE,
    &COMMAND_PLAN,   &COMMAND_CHECK,  &COMMAND_DISCOVER, &COMMAND_PREVIEW, &COMMAND_STATE, &COMMAND_REJECTS,
    &COMMAND_SCHEMA, &COMMAND_SOURCE, &COMMAND_USAGE,    &COMMAND_EXPLAIN, &COMMAND_AUTH,  &COMMAND_CONNECTOR,
    &COMMAND_DOCTOR, &COMMAND_HELP,   &COMMAND_VERSION,
};

const struct command *const *command_list(size_t *count)
{
    *count = ARRAY_SIZE(COMMANDS);
    return COMMANDS;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++)
        if (strcmp(COMMANDS[i]->name, name) == 0) return COMMANDS[i];
    return NULL;
}

static int usage_error(const struct command *command, const char *problem, const char *word)
{
    fprintf(stderr, "sluice %s: %s%s%s%s; `sluice help %s` shows how it is used\n", command->name, problem, word ? " '" : "",
            word ? word : "", word ? "'" : "", command->name);
    return 2;
}

/* "--stream=orders", "--stream orders", "-s orders": finds the option and where its value may be glued on. */
static const struct cli_option *match_option(const struct command *command, const char *word, const char **glued)
{
    *glued = NULL;
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        size_t size = strlen(option->name);
        if (strncmp(word, option->name, size) == 0 && (word[size] == '\0' || word[size] == '=')) {
            if (word[size] == '=') *glued = word + size + 1;
            return option;
        }
        if (option->letter && word[0] == '-' && word[1] == option->letter) {
            if (word[2] != '\0') *glued = word + 2;
            return option;
        }
    }
    return NULL;
}

static int unknown_option(const struct command *command, const char *word)
{
    const char *nearest = command->option_count ? str_nearest(str_from(word), &command->options[0].name, command->option_count,
                                                              sizeof command->options[0])
                                                : NULL;
    if (!nearest) return usage_error(command, "unknown option", word);
    fprintf(stderr, "sluice %s: unknown option '%s'; did you mean '%s'?\n", command->name, word, nearest);
    return 2;
}

int command_parse(const struct command *command, int argc, char **argv, struct arguments *out)
{
    bool only_words = false;
    *out = (struct arguments){.command = command};
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || word[0] != '-' || word[1] == '\0') {
            if (out->word_count == ARRAY_SIZE(out->words)) return usage_error(command, "too many words", NULL);
            out->words[out->word_count++] = word;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            out->wants_help = true;
            return 0;
        }
        const char *value;
        const struct cli_option *option = match_option(command, word, &value);
        if (!option) return unknown_option(command, word);
        if (!option->argument && value) return usage_error(command, "this option takes no value:", option->name);
        if (option->argument && !value) {
            if (i + 1 == argc) return usage_error(command, "a value is missing behind", word);
            value = argv[++i];
        }
        if (!option->repeatable && argument_is_set(out, option->name))
            return usage_error(command, "this option was given twice:", option->name);
        if (out->option_count == ARRAY_SIZE(out->options)) return usage_error(command, "too many options", NULL);
        out->options[out->option_count].option = option;
        out->options[out->option_count++].value = value;
    }
    if (out->word_count < command->min_words) return usage_error(command, "something is missing", NULL);
    if (out->word_count > command->max_words) return usage_error(command, "one word too many:", out->words[command->max_words]);
    return 0;
}

bool argument_is_set(const struct arguments *arguments, const char *option)
{
    for (size_t i = 0; i < arguments->option_count; i++)
        if (strcmp(arguments->options[i].option->name, option) == 0) return true;
    return false;
}

const char *argument_value(const struct arguments *arguments, const char *option, const char *fallback)
{
    for (size_t i = 0; i < arguments->option_count; i++)
        if (strcmp(arguments->options[i].option->name, option) == 0) return arguments->options[i].value;
    return fallback;
}

bool argument_number(const struct arguments *arguments, const char *option, int64_t least, int64_t most, int64_t *out)
{
    const char *given = argument_value(arguments, option, NULL);
    int64_t number;
    if (!given) return true;
    if (number_to_int64(str_from(given), &number) && number >= least && number <= most) {
        *out = number;
        return true;
    }
    fprintf(stderr, "sluice %s: %s is a number from %lld ", arguments->command->name, option, (long long)least);
    if (most < INT64_MAX) fprintf(stderr, "to %lld", (long long)most);
    fprintf(stderr, "%s, not '%s'\n", most < INT64_MAX ? "" : "on", given);
    return false;
}

size_t argument_values(const struct arguments *arguments, const char *option, const char **values, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < arguments->option_count && count < max; i++)
        if (strcmp(arguments->options[i].option->name, option) == 0) values[count++] = arguments->options[i].value;
    return count;
}

void command_print_help(const struct command *command)
{
    printf("usage: sluice %s%s%s%s\n\n%s\n", command->name, command->option_count ? " [OPTIONS]" : "",
           command->usage[0] ? " " : "", command->usage, command->summary);
    if (command->details) printf("\n%s\n", command->details);
    if (command->option_count) printf("\noptions:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        char name[64];
        if (option->letter)
            snprintf(name, sizeof name, "-%c, %s", option->letter, option->name);
        else
            snprintf(name, sizeof name, "    %s", option->name);
        if (option->argument) snprintf(name + strlen(name), sizeof name - strlen(name), " %s", option->argument);
        printf("  %-30s %s\n", name, option->help);
    }
}

void command_print_overview(void)
{
    printf("sluice moves data from APIs into PostgreSQL or CSV files, exactly once.\n\nusage: sluice COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++) printf("  %-12s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    printf("\n`sluice help COMMAND` says more; `sluice help exit-codes` lists what a run ends with.\n");
}
