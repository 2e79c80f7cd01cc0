/* main: picks the command, runs it, and makes sure that what went to stdout really arrived. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "net/http.h"
#include "os/crypto.h"

static int unknown_command(const char *word)
{
    const char *names[32];
    size_t count;
    const struct command *const *commands = command_list(&count);
    for (size_t i = 0; i < count; i++) names[i] = commands[i]->name;
    const char *nearest = str_nearest(str_from(word), names, count, sizeof names[0]);
    if (nearest)
        fprintf(stderr, "sluice: there is no command '%s'; did you mean '%s'?\n", word, nearest);
    else
        fprintf(stderr, "sluice: there is no command '%s'; `sluice help` lists them\n", word);
    return 2;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        command_print_overview();
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
    const struct command *command = command_find(name);
    if (!command) return unknown_command(name);
    struct arguments arguments;
    int rc = command_parse(command, argc - 2, argv + 2, &arguments);
    if (rc == 0 && arguments.wants_help) command_print_help(command);
    return rc || arguments.wants_help ? rc : command->run(&arguments);
}

/* Before any of them is used, and before there are threads. */
static void init_libraries(void)
{
    json_init();
    crypto_init();
    http_init();
}

int main(int argc, char **argv)
{
    init_libraries();
    int code = dispatch(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "sluice: could not write to stdout: %s\n", strerror(errno));
        if (code == 0) code = 1;
    }
    return code;
}
