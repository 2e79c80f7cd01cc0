/* command: the table of commands, and how a command line becomes arguments.
 *
 * A command is one file with one `const struct command`. Its options are a table; parsing, `sluice help COMMAND` and the usage
 * line come from it. To add a command: write cli/cmd_NAME.c, declare it below COMMANDS in command.c; the help test will look at
 * it. */
#ifndef SLUICE_CLI_COMMAND_H
#define SLUICE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_option {
    const char *name;     /* "--stream" */
    char letter;          /* 'f' for -f; 0: none */
    const char *argument; /* "NAME"; NULL: a switch */
    bool repeatable;
    const char *help;
};

struct command;

enum { ARGUMENTS_MAX = 64 };

/* A parsed command line. Texts belong to argv. */
struct arguments {
    const struct command *command;
    bool wants_help;                  /* --help or -h; nothing else was looked at then */
    const char *words[ARGUMENTS_MAX]; /* positional, in order */
    size_t word_count;
    struct {
        const struct cli_option *option;
        const char *value; /* NULL for a switch */
    } options[ARGUMENTS_MAX];
    size_t option_count;
};

struct command {
    const char *name;
    const char *usage;   /* behind the name: "[PIPELINE...]" */
    const char *summary; /* one line, lower case */
    const char *details; /* paragraphs for `sluice help NAME`; may be NULL */
    const struct cli_option *options;
    size_t option_count;
    size_t min_words, max_words;
    int (*run)(const struct arguments *arguments); /* returns the exit code */
};

/* Options every command that reads sluice.yaml has; spelled once. */
#define OPTION_FILE                                                                                                            \
    {                                                                                                                          \
        "--file", 'f', "FILE", false, "configuration to use (default: sluice.yaml)"                                            \
    }
#define OPTION_JSON                                                                                                            \
    {                                                                                                                          \
        "--json", 0, NULL, false, "print JSON instead of text"                                                                 \
    }
#define OPTION_STREAM                                                                                                          \
    {                                                                                                                          \
        "--stream", 's', "NAME", true, "only this stream (may be repeated)"                                                    \
    }
#define OPTION_LOG_FORMAT                                                                                                      \
    {                                                                                                                          \
        "--log-format", 0, "text|json", false, "how progress and messages are written to stderr"                               \
    }
#define OPTION_VERBOSE                                                                                                         \
    {                                                                                                                          \
        "--verbose", 'v', NULL, false, "also show requests and decisions"                                                      \
    }
#define OPTION_REFRESH                                                                                                         \
    {                                                                                                                          \
        "--refresh", 0, NULL, false, "ask the source anew for the fields it lists"                                             \
    }
#define OPTION_STATE_DIR                                                                                                       \
    {                                                                                                                          \
        "--state-dir", 0, "DIR", false,                                                                                        \
            "where tokens, rate limits and lists of fields are kept (default: $XDG_STATE_HOME/sluice)"                         \
    }

#define OPTION_STORE                                                                                                           \
    {                                                                                                                          \
        "--store", 0, "PATH|URL", false,                                                                                       \
            "where the service keeps jobs and history (default: service.db in the state directory)"                            \
    }

#define OPTION_RECORD                                                                                                          \
    {                                                                                                                          \
        "--record", 0, "FILE", false, "write every request and its answer there, without secrets"                              \
    }
#define OPTION_REPLAY                                                                                                          \
    {                                                                                                                          \
        "--replay", 0, "FILE", false, "take the answers from such a file: no network, no waiting, no secrets"                  \
    }

const struct command *const *command_list(size_t *count);
const struct command *command_find(const char *name); /* NULL when there is none */

/* Reads argv (without the program and the command). On a mistake prints one line to stderr and returns 2.
 * --help is an option of every command. */
int command_parse(const struct command *command, int argc, char **argv, struct arguments *out);

bool argument_is_set(const struct arguments *arguments, const char *option);
const char *argument_value(const struct arguments *arguments, const char *option, const char *fallback);
/* Reads an option that is a whole number from `least` to `most` (INT64_MAX: without end); *out stays when it was not given.
 * False, after saying so on stderr, when it is none. */
bool argument_number(const struct arguments *arguments, const char *option, int64_t least, int64_t most, int64_t *out);
/* The values of a repeatable option; returns how many were put into `values`. */
size_t argument_values(const struct arguments *arguments, const char *option, const char **values, size_t max);

void command_print_help(const struct command *command); /* to stdout */
void command_print_overview(void);

#endif
